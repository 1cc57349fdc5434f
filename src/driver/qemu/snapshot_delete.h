/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a deletion: which images are merged, which go, which snapshots disappear. Made by
 * snapshot_delete.c, carried out by snapshot_delete_job.c, merge by merge in snapshot_merge.c.
 *
 * An image that a snapshot recorded stays while anybody else names it, or while two or more others
 * are backed by it. With one left it is merged with that one: its data up into it, or that one's
 * data down, whichever moves fewer bytes and keeps the files that users made. With none left it
 * goes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/block_job.h"
#include "driver/qemu/internal.h"
#include "driver/qemu/doomed_image.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/storage_daemon.h"

typedef struct {
    char *target;      /* disk, for names and messages */
    BlockJobKind kind; /* COMMIT: upper into lower; PULL: lower into upper */
    char *lower, *upper;
    ImageFormat lower_format, upper_format;
    bool lower_is_block_device;
    char *below;               /* what lower is backed by; NULL: nothing */
    GPtrArray *parents;        /* paths of images backed by upper */
    GPtrArray *parent_formats; /* of GINT_TO_POINTER(ImageFormat) */
    bool may_remove;           /* the file that is merged away is ours: */
    FileMark mark;

    /* While it runs. */
    char *job_id; /* started in an emulator or storage daemon of this process's life */
    bool is_listening;
    GError *failure; /* the block job is being cancelled because of this */
    StorageDaemon *daemon;
} ImageMerge;

typedef struct {
    GPtrArray *names;    /* snapshots that disappear */
    GPtrArray *merges;   /* of ImageMerge */
    GPtrArray *doomed;   /* of DoomedImage, tops first */
    GPtrArray *memories; /* of DoomedImage: memory files of the snapshots */
    GPtrArray *inside;   /* of InternalDisk: images that keep names[0] inside */
    bool drops_kept;     /* what a revert left goes (kept.h); @names is empty then */
    /* Deletions that follow this one in the same job, by name; each is planned when it is its turn, and noted. */
    GPtrArray *next;
    guint first_merge; /* merges that were planned before these */
    guint at;          /* merge that runs */
    bool has_begun;    /* merging, in this process */
    guint found;       /* problems before a repair (snapshot_repair.c) */
} DeletePlan;

void image_merge_free(ImageMerge *merge);
DeletePlan *delete_plan_new(void);
void delete_plan_free(DeletePlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DeletePlan, delete_plan_free)

/* End the storage daemon that a daemon before us left with a merge, wherever that was. */
bool snapshot_merge_end_daemon(Job *job, GError **err);
/* Run the merge, or go on with it. When it is done the machines and snapshots name the image that
 * is left. */
StepResult snapshot_merge_run(Job *job, ImageMerge *merge, guint number, GError **err);
/* What deleting @names[0] takes; the others follow. */
DeletePlan *snapshot_delete_plan_names(Guest *guest, const GPtrArray *names, GError **err);
