/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets that wait to be sent, and the plain socket they leave through. See frame.h. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "wire/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define PARTS_MAX 16

static ssize_t
socket_read(WireTransport *transport, void *bytes, gsize len)
{
    return recv(transport->fd, bytes, len, 0);
}

static ssize_t
socket_write(WireTransport *transport, const struct iovec *parts, int n_parts)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)parts, .msg_iovlen = n_parts};

    return sendmsg(transport->fd, &msg, MSG_NOSIGNAL);
}

static void
socket_free(WireTransport *transport)
{
    fd_close(&transport->fd);
    g_free(transport);
}

WireTransport *
wire_transport_new_socket(int take_fd, bool passes_fds)
{
    WireTransport *transport = g_new0(WireTransport, 1);

    transport->fd = take_fd;
    transport->passes_fds = passes_fds;
    transport->read = socket_read;
    transport->write = socket_write;
    transport->free = socket_free;
    fd_set_nonblocking(take_fd, true);
    return transport;
}

void
wire_transport_free(WireTransport *transport)
{
    if (transport)
        transport->free(transport);
}

void
wire_queue_init(WireQueue *queue)
{
    *queue = (WireQueue){.messages = G_QUEUE_INIT};
}

static WireMessage *
front_message(WireQueue *queue)
{
    return queue->messages.head ? queue->messages.head->data : NULL;
}

static void
drop_front(WireQueue *queue, bool sent)
{
    WireMessage *message = g_queue_pop_head_link(&queue->messages)->data;
    void (*done)(WireMessage *, bool, void *) = g_steal_pointer(&message->done);

    queue->bytes -= message->bytes->len;
    queue->sent = queue->sent_fds = 0;
    if (done)
        done(message, sent, message->done_data);
    wire_message_free(message);
}

void
wire_queue_clear(WireQueue *queue)
{
    while (front_message(queue))
        drop_front(queue, false);
}

bool
wire_queue_push(WireQueue *queue, WireMessage *take_message, GError **err)
{
    g_autoptr(WireMessage) message = take_message;

    if (!wire_message_seal(message, err))
        return false;
    queue->bytes += message->bytes->len;
    g_queue_push_tail_link(&queue->messages, &g_steal_pointer(&message)->link);
    return true;
}

bool
wire_queue_is_empty(const WireQueue *queue)
{
    return queue->messages.head == NULL;
}

/* As many whole packets as one call takes. One with descriptors must be the last: they follow its last byte. */
static int
gather(WireQueue *queue, struct iovec *parts)
{
    gsize skip = queue->sent;
    int n = 0;

    for (GList *link = queue->messages.head; link && n < PARTS_MAX; link = link->next) {
        WireMessage *message = link->data;
        parts[n++] = (struct iovec){message->bytes->data + skip, message->bytes->len - skip};
        skip = 0;
        if (wire_message_n_fds(message) > 0)
            break;
    }
    return n;
}

/* One descriptor in a message of its own, on one zero byte. */
static ssize_t
send_fd(WireTransport *transport, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char zero = 0;
    struct iovec part = {&zero, 1};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&msg);

    if (!transport->passes_fds) {
        errno = EOPNOTSUPP;
        return -1;
    }
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    return sendmsg(transport->fd, &msg, MSG_NOSIGNAL);
}

static void
account(WireQueue *queue, gsize written)
{
    while (written > 0) {
        WireMessage *message = front_message(queue);
        gsize left = message->bytes->len - queue->sent;

        if (written < left) {
            queue->sent += written;
            return;
        }
        written -= left;
        queue->sent = message->bytes->len;
        if (wire_message_n_fds(message) > 0)
            return;
        drop_front(queue, true);
    }
}

/* One write: the descriptors that the first packet still owes, or bytes. */
static ssize_t
write_once(WireQueue *queue, WireTransport *transport)
{
    WireMessage *message = front_message(queue);
    struct iovec parts[PARTS_MAX];
    ssize_t n;

    if (queue->sent == message->bytes->len) {
        n = send_fd(transport, g_array_index(message->fds, int, queue->sent_fds));
        if (n > 0 && ++queue->sent_fds == message->fds->len)
            drop_front(queue, true);
        return n;
    }
    n = transport->write(transport, parts, gather(queue, parts));
    if (n > 0)
        account(queue, n);
    return n;
}

WireWrite
wire_queue_flush(WireQueue *queue, WireTransport *transport, GError **err)
{
    while (front_message(queue)) {
        if (write_once(queue, transport) >= 0 || errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return WIRE_WRITE_AGAIN;
        fail(err, VIR_ERR_SYSTEM_ERROR, "cannot write to the connection: %s", g_strerror(errno));
        return WIRE_WRITE_FAILED;
    }
    return WIRE_WRITE_DONE;
}
