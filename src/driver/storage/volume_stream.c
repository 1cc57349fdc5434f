/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Upload and download: a descriptor of the volume's file at the offset, moved by whoever carries the call. An upload that ends
 * in order is synced before its finish is answered, and the volume is looked at anew: its format may be another one now. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "driver/storage/folder.h"
#include "driver/storage/vpool.h"

typedef struct {
    VPool *pool;
    Volume *volume;
    int sync_fd; /* of an upload; else -1 */
} Transfer;

static void
transfer_free(Transfer *transfer)
{
    volume_unref(transfer->volume);
    vpool_unref(transfer->pool);
    fd_close(&transfer->sync_fd);
    g_free(transfer);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transfer, transfer_free)

static bool
on_downloaded(void *data, bool is_aborted, GError **err)
{
    transfer_free(data);
    return true;
}

/* On the strand: the volume as it is now takes the place of what was known of it. */
static bool
look_anew(VPool *pool, const Volume *volume, GError **err)
{
    const char *path = volume->info->target.path;
    auto_fd int fd = -1;
    StorageVolume *info;

    if (!vpool_has_volume(pool, volume))
        return true;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(err, "open", path);
    info = folder_probe(volume->info->name, path, fd, err);
    if (!info || !vpool_put_volume(pool, volume_new(info, volume->use), err))
        return false;
    vpool_emit_refresh(pool);
    return true;
}

static bool
on_uploaded(void *data, bool is_aborted, GError **err)
{
    g_autoptr(Transfer) transfer = data;
    VPool *pool = transfer->pool;
    const char *path = transfer->volume->info->target.path;
    bool is_good;

    if (!is_aborted && fsync(transfer->sync_fd) < 0)
        return fail_errno(err, "sync", path);
    if (!vpool_enter(pool, err))
        return false;
    is_good = look_anew(pool, transfer->volume, err);
    vpool_leave(pool);
    return is_good;
}

/* A descriptor at @offset; -1 with @err. */
static int
open_at(const StorageVolume *info, int mode, guint64 offset, GError **err)
{
    auto_fd int fd = -1;

    if (info->type != VOLUME_TYPE_FILE && info->type != VOLUME_TYPE_BLOCK) {
        fail(err, VIR_ERR_NO_SUPPORT, "volume '%s' is a folder: it has no bytes to move",
             info->name);
        return -1;
    }
    fd = open(info->target.path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        fail_errno(err, "open", info->target.path);
        return -1;
    }
    if (offset > G_MAXINT64 || lseek(fd, (off_t)offset, SEEK_SET) < 0) {
        fail(err, VIR_ERR_INVALID_ARG, "volume '%s' has no offset %" G_GUINT64_FORMAT, info->name,
             offset);
        return -1;
    }
    return fd_steal(&fd);
}

static bool
transfer(Call *call, const RemoteNonnullStorageVol *wire, guint64 offset, guint64 length,
         bool is_upload, bool is_sparse, GError **err)
{
    g_autoptr(VPoolView) view = NULL;
    g_autoptr(Volume) volume = volume_of_call(call, wire, &view, err);
    g_autoptr(Transfer) moved = NULL;
    auto_fd int fd = -1;
    CallStreamDone done = is_upload ? on_uploaded : on_downloaded;

    if (!volume || !volume_check_whole(volume, err))
        return false;
    moved = g_new0(Transfer, 1);
    moved->sync_fd = -1;
    moved->pool = vpool_ref(view->pool);
    moved->volume = g_steal_pointer(&volume);
    fd = open_at(moved->volume->info, is_upload ? O_RDWR : O_RDONLY, offset, err);
    if (fd < 0)
        return false;
    if (is_upload) {
        moved->sync_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (moved->sync_fd < 0)
            return fail_errno(err, "keep a descriptor of", moved->volume->info->target.path);
    }
    call->stream_bytes_max = length;
    if (!call_set_stream_fd(call, fd_steal(&fd), is_sparse ? CALL_STREAM_SPARSE : 0, done, moved,
                            err))
        return false;
    g_steal_pointer(&moved);
    return true;
}

static bool
storage_vol_upload(Call *call, const RemoteStorageVolUploadArgs *args, GError **err)
{
    return storage_check_flags(call, args->flags, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM, err) &&
           transfer(call, &args->vol, args->offset, args->length, true,
                    args->flags & VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM, err);
}

static bool
storage_vol_download(Call *call, const RemoteStorageVolDownloadArgs *args, GError **err)
{
    return storage_check_flags(call, args->flags, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM, err) &&
           transfer(call, &args->vol, args->offset, args->length, false,
                    args->flags & VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM, err);
}

void
storage_volume_stream_slots(DriverSlots *slots)
{
    slots->storage_vol_upload = storage_vol_upload;
    slots->storage_vol_download = storage_vol_download;
}
