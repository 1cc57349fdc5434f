/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See secret.h. Each usage has one child that says what it is for; children of other usages are dropped. */
#define ERROR_DOMAIN VIR_FROM_SECRET
#include "model/secret.h"

#include "base/error.h"
#include "base/ids.h"

bool
secret_drop_other_purposes(SecretPurpose *purpose, const ModelRules *rules, GError **err)
{
    const SecretUsage type = purpose->type;

    if (type != SECRET_USAGE_VOLUME)
        g_clear_pointer(&purpose->volume, g_free);
    if (type != SECRET_USAGE_ISCSI)
        g_clear_pointer(&purpose->target, g_free);
    if (type == SECRET_USAGE_VOLUME || type == SECRET_USAGE_ISCSI || type == SECRET_USAGE_NONE)
        g_clear_pointer(&purpose->name, g_free);
    return true;
}

bool
secret_fill_uuid(Secret *secret, const ModelRules *rules, GError **err)
{
    if (!secret->has_uuid)
        uuid_generate(secret->uuid);
    secret->has_uuid = true;
    if (secret->usage && secret->usage->type == SECRET_USAGE_NONE)
        g_clear_pointer(&secret->usage, secret_purpose_free);
    return true;
}

bool
secret_check_purpose(const Secret *secret, const ModelRules *rules, GError **err)
{
    const SecretUsage type = secret->usage ? secret->usage->type : SECRET_USAGE_UNSET;

    if (!secret->usage || *secret_usage_id(secret))
        return true;
    return fail(err, VIR_ERR_XML_ERROR, "%s usage specified, but <%s> is missing in <usage>",
                secret_usage_to_string(type),
                type == SECRET_USAGE_VOLUME  ? "volume"
                : type == SECRET_USAGE_ISCSI ? "target"
                                             : "name");
}

Secret *
secret_read(const char *xml, GError **err)
{
    g_autoptr(Secret) secret = secret_parse(xml, 0, err);

    if (!secret || !model_fill(&secret_model, secret, NULL, err) ||
        !model_check(&secret_model, secret, NULL, err))
        return NULL;
    return g_steal_pointer(&secret);
}

int
secret_usage_type(const Secret *secret)
{
    return secret->usage ? (int)secret->usage->type - SECRET_USAGE_NONE : 0;
}

const char *
secret_usage_id(const Secret *secret)
{
    const SecretPurpose *usage = secret->usage;
    const char *id = !usage          ? NULL
                     : usage->volume ? usage->volume
                     : usage->target ? usage->target
                                     : usage->name;

    return id ? id : "";
}

void
secret_set_usage(Secret *secret, int type, const char *id)
{
    SecretPurpose *usage = secret_purpose_new();

    usage->type = (SecretUsage)(type + SECRET_USAGE_NONE);
    *(usage->type == SECRET_USAGE_VOLUME  ? &usage->volume
      : usage->type == SECRET_USAGE_ISCSI ? &usage->target
                                          : &usage->name) = g_strdup(id);
    secret_purpose_free(secret->usage);
    secret->usage = usage;
}
