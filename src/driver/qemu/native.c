/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line that a definition would give, for people to read: nothing is opened, made or looked at for it. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/define.h"
#include "driver/qemu/guest.h"

/* Number the nodes of a machine that no guest has. */
static void
number_disks(QemuDriver *qemu, Domain *machine)
{
    g_autoptr(Guest) nobody = guest_new(qemu, machine->uuid, machine->name);

    for (gsize i = machine->n_disks; i > 0; i--)
        disk_number_nodes(nobody, machine->disks[i - 1]);
}

static void
choose_ports(Domain *machine)
{
    for (gsize i = 0; i < machine->n_graphics; i++) {
        Graphics *graphics = machine->graphics[i];

        if (graphics->type == GRAPHICS_TYPE_VNC && (!graphics->has_port || graphics->port == -1))
            graphics->port = 5900 + (int)i;
        if (graphics->has_websocket && graphics->websocket == -1)
            graphics->websocket = 5700 + (int)i;
    }
}

static bool
qemu_connect_domain_xml_to_native(Call *call, const RemoteConnectDomainXmlToNativeArgs *args,
                                  RemoteConnectDomainXmlToNativeRet *ret, GError **err)
{
    QemuDriver *qemu = qemu_of_call(call);
    g_autoptr(Domain) machine = NULL;
    g_autoptr(EmulatorInfo) info = NULL;
    g_autoptr(CommandLine) line = NULL;
    g_autofree char *name = NULL;
    g_autofree char *lib_dir = NULL;
    g_autofree char *channel_dir = NULL;
    g_autofree char *monitor = NULL;

    if (!qemu_check_flags(call, args->flags, 0, err))
        return false;
    if (g_strcmp0(args->nativeFormat, "qemu-argv") != 0)
        return fail(err, VIR_ERR_INVALID_ARG, "unsupported config type %s", args->nativeFormat);
    machine = guest_parse_xml(qemu, args->domainXml, MODEL_PARSE_INACTIVE, err);
    info = machine ? capabilities_emulator(qemu, machine->emulator, err) : NULL;
    if (!info)
        return false;
    domain_ensure_uuid(machine);
    domain_assign_aliases(machine);
    number_disks(qemu, machine);
    choose_ports(machine);
    name = g_strdup_printf("domain--1-%.20s", machine->name);
    lib_dir = g_build_filename(qemu->lib_dir, name, NULL);
    channel_dir = g_build_filename(qemu->channel_dir, name, NULL);
    monitor = g_build_filename(lib_dir, "monitor.sock", NULL);
    machine_place_channels(machine, channel_dir);
    line = command_line_new(qemu, info, machine);
    line->is_dry = true;
    line->lib_dir = lib_dir;
    line->channel_dir = channel_dir;
    line->monitor_path = monitor;
    if (!command_line_build(line, err))
        return false;
    ret->nativeConfig = command_line_format(line, " ");
    return true;
}

void
qemu_native_slots(DriverSlots *slots)
{
    slots->connect_domain_xml_to_native = qemu_connect_domain_xml_to_native;
}
