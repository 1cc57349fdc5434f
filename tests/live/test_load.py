# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a daemon finds the definitions of the one before: by name at once, parsed behind that."""
import os

import pytest

libvirt = pytest.importorskip('libvirt')

import lab as labs  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
]

N = 200


@pytest.fixture(scope='module')
def lab():
    with labs.Lab() as lab:
        conn = lab.conn()
        for i in range(N):
            conn.defineXML(lab.guest_xml(f'many-{i}'))
        conn.close()
        yield lab


@pytest.fixture(autouse=True)
def stopped(lab):
    lab.stop()
    yield


def file_of(lab, name: str):
    return lab.dir / f'etc/qemu/{name}.xml'


def names(conn) -> set[str]:
    return {dom.name() for dom in conn.listAllDomains()}


def test_first_list_has_every_guest_and_each_is_whole(lab):
    lab.start()
    conn = lab.conn()
    assert names(conn) == {f'many-{i}' for i in range(N)}
    for dom in conn.listAllDomains():
        assert f'<name>{dom.name()}</name>' in dom.XMLDesc()
        assert dom.info()[1] == 128 * 1024


def test_daemon_ends_while_it_still_reads(lab):
    for _ in range(3):
        lab.start()
        lab.stop()
    lab.start()
    assert len(names(lab.conn())) == N


@pytest.mark.parametrize('damage', [('</domain>', ''), ('<devices>', '<devices><bad'),
                                    ("<vcpu placement='static'>1<", "<vcpu placement='static'>x<")])
def test_definition_that_does_not_parse_is_reported_kept_and_forgotten(lab, damage):
    path = file_of(lab, 'many-7')
    good = path.read_text()
    bad = good.replace(*damage)
    assert bad != good
    path.write_text(bad)
    lab.start()
    conn = lab.conn()
    with pytest.raises(libvirt.libvirtError) as caught:
        conn.lookupByName('many-7').XMLDesc()
    assert caught.value.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
    labs.wait_for(lambda: 'many-7' not in names(conn), 10, 'the guest being forgotten')
    assert len(names(conn)) == N - 1
    assert path.read_text() == bad
    assert f'{path.name}: not loaded, and left as it is' in lab.log()
    again = conn.defineXML(good)
    assert again.name() == 'many-7' and len(names(conn)) == N


def test_file_that_begins_in_another_way_is_loaded_too(lab):
    path = file_of(lab, 'many-8')
    good = path.read_text()
    uuid = good.split('<uuid>')[1].split('<')[0]
    odd = good.replace(f'<uuid>{uuid}</uuid>', '').replace('<devices>', f'<uuid>{uuid}</uuid><devices>')
    path.write_text("<?xml version='1.0'?>" + odd)
    lab.start()
    conn = lab.conn()
    assert conn.lookupByUUIDString(uuid).name() == 'many-8'
    assert len(names(conn)) == N
    path.write_text(good)


def test_two_names_in_one_file_are_never_the_other(lab):
    path = file_of(lab, 'many-9')
    good = path.read_text()
    path.write_text(good.replace('<devices>', '<name>other</name><devices>'))
    lab.start()
    conn = lab.conn()
    for dom in conn.listAllDomains():
        try:
            assert f'<name>{dom.name()}</name>' in dom.XMLDesc()
        except libvirt.libvirtError as err:
            assert dom.name() == 'many-9' and err.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
    assert 'other' not in names(conn)
    assert names(conn) >= {f'many-{i}' for i in range(N) if i != 9}
    path.write_text(good)


def test_autostart_and_definition_changes_work_at_once(lab):
    lab.start()
    conn = lab.conn()
    dom = conn.lookupByName('many-3')
    dom.setAutostart(1)
    dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, 'three', None, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    lab.restart()
    dom = lab.conn().lookupByName('many-3')
    assert dom.autostart() == 1
    assert '<title>three</title>' in dom.XMLDesc()
    dom.setAutostart(0)
