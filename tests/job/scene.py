# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain with two disks in a private daemon: situations to bring it into, calls to make there, and one value that says
everything which a user could see of it. What dies or fails during the calls is the business of test_faults.py (named
points) and test_syscalls.py (system calls).

A situation has a part that leaves the domain off, built once and copied back for every point, and a part that starts it.
"""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Callable, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'live'))
lab_module = pytest.importorskip('lab')
libvirt = pytest.importorskip('libvirt')
libvirt_qemu = pytest.importorskip('libvirt_qemu')

DISK_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
DISKS = ('vda', 'vdb')
PLACES = 8  # of 64 KiB at the beginning of each disk, one for each pattern
UUID = '7d9a2c1e-5b0f-4a51-8d0e-000000000001'

# The guest: 512 bytes that note the time stamp counter as the identity of this boot at 0x600 and count ticks behind it.
BOOT_SECTOR = (b'\xfa\x31\xc0\x8e\xd8\x0f\x31\x66\xa3\x00\x06\xfb\xf4\x66\xff\x06\x04\x06\xeb\xf8'.ljust(510, b'\0') + b'\x55\xaa')


def qemu_io(path: str, *commands: str) -> bool:
    words = [word for command in commands for word in ('-c', command)]
    done = subprocess.run(['qemu-io', '-f', 'qcow2', *words, path], capture_output=True, text=True)
    return done.returncode == 0 and 'failed' not in done.stdout


def first_bytes(path: str, form: str = 'qcow2', seen: set[str] | None = None) -> list[int]:
    """The first byte of every place, read through the whole chain by nobody's code but this. @seen gets the files' names."""
    found: list[int | None] = [None] * PLACES
    while path:
        if seen is not None:
            seen.add(os.path.basename(path))
        with open(path, 'rb') as file:
            below, below_form = _read_layer(file, form, found)
        path, form = (os.path.join(os.path.dirname(path), below) if below else ''), below_form
    return [byte or 0 for byte in found]


def _read_layer(file, form: str, found: list) -> tuple[str, str]:
    if form == 'raw':
        for place in range(PLACES):
            if found[place] is None:
                file.seek(place * 65536)
                found[place] = (file.read(1) or b'\0')[0]
        return '', ''
    head = file.read(104)
    magic, _, name_at, name_len, bits, size, _, _, l1_at = struct.unpack('>4sIQIIQIIQ', head[:48])
    assert magic == b'QFI\xfb', f'{file.name} is no qcow2 image'
    entries = 1 << bits - 3
    for place in range(min(PLACES, size // 65536)):
        cluster = place * 65536 >> bits
        file.seek(l1_at + cluster // entries * 8)
        l2_at = struct.unpack('>Q', file.read(8))[0] & 0x00fffffffffffe00
        if not l2_at:
            continue
        file.seek(l2_at + cluster % entries * 8)
        entry = struct.unpack('>Q', file.read(8))[0]
        assert not entry >> 62 & 1, 'compressed'
        if entry & 1:
            byte = 0
        elif entry & 0x00fffffffffffe00:
            file.seek((entry & 0x00fffffffffffe00) + (place * 65536 & (1 << bits) - 1))
            byte = (file.read(1) or b'\0')[0]
        else:
            continue
        if found[place] is None:
            found[place] = byte
    if not name_at:
        return '', ''
    file.seek(name_at)
    name = file.read(name_len).decode()
    return name, _backing_format(file, head)


def _backing_format(file, head: bytes) -> str:
    at = struct.unpack('>I', head[100:104])[0] if head[4:8] == b'\0\0\0\3' else 72
    while True:
        file.seek(at)
        kind, size = struct.unpack('>II', file.read(8))
        if kind == 0xe2792aca:
            return file.read(size).decode()
        if kind == 0:
            return 'raw'
        at += 8 + (size + 7) // 8 * 8


class Scene:
    def __init__(self, folder: Path) -> None:
        self.lab = lab_module.Lab(folder)
        self.faults = folder / 'faults'
        self.faults.mkdir(exist_ok=True)
        self.conn = None
        self.value = 0
        self.boots: dict[int, str] = {}  # identity of a boot -> what it is called
        self.templates: dict[Callable, Path] = {}

    # ---- building ----

    def clear(self) -> None:
        """No daemon, no guest, no file."""
        self.lab.kill9()
        self.lab.kill_emulators()
        for pid in self.helpers():
            os.kill(pid, signal.SIGKILL)
        (self.lab.dir / 'libvirtd.log').unlink(missing_ok=True)
        for name in (*lab_module.BOUND, 'images', 'faults'):
            shutil.rmtree(self.lab.dir / name, ignore_errors=True)
            (self.lab.dir / name).mkdir()
        self.boots.clear()

    def make(self, build: Callable[['Scene'], None]) -> None:
        """The domain, off, in a situation; the daemon runs."""
        self.clear()
        self.start()
        for i in range(len(DISKS)):
            self.lab.disk(f'd{i}.qcow2')
        (self.lab.dir / 'boot.img').write_bytes(BOOT_SECTOR.ljust(1440 * 1024, b'\0'))
        self.conn.defineXML(self.xml())
        self.value = 0
        self.write()
        build(self)

    def reset(self, situation: 'Situation', start: bool = True) -> None:
        """The same from a copy, and the guest started where the situation says so."""
        if situation.build not in self.templates:
            self.make(situation.build)
            self.lab.stop()
            self.lab.kill_emulators()
            template = self.lab.dir / f'template-{len(self.templates)}'
            template.mkdir()
            for name in ('etc', 'lib', 'cache', 'images'):
                subprocess.run(['cp', '-a', '--sparse=always', self.lab.dir / name, template / name], check=True)
            (template / 'value').write_text(str(self.value))
            self.templates[situation.build] = template
        template = self.templates[situation.build]
        self.clear()
        for name in ('etc', 'lib', 'cache', 'images'):
            (self.lab.dir / name).rmdir()
            subprocess.run(['cp', '-a', '--sparse=always', template / name, self.lab.dir / name], check=True)
        self.value = int((template / 'value').read_text())
        self.renew_marks()
        if start:
            self.start()
            situation.begin(self)

    def renew_marks(self) -> None:
        """A copy is another file than the one that the daemon made: what it knows its images by has to be that of the copies."""
        for path in (self.lab.dir / 'lib/qemu/images').glob('*.json'):
            records = json.loads(path.read_text())
            for image, entry in records['images'].items():
                inode, day, clock, zone = subprocess.run(['stat', '-c', '%i %w', image], capture_output=True, text=True,
                                                         check=True, env={'TZ': 'UTC'}).stdout.split()
                date = subprocess.run(['date', '-u', '-d', f'{day} {clock} {zone}', '+%s%N'], capture_output=True,
                                      text=True, check=True).stdout.strip()
                entry['mark'] = f'{inode} {date}'
            path.write_text(json.dumps(records))

    def xml(self) -> str:
        disks = ''.join(f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                        f"<source file='{self.lab.images}/d{i}.qcow2'/><target dev='{dev}' bus='virtio'/></disk>"
                        for i, dev in enumerate(DISKS))
        return (f"<domain type='qemu'><name>g</name><uuid>{UUID}</uuid>"
                f"<memory unit='MiB'>32</memory><vcpu>1</vcpu>"
                f"<os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>"
                f"<devices>{disks}<disk type='file' device='floppy'><driver name='qemu' type='raw'/>"
                f"<source file='{self.lab.dir}/boot.img'/><target dev='fda' bus='fdc'/><readonly/></disk></devices></domain>")

    def start(self, program: list[str] | None = None) -> None:
        self.lab.start(program=program)
        self.conn = self.lab.conn()

    @property
    def dom(self):
        return self.conn.lookupByName('g')

    def tops(self, flags: int = libvirt.VIR_DOMAIN_XML_INACTIVE) -> list[str]:
        return [s.get('file') for s in ET.fromstring(self.dom.XMLDesc(flags)).findall(".//devices/disk[@device='disk']/source")]

    def write(self) -> None:
        """A new pattern at the beginning of each disk, on top of everything before it (only while it is off)."""
        self.value += 1
        for i, path in enumerate(self.tops()):
            pattern = self.value * 2 + i
            assert qemu_io(path, f'write -P {pattern} 0 64k', f'write -P {pattern} {self.value * 64}k 64k')

    def snap(self, name: str, memory: bool = False) -> None:
        text = f"<memory snapshot='external' file='{self.lab.images}/{name}.mem'/>" if memory else ''
        self.dom.snapshotCreateXML(f'<domainsnapshot><name>{name}</name>{text}</domainsnapshot>',
                                   0 if memory else DISK_ONLY)

    def revert(self, name: str, flags: int = 0) -> None:
        self.dom.revertToSnapshot(self.dom.snapshotLookupByName(name), flags)

    def delete(self, name: str, flags: int = 0) -> None:
        self.dom.snapshotLookupByName(name).delete(flags)

    # ---- the guest's memory ----

    def boot_identity(self) -> int:
        text = libvirt_qemu.qemuMonitorCommand(self.dom, 'xp /2wx 0x600', libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
        words = re.findall(r'0x([0-9a-f]{8})', text)
        return int(words[0], 16) if int(words[1], 16) else 0

    def wait_booted(self, name: str) -> None:
        """The boot that runs is called @name from here on."""
        lab_module.wait_for(self.boot_identity, what='the guest')
        self.boots[self.boot_identity()] = name

    # ---- looking ----

    def helpers(self) -> list[int]:
        """qemu-img and qemu-storage-daemon processes on this lab's files."""
        found = []
        for entry in Path('/proc').iterdir():
            try:
                words = (entry / 'cmdline').read_bytes() if entry.name.isdigit() else b''
            except OSError:
                continue
            if str(self.lab.dir).encode() in words and re.match(rb'[^\0]*qemu-(img|storage-daemon)\0', words):
                found.append(int(entry.name))
        return found

    def digest(self, path: str) -> str:
        return ','.join(f'{byte:02x}' for byte in first_bytes(path))

    def image_files(self) -> tuple[str, ...]:
        """Without memory prepared for mapping: it is derived, and comes and goes by itself."""
        return tuple(sorted(n for n in os.listdir(self.lab.images) if not n.endswith('.map')))

    def look(self) -> dict:
        """Everything that a user could see, as one value that can be compared."""
        if not [d for d in self.conn.listAllDomains() if d.name() == 'g']:
            return {'domain': None, 'files': self.image_files(),
                    'lib': self.lib_files(), 'emulators': len(self.lab.emulator_list())}
        dom = self.dom
        snapshots = {}
        for snapshot in dom.listAllSnapshots():
            root = ET.fromstring(snapshot.getXMLDesc())
            paths = [s.get('file') for s in root.findall("domain/devices/disk[@device='disk']/source")]
            snapshots[snapshot.getName()] = (root.findtext('parent/name'), root.findtext('state'), tuple(paths),
                                             tuple(self.digest(p) for p in paths), bool(snapshot.isCurrent()))
        tops = self.tops(0)
        state = dom.state()[0]
        # Through the guest's queue: a daemon that has just started may still be writing before that.
        boot = self.boots.get(self.boot_identity(), 'new') if state in (1, 3) else None
        return {
            'domain': (dom.isPersistent(), dom.autostart()),
            'snapshots': snapshots,
            'state': state,
            'config': tuple(self.tops()) if dom.isPersistent() else (),
            'title': ET.fromstring(dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).findtext('title'),
            'live': tuple(tops),
            'contents': tuple(self.digest(p) for p in tops),
            'files': self.image_files(),
            'lib': self.lib_files(),
            'emulators': len(self.lab.emulator_list()),
            'helpers': len(self.helpers()),
            'boot': boot,
            'saved': bool(dom.hasManagedSaveImage()),
        }

    def lib_files(self) -> tuple[str, ...]:
        """Files of the daemon's own that outlive it; of running guests' folders only that they are there."""
        found = []
        for top in ('etc', 'lib/qemu', 'run/qemu'):
            for folder, _, names in os.walk(self.lab.dir / top):
                if re.search(r'/domain-\d+-', folder):
                    continue
                found += [os.path.relpath(os.path.join(folder, name), self.lab.dir) for name in names]
        return tuple(sorted(f for f in found if not f.endswith('.pid') and 'autostarted' not in f))

    def journals(self) -> list[str]:
        folder = self.lab.dir / 'lib/qemu/journal'
        return os.listdir(folder) if folder.is_dir() else []

    def settle(self) -> None:
        """Merges of a deletion go on in the background."""
        lab_module.wait_for(lambda: not self.journals(), what='the end of the interrupted job')


# ---- situations ----

class Situation(NamedTuple):
    build: Callable[[Scene], None]
    begin: Callable[[Scene], None] = lambda scene: None


def one(scene: Scene) -> None:
    pass


def two(scene: Scene) -> None:
    scene.snap('s1')
    scene.write()
    scene.snap('s2')
    scene.write()


def branches(scene: Scene) -> None:
    two(scene)
    scene.revert('s1')
    scene.write()
    scene.snap('s3')
    scene.write()


def with_memory(scene: Scene) -> None:
    two(scene)
    scene.dom.create()
    scene.wait_booted('m1')
    scene.snap('m1', memory=True)
    scene.dom.destroy()


def saved(scene: Scene) -> None:
    two(scene)
    scene.dom.create()
    scene.dom.managedSave()


def saved_to_file(scene: Scene) -> None:
    two(scene)
    scene.dom.create()
    scene.dom.save(str(scene.lab.images / 'g.save'))


def start(scene: Scene) -> None:
    scene.dom.create()
    scene.wait_booted('before')


def start_paused(scene: Scene) -> None:
    scene.dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)


one_off, off, branched = Situation(one), Situation(two), Situation(branches)
running, paused = Situation(two, start), Situation(two, start_paused)
branched_running = Situation(branches, start)
running_with_memory, off_with_memory = Situation(with_memory, start), Situation(with_memory)
is_saved, is_saved_to_file = Situation(saved), Situation(saved_to_file)


# ---- what is done there: one line each ----

class Scenario(NamedTuple):
    situation: Situation
    act: Callable[[Scene], None]


RUNNING, PAUSED = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
METADATA_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
CHILDREN = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN
UNDEFINE = (libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)

SCENARIOS = {
    'create-first': Scenario(one_off, lambda s: s.snap('new')),
    'create-off': Scenario(off, lambda s: s.snap('new')),
    'create-running': Scenario(running, lambda s: s.snap('new')),
    'create-paused': Scenario(paused, lambda s: s.snap('new')),
    'create-memory': Scenario(running, lambda s: s.snap('new', memory=True)),
    'revert-off-to-off': Scenario(off, lambda s: s.revert('s1')),
    'revert-off-to-other-branch': Scenario(branched, lambda s: s.revert('s2')),
    'revert-off-to-running': Scenario(off, lambda s: s.revert('s1', RUNNING)),
    'revert-running-to-off': Scenario(running, lambda s: s.revert('s1')),
    'revert-running-to-running': Scenario(running, lambda s: s.revert('s1', RUNNING)),
    'revert-running-to-paused': Scenario(running, lambda s: s.revert('s2', PAUSED)),
    'revert-running-to-memory': Scenario(running_with_memory, lambda s: s.revert('m1')),
    'revert-off-to-memory': Scenario(off_with_memory, lambda s: s.revert('m1')),
    'delete-leaf-off': Scenario(off, lambda s: s.delete('s2')),
    'delete-root-off': Scenario(off, lambda s: s.delete('s1')),
    'delete-leaf-of-branch': Scenario(branched, lambda s: s.delete('s2')),
    'delete-branching-root': Scenario(branched, lambda s: s.delete('s1')),
    'delete-with-children': Scenario(branched, lambda s: s.delete('s1', CHILDREN)),
    'delete-memory': Scenario(off_with_memory, lambda s: s.delete('m1')),
    'delete-leaf-running': Scenario(running, lambda s: s.delete('s2')),
    'delete-root-running': Scenario(running, lambda s: s.delete('s1')),
    'delete-branch-running': Scenario(branched_running, lambda s: s.delete('s2')),
    'delete-metadata': Scenario(branched, lambda s: s.delete('s1', METADATA_ONLY)),
    'managed-save': Scenario(running, lambda s: s.dom.managedSave()),
    'save': Scenario(running, lambda s: s.dom.save(str(s.lab.images / 'g.save'))),
    'start-saved': Scenario(is_saved, lambda s: s.dom.create()),
    'restore': Scenario(is_saved_to_file, lambda s: s.conn.restore(str(s.lab.images / 'g.save'))),
    'start': Scenario(off, lambda s: s.dom.create()),
    'destroy': Scenario(running, lambda s: s.dom.destroy()),
    'define': Scenario(one_off, lambda s: s.conn.defineXML(s.xml().replace('>g<', '>other<').replace(UUID, UUID[:-1] + '2'))),
    'redefine': Scenario(off, lambda s: s.conn.defineXML(
        s.dom.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE).replace('</uuid>', '</uuid><title>new</title>'))),
    'undefine': Scenario(is_saved, lambda s: s.dom.undefineFlags(UNDEFINE)),
}
