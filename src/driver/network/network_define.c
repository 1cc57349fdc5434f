/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defining and undefining networks; autostart; starting, which says what is missing. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/network/network.h"

/* Name and UUID belong to the same network, or to none. */
static bool
check_identity(NetworkDriver *networks, const Network *config, GError **err)
{
    g_autoptr(View) by_uuid = registry_lookup_uuid(networks->networks, config->uuid);
    g_autoptr(View) by_name = registry_lookup_name(networks->networks, config->name);
    char uuid[UUID_TEXT];

    if (by_uuid && strcmp(by_uuid->name, config->name) != 0) {
        uuid_format(config->uuid, uuid);
        return fail(err, VIR_ERR_OPERATION_FAILED, "network '%s' is already defined with uuid %s",
                    by_uuid->name, uuid);
    }
    if (!by_name || uuid_equal(by_name->uuid, config->uuid))
        return true;
    uuid_format(by_name->uuid, uuid);
    return fail(err, VIR_ERR_OPERATION_FAILED, "network '%s' already exists with uuid %s",
                config->name, uuid);
}

/* Guests get virtual functions of a network card; this host must have them. */
static bool
check_functions(const Network *config, GError **err)
{
    const NetworkForward *forward = config->forward;

    for (gsize i = 0; forward && i < forward->n_addresses; i++) {
        const NetSourceAddress *at = forward->addresses[i];
        g_autofree char *device = g_strdup_printf("/sys/bus/pci/devices/%04x:%02x:%02x.%x",
                                                  at->domain, at->bus, at->slot, at->function);
        g_autofree char *physical = g_build_filename(device, "physfn", NULL);

        if (!file_exists(physical))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "device '%s' in network '%s' is not an SR-IOV Virtual Function", device,
                        config->name);
    }
    return true;
}

static Network *
read_config(const char *xml, bool must_validate, GError **err)
{
    g_autoptr(Network) config = NULL;

    if (must_validate && !model_validate(&network_model, xml, err))
        return NULL;
    config = network_read(xml, err);
    if (!config || !network_accept(config, err) || !check_functions(config, err))
        return NULL;
    return g_steal_pointer(&config);
}

static DefinedView *
define_on_strand(NetworkDriver *networks, Network *take_config, Strand *strand, GError **err)
{
    g_autoptr(Network) config = take_config;
    g_autoptr(DefinedView) before = registry_lookup_uuid(networks->networks, config->uuid);
    guchar uuid[16];
    DefinedView *view;

    memcpy(uuid, config->uuid, sizeof uuid);
    if (!check_identity(networks, config, err))
        return NULL;
    if (before && network_is_virtual(config) && network_view_config(before)->bridge &&
        config->bridge && !config->bridge->name)
        config->bridge->name = g_strdup(network_view_config(before)->bridge->name);
    if (!network_claim_bridge(networks, config, err))
        return NULL;
    view = network_replace(networks, before, g_steal_pointer(&config), strand, err);
    if (view)
        return view;
    if (before)
        network_claim_bridge(networks, before->config, NULL);
    else
        network_release_bridge(networks, uuid);
    return NULL;
}

static bool
define(Call *call, const char *xml, guint flags, RemoteNonnullNetwork *ret, GError **err)
{
    NetworkDriver *networks = network_of_call(call);
    g_autoptr(Network) config = NULL;
    g_autoptr(DefinedView) view = NULL;
    Strand *strand;

    if (!call_check_flags(call, flags, VIR_NETWORK_DEFINE_VALIDATE, ERROR_DOMAIN, err))
        return false;
    config = read_config(xml, flags & VIR_NETWORK_DEFINE_VALIDATE, err);
    if (!config)
        return false;
    strand = defined_enter(networks->networks, networks->host->pool, "network", config->uuid,
                           config->name, err);
    if (!strand)
        return false;
    view = define_on_strand(networks, g_steal_pointer(&config), strand, err);
    if (view) {
        log_info(LOG_NETWORK, "network %s: defined", view->view.name);
        network_emit_lifecycle(networks, view, VIR_NETWORK_EVENT_DEFINED);
        network_view_fill_wire(view, ret);
    }
    defined_leave(strand);
    return view != NULL;
}

static bool
network_define_xml(Call *call, const RemoteNetworkDefineXmlArgs *args,
                   RemoteNetworkDefineXmlRet *ret, GError **err)
{
    return define(call, args->xml, 0, &ret->net, err);
}

static bool
network_define_xml_flags(Call *call, const RemoteNetworkDefineXmlFlagsArgs *args,
                         RemoteNetworkDefineXmlFlagsRet *ret, GError **err)
{
    return define(call, args->xml, args->flags, &ret->net, err);
}

static bool
network_undefine(Call *call, const RemoteNetworkUndefineArgs *args, GError **err)
{
    NetworkDriver *networks = network_of_call(call);
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);

    if (!view || !store_remove(networks->store, view->view.name, err))
        return false;
    registry_withdraw(networks->networks, view->view.uuid);
    network_release_bridge(networks, view->view.uuid);
    log_info(LOG_NETWORK, "network %s: undefined", view->view.name);
    network_emit_lifecycle(networks, view, VIR_NETWORK_EVENT_UNDEFINED);
    return true;
}

static bool
network_set_autostart(Call *call, const RemoteNetworkSetAutostartArgs *args, GError **err)
{
    NetworkDriver *networks = network_of_call(call);
    g_autoptr(DefinedView) before = network_view_of_call(call, &args->net, err);
    const bool autostart = args->autostart != 0;
    DefinedView *view;

    if (!before)
        return false;
    if (before->is_autostart == autostart)
        return true;
    if (!store_set_autostart(networks->store, before->view.name, autostart, err))
        return false;
    view = defined_new(&network_model, network_copy(before->config), before->view.uuid,
                       before->view.name, before->strand);
    view->is_persistent = true;
    view->is_autostart = autostart;
    return registry_publish(networks->networks, view, err);
}

/* ---- what needs the host ---- */

static bool
fail_start(const Network *config, GError **err)
{
    return fail(err, VIR_ERR_NO_SUPPORT, "network '%s' cannot be started: %s", config->name,
                network_is_virtual(config)
                    ? "bridges with their firewall rules and dnsmasq are not driven yet"
                    : "ports on devices of the host are not driven yet");
}

static bool
network_create(Call *call, const RemoteNetworkCreateArgs *args, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);

    return view && fail_start(network_view_config(view), err);
}

static bool
create(Call *call, const char *xml, guint flags, GError **err)
{
    g_autoptr(Network) config = NULL;

    if (!call_check_flags(call, flags, VIR_NETWORK_CREATE_VALIDATE, ERROR_DOMAIN, err))
        return false;
    config = read_config(xml, flags & VIR_NETWORK_CREATE_VALIDATE, err);
    return config && check_identity(network_of_call(call), config, err) && fail_start(config, err);
}

static bool
network_create_xml(Call *call, const RemoteNetworkCreateXmlArgs *args,
                   RemoteNetworkCreateXmlRet *ret, GError **err)
{
    return create(call, args->xml, 0, err);
}

static bool
network_create_xml_flags(Call *call, const RemoteNetworkCreateXmlFlagsArgs *args,
                         RemoteNetworkCreateXmlFlagsRet *ret, GError **err)
{
    return create(call, args->xml, args->flags, err);
}

static bool
network_destroy(Call *call, const RemoteNetworkDestroyArgs *args, GError **err)
{
    g_autoptr(DefinedView) view = network_view_of_call(call, &args->net, err);

    return view &&
           fail(err, VIR_ERR_OPERATION_INVALID, "network '%s' is not active", view->view.name);
}

void
network_define_slots(DriverSlots *slots)
{
    slots->network_define_xml = network_define_xml;
    slots->network_define_xml_flags = network_define_xml_flags;
    slots->network_undefine = network_undefine;
    slots->network_set_autostart = network_set_autostart;
    slots->network_create = network_create;
    slots->network_create_xml = network_create_xml;
    slots->network_create_xml_flags = network_create_xml_flags;
    slots->network_destroy = network_destroy;
}
