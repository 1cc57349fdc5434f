/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices as XML: attach, detach, update. Commands that write the XML themselves are in cmd_disk.c and cmd_nic.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/device.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

/* ---- what the others use ---- */

static int
attach(virDomainPtr domain, const char *xml, unsigned int flags)
{
    return flags ? virDomainAttachDeviceFlags(domain, xml, flags)
                 : virDomainAttachDevice(domain, xml);
}

static int
detach(virDomainPtr domain, const char *xml, unsigned int flags)
{
    return flags ? virDomainDetachDeviceFlags(domain, xml, flags)
                 : virDomainDetachDevice(domain, xml);
}

const DeviceVerb device_attach = {attach, "attach", "attached"};
const DeviceVerb device_detach = {detach, "detach", "detached"};
const DeviceVerb device_update = {virDomainUpdateDeviceFlags, "update", "updated"};

bool
device_do(Shell *shell, virDomainPtr domain, const DeviceVerb *verb, const char *what,
          const char *xml, unsigned int flags)
{
    if (verb->call(domain, xml, flags) < 0)
        return shell_fail(shell, "Failed to %s %s", verb->name, what);
    g_autofree char *title = g_strdup(what);
    *title = g_ascii_toupper(*title);
    shell_note(shell, "%s %s successfully\n", title, verb->done);
    return true;
}

XmlNode *
device_find(virDomainPtr domain, unsigned int affect, bool (*is_it)(XmlNode *device, void *opaque),
            void *opaque, XmlNode **root)
{
    bool next_start = affect & VIR_DOMAIN_AFFECT_CONFIG && !(affect & VIR_DOMAIN_AFFECT_LIVE);
    g_autofree char *xml = virDomainGetXMLDesc(domain, next_start ? VIR_DOMAIN_XML_INACTIVE : 0);
    XmlNode *devices;

    *root = xml ? xml_parse(xml) : NULL;
    devices = xml_child(*root, "devices");
    for (guint i = 0; devices && i < devices->children->len; i++) {
        if (is_it(devices->children->pdata[i], opaque))
            return devices->children->pdata[i];
    }
    return NULL;
}

/* ---- by file ---- */

static bool
cmd_device_file(Shell *shell, const Args *args)
{
    const DeviceVerb *verb = args_detail(args);
    const char *path = args_text(args, "file");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *xml = NULL;

    if (!domain || !args_affect_persistent(shell, args, domain, &flags))
        return false;
    xml = args_file(shell, args, "file");
    if (!xml)
        return false;
    flags |= args_has(args, "force") ? VIR_DOMAIN_DEVICE_MODIFY_FORCE : 0;
    if (verb->call(domain, xml, flags) < 0)
        return shell_fail(shell, "Failed to %s device from %s", verb->name, path);
    shell_note(shell, "Device %s successfully\n", verb->done);
    return true;
}

static const Option device_file_options[] = {
    DOMAIN,
    FILE_ARGUMENT("file with the device's XML"),
    AFFECT_PERSISTENT,
    END_OF_OPTIONS,
};

static const Option update_device_options[] = {
    DOMAIN,
    FILE_ARGUMENT("file with the device's XML"),
    AFFECT_PERSISTENT,
    FLAG("force", "also against the guest's will (a locked tray)"),
    END_OF_OPTIONS,
};

static bool
cmd_detach_device_alias(Shell *shell, const Args *args)
{
    const char *alias = args_text(args, "alias");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainDetachDeviceAlias(domain, alias, flags) < 0)
        return shell_fail(shell, "Failed to detach device with alias %s", alias);
    shell_note(shell, "Device detach request sent successfully\n");
    return true;
}

static const Option detach_device_alias_options[] = {
    DOMAIN,
    REQUIRED_OF("alias", complete_device_alias, "alias of the device, such as net0"),
    AFFECT,
    END_OF_OPTIONS,
};

/* ---- memory devices ---- */

typedef struct {
    const char *alias;
    const char *node;
    int matches;
} MemoryWanted;

static bool
is_memory(XmlNode *device, void *opaque)
{
    MemoryWanted *wanted = opaque;
    const char *alias = xml_get(xml_child(device, "alias"), "name");
    const char *node = xml_child_text(xml_child(device, "target"), "node");

    return g_str_equal(device->name, "memory") &&
           (!wanted->alias || g_strcmp0(alias, wanted->alias) == 0) &&
           (!wanted->node || g_strcmp0(node, wanted->node) == 0) && ++wanted->matches;
}

static bool
cmd_update_memory_device(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT, node = 0;
    MemoryWanted wanted = {args_text(args, "alias"), args_text(args, "node"), 0};
    unsigned long long kib = 0;
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(XmlNode) root = NULL;
    g_autoptr(GString) xml = g_string_new(NULL);

    if (!args_affect(shell, args, &flags) || !args_exclude(shell, args, "node", "alias") ||
        !args_kib(shell, args, "requested-size", &kib) || !args_uint(shell, args, "node", &node))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    XmlNode *memory = device_find(domain, flags, is_memory, &wanted, &root);
    if (!memory)
        return root && shell_fail(shell, "no memory device found");
    if (!wanted.alias && !wanted.node) {
        XmlNode *devices = xml_child(root, "devices");
        guint n = 0;
        for (guint i = 0; i < devices->children->len; i++)
            n += g_str_equal(((XmlNode *)devices->children->pdata[i])->name, "memory");
        if (n > 1)
            return shell_fail(shell, "several memory devices: say which with --alias or --node");
    }
    if (args_has(args, "requested-size")) {
        XmlNode *requested = xml_ensure_child(xml_ensure_child(memory, "target"), "requested");
        xml_set(requested, "unit", "KiB");
        g_string_printf(requested->text, "%llu", kib);
    }
    xml_append(xml, memory);
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    return virDomainUpdateDeviceFlags(domain, xml->str, flags) >= 0;
}

static const Option update_memory_device_options[] = {
    DOMAIN,
    AFFECT,
    FLAG("print-xml", "print the XML and do nothing"),
    TEXT_OF("alias", complete_device_alias, "alias of the memory device"),
    NUMBER("node", "guest NUMA node of the memory device"),
    NUMBER("requested-size", "memory the guest shall have of it, KiB or with a unit"),
    END_OF_OPTIONS,
};

const Command device_commands[] = {
    {"attach-device", cmd_device_file, device_file_options, "plug a device in", 0,
     "Without --live, --config or --persistent it is the present state that changes.\n\nExample:\n"
     "  virsh attach-device web1 disk.xml --live --config",
     &device_attach},
    {"detach-device", cmd_device_file, device_file_options, "unplug a device", 0,
     "The guest has to agree; `virsh event web1 device-removed` tells when it did.",
     &device_detach},
    {"detach-device-alias", cmd_detach_device_alias, detach_device_alias_options,
     "unplug the device of that alias", 0, NULL, NULL},
    {"update-device", cmd_device_file, update_device_options, "change a device", 0, NULL,
     &device_update},
    {"update-memory-device", cmd_update_memory_device, update_memory_device_options,
     "change the size of a memory device", 0, NULL, NULL},
    {0},
};
