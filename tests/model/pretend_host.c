/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host with QEMU 7.2 for x86, as far as filling in a domain asks it. */
#define ERROR_DOMAIN VIR_FROM_QEMU
#include "pretend_host.h"

#include <string.h>

#include "base/error.h"

static const char *
find_emulator(const DomainFillHost *host, VirtType type, const char *arch)
{
    if (strcmp(arch, "i686") == 0)
        return "/usr/bin/qemu-system-i386";
    return "/usr/bin/qemu-system-x86_64";
}

static const struct {
    const char *alias, *name;
} machines[] = {
    {"pc", "pc-i440fx-7.2"},
    {"q35", "pc-q35-7.2"},
    {"isapc", "isapc"},
    {"microvm", "microvm"},
};

static bool
find_machine(const DomainFillHost *host, const Domain *dom, DomainMachine *machine, GError **err)
{
    const char *emulator = dom->emulator, *wanted = dom->os.machine ? dom->os.machine : "pc";

    if (strcmp(emulator, "/usr/bin/qemu-system-x86_64") != 0 &&
        strcmp(emulator, "/usr/bin/qemu-system-i386") != 0)
        return fail(err, VIR_ERR_SYSTEM_ERROR,
                    "Cannot check QEMU binary %s: No such file or directory", emulator);
    if (dom->os.type != OS_TYPE_HVM)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Emulator '%s' does not support os type '%s'",
                    emulator, os_type_to_string(dom->os.type));
    if (!domain_is_x86(dom))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Emulator '%s' does not support arch '%s'",
                    emulator, dom->os.arch);
    if (dom->type != VIRT_TYPE_QEMU && dom->type != VIRT_TYPE_KVM)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Emulator '%s' does not support virt type '%s'", emulator,
                    virt_type_to_string(dom->type));
    machine->default_cpu = strstr(emulator, "i386") ? "qemu32" : "qemu64";
    machine->cpu_is_migratable = !strstr(emulator, "i386");
    machine->machine = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(machines); i++)
        if (strcmp(wanted, machines[i].alias) == 0)
            machine->machine = machines[i].name;
    if (!machine->machine &&
        (g_str_has_prefix(wanted, "pc-i440fx-") || g_str_has_prefix(wanted, "pc-q35-")))
        machine->machine = wanted;
    if (!machine->machine)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Emulator '%s' does not support machine type '%s'", emulator, wanted);
    return true;
}

const DomainFillHost pretend_host = {
    .arch = "x86_64",
    .find_emulator = find_emulator,
    .find_machine = find_machine,
    .channel_dir = "/var/lib/libvirt/qemu/channel/target",
    .nvram_dir = "/var/lib/libvirt/qemu/nvram",
};
