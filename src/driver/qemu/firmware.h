/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The firmware's variables (NVRAM) of a guest: a small file that the running guest writes to. A
 * snapshot that can be gone back to as a whole (with memory, or of a guest that is off) has a copy of
 * it beside the file, named by the snapshot; a revert puts the copy back. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "gen/model-snapshot.h"
#include "image/overlay.h"
#include "job/job.h"

/* NULL: it has none, or not in a file. */
const char *firmware_nvram_path(const Domain *machine);
/* Where the copy of @snapshot is; NULL: its machine has no such file. g_free. */
char *firmware_copy_path(const DomainSnapshot *snapshot);

/* Copy @from to @path, a new file, as a step of @job: what was made is noted. */
bool firmware_copy_make(Job *job, const char *from, const char *path, GError **err);
FileMark firmware_copy_mark(const Job *job);
bool firmware_copy_withdraw(Job *job, const char *path, GError **err);

/* Replace @path by the contents of @from; again after a crash. */
bool firmware_put(QemuDriver *qemu, const char *from, const char *path, GError **err);
