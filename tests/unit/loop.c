/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about src/loop/loop.h. Runs under TSan too. */
#include "loop/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

typedef struct {
    Loop *loop;
    GString *trace;
    LoopWatch *watch;
    LoopTimer *timer;
    int fd;
    gint freed; /* atomic */
    gint calls; /* atomic */
} Fixture;

static void
note_freed(void *opaque)
{
    g_atomic_int_inc(&((Fixture *)opaque)->freed);
}

static void
setup(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    fixture->loop = loop_new(&error);
    g_assert_no_error(error);
    fixture->trace = g_string_new(NULL);
    fixture->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void
teardown(Fixture *fixture, gconstpointer unused)
{
    loop_free(fixture->loop);
    fd_close(&fixture->fd);
    g_string_free(fixture->trace, true);
}

static void
quit(void *opaque)
{
    loop_quit(((Fixture *)opaque)->loop);
}

static void
trace_a(void *opaque)
{
    g_string_append_c(((Fixture *)opaque)->trace, 'a');
}

static void
trace_b(void *opaque)
{
    g_string_append_c(((Fixture *)opaque)->trace, 'b');
}

static void
post_again(void *opaque)
{
    Fixture *fixture = opaque;

    g_string_append_c(fixture->trace, 'p');
    loop_post(fixture->loop, trace_b, fixture);
    loop_post(fixture->loop, quit, fixture);
}

static void
run(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(loop_run(fixture->loop, &error));
    g_assert_no_error(error);
}

static void
posts_run_in_order_and_not_at_once(Fixture *fixture, gconstpointer unused)
{
    loop_post(fixture->loop, trace_a, fixture);
    loop_post(fixture->loop, post_again, fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "");
    run(fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "apb");
}

static void
timers_fire_by_deadline(Fixture *fixture, gconstpointer unused)
{
    loop_timer_start(fixture->loop, 30, quit, fixture, NULL);
    loop_timer_start(fixture->loop, 20, trace_b, fixture, NULL);
    loop_timer_start(fixture->loop, 10, trace_a, fixture, NULL);
    run(fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "ab");
}

static void
rearm_once(void *opaque)
{
    Fixture *fixture = opaque;

    if (g_atomic_int_add(&fixture->calls, 1) < 2)
        loop_timer_rearm(fixture->timer, 1);
    else
        loop_quit(fixture->loop);
}

static void
timer_can_be_rearmed_by_its_function(Fixture *fixture, gconstpointer unused)
{
    fixture->timer = loop_timer_start(fixture->loop, 1, rearm_once, fixture, note_freed);
    run(fixture);
    g_assert_cmpint(fixture->calls, ==, 3);
    g_assert_cmpint(fixture->freed, ==, 0);
    loop_timer_stop(fixture->timer);
}

static void
stopped_timer_does_not_fire(Fixture *fixture, gconstpointer unused)
{
    fixture->timer = loop_timer_start(fixture->loop, 1, trace_a, fixture, note_freed);
    loop_timer_stop(fixture->timer);
    loop_timer_start(fixture->loop, 10, quit, fixture, NULL);
    run(fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "");
    g_assert_cmpint(fixture->freed, ==, 1);
}

static void
read_once(int fd, uint32_t events, void *opaque)
{
    Fixture *fixture = opaque;
    guint64 count;

    g_assert_cmpuint(events & EPOLLIN, !=, 0);
    g_assert_cmpint(read(fd, &count, sizeof count), ==, sizeof count);
    g_string_append_c(fixture->trace, 'r');
    loop_quit(fixture->loop);
}

static void
watch_reports_a_readable_descriptor(Fixture *fixture, gconstpointer unused)
{
    const guint64 one = 1;

    fixture->watch =
        loop_watch_fd(fixture->loop, fixture->fd, EPOLLIN, read_once, fixture, note_freed, NULL);
    g_assert_true(fd_write_all(fixture->fd, &one, sizeof one));
    run(fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "r");
    loop_watch_remove(fixture->watch);
    loop_post(fixture->loop, quit, fixture);
    run(fixture);
    g_assert_cmpint(fixture->freed, ==, 1);
}

static void
paused_watch_reports_nothing(Fixture *fixture, gconstpointer unused)
{
    const guint64 one = 1;

    fixture->watch =
        loop_watch_fd(fixture->loop, fixture->fd, EPOLLIN, read_once, fixture, NULL, NULL);
    loop_watch_update(fixture->watch, 0);
    g_assert_true(fd_write_all(fixture->fd, &one, sizeof one));
    loop_timer_start(fixture->loop, 10, quit, fixture, NULL);
    run(fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "");
    loop_watch_update(fixture->watch, EPOLLIN);
    run(fixture);
    g_assert_cmpstr(fixture->trace->str, ==, "r");
}

static void
remove_self(int fd, uint32_t events, void *opaque)
{
    Fixture *fixture = opaque;

    loop_watch_remove(fixture->watch);
    g_assert_cmpint(g_atomic_int_get(&fixture->freed), ==, 0);
    loop_quit(fixture->loop);
}

static void
watch_can_be_removed_by_its_function(Fixture *fixture, gconstpointer unused)
{
    const guint64 one = 1;

    fixture->watch =
        loop_watch_fd(fixture->loop, fixture->fd, EPOLLIN, remove_self, fixture, note_freed, NULL);
    g_assert_true(fd_write_all(fixture->fd, &one, sizeof one));
    run(fixture);
    g_assert_cmpint(fixture->freed, ==, 1);
}

static void
regular_files_are_refused(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    auto_fd int fd = g_file_open_tmp("loop-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    unlink(path);
    g_assert_null(
        loop_watch_fd(fixture->loop, fd, EPOLLIN, read_once, fixture, note_freed, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(fixture->freed, ==, 0);
}

static void
count_call(void *opaque)
{
    Fixture *fixture = opaque;

    g_assert_true(loop_on_thread(fixture->loop));
    if (g_atomic_int_add(&fixture->calls, 1) == 4 * 1000 - 1)
        loop_quit(fixture->loop);
}

static void *
post_many(void *opaque)
{
    Fixture *fixture = opaque;

    g_assert_false(loop_on_thread(fixture->loop));
    for (int i = 0; i < 1000; i++)
        loop_post(fixture->loop, count_call, fixture);
    return NULL;
}

static void
posts_of_many_threads_all_run(Fixture *fixture, gconstpointer unused)
{
    GThread *threads[4];

    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("poster", post_many, fixture);
    run(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    g_assert_cmpint(fixture->calls, ==, 4000);
}

typedef struct {
    Fixture *fixture;
    int fd;
} Owned;

static void
owned_free(void *opaque)
{
    Owned *owned = opaque;

    fd_close(&owned->fd);
    note_freed(owned->fixture);
    g_free(owned);
}

static void
ignore_event(int fd, uint32_t events, void *opaque)
{
    guint64 count;

    g_assert_cmpint(fd, ==, ((Owned *)opaque)->fd);
    (void)!read(fd, &count, sizeof count);
}

static void *
watch_many(void *opaque)
{
    Fixture *fixture = opaque;
    const guint64 one = 1;

    for (int i = 0; i < 200; i++) {
        Owned *owned = g_new(Owned, 1);
        LoopWatch *watch;

        *owned = (Owned){fixture, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        g_assert_true(fd_write_all(owned->fd, &one, sizeof one));
        watch =
            loop_watch_fd(fixture->loop, owned->fd, EPOLLIN, ignore_event, owned, owned_free, NULL);
        loop_watch_remove(watch);
    }
    loop_quit(fixture->loop);
    return NULL;
}

static void
watches_may_be_removed_by_other_threads(Fixture *fixture, gconstpointer unused)
{
    GThread *thread = g_thread_new("watcher", watch_many, fixture);

    run(fixture);
    g_thread_join(thread);
    g_clear_pointer(&fixture->loop, loop_free);
    g_assert_cmpint(fixture->freed, ==, 200);
}

static void
free_runs_what_was_posted(Fixture *fixture, gconstpointer unused)
{
    loop_post(fixture->loop, trace_a, fixture);
    loop_timer_start(fixture->loop, 1000, trace_b, fixture, note_freed);
    g_clear_pointer(&fixture->loop, loop_free);
    g_assert_cmpstr(fixture->trace->str, ==, "a");
    g_assert_cmpint(fixture->freed, ==, 1);
}

#define TEST(name) g_test_add("/loop/" #name, Fixture, NULL, setup, name, teardown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(posts_run_in_order_and_not_at_once);
    TEST(timers_fire_by_deadline);
    TEST(timer_can_be_rearmed_by_its_function);
    TEST(stopped_timer_does_not_fire);
    TEST(watch_reports_a_readable_descriptor);
    TEST(paused_watch_reports_nothing);
    TEST(watch_can_be_removed_by_its_function);
    TEST(regular_files_are_refused);
    TEST(posts_of_many_threads_all_run);
    TEST(watches_may_be_removed_by_other_threads);
    TEST(free_runs_what_was_posted);
    return g_test_run();
}
