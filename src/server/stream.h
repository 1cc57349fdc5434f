/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: bytes between a descriptor that a driver gave and the client that asked.
 *
 * Sockets, pipes and terminals are moved by the loop; regular files by workers. One outgoing data packet of each stream
 * waits in the client's queue at a time; incoming ones are counted, and the client is not read while too many wait. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "server/client.h"

typedef struct Stream Stream;

/* Takes @take_fd, also on failure. See call_set_stream_fd. */
Stream *stream_new(Client *client, const WireHeader *header, const ApiProc *proc, int take_fd,
                   CallStreamFlags flags, CallStreamDone done, void *data, GError **err);
/* Of a regular file: no more than @bytes pass. Before it starts. */
void stream_limit(Stream *stream, guint64 bytes);
/* The call failed after all: end a stream that the client never knew. */
void stream_discard(Stream *stream);
/* From now on the client's packets find the stream; they wait until it starts. Any thread. */
void stream_attach(Stream *stream);
/* Bytes may move: the reply has been sent. Gives up the caller's reference. Any thread. */
void stream_start(Stream *stream);

/* A packet of type STREAM or STREAM_HOLE. Takes @take_message. Loop's thread. */
void stream_receive(Client *client, WireMessage *take_message);
/* The connection ends. Loop's thread. */
void streams_abort(Client *client);
/* Do so many bytes wait that the client should not send more? Loop's thread. */
bool streams_are_full(Client *client);
