/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets on a connection: header, incremental reader, write queue, descriptors, errors and keepalive.
 *
 * Used by the client library and by the daemon, on non-blocking descriptors. Nothing here knows what a payload means
 * (see wire/codec.h) and nothing waits. A packet is a 4-byte length (counting itself), six header words, and the payload. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#define WIRE_HEADER_BYTES 28           /* length word and header */
#define WIRE_PACKET_MAX (4 + 33554432) /* what the length word may say at most */
#define WIRE_STREAM_DATA_MAX 262120    /* largest stream payload that every peer accepts */
#define WIRE_FDS_MAX 32

#define WIRE_KEEPALIVE_PROGRAM 0x6b656570
#define WIRE_KEEPALIVE_PING 1
#define WIRE_KEEPALIVE_PONG 2

typedef enum {
    WIRE_CALL,
    WIRE_REPLY,
    WIRE_MESSAGE,
    WIRE_STREAM,
    WIRE_CALL_WITH_FDS,
    WIRE_REPLY_WITH_FDS,
    WIRE_STREAM_HOLE,
} WireType;

typedef enum { WIRE_OK, WIRE_ERROR, WIRE_CONTINUE } WireStatus;

/* Type and status come from outside: compare, do not index with them. */
typedef struct {
    guint32 program, version;
    gint32 procedure;
    guint32 type; /* WireType */
    guint32 serial;
    guint32 status; /* WireStatus */
} WireHeader;

/* One packet. While it is made, @bytes starts with room for length and header, and the payload is appended to it
 * (codec_encode(type, value, message->bytes, err)). When it was received, @payload_at is where the payload starts,
 * behind the count of descriptors if there is one. */
typedef struct WireMessage WireMessage;
struct WireMessage {
    WireHeader header;
    GByteArray *bytes;
    gsize payload_at;
    GArray *fds; /* of int, owned and closed with the message; NULL: none */
    /* Called once when the queue has sent the last byte (true) or drops the message unsent (false). */
    void (*done)(WireMessage *message, bool sent, void *done_data);
    void *done_data;
    GList link; /* the queue's */
};

WireMessage *wire_message_new(guint32 program, guint32 version, gint32 procedure, WireType type,
                              guint32 serial, WireStatus status);
/* An answer to @call: same program, version, procedure and serial. */
WireMessage *wire_message_new_reply(const WireHeader *call, WireType type, WireStatus status);
WireMessage *wire_message_new_keepalive(int procedure);
void wire_message_free(WireMessage *message);
/* The same bytes again, descriptors and done hook left out. */
WireMessage *wire_message_copy(const WireMessage *message);
/* Announce descriptors: writes their count into the payload, so call it before anything else is appended; the type
 * becomes CALL_WITH_FDS or REPLY_WITH_FDS. Takes duplicates of @fds. */
bool wire_message_add_fds(WireMessage *message, const int *fds, gsize n_fds, GError **err);
const guchar *wire_message_payload(const WireMessage *message, gsize *len);
/* Take the @index-th received descriptor; -1 when it is absent or taken. */
int wire_message_steal_fd(WireMessage *message, gsize index);
gsize wire_message_n_fds(const WireMessage *message);
/* Write length and header in front of the payload; an error when it is too large. wire_queue_push does it. */
bool wire_message_seal(WireMessage *message, GError **err);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireMessage, wire_message_free)

/* How bytes get in and out. read and write behave as read(2) and writev(2) on non-blocking descriptors. Only plain UNIX
 * sockets carry descriptors. */
typedef struct WireTransport WireTransport;
struct WireTransport {
    int fd; /* owned */
    bool passes_fds;
    ssize_t (*read)(WireTransport *transport, void *bytes, gsize len);
    ssize_t (*write)(WireTransport *transport, const struct iovec *parts, int n_parts);
    /* Bytes that were taken off the descriptor and wait inside (TLS, SASL); NULL: never. */
    bool (*has_pending)(WireTransport *transport);
    void (*free)(WireTransport *transport);
};

/* A connected socket, which becomes non-blocking. @passes_fds: it is a UNIX socket whose other end is the peer itself,
 * not a command that forwards bytes. */
WireTransport *wire_transport_new_socket(int take_fd, bool passes_fds);
void wire_transport_free(WireTransport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireTransport, wire_transport_free)

typedef struct WireReader WireReader;

typedef enum {
    WIRE_READ_MESSAGE, /* *message is set; ask again, there may be more */
    WIRE_READ_AGAIN,   /* wait until the descriptor is readable */
    WIRE_READ_EOF,     /* closed between packets */
    WIRE_READ_FAILED,  /* err is set; the connection is of no more use */
} WireRead;

/* The buffer grows with the bytes that arrived, not with the length that a peer claims, and is given back when idle. */
WireReader *wire_reader_new(void);
void wire_reader_free(WireReader *reader);
/* Packets above @max_bytes (length word) are an error; WIRE_PACKET_MAX at first. Narrow it before authentication. */
void wire_reader_set_limit(WireReader *reader, gsize max_bytes);
/* The next whole packet with its descriptors. Reads from @transport only when no whole packet is buffered. */
WireRead wire_reader_next(WireReader *reader, WireTransport *transport, WireMessage **message,
                          GError **err);
/* The same from what is buffered alone (never reads). */
bool wire_reader_has_message(const WireReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireReader, wire_reader_free)

typedef struct {
    GQueue messages; /* of WireMessage, through their own links */
    gsize sent;      /* bytes of the first message that are out */
    gsize sent_fds;  /* descriptors of the first message that are out */
    gsize bytes;     /* all that waits */
} WireQueue;

typedef enum { WIRE_WRITE_DONE, WIRE_WRITE_AGAIN, WIRE_WRITE_FAILED } WireWrite;

void wire_queue_init(WireQueue *queue);
void wire_queue_clear(WireQueue *queue);
/* Seals and takes @message (also on failure). */
bool wire_queue_push(WireQueue *queue, WireMessage *take_message, GError **err);
bool wire_queue_is_empty(const WireQueue *queue);
/* Write as much as the descriptor takes; several packets leave in one writev. DONE: nothing is left. */
WireWrite wire_queue_flush(WireQueue *queue, WireTransport *transport, GError **err);

/* Append the wire form of @error. @error NULL is said as an unknown cause. */
void wire_error_append(GByteArray *bytes, const GError *error);
/* The error that a payload describes; never NULL: what cannot be read is an RPC error that says so. */
GError *wire_error_parse(const guchar *payload, gsize len);

/* XDR words, for headers and tests. */
void wire_put_u32(GByteArray *bytes, guint32 value);
void wire_put_u64(GByteArray *bytes, guint64 value);
guint32 wire_get_u32(const guchar *bytes);
guint64 wire_get_u64(const guchar *bytes);
