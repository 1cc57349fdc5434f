/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about src/object/events.h. Runs under TSan too. */
#include "object/events.h"

#include <string.h>

typedef struct {
    EventHub *hub;
    GString *trace;
} Fixture;

static gint n_freed; /* atomic */

static void
free_message(ApiEventClass cls, int id, void *message)
{
    g_atomic_int_inc(&n_freed);
    g_free(message);
}

static void
setup(Fixture *fixture, gconstpointer unused)
{
    g_atomic_int_set(&n_freed, 0);
    fixture->hub = event_hub_new(free_message);
    fixture->trace = g_string_new(NULL);
}

static void
teardown(Fixture *fixture, gconstpointer unused)
{
    event_hub_free(fixture->hub);
    g_string_free(fixture->trace, true);
}

static void
trace_event(Event *event, void *opaque)
{
    g_string_append((GString *)opaque, event->message);
}

static void
emit(Fixture *fixture, ApiEventClass cls, int id, const guchar *uuid, const char *key,
     const char *text)
{
    events_emit(fixture->hub, cls, id, uuid, key, g_strdup(text));
}

static void
subscribers_get_their_class_and_id_only(Fixture *fixture, gconstpointer unused)
{
    const EventFilter filter = {.cls = API_EVENT_CLASS_DOMAIN, .id = 1};

    g_assert_false(events_is_wanted(fixture->hub, API_EVENT_CLASS_DOMAIN, 1));
    g_assert_cmpuint(
        events_subscribe(fixture->hub, &filter, trace_event, fixture->trace, NULL, NULL), >, 0);
    g_assert_true(events_is_wanted(fixture->hub, API_EVENT_CLASS_DOMAIN, 1));
    emit(fixture, API_EVENT_CLASS_DOMAIN, 1, NULL, NULL, "yes ");
    emit(fixture, API_EVENT_CLASS_DOMAIN, 2, NULL, NULL, "no ");
    emit(fixture, API_EVENT_CLASS_NETWORK, 1, NULL, NULL, "no ");
    g_assert_cmpstr(fixture->trace->str, ==, "yes ");
    g_assert_cmpint(n_freed, ==, 3);
}

static void
object_filter_lets_one_object_through(Fixture *fixture, gconstpointer unused)
{
    const guchar mine[16] = {1}, other[16] = {2};
    const EventFilter filter = {.cls = API_EVENT_CLASS_DOMAIN, .id = 0, .uuid = mine};

    events_subscribe(fixture->hub, &filter, trace_event, fixture->trace, NULL, NULL);
    emit(fixture, API_EVENT_CLASS_DOMAIN, 0, mine, NULL, "mine");
    emit(fixture, API_EVENT_CLASS_DOMAIN, 0, other, NULL, "other");
    g_assert_cmpstr(fixture->trace->str, ==, "mine");
}

static void
nothing_comes_after_unsubscribing(Fixture *fixture, gconstpointer unused)
{
    const EventFilter filter = {.cls = API_EVENT_CLASS_DOMAIN, .id = -1};
    guint number = events_subscribe(fixture->hub, &filter, trace_event, fixture->trace, NULL, NULL);

    emit(fixture, API_EVENT_CLASS_DOMAIN, 5, NULL, NULL, "a");
    g_assert_true(events_unsubscribe(fixture->hub, number));
    g_assert_false(events_unsubscribe(fixture->hub, number));
    emit(fixture, API_EVENT_CLASS_DOMAIN, 5, NULL, NULL, "b");
    g_assert_cmpstr(fixture->trace->str, ==, "a");
}

static void
monitor_events_match_by_name_or_expression(Fixture *fixture, gconstpointer unused)
{
    const EventFilter any_case = {
        .cls = API_EVENT_CLASS_QEMU_MONITOR, .key = "stop", .key_ignores_case = true};
    const EventFilter regex = {
        .cls = API_EVENT_CLASS_QEMU_MONITOR, .key = "^BLOCK_", .key_is_regex = true};
    const EventFilter bad = {.cls = API_EVENT_CLASS_QEMU_MONITOR, .key = "(", .key_is_regex = true};
    g_autoptr(GError) error = NULL;

    events_subscribe(fixture->hub, &any_case, trace_event, fixture->trace, NULL, NULL);
    events_subscribe(fixture->hub, &regex, trace_event, fixture->trace, NULL, NULL);
    g_assert_cmpuint(
        events_subscribe(fixture->hub, &bad, trace_event, fixture->trace, NULL, &error), ==, 0);
    g_assert_nonnull(error);
    emit(fixture, API_EVENT_CLASS_QEMU_MONITOR, 0, NULL, "STOP", "s");
    emit(fixture, API_EVENT_CLASS_QEMU_MONITOR, 0, NULL, "BLOCK_JOB_READY", "b");
    emit(fixture, API_EVENT_CLASS_QEMU_MONITOR, 0, NULL, "RESUME", "r");
    g_assert_cmpstr(fixture->trace->str, ==, "sb");
}

static void *
emit_often(void *opaque)
{
    for (int i = 0; i < 500; i++)
        emit(opaque, API_EVENT_CLASS_DOMAIN, 0, NULL, NULL, ".");
    return NULL;
}

static void
threads_emit_without_losing_any(Fixture *fixture, gconstpointer unused)
{
    const EventFilter filter = {.cls = API_EVENT_CLASS_DOMAIN, .id = 0};
    GThread *threads[3];

    events_subscribe(fixture->hub, &filter, trace_event, fixture->trace, NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("emitter", emit_often, fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    g_assert_cmpuint(fixture->trace->len, ==, 1500);
}

#define TEST(name) g_test_add("/events/" #name, Fixture, NULL, setup, name, teardown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(subscribers_get_their_class_and_id_only);
    TEST(object_filter_lets_one_object_through);
    TEST(nothing_comes_after_unsubscribing);
    TEST(monitor_events_match_by_name_or_expression);
    TEST(threads_emit_without_losing_any);
    return g_test_run();
}
