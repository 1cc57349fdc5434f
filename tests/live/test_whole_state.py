# SPDX-License-Identifier: LGPL-2.1-or-later
"""What belongs to a guest's state besides disks and memory: the firmware's variables come back with both, and memory is not
put over disks of another time."""
import os
import subprocess
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Lab, become_subreaper

CODE, VARS = '/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'
DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
PAUSED, OFF = libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_SHUTOFF


@pytest.fixture
def lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


class Guest:
    """Nothing runs in it: what the firmware would keep is written by the test."""

    def __init__(self, lab: Lab, disks: int = 1, firmware: bool = True) -> None:
        if firmware and not os.path.exists(CODE):
            pytest.skip('needs ovmf')
        self.lab = lab
        self.nvram = lab.images / 'vars.fd'
        xml = lab.guest_xml('g', [lab.disk(f'd{i}.qcow2') for i in range(disks)], memory=48)
        xml = xml[:xml.index('<kernel>')] + xml[xml.index('</cmdline>') + len('</cmdline>'):]
        if firmware:
            xml = xml.replace('</os>', f"<loader readonly='yes' type='pflash'>{CODE}</loader>"
                                       f"<nvram template='{VARS}'>{self.nvram}</nvram></os>")
        self.dom = lab.conn().defineXML(xml)

    def find(self) -> None:
        self.dom = self.lab.conn().lookupByName('g')

    def start(self, flags: int = 0) -> None:
        self.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED | flags)

    def note(self, value: int) -> None:
        """A variable, as far as a byte of the store is one; an emulator that has the file open sees it, too."""
        with open(self.nvram, 'r+b') as store:
            store.seek(300000)
            store.write(bytes([value]))

    def noted(self) -> int:
        return self.nvram.read_bytes()[300000]

    def snap(self, name: str, memory: bool = False, body: str = '') -> None:
        if memory:
            body += f"<memory snapshot='external' file='{self.lab.images}/{name}.mem'/>"
        self.dom.snapshotCreateXML(f'<domainsnapshot><name>{name}</name>{body}</domainsnapshot>',
                                   0 if memory else DISK_ONLY)

    def revert(self, name: str, flags: int = 0) -> None:
        self.dom.revertToSnapshot(self.dom.snapshotLookupByName(name), flags)


def test_variables_come_back_with_disks_and_with_memory(lab):
    guest = Guest(lab)
    guest.start()
    guest.dom.destroy()
    assert guest.nvram.read_bytes() == Path(VARS).read_bytes()
    guest.note(1)
    guest.snap('off')
    guest.note(2)
    guest.start()
    guest.snap('memory', memory=True)
    guest.note(3)
    for _ in range(2):
        for name, value, state in (('off', 1, OFF), ('memory', 2, PAUSED)):
            guest.revert(name)
            assert guest.noted() == value and guest.dom.state()[0] == state
            guest.note(9)
    # The disks of a running guest alone leave them.
    guest.snap('disks')
    guest.revert('disks')
    assert guest.noted() == 9
    guest.revert('memory', libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM)
    assert guest.nvram.read_bytes() == Path(VARS).read_bytes()
    copies = [lab.images / f'vars.fd.{name}' for name in ('off', 'memory')]
    assert all(copy.exists() for copy in copies) and not (lab.images / 'vars.fd.disks').exists()
    for name in ('disks', 'memory', 'off'):
        guest.dom.snapshotLookupByName(name).delete()
    assert not any(copy.exists() for copy in copies) and guest.nvram.exists()


def test_start_can_reset_the_variables(lab):
    guest = Guest(lab)
    guest.start()
    guest.dom.destroy()
    guest.note(5)
    guest.start()
    guest.dom.destroy()
    assert guest.noted() == 5
    guest.start(libvirt.VIR_DOMAIN_START_RESET_NVRAM)
    assert guest.nvram.read_bytes() == Path(VARS).read_bytes()


def test_variables_are_before_or_after_when_the_daemon_is_killed(lab):
    faults = lab.dir / 'faults'
    faults.mkdir()
    lab.stop()
    lab.env['MANIFOLD_TEST_FAULTS'] = str(faults)
    lab.start()
    guest = Guest(lab)
    guest.start()
    guest.dom.destroy()
    guest.note(1)
    guest.snap('one')
    for point, value in (('revert/create', 2), ('revert/commit/before', 2), ('revert/commit/after', 1),
                         ('revert/install/firmware', 1), ('revert/install/config', 1), ('revert/remove-old', 1)):
        guest.note(2)
        (faults / 'armed').write_text(f'{point} kill\n')
        with pytest.raises(libvirt.libvirtError):
            guest.revert('one')
        lab.daemon.wait(30)
        lab.daemon = None
        (faults / 'armed').write_text('')
        lab.start()
        guest.find()
        guest.dom.XMLDesc()
        guest.dom.info()
        assert guest.noted() == value, point
    for point in ('firmware', 'firmware/copy', 'switch', 'commit/before'):
        (faults / 'armed').write_text(f'snapshot-create/{point} kill\n')
        with pytest.raises(libvirt.libvirtError):
            guest.snap('two')
        lab.daemon.wait(30)
        lab.daemon = None
        (faults / 'armed').write_text('')
        lab.start()
        guest.find()
        guest.dom.info()
        assert not [n for n in os.listdir(lab.images) if 'two' in n], point
    guest.snap('two')
    assert (lab.images / 'vars.fd.two').exists()


def test_memory_over_disks_of_another_time_is_refused_unless_forced(lab):
    guest = Guest(lab, disks=2, firmware=False)
    guest.start()
    guest.snap('one', memory=True, body="<disks><disk name='vda'/><disk name='vdb' snapshot='no'/></disks>")
    guest.dom.resume(), guest.dom.suspend()
    guest.snap('whole', memory=True)
    with pytest.raises(libvirt.libvirtError, match="disk vdb was not kept.*FORCE") as refused:
        guest.revert('one')
    assert refused.value.get_error_code() == libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY
    assert guest.dom.state()[0] == PAUSED
    guest.revert('whole')
    guest.revert('one', libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)
    assert guest.dom.state()[0] == PAUSED
