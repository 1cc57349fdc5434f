/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See new_overlay.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/new_overlay.h"

#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "driver/qemu/guest.h"

void
new_overlay_free(NewOverlay *overlay)
{
    if (!overlay)
        return;
    g_free(overlay->target);
    g_free(overlay->base_path);
    g_free(overlay->path);
    g_free(overlay->backing_name);
    g_free(overlay);
}

GPtrArray *
new_overlays_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)new_overlay_free);
}

NewOverlay *
new_overlays_find(const GPtrArray *overlays, const char *target)
{
    for (guint i = 0; i < overlays->len; i++) {
        NewOverlay *overlay = overlays->pdata[i];
        if (g_strcmp0(overlay->target, target) == 0)
            return overlay;
    }
    return NULL;
}

NewOverlay *
new_overlays_find_base(const GPtrArray *overlays, const char *base_path)
{
    for (guint i = 0; i < overlays->len; i++) {
        NewOverlay *overlay = overlays->pdata[i];
        if (g_strcmp0(overlay->base_path, base_path) == 0)
            return overlay;
    }
    return NULL;
}

/* ---- planning ---- */

/* A user who keeps chains movable (relative names) gets them kept movable. */
static char *
backing_name_for(const ImageHeader *base, const char *base_path, const char *path)
{
    g_autofree char *base_dir = g_path_get_dirname(base_path);
    g_autofree char *dir = g_path_get_dirname(path);

    if (base->backing_name && !g_path_is_absolute(base->backing_name) &&
        !strchr(base->backing_name, ':') && g_str_equal(base_dir, dir))
        return g_path_get_basename(base_path);
    return g_strdup(base_path);
}

NewOverlay *
new_overlay_plan(const char *target, const char *base_path, ImageFormat base_format,
                 const char *path, GError **err)
{
    g_autoptr(ImageChain) chain = image_chain_read(base_path, base_format, NULL, err);
    const ImageHeader *base;
    NewOverlay *overlay;

    if (!chain) {
        g_prefix_error(err, "disk %s: ", target);
        return NULL;
    }
    if (chain->layers->len >= IMAGE_CHAIN_MAX)
        return fail_null(err, VIR_ERR_OPERATION_UNSUPPORTED,
                         "disk %s: its chain has %u images already, and no more than %d can be "
                         "opened: delete a snapshot below '%s'",
                         target, chain->layers->len, IMAGE_CHAIN_MAX, base_path);
    base = image_chain_top(chain)->header;
    overlay = g_new0(NewOverlay, 1);
    overlay->target = g_strdup(target);
    overlay->base_path = g_strdup(base_path);
    overlay->base_format = base_format;
    overlay->path = g_strdup(path);
    overlay->format = IMAGE_FORMAT_QCOW2;
    overlay->backing_name = backing_name_for(base, base_path, path);
    overlay->size_bytes = (base->size_bytes + 511) / 512 * 512;
    if (base->format == IMAGE_FORMAT_QCOW2) {
        overlay->cluster_bits = base->cluster_bits;
        overlay->extended_l2 = base->extended_l2;
    }
    return overlay;
}

/* ---- in a plan ---- */

static void
save_one(const NewOverlay *overlay, guint n, Record *record)
{
    char key[64];

#define KEY(word) (g_snprintf(key, sizeof(key), "overlay/%u/" word, n), key)
    record_add(record, KEY("target"), overlay->target);
    record_add(record, KEY("base"), overlay->base_path);
    record_add(record, KEY("base-format"), image_format_to_string(overlay->base_format));
    record_add(record, KEY("path"), overlay->path);
    record_add(record, KEY("format"), image_format_to_string(overlay->format));
    record_add(record, KEY("backing"), overlay->backing_name);
    record_add_u64(record, KEY("size"), overlay->size_bytes);
    record_add_u64(record, KEY("cluster-bits"), overlay->cluster_bits);
    record_add_bool(record, KEY("extended-l2"), overlay->extended_l2);
    record_add_bool(record, KEY("reused"), overlay->is_reused);
    record_add_u64(record, KEY("node"), overlay->node);
    record_add_u64(record, KEY("base-node"), overlay->base_node);
}

void
new_overlays_save(const GPtrArray *overlays, Record *record)
{
    record_add_u64(record, "overlays", overlays->len);
    for (guint i = 0; i < overlays->len; i++)
        save_one(overlays->pdata[i], i, record);
}

static NewOverlay *
load_one(const Record *record, guint n)
{
    NewOverlay *overlay = g_new0(NewOverlay, 1);
    char key[64];

    overlay->target = g_strdup(record_get(record, KEY("target")));
    overlay->base_path = g_strdup(record_get(record, KEY("base")));
    overlay->base_format = image_format_from_string(record_get(record, KEY("base-format")));
    overlay->path = g_strdup(record_get(record, KEY("path")));
    overlay->format = image_format_from_string(record_get(record, KEY("format")));
    overlay->backing_name = g_strdup(record_get(record, KEY("backing")));
    overlay->size_bytes = record_get_u64(record, KEY("size"));
    overlay->cluster_bits = (guint)record_get_u64(record, KEY("cluster-bits"));
    overlay->extended_l2 = record_get_bool(record, KEY("extended-l2"));
    overlay->is_reused = record_get_bool(record, KEY("reused"));
    overlay->node = (guint)record_get_u64(record, KEY("node"));
    overlay->base_node = (guint)record_get_u64(record, KEY("base-node"));
#undef KEY
    return overlay;
}

GPtrArray *
new_overlays_load(const Record *record)
{
    GPtrArray *overlays = new_overlays_new();
    guint64 count = record_get_u64(record, "overlays");

    for (guint i = 0; i < count; i++)
        g_ptr_array_add(overlays, load_one(record, i));
    return overlays;
}

/* ---- making ---- */

static bool
make_one(Job *job, NewOverlay *overlay, uid_t uid, gid_t gid, GError **err)
{
    OverlaySpec spec = {
        .path = overlay->path,
        .job = job_id(job),
        .format = overlay->format,
        .size_bytes = overlay->size_bytes,
        .cluster_bits = overlay->cluster_bits,
        .extended_l2 = overlay->extended_l2,
        .backing_name = overlay->backing_name,
        .backing_format = image_format_to_string(overlay->base_format),
        .uid = uid,
        .gid = gid,
    };

    if (!job_fault(job, overlay->target, err))
        return false;
    if (!overlay_make(&spec, &overlay->mark, err)) {
        g_prefix_error(err, "disk %s: ", overlay->target);
        return false;
    }
    return true;
}

static bool
note_marks(Job *job, const GPtrArray *overlays, GError **err)
{
    g_autoptr(Record) note = record_new();

    record_add(note, "made", "overlays");
    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        g_autofree char *key = g_strconcat("mark/", overlay->target, NULL);
        g_autofree char *mark = file_mark_format(overlay->mark);

        if (!overlay->is_reused)
            record_add(note, key, mark);
    }
    return job_note(job, note, err);
}

static bool
sync_folders(const GPtrArray *overlays, GError **err)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();

    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        if (!overlay->is_reused)
            g_ptr_array_add(paths, overlay->path);
    }
    g_ptr_array_add(paths, NULL);
    return overlay_sync_folders((const char *const *)paths->pdata, err);
}

static bool
sync_files(Job *job, const GPtrArray *overlays, GError **err)
{
    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];

        if (!overlay->is_reused && !overlay_sync(overlay->path, job_id(job), err))
            return false;
    }
    return true;
}

bool
new_overlays_make(Job *job, GPtrArray *overlays, uid_t uid, gid_t gid, GError **err)
{
    for (guint i = 0; i < overlays->len; i++) {
        NewOverlay *overlay = overlays->pdata[i];
        if (!overlay->is_reused && !make_one(job, overlay, uid, gid, err))
            return false;
    }
    if (!sync_files(job, overlays, err) || !job_fault(job, "note", err) ||
        !note_marks(job, overlays, err))
        return false;
    for (guint i = 0; i < overlays->len; i++) {
        NewOverlay *overlay = overlays->pdata[i];
        g_autofree char *point = g_strconcat("publish-", overlay->target, NULL);

        if (overlay->is_reused)
            continue;
        if (!job_fault(job, point, err) ||
            !overlay_publish(overlay->path, job_id(job), overlay->mark, err))
            return false;
    }
    return sync_folders(overlays, err);
}

void
new_overlays_recall(Job *job, GPtrArray *overlays)
{
    const Record *note = job_find_note(job, "made");

    for (guint i = 0; note && i < overlays->len; i++) {
        NewOverlay *overlay = overlays->pdata[i];
        g_autofree char *key = g_strconcat("mark/", overlay->target, NULL);

        file_mark_parse(record_get(note, key), &overlay->mark);
    }
}

bool
new_overlays_withdraw(Job *job, GPtrArray *overlays, GError **err)
{
    new_overlays_recall(job, overlays);
    for (guint i = 0; i < overlays->len; i++) {
        NewOverlay *overlay = overlays->pdata[i];
        if (!overlay->is_reused &&
            !overlay_withdraw(overlay->path, job_id(job), overlay->mark, err))
            return false;
    }
    return true;
}

/* ---- in a definition ---- */

static NodeName *
node_name(const char *type, char *take_name)
{
    NodeName *node = node_name_new();

    node->type = g_strdup(type);
    node->name = take_name;
    return node;
}

static void
set_node(DiskSource *source, guint index)
{
    SourcePrivate *private_data = source_private_new();

    private_data->nodenames = g_new0(NodeName *, 2);
    private_data->nodenames[0] = node_name("storage", node_storage_name(index));
    private_data->nodenames[1] = node_name("format", node_format_name(index));
    private_data->n_nodenames = 2;
    source->private_data = private_data;
    source->index = index;
    source->has_index = true;
}

void
disk_put_on_overlay(Disk *disk, const NewOverlay *overlay)
{
    bool is_live = disk->source.has_index;

    if (is_live || disk->backing_store) {
        BackingStore *below = backing_store_new();

        below->type = disk->type;
        below->format = storage_format_element_new();
        below->format->type = disk->driver.type ? disk->driver.type : STORAGE_FORMAT_RAW;
        below->index = disk->source.index;
        below->has_index = disk->source.has_index;
        below->source = disk->source;
        below->backing_store = disk->backing_store;
        disk->backing_store = below;
        disk->source = (DiskSource){0};
    } else {
        Disk *gone = disk_new(); /* frees the old source */

        gone->source = disk->source;
        disk->source = (DiskSource){0};
        disk_free(gone);
    }
    disk->type = STORAGE_TYPE_FILE;
    disk->source.file = g_strdup(overlay->path);
    disk->driver.type = storage_format_from_string(image_format_to_string(overlay->format));
    if (is_live && overlay->node)
        set_node(&disk->source, overlay->node);
}
