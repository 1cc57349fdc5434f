# SPDX-License-Identifier: LGPL-2.1-or-later
"""One guest of each machine with every kind of device that the driver knows: the emulator takes the whole command line."""
import os
import shutil
import xml.etree.ElementTree as ET

import pytest

libvirt = pytest.importorskip('libvirt')

import lab as labs  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-system-x86_64'), reason='QEMU is not installed'),
]

ALIKE = """
<controller type='scsi' model='virtio-scsi'/>
<interface type='user'><model type='e1000'/><boot order='2'/></interface>
<interface type='ethernet'><target dev='given0'/><model type='virtio'/></interface>
<interface type='ethernet'><model type='virtio'/></interface>
<serial type='file'><source path='{dir}/serial.log'/></serial>
<serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/><protocol type='telnet'/></serial>
<serial type='null'/>
<serial type='pty'><log file='{dir}/serial4.log' append='on'/></serial>
<parallel type='null'/>
<console type='pty'><target type='virtio'/></console>
<channel type='pty'><target type='virtio' name='a.b'/></channel>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<channel type='null'><target type='guestfwd' address='10.0.2.100' port='4600'/></channel>
<input type='tablet' bus='usb'/><input type='keyboard' bus='virtio'/><input type='mouse' bus='usb'/>
<hub type='usb'/>
<graphics type='vnc' port='-1' autoport='yes' websocket='-1' passwd='sesame' sharePolicy='ignore' keymap='en-us'>
  <listen type='address' address='127.0.0.1'/></graphics>
<sound model='ich6'/><sound model='ac97'/><sound model='es1370'/>
<watchdog model='i6300esb' action='poweroff'/>
<rng model='virtio'><backend model='builtin'/><rate bytes='1000' period='1000'/></rng>
<panic model='isa'/>
<memballoon model='virtio'><stats period='5'/></memballoon>
"""

PC = """
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<controller type='usb' model='ich9-ehci1'/><controller type='usb' model='ich9-uhci1'/>
<controller type='pci' index='1' model='pci-bridge'/>
<video><model type='cirrus'/></video>
"""

Q35 = """
<disk type='file' device='cdrom'><source file='{dir}/images/cd.iso'/><target dev='sdd' bus='sata'/></disk>
<controller type='pci' index='9' model='pcie-to-pci-bridge'/>
<video><model type='virtio' heads='2'/></video>
"""

NUMA = """<cpu mode='custom'><model>Nehalem</model><topology sockets='1' dies='1' cores='2' threads='2'/>
<numa><cell id='0' cpus='0-1' memory='64' unit='MiB'/><cell id='1' cpus='2-3' memory='64' unit='MiB' memAccess='shared'/></numa></cpu>"""


@pytest.fixture(scope='module')
def lab():
    labs.become_subreaper()
    with labs.Lab() as one:
        yield one


def disk(path, dev: str, bus: str, extra: str = '', form: str = 'qcow2', device: str = 'disk') -> str:
    return (f"<disk type='file' device='{device}'><driver name='qemu' type='{form}'/><source file='{path}'/>"
            f"<target dev='{dev}' bus='{bus}'/>{extra}</disk>")


def disks(lab, last: str, bus: str) -> str:
    def image(name: str, form: str = 'qcow2'):
        path = lab.images / name
        return path if path.exists() else lab.disk(name, '2M', form)
    image('cd.iso', 'raw')
    floppy = lab.images / 'floppy'
    floppy.write_bytes(bytes(1440 * 1024))
    return (disk(image('1'), 'vda', 'virtio', "<boot order='1'/><serial>AB</serial><iotune><total_bytes_sec>9000000"
                 "</total_bytes_sec></iotune>")
            + disk(image('2'), 'sda', 'scsi', '<wwn>5000c50015ea71aa</wwn>') + disk(image('3'), 'sdb', 'usb')
            + disk(image('4'), last, bus) + disk(floppy, 'fda', 'fdc', form='raw', device='floppy'))


def start(lab, machine: str, head: str, devices: str):
    return lab.conn().createXML(
        f"<domain type='qemu'><name>all-{machine}</name><memory unit='MiB'>128</memory><vcpu current='2'>4</vcpu>"
        f"<iothreads>2</iothreads><os><type arch='x86_64' machine='{machine}'>hvm</type>"
        f"<bootmenu enable='yes' timeout='1'/><smbios mode='sysinfo'/></os><sysinfo type='smbios'><system>"
        f"<entry name='manufacturer'>Acme, Inc.</entry></system></sysinfo><features><acpi/><apic/></features>{head}"
        f"<on_reboot>destroy</on_reboot><devices>{devices}</devices></domain>", 0)


@pytest.mark.parametrize('machine, head, own, last, bus', [('pc', '<genid/>', PC, 'hda', 'ide'), ('q35', NUMA, Q35, 'sdc', 'sata')])
def test_every_kind_of_device_starts(lab, machine, head, own, last, bus):
    dom = start(lab, machine, head, disks(lab, last, bus) + (ALIKE + own).format(dir=lab.dir))
    live = ET.fromstring(dom.XMLDesc())
    names = [target.get('dev') for target in live.findall('devices/interface/target')]
    assert names[0] == 'given0' and names[1].startswith('vnet')
    assert dom.interfaceStats('given0')
    aliases = [alias.get('name') for alias in live.iter('alias')]
    assert all(aliases), aliases
    port = int(live.find('devices/graphics').get('port'))
    assert port >= 5900
    channel = live.find("devices/channel[@type='unix']/source").get('path')
    assert channel.endswith('/org.qemu.guest_agent.0')
    sock = lab.dir / 'lib' / channel.split('/var/lib/libvirt/')[1]
    assert sock.is_socket()
    dom.destroy()
    assert not sock.exists()


def test_threads_run_where_the_definition_says(lab):
    if os.cpu_count() < 2:
        pytest.skip('needs two CPUs')
    dom = start(lab, 'q35', "<cputune><vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='0'/></cputune>", '')
    assert os.sched_getaffinity(lab.emulators()['all-q35']) == {0}
    assert [list(one).index(True) for one in dom.vcpus()[1]][0] == 1
    dom.destroy()

