/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets in memory: making, sealing, descriptors, errors. See frame.h; reader.c and queue.c move them. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "wire/frame.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define TEXT_MAX 4194304
#define UUID_WIRE_BYTES 16

void
wire_put_u32(GByteArray *bytes, guint32 value)
{
    guint32 big = GUINT32_TO_BE(value);

    g_byte_array_append(bytes, (const guint8 *)&big, sizeof(big));
}

void
wire_put_u64(GByteArray *bytes, guint64 value)
{
    guint64 big = GUINT64_TO_BE(value);

    g_byte_array_append(bytes, (const guint8 *)&big, sizeof(big));
}

guint32
wire_get_u32(const guchar *bytes)
{
    guint32 big;

    memcpy(&big, bytes, sizeof(big));
    return GUINT32_FROM_BE(big);
}

guint64
wire_get_u64(const guchar *bytes)
{
    guint64 big;

    memcpy(&big, bytes, sizeof(big));
    return GUINT64_FROM_BE(big);
}

static void
close_element(gpointer fd)
{
    fd_close(fd);
}

WireMessage *
wire_message_new(guint32 program, guint32 version, gint32 procedure, WireType type, guint32 serial,
                 WireStatus status)
{
    WireMessage *message = g_new0(WireMessage, 1);

    message->header = (WireHeader){program, version, procedure, type, serial, status};
    message->bytes = g_byte_array_sized_new(WIRE_HEADER_BYTES + 228);
    g_byte_array_set_size(message->bytes, WIRE_HEADER_BYTES);
    message->payload_at = WIRE_HEADER_BYTES;
    message->link.data = message;
    return message;
}

WireMessage *
wire_message_new_reply(const WireHeader *call, WireType type, WireStatus status)
{
    return wire_message_new(call->program, call->version, call->procedure, type, call->serial,
                            status);
}

WireMessage *
wire_message_new_keepalive(int procedure)
{
    return wire_message_new(WIRE_KEEPALIVE_PROGRAM, 1, procedure, WIRE_MESSAGE, 0, WIRE_OK);
}

void
wire_message_free(WireMessage *message)
{
    if (!message)
        return;
    if (message->done)
        message->done(message, false, message->done_data);
    g_byte_array_unref(message->bytes);
    g_clear_pointer(&message->fds, g_array_unref);
    g_free(message);
}

WireMessage *
wire_message_copy(const WireMessage *message)
{
    WireMessage *copy = g_new0(WireMessage, 1);

    copy->header = message->header;
    copy->bytes = g_byte_array_sized_new(message->bytes->len);
    g_byte_array_append(copy->bytes, message->bytes->data, message->bytes->len);
    copy->payload_at = message->payload_at;
    copy->link.data = copy;
    return copy;
}

bool
wire_message_add_fds(WireMessage *message, const int *fds, gsize n_fds, GError **err)
{
    g_assert(message->bytes->len == WIRE_HEADER_BYTES);

    if (n_fds > WIRE_FDS_MAX)
        return fail(err, VIR_ERR_RPC, "%zu descriptors in a packet, at most %d can be passed",
                    n_fds, WIRE_FDS_MAX);
    message->fds = g_array_new(false, false, sizeof(int));
    g_array_set_clear_func(message->fds, close_element);
    for (gsize i = 0; i < n_fds; i++) {
        int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            g_autofree char *name = g_strdup_printf("descriptor %d", fds[i]);
            return fail_errno(err, "duplicate", name);
        }
        g_array_append_val(message->fds, fd);
    }
    message->header.type =
        message->header.type == WIRE_REPLY ? WIRE_REPLY_WITH_FDS : WIRE_CALL_WITH_FDS;
    wire_put_u32(message->bytes, n_fds);
    message->payload_at = message->bytes->len;
    return true;
}

const guchar *
wire_message_payload(const WireMessage *message, gsize *len)
{
    *len = message->bytes->len - message->payload_at;
    return message->bytes->data + message->payload_at;
}

gsize
wire_message_n_fds(const WireMessage *message)
{
    return message->fds ? message->fds->len : 0;
}

int
wire_message_steal_fd(WireMessage *message, gsize index)
{
    if (index >= wire_message_n_fds(message))
        return -1;
    return fd_steal(&g_array_index(message->fds, int, index));
}

bool
wire_message_seal(WireMessage *message, GError **err)
{
    guint32 words[7];
    const WireHeader *header = &message->header;

    if (message->bytes->len > WIRE_PACKET_MAX)
        return fail(err, VIR_ERR_RPC, "packet of %u bytes for procedure %d, at most %d can be sent",
                    message->bytes->len, header->procedure, WIRE_PACKET_MAX);
    words[0] = GUINT32_TO_BE(message->bytes->len);
    words[1] = GUINT32_TO_BE(header->program);
    words[2] = GUINT32_TO_BE(header->version);
    words[3] = GUINT32_TO_BE((guint32)header->procedure);
    words[4] = GUINT32_TO_BE(header->type);
    words[5] = GUINT32_TO_BE(header->serial);
    words[6] = GUINT32_TO_BE(header->status);
    memcpy(message->bytes->data, words, sizeof(words));
    return true;
}

static void
put_text(GByteArray *bytes, const char *text)
{
    static const guint8 zeros[4];
    gsize len = text ? MIN(strlen(text), TEXT_MAX) : 0;

    wire_put_u32(bytes, text != NULL);
    if (!text)
        return;
    wire_put_u32(bytes, len);
    g_byte_array_append(bytes, (const guint8 *)text, len);
    g_byte_array_append(bytes, zeros, -len & 3);
}

void
wire_error_append(GByteArray *bytes, const GError *error)
{
    const ErrorDetail *detail = error_detail(error);

    wire_put_u32(bytes, error_code(error));
    wire_put_u32(bytes, detail->domain);
    put_text(bytes, error ? error->message : "An error occurred, but the cause is unknown");
    wire_put_u32(bytes, detail->level);
    wire_put_u32(bytes, 0); /* no domain object */
    put_text(bytes, detail->str1);
    put_text(bytes, detail->str2);
    put_text(bytes, detail->str3);
    wire_put_u32(bytes, detail->int1);
    wire_put_u32(bytes, detail->int2);
    wire_put_u32(bytes, 0); /* no network object */
}

/* What is left of a payload; once something did not fit, everything later reads as zero. */
typedef struct {
    const guchar *at;
    gsize left;
    bool is_broken;
} Cursor;

static const guchar *
take_bytes(Cursor *cursor, gsize len)
{
    const guchar *bytes = cursor->at;

    if (cursor->is_broken || cursor->left < len) {
        cursor->is_broken = true;
        return NULL;
    }
    cursor->at += len;
    cursor->left -= len;
    return bytes;
}

static guint32
take_u32(Cursor *cursor)
{
    const guchar *bytes = take_bytes(cursor, 4);

    return bytes ? wire_get_u32(bytes) : 0;
}

static char *
take_nonnull_text(Cursor *cursor)
{
    gsize len = take_u32(cursor);
    const guchar *bytes;

    if (len > TEXT_MAX) {
        cursor->is_broken = true;
        return NULL;
    }
    bytes = take_bytes(cursor, (len + 3) & ~(gsize)3);
    return bytes ? g_strndup((const char *)bytes, len) : NULL;
}

static char *
take_text(Cursor *cursor)
{
    return take_u32(cursor) ? take_nonnull_text(cursor) : NULL;
}

/* A domain (with id) or a network (without) that an error is about: named in the message anyway, so it is stepped over. */
static void
skip_object(Cursor *cursor, bool has_id)
{
    g_autofree char *name = NULL;

    if (!take_u32(cursor))
        return;
    name = take_nonnull_text(cursor);
    take_bytes(cursor, UUID_WIRE_BYTES);
    if (has_id)
        take_u32(cursor);
}

GError *
wire_error_parse(const guchar *payload, gsize len)
{
    Cursor cursor = {payload, len, false};
    GError *error = NULL;
    ErrorDetail *detail;
    g_autofree char *message = NULL;
    int code = (gint32)take_u32(&cursor), domain = (gint32)take_u32(&cursor), level;

    message = take_text(&cursor);
    level = (gint32)take_u32(&cursor);
    if (cursor.is_broken) {
        fail(&error, VIR_ERR_RPC, "the peer's error of %zu bytes cannot be read", len);
        return error;
    }
    error = error_new_literal(domain, code, level,
                              message ? message : "An error occurred, but the cause is unknown");
    detail = error_detail_edit(error);
    skip_object(&cursor, true);
    detail->str1 = take_text(&cursor);
    detail->str2 = take_text(&cursor);
    detail->str3 = take_text(&cursor);
    detail->int1 = (gint32)take_u32(&cursor);
    detail->int2 = (gint32)take_u32(&cursor);
    return error;
}
