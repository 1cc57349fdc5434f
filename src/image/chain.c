/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See chain.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"

bool
image_id_equal(ImageId a, ImageId b)
{
    return a.device == b.device && a.inode == b.inode;
}

guint
image_id_hash(gconstpointer id)
{
    const ImageId *i = id;

    return (guint)(i->inode ^ i->inode >> 32 ^ i->device * 31);
}

gboolean
image_id_key_equal(gconstpointer a, gconstpointer b)
{
    return image_id_equal(*(const ImageId *)a, *(const ImageId *)b);
}

bool
image_id_of(const char *path, ImageId *id, GError **err)
{
    struct stat st;

    *id = (ImageId){0};
    if (stat(path, &st) < 0)
        return fail_errno(err, "access", path);
    *id = (ImageId){.device = st.st_dev, .inode = st.st_ino};
    return true;
}

static void
layer_free(ImageLayer *layer)
{
    g_free(layer->name);
    g_free(layer->path);
    image_header_free(layer->header);
    g_free(layer);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageLayer, layer_free)

/* {"driver":"qcow2","file":{"driver":"file","filename":"/x"}} and its flat spelling
 * {"file.filename": ...}. */
static char *
path_from_json(const char *text, ImageFormat *format)
{
    g_autoptr(Json) root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const Json *node = root;
    const char *driver = json_string_value(json_object_get(root, "driver"));
    const char *filename;

    if (json_is_object(json_object_get(root, "file"))) {
        node = json_object_get(root, "file");
        if (format && driver)
            *format = image_format_from_string(driver);
        driver = json_string_value(json_object_get(node, "driver"));
    } else if (json_object_get(root, "file.filename")) {
        if (format && driver)
            *format = image_format_from_string(driver);
        filename = json_string_value(json_object_get(root, "file.filename"));
        driver = json_string_value(json_object_get(root, "file.driver"));
        return filename && (!driver || g_str_equal(driver, "file")) ? g_strdup(filename) : NULL;
    }
    filename = json_string_value(json_object_get(node, "filename"));
    if (!filename ||
        (driver && !g_str_equal(driver, "file") && !g_str_equal(driver, "host_device")))
        return NULL;
    return g_strdup(filename);
}

/* "nbd:", "rbd:", "http:", ...: a colon before the first slash. */
static bool
has_protocol(const char *name)
{
    const char *colon = strchr(name, ':');
    const char *slash = strchr(name, '/');

    return colon && (!slash || colon < slash);
}

char *
image_backing_path(const char *above, const char *name, ImageFormat *format)
{
    g_autofree char *dir = NULL;
    g_autofree char *plain = NULL;

    if (g_str_has_prefix(name, "json:"))
        plain = path_from_json(name + strlen("json:"), format);
    else if (g_str_has_prefix(name, "file:"))
        plain = g_strdup(g_str_has_prefix(name, "file:///") ? name + strlen("file://")
                                                            : name + strlen("file:"));
    else if (!has_protocol(name))
        plain = g_strdup(name);
    if (!plain || !*plain)
        return NULL;
    if (g_path_is_absolute(plain))
        return g_steal_pointer(&plain);
    dir = g_path_get_dirname(above);
    return g_build_filename(dir, plain, NULL);
}

/* Open the layer's file; @above names the image that asks for it, NULL for the top. */
static bool
layer_open(ImageLayer *layer, const char *above, GError **err)
{
    auto_fd int fd = open(layer->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ImageReader reader;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        if (!above)
            return fail_errno(err, "open", layer->path);
        fail(err, errno == ENOENT ? VIR_ERR_OPERATION_FAILED : VIR_ERR_SYSTEM_ERROR,
             "cannot open '%s', the backing file of '%s': %s", layer->path, above,
             g_strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return fail(err, VIR_ERR_OPERATION_FAILED, "'%s' is neither a file nor a block device",
                    layer->path);
    layer->id = (ImageId){.device = st.st_dev, .inode = st.st_ino};
    layer->is_block_device = S_ISBLK(st.st_mode);
    if (!image_reader_of_fd(&reader, fd, layer->path, err))
        return false;
    layer->header = image_header_read(&reader, layer->format, layer->path, err);
    return layer->header != NULL;
}

/* The layer below @layer as its header and the configuration describe it; not opened. */
static ImageLayer *
layer_below(const ImageLayer *layer, GHashTable *formats)
{
    ImageLayer *below = g_new0(ImageLayer, 1);
    ImageFormat format = image_format_from_string(layer->header->backing_format);
    gpointer known = NULL;

    below->name = g_strdup(layer->header->backing_name);
    below->path = image_backing_path(layer->path, below->name, &format);
    if (formats && below->path)
        known = g_hash_table_lookup(formats, below->path);
    if (known)
        format = GPOINTER_TO_INT(known);
    below->format_is_named = format != IMAGE_FORMAT_UNKNOWN;
    below->format = below->format_is_named ? format : IMAGE_FORMAT_RAW;
    return below;
}

ImageChain *
image_chain_read(const char *path, ImageFormat format, GHashTable *formats, GError **err)
{
    g_autoptr(ImageChain) chain = g_new0(ImageChain, 1);
    g_autoptr(GHashTable) seen = g_hash_table_new(image_id_hash, image_id_key_equal);
    ImageLayer *layer = g_new0(ImageLayer, 1);
    const char *above = NULL;

    layer->name = g_strdup(path);
    layer->path = g_strdup(path);
    layer->format = format;
    layer->format_is_named = true;
    chain->layers = g_ptr_array_new_with_free_func((GDestroyNotify)layer_free);

    for (;;) {
        g_ptr_array_add(chain->layers, layer);
        if (chain->layers->len > IMAGE_CHAIN_MAX)
            return fail_null(err, VIR_ERR_OPERATION_FAILED,
                             "the chain of '%s' has more than %d images", path, IMAGE_CHAIN_MAX);
        if (!layer->path)
            break;
        if (!layer_open(layer, above, err))
            return NULL;
        if (!g_hash_table_add(seen, &layer->id))
            return fail_null(err, VIR_ERR_OPERATION_FAILED,
                             "image '%s' is backed by itself through '%s'", path, above);
        if (!layer->header->backing_name)
            break;
        above = layer->path;
        layer = layer_below(layer, formats);
    }
    return g_steal_pointer(&chain);
}

void
image_chain_free(ImageChain *chain)
{
    if (!chain)
        return;
    g_clear_pointer(&chain->layers, g_ptr_array_unref);
    g_free(chain);
}

const ImageLayer *
image_chain_top(const ImageChain *chain)
{
    return chain->layers->pdata[0];
}

const ImageLayer *
image_chain_base(const ImageChain *chain)
{
    return chain->layers->pdata[chain->layers->len - 1];
}

const ImageLayer *
image_chain_find(const ImageChain *chain, const char *path)
{
    ImageId id;

    if (!image_id_of(path, &id, NULL))
        return NULL;
    for (guint i = 0; i < chain->layers->len; i++) {
        const ImageLayer *layer = chain->layers->pdata[i];
        if (layer->path && image_id_equal(layer->id, id))
            return layer;
    }
    return NULL;
}
