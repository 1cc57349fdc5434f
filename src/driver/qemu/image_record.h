/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we made for a domain: the images that snapshots and reverts created, by path and identity,
 * and the numbers that reverts have used. A file of our own, because upstream's files cannot hold
 * it: LIB/images/UUID.json.
 *
 * Only files that stand here are ever removed; one whose identity differs was put there by somebody
 * else. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/qemu.h"
#include "image/overlay.h"

typedef struct ImageRecords ImageRecords;

/* An absent file is an empty set of records. A file that does not parse is an error: nothing is
 * removed then. */
ImageRecords *image_records_load(QemuDriver *qemu, const guchar uuid[16], GError **err);
void image_records_free(ImageRecords *records);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageRecords, image_records_free)

/* The domain is gone: what was made for it is the user's now. */
bool image_records_forget(QemuDriver *qemu, const guchar uuid[16], GError **err);

/* The file we made at @path, or NULL. */
const FileMark *image_records_find(const ImageRecords *records, const char *path);
/* Paths of all of them, sorted. */
GPtrArray *image_records_paths(const ImageRecords *records);
void image_records_add(ImageRecords *records, const char *path, FileMark mark, const char *job);
void image_records_remove(ImageRecords *records, const char *path);
/* Highest number used for `DIR/STEM.rN.qcow2`. */
guint image_records_last_revert(const ImageRecords *records, const char *dir, const char *stem);
void image_records_use_revert(ImageRecords *records, const char *dir, const char *stem,
                              guint number);
/* Write, durably; without records the file goes. */
bool image_records_save(ImageRecords *records, GError **err);
