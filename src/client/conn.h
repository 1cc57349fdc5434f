/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is behind a virConnectPtr, and behind a virAdmConnectPtr: one structure. open.c makes it, stub_runtime.c calls
 * through it, events.c has its subscriptions. */
#pragma once

#include <sys/types.h>

#include "client/link.h"
#include "client/object.h"
#include "client/stub_runtime.h"

typedef struct Subscriptions Subscriptions;

struct ClientConn {
    ClientObject object; /* first: KIND_CONNECT or KIND_ADM_CONNECT */
    Link *link;
    bool is_read_only;
    bool is_private;     /* nobody else can listen on the way to the daemon */
    pid_t carrier;       /* the program that reaches the daemon (ssh, ext); 0: none */
    bool strings_okay;   /* feature 9: strings among typed parameters */
    bool filters_events; /* feature 14: the daemon filters, with callback ids */
    bool notifies_close; /* feature 15 */
    char *uri;           /* of the driver, without transport */
    GMutex lock;         /* of all below */
    char *type;          /* as the driver is called; asked once */
    virError error;      /* the connection's last error */
    virErrorFunc error_func;
    void *error_data;
    Subscriptions *subscriptions;
    virConnectCloseFunc close_func;
    void *close_data;
    virFreeCallback close_free;
};

/* Not opened yet: no link. */
ClientConn *client_conn_new(ClientKind kind);
/* The last reference is gone: says goodbye to the daemon and frees. Called by object.c. */
void client_conn_end(ClientConn *conn);
void client_conn_free(ClientConn *conn);

/* For report.c: the connection's own last error and handler. */
void client_conn_get_error_func(virConnectPtr conn, virErrorFunc *func, void **data);
void client_conn_set_error_func(virConnectPtr conn, virErrorFunc func, void *data);
void client_conn_set_error(virConnectPtr conn, const virError *error);
virErrorPtr client_conn_peek_error(virConnectPtr conn);

static inline virConnectPtr
client_conn_public(ClientConn *conn)
{
    return (virConnectPtr)conn;
}

static inline ClientConn *
client_conn_of(virConnectPtr conn)
{
    return (ClientConn *)conn;
}

/* A new public stream (stream.c). */
struct _virStream {
    ClientObject object;
    unsigned int flags;
    GMutex lock;      /* of @link */
    LinkStream *link; /* NULL until a call opened it */
};
/* Make @link, just opened by a call, the stream's own; a stream is opened once. */
bool client_stream_attach(virStreamPtr stream, LinkStream *link, GError **err);
void client_stream_detach(virStreamPtr stream);
void client_stream_free(virStreamPtr stream);

/* events.c */
Subscriptions *client_subscriptions_new(void);
void client_subscriptions_free(Subscriptions *subscriptions);
void client_on_event(void *owner, WireMessage *take_message);
void client_on_closed(void *owner, int reason);
