/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers of daemon.h: listening sockets, accepting within limits, and who is connected. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "server/client.h"
#include "server/daemon.h"

#define ACCEPTS_PER_TURN 16
#define RETRY_MS 500
/* Connections of one user that have not opened anything yet. */
#define UNOPENED_PER_USER 8

struct Service {
    Server *server;
    int fd;
    bool is_read_only;
    LoopWatch *watch;
};

Server *
server_new(Daemon *daemon, const char *name, bool is_admin, const ServerLimits *limits)
{
    Server *server = g_new0(Server, 1);

    server->daemon = daemon;
    server->name = g_strdup(name);
    server->is_admin = is_admin;
    server->limits = *limits;
    server->services = g_ptr_array_new();
    server->clients = g_hash_table_new(g_int64_hash, g_int64_equal);
    server->unopened = g_hash_table_new(NULL, NULL);
    g_ptr_array_add(daemon->servers, server);
    return server;
}

static void
service_free(void *opaque)
{
    Service *service = opaque;

    fd_close(&service->fd);
    g_free(service);
}

void
server_stop(Server *server)
{
    loop_timer_stop(g_steal_pointer(&server->retry_timer));
    while (server->services->len > 0) {
        Service *service =
            g_ptr_array_remove_index_fast(server->services, server->services->len - 1);

        loop_watch_remove(service->watch);
    }
}

void
server_free(Server *server)
{
    g_ptr_array_unref(server->services);
    g_hash_table_unref(server->clients);
    g_hash_table_unref(server->unopened);
    g_free(server->name);
    g_free(server);
}

static void
server_set_paused(Server *server, bool is_paused)
{
    if (server->is_paused == is_paused)
        return;
    server->is_paused = is_paused;
    for (guint i = 0; i < server->services->len; i++) {
        Service *service = server->services->pdata[i];

        loop_watch_update(service->watch, is_paused ? 0 : EPOLLIN);
    }
}

static bool
server_is_full(const Server *server)
{
    return g_hash_table_size(server->clients) >= server->limits.max_clients ||
           server->n_unopened >= server->limits.max_anonymous_clients;
}

void
server_check_limits(Server *server)
{
    const bool is_full = server_is_full(server);

    if (is_full && !server->is_paused &&
        g_hash_table_size(server->clients) >= server->limits.max_clients)
        log_warning(LOG_SERVER, "server %s: %u clients are connected, more must wait", server->name,
                    server->limits.max_clients);
    server_set_paused(server, is_full);
}

void
server_set_limits(Server *server, guint max_clients, guint max_unopened)
{
    server->limits.max_clients = max_clients;
    server->limits.max_anonymous_clients = max_unopened;
    server_check_limits(server);
}

/* One user must not take all the places that others need to come in. */
static bool
user_may_come(const Server *server, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    guint n_unopened;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid == geteuid() ||
        peer.uid == 0)
        return true;
    n_unopened =
        GPOINTER_TO_UINT(g_hash_table_lookup(server->unopened, GUINT_TO_POINTER(peer.uid)));
    if (n_unopened < UNOPENED_PER_USER)
        return true;
    log_info(LOG_SERVER,
             "server %s: user %u has %u connections that opened nothing: refusing one more",
             server->name, peer.uid, n_unopened);
    return false;
}

Client *
server_add_client(Server *server, int take_fd, bool is_read_only, GError **err)
{
    auto_fd int fd = take_fd;
    Client *client;

    if (g_hash_table_size(server->clients) >= server->limits.max_clients)
        return fail_null(err, VIR_ERR_RESOURCE_BUSY, "server %s has %u clients already",
                         server->name, server->limits.max_clients);
    client = client_new(server, fd_steal(&fd), is_read_only, err);
    if (client) {
        server_check_limits(server);
        daemon_check_idle(server->daemon);
    }
    return client;
}

static void
retry_accept(void *opaque)
{
    server_check_limits(opaque);
}

/* No descriptors or memory left: waiting clients keep the socket readable, so do not look for a while. */
static void
pause_after_error(Server *server)
{
    log_error(LOG_SERVER, "server %s: cannot accept a client: %s", server->name, g_strerror(errno));
    server_set_paused(server, true);
    if (!server->retry_timer)
        server->retry_timer = loop_timer_new(server->daemon->host.loop, retry_accept, server, NULL);
    loop_timer_rearm(server->retry_timer, RETRY_MS);
}

static void
on_connection(int fd, uint32_t events, void *opaque)
{
    Service *service = opaque;
    Server *server = service->server;

    for (guint i = 0; i < ACCEPTS_PER_TURN && !server->is_paused; i++) {
        auto_fd int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        g_autoptr(GError) error = NULL;

        if (client_fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (client_fd < 0) {
            pause_after_error(server);
            return;
        }
        if (user_may_come(server, client_fd) &&
            !server_add_client(server, fd_steal(&client_fd), service->is_read_only, &error))
            log_warning(LOG_SERVER, "server %s: %s", server->name, error->message);
    }
}

bool
server_add_service(Server *server, int take_fd, bool is_read_only, GError **err)
{
    Service *service = g_new0(Service, 1);

    *service = (Service){server, take_fd, is_read_only, NULL};
    service->watch = loop_watch_fd(server->daemon->host.loop, take_fd, EPOLLIN, on_connection,
                                   service, service_free, err);
    if (!service->watch) {
        service_free(service);
        return false;
    }
    g_ptr_array_add(server->services, service);
    return true;
}
