/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host given to the guest: defaults, and that none is given twice. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

bool
hostdev_fill_defaults(Hostdev *hostdev, Domain *dom, const DomainFillHost *host, GError **err)
{
    if (!hostdev->mode)
        hostdev->mode = HOSTDEV_MODE_SUBSYSTEM;
    if (hostdev->mode == HOSTDEV_MODE_SUBSYSTEM && !hostdev->managed)
        hostdev->managed = TRISTATE_NO;
    if (hostdev->mode != HOSTDEV_MODE_SUBSYSTEM)
        hostdev->managed = TRISTATE_UNSET;
    if (hostdev->driver_name == HOSTDEV_DRIVER_NAME_DEFAULT)
        hostdev->driver_name = HOSTDEV_DRIVER_NAME_UNSET;
    if (hostdev->source.kind == HOSTDEV_TYPE_MDEV && hostdev->model == HOSTDEV_MODEL_VFIO_PCI && !hostdev->display && host)
        hostdev->display = TRISTATE_OFF;
    return true;
}

static bool
same_pci(const HostPciAddress *a, const HostPciAddress *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot && a->function == b->function;
}

static bool
same_usb(const HostdevUsb *a, const HostdevUsb *b)
{
    if (a->address.has_bus && b->address.has_bus && a->address.has_device && b->address.has_device)
        return a->address.bus == b->address.bus && a->address.device == b->address.device;
    if (a->address.has_bus || b->address.has_bus)
        return false;
    return a->has_vendor_id && b->has_vendor_id && a->vendor_id == b->vendor_id && a->product_id == b->product_id;
}

static bool
same_scsi(const HostdevScsi *a, const HostdevScsi *b)
{
    if (!a->adapter_name || !b->adapter_name)
        return g_strcmp0(a->name, b->name) == 0 && !a->adapter_name && !b->adapter_name && a->name;
    return strcmp(a->adapter_name, b->adapter_name) == 0 && a->address.bus == b->address.bus &&
           a->address.target == b->address.target && a->address.unit == b->address.unit;
}

static bool
same_source(const HostdevSource *a, const HostdevSource *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case HOSTDEV_TYPE_PCI:
        return a->pci && b->pci && same_pci(&a->pci->address, &b->pci->address);
    case HOSTDEV_TYPE_USB:
        return a->usb && b->usb && same_usb(a->usb, b->usb);
    case HOSTDEV_TYPE_SCSI:
        return a->scsi && b->scsi && same_scsi(a->scsi, b->scsi);
    case HOSTDEV_TYPE_SCSI_HOST:
        return a->scsi_host && b->scsi_host && g_strcmp0(a->scsi_host->wwpn, b->scsi_host->wwpn) == 0;
    case HOSTDEV_TYPE_MDEV:
        return a->mdev && b->mdev && memcmp(a->mdev->address_uuid, b->mdev->address_uuid, 16) == 0;
    default:
        return false;
    }
}

bool
hostdev_check_valid(const Hostdev *hostdev, const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_hostdevs && dom->hostdevs[i] != hostdev; i++) {
        const Hostdev *other = dom->hostdevs[i];
        const DriveAddress *here = device_info_drive(&hostdev->info), *there = device_info_drive(&other->info);

        if (same_source(&other->source, &hostdev->source))
            return fail(err, VIR_ERR_XML_ERROR, "Hostdev already exists in the domain configuration");
        if (hostdev->source.kind == HOSTDEV_TYPE_SCSI && other->source.kind == HOSTDEV_TYPE_SCSI && here && there &&
            drive_address_equal(here, there))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "SCSI host address controller='%u' bus='%u' target='%u' unit='%u' in use by another SCSI host device",
                        here->controller, here->bus, here->target, here->unit);
    }
    return true;
}
