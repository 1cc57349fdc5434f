/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A revert, step by step. See revert.h for the promise, revert.c for the plan, revert_stage.c for
 * the new emulator. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/revert.h"
#include "driver/qemu/snapshot_store.h"
#include "driver/qemu/status.h"
#include "image/name.h"

/* ---- the plan on disk ---- */

void
revert_plan_free(RevertPlan *plan)
{
    if (!plan)
        return;
    g_clear_pointer(&plan->overlays, g_ptr_array_unref);
    g_clear_pointer(&plan->inside, g_ptr_array_unref);
    g_free(plan->tag);
    g_clear_pointer(&plan->going, g_ptr_array_unref);
    g_clear_pointer(&plan->staying, g_ptr_array_unref);
    g_clear_pointer(&plan->emulator, emulator_unref);
    g_clear_pointer(&plan->live, domain_free);
    g_clear_pointer(&plan->cache, memory_cache_free);
    g_clear_error(&plan->start_error);
    g_free(plan->name);
    g_free(plan->text);
    g_free(plan->config_xml);
    g_free(plan->live_xml);
    g_free(plan->memory_path);
    g_free(plan->nvram_from);
    g_free(plan->nvram_path);
    g_free(plan->stop_first);
    g_free(plan->saved_path);
    g_free(plan->kept_text);
    memory_save_free(plan->kept_memory);
    g_free(plan);
}

static void
free_plan(void *plan)
{
    revert_plan_free(plan);
}

static void
save_plan(const void *data, Record *record)
{
    const RevertPlan *plan = data;

    record_add(record, "name", plan->name);
    record_add(record, "text", plan->text);
    new_overlays_save(plan->overlays, record);
    internal_disks_save(plan->inside, record);
    record_add(record, "tag", plan->tag);
    record_add_bool(record, "memory-inside", plan->memory_tag);
    record_add(record, "config", plan->config_xml);
    record_add(record, "live", plan->live_xml);
    record_add(record, "load-memory", plan->memory_path);
    record_add_u64(record, "to", plan->to);
    record_add(record, "nvram-from", plan->nvram_from);
    record_add(record, "nvram", plan->nvram_path);
    record_add(record, "stop-first", plan->stop_first);
    record_add_bool(record, "drop-managed-save", plan->drop_managed_save);
    record_add_bool(record, "restore", plan->is_restore);
    record_add(record, "saved", plan->saved_path);
    record_add(record, "kept", plan->kept_text);
    memory_save_to_record(plan->kept_memory, record);
    record_add_bool(record, "undo", plan->is_undo);
    record_add_bool(record, "clone", plan->is_clone);
    doomed_images_save(plan->going, record, "going");
}

static void *
load_plan(const Record *record, GError **err)
{
    RevertPlan *plan = g_new0(RevertPlan, 1);

    plan->name = g_strdup(record_get(record, "name"));
    plan->text = g_strdup(record_get(record, "text"));
    plan->overlays = new_overlays_load(record);
    plan->inside = internal_disks_load(record);
    plan->tag = g_strdup(record_get(record, "tag"));
    plan->memory_tag = record_get_bool(record, "memory-inside");
    plan->config_xml = g_strdup(record_get(record, "config"));
    plan->live_xml = g_strdup(record_get(record, "live"));
    plan->memory_path = g_strdup(record_get(record, "load-memory"));
    plan->to = (RevertTo)record_get_u64(record, "to");
    plan->nvram_from = g_strdup(record_get(record, "nvram-from"));
    plan->nvram_path = g_strdup(record_get(record, "nvram"));
    plan->stop_first = g_strdup(record_get(record, "stop-first"));
    plan->drop_managed_save = record_get_bool(record, "drop-managed-save");
    plan->is_restore = record_get_bool(record, "restore");
    plan->saved_path = g_strdup(record_get(record, "saved"));
    plan->kept_text = g_strdup(record_get(record, "kept"));
    plan->kept_memory = memory_save_from_record(record);
    plan->is_undo = record_get_bool(record, "undo");
    plan->is_clone = record_get_bool(record, "clone");
    plan->going = doomed_images_new();
    doomed_images_load(plan->going, record, "going");
    return plan;
}

/* ---- create ---- */

static StepResult
make_images(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const RevertPlan *plan = job_plan(job);
    const QemuConfig *config = guest->qemu->config;
    uid_t uid = config->has_owner ? config->uid : (uid_t)-1;
    gid_t gid = config->has_owner ? config->gid : (gid_t)-1;

    return new_overlays_make(job, plan->overlays, uid, gid, err) ? STEP_DONE : STEP_FAILED;
}

static bool
remove_images(Job *job, GError **err)
{
    const RevertPlan *plan = job_plan(job);

    return new_overlays_withdraw(job, plan->overlays, err);
}

/* ---- stage: the new emulator beside the old one ---- */

static StepResult
stage(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const RevertPlan *plan = job_plan(job);
    EmulatorFlags flags = guest->emulator ? EMULATOR_STAGED : 0;

    if (plan->to == REVERT_TO_OFF)
        return STEP_DONE;
    if (plan->stop_first) {
        log_info(LOG_QEMU, "%s: it is stopped before it starts at %s: %s", guest->name, plan->name,
                 plan->stop_first);
        return STEP_DONE;
    }
    return revert_start_emulator(job, flags, err);
}

/* ---- keep: the old guest's memory; from here on it is paused ---- */

static StepResult
keep_memory(Job *job, GError **err)
{
    RevertPlan *plan = job_plan(job);
    g_autofree char *dir = plan->kept_memory ? g_path_get_dirname(plan->kept_memory->path) : NULL;

    if (!dir)
        return STEP_DONE;
    return dir_make(dir, 0700, err) ? memory_save_run(job, plan->kept_memory, err) : STEP_FAILED;
}

static bool
drop_kept_memory(Job *job, GError **err)
{
    RevertPlan *plan = job_plan(job);

    return !plan->kept_memory || memory_save_undo(job, plan->kept_memory, err);
}

/* ---- after the barrier: the old emulator ends ---- */

static StepResult
end_old(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);

    if (revert_is_installed(job))
        return STEP_DONE;
    /* A staged emulator of a daemon that died never ran: another one takes its place. */
    if (!plan->emulator && !revert_kill_emulator(job, err))
        return STEP_FAILED;
    if (!guest->emulator)
        return STEP_DONE;
    g_atomic_int_set(&guest->stop_reason, VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT);
    emulator_kill(guest->emulator);
    if (emulator_is_running(guest->emulator))
        return fail(err, VIR_ERR_OPERATION_TIMEOUT, "emulator %d of domain %s does not end",
                    (int)guest->emulator->process.pid, guest->name),
               STEP_FAILED;
    if (plan->emulator) {
        emulator_clear_up(guest->emulator);
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_STOPPED,
                             VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT);
    } else {
        guest_stopped(guest, VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT);
    }
    return STEP_DONE;
}

/* ---- install: what the files say ---- */

static bool
install_metadata(Guest *guest, const RevertPlan *plan, GError **err)
{
    DomainSnapshot *snapshot;
    g_autoptr(SnapshotTree) tree = NULL;

    if (plan->is_restore || plan->is_clone)
        return true;
    snapshot = plan->text ? snapshot_from_file_text(plan->text, NULL, err) : NULL;
    if (plan->text && !snapshot)
        return false;
    tree = snapshot_tree_copy(guest->snapshots);
    snapshot_tree_set_current(tree, snapshot ? snapshot->name : NULL);
    if (snapshot)
        snapshot_tree_put(tree, snapshot);
    if (!snapshot_store_update(guest->qemu, guest->name, guest->snapshots, tree, err))
        return false;
    guest_set_snapshots(guest, g_steal_pointer(&tree));
    return true;
}

static bool
install_config(Guest *guest, const RevertPlan *plan, GError **err)
{
    Domain *config;

    if (!plan->config_xml)
        return true;
    config = domain_parse(plan->config_xml, MODEL_PARSE_INACTIVE, err);
    if (!config)
        return false;
    guest_set_config(guest, config);
    if (!guest_save_config(guest, err))
        return false;
    if (plan->is_clone && !guest->is_persistent) {
        guest->is_persistent = true;
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_ADDED);
    }
    return true;
}

static bool
drop_managed_save(Guest *guest, const RevertPlan *plan, GError **err)
{
    g_autofree char *path = g_strdup_printf("%s/%s.save", guest->qemu->save_dir, guest->name);

    if (!plan->drop_managed_save)
        return true;
    if (!file_remove(path, err))
        return false;
    guest->has_managed_save = false;
    return true;
}

/* What was the present state is a hidden node now; or a hidden node is the present state. */
static bool
install_kept(Job *job, const RevertPlan *plan, GError **err)
{
    Guest *guest = job_context(job);
    KeptState *kept;

    if (plan->is_undo)
        return kept_set(guest, NULL, err);
    if (!plan->kept_text)
        return true;
    kept = kept_state_from_text(plan->kept_text, err);
    if (!kept || (plan->kept_memory && !memory_save_publish(job, plan->kept_memory, err))) {
        kept_state_unref(kept);
        return false;
    }
    return kept_set(guest, kept, err);
}

/* Not under an emulator that has them open. */
static bool
install_nvram(Job *job, Guest *guest, const RevertPlan *plan, GError **err)
{
    if (!plan->nvram_from || revert_is_installed(job))
        return true;
    return job_fault(job, "firmware", err) &&
           firmware_put(guest->qemu, plan->nvram_from, plan->nvram_path, err);
}

static StepResult
install(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const RevertPlan *plan = job_plan(job);

    if (!install_nvram(job, guest, plan, err) || !install_metadata(guest, plan, err) ||
        !job_fault(job, "config", err) || !install_config(guest, plan, err) ||
        !drop_managed_save(guest, plan, err) || !job_fault(job, "kept", err) ||
        !install_kept(job, plan, err))
        return STEP_FAILED;
    return guest_publish(guest, err) ? STEP_DONE : STEP_FAILED;
}

/* ---- run: the new emulator is the guest's ---- */

static bool
take_over(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);
    bool was_staged = plan->emulator->flags & EMULATOR_STAGED;

    if (was_staged && !emulator_take_places(plan->emulator, plan->live, err))
        return false;
    guest_install_emulator(guest, g_steal_pointer(&plan->emulator), g_steal_pointer(&plan->live));
    guest_set_state(guest, VIR_DOMAIN_PAUSED,
                    plan->is_restore ? VIR_DOMAIN_PAUSED_MIGRATION
                                     : VIR_DOMAIN_PAUSED_FROM_SNAPSHOT);
    return guest_save_status(guest, err) && status_save_pid(guest, guest->emulator, err) &&
           guest_publish(guest, err);
}

static bool
set_going(Guest *guest, const RevertPlan *plan, GError **err)
{
    bool restores = plan->is_restore;

    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_STARTED,
                         restores ? VIR_DOMAIN_EVENT_STARTED_RESTORED
                                  : VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT);
    if (plan->to == REVERT_TO_RUNNING)
        return guest_resume(
            guest, restores ? VIR_DOMAIN_RUNNING_RESTORED : VIR_DOMAIN_RUNNING_FROM_SNAPSHOT, err);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_SUSPENDED,
                         restores ? VIR_DOMAIN_EVENT_SUSPENDED_RESTORED
                                  : VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT);
    return true;
}

/* The disks are at the snapshot already: a guest that cannot be started now stays off there. */
static StepResult
give_up_start(Job *job, GError *take_error)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);
    g_autoptr(GError) why = NULL;

    log_error(LOG_QEMU, "%s: it is at %s, but off: %s", guest->name, plan->name,
              take_error->message);
    plan->start_error = take_error;
    if (!revert_kill_emulator(job, &why))
        log_error(LOG_QEMU, "%s: %s", guest->name, why->message);
    if (guest->emulator)
        guest_kill(guest, VIR_DOMAIN_SHUTOFF_FAILED);
    return STEP_DONE;
}

static StepResult
run(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);
    GError *why = NULL;
    StepResult started;

    if (plan->to == REVERT_TO_OFF || plan->start_error)
        return STEP_DONE;
    if (!revert_is_installed(job)) {
        started = revert_start_emulator(job, 0, &why);
        if (started == STEP_WAIT)
            return STEP_WAIT;
        if (started == STEP_FAILED || !job_fault(job, "take-over", &why) || !take_over(job, &why))
            return give_up_start(job, why);
    }
    if (!job_fault(job, "go", &why) || !set_going(guest, plan, &why))
        return give_up_start(job, why);
    return STEP_DONE;
}

/* ---- remove-old ---- */

static void
record_overlays(Job *job, const RevertPlan *plan, ImageRecords *records)
{
    new_overlays_recall(job, plan->overlays);
    for (guint i = 0; i < plan->overlays->len; i++) {
        const NewOverlay *overlay = plan->overlays->pdata[i];
        g_autofree char *dir = g_path_get_dirname(overlay->path);
        g_autofree char *stem = image_name_stem(overlay->path);

        image_records_add(records, overlay->path, overlay->mark, job_id(job));
        image_records_use_revert(records, dir, stem, image_name_revert_number(overlay->path, stem));
    }
}

/* What is ours from now on, and what goes. */
static bool
settle_images(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const RevertPlan *plan = job_plan(job);
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_autoptr(ImageGraph) graph = NULL;

    if (!records)
        return false;
    record_overlays(job, plan, records);
    if (plan->kept_memory)
        image_records_add(records, plan->kept_memory->path, plan->kept_memory->mark, job_id(job));
    if (plan->going->len > 0)
        graph = snapshot_holders(guest->qemu, NULL);
    for (guint i = 0; i < plan->going->len; i++) {
        const DoomedImage *image = plan->going->pdata[i];
        g_autofree char *point = g_strdup_printf("image-%u", i);

        if (!job_fault(job, point, err))
            return false;
        if (!doomed_image_remove(guest, image, graph, records, err))
            return false;
        g_ptr_array_add(paths, image->path);
    }
    g_ptr_array_add(paths, NULL);
    return overlay_sync_folders((const char *const *)paths->pdata, err) &&
           job_fault(job, "records", err) && image_records_save(records, err);
}

/* The state runs now: another start from the image would put old memory over newer disks. */
static bool
drop_saved(Guest *guest, const RevertPlan *plan, GError **err)
{
    if (!plan->saved_path)
        return true;
    if (!file_remove(plan->saved_path, err))
        return false;
    guest->has_managed_save = false;
    return guest_publish(guest, err);
}

static StepResult
remove_old(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);

    if (!plan->is_restore && !settle_images(job, err))
        return STEP_FAILED;
    log_info(LOG_QEMU, "%s: it is at %s", guest->name, plan->name);
    if (plan->start_error) {
        g_propagate_prefixed_error(err, g_steal_pointer(&plan->start_error),
                                   "domain %s is at %s, but could not be started: ", guest->name,
                                   plan->name);
        return STEP_ABANDON;
    }
    if (!drop_saved(guest, plan, err))
        return STEP_FAILED;
    revert_settle_memory(job);
    return STEP_DONE;
}

static const JobStep steps[] = {
    {"create", .run = make_images, .undo = remove_images},
    {"stage", .run = stage, .undo = revert_kill_emulator},
    {"keep", .run = keep_memory, .undo = drop_kept_memory},
    {"commit", .barrier = true},
    {"end-old", .run = end_old},
    {"inside", .run = revert_apply_inside},
    {"install", .run = install},
    {"run", .run = run},
    {"remove-old", .run = remove_old},
    {0},
};

const JobKind clone_kind = {
    .name = "clone",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};

const JobKind restore_kind = {
    .name = "restore",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};

const JobKind revert_kind = {
    .name = "revert",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};
