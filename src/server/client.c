/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See client.h. Lock order: an event hub's lock, then a client's, then the loop's. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "server/client.h"

#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "server/dispatch.h"
#include "server/stream.h"
#include "server/subscribe.h"

/* Before a connection is open, nothing long comes. */
#define UNOPENED_PACKET_MAX (64 * 1024)
#define GRACE_MS 10000
/* Calls that wait for their turn; above either the socket is not read. */
#define PARKED_MAX 128
#define PARKED_BYTES_MAX (1024 * 1024)
/* What a client that does not read may have in the queue. */
#define QUEUE_BYTES_MAX (128 * 1024 * 1024)
/* Packets served in a row before others get their turn. */
#define PACKETS_PER_TURN 32

Client *
client_ref(Client *client)
{
    g_atomic_ref_count_inc(&client->refs);
    return client;
}

void
client_unref(Client *client)
{
    if (!client || !g_atomic_ref_count_dec(&client->refs))
        return;
    g_assert(!client->watch && !client->conn);
    g_clear_pointer(&client->streams, g_ptr_array_unref);
    wire_reader_free(client->reader);
    wire_transport_free(client->transport);
    g_mutex_clear(&client->lock);
    g_free(client);
}

static void
client_unref_opaque(void *opaque)
{
    client_unref(opaque);
}

/* With the lock held: ask the loop for what is needed now. */
static void
client_update_watch(Client *client)
{
    if (client->watch)
        loop_watch_update(client->watch, (client->is_paused ? 0 : EPOLLIN) |
                                             (client->waits_for_out ? EPOLLOUT : 0));
}

/* With the lock held: write what the socket takes. False: the connection is broken. */
static bool
client_flush(Client *client)
{
    g_autoptr(GError) error = NULL;
    const WireWrite result = wire_queue_flush(&client->queue, client->transport, &error);
    const bool waits = result == WIRE_WRITE_AGAIN;

    if (result == WIRE_WRITE_FAILED) {
        log_debug(LOG_RPC, "client %" G_GUINT64_FORMAT ": %s", client->id, error->message);
        return false;
    }
    if (client->queue.bytes > QUEUE_BYTES_MAX) {
        log_warning(LOG_RPC,
                    "client %" G_GUINT64_FORMAT
                    ": does not read what it asked for, %zu bytes wait: closing it",
                    client->id, client->queue.bytes);
        return false;
    }
    if (waits != client->waits_for_out) {
        client->waits_for_out = waits;
        client_update_watch(client);
    }
    if (!waits && client->ends_when_sent)
        return false;
    return true;
}

/* With the lock held. False: dropped, or the connection broke over it. */
static bool
client_send_locked(Client *client, WireMessage *take_message)
{
    g_autoptr(WireMessage) message = take_message;
    g_autoptr(GError) error = NULL;

    if (client->is_gone)
        return false;
    if (!wire_queue_push(&client->queue, g_steal_pointer(&message), &error)) {
        log_error(LOG_RPC, "client %" G_GUINT64_FORMAT ": %s", client->id, error->message);
        return false;
    }
    if (client->waits_for_out && client->queue.bytes <= QUEUE_BYTES_MAX)
        return true;
    if (client_flush(client))
        return true;
    client_close_soon(client);
    return false;
}

bool
client_send(Client *client, WireMessage *take_message)
{
    bool is_sent;

    g_mutex_lock(&client->lock);
    is_sent = client_send_locked(client, take_message);
    g_mutex_unlock(&client->lock);
    return is_sent;
}

static void
client_resume_opaque(void *opaque)
{
    client_resume(opaque);
    client_unref(opaque);
}

void
client_resume_soon(Client *client)
{
    loop_post(client->server->daemon->host.loop, client_resume_opaque, client_ref(client));
}

void
client_begin_call(Client *client)
{
    g_mutex_lock(&client->lock);
    client->n_running++;
    g_mutex_unlock(&client->lock);
}

void
client_end_call(Client *client, WireMessage *take_message)
{
    g_mutex_lock(&client->lock);
    client_send_locked(client, take_message);
    g_assert(client->n_running > 0);
    client->n_running--;
    if (client->wants_resume) {
        client->wants_resume = false;
        client_resume_soon(client);
    }
    g_mutex_unlock(&client->lock);
}

bool
client_await_calls(Client *client, guint limit)
{
    bool is_busy;

    g_mutex_lock(&client->lock);
    is_busy = client->n_running >= limit;
    client->wants_resume = client->wants_resume || is_busy;
    g_mutex_unlock(&client->lock);
    return is_busy;
}

static void
client_drop_parked(Client *client)
{
    while (client->parked.head) {
        WireMessage *message = g_queue_pop_head(&client->parked);

        wire_message_free(message);
    }
    client->parked_bytes = 0;
}

/* The last step of a connection's end: nothing runs any more. On a worker when a hook may wait. */
static void
conn_finish(void *opaque)
{
    g_autoptr(DriverConn) conn = opaque;

    conn_run_close(conn);
}

static void
client_release_conn(Client *client)
{
    DriverConn *conn = g_steal_pointer(&client->conn);

    if (!conn)
        return;
    if (conn->close_hooks->len > 0)
        pool_run(client->server->daemon->host.pool, conn_finish, conn);
    else
        conn_finish(conn);
}

/* It counted as unopened until now. */
static void
client_leave_unopened(Client *client)
{
    Server *server = client->server;
    const void *key = GUINT_TO_POINTER(client->identity.uid);
    guint count = GPOINTER_TO_UINT(g_hash_table_lookup(server->unopened, key));

    loop_timer_stop(g_steal_pointer(&client->grace_timer));
    server->n_unopened--;
    if (count > 1)
        g_hash_table_insert(server->unopened, (void *)key, GUINT_TO_POINTER(count - 1));
    else
        g_hash_table_remove(server->unopened, key);
}

void
client_close(Client *client)
{
    Server *server = client->server;
    LoopWatch *watch;

    g_mutex_lock(&client->lock);
    if (client->is_gone) {
        g_mutex_unlock(&client->lock);
        return;
    }
    client->is_gone = true;
    wire_queue_clear(&client->queue);
    watch = g_steal_pointer(&client->watch);
    g_mutex_unlock(&client->lock);

    log_debug(LOG_RPC, "client %" G_GUINT64_FORMAT ": closed", client->id);
    subscribe_drop_all(client);
    streams_abort(client);
    client_drop_parked(client);
    loop_timer_stop(g_steal_pointer(&client->keepalive_timer));
    if (!client->is_open)
        client_leave_unopened(client);
    loop_watch_remove(watch);
    g_mutex_lock(&client->lock);
    g_clear_pointer(&client->transport, wire_transport_free);
    g_mutex_unlock(&client->lock);
    g_hash_table_remove(server->clients, &client->id);
    if (!client_await_calls(client, 1))
        client_release_conn(client);
    server_check_limits(server);
    daemon_check_idle(server->daemon);
}

static void
client_close_opaque(void *opaque)
{
    client_close(opaque);
    client_unref(opaque);
}

void
client_close_soon(Client *client)
{
    loop_post(client->server->daemon->host.loop, client_close_opaque, client_ref(client));
}

typedef struct {
    Client *client;
    DriverConn *conn;
    WireMessage *reply;
} OrderlyEnd;

static void
client_end_orderly(void *opaque)
{
    g_autofree OrderlyEnd *end = opaque;
    g_autoptr(Client) client = end->client;

    if (end->conn)
        conn_finish(end->conn);
    g_mutex_lock(&client->lock);
    client->ends_when_sent = true;
    client_send_locked(client, end->reply);
    g_mutex_unlock(&client->lock);
}

void
client_close_orderly(Client *client, WireMessage *take_reply)
{
    OrderlyEnd *end = g_new(OrderlyEnd, 1);
    DriverConn *conn = g_steal_pointer(&client->conn);

    client->is_closing = true;
    client_drop_parked(client);
    subscribe_drop_all(client);
    streams_abort(client);
    *end = (OrderlyEnd){client_ref(client), conn, take_reply};
    if (conn && conn->close_hooks->len > 0)
        pool_run(client->server->daemon->host.pool, client_end_orderly, end);
    else
        client_end_orderly(end);
}

void
client_set_open(Client *client, DriverConn *take_conn)
{
    client->conn = take_conn;
    client->is_open = true;
    client_leave_unopened(client);
    wire_reader_set_limit(client->reader, WIRE_PACKET_MAX);
    server_check_limits(client->server);
}

/* A call waits for its turn; reading goes on, within bounds, so that pings are answered. */
static void
client_park(Client *client, WireMessage *message)
{
    client->parked_bytes += message->bytes->len;
    g_queue_push_tail(&client->parked, message);
}

static bool
client_must_pause(Client *client)
{
    return client->parked.length >= PARKED_MAX || client->parked_bytes >= PARKED_BYTES_MAX ||
           streams_are_full(client);
}

static void
client_set_paused(Client *client, bool is_paused)
{
    g_mutex_lock(&client->lock);
    if (client->is_paused != is_paused) {
        client->is_paused = is_paused;
        client_update_watch(client);
    }
    g_mutex_unlock(&client->lock);
}

static void
client_take(Client *client, WireMessage *message)
{
    client->last_read_us = g_get_monotonic_time();
    client->n_unanswered = 0;
    if (client->is_closing || client->is_gone) {
        wire_message_free(message);
        return;
    }
    if (dispatch_message(client, message, false) == DISPATCH_LATER)
        client_park(client, message);
}

/* Serve whole packets; returns when there is none, or others should have a turn. */
static void
client_read(Client *client)
{
    for (guint i = 0; i < PACKETS_PER_TURN; i++) {
        g_autoptr(GError) error = NULL;
        WireMessage *message = NULL;

        switch (wire_reader_next(client->reader, client->transport, &message, &error)) {
        case WIRE_READ_MESSAGE:
            client_take(client, message);
            break;
        case WIRE_READ_AGAIN:
            return;
        case WIRE_READ_EOF:
            client_close(client);
            return;
        case WIRE_READ_FAILED:
            log_info(LOG_RPC, "client %" G_GUINT64_FORMAT ": %s: closing it", client->id,
                     error->message);
            client_close(client);
            return;
        }
        if (client->is_gone || client_must_pause(client))
            return;
        if (!wire_reader_has_message(client->reader))
            return;
    }
    client_resume_soon(client);
}

/* Start the calls that wait, in their order, as far as they may. */
static void
client_run_parked(Client *client)
{
    while (client->parked.head && !client->is_gone) {
        WireMessage *message = g_queue_pop_head(&client->parked);
        const gsize bytes = message->bytes->len;

        if (dispatch_message(client, message, true) == DISPATCH_LATER) {
            g_queue_push_head(&client->parked, message);
            return;
        }
        client->parked_bytes -= MIN(bytes, client->parked_bytes);
    }
}

void
client_resume(Client *client)
{
    if (client->is_gone) {
        if (client->conn && !client_await_calls(client, 1))
            client_release_conn(client);
        return;
    }
    client_run_parked(client);
    if (client->is_gone)
        return;
    if (!client_must_pause(client)) {
        if (client->is_paused)
            client_set_paused(client, false);
        if (wire_reader_has_message(client->reader))
            client_read(client);
    }
    if (!client->is_gone && client_must_pause(client))
        client_set_paused(client, true);
}

static void
client_on_io(int fd, uint32_t events, void *opaque)
{
    g_autoptr(Client) client = client_ref(opaque);
    bool is_good = true;

    if (events & EPOLLOUT) {
        g_mutex_lock(&client->lock);
        is_good = client_flush(client);
        g_mutex_unlock(&client->lock);
    }
    if (!is_good) {
        client_close(client);
        return;
    }
    if (!client->is_paused && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        client_read(client);
        if (!client->is_gone && client_must_pause(client))
            client_set_paused(client, true);
    }
}

static void
client_on_keepalive(void *opaque)
{
    g_autoptr(Client) client = client_ref(opaque);
    const ServerLimits *limits = &client->server->limits;
    const gint64 silent_ms = (g_get_monotonic_time() - client->last_read_us) / 1000;
    const gint64 interval_ms = (gint64)limits->keepalive_interval_s * 1000;

    if (client->is_gone)
        return;
    if (client->is_paused) {
        loop_timer_rearm(client->keepalive_timer, (guint)interval_ms);
        return;
    }
    if (client->n_unanswered == 0 && silent_ms < interval_ms) {
        loop_timer_rearm(client->keepalive_timer, (guint)(interval_ms - silent_ms));
        return;
    }
    if (client->n_unanswered >= limits->keepalive_count) {
        log_info(LOG_RPC,
                 "client %" G_GUINT64_FORMAT ": no answer to %u keepalive messages: closing it",
                 client->id, client->n_unanswered);
        client_close(client);
        return;
    }
    client->n_unanswered++;
    client_send(client, wire_message_new_keepalive(WIRE_KEEPALIVE_PING));
    if (client->keepalive_timer)
        loop_timer_rearm(client->keepalive_timer, (guint)interval_ms);
}

void
client_start_keepalive(Client *client)
{
    const int interval_s = client->server->limits.keepalive_interval_s;

    if (client->keepalive_timer || interval_s < 1)
        return;
    client->keepalive_timer =
        loop_timer_start(client->server->daemon->host.loop, (guint)interval_s * 1000,
                         client_on_keepalive, client_ref(client), client_unref_opaque);
}

static void
client_on_grace(void *opaque)
{
    Client *client = opaque;

    log_info(LOG_RPC, "client %" G_GUINT64_FORMAT ": opened nothing within %d s: closing it",
             client->id, GRACE_MS / 1000);
    client_close(client);
}

static void
client_learn_identity(Client *client, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof peer)
        return;
    client->identity =
        (CallIdentity){.is_known = true, .uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
}

Client *
client_new(Server *server, int take_fd, bool is_read_only, GError **err)
{
    Client *client = g_new0(Client, 1);
    Loop *loop = server->daemon->host.loop;
    void *key;

    g_atomic_ref_count_init(&client->refs);
    g_mutex_init(&client->lock);
    wire_queue_init(&client->queue);
    client->server = server;
    client->is_read_only = is_read_only;
    client->connected_at_s = g_get_real_time() / G_USEC_PER_SEC;
    client->last_read_us = g_get_monotonic_time();
    client_learn_identity(client, take_fd);
    client->transport = wire_transport_new_socket(take_fd, true);
    client->reader = wire_reader_new();
    wire_reader_set_limit(client->reader, UNOPENED_PACKET_MAX);
    client->watch = loop_watch_fd(loop, take_fd, EPOLLIN, client_on_io, client_ref(client),
                                  client_unref_opaque, err);
    if (!client->watch) {
        client_unref(client);
        client_unref(client);
        return NULL;
    }
    client->id = ++server->last_client_id;
    g_hash_table_insert(server->clients, &client->id, client);
    key = GUINT_TO_POINTER(client->identity.uid);
    server->n_unopened++;
    g_hash_table_insert(
        server->unopened, key,
        GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(server->unopened, key)) + 1));
    client->grace_timer =
        loop_timer_start(loop, GRACE_MS, client_on_grace, client_ref(client), client_unref_opaque);
    client_unref(client);
    return client;
}
