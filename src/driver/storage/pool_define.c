/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defining, creating and undefining pools; autostart. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/storage/vpool.h"

/* ---- may it be? ---- */

/* Upstream's daemons have no back end for these in any build; a definition of one would never be of use. */
static bool
check_backend(const StoragePool *config, GError **err)
{
    if (config->type != POOL_TYPE_SHEEPDOG && config->type != POOL_TYPE_VSTORAGE)
        return true;
    return fail(err, VIR_ERR_INTERNAL_ERROR, "missing backend for pool type %d (%s)",
                (int)config->type - 1, pool_type_to_string(config->type));
}

static StoragePool *
read_config(Call *call, const char *xml, bool must_validate, GError **err)
{
    const StorageDriver *storage = storage_of_call(call);
    g_autoptr(StoragePool) config = NULL;

    if (must_validate && !model_validate(&storage_pool_model, xml, err))
        return NULL;
    config = storage_pool_read(xml, err);
    if (!config || !store_check_name(storage->configs, config->name, err) ||
        !check_backend(config, err))
        return NULL;
    return g_steal_pointer(&config);
}

static bool
folder_conflicts(const VPoolView *other, const StoragePool *config)
{
    if (!config->target.path ||
        (config->type == POOL_TYPE_DISK || config->type == POOL_TYPE_ISCSI ||
         config->type == POOL_TYPE_SCSI || config->type == POOL_TYPE_MPATH))
        return false; /* these share /dev and what is below */
    return other->type == config->type && (g_strcmp0(other->folder, config->target.path) == 0 ||
                                           g_strcmp0(other->next_folder, config->target.path) == 0);
}

/* Name and UUID belong to the same pool or to none, and no other pool has the folder. */
static bool
check_identity(StorageDriver *storage, const StoragePool *config, GError **err)
{
    g_autoptr(GPtrArray) views = registry_list(storage->pools);
    char uuid[UUID_TEXT];

    for (guint i = 0; i < views->len; i++) {
        const VPoolView *view = views->pdata[i];
        const bool has_name = strcmp(view->view.name, config->name) == 0;
        const bool has_uuid = uuid_equal(view->view.uuid, config->uuid);

        uuid_format(view->view.uuid, uuid);
        if (has_name && !has_uuid)
            return fail(err, VIR_ERR_OPERATION_FAILED, "pool '%s' already exists with uuid %s",
                        config->name, uuid);
        if (has_uuid && !has_name)
            return fail(err, VIR_ERR_OPERATION_FAILED,
                        "pool '%s' is already defined with uuid %s: give '%s' another",
                        view->view.name, uuid, config->name);
        if (!has_uuid && folder_conflicts(view, config))
            return fail(err, VIR_ERR_OPERATION_FAILED,
                        "Storage source conflict with pool: '%s' has the folder '%s' already",
                        view->view.name, config->target.path);
    }
    return true;
}

/* The pool of @config's UUID, or a new one that nobody knows yet. */
static VPool *
find_or_make(StorageDriver *storage, const StoragePool *config, bool *is_new, GError **err)
{
    g_autoptr(VPoolView) view = NULL;

    if (!check_identity(storage, config, err))
        return NULL;
    view = registry_lookup_uuid(storage->pools, config->uuid);
    *is_new = !view;
    return view ? vpool_ref(view->pool) : vpool_new(storage, config->uuid, config->name);
}

/* ---- define ---- */

static bool
fail_gone(const VPool *pool, GError **err)
{
    return fail(err, VIR_ERR_OPERATION_FAILED, "pool '%s' was undefined meanwhile", pool->name);
}

/* On the strand. What was defined before comes back when the file cannot be written. */
static bool
set_config(VPool *pool, StoragePool *take_config, GError **err)
{
    StoragePool **place = pool->is_active ? &pool->next : &pool->config;
    StoragePool *before = *place;
    const bool was_persistent = pool->is_persistent;

    *place = take_config;
    pool->is_persistent = true;
    if (!vpool_save_config(pool, err)) {
        *place = before;
        pool->is_persistent = was_persistent;
        storage_pool_free(take_config);
        return false;
    }
    storage_pool_free(before);
    return vpool_publish(pool, err);
}

static bool
define_on_strand(VPool *pool, StoragePool *take_config, bool is_new, GError **err)
{
    if (is_new) {
        pool->config = take_config;
        pool->is_persistent = true;
        if (vpool_publish(pool, err) && vpool_save_config(pool, err))
            return true;
        pool->is_persistent = false;
        vpool_withdraw(pool);
        return false;
    }
    if (pool->is_gone) {
        storage_pool_free(take_config);
        return fail_gone(pool, err);
    }
    return set_config(pool, take_config, err);
}

static bool
storage_pool_define_xml(Call *call, const RemoteStoragePoolDefineXmlArgs *args,
                        RemoteStoragePoolDefineXmlRet *ret, GError **err)
{
    StorageDriver *storage = storage_of_call(call);
    g_autoptr(StoragePool) config = NULL;
    g_autoptr(VPool) pool = NULL;
    bool is_new, is_good;

    if (!storage_check_flags(call, args->flags, VIR_STORAGE_POOL_DEFINE_VALIDATE, err))
        return false;
    config = read_config(call, args->xml, args->flags & VIR_STORAGE_POOL_DEFINE_VALIDATE, err);
    pool = config ? find_or_make(storage, config, &is_new, err) : NULL;
    if (!pool || !vpool_enter(pool, err))
        return false;
    is_good = define_on_strand(pool, g_steal_pointer(&config), is_new, err);
    if (is_good) {
        log_info(LOG_STORAGE, "pool %s: defined", pool->name);
        vpool_emit(pool, VIR_STORAGE_POOL_EVENT_DEFINED);
        ret->pool.name = g_strdup(pool->name);
        memcpy(ret->pool.uuid, pool->uuid, sizeof ret->pool.uuid);
    }
    vpool_leave(pool);
    return is_good;
}

/* ---- create ---- */

#define BUILD_FLAGS                                                                      \
    (VIR_STORAGE_POOL_CREATE_WITH_BUILD | VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE | \
     VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE)

/* A transient pool: build it if asked to, and begin. It is known only once it is active. */
static bool
create_on_strand(VPool *pool, StoragePool *take_config, bool is_new, guint flags, GError **err)
{
    g_autoptr(StoragePool) before = NULL;

    if (pool->is_gone || pool->is_active) {
        storage_pool_free(take_config);
        return pool->is_gone ? fail_gone(pool, err)
                             : fail(err, VIR_ERR_OPERATION_INVALID,
                                    "pool is already active as '%s'", pool->name);
    }
    before = pool->config;
    pool->config = take_config;
    if ((!(flags & VIR_STORAGE_POOL_CREATE_WITH_BUILD) || vpool_build(pool, err)) &&
        vpool_begin(pool, err)) {
        if (pool->is_persistent)
            pool->next = g_steal_pointer(&before);
        return true;
    }
    if (is_new)
        return false;
    storage_pool_free(pool->config);
    pool->config = g_steal_pointer(&before);
    return false;
}

static bool
storage_pool_create_xml(Call *call, const RemoteStoragePoolCreateXmlArgs *args,
                        RemoteStoragePoolCreateXmlRet *ret, GError **err)
{
    StorageDriver *storage = storage_of_call(call);
    g_autoptr(StoragePool) config = NULL;
    g_autoptr(VPool) pool = NULL;
    bool is_new, is_good;

    if (!storage_check_flags(call, args->flags, BUILD_FLAGS, err))
        return false;
    if (args->flags & (VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE |
                       VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE))
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "a folder is never formatted: build it without the flags about overwriting");
    config = read_config(call, args->xml, false, err);
    pool = config ? find_or_make(storage, config, &is_new, err) : NULL;
    if (!pool || !vpool_enter(pool, err))
        return false;
    is_good = create_on_strand(pool, g_steal_pointer(&config), is_new, args->flags, err);
    if (is_good) {
        ret->pool.name = g_strdup(pool->name);
        memcpy(ret->pool.uuid, pool->uuid, sizeof ret->pool.uuid);
    }
    vpool_leave(pool);
    return is_good;
}

/* ---- undefine, autostart ---- */

static bool
storage_pool_undefine(Call *call, const RemoteStoragePoolUndefineArgs *args, GError **err)
{
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);

    if (!pool)
        return false;
    if (pool->is_active)
        return fail(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is still active",
                    pool->name);
    if (!vpool_refuse_building(pool, err) || !store_remove(pool->storage->configs, pool->name, err))
        return false;
    pool->is_persistent = pool->is_autostart = false;
    vpool_withdraw(pool);
    log_info(LOG_STORAGE, "pool %s: undefined", pool->name);
    vpool_emit(pool, VIR_STORAGE_POOL_EVENT_UNDEFINED);
    return true;
}

static bool
storage_pool_set_autostart(Call *call, const RemoteStoragePoolSetAutostartArgs *args, GError **err)
{
    g_autoptr(VPool) pool = vpool_of_call(call, &args->pool, err);
    const bool autostart = args->autostart != 0;

    if (!pool)
        return false;
    if (!pool->is_persistent)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "pool '%s' has no config file: define it before it can start with the daemon",
                    pool->name);
    if (pool->is_autostart == autostart)
        return true;
    if (!store_set_autostart(pool->storage->configs, pool->name, autostart, err))
        return false;
    pool->is_autostart = autostart;
    return vpool_publish(pool, err);
}

void
storage_pool_define_slots(DriverSlots *slots)
{
    slots->storage_pool_define_xml = storage_pool_define_xml;
    slots->storage_pool_create_xml = storage_pool_create_xml;
    slots->storage_pool_undefine = storage_pool_undefine;
    slots->storage_pool_set_autostart = storage_pool_set_autostart;
}
