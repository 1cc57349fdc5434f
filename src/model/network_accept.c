/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a network's mode cannot do: read from its places alone, so it is here and not in the driver. See network.h. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <sys/socket.h>

#include "base/error.h"
#include "model/network.h"

/* Networks on somebody else's bridge or device have no addresses, names or limits of their own. */
static bool
accept_foreign(const Network *network, GError **err)
{
    const NetworkDns *dns = network->dns;
    const char *what = network->n_ips                                        ? "<ip>"
                       : dns && (dns->n_txts || dns->n_hosts || dns->n_srvs) ? "<dns>"
                       : network->domain && network->domain->name            ? "<domain>"
                       : network->bandwidth ? "network-wide <bandwidth>"
                                            : NULL;

    return !what || fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "Unsupported %s element in network %s with forward mode='%s'", what,
                         network->name, network_forward_mode_to_string(network_mode(network)));
}

static bool
accept_dhcp(const Network *network, GError **err)
{
    guint n_v4 = 0, n_v6 = 0;

    for (gsize i = 0; i < network->n_ips; i++) {
        const NetworkIp *ip = network->ips[i];

        if (ip->dhcp && (ip->dhcp->n_ranges || ip->dhcp->n_hosts))
            *(network_ip_family(ip) == AF_INET ? &n_v4 : &n_v6) += 1;
    }
    return (n_v4 <= 1 && n_v6 <= 1) ||
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "Multiple %s dhcp sections found in network '%s' -- dhcp is supported only for a "
                "single %s address on each network",
                n_v4 > 1 ? "IPv4" : "IPv6", network->name, n_v4 > 1 ? "IPv4" : "IPv6");
}

static bool
allows_vlan(const Network *network, const VirtualPort *port)
{
    return network_mode(network) == NETWORK_FORWARD_MODE_HOSTDEV ||
           (network_mode(network) == NETWORK_FORWARD_MODE_BRIDGE && port &&
            port->type == VIRTUAL_PORT_TYPE_OPENVSWITCH);
}

/* A group that says how its ports are plugged in answers for itself. */
static bool
accept_vlans(const Network *network, GError **err)
{
    bool is_good = !network->vlan || allows_vlan(network, network->virtualport);

    for (gsize i = 0; i < network->n_portgroups; i++) {
        const NetworkPortGroup *group = network->portgroups[i];

        if (group->vlan &&
            !allows_vlan(network, group->virtualport ? group->virtualport : network->virtualport))
            is_good = false;
    }
    return is_good || fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                           "<vlan> element specified for network %s, whose type doesn't support "
                           "vlan configuration",
                           network->name);
}

static bool
accept_groups(const Network *network, GError **err)
{
    guint n_default = 0;

    for (gsize i = 0; i < network->n_portgroups; i++)
        n_default += network->portgroups[i]->default_ == TRISTATE_YES;
    return n_default <= 1 ||
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "network '%s' has multiple default <portgroup> elements, but only one default is "
                "allowed",
                network->name);
}

static bool
accept_limits(const Network *network, const NetBandwidth *bandwidth, GError **err)
{
    return !bandwidth || !bandwidth->inbound || !bandwidth->inbound->has_floor ||
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "Unsupported 'floor' of <bandwidth> in network '%s': it belongs into the interface "
                "of a guest",
                network->name);
}

bool
network_accept(const Network *network, GError **err)
{
    const NetworkForward *forward = network->forward;

    if (!network_is_virtual(network) && !accept_foreign(network, err))
        return false;
    if (!accept_limits(network, network->bandwidth, err) || !accept_dhcp(network, err) ||
        !accept_vlans(network, err) || !accept_groups(network, err))
        return false;
    return !forward || !forward->n_addresses || forward->mode == NETWORK_FORWARD_MODE_HOSTDEV ||
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "network '%s' has forward mode '%s' but lists a device by PCI address in the "
                "device pool. This is only supported for networks with forward mode 'hostdev'",
                network->name, network_forward_mode_to_string(forward->mode));
}
