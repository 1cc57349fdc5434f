# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are plugged into running guests and taken out again, media of drives, and what both definitions say afterwards."""
import xml.etree.ElementTree as ET

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Console, wait_for
from test_snapshot import lab  # noqa: F401

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
PORTS = ("<controller type='pci' index='0' model='pcie-root'/>"
         + "<controller type='pci' model='pcie-root-port'/>" * 9 + "<controller type='scsi' model='virtio-scsi'/>"
         "<controller type='usb' model='qemu-xhci'/>"
         "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sdz' bus='sata'/><readonly/></disk>")


def disk(path, target: str, bus: str, device: str = 'disk', form: str = 'qcow2') -> str:
    source = f"<source file='{path}'/>" if path else ''
    return (f"<disk type='file' device='{device}'><driver name='qemu' type='{form}'/>{source}"
            f"<target dev='{target}' bus='{bus}'/></disk>")


def targets(dom, flags: int = 0) -> dict[str, str | None]:
    return {d.find('target').get('dev'): (s.get('file') if (s := d.find('source')) is not None else None)
            for d in ET.fromstring(dom.XMLDesc(flags)).findall('devices/disk')}


def nodes(lab) -> set[str]:
    return {n['node-name'] for n in lab.monitor('g', 'query-named-block-nodes', flat=True)}


@pytest.fixture
def guest(lab):
    conn = lab.conn()
    dom = conn.defineXML(lab.guest_xml('g', [lab.disk('root.qcow2')], form='qcow2', extra=PORTS))
    dom.create()
    console = Console(ET.fromstring(dom.XMLDesc()).find('devices/serial/source').get('path'))
    console.prepare()
    yield dom, console
    console.close()


def test_plugged_used_and_unplugged(lab, guest):
    dom, console = guest
    before = nodes(lab)
    for target, bus in (('vdb', 'virtio'), ('sda', 'scsi'), ('sdb', 'usb')):
        image = lab.disk(f'{target}.qcow2')
        dom.attachDeviceFlags(disk(image, target, bus), LIVE | CONFIG)
        assert targets(dom)[target] == targets(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)[target] == str(image)
    wait_for(lambda: 'vdb' in console.run('ls /sys/block'), what='the disk in the guest')
    console.run('echo plugged | dd of=/dev/vdb bs=512 count=1 conv=sync,fsync 2>/dev/null')
    lab.restart()
    dom = lab.conn().lookupByName('g')
    assert {'vdb', 'sda', 'sdb'} <= set(targets(dom))
    for target, bus in (('vdb', 'virtio'), ('sda', 'scsi'), ('sdb', 'usb')):
        dom.detachDeviceFlags(disk(None, target, bus), LIVE)
        wait_for(lambda: target not in targets(dom), what=f'the end of {target}')
        assert target in targets(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert nodes(lab) == before
    dom.detachDeviceFlags(disk(None, 'vdb', 'virtio'), CONFIG)
    assert 'vdb' not in targets(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)


def test_by_alias_with_events(lab, guest):
    dom, _ = guest
    dom.attachDevice(disk(lab.disk('b.qcow2'), 'vdb', 'virtio'))
    assert 'vdb' not in targets(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)
    alias = [d.find('alias').get('name') for d in ET.fromstring(dom.XMLDesc()).findall('devices/disk')
             if d.find('target').get('dev') == 'vdb'][0]
    dom.detachDeviceAlias(alias)
    wait_for(lambda: 'vdb' not in targets(dom), what='the end of vdb')
    with pytest.raises(libvirt.libvirtError) as caught:
        dom.detachDeviceAlias(alias)
    assert caught.value.get_error_code() == libvirt.VIR_ERR_DEVICE_MISSING


def test_media_change(lab, guest):
    dom, console = guest
    first, second = lab.disk('one.iso', size='1M', form='raw'), lab.disk('two.iso', size='2M', form='raw')
    before = nodes(lab)
    for image, sectors in ((first, 2048), (second, 4096)):
        dom.updateDeviceFlags(disk(image, 'sdz', 'sata', 'cdrom', 'raw'), LIVE | CONFIG)
        assert targets(dom)['sdz'] == targets(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)['sdz'] == str(image)
    dom.updateDeviceFlags(disk(None, 'sdz', 'sata', 'cdrom', 'raw'), LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
    assert targets(dom)['sdz'] is None and nodes(lab) == before


def test_what_cannot_be_leaves_nothing(lab, guest):
    dom, _ = guest
    before, there = nodes(lab), targets(dom)
    for xml in (disk(lab.images / 'missing.qcow2', 'vdb', 'virtio'), disk(lab.disk('c.qcow2'), 'vda', 'virtio'),
                disk(lab.disk('d.qcow2'), 'sdc', 'sata'), "<watchdog model='i6300esb'/>"):
        with pytest.raises(libvirt.libvirtError):
            dom.attachDeviceFlags(xml, LIVE | CONFIG)
    assert nodes(lab) == before and targets(dom) == there


@pytest.mark.parametrize('point, there', [('attach-disk/plug/device', False), ('attach-disk/plug/answered', True),
                                          ('attach-disk/commit/after', True), ('attach-disk/install/config', True)])
def test_killed_while_plugging_it_is_there_or_not(lab, point, there):
    faults = lab.dir / 'faults'
    faults.mkdir()
    lab.stop()
    lab.env['MANIFOLD_TEST_FAULTS'] = str(faults)
    lab.start()
    dom = lab.conn().defineXML(lab.guest_xml('g', [lab.disk('root.qcow2')], form='qcow2', extra=PORTS))
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    (faults / 'armed').write_text(f'{point} kill\n')
    with pytest.raises(libvirt.libvirtError):
        dom.attachDeviceFlags(disk(lab.disk('b.qcow2'), 'vdb', 'virtio'), LIVE | CONFIG)
    wait_for(lambda: lab.daemon.poll() is not None, what='the kill')
    (faults / 'armed').unlink()
    lab.start()
    dom = lab.conn().lookupByName('g')
    assert ('vdb' in targets(dom)) == ('vdb' in targets(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)) == there
    if not there:
        dom.attachDeviceFlags(disk(lab.images / 'b.qcow2', 'vdb', 'virtio'), LIVE | CONFIG)
    assert 'vdb' in targets(dom)
