/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about disks of a guest and their block jobs: how far a job is, its speed, its end; a disk's size; a look into an
 * image. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/snapshot.h"

/* ---- shared by the calls that begin jobs ---- */

static const Disk *
require_disk(const Guest *guest, const char *name, GError **err)
{
    const Disk *disk = domain_find_disk(guest_domain(guest), name);

    if (!disk)
        fail(err, VIR_ERR_INVALID_ARG, "disk '%s' not found in domain", name);
    return disk;
}

const Disk *
disk_job_prepare(Guest *guest, const char *name, GError **err)
{
    const Disk *disk;

    if (!guest_require_running(guest, err))
        return NULL;
    disk = require_disk(guest, name, err);
    if (!disk || !guest_require_idle(guest, err) ||
        !disk_job_require_none(guest, disk->target.dev, err) ||
        !checkpoints_require_none(guest, "a block job", err))
        return NULL;
    if (disk_source_is_empty(disk->type, &disk->source) || disk->readonly)
        return fail_null(err, VIR_ERR_OPERATION_UNSUPPORTED,
                         "disk '%s' is empty or read-only: it can have no block job",
                         disk->target.dev);
    if (!disk_source_is_local(disk->type, &disk->source))
        return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "disk %s: block jobs on source type '%s' are not supported",
                         disk->target.dev, storage_type_to_string(disk->type));
    return disk;
}

bool
disk_job_bandwidth(guint64 bandwidth, bool is_bytes, guint64 *bytes, GError **err)
{
    guint64 most = is_bytes ? G_MAXINT64 : G_MAXINT64 >> 20;

    if (bandwidth > most)
        return fail(err, VIR_ERR_OVERFLOW, "bandwidth must be less than %" G_GUINT64_FORMAT, most);
    *bytes = is_bytes ? bandwidth : bandwidth << 20;
    return true;
}

/* ---- a job: progress, speed, end ---- */

static Job *
require_job(Guest *guest, const char *name, GError **err)
{
    const Disk *disk;
    Job *job;

    if (!guest_require_running(guest, err))
        return NULL;
    disk = require_disk(guest, name, err);
    if (!disk)
        return NULL;
    job = disk_job_find(guest, disk->target.dev);
    if (!job)
        return fail_null(err, VIR_ERR_INVALID_ARG, "disk %s does not have an active block job",
                         disk->target.dev);
    return job;
}

static void
fill_info(RemoteDomainGetBlockJobInfoRet *ret, const Json *info, bool in_bytes)
{
    guint64 speed = (guint64)json_integer_value(json_object_get(info, "speed"));
    bool is_ready = json_is_true(json_object_get(info, "ready"));

    ret->cur = (guint64)json_integer_value(json_object_get(info, "offset"));
    ret->end = (guint64)json_integer_value(json_object_get(info, "len"));
    ret->bandwidth = in_bytes ? speed : (speed + (1 << 20) - 1) >> 20;
    /* Equal numbers mean "ready" to clients, so they are equal then and only then. */
    if (!is_ready && ret->cur == ret->end && ret->cur > 0)
        ret->cur--;
    else if (!is_ready && ret->cur == ret->end)
        ret->end++;
    else if (is_ready && ret->end == 0)
        ret->cur = ret->end = 1;
}

static bool
domain_get_block_job_info(Call *call, const RemoteDomainGetBlockJobInfoArgs *args,
                          RemoteDomainGetBlockJobInfoRet *ret, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(Json) jobs = NULL;
    g_autofree char *id = NULL;
    const Disk *disk;
    json_t *info;
    Job *job;
    gsize i;

    if (!flags_check(args->flags, VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES,
                     "qemuDomainGetBlockJobInfo", err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    if (!guest || !guest_require_running(guest, err))
        return false;
    disk = require_disk(guest, args->path, err);
    job = disk ? disk_job_find(guest, disk->target.dev) : NULL;
    if (!job)
        return disk != NULL;
    jobs = qmp_call(guest->emulator->qmp, "query-block-jobs", NULL, err);
    if (!jobs)
        return false;
    id = disk_job_qemu_id(job);
    ret->type = ((const DiskJobPlan *)job_plan(job))->type;
    ret->found = 1;
    json_array_foreach(jobs, i, info)
    {
        if (g_strcmp0(json_string_value(json_object_get(info, "device")), id) == 0) {
            fill_info(ret, info, args->flags & VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES);
            return true;
        }
    }
    ret->end = 1; /* it is being finished */
    return true;
}

static bool
domain_block_job_set_speed(Call *call, const RemoteDomainBlockJobSetSpeedArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autofree char *id = NULL;
    guint64 bytes = 0;
    Job *job;

    if (!flags_check(args->flags, VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES,
                     "qemuDomainBlockJobSetSpeed", err) ||
        !disk_job_bandwidth(args->bandwidth,
                            args->flags & VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES, &bytes, err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    job = guest ? require_job(guest, args->path, err) : NULL;
    if (!job)
        return false;
    id = disk_job_qemu_id(job);
    return qmp_run(guest->emulator->qmp, "block-job-set-speed",
                   json_pack("{s:s, s:I}", "device", id, "speed", (json_int_t)bytes), err);
}

static bool
check_pivot(const DiskJobPlan *plan, GError **err)
{
    if (plan->type != VIR_DOMAIN_BLOCK_JOB_TYPE_COPY &&
        plan->type != VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "job on disk '%s' cannot be pivoted: only copies and active commits can",
                    plan->target);
    return plan->is_ready ||
           fail(err, VIR_ERR_BLOCK_COPY_ACTIVE,
                "block copy of disk %s not ready for pivot yet: wait for its ready event",
                plan->target);
}

static bool
domain_block_job_abort(Call *call, const RemoteDomainBlockJobAbortArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    DiskJobPlan *plan;
    Job *job;

    if (!flags_check(args->flags,
                     VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC | VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT,
                     "qemuDomainBlockJobAbort", err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    job = guest ? require_job(guest, args->path, err) : NULL;
    if (!job)
        return false;
    plan = job_plan(job);
    if (args->flags & VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT && !check_pivot(plan, err))
        return false;
    if (plan->wants_stop || plan->wants_pivot)
        return fail(err, VIR_ERR_OPERATION_INVALID, "block job on disk '%s' is still being ended",
                    plan->target);
    plan->wants_pivot = args->flags & VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT;
    plan->wants_stop = !plan->wants_pivot;
    if (!(args->flags & VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC)) {
        call_defer(call);
        g_ptr_array_add(plan->waiting, call);
    }
    job_wake(job);
    return true;
}

/* ---- size ---- */

static bool
domain_block_resize(Call *call, const RemoteDomainBlockResizeArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autofree char *node = NULL;
    guint64 bytes = args->size;
    const Disk *disk;

    if (!flags_check(args->flags, VIR_DOMAIN_BLOCK_RESIZE_BYTES, "qemuDomainBlockResize", err))
        return false;
    if (!(args->flags & VIR_DOMAIN_BLOCK_RESIZE_BYTES)) {
        if (bytes > G_MAXINT64 / 1024)
            return fail(err, VIR_ERR_OVERFLOW, "size must be less than %" G_GINT64_FORMAT,
                        G_MAXINT64 / 1024);
        bytes *= 1024;
    }
    guest = guest_of_call(call, &args->dom, err);
    if (!guest || !guest_require_running(guest, err) || !guest_require_idle(guest, err))
        return false;
    disk = domain_find_disk(guest_live(guest), args->disk);
    if (!disk)
        return fail(err, VIR_ERR_INVALID_ARG, "disk '%s' was not found in the domain config",
                    args->disk);
    if (disk_source_is_empty(disk->type, &disk->source) || disk->readonly)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "can't resize empty or readonly disk '%s'",
                    disk->target.dev);
    if (!disk_job_require_none(guest, disk->target.dev, err))
        return false;
    /* These formats have whole sectors only. */
    if (disk->driver.type == STORAGE_FORMAT_QCOW2 || disk->driver.type == STORAGE_FORMAT_QED)
        bytes = (bytes + 511) / 512 * 512;
    node = node_format_name(disk->source.index);
    if (!qmp_run(guest->emulator->qmp, "block_resize",
                 json_pack("{s:s, s:I}", "node-name", node, "size", (json_int_t)bytes), err))
        return false;
    log_info(LOG_QEMU, "%s: disk %s has %" G_GUINT64_FORMAT " bytes now", guest->name,
             disk->target.dev, bytes);
    return true;
}

/* ---- a look into a raw image ---- */

static bool
peek(const Disk *disk, const RemoteDomainBlockPeekArgs *args, RemoteDomainBlockPeekRet *ret,
     GError **err)
{
    const char *path = disk_source_path(disk->type, &disk->source);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got;

    if (fd < 0)
        return fail_errno(err, "open", path);
    ret->buffer.items = g_malloc(args->size);
    got = pread(fd, ret->buffer.items, args->size, (off_t)args->offset);
    if (got < 0)
        return fail_errno(err, "read", path);
    if ((guint64)got < args->size)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "'%s' starting from %" G_GUINT64_FORMAT " has only %zd bytes available",
                    disk->target.dev, args->offset, got);
    ret->buffer.count = args->size;
    return true;
}

static bool
domain_block_peek(Call *call, const RemoteDomainBlockPeekArgs *args, RemoteDomainBlockPeekRet *ret,
                  GError **err)
{
    enum { PEEK_MAX = 4 << 20 };
    g_autoptr(View) view = NULL;
    const GuestView *guest;
    const Machine *machine;
    const Disk *disk;

    if (!flags_check(args->flags, 0, "qemuDomainBlockPeek", err))
        return false;
    if (args->size > PEEK_MAX || args->offset > G_MAXINT64 - PEEK_MAX)
        return fail(err, VIR_ERR_INVALID_ARG, "at most %d bytes can be read at a time", PEEK_MAX);
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    guest = (const GuestView *)view;
    machine = guest->live ? guest->live : guest->config;
    disk = domain_find_disk(machine_domain(machine), args->path);
    if (!disk)
        return fail(err, VIR_ERR_INVALID_ARG, "disk '%s' not found in domain", args->path);
    if (disk_image_format(disk) != IMAGE_FORMAT_RAW)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "peeking is only supported for disk with 'raw' format not '%s'",
                    storage_format_to_string(disk->driver.type));
    if (!disk_source_is_local(disk->type, &disk->source))
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "disk %s has no local file to look at",
                    disk->target.dev);
    return peek(disk, args, ret, err);
}

void
block_call_slots(DriverSlots *slots)
{
    slots->domain_get_block_job_info = domain_get_block_job_info;
    slots->domain_block_job_set_speed = domain_block_job_set_speed;
    slots->domain_block_job_abort = domain_block_job_abort;
    slots->domain_block_resize = domain_block_resize;
    slots->domain_block_peek = domain_block_peek;
}
