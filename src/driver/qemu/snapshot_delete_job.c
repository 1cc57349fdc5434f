/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deleting snapshots, step by step. COMMIT comes first: a merge changes the state that the snapshot
 * kept, so there is no way back. Until everything is merged the snapshot says that it is being
 * deleted and refuses to be reverted to. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/snapshot_delete.h"
#include "driver/qemu/snapshot_store.h"

/* ---- the plan on disk ---- */

void
image_merge_free(ImageMerge *merge)
{
    if (!merge)
        return;
    storage_daemon_free(merge->daemon);
    g_clear_error(&merge->failure);
    g_clear_pointer(&merge->parents, g_ptr_array_unref);
    g_clear_pointer(&merge->parent_formats, g_ptr_array_unref);
    g_free(merge->job_id);
    g_free(merge->target);
    g_free(merge->lower);
    g_free(merge->upper);
    g_free(merge->below);
    g_free(merge);
}

DeletePlan *
delete_plan_new(void)
{
    DeletePlan *plan = g_new0(DeletePlan, 1);

    plan->names = g_ptr_array_new_with_free_func(g_free);
    plan->next = g_ptr_array_new_with_free_func(g_free);
    plan->merges = g_ptr_array_new_with_free_func((GDestroyNotify)image_merge_free);
    plan->inside = internal_disks_new();
    plan->doomed = doomed_images_new();
    plan->memories = doomed_images_new();
    return plan;
}

void
delete_plan_free(DeletePlan *plan)
{
    if (!plan)
        return;
    g_ptr_array_unref(plan->names);
    g_ptr_array_unref(plan->next);
    g_ptr_array_unref(plan->merges);
    g_ptr_array_unref(plan->inside);
    g_ptr_array_unref(plan->doomed);
    g_ptr_array_unref(plan->memories);
    g_free(plan);
}

static void
free_plan(void *plan)
{
    delete_plan_free(plan);
}

/* "merge/3/lower" */
static const char *
key_of(char *buffer, gsize size, const char *list, guint n, const char *word)
{
    g_snprintf(buffer, size, "%s/%u/%s", list, n, word);
    return buffer;
}

#define KEY(list, n, word) key_of(key, sizeof(key), list, n, word)

static void
save_merge(Record *record, const ImageMerge *merge, guint n)
{
    g_autofree char *mark = file_mark_format(merge->mark);
    char key[64];

    record_add(record, KEY("merge", n, "target"), merge->target);
    record_add_u64(record, KEY("merge", n, "kind"), merge->kind);
    record_add(record, KEY("merge", n, "lower"), merge->lower);
    record_add(record, KEY("merge", n, "lower-format"),
               image_format_to_string(merge->lower_format));
    record_add_bool(record, KEY("merge", n, "lower-block"), merge->lower_is_block_device);
    record_add(record, KEY("merge", n, "upper"), merge->upper);
    record_add(record, KEY("merge", n, "upper-format"),
               image_format_to_string(merge->upper_format));
    record_add(record, KEY("merge", n, "below"), merge->below);
    record_add_bool(record, KEY("merge", n, "remove"), merge->may_remove);
    record_add(record, KEY("merge", n, "mark"), mark);
    record_add_u64(record, KEY("merge", n, "parents"), merge->parents->len);
    for (guint i = 0; i < merge->parents->len; i++) {
        g_autofree char *path_word = g_strdup_printf("parent-%u", i);
        g_autofree char *format_word = g_strdup_printf("parent-format-%u", i);

        record_add(record, KEY("merge", n, path_word), merge->parents->pdata[i]);
        record_add(record, KEY("merge", n, format_word),
                   image_format_to_string(GPOINTER_TO_INT(merge->parent_formats->pdata[i])));
    }
}

static ImageMerge *
load_merge(const Record *record, guint n)
{
    ImageMerge *merge = g_new0(ImageMerge, 1);
    char key[64];
    guint64 parents;

    merge->target = g_strdup(record_get(record, KEY("merge", n, "target")));
    merge->kind = (BlockJobKind)record_get_u64(record, KEY("merge", n, "kind"));
    merge->lower = g_strdup(record_get(record, KEY("merge", n, "lower")));
    merge->lower_format =
        image_format_from_string(record_get(record, KEY("merge", n, "lower-format")));
    merge->lower_is_block_device = record_get_bool(record, KEY("merge", n, "lower-block"));
    merge->upper = g_strdup(record_get(record, KEY("merge", n, "upper")));
    merge->upper_format =
        image_format_from_string(record_get(record, KEY("merge", n, "upper-format")));
    merge->below = g_strdup(record_get(record, KEY("merge", n, "below")));
    merge->may_remove = record_get_bool(record, KEY("merge", n, "remove"));
    file_mark_parse(record_get(record, KEY("merge", n, "mark")), &merge->mark);
    merge->parents = g_ptr_array_new_with_free_func(g_free);
    merge->parent_formats = g_ptr_array_new();
    parents = record_get_u64(record, KEY("merge", n, "parents"));
    for (guint i = 0; i < parents; i++) {
        g_autofree char *path_word = g_strdup_printf("parent-%u", i);
        g_autofree char *format_word = g_strdup_printf("parent-format-%u", i);

        g_ptr_array_add(merge->parents, g_strdup(record_get(record, KEY("merge", n, path_word))));
        g_ptr_array_add(merge->parent_formats, GINT_TO_POINTER(image_format_from_string(record_get(
                                                   record, KEY("merge", n, format_word)))));
    }
    return merge;
}

static void
save_names(Record *record, const char *list, const GPtrArray *names)
{
    char key[64];

    record_add_u64(record, list, names->len);
    for (guint i = 0; i < names->len; i++)
        record_add(record, KEY(list, i, "name"), names->pdata[i]);
}

static void
load_names(const Record *record, const char *list, GPtrArray *names)
{
    guint64 count = record_get_u64(record, list);
    char key[64];

    for (guint i = 0; i < count; i++)
        g_ptr_array_add(names, g_strdup(record_get(record, KEY(list, i, "name"))));
}

static void
save_plan(const void *data, Record *record)
{
    const DeletePlan *plan = data;

    save_names(record, "names", plan->names);
    save_names(record, "next", plan->next);
    record_add_bool(record, "drops-kept", plan->drops_kept);
    internal_disks_save(plan->inside, record);
    doomed_images_save(plan->doomed, record, "doomed");
    doomed_images_save(plan->memories, record, "memories");
    record_add_u64(record, "first-merge", plan->first_merge);
    record_add_u64(record, "merges", plan->merges->len);
    for (guint i = 0; i < plan->merges->len; i++)
        save_merge(record, plan->merges->pdata[i], i);
}

static void *
load_plan(const Record *record, GError **err)
{
    DeletePlan *plan = delete_plan_new();
    guint64 merges = record_get_u64(record, "merges");

    load_names(record, "names", plan->names);
    load_names(record, "next", plan->next);
    plan->drops_kept = record_get_bool(record, "drops-kept");
    g_ptr_array_unref(plan->inside);
    plan->inside = internal_disks_load(record);
    doomed_images_load(plan->doomed, record, "doomed");
    doomed_images_load(plan->memories, record, "memories");
    plan->first_merge = (guint)record_get_u64(record, "first-merge");
    for (guint i = 0; i < merges; i++)
        g_ptr_array_add(plan->merges, load_merge(record, i));
    return plan;
}

/* ---- steps ---- */

static bool
set_tree(Guest *guest, SnapshotTree *take_tree, GError **err)
{
    g_autoptr(SnapshotTree) tree = take_tree;

    if (!snapshot_store_update(guest->qemu, guest->name, guest->snapshots, tree, err))
        return false;
    guest_set_snapshots(guest, g_steal_pointer(&tree));
    return guest_publish(guest, err);
}

/* @take_next takes the place of the job's plan. */
static void
go_on_with(DeletePlan *plan, DeletePlan *take_next)
{
    DeletePlan done = *plan;

    *plan = *take_next;
    *take_next = done;
    delete_plan_free(take_next);
}

/* A daemon before us may have been further than the plan that the job began with. */
static bool
recall_plan(Job *job, DeletePlan *plan, GError **err)
{
    const Record *note = job_find_note(job, "first-merge");

    if (plan->has_begun)
        return true;
    if (note)
        go_on_with(plan, load_plan(note, err));
    plan->has_begun = true;
    return snapshot_merge_end_daemon(job, err);
}

/* Say that what the snapshot kept is being changed. */
static StepResult
mark(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DeletePlan *plan = job_plan(job);
    const DomainSnapshot *snapshot = NULL;
    g_autoptr(DomainSnapshot) copy = NULL;
    g_autoptr(SnapshotTree) tree = NULL;
    bool has_changed = false;

    if (!recall_plan(job, plan, err))
        return STEP_FAILED;
    if (plan->merges->len + plan->inside->len > 0)
        snapshot = snapshot_tree_find(guest->snapshots, plan->names->pdata[0]);
    if (!snapshot)
        return STEP_DONE;
    copy = domain_snapshot_copy(snapshot);
    for (gsize i = 0; i < copy->n_disks; i++) {
        has_changed |= !copy->disks[i]->snapshot_delete_in_progress;
        copy->disks[i]->snapshot_delete_in_progress = true;
    }
    if (!has_changed)
        return STEP_DONE;
    tree = snapshot_tree_copy(guest->snapshots);
    snapshot_tree_put(tree, g_steal_pointer(&copy));
    return set_tree(guest, g_steal_pointer(&tree), err) ? STEP_DONE : STEP_FAILED;
}

static StepResult
remove_inside(Job *job, GError **err)
{
    const Guest *guest = job_context(job);
    const DeletePlan *plan = job_plan(job);

    for (guint i = 0; i < plan->inside->len; i++) {
        g_autofree char *point = g_strdup_printf("image-%u", i);

        if (!job_fault(job, point, err) ||
            !internal_remove(guest, plan->inside->pdata[i], plan->names->pdata[0], err))
            return STEP_FAILED;
    }
    return STEP_DONE;
}

static StepResult
merge_images(Job *job, GError **err)
{
    DeletePlan *plan = job_plan(job);

    for (; plan->at < plan->merges->len; plan->at++) {
        StepResult result = snapshot_merge_run(job, plan->merges->pdata[plan->at],
                                               plan->first_merge + plan->at, err);

        if (result != STEP_DONE)
            return result;
    }
    return STEP_DONE;
}

/* The children become those of the parent; "current" goes to it. */
static void
drop_snapshot(SnapshotTree *tree, const char *name)
{
    const DomainSnapshot *snapshot = snapshot_tree_find(tree, name);
    const DomainSnapshot *parent = snapshot ? snapshot_tree_parent(tree, snapshot) : NULL;
    g_autofree char *parent_name = parent ? g_strdup(parent->name) : NULL;
    g_autoptr(GPtrArray) children = NULL;

    if (!snapshot)
        return;
    children = snapshot_tree_list(tree, name, true);
    for (guint i = 0; i < children->len; i++) {
        DomainSnapshot *child = domain_snapshot_copy(children->pdata[i]);

        g_free(child->parent_name);
        child->parent_name = g_strdup(parent_name);
        snapshot_tree_put(tree, child);
    }
    if (g_strcmp0(snapshot_tree_current(tree), name) == 0)
        snapshot_tree_set_current(tree, parent_name);
    snapshot_tree_drop(tree, name);
}

static StepResult
install(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const DeletePlan *plan = job_plan(job);
    SnapshotTree *tree = snapshot_tree_copy(guest->snapshots);
    g_autoptr(GPtrArray) memories = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < plan->names->len; i++) {
        const DomainSnapshot *snapshot = snapshot_tree_find(tree, plan->names->pdata[i]);

        if (snapshot && snapshot->memory.file)
            g_ptr_array_add(memories, g_strdup(snapshot->memory.file));
        drop_snapshot(tree, plan->names->pdata[i]);
    }
    if (plan->drops_kept && !kept_set(guest, NULL, err)) {
        snapshot_tree_unref(tree);
        return STEP_FAILED;
    }
    if (!set_tree(guest, tree, err))
        return STEP_FAILED;
    /* Also when the image stays: nobody would think of its cache any more. */
    for (guint i = 0; i < memories->len; i++)
        memory_cache_drop(guest->qemu, memories->pdata[i]);
    return STEP_DONE;
}

/* Which files go: also the ones whose data has been merged into another. */
static GPtrArray *
list_going(const DeletePlan *plan)
{
    GPtrArray *going = doomed_images_new();

    for (guint i = 0; i < plan->merges->len; i++) {
        const ImageMerge *merge = plan->merges->pdata[i];
        if (merge->may_remove)
            doomed_images_add(going, merge->kind == BLOCK_COMMIT ? merge->upper : merge->lower,
                              merge->mark);
    }
    for (guint i = 0; i < plan->doomed->len + plan->memories->len; i++) {
        const DoomedImage *image = i < plan->doomed->len
                                       ? plan->doomed->pdata[i]
                                       : plan->memories->pdata[i - plan->doomed->len];
        doomed_images_add(going, image->path, image->mark);
    }
    return going;
}

static bool
remove_going(Guest *guest, const GPtrArray *going, GError **err)
{
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);
    g_autoptr(ImageGraph) graph = NULL;
    g_autoptr(GPtrArray) paths = g_ptr_array_new();

    if (!records)
        return false;
    graph = snapshot_holders(guest->qemu, NULL);
    for (guint i = 0; i < going->len; i++) {
        if (!doomed_image_remove(guest, going->pdata[i], graph, records, err))
            return false;
        g_ptr_array_add(paths, ((const DoomedImage *)going->pdata[i])->path);
    }
    g_ptr_array_add(paths, NULL);
    return overlay_sync_folders((const char *const *)paths->pdata, err) &&
           image_records_save(records, err);
}

static StepResult
remove_images(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const DeletePlan *plan = job_plan(job);
    g_autoptr(GPtrArray) going = list_going(plan);

    if (going->len > 0 && !remove_going(guest, going, err))
        return STEP_FAILED;
    for (guint i = 0; i < plan->names->len; i++)
        log_info(LOG_QEMU, "%s: snapshot %s is deleted", guest->name,
                 (char *)plan->names->pdata[i]);
    return STEP_DONE;
}

/* The snapshots are deleted one after the other, because what a deletion takes depends on those before it. */
static StepResult
begin_next(Job *job, GError **err)
{
    DeletePlan *plan = job_plan(job);
    g_autoptr(DeletePlan) next = NULL;
    g_autoptr(Record) note = record_new();

    if (plan->next->len == 0)
        return STEP_DONE;
    next = snapshot_delete_plan_names(job_context(job), plan->next, err);
    if (!next)
        return STEP_ABANDON;
    next->first_merge = plan->first_merge + plan->merges->len;
    next->has_begun = true;
    next->found = plan->found;
    save_plan(next, note);
    if (!job_note(job, note, err))
        return STEP_FAILED;
    go_on_with(plan, g_steal_pointer(&next));
    return STEP_REPEAT;
}

static const JobStep steps[] = {
    {"commit", .barrier = true},      {"mark", .run = mark},
    {"inside", .run = remove_inside}, {"merge", .run = merge_images},
    {"install", .run = install},      {"remove", .run = remove_images},
    {"next", .run = begin_next},      {0},
};

const JobKind snapshot_delete_kind = {
    .name = "snapshot-delete",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};
