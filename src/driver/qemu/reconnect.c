/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See reconnect.h. The emulator is the truth for what runs: files are believed only as far as the process is the one that
 * they name. A file that cannot be read is reported and kept, and its emulator is left alone. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/reconnect.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/lifecycle.h"
#include "driver/qemu/ports.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/status.h"

/* Upstream's file has the pid alone: then the command line has to name the guest. */
static bool
find_process(const DomainStatus *status, ProcessId *process, GError **err)
{
    char uuid[UUID_TEXT];
    g_auto(GStrv) argv = NULL;

    if (status->pid <= 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "process id %d is no emulator's", status->pid);
    if (status->process) {
        *process = (ProcessId){.pid = status->pid, .start_time = status->process->start};
        g_strlcpy(process->boot_id, status->process->boot, sizeof(process->boot_id));
        return true;
    }
    if (!process_identify(status->pid, process, err))
        return false;
    uuid_format(status->domain.uuid, uuid);
    argv = process_read_argv(status->pid);
    if (!argv || !g_strv_contains((const char *const *)argv, uuid))
        return fail(err, VIR_ERR_INTERNAL_ERROR, "process %d is not the emulator of domain '%s'",
                    status->pid, status->domain.name);
    return true;
}

/* The emulator has ended while no daemon looked. */
static bool
bury(Guest *guest, const DomainStatus *status, const GError *why, GError **err)
{
    log_warning(LOG_QEMU, "%s: stopped while no daemon was running: %s", guest->name, why->message);
    emulator_log_line(guest, "shutting down, reason=crashed");
    machine_release_ports(guest->qemu, &status->domain);
    emulator_remove_places(status->lib_dir_path, status->channel_target_dir_path);
    status_remove(guest);
    guest_set_live(guest, NULL);
    guest_set_state(guest, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED);
    return !guest->is_persistent || guest_publish(guest, err);
}

/* Ports that running guests have are not given to others. */
static void
mark_ports(QemuDriver *qemu, const Domain *live)
{
    for (gsize i = 0; i < live->n_graphics; i++) {
        if (live->graphics[i]->type == GRAPHICS_TYPE_VNC && live->graphics[i]->port > 0)
            port_pool_mark(qemu->vnc_ports, live->graphics[i]->port);
        if (live->graphics[i]->websocket > 0)
            port_pool_mark(qemu->websocket_ports, live->graphics[i]->websocket);
    }
}

/* A start that no daemon finished: it is ended before anybody sees it. */
static bool
is_starting_up(const Guest *guest)
{
    return guest->state == VIR_DOMAIN_PAUSED && guest->reason == VIR_DOMAIN_PAUSED_STARTING_UP;
}

static bool
load_status(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
            void *opaque, GError **err)
{
    QemuDriver *qemu = opaque;
    g_autoptr(DomainStatus) status = domain_status_parse(xml, MODEL_PARSE_STATUS, err);
    g_autoptr(Guest) guest = NULL;
    g_autoptr(Emulator) emulator = NULL;
    g_autoptr(GError) why = NULL;
    ProcessId process;
    int state;

    if (!status)
        return false;
    if (!status->domain.has_uuid || !status->domain.has_id)
        return fail(err, VIR_ERR_XML_ERROR, "the state file has no uuid or no id");
    guest = guest_find(qemu, status->domain.uuid);
    if (!guest) {
        guest = guest_new(qemu, status->domain.uuid, status->domain.name);
        if (!snapshots_load(guest, err))
            return false;
    }
    state = state_from_word(status->state);
    guest_set_state(guest, state < 0 ? VIR_DOMAIN_RUNNING : state,
                    reason_from_word(state, status->reason));
    guest->last_node = status->nodename_index;
    for (gsize i = 0; i < status->n_taints; i++)
        g_hash_table_add(guest->taints, g_strdup(status->taints[i]->flag));
    g_atomic_int_set(&qemu->last_id, MAX(qemu->last_id, status->domain.id));
    if (find_process(status, &process, &why))
        emulator = emulator_adopt(guest, &status->domain, &process, status->monitor.path,
                                  status->lib_dir_path, status->channel_target_dir_path, &why);
    if (!emulator)
        return bury(guest, status, why, err);
    for (gsize i = 0; i < status->n_vcpus; i++)
        g_array_append_val(emulator->vcpu_threads, status->vcpus[i]->pid);
    mark_ports(qemu, &status->domain);
    guest_install_emulator(guest, g_steal_pointer(&emulator), domain_copy(&status->domain));
    guest->is_fake_reboot = status->fakereboot;
    guest->is_settling |= is_starting_up(guest);
    return guest_publish(guest, err);
}

bool
qemu_load_running(QemuDriver *qemu, GError **err)
{
    if (!store_load(qemu->statuses, load_status, qemu, err))
        return false;
    snapshots_find_orphans(qemu);
    return true;
}

/* ---- attaching ---- */

/* What the emulator says of itself, against what the file said. */
static void
settle_state(Guest *guest, const char *status)
{
    if (!strcmp(status, "running")) {
        if (guest->state != VIR_DOMAIN_RUNNING)
            guest_set_state(guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNKNOWN);
    } else if (!strcmp(status, "guest-panicked")) {
        guest_set_state(guest, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    } else if (!strcmp(status, "suspended")) {
        guest_set_state(guest, VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN);
    } else if (!strcmp(status, "io-error")) {
        guest_set_state(guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR);
    } else if (!strcmp(status, "watchdog")) {
        guest_set_state(guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG);
    } else if (guest->state == VIR_DOMAIN_RUNNING) {
        guest_set_state(guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN);
    }
}

/* Ask the emulator how it is, and say so; on the strand. */
static bool
learn_state(Guest *guest, GError **err)
{
    g_autoptr(Json) status = qmp_call(guest->emulator->qmp, "query-status", NULL, err);
    g_autoptr(Domain) live = domain_copy(guest_live(guest));
    const char *word = json_string_value(json_object_get(status, "status"));

    if (!status)
        return false;
    if (!word)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "query-status has no status");
    if (!emulator_learn(guest->emulator, live, err))
        return false;
    guest_set_live(guest, g_steal_pointer(&live));
    settle_state(guest, word);
    guest_changed(guest);
    log_info(LOG_QEMU, "%s: found again, %s", guest->name, word);
    guest_emit_agents(guest, VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_UNKNOWN);
    if (!strcmp(word, "shutdown")) {
        guest->has_shut_down = true;
        guest_finish_shutdown(guest);
    }
    return true;
}

/* A monitor that could not be reached, or has been closed since: connect anew. */
static bool
renew_monitor(Guest *guest, GError **err)
{
    Emulator *before = guest->emulator;
    g_autoptr(Emulator) emulator = NULL;

    if (qmp_is_open(before->qmp))
        return true;
    emulator = emulator_adopt(guest, guest_live(guest), &before->process, before->monitor_path,
                              before->lib_dir, before->channel_dir, err);
    if (!emulator || !qmp_is_open(emulator->qmp))
        return emulator ? fail(err, VIR_ERR_INTERNAL_ERROR, "its monitor cannot be reached")
                        : false;
    g_array_append_vals(emulator->vcpu_threads, before->vcpu_threads->data,
                        before->vcpu_threads->len);
    qmp_close(before->qmp);
    guest_install_emulator(guest, g_steal_pointer(&emulator), domain_copy(guest_live(guest)));
    return true;
}

/* An emulator that does not answer is stopped, swapped out, or busy for long: it is asked again until it answers or ends.
 * Nothing is done to it, and nobody but its own callers waits. */
typedef struct {
    Guest *guest;
    LoopTimer *timer;
} Retry;

enum { GREETING_MS = 5000, RETRY_MS = 5000 };

static void
retry_free(void *data)
{
    Retry *retry = data;

    guest_unref(retry->guest);
    g_free(retry);
}

static void
run_retry(void *data)
{
    Retry *retry = data;
    Guest *guest = retry->guest;
    g_autoptr(GError) err = NULL;

    if (guest_is_running(guest)) {
        /* No wait here: a greeting that is not there yet is looked for again later. */
        if (!renew_monitor(guest, &err) || !qmp_wait_greeting(guest->emulator->qmp, 0, &err) ||
            !learn_state(guest, &err)) {
            loop_timer_rearm(retry->timer, RETRY_MS);
            return;
        }
    }
    if (!guest->is_gone)
        snapshots_recover(guest);
    loop_timer_stop(retry->timer); /* frees the retry */
}

static void
on_retry_due(void *data)
{
    Retry *retry = data;

    strand_post_internal(retry->guest->strand, run_retry, retry);
}

static void
retry_later(Guest *guest)
{
    Retry *retry = g_new0(Retry, 1);

    retry->guest = guest_ref(guest);
    retry->timer = loop_timer_new(guest->qemu->host->loop, on_retry_due, retry, retry_free);
    loop_timer_rearm(retry->timer, RETRY_MS);
}

static void
run_takeover(void *data)
{
    g_autoptr(Guest) guest = data;
    g_autoptr(GError) err = NULL;

    if (guest_is_running(guest) && is_starting_up(guest)) {
        log_warning(LOG_QEMU, "%s: its start was never finished", guest->name);
        guest_kill(guest, VIR_DOMAIN_SHUTOFF_FAILED);
    }
    if (guest_is_running(guest) && (!renew_monitor(guest, &err) ||
                                    !qmp_wait_greeting(guest->emulator->qmp, GREETING_MS, &err) ||
                                    !learn_state(guest, &err))) {
        log_error(LOG_QEMU, "%s: its emulator runs, but does not answer: %s", guest->name,
                  err->message);
        retry_later(guest);
        return;
    }
    if (!guest->is_gone)
        snapshots_recover(guest);
}

void
qemu_reconnect(QemuDriver *qemu)
{
    g_autoptr(GPtrArray) views = registry_list(qemu->guests);
    g_autoptr(GError) err = NULL;
    bool starts = !store_is_autostarted(qemu->state_dir);

    for (guint i = 0; i < views->len; i++) {
        GuestView *view = g_ptr_array_index(views, i);

        if (view->emulator || view->is_settling)
            strand_post_internal(view->guest->strand, run_takeover, guest_ref(view->guest));
        if (starts && view->is_autostart && !view->emulator &&
            (view = guest_view_read(view_ref(view)))) {
            guest_autostart(view->guest);
            view_unref(view);
        }
    }
    if (starts && !store_mark_autostarted(qemu->state_dir, &err))
        log_error(LOG_QEMU, "autostart may run again: %s", err->message);
}
