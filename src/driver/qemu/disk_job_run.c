/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A block job, step by step. COMMIT comes before QEMU hears of it: from then on QEMU is asked how far it is, and whatever the
 * end, the definitions say afterwards what the guest writes to. What the definitions become: disk_job_install.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/block.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/disk_job_install.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/settings.h"

static Emulator *
running_emulator(Job *job)
{
    DiskJobPlan *plan = job_plan(job);

    return plan->emulator && emulator_is_running(plan->emulator) ? plan->emulator : NULL;
}

/* ---- create, attach: only copies have a new image ---- */

static StepResult
create(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DiskJobPlan *plan = job_plan(job);
    const QemuConfig *config = guest->qemu->config;
    uid_t uid = config->has_owner ? config->uid : (uid_t)-1;
    gid_t gid = config->has_owner ? config->gid : (gid_t)-1;

    return plan->copies->len == 0 || new_overlays_make(job, plan->copies, uid, gid, err)
               ? STEP_DONE
               : STEP_FAILED;
}

static bool
undo_create(Job *job, GError **err)
{
    DiskJobPlan *plan = job_plan(job);

    return new_overlays_withdraw(job, plan->copies, err);
}

/* Is this node one that the guest had before? A shallow copy stands on those. */
static bool
is_own_node(const DiskJobPlan *plan, const Domain *live, guint node)
{
    const Disk *disk = domain_find_disk(live, plan->target);

    if (!disk || disk->source.index == node)
        return disk != NULL;
    for (const BackingStore *layer = disk->backing_store; layer; layer = layer->backing_store) {
        if (layer->index == node && layer->type != STORAGE_TYPE_UNSET)
            return true;
    }
    return false;
}

static bool
add_layer(const DiskJobPlan *plan, QmpBatch *batch, const Domain *live, const BackingStore *layer,
          guint *number, GError **err)
{
    guint below = 0;
    Json *storage;

    *number = 0;
    if (!layer || layer->type == STORAGE_TYPE_UNSET)
        return true;
    *number = layer->index;
    if (is_own_node(plan, live, layer->index))
        return true;
    if (!add_layer(plan, batch, live, layer->backing_store, &below, err))
        return false;
    storage = disk_storage_node(plan->copy, layer->type, &layer->source, layer->index, true, err);
    if (!storage)
        return false;
    qmp_batch_add(batch, "blockdev-add", storage);
    qmp_batch_add(batch, "blockdev-add",
                  disk_format_node(plan->copy,
                                   layer->format ? layer->format->type : STORAGE_FORMAT_RAW,
                                   layer->index, true, below));
    return true;
}

static StepResult
attach(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DiskJobPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(job);
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    guint below;
    Json *storage;

    if (!plan->copy)
        return STEP_DONE;
    if (!emulator) {
        fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name);
        return STEP_FAILED;
    }
    if (!job_fault(job, "nodes", err) ||
        !add_layer(plan, batch, guest_live(guest), plan->copy->backing_store, &below, err))
        return STEP_FAILED;
    storage = disk_storage_node(plan->copy, plan->copy->type, &plan->copy->source,
                                plan->copy->source.index, false, err);
    if (!storage)
        return STEP_FAILED;
    qmp_batch_add(batch, "blockdev-add", storage);
    qmp_batch_add(batch, "blockdev-add",
                  disk_format_node(plan->copy, plan->copy->driver.type, plan->copy->source.index,
                                   false, below));
    return qmp_batch_run(batch, emulator->qmp, QMP_TIMEOUT_MS, err) && qmp_batch_all_ok(batch, err)
               ? STEP_DONE
               : STEP_FAILED;
}

static bool
remove_copy_nodes(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DiskJobPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(job);

    if (!plan->copy || !emulator)
        return true;
    if (!block_remove_nodes(emulator, plan->copy->source.index, err))
        return false;
    for (const BackingStore *layer = plan->copy->backing_store;
         layer && layer->type != STORAGE_TYPE_UNSET; layer = layer->backing_store) {
        if (!is_own_node(plan, guest_live(guest), layer->index) &&
            !block_remove_nodes(emulator, layer->index, err))
            return false;
    }
    return true;
}

/* ---- start ---- */

static bool
send_start(Job *job, Emulator *emulator, GError **err)
{
    DiskJobPlan *plan = job_plan(job);
    g_autofree char *id = disk_job_qemu_id(job);
    g_autofree char *disk = node_format_name(plan->disk_node);
    g_autofree char *upper = plan->upper_node ? node_format_name(plan->upper_node) : NULL;
    g_autofree char *base = plan->base_node ? node_format_name(plan->base_node) : NULL;
    g_autofree char *copy = plan->copy ? node_format_name(plan->copy->source.index) : NULL;
    BlockJobSpec spec = {.id = id,
                         .device = disk,
                         .top = upper,
                         .base = base,
                         .backing = plan->backing,
                         .target = copy,
                         .is_shallow = plan->is_shallow,
                         .is_synchronous = plan->is_synchronous,
                         .bytes_per_second = plan->bytes_per_second,
                         .granularity = plan->granularity,
                         .buffer_bytes = plan->buffer_bytes};

    switch (plan->type) {
    case VIR_DOMAIN_BLOCK_JOB_TYPE_PULL:
        spec.kind = BLOCK_PULL;
        break;
    case VIR_DOMAIN_BLOCK_JOB_TYPE_COPY:
        spec.kind = BLOCK_COPY;
        break;
    default:
        spec.kind = BLOCK_COMMIT;
        break;
    }
    return job_fault(job, "send", err) && block_job_start(emulator->qmp, &spec, err);
}

static StepResult
start(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DiskJobPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(job);
    g_autoptr(GError) why = NULL;

    /* After a restart: "run" asks QEMU whether it was ever started; whoever wanted it has had no answer. */
    if (plan->is_started || job_is_recovered(job))
        return STEP_DONE;
    if (emulator && send_start(job, emulator, err)) {
        plan->is_started = true;
        return STEP_DONE;
    }
    if (!emulator)
        fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name);
    if (!remove_copy_nodes(job, &why) || !undo_create(job, &why))
        log_warning(LOG_QEMU, "%s: disk %s: what was made for a block job is left over: %s",
                    guest->name, plan->target, why->message);
    return STEP_ABANDON;
}

/* ---- run ---- */

static void
on_emulator_event(Emulator *emulator, const char *event, const Json *data, gpointer job)
{
    if (!event || block_job_is_event(event))
        job_wake(job);
}

static bool
note(Job *job, const char *key, const char *value, GError **err)
{
    g_autoptr(Record) record = record_new();

    if (job_find_note(job, key))
        return true;
    record_add(record, key, value);
    return job_note(job, record, err);
}

static void
finish(Job *job, DiskJobOutcome outcome, const char *why)
{
    DiskJobPlan *plan = job_plan(job);

    plan->outcome = outcome;
    g_free(plan->why);
    plan->why = g_strdup(why);
}

static bool
recall_outcome(Job *job)
{
    const Record *record = job_find_note(job, "outcome");
    const char *word = record ? record_get(record, "outcome") : NULL;

    if (!word)
        return false;
    finish(job,
           g_str_equal(word, "done")        ? DISK_JOB_DONE
           : g_str_equal(word, "cancelled") ? DISK_JOB_CANCELLED
                                            : DISK_JOB_FAILED,
           record_get(record, "why"));
    return true;
}

static bool
note_outcome(Job *job, DiskJobOutcome outcome, const char *why, GError **err)
{
    g_autoptr(Record) record = record_new();

    record_add(record, "outcome",
               outcome == DISK_JOB_DONE        ? "done"
               : outcome == DISK_JOB_CANCELLED ? "cancelled"
                                               : "failed");
    record_add(record, "why", why);
    if (!job_note(job, record, err))
        return false;
    finish(job, outcome, why);
    return true;
}

static bool
has_two_phases(const DiskJobPlan *plan)
{
    return plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_COPY ||
           plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT;
}

/* QEMU has no such job (any more): its graph, or the files, say how it ended. */
static StepResult
settle_absent(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DiskJobPlan *plan = job_plan(job);
    bool is_done = false;

    if (job_find_note(job, "finalizing") && !job_find_note(job, "stopping") &&
        !disk_job_is_done(guest, plan, running_emulator(job), &is_done, err))
        return STEP_FAILED;
    if (is_done)
        return note_outcome(job, DISK_JOB_DONE, NULL, err) ? STEP_DONE : STEP_FAILED;
    return note_outcome(job, plan->wants_stop ? DISK_JOB_CANCELLED : DISK_JOB_FAILED,
                        running_emulator(job) ? "QEMU does not know the job any more"
                                              : "the guest ended",
                        err)
               ? STEP_DONE
               : STEP_FAILED;
}

static bool
announce_ready(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    DiskJobPlan *plan = job_plan(job);

    if (plan->is_ready)
        return true;
    plan->is_ready = true;
    if (!note(job, "ready", "yes", err) || !disk_job_show(guest, plan, err))
        return false;
    guest_emit_block_job(guest, plan->target, plan->type, VIR_DOMAIN_BLOCK_JOB_READY);
    return true;
}

static StepResult
push_ready(Job *job, Emulator *emulator, const char *id, GError **err)
{
    DiskJobPlan *plan = job_plan(job);
    bool ok = announce_ready(job, err);

    if (ok && plan->wants_pivot)
        ok = job_fault(job, "pivot", err) && block_job_tell(emulator->qmp, id, "job-complete", err);
    else if (ok && plan->wants_stop)
        ok = note(job, "stopping", "yes", err) && job_fault(job, "stop", err) &&
             block_job_stop(emulator->qmp, id, err);
    return ok ? STEP_WAIT : STEP_FAILED;
}

/* All is copied. Finalizing makes headers name the image below, so what QEMU still holds of its tables is written first. */
static StepResult
push_pending(Job *job, Emulator *emulator, const char *id, GError **err)
{
    const DiskJobPlan *plan = job_plan(job);
    guint target = plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_PULL ? plan->disk_node
                   : plan->copy                                 ? plan->copy->source.index
                                                                : plan->base_node;

    return block_flush(emulator, target, err) && note(job, "finalizing", "yes", err) &&
                   job_fault(job, "finalize", err) && block_job_finalize(emulator->qmp, id, err)
               ? STEP_WAIT
               : STEP_FAILED;
}

static StepResult
conclude(Job *job, Emulator *emulator, const char *id, const char *why, GError **err)
{
    const DiskJobPlan *plan = job_plan(job);
    bool is_stopped =
        has_two_phases(plan) ? job_find_note(job, "stopping") != NULL : plan->wants_stop;
    DiskJobOutcome outcome = DISK_JOB_DONE;

    if (why)
        outcome = is_stopped || plan->wants_stop ? DISK_JOB_CANCELLED : DISK_JOB_FAILED;
    else if (is_stopped && has_two_phases(plan))
        outcome = DISK_JOB_CANCELLED;
    return note_outcome(job, outcome, why, err) && job_fault(job, "dismiss", err) &&
                   block_job_tell(emulator->qmp, id, "job-dismiss", err)
               ? STEP_DONE
               : STEP_FAILED;
}

static StepResult
drive(Job *job, Emulator *emulator, GError **err)
{
    DiskJobPlan *plan = job_plan(job);
    g_autofree char *id = disk_job_qemu_id(job);
    g_autofree char *why = NULL;
    BlockJobProgress progress = {0};
    BlockJobState state;

    block_jobs_dismiss_streams(emulator->qmp);
    if (!block_job_look(emulator->qmp, id, &state, &progress, &why, err))
        return emulator_is_running(emulator) ? STEP_FAILED : settle_absent(job, err);
    job_set_progress(job, progress.done_bytes, progress.total_bytes);
    switch (state) {
    case BLOCK_JOB_ABSENT:
        return settle_absent(job, err);
    case BLOCK_JOB_READY:
        return push_ready(job, emulator, id, err);
    case BLOCK_JOB_PENDING:
        return push_pending(job, emulator, id, err);
    case BLOCK_JOB_DONE:
    case BLOCK_JOB_FAILED:
        return conclude(job, emulator, id, why, err);
    case BLOCK_JOB_BUSY:
        break;
    }
    if (plan->wants_stop && !block_job_stop(emulator->qmp, id, err))
        return STEP_FAILED;
    return STEP_WAIT;
}

static StepResult
look(Job *job, GError **err)
{
    Emulator *emulator = running_emulator(job);
    StepResult result;

    if (recall_outcome(job))
        return STEP_DONE;
    if (!emulator)
        return settle_absent(job, err);
    emulator_add_listener(emulator, on_emulator_event, job);
    result = drive(job, emulator, err);
    if (result == STEP_FAILED && !qmp_is_open(emulator->qmp)) {
        g_clear_error(err); /* it is ending, and its end wakes us again */
        return STEP_WAIT;
    }
    return result;
}

/* While it waits, and only then, QEMU's events come here: a job that has ended must not be told anything. */
static StepResult
run(Job *job, GError **err)
{
    DiskJobPlan *plan = job_plan(job);
    StepResult result;

    if (plan->emulator)
        emulator_remove_listener(plan->emulator, on_emulator_event, job);
    result = look(job, err);
    if (result != STEP_WAIT && plan->emulator)
        emulator_remove_listener(plan->emulator, on_emulator_event, job);
    return result;
}

/* ---- the end ---- */

static StepResult
show(Job *job, GError **err)
{
    return disk_job_show(job_context(job), job_plan(job), err) ? STEP_DONE : STEP_FAILED;
}

static StepResult
install(Job *job, GError **err)
{
    return disk_job_install(job, err) ? STEP_DONE : STEP_FAILED;
}

static bool
has_node(const Domain *live, guint node)
{
    for (gsize i = 0; live && i < live->n_disks; i++) {
        const Disk *disk = live->disks[i];

        if (disk->source.has_index && disk->source.index == node)
            return true;
        for (const BackingStore *layer = disk->backing_store; layer; layer = layer->backing_store) {
            if (layer->has_index && layer->index == node)
                return true;
        }
    }
    return false;
}

/* A copy that was never whole is no use to anybody. */
static void
remove_partial_copy(Job *job)
{
    Guest *guest = job_context(job);
    const DiskJobPlan *plan = job_plan(job);
    g_autoptr(GError) why = NULL;

    if (plan->outcome == DISK_JOB_DONE || job_find_note(job, "ready"))
        return;
    if (!undo_create(job, &why))
        log_warning(LOG_QEMU, "%s: disk %s: a partial copy is left over: %s", guest->name,
                    plan->target, why->message);
}

/* Nodes and files that nothing uses any more. What is left over hurts nobody. */
static StepResult
clean(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const DiskJobPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(job);

    for (guint i = 0; emulator && i < plan->nodes->len; i++) {
        guint node = g_array_index(plan->nodes, guint, i);
        g_autoptr(GError) why = NULL;

        if (!has_node(guest_live(guest), node) && !block_remove_nodes(emulator, node, &why))
            log_warning(LOG_QEMU, "%s: disk %s: a block node is left over: %s", guest->name,
                        plan->target, why->message);
    }
    if (plan->deletes && plan->outcome == DISK_JOB_DONE)
        disk_job_delete_gone(guest, plan);
    remove_partial_copy(job);
    log_info(LOG_QEMU, "%s: disk %s: block job %s %s", guest->name, plan->target, job_id(job),
             plan->outcome == DISK_JOB_DONE        ? "is done"
             : plan->outcome == DISK_JOB_CANCELLED ? "was cancelled"
                                                   : "failed");
    return STEP_DONE;
}

static const JobStep steps[] = {
    {"create", .run = create, .undo = undo_create},
    {"attach", .run = attach, .undo = remove_copy_nodes},
    {"commit", .barrier = true},
    {"start", .run = start},
    {"show", .run = show, .answers = true},
    {"run", .run = run},
    {"install", .run = install},
    {"clean", .run = clean},
    {0},
};

#define DISK_JOB_KIND(word)                                               \
    {                                                                     \
        .name = word, .steps = steps, .save_plan = disk_job_save_plan,    \
        .load_plan = disk_job_load_plan, .free_plan = disk_job_drop_plan, \
    }

const JobKind block_commit_kind = DISK_JOB_KIND("block-commit");
const JobKind block_pull_kind = DISK_JOB_KIND("block-pull");
const JobKind block_copy_kind = DISK_JOB_KIND("block-copy");
