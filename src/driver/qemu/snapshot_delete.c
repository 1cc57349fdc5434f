/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning the deletion of snapshots. See snapshot_delete.h for the rules. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/snapshot_delete.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/plan_report.h"

#define DELETE_FLAGS                                                                  \
    (VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN | VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY | \
     VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY)

typedef struct {
    Guest *guest;
    const DomainSnapshot *snapshot;
    ImageRecords *records;
    ImageGraph *graph; /* as it is without the snapshot */
    DeletePlan *plan;
} Planner;

/* Everything that needs images, without the snapshot that goes, and those of @gone (may be NULL). */
static ImageGraph *
holders_without(Guest *guest, const DomainSnapshot *snapshot, GPtrArray *gone)
{
    ImageGraph *graph = snapshot_holders(guest->qemu, guest);
    g_autoptr(SnapshotTree) tree = snapshot_tree_copy(guest->snapshots);
    g_autofree char *holder = g_strdup_printf("domain %s", guest->name);

    snapshot_tree_drop(tree, snapshot->name);
    for (guint i = 0; gone && i < gone->len; i++)
        snapshot_tree_drop(tree, gone->pdata[i]);
    snapshot_tree_hold_images(graph, guest->name, tree);
    machine_hold_images(graph, holder, guest_live(guest));
    machine_hold_images(graph, holder, guest_config(guest));
    kept_hold_images(graph, guest->name, guest->kept);
    return graph;
}

/* Images backed by @path that somebody needs. */
static GPtrArray *
needed_users(const Planner *planner, const char *path)
{
    GPtrArray *users = image_graph_users(planner->graph, path);

    for (guint i = users->len; i > 0; i--) {
        if (!image_graph_is_held(planner->graph, users->pdata[i - 1]))
            g_ptr_array_remove_index(users, i - 1);
    }
    return users;
}

/* Does a domain other than the guest, or one of its snapshots, reach @path? */
static bool
is_shared(const Planner *planner, const char *path)
{
    g_autoptr(GPtrArray) holders = image_graph_holders(planner->graph, path, NULL);
    g_autofree char *own = g_strdup_printf("domain %s", planner->guest->name);
    g_autofree char *suffix = g_strdup_printf(" of domain %s", planner->guest->name);

    for (guint i = 0; i < holders->len; i++) {
        if (!g_str_equal(holders->pdata[i], own) && !g_str_has_suffix(holders->pdata[i], suffix))
            return true;
    }
    return false;
}

/* A file that a user made is kept under its name, so data goes down into it; of two of ours the
 * smaller one moves. */
static BlockJobKind
choose_kind(const Planner *planner, const char *lower, const char *upper)
{
    bool lower_is_ours = image_records_find(planner->records, lower) != NULL;
    bool upper_is_ours = image_records_find(planner->records, upper) != NULL;

    if (lower_is_ours != upper_is_ours)
        return lower_is_ours ? BLOCK_PULL : BLOCK_COMMIT;
    if (!lower_is_ours)
        return BLOCK_PULL;
    return allocated_bytes(upper) < allocated_bytes(lower) ? BLOCK_COMMIT : BLOCK_PULL;
}

static void
plan_parents(ImageMerge *merge, const Planner *planner)
{
    g_autoptr(GPtrArray) users = image_graph_users(planner->graph, merge->upper);

    merge->parents = g_ptr_array_new_with_free_func(g_free);
    merge->parent_formats = g_ptr_array_new();
    for (guint i = 0; i < users->len; i++) {
        g_ptr_array_add(merge->parents, g_strdup(users->pdata[i]));
        g_ptr_array_add(merge->parent_formats,
                        GINT_TO_POINTER(image_graph_format(planner->graph, users->pdata[i])));
    }
}

/* Are there snapshots inside the image, other than the one that goes? */
static bool
holds_others(const Planner *planner, const char *path)
{
    return image_count_snapshots(path) >
           (internal_disks_contain(planner->plan->inside, path) ? 1 : 0);
}

static bool
plan_merge(Planner *planner, const char *target, const char *lower, const char *upper, GError **err)
{
    ImageFormat upper_format = image_graph_format(planner->graph, upper);
    g_autoptr(ImageChain) chain = image_chain_read(upper, upper_format, NULL, err);
    const ImageLayer *lower_layer, *below;
    const FileMark *mark;
    ImageMerge *merge;

    if (!chain) {
        g_prefix_error(err, "disk %s: ", target);
        return false;
    }
    if (chain->layers->len < 2)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "image '%s' is not backed by '%s'", upper, lower);
    lower_layer = chain->layers->pdata[1];
    below = chain->layers->len > 2 ? chain->layers->pdata[2] : NULL;
    if (below && !below->path)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: image '%s' below '%s' is no local file", target, below->name, lower);
    merge = g_new0(ImageMerge, 1);
    merge->target = g_strdup(target);
    merge->lower = g_strdup(lower);
    merge->upper = g_strdup(upper);
    merge->lower_format = lower_layer->format;
    merge->upper_format = upper_format;
    merge->lower_is_block_device = lower_layer->is_block_device;
    merge->below = below ? g_strdup(below->path) : NULL;
    merge->kind = choose_kind(planner, lower, upper);
    /* What holds other snapshots inside stays a file; when both do, the chain stays as it is. */
    if (holds_others(planner, merge->kind == BLOCK_COMMIT ? upper : lower))
        merge->kind = merge->kind == BLOCK_COMMIT ? BLOCK_PULL : BLOCK_COMMIT;
    if (holds_others(planner, merge->kind == BLOCK_COMMIT ? upper : lower)) {
        image_merge_free(merge);
        return true;
    }
    mark = image_records_find(planner->records, merge->kind == BLOCK_COMMIT ? upper : lower);
    merge->may_remove = mark != NULL;
    if (mark)
        merge->mark = *mark;
    plan_parents(merge, planner);
    g_ptr_array_add(planner->plan->merges, merge);
    return true;
}

/* What happens to the image that a disk had at the snapshot, and to those below it. */
static bool
plan_disk(Planner *planner, const Disk *disk, GError **err)
{
    g_autofree char *path = g_strdup(disk_source_path(disk->type, &disk->source));
    ImageFormat format = disk_image_format(disk);

    while (path && file_exists(path) && !image_graph_is_named(planner->graph, path)) {
        g_autoptr(GPtrArray) users = NULL;
        const FileMark *mark = image_records_find(planner->records, path);
        g_autoptr(ImageHeader) header = NULL;

        image_graph_add(planner->graph, path, format);
        users = needed_users(planner, path);
        if (users->len > 1 || is_shared(planner, path))
            return true;
        if (users->len == 1)
            return plan_merge(planner, disk->target.dev, path, users->pdata[0], err);
        if (!mark || holds_others(planner, path))
            return true;
        doomed_images_add(planner->plan->doomed, path, *mark);
        header = image_header_read_file(path, format, err);
        if (!header)
            return false;
        format = image_format_from_string(header->backing_format);
        g_free(g_steal_pointer(&path));
        if (header->backing_name)
            path = image_backing_path(
                ((DoomedImage *)planner->plan->doomed->pdata[planner->plan->doomed->len - 1])->path,
                header->backing_name, &format);
        if (format == IMAGE_FORMAT_UNKNOWN)
            format = IMAGE_FORMAT_RAW;
    }
    return true;
}

static bool
is_merged(const DeletePlan *plan, const Disk *disk)
{
    const char *path = disk_source_path(disk->type, &disk->source);

    for (guint i = 0; i < plan->merges->len; i++) {
        if (g_strcmp0(((const ImageMerge *)plan->merges->pdata[i])->lower, path) == 0)
            return true;
    }
    return doomed_images_contain(plan->doomed, path);
}

static bool
plan_machine(Planner *planner, const Domain *machine, GError **err)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];

        if (!disk_is_kept(disk) ||
            (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK) ||
            is_merged(planner->plan, disk))
            continue;
        if (!plan_disk(planner, disk, err))
            return false;
    }
    return true;
}

/* ---- inside images ---- */

static bool
has_users(const ImageGraph *graph, const char *path)
{
    g_autoptr(GPtrArray) users = image_graph_users(graph, path);

    return users->len > 0;
}

/* An emulator that has the image open only as a base cannot change it, and nobody else may meanwhile. */
static bool
check_inside_disk(const Guest *guest, const DomainSnapshot *snapshot, const Disk *disk,
                  GError **err)
{
    const char *path = disk_source_path(disk->type, &disk->source);
    g_autoptr(ImageGraph) running = image_graph_new();
    g_autoptr(GPtrArray) views = registry_list(guest->qemu->guests);

    for (guint i = 0; i < views->len; i++) {
        const GuestView *view = views->pdata[i];
        const Domain *live = machine_domain(view->live);
        g_autofree char *holder = g_strdup_printf("domain %s", view->view.name);

        if (live)
            machine_hold_images(running, holder, live);
    }
    if (image_graph_is_held(running, path) &&
        (!guest_is_running(guest) || !image_graph_is_named(running, path) ||
         has_users(running, path)))
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "disk %s: snapshot '%s' is inside image '%s', on which other images stand that "
                    "are in use: shut the domain down first",
                    disk->target.dev, snapshot->name, path);
    return true;
}

static bool
plan_inside(const Guest *guest, DeletePlan *plan, const DomainSnapshot *snapshot, GError **err)
{
    const Domain *machine = snapshot->domain;

    if (snapshot_has_inside(snapshot) && !machine)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "snapshot %s does not say which images it is inside: METADATA_ONLY forgets it",
                    snapshot->name);
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];

        if (!snapshot_is_inside(snapshot, disk->target.dev))
            continue;
        if (!check_inside_disk(guest, snapshot, disk, err))
            return false;
        internal_disks_add(plan->inside, disk);
    }
    return true;
}

static DeletePlan *
make_plan(Guest *guest, const DomainSnapshot *snapshot, GPtrArray *gone, GError **err)
{
    g_autoptr(DeletePlan) plan = delete_plan_new();
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);
    g_autoptr(ImageGraph) graph = NULL;
    Planner planner = {.guest = guest, .snapshot = snapshot, .records = records, .plan = plan};
    const FileMark *memory, *nvram;
    g_autofree char *nvram_path = NULL;

    if (!records || !plan_inside(guest, plan, snapshot, err))
        return NULL;
    planner.graph = graph = holders_without(guest, snapshot, gone);
    if (!plan_machine(&planner, snapshot->domain, err) ||
        !plan_machine(&planner, snapshot->inactive_domain, err))
        return NULL;
    memory = snapshot->memory.file ? image_records_find(records, snapshot->memory.file) : NULL;
    if (memory)
        doomed_images_add(plan->memories, snapshot->memory.file, *memory);
    nvram_path = firmware_copy_path(snapshot);
    nvram = nvram_path ? image_records_find(records, nvram_path) : NULL;
    if (nvram)
        doomed_images_add(plan->memories, nvram_path, *nvram);
    g_ptr_array_add(plan->names, g_strdup(snapshot->name));
    return g_steal_pointer(&plan);
}

/* ---- the call ---- */

DeletePlan *
snapshot_delete_plan_names(Guest *guest, const GPtrArray *names, GError **err)
{
    const DomainSnapshot *snapshot = snapshot_tree_require(guest->snapshots, names->pdata[0], err);
    DeletePlan *plan = snapshot ? make_plan(guest, snapshot, NULL, err) : NULL;

    for (guint i = 1; plan && i < names->len; i++)
        g_ptr_array_add(plan->next, g_strdup(names->pdata[i]));
    return plan;
}

static bool
begin_deletion(Guest *guest, const GPtrArray *names, Call *call, GError **err)
{
    DeletePlan *plan = snapshot_delete_plan_names(guest, names, err);

    return plan && guest_run_job(guest, job_new(&snapshot_delete_kind, guest->name, plan, guest),
                                 call, NULL, err);
}

/* The snapshots that a call is about, children before parents. */
static GPtrArray *
choose_names(const SnapshotTree *tree, const char *name, guint flags)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

    if (flags & (VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN | VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY)) {
        g_autoptr(GPtrArray) below = snapshot_tree_list(tree, name, false);

        for (guint i = below->len; i > 0; i--)
            g_ptr_array_add(names, g_strdup(((const DomainSnapshot *)below->pdata[i - 1])->name));
    }
    if (!(flags & VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY))
        g_ptr_array_add(names, g_strdup(name));
    return names;
}

static bool
forget(Guest *guest, GPtrArray *names, Call *call, GError **err)
{
    DeletePlan *plan = delete_plan_new();

    for (guint i = 0; i < names->len; i++)
        g_ptr_array_add(plan->names, g_strdup(names->pdata[i]));
    return guest_run_job(guest, job_new(&snapshot_delete_kind, guest->name, plan, guest), call,
                         NULL, err);
}

/* The names that a call is about, checked; empty: there is nothing to delete. All or none: nothing
 * is deleted when one of them cannot be. */
static GPtrArray *
names_of_call(Guest *guest, const char *name, guint flags, GError **err)
{
    g_autoptr(GPtrArray) names = NULL;

    if (!guest_require_idle(guest, err) || !snapshot_tree_require(guest->snapshots, name, err) ||
        (!(flags & VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY) &&
         !disk_jobs_require_none(guest, err)))
        return NULL;
    names = choose_names(guest->snapshots, name, flags);
    for (guint i = 0; i < names->len && !(flags & VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY); i++) {
        g_autoptr(DeletePlan) probe = delete_plan_new();

        if (!plan_inside(guest, probe, snapshot_tree_find(guest->snapshots, names->pdata[i]), err))
            return NULL;
    }
    return g_steal_pointer(&names);
}

static bool
check_delete_flags(guint flags, GError **err)
{
    return flags_check(flags, DELETE_FLAGS, "qemuSnapshotDelete", err) &&
           flags_exclude(flags, VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN, "SNAPSHOT_DELETE_CHILDREN",
                         VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY, "SNAPSHOT_DELETE_CHILDREN_ONLY",
                         VIR_FROM_DOMAIN_SNAPSHOT, err);
}

static bool
snapshot_delete(Call *call, const RemoteDomainSnapshotDeleteArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(GPtrArray) names = NULL;

    if (!check_delete_flags(args->flags, err))
        return false;
    guest = guest_of_call(call, &args->snap.dom, err);
    names = guest ? names_of_call(guest, args->snap.name, args->flags, err) : NULL;
    if (!names || names->len == 0)
        return names != NULL;
    if (args->flags & VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        return forget(guest, names, call, err);
    return disk_jobs_require_none(guest, err) &&
           checkpoints_require_none(guest, "merging images", err) &&
           begin_deletion(guest, names, call, err);
}

/* ---- the dry run ---- */

static void
report_merge(Json *step, const ImageMerge *merge)
{
    bool is_commit = merge->kind == BLOCK_COMMIT;
    const char *from = is_commit ? merge->upper : merge->lower;

    plan_report_merge(step, merge->target, from, is_commit ? merge->lower : merge->upper,
                      allocated_bytes(from));
    if (merge->may_remove)
        plan_report_remove(step, from);
    else
        plan_report_keep(step, from, "it was not made by this daemon");
}

static void
report_plan(Json *step, const Guest *guest, const DeletePlan *plan)
{
    bool runs = guest_is_running(guest);

    plan_report_way(step, runs ? "live" : "offline", NULL);
    plan_report_guest(step, guest,
                      runs ? "it runs on; its QEMU merges the images that it has open"
                           : "it is off; qemu-storage-daemon merges",
                      NULL);
    for (guint i = 0; i < plan->merges->len; i++)
        report_merge(step, plan->merges->pdata[i]);
    for (guint i = 0; i < plan->doomed->len; i++)
        plan_report_remove(step, ((const DoomedImage *)plan->doomed->pdata[i])->path);
    for (guint i = 0; i < plan->memories->len; i++)
        plan_report_remove(step, ((const DoomedImage *)plan->memories->pdata[i])->path);
}

/* A step after the first is planned on the files as they are, without the snapshots before it. */
static char *
report_all(Guest *guest, GPtrArray *names, guint flags, GError **err)
{
    g_autoptr(Json) report = plan_report_new(guest);
    g_autoptr(GPtrArray) gone = g_ptr_array_new();
    bool has_merged = false;

    for (guint i = 0; i < names->len; i++) {
        const DomainSnapshot *snapshot = snapshot_tree_find(guest->snapshots, names->pdata[i]);
        Json *step = plan_report_add(report, "delete", snapshot->name);
        g_autoptr(DeletePlan) plan = NULL;

        if (flags & VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
            plan = delete_plan_new();
        else
            plan = make_plan(guest, snapshot, gone, err);
        if (!plan)
            return NULL;
        report_plan(step, guest, plan);
        if (has_merged)
            plan_report_note(step, "planned on the images as they are before the steps above");
        has_merged |= plan->merges->len > 0;
        g_ptr_array_add(gone, names->pdata[i]);
    }
    return plan_report_finish(g_steal_pointer(&report));
}

static bool
snapshot_plan_delete(Call *call, const ManifoldSnapshotPlanDeleteArgs *args,
                     ManifoldSnapshotPlanDeleteRet *ret, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(GPtrArray) names = NULL;

    if (!check_delete_flags(args->flags, err))
        return false;
    guest = guest_of_call(call, &args->snap.dom, err);
    names = guest ? names_of_call(guest, args->snap.name, args->flags, err) : NULL;
    ret->plan = names ? report_all(guest, names, args->flags, err) : NULL;
    return ret->plan != NULL;
}

void
snapshot_delete_slots(DriverSlots *slots)
{
    slots->manifold_snapshot_plan_delete = snapshot_plan_delete;
    slots->domain_snapshot_delete = snapshot_delete;
}
