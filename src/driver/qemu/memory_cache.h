/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a snapshot in a form that an emulator can map: IMAGE.map/ beside the save image
 * IMAGE, with the guest's RAM in sparse files and the rest of the stream in a small one.
 *
 * It is derived from the image and may be missing at any time; then the image is loaded as a stream.
 * The file `id` is written last and says which image it belongs to: without it, or with another
 * image, the folder counts for nothing. Its files are written once and never changed, because guests
 * may have mapped them; removing their names does no harm to those.
 *
 * It is made after the guest runs again, by one thread of lowest priority. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/qemu.h"

typedef struct MemoryCaches MemoryCaches;

typedef struct {
    char *name; /* of the block: the id of the memory object */
    char *path;
    guint64 size;
} MemoryBlock;

typedef struct {
    char *image_path;
    char *state_path;
    GPtrArray *blocks; /* of MemoryBlock */
} MemoryCache;

void memory_cache_free(MemoryCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemoryCache, memory_cache_free)

/* The driver's queue of work on caches; freeing it stops what is under way. */
MemoryCaches *memory_caches_new(QemuDriver *qemu);
void memory_caches_free(MemoryCaches *caches);

/* What belongs to the image at @image_path, whole; NULL: there is nothing of that kind. */
MemoryCache *memory_cache_open(const char *image_path);
const MemoryBlock *memory_cache_find(const MemoryCache *cache, const char *name);
/* Has a daemon that was killed left a part of one? */
bool memory_cache_is_unfinished(const char *image_path);

/* Make the cache of the image at @image_path, some time; does nothing when it is there or when the
 * configuration does not want it. */
void memory_cache_build_later(QemuDriver *qemu, const char *image_path);
/* Bring the files of @cache into the host's page cache, some time: the guest that has mapped them
 * will be saved faster. */
void memory_cache_warm_later(QemuDriver *qemu, const MemoryCache *cache);
/* Stop making the cache of @image_path and remove what there is. Returns when it is gone. */
void memory_cache_drop(QemuDriver *qemu, const char *image_path);
/* How far the making of it is; false: it is not being made. */
bool memory_cache_progress(QemuDriver *qemu, const char *image_path, guint64 *done_bytes,
                           guint64 *total_bytes);
/* The folder of @image_path's cache, and the bytes in it. */
char *memory_cache_folder(const char *image_path);
guint64 memory_cache_size(const char *image_path);
