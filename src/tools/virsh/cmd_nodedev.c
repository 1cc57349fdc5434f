/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host: list them, make mediated ones, hand them to guests. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"

/* By name; "WWNN,WWPN" finds a vHBA. */
static void *
find_device(Shell *shell, const char *name)
{
    virConnectPtr conn = shell_connection(shell);
    g_auto(GStrv) parts = g_strsplit(name, ",", -1);

    if (g_strv_length(parts) == 2)
        return virNodeDeviceLookupSCSIHostByWWN(conn, parts[0], parts[1], 0);
    return virNodeDeviceLookupByName(conn, name);
}

const ObjectKind nodedev_kind = {
    "device",
    "device",
    find_device,
    OBJECT_NAME(virNodeDeviceGetName),
    OBJECT_CALL(virNodeDeviceFree),
    OBJECT_XML(virNodeDeviceGetXMLDesc),
};

#define DEVICE REQUIRED_OF("device", complete_nodedev, "name of the device, or its WWNN,WWPN")

static const Option device_only[] = {DEVICE, END_OF_OPTIONS};
static const Option destroy_options[] = {DEVICE, ALIAS("name", "--device"), END_OF_OPTIONS};
static const Option dumpxml_options[] = {DEVICE, XPATH_AND_WRAP, END_OF_OPTIONS};
static const Option autostart_options[] = {
    DEVICE,
    FLAG("disable", "do not start it with the host any more"),
    END_OF_OPTIONS,
};
static const Option define_options[] = {
    FILE_ARGUMENT("file with the device's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static int
start_device(void *device)
{
    return virNodeDeviceCreate(device, 0);
}

static int
undefine_device(void *device)
{
    return virNodeDeviceUndefine(device, 0);
}

static const FlagBit create_bits[] = {{"validate", VIR_NODE_DEVICE_CREATE_XML_VALIDATE}};
static const FlagBit define_bits[] = {{"validate", VIR_NODE_DEVICE_DEFINE_XML_VALIDATE}};
static const ObjectDefine create = {&nodedev_kind,
                                    OBJECT_DEFINE(virNodeDeviceCreateXML),
                                    create_bits,
                                    G_N_ELEMENTS(create_bits),
                                    "Node device %s created from %s\n",
                                    "Failed to create node device from %s"};
static const ObjectDefine define = {&nodedev_kind,
                                    OBJECT_DEFINE(virNodeDeviceDefineXML),
                                    define_bits,
                                    G_N_ELEMENTS(define_bits),
                                    "Node device '%s' defined from '%s'\n",
                                    "Failed to define node device from '%s'"};
static const ObjectVerb destroy = {&nodedev_kind, OBJECT_CALL(virNodeDeviceDestroy),
                                   "Destroyed node device '%s'\n",
                                   "Failed to destroy node device '%s'"};
static const ObjectVerb start = {&nodedev_kind, start_device, "Device %s started\n",
                                 "Failed to start device %s"};
static const ObjectVerb undefine = {&nodedev_kind, undefine_device, "Undefined node device '%s'\n",
                                    "Failed to undefine node device '%s'"};
static const ObjectVerb reattach = {&nodedev_kind, OBJECT_CALL(virNodeDeviceReAttach),
                                    "Device %s re-attached\n", "Failed to re-attach device %s"};
static const ObjectVerb reset = {&nodedev_kind, OBJECT_CALL(virNodeDeviceReset),
                                 "Device %s reset\n", "Failed to reset device %s"};
static const ObjectAutostart autostart = {&nodedev_kind, OBJECT_SET(virNodeDeviceSetAutostart)};
static const ObjectDump dump = {&nodedev_kind, 0};

static bool
cmd_detach(Shell *shell, const Args *args)
{
    const char *driver = args_text(args, "driver");
    virNodeDevicePtr device = args_object(shell, args, &nodedev_kind);

    if (!device)
        return false;
    bool good =
        (driver ? virNodeDeviceDetachFlags(device, driver, 0) : virNodeDeviceDettach(device)) >= 0;
    if (good)
        shell_note(shell, "Device %s detached\n", args_text(args, "device"));
    else
        shell_fail(shell, "Failed to detach device %s", args_text(args, "device"));
    virNodeDeviceFree(device);
    return good;
}

static const Option detach_options[] = {
    DEVICE,
    CHOICE("driver", "vfio,xen", "who shall have it"),
    END_OF_OPTIONS,
};

/* ---- list, info ---- */

static const FlagBit capability_bits[] = {
    {"system", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM},
    {"pci", VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV},
    {"usb_device", VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV},
    {"usb", VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE},
    {"net", VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET},
    {"scsi_host", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST},
    {"scsi_target", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET},
    {"scsi", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI},
    {"storage", VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE},
    {"fc_host", VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST},
    {"vports", VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS},
    {"scsi_generic", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC},
    {"drm", VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM},
    {"mdev_types", VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES},
    {"mdev", VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV},
    {"ccw", VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV},
    {"css", VIR_CONNECT_LIST_NODE_DEVICES_CAP_CSS_DEV},
    {"vdpa", VIR_CONNECT_LIST_NODE_DEVICES_CAP_VDPA},
    {"ap_card", VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_CARD},
    {"ap_queue", VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_QUEUE},
    {"ap_matrix", VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_MATRIX},
    {"vpd", VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD},
};

#define CAPABILITIES                                                                   \
    "system,pci,usb_device,usb,net,scsi_host,scsi_target,scsi,storage,fc_host,vports," \
    "scsi_generic,drm,mdev_types,mdev,ccw,css,vdpa,ap_card,ap_queue,ap_matrix,vpd"

static bool
capability_flags(Shell *shell, const Args *args, unsigned int *flags)
{
    const char *text = args_text(args, "cap");
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);

    for (char **word = words; *word; word++) {
        gsize i = 0;
        while (i < G_N_ELEMENTS(capability_bits) && !g_str_equal(capability_bits[i].option, *word))
            i++;
        if (i == G_N_ELEMENTS(capability_bits))
            return shell_fail(shell, "Invalid capability type");
        *flags |= capability_bits[i].bit;
    }
    return true;
}

static int
compare_devices(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virNodeDeviceGetName(*(const virNodeDevicePtr *)a),
                              virNodeDeviceGetName(*(const virNodeDevicePtr *)b));
}

static void
print_devices(Shell *shell, const Args *args, virNodeDevicePtr *devices, int n)
{
    static const char *const headings[] = {"", "", NULL};
    static const char *const keys[] = {"name", "parent", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    g_autofree TreeNode *tree = g_new0(TreeNode, n + 1);

    for (int i = 0; i < n; i++) {
        const char *parent = virNodeDeviceGetParent(devices[i]);
        /* The root is its own parent's name in some answers. */
        tree[i] = (TreeNode){virNodeDeviceGetName(devices[i]), parent && *parent ? parent : NULL};
        table_text(table, tree[i].name);
        table_text(table, tree[i].parent);
        if (!shell_wants_json(shell) && !args_has(args, "tree"))
            shell_print(shell, "%s\n", tree[i].name);
    }
    if (shell_wants_json(shell))
        table_print(shell, table);
    else if (args_has(args, "tree"))
        tree_print(shell, tree, n);
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    bool inactive = args_has(args, "inactive"), all = args_has(args, "all");
    virNodeDevicePtr *devices = NULL;
    unsigned int flags = 0;

    if (!args_exclude(shell, args, "inactive", "all") ||
        !args_exclude(shell, args, "tree", "cap") ||
        !args_exclude(shell, args, "tree", "inactive") || !capability_flags(shell, args, &flags))
        return false;
    if (inactive || all)
        flags |= VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE;
    if (!inactive)
        flags |= VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE;
    int n = virConnectListAllNodeDevices(shell_connection(shell), &devices, flags);
    if (n < 0)
        return shell_fail(shell, "Failed to list node devices");
    qsort(devices, n, sizeof *devices, compare_devices);
    print_devices(shell, args, devices, n);
    for (int i = 0; i < n; i++)
        virNodeDeviceFree(devices[i]);
    free(devices);
    return true;
}

static const Option list_options[] = {
    FLAG("tree", "draw the tree"),
    CHOICE("cap", CAPABILITIES, "only of these kinds"),
    FLAG("inactive", "those that are off"),
    FLAG("all", "those that are on and those that are off"),
    END_OF_OPTIONS,
};

static bool
cmd_info(Shell *shell, const Args *args)
{
    virNodeDevicePtr device = args_object(shell, args, &nodedev_kind);
    g_autoptr(Fields) fields = fields_new(16);
    const char *parent;
    int flag;

    if (!device)
        return false;
    parent = virNodeDeviceGetParent(device);
    fields_text(fields, "Name", "name", virNodeDeviceGetName(device));
    fields_text(fields, "Parent", "parent", parent ? parent : "");
    if ((flag = virNodeDeviceIsActive(device)) >= 0)
        fields_bool(fields, "Active", "active", flag, "yes", "no");
    flag = virNodeDeviceIsPersistent(device);
    fields_text(fields, "Persistent", "persistent", flag < 0 ? "unknown" : flag ? "yes" : "no");
    if (virNodeDeviceGetAutostart(device, &flag) < 0)
        fields_text(fields, "Autostart", "autostart", "no autostart");
    else
        fields_bool(fields, "Autostart", "autostart", flag, "yes", "no");
    shell_forget_error();
    fields_print(shell, fields);
    virNodeDeviceFree(device);
    return true;
}

const Command nodedev_commands[] = {
    {"nodedev-autostart", cmd_object_autostart, autostart_options,
     "start a mediated device with the host", 0, NULL, &autostart},
    {"nodedev-create", cmd_object_define, define_options, "make a transient device from a file", 0,
     NULL, &create},
    {"nodedev-define", cmd_object_define, define_options, "define a device from a file", 0, NULL,
     &define},
    {"nodedev-destroy", cmd_object_verb, destroy_options, "stop a device that was made", 0, NULL,
     &destroy},
    {"nodedev-detach", cmd_detach, detach_options, "take a device from the host, for a guest", 0,
     NULL, NULL},
    {"nodedev-dettach", cmd_detach, detach_options, "the same as nodedev-detach", 0, NULL, NULL},
    {"nodedev-dumpxml", cmd_object_dumpxml, dumpxml_options, "print a device's XML", COMMAND_JSON,
     NULL, &dump},
    {"nodedev-info", cmd_info, device_only, "the most asked facts about a device", COMMAND_JSON,
     NULL, NULL},
    {"nodedev-list", cmd_list, list_options, "devices of the host", COMMAND_JSON, NULL, NULL},
    {"nodedev-reattach", cmd_object_verb, device_only, "give a device back to the host", 0, NULL,
     &reattach},
    {"nodedev-reset", cmd_object_verb, device_only, "reset a device", 0, NULL, &reset},
    {"nodedev-start", cmd_object_verb, device_only, "start a defined device", 0, NULL, &start},
    {"nodedev-undefine", cmd_object_verb, device_only, "remove a device's definition", 0, NULL,
     &undefine},
    {0},
};
