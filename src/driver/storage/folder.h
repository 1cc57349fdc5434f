/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lies in a pool's folder: each file, block device and folder is a volume. Formats are found by their first bytes, as
 * users of pools expect; whoever gives a volume to a guest writes the format down (see image/header.h for why). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "model/pool.h"

/* All volumes, sorted by name: an array of StorageVolume. What cannot be opened is left out and logged. */
GPtrArray *folder_read(const char *path, GError **err);
/* One volume, from its open file. */
StorageVolume *folder_probe(const char *name, const char *path, int fd, GError **err);

/* Sizes, owner and times of @st into @info; capacity and format stay. */
void folder_set_facts(StorageVolume *info, const struct stat *st);
StoragePermissions *folder_permissions(const struct stat *st);
VolumeTimestamps *folder_timestamps(const char *path, const struct stat *st);

/* Names of files that are being made: `.NAME.XXXXXXXX.part`, held by a lock as long as their maker lives. */
char *folder_part_name(const char *name);
bool folder_is_part(const char *name);
/* Remove those of makers that are gone. @is_ours, which may be NULL: is this one, which need not be locked yet, being made? */
void folder_sweep(const char *path, bool (*is_ours)(const char *part, void *data), void *data);
