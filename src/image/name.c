/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See name.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/name.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"

/* Up to the last dot of the file name. A dot at its beginning hides the file and starts no
 * ending. */
static gsize
length_without_ending(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return dot && dot > name ? (gsize)(dot - path) : strlen(path);
}

char *
image_name_for_snapshot(const char *path, const char *snapshot)
{
    return g_strdup_printf("%.*s.%s", (int)length_without_ending(path), path, snapshot);
}

char *
image_name_stem(const char *base_path)
{
    g_autofree char *name = g_path_get_basename(base_path);
    const char *mark;
    unsigned int number;

    name[length_without_ending(name)] = '\0';
    mark = g_strrstr(name, ".r");
    if (mark && mark > name && text_to_uint(mark + 2, 10, &number))
        name[mark - name] = '\0';
    return g_steal_pointer(&name);
}

char *
image_name_for_revert(const char *beside, const char *stem, guint n)
{
    g_autofree char *dir = g_path_get_dirname(beside);

    return g_strdup_printf("%s/%s.r%u.qcow2", g_str_equal(dir, "/") ? "" : dir, stem, n);
}

guint
image_name_revert_number(const char *path, const char *stem)
{
    g_autofree char *name = g_path_get_basename(path);
    gsize len = strlen(stem);
    unsigned int number;

    if (strncmp(name, stem, len) != 0 || strncmp(name + len, ".r", 2) != 0 ||
        !g_str_has_suffix(name, ".qcow2"))
        return 0;
    name[strlen(name) - strlen(".qcow2")] = '\0';
    return text_to_uint(name + len + 2, 10, &number) ? number : 0;
}

guint
image_name_last_revert(const char *beside, const char *stem)
{
    g_autofree char *dir = g_path_get_dirname(beside);
    g_auto(GStrv) names = dir_list(dir, NULL);
    guint last = 0;

    for (int i = 0; names && names[i]; i++)
        last = MAX(last, image_name_revert_number(names[i], stem));
    return last;
}
