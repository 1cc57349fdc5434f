/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the opaque handles of the public API are. All kinds share one structure, so checking, naming, reference counting
 * and the conversion to and from the wire are written once (object.c); open.c makes connections. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include <libvirt/libvirt.h>
#include <libvirt/libvirt-admin.h>
#include <libvirt/virterror.h>

typedef enum {
    KIND_NONE,
    KIND_CONNECT,
    KIND_DOMAIN,
    KIND_DOMAIN_SNAPSHOT,
    KIND_DOMAIN_CHECKPOINT,
    KIND_NETWORK,
    KIND_NETWORK_PORT,
    KIND_STORAGE_POOL,
    KIND_STORAGE_VOL,
    KIND_INTERFACE,
    KIND_NODE_DEVICE,
    KIND_SECRET,
    KIND_NWFILTER,
    KIND_NWFILTER_BINDING,
    KIND_STREAM,
    KIND_ADM_CONNECT,
    KIND_ADM_SERVER,
    KIND_ADM_CLIENT,
    KIND_LAST,
} ClientKind;

typedef struct ClientObject ClientObject;
struct ClientObject {
    guint32 magic; /* of the kind; 0 once freed */
    gint refs;
    virConnectPtr
        conn; /* a reference; NULL in connections. An admin object's is a virAdmConnectPtr */
    ClientObject
        *parent; /* a reference: domain of a snapshot, network of a port, server of a client */
    char *name;  /* also: port device of a filter binding */
    char *
        key; /* volume: key. interface: MAC. secret: usage id. binding: filter name. device: parent, kept */
    char *pool;   /* volume: name of its pool */
    bool has_key; /* device: the parent was asked for */
    guchar uuid[VIR_UUID_BUFLEN];
    int id;           /* domain: id. secret: usage type. client: transport */
    guint64 number;   /* client: id */
    gint64 timestamp; /* client: connected since */
};

struct _virDomain {
    ClientObject object;
};
struct _virDomainSnapshot {
    ClientObject object;
};
struct _virDomainCheckpoint {
    ClientObject object;
};
struct _virNetwork {
    ClientObject object;
};
struct _virNetworkPort {
    ClientObject object;
};
struct _virStoragePool {
    ClientObject object;
};
struct _virStorageVol {
    ClientObject object;
};
struct _virInterface {
    ClientObject object;
};
struct _virNodeDevice {
    ClientObject object;
};
struct _virSecret {
    ClientObject object;
};
struct _virNWFilter {
    ClientObject object;
};
struct _virNWFilterBinding {
    ClientObject object;
};
struct _virAdmServer {
    ClientObject object;
};
struct _virAdmClient {
    ClientObject object;
};

guint32 client_kind_magic(ClientKind kind);
/* Give an object that is part of a larger structure its kind and its first reference. */
void client_object_init(ClientObject *object, ClientKind kind);
/* A new object with one reference. @conn and @parent are referenced, the rest is set by the caller. */
void *client_object_new(ClientKind kind, void *conn, void *parent);
void *client_object_ref(void *object);
/* True when others still hold it. NULL is allowed. */
bool client_object_unref(void *object);
/* A reference, unless the last one is gone already. */
bool client_object_ref_alive(void *object);

/* True when @object is a live object of @kind; else the kind's own VIR_ERR_INVALID_* with the caller's name. */
bool client_object_check(const void *object, ClientKind kind, const char *function, GError **err);
bool client_object_is(const void *object, ClientKind kind);
/* The connection of an object of any kind, connections and streams included. */
virConnectPtr client_object_conn(void *object);
/* The VIR_FROM_* that errors about this kind belong to. */
int client_kind_domain(ClientKind kind);
