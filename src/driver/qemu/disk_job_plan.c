/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a block job, in memory and in its journal. See disk_job.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/disk_job.h"

#include "base/error.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/snapshot.h"
#include "object/call.h"

static void
image_clear(DiskJobImage *image)
{
    g_clear_pointer(&image->path, g_free);
}

static void
image_free(void *data)
{
    image_clear(data);
    g_free(data);
}

static DiskJobPlan *
plan_new(void)
{
    DiskJobPlan *plan = g_new0(DiskJobPlan, 1);

    plan->gone = g_ptr_array_new_with_free_func(image_free);
    plan->copies = new_overlays_new();
    plan->nodes = g_array_new(FALSE, FALSE, sizeof(guint));
    plan->waiting = g_ptr_array_new();
    return plan;
}

DiskJobPlan *
disk_job_plan_new(int type, const Disk *disk)
{
    DiskJobPlan *plan = plan_new();

    plan->type = type;
    plan->target = g_strdup(disk->target.dev);
    plan->top_path = g_strdup(disk_source_path(disk->type, &disk->source));
    plan->top_format = disk_image_format(disk);
    plan->disk_node = disk->source.index;
    disk_job_plan_add_nodes(plan, disk);
    return plan;
}

void
disk_job_plan_free(DiskJobPlan *plan)
{
    if (!plan)
        return;
    g_ptr_array_unref(plan->gone);
    g_ptr_array_unref(plan->copies);
    g_ptr_array_unref(plan->waiting);
    g_array_unref(plan->nodes);
    image_clear(&plan->base);
    image_clear(&plan->above);
    disk_free(plan->copy);
    emulator_unref(plan->emulator);
    g_free(plan->target);
    g_free(plan->top_path);
    g_free(plan->backing);
    g_free(plan->why);
    g_free(plan);
}

void
disk_job_drop_plan(void *plan)
{
    disk_job_plan_free(plan);
}

void
disk_job_plan_add_gone(DiskJobPlan *plan, const char *path, ImageFormat format,
                       bool is_block_device)
{
    DiskJobImage *image = g_new0(DiskJobImage, 1);

    image->path = g_strdup(path);
    image->format = format;
    image->is_block_device = is_block_device;
    file_mark_of(path, &image->mark);
    g_ptr_array_insert(plan->gone, 0, image);
}

void
disk_job_plan_add_nodes(DiskJobPlan *plan, const Disk *disk)
{
    g_array_append_val(plan->nodes, disk->source.index);
    for (const BackingStore *layer = disk->backing_store;
         layer && layer->type != STORAGE_TYPE_UNSET; layer = layer->backing_store)
        g_array_append_val(plan->nodes, layer->index);
}

/* ---- on disk ---- */

static const char *
key_of(char *buffer, gsize size, const char *list, const char *word)
{
    g_snprintf(buffer, size, "%s/%s", list, word);
    return buffer;
}

#define KEY(list, word) key_of(key, sizeof(key), list, word)

static void
save_image(Record *record, const char *name, const DiskJobImage *image)
{
    g_autofree char *mark = file_mark_format(image->mark);
    char key[64];

    if (!image->path)
        return;
    record_add(record, KEY(name, "path"), image->path);
    record_add(record, KEY(name, "format"), image_format_to_string(image->format));
    record_add_bool(record, KEY(name, "block"), image->is_block_device);
    record_add(record, KEY(name, "mark"), mark);
}

static void
load_image(const Record *record, const char *name, DiskJobImage *image)
{
    char key[64];

    image->path = g_strdup(record_get(record, KEY(name, "path")));
    image->format = image_format_from_string(record_get(record, KEY(name, "format")));
    image->is_block_device = record_get_bool(record, KEY(name, "block"));
    file_mark_parse(record_get(record, KEY(name, "mark")), &image->mark);
}

void
disk_job_save_plan(const void *data, Record *record)
{
    const DiskJobPlan *plan = data;
    g_autofree char *copy = plan->copy ? disk_format(plan->copy, MODEL_FORMAT_STATUS) : NULL;
    char key[64];

    record_add_u64(record, "type", (guint64)plan->type);
    record_add(record, "target", plan->target);
    record_add_u64(record, "bandwidth", plan->bytes_per_second);
    record_add_bool(record, "shallow", plan->is_shallow);
    record_add_bool(record, "deletes", plan->deletes);
    record_add(record, "top", plan->top_path);
    record_add(record, "top-format", image_format_to_string(plan->top_format));
    record_add_u64(record, "disk-node", plan->disk_node);
    record_add_u64(record, "upper-node", plan->upper_node);
    record_add_u64(record, "base-node", plan->base_node);
    record_add(record, "backing", plan->backing);
    save_image(record, "base", &plan->base);
    save_image(record, "above", &plan->above);
    record_add_u64(record, "gone", plan->gone->len);
    for (guint i = 0; i < plan->gone->len; i++) {
        g_snprintf(key, sizeof(key), "gone/%u", i);
        save_image(record, key, plan->gone->pdata[i]);
    }
    new_overlays_save(plan->copies, record);
    record_add(record, "copy", copy);
    record_add_u64(record, "nodes", plan->nodes->len);
    for (guint i = 0; i < plan->nodes->len; i++) {
        g_snprintf(key, sizeof(key), "node/%u", i);
        record_add_u64(record, key, g_array_index(plan->nodes, guint, i));
    }
}

static void
load_lists(const Record *record, DiskJobPlan *plan)
{
    guint64 gone = record_get_u64(record, "gone");
    guint64 nodes = record_get_u64(record, "nodes");
    char key[64];

    for (guint i = 0; i < gone; i++) {
        DiskJobImage *image = g_new0(DiskJobImage, 1);

        g_snprintf(key, sizeof(key), "gone/%u", i);
        load_image(record, key, image);
        g_ptr_array_add(plan->gone, image);
    }
    for (guint i = 0; i < nodes; i++) {
        guint node;

        g_snprintf(key, sizeof(key), "node/%u", i);
        node = (guint)record_get_u64(record, key);
        g_array_append_val(plan->nodes, node);
    }
}

void *
disk_job_load_plan(const Record *record, GError **err)
{
    g_autoptr(DiskJobPlan) plan = plan_new();
    const char *copy = record_get(record, "copy");

    plan->type = (int)record_get_u64(record, "type");
    plan->target = g_strdup(record_get(record, "target"));
    plan->bytes_per_second = record_get_u64(record, "bandwidth");
    plan->is_shallow = record_get_bool(record, "shallow");
    plan->deletes = record_get_bool(record, "deletes");
    plan->top_path = g_strdup(record_get(record, "top"));
    plan->top_format = image_format_from_string(record_get(record, "top-format"));
    plan->disk_node = (guint)record_get_u64(record, "disk-node");
    plan->upper_node = (guint)record_get_u64(record, "upper-node");
    plan->base_node = (guint)record_get_u64(record, "base-node");
    plan->backing = g_strdup(record_get(record, "backing"));
    load_image(record, "base", &plan->base);
    load_image(record, "above", &plan->above);
    load_lists(record, plan);
    g_ptr_array_unref(plan->copies);
    plan->copies = new_overlays_load(record);
    if (copy && !(plan->copy = disk_parse(copy, MODEL_PARSE_STATUS, err)))
        return NULL;
    if (!plan->target)
        return fail_null(err, VIR_ERR_INTERNAL_ERROR, "the plan of a block job names no disk");
    return g_steal_pointer(&plan);
}
