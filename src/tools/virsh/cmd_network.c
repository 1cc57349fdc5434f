/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual networks and their ports. What is alike for all objects is in object.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xpath.h"

static void *
find_network(Shell *shell, const char *name)
{
    virConnectPtr conn = shell_connection(shell);
    virNetworkPtr network = NULL;

    if (strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
        network = virNetworkLookupByUUIDString(conn, name);
    return network ? network : virNetworkLookupByName(conn, name);
}

const ObjectKind network_kind = {
    "network",
    "network",
    find_network,
    OBJECT_NAME(virNetworkGetName),
    OBJECT_CALL(virNetworkFree),
    OBJECT_XML(virNetworkGetXMLDesc),
};

#define NETWORK REQUIRED_OF("network", complete_network, "name or uuid of the network")

static const Option network_only[] = {NETWORK, END_OF_OPTIONS};
static const Option autostart_options[] = {
    NETWORK,
    FLAG("disable", "do not start it with the host any more"),
    END_OF_OPTIONS,
};
static const Option define_options[] = {
    FILE_ARGUMENT("file with the network's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};
static const Option dumpxml_options[] = {
    NETWORK,
    FLAG("inactive", "what the next start will use"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};

static void *
create_network(virConnectPtr conn, const char *xml, unsigned int flags)
{
    return flags ? virNetworkCreateXMLFlags(conn, xml, flags) : virNetworkCreateXML(conn, xml);
}

static void *
define_network(virConnectPtr conn, const char *xml, unsigned int flags)
{
    return flags ? virNetworkDefineXMLFlags(conn, xml, flags) : virNetworkDefineXML(conn, xml);
}

static const FlagBit create_bits[] = {{"validate", VIR_NETWORK_CREATE_VALIDATE}};
static const FlagBit define_bits[] = {{"validate", VIR_NETWORK_DEFINE_VALIDATE}};
static const ObjectDefine create = {&network_kind,
                                    create_network,
                                    create_bits,
                                    1,
                                    "Network %s created from %s\n",
                                    "Failed to create network from %s"};
static const ObjectDefine define = {&network_kind,
                                    define_network,
                                    define_bits,
                                    1,
                                    "Network %s defined from %s\n",
                                    "Failed to define network from %s"};
static const ObjectVerb destroy = {&network_kind, OBJECT_CALL(virNetworkDestroy),
                                   "Network %s destroyed\n", "Failed to destroy network %s"};
static const ObjectVerb start = {&network_kind, OBJECT_CALL(virNetworkCreate),
                                 "Network %s started\n", "Failed to start network %s"};
static const ObjectVerb undefine = {&network_kind, OBJECT_CALL(virNetworkUndefine),
                                    "Network %s has been undefined\n",
                                    "Failed to undefine network %s"};
static const ObjectAutostart autostart = {&network_kind, OBJECT_SET(virNetworkSetAutostart)};
static const ObjectDump dump = {&network_kind, VIR_NETWORK_XML_INACTIVE};
static const ObjectEdit edit = {&network_kind, VIR_NETWORK_XML_INACTIVE, define_network,
                                "Network %s XML configuration"};
static const ObjectText name = {&network_kind, "name", NULL, OBJECT_NAME(virNetworkGetName)};
static const ObjectText uuid = {&network_kind, "uuid", OBJECT_BUFFER(virNetworkGetUUIDString),
                                NULL};

/* ---- list, info ---- */

static int
compare_networks(const void *a, const void *b)
{
    const virNetworkPtr *left = a, *right = b;

    return g_ascii_strcasecmp(virNetworkGetName(*left), virNetworkGetName(*right));
}

static void
add_network(Table *table, virNetworkPtr network)
{
    int autostart = 0;

    table_text(table, virNetworkGetName(network));
    table_text(table, virNetworkIsActive(network) == 1 ? "active" : "inactive");
    table_text(table, virNetworkGetAutostart(network, &autostart) < 0 ? "no autostart"
                      : autostart                                     ? "yes"
                                                                      : "no");
    table_text(table, virNetworkIsPersistent(network) == 1 ? "yes" : "no");
    shell_forget_error();
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"persistent", VIR_CONNECT_LIST_NETWORKS_PERSISTENT},
        {"transient", VIR_CONNECT_LIST_NETWORKS_TRANSIENT},
        {"autostart", VIR_CONNECT_LIST_NETWORKS_AUTOSTART},
        {"no-autostart", VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART},
    };
    static const char *const headings[] = {"Name", "State", "Autostart", "Persistent", NULL};
    static const char *const keys[] = {"name", "state", "autostart", "persistent", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    unsigned int flags = ARGS_BITS(args, bits);
    bool plain = (args_has(args, "name") || args_has(args, "uuid")) && !shell_wants_json(shell);
    virNetworkPtr *networks = NULL;

    if (!args_exclude(shell, args, "name", "uuid") || !args_exclude(shell, args, "table", "name") ||
        !args_exclude(shell, args, "table", "uuid"))
        return false;
    flags |= args_has(args, "all")
                 ? VIR_CONNECT_LIST_NETWORKS_ACTIVE | VIR_CONNECT_LIST_NETWORKS_INACTIVE
             : args_has(args, "inactive") ? VIR_CONNECT_LIST_NETWORKS_INACTIVE
                                          : VIR_CONNECT_LIST_NETWORKS_ACTIVE;
    int n = virConnectListAllNetworks(shell_connection(shell), &networks, flags);
    if (n < 0)
        return shell_fail(shell, "Failed to list networks");
    qsort(networks, n, sizeof *networks, compare_networks);
    for (int i = 0; i < n; i++) {
        char text[VIR_UUID_STRING_BUFLEN] = "";
        virNetworkGetUUIDString(networks[i], text);
        if (plain)
            shell_print(shell, "%s\n",
                        args_has(args, "name") ? virNetworkGetName(networks[i]) : text);
        else
            add_network(table, networks[i]);
        virNetworkFree(networks[i]);
    }
    free(networks);
    if (!plain)
        table_print(shell, table);
    return true;
}

static const Option list_options[] = {
    FLAG("inactive", "those that are off"),
    FLAG("all", "those that run and those that are off"),
    FLAG("persistent", "with a definition on disk"),
    FLAG("transient", "without one"),
    FLAG("autostart", "that start with the host"),
    FLAG("no-autostart", "that do not"),
    FLAG("uuid", "print UUIDs only"),
    FLAG("name", "print names only"),
    FLAG("table", "print a table (the default)"),
    END_OF_OPTIONS,
};

static bool
cmd_info(Shell *shell, const Args *args)
{
    virNetworkPtr network = args_object(shell, args, &network_kind);
    g_autoptr(Fields) fields = fields_new(16);
    char text[VIR_UUID_STRING_BUFLEN] = "";
    int flag;

    if (!network)
        return false;
    fields_text(fields, "Name", "name", virNetworkGetName(network));
    if (virNetworkGetUUIDString(network, text) == 0)
        fields_text(fields, "UUID", "uuid", text);
    if ((flag = virNetworkIsActive(network)) >= 0)
        fields_bool(fields, "Active", "active", flag, "yes", "no");
    flag = virNetworkIsPersistent(network);
    fields_text(fields, "Persistent", "persistent", flag < 0 ? "unknown" : flag ? "yes" : "no");
    if (virNetworkGetAutostart(network, &flag) < 0)
        fields_text(fields, "Autostart", "autostart", "no autostart");
    else
        fields_bool(fields, "Autostart", "autostart", flag, "yes", "no");
    g_autofree char *bridge = virNetworkGetBridgeName(network);
    if (bridge)
        fields_text(fields, "Bridge", "bridge", bridge);
    shell_forget_error();
    fields_print(shell, fields);
    virNetworkFree(network);
    return true;
}

static void
add_lease(Shell *shell, Table *table, const virNetworkDHCPLease *lease)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(lease->expirytime);
    g_autofree char *shown = when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : NULL;
    g_autofree char *address = g_strdup_printf("%s/%u", lease->ipaddr, lease->prefix);
    const char *none = shell_wants_json(shell) ? NULL : "-";

    table_number_as(table, lease->expirytime, shown);
    table_text(table, lease->mac);
    table_text(table, lease->type == VIR_IP_ADDR_TYPE_IPV6 ? "ipv6" : "ipv4");
    table_text(table, address);
    table_text(table, lease->hostname ? lease->hostname : none);
    table_text(table, lease->clientid ? lease->clientid : lease->iaid ? lease->iaid : none);
}

static bool
cmd_dhcp_leases(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Expiry Time", "MAC address", "Protocol",
                                           "IP address",  "Hostname",    "Client ID or DUID",
                                           NULL};
    static const char *const keys[] = {"expires",  "mac",       "protocol", "address",
                                       "hostname", "client_id", NULL};
    virNetworkPtr network = args_object(shell, args, &network_kind);
    g_autoptr(Table) table = table_new(headings, keys);
    virNetworkDHCPLeasePtr *leases = NULL;

    if (!network)
        return false;
    int n = virNetworkGetDHCPLeases(network, args_text(args, "mac"), &leases, 0);
    if (n < 0)
        shell_fail(shell, "Failed to get leases info for %s", virNetworkGetName(network));
    for (int i = 0; i < n; i++) {
        add_lease(shell, table, leases[i]);
        virNetworkDHCPLeaseFree(leases[i]);
    }
    free(leases);
    if (n >= 0)
        table_print(shell, table);
    virNetworkFree(network);
    return n >= 0;
}

static const Option dhcp_leases_options[] = {
    NETWORK,
    TEXT("mac", "only of that MAC address"),
    END_OF_OPTIONS,
};

/* ---- update ---- */

static bool
cmd_update(Shell *shell, const Args *args)
{
    static const char *const commands[] = {"none",     "modify",    "delete",
                                           "add-last", "add-first", NULL};
    static const char *const sections[] = {"none",         "bridge",
                                           "domain",       "ip",
                                           "ip-dhcp-host", "ip-dhcp-range",
                                           "forward",      "forward-interface",
                                           "forward-pf",   "portgroup",
                                           "dns-host",     "dns-txt",
                                           "dns-srv",      NULL};
    unsigned int flags = VIR_NETWORK_UPDATE_AFFECT_CURRENT;
    const char *text = args_text(args, "xml");
    int command = 0, section = 0, index = -1;
    g_autofree char *xml = NULL;

    if (!args_affect(shell, args, &flags) || !args_int(shell, args, "parent-index", &index))
        return false;
    if (g_str_equal(args_text(args, "command"), "add"))
        command = VIR_NETWORK_UPDATE_COMMAND_ADD_LAST;
    else if (!args_word(shell, args, "command", commands, &command))
        return false;
    if (!args_word(shell, args, "section", sections, &section))
        return false;
    /* Either the element itself, or a file with it. */
    xml = *text == '<' ? g_strdup(text) : args_file(shell, args, "xml");
    virNetworkPtr network = xml ? args_object(shell, args, &network_kind) : NULL;
    if (!network)
        return false;
    bool good = virNetworkUpdate(network, command, section, index, xml, flags) >= 0;
    bool active = virNetworkIsActive(network) == 1;
    if (!good)
        shell_fail(shell, "Failed to update network %s", virNetworkGetName(network));
    else
        shell_note(shell, "Updated network %s %s", virNetworkGetName(network),
                   flags == VIR_NETWORK_UPDATE_AFFECT_CONFIG  ? "persistent config"
                   : flags & VIR_NETWORK_UPDATE_AFFECT_CONFIG ? "persistent config and live state"
                   : flags & VIR_NETWORK_UPDATE_AFFECT_LIVE || active ? "live state"
                                                                      : "persistent config");
    virNetworkFree(network);
    return good;
}

static const Option update_options[] = {
    NETWORK,
    REQUIRED_CHOICE("command", "add,add-first,add-last,delete,modify", "what to do"),
    REQUIRED_CHOICE("section",
                    "bridge,domain,ip,ip-dhcp-host,ip-dhcp-range,forward,forward-interface,"
                    "forward-pf,portgroup,dns-host,dns-txt,dns-srv",
                    "with which part of the definition"),
    REQUIRED_OF("xml", NULL, "the element, or a file with it"),
    NUMBER("parent-index", "which of several parents it is in, from 0"),
    FLAG("config", "of the next start"),
    FLAG("live", "of the running network"),
    FLAG("current", "of the present state"),
    END_OF_OPTIONS,
};

/* ---- ports ---- */

static virNetworkPortPtr
args_port(Shell *shell, const Args *args, virNetworkPtr network)
{
    const char *text = args_text(args, "port");
    virNetworkPortPtr port = virNetworkPortLookupByUUIDString(network, text);

    if (!port)
        shell_fail(shell, "failed to get network port '%s'", text);
    return port;
}

static bool
cmd_port_list(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"UUID", NULL}, *const keys[] = {"uuid", NULL};
    virNetworkPtr network = args_object(shell, args, &network_kind);
    g_autoptr(Table) table = table_new(headings, keys);
    virNetworkPortPtr *ports = NULL;
    int n = network ? virNetworkListAllPorts(network, &ports, 0) : -1;

    for (int i = 0; i < n; i++) {
        char text[VIR_UUID_STRING_BUFLEN] = "";
        virNetworkPortGetUUIDString(ports[i], text);
        if (args_has(args, "uuid") && !shell_wants_json(shell))
            shell_print(shell, "%s\n", text);
        else
            table_text(table, text);
        virNetworkPortFree(ports[i]);
    }
    free(ports);
    if (n >= 0 && (!args_has(args, "uuid") || shell_wants_json(shell)))
        table_print(shell, table);
    if (network)
        virNetworkFree(network);
    return n >= 0 || (network && shell_fail(shell, "Failed to list network ports"));
}

static const Option port_list_options[] = {
    NETWORK,
    FLAG("uuid", "print UUIDs only"),
    FLAG("table", "print a table (the default)"),
    END_OF_OPTIONS,
};

static bool
cmd_port_create(Shell *shell, const Args *args)
{
    virNetworkPtr network = args_object(shell, args, &network_kind);
    g_autofree char *xml = network ? args_file(shell, args, "file") : NULL;
    virNetworkPortPtr port = NULL;
    char text[VIR_UUID_STRING_BUFLEN] = "";

    if (xml)
        port = virNetworkPortCreateXML(
            network, xml, args_has(args, "validate") ? VIR_NETWORK_PORT_CREATE_VALIDATE : 0);
    if (port) {
        virNetworkPortGetUUIDString(port, text);
        shell_note(shell, "Network port %s created from %s\n", text, args_text(args, "file"));
        virNetworkPortFree(port);
    } else if (xml) {
        shell_fail(shell, "Failed to create network from %s", args_text(args, "file"));
    }
    if (network)
        virNetworkFree(network);
    return *text;
}

static const Option port_create_options[] = {
    NETWORK,
    FILE_ARGUMENT("file with the port's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static bool
cmd_port_dumpxml(Shell *shell, const Args *args)
{
    virNetworkPtr network = args_object(shell, args, &network_kind);
    virNetworkPortPtr port = network ? args_port(shell, args, network) : NULL;
    g_autofree char *xml = port ? virNetworkPortGetXMLDesc(port, 0) : NULL;

    if (port)
        virNetworkPortFree(port);
    if (network)
        virNetworkFree(network);
    return xml && print_xml_parts(shell, args, xml);
}

#define PORT REQUIRED("port", "uuid of the port")

static const Option port_dumpxml_options[] = {NETWORK, PORT, XPATH_AND_WRAP, END_OF_OPTIONS};
static const Option port_options[] = {NETWORK, PORT, END_OF_OPTIONS};

static bool
cmd_port_delete(Shell *shell, const Args *args)
{
    const char *text = args_text(args, "port");
    virNetworkPtr network = args_object(shell, args, &network_kind);
    virNetworkPortPtr port = network ? args_port(shell, args, network) : NULL;
    bool good = port && virNetworkPortDelete(port, 0) >= 0;

    if (good)
        shell_note(shell, "Network port %s deleted\n", text);
    else if (port)
        shell_fail(shell, "Failed to delete network port %s", text);
    if (port)
        virNetworkPortFree(port);
    if (network)
        virNetworkFree(network);
    return good;
}

const Command network_commands[] = {
    {"net-autostart", cmd_object_autostart, autostart_options, "start a network with the host", 0,
     NULL, &autostart},
    {"net-create", cmd_object_define, define_options, "start a transient network from a file", 0,
     NULL, &create},
    {"net-define", cmd_object_define, define_options, "define a network from a file, or change it",
     0, NULL, &define},
    {"net-destroy", cmd_object_verb, network_only, "stop a network", 0, NULL, &destroy},
    {"net-dhcp-leases", cmd_dhcp_leases, dhcp_leases_options, "DHCP leases of a network",
     COMMAND_JSON, NULL, NULL},
    {"net-dumpxml", cmd_object_dumpxml, dumpxml_options, "print a network's XML", COMMAND_JSON,
     NULL, &dump},
    {"net-edit", cmd_object_edit, network_only, "edit a network's XML in $EDITOR", 0, NULL, &edit},
    {"net-info", cmd_info, network_only, "the most asked facts about a network", COMMAND_JSON, NULL,
     NULL},
    {"net-list", cmd_list, list_options, "networks and their state", COMMAND_JSON, NULL, NULL},
    {"net-name", cmd_object_text, network_only, "name of a network", COMMAND_JSON, NULL, &name},
    {"net-port-create", cmd_port_create, port_create_options, "make a port of a network", 0, NULL,
     NULL},
    {"net-port-delete", cmd_port_delete, port_options, "remove a port of a network", 0, NULL, NULL},
    {"net-port-dumpxml", cmd_port_dumpxml, port_dumpxml_options, "print a port's XML", COMMAND_JSON,
     NULL, NULL},
    {"net-port-list", cmd_port_list, port_list_options, "ports of a network", COMMAND_JSON, NULL,
     NULL},
    {"net-start", cmd_object_verb, network_only, "start a defined network", 0, NULL, &start},
    {"net-undefine", cmd_object_verb, network_only, "remove a network's definition", 0, NULL,
     &undefine},
    {"net-update", cmd_update, update_options, "change part of a network", 0,
     "Example:\n  virsh net-update default add ip-dhcp-host \\\n"
     "    \"<host mac='52:54:00:00:00:01' ip='192.168.122.9'/>\" --live --config",
     NULL},
    {"net-uuid", cmd_object_text, network_only, "UUID of a network", COMMAND_JSON, NULL, &uuid},
    {0},
};
