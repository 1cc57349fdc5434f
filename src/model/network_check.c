/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no network may say: pure rules, from the parts up to the whole. See network.h. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "model/network.h"

#define RANGE_MAX 65535

static bool
check_address(const char *text, GError **err)
{
    return address_family(text, NULL) ||
           error_set(err, VIR_FROM_NONE, VIR_ERR_SYSTEM_ERROR,
                     "Cannot parse socket address '%s': an IPv4 or IPv6 address is expected", text);
}

/* ---- addresses of a network ---- */

static guint
ip_prefix(const NetworkIp *ip)
{
    guchar bytes[16];
    guint bits = 0;

    if (ip->has_prefix)
        return ip->prefix;
    if (address_family(ip->netmask, bytes) == AF_INET) {
        for (guint i = 0; i < 32 && (bytes[i / 8] >> (7 - i % 8) & 1); i++)
            bits++;
        return bits;
    }
    if (network_ip_family(ip) == AF_INET6)
        return 64;
    address_family(ip->address, bytes);
    return bytes[0] < 128 ? 8 : bytes[0] < 192 ? 16 : 24; /* classes */
}

static bool
shares_prefix(const guchar *a, const guchar *b, guint bits)
{
    return memcmp(a, b, bits / 8) == 0 &&
           (bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0);
}

/* All host bits 0 (the network's own address) or 1 (broadcast). */
static bool
has_host_bits(const guchar *bytes, guint prefix, bool value)
{
    for (guint i = prefix; i < 32; i++)
        if ((bytes[i / 8] >> (7 - i % 8) & 1) != value)
            return false;
    return true;
}

static guint64
low_bytes(const guchar *bytes, gsize len)
{
    guint64 value = 0;

    for (gsize i = len - 4; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

#define fail_range(err, what, ...)                                                        \
    error_set(err, VIR_FROM_NONE, VIR_ERR_INTERNAL_ERROR, what, range->start, range->end, \
              ##__VA_ARGS__)

static bool
check_range_in_ip(const NetworkIp *ip, const NetworkRange *range, const guchar *start,
                  const guchar *end, gsize len, GError **err)
{
    const guint prefix = ip_prefix(ip);
    guchar own[16];

    address_family(ip->address, own);
    if (prefix > len * 8 || !shares_prefix(start, own, prefix) || !shares_prefix(end, own, prefix))
        return fail_range(err, "range %s - %s is not entirely within network %s/%u", ip->address,
                          prefix);
    if (len == 4 && prefix < 31 && has_host_bits(start, prefix, false))
        return fail_range(err, "start of range %s - %s in network %s/%u is the network address",
                          ip->address, prefix);
    if (len == 4 && prefix < 31 && has_host_bits(end, prefix, true))
        return fail_range(err, "end of range %s - %s in network %s/%u is the broadcast address",
                          ip->address, prefix);
    return true;
}

/* @ip NULL: of addresses for NAT, in no network of ours. */
static bool
check_range(const NetworkIp *ip, const NetworkRange *range, GError **err)
{
    guchar start[16], end[16];
    const int family = address_family(range->start, start);
    const gsize len = family == AF_INET ? 4 : 16;

    if (family != address_family(range->end, end) || (ip && family != network_ip_family(ip)))
        return ip ? fail_range(err, "mismatch of address family in range %s - %s for network %s",
                               ip->address)
                  : fail_range(err, "mismatch of address family in range %s - %s");
    if (memcmp(start, end, len) > 0)
        return fail_range(err, "range %s - %s is reversed: the lower address comes first");
    if (ip && !check_range_in_ip(ip, range, start, end, len, err))
        return false;
    if (memcmp(start, end, len - 4) != 0 || low_bytes(end, len) - low_bytes(start, len) > RANGE_MAX)
        return fail_range(err, "range %s - %s is too large: at most %d addresses", RANGE_MAX);
    return true;
}

bool
network_check_range(const Network *network, const NetworkIp *ip, const NetworkRange *range,
                    GError **err)
{
    if (!range->start || !range->end)
        return fail(err, VIR_ERR_XML_ERROR, "Missing '%s' attribute in dhcp range for network '%s'",
                    range->start ? "end" : "start", network->name);
    return check_address(range->start, err) && check_address(range->end, err) &&
           check_range(ip, range, err);
}

/* ---- hosts that get their address by DHCP ---- */

static bool
check_host_names(const Network *network, const NetworkHost *host, GError **err)
{
    guchar mac[6];

    if (host->mac && !mac_parse(host->mac, mac))
        return fail(err, VIR_ERR_XML_ERROR, "Cannot parse MAC address '%s' in network '%s'",
                    host->mac, network->name);
    if (host->mac && (mac[0] & 1))
        return fail(err, VIR_ERR_XML_ERROR,
                    "expected unicast mac address, found multicast '%s' in network '%s'", host->mac,
                    network->name);
    if (host->id && host->id[strspn(host->id, "0123456789abcdefABCDEF:")])
        return fail(err, VIR_ERR_XML_ERROR, "Invalid character '%c' in id '%s' of network '%s'",
                    host->id[strspn(host->id, "0123456789abcdefABCDEF:")], host->id, network->name);
    if (host->name && !g_ascii_isalpha(*host->name))
        return fail(err, VIR_ERR_XML_ERROR,
                    "Cannot use host name '%s' in network '%s': it must begin with a letter",
                    host->name, network->name);
    if (host->ip && !address_family(host->ip, NULL))
        return fail(err, VIR_ERR_XML_ERROR,
                    "Invalid IP address in static host definition '%s' for network '%s'", host->ip,
                    network->name);
    return true;
}

bool
network_check_host(const Network *network, const NetworkHost *host, int family, bool is_partial,
                   GError **err)
{
    if (!check_host_names(network, host, err))
        return false;
    if (is_partial)
        return host->mac || host->name || host->ip || host->id ||
               fail(err, VIR_ERR_XML_ERROR,
                    "At least one of name, mac, or ip attribute must be specified for static host "
                    "definition in network '%s'",
                    network->name);
    if (family == AF_INET6 && host->mac)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Invalid to specify MAC address '%s' in network '%s' IPv6 static host "
                    "definition",
                    host->mac, network->name);
    if (family == AF_INET && host->id)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Invalid to specify client id '%s' in network '%s' IPv4 static host definition",
                    host->id, network->name);
    if (!host->mac && !host->name && !host->id)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Static host definition in %s network '%s' must have %s or name attribute",
                    family == AF_INET6 ? "IPv6" : "IPv4", network->name,
                    family == AF_INET6 ? "id" : "mac");
    return host->ip ||
           fail(err, VIR_ERR_XML_ERROR,
                "Missing IP address in static host definition for network '%s'", network->name);
}

static bool
check_ip_address(const Network *network, const NetworkIp *ip, GError **err)
{
    const int family = network_ip_family(ip);
    const bool is_v6 = !g_strcmp0(ip->family, "ipv6");

    if (!ip->address)
        return fail(err, VIR_ERR_XML_ERROR, "Missing required address attribute in network '%s'",
                    network->name);
    if (!family)
        return fail(err, VIR_ERR_XML_ERROR, "Invalid address '%s' in network '%s'", ip->address,
                    network->name);
    if (ip->family && !is_v6 && strcmp(ip->family, "ipv4") != 0)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Unrecognized family '%s' in network '%s': ipv4 or ipv6", ip->family,
                    network->name);
    if (is_v6 != (family == AF_INET6))
        return fail(err, VIR_ERR_XML_ERROR,
                    "family '%s' specified for %s address '%s' in network '%s'",
                    ip->family ? ip->family : "ipv4 (the default)",
                    family == AF_INET6 ? "an IPv6" : "an IPv4", ip->address, network->name);
    if (ip->netmask && (family != AF_INET || address_family(ip->netmask, NULL) != AF_INET))
        return fail(err, VIR_ERR_XML_ERROR,
                    "Invalid netmask '%s' for address '%s' in network '%s' (both must be IPv4)",
                    ip->netmask, ip->address, network->name);
    if (ip->netmask && ip->has_prefix)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Network '%s' IP address cannot have both a prefix and a netmask",
                    network->name);
    return !ip->has_prefix || ip->prefix <= (family == AF_INET ? 32U : 128U) ||
           fail(err, VIR_ERR_XML_ERROR, "Invalid prefix %u of address '%s' in network '%s'",
                ip->prefix, ip->address, network->name);
}

static bool
check_ip(const Network *network, const NetworkIp *ip, GError **err)
{
    const int family = network_ip_family(ip);
    const NetworkDhcp *dhcp = ip->dhcp;

    if (!check_ip_address(network, ip, err))
        return false;
    if (ip->tftp_root && family == AF_INET6)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Unsupported <tftp> element in an IPv6 element in network '%s'", network->name);
    for (gsize i = 0; dhcp && i < dhcp->n_ranges; i++)
        if (!network_check_range(network, ip, dhcp->ranges[i], err))
            return false;
    for (gsize i = 0; dhcp && i < dhcp->n_hosts; i++)
        if (!network_check_host(network, dhcp->hosts[i], family, false, err))
            return false;
    return !dhcp || !dhcp->bootp_server || check_address(dhcp->bootp_server, err);
}

/* ---- names ---- */

bool
network_check_dns_host(const Network *network, const NetworkDnsHost *host, bool is_partial,
                       GError **err)
{
    if (!host->ip && !is_partial)
        return fail(err, VIR_ERR_XML_DETAIL, "Missing IP address in network '%s' DNS HOST record",
                    network->name);
    if (host->ip && !address_family(host->ip, NULL))
        return fail(err, VIR_ERR_XML_DETAIL,
                    "Invalid IP address '%s' in network '%s' DNS HOST record", host->ip,
                    network->name);
    if (host->n_hostnames || (is_partial && host->ip))
        return true;
    return is_partial
               ? fail(err, VIR_ERR_XML_DETAIL,
                      "Missing ip and hostname in network '%s' DNS HOST record", network->name)
               : fail(err, VIR_ERR_XML_DETAIL, "Missing hostname in network '%s' DNS HOST record",
                      network->name);
}

bool
network_check_txt(const Network *network, const NetworkDnsTxt *txt, bool is_partial, GError **err)
{
    if (!txt->name || !*txt->name)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "missing required name attribute in DNS TXT record of network %s",
                    network->name);
    if (strchr(txt->name, ' '))
        return fail(err, VIR_ERR_XML_DETAIL,
                    "prohibited space character in DNS TXT record name '%s' of network %s",
                    txt->name, network->name);
    return txt->value || is_partial ||
           fail(err, VIR_ERR_XML_DETAIL,
                "missing required value attribute in DNS TXT record named '%s' of network %s",
                txt->name, network->name);
}

bool
network_check_srv(const Network *network, const NetworkDnsSrv *srv, bool is_partial, GError **err)
{
    if (!srv->service && !is_partial)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "missing required service attribute in DNS SRV record of network '%s'",
                    network->name);
    if (srv->service && strlen(srv->service) > 32)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "service attribute '%s' in network '%s' is too long, limit is 32 bytes",
                    srv->service, network->name);
    if (!srv->protocol && !is_partial)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "missing required protocol attribute in DNS SRV record '%s' of network '%s'",
                    srv->service, network->name);
    if (srv->protocol && strcmp(srv->protocol, "tcp") != 0 && strcmp(srv->protocol, "udp") != 0)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "invalid protocol attribute value '%s' in DNS SRV record of network '%s': tcp "
                    "or udp",
                    srv->protocol, network->name);
    if (!srv->target && (srv->has_port || srv->has_priority || srv->has_weight) && !is_partial)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "DNS SRV record '%s' of network '%s' has port, priority or weight, but no "
                    "target",
                    srv->service, network->name);
    return true;
}

static bool
check_dns(const Network *network, const NetworkDns *dns, GError **err)
{
    if (dns->enable == TRISTATE_NO &&
        (dns->n_forwarders || dns->n_txts || dns->n_srvs || dns->n_hosts))
        return fail(err, VIR_ERR_XML_ERROR, "Extra data in disabled network '%s'", network->name);
    for (gsize i = 0; i < dns->n_forwarders; i++) {
        const NetworkDnsForwarder *forwarder = dns->forwarders[i];

        if (!forwarder->addr && !forwarder->domain)
            return fail(err, VIR_ERR_XML_ERROR,
                        "Invalid forwarder element in network '%s', must contain at least one of "
                        "addr or domain",
                        network->name);
        if (forwarder->addr && !check_address(forwarder->addr, err))
            return false;
    }
    for (gsize i = 0; i < dns->n_hosts; i++)
        if (!network_check_dns_host(network, dns->hosts[i], false, err))
            return false;
    for (gsize i = 0; i < dns->n_txts; i++)
        if (!network_check_txt(network, dns->txts[i], false, err))
            return false;
    for (gsize i = 0; i < dns->n_srvs; i++)
        if (!network_check_srv(network, dns->srvs[i], false, err))
            return false;
    return true;
}

/* ---- where it leads ---- */

static bool
check_nat(const Network *network, const NetworkNat *nat, GError **err)
{
    const NetworkRange range = {.start = nat->address_start, .end = nat->address_end};

    if (network_mode(network) != NETWORK_FORWARD_MODE_NAT)
        return fail(err, VIR_ERR_XML_ERROR,
                    "The <nat> element can only be used when <forward> 'mode' is 'nat' in network "
                    "%s",
                    network->name);
    if (range.start && address_family(range.start, NULL) != AF_INET)
        return fail(err, VIR_ERR_XML_ERROR, "Bad ipv4 start address '%s' in <nat> in network '%s'",
                    range.start, network->name);
    if (range.end && address_family(range.end, NULL) != AF_INET)
        return fail(err, VIR_ERR_XML_ERROR, "Bad ipv4 end address '%s' in <nat> in network '%s'",
                    range.end, network->name);
    if ((range.start && !range.end) || (range.end && !range.start))
        return fail(err, VIR_ERR_XML_ERROR,
                    "only one of start and end of the <nat> addresses is given in network '%s'",
                    network->name);
    if (nat->has_port_start != nat->has_port_end ||
        (nat->has_port_start && nat->port_start > nat->port_end))
        return fail(err, VIR_ERR_XML_ERROR,
                    "the ports of <nat> in network '%s' need a start and an end that is not lower",
                    network->name);
    return !range.start || check_range(NULL, &range, err);
}

static bool
check_forward(const Network *network, const NetworkForward *forward, GError **err)
{
    if (forward->n_pfs > 1)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Use of more than one physical interface is not allowed in network '%s'",
                    network->name);
    if (forward->n_pfs && (forward->n_interfaces || forward->n_addresses))
        return fail(err, VIR_ERR_XML_ERROR,
                    "<pf>, <interface> and <address> exclude each other in <forward> of network "
                    "'%s'",
                    network->name);
    if (forward->n_interfaces && forward->n_addresses)
        return fail(err, VIR_ERR_XML_ERROR,
                    "<address> and <interface> elements in <forward> of network '%s' exclude each "
                    "other",
                    network->name);
    return !forward->nat || check_nat(network, forward->nat, err);
}

static bool
check_mode(const Network *network, GError **err)
{
    const NetworkForwardMode mode = network_mode(network);
    const NetworkForward *forward = network->forward;
    const char *mode_name = network_forward_mode_to_string(mode);
    const bool has_bridge = network->bridge && network->bridge->name;

    if ((mode == NETWORK_FORWARD_MODE_NAT || mode == NETWORK_FORWARD_MODE_ROUTE) && !network->n_ips)
        return fail(err, VIR_ERR_XML_ERROR,
                    "%s forwarding requested, but no IP address provided for network '%s'",
                    mode_name, network->name);
    if ((mode == NETWORK_FORWARD_MODE_NAT || mode == NETWORK_FORWARD_MODE_ROUTE) &&
        forward->n_interfaces > 1)
        return fail(err, VIR_ERR_XML_ERROR,
                    "multiple forwarding interfaces specified for network '%s', only one is "
                    "supported",
                    network->name);
    if (mode == NETWORK_FORWARD_MODE_OPEN && forward->n_interfaces)
        return fail(err, VIR_ERR_XML_ERROR,
                    "forward dev not allowed for network '%s' with forward mode='open'",
                    network->name);
    if (network_is_virtual(network))
        return true;
    if (mode != NETWORK_FORWARD_MODE_BRIDGE && has_bridge)
        return fail(err, VIR_ERR_XML_ERROR, "bridge name not allowed in %s mode (network '%s')",
                    mode_name, network->name);
    if (has_bridge && (forward->n_interfaces || forward->n_pfs))
        return fail(err, VIR_ERR_XML_ERROR,
                    "A network with forward mode='%s' can specify a bridge name or a forward dev, "
                    "but not both (network '%s')",
                    mode_name, network->name);
    return !network->has_mtu_size ||
           fail(err, VIR_ERR_XML_ERROR,
                "mtu size only allowed in open, route, nat, and isolated mode, not in %s (network "
                "'%s')",
                mode_name, network->name);
}

static bool
check_name(const Network *network, GError **err)
{
    const char *bad = strpbrk(network->name, "/\n");

    if (bad)
        return error_set(err, VIR_FROM_XML, VIR_ERR_XML_ERROR,
                         *bad == '/' ? "name %s cannot contain '/'"
                                     : "name '%s' cannot contain a line break",
                         network->name);
    return !network->title || !strchr(network->title, '\n') ||
           fail(err, VIR_ERR_XML_ERROR, "the title of network '%s' contains a line break",
                network->name);
}

static bool
check_routes(const Network *network, GError **err)
{
    for (gsize i = 0; i < network->n_routes; i++) {
        const NetRoute *route = network->routes[i];
        const int family = address_family(route->address, NULL);
        const bool is_v6 = !g_strcmp0(route->family, "ipv6");

        if (!family || address_family(route->gateway, NULL) != family ||
            is_v6 != (family == AF_INET6) ||
            (route->netmask && address_family(route->netmask, NULL) != family) ||
            (route->netmask && route->has_prefix))
            return error_set(err, VIR_FROM_NONE, VIR_ERR_XML_ERROR,
                             "route %s via %s in network '%s': address and gateway of the family "
                             "that it states, and a netmask or a prefix, are needed",
                             route->address ? route->address : "without address",
                             route->gateway ? route->gateway : "no gateway", network->name);
    }
    return true;
}

bool
network_check_portgroup(const Network *network, const NetworkPortGroup *group, GError **err)
{
    return group->name ||
           fail(err, VIR_ERR_XML_ERROR,
                "Missing required name attribute in portgroup of network '%s'", network->name);
}

bool
network_check_all(const Network *network, GError **err)
{
    if (!check_name(network, err) || (network->dns && !check_dns(network, network->dns, err)))
        return false;
    for (gsize i = 0; i < network->n_portgroups; i++)
        if (!network_check_portgroup(network, network->portgroups[i], err))
            return false;
    for (gsize i = 0; i < network->n_ips; i++)
        if (!check_ip(network, network->ips[i], err))
            return false;
    return check_routes(network, err) &&
           (!network->forward || check_forward(network, network->forward, err)) &&
           check_mode(network, err);
}
