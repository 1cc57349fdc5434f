/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which networks there are and what they are. Answered on the loop's thread, from views. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/network/network.h"

/* ---- look-ups ---- */

static bool
network_lookup_by_name(Call *call, const RemoteNetworkLookupByNameArgs *args,
                       RemoteNetworkLookupByNameRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = registry_lookup_name(network_of_call(call)->networks, args->name);

    if (!view)
        return fail(err, VIR_ERR_NO_NETWORK, "no network with matching name '%s'", args->name);
    network_view_fill_wire(view, &ret->net);
    return true;
}

static bool
network_lookup_by_uuid(Call *call, const RemoteNetworkLookupByUuidArgs *args,
                       RemoteNetworkLookupByUuidRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = registry_lookup_uuid(network_of_call(call)->networks, args->uuid);
    char uuid[UUID_TEXT];

    uuid_format(args->uuid, uuid);
    if (!view)
        return fail(err, VIR_ERR_NO_NETWORK, "no network with matching uuid '%s'", uuid);
    network_view_fill_wire(view, &ret->net);
    return true;
}

/* ---- lists ---- */

static bool
fits(const void *opaque, guint flags)
{
    const DefinedView *view = opaque;

    return flags_fit(flags, VIR_CONNECT_LIST_NETWORKS_ACTIVE, VIR_CONNECT_LIST_NETWORKS_INACTIVE,
                     view->live != NULL) &&
           flags_fit(flags, VIR_CONNECT_LIST_NETWORKS_PERSISTENT,
                     VIR_CONNECT_LIST_NETWORKS_TRANSIENT, view->is_persistent) &&
           flags_fit(flags, VIR_CONNECT_LIST_NETWORKS_AUTOSTART,
                     VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART, view->is_autostart);
}

static bool
connect_list_all_networks(Call *call, const RemoteConnectListAllNetworksArgs *args,
                          RemoteConnectListAllNetworksRet *ret, GError **err)
{
    const guint filters =
        VIR_CONNECT_LIST_NETWORKS_ACTIVE | VIR_CONNECT_LIST_NETWORKS_INACTIVE |
        VIR_CONNECT_LIST_NETWORKS_PERSISTENT | VIR_CONNECT_LIST_NETWORKS_TRANSIENT |
        VIR_CONNECT_LIST_NETWORKS_AUTOSTART | VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART;
    g_autoptr(GPtrArray) found = NULL;

    if (!call_check_flags(call, args->flags, filters, ERROR_DOMAIN, err))
        return false;
    found = defined_list(network_of_call(call)->networks, fits, args->flags);
    ret->ret = found->len;
    if (!args->need_results)
        return true;
    ret->nets.count = found->len;
    ret->nets.items = g_new0(RemoteNonnullNetwork, found->len);
    for (guint i = 0; i < found->len; i++)
        network_view_fill_wire(found->pdata[i], &ret->nets.items[i]);
    return true;
}

static bool
connect_list_networks(Call *call, const RemoteConnectListNetworksArgs *args,
                      RemoteConnectListNetworksRet *ret, GError **err)
{
    g_autoptr(GPtrArray) found =
        defined_list(network_of_call(call)->networks, fits, VIR_CONNECT_LIST_NETWORKS_ACTIVE);

    defined_fill_names(found, args->maxnames, &ret->names.count, &ret->names.items);
    return true;
}

static bool
connect_list_defined_networks(Call *call, const RemoteConnectListDefinedNetworksArgs *args,
                              RemoteConnectListDefinedNetworksRet *ret, GError **err)
{
    g_autoptr(GPtrArray) found =
        defined_list(network_of_call(call)->networks, fits, VIR_CONNECT_LIST_NETWORKS_INACTIVE);

    defined_fill_names(found, args->maxnames, &ret->names.count, &ret->names.items);
    return true;
}

static bool
connect_num_of_networks(Call *call, RemoteConnectNumOfNetworksRet *ret, GError **err)
{
    g_autoptr(GPtrArray) found =
        defined_list(network_of_call(call)->networks, fits, VIR_CONNECT_LIST_NETWORKS_ACTIVE);

    ret->num = (gint32)found->len;
    return true;
}

static bool
connect_num_of_defined_networks(Call *call, RemoteConnectNumOfDefinedNetworksRet *ret, GError **err)
{
    g_autoptr(GPtrArray) found =
        defined_list(network_of_call(call)->networks, fits, VIR_CONNECT_LIST_NETWORKS_INACTIVE);

    ret->num = (gint32)found->len;
    return true;
}

/* ---- one network ---- */

static bool
network_get_xml_desc(Call *call, const RemoteNetworkGetXmlDescArgs *args,
                     RemoteNetworkGetXmlDescRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);
    const bool inactive = args->flags & VIR_NETWORK_XML_INACTIVE;

    if (!view || !call_check_flags(call, args->flags, VIR_NETWORK_XML_INACTIVE, ERROR_DOMAIN, err))
        return false;
    ret->xml = network_format(view->live && !inactive ? view->live : view->config,
                              inactive ? MODEL_FORMAT_INACTIVE : 0);
    return true;
}

static bool
network_get_autostart(Call *call, const RemoteNetworkGetAutostartArgs *args,
                      RemoteNetworkGetAutostartRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);

    ret->autostart = view && view->is_autostart;
    return view != NULL;
}

static bool
network_is_active(Call *call, const RemoteNetworkIsActiveArgs *args, RemoteNetworkIsActiveRet *ret,
                  GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);

    ret->active = view && view->live;
    return view != NULL;
}

static bool
network_is_persistent(Call *call, const RemoteNetworkIsPersistentArgs *args,
                      RemoteNetworkIsPersistentRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);

    ret->persistent = view && view->is_persistent;
    return view != NULL;
}

static bool
network_get_bridge_name(Call *call, const RemoteNetworkGetBridgeNameArgs *args,
                        RemoteNetworkGetBridgeNameRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);
    const Network *config = view ? network_view_config(view) : NULL;

    if (!view)
        return false;
    if (!config->bridge || !config->bridge->name)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "network '%s' does not have a bridge name.",
                    view->view.name);
    ret->name = g_strdup(config->bridge->name);
    return true;
}

void
network_list_slots(DriverSlots *slots)
{
    slots->network_lookup_by_name = network_lookup_by_name;
    slots->network_lookup_by_uuid = network_lookup_by_uuid;
    slots->connect_list_all_networks = connect_list_all_networks;
    slots->connect_list_networks = connect_list_networks;
    slots->connect_list_defined_networks = connect_list_defined_networks;
    slots->connect_num_of_networks = connect_num_of_networks;
    slots->connect_num_of_defined_networks = connect_num_of_defined_networks;
    slots->network_get_xml_desc = network_get_xml_desc;
    slots->network_get_autostart = network_get_autostart;
    slots->network_is_active = network_is_active;
    slots->network_is_persistent = network_is_persistent;
    slots->network_get_bridge_name = network_get_bridge_name;
}
