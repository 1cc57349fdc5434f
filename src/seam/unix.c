/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See unix.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "seam/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Fill @address with a short name for @path; the returned folder descriptor must stay open while it is used. */
static int
open_folder(const char *path, struct sockaddr_un *address, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        fail_errno(err, "open", folder);
        return -1;
    }
    address->sun_family = AF_UNIX;
    if (strlen(path) < sizeof(address->sun_path)) {
        memcpy(address->sun_path, path, strlen(path) + 1);
    } else if ((gsize)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s",
                               fd, name) >= sizeof(address->sun_path)) {
        fd_close(&fd);
        fail(err, VIR_ERR_INTERNAL_ERROR, "socket name '%s' has more than %zu bytes", name,
             sizeof(address->sun_path) - 32);
    }
    return fd;
}

int
unix_listen(const char *path, mode_t mode, int backlog, GError **err)
{
    struct sockaddr_un address = {0};
    auto_fd int folder = open_folder(path, &address, err);
    auto_fd int fd =
        folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (folder < 0)
        return -1;
    if (fd < 0) {
        fail_errno(err, "create socket", path);
        return -1;
    }
    if ((unlink(path) < 0 && errno != ENOENT) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, mode) < 0 ||
        listen(fd, backlog) < 0) {
        fail_errno(err, "listen on", path);
        return -1;
    }
    return fd_steal(&fd);
}

int
unix_connect(const char *path, GError **err)
{
    struct sockaddr_un address = {0};
    auto_fd int folder = open_folder(path, &address, err);
    auto_fd int fd =
        folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (folder < 0)
        return -1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        fail_errno(err, "connect to", path);
        return -1;
    }
    return fd_steal(&fd);
}
