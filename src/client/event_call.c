/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See events.h: one function an event, which knows the message's fields and the callback's type. */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include <libvirt/libvirt-qemu.h>

#include "base/log.h"
#include "client/events.h"
#include "client/stub_convert.h"
#include "client/typed.h"

/* The object that the event is about, for the time of the call. */
static void
free_domain(virDomainPtr *domain)
{
    client_object_unref(*domain);
}

#define auto_domain __attribute__((cleanup(free_domain)))

/* In a `CALL`: conn, dom and opaque are what every callback begins and ends with. */
#define BEGIN(Message, wire_domain)                                               \
    const Message *m = message;                                                   \
    virConnectPtr public = client_conn_public(conn);                              \
    auto_domain virDomainPtr dom = client_domain_from_wire(conn, &(wire_domain)); \
    void *opaque = subscriber->opaque

#define FUNC(Type) ((Type)subscriber->func)

static void
call_lifecycle(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackLifecycleMsg, m->msg.dom);
    FUNC(virConnectDomainEventCallback)(public, dom, m->msg.event, m->msg.detail, opaque);
}

/* Reboot and control error carry nothing but the domain, at the same place. */
static void
call_plain(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackRebootMsg, m->msg.dom);
    FUNC(virConnectDomainEventGenericCallback)(public, dom, opaque);
}

static void
call_rtc_change(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackRtcChangeMsg, m->msg.dom);
    FUNC(virConnectDomainEventRTCChangeCallback)(public, dom, m->msg.offset, opaque);
}

static void
call_watchdog(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackWatchdogMsg, m->msg.dom);
    FUNC(virConnectDomainEventWatchdogCallback)(public, dom, m->msg.action, opaque);
}

static void
call_io_error(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackIoErrorMsg, m->msg.dom);
    FUNC(virConnectDomainEventIOErrorCallback)
    (public, dom, m->msg.srcPath, m->msg.devAlias, m->msg.action, opaque);
}

static void
call_io_error_reason(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackIoErrorReasonMsg, m->msg.dom);
    FUNC(virConnectDomainEventIOErrorReasonCallback)
    (public, dom, m->msg.srcPath, m->msg.devAlias, m->msg.action, m->msg.reason, opaque);
}

static void
call_graphics(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackGraphicsMsg, m->msg.dom);
    guint32 n = m->msg.subject.count;
    g_autofree virDomainEventGraphicsSubjectIdentity *identities =
        g_new0(virDomainEventGraphicsSubjectIdentity, n + 1);
    virDomainEventGraphicsAddress local = {m->msg.local.family, m->msg.local.node,
                                           m->msg.local.service};
    virDomainEventGraphicsAddress remote = {m->msg.remote.family, m->msg.remote.node,
                                            m->msg.remote.service};
    virDomainEventGraphicsSubject subject = {(int)n, identities};

    for (guint32 i = 0; i < n; i++) {
        identities[i].type = m->msg.subject.items[i].type;
        identities[i].name = m->msg.subject.items[i].name;
    }
    FUNC(virConnectDomainEventGraphicsCallback)
    (public, dom, m->msg.phase, &local, &remote, m->msg.authScheme, &subject, opaque);
}

static void
call_block_job(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackBlockJobMsg, m->msg.dom);
    FUNC(virConnectDomainEventBlockJobCallback)
    (public, dom, m->msg.path, m->msg.type, m->msg.status, opaque);
}

static void
call_block_job_2(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventBlockJob2Msg, m->dom);
    FUNC(virConnectDomainEventBlockJobCallback)(public, dom, m->dst, m->type, m->status, opaque);
}

static void
call_disk_change(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackDiskChangeMsg, m->msg.dom);
    FUNC(virConnectDomainEventDiskChangeCallback)
    (public, dom, m->msg.oldSrcPath, m->msg.newSrcPath, m->msg.devAlias, m->msg.reason, opaque);
}

static void
call_tray_change(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackTrayChangeMsg, m->msg.dom);
    FUNC(virConnectDomainEventTrayChangeCallback)
    (public, dom, m->msg.devAlias, m->msg.reason, opaque);
}

/* Wake-up, suspend and suspend to disk have messages of one shape. */
static void
call_pm(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackPmwakeupMsg, m->msg.dom);
    FUNC(virConnectDomainEventPMWakeupCallback)(public, dom, m->reason, opaque);
}

static void
call_balloon_change(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackBalloonChangeMsg, m->msg.dom);
    FUNC(virConnectDomainEventBalloonChangeCallback)(public, dom, m->msg.actual, opaque);
}

static void
call_device_removed(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackDeviceRemovedMsg, m->msg.dom);
    FUNC(virConnectDomainEventDeviceRemovedCallback)(public, dom, m->msg.devAlias, opaque);
}

/* Device added and removal failed have messages of one shape. */
static void
call_device(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackDeviceAddedMsg, m->dom);
    FUNC(virConnectDomainEventDeviceAddedCallback)(public, dom, m->devAlias, opaque);
}

/* Tunables and completed jobs have messages of one shape. */
static void
call_params(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackTunableMsg, m->dom);
    virTypedParameterPtr params = NULL;
    g_autoptr(GError) err = NULL;

    if (!stub_params_new(&params, m->params.items, m->params.count, &err)) {
        log_warning(LOG_CLIENT, "an event was dropped: %s", err->message);
        return;
    }
    FUNC(virConnectDomainEventTunableCallback)(public, dom, params, m->params.count, opaque);
    typed_free(params, m->params.count);
}

static void
call_agent_lifecycle(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackAgentLifecycleMsg, m->dom);
    FUNC(virConnectDomainEventAgentLifecycleCallback)(public, dom, m->state, m->reason, opaque);
}

static void
call_migration_iteration(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackMigrationIterationMsg, m->dom);
    FUNC(virConnectDomainEventMigrationIterationCallback)(public, dom, m->iteration, opaque);
}

static void
call_metadata_change(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventCallbackMetadataChangeMsg, m->dom);
    const char *uri = m->nsuri;
    FUNC(virConnectDomainEventMetadataChangeCallback)(public, dom, m->type, uri, opaque);
}

static void
call_block_threshold(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventBlockThresholdMsg, m->dom);
    FUNC(virConnectDomainEventBlockThresholdCallback)
    (public, dom, m->dev, m->path, m->threshold, m->excess, opaque);
}

static void
call_memory_failure(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventMemoryFailureMsg, m->dom);
    FUNC(virConnectDomainEventMemoryFailureCallback)
    (public, dom, m->recipient, m->action, m->flags, opaque);
}

static void
call_memory_device_size(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventMemoryDeviceSizeChangeMsg, m->dom);
    FUNC(virConnectDomainEventMemoryDeviceSizeChangeCallback)
    (public, dom, m->alias, m->size, opaque);
}

static void
call_nic_mac_change(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(RemoteDomainEventNicMacChangeMsg, m->dom);
    FUNC(virConnectDomainEventNICMACChangeCallback)
    (public, dom, m->alias, m->oldMAC, m->newMAC, opaque);
}

static void
call_qemu_monitor(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    BEGIN(QemuDomainMonitorEventMsg, m->dom);
    FUNC(virConnectDomainQemuMonitorEventCallback)
    (public, dom, m->event, m->seconds, m->micros, m->details, opaque);
}

/* ---- other objects ---- */

static void
call_network_lifecycle(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    const RemoteNetworkEventLifecycleMsg *m = message;
    virNetworkPtr net = client_network_from_wire(conn, &m->net);

    FUNC(virConnectNetworkEventLifecycleCallback)
    (client_conn_public(conn), net, m->event, m->detail, subscriber->opaque);
    client_object_unref(net);
}

static void
call_network_metadata(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    const RemoteNetworkEventCallbackMetadataChangeMsg *m = message;
    virNetworkPtr net = client_network_from_wire(conn, &m->net);

    FUNC(virConnectNetworkEventMetadataChangeCallback)
    (client_conn_public(conn), net, m->type, m->nsuri, subscriber->opaque);
    client_object_unref(net);
}

static void
call_pool(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    const RemoteStoragePoolEventLifecycleMsg *m = message;
    virStoragePoolPtr pool = client_pool_from_wire(conn, &m->pool);

    if (subscriber->event->id == VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE)
        FUNC(virConnectStoragePoolEventLifecycleCallback)
    (client_conn_public(conn), pool, m->event, m->detail, subscriber->opaque);
    else FUNC(virConnectStoragePoolEventGenericCallback)(client_conn_public(conn), pool,
                                                         subscriber->opaque);
    client_object_unref(pool);
}

static void
call_nodedev(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    const RemoteNodeDeviceEventLifecycleMsg *m = message;
    virNodeDevicePtr device = client_nodedev_from_wire(conn, &m->dev);

    if (subscriber->event->id == VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE)
        FUNC(virConnectNodeDeviceEventLifecycleCallback)
    (client_conn_public(conn), device, m->event, m->detail, subscriber->opaque);
    else FUNC(virConnectNodeDeviceEventGenericCallback)(client_conn_public(conn), device,
                                                        subscriber->opaque);
    client_object_unref(device);
}

static void
call_secret(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    const RemoteSecretEventLifecycleMsg *m = message;
    virSecretPtr secret = client_secret_from_wire(conn, &m->secret);

    if (subscriber->event->id == VIR_SECRET_EVENT_ID_LIFECYCLE)
        FUNC(virConnectSecretEventLifecycleCallback)
    (client_conn_public(conn), secret, m->event, m->detail, subscriber->opaque);
    else FUNC(virConnectSecretEventGenericCallback)(client_conn_public(conn), secret,
                                                    subscriber->opaque);
    client_object_unref(secret);
}

typedef void (*EventCall)(ClientConn *conn, const Subscriber *subscriber, const void *message);

static const EventCall domain_calls[] = {
    [VIR_DOMAIN_EVENT_ID_LIFECYCLE] = call_lifecycle,
    [VIR_DOMAIN_EVENT_ID_REBOOT] = call_plain,
    [VIR_DOMAIN_EVENT_ID_RTC_CHANGE] = call_rtc_change,
    [VIR_DOMAIN_EVENT_ID_WATCHDOG] = call_watchdog,
    [VIR_DOMAIN_EVENT_ID_IO_ERROR] = call_io_error,
    [VIR_DOMAIN_EVENT_ID_GRAPHICS] = call_graphics,
    [VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON] = call_io_error_reason,
    [VIR_DOMAIN_EVENT_ID_CONTROL_ERROR] = call_plain,
    [VIR_DOMAIN_EVENT_ID_BLOCK_JOB] = call_block_job,
    [VIR_DOMAIN_EVENT_ID_DISK_CHANGE] = call_disk_change,
    [VIR_DOMAIN_EVENT_ID_TRAY_CHANGE] = call_tray_change,
    [VIR_DOMAIN_EVENT_ID_PMWAKEUP] = call_pm,
    [VIR_DOMAIN_EVENT_ID_PMSUSPEND] = call_pm,
    [VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE] = call_balloon_change,
    [VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK] = call_pm,
    [VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED] = call_device_removed,
    [VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2] = call_block_job_2,
    [VIR_DOMAIN_EVENT_ID_TUNABLE] = call_params,
    [VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE] = call_agent_lifecycle,
    [VIR_DOMAIN_EVENT_ID_DEVICE_ADDED] = call_device,
    [VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION] = call_migration_iteration,
    [VIR_DOMAIN_EVENT_ID_JOB_COMPLETED] = call_params,
    [VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED] = call_device,
    [VIR_DOMAIN_EVENT_ID_METADATA_CHANGE] = call_metadata_change,
    [VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD] = call_block_threshold,
    [VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE] = call_memory_failure,
    [VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE] = call_memory_device_size,
    [VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE] = call_nic_mac_change,
};

static EventCall
find_call(const ApiEvent *event)
{
    switch (event->cls) {
    case API_EVENT_CLASS_DOMAIN:
        return event->id >= 0 && event->id < (int)G_N_ELEMENTS(domain_calls)
                   ? domain_calls[event->id]
                   : NULL;
    case API_EVENT_CLASS_NETWORK:
        return event->id == VIR_NETWORK_EVENT_ID_LIFECYCLE ? call_network_lifecycle
                                                           : call_network_metadata;
    case API_EVENT_CLASS_STORAGE_POOL:
        return call_pool;
    case API_EVENT_CLASS_NODE_DEVICE:
        return call_nodedev;
    case API_EVENT_CLASS_SECRET:
        return call_secret;
    case API_EVENT_CLASS_QEMU_MONITOR:
        return call_qemu_monitor;
    default:
        return NULL;
    }
}

void
client_event_call(ClientConn *conn, const Subscriber *subscriber, const void *message)
{
    EventCall call = find_call(subscriber->event);

    if (call)
        call(conn, subscriber, message);
}
