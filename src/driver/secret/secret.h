/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The secret driver: values for other drivers and for clients, kept below /etc/libvirt/secrets as upstream does: UUID.xml, and
 * UUID.base64 unless the secret is ephemeral. A service on the connections of all hypervisors.
 *
 * A secret's name in the registry is what it is for, so that no two secrets can be for the same. Values lie in memory
 * that is blanked when it is given up, and are in no log. driver.c: start and table; secret_change.c, secret_list.c: calls. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/secret.h"
#include "object/defined.h"
#include "object/driver.h"
#include "object/store.h"

typedef struct {
    Driver *driver;
    const DriverHost *host;
    Registry *secrets; /* of SecretView */
    Store *store;
    char *dir;
    int pid_lock;
} SecretDriver;

typedef struct {
    DefinedView defined;
    GBytes *value; /* NULL: not set */
} SecretView;

static inline void
secret_view_unref(SecretView *view)
{
    view_unref(view);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretView, secret_view_unref)

extern Driver secret_driver;

SecretDriver *secret_of_call(const Call *call);
static inline const Secret *
secret_view_config(const SecretView *view)
{
    return view->defined.config;
}

/* @value: a reference is taken; NULL: none. */
SecretView *secret_view_new(Secret *take_config, GBytes *value, Strand *strand);
/* VIR_ERR_NO_SECRET. */
SecretView *secret_view_find(SecretDriver *secrets, const guchar uuid[16], GError **err);
SecretView *secret_view_find_usage(SecretDriver *secrets, int type, const char *id, GError **err);
void secret_view_fill_wire(const SecretView *view, RemoteNonnullSecret *wire);
/* The name under which the registry has a secret of that use. */
char *secret_registry_name(int usage_type, const char *usage_id, const guchar uuid[16]);

/* Bytes that are blanked when they are released. */
GBytes *secret_bytes_new(const void *bytes, gsize len);

/* UUID.base64 of a secret: read (NULL without @err: there is none), written, removed. */
GBytes *secret_load_value(SecretDriver *secrets, const char *stem, GError **err);
bool secret_save_value(SecretDriver *secrets, const guchar uuid[16], GBytes *value, GError **err);
bool secret_remove_value(SecretDriver *secrets, const guchar uuid[16], GError **err);

/* Services.secret_make. */
bool secret_make(Driver *driver, int usage_type, const char *usage_id, GBytes *value,
                 guchar uuid[16], GError **err);

void secret_change_slots(DriverSlots *slots);
void secret_list_slots(DriverSlots *slots);
