/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public stream functions over link_stream. A virStream is empty until a call opens it. */
#define ERROR_DOMAIN VIR_FROM_STREAMS

#include <string.h>

#include "base/error.h"
#include "client/conn.h"
#include "client/report.h"

#define CHUNK (256 * 1024)

/* ---- life ---- */

virStreamPtr
virStreamNew(virConnectPtr public, unsigned int flags)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    struct _virStream *stream;
    g_autoptr(GError) err = NULL;

    if (!conn)
        return NULL;
    if (flags & ~VIR_STREAM_NONBLOCK) {
        fail(&err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) in function virStreamNew", flags);
        return client_fail_null(conn, err);
    }
    stream = g_new0(struct _virStream, 1);
    client_object_init(&stream->object, KIND_STREAM);
    stream->object.conn = client_object_ref(public);
    stream->flags = flags;
    g_mutex_init(&stream->lock);
    return stream;
}

void
client_stream_free(virStreamPtr stream)
{
    link_stream_unref(stream->link);
    g_mutex_clear(&stream->lock);
    g_free(stream);
}

/* A stream that has ended can be opened anew. */
bool
client_stream_attach(virStreamPtr stream, LinkStream *link, GError **err)
{
    LinkStream *ended = NULL;
    bool is_free;

    g_mutex_lock(&stream->lock);
    is_free = !stream->link || !link_stream_is_open(stream->link);
    if (is_free) {
        ended = stream->link;
        stream->link = link_stream_ref(link);
    }
    g_mutex_unlock(&stream->lock);
    link_stream_unref(ended);
    return is_free || fail(err, VIR_ERR_OPERATION_INVALID, "the stream is in use by another call");
}

void
client_stream_detach(virStreamPtr stream)
{
    LinkStream *link;

    g_mutex_lock(&stream->lock);
    link = stream->link;
    stream->link = NULL;
    g_mutex_unlock(&stream->lock);
    link_stream_unref(link);
}

/* A reference to what carries the stream; NULL with @err when no call opened it. */
static LinkStream *
take_link(virStreamPtr stream, const char *function, GError **err)
{
    LinkStream *link;

    g_mutex_lock(&stream->lock);
    link = stream->link ? link_stream_ref(stream->link) : NULL;
    g_mutex_unlock(&stream->lock);
    if (!link)
        fail(err, VIR_ERR_NO_SUPPORT, "%s", function);
    return link;
}

static void
drop_link(LinkStream **link)
{
    link_stream_unref(*link);
}

#define auto_link __attribute__((cleanup(drop_link)))

/* ---- pieces ---- */

static int
stream_recv(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags,
            const char *function)
{
    ClientConn *conn = client_enter_stream(stream, function);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;
    gsize n = 0;

    if (!conn)
        return -1;
    if (!client_need(data, "data", function, &err) || !(link = take_link(stream, function, &err)))
        return client_fail_int(conn, err);
    if (flags & ~VIR_STREAM_RECV_STOP_AT_HOLE) {
        fail(&err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) in function %s", flags, function);
        return client_fail_int(conn, err);
    }
    switch (link_stream_receive(link, data, MIN(nbytes, G_MAXINT),
                                !(stream->flags & VIR_STREAM_NONBLOCK),
                                flags & VIR_STREAM_RECV_STOP_AT_HOLE, &n, &err)) {
    case LINK_STREAM_DATA:
        return (int)n;
    case LINK_STREAM_HOLE:
        return -3;
    case LINK_STREAM_WOULD_BLOCK:
        return -2;
    default:
        return client_fail_int(conn, err);
    }
}

int
virStreamRecv(virStreamPtr stream, char *data, size_t nbytes)
{
    return stream_recv(stream, data, nbytes, 0, __func__);
}

int
virStreamRecvFlags(virStreamPtr stream, char *data, size_t nbytes, unsigned int flags)
{
    return stream_recv(stream, data, nbytes, flags, __func__);
}

int
virStreamSend(virStreamPtr stream, const char *data, size_t nbytes)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;
    gsize n = MIN(nbytes, WIRE_STREAM_DATA_MAX);

    if (!conn)
        return -1;
    if (!client_need(data, "data", __func__, &err) || !(link = take_link(stream, __func__, &err)))
        return client_fail_int(conn, err);
    /* An empty packet would end the stream. */
    if (n == 0)
        return 0;
    switch (link_stream_send(link, data, n, !(stream->flags & VIR_STREAM_NONBLOCK), &err)) {
    case LINK_STREAM_DATA:
        return (int)n;
    case LINK_STREAM_WOULD_BLOCK:
        return -2;
    default:
        return client_fail_int(conn, err);
    }
}

int
virStreamSendHole(virStreamPtr stream, long long length, unsigned int flags)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;

    if (!conn)
        return -1;
    if (!client_need_nonnegative(length, "length", __func__, &err) ||
        !(link = take_link(stream, __func__, &err)) ||
        link_stream_send_hole(link, length, flags, &err) != LINK_STREAM_DATA)
        return client_fail_int(conn, err);
    return 0;
}

int
virStreamRecvHole(virStreamPtr stream, long long *length, unsigned int flags)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;
    gint64 hole = 0;

    if (!conn)
        return -1;
    if (!client_need(length, "length", __func__, &err) ||
        !(link = take_link(stream, __func__, &err)) ||
        link_stream_receive_hole(link, &hole, &err) == LINK_STREAM_FAILED)
        return client_fail_int(conn, err);
    *length = hole;
    return 0;
}

static int
stream_end(virStreamPtr stream, WireStatus status, const char *function)
{
    ClientConn *conn = client_enter_stream(stream, function);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;

    if (!conn)
        return -1;
    if (!(link = take_link(stream, function, &err)))
        return status == WIRE_ERROR ? 0 : client_fail_int(conn, err); /* unused: nothing to abort */
    if (!link_stream_end(link, status, &err))
        return client_fail_int(conn, err);
    return 0;
}

int
virStreamFinish(virStreamPtr stream)
{
    return stream_end(stream, WIRE_OK, __func__);
}

int
virStreamAbort(virStreamPtr stream)
{
    return stream_end(stream, WIRE_ERROR, __func__);
}

/* ---- the whole: a handler is called until it says that it is done ---- */

/* Abort, so that nothing half-done looks finished; the error that made us do so stays the last one. */
static int
give_up(virStreamPtr stream)
{
    virErrorPtr saved = virSaveLastError();
    GError *again = NULL;

    stream_end(stream, WIRE_ERROR, "virStreamAbort");
    if (saved && saved->code != VIR_ERR_OK) {
        again = error_new_literal(saved->domain, saved->code, saved->level, saved->message);
    } else {
        fail(&again, VIR_ERR_OPERATION_ABORTED,
             "the program's own function failed while data was transferred");
    }
    client_fail(client_conn_of(stream->object.conn), again);
    g_error_free(again);
    virFreeError(saved);
    return -1;
}

static bool
check_whole(virStreamPtr stream, ClientConn *conn, const void *handler, const char *function)
{
    g_autoptr(GError) err = NULL;

    if (!client_need(handler, "handler", function, &err)) {
        client_fail(conn, err);
        return false;
    }
    if (stream->flags & VIR_STREAM_NONBLOCK) {
        fail(&err, VIR_ERR_OPERATION_INVALID,
             "data sources and sinks cannot be used for non-blocking streams");
        client_fail(conn, err);
        return false;
    }
    return true;
}

/* Send all of @n bytes. */
static bool
send_bytes(virStreamPtr stream, const char *bytes, gsize n)
{
    for (gsize sent = 0; sent < n;) {
        int done = virStreamSend(stream, bytes + sent, n - sent);
        if (done < 0)
            return false;
        sent += done;
    }
    return true;
}

int
virStreamSendAll(virStreamPtr stream, virStreamSourceFunc handler, void *opaque)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autofree char *bytes = g_malloc(CHUNK);

    if (!conn || !check_whole(stream, conn, handler, __func__))
        return -1;
    while (true) {
        int got = handler(stream, bytes, CHUNK, opaque);
        if (got < 0)
            return give_up(stream);
        if (got == 0)
            return 0;
        if (!send_bytes(stream, bytes, got))
            return give_up(stream);
    }
}

int
virStreamSparseSendAll(virStreamPtr stream, virStreamSourceFunc handler,
                       virStreamSourceHoleFunc holeHandler, virStreamSourceSkipFunc skipHandler,
                       void *opaque)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autofree char *bytes = g_malloc(CHUNK);
    long long section = 0;
    int in_data = 1;

    if (!conn || !check_whole(stream, conn, handler && holeHandler && skipHandler ? handler : NULL,
                              __func__))
        return -1;
    while (true) {
        if (section == 0) {
            if (holeHandler(stream, &in_data, &section, opaque) < 0)
                return give_up(stream);
            if (!in_data && section) {
                if (virStreamSendHole(stream, section, 0) < 0 ||
                    skipHandler(stream, section, opaque) < 0)
                    return give_up(stream);
                section = 0;
                continue;
            }
        }
        if (section == 0)
            return 0;
        int got = handler(stream, bytes, MIN(CHUNK, (gsize)section), opaque);
        if (got < 0 || (got > 0 && !send_bytes(stream, bytes, got)))
            return give_up(stream);
        if (got == 0)
            return 0;
        section -= MIN(section, got);
    }
}

/* Hand @n bytes to the program. */
static bool
deliver_bytes(virStreamPtr stream, virStreamSinkFunc handler, const char *bytes, gsize n,
              void *opaque)
{
    for (gsize done = 0; done < n;) {
        int taken = handler(stream, bytes + done, n - done, opaque);
        if (taken < 0)
            return false;
        done += taken;
    }
    return true;
}

int
virStreamRecvAll(virStreamPtr stream, virStreamSinkFunc handler, void *opaque)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autofree char *bytes = g_malloc(CHUNK);

    if (!conn || !check_whole(stream, conn, handler, __func__))
        return -1;
    while (true) {
        int got = virStreamRecv(stream, bytes, CHUNK);
        if (got == 0)
            return 0;
        if (got < 0 || !deliver_bytes(stream, handler, bytes, got, opaque))
            return give_up(stream);
    }
}

int
virStreamSparseRecvAll(virStreamPtr stream, virStreamSinkFunc handler,
                       virStreamSinkHoleFunc holeHandler, void *opaque)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autofree char *bytes = g_malloc(CHUNK);

    if (!conn || !check_whole(stream, conn, handler && holeHandler ? handler : NULL, __func__))
        return -1;
    while (true) {
        int got = virStreamRecvFlags(stream, bytes, CHUNK, VIR_STREAM_RECV_STOP_AT_HOLE);
        if (got == -3) {
            long long hole = 0;
            if (virStreamRecvHole(stream, &hole, 0) < 0 || holeHandler(stream, hole, opaque) < 0)
                return give_up(stream);
            continue;
        }
        if (got == 0)
            return 0;
        if (got < 0 || !deliver_bytes(stream, handler, bytes, got, opaque))
            return give_up(stream);
    }
}

/* ---- callbacks ---- */

typedef struct {
    virStreamPtr stream; /* a reference */
    virStreamEventCallback func;
    void *opaque;
    virFreeCallback free_func;
} Callback;

static void
run_callback(void *data, int events)
{
    Callback *callback = data;

    callback->func(callback->stream, events, callback->opaque);
}

static void
free_callback(void *data)
{
    Callback *callback = data;

    if (callback->free_func)
        callback->free_func(callback->opaque);
    client_object_unref(callback->stream);
    g_free(callback);
}

int
virStreamEventAddCallback(virStreamPtr stream, int events, virStreamEventCallback cb, void *opaque,
                          virFreeCallback ff)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;
    Callback *callback;

    if (!conn)
        return -1;
    if (!client_need(cb, "cb", __func__, &err) || !(link = take_link(stream, __func__, &err)))
        return client_fail_int(conn, err);
    callback = g_new0(Callback, 1);
    *callback = (Callback){client_object_ref(stream), cb, opaque, ff};
    if (link_stream_set_callback(link, events, run_callback, callback, free_callback, &err))
        return 0;
    client_object_unref(stream);
    g_free(callback);
    return client_fail_int(conn, err);
}

int
virStreamEventUpdateCallback(virStreamPtr stream, int events)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;

    if (!conn)
        return -1;
    if (!(link = take_link(stream, __func__, &err)) ||
        !link_stream_update_callback(link, events, &err))
        return client_fail_int(conn, err);
    return 0;
}

int
virStreamEventRemoveCallback(virStreamPtr stream)
{
    ClientConn *conn = client_enter_stream(stream, __func__);
    g_autoptr(GError) err = NULL;
    auto_link LinkStream *link = NULL;

    if (!conn)
        return -1;
    if (!(link = take_link(stream, __func__, &err)) || !link_stream_remove_callback(link, &err))
        return client_fail_int(conn, err);
    return 0;
}
