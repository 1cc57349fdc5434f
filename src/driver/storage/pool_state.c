/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that start, stop, build, empty and read pools. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/storage/vpool.h"

static bool
require_active(const VPool *pool, GError **err)
{
    return pool->is_active ||
           fail(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is not active", pool->name);
}

static bool
require_inactive(const VPool *pool, const char *what, GError **err)
{
    return !pool->is_active ||
           fail(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is %s active", pool->name, what);
}

static bool
refuse_formatting(guint flags, guint formatting, GError **err)
{
    return !(flags & formatting) ||
           fail(err, VIR_ERR_OPERATION_INVALID,
                "a folder is never formatted: build it without the flags about overwriting");
}

static bool
storage_pool_create(Call *call, const RemoteStoragePoolCreateArgs *args, GError **err)
{
    const guint formatting = VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE |
                             VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE;
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);

    if (!pool ||
        !storage_check_flags(call, args->flags, VIR_STORAGE_POOL_CREATE_WITH_BUILD | formatting,
                             err) ||
        !require_inactive(pool, "already", err) || !refuse_formatting(args->flags, formatting, err))
        return false;
    if (args->flags & VIR_STORAGE_POOL_CREATE_WITH_BUILD && !vpool_build(pool, err))
        return false;
    return vpool_begin(pool, err);
}

static bool
storage_pool_build(Call *call, const RemoteStoragePoolBuildArgs *args, GError **err)
{
    const guint formatting = VIR_STORAGE_POOL_BUILD_OVERWRITE | VIR_STORAGE_POOL_BUILD_NO_OVERWRITE;
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);

    if (!pool || !storage_check_flags(call, args->flags, formatting, err) ||
        !require_inactive(pool, "already", err) ||
        !refuse_formatting(args->flags, formatting, err) || !vpool_build(pool, err))
        return false;
    log_info(LOG_STORAGE, "pool %s: built", pool->name);
    vpool_emit(pool, VIR_STORAGE_POOL_EVENT_CREATED);
    return true;
}

static bool
storage_pool_destroy(Call *call, const RemoteStoragePoolDestroyArgs *args, GError **err)
{
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);

    return pool && require_active(pool, err) && vpool_refuse_building(pool, err) &&
           vpool_end(pool, err);
}

static bool
storage_pool_delete(Call *call, const RemoteStoragePoolDeleteArgs *args, GError **err)
{
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);

    if (!pool || !storage_check_flags(call, args->flags, 0, err) ||
        !require_inactive(pool, "still", err) || !vpool_refuse_building(pool, err) ||
        !vpool_check_type(pool->config, err))
        return false;
    if (rmdir(pool->config->target.path) < 0)
        return fail_errno(err, "remove the folder", pool->config->target.path);
    log_info(LOG_STORAGE, "pool %s: folder removed", pool->name);
    vpool_emit(pool, VIR_STORAGE_POOL_EVENT_DELETED);
    return dir_sync_parent(pool->config->target.path, err);
}

static bool
storage_pool_refresh(Call *call, const RemoteStoragePoolRefreshArgs *args, GError **err)
{
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);

    return pool && storage_check_flags(call, args->flags, 0, err) && require_active(pool, err) &&
           vpool_refresh(pool, err);
}

void
storage_pool_state_slots(DriverSlots *slots)
{
    slots->storage_pool_create = storage_pool_create;
    slots->storage_pool_build = storage_pool_build;
    slots->storage_pool_destroy = storage_pool_destroy;
    slots->storage_pool_delete = storage_pool_delete;
    slots->storage_pool_refresh = storage_pool_refresh;
}
