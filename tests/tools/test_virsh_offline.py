# SPDX-License-Identifier: LGPL-2.1-or-later
"""What virsh does before it has a connection: options, words, help. Scripts depend on texts and exit codes."""
import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get('BUILD', Path(__file__).resolve().parents[2] / 'build'))
VIRSH = BUILD / 'src/tools/virsh'


def virsh(*args, stdin=None, env=None):
    return subprocess.run([str(VIRSH), *args], input=stdin, capture_output=True, text=True, timeout=20,
                          env={**os.environ, 'LD_LIBRARY_PATH': str(BUILD / 'src/client'), **(env or {})})


def test_words_are_split_like_a_shell_does():
    assert virsh("echo a  'b c' \"d \\\" e\" f\\ g").stdout == 'a b c d " e f g\n'


def test_semicolon_and_newline_separate_commands():
    assert virsh("echo a; echo b\necho c").stdout == 'a\nb\nc\n'
    assert virsh('echo', 'a', ';', 'echo', 'b').stdout == 'a\nb\n'


def test_an_argument_of_its_own_is_not_split():
    assert virsh('echo', 'a;b  c').stdout == 'a;b  c\n'


def test_comment_ends_with_the_line():
    assert virsh('echo a # echo b\necho c').stdout == 'a\nc\n'


def test_missing_quote_is_an_error():
    done = virsh("echo 'a")
    assert (done.returncode, done.stderr) == (1, 'error: missing "\n')


def test_xml_and_shell_escapes():
    assert virsh('echo', '--xml', "<a b='c'>").stdout == "&lt;a b=&apos;c&apos;&gt;\n"
    assert virsh('echo', '--shell', "it's").stdout == "'it'\\''s'\n"


@pytest.mark.parametrize('line, message', [
    ('nonsense', "unknown command: 'nonsense'"),
    ('start', "command 'start' requires <domain> option"),
    ('start --bogus', "command 'start' doesn't support option --bogus"),
    ('list extra', "unexpected data 'extra'"),
    ('dumpxml a b', "unexpected data 'b'"),
    ('start --domain a --domain b', 'option --domain already seen'),
    ('start a --paused=yes', "invalid '=' after option --paused"),
    ('help nothing', "command or command group 'nothing' doesn't exist"),
    ('cd /', 'cd: command valid only in interactive mode'),
])
def test_wrong_usage_says_what_is_wrong(line, message):
    done = virsh(line)
    assert done.returncode == 1
    assert done.stderr == f'error: {message}\n'


def test_double_dash_ends_the_options():
    assert virsh('echo', '--', '--xml').stdout == '--xml\n'


def test_a_line_is_checked_before_any_of_it_runs():
    done = virsh('echo a; nonsense; echo b')
    assert (done.returncode, done.stdout) == (1, '')
    assert virsh('echo', 'a', ';', 'start', ';', 'echo', 'b').stdout == ''


def test_a_failing_command_does_not_keep_the_next_from_running():
    done = virsh('echo a; cd /; echo b')
    assert (done.returncode, done.stdout) == (0, 'a\n\nb\n')
    assert virsh('echo a; cd /').returncode == 1


def test_commands_come_from_standard_input():
    done = virsh(stdin='echo one\necho two\nquit\necho three\n')
    assert (done.returncode, done.stdout) == (0, 'one\ntwo\n')


def test_help_explains_each_command():
    listing = virsh('help').stdout
    names = [line.split()[0] for line in listing.splitlines() if line.startswith('    ')]
    assert len(names) > 60 and len(set(names)) == len(names)
    for name in names:
        text = virsh('help', name).stdout
        assert f'{name} - ' in text and 'SYNOPSIS' in text, name


def test_help_of_a_group_lists_its_commands():
    assert 'snapshot-revert' in virsh('help', 'snapshot').stdout


def test_version_has_the_usual_form():
    assert virsh('-v').stdout == virsh('--version').stdout
    assert all(part.isdigit() for part in virsh('-v').stdout.strip().split('.'))
    assert virsh('-V').returncode == 0


def test_unknown_option_is_an_error():
    done = virsh('--bogus')
    assert done.returncode == 1 and 'unsupported option' in done.stderr


def test_no_daemon_is_said_with_its_socket():
    done = virsh('-c', 'qemu+unix:///system?socket=/nonexistent/sock', 'list')
    assert done.returncode == 1
    assert 'failed to connect to the hypervisor' in done.stderr
    assert '/nonexistent/sock' in done.stderr
