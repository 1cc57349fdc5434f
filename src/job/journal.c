/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See journal.h. File: 16 bytes of magic, then records of
 *   u32 length of what follows the crc, u32 crc32c of that, u64 sequence, u32 type, payload
 * all little-endian. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "job/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#define MAGIC "ManifoldJournal\n"
#define MAGIC_LEN 16
#define HEAD_LEN 8
#define FIXED_LEN 12
#define JOURNAL_MAX_BYTES (4ull * RECORD_MAX_BYTES)

struct Journal {
    char *path;
    int fd;
    guint64 next_sequence;
    gint64 end; /* offset behind the last whole record */
    bool name_is_durable;
    GPtrArray *entries; /* of JournalEntry * */
};

guint32
crc32c(guint32 crc, const guchar *bytes, gsize len)
{
    static guint32 table[256];
    static gsize ready;

    if (g_once_init_enter(&ready)) {
        for (guint32 i = 0; i < 256; i++) {
            guint32 value = i;
            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
            table[i] = value;
        }
        g_once_init_leave(&ready, 1);
    }
    crc = ~crc;
    for (gsize i = 0; i < len; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    return ~crc;
}

static void
entry_free(JournalEntry *entry)
{
    record_free(entry->values);
    g_free(entry);
}

static Journal *
journal_new(const char *path, int take_fd)
{
    Journal *journal = g_new0(Journal, 1);

    journal->path = g_strdup(path);
    journal->fd = take_fd;
    journal->entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    return journal;
}

void
journal_close(Journal *journal)
{
    if (!journal)
        return;
    fd_close(&journal->fd);
    g_ptr_array_unref(journal->entries);
    g_free(journal->path);
    g_free(journal);
}

Journal *
journal_create(const char *path, GError **err)
{
    auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    g_autoptr(Journal) journal = NULL;

    if (fd < 0 && errno == EEXIST)
        return fail_null(
            err, VIR_ERR_OPERATION_INVALID,
            "the job recorded in '%s' is not finished: it is tried again when the daemon starts",
            path);
    if (fd < 0)
        return fail_null_errno(err, "create", path);
    journal = journal_new(path, fd_steal(&fd));
    if (!fd_write_all(journal->fd, MAGIC, MAGIC_LEN)) {
        fail_errno(err, "write", path);
        unlink(path);
        return NULL;
    }
    journal->end = MAGIC_LEN;
    return g_steal_pointer(&journal);
}

static guint32
get_u32(const guchar *bytes)
{
    guint32 value;

    memcpy(&value, bytes, sizeof(value));
    return GUINT32_FROM_LE(value);
}

typedef enum { RECORD_WHOLE, RECORD_TORN, RECORD_BAD } RecordState;

/* What a crash leaves of the last record is shorter than it says, or not written at all. */
static bool
is_blank(const guchar *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

/* A record with the right checksum at @bytes: length of its body, else 0. */
static guint32
checked_body_len(const guchar *bytes, gsize len)
{
    guint32 body_len = len >= HEAD_LEN + FIXED_LEN ? get_u32(bytes) : 0;

    if (body_len < FIXED_LEN || body_len > len - HEAD_LEN)
        return 0;
    return crc32c(0, bytes + HEAD_LEN, body_len) == get_u32(bytes + 4) ? body_len : 0;
}

static guint64
sequence_at(const guchar *bytes)
{
    guint64 sequence;

    memcpy(&sequence, bytes + HEAD_LEN, sizeof(sequence));
    return GUINT64_FROM_LE(sequence);
}

/* Is there a record further on? Then the one at @bytes was whole once, too: each is on the disk before the next is begun. */
static bool
is_followed(const guchar *bytes, gsize len, guint64 sequence)
{
    for (gsize at = 1; at + HEAD_LEN + FIXED_LEN <= len; at++) {
        guint64 found = sequence_at(bytes + at);

        if (found > sequence && found - sequence < len && checked_body_len(bytes + at, len - at))
            return true;
    }
    return false;
}

static RecordState
look_at_record(const guchar *bytes, gsize len, guint64 sequence, GError **err)
{
    guint32 type;

    if (!checked_body_len(bytes, len)) {
        if (is_blank(bytes, len) || ((len < HEAD_LEN || get_u32(bytes) > len - HEAD_LEN) &&
                                     !is_followed(bytes, len, sequence)))
            return RECORD_TORN;
        fail(err, VIR_ERR_OPERATION_FAILED, "record %" G_GUINT64_FORMAT " has a wrong checksum",
             sequence);
        return RECORD_BAD;
    }
    type = get_u32(bytes + HEAD_LEN + 8);
    if (sequence_at(bytes) != sequence)
        fail(err, VIR_ERR_OPERATION_FAILED,
             "where record %" G_GUINT64_FORMAT " is expected, record %" G_GUINT64_FORMAT
             " is found",
             sequence, sequence_at(bytes));
    else if (type < JOURNAL_BEGIN || type > JOURNAL_NOTE)
        fail(err, VIR_ERR_OPERATION_FAILED,
             "record %" G_GUINT64_FORMAT " is of type %u, which this daemon does not know",
             sequence, type);
    else
        return RECORD_WHOLE;
    return RECORD_BAD;
}

/* Take the records of @bytes into @journal, up to what a crash cut off. */
static bool
read_entries(Journal *journal, const guchar *bytes, gsize len, GError **err)
{
    while ((gsize)journal->end < len) {
        const guchar *at = bytes + journal->end;
        RecordState state = look_at_record(at, len - journal->end, journal->next_sequence, err);
        guint32 body_len = get_u32(at);
        Record *values;
        JournalEntry *entry;

        if (state != RECORD_WHOLE)
            return state == RECORD_TORN;
        values = record_from_bytes(at + HEAD_LEN + FIXED_LEN, body_len - FIXED_LEN);
        if (!values)
            return fail(err, VIR_ERR_OPERATION_FAILED,
                        "record %" G_GUINT64_FORMAT " is not made of keys and values",
                        journal->next_sequence);
        entry = g_new0(JournalEntry, 1);
        entry->sequence = journal->next_sequence++;
        entry->type = get_u32(at + HEAD_LEN + 8);
        entry->values = values;
        g_ptr_array_add(journal->entries, entry);
        journal->end += HEAD_LEN + body_len;
    }
    return true;
}

Journal *
journal_open(const char *path, GError **err)
{
    auto_fd int fd = -1;
    g_autoptr(Journal) journal = NULL;
    gsize len;
    g_autofree char *bytes = file_read(path, JOURNAL_MAX_BYTES, &len, err);

    if (!bytes)
        return NULL;
    if (memcmp(bytes, MAGIC, MIN(len, MAGIC_LEN)) != 0 && !is_blank((const guchar *)bytes, len))
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "'%s' is no journal of this daemon", path);
    fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail_null_errno(err, "open", path);
    journal = journal_new(path, fd_steal(&fd));
    journal->name_is_durable = true;
    journal->end = len < MAGIC_LEN || !bytes[0] ? 0 : MAGIC_LEN;
    if (journal->end && !read_entries(journal, (const guchar *)bytes, len, err)) {
        g_prefix_error(err, "the journal '%s' is damaged: ", path);
        return NULL;
    }
    if ((gsize)journal->end < len)
        log_info(LOG_JOB, "%s: %zu bytes of an unfinished record are ignored", path,
                 len - (gsize)journal->end);
    if (ftruncate(journal->fd, journal->end) < 0)
        return fail_null_errno(err, "write", path);
    return g_steal_pointer(&journal);
}

static GByteArray *
build_record(guint64 sequence, JournalType type, const Record *values)
{
    GByteArray *out = g_byte_array_new();
    guchar head[HEAD_LEN + FIXED_LEN] = {0};
    guint32 word = GUINT32_TO_LE((guint32)type);

    sequence = GUINT64_TO_LE(sequence);
    memcpy(head + HEAD_LEN, &sequence, sizeof(sequence));
    memcpy(head + HEAD_LEN + 8, &word, sizeof(word));
    g_byte_array_append(out, head, sizeof(head));
    if (values) {
        record_to_bytes(values, out);
    } else {
        g_autoptr(Record) none = record_new();
        record_to_bytes(none, out);
    }
    word = GUINT32_TO_LE(out->len - HEAD_LEN);
    memcpy(out->data, &word, sizeof(word));
    word = GUINT32_TO_LE(crc32c(0, out->data + HEAD_LEN, out->len - HEAD_LEN));
    memcpy(out->data + 4, &word, sizeof(word));
    return out;
}

static void
remember(Journal *journal, JournalType type, const Record *values, gsize len)
{
    JournalEntry *entry = g_new0(JournalEntry, 1);

    entry->type = type;
    entry->sequence = journal->next_sequence++;
    entry->values = record_new();
    if (values)
        record_merge(entry->values, values);
    g_ptr_array_add(journal->entries, entry);
    journal->end += (gint64)len;
}

bool
journal_append(Journal *journal, JournalType type, const Record *values, bool durable, GError **err)
{
    g_autoptr(GByteArray) bytes = build_record(journal->next_sequence, type, values);

    if (bytes->len > RECORD_MAX_BYTES)
        return fail(err, VIR_ERR_OPERATION_FAILED, "a journal record of %u bytes is too large",
                    bytes->len);
    if (journal->end < MAGIC_LEN) {
        if (pwrite(journal->fd, MAGIC, MAGIC_LEN, 0) != MAGIC_LEN)
            return fail_errno(err, "write", journal->path);
        journal->end = MAGIC_LEN;
    }
    if (lseek(journal->fd, journal->end, SEEK_SET) < 0 ||
        !fd_write_all(journal->fd, bytes->data, bytes->len) ||
        (durable && fdatasync(journal->fd) < 0)) {
        fail_errno(err, "write", journal->path);
        /* What is there of the record must not be taken for one; the next is written over it. */
        if (ftruncate(journal->fd, journal->end) < 0)
            log_warning(LOG_JOB, "%s: part of a record is left behind: %s", journal->path,
                        g_strerror(errno));
        return false;
    }
    if (durable && !journal->name_is_durable) {
        if (!dir_sync_parent(journal->path, err))
            return false;
        journal->name_is_durable = true;
    }
    remember(journal, type, values, bytes->len);
    return true;
}

bool
journal_finish(Journal *journal, GError **err)
{
    return file_remove(journal->path, err);
}

const char *
journal_path(const Journal *journal)
{
    return journal->path;
}

guint
journal_count(const Journal *journal)
{
    return journal->entries->len;
}

const JournalEntry *
journal_entry(const Journal *journal, guint index)
{
    return journal->entries->pdata[index];
}

const JournalEntry *
journal_last(const Journal *journal, JournalType type)
{
    for (guint i = journal->entries->len; i > 0; i--) {
        const JournalEntry *entry = journal->entries->pdata[i - 1];
        if (entry->type == type)
            return entry;
    }
    return NULL;
}
