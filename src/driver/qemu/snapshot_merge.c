/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Merging two images, in the running guest when it has them open, else in a storage daemon.
 * Whatever interrupts it, the merge can be begun again: only reading is done from the image that
 * goes, and the images that stay say in their headers how far it is. What the definitions name
 * afterwards is written as soon as the merge is done. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/block.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/snapshot_delete.h"
#include "driver/qemu/snapshot_remap.h"
#include "seam/command.h"

/* Where the two images are in the running guest's graph. */
typedef struct {
    Emulator *emulator;
    const char *above; /* path of the image right above upper; NULL: upper is the top */
    guint top, upper, lower, below; /* node numbers; below 0: none */
} LivePlace;

static bool
find_in_disk(const Disk *disk, const ImageMerge *merge, LivePlace *place)
{
    const char *above = NULL, *path = disk_source_path(disk->type, &disk->source);
    const BackingStore *layer = disk->backing_store;
    guint node = disk->source.index;

    place->top = node;
    while (path && layer && layer->type != STORAGE_TYPE_UNSET) {
        const char *next = disk_source_path(layer->type, &layer->source);

        if (g_str_equal(path, merge->upper) && g_strcmp0(next, merge->lower) == 0) {
            const BackingStore *below = layer->backing_store;

            place->above = above;
            place->upper = node;
            place->lower = layer->index;
            place->below = below && below->type != STORAGE_TYPE_UNSET ? below->index : 0;
            return true;
        }
        above = path;
        path = next;
        node = layer->index;
        layer = layer->backing_store;
    }
    return false;
}

static bool
find_live(const Guest *guest, const ImageMerge *merge, LivePlace *place)
{
    const Domain *live = guest_live(guest);

    memset(place, 0, sizeof(*place));
    if (!guest->emulator || !emulator_is_running(guest->emulator))
        return false;
    place->emulator = guest->emulator;
    for (gsize i = 0; live && i < live->n_disks; i++) {
        if (find_in_disk(live->disks[i], merge, place))
            return true;
    }
    return false;
}

/* ---- what the files say ---- */

/* Does the header of the image at @path name @below? */
static bool
is_backed_by(const char *path, ImageFormat format, const char *below)
{
    g_autoptr(ImageHeader) header = image_header_read_file(path, format, NULL);
    g_autofree char *found = header && header->backing_name
                                 ? image_backing_path(path, header->backing_name, NULL)
                                 : NULL;

    return found && g_str_equal(found, below);
}

static bool
has_parent_on_upper(const ImageMerge *merge)
{
    for (guint i = 0; i < merge->parents->len; i++) {
        if (is_backed_by(merge->parents->pdata[i], GPOINTER_TO_INT(merge->parent_formats->pdata[i]),
                         merge->upper))
            return true;
    }
    return false;
}

/* Done before, and written down everywhere but in the journal? */
static bool
is_complete(const Guest *guest, const ImageMerge *merge)
{
    if (merge->kind == BLOCK_PULL)
        return !is_backed_by(merge->upper, merge->upper_format, merge->lower) &&
               !snapshot_remap_is_needed(guest, merge);
    return !has_parent_on_upper(merge) && !snapshot_remap_is_needed(guest, merge);
}

/* Does the running guest write to the lower image already, and know nothing of the upper one? */
static bool
runs_on_lower(const Guest *guest, const ImageMerge *merge)
{
    const Domain *live = guest_live(guest);

    if (!live || !guest->emulator || !emulator_is_running(guest->emulator))
        return false;
    for (gsize i = 0; i < live->n_disks; i++) {
        const Disk *disk = live->disks[i];

        if (g_strcmp0(disk_source_path(disk->type, &disk->source), merge->lower) == 0)
            return true;
    }
    return false;
}

/* Are the data where they belong, by what stands above them? Only names are to be changed then. */
static bool
has_moved(const Guest *guest, const ImageMerge *merge)
{
    if (merge->kind == BLOCK_PULL)
        return !is_backed_by(merge->upper, merge->upper_format, merge->lower);
    return merge->parents->len > 0 ? !has_parent_on_upper(merge) : runs_on_lower(guest, merge);
}

static gint64
changed_ns(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec : 0;
}

/* The guest ended while its top was being exchanged for the image below: which one did it write to
 * last? */
static bool
was_exchanged(Job *job, const ImageMerge *merge, guint number)
{
    g_autofree char *key = g_strdup_printf("finalizing/%u", number);

    return job_find_note(job, key) && changed_ns(merge->lower) >= changed_ns(merge->upper);
}

/* ---- the end of a merge ---- */

/* Headers that were changed, and data that was moved, are on the disk before the image they came
 * from goes. */
static bool
sync_image(const char *path, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return fail_errno(err, "open", path);
    return fsync(fd) == 0 || fail_errno(err, "sync", path);
}

static bool
sync_images(const ImageMerge *merge, GError **err)
{
    if (!sync_image(merge->kind == BLOCK_COMMIT ? merge->lower : merge->upper, err))
        return false;
    for (guint i = 0; merge->kind == BLOCK_COMMIT && i < merge->parents->len; i++) {
        if (!sync_image(merge->parents->pdata[i], err))
            return false;
    }
    return true;
}

static bool
rebase_header(const char *path, ImageFormat format, const ImageMerge *merge, GError **err)
{
    const char *argv[] = {"qemu-img",
                          "rebase",
                          "-u",
                          "-f",
                          image_format_to_string(format),
                          "-F",
                          image_format_to_string(merge->lower_format),
                          "-b",
                          merge->lower,
                          path,
                          NULL};
    CommandSpec command = {.argv = argv};

    return command_run(&command, NULL, err);
}

/* Images of other branches that were backed by upper. QEMU has seen to the one in its own chain. */
static bool
rebase_parents(Job *job, const ImageMerge *merge, GError **err)
{
    for (guint i = 0; merge->kind == BLOCK_COMMIT && i < merge->parents->len; i++) {
        const char *path = merge->parents->pdata[i];
        ImageFormat format = GPOINTER_TO_INT(merge->parent_formats->pdata[i]);

        if (is_backed_by(path, format, merge->upper) &&
            (!job_fault(job, "rebase", err) || !rebase_header(path, format, merge, err)))
            return false;
    }
    return true;
}

static void
remove_upper(Guest *guest, const ImageMerge *merge)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, &why);
    g_autoptr(ImageGraph) graph = snapshot_holders(guest->qemu, NULL);

    if (records && image_graph_may_remove(graph, merge->upper, merge->mark, &why) &&
        image_remove(merge->upper, merge->mark, &why) && dir_sync_parent(merge->upper, &why)) {
        image_records_remove(records, merge->upper);
        image_records_save(records, &why);
    }
    if (why)
        log_warning(LOG_QEMU, "%s: %s", guest->name, why->message);
}

static StepResult
finish(Job *job, const ImageMerge *merge, guint number, GError **err)
{
    Guest *guest = job_context(job);
    g_autoptr(Record) note = record_new();
    g_autofree char *key = g_strdup_printf("merged/%u", number);

    /* What the definitions name changes last: until then the same deletion, asked for again, finds
     * this merge. */
    if (!rebase_parents(job, merge, err) || !sync_images(merge, err) ||
        !job_fault(job, "remap", err) || !snapshot_remap(guest, merge, err) ||
        !guest_publish(guest, err))
        return STEP_FAILED;
    if (merge->kind == BLOCK_COMMIT && merge->may_remove)
        remove_upper(guest, merge);
    record_add(note, key, "yes");
    log_info(LOG_QEMU, "%s: disk %s: '%s' and '%s' are merged", guest->name, merge->target,
             merge->lower, merge->upper);
    return job_note(job, note, err) ? STEP_DONE : STEP_FAILED;
}

/* A daemon before us may not have come to removing the nodes of the image that is gone, and they
 * keep others from being used. */
static void
drop_gone_nodes(const Guest *guest, const ImageMerge *merge)
{
    const char *gone = merge->kind == BLOCK_COMMIT ? merge->upper : merge->lower;
    g_autoptr(GError) why = NULL;

    if (guest->emulator && emulator_is_running(guest->emulator) &&
        !block_remove_nodes_of(guest->emulator, gone, &why))
        log_warning(LOG_QEMU, "%s: disk %s: a block node is left over: %s", guest->name,
                    merge->target, why->message);
}

/* ---- common to both ways ---- */

static char *
make_id(Job *job, const ImageMerge *merge, guint number)
{
    const char *suffix = strrchr(job_id(job), '-');

    return g_strdup_printf("%s-%s%s-%u", merge->kind == BLOCK_COMMIT ? "commit" : "pull",
                           merge->target, suffix, number);
}

/* QEMU keeps the tables of a qcow2 image in memory. Finalizing makes a header point past the image
 * whose data was moved; an emulator that is killed right then must not take the only account of
 * that data with it. */
static bool
flush_target(const ImageMerge *merge, const LivePlace *place, GError **err)
{
    if (place)
        return block_flush(place->emulator,
                           merge->kind == BLOCK_COMMIT ? place->lower : place->upper, err);
    return merge->kind == BLOCK_COMMIT || storage_daemon_flush_top(merge->daemon, err);
}

static bool
allow_finalize(Job *job, const ImageMerge *merge, const LivePlace *place, guint number,
               GError **err)
{
    g_autoptr(Record) note = record_new();
    g_autofree char *key = g_strdup_printf("finalizing/%u", number);

    if (!flush_target(merge, place, err) || !job_fault(job, "finalize", err))
        return false;
    if (!place || place->above || merge->kind != BLOCK_COMMIT)
        return true;
    record_add(note, key, "yes");
    return job_note(job, note, err);
}

/* Drive the block job one turn; @place NULL: in the storage daemon. DONE: the graph has changed. */
static StepResult
drive(Job *job, ImageMerge *merge, Qmp *qmp, const LivePlace *place, guint number, GError **err)
{
    BlockJobProgress progress = {0};
    BlockJobState state;

    if (!block_job_drive(qmp, merge->job_id, job_is_cancelled(job) || merge->failure, &state,
                         &progress, err))
        return state == BLOCK_JOB_FAILED ? STEP_ABANDON : STEP_FAILED;
    job_set_progress(job, progress.done_bytes, progress.total_bytes);
    switch (state) {
    case BLOCK_JOB_PENDING:
        if (!allow_finalize(job, merge, place, number, err) ||
            !block_job_finalize(qmp, merge->job_id, err))
            return STEP_FAILED;
        return STEP_WAIT;
    case BLOCK_JOB_READY:
    case BLOCK_JOB_BUSY:
        return STEP_WAIT;
    case BLOCK_JOB_DONE:
        return STEP_DONE;
    case BLOCK_JOB_FAILED:
        return STEP_ABANDON;
    case BLOCK_JOB_ABSENT:
        break;
    }
    if (merge->kind == BLOCK_PULL && !is_backed_by(merge->upper, merge->upper_format, merge->lower))
        return STEP_DONE; /* a stream job dismisses itself */
    if (job_is_cancelled(job))
        fail(err, VIR_ERR_OPERATION_ABORTED,
             "the deletion was cancelled: delete the snapshot again to finish");
    else
        fail(err, VIR_ERR_OPERATION_FAILED, "disk %s: merging '%s' and '%s' failed", merge->target,
             merge->lower, merge->upper);
    return STEP_ABANDON;
}

/* ---- in the running guest ---- */

static void
on_emulator_event(Emulator *emulator, const char *event, const Json *data, gpointer job)
{
    if (!event || block_job_is_event(event))
        job_wake(job);
}

static void
stop_listening(Job *job, ImageMerge *merge, Emulator *emulator)
{
    if (merge->is_listening)
        emulator_remove_listener(emulator, on_emulator_event, job);
    merge->is_listening = false;
}

static bool
start_live(const ImageMerge *merge, const LivePlace *place, GError **err)
{
    g_autofree char *top = node_format_name(place->top);
    g_autofree char *upper = node_format_name(place->upper);
    g_autofree char *lower = node_format_name(place->lower);
    g_autofree char *below = place->below ? node_format_name(place->below) : NULL;
    BlockJobSpec spec = {.kind = merge->kind, .id = merge->job_id};

    if (merge->kind == BLOCK_COMMIT) {
        spec.device = top;
        spec.top = place->above ? upper : NULL;
        spec.base = lower;
        spec.backing = place->above ? merge->lower : NULL;
    } else {
        spec.device = upper;
        spec.base = below;
        spec.backing = below ? merge->below : NULL;
    }
    return block_job_start(place->emulator->qmp, &spec, err);
}

/* In the guest that a daemon before us left: has the graph changed already? */
static bool
is_done_live(const ImageMerge *merge, const LivePlace *place)
{
    bool is_top;

    if (merge->kind == BLOCK_PULL)
        return !is_backed_by(merge->upper, merge->upper_format, merge->lower);
    for (guint i = 0; place->above && i < merge->parents->len; i++) {
        if (g_str_equal(merge->parents->pdata[i], place->above))
            return is_backed_by(place->above, GPOINTER_TO_INT(merge->parent_formats->pdata[i]),
                                merge->lower);
    }
    if (place->above)
        return false;
    return block_is_top(place->emulator, place->lower, &is_top, NULL) && is_top;
}

/* The job that a daemon before us may have started, or a new one. */
static StepResult
begin_live(Job *job, ImageMerge *merge, const LivePlace *place, guint number, GError **err)
{
    BlockJobProgress progress;
    BlockJobState state;
    g_autofree char *id = make_id(job, merge, number);

    block_jobs_dismiss_streams(place->emulator->qmp);
    if (!block_job_drive(place->emulator->qmp, id, false, &state, &progress, err))
        return state == BLOCK_JOB_FAILED ? STEP_ABANDON : STEP_FAILED;
    if (state == BLOCK_JOB_DONE || (state == BLOCK_JOB_ABSENT && is_done_live(merge, place)))
        return STEP_DONE;
    if (state == BLOCK_JOB_FAILED)
        return STEP_ABANDON;
    emulator_add_listener(place->emulator, on_emulator_event, job);
    merge->is_listening = true;
    merge->job_id = g_steal_pointer(&id);
    if (state == BLOCK_JOB_ABSENT &&
        (!job_fault(job, "start", err) || !start_live(merge, place, err)))
        return STEP_FAILED;
    job_wake(job); /* an event may have come and gone before we listened */
    return STEP_WAIT;
}

static GError *
take_error(GError **err)
{
    GError *error = *err;

    *err = NULL;
    return error;
}

static StepResult
run_live(Job *job, ImageMerge *merge, LivePlace *place, guint number, GError **err)
{
    Guest *guest = job_context(job);
    g_autoptr(GError) why = NULL;
    guint gone = merge->kind == BLOCK_COMMIT ? place->upper : place->lower;
    StepResult result = merge->job_id ? drive(job, merge, place->emulator->qmp, place, number, err)
                                      : begin_live(job, merge, place, number, err);

    if (result == STEP_WAIT)
        return result;
    if (result == STEP_FAILED && merge->job_id && !merge->failure) {
        /* No block job may be left behind: on the way back it is cancelled. */
        merge->failure = take_error(err);
        job_wake(job);
        return STEP_WAIT;
    }
    if (merge->failure) {
        g_clear_error(err);
        g_propagate_error(err, g_steal_pointer(&merge->failure));
        result = STEP_ABANDON;
    }
    stop_listening(job, merge, place->emulator);
    g_clear_pointer(&merge->job_id, g_free);
    if (result != STEP_DONE)
        return STEP_ABANDON; /* nothing is half done; deleting again does the rest */
    result = finish(job, merge, number, err);
    if (result == STEP_DONE && guest->emulator && !block_remove_nodes(guest->emulator, gone, &why))
        log_warning(LOG_QEMU, "%s: disk %s: a block node is left over: %s", guest->name,
                    merge->target, why->message);
    return result;
}

/* ---- in a storage daemon ---- */

static void
on_daemon_event(const char *event, void *job)
{
    if (!event || block_job_is_event(event))
        job_wake(job);
}

static bool
spawn_daemon(Job *job, ImageMerge *merge, GError **err)
{
    g_autoptr(ImageChain) chain = image_chain_read(merge->upper, merge->upper_format, NULL, err);
    g_autoptr(Record) note = record_new();
    g_autofree char *process = NULL;

    if (!chain)
        return false;
    merge->daemon = storage_daemon_spawn(job_context(job), chain, on_daemon_event, job, err);
    if (!merge->daemon)
        return false;
    process = process_id_format(storage_daemon_process(merge->daemon));
    record_add(note, "daemon", process);
    return job_note(job, note, err) && job_fault(job, "spawned", err) &&
           storage_daemon_run(merge->daemon, err);
}

static StepResult
begin_offline(Job *job, ImageMerge *merge, guint number, GError **err)
{
    BlockJobSpec spec = {.kind = merge->kind, .device = "f0"};

    if (was_exchanged(job, merge, number) ||
        (merge->kind == BLOCK_PULL &&
         !is_backed_by(merge->upper, merge->upper_format, merge->lower)))
        return STEP_DONE;
    if (!spawn_daemon(job, merge, err))
        return STEP_FAILED;
    merge->job_id = make_id(job, merge, number);
    spec.id = merge->job_id;
    if (merge->kind == BLOCK_COMMIT) {
        spec.base = "f1";
    } else if (merge->below) {
        spec.base = "f2";
        spec.backing = merge->below;
    }
    if (!job_fault(job, "start", err) ||
        !block_job_start(storage_daemon_qmp(merge->daemon), &spec, err))
        return STEP_FAILED;
    job_wake(job);
    return STEP_WAIT;
}

static StepResult
run_offline(Job *job, ImageMerge *merge, guint number, GError **err)
{
    StepResult result =
        merge->job_id ? drive(job, merge, storage_daemon_qmp(merge->daemon), NULL, number, err)
                      : begin_offline(job, merge, number, err);

    if (result == STEP_WAIT)
        return result;
    g_clear_pointer(&merge->daemon, storage_daemon_free);
    g_clear_pointer(&merge->job_id, g_free);
    return result == STEP_DONE ? finish(job, merge, number, err) : STEP_ABANDON;
}

bool
snapshot_merge_end_daemon(Job *job, GError **err)
{
    const Record *note = job_find_note(job, "daemon");
    ProcessId process;
    bool is_known = note && process_id_parse(record_get(note, "daemon"), &process);

    return storage_daemon_end(job_context(job), is_known ? &process : NULL, err);
}

StepResult
snapshot_merge_run(Job *job, ImageMerge *merge, guint number, GError **err)
{
    Guest *guest = job_context(job);
    g_autofree char *key = g_strdup_printf("merged/%u", number);
    LivePlace place;
    bool is_live = find_live(guest, merge, &place);
    StepResult result;

    if (job_find_note(job, key)) {
        if (job_is_recovered(job))
            drop_gone_nodes(guest, merge);
        return STEP_DONE;
    }
    if (!merge->job_id && (is_complete(guest, merge) || (!is_live && has_moved(guest, merge)))) {
        result = finish(job, merge, number, err);
        if (result == STEP_DONE)
            drop_gone_nodes(guest, merge);
        return result;
    }
    if (merge->job_id && !merge->daemon && !is_live) {
        /* The guest ended with its block job. */
        g_clear_pointer(&merge->job_id, g_free);
        merge->is_listening = false;
    }
    if (merge->daemon || !is_live)
        return run_offline(job, merge, number, err);
    return run_live(job, merge, &place, number, err);
}
