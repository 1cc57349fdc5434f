/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls about devices of the host. */
#define ERROR_DOMAIN VIR_FROM_NODEDEV

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/nodedev/nodedev.h"
#include "object/defined.h"

typedef struct {
    int pid_lock;
} NodedevDriver;

/* ---- lists ---- */

static guint
type_flag(NodeCapabilityType type)
{
    static const guint type_flags[NODE_CAPABILITY_TYPE_LAST] = {
        [NODE_CAPABILITY_TYPE_SYSTEM] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM,
        [NODE_CAPABILITY_TYPE_PCI] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV,
        [NODE_CAPABILITY_TYPE_USB_DEVICE] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV,
        [NODE_CAPABILITY_TYPE_USB] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE,
        [NODE_CAPABILITY_TYPE_NET] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET,
        [NODE_CAPABILITY_TYPE_SCSI_HOST] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST,
        [NODE_CAPABILITY_TYPE_SCSI] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI,
        [NODE_CAPABILITY_TYPE_STORAGE] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE,
        [NODE_CAPABILITY_TYPE_SCSI_GENERIC] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC,
        [NODE_CAPABILITY_TYPE_DRM] = VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM,
    };

    return type_flags[type];
}

/* Those of the type @cap (NULL: all); what the kernel shows is there, so all are active. */
static GPtrArray *
find_of_type(const char *cap)
{
    GPtrArray *found = nodedev_find_all();

    for (guint i = found->len; cap && i > 0; i--) {
        const FoundDevice *device = found->pdata[i - 1];

        if (strcmp(node_capability_type_to_string(device->type), cap) != 0)
            g_ptr_array_remove_index(found, i - 1);
    }
    return found;
}

static bool
connect_list_all_node_devices(Call *call, const RemoteConnectListAllNodeDevicesArgs *args,
                              RemoteConnectListAllNodeDevicesRet *ret, GError **err)
{
    const guint states =
        VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE | VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE;
    const guint types =
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM | VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE | VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET | VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE | VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS | VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM | VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV | VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_CSS_DEV | VIR_CONNECT_LIST_NODE_DEVICES_CAP_VDPA |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_CARD | VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_QUEUE |
        VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_MATRIX | VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD;
    g_autoptr(GPtrArray) found = NULL;

    if (!call_check_flags(call, args->flags, states | types, ERROR_DOMAIN, err))
        return false;
    found = nodedev_find_all();
    if (args->need_results)
        ret->devices.items = g_new0(RemoteNonnullNodeDevice, found->len);
    for (guint i = 0; i < found->len; i++) {
        const FoundDevice *device = found->pdata[i];

        if (!flags_fit(args->flags, VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE,
                       VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE, true) ||
            (args->flags & types && !(args->flags & type_flag(device->type))))
            continue;
        if (args->need_results)
            ret->devices.items[ret->devices.count++].name = g_strdup(device->name);
        ret->ret++;
    }
    return true;
}

static bool
node_num_of_devices(Call *call, const RemoteNodeNumOfDevicesArgs *args,
                    RemoteNodeNumOfDevicesRet *ret, GError **err)
{
    g_autoptr(GPtrArray) found = NULL;

    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    found = find_of_type(args->cap);
    ret->num = (gint32)found->len;
    return true;
}

static bool
node_list_devices(Call *call, const RemoteNodeListDevicesArgs *args, RemoteNodeListDevicesRet *ret,
                  GError **err)
{
    g_autoptr(GPtrArray) found = NULL;

    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    found = find_of_type(args->cap);
    ret->names.count = MIN(found->len, (guint)MAX(args->maxnames, 0));
    ret->names.items = g_new0(char *, ret->names.count);
    for (guint i = 0; i < ret->names.count; i++)
        ret->names.items[i] = g_strdup(((FoundDevice *)found->pdata[i])->name);
    return true;
}

/* ---- one device ---- */

static bool
node_device_lookup_by_name(Call *call, const RemoteNodeDeviceLookupByNameArgs *args,
                           RemoteNodeDeviceLookupByNameRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = nodedev_find(args->name, err);

    if (device)
        ret->dev.name = g_strdup(device->name);
    return device != NULL;
}

static bool
node_device_get_xml_desc(Call *call, const RemoteNodeDeviceGetXmlDescArgs *args,
                         RemoteNodeDeviceGetXmlDescRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = NULL;
    g_autoptr(NodeDevice) node = NULL;

    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    device = nodedev_find(args->name, err);
    if (!device)
        return false;
    node = nodedev_describe(device);
    ret->xml = node_device_format(node, 0);
    return true;
}

static bool
node_device_get_parent(Call *call, const RemoteNodeDeviceGetParentArgs *args,
                       RemoteNodeDeviceGetParentRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = nodedev_find(args->name, err);

    if (device)
        ret->parentName = g_strdup(device->parent);
    return device != NULL;
}

static bool
node_device_num_of_caps(Call *call, const RemoteNodeDeviceNumOfCapsArgs *args,
                        RemoteNodeDeviceNumOfCapsRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = nodedev_find(args->name, err);

    ret->num = 1;
    return device != NULL;
}

static bool
node_device_list_caps(Call *call, const RemoteNodeDeviceListCapsArgs *args,
                      RemoteNodeDeviceListCapsRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = nodedev_find(args->name, err);

    if (!device)
        return false;
    if (args->maxnames < 1)
        return true;
    ret->names.count = 1;
    ret->names.items = g_new0(char *, 1);
    ret->names.items[0] = g_strdup(node_capability_type_to_string(device->type));
    return true;
}

static bool
node_device_is_active(Call *call, const RemoteNodeDeviceIsActiveArgs *args,
                      RemoteNodeDeviceIsActiveRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = nodedev_find(args->name, err);

    ret->active = device != NULL;
    return device != NULL;
}

/* Only mediated devices can be defined, and none is here; the rest is always there. */
static bool
node_device_is_persistent(Call *call, const RemoteNodeDeviceIsPersistentArgs *args,
                          RemoteNodeDeviceIsPersistentRet *ret, GError **err)
{
    g_autoptr(FoundDevice) device = nodedev_find(args->name, err);

    ret->persistent = device != NULL;
    return device != NULL;
}

/* ---- mediated devices ---- */

static bool
node_device_define_xml(Call *call, const RemoteNodeDeviceDefineXmlArgs *args,
                       RemoteNodeDeviceDefineXmlRet *ret, GError **err)
{
    g_autoptr(NodeDevice) node = NULL;
    g_autoptr(FoundDevice) parent = NULL;

    if (!call_check_flags(call, args->flags, VIR_NODE_DEVICE_DEFINE_XML_VALIDATE, ERROR_DOMAIN,
                          err) ||
        (args->flags & VIR_NODE_DEVICE_DEFINE_XML_VALIDATE &&
         !model_validate(&node_device_model, args->xml_desc, err)))
        return false;
    node = node_device_parse(args->xml_desc, 0, err);
    if (!node)
        return false;
    if (node->capability.kind != NODE_CAPABILITY_TYPE_MDEV)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Unsupported device type: only mediated devices ('mdev') can be defined");
    parent = node->parent ? nodedev_find(node->parent, NULL) : NULL;
    if (!parent)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "invalid parent device '%s'",
                    node->parent ? node->parent : "");
    if (!parent->path)
        return fail(err, VIR_ERR_CONF_SYNTAX, "Unable to find address for parent device '%s'",
                    node->parent);
    return fail(
        err, VIR_ERR_NO_SUPPORT,
        "mediated device on '%s': 'mdevctl', which keeps such definitions, is not driven yet",
        node->parent);
}

/* ---- start and end ---- */

static bool
nodedev_start(Driver *driver, const DriverHost *host, GError **err)
{
    NodedevDriver *devices;
    const int lock = driver_lock(host, "nodedev", "run", err);

    if (lock < 0)
        return false;
    driver->state = devices = g_new0(NodedevDriver, 1);
    devices->pid_lock = lock;
    return true;
}

static void
nodedev_stop(Driver *driver)
{
    g_autofree NodedevDriver *devices = g_steal_pointer(&driver->state);

    if (devices)
        fd_close(&devices->pid_lock);
}

Driver nodedev_driver = {
    .name = "nodedev",
    .folder = "nodedev",
    .event_classes = 1U << API_EVENT_CLASS_NODE_DEVICE,
    .error_domain = VIR_FROM_NODEDEV,
    .start = nodedev_start,
    .stop = nodedev_stop,
    .slots =
        {
            .connect_list_all_node_devices = connect_list_all_node_devices,
            .node_num_of_devices = node_num_of_devices,
            .node_list_devices = node_list_devices,
            .node_device_lookup_by_name = node_device_lookup_by_name,
            .node_device_get_xml_desc = node_device_get_xml_desc,
            .node_device_get_parent = node_device_get_parent,
            .node_device_num_of_caps = node_device_num_of_caps,
            .node_device_list_caps = node_device_list_caps,
            .node_device_is_active = node_device_is_active,
            .node_device_is_persistent = node_device_is_persistent,
            .node_device_define_xml = node_device_define_xml,
        },
};
