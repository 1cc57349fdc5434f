/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See events.h. A hub is a list of subscriptions under one lock, which is held during delivery: that keeps the order, and
 * makes events_unsubscribe a point after which nothing comes any more. */
#define ERROR_DOMAIN VIR_FROM_EVENT

#include "object/events.h"

#include <string.h>

#include "base/error.h"

typedef struct {
    guint number;
    ApiEventClass cls;
    int id;
    bool has_uuid, ignores_case;
    guchar uuid[16];
    char *key;
    GRegex *regex;
    EventFunc func;
    void *opaque;
    GDestroyNotify free_func;
} Subscription;

struct EventHub {
    GMutex lock;
    GPtrArray *subscriptions;
    gint n_wanted[API_N_EVENT_CLASSES]; /* atomic for readers */
    guint last_number;
    void (*free_message)(ApiEventClass cls, int id, void *message);
};

static void
subscription_free(Subscription *subscription)
{
    if (subscription->free_func)
        subscription->free_func(subscription->opaque);
    if (subscription->regex)
        g_regex_unref(subscription->regex);
    g_free(subscription->key);
    g_free(subscription);
}

Event *
event_ref(Event *event)
{
    g_atomic_ref_count_inc(&event->refs);
    return event;
}

void
event_unref(Event *event)
{
    if (!event || !g_atomic_ref_count_dec(&event->refs))
        return;
    event->free_message(event->cls, event->id, event->message);
    g_clear_pointer(&event->encoded, g_bytes_unref);
    g_clear_pointer(&event->encoded_legacy, g_bytes_unref);
    g_mutex_clear(&event->lock);
    g_free(event->key);
    g_free(event);
}

EventHub *
event_hub_new(void (*free_message)(ApiEventClass cls, int id, void *message))
{
    EventHub *hub = g_new0(EventHub, 1);

    g_mutex_init(&hub->lock);
    hub->subscriptions = g_ptr_array_new_with_free_func((GDestroyNotify)subscription_free);
    hub->free_message = free_message;
    return hub;
}

void
event_hub_free(EventHub *hub)
{
    if (!hub)
        return;
    g_ptr_array_unref(hub->subscriptions);
    g_mutex_clear(&hub->lock);
    g_free(hub);
}

static bool
subscription_matches(const Subscription *subscription, const Event *event)
{
    if (subscription->cls != event->cls || (subscription->id >= 0 && subscription->id != event->id))
        return false;
    if (subscription->has_uuid &&
        (!event->has_uuid || memcmp(subscription->uuid, event->uuid, sizeof event->uuid) != 0))
        return false;
    if (subscription->regex)
        return event->key && g_regex_match(subscription->regex, event->key, 0, NULL);
    if (!subscription->key)
        return true;
    if (subscription->ignores_case)
        return event->key && g_ascii_strcasecmp(subscription->key, event->key) == 0;
    return g_strcmp0(subscription->key, event->key) == 0;
}

bool
events_is_wanted(EventHub *hub, ApiEventClass cls, int id)
{
    return g_atomic_int_get(&hub->n_wanted[cls]) > 0;
}

void
events_emit(EventHub *hub, ApiEventClass cls, int id, const guchar *uuid, const char *key,
            void *take_message)
{
    g_autoptr(Event) event = g_new0(Event, 1);

    g_atomic_ref_count_init(&event->refs);
    g_mutex_init(&event->lock);
    event->cls = cls;
    event->id = id;
    event->key = g_strdup(key);
    event->message = take_message;
    event->free_message = hub->free_message;
    if (uuid) {
        event->has_uuid = true;
        memcpy(event->uuid, uuid, sizeof event->uuid);
    }
    if (!events_is_wanted(hub, cls, id))
        return;
    g_mutex_lock(&hub->lock);
    for (guint i = 0; i < hub->subscriptions->len; i++) {
        const Subscription *subscription = hub->subscriptions->pdata[i];

        if (subscription_matches(subscription, event))
            subscription->func(event, subscription->opaque);
    }
    g_mutex_unlock(&hub->lock);
}

static bool
subscription_set_key(Subscription *subscription, const EventFilter *filter, GError **err)
{
    g_autoptr(GError) error = NULL;
    GRegexCompileFlags flags = G_REGEX_OPTIMIZE;

    subscription->key = g_strdup(filter->key);
    subscription->ignores_case = filter->key_ignores_case;
    if (!filter->key || !filter->key_is_regex)
        return true;
    if (filter->key_ignores_case)
        flags |= G_REGEX_CASELESS;
    subscription->regex = g_regex_new(filter->key, flags, 0, &error);
    if (!subscription->regex)
        return fail(err, VIR_ERR_INVALID_ARG, "event name '%s' is no regular expression: %s",
                    filter->key, error->message);
    return true;
}

guint
events_subscribe(EventHub *hub, const EventFilter *filter, EventFunc func, void *opaque,
                 GDestroyNotify free_func, GError **err)
{
    Subscription *subscription = g_new0(Subscription, 1);
    guint number;

    subscription->cls = filter->cls;
    subscription->id = filter->id;
    if (filter->uuid) {
        subscription->has_uuid = true;
        memcpy(subscription->uuid, filter->uuid, sizeof subscription->uuid);
    }
    if (!subscription_set_key(subscription, filter, err)) {
        subscription_free(subscription);
        return 0;
    }
    subscription->func = func;
    subscription->opaque = opaque;
    subscription->free_func = free_func;
    g_mutex_lock(&hub->lock);
    number = subscription->number = ++hub->last_number;
    g_ptr_array_add(hub->subscriptions, subscription);
    g_atomic_int_inc(&hub->n_wanted[subscription->cls]);
    g_mutex_unlock(&hub->lock);
    return number;
}

bool
events_unsubscribe(EventHub *hub, guint number)
{
    Subscription *found = NULL;

    g_mutex_lock(&hub->lock);
    for (guint i = 0; i < hub->subscriptions->len && !found; i++) {
        Subscription *subscription = hub->subscriptions->pdata[i];

        if (subscription->number == number)
            found = g_ptr_array_steal_index(hub->subscriptions, i);
    }
    if (found)
        g_atomic_int_add(&hub->n_wanted[found->cls], -1);
    g_mutex_unlock(&hub->lock);
    if (!found)
        return false;
    subscription_free(found);
    return true;
}
