/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pools of each type offer, and looking for sources of pools. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/storage/vpool.h"

static void
append_options(GString *out, const char *element, const char *enum_name, const char *const *words,
               const char *default_word)
{
    if (!words)
        return;
    g_string_append_printf(out, "    <%s>\n      <defaultFormat type='%s'/>\n", element,
                           default_word);
    g_string_append_printf(out, "      <enum name='%s'>\n", enum_name);
    for (; *words; words++)
        g_string_append_printf(out, "        <value>%s</value>\n", *words);
    g_string_append_printf(out, "      </enum>\n    </%s>\n", element);
}

static bool
connect_get_storage_pool_capabilities(Call *call,
                                      const RemoteConnectGetStoragePoolCapabilitiesArgs *args,
                                      RemoteConnectGetStoragePoolCapabilitiesRet *ret, GError **err)
{
    g_autoptr(GString) out = g_string_new("<storagepoolCapabilities>\n");

    if (!storage_check_flags(call, args->flags, 0, err))
        return false;
    for (PoolType type = POOL_TYPE_DIR; type < POOL_TYPE_LAST; type++) {
        const PoolTypeInfo *info = pool_type_info(type);

        g_string_append_printf(out, "  <pool type='%s' supported='%s'>\n",
                               pool_type_to_string(type), vpool_missing(type) ? "no" : "yes");
        append_options(out, "poolOptions", "sourceFormatType", info->formats, info->default_format);
        append_options(out, "volOptions", "targetFormatType", info->volume_formats,
                       info->default_volume_format);
        g_string_append(out, "  </pool>\n");
    }
    g_string_append(out, "</storagepoolCapabilities>\n");
    ret->capabilities = g_string_free(g_steal_pointer(&out), false);
    return true;
}

static bool
connect_find_storage_pool_sources(Call *call, const RemoteConnectFindStoragePoolSourcesArgs *args,
                                  RemoteConnectFindStoragePoolSourcesRet *ret, GError **err)
{
    const PoolType type = pool_type_from_string(args->type);

    if (!storage_check_flags(call, args->flags, 0, err))
        return false;
    if (type == POOL_TYPE_UNSET)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "unknown storage pool type %s", args->type);
    if (vpool_missing(type))
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "looking for sources of pools of type '%s': this daemon lacks %s", args->type,
                    vpool_missing(type));
    return fail(err, VIR_ERR_NO_SUPPORT, "pool type '%s' does not support source discovery",
                args->type);
}

void
storage_capabilities_slots(DriverSlots *slots)
{
    slots->connect_get_storage_pool_capabilities = connect_get_storage_pool_capabilities;
    slots->connect_find_storage_pool_sources = connect_find_storage_pool_sources;
}
