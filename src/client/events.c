/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See events.h. The daemon is told only of the first and the last subscriber for an event and object: each such pair is a
 * Feed, with the daemon's callback id, and hands its messages to all its subscribers. */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include "client/events.h"

#include <string.h>

#include <libvirt/libvirt-qemu.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "client/admin_private.h"
#include "client/report.h"
#include "client/stub_convert.h"

typedef struct {
    const ApiEvent *event;
    void *object; /* the first subscriber's; NULL: all objects */
    int remote_id;
    char *monitor_event;
    guint monitor_flags;
    GPtrArray *subscribers;
} Feed;

struct Subscriptions {
    GMutex lock; /* of the list; never held while the program or the daemon is called */
    GPtrArray *feeds;
    GMutex
        change_lock; /* held through registering and deregistering with the daemon, so that the two do not cross */
    int next_id;
    int n_opening; /* registrations under way */
    GQueue
        strays; /* of WireMessage: came while a registration was under way, for nobody known yet */
};

/* ---- subscribers and feeds ---- */

static void
subscriber_unref(void *opaque)
{
    Subscriber *subscriber = opaque;

    if (!g_atomic_int_dec_and_test(&subscriber->refs))
        return;
    if (subscriber->free_func)
        subscriber->free_func(subscriber->opaque);
    client_object_unref(subscriber->object);
    g_free(subscriber->monitor_event);
    g_free(subscriber);
}

static Subscriber *
subscriber_ref(Subscriber *subscriber)
{
    g_atomic_int_inc(&subscriber->refs);
    return subscriber;
}

static void
feed_free(void *opaque)
{
    Feed *feed = opaque;

    g_ptr_array_unref(feed->subscribers);
    g_free(feed->monitor_event);
    g_free(feed);
}

Subscriptions *
client_subscriptions_new(void)
{
    Subscriptions *subscriptions = g_new0(Subscriptions, 1);

    g_mutex_init(&subscriptions->lock);
    g_mutex_init(&subscriptions->change_lock);
    subscriptions->feeds = g_ptr_array_new_with_free_func(feed_free);
    return subscriptions;
}

void
client_subscriptions_free(Subscriptions *subscriptions)
{
    g_ptr_array_unref(subscriptions->feeds);
    g_queue_clear_full(&subscriptions->strays, (GDestroyNotify)wire_message_free);
    g_mutex_clear(&subscriptions->lock);
    g_mutex_clear(&subscriptions->change_lock);
    g_free(subscriptions);
}

static bool
same_object(const void *a, const void *b)
{
    const ClientObject *left = a, *right = b;

    if (!left || !right)
        return left == right;
    return uuid_equal(left->uuid, right->uuid) && g_strcmp0(left->name, right->name) == 0;
}

static Feed *
find_feed(Subscriptions *subscriptions, const Subscriber *subscriber)
{
    for (guint i = 0; i < subscriptions->feeds->len; i++) {
        Feed *feed = subscriptions->feeds->pdata[i];
        if (feed->event == subscriber->event && same_object(feed->object, subscriber->object) &&
            g_strcmp0(feed->monitor_event, subscriber->monitor_event) == 0 &&
            feed->monitor_flags == subscriber->monitor_flags)
            return feed;
    }
    return NULL;
}

static Feed *
feed_of_id(Subscriptions *subscriptions, int id, ApiEventClass cls, guint *index)
{
    for (guint i = 0; i < subscriptions->feeds->len; i++) {
        Feed *feed = subscriptions->feeds->pdata[i];
        for (guint k = 0; feed->event->cls == cls && k < feed->subscribers->len; k++) {
            if (((Subscriber *)feed->subscribers->pdata[k])->id != id)
                continue;
            *index = k;
            return feed;
        }
    }
    return NULL;
}

/* ---- telling the daemon ---- */

/* Registration arguments: class by class the same idea, an optional object and the event's number. */
typedef union {
    RemoteConnectDomainEventCallbackRegisterAnyArgs domain;
    RemoteConnectNetworkEventRegisterAnyArgs network;
    RemoteConnectStoragePoolEventRegisterAnyArgs pool;
    RemoteConnectNodeDeviceEventRegisterAnyArgs nodedev;
    RemoteConnectSecretEventRegisterAnyArgs secret;
    QemuConnectDomainMonitorEventRegisterArgs monitor;
} RegisterArgs;

typedef union {
    RemoteNonnullDomain domain;
    RemoteNonnullNetwork network;
    RemoteNonnullStoragePool pool;
    RemoteNonnullNodeDevice nodedev;
    RemoteNonnullSecret secret;
} WireObject;

static void
fill_register_args(const Subscriber *subscriber, RegisterArgs *args, WireObject *wire,
                   char **monitor_event)
{
    void *object = subscriber->object;
    int id = subscriber->event->id;

    memset(args, 0, sizeof *args);
    switch (subscriber->event->cls) {
    case API_EVENT_CLASS_DOMAIN:
        args->domain.eventID = id;
        if (object) {
            client_domain_to_wire(object, &wire->domain);
            args->domain.dom = &wire->domain;
        }
        break;
    case API_EVENT_CLASS_NETWORK:
        args->network.eventID = id;
        if (object) {
            client_network_to_wire(object, &wire->network);
            args->network.net = &wire->network;
        }
        break;
    case API_EVENT_CLASS_STORAGE_POOL:
        args->pool.eventID = id;
        if (object) {
            client_pool_to_wire(object, &wire->pool);
            args->pool.pool = &wire->pool;
        }
        break;
    case API_EVENT_CLASS_NODE_DEVICE:
        args->nodedev.eventID = id;
        if (object) {
            client_nodedev_to_wire(object, &wire->nodedev);
            args->nodedev.dev = &wire->nodedev;
        }
        break;
    case API_EVENT_CLASS_SECRET:
        args->secret.eventID = id;
        if (object) {
            client_secret_to_wire(object, &wire->secret);
            args->secret.secret = &wire->secret;
        }
        break;
    default:
        args->monitor.flags = subscriber->monitor_flags;
        args->monitor.event = *monitor_event;
        if (object) {
            client_domain_to_wire(object, &wire->domain);
            args->monitor.dom = &wire->domain;
        }
    }
}

static bool
register_remote(ClientConn *conn, const Subscriber *subscriber, int *remote_id, GError **err)
{
    const ApiProc *proc = api_event_classes[subscriber->event->cls].register_proc;
    /* Every registration answers with its callback id alone. */
    RemoteConnectDomainEventCallbackRegisterAnyRet ret = {0};
    RegisterArgs args;
    WireObject wire;
    char *monitor_event = subscriber->monitor_event;

    if (subscriber->event->cls == API_EVENT_CLASS_DOMAIN && !conn->filters_events) {
        RemoteConnectDomainEventRegisterAnyArgs old = {.eventID = subscriber->event->id};
        *remote_id = -1;
        return client_call(conn, API_PROC(REMOTE_CONNECT_DOMAIN_EVENT_REGISTER_ANY), &old, NULL,
                           err);
    }
    fill_register_args(subscriber, &args, &wire, &monitor_event);
    if (!client_call(conn, proc, &args, &ret, err))
        return false;
    *remote_id = ret.callbackID;
    return true;
}

static bool
deregister_remote(ClientConn *conn, const ApiEvent *event, int remote_id, GError **err)
{
    /* Every deregistration takes the callback id alone. */
    RemoteConnectDomainEventCallbackDeregisterAnyArgs args = {.callbackID = remote_id};

    if (event->cls == API_EVENT_CLASS_DOMAIN && !conn->filters_events) {
        RemoteConnectDomainEventDeregisterAnyArgs old = {.eventID = event->id};
        return client_call(conn, API_PROC(REMOTE_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY), &old, NULL,
                           err);
    }
    return client_call(conn, api_event_classes[event->cls].deregister_proc, &args, NULL, err);
}

/* ---- subscribe and unsubscribe ---- */

/* The daemon may send a message right behind the reply that names the feed, and another thread may read it before the feed
 * is in the list. Such a message waits among the strays, and is handed out again when the feed is there. */
static void
begin_opening(Subscriptions *subscriptions)
{
    g_mutex_lock(&subscriptions->lock);
    subscriptions->n_opening++;
    g_mutex_unlock(&subscriptions->lock);
}

static void
end_opening(ClientConn *conn)
{
    Subscriptions *subscriptions = conn->subscriptions;
    GQueue strays;

    g_mutex_lock(&subscriptions->lock);
    subscriptions->n_opening--;
    strays = subscriptions->strays;
    g_queue_init(&subscriptions->strays);
    g_mutex_unlock(&subscriptions->lock);
    link_give_back_events(conn->link, &strays);
}

static Feed *
open_feed(ClientConn *conn, Subscriber *subscriber, GError **err)
{
    int remote_id = -1;
    Feed *feed;

    if (!register_remote(conn, subscriber, &remote_id, err))
        return NULL;
    feed = g_new0(Feed, 1);
    feed->event = subscriber->event;
    feed->object = subscriber->object;
    feed->monitor_event = g_strdup(subscriber->monitor_event);
    feed->monitor_flags = subscriber->monitor_flags;
    feed->subscribers = g_ptr_array_new_with_free_func(subscriber_unref);
    feed->remote_id = remote_id;
    g_mutex_lock(&conn->subscriptions->lock);
    g_ptr_array_add(conn->subscriptions->feeds, feed);
    g_mutex_unlock(&conn->subscriptions->lock);
    return feed;
}

static bool
is_already_there(const Feed *feed, const Subscriber *subscriber)
{
    for (guint i = 0; i < feed->subscribers->len; i++) {
        const Subscriber *other = feed->subscribers->pdata[i];
        if (other->is_classic == subscriber->is_classic && other->func == subscriber->func &&
            (other->is_classic || other->opaque == subscriber->opaque))
            return true;
    }
    return false;
}

static int
add_subscriber(ClientConn *conn, Subscriber *take_subscriber, GError **err)
{
    Subscriptions *subscriptions = conn->subscriptions;
    Subscriber *subscriber = take_subscriber;
    Feed *feed;
    int id = -1;

    if (!link_is_watched(conn->link)) {
        fail(err, VIR_ERR_INTERNAL_ERROR,
             "events need an event loop, which must be registered before the connection "
             "is opened");
    } else {
        g_mutex_lock(&subscriptions->change_lock);
        begin_opening(subscriptions);
        g_mutex_lock(&subscriptions->lock);
        feed = find_feed(subscriptions, subscriber);
        g_mutex_unlock(&subscriptions->lock);
        if (feed && is_already_there(feed, subscriber))
            error_set(err, VIR_FROM_NONE, VIR_ERR_INVALID_ARG, "event callback already tracked");
        else if (feed || (feed = open_feed(conn, subscriber, err))) {
            g_mutex_lock(&subscriptions->lock);
            id = subscriber->id = subscriptions->next_id++;
            g_ptr_array_add(feed->subscribers, g_steal_pointer(&subscriber));
            g_mutex_unlock(&subscriptions->lock);
        }
        end_opening(conn);
        g_mutex_unlock(&subscriptions->change_lock);
    }
    if (subscriber) {
        subscriber->free_func = NULL; /* on failure the program keeps what it gave */
        subscriber_unref(subscriber);
    }
    return id;
}

static bool
remove_subscriber(ClientConn *conn, ApiEventClass cls, int id, GError **err)
{
    Subscriptions *subscriptions = conn->subscriptions;
    Subscriber *subscriber = NULL;
    const ApiEvent *event = NULL;
    int remote_id = -1;
    bool was_last = false, is_good = true;
    guint index;

    g_mutex_lock(&subscriptions->change_lock);
    g_mutex_lock(&subscriptions->lock);
    Feed *feed = feed_of_id(subscriptions, id, cls, &index);
    if (feed) {
        subscriber = subscriber_ref(feed->subscribers->pdata[index]);
        g_ptr_array_remove_index(feed->subscribers, index);
        event = feed->event;
        remote_id = feed->remote_id;
        was_last = feed->subscribers->len == 0;
        if (was_last)
            g_ptr_array_remove(subscriptions->feeds, feed);
        else if (feed->object == subscriber->object)
            feed->object = ((Subscriber *)feed->subscribers->pdata[0])->object;
    }
    g_mutex_unlock(&subscriptions->lock);
    if (!subscriber)
        is_good = error_set(err, VIR_FROM_NONE, VIR_ERR_INVALID_ARG,
                            "event callback id %d not registered", id);
    else if (was_last)
        is_good = deregister_remote(conn, event, remote_id, err);
    g_mutex_unlock(&subscriptions->change_lock);
    if (subscriber)
        subscriber_unref(subscriber);
    return is_good;
}

static Subscriber *
new_subscriber(const ApiEvent *event, void *object, EventFunc func, void *opaque,
               virFreeCallback free_func)
{
    Subscriber *subscriber = g_new0(Subscriber, 1);

    subscriber->refs = 1;
    subscriber->event = event;
    subscriber->object = object ? client_object_ref(object) : NULL;
    subscriber->func = func;
    subscriber->opaque = opaque;
    subscriber->free_func = free_func;
    return subscriber;
}

int
client_subscribe(ClientConn *conn, ApiEventClass cls, int event_id, void *object, EventFunc func,
                 void *opaque, virFreeCallback free_func, const char *function)
{
    g_autoptr(GError) err = NULL;
    const ApiEvent *event = event_id >= 0 ? api_event_find(cls, event_id) : NULL;
    int id = -1;

    if (client_need(func, "cb", function, &err)) {
        if (!event)
            client_fail_argument(&err, "eventID", function, "be a known event");
        else if (object && client_conn_of(client_object_conn(object)) != conn)
            fail(&err, VIR_ERR_INVALID_ARG, "objects of two connections were given to %s",
                 function);
        else
            id = add_subscriber(conn, new_subscriber(event, object, func, opaque, free_func), &err);
    }
    return id >= 0 ? id : client_fail_int(conn, err);
}

int
client_subscribe_monitor(ClientConn *conn, virDomainPtr domain, const char *name, EventFunc func,
                         void *opaque, virFreeCallback free_func, unsigned int flags,
                         const char *function)
{
    g_autoptr(GError) err = NULL;
    Subscriber *subscriber;
    int id;

    if (!client_need(func, "cb", function, &err))
        return client_fail_int(conn, err);
    subscriber = new_subscriber(api_event_find(API_EVENT_CLASS_QEMU_MONITOR, 0), domain, func,
                                opaque, free_func);
    subscriber->monitor_event = g_strdup(name);
    subscriber->monitor_flags = flags;
    id = add_subscriber(conn, subscriber, &err);
    return id >= 0 ? id : client_fail_int(conn, err);
}

int
client_unsubscribe(ClientConn *conn, ApiEventClass cls, int callback_id, const char *function)
{
    g_autoptr(GError) err = NULL;

    if (!client_need_nonnegative(callback_id, "callbackID", function, &err) ||
        !remove_subscriber(conn, cls, callback_id, &err))
        return client_fail_int(conn, err);
    return 0;
}

/* ---- what comes in ---- */

static bool
is_for(const Feed *feed, const ApiEvent *event, bool is_legacy, int remote_id, const void *message)
{
    if (feed->event != event)
        return false;
    if (!is_legacy)
        return feed->remote_id == remote_id;
    /* Old messages go to everybody: those that asked for one domain are served by comparing. */
    const RemoteNonnullDomain *domain =
        (const void *)((const char *)message + event->object_offset);
    return !feed->object || uuid_equal(((ClientObject *)feed->object)->uuid, domain->uuid);
}

/* Who is to hear of @message; nobody while a registration is under way: *@is_stray. */
static GPtrArray *
collect(Subscriptions *subscriptions, const ApiEvent *event, bool is_legacy, const void *message,
        bool *is_stray)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(subscriber_unref);
    gint32 remote_id = 0;

    memcpy(&remote_id, message, sizeof remote_id);
    g_mutex_lock(&subscriptions->lock);
    for (guint i = 0; i < subscriptions->feeds->len; i++) {
        Feed *feed = subscriptions->feeds->pdata[i];
        if (!is_for(feed, event, is_legacy, remote_id, message))
            continue;
        for (guint k = 0; k < feed->subscribers->len; k++)
            g_ptr_array_add(found, subscriber_ref(feed->subscribers->pdata[k]));
    }
    *is_stray = found->len == 0 && subscriptions->n_opening > 0;
    g_mutex_unlock(&subscriptions->lock);
    return found;
}

/* Decode into the form with callback id; an old message lies inside it. */
static void *
decode(const ApiEvent *event, bool is_legacy, const WireMessage *wire, GError **err)
{
    gsize len;
    const guchar *payload = wire_message_payload(wire, &len);
    char *message = codec_new(event->proc->args);
    bool is_good = is_legacy ? codec_decode(event->legacy->args, payload, len,
                                            message + event->legacy_offset, err)
                             : codec_decode(event->proc->args, payload, len, message, err);

    if (is_good)
        return message;
    codec_free_boxed(event->proc->args, message);
    return NULL;
}

/* The driver behind the daemon lost its hypervisor: the same notice as for a lost daemon. */
static void
close_announced(ClientConn *conn, const WireMessage *wire)
{
    RemoteConnectEventConnectionClosedMsg message = {0};
    gsize len;
    const guchar *payload = wire_message_payload(wire, &len);

    if (codec_decode(CODEC(RemoteConnectEventConnectionClosedMsg), payload, len, &message, NULL))
        client_on_closed(conn, message.reason);
}

static void
keep_stray(ClientConn *conn, WireMessage *take_wire)
{
    Subscriptions *subscriptions = conn->subscriptions;
    GQueue again = G_QUEUE_INIT;

    g_mutex_lock(&subscriptions->lock);
    if (subscriptions->n_opening > 0)
        g_queue_push_tail(&subscriptions->strays, take_wire);
    else
        g_queue_push_tail(&again, take_wire);
    g_mutex_unlock(&subscriptions->lock);
    link_give_back_events(conn->link, &again);
}

void
client_on_event(void *owner, WireMessage *take_message)
{
    ClientConn *conn = owner;
    g_autoptr(WireMessage) wire = take_message;
    g_autoptr(GError) err = NULL;
    g_autoptr(GPtrArray) subscribers = NULL;
    guint32 version;
    const ApiProc *proc = api_proc_find(wire->header.program, wire->header.procedure, &version);
    const ApiEvent *event = proc ? api_event_of_proc(proc) : NULL;
    bool is_legacy = event && event->legacy == proc, is_stray;
    void *message;

    if (event && event->cls == API_EVENT_CLASS_CLOSE) {
        close_announced(conn, wire);
        return;
    }
    if (!event) {
        log_debug(LOG_CLIENT, "message %u/%d was dropped", wire->header.program,
                  wire->header.procedure);
        return;
    }
    message = decode(event, is_legacy, wire, &err);
    if (!message) {
        log_warning(LOG_CLIENT, "event %s was dropped: %s", event->name, err->message);
        return;
    }
    subscribers = collect(conn->subscriptions, event, is_legacy, message, &is_stray);
    for (guint i = 0; i < subscribers->len; i++)
        client_event_call(conn, subscribers->pdata[i], message);
    codec_free_boxed(event->proc->args, message);
    if (is_stray)
        keep_stray(conn, g_steal_pointer(&wire));
}

/* ---- the end of the connection ---- */

void
client_on_closed(void *owner, int reason)
{
    ClientConn *conn = owner;
    virConnectCloseFunc func;
    void *data;
    virFreeCallback free_func;

    g_mutex_lock(&conn->lock);
    func = conn->close_func;
    data = conn->close_data;
    free_func = conn->close_free;
    conn->close_func = NULL;
    conn->close_free = NULL;
    g_mutex_unlock(&conn->lock);
    if (func)
        func(client_conn_public(conn), reason, data);
    if (free_func)
        free_func(data);
}

/* The daemon tells of hypervisors that go away, if it is asked to; a loss of the daemon itself needs no asking. */
static bool
watch_hypervisor(ClientConn *conn, bool on, GError **err)
{
    if (!conn->notifies_close)
        return true;
    return client_call(conn,
                       on ? API_PROC(REMOTE_CONNECT_REGISTER_CLOSE_CALLBACK)
                          : API_PROC(REMOTE_CONNECT_UNREGISTER_CLOSE_CALLBACK),
                       NULL, NULL, err);
}

int
client_set_close_callback(ClientConn *conn, virConnectCloseFunc func, void *data,
                          virFreeCallback free_func, const char *function)
{
    g_autoptr(GError) err = NULL;
    bool is_good = client_need(func, "cb", function, &err);

    if (is_good && !link_is_watched(conn->link))
        is_good = fail(&err, VIR_ERR_INTERNAL_ERROR,
                       "a close callback needs an event loop, which must be registered "
                       "before the connection is opened");
    g_mutex_lock(&conn->lock);
    if (is_good && conn->close_func)
        is_good = fail(&err, VIR_ERR_OPERATION_INVALID, "A close callback is already registered");
    if (is_good) {
        conn->close_func = func;
        conn->close_data = data;
        conn->close_free = free_func;
    }
    g_mutex_unlock(&conn->lock);
    if (is_good && !watch_hypervisor(conn, true, &err)) {
        is_good = false;
        g_mutex_lock(&conn->lock);
        conn->close_func = NULL;
        conn->close_free = NULL;
        g_mutex_unlock(&conn->lock);
    }
    return is_good ? 0 : client_fail_int(conn, err);
}

int
client_unset_close_callback(ClientConn *conn, virConnectCloseFunc func, const char *function)
{
    g_autoptr(GError) err = NULL;
    virFreeCallback free_func = NULL;
    void *data = NULL;
    bool is_good;

    g_mutex_lock(&conn->lock);
    is_good = (func && conn->close_func == func) ||
              fail(&err, VIR_ERR_OPERATION_INVALID, "A different callback was requested");
    if (is_good) {
        free_func = conn->close_free;
        data = conn->close_data;
        conn->close_func = NULL;
        conn->close_free = NULL;
    }
    g_mutex_unlock(&conn->lock);
    if (free_func)
        free_func(data);
    /* What the daemon says to this does not matter: nobody listens any more. */
    if (is_good)
        watch_hypervisor(conn, false, NULL);
    return is_good ? 0 : client_fail_int(conn, err);
}

int
client_conn_is_alive(ClientConn *conn)
{
    return link_is_alive(conn->link);
}

const char *
client_conn_uri(ClientConn *conn)
{
    return conn->uri;
}

/* ---- the public functions ---- */

int
virConnectRegisterCloseCallback(virConnectPtr public, virConnectCloseFunc cb, void *opaque,
                                virFreeCallback freecb)
{
    ClientConn *conn = client_enter_connect(public, __func__);

    return conn ? client_set_close_callback(conn, cb, opaque, freecb, __func__) : -1;
}

int
virConnectUnregisterCloseCallback(virConnectPtr public, virConnectCloseFunc cb)
{
    ClientConn *conn = client_enter_connect(public, __func__);

    return conn ? client_unset_close_callback(conn, cb, __func__) : -1;
}

/* The oldest form: the callback itself is what it is found by. With subscriptions->lock. */
static Subscriber *
find_classic(Subscriptions *subscriptions, virConnectDomainEventCallback cb)
{
    for (guint i = 0; i < subscriptions->feeds->len; i++) {
        Feed *feed = subscriptions->feeds->pdata[i];
        for (guint k = 0; k < feed->subscribers->len; k++) {
            Subscriber *subscriber = feed->subscribers->pdata[k];
            if (subscriber->is_classic && subscriber->func == (EventFunc)cb)
                return subscriber;
        }
    }
    return NULL;
}

int
virConnectDomainEventRegister(virConnectPtr public, virConnectDomainEventCallback cb, void *opaque,
                              virFreeCallback freecb)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    g_autoptr(GError) err = NULL;
    const ApiEvent *event = api_event_find(API_EVENT_CLASS_DOMAIN, VIR_DOMAIN_EVENT_ID_LIFECYCLE);
    Subscriber *subscriber;

    if (!conn)
        return -1;
    if (!client_need(cb, "cb", __func__, &err))
        return client_fail_int(conn, err);
    subscriber = new_subscriber(event, NULL, (EventFunc)cb, opaque, freecb);
    subscriber->is_classic = true;
    return add_subscriber(conn, subscriber, &err) >= 0 ? 0 : client_fail_int(conn, err);
}

int
virConnectDomainEventDeregister(virConnectPtr public, virConnectDomainEventCallback cb)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    g_autoptr(GError) err = NULL;
    Subscriber *subscriber;
    int id;

    if (!conn)
        return -1;
    g_mutex_lock(&conn->subscriptions->lock);
    subscriber = find_classic(conn->subscriptions, cb);
    id = subscriber ? subscriber->id : -1;
    g_mutex_unlock(&conn->subscriptions->lock);
    if (id < 0)
        error_set(&err, VIR_FROM_NONE, VIR_ERR_INVALID_ARG,
                  "event callback function %p not registered", (void *)cb);
    return id >= 0 && remove_subscriber(conn, API_EVENT_CLASS_DOMAIN, id, &err)
               ? 0
               : client_fail_int(conn, err);
}

/* @Object: the optional object that narrows the events; checked before its connection is looked at. */
#define DEFINE_CLASS(Prefix, CLS, Object, KIND, Callback)                                       \
    int Prefix##EventRegisterAny(virConnectPtr public, Object object, int eventID, Callback cb, \
                                 void *opaque, virFreeCallback freecb)                          \
    {                                                                                           \
        ClientConn *conn = client_enter_connect(public, __func__);                              \
        g_autoptr(GError) err = NULL;                                                           \
        if (!conn)                                                                              \
            return -1;                                                                          \
        if (object && !client_object_check(object, KIND, __func__, &err))                       \
            return client_fail_int(conn, err);                                                  \
        return client_subscribe(conn, CLS, eventID, object, (EventFunc)cb, opaque, freecb,      \
                                __func__);                                                      \
    }                                                                                           \
    int Prefix##EventDeregisterAny(virConnectPtr public, int callbackID)                        \
    {                                                                                           \
        ClientConn *conn = client_enter_connect(public, __func__);                              \
        return conn ? client_unsubscribe(conn, CLS, callbackID, __func__) : -1;                 \
    }

DEFINE_CLASS(virConnectDomain, API_EVENT_CLASS_DOMAIN, virDomainPtr, KIND_DOMAIN,
             virConnectDomainEventGenericCallback)
DEFINE_CLASS(virConnectNetwork, API_EVENT_CLASS_NETWORK, virNetworkPtr, KIND_NETWORK,
             virConnectNetworkEventGenericCallback)
DEFINE_CLASS(virConnectStoragePool, API_EVENT_CLASS_STORAGE_POOL, virStoragePoolPtr,
             KIND_STORAGE_POOL, virConnectStoragePoolEventGenericCallback)
DEFINE_CLASS(virConnectNodeDevice, API_EVENT_CLASS_NODE_DEVICE, virNodeDevicePtr, KIND_NODE_DEVICE,
             virConnectNodeDeviceEventGenericCallback)
DEFINE_CLASS(virConnectSecret, API_EVENT_CLASS_SECRET, virSecretPtr, KIND_SECRET,
             virConnectSecretEventGenericCallback)
