/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tool.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "driver/storage/tool.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "loop/pool.h"
#include "seam/command.h"

#define TRIES_MAX 20

typedef struct {
    GPtrArray *words; /* of char *, owned */
    GArray *fds;      /* of int: what the program keeps open */
    GArray *secrets;  /* of int, ours */
} Line;

static void
close_fd(void *fd)
{
    fd_close(fd);
}

static Line *
line_new(const char *verb)
{
    Line *line = g_new0(Line, 1);

    line->words = g_ptr_array_new_with_free_func(g_free);
    line->fds = g_array_new(false, false, sizeof(int));
    line->secrets = g_array_new(false, false, sizeof(int));
    g_array_set_clear_func(line->secrets, close_fd);
    g_ptr_array_add(line->words, g_strdup("qemu-img"));
    g_ptr_array_add(line->words, g_strdup(verb));
    g_ptr_array_add(line->words, g_strdup("-q"));
    return line;
}

static void
line_free(Line *line)
{
    g_ptr_array_unref(line->words);
    g_array_unref(line->fds);
    g_array_unref(line->secrets);
    g_free(line);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Line, line_free)

static void
line_add(Line *line, const char *word)
{
    g_ptr_array_add(line->words, g_strdup(word));
}

static char *
line_fd_path(Line *line, int fd)
{
    g_array_append_val(line->fds, fd);
    return g_strdup_printf("/dev/fd/%d", fd);
}

/* The passphrase as an object called @id, in memory that only the program gets. */
static bool
line_add_secret(Line *line, const char *id, GBytes *secret, GError **err)
{
    g_autofree char *path = NULL;
    gsize len;
    const void *bytes;
    int fd;

    if (!secret)
        return true;
    bytes = g_bytes_get_data(secret, &len);
    fd = memfd_create("passphrase", MFD_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "make memory for", "a passphrase");
    g_array_append_val(line->secrets, fd);
    if (!fd_write_all(fd, bytes, len))
        return fail_errno(err, "hand over", "a passphrase");
    path = line_fd_path(line, fd);
    line_add(line, "--object");
    g_ptr_array_add(line->words, g_strdup_printf("secret,id=%s,file=%s", id, path));
    return true;
}

/* Deriving a key is measured in CPU time first, and qemu-img gives up where the clock of that is too coarse just then. */
static bool
is_bad_luck(const CommandResult *result)
{
    return result->err && strstr(result->err, "accurate CPU usage");
}

static bool
line_run(Line *line, const DriverHost *host, GError **err)
{
    CommandSpec spec = {0};
    bool is_good = false, may_try = true;

    g_ptr_array_add(line->words, NULL);
    spec.argv = (const char *const *)line->words->pdata;
    spec.keep_fds = (const int *)(void *)line->fds->data;
    spec.n_keep_fds = line->fds->len;
    spec.timeout_ms = G_MAXINT; /* as long as the bytes take */
    pool_block_begin(host->pool);
    for (int tries = 1; may_try; tries++) {
        g_auto(CommandResult) result = {0};

        g_clear_error(err);
        is_good = command_run(&spec, &result, err);
        may_try = !is_good && is_bad_luck(&result) && tries < TRIES_MAX;
    }
    pool_block_end(host->pool);
    return is_good;
}

/* "key=value" in lists of options, where a comma in the value is written twice. */
static void
append_option(GString *out, const char *key, const char *value)
{
    if (out->len)
        g_string_append_c(out, ',');
    g_string_append_printf(out, "%s=", key);
    for (; *value; value++) {
        if (*value == ',')
            g_string_append_c(out, ',');
        g_string_append_c(out, *value);
    }
}

/* ---- create ---- */

static void
append_luks(GString *out, const StorageEncryption *encryption, const char *prefix)
{
    const EncryptionCipher *cipher = encryption->cipher;
    const EncryptionIvgen *ivgen = encryption->ivgen;
    const char *keys[] = {"key-secret", "cipher-alg", "cipher-mode",
                          "hash-alg",   "ivgen-alg",  "ivgen-hash-alg"};
    g_autofree char *algorithm =
        cipher ? g_strdup_printf("%s-%u", cipher->name, cipher->size) : NULL;
    const char *values[] = {"new",
                            algorithm,
                            cipher ? cipher->mode : NULL,
                            cipher ? cipher->hash : NULL,
                            ivgen ? ivgen->name : NULL,
                            ivgen ? ivgen->hash : NULL};

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *key = g_strconcat(prefix, keys[i], NULL);

        if (values[i])
            append_option(out, key, values[i]);
    }
}

static char *
create_options(const MakeSpec *spec)
{
    const StorageVolume *info = spec->info;
    const VolumeTarget *target = &info->target;
    GString *out = g_string_new(NULL);
    g_autofree char *cluster = g_strdup_printf("%" G_GUINT64_FORMAT, target->cluster_size);

    if (g_str_equal(target->format_type, "qcow2")) {
        append_option(out, "compat",
                      target->compat     ? target->compat
                      : target->features ? "1.1"
                                         : "0.10");
        if (target->features && target->features->lazy_refcounts)
            append_option(out, "lazy_refcounts", "on");
        if (target->features && target->features->extended_l2)
            append_option(out, "extended_l2", "on");
        if (target->has_cluster_size)
            append_option(out, "cluster_size", cluster);
        if (spec->preallocates)
            append_option(out, "preallocation",
                          info->allocation < info->capacity ? "metadata" : "falloc");
        if (target->encryption) {
            append_option(out, "encrypt.format", "luks");
            append_luks(out, target->encryption, "encrypt.");
        }
    } else if (target->encryption) {
        append_luks(out, target->encryption, "");
    }
    return g_string_free(out, false);
}

bool
tool_create(const MakeSpec *spec, int fd, GError **err)
{
    const StorageVolume *info = spec->info;
    const VolumeBacking *backing = info->backing_store;
    const bool is_luks = info->target.encryption && g_str_equal(info->target.format_type, "raw");
    g_autofree char *options = create_options(spec);
    g_autoptr(Line) line = line_new("create");

    if (!line_add_secret(line, "new", spec->secret, err))
        return false;
    line_add(line, "-f");
    line_add(line, is_luks ? "luks" : info->target.format_type);
    if (backing && backing->path) {
        /* Its name is written as it is: it was looked at already. */
        line_add(line, "-u");
        line_add(line, "-b");
        line_add(line, backing->path);
        line_add(line, "-F");
        line_add(line, backing->format_type);
    }
    if (*options) {
        line_add(line, "-o");
        line_add(line, options);
    }
    g_ptr_array_add(line->words, line_fd_path(line, fd));
    g_ptr_array_add(line->words, g_strdup_printf("%" G_GUINT64_FORMAT, info->capacity));
    if (line_run(line, spec->host, err))
        return true;
    g_prefix_error(err, "volume '%s': ", info->name);
    return false;
}

/* ---- convert, resize ---- */

/* How QEMU opens an image of ours at @path. */
static char *
image_options(const StorageVolume *info, const char *path, const char *secret_id)
{
    const bool is_qcow2 = g_str_equal(info->target.format_type, "qcow2");
    const bool is_encrypted = info->target.encryption != NULL;
    const char *format = info->target.format_type;
    GString *out = g_string_new(NULL);

    if (g_str_equal(format, "iso"))
        format = "raw";
    append_option(out, "driver", is_encrypted && !is_qcow2 ? "luks" : format);
    append_option(out, "file.driver", "file");
    append_option(out, "file.filename", path);
    if (is_encrypted && is_qcow2)
        append_option(out, "encrypt.format", "luks");
    if (is_encrypted)
        append_option(out, is_qcow2 ? "encrypt.key-secret" : "key-secret", secret_id);
    return g_string_free(out, false);
}

bool
tool_convert(const MakeSpec *spec, int fd, GError **err)
{
    const StorageVolume *info = spec->info;
    g_autoptr(Line) line = line_new("convert");
    g_autofree char *path = NULL;
    g_autofree char *from = image_options(spec->source, spec->source->target.path, "old");
    g_autofree char *to = NULL;

    if (!line_add_secret(line, "new", spec->secret, err) ||
        !line_add_secret(line, "old", spec->source_secret, err))
        return false;
    path = line_fd_path(line, fd);
    to = image_options(info, path, "new");
    line_add(line, "-n");
    if (!info->target.encryption && !info->backing_store)
        line_add(line, "--target-is-zero");
    line_add(line, "--image-opts");
    line_add(line, from);
    line_add(line, "--target-image-opts");
    line_add(line, to);
    if (line_run(line, spec->host, err))
        return true;
    g_prefix_error(err, "volume '%s': ", info->name);
    return false;
}

bool
tool_resize(const DriverHost *host, const StorageVolume *info, guint64 capacity, bool shrinks,
            GBytes *secret, GError **err)
{
    g_autoptr(Line) line = line_new("resize");
    g_autofree char *image = image_options(info, info->target.path, "old");

    if (!line_add_secret(line, "old", secret, err))
        return false;
    if (shrinks)
        line_add(line, "--shrink");
    line_add(line, "--image-opts");
    line_add(line, image);
    g_ptr_array_add(line->words, g_strdup_printf("%" G_GUINT64_FORMAT, capacity));
    if (line_run(line, host, err))
        return true;
    g_prefix_error(err, "volume '%s': ", info->name);
    return false;
}
