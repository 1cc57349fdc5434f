/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A monitor connection against a socket pair whose other end the test plays: replies, refusals, deadlines, descriptors,
 * floods. The loop runs on a thread of its own, as in the daemon. */
#include "seam/qmp.h"

#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/fd.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "loop/strand.h"
#include "seam/clock.h"

typedef struct {
    Loop *loop;
    Pool *pool;
    Strand *strand;
    GThread *thread;
    Qmp *qmp;
    int other;

    GMutex mutex;
    GCond changed;
    GString *events; /* names, joined by blanks */
    char *closed;
} Fixture;

static gpointer
run_loop(gpointer loop)
{
    g_assert_true(loop_run(loop, NULL));
    return NULL;
}

static void
on_event(Qmp *qmp, const char *event, const Json *data, gint64 wall_us, gpointer opaque)
{
    Fixture *fixture = opaque;

    g_assert_true(strand_is_current(fixture->strand));
    g_mutex_lock(&fixture->mutex);
    g_string_append_printf(fixture->events, "%s@%" G_GINT64_FORMAT " ", event, wall_us);
    g_cond_broadcast(&fixture->changed);
    g_mutex_unlock(&fixture->mutex);
}

static void
on_closed(Qmp *qmp, const char *reason, gpointer opaque)
{
    Fixture *fixture = opaque;

    g_mutex_lock(&fixture->mutex);
    g_assert_null(fixture->closed);
    fixture->closed = g_strdup(reason);
    g_cond_broadcast(&fixture->changed);
    g_mutex_unlock(&fixture->mutex);
}

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    int ends[2];

    fixture->loop = loop_new(&err);
    g_assert_no_error(err);
    fixture->pool = pool_new(1, 4);
    fixture->strand = strand_new(fixture->pool, "domain test");
    fixture->events = g_string_new(NULL);
    fixture->thread = g_thread_new("loop", run_loop, fixture->loop);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    fixture->other = ends[0];
    fixture->qmp = qmp_new(ends[1],
                           &(QmpConfig){.name = "test",
                                        .loop = fixture->loop,
                                        .pool = fixture->pool,
                                        .strand = fixture->strand,
                                        .on_event = on_event,
                                        .on_closed = on_closed,
                                        .opaque = fixture},
                           &err);
    g_assert_no_error(err);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    qmp_close(fixture->qmp);
    qmp_unref(fixture->qmp);
    loop_quit(fixture->loop);
    g_thread_join(fixture->thread);
    strand_unref(fixture->strand);
    pool_free(fixture->pool);
    loop_free(fixture->loop);
    fd_close(&fixture->other);
    g_string_free(fixture->events, TRUE);
    g_free(fixture->closed);
}

static void
say(Fixture *fixture, const char *text)
{
    g_assert_true(fd_write_all(fixture->other, text, strlen(text)));
}

/* Read until @n_lines have come. */
static char *
hear(Fixture *fixture, guint n_lines)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char byte;

    while (n_lines > 0) {
        g_assert_true(fd_read_all(fixture->other, &byte, 1));
        g_string_append_c(text, byte);
        n_lines -= byte == '\n';
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
wait_for_events(Fixture *fixture, const char *expected)
{
    g_mutex_lock(&fixture->mutex);
    while (strcmp(fixture->events->str, expected) != 0 && fixture->events->len < strlen(expected))
        g_cond_wait(&fixture->changed, &fixture->mutex);
    g_assert_cmpstr(fixture->events->str, ==, expected);
    g_mutex_unlock(&fixture->mutex);
}

static void
wait_for_close(Fixture *fixture, const char *expected)
{
    g_mutex_lock(&fixture->mutex);
    while (!fixture->closed)
        g_cond_wait(&fixture->changed, &fixture->mutex);
    g_assert_nonnull(strstr(fixture->closed, expected));
    g_mutex_unlock(&fixture->mutex);
}

static void
reply_before_its_question_does_not_count(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autofree char *sent = NULL;

    say(fixture,
        "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n{\"return\": {}, \"id\": 1}\r\n");
    g_assert_true(qmp_wait_greeting(fixture->qmp, 5000, &err));
    say(fixture, "{\"event\":\"STOP\"}\r\n");
    wait_for_events(fixture, "STOP@0 ");
    qmp_batch_add(batch, "stop", NULL);
    g_assert_false(qmp_batch_run(batch, fixture->qmp, 50, &err));
    g_assert_true(error_is(err, VIR_ERR_OPERATION_TIMEOUT));
    sent = hear(fixture, 1);
    g_assert_cmpstr(sent, ==, "{\"execute\":\"stop\",\"id\":1}\r\n");
}

static void
batch_is_one_write_and_replies_match_by_id(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autofree char *sent = NULL;
    const Json *value;

    qmp_batch_add(batch, "query-status", NULL);
    qmp_batch_add(batch, "query-block", json_pack("{s:i}", "x", 5));
    qmp_batch_add(batch, "nonsense", NULL);
    g_assert_true(qmp_batch_start(batch, fixture->qmp, &err));
    sent = hear(fixture, 3);
    g_assert_cmpstr(sent, ==,
                    "{\"execute\":\"query-status\",\"id\":1}\r\n"
                    "{\"execute\":\"query-block\",\"arguments\":{\"x\":5},\"id\":2}\r\n"
                    "{\"execute\":\"nonsense\",\"id\":3}\r\n");
    say(fixture,
        "{\"id\":3,\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no such thing\"}}\r\n"
        "{\"id\":2,\"return\":[7]}\r\n{\"id\":1,\"return\":{\"status\":\"running\"}}\r\n");
    g_assert_true(qmp_batch_wait(batch, clock_monotonic_ms() + 5000, &err));
    value = qmp_batch_reply(batch, 0, &err);
    g_assert_cmpstr(json_string_value(json_object_get(value, "status")), ==, "running");
    g_assert_cmpint(json_array_size(qmp_batch_reply(batch, 1, &err)), ==, 1);
    g_assert_no_error(err);
    g_assert_null(qmp_batch_reply(batch, 2, &err));
    g_assert_cmpstr(err->message, ==,
                    "internal error: unable to execute QEMU command 'nonsense': no such thing");
    g_assert_cmpstr(qmp_error_class(err), ==, "CommandNotFound");
}

static void
events_arrive_in_order_on_the_strand(Fixture *fixture, gconstpointer unused)
{
    say(fixture,
        "{\"event\":\"STOP\",\"timestamp\":{\"seconds\":1,\"microseconds\":2}}\n{\"event\":\"RES");
    wait_for_events(fixture, "STOP@1000002 ");
    say(fixture, "UME\",\"timestamp\":{\"seconds\":2,\"microseconds\":0},\"data\":{}}\n");
    wait_for_events(fixture, "STOP@1000002 RESUME@2000000 ");
}

static void
silence_is_measured_and_ends_the_call_at_its_deadline(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(Json) value = NULL;

    g_assert_cmpint(qmp_silent_ms(fixture->qmp), ==, 0);
    value = qmp_call_within(fixture->qmp, "query-status", NULL, 30, &err);
    g_assert_null(value);
    g_assert_true(error_is(err, VIR_ERR_OPERATION_TIMEOUT));
    g_assert_nonnull(strstr(err->message, "query-status"));
    /* The late reply disturbs nobody. */
    say(fixture, "{\"id\":1,\"return\":{}}\r\n{\"event\":\"STOP\"}\r\n");
    wait_for_events(fixture, "STOP@0 ");
    g_assert_true(qmp_is_open(fixture->qmp));
}

static void
end_of_the_emulator_fails_who_waits_and_is_reported(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();

    qmp_batch_add(batch, "query-status", NULL);
    g_assert_true(qmp_batch_start(batch, fixture->qmp, &err));
    shutdown(fixture->other, SHUT_RDWR);
    g_assert_false(qmp_batch_wait(batch, clock_monotonic_ms() + 5000, &err));
    g_assert_true(error_is(err, VIR_ERR_INTERNAL_ERROR));
    wait_for_close(fixture, "closed");
    g_assert_false(qmp_run(fixture->qmp, "stop", NULL, NULL));
}

static void
nonsense_and_deep_nesting_end_the_connection(Fixture *fixture, gconstpointer text)
{
    say(fixture, text);
    wait_for_close(fixture, "no monitor message");
}

static void
oversized_message_ends_the_connection(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *piece = g_strnfill(1 << 20, 'x');

    for (int i = 0; i < 12; i++)
        if (send(fixture->other, piece, 1 << 20, MSG_NOSIGNAL) < 0)
            break;
    wait_for_close(fixture, "10 MiB");
}

static void
descriptor_travels_with_its_command(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    char bytes[256], control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {bytes, sizeof(bytes)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    g_autofree char *first = NULL;
    auto_fd int received = -1;

    qmp_batch_add(batch, "stop", NULL);
    qmp_batch_attach_fd(batch, 0);
    qmp_batch_add(batch, "getfd", json_pack("{s:s}", "fdname", "f"));
    g_assert_true(qmp_batch_start(batch, fixture->qmp, &err));
    first = hear(fixture, 1);
    g_assert_cmpint(recvmsg(fixture->other, &message, MSG_CMSG_CLOEXEC), >, 0);
    g_assert_nonnull(CMSG_FIRSTHDR(&message));
    memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    g_assert_cmpint(received, >, 2);
    g_assert_true(g_str_has_prefix(bytes, "{\"execute\":\"getfd\""));
}

static void
full_socket_does_not_block_the_sender(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autofree char *text = g_strnfill(100000, 'a');
    g_autofree char *sent = NULL;

    for (int i = 0; i < 50; i++)
        qmp_batch_add(batch, "x", json_pack("{s:s}", "text", text));
    g_assert_true(qmp_batch_start(batch, fixture->qmp, &err));
    sent = hear(fixture, 50);
    g_assert_cmpint(strlen(sent), >, 50 * 100000);
    for (int i = 1; i <= 50; i++) {
        g_autofree char *reply = g_strdup_printf("{\"id\":%d,\"return\":{}}\r\n", i);

        say(fixture, reply);
    }
    g_assert_true(qmp_batch_wait(batch, clock_monotonic_ms() + 20000, &err));
    g_assert_true(qmp_batch_all_ok(batch, &err));
}

static void
numbers_beyond_the_signed_ones_keep_their_bits(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autofree char *sent = NULL;
    const Json *value;

    qmp_batch_add(batch, "qom-get", NULL);
    g_assert_true(qmp_batch_start(batch, fixture->qmp, &err));
    sent = hear(fixture, 1);
    say(fixture, "{\"id\":1,\"return\":{\"unknown\":18446744073709551615,\"high\":"
                 "9223372036854775808,\"fits\":7,"
                 "\"text\":\"\\\"18446744073709551615\"}}\r\n");
    g_assert_true(qmp_batch_wait(batch, clock_monotonic_ms() + 5000, &err));
    value = qmp_batch_reply(batch, 0, &err);
    g_assert_no_error(err);
    g_assert_cmpint(json_integer_value(json_object_get(value, "unknown")), ==, -1);
    g_assert_cmpint(json_integer_value(json_object_get(value, "high")), ==, G_MININT64);
    g_assert_cmpint(json_integer_value(json_object_get(value, "fits")), ==, 7);
    g_assert_cmpstr(json_string_value(json_object_get(value, "text")), ==,
                    "\"18446744073709551615");
}

#define ADD(name, data, function) \
    g_test_add("/qmp/" name, Fixture, data, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_autofree char *brackets = g_strnfill(100, '[');
    g_autofree char *deep = g_strconcat(brackets, "\n", NULL);

    g_test_init(&argc, &argv, NULL);
    ADD("early-reply-does-not-count", NULL, reply_before_its_question_does_not_count);
    ADD("batch-is-one-write-and-replies-match-by-id", NULL,
        batch_is_one_write_and_replies_match_by_id);
    ADD("events-arrive-in-order-on-the-strand", NULL, events_arrive_in_order_on_the_strand);
    ADD("silence-ends-the-call-at-its-deadline", NULL,
        silence_is_measured_and_ends_the_call_at_its_deadline);
    ADD("end-of-the-emulator-is-reported", NULL,
        end_of_the_emulator_fails_who_waits_and_is_reported);
    ADD("nonsense-ends-the-connection", "hello\n", nonsense_and_deep_nesting_end_the_connection);
    ADD("deep-nesting-ends-the-connection", deep, nonsense_and_deep_nesting_end_the_connection);
    ADD("oversized-message-ends-the-connection", NULL, oversized_message_ends_the_connection);
    ADD("numbers-beyond-the-signed-ones-keep-their-bits", NULL,
        numbers_beyond_the_signed_ones_keep_their_bits);
    ADD("descriptor-travels-with-its-command", NULL, descriptor_travels_with_its_command);
    ADD("full-socket-does-not-block-the-sender", NULL, full_socket_does_not_block_the_sender);
    return g_test_run();
}
