/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of the images that snapshots and reverts make. The ending of a file name tells people and
 * confinement rules what it is, so a revert keeps one: `disk.r7.qcow2`. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* `<stem>.<snapshot>` beside @path; the stem is the file name up to its last dot (the whole name
 * without one). */
char *image_name_for_snapshot(const char *path, const char *snapshot);
/* What reverts of a disk are named after: the file name of its oldest image without ending and
 * without `.r<N>`. */
char *image_name_stem(const char *base_path);
/* `<dir of beside>/<stem>.r<n>.qcow2`. */
char *image_name_for_revert(const char *beside, const char *stem, guint n);
/* The number in a name that image_name_for_revert made of @stem; 0 when it is none. */
guint image_name_revert_number(const char *path, const char *stem);
/* The greatest number that a file in the folder of @beside has under @stem. */
guint image_name_last_revert(const char *beside, const char *stem);
