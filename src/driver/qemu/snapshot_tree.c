/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_tree.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/snapshot_tree.h"

#include <string.h>

#include "base/error.h"

/* Shared by trees. */
typedef struct {
    gatomicrefcount refs;
    DomainSnapshot *def;
} Snapshot;

struct SnapshotTree {
    gatomicrefcount refs;
    GPtrArray *snapshots; /* of Snapshot *, in the order of coming */
    GHashTable *by_name;  /* name of the def -> Snapshot */
    char *current;
};

static void
snapshot_unref(Snapshot *snapshot)
{
    if (!g_atomic_ref_count_dec(&snapshot->refs))
        return;
    domain_snapshot_free(snapshot->def);
    g_free(snapshot);
}

SnapshotTree *
snapshot_tree_new(void)
{
    SnapshotTree *tree = g_new0(SnapshotTree, 1);

    g_atomic_ref_count_init(&tree->refs);
    tree->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_unref);
    tree->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return tree;
}

SnapshotTree *
snapshot_tree_ref(SnapshotTree *tree)
{
    if (tree)
        g_atomic_ref_count_inc(&tree->refs);
    return tree;
}

void
snapshot_tree_unref(SnapshotTree *tree)
{
    if (!tree || !g_atomic_ref_count_dec(&tree->refs))
        return;
    g_hash_table_unref(tree->by_name);
    g_ptr_array_unref(tree->snapshots);
    g_free(tree->current);
    g_free(tree);
}

SnapshotTree *
snapshot_tree_copy(const SnapshotTree *tree)
{
    SnapshotTree *copy = snapshot_tree_new();

    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        Snapshot *snapshot = tree->snapshots->pdata[i];

        g_atomic_ref_count_inc(&snapshot->refs);
        g_ptr_array_add(copy->snapshots, snapshot);
        g_hash_table_insert(copy->by_name, snapshot->def->name, snapshot);
    }
    copy->current = g_strdup(snapshot_tree_current(tree));
    return copy;
}

/* ---- reading ---- */

guint
snapshot_tree_size(const SnapshotTree *tree)
{
    return tree ? tree->snapshots->len : 0;
}

const DomainSnapshot *
snapshot_tree_at(const SnapshotTree *tree, guint index)
{
    return ((const Snapshot *)tree->snapshots->pdata[index])->def;
}

const DomainSnapshot *
snapshot_tree_find(const SnapshotTree *tree, const char *name)
{
    const Snapshot *snapshot = tree && name ? g_hash_table_lookup(tree->by_name, name) : NULL;

    return snapshot ? snapshot->def : NULL;
}

const DomainSnapshot *
snapshot_tree_require(const SnapshotTree *tree, const char *name, GError **err)
{
    const DomainSnapshot *snapshot = snapshot_tree_find(tree, name);

    if (!snapshot)
        return fail_null(err, VIR_ERR_NO_DOMAIN_SNAPSHOT,
                         "no domain snapshot with matching name '%s'", name);
    return snapshot;
}

const char *
snapshot_tree_current(const SnapshotTree *tree)
{
    return tree ? tree->current : NULL;
}

const DomainSnapshot *
snapshot_tree_parent(const SnapshotTree *tree, const DomainSnapshot *snapshot)
{
    return snapshot_tree_find(tree, snapshot->parent_name);
}

static bool
is_child_of(const SnapshotTree *tree, const DomainSnapshot *snapshot, const char *name)
{
    const DomainSnapshot *parent = snapshot_tree_parent(tree, snapshot);

    return parent ? g_strcmp0(parent->name, name) == 0 : name == NULL;
}

bool
snapshot_tree_has_children(const SnapshotTree *tree, const char *name)
{
    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        if (is_child_of(tree, snapshot_tree_at(tree, i), name))
            return true;
    }
    return false;
}

bool
snapshot_tree_is_below(const SnapshotTree *tree, const char *name, const char *ancestor)
{
    const DomainSnapshot *snapshot = snapshot_tree_find(tree, name);

    for (guint depth = 0; snapshot && depth <= snapshot_tree_size(tree); depth++) {
        if (g_str_equal(snapshot->name, ancestor))
            return true;
        snapshot = snapshot_tree_parent(tree, snapshot);
    }
    return false;
}

GPtrArray *
snapshot_tree_list(const SnapshotTree *tree, const char *name, bool only_direct)
{
    g_autoptr(GHashTable) children =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    GPtrArray *found = g_ptr_array_new();
    const char *root = name ? name : "";

    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(tree, i);
        const DomainSnapshot *parent = snapshot_tree_parent(tree, snapshot);
        const char *key = parent ? parent->name : "";
        GPtrArray *list = g_hash_table_lookup(children, key);

        if (!list) {
            list = g_ptr_array_new();
            g_hash_table_insert(children, (char *)key, list);
        }
        g_ptr_array_add(list, (DomainSnapshot *)snapshot);
    }
    /* A stack: what is pushed last, the newest, comes first. */
    g_ptr_array_add(open, (char *)root);
    while (open->len > 0) {
        const char *top = g_ptr_array_steal_index(open, open->len - 1);
        GPtrArray *list = g_hash_table_lookup(children, top);
        const DomainSnapshot *snapshot = snapshot_tree_find(tree, top);

        if (top != root)
            g_ptr_array_add(found, (DomainSnapshot *)snapshot);
        for (guint i = 0; list && i < list->len && (top == root || !only_direct); i++)
            g_ptr_array_add(open, ((DomainSnapshot *)list->pdata[i])->name);
    }
    return found;
}

/* ---- changing ---- */

void
snapshot_tree_put(SnapshotTree *tree, DomainSnapshot *take_snapshot)
{
    Snapshot *old = g_hash_table_lookup(tree->by_name, take_snapshot->name);
    Snapshot *snapshot = g_new0(Snapshot, 1);
    guint index;

    g_atomic_ref_count_init(&snapshot->refs);
    snapshot->def = take_snapshot;
    if (old && g_ptr_array_find(tree->snapshots, old, &index)) {
        g_hash_table_remove(tree->by_name, old->def->name);
        tree->snapshots->pdata[index] = snapshot;
        snapshot_unref(old);
    } else {
        g_ptr_array_add(tree->snapshots, snapshot);
    }
    g_hash_table_insert(tree->by_name, snapshot->def->name, snapshot);
}

void
snapshot_tree_drop(SnapshotTree *tree, const char *name)
{
    Snapshot *snapshot = g_hash_table_lookup(tree->by_name, name);

    if (!snapshot)
        return;
    if (g_strcmp0(tree->current, name) == 0)
        snapshot_tree_set_current(tree, NULL);
    g_hash_table_remove(tree->by_name, name);
    g_ptr_array_remove(tree->snapshots, snapshot);
}

void
snapshot_tree_set_current(SnapshotTree *tree, const char *name)
{
    char *old = tree->current;

    tree->current = g_strdup(name);
    g_free(old);
}

bool
snapshot_is_external(const DomainSnapshot *snapshot)
{
    if (snapshot->memory.snapshot == DISK_SNAPSHOT_MODE_EXTERNAL)
        return true;
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        if (snapshot->disks[i]->snapshot == DISK_SNAPSHOT_MODE_EXTERNAL)
            return true;
    }
    return false;
}
