/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that start, stop, pause and reset guests. What they do is in start.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/lifecycle.h"
#include "driver/qemu/save.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/define.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/guest.h"
#include "seam/clock.h"

/* ---- autodestroy ---- */

typedef struct {
    Guest *guest;
    gint64 token; /* of the start that asked for it */
} Autodestroy;

static void
autodestroy_free(gpointer data)
{
    Autodestroy *autodestroy = data;

    guest_unref(autodestroy->guest);
    g_free(autodestroy);
}

static void
run_autodestroy(void *data)
{
    Autodestroy *autodestroy = data;

    if (autodestroy->guest->autodestroy == autodestroy->token)
        guest_kill(autodestroy->guest, VIR_DOMAIN_SHUTOFF_DESTROYED);
}

static void
on_connection_closed(DriverConn *conn, void *data)
{
    Autodestroy *autodestroy = data;

    guest_run_on_strand(autodestroy->guest, run_autodestroy, autodestroy);
}

static void
set_autodestroy(Guest *guest, DriverConn *conn)
{
    Autodestroy *autodestroy = g_new0(Autodestroy, 1);

    guest->autodestroy = autodestroy->token = clock_monotonic_us();
    autodestroy->guest = guest_ref(guest);
    conn_add_close_hook(conn, guest, on_connection_closed, autodestroy, autodestroy_free);
}

/* ---- start ---- */

enum {
    START_FLAGS = VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY |
                  VIR_DOMAIN_START_BYPASS_CACHE | VIR_DOMAIN_START_FORCE_BOOT |
                  VIR_DOMAIN_START_RESET_NVRAM,
};

/* A start goes on from a saved state, unless it is to be thrown away. */
static bool
drop_managed_save(Guest *guest, guint flags, GError **err)
{
    g_autofree char *path = managed_save_path(guest);

    if (!(flags & VIR_DOMAIN_START_FORCE_BOOT))
        return true;
    guest->has_managed_save = false;
    return file_remove(path, err);
}

/* The firmware's variables begin anew. */
static bool
reset_nvram(Guest *guest, const Domain *config, guint flags, GError **err)
{
    const char *path = firmware_nvram_path(config);

    if (!(flags & VIR_DOMAIN_START_RESET_NVRAM) || !path)
        return true;
    if (!config->os.nvram->template)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "domain %s has no template for its firmware's variables: leave out RESET_NVRAM",
                    guest->name);
    return firmware_put(guest->qemu, config->os.nvram->template, path, err);
}

static bool
start_by_call(Call *call, Guest *guest, const Domain *config, guint flags, GError **err)
{
    if (!qemu_check_flags(call, flags, START_FLAGS, err) || !guest_require_idle(guest, err) ||
        !guest_require_off(guest, err) || !drop_managed_save(guest, flags, err))
        return false;
    if (guest->is_persistent && managed_save_is_usable(guest)) {
        if (flags & VIR_DOMAIN_START_RESET_NVRAM)
            return fail(err, VIR_ERR_OPERATION_INVALID,
                        "the saved state of domain %s has its firmware's variables: FORCE_BOOT "
                        "discards both",
                        guest->name);
        if (flags & VIR_DOMAIN_START_AUTODESTROY)
            set_autodestroy(guest, call->conn);
        return managed_save_start(call, guest, flags, err);
    }
    if (!reset_nvram(guest, config, flags, err))
        return false;
    strand_set_activity(guest->strand, "starting");
    if (!guest_start_from(guest, config, flags, VIR_DOMAIN_RUNNING_BOOTED, err)) {
        strand_set_activity(guest->strand, NULL);
        return false;
    }
    strand_set_activity(guest->strand, NULL);
    if (flags & VIR_DOMAIN_START_AUTODESTROY)
        set_autodestroy(guest, call->conn);
    return true;
}

static bool
qemu_domain_create(Call *call, const RemoteDomainCreateArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    return guest && start_by_call(call, guest, guest_config(guest), 0, err);
}

static bool
qemu_domain_create_with_flags(Call *call, const RemoteDomainCreateWithFlagsArgs *args,
                              RemoteDomainCreateWithFlagsRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    if (!guest || !start_by_call(call, guest, guest_config(guest), args->flags, err))
        return false;
    if (call->is_deferred)
        return true;
    guest_fill_wire(guest, &ret->dom);
    return true;
}

typedef struct {
    Call *call;
    Guest *guest;
    const Domain *config;
    guint flags;
    GError **err;
    bool ok;
} TransientStart;

/* The guest is known from here on; a start that fails takes a transient one away again. */
static void
run_transient_start(void *data)
{
    TransientStart *start = data;

    start->ok = start_by_call(start->call, start->guest, start->config, start->flags, start->err);
    if (start->guest->is_persistent)
        return;
    if (!start->ok) {
        guest_withdraw(start->guest);
        return;
    }
    guest_set_config(start->guest, NULL);
    guest_changed(start->guest);
}

static bool
qemu_domain_create_xml(Call *call, const RemoteDomainCreateXmlArgs *args,
                       RemoteDomainCreateXmlRet *ret, GError **err)
{
    TransientStart start = {.call = call, .flags = args->flags, .err = err};
    g_autoptr(Domain) config = NULL;
    g_autoptr(Guest) guest = NULL;

    if (!qemu_check_flags(call, args->flags, START_FLAGS | VIR_DOMAIN_START_VALIDATE, err) ||
        (args->flags & VIR_DOMAIN_START_VALIDATE && !domain_validate(args->xml_desc, err)))
        return false;
    config = guest_parse_xml(qemu_of_call(call), args->xml_desc, MODEL_PARSE_INACTIVE, err);
    guest = config ? guest_for_transient(qemu_of_call(call), config, err) : NULL;
    if (!guest)
        return false;
    start.guest = guest;
    start.config = config;
    guest_run_on_strand(guest, run_transient_start, &start);
    if (start.ok)
        guest_fill_wire(guest, &ret->dom);
    return start.ok;
}

/* ---- stop ---- */

/* Does not queue behind other work: the emulator gets its signal at once, and what waits for its monitor fails then. */
static bool
destroy(Call *call, const RemoteNonnullDomain *dom, guint flags, GError **err)
{
    enum { CLEAR_MS = 30000, SILENT_MS = 1000 };
    GuestView *view = guest_view_of_call(call, dom, err);
    g_autoptr(Guest) guest = view ? guest_ref(view->guest) : NULL;
    g_autoptr(Emulator) emulator = view && view->emulator ? emulator_ref(view->emulator) : NULL;
    int patience_ms = (int)qemu_of_call(call)->config->max_stopped_ms;

    if (view)
        view_unref(view);
    if (!guest ||
        !qemu_check_flags(call, flags, VIR_DOMAIN_DESTROY_GRACEFUL | VIR_DOMAIN_DESTROY_REMOVE_LOGS,
                          err))
        return false;
    if (!emulator)
        return fail_not_running(err);
    g_atomic_int_set(&guest->stop_reason, VIR_DOMAIN_SHUTOFF_DESTROYED);
    if (flags & VIR_DOMAIN_DESTROY_GRACEFUL)
        patience_ms = -1;
    else if (qmp_silent_ms(emulator->qmp) > SILENT_MS)
        patience_ms = 0; /* it would not listen to SIGTERM either */
    if (!emulator_terminate(emulator, patience_ms)) {
        g_atomic_int_set(&guest->stop_reason, -1);
        return fail(err, VIR_ERR_OPERATION_FAILED, "failed to terminate process %d of domain '%s'",
                    (int)emulator->process.pid, emulator->guest_name);
    }
    if (!emulator_wait_cleared(emulator, CLEAR_MS))
        return fail(err, VIR_ERR_OPERATION_TIMEOUT,
                    "domain '%s' has ended, but its strand is still busy", emulator->guest_name);
    if (flags & VIR_DOMAIN_DESTROY_REMOVE_LOGS) {
        g_autofree char *log = emulator_log_path(guest);

        return file_remove(log, err);
    }
    return true;
}

static bool
qemu_domain_destroy(Call *call, const RemoteDomainDestroyArgs *args, GError **err)
{
    return destroy(call, &args->dom, 0, err);
}

static bool
qemu_domain_destroy_flags(Call *call, const RemoteDomainDestroyFlagsArgs *args, GError **err)
{
    return destroy(call, &args->dom, args->flags, err);
}

static bool
refuse_agent(guint flags, guint agent, GError **err)
{
    return !(flags & agent) ||
           fail(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured");
}

static bool
shut_down(Call *call, const RemoteNonnullDomain *dom, guint flags, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);

    return guest &&
           qemu_check_flags(call, flags,
                            VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
                            err) &&
           guest_require_running(guest, err) &&
           /* With both given, either will do. */
           (flags & VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN ||
            refuse_agent(flags, VIR_DOMAIN_SHUTDOWN_GUEST_AGENT, err)) &&
           guest_ask_shutdown(guest, guest_live(guest)->on_poweroff == LIFECYCLE_ACTION_RESTART,
                              err);
}

static bool
qemu_domain_shutdown(Call *call, const RemoteDomainShutdownArgs *args, GError **err)
{
    return shut_down(call, &args->dom, 0, err);
}

static bool
qemu_domain_shutdown_flags(Call *call, const RemoteDomainShutdownFlagsArgs *args, GError **err)
{
    return shut_down(call, &args->dom, args->flags, err);
}

static bool
qemu_domain_reboot(Call *call, const RemoteDomainRebootArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    return guest &&
           qemu_check_flags(call, args->flags,
                            VIR_DOMAIN_REBOOT_ACPI_POWER_BTN | VIR_DOMAIN_REBOOT_GUEST_AGENT,
                            err) &&
           guest_require_running(guest, err) &&
           (args->flags & VIR_DOMAIN_REBOOT_ACPI_POWER_BTN ||
            refuse_agent(args->flags, VIR_DOMAIN_REBOOT_GUEST_AGENT, err)) &&
           guest_ask_shutdown(guest, true, err);
}

static bool
qemu_domain_reset(Call *call, const RemoteDomainResetArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    if (!guest || !qemu_check_flags(call, args->flags, 0, err) ||
        !guest_require_running(guest, err) ||
        !qmp_run(guest->emulator->qmp, "system_reset", NULL, err))
        return false;
    guest->is_fake_reboot = false;
    if (guest->state == VIR_DOMAIN_CRASHED) {
        guest_set_state(guest, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED);
        guest_changed(guest);
    }
    return true;
}

static bool
qemu_domain_suspend(Call *call, const RemoteDomainSuspendArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    if (!guest || !guest_require_running(guest, err))
        return false;
    if (guest->state == VIR_DOMAIN_PMSUSPENDED)
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain is pmsuspended");
    return guest->state == VIR_DOMAIN_PAUSED || guest_pause(guest, VIR_DOMAIN_PAUSED_USER, err);
}

static bool
qemu_domain_resume(Call *call, const RemoteDomainResumeArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    if (!guest || !guest_require_running(guest, err))
        return false;
    if (guest->state == VIR_DOMAIN_PMSUSPENDED)
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain is pmsuspended");
    if (guest->state == VIR_DOMAIN_RUNNING)
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain is already running");
    if (guest->state == VIR_DOMAIN_CRASHED || guest->has_shut_down)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "domain is in state '%s' and can only be reset or destroyed",
                    guest->has_shut_down ? "shutdown" : "crashed");
    return guest_resume(guest, VIR_DOMAIN_RUNNING_UNPAUSED, err);
}

void
qemu_lifecycle_slots(DriverSlots *slots)
{
    slots->domain_create = qemu_domain_create;
    slots->domain_create_with_flags = qemu_domain_create_with_flags;
    slots->domain_create_xml = qemu_domain_create_xml;
    slots->domain_destroy = qemu_domain_destroy;
    slots->domain_destroy_flags = qemu_domain_destroy_flags;
    slots->domain_shutdown = qemu_domain_shutdown;
    slots->domain_shutdown_flags = qemu_domain_shutdown_flags;
    slots->domain_reboot = qemu_domain_reboot;
    slots->domain_reset = qemu_domain_reset;
    slots->domain_suspend = qemu_domain_suspend;
    slots->domain_resume = qemu_domain_resume;
}
