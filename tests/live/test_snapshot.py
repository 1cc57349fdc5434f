# SPDX-License-Identifier: LGPL-2.1-or-later
"""External snapshots of real guests: trees, reverts to every node in every run state, deletions, and what stays on disk.

Guests without an operating system serve where only images matter: the host writes patterns into their disks while they
are off and reads them back through QEMU's own tools. Where memory matters a Linux is booted and asked over its serial port.
"""
import os
import re
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Console, Lab, become_subreaper, wait_for

DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
RUN = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
PAUSE = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
RUNNING, PAUSED, OFF = libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_SHUTOFF


@pytest.fixture
def lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


class Guest:
    """A domain with three disks, each of which gets a pattern of its own for every state that is written."""

    def __init__(self, lab: Lab, name: str = 'g', disks: int = 3, boots: bool = False, form: str = 'qcow2') -> None:
        self.lab = lab
        self.conn = lab.conn()
        self.form = form
        self.paths = [lab.disk(f'{name}{i}.img', form=form) for i in range(disks)]
        xml = lab.guest_xml(name, self.paths, form=form)
        if not boots:
            xml = re.sub('<kernel>.*</cmdline>', '', xml)
            xml = xml.replace("<memory unit='MiB'>128", "<memory unit='MiB'>32")
        self.dom = self.conn.defineXML(xml)

    def tops(self, flags: int = 0) -> list[tuple[str, str]]:
        return [(d.find('source').get('file'), d.find('driver').get('type'))
                for d in ET.fromstring(self.dom.XMLDesc(flags)).findall('devices/disk')]

    def write(self, value: int) -> None:
        for i, (path, form) in enumerate(self.tops()):
            subprocess.run(['qemu-io', '-f', form, '-c', f'write -P {value * 3 + i} 0 64k', path], check=True,
                           capture_output=True)

    def read(self) -> list[int]:
        return [self.read_image(path, form) - i for i, (path, form) in enumerate(self.tops())]

    @staticmethod
    def read_image(path: str, form: str) -> int:
        done = subprocess.run(['qemu-io', '-f', form, '-r', '-U', '-c', 'read -v 0 1', path], check=True,
                              capture_output=True, text=True)
        return int(done.stdout.split()[1], 16)

    def holds(self, value: int) -> bool:
        return self.read() == [value * 3] * len(self.paths)

    def snap(self, name: str, flags: int = DISK_ONLY, memory: bool = False, body: str = ''):
        if memory:
            body += f"<memory snapshot='external' file='{self.lab.images}/{name}.mem'/>"
            flags &= ~DISK_ONLY
        return self.dom.snapshotCreateXML(f'<domainsnapshot><name>{name}</name>{body}</domainsnapshot>', flags)

    def revert(self, name: str, flags: int = 0) -> None:
        self.dom.revertToSnapshot(self.dom.snapshotLookupByName(name), flags)

    def delete(self, name: str, flags: int = 0) -> None:
        self.dom.snapshotLookupByName(name).delete(flags)

    def bring(self, state: int) -> None:
        now = self.dom.state()[0]
        if now != OFF:
            self.dom.destroy()
        if state == RUNNING:
            self.dom.create()
        elif state == PAUSED:
            self.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

    def console(self) -> Console:
        return Console(ET.fromstring(self.dom.XMLDesc()).find('devices/serial/source').get('path'))

    def files(self) -> set[str]:
        """Without what is derived and comes and goes by itself."""
        return {name for name in os.listdir(self.lab.images) if not name.endswith('.map')}

    def tree(self) -> dict[str, str | None]:
        return {s.getName(): ET.fromstring(s.getXMLDesc()).findtext('parent/name') for s in self.dom.listAllSnapshots()}


def build_tree(guest: Guest) -> dict[str, int]:
    """Two branches below s1; every kind of snapshot. Returns what each one keeps."""
    kept = {}

    def take(name: str, value: int, state: int, memory: bool = False) -> None:
        guest.bring(OFF)
        guest.write(value)
        guest.bring(state)
        guest.snap(name, memory=memory)
        kept[name] = value

    take('s1', 1, OFF)
    take('s2', 2, RUNNING)
    take('s3', 3, RUNNING, memory=True)
    guest.revert('s1')
    take('s4', 4, OFF)
    take('s5', 5, PAUSED)
    take('s6', 6, PAUSED, memory=True)
    guest.bring(OFF)
    guest.write(7)
    return kept


def test_tree_of_two_branches_is_reverted_to_each_node_in_each_run_state(lab):
    guest = Guest(lab)
    kept = build_tree(guest)
    assert guest.tree() == {'s1': None, 's2': 's1', 's3': 's2', 's4': 's1', 's5': 's4', 's6': 's5'}
    natural = {'s1': OFF, 's2': OFF, 's3': RUNNING, 's4': OFF, 's5': OFF, 's6': PAUSED}
    lasting = guest.files() - {os.path.basename(path) for path, _ in guest.tops()}
    assert len(lasting) == 3 * 6 + 2 # an image of each disk for each snapshot, and two memories
    value = 10
    for start in (OFF, RUNNING, PAUSED):
        for flags, wanted in ((0, None), (RUN, RUNNING), (PAUSE, PAUSED)):
            for name in kept:
                guest.bring(OFF)
                guest.write(value)
                guest.bring(start)
                guest.revert(name, flags)
                what = f'{start} -> {name} ({flags})'
                assert guest.dom.state()[0] == (wanted or natural[name]), what
                assert guest.holds(kept[name]), what
                assert guest.dom.snapshotCurrent().getName() == name, what
                tops = {os.path.basename(path) for path, _ in guest.tops()}
                assert guest.tops(libvirt.VIR_DOMAIN_XML_INACTIVE) == guest.tops(), what
                assert len(tops) == 3 and all(top.endswith('.qcow2') for top in tops), what
                assert guest.files() == lasting | tops, what
                value += 1
    for name, value in kept.items():
        for i, source in enumerate(ET.fromstring(guest.dom.snapshotLookupByName(name).getXMLDesc()).findall(
                'domain/devices/disk/source')):
            assert Guest.read_image(source.get('file'), 'qcow2') == value * 3 + i, name


def test_memory_comes_back_with_the_disks(lab):
    guest = Guest(lab, boots=True)
    guest.dom.create()
    console = guest.console()
    console.prepare()

    def write(value: int) -> None:
        for disk in 'abc':
            console.run(f'printf "%-512s" "v{value}{disk}" | dd of=/dev/vd{disk} bs=512 conv=fsync 2>/dev/null; M={value}')

    def look() -> list[str]:
        return [console.run(f'dd if=/dev/vd{d} bs=512 count=1 iflag=direct 2>/dev/null | tr -d " "').strip()
                for d in 'abc'] + [console.run('echo $M').strip()]

    def want(value: int) -> list[str]:
        return [f'v{value}{d}' for d in 'abc'] + [str(value)]

    write(1)
    guest.snap('m1', memory=True)
    assert guest.dom.state()[0] == RUNNING
    write(2)
    guest.snap('m2', memory=True)
    write(3)
    assert look() == want(3)
    for name, value in (('m1', 1), ('m2', 2), ('m1', 1)):
        guest.revert(name)
        assert guest.dom.state()[0] == RUNNING
        console.close()
        console = guest.console()
        assert look() == want(value), name
        write(9)
    guest.revert('m2', PAUSE)
    assert guest.dom.state()[0] == PAUSED
    guest.dom.resume()
    console.close()
    console = guest.console()
    assert look() == want(2)
    console.close()


def test_guest_writes_on_while_its_snapshots_are_taken_and_deleted(lab):
    guest = Guest(lab, disks=1, boots=True)
    guest.dom.create()
    console = guest.console()
    console.prepare()
    console.run('n=0; (while [ ! -e /stop ]; do n=$((n+1)); printf "%-512s" $n | dd of=/dev/vda bs=512 seek=$((n % 8)) conv=fsync; '
                'done) >/dev/null 2>&1 & true')

    def numbers() -> list[int]:
        return [int('0' + console.run(f'dd if=/dev/vda bs=512 skip={i} count=1 iflag=direct 2>/dev/null | tr -d " \\000"').strip().rpartition('\n')[2])
                for i in range(8)]

    wait_for(lambda: min(numbers()) > 0, what='the first writes')
    for name in ('a', 'b', 'c', 'd'):
        guest.snap(name)
    for name in ('b', 'd', 'a', 'c'):
        guest.delete(name)
        assert guest.dom.state()[0] == RUNNING
    last = max(numbers())
    wait_for(lambda: max(numbers()) > last, what='another write')
    console.run(': > /stop; wait; sync')
    found = numbers()
    assert sorted(found) == list(range(max(found) - 7, max(found) + 1))
    assert guest.files() == {'g0.img'}
    assert guest.tops() == [(str(guest.paths[0]), 'qcow2')]
    console.close()


@pytest.mark.parametrize('state', (OFF, RUNNING, PAUSED))
@pytest.mark.parametrize('order', (('s1', 's2', 's3'), ('s3', 's2', 's1'), ('s2', 's1', 's3')))
def test_chain_is_deleted_in_any_order_and_contents_stay(lab, state, order):
    guest = Guest(lab)
    for i, name in enumerate(('s1', 's2', 's3')):
        guest.write(i + 1)
        guest.snap(name)
    guest.write(4)
    guest.bring(state)
    for name in order:
        guest.delete(name)
        assert guest.holds(4), name
    assert guest.files() == {'g0.img', 'g1.img', 'g2.img'}
    assert guest.tops() == [(str(path), 'qcow2') for path in guest.paths]
    assert guest.tree() == {}
    guest.bring(OFF)
    assert guest.holds(4)


def test_last_snapshot_over_a_raw_disk_leaves_it_raw(lab):
    guest = Guest(lab, form='raw')
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    guest.delete('s1')
    assert guest.tops() == [(str(path), 'raw') for path in guest.paths]
    assert guest.holds(2)
    assert guest.files() == {'g0.img', 'g1.img', 'g2.img'}


@pytest.mark.parametrize('state', (OFF, RUNNING))
def test_nodes_of_a_branching_tree_are_deleted_one_after_the_other(lab, state):
    for order in (('s1', 's2', 's3', 's4', 's5', 's6'), ('s3', 's5', 's1', 's6', 's2', 's4'), ('s4', 's1', 's2', 's5', 's3', 's6')):
        guest = Guest(lab)
        kept = build_tree(guest)
        guest.bring(state)
        for name in order:
            guest.delete(name)
            del kept[name]
            assert guest.holds(7), (order, name)
            assert set(guest.tree()) == set(kept)
            for other, value in kept.items():
                for i, source in enumerate(ET.fromstring(guest.dom.snapshotLookupByName(other).getXMLDesc()).findall(
                        'domain/devices/disk/source')):
                    assert Guest.read_image(source.get('file'), 'qcow2') == value * 3 + i, (order, name, other)
        assert guest.files() == {'g0.img', 'g1.img', 'g2.img'}
        guest.bring(OFF)
        assert guest.holds(7)
        guest.dom.undefine()
        for path in guest.paths:
            path.unlink()


def test_children_go_with_or_without_their_parent(lab):
    guest = Guest(lab)
    kept = build_tree(guest)
    guest.delete('s4', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY)
    assert guest.tree() == {'s1': None, 's2': 's1', 's3': 's2', 's4': 's1'}
    assert guest.holds(7)
    guest.delete('s2', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN)
    assert guest.tree() == {'s1': None, 's4': 's1'}
    assert guest.holds(7)
    guest.revert('s4')
    assert guest.holds(kept['s4'])
    guest.delete('s1', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN)
    assert guest.holds(kept['s4'])
    assert guest.files() == {'g0.img', 'g1.img', 'g2.img'}


def test_snapshot_of_some_disks_keeps_the_images_of_others(lab):
    """The case in which upstream removes an original image."""
    guest = Guest(lab, disks=2)
    guest.write(1)
    guest.snap('s1', body="<disks><disk name='vda'/><disk name='vdb' snapshot='no'/></disks>")
    guest.write(2)
    guest.snap('s2')
    guest.write(3)
    guest.revert('s1')
    assert [value for value in guest.read()] == [3, 6]
    guest.delete('s2')
    assert [value for value in guest.read()] == [3, 6]
    guest.dom.create()
    guest.dom.destroy()
    guest.delete('s1')
    assert [value for value in guest.read()] == [3, 6]


def test_failed_start_of_the_new_state_leaves_the_old_guest_running(lab):
    guest = Guest(lab)
    guest.write(1)
    guest.bring(RUNNING)
    guest.snap('m1', memory=True)
    memory = Path(lab.images / 'm1.mem')
    good = memory.read_bytes()
    memory.write_bytes(good[:-len(good) // 2])
    before, files, pid = guest.tops(), guest.files(), lab.emulators()['g']
    with pytest.raises(libvirt.libvirtError):
        guest.revert('m1')
    assert guest.dom.state()[0] == RUNNING
    assert lab.emulators() == {'g': pid}
    assert guest.tops() == before and guest.files() == files
    memory.write_bytes(good)
    guest.revert('m1')
    assert guest.dom.state()[0] == RUNNING and guest.holds(1)


def test_images_of_the_user_are_reused_and_never_removed(lab):
    guest = Guest(lab, disks=1)
    mine = lab.images / 'mine.qcow2'
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', str(guest.paths[0]), '-F', 'qcow2', str(mine)], check=True)
    body = f"<disks><disk name='vda'><source file='{mine}'/></disk></disks>"
    with pytest.raises(libvirt.libvirtError, match='already exists'):
        guest.snap('s1', body=body)
    guest.snap('s1', DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT, body=body)
    assert guest.tops() == [(str(mine), 'qcow2')]
    guest.revert('s1')
    assert mine.name in guest.files()
    guest.delete('s1')
    assert mine.name in guest.files()


def test_snapshot_without_metadata_moves_the_disks_only(lab):
    guest = Guest(lab)
    guest.write(1)
    guest.snap('x', DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
    assert guest.tree() == {}
    assert [os.path.basename(path) for path, _ in guest.tops()] == ['g0.x', 'g1.x', 'g2.x']
    assert guest.holds(1)


def test_halt_ends_the_guest_at_the_snapshot(lab):
    guest = Guest(lab)
    guest.write(1)
    guest.bring(RUNNING)
    guest.snap('s1', DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_HALT)
    assert guest.dom.state()[0] == OFF
    assert guest.holds(1)


def test_new_names_keep_the_ending_and_are_never_used_twice(lab):
    guest = Guest(lab, disks=1)
    guest.snap('s1')
    seen = set()
    for _ in range(4):
        guest.revert('s1')
        path = guest.tops()[0][0]
        assert path.endswith('.qcow2') and path not in seen
        seen.add(path)
    lab.restart()
    guest = lab.conn().lookupByName('g')
    guest.revertToSnapshot(guest.snapshotLookupByName('s1'))
    assert ET.fromstring(guest.XMLDesc()).find('devices/disk/source').get('file') not in seen


def test_metadata_survives_restarts_and_round_trips(lab):
    guest = Guest(lab)
    build_tree(guest)
    before = {s.getName(): s.getXMLDesc() for s in guest.dom.listAllSnapshots()}
    lab.restart()
    guest.conn = lab.conn()
    guest.dom = guest.conn.lookupByName('g')
    assert {s.getName(): s.getXMLDesc() for s in guest.dom.listAllSnapshots()} == before
    guest.delete('s1', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN | libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    assert guest.tree() == {}
    for name in sorted(before):
        guest.dom.snapshotCreateXML(before[name], libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    assert {s.getName(): s.getXMLDesc() for s in guest.dom.listAllSnapshots()} == before
    guest.revert('s4')
    assert guest.holds(4)


def test_undefine_refuses_and_then_forgets_snapshots(lab):
    guest = Guest(lab)
    guest.snap('s1')
    with pytest.raises(libvirt.libvirtError, match='snapshots'):
        guest.dom.undefine()
    guest.dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    assert guest.files() == {f'g{i}.{end}' for i in range(3) for end in ('img', 's1')}
    assert not [f for f in (lab.dir / 'lib/qemu/snapshot').rglob('*') if f.is_file()]
    assert not list((lab.dir / 'lib/qemu/images').iterdir())


def test_disk_that_was_left_out_goes_on_from_its_present_image(lab):
    """Its image is the one that the running guest writes to, so the old emulator has to end first."""
    guest = Guest(lab, disks=2)
    guest.write(1)
    guest.snap('s1', body="<disks><disk name='vda'/><disk name='vdb' snapshot='no'/></disks>")
    guest.write(2)
    guest.bring(RUNNING)
    old = lab.emulators()['g']
    guest.revert('s1', RUN)
    assert guest.dom.state()[0] == RUNNING
    assert lab.emulator_list() != [('g', old)] and len(lab.emulator_list()) == 1
    assert guest.read() == [3, 6]
    tops = [os.path.basename(path) for path, _ in guest.tops()]
    assert tops == ['g0.r1.qcow2', 'g1.r1.qcow2']


def test_disks_on_block_devices_are_snapshotted_and_reverted(lab):
    image = lab.images / 'block.raw'
    image.write_bytes(bytes(8 << 20))
    attached = subprocess.run(['losetup', '--show', '-f', str(image)], capture_output=True, text=True)
    if attached.returncode:
        pytest.skip('no loop device')
    device = attached.stdout.strip()
    try:
        guest = Guest(lab, disks=1, form='raw')
        xml = guest.dom.XMLDesc().replace("type='file' device='disk'", "type='block' device='disk'").replace(
            f"file='{guest.paths[0]}'", f"dev='{device}'")
        guest.dom = guest.conn.defineXML(xml)
        subprocess.run(['qemu-io', '-f', 'raw', '-c', 'write -P 3 0 64k', device], check=True, capture_output=True)
        with pytest.raises(libvirt.libvirtError, match='not a regular file'):
            guest.snap('s0')
        guest.snap('s1', body=f"<disks><disk name='vda'><source file='{lab.images}/over.qcow2'/></disk></disks>")
        guest.bring(RUNNING)
        guest.revert('s1', RUN)
        top = guest.tops()[0][0]
        assert top == str(lab.images / f'{os.path.basename(device)}.r1.qcow2')
        assert guest.read_image(top, 'qcow2') == 3
        guest.delete('s1')
        guest.bring(OFF)
        disk = ET.fromstring(guest.dom.XMLDesc()).find('devices/disk')
        assert disk.get('type') == 'block' and disk.find('source').get('dev') == device
        assert disk.find('driver').get('type') == 'raw'
    finally:
        subprocess.run(['losetup', '-d', device], check=False)


def test_images_that_differ_only_after_the_last_dot_get_names_of_their_own(lab):
    """disk.0 and disk.1 in one folder."""
    guest = Guest(lab, disks=2)
    for i, path in enumerate(guest.paths):
        path.rename(lab.images / f'disk.{i}')
    xml = guest.dom.XMLDesc()
    for i, path in enumerate(guest.paths):
        xml = xml.replace(str(path), str(lab.images / f'disk.{i}'))
    guest.dom = guest.conn.defineXML(xml)
    guest.write(1)
    guest.snap('s1')
    assert [os.path.basename(path) for path, _ in guest.tops()] == ['disk.s1', 'disk.1.s1']
    guest.write(2)
    guest.revert('s1')
    assert [os.path.basename(path) for path, _ in guest.tops()] == ['disk.r1.qcow2', 'disk.r2.qcow2']
    assert guest.read() == [3, 3]


def test_transient_guest_is_snapshotted_and_reverted_while_it_runs(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    xml = guest.dom.XMLDesc()
    guest.dom.undefine()
    guest.dom = guest.conn.createXML(xml)
    guest.snap('s1')
    with pytest.raises(libvirt.libvirtError, match='transient'):
        guest.revert('s1')
    guest.revert('s1', RUN)
    assert guest.dom.state()[0] == RUNNING and not guest.dom.isPersistent()
    assert guest.holds(1)
    guest.dom.destroy()
    assert not [f for f in (lab.dir / 'lib/qemu/snapshot').rglob('*') if f.is_file()]


@pytest.fixture
def small_lab():
    """A lab whose images lie on a file system of 24 MiB."""
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    tmp_path = Path(tempfile.mkdtemp(prefix='small-lab-'))
    (tmp_path / 'images').mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=24m', 'none', str(tmp_path / 'images')], check=False).returncode:
        pytest.skip('cannot mount')
    try:
        with Lab(tmp_path) as lab:
            yield lab
    finally:
        subprocess.run(['umount', '-l', str(tmp_path / 'images')], check=False)
        shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize('state', (OFF, RUNNING))
def test_full_disk_leaves_everything_as_it_was(small_lab, state):
    guest = Guest(small_lab, disks=2)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    guest.bring(state)
    ballast = small_lab.images / 'ballast'
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, bytes(4096))
    except OSError:
        os.close(file)
    before, files = guest.tops(), guest.files()
    for attempt in (lambda: guest.snap('s2'), lambda: guest.snap('m', memory=True), lambda: guest.revert('s1'),
                    lambda: guest.revert('s1', RUN)):
        with pytest.raises(libvirt.libvirtError):
            attempt()
        assert guest.dom.state()[0] == state
        assert guest.tops() == before and guest.files() == files
        assert guest.tree() == {'s1': None} and guest.holds(2)
        assert not os.listdir(small_lab.dir / 'lib/qemu/journal')
    ballast.unlink()
    guest.snap('s2')
    guest.revert('s1')
    assert guest.holds(1)
