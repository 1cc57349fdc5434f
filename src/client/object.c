/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See object.h: kinds, references, and every getter, Ref and Free of the public API. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "client/object.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "client/conn.h"
#include "client/report.h"

static const struct {
    int code;   /* VIR_ERR_INVALID_* */
    int domain; /* VIR_FROM_* */
} kinds[KIND_LAST] = {
    [KIND_CONNECT] = {VIR_ERR_INVALID_CONN, VIR_FROM_NONE},
    [KIND_DOMAIN] = {VIR_ERR_INVALID_DOMAIN, VIR_FROM_DOM},
    [KIND_DOMAIN_SNAPSHOT] = {VIR_ERR_INVALID_DOMAIN_SNAPSHOT, VIR_FROM_DOMAIN_SNAPSHOT},
    [KIND_DOMAIN_CHECKPOINT] = {VIR_ERR_INVALID_DOMAIN_CHECKPOINT, VIR_FROM_DOMAIN_CHECKPOINT},
    [KIND_NETWORK] = {VIR_ERR_INVALID_NETWORK, VIR_FROM_NETWORK},
    [KIND_NETWORK_PORT] = {VIR_ERR_INVALID_NETWORK_PORT, VIR_FROM_NETWORK},
    [KIND_STORAGE_POOL] = {VIR_ERR_INVALID_STORAGE_POOL, VIR_FROM_STORAGE},
    [KIND_STORAGE_VOL] = {VIR_ERR_INVALID_STORAGE_VOL, VIR_FROM_STORAGE},
    [KIND_INTERFACE] = {VIR_ERR_INVALID_INTERFACE, VIR_FROM_INTERFACE},
    [KIND_NODE_DEVICE] = {VIR_ERR_INVALID_NODE_DEVICE, VIR_FROM_NODEDEV},
    [KIND_SECRET] = {VIR_ERR_INVALID_SECRET, VIR_FROM_SECRET},
    [KIND_NWFILTER] = {VIR_ERR_INVALID_NWFILTER, VIR_FROM_NWFILTER},
    [KIND_NWFILTER_BINDING] = {VIR_ERR_INVALID_NWFILTER_BINDING, VIR_FROM_NWFILTER},
    [KIND_STREAM] = {VIR_ERR_INVALID_STREAM, VIR_FROM_STREAMS},
    [KIND_ADM_CONNECT] = {VIR_ERR_INVALID_CONN, VIR_FROM_ADMIN},
    [KIND_ADM_SERVER] = {VIR_ERR_INVALID_ARG, VIR_FROM_ADMIN},
    [KIND_ADM_CLIENT] = {VIR_ERR_INVALID_ARG, VIR_FROM_ADMIN},
};

guint32
client_kind_magic(ClientKind kind)
{
    return 0x4d464c00 | kind;
}

int
client_kind_domain(ClientKind kind)
{
    return kinds[kind].domain;
}

void
client_object_init(ClientObject *object, ClientKind kind)
{
    object->magic = client_kind_magic(kind);
    object->refs = 1;
    object->id = -1;
}

void *
client_object_new(ClientKind kind, void *conn, void *parent)
{
    ClientObject *object = g_new0(ClientObject, 1);

    client_object_init(object, kind);
    object->conn = client_object_ref(conn);
    object->parent = parent ? client_object_ref(parent) : NULL;
    return object;
}

void *
client_object_ref(void *opaque)
{
    ClientObject *object = opaque;

    g_atomic_int_inc(&object->refs);
    return object;
}

bool
client_object_ref_alive(void *opaque)
{
    ClientObject *object = opaque;
    gint refs;

    do {
        refs = g_atomic_int_get(&object->refs);
        if (refs <= 0)
            return false;
    } while (!g_atomic_int_compare_and_exchange(&object->refs, refs, refs + 1));
    return true;
}

static void
free_object(ClientObject *object)
{
    ClientKind kind = object->magic & 0xff;
    void *conn = object->conn, *parent = object->parent;

    if (kind == KIND_CONNECT || kind == KIND_ADM_CONNECT) {
        client_conn_end((ClientConn *)object);
        return;
    }
    object->magic = 0;
    g_free(object->name);
    g_free(object->key);
    g_free(object->pool);
    if (kind == KIND_STREAM)
        client_stream_free((virStreamPtr)object);
    else
        g_free(object);
    client_object_unref(parent);
    client_object_unref(conn);
}

bool
client_object_unref(void *opaque)
{
    ClientObject *object = opaque;

    if (!object)
        return false;
    if (!g_atomic_int_dec_and_test(&object->refs))
        return true;
    free_object(object);
    return false;
}

bool
client_object_is(const void *opaque, ClientKind kind)
{
    const ClientObject *object = opaque;

    return object && object->magic == client_kind_magic(kind);
}

bool
client_object_check(const void *object, ClientKind kind, const char *function, GError **err)
{
    if (client_object_is(object, kind))
        return true;
    return error_set(err, kinds[kind].domain, kinds[kind].code, "%s", function);
}

virConnectPtr
client_object_conn(void *opaque)
{
    ClientObject *object = opaque;

    return object->conn ? object->conn : (virConnectPtr)object;
}

/* ---- what all kinds have: enter, or leave with the error raised ---- */

static bool
enter(const void *object, ClientKind kind, const char *function)
{
    GError *err = NULL;

    client_reset_error();
    if (client_object_check(object, kind, function, &err))
        return true;
    client_report(NULL, err);
    return false;
}

#define DEFINE_REF(Type, function, KIND)     \
    int function(Type object)                \
    {                                        \
        if (!enter(object, KIND, #function)) \
            return -1;                       \
        client_object_ref(object);           \
        return 0;                            \
    }

#define DEFINE_FREE(Type, function, KIND)    \
    int function(Type object)                \
    {                                        \
        if (!enter(object, KIND, #function)) \
            return -1;                       \
        client_object_unref(object);         \
        return 0;                            \
    }

/* A member that lives as long as the object; @failure when the object is none. */
#define DEFINE_GET(Result, function, Type, KIND, member, failure)                           \
    Result function(Type object)                                                            \
    {                                                                                       \
        return enter(object, KIND, #function) ? ((ClientObject *)object)->member : failure; \
    }

#define DEFINE_UUID(function, Type, KIND)                          \
    int function(Type object, unsigned char *uuid)                 \
    {                                                              \
        return copy_uuid(object, KIND, uuid, #function);           \
    }                                                              \
    int function##String(Type object, char *text)                  \
    {                                                              \
        return print_uuid(object, KIND, text, #function "String"); \
    }

static bool
need_buffer(void *object, const void *buffer, const char *name, const char *function)
{
    GError *err = NULL;

    if (client_need(buffer, name, function, &err))
        return true;
    client_report(client_object_conn(object), err);
    return false;
}

static int
copy_uuid(void *object, ClientKind kind, unsigned char *uuid, const char *function)
{
    if (!enter(object, kind, function) || !need_buffer(object, uuid, "uuid", function))
        return -1;
    memcpy(uuid, ((ClientObject *)object)->uuid, VIR_UUID_BUFLEN);
    return 0;
}

static int
print_uuid(void *object, ClientKind kind, char *text, const char *function)
{
    if (!enter(object, kind, function) || !need_buffer(object, text, "buf", function))
        return -1;
    uuid_format(((ClientObject *)object)->uuid, text);
    return 0;
}

DEFINE_REF(virConnectPtr, virConnectRef, KIND_CONNECT)
DEFINE_REF(virDomainPtr, virDomainRef, KIND_DOMAIN)
DEFINE_REF(virDomainSnapshotPtr, virDomainSnapshotRef, KIND_DOMAIN_SNAPSHOT)
DEFINE_REF(virDomainCheckpointPtr, virDomainCheckpointRef, KIND_DOMAIN_CHECKPOINT)
DEFINE_REF(virNetworkPtr, virNetworkRef, KIND_NETWORK)
DEFINE_REF(virNetworkPortPtr, virNetworkPortRef, KIND_NETWORK_PORT)
DEFINE_REF(virStoragePoolPtr, virStoragePoolRef, KIND_STORAGE_POOL)
DEFINE_REF(virStorageVolPtr, virStorageVolRef, KIND_STORAGE_VOL)
DEFINE_REF(virInterfacePtr, virInterfaceRef, KIND_INTERFACE)
DEFINE_REF(virNodeDevicePtr, virNodeDeviceRef, KIND_NODE_DEVICE)
DEFINE_REF(virSecretPtr, virSecretRef, KIND_SECRET)
DEFINE_REF(virNWFilterPtr, virNWFilterRef, KIND_NWFILTER)
DEFINE_REF(virNWFilterBindingPtr, virNWFilterBindingRef, KIND_NWFILTER_BINDING)
DEFINE_REF(virStreamPtr, virStreamRef, KIND_STREAM)

DEFINE_FREE(virDomainPtr, virDomainFree, KIND_DOMAIN)
DEFINE_FREE(virDomainSnapshotPtr, virDomainSnapshotFree, KIND_DOMAIN_SNAPSHOT)
DEFINE_FREE(virDomainCheckpointPtr, virDomainCheckpointFree, KIND_DOMAIN_CHECKPOINT)
DEFINE_FREE(virNetworkPtr, virNetworkFree, KIND_NETWORK)
DEFINE_FREE(virNetworkPortPtr, virNetworkPortFree, KIND_NETWORK_PORT)
DEFINE_FREE(virStoragePoolPtr, virStoragePoolFree, KIND_STORAGE_POOL)
DEFINE_FREE(virStorageVolPtr, virStorageVolFree, KIND_STORAGE_VOL)
DEFINE_FREE(virInterfacePtr, virInterfaceFree, KIND_INTERFACE)
DEFINE_FREE(virNodeDevicePtr, virNodeDeviceFree, KIND_NODE_DEVICE)
DEFINE_FREE(virSecretPtr, virSecretFree, KIND_SECRET)
DEFINE_FREE(virNWFilterPtr, virNWFilterFree, KIND_NWFILTER)
DEFINE_FREE(virNWFilterBindingPtr, virNWFilterBindingFree, KIND_NWFILTER_BINDING)
DEFINE_FREE(virStreamPtr, virStreamFree, KIND_STREAM)

DEFINE_GET(const char *, virDomainGetName, virDomainPtr, KIND_DOMAIN, name, NULL)
DEFINE_GET(const char *, virDomainSnapshotGetName, virDomainSnapshotPtr, KIND_DOMAIN_SNAPSHOT, name,
           NULL)
DEFINE_GET(const char *, virDomainCheckpointGetName, virDomainCheckpointPtr, KIND_DOMAIN_CHECKPOINT,
           name, NULL)
DEFINE_GET(const char *, virNetworkGetName, virNetworkPtr, KIND_NETWORK, name, NULL)
DEFINE_GET(const char *, virStoragePoolGetName, virStoragePoolPtr, KIND_STORAGE_POOL, name, NULL)
DEFINE_GET(const char *, virStorageVolGetName, virStorageVolPtr, KIND_STORAGE_VOL, name, NULL)
DEFINE_GET(const char *, virStorageVolGetKey, virStorageVolPtr, KIND_STORAGE_VOL, key, NULL)
DEFINE_GET(const char *, virInterfaceGetName, virInterfacePtr, KIND_INTERFACE, name, NULL)
DEFINE_GET(const char *, virInterfaceGetMACString, virInterfacePtr, KIND_INTERFACE, key, NULL)
DEFINE_GET(const char *, virNodeDeviceGetName, virNodeDevicePtr, KIND_NODE_DEVICE, name, NULL)
DEFINE_GET(const char *, virNWFilterGetName, virNWFilterPtr, KIND_NWFILTER, name, NULL)
DEFINE_GET(const char *, virNWFilterBindingGetPortDev, virNWFilterBindingPtr, KIND_NWFILTER_BINDING,
           name, NULL)
DEFINE_GET(const char *, virNWFilterBindingGetFilterName, virNWFilterBindingPtr,
           KIND_NWFILTER_BINDING, key, NULL)
DEFINE_GET(const char *, virSecretGetUsageID, virSecretPtr, KIND_SECRET, key, NULL)
DEFINE_GET(int, virSecretGetUsageType, virSecretPtr, KIND_SECRET, id, -1)

unsigned int
virDomainGetID(virDomainPtr domain)
{
    return enter(domain, KIND_DOMAIN, __func__) ? (unsigned int)((ClientObject *)domain)->id
                                                : (unsigned int)-1;
}

DEFINE_GET(virConnectPtr, virDomainGetConnect, virDomainPtr, KIND_DOMAIN, conn, NULL)
DEFINE_GET(virConnectPtr, virDomainSnapshotGetConnect, virDomainSnapshotPtr, KIND_DOMAIN_SNAPSHOT,
           conn, NULL)
DEFINE_GET(virConnectPtr, virDomainCheckpointGetConnect, virDomainCheckpointPtr,
           KIND_DOMAIN_CHECKPOINT, conn, NULL)
DEFINE_GET(virConnectPtr, virNetworkGetConnect, virNetworkPtr, KIND_NETWORK, conn, NULL)
DEFINE_GET(virConnectPtr, virStoragePoolGetConnect, virStoragePoolPtr, KIND_STORAGE_POOL, conn,
           NULL)
DEFINE_GET(virConnectPtr, virStorageVolGetConnect, virStorageVolPtr, KIND_STORAGE_VOL, conn, NULL)
DEFINE_GET(virConnectPtr, virInterfaceGetConnect, virInterfacePtr, KIND_INTERFACE, conn, NULL)
DEFINE_GET(virConnectPtr, virSecretGetConnect, virSecretPtr, KIND_SECRET, conn, NULL)

#define PARENT(Type, object) ((Type)((ClientObject *)object)->parent)

virDomainPtr
virDomainSnapshotGetDomain(virDomainSnapshotPtr snapshot)
{
    return enter(snapshot, KIND_DOMAIN_SNAPSHOT, __func__) ? PARENT(virDomainPtr, snapshot) : NULL;
}

virDomainPtr
virDomainCheckpointGetDomain(virDomainCheckpointPtr checkpoint)
{
    return enter(checkpoint, KIND_DOMAIN_CHECKPOINT, __func__) ? PARENT(virDomainPtr, checkpoint)
                                                               : NULL;
}

virNetworkPtr
virNetworkPortGetNetwork(virNetworkPortPtr port)
{
    return enter(port, KIND_NETWORK_PORT, __func__) ? PARENT(virNetworkPtr, port) : NULL;
}

DEFINE_UUID(virDomainGetUUID, virDomainPtr, KIND_DOMAIN)
DEFINE_UUID(virNetworkGetUUID, virNetworkPtr, KIND_NETWORK)
DEFINE_UUID(virNetworkPortGetUUID, virNetworkPortPtr, KIND_NETWORK_PORT)
DEFINE_UUID(virStoragePoolGetUUID, virStoragePoolPtr, KIND_STORAGE_POOL)
DEFINE_UUID(virSecretGetUUID, virSecretPtr, KIND_SECRET)
DEFINE_UUID(virNWFilterGetUUID, virNWFilterPtr, KIND_NWFILTER)
