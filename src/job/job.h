/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs: whatever has more than one effect outside, as a table of steps over a plan that was written
 * down first.
 *
 * BEGIN holds the whole plan. COMMIT is the barrier: without it a failure or a crash goes back (the
 * undo functions, last step first), with it only forward. Steps and undos may run again after a
 * crash at any instruction. A job runs on its object's strand; a step that waits returns STEP_WAIT
 * and somebody calls job_wake later. Files: journal.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "job/journal.h"
#include "loop/strand.h"

typedef struct Job Job;

typedef enum {
    STEP_DONE,
    STEP_WAIT,    /* nothing is held; run is called again after job_wake */
    STEP_FAILED,  /* before the barrier: go back. After it: the job stays open and is tried again */
    STEP_ABANDON, /* after the barrier: end with this error; what was done is whole */
    STEP_REPEAT,  /* after the barrier: the steps behind it once more, for what the plan says now */
} StepResult;

typedef struct {
    const char *name; /* NULL ends the table */
    StepResult (*run)(Job *job, GError **err);
    bool (*undo)(Job *job, GError **err);
    bool barrier; /* COMMIT is written when its run (may be NULL) is done */
    bool answers; /* behind the barrier: once it is done, whoever asked for the job hears so */
} JobStep;

typedef enum { JOB_BACK, JOB_FORWARD, JOB_LATER } JobDirection;

typedef struct {
    const char *name; /* "revert": first word of fault points and of the id */
    const JobStep *steps;
    void (*save_plan)(const void *plan, Record *record);
    void *(*load_plan)(const Record *record, GError **err);
    void (*free_plan)(void *plan);
    /* After a crash without COMMIT: JOB_BACK unless this says otherwise (JOB_LATER: it cannot be
     * told yet). */
    JobDirection (*decide)(Job *job, GError **err);
} JobKind;

typedef enum {
    JOB_NEW,
    JOB_RUNNING,
    JOB_WAITING,
    JOB_UNDOING,
    JOB_STUCK, /* a step after the barrier, or an undo, failed: the journal stays */
    JOB_DONE,
    JOB_UNDONE, /* everything is as it was before */
} JobState;

typedef struct {
    guint64 done_bytes, total_bytes;
    gint64 started_ms; /* monotonic */
} JobProgress;

typedef void (*JobDone)(Job *job, const GError *error, void *data);

/* Takes @take_plan. @object names what it works on ("web1"), for logs; @context is the driver's,
 * borrowed. */
Job *job_new(const JobKind *kind, const char *object, void *take_plan, void *context);
/* From the journal of a daemon that is gone; NULL without @err when it holds no whole plan (and is
 * removed). */
Job *job_load(const JobKind *const *kinds, const char *object, const char *path, void *context,
              GError **err);
Job *job_ref(Job *job);
void job_unref(Job *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_unref)

/* Write BEGIN, durably, into a new journal at @path. */
bool job_begin(Job *job, const char *path, GError **err);
/* Run until it ends or waits; on the strand. For a loaded job: recover. job_error tells why it went
 * back. */
JobState job_advance(Job *job);
/* The same through @strand, and again whenever it is woken; @done is called on the strand when it
 * has ended or is stuck. */
void job_start(Job *job, Strand *strand, JobDone done, void *data);
/* Called when the step that `answers` is done, on the strand, before the steps behind it. */
void job_on_answer(Job *job, void (*func)(Job *job, void *data), void *data);
/* Look again; any thread. */
void job_wake(Job *job);
/* Ask it to stop: before the barrier it goes back, after it the step decides. Any thread. */
void job_cancel(Job *job);
bool job_is_cancelled(const Job *job);

const char *job_id(const Job *job);
const char *job_kind_name(const Job *job);
const char *job_step_name(const Job *job);
void *job_plan(const Job *job);
void *job_context(const Job *job);
JobState job_state(const Job *job);
const GError *job_error(const Job *job);
bool job_is_recovered(const Job *job);
bool job_is_committed(const Job *job);
const Journal *job_journal(const Job *job);

/* For steps. A durable STEP record, and the last one that has @key. */
bool job_note(Job *job, const Record *values, GError **err);
const Record *job_find_note(const Job *job, const char *key);
/* fault_point with "KIND/STEP/@detail". */
bool job_fault(Job *job, const char *detail, GError **err);
void job_set_progress(Job *job, guint64 done_bytes, guint64 total_bytes);
JobProgress job_progress(const Job *job);
