# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saving guests and starting from what was saved: memory comes back, images are whole, and nothing is started twice."""
import os
import xml.etree.ElementTree as ET

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Console, Lab, become_subreaper

RUNNING, PAUSED, OFF = libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_SHUTOFF


@pytest.fixture
def lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


def define(lab, boots: bool = False):
    xml = lab.guest_xml('g', [lab.disk('d.qcow2')])
    if not boots:
        xml = xml[:xml.index('<kernel>')] + xml[xml.index('</cmdline>') + len('</cmdline>'):]
    return lab.conn().defineXML(xml)


def console(dom) -> Console:
    return Console(ET.fromstring(dom.XMLDesc()).find('devices/serial/source').get('path'))


def test_managed_save_brings_the_memory_back(lab):
    dom = define(lab, boots=True)
    dom.create()
    shell = console(dom)
    shell.prepare()
    shell.run('M=remembered')
    shell.close()
    dom.managedSave()
    assert dom.state()[0] == OFF and dom.hasManagedSaveImage()
    assert (lab.dir / 'lib/qemu/save/g.save').read_bytes()[:16] == b'LibvirtQemudSave'
    lab.restart()
    dom = lab.conn().lookupByName('g')
    assert dom.hasManagedSaveImage()
    dom.create()
    assert dom.state()[0] == RUNNING and not dom.hasManagedSaveImage()
    shell = console(dom)
    assert shell.run('echo $M').strip() == 'remembered'
    shell.close()


def test_paused_guest_stays_paused_unless_asked(lab):
    dom = define(lab)
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    dom.managedSave()
    dom.create()
    assert dom.state()[0] == PAUSED
    dom.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING)
    dom.create()
    assert dom.state()[0] == RUNNING


def test_saved_file_is_restored_also_without_a_definition(lab):
    dom = define(lab)
    conn, path = lab.conn(), str(lab.images / 'g.saved')
    dom.create()
    dom.save(path)
    assert dom.state()[0] == OFF
    dom.undefine()
    conn.restore(path)
    dom = conn.lookupByName('g')
    assert dom.state()[0] == RUNNING and not dom.isPersistent()
    assert os.path.exists(path)
    with pytest.raises(libvirt.libvirtError, match='already active'):
        conn.restore(path)
    dom.destroy()
    with pytest.raises(libvirt.libvirtError):
        conn.lookupByName('g')


def test_definition_inside_an_image_can_be_read_and_changed(lab):
    dom = define(lab)
    conn, path = lab.conn(), str(lab.images / 'g.saved')
    dom.create()
    dom.save(path)
    xml = conn.saveImageGetXMLDesc(path)
    assert ET.fromstring(xml).findtext('name') == 'g'
    conn.saveImageDefineXML(path, xml.replace('<name>g</name>', '<name>g</name><description>changed</description>'),
                            libvirt.VIR_DOMAIN_SAVE_PAUSED)
    assert ET.fromstring(conn.saveImageGetXMLDesc(path)).findtext('description') == 'changed'
    conn.restore(path)
    assert dom.state()[0] == PAUSED


def test_unfinished_image_is_refused_and_an_unfinished_managed_save_boots(lab):
    dom = define(lab)
    path = lab.images / 'g.saved'
    path.write_bytes(b'LibvirtQemudPart' + bytes(200))
    with pytest.raises(libvirt.libvirtError, match='incomplete'):
        lab.conn().restore(str(path))
    managed = lab.dir / 'lib/qemu/save/g.save'
    managed.write_bytes(path.read_bytes())
    lab.restart()
    dom = lab.conn().lookupByName('g')
    dom.create()
    assert dom.state()[0] == RUNNING and not managed.exists()


def test_failed_restore_keeps_the_image(lab):
    dom = define(lab)
    dom.create()
    dom.managedSave()
    managed = lab.dir / 'lib/qemu/save/g.save'
    whole = managed.read_bytes()
    managed.write_bytes(whole[:len(whole) * 2 // 3])
    with pytest.raises(libvirt.libvirtError):
        dom.create()
    assert dom.state()[0] == OFF and managed.exists() and not lab.emulators()
    managed.write_bytes(whole)
    dom.create()
    assert dom.state()[0] == RUNNING and not managed.exists()


def test_force_boot_and_remove_throw_the_saved_state_away(lab):
    dom = define(lab)
    dom.create()
    dom.managedSave()
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_FORCE_BOOT)
    assert dom.state()[0] == RUNNING and not dom.hasManagedSaveImage()
    dom.managedSave()
    dom.managedSaveRemove()
    assert not dom.hasManagedSaveImage()
    dom.create()


def test_revert_with_a_saved_state_needs_force(lab):
    dom = define(lab)
    dom.snapshotCreateXML('<domainsnapshot><name>s1</name></domainsnapshot>', libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    dom.create()
    dom.managedSave()
    with pytest.raises(libvirt.libvirtError, match='FORCE'):
        dom.revertToSnapshot(dom.snapshotLookupByName('s1'))
    dom.revertToSnapshot(dom.snapshotLookupByName('s1'), libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)
    assert not dom.hasManagedSaveImage()
