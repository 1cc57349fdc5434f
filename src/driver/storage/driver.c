/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's table, its start and end. The calls are in the files that storage.h names. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/storage/vpool.h"

StorageDriver *
storage_of_call(const Call *call)
{
    return call->driver->state;
}

bool
storage_check_flags(const Call *call, guint flags, guint allowed, GError **err)
{
    if (!(flags & ~allowed))
        return true;
    return fail(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) in function %s",
                flags & ~allowed, call->proc->name);
}

static void
storage_free(StorageDriver *storage)
{
    if (!storage)
        return;
    registry_free(storage->pools);
    store_free(storage->configs);
    store_free(storage->states);
    fd_close(&storage->pid_lock);
    g_free(storage->config_dir);
    g_free(storage->state_dir);
    g_free(storage);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageDriver, storage_free)

/* ---- what the last daemon left ---- */

/* A pool of this definition, new in the registry; its files come from us, so they are not checked like a user's. */
static VPool *
take_pool(StorageDriver *storage, StoragePool *take_config, bool is_persistent, bool is_autostart)
{
    VPool *pool = vpool_new(storage, take_config->uuid, take_config->name);

    pool->config = take_config;
    pool->is_persistent = is_persistent;
    pool->is_autostart = is_autostart;
    return pool;
}

static bool
load_config(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
            void *opaque, GError **err)
{
    StorageDriver *storage = opaque;
    g_autoptr(StoragePool) config = storage_pool_read(xml, err);
    g_autoptr(VPool) pool = NULL;

    if (!config)
        return false;
    if (g_strcmp0(config->name, stem) != 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "it defines pool '%s': its name must be '%s.xml'",
                    config->name, config->name);
    pool = take_pool(storage, g_steal_pointer(&config), true, autostart);
    return vpool_publish(pool, err);
}

/* A state file says that its pool is active. */
static bool
load_state(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
           void *opaque, GError **err)
{
    StorageDriver *storage = opaque;
    g_autoptr(PoolState) state = pool_state_parse(xml, 0, err);
    g_autoptr(VPoolView) view = NULL;
    g_autoptr(VPool) pool = NULL;

    if (!state || !state->pool || !state->pool->name || !state->pool->has_uuid)
        return state ? fail(err, VIR_ERR_XML_ERROR, "it holds no pool with name and uuid") : false;
    if (!storage_pool_fill(state->pool, NULL, err) || !storage_pool_check(state->pool, NULL, err))
        return false;
    view = registry_lookup_uuid(storage->pools, state->pool->uuid);
    if (view) {
        pool = vpool_ref(view->pool);
        if (!storage_pool_equal(pool->config, state->pool)) {
            pool->next = pool->config;
            pool->config = g_steal_pointer(&state->pool);
        }
    } else {
        pool = take_pool(storage, g_steal_pointer(&state->pool), false, false);
    }
    pool->is_active = pool->is_settling = true;
    return vpool_publish(pool, err);
}

static void
resume_pool(void *data)
{
    g_autoptr(VPool) pool = data;

    vpool_resume(pool);
}

static void
autostart_pool(void *data)
{
    g_autoptr(VPool) pool = data;
    g_autoptr(GError) error = NULL;

    if (pool->is_active || pool->is_gone || vpool_begin(pool, &error))
        return;
    log_warning(LOG_STORAGE, "pool %s: not started with the daemon: %s", pool->name,
                error->message);
}

static bool
load_pools(StorageDriver *storage, GError **err)
{
    const bool was_started = store_is_autostarted(storage->state_dir);
    g_autoptr(GPtrArray) views = NULL;

    if (!store_load(storage->configs, load_config, storage, err) ||
        !store_load(storage->states, load_state, storage, err))
        return false;
    views = registry_list(storage->pools);
    for (guint i = 0; i < views->len; i++) {
        VPool *pool = ((VPoolView *)views->pdata[i])->pool;

        if (pool->is_settling)
            strand_post_internal(pool->strand, resume_pool, vpool_ref(pool));
        else if (pool->is_autostart && !was_started)
            strand_post_internal(pool->strand, autostart_pool, vpool_ref(pool));
    }
    return was_started || store_mark_autostarted(storage->state_dir, err);
}

/* ---- for other drivers ---- */

static ServiceVolume *
find_volume(Driver *driver, const char *pool_name, const char *volume_name, GError **err)
{
    g_autoptr(VPoolView) view = vpool_find(driver->state, pool_name, err);
    const Volume *volume;
    ServiceVolume *found;

    if (!view || !vpool_require_active(view, err))
        return NULL;
    volume = volume_find(view->volumes, volume_name);
    if (!volume)
        return fail_null(err, VIR_ERR_NO_STORAGE_VOL,
                         "no storage vol with matching name '%s' in pool '%s'", volume_name,
                         pool_name);
    if (volume->part)
        return fail_null(err, VIR_ERR_OPERATION_INVALID,
                         "volume '%s' of pool '%s' is still being made", volume_name, pool_name);
    found = g_new0(ServiceVolume, 1);
    found->type = (int)volume->info->type - 1;
    found->path = g_strdup(volume->info->target.path);
    found->format = g_strdup(volume->info->target.format_type);
    return found;
}

/* ---- the table ---- */

static bool
open_stores(StorageDriver *storage, GError **err)
{
    const DriverHost *host = storage->host;
    g_autofree char *autostart = NULL;
    g_autofree char *pid_file = NULL;

    storage->config_dir = g_build_filename(host->config_dir, "storage", NULL);
    storage->state_dir =
        g_build_filename(host->state_dir, "storage", host->is_system ? NULL : "run", NULL);
    autostart = g_build_filename(storage->config_dir, "autostart", NULL);
    pid_file = g_build_filename(storage->state_dir, "driver.pid", NULL);
    if (!dir_make(storage->config_dir, 0755, err) || !dir_make(storage->state_dir, 0755, err))
        return false;
    storage->pid_lock = store_lock_pid_file(pid_file, err);
    if (storage->pid_lock < 0)
        return false;
    storage->configs = store_new(storage->config_dir, autostart, "pool-edit", err);
    storage->states =
        storage->configs ? store_new(storage->state_dir, NULL, "pool-edit", err) : NULL;
    return storage->states != NULL;
}

static bool
storage_start(Driver *driver, const DriverHost *host, GError **err)
{
    g_autoptr(StorageDriver) storage = g_new0(StorageDriver, 1);

    storage->driver = driver;
    storage->host = host;
    storage->pid_lock = -1;
    storage->pools = registry_new("pool");
    if (!open_stores(storage, err) || !load_pools(storage, err))
        return false;
    driver->host->services.storage = driver;
    driver->host->services.find_volume = find_volume;
    driver->state = g_steal_pointer(&storage);
    return true;
}

static void
storage_stop(Driver *driver)
{
    driver->host->services.find_volume = NULL;
    storage_free(g_steal_pointer(&driver->state));
}

static Strand *
storage_find_strand(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    StorageDriver *storage = driver->state;
    g_autoptr(VPoolView) view = registry_lookup_uuid(storage->pools, uuid);

    return view ? strand_ref(view->pool->strand) : NULL;
}

static Strand *
storage_find_settling(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    StorageDriver *storage = driver->state;
    g_autoptr(VPoolView) view = registry_lookup_uuid(storage->pools, uuid);

    return view && view->is_settling ? strand_ref(view->pool->strand) : NULL;
}

Driver storage_driver = {
    .name = "storage",
    .folder = "storage",
    .event_classes = 1U << API_EVENT_CLASS_STORAGE_POOL,
    .error_domain = VIR_FROM_STORAGE,
    .start = storage_start,
    .stop = storage_stop,
    .find_strand = storage_find_strand,
    .find_settling = storage_find_settling,
};

/* The slots are filled by the files that implement them, before main. */
__attribute__((constructor)) static void
fill_slots(void)
{
    storage_pool_list_slots(&storage_driver.slots);
    storage_pool_define_slots(&storage_driver.slots);
    storage_pool_state_slots(&storage_driver.slots);
    storage_capabilities_slots(&storage_driver.slots);
    storage_volume_list_slots(&storage_driver.slots);
    storage_volume_create_slots(&storage_driver.slots);
    storage_volume_change_slots(&storage_driver.slots);
    storage_volume_wipe_slots(&storage_driver.slots);
    storage_volume_stream_slots(&storage_driver.slots);
}
