/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One client's connection: reading, sending from any thread, keepalive, the bounds on what it may have under way.
 *
 * Reading and deciding happen on the loop's thread. A reply is written by whichever thread made it: under the lock it joins
 * the queue and as much as the socket takes leaves at once; the loop is only asked for the rest. What a client's packets
 * mean is in dispatch.h; its streams are in stream.h, its event subscriptions in subscribe.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "object/call.h"
#include "server/daemon.h"
#include "wire/frame.h"

struct Client {
    gatomicrefcount refs;
    Server *server;
    guint64 id;
    gint64 connected_at_s; /* wall clock */
    bool is_read_only;
    CallIdentity identity;

    /* The loop's thread only. */
    WireReader *reader;
    LoopWatch *watch;
    DriverConn *conn; /* NULL: not open */
    bool is_open;     /* connect_open succeeded (admin connections have no conn) */
    bool is_closing;  /* connect_close was called: nothing else is taken */
    bool runs_alone;  /* a call is parked that all later ones wait for */
    bool is_paused;   /* not reading */
    GQueue parked;    /* of WireMessage: calls that wait for their turn */
    gsize parked_bytes;
    LoopTimer *keepalive_timer, *grace_timer;
    gint64 last_read_us;
    guint n_unanswered;       /* pings */
    GPtrArray *subscriptions; /* see subscribe.h; NULL: none */
    guint last_callback_id;

    GMutex lock; /* of what follows */
    WireTransport *transport;
    WireQueue queue;
    bool is_gone;           /* nothing is sent any more */
    bool waits_for_out;     /* EPOLLOUT is asked for */
    bool wants_resume;      /* the loop wants to know when a call ends */
    bool ends_when_sent;    /* close when the queue is empty */
    bool wants_close_event; /* connect_register_close_callback */
    guint n_running;        /* calls that are not answered yet */
    GPtrArray *streams;     /* see stream.h; NULL: none */
    gsize stream_bytes;     /* that came over streams and wait */
};

/* Takes @take_fd. The client starts to read at once. */
Client *client_new(Server *server, int take_fd, bool is_read_only, GError **err);
Client *client_ref(Client *client);
void client_unref(Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Client, client_unref)

/* Send a packet, or drop it when the client is gone. Any thread; takes @take_message. False when it was dropped. */
bool client_send(Client *client, WireMessage *take_message);
/* Send the answer of a call that client_begin_call counted. Any thread. */
void client_end_call(Client *client, WireMessage *take_message);
/* Count a call that is going to be answered with client_end_call. */
void client_begin_call(Client *client);

/* Are @limit calls under way? If so, client_resume is called when one ends. Loop's thread. */
bool client_await_calls(Client *client, guint limit);

/* End the connection; calls under way finish unheard, then close hooks run. Loop's thread. */
void client_close(Client *client);
/* The same from any thread, a moment later. */
void client_close_soon(Client *client);
/* Read what the socket has, and go on with what was parked. Loop's thread. */
void client_resume(Client *client);
/* The same a moment later, from any thread. */
void client_resume_soon(Client *client);

/* connect_open succeeded. Takes @take_conn (NULL for admin connections). */
void client_set_open(Client *client, DriverConn *take_conn);
/* Feature 10: the client answers pings, so send them. */
void client_start_keepalive(Client *client);
/* connect_close: when all calls have ended, run close hooks, then send @take_reply, then hang up. */
void client_close_orderly(Client *client, WireMessage *take_reply);
