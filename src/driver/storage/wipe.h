/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overwriting a file so that what it held cannot be read any more. On a worker; takes as long as the bytes take. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* @algorithm: virStorageVolWipeAlgorithm. Each pass is synced before the next begins. */
bool wipe_file(const char *path, guint algorithm, GError **err);
/* Is it one of ours? */
bool wipe_check(guint algorithm, GError **err);
