/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block jobs of a guest: begun, found, answered for, ended, and taken up again after a restart. See disk_job.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/disk_job.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "object/call.h"
#include "object/events.h"

static const JobKind *const kinds[] = {&block_commit_kind, &block_pull_kind, &block_copy_kind,
                                       NULL};

static const DiskJobPlan *
plan_of(const Job *job)
{
    return job_plan(job);
}

static const JobKind *
kind_of(int type)
{
    switch (type) {
    case VIR_DOMAIN_BLOCK_JOB_TYPE_PULL:
        return &block_pull_kind;
    case VIR_DOMAIN_BLOCK_JOB_TYPE_COPY:
        return &block_copy_kind;
    default:
        return &block_commit_kind;
    }
}

/* "UUID.": what the names of its journals begin with; the rest is the disk. */
static char *
journal_prefix(const Guest *guest)
{
    char uuid[UUID_TEXT];

    uuid_format(guest->uuid, uuid);
    return g_strconcat(uuid, ".", NULL);
}

static char *
disk_journal_path(const Guest *guest, const char *target)
{
    g_autofree char *prefix = journal_prefix(guest);

    return g_strdup_printf("%s/%s%s.wal", guest->qemu->journal_dir, prefix, target);
}

/* Names of the guest's journals of disks. */
static GPtrArray *
list_journals(const Guest *guest)
{
    g_autofree char *prefix = journal_prefix(guest);
    g_auto(GStrv) names = dir_list(guest->qemu->journal_dir, NULL);
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

    for (int i = 0; names && names[i]; i++) {
        if (g_str_has_prefix(names[i], prefix) && g_str_has_suffix(names[i], ".wal") &&
            strlen(names[i]) > strlen(prefix) + strlen("wal"))
            g_ptr_array_add(found, g_build_filename(guest->qemu->journal_dir, names[i], NULL));
    }
    return found;
}

/* ---- finding ---- */

static Job *
find(const Guest *guest, const char *target)
{
    for (guint i = 0; i < guest->disk_jobs->len; i++) {
        if (g_str_equal(plan_of(guest->disk_jobs->pdata[i])->target, target))
            return guest->disk_jobs->pdata[i];
    }
    return NULL;
}

bool
disk_job_require_none(Guest *guest, const char *target, GError **err)
{
    return !disk_job_find(guest, target) ||
           fail(err, VIR_ERR_BLOCK_COPY_ACTIVE, "disk '%s' already in active block job", target);
}

bool
disk_jobs_require_none(const Guest *guest, GError **err)
{
    const char *target = guest->disk_jobs->len ? plan_of(guest->disk_jobs->pdata[0])->target : NULL;

    return !target || fail(err, VIR_ERR_OPERATION_INVALID,
                           "domain has active block job: end the one on disk %s first "
                           "(virsh blockjob %s %s --abort or --pivot)",
                           target, guest->name, target);
}

char *
disk_job_qemu_id(const Job *job)
{
    const DiskJobPlan *plan = plan_of(job);
    const char *suffix = strrchr(job_id(job), '-');
    const char *word = strchr(job_kind_name(job), '-') + 1;

    return g_strdup_printf("%s-%s%s", word, plan->target, suffix);
}

/* ---- events ---- */

void
guest_emit_block_job(Guest *guest, const char *target, int type, int status)
{
    EventHub *hub = guest->qemu->driver->events;
    const Disk *disk = guest_live(guest) ? domain_find_disk(guest_live(guest), target) : NULL;
    const char *path = disk ? disk_source_path(disk->type, &disk->source) : NULL;
    RemoteDomainEventCallbackBlockJobMsg *by_path = g_new0(RemoteDomainEventCallbackBlockJobMsg, 1);
    RemoteDomainEventBlockJob2Msg *by_target = g_new0(RemoteDomainEventBlockJob2Msg, 1);

    guest_fill_wire(guest, &by_path->msg.dom);
    by_path->msg.path = g_strdup(path ? path : "");
    by_path->msg.type = type;
    by_path->msg.status = status;
    guest_fill_wire(guest, &by_target->dom);
    by_target->dst = g_strdup(target);
    by_target->type = type;
    by_target->status = status;
    events_emit(hub, API_EVENT_CLASS_DOMAIN, VIR_DOMAIN_EVENT_ID_BLOCK_JOB, guest->uuid, NULL,
                by_path);
    events_emit(hub, API_EVENT_CLASS_DOMAIN, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, guest->uuid, NULL,
                by_target);
}

static int
status_of(DiskJobOutcome outcome)
{
    switch (outcome) {
    case DISK_JOB_DONE:
        return VIR_DOMAIN_BLOCK_JOB_COMPLETED;
    case DISK_JOB_CANCELLED:
        return VIR_DOMAIN_BLOCK_JOB_CANCELED;
    case DISK_JOB_UNFINISHED:
    case DISK_JOB_FAILED:
        break;
    }
    return VIR_DOMAIN_BLOCK_JOB_FAILED;
}

/* ---- life ---- */

typedef struct {
    Guest *guest;
    Call *call; /* who asked for it; NULL once answered */
} Running;

static void
answer_waiting(DiskJobPlan *plan)
{
    for (guint i = 0; i < plan->waiting->len; i++) {
        GError *err = NULL;

        if (plan->outcome == DISK_JOB_FAILED && plan->wants_pivot)
            fail(&err, VIR_ERR_OPERATION_FAILED, "disk %s stays on '%s': its block job failed: %s",
                 plan->target, plan->top_path, plan->why ? plan->why : "unknown reason");
        call_finish(plan->waiting->pdata[i], err);
    }
    g_ptr_array_set_size(plan->waiting, 0);
}

static void
ended(Job *job, const GError *error, void *data)
{
    Running *running = data;
    Guest *guest = running->guest;
    DiskJobPlan *plan = job_plan(job);
    g_autoptr(GError) why = NULL;
    bool is_stuck = job_state(job) == JOB_STUCK;

    job_ref(job);
    if (!is_stuck)
        g_ptr_array_remove(guest->disk_jobs, job);
    if (!guest->is_gone && !guest_publish(guest, &why))
        log_error(LOG_QEMU, "%s: %s", guest->name, why->message);
    if (running->call)
        call_finish(running->call, error ? g_error_copy(error) : NULL);
    else if (!is_stuck && plan->outcome != DISK_JOB_UNFINISHED && guest_live(guest))
        guest_emit_block_job(guest, plan->target, plan->type, status_of(plan->outcome));
    if (!is_stuck && guest->emulator && guest->disk_jobs->len == 0)
        guest_changed(guest); /* the status file says that no block job is there */
    answer_waiting(plan);
    job_unref(job);
    guest_unref(guest);
    g_free(running);
}

static void
answer(Job *job, void *data)
{
    Running *running = data;

    if (running->call)
        call_finish(g_steal_pointer(&running->call), NULL);
}

static void
start(Guest *guest, Job *take_job, Call *call)
{
    Running *running = g_new0(Running, 1);

    running->guest = guest_ref(guest);
    running->call = call;
    g_ptr_array_add(guest->disk_jobs, take_job);
    if (call)
        call_defer(call);
    job_on_answer(take_job, answer, running);
    job_start(take_job, guest->strand, ended, running);
}

bool
disk_job_begin(Guest *guest, DiskJobPlan *take_plan, Call *call, GError **err)
{
    g_autofree char *path = disk_journal_path(guest, take_plan->target);
    g_autoptr(Job) job = job_new(kind_of(take_plan->type), guest->name, take_plan, guest);

    take_plan->emulator = emulator_ref(guest->emulator);
    if (!dir_make(guest->qemu->journal_dir, 0700, err) || !job_begin(job, path, err))
        return false;
    start(guest, g_steal_pointer(&job), call);
    return true;
}

/* One that got stuck (a full disk, a monitor that did not answer) is tried again by whoever asks for it. */
Job *
disk_job_find(Guest *guest, const char *target)
{
    Job *job = find(guest, target);

    if (!job || job_state(job) != JOB_STUCK)
        return job;
    log_info(LOG_QEMU, "%s: %s is tried again", guest->name, job_id(job));
    job_ref(job);
    g_ptr_array_remove(guest->disk_jobs, job);
    start(guest, job, NULL);
    return find(guest, target);
}

/* ---- after a restart ---- */

bool
disk_jobs_are_left(const Guest *guest)
{
    g_autoptr(GPtrArray) paths = list_journals(guest);

    return paths->len > 0;
}

void
disk_jobs_recover(Guest *guest)
{
    g_autoptr(GPtrArray) paths = list_journals(guest);

    for (guint i = 0; i < paths->len; i++) {
        g_autoptr(GError) err = NULL;
        Job *job = job_load(kinds, guest->name, paths->pdata[i], guest, &err);
        DiskJobPlan *plan;

        if (err)
            log_error(LOG_QEMU, "%s: %s; the file is kept", guest->name, err->message);
        if (!job)
            continue;
        plan = job_plan(job);
        plan->emulator = guest->emulator ? emulator_ref(guest->emulator) : NULL;
        log_info(LOG_QEMU, "%s: disk %s: its block job %s is taken up again", guest->name,
                 plan->target, job_id(job));
        start(guest, job, NULL);
    }
}

void
disk_jobs_let_go(Guest *guest)
{
    g_ptr_array_set_size(guest->disk_jobs, 0);
}
