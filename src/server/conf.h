/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of `key = value` lines, as libvirtd.conf and qemu.conf are: numbers, "strings", lists of strings, # comments. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { CONF_NUMBER, CONF_STRING, CONF_LIST } ConfType;

typedef struct {
    char *key;
    guint line;
    ConfType type;
    long long number;
    char *string;
    char **list;   /* NULL-terminated */
    bool is_known; /* somebody asked for it */
} ConfEntry;

typedef struct {
    char *path;
    GPtrArray *entries; /* of ConfEntry, in the file's order */
} Conf;

/* A mistake gives an error that begins with path:line. */
Conf *conf_parse(const char *path, const char *text, gsize len, GError **err);
void conf_free(Conf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Conf, conf_free)

/* The last entry of that name, marked as known; NULL: there is none. */
const ConfEntry *conf_find(Conf *conf, const char *key);
/* These leave *value alone when the key is absent, and fail when it has another type or lies outside of the range. */
bool conf_get_number(Conf *conf, const char *key, long long low, long long high, long long *value,
                     GError **err);
bool conf_get_string(Conf *conf, const char *key, char **value, GError **err);
/* Make an error about one entry: "path:line: key: ...". Always false. */
bool conf_fail(const Conf *conf, const ConfEntry *entry, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
