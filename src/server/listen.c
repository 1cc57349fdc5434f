/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See listen.h. systemd's protocols are small: three variables for inherited sockets, one datagram for notices. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "server/listen.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#define FIRST_INHERITED_FD 3

static bool
fill_address(const char *path, struct sockaddr_un *address, socklen_t *len)
{
    const size_t path_len = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path_len == 0 || path_len >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, path_len);
    if (*path == '@')
        address->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len);
    return true;
}

int
listen_unix(const char *path, mode_t mode, gid_t group, guint backlog, GError **err)
{
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    socklen_t len;
    mode_t mask;
    int bound;

    if (!fill_address(path, &address, &len)) {
        fail(err, VIR_ERR_INVALID_ARG,
             "socket path '%s' is longer than the %zu bytes that are possible", path,
             sizeof address.sun_path - 1);
        return -1;
    }
    if (fd < 0 || (unlink(path) < 0 && errno != ENOENT)) {
        fail_errno(err, "make socket", path);
        return -1;
    }
    /* Born with no right too many; the group comes first, then what it may do. */
    mask = umask(0777 & ~(group == (gid_t)-1 ? mode : 0600));
    bound = bind(fd, (struct sockaddr *)&address, len);
    umask(mask);
    if (bound < 0) {
        fail_errno(err, "bind socket", path);
        return -1;
    }
    if (group != (gid_t)-1 && (chown(path, (uid_t)-1, group) < 0 || chmod(path, mode) < 0)) {
        fail_errno(err, "give to its group socket", path);
        return -1;
    }
    if (listen(fd, (int)MIN(backlog, G_MAXINT)) < 0) {
        fail_errno(err, "listen on socket", path);
        return -1;
    }
    return fd_steal(&fd);
}

/* Which of our sockets is it? By systemd's name, else by the path it is bound to. */
static bool
find_kind(const char *name, int fd, ListenKind *kind, GError **err)
{
    struct sockaddr_un address = {0};
    socklen_t len = sizeof address;
    int listens = 0;
    socklen_t listens_len = sizeof listens;
    const char *shown = name && *name ? name : NULL;

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) < 0 ||
        address.sun_family != AF_UNIX || !listens)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "inherited socket %s is not a listening UNIX socket: disable its socket unit",
                    shown ? shown : "");
    if (!shown || g_str_equal(shown, "unknown"))
        shown = address.sun_path;
    if (strstr(shown, "-admin"))
        *kind = LISTEN_ADMIN;
    else if (strstr(shown, "-ro"))
        *kind = LISTEN_RO;
    else if (strstr(shown, "-tcp") || strstr(shown, "-tls"))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "inherited socket %s: this daemon serves UNIX sockets only", shown);
    else
        *kind = LISTEN_RW;
    return true;
}

bool
listen_inherited(int fds[LISTEN_KINDS], bool *has_any, GError **err)
{
    const char *pid_text = g_getenv("LISTEN_PID"), *count_text = g_getenv("LISTEN_FDS");
    g_auto(GStrv) names =
        g_strsplit(g_getenv("LISTEN_FDNAMES") ? g_getenv("LISTEN_FDNAMES") : "", ":", -1);
    guint n_names = g_strv_length(names);
    long long pid = 0;
    unsigned int count = 0;

    for (int kind = 0; kind < LISTEN_KINDS; kind++)
        fds[kind] = -1;
    *has_any = false;
    if (!pid_text || !count_text || !text_to_llong(pid_text, 10, &pid) || pid != getpid() ||
        !text_to_uint(count_text, 10, &count) || count > 64)
        return true;
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    for (unsigned int i = 0; i < count; i++) {
        const int fd = FIRST_INHERITED_FD + (int)i;
        ListenKind kind = LISTEN_RW;

        fd_set_cloexec(fd, true);
        if (!find_kind(i < n_names ? names[i] : NULL, fd, &kind, err))
            return false;
        if (fds[kind] >= 0)
            return fail(err, VIR_ERR_INVALID_ARG,
                        "two inherited sockets are for the same purpose (%s)",
                        i < n_names ? names[i] : "?");
        fd_set_nonblocking(fd, true);
        fds[kind] = fd;
        *has_any = true;
    }
    return true;
}

void
listen_notify(const char *state)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    auto_fd int fd = -1;
    struct sockaddr_un address;
    socklen_t len;

    if (!path || (*path != '/' && *path != '@') || !fill_address(path, &address, &len))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                         len) != (ssize_t)strlen(state))
        log_warning(LOG_SERVER, "cannot tell the service manager %s: %s", state, g_strerror(errno));
}
