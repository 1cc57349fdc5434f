/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which volumes there are and what they are. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "driver/storage/vpool.h"

static VPoolView *
active_view(const Call *call, const RemoteNonnullStoragePool *wire, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, wire, err);

    return view && vpool_require_active(view, err) ? g_steal_pointer(&view) : NULL;
}

static guint
n_volumes(const VPoolView *view)
{
    return view->volumes ? view->volumes->len : 0;
}

/* ---- lists, from the view ---- */

static bool
storage_pool_num_of_volumes(Call *call, const RemoteStoragePoolNumOfVolumesArgs *args,
                            RemoteStoragePoolNumOfVolumesRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = active_view(call, &args->pool, err);

    ret->num = view ? (gint32)n_volumes(view) : 0;
    return view != NULL;
}

static bool
storage_pool_list_volumes(Call *call, const RemoteStoragePoolListVolumesArgs *args,
                          RemoteStoragePoolListVolumesRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = active_view(call, &args->pool, err);

    if (!view)
        return false;
    ret->names.count = MIN(n_volumes(view), (guint)MAX(args->maxnames, 0));
    ret->names.items = g_new0(char *, ret->names.count);
    for (guint i = 0; i < ret->names.count; i++)
        ret->names.items[i] = g_strdup(((const Volume *)view->volumes->pdata[i])->info->name);
    return true;
}

static bool
storage_pool_list_all_volumes(Call *call, const RemoteStoragePoolListAllVolumesArgs *args,
                              RemoteStoragePoolListAllVolumesRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = active_view(call, &args->pool, err);

    if (!view || !storage_check_flags(call, args->flags, 0, err))
        return false;
    ret->ret = n_volumes(view);
    if (!args->need_results)
        return true;
    ret->vols.count = n_volumes(view);
    ret->vols.items = g_new0(RemoteNonnullStorageVol, ret->vols.count);
    for (guint i = 0; i < ret->vols.count; i++)
        volume_fill_wire(view->volumes->pdata[i], view->view.name, &ret->vols.items[i]);
    return true;
}

/* ---- look-ups, from the views ---- */

static bool
storage_vol_lookup_by_name(Call *call, const RemoteStorageVolLookupByNameArgs *args,
                           RemoteStorageVolLookupByNameRet *ret, GError **err)
{
    g_autoptr(VPoolView) view = active_view(call, &args->pool, err);
    const Volume *volume;

    if (!view)
        return false;
    volume = volume_find(view->volumes, args->name);
    if (!volume)
        return fail(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching name '%s'",
                    args->name);
    volume_fill_wire(volume, view->view.name, &ret->vol);
    return true;
}

/* The volume at @path, which is its key too: the pool is the one whose folder it lies in. */
static bool
find_by_path(const Call *call, const char *path, RemoteNonnullStorageVol *wire)
{
    g_autoptr(GPtrArray) views = registry_list(storage_of_call(call)->pools);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);

    for (guint i = 0; i < views->len; i++) {
        const VPoolView *view = views->pdata[i];
        const Volume *volume = NULL;

        if (view->is_active && g_strcmp0(view->folder, folder) == 0)
            volume = volume_find(view->volumes, name);
        if (volume) {
            volume_fill_wire(volume, view->view.name, wire);
            return true;
        }
    }
    return false;
}

static bool
storage_vol_lookup_by_key(Call *call, const RemoteStorageVolLookupByKeyArgs *args,
                          RemoteStorageVolLookupByKeyRet *ret, GError **err)
{
    return find_by_path(call, args->key, &ret->vol) ||
           fail(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching key %s", args->key);
}

static bool
storage_vol_lookup_by_path(Call *call, const RemoteStorageVolLookupByPathArgs *args,
                           RemoteStorageVolLookupByPathRet *ret, GError **err)
{
    g_autofree char *path = storage_path_clean(args->path);

    return find_by_path(call, path, &ret->vol) ||
           fail(err, VIR_ERR_NO_STORAGE_VOL, "no storage vol with matching path '%s'", args->path);
}

/* ---- one volume, on a worker: its file is looked at ---- */

static bool
get_info(Call *call, const RemoteNonnullStorageVol *wire, bool wants_physical, gchar *type,
         guint64 *capacity, guint64 *allocation, GError **err)
{
    g_autoptr(Volume) volume = volume_of_call(call, wire, NULL, err);
    g_autoptr(StorageVolume) info = volume ? volume_look(volume, err) : NULL;

    if (!info)
        return false;
    *type = (gchar)(info->type - 1);
    *capacity = info->capacity;
    *allocation = wants_physical ? info->physical : info->allocation;
    return true;
}

static bool
storage_vol_get_info(Call *call, const RemoteStorageVolGetInfoArgs *args,
                     RemoteStorageVolGetInfoRet *ret, GError **err)
{
    return get_info(call, &args->vol, false, &ret->type, &ret->capacity, &ret->allocation, err);
}

static bool
storage_vol_get_info_flags(Call *call, const RemoteStorageVolGetInfoFlagsArgs *args,
                           RemoteStorageVolGetInfoFlagsRet *ret, GError **err)
{
    return storage_check_flags(call, args->flags, VIR_STORAGE_VOL_GET_PHYSICAL, err) &&
           get_info(call, &args->vol, args->flags & VIR_STORAGE_VOL_GET_PHYSICAL, &ret->type,
                    &ret->capacity, &ret->allocation, err);
}

static bool
storage_vol_get_xml_desc(Call *call, const RemoteStorageVolGetXmlDescArgs *args,
                         RemoteStorageVolGetXmlDescRet *ret, GError **err)
{
    g_autoptr(Volume) volume = NULL;
    g_autoptr(StorageVolume) info = NULL;

    if (!storage_check_flags(call, args->flags, 0, err))
        return false;
    volume = volume_of_call(call, &args->vol, NULL, err);
    info = volume ? volume_look(volume, err) : NULL;
    if (!info)
        return false;
    ret->xml = storage_volume_format(info, 0);
    return true;
}

static bool
storage_vol_get_path(Call *call, const RemoteStorageVolGetPathArgs *args,
                     RemoteStorageVolGetPathRet *ret, GError **err)
{
    g_autoptr(Volume) volume = volume_of_call(call, &args->vol, NULL, err);

    if (!volume)
        return false;
    ret->name = g_strdup(volume->info->target.path);
    return true;
}

void
storage_volume_list_slots(DriverSlots *slots)
{
    slots->storage_pool_num_of_volumes = storage_pool_num_of_volumes;
    slots->storage_pool_list_volumes = storage_pool_list_volumes;
    slots->storage_pool_list_all_volumes = storage_pool_list_all_volumes;
    slots->storage_vol_lookup_by_name = storage_vol_lookup_by_name;
    slots->storage_vol_lookup_by_key = storage_vol_lookup_by_key;
    slots->storage_vol_lookup_by_path = storage_vol_lookup_by_path;
    slots->storage_vol_get_info = storage_vol_get_info;
    slots->storage_vol_get_info_flags = storage_vol_get_info_flags;
    slots->storage_vol_get_xml_desc = storage_vol_get_xml_desc;
    slots->storage_vol_get_path = storage_vol_get_path;
}
