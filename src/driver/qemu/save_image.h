/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file that a guest's memory is saved to: a header of 92 bytes, its definition, then QEMU's
 * migration stream. Managed saves, saves and the memory of snapshots have this one form, which
 * libvirt 9.0.0 reads and writes, too.
 *
 * While it is being written it says "incomplete" and has a temporary name
 * (overlay_temporary_name). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "image/overlay.h"

typedef enum {
    SAVE_RAW = 0,
    SAVE_GZIP,
    SAVE_BZIP2,
    SAVE_XZ,
    SAVE_LZOP,
} SaveCompression;

typedef struct {
    char *xml;
    char *cookie; /* NULL: none */
    bool was_running;
    bool is_complete;
    SaveCompression compression;
    guint32 room; /* bytes between header and stream */
    gint64 stream_offset;
} SaveImage;

void save_image_free(SaveImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SaveImage, save_image_free)

/* Begin a new, incomplete file; the descriptor stands where the stream begins. -1 with @err. */
int save_image_create(const char *path, const char *xml, const char *cookie, bool was_running,
                      GError **err);
/* The stream is complete: say so in the header and sync. */
bool save_image_complete(int fd, const char *path, GError **err);
/* Open for reading; @fd (may be NULL) stands where the stream begins. An incomplete file is an
 * error. */
SaveImage *save_image_open(const char *path, int *fd, GError **err);
/* Was it never finished: too short for a header, or marked as incomplete? */
bool save_image_is_partial(const char *path);
/* Put another definition and run state into a complete file; it must fit into the room that the
 * first one left. */
bool save_image_edit(const char *path, const char *xml, bool was_running, GError **err);
