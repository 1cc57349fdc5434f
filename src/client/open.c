/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening and closing connections: find the daemon, log in, ask what it can, open the driver's URI.
 *
 * Calls that do not depend on each other's answers are sent together (Batch). */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "client/admin_private.h"
#include "client/conn.h"
#include "client/report.h"
#include "client/uri.h"
#include "config.h"
#include "gen/api-codec.h"

#define FEATURE_STRINGS 9
#define FEATURE_KEEPALIVE 10
#define FEATURE_EVENT_FILTER 14
#define FEATURE_CLOSE_CALLBACK 15

enum { AUTH_NONE, AUTH_SASL, AUTH_POLKIT };

static const LinkOwnerClass owner_class = {.on_event = client_on_event,
                                           .on_closed = client_on_closed};

extern char **environ;

/* ---- the socket ---- */

static int
connect_once(const char *path, GError **err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_fd int fd = -1;

    if (strlen(path) >= sizeof address.sun_path) {
        fail(err, VIR_ERR_INVALID_ARG, "socket path '%s' is longer than %zu bytes", path,
             sizeof address.sun_path - 1);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int saved = errno;
        error_set(err, VIR_FROM_RPC, VIR_ERR_SYSTEM_ERROR, "Failed to connect socket to '%s': %s",
                  path, g_strerror(saved));
        if (err && *err)
            error_detail_edit(*err)->int1 = saved;
        return -1;
    }
    return fd_steal(&fd);
}

static int
connect_tcp(const char *host, const char *port, GError **err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *addresses = NULL;
    int found = getaddrinfo(host, port, &hints, &addresses), saved = 0, one = 1;
    auto_fd int fd = -1;

    if (found != 0) {
        error_set(err, VIR_FROM_RPC, VIR_ERR_SYSTEM_ERROR,
                  "unable to resolve host '%s' port '%s': %s", host, port, gai_strerror(found));
        return -1;
    }
    for (struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            break;
        saved = errno;
        fd_close(&fd);
    }
    freeaddrinfo(addresses);
    if (fd < 0) {
        error_set(err, VIR_FROM_RPC, VIR_ERR_SYSTEM_ERROR,
                  "unable to connect to server at '%s:%s': %s", host, port, g_strerror(saved));
        return -1;
    }
    /* A call is one small packet that waits for its answer. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd_steal(&fd);
}

/* Start the user's own daemon. It goes into the background once it listens, so its end is the moment to connect. */
static bool
spawn_daemon(GError **err)
{
    const char *given =
        g_getenv("LIBVIRTD_PATH") ? g_getenv("LIBVIRTD_PATH") : g_getenv("VIRTD_PATH");
    const char *path = given ? given : SBINDIR "/libvirtd";
    char *argv[] = {(char *)path, (char *)"--timeout=120", (char *)"--daemon", NULL};
    pid_t pid;
    int status, error = posix_spawn(&pid, path, NULL, NULL, argv, environ);

    if (error) {
        errno = error;
        return fail_errno(err, "start the session daemon", path);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "the session daemon '%s' did not start", path);
    return true;
}

static int
connect_target(const ClientTarget *target, GError **err)
{
    g_autoptr(GError) first = NULL;
    const char *autostart = g_getenv("LIBVIRT_AUTOSTART");
    int fd = connect_once(target->socket_path, &first);
    bool is_absent =
        first && (error_detail(first)->int1 == ENOENT || error_detail(first)->int1 == ECONNREFUSED);

    if (fd < 0 && is_absent && target->may_spawn && g_strcmp0(autostart, "0") != 0)
        return spawn_daemon(err) ? connect_once(target->socket_path, err) : -1;
    if (fd < 0)
        g_propagate_error(err, g_steal_pointer(&first));
    return fd;
}

/* Run the program that reaches the daemon; the result is our end of its input and output. */
static int
spawn_carrier(char **argv, pid_t *pid, GError **err)
{
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        fail_errno(err, "open", "a socket pair");
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!error)
        return ends[0];
    close(ends[0]);
    errno = error;
    fail_errno(err, "run", argv[0]);
    return -1;
}

static bool
attach_link(ClientConn *conn, const ClientTarget *target, GError **err)
{
    int fd;

    if (target->command)
        fd = spawn_carrier(target->command, &conn->carrier, err);
    else if (target->host)
        fd = connect_tcp(target->host, target->port, err);
    else
        fd = connect_target(target, err);
    if (fd < 0)
        return false;
    conn->is_private = target->is_private;
    conn->link =
        link_new(wire_transport_new_socket(fd, target->socket_path != NULL), &owner_class, conn);
    link_watch(conn->link);
    return true;
}

/* ---- several calls at once ---- */

typedef struct {
    const ApiProc *proc;
    const void *args;
    void *ret;
    LinkCall call;
    bool is_sent;
    GError *error;
} BatchCall;

static void
batch_send(ClientConn *conn, BatchCall *batch, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        g_autoptr(WireMessage) request = wire_message_new(
            batch[i].proc->program, 1, batch[i].proc->number, WIRE_CALL, 0, WIRE_OK);
        batch[i].is_sent =
            (!batch[i].proc->args ||
             codec_encode(batch[i].proc->args, batch[i].args, request->bytes, &batch[i].error)) &&
            link_send(conn->link, &batch[i].call, g_steal_pointer(&request), NULL, &batch[i].error);
    }
}

/* Send all, then wait for all; each call's error stays with it. */
static void
batch_run(ClientConn *conn, BatchCall *batch, gsize n)
{
    batch_send(conn, batch, n);
    for (gsize i = 0; i < n; i++) {
        gsize len;
        if (!batch[i].is_sent || !link_wait(conn->link, &batch[i].call, &batch[i].error))
            continue;
        g_autoptr(WireMessage) reply = batch[i].call.reply;
        const guchar *payload = wire_message_payload(reply, &len);
        if (reply->header.status == WIRE_ERROR)
            batch[i].error = wire_error_parse(payload, len);
        else if (batch[i].proc->ret)
            codec_decode(batch[i].proc->ret, payload, len, batch[i].ret, &batch[i].error);
    }
}

static void
batch_drop_error(BatchCall *call)
{
    g_clear_error(&call->error);
}

/* A question whose answer may be an error: then it is no. */
typedef struct {
    RemoteConnectSupportsFeatureArgs args;
    RemoteConnectSupportsFeatureRet ret;
} Feature;

static BatchCall
feature_call(Feature *feature, int number)
{
    feature->args.feature = number;
    feature->ret.supported = 0;
    return (BatchCall){
        API_PROC(REMOTE_CONNECT_SUPPORTS_FEATURE), &feature->args, &feature->ret, {0}, false, NULL};
}

/* ---- login ---- */

static bool
log_in(ClientConn *conn, GError **err)
{
    RemoteAuthListRet list;
    int type;

    if (!client_call(conn, API_PROC(REMOTE_AUTH_LIST), NULL, &list, err))
        return false;
    type = list.types.count ? list.types.items[0] : -1;
    codec_free(CODEC(RemoteAuthListRet), &list);
    if (type == AUTH_NONE)
        return true;
    if (type == AUTH_POLKIT) {
        RemoteAuthPolkitRet ret;
        return client_call(conn, API_PROC(REMOTE_AUTH_POLKIT), NULL, &ret, err);
    }
    if (type == AUTH_SASL)
        return fail(err, VIR_ERR_AUTH_FAILED,
                    "the daemon asks for SASL authentication, which is not supported yet");
    return fail(err, VIR_ERR_AUTH_FAILED, "unsupported authentication type %d", type);
}

/* ---- virConnectOpen ---- */

static bool
open_driver(ClientConn *conn, const ClientTarget *target, GError **err)
{
    /* An empty name lets the daemon choose; without any, existing daemons leave the connection unopened. */
    char *driver_uri = target->driver_uri ? target->driver_uri : (char *)"";
    RemoteConnectOpenArgs args = {driver_uri, conn->is_read_only ? VIR_CONNECT_RO : 0};
    RemoteConnectGetUriRet uri = {NULL};
    Feature keepalive, strings, filter, close_callback;
    BatchCall opening[] = {
        feature_call(&keepalive, FEATURE_KEEPALIVE),
        {API_PROC(REMOTE_CONNECT_OPEN), &args, NULL, {0}, false, NULL},
    };

    batch_run(conn, opening, G_N_ELEMENTS(opening));
    batch_drop_error(&opening[0]);
    if (opening[1].error) {
        g_propagate_error(err, opening[1].error);
        return false;
    }
    BatchCall asking[] = {
        feature_call(&strings, FEATURE_STRINGS),
        feature_call(&filter, FEATURE_EVENT_FILTER),
        feature_call(&close_callback, FEATURE_CLOSE_CALLBACK),
        {API_PROC(REMOTE_CONNECT_GET_URI), NULL, &uri, {0}, false, NULL},
    };
    batch_run(conn, asking, G_N_ELEMENTS(asking) - (target->uri != NULL));
    for (gsize i = 0; i < 3; i++)
        batch_drop_error(&asking[i]);
    if (asking[3].error) {
        g_propagate_error(err, asking[3].error);
        return false;
    }
    conn->strings_okay = strings.ret.supported > 0;
    conn->filters_events = filter.ret.supported > 0;
    conn->notifies_close = close_callback.ret.supported > 0;
    conn->uri = target->uri ? g_strdup(target->uri) : g_steal_pointer(&uri.uri);
    return true;
}

static void
ensure_initialized(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        log_set_from_environment();
        g_once_init_leave(&done, 1);
    }
}

static virConnectPtr
open_connection(const char *uri, unsigned int flags)
{
    g_auto(ClientTarget) target = {0};
    GError *err = NULL;
    ClientConn *conn;

    ensure_initialized();
    client_reset_error();
    conn = client_conn_new(KIND_CONNECT);
    conn->is_read_only = flags & VIR_CONNECT_RO;
    if (flags & ~(VIR_CONNECT_RO | VIR_CONNECT_NO_ALIASES))
        error_set(&err, VIR_FROM_NONE, VIR_ERR_INVALID_ARG,
                  "unsupported flags (0x%x) in function virConnectOpenAuth", flags);
    else if (client_target_resolve(uri, conn->is_read_only, !(flags & VIR_CONNECT_NO_ALIASES),
                                   &target, &err) &&
             attach_link(conn, &target, &err) && log_in(conn, &err) &&
             open_driver(conn, &target, &err))
        return client_conn_public(conn);
    client_conn_free(conn);
    client_report(NULL, err);
    return NULL;
}

virConnectPtr
virConnectOpen(const char *name)
{
    return open_connection(name, 0);
}

virConnectPtr
virConnectOpenReadOnly(const char *name)
{
    return open_connection(name, VIR_CONNECT_RO);
}

/* @auth is asked only by ways of login that need words from a person; UNIX sockets need none. */
virConnectPtr
virConnectOpenAuth(const char *name, virConnectAuthPtr auth, unsigned int flags)
{
    return open_connection(name, flags);
}

/* 1 while others hold it, 0 when this was the last reference. */
int
virConnectClose(virConnectPtr conn)
{
    if (!client_enter_connect(conn, __func__))
        return -1;
    return client_object_unref(conn) ? 1 : 0;
}

/* ---- what the client knows by itself ---- */

int
virInitialize(void)
{
    ensure_initialized();
    return 0;
}

int
virGetVersion(unsigned long *libVer, const char *type, unsigned long *typeVer)
{
    GError *err = NULL;

    client_reset_error();
    if (!client_need(libVer, "libVer", __func__, &err)) {
        client_report(NULL, err);
        return -1;
    }
    *libVer = LIBVIR_VERSION_NUMBER;
    if (typeVer)
        *typeVer = LIBVIR_VERSION_NUMBER;
    return 0;
}

const char *
virConnectGetType(virConnectPtr public)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    g_autoptr(GError) err = NULL;
    RemoteConnectGetTypeRet ret;

    if (!conn)
        return NULL;
    if (!conn->type) {
        if (!client_call(conn, API_PROC(REMOTE_CONNECT_GET_TYPE), NULL, &ret, &err))
            return client_fail_null(conn, err);
        g_mutex_lock(&conn->lock);
        if (!conn->type)
            conn->type = g_steal_pointer(&ret.type);
        g_mutex_unlock(&conn->lock);
        codec_free(CODEC(RemoteConnectGetTypeRet), &ret);
    }
    return conn->type;
}

char *
virConnectGetURI(virConnectPtr public)
{
    ClientConn *conn = client_enter_connect(public, __func__);

    return conn ? g_strdup(conn->uri) : NULL;
}

int
virConnectIsEncrypted(virConnectPtr public)
{
    return client_enter_connect(public, __func__) ? 0 : -1;
}

int
virConnectIsSecure(virConnectPtr public)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    g_autoptr(GError) err = NULL;
    RemoteConnectIsSecureRet ret;

    if (!conn)
        return -1;
    if (!client_call(conn, API_PROC(REMOTE_CONNECT_IS_SECURE), NULL, &ret, &err))
        return client_fail_int(conn, err);
    return ret.secure && conn->is_private;
}

int
virConnectIsAlive(virConnectPtr public)
{
    ClientConn *conn = client_enter_connect(public, __func__);

    return conn ? link_is_alive(conn->link) : -1;
}

/* 0: the daemon answers life signs; 1: it does not know them, or there is no event loop to send them from. */
int
virConnectSetKeepAlive(virConnectPtr public, int interval, unsigned int count)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    g_autoptr(GError) err = NULL;

    if (!conn)
        return -1;
    if (interval > 0 && !link_is_watched(conn->link)) {
        fail(&err, VIR_ERR_INTERNAL_ERROR,
             "keepalive needs an event loop, which must be registered before the "
             "connection is opened");
        return client_fail_int(conn, err);
    }
    return link_set_keepalive(conn->link, interval, count, &err) ? 0 : client_fail_int(conn, err);
}

const char *
virNodeDeviceGetParent(virNodeDevicePtr device)
{
    ClientConn *conn = client_enter_nodedev(device, __func__);
    ClientObject *object = (ClientObject *)device;
    g_autoptr(GError) err = NULL;
    RemoteNodeDeviceGetParentArgs args;
    RemoteNodeDeviceGetParentRet ret;

    if (!conn)
        return NULL;
    if (!object->has_key) {
        args.name = object->name;
        if (!client_call(conn, API_PROC(REMOTE_NODE_DEVICE_GET_PARENT), &args, &ret, &err))
            return client_fail_null(conn, err);
        object->key = g_strdup(ret.parentName);
        object->has_key = true;
        codec_free(CODEC(RemoteNodeDeviceGetParentRet), &ret);
    }
    return object->key;
}

/* ---- the admin connection ---- */

virAdmConnectPtr
client_open_admin(const char *uri, unsigned int flags)
{
    g_auto(ClientTarget) target = {0};
    GError *err = NULL;
    AdminConnectOpenArgs args = {flags};
    ClientConn *conn;

    ensure_initialized();
    client_reset_error();
    conn = client_conn_new(KIND_ADM_CONNECT);
    if (client_target_resolve_admin(uri, &target, &err) && attach_link(conn, &target, &err) &&
        client_call(conn, API_PROC(ADMIN_CONNECT_OPEN), &args, NULL, &err)) {
        conn->uri = g_steal_pointer(&target.driver_uri);
        return (virAdmConnectPtr)conn;
    }
    client_conn_free(conn);
    client_report(NULL, err);
    return NULL;
}
