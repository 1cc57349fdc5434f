/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of devices: what they are, and those of the simple buses (virtio-serial, smartcard, memory slots).
 * PCI is in domain_address_pci.c, USB in domain_address_usb.c. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

#define VIRTIO_SERIAL_PORTS 31

void
device_info_set_kind(DeviceInfo *info, AddressType kind)
{
    DeviceAddress *address = &info->address;

    g_assert(address->kind == ADDRESS_TYPE_UNSET);
    address->kind = kind;
    switch (kind) {
    case ADDRESS_TYPE_PCI:
        address->pci = pci_address_new();
        break;
    case ADDRESS_TYPE_DRIVE:
        address->drive = drive_address_new();
        break;
    case ADDRESS_TYPE_VIRTIO_SERIAL:
        address->virtio_serial = virtio_serial_address_new();
        break;
    case ADDRESS_TYPE_CCID:
        address->ccid = ccid_address_new();
        break;
    case ADDRESS_TYPE_USB:
        address->usb = usb_address_new();
        break;
    case ADDRESS_TYPE_DIMM:
        address->dimm = dimm_address_new();
        break;
    default:
        g_assert_not_reached();
    }
}

void
device_info_drop_address(DeviceInfo *info)
{
    DeviceAddress *none = device_address_new(), held = info->address;

    info->address = *none;
    *none = held;
    device_address_free(none);
}

PciAddress *
device_info_pci(const DeviceInfo *info)
{
    return info->address.kind == ADDRESS_TYPE_PCI ? info->address.pci : NULL;
}

DriveAddress *
device_info_drive(const DeviceInfo *info)
{
    return info->address.kind == ADDRESS_TYPE_DRIVE ? info->address.drive : NULL;
}

/* ---- virtio-serial: ports of controllers; port 0 is kept for consoles ---- */

typedef struct {
    Domain *dom;
    GHashTable *taken; /* controller << 8 | port */
} SerialPorts;

static guint
ports_of(const Controller *controller)
{
    return controller->has_ports && controller->ports ? controller->ports : VIRTIO_SERIAL_PORTS;
}

static gpointer
port_key(guint controller, guint port)
{
    return GUINT_TO_POINTER(((controller & 0xffff) << 8 | (port & 0xff)) + 1);
}

static bool
note_port(SerialPorts *ports, const DeviceInfo *info, GError **err)
{
    const VirtioSerialAddress *address =
        info->address.kind == ADDRESS_TYPE_VIRTIO_SERIAL ? info->address.virtio_serial : NULL;
    const Controller *controller;

    if (!address || !address->has_port || address->port == 0)
        return true;
    controller =
        domain_find_controller(ports->dom, CONTROLLER_TYPE_VIRTIO_SERIAL, address->controller);
    if (!controller)
        return fail(err, VIR_ERR_XML_ERROR, "virtio serial controller %u is missing",
                    address->controller);
    if (address->port >= ports_of(controller) && ports_of(controller) < VIRTIO_SERIAL_PORTS)
        return fail(err, VIR_ERR_XML_ERROR, "virtio serial controller %u does not have port %u",
                    address->controller, address->port);
    if (!g_hash_table_add(ports->taken, port_key(address->controller, address->port)))
        return fail(err, VIR_ERR_XML_ERROR,
                    "virtio serial port %u on controller %u is already occupied", address->port,
                    address->controller);
    return true;
}

static bool
take_port(SerialPorts *ports, VirtioSerialAddress *address, guint controller, bool allow_zero)
{
    const Controller *there =
        domain_find_controller(ports->dom, CONTROLLER_TYPE_VIRTIO_SERIAL, controller);

    for (guint port = allow_zero ? 0 : 1; there && port < ports_of(there); port++) {
        if (!g_hash_table_add(ports->taken, port_key(controller, port)))
            continue;
        address->controller = controller;
        address->bus = 0;
        address->port = port;
        address->has_port = true;
        return true;
    }
    return false;
}

static bool
place_on_port(SerialPorts *ports, DeviceInfo *info, bool allow_zero, GError **err)
{
    VirtioSerialAddress *address;
    guint index = 0;

    if (info->address.kind == ADDRESS_TYPE_UNSET) {
        device_info_set_kind(info, ADDRESS_TYPE_VIRTIO_SERIAL);
    } else if (info->address.kind != ADDRESS_TYPE_VIRTIO_SERIAL) {
        return true;
    } else if (info->address.virtio_serial->has_port && info->address.virtio_serial->port) {
        return true;
    } else {
        address = info->address.virtio_serial;
        if (take_port(ports, address, address->controller, allow_zero))
            return true;
        return fail(err, VIR_ERR_XML_ERROR,
                    "Unable to find a free port on virtio-serial controller %u",
                    address->controller);
    }
    address = info->address.virtio_serial;
    for (guint i = 0; i < 256; i++)
        if (take_port(ports, address, i, allow_zero))
            return true;
    while (domain_find_controller(ports->dom, CONTROLLER_TYPE_VIRTIO_SERIAL, index))
        index++;
    domain_add_controller(ports->dom, CONTROLLER_TYPE_VIRTIO_SERIAL, index, CONTROLLER_MODEL_UNSET);
    return take_port(ports, address, index, allow_zero) ||
           fail(err, VIR_ERR_XML_ERROR, "Unable to find a free virtio-serial port");
}

bool
domain_assign_virtio_serial(Domain *dom, GError **err)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(NULL, NULL);
    SerialPorts ports = {dom, taken};

    for (gsize i = 0; i < dom->n_consoles; i++)
        if (dom->consoles[i]->target_type == CONSOLE_TARGET_TYPE_VIRTIO &&
            !note_port(&ports, &dom->consoles[i]->info, err))
            return false;
    for (gsize i = 0; i < dom->n_channels; i++)
        if (dom->channels[i]->target.type == CHANNEL_TARGET_TYPE_VIRTIO &&
            !note_port(&ports, &dom->channels[i]->info, err))
            return false;
    /* a console without an address is left to the emulator */
    for (gsize i = 0; i < dom->n_consoles; i++)
        if (dom->consoles[i]->target_type == CONSOLE_TARGET_TYPE_VIRTIO &&
            dom->consoles[i]->info.address.kind == ADDRESS_TYPE_VIRTIO_SERIAL &&
            !place_on_port(&ports, &dom->consoles[i]->info, true, err))
            return false;
    for (gsize i = 0; i < dom->n_channels; i++)
        if (dom->channels[i]->target.type == CHANNEL_TARGET_TYPE_VIRTIO &&
            !place_on_port(&ports, &dom->channels[i]->info, false, err))
            return false;
    return true;
}

/* ---- smartcards ---- */

bool
domain_assign_ccid(Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_smartcards; i++) {
        const CcidAddress *address = dom->smartcards[i]->info.address.kind == ADDRESS_TYPE_CCID
                                         ? dom->smartcards[i]->info.address.ccid
                                         : NULL;

        if (address && !domain_find_controller(dom, CONTROLLER_TYPE_CCID, address->controller))
            return fail(err, VIR_ERR_XML_ERROR, "ccid controller %u is missing",
                        address->controller);
    }
    return true;
}

/* ---- memory modules: slots ---- */

static bool
slot_taken(const Domain *dom, guint slot)
{
    for (gsize i = 0; i < dom->n_memory_devices; i++) {
        const DeviceAddress *address = &dom->memory_devices[i]->info.address;

        if (address->kind == ADDRESS_TYPE_DIMM && address->dimm->slot == slot)
            return true;
    }
    return false;
}

bool
domain_assign_dimm(Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_memory_devices; i++) {
        MemoryDevice *memory = dom->memory_devices[i];
        guint slot = 0;

        if ((memory->model != MEMORY_MODEL_DIMM && memory->model != MEMORY_MODEL_NVDIMM) ||
            memory->info.address.kind != ADDRESS_TYPE_UNSET || !dom->max_memory)
            continue;
        while (slot_taken(dom, slot))
            slot++;
        if (slot >= dom->max_memory->slots)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "no free memory device slot available");
        device_info_set_kind(&memory->info, ADDRESS_TYPE_DIMM);
        memory->info.address.dimm->slot = slot;
    }
    return true;
}

bool
domain_assign_addresses(Domain *dom, const DomainFillHost *host, GError **err)
{
    return domain_assign_virtio_serial(dom, err) && domain_assign_ccid(dom, err) &&
           domain_assign_pci(dom, host, err) && domain_assign_usb(dom, err) &&
           domain_assign_dimm(dom, err);
}

bool
domain_assign_device_address(Domain *dom, const DomainFillHost *host, const DomainDevice *device,
                             GError **err)
{
    if (!device->info)
        return true;
    if (device->kind == DOMAIN_DEVICE_DISK && device->info->address.kind == ADDRESS_TYPE_UNSET &&
        !disk_assign_drive_address(device->device, dom, err))
        return false;
    return domain_assign_pci_device(dom, host, device, err) &&
           domain_assign_usb_device(dom, device, err);
}
