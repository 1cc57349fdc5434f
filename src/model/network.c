/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See network.h: reading, and what is filled in. */
#define ERROR_DOMAIN VIR_FROM_NETWORK
#include "model/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"

bool
network_lease_ends(const NetworkLease *lease, ModelFormatFlags flags)
{
    return lease->expiry != 0;
}

NetworkForwardMode
network_mode(const Network *network)
{
    return network->forward ? network->forward->mode : NETWORK_FORWARD_MODE_NONE;
}

bool
network_is_virtual(const Network *network)
{
    const NetworkForwardMode mode = network_mode(network);

    return mode == NETWORK_FORWARD_MODE_NONE || mode == NETWORK_FORWARD_MODE_NAT ||
           mode == NETWORK_FORWARD_MODE_ROUTE || mode == NETWORK_FORWARD_MODE_OPEN;
}

int
address_family(const char *text, guchar *bytes)
{
    guchar room[16];
    guchar *to = bytes ? bytes : room;

    if (!text)
        return 0;
    return inet_pton(AF_INET, text, to) == 1    ? AF_INET
           : inet_pton(AF_INET6, text, to) == 1 ? AF_INET6
                                                : 0;
}

int
network_ip_family(const NetworkIp *ip)
{
    return address_family(ip->address, NULL);
}

/* An address in the one form that it has when printed; anything else stays for the checks. */
static void
clean_address(char **text)
{
    char clean[INET6_ADDRSTRLEN];
    guchar bytes[16];
    const int family = address_family(*text, bytes);

    if (!family || !inet_ntop(family, bytes, clean, sizeof clean))
        return;
    g_free(*text);
    *text = g_strdup(clean);
}

static void
fill_lease(NetworkLease *lease)
{
    if (lease && !lease->unit)
        lease->unit = NETWORK_LEASE_UNIT_MINUTES;
}

static void
fill_ip(NetworkIp *ip)
{
    NetworkDhcp *dhcp = ip->dhcp;

    clean_address(&ip->address);
    clean_address(&ip->netmask);
    for (gsize i = 0; dhcp && i < dhcp->n_ranges; i++) {
        clean_address(&dhcp->ranges[i]->start);
        clean_address(&dhcp->ranges[i]->end);
        fill_lease(dhcp->ranges[i]->lease);
    }
    for (gsize i = 0; dhcp && i < dhcp->n_hosts; i++) {
        clean_address(&dhcp->hosts[i]->ip);
        fill_lease(dhcp->hosts[i]->lease);
    }
    if (dhcp)
        clean_address(&dhcp->bootp_server);
}

static void
fill_dns(NetworkDns *dns)
{
    for (gsize i = 0; i < dns->n_forwarders; i++)
        clean_address(&dns->forwarders[i]->addr);
    for (gsize i = 0; i < dns->n_hosts; i++)
        clean_address(&dns->hosts[i]->ip);
}

static void
fill_forward(NetworkForward *forward)
{
    if (!forward->mode)
        forward->mode = NETWORK_FORWARD_MODE_NAT;
    if (forward->dev && !forward->n_interfaces && !forward->n_pfs) {
        NetworkForwardInterface *interface = network_forward_interface_new();

        interface->dev = g_strdup(forward->dev);
        model_append(forward, interfaces, interface);
    }
    /* The attribute is the first interface, said a second time. */
    if (!forward->dev && forward->n_interfaces && !forward->n_pfs)
        forward->dev = g_strdup(forward->interfaces[0]->dev);
    if (forward->managed == TRISTATE_NO)
        forward->managed = TRISTATE_UNSET;
    if (forward->nat) {
        clean_address(&forward->nat->address_start);
        clean_address(&forward->nat->address_end);
    }
}

static void
fill_bridge(Network *network)
{
    static const guchar prefix[3] = {0x52, 0x54, 0x00};

    if (!network_is_virtual(network))
        return;
    if (!network->bridge)
        network->bridge = network_bridge_new();
    if (!network->bridge->stp)
        network->bridge->stp = TRISTATE_ON;
    network->bridge->has_delay = true;
    if (!network->has_mac_address)
        mac_generate(prefix, network->mac_address);
    network->has_mac_address = true;
}

void
network_fill_places(Network *network)
{
    if (!network->has_uuid)
        uuid_generate(network->uuid);
    network->has_uuid = true;
    if (network->forward)
        fill_forward(network->forward);
    if (network->forward && network->forward->mode == NETWORK_FORWARD_MODE_NONE)
        g_clear_pointer(&network->forward, network_forward_free);
    fill_bridge(network);
    if (network->dns)
        fill_dns(network->dns);
    for (gsize i = 0; i < network->n_ips; i++)
        fill_ip(network->ips[i]);
    for (gsize i = 0; i < network->n_routes; i++) {
        clean_address(&network->routes[i]->address);
        clean_address(&network->routes[i]->netmask);
        clean_address(&network->routes[i]->gateway);
    }
}

Network *
network_read(const char *xml, GError **err)
{
    g_autoptr(Network) network = network_parse(xml, MODEL_PARSE_INACTIVE, err);
    const Network before = network ? *network : (Network){0};

    if (!network || !network->name)
        return network ? fail_null(err, VIR_ERR_NO_NAME, "network") : NULL;
    /* What is to be refused must be seen before the defaults cover it. */
    if (before.forward && before.forward->dev && before.forward->n_interfaces &&
        g_strcmp0(before.forward->dev, before.forward->interfaces[0]->dev) != 0)
        return fail_null(
            err, VIR_ERR_XML_ERROR,
            "forward dev '%s' must match first interface element dev '%s' in network '%s'",
            before.forward->dev, before.forward->interfaces[0]->dev, network->name);
    if (before.bridge && (before.bridge->stp || before.bridge->has_delay) && before.forward &&
        before.forward->mode && !network_is_virtual(&before))
        return fail_null(err, VIR_ERR_XML_ERROR,
                         "bridge delay/stp options only allowed in route, nat, and isolated mode, "
                         "not in %s (network '%s')",
                         network_forward_mode_to_string(before.forward->mode), network->name);
    network_fill_places(network);
    return network_check_all(network, err) ? g_steal_pointer(&network) : NULL;
}
