/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces without writing XML: attach, detach, plug the cable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/device.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

/* "1,2,3,4" as attributes of one direction. */
static bool
append_rate(Shell *shell, const Args *args, GString *xml, const char *direction)
{
    static const char *const names[] = {"average", "peak", "burst", "floor"};
    const char *text = args_text(args, direction);
    g_auto(GStrv) numbers = g_strsplit(text ? text : "", ",", -1);
    guint64 number;

    if (!text)
        return true;
    if (!*numbers || g_strv_length(numbers) > G_N_ELEMENTS(names))
        return shell_fail(shell, "%s format is incorrect", direction);
    g_string_append_printf(xml, "    <%s", direction);
    for (guint i = 0; numbers[i]; i++) {
        if (i && !*numbers[i])
            continue;
        if (!g_ascii_string_to_unsigned(numbers[i], 10, 0, G_MAXUINT64, &number, NULL))
            return shell_fail(shell, "%s format is incorrect", direction);
        xml_append_attribute(xml, names[i], numbers[i]);
    }
    g_string_append(xml, "/>\n");
    return true;
}

static bool
append_pci_source(Shell *shell, GString *xml, const char *source)
{
    unsigned int domain, bus, slot, function;
    char rest;

    if (sscanf(source, "%x:%x:%x.%x%c", &domain, &bus, &slot, &function, &rest) != 4)
        return shell_fail(shell, "cannot parse pci address '%s': expecting 0000:00:00.0", source);
    g_string_append_printf(xml,
                           "  <source>\n    <address type='pci' domain='0x%.4x' bus='0x%.2x' "
                           "slot='0x%.2x' function='0x%x'/>\n  </source>\n",
                           domain, bus, slot, function);
    return true;
}

static void
append_child(GString *xml, const char *element, const char *attribute, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(xml, "  <%s", element);
    xml_append_attribute(xml, attribute, value);
    g_string_append(xml, "/>\n");
}

/* Each type of interface calls its source by another name. */
static bool
append_source(Shell *shell, const Args *args, GString *xml)
{
    static const struct {
        const char *type, *attribute;
    } sources[] = {{"network", "network"}, {"bridge", "bridge"}, {"direct", "dev"}};
    const char *type = args_text(args, "type"), *source = args_text(args, "source");

    if (g_str_equal(type, "hostdev"))
        return append_pci_source(shell, xml, source);
    if (g_str_equal(type, "vhostuser")) {
        if (!args_has(args, "source-mode"))
            return shell_fail(shell, "source-mode is mandatory");
        g_string_append(xml, "  <source type='unix'");
        xml_append_attribute(xml, "path", source);
        xml_append_attribute(xml, "mode", args_text(args, "source-mode"));
        g_string_append(xml, "/>\n");
        return true;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) {
        if (!g_str_equal(sources[i].type, type))
            continue;
        append_child(xml, "source", sources[i].attribute, source);
        return true;
    }
    return shell_fail(shell, "No support for %s in command 'attach-interface'", type);
}

static bool
cmd_attach_interface(Shell *shell, const Args *args)
{
    const char *type = args_text(args, "type");
    g_autoptr(GString) xml = g_string_new("<interface");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;

    if (args_has(args, "managed") && !g_str_equal(type, "hostdev"))
        return shell_fail(shell, "--managed is about hostdev interfaces");
    if (args_has(args, "source-mode") && !g_str_equal(type, "vhostuser"))
        return shell_fail(shell, "--source-mode is about vhostuser interfaces");
    xml_append_attribute(xml, "type", type);
    g_string_append(xml, args_has(args, "managed") ? " managed='yes'>\n" : ">\n");
    if (!append_source(shell, args, xml))
        return false;
    append_child(xml, "target", "dev", args_text(args, "target"));
    append_child(xml, "mac", "address", args_text(args, "mac"));
    append_child(xml, "script", "path", args_text(args, "script"));
    append_child(xml, "model", "type", args_text(args, "model"));
    append_child(xml, "alias", "name", args_text(args, "alias"));
    if (args_has(args, "inbound") || args_has(args, "outbound")) {
        g_string_append(xml, "  <bandwidth>\n");
        if (!append_rate(shell, args, xml, "inbound") || !append_rate(shell, args, xml, "outbound"))
            return false;
        g_string_append(xml, "  </bandwidth>\n");
    }
    g_string_append(xml, "</interface>\n");
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    domain = args_domain(shell, args);
    return domain && args_affect_persistent(shell, args, domain, &flags) &&
           device_do(shell, domain, &device_attach, "interface", xml->str, flags);
}

static const Option attach_interface_options[] = {
    DOMAIN,
    REQUIRED_CHOICE("type", "network,bridge,direct,hostdev,vhostuser", "kind of connection"),
    REQUIRED("source", "name of the network, bridge, device, or path of the socket"),
    TEXT("target", "name of the host side"),
    TEXT("mac", "MAC address"),
    TEXT_OF("script", NULL, "script that sets a bridge up"),
    TEXT("model", "device model: virtio"),
    TEXT("alias", "alias: ua-net"),
    TEXT("inbound", "KiB/s to the guest: average,peak,burst,floor"),
    TEXT("outbound", "KiB/s from the guest: average,peak,burst"),
    AFFECT_PERSISTENT,
    FLAG("print-xml", "print the XML and do nothing"),
    FLAG("managed", "take a host device from its driver and give it back"),
    CHOICE("source-mode", "server,client", "which side makes a vhostuser socket"),
    END_OF_OPTIONS,
};

/* ---- existing ones ---- */

typedef struct {
    const char *type; /* NULL: any */
    const char *name; /* of the host side, or a MAC; NULL: any */
    guint matches;
} Wanted;

static bool
is_nic(XmlNode *device, void *opaque)
{
    Wanted *wanted = opaque;
    const char *mac = xml_get(xml_child(device, "mac"), "address");
    const char *target = xml_get(xml_child(device, "target"), "dev");

    if (!g_str_equal(device->name, "interface") ||
        (wanted->type && g_strcmp0(xml_get(device, "type"), wanted->type) != 0))
        return false;
    if (wanted->name && g_strcmp0(target, wanted->name) != 0 &&
        (!mac || g_ascii_strcasecmp(mac, wanted->name) != 0))
        return false;
    wanted->matches++;
    return true;
}

static bool
cmd_detach_interface(Shell *shell, const Args *args)
{
    Wanted wanted = {args_text(args, "type"), args_text(args, "mac"), 0};
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(XmlNode) root = NULL;
    g_autoptr(GString) xml = g_string_new(NULL);

    if (!domain || !args_affect_persistent(shell, args, domain, &flags))
        return false;
    XmlNode *nic = device_find(domain, flags, is_nic, &wanted, &root);
    if (!nic)
        return root && shell_fail(shell,
                                  wanted.name ? "No interface with MAC address %s was found"
                                              : "No interface found whose type is %s",
                                  wanted.name ? wanted.name : wanted.type);
    XmlNode *devices = xml_child(root, "devices");
    wanted.matches = 0;
    for (guint i = 0; i < devices->children->len; i++)
        is_nic(devices->children->pdata[i], &wanted);
    if (wanted.matches > 1)
        return shell_fail(shell,
                          "Domain has %u interfaces. Please specify which one to detach "
                          "using --mac",
                          wanted.matches);
    xml_append(xml, nic);
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    return device_do(shell, domain, &device_detach, "interface", xml->str, flags);
}

static const Option detach_interface_options[] = {
    DOMAIN,
    REQUIRED_CHOICE("type", "network,bridge,direct,hostdev,user,ethernet", "kind of connection"),
    TEXT_OF("mac", complete_nic, "MAC address"),
    AFFECT_PERSISTENT,
    FLAG("print-xml", "print the XML and do nothing"),
    END_OF_OPTIONS,
};

static bool
cmd_domif_setlink(Shell *shell, const Args *args)
{
    static const char *const states[] = {"up", "down", NULL};
    Wanted wanted = {NULL, args_text(args, "interface"), 0};
    unsigned int flags = args_has(args, "config") ? VIR_DOMAIN_AFFECT_CONFIG : 0;
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(XmlNode) root = NULL;
    g_autoptr(GString) xml = g_string_new(NULL);
    int state = 0;

    if (!args_word(shell, args, "state", states, &state))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (!flags && virDomainIsActive(domain) == 0)
        flags = VIR_DOMAIN_AFFECT_CONFIG;
    XmlNode *nic = device_find(domain, flags, is_nic, &wanted, &root);
    if (!nic)
        return root && shell_fail(shell, "interface '%s' not found", wanted.name);
    xml_set(xml_ensure_child(nic, "link"), "state", states[state]);
    xml_append(xml, nic);
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    if (virDomainUpdateDeviceFlags(domain, xml->str, flags) < 0)
        return shell_fail(shell, "Failed to update interface link state");
    shell_note(shell, "Device updated successfully\n");
    return true;
}

static const Option domif_setlink_options[] = {
    DOMAIN,
    REQUIRED_OF("interface", complete_nic, "name of the host side, or MAC"),
    REQUIRED_CHOICE("state", "up,down", "plug the cable or pull it"),
    FLAG("config", "of the next start"),
    FLAG("print-xml", "print the XML and do nothing"),
    ALIAS("persistent", "--config"),
    END_OF_OPTIONS,
};

static bool
cmd_domif_getlink(Shell *shell, const Args *args)
{
    Wanted wanted = {NULL, args_text(args, "interface"), 0};
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(XmlNode) root = NULL;
    bool config = args_has(args, "config");

    if (!domain)
        return false;
    XmlNode *nic =
        device_find(domain, config ? VIR_DOMAIN_AFFECT_CONFIG : 0, is_nic, &wanted, &root);
    if (!nic)
        return root && shell_fail(shell, "Interface (%s: %s) not found.",
                                  strchr(wanted.name, ':') ? "mac" : "dev", wanted.name);
    const char *state = xml_get(xml_child(nic, "link"), "state");
    state = state ? state : "up";
    if (shell_wants_json(shell))
        print_value(shell, "link", state);
    else
        shell_print(shell, "%s %s", wanted.name, state);
    return true;
}

static const Option domif_getlink_options[] = {
    DOMAIN,
    REQUIRED_OF("interface", complete_nic, "name of the host side, or MAC"),
    FLAG("config", "of the next start"),
    ALIAS("persistent", "--config"),
    END_OF_OPTIONS,
};

const Command nic_commands[] = {
    {"attach-interface", cmd_attach_interface, attach_interface_options,
     "plug a network interface in", 0,
     "Example:\n  virsh attach-interface web1 bridge br0 --model virtio --live --config", NULL},
    {"detach-interface", cmd_detach_interface, detach_interface_options,
     "unplug a network interface", 0, NULL, NULL},
    {"domif-setlink", cmd_domif_setlink, domif_setlink_options,
     "plug or pull the cable of an interface", 0, NULL, NULL},
    {0},
};

const Command nic_monitor_commands[] = {
    {"domif-getlink", cmd_domif_getlink, domif_getlink_options,
     "whether an interface's cable is plugged", COMMAND_JSON, NULL, NULL},
    {0},
};
