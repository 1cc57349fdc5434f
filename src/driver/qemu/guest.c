/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest object: its definitions, its view, its place in the registry. See guest.h. What it does: lifecycle.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/checkpoint.h"
#include "driver/qemu/accept.h"
#include "driver/qemu/guest.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/snapshot_tree.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/status.h"

#define DEFINITION_BYTES_MAX (16 * 1024 * 1024)

/* A definition whose file is read when somebody asks for it. */
typedef struct {
    gsize is_read; /* for g_once_init_enter */
    char *path, *name;
    guchar uuid[16];
} MachineFile;

struct Machine {
    gatomicrefcount refs;
    Domain *domain;
    MachineFile *file; /* NULL: @domain was there from the beginning */
};

static Machine *
machine_new(Domain *take_domain)
{
    Machine *machine = take_domain ? g_new0(Machine, 1) : NULL;

    if (machine) {
        g_atomic_ref_count_init(&machine->refs);
        machine->domain = take_domain;
    }
    return machine;
}

Machine *
machine_ref(Machine *machine)
{
    if (machine)
        g_atomic_ref_count_inc(&machine->refs);
    return machine;
}

void
machine_unref(Machine *machine)
{
    if (!machine || !g_atomic_ref_count_dec(&machine->refs))
        return;
    domain_free(machine->domain);
    if (machine->file) {
        g_free(machine->file->path);
        g_free(machine->file->name);
        g_free(machine->file);
    }
    g_free(machine);
}

static Domain *
machine_file_parse(const MachineFile *file, GError **err)
{
    g_autofree char *xml = file_read(file->path, DEFINITION_BYTES_MAX, NULL, err);
    g_autoptr(Domain) domain = xml ? domain_parse(xml, MODEL_PARSE_INACTIVE, err) : NULL;

    if (!domain)
        return NULL;
    if (strcmp(domain->name, file->name) != 0 || !uuid_equal(domain->uuid, file->uuid))
        return fail_null(err, VIR_ERR_XML_ERROR, "it has two names or two uuids");
    return g_steal_pointer(&domain);
}

const Domain *
machine_domain(const Machine *machine)
{
    MachineFile *file = machine ? machine->file : NULL;

    if (file && g_once_init_enter(&file->is_read)) {
        g_autoptr(GError) err = NULL;

        ((Machine *)machine)->domain = machine_file_parse(file, &err);
        if (err)
            log_error(LOG_QEMU, "%s: not loaded, and left as it is: %s", file->path, err->message);
        g_once_init_leave(&file->is_read, 1);
    }
    return machine ? machine->domain : NULL;
}

Guest *
guest_new(QemuDriver *qemu, const guchar uuid[16], const char *name)
{
    Guest *guest = g_new0(Guest, 1);
    g_autofree char *strand_name = g_strconcat("domain ", name, NULL);

    g_atomic_ref_count_init(&guest->refs);
    guest->qemu = qemu;
    guest->strand = strand_new(qemu->host->pool, strand_name);
    guest->name = g_strdup(name);
    memcpy(guest->uuid, uuid, 16);
    guest->state = VIR_DOMAIN_SHUTOFF;
    guest->stop_reason = -1;
    guest->disk_jobs = g_ptr_array_new_with_free_func((GDestroyNotify)job_unref);
    guest->taints = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return guest;
}

Guest *
guest_ref(Guest *guest)
{
    g_atomic_ref_count_inc(&guest->refs);
    return guest;
}

void
guest_unref(Guest *guest)
{
    if (!guest || !g_atomic_ref_count_dec(&guest->refs))
        return;
    snapshot_tree_unref(guest->snapshots);
    kept_state_unref(guest->kept);
    job_summary_unref(guest->completed);
    checkpoint_tree_unref(guest->checkpoints);
    g_ptr_array_unref(guest->disk_jobs);
    if (guest->job)
        job_unref(guest->job);
    machine_unref(guest->live);
    machine_unref(guest->config);
    emulator_unref(guest->emulator);
    strand_unref(guest->strand);
    g_hash_table_unref(guest->taints);
    g_free(guest->name);
    g_free(guest->journal_problem);
    g_free(guest);
}

static void
guest_view_free(View *view)
{
    GuestView *guest_view = (GuestView *)view;

    for (gsize i = 0; i < G_N_ELEMENTS(guest_view->xml); i++)
        g_free(guest_view->xml[i]);
    machine_unref(guest_view->live);
    machine_unref(guest_view->config);
    emulator_unref(guest_view->emulator);
    snapshot_tree_unref(guest_view->snapshots);
    checkpoint_tree_unref(guest_view->checkpoints);
    job_summary_unref(guest_view->completed);
    kept_state_unref(guest_view->kept);
    if (guest_view->job)
        job_unref(guest_view->job);
    guest_unref(guest_view->guest);
    g_free(guest_view);
}

const Domain *
guest_live(const Guest *guest)
{
    return machine_domain(guest->live);
}

const Domain *
guest_config(const Guest *guest)
{
    return machine_domain(guest->config);
}

const Domain *
guest_domain(const Guest *guest)
{
    return guest->live ? guest_live(guest) : guest_config(guest);
}

bool
guest_is_running(const Guest *guest)
{
    return guest->emulator != NULL;
}

bool
fail_not_running(GError **err)
{
    return error_set(err, VIR_FROM_DOMAIN, VIR_ERR_OPERATION_INVALID, "domain is not running");
}

bool
fail_transient(GError **err)
{
    return error_set(err, VIR_FROM_DOMAIN, VIR_ERR_OPERATION_INVALID,
                     "transient domains do not have any persistent config");
}

bool
guest_require_running(const Guest *guest, GError **err)
{
    return guest_is_running(guest) || fail_not_running(err);
}

bool
guest_require_off(const Guest *guest, GError **err)
{
    return !guest_is_running(guest) ||
           fail(err, VIR_ERR_OPERATION_INVALID, "domain is already running");
}

bool
guest_require_known(Guest *guest, GError **err)
{
    snapshots_retry_job(guest);
    if (!guest->journal_problem)
        return true;
    return fail(
        err, VIR_ERR_OPERATION_INVALID,
        "domain '%s' cannot be changed: %s; what was half done to it is not known: see to its "
        "disks and snapshots, then remove that file",
        guest->name, guest->journal_problem);
}

bool
guest_require_idle(Guest *guest, GError **err)
{
    if (!guest_require_known(guest, err))
        return false;
    if (!guest->job)
        return true;
    return fail(err, VIR_ERR_OPERATION_INVALID, "domain '%s' is busy: job '%s' is at its step '%s'",
                guest->name, job_kind_name(guest->job), job_step_name(guest->job));
}

void
guest_set_live(Guest *guest, Domain *take_live)
{
    machine_unref(guest->live);
    guest->live = machine_new(take_live);
}

void
guest_set_config(Guest *guest, Domain *take_config)
{
    machine_unref(guest->config);
    guest->config = machine_new(take_config);
}

void
guest_set_config_file(Guest *guest, const char *path)
{
    MachineFile *file = g_new0(MachineFile, 1);

    machine_unref(guest->config);
    guest->config = g_new0(Machine, 1);
    g_atomic_ref_count_init(&guest->config->refs);
    file->path = g_strdup(path);
    file->name = g_strdup(guest->name);
    memcpy(file->uuid, guest->uuid, sizeof file->uuid);
    guest->config->file = file;
}

void
guest_set_state(Guest *guest, int state, int reason)
{
    guest->state = state;
    guest->reason = reason;
}

static GuestView *
guest_view_new(Guest *guest)
{
    GuestView *view = g_new0(GuestView, 1);

    view_init(&view->view, guest_view_free, guest->uuid, guest->name,
              guest->emulator ? guest->emulator->id : -1);
    view->guest = guest_ref(guest);
    view->live = machine_ref(guest->live);
    view->config = machine_ref(guest->config);
    view->emulator = guest->emulator ? emulator_ref(guest->emulator) : NULL;
    view->state = guest->state;
    view->reason = guest->reason;
    view->is_persistent = guest->is_persistent;
    view->is_autostart = guest->is_autostart;
    view->is_updated = guest->is_updated;
    view->has_managed_save = guest->has_managed_save;
    view->is_settling = guest->is_settling;
    view->completed = job_summary_ref(guest->completed);
    view->checkpoints = checkpoint_tree_ref(guest->checkpoints);
    view->snapshots = guest->snapshots ? snapshot_tree_ref(guest->snapshots) : NULL;
    view->kept = guest->kept ? kept_state_ref(guest->kept) : NULL;
    view->job = guest->job ? job_ref(guest->job) : NULL;
    return view;
}

bool
guest_publish(Guest *guest, GError **err)
{
    return guest->is_gone || registry_publish(guest->qemu->guests, guest_view_new(guest), err);
}

bool
guest_publish_new(Guest *guest, GError **err)
{
    return registry_publish_new(guest->qemu->guests, guest_view_new(guest), err);
}

void
guest_withdraw(Guest *guest)
{
    guest->is_gone = true;
    snapshots_guest_gone(guest);
    registry_withdraw(guest->qemu->guests, guest->uuid);
}

bool
guest_save_config(Guest *guest, GError **err)
{
    g_autofree char *xml = NULL;
    char uuid[UUID_TEXT];

    g_assert(guest->config);
    uuid_format(guest->uuid, uuid);
    xml = domain_format(guest_config(guest), MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
    return store_save(guest->qemu->configs, guest->name, guest->name, uuid, xml, err);
}

void
guest_changed(Guest *guest)
{
    g_autoptr(GError) err = NULL;

    if (guest->emulator && !guest_save_status(guest, &err)) {
        log_error(LOG_QEMU, "%s: the state file cannot be written: %s", guest->name, err->message);
        g_clear_error(&err);
    }
    if (!guest_publish(guest, &err))
        log_error(LOG_QEMU, "%s: %s", guest->name, err->message);
}

/* Which definition and how: flags of virDomainGetXMLDesc. Formats once per view and form; migratable is rare. */
char *
guest_view_xml(GuestView *view, guint flags, GError **err)
{
    const bool inactive = flags & (VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_MIGRATABLE);
    const Machine *machine = inactive && view->config ? view->config
                             : view->live             ? view->live
                                                      : view->config;
    const bool live_form = machine == view->live && !inactive;
    guint at = (live_form ? 2 : 0) + (flags & VIR_DOMAIN_XML_SECURE ? 1 : 0);
    ModelFormatFlags form = live_form ? 0 : MODEL_FORMAT_INACTIVE;
    char *made;

    if (flags & VIR_DOMAIN_XML_SECURE)
        form |= MODEL_FORMAT_SECURE;
    if (flags & VIR_DOMAIN_XML_MIGRATABLE)
        return domain_format(machine_domain(machine), form | MODEL_FORMAT_MIGRATABLE);
    made = g_atomic_pointer_get(&view->xml[at]);
    if (!made) {
        made = domain_format(machine_domain(machine), form);
        if (!g_atomic_pointer_compare_and_exchange(&view->xml[at], NULL, made)) {
            g_free(made);
            made = g_atomic_pointer_get(&view->xml[at]);
        }
    }
    return g_strdup(made);
}

GuestView *
guest_view_read(GuestView *take_view)
{
    if (!take_view || !take_view->config || machine_domain(take_view->config))
        return take_view;
    registry_withdraw_view(take_view->guest->qemu->guests, take_view);
    view_unref(take_view);
    return NULL;
}

GuestView *
guest_view_of_call(const Call *call, const RemoteNonnullDomain *dom, GError **err)
{
    GuestView *view = guest_view_read(registry_lookup_uuid(qemu_of_call(call)->guests, dom->uuid));
    char uuid[UUID_TEXT];

    if (view)
        return view;
    uuid_format(dom->uuid, uuid);
    return fail_null(err, VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s' (%s)", uuid,
                     dom->name);
}

Guest *
guest_find(QemuDriver *qemu, const guchar uuid[16])
{
    GuestView *view = guest_view_read(registry_lookup_uuid(qemu->guests, uuid));
    Guest *guest = view ? guest_ref(view->guest) : NULL;

    if (view)
        view_unref(view);
    return guest;
}

Guest *
guest_of_call(const Call *call, const RemoteNonnullDomain *dom, GError **err)
{
    GuestView *view = guest_view_of_call(call, dom, err);
    Guest *guest = view ? guest_ref(view->guest) : NULL;

    if (view)
        view_unref(view);
    return guest;
}

Domain *
guest_parse_xml(QemuDriver *qemu, const char *xml, ModelParseFlags flags, GError **err)
{
    g_autoptr(Domain) dom = domain_parse_filled(xml, flags, qemu_fill_host(qemu), err);

    return dom && qemu_accept_domain(dom, err) ? g_steal_pointer(&dom) : NULL;
}

/* ---- waiting for the strand from another thread ---- */
typedef struct {
    void (*func)(void *data);
    void *data;
    GMutex mutex;
    GCond done_cond;
    bool is_done;
} StrandRun;

static void
run_and_say(void *data)
{
    StrandRun *run = data;

    run->func(run->data);
    g_mutex_lock(&run->mutex);
    run->is_done = true;
    g_cond_signal(&run->done_cond);
    g_mutex_unlock(&run->mutex);
}

void
guest_run_on_strand(Guest *guest, void (*func)(void *data), void *data)
{
    StrandRun run = {.func = func, .data = data};

    if (strand_is_current(guest->strand)) {
        func(data);
        return;
    }
    g_mutex_init(&run.mutex);
    g_cond_init(&run.done_cond);
    strand_post_internal(guest->strand, run_and_say, &run);
    pool_block_begin(guest->qemu->host->pool);
    g_mutex_lock(&run.mutex);
    while (!run.is_done)
        g_cond_wait(&run.done_cond, &run.mutex);
    g_mutex_unlock(&run.mutex);
    pool_block_end(guest->qemu->host->pool);
    g_mutex_clear(&run.mutex);
    g_cond_clear(&run.done_cond);
}
