/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of storage pools as disks; see volume.c. */
#pragma once

#include "driver/qemu/qemu.h"
#include "model/domain.h"

/* Make a disk of type 'volume' the file or device that it means; other disks stay as they are. Fails when the pool is not
 * active, or has no such volume. On a worker. */
bool disk_resolve_volume(const QemuDriver *qemu, Disk *disk, GError **err);
