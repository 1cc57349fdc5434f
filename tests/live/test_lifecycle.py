# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real guests under software emulation: defined, started, paused, reset, stopped, and found again after the daemon is gone."""
import json
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')

libvirt_qemu = pytest.importorskip('libvirt_qemu')

import lab as labs  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-system-x86_64'), reason='QEMU is not installed'),
]

# What the tests read as events: (event, detail) of VIR_DOMAIN_EVENT_ID_LIFECYCLE.
DEFINED, UNDEFINED, STARTED, SUSPENDED, RESUMED, STOPPED, SHUTDOWN = range(7)


class Events:
    """Lifecycle events of a connection, in order."""
    def __init__(self, lab: labs.Lab) -> None:
        labs.run_event_loop()
        self.seen: list[tuple[str, int, int]] = []
        self.changed = threading.Condition()
        self.conn = lab.conn()
        self.conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on, None)

    def _on(self, conn, dom, event, detail, opaque) -> None:
        with self.changed:
            self.seen.append((dom.name(), event, detail))
            self.changed.notify_all()

    def take(self, count: int, seconds: float = 30) -> list[tuple[int, int]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.seen) >= count, seconds), self.seen
            taken, self.seen = self.seen[:count], self.seen[count:]
        return [(event, detail) for _name, event, detail in taken]


@pytest.fixture(scope='module')
def lab():
    labs.become_subreaper()
    with labs.Lab() as one:
        yield one


@pytest.fixture
def guest(lab, request):
    """A defined guest with one disk, gone again afterwards."""
    name = 'g' + str(abs(hash(request.node.name)) % 10**8)
    conn = lab.conn()
    dom = conn.defineXML(lab.guest_xml(name, [lab.disk(name + '.qcow2')]))
    yield dom
    dom = lab.conn().lookupByName(name)
    persistent = dom.isPersistent()
    if dom.isActive():
        dom.destroy()
    if persistent:
        dom.undefine()


def console_of(dom) -> labs.Console:
    return labs.Console(re.search("<console type='pty' tty='([^']+)'", dom.XMLDesc())[1])


def error_of(call, *args) -> int:
    with pytest.raises(libvirt.libvirtError) as caught:
        call(*args)
    return caught.value.get_error_code()


def test_guest_boots_and_its_console_answers(lab, guest):
    guest.create()
    console = console_of(guest)
    console.prepare()
    assert console.run('echo $((6 * 7))').strip() == '42'
    console.close()


def test_console_stream_carries_both_ways(lab, guest):
    guest.create()
    stream = guest.connect().newStream(0)
    guest.openConsole(None, stream, 0)
    text = b''
    while b'GUEST-UP' not in text:
        text += stream.recv(4096)
    stream.send(b'echo st""ream-$((40 + 2))\n')
    while b'stream-42' not in text:
        text += stream.recv(4096)
    second = guest.connect().newStream(0)
    with pytest.raises(libvirt.libvirtError, match='Active console session'):
        guest.openConsole(None, second, 0)
        second.recv(1)
    stream.abort()


def test_events_come_in_upstreams_order(lab, guest):
    events = Events(lab)
    guest.create()
    assert events.take(2) == [(RESUMED, 0), (STARTED, 0)]
    guest.suspend()
    guest.resume()
    assert events.take(2) == [(SUSPENDED, 0), (RESUMED, 0)]
    guest.destroy()
    assert events.take(2) == [(SHUTDOWN, 2), (STOPPED, 1)]
    guest.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    assert events.take(2) == [(STARTED, 0), (SUSPENDED, 0)]
    assert guest.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    guest.destroy()
    assert events.take(2) == [(SHUTDOWN, 2), (STOPPED, 1)]


def test_guest_shuts_down_and_reboots_when_asked(lab, guest):
    events = Events(lab)
    guest.create()
    console = console_of(guest)
    console.prepare()
    guest.reboot()
    console.wait('GUEST-UP')
    assert guest.isActive()
    console.run('true')
    events.seen.clear()
    guest.shutdown()
    labs.wait_for(lambda: not guest.isActive(), 60, 'the shutdown')
    assert events.take(2) == [(SHUTDOWN, 1), (STOPPED, 0)]
    assert guest.state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN]
    console.close()


def test_calls_that_do_not_fit_the_state_are_refused(lab, guest):
    assert error_of(guest.suspend) == libvirt.VIR_ERR_OPERATION_INVALID
    assert error_of(guest.destroy) == libvirt.VIR_ERR_OPERATION_INVALID
    guest.create()
    assert error_of(guest.create) == libvirt.VIR_ERR_OPERATION_INVALID
    assert error_of(guest.resume) == libvirt.VIR_ERR_OPERATION_INVALID
    assert error_of(guest.createWithFlags, 1 << 20) == libvirt.VIR_ERR_INVALID_ARG


def test_transient_guest_is_gone_when_it_stops(lab):
    conn = lab.conn()
    dom = conn.createXML(lab.guest_xml('passing'), 0)
    assert not dom.isPersistent()
    assert error_of(conn.createXML, lab.guest_xml('passing'), 0) == libvirt.VIR_ERR_OPERATION_FAILED
    dom.destroy()
    assert error_of(conn.lookupByName, 'passing') == libvirt.VIR_ERR_NO_DOMAIN
    assert 'passing' not in lab.emulators()


def test_failed_start_leaves_nothing_behind(lab, guest):
    xml = guest.XMLDesc().replace(f'{guest.name()}.qcow2', 'missing.qcow2')
    guest.connect().defineXML(xml)
    assert error_of(guest.create) != libvirt.VIR_ERR_OK
    assert not guest.isActive()
    assert guest.name() not in lab.emulators()
    assert not (lab.dir / 'run/qemu' / f'{guest.name()}.xml').exists()
    assert not list((lab.dir / 'lib/qemu').glob('domain-*'))


def test_autodestroy_ends_with_the_connection(lab, guest):
    conn = lab.conn()
    conn.lookupByName(guest.name()).createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
    assert guest.isActive()
    conn.close()
    labs.wait_for(lambda: not guest.isActive(), what='autodestroy')


def test_undefined_guest_runs_on_as_transient(lab, guest):
    guest.create()
    guest.undefine()
    assert guest.isActive() and not guest.isPersistent()
    assert not (lab.dir / 'etc/qemu' / f'{guest.name()}.xml').exists()


def test_emulator_killed_from_outside_is_noticed(lab, guest):
    events = Events(lab)
    guest.create()
    events.take(2)
    os.kill(lab.emulators()[guest.name()], signal.SIGKILL)
    assert events.take(1) == [(STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED)]
    assert guest.state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED]


def test_stuck_emulator_delays_its_own_calls_only(lab, guest):
    guest.create()
    pid = lab.emulators()[guest.name()]
    os.kill(pid, signal.SIGSTOP)
    other = threading.Thread(target=lambda: error_of(guest.suspend))
    other.start()
    time.sleep(0.3)
    before = time.monotonic()
    conn = lab.conn()
    assert conn.lookupByName(guest.name()).state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert guest.name() in conn.getAllDomainStats()[0][0].connect().lookupByName(guest.name()).name()
    assert time.monotonic() - before < 3
    before = time.monotonic()
    guest.destroy()
    assert time.monotonic() - before < 3
    other.join(20)
    assert guest.name() not in lab.emulators()


def test_statistics_of_a_running_guest(lab, guest):
    guest.create()
    console = console_of(guest)
    console.prepare()
    console.run('dd if=/dev/zero of=/dev/vda bs=64k count=16 2>/dev/null; sync')
    console.close()
    assert guest.blockStats('vda')[3] >= 16 * 65536
    assert guest.blockStatsFlags('vda')['wr_bytes'] >= 16 * 65536
    capacity, allocation, _physical = guest.blockInfo('vda')
    assert capacity == 16 << 20 and allocation >= 16 * 65536
    stats = guest.connect().domainListGetStats([guest])[0][1]
    assert stats['state.state'] == libvirt.VIR_DOMAIN_RUNNING
    assert stats['block.0.name'] == 'vda' and stats['block.0.wr.bytes'] >= 16 * 65536
    assert stats['cpu.time'] > 0 and stats['vcpu.0.time'] > 0
    assert guest.memoryStats()['rss'] > 0
    assert guest.info()[4] > 0 and len(guest.vcpus()[0]) == 1


def test_monitor_is_reached_both_ways(lab, guest):
    guest.create()
    reply = json.loads(libvirt_qemu.qemuMonitorCommand(guest, '{"execute":"query-status","id":"mine"}', 0))
    assert reply['return']['running'] is True and reply['id'] == 'mine'
    assert 'VM status: running' in libvirt_qemu.qemuMonitorCommand(guest, 'info status', 1)


def test_metadata_changes_here_and_on_disk(lab, guest):
    guest.create()
    flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
    guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, 'a title', None, None, flags)
    guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, '<x a="1"/>', 'p', 'http://example.org/p', flags)
    assert guest.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None) == 'a title'
    assert 'a="1"' in guest.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, 'http://example.org/p')
    assert '<title>a title</title>' in (lab.dir / 'etc/qemu' / f'{guest.name()}.xml').read_text()
    guest.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, 'p', 'http://example.org/p', flags)
    assert error_of(guest.metadata, libvirt.VIR_DOMAIN_METADATA_ELEMENT, 'http://example.org/p') == libvirt.VIR_ERR_NO_DOMAIN_METADATA


def test_rename_moves_the_definition(lab, guest):
    old = guest.name()
    guest.rename(old + '-new')
    folder = lab.dir / 'etc/qemu'
    assert (folder / f'{old}-new.xml').exists() and not (folder / f'{old}.xml').exists()
    lab.conn().lookupByName(old + '-new').rename(old)


def test_emulator_gets_only_its_descriptors(lab, guest):
    guest.create()
    own = {os.readlink(f'/proc/{lab.pid}/fd/{fd}') for fd in os.listdir(f'/proc/{lab.pid}/fd')}
    pid = lab.emulators()[guest.name()]
    shared = own & {os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')}
    assert not {name for name in shared if name.startswith(('socket:', 'pipe:')) or name.startswith(str(lab.dir))}, shared


# ---- the daemon goes, the guests stay ----

def test_guests_are_found_again_after_kill_9(lab, guest):
    guest.create()
    console = console_of(guest)
    console.prepare()
    pid = lab.emulators()[guest.name()]
    for round_number in range(3):
        lab.kill9()
        lab.start()
        again = lab.conn().lookupByName(guest.name())
        assert again.isActive() and again.isPersistent()
        again.suspend()
        assert again.state()[0] == libvirt.VIR_DOMAIN_PAUSED
        again.resume()
        assert console.run(f'echo round-{round_number}').strip() == f'round-{round_number}'
    assert lab.emulators()[guest.name()] == pid
    console.close()


def test_paused_guest_stays_paused_over_a_restart(lab, guest):
    guest.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    lab.restart()
    again = lab.conn().lookupByName(guest.name())
    again.metadata  # any call after the takeover
    assert again.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    again.resume()


def test_guest_that_died_meanwhile_is_reported(lab, guest):
    guest.create()
    pid = lab.emulators()[guest.name()]
    lab.kill9()
    os.kill(pid, signal.SIGKILL)
    lab.start()
    again = lab.conn().lookupByName(guest.name())
    assert again.state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED]
    assert f'{guest.name()}: stopped while no daemon was running' in lab.log()
    assert not (lab.dir / 'run/qemu' / f'{guest.name()}.xml').exists()


def test_stuck_emulator_is_taken_over_when_it_wakes(lab, guest):
    guest.create()
    pid = lab.emulators()[guest.name()]
    lab.kill9()
    os.kill(pid, signal.SIGSTOP)
    before = time.monotonic()
    lab.start()
    again = lab.conn().lookupByName(guest.name())
    assert again.state()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert time.monotonic() - before < 3
    labs.wait_for(lambda: f'{guest.name()}: its emulator runs, but does not answer' in lab.log(), what='the report')
    os.kill(pid, signal.SIGCONT)
    again.suspend()
    assert again.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    assert lab.emulators()[guest.name()] == pid


def test_shutdown_while_no_daemon_looks_is_finished_later(lab, guest):
    guest.create()
    console = console_of(guest)
    console.prepare()
    lab.kill9()
    os.write(console.fd, b'poweroff -f\n')
    time.sleep(2)
    lab.start()
    labs.wait_for(lambda: not lab.conn().lookupByName(guest.name()).isActive(), what='the end of the guest')
    console.close()


def test_autostart_happens_once_a_boot(lab, guest):
    guest.setAutostart(True)
    assert (lab.dir / 'etc/qemu/autostart' / f'{guest.name()}.xml').is_symlink()
    lab.restart()
    assert not lab.conn().lookupByName(guest.name()).isActive()
    lab.stop()
    (lab.dir / 'run/qemu/autostarted').unlink()
    lab.start()
    labs.wait_for(lambda: lab.conn().lookupByName(guest.name()).isActive(), what='autostart')
    lab.conn().lookupByName(guest.name()).setAutostart(False)


def test_broken_definition_is_kept_and_harms_no_other(lab, guest):
    bad = lab.dir / 'etc/qemu/broken.xml'
    bad.write_text('<domain type="qemu"><name>broken</name>')
    lab.restart()
    assert lab.conn().lookupByName(guest.name())
    assert bad.read_text().startswith('<domain')
    assert 'broken.xml' in lab.log()
    bad.unlink()


def test_ten_guests_survive_kills_in_a_stream_of_calls(lab):
    conn = lab.conn()
    names = [f'many{i}' for i in range(10)]
    for name in names:
        conn.defineXML(lab.guest_xml(name, memory=64))
        conn.lookupByName(name).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    before = {name: pid for name, pid in lab.emulators().items() if name in names}
    stop = threading.Event()

    def hammer(name: str) -> None:
        while not stop.is_set():
            try:
                dom = lab.conn().lookupByName(name)
                dom.resume()
                dom.suspend()
                dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, 'title', None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
            except libvirt.libvirtError:
                time.sleep(0.02)

    threads = [threading.Thread(target=hammer, args=(name,)) for name in names[:4]]
    for thread in threads:
        thread.start()
    for _ in range(10):
        time.sleep(0.15)
        lab.kill9()
        lab.start()
    stop.set()
    for thread in threads:
        thread.join()
    conn = lab.conn()
    assert {name: pid for name, pid in lab.emulators().items() if name in names} == before
    for name in names:
        dom = conn.lookupByName(name)
        assert dom.isActive() and dom.isPersistent()
        dom.destroy()
        dom.undefine()
