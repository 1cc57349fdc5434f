/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stream.h. All state belongs to the loop's thread, but for `is_sending` and for what a worker's step uses alone while
 * `is_stepping` holds. */
#define ERROR_DOMAIN VIR_FROM_STREAMS

#include "server/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#define CHUNK_MIN 4096
#define CHUNKS_PER_STEP 16
#define STREAMS_MAX 256 /* of one client */

struct Stream {
    gatomicrefcount refs;
    Client *client;
    WireHeader header;
    int fd;
    bool is_file, is_sparse, is_limited;
    guint64 bytes_left;   /* of a limited one */
    bool sends, receives; /* seen from here */
    CallStreamDone done;
    void *data;

    LoopWatch *watch;
    GQueue incoming; /* of WireMessage */
    gsize incoming_bytes, chunk_bytes;
    bool has_ended;    /* everything was sent, and the end too */
    bool is_finishing; /* the client has sent its last packet */
    bool is_over;      /* takes no more part */
    bool ends_aborted, ends_answered;
    bool is_pumping;
    bool is_stepping; /* a worker moves bytes of a regular file */
    gint is_sending;  /* atomic: a data packet is in the client's queue */
    GError *step_error;
};

static Stream *
stream_ref(Stream *stream)
{
    g_atomic_ref_count_inc(&stream->refs);
    return stream;
}

static void
stream_unref(Stream *stream)
{
    if (!stream || !g_atomic_ref_count_dec(&stream->refs))
        return;
    while (stream->incoming.head)
        wire_message_free(g_queue_pop_head(&stream->incoming));
    fd_close(&stream->fd);
    g_clear_error(&stream->step_error);
    client_unref(stream->client);
    g_free(stream);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_unref)

static void
stream_unref_opaque(void *opaque)
{
    stream_unref(opaque);
}

static Loop *
stream_loop(const Stream *stream)
{
    return stream->client->server->daemon->host.loop;
}

static Pool *
stream_pool(const Stream *stream)
{
    return stream->client->server->daemon->host.pool;
}

static bool
stream_set_directions(Stream *stream, const ApiProc *proc, GError **err)
{
    struct stat info;
    const int mode = fcntl(stream->fd, F_GETFL);

    if (mode < 0 || fstat(stream->fd, &info) < 0)
        return fail_errno(err, "look at the descriptor of", proc->function);
    stream->is_file = S_ISREG(info.st_mode) || S_ISBLK(info.st_mode);
    if (stream->is_file) {
        stream->sends = (proc->flags & API_STREAM_OUT) != 0;
        stream->receives = (proc->flags & API_STREAM_IN) != 0;
        return true;
    }
    if (stream->is_sparse)
        return fail(err, VIR_ERR_OPERATION_INVALID, "%s: only regular files have holes",
                    proc->function);
    stream->sends = (mode & O_ACCMODE) != O_WRONLY;
    stream->receives = (mode & O_ACCMODE) != O_RDONLY;
    return fd_set_nonblocking(stream->fd, true) ||
           fail_errno(err, "prepare the descriptor of", proc->function);
}

Stream *
stream_new(Client *client, const WireHeader *header, const ApiProc *proc, int take_fd,
           CallStreamFlags flags, CallStreamDone done, void *data, GError **err)
{
    g_autoptr(Stream) stream = g_new0(Stream, 1);
    guint n_streams;

    g_mutex_lock(&client->lock);
    n_streams = client->streams ? client->streams->len : 0;
    g_mutex_unlock(&client->lock);
    g_atomic_ref_count_init(&stream->refs);
    stream->client = client_ref(client);
    stream->header = *header;
    stream->fd = take_fd;
    stream->is_sparse = (flags & CALL_STREAM_SPARSE) != 0;
    stream->chunk_bytes = CHUNK_MIN;
    if (n_streams >= STREAMS_MAX)
        return fail_null(err, VIR_ERR_RESOURCE_BUSY, "this connection has %d streams open",
                         STREAMS_MAX);
    if (!stream_set_directions(stream, proc, err))
        return NULL;
    stream->done = done;
    stream->data = data;
    return g_steal_pointer(&stream);
}

void
stream_limit(Stream *stream, guint64 bytes)
{
    stream->is_limited = true;
    stream->bytes_left = bytes;
}

/* --- end --------------------------------------------------------------------------------------------------------- */

static void
stream_send_end(Stream *stream, const GError *error)
{
    WireMessage *message =
        wire_message_new_reply(&stream->header, WIRE_STREAM, error ? WIRE_ERROR : WIRE_OK);

    if (error)
        wire_error_append(message->bytes, error);
    client_send(stream->client, message);
}

typedef struct {
    Stream *stream;
    bool is_aborted, must_answer;
} StreamEnd;

/* On a worker: let the driver finish, then tell the client. */
static void
stream_run_done(void *opaque)
{
    g_autofree StreamEnd *end = opaque;
    g_autoptr(Stream) stream = end->stream;
    g_autoptr(GError) error = NULL;
    const bool is_good = stream->done(stream->data, end->is_aborted, &error);

    if (end->must_answer)
        stream_send_end(stream, is_good ? NULL : error);
}

static void
stream_detach(Stream *stream)
{
    Client *client = stream->client;
    gboolean was_there = false;

    g_mutex_lock(&client->lock);
    if (client->streams)
        was_there = g_ptr_array_remove(client->streams, stream);
    client->stream_bytes -= stream->incoming_bytes;
    stream->incoming_bytes = 0;
    g_mutex_unlock(&client->lock);
    if (was_there)
        stream_unref(stream);
}

/* The client is not read while too much of its data waits; some of it went. */
static void
stream_let_client_go_on(Stream *stream)
{
    if (stream->client->is_paused && !streams_are_full(stream->client))
        client_resume_soon(stream->client);
}

/* Nothing moves any more: hand the end to the driver. */
static void
stream_finish(Stream *stream)
{
    StreamEnd *end;

    if (stream->done) {
        end = g_new(StreamEnd, 1);
        *end = (StreamEnd){stream_ref(stream), stream->ends_aborted, stream->ends_answered};
        pool_run(stream_pool(stream), stream_run_done, end);
    } else if (stream->ends_answered) {
        stream_send_end(stream, NULL);
    }
}

/* The stream is over; with @must_answer the client is told when the driver is done too. */
static void
stream_end(Stream *stream, bool is_aborted, bool must_answer)
{
    if (stream->is_over)
        return;
    stream->is_over = true;
    stream->ends_aborted = is_aborted;
    stream->ends_answered = must_answer;
    loop_watch_remove(g_steal_pointer(&stream->watch));
    if (!stream->is_stepping)
        stream_finish(stream);
    stream_detach(stream);
    stream_let_client_go_on(stream);
}

static void
stream_fail(Stream *stream, const GError *error)
{
    if (stream->is_over)
        return;
    stream_send_end(stream, error);
    stream_end(stream, true, false);
}

void
stream_discard(Stream *stream)
{
    if (!stream)
        return;
    stream_end(stream, true, false);
    stream_unref(stream);
}

/* --- outgoing ---------------------------------------------------------------------------------------------------- */

static void stream_pump(Stream *stream);

static void
stream_pump_opaque(void *opaque)
{
    g_autoptr(Stream) stream = opaque;

    stream_pump(stream);
}

/* The data packet left (or never will). May run on any thread, with the client locked. */
static void
stream_on_sent(WireMessage *message, bool sent, void *opaque)
{
    g_autoptr(Stream) stream = opaque;

    g_atomic_int_set(&stream->is_sending, false);
    if (sent && !(loop_on_thread(stream_loop(stream)) && stream->is_pumping))
        loop_post(stream_loop(stream), stream_pump_opaque, stream_ref(stream));
}

static void
stream_send(Stream *stream, WireMessage *take_message)
{
    g_atomic_int_set(&stream->is_sending, true);
    take_message->done = stream_on_sent;
    take_message->done_data = stream_ref(stream);
    client_send(stream->client, take_message);
}

static WireMessage *
stream_new_message(Stream *stream, WireType type)
{
    return wire_message_new_reply(&stream->header, type, WIRE_CONTINUE);
}

/* Read up to @most bytes and send them; at the end of the file, say so. -1 with errno set, 0 at the end, else more. */
static ssize_t
stream_send_some(Stream *stream, gsize most)
{
    g_autoptr(WireMessage) message = stream_new_message(stream, WIRE_STREAM);
    const guint head = message->bytes->len;
    ssize_t count;

    g_byte_array_set_size(message->bytes, head + (guint)most);
    do {
        count = read(stream->fd, message->bytes->data + head, most);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EIO)
        count = 0; /* a terminal whose other side was closed */
    if (count < 0)
        return -1;
    g_byte_array_set_size(message->bytes, head + (guint)count);
    if (count == 0)
        stream->has_ended = true;
    stream_send(stream, g_steal_pointer(&message));
    return count;
}

static bool
stream_may_send(Stream *stream)
{
    return stream->sends && !stream->has_ended && !g_atomic_int_get(&stream->is_sending);
}

static bool
stream_pump_out(Stream *stream, GError **err)
{
    for (guint i = 0; i < CHUNKS_PER_STEP && stream_may_send(stream); i++) {
        ssize_t count = stream_send_some(stream, stream->chunk_bytes);

        if (count < 0)
            return errno == EAGAIN || fail_errno(err, "read from", "the stream");
        if ((gsize)count == stream->chunk_bytes)
            stream->chunk_bytes = MIN(stream->chunk_bytes * 4, WIRE_STREAM_DATA_MAX);
        else if ((gsize)count < stream->chunk_bytes / 8)
            stream->chunk_bytes = MAX(stream->chunk_bytes / 4, CHUNK_MIN);
    }
    return true;
}

/* --- incoming ---------------------------------------------------------------------------------------------------- */

static void
stream_pop(Stream *stream)
{
    WireMessage *message = g_queue_pop_head(&stream->incoming);
    Client *client = stream->client;

    g_mutex_lock(&client->lock);
    stream->incoming_bytes -= message->bytes->len;
    client->stream_bytes -= message->bytes->len;
    g_mutex_unlock(&client->lock);
    wire_message_free(message);
}

/* Write what waits. The part of a packet that is written is cut off by moving its payload's start. */
static bool
stream_pump_in(Stream *stream, GError **err)
{
    while (stream->incoming.head) {
        WireMessage *message = stream->incoming.head->data;
        gsize len;
        const guchar *bytes = wire_message_payload(message, &len);
        ssize_t count = len ? write(stream->fd, bytes, len) : 0;

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN || fail_errno(err, "write to", "the stream");
        message->payload_at += (gsize)count;
        if ((gsize)count == len)
            stream_pop(stream);
    }
    return true;
}

/* --- regular files, on a worker ----------------------------------------------------------------------------------- */

/* How many bytes from here to the next hole; sends a hole that starts here. 0: a hole went out, or the end is near. */
static gsize
stream_file_run(Stream *stream)
{
    const off_t here = lseek(stream->fd, 0, SEEK_CUR);
    off_t data = lseek(stream->fd, here, SEEK_DATA);
    off_t hole;

    if (data < 0)
        data = lseek(stream->fd, 0, SEEK_END);
    if (stream->is_limited)
        data = MIN(data, here + (off_t)MIN(stream->bytes_left, (guint64)G_MAXINT64 / 2));
    if (data > here) {
        WireMessage *message = stream_new_message(stream, WIRE_STREAM_HOLE);

        wire_put_u64(message->bytes, (guint64)(data - here));
        wire_put_u32(message->bytes, 0);
        lseek(stream->fd, data, SEEK_SET);
        stream->bytes_left -= stream->is_limited ? (guint64)(data - here) : 0;
        stream_send(stream, message);
        return 0;
    }
    hole = lseek(stream->fd, here, SEEK_HOLE);
    lseek(stream->fd, here, SEEK_SET);
    return hole > here ? (gsize)(hole - here) : WIRE_STREAM_DATA_MAX;
}

static bool
stream_file_out(Stream *stream, GError **err)
{
    for (guint i = 0; i < CHUNKS_PER_STEP && stream_may_send(stream); i++) {
        const bool is_at_end = stream->is_limited && stream->bytes_left == 0;
        gsize most = WIRE_STREAM_DATA_MAX;
        ssize_t count = 0;

        if (stream->is_sparse && !is_at_end) {
            most = MIN(most, stream_file_run(stream));
            if (most == 0)
                continue; /* a hole went out */
        }
        if (stream->is_limited)
            most = (gsize)MIN((guint64)most, stream->bytes_left);
        count = stream_send_some(stream, most);
        if (count < 0)
            return fail_errno(err, "read from", "the stream's file");
        stream->bytes_left -= stream->is_limited ? (guint64)count : 0;
    }
    return true;
}

/* Count what the client sends; more than it announced is refused. */
static bool
stream_take_bytes(Stream *stream, guint64 bytes, GError **err)
{
    if (!stream->is_limited)
        return true;
    if (bytes > stream->bytes_left)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "cannot write to stream: %" G_GUINT64_FORMAT " bytes more than were announced",
                    bytes - stream->bytes_left);
    stream->bytes_left -= bytes;
    return true;
}

/* A hole moves the position on. What the file held there goes; a file that ends before it grows. */
static bool
stream_file_hole(Stream *stream, const WireMessage *message, GError **err)
{
    gsize len;
    const guchar *bytes = wire_message_payload(message, &len);
    const gint64 hole = len >= 8 ? (gint64)wire_get_u64(bytes) : -1;
    struct stat info;
    off_t end;

    if (hole < 0)
        return fail(err, VIR_ERR_RPC, "a hole in a stream has a length below 0");
    if (!stream_take_bytes(stream, (guint64)hole, err))
        return false;
    end = lseek(stream->fd, hole, SEEK_CUR);
    if (end < 0 || fstat(stream->fd, &info) < 0)
        return fail_errno(err, "make a hole in", "the stream's file");
    if (hole > 0 && end - hole < info.st_size &&
        fallocate(stream->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end - hole, hole) < 0)
        return fail_errno(err, "make a hole in", "the stream's file");
    return end <= info.st_size || ftruncate(stream->fd, end) == 0 ||
           fail_errno(err, "extend", "the stream's file");
}

static bool
stream_file_in(Stream *stream, const WireMessage *message, GError **err)
{
    gsize len;
    const guchar *bytes = wire_message_payload(message, &len);

    if (message->header.type == WIRE_STREAM_HOLE)
        return stream_file_hole(stream, message, err);
    if (!stream_take_bytes(stream, len, err))
        return false;
    return fd_write_all(stream->fd, bytes, len) || fail_errno(err, "write to", "the stream's file");
}

typedef struct {
    Stream *stream;
    WireMessage *message; /* borrowed: the head of the incoming queue; NULL: send */
} FileStep;

static void
stream_file_stepped(void *opaque)
{
    g_autofree FileStep *step = opaque;
    g_autoptr(Stream) stream = step->stream;

    stream->is_stepping = false;
    if (stream->is_over) {
        stream_finish(stream);
        return;
    }
    if (step->message)
        stream_pop(stream);
    if (stream->step_error)
        stream_fail(stream, stream->step_error);
    else
        stream_pump(stream);
}

static void
stream_file_step(void *opaque)
{
    FileStep *step = opaque;
    Stream *stream = step->stream;

    if (step->message)
        stream_file_in(stream, step->message, &stream->step_error);
    else
        stream_file_out(stream, &stream->step_error);
    loop_post(stream_loop(stream), stream_file_stepped, step);
}

static void
stream_pump_file(Stream *stream)
{
    FileStep *step;

    if (stream->is_stepping || (!stream->incoming.head && !stream_may_send(stream)))
        return;
    step = g_new(FileStep, 1);
    *step =
        (FileStep){stream_ref(stream), stream->incoming.head ? stream->incoming.head->data : NULL};
    stream->is_stepping = true;
    pool_run(stream_pool(stream), stream_file_step, step);
}

/* --- the loop's thread -------------------------------------------------------------------------------------------- */

static void
stream_update_watch(Stream *stream)
{
    if (stream->watch)
        loop_watch_update(stream->watch, (stream_may_send(stream) ? EPOLLIN : 0) |
                                             (stream->incoming.head ? EPOLLOUT : 0));
}

/* Move what can be moved now, then say what to wait for. */
static void
stream_pump(Stream *stream)
{
    g_autoptr(GError) error = NULL;

    if (stream->is_over)
        return;
    stream->is_pumping = true;
    if (stream->is_file)
        stream_pump_file(stream);
    else if (!stream_pump_in(stream, &error) || !stream_pump_out(stream, &error))
        stream_fail(stream, error);
    stream->is_pumping = false;
    if (stream->is_over)
        return;
    if (stream->is_finishing && !stream->incoming.head && !stream->is_stepping)
        stream_end(stream, false, true);
    else
        stream_update_watch(stream);
    stream_let_client_go_on(stream);
}

static void
stream_on_io(int fd, uint32_t events, void *opaque)
{
    g_autoptr(Stream) stream = stream_ref(opaque);

    stream_pump(stream);
}

/* On the loop's thread, after the reply. */
static void
stream_started(void *opaque)
{
    g_autoptr(Stream) stream = opaque;
    g_autoptr(GError) error = NULL;

    if (stream->is_over)
        return;
    if (!stream->is_file) {
        stream->watch = loop_watch_fd(stream_loop(stream), stream->fd, EPOLLIN, stream_on_io,
                                      stream_ref(stream), stream_unref_opaque, &error);
        if (!stream->watch) {
            stream_unref(stream);
            stream_fail(stream, error);
            return;
        }
    }
    stream_pump(stream);
}

void
stream_attach(Stream *stream)
{
    Client *client = stream->client;

    g_mutex_lock(&client->lock);
    if (!client->streams)
        client->streams = g_ptr_array_new();
    g_ptr_array_add(client->streams, stream_ref(stream));
    g_mutex_unlock(&client->lock);
}

/* The connection ended between attach and start. */
static void
stream_started_or_gone(void *opaque)
{
    Stream *stream = opaque;

    if (stream->client->is_gone || stream->client->is_closing)
        stream_end(stream, true, false);
    stream_started(stream);
}

void
stream_start(Stream *stream)
{
    loop_post(stream_loop(stream), stream_started_or_gone, stream);
}

static Stream *
stream_find(Client *client, const WireHeader *header)
{
    Stream *found = NULL;

    g_mutex_lock(&client->lock);
    for (guint i = 0; client->streams && i < client->streams->len && !found; i++) {
        Stream *stream = client->streams->pdata[i];

        if (stream->header.serial == header->serial &&
            stream->header.procedure == header->procedure &&
            stream->header.program == header->program)
            found = stream_ref(stream);
    }
    g_mutex_unlock(&client->lock);
    return found;
}

/* Data and holes; false: the client broke the rules. */
static bool
stream_take_data(Stream *stream, WireMessage *take_message)
{
    g_autoptr(WireMessage) message = take_message;
    Client *client = stream->client;
    const bool is_hole = message->header.type == WIRE_STREAM_HOLE;

    if (message->header.status != WIRE_CONTINUE || stream->is_finishing ||
        (is_hole && !stream->is_sparse))
        return false;
    if (!stream->receives) {
        g_autoptr(GError) error = NULL;

        fail(&error, VIR_ERR_OPERATION_INVALID, "this stream only sends");
        stream_fail(stream, error);
        return true;
    }
    g_mutex_lock(&client->lock);
    stream->incoming_bytes += message->bytes->len;
    client->stream_bytes += message->bytes->len;
    g_mutex_unlock(&client->lock);
    g_queue_push_tail(&stream->incoming, g_steal_pointer(&message));
    return true;
}

void
stream_receive(Client *client, WireMessage *take_message)
{
    g_autoptr(WireMessage) message = take_message;
    g_autoptr(Stream) stream = stream_find(client, &message->header);
    const bool is_data =
        message->header.type == WIRE_STREAM_HOLE || message->header.status == WIRE_CONTINUE;

    if (!stream || stream->is_over)
        return; /* late: the stream has ended */
    if (is_data) {
        if (!stream_take_data(stream, g_steal_pointer(&message))) {
            log_info(LOG_RPC, "client %" G_GUINT64_FORMAT ": unexpected stream packet: closing it",
                     client->id);
            client_close(client);
            return;
        }
    } else if (message->header.status == WIRE_ERROR) {
        stream_end(stream, true, true);
        return;
    } else {
        stream->is_finishing = true;
    }
    if (stream->watch || stream->is_file)
        stream_pump(stream);
}

/* A stream that a worker attaches after this ends when it would start. */
void
streams_abort(Client *client)
{
    while (true) {
        g_autoptr(Stream) stream = NULL;

        g_mutex_lock(&client->lock);
        if (client->streams && client->streams->len > 0)
            stream = stream_ref(client->streams->pdata[client->streams->len - 1]);
        g_mutex_unlock(&client->lock);
        if (!stream)
            return;
        stream_end(stream, true, false);
    }
}

bool
streams_are_full(Client *client)
{
    bool are_full;

    g_mutex_lock(&client->lock);
    are_full = client->stream_bytes >
               (gsize)client->server->limits.max_client_requests * WIRE_STREAM_DATA_MAX;
    g_mutex_unlock(&client->lock);
    return are_full;
}
