# SPDX-License-Identifier: LGPL-2.1-or-later
"""The distribution's own clients, unchanged, on our daemon: virsh and virt-install with their own library over the socket, and the
bindings of other languages on our library. See test_interchange.py for the other direction."""
import json
import os
import re
import select
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

import lab as labs

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason='a lab needs root'),
    pytest.mark.skipif(not labs.DAEMON.exists(), reason=f'{labs.DAEMON} is not built'),
    pytest.mark.skipif(not shutil.which('qemu-system-x86_64'), reason='QEMU is not installed'),
]
LIBRARIES = ('libvirt', 'libvirt-qemu', 'libvirt-lxc', 'libvirt-admin')
NIC = "<interface type='user'><mac address='52:54:00:0a:0b:0c'/><model type='virtio'/></interface>"


def needs(program: str):
    return pytest.mark.skipif(not shutil.which(program), reason=f'{program} is not installed')


def environment(ours: bool) -> dict[str, str]:
    """The distribution's library, or ours in its place."""
    env = {k: v for k, v in os.environ.items() if k != 'LD_LIBRARY_PATH'}
    if ours:
        env['LD_LIBRARY_PATH'] = str(labs.CLIENT)
    return env


def run(*args: str, ours: bool = True, timeout: float = 120) -> str:
    done = subprocess.run(args, env=environment(ours), text=True, capture_output=True, timeout=timeout)
    assert done.returncode == 0, f'{args}: exit {done.returncode}: {done.stdout[-800:]} {done.stderr[-2000:]}'
    return done.stdout


@pytest.fixture(scope='module')
def lab():
    labs.become_subreaper()
    with labs.Lab() as one:
        yield one


def define(lab, name: str) -> Path:
    path = lab.dir / f'{name}.xml'
    # With a UUID, so that it can be defined again.
    text = lab.guest_xml(name, [lab.disk(f'{name}.qcow2')], extra=NIC)
    path.write_text(text.replace('</name>', f'</name><uuid>{uuid.uuid4()}</uuid>', 1))
    return path


@needs('/usr/bin/virsh')
class TestDebianVirsh:
    def test_life_cycle_commands_work_over_the_wire(self, lab):
        def virsh(*args: str) -> str:
            return lab.virsh(*args, debian=True).stdout

        virsh('define', str(define(lab, 'life')))
        assert virsh('list', '--inactive', '--name').split() == ['life']
        virsh('start', 'life')
        console = lab.console('life')
        console.prepare()
        assert virsh('domstate', 'life', '--reason').strip() == 'running (booted)'
        virsh('suspend', 'life')
        assert virsh('domstate', 'life', '--reason').strip() == 'paused (user)'
        virsh('resume', 'life')
        virsh('reset', 'life')
        console.wait('GUEST-UP')
        virsh('autostart', 'life')
        assert virsh('list', '--autostart', '--name').split() == ['life']
        virsh('autostart', 'life', '--disable')
        virsh('desc', 'life', '--title', 'greeting')
        assert virsh('desc', 'life', '--title').strip() == 'greeting'
        virsh('metadata', 'life', 'urn:x', '--set', '<a/>', '--key', 'k')
        assert virsh('metadata', 'life', 'urn:x').strip() == '<k:a xmlns:k="urn:x"/>'
        reply = json.loads(virsh('qemu-monitor-command', 'life', '{"execute":"query-name"}'))
        assert reply['return']['name'] == 'life'
        assert 'unused' in virsh('dommemstat', 'life') or 'rss' in virsh('dommemstat', 'life')
        image = str(lab.images / 'life.save')
        virsh('save', 'life', image)
        assert '<name>life</name>' in virsh('save-image-dumpxml', image)
        virsh('restore', image)
        virsh('managedsave', 'life')
        assert virsh('list', '--all', '--with-managed-save', '--name').split() == ['life']
        virsh('start', 'life')
        # The button is heard by the guest's own daemon: it answers for good once the guest is up.
        console.close()
        console = lab.console('life')
        assert console.run('echo alive').strip().endswith('alive')
        virsh('shutdown', 'life')
        labs.wait_for(lambda: virsh('domstate', 'life').strip() == 'shut off', 60, 'shutdown')
        virsh('undefine', 'life')
        assert virsh('list', '--all', '--name').split() == []

    def test_events_arrive(self, lab):
        define(lab, 'seen')
        env = environment(False)
        watch = subprocess.Popen(['stdbuf', '-oL', '/usr/bin/virsh', '-c', lab.uri, 'event', '--all', '--loop', '--timeout', '60'],
                                 env=env, text=True, stdout=subprocess.PIPE)
        lab.virsh('define', str(lab.dir / 'seen.xml'), debian=True)
        try:
            # Whether the watcher was there for the definition is chance; redefine until it says so.
            while not select.select([watch.stdout], [], [], 0.3)[0]:
                lab.virsh('define', str(lab.dir / 'seen.xml'), debian=True)
            line = watch.stdout.readline()
            assert "event 'lifecycle' for domain 'seen': Defined" in line
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()
        lab.virsh('undefine', 'seen', debian=True)

    def test_snapshot_commands_work_over_the_wire(self, lab):
        def virsh(*args: str) -> str:
            return lab.virsh(*args, debian=True).stdout

        virsh('define', str(define(lab, 'tree')))
        virsh('snapshot-create-as', 'tree', 'off', '--disk-only')
        virsh('start', 'tree')
        virsh('snapshot-create-as', 'tree', 'on', '--memspec', str(lab.images / 'tree.mem'), '--diskspec',
              f'vda,file={lab.images}/tree.on')
        assert virsh('snapshot-list', 'tree', '--name').split() == ['off', 'on']
        assert virsh('snapshot-current', 'tree', '--name').strip() == 'on'
        assert virsh('snapshot-parent', 'tree', 'on').strip() == 'off'
        assert 'off' in virsh('snapshot-list', 'tree', '--tree')
        assert re.search(r'Location: +external', virsh('snapshot-info', 'tree', 'on'))
        assert '<memory snapshot=\'external\'' in virsh('snapshot-dumpxml', 'tree', 'on')
        virsh('snapshot-revert', 'tree', 'on', '--paused')
        assert virsh('domstate', 'tree').strip() == 'paused'
        virsh('snapshot-revert', 'tree', 'off', '--force')
        assert virsh('domstate', 'tree').strip() == 'shut off'
        virsh('snapshot-delete', 'tree', 'on')
        assert virsh('snapshot-list', 'tree', '--name').split() == ['off']
        virsh('undefine', 'tree', '--snapshots-metadata')

    @pytest.mark.parametrize('running', [False, True], ids=['shut off', 'running'])
    def test_its_output_is_the_same_as_ours(self, lab, running):
        lab.virsh('define', str(define(lab, 'same')), debian=True)
        if running:
            lab.virsh('start', 'same', debian=True)
        wrong = []
        for line in ('list --all', 'list --title', 'list --all --name', 'list --all --uuid', 'dominfo same', 'domuuid same',
                     'domstate same --reason', 'dumpxml same', 'dumpxml same --inactive', 'dumpxml same --migratable',
                     'domblklist same --details', 'domiflist same', 'domblkinfo same vda', 'vcpucount same', 'nodeinfo',
                     'version', 'snapshot-list same', 'domstats same --state --balloon', 'domcontrol same', 'uri', 'capabilities',
                     'domcapabilities', 'domif-getlink same 52:54:00:0a:0b:0c', 'list --bad-option', 'dominfo nobody'):
            theirs = lab.virsh(*line.split(), debian=True, check=False)
            ours = lab.virsh(*line.split(), check=False)
            hide = re.compile(r'CPU time: .*|balloon\.rss=.*|Max memory.*|Used memory.*|.*support --bad-option.*')
            if (theirs.returncode, hide.sub('', theirs.stdout)) != (ours.returncode, hide.sub('', ours.stdout)):
                wrong.append((line, theirs.returncode, theirs.stdout[:400], ours.returncode, ours.stdout[:400]))
        if running:
            lab.virsh('destroy', 'same', debian=True)
        lab.virsh('undefine', 'same', debian=True)
        assert not wrong


@needs('virt-install')
@pytest.mark.parametrize('ours', [False, True], ids=['their library', 'our library'])
@pytest.mark.parametrize('machine,graphics', [('q35', 'none'), ('pc', 'vnc')])
def test_virt_install_imports_a_guest_that_boots(lab, ours, machine, graphics):
    # With --disk path= virt-install makes a storage pool: test_storage.py.
    name = f'vi-{machine}-{int(ours)}'
    files = labs.guest_files()
    disk = lab.disk(f'{name}.qcow2')
    run('virt-install', '--connect', lab.uri, '--name', name, '--memory', '160', '--vcpus', '1', '--import', '--virt-type', 'qemu',
        '--network', 'user', '--disk', f'source.file={disk},format=qcow2,bus=virtio', '--machine', machine, '--graphics', graphics,
        '--osinfo', 'detect=on,require=off', '--boot',
        f'kernel={files}/vmlinuz,initrd={files}/initrd.gz,kernel_args=console=ttyS0 quiet', '--noautoconsole', ours=ours)
    try:
        text = lab.virsh('dumpxml', name).stdout
        for needed in ("type='qemu'", f"<source file='{disk}'", "<interface type='user'>", machine):
            assert needed in text, text
        assert ("<graphics type='vnc' port='5" in text) == (graphics == 'vnc')
        console = lab.console(name)
        console.prepare()
        # It is the console of this guest: the kernel says what it was started with, and sees the disk.
        assert 'console=ttyS0' in console.run('cat /proc/cmdline')
        assert 'vda' in console.run('ls /sys/block')
        console.close()
    finally:
        lab.virsh('destroy', name, check=False)
        lab.virsh('undefine', name, check=False)


@pytest.fixture
def listed(lab):
    """A defined guest that bindings are to find."""
    for name in lab.virsh('list', '--all', '--name').stdout.split():  # what a test that failed has left
        lab.virsh('destroy', name, check=False)
        lab.virsh('undefine', name, '--snapshots-metadata', '--managed-save')
    lab.virsh('define', str(define(lab, 'listed')))
    yield 'listed'
    lab.virsh('undefine', 'listed')


@needs('perl')
def test_sys_virt_lists_guests_and_hears_of_changes(lab, listed):
    if subprocess.run(['perl', '-MSys::Virt', '-e', '1'], capture_output=True, env=environment(False)).returncode:
        pytest.skip('Sys::Virt is not installed')
    out = run('perl', '-MSys::Virt', '-MSys::Virt::Event', '-e', '''
        Sys::Virt::Event::register_default();
        my $c = Sys::Virt->new(uri => $ARGV[0]);
        my @all = $c->list_all_domains();
        print "guest ", $_->get_name(), " active ", $_->is_active(), "\\n" for @all;
        print "xml ", ($all[0]->get_xml_description() =~ /<name>(.*?)<.name>/)[0], "\\n";
        my $seen = 0;
        $c->domain_event_register_any(undef, Sys::Virt::Domain::EVENT_ID_LIFECYCLE,
            sub { my (undef, $d, $event) = @_; print "event ", $d->get_name(), " $event\\n"; $seen = 1; });
        $c->define_domain($all[0]->get_xml_description());
        Sys::Virt::Event::run_default() until $seen;
    ''', lab.uri)
    assert out.split('\n')[:3] == ['guest listed active 0', 'xml listed', 'event listed 0'], out


@needs('ruby')
def test_ruby_libvirt_lists_guests(lab, listed):
    if subprocess.run(['ruby', '-rlibvirt', '-e', '1'], capture_output=True, env=environment(False)).returncode:
        pytest.skip('ruby-libvirt is not installed')
    out = run('ruby', '-rlibvirt', '-e', '''
        c = Libvirt::open(ARGV[0])
        c.list_all_domains.each { |d| puts "#{d.name} #{d.active?} #{d.info.max_mem}" }
        puts c.lookup_domain_by_name("listed").xml_desc[/<name>(.*)<.name>/, 1]
        puts c.list_defined_domains
    ''', lab.uri)
    assert out.split('\n')[:3] == ['listed false 131072', 'listed', 'listed'], out


GLIB_PROGRAM = r'''
#include <dlfcn.h>
#include <stdio.h>
typedef struct List { void *data; struct List *next; } List;
#define LOAD(lib, name) void *(*name)() = dlsym(lib, #name)
int main(int argc, char **argv) {
    void *lib = dlopen("libvirt-glib-1.0.so.0", RTLD_NOW), *object = dlopen("libvirt-gobject-1.0.so.0", RTLD_NOW | RTLD_GLOBAL);
    if (!lib || !object) { puts(dlerror()); return 77; }
    LOAD(object, gvir_connection_new); LOAD(object, gvir_connection_open); LOAD(object, gvir_connection_fetch_domains);
    LOAD(object, gvir_connection_get_domains); LOAD(object, gvir_domain_get_name);
    void *error = 0, *conn = gvir_connection_new(argv[argc - 1]);
    if (!gvir_connection_open(conn, 0, &error) || !gvir_connection_fetch_domains(conn, 0, &error)) { puts("failed"); return 1; }
    for (List *l = gvir_connection_get_domains(conn); l; l = l->next) puts(gvir_domain_get_name(l->data));
    return 0;
}
'''


@needs('gcc')
def test_libvirt_glib_lists_guests(lab, listed, tmp_path):
    (tmp_path / 'list.c').write_text(GLIB_PROGRAM)
    subprocess.run(['gcc', '-w', '-fno-strict-aliasing', '-o', tmp_path / 'list', tmp_path / 'list.c', '-ldl'], check=True)
    done = subprocess.run([tmp_path / 'list', lab.uri], env=environment(True), text=True, capture_output=True, timeout=60)
    if done.returncode == 77:
        pytest.skip('libvirt-gobject is not installed: ' + done.stdout)
    assert done.returncode == 0 and done.stdout.split() == ['listed'], done


@needs('dbus-run-session')
@needs('gdbus')
def test_libvirt_dbus_lists_guests(lab, listed):
    program = next((p for p in ('/usr/sbin/libvirt-dbus', '/usr/libexec/libvirt-dbus') if os.path.exists(p)), None)
    if not program:
        pytest.skip('libvirt-dbus is not installed')
    # As the system's service it connects to qemu:///system, which is our daemon in the lab; the bus is a private one.
    script = (f'export DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS; {program} --system & '
              'gdbus wait --session --timeout 20 org.libvirt; '
              'gdbus call --session --dest org.libvirt --object-path /org/libvirt/QEMU '
              '--method org.libvirt.Connect.ListDomains 0; kill $!')
    done = subprocess.run(['nsenter', f'--mount=/proc/{lab.pid}/ns/mnt', 'dbus-run-session', '--', 'bash', '-c', script],
                          env=environment(True), text=True, capture_output=True, timeout=60)
    path = lab.virsh('domuuid', 'listed').stdout.strip().replace('-', '_')
    assert path in done.stdout, done


def symbols(path: str, what: str) -> set[tuple[str, str]]:
    """(symbol, version node) of libvirt's that @path imports ('U') or exports."""
    out = subprocess.run(['nm', '-D', '--with-symbol-versions', path], text=True, capture_output=True).stdout
    return {(m[2], m[3]) for m in re.finditer(r'(?m)^\S* *([A-Za-z]) (\w+)@+(LIBVIRT_(?:QEMU_|LXC_|ADMIN_)?[\d.]+)$', out)
            if (m[1] == 'U') == (what == 'U')}


@needs('nm')
def test_every_symbol_that_an_installed_program_imports_is_exported():
    exported = set().union(*(symbols(f'{labs.CLIENT}/{name}.so.0', 'T') for name in LIBRARIES))
    assert len(exported) > 500
    missing, importers = {}, []
    places = ('/usr/bin', '/usr/sbin', '/usr/libexec', '/usr/lib/x86_64-linux-gnu', '/usr/lib/python3/dist-packages', '/usr/lib/ruby',
              '/usr/lib/libvirt')
    done = subprocess.run(['grep', '-rlsaE', '--exclude-dir=connection-driver', '--exclude-dir=modules',
                           r'libvirt(-qemu|-lxc|-admin)?\.so\.0', *places], text=True, capture_output=True)
    for path in done.stdout.split('\n'):
        # What libvirt's own source builds uses its private nodes as well.
        name = os.path.basename(path)
        if not path or (name.startswith(('libvirt-', 'libvirt.so', 'libvirtd', 'virt-admin', 'virsh', 'virt-host-validate',
                        'virt-login-shell', 'virtlo', 'virt-pki')) and 'glib' not in name and 'gobject' not in name and 'dbus' not in name):
            continue
        wanted = {s for s in symbols(path, 'U') if 'PRIVATE' not in s[1]}
        importers += [path] if wanted else []
        if wanted - exported:
            missing[path] = sorted(wanted - exported)
    assert importers, 'no importer was found'
    assert not missing
