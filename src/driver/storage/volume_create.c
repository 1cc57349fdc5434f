/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New volumes, empty or as copies. The name is taken on the pool's strand; the bytes are made on a worker, so that the pool goes
 * on meanwhile and shows how far they are; then the volume is whole. Killed in between: a `.part` file that is swept. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <errno.h>
#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/storage/folder.h"
#include "driver/storage/make.h"
#include "driver/storage/vpool.h"
#include "image/chain.h"

typedef struct {
    Call *call;
    VPool *pool;
    Volume *volume;      /* as it stands in the list */
    Volume *source;      /* in use as long as this lives; NULL: none */
    StorageVolume *done; /* the finished volume's */
    GBytes *secret, *source_secret;
    guint flags;
    RemoteNonnullStorageVol *ret;
    GError *error;
} Creation;

static void
creation_free(Creation *creation)
{
    if (creation->source)
        volume_end(creation->source, VOLUME_SHARED);
    vpool_unref(creation->pool);
    volume_unref(creation->volume);
    volume_unref(creation->source);
    storage_volume_free(creation->done);
    g_clear_pointer(&creation->secret, g_bytes_unref);
    g_clear_pointer(&creation->source_secret, g_bytes_unref);
    g_clear_error(&creation->error);
    g_free(creation);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Creation, creation_free)

/* ---- the plan ---- */

static bool
check_backing(StorageVolume *info, const char *folder, GError **err)
{
    VolumeBacking *backing = info->backing_store;
    g_autoptr(ImageHeader) header = NULL;
    g_autofree char *path = NULL;
    ImageFormat format;

    if (!backing || !backing->path) {
        g_clear_pointer(&info->backing_store, volume_backing_free);
        return true;
    }
    if (!backing->format_type)
        backing->format_type = g_strdup("raw");
    path = g_canonicalize_filename(backing->path, folder);
    if (!file_exists(path))
        return fail_errno(err, "use as backing of the new volume", path);
    if (info->has_capacity)
        return true;
    format = image_format_from_string(backing->format_type);
    header =
        format == IMAGE_FORMAT_UNKNOWN
            ? fail_null(err, VIR_ERR_XML_ERROR,
                        "missing capacity element: the size of '%s', of format %s, is not known",
                        path, backing->format_type)
            : image_header_read_file(path, format, err);
    if (!header)
        return false;
    info->capacity = header->size_bytes;
    info->has_capacity = true;
    return true;
}

/* What the user left out, and what is not theirs to say. */
static void
fill_info(StorageVolume *info, const char *folder, const StorageVolume *source)
{
    VolumeTarget *target = &info->target;
    const bool is_image =
        strcmp(target->format_type, "raw") != 0 && strcmp(target->format_type, "iso") != 0;

    info->type = g_str_equal(target->format_type, "dir") ? VOLUME_TYPE_DIR : VOLUME_TYPE_FILE;
    g_free(target->path);
    target->path = g_build_filename(folder, info->name, NULL);
    g_free(info->key);
    info->key = g_strdup(target->path);
    for (gsize i = 0; i < info->n_devices; i++)
        volume_device_free(info->devices[i]);
    g_clear_pointer(&info->devices, g_free);
    info->n_devices = 0;
    if (source && info->capacity < source->capacity)
        info->capacity = source->capacity;
    if (is_image)
        info->capacity = (info->capacity + 1023) & ~(guint64)1023;
    if (!info->has_allocation)
        info->allocation = is_image ? 0 : info->capacity;
    info->has_allocation = info->has_capacity = true;
}

static bool
check_name(const VPool *pool, const StorageVolume *info, GError **err)
{
    g_autofree char *path = g_build_filename(pool->config->target.path, info->name, NULL);

    if (strchr(info->name, '/'))
        return fail(err, VIR_ERR_OPERATION_INVALID, "volume name '%s' cannot contain '/'",
                    info->name);
    if (volume_find(pool->volumes, info->name))
        return fail(err, VIR_ERR_STORAGE_VOL_EXIST, "'%s'", info->name);
    if (!name_is_component(info->name) || folder_is_part(info->name))
        return fail(err, VIR_ERR_OPERATION_INVALID, "'%s' can be no volume's name", info->name);
    if (g_file_test(path, G_FILE_TEST_EXISTS | G_FILE_TEST_IS_SYMLINK))
        return fail(err, VIR_ERR_OPERATION_INVALID, "volume target path '%s' already exists", path);
    return true;
}

static StorageVolume *
read_info(VPool *pool, const char *xml, guint flags, const StorageVolume *source, GError **err)
{
    g_autoptr(StorageVolume) info = NULL;

    if (flags & VIR_STORAGE_VOL_CREATE_VALIDATE && !model_validate(&storage_volume_model, xml, err))
        return NULL;
    info = storage_volume_read(xml, source != NULL, err);
    if (!info || !check_name(pool, info, err))
        return NULL;
    if (!info->target.format_type)
        info->target.format_type = g_strdup("raw");
    if (!make_check(info, flags & VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA, err) ||
        !check_backing(info, pool->config->target.path, err))
        return NULL;
    fill_info(info, pool->config->target.path, source);
    return g_steal_pointer(&info);
}

/* ---- the work ---- */

static void
finish_creation(void *data)
{
    g_autoptr(Creation) creation = data;
    VPool *pool = creation->pool;
    const char *name = creation->volume->info->name;
    GError *error = g_steal_pointer(&creation->error);
    Call *call = creation->call;

    pool->n_building--;
    if (error) {
        vpool_drop_volume(pool, creation->volume, NULL);
    } else if (vpool_put_volume(pool,
                                volume_new(g_steal_pointer(&creation->done), creation->volume->use),
                                &error)) {
        log_info(LOG_STORAGE, "pool %s: volume %s made", pool->name, name);
        volume_fill_wire(creation->volume, pool->name, creation->ret);
    }
    call_finish(call, error);
}

/* What is known of the new file: what was asked for, with the size that an image says it has. */
static StorageVolume *
look_at_new(const StorageVolume *asked, GError **err)
{
    g_autoptr(StorageVolume) info = storage_volume_copy(asked);
    const ImageFormat format = image_format_from_string(asked->target.format_type);
    g_autoptr(ImageHeader) header = NULL;
    struct stat st;

    if (stat(info->target.path, &st) < 0)
        return fail_null_errno(err, "look at", info->target.path);
    folder_set_facts(info, &st);
    if (format != IMAGE_FORMAT_UNKNOWN && format != IMAGE_FORMAT_RAW) {
        header = image_header_read_file(info->target.path, format, err);
        if (!header)
            return NULL;
        info->capacity = header->size_bytes ? header->size_bytes : info->physical;
    }
    if (info->type == VOLUME_TYPE_DIR)
        info->capacity = 0;
    return g_steal_pointer(&info);
}

static void
run_creation(void *data)
{
    Creation *creation = data;
    const StorageVolume *info = creation->volume->info;
    const MakeSpec spec = {
        .host = creation->pool->storage->host,
        .info = info,
        .part = creation->volume->part,
        .source = creation->source ? creation->source->info : NULL,
        .preallocates = (creation->flags & VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA) != 0,
        .must_share = (creation->flags & VIR_STORAGE_VOL_CREATE_REFLINK) != 0,
        .secret = creation->secret,
        .source_secret = creation->source_secret,
    };

    if (make_volume(&spec, &creation->error))
        creation->done = look_at_new(info, &creation->error);
    strand_post_internal(creation->pool->strand, finish_creation, creation);
}

/* On the strand: take the name, and let a worker go on. */
static bool
begin_creation(Creation *take_creation, StorageVolume *take_info, GError **err)
{
    g_autoptr(Creation) creation = take_creation;
    VPool *pool = creation->pool;
    Volume *volume = volume_new(take_info, NULL);
    g_autofree char *part_name = folder_part_name(take_info->name);

    creation->volume = volume;
    volume->part = g_build_filename(pool->config->target.path, part_name, NULL);
    if (!vpool_put_volume(pool, volume_ref(volume), err))
        return false;
    pool->n_building++;
    call_defer(creation->call);
    pool_run(pool->storage->host->pool, run_creation, g_steal_pointer(&creation));
    return true;
}

static VPool *
active_pool_of_call(const Call *call, const RemoteNonnullStoragePool *wire, GError **err)
{
    g_autoptr(VPool) pool = vpool_of_call(call, wire, err);

    if (pool && !pool->is_active)
        return fail_null(err, VIR_ERR_OPERATION_INVALID, "storage pool '%s' is not active",
                         pool->name);
    return g_steal_pointer(&pool);
}

static bool
storage_vol_create_xml(Call *call, const RemoteStorageVolCreateXmlArgs *args,
                       RemoteStorageVolCreateXmlRet *ret, GError **err)
{
    const guint known = VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA | VIR_STORAGE_VOL_CREATE_VALIDATE;
    g_autoptr(Creation) creation = g_new0(Creation, 1);
    g_autoptr(StorageVolume) info = NULL;

    if (!storage_check_flags(call, args->flags, known, err))
        return false;
    creation->call = call;
    creation->flags = args->flags;
    creation->ret = &ret->vol;
    creation->pool = active_pool_of_call(call, &args->pool, err);
    if (!creation->pool)
        return false;
    info = read_info(creation->pool, args->xml, args->flags, NULL, err);
    if (!info || !make_find_secret(call->driver->host, info, &creation->secret, err))
        return false;
    return begin_creation(g_steal_pointer(&creation), g_steal_pointer(&info), err);
}

static bool
storage_vol_create_xml_from(Call *call, const RemoteStorageVolCreateXmlFromArgs *args,
                            RemoteStorageVolCreateXmlFromRet *ret, GError **err)
{
    const guint known = VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA | VIR_STORAGE_VOL_CREATE_REFLINK |
                        VIR_STORAGE_VOL_CREATE_VALIDATE;
    g_autoptr(Creation) creation = g_new0(Creation, 1);
    g_autoptr(StorageVolume) info = NULL;
    g_autoptr(Volume) source = NULL;

    if (!storage_check_flags(call, args->flags, known, err))
        return false;
    creation->call = call;
    creation->flags = args->flags;
    creation->ret = &ret->vol;
    creation->pool = active_pool_of_call(call, &args->pool, err);
    source = creation->pool ? volume_of_call(call, &args->clonevol, NULL, err) : NULL;
    if (!source)
        return false;
    info = read_info(creation->pool, args->xml, args->flags, source->info, err);
    if (!info || !make_find_secret(call->driver->host, info, &creation->secret, err) ||
        !make_find_secret(call->driver->host, source->info, &creation->source_secret, err) ||
        !volume_begin(source, VOLUME_SHARED, err))
        return false;
    creation->source = g_steal_pointer(&source);
    return begin_creation(g_steal_pointer(&creation), g_steal_pointer(&info), err);
}

void
storage_volume_create_slots(DriverSlots *slots)
{
    slots->storage_vol_create_xml = storage_vol_create_xml;
    slots->storage_vol_create_xml_from = storage_vol_create_xml_from;
}
