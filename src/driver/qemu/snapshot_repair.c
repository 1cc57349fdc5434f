/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that look whether a guest's snapshots and images agree (snapshot_verify.c), and repair
 * what can be repaired without losing data: a job that is stuck is tried again, a deletion that has
 * stopped goes on, files of ours that nobody needs go, records of files that are gone are dropped,
 * files of metadata are written as the daemon has them. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/snapshot_delete.h"
#include "driver/qemu/snapshot_store.h"
#include "driver/qemu/snapshot_verify.h"

static GPtrArray *
look(const Guest *guest)
{
    g_autoptr(View) view = registry_lookup_uuid(guest->qemu->guests, guest->uuid);

    return view ? snapshot_verify((GuestView *)view)
                : g_ptr_array_new_with_free_func((GDestroyNotify)verify_finding_free);
}

/* Is the mark "being deleted" ours? libvirt puts it on the parent of the snapshot that it deletes, whose
 * own state is whole: that one must not be deleted by us. */
static bool
is_our_deletion(const Guest *guest, const ImageRecords *records, const char *name)
{
    const DomainSnapshot *snapshot = snapshot_tree_find(guest->snapshots, name);

    for (gsize i = 0; snapshot && i < snapshot->n_disks; i++) {
        const SnapshotDisk *disk = snapshot->disks[i];

        if (disk->snapshot_delete_in_progress && disk->source.file &&
            (!records || !image_records_find(records, disk->source.file)))
            return false;
    }
    return snapshot != NULL;
}

/* What a repair does about it; NULL: nothing. */
static const char *
remedy_of(const Guest *guest, const ImageRecords *records, const VerifyFinding *finding)
{
    switch (finding->rule) {
    case VERIFY_JOURNAL:
        return guest->job ? "the job is tried again" : NULL;
    case VERIFY_DELETING:
        return is_our_deletion(guest, records, finding->object) ? "the deletion goes on" : NULL;
    case VERIFY_STRAY:
        return records && image_records_find(records, finding->path) ? "the file is removed" : NULL;
    case VERIFY_RECORD:
        return "its record is dropped";
    case VERIFY_METADATA:
        return snapshot_tree_find(guest->snapshots, finding->object) ? "the file is written anew"
                                                                     : NULL;
    default:
        return NULL;
    }
}

static char *
to_text(const Guest *guest, const GPtrArray *findings, guint repaired)
{
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, NULL);
    g_autoptr(Json) list = json_array();
    g_autoptr(Json) root = NULL;
    char *text, *copy;

    for (guint i = 0; i < findings->len; i++) {
        const VerifyFinding *finding = findings->pdata[i];
        const char *advice = finding->advice;

        if (finding->rule == VERIFY_DELETING && !is_our_deletion(guest, records, finding->object))
            advice = "another libvirt was deleting it or a child of it: delete the child whose "
                     "images lie on its own; if there is none, delete it again";
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s?}", "rule",
                                              verify_rule_to_string(finding->rule), "object",
                                              finding->object, "path", finding->path, "problem",
                                              finding->problem, "advice", advice, "repair",
                                              remedy_of(guest, records, finding)));
    }
    root = json_pack("{s:s, s:O, s:i, s:i}", "domain", guest->name, "findings", list, "open",
                     (int)findings->len, "repaired", (int)repaired);
    text = json_dumps(root, JSON_INDENT(2));
    copy = g_strdup(text);
    free(text);
    return copy;
}

static bool
snapshot_verify_call(Call *call, const ManifoldSnapshotVerifyArgs *args,
                     ManifoldSnapshotVerifyRet *ret, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(GPtrArray) findings = NULL;

    if (!flags_check(args->flags, 0, "manifoldSnapshotVerify", err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    if (!guest)
        return false;
    findings = look(guest);
    ret->findings = to_text(guest, findings, 0);
    return true;
}

/* ---- repair ---- */

static bool
write_metadata(const Guest *guest, const char *name, GError **err)
{
    const DomainSnapshot *snapshot = snapshot_tree_find(guest->snapshots, name);
    bool is_current = g_strcmp0(snapshot_tree_current(guest->snapshots), name) == 0;
    g_autofree char *text = snapshot ? snapshot_file_text(snapshot, is_current) : NULL;

    return !text || snapshot_store_write(guest->qemu, guest->name, name, text, err);
}

/* Into the plan, or at once where it is one write. */
static bool
plan_remedy(const Guest *guest, const ImageRecords *records, const VerifyFinding *finding,
            DeletePlan *plan, GError **err)
{
    const FileMark *mark;

    if (!remedy_of(guest, records, finding))
        return true;
    switch (finding->rule) {
    case VERIFY_DELETING:
        g_ptr_array_add(plan->next, g_strdup(finding->object));
        return true;
    case VERIFY_STRAY:
    case VERIFY_RECORD:
        mark = image_records_find(records, finding->path);
        if (mark)
            doomed_images_add(plan->doomed, finding->path, *mark);
        return true;
    case VERIFY_METADATA:
        return write_metadata(guest, finding->object, err);
    default:
        return true;
    }
}

static bool
answer_repair(Call *call, Job *job)
{
    const DeletePlan *plan = job_plan(job);
    Guest *guest = job_context(job);
    ManifoldSnapshotRepairRet *ret = call->ret;
    g_autoptr(GPtrArray) left = NULL;

    left = look(guest);
    ret->findings = to_text(guest, left, plan->found - MIN(plan->found, left->len));
    return true;
}

static bool
snapshot_repair(Call *call, const ManifoldSnapshotRepairArgs *args, ManifoldSnapshotRepairRet *ret,
                GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(GPtrArray) findings = NULL;
    g_autoptr(DeletePlan) plan = delete_plan_new();
    g_autoptr(ImageRecords) records = NULL;

    if (!flags_check(args->flags, 0, "manifoldSnapshotRepair", err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    if (!guest || !guest_require_idle(guest, err))
        return false;
    findings = look(guest);
    records = image_records_load(guest->qemu, guest->uuid, err);
    if (!records)
        return false;
    plan->found = findings->len;
    for (guint i = 0; i < findings->len; i++) {
        if (!plan_remedy(guest, records, findings->pdata[i], plan, err))
            return false;
    }
    if (plan->doomed->len + plan->next->len == 0) {
        g_autoptr(GPtrArray) left = look(guest);

        ret->findings = to_text(guest, left, plan->found - MIN(plan->found, left->len));
        return true;
    }
    log_info(LOG_QEMU, "%s: a repair removes %u files and finishes %u deletions", guest->name,
             plan->doomed->len, plan->next->len);
    return guest_run_job(guest,
                         job_new(&snapshot_delete_kind, guest->name, g_steal_pointer(&plan), guest),
                         call, answer_repair, err);
}

void
repair_slots(DriverSlots *slots)
{
    slots->manifold_snapshot_verify = snapshot_verify_call;
    slots->manifold_snapshot_repair = snapshot_repair;
}
