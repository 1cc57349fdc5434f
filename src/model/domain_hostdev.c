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
    if (hostdev->source.kind == HOSTDEV_TYPE_MDEV && hostdev->model == HOSTDEV_MODEL_VFIO_PCI &&
        !hostdev->display && host)
        hostdev->display = TRISTATE_OFF;
    return true;
}

/* Filters print numbers as four hex digits or leave them out; a version is major.minor, two digits each. */
static bool
fill_filter_number(char **text, guint max, GError **err)
{
    guint64 value;
    char *end = NULL;

    if (!*text)
        return true;
    if (strcmp(*text, "-1") == 0) {
        g_clear_pointer(text, g_free);
        return true;
    }
    value = g_ascii_strtoull(*text, &end, 0);
    if (end == *text || *end || value > max)
        return fail(err, VIR_ERR_XML_ERROR, "Cannot parse USB filter number %s", *text);
    g_free(*text);
    *text = g_strdup_printf(max > 0xff ? "0x%04X" : "0x%02X", (guint)value);
    return true;
}

static bool
fill_filter_version(char **text, GError **err)
{
    const char *dot;
    gsize digits;

    if (!*text)
        return true;
    if (strcmp(*text, "-1") == 0) {
        g_clear_pointer(text, g_free);
        return true;
    }
    dot = strchr(*text, '.');
    digits = dot ? strspn(dot + 1, "0123456789") : 0;
    if (!dot || digits < 1 || digits > 2 || dot[1 + digits] ||
        strspn(*text, "0123456789") != (gsize)(dot - *text))
        return fail(err, VIR_ERR_XML_ERROR, "Cannot parse USB device version %s", *text);
    if (digits == 1) {
        char *padded = g_strconcat(*text, "0", NULL);

        g_free(*text);
        *text = padded;
    }
    return true;
}

bool
redirfilter_fill_defaults(Redirfilter *filter, GError **err)
{
    for (gsize i = 0; i < filter->n_usbdevs; i++) {
        RedirfilterUsbdev *usbdev = filter->usbdevs[i];

        if (!fill_filter_number(&usbdev->class, 0xff, err) ||
            !fill_filter_number(&usbdev->vendor, 0xffff, err) ||
            !fill_filter_number(&usbdev->product, 0xffff, err) ||
            !fill_filter_version(&usbdev->version, err))
            return false;
    }
    return true;
}

static bool
same_pci(const HostPciAddress *a, const HostPciAddress *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot &&
           a->function == b->function;
}

static bool
same_usb(const HostdevUsb *a, const HostdevUsb *b)
{
    if (a->address.has_bus && b->address.has_bus && a->address.has_device && b->address.has_device)
        return a->address.bus == b->address.bus && a->address.device == b->address.device;
    if (a->address.has_bus || b->address.has_bus)
        return false;
    return a->has_vendor_id && b->has_vendor_id && a->vendor_id == b->vendor_id &&
           a->product_id == b->product_id;
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
        return a->scsi_host && b->scsi_host &&
               g_strcmp0(a->scsi_host->wwpn, b->scsi_host->wwpn) == 0;
    case HOSTDEV_TYPE_MDEV:
        return a->mdev && b->mdev && memcmp(a->mdev->address_uuid, b->mdev->address_uuid, 16) == 0;
    default:
        return false;
    }
}

bool
hostdev_same_source(const Hostdev *a, const Hostdev *b)
{
    return same_source(&a->source, &b->source);
}

bool
hostdev_check_valid(const Hostdev *hostdev, const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_hostdevs && dom->hostdevs[i] != hostdev; i++) {
        const Hostdev *other = dom->hostdevs[i];
        const DriveAddress *here = device_info_drive(&hostdev->info),
                           *there = device_info_drive(&other->info);

        if (same_source(&other->source, &hostdev->source))
            return fail(err, VIR_ERR_XML_ERROR,
                        "Hostdev already exists in the domain configuration");
        if (hostdev->source.kind == HOSTDEV_TYPE_SCSI && other->source.kind == HOSTDEV_TYPE_SCSI &&
            here && there && drive_address_equal(here, there))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "SCSI host address controller='%u' bus='%u' target='%u' unit='%u' in use "
                        "by another SCSI host device",
                        here->controller, here->bus, here->target, here->unit);
    }
    return true;
}
