/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See record.h. Layout: u32 count, then for each entry u32 length + key, u32 length + value;
 * little-endian. */
#include "job/record.h"

#include <string.h>

#include "base/text.h"

static void
entry_free(RecordEntry *entry)
{
    g_free(entry->key);
    g_free(entry->value);
    g_free(entry);
}

Record *
record_new(void)
{
    Record *record = g_new0(Record, 1);

    record->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    return record;
}

void
record_free(Record *record)
{
    if (!record)
        return;
    g_ptr_array_unref(record->entries);
    g_free(record);
}

void
record_add(Record *record, const char *key, const char *value)
{
    RecordEntry *entry;

    if (!value)
        return;
    entry = g_new0(RecordEntry, 1);
    entry->key = g_strdup(key);
    entry->value = g_strdup(value);
    g_ptr_array_add(record->entries, entry);
}

void
record_add_u64(Record *record, const char *key, guint64 value)
{
    char text[24];

    g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, value);
    record_add(record, key, text);
}

void
record_add_bool(Record *record, const char *key, bool value)
{
    if (value)
        record_add(record, key, "yes");
}

const char *
record_get(const Record *record, const char *key)
{
    for (guint i = 0; i < record->entries->len; i++) {
        const RecordEntry *entry = record->entries->pdata[i];
        if (g_str_equal(entry->key, key))
            return entry->value;
    }
    return NULL;
}

guint64
record_get_u64(const Record *record, const char *key)
{
    const char *text = record_get(record, key);
    unsigned long long value;

    return text && text_to_ullong(text, 10, &value) ? value : 0;
}

bool
record_get_bool(const Record *record, const char *key)
{
    return g_strcmp0(record_get(record, key), "yes") == 0;
}

void
record_merge(Record *record, const Record *other)
{
    for (guint i = 0; i < other->entries->len; i++) {
        const RecordEntry *entry = other->entries->pdata[i];
        record_add(record, entry->key, entry->value);
    }
}

static void
put_u32(GByteArray *out, guint32 value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&value, sizeof(value));
}

static void
put_text(GByteArray *out, const char *text)
{
    gsize len = strlen(text);

    put_u32(out, (guint32)len);
    g_byte_array_append(out, (const guint8 *)text, (guint)len);
}

void
record_to_bytes(const Record *record, GByteArray *out)
{
    put_u32(out, record->entries->len);
    for (guint i = 0; i < record->entries->len; i++) {
        const RecordEntry *entry = record->entries->pdata[i];
        put_text(out, entry->key);
        put_text(out, entry->value);
    }
}

static bool
take_u32(const guchar **bytes, gsize *len, guint32 *value)
{
    if (*len < sizeof(*value))
        return false;
    memcpy(value, *bytes, sizeof(*value));
    *value = GUINT32_FROM_LE(*value);
    *bytes += sizeof(*value);
    *len -= sizeof(*value);
    return true;
}

static char *
take_text(const guchar **bytes, gsize *len)
{
    guint32 text_len;
    char *text;

    if (!take_u32(bytes, len, &text_len) || text_len > *len || memchr(*bytes, '\0', text_len))
        return NULL;
    text = g_strndup((const char *)*bytes, text_len);
    *bytes += text_len;
    *len -= text_len;
    return text;
}

Record *
record_from_bytes(const guchar *bytes, gsize len)
{
    g_autoptr(Record) record = record_new();
    guint32 count;

    if (!take_u32(&bytes, &len, &count))
        return NULL;
    for (guint32 i = 0; i < count; i++) {
        g_autofree char *key = take_text(&bytes, &len);
        g_autofree char *value = key ? take_text(&bytes, &len) : NULL;

        if (!value)
            return NULL;
        record_add(record, key, value);
    }
    return len == 0 ? g_steal_pointer(&record) : NULL;
}
