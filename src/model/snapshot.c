/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What schema/model/snapshot.model cannot say in a line. Rules of snapshots proper: src/driver/qemu/snapshot_define.c. */
#include "gen/model-snapshot.h"

/* The kind of storage is said for the image that a snapshot made. */
bool
snapshot_disk_is_external(const SnapshotDisk *disk, ModelFormatFlags flags)
{
    return disk->snapshot == DISK_SNAPSHOT_MODE_EXTERNAL;
}
