/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt-admin.so.0 needs of libvirt.so.0's inside, beside the runtime of the stubs. */
#pragma once

#include "client/object.h"
#include "client/stub_runtime.h"

virAdmConnectPtr client_open_admin(const char *uri, unsigned int flags);
int client_conn_is_alive(ClientConn *conn);
const char *client_conn_uri(ClientConn *conn);
/* 0, or -1 with the error raised in @function's name. */
int client_set_close_callback(ClientConn *conn, virConnectCloseFunc func, void *data,
                              virFreeCallback free_func, const char *function);
int client_unset_close_callback(ClientConn *conn, virConnectCloseFunc func, const char *function);
