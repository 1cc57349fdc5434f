/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU monitor: commands out, replies and events in, over one socket.
 *
 * The loop thread reads and parses; a worker that called waits for its reply with a deadline. Many commands go out in one
 * write (QmpBatch), to one monitor or to many at once: start all batches, then wait for each with the same deadline. What
 * comes in is bounded (10 MiB a message, 64 levels), because it is written by a process that the guest may have taken over. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

typedef struct Loop Loop;
typedef struct Pool Pool;
typedef struct Strand Strand;

typedef struct Qmp Qmp;
typedef struct QmpBatch QmpBatch;

/* Deadline of an ordinary command. */
#define QMP_TIMEOUT_MS 10000

typedef struct {
    const char *name; /* of the guest, for errors and logs; copied */
    Loop *loop;
    Pool *pool;     /* told while a worker waits; NULL when the callers are no pool threads */
    Strand *strand; /* where the callbacks run; referenced. NULL: on the loop's thread */
    /* One event; @data may be NULL. Both are borrowed. */
    void (*on_event)(Qmp *qmp, const char *event, const Json *data, gint64 wall_us,
                     gpointer opaque);
    /* The other side closed, or sent nonsense. Called once; not after qmp_close. */
    void (*on_closed)(Qmp *qmp, const char *reason, gpointer opaque);
    gpointer opaque;
    GDestroyNotify free_opaque; /* called by qmp_close, or by the last unref */
} QmpConfig;

/* Talk over @take_fd, a connected stream socket. Nothing is sent yet. */
Qmp *qmp_new(int take_fd, const QmpConfig *config, GError **err);
Qmp *qmp_ref(Qmp *qmp);
void qmp_unref(Qmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_unref)
/* Stop: pending calls fail, no callback follows. On the strand, so that no callback runs at the same time. */
void qmp_close(Qmp *qmp);
bool qmp_is_open(Qmp *qmp);

/* Wait for the greeting. A deadline that passes usually means that somebody else is attached to this monitor. */
bool qmp_wait_greeting(Qmp *qmp, int timeout_ms, GError **err);
/* Wait for the greeting and leave negotiation mode. */
bool qmp_handshake(Qmp *qmp, int timeout_ms, GError **err);
/* How long the oldest unanswered command has been waiting; 0 when none is. */
gint64 qmp_silent_ms(Qmp *qmp);

/* One command; the value of "return". @take_args may be NULL. A refusal of QEMU is VIR_ERR_INTERNAL_ERROR with the class
 * of the refusal as the error's second string. */
Json *qmp_call(Qmp *qmp, const char *command, Json *take_args, GError **err);
Json *qmp_call_within(Qmp *qmp, const char *command, Json *take_args, int timeout_ms, GError **err);
/* The same for commands whose value does not matter. */
bool qmp_run(Qmp *qmp, const char *command, Json *take_args, GError **err);
/* The output of a human monitor command. Free with g_free. */
char *qmp_hmp(Qmp *qmp, const char *line, GError **err);
/* Give the emulator a copy of @fd under @fd_name (getfd). */
bool qmp_pass_fd(Qmp *qmp, int fd, const char *fd_name, GError **err);
/* Send a whole JSON text as a user wrote it, without "id"; the reply as text. */
char *qmp_pass_through(Qmp *qmp, const char *text, GError **err);
/* "class" of a refusal, or NULL. */
const char *qmp_error_class(const GError *error);

QmpBatch *qmp_batch_new(void);
void qmp_batch_unref(QmpBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpBatch, qmp_batch_unref)
/* Add a command; returns its number in the batch. */
guint qmp_batch_add(QmpBatch *batch, const char *command, Json *take_args);
/* Give the next command that is added a descriptor to carry; it is duplicated. */
void qmp_batch_attach_fd(QmpBatch *batch, int fd);
/* Send all of it now, without waiting. */
bool qmp_batch_start(QmpBatch *batch, Qmp *qmp, GError **err);
/* True when every reply is there by @deadline_ms (clock_monotonic_ms). Replies that are there can be read either way. */
bool qmp_batch_wait(QmpBatch *batch, gint64 deadline_ms, GError **err);
/* Start and wait. */
bool qmp_batch_run(QmpBatch *batch, Qmp *qmp, int timeout_ms, GError **err);
/* The value of "return" of command @n, borrowed from the batch; NULL with an error when it was refused or is missing. */
const Json *qmp_batch_reply(const QmpBatch *batch, guint n, GError **err);
/* Error of the first refused command, if any. */
bool qmp_batch_all_ok(const QmpBatch *batch, GError **err);
