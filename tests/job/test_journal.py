# SPDX-License-Identifier: LGPL-2.1-or-later
"""A journal that is not as a daemon wrote it: nobody knows what was half done, so it is reported, kept, and the domain is
looked at but not changed until somebody has seen to it."""
import os
import shutil
import struct
import tempfile
from pathlib import Path

import pytest

from scene import UUID, Scene, lab_module, libvirt, off


def crc32c(data: bytes) -> int:
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def text(value: str) -> bytes:
    return struct.pack('<I', len(value)) + value.encode()


def record(sequence: int, record_type: int, /, **values: str) -> bytes:
    body = struct.pack('<QII', sequence, record_type, len(values)) + b''.join(text(k) + text(v) for k, v in values.items())
    return struct.pack('<II', len(body), crc32c(body)) + body


MAGIC = b'ManifoldJournal\n'
BEGIN = record(0, 1, version='1', kind='snapshot-delete', id='snapshot-delete-00000000', object='g')
BAD = {
    'foreign': (b'SQLite format 3\0' + BEGIN, 'is no journal of this daemon'),
    'checksum': (MAGIC + BEGIN[:-1] + b'!', 'record 0 has a wrong checksum'),
    'middle': (MAGIC + BEGIN[:40] + b'!' + BEGIN[41:] + record(1, 3), 'record 0 has a wrong checksum'),
    'unknown-record': (MAGIC + BEGIN + record(1, 9), 'record 1 is of type 9, which this daemon does not know'),
    'unknown-job': (MAGIC + record(0, 1, version='1', kind='teleport', id='teleport-1', object='g'), 'of a kind that this daemon does not know'),
    'version': (MAGIC + record(0, 1, version='7', kind='snapshot-delete', id='x', object='g'), 'another version of this daemon (format 7'),
    'no-plan': (MAGIC + record(0, 3), 'has no plan'),
}


@pytest.fixture(scope='module')
def scene():
    if os.geteuid() != 0:
        pytest.skip('needs root')
    folder = Path(tempfile.mkdtemp(prefix='journal-'))
    scene = Scene(folder)
    scene.reset(off)
    yield scene
    scene.lab.close()
    shutil.rmtree(folder, ignore_errors=True)


def journal(scene: Scene) -> Path:
    folder = scene.lab.dir / 'lib/qemu/journal'
    folder.mkdir(exist_ok=True)
    return folder / f'{UUID}.wal'


def restart_with(scene: Scene, content: bytes) -> None:
    scene.lab.stop()
    journal(scene).write_bytes(content)
    scene.start()


CHANGES = {
    'start': lambda s: s.dom.create(),
    'define': lambda s: s.conn.defineXML(s.xml()),
    'undefine': lambda s: s.dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA),
    'create': lambda s: s.snap('new'),
    'revert': lambda s: s.revert('s1'),
    'delete': lambda s: s.delete('s1'),
    'rename': lambda s: s.dom.rename('h'),
}


@pytest.mark.parametrize('name', BAD)
def test_a_domain_with_an_unreadable_journal_is_not_changed(scene, name):
    before = scene.look()
    content, reason = BAD[name]
    restart_with(scene, content)
    for change in CHANGES.values():
        with pytest.raises(libvirt.libvirtError) as caught:
            change(scene)
        assert caught.value.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID
        assert reason in str(caught.value) and 'remove that file' in str(caught.value)
    assert reason in scene.lab.log(), 'it is not reported'
    assert journal(scene).read_bytes() == content
    journal(scene).unlink()
    assert scene.look() == before
    scene.snap('later')
    scene.delete('later')
    scene.settle()


@pytest.mark.parametrize('content', [b'', MAGIC[:7], MAGIC, MAGIC + BEGIN[:-1], MAGIC + bytes(4096)])
def test_a_plan_that_was_never_whole_is_forgotten(scene, content):
    before = scene.look()
    restart_with(scene, content)
    scene.dom.snapshotListNames()
    scene.settle()
    assert scene.look() == before
