/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See make.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/storage/copy.h"
#include "driver/storage/tool.h"
#include "image/qcow2.h"

#define MODE_DEFAULT 0600

static bool
is_format(const StorageVolume *info, const char *format)
{
    return g_str_equal(info->target.format_type, format);
}

static bool
is_plain(const StorageVolume *info)
{
    return (is_format(info, "raw") || is_format(info, "iso")) && !info->target.encryption;
}

/* ---- can it be made? ---- */

static bool
check_encryption(const StorageVolume *info, GError **err)
{
    const StorageEncryption *encryption = info->target.encryption;

    if (!encryption)
        return true;
    if (!is_format(info, "raw") && !is_format(info, "qcow2"))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "volume encryption unsupported with format %s: use raw or qcow2",
                    info->target.format_type);
    if (encryption->format != ENCRYPTION_FORMAT_LUKS)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "creation of %s encrypted image is not supported: use encryption format 'luks'",
                    info->target.format_type);
    return true;
}

static bool
check_qcow2(const StorageVolume *info, GError **err)
{
    const VolumeTarget *target = &info->target;
    const bool is_old = g_strcmp0(target->compat, "0.10") == 0;

    if (target->compat && !is_old && strcmp(target->compat, "1.1") != 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "qcow2 of compat level %s is not known: expected 0.10 or 1.1", target->compat);
    if (is_old && target->features && target->features->lazy_refcounts)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "lazy_refcounts not supported with compat level %s", target->compat);
    if (is_old && target->features && target->features->extended_l2)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "extended_l2 not supported with compat level %s", target->compat);
    return true;
}

static bool
check_no_qcow2_parts(const StorageVolume *info, GError **err)
{
    const VolumeTarget *target = &info->target;
    const char *part = target->compat             ? "compat"
                       : target->features         ? "features"
                       : target->has_cluster_size ? "clusterSize"
                                                  : NULL;

    return !part || fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "<%s> is for qcow2 volumes, and '%s' is of format %s", part, info->name,
                         target->format_type);
}

bool
make_check(const StorageVolume *info, bool preallocates, GError **err)
{
    static const char *const makeable[] = {"raw",  "iso", "dir", "qcow2", "qcow",
                                           "vmdk", "vdi", "vpc", "qed",   NULL};
    const char *format = info->target.format_type;

    if (!g_strv_contains(makeable, format))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "volume '%s': images of format '%s' cannot be made here, only be used",
                    info->name, format);
    if (info->backing_store && info->backing_store->path &&
        (is_format(info, "raw") || is_format(info, "iso") || is_format(info, "dir")))
        return fail(err, VIR_ERR_NO_SUPPORT, "backing storage not supported for %s volumes",
                    format);
    if (preallocates && !is_format(info, "qcow2"))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "metadata preallocation is not supported for %s volumes", format);
    if (!check_encryption(info, err))
        return false;
    return is_format(info, "qcow2") ? check_qcow2(info, err) : check_no_qcow2_parts(info, err);
}

bool
make_find_secret(const DriverHost *host, const StorageVolume *info, GBytes **secret, GError **err)
{
    const StorageEncryption *encryption = info->target.encryption;
    const EncryptionSecret *named;

    if (!encryption)
        return true;
    if (encryption->n_secrets != 1 || g_strcmp0(encryption->secrets[0]->type, "passphrase") != 0)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "volume '%s': A single <secret type='passphrase'...> element is expected in "
                    "encryption description",
                    info->name);
    named = encryption->secrets[0];
    *secret = service_secret_value(host,
                                   &(ServiceSecret){.uuid = named->has_uuid ? named->uuid : NULL,
                                                    .usage_type = VIR_SECRET_USAGE_TYPE_VOLUME,
                                                    .usage_id = named->usage},
                                   err);
    return *secret != NULL;
}

/* ---- raw ---- */

/* Blocks for the first @bytes, by the file system, or by writing zeros where it cannot. */
static bool
allocate(int fd, guint64 bytes, const char *path, GError **err)
{
    if (bytes == 0 || fallocate(fd, 0, 0, (off_t)bytes) == 0)
        return true;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return fail_errno(err, "allocate space for", path);
    return copy_zeros(fd, bytes, path, err);
}

static bool
make_raw(const MakeSpec *spec, int fd, GError **err)
{
    const StorageVolume *info = spec->info;
    const guint64 allocation = MIN(info->allocation, info->capacity);

    if (spec->source && !copy_file(spec->source->target.path, fd, spec->must_share, err))
        return false;
    if (ftruncate(fd, (off_t)info->capacity) < 0)
        return fail_errno(err, "extend", info->target.path);
    /* A copy's data has its blocks; what is asked for beyond fills its holes. */
    return (spec->source && allocation < info->capacity) ||
           allocate(fd, allocation, info->target.path, err);
}

/* ---- images ---- */

static guint
bits_of(guint64 size)
{
    return size && (size & (size - 1)) == 0 ? (guint)g_bit_nth_msf((gulong)size, -1) : 0;
}

/* Write an empty qcow2 image. False without @err: it needs qemu-img. */
static bool
write_qcow2(const MakeSpec *spec, int fd, GError **err)
{
    const StorageVolume *info = spec->info;
    const VolumeTarget *target = &info->target;
    const bool has_backing = info->backing_store && info->backing_store->path;
    const Qcow2Overlay layout = {
        .size_bytes = info->capacity,
        .cluster_bits =
            target->has_cluster_size ? bits_of(target->cluster_size) : QCOW2_DEFAULT_CLUSTER_BITS,
        .extended_l2 = target->features && target->features->extended_l2,
        .lazy_refcounts = target->features && target->features->lazy_refcounts,
        .is_version_2 = !target->features && g_strcmp0(target->compat, "1.1") != 0,
        .backing_name = has_backing ? info->backing_store->path : NULL,
        .backing_format = has_backing ? info->backing_store->format_type : NULL,
    };
    g_autoptr(GByteArray) bytes = NULL;
    guint64 file_len;

    if (!is_format(info, "qcow2") || target->encryption || spec->preallocates ||
        qcow2_overlay_problem(&layout))
        return false;
    bytes = qcow2_overlay_bytes(&layout, &file_len);
    if (!fd_write_all(fd, bytes->data, bytes->len) || ftruncate(fd, (off_t)file_len) < 0)
        return fail_errno(err, "write", info->target.path);
    return true;
}

static bool
make_image(const MakeSpec *spec, int fd, GError **err)
{
    GError *error = NULL;

    if (!write_qcow2(spec, fd, &error)) {
        if (error) {
            g_propagate_error(err, error);
            return false;
        }
        if (!tool_create(spec, fd, err))
            return false;
    }
    return !spec->source || tool_convert(spec, fd, err);
}

/* ---- files ---- */

static void
avoid_cow(int fd, const char *path)
{
    int attributes = 0;

    /* Only some file systems know it, and only there it matters. */
    if (ioctl(fd, FS_IOC_GETFLAGS, &attributes) < 0)
        return;
    attributes |= FS_NOCOW_FL;
    if (ioctl(fd, FS_IOC_SETFLAGS, &attributes) < 0)
        log_debug(LOG_STORAGE, "'%s': copy on write stays on: %s", path, g_strerror(errno));
}

static bool
set_owner(const StorageVolume *info, const char *part, GError **err)
{
    const StoragePermissions *permissions = info->target.permissions;
    const mode_t mode = permissions && permissions->has_mode ? permissions->mode : MODE_DEFAULT;
    const uid_t uid = permissions && permissions->has_owner ? (uid_t)permissions->owner : (uid_t)-1;
    const gid_t gid = permissions && permissions->has_group ? (gid_t)permissions->group : (gid_t)-1;

    if ((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(part, uid, gid) < 0)
        return fail_errno(err, "set the owner of", info->target.path);
    return chmod(part, mode) == 0 || fail_errno(err, "set the mode of", info->target.path);
}

static bool
fail_exists(const char *path, GError **err)
{
    return errno == EEXIST ? fail(err, VIR_ERR_OPERATION_INVALID,
                                  "volume target path '%s' already exists", path)
                           : fail_errno(err, "make", path);
}

/* The final name, never over what exists. */
static bool
put_in_place(const char *part, const char *path, GError **err)
{
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
        /* Some file systems do not know that flag; a second name is as exclusive. */
        if (errno != EINVAL || link(part, path) < 0)
            return fail_exists(path, err);
        unlink(part);
    }
    return dir_sync_parent(path, err);
}

static bool
make_folder(const MakeSpec *spec, GError **err)
{
    const StorageVolume *info = spec->info;

    if (spec->source)
        return fail(err, VIR_ERR_NO_SUPPORT, "volume '%s' is a folder: it can be made, not copied",
                    info->name);
    if (mkdir(spec->part, 0700) < 0)
        return fail_errno(err, "make the folder", info->target.path);
    if (set_owner(info, spec->part, err) && put_in_place(spec->part, info->target.path, err))
        return true;
    rmdir(spec->part);
    return false;
}

static bool
make_file(const MakeSpec *spec, int fd, GError **err)
{
    const char *path = spec->info->target.path;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return fail_errno(err, "lock the new file of", path);
    if (spec->info->target.nocow)
        avoid_cow(fd, path);
    if (!(is_plain(spec->info) && (!spec->source || is_plain(spec->source))
              ? make_raw(spec, fd, err)
              : make_image(spec, fd, err)))
        return false;
    if (!set_owner(spec->info, spec->part, err))
        return false;
    return fsync(fd) == 0 || fail_errno(err, "sync", path);
}

bool
make_volume(const MakeSpec *spec, GError **err)
{
    auto_fd int fd = -1;

    if (is_format(spec->info, "dir"))
        return make_folder(spec, err);
    fd = file_create_new(spec->part, MODE_DEFAULT, err);
    if (fd < 0)
        return false;
    if (make_file(spec, fd, err) && put_in_place(spec->part, spec->info->target.path, err))
        return true;
    unlink(spec->part);
    return false;
}
