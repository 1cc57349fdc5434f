/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots inside qcow2 images: one tag in the image of each disk, and in one of them the memory.
 *
 * What is off is changed with qemu-img; what runs, by its emulator. Each function may be called again after a crash.
 * Making them: snapshot_create.c. Going back: revert.c. Deleting: snapshot_delete.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/emulator.h"
#include "driver/qemu/snapshot.h"
#include "job/record.h"

typedef struct {
    char *target; /* vda */
    char *path;
    bool is_block_device;
    bool has_memory; /* the memory is in this one */
} InternalDisk;

GPtrArray *internal_disks_new(void);
/* Returns what was added, borrowed. */
InternalDisk *internal_disks_add(GPtrArray *disks, const Disk *disk);
bool internal_disks_contain(const GPtrArray *disks, const char *path);
void internal_disks_save(const GPtrArray *disks, Record *record);
GPtrArray *internal_disks_load(const Record *record);

/* Is the disk called @target one whose state @snapshot keeps inside its image? */
bool snapshot_is_inside(const DomainSnapshot *snapshot, const char *target);
bool snapshot_has_inside(const DomainSnapshot *snapshot);

typedef struct {
    char *id; /* NULL: there is none of that name */
    guint64 memory_bytes;
    bool is_ambiguous; /* the name is another one's id, which QEMU looks at first */
} InternalTag;

void internal_tag_clear(InternalTag *tag);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InternalTag, internal_tag_clear)
/* What the image holds under @name; also while somebody writes to it. */
bool internal_find(const InternalDisk *disk, const char *name, InternalTag *tag, GError **err);

/* ---- of an image that nobody has open ---- */
bool internal_make(const InternalDisk *disk, const char *name, GError **err);
bool internal_apply(const InternalDisk *disk, const char *name, GError **err);
/* Of any image that @guest, or nobody, has open. */
bool internal_remove(const Guest *guest, const InternalDisk *disk, const char *name, GError **err);

/* ---- all disks of an emulator at once, with memory: a job of QEMU's ---- */
/* @command: "snapshot-save" or "snapshot-load". It blocks the monitor until it has ended. */
bool internal_job_start(Emulator *emulator, const Domain *live, const char *command, const char *id,
                        const char *name, const GPtrArray *disks, GError **err);
/* Does this event say that job @id has ended (or that the emulator has)? */
bool internal_job_has_ended(const char *event, const Json *data, const char *id);
/* After that. */
bool internal_job_finish(Emulator *emulator, const char *id, GError **err);
