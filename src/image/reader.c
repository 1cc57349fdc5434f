/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See reader.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

void
image_reader_of_bytes(ImageReader *reader, const void *bytes, gsize len)
{
    reader->fd = -1;
    reader->bytes = bytes;
    reader->len = len;
    reader->head_len = 0;
}

bool
image_reader_of_fd(ImageReader *reader, int fd, const char *path, GError **err)
{
    off_t end = lseek(fd, 0, SEEK_END);

    if (end < 0)
        return fail_errno(err, "seek in", path);
    reader->fd = fd;
    reader->bytes = NULL;
    reader->len = (guint64)end;
    reader->head_len = 0;
    /* Most of what is asked for stands here; without it a header would cost ten system calls. */
    reader->head_len = image_read_some(reader, 0, reader->head, sizeof(reader->head));
    return true;
}

gsize
image_read_some(const ImageReader *reader, guint64 offset, void *bytes, gsize max)
{
    gsize used = 0;

    if (offset >= reader->len)
        return 0;
    max = MIN(max, reader->len - offset);
    if (reader->fd < 0) {
        memcpy(bytes, reader->bytes + offset, max);
        return max;
    }
    if (offset + max <= reader->head_len) {
        memcpy(bytes, reader->head + offset, max);
        return max;
    }
    while (used < max) {
        ssize_t n = pread(reader->fd, (char *)bytes + used, max - used, (off_t)(offset + used));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (gsize)n;
    }
    return used;
}

bool
image_read(const ImageReader *reader, guint64 offset, void *bytes, gsize len)
{
    return image_read_some(reader, offset, bytes, len) == len;
}

char *
image_read_text(const ImageReader *reader, guint64 offset, gsize len)
{
    g_autofree char *text = NULL;

    if (offset > reader->len || len > reader->len - offset)
        return NULL;
    text = g_try_malloc(len + 1);
    if (!text || !image_read(reader, offset, text, len) || memchr(text, '\0', len))
        return NULL;
    text[len] = '\0';
    return g_steal_pointer(&text);
}
