/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One block job of QEMU, in an emulator or in the storage daemon: started, watched, and driven to
 * its end.
 *
 * Jobs are made so that they wait for us at each turn (auto-finalize off), because a daemon that
 * died must find them. A stream job is the exception at the end: QEMU 7.2 dies when its graph is
 * queried while one is concluded and not dismissed, so it dismisses itself, and the image's header
 * tells what became of it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "seam/qmp.h"

typedef enum { BLOCK_COMMIT, BLOCK_PULL, BLOCK_COPY } BlockJobKind;

typedef struct {
    BlockJobKind kind;
    const char *id;      /* letter first, then letters, digits, - . _ */
    const char *device;  /* commit, copy: node of the top; pull: node that takes the data */
    const char *top;     /* commit: node whose data goes down; NULL: @device itself (active) */
    const char *base;    /* commit: node that takes it; pull: node that stays below, NULL: none */
    const char *backing; /* what the header above is to say; NULL: nothing, or it is left alone */
    const char *target;  /* copy: node that takes the copy */
    bool is_shallow;     /* copy: only what the top holds itself */
    bool is_synchronous; /* copy: a write is done when both have it */
    guint64 bytes_per_second, granularity, buffer_bytes; /* 0: QEMU's choice */
} BlockJobSpec;

typedef enum {
    BLOCK_JOB_ABSENT,  /* never started, or over */
    BLOCK_JOB_BUSY,    /* look again after an event */
    BLOCK_JOB_READY,   /* both sides are equal; it goes on until told to end (block_job_look) */
    BLOCK_JOB_PENDING, /* all is copied: block_job_finalize changes the graph */
    BLOCK_JOB_DONE,
    BLOCK_JOB_FAILED,
} BlockJobState;

typedef struct {
    guint64 done_bytes, total_bytes;
} BlockJobProgress;

/* How far it is, without pushing it. DONE and FAILED (with *@why): it waits to be dismissed. */
bool block_job_look(Qmp *qmp, const char *id, BlockJobState *state, BlockJobProgress *progress,
                    char **why, GError **err);
/* "job-complete", "job-dismiss", ...; a job that went on by itself meanwhile is no error. */
bool block_job_tell(Qmp *qmp, const char *id, const char *command, GError **err);
/* End it at the next moment at which both sides are equal: a copy that is ready stays whole. */
bool block_job_stop(Qmp *qmp, const char *id, GError **err);
bool block_job_start(Qmp *qmp, const BlockJobSpec *spec, GError **err);
/* Push it on as far as it goes now; with @is_cancelled towards its cancellation. FAILED sets @err.
 * False: no answer. */
bool block_job_drive(Qmp *qmp, const char *id, bool is_cancelled, BlockJobState *state,
                     BlockJobProgress *progress, GError **err);
bool block_job_finalize(Qmp *qmp, const char *id, GError **err);
/* Dismiss stream jobs that are concluded: before anything else is asked of an emulator that was
 * found running. */
void block_jobs_dismiss_streams(Qmp *qmp);
/* Is this an event after which a job may be driven further? */
bool block_job_is_event(const char *event);
