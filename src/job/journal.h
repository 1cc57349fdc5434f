/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The durable log of one job of one object: a file that exists only while the job is not finished.
 *
 * A record is length, crc32c, sequence, type and key/values (record.h). What a crash left half
 * written at the end is ignored when read, and cut off before the next record. Anything else that is
 * not as it was written is an error: what the job had done cannot be known then, so the file stays
 * as it is. Who writes what when: job.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "job/record.h"

typedef enum {
    JOURNAL_BEGIN = 1, /* the whole plan */
    JOURNAL_STEP,      /* what recovery must know: a new file, a process, a request sent */
    JOURNAL_COMMIT,    /* from here on only forward */
    JOURNAL_UNDO,      /* going back has begun */
    JOURNAL_NOTE,      /* for people who look at a job that got stuck */
} JournalType;

typedef struct {
    JournalType type;
    guint64 sequence;
    Record *values;
} JournalEntry;

typedef struct Journal Journal;

/* A new journal; fails with VIR_ERR_OPERATION_INVALID when @path exists: the job before is not
 * finished. */
Journal *journal_create(const char *path, GError **err);
/* Read an existing journal and go on writing behind its last whole record. */
Journal *journal_open(const char *path, GError **err);
/* Only closes; the file stays for recovery. */
void journal_close(Journal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Journal, journal_close)

/* Append; when @durable the record is on the disk before this returns (the file's name, too). */
bool journal_append(Journal *journal, JournalType type, const Record *values, bool durable,
                    GError **err);
/* The job is over: remove the file, durably. @journal stays to be closed. */
bool journal_finish(Journal *journal, GError **err);

const char *journal_path(const Journal *journal);
guint journal_count(const Journal *journal);
const JournalEntry *journal_entry(const Journal *journal, guint index);
/* The last record of @type, or NULL. */
const JournalEntry *journal_last(const Journal *journal, JournalType type);

guint32 crc32c(guint32 crc, const guchar *bytes, gsize len);
