/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After a merge: the guest's definitions and its snapshots name the image that is left. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/snapshot_delete.h"

/* Does a definition, or a recorded machine, still name the image that is gone? */
bool snapshot_remap_is_needed(const Guest *guest, const ImageMerge *merge);
/* Rename it in all of them, durably. */
bool snapshot_remap(Guest *guest, const ImageMerge *merge, GError **err);
