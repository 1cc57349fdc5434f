/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a packet to a driver's function and back.
 *
 * The order of checks: known procedure, login, open connection, right to write; only then are arguments decoded, within
 * bounds; then the rights that depend on them; then the call runs where the schema says. */
#pragma once

#include "server/client.h"
#include "server/stream.h"

typedef struct ServerCall ServerCall;

struct ServerCall {
    Call call; /* first: what drivers see */
    gatomicrefcount refs;
    Client *client;
    WireHeader header;
    Stream *stream; /* that the call opened */
    Strand *strand;
};

typedef enum {
    DISPATCH_DONE, /* the packet was taken, and is gone */
    DISPATCH_LATER /* it must wait until a call under way has ended; the caller keeps it */
} Dispatch;

/* Take one packet of @client. @was_parked: it is the first of those that had to wait. Loop's thread. */
Dispatch dispatch_message(Client *client, WireMessage *message, bool was_parked);

/* Procedures that the server answers itself, and answers for drivers that have no slot. On the loop's thread. */
typedef bool (*ServerHandler)(ServerCall *call, const void *args, void *ret, GError **err);
extern const ServerHandler remote_handlers[API_N_PROCS]; /* remote.c: remote, qemu, lxc */
extern const ServerHandler admin_handlers[API_N_PROCS];  /* admin.c */

/* The number of a procedure within a handler table. */
gsize dispatch_index(const ApiProc *proc);
/* Answer a call with an error. */
WireMessage *dispatch_error_reply(const WireHeader *header, WireType type, const GError *error);
