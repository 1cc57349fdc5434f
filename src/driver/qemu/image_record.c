/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See image_record.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/image_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/json.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

typedef struct {
    FileMark mark;
    char *job;
} MadeImage;

struct ImageRecords {
    char *path;
    GHashTable *images;  /* path -> MadeImage */
    GHashTable *reverts; /* "DIR/STEM" -> number */
};

static void
made_image_free(MadeImage *image)
{
    g_free(image->job);
    g_free(image);
}

void
image_records_free(ImageRecords *records)
{
    if (!records)
        return;
    g_hash_table_unref(records->images);
    g_hash_table_unref(records->reverts);
    g_free(records->path);
    g_free(records);
}

static bool
read_images(ImageRecords *records, const Json *root)
{
    const char *path;
    json_t *entry;

    json_object_foreach(json_object_get(root, "images"), path, entry)
    {
        const char *mark = json_string_value(json_object_get(entry, "mark"));
        FileMark parsed;

        if (!file_mark_parse(mark, &parsed))
            return false;
        image_records_add(records, path, parsed, json_string_value(json_object_get(entry, "job")));
    }
    json_object_foreach(json_object_get(root, "reverts"), path, entry) g_hash_table_insert(
        records->reverts, g_strdup(path), GUINT_TO_POINTER((guint)json_integer_value(entry)));
    return true;
}

static char *
path_of(QemuDriver *qemu, const guchar uuid[16])
{
    char uuid_text[UUID_TEXT];

    uuid_format(uuid, uuid_text);
    return g_strdup_printf("%s/images/%s.json", qemu->lib_dir, uuid_text);
}

bool
image_records_forget(QemuDriver *qemu, const guchar uuid[16], GError **err)
{
    g_autofree char *path = path_of(qemu, uuid);

    return file_remove(path, err);
}

ImageRecords *
image_records_load(QemuDriver *qemu, const guchar uuid[16], GError **err)
{
    g_autoptr(ImageRecords) records = g_new0(ImageRecords, 1);
    g_autofree char *text = NULL;
    g_autoptr(Json) root = NULL;
    gsize len;

    records->path = path_of(qemu, uuid);
    records->images =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)made_image_free);
    records->reverts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!file_exists(records->path))
        return g_steal_pointer(&records);
    text = file_read(records->path, FILE_MAX_BYTES, &len, err);
    if (!text)
        return NULL;
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root) || !read_images(records, root))
        return fail_null(err, VIR_ERR_OPERATION_FAILED,
                         "the record of images in '%s' cannot be read", records->path);
    return g_steal_pointer(&records);
}

const FileMark *
image_records_find(const ImageRecords *records, const char *path)
{
    const MadeImage *image = g_hash_table_lookup(records->images, path);

    return image ? &image->mark : NULL;
}

static int
compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *
image_records_paths(const ImageRecords *records)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer path;

    g_hash_table_iter_init(&iter, records->images);
    while (g_hash_table_iter_next(&iter, &path, NULL))
        g_ptr_array_add(paths, g_strdup(path));
    g_ptr_array_sort(paths, compare_paths);
    return paths;
}

void
image_records_add(ImageRecords *records, const char *path, FileMark mark, const char *job)
{
    MadeImage *image = g_new0(MadeImage, 1);

    image->mark = mark;
    image->job = g_strdup(job ? job : "");
    g_hash_table_replace(records->images, g_strdup(path), image);
}

void
image_records_remove(ImageRecords *records, const char *path)
{
    g_hash_table_remove(records->images, path);
}

guint
image_records_last_revert(const ImageRecords *records, const char *dir, const char *stem)
{
    g_autofree char *key = g_strdup_printf("%s/%s", dir, stem);

    return GPOINTER_TO_UINT(g_hash_table_lookup(records->reverts, key));
}

void
image_records_use_revert(ImageRecords *records, const char *dir, const char *stem, guint number)
{
    char *key = g_strdup_printf("%s/%s", dir, stem);
    guint last = GPOINTER_TO_UINT(g_hash_table_lookup(records->reverts, key));

    g_hash_table_replace(records->reverts, key, GUINT_TO_POINTER(MAX(last, number)));
}

static Json *
records_to_json(const ImageRecords *records)
{
    Json *images = json_object(), *reverts = json_object();
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, records->images);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const MadeImage *image = value;
        g_autofree char *mark = file_mark_format(image->mark);

        json_object_set_new(images, key, json_pack("{s:s, s:s}", "mark", mark, "job", image->job));
    }
    g_hash_table_iter_init(&iter, records->reverts);
    while (g_hash_table_iter_next(&iter, &key, &value))
        json_object_set_new(reverts, key, json_integer(GPOINTER_TO_UINT(value)));
    return json_pack("{s:o, s:o}", "images", images, "reverts", reverts);
}

bool
image_records_save(ImageRecords *records, GError **err)
{
    g_autofree char *dir = g_path_get_dirname(records->path);
    g_autoptr(Json) root = NULL;
    char *text;
    bool done;

    if (g_hash_table_size(records->images) == 0 && g_hash_table_size(records->reverts) == 0)
        return file_remove(records->path, err);
    root = records_to_json(records);
    text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
    done =
        dir_make(dir, 0700, err) && file_write_atomic(records->path, text, strlen(text), 0600, err);
    free(text);
    return done;
}
