/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of keys and values: the payload of a journal record, and the form in which plans are
 * written down.
 *
 * Keys are paths (`disk/vda/new`); a key may come several times, order is kept. Bytes:
 * record_to_bytes, bounded both ways. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define RECORD_MAX_BYTES (64 * 1024 * 1024)

typedef struct {
    char *key;
    char *value;
} RecordEntry;

typedef struct {
    GPtrArray *entries; /* of RecordEntry * */
} Record;

Record *record_new(void);
void record_free(Record *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Record, record_free)

/* A NULL @value adds nothing. */
void record_add(Record *record, const char *key, const char *value);
void record_add_u64(Record *record, const char *key, guint64 value);
void record_add_bool(Record *record, const char *key, bool value);
/* The first value of @key; NULL, 0, false when there is none (or it is no number). */
const char *record_get(const Record *record, const char *key);
guint64 record_get_u64(const Record *record, const char *key);
bool record_get_bool(const Record *record, const char *key);
/* Add all entries of @other. */
void record_merge(Record *record, const Record *other);

void record_to_bytes(const Record *record, GByteArray *out);
Record *record_from_bytes(const guchar *bytes, gsize len);
