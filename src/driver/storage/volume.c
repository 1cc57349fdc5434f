/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See volume.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/volume.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "driver/storage/folder.h"
#include "driver/storage/vpool.h"

static void
volume_use_unref(VolumeUse *use)
{
    if (g_atomic_ref_count_dec(&use->refs))
        g_free(use);
}

static VolumeUse *
volume_use_new(void)
{
    VolumeUse *use = g_new0(VolumeUse, 1);

    g_atomic_ref_count_init(&use->refs);
    return use;
}

Volume *
volume_new(StorageVolume *take_info, VolumeUse *use)
{
    Volume *volume = g_new0(Volume, 1);

    g_atomic_ref_count_init(&volume->refs);
    volume->info = take_info;
    volume->use = use ? use : volume_use_new();
    if (use)
        g_atomic_ref_count_inc(&use->refs);
    return volume;
}

Volume *
volume_ref(Volume *volume)
{
    g_atomic_ref_count_inc(&volume->refs);
    return volume;
}

void
volume_unref(Volume *volume)
{
    if (!volume || !g_atomic_ref_count_dec(&volume->refs))
        return;
    storage_volume_free(volume->info);
    volume_use_unref(volume->use);
    g_free(volume->part);
    g_free(volume);
}

int
volume_compare(gconstpointer a, gconstpointer b)
{
    const Volume *left = *(Volume *const *)a, *right = *(Volume *const *)b;

    return strcmp(left->info->name, right->info->name);
}

Volume *
volume_find(const GPtrArray *volumes, const char *name)
{
    guint low = 0, high = volumes ? volumes->len : 0;

    while (low < high) {
        const guint middle = (low + high) / 2;
        Volume *volume = volumes->pdata[middle];
        const int order = strcmp(volume->info->name, name);

        if (order == 0)
            return volume;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

Volume *
volume_of_call(const Call *call, const RemoteNonnullStorageVol *wire, VPoolView **view,
               GError **err)
{
    g_autoptr(VPoolView) pool = vpool_find(storage_of_call(call), wire->pool, err);
    Volume *volume;

    if (!pool || !vpool_require_active(pool, err))
        return NULL;
    volume = volume_find(pool->volumes, wire->name);
    if (!volume)
        return fail_null(err, VIR_ERR_NO_STORAGE_VOL,
                         "no storage vol with matching name '%s' in pool '%s'", wire->name,
                         wire->pool);
    volume_ref(volume);
    if (view)
        *view = g_steal_pointer(&pool);
    return volume;
}

void
volume_fill_wire(const Volume *volume, const char *pool, RemoteNonnullStorageVol *wire)
{
    wire->pool = g_strdup(pool);
    wire->name = g_strdup(volume->info->name);
    wire->key = g_strdup(volume->info->key);
}

bool
volume_begin(Volume *volume, VolumeShare share, GError **err)
{
    gint users;

    if (volume->part)
        return fail(err, VIR_ERR_OPERATION_INVALID, "volume '%s' is still being allocated",
                    volume->info->name);
    do {
        users = g_atomic_int_get(&volume->use->users);
        if (users < 0 || (share == VOLUME_ALONE && users > 0))
            return fail(err, VIR_ERR_OPERATION_INVALID, "volume '%s' is still in use%s",
                        volume->info->name,
                        users < 0 ? ": another call changes it" : ": a copy of it is being made");
    } while (!g_atomic_int_compare_and_exchange(&volume->use->users, users,
                                                share == VOLUME_ALONE ? -1 : users + 1));
    return true;
}

void
volume_end(Volume *volume, VolumeShare share)
{
    if (share == VOLUME_ALONE)
        g_atomic_int_set(&volume->use->users, 0);
    else
        g_atomic_int_add(&volume->use->users, -1);
}

bool
volume_check_whole(Volume *volume, GError **err)
{
    if (!volume_begin(volume, VOLUME_SHARED, err))
        return false;
    volume_end(volume, VOLUME_SHARED);
    return true;
}

/* Of a volume under way: how far it has come. */
static StorageVolume *
look_at_part(const Volume *volume)
{
    StorageVolume *info = storage_volume_copy(volume->info);
    struct stat st;

    if (stat(volume->part, &st) == 0) {
        info->allocation = (guint64)st.st_blocks * 512;
        info->physical = (guint64)st.st_size;
        info->has_allocation = true;
    }
    return info;
}

static void
look_at_backing(VolumeBacking *backing)
{
    struct stat st;

    if (!backing || !backing->path || !g_path_is_absolute(backing->path) ||
        stat(backing->path, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    storage_permissions_free(backing->permissions);
    backing->permissions = folder_permissions(&st);
    g_clear_pointer(&backing->timestamps, volume_timestamps_free);
    backing->timestamps = folder_timestamps(backing->path, &st);
}

StorageVolume *
volume_look(const Volume *volume, GError **err)
{
    const char *path = volume->info->target.path;
    g_autoptr(StorageVolume) info = NULL;
    struct stat st;

    if (volume->part)
        return look_at_part(volume);
    if (stat(path, &st) < 0)
        return errno == ENOENT
                   ? fail_null(err, VIR_ERR_NO_STORAGE_VOL,
                               "no storage vol with matching path '%s': its file is gone", path)
                   : fail_null_errno(err, "look at", path);
    info = storage_volume_copy(volume->info);
    folder_set_facts(info, &st);
    g_clear_pointer(&info->target.timestamps, volume_timestamps_free);
    info->target.timestamps = folder_timestamps(path, &st);
    look_at_backing(info->backing_store);
    return g_steal_pointer(&info);
}
