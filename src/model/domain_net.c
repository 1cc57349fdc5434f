/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces: MAC, model, and what the type makes of the source. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"

static const guchar mac_prefix[3] = {0x52, 0x54, 0x00};

static void
fill_mac(Interface *net)
{
    if (net->mac.has_address)
        return;
    mac_generate(mac_prefix, net->mac.address);
    net->mac.has_address = true;
}

static bool
has_peer_address(NetType type)
{
    return type == NET_TYPE_SERVER || type == NET_TYPE_CLIENT || type == NET_TYPE_MCAST ||
           type == NET_TYPE_UDP;
}

static void
prune_source(NetSource *source, NetType type)
{
    if (type != NET_TYPE_NETWORK) {
        g_clear_pointer(&source->network, g_free);
        g_clear_pointer(&source->portgroup, g_free);
        g_clear_pointer(&source->portid, g_free);
    }
    if (type != NET_TYPE_BRIDGE && type != NET_TYPE_NETWORK)
        g_clear_pointer(&source->bridge, g_free);
    if (type != NET_TYPE_INTERNAL)
        g_clear_pointer(&source->name, g_free);
    if (type != NET_TYPE_VHOSTUSER) {
        g_clear_pointer(&source->type, g_free);
        g_clear_pointer(&source->path, g_free);
        g_clear_pointer(&source->reconnect, reconnect_free);
    }
    if (type != NET_TYPE_DIRECT && type != NET_TYPE_VDPA && type != NET_TYPE_USER)
        g_clear_pointer(&source->dev, g_free);
    if (type != NET_TYPE_DIRECT && type != NET_TYPE_VHOSTUSER)
        source->mode = NET_SOURCE_MODE_UNSET;
    if (!has_peer_address(type)) {
        g_clear_pointer(&source->address, g_free);
        source->has_port = false;
    }
    if (type != NET_TYPE_UDP) {
        g_clear_pointer(&source->local_address, g_free);
        source->has_local_port = false;
    }
}

static bool
fill_source(Interface *net, GError **err)
{
    NetSource *source = &net->source;

    prune_source(source, net->type);
    switch (net->type) {
    case NET_TYPE_NETWORK:
        if (!source->network || !source->network[0])
            return error_set(err, VIR_FROM_XML, VIR_ERR_XML_ERROR,
                             "Missing required attribute 'network' in element 'source'");
        break;
    case NET_TYPE_BRIDGE:
        if (!source->bridge || !source->bridge[0])
            return error_set(err, VIR_FROM_XML, VIR_ERR_XML_ERROR,
                             "Missing required attribute 'bridge' in element 'source'");
        break;
    case NET_TYPE_DIRECT:
        if (!source->dev || !source->dev[0])
            return error_set(err, VIR_FROM_XML, VIR_ERR_XML_ERROR,
                             "Missing required attribute 'dev' in element 'source'");
        if (!source->mode)
            source->mode = NET_SOURCE_MODE_VEPA;
        break;
    case NET_TYPE_SERVER:
    case NET_TYPE_CLIENT:
    case NET_TYPE_MCAST:
    case NET_TYPE_UDP:
        if (!source->has_port)
            return fail(err, VIR_ERR_XML_ERROR,
                        "No <source> 'port' attribute specified with socket interface");
        if (!source->address && net->type != NET_TYPE_SERVER)
            return fail(err, VIR_ERR_XML_ERROR,
                        "No <source> 'address' attribute specified with socket interface");
        break;
    case NET_TYPE_VHOSTUSER:
        if (!source->path)
            return error_set(err, VIR_FROM_XML, VIR_ERR_XML_ERROR,
                             "Missing required attribute 'path' in element 'source'");
        break;
    default:
        break;
    }
    return true;
}

static void
fill_families(NetIp **ips, gsize n_ips, NetRoute **routes, gsize n_routes)
{
    for (gsize i = 0; i < n_ips; i++)
        if (!ips[i]->family)
            ips[i]->family = g_strdup(strchr(ips[i]->address, ':') ? "ipv6" : "ipv4");
    for (gsize i = 0; i < n_routes; i++)
        if (!routes[i]->family)
            routes[i]->family =
                g_strdup(routes[i]->address && strchr(routes[i]->address, ':') ? "ipv6" : "ipv4");
}

/* Names that we give ourselves are made anew at each start. */
static void
drop_own_target(Interface *net)
{
    if (net->target_dev && (g_str_has_prefix(net->target_dev, "vnet") ||
                            g_str_has_prefix(net->target_dev, "macvtap") ||
                            g_str_has_prefix(net->target_dev, "macvlan")))
        g_clear_pointer(&net->target_dev, g_free);
}

static void
fill_virtual_port(Interface *net)
{
    VirtualPortParameters *parameters;

    if (!net->virtualport)
        return;
    parameters = &net->virtualport->parameters;
    switch (net->virtualport->type) {
    case VIRTUAL_PORT_TYPE_N_802_1QBG:
        if (!parameters->has_instanceid)
            uuid_generate(parameters->instanceid);
        parameters->has_instanceid = true;
        break;
    case VIRTUAL_PORT_TYPE_OPENVSWITCH:
    case VIRTUAL_PORT_TYPE_MIDONET:
        if (!parameters->has_interfaceid)
            uuid_generate(parameters->interfaceid);
        parameters->has_interfaceid = true;
        break;
    default:
        break;
    }
}

static bool
has_model_characters_only(const char *model)
{
    return strspn(model, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
           strlen(model);
}

/* Only virtio cards have a back end to tune. */
static void
prune_driver(Interface *net)
{
    NetDriver *driver = &net->driver;

    if (net->model_type && !g_str_has_prefix(net->model_type, "virtio") &&
        net->type != NET_TYPE_HOSTDEV) {
        NetDriver *empty = net_driver_new(), held = *driver;

        *driver = *empty;
        *empty = held;
        net_driver_free(empty);
        g_clear_pointer(&net->backend.vhost, g_free);
    }
    if (net->type == NET_TYPE_HOSTDEV || (driver->has_queues && driver->queues <= 1))
        driver->has_queues = false;
}

bool
interface_fill_defaults(Interface *net, Domain *dom, const DomainFillHost *host, GError **err)
{
    fill_mac(net);
    if (!fill_source(net, err))
        return false;
    if (net->model_type && !has_model_characters_only(net->model_type))
        return fail(err, VIR_ERR_INVALID_ARG, "Model name contains invalid characters");
    if (host && !net->model_type && net->type != NET_TYPE_HOSTDEV && domain_is_x86(dom))
        net->model_type = g_strdup(net->type == NET_TYPE_VDPA ? "virtio" : "rtl8139");
    fill_families(net->ips, net->n_ips, net->routes, net->n_routes);
    fill_families(net->source.ips, net->source.n_ips, net->source.routes, net->source.n_routes);
    if (net->type == NET_TYPE_HOSTDEV && !net->managed)
        net->managed = TRISTATE_NO;
    if (net->type != NET_TYPE_HOSTDEV)
        net->managed = TRISTATE_UNSET;
    drop_own_target(net);
    prune_driver(net);
    if (net->has_coalesce_rx_frames_max && net->coalesce_rx_frames_max == 0)
        net->has_coalesce_rx_frames_max = false;
    if (net->filterref && net->type != NET_TYPE_NETWORK && net->type != NET_TYPE_BRIDGE &&
        net->type != NET_TYPE_ETHERNET)
        g_clear_pointer(&net->filterref, net_filter_ref_free);
    fill_virtual_port(net);
    return true;
}

bool
interface_check_valid(const Interface *net, const Domain *dom, GError **err)
{
    guint size = net->driver.has_rx_queue_size ? net->driver.rx_queue_size : 0;

    if (net->mac.address[0] & 1)
        return fail(err, VIR_ERR_XML_ERROR,
                    "expected unicast mac address, found multicast '%02x:%02x:%02x:%02x:%02x:%02x'",
                    net->mac.address[0], net->mac.address[1], net->mac.address[2],
                    net->mac.address[3], net->mac.address[4], net->mac.address[5]);
    if (size & (size - 1))
        return error_set(err, VIR_FROM_QEMU, VIR_ERR_CONFIG_UNSUPPORTED,
                         "rx_queue_size has to be a power of two");
    return true;
}

bool
interface_prints_target(const Interface *net, ModelFormatFlags flags)
{
    return !((flags & MODEL_FORMAT_INACTIVE) && net->target_dev &&
             g_str_has_prefix(net->target_dev, "vnet"));
}

/* The driver of a host's device is printed before it, that of a card after its model. */
bool
interface_is_hostdev(const Interface *net, ModelFormatFlags flags)
{
    return net->type == NET_TYPE_HOSTDEV;
}

bool
interface_is_not_hostdev(const Interface *net, ModelFormatFlags flags)
{
    return net->type != NET_TYPE_HOSTDEV;
}
