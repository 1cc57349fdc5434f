/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device is: its capability, from the files in its folder. What they do not say is left out. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/ids.h"
#include "driver/nodedev/nodedev.h"

/* A link's last part, such as the driver's name; NULL: there is no link. */
static char *
read_link_name(const char *path, const char *file)
{
    g_autofree char *full = g_build_filename(path, file, NULL);
    g_autofree char *target = g_file_read_link(full, NULL);

    return target ? g_path_get_basename(target) : NULL;
}

static guint
number(const char *path, const char *file)
{
    guint64 value = 0;

    return nodedev_read_number(path, file, &value) ? (guint)value : 0;
}

/* Four digits without 0x, as USB has them. */
static guint
hex_number(const char *path, const char *file)
{
    g_autofree char *text = nodedev_read(path, file);

    return text ? (guint)g_ascii_strtoull(text, NULL, 16) : 0;
}

static void
describe_system(NodeSystem *system)
{
    static const char folder[] = "/sys/class/dmi/id";
    NodeHardware *hardware = system->hardware = node_hardware_new();
    NodeFirmware *firmware = system->firmware = node_firmware_new();
    g_autofree char *uuid = nodedev_read(folder, "product_uuid");

    system->product = nodedev_read(folder, "product_name");
    hardware->vendor = nodedev_read(folder, "sys_vendor");
    hardware->version = nodedev_read(folder, "product_version");
    hardware->serial = nodedev_read(folder, "product_serial");
    hardware->has_uuid = uuid && uuid_parse(uuid, hardware->uuid);
    firmware->vendor = nodedev_read(folder, "bios_vendor");
    firmware->version = nodedev_read(folder, "bios_version");
    firmware->release_date = nodedev_read(folder, "bios_date");
}

static NodeId *
id_new(guint id, char *take_text)
{
    NodeId *node_id = node_id_new();

    node_id->id = id;
    node_id->text = take_text;
    return node_id;
}

static bool
read_address(const char *text, NodeAddress *address)
{
    char end;

    return sscanf(text, "%x:%x:%x.%x%c", &address->domain, &address->bus, &address->slot,
                  &address->function, &end) == 4;
}

static void
add_function(NodePciFunction *function, const char *path, const char *file)
{
    g_autofree char *name = read_link_name(path, file);
    g_autoptr(NodeAddress) address = node_address_new();

    if (name && read_address(name, address))
        model_append(function, addresses, g_steal_pointer(&address));
}

/* SR-IOV: what it is a part of, and its parts. */
static void
describe_functions(NodePci *pci, const char *path)
{
    guint64 total = 0;

    if (nodedev_read_number(path, "sriov_totalvfs", &total)) {
        NodePciFunction *parts = node_pci_function_new();
        const guint count = number(path, "sriov_numvfs");

        parts->type = g_strdup("virt_functions");
        parts->has_max_count = true;
        parts->max_count = (guint)total;
        for (guint i = 0; i < count; i++) {
            g_autofree char *file = g_strdup_printf("virtfn%u", i);

            add_function(parts, path, file);
        }
        model_append(pci, functions, parts);
    }
    {
        g_autoptr(NodePciFunction) whole = node_pci_function_new();

        whole->type = g_strdup("phys_function");
        add_function(whole, path, "physfn");
        if (whole->n_addresses)
            model_append(pci, functions, g_steal_pointer(&whole));
    }
}

static void
describe_iommu(NodePci *pci, const char *path)
{
    g_autofree char *group = read_link_name(path, "iommu_group");
    g_autofree char *folder = g_build_filename(path, "iommu_group", "devices", NULL);
    g_auto(GStrv) members = group ? dir_list(folder, NULL) : NULL;

    if (!group)
        return;
    pci->iommu_group = node_iommu_group_new();
    pci->iommu_group->number = (guint)g_ascii_strtoull(group, NULL, 10);
    for (char **member = members; member && *member; member++) {
        g_autoptr(NodeAddress) address = node_address_new();

        if (read_address(*member, address))
            model_append(pci->iommu_group, addresses, g_steal_pointer(&address));
    }
}

static void
describe_pci(NodePci *pci, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *node = nodedev_read(path, "numa_node");
    NodeAddress address = {0};

    read_address(name, &address);
    pci->has_class = true;
    pci->class = number(path, "class");
    pci->domain = address.domain;
    pci->bus = address.bus;
    pci->slot = address.slot;
    pci->function = address.function;
    pci->product = id_new(number(path, "device"), NULL);
    pci->vendor = id_new(number(path, "vendor"), NULL);
    describe_functions(pci, path);
    describe_iommu(pci, path);
    if (node && *node != '-') {
        pci->numa = node_numa_new();
        pci->numa->node = (int)g_ascii_strtoll(node, NULL, 10);
    }
}

static void
describe_usb_device(NodeUsbDevice *usb, const char *path)
{
    usb->bus = number(path, "busnum");
    usb->device = number(path, "devnum");
    usb->product = id_new(hex_number(path, "idProduct"), nodedev_read(path, "product"));
    usb->vendor = id_new(hex_number(path, "idVendor"), nodedev_read(path, "manufacturer"));
}

static void
describe_usb(NodeUsb *usb, const char *path)
{
    usb->number = hex_number(path, "bInterfaceNumber");
    usb->class = hex_number(path, "bInterfaceClass");
    usb->subclass = hex_number(path, "bInterfaceSubClass");
    usb->protocol = hex_number(path, "bInterfaceProtocol");
    usb->description = nodedev_read(path, "interface");
}

static void
describe_net(NodeNet *net, const char *path)
{
    guint64 speed;

    net->interface = g_path_get_basename(path);
    net->address = nodedev_read(path, "address");
    net->link = node_link_new();
    net->link->state = nodedev_read(path, "operstate");
    if (!g_strcmp0(net->link->state, "up") && nodedev_read_number(path, "speed", &speed)) {
        net->link->has_speed = true;
        net->link->speed = (guint)speed;
    }
    net->capability = node_net_kind_new();
    {
        g_autofree char *wireless = g_build_filename(path, "wireless", NULL);

        net->capability->type = g_strdup(file_exists(wireless) ? "80211" : "80203");
    }
}

static const char *
scsi_type(guint64 type)
{
    static const char *const names[] = {
        "disk",    "tape",    "printer",        "processor", "worm", "cdrom", "scanner",
        "optical", "changer", "communications", NULL,        NULL,   "raid",  "enclosure"};

    return type < G_N_ELEMENTS(names) ? names[type] : NULL;
}

static void
describe_scsi(NodeScsi *scsi, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    guint64 type;

    if (sscanf(name, "%u:%u:%u:%u", &scsi->host, &scsi->bus, &scsi->target, &scsi->lun) == 4 &&
        nodedev_read_number(path, "type", &type))
        scsi->type = g_strdup(scsi_type(type));
}

static void
describe_scsi_host(NodeScsiHost *host, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    guint64 unique;

    sscanf(name, "host%u", &host->host);
    host->has_unique_id = nodedev_read_number(path, "unique_id", &unique);
    host->unique_id = host->has_unique_id ? (int)unique : 0;
}

static void
describe_storage(NodeStorage *storage, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    guint64 sectors;

    storage->block = g_build_filename("/dev", name, NULL);
    storage->drive_type = g_strdup(g_str_has_prefix(name, "sr") ? "cdrom" : "disk");
    storage->model = nodedev_read(path, "device/model");
    storage->vendor = nodedev_read(path, "device/vendor");
    storage->serial = nodedev_read(path, "serial");
    if (!storage->serial)
        storage->serial = nodedev_read(path, "device/serial");
    storage->has_logical_block_size =
        nodedev_read_number(path, "queue/logical_block_size", &storage->logical_block_size);
    if (!nodedev_read_number(path, "size", &sectors))
        return;
    storage->has_size = true;
    storage->size = sectors * 512; /* the kernel counts in 512, whatever the disk's own block is */
    if (storage->has_logical_block_size && storage->logical_block_size) {
        storage->has_num_blocks = true;
        storage->num_blocks = storage->size / storage->logical_block_size;
    }
}

static void
add_devnode(NodeDevice *node, const char *folder, const char *path)
{
    NodeDevnode *devnode = node_devnode_new();
    g_autofree char *name = g_path_get_basename(path);

    devnode->type = DEVNODE_TYPE_DEV;
    devnode->text = g_build_filename(folder, name, NULL);
    model_append(node, devnodes, devnode);
}

static void
describe_capability(NodeDevice *node, const char *path)
{
    NodeCapability *capability = &node->capability;
    g_autofree char *name = path ? g_path_get_basename(path) : NULL;

    switch (capability->kind) {
    case NODE_CAPABILITY_TYPE_SYSTEM:
        describe_system(capability->system = node_system_new());
        break;
    case NODE_CAPABILITY_TYPE_PCI:
        describe_pci(capability->pci = node_pci_new(), path);
        break;
    case NODE_CAPABILITY_TYPE_USB_DEVICE:
        describe_usb_device(capability->usb_device = node_usb_device_new(), path);
        break;
    case NODE_CAPABILITY_TYPE_USB:
        describe_usb(capability->usb = node_usb_new(), path);
        break;
    case NODE_CAPABILITY_TYPE_NET:
        describe_net(capability->net = node_net_new(), path);
        break;
    case NODE_CAPABILITY_TYPE_SCSI_HOST:
        describe_scsi_host(capability->scsi_host = node_scsi_host_new(), path);
        break;
    case NODE_CAPABILITY_TYPE_SCSI:
        describe_scsi(capability->scsi = node_scsi_new(), path);
        break;
    case NODE_CAPABILITY_TYPE_STORAGE:
        describe_storage(capability->storage = node_storage_new(), path);
        add_devnode(node, "/dev", path);
        break;
    case NODE_CAPABILITY_TYPE_SCSI_GENERIC:
        capability->scsi_generic = node_scsi_generic_new();
        capability->scsi_generic->char_ = g_build_filename("/dev", name, NULL);
        add_devnode(node, "/dev", path);
        break;
    case NODE_CAPABILITY_TYPE_DRM:
        capability->drm = node_drm_new();
        capability->drm->type = g_strdup(g_str_has_prefix(name, "render") ? "render" : "primary");
        add_devnode(node, "/dev/dri", path);
        break;
    default:
        break;
    }
}

NodeDevice *
nodedev_describe(const FoundDevice *device)
{
    NodeDevice *node = node_device_new();

    node->name = g_strdup(device->name);
    node->path = g_strdup(device->path);
    node->parent = g_strdup(device->parent);
    node->driver_name = device->path ? read_link_name(device->path, "driver") : NULL;
    node->capability.kind = device->type;
    describe_capability(node, device->path);
    return node;
}
