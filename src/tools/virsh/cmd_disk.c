/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks without writing XML: attach, detach, change the medium. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/virsh/device.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

/* pci:0000.00.00.00 ccw:fe.0.0000 scsi:0.0.0 sata:, ide:, usb:0.0 - kind, and the attributes its numbers fill. */
static const struct {
    const char *kind;
    const char *type; /* of <address> */
    bool hex;
    const char *attributes[5];
} addresses[] = {
    {"pci", "pci", true, {"domain", "bus", "slot", "function", NULL}},
    {"ccw", "ccw", true, {"cssid", "ssid", "devno", NULL}},
    {"scsi", "drive", false, {"controller", "bus", "unit", NULL}},
    {"sata", "drive", false, {"controller", "bus", "unit", NULL}},
    {"ide", "drive", false, {"controller", "bus", "unit", NULL}},
    {"usb", "usb", false, {"bus", "port", NULL}},
};

static bool
append_address(Shell *shell, const Args *args, GString *xml)
{
    const char *text = args_text(args, "address"), *colon = text ? strchr(text, ':') : NULL;
    g_auto(GStrv) numbers = g_strsplit(colon ? colon + 1 : "", ".", -1);

    if (!text)
        return true;
    for (gsize i = 0; colon && i < G_N_ELEMENTS(addresses); i++) {
        gsize length = strlen(addresses[i].kind);
        guint count = g_strv_length((char **)addresses[i].attributes);
        if ((gsize)(colon - text) != length || strncmp(text, addresses[i].kind, length) != 0 ||
            g_strv_length(numbers) != count)
            continue;
        g_string_append_printf(xml, "  <address type='%s'", addresses[i].type);
        for (guint k = 0; k < count; k++) {
            char *end;
            unsigned long number = strtoul(numbers[k], &end, addresses[i].hex ? 16 : 10);
            if (!*numbers[k] || *end)
                return shell_fail(shell, "Invalid address '%s'", text);
            g_string_append_printf(xml, addresses[i].hex ? " %s='0x%lx'" : " %s='%lu'",
                                   addresses[i].attributes[k], number);
        }
        if (args_has(args, "multifunction"))
            g_string_append(xml, " multifunction='on'");
        g_string_append(xml, "/>\n");
        return true;
    }
    return shell_fail(shell,
                      "Invalid address '%s': expecting pci:0000.00.00.00, ccw:fe.0.0000, "
                      "scsi:0.0.0, sata:0.0.0, ide:0.0.0 or usb:0.0",
                      text);
}

/* The type of the source: as asked, else by what the path is here. */
static const char *
source_type(const Args *args, const char *source)
{
    const char *type = args_text(args, "sourcetype");
    struct stat info;

    if (type)
        return type;
    if (args_has(args, "source-protocol"))
        return "network";
    return stat(source, &info) == 0 && S_ISBLK(info.st_mode) ? "block" : "file";
}

static void
append_source(const Args *args, GString *xml, const char *type, const char *source)
{
    const char *host = args_text(args, "source-host-name");
    const char *colon = host ? strrchr(host, ':') : NULL;
    g_autofree char *name = colon ? g_strndup(host, colon - host) : g_strdup(host);
    bool network = g_str_equal(type, "network");

    g_string_append(xml, "  <source");
    xml_append_attribute(xml, "protocol", network ? args_text(args, "source-protocol") : NULL);
    xml_append_attribute(xml,
                         network                      ? "name"
                         : g_str_equal(type, "block") ? "dev"
                                                      : "file",
                         source);
    if (!network || (!host && !args_has(args, "source-host-socket"))) {
        g_string_append(xml, "/>\n");
        return;
    }
    g_string_append(xml, ">\n    <host");
    xml_append_attribute(xml, "name", name);
    xml_append_attribute(xml, "port", colon ? colon + 1 : NULL);
    xml_append_attribute(xml, "transport", args_text(args, "source-host-transport"));
    xml_append_attribute(xml, "socket", args_text(args, "source-host-socket"));
    g_string_append(xml, "/>\n  </source>\n");
}

static bool
check_attach(Shell *shell, const Args *args)
{
    static const char *const devices[] = {"disk", "cdrom", "floppy", "lun", NULL};
    static const char *const modes[] = {"readonly", "shareable", NULL};
    static const char *const sources[] = {"file", "block", "network", NULL};
    int place = 0;

    return args_exclude(shell, args, "source-host-name", "source-host-socket") &&
           args_need(shell, args, "source-host-name", "source-protocol") &&
           args_need(shell, args, "source-host-socket", "source-protocol") &&
           args_need(shell, args, "multifunction", "address") &&
           args_word(shell, args, "type", devices, &place) &&
           args_word(shell, args, "mode", modes, &place) &&
           args_word(shell, args, "sourcetype", sources, &place);
}

static bool
cmd_attach_disk(Shell *shell, const Args *args)
{
    static const char *const driver[][2] = {
        {"driver", "name"}, {"subdriver", "type"}, {"iothread", "iothread"},
        {"cache", "cache"}, {"io", "io"},
    };
    const char *source = args_text(args, "source"), *type = source_type(args, source);
    g_autoptr(GString) xml = g_string_new(NULL);
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;
    bool has_driver = false;

    if (!check_attach(shell, args))
        return false;
    g_string_append_printf(xml, "<disk type='%s'", type);
    xml_append_attribute(xml, "device", args_text(args, "type"));
    g_string_append(xml, args_has(args, "rawio") ? " rawio='yes'>\n" : ">\n");
    for (gsize i = 0; i < G_N_ELEMENTS(driver); i++) {
        if (!args_has(args, driver[i][0]))
            continue;
        g_string_append(xml, has_driver ? "" : "  <driver");
        has_driver = true;
        xml_append_attribute(xml, driver[i][1], args_text(args, driver[i][0]));
    }
    g_string_append(xml, has_driver ? "/>\n" : "");
    if (*source)
        append_source(args, xml, type, source);
    g_string_append(xml, "  <target");
    xml_append_attribute(xml, "dev", args_text(args, "target"));
    xml_append_attribute(xml, "bus", args_text(args, "targetbus"));
    g_string_append(xml, "/>\n");
    if (args_has(args, "mode"))
        g_string_append_printf(xml, "  <%s/>\n", args_text(args, "mode"));
    xml_append_element(xml, "  ", "serial", args_text(args, "serial"));
    if (args_has(args, "alias")) {
        g_string_append(xml, "  <alias");
        xml_append_attribute(xml, "name", args_text(args, "alias"));
        g_string_append(xml, "/>\n");
    }
    xml_append_element(xml, "  ", "wwn", args_text(args, "wwn"));
    if (!append_address(shell, args, xml))
        return false;
    g_string_append(xml, "</disk>\n");
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    domain = args_domain(shell, args);
    return domain && args_affect_persistent(shell, args, domain, &flags) &&
           device_do(shell, domain, &device_attach, "disk", xml->str, flags);
}

static const Option attach_disk_options[] = {
    DOMAIN,
    REQUIRED_OF("source", NULL, "file or device; empty for a drive without a medium"),
    REQUIRED("target", "name in the guest: vdb"),
    CHOICE("targetbus", "virtio,scsi,sata,ide,usb,fdc", "bus in the guest"),
    TEXT("driver", "driver: qemu"),
    CHOICE("subdriver", "raw,qcow2", "format of the image"),
    TEXT("iothread", "number of the I/O thread"),
    CHOICE("cache", "default,none,writethrough,writeback,directsync,unsafe", "host caching"),
    CHOICE("io", "threads,native,io_uring", "how the host does I/O"),
    CHOICE("type", "disk,cdrom,floppy,lun", "kind of device"),
    CHOICE("mode", "readonly,shareable", "how it may be used"),
    CHOICE("sourcetype", "file,block,network", "what the source is; none: look at it"),
    TEXT("serial", "serial number"),
    TEXT("wwn", "world wide name"),
    TEXT("alias", "alias: ua-data"),
    FLAG("rawio", "let it send raw SCSI commands"),
    TEXT("address", "where it is plugged: pci:0000.00.04.00, scsi:0.0.1"),
    FLAG("multifunction", "the PCI slot has more functions"),
    FLAG("print-xml", "print the XML and do nothing"),
    TEXT("source-protocol", "protocol of a network source: nbd"),
    TEXT("source-host-name", "host of a network source: name or name:port"),
    TEXT("source-host-transport", "its transport: tcp, unix"),
    TEXT("source-host-socket", "its socket, for unix"),
    AFFECT_PERSISTENT,
    ALIAS("shareable", "--mode=shareable"),
    END_OF_OPTIONS,
};

/* ---- existing ones ---- */

static bool
is_disk(XmlNode *device, void *opaque)
{
    const char *name = opaque, *target = xml_get(xml_child(device, "target"), "dev");
    g_autofree char *source = NULL;

    if (!g_str_equal(device->name, "disk"))
        return false;
    source = xml_disk_source(device);
    return g_strcmp0(target, name) == 0 || g_strcmp0(source, name) == 0;
}

static bool
cmd_detach_disk(Shell *shell, const Args *args)
{
    const char *target = args_text(args, "target");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(XmlNode) root = NULL;
    g_autoptr(GString) xml = g_string_new(NULL);

    if (!domain || !args_affect_persistent(shell, args, domain, &flags))
        return false;
    XmlNode *disk = device_find(domain, flags, is_disk, (void *)target, &root);
    if (!disk)
        return root && shell_fail(shell, "No disk found whose source path or target is %s", target);
    xml_append(xml, disk);
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    return device_do(shell, domain, &device_detach, "disk", xml->str, flags);
}

static const Option detach_disk_options[] = {
    DOMAIN,
    REQUIRED_OF("target", complete_disk, "target or source of the disk"),
    AFFECT_PERSISTENT,
    FLAG("print-xml", "print the XML and do nothing"),
    END_OF_OPTIONS,
};

/* What the drive shall hold: @source, or nothing; false when that makes no sense for what it holds now. */
static bool
change_source(Shell *shell, const Args *args, XmlNode *disk, const char *source)
{
    bool block = args_has(args, "block"), has = xml_child(disk, "source") != NULL;
    const char *target = xml_get(xml_child(disk, "target"), "dev");

    if (args_has(args, "eject") && !has)
        return shell_fail(shell, "The disk device '%s' doesn't have media", target);
    if (args_has(args, "insert") && has)
        return shell_fail(shell, "The disk device '%s' already has media", target);
    if (source && !block) {
        struct stat info;
        block = stat(source, &info) == 0 && S_ISBLK(info.st_mode);
    }
    xml_remove_child(disk, "source");
    xml_remove_child(disk, "backingStore");
    if (source) {
        xml_set(disk, "type", block ? "block" : "file");
        xml_set(xml_ensure_child(disk, "source"), block ? "dev" : "file", source);
    }
    return true;
}

static bool
cmd_change_media(Shell *shell, const Args *args)
{
    const char *path = args_text(args, "path"), *source = args_text(args, "source");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(XmlNode) root = NULL;
    g_autoptr(GString) xml = g_string_new(NULL);

    if (!args_exclude(shell, args, "eject", "insert") ||
        !args_exclude(shell, args, "eject", "update") ||
        !args_exclude(shell, args, "insert", "update") ||
        !args_exclude(shell, args, "eject", "block") || !args_affect(shell, args, &flags))
        return false;
    if (args_has(args, "eject") ? source != NULL : !source && args_has(args, "insert"))
        return shell_fail(shell, source ? "--eject takes no source" : "--insert needs a source");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    XmlNode *disk = device_find(domain, flags, is_disk, (void *)path, &root);
    const char *device = xml_get(disk, "device");
    if (!disk || !(device && (g_str_equal(device, "cdrom") || g_str_equal(device, "floppy"))))
        return root &&
               shell_fail(shell, "No removable disk found whose source path or target is %s", path);
    if (!change_source(shell, args, disk, source))
        return false;
    xml_append(xml, disk);
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    flags |= args_has(args, "force") ? VIR_DOMAIN_DEVICE_MODIFY_FORCE : 0;
    if (virDomainUpdateDeviceFlags(domain, xml->str, flags) < 0)
        return shell_fail(shell, "Failed to complete action %s on media",
                          source ? "insert" : "eject");
    shell_note(shell, "Successfully %s media.", source ? "inserted" : "ejected");
    return true;
}

static const Option change_media_options[] = {
    DOMAIN,
    REQUIRED_OF("path", complete_disk, "target or source of the drive"),
    TEXT_OF("source", NULL, "the new medium"),
    FLAG("eject", "take the medium out"),
    FLAG("insert", "put a medium into an empty drive"),
    FLAG("update", "change the medium, or take it out when there is no source"),
    FLAG("current", "of the present state"),
    FLAG("live", "of the running guest"),
    FLAG("config", "of the next start"),
    FLAG("force", "also when the guest has locked the tray"),
    FLAG("print-xml", "print the XML and do nothing"),
    FLAG("block", "the source is a block device"),
    END_OF_OPTIONS,
};

const Command disk_commands[] = {
    {"attach-disk", cmd_attach_disk, attach_disk_options, "plug a disk in", 0,
     "Example:\n  virsh attach-disk web1 /images/data.qcow2 vdb --subdriver qcow2 --live --config",
     NULL},
    {"change-media", cmd_change_media, change_media_options,
     "change what a CD or floppy drive holds", 0,
     "Examples:\n  virsh change-media web1 sda /iso/debian.iso --update\n"
     "  virsh change-media web1 sda --eject",
     NULL},
    {"detach-disk", cmd_detach_disk, detach_disk_options, "unplug a disk", 0, NULL, NULL},
    {0},
};
