# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain with two disks under thousands of random operations, against a model in memory of what each snapshot and the
domain must contain: the model knows nothing of images, files or processes.

MODEL_SEED repeats a run, MODEL_STEPS or MODEL_SECONDS says how long it is (by itself: 40 s, seed from date and commit).
What was done is printed when something differs.
"""
import copy
import datetime
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scene import DISK_ONLY, DISKS, PLACES, RUNNING, Scene, first_bytes, lab_module, libvirt, libvirt_qemu, qemu_io

CHILDREN, CHILDREN_ONLY = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN, libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY
MAX_SNAPSHOTS = 9
HMP = libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP


@dataclass
class Node:
    parent: str | None
    disks: list[list[int]]


@dataclass
class Model:
    """What must be true."""
    disks: list[list[int]] = field(default_factory=lambda: [[0] * PLACES for _ in DISKS])
    nodes: dict[str, Node] = field(default_factory=dict)
    current: str | None = None
    runs: bool = False

    def below(self, name: str) -> list[str]:
        children = [n for n, node in self.nodes.items() if node.parent == name]
        return [n for child in children for n in [child, *self.below(child)]]

    def create(self, name: str) -> None:
        self.nodes[name] = Node(self.current, copy.deepcopy(self.disks))
        self.current = name

    def revert(self, name: str, runs: bool) -> None:
        self.disks, self.current, self.runs = copy.deepcopy(self.nodes[name].disks), name, runs

    def delete(self, name: str, flags: int) -> None:
        gone = (self.below(name) if flags else []) + ([] if flags & CHILDREN_ONLY else [name])
        parent = name if flags & CHILDREN_ONLY else self.nodes[name].parent
        if self.current in gone:
            self.current = parent
        for node in self.nodes.values():
            if node.parent in gone:
                node.parent = parent
        for each in gone:
            del self.nodes[each]


class Machine:
    """The real domain, its model, and what was done."""

    def __init__(self, scene: Scene, seed: str) -> None:
        self.scene, self.model, self.choose = scene, Model(), random.Random(seed)
        self.log: list[str] = []
        self.number = self.pattern = 0
        self.kills = {'before': 0, 'after': 0}
        scene.clear()
        scene.start()
        for i in range(len(DISKS)):
            scene.lab.disk(f'd{i}.qcow2')
        (scene.lab.dir / 'boot.img').write_bytes(bytes(1440 * 1024))
        scene.conn.defineXML(scene.xml())

    # ---- what is done: the real call, and what it does to the model ----

    def do_create(self):
        if len(self.model.nodes) >= MAX_SNAPSHOTS:
            return None
        self.number += 1
        name = f's{self.number}'
        return f'create {name}', lambda: self.scene.snap(name), lambda m: m.create(name)

    def do_write(self):
        self.pattern = self.pattern % 250 + 1
        disk, place, pattern = self.choose.randrange(len(DISKS)), self.choose.randrange(PLACES), self.pattern

        def real() -> None:
            command = f'write -P {pattern} {place * 64}k 64k'
            if not self.model.runs:
                assert qemu_io(self.scene.tops()[disk], command)
                return
            for line in (command, 'flush'):
                said = libvirt_qemu.qemuMonitorCommand(
                    self.scene.dom, f'qemu-io -d /machine/peripheral/virtio-disk{disk}/virtio-backend "{line}"', HMP)
                assert 'rror' not in said and 'failed' not in said, said

        def model(m: Model) -> None:
            m.disks[disk][place] = pattern
        return f'write {DISKS[disk]} {place} {pattern}', real, model

    def do_revert(self):
        name, runs = self.any_node(), self.choose.random() < 0.4
        return name and (f'revert {name}{" running" if runs else ""}', lambda: self.scene.revert(name, RUNNING if runs else 0),
                         lambda m: m.revert(name, runs))

    def do_delete(self):
        name, flags = self.any_node(), self.choose.choice((0, 0, 0, 0, CHILDREN, CHILDREN_ONLY))
        return name and (f'delete {name} {flags}', lambda: self.scene.delete(name, flags), lambda m: m.delete(name, flags))

    def do_power(self):
        def model(m: Model) -> None:
            m.runs = not m.runs
        runs = self.model.runs
        return ('destroy' if runs else 'start', lambda: self.scene.dom.destroy() if runs else self.scene.dom.create(), model)

    def any_node(self) -> str | None:
        return self.choose.choice(sorted(self.model.nodes)) if self.model.nodes else None

    # ---- one step ----

    def step(self) -> None:
        words = ('create',) * 4 + ('write',) * 6 + ('revert',) * 4 + ('delete',) * 4 + ('power',) * 2 + ('restart',)
        word = self.choose.choice(words)
        if word == 'restart':
            self.restart()
            return
        wanted = getattr(self, f'do_{word}')()
        if not wanted:
            return
        name, real, model = wanted
        if word in ('create', 'revert', 'delete') and self.choose.random() < 0.2:
            self.killed_during(name, real, model)
            return
        self.log.append(name)
        real()
        model(self.model)
        self.check()

    def restart(self) -> None:
        kill = self.choose.random() < 0.5
        self.log.append('kill the daemon' if kill else 'restart the daemon')
        (self.scene.lab.kill9 if kill else self.scene.lab.stop)()
        self.scene.start()
        self.check()

    def killed_during(self, name: str, real, model) -> None:
        delay = self.choose.random() ** 2 * 0.12
        self.log.append(f'{name}, and kill the daemon after {delay * 1000:.0f} ms')
        timer = threading.Timer(delay, self.scene.lab.daemon.kill)
        timer.start()
        try:
            real()
            is_answered = True
        except libvirt.libvirtError:
            is_answered = False
        timer.join()
        self.scene.lab.kill9()
        self.scene.start()
        self.scene.settle()
        after = copy.deepcopy(self.model)
        model(after)
        if is_answered or self.difference(after) is None:
            self.model = after
            self.kills['after'] += 1
        else:
            self.kills['before'] += 1
        self.check()

    # ---- looking ----

    def check(self) -> None:
        self.scene.settle()
        wrong = self.difference(self.model)
        assert wrong is None, wrong

    def difference(self, model: Model) -> str | None:
        """The first thing that is not as @model says."""
        dom = self.scene.dom
        if bool(dom.isActive()) != model.runs or len(self.scene.lab.emulator_list()) != model.runs:
            return f'active: {dom.isActive()}, {len(self.scene.lab.emulator_list())} emulators, wanted {model.runs}'
        names = sorted(s.getName() for s in dom.listAllSnapshots())
        if names != sorted(model.nodes):
            return f'snapshots {names}, wanted {sorted(model.nodes)}'
        reached: set[str] = set()
        for name, node in model.nodes.items():
            root = ET.fromstring(dom.snapshotLookupByName(name).getXMLDesc())
            paths = [s.get('file') for s in root.findall("domain/devices/disk[@device='disk']/source")]
            if root.findtext('parent/name') != node.parent:
                return f'parent of {name} is {root.findtext("parent/name")}, wanted {node.parent}'
            found = self.read(paths, reached)
            if found != node.disks:
                return f'{name} contains {found}, wanted {node.disks}'
        current = dom.snapshotCurrent().getName() if dom.hasCurrentSnapshot() else None
        if current != model.current:
            return f'current is {current}, wanted {model.current}'
        found = self.read(self.scene.tops(0), reached)
        if found != model.disks or self.scene.tops(0) != self.scene.tops():
            return f'the domain contains {found}, wanted {model.disks}'
        files = set(os.listdir(self.scene.lab.images))
        if files - reached - {'d0.qcow2', 'd1.qcow2'}:
            return f'files that nobody needs: {files - reached}'
        return None

    def read(self, paths: list[str], reached: set[str]) -> list[list[int]]:
        return [first_bytes(path, seen=reached) for path in paths]


@pytest.fixture
def scene():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    lab_module.become_subreaper()
    folder = Path(tempfile.mkdtemp(prefix='model-'))
    scene = Scene(folder)
    yield scene
    scene.lab.close()
    shutil.rmtree(folder, ignore_errors=True)


def seed_of_today() -> str:
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=lab_module.TOP, capture_output=True, text=True)
    return os.environ.get('MODEL_SEED') or f'{datetime.date.today()}-{commit.stdout.strip()}'


def test_random_operations_do_what_the_model_says(scene):
    seed, steps = seed_of_today(), int(os.environ.get('MODEL_STEPS', '1000000'))
    end = time.monotonic() + float(os.environ.get('MODEL_SECONDS', '1000000' if 'MODEL_STEPS' in os.environ else '40'))
    machine = Machine(scene, seed)
    done = 0
    try:
        while done < steps and time.monotonic() < end:
            machine.step()
            done += 1
    except Exception as problem:
        raise AssertionError(f'MODEL_SEED={seed}: step {done}: {type(problem).__name__}: {problem}\n' + '\n'.join(machine.log[-60:]) +
                             '\n' + scene.lab.log()[-4000:]) from problem
    print(f'MODEL_SEED={seed}: {done} operations, killed in the middle: {machine.kills}')
