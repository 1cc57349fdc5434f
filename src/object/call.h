/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a driver sees of a call and of the connection that it came over.
 *
 * Over the wire or inside a process, a call arrives as the C structures of its arguments and result (gen/api-structs.h).
 * A driver that cannot answer within its slot defers the reply; one that opens a stream hands over a descriptor. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct ApiProc ApiProc;
typedef struct Driver Driver;
typedef struct DriverConn DriverConn;
typedef struct Call Call;

/* Who is at the other end. */
typedef struct {
    bool is_known; /* false: no credentials, such as over a TCP socket */
    uid_t uid;
    gid_t gid;
    pid_t pid;
} CallIdentity;

/* A connection to a driver, from connect_open to connect_close. Calls in flight hold a reference, so it lives as long as
 * any of them, also when the client is gone. */
struct DriverConn {
    gatomicrefcount refs;
    Driver *driver;
    void *driver_data; /* the driver's own; it is released in driver->close */
    char *uri;         /* as asked for, or the one that was found by probing */
    bool is_read_only;
    CallIdentity identity;
    GMutex lock;
    GPtrArray *close_hooks;
    void (*close_connection)(DriverConn *conn, int reason,
                             void *backend_data); /* see conn_say_closed */
    void *backend_data;
    GDestroyNotify free_backend_data;
};

DriverConn *conn_new(Driver *driver, const char *uri, bool is_read_only);
DriverConn *conn_ref(DriverConn *conn);
void conn_unref(DriverConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DriverConn, conn_unref)

/* Call @func(@conn, @data) when the connection has ended and its last call is answered (auto-destroy). It runs on a worker
 * and may wait. One hook for each @key, a pointer that identifies the object: a second one replaces the first. */
typedef void (*ConnCloseFunc)(DriverConn *conn, void *data);
void conn_add_close_hook(DriverConn *conn, const void *key, ConnCloseFunc func, void *data,
                         GDestroyNotify free_func);
/* False when there is no hook with that key (any more). The hook is not called. */
bool conn_remove_close_hook(DriverConn *conn, const void *key);
bool conn_has_close_hook(DriverConn *conn, const void *key);
/* For the side that ends connections: run all hooks, then driver->close. On a worker, once, after the last call. */
void conn_run_close(DriverConn *conn);
/* The hypervisor behind the connection went away (virConnectCloseReason): tell the client's close callback. */
void conn_say_closed(DriverConn *conn, int reason);

typedef enum {
    CALL_STREAM_SPARSE = 1 << 0, /* holes travel as holes; regular files only */
} CallStreamFlags;

/* The stream has ended. @is_aborted: by the client, by its end, or by an error that it was told. Runs on a worker and may
 * wait (a sync). False with @err: the client's finish fails with it. */
typedef bool (*CallStreamDone)(void *data, bool is_aborted, GError **err);

/* How the carrier of calls (the daemon's dispatcher, an in-process connection) serves them. */
typedef struct {
    void (*finish)(Call *call, GError *take_error);
    bool (*set_stream)(Call *call, int take_fd, CallStreamFlags flags, CallStreamDone done,
                       void *data, GError **err);
} CallBackend;

struct Call {
    DriverConn *conn;
    Driver *driver; /* whose slot answers: conn->driver, or a service driver */
    const ApiProc *proc;
    const void *args; /* Api...Args of the procedure; NULL when it has none */
    void *
        ret; /* zeroed Api...Ret, filled by the driver with g_malloc'ed memory; NULL when it has none */
    GArray *
        fds_in; /* of int: descriptors that came with the call; take one by overwriting it with -1. Never NULL */
    GArray *
        fds_out; /* of int: descriptors to send with the reply; append and they are taken. Never NULL */
    guint64
        stream_bytes_max; /* set before call_set_stream_fd: no more of a regular file passes; 0: no limit */
    bool is_deferred;
    const CallBackend *backend;
};

/* The reply comes later: after this the slot returns true, and @call with its args and ret stays valid until call_finish,
 * which must come exactly once, from any thread, and may come before the slot returns. */
void call_defer(Call *call);
/* Answer a deferred call: with @take_error, or with call->ret when that is NULL. @call is gone after this. */
void call_finish(Call *call, GError *take_error);

/* For stream procedures: move bytes between @take_fd and the client, both ways as the descriptor's mode allows, once the
 * call has succeeded. The descriptor is made non-blocking where it can be; a regular file is read and written on workers.
 * Exactly one of: @done is called once, or this returns false (the descriptor is closed, @done is not called). */
bool call_set_stream_fd(Call *call, int take_fd, CallStreamFlags flags, CallStreamDone done,
                        void *data, GError **err);
/* Take the @index-th descriptor that came with the call; -1 with @err when there is none. */
int call_take_fd(Call *call, guint index, GError **err);
