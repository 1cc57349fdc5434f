/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ids.h. */
#include "base/ids.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void
random_bytes(void *bytes, gsize len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        g_assert(n > 0);
        at += n;
        len -= n;
    }
}

void
uuid_generate(guchar uuid[UUID_BYTES])
{
    random_bytes(uuid, UUID_BYTES);
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

bool
uuid_parse(const char *text, guchar uuid[UUID_BYTES])
{
    guchar out[UUID_BYTES];
    const char *at = text;

    while (g_ascii_isspace(*at))
        at++;
    for (int i = 0; i < UUID_BYTES; i++) {
        while (*at == '-' || *at == ' ')
            at++;
        int high = g_ascii_xdigit_value(at[0]);
        int low = high < 0 ? -1 : g_ascii_xdigit_value(at[1]);
        if (low < 0)
            return false;
        out[i] = high << 4 | low;
        at += 2;
    }
    while (g_ascii_isspace(*at))
        at++;
    if (*at)
        return false;
    memcpy(uuid, out, UUID_BYTES);
    return true;
}

void
uuid_format(const guchar uuid[UUID_BYTES], char text[UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;

    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[uuid[i] >> 4];
        *at++ = digits[uuid[i] & 15];
    }
    *at = '\0';
}

bool
uuid_equal(const guchar a[UUID_BYTES], const guchar b[UUID_BYTES])
{
    return memcmp(a, b, UUID_BYTES) == 0;
}

guint
uuid_hash(gconstpointer uuid)
{
    guint hash;

    /* The bytes are random already; the last four hold no version bits. */
    memcpy(&hash, (const guchar *)uuid + 12, sizeof hash);
    return hash;
}

gboolean
uuid_key_equal(gconstpointer a, gconstpointer b)
{
    return uuid_equal(a, b);
}

bool
mac_parse(const char *text, guchar mac[6])
{
    guchar out[6];
    const char *at = text;

    for (int i = 0; i < 6; i++) {
        int value = g_ascii_xdigit_value(*at++);
        if (value < 0)
            return false;
        if (g_ascii_isxdigit(*at))
            value = value << 4 | g_ascii_xdigit_value(*at++);
        if (*at++ != (i < 5 ? ':' : '\0'))
            return false;
        out[i] = value;
    }
    memcpy(mac, out, 6);
    return true;
}

void
mac_format(const guchar mac[6], char text[MAC_TEXT])
{
    snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}

void
mac_generate(const guchar prefix[3], guchar mac[6])
{
    memcpy(mac, prefix, 3);
    random_bytes(mac + 3, 3);
}
