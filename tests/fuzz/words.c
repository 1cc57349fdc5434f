/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a line typed into virsh: words, or a reason why not. */
#include "tools/virsh/words.h"

int LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len);

int
LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len)
{
    g_autofree char *line = g_strndup((const char *)bytes, len);
    g_autofree char *why = NULL;
    g_autoptr(GPtrArray) commands = words_split(line, &why);

    g_assert_true((commands != NULL) == (why == NULL));
    for (guint i = 0; commands && i < commands->len; i++) {
        GPtrArray *words = commands->pdata[i];

        for (guint word = 0; word < words->len; word++)
            g_assert_true(!words->pdata[word] || strlen(words->pdata[word]) <= len);
    }
    return 0;
}
