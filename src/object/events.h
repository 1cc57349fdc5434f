/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of one driver, from where they happen to whoever subscribed.
 *
 * An event is the message structure of its callback form (gen/api-structs.h, callbackID 0). It is shared by all
 * subscribers, so that the server encodes it once. Delivery keeps the order of emission over all threads. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/api-events.h"

typedef struct EventHub EventHub;
typedef struct Event Event;

struct Event {
    gatomicrefcount refs;
    ApiEventClass cls;
    int id; /* VIR_DOMAIN_EVENT_ID_... of the class */
    bool has_uuid;
    guchar uuid[16];
    char *key;     /* name, for objects without UUID; event name for API_EVENT_CLASS_QEMU_MONITOR */
    void *message; /* Remote...Msg */
    void (*free_message)(ApiEventClass cls, int id, void *message);
    GMutex lock;                      /* of what follows */
    GBytes *encoded, *encoded_legacy; /* kept here by whoever encodes it first */
};

Event *event_ref(Event *event);
void event_unref(Event *event);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Event, event_unref)

/* @free_message releases a message structure of any class (the server knows their layouts). */
EventHub *event_hub_new(void (*free_message)(ApiEventClass cls, int id, void *message));
void event_hub_free(EventHub *hub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventHub, event_hub_free)

/* Say that something happened to the object @uuid (NULL: it has none) or @key (NULL: not needed). Takes @take_message, a
 * g_malloc'ed message structure. Any thread, never waits. */
void events_emit(EventHub *hub, ApiEventClass cls, int id, const guchar *uuid, const char *key,
                 void *take_message);
/* False: nobody would hear it, so it need not be made. */
bool events_is_wanted(EventHub *hub, ApiEventClass cls, int id);

/* Called in order, on the thread that emits, with the hub locked: hand on and return; no call back into the hub. */
typedef void (*EventFunc)(Event *event, void *opaque);

typedef struct {
    ApiEventClass cls;
    int id;             /* -1: every event of the class */
    const guchar *uuid; /* of the only object that matters; NULL: all */
    const char *key;    /* of the only object, or name of the monitor event; NULL: all */
    bool key_is_regex, key_ignores_case; /* for API_EVENT_CLASS_QEMU_MONITOR */
} EventFilter;

/* A number above 0 for events_unsubscribe; 0 with @err for a bad expression, @free_func is not called then. */
guint events_subscribe(EventHub *hub, const EventFilter *filter, EventFunc func, void *opaque,
                       GDestroyNotify free_func, GError **err);
/* No call to its function after this. False when the number is unknown. */
bool events_unsubscribe(EventHub *hub, guint subscription);
