# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshot jobs killed and failed at every one of their named points, with real QEMU guests.

For each scenario the points are taken from a run that nothing disturbs. Then, for every point, the same situation is built
anew, the daemon is killed there (and started again) or the step fails there, and what can be seen from outside must be
exactly what it was before or exactly what the undisturbed run led to: snapshots, definitions, run state, files, and the
contents of every disk of the domain and of every snapshot. If it is "before", the same call must then succeed.

FAULTS=all goes through all points; otherwise a part that changes from day to day.
"""
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'live'))
lab_module = pytest.importorskip('lab')
libvirt = pytest.importorskip('libvirt')

DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
SHARE = 1 if os.environ.get('FAULTS') == 'all' else 8
DISKS = ('vda', 'vdb')


def qemu_io(path: str, command: str, *options: str) -> bool:
    done = subprocess.run(['qemu-io', '-f', 'qcow2', *options, '-c', command, path], capture_output=True, text=True)
    return done.returncode == 0 and 'failed' not in done.stdout


class Scene:
    """A domain with two disks in a private daemon, rebuilt for every point."""

    def __init__(self, folder: Path) -> None:
        self.lab = lab_module.Lab(folder)
        self.faults = folder / 'faults'
        self.faults.mkdir(exist_ok=True)
        self.lab.env['MANIFOLD_TEST_FAULTS'] = str(self.faults)
        self.value = 0
        self.conn = None

    # ---- building ----

    def reset(self) -> None:
        """No daemon, no guest, no file."""
        self.lab.kill9()
        self.lab.kill_emulators()
        for name in (*lab_module.BOUND, 'images', 'faults'):
            shutil.rmtree(self.lab.dir / name, ignore_errors=True)
            (self.lab.dir / name).mkdir()
        self.start()
        for i in range(len(DISKS)):
            self.lab.disk(f'd{i}.qcow2')
        self.conn.defineXML(self.xml())
        self.value = 0
        self.write()

    def xml(self) -> str:
        disks = ''.join(f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                        f"<source file='{self.lab.images}/d{i}.qcow2'/><target dev='{dev}' bus='virtio'/></disk>"
                        for i, dev in enumerate(DISKS))
        return (f"<domain type='qemu'><name>g</name><uuid>7d9a2c1e-5b0f-4a51-8d0e-000000000001</uuid>"
                f"<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
                f"<devices>{disks}</devices></domain>")

    def start(self) -> None:
        self.lab.start()
        self.conn = self.lab.conn()

    @property
    def dom(self):
        return self.conn.lookupByName('g')

    def tops(self, flags: int = libvirt.VIR_DOMAIN_XML_INACTIVE) -> list[str]:
        return [s.get('file') for s in ET.fromstring(self.dom.XMLDesc(flags)).findall('.//devices/disk/source')]

    def write(self) -> None:
        """A new pattern at the beginning of each disk, on top of everything before it (only while it is off)."""
        self.value += 1
        for i, path in enumerate(self.tops()):
            assert qemu_io(path, f'write -P {self.value * 2 + i} 0 64k')
            assert qemu_io(path, f'write -P {self.value * 2 + i} {self.value * 64}k 64k')

    def snap(self, name: str, memory: bool = False) -> None:
        text = f"<memory snapshot='external' file='{self.lab.images}/{name}.mem'/>" if memory else ''
        self.dom.snapshotCreateXML(f'<domainsnapshot><name>{name}</name>{text}</domainsnapshot>',
                                   0 if memory else DISK_ONLY)

    def revert(self, name: str, flags: int = 0) -> None:
        self.dom.revertToSnapshot(self.dom.snapshotLookupByName(name), flags)

    # ---- faults ----

    def arm(self, point: str, action: str) -> None:
        (self.faults / 'trace').unlink(missing_ok=True)
        (self.faults / 'armed').write_text(f'{point} {action}\n')

    def disarm(self) -> None:
        (self.faults / 'armed').unlink(missing_ok=True)

    def trace(self) -> list[str]:
        path = self.faults / 'trace'
        points = dict.fromkeys(path.read_text().split()) if path.exists() else {}
        # What is made in the background, afterwards and for speed only, has tests of its own (test_memory.py).
        return [point for point in points if not point.startswith('memory-cache/')]

    # ---- looking ----

    def digest(self, path: str) -> str:
        """Which pattern each written place of the disk has, read through the whole chain."""
        commands = [word for place in range(8) for word in ('-c', f'read -v {place * 64}k 1')]
        done = subprocess.run(['qemu-io', '-f', 'qcow2', '-r', '-U', *commands, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return ','.join(line.split()[1] for line in done.stdout.splitlines() if re.match('[0-9a-f]{8}:', line))

    @staticmethod
    def inside(path: str) -> tuple[str, ...]:
        """Names of the snapshots inside the image."""
        done = subprocess.run(['qemu-img', 'info', '-U', '-f', 'qcow2', '--output=json', path], capture_output=True,
                              text=True, check=True)
        return tuple(s['name'] for s in json.loads(done.stdout).get('snapshots', ()))

    def look(self) -> dict:
        """Everything that a user could see, as one value that can be compared."""
        dom = self.dom
        snapshots = {}
        for snapshot in dom.listAllSnapshots():
            root = ET.fromstring(snapshot.getXMLDesc())
            paths = [s.get('file') for s in root.findall('domain/devices/disk/source')]
            snapshots[snapshot.getName()] = (root.findtext('parent/name'), root.findtext('state'), tuple(paths),
                                             tuple(self.digest(p) for p in paths), bool(snapshot.isCurrent()))
        tops = self.tops(0)
        return {
            'snapshots': snapshots,
            'checkpoints': tuple(sorted(c.getName() for c in dom.listAllCheckpoints())),
            'state': dom.state()[0],
            'config': tuple(self.tops()),
            'live': tuple(tops),
            'contents': tuple(self.digest(p) for p in tops),
            'files': tuple(sorted(n for n in os.listdir(self.lab.images) if not n.endswith('.map'))),
            'inside': tuple(self.inside(p) for p in self.tops()),
            'journals': tuple(os.listdir(self.lab.dir / 'lib/qemu/journal')),
            'emulators': len(self.lab.emulator_list()),
            'kept': tuple(sorted(os.listdir(kept))) if (kept := self.lab.dir / 'lib/qemu/kept').exists() else (),
            'saved': (bool(dom.hasManagedSaveImage()), tuple(os.listdir(self.lab.dir / 'lib/qemu/save'))),
        }


# ---- situations and what is done in them ----

def off(scene: Scene) -> None:
    scene.snap('s1')
    scene.write()
    scene.snap('s2')
    scene.write()


def two_branches(scene: Scene) -> None:
    off(scene)
    scene.revert('s1')
    scene.write()
    scene.snap('s3')
    scene.write()


def running(scene: Scene) -> None:
    off(scene)
    scene.dom.create()


def running_with_memory(scene: Scene) -> None:
    off(scene)
    scene.dom.create()
    scene.snap('m1', memory=True)


def paused(scene: Scene) -> None:
    off(scene)
    scene.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)


def saved(scene: Scene) -> None:
    running(scene)
    scene.dom.managedSave()


def ours(scene: Scene, *words: str) -> None:
    """What only our own virsh can ask for."""
    done = scene.lab.virsh(*words, check=False)
    if done.returncode:
        raise libvirt.libvirtError(done.stderr)


def snap_inside(scene: Scene, name: str) -> None:
    scene.dom.snapshotCreateXML(f'<domainsnapshot><name>{name}</name></domainsnapshot>', 0)


def inside(scene: Scene) -> None:
    """Snapshots in the images themselves."""
    snap_inside(scene, 'i1')
    scene.write()
    snap_inside(scene, 'i2')
    scene.write()


def inside_running(scene: Scene) -> None:
    inside(scene)
    scene.dom.create()
    snap_inside(scene, 'i3')


def left(scene: Scene) -> None:
    """A revert has kept what a running guest left."""
    running(scene)
    ours(scene, 'snapshot-revert', 'g', 's1', '--running', '--keep')


def with_checkpoint(scene: Scene) -> None:
    running(scene)
    scene.dom.checkpointCreateXML('<domaincheckpoint><name>c1</name></domaincheckpoint>')


def running_chain(scene: Scene) -> None:
    """Images that no snapshot needs, and one that a copy may go to."""
    off(scene)
    for snapshot in scene.dom.listAllSnapshots():
        snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    scene.lab.disk('copy.qcow2')
    scene.dom.create()


def wait_block_job(scene: Scene, pivots: bool) -> None:
    """To its end, through its second phase where it has one."""
    def is_over() -> bool:
        info = scene.dom.blockJobInfo('vda')
        return not info or pivots and "ready='yes'" in scene.dom.XMLDesc()

    lab_module.wait_for(is_over, what='the block job')
    if pivots:
        scene.dom.blockJobAbort('vda', libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)


def pull(scene: Scene) -> None:
    scene.dom.blockPull('vda')
    wait_block_job(scene, False)


def commit(scene: Scene, top: str | None, flags: int) -> None:
    scene.dom.blockCommit('vda', None, top and f'{scene.lab.images}/{top}', 0, flags)
    wait_block_job(scene, bool(flags & libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE))


def copy(scene: Scene) -> None:
    scene.dom.blockCopy('vda', f"<disk type='file'><source file='{scene.lab.images}/copy.qcow2'/></disk>", {},
                        libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT)
    wait_block_job(scene, True)


SCENARIOS = {
    'create-off': (off, lambda s: s.snap('new')),
    'create-running': (running, lambda s: s.snap('new')),
    'create-paused': (paused, lambda s: s.snap('new')),
    'create-memory': (running, lambda s: s.snap('new', memory=True)),
    'revert-off-to-off': (off, lambda s: s.revert('s1')),
    'revert-off-to-other-branch': (two_branches, lambda s: s.revert('s2')),
    'revert-off-to-running': (off, lambda s: s.revert('s1', libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING)),
    'revert-running-to-off': (running, lambda s: s.revert('s1')),
    'revert-running-to-running': (running, lambda s: s.revert('s1', libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING)),
    'revert-running-to-paused': (running, lambda s: s.revert('s2', libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)),
    'revert-running-to-memory': (running_with_memory, lambda s: s.revert('m1')),
    'delete-leaf-off': (off, lambda s: s.dom.snapshotLookupByName('s2').delete()),
    'delete-root-off': (off, lambda s: s.dom.snapshotLookupByName('s1').delete()),
    'delete-leaf-of-branch': (two_branches, lambda s: s.dom.snapshotLookupByName('s2').delete()),
    'delete-branching-root': (two_branches, lambda s: s.dom.snapshotLookupByName('s1').delete()),
    'delete-leaf-running': (running, lambda s: s.dom.snapshotLookupByName('s2').delete()),
    'delete-root-running': (running, lambda s: s.dom.snapshotLookupByName('s1').delete()),
    'save': (running, lambda s: s.dom.managedSave()),
    'start-saved': (saved, lambda s: s.dom.create()),
    'revert-keeping': (running, lambda s: ours(s, 'snapshot-revert', 'g', 's1', '--running', '--keep')),
    'revert-undone': (left, lambda s: ours(s, 'snapshot-undo', 'g')),
    'create-inside-off': (off, lambda s: snap_inside(s, 'new')),
    'create-inside-running': (running, lambda s: snap_inside(s, 'new')),
    'revert-inside-off': (inside, lambda s: s.revert('i1')),
    'revert-inside-running-to-off': (inside_running, lambda s: s.revert('i1')),
    'revert-inside-memory': (inside_running, lambda s: s.revert('i3')),
    'delete-inside-off': (inside, lambda s: s.dom.snapshotLookupByName('i1').delete()),
    'delete-inside-running': (inside_running, lambda s: s.dom.snapshotLookupByName('i1').delete()),
    'delete-metadata': (two_branches, lambda s: s.dom.snapshotLookupByName('s1').delete(
        libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)),
    'checkpoint-create': (running, lambda s: s.dom.checkpointCreateXML('<domaincheckpoint><name>c2</name></domaincheckpoint>')),
    'checkpoint-delete': (with_checkpoint, lambda s: s.dom.checkpointLookupByName('c1').delete()),
    'block-pull': (running_chain, pull),
    'block-commit': (running_chain, lambda s: commit(s, 'd0.s1', 0)),
    'block-commit-active': (running_chain, lambda s: commit(s, None, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)),
    'block-copy': (running_chain, copy),
}


@pytest.fixture(scope='module')
def scene():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    lab_module.become_subreaper()
    # Not below pytest's own folder: a second pytest on this machine would clear that away in the middle.
    folder = Path(tempfile.mkdtemp(prefix='faults-'))
    scene = Scene(folder)
    yield scene
    scene.lab.close()
    shutil.rmtree(folder, ignore_errors=True)


def undisturbed(scene: Scene, build, act) -> tuple[dict, dict, list[str]]:
    scene.reset()
    build(scene)
    settle(scene)  # a call is answered before the last files of its job are written
    before = scene.look()
    scene.arm('none', 'fail')
    act(scene)
    points = scene.trace()
    scene.disarm()
    return before, scene.look(), points


def share_of(points: list[str]) -> list[str]:
    today = datetime.date.today().toordinal()
    return [p for i, p in enumerate(points) if (i + today) % SHARE == 0]


def diff(found: dict, wanted: dict) -> str:
    return '; '.join(f'{k}: {found[k]} instead of {wanted[k]}' for k in wanted if found[k] != wanted[k])


def succeeds(scene: Scene, act) -> bool:
    """What was answered must hold, whatever dies afterwards."""
    try:
        act(scene)
    except libvirt.libvirtError:
        return False
    return True


def settle(scene: Scene) -> None:
    """Merges of a deletion go on in the background; so does a copy, until somebody ends it."""
    if scene.dom.isActive() and scene.dom.blockJobInfo('vda') and '<mirror' in scene.dom.XMLDesc():
        scene.dom.blockJobAbort('vda')
    journals = scene.lab.dir / 'lib/qemu/journal'
    lab_module.wait_for(lambda: not os.listdir(journals), what='the end of the interrupted job')


def stays_off(found: dict, after: dict) -> bool:
    """At the snapshot, but its start failed after the old guest had to end: said in the error, and no disk is lost."""
    return found == {**after, 'state': libvirt.VIR_DOMAIN_SHUTOFF, 'emulators': 0}


def repeat(scene: Scene, what: str, act, after: dict) -> None:
    act(scene)
    settle(scene)
    again = scene.look()
    assert again == after, f'{what}: the repeated call led to: {diff(again, after)}'


def judge(scene: Scene, name: str, point: str, action: str, act, before: dict, after: dict) -> None:
    what = f'{action} at {point}'
    settle(scene)
    found = scene.look()
    if found == after or (action != 'kill' and name.startswith('revert') and stays_off(found, after)):
        return
    if action != 'kill' and name.startswith('delete'):
        # A merge that fails leaves the snapshot marked as being deleted; what the domain reads never changes.
        assert found['contents'] == after['contents'], f'{what}: {diff(found, after)}'
    else:
        assert found == before, (f'{what} left something between\n  from before: {diff(found, before)}\n'
                                 f'  from after: {diff(found, after)}\n' + scene.lab.log()[-3000:])
    repeat(scene, what, act, after)


@pytest.mark.parametrize('name', SCENARIOS)
def test_killed_at_any_point_it_is_before_or_after(scene, name):
    build, act = SCENARIOS[name]
    before, after, points = undisturbed(scene, build, act)
    assert len(points) > 3
    for point in share_of(points):
        scene.reset()
        build(scene)
        scene.arm(point, 'kill')
        was_answered = succeeds(scene, act)
        scene.lab.kill9()
        scene.disarm()
        scene.start()
        judge(scene, name, point, 'kill', act, after if was_answered else before, after)


@pytest.mark.parametrize('name', SCENARIOS)
def test_failed_at_any_point_it_is_before_or_after(scene, name):
    build, act = SCENARIOS[name]
    before, after, points = undisturbed(scene, build, act)
    for point in share_of(points):
        scene.reset()
        build(scene)
        scene.arm(point, 'fail-once')
        try:
            act(scene)
        except libvirt.libvirtError:
            pass
        scene.disarm()
        if os.listdir(scene.lab.dir / 'lib/qemu/journal'):
            # A step after the barrier failed: the job is open until the daemon, or the next call, finishes it.
            scene.lab.restart()
            scene.conn = scene.lab.conn()
        judge(scene, name, point, 'fail', act, before, after)


def without_emulator(seen: dict) -> dict:
    return {**seen, 'state': libvirt.VIR_DOMAIN_SHUTOFF, 'emulators': 0, 'live': seen['config']}


@pytest.mark.parametrize('name', [n for n, (build, _) in SCENARIOS.items() if build in (running, paused, running_with_memory, running_chain)])
def test_killed_together_with_the_emulator_it_is_before_or_after(scene, name):
    """Daemon and guest die at once: the guest is off, its disks and snapshots are those from before or after."""
    build, act = SCENARIOS[name]
    before, after, points = undisturbed(scene, build, act)
    ends = [without_emulator(before), without_emulator(after)]
    for point in share_of(points):
        scene.reset()
        build(scene)
        scene.arm(point, 'kill')
        was_answered = succeeds(scene, act)
        scene.lab.kill9()
        scene.lab.kill_emulators()
        scene.disarm()
        scene.start()
        settle(scene)
        found = scene.look()
        # Going forward to a running state starts the guest again: also right.
        assert without_emulator(found) in ends[was_answered:], f'{point}: {diff(found, ends[0])}\nor {diff(found, ends[1])}'
