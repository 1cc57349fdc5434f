/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about a guest's running job: how far it is, and to stop it. Looking is answered from the
 * view; stopping only sets a flag and wakes the job, so neither waits for what the job waits
 * for. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/snapshot.h"
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
    JobProgress progress;
    Job *job;

    if (!flags_check(args->flags,
                     VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED,
                     "qemuDomainGetJobStats", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    job = view ? ((GuestView *)view)->job : NULL;
    if (!job || args->flags & VIR_DOMAIN_JOB_STATS_COMPLETED)
        return view != NULL;
    progress = job_progress(job);
    ret->type = progress.total_bytes ? VIR_DOMAIN_JOB_BOUNDED : VIR_DOMAIN_JOB_UNBOUNDED;
    params_add_int(&list, VIR_DOMAIN_JOB_OPERATION, operation_of(job));
    params_add_ullong(&list, VIR_DOMAIN_JOB_TIME_ELAPSED,
                      (guint64)(clock_monotonic_ms() - progress.started_ms));
    params_add_ullong(&list, VIR_DOMAIN_JOB_DATA_TOTAL, progress.total_bytes);
    params_add_ullong(&list, VIR_DOMAIN_JOB_DATA_PROCESSED, progress.done_bytes);
    params_add_ullong(&list, VIR_DOMAIN_JOB_DATA_REMAINING,
                      progress.total_bytes - MIN(progress.done_bytes, progress.total_bytes));
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
