/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of storage pools: what a type's source may hold, what is filled in, what is missing. See pool.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE
#include "model/pool.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"

static const char *const fs_formats[] = {"auto",    "ext2", "ext3",  "ext4", "ufs",
                                         "iso9660", "udf",  "gfs",   "gfs2", "vfat",
                                         "hfs+",    "xfs",  "ocfs2", "vmfs", NULL};
static const char *const netfs_formats[] = {"auto", "nfs", "glusterfs", "cifs", NULL};
static const char *const logical_formats[] = {"unknown", "lvm2", NULL};
static const char *const disk_formats[] = {"unknown", "dos",  "dvh", "gpt",  "mac",
                                           "bsd",     "pc98", "sun", "lvm2", NULL};
static const char *const image_formats[] = {"none", "raw",  "dir",   "bochs", "cloop", "dmg",
                                            "iso",  "vpc",  "vdi",   "fat",   "vhd",   "ploop",
                                            "cow",  "qcow", "qcow2", "qed",   "vmdk",  NULL};
static const char *const partition_kinds[] = {
    "none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended", NULL};
static const char *const no_formats[] = {NULL};

static const PoolTypeInfo types[POOL_TYPE_LAST] = {
    [POOL_TYPE_DIR] = {POOL_MAKES_IMAGES, NULL, NULL, image_formats, "raw"},
    [POOL_TYPE_FS] = {POOL_HAS_DEVICE | POOL_NEEDS_DEVICE | POOL_MAKES_IMAGES | POOL_HAS_MOUNT_OPTS,
                      fs_formats, "auto", image_formats, "raw"},
    [POOL_TYPE_NETFS] = {POOL_HAS_HOST | POOL_NEEDS_HOST | POOL_HAS_DIR | POOL_MAKES_IMAGES |
                             POOL_HAS_MOUNT_OPTS,
                         netfs_formats, "auto", image_formats, "raw"},
    [POOL_TYPE_LOGICAL] = {POOL_HAS_DEVICE | POOL_HAS_NAME, logical_formats, "lvm2", NULL, NULL},
    [POOL_TYPE_DISK] = {POOL_HAS_DEVICE | POOL_NEEDS_DEVICE, disk_formats, "unknown",
                        partition_kinds, "none"},
    [POOL_TYPE_ISCSI] = {POOL_HAS_HOST | POOL_NEEDS_HOST | POOL_HAS_DEVICE | POOL_HAS_INITIATOR},
    [POOL_TYPE_ISCSI_DIRECT] = {POOL_HAS_HOST | POOL_NEEDS_HOST | POOL_HAS_DEVICE |
                                POOL_HAS_INITIATOR | POOL_IS_NETWORK},
    [POOL_TYPE_SCSI] = {POOL_HAS_ADAPTER},
    [POOL_TYPE_MPATH] = {0},
    [POOL_TYPE_RBD] = {POOL_HAS_HOST | POOL_NEEDS_HOST | POOL_HAS_NAME | POOL_IS_NETWORK, NULL,
                       NULL, no_formats, "raw"},
    [POOL_TYPE_SHEEPDOG] = {POOL_HAS_HOST | POOL_NEEDS_HOST | POOL_HAS_NAME | POOL_IS_NETWORK},
    [POOL_TYPE_GLUSTER] = {POOL_HAS_HOST | POOL_NEEDS_HOST | POOL_HAS_NAME | POOL_HAS_DIR |
                               POOL_IS_NETWORK,
                           NULL, NULL, image_formats, "raw"},
    [POOL_TYPE_ZFS] = {POOL_HAS_DEVICE | POOL_HAS_NAME},
    [POOL_TYPE_VSTORAGE] = {POOL_HAS_NAME, NULL, NULL, image_formats, "raw"},
};

const PoolTypeInfo *
pool_type_info(PoolType type)
{
    return &types[type];
}

bool
pool_type_has_format(PoolType type, const char *format)
{
    return types[type].formats && g_strv_contains(types[type].formats, format);
}

bool
volume_format_is_known(const char *format)
{
    return g_strv_contains(image_formats + 1, format);
}

char *
storage_path_clean(const char *path)
{
    GString *out = g_string_new(NULL);

    if (path[0] == '/' && path[1] == '/' && path[2] != '/')
        g_string_append_c(out, '/');
    for (const char *at = path; *at; at++) {
        if (*at == '/' && (at[1] == '/' || (at[1] == '\0' && at != path && out->len > 0)))
            continue;
        g_string_append_c(out, *at);
    }
    if (out->len == 0 && path[0] == '/')
        g_string_append_c(out, '/');
    return g_string_free(out, false);
}

static void
clean_path(char **path)
{
    char *cleaned = *path ? storage_path_clean(*path) : NULL;

    g_free(*path);
    *path = cleaned;
}

bool
storage_permissions_fill_unset(StoragePermissions *permissions, const ModelRules *rules,
                               GError **err)
{
    if (permissions->has_owner && (guint32)permissions->owner == G_MAXUINT32)
        permissions->has_owner = false;
    if (permissions->has_group && (guint32)permissions->group == G_MAXUINT32)
        permissions->has_group = false;
    return true;
}

/* ---- what a type does not have is dropped ---- */

static void
drop_hosts(PoolSource *source)
{
    for (gsize i = 0; i < source->n_hosts; i++)
        pool_host_free(source->hosts[i]);
    g_clear_pointer(&source->hosts, g_free);
    source->n_hosts = 0;
}

static void
drop_devices(PoolSource *source)
{
    for (gsize i = 0; i < source->n_devices; i++)
        pool_device_free(source->devices[i]);
    g_clear_pointer(&source->devices, g_free);
    source->n_devices = 0;
}

static void
drop_options(StoragePool *pool, guint parts)
{
    if (!(parts & POOL_HAS_MOUNT_OPTS)) {
        for (gsize i = 0; i < pool->n_fs_options; i++)
            fs_option_free(pool->fs_options[i]);
        g_clear_pointer(&pool->fs_options, g_free);
        pool->n_fs_options = 0;
    }
    if (pool->type != POOL_TYPE_RBD) {
        for (gsize i = 0; i < pool->n_rbd_options; i++)
            rbd_option_free(pool->rbd_options[i]);
        g_clear_pointer(&pool->rbd_options, g_free);
        pool->n_rbd_options = 0;
    }
}

static void
drop_foreign(StoragePool *pool, guint parts)
{
    PoolSource *source = &pool->source;

    if (!(parts & POOL_HAS_HOST))
        drop_hosts(source);
    if (!(parts & POOL_HAS_DEVICE))
        drop_devices(source);
    if (!(parts & POOL_HAS_DIR))
        g_clear_pointer(&source->dir_path, g_free);
    if (!(parts & POOL_HAS_ADAPTER))
        g_clear_pointer(&source->adapter, pool_adapter_free);
    if (!(parts & POOL_HAS_NAME))
        g_clear_pointer(&source->name, g_free);
    if (!(parts & POOL_HAS_INITIATOR))
        g_clear_pointer(&source->initiator_iqn_name, g_free);
    if (!types[pool->type].formats)
        g_clear_pointer(&source->format_type, g_free);
    if (parts & POOL_IS_NETWORK) {
        g_clear_pointer(&pool->target.path, g_free);
        g_clear_pointer(&pool->target.permissions, storage_permissions_free);
    }
    drop_options(pool, parts);
}

/* ---- what is filled in ---- */

static void
fill_names(StoragePool *pool, guint parts)
{
    PoolSource *source = &pool->source;

    if (pool->name && !*pool->name)
        g_clear_pointer(&pool->name, g_free);
    if (!(parts & POOL_HAS_NAME))
        return;
    if (!pool->name)
        pool->name = g_strdup(source->name);
    if (!source->name)
        source->name = g_strdup(pool->name);
}

static void
fill_target(StoragePool *pool)
{
    const char *folder = pool->type == POOL_TYPE_LOGICAL ? "/dev/"
                         : pool->type == POOL_TYPE_ZFS   ? "/dev/zvol/"
                                                         : NULL;

    if (folder && pool->source.name) {
        g_free(pool->target.path);
        pool->target.path = g_strconcat(folder, pool->source.name, NULL);
    }
    clean_path(&pool->target.path);
}

static bool
fill_adapter(PoolAdapter *adapter, GError **err)
{
    if (adapter->type != POOL_ADAPTER_TYPE_UNSET) {
        bool is_fc = adapter->type == POOL_ADAPTER_TYPE_FC_HOST;

        if (is_fc) {
            g_clear_pointer(&adapter->name, g_free);
            g_clear_pointer(&adapter->parentaddr, pool_parent_address_free);
            return true;
        }
    } else if (adapter->wwnn || adapter->wwpn || adapter->parent) {
        return fail(err, VIR_ERR_XML_ERROR,
                    "Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter "
                    "'type'");
    } else if (adapter->parentaddr) {
        return fail(err, VIR_ERR_XML_ERROR,
                    "Use of 'parentaddr' element requires use of the adapter 'type'");
    } else if (!adapter->name) {
        return fail(err, VIR_ERR_XML_ERROR, "missing storage pool source adapter");
    }
    adapter->type = POOL_ADAPTER_TYPE_SCSI_HOST;
    g_clear_pointer(&adapter->parent, g_free);
    g_clear_pointer(&adapter->parent_wwnn, g_free);
    g_clear_pointer(&adapter->parent_wwpn, g_free);
    g_clear_pointer(&adapter->parent_fabric_wwn, g_free);
    g_clear_pointer(&adapter->wwnn, g_free);
    g_clear_pointer(&adapter->wwpn, g_free);
    adapter->managed = TRISTATE_UNSET;
    return true;
}

bool
storage_pool_fill_by_type(StoragePool *pool, const ModelRules *rules, GError **err)
{
    const PoolTypeInfo *info = &types[pool->type];
    PoolSource *source = &pool->source;

    pool->capacity = pool->allocation = pool->available = 0;
    drop_foreign(pool, info->parts);
    fill_names(pool, info->parts);
    if (info->formats && !source->format_type)
        source->format_type = g_strdup(info->default_format);
    if (pool->type == POOL_TYPE_GLUSTER && !source->dir_path)
        source->dir_path = g_strdup("/");
    clean_path(&source->dir_path);
    if (!(info->parts & POOL_IS_NETWORK))
        fill_target(pool);
    return !source->adapter || fill_adapter(source->adapter, err);
}

/* ---- what is missing ---- */

static bool
check_auth(const PoolAuth *auth, GError **err)
{
    const PoolSecret *secret = auth->secret;

    if (!auth->username)
        return fail(err, VIR_ERR_XML_ERROR, "missing username for auth");
    if (!auth->type)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "storage pool missing auth type");
    if (strcmp(auth->type, "chap") != 0 && strcmp(auth->type, "ceph") != 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unknown auth type '%s'", auth->type);
    if (!secret)
        return fail(err, VIR_ERR_XML_ERROR, "Missing <secret> element in auth");
    if (secret->has_uuid && secret->usage)
        return fail(err, VIR_ERR_XML_ERROR, "either secret uuid or usage expected");
    if (!secret->has_uuid && !secret->usage)
        return fail(err, VIR_ERR_XML_ERROR, "missing secret uuid or usage attribute");
    return true;
}

static bool
check_wwn(const char *wwn, GError **err)
{
    if (!wwn || (strlen(wwn) == 16 && strspn(wwn, "0123456789abcdefABCDEF") == 16))
        return true;
    return fail(err, VIR_ERR_INTERNAL_ERROR, "Malformed wwn: %s", wwn);
}

static bool
check_fc_host(const PoolAdapter *adapter, GError **err)
{
    if (!adapter->wwnn || !adapter->wwpn)
        return fail(err, VIR_ERR_XML_ERROR,
                    "'wwnn' and 'wwpn' must be specified for adapter type 'fchost'");
    if (!check_wwn(adapter->wwnn, err) || !check_wwn(adapter->wwpn, err) ||
        !check_wwn(adapter->parent_wwnn, err) || !check_wwn(adapter->parent_wwpn, err) ||
        !check_wwn(adapter->parent_fabric_wwn, err))
        return false;
    if (adapter->parent_wwnn && !adapter->parent_wwpn)
        return fail(err, VIR_ERR_XML_ERROR,
                    "when providing parent_wwnn='%s', the parent_wwpn must also be provided",
                    adapter->parent_wwnn);
    if (!adapter->parent_wwnn && adapter->parent_wwpn)
        return fail(err, VIR_ERR_XML_ERROR,
                    "when providing parent_wwpn='%s', the parent_wwnn must also be provided",
                    adapter->parent_wwpn);
    return true;
}

static bool
check_scsi_host(const PoolAdapter *adapter, GError **err)
{
    const PoolParentAddress *parent = adapter->parentaddr;

    if (!adapter->name && !parent)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Either 'name' or 'parent' must be specified for the 'scsi_host' adapter");
    if (!parent)
        return true;
    if (adapter->name)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Both 'name' and 'parent' cannot be specified for the 'scsi_host' adapter");
    if (!parent->address)
        return fail(err, VIR_ERR_XML_ERROR, "Missing scsi_host PCI address element");
    if (!parent->has_unique_id)
        return fail(err, VIR_ERR_XML_ERROR, "Missing or invalid scsi adapter 'unique_id' value");
    return true;
}

static bool
check_source(const StoragePool *pool, guint parts, GError **err)
{
    const PoolSource *source = &pool->source;

    if (parts & POOL_NEEDS_HOST && source->n_hosts == 0)
        return fail(err, VIR_ERR_XML_ERROR, "missing storage pool source host name");
    if (pool->type == POOL_TYPE_NETFS && !source->dir_path)
        return fail(err, VIR_ERR_XML_ERROR, "missing storage pool source path");
    if (parts & POOL_HAS_ADAPTER && !source->adapter)
        return fail(err, VIR_ERR_XML_ERROR, "missing storage pool source adapter");
    if (parts & POOL_NEEDS_DEVICE && source->n_devices == 0)
        return fail(err, VIR_ERR_XML_ERROR, "missing storage pool source device name");
    if (pool->type == POOL_TYPE_ISCSI_DIRECT && !source->initiator_iqn_name)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "missing initiator IQN");
    if (source->format_type && !pool_type_has_format(pool->type, source->format_type))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unknown pool format type %s",
                    source->format_type);
    if (source->auth && !check_auth(source->auth, err))
        return false;
    if (!source->adapter)
        return true;
    return source->adapter->type == POOL_ADAPTER_TYPE_FC_HOST
               ? check_fc_host(source->adapter, err)
               : check_scsi_host(source->adapter, err);
}

bool
storage_pool_check_source(const StoragePool *pool, const ModelRules *rules, GError **err)
{
    const guint parts = types[pool->type].parts;
    const char *allocation = pool->refresh_volume_allocation;

    if (!pool->name)
        return fail(err, VIR_ERR_XML_ERROR, "missing pool source name element");
    if (strchr(pool->name, '/'))
        return fail(err, VIR_ERR_XML_ERROR, "name %s cannot contain '/'", pool->name);
    if (!check_source(pool, parts, err))
        return false;
    if (!(parts & POOL_IS_NETWORK) && (!pool->target.path || !*pool->target.path))
        return fail(err, VIR_ERR_XML_ERROR, "missing storage pool target path");
    if (allocation && strcmp(allocation, "default") != 0 && strcmp(allocation, "capacity") != 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "unknown storage pool volume refresh allocation type %s", allocation);
    return true;
}

StoragePool *
storage_pool_read(const char *xml, GError **err)
{
    g_autoptr(StoragePool) pool = storage_pool_parse(xml, 0, err);

    if (!pool || !storage_pool_fill(pool, NULL, err) || !storage_pool_check(pool, NULL, err))
        return NULL;
    if (!pool->has_uuid) {
        uuid_generate(pool->uuid);
        pool->has_uuid = true;
    }
    return g_steal_pointer(&pool);
}
