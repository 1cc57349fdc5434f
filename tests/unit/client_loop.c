/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default event loop: who is called, when, and what may be changed meanwhile. */
#include <libvirt/libvirt.h>

#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    int called, freed, events, watch, other, timer;
    int fds[2];
} Fixture;

static void
setup(Fixture *f, gconstpointer unused)
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->fds), ==, 0);
}

static void
teardown(Fixture *f, gconstpointer unused)
{
    close(f->fds[0]);
    close(f->fds[1]);
}

static void
count_free(void *opaque)
{
    ((Fixture *)opaque)->freed++;
}

static void
on_handle(int watch, int fd, int events, void *opaque)
{
    Fixture *f = opaque;

    f->called++;
    f->events = events;
}

static void
on_timer(int timer, void *opaque)
{
    ((Fixture *)opaque)->called++;
}

static void
run(void)
{
    g_assert_cmpint(virEventRunDefaultImpl(), ==, 0);
}

static void
readable_handle_is_called_and_freed_once(Fixture *f, gconstpointer unused)
{
    int watch = virEventAddHandle(f->fds[0], VIR_EVENT_HANDLE_READABLE, on_handle, f, count_free);

    g_assert_cmpint(watch, >, 0);
    g_assert_cmpint(write(f->fds[1], "x", 1), ==, 1);
    run();
    g_assert_cmpint(f->called, ==, 1);
    g_assert_cmpint(f->events, ==, VIR_EVENT_HANDLE_READABLE);
    g_assert_cmpint(virEventRemoveHandle(watch), ==, 0);
    g_assert_cmpint(virEventRemoveHandle(watch), ==, -1);
    run();
    g_assert_cmpint(f->called, ==, 1);
    g_assert_cmpint(f->freed, ==, 1);
}

static void
updated_handle_hears_what_it_asks_for(Fixture *f, gconstpointer unused)
{
    int watch = virEventAddHandle(f->fds[0], 0, on_handle, f, count_free);
    int timer = virEventAddTimeout(0, on_timer, f, NULL);

    run();
    g_assert_cmpint(f->called, ==, 1); /* the timer alone */
    virEventRemoveTimeout(timer);
    virEventUpdateHandle(watch, VIR_EVENT_HANDLE_WRITABLE);
    run();
    run();
    g_assert_cmpint(f->events, ==, VIR_EVENT_HANDLE_WRITABLE);
    close(f->fds[1]);
    f->fds[1] = -1;
    virEventUpdateHandle(watch, VIR_EVENT_HANDLE_READABLE);
    run();
    g_assert_true(f->events & VIR_EVENT_HANDLE_HANGUP);
    virEventRemoveHandle(watch);
    run();
}

static void
timer_fires_again_until_it_is_stopped(Fixture *f, gconstpointer unused)
{
    int timer = virEventAddTimeout(1, on_timer, f, count_free);

    while (f->called < 3)
        run();
    virEventUpdateTimeout(timer, -1);
    int called = f->called, other = virEventAddTimeout(0, on_timer, f, NULL);
    run();
    g_assert_cmpint(f->called, ==, called + 1);
    virEventRemoveTimeout(other);
    virEventRemoveTimeout(timer);
    run();
    g_assert_cmpint(f->freed, ==, 1);
}

static void
remove_both(int watch, int fd, int events, void *opaque)
{
    Fixture *f = opaque;

    f->called++;
    virEventRemoveHandle(f->watch);
    virEventRemoveHandle(f->other);
    g_assert_cmpint(f->freed, ==, 0); /* not while it runs */
}

static void
callback_may_remove_itself_and_others(Fixture *f, gconstpointer unused)
{
    f->watch = virEventAddHandle(f->fds[0], VIR_EVENT_HANDLE_WRITABLE, remove_both, f, count_free);
    f->other = virEventAddHandle(f->fds[1], VIR_EVENT_HANDLE_WRITABLE, remove_both, f, count_free);
    run();
    g_assert_cmpint(f->called, ==, 1);
    g_assert_cmpint(f->freed, ==, 2);
}

static void *
run_until_called(void *opaque)
{
    Fixture *f = opaque;

    while (g_atomic_int_get(&f->called) == 0)
        run();
    return NULL;
}

static void
a_change_from_another_thread_wakes_the_loop(Fixture *f, gconstpointer unused)
{
    int watch = virEventAddHandle(f->fds[0], 0, on_handle, f, NULL);
    GThread *thread = g_thread_new("loop", run_until_called, f);

    /* Nothing is due: only the wake-up ends the poll. */
    virEventUpdateHandle(watch, VIR_EVENT_HANDLE_WRITABLE);
    g_thread_join(thread);
    virEventRemoveHandle(watch);
    run();
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    virEventRegisterDefaultImpl();
#define ADD(name) g_test_add("/event_loop/" #name, Fixture, NULL, setup, name, teardown)
    ADD(readable_handle_is_called_and_freed_once);
    ADD(updated_handle_hears_what_it_asks_for);
    ADD(timer_fires_again_until_it_is_stopped);
    ADD(callback_may_remove_itself_and_others);
    ADD(a_change_from_another_thread_wakes_the_loop);
    return g_test_run();
}
