/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that name a volume of a storage pool: for a guest that starts they become the file or device that the volume is. The
 * definition goes on naming the volume. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/volume.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/snapshot.h"

static bool
set_path(Disk *disk, const ServiceVolume *volume, GError **err)
{
    DiskSource *source = &disk->source;

    if (volume->type != VIR_STORAGE_VOL_FILE && volume->type != VIR_STORAGE_VOL_BLOCK)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: volume '%s' of pool '%s' is neither a file nor a device",
                    disk->target.dev, source->volume, source->pool);
    if (volume->type == VIR_STORAGE_VOL_FILE) {
        disk->type = STORAGE_TYPE_FILE;
        source->file = g_strdup(volume->path);
    } else {
        disk->type = STORAGE_TYPE_BLOCK;
        source->dev = g_strdup(volume->path);
    }
    disk_source_prune(disk->type, source);
    return true;
}

bool
disk_resolve_volume(const QemuDriver *qemu, Disk *disk, GError **err)
{
    const DiskSource *source = &disk->source;
    g_autoptr(ServiceVolume) volume = NULL;

    if (disk->type != STORAGE_TYPE_VOLUME || !source->pool)
        return true;
    if (!source->volume)
        return fail(err, VIR_ERR_XML_ERROR, "disk %s: its source names pool '%s' but no volume",
                    disk->target.dev, source->pool);
    if (source->mode)
        return fail(err, VIR_ERR_XML_ERROR,
                    "disk %s: source mode '%s' is for volumes of iscsi pools", disk->target.dev,
                    source->mode);
    volume = service_find_volume(qemu->host, source->pool, source->volume, err);
    if (!volume) {
        g_prefix_error(err, "disk %s: ", disk->target.dev);
        return false;
    }
    /* What a pool finds in a file may have been written by a guest: only the definition says the format. */
    if (disk->driver.type == STORAGE_FORMAT_UNSET)
        disk->driver.type = STORAGE_FORMAT_RAW;
    return set_path(disk, volume, err);
}

bool
guest_settle_volumes(Guest *guest, GError **err)
{
    g_autoptr(Domain) config = guest_config(guest) ? domain_copy(guest_config(guest)) : NULL;
    bool has_volumes = false;

    for (gsize i = 0; config && i < config->n_disks; i++) {
        has_volumes |= config->disks[i]->type == STORAGE_TYPE_VOLUME;
        if (!disk_resolve_volume(guest->qemu, config->disks[i], err))
            return false;
    }
    if (!has_volumes)
        return true;
    guest_set_config(guest, g_steal_pointer(&config));
    return (!guest->is_persistent || guest_save_config(guest, err)) && guest_publish(guest, err);
}

void
machine_hold_volumes(ImageGraph *graph, const QemuDriver *qemu, const char *holder,
                     const Domain *machine)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        g_autoptr(Disk) disk = NULL;
        g_autoptr(GError) error = NULL;

        if (machine->disks[i]->type != STORAGE_TYPE_VOLUME)
            continue;
        disk = disk_copy(machine->disks[i]);
        if (!disk_resolve_volume(qemu, disk, &error))
            log_warning(LOG_QEMU, "%s: what it needs is not known: %s", holder, error->message);
        else if (disk->type != STORAGE_TYPE_VOLUME)
            image_graph_hold(graph, holder, disk_source_path(disk->type, &disk->source),
                             disk_image_format(disk));
    }
}
