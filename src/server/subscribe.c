/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See subscribe.h. The list of a client's subscriptions belongs to the loop's thread; what an emitting thread uses of one is
 * set before it is subscribed and freed after it is unsubscribed. */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include "server/subscribe.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "wire/codec.h"

#define SUBSCRIPTIONS_MAX 4096
/* Events carry serial 1. */
#define EVENT_SERIAL 1

typedef struct {
    Client *client; /* a reference */
    EventHub *hub;
    guint number; /* the hub's */
    gint32 callback_id;
    ApiEventClass cls;
    gint32 event_id;
    bool is_legacy; /* messages without callback id */
} Subscription;

static void
subscription_free(void *opaque)
{
    Subscription *subscription = opaque;

    client_unref(subscription->client);
    g_free(subscription);
}

void
subscribe_free_message(ApiEventClass cls, int id, void *message)
{
    const ApiEvent *event = api_event_find(cls, id);

    if (event)
        codec_free_boxed(event->proc->args, message);
}

/* The bytes of an event, made by the first who needs them. NULL: it cannot be encoded. */
static GBytes *
event_bytes(Event *event, const ApiEvent *info, bool is_legacy)
{
    GBytes **kept = is_legacy ? &event->encoded_legacy : &event->encoded;
    const CodecType *type = is_legacy ? info->legacy->args : info->proc->args;
    const char *message = (const char *)event->message + (is_legacy ? info->legacy_offset : 0);
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) error = NULL;
    GBytes *result = NULL;

    g_mutex_lock(&event->lock);
    if (!*kept) {
        bytes = g_byte_array_new();
        if (codec_encode(type, message, bytes, &error))
            *kept = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
        else
            log_error(LOG_RPC, "event %s: %s", info->name, error->message);
    }
    if (*kept)
        result = g_bytes_ref(*kept);
    g_mutex_unlock(&event->lock);
    return result;
}

/* On the thread that emits. */
static void
subscription_send(Event *event, void *opaque)
{
    const Subscription *subscription = opaque;
    const ApiEvent *info = api_event_find(event->cls, event->id);
    const ApiProc *proc = subscription->is_legacy ? info->legacy : info->proc;
    g_autoptr(GBytes) bytes = event_bytes(event, info, subscription->is_legacy);
    const guint32 callback_id = GUINT32_TO_BE((guint32)subscription->callback_id);
    WireMessage *message;

    if (!bytes)
        return;
    message = wire_message_new(proc->program, 1, proc->number, WIRE_MESSAGE, EVENT_SERIAL, WIRE_OK);
    g_byte_array_append(message->bytes, g_bytes_get_data(bytes, NULL),
                        (guint)g_bytes_get_size(bytes));
    if (!subscription->is_legacy)
        memcpy(message->bytes->data + WIRE_HEADER_BYTES, &callback_id, sizeof callback_id);
    client_send(subscription->client, message);
}

/* Register; the callback id, or 0 with @err. */
static gint32
subscribe(ServerCall *call, const EventFilter *filter, bool is_legacy, GError **err)
{
    Client *client = call->client;
    EventHub *hub = driver_events(call->call.conn->driver, filter->cls);
    Subscription *subscription;

    if (!api_event_find(filter->cls, filter->id)) {
        fail(err, VIR_ERR_INVALID_ARG, "unsupported event ID %d", filter->id);
        return 0;
    }
    if (!client->subscriptions)
        client->subscriptions = g_ptr_array_new();
    if (client->subscriptions->len >= SUBSCRIPTIONS_MAX) {
        fail(err, VIR_ERR_RESOURCE_BUSY, "this connection has %d event subscriptions already",
             SUBSCRIPTIONS_MAX);
        return 0;
    }
    subscription = g_new0(Subscription, 1);
    subscription->client = client_ref(client);
    subscription->hub = hub;
    subscription->callback_id = (gint32)++client->last_callback_id;
    subscription->cls = filter->cls;
    subscription->event_id = filter->id;
    subscription->is_legacy = is_legacy;
    subscription->number =
        events_subscribe(hub, filter, subscription_send, subscription, subscription_free, err);
    if (!subscription->number) {
        subscription_free(subscription);
        return 0;
    }
    g_ptr_array_add(client->subscriptions, subscription);
    return subscription->callback_id;
}

/* The place of a subscription in its client's list; -1: there is none. */
static int
find_subscription(Client *client, ApiEventClass cls, bool is_legacy, gint32 id)
{
    for (guint i = 0; client->subscriptions && i < client->subscriptions->len; i++) {
        const Subscription *subscription = client->subscriptions->pdata[i];

        if (subscription->cls == cls && subscription->is_legacy == is_legacy &&
            id == (is_legacy ? subscription->event_id : subscription->callback_id))
            return (int)i;
    }
    return -1;
}

static void
drop_at(Client *client, guint place)
{
    Subscription *subscription = g_ptr_array_remove_index_fast(client->subscriptions, place);

    events_unsubscribe(subscription->hub, subscription->number);
}

void
subscribe_drop_all(Client *client)
{
    while (client->subscriptions && client->subscriptions->len > 0)
        drop_at(client, client->subscriptions->len - 1);
    g_clear_pointer(&client->subscriptions, g_ptr_array_unref);
}

/* With callback ids ------------------------------------------------------------------------------------------------ */

/* One registration function for each class; only how the object is named differs. */
#define DEFINE_SUBSCRIBE(word, CLASS, ArgsType, RetType, object, how)                    \
    bool subscribe_##word(ServerCall *call, const void *args_, void *ret_, GError **err) \
    {                                                                                    \
        const ArgsType *args = args_;                                                    \
        RetType *ret = ret_;                                                             \
        EventFilter filter = {.cls = API_EVENT_CLASS_##CLASS, .id = args->eventID};      \
                                                                                         \
        if (args->object)                                                                \
            filter.how;                                                                  \
        ret->callbackID = subscribe(call, &filter, false, err);                          \
        return ret->callbackID != 0;                                                     \
    }

DEFINE_SUBSCRIBE(domain, DOMAIN, RemoteConnectDomainEventCallbackRegisterAnyArgs,
                 RemoteConnectDomainEventCallbackRegisterAnyRet, dom, uuid = args->dom->uuid)
DEFINE_SUBSCRIBE(network, NETWORK, RemoteConnectNetworkEventRegisterAnyArgs,
                 RemoteConnectNetworkEventRegisterAnyRet, net, uuid = args->net->uuid)
DEFINE_SUBSCRIBE(storage_pool, STORAGE_POOL, RemoteConnectStoragePoolEventRegisterAnyArgs,
                 RemoteConnectStoragePoolEventRegisterAnyRet, pool, uuid = args->pool->uuid)
DEFINE_SUBSCRIBE(node_device, NODE_DEVICE, RemoteConnectNodeDeviceEventRegisterAnyArgs,
                 RemoteConnectNodeDeviceEventRegisterAnyRet, dev, key = args->dev->name)
DEFINE_SUBSCRIBE(secret, SECRET, RemoteConnectSecretEventRegisterAnyArgs,
                 RemoteConnectSecretEventRegisterAnyRet, secret, uuid = args->secret->uuid)

bool
subscribe_monitor(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const QemuConnectDomainMonitorEventRegisterArgs *args = args_;
    QemuConnectDomainMonitorEventRegisterRet *ret = ret_;
    const guint32 known = VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX |
                          VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE;
    const EventFilter filter = {
        .cls = API_EVENT_CLASS_QEMU_MONITOR,
        .uuid = args->dom ? args->dom->uuid : NULL,
        .key = args->event,
        .key_is_regex = (args->flags & VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX) != 0,
        .key_ignores_case =
            (args->flags & VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE) != 0,
    };

    if (args->flags & ~known)
        return fail(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)", args->flags & ~known);
    ret->callbackID = subscribe(call, &filter, false, err);
    return ret->callbackID != 0;
}

/* All deregistrations carry one number and nothing else. */
G_STATIC_ASSERT(sizeof(RemoteConnectDomainEventCallbackDeregisterAnyArgs) == sizeof(gint32));
G_STATIC_ASSERT(sizeof(RemoteConnectNetworkEventDeregisterAnyArgs) == sizeof(gint32));
G_STATIC_ASSERT(sizeof(RemoteConnectStoragePoolEventDeregisterAnyArgs) == sizeof(gint32));
G_STATIC_ASSERT(sizeof(RemoteConnectNodeDeviceEventDeregisterAnyArgs) == sizeof(gint32));
G_STATIC_ASSERT(sizeof(RemoteConnectSecretEventDeregisterAnyArgs) == sizeof(gint32));
G_STATIC_ASSERT(sizeof(QemuConnectDomainMonitorEventDeregisterArgs) == sizeof(gint32));

bool
subscribe_drop(ServerCall *call, const void *args, void *ret, GError **err)
{
    const gint32 callback_id = *(const gint32 *)args;

    for (ApiEventClass cls = 0; cls < API_N_EVENT_CLASSES; cls++) {
        const int place = api_event_classes[cls].deregister_proc == call->call.proc
                              ? find_subscription(call->client, cls, false, callback_id)
                              : -1;

        if (place >= 0) {
            drop_at(call->client, (guint)place);
            return true;
        }
    }
    return fail(err, VIR_ERR_INVALID_ARG, "no event callback has the number %d here", callback_id);
}

/* The older forms --------------------------------------------------------------------------------------------------- */

static bool
legacy_add(ServerCall *call, gint32 event_id, GError **err)
{
    const EventFilter filter = {.cls = API_EVENT_CLASS_DOMAIN, .id = event_id};
    const ApiEvent *info = api_event_find(API_EVENT_CLASS_DOMAIN, event_id);

    if (!info || !info->legacy)
        return fail(err, VIR_ERR_INVALID_ARG, "event ID %d has no message of the old form",
                    event_id);
    if (find_subscription(call->client, API_EVENT_CLASS_DOMAIN, true, event_id) >= 0)
        return fail(err, VIR_ERR_INVALID_ARG, "domain event %d already registered", event_id);
    return subscribe(call, &filter, true, err) != 0;
}

static bool
legacy_drop(ServerCall *call, gint32 event_id, GError **err)
{
    const int place = find_subscription(call->client, API_EVENT_CLASS_DOMAIN, true, event_id);

    if (place < 0)
        return fail(err, VIR_ERR_INVALID_ARG, "domain event %d not registered", event_id);
    drop_at(call->client, (guint)place);
    return true;
}

bool
subscribe_legacy_lifecycle(ServerCall *call, const void *args, void *ret, GError **err)
{
    return legacy_add(call, VIR_DOMAIN_EVENT_ID_LIFECYCLE, err);
}

bool
subscribe_drop_legacy_lifecycle(ServerCall *call, const void *args, void *ret, GError **err)
{
    return legacy_drop(call, VIR_DOMAIN_EVENT_ID_LIFECYCLE, err);
}

bool
subscribe_legacy(ServerCall *call, const void *args, void *ret, GError **err)
{
    return legacy_add(call, ((const RemoteConnectDomainEventRegisterAnyArgs *)args)->eventID, err);
}

bool
subscribe_drop_legacy(ServerCall *call, const void *args, void *ret, GError **err)
{
    return legacy_drop(call, ((const RemoteConnectDomainEventDeregisterAnyArgs *)args)->eventID,
                       err);
}

/* The connection's end ---------------------------------------------------------------------------------------------- */

static bool
set_wants_close(ServerCall *call, bool wants, GError **err)
{
    Client *client = call->client;
    bool did_want;

    g_mutex_lock(&client->lock);
    did_want = client->wants_close_event;
    client->wants_close_event = wants;
    g_mutex_unlock(&client->lock);
    if (did_want == wants)
        return fail(err, VIR_ERR_INVALID_ARG, "a close callback is %s registered",
                    wants ? "already" : "not");
    return true;
}

bool
subscribe_close(ServerCall *call, const void *args, void *ret, GError **err)
{
    return set_wants_close(call, true, err);
}

bool
subscribe_drop_close(ServerCall *call, const void *args, void *ret, GError **err)
{
    return set_wants_close(call, false, err);
}

void
subscribe_say_closed(DriverConn *conn, int reason, void *opaque)
{
    Client *client = opaque;
    const ApiProc *proc = API_PROC(REMOTE_CONNECT_EVENT_CONNECTION_CLOSED);
    const RemoteConnectEventConnectionClosedMsg message = {.reason = reason};
    WireMessage *packet =
        wire_message_new(proc->program, 1, proc->number, WIRE_MESSAGE, EVENT_SERIAL, WIRE_OK);
    bool is_wanted;

    g_mutex_lock(&client->lock);
    is_wanted = client->wants_close_event;
    g_mutex_unlock(&client->lock);
    if (is_wanted && codec_encode(proc->args, &message, packet->bytes, NULL))
        client_send(client, packet);
    else
        wire_message_free(packet);
}
