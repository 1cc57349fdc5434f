/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Can the new emulator of a revert stand beside the old one? What two processes cannot both have
 * makes the plan "stop first": the old guest ends after COMMIT, and only then the new one
 * starts. */
#include <string.h>

#include "base/text.h"
#include "driver/qemu/revert.h"
#include "seam/proc.h"

#define SPARE_KIB (256 * 1024) /* for the emulator itself, and so that the host keeps breathing */

static char *
memory_conflict(const Domain *machine)
{
    g_autofree char *info = proc_read("/proc/meminfo");
    g_autofree char *field = info ? proc_find_field(info, "MemAvailable") : NULL;
    guint64 available = field ? g_ascii_strtoull(field, NULL, 10) : 0;

    if (machine->memory_backing.hugepages || machine->memory_backing.locked)
        return g_strdup("its memory is locked or in huge pages");
    if (field && available < machine->memory.text + SPARE_KIB)
        return g_strdup_printf("the host has only %" G_GUINT64_FORMAT " KiB of memory left",
                               available);
    return NULL;
}

static char *
net_conflict(const Domain *machine)
{
    for (gsize i = 0; i < machine->n_interfaces; i++) {
        const Interface *net = machine->interfaces[i];
        if (net->type != NET_TYPE_USER)
            return g_strdup_printf("network device %s exists once",
                                   net->target_dev ? net->target_dev : "of the host");
        if (net->n_port_forwards > 0)
            return g_strdup("it forwards ports of the host");
    }
    return NULL;
}

static bool
chardev_is_shared(ChardevType type)
{
    switch (type) {
    case CHARDEV_TYPE_PTY:
    case CHARDEV_TYPE_NULL:
    case CHARDEV_TYPE_VC:
    case CHARDEV_TYPE_FILE:
    case CHARDEV_TYPE_UNIX:
    case CHARDEV_TYPE_SPICEVMC:
    case CHARDEV_TYPE_QEMU_VDAGENT:
        return true;
    default:
        return false;
    }
}

static char *
chardev_conflict(const Domain *machine)
{
    for (gsize i = 0; i < machine->n_serials; i++) {
        if (!chardev_is_shared(machine->serials[i]->type))
            return g_strdup_printf("serial port %zu has a back end that exists once", i);
    }
    for (gsize i = 0; i < machine->n_channels; i++) {
        if (!chardev_is_shared(machine->channels[i]->type))
            return g_strdup_printf("channel %zu has a back end that exists once", i);
    }
    return machine->n_parallels > 0 ? g_strdup("it has a parallel port") : NULL;
}

static char *
display_conflict(const Domain *machine)
{
    for (gsize i = 0; i < machine->n_graphics; i++) {
        if (machine->graphics[i]->type != GRAPHICS_TYPE_VNC)
            return g_strdup_printf("a %s display cannot be handed over",
                                   graphics_type_to_string(machine->graphics[i]->type));
        if (machine->graphics[i]->has_websocket)
            return g_strdup("a VNC websocket cannot be handed over");
    }
    return NULL;
}

static char *
device_conflict(const Domain *machine)
{
    if (machine->n_hostdevs > 0)
        return g_strdup("a device of the host is passed to it");
    if (machine->n_tpms > 0)
        return g_strdup("its TPM exists once");
    if (machine->os.nvram)
        return g_strdup("its firmware's variables are one file");
    if (machine->vsock)
        return g_strdup("its vsock address exists once");
    if (machine->n_filesystems > 0)
        return g_strdup("a folder of the host is shared with it");
    if (machine->n_shmems > 0 || machine->n_redirdevs > 0 || machine->n_smartcards > 0)
        return g_strdup("it has devices that exist once");
    return NULL;
}

/* An image that the running guest still writes to can be nobody's base. */
static char *
disk_conflict(const Guest *guest, const GPtrArray *overlays)
{
    const Domain *live = guest_live(guest);

    for (gsize i = 0; live && i < live->n_disks; i++) {
        const Disk *disk = live->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);
        if (path && disk_is_kept(disk) && new_overlays_find_base(overlays, path))
            return g_strdup_printf("disk %s goes on from the image that it writes to now",
                                   disk->target.dev);
    }
    return NULL;
}

char *
revert_conflict(const Guest *guest, const Domain *machine, const GPtrArray *overlays)
{
    char *why = disk_conflict(guest, overlays);

    why = why ? why : memory_conflict(machine);
    why = why ? why : net_conflict(machine);
    why = why ? why : chardev_conflict(machine);
    why = why ? why : display_conflict(machine);
    return why ? why : device_conflict(machine);
}
