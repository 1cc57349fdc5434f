/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of guests: what the parts (snapshot*.c, revert*.c) share, and what the rest of the
 * driver calls.
 *
 * Looking: snapshot_list.c. Taking one: snapshot_create.c. Going back: revert.c. Deleting:
 * snapshot_delete.c. Each change is a job (src/job) with its plan in guest->qemu->journal_dir; who
 * needs which image is asked of snapshot_holders.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "driver/qemu/snapshot_tree.h"
#include "image/graph.h"
#include "job/job.h"

/* ---- for the rest of the driver; on the guest's strand ---- */
/* Read the guest's snapshots; to be published by the caller. */
bool snapshots_load(Guest *guest, GError **err);
/* Take up the job that a daemon before us left, if any: it has ended, or runs on, or is stuck
 * (logged) when this returns. */
void snapshots_recover(Guest *guest);
/* If the guest's job got stuck (a full disk, a hung emulator), or its journal could not be read: try it again. */
void snapshots_retry_job(Guest *guest);
/* Journals of domains that are not known (any more): each is known again until its job is finished.
 * Once all others are loaded. */
void snapshots_find_orphans(QemuDriver *qemu);
guint snapshots_count(const Guest *guest);
/* Forget all snapshots: their metadata goes, no image is touched. */
bool snapshots_forget_all(Guest *guest, GError **err);
/* The domain is gone: what is remembered of its snapshots and images goes, too; no image does.
 * Called by guest_withdraw. */
void snapshots_guest_gone(Guest *guest);
/* The domain has another name now. */
bool snapshots_rename(Guest *guest, const char *old_name, GError **err);

/* ---- between the parts ---- */
void snapshot_list_slots(DriverSlots *slots);
void snapshot_create_slots(DriverSlots *slots);
void snapshot_delete_slots(DriverSlots *slots);
void repair_slots(DriverSlots *slots);
void revert_slots(DriverSlots *slots);
void save_slots(DriverSlots *slots);
void undefine_slots(DriverSlots *slots);
void job_call_slots(DriverSlots *slots);
/* Remember how the guest's job ended, and tell who listens. */
void guest_sum_up_job(Guest *guest, const Job *job, const GError *error);

extern const JobKind snapshot_create_kind;
extern const JobKind revert_kind;
extern const JobKind snapshot_delete_kind;
extern const JobKind save_kind;
extern const JobKind restore_kind;
extern const JobKind clone_kind;
extern const JobKind undefine_kind;
extern const JobKind attach_kind; /* plug.c */
extern const JobKind detach_kind;

/* Make @take_tree the guest's (not published yet). */
void guest_set_snapshots(Guest *guest, SnapshotTree *take_tree);
char *guest_journal_path(const Guest *guest);

/* Write BEGIN and run @take_job of @guest; @call is answered when it has ended (NULL: nobody
 * waits). @answer fills the reply's result; false: it has taken the call over. The slot returns
 * what this returns. */
typedef bool (*JobAnswer)(Call *call, Job *job);
bool guest_run_job(Guest *guest, Job *take_job, Call *call, JobAnswer answer, GError **err);

/* Everything on this host that needs an image; without anything of the guest @besides (NULL:
 * all). */
ImageGraph *snapshot_holders(QemuDriver *qemu, const Guest *besides);
/* What the guest needs as it is now on its strand: machines, snapshots, what a revert left. */
void guest_hold_images(ImageGraph *graph, const Guest *guest);
void snapshot_tree_hold_images(ImageGraph *graph, const char *domain, const SnapshotTree *tree);
/* The machine @machine needs its disks and what is below. */
void machine_hold_images(ImageGraph *graph, const char *holder, const Domain *machine);
/* @machine as it is written down for later: what the start found out about the chains is found out
 * again; what the user said of them in @config stays. */
Domain *machine_recorded_copy(const Domain *machine, const Domain *config);
ImageFormat disk_image_format(const Disk *disk);
/* Is there something in @disk that a snapshot would keep: not empty, not read-only? */
bool disk_is_kept(const Disk *disk);
