/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undefining a domain: everything that was kept for it goes, and its definition last. A job whose
 * first step is COMMIT, so that a crash leaves either all of it or nothing. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/save.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/snapshot.h"

typedef struct {
    char *save_path, *nvram_path; /* NULL: not there, or it stays */
} UndefinePlan;

static void
free_plan(void *data)
{
    UndefinePlan *plan = data;

    g_free(plan->save_path);
    g_free(plan->nvram_path);
    g_free(plan);
}

static void
save_plan(const void *data, Record *record)
{
    const UndefinePlan *plan = data;

    record_add(record, "managed-save", plan->save_path);
    record_add(record, "nvram", plan->nvram_path);
}

static void *
load_plan(const Record *record, GError **err)
{
    UndefinePlan *plan = g_new0(UndefinePlan, 1);

    plan->save_path = g_strdup(record_get(record, "managed-save"));
    plan->nvram_path = g_strdup(record_get(record, "nvram"));
    return plan;
}

/* ---- steps ---- */

/* While it runs it lives on as a transient guest, with its snapshots. */
static StepResult
remove_files(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const UndefinePlan *plan = job_plan(job);

    if (!guest_is_running(guest))
        kept_discard(guest);
    if (!guest_is_running(guest) &&
        (!snapshots_forget_all(guest, err) || !checkpoints_forget_all(guest, err) ||
         !job_fault(job, "records", err) || !image_records_forget(guest->qemu, guest->uuid, err)))
        return STEP_FAILED;
    if ((plan->save_path && !file_remove(plan->save_path, err)) ||
        (plan->nvram_path && !file_remove(plan->nvram_path, err)) ||
        !job_fault(job, "definition", err) || !store_remove(guest->qemu->configs, guest->name, err))
        return STEP_FAILED;
    return STEP_DONE;
}

static StepResult
forget(Job *job, GError **err)
{
    Guest *guest = job_context(job);

    guest->has_managed_save = guest->is_persistent = guest->is_autostart = guest->is_updated =
        false;
    guest_set_config(guest, NULL);
    log_info(LOG_QEMU, "%s: undefined", guest->name);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
    return STEP_DONE; /* a transient domain that is off goes when its job ends */
}

static const JobStep steps[] = {
    {"commit", .barrier = true},
    {"remove", .run = remove_files},
    {"forget", .run = forget},
    {0},
};

const JobKind undefine_kind = {
    .name = "undefine",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};

/* ---- the call: all refusals come before anything is removed ---- */

static bool
check_snapshots(const Guest *guest, guint flags, GError **err)
{
    guint snapshots = snapshots_count(guest);
    guint checkpoints = checkpoint_tree_size(guest->checkpoints);

    if (guest_is_running(guest))
        return true;
    if (snapshots && !(flags & VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA))
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "cannot delete inactive domain with %u snapshots", snapshots);
    return !checkpoints || flags & VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA ||
           fail(err, VIR_ERR_OPERATION_INVALID, "cannot delete inactive domain with %u checkpoints",
                checkpoints);
}

static bool
plan_managed_save(const Guest *guest, guint flags, UndefinePlan *plan, GError **err)
{
    g_autofree char *path = managed_save_path(guest);

    if (!file_exists(path))
        return true;
    if (!(flags & VIR_DOMAIN_UNDEFINE_MANAGED_SAVE))
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "Refusing to undefine while domain managed save image exists");
    plan->save_path = g_steal_pointer(&path);
    return true;
}

static bool
plan_nvram(const Guest *guest, guint flags, UndefinePlan *plan, GError **err)
{
    const OsNvram *nvram = guest_config(guest)->os.nvram;
    const char *path = nvram ? (nvram->text ? nvram->text : nvram->source.file) : NULL;

    if (!path || !file_exists(path) || flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
        return true;
    if (!(flags & VIR_DOMAIN_UNDEFINE_NVRAM))
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot undefine domain with nvram");
    plan->nvram_path = g_strdup(path);
    return true;
}

static bool
undefine(Call *call, const RemoteNonnullDomain *dom, guint flags, GError **err)
{
    enum {
        KNOWN = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                VIR_DOMAIN_UNDEFINE_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM |
                VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_TPM |
                VIR_DOMAIN_UNDEFINE_KEEP_TPM,
    };
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);
    UndefinePlan *plan;

    if (!guest || !qemu_check_flags(call, flags, KNOWN, err))
        return false;
    if ((flags & VIR_DOMAIN_UNDEFINE_NVRAM && flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) ||
        (flags & VIR_DOMAIN_UNDEFINE_TPM && flags & VIR_DOMAIN_UNDEFINE_KEEP_TPM))
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "cannot both keep and delete NVRAM or TPM state");
    if (!guest->is_persistent)
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot undefine transient domain");
    if (!guest_require_idle(guest, err) || !check_snapshots(guest, flags, err))
        return false;
    plan = g_new0(UndefinePlan, 1);
    if (!plan_managed_save(guest, flags, plan, err) || !plan_nvram(guest, flags, plan, err)) {
        free_plan(plan);
        return false;
    }
    return guest_run_job(guest, job_new(&undefine_kind, guest->name, plan, guest), call, NULL, err);
}

static bool
domain_undefine(Call *call, const RemoteDomainUndefineArgs *args, GError **err)
{
    return undefine(call, &args->dom, 0, err);
}

static bool
domain_undefine_flags(Call *call, const RemoteDomainUndefineFlagsArgs *args, GError **err)
{
    return undefine(call, &args->dom, args->flags, err);
}

void
undefine_slots(DriverSlots *slots)
{
    slots->domain_undefine = domain_undefine;
    slots->domain_undefine_flags = domain_undefine_flags;
}
