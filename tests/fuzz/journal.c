/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a job's journal after a crash: what is whole is read, a record can be added, and all of it is read again. With a
 * checksum in the way, bytes behind the first are also tried as the payload of a record. */
#include "base/log.h"
#include "file.h"
#include "job/journal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    log_set_level(LOG_LEVEL_ERROR, NULL);
    return 0;
}

static void
try_record(const guint8 *bytes, gsize len)
{
    g_autoptr(Record) record = record_from_bytes(bytes, len);
    g_autoptr(Record) again = NULL;
    g_autoptr(GByteArray) out = g_byte_array_new();

    if (!record)
        return;
    record_get_u64(record, "pid");
    record_to_bytes(record, out);
    again = record_from_bytes(out->data, out->len);
    g_assert_nonnull(again);
    g_assert_cmpuint(again->entries->len, ==, record->entries->len);
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, gsize len)
{
    const char *path = fuzz_file(bytes, len);
    g_autoptr(Journal) journal = NULL;
    g_autoptr(Journal) again = NULL;
    g_autoptr(Record) note = record_new();
    guint count;

    if (len > 0)
        try_record(bytes + 1, len - 1);
    journal = journal_open(path, NULL);
    if (!journal)
        return 0;
    count = journal_count(journal);
    record_add(note, "key", "value");
    if (journal_append(journal, JOURNAL_NOTE, note, false, NULL)) {
        again = journal_open(path, NULL);
        g_assert_nonnull(again);
        g_assert_cmpuint(journal_count(again), ==, count + 1);
    }
    return 0;
}
