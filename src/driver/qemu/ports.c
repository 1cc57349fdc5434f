/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ports.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"

struct PortPool {
    char *what;
    int first, last;
    GMutex mutex; /* starts of different guests ask at the same time */
    GHashTable *taken;
};

PortPool *
port_pool_new(const char *what, int first, int last)
{
    PortPool *pool = g_new0(PortPool, 1);

    pool->what = g_strdup(what);
    pool->first = first;
    pool->last = last;
    g_mutex_init(&pool->mutex);
    pool->taken = g_hash_table_new(NULL, NULL);
    return pool;
}

void
port_pool_free(PortPool *pool)
{
    if (!pool)
        return;
    g_hash_table_unref(pool->taken);
    g_mutex_clear(&pool->mutex);
    g_free(pool->what);
    g_free(pool);
}

static bool
can_bind(int family, int port)
{
    auto_fd int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    int one = 1;

    if (fd < 0)
        return family == AF_INET6; /* no IPv6 here: it is in nobody's way */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        ((struct sockaddr_in6 *)&address)->sin6_port = htons((guint16)port);
        return bind(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in6)) == 0 ||
               errno == EADDRNOTAVAIL;
    }
    ((struct sockaddr_in *)&address)->sin_port = htons((guint16)port);
    return bind(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)) == 0;
}

int
port_pool_acquire(PortPool *pool, GError **err)
{
    int found = 0;

    g_mutex_lock(&pool->mutex);
    for (int port = pool->first; port <= pool->last && !found; port++)
        if (!g_hash_table_contains(pool->taken, GINT_TO_POINTER(port)) && can_bind(AF_INET, port) &&
            can_bind(AF_INET6, port))
            found = port;
    if (found)
        g_hash_table_add(pool->taken, GINT_TO_POINTER(found));
    g_mutex_unlock(&pool->mutex);
    if (!found)
        fail(err, VIR_ERR_INTERNAL_ERROR, "Unable to find an unused port in range '%s' (%d-%d)",
             pool->what, pool->first, pool->last);
    return found;
}

void
port_pool_mark(PortPool *pool, int port)
{
    g_mutex_lock(&pool->mutex);
    g_hash_table_add(pool->taken, GINT_TO_POINTER(port));
    g_mutex_unlock(&pool->mutex);
}

void
port_pool_release(PortPool *pool, int port)
{
    g_mutex_lock(&pool->mutex);
    g_hash_table_remove(pool->taken, GINT_TO_POINTER(port));
    g_mutex_unlock(&pool->mutex);
}
