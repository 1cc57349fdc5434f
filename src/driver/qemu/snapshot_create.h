/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a snapshot to be taken: made by snapshot_create.c, carried out by
 * snapshot_create_job.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/memory_save.h"
#include "driver/qemu/new_overlay.h"
#include "driver/qemu/snapshot.h"

typedef struct {
    char *name;
    char *text;                    /* of the snapshot's file; NULL: no metadata */
    GPtrArray *overlays;           /* of NewOverlay */
    bool is_live;                  /* an emulator was there */
    bool must_halt;                /* the guest ends when it is taken */
    MemorySave *memory;            /* NULL: without */
    char *nvram_from, *nvram_copy; /* firmware.h; NULL: none is made */
    SnapshotTree *before;          /* the tree that the files still show, once COMMIT is written */
} CreatePlan;

void create_plan_free(CreatePlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CreatePlan, create_plan_free)
