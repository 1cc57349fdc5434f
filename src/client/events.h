/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who listens to what on a connection. events.c keeps the list and talks to the daemon, event_call.c turns a decoded message
 * into the arguments of the program's callback. */
#pragma once

#include "client/conn.h"
#include "gen/api-events.h"

/* Any of the callback types; cast back before it is called. */
typedef void (*EventFunc)(void);

/* One callback that a program registered. Counted: it may be removed while it runs. */
typedef struct {
    gint refs;
    int id; /* the program's number for it */
    const ApiEvent *event;
    void *object; /* a reference: only events of this domain, network ...; NULL: of all */
    bool
        is_classic; /* virConnectDomainEventRegister: the callback has its own type and no number */
    EventFunc func;
    void *opaque;
    virFreeCallback free_func;
    char *monitor_event; /* QEMU monitor events: name or pattern that the daemon filters by */
    guint monitor_flags;
} Subscriber;

/* Call @subscriber with what @message (a decoded structure of event->proc->args) says. */
void client_event_call(ClientConn *conn, const Subscriber *subscriber, const void *message);

/* Register and deregister; the program's number, or -1 with the error raised. Used by the public functions of all classes. */
int client_subscribe(ClientConn *conn, ApiEventClass cls, int event_id, void *object,
                     EventFunc func, void *opaque, virFreeCallback free_func, const char *function);
int client_unsubscribe(ClientConn *conn, ApiEventClass cls, int callback_id, const char *function);
/* QEMU monitor events. */
int client_subscribe_monitor(ClientConn *conn, virDomainPtr domain, const char *event,
                             EventFunc func, void *opaque, virFreeCallback free_func,
                             unsigned int flags, const char *function);
