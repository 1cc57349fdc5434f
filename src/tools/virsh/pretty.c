/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pretty.h. The text comes from QEMU or its agent and is well-formed; on any other it stays inside the text's bounds. */
#include "tools/virsh/pretty.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* The character after the string that starts at @at. */
static const char *
skip_string(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
    }
    return *at ? at + 1 : at;
}

static const char *
skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* The character after the value that starts at @at. */
static const char *
skip_value(const char *at)
{
    int depth = 0;

    while (*at) {
        if (*at == '"') {
            at = skip_string(at);
            if (!depth)
                return at;
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if ((*at == '}' || *at == ']') && --depth <= 0)
            return depth < 0 ? at : at + 1;
        else if (!depth && (*at == ',' || g_ascii_isspace(*at)))
            return at;
        at++;
    }
    return at;
}

static void
new_line(GString *out, int depth)
{
    g_string_append_printf(out, "\n%*s", depth * 2, "");
}

char *
json_pretty(const char *json)
{
    GString *out = g_string_new(NULL);
    int depth = 0;

    for (const char *at = skip_blanks(json); *at; at = skip_blanks(at)) {
        if (*at == '"') {
            const char *end = skip_string(at);
            g_string_append_len(out, at, end - at);
            at = end;
        } else if (*at == '{' || *at == '[') {
            const char *next = skip_blanks(at + 1);
            g_string_append_c(out, *at);
            if (*next == '}' || *next == ']') {
                g_string_append_c(out, *next);
                at = next + 1;
                continue;
            }
            new_line(out, ++depth);
            at++;
        } else if (*at == '}' || *at == ']') {
            depth = MAX(0, depth - 1);
            new_line(out, depth);
            g_string_append_c(out, *at++);
        } else if (*at == ',') {
            g_string_append_c(out, *at++);
            new_line(out, depth);
        } else if (*at == ':') {
            g_string_append(out, ": ");
            at++;
        } else {
            g_string_append_c(out, *at++);
        }
    }
    return g_string_free(out, FALSE);
}

char *
json_member(const char *json, const char *name)
{
    const char *at = skip_blanks(json);
    gsize length = strlen(name);

    if (*at != '{')
        return NULL;
    for (at = skip_blanks(at + 1); *at == '"'; at = skip_blanks(at + (*at == ','))) {
        const char *end = skip_string(at);
        bool found = (gsize)(end - at) == length + 2 && strncmp(at + 1, name, length) == 0;
        const char *value = skip_blanks(skip_blanks(end) + (*skip_blanks(end) == ':'));
        at = skip_value(value);
        if (found)
            return g_strndup(value, at - value);
        at = skip_blanks(at);
    }
    return NULL;
}
