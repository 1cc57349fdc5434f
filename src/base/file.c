/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See file.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

char *
file_read(const char *path, size_t max_bytes, size_t *len, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autofree char *bytes = NULL;
    struct stat st;
    size_t used = 0;

    if (fd < 0 || fstat(fd, &st) < 0)
        return fail_null_errno(err, "open", path);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail_null_errno(err, "read", path);
    }
    if (st.st_size > 0 && (size_t)st.st_size > max_bytes)
        return fail_null(err, VIR_ERR_OPERATION_FAILED,
                         "file '%s' has %lld bytes: at most %zu are read", path,
                         (long long)st.st_size, max_bytes);

    /* Files of /proc and /sys say 0 bytes: grow as they are read. */
    for (size_t room = st.st_size > 0 ? st.st_size + 1 : 4096;; room *= 2) {
        bytes = g_realloc(bytes, room + 1);
        while (used < room) {
            ssize_t n = read(fd, bytes + used, room - used);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return fail_null_errno(err, "read", path);
            if (n == 0) {
                bytes[used] = '\0';
                if (len)
                    *len = used;
                return g_steal_pointer(&bytes);
            }
            used += n;
            if (used > max_bytes)
                return fail_null(err, VIR_ERR_OPERATION_FAILED, "file '%s' has more than %zu bytes",
                                 path, max_bytes);
        }
    }
}

static char *
temporary_name(const char *path)
{
    static int counter;
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);

    return g_strdup_printf("%s/.%.200s.%d-%d.tmp", dir, name, (int)getpid(),
                           g_atomic_int_add(&counter, 1));
}

bool
file_write_atomic(const char *path, const void *bytes, size_t len, mode_t mode, GError **err)
{
    g_autofree char *tmp = temporary_name(path);
    auto_fd int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool done = fd >= 0 && fchmod(fd, mode) == 0 && fd_write_all(fd, bytes, len) &&
                fsync(fd) == 0 && rename(tmp, path) == 0;

    if (!done) {
        int saved = errno;
        if (fd >= 0)
            unlink(tmp);
        errno = saved;
        return fail_errno(err, "write", path);
    }
    return dir_sync_parent(path, err);
}

bool
file_remove(const char *path, GError **err)
{
    if (unlink(path) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return true;
        return fail_errno(err, "remove", path);
    }
    return dir_sync_parent(path, err);
}

bool
file_rename(const char *from, const char *to, GError **err)
{
    g_autofree char *from_dir = g_path_get_dirname(from);
    g_autofree char *to_dir = g_path_get_dirname(to);

    if (rename(from, to) < 0)
        return fail_errno(err, "rename", from);
    if (!dir_sync(to_dir, err))
        return false;
    return g_str_equal(from_dir, to_dir) || dir_sync(from_dir, err);
}

int
file_create_new(const char *path, mode_t mode, GError **err)
{
    auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0 || fchmod(fd, mode) < 0)
        fail_errno(err, "create", path);
    return fd_steal(&fd);
}

bool
file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

bool
dir_make(const char *path, mode_t mode, GError **err)
{
    if (g_mkdir_with_parents(path, mode) < 0)
        return fail_errno(err, "create folder", path);
    return true;
}

bool
dir_sync(const char *path, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail_errno(err, "open folder", path);
    /* EINVAL: a file system that cannot sync folders keeps no promise about them either. */
    if (fsync(fd) < 0 && errno != EINVAL)
        return fail_errno(err, "sync folder", path);
    return true;
}

bool
dir_sync_parent(const char *path, GError **err)
{
    g_autofree char *dir = g_path_get_dirname(path);

    return dir_sync(dir, err);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **
dir_list(const char *path, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir && errno != ENOENT)
        return fail_null_errno(err, "read folder", path);
    while (dir && (entry = readdir(dir))) {
        if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    }
    if (dir)
        closedir(dir);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

void
dir_sweep_tmp(const char *path)
{
    g_auto(GStrv) names = dir_list(path, NULL);

    for (char **name = names; name && *name; name++) {
        g_autofree char *full = g_build_filename(path, *name, NULL);
        if (**name == '.' && g_str_has_suffix(*name, ".tmp"))
            unlink(full);
    }
}

bool
name_is_component(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    return len > 0 && len <= NAME_MAX && !strchr(name, '/') && !g_str_equal(name, ".") &&
           !g_str_equal(name, "..");
}
