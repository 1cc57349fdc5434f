/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See memory_save.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/memory_save.h"

#include <fcntl.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/migrate_file.h"
#include "driver/qemu/save_image.h"

#define SETTLE_MS 5

MemorySave *
memory_save_new(const Guest *guest, const char *path)
{
    MemorySave *save = g_new0(MemorySave, 1);

    save->path = g_strdup(path);
    save->xml = domain_format(guest_live(guest), MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE |
                                                     MODEL_FORMAT_MIGRATABLE);
    save->was_running = guest->state == VIR_DOMAIN_RUNNING;
    save->resumes = -1;
    save->pause_reason = VIR_DOMAIN_PAUSED_SNAPSHOT;
    return save;
}

void
memory_save_free(MemorySave *save)
{
    if (!save)
        return;
    g_free(save->path);
    g_free(save->xml);
    g_free(save);
}

void
memory_save_to_record(const MemorySave *save, Record *record)
{
    if (!save)
        return;
    record_add(record, "memory", save->path);
    record_add_bool(record, "was-running", save->was_running);
    record_add_bool(record, "replaces", save->replaces);
}

/* The definition is in the file already, or nothing of it is kept. */
MemorySave *
memory_save_from_record(const Record *record)
{
    const char *path = record_get(record, "memory");
    MemorySave *save = path ? g_new0(MemorySave, 1) : NULL;

    if (!save)
        return NULL;
    save->path = g_strdup(path);
    save->was_running = record_get_bool(record, "was-running");
    save->replaces = record_get_bool(record, "replaces");
    return save;
}

static void
recall_mark(Job *job, MemorySave *save)
{
    const Record *note = job_find_note(job, "memory-mark");

    if (note)
        file_mark_parse(record_get(note, "memory-mark"), &save->mark);
}

static Emulator *
running_emulator(const Guest *guest)
{
    return guest->emulator && emulator_is_running(guest->emulator) ? guest->emulator : NULL;
}

static void
on_emulator_event(Emulator *emulator, const char *event, const Json *data, gpointer opaque)
{
    if (!event || g_str_equal(event, "MIGRATION"))
        job_wake(opaque);
}

static void
wake_again(void *job)
{
    job_wake(job);
}

static void
release_job(gpointer job)
{
    job_unref(job);
}

static bool
start_saving(Job *job, MemorySave *save, Emulator *emulator, GError **err)
{
    Guest *guest = job_context(job);
    g_autofree char *path = overlay_temporary_name(save->path, job_id(job));
    bool resumes = save->resumes < 0 ? save->was_running : save->resumes;
    g_autoptr(Record) note = record_new();
    g_autofree char *mark = NULL;
    auto_fd int fd = -1;

    if (save->was_running && !guest_pause(guest, save->pause_reason, err))
        return false;
    unlink(path);
    fd = save_image_create(path, save->xml, NULL, resumes, err);
    if (fd < 0 || !file_mark_of_fd(fd, path, &save->mark, err))
        return false;
    mark = file_mark_format(save->mark);
    record_add(note, "memory-mark", mark);
    if (!job_note(job, note, err) || !job_fault(job, "migrate", err))
        return false;
    emulator_add_listener(emulator, on_emulator_event, job);
    save->has_started = true;
    return migrate_file_save(emulator, fd, err);
}

static void
stop_listening(Job *job, MemorySave *save)
{
    Guest *guest = job_context(job);

    if (save->has_started && guest->emulator)
        emulator_remove_listener(guest->emulator, on_emulator_event, job);
    save->has_started = false;
}

static bool
finish_saving(Job *job, MemorySave *save, GError **err)
{
    g_autofree char *path = overlay_temporary_name(save->path, job_id(job));
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    stop_listening(job, save);
    if (fd < 0)
        return fail_errno(err, "open", path);
    return job_fault(job, "complete", err) && save_image_complete(fd, path, err);
}

StepResult
memory_save_run(Job *job, MemorySave *save, GError **err)
{
    Guest *guest = job_context(job);
    Emulator *emulator = running_emulator(guest);
    MigrateProgress progress;

    if (!emulator) {
        fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name);
        return STEP_FAILED;
    }
    if (!save->has_started)
        return start_saving(job, save, emulator, err) ? STEP_WAIT : STEP_FAILED;
    if (!migrate_file_look(emulator, &progress, err))
        return STEP_FAILED;
    job_set_progress(job, progress.done_bytes, progress.total_bytes);
    switch (progress.state) {
    case MIGRATE_ACTIVE:
        return STEP_WAIT;
    case MIGRATE_SETTLING:
        loop_timer_start(guest->qemu->host->loop, SETTLE_MS, wake_again, job_ref(job), release_job);
        return STEP_WAIT;
    case MIGRATE_DONE:
        return finish_saving(job, save, err) ? STEP_DONE : STEP_FAILED;
    case MIGRATE_FAILED:
        break;
    }
    return STEP_FAILED;
}

bool
memory_save_undo(Job *job, MemorySave *save, GError **err)
{
    Guest *guest = job_context(job);
    Emulator *emulator = running_emulator(guest);

    stop_listening(job, save);
    recall_mark(job, save);
    if (emulator && !migrate_file_cancel(emulator, err) && emulator_is_running(emulator))
        return false;
    g_clear_error(err);
    if (emulator && save->was_running && emulator_is_running(emulator) &&
        guest->state == VIR_DOMAIN_PAUSED &&
        !guest_resume(guest, VIR_DOMAIN_RUNNING_SAVE_CANCELED, err))
        return false;
    return overlay_withdraw(save->path, job_id(job), save->mark, err);
}

bool
memory_save_publish(Job *job, MemorySave *save, GError **err)
{
    g_autofree char *temporary = overlay_temporary_name(save->path, job_id(job));
    const char *const paths[] = {save->path, NULL};

    recall_mark(job, save);
    if (save->replaces && file_exists(temporary))
        return file_rename(temporary, save->path, err);
    return overlay_publish(save->path, job_id(job), save->mark, err) &&
           overlay_sync_folders(paths, err);
}
