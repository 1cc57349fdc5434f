# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private daemon, its guests, and ways to look at them from outside.

A Lab is a folder with everything the daemon would keep in /etc/libvirt, /run/libvirt, /var/lib/libvirt ..., bound over
those paths in a mount namespace of its own, with a network namespace of its own. Several labs run side by side; nothing
of the host's libvirt is touched. Needs root.
"""
import atexit
import ctypes
import functools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import tty
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD', TOP / 'build'))
DAEMON = BUILD / 'src/server/libvirtd'
VIRSH = BUILD / 'src/tools/virsh'
CLIENT = BUILD / 'src/client'
KNOWN = BUILD / 'guest-capabilities'
BOUND = {'run': '/run/libvirt', 'etc': '/etc/libvirt', 'lib': '/var/lib/libvirt', 'log': '/var/log/libvirt',
         'cache': '/var/cache/libvirt'}

ENTER = """set -e
ip link set lo up
D=$1; shift
for pair in run:/run/libvirt etc:/etc/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
    mkdir -p "${pair#*:}"
    mount --bind "$D/${pair%%:*}" "${pair#*:}"
done
exec "$@"
"""


def guest_files() -> Path:
    """The kernel and initrd that all guests share, made once a build."""
    folder = BUILD / 'guest'
    subprocess.run([str(TOP / 'tests/live/guest.sh'), str(folder)], check=True)
    return folder


class Console:
    """A guest's serial port, typed into and read like a person would."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)
        self.text = ''

    def wait(self, pattern: str, seconds: float = 90) -> re.Match:
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f'the guest did not say {pattern!r} in {seconds:.0f} s; it said {self.text[-600:]!r}')
            try:
                self.text += os.read(self.fd, 65536).decode(errors='replace').replace('\r', '')
            except BlockingIOError:
                continue

    def prepare(self) -> None:
        """After the first prompt: no echo, no prompt, so that only output comes."""
        self.wait('GUEST-UP')
        self.run('stty -echo; PS1=')

    def run(self, command: str, seconds: float = 60) -> str:
        """Run one command in the guest's shell and return what it printed."""
        mark = f'done{time.monotonic_ns()}'
        os.write(self.fd, f'{command}; echo {mark[:4]}""{mark[4:]}\n'.encode())
        return self.wait(rf'(?s)(.*?)\n?{mark}', seconds)[1].replace('\x1b[6n', '')

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@functools.cache
def for_any_user(path: Path) -> Path:
    """@path where every user can read it: a copy, if the tree lies in a folder that only its owner may enter."""
    if all(os.stat(folder).st_mode & 0o005 == 0o005 for folder in path.resolve().parents):
        return path
    folder = Path(tempfile.mkdtemp(prefix='manifold-copy-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    return Path(shutil.copy(path, folder))


@functools.cache
def run_event_loop() -> None:
    """The library's event loop, in the one thread that may run it: two would hand out events in any order."""
    import libvirt
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()


class Lab:
    def __init__(self, folder: Path | str | None = None) -> None:
        self.own = folder is None
        self.dir = Path(folder or tempfile.mkdtemp(prefix='manifold-lab-'))
        self.images = self.dir / 'images'
        for name in (*BOUND, 'images'):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        # What the emulators can do was found out by the first lab of this build; the daemon knows when it is out of date.
        if KNOWN.is_dir() and not (self.dir / 'cache/qemu').exists():
            shutil.copytree(KNOWN, self.dir / 'cache/qemu')
        self.socket = self.dir / 'run/libvirt-sock'
        self.uri = f'qemu+unix:///system?socket={self.socket}'
        self.daemon: subprocess.Popen | None = None
        self.env: dict[str, str] = {}

    # ---- the daemon ----

    def start(self, *args: str, program: list[str] | None = None) -> 'Lab':
        """Start the daemon and wait until it answers. @program replaces it (a debugger, another daemon)."""
        self.socket.unlink(missing_ok=True)
        log = open(self.dir / 'libvirtd.log', 'ab')
        self.daemon = subprocess.Popen(
            ['unshare', '--mount', '--net', '--propagation', 'private', 'bash', '-c', ENTER, 'lab', str(self.dir),
             *(program or [str(DAEMON), '--pid-file', str(self.dir / 'run/libvirtd.pid')]), *args],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, 'LIBVIRT_LOG_OUTPUTS': '1:stderr', **self.env})
        log.close()
        end = time.monotonic() + 30
        while not self.answers():
            if self.daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError('the daemon did not come up:\n' + self.log()[-4000:])
            time.sleep(0.01)
        return self

    def answers(self) -> bool:
        """Does anybody listen? The file is there a moment before that."""
        with socket.socket(socket.AF_UNIX) as probe:
            return self.socket.exists() and probe.connect_ex(str(self.socket)) == 0

    def log(self) -> str:
        path = self.dir / 'libvirtd.log'
        return path.read_text(errors='replace') if path.exists() else ''

    @property
    def pid(self) -> int:
        return self.daemon.pid

    def stop(self) -> None:
        """End the daemon in order; guests go on running."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.daemon:
            if self.daemon.poll() is None:
                self.daemon.send_signal(number)
            self.daemon.wait(30)
            self.daemon = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def emulators(self) -> dict[str, int]:
        """Running QEMU processes of this lab: guest name -> pid. Zombies do not count."""
        return dict(self.emulator_list())

    def emulator_list(self) -> list[tuple[str, int]]:
        """The same, also when a guest has two of them."""
        found = []
        for entry in Path('/proc').iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / 'cmdline').read_bytes().split(b'\0')
                state = (entry / 'stat').read_text().rsplit(')', 1)[1].split()[0]
            except OSError:
                continue
            if b'qemu-system' not in words[0] or state == 'Z':
                continue
            try:
                mounts = (entry / 'mountinfo').read_text()
            except OSError:
                continue
            if self.dir.name not in mounts and not any(self.dir.name.encode() in w for w in words):
                continue
            for i, word in enumerate(words):
                if word == b'-name':
                    name = re.match(r'(?:guest=)?([^,]+)', words[i + 1].decode())[1]
                    found.append((name, int(entry.name)))
        return found

    def kill_emulators(self) -> None:
        """SIGKILL to all of this lab's, and wait until they are gone."""
        for _, pid in self.emulator_list():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not self.emulator_list(), what='the end of all emulators')

    def close(self) -> None:
        """End the daemon and every emulator of this lab, remove the folder."""
        self.kill9()
        found = self.dir / 'cache/qemu'
        for path in found.rglob('*.json'):
            target = KNOWN / path.relative_to(found)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f'.{os.getpid()}')
                shutil.copy(path, partial)
                partial.rename(target)
        self.kill_emulators()
        if self.own:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self) -> 'Lab':
        return self.start()

    def __exit__(self, *exc) -> None:
        self.close()

    # ---- clients ----

    def conn(self, read_only: bool = False):
        """A connection through python3-libvirt, which loads our library (see conftest.py)."""
        import libvirt
        libvirt.registerErrorHandler(lambda ctx, err: None, None)
        if read_only:
            return libvirt.openReadOnly(self.uri.replace('libvirt-sock', 'libvirt-sock-ro'))
        return libvirt.open(self.uri)

    def virsh(self, *args: str, check: bool = True, debian: bool = False, stdin: str | None = None,
              timeout: float = 120) -> subprocess.CompletedProcess:
        """Run our virsh, or the distribution's with its own library, against this lab."""
        env = {k: v for k, v in os.environ.items() if k != 'LD_LIBRARY_PATH'}
        if not debian:
            env['LD_LIBRARY_PATH'] = str(CLIENT)
        done = subprocess.run(['/usr/bin/virsh' if debian else str(VIRSH), '-c', self.uri, *args], env=env, input=stdin,
                              text=True, capture_output=True, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f'virsh {" ".join(args)}: exit {done.returncode}: {done.stderr}\n{self.log()[-2000:]}')
        return done

    # ---- guests ----

    def disk(self, name: str, size: str = '16M', form: str = 'qcow2') -> Path:
        path = self.images / name
        subprocess.run(['qemu-img', 'create', '-q', '-f', form, str(path), size], check=True)
        return path

    def guest_xml(self, name: str, disks: list[Path] = (), memory: int = 128, machine: str = 'q35', extra: str = '',
                  form: str = 'qcow2') -> str:
        files = guest_files()
        devices = ''.join(
            f"<disk type='file' device='disk'><driver name='qemu' type='{form}'/><source file='{path}'/>"
            f"<target dev='vd{'abcdefghij'[i]}' bus='virtio'/></disk>" for i, path in enumerate(disks))
        return (f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>"
                f"<os><type arch='x86_64' machine='{machine}'>hvm</type><kernel>{files}/vmlinuz</kernel>"
                f"<initrd>{files}/initrd.gz</initrd><cmdline>console=ttyS0 quiet</cmdline></os>"
                f"<features><acpi/></features>"
                f"<devices>{devices}<serial type='pty'/><console type='pty'/>{extra}</devices></domain>")

    def console(self, name: str) -> Console:
        return Console(self.virsh('ttyconsole', name).stdout.strip())

    def monitor(self, name: str, command: str, **arguments):
        """A QMP command through the daemon; its return value."""
        text = json.dumps({'execute': command, **({'arguments': arguments} if arguments else {})})
        reply = json.loads(self.virsh('qemu-monitor-command', name, text).stdout)
        if 'error' in reply:
            raise AssertionError(f'{command}: {reply["error"]}')
        return reply['return']


def become_subreaper() -> None:
    """Orphaned guests come to us instead of to a process 1 that may be slow to reap them."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def wait_for(condition, seconds: float = 30, what: str = 'the condition') -> None:
    """Wait for something that has no event to wait for; says what did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f'{what} did not come true within {seconds:.0f} s')
        time.sleep(0.02)
