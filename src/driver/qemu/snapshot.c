/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all changes of snapshots share: their jobs' life on the guest's strand, and the tree in the
 * guest. See snapshot.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/snapshot.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/revert.h"
#include "driver/qemu/snapshot_store.h"

static const JobKind *const job_kinds[] = {
    &snapshot_create_kind,   &revert_kind, &snapshot_delete_kind, &save_kind,
    &restore_kind,           &clone_kind,  &undefine_kind,        &checkpoint_create_kind,
    &checkpoint_delete_kind, &attach_kind, &detach_kind,          NULL};

void
qemu_snapshot_slots(DriverSlots *slots)
{
    snapshot_list_slots(slots);
    snapshot_create_slots(slots);
    snapshot_delete_slots(slots);
    revert_slots(slots);
    undo_slots(slots);
    repair_slots(slots);
    clone_slots(slots);
    save_slots(slots);
    undefine_slots(slots);
    job_call_slots(slots);
}

/* ---- the tree ---- */

void
guest_set_snapshots(Guest *guest, SnapshotTree *take_tree)
{
    snapshot_tree_unref(guest->snapshots);
    guest->snapshots = take_tree;
}

/* What a daemon that was killed was about to make. */
static void
finish_caches(Guest *guest)
{
    for (guint i = 0; i < snapshot_tree_size(guest->snapshots); i++) {
        const char *path = snapshot_tree_at(guest->snapshots, i)->memory.file;

        if (path && memory_cache_is_unfinished(path))
            memory_cache_build_later(guest->qemu, path);
    }
}

bool
snapshots_load(Guest *guest, GError **err)
{
    SnapshotTree *tree = snapshot_store_load(guest->qemu, guest->name, err);
    g_autofree char *path = NULL;

    if (!tree)
        return false;
    guest_set_snapshots(guest, tree);
    if (!checkpoints_load(guest, err))
        return false;
    kept_load(guest);
    finish_caches(guest);
    path = guest_journal_path(guest);
    guest->is_settling = file_exists(path) || disk_jobs_are_left(guest);
    return true;
}

guint
snapshots_count(const Guest *guest)
{
    return snapshot_tree_size(guest->snapshots);
}

bool
snapshots_forget_all(Guest *guest, GError **err)
{
    if (!snapshot_store_update(guest->qemu, guest->name, guest->snapshots, NULL, err))
        return false;
    guest_set_snapshots(guest, NULL);
    return true;
}

void
snapshots_guest_gone(Guest *guest)
{
    g_autoptr(GError) err = NULL;

    kept_discard(guest);
    if (!snapshots_forget_all(guest, &err) || !checkpoints_forget_all(guest, &err) ||
        !image_records_forget(guest->qemu, guest->uuid, &err))
        log_warning(LOG_QEMU, "%s: %s", guest->name, err->message);
}

bool
snapshots_rename(Guest *guest, const char *old_name, GError **err)
{
    return snapshot_store_update(guest->qemu, guest->name, NULL, guest->snapshots, err) &&
           snapshot_store_update(guest->qemu, old_name, guest->snapshots, NULL, err);
}

/* ---- jobs ---- */

typedef struct {
    Guest *guest;
    Call *call;
    JobAnswer answer;
} Running;

char *
guest_journal_path(const Guest *guest)
{
    char uuid[UUID_TEXT];

    uuid_format(guest->uuid, uuid);
    return g_strdup_printf("%s/%s.wal", guest->qemu->journal_dir, uuid);
}

static void
publish(Guest *guest)
{
    g_autoptr(GError) err = NULL;

    if (!guest->is_gone && !guest_publish(guest, &err))
        log_error(LOG_QEMU, "%s: %s", guest->name, err->message);
}

/* A job that is stuck stays the guest's: nothing else may change the guest before it is
 * finished. */
static void
job_ended(Job *job, const GError *error, void *data)
{
    Running *running = data;
    Guest *guest = running->guest;

    guest_sum_up_job(guest, job, error);
    if (job_state(job) != JOB_STUCK)
        g_clear_pointer(&guest->job, job_unref);
    /* A transient domain that is off does not exist. */
    if (!guest->is_persistent && !guest->emulator && !guest->job && !guest->is_gone)
        guest_withdraw(guest);
    publish(guest);
    driver_host_release((DriverHost *)guest->qemu->host);
    if (running->call && (error || !running->answer || running->answer(running->call, job)))
        call_finish(running->call, error ? g_error_copy(error) : NULL);
    guest_unref(guest);
    g_free(running);
}

/* What the client asked for is decided and to be seen; only files are still written. */
static void
answer_early(Job *job, void *data)
{
    Running *running = data;
    Call *call = g_steal_pointer(&running->call);

    if (call && (!running->answer || running->answer(call, job)))
        call_finish(call, NULL);
}

static void
start_job(Guest *guest, Job *take_job, Call *call, JobAnswer answer)
{
    Running *running = g_new0(Running, 1);

    running->guest = guest_ref(guest);
    running->call = call;
    running->answer = answer;
    guest->job = take_job;
    driver_host_hold((DriverHost *)guest->qemu->host);
    if (call && !call->is_deferred)
        call_defer(call);
    job_on_answer(take_job, answer_early, running);
    job_start(take_job, guest->strand, job_ended, running);
    if (guest->job == take_job)
        publish(guest);
}

bool
guest_run_job(Guest *guest, Job *take_job, Call *call, JobAnswer answer, GError **err)
{
    g_autoptr(Job) job = take_job;
    g_autofree char *path = guest_journal_path(guest);

    if (!dir_make(guest->qemu->journal_dir, 0700, err))
        return false;
    if (!job_begin(job, path, err)) {
        /* What could not be removed, or nobody knew of, is looked at before the next change. */
        if (file_exists(path)) {
            g_free(guest->journal_problem);
            guest->journal_problem = g_strdup_printf("'%s' is left over", path);
        }
        return false;
    }
    start_job(guest, g_steal_pointer(&job), call, answer);
    return true;
}

void
snapshots_recover(Guest *guest)
{
    g_autofree char *path = guest_journal_path(guest);
    g_autoptr(GError) err = NULL;
    Job *job = NULL;

    if (!guest->is_settling)
        return;
    disk_jobs_recover(guest);
    if (file_exists(path))
        job = job_load(job_kinds, guest->name, path, guest, &err);
    if (job) {
        start_job(guest, job, NULL, NULL);
    } else if (err) {
        log_error(LOG_QEMU, "%s: %s; the file is kept, and the domain is not changed", guest->name,
                  err->message);
        guest->journal_problem = g_strdup(err->message);
    }
    guest->is_settling = false;
    publish(guest);
}

void
snapshots_retry_job(Guest *guest)
{
    Job *job = guest->job;

    if (guest->journal_problem) {
        g_autofree char *path = guest_journal_path(guest);

        g_clear_pointer(&guest->journal_problem, g_free);
        guest->is_settling = file_exists(path);
        snapshots_recover(guest);
        return;
    }
    if (!job || job_state(job) != JOB_STUCK)
        return;
    log_info(LOG_QEMU, "%s: %s is tried again", guest->name, job_id(job));
    guest->job = NULL;
    start_job(guest, job, NULL, NULL);
}

/* A transient domain that was gone before its job was finished: known again until that is done. */
static void
adopt_orphan(QemuDriver *qemu, const guchar uuid[16], const char *path)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Journal) journal = journal_open(path, &err);
    const char *name = NULL, *config;
    Domain *machine;
    g_autoptr(Guest) guest = NULL;

    if (journal && journal_count(journal) > 0)
        name = record_get(journal_entry(journal, 0)->values, "object");
    if (journal && !name && !journal_finish(journal, &err))
        log_error(LOG_QEMU, "%s", err->message);
    if (err)
        log_error(LOG_QEMU, "%s: it is kept: %s", path, err->message);
    if (!name)
        return;
    log_info(LOG_QEMU, "%s: it is gone, but what was done to it is not finished", name);
    guest = guest_new(qemu, uuid, name);
    /* A new domain needs its images from the start. */
    config = record_get(journal_entry(journal, 0)->values, "config");
    machine = config ? domain_parse(config, MODEL_PARSE_INACTIVE, NULL) : NULL;
    if (machine)
        guest_set_config(guest, machine);
    if (!snapshots_load(guest, &err) || !guest_publish_new(guest, &err))
        log_error(LOG_QEMU, "%s: %s", path, err->message);
}

void
snapshots_find_orphans(QemuDriver *qemu)
{
    g_auto(GStrv) names = dir_list(qemu->journal_dir, NULL);

    for (int i = 0; names && names[i]; i++) {
        g_autofree char *path = g_build_filename(qemu->journal_dir, names[i], NULL);
        g_autofree char *text = g_str_has_suffix(names[i], ".wal")
                                    ? g_strndup(names[i], strlen(names[i]) - strlen(".wal"))
                                    : NULL;
        g_autoptr(Guest) guest = NULL;
        guchar uuid[16];

        if (!text || !uuid_parse(text, uuid))
            continue;
        guest = guest_find(qemu, uuid);
        if (!guest)
            adopt_orphan(qemu, uuid, path);
    }
}
