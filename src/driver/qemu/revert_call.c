/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that revert, and their dry run. Plans: revert.c. Work: revert_job.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/plan_report.h"
#include "driver/qemu/revert.h"
#include "object/params.h"

#define REVERT_FLAGS                                                          \
    (VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING | VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED | \
     VIR_DOMAIN_SNAPSHOT_REVERT_FORCE | VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM)
#define IMAGE_PREFIX "image."
#define KEEP "keep"
#define KEEP_MAX_S (10 * 365 * 24 * 3600)
#define KEEP_MEMORY "keep.memory"

static bool
check_flags(guint flags, GError **err)
{
    return flags_check(flags, REVERT_FLAGS, "qemuSnapshotRevert", err) &&
           flags_exclude(flags, VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING, "SNAPSHOT_REVERT_RUNNING",
                         VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED, "SNAPSHOT_REVERT_PAUSED",
                         VIR_FROM_DOMAIN_SNAPSHOT, err);
}

void
revert_options_clear(RevertOptions *options)
{
    g_clear_pointer(&options->images, g_hash_table_unref);
}

static bool
add_image(RevertOptions *options, const RemoteTypedParam *param, GError **err)
{
    const char *target = param->field + strlen(IMAGE_PREFIX);

    if (param->value.type != VIR_TYPED_PARAM_STRING)
        return fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' must be a string", param->field);
    if (!options->images)
        options->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!g_hash_table_insert(options->images, g_strdup(target), g_strdup(param->value.u.s)))
        return fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' is given twice", param->field);
    return true;
}

bool
revert_options_read(RevertOptions *options, const RemoteTypedParam *params, guint32 count,
                    guint flags, GError **err)
{
    unsigned long long keep_s = 0;
    bool keeps_memory = true;

    options->flags = flags;
    for (guint32 i = 0; i < count; i++) {
        const char *field = params[i].field;

        if (g_str_has_prefix(field, IMAGE_PREFIX)) {
            if (!add_image(options, &params[i], err))
                return false;
        } else if (!g_str_equal(field, KEEP) && !g_str_equal(field, KEEP_MEMORY)) {
            return fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' is not known to a revert", field);
        }
    }
    if (params_get_ullong(params, count, KEEP, &keep_s, err) < 0 ||
        params_get_boolean(params, count, KEEP_MEMORY, &keeps_memory, err) < 0)
        return false;
    if (keep_s > KEEP_MAX_S)
        return fail(err, VIR_ERR_INVALID_ARG, "'%s' is at most %d seconds, not %llu", KEEP,
                    KEEP_MAX_S, keep_s);
    options->keep_s = keep_s;
    options->keeps_memory = keeps_memory;
    return true;
}

static bool
revert(Call *call, const RemoteNonnullDomainSnapshot *which, const RevertOptions *options,
       GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &which->dom, err);
    RevertPlan *plan = guest ? revert_plan_make(guest, which->name, options, err) : NULL;

    if (!plan)
        return false;
    for (guint i = 0; i < plan->staying->len; i++)
        log_warning(LOG_QEMU,
                    "%s: '%s' is not used any more and kept: it was not made by this daemon",
                    guest->name, (char *)plan->staying->pdata[i]);
    return guest_run_job(guest, job_new(&revert_kind, guest->name, plan, guest), call, NULL, err);
}

static bool
revert_to_snapshot(Call *call, const RemoteDomainRevertToSnapshotArgs *args, GError **err)
{
    RevertOptions options = {.flags = args->flags};

    return check_flags(args->flags, err) && revert(call, &args->snap, &options, err);
}

static bool
snapshot_revert(Call *call, const ManifoldSnapshotRevertArgs *args, GError **err)
{
    g_auto(RevertOptions) options = {0};

    return check_flags(args->flags, err) &&
           revert_options_read(&options, args->params.items, args->params.count, args->flags,
                               err) &&
           revert(call, &args->snap, &options, err);
}

/* ---- the dry run ---- */

static const char *
describe_way(const Guest *guest, const RevertPlan *plan, const char **meanwhile)
{
    if (!guest_is_running(guest)) {
        *meanwhile = "it is off";
        return "offline";
    }
    if (plan->to == REVERT_TO_OFF) {
        *meanwhile = "it runs on while the new images are made, then ends";
        return "live";
    }
    if (plan->stop_first) {
        *meanwhile = "it runs on while the new images are made, then ends; the new QEMU starts "
                     "after that";
        return "stop-first";
    }
    *meanwhile = "it runs on until the new QEMU stands ready, loaded and paused";
    return "staged";
}

void
revert_plan_report(Json *step, const Guest *guest, const RevertPlan *plan)
{
    static const char *const after[] = {"off", "paused", "running"};
    const char *meanwhile, *way = describe_way(guest, plan, &meanwhile);

    plan_report_way(step, way, plan->stop_first);
    plan_report_guest(step, guest, meanwhile, after[plan->to]);
    plan_report_overlays(step, plan->overlays);
    for (guint i = 0; i < plan->going->len; i++)
        plan_report_remove(step, ((const DoomedImage *)plan->going->pdata[i])->path);
    for (guint i = 0; i < plan->staying->len; i++)
        plan_report_keep(step, plan->staying->pdata[i], "it was not made by this daemon");
    if (plan->nvram_from)
        plan_report_note(step, plan->kept_text
                                   ? "the firmware's variables become those of the snapshot; "
                                     "those of now are not kept"
                                   : "the firmware's variables become those of the snapshot");
    if (plan->memory_path)
        plan_report_copies(step, allocated_bytes(plan->memory_path));
    if (plan->kept_text)
        plan_report_note(step, plan->kept_memory
                                   ? "the state that is left is kept, with its memory: the guest "
                                     "is paused while that is saved"
                                   : "the state that is left is kept, without memory");
    if (plan->kept_memory) {
        plan_report_make(step, "memory that is kept", plan->kept_memory->path, NULL);
        plan_report_copies(step, (guint64)guest_domain(guest)->memory.text * 1024);
    }
    if (plan->drop_managed_save)
        plan_report_note(step, "the saved state of the guest is discarded");
}

static bool
snapshot_plan_revert(Call *call, const ManifoldSnapshotPlanRevertArgs *args,
                     ManifoldSnapshotPlanRevertRet *ret, GError **err)
{
    g_auto(RevertOptions) options = {0};
    g_autoptr(Guest) guest = NULL;
    g_autoptr(RevertPlan) plan = NULL;
    g_autoptr(Json) report = NULL;

    if (!check_flags(args->flags, err) ||
        !revert_options_read(&options, args->params.items, args->params.count, args->flags, err))
        return false;
    guest = guest_of_call(call, &args->snap.dom, err);
    plan = guest ? revert_plan_make(guest, args->snap.name, &options, err) : NULL;
    if (!plan)
        return false;
    report = plan_report_new(guest);
    revert_plan_report(plan_report_add(report, "revert", args->snap.name), guest, plan);
    ret->plan = plan_report_finish(g_steal_pointer(&report));
    return true;
}

void
revert_slots(DriverSlots *slots)
{
    slots->domain_revert_to_snapshot = revert_to_snapshot;
    slots->manifold_snapshot_revert = snapshot_revert;
    slots->manifold_snapshot_plan_revert = snapshot_plan_revert;
}
