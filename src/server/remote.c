/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the server answers itself of the remote, qemu and lxc programs: opening, login, features, and the few facts that are
 * the same for every driver. Registrations for events are in subscribe.c. All of it runs on the loop's thread. */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include <libvirt/libvirt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "config.h"
#include "server/dispatch.h"
#include "server/subscribe.h"

#define OPEN_READ_ONLY VIR_CONNECT_RO
/* Existing clients send a bit of their own along when they open a session: "start the daemon if need be". */
#define OPEN_CLIENTS_OWN 4
#define OPEN_FLAGS (VIR_CONNECT_RO | VIR_CONNECT_NO_ALIASES | OPEN_CLIENTS_OWN)

enum {
    FEATURE_FD_PASSING = 8,
    FEATURE_TYPED_PARAM_STRING = 9,
    FEATURE_KEEPALIVE = 10,
    FEATURE_EVENT_CALLBACK = 14,
    FEATURE_CLOSE_CALLBACK = 15,
    FEATURE_NETWORK_UPDATE_ORDER = 16,
};

static bool
remote_auth_list(ServerCall *call, const void *args, void *ret_, GError **err)
{
    RemoteAuthListRet *ret = ret_;

    /* Who may connect was decided by the socket's mode: type 0, none. */
    ret->types.items = g_new0(gint32, 1);
    ret->types.count = 1;
    return true;
}

static bool
remote_auth_refuse(ServerCall *call, const void *args, void *ret, GError **err)
{
    return fail(err, VIR_ERR_AUTH_UNAVAILABLE, "this socket asks for no authentication");
}

static void
unref_client(void *client)
{
    client_unref(client);
}

/* Open at the driver that serves the URI. */
static bool
remote_connect_open(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const RemoteConnectOpenArgs *args = args_;
    Client *client = call->client;
    g_autofree char *uri = NULL;
    g_autoptr(DriverConn) conn = NULL;
    Driver *driver;

    if (client->is_open)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "the connection is open already");
    if (args->flags & ~(guint32)OPEN_FLAGS)
        return fail(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)",
                    args->flags & ~(guint32)OPEN_FLAGS);
    driver = daemon_find_driver(client->server->daemon, args->name, &uri, err);
    if (!driver)
        return false;
    conn = conn_new(driver, uri, client->is_read_only || (args->flags & OPEN_READ_ONLY));
    conn->identity = client->identity;
    conn->close_connection = subscribe_say_closed;
    conn->backend_data = client_ref(client);
    conn->free_backend_data = unref_client;
    if (driver->open && !driver->open(driver, conn, err))
        return false;
    log_debug(LOG_RPC, "client %" G_GUINT64_FORMAT ": opened %s%s", client->id, uri,
              conn->is_read_only ? " read-only" : "");
    client_set_open(client, g_steal_pointer(&conn));
    return true;
}

static bool
remote_connect_get_uri(ServerCall *call, const void *args, void *ret_, GError **err)
{
    RemoteConnectGetUriRet *ret = ret_;

    ret->uri = g_strdup(call->call.conn->uri);
    return true;
}

/* Both ends are on this host, and the kernel carries the bytes. */
static bool
remote_connect_is_secure(ServerCall *call, const void *args, void *ret_, GError **err)
{
    RemoteConnectIsSecureRet *ret = ret_;

    ret->secure = 1;
    return true;
}

static bool
remote_connect_supports_feature(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const RemoteConnectSupportsFeatureArgs *args = args_;
    RemoteConnectSupportsFeatureRet *ret = ret_;
    DriverConn *conn = call->call.conn;
    int supported = 0;

    switch (args->feature) {
    case FEATURE_KEEPALIVE:
        client_start_keepalive(call->client);
        supported = 1;
        break;
    case FEATURE_FD_PASSING:
    case FEATURE_EVENT_CALLBACK:
    case FEATURE_CLOSE_CALLBACK:
        supported = 1;
        break;
    default:
        if (!conn)
            return fail(err, VIR_ERR_INTERNAL_ERROR, "connection not open");
        if (args->feature == FEATURE_TYPED_PARAM_STRING ||
            args->feature == FEATURE_NETWORK_UPDATE_ORDER)
            supported = 1;
        else if (conn->driver->supports_feature)
            supported = conn->driver->supports_feature(conn->driver, conn, args->feature, err);
    }
    ret->supported = supported;
    return supported >= 0;
}

/* Nobody forwards connections to this daemon, so an identity from outside is not believed. */
static bool
remote_connect_set_identity(ServerCall *call, const void *args, void *ret, GError **err)
{
    return fail(err, VIR_ERR_OPERATION_DENIED, "the identity of a connection is that of its peer");
}

static bool
remote_connect_get_type(ServerCall *call, const void *args, void *ret_, GError **err)
{
    RemoteConnectGetTypeRet *ret = ret_;

    ret->type = g_strdup(call->call.conn->driver->name);
    return true;
}

static bool
remote_connect_get_lib_version(ServerCall *call, const void *args, void *ret_, GError **err)
{
    RemoteConnectGetLibVersionRet *ret = ret_;

    ret->lib_ver = LIBVIR_VERSION_NUMBER;
    return true;
}

static bool
remote_connect_get_hostname(ServerCall *call, const void *args, void *ret_, GError **err)
{
    RemoteConnectGetHostnameRet *ret = ret_;
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof name - 1) < 0)
        return fail_errno(err, "ask for", "the host's name");
    ret->hostname = g_strdup(name);
    return true;
}

const ServerHandler remote_handlers[API_N_PROCS] = {
    [API_REMOTE_AUTH_LIST] = remote_auth_list,
    [API_REMOTE_AUTH_SASL_INIT] = remote_auth_refuse,
    [API_REMOTE_AUTH_SASL_START] = remote_auth_refuse,
    [API_REMOTE_AUTH_SASL_STEP] = remote_auth_refuse,
    [API_REMOTE_AUTH_POLKIT] = remote_auth_refuse,
    [API_REMOTE_CONNECT_OPEN] = remote_connect_open,
    [API_REMOTE_CONNECT_GET_URI] = remote_connect_get_uri,
    [API_REMOTE_CONNECT_IS_SECURE] = remote_connect_is_secure,
    [API_REMOTE_CONNECT_SUPPORTS_FEATURE] = remote_connect_supports_feature,
    [API_REMOTE_CONNECT_SET_IDENTITY] = remote_connect_set_identity,
    [API_REMOTE_CONNECT_GET_TYPE] = remote_connect_get_type,
    [API_REMOTE_CONNECT_GET_LIB_VERSION] = remote_connect_get_lib_version,
    [API_REMOTE_CONNECT_GET_HOSTNAME] = remote_connect_get_hostname,

    [API_REMOTE_CONNECT_DOMAIN_EVENT_REGISTER] = subscribe_legacy_lifecycle,
    [API_REMOTE_CONNECT_DOMAIN_EVENT_DEREGISTER] = subscribe_drop_legacy_lifecycle,
    [API_REMOTE_CONNECT_DOMAIN_EVENT_REGISTER_ANY] = subscribe_legacy,
    [API_REMOTE_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY] = subscribe_drop_legacy,
    [API_REMOTE_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY] = subscribe_domain,
    [API_REMOTE_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY] = subscribe_drop,
    [API_REMOTE_CONNECT_NETWORK_EVENT_REGISTER_ANY] = subscribe_network,
    [API_REMOTE_CONNECT_NETWORK_EVENT_DEREGISTER_ANY] = subscribe_drop,
    [API_REMOTE_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY] = subscribe_storage_pool,
    [API_REMOTE_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY] = subscribe_drop,
    [API_REMOTE_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY] = subscribe_node_device,
    [API_REMOTE_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY] = subscribe_drop,
    [API_REMOTE_CONNECT_SECRET_EVENT_REGISTER_ANY] = subscribe_secret,
    [API_REMOTE_CONNECT_SECRET_EVENT_DEREGISTER_ANY] = subscribe_drop,
    [API_QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER] = subscribe_monitor,
    [API_QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER] = subscribe_drop,
    [API_REMOTE_CONNECT_REGISTER_CLOSE_CALLBACK] = subscribe_close,
    [API_REMOTE_CONNECT_UNREGISTER_CLOSE_CALLBACK] = subscribe_drop_close,
};
