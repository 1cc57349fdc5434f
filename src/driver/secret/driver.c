/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's table, its start and end, its views, and what it does for other drivers. */
#define ERROR_DOMAIN VIR_FROM_SECRET

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/ids.h"
#include "driver/secret/secret.h"

SecretDriver *
secret_of_call(const Call *call)
{
    return call->driver->state;
}

/* ---- views ---- */

static void
view_free(View *opaque)
{
    SecretView *view = (SecretView *)opaque;

    g_clear_pointer(&view->value, g_bytes_unref);
    defined_clear(&view->defined);
    g_free(view);
}

char *
secret_registry_name(int usage_type, const char *usage_id, const guchar uuid[16])
{
    char text[UUID_TEXT];

    if (usage_type)
        return g_strdup_printf("%d %s", usage_type, usage_id);
    uuid_format(uuid, text);
    return g_strdup(text);
}

SecretView *
secret_view_new(Secret *take_config, GBytes *value, Strand *strand)
{
    SecretView *view = g_new0(SecretView, 1);
    g_autofree char *name = secret_registry_name(secret_usage_type(take_config),
                                                 secret_usage_id(take_config), take_config->uuid);

    defined_init(&view->defined, view_free, &secret_model, take_config, take_config->uuid, name,
                 strand);
    view->defined.is_persistent = !take_config->ephemeral;
    view->value = value ? g_bytes_ref(value) : NULL;
    return view;
}

SecretView *
secret_view_find(SecretDriver *secrets, const guchar uuid[16], GError **err)
{
    SecretView *view = registry_lookup_uuid(secrets->secrets, uuid);
    char text[UUID_TEXT];

    if (view)
        return view;
    uuid_format(uuid, text);
    return fail_null(err, VIR_ERR_NO_SECRET, "no secret with matching uuid '%s'", text);
}

SecretView *
secret_view_find_usage(SecretDriver *secrets, int type, const char *id, GError **err)
{
    static const guchar no_uuid[16];
    g_autofree char *name = secret_registry_name(type, id, no_uuid);
    SecretView *view = registry_lookup_name(secrets->secrets, name);

    return view ? view
                : fail_null(err, VIR_ERR_NO_SECRET, "no secret with matching usage '%s'", id);
}

void
secret_view_fill_wire(const SecretView *view, RemoteNonnullSecret *wire)
{
    memcpy(wire->uuid, view->defined.view.uuid, sizeof wire->uuid);
    wire->usageType = secret_usage_type(secret_view_config(view));
    wire->usageID = g_strdup(secret_usage_id(secret_view_config(view)));
}

/* ---- for other drivers ---- */

static GBytes *
secret_value(Driver *driver, const ServiceSecret *which, GError **err)
{
    SecretDriver *secrets = driver->state;
    g_autoptr(SecretView) view =
        which->uuid ? secret_view_find(secrets, which->uuid, err)
                    : secret_view_find_usage(secrets, which->usage_type, which->usage_id, err);
    char uuid[UUID_TEXT];

    if (!view)
        return NULL;
    if (view->value)
        return g_bytes_ref(view->value);
    uuid_format(view->defined.view.uuid, uuid);
    return fail_null(err, VIR_ERR_NO_SECRET,
                     "secret '%s' does not have a value: set it with 'virsh secret-set-value'",
                     uuid);
}

/* ---- start and end ---- */

static bool
load_secret(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
            void *opaque, GError **err)
{
    SecretDriver *secrets = opaque;
    g_autoptr(Secret) config = secret_read(xml, err);
    g_autoptr(Strand) strand = NULL;
    g_autoptr(GBytes) value = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strconcat("secret ", stem, NULL);
    char uuid[UUID_TEXT];

    if (!config)
        return false;
    uuid_format(config->uuid, uuid);
    if (strcmp(uuid, stem) != 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "it defines secret %s: its name must be '%s.xml'",
                    uuid, uuid);
    value = secret_load_value(secrets, stem, &error);
    if (error) {
        g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    strand = strand_new(secrets->host->pool, name);
    return registry_publish(secrets->secrets,
                            secret_view_new(g_steal_pointer(&config), value, strand), err);
}

static void
secret_driver_free(SecretDriver *secrets)
{
    if (!secrets)
        return;
    registry_free(secrets->secrets);
    store_free(secrets->store);
    fd_close(&secrets->pid_lock);
    g_free(secrets->dir);
    g_free(secrets);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecretDriver, secret_driver_free)

static bool
secret_start(Driver *driver, const DriverHost *host, GError **err)
{
    g_autoptr(SecretDriver) secrets = g_new0(SecretDriver, 1);

    secrets->driver = driver;
    secrets->host = host;
    secrets->secrets = registry_new("secret");
    secrets->dir = g_build_filename(host->config_dir, "secrets", NULL);
    secrets->pid_lock = driver_lock(host, "secrets", "run", err);
    if (secrets->pid_lock < 0 || !dir_make(secrets->dir, 0700, err))
        return false;
    secrets->store = store_new(secrets->dir, NULL, NULL, err);
    if (!secrets->store || !store_load(secrets->store, load_secret, secrets, err))
        return false;
    driver->host->services.secret = driver;
    driver->host->services.secret_value = secret_value;
    driver->host->services.secret_make = secret_make;
    driver->state = g_steal_pointer(&secrets);
    return true;
}

static void
secret_stop(Driver *driver)
{
    Services *services = &driver->host->services;

    services->secret = NULL;
    services->secret_value = NULL;
    services->secret_make = NULL;
    secret_driver_free(g_steal_pointer(&driver->state));
}

static Strand *
secret_find_strand(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    return defined_find_strand(((SecretDriver *)driver->state)->secrets, uuid);
}

Driver secret_driver = {
    .name = "secret",
    .folder = "secrets",
    .event_classes = 1U << API_EVENT_CLASS_SECRET,
    .error_domain = VIR_FROM_SECRET,
    .start = secret_start,
    .stop = secret_stop,
    .find_strand = secret_find_strand,
};

__attribute__((constructor)) static void
fill_slots(void)
{
    secret_change_slots(&secret_driver.slots);
    secret_list_slots(&secret_driver.slots);
}
