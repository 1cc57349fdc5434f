# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is said of a long job once it has ended: statistics until they are asked for, and the distribution's words for them."""
import os
import re

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import Lab, become_subreaper

COMPLETED, KEEP = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED, libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED


@pytest.fixture
def lab():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    become_subreaper()
    with Lab() as lab:
        yield lab


def test_a_save_is_summed_up_once(lab):
    conn = lab.conn()
    dom = conn.defineXML(re.sub('<kernel>.*</cmdline>', '', lab.guest_xml('g', memory=32)))
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    assert dom.jobStats(COMPLETED) == {'type': libvirt.VIR_DOMAIN_JOB_NONE}
    dom.managedSave()
    for _ in range(2):
        stats = dom.jobStats(COMPLETED | KEEP)
        assert stats['type'] == libvirt.VIR_DOMAIN_JOB_COMPLETED
        assert stats['operation'] == libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE
        assert stats['memory_total'] == stats['data_total'] > 32 << 20 and stats['memory_remaining'] == 0
    keep = ['domjobinfo', 'g', '--completed', '--keep-completed']
    if os.path.exists('/usr/bin/virsh'):
        assert lab.virsh(*keep).stdout == lab.virsh(*keep, debian=True).stdout
    assert dom.jobStats(COMPLETED)['type'] == libvirt.VIR_DOMAIN_JOB_COMPLETED
    assert dom.jobStats(COMPLETED) == {'type': libvirt.VIR_DOMAIN_JOB_NONE}
    with pytest.raises(libvirt.libvirtError, match='no job is active'):
        dom.abortJob()
