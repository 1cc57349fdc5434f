/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an emulator says without being asked, and what the driver makes of it. Everything here runs on the guest's strand.
 * See emulator.h for who gets an event first. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/events.h"

#include <string.h>

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/plug.h"
#include "driver/qemu/lifecycle.h"
#include "object/events.h"

void
guest_fill_wire(const Guest *guest, RemoteNonnullDomain *dom)
{
    dom->name = g_strdup(guest->name);
    memcpy(dom->uuid, guest->uuid, 16);
    dom->id = guest->emulator ? guest->emulator->id : -1;
}

void
guest_view_fill_wire(const GuestView *view, RemoteNonnullDomain *dom)
{
    dom->name = g_strdup(view->view.name);
    memcpy(dom->uuid, view->view.uuid, 16);
    dom->id = view->view.id;
}

static bool
is_wanted(const Guest *guest, int id)
{
    return events_is_wanted(guest->qemu->driver->events, API_EVENT_CLASS_DOMAIN, id);
}

static void
emit(Guest *guest, int id, void *take_message)
{
    events_emit(guest->qemu->driver->events, API_EVENT_CLASS_DOMAIN, id, guest->uuid, NULL,
                take_message);
}

void
guest_emit_lifecycle(Guest *guest, int event, int detail)
{
    RemoteDomainEventCallbackLifecycleMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_LIFECYCLE))
        return;
    message = g_new0(RemoteDomainEventCallbackLifecycleMsg, 1);
    guest_fill_wire(guest, &message->msg.dom);
    message->msg.event = event;
    message->msg.detail = detail;
    emit(guest, VIR_DOMAIN_EVENT_ID_LIFECYCLE, message);
}

void
guest_emit_reboot(Guest *guest)
{
    RemoteDomainEventCallbackRebootMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_REBOOT))
        return;
    message = g_new0(RemoteDomainEventCallbackRebootMsg, 1);
    guest_fill_wire(guest, &message->msg.dom);
    emit(guest, VIR_DOMAIN_EVENT_ID_REBOOT, message);
}

void
guest_emit_metadata_change(Guest *guest, int type, const char *uri)
{
    RemoteDomainEventCallbackMetadataChangeMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE))
        return;
    message = g_new0(RemoteDomainEventCallbackMetadataChangeMsg, 1);
    guest_fill_wire(guest, &message->dom);
    message->type = type;
    message->nsuri = g_strdup(uri);
    emit(guest, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, message);
}

void
guest_emit_device_removed(Guest *guest, const char *alias)
{
    RemoteDomainEventCallbackDeviceRemovedMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED))
        return;
    message = g_new0(RemoteDomainEventCallbackDeviceRemovedMsg, 1);
    guest_fill_wire(guest, &message->msg.dom);
    message->msg.devAlias = g_strdup(alias);
    emit(guest, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, message);
}

void
guest_emit_device_added(Guest *guest, const char *alias)
{
    RemoteDomainEventCallbackDeviceAddedMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED))
        return;
    message = g_new0(RemoteDomainEventCallbackDeviceAddedMsg, 1);
    guest_fill_wire(guest, &message->dom);
    message->devAlias = g_strdup(alias);
    emit(guest, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, message);
}

void
guest_emit_agent(Guest *guest, int state, int reason)
{
    RemoteDomainEventCallbackAgentLifecycleMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE))
        return;
    message = g_new0(RemoteDomainEventCallbackAgentLifecycleMsg, 1);
    guest_fill_wire(guest, &message->dom);
    message->state = state;
    message->reason = reason;
    emit(guest, VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, message);
}

static bool
is_agent(const Channel *channel)
{
    return channel->target.type == CHANNEL_TARGET_TYPE_VIRTIO &&
           !g_strcmp0(channel->target.name, "org.qemu.guest_agent.0");
}

void
guest_emit_agents(Guest *guest, int reason)
{
    const Domain *live = guest_live(guest);

    for (gsize i = 0; i < live->n_channels; i++)
        if (is_agent(live->channels[i]))
            guest_emit_agent(guest,
                             live->channels[i]->target.state == CHANNEL_STATE_CONNECTED
                                 ? VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
                                 : VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
                             reason);
}

/* ---- handlers ---- */

static const char *
text_of(const Json *data, const char *key)
{
    return json_string_value(json_object_get(data, key));
}

static void
on_stop(Guest *guest, const Json *data)
{
    int detail = VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;
    int reason = guest->pause_reason;

    guest->pause_reason = VIR_DOMAIN_PAUSED_UNKNOWN;
    if (guest->state != VIR_DOMAIN_RUNNING || guest->has_shut_down)
        return;
    if (reason == VIR_DOMAIN_PAUSED_IOERROR)
        detail = VIR_DOMAIN_EVENT_SUSPENDED_IOERROR;
    else if (reason == VIR_DOMAIN_PAUSED_WATCHDOG)
        detail = VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG;
    guest_set_state(guest, VIR_DOMAIN_PAUSED, reason);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_SUSPENDED, detail);
}

static void
on_resume(Guest *guest, const Json *data)
{
    if (guest->state != VIR_DOMAIN_PAUSED)
        return;
    guest_set_state(guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static void
on_shutdown(Guest *guest, const Json *data)
{
    const Json *by_guest = json_object_get(data, "guest");
    int detail = !by_guest                ? VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED
                 : json_is_true(by_guest) ? VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
                                          : VIR_DOMAIN_EVENT_SHUTDOWN_HOST;

    if (guest->has_shut_down)
        return;
    guest->has_shut_down = true;
    guest_set_state(guest, VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_SHUTDOWN, detail);
    if (g_atomic_int_get(&guest->stop_reason) < 0)
        guest_finish_shutdown(guest);
}

static void
on_reset(Guest *guest, const Json *data)
{
    guest_emit_reboot(guest);
}

static void
on_rtc_change(Guest *guest, const Json *data)
{
    RemoteDomainEventCallbackRtcChangeMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_RTC_CHANGE))
        return;
    message = g_new0(RemoteDomainEventCallbackRtcChangeMsg, 1);
    guest_fill_wire(guest, &message->msg.dom);
    message->msg.offset = json_integer_value(json_object_get(data, "offset"));
    emit(guest, VIR_DOMAIN_EVENT_ID_RTC_CHANGE, message);
}

static void
on_watchdog(Guest *guest, const Json *data)
{
    static const char *const words[] = {"none",     "pause", "reset",     "poweroff",
                                        "shutdown", "debug", "inject-nmi"};
    const char *action = text_of(data, "action");
    RemoteDomainEventCallbackWatchdogMsg *message = g_new0(RemoteDomainEventCallbackWatchdogMsg, 1);

    guest_fill_wire(guest, &message->msg.dom);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (!g_strcmp0(action, words[i]))
            message->msg.action = (int)i;
    if (message->msg.action == VIR_DOMAIN_EVENT_WATCHDOG_PAUSE)
        guest->pause_reason = VIR_DOMAIN_PAUSED_WATCHDOG;
    emit(guest, VIR_DOMAIN_EVENT_ID_WATCHDOG, message);
}

/* The disk whose device or node an event names. */
static const Disk *
find_disk(const Domain *live, const char *device, const char *node)
{
    for (gsize i = 0; i < live->n_disks; i++) {
        const Disk *disk = live->disks[i];
        g_autofree char *format = node_format_name(disk->source.index);

        if ((node && !strcmp(node, format)) ||
            (device && *device && disk->info.alias_name && strstr(device, disk->info.alias_name)))
            return disk;
    }
    return NULL;
}

static void
on_io_error(Guest *guest, const Json *data)
{
    const Disk *disk =
        find_disk(guest_live(guest), text_of(data, "device"), text_of(data, "node-name"));
    const char *word = text_of(data, "action");
    const char *path = disk ? disk_source_path(disk->type, &disk->source) : NULL;
    const char *alias = disk && disk->info.alias_name ? disk->info.alias_name : "";
    int action = !g_strcmp0(word, "stop")     ? VIR_DOMAIN_EVENT_IO_ERROR_PAUSE
                 : !g_strcmp0(word, "report") ? VIR_DOMAIN_EVENT_IO_ERROR_REPORT
                                              : VIR_DOMAIN_EVENT_IO_ERROR_NONE;
    RemoteDomainEventCallbackIoErrorMsg *message = g_new0(RemoteDomainEventCallbackIoErrorMsg, 1);
    RemoteDomainEventCallbackIoErrorReasonMsg *with_reason =
        g_new0(RemoteDomainEventCallbackIoErrorReasonMsg, 1);

    if (action == VIR_DOMAIN_EVENT_IO_ERROR_PAUSE)
        guest->pause_reason = VIR_DOMAIN_PAUSED_IOERROR;
    log_warning(LOG_QEMU, "%s: disk %s: I/O error%s", guest->name, disk ? disk->target.dev : "?",
                action == VIR_DOMAIN_EVENT_IO_ERROR_PAUSE ? ", the guest is paused" : "");
    guest_fill_wire(guest, &message->msg.dom);
    message->msg.srcPath = g_strdup(path ? path : "");
    message->msg.devAlias = g_strdup(alias);
    message->msg.action = action;
    guest_fill_wire(guest, &with_reason->msg.dom);
    with_reason->msg.srcPath = g_strdup(path ? path : "");
    with_reason->msg.devAlias = g_strdup(alias);
    with_reason->msg.action = action;
    with_reason->msg.reason =
        g_strdup(json_is_true(json_object_get(data, "nospace")) ? "enospc" : "");
    emit(guest, VIR_DOMAIN_EVENT_ID_IO_ERROR, message);
    emit(guest, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, with_reason);
}

static void
on_deleted(Guest *guest, const Json *data)
{
    if (text_of(data, "device"))
        plug_device_gone(guest, text_of(data, "device"));
}

static void
on_tray(Guest *guest, const Json *data)
{
    bool is_open = json_is_true(json_object_get(data, "tray-open"));
    const char *id = text_of(data, "id");
    g_autoptr(Domain) live = domain_copy(guest_live(guest));
    RemoteDomainEventCallbackTrayChangeMsg *message;

    for (gsize i = 0; i < live->n_disks; i++) {
        Disk *disk = live->disks[i];

        if (!disk->info.alias_name || g_strcmp0(disk->info.alias_name, id) != 0)
            continue;
        disk->target.tray = is_open ? DISK_TRAY_OPEN : DISK_TRAY_UNSET;
        message = g_new0(RemoteDomainEventCallbackTrayChangeMsg, 1);
        guest_fill_wire(guest, &message->msg.dom);
        message->msg.devAlias = g_strdup(disk->info.alias_name);
        message->msg.reason =
            is_open ? VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN : VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE;
        emit(guest, VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, message);
        guest_set_live(guest, g_steal_pointer(&live));
        guest_changed(guest);
        return;
    }
}

static void
on_balloon(Guest *guest, const Json *data)
{
    guint64 actual_kib = (guint64)json_integer_value(json_object_get(data, "actual")) / 1024;
    Domain *live = domain_copy(guest_live(guest));
    RemoteDomainEventCallbackBalloonChangeMsg *message =
        g_new0(RemoteDomainEventCallbackBalloonChangeMsg, 1);

    live->current_memory = actual_kib;
    live->has_current_memory = true;
    guest_set_live(guest, live);
    guest_changed(guest);
    guest_fill_wire(guest, &message->msg.dom);
    message->msg.actual = actual_kib;
    emit(guest, VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, message);
}

static void
on_panicked(Guest *guest, const Json *data)
{
    log_warning(LOG_QEMU, "%s: the guest's system has panicked", guest->name);
    emulator_log_line(guest, "panic");
    guest_set_state(guest, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
    guest_finish_panic(guest);
}

static void
on_suspend(Guest *guest, const Json *data)
{
    RemoteDomainEventCallbackPmsuspendMsg *message =
        g_new0(RemoteDomainEventCallbackPmsuspendMsg, 1);

    guest_set_state(guest, VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN);
    guest_changed(guest);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_PMSUSPENDED, VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY);
    guest_fill_wire(guest, &message->msg.dom);
    emit(guest, VIR_DOMAIN_EVENT_ID_PMSUSPEND, message);
}

static void
on_wakeup(Guest *guest, const Json *data)
{
    RemoteDomainEventCallbackPmwakeupMsg *message = g_new0(RemoteDomainEventCallbackPmwakeupMsg, 1);

    if (guest->state == VIR_DOMAIN_PMSUSPENDED) {
        guest_set_state(guest, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_WAKEUP);
        guest_changed(guest);
        guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_WAKEUP);
    }
    guest_fill_wire(guest, &message->msg.dom);
    emit(guest, VIR_DOMAIN_EVENT_ID_PMWAKEUP, message);
}

static void
on_port_change(Guest *guest, const Json *data)
{
    bool is_open = json_is_true(json_object_get(data, "open"));
    const char *id = text_of(data, "id");
    g_autoptr(Domain) live = domain_copy(guest_live(guest));

    for (gsize i = 0; i < live->n_channels; i++) {
        Channel *channel = live->channels[i];
        ChannelState state = is_open ? CHANNEL_STATE_CONNECTED : CHANNEL_STATE_DISCONNECTED;
        bool was_agent = is_agent(channel);

        if (g_strcmp0(channel->info.alias_name, id) != 0 || channel->target.state == state)
            continue;
        channel->target.state = state;
        guest_set_live(guest, g_steal_pointer(&live));
        guest_changed(guest);
        if (was_agent)
            guest_emit_agent(guest,
                             is_open ? VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
                                     : VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
                             VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL);
        return;
    }
}

static void
fill_address(RemoteDomainEventGraphicsAddress *address, const Json *data)
{
    const char *family = text_of(data, "family");

    address->family = !g_strcmp0(family, "ipv6")   ? VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6
                      : !g_strcmp0(family, "unix") ? VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX
                                                   : VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV4;
    address->node = g_strdup(text_of(data, "host") ? text_of(data, "host") : "");
    address->service = g_strdup(text_of(data, "service") ? text_of(data, "service") : "");
}

static void
emit_graphics(Guest *guest, int phase, const Json *data)
{
    const Json *server = json_object_get(data, "server");
    RemoteDomainEventCallbackGraphicsMsg *message;

    if (!is_wanted(guest, VIR_DOMAIN_EVENT_ID_GRAPHICS))
        return;
    message = g_new0(RemoteDomainEventCallbackGraphicsMsg, 1);
    guest_fill_wire(guest, &message->msg.dom);
    message->msg.phase = phase;
    fill_address(&message->msg.local, server);
    fill_address(&message->msg.remote, json_object_get(data, "client"));
    message->msg.authScheme = g_strdup(text_of(server, "auth") ? text_of(server, "auth") : "");
    emit(guest, VIR_DOMAIN_EVENT_ID_GRAPHICS, message);
}

static void
on_vnc_connected(Guest *guest, const Json *data)
{
    emit_graphics(guest, VIR_DOMAIN_EVENT_GRAPHICS_CONNECT, data);
}

static void
on_vnc_initialized(Guest *guest, const Json *data)
{
    emit_graphics(guest, VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE, data);
}

static void
on_vnc_disconnected(Guest *guest, const Json *data)
{
    emit_graphics(guest, VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT, data);
}

static const struct {
    const char *event;
    void (*handle)(Guest *guest, const Json *data);
} handlers[] = {
    {"STOP", on_stop},
    {"RESUME", on_resume},
    {"SHUTDOWN", on_shutdown},
    {"RESET", on_reset},
    {"RTC_CHANGE", on_rtc_change},
    {"WATCHDOG", on_watchdog},
    {"BLOCK_IO_ERROR", on_io_error},
    {"DEVICE_TRAY_MOVED", on_tray},
    {"DEVICE_DELETED", on_deleted},
    {"BALLOON_CHANGE", on_balloon},
    {"GUEST_PANICKED", on_panicked},
    {"SUSPEND", on_suspend},
    {"WAKEUP", on_wakeup},
    {"VSERPORT_CHANGE", on_port_change},
    {"VNC_CONNECTED", on_vnc_connected},
    {"VNC_INITIALIZED", on_vnc_initialized},
    {"VNC_DISCONNECTED", on_vnc_disconnected},
};

/* Whoever asked for raw monitor events gets all of them. */
static void
emit_monitor_event(Guest *guest, const char *event, const Json *data, gint64 wall_us)
{
    EventHub *hub = guest->qemu->driver->events;
    QemuDomainMonitorEventMsg *message;
    char *details;

    if (!events_is_wanted(hub, API_EVENT_CLASS_QEMU_MONITOR, 0))
        return;
    message = g_new0(QemuDomainMonitorEventMsg, 1);
    guest_fill_wire(guest, &message->dom);
    message->event = g_strdup(event);
    message->seconds = wall_us / G_USEC_PER_SEC;
    message->micros = (guint32)(wall_us % G_USEC_PER_SEC);
    if (data) {
        details = json_dumps(data, JSON_COMPACT);
        message->details = g_strdup(details);
        free(details);
    }
    events_emit(hub, API_EVENT_CLASS_QEMU_MONITOR, 0, guest->uuid, event, message);
}

void
emulator_handle_event(Emulator *borrowed, const char *event, const Json *data, gint64 wall_us)
{
    /* A handler may be the end of both. */
    g_autoptr(Emulator) emulator = emulator_ref(borrowed);
    g_autoptr(Guest) guest = guest_ref(emulator->guest);

    if (!event)
        emulator->monitor_is_closed = true;
    emulator_tell_listeners(emulator, event, data);
    if (guest->emulator != emulator)
        return;
    if (!event) {
        guest_check_ended(guest);
        return;
    }
    emit_monitor_event(guest, event, data, wall_us);
    for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
        if (!strcmp(event, handlers[i].event) && guest->emulator == emulator)
            handlers[i].handle(guest, data);
}
