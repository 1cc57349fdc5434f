# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh on our daemon with a real guest: output as Debian's virsh prints it, JSON, console, events."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import lab as labs
from terminal import Terminal

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-system-x86_64'), reason='QEMU is not installed'),
]


@pytest.fixture(scope='module', name='lab')
def fixture_lab():
    """One running guest with a disk, and one that is off."""
    lab = labs.Lab().start()
    disk = lab.disk('runs.qcow2')
    for name, disks in (('runs', [disk]), ('off', [])):
        path = lab.dir / f'{name}.xml'
        path.write_text(lab.guest_xml(name, disks))
        lab.virsh('define', str(path))
    lab.virsh('start', 'runs')
    yield lab
    lab.virsh('destroy', 'runs', check=False)
    lab.stop()


# Everything here changes nothing, so that both may run one after the other.
SAME = [
    'list', 'list --all', 'list --all --name', 'list --all --uuid', 'list --inactive', 'list --all --title',
    'list --state-paused', 'dominfo off', 'domstate runs', 'domstate runs --reason', 'domstate off --reason', 'domid runs',
    'domid off', 'domname 1', 'domuuid runs', 'domblklist runs', 'domblklist runs --details', 'domiflist runs',
    'domblkinfo runs vda', 'domblkinfo runs vda --human', 'domblkinfo runs --all', 'dumpxml runs', 'dumpxml off --inactive',
    'dumpxml runs --xpath //disk/target', 'dumpxml runs --xpath //disk --wrap', 'vcpucount runs', 'vcpucount off --maximum',
    'ttyconsole runs', 'domcontrol runs', 'desc runs', 'desc runs --title', 'snapshot-list runs', 'snapshot-list off --tree',
    'nodeinfo', 'hostname', 'uri', 'maxvcpus', 'capabilities', 'domcapabilities', 'domjobinfo runs', 'event --list',
    'domdisplay runs', 'vncdisplay runs', 'domstate nobody', 'start runs', 'snapshot-info runs nothing', 'domblkstat runs nodisk',
    'autostart off', 'autostart off --disable', 'metadata runs http://example.org/x', 'blockjob runs vda',
    'domblkinfo runs', 'undefine nobody', 'setmem runs nonsense', 'shutdown runs --mode nonsense',
]


@pytest.mark.parametrize('line', SAME)
def test_output_and_exit_code_are_as_scripts_know_them(lab, line):
    if not os.path.exists('/usr/bin/virsh'):
        pytest.skip('no other virsh to compare with')
    ours, theirs = lab.virsh(line, check=False), lab.virsh(line, check=False, debian=True)
    assert (ours.stdout, ours.stderr, ours.returncode) == (theirs.stdout, theirs.stderr, theirs.returncode)


@pytest.mark.parametrize('line', ['list', 'list --all', 'domblklist runs', 'domstate runs', 'dominfo off'])
def test_quiet_output_is_as_scripts_know_it(lab, line):
    if not os.path.exists('/usr/bin/virsh'):
        pytest.skip('no other virsh to compare with')
    ours, theirs = lab.virsh('-q', line, check=False), lab.virsh('-q', line, check=False, debian=True)
    assert ours.stdout == theirs.stdout


@pytest.mark.parametrize('line', [
    'list --all', 'dominfo runs', 'domstate runs', 'domid runs', 'domuuid runs', 'domblklist runs', 'domiflist runs',
    'domblkinfo runs vda', 'domblkstat runs vda', 'dommemstat runs', 'domstats', 'vcpucount runs', 'dumpxml runs',
    'nodeinfo', 'hostname', 'uri', 'version', 'capabilities', 'snapshot-list runs', 'domjobinfo runs', 'desc runs',
    'nodecpustats', 'nodememstats', 'freecell', 'maxvcpus', 'ttyconsole runs', 'domcontrol runs', 'pwd',
])
def test_json_is_json(lab, line):
    json.loads(lab.virsh(f'{line} --json').stdout)


def test_json_of_list_says_what_the_table_says(lab):
    rows = json.loads(lab.virsh('list', '--all', '--json').stdout)
    assert [(row['name'], row['state']) for row in rows] == [('runs', 'running'), ('off', 'shut off')]
    assert rows[0]['id'] > 0 and rows[1]['id'] is None


def test_console_connects_and_leaves_with_the_escape_character(lab, tmp_path):
    terminal = Terminal(tmp_path, '-c', lab.uri, 'console', 'runs')
    before = terminal.modes()
    terminal.wait('Escape character is \\^\\] \\(Ctrl \\+ \\]\\)\n')
    terminal.type('\n')
    terminal.wait('[#$] ', 120)
    terminal.type('echo al""ive\n')
    terminal.wait('alive', 30)
    assert terminal.modes() != before
    terminal.type('\x1d')
    assert terminal.process.wait(10) == 0
    assert terminal.modes() == before


def test_console_restores_the_terminal_when_it_is_told_to_end(lab, tmp_path):
    terminal = Terminal(tmp_path, '-c', lab.uri, 'console', 'runs')
    before = terminal.modes()
    terminal.wait('Escape character')
    labs.wait_for(lambda: terminal.modes() != before, what='the raw terminal')
    terminal.process.send_signal(signal.SIGTERM)
    terminal.process.wait(10)
    assert terminal.modes() == before


def test_ctrl_c_ends_an_endless_event_loop(lab, tmp_path):
    terminal = Terminal(tmp_path, '-c', lab.uri, 'event', '--all', '--loop', '--timestamp')
    heard = False
    # It says nothing when it listens: make events until it has heard one.
    for _ in range(20):
        lab.virsh('suspend', 'runs')
        lab.virsh('resume', 'runs')
        try:
            terminal.wait(r"\d\d\d\d-\d\d-\d\d [\d:.]+\+\d{4}: event 'lifecycle' for domain 'runs': Suspended Paused\n", 1)
            heard = True
            break
        except AssertionError:
            continue
    assert heard, terminal.text
    terminal.wait("event 'lifecycle' for domain 'runs': Resumed Unpaused\n")
    terminal.type('\x03')
    terminal.wait(r'event loop interrupted\nevents received: \d+\n')
    assert terminal.end() == 0


def test_event_ends_after_the_first_one(lab):
    virsh = subprocess.Popen([str(labs.VIRSH), '-c', lab.uri, 'event', 'off', 'lifecycle', '--json'], text=True,
                             stdout=subprocess.PIPE, env={**os.environ, 'LD_LIBRARY_PATH': str(labs.CLIENT)})
    path = lab.dir / 'again.xml'
    path.write_text(lab.virsh('dumpxml', 'off').stdout)
    # It says nothing when it listens: make events until it has heard one.
    for _ in range(50):
        if virsh.poll() is not None:
            break
        lab.virsh('define', str(path))
    event = json.loads(virsh.communicate(timeout=10)[0])
    assert virsh.returncode == 0
    assert (event['event'], event['domain']) == ('lifecycle', 'off')


def test_event_that_does_not_come_is_a_failure(lab):
    done = lab.virsh('event', 'off', 'reboot', '--timeout', '1', check=False)
    assert done.returncode == 1
    assert done.stdout == 'event loop timed out\nevents received: 0\n\n'


def test_monitor_command_prints_for_people_and_for_programs(lab):
    plain = lab.virsh('qemu-monitor-command', 'runs', '{"execute":"query-status"}').stdout
    pretty = lab.virsh('qemu-monitor-command', 'runs', '--pretty', '{"execute":"query-status"}').stdout
    value = lab.virsh('qemu-monitor-command', 'runs', '--return-value', '{"execute":"query-status"}').stdout
    assert json.loads(plain)['return']['status'] == 'running'
    assert json.loads(pretty) == json.loads(plain) | {'id': json.loads(pretty).get('id')} and pretty.count('\n') > 4
    assert json.loads(value) == json.loads(plain)['return']
    assert 'running' in lab.virsh('qemu-monitor-command', 'runs', '--hmp', 'info', 'status').stdout


def test_tab_completes_domains_by_their_state(lab, tmp_path):
    terminal = Terminal(tmp_path, '-c', lab.uri)
    terminal.prompt()
    terminal.type('list\n')
    terminal.prompt()
    terminal.type('start \t')
    terminal.wait('start off ')
    terminal.type('\x15destroy \t')
    terminal.wait('destroy runs ')
    terminal.type('\x15domblkinfo runs \t')
    terminal.wait('domblkinfo runs vda ')
    terminal.type('\x15quit\n')
    assert terminal.end() == 0


def test_snapshots_are_made_listed_completed_and_deleted(lab, tmp_path):
    assert re.match('Domain snapshot one created\n', lab.virsh('snapshot-create-as', 'runs', 'one', '--disk-only').stdout)
    lab.virsh('snapshot-create-as', 'runs', 'two', '--disk-only')
    assert lab.virsh('snapshot-list', 'runs', '--tree').stdout == 'one\n  |\n  +- two\n    \n\n'
    assert lab.virsh('snapshot-parent', 'runs', 'two').stdout == 'one\n'
    assert lab.virsh('snapshot-current', 'runs', '--name').stdout == 'two\n'
    terminal = Terminal(tmp_path, '-c', lab.uri)
    terminal.prompt()
    terminal.type('list\n')
    terminal.prompt()
    terminal.type('snapshot-info runs t\t')
    terminal.wait('snapshot-info runs two ')
    terminal.type('\x15quit\n')
    terminal.end()
    for name in ('two', 'one'):
        assert lab.virsh('snapshot-delete', 'runs', name).stdout == f'Domain snapshot {name} deleted\n\n'
