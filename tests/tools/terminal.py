# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh with a person at it: a pseudo-terminal that tests type into and read."""
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from pathlib import Path

BUILD = Path(os.environ.get('BUILD', Path(__file__).resolve().parents[2] / 'build'))
VIRSH = BUILD / 'src/tools/virsh'


class Terminal:
    """virsh with a person at it."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.history = folder / 'history'
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(VIRSH), *args], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, close_fds=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
            env={**os.environ, 'LD_LIBRARY_PATH': str(BUILD / 'src/client'), 'TERM': 'dumb',
                 'VIRSH_HISTORY': str(self.history), 'INPUTRC': '/dev/null', 'LC_ALL': 'C.UTF-8'})
        os.close(slave)
        self.text = ''

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait(self, pattern: str, seconds: float = 10) -> str:
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.text, re.DOTALL)
            if match:
                seen, self.text = self.text[:match.end()], self.text[match.end():]
                return seen
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f'no {pattern!r} in {self.text!r}')
            try:
                self.text += os.read(self.master, 65536).decode(errors='replace').replace('\r', '')
            except OSError:
                raise AssertionError(f'virsh ended without {pattern!r}: {self.text!r}') from None

    def modes(self) -> list:
        """How the terminal is set up (termios)."""
        return termios.tcgetattr(self.master)

    def prompt(self) -> None:
        self.wait('virsh # ')

    def end(self) -> int:
        code = self.process.wait(10)
        os.close(self.master)
        return code
