/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What drivers do for each other: a driver that has something to offer fills its member when it starts; others ask through the
 * functions below, on a worker, and learn an honest no when no driver of that kind is built in.
 *
 * A new service is a member here, a function that asks, and a line in the driver that offers it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Driver Driver;
typedef struct DriverHost DriverHost;

/* A volume as a disk's source. */
typedef struct {
    int type;     /* virStorageVolType */
    char *path;   /* absolute */
    char *format; /* name of the image format, such as qcow2; NULL: not known */
} ServiceVolume;

void service_volume_free(ServiceVolume *volume);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ServiceVolume, service_volume_free)

/* A secret is named by its UUID, or by what it is for. */
typedef struct {
    const guchar *uuid; /* of 16 bytes; NULL: by usage */
    int usage_type;     /* virSecretUsageType */
    const char *usage_id;
} ServiceSecret;

typedef struct {
    Driver *storage;
    /* A volume of an active pool, a new structure; NULL with @err. */
    ServiceVolume *(*find_volume)(Driver *storage, const char *pool, const char *volume,
                                  GError **err);

    Driver *secret;
    /* The value, also of a private secret: it never leaves the daemon. NULL with @err. */
    GBytes *(*secret_value)(Driver *secret, const ServiceSecret *which, GError **err);
    /* Keep a value under a new private secret of that use; @uuid is filled in. */
    bool (*secret_make)(Driver *secret, int usage_type, const char *usage_id, GBytes *value,
                        guchar uuid[16], GError **err);
} Services;

ServiceVolume *service_find_volume(const DriverHost *host, const char *pool, const char *volume,
                                   GError **err);
GBytes *service_secret_value(const DriverHost *host, const ServiceSecret *which, GError **err);
bool service_secret_make(const DriverHost *host, int usage_type, const char *usage_id,
                         GBytes *value, guchar uuid[16], GError **err);
