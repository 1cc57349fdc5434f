/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets over a pair of sockets: what goes in comes out, in any pieces, with its descriptors; what lies is refused. The bytes
 * themselves are frozen in tests/wire; what payloads mean is tests/unit/codec.c. */
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/frame.h"

#define PROGRAM 0x20008086

typedef struct {
    WireTransport *here, *there;
    WireReader *reader;
    WireQueue queue;
} Fixture;

static void
setup(Fixture *f, gconstpointer passes_fds)
{
    int ends[2];

    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    f->here = wire_transport_new_socket(ends[0], passes_fds != NULL);
    f->there = wire_transport_new_socket(ends[1], passes_fds != NULL);
    f->reader = wire_reader_new();
    wire_queue_init(&f->queue);
}

static void
teardown(Fixture *f, gconstpointer passes_fds)
{
    wire_queue_clear(&f->queue);
    wire_reader_free(f->reader);
    wire_transport_free(f->here);
    wire_transport_free(f->there);
}

static WireMessage *
message_of(gsize len, guint32 serial)
{
    WireMessage *message = wire_message_new(PROGRAM, 1, 7, WIRE_CALL, serial, WIRE_OK);

    for (gsize i = 0; i < len; i++)
        g_byte_array_append(message->bytes, &(guint8){(guint8)(i * 31 + serial)}, 1);
    return message;
}

static void
assert_message(WireMessage *message, gsize len, guint32 serial)
{
    gsize held;
    const guchar *payload = wire_message_payload(message, &held);

    g_assert_cmpuint(message->header.program, ==, PROGRAM);
    g_assert_cmpint(message->header.procedure, ==, 7);
    g_assert_cmpuint(message->header.serial, ==, serial);
    g_assert_cmpuint(held, ==, len);
    for (gsize i = 0; i < len; i++)
        g_assert_cmpuint(payload[i], ==, (guint8)(i * 31 + serial));
}

static WireRead
read_next(Fixture *f, WireMessage **message, GError **err)
{
    return wire_reader_next(f->reader, f->there, message, err);
}

static void
write_bytes(Fixture *f, const void *bytes, gsize len)
{
    g_assert_cmpint(send(f->here->fd, bytes, len, 0), ==, (gssize)len);
}

/* Length word and header as they come from outside, wrong ones too. */
static void
write_header(Fixture *f, guint32 length, guint32 type)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    for (gsize i = 0; i < 7; i++)
        wire_put_u32(bytes, i == 0 ? length : i == 4 ? type : 1);
    write_bytes(f, bytes->data, bytes->len);
}

static void
packets_arrive_whole_from_single_bytes(Fixture *f, gconstpointer passes_fds)
{
    g_autoptr(WireMessage) sent = message_of(40, 3);

    g_assert_true(wire_message_seal(sent, NULL));
    for (gsize i = 0; i < sent->bytes->len; i++) {
        WireMessage *message = NULL;
        g_assert_cmpint(read_next(f, &message, NULL), ==, WIRE_READ_AGAIN);
        write_bytes(f, sent->bytes->data + i, 1);
    }
    g_autoptr(WireMessage) message = NULL;
    g_assert_cmpint(read_next(f, &message, NULL), ==, WIRE_READ_MESSAGE);
    assert_message(message, 40, 3);
}

static void
many_packets_leave_together_and_stay_in_order(Fixture *f, gconstpointer passes_fds)
{
    for (guint32 i = 0; i < 50; i++)
        g_assert_true(wire_queue_push(&f->queue, message_of(i, i), NULL));
    g_assert_cmpint(wire_queue_flush(&f->queue, f->here, NULL), ==, WIRE_WRITE_DONE);
    g_assert_cmpuint(f->queue.bytes, ==, 0);
    for (guint32 i = 0; i < 50; i++) {
        g_autoptr(WireMessage) message = NULL;
        g_assert_cmpint(read_next(f, &message, NULL), ==, WIRE_READ_MESSAGE);
        assert_message(message, i, i);
    }
    g_assert_false(wire_reader_has_message(f->reader));
}

static void
packet_larger_than_the_socket_is_written_in_parts(Fixture *f, gconstpointer passes_fds)
{
    gsize len = 3 * 1024 * 1024 + 1, rounds = 0;
    g_autoptr(WireMessage) message = NULL;
    WireRead result = WIRE_READ_AGAIN;

    g_assert_true(wire_queue_push(&f->queue, message_of(len, 9), NULL));
    while (result == WIRE_READ_AGAIN) {
        g_assert_cmpint(wire_queue_flush(&f->queue, f->here, NULL), !=, WIRE_WRITE_FAILED);
        result = read_next(f, &message, NULL);
        rounds++;
    }
    g_assert_cmpint(result, ==, WIRE_READ_MESSAGE);
    g_assert_cmpuint(rounds, >, 1);
    assert_message(message, len, 9);
    g_assert_true(wire_queue_is_empty(&f->queue));
}

static void
lengths_out_of_bounds_are_refused_before_anything_is_read(Fixture *f, gconstpointer passes_fds)
{
    static const guint32 wrong[] = {0, 27, WIRE_PACKET_MAX + 1, 0xffffffff};

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) err = NULL;
        WireMessage *message = NULL;
        Fixture own;
        setup(&own, NULL);
        write_header(&own, wrong[i], WIRE_CALL);
        g_assert_cmpint(read_next(&own, &message, &err), ==, WIRE_READ_FAILED);
        g_assert_cmpint(error_code(err), ==, VIR_ERR_RPC);
        g_assert_null(message);
        teardown(&own, NULL);
    }
}

static void
narrowed_limit_holds(Fixture *f, gconstpointer passes_fds)
{
    g_autoptr(GError) err = NULL;
    WireMessage *message = NULL;

    wire_reader_set_limit(f->reader, 1000);
    write_header(f, 1001, WIRE_CALL);
    g_assert_cmpint(read_next(f, &message, &err), ==, WIRE_READ_FAILED);
    g_assert_cmpint(error_code(err), ==, VIR_ERR_RPC);
}

static void
end_between_packets_is_no_error_but_within_one_is(Fixture *f, gconstpointer passes_fds)
{
    Fixture cut;
    WireMessage *message = NULL;
    g_autoptr(GError) err = NULL;

    shutdown(f->here->fd, SHUT_WR);
    g_assert_cmpint(read_next(f, &message, NULL), ==, WIRE_READ_EOF);
    setup(&cut, NULL);
    write_header(&cut, 100, WIRE_CALL);
    shutdown(cut.here->fd, SHUT_WR);
    g_assert_cmpint(read_next(&cut, &message, &err), ==, WIRE_READ_FAILED);
    g_assert_nonnull(err);
    teardown(&cut, NULL);
}

static void
too_large_a_packet_is_not_queued(void)
{
    WireQueue queue;
    WireMessage *message = message_of(0, 1);
    g_autoptr(GError) err = NULL;

    wire_queue_init(&queue);
    g_byte_array_set_size(message->bytes, WIRE_PACKET_MAX + 4);
    g_assert_false(wire_queue_push(&queue, message, &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_RPC);
    g_assert_true(wire_queue_is_empty(&queue));
}

static bool
is_same_file(int a, int b)
{
    struct stat left, right;

    g_assert_no_errno(fstat(a, &left));
    g_assert_no_errno(fstat(b, &right));
    return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

static void
descriptors_follow_their_packet(Fixture *f, gconstpointer passes_fds)
{
    int ends[2];
    auto_fd int first = -1, second = -1;
    WireMessage *sent = wire_message_new(PROGRAM, 1, 7, WIRE_CALL, 1, WIRE_OK);
    WireMessage *message = NULL;

    g_assert_no_errno(pipe(ends));
    g_assert_true(wire_message_add_fds(sent, ends, 2, NULL));
    wire_put_u32(sent->bytes, 77);
    g_assert_true(wire_queue_push(&f->queue, sent, NULL));
    g_assert_true(wire_queue_push(&f->queue, message_of(5, 2), NULL));
    g_assert_cmpint(wire_queue_flush(&f->queue, f->here, NULL), ==, WIRE_WRITE_DONE);

    g_assert_cmpint(read_next(f, &message, NULL), ==, WIRE_READ_MESSAGE);
    g_autoptr(WireMessage) with_fds = message;
    gsize len;
    g_assert_cmpuint(with_fds->header.type, ==, WIRE_CALL_WITH_FDS);
    g_assert_cmpuint(wire_get_u32(wire_message_payload(with_fds, &len)), ==, 77);
    g_assert_cmpuint(len, ==, 4);
    g_assert_cmpuint(wire_message_n_fds(with_fds), ==, 2);
    first = wire_message_steal_fd(with_fds, 0);
    second = wire_message_steal_fd(with_fds, 1);
    g_assert_cmpint(wire_message_steal_fd(with_fds, 0), ==, -1);
    g_assert_cmpint(wire_message_steal_fd(with_fds, 2), ==, -1);
    g_assert_true(is_same_file(first, ends[0]));
    g_assert_cmpint(fcntl(first, F_GETFL) & O_ACCMODE, ==, O_RDONLY);
    g_assert_cmpint(fcntl(second, F_GETFL) & O_ACCMODE, ==, O_WRONLY);
    g_assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);

    g_assert_cmpint(read_next(f, &message, NULL), ==, WIRE_READ_MESSAGE);
    g_autoptr(WireMessage) plain = message;
    assert_message(plain, 5, 2);
    close(ends[0]);
    close(ends[1]);
}

static void
more_descriptors_than_allowed_are_refused(Fixture *f, gconstpointer passes_fds)
{
    int many[WIRE_FDS_MAX + 1] = {0};
    g_autoptr(WireMessage) sent = message_of(0, 1);
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) read_error = NULL;
    WireMessage *message = NULL;

    g_assert_false(wire_message_add_fds(sent, many, G_N_ELEMENTS(many), &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_RPC);

    write_header(f, WIRE_HEADER_BYTES + 4, WIRE_CALL_WITH_FDS);
    wire_put_u32(bytes, WIRE_FDS_MAX + 1);
    write_bytes(f, bytes->data, bytes->len);
    g_assert_cmpint(read_next(f, &message, &read_error), ==, WIRE_READ_FAILED);
    g_assert_cmpint(error_code(read_error), ==, VIR_ERR_RPC);
}

static void
announced_descriptors_that_do_not_come_are_an_error(Fixture *f, gconstpointer passes_fds)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    WireMessage *message = NULL;

    write_header(f, WIRE_HEADER_BYTES + 4, WIRE_CALL_WITH_FDS);
    wire_put_u32(bytes, 1);
    write_bytes(f, bytes->data, bytes->len);
    write_bytes(f, "", 1);
    g_assert_cmpint(read_next(f, &message, &err), ==, WIRE_READ_FAILED);
    g_assert_cmpint(error_code(err), ==, VIR_ERR_RPC);
}

static void
note_done(WireMessage *message, bool sent, void *counts)
{
    ((int *)counts)[sent]++;
}

static void
sender_hears_once_what_became_of_a_packet(Fixture *f, gconstpointer passes_fds)
{
    int counts[2] = {0, 0};

    for (int i = 0; i < 3; i++) {
        WireMessage *message = message_of(4, i);
        message->done = note_done;
        message->done_data = counts;
        g_assert_true(wire_queue_push(&f->queue, message, NULL));
        if (i == 1)
            g_assert_cmpint(wire_queue_flush(&f->queue, f->here, NULL), ==, WIRE_WRITE_DONE);
    }
    wire_queue_clear(&f->queue);
    g_assert_cmpint(counts[true], ==, 2);
    g_assert_cmpint(counts[false], ==, 1);
}

static void
errors_keep_all_their_parts(void)
{
    g_autoptr(GError) sent =
        error_new_literal(VIR_FROM_QEMU, VIR_ERR_NO_DOMAIN, VIR_ERR_WARNING, "no such guest");
    ErrorDetail *detail = error_detail_edit(sent);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    detail->str1 = g_strdup("format %s");
    detail->str3 = g_strdup("");
    detail->int1 = -1;
    detail->int2 = G_MAXINT;
    wire_error_append(bytes, sent);
    g_assert_cmpuint(bytes->len % 4, ==, 0);

    g_autoptr(GError) got = wire_error_parse(bytes->data, bytes->len);
    g_assert_cmpint(error_code(got), ==, VIR_ERR_NO_DOMAIN);
    g_assert_cmpstr(got->message, ==, "no such guest");
    g_assert_cmpint(error_domain_of(got), ==, VIR_FROM_QEMU);
    g_assert_cmpint(error_detail(got)->level, ==, VIR_ERR_WARNING);
    g_assert_cmpstr(error_detail(got)->str1, ==, "format %s");
    g_assert_cmpstr(error_detail(got)->str2, ==, NULL);
    g_assert_cmpstr(error_detail(got)->str3, ==, "");
    g_assert_cmpint(error_detail(got)->int1, ==, -1);
    g_assert_cmpint(error_detail(got)->int2, ==, G_MAXINT);

    /* Cut anywhere it is still an error, never a crash. */
    for (gsize len = 0; len < bytes->len; len++) {
        g_autofree guchar *cut = g_memdup2(bytes->data, len);
        g_autoptr(GError) part = wire_error_parse(cut, len);
        g_assert_nonnull(part);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add("/wire/" #name, Fixture, NULL, setup, name, teardown)
#define ADD_FDS(name) g_test_add("/wire/" #name, Fixture, "fds", setup, name, teardown)
    ADD(packets_arrive_whole_from_single_bytes);
    ADD(many_packets_leave_together_and_stay_in_order);
    ADD(packet_larger_than_the_socket_is_written_in_parts);
    ADD(lengths_out_of_bounds_are_refused_before_anything_is_read);
    ADD(narrowed_limit_holds);
    ADD(end_between_packets_is_no_error_but_within_one_is);
    g_test_add_func("/wire/too_large_a_packet_is_not_queued", too_large_a_packet_is_not_queued);
    ADD_FDS(descriptors_follow_their_packet);
    ADD_FDS(more_descriptors_than_allowed_are_refused);
    ADD_FDS(announced_descriptors_that_do_not_come_are_an_error);
    ADD(sender_hears_once_what_became_of_a_packet);
    g_test_add_func("/wire/errors_keep_all_their_parts", errors_keep_all_their_parts);
    return g_test_run();
}
