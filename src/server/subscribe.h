/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients' registrations for events, in the form with callback ids and in the two older ones.
 *
 * An event is encoded once and copied for each subscriber with its own callback id. Delivery may happen on any thread. */
#pragma once

#include "server/dispatch.h"

/* Handlers of the registration calls. */
bool subscribe_domain(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_network(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_storage_pool(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_node_device(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_secret(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_monitor(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_drop(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_legacy_lifecycle(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_drop_legacy_lifecycle(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_legacy(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_drop_legacy(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_close(ServerCall *call, const void *args, void *ret, GError **err);
bool subscribe_drop_close(ServerCall *call, const void *args, void *ret, GError **err);

/* The connection ends. Loop's thread. */
void subscribe_drop_all(Client *client);
/* A driver lost its hypervisor: DriverConn's close_connection. @opaque is the client. */
void subscribe_say_closed(DriverConn *conn, int reason, void *opaque);
/* For event_hub_new. */
void subscribe_free_message(ApiEventClass cls, int id, void *message);
