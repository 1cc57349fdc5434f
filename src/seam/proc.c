/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See proc.h. */
#include "seam/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"

enum { PROC_MAX_BYTES = 1 << 20 };

char *
proc_read_bytes(const char *path, gsize *len)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    char chunk[4096];

    if (fd < 0)
        return NULL;
    while (bytes->len < PROC_MAX_BYTES) {
        ssize_t got = read(fd, chunk, sizeof(chunk));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return NULL;
        if (got == 0)
            break;
        g_byte_array_append(bytes, (const guint8 *)chunk, (guint)got);
    }
    *len = bytes->len;
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}

char *
proc_read(const char *path)
{
    gsize len;

    return proc_read_bytes(path, &len);
}

bool
proc_read_ullong(const char *path, unsigned long long *value)
{
    g_autofree char *text = proc_read(path);

    return text && text_to_ullong(g_strchomp(text), 10, value);
}

char *
proc_find_field(const char *text, const char *name)
{
    gsize name_len = strlen(name);

    for (const char *line = text; line && *line;
         line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        const char *rest = line + name_len;

        if (strncmp(line, name, name_len) != 0 || !strchr(": \t", *rest))
            continue;
        rest += strspn(rest, ": \t");
        return g_strchomp(g_strndup(rest, strcspn(rest, "\n")));
    }
    return NULL;
}
