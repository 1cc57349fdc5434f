/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the XML of a user to a whole description of a snapshot: disks aligned to the machine, modes
 * and names filled in. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/snapshot_tree.h"

/* Parse and judge what can be judged without the domain. With @is_redefine the XML must tell
 * everything. */
DomainSnapshot *snapshot_parse(const char *xml, bool is_redefine, bool is_disk_only, GError **err);
/* The text of a file beside the domains. */
DomainSnapshot *snapshot_parse_file(const char *xml, GError **err);
/* One entry for each disk of @machine, in its order, each with a mode. @is_forced: internal disks
 * must all be alike. */
bool snapshot_align_disks(DomainSnapshot *snapshot, const Domain *machine, DiskSnapshotMode mode,
                          bool is_forced, GError **err);
/* Give every external disk without one the name of its new image. */
bool snapshot_name_images(DomainSnapshot *snapshot, const Domain *machine, GError **err);
SnapshotDisk *snapshot_find_disk(const DomainSnapshot *snapshot, const char *target);
