/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_remap.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/snapshot_remap.h"

#include "base/error.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/snapshot_store.h"

/* A layer that is gone, out of the chain. */
static bool
drop_layer(BackingStore **place, const char *path)
{
    bool has_changed = false;

    while (*place) {
        BackingStore *layer = *place;

        if (g_strcmp0(disk_source_path(layer->type, &layer->source), path) != 0) {
            place = &layer->backing_store;
            continue;
        }
        *place = g_steal_pointer(&layer->backing_store);
        backing_store_free(layer);
        has_changed = true;
    }
    return has_changed;
}

static void
clear_source(Disk *disk)
{
    Disk *gone = disk_new();

    gone->source = disk->source;
    disk->source = (DiskSource){0};
    disk_free(gone);
}

/* The disk writes to the lower image from now on. */
static void
go_down(Disk *disk, const ImageMerge *merge)
{
    BackingStore *below = disk->backing_store;

    clear_source(disk);
    disk->driver.type = storage_format_from_string(image_format_to_string(merge->lower_format));
    if (below && g_strcmp0(disk_source_path(below->type, &below->source), merge->lower) == 0) {
        disk->type = below->type;
        disk->source = below->source;
        disk->source.index = below->index;
        disk->source.has_index = below->has_index;
        below->source = (DiskSource){0};
        disk->backing_store = g_steal_pointer(&below->backing_store);
        backing_store_free(below);
        return;
    }
    disk->type = merge->lower_is_block_device ? STORAGE_TYPE_BLOCK : STORAGE_TYPE_FILE;
    if (merge->lower_is_block_device)
        disk->source.dev = g_strdup(merge->lower);
    else
        disk->source.file = g_strdup(merge->lower);
}

static bool
remap_machine(Domain *machine, const ImageMerge *merge)
{
    const char *gone = merge->kind == BLOCK_COMMIT ? merge->upper : merge->lower;
    bool has_changed = false;

    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);

        if (merge->kind == BLOCK_COMMIT && g_strcmp0(path, merge->upper) == 0) {
            go_down(disk, merge);
            has_changed = true;
        } else if (drop_layer(&disk->backing_store, gone)) {
            has_changed = true;
        }
    }
    return has_changed;
}

static bool
remap_disks(DomainSnapshot *snapshot, const ImageMerge *merge)
{
    bool has_changed = false;

    for (gsize i = 0; merge->kind == BLOCK_COMMIT && i < snapshot->n_disks; i++) {
        SnapshotDisk *disk = snapshot->disks[i];

        if (g_strcmp0(disk->source.file, merge->upper) != 0 || merge->lower_is_block_device)
            continue;
        g_free(disk->source.file);
        disk->source.file = g_strdup(merge->lower);
        disk->driver.type = storage_format_from_string(image_format_to_string(merge->lower_format));
        has_changed = true;
    }
    return has_changed;
}

static bool
remap_snapshot(DomainSnapshot *snapshot, const ImageMerge *merge)
{
    bool domain = remap_machine(snapshot->domain, merge);
    bool inactive = remap_machine(snapshot->inactive_domain, merge);
    bool disks = remap_disks(snapshot, merge);

    return domain || inactive || disks;
}

/* A tree with the changed snapshots, or NULL when none changes. */
static SnapshotTree *
remap_tree(const SnapshotTree *tree, const ImageMerge *merge)
{
    g_autoptr(SnapshotTree) changed = NULL;

    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        g_autoptr(DomainSnapshot) copy = domain_snapshot_copy(snapshot_tree_at(tree, i));

        if (!remap_snapshot(copy, merge))
            continue;
        if (!changed)
            changed = snapshot_tree_copy(tree);
        snapshot_tree_put(changed, g_steal_pointer(&copy));
    }
    return g_steal_pointer(&changed);
}

/* The same for what a revert left. */
static KeptState *
remap_kept(const KeptState *kept, const ImageMerge *merge)
{
    g_autoptr(DomainSnapshot) copy = kept ? domain_snapshot_copy(kept->node) : NULL;

    if (!copy || !remap_snapshot(copy, merge))
        return NULL;
    return kept_state_new(kept->expires, g_steal_pointer(&copy));
}

bool
snapshot_remap_is_needed(const Guest *guest, const ImageMerge *merge)
{
    g_autoptr(Domain) live = guest_live(guest) ? domain_copy(guest_live(guest)) : NULL;
    g_autoptr(Domain) config = guest_config(guest) ? domain_copy(guest_config(guest)) : NULL;
    g_autoptr(SnapshotTree) tree = remap_tree(guest->snapshots, merge);

    g_autoptr(KeptState) kept = remap_kept(guest->kept, merge);

    return remap_machine(live, merge) || remap_machine(config, merge) || tree || kept;
}

bool
snapshot_remap(Guest *guest, const ImageMerge *merge, GError **err)
{
    g_autoptr(Domain) live = guest_live(guest) ? domain_copy(guest_live(guest)) : NULL;
    g_autoptr(Domain) config = guest_config(guest) ? domain_copy(guest_config(guest)) : NULL;
    g_autoptr(SnapshotTree) tree = remap_tree(guest->snapshots, merge);
    g_autoptr(KeptState) kept = remap_kept(guest->kept, merge);

    if (remap_machine(live, merge)) {
        guest_set_live(guest, g_steal_pointer(&live));
        if (!guest_save_status(guest, err))
            return false;
    }
    if (remap_machine(config, merge)) {
        guest_set_config(guest, g_steal_pointer(&config));
        if (guest->is_persistent && !guest_save_config(guest, err))
            return false;
    }
    if (kept && !kept_set(guest, g_steal_pointer(&kept), err))
        return false;
    if (tree) {
        if (!snapshot_store_update(guest->qemu, guest->name, guest->snapshots, tree, err))
            return false;
        guest_set_snapshots(guest, g_steal_pointer(&tree));
    }
    return true;
}
