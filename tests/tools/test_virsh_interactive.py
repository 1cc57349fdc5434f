# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh at a terminal: prompt, completion, history, Ctrl-C. Nothing here needs a daemon."""
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

BUILD = Path(os.environ.get('BUILD', Path(__file__).resolve().parents[2] / 'build'))
VIRSH = BUILD / 'src/tools/virsh'


class Terminal:
    """virsh with a person at it."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.history = folder / 'history'
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [str(VIRSH), *args], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, close_fds=True,
            preexec_fn=lambda: __import__('fcntl').ioctl(slave, __import__('termios').TIOCSCTTY, 0),
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

    def prompt(self) -> None:
        self.wait('virsh # ')

    def end(self) -> int:
        code = self.process.wait(10)
        os.close(self.master)
        return code


@pytest.fixture(name='terminal')
def fixture_terminal(tmp_path):
    terminal = Terminal(tmp_path)
    terminal.prompt()
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.process.wait()


def test_a_session_greets_answers_and_ends_with_quit(terminal):
    terminal.type('echo one\n')
    terminal.wait('\none\n')
    terminal.prompt()
    terminal.type('quit\n')
    assert terminal.end() == 0


def test_end_of_file_ends_the_session(terminal):
    terminal.type('\x04')
    assert terminal.end() == 0


def test_a_failing_command_does_not_end_the_session(terminal):
    terminal.type('nonsense\n')
    terminal.wait("unknown command: 'nonsense'")
    terminal.prompt()
    terminal.type('quit\n')
    assert terminal.end() == 0


def test_tab_completes_commands(terminal):
    terminal.type('snapshot-rev\t')
    terminal.wait('snapshot-revert ')


def test_tab_completes_options_that_are_not_there_yet(terminal):
    terminal.type('list --all --in\t')
    terminal.wait('list --all --inactive ')


def test_tab_completes_choices_one_after_the_other(terminal):
    terminal.type('shutdown web1 --mode ac\t')
    terminal.wait('--mode acpi')
    terminal.type('\x7f,ag\t')
    terminal.wait('agent')


def test_tab_completes_topics_of_help(terminal):
    terminal.type('help monit\t')
    terminal.wait('help monitor')


def test_tab_completes_after_a_semicolon(terminal):
    terminal.type('echo a; domblkl\t')
    terminal.wait('domblklist ')


def test_ctrl_c_throws_the_line_away(terminal):
    terminal.type('echo wro')
    terminal.wait('wro')
    terminal.type('\x03')
    terminal.prompt()
    terminal.type('echo right\n')
    assert 'wro' not in terminal.wait('\nright\n').split('\n', 1)[1]
    terminal.prompt()
    terminal.type('quit\n')
    assert terminal.end() == 0


def test_history_is_kept_for_the_next_session_and_for_its_owner_only(terminal):
    terminal.type('echo remembered\n')
    terminal.prompt()
    terminal.type('quit\n')
    assert terminal.end() == 0
    assert 'echo remembered' in terminal.history.read_text()
    assert terminal.history.stat().st_mode & 0o777 == 0o600


def test_cd_works_in_a_session(terminal, tmp_path):
    terminal.type(f'cd {tmp_path}\n')
    terminal.prompt()
    terminal.type('pwd\n')
    terminal.wait(re.escape(f'\n{tmp_path}\n'))


def test_a_reader_that_goes_away_ends_virsh_quietly():
    process = subprocess.Popen([str(VIRSH), '; '.join(['help'] * 50)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, 'LD_LIBRARY_PATH': str(BUILD / 'src/client')})
    process.stdout.read(10)
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(10) == 1
    assert b'cannot write the output' in errors and errors.count(b'\n') == 1


def test_sigterm_ends_a_session(terminal):
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() != 0
