/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a block job does to the definitions: the mirror while it runs, and where the disk is when it has ended. Used by
 * disk_job_run.c. */
#pragma once

#include "driver/qemu/disk_job.h"

/* The running definition shows the job (copies and active commits have a mirror). */
bool disk_job_show(Guest *guest, const DiskJobPlan *plan, GError **err);
/* QEMU has no job any more although it was told to finalize it: has the disk changed? @emulator NULL: the guest has ended. */
bool disk_job_is_done(Guest *guest, const DiskJobPlan *plan, Emulator *emulator, bool *is_done,
                      GError **err);
/* Running definition, the next start's, snapshots: what they name now, durably. */
bool disk_job_install(Job *job, GError **err);
/* Remove the images whose data moved, unless something needs them. */
void disk_job_delete_gone(Guest *guest, const DiskJobPlan *plan);
