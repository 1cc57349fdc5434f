/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See dispatch.h. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "server/dispatch.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "wire/codec.h"

/* Calls that answer at once count too: a driver may defer them, or let them wait for a guest's recovery. */
#define QUICK_CALLS_MAX 64

/* A call with room for its arguments and its result behind it. */
typedef struct {
    ServerCall server_call;
    guint64 room[];
} CallRoom;

static void finish_call(Call *call, GError *take_error);
static bool set_call_stream(Call *call, int take_fd, CallStreamFlags flags, CallStreamDone done,
                            void *data, GError **err);

static const CallBackend backend = {.finish = finish_call, .set_stream = set_call_stream};

gsize
dispatch_index(const ApiProc *proc)
{
    return (gsize)(proc - api_procs);
}

WireMessage *
dispatch_error_reply(const WireHeader *header, WireType type, const GError *error)
{
    WireMessage *reply = wire_message_new_reply(header, type, WIRE_ERROR);

    wire_error_append(reply->bytes, error);
    return reply;
}

static bool rpc_fail(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* The form that clients recognise: code RPC, domain RPC, exactly this text. */
static bool
rpc_fail(GError **err, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_propagate_error(err, error_new_literal(VIR_FROM_RPC, VIR_ERR_RPC, VIR_ERR_ERROR, text));
    return false;
}

static void
clear_fd(void *fd)
{
    fd_close(fd);
}

/* Most calls carry none, so they share an empty array. */
static GArray *
fd_array_new(bool may_have_some)
{
    static GArray *none;
    GArray *fds;

    if (!may_have_some && g_once_init_enter(&none))
        g_once_init_leave(&none, g_array_new(false, false, sizeof(int)));
    if (!may_have_some)
        return g_array_ref(none);
    fds = g_array_new(false, false, sizeof(int));
    g_array_set_clear_func(fds, clear_fd);
    return fds;
}

static ServerCall *
call_new(Client *client, const WireHeader *header, const ApiProc *proc)
{
    const gsize args_words = proc->args ? (proc->args->size + 7) / 8 : 0;
    const gsize ret_words = proc->ret ? (proc->ret->size + 7) / 8 : 0;
    CallRoom *room = g_malloc0(sizeof *room + (args_words + ret_words) * sizeof(guint64));
    ServerCall *call = &room->server_call;

    g_atomic_ref_count_init(&call->refs);
    call->client = client_ref(client);
    call->header = *header;
    call->call.conn = client->conn ? conn_ref(client->conn) : NULL;
    call->call.driver = client->conn ? driver_for(client->conn->driver, proc) : NULL;
    if (client->conn && !call->call.driver)
        call->call.driver = client->conn->driver;
    call->call.proc = proc;
    call->call.args = proc->args ? room->room : NULL;
    call->call.ret = proc->ret ? room->room + args_words : NULL;
    call->call.fds_in = fd_array_new(proc->flags & API_FDS_IN);
    call->call.fds_out = fd_array_new(proc->flags & API_FDS_OUT);
    call->call.backend = &backend;
    return call;
}

static void
call_unref(ServerCall *call)
{
    const ApiProc *proc = call->call.proc;

    if (!g_atomic_ref_count_dec(&call->refs))
        return;
    if (proc->args)
        codec_free(proc->args, (void *)call->call.args);
    if (proc->ret)
        codec_free(proc->ret, call->call.ret);
    g_array_unref(call->call.fds_in);
    g_array_unref(call->call.fds_out);
    g_clear_pointer(&call->stream, stream_discard);
    g_clear_pointer(&call->strand, strand_unref);
    g_clear_pointer(&call->call.conn, conn_unref);
    client_unref(call->client);
    g_free(call);
}

/* The reply of a call that succeeded; an error when its result does not fit on the wire. */
static WireMessage *
call_reply(ServerCall *call, GError **err)
{
    const ApiProc *proc = call->call.proc;
    g_autoptr(WireMessage) reply = wire_message_new_reply(&call->header, WIRE_REPLY, WIRE_OK);
    const GArray *fds = call->call.fds_out;

    if ((proc->flags & API_FDS_OUT) &&
        !wire_message_add_fds(reply, (const int *)(void *)fds->data, fds->len, err))
        return NULL;
    if (proc->ret && !codec_encode(proc->ret, call->call.ret, reply->bytes, err))
        return NULL;
    return g_steal_pointer(&reply);
}

static void
finish_call(Call *opaque, GError *take_error)
{
    ServerCall *call = (ServerCall *)opaque;
    g_autoptr(GError) error = take_error;
    WireMessage *reply = error ? NULL : call_reply(call, &error);
    Stream *stream = NULL;

    if (!reply) {
        log_debug(LOG_RPC, "client %" G_GUINT64_FORMAT ": %s: %s", call->client->id,
                  call->call.proc->name, error ? error->message : "failed without an error");
        reply = dispatch_error_reply(&call->header, WIRE_REPLY, error);
    } else if (call->stream) {
        /* Known before the reply leaves, since the client's first packet may follow it at once. */
        stream = g_steal_pointer(&call->stream);
        stream_attach(stream);
    }
    client_end_call(call->client, reply);
    if (stream)
        stream_start(stream);
    call_unref(call);
}

static bool
set_call_stream(Call *opaque, int take_fd, CallStreamFlags flags, CallStreamDone done, void *data,
                GError **err)
{
    ServerCall *call = (ServerCall *)opaque;

    g_assert(!call->stream);
    call->stream =
        stream_new(call->client, &call->header, call->call.proc, take_fd, flags, done, data, err);
    if (call->stream && opaque->stream_bytes_max)
        stream_limit(call->stream, opaque->stream_bytes_max);
    return call->stream != NULL;
}

/* Run a driver's slot and answer, unless it defers. */
static void
call_run(void *opaque)
{
    ServerCall *call = opaque;
    Driver *driver = call->call.driver;
    GError *error = NULL;
    bool is_good;

    g_atomic_ref_count_inc(&call->refs);
    is_good = api_invoke(&driver->slots, call->call.proc, &call->call, call->call.args,
                         call->call.ret, &error);
    if (!call->call.is_deferred) {
        if (!is_good && !error)
            error_set(&error, driver->error_domain, VIR_ERR_INTERNAL_ERROR,
                      "%s failed without a reason", call->call.proc->function);
        finish_call(&call->call, is_good ? NULL : error);
    } else {
        g_clear_error(&error);
    }
    call_unref(call);
}

/* Procedures that change whether anything else may run: all calls before must have ended, all later ones wait. */
static bool
proc_runs_alone(const ApiProc *proc)
{
    return proc == API_PROC(REMOTE_CONNECT_OPEN) || proc == API_PROC(REMOTE_CONNECT_CLOSE) ||
           proc == API_PROC(ADMIN_CONNECT_OPEN) || proc == API_PROC(ADMIN_CONNECT_CLOSE);
}

static const ApiProc *
find_proc(Client *client, const WireHeader *header, GError **err)
{
    const bool is_admin = header->program == ADMIN_PROGRAM;
    guint32 version = 0;
    const ApiProc *proc = api_proc_find(header->program, header->procedure, &version);

    if (version == 0 || is_admin != client->server->is_admin ||
        header->program == WIRE_KEEPALIVE_PROGRAM) {
        rpc_fail(err, "unknown program: 0x%x", header->program);
        return NULL;
    }
    if (header->version != version) {
        rpc_fail(err, "unknown version %u of program 0x%x: it must be %u", header->version,
                 header->program, version);
        return NULL;
    }
    if (!proc || proc->kind != API_CALL) {
        rpc_fail(err, "unknown procedure: %d", header->procedure);
        return NULL;
    }
    return proc;
}

static bool
fail_read_only(const ApiProc *proc, GError **err)
{
    return fail(err, VIR_ERR_OPERATION_DENIED, "read only access prevents %s", proc->function);
}

/* Everything that is checked before arguments are looked at. */
static bool
check_before_decoding(Client *client, const WireHeader *header, const ApiProc *proc, GError **err)
{
    const bool is_with_fds = header->type == WIRE_CALL_WITH_FDS;
    const bool is_feature = proc == API_PROC(REMOTE_CONNECT_SUPPORTS_FEATURE);
    const bool is_open = client->server->is_admin ? client->is_open : client->conn != NULL;

    if (header->status != WIRE_OK)
        return rpc_fail(err, "unexpected message status %u of a call", header->status);
    if (is_with_fds && !(proc->flags & API_FDS_IN))
        return rpc_fail(err, "%s takes no descriptors", proc->name);
    if (!is_open && !proc_runs_alone(proc) && !(proc->flags & API_BEFORE_AUTH) && !is_feature)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "connection not open");
    if ((proc->flags & API_WRITE) && client->is_read_only)
        return fail_read_only(proc, err);
    if (client->conn && client->conn->is_read_only && (proc->flags & API_WRITE))
        return fail_read_only(proc, err);
    return true;
}

static bool
decode_args(ServerCall *call, WireMessage *message, GError **err)
{
    const ApiProc *proc = call->call.proc;
    gsize len;
    const guchar *payload = wire_message_payload(message, &len);

    for (gsize i = 0; i < wire_message_n_fds(message); i++) {
        int fd = wire_message_steal_fd(message, i);

        g_array_append_val(call->call.fds_in, fd);
    }
    if (proc->args && !codec_decode(proc->args, payload, len, (void *)call->call.args, err))
        return false;
    if ((call->client->is_read_only || (call->call.conn && call->call.conn->is_read_only)) &&
        api_needs_write(proc, call->call.args))
        return fail_read_only(proc, err);
    return true;
}

static bool place_call(ServerCall *call, GError **err);

/* The driver has found its objects: as if the call came now. */
static void
call_place_again(void *opaque)
{
    ServerCall *call = opaque;
    GError *error = NULL;

    g_clear_pointer(&call->strand, strand_unref);
    if (!place_call(call, &error))
        finish_call(&call->call, error);
}

/* Put a decoded call where it runs. False: it was refused, and nothing will call it. */
static bool
place_call(ServerCall *call, GError **err)
{
    const ApiProc *proc = call->call.proc;
    Driver *driver = call->call.driver;
    Pool *pool = call->client->server->daemon->host.pool;

    if (driver->find_loading && (call->strand = driver->find_loading(driver, proc))) {
        strand_post_internal(call->strand, call_place_again, call);
        return true;
    }
    if (proc->run == API_RUN_LOOP && proc->owner_uuid_offset >= 0 && driver->find_settling)
        call->strand = driver->find_settling(
            driver, proc->owner, (const guchar *)call->call.args + proc->owner_uuid_offset);
    if (call->strand) {
        strand_post_internal(call->strand, call_run, call);
        return true;
    }
    if (proc->run == API_RUN_LOOP || !api_has_slot(&driver->slots, proc)) {
        call_run(call);
        return true;
    }
    if (proc->run == API_RUN_STRAND && proc->owner_uuid_offset >= 0 && driver->find_strand)
        call->strand = driver->find_strand(
            driver, proc->owner, (const guchar *)call->call.args + proc->owner_uuid_offset);
    if (call->strand)
        return strand_post(call->strand, call_run, call, err);
    pool_run(pool, call_run, call);
    return true;
}

static bool
is_slow(const Client *client, const ApiProc *proc)
{
    return client->conn && (proc->run == API_RUN_WORKER || proc->run == API_RUN_STRAND) &&
           driver_for(client->conn->driver, proc) != NULL;
}

/* The server's own answer to @proc; NULL: it is the driver's. */
static ServerHandler
find_handler(const Client *client, const ApiProc *proc)
{
    const gsize index = dispatch_index(proc);

    if (client->server->is_admin)
        return admin_handlers[index];
    if (proc->run != API_RUN_SERVER && (!client->conn || driver_for(client->conn->driver, proc)))
        return NULL;
    return remote_handlers[index];
}

static void
run_handler(ServerCall *call, ServerHandler handler)
{
    GError *error = NULL;
    bool is_good;

    g_atomic_ref_count_inc(&call->refs);
    is_good = handler(call, call->call.args, call->call.ret, &error);
    if (!call->call.is_deferred)
        finish_call(&call->call, is_good ? NULL : error);
    call_unref(call);
}

/* connect_close answers when everything has ended. */
static void
run_close(ServerCall *call)
{
    WireMessage *reply = wire_message_new_reply(&call->header, WIRE_REPLY, WIRE_OK);

    client_close_orderly(call->client, reply);
    call_unref(call);
}

static void
start_call(Client *client, WireMessage *message, const ApiProc *proc)
{
    ServerCall *call = call_new(client, &message->header, proc);
    const ServerHandler handler = find_handler(client, proc);
    GError *error = NULL;
    bool is_placed = true;

    if (proc == API_PROC(REMOTE_CONNECT_CLOSE) || proc == API_PROC(ADMIN_CONNECT_CLOSE)) {
        run_close(call);
        return;
    }
    client_begin_call(client);
    if (!decode_args(call, message, &error))
        is_placed = false;
    else if (handler)
        run_handler(call, handler);
    else if (call->call.conn)
        is_placed = place_call(call, &error);
    else
        is_placed = fail(&error, VIR_ERR_NO_SUPPORT, "%s", proc->function);
    if (!is_placed)
        finish_call(&call->call, error);
}

/* May the call start now? If not, client_resume comes back to it. */
static bool
may_start(Client *client, const ApiProc *proc, bool was_parked)
{
    const guint max_calls = client->server->limits.max_client_requests;

    if (!was_parked && client->runs_alone)
        return false;
    if (proc_runs_alone(proc)) {
        client->runs_alone = client_await_calls(client, 1);
        return !client->runs_alone;
    }
    if (!is_slow(client, proc))
        return !client_await_calls(client, max_calls + QUICK_CALLS_MAX);
    return (was_parked || !client->parked.head) && !client_await_calls(client, max_calls);
}

static Dispatch
dispatch_call(Client *client, WireMessage *message, bool was_parked)
{
    g_autoptr(GError) error = NULL;
    const ApiProc *proc = find_proc(client, &message->header, &error);

    if (!proc || !check_before_decoding(client, &message->header, proc, &error))
        client_send(client, dispatch_error_reply(&message->header, WIRE_REPLY, error));
    else if (may_start(client, proc, was_parked))
        start_call(client, message, proc);
    else
        return DISPATCH_LATER;
    wire_message_free(message);
    return DISPATCH_DONE;
}

static void
dispatch_keepalive(Client *client, WireMessage *message)
{
    if (message->header.procedure == WIRE_KEEPALIVE_PING)
        client_send(client, wire_message_new_keepalive(WIRE_KEEPALIVE_PONG));
    wire_message_free(message);
}

Dispatch
dispatch_message(Client *client, WireMessage *message, bool was_parked)
{
    const WireHeader *header = &message->header;
    g_autoptr(GError) error = NULL;

    if (header->type == WIRE_CALL || header->type == WIRE_CALL_WITH_FDS)
        return dispatch_call(client, message, was_parked);
    if (header->program == WIRE_KEEPALIVE_PROGRAM && header->type == WIRE_MESSAGE) {
        dispatch_keepalive(client, message);
    } else if (header->type == WIRE_STREAM || header->type == WIRE_STREAM_HOLE) {
        stream_receive(client, message);
    } else {
        rpc_fail(&error, "unexpected message type %u", header->type);
        client_send(client, dispatch_error_reply(header, WIRE_REPLY, error));
        wire_message_free(message);
    }
    return DISPATCH_DONE;
}
