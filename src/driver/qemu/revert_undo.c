/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undoing a revert: back to the state that it left and kept (kept.h). The guest goes on with the very
 * images and memory of then, so no new ones are made; what it has now goes. The work is that of a
 * revert (revert_job.c). */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/plan_report.h"
#include "driver/qemu/revert_planner.h"
#include "driver/qemu/snapshot_define.h"
#include "driver/qemu/snapshot_store.h"
#include "seam/clock.h"

#define UNDO_FLAGS                                                            \
    (VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING | VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED | \
     VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)

static const KeptState *
require_kept(const Guest *guest, GError **err)
{
    if (!guest->kept)
        return fail_null(err, VIR_ERR_OPERATION_INVALID,
                         "domain %s has nothing to undo: no revert kept the state that it left "
                         "(virsh snapshot-revert --keep)",
                         guest->name);
    if (guest->kept->expires <= clock_wall_seconds())
        return fail_null(err, VIR_ERR_OPERATION_INVALID,
                         "the time of the state that the last revert of domain %s left is over",
                         guest->name);
    return guest->kept;
}

static RevertTo
wanted_state(const DomainSnapshot *node, guint flags)
{
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING)
        return REVERT_TO_RUNNING;
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)
        return REVERT_TO_PAUSED;
    return node->state == SNAPSHOT_STATE_RUNNING  ? REVERT_TO_RUNNING
           : node->state == SNAPSHOT_STATE_PAUSED ? REVERT_TO_PAUSED
                                                  : REVERT_TO_OFF;
}

static bool
check_images(ImageGraph *graph, const Domain *machine, GError **err)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);

        if (path && disk_is_kept(disk) && !image_graph_check(graph, path, err)) {
            g_prefix_error(err, "disk %s: ", disk->target.dev);
            return false;
        }
    }
    return true;
}

/* Under the name that the domain has now. */
static char *
machine_text(const Guest *guest, const Domain *recorded)
{
    g_autoptr(Domain) machine = domain_copy(recorded);

    g_free(machine->name);
    machine->name = g_strdup(guest->name);
    return domain_format(machine, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
}

static bool
plan_machines(const Guest *guest, RevertPlan *plan, const DomainSnapshot *node, GError **err)
{
    const Domain *next = node->inactive_domain ? node->inactive_domain : node->domain;

    if (guest->is_persistent)
        plan->config_xml = machine_text(guest, next);
    if (plan->to == REVERT_TO_OFF)
        return true;
    plan->live_xml = machine_text(guest, node->domain);
    if (!revert_plan_memory(plan, node->memory.file, err))
        return false;
    if (guest_is_running(guest))
        plan->stop_first = revert_conflict(guest, node->domain, plan->overlays);
    if (plan->stop_first && !guest->is_persistent)
        return fail(
            err, VIR_ERR_OPERATION_UNSUPPORTED,
            "domain %s is transient and would have to end before its old state can start: %s",
            guest->name, plan->stop_first);
    return true;
}

/* What was current is so again; its <disks> name the images that are written to again. */
static void
plan_text(const Guest *guest, RevertPlan *plan, const DomainSnapshot *node)
{
    const DomainSnapshot *current = snapshot_tree_find(guest->snapshots, node->parent_name);
    g_autoptr(DomainSnapshot) copy = current ? domain_snapshot_copy(current) : NULL;

    if (!copy)
        return;
    for (gsize i = 0; i < copy->n_disks; i++) {
        SnapshotDisk *entry = copy->disks[i];
        const Disk *disk = domain_find_disk(node->domain, entry->name);

        if (!disk || disk->type != STORAGE_TYPE_FILE || !entry->source.file ||
            !doomed_images_contain(plan->going, entry->source.file))
            continue;
        g_free(entry->source.file);
        entry->source.file = g_strdup(disk->source.file);
        entry->driver.type = disk->driver.type;
    }
    plan->text = snapshot_file_text(copy, true);
}

RevertPlan *
undo_plan_make(Guest *guest, guint flags, GError **err)
{
    g_autoptr(RevertPlan) plan = g_new0(RevertPlan, 1);
    g_autoptr(ImageRecords) records = NULL;
    g_autoptr(ImageGraph) graph = NULL;
    const KeptState *kept;

    if (!guest_require_idle(guest, err) || !disk_jobs_require_none(guest, err) ||
        !checkpoints_require_none(guest, "undoing a revert", err))
        return NULL;
    kept = require_kept(guest, err);
    records = kept ? image_records_load(guest->qemu, guest->uuid, err) : NULL;
    if (!records)
        return NULL;
    plan->name = g_strdup("the state before the last revert");
    plan->to = wanted_state(kept->node, flags);
    plan->is_undo = true;
    plan->overlays = new_overlays_new();
    plan->going = doomed_images_new();
    plan->staying = g_ptr_array_new_with_free_func(g_free);
    plan->drop_managed_save = guest->has_managed_save;
    graph = snapshot_holders(guest->qemu, guest);
    snapshot_tree_hold_images(graph, guest->name, guest->snapshots);
    machine_hold_images(graph, "the old state", kept->node->domain);
    machine_hold_images(graph, "the old state", kept->node->inactive_domain);
    if (!revert_check_guest(guest, plan->to, flags, err) ||
        !check_images(graph, kept->node->domain, err) ||
        !check_images(graph, kept->node->inactive_domain, err) ||
        !plan_machines(guest, plan, kept->node, err))
        return NULL;
    doomed_images_plan(plan->going, graph, records, guest_live(guest), plan->staying);
    doomed_images_plan(plan->going, graph, records, guest_config(guest), plan->staying);
    doomed_images_plan_file(plan->going, graph, records, kept->node->memory.file);
    plan_text(guest, plan, kept->node);
    return g_steal_pointer(&plan);
}

/* ---- calls ---- */

static RevertPlan *
plan_of_call(Guest *guest, guint flags, GError **err)
{
    if (!guest || !flags_check(flags, UNDO_FLAGS, "manifoldSnapshotUndo", err) ||
        !flags_exclude(flags, VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING, "SNAPSHOT_UNDO_RUNNING",
                       VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED, "SNAPSHOT_UNDO_PAUSED",
                       VIR_FROM_DOMAIN_SNAPSHOT, err))
        return NULL;
    return undo_plan_make(guest, flags, err);
}

static bool
snapshot_undo(Call *call, const ManifoldSnapshotUndoArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    RevertPlan *plan = plan_of_call(guest, args->flags, err);

    return plan &&
           guest_run_job(guest, job_new(&revert_kind, guest->name, plan, guest), call, NULL, err);
}

static bool
snapshot_plan_undo(Call *call, const ManifoldSnapshotPlanUndoArgs *args,
                   ManifoldSnapshotPlanUndoRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autoptr(RevertPlan) plan = plan_of_call(guest, args->flags, err);
    g_autoptr(Json) report = NULL;

    if (!plan)
        return false;
    report = plan_report_new(guest);
    revert_plan_report(plan_report_add(report, "undo", NULL), guest, plan);
    ret->plan = plan_report_finish(g_steal_pointer(&report));
    return true;
}

void
undo_slots(DriverSlots *slots)
{
    slots->manifold_snapshot_undo = snapshot_undo;
    slots->manifold_snapshot_plan_undo = snapshot_plan_undo;
}
