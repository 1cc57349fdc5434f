/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UNIX sockets by path, of any length: bound and connected through a descriptor of the folder they lie in. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Replace whatever is at @path by a listening socket of that mode; non-blocking; -1 on error. */
int unix_listen(const char *path, mode_t mode, int backlog, GError **err);
/* A connected, non-blocking socket; -1 on error. A full queue of waiting connections is an error, not a wait. */
int unix_connect(const char *path, GError **err);
