/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New overlays, so that a crash at any instant leaves either no file, or one that is known as ours.
 *
 * 1. overlay_make     the file under a temporary name that carries the job's id; complete and synced
 * 2. (the job writes down its identity)
 * 3. overlay_publish  the final name, never over something that exists; the caller syncs the folders
 * overlay_withdraw goes back from anywhere between. Layout of the bytes: qcow2.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "image/chain.h"

typedef struct {
    const char *path;            /* final name; absolute */
    const char *job;             /* id of the job: goes into the temporary name */
    ImageFormat format;          /* QCOW2 or QED */
    guint64 size_bytes;
    guint cluster_bits;          /* 0: the format's default */
    bool extended_l2;
    const char *backing_name;    /* as written into the header; NULL: none */
    const char *backing_format;
    uid_t uid;                   /* (uid_t)-1: stays ours */
    gid_t gid;
} OverlaySpec;

bool overlay_make(const OverlaySpec *spec, ImageId *id, GError **err);
bool overlay_publish(const char *path, const char *job, ImageId id, GError **err);
/* Remove what overlay_make or overlay_publish left of @path: the temporary name of this job, and the final name
 * when it is the file @id (inode 0: never published). A file that is another one stays. */
bool overlay_withdraw(const char *path, const char *job, ImageId id, GError **err);
/* Sync each folder that one of @paths (NULL-terminated) lies in, once. */
bool overlay_sync_folders(const char *const *paths, GError **err);
/* Remove @path when it is the file @id, and sync its folder; a missing file is success, another one an error. */
bool image_remove(const char *path, ImageId id, GError **err);
