/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning a revert, to any snapshot of the tree: which image each disk had then, what its new
 * overlay is called, which machine will run, and which images of the present state nothing will
 * need any more. The work: revert_job.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/checkpoint.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/revert_planner.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/snapshot_define.h"
#include "driver/qemu/snapshot_store.h"
#include "image/name.h"
#include "seam/clock.h"

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

bool
revert_check_snapshot(const DomainSnapshot *snapshot, GError **err)
{
    if (!snapshot->domain || snapshot->domain->n_disks == 0)
        return fail(err, VIR_ERR_SNAPSHOT_REVERT_RISKY,
                    "snapshot '%s' lacks domain '%s' rollback info", snapshot->name,
                    snapshot->domain ? snapshot->domain->name : "");
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        const SnapshotDisk *disk = snapshot->disks[i];

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
    return true;
}

/* ---- machines ---- */

/* On its new overlays, under the name that the domain has now. */
static char *
machine_text(const RevertPlanner *planner, const Domain *recorded)
{
    g_autoptr(Domain) machine = revert_machine_on_overlays(planner->plan, recorded);

    g_free(machine->name);
    machine->name = g_strdup(planner->guest->name);
    return domain_format(machine, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
}

bool
revert_plan_memory(RevertPlan *plan, const char *path, GError **err)
{
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

/* The firmware's variables as they were, or anew from the template. */
static bool
plan_nvram(RevertPlanner *planner, GError **err)
{
    RevertPlan *plan = planner->plan;
    const Domain *machine = planner->snapshot->domain;
    const char *path = firmware_nvram_path(machine);
    g_autofree char *copy = firmware_copy_path(planner->snapshot);

    if (planner->options->flags & VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM) {
        if (!path || !machine->os.nvram->template)
            return fail(err, VIR_ERR_OPERATION_INVALID,
                        "snapshot '%s' has no firmware whose variables have a template: leave out "
                        "RESET_NVRAM",
                        planner->snapshot->name);
        plan->nvram_from = g_strdup(machine->os.nvram->template);
    } else if (copy && file_exists(copy)) {
        plan->nvram_from = g_steal_pointer(&copy);
    }
    plan->nvram_path = plan->nvram_from ? g_strdup(path) : NULL;
    return true;
}

/* Old RAM knows what was on the disks: over others it destroys them. */
static bool
check_memory_fits(const RevertPlanner *planner, GError **err)
{
    const DomainSnapshot *snapshot = planner->snapshot;

    if (!planner->plan->memory_path || planner->options->flags & VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)
        return true;
    for (gsize i = 0; i < snapshot->domain->n_disks; i++) {
        const Disk *disk = snapshot->domain->disks[i];
        const SnapshotDisk *entry =
            disk->target.dev ? snapshot_find_disk(snapshot, disk->target.dev) : NULL;

        if (disk_is_kept(disk) && entry && entry->snapshot == DISK_SNAPSHOT_MODE_NO)
            return fail(err, VIR_ERR_SNAPSHOT_REVERT_RISKY,
                        "the memory of snapshot '%s' is of a time whose disk %s was not kept: over "
                        "the disk as it is now it may destroy its file systems; use FORCE if you "
                        "know that it does not",
                        snapshot->name, disk->target.dev);
    }
    return true;
}

static bool
plan_machines(RevertPlanner *planner, GError **err)
{
    const DomainSnapshot *snapshot = planner->snapshot;
    const Domain *next = snapshot->inactive_domain ? snapshot->inactive_domain : snapshot->domain;
    RevertPlan *plan = planner->plan;

    plan->memory_tag =
        plan->to != REVERT_TO_OFF && snapshot->memory.snapshot == DISK_SNAPSHOT_MODE_INTERNAL &&
        (snapshot->state == SNAPSHOT_STATE_RUNNING || snapshot->state == SNAPSHOT_STATE_PAUSED);
    plan->tag = g_strdup(snapshot->name);
    if (!revert_plan_overlays(planner, snapshot->domain, err) ||
        !revert_plan_overlays(planner, snapshot->inactive_domain, err) ||
        !revert_plan_memory(plan, snapshot->memory.file, err) || !check_memory_fits(planner, err) ||
        !plan_nvram(planner, err))
        return false;
    if (planner->guest->is_persistent)
        plan->config_xml = machine_text(planner, next);
    if (plan->to == REVERT_TO_OFF)
        return true;
    plan->live_xml = machine_text(planner, snapshot->domain);
    if (guest_is_running(planner->guest))
        plan->stop_first = revert_conflict(planner->guest, snapshot->domain, plan->overlays);
    if (plan->nvram_from && !plan->stop_first)
        plan->stop_first = g_strdup("its firmware's variables are one file");
    if (snapshot_has_inside(snapshot) && !revert_check_inside(planner, err))
        return false;
    if (plan->stop_first && guest_is_running(planner->guest) && !planner->guest->is_persistent)
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
plan_text(RevertPlanner *planner)
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
plan_keeping(RevertPlanner *planner, GError **err)
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
plan_leaving(RevertPlanner *planner, GError **err)
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

static RevertPlan *
make_plan(Guest *guest, const DomainSnapshot *snapshot, RevertTo to, const RevertOptions *options,
          GError **err)
{
    g_autoptr(RevertPlan) plan = g_new0(RevertPlan, 1);
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);
    g_autoptr(ImageGraph) graph = NULL;
    RevertPlanner planner = {
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
    if (!plan_machines(&planner, err) || !revert_check_given_images(&planner, err) ||
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

    if (!guest_require_idle(guest, err) || !disk_jobs_require_none(guest, err) ||
        !checkpoints_require_none(guest, "a revert", err))
        return NULL;
    snapshot = snapshot_tree_require(guest->snapshots, name, err);
    if (!snapshot)
        return NULL;
    to = wanted_state(snapshot, options->flags);
    if (!revert_check_snapshot(snapshot, err) ||
        !revert_check_guest(guest, to, options->flags, err))
        return NULL;
    return make_plan(guest, snapshot, to, options, err);
}
