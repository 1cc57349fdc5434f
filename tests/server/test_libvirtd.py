# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program libvirtd itself: where it listens, how it starts and ends. Always as a user's daemon in a folder of its own;
when root runs the tests, they give their rights away first."""
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import lab as labs
import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD', TOP / 'build'))
LIBVIRTD = BUILD / 'src/server/libvirtd'
NOBODY = 65534

pytestmark = pytest.mark.skipif(not LIBVIRTD.exists(), reason=f'{LIBVIRTD} is not built')


@pytest.fixture(scope='module', autouse=True)
def program() -> None:
    Session.program = str(labs.for_any_user(LIBVIRTD))


class Session:
    program: str

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix='libvirtd-'))
        self.runtime = self.folder / 'run'
        self.env = {'PATH': os.environ['PATH'], 'HOME': str(self.folder), 'XDG_RUNTIME_DIR': str(self.runtime),
                    'XDG_CONFIG_HOME': str(self.folder / 'config'), 'XDG_CACHE_HOME': str(self.folder / 'cache'),
                    'XDG_DATA_HOME': str(self.folder / 'data')}
        self.runtime.mkdir()
        self.identity = {}
        if os.geteuid() == 0:
            self.identity = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []}
            for path in (self.folder, self.runtime):
                os.chown(path, NOBODY, NOBODY)
        self.processes: list[subprocess.Popen] = []

    def start(self, *args: str, env: dict[str, str] | None = None, command: list[str] | None = None,
              **kw) -> subprocess.Popen:
        process = subprocess.Popen([*(command or []), self.program, *args], env={**self.env, **(env or {})},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **self.identity, **kw)
        self.processes.append(process)
        return process

    def start_ready(self, *args: str, **kw) -> subprocess.Popen:
        """Start and wait for READY=1; the notices that follow are left in self.notices."""
        path = self.folder / 'notify'
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path.unlink(missing_ok=True)
        self.notices.bind(str(path))
        os.chmod(path, 0o777)
        self.notices.settimeout(10)
        process = self.start(*args, env={'NOTIFY_SOCKET': str(path), **kw.pop('env', {})}, **kw)
        assert self.notices.recv(100) == b'READY=1'
        return process

    def sock(self, name: str = 'libvirt-sock') -> Path:
        return self.runtime / 'libvirt' / name

    def asks_auth_list(self, path: Path) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(struct.pack('>7I', 28, 0x20008086, 1, 66, 0, 0, 0))
            return client.recv(100)[28:] == struct.pack('>II', 1, 0)

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        shutil.rmtree(self.folder)


@pytest.fixture
def session():
    session = Session()
    yield session
    session.end()


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_users_daemon_listens_below_the_runtime_folder(session):
    process = session.start_ready()
    assert session.asks_auth_list(session.sock())
    assert stat.S_IMODE(session.sock().stat().st_mode) == 0o700
    assert session.sock('libvirt-admin-sock').exists()
    assert not session.sock('libvirt-sock-ro').exists()
    assert (session.runtime / 'libvirt/libvirtd.pid').read_text() == str(process.pid)


def test_sigterm_ends_it_in_order(session):
    process = session.start_ready()
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGHUP)
    assert session.asks_auth_list(session.sock())
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0
    assert session.notices.recv(100) == b'STOPPING=1'
    assert not (session.runtime / 'libvirt/libvirtd.pid').exists()


def test_second_daemon_says_who_is_in_the_way(session):
    first = session.start_ready()
    code, _, err = finish(session.start())
    assert code == 1 and f'process {first.pid}' in err and 'libvirtd.pid' in err
    assert session.asks_auth_list(session.sock())


def test_socket_of_a_killed_daemon_is_replaced(session):
    first = session.start_ready()
    first.kill()
    first.wait()
    assert session.sock().exists()
    session.start_ready()
    assert session.asks_auth_list(session.sock())


def test_idle_daemon_ends_by_itself(session):
    process = session.start_ready('--timeout', '1')
    assert session.asks_auth_list(session.sock())
    assert finish(process)[0] == 0


def test_background_means_ready(session):
    code, _, err = finish(session.start('-d'))
    assert code == 0, err
    assert session.asks_auth_list(session.sock())
    os.kill(int((session.runtime / 'libvirt/libvirtd.pid').read_text()), signal.SIGTERM)


def test_background_start_that_fails_says_so(session):
    (session.folder / 'bad.conf').write_text('max_workers = none\n')
    code, _, err = finish(session.start('-d', '-f', str(session.folder / 'bad.conf')))
    assert code == 1 and 'bad.conf:1:' in err


def test_inherited_sockets_are_served_by_their_names(session):
    paths = [session.folder / 'one', session.folder / 'two']
    sockets = []
    for path in paths:
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].bind(str(path))
        sockets[-1].listen()
        os.chmod(path, 0o777)
    move = 'exec 53<&%d 54<&%d; exec 3<&53 4<&54; LISTEN_PID=$$ exec "$@"' % tuple(s.fileno() for s in sockets)
    session.start_ready(env={'LISTEN_FDS': '2', 'LISTEN_FDNAMES': 'libvirtd.socket:libvirtd-admin.socket'},
                        command=['bash', '-c', move, 'start'], pass_fds=[s.fileno() for s in sockets])
    assert session.asks_auth_list(paths[0])
    assert not session.asks_auth_list(paths[1])     # the admin program has no such call
    assert not session.sock().exists()


@pytest.mark.parametrize('args, words', [
    (['--timeout', '0'], 'above 0'), (['-l'], 'UNIX sockets only'), (['what'], "unexpected argument 'what'"),
    (['--frobnicate'], '--help'), (['-f', '/nonexistent/x.conf'], '/nonexistent/x.conf')])
def test_wrong_options_are_explained(session, args, words):
    code, _, err = finish(session.start(*args))
    assert code == 1 and words in err


def test_version_and_help(session):
    assert finish(session.start('-V'))[1].startswith('libvirtd (libvirt) ')
    assert '--timeout SECONDS' in finish(session.start('--help'))[1]
