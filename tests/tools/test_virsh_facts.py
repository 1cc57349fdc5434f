# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands and options that scripts know, compared with what our `help` says we have. The table: tests/facts/virsh-commands.tsv."""
import csv
import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('BUILD', TOP / 'build'))
VIRSH = BUILD / 'src/tools/virsh'
FACTS = TOP / 'tests/facts/virsh-commands.tsv'

# What we do not have, and why.
MISSING = {
    'lxc-enter-namespace': 'it has to enter the namespaces of a container itself: comes with the LXC driver',
    # Their names are known, their options are not.
    'await': 'options unknown',
    'domdisplay-reload': 'options unknown',
    'domthrottlegroupdel': 'options unknown',
    'domthrottlegroupinfo': 'options unknown',
    'domthrottlegrouplist': 'options unknown',
    'domthrottlegroupset': 'options unknown',
    'hypervisor-cpu-models': 'options unknown',
    'net-desc': 'options unknown',
    'net-metadata': 'options unknown',
    'nodedev-update': 'options unknown',
}

# What only we have: each goes through libmanifold.
OWN_COMMANDS = {'snapshot-clone', 'snapshot-undo', 'snapshot-verify'}
OWN_OPTIONS = {('snapshot-create', 'dry-run'), ('snapshot-create-as', 'dry-run'), ('snapshot-delete', 'dry-run'),
               ('snapshot-revert', 'dry-run'), ('snapshot-revert', 'image'), ('snapshot-revert', 'keep'),
               ('snapshot-revert', 'keep-disks')}

# Options that the table leaves out: they take all remaining words.
WORDS = {('domstats', 'domain'), ('echo', 'string')}


class Option(NamedTuple):
    kind: str        # bool, string, int, alias
    required: bool
    bare: bool       # shown as usable without its name
    repeated: bool
    target: str      # of an alias


def virsh(*args: str) -> str:
    done = subprocess.run([str(VIRSH), *args], capture_output=True, text=True, timeout=20,
                          env={**os.environ, 'LD_LIBRARY_PATH': str(BUILD / 'src/client')})
    assert done.returncode == 0, done.stderr
    return done.stdout


def known() -> dict[str, dict[str, Option]]:
    table: dict[str, dict[str, Option]] = defaultdict(dict)
    with open(FACTS, encoding='utf-8') as file:
        for row in csv.DictReader(file, delimiter='\t'):
            if row['tool'] != 'virsh':
                continue
            options = table[row['command']]
            if row['option']:
                target = row['source'].rpartition('alias of ')[2] if row['type'] == 'alias' else ''
                options[row['option']] = Option(row['type'], row['required'] == '1', row['positional'] == '1',
                                                row['repeated'] == '1', target)
    # An alias of a command is that command.
    table['nodedev-dettach'] = table['nodedev-detach']
    return table


def ours(command: str) -> dict[str, Option]:
    text = virsh('help', command)
    synopsis = re.search(r'SYNOPSIS\n    (.*)', text)[1]
    options: dict[str, Option] = {}
    for line in text.partition('  OPTIONS\n')[2].splitlines():
        match = re.match(r'    (?:\[--([\w-]+)\]|--([\w-]+))( <string>| <number>)?\s+(.*)', line)
        if not match:
            continue
        name, value = match[1] or match[2], (match[3] or '').strip()
        if name == 'json':
            continue
        if match[4].startswith('the same as --'):
            options[name] = Option('alias', False, False, False, match[4].removeprefix('the same as '))
            continue
        kind = {'': 'bool', '<string>': 'string', '<number>': 'int'}[value]
        repeated = f'<{name}>]...' in synopsis or f'<{name}>...' in synopsis
        required = f' <{name}>' in synopsis.replace(f'[<{name}>]', '')
        options[name] = Option(kind, required, bool(match[1]), repeated, '')
    return options


TABLE = known()


def commands() -> list[str]:
    return [line.split()[0] for line in virsh('help').splitlines() if line.startswith('    ')]


@pytest.fixture(scope='module', name='have')
def fixture_have() -> list[str]:
    return commands()


def test_what_is_missing_is_listed_here_with_its_reason(have):
    assert set(TABLE) - set(have) == set(MISSING)


def test_every_command_of_ours_is_a_known_one(have):
    assert set(have) - set(TABLE) == OWN_COMMANDS


@pytest.mark.parametrize('command', sorted(set(TABLE) - set(MISSING)))
def test_options_are_those_that_scripts_know(command):
    mine, theirs = ours(command), TABLE[command]
    assert all(name in mine for owner, name in OWN_OPTIONS if owner == command)
    mine = {name: option for name, option in mine.items() if (command, name) not in WORDS | OWN_OPTIONS}
    assert mine == theirs


@pytest.mark.parametrize('command', sorted(set(TABLE) - set(MISSING)))
def test_options_with_values_stand_in_the_known_order(command):
    """Words without a name fill them in this order."""
    def values(options):
        return [name for name, option in options.items() if option.kind in ('string', 'int')]
    assert [name for name in values(ours(command)) if (command, name) not in WORDS | OWN_OPTIONS] == values(TABLE[command])
