/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readers of /proc and /sys: small files that change under the reader, where absence is an answer and not an error. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The whole text (at most 1 MiB), or NULL when it cannot be read. */
char *proc_read(const char *path);
char *proc_read_bytes(const char *path, gsize *len);
/* A file that holds one number. */
bool proc_read_ullong(const char *path, unsigned long long *value);
/* The value behind "NAME:" or "NAME " at the beginning of a line, without blanks around it; NULL when absent. */
char *proc_find_field(const char *text, const char *name);
