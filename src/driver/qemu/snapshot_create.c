/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking a snapshot: everything is checked and decided here, before anything is done. The work:
 * snapshot_create_job.c. Metadata that a client brings (REDEFINE): snapshot_redefine.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/disk_job.h"
#include "driver/qemu/snapshot_create.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/plan_report.h"
#include "driver/qemu/snapshot_define.h"
#include "driver/qemu/snapshot_redefine.h"
#include "driver/qemu/snapshot_store.h"
#include "driver/qemu/volume.h"

#define CREATE_FLAGS                                                               \
    (VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT |    \
     VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA | VIR_DOMAIN_SNAPSHOT_CREATE_HALT |    \
     VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT | \
     VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC |      \
     VIR_DOMAIN_SNAPSHOT_CREATE_LIVE | VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE)

static bool
check_flags(guint flags, GError **err)
{
    return flags_check(flags, CREATE_FLAGS, "qemuSnapshotCreateXML", err) &&
           flags_exclude(flags, VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE, "SNAPSHOT_CREATE_REDEFINE",
                         VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA, "SNAPSHOT_CREATE_NO_METADATA",
                         VIR_FROM_DOMAIN_SNAPSHOT, err) &&
           flags_require(flags, VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE, "SNAPSHOT_CREATE_QUIESCE",
                         VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY, "SNAPSHOT_CREATE_DISK_ONLY",
                         VIR_FROM_QEMU, err) &&
           flags_exclude(flags, VIR_DOMAIN_SNAPSHOT_CREATE_LIVE, "SNAPSHOT_CREATE_LIVE",
                         VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE, "SNAPSHOT_CREATE_REDEFINE",
                         VIR_FROM_QEMU, err) &&
           flags_require(flags, VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT, "SNAPSHOT_CREATE_CURRENT",
                         VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE, "SNAPSHOT_CREATE_REDEFINE",
                         VIR_FROM_DOMAIN_SNAPSHOT, err);
}

/* What this guest, in this state, cannot have. */
static bool
check_guest(Guest *guest, const DomainSnapshot *snapshot, guint flags, GError **err)
{
    if (guest->state == VIR_DOMAIN_PMSUSPENDED)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "qemu doesn't support taking snapshots of PMSUSPENDED guests");
    if (flags & VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "the guest's file systems cannot be frozen: its agent is not used yet; leave "
                    "out QUIESCE");
    if (flags & VIR_DOMAIN_SNAPSHOT_CREATE_LIVE)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    snapshot->memory.file
                        ? "memory is saved with the guest paused; leave out LIVE"
                        : "live snapshot creation is supported only during full system snapshots");
    if ((flags & VIR_DOMAIN_SNAPSHOT_CREATE_HALT) && !guest->is_persistent)
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot halt after transient domain snapshot");
    if (snapshot->memory.snapshot == DISK_SNAPSHOT_MODE_EXTERNAL && !guest_is_running(guest))
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "memory state cannot be saved with offline or disk-only snapshot");
    if (snapshot_tree_find(guest->snapshots, snapshot->name) &&
        !(flags & VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA))
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain %s already has a snapshot named %s",
                    guest->name, snapshot->name);
    return true;
}

Domain *
machine_recorded_copy(const Domain *machine, const Domain *config)
{
    Domain *copy = domain_copy_inactive(machine);

    for (gsize i = 0; i < copy->n_disks; i++) {
        Disk *disk = copy->disks[i];
        const Disk *own =
            config && disk->target.dev ? domain_find_disk(config, disk->target.dev) : NULL;

        if (!own || !own->backing_store)
            g_clear_pointer(&disk->backing_store, backing_store_free);
    }
    return copy;
}

/* The machine as it is now, for later: what runs, and what the next start would use. */
static void
record_machine(const Guest *guest, DomainSnapshot *snapshot)
{
    snapshot->domain = machine_recorded_copy(guest_domain(guest), guest_config(guest));
    if (guest_is_running(guest) && guest_config(guest))
        snapshot->inactive_domain = machine_recorded_copy(guest_config(guest), guest_config(guest));
    snapshot->parent_name = g_strdup(snapshot_tree_current(guest->snapshots));
}

/* Memory goes where the disks go, unless the request says otherwise. */
static void
record_state(const Guest *guest, DomainSnapshot *snapshot, bool is_disk_only)
{
    DiskSnapshotMode *memory = &snapshot->memory.snapshot;

    if (!guest_is_running(guest) || is_disk_only)
        *memory = DISK_SNAPSHOT_MODE_NO;
    else if (*memory != DISK_SNAPSHOT_MODE_EXTERNAL)
        *memory = DISK_SNAPSHOT_MODE_INTERNAL;
    if (!guest_is_running(guest))
        snapshot->state = SNAPSHOT_STATE_SHUTOFF;
    else if (*memory == DISK_SNAPSHOT_MODE_NO)
        snapshot->state = SNAPSHOT_STATE_DISK_SNAPSHOT;
    else
        snapshot->state =
            guest->state == VIR_DOMAIN_RUNNING ? SNAPSHOT_STATE_RUNNING : SNAPSHOT_STATE_PAUSED;
}

/* ---- inside the images ---- */

static bool
plan_inside_disk(Guest *guest, CreatePlan *plan, const SnapshotDisk *entry, const Disk *disk,
                 GError **err)
{
    g_auto(InternalTag) tag = {0};
    InternalDisk *inside;

    if (disk->driver.type != STORAGE_FORMAT_QCOW2)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "internal snapshot for disk %s unsupported for storage type %s", entry->name,
                    image_format_to_string(disk_image_format(disk)));
    if (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: snapshots of %s disks are not supported", entry->name,
                    storage_type_to_string(disk->type));
    if (disk->encryption || disk->source.encryption)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: snapshots of encrypted images are not supported", entry->name);
    if (!disk_job_require_none(guest, entry->name, err))
        return false;
    inside = internal_disks_add(plan->inside, disk);
    inside->has_memory = plan->is_live && plan->inside->len == 1;
    if (!internal_find(inside, plan->name, &tag, err))
        return false;
    if (tag.id)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "disk %s: image '%s' already has a snapshot '%s' inside, which domain %s does "
                    "not know: take another name, or remove it (qemu-img snapshot -d)",
                    entry->name, inside->path, plan->name, guest->name);
    return true;
}

/* Of a machine that is kept inside its images nothing may be left out. */
static bool
plan_inside(Guest *guest, CreatePlan *plan, const DomainSnapshot *snapshot, GError **err)
{
    const Domain *machine = guest_domain(guest);
    bool has_external = snapshot->memory.file, has_left_out = false, has_inside = false;

    for (gsize i = 0; i < snapshot->n_disks; i++) {
        DiskSnapshotMode mode = snapshot->disks[i]->snapshot;

        has_inside |= mode == DISK_SNAPSHOT_MODE_INTERNAL;
        has_external |= mode == DISK_SNAPSHOT_MODE_EXTERNAL;
        has_left_out |= mode == DISK_SNAPSHOT_MODE_NO && disk_is_kept(machine->disks[i]);
    }
    if (!has_inside)
        return true;
    if (plan->is_live && snapshot->memory.snapshot == DISK_SNAPSHOT_MODE_NO)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "active qemu domains require external disk snapshots");
    if (has_external)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "mixing internal and external targets for a snapshot is not yet supported");
    if (has_left_out)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "internal snapshots and full system snapshots require all disks to be selected "
                    "for snapshot");
    if (machine->os.nvram)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "internal snapshots of a VM with pflash based firmware are not supported");
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        if (snapshot->disks[i]->snapshot == DISK_SNAPSHOT_MODE_INTERNAL &&
            !plan_inside_disk(guest, plan, snapshot->disks[i], machine->disks[i], err))
            return false;
    }
    plan->was_running = plan->is_live && guest->state == VIR_DOMAIN_RUNNING;
    return true;
}

/* ---- overlays ---- */

static bool
check_new_file(const SnapshotDisk *entry, bool is_reused, GError **err)
{
    bool exists = file_exists(entry->source.file);

    if (is_reused && !exists)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "missing existing file for disk %s: %s",
                    entry->name, entry->source.file);
    if (!is_reused && exists)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "external snapshot file for disk %s already exists: %s", entry->name,
                    entry->source.file);
    return true;
}

static bool
check_disk(const SnapshotDisk *entry, const Disk *disk, GError **err)
{
    if (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: snapshots of %s disks are not supported", entry->name,
                    storage_type_to_string(disk->type));
    if (entry->type != STORAGE_TYPE_FILE)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: the new image must be a file, not %s", entry->name,
                    storage_type_to_string(entry->type));
    if (disk->device == DISK_DEVICE_LUN)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "disk %s: a 'lun' device cannot have an image above it", entry->name);
    if (disk->encryption || disk->source.encryption)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: snapshots of encrypted images are not supported", entry->name);
    if (entry->driver.type && entry->driver.type != STORAGE_FORMAT_QCOW2 &&
        entry->driver.type != STORAGE_FORMAT_QED)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "external snapshot format for disk %s is unsupported: %s", entry->name,
                    storage_format_to_string(entry->driver.type));
    return true;
}

static bool
plan_overlay(Guest *guest, CreatePlan *plan, SnapshotDisk *entry, const Disk *disk, bool is_reused,
             GError **err)
{
    const char *path = disk_source_path(disk->type, &disk->source);
    g_autoptr(NewOverlay) overlay = NULL;

    if (!check_disk(entry, disk, err) || !disk_job_require_none(guest, entry->name, err) ||
        !check_new_file(entry, is_reused, err))
        return false;
    overlay = new_overlay_plan(entry->name, path, disk_image_format(disk), entry->source.file, err);
    if (!overlay)
        return false;
    if (!entry->driver.type)
        entry->driver.type = STORAGE_FORMAT_QCOW2;
    overlay->format = image_format_from_string(storage_format_to_string(entry->driver.type));
    if (overlay->format != IMAGE_FORMAT_QCOW2)
        overlay->cluster_bits = 0;
    overlay->is_reused = is_reused;
    if (plan->is_live) {
        if (!disk->source.has_index)
            return fail(err, VIR_ERR_INTERNAL_ERROR, "disk %s has no block node", entry->name);
        overlay->base_node = disk->source.index;
        overlay->node = guest_next_node(guest);
    }
    g_ptr_array_add(plan->overlays, g_steal_pointer(&overlay));
    return true;
}

static bool
plan_overlays(Guest *guest, CreatePlan *plan, DomainSnapshot *snapshot, guint flags, GError **err)
{
    const Domain *machine = guest_domain(guest);

    plan->overlays = new_overlays_new();
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        SnapshotDisk *entry = snapshot->disks[i];

        if (entry->snapshot == DISK_SNAPSHOT_MODE_EXTERNAL &&
            !plan_overlay(guest, plan, entry, machine->disks[i],
                          flags & VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT, err))
            return false;
    }
    if (plan->overlays->len + plan->inside->len == 0)
        return fail(
            err, VIR_ERR_CONFIG_UNSUPPORTED,
            snapshot->memory.file
                ? "a snapshot of memory without any disk would put old memory over new disks"
                : "nothing selected for snapshot");
    return true;
}

static bool
plan_memory(Guest *guest, CreatePlan *plan, const DomainSnapshot *snapshot, GError **err)
{
    if (!snapshot->memory.file)
        return true;
    if (file_exists(snapshot->memory.file))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "the file for the memory exists already: %s",
                    snapshot->memory.file);
    for (guint i = 0; i < plan->overlays->len; i++) {
        const NewOverlay *overlay = plan->overlays->pdata[i];
        if (g_str_equal(overlay->path, snapshot->memory.file))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "disk %s and the memory would both be '%s'", overlay->target,
                        overlay->path);
    }
    plan->memory = memory_save_new(guest, snapshot->memory.file);
    return true;
}

/* The firmware's variables belong to what can be gone back to as a whole; the disks of a running
 * guest alone are as after a power cut. */
static bool
plan_nvram(Guest *guest, CreatePlan *plan, const DomainSnapshot *snapshot, GError **err)
{
    const char *path = firmware_nvram_path(snapshot->domain);

    if (!path || !file_exists(path) || (plan->is_live && !plan->memory))
        return true;
    plan->nvram_from = g_strdup(path);
    plan->nvram_copy = firmware_copy_path(snapshot);
    if (file_exists(plan->nvram_copy))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "the file for the firmware's variables exists already: %s", plan->nvram_copy);
    return true;
}

/* ---- the plan ---- */

static CreatePlan *
make_plan(Guest *guest, DomainSnapshot *snapshot, guint flags, GError **err)
{
    g_autoptr(CreatePlan) plan = g_new0(CreatePlan, 1);
    bool is_disk_only = flags & VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY;
    bool is_external = is_disk_only || snapshot->memory.file;
    DiskSnapshotMode mode = is_external ? DISK_SNAPSHOT_MODE_EXTERNAL : DISK_SNAPSHOT_MODE_INTERNAL;

    plan->name = g_strdup(snapshot->name);
    plan->is_live = guest_is_running(guest);
    plan->must_halt = plan->is_live && (flags & VIR_DOMAIN_SNAPSHOT_CREATE_HALT);
    if (!snapshot_name_check(snapshot->name, err) ||
        !snapshot_align_disks(snapshot, guest_domain(guest), mode, !is_external, err) ||
        !snapshot_name_images(snapshot, guest_domain(guest), err))
        return NULL;
    record_machine(guest, snapshot);
    record_state(guest, snapshot, is_disk_only);
    plan->inside = internal_disks_new();
    if (!plan_inside(guest, plan, snapshot, err) ||
        !plan_overlays(guest, plan, snapshot, flags, err) ||
        !plan_memory(guest, plan, snapshot, err))
        return NULL;
    if (!(flags & VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA) &&
        !plan_nvram(guest, plan, snapshot, err))
        return NULL;
    if (!(flags & VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA))
        plan->text = snapshot_file_text(snapshot, true);
    return g_steal_pointer(&plan);
}

static void
fill_answer(RemoteNonnullDomainSnapshot *out, const Guest *guest, const char *name)
{
    out->name = g_strdup(name);
    out->dom.name = g_strdup(guest->name);
    memcpy(out->dom.uuid, guest->uuid, sizeof(out->dom.uuid));
    out->dom.id = guest->emulator ? guest->emulator->id : -1;
}

static bool
answer_create(Call *call, Job *job)
{
    RemoteDomainSnapshotCreateXmlRet *ret = call->ret;
    const CreatePlan *plan = job_plan(job);

    fill_answer(&ret->snap, job_context(job), plan->name);
    return true;
}

/* The description that a call brings. */
static DomainSnapshot *
parse_request(const Guest *guest, const char *xml, guint flags, GError **err)
{
    if ((flags & VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE) &&
        !model_validate(&domain_snapshot_model, xml, err))
        return NULL;
    return snapshot_parse(xml, flags & VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE,
                          flags & VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY, err);
}

/* What is done, or would be. */
static CreatePlan *
plan_request(Guest *guest, DomainSnapshot *snapshot, guint flags, GError **err)
{
    if (!guest_require_idle(guest, err) || !check_guest(guest, snapshot, flags, err))
        return NULL;
    return make_plan(guest, snapshot, flags, err);
}

static bool
snapshot_create_xml(Call *call, const RemoteDomainSnapshotCreateXmlArgs *args,
                    RemoteDomainSnapshotCreateXmlRet *ret, GError **err)
{
    bool is_redefine = args->flags & VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE;
    g_autoptr(Guest) guest = NULL;
    g_autoptr(DomainSnapshot) snapshot = NULL;
    CreatePlan *plan;

    if (!check_flags(args->flags, err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    snapshot = guest ? parse_request(guest, args->xml_desc, args->flags, err) : NULL;
    if (!snapshot)
        return false;
    if (is_redefine) {
        if (!guest_require_idle(guest, err) ||
            !snapshot_redefine(guest, snapshot, args->flags, err))
            return false;
        fill_answer(&ret->snap, guest, snapshot->name);
        return true;
    }
    if (!guest_settle_volumes(guest, err))
        return false;
    plan = plan_request(guest, snapshot, args->flags, err);
    return plan && guest_run_job(guest, job_new(&snapshot_create_kind, guest->name, plan, guest),
                                 call, answer_create, err);
}

/* ---- the dry run ---- */

static char *
report_plan(const Guest *guest, const CreatePlan *plan)
{
    Json *report = plan_report_new(guest);
    Json *step = plan_report_add(report, "create", plan->text ? plan->name : NULL);
    const char *meanwhile = "it is off";

    if (plan->is_live)
        meanwhile = plan->memory || plan->inside->len > 0
                        ? "it is paused while its memory is saved and the disks switch"
                        : "it runs on; the disks switch in one transaction";
    plan_report_way(step, plan->is_live ? "live" : "offline", NULL);
    plan_report_guest(step, guest, meanwhile, plan->must_halt ? "off" : NULL);
    plan_report_overlays(step, plan->overlays);
    if (plan->nvram_copy)
        plan_report_make(step, "firmware's variables", plan->nvram_copy, plan->nvram_from);
    if (plan->memory) {
        plan_report_make(step, "memory", plan->memory->path, NULL);
        plan_report_copies(step, (guint64)guest_domain(guest)->memory.text * 1024);
        plan_report_note(step, "the memory's size is what the guest has at most: pages that it "
                               "never used are not written");
    }
    return plan_report_finish(report);
}

static bool
snapshot_plan_create(Call *call, const ManifoldSnapshotPlanCreateArgs *args,
                     ManifoldSnapshotPlanCreateRet *ret, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(DomainSnapshot) snapshot = NULL;
    g_autoptr(CreatePlan) plan = NULL;

    if (!check_flags(args->flags, err))
        return false;
    if (args->flags & VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "REDEFINE takes no snapshot and makes no image: there is nothing to plan");
    guest = guest_of_call(call, &args->dom, err);
    snapshot = guest ? parse_request(guest, args->xml_desc, args->flags, err) : NULL;
    plan = snapshot ? plan_request(guest, snapshot, args->flags, err) : NULL;
    if (!plan)
        return false;
    ret->plan = report_plan(guest, plan);
    return true;
}

void
snapshot_create_slots(DriverSlots *slots)
{
    slots->manifold_snapshot_plan_create = snapshot_plan_create;
    slots->domain_snapshot_create_xml = snapshot_create_xml;
}
