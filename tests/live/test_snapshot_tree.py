# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only we do with snapshot trees: plans before the deed, undo, clones, repairs, and reverts in the hard cases.

Guests without an operating system serve where only images matter (see test_snapshot.py, whose Guest is used here).
"""
import ctypes
import json
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import CLIENT, Lab, wait_for
from test_snapshot import (DISK_ONLY, OFF, PAUSE, PAUSED, RUN, RUNNING, Guest, build_tree,
                           lab)  # noqa: F401


def ours(lab: Lab, *words: str) -> dict:
    return json.loads(lab.virsh(*words, '--json').stdout)


def plan(lab: Lab, *words: str) -> list[dict]:
    return ours(lab, *words, '--dry-run')['steps']


def names(entries: list[dict]) -> set[str]:
    return {os.path.basename(entry['path']) for entry in entries}


def everything(guest: Guest) -> tuple:
    return (guest.files(), guest.tree(), guest.dom.XMLDesc(), guest.dom.state(), [s.getXMLDesc() for s in
            guest.dom.listAllSnapshots()])


# ---- plans ----

@pytest.mark.parametrize('state', (OFF, RUNNING))
def test_dry_runs_change_nothing_and_tell_what_then_happens(lab, state):
    guest = Guest(lab)
    build_tree(guest)
    guest.bring(state)

    def check(words: tuple[str, ...]) -> list[dict]:
        before = everything(guest)
        steps = plan(lab, *words)
        assert everything(guest) == before, words
        lab.virsh(*words)
        made = set().union(*(names(step['make']) for step in steps))
        gone = set().union(*(names(step['remove']) for step in steps))
        assert guest.files() == (before[0] | made) - gone, (words, steps)
        return steps

    check(('snapshot-create-as', 'g', 'new', '--disk-only'))
    step, = check(('snapshot-revert', 'g', 's2', '--running'))
    assert step['way'] == ('staged' if state == RUNNING else 'offline') and step['guest']['after'] == 'running'
    assert {entry['what'] for entry in step['make']} == {'disk vda', 'disk vdb', 'disk vdc'}
    step, = check(('snapshot-revert', 'g', 's6'))
    assert step['guest']['after'] == 'paused' and step['bytes_to_copy'] > 0
    guest.bring(state)
    step, = check(('snapshot-delete', 'g', 's5'))
    assert step['merge'] and step['bytes_to_copy'] == sum(merge['bytes'] for merge in step['merge'])
    steps = plan(lab, 'snapshot-delete', 'g', 's1', '--children')
    assert [step['snapshot'] for step in steps][-1] == 's1' and len(steps) == 6
    assert plan(lab, 'snapshot-delete', 'g', 's1', '--metadata')[0]['merge'] == []


def test_dry_run_is_readable_and_fails_as_the_deed_would(lab):
    guest = Guest(lab, disks=1)
    guest.snap('s1')
    text = lab.virsh('snapshot-revert', 'g', 's1', '--dry-run').stdout
    assert f'{lab.images}/g0.r1.qcow2 (disk vda) on {lab.images}/g0.img' in text and 'remove:' in text
    guest.paths[0].rename(lab.images / 'elsewhere')
    failed = lab.virsh('snapshot-revert', 'g', 's1', '--dry-run', check=False)
    assert failed.returncode and str(guest.paths[0]) in failed.stderr
    assert 'REDEFINE' in lab.virsh('snapshot-create', 'g', '--redefine', '--dry-run', check=False).stderr


def test_plan_says_why_the_guest_has_to_stop_first(lab):
    guest = Guest(lab, disks=1)
    guest.snap('s1', body="<disks><disk name='vda' snapshot='external'/></disks>")
    guest.dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    guest = Guest(lab, disks=2, name='h')
    guest.snap('s1', body="<disks><disk name='vda'/><disk name='vdb' snapshot='no'/></disks>")
    guest.bring(RUNNING)
    step, = plan(lab, 'snapshot-revert', 'h', 's1', '--running')
    assert step['way'] == 'stop-first' and 'vdb' in step['why']


def test_library_of_our_own_is_usable_from_c(lab):
    """Through ctypes: the objects are those of libvirt.so.0."""
    guest = Guest(lab, disks=1)
    guest.snap('s1')
    library = ctypes.CDLL(str(CLIENT / 'libmanifold.so.0'))
    library.manifoldSnapshotPlanRevert.restype = ctypes.c_void_p
    to_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    to_pointer.restype = ctypes.c_void_p
    to_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    owner = guest.dom.snapshotLookupByName('s1')
    snapshot = to_pointer(owner._o, b'virDomainSnapshotPtr')
    text = library.manifoldSnapshotPlanRevert(ctypes.c_void_p(snapshot), None, 0, 0)
    assert json.loads(ctypes.string_at(text))['steps'][0]['operation'] == 'revert'
    assert library.manifoldSnapshotRevert(ctypes.c_void_p(snapshot), None, 0, 0x1000) == -1
    assert library.manifoldSnapshotRevert(ctypes.c_void_p(snapshot), None, 0, 0) == 0


# ---- names of the user's ----

def test_new_images_have_the_names_that_the_user_gives(lab):
    guest = Guest(lab, disks=2)
    guest.write(1)
    guest.snap('s1')
    mine = lab.images / 'mine.qcow2'
    lab.virsh('snapshot-revert', 'g', 's1', '--image', f'vdb={mine}')
    assert [Path(path).name for path, _ in guest.tops()] == ['g0.r1.qcow2', 'mine.qcow2']
    assert guest.holds(1)
    for image, message in ((f'vdb={mine}', 'exists already'), ('vdz=/x/y', 'vdz'), ('vda=rel', 'absolute'),
                           (f'vda={lab.images}/n,vdb={lab.images}/n', 'for another disk'), ('vda', 'TARGET=PATH')):
        before = everything(guest)
        failed = lab.virsh('snapshot-revert', 'g', 's1', '--image', image, check=False)
        assert failed.returncode and message in failed.stderr, failed.stderr
        assert everything(guest) == before
    lab.virsh('snapshot-revert', 'g', 's1')
    assert not mine.exists()


# ---- undo ----

def test_undo_goes_back_to_the_very_images_that_a_revert_left(lab):
    guest = Guest(lab)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    guest.snap('s2')
    guest.write(3)
    before, tops = guest.files(), guest.tops()
    lab.virsh('snapshot-revert', 'g', 's1', '--keep')
    assert guest.holds(1) and before < guest.files()
    assert guest.dom.snapshotCurrent().getName() == 's1'
    step, = plan(lab, 'snapshot-undo', 'g')
    assert names(step['remove']) == guest.files() - before and step['make'] == []
    guest.write(4)
    lab.restart()
    guest.dom = lab.conn().lookupByName('g')
    lab.virsh('snapshot-undo', 'g')
    assert guest.holds(3) and guest.tops() == tops and guest.files() == before
    assert guest.dom.snapshotCurrent().getName() == 's2'
    failed = lab.virsh('snapshot-undo', 'g', check=False)
    assert failed.returncode and 'nothing to undo' in failed.stderr
    guest.revert('s2')
    assert guest.holds(2)


def test_undo_brings_back_the_memory_of_a_running_guest(lab):
    guest = Guest(lab, disks=1, boots=True)
    guest.dom.create()
    console = guest.console()
    console.prepare()
    write = 'printf "%-512s" {0} | dd of=/dev/vda bs=512 conv=fsync 2>/dev/null; M={0}'
    look = 'dd if=/dev/vda bs=512 count=1 iflag=direct 2>/dev/null | tr -d " "; echo "-$M"'
    console.run(write.format('one'))
    guest.snap('m1', memory=True)
    console.run(write.format('two'))
    lab.virsh('snapshot-revert', 'g', 'm1', '--keep=1h')
    console.close()
    console = guest.console()
    assert console.run(look).split() == ['one-one']
    console.run(write.format('three'))
    lab.virsh('snapshot-undo', 'g')
    assert guest.dom.state()[0] == RUNNING
    console.close()
    console = guest.console()
    assert console.run(look).split() == ['two-two']
    console.close()
    assert not list((lab.dir / 'lib/qemu/kept').iterdir())
    lab.virsh('snapshot-revert', 'g', 'm1', '--keep', '--keep-disks')
    assert [path.suffix for path in (lab.dir / 'lib/qemu/kept').iterdir()] == ['.json']


def test_failed_revert_lets_the_guest_run_on_although_its_memory_was_saved(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    guest.bring(RUNNING)
    guest.snap('s1')
    kept = lab.dir / 'lib/qemu/kept'
    kept.rmdir() if kept.exists() else None
    kept.write_text('no folder')
    before = everything(guest)
    failed = lab.virsh('snapshot-revert', 'g', 's1', '--running', '--keep', check=False)
    assert failed.returncode and everything(guest)[:2] == before[:2]
    assert guest.dom.state()[0] == RUNNING
    kept.unlink()
    lab.virsh('snapshot-revert', 'g', 's1', '--running', '--keep')
    assert guest.dom.state()[0] == RUNNING


@pytest.mark.parametrize('restarts', (False, True))
def test_what_a_revert_left_goes_when_its_time_is_over(lab, restarts):
    guest = Guest(lab)
    guest.snap('s1')
    lab.virsh('snapshot-revert', 'g', 's1', '--keep=1')
    lasting = {path.name for path in guest.paths} | {os.path.basename(path) for path, _ in guest.tops()}
    assert guest.files() > lasting
    if restarts:
        lab.restart()
        guest.dom = lab.conn().lookupByName('g')
    wait_for(lambda: guest.files() == lasting, 10, 'the end of what was kept')
    wait_for(lambda: not list((lab.dir / 'lib/qemu/kept').iterdir()), 10, 'the end of its record')
    wait_for(lambda: 'nothing to undo' in lab.virsh('snapshot-undo', 'g', check=False).stderr, 10, 'the job')


def test_what_a_revert_left_is_kept_over_deletions_and_other_reverts(lab):
    guest = Guest(lab, disks=2)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    guest.snap('s2')
    guest.write(3)
    lab.virsh('snapshot-revert', 'g', 's1', '--keep')
    guest.write(4)
    guest.delete('s2')
    assert guest.holds(4)
    guest.revert('s1')
    guest.write(5)
    guest.snap('s3')
    guest.delete('s1')
    assert guest.holds(5)
    lab.virsh('snapshot-undo', 'g')
    assert guest.holds(3)
    assert guest.dom.hasCurrentSnapshot() == 0      # s2 has gone meanwhile
    guest.revert('s3')
    assert guest.holds(5)


def test_only_the_last_state_is_kept_and_undefining_forgets_it(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    lab.virsh('snapshot-revert', 'g', 's1', '--keep')
    guest.write(3)
    lab.virsh('snapshot-revert', 'g', 's1', '--keep')
    assert len(guest.files()) == 3
    lab.virsh('snapshot-undo', 'g')
    assert guest.holds(3) and len(guest.files()) == 2
    lab.virsh('snapshot-revert', 'g', 's1', '--keep')
    top = os.path.basename(guest.tops()[0][0])
    guest.dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    assert guest.files() == {'g0.img', top}
    assert not list((lab.dir / 'lib/qemu/kept').iterdir())


def test_saved_state_is_not_silently_lost_by_keeping_or_undoing(lab):
    guest = Guest(lab, disks=1)
    guest.bring(RUNNING)
    guest.snap('s1')
    lab.virsh('snapshot-revert', 'g', 's1', '--running', '--keep')
    guest.dom.managedSave()
    for words in (('snapshot-revert', 'g', 's1', '--force', '--keep'), ('snapshot-undo', 'g')):
        failed = lab.virsh(*words, check=False)
        assert failed.returncode and 'saved state' in failed.stderr, failed.stderr
    lab.virsh('snapshot-undo', 'g', '--force')
    assert guest.dom.state()[0] == RUNNING and not guest.dom.hasManagedSaveImage()


@pytest.mark.parametrize('time', ('0', '-1', 'x', '5y', '99999999999'))
def test_nonsense_of_a_time_is_refused(lab, time):
    guest = Guest(lab, disks=1)
    guest.snap('s1')
    assert 'is no time' in lab.virsh('snapshot-revert', 'g', 's1', f'--keep={time}', check=False).stderr


# ---- clones ----

def test_clone_is_a_domain_of_its_own_on_the_images_of_the_snapshot(lab):
    guest = Guest(lab, disks=2)
    xml = ET.fromstring(guest.dom.XMLDesc())
    xml.insert(2, ET.fromstring('<genid/>'))
    xml.find('devices').append(ET.fromstring("<interface type='user'><model type='virtio'/></interface>"))
    guest.dom = guest.conn.defineXML(ET.tostring(xml, encoding='unicode'))
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    step, = plan(lab, 'snapshot-clone', 'g', 's1', 'c')
    assert step['clone'] == 'c' and names(step['make']) == {'c-vda.qcow2', 'c-vdb.qcow2'}
    lab.virsh('snapshot-clone', 'g', 's1', 'c')
    clone = Guest.__new__(Guest)
    clone.lab, clone.conn, clone.paths, clone.dom = lab, guest.conn, guest.paths, guest.conn.lookupByName('c')
    assert clone.holds(1) and guest.holds(2)
    assert [os.path.basename(path) for path, _ in clone.tops()] == ['c-vda.qcow2', 'c-vdb.qcow2']

    def identity(dom) -> list[str]:
        root = ET.fromstring(dom.XMLDesc())
        return [root.findtext('uuid'), root.findtext('genid'), root.find('.//interface/mac').get('address')]

    assert all(a and a != b for a, b in zip(identity(guest.dom), identity(clone.dom)))
    assert identity(guest.dom)[2][:8] == identity(clone.dom)[2][:8]
    # The clone protects what lies below it, and goes without taking that along.
    clone.write(5)
    guest.delete('s1')
    assert clone.holds(5) and guest.holds(2)
    clone.snap('own')
    clone.write(6)
    clone.revert('own')
    assert clone.holds(5)
    for words in (('c', 'own', 'g'), ('c', 'own', 'a/b')):
        assert lab.virsh('snapshot-clone', *words, check=False).returncode, words
    lab.restart()
    assert lab.conn().lookupByName('c').XMLDesc()


def test_clone_goes_on_in_the_memory_where_nothing_in_it_exists_once(lab):
    guest = Guest(lab, disks=1, boots=True)
    guest.dom.create()
    console = guest.console()
    console.prepare()
    console.run('M=remembered; printf "%-512s" here | dd of=/dev/vda bs=512 conv=fsync 2>/dev/null')
    guest.snap('m1', memory=True)
    console.run('M=later')
    lab.virsh('snapshot-clone', 'g', 'm1', 'c', '--memory')
    assert set(lab.emulators()) == {'g', 'c'}
    other = lab.console('c')
    assert other.run('echo $M; dd if=/dev/vda bs=512 count=1 iflag=direct 2>/dev/null | tr -d " "').split() == ['remembered', 'here']
    assert console.run('echo $M').strip() == 'later'
    console.close()
    other.close()
    guest.snap('s2')
    failed = lab.virsh('snapshot-clone', 'g', 's2', 'd', '--memory', check=False)
    assert failed.returncode and 'has no memory' in failed.stderr and 'd' not in lab.emulators()


def test_clone_with_memory_names_what_cannot_exist_twice(lab):
    guest = Guest(lab, disks=1)
    guest.dom.undefine()
    text = guest.lab.guest_xml('g', guest.paths, extra="<interface type='user'><mac address='52:54:00:aa:bb:cc'/></interface>", memory=32)
    guest.dom = guest.conn.defineXML(text)
    guest.dom.create()
    guest.snap('m1', memory=True)
    before = guest.files()
    failed = lab.virsh('snapshot-clone', 'g', 'm1', 'c', '--memory', check=False)
    assert failed.returncode and '52:54:00:aa:bb:cc' in failed.stderr and 'leave MEMORY out' in failed.stderr
    assert guest.files() == before and len(guest.conn.listAllDomains()) == 1
    lab.virsh('snapshot-clone', 'g', 'm1', 'c', '--running')
    assert guest.conn.lookupByName('c').isActive()


def test_failed_clone_leaves_nothing(lab):
    guest = Guest(lab, disks=2)
    guest.snap('s1', body="<disks><disk name='vda'/><disk name='vdb' snapshot='no'/></disks>")
    before = everything(guest)
    failed = lab.virsh('snapshot-clone', 'g', 's1', 'c', check=False)
    assert failed.returncode and 'vdb' in failed.stderr and everything(guest) == before
    (lab.images / 'c-vda.qcow2').write_text('mine')
    guest.snap('s2')
    failed = lab.virsh('snapshot-clone', 'g', 's2', 'c', check=False)
    assert failed.returncode and 'c-vda.qcow2' in failed.stderr
    lab.virsh('snapshot-clone', 'g', 's2', 'c', '--image', f'vda={lab.images}/other.qcow2')
    assert {dom.name() for dom in guest.conn.listAllDomains()} == {'g', 'c'}
    assert (lab.images / 'c-vda.qcow2').read_text() == 'mine'


# ---- reverts in the hard cases ----

def edit_disks(guest: Guest, change) -> None:
    xml = ET.fromstring(guest.dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    change(xml.find('devices'))
    guest.dom = guest.conn.defineXML(ET.tostring(xml, encoding='unicode'))


def remove_disk(target: str):
    return lambda devices: devices.remove(devices.find(f"disk/target[@dev='{target}']/.."))


@pytest.mark.parametrize('state', (OFF, RUNNING))
def test_disks_that_came_or_went_since_are_as_they_were(lab, state):
    guest = Guest(lab, disks=3)
    guest.write(1)
    guest.snap('three')
    guest.write(2)
    edit_disks(guest, remove_disk('vdb'))
    assert len(guest.tops()) == 2
    guest.snap('two')
    extra = lab.disk('extra.img')
    edit_disks(guest, lambda devices: devices.append(ET.fromstring(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{extra}'/><target dev='vdd' bus='virtio'/></disk>")))
    guest.snap('other')
    guest.bring(state)
    guest.revert('three', RUN if state == RUNNING else 0)
    assert guest.holds(1) and len(guest.tops()) == 3 and guest.dom.state()[0] == state
    guest.bring(state)
    guest.revert('other')
    assert len(guest.tops()) == 3 and guest.read_image(*guest.tops()[0]) == 6
    guest.bring(state)
    guest.revert('two')
    assert len(guest.tops()) == 2
    assert extra.name in guest.files()
    for name in ('three', 'other', 'two'):
        guest.delete(name)
    assert guest.read_image(*guest.tops()[0]) == 6 and extra.exists()


def test_sources_that_differ_after_the_last_dot_get_names_of_their_own(lab):
    guest = Guest(lab, disks=2)
    guest.dom.undefine()
    guest.paths = [lab.disk('disk.0'), lab.disk('disk.1')]
    xml = guest.lab.guest_xml('g', guest.paths, memory=32)
    guest.dom = guest.conn.defineXML(xml)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    guest.snap('s2')
    tops = []
    for name, value in (('s1', 1), ('s2', 2), ('s1', 1)):       # well within a second
        guest.revert(name)
        assert guest.holds(value)
        tops += [path for path, _ in guest.tops()]
    assert len(set(tops)) == 6
    for name in ('s1', 's2'):
        guest.delete(name)
    assert guest.holds(1)
    assert guest.files() == {'g0.img', 'g1.img', 'disk.0', 'disk.1'}


def test_tree_without_a_current_snapshot_is_reverted(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    guest.snap('s2')
    guest.write(3)
    for name in ('s2', 's1'):
        xml = guest.dom.snapshotLookupByName(name).getXMLDesc()
        guest.delete(name, libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        guest.dom.snapshotCreateXML(xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    guest.delete('s1', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    assert not guest.dom.hasCurrentSnapshot()
    lab.virsh('snapshot-revert', 'g', 's2', '--keep')
    assert guest.holds(2) and guest.dom.snapshotCurrent().getName() == 's2'
    lab.virsh('snapshot-undo', 'g')
    assert guest.holds(3) and not guest.dom.hasCurrentSnapshot()


def test_transient_guest_goes_to_states_in_which_it_exists(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    xml = guest.dom.XMLDesc()
    guest.dom.undefine()
    guest.dom = guest.conn.createXML(xml)
    guest.snap('s1')
    guest.snap('m1', memory=True)
    with pytest.raises(libvirt.libvirtError, match='transient'):
        guest.revert('s1')
    guest.revert('s1', RUN)
    assert guest.dom.isActive() and not guest.dom.isPersistent() and guest.holds(1)
    guest.revert('m1')
    assert guest.dom.state()[0] == RUNNING
    lab.virsh('snapshot-revert', 'g', 's1', '--paused', '--keep')
    assert guest.dom.state()[0] == PAUSED
    lab.virsh('snapshot-undo', 'g')
    assert guest.dom.state()[0] == RUNNING
    guest.dom.destroy()
    wait_for(lambda: not guest.conn.listAllDomains(), what='the end of the domain')
    assert not list((lab.dir / 'lib/qemu/kept').iterdir())


def test_guest_that_sleeps_is_reverted(lab):
    guest = Guest(lab, disks=1, boots=True)
    guest.dom.create()
    console = guest.console()
    console.prepare()
    guest.snap('m1', memory=True)
    os.write(console.fd, b'echo mem > /sys/power/state\n')
    wait_for(lambda: guest.dom.state()[0] == libvirt.VIR_DOMAIN_PMSUSPENDED, 60, 'the sleep of the guest')
    console.close()
    with pytest.raises(libvirt.libvirtError, match='PMSUSPENDED'):
        guest.snap('s2')
    guest.revert('m1')
    assert guest.dom.state()[0] == RUNNING
    console = guest.console()
    assert console.run('echo awake').strip() == 'awake'
    console.close()


def test_broken_chain_is_told_with_file_disk_and_advice(lab):
    guest = Guest(lab, disks=2)
    guest.snap('s1')
    guest.snap('s2')
    lost = lab.images / 'g1.s1'
    lost.rename(lab.images / 'away')
    before = guest.files()
    guest.revert('s1')
    with pytest.raises(libvirt.libvirtError) as told:
        guest.revert('s2')
    for word in (str(lost), 'vdb', 'snapshot s2', 'put it back'):
        assert word in str(told.value), told.value
    (lab.images / 'away').rename(lost)
    guest.revert('s2')
    assert before


def test_raw_disk_that_looks_like_another_format_stays_raw(lab):
    guest = Guest(lab, disks=1, form='raw')
    trap = lab.images / 'trap'
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', '/etc/hostname', '-F', 'raw', str(trap), '16M'], check=True)
    with open(guest.paths[0], 'r+b') as disk:
        disk.write(trap.read_bytes()[:65536])
    trap.unlink()
    guest.snap('s1')
    guest.revert('s1')
    chain = json.loads(subprocess.run(['qemu-img', 'info', '--backing-chain', '--output=json', guest.tops()[0][0]],
                                      check=True, capture_output=True, text=True).stdout)
    assert [image['format'] for image in chain] == ['qcow2', 'raw']
    guest.delete('s1')
    assert guest.tops() == [(str(guest.paths[0]), 'raw')]
    assert guest.paths[0].read_bytes()[:4] == b'QFI\xfb'


def test_chain_may_be_as_long_as_it_can_be_opened(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    for i in range(199):
        guest.snap(f's{i}', body="<disks><disk name='vda'/></disks>")
    with pytest.raises(libvirt.libvirtError, match='200'):
        guest.snap('too-many')
    guest.dom.create()
    guest.dom.destroy()
    guest.revert('s198', RUN)
    assert guest.dom.state()[0] == RUNNING
    guest.revert('s0')
    assert guest.holds(1)
    guest.delete('s100')
    assert guest.holds(1)


# ---- looking and repairing ----

def verify(lab: Lab, *words: str) -> dict:
    return json.loads(lab.virsh('snapshot-verify', 'g', *words, '--json', check=False).stdout)


def test_verify_finds_what_is_wrong_and_repair_mends_what_can_be(lab):
    guest = Guest(lab, disks=2)
    build_tree(guest)
    guest.bring(OFF)
    lab.virsh('snapshot-revert', 'g', 's2', '--keep')
    assert verify(lab)['findings'] == []
    assert 'agree' in lab.virsh('snapshot-verify', 'g').stdout
    # A file of ours that nobody needs: its snapshot was forgotten with the files left.
    guest.delete('s6', libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    metadata = lab.dir / 'lib/qemu/snapshot/g'
    (metadata / 's1.xml').unlink()
    lost = Path(guest.tops()[0][0])
    found = verify(lab)
    assert {finding['rule'] for finding in found['findings']} >= {'metadata', 'stray'}
    failed = lab.virsh('snapshot-verify', 'g', check=False)
    assert failed.returncode and 'problem' in failed.stderr and 'repair:' in failed.stdout
    before = guest.files()
    done = verify(lab, '--repair')
    assert done['findings'] == [] and done['repaired'] == found['open']
    assert guest.files() < before and (metadata / 's1.xml').exists()
    # What cannot be repaired stays, with advice.
    lost.rename(lab.images / 'away')
    found = verify(lab, '--repair')
    assert [finding for finding in found['findings'] if finding['path'] == str(lost) and finding['advice']]
    (lab.images / 'away').rename(lost)


def test_repair_finishes_a_deletion_that_was_cancelled(lab):
    guest = Guest(lab, disks=1)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    metadata = lab.dir / 'lib/qemu/snapshot/g/s1.xml'
    lab.stop()
    text = metadata.read_text()
    metadata.write_text(text.replace("snapshot='external' type='file'>", "snapshot='external' type='file'><snapshotDeleteInProgress/>"))
    assert metadata.read_text() != text
    lab.start()
    guest.dom = lab.conn().lookupByName('g')
    assert [finding['rule'] for finding in verify(lab)['findings']] == ['deleting']
    with pytest.raises(libvirt.libvirtError, match='delete it again'):
        guest.revert('s1')
    assert verify(lab, '--repair')['findings'] == []
    assert guest.tree() == {} and guest.holds(2) and guest.files() == {'g0.img'}


def test_repair_leaves_a_deletion_of_another_libvirt_alone(lab):
    """It marks the parent of what it deletes; the parent's state is whole."""
    guest = Guest(lab, disks=1)
    guest.write(1)
    guest.snap('s1')
    guest.write(2)
    metadata = lab.dir / 'lib/qemu/snapshot/g/s1.xml'
    lab.stop()
    for record in (lab.dir / 'lib/qemu/images').iterdir():      # it keeps none
        record.unlink()
    metadata.write_text(metadata.read_text().replace("type='file'>", "type='file'><snapshotDeleteInProgress/>"))
    lab.start()
    guest.dom = lab.conn().lookupByName('g')
    finding, = verify(lab, '--repair')['findings']
    assert finding['rule'] == 'deleting' and finding['repair'] is None and 'another libvirt' in finding['advice']
    assert guest.tree() == {'s1': None} and guest.holds(2)
