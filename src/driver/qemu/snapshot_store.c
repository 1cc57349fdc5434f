/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_store.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/snapshot_store.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/snapshot_define.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

static char *
folder_of(QemuDriver *qemu, const char *domain)
{
    return g_build_filename(qemu->snapshot_dir, domain, NULL);
}

static char *
path_of(QemuDriver *qemu, const char *domain, const char *name)
{
    return g_strdup_printf("%s/%s/%s.xml", qemu->snapshot_dir, domain, name);
}

bool
snapshot_name_check(const char *name, GError **err)
{
    g_autofree char *file = g_strconcat(name, ".xml", NULL);

    if (strchr(name, '/'))
        return fail(err, VIR_ERR_XML_DETAIL, "invalid snapshot name '%s': name can't contain '/'",
                    name);
    if (*name == '.')
        return fail(err, VIR_ERR_XML_DETAIL,
                    "invalid snapshot name '%s': name can't start with '.'", name);
    if (!name_is_component(file))
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "unable to save metadata for snapshot %s: its name is too long", name);
    return true;
}

char *
snapshot_file_text(const DomainSnapshot *snapshot, bool is_current)
{
    g_autoptr(DomainSnapshot) copy = domain_snapshot_copy(snapshot);
    g_autofree char *comment = store_comment("snapshot-edit", NULL, NULL);
    g_autofree char *xml = NULL;

    copy->active = is_current;
    copy->has_active = true;
    xml = domain_snapshot_format(copy, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);
    return g_strconcat(comment, xml, g_str_has_suffix(xml, "\n") ? "" : "\n", NULL);
}

DomainSnapshot *
snapshot_from_file_text(const char *text, bool *is_current, GError **err)
{
    g_autoptr(DomainSnapshot) snapshot = snapshot_parse_file(text, err);

    if (!snapshot)
        return NULL;
    if (!snapshot->name)
        return fail_null(err, VIR_ERR_XML_ERROR, "the snapshot has no name");
    if (!snapshot->has_active)
        return fail_null(err, VIR_ERR_XML_ERROR, "the snapshot has no <active>");
    if (is_current)
        *is_current = snapshot->active != 0;
    snapshot->has_active = false;
    snapshot->active = 0;
    return g_steal_pointer(&snapshot);
}

static int
compare_times(gconstpointer a, gconstpointer b)
{
    const DomainSnapshot *x = *(DomainSnapshot *const *)a;
    const DomainSnapshot *y = *(DomainSnapshot *const *)b;

    if (x->creation_time != y->creation_time)
        return x->creation_time < y->creation_time ? -1 : 1;
    return strcmp(x->name, y->name);
}

static DomainSnapshot *
load_file(const char *path, bool *is_current)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *text = file_read(path, FILE_MAX_BYTES, NULL, &err);
    DomainSnapshot *snapshot = text ? snapshot_from_file_text(text, is_current, &err) : NULL;

    if (!snapshot)
        log_error(LOG_QEMU, "%s: it is not loaded and left as it is: %s", path, err->message);
    return snapshot;
}

SnapshotTree *
snapshot_store_load(QemuDriver *qemu, const char *domain, GError **err)
{
    g_autoptr(SnapshotTree) tree = snapshot_tree_new();
    g_autofree char *folder = folder_of(qemu, domain);
    g_auto(GStrv) names = NULL;
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_autofree char *current = NULL;

    dir_sweep_tmp(folder);
    names = dir_list(folder, err);
    if (!names)
        return NULL;
    for (int i = 0; names[i]; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        bool is_current = false;
        DomainSnapshot *snapshot;

        if (names[i][0] == '.' || g_file_test(path, G_FILE_TEST_IS_DIR))
            continue;
        snapshot = load_file(path, &is_current);
        if (!snapshot)
            continue;
        g_ptr_array_add(found, snapshot);
        if (is_current && !current)
            current = g_strdup(snapshot->name);
    }
    g_ptr_array_sort(found, compare_times);
    for (guint i = 0; i < found->len; i++)
        snapshot_tree_put(tree, found->pdata[i]);
    snapshot_tree_set_current(tree, current);
    return g_steal_pointer(&tree);
}

bool
snapshot_store_write(QemuDriver *qemu, const char *domain, const char *name, const char *text,
                     GError **err)
{
    g_autofree char *folder = folder_of(qemu, domain);
    g_autofree char *path = path_of(qemu, domain, name);

    return dir_make(folder, 0755, err) && file_write_atomic(path, text, strlen(text), 0600, err);
}

bool
snapshot_store_remove(QemuDriver *qemu, const char *domain, const char *name, GError **err)
{
    g_autofree char *folder = folder_of(qemu, domain);
    g_autofree char *path = path_of(qemu, domain, name);

    if (!file_remove(path, err))
        return false;
    rmdir(folder); /* fails while other snapshots are there */
    return true;
}

/* Is the snapshot of that name the same file in both trees? Most definitions are shared by them. */
static bool
is_same(const SnapshotTree *before, const SnapshotTree *after, const DomainSnapshot *snapshot)
{
    bool was_current = g_strcmp0(snapshot_tree_current(before), snapshot->name) == 0;
    bool is_current = g_strcmp0(snapshot_tree_current(after), snapshot->name) == 0;

    const DomainSnapshot *old = snapshot_tree_find(before, snapshot->name);

    return was_current == is_current && old &&
           (old == snapshot || domain_snapshot_equal(old, snapshot));
}

bool
snapshot_store_update(QemuDriver *qemu, const char *domain, const SnapshotTree *before,
                      const SnapshotTree *after, GError **err)
{
    const char *current = snapshot_tree_current(after);

    for (guint i = 0; i < snapshot_tree_size(after); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(after, i);
        g_autofree char *text = NULL;

        if (is_same(before, after, snapshot))
            continue;
        text = snapshot_file_text(snapshot, g_strcmp0(current, snapshot->name) == 0);
        if (!snapshot_store_write(qemu, domain, snapshot->name, text, err))
            return false;
    }
    for (guint i = 0; i < snapshot_tree_size(before); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(before, i);

        if (!snapshot_tree_find(after, snapshot->name) &&
            !snapshot_store_remove(qemu, domain, snapshot->name, err))
            return false;
    }
    return true;
}
