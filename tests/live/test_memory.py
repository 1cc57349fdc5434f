# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory of snapshots: saved as an ordinary image, taken apart in the background, mapped by the next revert, and the same
guest comes out whichever way it went in."""
import os
import shutil
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Console, Lab, become_subreaper, wait_for

RUNNING, OFF = libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_SHUTOFF


@pytest.fixture
def lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


class Guest:
    """A Linux that counts in its memory."""

    def __init__(self, lab: Lab, boots: bool = True, extra: str = '', memory: int = 128) -> None:
        self.lab = lab
        self.conn = lab.conn()
        xml = lab.guest_xml('g', [lab.disk('d.qcow2')], memory=memory if boots else 48)
        if not boots:
            xml = xml[:xml.index('<kernel>')] + xml[xml.index('</cmdline>') + len('</cmdline>'):]
        self.dom = self.conn.defineXML(xml.replace('<vcpu>', extra + '<vcpu>'))

    def ask(self, command: str) -> str:
        shell = Console(ET.fromstring(self.dom.XMLDesc()).find('devices/serial/source').get('path'))
        try:
            return shell.run(command).strip()
        finally:
            shell.close()

    def boot(self) -> None:
        self.dom.create()
        shell = Console(ET.fromstring(self.dom.XMLDesc()).find('devices/serial/source').get('path'))
        shell.prepare()
        shell.close()

    def snap(self, name: str) -> Path:
        path = self.lab.images / f'{name}.mem'
        self.dom.snapshotCreateXML(f"<domainsnapshot><name>{name}</name>"
                                   f"<memory snapshot='external' file='{path}'/></domainsnapshot>", 0)
        return path

    def revert(self, name: str, flags: int = 0) -> None:
        self.dom.revertToSnapshot(self.dom.snapshotLookupByName(name), flags)

    def is_mapped(self) -> bool:
        [pid] = [pid for _, pid in self.lab.emulator_list()]
        return '.mem.map/ram-0' in (Path('/proc') / str(pid) / 'maps').read_text()


def cache(image: Path) -> Path:
    return image.with_name(image.name + '.map')


def wait_cache(image: Path) -> None:
    wait_for(lambda: (cache(image) / 'id').exists(), what=f'the cache of {image.name}')


def test_guest_goes_on_from_the_snapshot_mapped_and_streamed(lab):
    guest = Guest(lab)
    guest.boot()
    guest.ask('N=1; head -c 3000000 /dev/urandom > /var/big; S=$(md5sum < /var/big)')
    image = guest.snap('one')
    guest.ask('N=2; head -c 3000000 /dev/urandom > /var/big')
    wait_cache(image)
    same = 'echo $N; [ "$(md5sum < /var/big)" = "$S" ] && echo same'
    for attempt in range(2):
        guest.revert('one')
        assert guest.is_mapped()
        assert guest.ask(same).split() == ['1', 'same']
        guest.ask('N=3; head -c 3000000 /dev/zero > /var/big')
    # The RAM file was not written to: a guest that has it mapped can be snapshotted, and that one be reverted to, too.
    guest.ask('N=4; head -c 3000000 /dev/urandom > /var/big; S=$(md5sum < /var/big)')
    second = guest.snap('two')
    wait_cache(second)
    guest.revert('two')
    assert guest.is_mapped() and guest.ask(same).split() == ['4', 'same']
    # Without its cache an image is loaded as a stream, and the cache made anew.
    shutil.rmtree(cache(image))
    guest.revert('one')
    assert not guest.is_mapped() and guest.ask(same).split() == ['1', 'same']
    wait_cache(image)
    # The image is an ordinary one.
    guest.dom.destroy()
    guest.conn.restore(str(image))
    assert guest.ask(same).split() == ['1', 'same']


def test_cache_of_another_image_is_not_used(lab):
    guest = Guest(lab, boots=False)
    guest.dom.create()
    first, second = guest.snap('one'), guest.snap('two')
    wait_cache(first), wait_cache(second)
    shutil.rmtree(cache(first))
    shutil.copytree(cache(second), cache(first))
    guest.revert('one')
    assert not guest.is_mapped()
    wait_for(lambda: (cache(first) / 'id').exists() and
             (cache(first) / 'id').read_text() != (cache(second) / 'id').read_text(), what='a cache of its own')
    guest.revert('one')
    assert guest.is_mapped()


def test_cache_that_does_not_load_gives_way_to_the_image(lab):
    guest = Guest(lab, boots=False)
    guest.dom.create()
    image = guest.snap('one')
    wait_cache(image)
    state = cache(image) / 'state'
    state.write_bytes(b'\0' * state.stat().st_size)
    guest.revert('one')
    assert guest.dom.state()[0] == RUNNING and not guest.is_mapped()
    wait_cache(image)
    guest.revert('one')
    assert guest.is_mapped()


def test_cache_goes_with_its_snapshot(lab):
    guest = Guest(lab, boots=False)
    guest.dom.create()
    first, second = guest.snap('one'), guest.snap('two')
    wait_cache(first), wait_cache(second)
    guest.revert('two')
    guest.dom.snapshotLookupByName('two').delete()
    assert not second.exists() and not cache(second).exists()
    assert guest.dom.state()[0] == RUNNING  # it has the file mapped, and keeps it
    guest.dom.suspend(), guest.dom.resume()
    guest.dom.snapshotLookupByName('one').delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    assert first.exists() and not cache(first).exists()


def test_unfinished_cache_is_finished_by_the_next_daemon(lab):
    faults = lab.dir / 'faults'
    faults.mkdir()
    lab.stop()
    lab.env['MANIFOLD_TEST_FAULTS'] = str(faults)
    for point in ('folder', 'split', 'sync', 'id'):
        lab.start()
        (faults / 'armed').write_text(f'memory-cache/{point} kill\n')
        if point == 'folder':
            guest = Guest(lab, boots=False)
            guest.dom.create()
        else:
            guest.conn = lab.conn()
            guest.dom = guest.conn.lookupByName('g')
        image = lab.images / f'{point}.mem'
        try:
            guest.snap(point)
        except libvirt.libvirtError:
            pass
        lab.daemon.wait(30)
        lab.daemon = None
        assert not (cache(image) / 'id').exists()
        (faults / 'armed').write_text('')
        lab.start()
        guest.conn = lab.conn()
        guest.dom = guest.conn.lookupByName('g')
        if point == 'folder':
            guest.revert(point)  # nothing was begun: a stream makes it
        wait_cache(image)
        guest.revert(point)
        assert guest.is_mapped()
        lab.stop()
    lab.start()


def test_caches_can_be_turned_off(lab):
    lab.stop()
    (lab.dir / 'etc/qemu.conf').write_text('snapshot_memory_map = 0\n')
    lab.start()
    guest = Guest(lab, boots=False)
    guest.dom.create()
    image = guest.snap('one')
    guest.revert('one')
    assert not guest.is_mapped() and not cache(image).exists()
