/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which secrets there are, what they are for, and their values. Answered on the loop's thread, from views. */
#define ERROR_DOMAIN VIR_FROM_SECRET

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/secret/secret.h"

static bool
fits(const void *opaque, guint flags)
{
    const Secret *secret = secret_view_config(opaque);

    return flags_fit(flags, VIR_CONNECT_LIST_SECRETS_EPHEMERAL,
                     VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL, secret->ephemeral) &&
           flags_fit(flags, VIR_CONNECT_LIST_SECRETS_PRIVATE, VIR_CONNECT_LIST_SECRETS_NO_PRIVATE,
                     secret->private);
}

static bool
connect_list_all_secrets(Call *call, const RemoteConnectListAllSecretsArgs *args,
                         RemoteConnectListAllSecretsRet *ret, GError **err)
{
    const guint filters = VIR_CONNECT_LIST_SECRETS_EPHEMERAL |
                          VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL | VIR_CONNECT_LIST_SECRETS_PRIVATE |
                          VIR_CONNECT_LIST_SECRETS_NO_PRIVATE;
    g_autoptr(GPtrArray) found = NULL;

    if (!call_check_flags(call, args->flags, filters, ERROR_DOMAIN, err))
        return false;
    found = defined_list(secret_of_call(call)->secrets, fits, args->flags);
    ret->ret = found->len;
    if (!args->need_results)
        return true;
    ret->secrets.count = found->len;
    ret->secrets.items = g_new0(RemoteNonnullSecret, found->len);
    for (guint i = 0; i < found->len; i++)
        secret_view_fill_wire(found->pdata[i], &ret->secrets.items[i]);
    return true;
}

static bool
connect_num_of_secrets(Call *call, RemoteConnectNumOfSecretsRet *ret, GError **err)
{
    ret->num = (gint32)registry_size(secret_of_call(call)->secrets);
    return true;
}

static bool
connect_list_secrets(Call *call, const RemoteConnectListSecretsArgs *args,
                     RemoteConnectListSecretsRet *ret, GError **err)
{
    g_autoptr(GPtrArray) all = registry_list(secret_of_call(call)->secrets);
    char uuid[UUID_TEXT];

    ret->uuids.count = MIN(all->len, (guint)MAX(args->maxuuids, 0));
    ret->uuids.items = g_new0(char *, ret->uuids.count);
    for (guint i = 0; i < ret->uuids.count; i++) {
        uuid_format(((const View *)all->pdata[i])->uuid, uuid);
        ret->uuids.items[i] = g_strdup(uuid);
    }
    return true;
}

static bool
secret_lookup_by_uuid(Call *call, const RemoteSecretLookupByUuidArgs *args,
                      RemoteSecretLookupByUuidRet *ret, GError **err)
{
    g_autoptr(SecretView) view = secret_view_find(secret_of_call(call), args->uuid, err);

    if (view)
        secret_view_fill_wire(view, &ret->secret);
    return view != NULL;
}

static bool
secret_lookup_by_usage(Call *call, const RemoteSecretLookupByUsageArgs *args,
                       RemoteSecretLookupByUsageRet *ret, GError **err)
{
    g_autoptr(SecretView) view =
        secret_view_find_usage(secret_of_call(call), args->usageType, args->usageID, err);

    if (view)
        secret_view_fill_wire(view, &ret->secret);
    return view != NULL;
}

static bool
secret_get_xml_desc(Call *call, const RemoteSecretGetXmlDescArgs *args,
                    RemoteSecretGetXmlDescRet *ret, GError **err)
{
    g_autoptr(SecretView) view = NULL;

    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    view = secret_view_find(secret_of_call(call), args->secret.uuid, err);
    if (view)
        ret->xml = secret_format(secret_view_config(view), 0);
    return view != NULL;
}

static bool
secret_get_value(Call *call, const RemoteSecretGetValueArgs *args, RemoteSecretGetValueRet *ret,
                 GError **err)
{
    g_autoptr(SecretView) view = NULL;
    char uuid[UUID_TEXT];
    const void *bytes;
    gsize len;

    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    view = secret_view_find(secret_of_call(call), args->secret.uuid, err);
    if (!view)
        return false;
    uuid_format(args->secret.uuid, uuid);
    if (!view->value)
        return fail(err, VIR_ERR_NO_SECRET, "secret '%s' does not have a value", uuid);
    if (secret_view_config(view)->private)
        return fail(err, VIR_ERR_INVALID_SECRET,
                    "secret '%s' is private: its value is for the daemon's own use only", uuid);
    bytes = g_bytes_get_data(view->value, &len);
    ret->value.items = g_memdup2(bytes, len);
    ret->value.count = (guint32)len;
    return true;
}

void
secret_list_slots(DriverSlots *slots)
{
    slots->connect_list_all_secrets = connect_list_all_secrets;
    slots->connect_num_of_secrets = connect_num_of_secrets;
    slots->connect_list_secrets = connect_list_secrets;
    slots->secret_lookup_by_uuid = secret_lookup_by_uuid;
    slots->secret_lookup_by_usage = secret_lookup_by_usage;
    slots->secret_get_xml_desc = secret_get_xml_desc;
    slots->secret_get_value = secret_get_value;
}
