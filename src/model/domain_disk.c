/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks: bus and place from the target name, defaults, order, checks. Storage sources: domain_storage.c. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

static void
prune_chain(BackingStore *store)
{
    for (; store; store = store->backing_store)
        disk_source_prune(store->type, &store->source);
}

#define HIDE_DEFAULT(member, value) \
    if ((member) == (value))        \
    (member) = 0

/* `default` is what a missing attribute says. */
static void
hide_defaults(Disk *disk)
{
    DiskDriver *driver = &disk->driver;

    HIDE_DEFAULT(driver->cache, DISK_CACHE_DEFAULT);
    HIDE_DEFAULT(driver->error_policy, DISK_ERROR_POLICY_DEFAULT);
    HIDE_DEFAULT(driver->rerror_policy, DISK_ERROR_POLICY_DEFAULT);
    HIDE_DEFAULT(driver->io, DISK_IO_DEFAULT);
    HIDE_DEFAULT(driver->discard, DISK_DISCARD_DEFAULT);
    HIDE_DEFAULT(disk->sgio, DISK_SGIO_DEFAULT);
    HIDE_DEFAULT(disk->source.startup_policy, STARTUP_POLICY_DEFAULT);
}

static const guint default_ports[] = {
    [NET_PROTOCOL_NBD] = 10809,  [NET_PROTOCOL_SHEEPDOG] = 7000, [NET_PROTOCOL_GLUSTER] = 24007,
    [NET_PROTOCOL_ISCSI] = 3260, [NET_PROTOCOL_HTTP] = 80,       [NET_PROTOCOL_HTTPS] = 443,
    [NET_PROTOCOL_FTP] = 21,     [NET_PROTOCOL_FTPS] = 990,      [NET_PROTOCOL_TFTP] = 69,
    [NET_PROTOCOL_SSH] = 22,     [NET_PROTOCOL_VXHS] = 9999,     [NET_PROTOCOL_NFS] = 0,
};

static void
fill_ports(DiskSource *source)
{
    for (gsize i = 0; i < source->n_hosts; i++) {
        SourceHost *host = source->hosts[i];

        if (host->transport == HOST_TRANSPORT_TCP)
            host->transport = HOST_TRANSPORT_UNSET;
        if (host->transport == HOST_TRANSPORT_UNIX || (host->has_port && host->port) ||
            source->protocol >= (int)G_N_ELEMENTS(default_ports) ||
            !default_ports[source->protocol])
            continue;
        host->port = default_ports[source->protocol];
        host->has_port = true;
    }
}

static bool
fill_target(Disk *disk, GError **err)
{
    DiskTarget *target = &disk->target;

    if (!target->dev) {
        const char *path = disk_source_path(disk->type, &disk->source);

        return path ? fail(err, VIR_ERR_NO_TARGET, "%s", path) : fail(err, VIR_ERR_NO_TARGET, NULL);
    }
    if (!target->bus)
        target->bus =
            disk->device == DISK_DEVICE_FLOPPY ? DISK_BUS_FDC : disk_bus_from_target(target->dev);
    if (!target->bus)
        target->bus = DISK_BUS_IDE;
    if (disk->device == DISK_DEVICE_FLOPPY && target->bus != DISK_BUS_FDC)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Invalid bus type '%s' for floppy disk",
                    disk_bus_to_string(target->bus));
    if (disk->device != DISK_DEVICE_FLOPPY && target->bus == DISK_BUS_FDC)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Invalid bus type '%s' for disk",
                    disk_bus_to_string(target->bus));
    if (target->tray == DISK_TRAY_CLOSED)
        target->tray = DISK_TRAY_UNSET;
    return true;
}

static bool
move_auth(Disk *disk, GError **err)
{
    if (disk->auth && disk->source.auth)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "an <auth> definition already found for disk source");
    if (disk->encryption && disk->source.encryption)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "an <encryption> definition already found for disk source");
    return true;
}

static bool
fill_encryption(StorageEncryption *encryption, const DomainFillHost *host, GError **err)
{
    if (!encryption)
        return true;
    if (encryption->cipher || encryption->ivgen)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "supplying <cipher> for domain disk definition is unnecessary");
    if (host && !encryption->engine && encryption->format == ENCRYPTION_FORMAT_LUKS)
        encryption->engine = ENCRYPTION_ENGINE_QEMU;
    return true;
}

static void
fill_driver(Disk *disk, const DomainFillHost *host)
{
    if (!host)
        return;
    if (disk->type == STORAGE_TYPE_VHOSTUSER)
        return;
    set_string(&disk->driver.name, disk->driver.name ? disk->driver.name : "qemu");
    if (!disk->driver.type && disk->type != STORAGE_TYPE_DIR && disk->type != STORAGE_TYPE_VOLUME)
        disk->driver.type = STORAGE_FORMAT_RAW;
    if (disk->type == STORAGE_TYPE_DIR)
        disk->driver.type = STORAGE_FORMAT_FAT;
}

bool
disk_fill_defaults(Disk *disk, Domain *dom, const DomainFillHost *host, GError **err)
{
    if (!fill_target(disk, err) || !move_auth(disk, err))
        return false;
    if (disk->device == DISK_DEVICE_CDROM)
        disk->readonly = true;
    if (disk->readonly && disk->snapshot == DISK_SNAPSHOT_MODE_NO)
        disk->snapshot = DISK_SNAPSHOT_MODE_UNSET;
    disk_source_prune(disk->type, &disk->source);
    if (disk->type == STORAGE_TYPE_NVME && !disk->source.managed)
        disk->source.managed = TRISTATE_NO;
    prune_chain(disk->backing_store);
    if (disk->mirror && disk->mirror->type)
        disk_source_prune(disk->mirror->type, &disk->mirror->source);
    if (!fill_encryption(disk->encryption, host, err) ||
        !fill_encryption(disk->source.encryption, host, err))
        return false;
    for (BackingStore *store = disk->backing_store; store; store = store->backing_store)
        if (!fill_encryption(store->source.encryption, host, err))
            return false;
    hide_defaults(disk);
    fill_driver(disk, host);
    if (host)
        fill_ports(&disk->source);
    if (disk->type == STORAGE_TYPE_VHOSTUSER && !disk->snapshot)
        disk->snapshot = DISK_SNAPSHOT_MODE_NO;
    if (disk->info.address.kind == ADDRESS_TYPE_UNSET)
        return disk_assign_drive_address(disk, dom, err);
    return true;
}

static bool
bus_has_drives(DiskBus bus)
{
    return bus == DISK_BUS_IDE || bus == DISK_BUS_FDC || bus == DISK_BUS_SCSI ||
           bus == DISK_BUS_SATA;
}

static void
place_by_index(DiskBus bus, guint index, DriveAddress *address)
{
    switch (bus) {
    case DISK_BUS_IDE: /* two channels of two */
        address->controller = index / 4;
        address->bus = index % 4 / 2;
        address->unit = index % 2;
        break;
    case DISK_BUS_SATA:
        address->controller = index / 6;
        address->unit = index % 6;
        break;
    case DISK_BUS_FDC:
        address->controller = index / 2;
        address->unit = index % 2;
        break;
    default: /* a narrow SCSI bus; its eighth unit is the adapter */
        address->controller = index / 7;
        address->unit = index % 7;
        break;
    }
}

static bool
taken_by_hostdev(const Domain *dom, const DriveAddress *address)
{
    for (gsize i = 0; i < dom->n_hostdevs; i++) {
        const DriveAddress *there = device_info_drive(&dom->hostdevs[i]->info);

        if (dom->hostdevs[i]->source.kind == HOSTDEV_TYPE_SCSI && there &&
            there->controller == address->controller && there->bus == address->bus &&
            there->target == address->target && there->unit == address->unit)
            return true;
    }
    return false;
}

/* The place of a disk follows from its target name: hda is the first on the first IDE channel. */
bool
disk_assign_drive_address(Disk *disk, Domain *dom, GError **err)
{
    int index = disk_target_index(disk->target.dev);
    DriveAddress *address;

    if (!bus_has_drives(disk->target.bus))
        return true;
    if (index < 0)
        return fail(err, VIR_ERR_XML_ERROR, "Unknown disk name '%s' and no address specified",
                    disk->target.dev);
    device_info_set_kind(&disk->info, ADDRESS_TYPE_DRIVE);
    address = disk->info.address.drive;
    place_by_index(disk->target.bus, index, address);
    if (disk->target.bus == DISK_BUS_SCSI && taken_by_hostdev(dom, address))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "using disk target name '%s' conflicts with SCSI host device address "
                    "controller='%u' bus='%u' target='%u' "
                    "unit='%u",
                    disk->target.dev, address->controller, address->bus, address->target,
                    address->unit);
    return true;
}

/* Disks stand together by bus, as far as it was given, in the order of their target names. */
void
domain_sort_disks(Domain *dom)
{
    Disk **sorted = g_new0(Disk *, dom->n_disks + 1);
    gsize n = 0;

    for (gsize i = 0; i < dom->n_disks; i++) {
        Disk *disk = dom->disks[i];
        gsize place = n;
        bool found = false;

        for (gsize j = n; j-- > 0;) {
            if (sorted[j]->target.bus != disk->target.bus)
                continue;
            if (disk_target_index(sorted[j]->target.dev) > disk_target_index(disk->target.dev))
                place = j;
            else if (!found)
                place = j + 1;
            found = true;
        }
        memmove(sorted + place + 1, sorted + place, (n - place) * sizeof(*sorted));
        sorted[place] = disk;
        n++;
    }
    g_free(dom->disks);
    dom->disks = sorted;
}

static bool
is_hex_wwn(const char *wwn)
{
    const char *digits = g_str_has_prefix(wwn, "0x") ? wwn + 2 : wwn;

    return strlen(digits) == 16 && strspn(digits, "0123456789abcdefABCDEF") == 16;
}

static bool
check_address_kind(const Disk *disk, GError **err)
{
    AddressType kind = disk->info.address.kind;

    if (bus_has_drives(disk->target.bus) && kind != ADDRESS_TYPE_DRIVE &&
        kind != ADDRESS_TYPE_UNSET)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Invalid address type '%s' for the disk '%s' with the bus type '%s'",
                    address_type_to_string(kind), disk->target.dev,
                    disk_bus_to_string(disk->target.bus));
    return true;
}

static bool
check_identity(const Disk *disk, GError **err)
{
    if (disk->wwn && !is_hex_wwn(disk->wwn))
        return fail(err, VIR_ERR_XML_ERROR, "malformed wwn: %s", disk->wwn);
    if (disk->vendor && strlen(disk->vendor) > 8)
        return fail(err, VIR_ERR_XML_ERROR, "disk vendor is more than %d characters", 8);
    if (disk->product && strlen(disk->product) > 16)
        return fail(err, VIR_ERR_XML_ERROR, "disk product is more than %d characters", 16);
    return true;
}

static bool
check_tuning(const Disk *disk, GError **err)
{
    const DiskIoTune *tune = disk->iotune;

    if (!tune)
        return true;
    if ((tune->total_bytes_sec && (tune->read_bytes_sec || tune->write_bytes_sec)) ||
        (tune->total_iops_sec && (tune->read_iops_sec || tune->write_iops_sec)))
        return fail(err, VIR_ERR_XML_ERROR,
                    "total and read/write bytes_sec cannot be set at the same time");
    return true;
}

bool
disk_check_valid(const Disk *disk, GError **err)
{
    if (disk->device == DISK_DEVICE_LUN && disk->type != STORAGE_TYPE_BLOCK &&
        disk->type != STORAGE_TYPE_NETWORK && !(disk->type == STORAGE_TYPE_VOLUME))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk device='lun' is only valid for block type disk source");
    if (disk->source.reservations && disk->device != DISK_DEVICE_LUN)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "<reservations/> allowed only for lun devices");
    return check_address_kind(disk, err) && check_identity(disk, err) && check_tuning(disk, err);
}
