/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network driver: definitions below /etc/libvirt/qemu/networks as upstream keeps them. A service on the connections of all
 * hypervisors. Networks do not start yet, so none is active and none has ports.
 *
 * driver.c: start, views; bridge.c: names of bridges; network_define.c, network_list.c, network_change.c: calls. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/network.h"
#include "object/defined.h"
#include "object/driver.h"
#include "object/store.h"

typedef struct {
    Driver *driver;
    const DriverHost *host;
    Registry *networks; /* of DefinedView with a Network */
    Registry *bridges;  /* of plain views: the network's UUID, and as name the bridge that it has */
    Store *store;
    int pid_lock;
} NetworkDriver;

extern Driver network_driver;

NetworkDriver *network_of_call(const Call *call);
static inline const Network *
network_view_config(const DefinedView *view)
{
    return view->config;
}
/* VIR_ERR_NO_NETWORK. */
DefinedView *network_view_of_call(const Call *call, const RemoteNonnullNetwork *wire, GError **err);
void network_view_fill_wire(const DefinedView *view, RemoteNonnullNetwork *wire);

/* Give @config a bridge name if it needs one, and claim it for its UUID: one bridge belongs to one network. */
bool network_claim_bridge(NetworkDriver *networks, Network *config, GError **err);
void network_release_bridge(NetworkDriver *networks, const guchar uuid[16]);

/* On the network's strand: write the file, then publish @take_config in the place of @before (NULL: it is new). NULL with
 * @err: all is as it was. */
DefinedView *network_replace(NetworkDriver *networks, const DefinedView *before,
                             Network *take_config, Strand *strand, GError **err);
void network_emit_lifecycle(NetworkDriver *networks, const DefinedView *view, int event);

/* VIR_NETWORK_UPDATE_AFFECT_...: true when the definition is what is to be changed. */
bool network_check_affect(const DefinedView *view, guint flags, GError **err);

void network_define_slots(DriverSlots *slots);
void network_list_slots(DriverSlots *slots);
void network_change_slots(DriverSlots *slots);
