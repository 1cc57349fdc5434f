/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets that wait for clients: made here or inherited from systemd, and what systemd wants to hear of us. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum { LISTEN_RW, LISTEN_RO, LISTEN_ADMIN, LISTEN_KINDS } ListenKind;

/* A UNIX socket at @path with exactly @mode (and @group, unless -1) from its first moment. A socket file that is there
 * already is replaced: the pid file's lock says that nobody serves it. -1 with @err. */
int listen_unix(const char *path, mode_t mode, gid_t group, guint backlog, GError **err);

/* What the environment hands over: fds[kind] is a descriptor or -1. False with @err when there is one that this daemon
 * cannot serve. The environment is cleared, so that no child believes it is meant. */
bool listen_inherited(int fds[LISTEN_KINDS], bool *has_any, GError **err);

/* "READY=1", "STOPPING=1", ...; without a service manager nothing happens. */
void listen_notify(const char *state);
