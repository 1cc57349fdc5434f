/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_define.h. The texts of the refusals are those that clients know. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN_SNAPSHOT

#include "driver/qemu/snapshot_define.h"

#include <string.h>

#include "base/error.h"
#include "driver/qemu/snapshot.h"
#include "image/name.h"
#include "seam/clock.h"

/* ---- the XML alone ---- */

static bool
check_disk(const SnapshotDisk *disk, GError **err)
{
    if (!disk->name || !*disk->name)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "missing name from disk snapshot element");
    if (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK && disk->type != STORAGE_TYPE_NETWORK)
        return fail(err, VIR_ERR_XML_ERROR, "unsupported disk snapshot type '%s'", storage_type_to_string(disk->type));
    if (disk->type == STORAGE_TYPE_FILE && disk->source.file && disk->source.file[0] != '/')
        return fail(err, VIR_ERR_XML_ERROR, "disk snapshot image path '%s' must be absolute", disk->source.file);
    return true;
}

static bool
check_memory(const DomainSnapshot *snapshot, bool has_no_memory, GError **err)
{
    const SnapshotMemory *memory = &snapshot->memory;

    if (memory->file && memory->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL)
        return fail(err, VIR_ERR_XML_ERROR, "memory filename '%s' requires external snapshot", memory->file);
    if (memory->snapshot == DISK_SNAPSHOT_MODE_EXTERNAL && !memory->file)
        return fail(err, VIR_ERR_XML_ERROR, "external memory snapshots require a filename");
    if (has_no_memory && memory->snapshot && memory->snapshot != DISK_SNAPSHOT_MODE_NO)
        return fail(err, VIR_ERR_XML_ERROR, "memory state cannot be saved with offline or disk-only snapshot");
    if (memory->file && memory->file[0] != '/')
        return fail(err, VIR_ERR_XML_ERROR, "memory snapshot file path (%s) must be absolute", memory->file);
    return true;
}

static bool
check_redefined(const DomainSnapshot *snapshot, GError **err)
{
    if (!snapshot->name)
        return fail(err, VIR_ERR_XML_ERROR, "a redefined snapshot must have a name");
    if (!snapshot->has_creation_time)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "missing creationTime from existing snapshot");
    if (snapshot->state == SNAPSHOT_STATE_UNSET)
        return fail(err, VIR_ERR_XML_ERROR, "missing state from existing snapshot");
    if (snapshot->state == SNAPSHOT_STATE_NOSTATE)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Invalid state 'nostate' in domain snapshot XML");
    if (!snapshot->domain)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "missing domain in snapshot");
    return true;
}

/* What a definition of the user may not say: the daemon knows it. */
static void
drop_given_state(DomainSnapshot *snapshot)
{
    g_clear_pointer(&snapshot->domain, domain_free);
    g_clear_pointer(&snapshot->inactive_domain, domain_free);
    g_clear_pointer(&snapshot->parent_name, g_free);
    g_clear_pointer(&snapshot->cookie, g_free);
    snapshot->state = SNAPSHOT_STATE_UNSET;
    snapshot->creation_time = clock_wall_seconds();
    snapshot->has_creation_time = true;
    if (!snapshot->name)
        snapshot->name = g_strdup_printf("%" G_GINT64_FORMAT, snapshot->creation_time);
}

DomainSnapshot *
snapshot_parse(const char *xml, bool is_redefine, bool is_disk_only, GError **err)
{
    g_autoptr(DomainSnapshot) snapshot = domain_snapshot_parse(xml, MODEL_PARSE_INACTIVE, err);
    bool has_no_memory = is_disk_only;

    if (!snapshot)
        return NULL;
    snapshot->has_active = false;
    if (is_redefine) {
        if (!check_redefined(snapshot, err))
            return NULL;
        has_no_memory |= snapshot->state == SNAPSHOT_STATE_SHUTOFF || snapshot->state == SNAPSHOT_STATE_DISK_SNAPSHOT;
    } else {
        drop_given_state(snapshot);
    }
    if (!check_memory(snapshot, has_no_memory, err))
        return NULL;
    if (has_no_memory)
        snapshot->memory.snapshot = DISK_SNAPSHOT_MODE_NO;
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        if (!check_disk(snapshot->disks[i], err))
            return NULL;
    }
    return g_steal_pointer(&snapshot);
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
fill_given(SnapshotDisk *given, const Disk *disk, DiskSnapshotMode mode, bool is_forced, GError **err)
{
    if (!given->snapshot)
        given->snapshot = is_forced ? mode : disk->snapshot ? disk->snapshot : mode;
    else if (is_forced && given->snapshot != mode)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s' must use snapshot mode '%s'", given->name,
                    disk_snapshot_mode_to_string(mode));
    if (disk_source_path(given->type, &given->source) && given->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "file '%s' for disk '%s' requires use of external snapshot mode",
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
snapshot_align_disks(DomainSnapshot *snapshot, const Domain *machine, DiskSnapshotMode mode, bool is_forced,
                     GError **err)
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
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s' specified twice", disk->target.dev);
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
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot generate external snapshot name for disk '%s' without source",
                    entry->name);
    if (disk->type != STORAGE_TYPE_FILE || (g_file_test(path, G_FILE_TEST_EXISTS) &&
                                            !g_file_test(path, G_FILE_TEST_IS_REGULAR)) ||
        !g_file_test(path, G_FILE_TEST_EXISTS))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "source for disk '%s' is not a regular file; refusing to generate external snapshot name",
                    entry->name);
    entry->type = STORAGE_TYPE_FILE;
    entry->source.file = image_name_for_snapshot(path, snapshot);
    return true;
}

static bool
check_names_differ(const DomainSnapshot *snapshot, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < snapshot->n_disks; i++) {
        const SnapshotDisk *entry = snapshot->disks[i];

        if (entry->source.file && !g_hash_table_add(seen, entry->source.file))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "the new images of two disks would both be '%s': give disk '%s' a <source> of its own",
                        entry->source.file, entry->name);
    }
    return true;
}

bool
snapshot_name_images(DomainSnapshot *snapshot, const Domain *machine, GError **err)
{
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        SnapshotDisk *entry = snapshot->disks[i];

        if (entry->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL)
            continue;
        if (!disk_source_path(entry->type, &entry->source) &&
            !name_image(entry, machine->disks[i], snapshot->name, err))
            return false;
    }
    return check_names_differ(snapshot, err);
}
