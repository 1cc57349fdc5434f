/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Controllers: their order, numbers and models, and those that other devices need without saying so.
 * PCI bridges are added by domain_address_pci.c. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

/* Where @controller goes among the first @n: beside its own kind, by index; a companion after its master. */
static gsize
place_of(Controller *const *list, gsize n, const Controller *controller)
{
    gsize place = n;
    bool found = false;

    for (gsize i = n; i-- > 0;) {
        const Controller *there = list[i];

        if (there->type != controller->type)
            continue;
        if (!controller->has_index)
            return i + 1;
        if (there->has_index && there->index > controller->index) {
            place = i;
            found = true;
        } else if (there->has_index && there->index == controller->index &&
                   !controller->info.has_master_startport && there->info.has_master_startport) {
            place = i;
            found = true;
        } else if (!found) {
            place = i + 1;
            found = true;
        }
    }
    return place;
}

static bool
is_companion(const Controller *controller)
{
    return controller->type == CONTROLLER_TYPE_USB &&
           (controller->model == CONTROLLER_MODEL_ICH9_UHCI1 ||
            controller->model == CONTROLLER_MODEL_ICH9_UHCI2 ||
            controller->model == CONTROLLER_MODEL_ICH9_UHCI3);
}

static void
fill_master(Controller *controller)
{
    if (!is_companion(controller) || controller->info.has_master_startport)
        return;
    controller->info.master_startport = controller->model == CONTROLLER_MODEL_ICH9_UHCI1   ? 0
                                        : controller->model == CONTROLLER_MODEL_ICH9_UHCI2 ? 2
                                                                                           : 4;
    controller->info.has_master_startport = true;
}

void
domain_sort_controllers(Domain *dom)
{
    Controller **sorted = g_new0(Controller *, dom->n_controllers + 1);
    gsize n = 0;

    for (gsize i = 0; i < dom->n_controllers; i++)
        fill_master(dom->controllers[i]);
    for (gsize i = 0; i < dom->n_controllers; i++) {
        gsize place = place_of(sorted, n, dom->controllers[i]);

        memmove(sorted + place + 1, sorted + place, (n - place) * sizeof(*sorted));
        sorted[place] = dom->controllers[i];
        n++;
    }
    g_free(dom->controllers);
    dom->controllers = sorted;
}

static guint
first_free_index(const Domain *dom, ControllerType type)
{
    guint index = 0;

    while (domain_find_controller(dom, type, index))
        index++;
    return index;
}

/* The ehci that has no companion of @model yet, if its number was not given. */
static bool
find_master(const Domain *dom, const Controller *companion, guint *index)
{
    for (gsize i = 0; i < dom->n_controllers; i++) {
        const Controller *ehci = dom->controllers[i];
        bool taken = false;

        if (ehci->type != CONTROLLER_TYPE_USB || ehci->model != CONTROLLER_MODEL_ICH9_EHCI1 ||
            !ehci->has_index)
            continue;
        for (gsize j = 0; j < dom->n_controllers; j++) {
            const Controller *other = dom->controllers[j];

            taken = taken || (other != companion && other->type == CONTROLLER_TYPE_USB &&
                              other->model == companion->model && other->has_index &&
                              other->index == ehci->index);
        }
        if (!taken) {
            *index = ehci->index;
            return true;
        }
    }
    return false;
}

void
domain_fill_controller_indexes(Domain *dom)
{
    for (int companions = 0; companions < 2; companions++) {
        for (gsize i = 0; i < dom->n_controllers; i++) {
            Controller *controller = dom->controllers[i];

            if (controller->has_index || is_companion(controller) != (companions == 1))
                continue;
            if (!companions || !find_master(dom, controller, &controller->index))
                controller->index = first_free_index(dom, controller->type);
            controller->has_index = true;
        }
    }
}

static void
fill_usb(Controller *controller, const Domain *dom)
{
    if (!controller->model && domain_is_x86(dom))
        controller->model = CONTROLLER_MODEL_PIIX3_UHCI;
    fill_master(controller);
}

static void
prune_by_type(Controller *controller)
{
    if (controller->type != CONTROLLER_TYPE_VIRTIO_SERIAL)
        controller->has_vectors = false;
    if (controller->type != CONTROLLER_TYPE_VIRTIO_SERIAL &&
        controller->type != CONTROLLER_TYPE_USB)
        controller->has_ports = false;
    if (controller->type != CONTROLLER_TYPE_PCI) {
        controller->model_name = PCI_CONTROLLER_NAME_UNSET;
        controller->has_pcihole64 = false;
    }
}

bool
controller_fill_defaults(Controller *controller, Domain *dom, const DomainFillHost *host,
                         GError **err)
{
    prune_by_type(controller);
    if (controller->model == CONTROLLER_MODEL_DEFAULT)
        controller->model = CONTROLLER_MODEL_UNSET;
    if (controller->type == CONTROLLER_TYPE_PCI &&
        (controller->model == CONTROLLER_MODEL_PCI_ROOT ||
         controller->model == CONTROLLER_MODEL_PCIE_ROOT)) {
        if (controller->info.address.kind)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "pci-root and pcie-root controllers should not have an address");
        if (controller->index != 0)
            return fail(err, VIR_ERR_XML_ERROR,
                        "pci-root and pcie-root controllers should have index 0");
    }
    if (!host)
        return true;
    if ((controller->model == CONTROLLER_MODEL_PCIE_EXPANDER_BUS && !domain_is_q35(dom)) ||
        (controller->model == CONTROLLER_MODEL_PCI_EXPANDER_BUS && !domain_is_i440fx(dom)))
        return error_set(err, VIR_FROM_QEMU, VIR_ERR_CONFIG_UNSUPPORTED,
                         "%s controllers are not supported with this machine type",
                         controller_model_to_string(controller->model));
    if (controller->type == CONTROLLER_TYPE_USB)
        fill_usb(controller, dom);
    if (controller->type == CONTROLLER_TYPE_SCSI && domain_is_x86(dom) &&
        (controller->model == CONTROLLER_MODEL_UNSET || controller->model == CONTROLLER_MODEL_AUTO))
        controller->model = CONTROLLER_MODEL_LSILOGIC;
    return true;
}

/* ---- controllers that nobody asked for ---- */

static ControllerType
controller_type_of_bus(DiskBus bus)
{
    switch (bus) {
    case DISK_BUS_IDE:
        return CONTROLLER_TYPE_IDE;
    case DISK_BUS_FDC:
        return CONTROLLER_TYPE_FDC;
    case DISK_BUS_SCSI:
        return CONTROLLER_TYPE_SCSI;
    case DISK_BUS_SATA:
        return CONTROLLER_TYPE_SATA;
    default:
        return CONTROLLER_TYPE_UNSET;
    }
}

static ControllerModel
first_scsi_model(const Domain *dom)
{
    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == CONTROLLER_TYPE_SCSI)
            return dom->controllers[i]->model;
    return CONTROLLER_MODEL_UNSET;
}

static void
ensure_up_to(Domain *dom, ControllerType type, int max)
{
    for (int i = 0; i <= max; i++)
        domain_ensure_controller(dom, type, i,
                                 type == CONTROLLER_TYPE_SCSI ? first_scsi_model(dom)
                                                              : CONTROLLER_MODEL_UNSET);
}

static void
ensure_for_disks(Domain *dom, ControllerType type)
{
    int max = -1;

    for (gsize i = 0; i < dom->n_disks; i++) {
        const DriveAddress *address = device_info_drive(&dom->disks[i]->info);

        if (address && controller_type_of_bus(dom->disks[i]->target.bus) == type)
            max = MAX(max, (int)MIN(address->controller, 255));
    }
    ensure_up_to(dom, type, max);
}

static void
ensure_for_port(Domain *dom, const DeviceAddress *address)
{
    guint index =
        address->kind == ADDRESS_TYPE_VIRTIO_SERIAL ? address->virtio_serial->controller : 0;

    domain_ensure_controller(dom, CONTROLLER_TYPE_VIRTIO_SERIAL, index, CONTROLLER_MODEL_UNSET);
}

static void
ensure_for_virtio_serial(Domain *dom)
{
    for (gsize i = 0; i < dom->n_channels; i++)
        if (dom->channels[i]->target.type == CHANNEL_TARGET_TYPE_VIRTIO)
            ensure_for_port(dom, &dom->channels[i]->info.address);
    for (gsize i = 0; i < dom->n_consoles; i++)
        if (dom->consoles[i]->target_type == CONSOLE_TARGET_TYPE_VIRTIO)
            ensure_for_port(dom, &dom->consoles[i]->info.address);
}

/* Smartcards sit on numbered slots of a card reader; those without a place get the next. */
static void
ensure_for_smartcards(Domain *dom)
{
    int max = -1;

    for (gsize i = 0; i < dom->n_smartcards; i++) {
        DeviceInfo *info = &dom->smartcards[i]->info;

        if (info->address.kind == ADDRESS_TYPE_UNSET)
            device_info_set_kind(info, ADDRESS_TYPE_CCID);
        if (info->address.kind == ADDRESS_TYPE_CCID)
            max = MAX(max, (int)MIN(info->address.ccid->controller, 255));
    }
    ensure_up_to(dom, CONTROLLER_TYPE_CCID, max);
}

static bool
is_scsi_hostdev(const Hostdev *hostdev)
{
    return hostdev->source.kind == HOSTDEV_TYPE_SCSI;
}

static bool
drive_taken(const Domain *dom, const Hostdev *self, guint controller, guint bus, guint target,
            guint unit)
{
    for (gsize i = 0; i < dom->n_disks; i++) {
        const DriveAddress *there = device_info_drive(&dom->disks[i]->info);

        if (there && dom->disks[i]->target.bus == DISK_BUS_SCSI &&
            there->controller == controller && there->bus == bus && there->target == target &&
            there->unit == unit)
            return true;
    }
    for (gsize i = 0; i < dom->n_hostdevs; i++) {
        const DriveAddress *there = device_info_drive(&dom->hostdevs[i]->info);

        if (there && dom->hostdevs[i] != self && there->controller == controller &&
            there->bus == bus && there->target == target && there->unit == unit)
            return true;
    }
    return false;
}

static void
place_scsi_hostdev(Domain *dom, Hostdev *hostdev)
{
    DriveAddress *address;

    device_info_set_kind(&hostdev->info, ADDRESS_TYPE_DRIVE);
    address = hostdev->info.address.drive;
    while (drive_taken(dom, hostdev, address->controller, 0, 0, address->unit)) {
        const Controller *scsi =
            domain_find_controller(dom, CONTROLLER_TYPE_SCSI, address->controller);
        guint last = scsi && scsi->model == CONTROLLER_MODEL_VIRTIO_SCSI ? 16383 : 6;

        if (address->unit++ >= last) {
            address->unit = 0;
            address->controller++;
        }
    }
}

static void
ensure_for_hostdevs(Domain *dom)
{
    int max = -1;

    for (gsize i = 0; i < dom->n_hostdevs; i++) {
        Hostdev *hostdev = dom->hostdevs[i];

        if (!is_scsi_hostdev(hostdev))
            continue;
        if (hostdev->info.address.kind == ADDRESS_TYPE_UNSET)
            place_scsi_hostdev(dom, hostdev);
        if (hostdev->info.address.kind == ADDRESS_TYPE_DRIVE)
            max = MAX(max, (int)MIN(hostdev->info.address.drive->controller, 255));
    }
    ensure_up_to(dom, CONTROLLER_TYPE_SCSI, max);
}

static bool
fill_added(Domain *dom, gsize first, GError **err)
{
    for (gsize i = first; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == CONTROLLER_TYPE_SCSI && !dom->controllers[i]->model &&
            dom->os.machine && domain_is_x86(dom))
            dom->controllers[i]->model = CONTROLLER_MODEL_LSILOGIC;
    return true;
}

bool
domain_fill_implicit_controllers(Domain *dom, GError **err)
{
    gsize first = dom->n_controllers;

    ensure_for_disks(dom, CONTROLLER_TYPE_SCSI);
    ensure_for_disks(dom, CONTROLLER_TYPE_FDC);
    ensure_for_disks(dom, CONTROLLER_TYPE_IDE);
    ensure_for_disks(dom, CONTROLLER_TYPE_SATA);
    ensure_for_virtio_serial(dom);
    ensure_for_smartcards(dom);
    ensure_for_hostdevs(dom);
    return fill_added(dom, first, err);
}

bool
domain_check_controllers(const Domain *dom, GError **err)
{
    bool usb_off = false;
    gsize n_usb = 0;

    for (gsize i = 0; i < dom->n_controllers; i++) {
        const Controller *controller = dom->controllers[i];

        if (controller->type == CONTROLLER_TYPE_USB) {
            n_usb++;
            usb_off = usb_off || controller->model == CONTROLLER_MODEL_NONE;
            if (usb_off && n_usb > 1)
                return fail(err, VIR_ERR_XML_DETAIL,
                            "Can't add another USB controller: USB is disabled for this domain");
            if (controller->info.has_master_startport)
                continue;
        }
        for (gsize j = 0; j < i; j++) {
            const Controller *other = dom->controllers[j];

            if (other->type == controller->type && other->index == controller->index &&
                !other->info.has_master_startport)
                return fail(err, VIR_ERR_XML_ERROR, "Multiple '%s' controllers with index '%u'",
                            controller_type_to_string(controller->type), controller->index);
        }
    }
    return true;
}
