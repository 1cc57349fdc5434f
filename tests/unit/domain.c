/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the domain rules that a document does not show well: names of disk targets, aliases of a running guest, places of
 * plugged devices, what a running guest's configuration loses when it becomes the persistent one. */
#include <string.h>

#include "base/error.h"
#include "model/domain.h"

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

static Domain *
domain_of(const char *machine, const char *devices)
{
    g_autofree char *xml =
        g_strdup_printf("<domain type='qemu'><name>web</name><memory>65536</memory>"
                        "<os><type arch='x86_64' machine='%s'>hvm</type></os>"
                        "<devices>%s</devices></domain>",
                        machine, devices);
    g_autoptr(GError) err = NULL;
    Domain *dom = domain_parse_filled(xml, 0, &host, &err);

    g_assert_no_error(err);
    return dom;
}

static void
target_names_count_like_letters(void)
{
    static const struct {
        const char *dev;
        int index;
    } cases[] = {
        {"vda", 0}, {"vdz", 25},  {"vdaa", 26},  {"vdzz", 701}, {"vdaaa", 702},   {"sdb1", 1},
        {"hd", -1}, {"disk", -1}, {"vda01", -1}, {"vdA", -1},   {"vdzzzzzz", -1},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(disk_target_index(cases[i].dev), ==, cases[i].index);
    for (guint i = 0; i < 2000; i++) {
        g_autofree char *name = disk_target_name("vd", i);

        g_assert_cmpint(disk_target_index(name), ==, (int)i);
    }
}

static void
disks_are_found_by_target_and_by_path(void)
{
    g_autoptr(Domain) dom =
        domain_of("pc", "<disk type='file'><source file='/img/a'/><target dev='vda'/></disk>"
                        "<disk type='block'><source dev='/dev/b'/><target dev='vdb'/></disk>");

    g_assert_true(domain_find_disk(dom, "vdb") == dom->disks[1]);
    g_assert_true(domain_find_disk(dom, "/img/a") == dom->disks[0]);
    g_assert_true(domain_find_disk(dom, "/dev/b") == dom->disks[1]);
    g_assert_null(domain_find_disk(dom, "vdc"));
}

static void
aliases_are_those_that_tools_know(void)
{
    g_autoptr(Domain) dom = domain_of(
        "q35",
        "<disk type='file'><source file='/img/a'/><target dev='vdb'/></disk>"
        "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
        "<interface type='user'><model type='virtio'/></interface><interface type='user'><alias "
        "name='ua-lan'/></interface>"
        "<serial type='pty'/><channel type='spicevmc'><target type='virtio'/></channel>"
        "<video><model type='vga'/></video><rng model='virtio'><backend model='random'/></rng>");

    domain_assign_aliases(dom);
    g_assert_cmpstr(dom->disks[0]->info.alias_name, ==, "virtio-disk1");
    g_assert_cmpstr(dom->disks[1]->info.alias_name, ==, "sata0-0-0");
    g_assert_cmpstr(dom->interfaces[0]->info.alias_name, ==, "net0");
    g_assert_cmpstr(dom->interfaces[1]->info.alias_name, ==, "ua-lan");
    g_assert_cmpstr(dom->serials[0]->info.alias_name, ==, "serial0");
    g_assert_cmpstr(dom->consoles[0]->info.alias_name, ==, "serial0");
    g_assert_cmpstr(dom->channels[0]->info.alias_name, ==, "channel0");
    g_assert_cmpstr(dom->inputs[0]->info.alias_name, ==, "input0");
    g_assert_cmpstr(dom->videos[0]->info.alias_name, ==, "video0");
    g_assert_cmpstr(dom->memballoon->info.alias_name, ==, "balloon0");
    g_assert_cmpstr(dom->rngs[0]->info.alias_name, ==, "rng0");
    g_assert_cmpstr(domain_find_controller(dom, CONTROLLER_TYPE_PCI, 0)->info.alias_name, ==,
                    "pcie.0");
    g_assert_cmpstr(domain_find_controller(dom, CONTROLLER_TYPE_PCI, 1)->info.alias_name, ==,
                    "pci.1");
    g_assert_cmpstr(domain_find_controller(dom, CONTROLLER_TYPE_USB, 0)->info.alias_name, ==,
                    "usb");
    g_assert_cmpstr(domain_find_controller(dom, CONTROLLER_TYPE_SATA, 0)->info.alias_name, ==,
                    "ide");
}

static void
a_device_is_found_by_its_alias(void)
{
    g_autoptr(Domain) dom =
        domain_of("pc", "<interface type='user'><alias name='ua-lan'/></interface>");
    DomainDevice found;

    g_assert_true(domain_find_alias(dom, "ua-lan", &found));
    g_assert_true(found.kind == DOMAIN_DEVICE_INTERFACE && found.device == dom->interfaces[0]);
    g_assert_false(domain_find_alias(dom, "ua-wan", &found));
}

static void
a_plugged_device_takes_the_free_port(void)
{
    g_autoptr(Domain) dom = domain_of("q35", "");
    g_autoptr(Disk) disk = disk_new();
    g_autoptr(GError) err = NULL;
    DomainDevice device = {DOMAIN_DEVICE_DISK, disk, &disk->info, 0};
    guint spare = 0;

    disk->type = STORAGE_TYPE_FILE;
    disk->target.dev = g_strdup("vda");
    disk->target.bus = DISK_BUS_VIRTIO;
    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == CONTROLLER_TYPE_PCI)
            spare = MAX(spare, dom->controllers[i]->index);
    g_assert_true(domain_assign_device_address(dom, &host, &device, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(device_info_pci(&disk->info)->bus, ==, spare);
    g_assert_cmpuint(device_info_pci(&disk->info)->slot, ==, 0);
}

static void
a_full_machine_refuses_one_more(void)
{
    g_autoptr(Domain) dom =
        domain_of("q35", "<interface type='user'><model type='virtio'/></interface>");
    g_autoptr(GError) err = NULL;
    bool placed = true;

    for (int i = 0; i < 2 && placed; i++) {
        Interface *net = interface_new();
        DomainDevice device = {DOMAIN_DEVICE_INTERFACE, net, &net->info, 0};

        net->type = NET_TYPE_USER;
        net->model_type = g_strdup("virtio");
        placed = domain_assign_device_address(dom, &host, &device, &err);
        dom->interfaces = g_renew(Interface *, dom->interfaces, dom->n_interfaces + 1);
        dom->interfaces[dom->n_interfaces++] = net;
    }
    g_assert_false(placed);
    g_assert_true(error_is(err, VIR_ERR_INTERNAL_ERROR));
}

static void
persistent_form_loses_what_lives_only_while_running(void)
{
    g_autoptr(Domain) dom = domain_of(
        "pc",
        "<disk type='file'><source file='/img/a'/><target dev='vda'/></disk><serial type='pty'/>"
        "<interface type='user'><target dev='vnet3'/></interface><graphics type='vnc'/>");
    g_autoptr(Domain) inactive = NULL;
    ChardevSource *source = chardev_source_new();

    domain_assign_aliases(dom);
    source->path = g_strdup("/dev/pts/4");
    dom->serials[0]->chardev.sources = g_new(ChardevSource *, 1);
    dom->serials[0]->chardev.sources[0] = source;
    dom->serials[0]->chardev.n_sources = 1;
    dom->graphics[0]->port = 5901;
    dom->disks[0]->source.index = 1;
    dom->disks[0]->source.has_index = true;
    dom->id = 7;
    dom->has_id = true;
    inactive = domain_copy_inactive(dom);
    g_assert_false(inactive->has_id);
    g_assert_null(inactive->disks[0]->info.alias_name);
    g_assert_false(inactive->disks[0]->source.has_index);
    g_assert_cmpuint(inactive->serials[0]->chardev.n_sources, ==, 0);
    g_assert_cmpint(inactive->graphics[0]->port, ==, -1);
    g_assert_cmpstr(dom->serials[0]->chardev.sources[0]->path, ==, "/dev/pts/4");
}

static void
persistent_form_keeps_written_chains_and_drops_found_ones(void)
{
    g_autoptr(Domain) dom =
        domain_of("pc", "<disk type='file'><source file='/img/c'/><backingStore type='file'>"
                        "<format type='raw'/><source file='/img/b'/></backingStore>"
                        "<target dev='vda'/></disk>");
    g_autoptr(Domain) inactive = NULL;
    BackingStore *written = dom->disks[0]->backing_store;

    written->backing_store = backing_store_new();
    written->backing_store->detected = TRISTATE_YES;
    inactive = domain_copy_inactive(dom);
    g_assert_cmpstr(inactive->disks[0]->backing_store->source.file, ==, "/img/b");
    g_assert_null(inactive->disks[0]->backing_store->backing_store);
}

static void
a_changed_disk_bus_is_no_stable_machine(void)
{
    g_autoptr(Domain) dom =
        domain_of("pc", "<disk type='file'><source file='/img/a'/><target dev='vda'/></disk>");
    g_autoptr(Domain) other = domain_of(
        "pc", "<disk type='file'><source file='/img/a'/><target dev='sda' bus='scsi'/></disk>");
    g_autoptr(Domain) moved =
        domain_of("pc", "<disk type='file'><source file='/img/b'/><target dev='vda'/></disk>");
    g_autoptr(GError) err = NULL;

    memcpy(other->uuid, dom->uuid, sizeof(dom->uuid));
    memcpy(moved->uuid, dom->uuid, sizeof(dom->uuid));
    g_assert_false(domain_check_abi_stable(dom, other, &err));
    g_assert_nonnull(err);
    g_clear_error(&err);
    g_assert_true(domain_check_abi_stable(dom, moved, &err));
    g_assert_no_error(err);
}

static void
an_attached_disk_gets_the_free_port(void)
{
    g_autoptr(Domain) dom = domain_of("q35", "");
    g_autoptr(GError) err = NULL;

    g_assert_true(domain_attach_device(
        dom, "<disk type='file'><source file='/img/a'/><target dev='vda'/></disk>", &host, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(dom->n_disks, ==, 1);
    g_assert_cmpint(dom->disks[0]->info.address.kind, ==, ADDRESS_TYPE_PCI);
    g_assert_false(domain_attach_device(
        dom, "<disk type='file'><source file='/img/b'/><target dev='vda'/></disk>", &host, &err));
    g_assert_true(error_is(err, VIR_ERR_OPERATION_INVALID));
}

static void
a_detached_serial_port_takes_its_console_along(void)
{
    g_autoptr(Domain) dom = domain_of("pc", "<serial type='pty'/>");
    g_autoptr(GError) err = NULL;

    g_assert_cmpuint(dom->n_consoles, ==, 1);
    g_assert_true(
        domain_detach_device(dom, "<serial type='pty'><target port='0'/></serial>", &host, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(dom->n_serials, ==, 0);
    g_assert_cmpuint(dom->n_consoles, ==, 0);
}

static void
an_updated_disk_keeps_its_place(void)
{
    g_autoptr(Domain) dom =
        domain_of("pc", "<disk type='file'><source file='/img/a'/><target dev='vda'/></disk>");
    g_autoptr(GError) err = NULL;
    guint slot = device_info_pci(&dom->disks[0]->info)->slot;

    g_assert_true(domain_update_device(
        dom, "<disk type='file'><source file='/img/b'/><target dev='vda'/></disk>", &host, &err));
    g_assert_no_error(err);
    g_assert_cmpstr(dom->disks[0]->source.file, ==, "/img/b");
    g_assert_cmpuint(device_info_pci(&dom->disks[0]->info)->slot, ==, slot);
    g_assert_false(domain_update_device(
        dom, "<disk type='file'><source file='/img/b'/><target dev='vdz'/></disk>", &host, &err));
    g_assert_true(error_is(err, VIR_ERR_DEVICE_MISSING));
}

static void
the_schema_refuses_what_parsing_passes_over(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_true(domain_validate(
        "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>",
        &err));
    g_assert_no_error(err);
    g_assert_false(domain_validate("<domain type='qemu'><name>a</name><memory>1</memory><colour/>"
                                   "<os><type>hvm</type></os></domain>",
                                   &err));
    g_assert_true(error_is(err, VIR_ERR_XML_INVALID_SCHEMA));
}

static void
without_a_host_only_common_rules_hold(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Domain) dom = domain_parse_filled(
        "<domain type='test'><name>t</name><memory>4096</memory><os><type>hvm</type></os>"
        "<devices><disk type='file'><target dev='vda'/></disk></devices></domain>",
        0, NULL, &err);

    g_assert_no_error(err);
    g_assert_null(dom->emulator);
    g_assert_cmpuint(dom->n_controllers, ==, 0);
    g_assert_null(dom->memballoon);
    g_assert_true(dom->has_uuid);
    g_assert_true(dom->disks[0]->target.bus == DISK_BUS_VIRTIO);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain/target_names_count_like_letters", target_names_count_like_letters);
    g_test_add_func("/domain/disks_are_found_by_target_and_by_path",
                    disks_are_found_by_target_and_by_path);
    g_test_add_func("/domain/aliases_are_those_that_tools_know", aliases_are_those_that_tools_know);
    g_test_add_func("/domain/a_device_is_found_by_its_alias", a_device_is_found_by_its_alias);
    g_test_add_func("/domain/a_plugged_device_takes_the_free_port",
                    a_plugged_device_takes_the_free_port);
    g_test_add_func("/domain/a_full_machine_refuses_one_more", a_full_machine_refuses_one_more);
    g_test_add_func("/domain/persistent_form_loses_what_lives_only_while_running",
                    persistent_form_loses_what_lives_only_while_running);
    g_test_add_func("/domain/persistent_form_keeps_written_chains_and_drops_found_ones",
                    persistent_form_keeps_written_chains_and_drops_found_ones);
    g_test_add_func("/domain/a_changed_disk_bus_is_no_stable_machine",
                    a_changed_disk_bus_is_no_stable_machine);
    g_test_add_func("/domain/without_a_host_only_common_rules_hold",
                    without_a_host_only_common_rules_hold);
    g_test_add_func("/domain/an_attached_disk_gets_the_free_port",
                    an_attached_disk_gets_the_free_port);
    g_test_add_func("/domain/a_detached_serial_port_takes_its_console_along",
                    a_detached_serial_port_takes_its_console_along);
    g_test_add_func("/domain/an_updated_disk_keeps_its_place", an_updated_disk_keeps_its_place);
    g_test_add_func("/domain/the_schema_refuses_what_parsing_passes_over",
                    the_schema_refuses_what_parsing_passes_over);
    return g_test_run();
}
