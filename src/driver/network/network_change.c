/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a part of a network: virNetworkUpdate, title, description and metadata. Ports: none, as no network is active. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/network/network.h"
#include "model/metadata.h"

bool
network_check_affect(const DefinedView *view, guint flags, GError **err)
{
    if (flags & VIR_NETWORK_UPDATE_AFFECT_LIVE && !view->live)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "network '%s' is not running: its definition "
                    "alone can be changed",
                    view->view.name);
    return true;
}

static bool
network_update_part(Call *call, const RemoteNetworkUpdateArgs *args, GError **err)
{
    NetworkDriver *networks = network_of_call(call);
    g_autoptr(DefinedView) before = network_view_of_call(call, &args->net, err);
    g_autoptr(DefinedView) view = NULL;
    g_autoptr(Network) config = NULL;

    if (!before ||
        !call_check_flags(call, args->flags,
                          VIR_NETWORK_UPDATE_AFFECT_LIVE | VIR_NETWORK_UPDATE_AFFECT_CONFIG,
                          ERROR_DOMAIN, err) ||
        !network_check_affect(before, args->flags, err))
        return false;
    config = network_copy(before->config);
    if (!network_update(config, args->command, args->section, args->parentIndex, args->xml, err) ||
        !network_accept(config, err))
        return false;
    view = network_replace(networks, before, g_steal_pointer(&config), before->strand, err);
    if (view)
        log_info(LOG_NETWORK, "network %s: updated", view->view.name);
    return view != NULL;
}

/* ---- metadata ---- */

static bool
network_get_metadata(Call *call, const RemoteNetworkGetMetadataArgs *args,
                     RemoteNetworkGetMetadataRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->network, err);
    const Network *config = view ? network_view_config(view) : NULL;

    if (!view ||
        !call_check_flags(call, args->flags,
                          VIR_NETWORK_UPDATE_AFFECT_LIVE | VIR_NETWORK_UPDATE_AFFECT_CONFIG,
                          ERROR_DOMAIN, err) ||
        !network_check_affect(view, args->flags, err))
        return false;
    switch (args->type) {
    case VIR_NETWORK_METADATA_DESCRIPTION:
        ret->metadata = g_strdup(config->description);
        break;
    case VIR_NETWORK_METADATA_TITLE:
        ret->metadata = g_strdup(config->title);
        break;
    case VIR_NETWORK_METADATA_ELEMENT:
        ret->metadata = metadata_get(config->metadata, args->uri);
        break;
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "unknown metadata type %d", args->type);
    }
    return ret->metadata || fail(err, VIR_ERR_NO_NETWORK_METADATA,
                                 "network '%s' has no such metadata", view->view.name);
}

static void
replace_text(char **place, const char *text)
{
    g_free(*place);
    *place = text && *text ? g_strdup(text) : NULL;
}

static bool
change_metadata(Network *config, const RemoteNetworkSetMetadataArgs *args, GError **err)
{
    switch (args->type) {
    case VIR_NETWORK_METADATA_DESCRIPTION:
        replace_text(&config->description, args->metadata);
        return true;
    case VIR_NETWORK_METADATA_TITLE:
        if (args->metadata && strchr(args->metadata, '\n'))
            return fail(err, VIR_ERR_XML_ERROR, "metadata title can't contain newlines");
        replace_text(&config->title, args->metadata);
        return true;
    case VIR_NETWORK_METADATA_ELEMENT:
        return metadata_set(&config->metadata, args->metadata, args->key, args->uri, err);
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "unknown metadata type %d", args->type);
    }
}

static void
emit_metadata_change(NetworkDriver *networks, const DefinedView *view,
                     const RemoteNetworkSetMetadataArgs *args)
{
    RemoteNetworkEventCallbackMetadataChangeMsg *message =
        g_new0(RemoteNetworkEventCallbackMetadataChangeMsg, 1);

    network_view_fill_wire(view, &message->net);
    message->type = args->type;
    message->nsuri = g_strdup(args->uri);
    events_emit(networks->driver->events, API_EVENT_CLASS_NETWORK,
                VIR_NETWORK_EVENT_ID_METADATA_CHANGE, view->view.uuid, NULL, message);
}

static bool
network_set_metadata(Call *call, const RemoteNetworkSetMetadataArgs *args, GError **err)
{
    NetworkDriver *networks = network_of_call(call);
    g_autoptr(DefinedView) before = network_view_of_call(call, &args->network, err);
    g_autoptr(DefinedView) view = NULL;
    g_autoptr(Network) config = NULL;

    if (!before ||
        !call_check_flags(call, args->flags,
                          VIR_NETWORK_UPDATE_AFFECT_LIVE | VIR_NETWORK_UPDATE_AFFECT_CONFIG,
                          ERROR_DOMAIN, err) ||
        !network_check_affect(before, args->flags, err))
        return false;
    config = network_copy(before->config);
    if (!change_metadata(config, args, err))
        return false;
    view = network_replace(networks, before, g_steal_pointer(&config), before->strand, err);
    if (view)
        emit_metadata_change(networks, view, args);
    return view != NULL;
}

/* ---- ports ---- */

static bool
network_list_all_ports(Call *call, const RemoteNetworkListAllPortsArgs *args,
                       RemoteNetworkListAllPortsRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->network, err);

    return view && call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err);
}

static bool
network_port_lookup_by_uuid(Call *call, const RemoteNetworkPortLookupByUuidArgs *args,
                            RemoteNetworkPortLookupByUuidRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->network, err);
    char uuid[UUID_TEXT];

    uuid_format(args->uuid, uuid);
    return view && fail(err, VIR_ERR_NO_NETWORK_PORT,
                        "network '%s' does not have a port with UUID %s", view->view.name, uuid);
}

static bool
network_port_create_xml(Call *call, const RemoteNetworkPortCreateXmlArgs *args,
                        RemoteNetworkPortCreateXmlRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->network, err);

    return view &&
           call_check_flags(call, args->flags,
                            VIR_NETWORK_PORT_CREATE_RECLAIM | VIR_NETWORK_PORT_CREATE_VALIDATE,
                            ERROR_DOMAIN, err) &&
           fail(err, VIR_ERR_OPERATION_INVALID, "network '%s' is not active: it has no ports",
                view->view.name);
}

void
network_change_slots(DriverSlots *slots)
{
    slots->network_update = network_update_part;
    slots->network_get_metadata = network_get_metadata;
    slots->network_set_metadata = network_set_metadata;
    slots->network_list_all_ports = network_list_all_ports;
    slots->network_port_lookup_by_uuid = network_port_lookup_by_uuid;
    slots->network_port_create_xml = network_port_create_xml;
}
