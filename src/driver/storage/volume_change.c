/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes are removed and resized. On a worker; the list of the pool changes on its strand. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/storage/copy.h"
#include "driver/storage/folder.h"
#include "driver/storage/tool.h"
#include "driver/storage/vpool.h"
#include "driver/storage/wipe.h"

/* ---- delete ---- */

static bool
remove_bytes(const StorageVolume *info, bool zeroes_first, GError **err)
{
    const char *path = info->target.path;

    if (info->type == VOLUME_TYPE_DIR)
        return rmdir(path) == 0 || errno == ENOENT || fail_errno(err, "remove the folder", path);
    if (info->type != VOLUME_TYPE_FILE)
        return fail(err, VIR_ERR_NO_SUPPORT, "removing volume '%s', a device of the host",
                    info->name);
    if (zeroes_first && !wipe_file(path, VIR_STORAGE_VOL_WIPE_ALG_ZERO, err))
        return false;
    return unlink(path) == 0 || errno == ENOENT || fail_errno(err, "remove", path);
}

static bool
drop_from_list(VPool *pool, const Volume *volume, GError **err)
{
    bool is_good;

    if (!vpool_enter(pool, err))
        return false;
    is_good = !vpool_has_volume(pool, volume) || vpool_drop_volume(pool, volume, err);
    vpool_leave(pool);
    return is_good;
}

static bool
storage_vol_delete(Call *call, const RemoteStorageVolDeleteArgs *args, GError **err)
{
    g_autoptr(VPoolView) view = NULL;
    g_autoptr(Volume) volume = NULL;
    bool is_good;

    if (!storage_check_flags(call, args->flags, VIR_STORAGE_VOL_DELETE_ZEROED, err))
        return false;
    volume = volume_of_call(call, &args->vol, &view, err);
    if (!volume || !volume_begin(volume, VOLUME_ALONE, err))
        return false;
    is_good = remove_bytes(volume->info, args->flags & VIR_STORAGE_VOL_DELETE_ZEROED, err) &&
              dir_sync_parent(volume->info->target.path, err) &&
              drop_from_list(view->pool, volume, err);
    volume_end(volume, VOLUME_ALONE);
    if (is_good)
        log_info(LOG_STORAGE, "pool %s: volume %s removed", view->view.name, volume->info->name);
    return is_good;
}

/* ---- resize ---- */

/* The capacity that the arguments mean. */
static bool
find_capacity(const RemoteStorageVolResizeArgs *args, const StorageVolume *info, guint64 *capacity,
              GError **err)
{
    const bool shrinks = args->flags & VIR_STORAGE_VOL_RESIZE_SHRINK;

    if (!(args->flags & VIR_STORAGE_VOL_RESIZE_DELTA)) {
        *capacity = args->capacity;
        if (args->capacity == 0 && !shrinks)
            return fail(err, VIR_ERR_INVALID_ARG, "a capacity of 0 needs the flag DELTA or SHRINK");
    } else if (shrinks) {
        *capacity = info->capacity > args->capacity ? info->capacity - args->capacity : 0;
    } else if (args->capacity > G_MAXUINT64 - info->capacity) {
        return fail(err, VIR_ERR_OVERFLOW, "%" G_GUINT64_FORMAT " more bytes", args->capacity);
    } else {
        *capacity = info->capacity + args->capacity;
    }
    if (*capacity < info->capacity && !shrinks)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "Can't shrink capacity below current capacity (%" G_GUINT64_FORMAT
                    " bytes) unless shrink flag explicitly specified",
                    info->capacity);
    return true;
}

static bool
resize_raw(const StorageVolume *info, guint64 capacity, bool allocates, GError **err)
{
    const char *path = info->target.path;
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const guint64 before = info->capacity;

    if (fd < 0)
        return fail_errno(err, "open", path);
    if (allocates && capacity > before &&
        fallocate(fd, 0, (off_t)before, (off_t)(capacity - before)) < 0 && errno != EOPNOTSUPP)
        return fail_errno(err, "allocate space for", path);
    if (ftruncate(fd, (off_t)capacity) < 0)
        return fail_errno(err, "resize", path);
    return fsync(fd) == 0 || fail_errno(err, "sync", path);
}

static bool
resize_bytes(Call *call, const StorageVolume *info, guint64 capacity, guint flags, GError **err)
{
    const bool allocates = flags & VIR_STORAGE_VOL_RESIZE_ALLOCATE;
    const bool is_raw = g_strcmp0(info->target.format_type, "raw") == 0;
    g_autoptr(GBytes) secret = NULL;

    if (info->type != VOLUME_TYPE_FILE)
        return fail(err, VIR_ERR_NO_SUPPORT, "volume '%s' is no file: it cannot be resized",
                    info->name);
    if (!is_raw && allocates)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "preallocate is only supported for raw type volume, and '%s' is %s", info->name,
                    info->target.format_type);
    if (is_raw && !info->target.encryption)
        return resize_raw(info, capacity, allocates, err);
    return make_find_secret(call->driver->host, info, &secret, err) &&
           tool_resize(call->driver->host, info, capacity, capacity < info->capacity, secret, err);
}

/* The list shows the new size. */
static bool
set_capacity(VPool *pool, const Volume *volume, guint64 capacity, GError **err)
{
    bool is_good = true;

    if (!vpool_enter(pool, err))
        return false;
    if (vpool_has_volume(pool, volume)) {
        StorageVolume *info = storage_volume_copy(volume->info);

        info->capacity = capacity;
        is_good = vpool_put_volume(pool, volume_new(info, volume->use), err);
    }
    vpool_leave(pool);
    return is_good;
}

static bool
storage_vol_resize(Call *call, const RemoteStorageVolResizeArgs *args, GError **err)
{
    const guint known = VIR_STORAGE_VOL_RESIZE_ALLOCATE | VIR_STORAGE_VOL_RESIZE_DELTA |
                        VIR_STORAGE_VOL_RESIZE_SHRINK;
    g_autoptr(VPoolView) view = NULL;
    g_autoptr(Volume) volume = NULL;
    g_autoptr(StorageVolume) now = NULL;
    guint64 capacity = 0;
    bool is_good;

    if (!storage_check_flags(call, args->flags, known, err))
        return false;
    volume = volume_of_call(call, &args->vol, &view, err);
    if (!volume || !volume_begin(volume, VOLUME_ALONE, err))
        return false;
    now = volume_look(volume, err);
    is_good = now && find_capacity(args, now, &capacity, err);
    if (is_good && g_strcmp0(now->target.format_type, "raw") != 0)
        capacity = (capacity + 511) & ~(guint64)511;
    if (is_good && capacity < now->allocation && g_strcmp0(now->target.format_type, "raw") == 0)
        is_good =
            fail(err, VIR_ERR_INVALID_ARG,
                 "can't shrink capacity below existing allocation (%" G_GUINT64_FORMAT " bytes)",
                 now->allocation);
    is_good = is_good && resize_bytes(call, now, capacity, args->flags, err) &&
              set_capacity(view->pool, volume, capacity, err);
    volume_end(volume, VOLUME_ALONE);
    return is_good;
}

void
storage_volume_change_slots(DriverSlots *slots)
{
    slots->storage_vol_delete = storage_vol_delete;
    slots->storage_vol_resize = storage_vol_resize;
}
