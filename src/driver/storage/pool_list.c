/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which pools there are and what they are. Answered on the loop's thread, from views. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/storage/vpool.h"

/* ---- look-ups ---- */

static bool
storage_pool_lookup_by_name(Call *call, const RemoteStoragePoolLookupByNameArgs *args,
                            RemoteStoragePoolLookupByNameRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_find(storage_of_call(call), args->name, err);

    if (view)
        vpool_fill_wire(view, &ret->pool);
    return view != NULL;
}

static bool
storage_pool_lookup_by_uuid(Call *call, const RemoteStoragePoolLookupByUuidArgs *args,
                            RemoteStoragePoolLookupByUuidRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = registry_lookup_uuid(storage_of_call(call)->pools, args->uuid);
    char uuid[UUID_TEXT];

    if (!view) {
        uuid_format(args->uuid, uuid);
        return fail(err, VIR_ERR_NO_STORAGE_POOL, "no storage pool with matching uuid '%s'", uuid);
    }
    vpool_fill_wire(view, &ret->pool);
    return true;
}

static bool
storage_pool_lookup_by_volume(Call *call, const RemoteStoragePoolLookupByVolumeArgs *args,
                              RemoteStoragePoolLookupByVolumeRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_find(storage_of_call(call), args->vol.pool, err);

    if (view)
        vpool_fill_wire(view, &ret->pool);
    return view != NULL;
}

static bool
storage_pool_lookup_by_target_path(Call *call, const RemoteStoragePoolLookupByTargetPathArgs *args,
                                   RemoteStoragePoolLookupByTargetPathRet *ret, GError **err)
{
    g_autoptr(GPtrArray) views = registry_list(storage_of_call(call)->pools);
    g_autofree char *path = storage_path_clean(args->path);

    for (guint i = 0; i < views->len; i++) {
        const VPoolView *view = views->pdata[i];

        if (g_strcmp0(view->folder, path) == 0) {
            vpool_fill_wire(view, &ret->pool);
            return true;
        }
    }
    return fail(err, VIR_ERR_NO_STORAGE_POOL, "no storage pool with matching target path '%s'",
                path);
}

/* ---- lists ---- */

/* In each group of flags: none set, or one that fits. */
static bool
group_fits(guint flags, guint yes, guint no, bool is)
{
    return !(flags & (yes | no)) || (flags & (is ? yes : no));
}

static guint
type_flag(PoolType type)
{
    static const guint type_flags[POOL_TYPE_LAST] = {
        [POOL_TYPE_DIR] = VIR_CONNECT_LIST_STORAGE_POOLS_DIR,
        [POOL_TYPE_FS] = VIR_CONNECT_LIST_STORAGE_POOLS_FS,
        [POOL_TYPE_NETFS] = VIR_CONNECT_LIST_STORAGE_POOLS_NETFS,
        [POOL_TYPE_LOGICAL] = VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL,
        [POOL_TYPE_DISK] = VIR_CONNECT_LIST_STORAGE_POOLS_DISK,
        [POOL_TYPE_ISCSI] = VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI,
        [POOL_TYPE_ISCSI_DIRECT] = VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT,
        [POOL_TYPE_SCSI] = VIR_CONNECT_LIST_STORAGE_POOLS_SCSI,
        [POOL_TYPE_MPATH] = VIR_CONNECT_LIST_STORAGE_POOLS_MPATH,
        [POOL_TYPE_RBD] = VIR_CONNECT_LIST_STORAGE_POOLS_RBD,
        [POOL_TYPE_SHEEPDOG] = VIR_CONNECT_LIST_STORAGE_POOLS_SHEEPDOG,
        [POOL_TYPE_GLUSTER] = VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER,
        [POOL_TYPE_ZFS] = VIR_CONNECT_LIST_STORAGE_POOLS_ZFS,
        [POOL_TYPE_VSTORAGE] = VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE,
    };

    return type_flags[type];
}

static guint
all_types(void)
{
    guint flags = 0;

    for (PoolType type = POOL_TYPE_DIR; type < POOL_TYPE_LAST; type++)
        flags |= type_flag(type);
    return flags;
}

static bool
view_fits(const VPoolView *view, guint flags)
{
    const guint types = flags & all_types();

    return group_fits(flags, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
                      VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, view->is_active) &&
           group_fits(flags, VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT,
                      VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT, view->is_persistent) &&
           group_fits(flags, VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART,
                      VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART, view->is_autostart) &&
           (!types || (types & type_flag(view->type)));
}

/* The views that fit: borrowed, as long as the list of all lives. */
static GPtrArray *
views_that_fit(GPtrArray *views, guint flags)
{
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; i < views->len; i++) {
        if (view_fits(views->pdata[i], flags))
            g_ptr_array_add(found, views->pdata[i]);
    }
    return found;
}

static bool
connect_list_all_storage_pools(Call *call, const RemoteConnectListAllStoragePoolsArgs *args,
                               RemoteConnectListAllStoragePoolsRet *ret, GError **err)
{
    g_autoptr(GPtrArray) views = registry_list(storage_of_call(call)->pools);
    g_autoptr(GPtrArray) found = NULL;
    const guint states =
        VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE | VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE |
        VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT | VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT |
        VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART | VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART;

    if (!storage_check_flags(call, args->flags, states | all_types(), err))
        return false;
    found = views_that_fit(views, args->flags);
    ret->ret = found->len;
    if (!args->need_results)
        return true;
    ret->pools.count = found->len;
    ret->pools.items = g_new0(RemoteNonnullStoragePool, found->len);
    for (guint i = 0; i < found->len; i++)
        vpool_fill_wire(found->pdata[i], &ret->pools.items[i]);
    return true;
}

static void
list_names(Call *call, guint flags, gint32 max, guint32 *count, char ***names)
{
    g_autoptr(GPtrArray) views = registry_list(storage_of_call(call)->pools);
    g_autoptr(GPtrArray) found = views_that_fit(views, flags);

    *count = MIN(found->len, (guint)MAX(max, 0));
    *names = g_new0(char *, *count);
    for (guint i = 0; i < *count; i++)
        (*names)[i] = g_strdup(((const VPoolView *)found->pdata[i])->view.name);
}

static gint32
count_pools(Call *call, guint flags)
{
    g_autoptr(GPtrArray) views = registry_list(storage_of_call(call)->pools);
    g_autoptr(GPtrArray) found = views_that_fit(views, flags);

    return (gint32)found->len;
}

static bool
connect_list_storage_pools(Call *call, const RemoteConnectListStoragePoolsArgs *args,
                           RemoteConnectListStoragePoolsRet *ret, GError **err)
{
    list_names(call, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, args->maxnames, &ret->names.count,
               &ret->names.items);
    return true;
}

static bool
connect_list_defined_storage_pools(Call *call, const RemoteConnectListDefinedStoragePoolsArgs *args,
                                   RemoteConnectListDefinedStoragePoolsRet *ret, GError **err)
{
    list_names(call, VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, args->maxnames, &ret->names.count,
               &ret->names.items);
    return true;
}

static bool
connect_num_of_storage_pools(Call *call, RemoteConnectNumOfStoragePoolsRet *ret, GError **err)
{
    ret->num = count_pools(call, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
    return true;
}

static bool
connect_num_of_defined_storage_pools(Call *call, RemoteConnectNumOfDefinedStoragePoolsRet *ret,
                                     GError **err)
{
    ret->num = count_pools(call, VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE);
    return true;
}

/* ---- one pool ---- */

static bool
storage_pool_get_info(Call *call, const RemoteStoragePoolGetInfoArgs *args,
                      RemoteStoragePoolGetInfoRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, &args->pool, err);

    if (!view)
        return false;
    ret->state = view->is_active ? VIR_STORAGE_POOL_RUNNING : VIR_STORAGE_POOL_INACTIVE;
    ret->capacity = view->capacity;
    ret->allocation = view->allocation;
    ret->available = view->available;
    return true;
}

static bool
storage_pool_get_xml_desc(Call *call, const RemoteStoragePoolGetXmlDescArgs *args,
                          RemoteStoragePoolGetXmlDescRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, &args->pool, err);

    if (!view || !storage_check_flags(call, args->flags, VIR_STORAGE_XML_INACTIVE, err))
        return false;
    ret->xml = g_strdup(args->flags & VIR_STORAGE_XML_INACTIVE ? view->inactive_xml : view->xml);
    return true;
}

static bool
storage_pool_get_autostart(Call *call, const RemoteStoragePoolGetAutostartArgs *args,
                           RemoteStoragePoolGetAutostartRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, &args->pool, err);

    ret->autostart = view && view->is_autostart;
    return view != NULL;
}

static bool
storage_pool_is_active(Call *call, const RemoteStoragePoolIsActiveArgs *args,
                       RemoteStoragePoolIsActiveRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, &args->pool, err);

    ret->active = view && view->is_active;
    return view != NULL;
}

static bool
storage_pool_is_persistent(Call *call, const RemoteStoragePoolIsPersistentArgs *args,
                           RemoteStoragePoolIsPersistentRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, &args->pool, err);

    ret->persistent = view && view->is_persistent;
    return view != NULL;
}

void
storage_pool_list_slots(DriverSlots *slots)
{
    slots->storage_pool_lookup_by_name = storage_pool_lookup_by_name;
    slots->storage_pool_lookup_by_uuid = storage_pool_lookup_by_uuid;
    slots->storage_pool_lookup_by_volume = storage_pool_lookup_by_volume;
    slots->storage_pool_lookup_by_target_path = storage_pool_lookup_by_target_path;
    slots->connect_list_all_storage_pools = connect_list_all_storage_pools;
    slots->connect_list_storage_pools = connect_list_storage_pools;
    slots->connect_list_defined_storage_pools = connect_list_defined_storage_pools;
    slots->connect_num_of_storage_pools = connect_num_of_storage_pools;
    slots->connect_num_of_defined_storage_pools = connect_num_of_defined_storage_pools;
    slots->storage_pool_get_info = storage_pool_get_info;
    slots->storage_pool_get_xml_desc = storage_pool_get_xml_desc;
    slots->storage_pool_get_autostart = storage_pool_get_autostart;
    slots->storage_pool_is_active = storage_pool_is_active;
    slots->storage_pool_is_persistent = storage_pool_is_persistent;
}
