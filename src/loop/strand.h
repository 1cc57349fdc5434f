/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A strand is a queue for one object, such as a guest: its functions run on pool threads, one at a time and in order.
 * That is why code which changes an object takes no locks.
 *
 * At most STRAND_CALLS_MAX calls of users wait; the next one fails at once and says for whom it would have waited.
 * Events and other work of our own are never refused. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "loop/pool.h"

#define STRAND_CALLS_MAX 8

typedef struct Strand Strand;

/* @name appears in errors: "domain web1". The pool must outlive the strand. */
Strand *strand_new(Pool *pool, const char *name);
Strand *strand_ref(Strand *strand);
void strand_unref(Strand *strand);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Strand, strand_unref)

/* Queue a user's call. False with VIR_ERR_OPERATION_TIMEOUT when the queue is full; @func is then never called. */
bool strand_post(Strand *strand, void (*func)(void *data), void *data, GError **err);
/* Queue work of our own. */
void strand_post_internal(Strand *strand, void (*func)(void *data), void *data);

/* Join the strand in the middle of work on another thread, in turn with what is queued; counts as a waiting call.
 * timeout_ms < 0 waits for ever. A thread that is on the strand already enters at once. */
bool strand_enter(Strand *strand, int timeout_ms, GError **err);
void strand_leave(Strand *strand);
/* True when the calling thread runs on the strand. */
bool strand_is_current(Strand *strand);

/* What the strand's object is busy with, for errors and logs: "saving". NULL: nothing worth a name. It stays until it
 * is changed, also between the functions of a long job. */
void strand_set_activity(Strand *strand, const char *activity);
/* After a rename of the object. */
void strand_set_name(Strand *strand, const char *name);
/* How many user calls wait. */
guint strand_n_waiting(Strand *strand);
