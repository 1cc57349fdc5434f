/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that wipe volumes. How: wipe.c. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/storage/vpool.h"
#include "driver/storage/wipe.h"

static bool
wipe(Call *call, const RemoteNonnullStorageVol *wire, guint algorithm, guint flags, GError **err)
{
    g_autoptr(VPoolView) view = NULL;
    g_autoptr(Volume) volume = NULL;
    bool is_good;

    if (!storage_check_flags(call, flags, 0, err) || !wipe_check(algorithm, err))
        return false;
    volume = volume_of_call(call, wire, &view, err);
    if (!volume)
        return false;
    if (volume->info->type != VOLUME_TYPE_FILE && volume->info->type != VOLUME_TYPE_BLOCK)
        return fail(err, VIR_ERR_NO_SUPPORT, "volume '%s' is a folder: wipe what lies in it",
                    volume->info->name);
    if (!volume_begin(volume, VOLUME_ALONE, err))
        return false;
    pool_block_begin(view->pool->storage->host->pool);
    is_good = wipe_file(volume->info->target.path, algorithm, err);
    pool_block_end(view->pool->storage->host->pool);
    volume_end(volume, VOLUME_ALONE);
    if (is_good)
        log_info(LOG_STORAGE, "pool %s: volume %s wiped", view->view.name, volume->info->name);
    return is_good;
}

static bool
storage_vol_wipe(Call *call, const RemoteStorageVolWipeArgs *args, GError **err)
{
    return wipe(call, &args->vol, VIR_STORAGE_VOL_WIPE_ALG_ZERO, args->flags, err);
}

static bool
storage_vol_wipe_pattern(Call *call, const RemoteStorageVolWipePatternArgs *args, GError **err)
{
    return wipe(call, &args->vol, args->algorithm, args->flags, err);
}

void
storage_volume_wipe_slots(DriverSlots *slots)
{
    slots->storage_vol_wipe = storage_vol_wipe;
    slots->storage_vol_wipe_pattern = storage_vol_wipe_pattern;
}
