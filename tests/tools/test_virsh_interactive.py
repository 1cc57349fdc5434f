# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh at a terminal: prompt, completion, history, Ctrl-C. Nothing here needs a daemon."""
import os
import re
import signal
import subprocess

import pytest
from terminal import BUILD, VIRSH, Terminal


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
