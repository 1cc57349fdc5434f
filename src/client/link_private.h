/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What link.c and link_stream.c share: the structures behind link.h, and the steps that need the link's lock held. */
#pragma once

#include "client/link.h"

struct Link {
    gint refs;
    GMutex lock; /* of all below */
    WireTransport *transport;
    WireReader *reader;
    WireQueue queue;
    const LinkOwnerClass *cls;
    void *owner;
    guint32 next_serial;
    GQueue waiters;       /* of LinkCall: threads that wait now */
    GQueue sent;          /* of LinkCall: sent ahead, nobody waits for them yet */
    GQueue events;        /* of WireMessage, for the owner */
    GPtrArray *streams;   /* of LinkStream, open ones */
    gsize stream_backlog; /* bytes that streams hold unread */
    GError *error;        /* why the connection is of no more use */
    bool is_closed;
    bool is_reading, is_writing; /* a thread polls for that */
    LinkCall *served; /* whose thread reads now; only compared with, set anew by every reader */
    bool has_close_notice;
    int close_reason;
    /* the event loop: watch is -1 when there is none */
    int watch, timer;
    int watched_events, watched_timeout;
    bool is_syncing;
    bool is_reading_away; /* the loop met a reader: it looks away until the reading is free */
    /* keepalive */
    int keepalive_interval_s;
    unsigned int keepalive_count, pings_unanswered;
    gint64 last_heard_us, last_ping_us;
};

struct LinkStream {
    gint refs;
    Link *link; /* a reference */
    guint32 program, version;
    gint32 procedure;
    guint32 serial;
    bool is_open;      /* packets go both ways */
    bool has_ended;    /* the peer said that no more data comes */
    bool is_ending;    /* we said goodbye */
    bool is_confirmed; /* and the peer did too */
    bool is_over;      /* finished or aborted here */
    bool allows_holes;
    GError *error;    /* what the peer said instead of more data */
    GQueue incoming;  /* of WireMessage */
    gsize taken;      /* bytes of the first one that were handed out */
    gint64 hole_left; /* of the first one, when it is a hole; -1: not looked at */
    /* callback */
    LinkStreamFunc func;
    void *func_data;
    GDestroyNotify func_free;
    int func_events;
    bool is_calling; /* func runs: whoever removes it leaves freeing to the caller */
    bool is_error_told;
};

void link_unlock(Link *link);
void link_fail_locked(Link *link, GError *take_error, int reason);
bool link_flush_locked(Link *link);
void link_wait_locked(Link *link, LinkCall *call);
void link_read_locked(Link *link, LinkCall *call);
void link_wake_subject_locked(Link *link, const void *subject);

void link_stream_bind_locked(LinkStream *stream, const WireHeader *header);
void link_stream_unbind_locked(LinkStream *stream);
void link_stream_take_locked(Link *link, WireMessage *take_message);
bool link_stream_has_news_locked(Link *link);
void link_stream_deliver_locked(Link *link);
void link_stream_drop_callbacks_locked(Link *link);
