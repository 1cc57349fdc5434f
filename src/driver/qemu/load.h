/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The definitions at the daemon's start: names first.
 *
 * Clients are answered at once; calls on guests wait on a strand until every file's first lines have been read, which give name
 * and UUID. Then lists and lookups know all guests. The files are parsed behind that, on all processors, and a guest that is
 * asked for earlier at that moment (machine_domain). A file that does not parse is reported and kept, and its guest forgotten.
 * Guests that run: reconnect.h. */
#pragma once

#include "driver/qemu/qemu.h"

/* Lists the folder of definitions. NULL with @err when it cannot be read. */
Loading *loading_new(QemuDriver *qemu, GError **err);
/* Begin; returns at once. */
void loading_start(Loading *loading);
/* End early, and wait for the end. NULL is nothing. Not from a worker. */
void loading_stop(Loading *loading);
/* After loading_stop, or if it was never started. */
void loading_free(Loading *loading);

/* Where calls of @proc wait for the names; a new reference. NULL: they need not. Any thread. */
Strand *loading_strand(Loading *loading, const ApiProc *proc);

/* Name and UUID out of the first @len bytes of a definition, if it begins as ours and upstream's files do: a comment, the root
 * <domain>, and both as plain text before anything else. False: it must be parsed to know. */
bool load_peek(const char *text, gsize len, char **name, guchar uuid[16]);
