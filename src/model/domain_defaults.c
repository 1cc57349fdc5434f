/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a machine type brings along: emulator and canonical machine name, root bus, USB, SATA, balloon.
 * Relies on DomainFillHost for what only the emulator knows. Next: domain_controller.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

bool
domain_fill_platform(Domain *dom, const DomainFillHost *host, GError **err)
{
    DomainMachine machine = {0};

    if (!dom->os.arch)
        dom->os.arch = g_strdup(host->arch);
    if (!dom->emulator && host->find_emulator)
        dom->emulator = g_strdup(host->find_emulator(host, dom->type, dom->os.arch));
    if (!host->find_machine(host, dom, &machine, err))
        return false;
    set_string(&dom->os.machine, machine.machine);
    domain_fill_nvram(dom, host);
    return domain_fill_cpu(dom, &machine, err);
}

Controller *
domain_add_controller(Domain *dom, ControllerType type, guint index, ControllerModel model)
{
    Controller *controller = controller_new();

    controller->type = type;
    controller->index = index;
    controller->has_index = true;
    controller->model = model;
    list_append(dom->controllers, dom->n_controllers, controller);
    return controller;
}

bool
domain_ensure_controller(Domain *dom, ControllerType type, guint index, ControllerModel model)
{
    if (domain_find_controller(dom, type, index))
        return false;
    domain_add_controller(dom, type, index, model);
    return true;
}

static bool
has_root_bus(Domain *dom, ControllerModel wanted, GError **err)
{
    const Controller *root = domain_find_controller(dom, CONTROLLER_TYPE_PCI, 0);

    if (!root) {
        domain_add_controller(dom, CONTROLLER_TYPE_PCI, 0, wanted);
        return true;
    }
    if (root->model == wanted)
        return true;
    return fail(err, VIR_ERR_XML_ERROR,
                "The PCI controller with index='0' must be model='%s' for this machine type, but "
                "model='%s' was found instead",
                controller_model_to_string(wanted),
                root->model ? controller_model_to_string(root->model) : "default");
}

bool
domain_fill_default_devices(Domain *dom, GError **err)
{
    bool is_q35 = domain_is_q35(dom), is_i440fx = domain_is_i440fx(dom);

    if (!domain_is_x86(dom))
        return true;
    if (is_q35 || is_i440fx)
        domain_ensure_controller(dom, CONTROLLER_TYPE_USB, 0,
                                 is_q35 ? CONTROLLER_MODEL_QEMU_XHCI : CONTROLLER_MODEL_UNSET);
    if (is_q35)
        domain_ensure_controller(dom, CONTROLLER_TYPE_SATA, 0, CONTROLLER_MODEL_UNSET);
    if (is_i440fx && !has_root_bus(dom, CONTROLLER_MODEL_PCI_ROOT, err))
        return false;
    if (is_q35 && !has_root_bus(dom, CONTROLLER_MODEL_PCIE_ROOT, err))
        return false;
    if (!dom->memballoon) {
        dom->memballoon = memballoon_new();
        dom->memballoon->model = MEMBALLOON_MODEL_VIRTIO;
    }
    return true;
}
