/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See store.h. The forms written here are upstream's, so that a host can change between the two daemons and back. */
#define ERROR_DOMAIN VIR_FROM_CONF

#include "object/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#define FILE_BYTES_MAX (16 * 1024 * 1024)
#define SUFFIX ".xml"

struct Store {
    char *dir, *autostart_dir, *edit_command;
};

Store *
store_new(const char *dir, const char *autostart_dir, const char *edit_command, GError **err)
{
    g_autoptr(Store) store = g_new0(Store, 1);

    store->dir = g_strdup(dir);
    store->autostart_dir = g_strdup(autostart_dir);
    store->edit_command = g_strdup(edit_command);
    if (!dir_make(dir, 0755, err) || (autostart_dir && !dir_make(autostart_dir, 0755, err)))
        return NULL;
    dir_sweep_tmp(dir);
    return g_steal_pointer(&store);
}

void
store_free(Store *store)
{
    if (!store)
        return;
    g_free(store->dir);
    g_free(store->autostart_dir);
    g_free(store->edit_command);
    g_free(store);
}

char *
store_path(const Store *store, const char *name)
{
    return g_strconcat(store->dir, "/", name, SUFFIX, NULL);
}

static char *
store_link_path(const Store *store, const char *name)
{
    return g_strconcat(store->autostart_dir, "/", name, SUFFIX, NULL);
}

bool
store_check_name(const Store *store, const char *name, GError **err)
{
    g_autofree char *file_name = g_strconcat(name, SUFFIX, NULL);

    if (!*name)
        return fail(err, VIR_ERR_XML_ERROR, "the name is empty");
    if (strchr(name, '/'))
        return fail(err, VIR_ERR_XML_ERROR, "name %s cannot contain '/'", name);
    if (strchr(name, '\n'))
        return fail(err, VIR_ERR_XML_ERROR, "name '%s' cannot contain a line break", name);
    if (!name_is_component(file_name))
        return fail(err, VIR_ERR_XML_ERROR, "name '%s' is too long for a file: at most %d bytes",
                    name, 255 - (int)strlen(SUFFIX));
    return true;
}

/* Would @argument have to be quoted in a shell, or end the comment? */
static bool
argument_is_odd(const char *argument)
{
    return strpbrk(argument, " \t\r\n!\"#$&'()*;<>?[\\]^`{|}~") || strstr(argument, "--");
}

char *
store_comment(const char *edit_command, const char *argument, const char *uuid_text)
{
    const char *shown = argument && uuid_text && argument_is_odd(argument) ? uuid_text : argument;

    return g_strdup_printf(
        "<!--\n"
        "WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
        "  virsh %s%s%s\n"
        "or other application using the libvirt API.\n"
        "-->\n\n",
        edit_command, shown ? " " : "", shown ? shown : "");
}

bool
store_save(Store *store, const char *name, const char *argument, const char *uuid_text,
           const char *xml, GError **err)
{
    g_autofree char *path = store_path(store, name);
    g_autofree char *comment =
        store->edit_command ? store_comment(store->edit_command, argument, uuid_text) : NULL;
    g_autofree char *text =
        g_strconcat(comment ? comment : "", xml, g_str_has_suffix(xml, "\n") ? "" : "\n", NULL);

    return store_check_name(store, name, err) &&
           file_write_atomic(path, text, strlen(text), 0600, err);
}

bool
store_remove(Store *store, const char *name, GError **err)
{
    g_autofree char *path = store_path(store, name);

    if (!store_check_name(store, name, err))
        return false;
    if (store->autostart_dir && !store_set_autostart(store, name, false, err))
        return false;
    return file_remove(path, err);
}

bool
store_get_autostart(const Store *store, const char *name)
{
    g_autofree char *path = store_path(store, name);
    g_autofree char *link_path = NULL;
    struct stat config, target;

    if (!store->autostart_dir)
        return false;
    link_path = store_link_path(store, name);
    return stat(path, &config) == 0 && stat(link_path, &target) == 0 &&
           config.st_dev == target.st_dev && config.st_ino == target.st_ino;
}

bool
store_set_autostart(Store *store, const char *name, bool autostart, GError **err)
{
    g_autofree char *path = store_path(store, name);
    g_autofree char *link_path = NULL;

    g_return_val_if_fail(store->autostart_dir, false);
    link_path = store_link_path(store, name);
    if (!store_check_name(store, name, err))
        return false;
    if (!autostart)
        return file_remove(link_path, err);
    if (store_get_autostart(store, name))
        return true;
    if (!file_remove(link_path, err))
        return false;
    if (symlink(path, link_path) < 0)
        return fail_errno(err, "make the autostart link", link_path);
    return dir_sync_parent(link_path, err);
}

/* One file for @func; whatever is wrong with it is logged, and the file stays as it is. */
static void
store_load_file(Store *store, const char *stem, StoreLoadFunc func, void *opaque)
{
    g_autofree char *path = store_path(store, stem);
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;
    gsize len = 0;

    xml = file_read(path, FILE_BYTES_MAX, &len, &error);
    if (xml && func(path, stem, xml, len, store_get_autostart(store, stem), opaque, &error))
        return;
    log_error(LOG_OBJECT, "%s: not loaded, and left as it is: %s", path,
              error ? error->message : "unknown reason");
}

char **
store_list(const Store *store, GError **err)
{
    g_auto(GStrv) names = dir_list(store->dir, err);
    GPtrArray *stems;

    if (!names)
        return NULL;
    stems = g_ptr_array_new();
    for (char **name = names; *name; name++) {
        if (**name != '.' && g_str_has_suffix(*name, SUFFIX) && strlen(*name) > strlen(SUFFIX))
            g_ptr_array_add(stems, g_strndup(*name, strlen(*name) - strlen(SUFFIX)));
    }
    g_ptr_array_add(stems, NULL);
    return (char **)g_ptr_array_free(stems, FALSE);
}

bool
store_load(Store *store, StoreLoadFunc func, void *opaque, GError **err)
{
    g_auto(GStrv) stems = store_list(store, err);

    for (char **stem = stems; stem && *stem; stem++)
        store_load_file(store, *stem, func, opaque);
    return stems != NULL;
}

/* Does the name still lead to the file that @fd has open? Whoever ends removes it. */
static bool
pid_file_is_same(int fd, const char *path)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

int
store_lock_pid_file(const char *path, GError **err)
{
    auto_fd int fd = -1;
    g_autofree char *pid = g_strdup_printf("%lld", (long long)getpid());
    struct flock lock;

    do {
        fd_close(&fd);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0) {
            fail_errno(err, "open", path);
            return -1;
        }
        lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
        if (fcntl(fd, F_SETLK, &lock) < 0) {
            pid_t other = fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_pid : 0;

            fail(err, VIR_ERR_OPERATION_FAILED,
                 "%s is locked by process %lld: it must end before this one can start", path,
                 (long long)other);
            return -1;
        }
    } while (!pid_file_is_same(fd, path));
    if (ftruncate(fd, 0) < 0 || !fd_write_all(fd, pid, strlen(pid))) {
        fail_errno(err, "write", path);
        return -1;
    }
    return fd_steal(&fd);
}

bool
store_is_autostarted(const char *state_dir)
{
    g_autofree char *path = g_strconcat(state_dir, "/autostarted", NULL);

    return file_exists(path);
}

bool
store_mark_autostarted(const char *state_dir, GError **err)
{
    g_autofree char *path = g_strconcat(state_dir, "/autostarted", NULL);

    return file_write_atomic(path, "", 0, 0600, err);
}
