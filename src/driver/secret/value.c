/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of secrets in memory and in files. Nothing here leaves a copy behind. */
#define ERROR_DOMAIN VIR_FROM_SECRET

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "driver/secret/secret.h"

/* The largest value in base64, and room for the newlines of those who write such files by hand. */
#define FILE_BYTES_MAX (2 * REMOTE_SECRET_VALUE_MAX)

typedef struct {
    guchar *bytes;
    gsize len;
} Blanked;

static void
blanked_free(void *data)
{
    Blanked *blanked = data;

    explicit_bzero(blanked->bytes, blanked->len);
    g_free(blanked->bytes);
    g_free(blanked);
}

static GBytes *
take_bytes(void *take_bytes, gsize len)
{
    Blanked *blanked = g_new0(Blanked, 1);

    blanked->bytes = take_bytes;
    blanked->len = len;
    return g_bytes_new_with_free_func(take_bytes, len, blanked_free, blanked);
}

GBytes *
secret_bytes_new(const void *bytes, gsize len)
{
    return take_bytes(g_memdup2(bytes, len), len);
}

static char *
value_path(SecretDriver *secrets, const char *stem)
{
    return g_strconcat(secrets->dir, "/", stem, ".base64", NULL);
}

GBytes *
secret_load_value(SecretDriver *secrets, const char *stem, GError **err)
{
    g_autofree char *path = value_path(secrets, stem);
    g_autoptr(GBytes) text = NULL;
    gsize len = 0;
    char *read;

    if (!file_exists(path))
        return NULL;
    read = file_read(path, FILE_BYTES_MAX, &len, err);
    if (!read)
        return NULL;
    text = take_bytes(read, len);
    if (!len)
        return secret_bytes_new("", 0);
    g_base64_decode_inplace(read, &len);
    return secret_bytes_new(read, len);
}

bool
secret_save_value(SecretDriver *secrets, const guchar uuid[16], GBytes *value, GError **err)
{
    char stem[UUID_TEXT];
    g_autofree char *path = NULL;
    g_autoptr(GBytes) text = NULL;
    gsize len;
    const void *bytes = g_bytes_get_data(value, &len);
    char *base64 = g_base64_encode(bytes, len);

    uuid_format(uuid, stem);
    path = value_path(secrets, stem);
    text = take_bytes(base64, strlen(base64));
    return file_write_atomic(path, base64, strlen(base64), 0600, err);
}

bool
secret_remove_value(SecretDriver *secrets, const guchar uuid[16], GError **err)
{
    char stem[UUID_TEXT];
    g_autofree char *path = NULL;

    uuid_format(uuid, stem);
    path = value_path(secrets, stem);
    return file_remove(path, err);
}
