/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See doomed_image.h. */
#include "driver/qemu/doomed_image.h"

#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/snapshot.h"

static void
doomed_image_free(DoomedImage *image)
{
    g_free(image->path);
    g_free(image);
}

GPtrArray *
doomed_images_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)doomed_image_free);
}

void
doomed_images_add(GPtrArray *images, const char *path, FileMark mark)
{
    DoomedImage *image = g_new0(DoomedImage, 1);

    image->path = g_strdup(path);
    image->mark = mark;
    g_ptr_array_add(images, image);
}

bool
doomed_images_contain(const GPtrArray *images, const char *path)
{
    for (guint i = 0; i < images->len; i++) {
        if (g_strcmp0(((const DoomedImage *)images->pdata[i])->path, path) == 0)
            return true;
    }
    return false;
}

/* "going/3/path" */
static const char *
key_of(char *buffer, gsize size, const char *list, guint n, const char *word)
{
    g_snprintf(buffer, size, "%s/%u/%s", list, n, word);
    return buffer;
}

#define KEY(word) key_of(key, sizeof(key), list, i, word)

void
doomed_images_save(const GPtrArray *images, Record *record, const char *list)
{
    char key[64];

    record_add_u64(record, list, images->len);
    for (guint i = 0; i < images->len; i++) {
        const DoomedImage *image = images->pdata[i];
        g_autofree char *mark = file_mark_format(image->mark);

        record_add(record, KEY("path"), image->path);
        record_add(record, KEY("mark"), mark);
    }
}

void
doomed_images_load(GPtrArray *images, const Record *record, const char *list)
{
    guint64 count = record_get_u64(record, list);
    char key[64];

    for (guint i = 0; i < count; i++) {
        const char *path = record_get(record, KEY("path"));
        FileMark mark = {0};

        file_mark_parse(record_get(record, KEY("mark")), &mark);
        doomed_images_add(images, path, mark);
    }
}

/* ---- planning ---- */

static void
plan_disk(GPtrArray *images, ImageGraph *graph, const ImageRecords *records, const Disk *disk,
          GPtrArray *staying)
{
    const char *path = disk_source_path(disk->type, &disk->source);

    if (!path || !disk_is_kept(disk) || disk->type != STORAGE_TYPE_FILE)
        return;
    image_graph_add(graph, path, disk_image_format(disk));
    for (; path && !image_graph_is_held(graph, path); path = image_graph_below(graph, path)) {
        const FileMark *mark = image_records_find(records, path);

        if (!mark || image_count_snapshots(path) > 0) {
            if (staying)
                g_ptr_array_add(staying, g_strdup(path));
            return;
        }
        if (doomed_images_contain(images, path))
            return;
        doomed_images_add(images, path, *mark);
    }
}

void
doomed_images_plan(GPtrArray *images, ImageGraph *graph, const ImageRecords *records,
                   const Domain *machine, GPtrArray *staying)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++)
        plan_disk(images, graph, records, machine->disks[i], staying);
}

void
doomed_images_plan_file(GPtrArray *images, const ImageGraph *graph, const ImageRecords *records,
                        const char *path)
{
    const FileMark *mark = path ? image_records_find(records, path) : NULL;

    if (mark && !image_graph_is_held(graph, path))
        doomed_images_add(images, path, *mark);
}

/* ---- the deed ---- */

bool
doomed_image_remove(const Guest *guest, const DoomedImage *image, const ImageGraph *graph,
                    ImageRecords *records, GError **err)
{
    g_autoptr(GError) why = NULL;
    FileMark now;

    if (file_mark_of(image->path, &now) && !file_mark_equal(now, image->mark)) {
        log_warning(LOG_QEMU, "%s: '%s' is kept: it is not the file that was made there",
                    guest->name, image->path);
        image_records_remove(records, image->path);
        return true;
    }
    if (file_exists(image->path)) {
        if (!image_graph_may_remove(graph, image->path, image->mark, &why)) {
            log_warning(LOG_QEMU, "%s: %s", guest->name, why->message);
            return true;
        }
        if (!image_remove(image->path, image->mark, err))
            return false;
    }
    image_records_remove(records, image->path);
    memory_cache_drop(guest->qemu, image->path);
    log_debug(LOG_QEMU, "%s: '%s' is removed", guest->name, image->path);
    return true;
}
