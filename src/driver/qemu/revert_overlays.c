/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The new overlays of a revert or clone: one for each disk that the machine had, on the image that the
 * snapshot recorded, under a name that this disk never had. See revert_planner.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/revert_planner.h"

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/snapshot_define.h"
#include "image/name.h"

static bool
is_planned(const GPtrArray *overlays, const char *path)
{
    for (guint i = 0; i < overlays->len; i++) {
        if (g_str_equal(((const NewOverlay *)overlays->pdata[i])->path, path))
            return true;
    }
    return false;
}

/* A file in whose folder the new overlay belongs: the disk's present image, else the one of the
 * snapshot. */
static char *
find_neighbour(const RevertPlanner *planner, const Disk *disk)
{
    const Domain *present = guest_domain(planner->guest);
    const Disk *now = disk->target.dev ? domain_find_disk(present, disk->target.dev) : NULL;
    const SnapshotDisk *entry = snapshot_find_disk(planner->snapshot, disk->target.dev);

    if (now && now->type == STORAGE_TYPE_FILE && now->source.file)
        return g_strdup(now->source.file);
    if (disk->type == STORAGE_TYPE_FILE)
        return g_strdup(disk->source.file);
    return entry && entry->source.file ? g_strdup(entry->source.file) : NULL;
}

/* The oldest image below @path names all that reverts of a disk make. */
static char *
find_stem(const RevertPlanner *planner, const char *path)
{
    const char *below;

    while ((below = image_graph_below(planner->graph, path)))
        path = below;
    return image_name_stem(path);
}

static char *
given_name(const RevertPlanner *planner, const Disk *disk, const char *path, GError **err)
{
    if (!g_path_is_absolute(path))
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "disk %s: the path of its new image must be absolute, not '%s'",
                         disk->target.dev, path);
    if (file_exists(path))
        return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "disk %s: '%s' exists already: name a new file", disk->target.dev, path);
    if (is_planned(planner->plan->overlays, path))
        return fail_null(err, VIR_ERR_INVALID_ARG, "disk %s: '%s' is named for another disk, too",
                         disk->target.dev, path);
    return g_strdup(path);
}

/* `<clone>-<target>.qcow2` in that folder. */
static char *
name_for_clone(const RevertPlanner *planner, const Disk *disk, const char *dir, GError **err)
{
    g_autofree char *path =
        g_strdup_printf("%s/%s-%s.qcow2", dir, planner->clone_name, disk->target.dev);

    if (!file_exists(path) && !is_planned(planner->plan->overlays, path))
        return g_steal_pointer(&path);
    return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                     "disk %s: '%s' exists already: remove it, or name another file for the new "
                     "image (virsh snapshot-clone --image %s=PATH)",
                     disk->target.dev, path, disk->target.dev);
}

static char *
choose_name(const RevertPlanner *planner, const Disk *disk, const char *base_path, GError **err)
{
    const char *given = planner->options->images
                            ? g_hash_table_lookup(planner->options->images, disk->target.dev)
                            : NULL;
    g_autofree char *beside = find_neighbour(planner, disk);
    g_autofree char *stem = find_stem(planner, base_path);
    g_autofree char *dir = NULL;
    guint number;

    if (given && !new_overlays_find(planner->plan->overlays, disk->target.dev))
        return given_name(planner, disk, given, err);
    if (!beside)
        return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "disk %s is on '%s', where there is no folder for its new image: name one "
                         "(--image %s=PATH)",
                         disk->target.dev, base_path, disk->target.dev);
    dir = g_path_get_dirname(beside);
    if (planner->clone_name)
        return name_for_clone(planner, disk, dir, err);
    number = MAX(image_records_last_revert(planner->records, dir, stem),
                 image_name_last_revert(beside, stem));
    for (;;) {
        g_autofree char *path = image_name_for_revert(beside, stem, ++number);
        if (!is_planned(planner->plan->overlays, path))
            return g_steal_pointer(&path);
    }
}

static bool
plan_disk(RevertPlanner *planner, const Disk *disk, GError **err)
{
    const char *base = disk_source_path(disk->type, &disk->source);
    ImageFormat format = disk_image_format(disk);
    g_autofree char *path = NULL;
    g_autofree char *key = NULL;
    NewOverlay *overlay;

    if (!disk_is_kept(disk) || new_overlays_find_base(planner->plan->overlays, base) ||
        internal_disks_contain(planner->plan->inside, base))
        return true;
    if (!planner->clone_name && snapshot_is_inside(planner->snapshot, disk->target.dev))
        return revert_plan_inside(planner, disk, err);
    if (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: reverts of %s disks are not supported", disk->target.dev,
                    storage_type_to_string(disk->type));
    image_graph_hold(planner->graph, "the new state", base, format);
    if (!image_graph_check(planner->graph, base, err)) {
        g_prefix_error(err, "disk %s of snapshot %s: ", disk->target.dev, planner->snapshot->name);
        return false;
    }
    path = choose_name(planner, disk, base, err);
    if (!path)
        return false;
    /* A next boot may have another image at the same target. */
    key = new_overlays_find(planner->plan->overlays, disk->target.dev)
              ? g_strconcat("next-", disk->target.dev, NULL)
              : g_strdup(disk->target.dev);
    overlay = new_overlay_plan(key, base, format, path, err);
    if (!overlay)
        return false;
    g_ptr_array_add(planner->plan->overlays, overlay);
    return true;
}

bool
revert_plan_overlays(RevertPlanner *planner, const Domain *machine, GError **err)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        if (!plan_disk(planner, machine->disks[i], err))
            return false;
    }
    return true;
}

Domain *
revert_machine_on_overlays(const RevertPlan *plan, const Domain *recorded)
{
    Domain *machine = domain_copy(recorded);

    for (gsize i = 0; i < machine->n_disks; i++) {
        Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);
        const NewOverlay *overlay = path ? new_overlays_find_base(plan->overlays, path) : NULL;

        if (overlay && disk_is_kept(disk))
            disk_put_on_overlay(disk, overlay);
    }
    return machine;
}

bool
revert_check_given_images(const RevertPlanner *planner, GError **err)
{
    GHashTableIter iter;
    gpointer target;

    if (!planner->options->images)
        return true;
    g_hash_table_iter_init(&iter, planner->options->images);
    while (g_hash_table_iter_next(&iter, &target, NULL)) {
        if (!new_overlays_find(planner->plan->overlays, target))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "disk %s gets no new image: at snapshot '%s' there was no such disk, or "
                        "nothing in it that is kept",
                        (char *)target, planner->snapshot->name);
    }
    return true;
}
