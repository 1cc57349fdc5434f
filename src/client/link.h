/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection's packets, shared by all its threads.
 *
 * Nobody owns the reading: a thread that waits for a reply polls and reads by itself, and hands packets for others to them.
 * When it is done it passes the reading on ("the buck") to another waiting thread, or back to the event loop. Alone on a
 * connection, a call costs one write, one poll and one read. Events, stream callbacks and the close notice are queued, and
 * delivered from the event loop only. open.c makes links, stub_runtime.c calls through them, stream.c has their streams. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "wire/frame.h"

typedef struct Link Link;
typedef struct LinkStream LinkStream;

/* What the owner (a ClientObject) hears, from the event loop's thread and without the lock. */
typedef struct {
    void (*on_event)(void *owner, WireMessage *take_message);
    void (*on_closed)(void *owner, int reason); /* virConnectCloseReason */
} LinkOwnerClass;

Link *link_new(WireTransport *take_transport, const LinkOwnerClass *cls, void *owner);
Link *link_ref(Link *link);
void link_unref(Link *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Link, link_unref)
/* Register with the event loop, if the process has one. Needed for events, keepalive timers and stream callbacks. */
bool link_watch(Link *link);
bool link_is_watched(Link *link);
/* Forget the owner, fail what waits, close the descriptor. */
void link_close(Link *link);
bool link_is_alive(Link *link);
int link_fd(Link *link);
/* Forget the owner under the lock and return it; used when the owner goes. */
void link_set_owner(Link *link, void *owner);
/* Put another transport (TLS, SASL) around the descriptor; only while no other thread uses the link. */
WireTransport **link_transport(Link *link);

/* One call under way. Zero it, set nothing. */
typedef struct {
    guint32 program;
    gint32 procedure;
    guint32 serial;
    WireMessage *reply;
    GError *error;
    GCond wake;
    GList node;
    bool (*is_ready)(void *waiter);
    void *subject;
} LinkCall;

/* Queue the request and write what can be written; serial and program are filled in. Does not wait. @stream, if given, is
 * opened by this call and gets its packets from now on. */
bool link_send(Link *link, LinkCall *call, WireMessage *take_request, LinkStream *stream,
               GError **err);
/* Wait for the reply; call->reply may be an error packet, which is the caller's to look at. */
bool link_wait(Link *link, LinkCall *call, GError **err);
/* Send something that is not answered, waiting until it is written. */
bool link_post(Link *link, WireMessage *take_message, GError **err);
/* Queue without waiting for the last byte; used when the connection is about to be closed. */
void link_post_last(Link *link, WireMessage *take_message);

/* Events that the owner could not use yet, to be delivered again before later ones. Empties @events. */
void link_give_back_events(Link *link, GQueue *take_events);

/* Keepalive: ping after @interval seconds of silence, give up after @count unanswered. interval <= 0: off. */
bool link_set_keepalive(Link *link, int interval, unsigned int count, GError **err);

/* Streams; see stream.c for the public side. */
LinkStream *link_stream_new(Link *link);
LinkStream *link_stream_ref(LinkStream *stream);
void link_stream_unref(LinkStream *stream);
void link_stream_allow_holes(LinkStream *stream);
bool link_stream_is_open(LinkStream *stream);
/* The call that should have opened it failed. */
void link_stream_unbind(LinkStream *stream);

typedef enum {
    LINK_STREAM_DATA, /* *n bytes were stored; 0: the end */
    LINK_STREAM_HOLE, /* a hole comes next: link_stream_receive_hole */
    LINK_STREAM_WOULD_BLOCK,
    LINK_STREAM_FAILED,
} LinkStreamResult;

/* Holes read as zeros, unless @stops_at_hole. */
LinkStreamResult link_stream_receive(LinkStream *stream, void *bytes, gsize len, bool may_wait,
                                     bool stops_at_hole, gsize *n, GError **err);
/* The length of the hole at the front, which is taken; 0 when data is there. Waits for either. */
LinkStreamResult link_stream_receive_hole(LinkStream *stream, gint64 *length, GError **err);
/* At most WIRE_STREAM_DATA_MAX bytes. */
LinkStreamResult link_stream_send(LinkStream *stream, const void *bytes, gsize len, bool may_wait,
                                  GError **err);
LinkStreamResult link_stream_send_hole(LinkStream *stream, gint64 length, guint32 flags,
                                       GError **err);
/* Say goodbye and wait for the peer's: @status WIRE_OK finishes, WIRE_ERROR aborts. */
bool link_stream_end(LinkStream *stream, WireStatus status, GError **err);

/* One callback for each stream, called from the event loop. @events are VIR_STREAM_EVENT_*. */
typedef void (*LinkStreamFunc)(void *data, int events);
bool link_stream_set_callback(LinkStream *stream, int events, LinkStreamFunc func, void *data,
                              GDestroyNotify free_func, GError **err);
bool link_stream_update_callback(LinkStream *stream, int events, GError **err);
bool link_stream_remove_callback(LinkStream *stream, GError **err);
