/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defining and undefining secrets, and setting their values. */
#define ERROR_DOMAIN VIR_FROM_SECRET

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/secret/secret.h"

/* ---- events ---- */

static void
emit_lifecycle(SecretDriver *secrets, const SecretView *view, int event)
{
    RemoteSecretEventLifecycleMsg *message = g_new0(RemoteSecretEventLifecycleMsg, 1);

    secret_view_fill_wire(view, &message->secret);
    message->event = event;
    events_emit(secrets->driver->events, API_EVENT_CLASS_SECRET, VIR_SECRET_EVENT_ID_LIFECYCLE,
                view->defined.view.uuid, NULL, message);
}

static void
emit_value_changed(SecretDriver *secrets, const SecretView *view)
{
    RemoteSecretEventValueChangedMsg *message = g_new0(RemoteSecretEventValueChangedMsg, 1);

    secret_view_fill_wire(view, &message->secret);
    events_emit(secrets->driver->events, API_EVENT_CLASS_SECRET, VIR_SECRET_EVENT_ID_VALUE_CHANGED,
                view->defined.view.uuid, NULL, message);
}

/* ---- define ---- */

static bool
has_same_usage(const Secret *a, const Secret *b)
{
    return secret_usage_type(a) == secret_usage_type(b) &&
           strcmp(secret_usage_id(a), secret_usage_id(b)) == 0;
}

/* A secret stays for what it is for, and private once it was; no other secret is for the same. */
static bool
check_identity(SecretDriver *secrets, const Secret *config, const SecretView *before, GError **err)
{
    g_autofree char *name =
        secret_registry_name(secret_usage_type(config), secret_usage_id(config), config->uuid);
    g_autoptr(View) other = NULL;
    char uuid[UUID_TEXT];

    if (before && !has_same_usage(secret_view_config(before), config)) {
        uuid_format(config->uuid, uuid);
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "a secret with UUID %s is already defined for use with '%s': undefine it first",
                    uuid, secret_usage_id(secret_view_config(before)));
    }
    if (before && secret_view_config(before)->private && !config->private)
        return fail(err, VIR_ERR_OPERATION_DENIED, "cannot change private flag on existing secret");
    other = registry_lookup_name(secrets->secrets, name);
    if (!other || uuid_equal(other->uuid, config->uuid))
        return true;
    uuid_format(other->uuid, uuid);
    return fail(err, VIR_ERR_INTERNAL_ERROR,
                "a secret with UUID %s already defined for use with '%s'", uuid,
                secret_usage_id(config));
}

static bool
save_config(SecretDriver *secrets, const Secret *config, GError **err)
{
    char uuid[UUID_TEXT];
    g_autofree char *xml = secret_format(config, 0);

    uuid_format(config->uuid, uuid);
    return store_save(secrets->store, uuid, NULL, NULL, xml, err);
}

static bool
remove_files(SecretDriver *secrets, const guchar uuid[16], GError **err)
{
    char stem[UUID_TEXT];

    uuid_format(uuid, stem);
    return secret_remove_value(secrets, uuid, err) && store_remove(secrets->store, stem, err);
}

/* The files as the secret's definition wants them. */
static bool
write_files(SecretDriver *secrets, const SecretView *view, const SecretView *before, GError **err)
{
    const Secret *config = secret_view_config(view);

    if (config->ephemeral)
        return !before || secret_view_config(before)->ephemeral ||
               remove_files(secrets, config->uuid, err);
    if (view->value && (!before || secret_view_config(before)->ephemeral) &&
        !secret_save_value(secrets, config->uuid, view->value, err))
        return false;
    return save_config(secrets, config, err);
}

/* On the secret's strand. The new view, or NULL. */
static SecretView *
define_on_strand(SecretDriver *secrets, Secret *take_config, GBytes *value, Strand *strand,
                 GError **err)
{
    g_autoptr(Secret) config = take_config;
    g_autoptr(SecretView) before = registry_lookup_uuid(secrets->secrets, config->uuid);
    g_autoptr(SecretView) view = NULL;

    if (!check_identity(secrets, config, before, err))
        return NULL;
    view = secret_view_new(g_steal_pointer(&config), before ? before->value : value, strand);
    if (before ? !registry_publish(secrets->secrets, view_ref(view), err)
               : !registry_publish_new(secrets->secrets, view_ref(view), err))
        return NULL;
    if (write_files(secrets, view, before, err))
        return g_steal_pointer(&view);
    if (before)
        registry_publish(secrets->secrets, view_ref(before), NULL);
    else
        registry_withdraw(secrets->secrets, view->defined.view.uuid);
    return NULL;
}

static SecretView *
define(SecretDriver *secrets, Secret *take_config, GBytes *value, GError **err)
{
    g_autoptr(Secret) config = take_config;
    char uuid[UUID_TEXT];
    Strand *strand;
    SecretView *view;

    uuid_format(config->uuid, uuid);
    strand =
        defined_enter(secrets->secrets, secrets->host->pool, "secret", config->uuid, uuid, err);
    if (!strand)
        return NULL;
    view = define_on_strand(secrets, g_steal_pointer(&config), value, strand, err);
    if (view) {
        log_info(LOG_SECRET, "secret %s: defined", uuid);
        emit_lifecycle(secrets, view, VIR_SECRET_EVENT_DEFINED);
    }
    defined_leave(strand);
    return view;
}

static bool
secret_define_xml(Call *call, const RemoteSecretDefineXmlArgs *args, RemoteSecretDefineXmlRet *ret,
                  GError **err)
{
    g_autoptr(Secret) config = NULL;
    g_autoptr(SecretView) view = NULL;

    if (!call_check_flags(call, args->flags, VIR_SECRET_DEFINE_VALIDATE, ERROR_DOMAIN, err) ||
        (args->flags & VIR_SECRET_DEFINE_VALIDATE &&
         !model_validate(&secret_model, args->xml, err)))
        return false;
    config = secret_read(args->xml, err);
    if (!config)
        return false;
    view = define(secret_of_call(call), g_steal_pointer(&config), NULL, err);
    if (view)
        secret_view_fill_wire(view, &ret->secret);
    return view != NULL;
}

bool
secret_make(Driver *driver, int usage_type, const char *usage_id, GBytes *value, guchar uuid[16],
            GError **err)
{
    g_autoptr(Secret) config = secret_new();
    g_autoptr(SecretView) view = NULL;

    uuid_generate(config->uuid);
    config->has_uuid = true;
    config->private = true;
    memcpy(uuid, config->uuid, sizeof config->uuid);
    secret_set_usage(config, usage_type, usage_id);
    if (!secret_check(config, NULL, err))
        return false;
    view = define(driver->state, g_steal_pointer(&config), value, err);
    return view != NULL;
}

/* ---- undefine, values ---- */

static bool
secret_undefine(Call *call, const RemoteSecretUndefineArgs *args, GError **err)
{
    SecretDriver *secrets = secret_of_call(call);
    g_autoptr(SecretView) view = secret_view_find(secrets, args->secret.uuid, err);
    char uuid[UUID_TEXT];

    if (!view || !remove_files(secrets, args->secret.uuid, err))
        return false;
    registry_withdraw(secrets->secrets, args->secret.uuid);
    uuid_format(args->secret.uuid, uuid);
    log_info(LOG_SECRET, "secret %s: undefined", uuid);
    emit_lifecycle(secrets, view, VIR_SECRET_EVENT_UNDEFINED);
    return true;
}

static bool
secret_set_value(Call *call, const RemoteSecretSetValueArgs *args, GError **err)
{
    SecretDriver *secrets = secret_of_call(call);
    g_autoptr(GBytes) value = secret_bytes_new(args->value.items, args->value.count);
    g_autoptr(SecretView) before = NULL;
    g_autoptr(SecretView) view = NULL;
    char uuid[UUID_TEXT];

    /* The caller's copy goes back to the allocator with the arguments. */
    if (args->value.count)
        explicit_bzero(args->value.items, args->value.count);
    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    before = secret_view_find(secrets, args->secret.uuid, err);
    if (!before || (!secret_view_config(before)->ephemeral &&
                    !secret_save_value(secrets, args->secret.uuid, value, err)))
        return false;
    view = secret_view_new(secret_copy(secret_view_config(before)), value, before->defined.strand);
    if (!registry_publish(secrets->secrets, view_ref(view), err))
        return false;
    uuid_format(args->secret.uuid, uuid);
    log_info(LOG_SECRET, "secret %s: value set", uuid);
    emit_value_changed(secrets, view);
    return true;
}

void
secret_change_slots(DriverSlots *slots)
{
    slots->secret_define_xml = secret_define_xml;
    slots->secret_undefine = secret_undefine;
    slots->secret_set_value = secret_set_value;
}
