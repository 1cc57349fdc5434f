/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See overlay.h. qemu-img makes what our own layout (qcow2.h) does not cover. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "image/qcow2.h"
#include "seam/command.h"

bool
file_mark_equal(FileMark a, FileMark b)
{
    return a.inode == b.inode && a.born_ns == b.born_ns;
}

static FileMark
mark_of_statx(const struct statx *st)
{
    FileMark mark = {.inode = st->stx_ino};

    if (st->stx_mask & STATX_BTIME)
        mark.born_ns = st->stx_btime.tv_sec * 1000000000ll + st->stx_btime.tv_nsec;
    return mark;
}

bool
file_mark_of_fd(int fd, const char *path, FileMark *mark, GError **err)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
        return fail_errno(err, "look at", path);
    *mark = mark_of_statx(&st);
    return true;
}

bool
file_mark_of(const char *path, FileMark *mark)
{
    struct statx st;

    *mark = (FileMark){0};
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) < 0)
        return false;
    *mark = mark_of_statx(&st);
    return true;
}

char *
file_mark_format(FileMark mark)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT " %" G_GINT64_FORMAT, mark.inode, mark.born_ns);
}

bool
file_mark_parse(const char *text, FileMark *mark)
{
    g_auto(GStrv) words = text ? g_strsplit(text, " ", 3) : NULL;
    unsigned long long inode;
    long long born;

    *mark = (FileMark){0};
    if (!words || g_strv_length(words) != 2 || !text_to_ullong(words[0], 10, &inode) ||
        !text_to_llong(words[1], 10, &born))
        return false;
    *mark = (FileMark){.inode = inode, .born_ns = born};
    return true;
}

char *
overlay_temporary_name(const char *path, const char *job)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);

    return g_strdup_printf("%s/.%.200s.%s.new", dir, name, job);
}

static bool
write_header(int fd, const char *path, const Qcow2Overlay *layout, GError **err)
{
    guint64 len;
    g_autoptr(GByteArray) bytes = qcow2_overlay_bytes(layout, &len);

    if (ftruncate(fd, (off_t)len) < 0 ||
        pwrite(fd, bytes->data, bytes->len, 0) != (ssize_t)bytes->len)
        return fail_errno(err, "write", path);
    return true;
}

/* qemu-img fills the empty file that was made with O_EXCL. */
static bool
run_qemu_img(const char *path, const OverlaySpec *spec, GError **err)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    CommandSpec command = {0};

    g_ptr_array_add(argv, g_strdup("qemu-img"));
    g_ptr_array_add(argv, g_strdup("create"));
    g_ptr_array_add(argv, g_strdup("-q"));
    g_ptr_array_add(argv, g_strdup("-f"));
    g_ptr_array_add(argv, g_strdup(image_format_to_string(spec->format)));
    if (spec->cluster_bits) {
        g_ptr_array_add(argv, g_strdup("-o"));
        g_ptr_array_add(argv, g_strdup_printf("cluster_size=%u", 1u << spec->cluster_bits));
    }
    if (spec->extended_l2) {
        g_ptr_array_add(argv, g_strdup("-o"));
        g_ptr_array_add(argv, g_strdup("extended_l2=on"));
    }
    if (spec->backing_name) {
        g_ptr_array_add(
            argv, g_strdup("-u")); /* the size is given: the backing image need not be opened */
        g_ptr_array_add(argv, g_strdup("-b"));
        g_ptr_array_add(argv, g_strdup(spec->backing_name));
        if (spec->backing_format) {
            g_ptr_array_add(argv, g_strdup("-F"));
            g_ptr_array_add(argv, g_strdup(spec->backing_format));
        }
    }
    g_ptr_array_add(argv, g_strdup(path));
    g_ptr_array_add(argv, g_strdup_printf("%" G_GUINT64_FORMAT, spec->size_bytes));
    g_ptr_array_add(argv, NULL);
    command.argv = (const char *const *)argv->pdata;
    return command_run(&command, NULL, err);
}

static bool
fill(int fd, const char *path, const OverlaySpec *spec, GError **err)
{
    Qcow2Overlay layout = {
        .size_bytes = spec->size_bytes,
        .cluster_bits = spec->cluster_bits ? spec->cluster_bits : QCOW2_DEFAULT_CLUSTER_BITS,
        .extended_l2 = spec->extended_l2,
        .backing_name = spec->backing_name,
        .backing_format = spec->backing_format,
    };

    if (spec->format == IMAGE_FORMAT_QCOW2 && !qcow2_overlay_problem(&layout))
        return write_header(fd, path, &layout, err);
    return run_qemu_img(path, spec, err);
}

bool
overlay_make(const OverlaySpec *spec, FileMark *mark, GError **err)
{
    g_autofree char *tmp = overlay_temporary_name(spec->path, spec->job);
    auto_fd int fd = -1;

    *mark = (FileMark){0};
    if (file_exists(spec->path))
        return fail(err, VIR_ERR_OPERATION_FAILED, "file '%s' exists already", spec->path);
    unlink(tmp); /* the name carries this job's id: a leftover of an earlier try */
    fd = file_create_new(tmp, 0600, err);
    if (fd < 0)
        return false;
    if (!fill(fd, tmp, spec, err) || !file_mark_of_fd(fd, tmp, mark, err)) {
        unlink(tmp);
        return false;
    }
    if ((spec->uid != (uid_t)-1 || spec->gid != (gid_t)-1) &&
        fchown(fd, spec->uid, spec->gid) < 0) {
        fail_errno(err, "give to the emulator's user", spec->path);
        unlink(tmp);
        return false;
    }
    return true;
}

bool
overlay_sync(const char *path, const char *job, GError **err)
{
    g_autofree char *tmp = overlay_temporary_name(path, job);
    auto_fd int fd = open(tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return fail_errno(err, "open", tmp);
    return fsync(fd) == 0 || fail_errno(err, "sync", path);
}

bool
overlay_publish(const char *path, const char *job, FileMark mark, GError **err)
{
    g_autofree char *tmp = overlay_temporary_name(path, job);
    FileMark now;

    if (file_mark_of(path, &now) && file_mark_equal(now, mark))
        return true;
    if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return fail_errno(err, "create", path);
    /* A file system without that flag: a second name is refused when it exists, too. */
    if (link(tmp, path) < 0)
        return fail_errno(err, "create", path);
    unlink(tmp);
    return true;
}

bool
image_remove(const char *path, FileMark mark, GError **err)
{
    FileMark now;

    if (!file_mark_of(path, &now))
        return errno == ENOENT || errno == ENOTDIR ? true : fail_errno(err, "look at", path);
    if (!file_mark_equal(now, mark))
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "'%s' is not the file that was made there: it is kept", path);
    return unlink(path) == 0 || errno == ENOENT || fail_errno(err, "remove", path);
}

bool
overlay_withdraw(const char *path, const char *job, FileMark mark, GError **err)
{
    g_autofree char *tmp = overlay_temporary_name(path, job);
    FileMark now;

    if (!file_remove(tmp, err))
        return false;
    if (mark.inode == 0 || !file_mark_of(path, &now) || !file_mark_equal(now, mark))
        return true;
    return image_remove(path, mark, err) && dir_sync_parent(path, err);
}

bool
overlay_sync_folders(const char *const *paths, GError **err)
{
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (int i = 0; paths[i]; i++) {
        char *dir = g_path_get_dirname(paths[i]);

        if (g_hash_table_add(done, dir) && !dir_sync(dir, err))
            return false;
    }
    return true;
}
