/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See plug.h. Whether a device is there is asked of the emulator: what it has plugged counts, what it has not is undone. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/plug.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/block.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/events.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/volume.h"

#define PATIENCE_MS 5000
#define NODES_MAX 200

typedef struct {
    char *target, *alias;
    char *nodes;      /* numbers of its block nodes, tops first: "7 6" */
    char *live_xml;   /* the machine that runs, afterwards */
    char *config_xml; /* definition of the next start; NULL: it stays */

    /* While it runs. */
    Json *blockdevs, *device;
    bool is_listening, has_ended, was_refused;
    gint is_pending; /* atomic: the loop's thread sets it */
    LoopTimer *timer;
} PlugPlan;

static void
free_plan(void *data)
{
    PlugPlan *plan = data;

    g_free(plan->target);
    g_free(plan->alias);
    g_free(plan->nodes);
    g_free(plan->live_xml);
    g_free(plan->config_xml);
    json_decref(plan->blockdevs);
    json_decref(plan->device);
    g_free(plan);
}

static void
save_plan(const void *data, Record *record)
{
    const PlugPlan *plan = data;

    record_add(record, "target", plan->target);
    record_add(record, "alias", plan->alias);
    record_add(record, "nodes", plan->nodes);
    record_add(record, "live", plan->live_xml);
    record_add(record, "config", plan->config_xml);
}

static void *
load_plan(const Record *record, GError **err)
{
    PlugPlan *plan = g_new0(PlugPlan, 1);

    plan->target = g_strdup(record_get(record, "target"));
    plan->alias = g_strdup(record_get(record, "alias"));
    plan->nodes = g_strdup(record_get(record, "nodes"));
    plan->live_xml = g_strdup(record_get(record, "live"));
    plan->config_xml = g_strdup(record_get(record, "config"));
    return plan;
}

/* ---- the emulator ---- */

static Emulator *
running_emulator(const Guest *guest)
{
    return guest->emulator && emulator_is_running(guest->emulator) ? guest->emulator : NULL;
}

static bool
has_device(Emulator *emulator, const char *alias, bool *has, GError **err)
{
    g_autoptr(Json) list =
        qmp_call(emulator->qmp, "qom-list", json_pack("{s:s}", "path", "/machine/peripheral"), err);
    gsize i;
    json_t *one;

    *has = false;
    json_array_foreach(list, i, one)
    {
        *has |= g_strcmp0(json_string_value(json_object_get(one, "name")), alias) == 0;
    }
    return list != NULL;
}

static bool
remove_nodes(Emulator *emulator, const char *nodes, GError **err)
{
    g_auto(GStrv) numbers = g_strsplit(nodes ? nodes : "", " ", NODES_MAX);

    for (int i = 0; numbers[i]; i++) {
        guint number = (guint)g_ascii_strtoull(numbers[i], NULL, 10);

        if (number && !block_remove_nodes(emulator, number, err))
            return false;
    }
    return true;
}

static char *
nodes_of(const Disk *disk)
{
    GString *text = g_string_new(NULL);

    if (disk->source.has_index)
        g_string_append_printf(text, "%u", disk->source.index);
    for (const BackingStore *layer = disk->backing_store;
         layer && layer->type != STORAGE_TYPE_UNSET && layer->has_index;
         layer = layer->backing_store)
        g_string_append_printf(text, " %u", layer->index);
    return g_string_free(text, FALSE);
}

/* ---- both jobs: what readers and files say ---- */

static bool
install_machines(Guest *guest, const PlugPlan *plan, bool with_live, GError **err)
{
    g_autoptr(Domain) live = NULL;
    g_autoptr(Domain) config = NULL;

    if (with_live) {
        live = domain_parse(plan->live_xml, MODEL_PARSE_STATUS, err);
        if (!live)
            return false;
        guest_set_live(guest, g_steal_pointer(&live));
    }
    if (plan->config_xml && guest->is_persistent) {
        config = domain_parse(plan->config_xml, MODEL_PARSE_INACTIVE, err);
        if (!config)
            return false;
        guest_set_config(guest, g_steal_pointer(&config));
    }
    return true;
}

static bool
write_machines(Job *job, Guest *guest, const PlugPlan *plan, GError **err)
{
    return (!guest_live(guest) || guest_save_status(guest, err)) && job_fault(job, "config", err) &&
           (!plan->config_xml || !guest->is_persistent || guest_save_config(guest, err)) &&
           guest_publish(guest, err);
}

/* ---- attach ---- */

static StepResult
plug(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    PlugPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);
    gsize i;
    json_t *node;

    if (!emulator)
        return fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name),
               STEP_FAILED;
    json_array_foreach(plan->blockdevs, i, node)
    {
        if (!qmp_run(emulator->qmp, "blockdev-add", json_incref(node), err))
            return STEP_FAILED;
    }
    if (!job_fault(job, "device", err) ||
        !qmp_run(emulator->qmp, "device_add", json_incref(plan->device), err) ||
        !job_fault(job, "answered", err))
        return STEP_FAILED;
    return STEP_DONE;
}

static bool
take_back(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const PlugPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);

    return !emulator || remove_nodes(emulator, plan->nodes, err);
}

static StepResult
install_plugged(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const PlugPlan *plan = job_plan(job);

    if (!install_machines(guest, plan, running_emulator(guest), err) ||
        !write_machines(job, guest, plan, err))
        return STEP_FAILED;
    log_info(LOG_QEMU, "%s: disk %s is plugged", guest->name, plan->target);
    if (running_emulator(guest))
        guest_emit_device_added(guest, plan->alias);
    return STEP_DONE;
}

static JobDirection
decide_plugged(Job *job, GError **err)
{
    const PlugPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(job_context(job));
    bool has = false;

    if (emulator && !has_device(emulator, plan->alias, &has, err))
        return JOB_LATER;
    return has ? JOB_FORWARD : JOB_BACK;
}

static const JobStep attach_steps[] = {
    {"plug", .run = plug, .undo = take_back},
    {"commit", .barrier = true},
    {"install", .run = install_plugged},
    {0},
};

const JobKind attach_kind = {
    .name = "attach-disk",
    .steps = attach_steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
    .decide = decide_plugged,
};

/* ---- planning ---- */

static const Disk *
disk_only_in(const Domain *with, const Domain *without)
{
    for (gsize i = 0; i < with->n_disks; i++) {
        if (!domain_find_disk(without, with->disks[i]->target.dev))
            return with->disks[i];
    }
    return NULL;
}

static char *
live_text(const Domain *live)
{
    return domain_format(live, MODEL_FORMAT_STATUS | MODEL_FORMAT_SECURE);
}

static char *
config_text(Domain *take_config)
{
    g_autoptr(Domain) config = take_config;

    return config ? domain_format(config, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE) : NULL;
}

static bool
check_can_plug(const Disk *disk, GError **err)
{
    if (disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY) {
        if (disk->target.bus != DISK_BUS_SCSI && disk->target.bus != DISK_BUS_USB)
            return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                        "cdrom/floppy device hotplug isn't supported");
        return true;
    }
    if (disk->target.bus == DISK_BUS_VIRTIO || disk->target.bus == DISK_BUS_SCSI ||
        disk->target.bus == DISK_BUS_USB)
        return true;
    return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "disk bus '%s' cannot be hotplugged.",
                disk_bus_to_string(disk->target.bus));
}

/* The words that a command line for the disk would have, as monitor commands. */
static bool
plan_commands(Guest *guest, PlugPlan *plan, const Domain *live, const Disk *disk, GError **err)
{
    g_autoptr(EmulatorInfo) info = capabilities_emulator(guest->qemu, live->emulator, err);
    g_autoptr(CommandLine) line = info ? command_line_new(guest->qemu, info, live) : NULL;

    if (!line || !command_add_disk(line, disk, err))
        return false;
    plan->blockdevs = json_array();
    for (guint i = 0; i + 1 < line->argv->len; i += 2) {
        Json *words = json_loads(line->argv->pdata[i + 1], 0, NULL);

        if (g_str_equal(line->argv->pdata[i], "-blockdev"))
            json_array_append_new(plan->blockdevs, words);
        else if (g_str_equal(line->argv->pdata[i], "-device") && !plan->device)
            plan->device = words;
        else
            json_decref(words);
    }
    /* Places of <os><boot> are given at the start. */
    if (!disk->info.boot)
        json_object_del(plan->device, "bootindex");
    return plan->device != NULL;
}

static bool
make_ready(Guest *guest, Domain *live, Disk *disk, GError **err)
{
    domain_assign_aliases(live);
    if (!check_can_plug(disk, err) || !disk_resolve_volume(guest->qemu, disk, err) ||
        !disk_read_chain(disk, err))
        return false;
    disk_number_nodes(guest, disk);
    disk_name_device(disk);
    return true;
}

/* The controller that the disk is on. */
static bool
is_on(const Disk *disk, const Controller *controller)
{
    const DeviceAddress *address = &disk->info.address;

    switch (address->kind) {
    case ADDRESS_TYPE_PCI:
        return controller->type == CONTROLLER_TYPE_PCI && controller->index == address->pci->bus;
    case ADDRESS_TYPE_DRIVE:
        return controller->type == CONTROLLER_TYPE_SCSI &&
               controller->index == address->drive->controller;
    default:
        return false;
    }
}

/* Filling in the machine has added what the next start would have, such as a spare port. A running one has what it has. */
static bool
drop_new_controllers(Domain *live, const Domain *before, const Disk *disk, GError **err)
{
    gsize kept = 0;

    for (gsize i = 0; i < live->n_controllers; i++) {
        const Controller *controller = live->controllers[i];

        if (!domain_find_controller(before, controller->type, controller->index) &&
            is_on(disk, controller))
            return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                        "disk %s needs a %s controller %u, which the running domain does not have: "
                        "choose another bus, or shut it down first",
                        disk->target.dev, controller_type_to_string(controller->type),
                        controller->index);
    }
    for (gsize i = 0; i < live->n_controllers; i++) {
        Controller *controller = live->controllers[i];

        if (domain_find_controller(before, controller->type, controller->index))
            live->controllers[kept++] = controller;
        else
            controller_free(controller);
    }
    live->n_controllers = kept;
    return true;
}

bool
plug_attach(Call *call, Guest *guest, const char *xml, Domain *take_config, GError **err)
{
    g_autoptr(Domain) config = take_config;
    g_autoptr(Domain) live = domain_copy(guest_live(guest));
    PlugPlan *plan;
    Disk *disk;
    bool ok;

    if (!guest_require_idle(guest, err) ||
        !domain_attach_device(live, xml, qemu_fill_host(guest->qemu), err))
        return false;
    disk = (Disk *)disk_only_in(live, guest_live(guest));
    if (!disk)
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "attach a device other than a disk to a running guest: use "
                    "VIR_DOMAIN_AFFECT_CONFIG");
    if (!drop_new_controllers(live, guest_live(guest), disk, err))
        return false;
    if (!make_ready(guest, live, disk, err))
        return false;
    plan = g_new0(PlugPlan, 1);
    plan->target = g_strdup(disk->target.dev);
    plan->alias = g_strdup(disk->info.alias_name);
    plan->nodes = nodes_of(disk);
    plan->live_xml = live_text(live);
    plan->config_xml = config_text(g_steal_pointer(&config));
    ok = plan_commands(guest, plan, live, disk, err);
    if (!ok) {
        free_plan(plan);
        return false;
    }
    return guest_run_job(guest, job_new(&attach_kind, guest->name, plan, guest), call, NULL, err);
}

/* ---- detach ---- */

static void
on_device_event(Emulator *emulator, const char *event, const Json *data, gpointer opaque)
{
    Job *job = opaque;
    PlugPlan *plan = job_plan(job);
    const char *device = json_string_value(json_object_get(data, "device"));

    if (event && g_strcmp0(device, plan->alias) != 0)
        return;
    if (!event || g_str_equal(event, "DEVICE_DELETED"))
        plan->has_ended = true;
    else if (g_str_equal(event, "DEVICE_UNPLUG_GUEST_ERROR"))
        plan->was_refused = true;
    else
        return;
    job_wake(job);
}

static void
patience_ends(void *data)
{
    Job *job = data;
    PlugPlan *plan = job_plan(job);

    g_atomic_int_set(&plan->is_pending, 1);
    job_wake(job);
}

static void
release_job(gpointer job)
{
    job_unref(job);
}

static void
stop_waiting(Job *job)
{
    Guest *guest = job_context(job);
    PlugPlan *plan = job_plan(job);

    if (plan->is_listening && guest->emulator)
        emulator_remove_listener(guest->emulator, on_device_event, job);
    plan->is_listening = false;
    if (plan->timer)
        loop_timer_stop(plan->timer);
    plan->timer = NULL;
}

static StepResult
ask(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    PlugPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);

    if (!emulator)
        return fail(err, VIR_ERR_OPERATION_FAILED, "domain %s ended meanwhile", guest->name),
               STEP_FAILED;
    if (!plan->is_listening) {
        emulator_add_listener(emulator, on_device_event, job);
        plan->is_listening = true;
        plan->timer = loop_timer_start(guest->qemu->host->loop, PATIENCE_MS, patience_ends,
                                       job_ref(job), release_job);
        return qmp_run(emulator->qmp, "device_del", json_pack("{s:s}", "id", plan->alias), err)
                   ? STEP_WAIT
                   : STEP_FAILED;
    }
    if (!plan->has_ended && !plan->was_refused && !g_atomic_int_get(&plan->is_pending))
        return STEP_WAIT;
    stop_waiting(job);
    if (plan->was_refused && !plan->has_ended)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "unplug of device was rejected by the guest: device %s", plan->alias),
               STEP_FAILED;
    return STEP_DONE;
}

static bool
stop_asking(Job *job, GError **err)
{
    stop_waiting(job);
    return true;
}

static StepResult
install_unplugged(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const PlugPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(guest);
    bool is_there = false;

    if (emulator && !has_device(emulator, plan->alias, &is_there, err))
        return STEP_FAILED;
    if (emulator && !is_there && !remove_nodes(emulator, plan->nodes, err))
        return STEP_FAILED;
    if (!install_machines(guest, plan, emulator && !is_there, err) ||
        !write_machines(job, guest, plan, err))
        return STEP_FAILED;
    if (is_there) {
        log_info(LOG_QEMU, "%s: the guest has yet to let go of disk %s", guest->name, plan->target);
    } else if (emulator) {
        log_info(LOG_QEMU, "%s: disk %s is unplugged", guest->name, plan->target);
        guest_emit_device_removed(guest, plan->alias);
    }
    return STEP_DONE;
}

static JobDirection
decide_unplugged(Job *job, GError **err)
{
    const PlugPlan *plan = job_plan(job);
    Emulator *emulator = running_emulator(job_context(job));
    bool has = false;

    if (emulator && !has_device(emulator, plan->alias, &has, err))
        return JOB_LATER;
    return emulator && !has ? JOB_FORWARD : JOB_BACK;
}

static const JobStep detach_steps[] = {
    {"ask", .run = ask, .undo = stop_asking},
    {"commit", .barrier = true},
    {"install", .run = install_unplugged},
    {0},
};

const JobKind detach_kind = {
    .name = "detach-disk",
    .steps = detach_steps,
    .save_plan = save_plan,
    .load_plan = load_plan,
    .free_plan = free_plan,
    .decide = decide_unplugged,
};

static void
drop_disk(Domain *machine, const char *target)
{
    for (gsize i = 0; i < machine->n_disks; i++) {
        if (g_strcmp0(machine->disks[i]->target.dev, target) != 0)
            continue;
        disk_free(machine->disks[i]);
        for (gsize k = i + 1; k < machine->n_disks; k++)
            machine->disks[k - 1] = machine->disks[k];
        machine->n_disks--;
        return;
    }
}

static const Disk *
find_by_alias(const Domain *machine, const char *alias)
{
    for (gsize i = 0; i < machine->n_disks; i++) {
        if (g_strcmp0(machine->disks[i]->info.alias_name, alias) == 0)
            return machine->disks[i];
    }
    return NULL;
}

/* The disk of the running guest that a call means. */
static const Disk *
find_detached(Guest *guest, const char *xml, const char *alias, GError **err)
{
    const Domain *live = guest_live(guest);
    g_autoptr(Domain) without = NULL;
    const Disk *disk;

    if (alias) {
        disk = find_by_alias(live, alias);
        return disk
                   ? disk
                   : fail_null(err, VIR_ERR_DEVICE_MISSING, "no device found with alias %s", alias);
    }
    without = domain_copy(live);
    if (!domain_detach_device(without, xml, qemu_fill_host(guest->qemu), err))
        return NULL;
    disk = disk_only_in(live, without);
    return disk ? disk
                : fail_null(err, VIR_ERR_NO_SUPPORT,
                            "detach a device other than a disk from a running guest: use "
                            "VIR_DOMAIN_AFFECT_CONFIG");
}

bool
plug_detach(Call *call, Guest *guest, const char *xml, const char *alias, Domain *take_config,
            GError **err)
{
    g_autoptr(Domain) config = take_config;
    g_autoptr(Domain) live = NULL;
    const Disk *disk;
    PlugPlan *plan;

    if (!guest_require_idle(guest, err))
        return false;
    disk = find_detached(guest, xml, alias, err);
    if (!disk || !check_can_plug(disk, err) || !disk_job_require_none(guest, disk->target.dev, err))
        return false;
    live = domain_copy(guest_live(guest));
    drop_disk(live, disk->target.dev);
    plan = g_new0(PlugPlan, 1);
    plan->target = g_strdup(disk->target.dev);
    plan->alias = g_strdup(disk->info.alias_name);
    plan->nodes = nodes_of(disk);
    plan->live_xml = live_text(live);
    plan->config_xml = config_text(g_steal_pointer(&config));
    return guest_run_job(guest, job_new(&detach_kind, guest->name, plan, guest), call, NULL, err);
}

void
plug_device_gone(Guest *guest, const char *alias)
{
    const Disk *disk = guest_live(guest) ? find_by_alias(guest_live(guest), alias) : NULL;
    g_autofree char *target = NULL;
    g_autofree char *nodes = NULL;
    g_autoptr(GError) why = NULL;
    Domain *live;

    /* A detach that waits for it does all this itself; so does an attach that goes back. */
    if (!disk || guest->job)
        return;
    target = g_strdup(disk->target.dev);
    nodes = nodes_of(disk);
    if (!remove_nodes(guest->emulator, nodes, &why))
        log_warning(LOG_QEMU, "%s: disk %s: %s", guest->name, target, why->message);
    live = domain_copy(guest_live(guest));
    drop_disk(live, target);
    guest_set_live(guest, live);
    guest_changed(guest);
    log_info(LOG_QEMU, "%s: disk %s is unplugged", guest->name, target);
    guest_emit_device_removed(guest, alias);
}

/* ---- media ---- */

static bool
tray(Emulator *emulator, const char *command, const char *alias, Json *take_more, GError **err)
{
    json_object_set_new(take_more, "id", json_string(alias));
    return qmp_run(emulator->qmp, command, take_more, err);
}

static bool
swap_medium(Emulator *emulator, const PlugPlan *plan, const Disk *old, const Disk *new,
            bool is_forced, GError **err)
{
    const char *alias = old->info.alias_name;
    g_autofree char *old_nodes = nodes_of(old);
    g_autofree char *node = node_format_name(new->source.index);
    gsize i;
    json_t *blockdev;

    json_array_foreach(plan->blockdevs, i, blockdev)
    {
        if (!qmp_run(emulator->qmp, "blockdev-add", json_incref(blockdev), err))
            return false;
    }
    if (!tray(emulator, "blockdev-open-tray", alias, json_pack("{s:b}", "force", is_forced), err) ||
        !tray(emulator, "blockdev-remove-medium", alias, json_object(), err))
        return false;
    if (json_array_size(plan->blockdevs) > 0 &&
        (!tray(emulator, "blockdev-insert-medium", alias, json_pack("{s:s}", "node-name", node),
               err) ||
         !tray(emulator, "blockdev-close-tray", alias, json_object(), err)))
        return false;
    return remove_nodes(emulator, old_nodes, err);
}

/* The drive that @live, changed, has another medium in. */
static Disk *
find_drive(Guest *guest, Domain *live, const char *xml, GError **err)
{
    g_autoptr(Domain) without = domain_copy(live);
    const Disk *disk;

    if (!domain_detach_device(without, xml, qemu_fill_host(guest->qemu), err))
        return NULL;
    disk = disk_only_in(live, without);
    if (!disk || (disk->device != DISK_DEVICE_CDROM && disk->device != DISK_DEVICE_FLOPPY))
        return fail_null(err, VIR_ERR_OPERATION_UNSUPPORTED,
                         "only the media of cdrom and floppy drives of a running guest can be "
                         "changed");
    return domain_find_disk(live, disk->target.dev);
}

static bool
install_medium(Guest *guest, Domain *take_live, Domain *take_config, GError **err)
{
    guest_set_live(guest, take_live);
    guest_changed(guest);
    return !take_config || guest_change_config(guest, take_config, err);
}

bool
plug_change_media(Call *call, Guest *guest, const char *xml, Domain *take_config, bool is_forced,
                  GError **err)
{
    g_autoptr(Domain) config = take_config;
    g_autoptr(Domain) live = domain_copy(guest_live(guest));
    PlugPlan *plan;
    const Disk *old;
    Disk *disk;
    bool ok;

    if (!guest_require_idle(guest, err) ||
        !domain_update_device(live, xml, qemu_fill_host(guest->qemu), err))
        return false;
    disk = find_drive(guest, live, xml, err);
    old = disk ? domain_find_disk(guest_live(guest), disk->target.dev) : NULL;
    if (!old)
        return false;
    if (old->device != disk->device || old->target.bus != disk->target.bus)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "disk %s: its kind and bus cannot change while the guest runs",
                    disk->target.dev);
    g_free(disk->info.alias_name);
    disk->info.alias_name = g_strdup(old->info.alias_name);
    if (!disk_resolve_volume(guest->qemu, disk, err) || !disk_read_chain(disk, err))
        return false;
    disk_number_nodes(guest, disk);
    disk_name_device(disk);
    plan = g_new0(PlugPlan, 1);
    ok = plan_commands(guest, plan, live, disk, err) &&
         swap_medium(guest->emulator, plan, old, disk, is_forced, err);
    if (!ok) {
        g_autofree char *nodes = nodes_of(disk);

        remove_nodes(guest->emulator, nodes, NULL);
    }
    free_plan(plan);
    return ok && install_medium(guest, g_steal_pointer(&live), g_steal_pointer(&config), err);
}
