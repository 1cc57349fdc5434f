/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New overlays, so that a crash at any instant leaves either no file, or one that is known as ours.
 *
 * 1. overlay_make     the file under a temporary name with the job's id
 * 2. overlay_sync     it is whole on the disk; several are made first, then synced: that is cheaper
 * 3. (the job writes down their identities)
 * 4. overlay_publish  the final name, never over what exists; the caller syncs the folders
 * overlay_withdraw goes back from anywhere between. Layout of the bytes: qcow2.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "image/chain.h"

/* Which file it is, in a form that may be written down: device numbers change from boot to boot,
 * these do not. */
typedef struct {
    guint64 inode;  /* 0: no file */
    gint64 born_ns; /* time of creation; 0 where the file system does not keep it */
} FileMark;

bool file_mark_of_fd(int fd, const char *path, FileMark *mark, GError **err);
/* Of @path itself, links not followed; false without @err being set when there is no file. */
bool file_mark_of(const char *path, FileMark *mark);
bool file_mark_equal(FileMark a, FileMark b);
/* "INODE BORN" and back. */
char *file_mark_format(FileMark mark);
bool file_mark_parse(const char *text, FileMark *mark);

typedef struct {
    const char *path;   /* final name; absolute */
    const char *job;    /* id of the job: goes into the temporary name */
    ImageFormat format; /* QCOW2 or QED */
    guint64 size_bytes;
    guint cluster_bits; /* 0: the format's default */
    bool extended_l2;
    const char *backing_name; /* as written into the header; NULL: none */
    const char *backing_format;
    uid_t uid; /* (uid_t)-1: stays ours */
    gid_t gid;
} OverlaySpec;

bool overlay_make(const OverlaySpec *spec, FileMark *mark, GError **err);
bool overlay_sync(const char *path, const char *job, GError **err);
bool overlay_publish(const char *path, const char *job, FileMark mark, GError **err);
/* Remove what overlay_make or overlay_publish left of @path: the temporary name of this job, and
 * the final name when it is the file @mark (inode 0: not known). A file that is another one
 * stays. */
bool overlay_withdraw(const char *path, const char *job, FileMark mark, GError **err);
/* Sync each folder that one of @paths (NULL-terminated) lies in, once. */
bool overlay_sync_folders(const char *const *paths, GError **err);
/* Remove @path when it is the file @mark; a missing file is success, another one an error. The caller
 * syncs the folder. */
bool image_remove(const char *path, FileMark mark, GError **err);
/* Where overlay_make works: the temporary name of @path for @job. */
char *overlay_temporary_name(const char *path, const char *job);
