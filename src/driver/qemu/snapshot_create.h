/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a snapshot to be taken: made by snapshot_create.c, carried out by
 * snapshot_create_job.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/internal.h"
#include "driver/qemu/memory_save.h"
#include "driver/qemu/new_overlay.h"
#include "driver/qemu/snapshot.h"

typedef struct {
    char *name;
    char *text;          /* of the snapshot's file; NULL: no metadata */
    GPtrArray *overlays; /* of NewOverlay */
    GPtrArray *inside;   /* of InternalDisk: kept inside their own images; empty: external */
    bool is_live;        /* an emulator was there */
    bool was_running;    /* it is to go on; for what is kept inside */
    bool must_halt;      /* the guest ends when it is taken */
    MemorySave *memory;  /* NULL: without */
    char *nvram_from, *nvram_copy; /* firmware.h; NULL: none is made */
    SnapshotTree *before;          /* the tree that the files still show, once COMMIT is written */
    bool is_saving;                /* QEMU saves it inside, and tells when it has ended */
    bool has_saved;
} CreatePlan;

void create_plan_free(CreatePlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CreatePlan, create_plan_free)
