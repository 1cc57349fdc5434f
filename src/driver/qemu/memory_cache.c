/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See memory_cache.h: what is on disk. Making it, in the background: memory_cache_build.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/memory_cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/memory_cache_private.h"
#include "driver/qemu/save_image.h"

#define DIGEST_BYTES (1024 * 1024) /* of each end of the stream */
#define ID_MAX_BYTES (64 * 1024)
#define ID_FORM 1

static void
block_free(MemoryBlock *block)
{
    g_free(block->name);
    g_free(block->path);
    g_free(block);
}

MemoryCache *
memory_cache_new(const char *image_path)
{
    MemoryCache *cache = g_new0(MemoryCache, 1);
    g_autofree char *folder = memory_cache_folder(image_path);

    cache->image_path = g_strdup(image_path);
    cache->state_path = g_build_filename(folder, "state", NULL);
    cache->blocks = g_ptr_array_new_with_free_func((GDestroyNotify)block_free);
    return cache;
}

void
memory_cache_free(MemoryCache *cache)
{
    if (!cache)
        return;
    g_free(cache->image_path);
    g_free(cache->state_path);
    g_ptr_array_unref(cache->blocks);
    g_free(cache);
}

MemoryBlock *
memory_cache_add(MemoryCache *cache, const char *name, guint64 size)
{
    g_autofree char *folder = memory_cache_folder(cache->image_path);
    MemoryBlock *block = g_new0(MemoryBlock, 1);

    block->name = g_strdup(name);
    block->size = size;
    block->path = g_strdup_printf("%s/ram-%u", folder, cache->blocks->len);
    g_ptr_array_add(cache->blocks, block);
    return block;
}

const MemoryBlock *
memory_cache_find(const MemoryCache *cache, const char *name)
{
    for (guint i = 0; i < cache->blocks->len; i++) {
        const MemoryBlock *block = cache->blocks->pdata[i];

        if (g_str_equal(block->name, name))
            return block;
    }
    return NULL;
}

char *
memory_cache_folder(const char *image_path)
{
    return g_strconcat(image_path, ".map", NULL);
}

/* ---- which image is it? ---- */

static bool
digest_piece(GChecksum *sum, int fd, gint64 offset, gsize len)
{
    g_autofree guchar *bytes = g_malloc(len);
    gsize done = 0;

    while (done < len) {
        ssize_t got = pread(fd, bytes + done, len - done, offset + (gint64)done);

        if (got <= 0)
            return false;
        done += (gsize)got;
    }
    g_checksum_update(sum, bytes, (gssize)len);
    return true;
}

/* The ends of a stream have its machine's name, first pages, and all registers and clocks: no two
 * moments have the same. */
char *
memory_cache_identify(int fd, gint64 begin, const char *image_path)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *mark_text = NULL;
    struct stat st;
    FileMark mark;
    gint64 piece;

    if (fstat(fd, &st) < 0 || st.st_size <= begin || !file_mark_of_fd(fd, image_path, &mark, NULL))
        return NULL;
    piece = MIN(st.st_size - begin, DIGEST_BYTES);
    if (!digest_piece(sum, fd, begin, (gsize)piece) ||
        !digest_piece(sum, fd, st.st_size - piece, (gsize)piece))
        return NULL;
    mark_text = file_mark_format(mark);
    return g_strdup_printf("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s", mark_text, begin,
                           (gint64)st.st_size, g_checksum_get_string(sum));
}

/* ---- the file `id` ---- */

static char *
id_path(const char *image_path)
{
    g_autofree char *folder = memory_cache_folder(image_path);

    return g_build_filename(folder, "id", NULL);
}

static gint64
file_size(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) ? (gint64)st.st_size : -1;
}

bool
memory_cache_write_id(const MemoryCache *cache, const char *identity, GError **err)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *path = id_path(cache->image_path);
    g_autofree char *text = NULL;
    gsize len;

    g_key_file_set_integer(file, "cache", "form", ID_FORM);
    g_key_file_set_string(file, "cache", "image", identity);
    g_key_file_set_int64(file, "cache", "state", file_size(cache->state_path));
    g_key_file_set_integer(file, "cache", "blocks", (int)cache->blocks->len);
    for (guint i = 0; i < cache->blocks->len; i++) {
        const MemoryBlock *block = cache->blocks->pdata[i];
        g_autofree char *group = g_strdup_printf("block %u", i);

        g_key_file_set_string(file, group, "name", block->name);
        g_key_file_set_uint64(file, group, "size", block->size);
    }
    text = g_key_file_to_data(file, &len, NULL);
    return file_write_atomic(path, text, len, 0600, err);
}

static bool
read_blocks(MemoryCache *cache, GKeyFile *file)
{
    int count = g_key_file_get_integer(file, "cache", "blocks", NULL);

    for (int i = 0; i < count; i++) {
        g_autofree char *group = g_strdup_printf("block %d", i);
        g_autofree char *name = g_key_file_get_string(file, group, "name", NULL);
        guint64 size = g_key_file_get_uint64(file, group, "size", NULL);
        const MemoryBlock *block;

        if (!name)
            return false;
        block = memory_cache_add(cache, name, size);
        if (file_size(block->path) != (gint64)size)
            return false;
    }
    return count > 0;
}

/* Does the folder say that it belongs to @identity, and has it all of its files? */
static bool
read_id(MemoryCache *cache, const char *identity)
{
    g_autofree char *path = id_path(cache->image_path);
    gsize len = 0;
    g_autofree char *text = file_read(path, ID_MAX_BYTES, &len, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *image = NULL;

    if (!text || !g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, NULL) ||
        g_key_file_get_integer(file, "cache", "form", NULL) != ID_FORM)
        return false;
    image = g_key_file_get_string(file, "cache", "image", NULL);
    return g_strcmp0(image, identity) == 0 &&
           file_size(cache->state_path) == g_key_file_get_int64(file, "cache", "state", NULL) &&
           read_blocks(cache, file);
}

MemoryCache *
memory_cache_open(const char *image_path)
{
    g_autoptr(MemoryCache) cache = memory_cache_new(image_path);
    g_autoptr(SaveImage) image = NULL;
    g_autofree char *path = id_path(image_path);
    g_autofree char *identity = NULL;
    auto_fd int fd = -1;

    if (!file_exists(path))
        return NULL;
    image = save_image_open(image_path, &fd, NULL);
    identity = image ? memory_cache_identify(fd, image->stream_offset, image_path) : NULL;
    return identity && read_id(cache, identity) ? g_steal_pointer(&cache) : NULL;
}

bool
memory_cache_is_unfinished(const char *image_path)
{
    g_autofree char *folder = memory_cache_folder(image_path);
    g_autofree char *id = id_path(image_path);

    return file_exists(folder) && !file_exists(id);
}

/* ---- removing ---- */

static bool
is_ours(const char *name)
{
    return g_str_equal(name, "id") || g_str_equal(name, "state") ||
           g_str_has_prefix(name, "ram-") || g_str_has_prefix(name, ".id.");
}

bool
memory_cache_remove(const char *image_path, GError **err)
{
    g_autofree char *folder = memory_cache_folder(image_path);
    g_autofree char *id = id_path(image_path);
    g_auto(GStrv) names = NULL;

    if (!file_exists(folder))
        return true;
    if (!file_remove(id, err))
        return false;
    names = dir_list(folder, err);
    for (int i = 0; names && names[i]; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);

        if (is_ours(names[i]) && unlink(path) < 0)
            return fail_errno(err, "remove", path);
    }
    if (rmdir(folder) < 0)
        return fail_errno(err, "remove", folder);
    return dir_sync_parent(folder, err);
}

guint64
memory_cache_size(const char *image_path)
{
    g_autofree char *folder = memory_cache_folder(image_path);
    g_auto(GStrv) names = dir_list(folder, NULL);
    guint64 bytes = 0;

    for (int i = 0; names && names[i]; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        struct stat st;

        if (lstat(path, &st) == 0)
            bytes += (guint64)st.st_blocks * 512;
    }
    return bytes;
}
