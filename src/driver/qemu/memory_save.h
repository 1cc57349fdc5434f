/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of a job that writes a guest's memory into a save image (save_image.h): the guest is
 * paused, the stream goes into a file with a temporary name, which is published after COMMIT.
 * Snapshots with memory and saves use it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "image/overlay.h"
#include "job/job.h"

typedef struct {
    char *path;       /* of the finished image */
    char *xml;        /* the definition inside it */
    bool was_running; /* before: its CPUs ran */
    int resumes;      /* what the image says: -1 as it was, 0 paused, 1 running */
    int pause_reason; /* virDomainPausedReason meanwhile */
    bool replaces;    /* an image that is there already is overwritten */
    FileMark mark;
    bool has_started; /* the migration, by this daemon */
} MemorySave;

MemorySave *memory_save_new(const Guest *guest, const char *path);
void memory_save_free(MemorySave *save);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemorySave, memory_save_free)

/* In a plan; NULL is none. */
void memory_save_to_record(const MemorySave *save, Record *record);
MemorySave *memory_save_from_record(const Record *record);

/* The step, its undo, and what follows COMMIT. The job's context is the guest. */
StepResult memory_save_run(Job *job, MemorySave *save, GError **err);
bool memory_save_undo(Job *job, MemorySave *save, GError **err);
bool memory_save_publish(Job *job, MemorySave *save, GError **err);
