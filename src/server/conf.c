/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See conf.h. One pass over the text; every message says path and line. */
#define ERROR_DOMAIN VIR_FROM_CONF

#include "server/conf.h"

#include <string.h>

#include "base/error.h"

#define LIST_MAX 1000

typedef struct {
    const char *path;
    const char *at, *end;
    guint line;
} Reader;

static void
conf_entry_free(ConfEntry *entry)
{
    g_free(entry->key);
    g_free(entry->string);
    g_strfreev(entry->list);
    g_free(entry);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ConfEntry, conf_entry_free)

void
conf_free(Conf *conf)
{
    if (!conf)
        return;
    g_ptr_array_unref(conf->entries);
    g_free(conf->path);
    g_free(conf);
}

static bool
reader_fail(const Reader *reader, GError **err, const char *what)
{
    return fail(err, VIR_ERR_CONF_SYNTAX, "%s:%u: %s", reader->path, reader->line, what);
}

static char
reader_peek(const Reader *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

/* Step over blanks; with @lines over line ends and comments too. */
static void
reader_skip(Reader *reader, bool lines)
{
    while (reader->at < reader->end) {
        if (*reader->at == '\n' && lines) {
            reader->line++;
        } else if (*reader->at == '#' && lines) {
            while (reader->at + 1 < reader->end && reader->at[1] != '\n')
                reader->at++;
        } else if (!strchr(" \t\r", *reader->at) || !*reader->at) {
            return;
        }
        reader->at++;
    }
}

/* "text" or 'text' on one line. There are no escapes; """ starts no long text. */
static char *
reader_string(Reader *reader, GError **err)
{
    const char quote = *reader->at++;
    const char *start = reader->at;

    while (reader->at < reader->end && *reader->at != quote && *reader->at != '\n' && *reader->at)
        reader->at++;
    if (reader_peek(reader) != quote) {
        reader_fail(reader, err, "the text has no closing quote on its line");
        return NULL;
    }
    return g_strndup(start, (gsize)(reader->at++ - start));
}

static bool
reader_list(Reader *reader, ConfEntry *entry, GError **err)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);

    entry->type = CONF_LIST;
    reader->at++;
    reader_skip(reader, true);
    while (reader_peek(reader) != ']') {
        char *item;

        if (reader_peek(reader) != '"' && reader_peek(reader) != '\'')
            return reader_fail(reader, err,
                               "a list holds texts in quotes, separated by commas, up to ']'");
        if (items->len == LIST_MAX)
            return reader_fail(reader, err, "the list is too long");
        item = reader_string(reader, err);
        if (!item)
            return false;
        g_ptr_array_add(items, item);
        reader_skip(reader, true);
        if (reader_peek(reader) == ',')
            reader->at++;
        else if (reader_peek(reader) != ']')
            return reader_fail(reader, err, "expected ',' or ']' after a text of the list");
        reader_skip(reader, true);
    }
    reader->at++;
    g_ptr_array_add(items, NULL);
    entry->list = (char **)g_ptr_array_free(g_steal_pointer(&items), false);
    return true;
}

static bool
reader_number(Reader *reader, ConfEntry *entry, GError **err)
{
    const char *start = reader->at;
    g_autofree char *text = NULL;
    char *end = NULL;

    if (*reader->at == '-')
        reader->at++;
    while (g_ascii_isdigit(reader_peek(reader)))
        reader->at++;
    if (reader->at - start > 18)
        return reader_fail(reader, err, "the number is too large");
    text = g_strndup(start, (gsize)(reader->at - start));
    entry->type = CONF_NUMBER;
    entry->number = g_ascii_strtoll(text, &end, 10);
    if (end == text || *end)
        return reader_fail(reader, err, "'-' must be followed by digits");
    return true;
}

static bool
reader_value(Reader *reader, ConfEntry *entry, GError **err)
{
    const char first = reader_peek(reader);

    if (first == '[')
        return reader_list(reader, entry, err);
    if (first == '-' || g_ascii_isdigit(first))
        return reader_number(reader, entry, err);
    if (first != '"' && first != '\'')
        return reader_fail(reader, err,
                           "the value must be a number, a text in quotes or a [ list ]");
    entry->type = CONF_STRING;
    entry->string = reader_string(reader, err);
    return entry->string != NULL;
}

static ConfEntry *
reader_entry(Reader *reader, GError **err)
{
    g_autoptr(ConfEntry) entry = g_new0(ConfEntry, 1);
    const char *start = reader->at;

    entry->line = reader->line;
    while (g_ascii_isalnum(reader_peek(reader)) || reader_peek(reader) == '_' ||
           reader_peek(reader) == '.' || reader_peek(reader) == '-')
        reader->at++;
    if (reader->at == start) {
        reader_fail(reader, err, "expected 'key = value' or a comment that starts with '#'");
        return NULL;
    }
    entry->key = g_strndup(start, (gsize)(reader->at - start));
    reader_skip(reader, false);
    if (reader_peek(reader) != '=') {
        reader_fail(reader, err, "expected '=' after the key");
        return NULL;
    }
    reader->at++;
    reader_skip(reader, false);
    if (!reader_value(reader, entry, err))
        return NULL;
    reader_skip(reader, false);
    if (reader->at < reader->end && *reader->at != '\n' && *reader->at != '#') {
        reader_fail(reader, err, "there is something behind the value: one 'key = value' a line");
        return NULL;
    }
    return g_steal_pointer(&entry);
}

Conf *
conf_parse(const char *path, const char *text, gsize len, GError **err)
{
    g_autoptr(Conf) conf = g_new0(Conf, 1);
    Reader reader = {path, text, text + len, 1};

    conf->path = g_strdup(path);
    conf->entries = g_ptr_array_new_with_free_func((GDestroyNotify)conf_entry_free);
    reader_skip(&reader, true);
    while (reader.at < reader.end) {
        ConfEntry *entry = reader_entry(&reader, err);

        if (!entry)
            return NULL;
        g_ptr_array_add(conf->entries, entry);
        reader_skip(&reader, true);
    }
    return g_steal_pointer(&conf);
}

const ConfEntry *
conf_find(Conf *conf, const char *key)
{
    const ConfEntry *found = NULL;

    for (guint i = 0; i < conf->entries->len; i++) {
        ConfEntry *entry = conf->entries->pdata[i];

        if (g_str_equal(entry->key, key)) {
            entry->is_known = true;
            found = entry;
        }
    }
    return found;
}

bool
conf_fail(const Conf *conf, const ConfEntry *entry, GError **err, const char *fmt, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, fmt);
    what = g_strdup_vprintf(fmt, args);
    va_end(args);
    return fail(err, VIR_ERR_CONF_SYNTAX, "%s:%u: %s: %s", conf->path, entry->line, entry->key,
                what);
}

bool
conf_get_number(Conf *conf, const char *key, long long low, long long high, long long *value,
                GError **err)
{
    const ConfEntry *entry = conf_find(conf, key);

    if (!entry)
        return true;
    if (entry->type != CONF_NUMBER)
        return conf_fail(conf, entry, err, "expected a number without quotes");
    if (entry->number < low || entry->number > high)
        return conf_fail(conf, entry, err, "%lld is out of range, %lld to %lld are possible",
                         entry->number, low, high);
    *value = entry->number;
    return true;
}

bool
conf_get_string(Conf *conf, const char *key, char **value, GError **err)
{
    const ConfEntry *entry = conf_find(conf, key);

    if (!entry)
        return true;
    if (entry->type != CONF_STRING)
        return conf_fail(conf, entry, err, "expected a text in quotes");
    g_free(*value);
    *value = g_strdup(entry->string);
    return true;
}
