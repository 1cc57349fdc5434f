/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a revert: made by revert.c while the present guest goes on, carried out by
 * revert_job.c; revert_call.c has the calls and the dry run.
 *
 * Nothing of the present state is touched before COMMIT; after it the guest is at the snapshot, on
 * all disks, whatever happens. The images that the abandoned state leaves behind go last. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "driver/qemu/doomed_image.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/internal.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/memory_save.h"
#include "driver/qemu/new_overlay.h"
#include "driver/qemu/snapshot.h"

typedef enum { REVERT_TO_OFF, REVERT_TO_PAUSED, REVERT_TO_RUNNING } RevertTo;

typedef struct {
    char *name;
    char *text;          /* the snapshot's file as it will be */
    GPtrArray *overlays; /* of NewOverlay: one for every disk that the machine had */
    char *config_xml;    /* definition of the next start; NULL: the guest is transient */
    char *live_xml;      /* of the machine to run; NULL: it stays off */
    char *memory_path;   /* state to load into it; NULL: it boots */
    GPtrArray *inside;   /* of InternalDisk: kept inside their own images; NULL: none */
    char *tag;           /* name of the snapshot there */
    bool memory_tag;     /* the memory is there, too */
    RevertTo to;
    char *nvram_from, *nvram_path; /* contents for the firmware's variables; NULL: they stay */
    char *stop_first; /* why the old emulator must end before the new one starts; NULL: not so */
    bool drop_managed_save;
    bool is_restore;    /* no snapshot: the machine and memory of a save image (save.c) */
    char *saved_path;   /* save image that goes once the guest runs; NULL: none */
    GPtrArray *going;   /* of DoomedImage, tops first */
    GPtrArray *staying; /* paths nobody needs, but that we did not make; while planning only */

    /* The state that is left is kept, or had back (kept.h). */
    char *kept_text;         /* of the node that it becomes; NULL: it is not kept */
    MemorySave *kept_memory; /* of the old guest; NULL: without */
    bool is_undo;            /* no snapshot: what an earlier revert left */
    bool is_clone;           /* no snapshot of this guest: it is made by this (snapshot_clone.c) */

    /* While it runs. */
    Emulator *emulator; /* the new one, until it is installed */
    Domain *live;
    MemoryCache *cache; /* the new one has mapped this memory; NULL: it gets a stream */
    bool needs_stream;  /* mapping has been tried */
    bool is_listening, is_loaded;
    bool is_loading_inside, has_ended; /* QEMU loads what is inside; it has told that it is done */
    GError *start_error;               /* it could not be started after COMMIT */
} RevertPlan;

/* What a caller may choose. */
typedef struct {
    guint flags;        /* virDomainSnapshotRevertFlags */
    GHashTable *images; /* target of a disk -> path of its new image; NULL: none is given */
    guint64 keep_s;     /* how long the state that is left can be had back; 0: it goes at once */
    bool keeps_memory;  /* with it, the running guest's */
} RevertOptions;

/* The plan of a revert to the snapshot called @name; changes nothing. */
RevertPlan *revert_plan_make(Guest *guest, const char *name, const RevertOptions *options,
                             GError **err);

/* The plan of going back to what the last revert left. */
RevertPlan *undo_plan_make(Guest *guest, guint flags, GError **err);
void clone_slots(DriverSlots *slots);
/* Of the typed parameters of a call. */
bool revert_options_read(RevertOptions *options, const RemoteTypedParam *params, guint32 count,
                         guint flags, GError **err);
void revert_options_clear(RevertOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RevertOptions, revert_options_clear)
void undo_slots(DriverSlots *slots);
/* May the guest leave what it has, for a state @to? */
bool revert_check_guest(const Guest *guest, RevertTo to, guint flags, GError **err);

/* What it would do, for a dry run. */
void revert_plan_report(Json *step, const Guest *guest, const RevertPlan *plan);

void revert_plan_free(RevertPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RevertPlan, revert_plan_free)

/* Why an emulator for @machine cannot stand beside the one that runs now; NULL when it can.
 * g_free. */
char *revert_conflict(const Guest *guest, const Domain *machine, const GPtrArray *overlays);

/* revert_stage.c: the new emulator, from the stub to loaded memory. */
StepResult revert_start_emulator(Job *job, EmulatorFlags flags, GError **err);
bool revert_kill_emulator(Job *job, GError **err);
/* The guest runs: what makes the next revert to this snapshot, or the next save, faster. */
void revert_settle_memory(Job *job);
/* revert_inside.c: the disks; then the memory, which QEMU loads and tells when it has. */
StepResult revert_apply_inside(Job *job, GError **err);
bool revert_begin_inside(Job *job, GError **err);
StepResult revert_look_inside(Job *job, GError **err);
void revert_leave_inside(Job *job);
/* Is the emulator that the guest has the one that this job started? */
bool revert_is_installed(Job *job);
