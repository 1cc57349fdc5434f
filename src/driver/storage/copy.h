/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving bytes between files of this host. On a worker. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Copy the file at @from to the beginning of @fd, holes as holes. @must_share: share its blocks (reflink) or fail. */
bool copy_file(const char *from, int fd, bool must_share, GError **err);
/* Write @bytes zeros from the beginning of @fd on. @path is for errors. */
bool copy_zeros(int fd, guint64 bytes, const char *path, GError **err);
