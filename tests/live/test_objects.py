# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets, networks, filters, interfaces and node devices of a private daemon: defined, listed, changed, found again."""
import base64
import os
import re
import shutil
import stat
import subprocess
import threading
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


# ---- networks ----

NAT = """<network{attributes}><name>{name}</name>{more}<forward mode='nat'/><ip address='192.168.{third}.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.{third}.2' end='192.168.{third}.99'/></dhcp></ip></network>"""


def nat(name: str, third: int, more='', attributes='') -> str:
    return NAT.format(name=name, third=third, more=more, attributes=attributes)


@pytest.fixture
def network(conn):
    network = conn.networkDefineXML(nat('net', 77))
    yield network
    network.undefine()


def test_network_is_found_again_with_what_was_made_up_for_it(lab):
    conn = lab.conn()
    first, second = conn.networkDefineXML(nat('first', 71)), conn.networkDefineXML(nat('second', 72))
    first.setAutostart(1)
    assert first.bridgeName() != second.bridgeName()
    before = [net.XMLDesc() for net in (first, second)]
    assert (lab.dir / 'etc/qemu/networks/autostart/first.xml').is_symlink()
    assert 'virsh net-edit first' in (lab.dir / 'etc/qemu/networks/first.xml').read_text()
    lab.kill9()
    lab.start()
    conn = lab.conn()
    assert [conn.networkLookupByName(name).XMLDesc() for name in ('first', 'second')] == before
    assert [net.name() for net in conn.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)] == ['first']
    for net in conn.listAllNetworks():
        net.undefine()
    assert not [path for path in (lab.dir / 'etc/qemu/networks').rglob('*.xml')]


def test_network_bridge_belongs_to_one(conn, network):
    bridge = network.bridgeName()
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, conn.networkDefineXML, nat('thief', 78, f"<bridge name='{bridge}'/>"))
    again = conn.networkDefineXML(nat('net', 79, f'<uuid>{network.UUIDString()}</uuid>'))
    assert again.bridgeName() == bridge
    assert '192.168.79.1' in network.XMLDesc()


def test_network_name_and_uuid_belong_together(conn, network):
    fails(libvirt.VIR_ERR_OPERATION_FAILED, conn.networkDefineXML, nat('net', 80))
    fails(libvirt.VIR_ERR_OPERATION_FAILED, conn.networkDefineXML,
          nat('other', 80, f'<uuid>{network.UUIDString()}</uuid>'))


def test_network_says_what_is_missing_to_start(conn, network):
    assert 'dnsmasq' in fails(libvirt.VIR_ERR_NO_SUPPORT, network.create).get_error_message()
    fails(libvirt.VIR_ERR_OPERATION_INVALID, network.destroy)
    assert not network.isActive() and network.isPersistent() and not network.listAllPorts()


def test_network_update_changes_the_definition(conn, network):
    add, host = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
    xml = "<host mac='52:54:00:00:00:07' name='seven' ip='192.168.77.7'/>"
    network.update(add, host, -1, xml, libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG)
    assert "name='seven'" in network.XMLDesc()
    fails(libvirt.VIR_ERR_OPERATION_INVALID, network.update, add, host, -1, xml, 0)
    fails(libvirt.VIR_ERR_OPERATION_INVALID, network.update, add, host, -1, xml,
          libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE)
    fails(libvirt.VIR_ERR_NO_SUPPORT, network.update, add, libvirt.VIR_NETWORK_SECTION_BRIDGE, -1, '<bridge/>', 0)
    network.update(libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, host, -1, "<host name='seven'/>", 0)
    assert "name='seven'" not in network.XMLDesc()


def test_network_lifecycle_is_told(lab):
    seen, told = [], threading.Event()

    def on_event(conn, net, event, detail, opaque):
        seen.append((net.name(), event))
        if len(seen) == 2:
            told.set()

    labs.run_event_loop()
    conn = lab.conn()
    conn.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, on_event, None)
    conn.networkDefineXML(nat('told', 81)).undefine()
    assert told.wait(10)
    assert seen == [('told', libvirt.VIR_NETWORK_EVENT_DEFINED), ('told', libvirt.VIR_NETWORK_EVENT_UNDEFINED)]


def test_virsh_shows_the_objects(lab, network):
    def virsh(*words):
        return subprocess.run([labs.VIRSH, '-c', lab.uri, *words], capture_output=True, text=True, check=True).stdout

    assert 'net' in virsh('net-list', '--all')
    assert '192.168.77.1' in virsh('net-dumpxml', 'net')
    assert 'no' in virsh('net-info', 'net')
    assert virsh('secret-list')


# ---- filters ----

def rule(match: str) -> str:
    return f"<filter name='f'><rule action='drop' direction='out'>{match}</rule></filter>"


def test_filter_prints_values_in_one_form(conn):
    found = conn.nwfilterDefineXML(rule("<ip srcmacaddr='1:2:3:4:5:6' dstipaddr='10.1.2.3' dstipmask='255.255.0.0' protocol='17'/>"))
    xml = found.XMLDesc()
    for text in ("chain='root'", "priority='500'", "srcmacaddr='01:02:03:04:05:06'", "dstipmask='16'", "protocol='udp'"):
        assert text in xml
    found.undefine()


@pytest.mark.parametrize('match', ["<tcp dstportend='65536'/>", "<ip srcipmask='33'/>", "<mac protocolid='15'/>",
                                   "<arp arpsrcipaddr='$'/>", "<ip dstipmask='255.0.255.0'/>", "<tcp flags='SYN'/>"])
def test_filter_refuses_what_no_packet_has(conn, match):
    fails(libvirt.VIR_ERR_INTERNAL_ERROR, conn.nwfilterDefineXML, rule(match))


def test_filter_cannot_refer_to_itself(conn):
    def refer(name, to, number=''):
        return conn.nwfilterDefineXML(f"<filter name='{name}'>{number}<filterref filter='{to}'/></filter>")

    first = refer('a', 'b')
    second = refer('b', 'c')
    fails(libvirt.VIR_ERR_OPERATION_FAILED, refer, 'c', 'a')
    fails(libvirt.VIR_ERR_OPERATION_FAILED, refer, 'a', 'd')
    refer('a', 'd', f'<uuid>{first.UUIDString()}</uuid>')
    refer('c', 'a').undefine()
    first.undefine()
    second.undefine()


def test_standard_filters_are_read_and_keep_their_uuid(lab):
    for path in (labs.TOP / 'packaging/nwfilter').glob('*.xml'):
        shutil.copy(path, lab.dir / 'etc/nwfilter')
    lab.stop()
    lab.start()
    found = lab.conn().listAllNWFilters()
    assert len(found) == 24
    before = {item.name(): item.XMLDesc() for item in found}
    missing = {name for xml in before.values() for name in re.findall(r"filterref filter='([^']*)'", xml)} - set(before)
    assert not missing
    lab.restart()
    assert {item.name(): item.XMLDesc() for item in lab.conn().listAllNWFilters()} == before
    for item in lab.conn().listAllNWFilters():
        item.undefine()


def test_filter_binding_says_what_is_missing(conn):
    xml = ("<filterbinding><owner><name>vm</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner>"
           "<portdev name='vnet0'/><mac address='52:54:00:00:00:01'/><filterref filter='f'/></filterbinding>")
    fails(libvirt.VIR_ERR_NO_SUPPORT, conn.nwfilterBindingCreateXML, xml)
    fails(libvirt.VIR_ERR_NO_NWFILTER_BINDING, conn.nwfilterBindingLookupByPortDev, 'vnet0')
    assert conn.listAllNWFilterBindings() == []


# ---- interfaces of the host ----

def test_interface_is_looked_at(lab, conn):
    names = set(conn.listInterfaces()) | set(conn.listDefinedInterfaces())
    assert 'lo' in names and len(conn.listAllInterfaces()) == len(names)
    lo = conn.interfaceLookupByName('lo')
    assert lo.MACString() == '00:00:00:00:00:00'
    assert "<interface type='ethernet' name='lo'>" in lo.XMLDesc() and "<mtu size='65536'/>" in lo.XMLDesc()
    fails(libvirt.VIR_ERR_NO_INTERFACE, conn.interfaceLookupByName, '../net/lo')
    fails(libvirt.VIR_ERR_NO_SUPPORT, conn.interfaceDefineXML, lo.XMLDesc())


# ---- devices of the host ----

def test_node_devices_are_looked_at(lab, conn):
    devices = {device.name(): device for device in conn.listAllDevices()}
    assert devices['computer'].parent() is None and "<capability type='system'" in devices['computer'].XMLDesc()
    assert set(conn.listDevices('system')) == {'computer'}
    assert all(device.parent() in devices for name, device in devices.items() if name != 'computer')
    net = conn.nodeDeviceLookupByName('net_lo_00_00_00_00_00_00')
    assert net.listCaps() == ['net'] and '<interface>lo</interface>' in net.XMLDesc()
    assert net.name() in {device.name() for device in conn.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET)}
    fails(libvirt.VIR_ERR_NO_NODE_DEVICE, conn.nodeDeviceLookupByName, 'net_nowhere')


def test_only_mediated_devices_can_be_defined(conn):
    def xml(kind):
        return f"<device><parent>nowhere</parent><capability type='{kind}'/></device>"

    fails(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, conn.nodeDeviceDefineXML, xml('mdev'))
    fails(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, conn.nodeDeviceDefineXML, xml('system'))
