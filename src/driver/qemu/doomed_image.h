/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that nobody will need once a job is done: found while it is planned, written down in the
 * plan, removed last and only if still nobody needs them. Only files that we made. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "driver/qemu/image_record.h"
#include "image/graph.h"
#include "job/record.h"

typedef struct {
    char *path;
    FileMark mark;
} DoomedImage;

GPtrArray *doomed_images_new(void);
void doomed_images_add(GPtrArray *images, const char *path, FileMark mark);
bool doomed_images_contain(const GPtrArray *images, const char *path);
/* In a plan, under the key @list. */
void doomed_images_save(const GPtrArray *images, Record *record, const char *list);
void doomed_images_load(GPtrArray *images, const Record *record, const char *list);

/* @machine goes: the images from its tops down to the first that somebody in @graph needs, or that
 * we did not make. The latter's path goes to @staying (may be NULL). */
void doomed_images_plan(GPtrArray *images, ImageGraph *graph, const ImageRecords *records,
                        const Domain *machine, GPtrArray *staying);
/* The same for a single file, such as a memory image; NULL is none. */
void doomed_images_plan_file(GPtrArray *images, const ImageGraph *graph,
                             const ImageRecords *records, const char *path);
/* Remove it unless @graph says that somebody needs it, which is logged and no failure. The caller
 * syncs the folder. */
bool doomed_image_remove(const Guest *guest, const DoomedImage *image, const ImageGraph *graph,
                         ImageRecords *records, GError **err);
