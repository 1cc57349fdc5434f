/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Callbacks that move a stream's bytes to or from a file; the opaque pointer is the file's descriptor (int *). */
#pragma once

#include "tools/virsh/shell.h"

int stream_to_fd(virStreamPtr stream, const char *bytes, size_t n, void *fd);
int stream_skip_fd(virStreamPtr stream, long long n, void *fd);
int stream_from_fd(virStreamPtr stream, char *bytes, size_t n, void *fd);
int stream_fd_hole(virStreamPtr stream, int *in_data, long long *length, void *fd);
int stream_fd_skip(virStreamPtr stream, long long n, void *fd);
