/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See internal.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/internal.h"

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/block_job.h"
#include "driver/qemu/snapshot_define.h"
#include "seam/command.h"

#define PATIENCE_MS (10 * 60 * 1000)
#define DELETE_TIMEOUT_MS 60000

/* ---- lists ---- */

static void
inside_free(InternalDisk *disk)
{
    g_free(disk->target);
    g_free(disk->path);
    g_free(disk);
}

GPtrArray *
internal_disks_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)inside_free);
}

InternalDisk *
internal_disks_add(GPtrArray *disks, const Disk *disk)
{
    InternalDisk *added = g_new0(InternalDisk, 1);

    added->target = g_strdup(disk->target.dev);
    added->path = g_strdup(disk_source_path(disk->type, &disk->source));
    added->is_block_device = disk->type == STORAGE_TYPE_BLOCK;
    g_ptr_array_add(disks, added);
    return added;
}

bool
internal_disks_contain(const GPtrArray *disks, const char *path)
{
    for (guint i = 0; disks && i < disks->len; i++) {
        if (g_strcmp0(((const InternalDisk *)disks->pdata[i])->path, path) == 0)
            return true;
    }
    return false;
}

void
internal_disks_save(const GPtrArray *disks, Record *record)
{
    record_add_u64(record, "inside", disks ? disks->len : 0);
    for (guint i = 0; disks && i < disks->len; i++) {
        const InternalDisk *disk = disks->pdata[i];
        g_autofree char *target = g_strdup_printf("inside/%u/target", i);
        g_autofree char *path = g_strdup_printf("inside/%u/path", i);
        g_autofree char *block = g_strdup_printf("inside/%u/block", i);
        g_autofree char *memory = g_strdup_printf("inside/%u/memory", i);

        record_add(record, target, disk->target);
        record_add(record, path, disk->path);
        record_add_bool(record, block, disk->is_block_device);
        record_add_bool(record, memory, disk->has_memory);
    }
}

GPtrArray *
internal_disks_load(const Record *record)
{
    GPtrArray *disks = internal_disks_new();
    guint64 count = record_get_u64(record, "inside");

    for (guint i = 0; i < count; i++) {
        InternalDisk *disk = g_new0(InternalDisk, 1);
        g_autofree char *target = g_strdup_printf("inside/%u/target", i);
        g_autofree char *path = g_strdup_printf("inside/%u/path", i);
        g_autofree char *block = g_strdup_printf("inside/%u/block", i);
        g_autofree char *memory = g_strdup_printf("inside/%u/memory", i);

        disk->target = g_strdup(record_get(record, target));
        disk->path = g_strdup(record_get(record, path));
        disk->is_block_device = record_get_bool(record, block);
        disk->has_memory = record_get_bool(record, memory);
        g_ptr_array_add(disks, disk);
    }
    return disks;
}

bool
snapshot_is_inside(const DomainSnapshot *snapshot, const char *target)
{
    const SnapshotDisk *entry = snapshot_find_disk(snapshot, target);

    return entry && entry->snapshot == DISK_SNAPSHOT_MODE_INTERNAL;
}

bool
snapshot_has_inside(const DomainSnapshot *snapshot)
{
    bool has_inside = snapshot->memory.snapshot == DISK_SNAPSHOT_MODE_INTERNAL;

    for (gsize i = 0; i < snapshot->n_disks; i++)
        has_inside |= snapshot->disks[i]->snapshot == DISK_SNAPSHOT_MODE_INTERNAL;
    return has_inside;
}

/* ---- qemu-img ---- */

/* Never a guess at the format: a guest can write any magic into its disk. */
static char *
image_options(const InternalDisk *disk)
{
    g_auto(GStrv) parts = g_strsplit(disk->path, ",", -1);
    g_autofree char *path = g_strjoinv(",,", parts);

    return g_strdup_printf("driver=qcow2,file.driver=%s,file.filename=%s",
                           disk->is_block_device ? "host_device" : "file", path);
}

static bool
run_qemu_img(const char *const *argv, CommandResult *result, GError **err)
{
    CommandSpec spec = {.argv = argv, .timeout_ms = PATIENCE_MS};

    return command_run(&spec, result, err);
}

static bool
change(const InternalDisk *disk, const char *option, const char *name, GError **err)
{
    g_autofree char *options = image_options(disk);
    const char *argv[] = {"qemu-img", "snapshot", option, name, "--image-opts", options, NULL};

    if (run_qemu_img(argv, NULL, err))
        return true;
    g_prefix_error(err, "disk %s, image '%s': ", disk->target, disk->path);
    return false;
}

void
internal_tag_clear(InternalTag *tag)
{
    g_clear_pointer(&tag->id, g_free);
}

bool
internal_find(const InternalDisk *disk, const char *name, InternalTag *tag, GError **err)
{
    g_autofree char *options = image_options(disk);
    const char *argv[] = {"qemu-img", "info", "-U", "--output=json", "--image-opts", options, NULL};
    g_auto(CommandResult) result = {0};
    g_autoptr(Json) info = NULL;
    json_t *one;
    gsize i;

    *tag = (InternalTag){0};
    if (!run_qemu_img(argv, &result, err)) {
        g_prefix_error(err, "disk %s: ", disk->target);
        return false;
    }
    info = json_loads(result.out, 0, NULL);
    if (!info)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "qemu-img does not describe image '%s' in JSON",
                    disk->path);
    json_array_foreach(json_object_get(info, "snapshots"), i, one)
    {
        const char *id = json_string_value(json_object_get(one, "id"));
        bool is_it = g_strcmp0(json_string_value(json_object_get(one, "name")), name) == 0;

        tag->is_ambiguous |= !is_it && g_strcmp0(id, name) == 0;
        if (!is_it || tag->id)
            continue;
        tag->id = g_strdup(id);
        tag->memory_bytes = (guint64)json_integer_value(json_object_get(one, "vm-state-size"));
    }
    return true;
}

bool
internal_make(const InternalDisk *disk, const char *name, GError **err)
{
    g_auto(InternalTag) tag = {0};

    return internal_find(disk, name, &tag, err) && (tag.id || change(disk, "-c", name, err));
}

bool
internal_apply(const InternalDisk *disk, const char *name, GError **err)
{
    g_auto(InternalTag) tag = {0};

    if (!internal_find(disk, name, &tag, err))
        return false;
    if (!tag.id)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "disk %s: there is no snapshot '%s' inside image '%s' any more", disk->target,
                    name, disk->path);
    /* By number: QEMU takes a name that is a number for one. */
    return change(disk, "-a", tag.id, err);
}

/* The node through which the running guest writes to @path; NULL: it does not. */
static char *
top_node(const Guest *guest, const char *path)
{
    const Domain *live = guest_live(guest);

    for (gsize i = 0; live && i < live->n_disks; i++) {
        const Disk *disk = live->disks[i];

        if (g_strcmp0(disk_source_path(disk->type, &disk->source), path) == 0)
            return node_format_name(disk->source.index);
    }
    return NULL;
}

bool
internal_remove(const Guest *guest, const InternalDisk *disk, const char *name, GError **err)
{
    bool runs = guest->emulator && emulator_is_running(guest->emulator);
    g_autofree char *node = runs ? top_node(guest, disk->path) : NULL;
    g_auto(InternalTag) tag = {0};
    g_autoptr(Json) reply = NULL;

    if (!file_exists(disk->path))
        return true;
    if (!internal_find(disk, name, &tag, err))
        return false;
    if (!tag.id)
        return true;
    if (!node)
        return change(disk, "-d", name, err);
    reply = qmp_call_within(guest->emulator->qmp, "blockdev-snapshot-delete-internal-sync",
                            json_pack("{s:s, s:s}", "device", node, "name", name),
                            DELETE_TIMEOUT_MS, err);
    if (!reply)
        g_prefix_error(err, "disk %s, image '%s': ", disk->target, disk->path);
    return reply != NULL;
}

/* ---- QEMU's jobs ---- */

bool
internal_job_start(Emulator *emulator, const Domain *live, const char *command, const char *id,
                   const char *name, const GPtrArray *disks, GError **err)
{
    g_autoptr(Json) nodes = json_array();
    g_autofree char *memory = NULL;

    for (guint i = 0; i < disks->len; i++) {
        const InternalDisk *inside = disks->pdata[i];
        const Disk *disk = domain_find_disk(live, inside->target);
        g_autofree char *node = NULL;

        if (!disk || !disk->source.has_index)
            return fail(err, VIR_ERR_OPERATION_FAILED, "disk %s has no block node", inside->target);
        node = node_format_name(disk->source.index);
        json_array_append_new(nodes, json_string(node));
        if (inside->has_memory)
            memory = g_steal_pointer(&node);
    }
    if (!memory)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "no disk is to hold the memory");
    return qmp_run(emulator->qmp, command,
                   json_pack("{s:s, s:s, s:s, s:O}", "job-id", id, "tag", name, "vmstate", memory,
                             "devices", nodes),
                   err);
}

bool
internal_job_has_ended(const char *event, const Json *data, const char *id)
{
    if (!event)
        return true;
    return g_str_equal(event, "JOB_STATUS_CHANGE") &&
           g_strcmp0(json_string_value(json_object_get(data, "id")), id) == 0 &&
           g_strcmp0(json_string_value(json_object_get(data, "status")), "concluded") == 0;
}

bool
internal_job_finish(Emulator *emulator, const char *id, GError **err)
{
    BlockJobState state;
    BlockJobProgress progress = {0};

    if (!emulator_is_running(emulator))
        return fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile",
                    emulator->guest_name);
    if (!block_job_drive(emulator->qmp, id, false, &state, &progress, err))
        return false;
    if (state == BLOCK_JOB_DONE)
        return true;
    if (state == BLOCK_JOB_FAILED)
        return false;
    return fail(err, VIR_ERR_OPERATION_FAILED, "job %s of QEMU is %s", id,
                state == BLOCK_JOB_ABSENT ? "lost" : "not at its end");
}
