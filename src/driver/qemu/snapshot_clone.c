/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new domain out of a snapshot of another one: its disks are overlays on the images that the
 * snapshot keeps, and it has its own name, UUID, MAC addresses and generation id. What is planned on
 * the strand of the one is carried out, as a job like a revert (revert_job.c), on the strand of the
 * other; the images below are held by the new domain from the moment at which it is known. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/qemu/accept.h"
#include "driver/qemu/define.h"
#include "driver/qemu/events.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/plan_report.h"
#include "driver/qemu/revert_planner.h"

#define CLONE_MEMORY 0x10
#define CLONE_FLAGS \
    (VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING | VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED | CLONE_MEMORY)

/* ---- what memory knows ---- */

/* What a guest's memory remembers of its hardware, and a second guest cannot have. g_free. */
static char *
find_unique(const Domain *machine)
{
    if (machine->n_interfaces > 0) {
        char mac[MAC_TEXT];

        mac_format(machine->interfaces[0]->mac.address, mac);
        return g_strdup_printf("the address of its network device %s", mac);
    }
    if (machine->n_hostdevs > 0)
        return g_strdup("a device of the host");
    if (machine->n_tpms > 0)
        return g_strdup("its TPM");
    if (machine->n_filesystems > 0)
        return g_strdup("a folder shared with the host");
    if (machine->vsock)
        return g_strdup("its vsock address");
    if (machine->n_shmems + machine->n_redirdevs + machine->n_smartcards > 0)
        return g_strdup("a device that exists once");
    return NULL;
}

static bool
check_memory(const DomainSnapshot *snapshot, GError **err)
{
    g_autofree char *unique = NULL;

    if (!snapshot->memory.file)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "snapshot '%s' has no memory: leave MEMORY out, and the clone boots",
                    snapshot->name);
    unique = find_unique(snapshot->domain);
    return !unique || fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                           "the memory of snapshot '%s' knows %s, which a second guest cannot "
                           "have: leave MEMORY out, and the clone boots",
                           snapshot->name, unique);
}

/* ---- the new machine ---- */

static void
renew_uuid(Domain *machine, const guchar uuid[16])
{
    char text[UUID_TEXT];

    memcpy(machine->uuid, uuid, sizeof(machine->uuid));
    machine->has_uuid = true;
    uuid_format(uuid, text);
    /* The firmware's tables say it, too, and must say the same. */
    for (gsize i = 0; i < machine->n_sysinfos; i++) {
        const Sysinfo *info = machine->sysinfos[i];

        for (gsize k = 0; k < info->n_system_entries; k++) {
            SysinfoEntry *entry = info->system_entries[k];

            if (g_strcmp0(entry->name, "uuid") != 0)
                continue;
            g_free(entry->text);
            entry->text = g_strdup(text);
        }
    }
}

/* What must not exist twice; the network devices keep their maker's prefix. */
static void
renew_identity(Domain *machine, const char *name, const guchar uuid[16], GHashTable *macs)
{
    g_free(machine->name);
    machine->name = g_strdup(name);
    renew_uuid(machine, uuid);
    if (machine->genid) {
        uuid_generate(machine->genid->text);
        machine->genid->has_text = true;
    }
    for (gsize i = 0; i < machine->n_interfaces; i++) {
        Interface *net = machine->interfaces[i];
        char old[MAC_TEXT];
        guchar *mac;

        mac_format(net->mac.address, old);
        mac = g_hash_table_lookup(macs, old);
        if (!mac) {
            mac = g_malloc(sizeof(net->mac.address));
            mac_generate(net->mac.address, mac);
            g_hash_table_insert(macs, g_strdup(old), mac);
        }
        memcpy(net->mac.address, mac, sizeof(net->mac.address));
        net->mac.has_address = true;
        g_clear_pointer(&net->target_dev, g_free);
    }
    /* Made anew from its template at the first start. */
    g_clear_pointer(&machine->os.nvram, os_nvram_free);
}

/* The machines of the plan, under the new identity; the one of the next start is returned. */
static Domain *
plan_machines(RevertPlanner *planner, GError **err)
{
    const DomainSnapshot *snapshot = planner->snapshot;
    const Domain *next = snapshot->inactive_domain ? snapshot->inactive_domain : snapshot->domain;
    RevertPlan *plan = planner->plan;
    bool has_memory = planner->options->flags & CLONE_MEMORY;
    g_autoptr(GHashTable) macs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(Domain) config = NULL;
    g_autoptr(Domain) live = NULL;
    guchar uuid[16];

    if (!revert_plan_overlays(planner, has_memory ? snapshot->domain : next, err) ||
        !revert_plan_overlays(planner, next, err) || !revert_check_given_images(planner, err))
        return NULL;
    if (has_memory &&
        (!check_memory(snapshot, err) || !revert_plan_memory(plan, snapshot->memory.file, err)))
        return NULL;
    uuid_generate(uuid);
    config = revert_machine_on_overlays(plan, next);
    renew_identity(config, planner->clone_name, uuid, macs);
    plan->config_xml = domain_format(config, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
    if (plan->to != REVERT_TO_OFF) {
        live = revert_machine_on_overlays(plan, has_memory ? snapshot->domain : next);
        renew_identity(live, planner->clone_name, uuid, macs);
        if (live->genid && config->genid)
            memcpy(live->genid->text, config->genid->text, sizeof(live->genid->text));
        plan->live_xml = domain_format(live, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
    }
    return g_steal_pointer(&config);
}

static RevertTo
wanted_state(const DomainSnapshot *snapshot, guint flags)
{
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING)
        return REVERT_TO_RUNNING;
    if (flags & VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)
        return REVERT_TO_PAUSED;
    if (!(flags & CLONE_MEMORY))
        return REVERT_TO_OFF;
    return snapshot->state == SNAPSHOT_STATE_PAUSED ? REVERT_TO_PAUSED : REVERT_TO_RUNNING;
}

static RevertPlan *
make_plan(Guest *source, const DomainSnapshot *snapshot, const char *name,
          const RevertOptions *options, Domain **machine, GError **err)
{
    g_autoptr(RevertPlan) plan = g_new0(RevertPlan, 1);
    g_autoptr(ImageRecords) records = image_records_load(source->qemu, source->uuid, err);
    g_autoptr(ImageGraph) graph = NULL;
    RevertPlanner planner = {.guest = source,
                             .snapshot = snapshot,
                             .options = options,
                             .clone_name = name,
                             .records = records,
                             .plan = plan};

    if (!records)
        return NULL;
    planner.graph = graph = snapshot_holders(source->qemu, NULL);
    plan->name = g_strdup_printf("snapshot %s of domain %s", snapshot->name, source->name);
    plan->is_clone = true;
    plan->to = wanted_state(snapshot, options->flags);
    plan->overlays = new_overlays_new();
    plan->going = doomed_images_new();
    plan->staying = g_ptr_array_new_with_free_func(g_free);
    *machine = plan_machines(&planner, err);
    return *machine ? g_steal_pointer(&plan) : NULL;
}

/* An image that the source goes on writing to can be nobody's base. */
static bool
check_written(const Guest *source, const RevertPlan *plan, GError **err)
{
    const Domain *present[] = {guest_live(source), guest_config(source)};

    for (guint k = 0; k < G_N_ELEMENTS(present); k++) {
        for (gsize i = 0; present[k] && i < present[k]->n_disks; i++) {
            const Disk *disk = present[k]->disks[i];
            const char *path = disk_source_path(disk->type, &disk->source);

            if (path && disk_is_kept(disk) && new_overlays_find_base(plan->overlays, path))
                return fail(err, VIR_ERR_OPERATION_INVALID,
                            "disk %s: domain %s goes on writing to '%s', which the snapshot left "
                            "out: take a snapshot with this disk first",
                            disk->target.dev, source->name, path);
        }
    }
    return true;
}

static RevertPlan *
plan_of_call(Guest *source, const char *snapshot_name, const char *name,
             const RevertOptions *options, Domain **machine, GError **err)
{
    const DomainSnapshot *snapshot;
    g_autoptr(RevertPlan) plan = NULL;
    GuestView *other;

    if (!source || !guest_require_idle(source, err))
        return NULL;
    snapshot = snapshot_tree_require(source->snapshots, snapshot_name, err);
    if (snapshot && snapshot_has_inside(snapshot))
        return fail_null(
            err, VIR_ERR_OPERATION_UNSUPPORTED,
            "snapshot '%s' is inside its images: only external snapshots can be cloned",
            snapshot->name);
    if (!snapshot || !revert_check_snapshot(snapshot, err) ||
        !store_check_name(source->qemu->configs, name, err))
        return NULL;
    other = guest_view_read(registry_lookup_name(source->qemu->guests, name));
    if (other) {
        view_unref(other);
        return fail_null(err, VIR_ERR_DOM_EXIST, "domain '%s' exists already", name);
    }
    plan = make_plan(source, snapshot, name, options, machine, err);
    return plan && check_written(source, plan, err) ? g_steal_pointer(&plan) : NULL;
}

static bool
check_flags(const RevertOptions *options, GError **err)
{
    if (options->keep_s)
        return fail(err, VIR_ERR_INVALID_ARG, "parameter 'keep' is not known to a clone");
    return flags_check(options->flags, CLONE_FLAGS, "manifoldSnapshotClone", err) &&
           flags_exclude(options->flags, VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING,
                         "SNAPSHOT_CLONE_RUNNING", VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED,
                         "SNAPSHOT_CLONE_PAUSED", VIR_FROM_DOMAIN_SNAPSHOT, err);
}

/* ---- calls ---- */

/* The new domain is known with the images that it will lie on, so that nobody removes them before
 * its own are there. */
static Guest *
announce(const Guest *source, const DomainSnapshot *snapshot, const Domain *machine, GError **err)
{
    g_autoptr(Domain) first = domain_copy(snapshot->domain);

    g_free(first->name);
    first->name = g_strdup(machine->name);
    memcpy(first->uuid, machine->uuid, sizeof(first->uuid));
    return guest_for_transient(source->qemu, first, err);
}

typedef struct {
    Call *call;
    Guest *guest;
    RevertPlan *plan; /* taken */
    GError **err;
    bool done;
} Cloning;

static bool
answer_clone(Call *call, Job *job)
{
    ManifoldSnapshotCloneRet *ret = call->ret;

    guest_fill_wire(job_context(job), &ret->dom);
    return true;
}

static void
run_clone(void *data)
{
    Cloning *cloning = data;
    Guest *guest = cloning->guest;
    Job *job = job_new(&clone_kind, guest->name, g_steal_pointer(&cloning->plan), guest);

    cloning->done = guest_run_job(guest, job, cloning->call, answer_clone, cloning->err);
    if (!cloning->done)
        guest_withdraw(guest);
}

static bool
snapshot_clone(Call *call, const ManifoldSnapshotCloneArgs *args, ManifoldSnapshotCloneRet *ret,
               GError **err)
{
    g_auto(RevertOptions) options = {0};
    g_autoptr(Guest) source = NULL;
    g_autoptr(Guest) guest = NULL;
    g_autoptr(Domain) machine = NULL;
    g_autoptr(RevertPlan) plan = NULL;
    Cloning cloning = {.call = call, .err = err};

    if (!revert_options_read(&options, args->params.items, args->params.count, args->flags, err) ||
        !check_flags(&options, err))
        return false;
    source = guest_of_call(call, &args->snap.dom, err);
    plan = plan_of_call(source, args->snap.name, args->name, &options, &machine, err);
    if (!plan || !qemu_accept_domain(machine, err))
        return false;
    guest = announce(source, snapshot_tree_find(source->snapshots, args->snap.name), machine, err);
    if (!guest)
        return false;
    cloning.guest = guest;
    cloning.plan = g_steal_pointer(&plan);
    guest_run_on_strand(guest, run_clone, &cloning);
    return cloning.done;
}

static void
note_shared(Json *step, const Domain *machine)
{
    if (machine->os.loader.text)
        plan_report_note(step, "the variables of its firmware start from the template");
    if (machine->n_tpms > 0)
        plan_report_note(step, "its TPM starts empty");
    if (machine->n_hostdevs > 0)
        plan_report_note(step, "both guests name the same device of the host: only one can run");
    for (gsize i = 0; i < machine->n_graphics; i++) {
        if (machine->graphics[i]->autoport != TRISTATE_YES && machine->graphics[i]->port > 0)
            plan_report_note(step, "both guests have the same display port: only one can run");
    }
}

static bool
snapshot_plan_clone(Call *call, const ManifoldSnapshotPlanCloneArgs *args,
                    ManifoldSnapshotPlanCloneRet *ret, GError **err)
{
    g_auto(RevertOptions) options = {0};
    g_autoptr(Guest) source = NULL;
    g_autoptr(Domain) machine = NULL;
    g_autoptr(RevertPlan) plan = NULL;
    g_autoptr(Json) report = NULL;
    Json *step;

    if (!revert_options_read(&options, args->params.items, args->params.count, args->flags, err) ||
        !check_flags(&options, err))
        return false;
    source = guest_of_call(call, &args->snap.dom, err);
    plan = plan_of_call(source, args->snap.name, args->name, &options, &machine, err);
    if (!plan)
        return false;
    report = plan_report_new(source);
    step = plan_report_add(report, "clone", args->snap.name);
    revert_plan_report(step, source, plan);
    plan_report_way(step, "new", NULL);
    plan_report_guest(step, source, "nothing happens to it", NULL);
    json_object_set_new(step, "clone", json_string(args->name));
    note_shared(step, machine);
    ret->plan = plan_report_finish(g_steal_pointer(&report));
    return true;
}

void
clone_slots(DriverSlots *slots)
{
    slots->manifold_snapshot_clone = snapshot_clone;
    slots->manifold_snapshot_plan_clone = snapshot_plan_clone;
}
