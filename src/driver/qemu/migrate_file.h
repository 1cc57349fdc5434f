/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's memory and devices into a file, and out of one: QEMU's migration over a descriptor.
 * Used by snapshots with memory, saves and reverts. Nothing here waits for the end; look with
 * migrate_file_look when the emulator says MIGRATION. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/emulator.h"

typedef enum { MIGRATE_ACTIVE, MIGRATE_SETTLING, MIGRATE_DONE, MIGRATE_FAILED } MigrateState;

typedef struct {
    MigrateState state;
    guint64 done_bytes, total_bytes;
} MigrateProgress;

/* Write the stream from where @fd stands; the guest must be paused. */
bool migrate_file_save(Emulator *emulator, int fd, GError **err);
/* Read the stream of an emulator that was started with EMULATOR_INCOMING. */
bool migrate_file_load(Emulator *emulator, int fd, GError **err);
/* How far a save is. A failed one is MIGRATE_FAILED with @err; false: the monitor does not answer.
 * SETTLING: complete, but QEMU would refuse `cont` for some milliseconds. */
bool migrate_file_look(Emulator *emulator, MigrateProgress *progress, GError **err);
/* The same for a load: done when the emulator is loaded and paused. */
bool migrate_file_look_loaded(Emulator *emulator, MigrateProgress *progress, GError **err);
/* Stop a save that may or may not be under way, and wait (seconds at most) until `cont` is
 * possible. */
bool migrate_file_cancel(Emulator *emulator, GError **err);
