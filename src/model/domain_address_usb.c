/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB addresses: ports of controllers and hubs, given out from the root downwards; hubs are added when ports run out. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

#define HUB_PORTS 8
#define MAX_DEPTH 4 /* of ports in an address */

typedef struct UsbHub UsbHub;
struct UsbHub {
    guint n_ports;
    GHashTable *taken; /* ports in use, 1.. */
    GHashTable *below; /* port -> UsbHub */
};

typedef struct {
    Domain *dom;
    GHashTable *buses; /* number -> root UsbHub */
    gsize n_users, n_ports;
} UsbTree;

static void
usb_hub_free(void *data)
{
    UsbHub *hub = data;

    g_hash_table_destroy(hub->taken);
    g_hash_table_destroy(hub->below);
    g_free(hub);
}

static UsbHub *
usb_hub_new(guint n_ports)
{
    UsbHub *hub = g_new0(UsbHub, 1);

    hub->n_ports = n_ports;
    hub->taken = g_hash_table_new(NULL, NULL);
    hub->below = g_hash_table_new_full(NULL, NULL, NULL, usb_hub_free);
    return hub;
}

static guint
ports_of(const Controller *controller)
{
    switch (controller->model) {
    case CONTROLLER_MODEL_PIIX3_UHCI:
    case CONTROLLER_MODEL_PIIX4_UHCI:
    case CONTROLLER_MODEL_VT82C686B_UHCI:
        return 2;
    case CONTROLLER_MODEL_EHCI:
    case CONTROLLER_MODEL_ICH9_EHCI1:
        return 6;
    case CONTROLLER_MODEL_PCI_OHCI:
        return 3;
    case CONTROLLER_MODEL_NEC_XHCI:
    case CONTROLLER_MODEL_QEMU_XHCI:
        return controller->has_ports ? controller->ports : 4;
    default:
        return 0;
    }
}

static bool
is_usb_user(const DomainDevice *device)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_DISK:
        return ((Disk *)device->device)->target.bus == DISK_BUS_USB;
    case DOMAIN_DEVICE_CONTROLLER:
        return ((Controller *)device->device)->type == CONTROLLER_TYPE_CCID;
    case DOMAIN_DEVICE_INPUT:
        return ((Input *)device->device)->bus == INPUT_BUS_USB;
    case DOMAIN_DEVICE_SOUND:
        return ((Sound *)device->device)->model == SOUND_MODEL_USB;
    case DOMAIN_DEVICE_HOSTDEV:
        return ((Hostdev *)device->device)->source.kind == HOSTDEV_TYPE_USB;
    case DOMAIN_DEVICE_SERIAL:
        return ((Serial *)device->device)->target.type == SERIAL_TARGET_TYPE_USB_SERIAL;
    case DOMAIN_DEVICE_INTERFACE:
        return g_strcmp0(((Interface *)device->device)->model_type, "usb-net") == 0;
    case DOMAIN_DEVICE_REDIRDEV:
    case DOMAIN_DEVICE_HUB:
        return true;
    default:
        return false;
    }
}

static bool
has_port(const DeviceInfo *info)
{
    return info->address.kind == ADDRESS_TYPE_USB && info->address.usb->port &&
           info->address.usb->port[0];
}

/* "1.2.3" -> numbers; 0: not a port. */
static guint
split_port(const char *text, guint ports[MAX_DEPTH])
{
    guint n = 0;

    while (n < MAX_DEPTH) {
        char *end = NULL;
        guint64 value = g_ascii_strtoull(text, &end, 10);

        if (end == text || value == 0 || value > 255)
            return 0;
        ports[n++] = value;
        if (!*end)
            return n;
        if (*end != '.')
            return 0;
        text = end + 1;
    }
    return 0;
}

static UsbHub *
find_hub(UsbTree *tree, const UsbAddress *address, const guint *ports, guint n, GError **err)
{
    UsbHub *hub = g_hash_table_lookup(tree->buses, GUINT_TO_POINTER(address->bus));

    if (!hub)
        return fail_null(err, VIR_ERR_XML_ERROR, "Missing USB bus %u", address->bus);
    for (guint i = 0; i < n; i++) {
        if (ports[i] > hub->n_ports)
            return fail_null(err, VIR_ERR_XML_ERROR,
                             "port %u out of range in USB address bus: %u port: %s", ports[i],
                             address->bus, address->port);
        hub = g_hash_table_lookup(hub->below, GUINT_TO_POINTER(ports[i]));
        if (!hub)
            return fail_null(err, VIR_ERR_XML_ERROR,
                             "there is no hub at port %u in USB address bus: %u port: %s", ports[i],
                             address->bus, address->port);
    }
    return hub;
}

/* Take the port that is written in @info. */
static bool
take_written(UsbTree *tree, const DeviceInfo *info, bool is_hub, GError **err)
{
    const UsbAddress *address = info->address.usb;
    guint ports[MAX_DEPTH];
    guint n = split_port(address->port, ports);
    UsbHub *hub;

    if (n == 0)
        return fail(err, VIR_ERR_XML_ERROR, "Cannot parse <address> 'port' attribute");
    hub = find_hub(tree, address, ports, n - 1, err);
    if (!hub)
        return false;
    if (ports[n - 1] > hub->n_ports)
        return fail(err, VIR_ERR_XML_ERROR, "requested USB port %s not present on USB bus %u",
                    address->port, address->bus);
    if (!g_hash_table_add(hub->taken, GUINT_TO_POINTER(ports[n - 1])))
        return fail(err, VIR_ERR_XML_ERROR, "Duplicate USB address bus %u port %s", address->bus,
                    address->port);
    if (is_hub)
        g_hash_table_insert(hub->below, GUINT_TO_POINTER(ports[n - 1]), usb_hub_new(HUB_PORTS));
    return true;
}

/* The ports of the hub itself, then those of the hubs below it, first port first. */
static char *
free_port(UsbHub *hub, const char *path, guint depth)
{
    for (guint port = 1; port <= hub->n_ports; port++)
        if (!g_hash_table_contains(hub->taken, GUINT_TO_POINTER(port)))
            return path ? g_strdup_printf("%s.%u", path, port) : g_strdup_printf("%u", port);
    for (guint port = 1; depth + 1 < MAX_DEPTH && port <= hub->n_ports; port++) {
        UsbHub *below = g_hash_table_lookup(hub->below, GUINT_TO_POINTER(port));
        g_autofree char *here =
            path ? g_strdup_printf("%s.%u", path, port) : g_strdup_printf("%u", port);
        char *found = below ? free_port(below, here, depth + 1) : NULL;

        if (found)
            return found;
    }
    return NULL;
}

static char *
find_port_on_bus(UsbTree *tree, guint bus)
{
    UsbHub *root = g_hash_table_lookup(tree->buses, GUINT_TO_POINTER(bus));

    return root ? free_port(root, NULL, 0) : NULL;
}

static bool
give_port(UsbTree *tree, DeviceInfo *info, bool is_hub, GError **err)
{
    bool has_bus = info->address.kind == ADDRESS_TYPE_USB;
    char *port = NULL;
    guint bus = 0;

    if (has_bus) {
        bus = info->address.usb->bus;
        port = find_port_on_bus(tree, bus);
    }
    for (guint i = 0; !has_bus && !port && i < 256; i++) {
        bus = i;
        port = find_port_on_bus(tree, i);
    }
    if (!port)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "No free USB ports");
    if (!has_bus)
        device_info_set_kind(info, ADDRESS_TYPE_USB);
    info->address.usb->bus = bus;
    g_free(info->address.usb->port);
    info->address.usb->port = port;
    return take_written(tree, info, is_hub, err);
}

static bool
count_user(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    UsbTree *tree = data;

    if (is_usb_user(device)) {
        if (device->info->address.kind != ADDRESS_TYPE_UNSET &&
            device->info->address.kind != ADDRESS_TYPE_USB)
            return device->kind == DOMAIN_DEVICE_DISK
                       ? error_set(err, VIR_FROM_QEMU, VIR_ERR_INTERNAL_ERROR,
                                   "unexpected address type for usb disk")
                       : true;
        tree->n_users++;
    }
    return true;
}

static bool
take_or_give(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    UsbTree *tree = data;

    if (!is_usb_user(device) || device->kind == DOMAIN_DEVICE_HUB)
        return true;
    return has_port(device->info) ? true : give_port(tree, device->info, false, err);
}

static bool
take_others(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    if (!is_usb_user(device) || device->kind == DOMAIN_DEVICE_HUB || !has_port(device->info))
        return true;
    return take_written(data, device->info, false, err);
}

static void
add_buses(UsbTree *tree)
{
    Domain *dom = tree->dom;

    for (gsize i = 0; i < dom->n_controllers; i++) {
        const Controller *controller = dom->controllers[i];
        guint n = controller->type == CONTROLLER_TYPE_USB ? ports_of(controller) : 0;

        if (!n)
            continue;
        tree->n_ports += n;
        g_hash_table_insert(tree->buses, GUINT_TO_POINTER(controller->index), usb_hub_new(n));
    }
    tree->n_ports += dom->n_hubs * HUB_PORTS;
}

/* A hub takes one port and gives eight. */
static void
add_hubs(UsbTree *tree)
{
    gsize needed;

    if (tree->n_users <= tree->n_ports)
        return;
    needed = (tree->n_users - tree->n_ports + HUB_PORTS - 1) / (HUB_PORTS - 1);
    for (gsize i = 0; i < needed; i++) {
        Hub *hub = hub_new();

        hub->type = HUB_TYPE_USB;
        list_append(tree->dom->hubs, tree->dom->n_hubs, hub);
    }
}

/* Hubs first, those that have their place before those that look for one. */
static bool
place_hubs(UsbTree *tree, GError **err)
{
    Domain *dom = tree->dom;

    for (gsize i = 0; i < dom->n_hubs; i++)
        if (has_port(&dom->hubs[i]->info) && !take_written(tree, &dom->hubs[i]->info, true, err))
            return false;
    return true;
}

static bool
give_to_hubs(UsbTree *tree, GError **err)
{
    Domain *dom = tree->dom;

    for (gsize i = 0; i < dom->n_hubs; i++)
        if (!has_port(&dom->hubs[i]->info) && !give_port(tree, &dom->hubs[i]->info, true, err))
            return false;
    return true;
}

static bool
usb_is_off(const Domain *dom)
{
    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == CONTROLLER_TYPE_USB)
            return dom->controllers[i]->model == CONTROLLER_MODEL_NONE;
    return true;
}

bool
domain_assign_usb(Domain *dom, GError **err)
{
    g_autoptr(GHashTable) buses = g_hash_table_new_full(NULL, NULL, NULL, usb_hub_free);
    UsbTree tree = {dom, buses, 0, 0};

    if (!domain_each_device(dom, count_user, &tree, err))
        return false;
    if (!tree.n_users)
        return true;
    if (usb_is_off(dom))
        return fail(err, VIR_ERR_XML_ERROR,
                    "Can't add USB device. USB is disabled for this domain");
    add_buses(&tree);
    if (g_hash_table_size(buses) == 0)
        return true;
    if (!place_hubs(&tree, err) || !domain_each_device(dom, take_others, &tree, err))
        return false;
    add_hubs(&tree);
    return give_to_hubs(&tree, err) && domain_each_device(dom, take_or_give, &tree, err);
}

bool
domain_assign_usb_device(Domain *dom, const DomainDevice *device, GError **err)
{
    g_autoptr(GHashTable) buses = g_hash_table_new_full(NULL, NULL, NULL, usb_hub_free);
    UsbTree tree = {dom, buses, 0, 0};
    bool is_hub = device->kind == DOMAIN_DEVICE_HUB;

    if (!is_usb_user(device))
        return true;
    if (usb_is_off(dom))
        return fail(err, VIR_ERR_XML_ERROR,
                    "Can't add USB device. USB is disabled for this domain");
    add_buses(&tree);
    if (!place_hubs(&tree, err) || !domain_each_device(dom, take_others, &tree, err))
        return false;
    return has_port(device->info) ? take_written(&tree, device->info, is_hub, err)
                                  : give_port(&tree, device->info, is_hub, err);
}
