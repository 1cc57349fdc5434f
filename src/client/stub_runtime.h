/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the generated public functions (gen/client-stubs-*.c) stand on.
 *
 * Every stub has the same shape: client_enter_X (checks the object), client_writable when the call changes something,
 * client_need_X for each argument, fill the argument structure, client_call, convert the result. Whatever fails sets a
 * GError, and client_fail makes it the public last error. stub_runtime.c does objects, calls and errors,
 * stub_convert.c moves data between wire structures and what callers get. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include <libvirt/libvirt-admin.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "gen/api-procs.h"
#include "gen/api-structs.h"

/* What is behind a virConnectPtr or a virAdmConnectPtr: the two are the same structure inside. */
typedef struct ClientConn ClientConn;

/* -- entering and leaving a public function ------------------------------------------------------ */

/* Forget the thread's last error, then check the object. Valid: its connection, borrowed. Not valid (NULL, or not a
 * living object of that kind): the error "invalid X pointer in FUNCTION" is raised and NULL returned. */
ClientConn *client_enter_connect(virConnectPtr conn, const char *function);
ClientConn *client_enter_domain(virDomainPtr domain, const char *function);
ClientConn *client_enter_snapshot(virDomainSnapshotPtr snapshot, const char *function);
ClientConn *client_enter_checkpoint(virDomainCheckpointPtr checkpoint, const char *function);
ClientConn *client_enter_network(virNetworkPtr network, const char *function);
ClientConn *client_enter_port(virNetworkPortPtr port, const char *function);
ClientConn *client_enter_interface(virInterfacePtr iface, const char *function);
ClientConn *client_enter_pool(virStoragePoolPtr pool, const char *function);
ClientConn *client_enter_volume(virStorageVolPtr volume, const char *function);
ClientConn *client_enter_nodedev(virNodeDevicePtr device, const char *function);
ClientConn *client_enter_nwfilter(virNWFilterPtr filter, const char *function);
ClientConn *client_enter_binding(virNWFilterBindingPtr binding, const char *function);
ClientConn *client_enter_secret(virSecretPtr secret, const char *function);
ClientConn *client_enter_stream(virStreamPtr stream, const char *function);
ClientConn *client_enter_adm_connect(virAdmConnectPtr conn, const char *function);
ClientConn *client_enter_server(virAdmServerPtr server, const char *function);
ClientConn *client_enter_client(virAdmClientPtr client, const char *function);
/* For a NULL-terminated list: that of its first entry. An empty or absent list is VIR_ERR_INVALID_ARG. */
ClientConn *client_enter_domains(virDomainPtr *domains, const char *function);

/* The same checks for an object that is not the first parameter; they set @err and do not reset the last error. An object
 * of another connection fails with VIR_ERR_INVALID_ARG. */
bool client_need_domain(ClientConn *conn, virDomainPtr domain, const char *function, GError **err);
bool client_need_volume(ClientConn *conn, virStorageVolPtr volume, const char *function,
                        GError **err);
bool client_need_stream(ClientConn *conn, virStreamPtr stream, const char *function, GError **err);

/* VIR_ERR_OPERATION_DENIED, "read only access prevents FUNCTION". */
bool client_writable(ClientConn *conn, const char *function, GError **err);

/* Make @err (borrowed) the thread's last error and, when @conn is not NULL, the connection's; call the error handler. */
void client_fail(ClientConn *conn, const GError *err);

static inline int
client_fail_int(ClientConn *conn, const GError *err)
{
    client_fail(conn, err);
    return -1;
}

static inline void *
client_fail_null(ClientConn *conn, const GError *err)
{
    client_fail(conn, err);
    return NULL;
}

static inline int
client_fail_zero(ClientConn *conn, const GError *err)
{
    client_fail(conn, err);
    return 0;
}

/* -- checks of arguments: VIR_ERR_INVALID_ARG ----------------------------------------------------- */

/* "NAME in FUNCTION must RULE"; always false */
bool client_fail_argument(GError **err, const char *name, const char *function, const char *rule);
/* "NAME in FUNCTION must not be NULL" */
bool client_need(const void *value, const char *name, const char *function, GError **err);
/* "NAME in FUNCTION must be zero or greater" */
bool client_need_nonnegative(long long value, const char *name, const char *function, GError **err);
/* "NAME in FUNCTION must be greater than zero" */
bool client_need_positive(long long value, const char *name, const char *function, GError **err);
/* "NAME in FUNCTION must not be NULL" unless @count is 0. */
bool client_need_array(const void *items, unsigned long long count, const char *name,
                       const char *function, GError **err);

/* -- calls ---------------------------------------------------------------------------------------- */

/* Send @args, wait, decode into @ret, which need not be zeroed and is the caller's to codec_free. Both are NULL when the
 * procedure has none. Calls that @args make a write are refused on read-only connections (api_needs_write). */
bool client_call(ClientConn *conn, const ApiProc *proc, const void *args, void *ret, GError **err);
/* The same, and @stream becomes the open stream of the call. */
bool client_call_stream(ClientConn *conn, const ApiProc *proc, const void *args, void *ret,
                        virStreamPtr stream, GError **err);
/* The same with descriptors: @fds_in are borrowed; with @fds_out the array (g_malloc) of received ones is the caller's. */
bool client_call_fds(ClientConn *conn, const ApiProc *proc, const void *args, void *ret,
                     const int *fds_in, gsize n_fds_in, int **fds_out, gsize *n_fds_out,
                     GError **err);
/* VIR_TYPED_PARAM_STRING_OKAY when the other side knows strings among typed parameters (feature 9), else 0. */
guint32 client_string_flag(ClientConn *conn);

/* -- objects -------------------------------------------------------------------------------------- */

/* Strings in @wire are borrowed from the object. */
void client_domain_to_wire(virDomainPtr domain, RemoteNonnullDomain *wire);
void client_snapshot_to_wire(virDomainSnapshotPtr snapshot, RemoteNonnullDomainSnapshot *wire);
void client_checkpoint_to_wire(virDomainCheckpointPtr checkpoint,
                               RemoteNonnullDomainCheckpoint *wire);
void client_network_to_wire(virNetworkPtr network, RemoteNonnullNetwork *wire);
void client_port_to_wire(virNetworkPortPtr port, RemoteNonnullNetworkPort *wire);
void client_interface_to_wire(virInterfacePtr iface, RemoteNonnullInterface *wire);
void client_pool_to_wire(virStoragePoolPtr pool, RemoteNonnullStoragePool *wire);
void client_volume_to_wire(virStorageVolPtr volume, RemoteNonnullStorageVol *wire);
void client_nodedev_to_wire(virNodeDevicePtr device, RemoteNonnullNodeDevice *wire);
void client_nwfilter_to_wire(virNWFilterPtr filter, RemoteNonnullNwfilter *wire);
void client_binding_to_wire(virNWFilterBindingPtr binding, RemoteNonnullNwfilterBinding *wire);
void client_secret_to_wire(virSecretPtr secret, RemoteNonnullSecret *wire);
void client_server_to_wire(virAdmServerPtr server, AdminNonnullServer *wire);
void client_client_to_wire(virAdmClientPtr client, AdminNonnullClient *wire);

/* A new object with one reference; it holds one to the connection. @wire is only read. */
virDomainPtr client_domain_from_wire(ClientConn *conn, const RemoteNonnullDomain *wire);
virDomainSnapshotPtr client_snapshot_from_wire(ClientConn *conn,
                                               const RemoteNonnullDomainSnapshot *wire);
virDomainCheckpointPtr client_checkpoint_from_wire(ClientConn *conn,
                                                   const RemoteNonnullDomainCheckpoint *wire);
virNetworkPtr client_network_from_wire(ClientConn *conn, const RemoteNonnullNetwork *wire);
virNetworkPortPtr client_port_from_wire(ClientConn *conn, const RemoteNonnullNetworkPort *wire);
virInterfacePtr client_interface_from_wire(ClientConn *conn, const RemoteNonnullInterface *wire);
virStoragePoolPtr client_pool_from_wire(ClientConn *conn, const RemoteNonnullStoragePool *wire);
virStorageVolPtr client_volume_from_wire(ClientConn *conn, const RemoteNonnullStorageVol *wire);
virNodeDevicePtr client_nodedev_from_wire(ClientConn *conn, const RemoteNonnullNodeDevice *wire);
virNWFilterPtr client_nwfilter_from_wire(ClientConn *conn, const RemoteNonnullNwfilter *wire);
virNWFilterBindingPtr client_binding_from_wire(ClientConn *conn,
                                               const RemoteNonnullNwfilterBinding *wire);
virSecretPtr client_secret_from_wire(ClientConn *conn, const RemoteNonnullSecret *wire);
virAdmServerPtr client_server_from_wire(ClientConn *conn, const AdminNonnullServer *wire);
virAdmClientPtr client_client_from_wire(ClientConn *conn, const AdminNonnullClient *wire);

/* What a call changed about the caller's object. */
void client_domain_set_id(virDomainPtr domain, int id);
void client_domain_set_name(virDomainPtr domain, const char *name);
