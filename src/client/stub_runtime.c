/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stub_runtime.h: entering public functions, calls over the link, objects to and from the wire. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "client/stub_runtime.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "client/conn.h"
#include "client/report.h"
#include "wire/codec.h"

/* ---- entering ---- */

static ClientConn *
enter(const void *object, ClientKind kind, const char *function)
{
    GError *err = NULL;

    client_reset_error();
    if (client_object_check(object, kind, function, &err))
        return client_conn_of(client_object_conn((void *)object));
    client_report(NULL, err);
    return NULL;
}

#define DEFINE_ENTER(name, Type, KIND)                                 \
    ClientConn *client_enter_##name(Type object, const char *function) \
    {                                                                  \
        return enter(object, KIND, function);                          \
    }

DEFINE_ENTER(connect, virConnectPtr, KIND_CONNECT)
DEFINE_ENTER(domain, virDomainPtr, KIND_DOMAIN)
DEFINE_ENTER(snapshot, virDomainSnapshotPtr, KIND_DOMAIN_SNAPSHOT)
DEFINE_ENTER(checkpoint, virDomainCheckpointPtr, KIND_DOMAIN_CHECKPOINT)
DEFINE_ENTER(network, virNetworkPtr, KIND_NETWORK)
DEFINE_ENTER(port, virNetworkPortPtr, KIND_NETWORK_PORT)
DEFINE_ENTER(interface, virInterfacePtr, KIND_INTERFACE)
DEFINE_ENTER(pool, virStoragePoolPtr, KIND_STORAGE_POOL)
DEFINE_ENTER(volume, virStorageVolPtr, KIND_STORAGE_VOL)
DEFINE_ENTER(nodedev, virNodeDevicePtr, KIND_NODE_DEVICE)
DEFINE_ENTER(nwfilter, virNWFilterPtr, KIND_NWFILTER)
DEFINE_ENTER(binding, virNWFilterBindingPtr, KIND_NWFILTER_BINDING)
DEFINE_ENTER(secret, virSecretPtr, KIND_SECRET)
DEFINE_ENTER(stream, virStreamPtr, KIND_STREAM)
DEFINE_ENTER(adm_connect, virAdmConnectPtr, KIND_ADM_CONNECT)
DEFINE_ENTER(server, virAdmServerPtr, KIND_ADM_SERVER)
DEFINE_ENTER(client, virAdmClientPtr, KIND_ADM_CLIENT)

ClientConn *
client_enter_domains(virDomainPtr *domains, const char *function)
{
    GError *err = NULL;

    client_reset_error();
    if (!client_need(domains, "doms", function, &err)) {
        client_report(NULL, err);
        return NULL;
    }
    if (!*domains) {
        fail(&err, VIR_ERR_INVALID_ARG, "doms array in %s must contain at least one domain",
             function);
        client_report(NULL, err);
        return NULL;
    }
    return enter(*domains, KIND_DOMAIN, function);
}

static bool
need_object(ClientConn *conn, void *object, ClientKind kind, const char *function, GError **err)
{
    if (!client_object_check(object, kind, function, err))
        return false;
    if (client_conn_of(client_object_conn(object)) != conn)
        return fail(err, VIR_ERR_INVALID_ARG, "objects of two connections were given to %s",
                    function);
    return true;
}

bool
client_need_domain(ClientConn *conn, virDomainPtr domain, const char *function, GError **err)
{
    return need_object(conn, domain, KIND_DOMAIN, function, err);
}

bool
client_need_volume(ClientConn *conn, virStorageVolPtr volume, const char *function, GError **err)
{
    return need_object(conn, volume, KIND_STORAGE_VOL, function, err);
}

bool
client_need_stream(ClientConn *conn, virStreamPtr stream, const char *function, GError **err)
{
    return need_object(conn, stream, KIND_STREAM, function, err);
}

/* The VIR_FROM_* that a public function's own complaints belong to: the first word of the table in its name. */
static int
function_domain(const char *function)
{
    static const struct {
        const char *word;
        int domain;
    } table[] = {
        {"virAdm", VIR_FROM_ADMIN},
        {"virStream", VIR_FROM_STREAMS},
        {"Snapshot", VIR_FROM_DOMAIN_SNAPSHOT},
        {"Checkpoint", VIR_FROM_DOMAIN_CHECKPOINT},
        {"virDomain", VIR_FROM_DOMAIN},
        {"NWFilter", VIR_FROM_NWFILTER},
        {"NodeDevice", VIR_FROM_NODEDEV},
        {"virNodeNumOfDevices", VIR_FROM_NODEDEV},
        {"virNodeListDevices", VIR_FROM_NODEDEV},
        {"Storage", VIR_FROM_STORAGE},
        {"Secret", VIR_FROM_SECRET},
        {"Network", VIR_FROM_NETWORK},
        {"Interface", VIR_FROM_INTERFACE},
        {"virConnect", VIR_FROM_DOMAIN},
        {"virNode", VIR_FROM_DOMAIN},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        if (strstr(function, table[i].word))
            return table[i].domain;
    }
    return VIR_FROM_NONE;
}

bool
client_fail_argument(GError **err, const char *name, const char *function, const char *rule)
{
    g_autofree char *message = g_strdup_printf("%s in %s must %s", name, function, rule);
    GError *error =
        error_new_literal(function_domain(function), VIR_ERR_INVALID_ARG, VIR_ERR_ERROR, message);
    ErrorDetail *detail = error_detail_edit(error);

    detail->str1 = g_strdup(function);
    detail->str2 = g_strdup(name);
    detail->int1 = detail->int2 = 0;
    g_propagate_error(err, error);
    return false;
}

bool
client_writable(ClientConn *conn, const char *function, GError **err)
{
    return !conn->is_read_only ||
           error_set(err, function_domain(function), VIR_ERR_OPERATION_DENIED,
                     "read only access prevents %s", function);
}

void
client_fail(ClientConn *conn, const GError *err)
{
    client_report(conn && conn->object.magic == client_kind_magic(KIND_CONNECT)
                      ? client_conn_public(conn)
                      : NULL,
                  err ? g_error_copy(err) : NULL);
}

/* ---- arguments ---- */

bool
client_need(const void *value, const char *name, const char *function, GError **err)
{
    return value || client_fail_argument(err, name, function, "not be NULL");
}

bool
client_need_nonnegative(long long value, const char *name, const char *function, GError **err)
{
    return value >= 0 || client_fail_argument(err, name, function, "be zero or greater");
}

bool
client_need_positive(long long value, const char *name, const char *function, GError **err)
{
    return value > 0 || client_fail_argument(err, name, function, "be greater than zero");
}

bool
client_need_array(const void *items, unsigned long long count, const char *name,
                  const char *function, GError **err)
{
    return count == 0 || client_need(items, name, function, err);
}

/* ---- calls ---- */

/* Old daemons answer calls that they do not know in a way of their own. */
static void
say_not_supported(GError **error, const ApiProc *proc)
{
    int domain = error_domain_of(*error);

    if (error_code(*error) != VIR_ERR_RPC ||
        (domain != VIR_FROM_RPC && domain != VIR_FROM_REMOTE) ||
        error_detail(*error)->level != VIR_ERR_ERROR ||
        !g_str_has_prefix((*error)->message, "unknown procedure"))
        return;
    g_clear_error(error);
    error_set(error, VIR_FROM_REMOTE, VIR_ERR_NO_SUPPORT, "%s", proc->function);
}

static WireMessage *
make_request(const ApiProc *proc, const void *args, const int *fds, gsize n_fds, GError **err)
{
    g_autoptr(WireMessage) request =
        wire_message_new(proc->program, 1, proc->number, WIRE_CALL, 0, WIRE_OK);

    if ((proc->flags & API_FDS_IN) && !wire_message_add_fds(request, fds, n_fds, err))
        return NULL;
    if (proc->args && !codec_encode(proc->args, args, request->bytes, err))
        return NULL;
    return g_steal_pointer(&request);
}

static bool
read_reply(const ApiProc *proc, WireMessage *reply, void *ret, GError **err)
{
    gsize len;
    const guchar *payload = wire_message_payload(reply, &len);

    if (reply->header.status == WIRE_ERROR) {
        GError *error = wire_error_parse(payload, len);
        say_not_supported(&error, proc);
        g_propagate_error(err, error);
        return false;
    }
    if (reply->header.procedure != proc->number)
        return error_set(err, VIR_FROM_RPC, VIR_ERR_RPC,
                         "the daemon answered procedure %d instead of %d", reply->header.procedure,
                         proc->number);
    return !proc->ret || codec_decode(proc->ret, payload, len, ret, err);
}

static bool
call(ClientConn *conn, const ApiProc *proc, const void *args, void *ret, LinkStream *stream,
     const int *fds_in, gsize n_fds_in, WireMessage **reply, GError **err)
{
    LinkCall pending = {0};
    WireMessage *request;
    g_autoptr(WireMessage) answer = NULL;

    if (conn->is_read_only && api_needs_write(proc, args))
        return client_writable(conn, proc->function, err);
    request = make_request(proc, args, fds_in, n_fds_in, err);
    if (!request || !link_send(conn->link, &pending, request, stream, err) ||
        !link_wait(conn->link, &pending, err))
        return false;
    answer = pending.reply;
    if (!read_reply(proc, answer, ret, err))
        return false;
    if (reply)
        *reply = g_steal_pointer(&answer);
    return true;
}

bool
client_call(ClientConn *conn, const ApiProc *proc, const void *args, void *ret, GError **err)
{
    return call(conn, proc, args, ret, NULL, NULL, 0, NULL, err);
}

/* Does the call's `flags` ask for holes? Only volume transfers have such a flag, and it is their first bit. */
static bool
asks_for_holes(const ApiProc *proc, const void *args)
{
    guint32 flags;

    if (proc->program != API_PROC(REMOTE_STORAGE_VOL_UPLOAD)->program || proc->flags_offset < 0 ||
        (proc->number != REMOTE_PROC_STORAGE_VOL_UPLOAD &&
         proc->number != REMOTE_PROC_STORAGE_VOL_DOWNLOAD))
        return false;
    memcpy(&flags, (const char *)args + proc->flags_offset, sizeof flags);
    return flags & VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM;
}

bool
client_call_stream(ClientConn *conn, const ApiProc *proc, const void *args, void *ret,
                   virStreamPtr stream, GError **err)
{
    LinkStream *link = link_stream_new(conn->link);
    bool is_good;

    if (asks_for_holes(proc, args))
        link_stream_allow_holes(link);
    is_good = client_stream_attach(stream, link, err);
    if (is_good && !call(conn, proc, args, ret, link, NULL, 0, NULL, err)) {
        link_stream_unbind(link);
        client_stream_detach(stream);
        is_good = false;
    }
    link_stream_unref(link);
    return is_good;
}

bool
client_call_fds(ClientConn *conn, const ApiProc *proc, const void *args, void *ret,
                const int *fds_in, gsize n_fds_in, int **fds_out, gsize *n_fds_out, GError **err)
{
    g_autoptr(WireMessage) reply = NULL;

    if (!call(conn, proc, args, ret, NULL, fds_in, n_fds_in, &reply, err))
        return false;
    if (!fds_out)
        return true;
    *n_fds_out = wire_message_n_fds(reply);
    *fds_out = g_new0(int, *n_fds_out + 1);
    for (gsize i = 0; i < *n_fds_out; i++)
        (*fds_out)[i] = wire_message_steal_fd(reply, i);
    return true;
}

guint32
client_string_flag(ClientConn *conn)
{
    return conn->strings_okay ? VIR_TYPED_PARAM_STRING_OKAY : 0;
}

/* ---- objects to the wire ---- */

#define O(object) ((ClientObject *)(object))

void
client_domain_to_wire(virDomainPtr domain, RemoteNonnullDomain *wire)
{
    wire->name = O(domain)->name;
    wire->id = O(domain)->id;
    memcpy(wire->uuid, O(domain)->uuid, sizeof wire->uuid);
}

void
client_snapshot_to_wire(virDomainSnapshotPtr snapshot, RemoteNonnullDomainSnapshot *wire)
{
    wire->name = O(snapshot)->name;
    client_domain_to_wire((virDomainPtr)O(snapshot)->parent, &wire->dom);
}

void
client_checkpoint_to_wire(virDomainCheckpointPtr checkpoint, RemoteNonnullDomainCheckpoint *wire)
{
    wire->name = O(checkpoint)->name;
    client_domain_to_wire((virDomainPtr)O(checkpoint)->parent, &wire->dom);
}

#define DEFINE_NAMED_TO_WIRE(kind, Type, Wire)                  \
    void client_##kind##_to_wire(Type object, Wire *wire)       \
    {                                                           \
        wire->name = O(object)->name;                           \
        memcpy(wire->uuid, O(object)->uuid, sizeof wire->uuid); \
    }

DEFINE_NAMED_TO_WIRE(network, virNetworkPtr, RemoteNonnullNetwork)
DEFINE_NAMED_TO_WIRE(pool, virStoragePoolPtr, RemoteNonnullStoragePool)
DEFINE_NAMED_TO_WIRE(nwfilter, virNWFilterPtr, RemoteNonnullNwfilter)

void
client_port_to_wire(virNetworkPortPtr port, RemoteNonnullNetworkPort *wire)
{
    client_network_to_wire((virNetworkPtr)O(port)->parent, &wire->net);
    memcpy(wire->uuid, O(port)->uuid, sizeof wire->uuid);
}

void
client_interface_to_wire(virInterfacePtr iface, RemoteNonnullInterface *wire)
{
    wire->name = O(iface)->name;
    wire->mac = O(iface)->key;
}

void
client_volume_to_wire(virStorageVolPtr volume, RemoteNonnullStorageVol *wire)
{
    wire->pool = O(volume)->pool;
    wire->name = O(volume)->name;
    wire->key = O(volume)->key;
}

void
client_nodedev_to_wire(virNodeDevicePtr device, RemoteNonnullNodeDevice *wire)
{
    wire->name = O(device)->name;
}

void
client_binding_to_wire(virNWFilterBindingPtr binding, RemoteNonnullNwfilterBinding *wire)
{
    wire->portdev = O(binding)->name;
    wire->filtername = O(binding)->key;
}

void
client_secret_to_wire(virSecretPtr secret, RemoteNonnullSecret *wire)
{
    memcpy(wire->uuid, O(secret)->uuid, sizeof wire->uuid);
    wire->usageType = O(secret)->id;
    wire->usageID = O(secret)->key;
}

void
client_server_to_wire(virAdmServerPtr server, AdminNonnullServer *wire)
{
    wire->name = O(server)->name;
}

void
client_client_to_wire(virAdmClientPtr client, AdminNonnullClient *wire)
{
    client_server_to_wire((virAdmServerPtr)O(client)->parent, &wire->srv);
    wire->id = O(client)->number;
    wire->timestamp = O(client)->timestamp;
    wire->transport = O(client)->id;
}

/* ---- objects from the wire ---- */

static ClientObject *
new_object(ClientConn *conn, ClientKind kind, void *take_parent, const char *name)
{
    ClientObject *object = client_object_new(kind, conn, take_parent);

    client_object_unref(take_parent);
    object->name = g_strdup(name);
    return object;
}

virDomainPtr
client_domain_from_wire(ClientConn *conn, const RemoteNonnullDomain *wire)
{
    ClientObject *object = new_object(conn, KIND_DOMAIN, NULL, wire->name);

    memcpy(object->uuid, wire->uuid, sizeof object->uuid);
    object->id = wire->id;
    return (virDomainPtr)object;
}

virDomainSnapshotPtr
client_snapshot_from_wire(ClientConn *conn, const RemoteNonnullDomainSnapshot *wire)
{
    return (virDomainSnapshotPtr)new_object(conn, KIND_DOMAIN_SNAPSHOT,
                                            client_domain_from_wire(conn, &wire->dom), wire->name);
}

virDomainCheckpointPtr
client_checkpoint_from_wire(ClientConn *conn, const RemoteNonnullDomainCheckpoint *wire)
{
    return (virDomainCheckpointPtr)new_object(
        conn, KIND_DOMAIN_CHECKPOINT, client_domain_from_wire(conn, &wire->dom), wire->name);
}

#define DEFINE_NAMED_FROM_WIRE(kind, Type, KIND, Wire)                   \
    Type client_##kind##_from_wire(ClientConn *conn, const Wire *wire)   \
    {                                                                    \
        ClientObject *object = new_object(conn, KIND, NULL, wire->name); \
        memcpy(object->uuid, wire->uuid, sizeof object->uuid);           \
        return (Type)object;                                             \
    }

DEFINE_NAMED_FROM_WIRE(network, virNetworkPtr, KIND_NETWORK, RemoteNonnullNetwork)
DEFINE_NAMED_FROM_WIRE(pool, virStoragePoolPtr, KIND_STORAGE_POOL, RemoteNonnullStoragePool)
DEFINE_NAMED_FROM_WIRE(nwfilter, virNWFilterPtr, KIND_NWFILTER, RemoteNonnullNwfilter)

virNetworkPortPtr
client_port_from_wire(ClientConn *conn, const RemoteNonnullNetworkPort *wire)
{
    ClientObject *object =
        new_object(conn, KIND_NETWORK_PORT, client_network_from_wire(conn, &wire->net), NULL);

    memcpy(object->uuid, wire->uuid, sizeof object->uuid);
    return (virNetworkPortPtr)object;
}

virInterfacePtr
client_interface_from_wire(ClientConn *conn, const RemoteNonnullInterface *wire)
{
    ClientObject *object = new_object(conn, KIND_INTERFACE, NULL, wire->name);

    object->key = g_strdup(wire->mac);
    return (virInterfacePtr)object;
}

virStorageVolPtr
client_volume_from_wire(ClientConn *conn, const RemoteNonnullStorageVol *wire)
{
    ClientObject *object = new_object(conn, KIND_STORAGE_VOL, NULL, wire->name);

    object->pool = g_strdup(wire->pool);
    object->key = g_strdup(wire->key);
    return (virStorageVolPtr)object;
}

virNodeDevicePtr
client_nodedev_from_wire(ClientConn *conn, const RemoteNonnullNodeDevice *wire)
{
    return (virNodeDevicePtr)new_object(conn, KIND_NODE_DEVICE, NULL, wire->name);
}

virNWFilterBindingPtr
client_binding_from_wire(ClientConn *conn, const RemoteNonnullNwfilterBinding *wire)
{
    ClientObject *object = new_object(conn, KIND_NWFILTER_BINDING, NULL, wire->portdev);

    object->key = g_strdup(wire->filtername);
    return (virNWFilterBindingPtr)object;
}

virSecretPtr
client_secret_from_wire(ClientConn *conn, const RemoteNonnullSecret *wire)
{
    ClientObject *object = new_object(conn, KIND_SECRET, NULL, NULL);

    memcpy(object->uuid, wire->uuid, sizeof object->uuid);
    object->id = wire->usageType;
    object->key = g_strdup(wire->usageID);
    return (virSecretPtr)object;
}

virAdmServerPtr
client_server_from_wire(ClientConn *conn, const AdminNonnullServer *wire)
{
    return (virAdmServerPtr)new_object(conn, KIND_ADM_SERVER, NULL, wire->name);
}

virAdmClientPtr
client_client_from_wire(ClientConn *conn, const AdminNonnullClient *wire)
{
    ClientObject *object =
        new_object(conn, KIND_ADM_CLIENT, client_server_from_wire(conn, &wire->srv), NULL);

    object->number = wire->id;
    object->timestamp = wire->timestamp;
    object->id = wire->transport;
    return (virAdmClientPtr)object;
}

void
client_domain_set_id(virDomainPtr domain, int id)
{
    O(domain)->id = id;
}

void
client_domain_set_name(virDomainPtr domain, const char *name)
{
    g_free(O(domain)->name);
    O(domain)->name = g_strdup(name);
}
