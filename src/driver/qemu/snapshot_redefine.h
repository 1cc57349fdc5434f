/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metadata that a client brings back: taken after a round trip, or from another host. No image is
 * touched. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "driver/qemu/snapshot_tree.h"

/* Make @snapshot, as parsed, one of the guest's. @flags of virDomainSnapshotCreateXML. */
bool snapshot_redefine(Guest *guest, DomainSnapshot *snapshot, guint flags, GError **err);
