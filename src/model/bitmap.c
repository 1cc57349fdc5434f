/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of small numbers: an array of words that grows with the highest member. Text form and bounds: bitmap.h. */
#include "model/bitmap.h"

#include <string.h>

struct Bitmap {
    guint n_words;
    guint64 *words;
};

Bitmap *
bitmap_new(void)
{
    return g_new0(Bitmap, 1);
}

void
bitmap_free(Bitmap *bitmap)
{
    if (!bitmap)
        return;
    g_free(bitmap->words);
    g_free(bitmap);
}

Bitmap *
bitmap_copy(const Bitmap *bitmap)
{
    Bitmap *copy;

    if (!bitmap)
        return NULL;
    copy = bitmap_new();
    copy->n_words = bitmap->n_words;
    copy->words = g_memdup2(bitmap->words, bitmap->n_words * sizeof(guint64));
    return copy;
}

static guint64
word_at(const Bitmap *bitmap, guint index)
{
    return index < bitmap->n_words ? bitmap->words[index] : 0;
}

bool
bitmap_equal(const Bitmap *a, const Bitmap *b)
{
    if (!a || !b)
        return a == b;
    for (guint i = 0; i < MAX(a->n_words, b->n_words); i++)
        if (word_at(a, i) != word_at(b, i))
            return false;
    return true;
}

bool
bitmap_overlaps(const Bitmap *a, const Bitmap *b)
{
    for (guint i = 0; i < MIN(a->n_words, b->n_words); i++)
        if (a->words[i] & b->words[i])
            return true;
    return false;
}

bool
bitmap_has(const Bitmap *bitmap, guint bit)
{
    return word_at(bitmap, bit / 64) >> (bit % 64) & 1;
}

void
bitmap_set(Bitmap *bitmap, guint bit, bool value)
{
    guint index = bit / 64;

    if (bit >= BITMAP_MAX_BITS)
        return;
    if (index >= bitmap->n_words) {
        if (!value)
            return;
        bitmap->words = g_renew(guint64, bitmap->words, index + 1);
        memset(bitmap->words + bitmap->n_words, 0, (index + 1 - bitmap->n_words) * sizeof(guint64));
        bitmap->n_words = index + 1;
    }
    if (value)
        bitmap->words[index] |= G_GUINT64_CONSTANT(1) << (bit % 64);
    else
        bitmap->words[index] &= ~(G_GUINT64_CONSTANT(1) << (bit % 64));
}

guint
bitmap_count(const Bitmap *bitmap)
{
    guint count = 0;

    for (guint i = 0; i < bitmap->n_words; i++)
        count += __builtin_popcountll(bitmap->words[i]);
    return count;
}

bool
bitmap_is_empty(const Bitmap *bitmap)
{
    return bitmap_count(bitmap) == 0;
}

int
bitmap_next(const Bitmap *bitmap, int after)
{
    guint bit = after + 1;

    while (bit / 64 < bitmap->n_words) {
        guint64 rest = bitmap->words[bit / 64] >> (bit % 64);

        if (rest)
            return bit + __builtin_ctzll(rest);
        bit = (bit / 64 + 1) * 64;
    }
    return -1;
}

int
bitmap_last(const Bitmap *bitmap)
{
    for (guint i = bitmap->n_words; i > 0; i--)
        if (bitmap->words[i - 1])
            return i * 64 - 1 - __builtin_clzll(bitmap->words[i - 1]);
    return -1;
}

/* Read a number at *@text and move behind it. */
static bool
read_number(const char **text, guint *number)
{
    guint value = 0;

    while (g_ascii_isspace(**text))
        (*text)++;
    if (!g_ascii_isdigit(**text))
        return false;
    for (; g_ascii_isdigit(**text); (*text)++) {
        value = value * 10 + (**text - '0');
        if (value >= BITMAP_MAX_BITS)
            return false;
    }
    while (g_ascii_isspace(**text))
        (*text)++;
    *number = value;
    return true;
}

Bitmap *
bitmap_parse(const char *text)
{
    g_autoptr(Bitmap) bitmap = bitmap_new();

    while (true) {
        guint first, last;
        bool leave_out;

        while (g_ascii_isspace(*text))
            text++;
        leave_out = *text == '^';
        if (leave_out)
            text++;
        if (!read_number(&text, &first))
            return NULL;
        last = first;
        if (*text == '-' && !leave_out) {
            text++;
            if (!read_number(&text, &last) || last < first)
                return NULL;
        }
        for (guint bit = first; bit <= last; bit++)
            bitmap_set(bitmap, bit, !leave_out);
        if (*text == '\0')
            return g_steal_pointer(&bitmap);
        if (*text++ != ',')
            return NULL;
    }
}

char *
bitmap_format(const Bitmap *bitmap)
{
    GString *out = g_string_new(NULL);

    for (int first = bitmap_next(bitmap, -1); first >= 0;) {
        int last = first;

        while (bitmap_has(bitmap, last + 1))
            last++;
        g_string_append_printf(out, "%s%d", out->len ? "," : "", first);
        if (last > first)
            g_string_append_printf(out, "-%d", last);
        first = bitmap_next(bitmap, last);
    }
    return g_string_free(out, FALSE);
}
