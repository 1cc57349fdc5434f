/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes from outside as an image header. The first byte chooses the format, so that every parser is
 * reached. */
#include <stddef.h>
#include <stdint.h>

#include "image/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    g_autoptr(ImageHeader) header = NULL;
    ImageReader reader;
    ImageFormat format;

    if (len < 1)
        return 0;
    image_reader_of_bytes(&reader, bytes + 1, len - 1);
    format = bytes[0] % IMAGE_FORMAT_LAST;
    if (format == IMAGE_FORMAT_UNKNOWN)
        format = image_header_guess(&reader);
    header = image_header_read(&reader, format, "fuzz", NULL);
    return 0;
}
