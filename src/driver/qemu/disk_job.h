/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block jobs that users start on a disk of a running guest: commit, pull, copy.
 *
 * Each is a job (src/job) with a journal of its own beside the guest's, because it runs for long and other changes of the
 * guest go on meanwhile: UUID.TARGET.wal. Plans are made by block_commit.c and block_copy.c, written down by
 * disk_job_plan.c, carried out by disk_job_run.c. A daemon that starts finds the journal, asks QEMU how far the job is, and
 * goes on. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/block_job.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/new_overlay.h"

typedef enum {
    DISK_JOB_UNFINISHED,
    DISK_JOB_DONE, /* pull, commit: all data moved; copy, active commit: the disk is on the other image */
    DISK_JOB_CANCELLED, /* the disk is where it was */
    DISK_JOB_FAILED,
} DiskJobOutcome;

/* An image of a chain, as a plan remembers it. */
typedef struct {
    char *path;
    ImageFormat format;
    bool is_block_device;
    FileMark mark;
} DiskJobImage;

typedef struct {
    int type; /* virDomainBlockJobType */
    char *target;
    guint64 bytes_per_second, granularity, buffer_bytes;
    bool is_shallow, is_synchronous; /* copy */
    bool deletes;                    /* commit: the images that gave their data go */
    char *top_path;                  /* what the disk was on when it began */
    ImageFormat top_format;

    guint disk_node, upper_node,
        base_node;     /* numbers; 0: none. upper: commit, the top of what moves */
    GPtrArray *gone;   /* commit, pull: DiskJobImage, lowest first: what leaves the chain */
    DiskJobImage base; /* commit: what takes the data; pull: what stays below. path NULL: nothing */
    DiskJobImage above; /* whose header names base afterwards; path NULL: none */
    char *backing;      /* as that header says it */
    GPtrArray *copies;  /* of NewOverlay, the file of a copy; empty otherwise */
    Disk *copy;         /* the disk as it will be on the copy, with node numbers */
    GArray *nodes;      /* guint: all nodes of the disk and of the copy, tops first */

    /* While it runs. */
    DiskJobOutcome outcome;
    char *why; /* it failed */
    Emulator *emulator;
    bool is_ready, is_started;
    bool wants_pivot, wants_stop;
    GPtrArray *waiting; /* of Call: answered when it has ended */
} DiskJobPlan;

DiskJobPlan *disk_job_plan_new(int type, const Disk *disk);
void disk_job_plan_free(DiskJobPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskJobPlan, disk_job_plan_free)
/* Note an image for the list of those that go. */
void disk_job_plan_add_gone(DiskJobPlan *plan, const char *path, ImageFormat format,
                            bool is_block_device);
void disk_job_plan_add_nodes(DiskJobPlan *plan, const Disk *disk);

extern const JobKind block_commit_kind, block_pull_kind, block_copy_kind;
/* disk_job_plan.c */
void disk_job_save_plan(const void *plan, Record *record);
void *disk_job_load_plan(const Record *record, GError **err);
void disk_job_drop_plan(void *plan);

/* ---- the guest's; on its strand ---- */
/* Write BEGIN and run it; @call is answered when it has started or could not. */
bool disk_job_begin(Guest *guest, DiskJobPlan *take_plan, Call *call, GError **err);
/* The one on the disk @target, or NULL. */
Job *disk_job_find(Guest *guest, const char *target);
/* VIR_ERR_BLOCK_COPY_ACTIVE when the disk has one. */
bool disk_job_require_none(Guest *guest, const char *target, GError **err);
/* VIR_ERR_OPERATION_INVALID when any disk has one. */
bool disk_jobs_require_none(const Guest *guest, GError **err);
/* QEMU's name of it. g_free. */
char *disk_job_qemu_id(const Job *job);

/* Journals that a daemon before us left for this guest. */
bool disk_jobs_are_left(const Guest *guest);
/* Take them up. */
void disk_jobs_recover(Guest *guest);
/* This daemon ends; the jobs go on. */
void disk_jobs_let_go(Guest *guest);

void guest_emit_block_job(Guest *guest, const char *target, int type, int status);

/* ---- slots ---- */
void block_commit_slots(DriverSlots *slots);
void block_copy_slots(DriverSlots *slots);
void block_call_slots(DriverSlots *slots);
/* What the calls that begin a job share: the guest runs, nothing changes it, and the disk has no job. */
const Disk *disk_job_prepare(Guest *guest, const char *name, GError **err);
/* MiB a second, or bytes with @is_bytes, as bytes. */
bool disk_job_bandwidth(guint64 bandwidth, bool is_bytes, guint64 *bytes, GError **err);
/* Begin a copy of @disk to @destination (a disk of which source, type and format count). */
typedef struct {
    guint64 bytes_per_second, granularity, buffer_bytes;
    bool is_shallow, is_reused, is_synchronous;
} CopyOptions;
bool disk_copy_begin(Guest *guest, const Disk *disk, const Disk *destination,
                     const CopyOptions *options, Call *call, GError **err);
