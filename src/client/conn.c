/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See conn.h: life and error state of a connection. */
#include "client/conn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "gen/api-procs.h"

ClientConn *
client_conn_new(ClientKind kind)
{
    ClientConn *conn = g_new0(ClientConn, 1);

    client_object_init(&conn->object, kind);
    g_mutex_init(&conn->lock);
    conn->subscriptions = client_subscriptions_new();
    return conn;
}

void
client_conn_end(ClientConn *conn)
{
    bool is_admin = conn->object.magic == client_kind_magic(KIND_ADM_CONNECT);

    if (conn->link && link_is_alive(conn->link)) {
        const ApiProc *proc =
            is_admin ? API_PROC(ADMIN_CONNECT_CLOSE) : API_PROC(REMOTE_CONNECT_CLOSE);
        link_set_owner(conn->link, NULL);
        link_post_last(conn->link,
                       wire_message_new(proc->program, 1, proc->number, WIRE_CALL, 0, WIRE_OK));
    }
    client_conn_free(conn);
}

/* It ends by itself when its input does; one that does not is asked to. */
static void
end_carrier(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

void
client_conn_free(ClientConn *conn)
{
    if (conn->link) {
        link_close(conn->link);
        link_unref(conn->link);
    }
    end_carrier(conn->carrier);
    client_subscriptions_free(conn->subscriptions);
    if (conn->close_free)
        conn->close_free(conn->close_data);
    virResetError(&conn->error);
    g_mutex_clear(&conn->lock);
    g_free(conn->uri);
    g_free(conn->type);
    g_free(conn);
}

void
client_conn_get_error_func(virConnectPtr public, virErrorFunc *func, void **data)
{
    ClientConn *conn = client_conn_of(public);

    g_mutex_lock(&conn->lock);
    *func = conn->error_func;
    *data = conn->error_data;
    g_mutex_unlock(&conn->lock);
}

void
client_conn_set_error_func(virConnectPtr public, virErrorFunc func, void *data)
{
    ClientConn *conn = client_conn_of(public);

    g_mutex_lock(&conn->lock);
    conn->error_func = func;
    conn->error_data = data;
    g_mutex_unlock(&conn->lock);
}

void
client_conn_set_error(virConnectPtr public, const virError *error)
{
    ClientConn *conn = client_conn_of(public);

    g_mutex_lock(&conn->lock);
    virResetError(&conn->error);
    if (error) {
        conn->error = *error;
        conn->error.message = g_strdup(error->message);
        conn->error.str1 = g_strdup(error->str1);
        conn->error.str2 = g_strdup(error->str2);
        conn->error.str3 = g_strdup(error->str3);
    }
    g_mutex_unlock(&conn->lock);
}

virErrorPtr
client_conn_peek_error(virConnectPtr public)
{
    ClientConn *conn = client_conn_of(public);

    return conn->error.code != VIR_ERR_OK ? &conn->error : NULL;
}
