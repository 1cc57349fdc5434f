/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes from a descriptor become packets. See frame.h.
 *
 * One buffer holds what arrived and was not handed out. It starts small and doubles only when it is full of bytes that are
 * really there, so a peer that announces 32 MiB and sends 28 bytes costs 28 bytes. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "wire/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"

#define FIRST_BYTES 16384

struct WireReader {
    guchar *buffer;
    gsize size, start, end; /* filled from start to end */
    gsize limit;
    GArray *fds; /* of int: arrived and not yet handed out, in order */
};

static void
close_element(gpointer fd)
{
    fd_close(fd);
}

static GArray *
fd_array_new(void)
{
    GArray *fds = g_array_new(false, false, sizeof(int));

    g_array_set_clear_func(fds, close_element);
    return fds;
}

WireReader *
wire_reader_new(void)
{
    WireReader *reader = g_new0(WireReader, 1);

    reader->limit = WIRE_PACKET_MAX;
    return reader;
}

void
wire_reader_free(WireReader *reader)
{
    if (!reader)
        return;
    g_clear_pointer(&reader->fds, g_array_unref);
    g_free(reader->buffer);
    g_free(reader);
}

void
wire_reader_set_limit(WireReader *reader, gsize max_bytes)
{
    reader->limit = MIN(max_bytes, WIRE_PACKET_MAX);
}

/* Where the packet at the front of the buffer ends. */
typedef struct {
    gsize packet_bytes; /* length word and all; 0: the length is not here yet */
    gsize n_fds;        /* each brings one byte behind the packet */
    bool is_whole;
} Front;

static bool
is_with_fds(guint32 type)
{
    return type == WIRE_CALL_WITH_FDS || type == WIRE_REPLY_WITH_FDS;
}

static bool
look_at_front(const WireReader *reader, Front *front, GError **err)
{
    gsize held = reader->end - reader->start;
    const guchar *at;

    *front = (Front){0};
    if (held < 4)
        return true;
    at = reader->buffer + reader->start;
    front->packet_bytes = wire_get_u32(at);
    if (front->packet_bytes < WIRE_HEADER_BYTES || front->packet_bytes > reader->limit)
        return fail(err, VIR_ERR_RPC, "a packet claims %zu bytes, from %d to %zu are possible",
                    front->packet_bytes, WIRE_HEADER_BYTES, reader->limit);
    if (held < WIRE_HEADER_BYTES)
        return true;
    if (is_with_fds(wire_get_u32(at + 16))) {
        if (front->packet_bytes < WIRE_HEADER_BYTES + 4)
            return fail(err, VIR_ERR_RPC, "a packet with descriptors has no room for their count");
        if (held < WIRE_HEADER_BYTES + 4)
            return true;
        front->n_fds = wire_get_u32(at + WIRE_HEADER_BYTES);
        if (front->n_fds > WIRE_FDS_MAX)
            return fail(err, VIR_ERR_RPC,
                        "a packet claims %zu descriptors, at most %d are possible", front->n_fds,
                        WIRE_FDS_MAX);
    }
    front->is_whole = held >= front->packet_bytes + front->n_fds;
    return true;
}

bool
wire_reader_has_message(const WireReader *reader)
{
    Front front;
    g_autoptr(GError) ignored = NULL;

    /* A broken front counts: asking for it gives the error without reading. */
    return !look_at_front(reader, &front, &ignored) || front.is_whole;
}

static bool
take_fds(WireReader *reader, WireMessage *message, gsize n_fds, GError **err)
{
    if (n_fds == 0)
        return true;
    if (!reader->fds || reader->fds->len < n_fds)
        return fail(err, VIR_ERR_RPC, "a packet claims %zu descriptors, %u came with it", n_fds,
                    reader->fds ? reader->fds->len : 0);
    message->fds = fd_array_new();
    g_array_append_vals(message->fds, reader->fds->data, n_fds);
    for (gsize i = 0; i < n_fds; i++)
        g_array_index(reader->fds, int, i) = -1;
    g_array_remove_range(reader->fds, 0, n_fds);
    return true;
}

/* The packet's bytes: the buffer itself when the packet is large and alone in it, else a copy. */
static GByteArray *
take_bytes(WireReader *reader, gsize len)
{
    GByteArray *bytes;

    if (reader->start == 0 && reader->end == len && len > FIRST_BYTES) {
        bytes = g_byte_array_new_take(g_steal_pointer(&reader->buffer), len);
        reader->size = reader->end = 0;
        return bytes;
    }
    bytes = g_byte_array_sized_new(len);
    g_byte_array_append(bytes, reader->buffer + reader->start, len);
    reader->start += len;
    return bytes;
}

static WireMessage *
take_message(WireReader *reader, const Front *front, GError **err)
{
    g_autoptr(WireMessage) message = g_new0(WireMessage, 1);
    const guchar *words;

    message->bytes = take_bytes(reader, front->packet_bytes);
    message->link.data = message;
    words = message->bytes->data;
    message->header = (WireHeader){
        .program = wire_get_u32(words + 4),
        .version = wire_get_u32(words + 8),
        .procedure = (gint32)wire_get_u32(words + 12),
        .type = wire_get_u32(words + 16),
        .serial = wire_get_u32(words + 20),
        .status = wire_get_u32(words + 24),
    };
    message->payload_at = WIRE_HEADER_BYTES + (is_with_fds(message->header.type) ? 4 : 0);
    if (!take_fds(reader, message, front->n_fds, err))
        return NULL;
    reader->start += front->n_fds;
    if (reader->start == reader->end)
        reader->start = reader->end = 0;
    return g_steal_pointer(&message);
}

static void
make_room(WireReader *reader, const Front *front)
{
    gsize held = reader->end - reader->start;

    if (reader->start > 0 && reader->end == reader->size) {
        memmove(reader->buffer, reader->buffer + reader->start, held);
        reader->start = 0;
        reader->end = held;
    }
    if (reader->end < reader->size)
        return;
    reader->size = MAX(FIRST_BYTES, reader->size * 2);
    /* A packet that is nearly there gets exactly its own size, so that it can be handed out without a copy. */
    if (front->n_fds == 0 && front->packet_bytes > held && front->packet_bytes < reader->size)
        reader->size = MAX(FIRST_BYTES, front->packet_bytes);
    reader->buffer = g_realloc(reader->buffer, reader->size);
}

static bool
keep_fds(WireReader *reader, struct msghdr *msg, GError **err)
{
    if (!reader->fds)
        reader->fds = fd_array_new();
    for (struct cmsghdr *part = CMSG_FIRSTHDR(msg); part; part = CMSG_NXTHDR(msg, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (gsize i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            g_array_append_val(reader->fds, fd);
        }
    }
    if (reader->fds->len > WIRE_FDS_MAX || (msg->msg_flags & MSG_CTRUNC))
        return fail(err, VIR_ERR_RPC, "the peer sent more than %d descriptors", WIRE_FDS_MAX);
    return true;
}

/* recvmsg always, since descriptors that read(2) meets are lost. */
static ssize_t
receive(WireReader *reader, WireTransport *transport, GError **err)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {reader->buffer + reader->end, reader->size - reader->end};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;

    if (!transport->passes_fds)
        return transport->read(transport, part.iov_base, part.iov_len);
    n = recvmsg(transport->fd, &msg, MSG_CMSG_CLOEXEC);
    if (n >= 0 && msg.msg_controllen > 0 && !keep_fds(reader, &msg, err))
        return -1;
    return n;
}

static void
give_back_when_empty(WireReader *reader)
{
    if (reader->start != reader->end)
        return;
    g_clear_pointer(&reader->buffer, g_free);
    reader->size = reader->start = reader->end = 0;
}

WireRead
wire_reader_next(WireReader *reader, WireTransport *transport, WireMessage **message, GError **err)
{
    g_autoptr(GError) local = NULL;

    for (;;) {
        Front front;
        ssize_t n;

        if (!look_at_front(reader, &front, err))
            return WIRE_READ_FAILED;
        if (front.is_whole) {
            *message = take_message(reader, &front, err);
            return *message ? WIRE_READ_MESSAGE : WIRE_READ_FAILED;
        }
        make_room(reader, &front);
        n = receive(reader, transport, &local);
        if (local) {
            g_propagate_error(err, g_steal_pointer(&local));
            return WIRE_READ_FAILED;
        }
        if (n > 0) {
            reader->end += n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            give_back_when_empty(reader);
            return WIRE_READ_AGAIN;
        }
        if (n == 0 && reader->start == reader->end)
            return WIRE_READ_EOF;
        if (n == 0)
            fail(err, VIR_ERR_RPC, "the connection ended within a packet");
        else
            fail(err, VIR_ERR_SYSTEM_ERROR, "cannot read from the connection: %s",
                 g_strerror(errno));
        return WIRE_READ_FAILED;
    }
}
