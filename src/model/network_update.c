/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virNetworkUpdate: one part of a network is added, replaced or taken away. Each section finds what is meant in its own way;
 * the whole is filled in and checked afterwards like a definition. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "model/network.h"

typedef struct {
    Network *network;
    guint command;
    int parent_index;
    const char *xml;
} Update;

#define refuse(err, ...) fail(err, VIR_ERR_OPERATION_INVALID, __VA_ARGS__)

static bool
is_add(const Update *update)
{
    return update->command == VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST ||
           update->command == VIR_NETWORK_UPDATE_COMMAND_ADD_LAST;
}

static bool
is_delete(const Update *update)
{
    return update->command == VIR_NETWORK_UPDATE_COMMAND_DELETE;
}

static bool
fail_modify(const char *what, int code, GError **err)
{
    return fail(err, code, "%s cannot be modified, only added or deleted", what);
}

#define add_entry(update, parent, member, take_entry)                  \
    do {                                                               \
        if ((update)->command == VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST) \
            model_insert(parent, member, 0, take_entry);               \
        else                                                           \
            model_append(parent, member, take_entry);                  \
    } while (0)

/* Does a given value leave this entry out? */
static bool
differs(const char *given, const char *has)
{
    return given && g_strcmp0(given, has) != 0;
}

static bool
same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool
same_mac(const char *a, const char *b)
{
    return a && b && g_ascii_strcasecmp(a, b) == 0;
}

/* ---- DHCP ---- */

static bool
has_dhcp(const NetworkIp *ip)
{
    return ip->dhcp && (ip->dhcp->n_ranges || ip->dhcp->n_hosts);
}

/* The <ip> that is meant: by number, or the first with DHCP, or the first of IPv4. */
static NetworkIp *
find_ip(const Update *update, GError **err)
{
    Network *network = update->network;

    if (update->parent_index >= 0)
        return (gsize)update->parent_index < network->n_ips
                   ? network->ips[update->parent_index]
                   : (refuse(err,
                             "couldn't update dhcp entry - no <ip> element found at index %d in "
                             "network '%s'",
                             update->parent_index, network->name),
                      NULL);
    for (gsize i = 0; i < network->n_ips; i++)
        if (has_dhcp(network->ips[i]))
            return network->ips[i];
    for (gsize i = 0; i < network->n_ips; i++)
        if (network_ip_family(network->ips[i]) == AF_INET)
            return network->ips[i];
    if (network->n_ips)
        return network->ips[0];
    refuse(err, "couldn't update dhcp entry - no <ip> element found in network '%s'",
           network->name);
    return NULL;
}

/* One address of each family serves DHCP. */
static bool
check_single_dhcp(const Network *network, const NetworkIp *ip, GError **err)
{
    for (gsize i = 0; i < network->n_ips; i++) {
        const NetworkIp *other = network->ips[i];

        if (other != ip && network_ip_family(other) == network_ip_family(ip) && has_dhcp(other))
            return refuse(err,
                          "dhcp is supported only for a single %s address on each network, and "
                          "%s of network '%s' has it",
                          network_ip_family(ip) == AF_INET ? "IPv4" : "IPv6", other->address,
                          network->name);
    }
    return true;
}

static NetworkDhcp *
ensure_dhcp(NetworkIp *ip)
{
    if (!ip->dhcp)
        ip->dhcp = network_dhcp_new();
    return ip->dhcp;
}

static bool
shares_name(const NetworkHost *a, const NetworkHost *b)
{
    return same_mac(a->mac, b->mac) || same(a->id, b->id) || same(a->name, b->name) ||
           same(a->ip, b->ip);
}

static bool
is_host_meant(const NetworkHost *given, const NetworkHost *has)
{
    return (!given->mac || same_mac(given->mac, has->mac)) && !differs(given->id, has->id) &&
           !differs(given->name, has->name) && !differs(given->ip, has->ip);
}

static gsize
find_host(const NetworkDhcp *dhcp, const NetworkHost *host,
          bool (*is_meant)(const NetworkHost *given, const NetworkHost *has))
{
    gsize i = 0;

    while (i < dhcp->n_hosts && !is_meant(host, dhcp->hosts[i]))
        i++;
    return i;
}

static bool
update_host(const Update *update, GError **err)
{
    Network *network = update->network;
    NetworkIp *ip = find_ip(update, err);
    g_autoptr(NetworkHost) host =
        ip ? network_host_parse(update->xml, MODEL_PARSE_INACTIVE, err) : NULL;
    NetworkDhcp *dhcp;
    gsize i;

    if (!host || !network_check_host(network, host, network_ip_family(ip), is_delete(update), err))
        return false;
    dhcp = ensure_dhcp(ip);
    i = find_host(dhcp, host, is_delete(update) ? is_host_meant : shares_name);
    if (is_add(update)) {
        if (!check_single_dhcp(network, ip, err))
            return false;
        if (i < dhcp->n_hosts)
            return refuse(err,
                          "there is an existing dhcp host entry in network '%s' that matches "
                          "\"<host mac='%s' name='%s' ip='%s'/>\"",
                          network->name, host->mac ? host->mac : "", host->name ? host->name : "",
                          host->ip);
        add_entry(update, dhcp, hosts, g_steal_pointer(&host));
        return true;
    }
    if (i == dhcp->n_hosts)
        return refuse(err, "couldn't locate a matching dhcp host entry in network '%s'",
                      network->name);
    network_host_free(model_take(dhcp, hosts, i));
    if (!is_delete(update))
        model_insert(dhcp, hosts, i, g_steal_pointer(&host));
    return true;
}

static bool
update_range(const Update *update, GError **err)
{
    Network *network = update->network;
    NetworkIp *ip = find_ip(update, err);
    g_autoptr(NetworkRange) range =
        ip ? network_range_parse(update->xml, MODEL_PARSE_INACTIVE, err) : NULL;
    NetworkDhcp *dhcp;
    gsize i = 0;

    if (!range || !network_check_range(network, ip, range, err))
        return false;
    if (!is_add(update) && !is_delete(update))
        return fail_modify("dhcp ranges", VIR_ERR_OPERATION_INVALID, err);
    dhcp = ensure_dhcp(ip);
    while (i < dhcp->n_ranges &&
           (!same(dhcp->ranges[i]->start, range->start) || !same(dhcp->ranges[i]->end, range->end)))
        i++;
    if (is_delete(update)) {
        if (i == dhcp->n_ranges)
            return refuse(err, "couldn't locate a matching dhcp range entry in network '%s'",
                          network->name);
        network_range_free(model_take(dhcp, ranges, i));
        return true;
    }
    if (!check_single_dhcp(network, ip, err))
        return false;
    if (i < dhcp->n_ranges)
        return refuse(err,
                      "there is an existing dhcp range entry in network '%s' that matches "
                      "\"<range start='%s' end='%s'/>\"",
                      network->name, range->start, range->end);
    add_entry(update, dhcp, ranges, g_steal_pointer(&range));
    return true;
}

/* ---- where it leads, groups of ports ---- */

static bool
update_forward_interface(const Update *update, GError **err)
{
    Network *network = update->network;
    g_autoptr(NetworkForwardInterface) interface =
        network_forward_interface_parse(update->xml, MODEL_PARSE_INACTIVE, err);
    NetworkForward *forward = network->forward;
    gsize i = 0;

    if (!interface)
        return false;
    if (!is_add(update) && !is_delete(update))
        return fail_modify("forward interface entries", VIR_ERR_OPERATION_INVALID, err);
    while (forward && i < forward->n_interfaces &&
           !same(forward->interfaces[i]->dev, interface->dev))
        i++;
    if (is_delete(update)) {
        if (!forward || i == forward->n_interfaces)
            return refuse(err,
                          "couldn't find an interface entry in network '%s' matching <interface "
                          "dev='%s'>",
                          network->name, interface->dev);
        network_forward_interface_free(model_take(forward, interfaces, i));
    } else if (!forward) {
        return refuse(err, "network '%s' is isolated: it has no <forward> that '%s' could join",
                      network->name, interface->dev);
    } else if (i < forward->n_interfaces) {
        return refuse(err,
                      "there is an existing interface entry in network '%s' that matches "
                      "\"<interface dev='%s'>\"",
                      network->name, interface->dev);
    } else {
        add_entry(update, forward, interfaces, g_steal_pointer(&interface));
    }
    g_clear_pointer(&forward->dev, g_free); /* said anew from the list */
    return true;
}

static bool
check_group_default(const Network *network, const NetworkPortGroup *group, GError **err)
{
    for (gsize i = 0; group->default_ == TRISTATE_YES && i < network->n_portgroups; i++)
        if (network->portgroups[i]->default_ == TRISTATE_YES &&
            !same(network->portgroups[i]->name, group->name))
            return refuse(err,
                          "a different portgroup entry in network '%s' is already set as the "
                          "default: '%s'. Only one default is allowed.",
                          network->name, network->portgroups[i]->name);
    return true;
}

static bool
update_portgroup(const Update *update, GError **err)
{
    Network *network = update->network;
    g_autoptr(NetworkPortGroup) group =
        network_port_group_parse(update->xml, MODEL_PARSE_INACTIVE, err);
    gsize i = 0;

    if (!group || !network_check_portgroup(network, group, err))
        return false;
    while (i < network->n_portgroups && !same(network->portgroups[i]->name, group->name))
        i++;
    if (!is_add(update) && i == network->n_portgroups)
        return refuse(err,
                      "couldn't find a portgroup entry in network '%s' matching <portgroup "
                      "name='%s'>",
                      network->name, group->name);
    if (is_add(update) && i < network->n_portgroups)
        return refuse(err,
                      "there is an existing portgroup entry in network '%s' that matches "
                      "\"<portgroup name='%s'>\"",
                      network->name, group->name);
    if (!is_delete(update) && !check_group_default(network, group, err))
        return false;
    if (is_add(update)) {
        add_entry(update, network, portgroups, g_steal_pointer(&group));
        return true;
    }
    network_port_group_free(model_take(network, portgroups, i));
    if (!is_delete(update))
        model_insert(network, portgroups, i, g_steal_pointer(&group));
    return true;
}

/* ---- names ---- */

/* What is in the list and meant: exactly one for a deletion, none for an addition. */
static bool
check_found(const Update *update, guint n_found, const char *what, GError **err)
{
    const char *name = update->network->name;

    if (is_add(update))
        return !n_found || refuse(err,
                                  "there is already at least one %s record matching all specified "
                                  "fields in network %s",
                                  what, name);
    if (!is_delete(update)) {
        g_autofree char *records = g_strconcat(what, " records", NULL);

        return fail_modify(records, VIR_ERR_CONFIG_UNSUPPORTED, err);
    }
    if (!n_found)
        return refuse(err, "couldn't locate a matching %s record in network %s", what, name);
    return n_found == 1 || refuse(err,
                                  "multiple %s records matching all specified fields were found "
                                  "in network %s",
                                  what, name);
}

static bool
shares_dns_name(const NetworkDnsHost *a, const NetworkDnsHost *b)
{
    for (gsize i = 0; i < a->n_hostnames; i++)
        for (gsize j = 0; j < b->n_hostnames; j++)
            if (strcmp(a->hostnames[i], b->hostnames[j]) == 0)
                return true;
    return same(a->ip, b->ip);
}

static bool
update_dns_host(const Update *update, GError **err)
{
    NetworkDns *dns = update->network->dns;
    g_autoptr(NetworkDnsHost) host = network_dns_host_parse(update->xml, MODEL_PARSE_INACTIVE, err);
    guint n_found = 0;
    gsize at = 0;

    if (!host || !network_check_dns_host(update->network, host, is_delete(update), err))
        return false;
    for (gsize i = 0; i < dns->n_hosts; i++) {
        if (is_add(update) ? same(host->ip, dns->hosts[i]->ip)
                           : shares_dns_name(host, dns->hosts[i])) {
            at = i;
            n_found++;
        }
    }
    if (!check_found(update, n_found, "DNS HOST", err))
        return false;
    if (is_delete(update))
        network_dns_host_free(model_take(dns, hosts, at));
    else
        add_entry(update, dns, hosts, g_steal_pointer(&host));
    return true;
}

static bool
update_dns_txt(const Update *update, GError **err)
{
    NetworkDns *dns = update->network->dns;
    g_autoptr(NetworkDnsTxt) txt = network_dns_txt_parse(update->xml, MODEL_PARSE_INACTIVE, err);
    gsize i = 0;

    if (!txt || !network_check_txt(update->network, txt, is_delete(update), err))
        return false;
    while (i < dns->n_txts && (!same(dns->txts[i]->name, txt->name) ||
                               (is_delete(update) && differs(txt->value, dns->txts[i]->value))))
        i++;
    if (!check_found(update, i < dns->n_txts, "DNS TXT", err))
        return false;
    if (is_delete(update))
        network_dns_txt_free(model_take(dns, txts, i));
    else
        add_entry(update, dns, txts, g_steal_pointer(&txt));
    return true;
}

static bool
is_srv_meant(const NetworkDnsSrv *given, const NetworkDnsSrv *has)
{
    return !differs(given->service, has->service) && !differs(given->protocol, has->protocol) &&
           !differs(given->domain, has->domain) && !differs(given->target, has->target) &&
           (!given->port || given->port == has->port) &&
           (!given->priority || given->priority == has->priority) &&
           (!given->weight || given->weight == has->weight);
}

static bool
update_dns_srv(const Update *update, GError **err)
{
    NetworkDns *dns = update->network->dns;
    g_autoptr(NetworkDnsSrv) srv = network_dns_srv_parse(update->xml, MODEL_PARSE_INACTIVE, err);
    guint n_found = 0;
    gsize at = 0;

    if (!srv || !network_check_srv(update->network, srv, is_delete(update), err))
        return false;
    for (gsize i = 0; i < dns->n_srvs; i++) {
        if (is_srv_meant(srv, dns->srvs[i])) {
            at = i;
            n_found++;
        }
    }
    if (!check_found(update, n_found, "DNS SRV", err))
        return false;
    if (is_delete(update))
        network_dns_srv_free(model_take(dns, srvs, at));
    else
        add_entry(update, dns, srvs, g_steal_pointer(&srv));
    return true;
}

/* ---- all sections ---- */

static bool
update_section(const Update *update, guint section, GError **err)
{
    static const char *const names[] = {
        "none",         "bridge",        "domain",   "ip",
        "ip-dhcp-host", "ip-dhcp-range", "forward",  "forward-interface",
        "forward-pf",   "portgroup",     "dns-host", "dns-txt",
        "dns-srv"};

    switch (section) {
    case VIR_NETWORK_SECTION_IP_DHCP_HOST:
        return update_host(update, err);
    case VIR_NETWORK_SECTION_IP_DHCP_RANGE:
        return update_range(update, err);
    case VIR_NETWORK_SECTION_FORWARD_INTERFACE:
        return update_forward_interface(update, err);
    case VIR_NETWORK_SECTION_PORTGROUP:
        return update_portgroup(update, err);
    case VIR_NETWORK_SECTION_DNS_HOST:
        return update_dns_host(update, err);
    case VIR_NETWORK_SECTION_DNS_TXT:
        return update_dns_txt(update, err);
    case VIR_NETWORK_SECTION_DNS_SRV:
        return update_dns_srv(update, err);
    default:
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "section '%s' of network '%s' cannot be updated: define it anew",
                    section < G_N_ELEMENTS(names) ? names[section] : "unknown",
                    update->network->name);
    }
}

bool
network_update(Network *network, guint command, guint section, int parent_index, const char *xml,
               GError **err)
{
    const Update update = {network, command, parent_index, xml};

    if (command < VIR_NETWORK_UPDATE_COMMAND_MODIFY ||
        command > VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST)
        return fail(err, VIR_ERR_NO_SUPPORT, "unrecognized network update command code %u",
                    command);
    if (!network->dns)
        network->dns = network_dns_new();
    if (!update_section(&update, section, err))
        return false;
    network_fill_places(network);
    return network_check_all(network, err);
}
