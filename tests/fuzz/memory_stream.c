/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a migration stream that is taken apart. */
#include "image/memory_stream.h"
#include "file.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len);

static int null_fd = -1;

static int
open_block(void *opaque, const char *name, guint64 size, GError **err)
{
    return name[0] == 'p' && size < 1 << 20 ? null_fd : -1;
}

static bool
go_on(void *opaque, guint64 done)
{
    return true;
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len)
{
    g_autoptr(GError) err = NULL;
    int fd = open(fuzz_file(bytes, len), O_RDONLY);

    if (null_fd < 0)
        null_fd = open("/dev/null", O_WRONLY);
    if (!memory_stream_split(
            &(MemorySplit){
                .in_fd = fd, .state_fd = null_fd, .open_block = open_block, .go_on = go_on},
            &err))
        g_assert_nonnull(err);
    close(fd);
    return 0;
}
