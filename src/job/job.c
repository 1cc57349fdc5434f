/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See job.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "job/job.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "job/fault.h"
#include "seam/clock.h"

/* Of what the records mean. A daemon that changes it has to read the one before, or to refuse it. */
#define FORMAT_VERSION "1"

struct Job {
    gatomicrefcount refs;
    const JobKind *kind;
    char *id;
    char *object;
    void *plan;
    void *context;
    Journal *journal;
    JobState state;
    guint step;
    bool is_committed, is_recovered;
    bool commit_is_doubtful; /* writing COMMIT failed: it may be on the disk nevertheless */
    gint cancelled;          /* atomic */
    GError *error;           /* why it went back, is stuck or was abandoned */
    Strand *strand;
    JobDone done;
    void *done_data;
    void (*answer)(Job *job, void *data);
    void *answer_data;
    gint64 done_bytes, total_bytes, started_ms; /* written on the strand, read anywhere */
};

/* ---- life ---- */

Job *
job_new(const JobKind *kind, const char *object, void *take_plan, void *context)
{
    Job *job = g_new0(Job, 1);
    guint32 number;

    random_bytes(&number, sizeof(number));
    g_atomic_ref_count_init(&job->refs);
    job->kind = kind;
    job->id = g_strdup_printf("%s-%08x", kind->name, number);
    job->object = g_strdup(object);
    job->plan = take_plan;
    job->context = context;
    job->started_ms = clock_monotonic_ms();
    return job;
}

Job *
job_ref(Job *job)
{
    g_atomic_ref_count_inc(&job->refs);
    return job;
}

void
job_unref(Job *job)
{
    if (!job || !g_atomic_ref_count_dec(&job->refs))
        return;
    if (job->plan)
        job->kind->free_plan(job->plan);
    journal_close(job->journal);
    strand_unref(job->strand);
    g_clear_error(&job->error);
    g_free(job->id);
    g_free(job->object);
    g_free(job);
}

bool
job_begin(Job *job, const char *path, GError **err)
{
    g_autoptr(Record) record = record_new();
    g_autoptr(Journal) journal = NULL;

    record_add(record, "version", FORMAT_VERSION);
    record_add(record, "kind", job->kind->name);
    record_add(record, "id", job->id);
    record_add(record, "object", job->object);
    job->kind->save_plan(job->plan, record);
    if (!fault_point(err, "%s/begin", job->kind->name))
        return false;
    journal = journal_create(path, err);
    if (!journal)
        return false;
    if (!journal_append(journal, JOURNAL_BEGIN, record, true, err)) {
        journal_finish(journal, NULL);
        return false;
    }
    job->journal = g_steal_pointer(&journal);
    log_info(LOG_JOB, "%s: %s begins", job->object, job->id);
    return true;
}

static const JobKind *
find_kind(const JobKind *const *kinds, const char *name)
{
    for (int i = 0; name && kinds[i]; i++) {
        if (g_str_equal(kinds[i]->name, name))
            return kinds[i];
    }
    return NULL;
}

Job *
job_load(const JobKind *const *kinds, const char *object, const char *path, void *context,
         GError **err)
{
    g_autoptr(Journal) journal = journal_open(path, err);
    g_autoptr(Job) job = NULL;
    const JournalEntry *begin;
    const JobKind *kind;
    void *plan;

    if (!journal)
        return NULL;
    if (journal_count(journal) == 0) {
        journal_finish(journal, err); /* died before the plan was written down: nothing was done */
        return NULL;
    }
    if (journal_entry(journal, 0)->type != JOURNAL_BEGIN)
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "the journal '%s' has no plan", path);
    begin = journal_entry(journal, 0);
    if (g_strcmp0(record_get(begin->values, "version"), FORMAT_VERSION) != 0)
        return fail_null(
            err, VIR_ERR_OPERATION_FAILED,
            "the job in '%s' was written by another version of this daemon (format %s; "
            "this one reads " FORMAT_VERSION ")",
            path,
            record_get(begin->values, "version") ? record_get(begin->values, "version")
                                                 : "unknown");
    kind = find_kind(kinds, record_get(begin->values, "kind"));
    if (!kind || !record_get(begin->values, "id"))
        return fail_null(err, VIR_ERR_OPERATION_FAILED,
                         "the job in '%s' is of a kind that this daemon does not know", path);
    plan = kind->load_plan(begin->values, err);
    if (!plan)
        return NULL;
    job = job_new(kind, object, plan, context);
    g_free(job->id);
    job->id = g_strdup(record_get(begin->values, "id"));
    job->is_recovered = true;
    job->is_committed = journal_last(journal, JOURNAL_COMMIT) != NULL;
    job->journal = g_steal_pointer(&journal);
    return g_steal_pointer(&job);
}

/* ---- running ---- */

static const JobStep *
current_step(const Job *job)
{
    return &job->kind->steps[job->step];
}

static guint
barrier_index(const Job *job)
{
    guint i = 0;

    while (job->kind->steps[i].name && !job->kind->steps[i].barrier)
        i++;
    return i;
}

static JobState
end(Job *job, JobState state)
{
    g_autoptr(GError) err = NULL;

    if (job->journal && !journal_finish(job->journal, &err)) {
        log_error(LOG_JOB, "%s: %s: %s", job->object, job->id, err->message);
        if (!job->error)
            job->error = g_steal_pointer(&err);
        return job->state = JOB_STUCK;
    }
    log_info(LOG_JOB, "%s: %s %s", job->object, job->id,
             state == JOB_DONE ? "is done" : "went back");
    return job->state = state;
}

static JobState
stay_stuck(Job *job, GError *take_error)
{
    log_error(LOG_JOB, "%s: %s stays open at step %s: %s", job->object, job->id, job_step_name(job),
              take_error->message);
    if (job->error)
        g_error_free(take_error);
    else
        job->error = take_error;
    return job->state = JOB_STUCK;
}

/* Undo the steps up to job->step, the last one first. One that fails does not keep the others from
 * going back. */
static JobState
undo_all(Job *job)
{
    GError *first = NULL;
    guint last = job->step;

    job->state = JOB_UNDOING;
    for (guint i = last + 1; i > 0; i--) {
        g_autoptr(GError) err = NULL;
        const JobStep *step = &job->kind->steps[i - 1];

        if (!step->name || !step->undo)
            continue;
        job->step = i - 1;
        if (fault_point(&err, "%s/undo/%s", job->kind->name, step->name) && step->undo(job, &err))
            continue;
        if (!first)
            first = g_steal_pointer(&err);
    }
    job->step = last;
    return first ? stay_stuck(job, first) : end(job, JOB_UNDONE);
}

static JobState
go_back(Job *job, GError *take_error)
{
    log_info(LOG_JOB, "%s: %s goes back from step %s: %s", job->object, job->id, job_step_name(job),
             take_error->message);
    if (job->error)
        g_error_free(take_error);
    else
        job->error = take_error;
    return undo_all(job);
}

static JobDirection
ask_direction(Job *job, GError **err)
{
    if (job->is_committed)
        return JOB_FORWARD;
    if (!job->kind->decide || journal_last(job->journal, JOURNAL_UNDO))
        return JOB_BACK;
    return job->kind->decide(job, err);
}

/* COMMIT may be on the disk although writing it failed: nothing is undone before a record says that
 * it does not count. */
static bool
settle_doubt(Job *job, GError **err)
{
    if (job->commit_is_doubtful && !journal_append(job->journal, JOURNAL_UNDO, NULL, true, err))
        return false;
    job->commit_is_doubtful = false;
    return true;
}

static JobState
commit_failed(Job *job, GError *take_error)
{
    GError *err = NULL;

    job->commit_is_doubtful = true;
    if (ask_direction(job, NULL) != JOB_BACK)
        return stay_stuck(job, take_error);
    if (!settle_doubt(job, &err)) {
        g_error_free(take_error);
        return stay_stuck(job, err);
    }
    return go_back(job, take_error);
}

static JobState
commit(Job *job)
{
    GError *err = NULL;

    if (!fault_point(&err, "%s/%s/before", job->kind->name, current_step(job)->name) ||
        !journal_append(job->journal, JOURNAL_COMMIT, NULL, true, &err))
        return commit_failed(job, err);
    job->is_committed = true;
    log_debug(LOG_JOB, "%s: %s is committed", job->object, job->id);
    if (!fault_point(&err, "%s/%s/after", job->kind->name, current_step(job)->name))
        return stay_stuck(job, err);
    return JOB_RUNNING;
}

/* A step before the barrier failed. Usually that means back; but what it did may count already. */
static JobState
step_failed(Job *job, GError *take_error)
{
    GError *why = NULL;

    switch (ask_direction(job, &why)) {
    case JOB_BACK:
        break;
    case JOB_LATER:
        g_error_free(take_error);
        return stay_stuck(job, why);
    case JOB_FORWARD:
        log_warning(LOG_JOB, "%s: %s goes on after a failure: %s", job->object, job->id,
                    take_error->message);
        g_error_free(take_error);
        job->step = barrier_index(job);
        return commit(job);
    }
    g_clear_error(&why);
    return go_back(job, take_error);
}

/* JOB_RUNNING: go on with the next step. */
static JobState
run_step(Job *job)
{
    const JobStep *step = current_step(job);
    StepResult result = STEP_DONE;
    GError *err = NULL;

    if (!job->is_committed && job_is_cancelled(job)) {
        error_set(&err, ERROR_DOMAIN, VIR_ERR_OPERATION_ABORTED, "the job was cancelled");
        return step_failed(job, err);
    }
    if (!fault_point(&err, "%s/%s", job->kind->name, step->name))
        result = STEP_FAILED;
    else if (step->run)
        result = step->run(job, &err);

    switch (result) {
    case STEP_DONE:
        if (step->barrier)
            return commit(job);
        return JOB_RUNNING;
    case STEP_WAIT:
        return JOB_WAITING;
    case STEP_REPEAT:
        g_assert(job->is_committed);
        job->step = barrier_index(job); /* run_all goes on behind it */
        return JOB_RUNNING;
    case STEP_ABANDON:
        g_assert(job->is_committed);
        log_warning(LOG_JOB, "%s: %s ends at step %s: %s", job->object, job->id, step->name,
                    err->message);
        job->error = err;
        return end(job, JOB_DONE);
    case STEP_FAILED:
        break;
    }
    return job->is_committed ? stay_stuck(job, err) : step_failed(job, err);
}

static JobState
run_all(Job *job)
{
    job->state = JOB_RUNNING;
    while (current_step(job)->name) {
        JobState state = run_step(job);

        if (state != JOB_RUNNING)
            return job->state = state;
        if (current_step(job)->answers && job->answer)
            g_steal_pointer (&job->answer)(job, job->answer_data);
        job->step++;
    }
    return end(job, JOB_DONE);
}

/* A job that another daemon began, or one that got stuck: back or forward. */
static JobState
recover(Job *job)
{
    guint barrier = barrier_index(job);
    GError *err = NULL;
    JobDirection direction = ask_direction(job, &err);

    if (direction == JOB_LATER)
        return stay_stuck(job, err);
    g_clear_error(&err);
    if (direction == JOB_BACK) {
        if (!settle_doubt(job, &err))
            return stay_stuck(job, err);
        if (job->is_recovered)
            job->step = barrier;
        error_set(&err, ERROR_DOMAIN, VIR_ERR_OPERATION_ABORTED,
                  "the daemon ended before the job was committed");
        return go_back(job, err);
    }
    log_info(LOG_JOB, "%s: %s goes on", job->object, job->id);
    g_clear_error(&job->error);
    if (!job->is_committed) {
        JobState state;

        job->step = barrier;
        state = commit(job);
        if (state != JOB_RUNNING)
            return state;
    }
    job->step = MAX(job->step, barrier + 1);
    return run_all(job);
}

JobState
job_advance(Job *job)
{
    switch (job->state) {
    case JOB_NEW:
        return job->is_recovered ? recover(job) : run_all(job);
    case JOB_RUNNING:
    case JOB_WAITING:
        return run_all(job);
    case JOB_STUCK: /* tried again */
    case JOB_UNDOING:
        return recover(job);
    case JOB_DONE:
    case JOB_UNDONE:
        break;
    }
    return job->state;
}

static void
advance_on_strand(void *data)
{
    g_autoptr(Job) job = data;
    JobState state = job->state;

    if (state == JOB_DONE || state == JOB_UNDONE || !job->done)
        return;
    state = job_advance(job);
    if (state == JOB_DONE || state == JOB_UNDONE || state == JOB_STUCK) {
        JobDone done = g_steal_pointer(&job->done);
        done(job, job->error, job->done_data);
    }
}

void
job_start(Job *job, Strand *strand, JobDone done, void *data)
{
    if (!job->strand)
        job->strand = strand_ref(strand);
    job->done = done;
    job->done_data = data;
    if (strand_is_current(strand))
        advance_on_strand(job_ref(job));
    else
        job_wake(job);
}

void
job_on_answer(Job *job, void (*func)(Job *job, void *data), void *data)
{
    job->answer = func;
    job->answer_data = data;
}

void
job_wake(Job *job)
{
    if (job->strand)
        strand_post_internal(job->strand, advance_on_strand, job_ref(job));
}

void
job_cancel(Job *job)
{
    g_atomic_int_set(&job->cancelled, 1);
    job_wake(job);
}

bool
job_is_cancelled(const Job *job)
{
    return g_atomic_int_get(&job->cancelled) != 0;
}

/* ---- what steps and others ask ---- */

const char *
job_id(const Job *job)
{
    return job->id;
}

const char *
job_kind_name(const Job *job)
{
    return job->kind->name;
}

const char *
job_step_name(const Job *job)
{
    const char *name = current_step(job)->name;

    return name ? name : "end";
}

void *
job_plan(const Job *job)
{
    return job->plan;
}

void *
job_context(const Job *job)
{
    return job->context;
}

JobState
job_state(const Job *job)
{
    return job->state;
}

const GError *
job_error(const Job *job)
{
    return job->error;
}

bool
job_is_recovered(const Job *job)
{
    return job->is_recovered;
}

bool
job_is_committed(const Job *job)
{
    return job->is_committed;
}

const Journal *
job_journal(const Job *job)
{
    return job->journal;
}

bool
job_note(Job *job, const Record *values, GError **err)
{
    return journal_append(job->journal, JOURNAL_STEP, values, true, err);
}

const Record *
job_find_note(const Job *job, const char *key)
{
    for (guint i = journal_count(job->journal); i > 0; i--) {
        const JournalEntry *entry = journal_entry(job->journal, i - 1);
        if (entry->type == JOURNAL_STEP && record_get(entry->values, key))
            return entry->values;
    }
    return NULL;
}

bool
job_fault(Job *job, const char *detail, GError **err)
{
    return fault_point(err, "%s/%s/%s", job->kind->name, job_step_name(job), detail);
}

void
job_set_progress(Job *job, guint64 done_bytes, guint64 total_bytes)
{
    __atomic_store_n(&job->total_bytes, (gint64)total_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&job->done_bytes, (gint64)done_bytes, __ATOMIC_RELAXED);
}

JobProgress
job_progress(const Job *job)
{
    return (JobProgress){
        .done_bytes = (guint64)__atomic_load_n(&job->done_bytes, __ATOMIC_RELAXED),
        .total_bytes = (guint64)__atomic_load_n(&job->total_bytes, __ATOMIC_RELAXED),
        .started_ms = job->started_ms,
    };
}
