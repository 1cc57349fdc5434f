/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checkpoints of a guest as a tree, and their files. See checkpoint.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/checkpoint.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

/* Shared by trees. */
typedef struct {
    gatomicrefcount refs;
    DomainCheckpoint *def;
} Entry;

struct CheckpointTree {
    gatomicrefcount refs;
    GPtrArray *entries; /* of Entry, in the order of coming */
    char *current;
};

static void
entry_unref(void *data)
{
    Entry *entry = data;

    if (!g_atomic_ref_count_dec(&entry->refs))
        return;
    domain_checkpoint_free(entry->def);
    g_free(entry);
}

CheckpointTree *
checkpoint_tree_ref(CheckpointTree *tree)
{
    if (tree)
        g_atomic_ref_count_inc(&tree->refs);
    return tree;
}

void
checkpoint_tree_unref(CheckpointTree *tree)
{
    if (!tree || !g_atomic_ref_count_dec(&tree->refs))
        return;
    g_ptr_array_unref(tree->entries);
    g_free(tree->current);
    g_free(tree);
}

CheckpointTree *
checkpoint_tree_copy(const CheckpointTree *tree)
{
    CheckpointTree *copy = g_new0(CheckpointTree, 1);

    g_atomic_ref_count_init(&copy->refs);
    copy->entries = g_ptr_array_new_with_free_func(entry_unref);
    for (guint i = 0; i < checkpoint_tree_size(tree); i++) {
        Entry *entry = tree->entries->pdata[i];

        g_atomic_ref_count_inc(&entry->refs);
        g_ptr_array_add(copy->entries, entry);
    }
    copy->current = g_strdup(checkpoint_tree_current(tree));
    return copy;
}

/* ---- reading ---- */

guint
checkpoint_tree_size(const CheckpointTree *tree)
{
    return tree ? tree->entries->len : 0;
}

const DomainCheckpoint *
checkpoint_tree_at(const CheckpointTree *tree, guint index)
{
    return ((const Entry *)tree->entries->pdata[index])->def;
}

static int
find_index(const CheckpointTree *tree, const char *name)
{
    for (guint i = 0; name && i < checkpoint_tree_size(tree); i++) {
        if (g_str_equal(checkpoint_tree_at(tree, i)->name, name))
            return (int)i;
    }
    return -1;
}

const DomainCheckpoint *
checkpoint_tree_find(const CheckpointTree *tree, const char *name)
{
    int index = find_index(tree, name);

    return index < 0 ? NULL : checkpoint_tree_at(tree, (guint)index);
}

const DomainCheckpoint *
checkpoint_tree_require(const CheckpointTree *tree, const char *name, GError **err)
{
    const DomainCheckpoint *checkpoint = checkpoint_tree_find(tree, name);

    if (!checkpoint)
        fail(err, VIR_ERR_NO_DOMAIN_CHECKPOINT, "no domain checkpoint with matching name '%s'",
             name);
    return checkpoint;
}

const char *
checkpoint_tree_current(const CheckpointTree *tree)
{
    return tree ? tree->current : NULL;
}

const DomainCheckpoint *
checkpoint_tree_parent(const CheckpointTree *tree, const DomainCheckpoint *checkpoint)
{
    return checkpoint_tree_find(tree, checkpoint->parent_name);
}

static bool
is_child_of(const CheckpointTree *tree, const DomainCheckpoint *checkpoint, const char *name)
{
    const DomainCheckpoint *parent = checkpoint_tree_parent(tree, checkpoint);

    return parent ? g_strcmp0(parent->name, name) == 0 : name == NULL;
}

bool
checkpoint_tree_has_children(const CheckpointTree *tree, const char *name)
{
    for (guint i = 0; i < checkpoint_tree_size(tree); i++) {
        if (is_child_of(tree, checkpoint_tree_at(tree, i), name))
            return true;
    }
    return false;
}

/* The newest child comes first, each followed by what is below it. */
static void
collect(const CheckpointTree *tree, const char *name, bool only_direct, guint depth,
        GPtrArray *found)
{
    for (guint i = checkpoint_tree_size(tree); i > 0; i--) {
        const DomainCheckpoint *checkpoint = checkpoint_tree_at(tree, i - 1);

        if (!is_child_of(tree, checkpoint, name))
            continue;
        g_ptr_array_add(found, (DomainCheckpoint *)checkpoint);
        if (!only_direct && depth < checkpoint_tree_size(tree))
            collect(tree, checkpoint->name, false, depth + 1, found);
    }
}

GPtrArray *
checkpoint_tree_list(const CheckpointTree *tree, const char *name, bool only_direct)
{
    GPtrArray *found = g_ptr_array_new();

    collect(tree, name, only_direct, 0, found);
    return found;
}

/* ---- changing a copy ---- */

static void
set_current(CheckpointTree *tree, const char *name)
{
    char *old = tree->current;

    tree->current = g_strdup(name);
    g_free(old);
}

void
checkpoint_tree_put(CheckpointTree *tree, DomainCheckpoint *take_checkpoint)
{
    int index = find_index(tree, take_checkpoint->name);
    Entry *entry = g_new0(Entry, 1);

    g_atomic_ref_count_init(&entry->refs);
    entry->def = take_checkpoint;
    if (index < 0) {
        g_ptr_array_add(tree->entries, entry);
    } else {
        entry_unref(tree->entries->pdata[index]);
        tree->entries->pdata[index] = entry;
    }
    if (!checkpoint_tree_has_children(tree, take_checkpoint->name))
        set_current(tree, take_checkpoint->name);
}

void
checkpoint_tree_drop(CheckpointTree *tree, const char *name)
{
    const DomainCheckpoint *gone = checkpoint_tree_find(tree, name);
    g_autofree char *parent = gone ? g_strdup(gone->parent_name) : NULL;
    bool was_current = g_strcmp0(tree->current, name) == 0;

    if (!gone)
        return;
    for (guint i = 0; i < tree->entries->len; i++) {
        const DomainCheckpoint *child = checkpoint_tree_at(tree, i);
        DomainCheckpoint *moved;
        Entry *entry;

        if (g_strcmp0(child->parent_name, name) != 0)
            continue;
        moved = domain_checkpoint_copy(child);
        g_free(moved->parent_name);
        moved->parent_name = g_strdup(parent);
        entry = g_new0(Entry, 1);
        g_atomic_ref_count_init(&entry->refs);
        entry->def = moved;
        entry_unref(tree->entries->pdata[i]);
        tree->entries->pdata[i] = entry;
    }
    g_ptr_array_remove_index(tree->entries, (guint)find_index(tree, name));
    if (was_current)
        set_current(tree, checkpoint_tree_find(tree, parent) ? parent : NULL);
}

/* ---- files ---- */

static char *
path_of(QemuDriver *qemu, const char *domain, const char *name)
{
    return g_strdup_printf("%s/%s/%s.xml", qemu->checkpoint_dir, domain, name);
}

char *
checkpoint_file_text(const DomainCheckpoint *checkpoint)
{
    g_autofree char *comment = store_comment("checkpoint-edit", NULL, NULL);
    g_autofree char *xml =
        domain_checkpoint_format(checkpoint, MODEL_FORMAT_INACTIVE | MODEL_FORMAT_SECURE);

    return g_strconcat(comment, xml, g_str_has_suffix(xml, "\n") ? "" : "\n", NULL);
}

static DomainCheckpoint *
load_file(const char *path)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *text = file_read(path, FILE_MAX_BYTES, NULL, &err);
    g_autoptr(DomainCheckpoint) checkpoint =
        text ? domain_checkpoint_parse(text, MODEL_PARSE_INACTIVE, &err) : NULL;

    if (checkpoint && !checkpoint->name)
        fail(&err, VIR_ERR_XML_ERROR, "the checkpoint has no name");
    if (!err)
        return g_steal_pointer(&checkpoint);
    log_error(LOG_QEMU, "%s: it is not loaded and left as it is: %s", path, err->message);
    return NULL;
}

static int
compare_times(gconstpointer a, gconstpointer b)
{
    const DomainCheckpoint *x = *(DomainCheckpoint *const *)a;
    const DomainCheckpoint *y = *(DomainCheckpoint *const *)b;

    if (x->creation_time != y->creation_time)
        return x->creation_time < y->creation_time ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The only leaf; several: none is known to be the last. */
static void
choose_current(CheckpointTree *tree)
{
    const char *leaf = NULL;
    guint leaves = 0;

    for (guint i = 0; i < tree->entries->len; i++) {
        const char *name = checkpoint_tree_at(tree, i)->name;

        if (checkpoint_tree_has_children(tree, name))
            continue;
        leaf = name;
        leaves++;
    }
    set_current(tree, leaves == 1 ? leaf : NULL);
}

CheckpointTree *
checkpoint_store_load(QemuDriver *qemu, const char *domain, GError **err)
{
    g_autoptr(CheckpointTree) tree = checkpoint_tree_copy(NULL);
    g_autofree char *folder = g_build_filename(qemu->checkpoint_dir, domain, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_auto(GStrv) names = NULL;

    dir_sweep_tmp(folder);
    names = dir_list(folder, err);
    if (!names)
        return NULL;
    for (int i = 0; names[i]; i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        DomainCheckpoint *checkpoint =
            names[i][0] != '.' && !g_file_test(path, G_FILE_TEST_IS_DIR) ? load_file(path) : NULL;

        if (checkpoint)
            g_ptr_array_add(found, checkpoint);
    }
    g_ptr_array_sort(found, compare_times);
    for (guint i = 0; i < found->len; i++)
        checkpoint_tree_put(tree, found->pdata[i]);
    choose_current(tree);
    return g_steal_pointer(&tree);
}

bool
checkpoint_store_update(QemuDriver *qemu, const char *domain, const CheckpointTree *before,
                        const CheckpointTree *after, GError **err)
{
    g_autofree char *folder = g_build_filename(qemu->checkpoint_dir, domain, NULL);

    if (checkpoint_tree_size(after) > 0 && !dir_make(folder, 0755, err))
        return false;
    for (guint i = 0; i < checkpoint_tree_size(after); i++) {
        const DomainCheckpoint *checkpoint = checkpoint_tree_at(after, i);
        g_autofree char *path = path_of(qemu, domain, checkpoint->name);
        g_autofree char *text = NULL;

        if (checkpoint_tree_find(before, checkpoint->name) == checkpoint)
            continue;
        text = checkpoint_file_text(checkpoint);
        if (!file_write_atomic(path, text, strlen(text), 0600, err))
            return false;
    }
    for (guint i = 0; i < checkpoint_tree_size(before); i++) {
        const char *name = checkpoint_tree_at(before, i)->name;
        g_autofree char *path = path_of(qemu, domain, name);

        if (!checkpoint_tree_find(after, name) && !file_remove(path, err))
            return false;
    }
    if (checkpoint_tree_size(after) == 0)
        rmdir(folder);
    return true;
}
