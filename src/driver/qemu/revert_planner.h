/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What planning a revert (revert.c) and planning a clone (snapshot_clone.c) share: the new overlays. */
#pragma once

#include "driver/qemu/image_record.h"
#include "driver/qemu/revert.h"

/* What planning needs at hand. */
typedef struct {
    Guest *guest; /* whose snapshot it is */
    const DomainSnapshot *snapshot;
    const RevertOptions *options;
    const char *clone_name; /* of the new domain; NULL: a revert */
    ImageRecords *records;
    RevertPlan *plan;
    ImageGraph *graph; /* what will need images, once it is done */
} RevertPlanner;

/* An overlay for each disk of @machine (may be NULL) that has none yet. */
bool revert_plan_overlays(RevertPlanner *planner, const Domain *machine, GError **err);
/* Does every image that the caller named belong to a disk? */
bool revert_check_given_images(const RevertPlanner *planner, GError **err);
/* A copy of the recorded machine on its new overlays. */
Domain *revert_machine_on_overlays(const RevertPlan *plan, const Domain *recorded);
/* A disk whose state is inside its image (revert_inside.c); and what that means for the whole. */
bool revert_plan_inside(RevertPlanner *planner, const Disk *disk, GError **err);
bool revert_check_inside(RevertPlanner *planner, GError **err);
/* Can it be gone back to at all? */
bool revert_check_snapshot(const DomainSnapshot *snapshot, GError **err);
/* The memory image at @path (NULL: none) becomes what is loaded. */
bool revert_plan_memory(RevertPlan *plan, const char *path, GError **err);
