/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors with an owner: `auto_fd int fd = -1;` closes itself unless it was given away with fd_steal. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define auto_fd __attribute__((cleanup(fd_close)))

/* Close *fd when it is open and make it -1; errno stays. */
void fd_close(int *fd);
/* Take the descriptor out of *fd. */
int fd_steal(int *fd);
/* Write or read all of @len bytes on a blocking descriptor; false with errno set. A short read gives errno 0. */
bool fd_write_all(int fd, const void *bytes, size_t len);
bool fd_read_all(int fd, void *bytes, size_t len);
bool fd_set_nonblocking(int fd, bool nonblocking);
bool fd_set_cloexec(int fd, bool cloexec);
