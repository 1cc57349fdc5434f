/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between memory_cache.c (what is on disk) and memory_cache_build.c (who writes it). */
#pragma once

#include "driver/qemu/memory_cache.h"

MemoryCache *memory_cache_new(const char *image_path);
/* A block that is still to be written. */
MemoryBlock *memory_cache_add(MemoryCache *cache, const char *name, guint64 size);
/* What tells this image's stream, from @begin to the end of @fd, from all others; NULL: it cannot be
 * read. */
char *memory_cache_identify(int fd, gint64 begin, const char *image_path);
/* All files are synced: the cache counts from here on. */
bool memory_cache_write_id(const MemoryCache *cache, const char *identity, GError **err);
bool memory_cache_remove(const char *image_path, GError **err);
