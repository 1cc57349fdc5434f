/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection: sending, receiving, matching replies to the commands that wait. See qmp.h; qmp_call.c has the calls.
 *
 * One mutex guards what the loop's thread and the workers share; nothing waits while holding it except the condition itself. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "seam/qmp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "loop/strand.h"
#include "seam/clock.h"
#include "seam/qmp_private.h"

enum { MAX_MESSAGE_BYTES = 10 << 20, MAX_DEPTH = 64, READ_BYTES = 65536 };

typedef struct {
    GBytes *bytes;
    gsize sent;
    int fd; /* travels with the first byte; -1: none */
} OutChunk;

/* A callback on its way to the strand. */
typedef struct {
    Qmp *qmp;
    Json *event; /* NULL: the connection has closed */
} Delivery;

static void
out_chunk_free(OutChunk *chunk)
{
    g_bytes_unref(chunk->bytes);
    fd_close(&chunk->fd);
    g_free(chunk);
}

static void
qmp_free(Qmp *qmp)
{
    if (qmp->config.free_opaque)
        qmp->config.free_opaque(qmp->config.opaque);
    fd_close(&qmp->fd);
    g_byte_array_unref(qmp->in);
    g_queue_clear_full(&qmp->out, (GDestroyNotify)out_chunk_free);
    g_hash_table_unref(qmp->waiting);
    g_clear_pointer(&qmp->config.strand, strand_unref);
    g_clear_error(&qmp->closed);
    g_free(qmp->name);
    g_mutex_clear(&qmp->mutex);
    g_cond_clear(&qmp->changed);
    g_free(qmp);
}

Qmp *
qmp_ref(Qmp *qmp)
{
    g_atomic_ref_count_inc(&qmp->refs);
    return qmp;
}

void
qmp_unref(Qmp *qmp)
{
    if (qmp && g_atomic_ref_count_dec(&qmp->refs))
        qmp_free(qmp);
}

static void
unref_from_watch(gpointer qmp)
{
    qmp_unref(qmp);
}

/* Fail everything that waits, and stop watching. With the mutex held; @reason is a constant, NULL: we close it ourselves. */
static bool
shut_down_locked(Qmp *qmp, const char *reason)
{
    if (qmp->closed)
        return false;
    fail(&qmp->closed, reason ? VIR_ERR_INTERNAL_ERROR : VIR_ERR_OPERATION_ABORTED, "%s",
         reason ? reason : "the monitor was closed");
    qmp->closed_reason = reason;
    g_hash_table_remove_all(qmp->waiting);
    qmp->oldest_ms = 0;
    shutdown(qmp->fd, SHUT_RDWR);
    loop_watch_remove(g_steal_pointer(&qmp->watch));
    g_cond_broadcast(&qmp->changed);
    return true;
}

static void
run_delivery(void *data)
{
    Delivery *delivery = data;
    Qmp *qmp = delivery->qmp;
    const Json *stamp = json_object_get(delivery->event, "timestamp");
    bool wanted;

    g_mutex_lock(&qmp->mutex);
    wanted = !qmp->is_silenced;
    g_mutex_unlock(&qmp->mutex);

    if (wanted && !delivery->event && qmp->config.on_closed)
        qmp->config.on_closed(qmp, qmp->closed_reason, qmp->config.opaque);
    if (wanted && delivery->event && qmp->config.on_event)
        qmp->config.on_event(qmp, json_string_value(json_object_get(delivery->event, "event")),
                             json_object_get(delivery->event, "data"),
                             json_integer_value(json_object_get(stamp, "seconds")) *
                                     G_USEC_PER_SEC +
                                 json_integer_value(json_object_get(stamp, "microseconds")),
                             qmp->config.opaque);
    json_decref(delivery->event);
    qmp_unref(qmp);
    g_free(delivery);
}

static void
deliver(Qmp *qmp, Json *take_event)
{
    Delivery *delivery = g_new0(Delivery, 1);

    delivery->qmp = qmp_ref(qmp);
    delivery->event = take_event;
    if (qmp->config.strand)
        strand_post_internal(qmp->config.strand, run_delivery, delivery);
    else
        run_delivery(delivery);
}

static void
shut_down(Qmp *qmp, const char *reason)
{
    bool is_first;

    g_mutex_lock(&qmp->mutex);
    is_first = shut_down_locked(qmp, reason);
    g_mutex_unlock(&qmp->mutex);
    if (is_first)
        deliver(qmp, NULL);
}

void
qmp_close(Qmp *qmp)
{
    GDestroyNotify free_opaque;
    gpointer opaque;

    g_mutex_lock(&qmp->mutex);
    qmp->is_silenced = true;
    shut_down_locked(qmp, NULL);
    free_opaque = g_steal_pointer(&qmp->config.free_opaque);
    opaque = g_steal_pointer(&qmp->config.opaque);
    g_mutex_unlock(&qmp->mutex);
    if (free_opaque)
        free_opaque(opaque);
}

bool
qmp_is_open(Qmp *qmp)
{
    bool is_open;

    g_mutex_lock(&qmp->mutex);
    is_open = !qmp->closed;
    g_mutex_unlock(&qmp->mutex);
    return is_open;
}

static ssize_t
send_chunk(int fd, OutChunk *chunk)
{
    gsize len;
    const char *bytes = g_bytes_get_data(chunk->bytes, &len);
    struct iovec part = {.iov_base = (char *)bytes + chunk->sent, .iov_len = len - chunk->sent};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (chunk->fd >= 0) {
        struct cmsghdr *header;

        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &chunk->fd, sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Write what can be written now; the loop does the rest when there is room. With the mutex held. */
static void
flush_locked(Qmp *qmp)
{
    OutChunk *chunk;
    bool is_full = false;

    while (!qmp->closed && !is_full && (chunk = g_queue_peek_head(&qmp->out))) {
        ssize_t sent = send_chunk(qmp->fd, chunk);

        if (sent < 0 && errno == EINTR)
            continue;
        is_full = sent < 0; /* a broken connection is seen by the reader */
        if (sent < 0)
            break;
        fd_close(&chunk->fd);
        chunk->sent += (gsize)sent;
        if (chunk->sent == g_bytes_get_size(chunk->bytes))
            out_chunk_free(g_queue_pop_head(&qmp->out));
    }
    if (is_full != qmp->wants_room && qmp->watch) {
        qmp->wants_room = is_full;
        loop_watch_update(qmp->watch, EPOLLIN | (is_full ? EPOLLOUT : 0));
    }
}

void
qmp_send_locked(Qmp *qmp, GBytes *take_bytes, int take_fd)
{
    OutChunk *chunk = g_new0(OutChunk, 1);

    chunk->bytes = take_bytes;
    chunk->fd = take_fd;
    g_queue_push_tail(&qmp->out, chunk);
    flush_locked(qmp);
}

/* Nesting is counted before the parser recurses. */
static bool
is_shallow(const char *text, gsize len)
{
    int depth = 0;
    bool in_string = false;

    for (gsize i = 0; i < len; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = false;
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > MAX_DEPTH)
                return false;
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
    }
    return true;
}

/* A reply or a greeting: with the mutex held. Late replies, whose caller has given up, match nothing. The message moves to
 * whoever waits: no two threads count references to it. */
static void
take_reply_locked(Qmp *qmp, Json *take_message)
{
    g_autoptr(Json) message = take_message;
    gpointer key = GSIZE_TO_POINTER((gsize)json_integer_value(json_object_get(message, "id")));
    QmpSlot *slot = g_hash_table_lookup(qmp->waiting, key);

    if (json_object_get(message, "QMP")) {
        qmp->is_greeted = true;
    } else if (slot) {
        QmpCommand *command = &g_array_index(slot->batch->commands, QmpCommand, slot->index);

        command->answer = g_steal_pointer(&message);
        slot->batch->n_missing--;
        g_hash_table_remove(qmp->waiting, key);
    }
    qmp->oldest_ms = g_hash_table_size(qmp->waiting) ? clock_monotonic_ms() : 0;
    g_cond_broadcast(&qmp->changed);
}

/* The emulator prints unsigned numbers, and all ones (2^64 - 1) where it knows none; our JSON has signed ones. Numbers that do not
 * fit keep their bits: all ones becomes -1. */
static GString *
with_signed_numbers(const char *text, gsize len)
{
    GString *out = g_string_sized_new(len);
    bool in_string = false;

    for (gsize i = 0; i < len;) {
        gsize end = i;

        while (!in_string && end < len && g_ascii_isdigit(text[end]))
            end++;
        if (end - i >= 19 && end - i <= 20) {
            g_autofree char *digits = g_strndup(text + i, end - i);

            g_string_append_printf(out, "%" G_GINT64_FORMAT,
                                   (gint64)g_ascii_strtoull(digits, NULL, 10));
            i = end;
            continue;
        }
        if (in_string && text[i] == '\\' && i + 1 < len)
            g_string_append_c(out, text[i++]);
        else if (text[i] == '"')
            in_string = !in_string;
        g_string_append_c(out, text[i++]);
    }
    return out;
}

static Json *
parse_message(const char *text, gsize len)
{
    json_error_t error;
    Json *message = is_shallow(text, len) ? json_loadb(text, len, JSON_ALLOW_NUL, &error) : NULL;

    if (!message && is_shallow(text, len) &&
        json_error_code(&error) == json_error_numeric_overflow) {
        g_autoptr(GString) fitting = with_signed_numbers(text, len);

        message = json_loadb(fitting->str, fitting->len, JSON_ALLOW_NUL, &error);
    }
    return message;
}

static void
take_message(Qmp *qmp, const char *text, gsize len)
{
    g_autoptr(Json) message = parse_message(text, len);

    if (!json_is_object(message)) {
        shut_down(qmp, "the emulator sent something that is no monitor message");
        return;
    }
    if (log_wants(LOG_LEVEL_DEBUG, LOG_SEAM))
        log_debug(LOG_SEAM, "%s: monitor says %.*s", qmp->name, (int)MIN(len, 4096), text);
    if (json_is_string(json_object_get(message, "event"))) {
        deliver(qmp, g_steal_pointer(&message));
        return;
    }
    g_mutex_lock(&qmp->mutex);
    take_reply_locked(qmp, g_steal_pointer(&message));
    g_mutex_unlock(&qmp->mutex);
}

/* Cut what has arrived into lines. Only the loop's thread touches qmp->in. */
static void
take_lines(Qmp *qmp)
{
    gsize start = 0;
    guint8 *newline;

    while (qmp->in->len > qmp->scanned &&
           (newline = memchr(qmp->in->data + qmp->scanned, '\n', qmp->in->len - qmp->scanned))) {
        gsize end = (gsize)(newline - qmp->in->data);

        if (end - start > 1)
            take_message(qmp, (const char *)qmp->in->data + start, end - start);
        start = qmp->scanned = end + 1;
    }
    g_byte_array_remove_range(qmp->in, 0, (guint)start);
    qmp->scanned = qmp->in->len;
}

static void
on_readable(Qmp *qmp)
{
    for (;;) {
        guint before = qmp->in->len;
        ssize_t got;

        g_byte_array_set_size(qmp->in, before + READ_BYTES);
        got = recv(qmp->fd, qmp->in->data + before, READ_BYTES, MSG_DONTWAIT);
        g_byte_array_set_size(qmp->in, before + (guint)MAX(got, 0));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            shut_down(qmp, "the emulator closed its monitor");
            return;
        }
        take_lines(qmp);
        if (qmp->in->len > MAX_MESSAGE_BYTES) {
            shut_down(qmp, "the emulator sent a monitor message of more than 10 MiB");
            return;
        }
        if (got < READ_BYTES)
            return;
    }
}

static void
on_socket(int fd, uint32_t events, void *opaque)
{
    Qmp *qmp = opaque;

    if (events & EPOLLOUT) {
        g_mutex_lock(&qmp->mutex);
        flush_locked(qmp);
        g_mutex_unlock(&qmp->mutex);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(qmp);
}

Qmp *
qmp_new(int take_fd, const QmpConfig *config, GError **err)
{
    g_autoptr(Qmp) qmp = g_new0(Qmp, 1);

    g_atomic_ref_count_init(&qmp->refs);
    g_mutex_init(&qmp->mutex);
    g_cond_init(&qmp->changed);
    qmp->fd = take_fd;
    qmp->in = g_byte_array_new();
    qmp->waiting = g_hash_table_new_full(NULL, NULL, NULL, qmp_slot_free);
    qmp->name = g_strdup(config->name);
    qmp->config = *config;
    if (config->strand)
        strand_ref(config->strand);
    /* The watch is published under the mutex: its first callback may come before this function returns. */
    g_mutex_lock(&qmp->mutex);
    qmp->watch = loop_watch_fd(config->loop, qmp->fd, EPOLLIN, on_socket, qmp_ref(qmp),
                               unref_from_watch, err);
    if (!qmp->watch)
        qmp->config.free_opaque = NULL;
    g_mutex_unlock(&qmp->mutex);
    if (!qmp->watch) {
        qmp_unref(qmp);
        return NULL;
    }
    return g_steal_pointer(&qmp);
}
