# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage pools and volumes: what is on the disk afterwards, as qemu-img and the file system see it, and what clients are told."""
import fcntl
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import lab as labs

libvirt = pytest.importorskip('libvirt')

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-img'), reason='qemu-img is not installed'),
]
MIB = 1 << 20


def needs(program: str):
    return pytest.mark.skipif(not shutil.which(program), reason=f'{program} is not installed')


@pytest.fixture(scope='module')
def lab():
    labs.become_subreaper()
    with labs.Lab() as one:
        yield one


@pytest.fixture
def conn(lab):
    conn = lab.conn()
    yield conn
    for pool in conn.listAllStoragePools():
        if pool.isActive():
            pool.destroy()
        if pool.name() in [p.name() for p in conn.listAllStoragePools()]:
            pool.undefine()
    conn.close()


def pool_xml(name: str, folder: Path, more: str = '') -> str:
    return f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target>{more}</pool>"


@pytest.fixture
def pool(conn, tmp_path):
    pool = conn.storagePoolCreateXML(pool_xml('p', tmp_path / 'p'), libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    pool.folder = tmp_path / 'p'
    return pool


def volume_xml(name: str, capacity: int | None = MIB, form: str = 'raw', allocation: int | None = 0, target: str = '', more: str = '') -> str:
    return (f"<volume><name>{name}</name>" + (f'<capacity>{capacity}</capacity>' if capacity is not None else '') +
            (f'<allocation>{allocation}</allocation>' if allocation is not None else '') +
            f"<target><format type='{form}'/>{target}</target>{more}</volume>")


def image(path, *args: str) -> dict:
    return json.loads(subprocess.run(['qemu-img', 'info', '-U', '--output=json', *args, str(path)], check=True, capture_output=True).stdout)


def is_sound(path) -> bool:
    return subprocess.run(['qemu-img', 'check', '-q', str(path)]).returncode == 0


def code(call) -> int:
    with pytest.raises(libvirt.libvirtError) as refused:
        call()
    return refused.value.get_error_code()


def parts(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.endswith('.part')]


class TestPools:
    def test_a_definition_outlives_the_daemon_and_so_does_what_is_active(self, tmp_path):
        with labs.Lab() as lab:
            conn = lab.conn()
            kept = conn.storagePoolDefineXML(pool_xml('kept', tmp_path / 'kept'))
            uuid = kept.UUIDString()
            kept.build()
            kept.setAutostart(1)
            kept.create()
            passing = conn.storagePoolCreateXML(pool_xml('passing', tmp_path / 'passing'), 1)
            passing.createXML(volume_xml('v'))
            lost = conn.storagePoolCreateXML(pool_xml('lost', tmp_path / 'lost'), 1)
            assert (lab.dir / 'etc/storage/autostart/kept.xml').is_symlink()
            assert '<poolstate>' in (lab.dir / 'run/storage/kept.xml').read_text()
            assert lost.isActive()
            lab.kill9()
            (tmp_path / 'lost').rmdir()
            lab.start()
            conn = lab.conn()
            again = conn.storagePoolLookupByName('kept')
            assert again.UUIDString() == uuid and again.isActive() and again.autostart() and again.isPersistent()
            assert conn.storagePoolLookupByName('passing').listVolumes() == ['v']
            assert not conn.storagePoolLookupByName('passing').isPersistent()
            assert sorted(p.name() for p in conn.listAllStoragePools()) == ['kept', 'passing']
            assert not (lab.dir / 'run/storage/lost.xml').exists()

    def test_autostart_happens_once_after_the_host_booted(self, tmp_path):
        with labs.Lab() as lab:
            conn = lab.conn()
            pool = conn.storagePoolDefineXML(pool_xml('auto', tmp_path))
            pool.setAutostart(1)
            lab.restart()
            assert not lab.conn().storagePoolLookupByName('auto').isActive()
            lab.stop()
            (lab.dir / 'run/storage/autostarted').unlink()  # the host booted
            lab.start()
            pool = lab.conn().storagePoolLookupByName('auto')
            labs.wait_for(pool.isActive, what='the autostart')

    def test_what_is_defined_while_active_holds_from_the_next_start(self, conn, tmp_path):
        pool = conn.storagePoolDefineXML(pool_xml('p', tmp_path / 'a'))
        xml = pool.XMLDesc().replace(f'{tmp_path}/a', f'{tmp_path}/b')
        pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
        conn.storagePoolDefineXML(xml)
        assert f'{tmp_path}/a' in pool.XMLDesc()
        assert f'{tmp_path}/b' in pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)
        pool.destroy()
        assert f'{tmp_path}/b' in pool.XMLDesc()

    def test_lists_are_filtered_by_state_and_type(self, conn, tmp_path):
        conn.storagePoolCreateXML(pool_xml('active', tmp_path / 'x'), 1)
        conn.storagePoolDefineXML(pool_xml('idle', tmp_path / 'y'))
        conn.storagePoolDefineXML("<pool type='netfs'><name>remote</name><source><host name='h'/><dir path='/d'/></source>"
                                  "<target><path>/mnt/x</path></target></pool>").setAutostart(1)

        def names(*flags: int) -> list[str]:
            return sorted(p.name() for p in conn.listAllStoragePools(sum(flags)))

        assert names() == ['active', 'idle', 'remote']
        assert names(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE) == ['active'] == conn.listStoragePools()
        assert names(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE) == ['idle', 'remote'] == sorted(conn.listDefinedStoragePools())
        assert names(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT) == ['active']
        assert names(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART) == ['remote']
        assert names(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_NETFS) == ['remote']
        assert names(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_DIR, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT) == ['idle']
        assert (conn.numOfStoragePools(), conn.numOfDefinedStoragePools()) == (1, 2)
        assert conn.storagePoolLookupByTargetPath(f'{tmp_path}//y/').name() == 'idle'

    def test_a_type_that_cannot_be_active_says_what_is_missing(self, conn):
        pool = conn.storagePoolDefineXML("<pool type='logical'><name>vg</name></pool>")
        with pytest.raises(libvirt.libvirtError, match='LVM') as refused:
            pool.create()
        assert refused.value.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
        assert "<path>/dev/vg</path>" in pool.XMLDesc()

    def test_no_two_pools_share_name_uuid_or_folder(self, conn, tmp_path):
        first = conn.storagePoolDefineXML(pool_xml('one', tmp_path))
        uuid = f'<uuid>{first.UUIDString()}</uuid>'
        for xml in (pool_xml('one', tmp_path / 'other'), pool_xml('two', tmp_path), pool_xml('two', tmp_path / 'other', uuid)):
            assert code(lambda xml=xml: conn.storagePoolDefineXML(xml)) == libvirt.VIR_ERR_OPERATION_FAILED

    def test_strict_reading_refuses_what_is_not_known(self, conn, tmp_path):
        xml = pool_xml('p', tmp_path, '<nonsense/>')
        conn.storagePoolDefineXML(xml)
        assert code(lambda: conn.storagePoolDefineXML(xml, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE)) == libvirt.VIR_ERR_XML_INVALID_SCHEMA

    def test_events_tell_what_happens_to_a_pool(self, lab, conn, tmp_path):
        heard = []
        three = threading.Event()
        labs.run_event_loop()
        listener = lab.conn()

        def lifecycle(_conn, pool, event, _detail, _opaque):
            heard.append((pool.name(), event))
            if event == libvirt.VIR_STORAGE_POOL_EVENT_UNDEFINED:
                three.set()

        listener.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, lifecycle, None)
        listener.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH,
                                             lambda _c, pool, _o: heard.append((pool.name(), 'refresh')), None)
        pool = conn.storagePoolDefineXML(pool_xml('p', tmp_path / 'p'))
        for step in (pool.build, pool.create, pool.refresh, pool.destroy, pool.delete, pool.undefine):
            step()
        assert three.wait(10)
        assert [event for _, event in heard] == [
            libvirt.VIR_STORAGE_POOL_EVENT_DEFINED, libvirt.VIR_STORAGE_POOL_EVENT_CREATED, libvirt.VIR_STORAGE_POOL_EVENT_STARTED,
            'refresh', libvirt.VIR_STORAGE_POOL_EVENT_STOPPED, libvirt.VIR_STORAGE_POOL_EVENT_DELETED,
            libvirt.VIR_STORAGE_POOL_EVENT_UNDEFINED]
        assert not (tmp_path / 'p').exists()

    def test_capabilities_are_those_of_this_daemon(self, conn):
        xml = conn.getStoragePoolCapabilities() if hasattr(conn, 'getStoragePoolCapabilities') else ''
        assert "<pool type='dir' supported='yes'>" in xml and "<pool type='rbd' supported='no'>" in xml
        assert code(lambda: conn.findStoragePoolSources('dir', None, 0)) == libvirt.VIR_ERR_NO_SUPPORT


class TestVolumes:
    def test_raw_files_are_as_full_as_asked_for(self, pool):
        for allocation, blocks in ((0, 0), (MIB, MIB), (None, 4 * MIB)):
            volume = pool.createXML(volume_xml(f'v{blocks}', 4 * MIB, allocation=allocation))
            st = os.stat(volume.path())
            assert st.st_size == 4 * MIB and st.st_blocks * 512 == blocks and st.st_mode & 0o777 == 0o600
            assert volume.info() == [libvirt.VIR_STORAGE_VOL_FILE, 4 * MIB, blocks]
            assert volume.key() == volume.path() == f'{pool.folder}/v{blocks}'
        assert not parts(pool.folder)

    @pytest.mark.parametrize('target,expected', [
        ('', {'compat': '0.10'}),
        ('<compat>1.1</compat>', {'compat': '1.1', 'lazy-refcounts': False}),
        ('<compat>1.1</compat><features><lazy_refcounts/></features>', {'compat': '1.1', 'lazy-refcounts': True}),
        ('<compat>1.1</compat><features><extended_l2/></features>', {'extended-l2': True}),
    ])
    def test_qcow2_written_by_us_is_what_qemu_expects(self, pool, target, expected):
        for size in (MIB, 5 * 1024 * MIB + 1):
            volume = pool.createXML(volume_xml(f's{size}', size, 'qcow2', target=target))
            found = image(volume.path())
            assert found['format'] == 'qcow2' and found['virtual-size'] == (size + 1023) // 1024 * 1024 == volume.info()[1]
            assert expected.items() <= found['format-specific']['data'].items()
            assert is_sound(volume.path())
            subprocess.run(['qemu-io', '-c', 'write -P 7 0 128k', '-c', 'read -P 7 0 128k', volume.path()], check=True, capture_output=True)
            assert is_sound(volume.path())

    @pytest.mark.parametrize('cluster', [4096, 131072, 2097152])
    def test_cluster_size_is_kept(self, pool, cluster):
        volume = pool.createXML(volume_xml('v', 8 * MIB, 'qcow2', target=f"<clusterSize unit='B'>{cluster}</clusterSize>"))
        assert image(volume.path())['cluster-size'] == cluster and is_sound(volume.path())
        pool.refresh()
        assert f"<clusterSize unit='B'>{cluster}</clusterSize>" in pool.storageVolLookupByName('v').XMLDesc()

    def test_preallocated_qcow2_has_its_clusters(self, pool):
        volume = pool.createXML(volume_xml('v', 8 * MIB, 'qcow2', allocation=8 * MIB), libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA)
        assert volume.info()[2] >= 8 * MIB and is_sound(volume.path())

    def test_an_overlay_names_its_backing_file_and_takes_its_size(self, pool):
        base = pool.createXML(volume_xml('base', 3 * MIB, 'qcow2'))
        backing = f"<backingStore><path>{base.path()}</path><format type='qcow2'/></backingStore>"
        overlay = pool.createXML(volume_xml('overlay', None, 'qcow2', more=backing))
        found = image(overlay.path())
        assert (found['backing-filename'], found['backing-filename-format'], found['virtual-size']) == (base.path(), 'qcow2', 3 * MIB)
        pool.refresh()
        assert f'<path>{base.path()}</path>' in pool.storageVolLookupByName('overlay').XMLDesc().split('<backingStore>')[1]
        missing = volume_xml('other', MIB, 'qcow2', more='<backingStore><path>/nowhere</path></backingStore>')
        assert code(lambda: pool.createXML(missing)) == libvirt.VIR_ERR_SYSTEM_ERROR
        assert pool.listVolumes() == ['base', 'overlay'] and not parts(pool.folder)

    def test_what_exists_is_never_replaced(self, pool):
        (pool.folder / 'file').write_text('precious')
        (pool.folder / 'link').symlink_to('/nowhere')
        pool.createXML(volume_xml('known'))
        assert code(lambda: pool.createXML(volume_xml('known'))) == libvirt.VIR_ERR_STORAGE_VOL_EXIST
        for name in ('file', 'link', '../x', 'a/b', '..'):
            assert code(lambda name=name: pool.createXML(volume_xml(name))) == libvirt.VIR_ERR_OPERATION_INVALID
        assert (pool.folder / 'file').read_text() == 'precious' and (pool.folder / 'link').is_symlink()

    def test_a_failure_leaves_nothing(self, pool):
        assert code(lambda: pool.createXML(volume_xml('v', 1 << 60))) == libvirt.VIR_ERR_SYSTEM_ERROR
        assert code(lambda: pool.createXML(volume_xml('v', MIB, 'qcow2', target='<clusterSize>100</clusterSize>')))
        assert pool.listVolumes() == [] and os.listdir(pool.folder) == []

    @pytest.mark.parametrize('source,target', [('raw', 'raw'), ('raw', 'qcow2'), ('qcow2', 'raw'), ('qcow2', 'qcow2')])
    def test_a_copy_reads_as_its_source(self, pool, source, target):
        volume = pool.createXML(volume_xml('source', 4 * MIB, source))
        subprocess.run(['qemu-io', '-f', source, '-c', 'write -P 9 1M 64k', '-c', 'write -P 8 3M 1M', volume.path()], check=True,
                       capture_output=True)
        pool.refresh()
        copy = pool.createXMLFrom(volume_xml('copy', None, target), pool.storageVolLookupByName('source'))
        assert copy.info()[1] == 4 * MIB and image(copy.path())['format'] == target
        subprocess.run(['qemu-img', 'compare', '-q', '-f', source, '-F', target, volume.path(), copy.path()], check=True)
        assert copy.info()[2] < 2 * MIB  # holes stay holes

    def test_resize_goes_up_and_down_and_guards_what_is_there(self, pool):
        raw, qcow2 = pool.createXML(volume_xml('raw', MIB)), pool.createXML(volume_xml('qcow2', MIB, 'qcow2'))
        for volume in (raw, qcow2):
            volume.resize(3 * MIB)
            volume.resize(MIB, libvirt.VIR_STORAGE_VOL_RESIZE_DELTA)
            assert image(volume.path())['virtual-size'] == 4 * MIB == volume.info()[1]
            assert code(lambda volume=volume: volume.resize(MIB)) == libvirt.VIR_ERR_INVALID_ARG
            volume.resize(2 * MIB, libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK)
            assert image(volume.path())['virtual-size'] == 2 * MIB == volume.info()[1]
        raw.resize(4 * MIB, libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE)
        assert raw.info()[2] == 2 * MIB
        assert code(lambda: raw.resize(MIB, libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK)) == libvirt.VIR_ERR_INVALID_ARG

    @pytest.mark.parametrize('algorithm', range(10))
    def test_wiping_leaves_nothing_of_the_content(self, pool, algorithm):
        volume = pool.createXML(volume_xml('v', 3 * MIB))
        with open(volume.path(), 'r+b') as file:
            file.seek(MIB)
            file.write(b'secret' * 20000)
        volume.wipePattern(algorithm)
        left = Path(volume.path()).read_bytes()
        assert len(left) == 3 * MIB and b'secret' not in left
        if algorithm in (libvirt.VIR_STORAGE_VOL_WIPE_ALG_ZERO, libvirt.VIR_STORAGE_VOL_WIPE_ALG_TRIM):
            assert not any(left)
        assert code(lambda: volume.wipePattern(10)) == libvirt.VIR_ERR_INVALID_ARG

    def test_deleting_removes_the_file(self, pool):
        volume = pool.createXML(volume_xml('v'))
        path = volume.path()
        volume.delete()
        assert not os.path.exists(path)
        assert code(lambda: pool.storageVolLookupByName('v')) == libvirt.VIR_ERR_NO_STORAGE_VOL
        folder = pool.createXML(volume_xml('d', 0, 'dir'))
        (pool.folder / 'd/x').touch()
        assert code(folder.delete) == libvirt.VIR_ERR_SYSTEM_ERROR
        (pool.folder / 'd/x').unlink()
        folder.delete()
        assert os.listdir(pool.folder) == []

    def test_refresh_finds_what_others_made(self, conn, pool):
        for form in ('qcow2', 'vmdk', 'vdi', 'raw'):
            subprocess.run(['qemu-img', 'create', '-q', '-f', form, str(pool.folder / form), '1M'], check=True)
        (pool.folder / 'broken').write_bytes(b'QFI\xfb\0\0\0\3' + b'\xff' * 200)
        (pool.folder / 'sub').mkdir()
        os.mkfifo(pool.folder / 'fifo')
        assert pool.listVolumes() == []
        pool.refresh()
        assert pool.listVolumes() == ['broken', 'qcow2', 'raw', 'sub', 'vdi', 'vmdk']
        for form in ('qcow2', 'vmdk', 'vdi', 'raw'):
            volume = conn.storageVolLookupByPath(f'{pool.folder}/{form}')
            assert f"<format type='{form}'/>" in volume.XMLDesc() and volume.info()[1] == MIB
        assert "<format type='raw'/>" in pool.storageVolLookupByName('broken').XMLDesc()
        assert pool.storageVolLookupByName('sub').info()[0] == libvirt.VIR_STORAGE_VOL_DIR
        assert conn.storageVolLookupByKey(f'{pool.folder}/raw').storagePoolLookupByVolume().name() == 'p'


class TestEncryption:
    # Creating takes seconds of key derivation, and so does each opening.
    @pytest.mark.parametrize('form', ['raw', *(['qcow2'] if os.environ.get('MANIFOLD_PEER') else [])])
    def test_a_passphrase_from_a_secret_opens_the_volume(self, conn, pool, form):
        secret = conn.secretDefineXML("<secret ephemeral='yes' private='yes'><usage type='volume'><volume>/luks</volume></usage></secret>")
        target = "<encryption format='luks'><secret type='passphrase' usage='/luks'/></encryption>"
        assert code(lambda: pool.createXML(volume_xml('v', MIB, form, target=target))) == libvirt.VIR_ERR_NO_SECRET  # it has no value
        secret.setValue(b'open, sesame', 0)
        volume = pool.createXML(volume_xml('v', MIB, form, target=target))
        found = image(volume.path())
        assert found['encrypted'] and found['virtual-size'] == MIB and found['format'] == ('luks' if form == 'raw' else 'qcow2')
        options = (f'driver=luks,key-secret=s,file.filename={volume.path()}' if form == 'raw' else
                   f'driver=qcow2,encrypt.format=luks,encrypt.key-secret=s,file.filename={volume.path()}')
        subprocess.run(['qemu-io', '--object', 'secret,id=s,data=open,, sesame', '--image-opts', options, '-c', 'write -P 5 0 64k'],
                       check=True, capture_output=True)
        assert bytes([5] * 4096) not in Path(volume.path()).read_bytes()
        plain = pool.createXMLFrom(volume_xml('plain', None, 'raw'), volume)
        assert Path(plain.path()).read_bytes()[:65536] == bytes([5] * 65536)
        secret.undefine()


class TestStreams:
    @staticmethod
    def send(conn, volume, data: bytes, offset: int = 0, length: int = 0) -> None:
        stream = conn.newStream()
        volume.upload(stream, offset, length)
        while data:
            data = data[stream.send(data):]
        stream.finish()

    @staticmethod
    def receive(conn, volume, offset: int = 0, length: int = 0) -> bytes:
        stream = conn.newStream()
        volume.download(stream, offset, length)
        got = b''
        while chunk := stream.recv(65536):
            got += chunk
        stream.finish()
        return got

    def test_bytes_go_where_the_offset_says_and_no_further(self, conn, pool):
        volume = pool.createXML(volume_xml('v', MIB))
        data = os.urandom(300000)
        self.send(conn, volume, data, 1000, len(data))
        assert Path(volume.path()).read_bytes() == bytes(1000) + data + bytes(MIB - 1000 - len(data))
        assert self.receive(conn, volume, 1000, len(data)) == data
        assert self.receive(conn, volume, 1000 + len(data) - 5) == data[-5:] + bytes(MIB - 1000 - len(data))
        with pytest.raises(libvirt.libvirtError):
            self.send(conn, volume, b'x' * 11, 0, 10)
        assert self.receive(conn, volume, 0, 20) == bytes(20)

    def test_an_upload_tells_the_pool_what_the_volume_is_now(self, conn, pool, tmp_path):
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', str(tmp_path / 'image'), '7M'], check=True)
        volume = pool.createXML(volume_xml('v', MIB))
        self.send(conn, volume, (tmp_path / 'image').read_bytes())
        assert "<format type='qcow2'/>" in volume.XMLDesc() and volume.info()[1] == 7 * MIB

    def test_sparse_files_stay_sparse_both_ways(self, lab, pool, tmp_path):
        big = 200 * MIB
        source = tmp_path / 'source'
        with open(source, 'wb') as file:
            for place in (0, 50 * MIB, 190 * MIB):
                file.seek(place)
                file.write(b'data' * 1000)
            file.truncate(big)
        pool.createXML(volume_xml('v', big))
        lab.virsh('vol-upload', '--sparse', 'v', str(source), '--pool', 'p')
        lab.virsh('vol-download', '--sparse', 'v', str(tmp_path / 'back'), '--pool', 'p')
        for copy in (pool.folder / 'v', tmp_path / 'back'):
            subprocess.run(['cmp', str(source), str(copy)], check=True)
            assert os.stat(copy).st_size == big and os.stat(copy).st_blocks * 512 < MIB
        lab.virsh('vol-download', '--sparse', 'v', str(tmp_path / 'middle'), '--pool', 'p', '--offset', str(49 * MIB), '--length', str(2 * MIB))
        assert (tmp_path / 'middle').read_bytes() == source.read_bytes()[49 * MIB:51 * MIB]


class TestKilled:
    def test_the_start_of_a_pool_sweeps_what_nobody_makes_any_more(self, conn, pool):
        pool.createXML(volume_xml('whole'))
        stale, held, foreign = '.v.0123abcd.part', '.w.0123abcd.part', '.x.part'
        for name in (stale, held, foreign):
            (pool.folder / name).touch()
        with open(pool.folder / held) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            pool.destroy()
            again = conn.storagePoolCreateXML(pool_xml('p', pool.folder))
            assert again.listVolumes() == [foreign, 'whole']
            assert sorted(os.listdir(pool.folder)) == [held, foreign, 'whole']

    def test_a_copy_that_was_killed_leaves_no_volume(self, tmp_path):
        with labs.Lab() as lab:
            pool = lab.conn().storagePoolCreateXML(pool_xml('p', tmp_path / 'p'), 1)
            with open(tmp_path / 'p/source', 'wb') as file:
                for _ in range(256):
                    file.write(os.urandom(MIB))
            pool.refresh()
            (tmp_path / 'copy.xml').write_text(volume_xml('copy', None, 'qcow2'))
            cloning = subprocess.Popen([str(labs.VIRSH), '-c', lab.uri, 'vol-create-from', 'p', str(tmp_path / 'copy.xml'), 'source',
                                        '--inputpool', 'p'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**os.environ, 'LD_LIBRARY_PATH': str(labs.CLIENT)})
            labs.wait_for(lambda: parts(tmp_path / 'p'), what='the beginning of the copy')
            lab.kill9()
            cloning.wait(30)
            lab.start()
            pool = lab.conn().storagePoolLookupByName('p')
            assert pool.listVolumes() == ['source']

            def is_swept() -> bool:
                pool.refresh()  # what a tool of the old daemon still writes to stays until it has ended
                return not parts(tmp_path / 'p')

            labs.wait_for(is_swept, what='the end of the unfinished file')
            assert os.listdir(tmp_path / 'p') == ['source']


def install(lab, name: str, disk: str, debian: bool = True) -> None:
    files = labs.guest_files()
    env = {k: v for k, v in os.environ.items() if k != 'LD_LIBRARY_PATH'}
    if not debian:
        env['LD_LIBRARY_PATH'] = str(labs.CLIENT)
    done = subprocess.run(
        ['virt-install', '--connect', lab.uri, '--name', name, '--memory', '160', '--vcpus', '1', '--import', '--virt-type', 'qemu',
         '--network', 'user', '--disk', disk, '--graphics', 'none', '--osinfo', 'detect=on,require=off', '--boot',
         f'kernel={files}/vmlinuz,initrd={files}/initrd.gz,kernel_args=console=ttyS0 quiet', '--noautoconsole'],
        env=env, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr + lab.log()[-2000:]


@needs('qemu-system-x86_64')
class TestGuests:
    @needs('virt-install')
    @pytest.mark.parametrize('debian', [True, False], ids=['their library', 'our library'])
    def test_virt_install_makes_a_pool_for_the_folder_of_a_disk(self, lab, conn, debian):
        name = f'by-path-{int(debian)}'
        disk = lab.disk(f'{name}.qcow2', '24M')
        install(lab, name, f'path={disk},bus=virtio', debian)
        try:
            console = lab.console(name)
            console.prepare()
            assert console.run('cat /sys/block/vda/size').strip() == str(24 * 2048)
            console.close()
            pool = conn.storagePoolLookupByTargetPath(str(lab.images))
            assert pool.isActive() and pool.isPersistent() and f'{name}.qcow2' in pool.listVolumes()
        finally:
            lab.virsh('destroy', name, check=False)
            lab.virsh('undefine', name, check=False)

    @needs('virt-install')
    def test_virt_install_makes_the_disk(self, lab, conn):
        path = lab.images / 'made.qcow2'
        install(lab, 'made', f'path={path},size=1,bus=virtio')
        try:
            console = lab.console('made')
            console.prepare()
            assert console.run('cat /sys/block/vda/size').strip() == str(1024 * 2048)
            console.close()
            assert image(path)['format'] == 'qcow2' and image(path)['virtual-size'] == 1024 * MIB
        finally:
            lab.virsh('destroy', 'made', check=False)
            lab.virsh('undefine', 'made', check=False)

    def test_a_disk_may_name_a_volume(self, lab, conn, pool):
        pool.createXML(volume_xml('root.qcow2', 24 * MIB, 'qcow2'))
        conn.storagePoolDefineXML(pool.XMLDesc())
        disk = ("<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='p' volume='root.qcow2'/>"
                "<target dev='vda' bus='virtio'/></disk>")
        guest = conn.defineXML(lab.guest_xml('by-volume', extra=disk))
        try:
            pool.destroy()
            with pytest.raises(libvirt.libvirtError, match="vda.*'p' is not active") as refused:
                guest.create()
            assert refused.value.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID
            pool.create()
            guest.create()
            console = lab.console('by-volume')
            console.prepare()
            assert console.run('cat /sys/block/vda/size').strip() == str(24 * 2048)
            console.close()
            assert "<source pool='p' volume='root.qcow2'/>" in guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            guest.destroy()
            pool.storageVolLookupByName('root.qcow2').delete()
            assert code(guest.create) == libvirt.VIR_ERR_NO_STORAGE_VOL
        finally:
            guest.undefine()

    @pytest.mark.parametrize('running', [False, True], ids=['off', 'running'])
    def test_a_snapshot_of_a_volume_is_what_the_next_start_uses(self, lab, conn, pool, running):
        pool.createXML(volume_xml('root', 24 * MIB, 'qcow2'))
        disk = ("<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='p' volume='root'/>"
                "<target dev='vda' bus='virtio'/></disk>")
        guest = conn.defineXML(lab.guest_xml('snapped', extra=disk))
        try:
            if running:
                guest.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            lab.virsh('snapshot-create-as', 'snapped', 's1', '--disk-only')
            assert f"<source file='{pool.folder}/root.s1'/>" in guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            labs.wait_for(lambda: f'{pool.folder}/root.s1' in (lab.dir / 'etc/qemu/snapped.xml').read_text(), what='the definition')
            assert image(pool.folder / 'root.s1')['backing-filename'] == str(pool.folder / 'root')
        finally:
            if running:
                guest.destroy()
            guest.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
