/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools and volumes: what the types and formats are, for the rules of the models (pool.c, volume.c) and for drivers. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/model-pool.h"
#include "gen/model-volume.h"

/* Parts of <source> that a type has. */
enum {
    POOL_HAS_HOST = 1 << 0,
    POOL_HAS_DEVICE = 1 << 1,
    POOL_HAS_DIR = 1 << 2,
    POOL_HAS_ADAPTER = 1 << 3,
    POOL_HAS_NAME = 1 << 4,
    POOL_HAS_INITIATOR = 1 << 5,
    POOL_NEEDS_HOST = 1 << 6,
    POOL_NEEDS_DEVICE = 1 << 7,
    POOL_IS_NETWORK = 1 << 8,   /* its volumes are at no path of this host */
    POOL_MAKES_IMAGES = 1 << 9, /* its volumes are image files */
    POOL_HAS_MOUNT_OPTS = 1 << 10,
};

typedef struct {
    guint parts;
    const char *const *formats; /* of the source, NULL-terminated; NULL: it has none */
    const char *default_format;
    const char *const *volume_formats; /* NULL: none are said */
    const char *default_volume_format;
} PoolTypeInfo;

const PoolTypeInfo *pool_type_info(PoolType type);
bool pool_type_has_format(PoolType type, const char *format);
/* Is @format one that volumes of a directory may have? */
bool volume_format_is_known(const char *format);

/* Parse, fill and check a user's definition; a UUID is made when there is none. */
StoragePool *storage_pool_read(const char *xml, GError **err);
/* @is_copy: the capacity may be left out. */
StorageVolume *storage_volume_read(const char *xml, bool is_copy, GError **err);

/* @path without doubled slashes and without one at its end; two at its beginning stay. A new string. */
char *storage_path_clean(const char *path);
