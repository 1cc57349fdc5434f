/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning a revert, to any snapshot of the tree: which image each disk had then, what its new
 * overlay is called, which machine will run, and which images of the present state nothing will
 * need any more. The work: revert_job.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/disk_job.h"
#include "driver/qemu/revert.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/snapshot_define.h"
#include "driver/qemu/snapshot_store.h"
#include "image/name.h"
#include "seam/clock.h"

/* What planning needs at hand. */
typedef struct {
    Guest *guest;
    const DomainSnapshot *snapshot;
    const RevertOptions *options;
    ImageRecords *records;
    RevertPlan *plan;
    ImageGraph *graph; /* what will need images, once the revert is done */
} Planner;

static RevertTo
wanted_state(const DomainSnapshot *snapshot, guint flags)
{
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING)
        return REVERT_TO_RUNNING;
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)
        return REVERT_TO_PAUSED;
    switch (snapshot->state) {
    case SNAPSHOT_STATE_RUNNING:
    case SNAPSHOT_STATE_BLOCKED:
        return REVERT_TO_RUNNING;
    case SNAPSHOT_STATE_PAUSED:
        return REVERT_TO_PAUSED;
    default:
        return REVERT_TO_OFF;
    }
}

/* ---- may it be done? ---- */

static bool
check_snapshot(const DomainSnapshot *snapshot, GError **err)
{
    if (!snapshot->domain || snapshot->domain->n_disks == 0)
        return fail(err, VIR_ERR_SNAPSHOT_REVERT_RISKY,
                    "snapshot '%s' lacks domain '%s' rollback info", snapshot->name,
                    snapshot->domain ? snapshot->domain->name : "");
    if (snapshot->memory.snapshot == DISK_SNAPSHOT_MODE_INTERNAL)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "snapshot '%s' has its memory inside a disk image: reverts to "
                    "internal snapshots are not supported",
                    snapshot->name);
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        const SnapshotDisk *disk = snapshot->disks[i];

        if (disk->snapshot == DISK_SNAPSHOT_MODE_INTERNAL)
            return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                        "snapshot '%s' is inside the image of disk %s: reverts to internal "
                        "snapshots are not supported",
                        snapshot->name, disk->name);
        if (disk->snapshot_delete_in_progress)
            return fail(
                err, VIR_ERR_OPERATION_INVALID,
                "snapshot '%s' is being deleted and has lost its state: delete it again to finish",
                snapshot->name);
    }
    return true;
}

bool
revert_check_guest(const Guest *guest, RevertTo to, guint flags, GError **err)
{
    if (!guest->is_persistent && to == REVERT_TO_OFF)
        return fail(
            err, VIR_ERR_OPERATION_INVALID,
            "transient domain needs to request run or pause to revert to inactive snapshot");
    if (guest->has_managed_save && !(flags & VIR_DOMAIN_SNAPSHOT_REVERT_FORCE))
        return fail(err, VIR_ERR_SNAPSHOT_REVERT_RISKY,
                    "domain %s has a saved state that belongs to its present disks and would be "
                    "lost: use FORCE",
                    guest->name);
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "the firmware's variables cannot be reset by a revert yet");
    return true;
}

/* ---- new overlays ---- */

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
find_neighbour(const Planner *planner, const Disk *disk)
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
find_stem(const Planner *planner, const char *path)
{
    const char *below;

    while ((below = image_graph_below(planner->graph, path)))
        path = below;
    return image_name_stem(path);
}

static char *
given_name(const Planner *planner, const Disk *disk, const char *path, GError **err)
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

static char *
choose_name(const Planner *planner, const Disk *disk, const char *base_path, GError **err)
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
                         "(virsh snapshot-revert --image %s=PATH)",
                         disk->target.dev, base_path, disk->target.dev);
    dir = g_path_get_dirname(beside);
    number = MAX(image_records_last_revert(planner->records, dir, stem),
                 image_name_last_revert(beside, stem));
    for (;;) {
        g_autofree char *path = image_name_for_revert(beside, stem, ++number);
        if (!is_planned(planner->plan->overlays, path))
            return g_steal_pointer(&path);
    }
}

static bool
plan_disk(Planner *planner, const Disk *disk, GError **err)
{
    const char *base = disk_source_path(disk->type, &disk->source);
    ImageFormat format = disk_image_format(disk);
    g_autofree char *path = NULL;
    g_autofree char *key = NULL;
    NewOverlay *overlay;

    if (!disk_is_kept(disk) || new_overlays_find_base(planner->plan->overlays, base))
        return true;
    if (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: reverts of %s disks are not supported", disk->target.dev,
                    storage_type_to_string(disk->type));
    image_graph_hold(planner->graph, "the new state", base, format);
    if (!image_graph_check(planner->graph, base, err)) {
        g_prefix_error(err, "disk %s: ", disk->target.dev);
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

static bool
plan_disks(Planner *planner, const Domain *machine, GError **err)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        if (!plan_disk(planner, machine->disks[i], err))
            return false;
    }
    return true;
}

/* ---- machines ---- */

/* The recorded machine on its new overlays, under the name that the domain has now. */
static char *
machine_on_overlays(const Planner *planner, const Domain *recorded)
{
    g_autoptr(Domain) machine = domain_copy(recorded);

    for (gsize i = 0; i < machine->n_disks; i++) {
        Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);
        const NewOverlay *overlay =
            path ? new_overlays_find_base(planner->plan->overlays, path) : NULL;

        if (overlay && disk_is_kept(disk))
            disk_put_on_overlay(disk, overlay);
    }
    g_free(machine->name);
    machine->name = g_strdup(planner->guest->name);
    return domain_format(machine, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
}

static bool
plan_memory(Planner *planner, GError **err)
{
    RevertPlan *plan = planner->plan;
    const char *path = planner->snapshot->memory.file;
    g_autoptr(SaveImage) image = NULL;

    if (plan->to == REVERT_TO_OFF || !path)
        return true;
    image = save_image_open(path, NULL, err);
    if (!image) {
        g_prefix_error(err, "memory of %s: ", plan->name);
        return false;
    }
    if (image->compression != SAVE_RAW)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "the memory of %s is compressed",
                    plan->name);
    plan->memory_path = g_strdup(path);
    return true;
}

static bool
plan_machines(Planner *planner, GError **err)
{
    const DomainSnapshot *snapshot = planner->snapshot;
    const Domain *next = snapshot->inactive_domain ? snapshot->inactive_domain : snapshot->domain;
    RevertPlan *plan = planner->plan;

    if (!plan_disks(planner, snapshot->domain, err) ||
        !plan_disks(planner, snapshot->inactive_domain, err) || !plan_memory(planner, err))
        return false;
    if (planner->guest->is_persistent)
        plan->config_xml = machine_on_overlays(planner, next);
    if (plan->to == REVERT_TO_OFF)
        return true;
    plan->live_xml = machine_on_overlays(planner, snapshot->domain);
    if (guest_is_running(planner->guest))
        plan->stop_first = revert_conflict(planner->guest, snapshot->domain, plan->overlays);
    if (plan->stop_first && !planner->guest->is_persistent)
        return fail(
            err, VIR_ERR_OPERATION_UNSUPPORTED,
            "domain %s is transient and would have to end before its new state can start: %s",
            planner->guest->name, plan->stop_first);
    return true;
}

/* ---- what the snapshot says ---- */

/* Does the guest write to @path now? */
static bool
is_present_top(const Guest *guest, const char *path)
{
    const Domain *machine = guest_domain(guest);

    for (gsize i = 0; i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        if (g_strcmp0(disk_source_path(disk->type, &disk->source), path) == 0)
            return true;
    }
    return false;
}

/* The snapshot's own <disks> say which images are written to after it; those that are left are
 * replaced by the new ones. */
static void
plan_text(Planner *planner)
{
    g_autoptr(DomainSnapshot) copy = domain_snapshot_copy(planner->snapshot);

    for (gsize i = 0; i < copy->n_disks; i++) {
        SnapshotDisk *entry = copy->disks[i];
        const NewOverlay *overlay = new_overlays_find(planner->plan->overlays, entry->name);

        if (!overlay || entry->snapshot != DISK_SNAPSHOT_MODE_EXTERNAL || !entry->source.file)
            continue;
        if (!doomed_images_contain(planner->plan->going, entry->source.file) &&
            !is_present_top(planner->guest, entry->source.file) && file_exists(entry->source.file))
            continue;
        g_free(entry->source.file);
        entry->source.file = g_strdup(overlay->path);
        entry->driver.type = STORAGE_FORMAT_QCOW2;
    }
    planner->plan->text = snapshot_file_text(copy, true);
}

/* ---- what is kept ---- */

static DomainSnapshot *
present_node(const Guest *guest)
{
    DomainSnapshot *node = domain_snapshot_new();
    bool runs = guest_is_running(guest);

    node->name = g_strdup("left");
    node->creation_time = clock_wall_seconds();
    node->has_creation_time = true;
    node->state = !runs                                ? SNAPSHOT_STATE_SHUTOFF
                  : guest->state == VIR_DOMAIN_RUNNING ? SNAPSHOT_STATE_RUNNING
                                                       : SNAPSHOT_STATE_PAUSED;
    node->domain = machine_recorded_copy(guest_domain(guest), guest_config(guest));
    if (runs && guest_config(guest))
        node->inactive_domain = machine_recorded_copy(guest_config(guest), guest_config(guest));
    node->parent_name = g_strdup(snapshot_tree_current(guest->snapshots));
    node->memory.snapshot = DISK_SNAPSHOT_MODE_NO;
    return node;
}

/* The present state becomes the hidden node; the one that was hidden before goes. */
static bool
plan_keeping(Planner *planner, GError **err)
{
    Guest *guest = planner->guest;
    RevertPlan *plan = planner->plan;
    g_autoptr(KeptState) kept = NULL;
    DomainSnapshot *node;

    if (guest->has_managed_save)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "domain %s has a saved state, which cannot be kept: start it, or remove the "
                    "saved state (virsh managedsave-remove)",
                    guest->name);
    node = present_node(guest);
    kept = kept_state_new(node->creation_time + (gint64)planner->options->keep_s, node);
    if (planner->options->keeps_memory && guest_is_running(guest)) {
        node->memory.snapshot = DISK_SNAPSHOT_MODE_EXTERNAL;
        node->memory.file = kept_memory_path(guest);
        plan->kept_memory = memory_save_new(guest, node->memory.file);
    }
    plan->kept_text = kept_state_to_text(kept);
    kept_hold_images(planner->graph, guest->name, kept);
    if (guest->kept) {
        const DomainSnapshot *old = guest->kept->node;

        doomed_images_plan(plan->going, planner->graph, planner->records, old->domain, NULL);
        doomed_images_plan(plan->going, planner->graph, planner->records, old->inactive_domain,
                           NULL);
        doomed_images_plan_file(plan->going, planner->graph, planner->records, old->memory.file);
    }
    return true;
}

static bool
plan_leaving(Planner *planner, GError **err)
{
    Guest *guest = planner->guest;
    RevertPlan *plan = planner->plan;

    if (planner->options->keep_s)
        return plan_keeping(planner, err);
    kept_hold_images(planner->graph, guest->name, guest->kept);
    doomed_images_plan(plan->going, planner->graph, planner->records, guest_live(guest),
                       plan->staying);
    doomed_images_plan(plan->going, planner->graph, planner->records, guest_config(guest),
                       plan->staying);
    return true;
}

static bool
check_given_images(const Planner *planner, GError **err)
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

static RevertPlan *
make_plan(Guest *guest, const DomainSnapshot *snapshot, RevertTo to, const RevertOptions *options,
          GError **err)
{
    g_autoptr(RevertPlan) plan = g_new0(RevertPlan, 1);
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);
    g_autoptr(ImageGraph) graph = NULL;
    Planner planner = {
        .guest = guest, .snapshot = snapshot, .options = options, .records = records, .plan = plan};

    if (!records)
        return NULL;
    planner.graph = graph = snapshot_holders(guest->qemu, guest);
    snapshot_tree_hold_images(graph, guest->name, guest->snapshots);
    plan->name = g_strdup_printf("snapshot %s", snapshot->name);
    plan->to = to;
    plan->overlays = new_overlays_new();
    plan->going = doomed_images_new();
    plan->drop_managed_save = guest->has_managed_save;
    plan->staying = g_ptr_array_new_with_free_func(g_free);
    if (!plan_machines(&planner, err) || !check_given_images(&planner, err) ||
        !plan_leaving(&planner, err))
        return NULL;
    plan_text(&planner);
    return g_steal_pointer(&plan);
}

RevertPlan *
revert_plan_make(Guest *guest, const char *name, const RevertOptions *options, GError **err)
{
    const DomainSnapshot *snapshot;
    RevertTo to;

    if (!guest_require_idle(guest, err) || !disk_jobs_require_none(guest, err))
        return NULL;
    snapshot = snapshot_tree_require(guest->snapshots, name, err);
    if (!snapshot)
        return NULL;
    to = wanted_state(snapshot, options->flags);
    if (!check_snapshot(snapshot, err) || !revert_check_guest(guest, to, options->flags, err))
        return NULL;
    return make_plan(guest, snapshot, to, options, err);
}
