/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume as it was found or made: never changed once others know it. Who uses its bytes is counted across refreshes.
 * Reading one from its file: folder.h. Calls: volume_*.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/storage/storage.h"
#include "model/pool.h"

/* What outlives a refresh. */
typedef struct {
    gatomicrefcount refs;
    gint users; /* atomic: calls that read or write the bytes; -1: one that must be alone */
} VolumeUse;

struct Volume {
    gatomicrefcount refs;
    StorageVolume *info;
    VolumeUse *use;
    char *part; /* it is being made, and this is where; NULL: it is whole */
};

/* @use of the volume it replaces, or NULL. */
Volume *volume_new(StorageVolume *take_info, VolumeUse *use);
Volume *volume_ref(Volume *volume);
void volume_unref(Volume *volume);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Volume, volume_unref)

/* In a list sorted by name; NULL: there is none. Borrowed. */
Volume *volume_find(const GPtrArray *volumes, const char *name);
int volume_compare(gconstpointer a, gconstpointer b);

/* The volume that a call names, and its pool's view; VIR_ERR_NO_STORAGE_VOL, or the pool is not active. @view may be NULL. */
Volume *volume_of_call(const Call *call, const RemoteNonnullStorageVol *wire, VPoolView **view,
                       GError **err);
void volume_fill_wire(const Volume *volume, const char *pool, RemoteNonnullStorageVol *wire);

typedef enum { VOLUME_SHARED, VOLUME_ALONE } VolumeShare;
/* Begin to use its bytes; VIR_ERR_OPERATION_INVALID when it is being made, or the other users do not allow it. */
bool volume_begin(Volume *volume, VolumeShare share, GError **err);
void volume_end(Volume *volume, VolumeShare share);
/* For streams, which clients may forget to close: refuse while it is being made or somebody must be alone, but do not count. */
bool volume_check_whole(Volume *volume, GError **err);

/* A copy of what is known, with sizes, owner and times as its file has them now; NULL with @err: the file is gone. */
StorageVolume *volume_look(const Volume *volume, GError **err);
