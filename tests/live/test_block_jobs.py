# SPDX-License-Identifier: LGPL-2.1-or-later
"""Block jobs of users on real guests: what they do to images, definitions and files, and how they survive the daemon.

The guests have no operating system and stay paused; the host writes patterns into their images before they start and reads
them back through QEMU's own tools. kill -9 at every step: tests/job/test_faults.py.
"""
import os
import re
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Lab, become_subreaper, run_event_loop, wait_for

SHALLOW, DELETE, ACTIVE, RELATIVE = (libvirt.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW, libvirt.VIR_DOMAIN_BLOCK_COMMIT_DELETE,
                                     libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE, libvirt.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE)
PIVOT, ASYNC = libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC
BYTES = libvirt.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES
PULL, COPY, COMMIT, ACTIVE_COMMIT = 1, 2, 3, 4
COMPLETED, FAILED, CANCELED, READY = range(4)
MIB = 1 << 20


class Guest:
    """One disk on a chain of four images, each with a pattern at a place of its own and one that it hides."""

    def __init__(self, lab: Lab, name: str = 'g', relative: bool = False) -> None:
        self.lab = lab
        self.images = [lab.images / f'{name}{i}.qcow2' for i in range(4)]
        for i, path in enumerate(self.images):
            below = self.images[i - 1] if i else None
            backing = ['-F', 'qcow2', '-b', below.name if relative else str(below)] if below else []
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', *backing, str(path), '16M'], check=True)
            self.write(path, 0, i + 1)
            self.write(path, i + 1, i + 1)
        self.name = name
        self.connect()
        xml = lab.guest_xml(name, [self.images[3]], memory=32)
        self.dom = self.conn.defineXML(re.sub('<kernel>.*</cmdline>', '', xml))
        self.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        self.before = self.contents(self.images[3])

    @staticmethod
    def write(path, place: int, value: int) -> None:
        subprocess.run(['qemu-io', '-f', 'qcow2', '-c', f'write -P {value} {place}M 1M', str(path)], check=True,
                       capture_output=True)

    @staticmethod
    def contents(path, form: str = 'qcow2') -> list[str]:
        words = [word for place in range(6) for word in ('-c', f'read -v {place}M 1')]
        done = subprocess.run(['qemu-io', '-f', form, '-r', '-U', *words, str(path)], capture_output=True, text=True, check=True)
        return [line.split()[1] for line in done.stdout.splitlines() if re.match('[0-9a-f]{8}:', line)]

    def connect(self) -> None:
        self.conn = self.lab.conn()
        self.events = Events(self.conn)

    def restart(self) -> None:
        """Kill the daemon, start it, look at the guest through the new one."""
        self.events.stop()
        self.lab.kill9()
        self.lab.start()
        self.connect()
        self.dom = self.conn.lookupByName(self.name)

    def disk(self, flags: int = 0) -> ET.Element:
        return ET.fromstring(self.dom.XMLDesc(flags)).find('devices/disk')

    def chain(self) -> list[str]:
        """File names from the top down."""
        names, layer = [], self.disk()
        while layer is not None and layer.find('source') is not None:
            names.append(os.path.basename(layer.find('source').get('file')))
            layer = layer.find('backingStore')
        return names

    def config(self) -> str:
        return os.path.basename(self.disk(libvirt.VIR_DOMAIN_XML_INACTIVE).find('source').get('file'))

    def nodes(self) -> set[str]:
        return {n['node-name'] for n in self.lab.monitor(self.name, 'query-named-block-nodes')}

    def wait_end(self) -> None:
        wait_for(lambda: not self.dom.blockJobInfo('vda'), what='the end of the block job')
        wait_for(lambda: not os.listdir(self.lab.dir / 'lib/qemu/journal'), what='the end of the journal')

    def wait_ready(self) -> None:
        wait_for(lambda: (m := self.disk().find('mirror')) is not None and m.get('ready') == 'yes', what='a ready mirror')

    def backing_name(self, path) -> str | None:
        done = subprocess.run(['qemu-img', 'info', '-U', str(path)], capture_output=True, text=True, check=True)
        found = re.search(r'^backing file: (\S+)', done.stdout, re.M)
        return found and found[1]

    def copy(self, name: str, flags: int = 0, form: str = '', **params) -> None:
        driver = f"<driver type='{form}'/>" if form else ''
        self.dom.blockCopy('vda', f"<disk type='file'><source file='{self.lab.images}/{name}'/>{driver}</disk>", params, flags)

    def end(self) -> None:
        """Everything is the same after a new start, from the files alone."""
        top = self.config()
        self.dom.destroy()
        form = self.disk().find('driver').get('type')
        assert self.contents(self.lab.images / top, form) == self.before
        self.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        assert self.chain()[0] == top


class Events:
    """Block job events of a connection, both kinds, in order."""

    def __init__(self, conn) -> None:
        self.seen: list[tuple] = []
        self.conn = conn
        self.ids = [conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, self.on_path, None),
                    conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, self.on_target, None)]

    def on_path(self, conn, dom, path, kind, status, opaque) -> None:
        self.seen.append((os.path.basename(path), kind, status))

    def on_target(self, conn, dom, target, kind, status, opaque) -> None:
        self.seen.append((target, kind, status))

    def stop(self) -> None:
        self.conn = None

    def expect(self, *wanted: tuple) -> None:
        wait_for(lambda: len(self.seen) >= len(wanted), what=f'events {wanted}, seen {self.seen}')
        assert self.seen == list(wanted)
        self.seen.clear()


@pytest.fixture(scope='module', autouse=True)
def event_loop():
    run_event_loop()


@pytest.fixture(scope='module')
def shared_lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(shared_lab):
    yield shared_lab
    conn = shared_lab.conn()
    for dom in conn.listAllDomains():
        if dom.isActive():
            dom.destroy()
        if dom.isPersistent():
            dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    for path in shared_lab.images.iterdir():
        path.unlink()


def test_inner_commit_moves_data_down_and_keeps_relative_names(lab):
    guest = Guest(lab, relative=True)
    guest.dom.blockCommit('vda', 'vda[5]' if False else None, str(guest.images[2]), 0, SHALLOW | RELATIVE | DELETE)
    guest.wait_end()
    assert guest.chain() == ['g3.qcow2', 'g1.qcow2', 'g0.qcow2']
    assert guest.backing_name(guest.images[3]) == 'g1.qcow2'
    assert not guest.images[2].exists()
    assert len([n for n in guest.nodes() if n.endswith('-format')]) == 3
    guest.events.expect(('g3.qcow2', COMMIT, COMPLETED), ('vda', COMMIT, COMPLETED))
    guest.end()


def test_active_commit_is_ready_then_pivots_and_the_definition_follows(lab):
    guest = Guest(lab)
    guest.dom.blockCommit('vda', str(guest.images[1]), None, 0, ACTIVE)
    guest.wait_ready()
    mirror = guest.disk().find('mirror')
    assert mirror.get('job') == 'active-commit' and mirror.find('source').get('file') == str(guest.images[1])
    info = guest.dom.blockJobInfo('vda')
    assert info['type'] == ACTIVE_COMMIT and info['cur'] == info['end'] > 0
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.chain() == ['g1.qcow2', 'g0.qcow2'] and guest.config() == 'g1.qcow2'
    assert guest.disk().find('mirror') is None
    guest.events.expect(('g3.qcow2', ACTIVE_COMMIT, READY), ('vda', ACTIVE_COMMIT, READY),
                        ('g1.qcow2', ACTIVE_COMMIT, COMPLETED), ('vda', ACTIVE_COMMIT, COMPLETED))
    assert guest.images[2].exists() and guest.images[3].exists()
    guest.end()


def test_aborted_commit_leaves_the_disk_where_it_was(lab):
    guest = Guest(lab)
    guest.dom.blockCommit('vda', None, None, 0, ACTIVE)
    guest.wait_ready()
    guest.dom.blockJobAbort('vda', ASYNC)
    guest.wait_end()
    assert guest.chain() == ['g3.qcow2', 'g2.qcow2', 'g1.qcow2', 'g0.qcow2']
    guest.events.expect(('g3.qcow2', ACTIVE_COMMIT, READY), ('vda', ACTIVE_COMMIT, READY),
                        ('g3.qcow2', ACTIVE_COMMIT, CANCELED), ('vda', ACTIVE_COMMIT, CANCELED))
    guest.end()


def test_pull_and_rebase_take_data_up(lab):
    guest = Guest(lab, relative=True)
    guest.dom.blockRebase('vda', str(guest.images[1]), 0, libvirt.VIR_DOMAIN_BLOCK_REBASE_RELATIVE)
    guest.wait_end()
    assert guest.chain() == ['g3.qcow2', 'g1.qcow2', 'g0.qcow2']
    assert guest.backing_name(guest.images[3]) == 'g1.qcow2'
    guest.dom.blockPull('vda', 0, 0)
    guest.wait_end()
    assert guest.chain() == ['g3.qcow2'] and guest.backing_name(guest.images[3]) is None
    assert guest.nodes() == {guest.lab.monitor('g', 'query-block')[0]['inserted']['node-name'],
                             guest.lab.monitor('g', 'query-block')[0]['inserted']['node-name'].replace('format', 'storage')}
    guest.events.expect(*[('g3.qcow2', PULL, COMPLETED), ('vda', PULL, COMPLETED)] * 2)
    guest.end()


@pytest.mark.parametrize('form', ('qcow2', 'raw'))
def test_copy_pivots_to_the_new_image(lab, form):
    guest = Guest(lab)
    guest.copy('copy', form=form, granularity=65536, **{'buf-size': MIB, 'bandwidth': 500 * MIB})
    guest.wait_ready()
    assert guest.dom.blockJobInfo('vda')['bandwidth'] == 500
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.chain() == ['copy'] and guest.config() == 'copy'
    assert guest.disk().find('driver').get('type') == form
    assert len(guest.nodes()) == 2
    guest.events.expect(('g3.qcow2', COPY, READY), ('vda', COPY, READY), ('copy', COPY, COMPLETED), ('vda', COPY, COMPLETED))
    guest.end()


def test_aborted_copy_is_whole(lab):
    guest = Guest(lab)
    guest.copy('copy')
    guest.wait_ready()
    guest.dom.blockJobAbort('vda')
    assert guest.chain()[0] == 'g3.qcow2' and guest.contents(lab.images / 'copy') == guest.before
    guest.end()


def test_shallow_copy_stands_on_the_same_images_or_on_the_users(lab):
    guest = Guest(lab)
    guest.copy('copy', libvirt.VIR_DOMAIN_BLOCK_COPY_SHALLOW)
    guest.wait_ready()
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.chain() == ['copy', 'g2.qcow2', 'g1.qcow2', 'g0.qcow2']
    flat, above = lab.images / 'flat.qcow2', lab.images / 'above.qcow2'
    subprocess.run(['qemu-img', 'convert', '-q', '-U', '-O', 'qcow2', str(guest.images[2]), str(flat)], check=True)
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', str(flat), str(above)], check=True)
    guest.copy('above.qcow2', libvirt.VIR_DOMAIN_BLOCK_COPY_SHALLOW | libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT)
    guest.wait_ready()
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.chain() == ['above.qcow2', 'flat.qcow2']
    guest.end()


def test_slow_job_shows_its_speed_and_a_partial_copy_goes(lab):
    guest = Guest(lab)
    guest.copy('copy', bandwidth=1)
    assert guest.dom.blockJobInfo('vda')['bandwidth'] == 1
    assert guest.dom.blockJobInfo('vda', BYTES and 1)['bandwidth'] == 1
    with pytest.raises(libvirt.libvirtError, match='not ready'):
        guest.dom.blockJobAbort('vda', PIVOT)
    with pytest.raises(libvirt.libvirtError, match='already in active block job') as caught:
        guest.dom.blockPull('vda', 0, 0)
    assert caught.value.get_error_code() == libvirt.VIR_ERR_BLOCK_COPY_ACTIVE
    with pytest.raises(libvirt.libvirtError, match='active block job'):
        guest.dom.save(str(lab.images / 'saved'))
    guest.dom.blockJobSetSpeed('vda', 3)
    assert guest.dom.blockJobInfo('vda')['bandwidth'] == 3
    guest.dom.blockJobAbort('vda')
    assert not (lab.images / 'copy').exists()
    guest.events.expect(('g3.qcow2', COPY, CANCELED), ('vda', COPY, CANCELED))
    guest.end()


def test_commit_into_an_image_of_a_snapshot_is_refused_by_name(lab):
    guest = Guest(lab)
    snapshot = guest.dom.snapshotCreateXML('<domainsnapshot><name>keep</name></domainsnapshot>',
                                           libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    for base, top, flags in ((None, None, ACTIVE), (None, str(guest.images[1]), 0), (None, None, ACTIVE | SHALLOW)):
        with pytest.raises(libvirt.libvirtError, match='snapshot keep of domain g.*snapshot-delete'):
            guest.dom.blockCommit('vda', base, top, 0, flags)
    guest.dom.blockPull('vda', 0, 0)
    guest.wait_end()
    assert guest.chain() == ['g3.keep']
    guest.dom.revertToSnapshot(snapshot, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)
    assert guest.chain()[1:] == ['g3.qcow2', 'g2.qcow2', 'g1.qcow2', 'g0.qcow2']
    snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    guest.dom.blockCommit('vda', None, None, 0, ACTIVE)
    guest.wait_ready()
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.chain() == ['g0.qcow2']
    guest.end()


def test_commit_into_an_image_of_another_domain_is_refused(lab):
    guest = Guest(lab)
    branch = lab.images / 'branch.qcow2'
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', str(guest.images[1]), str(branch)], check=True)
    guest.conn.defineXML(re.sub('<kernel>.*</cmdline>', '', lab.guest_xml('other', [branch], memory=32)))
    with pytest.raises(libvirt.libvirtError, match='domain other'):
        guest.dom.blockCommit('vda', None, str(guest.images[2]), 0, 0)
    with pytest.raises(libvirt.libvirtError, match='domain other'):
        guest.copy('branch.qcow2', libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT)


def test_job_survives_the_daemon_running_and_ready(lab):
    guest = Guest(lab)
    guest.copy('copy', bandwidth=1)
    guest.restart()
    assert guest.dom.blockJobInfo('vda')['type'] == COPY
    assert guest.disk().find('mirror').get('ready') is None
    guest.dom.blockJobSetSpeed('vda', 0)
    guest.wait_ready()
    guest.restart()
    guest.wait_ready()
    assert guest.dom.blockJobInfo('vda')['type'] == COPY
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.chain() == ['copy'] and guest.config() == 'copy'
    guest.end()


def test_job_that_ended_without_a_daemon_is_found_done(lab):
    guest = Guest(lab)
    guest.dom.blockPull('vda', 1, libvirt.VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES)
    lab.monitor('g', 'block-job-set-speed', device=lab.monitor('g', 'query-jobs')[0]['id'], speed=0)
    guest.restart()
    guest.wait_end()
    assert guest.chain() == ['g3.qcow2']
    guest.end()


def test_job_ends_with_the_guest(lab):
    guest = Guest(lab)
    guest.copy('copy', bandwidth=1)
    guest.dom.destroy()
    wait_for(lambda: not os.listdir(lab.dir / 'lib/qemu/journal'), what='the end of the journal')
    assert guest.config() == 'g3.qcow2' and not (lab.images / 'copy').exists()
    guest.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    guest.copy('copy', bandwidth=1)
    lab.kill9()
    lab.kill_emulators()
    lab.start()
    guest.connect()
    guest.dom = guest.conn.lookupByName('g')
    wait_for(lambda: not os.listdir(lab.dir / 'lib/qemu/journal'), what='the end of the journal')
    assert guest.config() == 'g3.qcow2' and not (lab.images / 'copy').exists()


def test_resize_and_peek(lab):
    guest = Guest(lab)
    guest.dom.blockResize('vda', 32 * 1024)
    assert guest.dom.blockInfo('vda')[0] == 32 * MIB
    guest.dom.blockResize('vda', 33 * MIB + 1, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
    assert guest.dom.blockInfo('vda')[0] == 33 * MIB + 512
    with pytest.raises(libvirt.libvirtError, match="only supported for disk with 'raw'"):
        guest.dom.blockPeek('vda', 0, 4)
    guest.copy('raw', form='raw')
    guest.wait_ready()
    guest.dom.blockJobAbort('vda', PIVOT)
    assert guest.dom.blockPeek('vda', 0, 4) == b'\4\4\4\4'
    with pytest.raises(libvirt.libvirtError, match='only 0 bytes'):
        guest.dom.blockPeek('vda', 1 << 30, 4)


COMMANDS = (
    ['blockcommit', 'g', 'vda', '--top', '{images}/g2.qcow2', '--wait', '--verbose'],
    ['blockcommit', 'g', 'vda', '--active', '--shallow', '--wait', '--verbose', '--keep-overlay'],
    ['blockcommit', 'g', 'vda', '--active', '--verbose', '--pivot'],
    ['blockjob', 'g', 'vda'],
    ['blockcopy', 'g', 'vda', '{images}/copy', '--wait', '--verbose', '--transient-job'],
    ['blockjob', 'g', 'vda', '--info'],
    ['blockjob', 'g', 'vda', '--raw'],
    ['blockjob', 'g', 'vda', '5'],
    ['blockjob', 'g', 'vda', '--pivot'],
    ['blockcopy', 'g', 'vda', '{images}/copy2', '--wait', '--verbose', '--finish', '--transient-job'],
    ['blockcopy', 'g', 'vda', '{images}/copy3', '--shallow', '--bytes', '1', '--transient-job'],
    ['blockjob', 'g', 'vda', '--abort'],
    ['blockpull', 'g', 'vda', '--wait', '--verbose'],
)


def test_commands_print_what_the_distributions_do(lab):
    if not os.path.exists('/usr/bin/virsh'):
        pytest.skip('needs the distribution\'s virsh')
    said = {}
    for debian in (False, True):
        guest = Guest(lab)
        said[debian] = []
        for words in COMMANDS:
            done = lab.virsh(*(w.format(images=lab.images) for w in words), debian=debian, check=False)
            # How often progress was printed is a matter of time; a carriage return arrives here as a newline.
            progress = re.sub(r'(\n[^\n]*: \[[ 0-9.]*%\])+', '<progress>', done.stderr)
            said[debian].append((words[0], done.returncode, done.stdout, progress))
        guest.end()
        guest.dom.destroy()
        guest.dom.undefine()
        for path in lab.images.iterdir():
            path.unlink()
    assert not [(o, t) for o, t in zip(said[False], said[True]) if o != t]
