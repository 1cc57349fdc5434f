/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of volumes that hold in pools of every type. See pool.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE
#include <string.h>

#include "base/error.h"
#include "model/pool.h"

static bool
check_compat(const char *compat, GError **err)
{
    char **parts = g_strsplit(compat, ".", -1);
    bool is_good = g_strv_length(parts) == 2;

    for (int i = 0; is_good && parts[i]; i++)
        is_good = *parts[i] && strspn(parts[i], "0123456789") == strlen(parts[i]);
    g_strfreev(parts);
    return is_good || fail(err, VIR_ERR_XML_ERROR, "forbidden characters in 'compat' attribute");
}

static bool
check_format(const char *format, GError **err)
{
    return !format || volume_format_is_known(format) ||
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unknown volume format type %s", format);
}

bool
storage_volume_check_target(const StorageVolume *volume, const ModelRules *rules, GError **err)
{
    const VolumeTarget *target = &volume->target;

    if (!*volume->name)
        return fail(err, VIR_ERR_XML_ERROR, "missing volume name element");
    if (!check_format(target->format_type, err) ||
        (volume->backing_store && !check_format(volume->backing_store->format_type, err)))
        return false;
    return !target->compat || check_compat(target->compat, err);
}

StorageVolume *
storage_volume_read(const char *xml, bool is_copy, GError **err)
{
    g_autoptr(StorageVolume) volume = storage_volume_parse(xml, 0, err);

    if (!volume || !storage_volume_fill(volume, NULL, err) ||
        !storage_volume_check(volume, NULL, err))
        return NULL;
    if (!volume->has_capacity && !is_copy &&
        !(volume->backing_store && volume->backing_store->path))
        return fail_null(err, VIR_ERR_XML_ERROR, "missing capacity element");
    return g_steal_pointer(&volume);
}
