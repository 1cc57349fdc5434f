/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See copy.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define CHUNK_BYTES (4u << 20)

/* Where the kernel cannot copy between these two files. */
static bool
copy_by_hand(int from, int to, off_t start, off_t len, const char *path, GError **err)
{
    g_autofree guchar *buffer = g_malloc(CHUNK_BYTES);

    while (len > 0) {
        ssize_t count = pread(from, buffer, (size_t)MIN(len, (off_t)CHUNK_BYTES), start);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count == 0 || fail_errno(err, "read", path);
        if (lseek(to, start, SEEK_SET) < 0 || !fd_write_all(to, buffer, (gsize)count))
            return fail_errno(err, "copy", path);
        start += count;
        len -= count;
    }
    return true;
}

static bool
copy_run(int from, int to, off_t start, off_t len, const char *path, GError **err)
{
    off_t in = start, out = start;

    while (len > 0) {
        ssize_t count = copy_file_range(from, &in, to, &out, (size_t)len, 0);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                          errno == EOPNOTSUPP || errno == EBADF))
            return copy_by_hand(from, to, in, len, path, err);
        if (count < 0)
            return fail_errno(err, "copy", path);
        if (count == 0)
            return copy_by_hand(from, to, in, len, path, err);
        len -= count;
    }
    return true;
}

bool
copy_file(const char *path, int to, bool must_share, GError **err)
{
    auto_fd int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    off_t end, data = 0;

    if (from < 0 || fstat(from, &st) < 0)
        return fail_errno(err, "open", path);
    if (must_share)
        return ioctl(to, FICLONE, from) == 0 || fail_errno(err, "share the blocks of", path);
    end = lseek(from, 0, SEEK_END);
    while (data < end) {
        const off_t hole_or_data = lseek(from, data, SEEK_DATA);
        off_t hole;

        if (hole_or_data < 0 && errno == ENXIO)
            break; /* a hole up to the end */
        data = hole_or_data < 0 ? data : hole_or_data;
        hole = hole_or_data < 0 ? end : lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            hole = end;
        if (!copy_run(from, to, data, hole - data, path, err))
            return false;
        data = hole;
    }
    return ftruncate(to, end) == 0 || fail_errno(err, "extend the copy of", path);
}

bool
copy_zeros(int fd, guint64 bytes, const char *path, GError **err)
{
    g_autofree guchar *zeros = g_malloc0(CHUNK_BYTES);

    if (lseek(fd, 0, SEEK_SET) < 0)
        return fail_errno(err, "write", path);
    while (bytes > 0) {
        const gsize len = (gsize)MIN(bytes, (guint64)CHUNK_BYTES);

        if (!fd_write_all(fd, zeros, len))
            return fail_errno(err, "allocate space for", path);
        bytes -= len;
    }
    return true;
}
