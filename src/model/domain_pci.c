/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI buses and their slots: what a bus accepts, what is taken, the next free place, the bridge that makes more room. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_pci.h"

#include "base/error.h"

#define MAX_BUSES 256

static const struct {
    ControllerModel model;
    guint accepts;
    guint min_slot, max_slot;
    guint connect; /* what the controller itself wants */
} bus_kinds[] = {
    {CONTROLLER_MODEL_PCI_ROOT, PCI_DEVICE | PCI_BRIDGE | PCI_EXPANDER | PCI_HOTPLUGGABLE, 1, 31,
     0},
    {CONTROLLER_MODEL_PCI_BRIDGE, PCI_DEVICE | PCI_BRIDGE | PCI_HOTPLUGGABLE, 1, 31, PCI_BRIDGE},
    {CONTROLLER_MODEL_PCI_EXPANDER_BUS, PCI_DEVICE | PCI_BRIDGE | PCI_HOTPLUGGABLE, 0, 31,
     PCI_EXPANDER},
    {CONTROLLER_MODEL_PCIE_ROOT,
     PCIE_DEVICE | PCIE_ROOT_PORT | DMI_TO_PCI_BRIDGE | PCIE_TO_PCI_BRIDGE | PCIE_EXPANDER, 1, 31,
     0},
    {CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE, PCI_DEVICE | PCI_BRIDGE, 0, 31, DMI_TO_PCI_BRIDGE},
    {CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE, PCI_DEVICE | PCI_BRIDGE | PCI_HOTPLUGGABLE, 1, 31,
     PCIE_TO_PCI_BRIDGE | PCI_HOTPLUGGABLE},
    {CONTROLLER_MODEL_PCIE_ROOT_PORT,
     PCIE_DEVICE | PCIE_UPSTREAM_PORT | PCIE_TO_PCI_BRIDGE | PCI_HOTPLUGGABLE, 0, 0,
     PCIE_ROOT_PORT | PCI_SHARES_SLOT},
    {CONTROLLER_MODEL_PCIE_SWITCH_UPSTREAM_PORT, PCIE_DOWNSTREAM_PORT, 0, 31, PCIE_UPSTREAM_PORT},
    {CONTROLLER_MODEL_PCIE_SWITCH_DOWNSTREAM_PORT,
     PCIE_DEVICE | PCIE_UPSTREAM_PORT | PCIE_TO_PCI_BRIDGE | PCI_HOTPLUGGABLE, 0, 0,
     PCIE_DOWNSTREAM_PORT},
    {CONTROLLER_MODEL_PCIE_EXPANDER_BUS, PCIE_ROOT_PORT | DMI_TO_PCI_BRIDGE, 0, 0, PCIE_EXPANDER},
};

static const struct {
    guint connect;
    const char *name;
} connect_names[] = {
    {PCIE_TO_PCI_BRIDGE, "pcie-to-pci-bridge"},
    {DMI_TO_PCI_BRIDGE, "dmi-to-pci-bridge"},
    {PCIE_ROOT_PORT, "pcie-root-port"},
    {PCIE_UPSTREAM_PORT, "pcie-switch-upstream-port"},
    {PCIE_DOWNSTREAM_PORT, "pcie-switch-downstream-port"},
    {PCI_EXPANDER, "pci-expander-bus"},
    {PCIE_EXPANDER, "pcie-expander-bus"},
    {PCI_BRIDGE, "pci-bridge"},
    {PCIE_DEVICE, "PCI Express device"},
    {PCI_DEVICE, "standard PCI device"},
};

guint
pci_connect_of_controller(ControllerModel model)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bus_kinds); i++)
        if (bus_kinds[i].model == model)
            return bus_kinds[i].connect;
    return 0;
}

static bool
bus_init(PciBus *bus, ControllerModel model)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bus_kinds); i++) {
        if (bus_kinds[i].model != model)
            continue;
        bus->model = model;
        bus->accepts = bus_kinds[i].accepts;
        bus->min_slot = bus_kinds[i].min_slot;
        bus->max_slot = bus_kinds[i].max_slot;
        return true;
    }
    return false;
}

static void
buses_append(PciBuses *buses, ControllerModel model)
{
    PciBus bus = {0};

    bus_init(&bus, model);
    list_append(buses->buses, buses->n_buses, bus);
}

PciBuses *
pci_buses_new(const Domain *dom, guint n_buses, bool may_grow, GError **err)
{
    g_autoptr(PciBuses) buses = g_new0(PciBuses, 1);
    ControllerModel filler;

    buses->has_pcie_root = domain_has_pcie_root(dom);
    buses->may_grow = may_grow;
    filler = buses->has_pcie_root ? CONTROLLER_MODEL_PCIE_ROOT_PORT : CONTROLLER_MODEL_PCI_BRIDGE;
    buses->buses = g_new0(PciBus, n_buses);
    buses->n_buses = n_buses;
    for (gsize i = 0; i < dom->n_controllers; i++) {
        const Controller *controller = dom->controllers[i];

        if (controller->type != CONTROLLER_TYPE_PCI)
            continue;
        if (controller->index >= n_buses ||
            !bus_init(&buses->buses[controller->index], controller->model))
            return fail_null(err, VIR_ERR_INTERNAL_ERROR, "Invalid PCI controller model %s",
                             controller->model ? controller_model_to_string(controller->model)
                                               : "default");
    }
    /* numbers that the user left out between his own */
    for (guint i = 0; i < n_buses; i++)
        if (!buses->buses[i].model)
            bus_init(&buses->buses[i], filler);
    return g_steal_pointer(&buses);
}

void
pci_buses_free(PciBuses *buses)
{
    if (!buses)
        return;
    g_free(buses->buses);
    g_free(buses);
}

static char *
address_text(const PciAddress *address)
{
    return g_strdup_printf("%04x:%02x:%02x.%x", address->domain, address->bus, address->slot,
                           address->function);
}

static bool
bus_accepts(const PciBus *bus, guint connect, bool is_users)
{
    guint accepts = bus->accepts;

    if (is_users && (accepts & PCI_ENDPOINTS))
        accepts |= PCI_ENDPOINTS;
    if (!(accepts & connect & PCI_CONNECTIONS))
        return false;
    return is_users || !(connect & PCI_HOTPLUGGABLE) || (accepts & PCI_HOTPLUGGABLE);
}

static const char *
connect_name(guint connect)
{
    for (gsize i = 0; i < G_N_ELEMENTS(connect_names); i++)
        if (connect & connect_names[i].connect)
            return connect_names[i].name;
    return "device";
}

static bool pci_grow(PciBuses *buses, guint connect, guint more, GError **err);

static bool
place_is_valid(PciBuses *buses, const PciAddress *address, guint connect, bool is_users,
               GError **err)
{
    g_autofree char *text = address_text(address);
    const PciBus *bus;

    if (address->domain != 0)
        return fail(err, VIR_ERR_XML_ERROR, "Only PCI domain 0 is available");
    if (address->bus >= buses->n_buses &&
        !pci_grow(buses, connect, address->bus - buses->n_buses + 1, err))
        return false;
    if (address->bus >= buses->n_buses)
        return fail(err, VIR_ERR_XML_ERROR, "PCI bus %u of address %s is not there", address->bus,
                    text);
    bus = &buses->buses[address->bus];
    if ((connect & PCI_INTEGRATED) && address->bus != 0)
        return fail(err, VIR_ERR_XML_ERROR,
                    "The device at PCI address %s needs to be an integrated device (bus=0)", text);
    if (!bus_accepts(bus, connect, is_users))
        return fail(err, VIR_ERR_XML_ERROR,
                    "The device at PCI address %s cannot be plugged into the PCI controller with "
                    "index='%u'. It requires a "
                    "controller that accepts a %s.",
                    text, address->bus, connect_name(connect));
    if (address->slot < bus->min_slot)
        return fail(err, VIR_ERR_XML_ERROR, "Invalid PCI address %s. slot must be >= %u", text,
                    bus->min_slot);
    if (address->slot > bus->max_slot)
        return fail(err, VIR_ERR_XML_ERROR, "Invalid PCI address %s. slot must be <= %u", text,
                    bus->max_slot);
    return true;
}

bool
pci_slot_is_used(const PciBuses *buses, const PciAddress *address)
{
    return address->bus >= buses->n_buses ||
           buses->buses[address->bus].slots[address->slot].functions != 0;
}

static void
take(PciBuses *buses, const PciAddress *address, guint connect)
{
    PciSlot *slot = &buses->buses[address->bus].slots[address->slot];

    if (!slot->functions)
        slot->is_shared = (connect & PCI_SHARES_SLOT) != 0;
    else if (!(connect & PCI_SHARES_SLOT))
        slot->is_shared = false;
    slot->functions |= 1u << address->function;
}

bool
pci_reserve(PciBuses *buses, const PciAddress *address, guint connect, bool is_users, GError **err)
{
    g_autofree char *text = address_text(address);

    if (!place_is_valid(buses, address, connect, is_users, err))
        return false;
    if (buses->buses[address->bus].slots[address->slot].functions & (1u << address->function))
        return fail(err, VIR_ERR_XML_ERROR, "Attempted double use of PCI Address %s", text);
    take(buses, address, connect);
    return true;
}

static bool
find_on_bus(const PciBus *bus, guint connect, int function, PciAddress *found)
{
    for (guint slot = bus->min_slot; slot <= bus->max_slot; slot++) {
        const PciSlot *there = &bus->slots[slot];

        if (!there->functions) {
            found->slot = slot;
            found->function = function < 0 ? 0 : function;
            return true;
        }
        if (!(connect & PCI_SHARES_SLOT) || !there->is_shared || function > 0)
            continue;
        for (guint i = 0; i < 8; i++) {
            if (there->functions & (1u << i))
                continue;
            found->slot = slot;
            found->function = i;
            return true;
        }
    }
    return false;
}

bool
pci_has_room(const PciBuses *buses, guint connect)
{
    PciAddress place = {0};

    for (guint i = 0; i < buses->n_buses; i++)
        if (bus_accepts(&buses->buses[i], connect, false) &&
            find_on_bus(&buses->buses[i], connect, -1, &place))
            return true;
    return false;
}

/* Adds buses that accept @connect. A plain PCI slot on a PCI Express machine takes a bridge, and the bridge a port. */
static bool
pci_grow(PciBuses *buses, guint connect, guint more, GError **err)
{
    ControllerModel model;

    if (connect & (PCI_DEVICE | PCI_BRIDGE)) {
        if (!buses->has_pcie_root)
            model = CONTROLLER_MODEL_PCI_BRIDGE;
        else if (pci_has_room(buses, PCI_BRIDGE))
            model = CONTROLLER_MODEL_PCI_BRIDGE;
        else
            model = CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE;
    } else if (connect & (PCIE_DEVICE | PCIE_UPSTREAM_PORT | PCIE_TO_PCI_BRIDGE) &&
               buses->has_pcie_root) {
        model = CONTROLLER_MODEL_PCIE_ROOT_PORT;
    } else {
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "Cannot automatically add a new PCI bus for a device with connect flags %02x",
                    connect & PCI_CONNECTIONS);
    }
    if (!buses->may_grow || buses->n_buses + more + 1 > MAX_BUSES)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "No more available PCI slots");
    if (model == CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE)
        buses_append(buses, CONTROLLER_MODEL_PCIE_ROOT_PORT);
    for (guint i = 0; i < more; i++)
        buses_append(buses, model);
    /* the bridge sits on the port */
    if (model == CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE)
        buses->buses[buses->n_buses - more - 1].slots[0].functions = 1;
    return true;
}

static bool
find_free(const PciBuses *buses, guint connect, int function, PciAddress *address)
{
    for (guint i = 0; i < buses->n_buses; i++) {
        if (!bus_accepts(&buses->buses[i], connect, false) ||
            !find_on_bus(&buses->buses[i], connect, function, address))
            continue;
        address->domain = 0;
        address->bus = i;
        return true;
    }
    return false;
}

bool
pci_reserve_next(PciBuses *buses, guint connect, int function, PciAddress *address, GError **err)
{
    if (!find_free(buses, connect, function, address)) {
        if (!pci_grow(buses, connect, 1, err))
            return false;
        if (!find_free(buses, connect, function, address))
            return fail(err, VIR_ERR_INTERNAL_ERROR, "No more available PCI slots");
    }
    /* a device with all functions of its slot to itself */
    take(buses, address, connect);
    return true;
}
