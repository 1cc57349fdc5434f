/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See link.h. Everything is under one lock, which is given up in three places: while polling, while calling the event
 * loop's functions (which may belong to a language with a lock of its own), and while the owner hears something. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "client/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "client/event_loop.h"
#include "client/link_private.h"
#include "client/object.h"

#define STREAM_BACKLOG_MAX (4 * 1024 * 1024)

Link *
link_new(WireTransport *take_transport, const LinkOwnerClass *cls, void *owner)
{
    Link *link = g_new0(Link, 1);

    g_mutex_init(&link->lock);
    link->refs = 1;
    link->transport = take_transport;
    link->reader = wire_reader_new();
    wire_queue_init(&link->queue);
    link->cls = cls;
    link->owner = owner;
    link->watch = link->timer = -1;
    link->streams = g_ptr_array_new();
    link->last_heard_us = g_get_monotonic_time();
    return link;
}

Link *
link_ref(Link *link)
{
    g_atomic_int_inc(&link->refs);
    return link;
}

void
link_unref(Link *link)
{
    if (!link || !g_atomic_int_dec_and_test(&link->refs))
        return;
    wire_queue_clear(&link->queue);
    g_queue_clear_full(&link->events, (GDestroyNotify)wire_message_free);
    wire_reader_free(link->reader);
    wire_transport_free(link->transport);
    g_clear_error(&link->error);
    g_ptr_array_unref(link->streams);
    g_mutex_clear(&link->lock);
    g_free(link);
}

WireTransport **
link_transport(Link *link)
{
    return &link->transport;
}

int
link_fd(Link *link)
{
    return link->transport ? link->transport->fd : -1;
}

bool
link_is_alive(Link *link)
{
    bool is_alive;

    g_mutex_lock(&link->lock);
    is_alive = !link->error;
    g_mutex_unlock(&link->lock);
    return is_alive;
}

void
link_set_owner(Link *link, void *owner)
{
    g_mutex_lock(&link->lock);
    link->owner = owner;
    g_mutex_unlock(&link->lock);
}

/* -- what is ready for whom ------------------------------------------------------------------------ */

static void
wake_all_locked(Link *link)
{
    for (GList *node = link->waiters.head; node; node = node->next)
        g_cond_signal(&((LinkCall *)node->data)->wake);
}

/* Those who wait for something else than a reply: room, or a stream. */
void
link_wake_subject_locked(Link *link, const void *subject)
{
    for (GList *node = link->waiters.head; node; node = node->next) {
        LinkCall *call = node->data;
        if (call->subject == subject)
            g_cond_signal(&call->wake);
    }
}

/* The connection is of no more use. Everybody waiting hears why. */
void
link_fail_locked(Link *link, GError *take_error, int reason)
{
    if (link->error) {
        g_error_free(take_error);
        return;
    }
    log_info(LOG_CLIENT, "connection lost: %s", take_error->message);
    link->error = take_error;
    link->close_reason = reason;
    link->has_close_notice = true;
    wire_queue_clear(&link->queue);
    wake_all_locked(link);
}

static bool
keep_reply(Link *link, WireMessage *message)
{
    for (GList *node = link->waiters.head; node; node = node->next) {
        LinkCall *call = node->data;
        if (call->subject || call->reply || call->serial != message->header.serial ||
            call->program != message->header.program)
            continue;
        call->reply = message;
        if (call != link->served) /* waking oneself is a system call for nothing */
            g_cond_signal(&call->wake);
        return true;
    }
    for (GList *node = link->sent.head; node; node = node->next) {
        LinkCall *call = node->data;
        if (call->serial != message->header.serial || call->program != message->header.program)
            continue;
        call->reply = message;
        return true;
    }
    return false;
}

static void
answer_ping(Link *link)
{
    g_autoptr(GError) err = NULL;

    if (!wire_queue_push(&link->queue, wire_message_new_keepalive(WIRE_KEEPALIVE_PONG), &err))
        log_warning(LOG_CLIENT, "keepalive not answered: %s", err->message);
}

static void
dispatch_locked(Link *link, WireMessage *take_message)
{
    g_autoptr(WireMessage) message = take_message;
    const WireHeader *header = &message->header;

    link->last_heard_us = g_get_monotonic_time();
    link->pings_unanswered = 0;
    switch (header->type) {
    case WIRE_REPLY:
    case WIRE_REPLY_WITH_FDS:
        if (keep_reply(link, message))
            message = NULL;
        break;
    case WIRE_MESSAGE:
        if (header->program == WIRE_KEEPALIVE_PROGRAM) {
            if (header->procedure == WIRE_KEEPALIVE_PING)
                answer_ping(link);
            break;
        }
        g_queue_push_tail(&link->events, g_steal_pointer(&message));
        break;
    case WIRE_STREAM:
    case WIRE_STREAM_HOLE:
        link_stream_take_locked(link, g_steal_pointer(&message));
        break;
    default:
        log_warning(LOG_CLIENT, "a packet of type %u was dropped", header->type);
    }
}

/* Read until @call is served (NULL: until nothing is left), then what is buffered anyway. */
void
link_read_locked(Link *link, LinkCall *call)
{
    link->served = call;
    while (!link->error) {
        GError *err = NULL;
        WireMessage *message = NULL;

        if (call && call->is_ready(call) && !wire_reader_has_message(link->reader))
            return;
        switch (wire_reader_next(link->reader, link->transport, &message, &err)) {
        case WIRE_READ_MESSAGE:
            dispatch_locked(link, message);
            break;
        case WIRE_READ_AGAIN:
            return;
        case WIRE_READ_EOF:
            fail(&err, VIR_ERR_INTERNAL_ERROR, "the daemon closed the connection (end of file)");
            link_fail_locked(link, err, VIR_CONNECT_CLOSE_REASON_EOF);
            return;
        case WIRE_READ_FAILED:
            link_fail_locked(link, err, VIR_CONNECT_CLOSE_REASON_ERROR);
            return;
        }
    }
}

bool
link_flush_locked(Link *link)
{
    GError *err = NULL;

    if (link->error)
        return false;
    if (wire_queue_is_empty(&link->queue))
        return true;
    switch (wire_queue_flush(&link->queue, link->transport, &err)) {
    case WIRE_WRITE_DONE:
        link_wake_subject_locked(link, link);
        return true;
    case WIRE_WRITE_AGAIN:
        return false;
    case WIRE_WRITE_FAILED:
        /* A peer that went away may have said why before: read that first. */
        link_read_locked(link, NULL);
        link_fail_locked(link, err, VIR_CONNECT_CLOSE_REASON_ERROR);
        return false;
    }
    return false;
}

/* -- keepalive -------------------------------------------------------------------------------------- */

/* Milliseconds until the next ping or the end of patience; -1: no keepalive. */
static int
keepalive_wait_ms(Link *link)
{
    gint64 due, now;

    if (link->keepalive_interval_s <= 0 || link->error)
        return -1;
    now = g_get_monotonic_time();
    due =
        MAX(link->last_heard_us, link->last_ping_us) + link->keepalive_interval_s * G_USEC_PER_SEC;
    return due <= now ? 0 : (int)MIN((due - now) / 1000 + 1, G_MAXINT);
}

static void
keepalive_act_locked(Link *link)
{
    g_autoptr(GError) err = NULL;

    if (keepalive_wait_ms(link) != 0)
        return;
    if (link->pings_unanswered >= link->keepalive_count) {
        fail(&err, VIR_ERR_INTERNAL_ERROR,
             "the daemon did not answer %u keepalive packets in %d seconds", link->pings_unanswered,
             link->keepalive_interval_s * (int)(link->keepalive_count + 1));
        link_fail_locked(link, g_steal_pointer(&err), VIR_CONNECT_CLOSE_REASON_KEEPALIVE);
        return;
    }
    link->pings_unanswered++;
    link->last_ping_us = g_get_monotonic_time();
    if (wire_queue_push(&link->queue, wire_message_new_keepalive(WIRE_KEEPALIVE_PING), &err))
        link_flush_locked(link);
}

/* -- the event loop ---------------------------------------------------------------------------------- */

/* Something waits for the owner or for a stream's callback. */
static bool
has_news_locked(Link *link)
{
    return link->events.length > 0 || link->has_close_notice || link_stream_has_news_locked(link);
}

static void
plan_watch_locked(Link *link, int *events, int *timeout)
{
    bool is_full = link->stream_backlog > STREAM_BACKLOG_MAX;

    *events = 0;
    if (link->error) {
        *timeout = has_news_locked(link) ? 0 : -1;
        return;
    }
    if (!link->is_reading_away && !is_full)
        *events |= VIR_EVENT_HANDLE_READABLE;
    if (!wire_queue_is_empty(&link->queue) && !link->is_writing)
        *events |= VIR_EVENT_HANDLE_WRITABLE;
    *timeout = has_news_locked(link) ? 0 : keepalive_wait_ms(link);
    if (*timeout > 0)
        *timeout = MAX(link->keepalive_interval_s * 1000,
                       1); /* a steady value: set once, looked at when it fires */
}

/* Unlock, and tell the event loop what changed. One thread at a time does it; a later change is picked up by it. */
void
link_unlock(Link *link)
{
    while (link->watch >= 0 && !link->is_syncing) {
        int events, timeout, watch = link->watch, timer = link->timer;
        bool has_new_events, has_new_timeout;

        plan_watch_locked(link, &events, &timeout);
        has_new_events = events != link->watched_events;
        has_new_timeout = timeout != link->watched_timeout;
        if (!has_new_events && !has_new_timeout)
            break;
        link->watched_events = events;
        link->watched_timeout = timeout;
        link->is_syncing = true;
        g_mutex_unlock(&link->lock);
        if (has_new_events)
            virEventUpdateHandle(watch, events);
        if (has_new_timeout)
            virEventUpdateTimeout(timer, timeout);
        g_mutex_lock(&link->lock);
        link->is_syncing = false;
    }
    g_mutex_unlock(&link->lock);
}

void
link_give_back_events(Link *link, GQueue *take_events)
{
    WireMessage *message;

    if (take_events->length == 0)
        return;
    g_mutex_lock(&link->lock);
    while ((message = g_queue_pop_tail(take_events)))
        g_queue_push_head(&link->events, message);
    link_unlock(link);
}

/* Hand out events, stream callbacks and the close notice, in the event loop's thread. */
static void
deliver(Link *link)
{
    g_mutex_lock(&link->lock);
    while (link->owner && link->events.length > 0 && client_object_ref_alive(link->owner)) {
        WireMessage *message = g_queue_pop_head(&link->events);
        void *owner = link->owner;
        g_mutex_unlock(&link->lock);
        link->cls->on_event(owner, message);
        client_object_unref(owner);
        g_mutex_lock(&link->lock);
    }
    link_stream_deliver_locked(link);
    if (link->has_close_notice && link->owner && client_object_ref_alive(link->owner)) {
        void *owner = link->owner;
        link->has_close_notice = false;
        g_mutex_unlock(&link->lock);
        link->cls->on_closed(owner, link->close_reason);
        client_object_unref(owner);
        g_mutex_lock(&link->lock);
    }
    link_unlock(link);
}

static void
on_handle(int watch, int fd, int events, void *opaque)
{
    g_autoptr(Link) link = link_ref(opaque);

    g_mutex_lock(&link->lock);
    if (link->is_closed) {
        g_mutex_unlock(&link->lock);
        return;
    }
    if (events & VIR_EVENT_HANDLE_WRITABLE)
        link_flush_locked(link);
    if (link->is_reading)
        link->is_reading_away = true; /* a caller has it; look elsewhere until that is done */
    else if (events & ~VIR_EVENT_HANDLE_WRITABLE)
        link_read_locked(link, NULL);
    link_flush_locked(link);
    g_mutex_unlock(&link->lock);
    deliver(link);
}

static void
on_timer(int timer, void *opaque)
{
    g_autoptr(Link) link = link_ref(opaque);

    g_mutex_lock(&link->lock);
    link->watched_timeout = G_MININT; /* it has fired: set it anew whatever comes */
    if (!link->is_closed)
        keepalive_act_locked(link);
    g_mutex_unlock(&link->lock);
    deliver(link);
}

static void
drop_link(void *opaque)
{
    link_unref(opaque);
}

bool
link_watch(Link *link)
{
    int watch, timer;

    if (!event_impl_is_registered())
        return false;
    timer = virEventAddTimeout(-1, on_timer, link_ref(link), drop_link);
    if (timer < 0) {
        link_unref(link);
        return false;
    }
    watch = virEventAddHandle(link_fd(link), VIR_EVENT_HANDLE_READABLE, on_handle, link_ref(link),
                              drop_link);
    if (watch < 0) {
        virEventRemoveTimeout(timer);
        link_unref(link);
        return false;
    }
    g_mutex_lock(&link->lock);
    link->watched_events = VIR_EVENT_HANDLE_READABLE;
    link->watched_timeout = -1;
    link->timer = timer;
    link->watch = watch;
    link_unlock(link);
    return true;
}

bool
link_is_watched(Link *link)
{
    bool is_watched;

    g_mutex_lock(&link->lock);
    is_watched = link->watch >= 0;
    g_mutex_unlock(&link->lock);
    return is_watched;
}

void
link_close(Link *link)
{
    int watch, timer;
    GError *err = NULL;

    g_mutex_lock(&link->lock);
    link->owner = NULL;
    link->is_closed = true;
    watch = link->watch;
    timer = link->timer;
    link->watch = link->timer = -1;
    fail(&err, VIR_ERR_INTERNAL_ERROR, "the connection was closed");
    link_fail_locked(link, err, VIR_CONNECT_CLOSE_REASON_CLIENT);
    link->has_close_notice = false;
    link_stream_drop_callbacks_locked(link);
    g_clear_pointer(&link->transport, wire_transport_free);
    g_mutex_unlock(&link->lock);
    if (watch >= 0)
        virEventRemoveHandle(watch);
    if (timer >= 0)
        virEventRemoveTimeout(timer);
}

bool
link_set_keepalive(Link *link, int interval, unsigned int count, GError **err)
{
    g_mutex_lock(&link->lock);
    if (link->error) {
        g_propagate_error(err, g_error_copy(link->error));
        g_mutex_unlock(&link->lock);
        return false;
    }
    link->keepalive_interval_s = MAX(interval, 0);
    link->keepalive_count = count;
    link->last_ping_us = g_get_monotonic_time();
    link_unlock(link);
    return true;
}

/* -- waiting ------------------------------------------------------------------------------------------ */

static void
poll_unlocked(Link *link, short events)
{
    struct pollfd entry = {.fd = link->transport->fd, .events = events};
    int timeout = events & POLLIN ? keepalive_wait_ms(link) : -1;

    g_mutex_unlock(&link->lock);
    while (poll(&entry, 1, timeout) < 0 && errno == EINTR)
        continue;
    g_mutex_lock(&link->lock);
}

/* As the reader: wait for bytes (and for room, if something is unsent), then handle them. */
static void
take_turn_reading(Link *link, LinkCall *call)
{
    bool writes = !wire_queue_is_empty(&link->queue) && !link->is_writing;

    link->is_reading = true;
    link->is_writing |= writes;
    poll_unlocked(link, POLLIN | (writes ? POLLOUT : 0));
    link->is_reading = false;
    link->is_writing &= !writes;
    if (link->error)
        return;
    if (writes)
        link_flush_locked(link);
    link_read_locked(link, call);
    keepalive_act_locked(link);
    link_flush_locked(link);
}

static void
take_turn_writing(Link *link)
{
    link->is_writing = true;
    poll_unlocked(link, POLLOUT);
    link->is_writing = false;
    if (!link->error)
        link_flush_locked(link);
}

/* Wait until call->is_ready or the connection failed. With the lock. */
void
link_wait_locked(Link *link, LinkCall *call)
{
    call->node.data = call;
    g_queue_push_tail_link(&link->waiters, &call->node);
    link_flush_locked(link);
    while (!call->is_ready(call) && !link->error) {
        if (!link->is_reading)
            take_turn_reading(link, call);
        else if (!wire_queue_is_empty(&link->queue) && !link->is_writing)
            take_turn_writing(link);
        else
            g_cond_wait(&call->wake, &link->lock);
    }
    g_queue_unlink(&link->waiters, &call->node);
    if (link->is_reading)
        return;
    if (!link->waiters.head)
        link->is_reading_away = false;
    else if (link->is_writing)
        wake_all_locked(link); /* the first may be the one that polls for room, and cannot hear */
    else
        g_cond_signal(&((LinkCall *)link->waiters.head->data)->wake);
}

static bool
has_reply(void *waiter)
{
    return ((LinkCall *)waiter)->reply != NULL;
}

bool
link_send(Link *link, LinkCall *call, WireMessage *take_request, LinkStream *stream, GError **err)
{
    g_autoptr(WireMessage) request = take_request;
    bool is_queued;

    g_mutex_lock(&link->lock);
    if (link->error) {
        g_propagate_error(err, g_error_copy(link->error));
        g_mutex_unlock(&link->lock);
        return false;
    }
    call->is_ready = has_reply;
    call->program = request->header.program;
    call->procedure = request->header.procedure;
    call->serial = request->header.serial = link->next_serial++;
    call->node.data = call;
    if (stream)
        link_stream_bind_locked(stream, &request->header);
    is_queued = wire_queue_push(&link->queue, g_steal_pointer(&request), err);
    if (is_queued)
        g_queue_push_tail_link(&link->sent, &call->node);
    else if (stream)
        link_stream_unbind_locked(stream);
    g_mutex_unlock(&link->lock);
    return is_queued;
}

bool
link_wait(Link *link, LinkCall *call, GError **err)
{
    bool is_served;

    g_mutex_lock(&link->lock);
    g_queue_unlink(&link->sent, &call->node);
    link_wait_locked(link, call);
    is_served = call->reply != NULL;
    if (!is_served)
        g_propagate_error(err, g_error_copy(link->error));
    link_unlock(link);
    g_cond_clear(&call->wake);
    return is_served;
}

static bool
is_all_sent(void *waiter)
{
    return wire_queue_is_empty(&((Link *)((LinkCall *)waiter)->subject)->queue);
}

bool
link_post(Link *link, WireMessage *take_message, GError **err)
{
    LinkCall call = {.is_ready = is_all_sent, .subject = link};
    bool is_sent = false;

    g_mutex_lock(&link->lock);
    if (!link->error && wire_queue_push(&link->queue, take_message, err)) {
        link_wait_locked(link, &call);
        is_sent = !link->error;
    }
    if (link->error)
        g_propagate_error(err, g_error_copy(link->error));
    link_unlock(link);
    g_cond_clear(&call.wake);
    return is_sent;
}

void
link_post_last(Link *link, WireMessage *take_message)
{
    g_mutex_lock(&link->lock);
    take_message->header.serial = link->next_serial++;
    if (link->error)
        wire_message_free(take_message);
    else if (wire_queue_push(&link->queue, take_message, NULL))
        link_flush_locked(link);
    g_mutex_unlock(&link->lock);
}
