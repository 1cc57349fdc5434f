/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vpool.h: life of a pool, its view, its events, its files. What starts and ends it: vpool_state.c. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/vpool.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/storage/folder.h"

VPool *
vpool_new(StorageDriver *storage, const guchar uuid[16], const char *name)
{
    VPool *pool = g_new0(VPool, 1);
    g_autofree char *strand_name = g_strconcat("pool ", name, NULL);

    g_atomic_ref_count_init(&pool->refs);
    pool->storage = storage;
    memcpy(pool->uuid, uuid, sizeof pool->uuid);
    pool->name = g_strdup(name);
    pool->strand = strand_new(storage->host->pool, strand_name);
    return pool;
}

VPool *
vpool_ref(VPool *pool)
{
    g_atomic_ref_count_inc(&pool->refs);
    return pool;
}

void
vpool_unref(VPool *pool)
{
    if (!pool || !g_atomic_ref_count_dec(&pool->refs))
        return;
    storage_pool_free(pool->config);
    storage_pool_free(pool->next);
    g_clear_pointer(&pool->volumes, g_ptr_array_unref);
    strand_unref(pool->strand);
    g_free(pool->name);
    g_free(pool);
}

/* ---- the view ---- */

static void
view_free(View *opaque)
{
    VPoolView *view = (VPoolView *)opaque;

    vpool_unref(view->pool);
    g_free(view->xml);
    g_free(view->inactive_xml);
    g_free(view->folder);
    g_free(view->next_folder);
    g_clear_pointer(&view->volumes, g_ptr_array_unref);
    g_free(view);
}

/* What an active pool shows beyond its definition: the size of its file system, and its folder's owner. */
static void
fill_live(VPoolView *view, StoragePool *live)
{
    struct statvfs fs;
    struct stat st;

    if (statvfs(live->target.path, &fs) == 0) {
        view->capacity = live->capacity = (guint64)fs.f_blocks * fs.f_frsize;
        view->available = live->available = (guint64)fs.f_bfree * fs.f_frsize;
        view->allocation = live->allocation = live->capacity - (guint64)fs.f_bfree * fs.f_frsize;
    }
    if (stat(live->target.path, &st) == 0) {
        g_autofree char *label =
            live->target.permissions ? g_strdup(live->target.permissions->label) : NULL;

        storage_permissions_free(live->target.permissions);
        live->target.permissions = folder_permissions(&st);
        live->target.permissions->label = g_steal_pointer(&label);
    }
}

static VPoolView *
view_new(VPool *pool)
{
    VPoolView *view = g_new0(VPoolView, 1);
    g_autoptr(StoragePool) live = storage_pool_copy(pool->config);

    view_init(&view->view, view_free, pool->uuid, pool->name, -1);
    view->pool = vpool_ref(pool);
    view->type = pool->config->type;
    view->is_active = pool->is_active;
    view->is_persistent = pool->is_persistent;
    view->is_autostart = pool->is_autostart;
    view->is_settling = pool->is_settling;
    view->folder = g_strdup(pool->config->target.path);
    view->next_folder = pool->next ? g_strdup(pool->next->target.path) : NULL;
    view->volumes = pool->volumes ? g_ptr_array_ref(pool->volumes) : NULL;
    if (pool->is_active)
        fill_live(view, live);
    view->xml = storage_pool_format(live, 0);
    view->inactive_xml = storage_pool_format(pool->next ? pool->next : live, 0);
    return view;
}

bool
vpool_publish(VPool *pool, GError **err)
{
    Registry *pools = pool->storage->pools;

    if (!(pool->is_known ? registry_publish(pools, view_new(pool), err)
                         : registry_publish_new(pools, view_new(pool), err)))
        return false;
    pool->is_known = true;
    return true;
}

void
vpool_withdraw(VPool *pool)
{
    if (pool->is_active || pool->is_persistent)
        return;
    pool->is_gone = true;
    if (pool->is_known)
        registry_withdraw(pool->storage->pools, pool->uuid);
}

bool
vpool_save_config(VPool *pool, GError **err)
{
    const StoragePool *config = pool->next ? pool->next : pool->config;
    g_autofree char *xml = storage_pool_format(config, 0);
    char uuid[UUID_TEXT];

    uuid_format(pool->uuid, uuid);
    return store_save(pool->storage->configs, pool->name, pool->name, uuid, xml, err);
}

/* ---- events ---- */

static void
fill_event(const VPool *pool, RemoteNonnullStoragePool *wire)
{
    wire->name = g_strdup(pool->name);
    memcpy(wire->uuid, pool->uuid, sizeof wire->uuid);
}

void
vpool_emit(VPool *pool, int event)
{
    RemoteStoragePoolEventLifecycleMsg *message = g_new0(RemoteStoragePoolEventLifecycleMsg, 1);

    fill_event(pool, &message->pool);
    message->event = event;
    events_emit(pool->storage->driver->events, API_EVENT_CLASS_STORAGE_POOL,
                VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, pool->uuid, NULL, message);
}

void
vpool_emit_refresh(VPool *pool)
{
    RemoteStoragePoolEventRefreshMsg *message = g_new0(RemoteStoragePoolEventRefreshMsg, 1);

    fill_event(pool, &message->pool);
    events_emit(pool->storage->driver->events, API_EVENT_CLASS_STORAGE_POOL,
                VIR_STORAGE_POOL_EVENT_ID_REFRESH, pool->uuid, NULL, message);
}

/* ---- look-ups ---- */

VPoolView *
vpool_view_of_call(const Call *call, const RemoteNonnullStoragePool *wire, GError **err)
{
    VPoolView *view = registry_lookup_uuid(storage_of_call(call)->pools, wire->uuid);
    char uuid[UUID_TEXT];

    if (view)
        return view;
    uuid_format(wire->uuid, uuid);
    return fail_null(err, VIR_ERR_NO_STORAGE_POOL, "no storage pool with matching uuid '%s' (%s)",
                     uuid, wire->name);
}

VPool *
vpool_of_call(const Call *call, const RemoteNonnullStoragePool *wire, GError **err)
{
    g_autoptr(VPoolView) view = vpool_view_of_call(call, wire, err);

    return view ? vpool_ref(view->pool) : NULL;
}

VPoolView *
vpool_find(StorageDriver *storage, const char *name, GError **err)
{
    VPoolView *view = registry_lookup_name(storage->pools, name);

    return view ? view
                : fail_null(err, VIR_ERR_NO_STORAGE_POOL, "no storage pool with matching name '%s'",
                            name);
}

void
vpool_fill_wire(const VPoolView *view, RemoteNonnullStoragePool *wire)
{
    wire->name = g_strdup(view->view.name);
    memcpy(wire->uuid, view->view.uuid, sizeof wire->uuid);
}

bool
vpool_require_active(const VPoolView *view, GError **err)
{
    return view->is_active ||
           fail(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is not active", view->view.name);
}

/* ---- volumes ---- */

bool
vpool_put_volume(VPool *pool, Volume *take_volume, GError **err)
{
    g_autoptr(Volume) volume = take_volume;
    GPtrArray *volumes = g_ptr_array_new_full((pool->volumes ? pool->volumes->len : 0) + 1,
                                              (GDestroyNotify)volume_unref);
    bool is_in = false;

    for (guint i = 0; pool->volumes && i < pool->volumes->len; i++) {
        Volume *other = pool->volumes->pdata[i];
        int order = strcmp(other->info->name, volume->info->name);

        if (order >= 0 && !is_in) {
            g_ptr_array_add(volumes, volume_ref(volume));
            is_in = true;
        }
        if (order != 0)
            g_ptr_array_add(volumes, volume_ref(other));
    }
    if (!is_in)
        g_ptr_array_add(volumes, volume_ref(volume));
    g_clear_pointer(&pool->volumes, g_ptr_array_unref);
    pool->volumes = volumes;
    return vpool_publish(pool, err);
}

bool
vpool_has_volume(const VPool *pool, const Volume *volume)
{
    const Volume *listed = volume_find(pool->volumes, volume->info->name);

    return pool->is_active && listed && listed->use == volume->use;
}

bool
vpool_drop_volume(VPool *pool, const Volume *volume, GError **err)
{
    GPtrArray *volumes = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref);

    for (guint i = 0; pool->volumes && i < pool->volumes->len; i++) {
        Volume *other = pool->volumes->pdata[i];

        if (other->use != volume->use)
            g_ptr_array_add(volumes, volume_ref(other));
    }
    g_clear_pointer(&pool->volumes, g_ptr_array_unref);
    pool->volumes = volumes;
    return vpool_publish(pool, err);
}

bool
vpool_enter(VPool *pool, GError **err)
{
    return strand_enter(pool->strand, -1, err);
}

void
vpool_leave(VPool *pool)
{
    strand_leave(pool->strand);
}
