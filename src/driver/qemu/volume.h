/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of storage pools as disks; see volume.c. */
#pragma once

#include "driver/qemu/guest.h"
#include "image/graph.h"
#include "model/domain.h"

/* Make a disk of type 'volume' the file or device that it means; other disks stay as they are. Fails when the pool is not
 * active, or has no such volume. On a worker. */
bool disk_resolve_volume(const QemuDriver *qemu, Disk *disk, GError **err);
/* Let the stored definition name the files that its volumes are, for good: before a new image goes on top of one of them. On the
 * guest's strand. */
bool guest_settle_volumes(Guest *guest, GError **err);
/* @holder needs the images of those of @machine's disks that name volumes. */
void machine_hold_volumes(ImageGraph *graph, const QemuDriver *qemu, const char *holder,
                          const Domain *machine);
