/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stream.h. */
#include "tools/virsh/stream.h"

#include <errno.h>
#include <unistd.h>

int
stream_to_fd(virStreamPtr stream, const char *bytes, size_t n, void *fd)
{
    gsize done = 0;

    while (done < n) {
        ssize_t wrote = write(*(int *)fd, bytes + done, n - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        done += wrote;
    }
    return n;
}

/* A hole in what is received: the file ends there unless more data follows. */
int
stream_skip_fd(virStreamPtr stream, long long n, void *fd)
{
    off_t at = lseek(*(int *)fd, n, SEEK_CUR);

    return at < 0 || ftruncate(*(int *)fd, at) < 0 ? -1 : 0;
}

int
stream_from_fd(virStreamPtr stream, char *bytes, size_t n, void *fd)
{
    ssize_t got;

    do
        got = read(*(int *)fd, bytes, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Whether the file goes on with data or with a hole, and how long that is. */
int
stream_fd_hole(virStreamPtr stream, int *in_data, long long *length, void *fd)
{
    int file = *(int *)fd;
    off_t at = lseek(file, 0, SEEK_CUR), data = at < 0 ? -1 : lseek(file, at, SEEK_DATA), end;

    *in_data = data == at;
    if (data == at)
        end = lseek(file, at, SEEK_HOLE);
    else if (data >= 0)
        end = data;
    else if (errno == ENXIO)
        end = lseek(file, 0, SEEK_END);
    else
        return -1;
    if (at < 0 || end < 0 || lseek(file, at, SEEK_SET) < 0)
        return -1;
    *length = end - at;
    return 0;
}

int
stream_fd_skip(virStreamPtr stream, long long n, void *fd)
{
    return lseek(*(int *)fd, n, SEEK_CUR) < 0 ? -1 : 0;
}
