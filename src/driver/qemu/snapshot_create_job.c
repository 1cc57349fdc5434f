/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking a snapshot, step by step. Until the disks are switched nothing has happened to the guest;
 * once QEMU may have switched them, the overlays may hold writes of the guest, so from then on
 * recovery asks QEMU which it was. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/block.h"
#include "driver/qemu/block_job.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/snapshot_create.h"
#include "driver/qemu/snapshot_store.h"

/* ---- the plan on disk ---- */

void
create_plan_free(CreatePlan *plan)
{
    if (!plan)
        return;
    g_clear_pointer(&plan->overlays, g_ptr_array_unref);
    g_clear_pointer(&plan->inside, g_ptr_array_unref);
    g_free(plan->name);
    g_free(plan->text);
    memory_save_free(plan->memory);
    g_free(plan->nvram_from);
    g_free(plan->nvram_copy);
    snapshot_tree_unref(plan->before);
    g_free(plan);
}

static void
free_plan(void *plan)
{
    create_plan_free(plan);
}

static void
save_plan(const void *data, Record *record)
{
    const CreatePlan *plan = data;

    record_add(record, "name", plan->name);
    record_add(record, "text", plan->text);
    new_overlays_save(plan->overlays, record);
    internal_disks_save(plan->inside, record);
    record_add_bool(record, "goes-on", plan->was_running);
    record_add_bool(record, "live", plan->is_live);
    record_add_bool(record, "halt", plan->must_halt);
    memory_save_to_record(plan->memory, record);
    record_add(record, "nvram", plan->nvram_from);
    record_add(record, "nvram-copy", plan->nvram_copy);
}

static void *
load_plan(const Record *record, GError **err)
{
    CreatePlan *plan = g_new0(CreatePlan, 1);

    plan->name = g_strdup(record_get(record, "name"));
    plan->text = g_strdup(record_get(record, "text"));
    plan->overlays = new_overlays_load(record);
    plan->inside = internal_disks_load(record);
    plan->was_running = record_get_bool(record, "goes-on");
    plan->is_live = record_get_bool(record, "live");
    plan->must_halt = record_get_bool(record, "halt");
    plan->memory = memory_save_from_record(record);
    plan->nvram_from = g_strdup(record_get(record, "nvram"));
    plan->nvram_copy = g_strdup(record_get(record, "nvram-copy"));
    return plan;
}

static Emulator *
running_emulator(const Guest *guest)
{
    return guest->emulator && emulator_is_running(guest->emulator) ? guest->emulator : NULL;
}

static Emulator *
require_emulator(const Guest *guest, GError **err)
{
    Emulator *emulator = running_emulator(guest);

    if (!emulator)
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name);
    return emulator;
}

/* ---- create: the new images ---- */

/* Could QEMU be writing to the overlays? Then no file may go. */
static bool
are_in_use(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);
    const NewOverlay *first;
    bool is_top;

    if (!emulator || !job_find_note(job, "sent"))
        return false;
    first = plan->overlays->pdata[0];
    if (!block_is_top(emulator, first->node, &is_top, err))
        return true;
    if (is_top)
        fail(err, VIR_ERR_OPERATION_FAILED, "domain %s writes to '%s' already", guest->name,
             first->path);
    return is_top;
}

static StepResult
make_images(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);
    const QemuConfig *config = guest->qemu->config;
    uid_t uid = config->has_owner ? config->uid : (uid_t)-1;
    gid_t gid = config->has_owner ? config->gid : (gid_t)-1;

    if (!new_overlays_make(job, plan->overlays, uid, gid, err))
        return STEP_FAILED;
    for (guint i = 0; !plan->is_live && i < plan->overlays->len; i++) {
        const NewOverlay *overlay = plan->overlays->pdata[i];

        if (!overlay->is_reused &&
            !checkpoints_add_to_file(guest, overlay->target, overlay->path, err))
            return STEP_FAILED;
    }
    return STEP_DONE;
}

static bool
remove_images(Job *job, GError **err)
{
    const CreatePlan *plan = job_plan(job);

    return !are_in_use(job, err) && new_overlays_withdraw(job, plan->overlays, err);
}

/* ---- attach: nodes for them in the emulator ---- */

static StepResult
attach_images(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);
    Emulator *emulator;

    if (!plan->is_live || plan->overlays->len == 0)
        return STEP_DONE;
    emulator = require_emulator(guest, err);
    if (!emulator)
        return STEP_FAILED;
    return job_fault(job, "nodes", err) &&
                   block_add_overlays(emulator, guest_live(guest), plan->overlays, err)
               ? STEP_DONE
               : STEP_FAILED;
}

static bool
detach_images(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);

    if (!plan->is_live || !running_emulator(guest))
        return true;
    if (are_in_use(job, err))
        return false;
    for (guint i = 0; i < plan->overlays->len; i++) {
        const NewOverlay *overlay = plan->overlays->pdata[i];
        if (!block_remove_nodes(guest->emulator, overlay->node, err))
            return false;
    }
    return true;
}

/* ---- memory ---- */

static StepResult
save_memory(Job *job, GError **err)
{
    CreatePlan *plan = job_plan(job);

    return plan->memory ? memory_save_run(job, plan->memory, err) : STEP_DONE;
}

static bool
drop_memory(Job *job, GError **err)
{
    CreatePlan *plan = job_plan(job);

    return !plan->memory || memory_save_undo(job, plan->memory, err);
}

/* ---- firmware: what it keeps, at the moment of the memory ---- */

static StepResult
copy_nvram(Job *job, GError **err)
{
    const CreatePlan *plan = job_plan(job);

    return !plan->nvram_copy || firmware_copy_make(job, plan->nvram_from, plan->nvram_copy, err)
               ? STEP_DONE
               : STEP_FAILED;
}

static bool
drop_nvram(Job *job, GError **err)
{
    const CreatePlan *plan = job_plan(job);

    return !plan->nvram_copy || firmware_copy_withdraw(job, plan->nvram_copy, err);
}

/* ---- inside: one tag in each image ---- */

static void
on_job_event(Emulator *emulator, const char *event, const Json *data, gpointer opaque)
{
    Job *job = opaque;
    CreatePlan *plan = job_plan(job);

    if (!internal_job_has_ended(event, data, job_id(job)))
        return;
    plan->has_saved = true;
    job_wake(job);
}

static bool
make_inside_offline(Job *job, const CreatePlan *plan, GError **err)
{
    for (guint i = 0; i < plan->inside->len; i++) {
        g_autofree char *point = g_strdup_printf("image-%u", i);

        if (!job_fault(job, point, err) || !internal_make(plan->inside->pdata[i], plan->name, err))
            return false;
    }
    return true;
}

static bool
start_inside(Job *job, CreatePlan *plan, Emulator *emulator, GError **err)
{
    Guest *guest = job_context(job);

    if (plan->was_running && !guest_pause(guest, VIR_DOMAIN_PAUSED_SNAPSHOT, err))
        return false;
    if (!job_fault(job, "save", err))
        return false;
    emulator_add_listener(emulator, on_job_event, job);
    plan->is_saving = true;
    return internal_job_start(emulator, guest_live(guest), "snapshot-save", job_id(job), plan->name,
                              plan->inside, err);
}

static void
stop_listening(Job *job, CreatePlan *plan)
{
    Guest *guest = job_context(job);

    if (plan->is_saving && guest->emulator)
        emulator_remove_listener(guest->emulator, on_job_event, job);
    plan->is_saving = false;
}

static StepResult
save_inside(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    CreatePlan *plan = job_plan(job);
    Emulator *emulator;

    if (plan->inside->len == 0)
        return STEP_DONE;
    if (!plan->is_live)
        return make_inside_offline(job, plan, err) ? STEP_DONE : STEP_FAILED;
    emulator = require_emulator(guest, err);
    if (!emulator)
        return STEP_FAILED;
    if (!plan->is_saving)
        return start_inside(job, plan, emulator, err) ? STEP_WAIT : STEP_FAILED;
    if (!plan->has_saved)
        return STEP_WAIT;
    stop_listening(job, plan);
    return internal_job_finish(emulator, job_id(job), err) && job_fault(job, "saved", err)
               ? STEP_DONE
               : STEP_FAILED;
}

/* All or none: what was tagged already is freed again, and the guest goes on. */
static bool
drop_inside(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    CreatePlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);

    if (plan->inside->len == 0)
        return true;
    stop_listening(job, plan);
    if (emulator && plan->is_live) {
        g_autoptr(GError) why = NULL;
        BlockJobState state;
        BlockJobProgress progress;

        if (!block_job_drive(emulator->qmp, job_id(job), false, &state, &progress, &why) ||
            state == BLOCK_JOB_BUSY)
            return fail(err, VIR_ERR_OPERATION_TIMEOUT,
                        "domain %s still saves snapshot '%s' inside its images: %s", guest->name,
                        plan->name, why ? why->message : "wait for it");
    }
    for (guint i = 0; i < plan->inside->len; i++) {
        if (!internal_remove(guest, plan->inside->pdata[i], plan->name, err))
            return false;
    }
    return !emulator || !plan->was_running || guest->state != VIR_DOMAIN_PAUSED ||
           guest_resume(guest, VIR_DOMAIN_RUNNING_UNPAUSED, err);
}

/* ---- switch: one transaction for all disks ---- */

static StepResult
switch_disks(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);
    g_autoptr(Record) note = record_new();
    g_autoptr(GError) refused = NULL;
    Emulator *emulator;

    if (!plan->is_live || plan->overlays->len == 0)
        return STEP_DONE;
    emulator = require_emulator(guest, err);
    if (!emulator)
        return STEP_FAILED;
    record_add(note, "sent", "yes");
    if (!job_note(job, note, err) || !job_fault(job, "sent", err))
        return STEP_FAILED;
    if (!block_switch_to_overlays(emulator, plan->overlays,
                                  checkpoint_tree_size(guest->checkpoints) > 0, &refused)) {
        if (!emulator_is_running(emulator)) {
            log_warning(LOG_QEMU,
                        "%s: it ended while its disks were switched: the new images count",
                        guest->name);
            return STEP_DONE;
        }
        g_propagate_error(err, g_steal_pointer(&refused));
        return STEP_FAILED;
    }
    return job_fault(job, "switched", err) ? STEP_DONE : STEP_FAILED;
}

/* ---- after the barrier ---- */

/* Put the overlay on top, unless it is already there or the disk is another one by now. */
static void
put_on_overlays(Domain *machine, const GPtrArray *overlays)
{
    for (guint i = 0; machine && i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        Disk *disk = domain_find_disk(machine, overlay->target);

        if (disk && g_strcmp0(disk_source_path(disk->type, &disk->source), overlay->base_path) == 0)
            disk_put_on_overlay(disk, overlay);
    }
}

static void
adopt_machines(Guest *guest, const CreatePlan *plan)
{
    /* A daemon that died may have used the numbers without having written that down. */
    for (guint i = 0; i < plan->overlays->len; i++)
        guest->last_node =
            MAX(guest->last_node, ((const NewOverlay *)plan->overlays->pdata[i])->node);
    if (guest_live(guest) && plan->is_live) {
        Domain *live = domain_copy(guest_live(guest));

        put_on_overlays(live, plan->overlays);
        guest_set_live(guest, live);
    }
    if (guest_config(guest)) {
        Domain *config = domain_copy(guest_config(guest));

        put_on_overlays(config, plan->overlays);
        guest_set_config(guest, config);
    }
}

static bool
adopt_snapshot(Guest *guest, CreatePlan *plan, GError **err)
{
    DomainSnapshot *snapshot;
    SnapshotTree *tree;

    if (!plan->text)
        return true;
    snapshot = snapshot_from_file_text(plan->text, NULL, err);
    if (!snapshot)
        return false;
    snapshot_tree_unref(plan->before);
    plan->before = snapshot_tree_ref(guest->snapshots);
    tree = snapshot_tree_copy(guest->snapshots);
    snapshot_tree_set_current(tree, snapshot->name);
    snapshot_tree_put(tree, snapshot);
    guest_set_snapshots(guest, tree);
    return true;
}

/* What COMMIT decided is what readers see from here on; the files follow. */
static StepResult
adopt(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    CreatePlan *plan = job_plan(job);

    if ((plan->memory && !memory_save_publish(job, plan->memory, err)) ||
        !adopt_snapshot(guest, plan, err))
        return STEP_FAILED;
    adopt_machines(guest, plan);
    if (!guest_publish(guest, err))
        return STEP_FAILED;
    log_info(LOG_QEMU, "%s: snapshot %s is taken", guest->name, plan->name);
    return STEP_DONE;
}

static bool
record_images(Job *job, Guest *guest, const CreatePlan *plan, GError **err)
{
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);

    if (!records)
        return false;
    new_overlays_recall(job, plan->overlays);
    for (guint i = 0; i < plan->overlays->len; i++) {
        const NewOverlay *overlay = plan->overlays->pdata[i];
        if (!overlay->is_reused)
            image_records_add(records, overlay->path, overlay->mark, job_id(job));
    }
    if (plan->memory)
        image_records_add(records, plan->memory->path, plan->memory->mark, job_id(job));
    if (plan->nvram_copy)
        image_records_add(records, plan->nvram_copy, firmware_copy_mark(job), job_id(job));
    return image_records_save(records, err);
}

static StepResult
install(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);

    if (!record_images(job, guest, plan, err) || !job_fault(job, "metadata", err) ||
        (plan->text &&
         !snapshot_store_update(guest->qemu, guest->name, plan->before, guest->snapshots, err)) ||
        !job_fault(job, "status", err) || (guest_live(guest) && !guest_save_status(guest, err)) ||
        !job_fault(job, "config", err) || (guest->is_persistent && !guest_save_config(guest, err)))
        return STEP_FAILED;
    if (plan->memory)
        memory_cache_build_later(guest->qemu, plan->memory->path);
    return STEP_DONE;
}

/* Let the guest go on, or end it. What cannot be done now is the guest's state, not the snapshot's
 * failure. */
static StepResult
resume(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);
    bool goes_on = plan->was_running || (plan->memory && plan->memory->was_running);
    g_autoptr(GError) why = NULL;

    if (!running_emulator(guest))
        return STEP_DONE;
    if (plan->must_halt)
        guest_kill(guest, VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT);
    else if (goes_on && guest->state == VIR_DOMAIN_PAUSED &&
             !guest_resume(guest, VIR_DOMAIN_RUNNING_UNPAUSED, &why))
        log_error(LOG_QEMU, "%s: it stays paused after its snapshot: %s", guest->name,
                  why->message);
    return STEP_DONE;
}

/* ---- recovery ---- */

static bool
has_reused(const GPtrArray *overlays)
{
    for (guint i = 0; i < overlays->len; i++) {
        if (((const NewOverlay *)overlays->pdata[i])->is_reused)
            return true;
    }
    return false;
}

/* The daemon died between asking QEMU to switch and knowing the answer. */
static JobDirection
decide(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const CreatePlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);
    const NewOverlay *first;
    bool is_top;

    if (!job_find_note(job, "sent"))
        return JOB_BACK;
    first = plan->overlays->pdata[0];
    if (!emulator) {
        if (!has_reused(plan->overlays))
            return JOB_FORWARD; /* what was never written reads as what is below */
        fail(err, VIR_ERR_OPERATION_FAILED,
             "domain %s ended while its disks were switched to images of yours: see whether '%s' "
             "is in use",
             guest->name, first->path);
        return JOB_LATER;
    }
    if (!block_is_top(emulator, first->node, &is_top, err))
        return JOB_LATER;
    return is_top ? JOB_FORWARD : JOB_BACK;
}

static const JobStep steps[] = {
    {"create", .run = make_images, .undo = remove_images},
    {"attach", .run = attach_images, .undo = detach_images},
    {"memory", .run = save_memory, .undo = drop_memory},
    {"firmware", .run = copy_nvram, .undo = drop_nvram},
    {"inside", .run = save_inside, .undo = drop_inside},
    {"switch", .run = switch_disks},
    {"commit", .barrier = true},
    {"adopt", .run = adopt},
    {"resume", .run = resume, .answers = true},
    {"install", .run = install},
    {0},
};

const JobKind snapshot_create_kind = {
    .name = "snapshot-create",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
    .decide = decide,
};
