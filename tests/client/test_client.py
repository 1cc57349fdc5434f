# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our libraries as programs find them: every symbol, the configuration files, ways to the daemon, and how a daemon's end
is told. The distribution's daemon is asked too where it is installed."""
import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import lab as labs
import pytest

libvirt = pytest.importorskip('libvirt')

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD', TOP / 'build'))
CLIENT = BUILD / 'src/client'
FAKE_DAEMON = BUILD / 'tests/server/fake_daemon'
LIBRARIES = ['libvirt', 'libvirt-qemu', 'libvirt-lxc', 'libvirt-admin']

pytestmark = pytest.mark.skipif(not (CLIENT / 'libvirt.so.0').exists(), reason=f'{CLIENT}/libvirt.so.0 is not built')
needs_daemon = pytest.mark.skipif(not FAKE_DAEMON.exists(), reason=f'{FAKE_DAEMON} is not built')


@pytest.fixture(scope='module', autouse=True)
def events():
    libvirt.registerErrorHandler(lambda _, error: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()


@pytest.fixture
def daemon(tmp_path):
    process = subprocess.Popen([str(FAKE_DAEMON), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == 'ready\n'
    process.socket = tmp_path / 'libvirt-sock'
    process.uri = f'qemu+unix:///system?socket={process.socket}'
    yield process
    process.kill()
    process.wait()


def wait_for(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.01)


# ---- symbols ----

def exported(path: Path) -> dict[str, str]:
    """symbol -> version node"""
    text = subprocess.run(['nm', '-D', '--defined-only', str(path)], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in text.splitlines()]
    return dict(re.split('@+', name, maxsplit=1) for name in names if '@' in name)


def test_every_public_symbol_is_there_with_its_node():
    rows = [line.split('\t') for line in (TOP / 'tests/facts/symbols.tsv').read_text().splitlines()[1:]]
    found = {name: exported(CLIENT / f'{name}.so.0') for name in LIBRARIES}
    missing = [f'{row[0]} {row[1]}@{row[3]}' for row in rows if found[row[0].removesuffix('.so.0')].get(row[1]) != row[3]]
    assert not missing
    assert len(rows) >= 559


def test_nothing_but_glib_is_needed():
    text = subprocess.run(['readelf', '-d', str(CLIENT / 'libvirt.so.0')], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r'NEEDED.*\[(.*)\]', text))
    assert needed <= {'libglib-2.0.so.0', 'libc.so.6', 'libm.so.6', 'ld-linux-x86-64.so.2', 'libasan.so.8', 'libtsan.so.2'}


@pytest.mark.parametrize('name', LIBRARIES)
def test_library_loads_with_all_symbols_bound(name):
    ctypes.CDLL(str(CLIENT / f'{name}.so.0'), mode=os.RTLD_NOW)


# ---- ways to the daemon ----

def as_user(code: str, home: Path, **env: str) -> str:
    """Run Python with our library as a user who is not root and whose configuration is below @home."""
    user = {'user': 65534, 'group': 65534, 'extra_groups': []} if os.geteuid() == 0 else {}
    done = subprocess.run([sys.executable, '-c', 'import libvirt\nlibvirt.registerErrorHandler(lambda c, e: None, None)\n' + code],
                          capture_output=True, text=True, timeout=30, **user,
                          env={'LD_LIBRARY_PATH': str(labs.for_any_user(CLIENT / 'libvirt.so.0').parent), 'HOME': str(home),
                               'XDG_CONFIG_HOME': str(home / 'config'), 'XDG_RUNTIME_DIR': str(home / 'run'),
                               'XDG_CACHE_HOME': str(home / 'cache'), **env})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ASK = """
try:
    libvirt.open({uri!r})
except libvirt.libvirtError as err:
    print(err.get_error_code(), err)
"""


@pytest.fixture
def home(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):  # pytest makes its folders for their owner only
        if folder.stat().st_uid == os.geteuid() and folder != Path('/') and str(folder).startswith('/tmp/'):
            folder.chmod(0o755)
    (tmp_path / 'config/libvirt').mkdir(parents=True)
    (tmp_path / 'run').mkdir()
    return tmp_path


def test_alias_and_default_come_from_the_users_configuration(home):
    (home / 'config/libvirt/libvirt.conf').write_text(
        '# comment\nuri_aliases = [\n  "far=qemu+unix:///system?socket=/nowhere/far",\n  "near=qemu+unix:///system?socket=/nowhere/near",\n]\n'
        'uri_default = "near"\n')
    assert '/nowhere/far' in as_user(ASK.format(uri='far'), home)
    assert '/nowhere/near' in as_user(ASK.format(uri=None), home)
    assert '/nowhere/env' in as_user(ASK.format(uri=None), home,
                                     LIBVIRT_DEFAULT_URI='qemu+unix:///system?socket=/nowhere/env')
    code = str(libvirt.VIR_ERR_NO_CONNECT)
    assert as_user(ASK.format(uri='unknown'), home).startswith(code)


def test_session_daemon_is_started_unless_forbidden(home):
    daemon = home / 'daemon'
    daemon.write_text(f'#!/bin/sh\necho "$@" > {home}/run/started\nexit 1\n')
    daemon.chmod(0o755)
    (home / 'run').chmod(0o777)
    code = ASK.format(uri='qemu:///session')
    assert 'libvirt-sock' in as_user(code, home, VIRTD_PATH=str(daemon), LIBVIRT_AUTOSTART='0')
    assert not (home / 'run/started').exists()
    assert str(daemon) in as_user(code, home, VIRTD_PATH=str(daemon))
    assert '--daemon' in (home / 'run/started').read_text()


def test_a_users_socket_of_a_driver_daemon_is_found(home):
    (home / 'run/libvirt').mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home / 'run/libvirt/virtqemud-sock'))  # nobody listens: refused is as good as an answer
    assert 'virtqemud-sock' in as_user(ASK.format(uri='qemu:///session'), home)
    assert 'virtqemud-sock' in as_user(ASK.format(uri=None), home)
    listener.close()


@needs_daemon
def test_a_program_may_carry_the_bytes(daemon, tmp_path):
    carrier = tmp_path / 'carrier'
    carrier.write_text(f'''#!{sys.executable}
import os, select, socket
peer = socket.socket(socket.AF_UNIX); peer.connect({str(daemon.socket)!r})
while True:
    ready = select.select([0, peer], [], [])[0]
    if 0 in ready:
        data = os.read(0, 65536)
        if not data: break
        peer.sendall(data)
    if peer in ready:
        data = peer.recv(65536)
        if not data: break
        os.write(1, data)
''')
    carrier.chmod(0o755)
    conn = libvirt.open(f'qemu+ext:///system?command={carrier}')
    assert conn.getURI() == f'qemu+ext:///system?command={carrier}'
    assert [dom.name() for dom in conn.listAllDomains()] == ['busy', 'echo', 'idle']
    assert not conn.isSecure()
    assert conn.close() == 0


# ---- streams ----

def code_of(call, *args) -> int:
    with pytest.raises(libvirt.libvirtError) as caught:
        call(*args)
    return caught.value.get_error_code()


@needs_daemon
@pytest.mark.parametrize('end', ['finish', 'abort'])
def test_ended_stream_is_closed_until_a_call_opens_it_anew(daemon, end):
    conn = libvirt.open(daemon.uri)
    dom = conn.lookupByName('echo')
    stream = conn.newStream(0)
    assert stream.abort() == 0  # unused: nothing to abort
    assert code_of(stream.finish) == libvirt.VIR_ERR_NO_SUPPORT
    dom.openConsole(None, stream, 0)
    getattr(stream, end)()
    for call, args in ((stream.recv, (1,)), (stream.send, (b'x',)), (stream.finish, ()), (stream.abort, ())):
        assert code_of(call, *args) == libvirt.VIR_ERR_OPERATION_FAILED
    dom.openConsole(None, stream, 0)
    assert stream.send(b'again') == 5
    stream.abort()


# ---- the end of a daemon ----

@needs_daemon
def test_close_callback_says_that_the_daemon_went(daemon):
    told = []
    conn = libvirt.open(daemon.uri)
    conn.registerCloseCallback(lambda conn, reason, opaque: told.append((reason, opaque)), 'me')
    daemon.send_signal(signal.SIGKILL)
    wait_for(lambda: told)
    assert told == [(libvirt.VIR_CONNECT_CLOSE_REASON_EOF, 'me')]
    assert conn.isAlive() == 0
    with pytest.raises(libvirt.libvirtError):
        conn.listAllDomains()


@needs_daemon
def test_silent_daemon_is_given_up_by_keepalive(daemon):
    told = []
    conn = libvirt.open(daemon.uri)
    conn.setKeepAlive(1, 1)
    conn.registerCloseCallback(lambda conn, reason, opaque: told.append(reason), None)
    daemon.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: told)
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert told == [libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE]


@needs_daemon
def test_waiting_call_is_given_up_by_keepalive(daemon):
    conn = libvirt.open(daemon.uri)
    conn.setKeepAlive(1, 1)
    daemon.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(libvirt.libvirtError, match='keepalive'):
            conn.listAllDomains()
    finally:
        daemon.send_signal(signal.SIGCONT)


# ---- a daemon that misbehaves ----

def packet(program: int, procedure: int, kind: int, serial: int, status: int, payload: bytes = b'') -> bytes:
    return struct.pack('>7I', 28 + len(payload), program, 1, procedure, kind, serial, status) + payload


@pytest.mark.parametrize('answer', [
    b'\xff\xff\xff\xff' + bytes(24),                                     # a length beyond all bounds
    struct.pack('>I', 4) + bytes(24),                                    # shorter than a header
    packet(0x20008086, 66, 1, 0, 0, struct.pack('>I', 0xffffffff)),      # more items than bytes
    packet(0x20008086, 66, 1, 0, 0),                                     # no items
    packet(0x20008086, 99, 1, 0, 0, struct.pack('>2I', 1, 0)),           # another call's answer
    packet(0x20008086, 66, 1, 0, 1, b'\0' * 3),                          # an error that is none
    b'',
], ids=['huge', 'tiny', 'count', 'empty', 'other', 'error', 'eof'])
def test_broken_answer_is_an_error_and_no_crash(tmp_path, answer):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / 'sock'))
    listener.listen()

    def serve() -> None:
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(answer)
        peer.shutdown(socket.SHUT_WR)
        peer.recv(65536)
        peer.close()

    server = threading.Thread(target=serve)
    server.start()
    with pytest.raises(libvirt.libvirtError):
        libvirt.open(f'qemu+unix:///system?socket={tmp_path}/sock')
    server.join()
    listener.close()


# ---- the distribution's daemon ----

@pytest.fixture(scope='module')
def peer(tmp_path_factory):
    if not shutil.which('libvirtd') or os.geteuid() != 0:
        pytest.skip("the distribution's libvirtd is not installed, or this is not root")
    from lab import Lab
    lab = Lab(tmp_path_factory.mktemp('peer'))
    (lab.dir / 'etc/qemu.conf').write_text('user = "root"\ngroup = "root"\nremember_owner = 0\nstdio_handler = "file"\n')
    lab.start(program=['env', '-u', 'LD_LIBRARY_PATH', shutil.which('libvirtd')])  # it needs its own library
    yield lab
    lab.stop()


XML = "<domain type='qemu'><name>peer</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os></domain>"


def test_guest_of_the_distributions_daemon_lives_and_tells(peer):
    heard = []
    conn = libvirt.open(peer.uri)
    conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                lambda conn, dom, event, detail, opaque: heard.append(event), None)
    dom = conn.defineXML(XML)
    assert dom.UUIDString() in dom.XMLDesc()
    dom.create()
    assert dom.ID() > 0
    assert dom.info()[0] == libvirt.VIR_DOMAIN_RUNNING
    assert conn.getAllDomainStats()[0][1]['state.state'] == libvirt.VIR_DOMAIN_RUNNING
    dom.destroy()
    dom.undefine()
    wait_for(lambda: libvirt.VIR_DOMAIN_EVENT_UNDEFINED in heard)
    assert heard[0] == libvirt.VIR_DOMAIN_EVENT_DEFINED and libvirt.VIR_DOMAIN_EVENT_STARTED in heard
    conn.close()


def test_volume_of_the_distributions_daemon_goes_up_and_down(peer, tmp_path):
    conn = libvirt.open(peer.uri)
    (tmp_path / 'pool').mkdir()
    pool = conn.storagePoolCreateXML(f"<pool type='dir'><name>p</name><target><path>{tmp_path}/pool</path></target></pool>")
    volume = pool.createXML("<volume><name>v</name><capacity>3000000</capacity><target><format type='raw'/></target></volume>")
    data = os.urandom(3000000)
    view = memoryview(data)

    def source(stream, count, state):
        part = bytes(view[state[0]:state[0] + count])
        state[0] += len(part)
        return part

    stream = conn.newStream()
    volume.upload(stream, 0, len(data))
    stream.sendAll(source, [0])
    stream.finish()
    got = bytearray()
    stream = conn.newStream()
    volume.download(stream, 0, len(data))
    stream.recvAll(lambda stream, part, opaque: got.extend(part), None)
    stream.finish()
    assert bytes(got) == data
    pool.destroy()


def test_old_daemon_says_no_support_to_a_new_call(peer):
    conn = libvirt.open(peer.uri)
    dom = conn.defineXML(XML)
    library = ctypes.CDLL(str(CLIENT / 'libvirt.so.0'))
    library.virConnectOpen.restype = library.virDomainLookupByName.restype = ctypes.c_void_p
    raw = ctypes.c_void_p(library.virConnectOpen(peer.uri.encode()))
    domain = ctypes.c_void_p(library.virDomainLookupByName(raw, b'peer'))
    once = ctypes.c_int()
    assert library.virDomainGetAutostartOnce(domain, ctypes.byref(once)) == -1
    assert library.virGetLastErrorCode() == libvirt.VIR_ERR_NO_SUPPORT
    library.virDomainFree(domain)
    library.virConnectClose(raw)
    dom.undefine()
