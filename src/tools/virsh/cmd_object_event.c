/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of networks, pools, devices and secrets. They are few and alike: a table says how each kind registers, and which events
 * it has. Events of domains are in cmd_event.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/watch.h"

typedef int (*Register)(virConnectPtr conn, void *object, int id, void (*callback)(void),
                        void *opaque, virFreeCallback release);

typedef struct {
    const char *name;
    int id;
    void (*callback)(void);
} Event;

typedef struct {
    const ObjectKind *kind;
    const char *what; /* "storage pool" */
    const char *key;
    Register begin;
    int (*end)(virConnectPtr conn, int id);
    const char *const *words; /* of lifecycle events */
    guint n_words;
    const Event *events;
    gsize n_events;
} EventSource;

typedef struct {
    Watch watch;
    const EventSource *source;
    const Event *event;
} Subscription;

static void
on_lifecycle(virConnectPtr conn, void *object, int event, int detail, void *opaque)
{
    Subscription *subscription = opaque;
    const EventSource *source = subscription->source;

    watch_report(&subscription->watch, subscription->event->name, source->what, source->key,
                 source->kind->name(object),
                 event >= 0 && event < (int)source->n_words ? source->words[event] : "unknown");
}

static void
on_generic(virConnectPtr conn, void *object, void *opaque)
{
    Subscription *subscription = opaque;
    const EventSource *source = subscription->source;

    watch_report(&subscription->watch, subscription->event->name, source->what, source->key,
                 source->kind->name(object), "");
}

#define LIFECYCLE ((void (*)(void))on_lifecycle)
#define GENERIC ((void (*)(void))on_generic)

static const char *const network_words[] = {"Defined", "Undefined", "Started", "Stopped"};
static const Event network_events[] = {{"lifecycle", VIR_NETWORK_EVENT_ID_LIFECYCLE, LIFECYCLE}};
static const char *const pool_words[] = {"Defined", "Undefined", "Started",
                                         "Stopped", "Created",   "Deleted"};
static const Event pool_events[] = {
    {"lifecycle", VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, LIFECYCLE},
    {"refresh", VIR_STORAGE_POOL_EVENT_ID_REFRESH, GENERIC},
};
static const char *const device_words[] = {"Created", "Deleted", "Defined", "Undefined"};
static const Event device_events[] = {
    {"lifecycle", VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE, LIFECYCLE},
    {"update", VIR_NODE_DEVICE_EVENT_ID_UPDATE, GENERIC},
};
static const char *const secret_words[] = {"Defined", "Undefined"};
static const Event secret_events[] = {
    {"lifecycle", VIR_SECRET_EVENT_ID_LIFECYCLE, LIFECYCLE},
    {"value-changed", VIR_SECRET_EVENT_ID_VALUE_CHANGED, GENERIC},
};

#define SOURCE(kind, what, key, api, words, events)                                  \
    {                                                                                \
        kind, what, key, (Register)virConnect##api##EventRegisterAny,                \
            virConnect##api##EventDeregisterAny, words, G_N_ELEMENTS(words), events, \
            G_N_ELEMENTS(events)                                                     \
    }

static const EventSource network_source = SOURCE(&network_kind, "network", "network", Network,
                                                 network_words, network_events),
                         pool_source = SOURCE(&pool_kind, "storage pool", "pool", StoragePool,
                                              pool_words, pool_events),
                         device_source = SOURCE(&nodedev_kind, "node device", "device", NodeDevice,
                                                device_words, device_events),
                         secret_source = SOURCE(&secret_kind, "secret", "secret", Secret,
                                                secret_words, secret_events);

static bool
cmd_object_event(Shell *shell, const Args *args)
{
    const EventSource *source = args_detail(args);
    const char *name = args_text(args, "event");
    Subscription subscription = {watch_of(shell, args), source, NULL};
    void *object = NULL;

    if (args_has(args, "list")) {
        for (gsize i = 0; i < source->n_events; i++)
            shell_print(shell, "%s\n", source->events[i].name);
        return true;
    }
    if (!name)
        return shell_fail(shell, "either --list or --event <type> is required");
    for (gsize i = 0; i < source->n_events; i++) {
        if (g_str_equal(source->events[i].name, name))
            subscription.event = &source->events[i];
    }
    if (!subscription.event)
        return shell_fail(shell, "unknown event type %s", name);
    if (args_has(args, source->kind->option) && !(object = args_object(shell, args, source->kind)))
        return false;
    int id = source->begin(shell_connection(shell), object, subscription.event->id,
                           subscription.event->callback, &subscription, NULL);
    if (object)
        source->kind->release(object);
    if (id < 0)
        return false;
    bool good = watch_run(&subscription.watch, args);
    source->end(shell_connection(shell), id);
    return good;
}

static const Option network_options[] = {
    TEXT_OF("network", complete_network, "name or uuid of the network; none: any"),
    CHOICE("event", "lifecycle", "which kind of event"),
    WATCH_OPTIONS,
    END_OF_OPTIONS,
};
static const Option pool_options[] = {
    TEXT_OF("pool", complete_pool, "name or uuid of the pool; none: any"),
    CHOICE("event", "lifecycle,refresh", "which kind of event"),
    WATCH_OPTIONS,
    END_OF_OPTIONS,
};
static const Option device_options[] = {
    TEXT_OF("device", complete_nodedev, "name of the device; none: any"),
    CHOICE("event", "lifecycle,update", "which kind of event"),
    WATCH_OPTIONS,
    END_OF_OPTIONS,
};
static const Option secret_options[] = {
    TEXT_OF("secret", complete_secret, "uuid of the secret; none: any"),
    CHOICE("event", "lifecycle,value-changed", "which kind of event"),
    WATCH_OPTIONS,
    END_OF_OPTIONS,
};

const Command network_event_commands[] = {
    {"net-event", cmd_object_event, network_options, "print events of networks as they happen",
     COMMAND_JSON, NULL, &network_source},
    {0},
};
const Command pool_event_commands[] = {
    {"pool-event", cmd_object_event, pool_options, "print events of pools as they happen",
     COMMAND_JSON, NULL, &pool_source},
    {0},
};
const Command nodedev_event_commands[] = {
    {"nodedev-event", cmd_object_event, device_options,
     "print events of the host's devices as they happen", COMMAND_JSON, NULL, &device_source},
    {0},
};
const Command secret_event_commands[] = {
    {"secret-event", cmd_object_event, secret_options, "print events of secrets as they happen",
     COMMAND_JSON, NULL, &secret_source},
    {0},
};
