/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See folder.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "image/chain.h"

#define PART_ENDING ".part"
#define PART_HEX 8

/* ---- what the file system says ---- */

StoragePermissions *
folder_permissions(const struct stat *st)
{
    StoragePermissions *permissions = storage_permissions_new();

    permissions->has_mode = permissions->has_owner = permissions->has_group = true;
    permissions->mode = st->st_mode & 07777;
    permissions->owner = st->st_uid;
    permissions->group = st->st_gid;
    return permissions;
}

static char *
time_text(gint64 seconds, guint32 nanoseconds)
{
    if (nanoseconds == 0)
        return g_strdup_printf("%" G_GINT64_FORMAT, seconds);
    return g_strdup_printf("%" G_GINT64_FORMAT ".%09u", seconds, nanoseconds);
}

VolumeTimestamps *
folder_timestamps(const char *path, const struct stat *st)
{
    VolumeTimestamps *times = volume_timestamps_new();
    struct statx more;

    times->atime = time_text(st->st_atim.tv_sec, (guint32)st->st_atim.tv_nsec);
    times->mtime = time_text(st->st_mtim.tv_sec, (guint32)st->st_mtim.tv_nsec);
    times->ctime = time_text(st->st_ctim.tv_sec, (guint32)st->st_ctim.tv_nsec);
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BTIME, &more) == 0 &&
        more.stx_mask & STATX_BTIME)
        times->btime = time_text(more.stx_btime.tv_sec, more.stx_btime.tv_nsec);
    else
        times->btime = g_strdup("0");
    return times;
}

void
folder_set_facts(StorageVolume *info, const struct stat *st)
{
    const bool is_folder = S_ISDIR(st->st_mode);

    info->has_allocation = true;
    info->allocation = is_folder ? 0 : (guint64)st->st_blocks * 512;
    info->physical = is_folder ? 0 : (guint64)st->st_size;
    storage_permissions_free(info->target.permissions);
    info->target.permissions = folder_permissions(st);
}

/* ---- what the bytes say ---- */

/* Formats that are known by name only: nothing but their magic is read. */
static const struct {
    const char *word;
    guint64 offset;
    const char *magic;
} magics[] = {
    {"iso", 32769, "CD001"},
    {"bochs", 0, "Bochs Virtual HD Image"},
    {"cloop", 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"},
    {"cow", 0, "OOOM"},
};

static const char *
guess_by_magic(const ImageReader *reader)
{
    char bytes[64];

    for (gsize i = 0; i < G_N_ELEMENTS(magics); i++) {
        const gsize len = strlen(magics[i].magic);

        if (image_read(reader, magics[i].offset, bytes, len) &&
            memcmp(bytes, magics[i].magic, len) == 0)
            return magics[i].word;
    }
    return "raw";
}

static void
set_backing(StorageVolume *info, const ImageHeader *header)
{
    ImageFormat format = image_format_from_string(header->backing_format);
    g_autofree char *path = NULL;
    struct stat st;

    if (!header->backing_name)
        return;
    path = image_backing_path(info->target.path, header->backing_name, &format);
    info->backing_store = volume_backing_new();
    info->backing_store->path = g_strdup(path ? path : header->backing_name);
    info->backing_store->format_type =
        g_strdup(format == IMAGE_FORMAT_UNKNOWN ? "raw" : image_format_to_string(format));
    if (path && stat(path, &st) == 0) {
        info->backing_store->permissions = folder_permissions(&st);
        info->backing_store->timestamps = folder_timestamps(path, &st);
    }
}

static void
set_qcow2(StorageVolume *info, const ImageHeader *header)
{
    VolumeTarget *target = &info->target;

    target->has_cluster_size = true;
    target->cluster_size = 1ull << header->cluster_bits;
    if (header->version < 3)
        return;
    target->compat = g_strdup("1.1");
    target->features = volume_features_new();
    target->features->lazy_refcounts = header->lazy_refcounts;
    target->features->extended_l2 = header->extended_l2;
}

static void
set_image(StorageVolume *info, const ImageHeader *header)
{
    VolumeTarget *target = &info->target;
    const bool is_luks = header->format == IMAGE_FORMAT_LUKS;

    target->format_type = g_strdup(is_luks ? "raw" : image_format_to_string(header->format));
    if (header->size_bytes)
        info->capacity = header->size_bytes;
    if (header->is_encrypted) {
        target->encryption = storage_encryption_new();
        target->encryption->format =
            header->is_luks ? ENCRYPTION_FORMAT_LUKS : ENCRYPTION_FORMAT_QCOW;
    }
    if (header->format == IMAGE_FORMAT_QCOW2)
        set_qcow2(info, header);
    set_backing(info, header);
}

/* An image whose header is broken is listed as raw: somebody must be able to see and delete it. */
static void
probe_image(StorageVolume *info, int fd)
{
    const char *path = info->target.path;
    g_autoptr(ImageHeader) header = NULL;
    g_autoptr(GError) error = NULL;
    ImageReader reader;
    ImageFormat format;

    if (!image_reader_of_fd(&reader, fd, path, &error)) {
        log_warning(LOG_STORAGE, "volume '%s' is taken as raw: %s", path, error->message);
        info->target.format_type = g_strdup("raw");
        return;
    }
    format = image_header_guess(&reader);
    if (format == IMAGE_FORMAT_RAW || format == IMAGE_FORMAT_VHDX) {
        info->target.format_type = g_strdup(guess_by_magic(&reader));
        info->capacity = reader.len;
        return;
    }
    header = image_header_read(&reader, format, path, &error);
    if (header) {
        set_image(info, header);
        return;
    }
    log_warning(LOG_STORAGE, "volume '%s' is taken as raw: %s", path, error->message);
    info->target.format_type = g_strdup("raw");
}

StorageVolume *
folder_probe(const char *name, const char *path, int fd, GError **err)
{
    g_autoptr(StorageVolume) info = storage_volume_new();
    struct stat st;

    if (fstat(fd, &st) < 0)
        return fail_null_errno(err, "look at", path);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode))
        return fail_null(err, VIR_ERR_OPERATION_FAILED,
                         "'%s' is no file, folder or block device: it cannot be a volume", path);
    info->type = S_ISDIR(st.st_mode)   ? VOLUME_TYPE_DIR
                 : S_ISBLK(st.st_mode) ? VOLUME_TYPE_BLOCK
                                       : VOLUME_TYPE_FILE;
    info->name = g_strdup(name);
    info->key = g_strdup(path);
    info->target.path = g_strdup(path);
    info->has_capacity = true;
    folder_set_facts(info, &st);
    info->target.timestamps = folder_timestamps(path, &st);
    info->capacity = info->physical;
    if (info->type == VOLUME_TYPE_DIR)
        info->target.format_type = g_strdup("dir");
    else
        probe_image(info, fd);
    return g_steal_pointer(&info);
}

/* ---- the folder ---- */

static bool
add_entry(GPtrArray *found, int folder, const char *path, const char *name)
{
    auto_fd int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    g_autofree char *entry = g_build_filename(path, name, NULL);
    g_autoptr(GError) error = NULL;
    StorageVolume *info;

    if (fd < 0) {
        log_debug(LOG_STORAGE, "'%s' is no volume: %s", entry, g_strerror(errno));
        return false;
    }
    info = folder_probe(name, entry, fd, &error);
    if (info)
        g_ptr_array_add(found, info);
    else
        log_debug(LOG_STORAGE, "%s", error->message);
    return info != NULL;
}

static void
free_info(void *info)
{
    storage_volume_free(info);
}

static int
compare_infos(gconstpointer a, gconstpointer b)
{
    const StorageVolume *left = *(StorageVolume *const *)a, *right = *(StorageVolume *const *)b;

    return strcmp(left->name, right->name);
}

GPtrArray *
folder_read(const char *path, GError **err)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(free_info);
    auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!entries)
        return fail_null_errno(err, "open the folder", path);
    while ((entry = readdir(entries))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !folder_is_part(entry->d_name))
            add_entry(found, fd, path, entry->d_name);
    }
    fd = -1; /* closedir closes it */
    closedir(entries);
    g_ptr_array_sort(found, compare_infos);
    return g_steal_pointer(&found);
}

/* ---- files under way ---- */

char *
folder_part_name(const char *name)
{
    guint32 number;

    random_bytes(&number, sizeof number);
    return g_strdup_printf(".%.200s.%08x" PART_ENDING, name, number);
}

bool
folder_is_part(const char *name)
{
    const gsize len = strlen(name), tail = PART_HEX + strlen(PART_ENDING);
    const char *hex = len > tail + 2 ? name + len - tail : NULL;

    return hex && name[0] == '.' && hex[-1] == '.' && strcmp(hex + PART_HEX, PART_ENDING) == 0 &&
           strspn(hex, "0123456789abcdef") == PART_HEX;
}

void
folder_sweep(const char *path, bool (*is_ours)(const char *part, void *data), void *data)
{
    g_auto(GStrv) names = dir_list(path, NULL);

    for (guint i = 0; names && names[i]; i++) {
        g_autofree char *part = NULL;
        auto_fd int fd = -1;

        if (!folder_is_part(names[i]))
            continue;
        part = g_build_filename(path, names[i], NULL);
        if (is_ours && is_ours(part, data))
            continue;
        fd = open(part, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            continue; /* somebody is making it */
        log_info(LOG_STORAGE, "removing '%s', left by a daemon that was ended", part);
        unlink(part);
    }
}
