/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking QEMU's migration stream apart: the pages of a guest's RAM go to sparse files at their
 * offsets, everything else becomes a small stream of its own, which loads into an emulator that has
 * those files mapped as its RAM.
 *
 * Absent pages keep what is mapped, so a stream without pages is complete. What the grammar does
 * not cover (another page size, compressed pages, other sections with contents of their own) is
 * refused with VIR_ERR_OPERATION_UNSUPPORTED: then the stream itself is loaded. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define MEMORY_PAGE_BYTES 4096

typedef struct {
    int in_fd;    /* read with pread */
    gint64 begin; /* where the stream begins */
    int state_fd; /* written from its present offset on */
    /* A descriptor, borrowed, for the pages of the block @name of @size bytes; -1 without @err: they
     * stay in the stream. Called once for each block. */
    int (*open_block)(void *opaque, const char *name, guint64 size, GError **err);
    /* Now and then, with how far it is; false stops it with VIR_ERR_OPERATION_ABORTED. */
    bool (*go_on)(void *opaque, guint64 done_bytes);
    void *opaque;
} MemorySplit;

bool memory_stream_split(const MemorySplit *split, GError **err);
