/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that must survive a power cut: every function here returns only after the disk has what it says.
 * Temporary files are named `.NAME.N.tmp` in the same folder; dir_sweep_tmp removes what a crash left of them. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Read a regular file of at most @max_bytes; NUL-terminated beyond @len. */
char *file_read(const char *path, size_t max_bytes, size_t *len, GError **err);
/* Replace @path by @len bytes: temporary file, fsync, rename, fsync of the folder. */
bool file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode, GError **err);
/* Unlink and fsync of the folder; a missing file is success. */
bool file_remove(const char *path, GError **err);
/* Rename within or between folders and fsync both. */
bool file_rename(const char *from, const char *to, GError **err);
/* O_CREAT|O_EXCL|O_NOFOLLOW, read-write; the descriptor or -1. The caller syncs file and folder. */
int file_create_new(const char *path, mode_t mode, GError **err);
bool file_exists(const char *path);

/* Make a folder and its parents; what exists is left as it is. */
bool dir_make(const char *path, mode_t mode, GError **err);
bool dir_sync(const char *path, GError **err);
/* fsync of the folder that @path lies in. */
bool dir_sync_parent(const char *path, GError **err);
/* Names in a folder, sorted, without . and ..; an absent folder is empty. Free with g_strfreev. */
char **dir_list(const char *path, GError **err);
void dir_sweep_tmp(const char *path);

/* True when @name can be a single file name: not empty, no '/', not . or .., at most 255 bytes. */
bool name_is_component(const char *name);
