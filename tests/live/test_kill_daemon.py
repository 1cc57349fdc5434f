# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of the daemon in the middle of a stream of calls, again and again, while ten guests run and count.

After each kill a new daemon must know every guest: the same processes, running or paused as last set, still counting; every
definition whole and as last acknowledged; no journal, temporary file or stray overlay left. A call that was under way when the
daemon died may have happened or not, but nothing in between. MANIFOLD_ROUNDS says how often (10), MANIFOLD_SEED repeats a run.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from uuid import NAMESPACE_DNS, uuid5

import pytest

libvirt = pytest.importorskip('libvirt')

import lab as labs  # noqa: E402
from test_lifecycle import STOPPED, Events  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-system-x86_64'), reason='QEMU is not installed'),
]

ROUNDS = int(os.environ.get('MANIFOLD_ROUNDS', '10'))
GUESTS = 10
CALLERS = 3
RUNNING, PAUSED, SHUTOFF = libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_SHUTOFF
DAEMON_GONE = (libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_INVALID_CONN)


@pytest.fixture(scope='module')
def lab():
    labs.become_subreaper()
    with labs.Lab() as one:
        yield one


class Counter:
    """A guest that counts aloud on its serial port."""

    def __init__(self, lab: labs.Lab, name: str) -> None:
        self.console = lab.console(name)
        self.last = 0

    def begin(self) -> None:
        self.console.prepare()
        os.write(self.console.fd, b'n=0; while :; do n=$((n+1)); echo tick-$n.; sleep 0.5; done\n')

    def goes_on(self) -> None:
        """Throw away what is old, then wait for two more: only ever upwards, or the guest was started anew."""
        for _ in range(2):
            number = int(self.console.wait(r'tick-(\d+)\.')[1])
            for more in re.findall(r'tick-(\d+)\.', self.console.text):
                assert int(more) > number, f'the guest counts from {number} to {more}'
                number = int(more)
            self.console.text = self.console.text[self.console.text.rfind('.') + 1:]
            assert number > self.last, f'the guest counted to {self.last} and now says {number}'
            self.last = number


class Caller:
    """A client that owns some objects, changes them, and knows what each may be: last acknowledged, or asked for since."""

    def __init__(self, lab: labs.Lab, number: int, guests: list[str]) -> None:
        self.lab = lab
        self.number = number
        self.guests = guests
        self.random = random.Random(f'{os.environ.get("MANIFOLD_SEED", "1")}/{number}')
        self.known: dict[tuple[str, str], set] = {}  # (kind, name) -> what it may be
        self.off = f'off{number}'
        self.calls = 0
        self.surprise: Exception | None = None

    def set(self, kind: str, name: str, value, call) -> None:
        """Do something after which @kind of @name is @value; both are possible until it is acknowledged."""
        key = kind, name
        self.known.setdefault(key, set()).add(value)
        call()
        self.known[key] = {value}

    def run(self) -> None:
        try:
            self.conn = self.lab.conn()
            while True:
                getattr(self, self.random.choice(['pause', 'pause', 'definition', 'definition', 'autostart', 'look', 'look',
                                                  'snapshot']))()
                self.calls += 1
        except libvirt.libvirtError as err:
            if err.get_error_code() not in DAEMON_GONE:
                self.surprise = err
        except Exception as err:
            self.surprise = err

    def pause(self) -> None:
        name = self.random.choice(self.guests)
        dom = self.conn.lookupByName(name)
        if dom.state()[0] == PAUSED:
            self.set('state', name, RUNNING, dom.resume)
        else:
            self.set('state', name, PAUSED, dom.suspend)

    def definition(self) -> None:
        name = f'defined{self.number}-{self.random.randrange(4)}'
        if self.random.random() < 0.3 and self.known.get(('definition', name), {None}) != {None}:
            self.set('definition', name, None, lambda: self.conn.lookupByName(name).undefine())
            return
        mark = f'{self.random.randrange(10**9)}' * self.random.choice([1, 2000])
        uuid = uuid5(NAMESPACE_DNS, name)
        xml = self.lab.guest_xml(name).replace('</name>', f'</name><uuid>{uuid}</uuid><description>{mark}</description>')
        self.set('definition', name, mark, lambda: self.conn.defineXML(xml))

    def autostart(self) -> None:
        name = self.random.choice(self.guests)
        value = self.random.randrange(2)
        self.set('autostart', name, value, lambda: self.conn.lookupByName(name).setAutostart(value))

    def look(self) -> None:
        dom = self.conn.lookupByName(self.random.choice(self.guests))
        dom.XMLDesc()
        self.conn.getAllDomainStats(0, 0)
        self.conn.listAllDomains()

    def snapshot(self) -> None:
        dom = self.conn.lookupByName(self.off)
        there = self.known[('snapshot', self.off)]
        if there == {None}:
            name = f's{self.random.randrange(10**6)}'
            self.set('snapshot', self.off, name, lambda: dom.snapshotCreateXML(
                f'<domainsnapshot><name>{name}</name></domainsnapshot>', libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY))
        else:
            name = next(iter(there))
            self.set('snapshot', self.off, None, lambda: dom.snapshotLookupByName(name).delete())


def found(conn, kind: str, name: str):
    """What is there now, in the words of Caller.known."""
    if kind == 'definition':
        if name not in [d.name() for d in conn.listAllDomains()]:
            return None
        return ET.fromstring(conn.lookupByName(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).findtext('description')
    dom = conn.lookupByName(name)
    if kind == 'state':
        return dom.state()[0]
    if kind == 'autostart':
        return dom.autostart()
    names = dom.snapshotListNames()
    assert len(names) <= 1, f'{name}: {names}'
    return names[0] if names else None


def chain(lab: labs.Lab, conn, name: str) -> set[str]:
    source = ET.fromstring(conn.lookupByName(name).XMLDesc()).find('devices/disk/source').get('file')
    out = subprocess.run(['qemu-img', 'info', '-U', '--backing-chain', source], check=True, capture_output=True, text=True).stdout
    return {os.path.basename(path) for path in re.findall(r'^image: (.+)$', out, re.M)}


def leftovers(lab: labs.Lab) -> list[str]:
    return [f'{where}/{name}' for folder in ('etc', 'lib', 'run', 'images') for where, _, names in os.walk(lab.dir / folder)
            for name in names if name.endswith(('.tmp', '.part', '.new'))]


def check_folders(lab: labs.Lab, conn, callers: list[Caller]) -> None:
    for path in (lab.dir / 'etc/qemu').glob('*.xml'):
        ET.parse(path)
    # What the new daemon writes just now is renamed in a moment; what the old one left would stay.
    end = time.monotonic() + 10
    while left := leftovers(lab):
        assert time.monotonic() < end, left
        time.sleep(0.05)
    wanted = set().union(*(chain(lab, conn, caller.off) for caller in callers))
    assert wanted == {p.name for p in lab.images.iterdir() if p.name.startswith('off')}


def check_round(lab: labs.Lab, callers: list[Caller], emulators: dict[str, int], counters: dict[str, Counter]) -> None:
    conn = lab.conn()
    assert sorted(lab.emulator_list()) == sorted(emulators.items())
    # A call to an emulator comes after the daemon has asked it how it is: until then the state is the one last written down,
    # and a pause that was on its way when the old daemon died may not be seen yet.
    for name in emulators:
        lab.monitor(name, 'query-status')
    labs.wait_for(lambda: not list((lab.dir / 'lib/qemu/journal').glob('*')), what='the end of the jobs that were cut off')
    for caller in callers:
        assert not caller.surprise, caller.surprise
        for (kind, name), possible in caller.known.items():
            value = found(conn, kind, name)
            assert value in possible, f'{kind} of {name} is {str(value)[:80]}, not {str(possible)[:200]}'
            caller.known[(kind, name)] = {value}
    check_folders(lab, conn, callers)
    for name, counter in counters.items():
        state = conn.lookupByName(name).state()[0]
        assert lab.monitor(name, 'query-status')['running'] == (state == RUNNING)
        if state == RUNNING:
            counter.goes_on()


def test_killed_daemon_loses_no_guest_and_no_configuration(lab):
    conn = lab.conn()
    names = [f'run{i}' for i in range(GUESTS)]
    for name in names:
        conn.defineXML(lab.guest_xml(name)).create()
    counters = {name: Counter(lab, name) for name in names}
    for counter in counters.values():
        counter.begin()
    emulators = lab.emulators()
    assert sorted(emulators) == sorted(names)
    callers = [Caller(lab, i, names[i::CALLERS]) for i in range(CALLERS)]
    for caller in callers:
        conn.defineXML(lab.guest_xml(caller.off, [lab.disk(f'{caller.off}.qcow2')]))
        caller.known[('snapshot', caller.off)] = {None}
        for name in caller.guests:
            caller.known[('state', name)], caller.known[('autostart', name)] = {RUNNING}, {0}
    conn.close()

    chance = random.Random(os.environ.get('MANIFOLD_SEED', '1'))
    slowest = 0.0
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=caller.run) for caller in callers]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 1.5))
        lab.kill9()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), 'a call did not end when the daemon was gone'
        began = time.monotonic()
        lab.start()
        lab.conn().listAllDomains()
        slowest = max(slowest, time.monotonic() - began)
        check_round(lab, callers, emulators, counters)
    print(f'{ROUNDS} kills in {sum(c.calls for c in callers)} calls; slowest restart to an answer: {slowest:.2f} s')
    for name in names:
        lab.conn().lookupByName(name).destroy()


def test_emulator_killed_behind_the_daemon_is_reported_as_crashed(lab):
    conn = lab.conn()
    events = Events(lab)
    dom = conn.defineXML(lab.guest_xml('victim', memory=64))
    dom.create()
    events.take(3)
    os.kill(lab.emulators()['victim'], signal.SIGKILL)
    assert events.take(1) == [(STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED)]
    assert dom.state() == [SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED]
    dom.create()
    assert dom.isActive()


def test_emulator_killed_while_the_daemon_is_down_is_reported_as_crashed(lab):
    dom = lab.conn().defineXML(lab.guest_xml('orphan', memory=64))
    dom.create()
    lab.kill9()
    os.kill(lab.emulators()['orphan'], signal.SIGKILL)
    labs.wait_for(lambda: 'orphan' not in lab.emulators(), what='the end of the emulator')
    lab.start()
    dom = lab.conn().lookupByName('orphan')
    labs.wait_for(lambda: not dom.isActive(), 10, 'the news that the guest is gone')
    assert dom.state() == [SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED]
    dom.create()
    dom.destroy()
