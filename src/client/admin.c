/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt-admin.so.0: what is not a plain call. Connections, objects and their members; open.c in libvirt.so.0 connects. */
#define ERROR_DOMAIN VIR_FROM_ADMIN

#include "base/error.h"
#include "client/admin_private.h"

int
virAdmInitialize(void)
{
    return virInitialize();
}

int
virAdmGetVersion(unsigned long long *libVer)
{
    if (!libVer)
        return -1;
    *libVer = LIBVIR_VERSION_NUMBER;
    return 0;
}

virAdmConnectPtr
virAdmConnectOpen(const char *name, unsigned int flags)
{
    return client_open_admin(name, flags);
}

int
virAdmConnectClose(virAdmConnectPtr conn)
{
    if (!client_enter_adm_connect(conn, __func__))
        return -1;
    return client_object_unref(conn) ? 1 : 0;
}

int
virAdmConnectRef(virAdmConnectPtr conn)
{
    if (!client_enter_adm_connect(conn, __func__))
        return -1;
    client_object_ref(conn);
    return 0;
}

int
virAdmConnectIsAlive(virAdmConnectPtr public)
{
    ClientConn *conn = client_enter_adm_connect(public, __func__);

    return conn ? client_conn_is_alive(conn) : -1;
}

char *
virAdmConnectGetURI(virAdmConnectPtr public)
{
    ClientConn *conn = client_enter_adm_connect(public, __func__);

    return conn ? g_strdup(client_conn_uri(conn)) : NULL;
}

int
virAdmConnectRegisterCloseCallback(virAdmConnectPtr public, virAdmConnectCloseFunc cb, void *opaque,
                                   virFreeCallback freecb)
{
    ClientConn *conn = client_enter_adm_connect(public, __func__);

    return conn ? client_set_close_callback(conn, (virConnectCloseFunc)cb, opaque, freecb, __func__)
                : -1;
}

int
virAdmConnectUnregisterCloseCallback(virAdmConnectPtr public, virAdmConnectCloseFunc cb)
{
    ClientConn *conn = client_enter_adm_connect(public, __func__);

    return conn ? client_unset_close_callback(conn, (virConnectCloseFunc)cb, __func__) : -1;
}

/* The procedure that ends a daemon is newer than the tables this project has. */
int
virAdmConnectDaemonShutdown(virAdmConnectPtr public, unsigned int flags)
{
    ClientConn *conn = client_enter_adm_connect(public, __func__);
    g_autoptr(GError) err = NULL;

    if (!conn)
        return -1;
    fail(&err, VIR_ERR_NO_SUPPORT, "virAdmConnectDaemonShutdown");
    return client_fail_int(conn, err);
}

const char *
virAdmServerGetName(virAdmServerPtr server)
{
    return client_enter_server(server, __func__) ? ((ClientObject *)server)->name : NULL;
}

int
virAdmServerFree(virAdmServerPtr server)
{
    if (!client_enter_server(server, __func__))
        return -1;
    client_object_unref(server);
    return 0;
}

unsigned long long
virAdmClientGetID(virAdmClientPtr client)
{
    return client_enter_client(client, __func__) ? ((ClientObject *)client)->number
                                                 : (unsigned long long)-1;
}

long long
virAdmClientGetTimestamp(virAdmClientPtr client)
{
    return client_enter_client(client, __func__) ? ((ClientObject *)client)->timestamp : -1;
}

int
virAdmClientGetTransport(virAdmClientPtr client)
{
    return client_enter_client(client, __func__) ? ((ClientObject *)client)->id : -1;
}

int
virAdmClientFree(virAdmClientPtr client)
{
    if (!client_enter_client(client, __func__))
        return -1;
    client_object_unref(client);
    return 0;
}
