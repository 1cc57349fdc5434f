/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See call.h. The lock of a connection guards its list of close hooks, which strands of different guests change. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "object/call.h"

#include "base/error.h"
#include "base/fd.h"
#include "object/driver.h"

typedef struct {
    const void *key;
    ConnCloseFunc func;
    void *data;
    GDestroyNotify free_func;
} CloseHook;

static void
close_hook_free(CloseHook *hook)
{
    if (hook->free_func)
        hook->free_func(hook->data);
    g_free(hook);
}

DriverConn *
conn_new(Driver *driver, const char *uri, bool is_read_only)
{
    DriverConn *conn = g_new0(DriverConn, 1);

    g_atomic_ref_count_init(&conn->refs);
    conn->driver = driver;
    conn->uri = g_strdup(uri);
    conn->is_read_only = is_read_only;
    g_mutex_init(&conn->lock);
    conn->close_hooks = g_ptr_array_new_with_free_func((GDestroyNotify)close_hook_free);
    return conn;
}

DriverConn *
conn_ref(DriverConn *conn)
{
    g_atomic_ref_count_inc(&conn->refs);
    return conn;
}

void
conn_unref(DriverConn *conn)
{
    if (!conn || !g_atomic_ref_count_dec(&conn->refs))
        return;
    if (conn->free_backend_data)
        conn->free_backend_data(conn->backend_data);
    g_ptr_array_unref(conn->close_hooks);
    g_mutex_clear(&conn->lock);
    g_free(conn->uri);
    g_free(conn);
}

/* With the lock held: the place of a key, or -1. */
static int
close_hook_find(DriverConn *conn, const void *key)
{
    for (guint i = 0; i < conn->close_hooks->len; i++) {
        const CloseHook *hook = conn->close_hooks->pdata[i];

        if (hook->key == key)
            return (int)i;
    }
    return -1;
}

/* Take the hook of @key out of the list; NULL: there is none. */
static CloseHook *
close_hook_take(DriverConn *conn, const void *key)
{
    CloseHook *hook = NULL;
    int place;

    g_mutex_lock(&conn->lock);
    place = close_hook_find(conn, key);
    if (place >= 0)
        hook = g_ptr_array_steal_index(conn->close_hooks, (guint)place);
    g_mutex_unlock(&conn->lock);
    return hook;
}

void
conn_add_close_hook(DriverConn *conn, const void *key, ConnCloseFunc func, void *data,
                    GDestroyNotify free_func)
{
    CloseHook *hook = g_new(CloseHook, 1);

    *hook = (CloseHook){key, func, data, free_func};
    conn_remove_close_hook(conn, key);
    g_mutex_lock(&conn->lock);
    g_ptr_array_add(conn->close_hooks, hook);
    g_mutex_unlock(&conn->lock);
}

bool
conn_remove_close_hook(DriverConn *conn, const void *key)
{
    CloseHook *hook = close_hook_take(conn, key);

    if (!hook)
        return false;
    close_hook_free(hook);
    return true;
}

bool
conn_has_close_hook(DriverConn *conn, const void *key)
{
    bool has_hook;

    g_mutex_lock(&conn->lock);
    has_hook = close_hook_find(conn, key) >= 0;
    g_mutex_unlock(&conn->lock);
    return has_hook;
}

void
conn_run_close(DriverConn *conn)
{
    while (true) {
        CloseHook *hook = NULL;

        g_mutex_lock(&conn->lock);
        if (conn->close_hooks->len > 0)
            hook = g_ptr_array_steal_index(conn->close_hooks, 0);
        g_mutex_unlock(&conn->lock);
        if (!hook)
            break;
        hook->func(conn, hook->data);
        close_hook_free(hook);
    }
    if (conn->driver->close)
        conn->driver->close(conn->driver, conn);
}

void
conn_say_closed(DriverConn *conn, int reason)
{
    if (conn->close_connection)
        conn->close_connection(conn, reason, conn->backend_data);
}

void
call_defer(Call *call)
{
    call->is_deferred = true;
}

void
call_finish(Call *call, GError *take_error)
{
    call->backend->finish(call, take_error);
}

bool
call_set_stream_fd(Call *call, int take_fd, CallStreamFlags flags, CallStreamDone done, void *data,
                   GError **err)
{
    auto_fd int fd = take_fd;

    if (!(call->proc->flags & (API_STREAM_IN | API_STREAM_OUT)))
        return fail(err, VIR_ERR_INTERNAL_ERROR, "%s opens no stream", call->proc->function);
    return call->backend->set_stream(call, fd_steal(&fd), flags, done, data, err);
}

int
call_take_fd(Call *call, guint index, GError **err)
{
    int fd = -1;

    if (index < call->fds_in->len) {
        fd = g_array_index(call->fds_in, int, index);
        g_array_index(call->fds_in, int, index) = -1;
    }
    if (fd < 0)
        fail(err, VIR_ERR_INVALID_ARG, "%s: descriptor %u is missing, %u came with the call",
             call->proc->function, index, call->fds_in->len);
    return fd;
}
