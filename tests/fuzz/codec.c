/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzer: the first two bytes choose a wire type, the rest is decoded as one. Whatever decodes must encode again, and
 * to bytes that decode to the same. Seeds are in tests/fuzz/seeds/codec. */
#include "gen/api-codec.h"
#include "wire/codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, gsize len);

static gsize
count_types(void)
{
    gsize n = 0;

    while (api_codecs[n])
        n++;
    return n;
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize len)
{
    g_autoptr(GByteArray) first = g_byte_array_new();
    g_autoptr(GByteArray) second = g_byte_array_new();
    const CodecType *type = NULL;
    void *value = NULL;
    void *copy = NULL;

    if (len < 2)
        return 0;
    type = api_codecs[(data[0] << 8 | data[1]) % count_types()];
    value = codec_new(type);
    if (codec_decode(type, data + 2, len - 2, value, NULL)) {
        copy = codec_dup(type, value);
        g_assert_true(codec_encode(type, value, first, NULL));
        g_assert_true(codec_encode(type, copy, second, NULL));
        g_assert_cmpmem(first->data, first->len, second->data, second->len);
        codec_free_boxed(type, copy);
    }
    codec_free_boxed(type, value);
    return 0;
}
