/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools become active and inactive, and are read anew. On the pool's strand. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/storage/folder.h"
#include "driver/storage/vpool.h"

const char *
vpool_missing(PoolType type)
{
    static const char *const missing[POOL_TYPE_LAST] = {
        [POOL_TYPE_FS] = "mounting file systems",
        [POOL_TYPE_NETFS] = "mounting network file systems",
        [POOL_TYPE_LOGICAL] = "LVM",
        [POOL_TYPE_DISK] = "partitioning disks",
        [POOL_TYPE_ISCSI] = "iSCSI sessions",
        [POOL_TYPE_ISCSI_DIRECT] = "libiscsi",
        [POOL_TYPE_SCSI] = "scanning SCSI hosts",
        [POOL_TYPE_MPATH] = "multipath devices",
        [POOL_TYPE_RBD] = "librbd",
        [POOL_TYPE_SHEEPDOG] = "Sheepdog",
        [POOL_TYPE_GLUSTER] = "libgfapi",
        [POOL_TYPE_ZFS] = "ZFS",
        [POOL_TYPE_VSTORAGE] = "Virtuozzo Storage",
    };

    return missing[type];
}

bool
vpool_check_type(const StoragePool *config, GError **err)
{
    const char *missing = vpool_missing(config->type);

    if (!missing)
        return true;
    return fail(err, VIR_ERR_NO_SUPPORT,
                "pool '%s' is of type '%s': this daemon lacks %s (pools of type 'dir' work)",
                config->name, pool_type_to_string(config->type), missing);
}

bool
vpool_refuse_building(const VPool *pool, GError **err)
{
    return pool->n_building == 0 ||
           fail(err, VIR_ERR_INTERNAL_ERROR,
                "pool '%s' has asynchronous jobs running: %u volumes are being made", pool->name,
                pool->n_building);
}

/* ---- reading the folder ---- */

static bool
is_being_made(const char *part, void *data)
{
    const VPool *pool = data;

    for (guint i = 0; pool->volumes && i < pool->volumes->len; i++) {
        const Volume *volume = pool->volumes->pdata[i];

        if (g_strcmp0(volume->part, part) == 0)
            return true;
    }
    return false;
}

/* Volumes that are being made are in no folder yet; they stay in the list. */
static void
keep_building(const GPtrArray *before, GPtrArray *volumes)
{
    for (guint i = 0; before && i < before->len; i++) {
        Volume *volume = before->pdata[i];

        if (volume->part && !volume_find(volumes, volume->info->name))
            g_ptr_array_add(volumes, volume_ref(volume));
    }
    g_ptr_array_sort(volumes, volume_compare);
}

static bool
read_volumes(VPool *pool, GError **err)
{
    g_autoptr(GPtrArray) found = folder_read(pool->config->target.path, err);
    GPtrArray *volumes;

    if (!found)
        return false;
    volumes = g_ptr_array_new_full(found->len, (GDestroyNotify)volume_unref);
    for (guint i = 0; i < found->len; i++) {
        StorageVolume *info = g_steal_pointer(&found->pdata[i]);
        const Volume *before = volume_find(pool->volumes, info->name);

        g_ptr_array_add(volumes, volume_new(info, before ? before->use : NULL));
    }
    keep_building(pool->volumes, volumes);
    g_clear_pointer(&pool->volumes, g_ptr_array_unref);
    pool->volumes = volumes;
    return true;
}

static bool
save_state(VPool *pool, GError **err)
{
    PoolState state = {.pool = pool->config};
    g_autofree char *xml = pool_state_format(&state, 0);
    char uuid[UUID_TEXT];

    uuid_format(pool->uuid, uuid);
    return store_save(pool->storage->states, pool->name, pool->name, uuid, xml, err);
}

bool
vpool_begin(VPool *pool, GError **err)
{
    if (!vpool_check_type(pool->config, err) || !read_volumes(pool, err) || !save_state(pool, err))
        return false;
    folder_sweep(pool->config->target.path, is_being_made, pool);
    pool->is_active = true;
    if (!vpool_publish(pool, err)) {
        pool->is_active = false;
        store_remove(pool->storage->states, pool->name, NULL);
        return false;
    }
    log_info(LOG_STORAGE, "pool %s: started, %u volumes", pool->name, pool->volumes->len);
    vpool_emit(pool, VIR_STORAGE_POOL_EVENT_STARTED);
    return true;
}

void
vpool_resume(VPool *pool)
{
    g_autoptr(GError) error = NULL;

    pool->is_settling = false;
    if (vpool_check_type(pool->config, &error) && read_volumes(pool, &error)) {
        folder_sweep(pool->config->target.path, is_being_made, pool);
        vpool_publish(pool, NULL);
        return;
    }
    log_warning(LOG_STORAGE, "pool %s: not active any more: %s", pool->name, error->message);
    vpool_end(pool, NULL);
}

bool
vpool_end(VPool *pool, GError **err)
{
    if (!store_remove(pool->storage->states, pool->name, err))
        return false;
    pool->is_active = false;
    g_clear_pointer(&pool->volumes, g_ptr_array_unref);
    if (pool->next) {
        storage_pool_free(pool->config);
        pool->config = g_steal_pointer(&pool->next);
    }
    log_info(LOG_STORAGE, "pool %s: stopped", pool->name);
    vpool_emit(pool, VIR_STORAGE_POOL_EVENT_STOPPED);
    if (pool->is_persistent)
        return vpool_publish(pool, err);
    vpool_withdraw(pool);
    return true;
}

bool
vpool_refresh(VPool *pool, GError **err)
{
    if (!read_volumes(pool, err)) {
        log_warning(LOG_STORAGE, "pool %s: cannot be read: stopped", pool->name);
        vpool_end(pool, NULL);
        return false;
    }
    folder_sweep(pool->config->target.path, is_being_made, pool);
    if (!vpool_publish(pool, err))
        return false;
    vpool_emit_refresh(pool);
    return true;
}

/* ---- making the folder ---- */

bool
vpool_build(VPool *pool, GError **err)
{
    const StoragePermissions *permissions = pool->config->target.permissions;
    const char *path = pool->config->target.path;
    const mode_t mode = permissions && permissions->has_mode ? permissions->mode : 0711;
    const uid_t owner =
        permissions && permissions->has_owner ? (uid_t)permissions->owner : (uid_t)-1;
    const gid_t group =
        permissions && permissions->has_group ? (gid_t)permissions->group : (gid_t)-1;
    g_autofree char *parent = g_path_get_dirname(path);
    bool is_new;

    if (!vpool_check_type(pool->config, err) || !dir_make(parent, 0755, err))
        return false;
    is_new = mkdir(path, mode) == 0;
    if (!is_new && errno != EEXIST)
        return fail_errno(err, "make the folder", path);
    if (!is_new && !g_file_test(path, G_FILE_TEST_IS_DIR))
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "'%s', the folder of pool '%s', exists and is no folder", path, pool->name);
    if ((is_new || (permissions && permissions->has_mode)) && chmod(path, mode) < 0)
        return fail_errno(err, "set the mode of", path);
    if ((owner != (uid_t)-1 || group != (gid_t)-1) && chown(path, owner, group) < 0)
        return fail_errno(err, "set the owner of", path);
    return dir_sync_parent(path, err);
}
