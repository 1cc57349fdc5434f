/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See save.h. The image: save_image.h. Writing it: memory_save.c. Starting from it has the steps of
 * a revert (revert_job.c) without snapshot and overlays. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/disk_job.h"
#include "driver/qemu/save.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/define.h"
#include "driver/qemu/events.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/memory_save.h"
#include "driver/qemu/revert.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/snapshot.h"
#include "object/params.h"

#define SAVE_FLAGS (VIR_DOMAIN_SAVE_BYPASS_CACHE | VIR_DOMAIN_SAVE_RUNNING | VIR_DOMAIN_SAVE_PAUSED)

char *
managed_save_path(const Guest *guest)
{
    return g_strdup_printf("%s/%s.save", guest->qemu->save_dir, guest->name);
}

/* ---- the job that saves ---- */

typedef struct {
    MemorySave *memory;
    bool is_managed;
} SavePlan;

static void
free_plan(void *data)
{
    SavePlan *plan = data;

    memory_save_free(plan->memory);
    g_free(plan);
}

static void
save_plan(const void *data, Record *record)
{
    const SavePlan *plan = data;

    memory_save_to_record(plan->memory, record);
    record_add_bool(record, "managed", plan->is_managed);
}

static void *
load_plan(const Record *record, GError **err)
{
    SavePlan *plan = g_new0(SavePlan, 1);

    plan->memory = memory_save_from_record(record);
    plan->is_managed = record_get_bool(record, "managed");
    if (plan->memory)
        return plan;
    free_plan(plan);
    return fail_null(err, VIR_ERR_INTERNAL_ERROR, "the plan of a save names no file");
}

static StepResult
write_memory(Job *job, GError **err)
{
    SavePlan *plan = job_plan(job);

    return memory_save_run(job, plan->memory, err);
}

static bool
drop_memory(Job *job, GError **err)
{
    SavePlan *plan = job_plan(job);

    return memory_save_undo(job, plan->memory, err);
}

static StepResult
install(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    SavePlan *plan = job_plan(job);

    if (!memory_save_publish(job, plan->memory, err))
        return STEP_FAILED;
    guest->has_managed_save |= plan->is_managed;
    return STEP_DONE;
}

static StepResult
end_guest(Job *job, GError **err)
{
    Guest *guest = job_context(job);

    guest_kill(guest, VIR_DOMAIN_SHUTOFF_SAVED);
    return STEP_DONE;
}

static const JobStep steps[] = {
    {"memory", .run = write_memory, .undo = drop_memory},
    {"commit", .barrier = true},
    {"install", .run = install},
    {"end", .run = end_guest},
    {0},
};

const JobKind save_kind = {
    .name = "save",
    .steps = steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
};

/* ---- calls that save ---- */

/* The definition that a client wants in the image instead of the guest's own. */
static bool
use_given_xml(Guest *guest, MemorySave *memory, const char *xml, GError **err)
{
    g_autoptr(Domain) given = guest_parse_xml(guest->qemu, xml, MODEL_PARSE_INACTIVE, err);
    g_autoptr(Domain) own = given ? domain_parse(memory->xml, MODEL_PARSE_INACTIVE, err) : NULL;

    if (!own || !domain_check_abi_stable(own, given, err))
        return false;
    g_free(memory->xml);
    memory->xml =
        domain_format(given, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE | MODEL_FORMAT_MIGRATABLE);
    return true;
}

static bool
begin_save(Call *call, Guest *guest, const char *path, const char *xml, guint flags,
           bool is_managed, GError **err)
{
    SavePlan *plan;
    Job *job;

    if (!flags_check(flags, SAVE_FLAGS,
                     is_managed ? "qemuDomainManagedSave" : "qemuDomainSaveFlags", err) ||
        !flags_exclude(flags, VIR_DOMAIN_SAVE_RUNNING, "SAVE_RUNNING", VIR_DOMAIN_SAVE_PAUSED,
                       "SAVE_PAUSED", VIR_FROM_DOMAIN, err) ||
        !guest_require_idle(guest, err) || !guest_require_running(guest, err) ||
        !disk_jobs_require_none(guest, err))
        return false;
    if (is_managed && !guest->is_persistent)
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot do managed save for transient domain");
    plan = g_new0(SavePlan, 1);
    plan->is_managed = is_managed;
    plan->memory = memory_save_new(guest, path);
    plan->memory->replaces = true;
    plan->memory->pause_reason = VIR_DOMAIN_PAUSED_SAVE;
    if (flags & (VIR_DOMAIN_SAVE_RUNNING | VIR_DOMAIN_SAVE_PAUSED))
        plan->memory->resumes = flags & VIR_DOMAIN_SAVE_RUNNING ? 1 : 0;
    job = job_new(&save_kind, guest->name, plan, guest);
    if (xml && !use_given_xml(guest, plan->memory, xml, err)) {
        job_unref(job);
        return false;
    }
    return guest_run_job(guest, job, call, NULL, err);
}

static bool
save_to(Call *call, const RemoteNonnullDomain *dom, const char *path, const char *xml, guint flags,
        GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);

    if (!guest)
        return false;
    if (!path || path[0] != '/')
        return fail(err, VIR_ERR_INVALID_ARG, "the path of a save image must be absolute: '%s'",
                    path ? path : "");
    return begin_save(call, guest, path, xml, flags, false, err);
}

static bool
domain_save(Call *call, const RemoteDomainSaveArgs *args, GError **err)
{
    return save_to(call, &args->dom, args->to, NULL, 0, err);
}

static bool
domain_save_flags(Call *call, const RemoteDomainSaveFlagsArgs *args, GError **err)
{
    return save_to(call, &args->dom, args->to, args->dxml, args->flags, err);
}

static const ParamRule image_params[] = {
    {VIR_DOMAIN_SAVE_PARAM_FILE, VIR_TYPED_PARAM_STRING},
    {VIR_DOMAIN_SAVE_PARAM_DXML, VIR_TYPED_PARAM_STRING},
    {NULL},
};

static bool
read_image_params(const RemoteTypedParam *items, guint32 count, const char **path, const char **xml,
                  GError **err)
{
    *path = *xml = NULL;
    return params_check(items, count, image_params, err) &&
           params_get_string(items, count, VIR_DOMAIN_SAVE_PARAM_FILE, path, err) >= 0 &&
           params_get_string(items, count, VIR_DOMAIN_SAVE_PARAM_DXML, xml, err) >= 0;
}

static bool
domain_managed_save(Call *call, const RemoteDomainManagedSaveArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autofree char *path = guest ? managed_save_path(guest) : NULL;

    return guest && begin_save(call, guest, path, NULL, args->flags, true, err);
}

static bool
domain_save_params(Call *call, const RemoteDomainSaveParamsArgs *args, GError **err)
{
    const char *path, *xml;

    if (!read_image_params(args->params.items, args->params.count, &path, &xml, err))
        return false;
    if (path)
        return save_to(call, &args->dom, path, xml, args->flags, err);
    else {
        g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
        g_autofree char *own = guest ? managed_save_path(guest) : NULL;

        return guest && begin_save(call, guest, own, xml, args->flags, true, err);
    }
}

static bool
domain_managed_save_remove(Call *call, const RemoteDomainManagedSaveRemoveArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autofree char *path = guest ? managed_save_path(guest) : NULL;

    if (!guest || !flags_check(args->flags, 0, "qemuDomainManagedSaveRemove", err) ||
        !guest_require_idle(guest, err) || !file_remove(path, err))
        return false;
    guest->has_managed_save = false;
    return guest_publish(guest, err);
}

/* ---- starting from an image ---- */

static RevertTo
wanted_state(const SaveImage *image, bool wants_running, bool wants_paused)
{
    if (wants_running || (!wants_paused && image->was_running))
        return REVERT_TO_RUNNING;
    return REVERT_TO_PAUSED;
}

static bool
begin_restore(Call *call, Guest *guest, const SaveImage *image, const Domain *machine,
              const char *path, RevertTo to, bool is_managed, JobAnswer answer, GError **err)
{
    RevertPlan *plan = g_new0(RevertPlan, 1);

    plan->is_restore = true;
    plan->name = g_strdup(is_managed ? "its saved state" : path);
    plan->overlays = new_overlays_new();
    plan->going = doomed_images_new();
    plan->live_xml = domain_format(machine, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
    plan->memory_path = g_strdup(path);
    plan->to = to;
    plan->saved_path = is_managed ? g_strdup(path) : NULL;
    return guest_run_job(guest, job_new(&restore_kind, guest->name, plan, guest), call, answer,
                         err);
}

static SaveImage *
open_image(const char *path, GError **err)
{
    g_autoptr(SaveImage) image = save_image_open(path, NULL, err);

    if (image && image->compression != SAVE_RAW)
        return fail_null(err, VIR_ERR_OPERATION_UNSUPPORTED, "save image '%s' is compressed", path);
    return g_steal_pointer(&image);
}

bool
managed_save_is_usable(Guest *guest)
{
    g_autofree char *path = managed_save_path(guest);
    g_autoptr(GError) err = NULL;
    g_autoptr(SaveImage) image = NULL;

    if (!file_exists(path))
        return false;
    image = save_image_open(path, NULL, &err);
    if (image || !save_image_is_partial(path))
        return true;
    log_warning(LOG_QEMU, "%s: its saved state was never finished and is removed: %s", guest->name,
                err->message);
    file_remove(path, NULL);
    guest->has_managed_save = false;
    return false;
}

static bool
answer_start(Call *call, Job *job)
{
    RemoteDomainCreateWithFlagsRet *ret = call->ret;

    if (ret)
        guest_fill_wire(job_context(job), &ret->dom);
    return true;
}

bool
managed_save_start(Call *call, Guest *guest, guint flags, GError **err)
{
    g_autofree char *path = managed_save_path(guest);
    g_autoptr(SaveImage) image = open_image(path, err);
    g_autoptr(Domain) machine =
        image ? guest_parse_xml(guest->qemu, image->xml, MODEL_PARSE_INACTIVE, err) : NULL;

    if (!machine) {
        g_prefix_error(err, "the saved state of domain %s (FORCE_BOOT discards it): ", guest->name);
        return false;
    }
    return begin_restore(call, guest, image, machine, path,
                         wanted_state(image, false, flags & VIR_DOMAIN_START_PAUSED), true,
                         answer_start, err);
}

typedef struct {
    Call *call;
    Guest *guest;
    const SaveImage *image;
    const Domain *machine;
    const char *path;
    RevertTo to;
    GError **err;
    bool done;
} Restore;

static void
run_restore(void *data)
{
    Restore *restore = data;
    Guest *guest = restore->guest;

    restore->done = guest_require_idle(guest, restore->err) &&
                    guest_require_off(guest, restore->err) &&
                    begin_restore(restore->call, guest, restore->image, restore->machine,
                                  restore->path, restore->to, false, NULL, restore->err);
    if (!restore->done && !guest->is_persistent && !guest->emulator && !guest->is_gone)
        guest_withdraw(guest);
    else if (!guest->is_persistent)
        guest_set_config(guest, NULL);
}

static bool
restore_from(Call *call, const char *path, const char *xml, guint flags, GError **err)
{
    g_autoptr(SaveImage) image = NULL;
    g_autoptr(Domain) machine = NULL;
    g_autoptr(Guest) guest = NULL;
    Restore restore = {.call = call, .path = path, .err = err};

    if (!flags_check(flags, SAVE_FLAGS, "qemuDomainRestoreInternal", err) ||
        !flags_exclude(flags, VIR_DOMAIN_SAVE_RUNNING, "SAVE_RUNNING", VIR_DOMAIN_SAVE_PAUSED,
                       "SAVE_PAUSED", VIR_FROM_DOMAIN, err))
        return false;
    image = open_image(path, err);
    machine = image ? guest_parse_xml(qemu_of_call(call), xml ? xml : image->xml,
                                      MODEL_PARSE_INACTIVE, err)
                    : NULL;
    guest = machine ? guest_for_transient(qemu_of_call(call), machine, err) : NULL;
    if (!guest)
        return false;
    restore.guest = guest;
    restore.image = image;
    restore.machine = machine;
    restore.to =
        wanted_state(image, flags & VIR_DOMAIN_SAVE_RUNNING, flags & VIR_DOMAIN_SAVE_PAUSED);
    guest_run_on_strand(guest, run_restore, &restore);
    return restore.done;
}

static bool
domain_restore(Call *call, const RemoteDomainRestoreArgs *args, GError **err)
{
    return restore_from(call, args->from, NULL, 0, err);
}

static bool
domain_restore_flags(Call *call, const RemoteDomainRestoreFlagsArgs *args, GError **err)
{
    return restore_from(call, args->from, args->dxml, args->flags, err);
}

static bool
domain_restore_params(Call *call, const RemoteDomainRestoreParamsArgs *args, GError **err)
{
    const char *path, *xml;

    if (!read_image_params(args->params.items, args->params.count, &path, &xml, err))
        return false;
    if (!path)
        return fail(err, VIR_ERR_INVALID_ARG, "missing path to restore from");
    return restore_from(call, path, xml, args->flags, err);
}

/* ---- looking into images ---- */

static char *
image_xml(QemuDriver *qemu, const char *path, guint flags, GError **err)
{
    g_autoptr(SaveImage) image = save_image_open(path, NULL, err);
    g_autoptr(Domain) machine = image ? domain_parse(image->xml, MODEL_PARSE_INACTIVE, err) : NULL;

    if (!machine)
        return NULL;
    return domain_format(machine,
                         MODEL_FORMAT_INACTIVE |
                             (flags & VIR_DOMAIN_SAVE_IMAGE_XML_SECURE ? MODEL_FORMAT_SECURE : 0));
}

static bool
edit_image(QemuDriver *qemu, const char *path, const char *xml, guint flags, GError **err)
{
    g_autoptr(SaveImage) image = save_image_open(path, NULL, err);
    g_autoptr(Domain) old = image ? domain_parse(image->xml, MODEL_PARSE_INACTIVE, err) : NULL;
    g_autoptr(Domain) machine = old ? guest_parse_xml(qemu, xml, MODEL_PARSE_INACTIVE, err) : NULL;
    g_autofree char *text = NULL;
    bool runs;

    if (!machine || !domain_check_abi_stable(old, machine, err))
        return false;
    text = domain_format(machine,
                         MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE | MODEL_FORMAT_MIGRATABLE);
    runs = flags & VIR_DOMAIN_SAVE_RUNNING ||
           (!(flags & VIR_DOMAIN_SAVE_PAUSED) && image->was_running);
    return save_image_edit(path, text, runs, err);
}

static bool
save_image_get_xml_desc(Call *call, const RemoteDomainSaveImageGetXmlDescArgs *args,
                        RemoteDomainSaveImageGetXmlDescRet *ret, GError **err)
{
    if (!flags_check(args->flags, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE, "qemuDomainSaveImageGetXMLDesc",
                     err))
        return false;
    ret->xml = image_xml(qemu_of_call(call), args->file, args->flags, err);
    return ret->xml != NULL;
}

static bool
save_image_define_xml(Call *call, const RemoteDomainSaveImageDefineXmlArgs *args, GError **err)
{
    return flags_check(args->flags, VIR_DOMAIN_SAVE_RUNNING | VIR_DOMAIN_SAVE_PAUSED,
                       "qemuDomainSaveImageDefineXML", err) &&
           edit_image(qemu_of_call(call), args->file, args->dxml, args->flags, err);
}

static bool
managed_save_get_xml_desc(Call *call, const RemoteDomainManagedSaveGetXmlDescArgs *args,
                          RemoteDomainManagedSaveGetXmlDescRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;
    g_autofree char *path = NULL;

    if (!flags_check(args->flags, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE,
                     "qemuDomainManagedSaveGetXMLDesc", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    path = managed_save_path(((GuestView *)view)->guest);
    if (!file_exists(path))
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain does not have managed save image");
    ret->xml = image_xml(qemu_of_call(call), path, args->flags, err);
    return ret->xml != NULL;
}

static bool
managed_save_define_xml(Call *call, const RemoteDomainManagedSaveDefineXmlArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autofree char *path = guest ? managed_save_path(guest) : NULL;

    if (!guest ||
        !flags_check(args->flags, VIR_DOMAIN_SAVE_RUNNING | VIR_DOMAIN_SAVE_PAUSED,
                     "qemuDomainManagedSaveDefineXML", err) ||
        !guest_require_idle(guest, err))
        return false;
    if (!file_exists(path))
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain does not have managed save image");
    return edit_image(guest->qemu, path, args->dxml, args->flags, err);
}

void
save_slots(DriverSlots *slots)
{
    slots->domain_save = domain_save;
    slots->domain_save_flags = domain_save_flags;
    slots->domain_save_params = domain_save_params;
    slots->domain_managed_save = domain_managed_save;
    slots->domain_managed_save_remove = domain_managed_save_remove;
    slots->domain_restore = domain_restore;
    slots->domain_restore_flags = domain_restore_flags;
    slots->domain_restore_params = domain_restore_params;
    slots->domain_save_image_get_xml_desc = save_image_get_xml_desc;
    slots->domain_save_image_define_xml = save_image_define_xml;
    slots->domain_managed_save_get_xml_desc = managed_save_get_xml_desc;
    slots->domain_managed_save_define_xml = managed_save_define_xml;
}
