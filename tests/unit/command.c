/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines: the words that definitions give, in order, and what is refused by name. No emulator is there: what it
 * could do is written down here. */
#include <string.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/settings.h"

static bool
find_machine(const DomainFillHost *host, const Domain *dom, DomainMachine *machine, GError **err)
{
    machine->machine = strstr(dom->os.machine, "q35") ? "pc-q35-7.2" : "pc-i440fx-7.2";
    machine->default_cpu = "qemu64";
    return true;
}

static const char *
find_emulator(const DomainFillHost *host, VirtType type, const char *arch)
{
    return "/bin/emulator";
}

static const DomainFillHost host = {
    .arch = "x86_64", .find_emulator = find_emulator, .find_machine = find_machine};

static void
free_machine(gpointer opaque)
{
    MachineType *machine = opaque;

    g_free(machine->name);
    g_free(machine->default_ram);
    g_free(machine);
}

static void
add_machine(GPtrArray *machines, const char *name)
{
    MachineType *machine = g_new0(MachineType, 1);

    machine->name = g_strdup(name);
    machine->default_ram = g_strdup("pc.ram");
    machine->max_cpus = 255;
    g_ptr_array_add(machines, machine);
}

static EmulatorInfo *
make_info(void)
{
    static const char *const types[] = {"virtio-net-pci", "e1000", "VGA", "virtio-vga"};
    EmulatorInfo *info = g_new0(EmulatorInfo, 1);

    g_atomic_ref_count_init(&info->refs);
    info->path = g_strdup("/bin/emulator");
    info->arch = g_strdup("x86_64");
    info->machines = g_ptr_array_new_with_free_func(free_machine);
    add_machine(info->machines, "pc-q35-7.2");
    add_machine(info->machines, "pc-i440fx-7.2");
    info->cpus = g_ptr_array_new();
    info->kvm_cpus = g_ptr_array_new();
    info->types = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        g_hash_table_add(info->types, (gpointer)types[i]);
    info->commands = g_hash_table_new(g_str_hash, g_str_equal);
    info->options = g_hash_table_new(g_str_hash, g_str_equal);
    info->has_tcg = true;
    return info;
}

/* The command line of a domain with these pieces, or NULL with @err. */
static CommandLine *
build(const char *machine, const char *head, const char *devices, Domain **dom, GError **err)
{
    static QemuConfig config;
    static QemuDriver qemu = {.config = &config};
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>web</name><uuid>6f71dc2c-6fe5-4dc2-995a-399820feea8f</uuid>"
        "<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' "
        "machine='%s'>hvm</type></os>"
        "%s<devices>%s<memballoon model='none'/></devices></domain>",
        machine, head, devices);
    g_autoptr(EmulatorInfo) info = make_info();
    g_autoptr(CommandLine) line = NULL;

    *dom = domain_parse_filled(xml, MODEL_PARSE_INACTIVE, &host, err);
    if (!*dom)
        return NULL;
    domain_assign_aliases(*dom);
    for (gsize i = 0; i < (*dom)->n_disks; i++)
        (*dom)->disks[i]->source.index = (guint)i + 1;
    line = command_line_new(&qemu, info, *dom);
    line->is_dry = true;
    line->lib_dir = "/lib/domain-1-web";
    line->monitor_path = "/lib/domain-1-web/monitor.sock";
    return command_line_build(line, err) ? g_steal_pointer(&line) : NULL;
}

static void
assert_has(const char *machine, const char *head, const char *devices, const char *const *wanted)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Domain) dom = NULL;
    g_autoptr(CommandLine) line = build(machine, head, devices, &dom, &err);
    g_autofree char *text = NULL;
    const char *at;

    g_assert_no_error(err);
    at = text = g_strjoinv(" ", (char **)line->argv->pdata);
    for (gsize i = 0; wanted[i]; i++) {
        const char *found = strstr(at, wanted[i]);

        if (!found)
            g_error("not in its place: %s\nin: %s", wanted[i], text);
        at = found;
    }
}

static void
assert_refused(const char *head, const char *devices, const char *what)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Domain) dom = NULL;
    g_autoptr(CommandLine) line = build("q35", head, devices, &dom, &err);

    g_assert_null(line);
    g_assert_true(error_is(err, VIR_ERR_CONFIG_UNSUPPORTED));
    if (!strstr(err->message, what))
        g_error("'%s' does not name '%s'", err->message, what);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
machine_comes_with_memory_and_monitor(void)
{
    assert_has("q35", "", "",
               WORDS("-name guest=web,debug-threads=on -S",
                     "-machine pc-q35-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram",
                     "-accel tcg", "-cpu qemu64", "-m 64", "\"id\":\"pc.ram\",\"size\":67108864",
                     "-smp 1,sockets=1", "-uuid 6f71dc2c-6fe5-4dc2-995a-399820feea8f",
                     "-display none", "-nodefaults",
                     "path=/lib/domain-1-web/monitor.sock,server=on,wait=off", "-rtc base=utc",
                     "-no-shutdown", "-boot strict=on", "-msg timestamp=on"));
}

static void
disk_is_a_chain_of_nodes_below_a_device(void)
{
    assert_has("q35", "",
               "<disk type='file' device='disk'><driver name='qemu' type='qcow2' "
               "cache='none'/><source file='/i/top.qcow2'/>"
               "<backingStore type='file' index='9'><format type='raw'/><source "
               "file='/i/base.raw'/><backingStore/></backingStore>"
               "<target dev='vda' bus='virtio'/><serial>S1</serial></disk>",
               WORDS("\"driver\":\"file\",\"filename\":\"/i/base.raw\"", "\"read-only\":true",
                     "\"driver\":\"file\",\"filename\":\"/i/"
                     "top.qcow2\",\"node-name\":\"libvirt-1-storage\",\"cache\":{\"direct\":true",
                     "\"node-name\":\"libvirt-1-format\",\"read-only\":false",
                     "\"driver\":\"qcow2\",\"file\":\"libvirt-1-storage\"",
                     "\"driver\":\"virtio-blk-pci\"",
                     "\"drive\":\"libvirt-1-format\",\"id\":\"virtio-disk0\",\"bootindex\":1",
                     "\"serial\":\"S1\""));
}

static void
backing_file_is_never_opened_for_writing(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Domain) dom = NULL;
    g_autoptr(CommandLine) line = build(
        "pc", "",
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/top'/>"
        "<backingStore type='file' index='9'><format type='qcow2'/><source "
        "file='/i/base'/><backingStore/></backingStore>"
        "<target dev='hda' bus='ide'/></disk>",
        &dom, &err);
    guint n_writable = 0;

    g_assert_no_error(err);
    for (guint i = 0; i + 1 < line->argv->len; i++)
        n_writable += strstr(g_ptr_array_index(line->argv, i), "\"read-only\":false") != NULL;
    g_assert_cmpuint(n_writable, ==, 1);
}

static void
commas_in_names_cannot_add_options(void)
{
    assert_has("q35", "", "<serial type='file'><source path='/tmp/a,server=on'/></serial>",
               WORDS("-chardev file,id=charserial0,path=/tmp/a,,server=on"));
}

static void
nics_and_their_refusals(void)
{
    assert_has("q35", "",
               "<interface type='user'><mac address='52:54:00:01:02:03'/><model "
               "type='virtio'/></interface>",
               WORDS("-netdev {\"type\":\"user\",\"id\":\"hostnet0\"}",
                     "\"driver\":\"virtio-net-pci\",\"netdev\":\"hostnet0\"",
                     "\"mac\":\"52:54:00:01:02:03\""));
    assert_refused("", "<interface type='network'><source network='default'/></interface>",
                   "type 'network'");
    assert_refused("", "<interface type='user'><model type='ne3200'/></interface>", "'ne3200'");
}

static void
what_is_not_supported_is_named(void)
{
    assert_refused("", "<graphics type='sdl'/>", "'sdl'");
    assert_refused("", "<filesystem type='mount'><source dir='/x'/><target dir='t'/></filesystem>",
                   "<filesystem>");
    assert_refused("", "<tpm model='tpm-tis'><backend type='emulator'/></tpm>", "<tpm>");
    assert_refused("<cpu mode='host-model'/>", "",
                   "host-model"); /* this emulator has not said what it is */
    assert_refused("<memtune><hard_limit unit='KiB'>100000</hard_limit></memtune>", "",
                   "<memtune>");
    assert_refused("<seclabel type='static' model='selinux'><label>x</label></seclabel>", "",
                   "selinux");
}

static void
clock_timers_and_power(void)
{
    assert_has("pc",
               "<features><acpi/></features><clock offset='localtime'><timer name='rtc' "
               "tickpolicy='catchup'/>"
               "<timer name='hpet' present='no'/></clock><pm><suspend-to-mem enabled='no'/></pm>",
               "",
               WORDS("-rtc base=localtime,driftfix=slew", "-no-hpet", "-no-shutdown",
                     "PIIX4_PM.disable_s3=1"));
}

static void
graphics_bring_no_display_none(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Domain) dom = NULL;
    g_autoptr(CommandLine) line =
        build("q35", "",
              "<graphics type='vnc' port='5905' autoport='no'/><video><model type='vga'/></video>",
              &dom, &err);
    g_autofree char *text = NULL;

    g_assert_no_error(err);
    text = command_line_format(line, " ");
    g_assert_null(strstr(text, "-display none"));
    g_assert_nonnull(strstr(text, "-vnc 127.0.0.1:5"));
    g_assert_nonnull(strstr(text, "\"driver\":\"VGA\""));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/machine-comes-with-memory-and-monitor",
                    machine_comes_with_memory_and_monitor);
    g_test_add_func("/command/disk-is-a-chain-of-nodes-below-a-device",
                    disk_is_a_chain_of_nodes_below_a_device);
    g_test_add_func("/command/backing-file-is-never-opened-for-writing",
                    backing_file_is_never_opened_for_writing);
    g_test_add_func("/command/commas-in-names-cannot-add-options",
                    commas_in_names_cannot_add_options);
    g_test_add_func("/command/nics-and-their-refusals", nics_and_their_refusals);
    g_test_add_func("/command/what-is-not-supported-is-named", what_is_not_supported_is_named);
    g_test_add_func("/command/clock-timers-and-power", clock_timers_and_power);
    g_test_add_func("/command/graphics-bring-no-display-none", graphics_bring_no_display_none);
    return g_test_run();
}
