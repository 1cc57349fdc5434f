# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints of real guests: bitmaps in their images, through snapshots, restarts of guest and daemon, and deletions."""
import os
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Lab, become_subreaper

REDEFINE, VALIDATE = (libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE,
                      libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE)
DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
SIZE, NO_DOMAIN = libvirt.VIR_DOMAIN_CHECKPOINT_XML_SIZE, libvirt.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN


class Guest:
    """Two disks, paused, written to through QEMU itself so that its bitmaps see it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.conn = lab.conn()
        paths = [lab.disk(f'd{i}.qcow2') for i in range(2)]
        self.dom = self.conn.defineXML(re.sub('<kernel>.*</cmdline>', '', lab.guest_xml('g', paths, memory=32)))
        self.start()

    def start(self) -> None:
        self.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

    def restart_daemon(self) -> None:
        self.lab.kill9()
        self.lab.start()
        self.conn = self.lab.conn()
        self.dom = self.conn.lookupByName('g')

    def make(self, name: str, *disks: str) -> None:
        body = ''.join(f"<disk name='{d}'/>" for d in disks)
        self.dom.checkpointCreateXML(f"<domaincheckpoint><name>{name}</name>{body and f'<disks>{body}</disks>'}</domaincheckpoint>")

    def write(self, target: str, kib: int, size: int = 64) -> None:
        disk = next(d for d in ET.fromstring(self.dom.XMLDesc()).findall('devices/disk') if d.find('target').get('dev') == target)
        device = f"/machine/peripheral/{disk.find('alias').get('name')}/virtio-backend"
        said = self.lab.monitor('g', 'human-monitor-command', **{'command-line': f'qemu-io -d {device} "write {kib}k {size}k"'})
        assert 'failed' not in said and 'rror' not in said, said

    def sizes(self, name: str) -> dict[str, int]:
        root = ET.fromstring(self.dom.checkpointLookupByName(name).getXMLDesc(SIZE | NO_DOMAIN))
        return {d.get('name'): int(d.get('size')) for d in root.findall('disks/disk') if d.get('checkpoint') == 'bitmap'}

    def bitmaps(self) -> dict[str, set[str]]:
        nodes = self.lab.monitor('g', 'query-named-block-nodes', flat=True)
        return {os.path.basename(n['file']): {b['name'] for b in n['dirty-bitmaps']} for n in nodes if n.get('dirty-bitmaps')}

    def tree(self) -> dict[str, str | None]:
        return {c.getName(): ET.fromstring(c.getXMLDesc(NO_DOMAIN)).findtext('parent/name') for c in self.dom.listAllCheckpoints()}


@pytest.fixture(scope='module')
def shared_lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


@pytest.fixture
def guest(shared_lab):
    guest = Guest(shared_lab)
    yield guest
    dom = guest.conn.lookupByName('g')
    if dom.isActive():
        dom.destroy()
    dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)
    for path in shared_lab.images.iterdir():
        path.unlink()
    assert not list((shared_lab.dir / 'lib/qemu/checkpoint').iterdir())


def test_each_checkpoint_counts_what_changed_since(guest):
    guest.make('c1')
    guest.write('vda', 0)
    guest.make('c2', 'vda')
    guest.write('vda', 1024, 128)
    guest.write('vdb', 0)
    assert guest.sizes('c1') == {'vda': 192 * 1024, 'vdb': 65536}
    assert guest.sizes('c2') == {'vda': 128 * 1024}
    assert guest.tree() == {'c1': None, 'c2': 'c1'}
    assert guest.bitmaps() == {'d0.qcow2': {'c1', 'c2'}, 'd1.qcow2': {'c1'}}


def test_checkpoints_outlive_daemon_and_guest(guest):
    guest.make('c1')
    guest.write('vda', 0)
    guest.restart_daemon()
    assert guest.sizes('c1')['vda'] == 65536
    guest.dom.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    with pytest.raises(libvirt.libvirtError, match='not running'):
        guest.sizes('c1')
    guest.start()
    assert guest.sizes('c1')['vda'] == 65536
    guest.make('c2')
    assert guest.tree() == {'c1': None, 'c2': 'c1'}


@pytest.mark.parametrize('is_off', (False, True))
def test_snapshots_go_on_counting(guest, is_off):
    guest.make('c1')
    guest.write('vda', 0)
    if is_off:
        guest.dom.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    guest.dom.snapshotCreateXML('<domainsnapshot><name>s1</name></domainsnapshot>', DISK_ONLY)
    if is_off:
        guest.start()
    assert guest.bitmaps() == {name: {'c1'} for name in ('d0.qcow2', 'd1.qcow2', 'd0.s1', 'd1.s1')}
    guest.write('vda', 1024)
    assert guest.sizes('c1') == {'vda': 131072, 'vdb': 0}
    guest.dom.checkpointLookupByName('c1').delete()
    assert guest.bitmaps() == {} and guest.tree() == {}


def test_what_would_lose_track_is_refused(guest):
    snapshot = guest.dom.snapshotCreateXML('<domainsnapshot><name>s1</name></domainsnapshot>', DISK_ONLY)
    guest.make('c1')
    for change in (lambda: guest.dom.blockPull('vda'), snapshot.delete, lambda: guest.dom.revertToSnapshot(snapshot),
                   lambda: guest.dom.blockCommit('vda', None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)):
        with pytest.raises(libvirt.libvirtError, match='1 checkpoints.*checkpoint-delete'):
            change()
    guest.dom.checkpointLookupByName('c1').delete()
    snapshot.delete()


def test_deleting_moves_children_to_the_parent(guest):
    for name in ('a', 'b', 'c'):
        guest.make(name)
    guest.dom.checkpointLookupByName('b').delete()
    assert guest.tree() == {'a': None, 'c': 'a'} and guest.bitmaps()['d0.qcow2'] == {'a', 'c'}
    guest.dom.checkpointLookupByName('a').delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY)
    assert guest.tree() == {'a': None} and guest.bitmaps()['d0.qcow2'] == {'a'}
    text = guest.dom.checkpointLookupByName('a').getXMLDesc()
    guest.dom.checkpointLookupByName('a').delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
    assert guest.tree() == {} and guest.bitmaps()['d0.qcow2'] == {'a'}
    with pytest.raises(libvirt.libvirtError, match="bitmap 'z' for disk 'vda'"):
        guest.dom.checkpointCreateXML(text.replace('<name>a<', '<name>z<', 1).replace("bitmap='a'", "bitmap='z'"), REDEFINE | VALIDATE)
    guest.dom.checkpointCreateXML(text, REDEFINE | VALIDATE)
    assert guest.tree() == {'a': None}
    guest.dom.checkpointLookupByName('a').delete()


def test_refusals_leave_nothing(guest):
    guest.make('c1')
    for text, code in (("<domaincheckpoint><name>c1</name></domaincheckpoint>", libvirt.VIR_ERR_OPERATION_FAILED),
                       ("<domaincheckpoint><name>x</name><disks><disk name='vdz'/></disks></domaincheckpoint>", libvirt.VIR_ERR_CONFIG_UNSUPPORTED),
                       ("<domaincheckpoint><name>../x</name></domaincheckpoint>", libvirt.VIR_ERR_XML_INVALID_SCHEMA)):
        with pytest.raises(libvirt.libvirtError) as caught:
            guest.dom.checkpointCreateXML(text)
        assert caught.value.get_error_code() == code
    guest.dom.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    for change in (lambda: guest.make('off'), guest.dom.checkpointLookupByName('c1').delete):
        with pytest.raises(libvirt.libvirtError, match='inactive domain'):
            change()
    with pytest.raises(libvirt.libvirtError, match='1 checkpoints'):
        guest.dom.undefine()
    assert guest.tree() == {'c1': None}
