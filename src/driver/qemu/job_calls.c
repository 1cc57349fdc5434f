/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about a guest's running job: how far it is, and to stop it. Looking is answered from the
 * view; stopping only sets a flag and wakes the job, so neither waits for what the job waits
 * for. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/events.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/snapshot.h"
#include "object/events.h"
#include "object/params.h"
#include "seam/clock.h"

static int
operation_of(const Job *job)
{
    static const struct {
        const char *kind;
        int operation;
    } operations[] = {
        {"snapshot-create", VIR_DOMAIN_JOB_OPERATION_SNAPSHOT},
        {"snapshot-delete", VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_DELETE},
        {"revert", VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT},
        {"save", VIR_DOMAIN_JOB_OPERATION_SAVE},
        {"clone", VIR_DOMAIN_JOB_OPERATION_START},
        {"restore", VIR_DOMAIN_JOB_OPERATION_RESTORE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
        if (g_str_equal(operations[i].kind, job_kind_name(job)))
            return operations[i].operation;
    }
    return VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
}

JobSummary *
job_summary_ref(JobSummary *summary)
{
    if (summary)
        g_atomic_ref_count_inc(&summary->refs);
    return summary;
}

void
job_summary_unref(JobSummary *summary)
{
    if (!summary || !g_atomic_ref_count_dec(&summary->refs))
        return;
    g_free(summary->why);
    g_free(summary);
}

static bool
is_of_memory(int operation)
{
    return operation == VIR_DOMAIN_JOB_OPERATION_SAVE ||
           operation == VIR_DOMAIN_JOB_OPERATION_SNAPSHOT;
}

static void
add_bytes(ParamList *list, const JobSummary *summary)
{
    /* Memory that is all zero is done without being moved. */
    guint64 left = summary->type == VIR_DOMAIN_JOB_COMPLETED
                       ? 0
                       : summary->total_bytes - MIN(summary->done_bytes, summary->total_bytes);

    params_add_ullong(list, VIR_DOMAIN_JOB_DATA_TOTAL, summary->total_bytes);
    params_add_ullong(list, VIR_DOMAIN_JOB_DATA_PROCESSED, summary->done_bytes);
    params_add_ullong(list, VIR_DOMAIN_JOB_DATA_REMAINING, left);
    params_add_ullong(
        list, summary->is_of_memory ? VIR_DOMAIN_JOB_MEMORY_TOTAL : VIR_DOMAIN_JOB_DISK_TOTAL,
        summary->total_bytes);
    params_add_ullong(list,
                      summary->is_of_memory ? VIR_DOMAIN_JOB_MEMORY_PROCESSED
                                            : VIR_DOMAIN_JOB_DISK_PROCESSED,
                      summary->done_bytes);
    params_add_ullong(list,
                      summary->is_of_memory ? VIR_DOMAIN_JOB_MEMORY_REMAINING
                                            : VIR_DOMAIN_JOB_DISK_REMAINING,
                      left);
}

static void
add_summary(ParamList *list, const JobSummary *summary)
{
    params_add_int(list, VIR_DOMAIN_JOB_OPERATION, summary->operation);
    params_add_ullong(list, VIR_DOMAIN_JOB_TIME_ELAPSED, summary->elapsed_ms);
    if (summary->total_bytes)
        add_bytes(list, summary);
    if (summary->why)
        params_add_string(list, VIR_DOMAIN_JOB_ERRMSG, summary->why);
}

static JobSummary
summary_of(const Job *job)
{
    JobProgress progress = job_progress(job);
    int operation = operation_of(job);

    return (JobSummary){
        .type = progress.total_bytes ? VIR_DOMAIN_JOB_BOUNDED : VIR_DOMAIN_JOB_UNBOUNDED,
        .operation = operation,
        .elapsed_ms = (guint64)(clock_monotonic_ms() - progress.started_ms),
        .done_bytes = progress.done_bytes,
        .total_bytes = progress.total_bytes,
        .is_of_memory = is_of_memory(operation),
    };
}

void
guest_sum_up_job(Guest *guest, const Job *job, const GError *error)
{
    JobSummary *summary = g_new0(JobSummary, 1);
    RemoteDomainEventCallbackJobCompletedMsg *message;
    g_auto(ParamList) list = PARAM_LIST_INIT;

    *summary = summary_of(job);
    g_atomic_ref_count_init(&summary->refs);
    summary->type = !error                  ? VIR_DOMAIN_JOB_COMPLETED
                    : job_is_cancelled(job) ? VIR_DOMAIN_JOB_CANCELLED
                                            : VIR_DOMAIN_JOB_FAILED;
    summary->why = error ? g_strdup(error->message) : NULL;
    job_summary_unref(guest->completed);
    guest->completed = summary;
    if (summary->operation == VIR_DOMAIN_JOB_OPERATION_UNKNOWN)
        return;
    message = g_new0(RemoteDomainEventCallbackJobCompletedMsg, 1);
    guest_fill_wire(guest, &message->dom);
    add_summary(&list, summary);
    params_move(&list, message->params);
    events_emit(guest->qemu->driver->events, API_EVENT_CLASS_DOMAIN,
                VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, guest->uuid, NULL, message);
}

/* It is told once, unless it is to be kept. */
static bool
get_completed(JobSummary *summary, bool keeps, RemoteDomainGetJobStatsRet *ret)
{
    g_auto(ParamList) list = PARAM_LIST_INIT;

    if (!summary || (keeps ? g_atomic_int_get(&summary->is_taken)
                           : !g_atomic_int_compare_and_exchange(&summary->is_taken, 0, 1)))
        return true;
    ret->type = summary->type;
    add_summary(&list, summary);
    params_move(&list, ret->params);
    return true;
}

static bool
domain_get_job_info(Call *call, const RemoteDomainGetJobInfoArgs *args,
                    RemoteDomainGetJobInfoRet *ret, GError **err)
{
    g_autoptr(View) view = (View *)guest_view_of_call(call, &args->dom, err);
    Job *job = view ? ((GuestView *)view)->job : NULL;
    JobProgress progress;

    if (!job)
        return view != NULL; /* zero is VIR_DOMAIN_JOB_NONE */
    progress = job_progress(job);
    ret->type = progress.total_bytes ? VIR_DOMAIN_JOB_BOUNDED : VIR_DOMAIN_JOB_UNBOUNDED;
    ret->timeElapsed = (guint64)(clock_monotonic_ms() - progress.started_ms);
    ret->dataTotal = progress.total_bytes;
    ret->dataProcessed = progress.done_bytes;
    ret->dataRemaining = progress.total_bytes - MIN(progress.done_bytes, progress.total_bytes);
    return true;
}

static bool
domain_get_job_stats(Call *call, const RemoteDomainGetJobStatsArgs *args,
                     RemoteDomainGetJobStatsRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;
    g_auto(ParamList) list = PARAM_LIST_INIT;
    JobSummary summary;
    Job *job;

    if (!flags_check(args->flags,
                     VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED,
                     "qemuDomainGetJobStats", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    job = view ? ((GuestView *)view)->job : NULL;
    if (view && args->flags & VIR_DOMAIN_JOB_STATS_COMPLETED)
        return get_completed(((GuestView *)view)->completed,
                             args->flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED, ret);
    if (!job)
        return view != NULL;
    summary = summary_of(job);
    ret->type = summary.type;
    add_summary(&list, &summary);
    params_move(&list, ret->params);
    return true;
}

static bool
abort_job(Call *call, const RemoteNonnullDomain *dom, GError **err)
{
    g_autoptr(View) view = (View *)guest_view_of_call(call, dom, err);
    Job *job = view ? ((GuestView *)view)->job : NULL;

    if (!view)
        return false;
    if (!job)
        return fail(err, VIR_ERR_OPERATION_INVALID, "no job is active on the domain");
    job_cancel(job);
    return true;
}

static bool
domain_abort_job(Call *call, const RemoteDomainAbortJobArgs *args, GError **err)
{
    return abort_job(call, &args->dom, err);
}

static bool
domain_abort_job_flags(Call *call, const RemoteDomainAbortJobFlagsArgs *args, GError **err)
{
    return flags_check(args->flags, 0, "qemuDomainAbortJobFlags", err) &&
           abort_job(call, &args->dom, err);
}

void
job_call_slots(DriverSlots *slots)
{
    slots->domain_get_job_info = domain_get_job_info;
    slots->domain_get_job_stats = domain_get_job_stats;
    slots->domain_abort_job = domain_abort_job;
    slots->domain_abort_job_flags = domain_abort_job_flags;
}
