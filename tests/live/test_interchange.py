# SPDX-License-Identifier: LGPL-2.1-or-later
"""The distribution's daemon and ours on the same folders: our virsh works on theirs, and each takes over the other's definitions,
snapshots and running guests. Skipped where that daemon is not installed."""
import os
import re
import shutil
from pathlib import Path

import pytest

import lab as labs

PEER_DRIVER = Path('/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so')
# The driver's own module: /usr/sbin/libvirtd alone could be ours, installed.
pytestmark = [
    pytest.mark.skipif(not os.environ.get('MANIFOLD_PEER'), reason='takes minutes on a cold peer: set MANIFOLD_PEER=1 to run it'),
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-system-x86_64'), reason='QEMU is not installed'),
    pytest.mark.skipif(not PEER_DRIVER.exists(), reason='libvirt-daemon-driver-qemu is not installed'),
]

PEER = ['bash', '-c', 'mkdir -p /run/libvirt/qemu /var/log/libvirt/qemu; '
        'unset LD_LIBRARY_PATH; exec /usr/sbin/libvirtd --pid-file /run/libvirt/peer.pid']
PEER_CONF = 'user = "root"\ngroup = "root"\nremember_owner = 0\nstdio_handler = "file"\n'


@pytest.fixture(scope='module')
def lab():
    labs.become_subreaper()
    one = labs.Lab()
    (one.dir / 'etc/qemu.conf').write_text(PEER_CONF)
    yield one
    one.close()


def plain(xml: str) -> str:
    """The document without what is free: the kind of quotes, and space between elements."""
    return re.sub(r'>\s+<', '><', xml.replace('"', "'")).strip()


def test_guests_and_snapshots_pass_between_the_daemons(lab):
    def virsh(*args: str) -> str:
        # Generous: a peer with an empty cache asks every emulator first.
        return lab.virsh(*args, timeout=240).stdout

    def snapshots() -> dict[str, str]:
        return {name: plain(virsh('snapshot-dumpxml', 'a', name)) for name in virsh('snapshot-list', 'a', '--name').split()}

    # Our virsh on their daemon.
    lab.start(program=PEER)
    xml = lab.dir / 'a.xml'
    xml.write_text(lab.guest_xml('a', [lab.disk('a.qcow2')], extra="<interface type='user'/>"))
    virsh('define', str(xml))
    virsh('start', 'a')
    virsh('suspend', 'a')
    virsh('resume', 'a')
    assert 'state.state=1' in virsh('domstats', 'a', '--state')
    assert 'rd_bytes' in virsh('domblkstat', 'a', 'vda')
    virsh('snapshot-create-as', 'a', 's1', '--disk-only')
    virsh('snapshot-create-as', 'a', 's2', '--memspec', f'{lab.images}/s2.mem', '--diskspec', 'vda,snapshot=external')
    tree, theirs, inactive = virsh('snapshot-list', 'a', '--tree'), snapshots(), plain(virsh('dumpxml', 'a', '--inactive'))
    emulators = lab.emulators()
    assert list(theirs) == ['s1', 's2'] and 'a' in emulators
    lab.stop()

    # Ours finds the running guest, and all that it had.
    lab.start()
    assert lab.emulators() == emulators
    assert virsh('domstate', 'a').strip() == 'running'
    assert virsh('snapshot-current', 'a', '--name').strip() == 's2'
    assert lab.monitor('a', 'query-name') == {'name': 'a'}
    assert (virsh('snapshot-list', 'a', '--tree'), snapshots(), plain(virsh('dumpxml', 'a', '--inactive'))) == (
        tree, theirs, inactive)
    virsh('snapshot-create-as', 'a', 's3', '--disk-only')
    virsh('snapshot-revert', 'a', 's1', '--force')
    assert virsh('domstate', 'a').strip() == 'shut off'
    virsh('start', 'a')
    tree, ours, emulators = virsh('snapshot-list', 'a', '--tree'), snapshots(), lab.emulators()
    assert list(ours) == ['s1', 's2', 's3'] and 'a' in emulators
    lab.stop()

    # And theirs finds what ours started and wrote.
    lab.start(program=PEER)
    assert lab.emulators() == emulators
    assert virsh('domstate', 'a').strip() == 'running'
    assert lab.monitor('a', 'query-name') == {'name': 'a'}
    assert (virsh('snapshot-list', 'a', '--tree'), snapshots()) == (tree, ours)
