/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going back to what is kept inside images: the image itself changes, so the old guest ends first, and nobody else may
 * need what the image holds now. See revert.h, internal.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/revert_planner.h"

#include <string.h>

#include "base/error.h"
#include "driver/qemu/kept.h"

/* ---- the plan ---- */

/* All that @snapshot needs besides the present content of the image @path. */
static void
hold_besides(ImageGraph *graph, const DomainSnapshot *snapshot, const Domain *machine,
             const char *holder, const char *path)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        const char *image = disk_source_path(disk->type, &disk->source);

        if (!image || (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK) ||
            (g_str_equal(image, path) && snapshot_is_inside(snapshot, disk->target.dev)))
            continue;
        image_graph_hold(graph, holder, image, disk_image_format(disk));
    }
}

/* Who needs what the image holds now, other than the guest itself. */
static ImageGraph *
content_holders(const RevertPlanner *planner, const char *path, ImageFormat format)
{
    const Guest *guest = planner->guest;
    ImageGraph *graph = snapshot_holders(guest->qemu, guest);

    image_graph_add(graph, path, format);
    for (guint i = 0; i < snapshot_tree_size(guest->snapshots); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(guest->snapshots, i);
        g_autofree char *holder = g_strdup_printf("snapshot '%s'", snapshot->name);

        hold_besides(graph, snapshot, snapshot->domain, holder, path);
        hold_besides(graph, snapshot, snapshot->inactive_domain, holder, path);
    }
    kept_hold_images(graph, guest->name, guest->kept);
    return graph;
}

static bool
check_tag(const RevertPlanner *planner, InternalDisk *inside, GError **err)
{
    const char *name = planner->snapshot->name;
    g_auto(InternalTag) tag = {0};

    if (!internal_find(inside, name, &tag, err))
        return false;
    if (!tag.id)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "disk %s: there is no snapshot '%s' inside image '%s': delete it with "
                    "METADATA_ONLY, or put the image back",
                    inside->target, name, inside->path);
    if (tag.is_ambiguous && planner->plan->memory_tag)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "disk %s: inside image '%s' another snapshot has the number '%s', for which "
                    "QEMU would take the name of this one: delete the other one first",
                    inside->target, inside->path, name);
    inside->has_memory = tag.memory_bytes > 0;
    return true;
}

static bool
check_content(const RevertPlanner *planner, const InternalDisk *inside, ImageFormat format,
              GError **err)
{
    g_autoptr(ImageGraph) graph = content_holders(planner, inside->path, format);
    g_autoptr(GPtrArray) holders = image_graph_holders(graph, inside->path, NULL);

    if (holders->len == 0)
        return true;
    return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                "disk %s: snapshot '%s' is inside image '%s', whose present content %s%s needs: a "
                "revert would overwrite it; delete that first",
                inside->target, planner->snapshot->name, inside->path, (char *)holders->pdata[0],
                holders->len > 1 ? " (and others)" : "");
}

bool
revert_plan_inside(RevertPlanner *planner, const Disk *disk, GError **err)
{
    RevertPlan *plan = planner->plan;
    const char *path = disk_source_path(disk->type, &disk->source);
    ImageFormat format = disk_image_format(disk);
    InternalDisk *inside;

    if (!plan->inside)
        plan->inside = internal_disks_new();
    if (internal_disks_contain(plan->inside, path))
        return true;
    if (format != IMAGE_FORMAT_QCOW2)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "internal snapshot for disk %s unsupported for storage type %s",
                    disk->target.dev, image_format_to_string(format));
    image_graph_hold(planner->graph, "the new state", path, format);
    inside = internal_disks_add(plan->inside, disk);
    return check_tag(planner, inside, err) && check_content(planner, inside, format, err);
}

bool
revert_check_inside(RevertPlanner *planner, GError **err)
{
    RevertPlan *plan = planner->plan;
    guint with_memory = 0;

    if (planner->clone_name)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "snapshot '%s' is inside its images: only external snapshots can be cloned",
                    planner->snapshot->name);
    if (planner->options->keep_s)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "snapshot '%s' is inside its images, which a revert changes: the present state "
                    "cannot be kept; take a snapshot of it first",
                    planner->snapshot->name);
    for (guint i = 0; plan->inside && i < plan->inside->len; i++) {
        InternalDisk *inside = plan->inside->pdata[i];

        inside->has_memory = inside->has_memory && with_memory == 0;
        with_memory += inside->has_memory;
    }
    if (plan->memory_tag && with_memory == 0)
        return fail(err, VIR_ERR_OPERATION_FAILED, "no image holds the memory of snapshot '%s'",
                    planner->snapshot->name);
    g_free(plan->stop_first);
    plan->stop_first = g_strdup("the snapshot is inside the images that it writes to");
    return true;
}

/* ---- the steps ---- */

StepResult
revert_apply_inside(Job *job, GError **err)
{
    const RevertPlan *plan = job_plan(job);

    if (revert_is_installed(job))
        return STEP_DONE;
    for (guint i = 0; plan->inside && i < plan->inside->len; i++) {
        g_autofree char *point = g_strdup_printf("image-%u", i);

        if (!job_fault(job, point, err) || !internal_apply(plan->inside->pdata[i], plan->tag, err))
            return STEP_FAILED;
    }
    return STEP_DONE;
}

static void
on_job_event(Emulator *emulator, const char *event, const Json *data, gpointer opaque)
{
    Job *job = opaque;
    RevertPlan *plan = job_plan(job);

    if (!internal_job_has_ended(event, data, job_id(job)))
        return;
    plan->has_ended = true;
    job_wake(job);
}

bool
revert_begin_inside(Job *job, GError **err)
{
    RevertPlan *plan = job_plan(job);

    if (!job_fault(job, "load", err))
        return false;
    emulator_add_listener(plan->emulator, on_job_event, job);
    plan->is_loading_inside = true;
    return internal_job_start(plan->emulator, plan->live, "snapshot-load", job_id(job), plan->tag,
                              plan->inside, err);
}

void
revert_leave_inside(Job *job)
{
    RevertPlan *plan = job_plan(job);

    if (plan->is_loading_inside && plan->emulator)
        emulator_remove_listener(plan->emulator, on_job_event, job);
    plan->is_loading_inside = false;
}

StepResult
revert_look_inside(Job *job, GError **err)
{
    RevertPlan *plan = job_plan(job);

    if (!plan->has_ended)
        return STEP_WAIT;
    revert_leave_inside(job);
    if (!internal_job_finish(plan->emulator, job_id(job), err)) {
        g_prefix_error(err, "loading the memory of %s: ", plan->name);
        return STEP_FAILED;
    }
    plan->is_loaded = true;
    return STEP_DONE;
}
