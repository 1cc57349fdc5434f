/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What qmp.c (the connection) and qmp_call.c (the calls) share. Nobody else includes this. */
#pragma once

#include "seam/qmp.h"

typedef struct LoopWatch LoopWatch;

typedef struct {
    char *name;
    GBytes *text; /* as sent */
    int fd;
    guint64 id;
    Json *answer; /* the whole reply */
} QmpCommand;

struct QmpBatch {
    gatomicrefcount refs;
    GArray *commands; /* of QmpCommand */
    Qmp *qmp;         /* once started */
    guint n_missing;  /* replies; under the mutex of qmp */
    int next_fd;
};

/* Which reply goes where. */
typedef struct {
    QmpBatch *batch;
    guint index;
} QmpSlot;

struct Qmp {
    gatomicrefcount refs;
    QmpConfig config;
    char *name;
    int fd;
    GByteArray *in; /* loop's thread only */
    gsize scanned;

    GMutex mutex; /* of what follows */
    GCond changed;
    LoopWatch *watch;
    GQueue out; /* of OutChunk */
    bool wants_room;
    bool is_greeted, is_silenced;
    GError *closed;
    const char *closed_reason;
    GHashTable *waiting; /* id -> QmpSlot */
    guint64 last_id;
    gint64 oldest_ms; /* when something last moved while commands wait; 0: none waits */
};

void qmp_send_locked(Qmp *qmp, GBytes *take_bytes, int take_fd);
void qmp_slot_free(gpointer slot);
