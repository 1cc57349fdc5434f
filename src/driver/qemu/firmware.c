/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See firmware.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/firmware.h"

#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "driver/qemu/settings.h"

#define NVRAM_MAX_BYTES (64 * 1024 * 1024)
#define NOTE "nvram-mark"

const char *
firmware_nvram_path(const Domain *machine)
{
    const OsNvram *nvram = machine ? machine->os.nvram : NULL;

    if (!nvram || (nvram->type != STORAGE_TYPE_UNSET && nvram->type != STORAGE_TYPE_FILE))
        return NULL;
    return nvram->text ? nvram->text : nvram->source.file;
}

char *
firmware_copy_path(const DomainSnapshot *snapshot)
{
    const char *path = firmware_nvram_path(snapshot->domain);

    return path ? g_strdup_printf("%s.%s", path, snapshot->name) : NULL;
}

static bool
write_copy(Job *job, const char *temporary, const char *bytes, gsize len, FileMark *mark,
           GError **err)
{
    auto_fd int fd = -1;

    unlink(temporary);
    fd = file_create_new(temporary, 0600, err);
    if (fd < 0)
        return false;
    if (!fd_write_all(fd, bytes, len) || fsync(fd) < 0)
        return fail_errno(err, "write", temporary);
    return file_mark_of_fd(fd, temporary, mark, err);
}

bool
firmware_copy_make(Job *job, const char *from, const char *path, GError **err)
{
    g_autofree char *temporary = overlay_temporary_name(path, job_id(job));
    const char *const paths[] = {path, NULL};
    g_autoptr(Record) note = record_new();
    gsize len = 0;
    g_autofree char *bytes = file_read(from, NVRAM_MAX_BYTES, &len, err);
    g_autofree char *mark_text = NULL;
    FileMark mark;

    if (!bytes || !write_copy(job, temporary, bytes, len, &mark, err))
        return false;
    mark_text = file_mark_format(mark);
    record_add(note, NOTE, mark_text);
    return job_note(job, note, err) && job_fault(job, "copy", err) &&
           overlay_publish(path, job_id(job), mark, err) && overlay_sync_folders(paths, err);
}

FileMark
firmware_copy_mark(const Job *job)
{
    const Record *note = job_find_note(job, NOTE);
    FileMark mark = {0};

    if (note)
        file_mark_parse(record_get(note, NOTE), &mark);
    return mark;
}

bool
firmware_copy_withdraw(Job *job, const char *path, GError **err)
{
    return overlay_withdraw(path, job_id(job), firmware_copy_mark(job), err);
}

bool
firmware_put(QemuDriver *qemu, const char *from, const char *path, GError **err)
{
    const QemuConfig *config = qemu->config;
    gsize len = 0;
    g_autofree char *bytes = file_read(from, NVRAM_MAX_BYTES, &len, err);

    if (!bytes || !file_write_atomic(path, bytes, len, 0600, err))
        return false;
    if (config->has_owner && lchown(path, config->uid, config->gid) < 0)
        return fail_errno(err, "give to the emulator's user", path);
    return true;
}
