/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams of a link. See link.h; stream.c is the public side. All state is under the link's lock. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "client/link_private.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"

LinkStream *
link_stream_new(Link *link)
{
    LinkStream *stream = g_new0(LinkStream, 1);

    stream->refs = 1;
    stream->link = link_ref(link);
    stream->hole_left = -1;
    return stream;
}

LinkStream *
link_stream_ref(LinkStream *stream)
{
    g_atomic_int_inc(&stream->refs);
    return stream;
}

static void
free_incoming(LinkStream *stream)
{
    WireMessage *message;

    while ((message = g_queue_pop_head(&stream->incoming))) {
        stream->link->stream_backlog -= message->bytes->len;
        wire_message_free(message);
    }
}

/* Take the callback out; the returned pair is to be freed without the lock. */
typedef struct {
    GDestroyNotify func;
    void *data;
} Leftover;

static Leftover
take_callback_locked(LinkStream *stream)
{
    Leftover leftover = {NULL, NULL};

    if (stream->func && !stream->is_calling)
        leftover = (Leftover){stream->func_free, stream->func_data};
    stream->func = NULL;
    stream->func_events = 0;
    return leftover;
}

static void
free_leftover(Leftover leftover)
{
    if (leftover.func)
        leftover.func(leftover.data);
}

static bool
push_end_locked(LinkStream *stream, WireStatus status, GError **err)
{
    return wire_queue_push(&stream->link->queue,
                           wire_message_new(stream->program, stream->version, stream->procedure,
                                            WIRE_STREAM, stream->serial, status),
                           err);
}

void
link_stream_unref(LinkStream *stream)
{
    Link *link;
    Leftover leftover;

    if (!stream || !g_atomic_int_dec_and_test(&stream->refs))
        return;
    link = stream->link;
    g_mutex_lock(&link->lock);
    if (stream->is_open && !stream->is_ending && !link->error) {
        push_end_locked(stream, WIRE_ERROR, NULL); /* nobody is left to wait for the answer */
        link_flush_locked(link);
    }
    link_stream_unbind_locked(stream);
    leftover = take_callback_locked(stream);
    free_incoming(stream);
    link_unlock(link);
    free_leftover(leftover);
    g_clear_error(&stream->error);
    link_unref(link);
    g_free(stream);
}

void
link_stream_allow_holes(LinkStream *stream)
{
    stream->allows_holes = true;
}

bool
link_stream_is_open(LinkStream *stream)
{
    bool is_open;

    g_mutex_lock(&stream->link->lock);
    is_open = stream->is_open;
    g_mutex_unlock(&stream->link->lock);
    return is_open;
}

void
link_stream_bind_locked(LinkStream *stream, const WireHeader *header)
{
    stream->program = header->program;
    stream->version = header->version;
    stream->procedure = header->procedure;
    stream->serial = header->serial;
    stream->is_open = true;
    g_ptr_array_add(stream->link->streams, stream);
}

void
link_stream_unbind_locked(LinkStream *stream)
{
    stream->is_open = false;
    g_ptr_array_remove_fast(stream->link->streams, stream);
}

void
link_stream_unbind(LinkStream *stream)
{
    g_mutex_lock(&stream->link->lock);
    link_stream_unbind_locked(stream);
    g_mutex_unlock(&stream->link->lock);
}

static LinkStream *
find_stream(Link *link, const WireHeader *header)
{
    for (guint i = 0; i < link->streams->len; i++) {
        LinkStream *stream = link->streams->pdata[i];
        if (stream->serial == header->serial && stream->program == header->program &&
            stream->procedure == header->procedure)
            return stream;
    }
    return NULL;
}

static void
take_error(LinkStream *stream, const WireMessage *message)
{
    gsize len;
    const guchar *payload = wire_message_payload(message, &len);

    stream->is_confirmed = true;
    stream->has_ended = true;
    if (stream->error || (stream->is_ending && len == 0))
        return;
    stream->error = wire_error_parse(payload, len);
    stream->is_open = false; /* the peer has closed it: nothing more is sent */
}

void
link_stream_take_locked(Link *link, WireMessage *take_message)
{
    g_autoptr(WireMessage) message = take_message;
    LinkStream *stream = find_stream(link, &message->header);
    gsize len;

    wire_message_payload(message, &len);
    if (!stream)
        return; /* late, for a stream that is closed here */
    if (message->header.type == WIRE_STREAM_HOLE && (!stream->allows_holes || len < 12)) {
        GError *err = NULL;
        fail(&err, VIR_ERR_RPC, "the daemon sent a hole on a stream that was opened without holes");
        link_fail_locked(link, err, VIR_CONNECT_CLOSE_REASON_ERROR);
        return;
    }
    if (message->header.status == WIRE_ERROR) {
        take_error(stream, message);
    } else if (message->header.status == WIRE_OK) {
        stream->is_confirmed = true;
        stream->has_ended = true;
    } else if (len == 0) {
        stream->has_ended = true;
    } else {
        link->stream_backlog += message->bytes->len;
        g_queue_push_tail(&stream->incoming, g_steal_pointer(&message));
    }
    link_wake_subject_locked(link, stream);
}

/* -- receiving ------------------------------------------------------------------------------------- */

static bool
has_input(LinkStream *stream)
{
    return stream->incoming.length > 0 || stream->has_ended || stream->error || !stream->is_open;
}

static bool
waiter_has_input(void *waiter)
{
    return has_input(((LinkCall *)waiter)->subject);
}

static LinkStreamResult
failed_locked(LinkStream *stream, GError **err)
{
    if (stream->error)
        g_propagate_error(err, g_error_copy(stream->error));
    else if (stream->link->error)
        g_propagate_error(err, g_error_copy(stream->link->error));
    else
        fail(err, VIR_ERR_OPERATION_FAILED, "the stream is closed");
    return LINK_STREAM_FAILED;
}

/* DATA: has_input is true. */
static LinkStreamResult
await_input_locked(LinkStream *stream, bool may_wait)
{
    Link *link = stream->link;
    LinkCall call = {.is_ready = waiter_has_input, .subject = stream};

    if (!has_input(stream) && !link->is_reading)
        link_read_locked(link, NULL);
    if (!has_input(stream) && !link->error && !may_wait)
        return LINK_STREAM_WOULD_BLOCK;
    if (!has_input(stream) && !link->error)
        link_wait_locked(link, &call);
    g_cond_clear(&call.wake);
    return has_input(stream) ? LINK_STREAM_DATA : LINK_STREAM_FAILED;
}

static void
drop_front(LinkStream *stream)
{
    WireMessage *message = g_queue_pop_head(&stream->incoming);

    stream->link->stream_backlog -= message->bytes->len;
    stream->taken = 0;
    stream->hole_left = -1;
    wire_message_free(message);
}

static gint64
hole_length(LinkStream *stream, const WireMessage *message)
{
    gsize len;

    if (stream->hole_left < 0)
        stream->hole_left = MAX((gint64)wire_get_u64(wire_message_payload(message, &len)), 0);
    return stream->hole_left;
}

static gsize
take_from_front(LinkStream *stream, WireMessage *message, guchar *bytes, gsize len)
{
    gsize held, n;
    const guchar *payload = wire_message_payload(message, &held);

    if (message->header.type == WIRE_STREAM_HOLE) {
        n = (gsize)MIN((guint64)hole_length(stream, message), len);
        memset(bytes, 0, n);
        stream->hole_left -= n;
        if (stream->hole_left == 0)
            drop_front(stream);
        return n;
    }
    n = MIN(held - stream->taken, len);
    memcpy(bytes, payload + stream->taken, n);
    stream->taken += n;
    if (stream->taken == held)
        drop_front(stream);
    return n;
}

static LinkStreamResult
receive_locked(LinkStream *stream, guchar *bytes, gsize len, bool may_wait, bool stops_at_hole,
               gsize *n, GError **err)
{
    LinkStreamResult result = await_input_locked(stream, may_wait);

    *n = 0;
    if (stream->is_over)
        return failed_locked(stream, err);
    if (result == LINK_STREAM_WOULD_BLOCK)
        return result;
    while (*n < len) {
        WireMessage *message = g_queue_peek_head(&stream->incoming);
        if (!message)
            break;
        if (message->header.type == WIRE_STREAM_HOLE && stops_at_hole)
            return *n > 0 ? LINK_STREAM_DATA : LINK_STREAM_HOLE;
        *n += take_from_front(stream, message, bytes + *n, len - *n);
    }
    if (*n > 0 || len == 0)
        return LINK_STREAM_DATA;
    if (stream->error || result == LINK_STREAM_FAILED || !stream->has_ended)
        return failed_locked(stream, err);
    return LINK_STREAM_DATA;
}

LinkStreamResult
link_stream_receive(LinkStream *stream, void *bytes, gsize len, bool may_wait, bool stops_at_hole,
                    gsize *n, GError **err)
{
    LinkStreamResult result;

    g_mutex_lock(&stream->link->lock);
    result = receive_locked(stream, bytes, len, may_wait, stops_at_hole, n, err);
    link_unlock(stream->link);
    return result;
}

LinkStreamResult
link_stream_receive_hole(LinkStream *stream, gint64 *length, GError **err)
{
    LinkStreamResult result;
    WireMessage *message;

    g_mutex_lock(&stream->link->lock);
    *length = 0;
    if (!stream->allows_holes) {
        g_mutex_unlock(&stream->link->lock);
        fail(err, VIR_ERR_OPERATION_INVALID,
             "the stream was opened without the flag for sparse data");
        return LINK_STREAM_FAILED;
    }
    result = await_input_locked(stream, true);
    message = g_queue_peek_head(&stream->incoming);
    if (message && message->header.type == WIRE_STREAM_HOLE) {
        *length = hole_length(stream, message);
        drop_front(stream);
        result = LINK_STREAM_HOLE;
    } else if (!message && (stream->error || !stream->has_ended)) {
        result = failed_locked(stream, err);
    }
    link_unlock(stream->link);
    return result;
}

/* -- sending ---------------------------------------------------------------------------------------- */

static bool
waiter_has_room(void *waiter)
{
    return wire_queue_is_empty(&((Link *)((LinkCall *)waiter)->subject)->queue);
}

static LinkStreamResult
send_locked(LinkStream *stream, WireMessage *take_message, bool may_wait, GError **err)
{
    g_autoptr(WireMessage) message = take_message;
    Link *link = stream->link;
    LinkCall call = {.is_ready = waiter_has_room, .subject = link};

    /* What came meanwhile: an error of this very stream, perhaps, or a ping. */
    if (!link->is_reading)
        link_read_locked(link, NULL);
    if (link->error || stream->error || !stream->is_open)
        return failed_locked(stream, err);
    if (!may_wait && !link_flush_locked(link))
        return link->error ? failed_locked(stream, err) : LINK_STREAM_WOULD_BLOCK;
    if (!wire_queue_push(&link->queue, g_steal_pointer(&message), err))
        return LINK_STREAM_FAILED;
    if (may_wait)
        link_wait_locked(link, &call);
    else
        link_flush_locked(link);
    g_cond_clear(&call.wake);
    return link->error ? failed_locked(stream, err) : LINK_STREAM_DATA;
}

static WireMessage *
stream_message(LinkStream *stream, WireType type, WireStatus status)
{
    return wire_message_new(stream->program, stream->version, stream->procedure, type,
                            stream->serial, status);
}

LinkStreamResult
link_stream_send(LinkStream *stream, const void *bytes, gsize len, bool may_wait, GError **err)
{
    WireMessage *message;
    LinkStreamResult result;

    g_mutex_lock(&stream->link->lock);
    message = stream_message(stream, WIRE_STREAM, WIRE_CONTINUE);
    g_byte_array_append(message->bytes, bytes, len);
    result = send_locked(stream, message, may_wait, err);
    link_unlock(stream->link);
    return result;
}

LinkStreamResult
link_stream_send_hole(LinkStream *stream, gint64 length, guint32 flags, GError **err)
{
    WireMessage *message;
    LinkStreamResult result;

    g_mutex_lock(&stream->link->lock);
    if (!stream->allows_holes) {
        g_mutex_unlock(&stream->link->lock);
        fail(err, VIR_ERR_OPERATION_INVALID,
             "the stream was opened without the flag for sparse data");
        return LINK_STREAM_FAILED;
    }
    message = stream_message(stream, WIRE_STREAM_HOLE, WIRE_CONTINUE);
    wire_put_u64(message->bytes, (guint64)length);
    wire_put_u32(message->bytes, flags);
    result = send_locked(stream, message, true, err);
    link_unlock(stream->link);
    return result;
}

/* -- the end ------------------------------------------------------------------------------------------ */

static bool
waiter_is_confirmed(void *waiter)
{
    const LinkStream *stream = ((LinkCall *)waiter)->subject;

    return stream->is_confirmed || stream->error;
}

static bool
say_goodbye_locked(LinkStream *stream, WireStatus status, GError **err)
{
    LinkCall call = {.is_ready = waiter_is_confirmed, .subject = stream};

    stream->is_ending = true;
    stream->is_confirmed = false;
    if (!push_end_locked(stream, status, err))
        return false;
    link_wait_locked(stream->link, &call);
    g_cond_clear(&call.wake);
    return true;
}

bool
link_stream_end(LinkStream *stream, WireStatus status, GError **err)
{
    Link *link = stream->link;
    bool is_good;

    g_mutex_lock(&link->lock);
    is_good = !stream->is_over;
    if (stream->is_open && !link->error && !stream->error)
        is_good = say_goodbye_locked(stream, status, err);
    else if (!is_good)
        failed_locked(stream, err);
    if (is_good) {
        link_stream_unbind_locked(stream);
        free_incoming(stream);
        stream->is_over = true;
        /* What was aborted is gone, whatever is said about it. */
        is_good = status == WIRE_ERROR || (!stream->error && !link->error);
        if (!is_good)
            failed_locked(stream, err);
    }
    link_unlock(link);
    return is_good;
}

/* -- callbacks ------------------------------------------------------------------------------------------ */

static int
ready_events_locked(LinkStream *stream)
{
    int events = 0;

    if (!stream->func || stream->is_calling)
        return 0;
    if (stream->error || stream->link->error)
        return stream->is_error_told ? 0 : VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP;
    if (stream->incoming.length > 0 || stream->has_ended)
        events |= VIR_STREAM_EVENT_READABLE;
    if (wire_queue_is_empty(&stream->link->queue) && stream->is_open)
        events |= VIR_STREAM_EVENT_WRITABLE;
    return events & stream->func_events;
}

bool
link_stream_has_news_locked(Link *link)
{
    for (guint i = 0; i < link->streams->len; i++) {
        if (ready_events_locked(link->streams->pdata[i]))
            return true;
    }
    return false;
}

static void
call_locked(LinkStream *stream, int events)
{
    LinkStreamFunc func = stream->func;
    void *func_data = stream->func_data;
    GDestroyNotify func_free = stream->func_free;
    bool is_removed;

    stream->is_calling = true;
    stream->is_error_told |= (events & VIR_STREAM_EVENT_ERROR) != 0;
    g_mutex_unlock(&stream->link->lock);
    func(func_data, events);
    g_mutex_lock(&stream->link->lock);
    stream->is_calling = false;
    is_removed = stream->func != func || stream->func_data != func_data;
    if (is_removed && func_free) {
        g_mutex_unlock(&stream->link->lock);
        func_free(func_data);
        g_mutex_lock(&stream->link->lock);
    }
}

void
link_stream_deliver_locked(Link *link)
{
    g_autoptr(GPtrArray) ready = NULL;

    for (guint i = 0; i < link->streams->len; i++) {
        LinkStream *stream = link->streams->pdata[i];
        if (!ready_events_locked(stream))
            continue;
        if (!ready)
            ready = g_ptr_array_new();
        g_ptr_array_add(ready, link_stream_ref(stream));
    }
    for (guint i = 0; ready && i < ready->len; i++) {
        LinkStream *stream = ready->pdata[i];
        int events = ready_events_locked(stream);
        if (events)
            call_locked(stream, events);
        g_mutex_unlock(&link->lock);
        link_stream_unref(stream);
        g_mutex_lock(&link->lock);
    }
}

void
link_stream_drop_callbacks_locked(Link *link)
{
    for (guint i = 0; i < link->streams->len; i++)
        ((LinkStream *)link->streams->pdata[i])->func_events = 0;
}

bool
link_stream_set_callback(LinkStream *stream, int events, LinkStreamFunc func, void *data,
                         GDestroyNotify free_func, GError **err)
{
    Link *link = stream->link;
    bool is_free;

    g_mutex_lock(&link->lock);
    is_free = !stream->func && !stream->is_calling;
    if (link->watch < 0 || !is_free) {
        g_mutex_unlock(&link->lock);
        if (!is_free)
            return fail(err, VIR_ERR_INTERNAL_ERROR, "the stream has a callback already");
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "a stream callback needs an event loop, which must be registered "
                    "before the connection is opened");
    }
    stream->func = func;
    stream->func_data = data;
    stream->func_free = free_func;
    stream->func_events = events;
    link_unlock(link);
    return true;
}

bool
link_stream_update_callback(LinkStream *stream, int events, GError **err)
{
    bool has_func;

    g_mutex_lock(&stream->link->lock);
    has_func = stream->func != NULL;
    if (has_func)
        stream->func_events = events;
    link_unlock(stream->link);
    return has_func || fail(err, VIR_ERR_INTERNAL_ERROR, "the stream has no callback");
}

bool
link_stream_remove_callback(LinkStream *stream, GError **err)
{
    Leftover leftover;
    bool has_func;

    g_mutex_lock(&stream->link->lock);
    has_func = stream->func != NULL;
    leftover = take_callback_locked(stream);
    link_unlock(stream->link);
    free_leftover(leftover);
    return has_func || fail(err, VIR_ERR_INTERNAL_ERROR, "the stream has no callback");
}
