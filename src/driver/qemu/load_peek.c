/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Name and UUID of a definition without parsing it. Whatever is not plain is left to the parser, which also has the last word:
 * what it finds must agree (guest.c). See load.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/load.h"

#include <string.h>

#include "base/ids.h"

typedef struct {
    const char *at, *end;
} Rest;

static void
skip_space(Rest *rest)
{
    while (rest->at < rest->end && strchr(" \t\r\n", *rest->at) && *rest->at)
        rest->at++;
}

static bool
starts(const Rest *rest, const char *word)
{
    gsize len = strlen(word);

    return (gsize)(rest->end - rest->at) >= len && !memcmp(rest->at, word, len);
}

/* Go on behind the next @mark. */
static bool
skip_past(Rest *rest, const char *mark)
{
    const char *found = memmem(rest->at, (gsize)(rest->end - rest->at), mark, strlen(mark));

    if (found)
        rest->at = found + strlen(mark);
    return found != NULL;
}

static bool
skip_comments(Rest *rest)
{
    for (skip_space(rest); starts(rest, "<!--"); skip_space(rest))
        if (!skip_past(rest, "-->"))
            return false;
    return true;
}

/* The start tag of <domain>. A '>' inside of a value is seldom: the parser shall see to it. */
static bool
skip_root(Rest *rest)
{
    const char *from = rest->at;

    if (!starts(rest, "<domain ") && !starts(rest, "<domain>"))
        return false;
    return skip_past(rest, ">") && rest->at[-2] != '/' &&
           memchr(from + 1, '<', (gsize)(rest->at - from - 1)) == NULL;
}

/* <@open...</@close of plain printable text. NULL: it is something else. */
static char *
take_text(Rest *rest, const char *open, const char *close)
{
    const char *from, *to;

    if (!starts(rest, open))
        return NULL;
    from = rest->at + strlen(open);
    to = memchr(from, '<', (gsize)(rest->end - from));
    if (!to || to == from)
        return NULL;
    for (const char *c = from; c < to; c++)
        if ((guchar)*c <= ' ' || (guchar)*c > '~' || *c == '&')
            return NULL;
    rest->at = to;
    if (!starts(rest, close))
        return NULL;
    rest->at += strlen(close);
    return g_strndup(from, (gsize)(to - from));
}

bool
load_peek(const char *text, gsize len, char **name, guchar uuid[16])
{
    Rest rest;
    g_autofree char *found = NULL;
    g_autofree char *uuid_text = NULL;

    if (len == 0)
        return false;
    rest = (Rest){text, text + len};
    if (!skip_comments(&rest) || !skip_root(&rest))
        return false;
    skip_space(&rest);
    found = take_text(&rest, "<name>", "</name>");
    skip_space(&rest);
    uuid_text = found ? take_text(&rest, "<uuid>", "</uuid>") : NULL;
    if (!uuid_text || !uuid_parse(uuid_text, uuid))
        return false;
    *name = g_steal_pointer(&found);
    return true;
}
