/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounded random access to the bytes of an image, in a file or in memory (tests, fuzzing).
 * Every parser of headers reads through this and never beyond the end. Next: header.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    int fd;              /* -1: @bytes */
    const guchar *bytes; /* borrowed */
    guint64 len;         /* of the file or of @bytes */
    gsize head_len;      /* of a file: what was read of its beginning */
    guchar head[4096];
} ImageReader;

void image_reader_of_bytes(ImageReader *reader, const void *bytes, gsize len);
/* @fd stays the caller's; a file or a block device. */
bool image_reader_of_fd(ImageReader *reader, int fd, const char *path, GError **err);
/* All of @len bytes at @offset, or false. */
bool image_read(const ImageReader *reader, guint64 offset, void *bytes, gsize len);
/* At most @max bytes from @offset on; how many there are. */
gsize image_read_some(const ImageReader *reader, guint64 offset, void *bytes, gsize max);
/* @len bytes at @offset as text without NUL bytes inside; NULL when there are not that many, or one
 * is NUL. */
char *image_read_text(const ImageReader *reader, guint64 offset, gsize len);

static inline guint16
be16(const guchar *p)
{
    return (guint16)(p[0] << 8 | p[1]);
}

static inline guint32
be32(const guchar *p)
{
    return (guint32)p[0] << 24 | (guint32)p[1] << 16 | (guint32)p[2] << 8 | p[3];
}

static inline guint64
be64(const guchar *p)
{
    return (guint64)be32(p) << 32 | be32(p + 4);
}

static inline guint32
le32(const guchar *p)
{
    return (guint32)p[3] << 24 | (guint32)p[2] << 16 | (guint32)p[1] << 8 | p[0];
}

static inline guint64
le64(const guchar *p)
{
    return (guint64)le32(p + 4) << 32 | le32(p);
}
