/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aliases: the names of a running guest's devices in the emulator, as upstream gives them (virtio-disk0, net0, pci.1).
 * A user's own begin with "ua-" and stay; all others are made at each start. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

bool
alias_is_users(const char *alias)
{
    return alias && g_str_has_prefix(alias, "ua-");
}

static bool
clear_alias(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    if (device->info && !alias_is_users(device->info->alias_name))
        g_clear_pointer(&device->info->alias_name, g_free);
    return true;
}

void
domain_clear_aliases(Domain *dom)
{
    domain_each_device(dom, clear_alias, NULL, NULL);
    for (gsize i = 0; i < dom->n_consoles; i++)
        if (!alias_is_users(dom->consoles[i]->info.alias_name))
            g_clear_pointer(&dom->consoles[i]->info.alias_name, g_free);
}

static char *
alias_of_disk(const Disk *disk)
{
    const char *bus =
        disk->target.bus == DISK_BUS_FDC ? "fdc" : disk_bus_to_string(disk->target.bus);
    const DriveAddress *drive = device_info_drive(&disk->info);

    if (disk->target.bus == DISK_BUS_VIRTIO || disk->target.bus == DISK_BUS_USB || !drive)
        return g_strdup_printf("%s-disk%d", bus, MAX(disk_target_index(disk->target.dev), 0));
    if (disk->target.bus == DISK_BUS_SCSI)
        return g_strdup_printf("%s%u-%u-%u-%u", bus, drive->controller, drive->bus, drive->target,
                               drive->unit);
    return g_strdup_printf("%s%u-%u-%u", bus, drive->controller, drive->bus, drive->unit);
}

static char *
alias_of_controller(const Domain *dom, const Controller *controller)
{
    const char *type = controller_type_to_string(controller->type);

    switch (controller->type) {
    case CONTROLLER_TYPE_PCI:
        if (controller->model == CONTROLLER_MODEL_PCIE_ROOT)
            return g_strdup("pcie.0");
        return g_strdup_printf("pci.%u", controller->index);
    case CONTROLLER_TYPE_IDE:
        if (controller->index == 0 &&
            (domain_is_i440fx(dom) || g_strcmp0(dom->os.machine, "isapc") == 0))
            return g_strdup("ide");
        break;
    case CONTROLLER_TYPE_SATA:
        if (controller->index == 0 && domain_is_q35(dom))
            return g_strdup("ide");
        break;
    case CONTROLLER_TYPE_USB:
        if (controller->index == 0)
            return g_strdup("usb");
        break;
    case CONTROLLER_TYPE_SCSI:
        if (controller->index == 0 && (controller->model == CONTROLLER_MODEL_NCR53C90))
            return g_strdup("scsi");
        break;
    default:
        break;
    }
    return g_strdup_printf("%s%u", type, controller->index);
}

static const char *
alias_prefix(const DomainDevice *device)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_FILESYSTEM:
        return "fs";
    case DOMAIN_DEVICE_INTERFACE:
        return ((Interface *)device->device)->type == NET_TYPE_HOSTDEV ? "hostdev" : "net";
    case DOMAIN_DEVICE_MEMBALLOON:
        return "balloon";
    case DOMAIN_DEVICE_REDIRDEV:
        return "redir";
    case DOMAIN_DEVICE_MEMORY:
        switch (((MemoryDevice *)device->device)->model) {
        case MEMORY_MODEL_NVDIMM:
            return "nvdimm";
        case MEMORY_MODEL_VIRTIO_PMEM:
            return "virtiopmem";
        case MEMORY_MODEL_VIRTIO_MEM:
            return "virtiomem";
        case MEMORY_MODEL_SGX_EPC:
            return "epc";
        default:
            return "dimm";
        }
    default:
        return domain_device_kind_name(device->kind);
    }
}

/* One past the highest number in use with this prefix. */
typedef struct {
    const char *prefix;
    int highest;
} Highest;

static bool
note_highest(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    Highest *highest = data;
    const char *alias = device->info ? device->info->alias_name : NULL;
    gsize n = strlen(highest->prefix);

    if (alias && strncmp(alias, highest->prefix, n) == 0 && g_ascii_isdigit(alias[n]))
        highest->highest = MAX(highest->highest, (int)g_ascii_strtoull(alias + n, NULL, 10));
    return true;
}

char *
domain_alias_for(const Domain *dom, const DomainDevice *device)
{
    Highest highest = {NULL, -1};

    if (device->kind == DOMAIN_DEVICE_DISK)
        return alias_of_disk(device->device);
    if (device->kind == DOMAIN_DEVICE_CONTROLLER)
        return alias_of_controller(dom, device->device);
    if (device->kind == DOMAIN_DEVICE_VSOCK || device->kind == DOMAIN_DEVICE_NVRAM ||
        device->kind == DOMAIN_DEVICE_IOMMU)
        return g_strdup_printf("%s0", alias_prefix(device));
    highest.prefix = alias_prefix(device);
    domain_each_device((Domain *)dom, note_highest, &highest, NULL);
    return g_strdup_printf("%s%d", highest.prefix, highest.highest + 1);
}

static bool
give_alias(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    if (device->info && !device->info->alias_name)
        device->info->alias_name = domain_alias_for(dom, device);
    return true;
}

void
domain_assign_aliases(Domain *dom)
{
    domain_each_device(dom, give_alias, NULL, NULL);
    domain_mirror_console(dom);
}
