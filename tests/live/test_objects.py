# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets, networks, filters, interfaces and node devices of a private daemon: defined, listed, changed, found again."""
import base64
import os
import stat
import uuid

import pytest

libvirt = pytest.importorskip('libvirt')

import lab as labs  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
]


@pytest.fixture(scope='module')
def lab():
    lab = labs.Lab().start()
    yield lab
    lab.close()


@pytest.fixture
def conn(lab):
    return lab.conn()


def fails(code: int, func, *args) -> libvirt.libvirtError:
    with pytest.raises(libvirt.libvirtError) as caught:
        func(*args)
    assert caught.value.get_error_code() == code, caught.value
    return caught.value


# ---- secrets ----

def secret_xml(usage: str, ephemeral='no', private='no', number: str | None = None) -> str:
    return (f"<secret ephemeral='{ephemeral}' private='{private}'><uuid>{number or uuid.uuid4()}</uuid>"
            f"<usage type='ceph'><name>{usage}</name></usage></secret>")


def test_secret_value_outlives_the_daemon(lab):
    secret = lab.conn().secretDefineXML(secret_xml('kept'))
    secret.setValue(b'\0sesame\xff')
    name = secret.UUIDString()
    for suffix, text in (('xml', b'<secret '), ('base64', base64.b64encode(b'\0sesame\xff'))):
        path = lab.dir / f'etc/secrets/{name}.{suffix}'
        assert path.read_bytes().startswith(text)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lab.kill9()
    lab.start()
    again = lab.conn().secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, 'kept')
    assert again.UUIDString() == name
    assert again.value() == b'\0sesame\xff'
    again.undefine()
    assert not list((lab.dir / 'etc/secrets').glob(f'{name}*'))


def test_secret_private_value_is_not_given(conn):
    secret = conn.secretDefineXML(secret_xml('mine', private='yes'))
    fails(libvirt.VIR_ERR_NO_SECRET, secret.value)
    secret.setValue(b'x')
    fails(libvirt.VIR_ERR_INVALID_SECRET, secret.value)
    fails(libvirt.VIR_ERR_OPERATION_DENIED, conn.secretDefineXML,
          secret_xml('mine', number=secret.UUIDString()))
    secret.undefine()


def test_secret_ephemeral_leaves_no_file(lab, conn):
    secret = conn.secretDefineXML(secret_xml('gone', ephemeral='yes'))
    secret.setValue(b'x')
    assert secret.value() == b'x'
    assert not list((lab.dir / 'etc/secrets').glob(f'{secret.UUIDString()}*'))
    kept = conn.secretDefineXML(secret_xml('gone', number=secret.UUIDString()))
    assert (lab.dir / f'etc/secrets/{kept.UUIDString()}.base64').exists()
    conn.secretDefineXML(secret_xml('gone', ephemeral='yes', number=secret.UUIDString()))
    assert not list((lab.dir / 'etc/secrets').glob(f'{secret.UUIDString()}*'))
    kept.undefine()


def test_secret_usage_belongs_to_one(conn):
    secret = conn.secretDefineXML(secret_xml('one'))
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, conn.secretDefineXML, secret_xml('one'))
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, conn.secretDefineXML, secret_xml('two', number=secret.UUIDString()))
    fails(libvirt.VIR_ERR_XML_ERROR, conn.secretDefineXML, "<secret><usage type='tls'/></secret>")
    fails(libvirt.VIR_ERR_NO_SECRET, conn.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_CEPH, 'two')
    secret.undefine()
    fails(libvirt.VIR_ERR_NO_SECRET, secret.XMLDesc)


def test_secret_lists_filter(conn):
    made = [conn.secretDefineXML(secret_xml(f'{e}{p}', e, p)) for e in ('yes', 'no') for p in ('yes', 'no')]
    assert len(conn.listAllSecrets()) == len(made) == conn.numOfSecrets() == len(conn.listSecrets())
    found = conn.listAllSecrets(libvirt.VIR_CONNECT_LIST_SECRETS_EPHEMERAL | libvirt.VIR_CONNECT_LIST_SECRETS_NO_PRIVATE)
    assert [s.usageID() for s in found] == ['yesno']
    for secret in made:
        secret.undefine()
