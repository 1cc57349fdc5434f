/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks: a chain of block nodes, a file node and a format node for each image, and the device on top. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "driver/qemu/command_line.h"

char *
node_format_name(guint index)
{
    return g_strdup_printf("libvirt-%u-format", index);
}

char *
node_storage_name(guint index)
{
    return g_strdup_printf("libvirt-%u-storage", index);
}

static bool
refuse_disk(GError **err, const Disk *disk, const char *what)
{
    return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk %s: %s is not supported by this QEMU driver",
                disk->target.dev, what);
}

/* cache= as the emulator's three switches. */
static void
add_cache(Json *node, const Disk *disk)
{
    DiskCache cache = disk->driver.cache;

    /* Two hosts' caches of one image would tell different stories. */
    if (disk->shareable && !disk->readonly &&
        (cache == DISK_CACHE_UNSET || cache == DISK_CACHE_DEFAULT))
        cache = DISK_CACHE_NONE;
    if (cache == DISK_CACHE_UNSET || cache == DISK_CACHE_DEFAULT)
        return;
    json_object_set_new(node, "cache",
                        json_pack("{s:b s:b}", "direct",
                                  cache == DISK_CACHE_NONE || cache == DISK_CACHE_DIRECTSYNC,
                                  "no-flush", cache == DISK_CACHE_UNSAFE));
}

static bool
has_write_cache(DiskCache cache)
{
    return cache != DISK_CACHE_WRITETHROUGH && cache != DISK_CACHE_DIRECTSYNC;
}

Json *
disk_storage_node(const Disk *disk, StorageType type, const DiskSource *source, guint index,
                  bool is_read_only, GError **err)
{
    g_autofree char *name = node_storage_name(index);
    g_autoptr(Json) node = json_object();

    if (source->encryption || disk->encryption)
        return refuse_disk(err, disk, "element <encryption>"), NULL;
    if (source->n_slices)
        return refuse_disk(err, disk, "element <slices>"), NULL;
    if (source->reservations)
        return refuse_disk(err, disk, "element <reservations>"), NULL;
    if (type == STORAGE_TYPE_FILE && source->file) {
        json_add_string(node, "driver", "file");
        json_add_string(node, "filename", source->file);
    } else if (type == STORAGE_TYPE_BLOCK && source->dev) {
        json_add_string(node, "driver", "host_device");
        json_add_string(node, "filename", source->dev);
    } else {
        g_autofree char *what = g_strdup_printf("source type '%s'", storage_type_to_string(type));

        return refuse_disk(err, disk, what), NULL;
    }
    if (disk->driver.io != DISK_IO_UNSET && disk->driver.io != DISK_IO_DEFAULT)
        json_add_string(node, "aio", disk_io_to_string(disk->driver.io));
    json_add_string(node, "node-name", name);
    add_cache(node, disk);
    json_add_bool(node, "auto-read-only", true);
    json_add_string(node, "discard", "unmap");
    return g_steal_pointer(&node);
}

static bool
format_has_backing(StorageFormat format)
{
    return format == STORAGE_FORMAT_QCOW2 || format == STORAGE_FORMAT_QED ||
           format == STORAGE_FORMAT_QCOW || format == STORAGE_FORMAT_VMDK;
}

Json *
disk_format_node(const Disk *disk, StorageFormat format, guint index, bool is_read_only,
                 guint backing_index)
{
    g_autofree char *name = node_format_name(index);
    g_autofree char *file = node_storage_name(index);
    g_autofree char *backing = node_format_name(backing_index);
    const DiskDriver *driver = &disk->driver;
    Json *node = json_object();

    json_add_string(node, "node-name", name);
    json_add_bool(node, "read-only", is_read_only);
    if (driver->discard == DISK_DISCARD_UNMAP || driver->discard == DISK_DISCARD_IGNORE)
        json_add_string(node, "discard", disk_discard_to_string(driver->discard));
    if (driver->detect_zeroes != DISK_DETECT_ZEROES_UNSET)
        json_add_string(node, "detect-zeroes", disk_detect_zeroes_to_string(driver->detect_zeroes));
    add_cache(node, disk);
    json_add_string(node, "driver",
                    format == STORAGE_FORMAT_UNSET || format == STORAGE_FORMAT_ISO ||
                            format == STORAGE_FORMAT_DIR
                        ? "raw"
                        : storage_format_to_string(format));
    if (driver->has_metadata_cache_max_size && format == STORAGE_FORMAT_QCOW2)
        json_add_int(node, "cache-size", (gint64)driver->metadata_cache_max_size);
    json_add_string(node, "file", file);
    if (backing_index)
        json_add_string(node, "backing", backing);
    else if (format_has_backing(format))
        json_object_set_new(node, "backing", json_null());
    return node;
}

/* Where the chain has not been looked at (a line for reading only), the emulator would look itself. */
static void
add_nodes(CommandLine *line, Json *take_storage, Json *take_format, bool is_chain_known)
{
    if (!is_chain_known)
        json_object_del(take_format, "backing");
    line_add_json(line, "-blockdev", take_storage);
    line_add_json(line, "-blockdev", take_format);
}

/* The chain from the bottom up; returns in @backing the number of the layer right below the top. */
static bool
add_layers(CommandLine *line, const Disk *disk, const BackingStore *layer, guint *backing,
           GError **err)
{
    StorageFormat format = layer && layer->format ? layer->format->type : STORAGE_FORMAT_RAW;
    guint below = 0;
    g_autoptr(Json) storage = NULL;

    *backing = 0;
    if (!layer || layer->type == STORAGE_TYPE_UNSET)
        return true;
    if (!add_layers(line, disk, layer->backing_store, &below, err))
        return false;
    storage = disk_storage_node(disk, layer->type, &layer->source, layer->index, true, err);
    if (!storage)
        return false;
    add_nodes(line, g_steal_pointer(&storage),
              disk_format_node(disk, format, layer->index, true, below),
              layer->backing_store != NULL);
    *backing = layer->index;
    return true;
}

static bool
is_read_only(const Disk *disk)
{
    return disk->readonly || disk->device == DISK_DEVICE_CDROM;
}

static void
add_block_sizes(Json *device, const DiskBlockIo *blockio)
{
    if (!blockio)
        return;
    if (blockio->has_logical_block_size)
        json_add_int(device, "logical_block_size", blockio->logical_block_size);
    if (blockio->has_physical_block_size)
        json_add_int(device, "physical_block_size", blockio->physical_block_size);
    if (blockio->has_discard_granularity)
        json_add_int(device, "discard_granularity", blockio->discard_granularity);
}

/* What a user asked to happen on errors: the emulator's words. */
static void
add_error_policy(Json *device, const DiskDriver *driver)
{
    const char *on_write = NULL, *on_read = NULL;

    if (driver->error_policy != DISK_ERROR_POLICY_UNSET &&
        driver->error_policy != DISK_ERROR_POLICY_DEFAULT)
        on_write = driver->error_policy == DISK_ERROR_POLICY_ENOSPACE
                       ? "enospc"
                       : disk_error_policy_to_string(driver->error_policy);
    if (driver->rerror_policy != DISK_ERROR_POLICY_UNSET &&
        driver->rerror_policy != DISK_ERROR_POLICY_DEFAULT)
        on_read = disk_error_policy_to_string(driver->rerror_policy);
    else if (on_write && strcmp(on_write, "enospc") != 0)
        on_read = on_write;
    json_add_string(device, "werror", on_write);
    json_add_string(device, "rerror", on_read);
}

static void
add_labels(Json *device, const Disk *disk)
{
    if (disk->geometry) {
        json_add_int(device, "cyls", disk->geometry->cyls);
        json_add_int(device, "heads", disk->geometry->heads);
        json_add_int(device, "secs", disk->geometry->secs);
        if (disk->geometry->trans != GEOMETRY_TRANSLATION_UNSET &&
            disk->geometry->trans != GEOMETRY_TRANSLATION_DEFAULT)
            json_add_string(device, "bios-chs-trans",
                            geometry_translation_to_string(disk->geometry->trans));
    }
    if (disk->wwn)
        json_add_int(device, "wwn", (gint64)g_ascii_strtoull(disk->wwn, NULL, 16));
    json_add_string(device, "serial", disk->serial);
    json_add_string(device, "vendor", disk->vendor);
    json_add_string(device, "product", disk->product);
    if (disk->target.has_rotation_rate)
        json_add_int(device, "rotation_rate", disk->target.rotation_rate);
}

static bool
add_virtio_disk(CommandLine *line, Json *device, const Disk *disk, GError **err)
{
    const DiskDriver *driver = &disk->driver;
    g_autofree char *name =
        virtio_device_name("virtio-blk", &disk->info, disk_model_to_string(disk->model));

    json_add_string(device, "driver", name);
    if (driver->has_iothread) {
        g_autofree char *thread = g_strdup_printf("iothread%u", driver->iothread);

        json_add_string(device, "iothread", thread);
    }
    json_add_tristate(device, "ioeventfd", driver->ioeventfd);
    json_add_tristate(device, "event_idx", driver->event_idx);
    if (driver->has_queues)
        json_add_int(device, "num-queues", driver->queues);
    if (driver->has_queue_size)
        json_add_int(device, "queue-size", driver->queue_size);
    json_add_virtio(device, &driver->virtio);
    return json_add_address(line, device, &disk->info, err);
}

static bool
add_scsi_disk(CommandLine *line, Json *device, const Disk *disk, GError **err)
{
    const DriveAddress *drive = device_info_drive(&disk->info);
    const Controller *controller =
        drive ? domain_find_controller(line->dom, CONTROLLER_TYPE_SCSI, drive->controller) : NULL;
    g_autofree char *bus = NULL;
    g_autofree char *device_id = NULL;

    if (!controller)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "disk %s has no SCSI controller",
                    disk->target.dev);
    json_add_string(device, "driver",
                    disk->device == DISK_DEVICE_CDROM ? "scsi-cd"
                    : disk->device == DISK_DEVICE_LUN ? "scsi-block"
                                                      : "scsi-hd");
    if (controller->model == CONTROLLER_MODEL_LSILOGIC) {
        bus = g_strdup_printf("%s.%u", controller->info.alias_name, drive->bus);
        json_add_string(device, "bus", bus);
        json_add_int(device, "scsi-id", drive->unit);
    } else {
        bus = g_strconcat(controller->info.alias_name, ".0", NULL);
        json_add_string(device, "bus", bus);
        json_add_int(device, "channel", drive->bus);
        json_add_int(device, "scsi-id", drive->target);
        json_add_int(device, "lun", drive->unit);
    }
    if (disk->device != DISK_DEVICE_LUN) {
        device_id = disk->serial ? g_strdup(disk->serial)
                                 : g_strconcat("drive-", disk->info.alias_name, NULL);
        json_add_string(device, "device_id", device_id);
    }
    return true;
}

static bool
add_ide_disk(CommandLine *line, Json *device, const Disk *disk, GError **err)
{
    const DriveAddress *drive = device_info_drive(&disk->info);
    g_autofree char *bus = NULL;

    if (!drive)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "disk %s has no address", disk->target.dev);
    json_add_string(device, "driver", disk->device == DISK_DEVICE_CDROM ? "ide-cd" : "ide-hd");
    if (disk->target.bus == DISK_BUS_IDE) {
        bus = g_strdup_printf("ide.%u", drive->bus);
        json_add_string(device, "bus", bus);
        json_add_int(device, "unit", drive->unit);
    } else {
        const Controller *controller =
            domain_find_controller(line->dom, CONTROLLER_TYPE_SATA, drive->controller);

        bus = g_strdup_printf(
            "%s.%u",
            controller && controller->info.alias_name ? controller->info.alias_name : "ide",
            drive->unit);
        json_add_string(device, "bus", bus);
    }
    return true;
}

static bool
add_usb_disk(CommandLine *line, Json *device, const Disk *disk, GError **err)
{
    json_add_string(device, "driver", "usb-storage");
    return json_add_address(line, device, &disk->info, err);
}

static bool
add_floppy(CommandLine *line, Json *device, const Disk *disk, GError **err)
{
    const DriveAddress *drive = device_info_drive(&disk->info);

    json_add_string(device, "driver", "floppy");
    json_add_int(device, "unit", drive ? drive->unit : 0);
    return true;
}

static bool
add_by_bus(CommandLine *line, Json *device, const Disk *disk, GError **err)
{
    g_autofree char *what = NULL;

    switch (disk->target.bus) {
    case DISK_BUS_VIRTIO:
        return add_virtio_disk(line, device, disk, err);
    case DISK_BUS_SCSI:
        return add_scsi_disk(line, device, disk, err);
    case DISK_BUS_IDE:
    case DISK_BUS_SATA:
        return add_ide_disk(line, device, disk, err);
    case DISK_BUS_USB:
        return add_usb_disk(line, device, disk, err);
    case DISK_BUS_FDC:
        return add_floppy(line, device, disk, err);
    default:
        what = g_strdup_printf("bus '%s'", disk_bus_to_string(disk->target.bus));
        return refuse_disk(err, disk, what);
    }
}

static guint
disk_boot_index(CommandLine *line, const Disk *disk)
{
    switch (disk->device) {
    case DISK_DEVICE_CDROM:
        return line_boot_index(line, BOOT_DEVICE_CDROM);
    case DISK_DEVICE_FLOPPY:
        return line_boot_index(line, BOOT_DEVICE_FD);
    default:
        return line_boot_index(line, BOOT_DEVICE_HD);
    }
}

Json *
disk_device(CommandLine *line, const Disk *disk, guint index, GError **err)
{
    g_autoptr(Json) device = json_object();
    g_autofree char *node = node_format_name(index);
    guint boot_index = disk_boot_index(line, disk);

    if (!add_by_bus(line, device, disk, err))
        return NULL;
    if (disk->shareable)
        json_add_bool(device, "share-rw", true);
    if (index)
        json_add_string(device, "drive", node);
    json_add_string(device, "id", disk->info.alias_name);
    if (disk->target.bus == DISK_BUS_FDC) {
        const DriveAddress *drive = device_info_drive(&disk->info);
        guint order = disk->info.boot ? disk->info.boot->order : boot_index;

        if (order)
            line_addf(line, "-global", "isa-fdc.bootindex%c=%u", drive && drive->unit ? 'B' : 'A',
                      order);
    } else {
        json_add_boot(device, &disk->info, boot_index);
    }
    if (disk->target.bus == DISK_BUS_USB)
        json_add_bool(device, "removable", disk->target.removable == TRISTATE_ON);
    add_block_sizes(device, disk->blockio);
    if (index && disk->driver.cache != DISK_CACHE_UNSET &&
        disk->driver.cache != DISK_CACHE_DEFAULT && disk->target.bus != DISK_BUS_FDC)
        json_add_string(device, "write-cache", has_write_cache(disk->driver.cache) ? "on" : "off");
    add_labels(device, disk);
    add_error_policy(device, &disk->driver);
    return g_steal_pointer(&device);
}

static bool
check_disk(const Disk *disk, GError **err)
{
    if (disk->driver.name && strcmp(disk->driver.name, "qemu") != 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unsupported driver name '%s' for disk '%s'",
                    disk->driver.name, disk->source.file ? disk->source.file : disk->target.dev);
    if (disk->transient)
        return refuse_disk(err, disk, "element <transient>");
    if (disk->auth || disk->source.auth)
        return refuse_disk(err, disk, "element <auth>");
    if (disk->driver.copy_on_read == TRISTATE_ON)
        return refuse_disk(err, disk, "driver attribute 'copy_on_read'");
    if (disk->device == DISK_DEVICE_LUN && disk->type != STORAGE_TYPE_BLOCK)
        return refuse_disk(err, disk, "device 'lun' that is no block device");
    return true;
}

bool
command_add_disk(CommandLine *line, const Disk *disk, GError **err)
{
    bool is_empty = disk_source_is_empty(disk->type, &disk->source);
    guint backing = 0;
    g_autoptr(Json) storage = NULL;
    g_autoptr(Json) device = NULL;

    if (!check_disk(disk, err))
        return false;
    if (is_empty && disk->device != DISK_DEVICE_CDROM && disk->device != DISK_DEVICE_FLOPPY)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk %s has no source", disk->target.dev);
    if (!is_empty) {
        if (!add_layers(line, disk, disk->backing_store, &backing, err))
            return false;
        storage = disk_storage_node(disk, disk->type, &disk->source, disk->source.index,
                                    is_read_only(disk), err);
        if (!storage)
            return false;
        add_nodes(line, g_steal_pointer(&storage),
                  disk_format_node(disk, disk->driver.type, disk->source.index, is_read_only(disk),
                                   backing),
                  disk->backing_store != NULL);
    }
    device = disk_device(line, disk, is_empty ? 0 : disk->source.index, err);
    if (!device)
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

/* A q35 machine has a floppy controller only if it is asked for. */
static void
add_floppy_controller(CommandLine *line)
{
    const Domain *dom = line->dom;

    if (!domain_is_q35(dom))
        return;
    for (gsize i = 0; i < dom->n_disks; i++)
        if (dom->disks[i]->target.bus == DISK_BUS_FDC) {
            line_add_json(line, "-device", json_pack("{s:s}", "driver", "isa-fdc"));
            return;
        }
}

bool
command_add_disks(CommandLine *line, GError **err)
{
    add_floppy_controller(line);
    for (gsize i = 0; i < line->dom->n_disks; i++)
        if (!command_add_disk(line, line->dom->disks[i], err))
            return false;
    return true;
}
