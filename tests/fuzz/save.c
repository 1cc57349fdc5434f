/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a file that a guest's memory was saved to: refused, or a definition that can be replaced. */
#include "driver/qemu/save_image.h"
#include "file.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len);

int
LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len)
{
    const char *path = fuzz_file(bytes, len);
    g_autoptr(GError) err = NULL;
    g_autoptr(SaveImage) image = NULL;
    g_autoptr(SaveImage) again = NULL;
    int fd = -1;

    save_image_is_partial(path);
    image = save_image_open(path, &fd, &err);
    if (!image) {
        g_assert_nonnull(err);
        return 0;
    }
    close(fd);
    if (save_image_edit(path, "<domain/>", true, NULL)) {
        again = save_image_open(path, NULL, NULL);
        g_assert_nonnull(again);
        g_assert_cmpstr(again->xml, ==, "<domain/>");
    }
    return 0;
}
