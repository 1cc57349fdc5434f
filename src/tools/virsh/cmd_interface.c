/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces of the host. What is alike for all objects is in object.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

static void *
find_interface(Shell *shell, const char *name)
{
    virConnectPtr conn = shell_connection(shell);
    virInterfacePtr interface = virInterfaceLookupByName(conn, name);

    return interface ? interface : virInterfaceLookupByMACString(conn, name);
}

const ObjectKind interface_kind = {
    "interface",
    "interface",
    find_interface,
    OBJECT_NAME(virInterfaceGetName),
    OBJECT_CALL(virInterfaceFree),
    OBJECT_XML(virInterfaceGetXMLDesc),
};

#define INTERFACE REQUIRED_OF("interface", complete_interface, "name or MAC of the interface")

static const Option interface_only[] = {INTERFACE, END_OF_OPTIONS};
static const Option dumpxml_options[] = {
    INTERFACE,
    FLAG("inactive", "what the next start will use"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};
static const Option define_options[] = {
    FILE_ARGUMENT("file with the interface's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static int
start_interface(void *interface)
{
    return virInterfaceCreate(interface, 0);
}

static int
stop_interface(void *interface)
{
    return virInterfaceDestroy(interface, 0);
}

static const FlagBit define_bits[] = {{"validate", VIR_INTERFACE_DEFINE_VALIDATE}};
static const ObjectDefine define = {&interface_kind,
                                    OBJECT_DEFINE(virInterfaceDefineXML),
                                    define_bits,
                                    G_N_ELEMENTS(define_bits),
                                    "Interface %s defined from %s\n",
                                    "Failed to define interface from %s"};
static const ObjectVerb start = {&interface_kind, start_interface, "Interface %s started\n",
                                 "Failed to start interface %s"};
static const ObjectVerb destroy = {&interface_kind, stop_interface, "Interface %s destroyed\n",
                                   "Failed to destroy interface %s"};
static const ObjectVerb undefine = {&interface_kind, OBJECT_CALL(virInterfaceUndefine),
                                    "Interface %s undefined\n", "Failed to undefine interface %s"};
static const ObjectDump dump = {&interface_kind, VIR_INTERFACE_XML_INACTIVE};
static const ObjectEdit edit = {&interface_kind, VIR_INTERFACE_XML_INACTIVE,
                                OBJECT_DEFINE(virInterfaceDefineXML),
                                "Interface %s XML configuration"};
static const ObjectText name = {&interface_kind, "name", NULL, OBJECT_NAME(virInterfaceGetName)};
static const ObjectText mac = {&interface_kind, "mac", NULL, OBJECT_NAME(virInterfaceGetMACString)};

/* ---- list ---- */

static int
compare_interfaces(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virInterfaceGetName(*(const virInterfacePtr *)a),
                              virInterfaceGetName(*(const virInterfacePtr *)b));
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Name", "State", "MAC Address", NULL};
    static const char *const keys[] = {"name", "state", "mac", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    unsigned int flags = args_has(args, "all")        ? 0
                         : args_has(args, "inactive") ? VIR_CONNECT_LIST_INTERFACES_INACTIVE
                                                      : VIR_CONNECT_LIST_INTERFACES_ACTIVE;
    virInterfacePtr *list = NULL;
    int n = virConnectListAllInterfaces(shell_connection(shell), &list, flags);

    if (n < 0)
        return shell_fail(shell, "Failed to list interfaces");
    qsort(list, n, sizeof *list, compare_interfaces);
    for (int i = 0; i < n; i++) {
        table_text(table, virInterfaceGetName(list[i]));
        table_text(table, virInterfaceIsActive(list[i]) == 1 ? "active" : "inactive");
        table_text(table, virInterfaceGetMACString(list[i]));
        virInterfaceFree(list[i]);
    }
    free(list);
    table_print(shell, table);
    return true;
}

static const Option list_options[] = {
    FLAG("inactive", "those that are off"),
    FLAG("all", "those that are on and those that are off"),
    END_OF_OPTIONS,
};

/* ---- changes that can be taken back ---- */

typedef struct {
    int (*call)(virConnectPtr conn, unsigned int flags);
    const char *done, *failed;
} ChangeVerb;

static const ChangeVerb change_verbs[] = {
    {virInterfaceChangeBegin, "Network config change transaction started\n",
     "Failed to begin network config change transaction"},
    {virInterfaceChangeCommit, "Network config change transaction committed\n",
     "Failed to commit network config change transaction"},
    {virInterfaceChangeRollback, "Network config change transaction rolled back\n",
     "Failed to rollback network config change transaction"},
};

static bool
cmd_change(Shell *shell, const Args *args)
{
    const ChangeVerb *verb = args_detail(args);

    if (verb->call(shell_connection(shell), 0) < 0)
        return shell_fail(shell, "%s", verb->failed);
    shell_note(shell, "%s", verb->done);
    return true;
}

/* ---- bridges ---- */

/* Define @xml and start what it is, unless --no-start. */
static bool
define_and_start(Shell *shell, const Args *args, const char *xml, const char *what)
{
    const char *action = args_has(args, "no-start") ? NULL : "start";
    virInterfacePtr made = virInterfaceDefineXML(shell_connection(shell), xml, 0);

    if (!made)
        return shell_fail(shell, "Failed to define %s", what);
    bool good = !action || virInterfaceCreate(made, 0) >= 0;
    if (!good)
        shell_fail(shell, "Failed to start %s", what);
    else if (action)
        shell_note(shell, "Interface %s started\n", virInterfaceGetName(made));
    virInterfaceFree(made);
    return good;
}

/* An interface's XML put into a bridge: what is about addresses moves to the bridge. */
static bool
cmd_bridge(Shell *shell, const Args *args)
{
    const char *bridge = args_text(args, "bridge");
    virInterfacePtr interface = args_object(shell, args, &interface_kind);
    g_autofree char *text = interface ? virInterfaceGetXMLDesc(interface, 0) : NULL;
    g_autoptr(XmlNode) root = text ? xml_parse(text) : NULL;
    g_autoptr(GString) xml = g_string_new("<interface type='bridge'");
    g_autoptr(GString) inner = g_string_new(NULL);
    int delay = 0;

    if (interface)
        virInterfaceFree(interface);
    if (!root || !args_int(shell, args, "delay", &delay))
        return false;
    if (g_strcmp0(xml_get(root, "type"), "bridge") == 0)
        return shell_fail(shell, "Existing device %s is already a bridge", xml_get(root, "name"));
    xml_append_attribute(xml, "name", bridge);
    g_string_append(xml, ">\n");
    for (guint i = 0; i < root->children->len; i++) {
        XmlNode *child = root->children->pdata[i];
        bool moves = g_str_equal(child->name, "protocol") || g_str_equal(child->name, "start") ||
                     g_str_equal(child->name, "mtu");
        xml_append(moves ? xml : inner, child);
    }
    g_string_append_printf(xml, "<bridge stp='%s' delay='%d'><interface",
                           args_has(args, "no-stp") ? "off" : "on", delay);
    xml_append_attribute(xml, "type", xml_get(root, "type"));
    xml_append_attribute(xml, "name", xml_get(root, "name"));
    g_string_append_printf(xml, ">%s</interface></bridge></interface>", inner->str);
    if (!define_and_start(shell, args, xml->str, bridge))
        return false;
    shell_note(shell, "Created bridge %s with attached device %s\n", bridge, xml_get(root, "name"));
    return true;
}

static const Option bridge_options[] = {
    INTERFACE,
    REQUIRED("bridge", "name of the new bridge"),
    FLAG("no-stp", "without spanning tree"),
    NUMBER("delay", "seconds before a port forwards"),
    FLAG("no-start", "do not start it"),
    END_OF_OPTIONS,
};

/* The other way round: the bridge's only interface gets its addresses back. */
static bool
cmd_unbridge(Shell *shell, const Args *args)
{
    const char *bridge = args_text(args, "bridge");
    virInterfacePtr interface = find_interface(shell, bridge);
    g_autofree char *text = interface ? virInterfaceGetXMLDesc(interface, 0) : NULL;
    g_autoptr(XmlNode) root = text ? xml_parse(text) : NULL;
    XmlNode *inside = xml_child(xml_child(root, "bridge"), "interface");
    g_autoptr(GString) xml = g_string_new("<interface");
    bool good = false;

    if (!interface)
        return shell_fail(shell, "failed to get interface '%s'", bridge);
    if (!root || g_strcmp0(xml_get(root, "type"), "bridge") != 0) {
        shell_fail(shell, "Device %s is no bridge", bridge);
    } else if (!inside) {
        shell_fail(shell, "Bridge %s has no interface", bridge);
    } else {
        xml_append_attribute(xml, "type", xml_get(inside, "type"));
        xml_append_attribute(xml, "name", xml_get(inside, "name"));
        g_string_append(xml, ">");
        for (guint i = 0; i < root->children->len; i++) {
            XmlNode *child = root->children->pdata[i];
            if (!g_str_equal(child->name, "bridge") && !g_str_equal(child->name, "mac"))
                xml_append(xml, child);
        }
        for (guint i = 0; i < inside->children->len; i++)
            xml_append(xml, inside->children->pdata[i]);
        g_string_append(xml, "</interface>");
        good = (virInterfaceIsActive(interface) != 1 || virInterfaceDestroy(interface, 0) >= 0) &&
               virInterfaceUndefine(interface) >= 0;
        if (!good)
            shell_fail(shell, "Failed to remove bridge %s", bridge);
    }
    virInterfaceFree(interface);
    if (!good || !define_and_start(shell, args, xml->str, xml_get(inside, "name")))
        return false;
    shell_note(shell, "Device %s un-attached from bridge %s\n", xml_get(inside, "name"), bridge);
    return true;
}

static const Option unbridge_options[] = {
    REQUIRED_OF("bridge", complete_interface, "name of the bridge"),
    FLAG("no-start", "do not start the interface"),
    END_OF_OPTIONS,
};

const Command interface_commands[] = {
    {"iface-begin", cmd_change, NULL, "remember the present configuration, to go back to it", 0,
     "Then change what you want; iface-commit keeps it, iface-rollback or a reboot goes back.",
     &change_verbs[0]},
    {"iface-bridge", cmd_bridge, bridge_options, "put an interface into a new bridge", 0, NULL,
     NULL},
    {"iface-commit", cmd_change, NULL, "keep the changes since iface-begin", 0, NULL,
     &change_verbs[1]},
    {"iface-define", cmd_object_define, define_options, "define an interface from a file", 0, NULL,
     &define},
    {"iface-destroy", cmd_object_verb, interface_only, "take an interface down", 0, NULL, &destroy},
    {"iface-dumpxml", cmd_object_dumpxml, dumpxml_options, "print an interface's XML", COMMAND_JSON,
     NULL, &dump},
    {"iface-edit", cmd_object_edit, interface_only, "edit an interface's XML in $EDITOR", 0, NULL,
     &edit},
    {"iface-list", cmd_list, list_options, "interfaces of the host", COMMAND_JSON, NULL, NULL},
    {"iface-mac", cmd_object_text, interface_only, "MAC address of an interface", COMMAND_JSON,
     NULL, &mac},
    {"iface-name", cmd_object_text, interface_only, "name of an interface", COMMAND_JSON, NULL,
     &name},
    {"iface-rollback", cmd_change, NULL, "go back to what iface-begin remembered", 0, NULL,
     &change_verbs[2]},
    {"iface-start", cmd_object_verb, interface_only, "bring an interface up", 0, NULL, &start},
    {"iface-unbridge", cmd_unbridge, unbridge_options, "take the interface out of a bridge again",
     0, NULL, NULL},
    {"iface-undefine", cmd_object_verb, interface_only, "remove an interface's definition", 0, NULL,
     &undefine},
    {0},
};
