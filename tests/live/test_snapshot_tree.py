# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only we do with snapshot trees: plans before the deed, undo, clones, repairs, and reverts in the hard cases.

Guests without an operating system serve where only images matter (see test_snapshot.py, whose Guest is used here).
"""
import ctypes
import json
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

libvirt = pytest.importorskip('libvirt')
from lab import CLIENT, Lab, wait_for
from test_snapshot import (DISK_ONLY, OFF, PAUSE, PAUSED, RUN, RUNNING, Guest, build_tree,
                           lab)  # noqa: F401


def ours(lab: Lab, *words: str) -> dict:
    return json.loads(lab.virsh(*words, '--json').stdout)


def plan(lab: Lab, *words: str) -> list[dict]:
    return ours(lab, *words, '--dry-run')['steps']


def names(entries: list[dict]) -> set[str]:
    return {os.path.basename(entry['path']) for entry in entries}


def everything(guest: Guest) -> tuple:
    return (guest.files(), guest.tree(), guest.dom.XMLDesc(), guest.dom.state(), [s.getXMLDesc() for s in
            guest.dom.listAllSnapshots()])


# ---- plans ----

@pytest.mark.parametrize('state', (OFF, RUNNING))
def test_dry_runs_change_nothing_and_tell_what_then_happens(lab, state):
    guest = Guest(lab)
    build_tree(guest)
    guest.bring(state)

    def check(words: tuple[str, ...]) -> list[dict]:
        before = everything(guest)
        steps = plan(lab, *words)
        assert everything(guest) == before, words
        lab.virsh(*words)
        made = set().union(*(names(step['make']) for step in steps))
        gone = set().union(*(names(step['remove']) for step in steps))
        assert guest.files() == (before[0] | made) - gone, (words, steps)
        return steps

    check(('snapshot-create-as', 'g', 'new', '--disk-only'))
    step, = check(('snapshot-revert', 'g', 's2', '--running'))
    assert step['way'] == ('staged' if state == RUNNING else 'offline') and step['guest']['after'] == 'running'
    assert {entry['what'] for entry in step['make']} == {'disk vda', 'disk vdb', 'disk vdc'}
    step, = check(('snapshot-revert', 'g', 's6'))
    assert step['guest']['after'] == 'paused' and step['bytes_to_copy'] > 0
    guest.bring(state)
    step, = check(('snapshot-delete', 'g', 's5'))
    assert step['merge'] and step['bytes_to_copy'] == sum(merge['bytes'] for merge in step['merge'])
    steps = plan(lab, 'snapshot-delete', 'g', 's1', '--children')
    assert [step['snapshot'] for step in steps][-1] == 's1' and len(steps) == 6
    assert plan(lab, 'snapshot-delete', 'g', 's1', '--metadata')[0]['merge'] == []


def test_dry_run_is_readable_and_fails_as_the_deed_would(lab):
    guest = Guest(lab, disks=1)
    guest.snap('s1')
    text = lab.virsh('snapshot-revert', 'g', 's1', '--dry-run').stdout
    assert f'{lab.images}/g0.r1.qcow2 (disk vda) on {lab.images}/g0.img' in text and 'remove:' in text
    guest.paths[0].rename(lab.images / 'elsewhere')
    failed = lab.virsh('snapshot-revert', 'g', 's1', '--dry-run', check=False)
    assert failed.returncode and str(guest.paths[0]) in failed.stderr
    assert 'REDEFINE' in lab.virsh('snapshot-create', 'g', '--redefine', '--dry-run', check=False).stderr


def test_plan_says_why_the_guest_has_to_stop_first(lab):
    guest = Guest(lab, disks=1)
    guest.snap('s1', body="<disks><disk name='vda' snapshot='external'/></disks>")
    guest.dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    guest = Guest(lab, disks=2, name='h')
    guest.snap('s1', body="<disks><disk name='vda'/><disk name='vdb' snapshot='no'/></disks>")
    guest.bring(RUNNING)
    step, = plan(lab, 'snapshot-revert', 'h', 's1', '--running')
    assert step['way'] == 'stop-first' and 'vdb' in step['why']


def test_library_of_our_own_is_usable_from_c(lab):
    """Through ctypes: the objects are those of libvirt.so.0."""
    guest = Guest(lab, disks=1)
    guest.snap('s1')
    library = ctypes.CDLL(str(CLIENT / 'libmanifold.so.0'))
    library.manifoldSnapshotPlanRevert.restype = ctypes.c_void_p
    to_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    to_pointer.restype = ctypes.c_void_p
    to_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    owner = guest.dom.snapshotLookupByName('s1')
    snapshot = to_pointer(owner._o, b'virDomainSnapshotPtr')
    text = library.manifoldSnapshotPlanRevert(ctypes.c_void_p(snapshot), None, 0, 0)
    assert json.loads(ctypes.string_at(text))['steps'][0]['operation'] == 'revert'
    assert library.manifoldSnapshotRevert(ctypes.c_void_p(snapshot), None, 0, 0x1000) == -1
    assert library.manifoldSnapshotRevert(ctypes.c_void_p(snapshot), None, 0, 0) == 0


# ---- names of the user's ----

def test_new_images_have_the_names_that_the_user_gives(lab):
    guest = Guest(lab, disks=2)
    guest.write(1)
    guest.snap('s1')
    mine = lab.images / 'mine.qcow2'
    lab.virsh('snapshot-revert', 'g', 's1', '--image', f'vdb={mine}')
    assert [Path(path).name for path, _ in guest.tops()] == ['g0.r1.qcow2', 'mine.qcow2']
    assert guest.holds(1)
    for image, message in ((f'vdb={mine}', 'exists already'), ('vdz=/x/y', 'vdz'), ('vda=rel', 'absolute'),
                           (f'vda={lab.images}/n,vdb={lab.images}/n', 'for another disk'), ('vda', 'TARGET=PATH')):
        before = everything(guest)
        failed = lab.virsh('snapshot-revert', 'g', 's1', '--image', image, check=False)
        assert failed.returncode and message in failed.stderr, failed.stderr
        assert everything(guest) == before
    lab.virsh('snapshot-revert', 'g', 's1')
    assert not mine.exists()
