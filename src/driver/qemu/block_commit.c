/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning commits and pulls: which image of the chain is meant, what moves where, and whether anybody else needs what would be
 * changed. A copy through virDomainBlockRebase goes on in block_copy.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <stdio.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/snapshot.h"

/* ---- places in a chain ---- */

/* One image of a disk's chain: the top, or a layer. */
typedef struct {
    guint depth; /* 0: the top */
    guint node;
    const char *path;
    ImageFormat format;
    bool is_block_device;
    const BackingStore *below; /* NULL or empty: nothing */
} Place;

static ImageFormat
format_of(StorageFormat format)
{
    ImageFormat found = image_format_from_string(storage_format_to_string(format));

    return found == IMAGE_FORMAT_UNKNOWN ? IMAGE_FORMAT_RAW : found;
}

static Place
top_of(const Disk *disk)
{
    return (Place){.node = disk->source.index,
                   .path = disk_source_path(disk->type, &disk->source),
                   .format = disk_image_format(disk),
                   .is_block_device = disk->type == STORAGE_TYPE_BLOCK,
                   .below = disk->backing_store};
}

/* Go one down; false at the end. */
static bool
step_down(Place *place)
{
    const BackingStore *layer = place->below;

    if (!layer || layer->type == STORAGE_TYPE_UNSET)
        return false;
    *place = (Place){.depth = place->depth + 1,
                     .node = layer->index,
                     .path = disk_source_path(layer->type, &layer->source),
                     .format = format_of(layer->format ? layer->format->type : STORAGE_FORMAT_RAW),
                     .is_block_device = layer->type == STORAGE_TYPE_BLOCK,
                     .below = layer->backing_store};
    return true;
}

static bool
is_meant(const Place *place, const char *name, guint index)
{
    ImageId a, b;

    if (index)
        return place->node == index;
    if (g_strcmp0(place->path, name) == 0)
        return true;
    return place->path && name[0] == '/' && image_id_of(place->path, &a, NULL) &&
           image_id_of(name, &b, NULL) && image_id_equal(a, b);
}

/* "vda[3]": the layer of that index. */
static bool
parse_index(const Disk *disk, const char *name, guint *index, GError **err)
{
    g_autofree char *target = g_strdup(name);
    char *open = strchr(target, '[');
    int end = 0;

    *index = 0;
    if (name[0] == '/' || !open || sscanf(open, "[%u]%n", index, &end) != 1 || open[end]) {
        *index = 0;
        return true;
    }
    *open = '\0';
    if (g_str_equal(target, disk->target.dev))
        return true;
    error_set(err, VIR_FROM_STORAGE, VIR_ERR_INVALID_ARG,
              "requested target '%s' does not match target '%s'", target, disk->target.dev);
    return false;
}

/* The image called @name, at or below @from. */
static bool
find_place(const Disk *disk, const char *name, const Place *from, const char *beneath, Place *found,
           GError **err)
{
    guint index;

    *found = *from;
    if (!parse_index(disk, name, &index, err))
        return false;
    do {
        if (is_meant(found, name, index))
            return true;
    } while (step_down(found));
    if (beneath)
        error_set(err, VIR_FROM_STORAGE, VIR_ERR_INVALID_ARG,
                  "could not find image '%s' beneath '%s' in chain for '%s'", name, beneath,
                  disk->target.dev);
    else
        error_set(err, VIR_FROM_STORAGE, VIR_ERR_INVALID_ARG,
                  "could not find image '%s' in chain for '%s'", name, disk->target.dev);
    return false;
}

/* ---- relative names ---- */

/* How the image at @above calls the one @depth layers below it, when each header in between uses a relative name. */
static char *
relative_name(const Place *above, guint depth, GError **err)
{
    g_autofree char *name = NULL;
    Place at = *above;

    for (; at.depth < depth; step_down(&at)) {
        g_autoptr(ImageHeader) header = image_header_read_file(at.path, at.format, err);
        g_autofree char *folder = name ? g_path_get_dirname(name) : NULL;

        if (!header)
            return NULL;
        if (!header->backing_name || header->backing_name[0] == '/' ||
            strchr(header->backing_name, ':'))
            return fail_null(err, VIR_ERR_OPERATION_INVALID,
                             "can't keep relative backing relationship: '%s' names its backing "
                             "image '%s'",
                             at.path, header->backing_name ? header->backing_name : "");
        g_free(name);
        name = folder && !g_str_equal(folder, ".")
                   ? g_build_filename(folder, header->backing_name, NULL)
                   : g_strdup(header->backing_name);
    }
    return g_steal_pointer(&name);
}

static bool
set_backing(DiskJobPlan *plan, const Place *above, const Place *base, bool is_relative,
            GError **err)
{
    plan->backing = is_relative ? relative_name(above, base->depth, err) : g_strdup(base->path);
    return plan->backing != NULL;
}

static void
set_image(DiskJobImage *image, const Place *place)
{
    image->path = g_strdup(place->path);
    image->format = place->format;
    image->is_block_device = place->is_block_device;
}

/* ---- who else needs what a commit changes ---- */

static void
hold_rest(ImageGraph *graph, const Guest *guest, const Disk *disk, const Domain *machine,
          bool is_config)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *other = machine->disks[i];
        const char *path = disk_source_path(other->type, &other->source);
        g_autofree char *holder =
            g_strdup_printf("disk %s of %sdomain %s", other->target.dev,
                            is_config ? "the next start of " : "", guest->name);

        if (path && disk_source_is_local(other->type, &other->source) &&
            g_strcmp0(path, disk_source_path(disk->type, &disk->source)) != 0)
            image_graph_hold(graph, holder, path, disk_image_format(other));
    }
}

static bool
goes_on_being_written(const DomainSnapshot *snapshot, const Disk *disk)
{
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        if (g_strcmp0(snapshot->disks[i]->name, disk->target.dev) == 0)
            return snapshot->disks[i]->snapshot == DISK_SNAPSHOT_MODE_NO;
    }
    return false;
}

/* The guest's own snapshots, but those that left this disk out: they follow it to wherever it goes. */
static void
hold_snapshots(ImageGraph *graph, const Guest *guest, const Disk *disk)
{
    g_autoptr(SnapshotTree) others = snapshot_tree_copy(guest->snapshots);

    for (guint i = 0; i < snapshot_tree_size(guest->snapshots); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(guest->snapshots, i);

        if (goes_on_being_written(snapshot, disk))
            snapshot_tree_drop(others, snapshot->name);
    }
    snapshot_tree_hold_images(graph, guest->name, others);
}

/* Everything that reaches @path but the disk itself. The data that arrives there would change what those see. */
static bool
check_holders(Guest *guest, const Disk *disk, const char *path, GError **err)
{
    g_autoptr(ImageGraph) graph = snapshot_holders(guest->qemu, guest);
    g_autoptr(GPtrArray) holders = NULL;
    g_autofree char *all = NULL;

    hold_snapshots(graph, guest, disk);
    kept_hold_images(graph, guest->name, guest->kept);
    hold_rest(graph, guest, disk, guest_live(guest), false);
    hold_rest(graph, guest, disk, guest_config(guest), true);
    holders = image_graph_holders(graph, path, NULL);
    if (holders->len == 0)
        return true;
    g_ptr_array_add(holders, NULL);
    all = g_strjoinv(", ", (char **)holders->pdata);
    return fail(err, VIR_ERR_OPERATION_INVALID,
                "disk %s: the commit would change image '%s', which %s needs: delete the snapshot "
                "with virsh snapshot-delete, which merges its images, or forget it first with "
                "--metadata",
                disk->target.dev, path, all);
}

/* ---- commit ---- */

#define COMMIT_FLAGS                                                     \
    (VIR_DOMAIN_BLOCK_COMMIT_SHALLOW | VIR_DOMAIN_BLOCK_COMMIT_DELETE |  \
     VIR_DOMAIN_BLOCK_COMMIT_ACTIVE | VIR_DOMAIN_BLOCK_COMMIT_RELATIVE | \
     VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES)

typedef struct {
    Place top, base,
        above; /* above: depth of top - 1; counts when top is not the top of the disk */
} CommitPlaces;

static bool
find_commit_base(const Disk *disk, const RemoteDomainBlockCommitArgs *args, CommitPlaces *places,
                 GError **err)
{
    bool is_shallow = args->flags & VIR_DOMAIN_BLOCK_COMMIT_SHALLOW;
    Place next = places->top;

    if (!step_down(&next)) {
        error_set(err, VIR_FROM_STORAGE, VIR_ERR_INVALID_ARG,
                  "could not find base image in chain for '%s'", disk->target.dev);
        return false;
    }
    places->base = next;
    if (args->base && !find_place(disk, args->base, &next, places->top.path, &places->base, err))
        return false;
    if (!args->base && !is_shallow) {
        while (step_down(&places->base))
            ;
    }
    if (is_shallow && places->base.depth != next.depth)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "base '%s' is not immediately below '%s' in chain for '%s'", args->base,
                    places->top.path, disk->target.dev);
    return true;
}

static bool
find_commit_places(const Disk *disk, const RemoteDomainBlockCommitArgs *args, CommitPlaces *places,
                   GError **err)
{
    bool is_active = args->flags & VIR_DOMAIN_BLOCK_COMMIT_ACTIVE;
    Place top = top_of(disk);

    places->top = top;
    if (args->top && !find_place(disk, args->top, &top, NULL, &places->top, err))
        return false;
    if (!find_commit_base(disk, args, places, err))
        return false;
    if (places->top.depth == 0 && !is_active)
        return fail(err, VIR_ERR_INVALID_ARG, "commit of '%s' active layer requires active flag",
                    disk->target.dev);
    if (places->top.depth != 0 && is_active)
        return fail(err, VIR_ERR_INVALID_ARG, "active commit requested but '%s' is not active",
                    places->top.path);
    places->above = top;
    while (places->above.depth + 1 < places->top.depth)
        step_down(&places->above);
    return true;
}

static DiskJobPlan *
plan_commit(Guest *guest, const Disk *disk, const CommitPlaces *places, guint flags, GError **err)
{
    bool is_inner = places->top.depth > 0;
    g_autoptr(DiskJobPlan) plan = disk_job_plan_new(
        is_inner ? VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT : VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT,
        disk);
    Place at = places->top;

    if (!places->base.path)
        return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk %s: the base has no path",
                         disk->target.dev);
    plan->deletes = flags & VIR_DOMAIN_BLOCK_COMMIT_DELETE;
    plan->base_node = places->base.node;
    set_image(&plan->base, &places->base);
    for (; at.depth < places->base.depth; step_down(&at))
        disk_job_plan_add_gone(plan, at.path, at.format, at.is_block_device);
    if (is_inner) {
        plan->upper_node = places->top.node;
        set_image(&plan->above, &places->above);
        if (!set_backing(plan, &places->above, &places->base,
                         flags & VIR_DOMAIN_BLOCK_COMMIT_RELATIVE, err))
            return NULL;
    }
    return check_holders(guest, disk, places->base.path, err) ? g_steal_pointer(&plan) : NULL;
}

static bool
domain_block_commit(Call *call, const RemoteDomainBlockCommitArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(DiskJobPlan) plan = NULL;
    CommitPlaces places;
    const Disk *disk;
    guint64 bytes = 0;

    if (!flags_check(args->flags, COMMIT_FLAGS, "qemuDomainBlockCommit", err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    disk = guest ? disk_job_prepare(guest, args->disk, err) : NULL;
    if (!disk ||
        !disk_job_bandwidth(args->bandwidth, args->flags & VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES,
                            &bytes, err) ||
        !find_commit_places(disk, args, &places, err))
        return false;
    plan = plan_commit(guest, disk, &places, args->flags, err);
    if (!plan)
        return false;
    plan->bytes_per_second = bytes;
    return disk_job_begin(guest, g_steal_pointer(&plan), call, err);
}

/* ---- pull ---- */

static bool
pull(Guest *guest, const Disk *disk, const char *base_name, guint64 bytes, bool is_relative,
     Call *call, GError **err)
{
    g_autoptr(DiskJobPlan) plan = disk_job_plan_new(VIR_DOMAIN_BLOCK_JOB_TYPE_PULL, disk);
    Place top = top_of(disk), at = top, base = {0};

    if (base_name && (!find_place(disk, base_name, &top, top.path, &base, err)))
        return false;
    if (base_name && base.depth == 0)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "disk %s: base '%s' is the active image itself: name one below it",
                    disk->target.dev, base.path);
    if (base_name) {
        plan->base_node = base.node;
        set_image(&plan->base, &base);
        if (!set_backing(plan, &top, &base, is_relative, err))
            return false;
    }
    while (step_down(&at) && (!base_name || at.depth < base.depth))
        disk_job_plan_add_gone(plan, at.path, at.format, at.is_block_device);
    plan->bytes_per_second = bytes;
    return disk_job_begin(guest, g_steal_pointer(&plan), call, err);
}

static bool
domain_block_pull(Call *call, const RemoteDomainBlockPullArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    const Disk *disk;
    guint64 bytes = 0;

    if (!flags_check(args->flags, VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES, "qemuDomainBlockPull",
                     err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    disk = guest ? disk_job_prepare(guest, args->path, err) : NULL;
    return disk &&
           disk_job_bandwidth(args->bandwidth, args->flags & VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES,
                              &bytes, err) &&
           pull(guest, disk, NULL, bytes, false, call, err);
}

/* ---- rebase: a pull down to a base, or a copy ---- */

#define REBASE_COPY_FLAGS                                                  \
    (VIR_DOMAIN_BLOCK_REBASE_SHALLOW | VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT | \
     VIR_DOMAIN_BLOCK_REBASE_COPY_RAW | VIR_DOMAIN_BLOCK_REBASE_COPY_DEV)
#define REBASE_FLAGS                                                                       \
    (REBASE_COPY_FLAGS | VIR_DOMAIN_BLOCK_REBASE_COPY | VIR_DOMAIN_BLOCK_REBASE_RELATIVE | \
     VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES)

static bool
check_rebase(const RemoteDomainBlockRebaseArgs *args, GError **err)
{
    bool is_copy = args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY;

    if (!flags_check(args->flags, REBASE_FLAGS, "qemuDomainBlockRebase", err))
        return false;
    if (!is_copy && args->flags & REBASE_COPY_FLAGS) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG,
                  "use of flags 0x%x requires a copy job", args->flags & REBASE_COPY_FLAGS);
        return false;
    }
    if (is_copy && !args->base)
        return fail(err, VIR_ERR_INVALID_ARG, "a copy job needs a base: the path of the copy");
    if (is_copy && args->flags & VIR_DOMAIN_BLOCK_REBASE_RELATIVE)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE does not go with a copy job");
    return args->base || !(args->flags & VIR_DOMAIN_BLOCK_REBASE_RELATIVE) ||
           fail(err, VIR_ERR_INVALID_ARG,
                "flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base");
}

static bool
rebase_copy(Guest *guest, const Disk *disk, const RemoteDomainBlockRebaseArgs *args, guint64 bytes,
            Call *call, GError **err)
{
    g_autoptr(Disk) destination = disk_new();
    CopyOptions options = {.bytes_per_second = bytes,
                           .is_shallow = args->flags & VIR_DOMAIN_BLOCK_REBASE_SHALLOW,
                           .is_reused = args->flags & VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT};

    if (args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY_DEV) {
        destination->type = STORAGE_TYPE_BLOCK;
        destination->source.dev = g_strdup(args->base);
    } else {
        destination->type = STORAGE_TYPE_FILE;
        destination->source.file = g_strdup(args->base);
    }
    if (args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY_RAW)
        destination->driver.type = STORAGE_FORMAT_RAW;
    return disk_copy_begin(guest, disk, destination, &options, call, err);
}

static bool
domain_block_rebase(Call *call, const RemoteDomainBlockRebaseArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    const Disk *disk;
    guint64 bytes = 0;

    if (!check_rebase(args, err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    disk = guest ? disk_job_prepare(guest, args->path, err) : NULL;
    if (!disk ||
        !disk_job_bandwidth(args->bandwidth, args->flags & VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES,
                            &bytes, err))
        return false;
    if (args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY)
        return rebase_copy(guest, disk, args, bytes, call, err);
    return pull(guest, disk, args->base, bytes, args->flags & VIR_DOMAIN_BLOCK_REBASE_RELATIVE,
                call, err);
}

void
block_commit_slots(DriverSlots *slots)
{
    slots->domain_block_commit = domain_block_commit;
    slots->domain_block_pull = domain_block_pull;
    slots->domain_block_rebase = domain_block_rebase;
}
