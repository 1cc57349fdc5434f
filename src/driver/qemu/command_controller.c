/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Controllers: PCI bridges and ports, USB, SCSI, SATA, virtio-serial. What a machine has anyway gets no -device. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "driver/qemu/command_line.h"

static Json *
new_device(const char *driver)
{
    return json_pack("{s:s}", "driver", driver);
}

static bool
add_pci(CommandLine *line, const Controller *controller, GError **err)
{
    const ControllerTarget *target = &controller->target;
    g_autoptr(Json) device = NULL;

    switch (controller->model) {
    case CONTROLLER_MODEL_PCI_ROOT:
    case CONTROLLER_MODEL_PCIE_ROOT:
        if (controller->has_pcihole64)
            line_addf(line, "-global", "%s.pci-hole64-size=%" G_GUINT64_FORMAT "K",
                      controller->model == CONTROLLER_MODEL_PCI_ROOT ? "i440FX-pcihost"
                                                                     : "q35-pcihost",
                      controller->pcihole64);
        if (target->hotplug != TRISTATE_UNSET && controller->model == CONTROLLER_MODEL_PCI_ROOT)
            line_addf(line, "-global", "PIIX4_PM.acpi-root-pci-hotplug=%s",
                      target->hotplug == TRISTATE_ON ? "on" : "off");
        return true;
    case CONTROLLER_MODEL_PCI_BRIDGE:
        device = new_device("pci-bridge");
        json_add_int(device, "chassis_nr", target->chassis_nr);
        break;
    case CONTROLLER_MODEL_PCIE_ROOT_PORT:
    case CONTROLLER_MODEL_PCIE_SWITCH_DOWNSTREAM_PORT:
        device = new_device(pci_controller_name_to_string(controller->model_name));
        json_add_int(device, "port", target->port);
        json_add_int(device, "chassis", target->chassis);
        break;
    case CONTROLLER_MODEL_PCIE_SWITCH_UPSTREAM_PORT:
    case CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE:
    case CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE:
        device = new_device(pci_controller_name_to_string(controller->model_name));
        break;
    case CONTROLLER_MODEL_PCI_EXPANDER_BUS:
    case CONTROLLER_MODEL_PCIE_EXPANDER_BUS:
        device =
            new_device(controller->model == CONTROLLER_MODEL_PCI_EXPANDER_BUS ? "pxb" : "pxb-pcie");
        json_add_int(device, "bus_nr", target->bus_nr);
        break;
    default:
        return line_refuse(err, "this PCI controller model");
    }
    json_add_string(device, "id", controller->info.alias_name);
    if (target->has_node)
        json_add_int(device, "numa_node", target->node);
    json_add_tristate(device, "hotplug", target->hotplug);
    if (!json_add_address(line, device, &controller->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static const char *
usb_driver(ControllerModel model)
{
    switch (model) {
    case CONTROLLER_MODEL_PIIX3_UHCI:
        return "piix3-usb-uhci";
    case CONTROLLER_MODEL_PIIX4_UHCI:
        return "piix4-usb-uhci";
    case CONTROLLER_MODEL_EHCI:
        return "usb-ehci";
    case CONTROLLER_MODEL_ICH9_EHCI1:
        return "ich9-usb-ehci1";
    case CONTROLLER_MODEL_ICH9_UHCI1:
        return "ich9-usb-uhci1";
    case CONTROLLER_MODEL_ICH9_UHCI2:
        return "ich9-usb-uhci2";
    case CONTROLLER_MODEL_ICH9_UHCI3:
        return "ich9-usb-uhci3";
    case CONTROLLER_MODEL_VT82C686B_UHCI:
        return "vt82c686b-usb-uhci";
    case CONTROLLER_MODEL_PCI_OHCI:
        return "pci-ohci";
    case CONTROLLER_MODEL_NEC_XHCI:
        return "nec-usb-xhci";
    case CONTROLLER_MODEL_QEMU_XHCI:
        return "qemu-xhci";
    default:
        return NULL;
    }
}

static bool
add_usb(CommandLine *line, const Controller *controller, GError **err)
{
    const char *driver = usb_driver(controller->model);
    g_autoptr(Json) device = NULL;

    if (controller->model == CONTROLLER_MODEL_NONE)
        return true;
    if (!driver)
        return line_refuse(err, "this USB controller model");
    device = new_device(driver);
    if (controller->has_ports) {
        json_add_int(device, "p2", controller->ports);
        json_add_int(device, "p3", controller->ports);
    }
    if (controller->info.has_master_startport) {
        g_autofree char *master = g_strconcat(controller->info.alias_name, ".0", NULL);

        json_add_string(device, "masterbus", master);
        json_add_int(device, "firstport", controller->info.master_startport);
    } else {
        json_add_string(device, "id", controller->info.alias_name);
    }
    if (!json_add_address(line, device, &controller->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static void
add_queues(Json *device, const ControllerDriver *driver)
{
    if (driver->has_queues)
        json_add_int(device, "num_queues", driver->queues);
    if (driver->has_cmd_per_lun)
        json_add_int(device, "cmd_per_lun", driver->cmd_per_lun);
    if (driver->has_max_sectors)
        json_add_int(device, "max_sectors", driver->max_sectors);
    json_add_tristate(device, "ioeventfd", driver->ioeventfd);
}

static bool
add_scsi(CommandLine *line, const Controller *controller, GError **err)
{
    g_autoptr(Json) device = NULL;
    g_autofree char *driver = NULL;

    switch (controller->model) {
    case CONTROLLER_MODEL_VIRTIO_SCSI:
    case CONTROLLER_MODEL_VIRTIO_TRANSITIONAL:
    case CONTROLLER_MODEL_VIRTIO_NON_TRANSITIONAL:
        driver = virtio_device_name("virtio-scsi", &controller->info,
                                    controller_model_to_string(controller->model));
        break;
    case CONTROLLER_MODEL_LSILOGIC:
        driver = g_strdup("lsi");
        break;
    case CONTROLLER_MODEL_LSISAS1068:
        driver = g_strdup("mptsas1068");
        break;
    case CONTROLLER_MODEL_LSISAS1078:
        driver = g_strdup("megasas");
        break;
    case CONTROLLER_MODEL_VMPVSCSI:
        driver = g_strdup("pvscsi");
        break;
    case CONTROLLER_MODEL_AM53C974:
        driver = g_strdup("am53c974");
        break;
    case CONTROLLER_MODEL_DC390:
        driver = g_strdup("dc-390");
        break;
    default:
        return line_refuse(err, "this SCSI controller model");
    }
    device = new_device(driver);
    if (controller->driver.has_iothread) {
        g_autofree char *thread = g_strdup_printf("iothread%u", controller->driver.iothread);

        json_add_string(device, "iothread", thread);
    }
    json_add_virtio(device, &controller->driver.virtio);
    json_add_string(device, "id", controller->info.alias_name);
    add_queues(device, &controller->driver);
    if (!json_add_address(line, device, &controller->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static bool
add_other(CommandLine *line, const Controller *controller, GError **err)
{
    g_autofree char *driver = NULL;
    g_autoptr(Json) device = NULL;

    if (controller->type == CONTROLLER_TYPE_VIRTIO_SERIAL)
        driver = virtio_device_name("virtio-serial", &controller->info,
                                    controller_model_to_string(controller->model));
    else
        driver = g_strdup(controller->type == CONTROLLER_TYPE_SATA ? "ahci" : "usb-ccid");
    device = new_device(driver);
    json_add_virtio(device, &controller->driver.virtio);
    json_add_string(device, "id", controller->info.alias_name);
    if (controller->type == CONTROLLER_TYPE_VIRTIO_SERIAL && controller->has_ports)
        json_add_int(device, "max_ports", controller->ports);
    if (controller->type == CONTROLLER_TYPE_VIRTIO_SERIAL && controller->has_vectors)
        json_add_int(device, "vectors", controller->vectors);
    if (!json_add_address(line, device, &controller->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

/* What the machine brings along. */
static bool
is_built_in(const Domain *dom, const Controller *controller)
{
    switch (controller->type) {
    case CONTROLLER_TYPE_IDE:
        return domain_is_i440fx(dom) && controller->index == 0;
    case CONTROLLER_TYPE_SATA:
        return domain_is_q35(dom) && controller->index == 0;
    case CONTROLLER_TYPE_FDC:
    case CONTROLLER_TYPE_ISA:
        return true;
    default:
        return false;
    }
}

static bool
add_controller(CommandLine *line, const Controller *controller, GError **err)
{
    if (is_built_in(line->dom, controller))
        return true;
    switch (controller->type) {
    case CONTROLLER_TYPE_PCI:
        return add_pci(line, controller, err);
    case CONTROLLER_TYPE_USB:
        return add_usb(line, controller, err);
    case CONTROLLER_TYPE_SCSI:
        return add_scsi(line, controller, err);
    case CONTROLLER_TYPE_SATA:
    case CONTROLLER_TYPE_VIRTIO_SERIAL:
    case CONTROLLER_TYPE_CCID:
        return add_other(line, controller, err);
    default:
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "controller type '%s' is not supported by machine type '%s'",
                    controller_type_to_string(controller->type), line->dom->os.machine);
    }
}

/* Others stay as they are: the sort is stable. */
static gint
compare_pci_indexes(gconstpointer a, gconstpointer b, gpointer unused)
{
    const Controller *one = *(Controller *const *)a;
    const Controller *other = *(Controller *const *)b;
    guint x = one->type == CONTROLLER_TYPE_PCI ? one->index : G_MAXUINT;
    guint y = other->type == CONTROLLER_TYPE_PCI ? other->index : G_MAXUINT;

    return x < y ? -1 : x > y;
}

bool
command_add_controllers(CommandLine *line, GError **err)
{
    static const ControllerType order[] = {
        CONTROLLER_TYPE_PCI,           CONTROLLER_TYPE_USB,  CONTROLLER_TYPE_SCSI,
        CONTROLLER_TYPE_IDE,           CONTROLLER_TYPE_FDC,  CONTROLLER_TYPE_SATA,
        CONTROLLER_TYPE_VIRTIO_SERIAL, CONTROLLER_TYPE_CCID, CONTROLLER_TYPE_XENBUS,
    };
    const Domain *dom = line->dom;
    g_autofree Controller **sorted =
        g_memdup2(dom->controllers, dom->n_controllers * sizeof(Controller *));

    /* A PCI bus comes before what is plugged into it; its number is always the lower one. */
    if (dom->n_controllers)
        g_qsort_with_data(sorted, (gint)dom->n_controllers, sizeof(Controller *),
                          compare_pci_indexes, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(order); i++)
        for (gsize j = 0; j < dom->n_controllers; j++)
            if (sorted[j]->type == order[i] && !add_controller(line, sorted[j], err))
                return false;
    for (gsize i = 0; i < dom->n_hubs; i++) {
        g_autoptr(Json) device =
            json_pack("{s:s s:s}", "driver", "usb-hub", "id", dom->hubs[i]->info.alias_name);

        if (!json_add_address(line, device, &dom->hubs[i]->info, err))
            return false;
        line_add_json(line, "-device", g_steal_pointer(&device));
    }
    return true;
}
