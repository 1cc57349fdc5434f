/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The new overlays of a job: one for each disk, planned with everything that making them needs,
 * written down in the plan, then made, or withdrawn. Used by snapshot creation and by reverts. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "image/chain.h"
#include "image/overlay.h"
#include "job/job.h"
#include "model/domain.h"

typedef struct {
    char *target;    /* vda */
    char *base_path; /* the image it goes on; what a name of another protocol means is not opened */
    ImageFormat base_format;
    char *path;
    ImageFormat format;
    char *backing_name; /* as the header says it */
    guint64 size_bytes;
    guint cluster_bits;
    bool extended_l2;
    bool is_reused;  /* the user's own file: neither made nor removed */
    guint node;      /* number of its block nodes in a running guest; 0: none yet */
    guint base_node; /* of the image it goes on */
    FileMark mark;   /* what was made */
} NewOverlay;

void new_overlay_free(NewOverlay *overlay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NewOverlay, new_overlay_free)
GPtrArray *new_overlays_new(void);

/* An overlay at @path (qcow2) on the image @base_path. Looks at the image for size and layout. */
NewOverlay *new_overlay_plan(const char *target, const char *base_path, ImageFormat base_format,
                             const char *path, GError **err);

void new_overlays_save(const GPtrArray *overlays, Record *record);
GPtrArray *new_overlays_load(const Record *record);

/* The step: make all, write their identities down, publish them. */
bool new_overlays_make(Job *job, GPtrArray *overlays, uid_t uid, gid_t gid, GError **err);
/* After a crash: the identities from the journal. */
void new_overlays_recall(Job *job, GPtrArray *overlays);
bool new_overlays_withdraw(Job *job, GPtrArray *overlays, GError **err);

NewOverlay *new_overlays_find(const GPtrArray *overlays, const char *target);
/* The one that goes on the image at @base_path. */
NewOverlay *new_overlays_find_base(const GPtrArray *overlays, const char *base_path);
/* Put the overlay on top of what @disk has: it becomes the source, what was the source becomes the
 * backing store. */
void disk_put_on_overlay(Disk *disk, const NewOverlay *overlay);
