/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a definition to a running guest, and from a running guest to none. On the guest's strand. What clients call is in
 * lifecycle.c.
 *
 * A start is written down (state file: paused, "starting up") while the emulator is still a stub that waits: a crash of the
 * daemon leaves either no process, or one that the next daemon finds there. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/lifecycle.h"
#include "driver/qemu/status.h"

bool
guest_pause(Guest *guest, int reason, GError **err)
{
    int detail = reason == VIR_DOMAIN_PAUSED_FROM_SNAPSHOT
                     ? VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT
                     : VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;

    if (!qmp_run(guest->emulator->qmp, "stop", NULL, err))
        return false;
    if (guest->state == VIR_DOMAIN_PAUSED)
        return true;
    guest_set_state(guest, VIR_DOMAIN_PAUSED, reason);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_SUSPENDED, detail);
    return true;
}

bool
guest_resume(Guest *guest, int reason, GError **err)
{
    int detail = reason == VIR_DOMAIN_RUNNING_FROM_SNAPSHOT ? VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT
                                                            : VIR_DOMAIN_EVENT_RESUMED_UNPAUSED;

    if (!qmp_run(guest->emulator->qmp, "cont", NULL, err))
        return false;
    guest_set_state(guest, VIR_DOMAIN_RUNNING, reason);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_RESUMED, detail);
    return true;
}

static void
note_taints(Guest *guest, const Domain *live)
{
    const QemuConfig *config = guest->qemu->config;
    GHashTableIter iter;
    gpointer word;

    g_hash_table_remove_all(guest->taints);
    if (guest->qemu->host->is_system && config->uid == 0)
        g_hash_table_add(guest->taints, g_strdup("high-privileges"));
    if (live->n_qemu_args || live->n_qemu_envs)
        g_hash_table_add(guest->taints, g_strdup("custom-argv"));
    if (live->cpu.mode == CPU_MODE_HOST_PASSTHROUGH)
        g_hash_table_add(guest->taints, g_strdup("host-cpu"));
    g_hash_table_iter_init(&iter, guest->taints);
    while (g_hash_table_iter_next(&iter, &word, NULL))
        emulator_log_line(guest, "Domain id=%d is tainted: %s", live->id, (const char *)word);
}

void
guest_install_emulator(Guest *guest, Emulator *take_emulator, Domain *take_live)
{
    bool was_running = guest->emulator != NULL;

    emulator_unref(guest->emulator);
    guest->emulator = take_emulator;
    guest->has_shut_down = false;
    guest->is_fake_reboot = false;
    guest->pause_reason = VIR_DOMAIN_PAUSED_UNKNOWN;
    g_atomic_int_set(&guest->stop_reason, -1);
    guest_set_live(guest, take_live);
    emulator_watch(take_emulator);
    if (!was_running)
        driver_host_hold(guest->qemu->driver->host);
}

/* Everything up to a paused emulator that is the guest's own. */
static bool
start_emulator(Guest *guest, const Domain *config, GError **err)
{
    g_autoptr(Domain) live = guest_make_live(guest, config, qemu_next_id(guest->qemu), err);
    g_autoptr(Emulator) emulator = NULL;
    bool ok;

    if (!live)
        return false;
    emulator = emulator_spawn(guest, live, NULL, 0, err);
    ok = emulator && status_save_starting(guest, emulator, live, err) &&
         status_save_pid(guest, emulator, err) && emulator_run(emulator, err);
    if (ok && !emulator_learn(emulator, live, err)) {
        emulator_kill(emulator);
        emulator_clear_up(emulator);
        ok = false;
    }
    if (!ok) {
        if (emulator)
            emulator_clear_up(emulator);
        status_remove(guest);
        machine_release_ports(guest->qemu, live);
        emulator_log_line(guest, "shutting down, reason=failed");
        return false;
    }
    guest_install_emulator(guest, g_steal_pointer(&emulator), g_steal_pointer(&live));
    note_taints(guest, guest_live(guest));
    return true;
}

bool
guest_start(Guest *guest, guint flags, int state_reason, GError **err)
{
    return guest_start_from(guest, guest_config(guest), flags, state_reason, err);
}

bool
guest_start_from(Guest *guest, const Domain *config, guint flags, int state_reason, GError **err)
{
    if (!guest_require_known(guest, err) || !guest_require_off(guest, err) ||
        !start_emulator(guest, config, err))
        return false;
    guest_set_state(guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    guest_emit_agents(guest, VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_DOMAIN_STARTED);
    if (flags & VIR_DOMAIN_START_PAUSED) {
        guest_changed(guest);
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    } else {
        if (!guest_resume(guest, state_reason, err)) {
            guest_kill(guest, VIR_DOMAIN_SHUTOFF_FAILED);
            return false;
        }
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
    }
    log_info(LOG_QEMU, "%s: started, emulator %d", guest->name, (int)guest->emulator->process.pid);
    return true;
}

/* @was_ended: by us, and not found to be gone. */
static int
stopped_detail(int reason, bool was_ended)
{
    if (!was_ended && reason == VIR_DOMAIN_SHUTOFF_CRASHED)
        return VIR_DOMAIN_EVENT_STOPPED_FAILED;
    switch (reason) {
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
        return VIR_DOMAIN_EVENT_STOPPED_DESTROYED;
    case VIR_DOMAIN_SHUTOFF_CRASHED:
        return VIR_DOMAIN_EVENT_STOPPED_CRASHED;
    case VIR_DOMAIN_SHUTOFF_MIGRATED:
        return VIR_DOMAIN_EVENT_STOPPED_MIGRATED;
    case VIR_DOMAIN_SHUTOFF_SAVED:
        return VIR_DOMAIN_EVENT_STOPPED_SAVED;
    case VIR_DOMAIN_SHUTOFF_FAILED:
    case VIR_DOMAIN_SHUTOFF_UNKNOWN:
    case VIR_DOMAIN_SHUTOFF_DAEMON:
        return VIR_DOMAIN_EVENT_STOPPED_FAILED;
    case VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT:
        return VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT;
    default:
        return VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN;
    }
}

void
guest_stopped(Guest *guest, int reason)
{
    g_autoptr(Emulator) emulator = g_steal_pointer(&guest->emulator);
    const bool was_ended = g_atomic_int_get(&guest->stop_reason) >= 0;
    g_autoptr(GError) err = NULL;

    if (!emulator)
        return;
    emulator_log_line(guest, "shutting down, reason=%s",
                      reason_to_word(VIR_DOMAIN_SHUTOFF, reason));
    log_info(LOG_QEMU, "%s: stopped, %s", guest->name, reason_to_word(VIR_DOMAIN_SHUTOFF, reason));
    status_remove(guest);
    machine_release_ports(guest->qemu, guest_live(guest));
    guest_set_live(guest, NULL);
    guest_set_state(guest, VIR_DOMAIN_SHUTOFF, reason);
    g_atomic_int_set(&guest->stop_reason, -1);
    guest->autodestroy = 0;
    guest->is_updated = false;
    if (guest->is_persistent) {
        if (!guest_publish(guest, &err))
            log_error(LOG_QEMU, "%s: %s", guest->name, err->message);
    } else {
        guest_withdraw(guest);
    }
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_STOPPED, stopped_detail(reason, was_ended));
    emulator_clear_up(emulator);
    driver_host_release(guest->qemu->driver->host);
}

void
guest_kill(Guest *guest, int reason)
{
    g_autoptr(Emulator) emulator = guest->emulator ? emulator_ref(guest->emulator) : NULL;

    if (!emulator)
        return;
    g_atomic_int_set(&guest->stop_reason, reason);
    if (!emulator_terminate(emulator, (int)guest->qemu->config->max_stopped_ms))
        log_error(LOG_QEMU, "%s: emulator %d does not end, not even by SIGKILL", guest->name,
                  (int)emulator->process.pid);
    guest_stopped(guest, reason);
}

void
guest_check_ended(Guest *guest)
{
    int reason = g_atomic_int_get(&guest->stop_reason);

    if (!guest->emulator || !guest->emulator->has_exited || !guest->emulator->monitor_is_closed)
        return;
    if (reason < 0)
        reason = guest->has_shut_down ? VIR_DOMAIN_SHUTOFF_SHUTDOWN : VIR_DOMAIN_SHUTOFF_CRASHED;
    guest_stopped(guest, reason);
}

/* Reset the machine and let it go on. */
static bool
reset_and_run(Guest *guest, GError **err)
{
    g_autoptr(QmpBatch) batch = qmp_batch_new();

    qmp_batch_add(batch, "system_reset", NULL);
    qmp_batch_add(batch, "cont", NULL);
    if (!qmp_batch_run(batch, guest->emulator->qmp, QMP_TIMEOUT_MS, err) ||
        !qmp_batch_all_ok(batch, err))
        return false;
    guest->has_shut_down = false;
    guest_set_state(guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    guest_changed(guest);
    return true;
}

void
guest_finish_shutdown(Guest *guest)
{
    const Domain *live = guest_live(guest);
    bool restarts = guest->is_fake_reboot
                        ? live->on_reboot != LIFECYCLE_ACTION_DESTROY
                        : live->on_poweroff == LIFECYCLE_ACTION_RESTART ||
                              live->on_poweroff == LIFECYCLE_ACTION_RENAME_RESTART;
    g_autoptr(GError) err = NULL;

    guest->is_fake_reboot = false;
    if (restarts && reset_and_run(guest, &err))
        return;
    if (err)
        log_error(LOG_QEMU, "%s: cannot be started again after its shutdown: %s", guest->name,
                  err->message);
    if (!restarts && live->on_poweroff == LIFECYCLE_ACTION_PRESERVE) {
        guest_set_state(guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
        guest_changed(guest);
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
        return;
    }
    guest_kill(guest, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
}

void
guest_finish_panic(Guest *guest)
{
    LifecycleAction action = guest_live(guest)->on_crash;
    g_autoptr(GError) err = NULL;

    switch (action) {
    case LIFECYCLE_ACTION_PRESERVE:
        return;
    case LIFECYCLE_ACTION_RESTART:
    case LIFECYCLE_ACTION_RENAME_RESTART:
        if (reset_and_run(guest, &err))
            return;
        log_error(LOG_QEMU, "%s: cannot be started again after its crash: %s", guest->name,
                  err->message);
        break;
    default:
        break;
    }
    guest_kill(guest, VIR_DOMAIN_SHUTOFF_CRASHED);
}

bool
guest_ask_shutdown(Guest *guest, bool reboots, GError **err)
{
    if (!qmp_run(guest->emulator->qmp, "system_powerdown", NULL, err))
        return false;
    guest->is_fake_reboot = reboots;
    guest_changed(guest);
    return true;
}

static void
run_autostart(void *data)
{
    g_autoptr(Guest) guest = data;
    g_autoptr(GError) err = NULL;

    if (!guest->is_gone && !guest_is_running(guest) &&
        !guest_start(guest, 0, VIR_DOMAIN_RUNNING_BOOTED, &err))
        log_error(LOG_QEMU, "%s: autostart failed: %s", guest->name, err->message);
}

void
guest_autostart(Guest *guest)
{
    strand_post_internal(guest->strand, run_autostart, guest_ref(guest));
}
