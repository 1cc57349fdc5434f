/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See block_job.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/block_job.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"

static void
add(Json *args, const char *key, const char *value)
{
    if (value)
        json_object_set_new(args, key, json_string(value));
}

static void
add_number(Json *args, const char *key, guint64 value)
{
    if (value)
        json_object_set_new(args, key, json_integer((json_int_t)value));
}

static bool
start_copy(Qmp *qmp, const BlockJobSpec *spec, Json *take_args, GError **err)
{
    add(take_args, "target", spec->target);
    add(take_args, "sync", spec->is_shallow ? "top" : "full");
    if (spec->is_synchronous)
        add(take_args, "copy-mode", "write-blocking");
    add_number(take_args, "granularity", spec->granularity);
    add_number(take_args, "buf-size", spec->buffer_bytes);
    json_object_set_new(take_args, "auto-dismiss", json_false());
    return qmp_run(qmp, "blockdev-mirror", take_args, err);
}

bool
block_job_start(Qmp *qmp, const BlockJobSpec *spec, GError **err)
{
    Json *args = json_object();

    add(args, "job-id", spec->id);
    add(args, "device", spec->device);
    add(args, "backing-file", spec->backing);
    json_object_set_new(args, "auto-finalize", json_false());
    add_number(args, "speed", spec->bytes_per_second);
    if (spec->kind == BLOCK_COPY)
        return start_copy(qmp, spec, args, err);
    if (spec->kind == BLOCK_PULL) {
        add(args, "base-node", spec->base);
        return qmp_run(qmp, "block-stream", args, err);
    }
    add(args, "top-node", spec->top);
    add(args, "base-node", spec->base);
    json_object_set_new(args, "auto-dismiss", json_false());
    return qmp_run(qmp, "block-commit", args, err);
}

static bool
find_job(Qmp *qmp, const char *id, Json **found, GError **err)
{
    g_autoptr(Json) jobs = qmp_call(qmp, "query-jobs", NULL, err);
    gsize i;
    json_t *job;

    *found = NULL;
    if (!jobs)
        return false;
    json_array_foreach(jobs, i, job)
    {
        if (g_strcmp0(json_string_value(json_object_get(job, "id")), id) == 0)
            *found = json_incref(job);
    }
    return true;
}

static bool
job_command(Qmp *qmp, const char *command, const char *id, GError **err)
{
    return qmp_run(qmp, command, json_pack("{s:s}", "id", id), err);
}

static bool
conclude(Qmp *qmp, const Json *job, const char *id, BlockJobState *state, GError **err)
{
    const char *why = json_string_value(json_object_get(job, "error"));
    g_autofree char *text = g_strdup(why);

    if (!job_command(qmp, "job-dismiss", id, err))
        return false;
    *state = text ? BLOCK_JOB_FAILED : BLOCK_JOB_DONE;
    if (text)
        fail(err, VIR_ERR_OPERATION_FAILED, "block job %s failed: %s", id, text);
    return true;
}

/* Between the question and the command the job may have gone on by itself: then look again. */
static bool
has_moved_on(Qmp *qmp, const char *id, const char *seen)
{
    g_autoptr(Json) job = NULL;

    return find_job(qmp, id, &job, NULL) &&
           (!job || g_strcmp0(json_string_value(json_object_get(job, "status")), seen) != 0);
}

static BlockJobState
state_of(const Json *job)
{
    const char *status = json_string_value(json_object_get(job, "status"));

    if (g_strcmp0(status, "concluded") == 0)
        return json_object_get(job, "error") ? BLOCK_JOB_FAILED : BLOCK_JOB_DONE;
    if (g_strcmp0(status, "ready") == 0)
        return BLOCK_JOB_READY;
    return g_strcmp0(status, "pending") == 0 ? BLOCK_JOB_PENDING : BLOCK_JOB_BUSY;
}

bool
block_job_look(Qmp *qmp, const char *id, BlockJobState *state, BlockJobProgress *progress,
               char **why, GError **err)
{
    g_autoptr(Json) job = NULL;

    *state = BLOCK_JOB_ABSENT;
    *why = NULL;
    if (!find_job(qmp, id, &job, err))
        return false;
    if (!job)
        return true;
    progress->done_bytes = (guint64)json_integer_value(json_object_get(job, "current-progress"));
    progress->total_bytes = (guint64)json_integer_value(json_object_get(job, "total-progress"));
    *state = state_of(job);
    *why = g_strdup(json_string_value(json_object_get(job, "error")));
    return true;
}

static const char *
command_for(const char *status, bool is_cancelled)
{
    if (is_cancelled)
        return "job-cancel";
    return g_strcmp0(status, "ready") == 0 ? "job-complete" : NULL;
}

bool
block_job_drive(Qmp *qmp, const char *id, bool is_cancelled, BlockJobState *state,
                BlockJobProgress *progress, GError **err)
{
    for (;;) {
        g_autoptr(Json) job = NULL;
        g_autoptr(GError) refused = NULL;
        const char *status, *command;

        *state = BLOCK_JOB_ABSENT;
        if (!find_job(qmp, id, &job, err))
            return false;
        if (!job)
            return true;
        status = json_string_value(json_object_get(job, "status"));
        progress->done_bytes =
            (guint64)json_integer_value(json_object_get(job, "current-progress"));
        progress->total_bytes = (guint64)json_integer_value(json_object_get(job, "total-progress"));
        if (g_strcmp0(status, "concluded") == 0)
            return conclude(qmp, job, id, state, err);
        *state = BLOCK_JOB_BUSY;
        if (!is_cancelled && g_strcmp0(status, "pending") == 0)
            *state = BLOCK_JOB_PENDING;
        command = command_for(status, is_cancelled);
        if (!command || job_command(qmp, command, id, &refused))
            return true;
        if (!has_moved_on(qmp, id, status)) {
            g_propagate_error(err, g_steal_pointer(&refused));
            return false;
        }
    }
}

bool
block_job_tell(Qmp *qmp, const char *id, const char *command, GError **err)
{
    g_autoptr(GError) refused = NULL;
    g_autoptr(Json) before = NULL;

    if (!find_job(qmp, id, &before, err))
        return false;
    if (!before || job_command(qmp, command, id, &refused) ||
        has_moved_on(qmp, id, json_string_value(json_object_get(before, "status"))))
        return true;
    g_propagate_error(err, g_steal_pointer(&refused));
    return false;
}

bool
block_job_stop(Qmp *qmp, const char *id, GError **err)
{
    g_autoptr(GError) refused = NULL;

    if (qmp_run(qmp, "block-job-cancel", json_pack("{s:s, s:b}", "device", id, "force", 0),
                &refused) ||
        has_moved_on(qmp, id, "ready"))
        return true;
    g_propagate_error(err, g_steal_pointer(&refused));
    return false;
}

bool
block_job_finalize(Qmp *qmp, const char *id, GError **err)
{
    g_autoptr(GError) refused = NULL;

    if (job_command(qmp, "job-finalize", id, &refused) || has_moved_on(qmp, id, "pending"))
        return true;
    g_propagate_error(err, g_steal_pointer(&refused));
    return false;
}

void
block_jobs_dismiss_streams(Qmp *qmp)
{
    g_autoptr(Json) jobs = qmp_call(qmp, "query-jobs", NULL, NULL);
    gsize i;
    json_t *job;

    json_array_foreach(jobs, i, job)
    {
        const char *id = json_string_value(json_object_get(job, "id"));

        if (g_strcmp0(json_string_value(json_object_get(job, "type")), "stream") == 0 &&
            g_strcmp0(json_string_value(json_object_get(job, "status")), "concluded") == 0 &&
            !job_command(qmp, "job-dismiss", id, NULL))
            log_warning(LOG_QEMU, "stream job %s cannot be dismissed", id);
    }
}

bool
block_job_is_event(const char *event)
{
    return g_str_equal(event, "JOB_STATUS_CHANGE") || g_str_has_prefix(event, "BLOCK_JOB_");
}
