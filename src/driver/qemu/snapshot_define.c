/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_define.h. The texts of the refusals are those that clients know. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN_SNAPSHOT

#include "driver/qemu/snapshot_define.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "driver/qemu/snapshot.h"
#include "image/name.h"
#include "seam/clock.h"

/* ---- the XML alone ---- */

static bool
check_disk(const SnapshotDisk *disk, GError **err)
{
    if (!disk->name || !*disk->name)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "missing name from disk snapshot element");
    if (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK &&
        disk->type != STORAGE_TYPE_NETWORK)
        return fail(err, VIR_ERR_XML_ERROR, "unsupported disk snapshot type '%s'",
                    storage_type_to_string(disk->type));
    if (disk->type == STORAGE_TYPE_FILE && disk->source.file && disk->source.file[0] != '/')
        return fail(err, VIR_ERR_XML_ERROR, "disk snapshot image path '%s' must be absolute",
                    disk->source.file);
    return true;
}

static bool
check_memory(const DomainSnapshot *snapshot, bool has_no_memory, GError **err)
{
    const SnapshotMemory *memory = &snapshot->memory;

    if (memory->file && memory->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL)
        return fail(err, VIR_ERR_XML_ERROR, "memory filename '%s' requires external snapshot",
                    memory->file);
    if (memory->snapshot == DISK_SNAPSHOT_MODE_EXTERNAL && !memory->file)
        return fail(err, VIR_ERR_XML_ERROR, "external memory snapshots require a filename");
    if (has_no_memory && memory->snapshot && memory->snapshot != DISK_SNAPSHOT_MODE_NO)
        return fail(err, VIR_ERR_XML_ERROR,
                    "memory state cannot be saved with offline or disk-only snapshot");
    if (memory->file && memory->file[0] != '/')
        return fail(err, VIR_ERR_XML_ERROR, "memory snapshot file path (%s) must be absolute",
                    memory->file);
    return true;
}

/* In this order, so that clients hear of the same lack first as ever. */
static bool
check_redefined(const SnapshotInput *input, GError **err)
{
    SnapshotState state = snapshot_state_from_string(input->state);
    long long time;

    if (!input->name)
        return fail(err, VIR_ERR_XML_ERROR, "a redefined snapshot must have a name");
    if (!input->creation_time || !text_to_llong(input->creation_time, 10, &time))
        return fail(err, VIR_ERR_INTERNAL_ERROR, "missing creationTime from existing snapshot");
    if (!input->state)
        return fail(err, VIR_ERR_XML_ERROR, "missing state from existing snapshot");
    if (state == SNAPSHOT_STATE_UNSET || state == SNAPSHOT_STATE_NOSTATE)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Invalid state '%s' in domain snapshot XML",
                    input->state);
    return true;
}

/* Without the machine. */
static DomainSnapshot *
snapshot_of_input(SnapshotInput *input)
{
    DomainSnapshot *snapshot = domain_snapshot_new();

    snapshot->name = g_steal_pointer(&input->name);
    snapshot->description = g_steal_pointer(&input->description);
    snapshot->memory = input->memory;
    input->memory = (SnapshotMemory){0};
    /* Who names a file and no way means a file. virsh --memspec writes it like that. */
    if (snapshot->memory.file && !snapshot->memory.snapshot)
        snapshot->memory.snapshot = DISK_SNAPSHOT_MODE_EXTERNAL;
    snapshot->disks = g_steal_pointer(&input->disks);
    snapshot->n_disks = input->n_disks;
    input->n_disks = 0;
    return snapshot;
}

/* What the daemon knows and the user does not say. */
static void
fill_new(DomainSnapshot *snapshot)
{
    snapshot->creation_time = clock_wall_seconds();
    snapshot->has_creation_time = true;
    if (!snapshot->name)
        snapshot->name = g_strdup_printf("%" G_GINT64_FORMAT, snapshot->creation_time);
}

static bool
has_no_memory(const DomainSnapshot *snapshot, bool is_disk_only)
{
    return is_disk_only || snapshot->state == SNAPSHOT_STATE_SHUTOFF ||
           snapshot->state == SNAPSHOT_STATE_DISK_SNAPSHOT;
}

static bool
check_parsed(DomainSnapshot *snapshot, bool is_redefine, bool is_disk_only, GError **err)
{
    bool without = has_no_memory(snapshot, is_disk_only);

    if (!check_memory(snapshot, without, err))
        return false;
    if (without)
        snapshot->memory.snapshot = DISK_SNAPSHOT_MODE_NO;
    else if (is_redefine && !snapshot->memory.snapshot)
        snapshot->memory.snapshot = DISK_SNAPSHOT_MODE_INTERNAL;
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        if (!check_disk(snapshot->disks[i], err))
            return false;
    }
    return true;
}

DomainSnapshot *
snapshot_parse_file(const char *xml, GError **err)
{
    g_autoptr(SnapshotInput) input = snapshot_input_parse(xml, MODEL_PARSE_INACTIVE, err);
    DomainSnapshot *snapshot;
    long long time;

    if (!input)
        return NULL;
    if (input->domain_type)
        return domain_snapshot_parse(xml, MODEL_PARSE_INACTIVE, err);
    /* Files of long ago have only the domain's UUID. */
    if (!input->creation_time || !text_to_llong(input->creation_time, 10, &time))
        time = 0;
    snapshot = snapshot_of_input(input);
    snapshot->creation_time = time;
    snapshot->has_creation_time = true;
    snapshot->state = snapshot_state_from_string(input->state);
    snapshot->parent_name = g_steal_pointer(&input->parent_name);
    snapshot->active = strstr(xml, "<active>1</active>") != NULL;
    snapshot->has_active = strstr(xml, "<active>") != NULL;
    return snapshot;
}

DomainSnapshot *
snapshot_parse(const char *xml, bool is_redefine, bool is_disk_only, GError **err)
{
    g_autoptr(SnapshotInput) input = snapshot_input_parse(xml, MODEL_PARSE_INACTIVE, err);
    g_autoptr(DomainSnapshot) snapshot = NULL;

    if (!input || (is_redefine && !check_redefined(input, err)))
        return NULL;
    snapshot = is_redefine ? snapshot_parse_file(xml, err) : snapshot_of_input(input);
    if (!snapshot)
        return NULL;
    snapshot->has_active = false;
    if (!is_redefine)
        fill_new(snapshot);
    return check_parsed(snapshot, is_redefine, is_disk_only, err) ? g_steal_pointer(&snapshot)
                                                                  : NULL;
}

/* ---- aligned to a machine ---- */

SnapshotDisk *
snapshot_find_disk(const DomainSnapshot *snapshot, const char *target)
{
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        if (g_strcmp0(snapshot->disks[i]->name, target) == 0)
            return snapshot->disks[i];
    }
    return NULL;
}

/* The domain's wish, else what the kind of snapshot brings. */
static DiskSnapshotMode
default_mode(const Disk *disk, DiskSnapshotMode mode)
{
    if (disk->snapshot)
        return disk->snapshot;
    return disk_is_kept(disk) ? mode : DISK_SNAPSHOT_MODE_NO;
}

static bool
fill_given(SnapshotDisk *given, const Disk *disk, DiskSnapshotMode mode, bool is_forced,
           GError **err)
{
    if (!given->snapshot)
        given->snapshot = is_forced ? mode : disk->snapshot ? disk->snapshot : mode;
    else if (is_forced && given->snapshot != mode)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s' must use snapshot mode '%s'",
                    given->name, disk_snapshot_mode_to_string(mode));
    if (disk_source_path(given->type, &given->source) &&
        given->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "file '%s' for disk '%s' requires use of external snapshot mode",
                    disk_source_path(given->type, &given->source), given->name);
    g_free(given->name);
    given->name = g_strdup(disk->target.dev);
    return true;
}

static SnapshotDisk *
new_entry(const Disk *disk, DiskSnapshotMode mode)
{
    SnapshotDisk *entry = snapshot_disk_new();

    entry->name = g_strdup(disk->target.dev);
    entry->snapshot = default_mode(disk, mode);
    return entry;
}

bool
snapshot_align_disks(DomainSnapshot *snapshot, const Domain *machine, DiskSnapshotMode mode,
                     bool is_forced, GError **err)
{
    g_autofree SnapshotDisk **aligned = g_new0(SnapshotDisk *, machine->n_disks + 1);
    gsize index;

    if (snapshot->n_disks > machine->n_disks)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "too many disk snapshot requests for domain");
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        SnapshotDisk *given = snapshot->disks[i];
        const Disk *disk = domain_find_disk(machine, given->name);

        if (!disk)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "no disk named '%s'", given->name);
        for (index = 0; machine->disks[index] != disk; index++)
            continue;
        if (aligned[index])
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s' specified twice",
                        disk->target.dev);
        if (!fill_given(given, disk, mode, is_forced, err))
            return false;
        aligned[index] = given;
    }
    for (gsize i = 0; i < machine->n_disks; i++) {
        if (!aligned[i])
            aligned[i] = new_entry(machine->disks[i], mode);
    }
    g_free(snapshot->disks);
    snapshot->disks = g_steal_pointer(&aligned);
    snapshot->n_disks = machine->n_disks;
    return true;
}

/* ---- names of new images ---- */

static bool
name_image(SnapshotDisk *entry, const Disk *disk, const char *snapshot, GError **err)
{
    const char *path = disk_source_path(disk->type, &disk->source);

    if (!path)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "cannot generate external snapshot name for disk '%s' without source",
                    entry->name);
    if (disk->type != STORAGE_TYPE_FILE ||
        (g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_REGULAR)) ||
        !g_file_test(path, G_FILE_TEST_EXISTS))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "source for disk '%s' is not a regular file; refusing to generate external "
                    "snapshot name",
                    entry->name);
    entry->type = STORAGE_TYPE_FILE;
    entry->source.file = image_name_for_snapshot(path, snapshot);
    return true;
}

/* `disk.0` and `disk.1` would both become `disk.<snapshot>`: then the whole name stays. */
static void
settle_clash(const DomainSnapshot *snapshot, const Domain *machine, gsize n)
{
    SnapshotDisk *entry = snapshot->disks[n];

    for (gsize i = 0; i < n; i++) {
        const Disk *disk = machine->disks[n];

        if (g_strcmp0(snapshot->disks[i]->source.file, entry->source.file) != 0)
            continue;
        g_free(entry->source.file);
        entry->source.file = g_strdup_printf("%s.%s", disk->source.file, snapshot->name);
        return;
    }
}

static bool
check_names_differ(const DomainSnapshot *snapshot, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < snapshot->n_disks; i++) {
        const SnapshotDisk *entry = snapshot->disks[i];

        if (entry->source.file && !g_hash_table_add(seen, entry->source.file))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "the new images of two disks would both be '%s': give disk '%s' a <source> "
                        "of its own",
                        entry->source.file, entry->name);
    }
    return true;
}

bool
snapshot_name_images(DomainSnapshot *snapshot, const Domain *machine, GError **err)
{
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        SnapshotDisk *entry = snapshot->disks[i];
        bool is_named_here;

        if (entry->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL)
            continue;
        is_named_here = !disk_source_path(entry->type, &entry->source);
        if (is_named_here && !name_image(entry, machine->disks[i], snapshot->name, err))
            return false;
        if (is_named_here)
            settle_clash(snapshot, machine, i);
    }
    return check_names_differ(snapshot, err);
}
