/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and deleting checkpoints, as jobs: bitmaps in QEMU and files of ours change together. See checkpoint.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/checkpoint.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/snapshot.h"
#include "object/call.h"
#include "seam/command.h"

typedef struct {
    char *text;       /* create: the checkpoint as its file says it */
    GPtrArray *names; /* delete: children before parents */
    bool keeps_bitmaps;
} CheckpointPlan;

/* ---- plans ---- */

static CheckpointPlan *
plan_new(void)
{
    CheckpointPlan *plan = g_new0(CheckpointPlan, 1);

    plan->names = g_ptr_array_new_with_free_func(g_free);
    return plan;
}

static void
free_plan(void *data)
{
    CheckpointPlan *plan = data;

    if (!plan)
        return;
    g_ptr_array_unref(plan->names);
    g_free(plan->text);
    g_free(plan);
}

static void
save_plan(const void *data, Record *record)
{
    const CheckpointPlan *plan = data;

    record_add(record, "text", plan->text);
    record_add_bool(record, "keeps-bitmaps", plan->keeps_bitmaps);
    for (guint i = 0; i < plan->names->len; i++)
        record_add(record, "name", plan->names->pdata[i]);
}

static void *
load_plan(const Record *record, GError **err)
{
    CheckpointPlan *plan = plan_new();

    plan->text = g_strdup(record_get(record, "text"));
    plan->keeps_bitmaps = record_get_bool(record, "keeps-bitmaps");
    for (guint i = 0; i < record->entries->len; i++) {
        const RecordEntry *entry = record->entries->pdata[i];

        if (g_str_equal(entry->key, "name"))
            g_ptr_array_add(plan->names, g_strdup(entry->value));
    }
    return plan;
}

/* ---- bitmaps ---- */

GPtrArray *
bitmaps_of_node(const Json *nodes, const char *node)
{
    GPtrArray *found = g_ptr_array_new();
    gsize i, k;
    json_t *item, *bitmap;

    json_array_foreach((json_t *)nodes, i, item)
    {
        if (g_strcmp0(json_string_value(json_object_get(item, "node-name")), node) != 0)
            continue;
        json_array_foreach(json_object_get(item, "dirty-bitmaps"), k, bitmap)
        {
            if (json_object_get(bitmap, "name") &&
                json_is_true(json_object_get(bitmap, "persistent")) &&
                !json_is_true(json_object_get(bitmap, "inconsistent")))
                g_ptr_array_add(found, bitmap);
        }
    }
    return found;
}

static bool
has_bitmap(const Json *nodes, guint index, const char *name)
{
    g_autofree char *node = node_format_name(index);
    g_autoptr(GPtrArray) bitmaps = bitmaps_of_node(nodes, node);

    for (guint i = 0; i < bitmaps->len; i++) {
        if (g_strcmp0(json_string_value(json_object_get(bitmaps->pdata[i], "name")), name) == 0)
            return true;
    }
    return false;
}

static Json *
query_nodes(const Guest *guest, GError **err)
{
    return qmp_call(guest->emulator->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1),
                    err);
}

static void
add_removal(QmpBatch *batch, guint index, const char *name)
{
    g_autofree char *node = node_format_name(index);

    qmp_batch_add(batch, "block-dirty-bitmap-remove",
                  json_pack("{s:s, s:s}", "node", node, "name", name));
}

static void
add_reopen(QmpBatch *batch, const Disk *disk, const BackingStore *layer, bool is_read_only)
{
    const BackingStore *below = layer->backing_store;
    Json *options = disk_format_node(disk, layer->format ? layer->format->type : STORAGE_FORMAT_RAW,
                                     layer->index, is_read_only,
                                     below && below->type != STORAGE_TYPE_UNSET ? below->index : 0);

    qmp_batch_add(batch, "blockdev-reopen", json_pack("{s:[o]}", "options", options));
}

/* Out of every image of the disk. Those below the top are opened for writing for that long. */
static void
remove_from_disk(QmpBatch *batch, const Json *nodes, const Disk *disk, const char *name)
{
    if (has_bitmap(nodes, disk->source.index, name))
        add_removal(batch, disk->source.index, name);
    for (const BackingStore *layer = disk->backing_store;
         layer && layer->type != STORAGE_TYPE_UNSET; layer = layer->backing_store) {
        if (!has_bitmap(nodes, layer->index, name))
            continue;
        add_reopen(batch, disk, layer, false);
        add_removal(batch, layer->index, name);
        add_reopen(batch, disk, layer, true);
    }
}

static bool
remove_bitmaps(Guest *guest, const DomainCheckpoint *checkpoint, GError **err)
{
    g_autoptr(Json) nodes = query_nodes(guest, err);
    g_autoptr(QmpBatch) batch = qmp_batch_new();

    if (!nodes)
        return false;
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        const CheckpointDisk *entry = checkpoint->disks[i];
        const Disk *disk = domain_find_disk(guest_live(guest), entry->name);

        if (disk && entry->checkpoint == CHECKPOINT_MODE_BITMAP)
            remove_from_disk(batch, nodes, disk, entry->bitmap);
    }
    return qmp_batch_run(batch, guest->emulator->qmp, QMP_TIMEOUT_MS, err) &&
           qmp_batch_all_ok(batch, err);
}

static bool
is_running(const Guest *guest)
{
    return guest->emulator && emulator_is_running(guest->emulator);
}

/* ---- create ---- */

static DomainCheckpoint *
planned(const CheckpointPlan *plan, GError **err)
{
    return domain_checkpoint_parse(plan->text, MODEL_PARSE_INACTIVE, err);
}

static StepResult
send_bitmaps(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    g_autoptr(DomainCheckpoint) checkpoint = planned(job_plan(job), err);
    g_autoptr(Json) actions = json_array();

    if (!checkpoint)
        return STEP_FAILED;
    if (!is_running(guest)) {
        fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name);
        return STEP_FAILED;
    }
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        const CheckpointDisk *entry = checkpoint->disks[i];
        const Disk *disk = domain_find_disk(guest_live(guest), entry->name);
        g_autofree char *node = disk ? node_format_name(disk->source.index) : NULL;

        if (disk && entry->checkpoint == CHECKPOINT_MODE_BITMAP)
            json_array_append_new(actions, json_pack("{s:s, s:{s:s, s:s, s:b}}", "type",
                                                     "block-dirty-bitmap-add", "data", "node", node,
                                                     "name", entry->bitmap, "persistent", 1));
    }
    return json_array_size(actions) == 0 || qmp_run(guest->emulator->qmp, "transaction",
                                                    json_pack("{s:O}", "actions", actions), err)
               ? STEP_DONE
               : STEP_FAILED;
}

static bool
undo_bitmaps(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    g_autoptr(DomainCheckpoint) checkpoint = planned(job_plan(job), err);

    return checkpoint && (!is_running(guest) || remove_bitmaps(guest, checkpoint, err));
}

static StepResult
install_new(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    g_autoptr(DomainCheckpoint) checkpoint = planned(job_plan(job), err);
    CheckpointTree *tree;

    if (!checkpoint)
        return STEP_FAILED;
    log_info(LOG_QEMU, "%s: checkpoint %s is made", guest->name, checkpoint->name);
    tree = checkpoint_tree_copy(guest->checkpoints);
    checkpoint_tree_put(tree, g_steal_pointer(&checkpoint));
    return checkpoints_change(guest, tree, err) ? STEP_DONE : STEP_FAILED;
}

static const JobStep create_steps[] = {
    {"bitmaps", .run = send_bitmaps, .undo = undo_bitmaps},
    {"commit", .barrier = true},
    {"install", .run = install_new, .answers = true},
    {0},
};

const JobKind checkpoint_create_kind = {
    .name = "checkpoint-create",
    .steps = create_steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};

#define CREATE_FLAGS                                                                \
    (VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE | \
     VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE)

static void
fill_answer(RemoteNonnullDomainCheckpoint *out, const Guest *guest, const char *name)
{
    out->name = g_strdup(name);
    guest_fill_wire(guest, &out->dom);
}

static bool
answer_create(Call *call, Job *job)
{
    RemoteDomainCheckpointCreateXmlRet *ret = call->ret;
    g_autoptr(DomainCheckpoint) checkpoint = planned(job_plan(job), NULL);

    fill_answer(&ret->checkpoint, job_context(job), checkpoint->name);
    return true;
}

static bool
check_new(const Guest *guest, const DomainCheckpoint *checkpoint, GError **err)
{
    if (checkpoint_tree_find(guest->checkpoints, checkpoint->name))
        return fail(err, VIR_ERR_OPERATION_FAILED, "domain moment %s already exists",
                    checkpoint->name);
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        const CheckpointDisk *entry = checkpoint->disks[i];
        const Disk *disk = domain_find_disk(guest_live(guest), entry->name);

        if (entry->checkpoint != CHECKPOINT_MODE_BITMAP)
            continue;
        if (g_strcmp0(entry->bitmap, checkpoint->name) != 0)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "bitmap for disk '%s' must match checkpoint name '%s'", entry->name,
                        checkpoint->name);
        if (disk->driver.type != STORAGE_FORMAT_QCOW2)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "checkpoint for disk %s unsupported for storage type %s", entry->name,
                        storage_format_to_string(disk->driver.type));
    }
    return true;
}

static bool
create_new(Guest *guest, DomainCheckpoint *checkpoint, Call *call, GError **err)
{
    CheckpointPlan *plan;

    if (!guest_is_running(guest))
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "cannot create checkpoint for inactive domain");
    if (!guest_require_idle(guest, err) ||
        !checkpoint_align_disks(checkpoint, guest_live(guest), err) ||
        !check_new(guest, checkpoint, err))
        return false;
    checkpoint->parent_name = g_strdup(checkpoint_tree_current(guest->checkpoints));
    checkpoint->domain = domain_copy(guest_live(guest));
    plan = plan_new();
    plan->text = domain_checkpoint_format(checkpoint, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
    return guest_run_job(guest, job_new(&checkpoint_create_kind, guest->name, plan, guest), call,
                         answer_create, err);
}

static bool
checkpoint_create_xml(Call *call, const RemoteDomainCheckpointCreateXmlArgs *args,
                      RemoteDomainCheckpointCreateXmlRet *ret, GError **err)
{
    bool is_redefine = args->flags & VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE;
    g_autoptr(Guest) guest = NULL;
    g_autoptr(DomainCheckpoint) checkpoint = NULL;

    if (!flags_check(args->flags, CREATE_FLAGS, "qemuCheckpointCreateXML", err) ||
        !flags_exclude(args->flags, VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE,
                       "CHECKPOINT_CREATE_REDEFINE", VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE,
                       "CHECKPOINT_CREATE_QUIESCE", VIR_FROM_DOMAIN_CHECKPOINT, err) ||
        !flags_require(args->flags, VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE,
                       "CHECKPOINT_CREATE_REDEFINE_VALIDATE", VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE,
                       "CHECKPOINT_CREATE_REDEFINE", VIR_FROM_DOMAIN_CHECKPOINT, err))
        return false;
    if (args->flags & VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE)
        return flags_check(args->flags, CREATE_FLAGS & ~VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE,
                           "qemuCheckpointCreateXML", err);
    guest = guest_of_call(call, &args->dom, err);
    checkpoint = guest ? checkpoint_parse(args->xml_desc, is_redefine, err) : NULL;
    if (!checkpoint)
        return false;
    if (!is_redefine)
        return create_new(guest, checkpoint, call, err);
    if (!guest_require_idle(guest, err) ||
        !checkpoint_redefine(guest, checkpoint, args->flags, err))
        return false;
    fill_answer(&ret->checkpoint, guest, checkpoint->name);
    return true;
}

/* ---- delete ---- */

static StepResult
drop_bitmaps(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CheckpointPlan *plan = job_plan(job);

    for (guint i = 0; i < plan->names->len && !plan->keeps_bitmaps; i++) {
        const DomainCheckpoint *checkpoint =
            checkpoint_tree_find(guest->checkpoints, plan->names->pdata[i]);

        if (checkpoint && !is_running(guest))
            log_warning(LOG_QEMU,
                        "%s: it ended while checkpoint %s was deleted: bitmaps of that name may "
                        "be left in its images",
                        guest->name, checkpoint->name);
        else if (checkpoint && !remove_bitmaps(guest, checkpoint, err))
            return STEP_FAILED;
    }
    return STEP_DONE;
}

static StepResult
install_without(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CheckpointPlan *plan = job_plan(job);
    CheckpointTree *tree = checkpoint_tree_copy(guest->checkpoints);

    for (guint i = 0; i < plan->names->len; i++)
        checkpoint_tree_drop(tree, plan->names->pdata[i]);
    return checkpoints_change(guest, tree, err) ? STEP_DONE : STEP_FAILED;
}

static const JobStep delete_steps[] = {
    {"commit", .barrier = true},
    {"bitmaps", .run = drop_bitmaps},
    {"install", .run = install_without},
    {0},
};

const JobKind checkpoint_delete_kind = {
    .name = "checkpoint-delete",
    .steps = delete_steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};

#define DELETE_FLAGS                                                                      \
    (VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN | VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY | \
     VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY)

static void
choose_names(CheckpointPlan *plan, const CheckpointTree *tree, const char *name, guint flags)
{
    if (flags &
        (VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN | VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY)) {
        g_autoptr(GPtrArray) below = checkpoint_tree_list(tree, name, false);

        for (guint i = below->len; i > 0; i--)
            g_ptr_array_add(plan->names,
                            g_strdup(((const DomainCheckpoint *)below->pdata[i - 1])->name));
    }
    if (!(flags & VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY))
        g_ptr_array_add(plan->names, g_strdup(name));
}

static bool
checkpoint_delete(Call *call, const RemoteDomainCheckpointDeleteArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    CheckpointPlan *plan;

    if (!flags_check(args->flags, DELETE_FLAGS, "qemuCheckpointDelete", err) ||
        !flags_exclude(args->flags, VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN,
                       "CHECKPOINT_DELETE_CHILDREN", VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY,
                       "CHECKPOINT_DELETE_CHILDREN_ONLY", VIR_FROM_DOMAIN_CHECKPOINT, err))
        return false;
    guest = guest_of_call(call, &args->checkpoint.dom, err);
    if (!guest || !guest_require_idle(guest, err) ||
        !checkpoint_tree_require(guest->checkpoints, args->checkpoint.name, err))
        return false;
    if (!guest_is_running(guest) && !(args->flags & VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY))
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "cannot delete checkpoint for inactive domain");
    plan = plan_new();
    plan->keeps_bitmaps = args->flags & VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY;
    choose_names(plan, guest->checkpoints, args->checkpoint.name, args->flags);
    return guest_run_job(guest, job_new(&checkpoint_delete_kind, guest->name, plan, guest), call,
                         NULL, err);
}

void
checkpoint_slots(DriverSlots *slots)
{
    slots->domain_checkpoint_create_xml = checkpoint_create_xml;
    slots->domain_checkpoint_delete = checkpoint_delete;
    checkpoint_list_slots(slots);
}

/* ---- for the rest of the driver ---- */

void
guest_set_checkpoints(Guest *guest, CheckpointTree *take_tree)
{
    checkpoint_tree_unref(guest->checkpoints);
    guest->checkpoints = take_tree;
}

bool
checkpoints_change(Guest *guest, CheckpointTree *take_tree, GError **err)
{
    g_autoptr(CheckpointTree) tree = take_tree;

    if (!checkpoint_store_update(guest->qemu, guest->name, guest->checkpoints, tree, err))
        return false;
    guest_set_checkpoints(guest, g_steal_pointer(&tree));
    return guest_publish(guest, err);
}

bool
checkpoints_load(Guest *guest, GError **err)
{
    CheckpointTree *tree = checkpoint_store_load(guest->qemu, guest->name, err);

    if (tree)
        guest_set_checkpoints(guest, tree);
    return tree != NULL;
}

bool
checkpoints_forget_all(Guest *guest, GError **err)
{
    if (!checkpoint_store_update(guest->qemu, guest->name, guest->checkpoints, NULL, err))
        return false;
    guest_set_checkpoints(guest, NULL);
    return true;
}

bool
checkpoints_rename(Guest *guest, const char *old_name, GError **err)
{
    return checkpoint_store_update(guest->qemu, guest->name, NULL, guest->checkpoints, err) &&
           checkpoint_store_update(guest->qemu, old_name, guest->checkpoints, NULL, err);
}

bool
checkpoints_require_none(const Guest *guest, const char *what, GError **err)
{
    guint count = checkpoint_tree_size(guest->checkpoints);

    return count == 0 ||
           fail(err, VIR_ERR_OPERATION_INVALID,
                "domain '%s' has %u checkpoints, and %s would lose track of what changed since "
                "them: delete them first (virsh checkpoint-delete)",
                guest->name, count, what);
}

static bool
add_to_file(const char *path, const char *bitmap, GError **err)
{
    const char *argv[] = {"qemu-img", "bitmap", "--add", "-f", "qcow2", path, bitmap, NULL};
    CommandSpec command = {.argv = argv};

    return command_run(&command, NULL, err);
}

bool
checkpoints_add_to_file(const Guest *guest, const char *target, const char *path, GError **err)
{
    for (guint i = 0; i < checkpoint_tree_size(guest->checkpoints); i++) {
        const DomainCheckpoint *checkpoint = checkpoint_tree_at(guest->checkpoints, i);

        for (gsize k = 0; k < checkpoint->n_disks; k++) {
            const CheckpointDisk *entry = checkpoint->disks[k];

            if (g_str_equal(entry->name, target) && entry->checkpoint == CHECKPOINT_MODE_BITMAP &&
                !add_to_file(path, entry->bitmap, err))
                return false;
        }
    }
    return true;
}
