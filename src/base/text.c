/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See text.h. */
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool
text_to_llong(const char *text, int base, long long *value)
{
    char *end;

    if (!text || !*text || g_ascii_isspace(*text))
        return false;
    errno = 0;
    long long parsed = strtoll(text, &end, base);
    if (errno || *end || end == text)
        return false;
    *value = parsed;
    return true;
}

bool
text_to_ullong(const char *text, int base, unsigned long long *value)
{
    char *end;

    if (!text || !*text || g_ascii_isspace(*text) || *text == '-')
        return false;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, base);
    if (errno || *end || end == text)
        return false;
    *value = parsed;
    return true;
}

bool
text_to_int(const char *text, int base, int *value)
{
    long long wide;

    if (!text_to_llong(text, base, &wide) || wide < INT_MIN || wide > INT_MAX)
        return false;
    *value = wide;
    return true;
}

bool
text_to_uint(const char *text, int base, unsigned int *value)
{
    unsigned long long wide;

    if (!text_to_ullong(text, base, &wide) || wide > UINT_MAX)
        return false;
    *value = wide;
    return true;
}

bool
text_to_double(const char *text, double *value)
{
    char *end;

    if (!text || !*text || g_ascii_isspace(*text))
        return false;
    double parsed = g_ascii_strtod(text, &end);
    if (*end || end == text || !isfinite(parsed))
        return false;
    *value = parsed;
    return true;
}

void
text_append_xml(GString *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        switch (*at) {
        case '&':
            g_string_append(out, "&amp;");
            break;
        case '<':
            g_string_append(out, "&lt;");
            break;
        case '>':
            g_string_append(out, "&gt;");
            break;
        case '\'':
            g_string_append(out, "&apos;");
            break;
        case '"':
            g_string_append(out, "&quot;");
            break;
        default:
            if ((guchar)*at >= 0x20 || *at == '\n' || *at == '\t' || *at == '\r')
                g_string_append_c(out, *at);
        }
    }
}

void
text_append_shell(GString *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-";

    if (*text && strspn(text, plain) == strlen(text)) {
        g_string_append(out, text);
        return;
    }
    g_string_append_c(out, '\'');
    for (const char *at = text; *at; at++) {
        if (*at == '\'')
            g_string_append(out, "'\\''");
        else
            g_string_append_c(out, *at);
    }
    g_string_append_c(out, '\'');
}
