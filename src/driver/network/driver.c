/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's table, its start and end, its views. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/ids.h"
#include "driver/network/network.h"

NetworkDriver *
network_of_call(const Call *call)
{
    return call->driver->state;
}

/* ---- views ---- */

DefinedView *
network_view_of_call(const Call *call, const RemoteNonnullNetwork *wire, GError **err)
{
    DefinedView *view = registry_lookup_uuid(network_of_call(call)->networks, wire->uuid);
    char uuid[UUID_TEXT];

    if (view)
        return view;
    uuid_format(wire->uuid, uuid);
    return fail_null(err, VIR_ERR_NO_NETWORK, "no network with matching uuid '%s' (%s)", uuid,
                     wire->name);
}

void
network_view_fill_wire(const DefinedView *view, RemoteNonnullNetwork *wire)
{
    wire->name = g_strdup(view->view.name);
    memcpy(wire->uuid, view->view.uuid, sizeof wire->uuid);
}

static DefinedView *
view_new(Network *take_config, Strand *strand, bool is_autostart)
{
    DefinedView *view =
        defined_new(&network_model, take_config, take_config->uuid, take_config->name, strand);

    view->is_persistent = true;
    view->is_autostart = is_autostart;
    return view;
}

static bool
save(NetworkDriver *networks, const Network *config, GError **err)
{
    g_autofree char *xml = network_format(config, MODEL_FORMAT_INACTIVE);
    char uuid[UUID_TEXT];

    uuid_format(config->uuid, uuid);
    return store_save(networks->store, config->name, config->name, uuid, xml, err);
}

DefinedView *
network_replace(NetworkDriver *networks, const DefinedView *before, Network *take_config,
                Strand *strand, GError **err)
{
    g_autoptr(DefinedView) view =
        view_new(take_config, strand, before ? before->is_autostart : false);

    if (!before && !registry_publish_new(networks->networks, view_ref(view), err))
        return NULL;
    if (!save(networks, take_config, err)) {
        if (!before)
            registry_withdraw(networks->networks, take_config->uuid);
        return NULL;
    }
    if (before && !registry_publish(networks->networks, view_ref(view), err))
        return NULL;
    return g_steal_pointer(&view);
}

void
network_emit_lifecycle(NetworkDriver *networks, const DefinedView *view, int event)
{
    RemoteNetworkEventLifecycleMsg *message = g_new0(RemoteNetworkEventLifecycleMsg, 1);

    network_view_fill_wire(view, &message->net);
    message->event = event;
    events_emit(networks->driver->events, API_EVENT_CLASS_NETWORK, VIR_NETWORK_EVENT_ID_LIFECYCLE,
                view->view.uuid, NULL, message);
}

/* ---- start and end ---- */

static bool
load_network(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
             void *opaque, GError **err)
{
    NetworkDriver *networks = opaque;
    g_autoptr(Network) config = network_read(xml, err);
    g_autoptr(Network) read = NULL;
    g_autoptr(Strand) strand = NULL;
    g_autofree char *name = g_strconcat("network ", stem, NULL);

    if (!config)
        return false;
    if (strcmp(config->name, stem) != 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "it defines network '%s': its name must be '%s.xml'", config->name,
                    config->name);
    if (!network_claim_bridge(networks, config, err))
        return false;
    /* What was made up for it (UUID, MAC, bridge) is kept. */
    read = network_parse(xml, MODEL_PARSE_INACTIVE, NULL);
    if (!read->has_uuid || read->has_mac_address != config->has_mac_address ||
        (config->bridge && (!read->bridge || !read->bridge->name))) {
        if (!save(networks, config, err))
            return false;
    }
    strand = strand_new(networks->host->pool, name);
    return registry_publish(networks->networks,
                            view_new(g_steal_pointer(&config), strand, autostart), err);
}

static void
network_driver_free(NetworkDriver *networks)
{
    if (!networks)
        return;
    registry_free(networks->networks);
    registry_free(networks->bridges);
    store_free(networks->store);
    fd_close(&networks->pid_lock);
    g_free(networks);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetworkDriver, network_driver_free)

static bool
network_start(Driver *driver, const DriverHost *host, GError **err)
{
    g_autoptr(NetworkDriver) networks = g_new0(NetworkDriver, 1);
    g_autofree char *dir = g_build_filename(host->config_dir, "qemu/networks", NULL);
    g_autofree char *autostart = g_build_filename(dir, "autostart", NULL);

    networks->driver = driver;
    networks->host = host;
    networks->networks = registry_new("network");
    networks->bridges = registry_new("bridge");
    networks->pid_lock = driver_lock(host, "network", "lib", err);
    if (networks->pid_lock < 0)
        return false;
    networks->store = store_new(dir, autostart, "net-edit", err);
    if (!networks->store || !store_load(networks->store, load_network, networks, err))
        return false;
    driver->state = g_steal_pointer(&networks);
    return true;
}

static void
network_stop(Driver *driver)
{
    network_driver_free(g_steal_pointer(&driver->state));
}

static Strand *
network_find_strand(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    return defined_find_strand(((NetworkDriver *)driver->state)->networks, uuid);
}

Driver network_driver = {
    .name = "network",
    .folder = "network",
    .event_classes = 1U << API_EVENT_CLASS_NETWORK,
    .error_domain = VIR_FROM_NETWORK,
    .start = network_start,
    .stop = network_stop,
    .find_strand = network_find_strand,
};

__attribute__((constructor)) static void
fill_slots(void)
{
    network_define_slots(&network_driver.slots);
    network_list_slots(&network_driver.slots);
    network_change_slots(&network_driver.slots);
}
