# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots inside qcow2 images: off and running, there and back, all disks or none, and beside external ones.

The guests are those of test_snapshot.py: without an operating system where only images matter, a Linux where memory does.
"""
import os
import subprocess
import xml.etree.ElementTree as ET
from contextlib import suppress

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import wait_for
from test_snapshot import DISK_ONLY, OFF, PAUSE, PAUSED, RUN, RUNNING, Guest, lab  # noqa: F401


def tags(guest: Guest, name: str) -> list[bool]:
    """Which of its present images hold a snapshot of that name?"""
    return [name in subprocess.run(['qemu-img', 'snapshot', '-U', '-l', path], check=True, capture_output=True,
                                   text=True).stdout.split() for path, _ in guest.tops()]


def clean(guest: Guest) -> bool:
    return all(subprocess.run(['qemu-img', 'check', '-q', '-U', path]).returncode == 0 for path, _ in guest.tops())


def refused(call, code: int, *words: str) -> None:
    with pytest.raises(libvirt.libvirtError) as caught:
        call()
    assert caught.value.get_error_code() == code, caught.value
    for word in words:
        assert word in str(caught.value)


def test_off_and_back_in_every_disk(lab):
    guest = Guest(lab)
    for value in (1, 2, 3):
        guest.write(value)
        guest.snap(f's{value}', 0)
    assert guest.tree() == {'s1': None, 's2': 's1', 's3': 's2'}
    guest.write(4)
    for value in (2, 1, 3):
        guest.revert(f's{value}')
        assert guest.holds(value) and guest.dom.state()[0] == OFF
    guest.revert('s1', RUN)
    assert guest.dom.state()[0] == RUNNING
    guest.revert('s2', PAUSE)
    assert guest.dom.state()[0] == PAUSED
    guest.bring(OFF)
    assert guest.holds(2)
    guest.delete('s2')
    assert tags(guest, 's2') == [False] * 3 and tags(guest, 's3') == [True] * 3
    assert guest.tree() == {'s1': None, 's3': 's1'}
    guest.delete('s1', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN)
    assert not any(tags(guest, 's1') + tags(guest, 's3')) and clean(guest)
    assert guest.holds(2)


def test_memory_comes_back_with_the_disks(lab):
    guest = Guest(lab, disks=2, boots=True)
    guest.dom.create()
    console = guest.console()
    console.prepare()
    console.run('echo then > /when; echo disk-then | dd of=/dev/vda bs=512 count=1 conv=sync,fsync 2>/dev/null')
    guest.snap('s1', 0)
    assert guest.dom.state()[0] == RUNNING
    snapshot = ET.fromstring(guest.dom.snapshotLookupByName('s1').getXMLDesc())
    assert snapshot.find('memory').get('snapshot') == 'internal' and snapshot.findtext('state') == 'running'
    console.run('echo now > /when; echo disk-now | dd of=/dev/vda bs=512 count=1 conv=sync,fsync 2>/dev/null')
    console.close()
    guest.revert('s1')
    assert guest.dom.state()[0] == RUNNING
    console = guest.console()
    assert console.run('cat /when').strip() == 'then'
    assert 'disk-then' in console.run('dd if=/dev/vda bs=512 count=1 iflag=direct 2>/dev/null | head -c 9')
    console.close()
    guest.bring(OFF)
    guest.revert('s1', PAUSE)
    assert guest.dom.state()[0] == PAUSED
    guest.delete('s1')
    assert tags(guest, 's1') == [False] * 2 and guest.dom.snapshotNum() == 0
    guest.dom.resume()
    guest.bring(OFF)
    assert clean(guest)


def test_a_paused_guest_stays_paused_and_halt_ends_it(lab):
    guest = Guest(lab, disks=1)
    guest.bring(PAUSED)
    guest.snap('s1', 0)
    assert guest.dom.state()[0] == PAUSED
    guest.dom.resume()
    guest.snap('s2', libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT)
    assert guest.dom.state()[0] == OFF and tags(guest, 's2') == [True]
    guest.revert('s2')
    assert guest.dom.state()[0] == RUNNING
    guest.revert('s1')
    assert guest.dom.state()[0] == PAUSED


def test_what_cannot_be_is_refused_by_name(lab):
    raw = Guest(lab, 'r', disks=1, form='raw')
    refused(lambda: raw.snap('s', 0), libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
            'internal snapshot for disk vda unsupported for storage type raw')
    raw.bring(RUNNING)
    refused(lambda: raw.snap('s', 0), libvirt.VIR_ERR_CONFIG_UNSUPPORTED, 'vda', 'raw')
    raw.bring(OFF)
    guest = Guest(lab, disks=2)
    mixed = ("<disks><disk name='vda' snapshot='internal'/><disk name='vdb' snapshot='external'/></disks>")
    refused(lambda: guest.snap('s', 0, body=mixed), libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
    subprocess.run(['qemu-img', 'snapshot', '-c', 'mine', guest.paths[1]], check=True)
    refused(lambda: guest.snap('mine', 0), libvirt.VIR_ERR_OPERATION_INVALID, str(guest.paths[1]), 'mine')
    assert tags(guest, 'mine') == [False, True] and guest.dom.snapshotNum() == 0
    guest.snap('s1', 0)
    subprocess.run(['qemu-img', 'snapshot', '-d', 's1', guest.paths[1]], check=True)
    refused(lambda: guest.revert('s1'), libvirt.VIR_ERR_OPERATION_FAILED, 'vdb', str(guest.paths[1]))


def test_external_above_internal_keeps_both(lab):
    guest = Guest(lab, disks=2)
    guest.write(1)
    guest.snap('in1', 0)
    guest.write(2)
    guest.snap('ex1')
    guest.write(3)
    guest.snap('in2', 0)
    guest.write(4)
    refused(lambda: guest.revert('in1'), libvirt.VIR_ERR_OPERATION_UNSUPPORTED, str(guest.paths[0]), 'ex1', 'vda')
    overlays = [path for path, _ in guest.tops()]
    guest.revert('ex1')
    assert guest.holds(2) and all(os.path.exists(path) for path in overlays)
    guest.revert('in2')
    assert guest.holds(3) and [path for path, _ in guest.tops()] == overlays
    guest.delete('ex1')
    assert guest.holds(3) and all(os.path.exists(path) for path in overlays + list(map(str, guest.paths)))
    guest.revert('in2')
    assert guest.holds(3)
    guest.delete('in2')
    guest.delete('in1')
    assert guest.holds(3) and guest.dom.snapshotNum() == 0 and clean(guest)


def test_internal_above_external_goes_with_its_branch_only(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    guest.snap('ex1')
    guest.write(2)
    guest.snap('in1', 0)
    guest.write(3)
    guest.delete('in1')
    guest.revert('ex1')
    assert guest.holds(1) and len(guest.files()) == 2
    guest.write(5)
    guest.snap('in2', 0)
    guest.delete('in2', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    top = guest.tops()[0][0]
    guest.revert('ex1')
    assert guest.holds(1) and os.path.exists(top)  # it holds a snapshot that nobody here knows


def test_redefined_metadata_and_filters(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    snapshot = guest.snap('s1', 0)
    xml = snapshot.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
    guest.delete('s1', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    assert guest.dom.snapshotNum() == 0 and tags(guest, 's1') == [True]
    guest.write(2)
    guest.dom.snapshotCreateXML(xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    guest.revert('s1')
    assert guest.holds(1)
    guest.bring(PAUSED)
    guest.snap('s2', 0)
    guest.bring(OFF)
    guest.snap('e1')

    def names(flag: int) -> list[str]:
        return sorted(s.getName() for s in guest.dom.listAllSnapshots(flag))

    assert names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL) == ['s1', 's2']
    assert names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL) == ['e1']
    assert names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE) == ['s2']
    assert names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE) == ['e1', 's1']
    assert names(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY) == []


@pytest.mark.parametrize('point', ['inside/image-1', 'commit/before', 'commit/after', 'adopt', 'install'])
def test_create_killed_is_all_or_none(lab, point):
    faults = lab.dir / 'faults'
    faults.mkdir()
    lab.stop()
    lab.env['MANIFOLD_TEST_FAULTS'] = str(faults)
    lab.start()
    guest = Guest(lab)
    guest.write(1)
    (faults / 'armed').write_text(f'snapshot-create/{point} kill\n')
    with suppress(libvirt.libvirtError):  # once it is decided the call has its answer before the files are written
        guest.snap('s1', 0)
    wait_for(lambda: lab.daemon.poll() is not None, what='the kill')
    (faults / 'armed').unlink()
    lab.start()
    guest.dom = lab.conn().lookupByName('g')
    there = guest.dom.snapshotNum() == 1
    assert tags(guest, 's1') == [there] * 3 and guest.holds(1) and clean(guest)
    if not there:
        guest.snap('s1', 0)
    guest.write(2)
    guest.revert('s1')
    assert guest.holds(1)
