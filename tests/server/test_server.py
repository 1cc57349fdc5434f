# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server with the fake driver, as the distribution's bindings and as raw packets see it."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD', TOP / 'build'))
FAKE_DAEMON = BUILD / 'tests/server/fake_daemon'
LIBVIRTD = BUILD / 'src/server/libvirtd'

REMOTE, ADMIN, KEEPALIVE = 0x20008086, 0x06900690, 0x6b656570
CALL, REPLY, MESSAGE, STREAM = 0, 1, 2, 3
OPEN, CLOSE, FEATURE, AUTH_LIST = 1, 2, 60, 66

pytestmark = pytest.mark.skipif(not FAKE_DAEMON.exists(), reason=f'{FAKE_DAEMON} is not built')


class Daemon:
    def __init__(self, folder: Path, settings: str = '') -> None:
        self.folder = folder
        args = [str(FAKE_DAEMON), str(folder)]
        if settings:
            (folder / 'settings').write_text(settings)
            args.append(str(folder / 'settings'))
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stdout.readline() == 'ready\n'

    def uri(self, read_only: bool = False) -> str:
        return f'qemu+unix:///system?socket={self.folder}/libvirt-sock' + ('-ro' if read_only else '')

    def connect(self):
        return libvirt.open(self.uri())

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return out


@pytest.fixture
def daemon(tmp_path):
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.process.poll() is None:
        daemon.end()


@pytest.fixture(scope='module', autouse=True)
def events():
    libvirt.registerErrorHandler(lambda _, error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()


class Raw:
    """A client that sends what it is told to."""

    def __init__(self, path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.serial = 0

    def send(self, program: int, procedure: int, payload: bytes = b'', version: int = 1, kind: int = CALL,
             status: int = 0) -> None:
        self.serial += 1
        self.socket.sendall(struct.pack('>7I', 28 + len(payload), program, version, procedure, kind, self.serial,
                                        status) + payload)

    def receive(self):
        head = self.exactly(28)
        if not head:
            return None
        words = struct.unpack('>7I', head)
        return (*words[1:], self.exactly(words[0] - 28))

    def exactly(self, count: int) -> bytes:
        data = b''
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                return b''
            data += part
        return data

    def call(self, *args, **kw):
        """status and payload of the answer"""
        self.send(*args, **kw)
        answer = self.receive()
        assert answer is not None
        return answer[5], answer[6]

    def open(self, read_only: bool = False):
        uri = b'qemu:///system'
        return self.call(REMOTE, OPEN, struct.pack('>II', 1, len(uri)) + uri + bytes(-len(uri) % 4) +
                         struct.pack('>I', int(read_only)))


def error_of(payload: bytes):
    code, domain, has_text = struct.unpack('>3I', payload[:12])
    length, = struct.unpack('>I', payload[12:16])
    return code, domain, payload[16:16 + length].decode() if has_text else ''


def test_lists_and_looks_up_guests(daemon):
    with daemon.connect() as conn:
        assert [dom.name() for dom in conn.listAllDomains()] == ['busy', 'echo', 'idle']
        assert '<name>idle</name>' in conn.lookupByName('idle').XMLDesc()
        with pytest.raises(libvirt.libvirtError) as caught:
            conn.lookupByName('nobody')
        assert caught.value.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
        assert conn.getType() == 'QEMU'
        assert conn.getHostname() == socket.gethostname()
        assert conn.isSecure() and conn.isEncrypted() in (0, 1)


def test_empty_slot_says_no_support(daemon):
    with daemon.connect() as conn, pytest.raises(libvirt.libvirtError) as caught:
        conn.getInfo()
    assert caught.value.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
    assert 'virNodeGetInfo' in str(caught.value)


@pytest.mark.parametrize('how', ['socket', 'flag'])
def test_read_only_connection_changes_nothing(daemon, how):
    raw = Raw(daemon.folder / ('libvirt-sock-ro' if how == 'socket' else 'libvirt-sock'))
    assert raw.open(read_only=how == 'flag')[0] == 0
    status, payload = raw.call(REMOTE, 12, b'')     # domain_destroy, arguments missing: refused before decoding
    assert status == 1
    code, _, text = error_of(payload)
    assert code == libvirt.VIR_ERR_OPERATION_DENIED and 'virDomainDestroy' in text
    assert raw.call(REMOTE, 59)[0] == 0             # connect_get_hostname is still allowed


def test_wrong_uri_is_explained(daemon):
    with pytest.raises(libvirt.libvirtError) as caught:
        libvirt.open(daemon.uri().replace('/system', '/elsewhere'))
    assert 'try qemu:///system' in str(caught.value)


def test_events_reach_all_and_only_their_subscribers(daemon):
    with daemon.connect() as conn:
        seen: list[tuple] = []
        all_came = threading.Event()

        def note(_conn, dom, event, detail, who) -> None:
            seen.append((who, dom.name(), event, detail))
            if dom.name() == 'echo' and event == libvirt.VIR_DOMAIN_EVENT_STOPPED and who == 'all':
                all_came.set()

        idle = conn.lookupByName('idle')
        echo = conn.lookupByName('echo')
        first = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, note, 'all')
        second = conn.domainEventRegisterAny(idle, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, note, 'idle')
        idle.createWithFlags(0)
        idle.destroy()
        echo.createWithFlags(0)
        echo.destroy()
        assert all_came.wait(5)
        assert [s for s in seen if s[0] == 'all'] == [
            ('all', 'idle', 2, 0), ('all', 'idle', 5, 1), ('all', 'echo', 2, 0), ('all', 'echo', 5, 1)]
        assert [s for s in seen if s[0] == 'idle'] == [('idle', 'idle', 2, 0), ('idle', 'idle', 5, 1)]
        conn.domainEventDeregisterAny(first)
        conn.domainEventDeregisterAny(second)
        with pytest.raises(libvirt.libvirtError):
            conn.domainEventDeregisterAny(first)


def test_old_registration_gets_old_messages(daemon):
    raw = Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0
    assert raw.call(REMOTE, 105) == (0, bytes(4))
    status, payload = raw.call(REMOTE, 105)
    assert status == 1 and 'already registered' in error_of(payload)[2]
    with daemon.connect() as conn:
        conn.lookupByName('idle').createWithFlags(0)
    answer = raw.receive()
    assert answer[0] == REMOTE and answer[2] == 107 and answer[3] == MESSAGE
    assert answer[6][:8] == b'\0\0\0\4idle' and answer[6][-8:] == struct.pack('>II', 2, 0)
    assert raw.call(REMOTE, 106)[0] == 0


def test_console_echoes_both_ways(daemon):
    with daemon.connect() as conn:
        stream = conn.newStream()
        conn.lookupByName('echo').openConsole(None, stream)
        data = os.urandom(1_000_000)
        got = b''

        def send() -> None:
            at = 0
            while at < len(data):
                at += stream.send(data[at:at + 60_000])

        sender = threading.Thread(target=send)
        sender.start()
        while len(got) < len(data):
            got += stream.recv(65536)
        sender.join()
        assert got == data
        stream.finish()


def test_client_that_does_not_read_is_not_read_from(daemon):
    raw = Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0
    echo = struct.pack('>I', 4) + b'echo' + b'echo'.ljust(16, b'\0') + struct.pack('>iII', -1, 0, 0)
    assert raw.call(REMOTE, 201, echo)[0] == 0          # domain_open_console
    piece, count = os.urandom(200_000), 60
    packet = struct.pack('>7I', 28 + len(piece), REMOTE, 1, 201, STREAM, raw.serial, 2) + piece
    sent = threading.Event()

    def send() -> None:
        for _ in range(count):
            raw.socket.sendall(packet)
        sent.set()

    raw.socket.settimeout(None)
    threading.Thread(target=send, daemon=True).start()
    assert not sent.wait(0.5)
    got = b''
    while len(got) < count * len(piece):
        got += raw.receive()[6]
    assert got == piece * count and sent.wait(5)
    raw.socket.sendall(struct.pack('>7I', 28, REMOTE, 1, 201, STREAM, raw.serial, 0))
    assert raw.receive()[3:6] == (STREAM, raw.serial, 0)


def read_all(stream) -> bytes:
    data = b''
    while part := stream.recv(262144):
        data += part
    return data


def test_file_is_downloaded_and_uploaded_whole(daemon, tmp_path):
    path = tmp_path / 'volume'
    path.write_bytes(os.urandom(3_000_001))
    with daemon.connect() as conn:
        volume = conn.storageVolLookupByPath(str(path))
        stream = conn.newStream()
        volume.download(stream, 0, 0, 0)
        assert read_all(stream) == path.read_bytes()
        stream.finish()

        data = os.urandom(2_500_000)
        stream = conn.newStream()
        volume.upload(stream, 0, 0, 0)
        stream.sendAll(lambda _, count, at: data[at[0]:(at.__setitem__(0, at[0] + count) or at[0])], [0])
        stream.finish()
        assert path.read_bytes()[:len(data)] == data


def test_failure_at_the_end_fails_finish(daemon, tmp_path):
    path = tmp_path / 'volume.broken'
    path.write_bytes(b'')
    with daemon.connect() as conn:
        stream = conn.newStream()
        conn.storageVolLookupByPath(str(path)).upload(stream, 0, 0, 0)
        stream.send(b'data')
        with pytest.raises(libvirt.libvirtError) as caught:
            stream.finish()
        assert 'does not sync' in str(caught.value)


def test_holes_travel_as_holes(daemon, tmp_path):
    source, target = tmp_path / 'source', tmp_path / 'target'
    with open(source, 'wb') as file:
        file.write(b'x' * 65536)
        file.seek(1 << 20)
        file.write(b'y' * 65536)
        file.truncate(3 << 20)
    target.write_bytes(b'z' * 100_000)
    with daemon.connect() as conn:
        stream = conn.newStream()
        conn.storageVolLookupByPath(str(source)).download(
            stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
        with open(tmp_path / 'copy', 'wb') as copy:
            stream.sparseRecvAll(lambda _, data, file: file.write(data), lambda _, length, file: file.truncate(
                file.seek(length, os.SEEK_CUR)), copy)
        stream.finish()
        assert (tmp_path / 'copy').read_bytes() == source.read_bytes()
        assert os.stat(tmp_path / 'copy').st_blocks <= os.stat(source).st_blocks + 8

        stream = conn.newStream()
        conn.storageVolLookupByPath(str(target)).upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
        stream.send(b'a' * 10)
        stream.sendHole(1000)
        stream.send(b'b' * 10)
        stream.sendHole(500)
        stream.finish()
        # A hole reads as zeros, whatever was there (upstream leaves it); what lies behind the stream stays, as without holes.
        assert target.read_bytes() == b'a' * 10 + bytes(1000) + b'b' * 10 + bytes(500) + b'z' * (100_000 - 1520)


def test_aborted_stream_leaves_the_connection_usable(daemon):
    with daemon.connect() as conn:
        stream = conn.newStream()
        conn.lookupByName('echo').openConsole(None, stream)
        stream.send(b'hello')
        stream.abort()
        assert conn.lookupByName('idle').name() == 'idle'


def test_hung_guest_delays_nobody_and_refuses_the_ninth_call(daemon):
    connections = [daemon.connect() for _ in range(10)]
    errors: list = []
    refused = threading.Event()

    def save(conn) -> None:
        try:
            conn.lookupByName('busy').managedSave(0)
        except libvirt.libvirtError as error:
            errors.append(error)
            refused.set()

    threads = [threading.Thread(target=save, args=(conn,)) for conn in connections]
    for thread in threads:
        thread.start()
    assert refused.wait(5)
    assert errors[0].get_error_code() == libvirt.VIR_ERR_OPERATION_TIMEOUT
    assert 'domain busy' in str(errors[0]) and 'saving' in str(errors[0])
    with daemon.connect() as conn:
        began = time.monotonic()
        assert conn.lookupByName('busy').state()[0] == libvirt.VIR_DOMAIN_SHUTOFF
        conn.lookupByName('idle').createWithFlags(0)
        assert time.monotonic() - began < 1
        for _ in range(9):
            conn.getCapabilities()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 1
    for conn in connections:
        conn.close()


def test_many_slow_calls_of_one_client_do_not_stop_its_quick_ones(daemon):
    raw, other = Raw(daemon.folder / 'libvirt-sock'), Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0 and other.open()[0] == 0
    busy = struct.pack('>I', 4) + b'busy' + b'busy'.ljust(16, b'\0') + struct.pack('>iI', -1, 0)
    for _ in range(7):
        raw.send(REMOTE, 182, busy)         # domain_managed_save: waits, two of them for their turn
    for _ in range(20):
        raw.send(REMOTE, 59)
    assert [raw.receive()[2] for _ in range(20)] == [59] * 20
    for _ in range(7):
        assert other.call(REMOTE, 7)[0] == 0
    answers = [raw.receive() for _ in range(7)]
    assert [(answer[2], answer[5]) for answer in answers] == [(182, 0)] * 7
    assert [answer[4] for answer in answers] == sorted(answer[4] for answer in answers)


def test_descriptors_travel_both_ways(daemon):
    with daemon.connect() as conn:
        guest = conn.lookupByName('idle')
        ours, theirs = socket.socketpair()
        guest.openGraphics(0, theirs.fileno())
        theirs.close()
        assert ours.recv(100) == b'hello' and ours.recv(100) == b''
        with socket.socket(fileno=guest.openGraphicsFD(0)) as got:
            assert got.recv(100) == b'welcome' and got.recv(100) == b''
        with pytest.raises(libvirt.libvirtError):
            conn.lookupByName('nobody')


def test_missing_descriptor_is_an_error(daemon):
    raw = Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0
    idle = struct.pack('>I', 4) + b'idle' + b'idle'.ljust(16, b'\0') + struct.pack('>iII', -1, 0, 0)
    status, payload = raw.call(REMOTE, 249, idle)       # domain_open_graphics without descriptors
    assert status == 1 and 'descriptor 0 is missing' in error_of(payload)[2]
    assert raw.call(REMOTE, 59)[0] == 0


def test_deferred_call_is_answered_later(daemon):
    with daemon.connect() as conn:
        conn.lookupByName('idle').shutdown()


@pytest.mark.parametrize('how', ['close', 'vanish'])
def test_auto_destroy_when_the_client_goes(daemon, how):
    script = ('import libvirt, os, sys\n'
              'conn = libvirt.open(sys.argv[1])\n'
              'conn.lookupByName("idle").createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)\n'
              + ('conn.close()\n' if how == 'close' else 'os._exit(0)\n'))
    subprocess.run(['/usr/bin/python3', '-c', script, daemon.uri()], check=True, timeout=20)
    assert 'auto-destroyed 1' in daemon.end()


def test_unknown_calls_are_answered_in_the_form_that_clients_know(daemon):
    raw = Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0
    status, payload = raw.call(REMOTE, 9999)
    assert status == 1 and error_of(payload) == (39, 7, 'unknown procedure: 9999')
    assert error_of(raw.call(REMOTE, 318)[1])[:2] == (39, 7)            # an event is no call
    assert 'unknown program' in error_of(raw.call(ADMIN, 1)[1])[2]
    assert 'unknown version' in error_of(raw.call(REMOTE, 59, version=2)[1])[2]
    assert error_of(raw.call(REMOTE, 59, status=1)[1])[0] == 39
    assert error_of(raw.call(REMOTE, 59, kind=MESSAGE)[1])[0] == 39
    assert error_of(raw.call(REMOTE, 23, b'\0\0\0')[1])[0] == 39        # domain_lookup_by_name cut short
    assert raw.call(REMOTE, 59)[0] == 0


def test_nothing_but_opening_before_the_connection_is_open(daemon):
    raw = Raw(daemon.folder / 'libvirt-sock')
    assert raw.call(REMOTE, AUTH_LIST) == (0, struct.pack('>II', 1, 0))
    assert raw.call(REMOTE, FEATURE, struct.pack('>I', 10)) == (0, struct.pack('>I', 1))
    assert 'connection not open' in error_of(raw.call(REMOTE, 59)[1])[2]
    assert 'connection not open' in error_of(raw.call(REMOTE, FEATURE, struct.pack('>I', 3))[1])[2]
    assert raw.open()[0] == 0
    assert raw.call(REMOTE, CLOSE)[0] == 0
    assert raw.receive() is None


def test_calls_behind_close_are_not_answered(daemon):
    raw, other = Raw(daemon.folder / 'libvirt-sock'), Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0 and other.open()[0] == 0
    busy = struct.pack('>I', 4) + b'busy' + b'busy'.ljust(16, b'\0') + struct.pack('>iI', -1, 0)
    raw.send(REMOTE, 182, busy)             # slow: close waits for it
    raw.send(REMOTE, CLOSE)
    raw.send(REMOTE, 105)
    raw.send(REMOTE, 59)
    assert other.call(REMOTE, 7)[0] == 0    # opens the gate
    assert [raw.receive()[2] for _ in range(2)] == [182, CLOSE]
    assert raw.receive() is None
    assert other.call(REMOTE, 59)[0] == 0


@pytest.mark.parametrize('length', [0, 3, 27, 65 * 1024, 0x7fffffff, 0xffffffff])
def test_impossible_length_closes_the_connection(daemon, length):
    raw = Raw(daemon.folder / 'libvirt-sock')
    raw.socket.sendall(struct.pack('>I', length) + bytes(24))
    assert raw.receive() is None


def test_pings_are_answered_and_sent(tmp_path):
    daemon = Daemon(tmp_path, 'keepalive_interval = 1\nkeepalive_count = 1\n')
    raw = Raw(daemon.folder / 'libvirt-sock')
    assert raw.open()[0] == 0
    raw.send(KEEPALIVE, 1, kind=MESSAGE)
    assert raw.receive()[:4] == (KEEPALIVE, 1, 2, MESSAGE)
    assert raw.call(REMOTE, FEATURE, struct.pack('>I', 10))[0] == 0
    assert raw.receive()[:4] == (KEEPALIVE, 1, 1, MESSAGE)
    raw.send(KEEPALIVE, 2, kind=MESSAGE)
    assert raw.receive()[:4] == (KEEPALIVE, 1, 1, MESSAGE)
    assert raw.receive() is None        # the second one stays unanswered
    daemon.end()


def test_more_clients_than_allowed_wait(tmp_path):
    daemon = Daemon(tmp_path, 'max_clients = 2\n')
    first, second = daemon.connect(), daemon.connect()
    third = Raw(daemon.folder / 'libvirt-sock')
    third.send(REMOTE, AUTH_LIST)
    third.socket.settimeout(0.2)
    with pytest.raises(socket.timeout):
        third.receive()
    first.close()
    third.socket.settimeout(10)
    assert third.receive() is not None
    second.close()
    daemon.end()


@pytest.mark.skipif(not shutil.which('virt-admin'), reason='no virt-admin')
def test_administration_by_the_distributions_tool(daemon):
    env = {k: v for k, v in os.environ.items() if k != 'LD_LIBRARY_PATH'}

    def admin(*words: str) -> str:
        uri = f'libvirtd:///system?socket={daemon.folder}/libvirt-admin-sock'
        out = subprocess.run(['virt-admin', '-c', uri, *words], check=True, text=True, timeout=20, env=env,
                             stdout=subprocess.PIPE).stdout
        return ' '.join(out.replace(':', ' : ').split())

    with daemon.connect() as conn:
        servers = admin('server-list')
        assert 'libvirtd' in servers and 'admin' in servers
        assert 'unix' in admin('client-list', 'libvirtd')
        info = admin('client-info', 'libvirtd', '1')
        assert f'unix_process_id : {os.getpid()}' in info and 'readonly' in info
        assert 'maxWorkers : 20' in admin('server-threadpool-info', 'libvirtd')
        admin('server-threadpool-set', 'libvirtd', '--max-workers', '7')
        assert 'maxWorkers : 7' in admin('server-threadpool-info', 'libvirtd')
        assert 'nclients_max : 5000' in admin('server-clients-info', 'libvirtd')
        admin('server-clients-set', 'libvirtd', '--max-clients', '77')
        assert 'nclients_max : 77' in admin('server-clients-info', 'libvirtd')
        admin('daemon-log-filters', '--filters', '1:rpc')
        assert '1 : rpc' in admin('daemon-log-filters')
        admin('client-disconnect', 'libvirtd', '1')
        with pytest.raises(libvirt.libvirtError):
            conn.getHostname()


@pytest.mark.skipif(not LIBVIRTD.exists(), reason=f'{LIBVIRTD} is not built')
def test_settings_errors_name_file_line_and_fix(tmp_path):
    def check(text: str) -> subprocess.CompletedProcess:
        (tmp_path / 'd.conf').write_text(text)
        return subprocess.run([str(LIBVIRTD), '--check', '-f', str(tmp_path / 'd.conf')], text=True,
                              capture_output=True)

    assert check('max_clients = 10\nlog_filters = "1:rpc"\n').returncode == 0
    for text, line, words in [('# fine\nmax_clients = "10"\n', 2, 'number without quotes'),
                              ('max_clients = 0\n', 1, '1 to'),
                              ('auth_unix_rw = "sasl"\n', 1, 'only "none"'),
                              ('unix_sock_rw_perms = "rwx"\n', 1, 'octal'),
                              ('\n\nlog_outputs\n', 3, "expected '='"),
                              ('log_filters = "open\n', 1, 'closing quote'),
                              ('access_drivers = [ "polkit" ]\n', 1, 'access drivers')]:
        done = check(text)
        assert done.returncode == 1
        assert f'd.conf:{line}: ' in done.stderr and words in done.stderr, done.stderr


def test_a_service_answers_on_connections_of_the_hypervisor(daemon):
    conn = daemon.connect()
    refreshed = threading.Event()
    callback = conn.storagePoolEventRegisterAny(
        None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH, lambda _conn, pool, _: pool.name() == 'p' and refreshed.set(), None)
    conn.storagePoolLookupByName('p').refresh()
    assert refreshed.wait(10)
    conn.storagePoolEventDeregisterAny(callback)
    assert conn.getType() == 'QEMU'
    with pytest.raises(libvirt.libvirtError) as refused:
        conn.listAllStoragePools()
    assert refused.value.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
