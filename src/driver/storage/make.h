/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of a new volume: made under a temporary name, then put in its place. Raw files, folders and plain qcow2 images are
 * written here; what needs more (LUKS, preallocation, other formats, conversion) is done by qemu-img (tool.h). On a worker. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/pool.h"
#include "object/driver.h"

typedef struct {
    const DriverHost *host;
    const StorageVolume *info;      /* capacity, allocation, format, path are filled in */
    const char *part;               /* temporary path */
    const StorageVolume *source;    /* a copy of this one; NULL: empty */
    bool preallocates, must_share;  /* metadata; blocks of the source (reflink) */
    GBytes *secret, *source_secret; /* NULL: not encrypted */
} MakeSpec;

/* Can volumes like this be made at all? Pure. @has_source: as a copy. */
bool make_check(const StorageVolume *info, bool preallocates, GError **err);
/* Passphrase of an encrypted volume; true with *@secret NULL when it is not encrypted. */
bool make_find_secret(const DriverHost *host, const StorageVolume *info, GBytes **secret,
                      GError **err);
/* Make it and put it at its path, which must be free. False: nothing is left. */
bool make_volume(const MakeSpec *spec, GError **err);
