/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that share a connection: threads FAKE_DAEMON. Each test has a daemon of its own (tests/server/fake_daemon.c) and an
 * event loop running beside the callers; meant to be run under TSan too. */
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#define THREADS 8
#define CALLS 300

static const char *daemon_program;
static gint n_events, n_closed;

typedef struct {
    char *folder, *uri;
    GPid pid;
    virConnectPtr conn;
    gint n_done, n_failed;
} Fixture;

static void
ignore_error(void *opaque, virErrorPtr error)
{
}

static void *
run_loop(void *opaque)
{
    while (virEventRunDefaultImpl() == 0)
        continue;
    return NULL;
}

static void
setup(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    char ready[6] = "";
    int out;

    f->folder = g_dir_make_tmp("threads-XXXXXX", &err);
    g_assert_no_error(err);
    const char *argv[] = {daemon_program, f->folder, NULL};
    g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                             &f->pid, NULL, &out, NULL, &err);
    g_assert_no_error(err);
    g_assert_cmpint(read(out, ready, sizeof ready), ==, sizeof ready);
    close(out);
    f->uri = g_strdup_printf("qemu+unix:///system?socket=%s/libvirt-sock", f->folder);
    f->conn = virConnectOpen(f->uri);
    g_assert_nonnull(f->conn);
}

static void
end_daemon(Fixture *f)
{
    if (f->pid <= 0)
        return;
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    f->pid = 0;
}

static void
teardown(Fixture *f, gconstpointer unused)
{
    static const char *const names[] = {"libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock",
                                        "fake.pid"};

    end_daemon(f);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(f->folder, names[i], NULL);
        g_unlink(path);
    }
    g_rmdir(f->folder);
    g_free(f->folder);
    g_free(f->uri);
}

static void
run_threads(Fixture *f, GThreadFunc func)
{
    GThread *threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("caller", func, f);
    for (int i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
}

static void *
look_up_and_list(void *opaque)
{
    Fixture *f = opaque;

    for (int i = 0; i < CALLS; i++) {
        const char *name = i % 2 ? "idle" : "echo";
        virDomainPtr domain = virDomainLookupByName(f->conn, name);
        g_assert_nonnull(domain);
        g_assert_cmpstr(virDomainGetName(domain), ==, name);
        g_assert_null(virDomainLookupByName(f->conn, "nobody"));
        g_assert_cmpint(virGetLastErrorCode(), ==, VIR_ERR_NO_DOMAIN);
        virDomainFree(domain);
    }
    return NULL;
}

static void
each_thread_gets_its_own_answers(Fixture *f, gconstpointer unused)
{
    run_threads(f, look_up_and_list);
    g_assert_cmpint(virConnectClose(f->conn), ==, 0);
}

static int
on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    g_assert_cmpstr(virDomainGetName(domain), ==, "idle");
    g_atomic_int_inc(&n_events);
    return 0;
}

static void
count_free(void *opaque)
{
    g_atomic_int_inc((gint *)opaque);
}

static void *
start_and_stop(void *opaque)
{
    Fixture *f = opaque;
    virDomainPtr domain = virDomainLookupByName(f->conn, "idle");

    for (int i = 0; i < CALLS / 10; i++) {
        virDomainCreate(domain);
        virDomainDestroy(domain);
    }
    virDomainFree(domain);
    return NULL;
}

static void *
subscribe_and_leave(void *opaque)
{
    Fixture *f = opaque;
    gint freed = 0;

    for (int i = 0; i < 20; i++) {
        int id = virConnectDomainEventRegisterAny(f->conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                  VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), &freed,
                                                  count_free);
        g_assert_cmpint(id, >=, 0);
        g_assert_cmpint(virConnectDomainEventDeregisterAny(f->conn, id), ==, 0);
    }
    while (g_atomic_int_get(&freed) <
           20) /* a callback that runs just now is freed by its own thread */
        g_thread_yield();
    return NULL;
}

static void
events_come_while_others_call_and_subscribe(Fixture *f, gconstpointer unused)
{
    gint freed = 0;
    int id = virConnectDomainEventRegisterAny(f->conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                              VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), &freed,
                                              count_free);
    GThread *starter = g_thread_new("starter", start_and_stop, f);

    run_threads(f, subscribe_and_leave);
    g_thread_join(starter);
    while (g_atomic_int_get(&n_events) == 0)
        g_thread_yield();
    g_assert_cmpint(virConnectDomainEventDeregisterAny(f->conn, id), ==, 0);
    while (g_atomic_int_get(&freed) == 0)
        g_thread_yield();
    g_assert_cmpint(virConnectClose(f->conn), ==, 0);
}

static void *
talk_on_a_console(void *opaque)
{
    Fixture *f = opaque;
    virDomainPtr domain = virDomainLookupByName(f->conn, "echo");
    virStreamPtr stream = virStreamNew(f->conn, 0);
    g_autofree char *sent = g_strnfill(20000, 'x');
    g_autofree char *got = g_malloc0(20001);

    g_assert_cmpint(virDomainOpenConsole(domain, NULL, stream, 0), ==, 0);
    for (int done = 0; done < 20000;) {
        int n = virStreamSend(stream, sent + done, MIN(20000 - done, 1000));
        g_assert_cmpint(n, >, 0);
        for (int back = 0; back < n;) {
            int more = virStreamRecv(stream, got + done + back, n - back);
            g_assert_cmpint(more, >, 0);
            back += more;
        }
        done += n;
    }
    g_assert_cmpstr(got, ==, sent);
    g_assert_cmpint(virStreamFinish(stream), ==, 0);
    virStreamFree(stream);
    virDomainFree(domain);
    return NULL;
}

static void
streams_share_the_connection(Fixture *f, gconstpointer unused)
{
    run_threads(f, talk_on_a_console);
    g_assert_cmpint(virConnectClose(f->conn), ==, 0);
}

static void *
call_until_it_fails(void *opaque)
{
    Fixture *f = opaque;
    virDomainPtr domain;

    while ((domain = virDomainLookupByName(f->conn, "idle"))) {
        virDomainFree(domain);
        g_atomic_int_inc(&f->n_done);
    }
    g_assert_cmpint(virGetLastErrorDomain(), ==, VIR_FROM_RPC);
    g_atomic_int_inc(&f->n_failed);
    return NULL;
}

static void
on_closed(virConnectPtr conn, int reason, void *opaque)
{
    g_atomic_int_inc(&n_closed);
}

static void *
kill_when_busy(void *opaque)
{
    Fixture *f = opaque;

    while (g_atomic_int_get(&f->n_done) < 100)
        g_thread_yield();
    end_daemon(f);
    return NULL;
}

static void
a_lost_daemon_fails_every_waiting_call(Fixture *f, gconstpointer unused)
{
    gint freed = 0;

    g_assert_cmpint(virConnectRegisterCloseCallback(f->conn, on_closed, &freed, count_free), ==, 0);
    GThread *killer = g_thread_new("killer", kill_when_busy, f);
    run_threads(f, call_until_it_fails);
    g_thread_join(killer);
    g_assert_cmpint(f->n_failed, ==, THREADS);
    while (g_atomic_int_get(&freed) == 0)
        g_thread_yield();
    g_assert_cmpint(n_closed, ==, 1);
    g_assert_cmpint(virConnectIsAlive(f->conn), ==, 0);
    g_assert_cmpint(virConnectClose(f->conn), >=, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    daemon_program = argv[1];
    virSetErrorFunc(NULL, ignore_error);
    virEventRegisterDefaultImpl();
    g_thread_unref(g_thread_new("events", run_loop, NULL));
#define ADD(name) g_test_add("/threads/" #name, Fixture, NULL, setup, name, teardown)
    ADD(each_thread_gets_its_own_answers);
    ADD(events_come_while_others_call_and_subscribe);
    ADD(streams_share_the_connection);
    ADD(a_lost_daemon_fails_every_waiting_call);
    return g_test_run();
}
