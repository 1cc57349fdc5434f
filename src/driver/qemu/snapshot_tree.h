/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The snapshots of one guest, as readers see them: immutable once published in the guest's view.
 *
 * A change copies the tree (the snapshots themselves are shared), changes the copy, and publishes
 * that. A snapshot's parent is a name; one whose parent is missing stands at the root. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/model-snapshot.h"

typedef struct SnapshotTree SnapshotTree;

SnapshotTree *snapshot_tree_new(void);
SnapshotTree *snapshot_tree_ref(SnapshotTree *tree); /* NULL is fine */
void snapshot_tree_unref(SnapshotTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SnapshotTree, snapshot_tree_unref)
/* A new tree with the same snapshots, to be changed before anybody sees it. @tree may be NULL. */
SnapshotTree *snapshot_tree_copy(const SnapshotTree *tree);

/* ---- reading; NULL is an empty tree ---- */
guint snapshot_tree_size(const SnapshotTree *tree);
const DomainSnapshot *snapshot_tree_at(const SnapshotTree *tree, guint index);
const DomainSnapshot *snapshot_tree_find(const SnapshotTree *tree, const char *name);
/* The same; fails with VIR_ERR_NO_DOMAIN_SNAPSHOT. */
const DomainSnapshot *snapshot_tree_require(const SnapshotTree *tree, const char *name,
                                            GError **err);
const char *snapshot_tree_current(const SnapshotTree *tree);
/* The parent, if it exists. */
const DomainSnapshot *snapshot_tree_parent(const SnapshotTree *tree,
                                           const DomainSnapshot *snapshot);
bool snapshot_tree_has_children(const SnapshotTree *tree, const char *name);
/* Is @ancestor above @name (or @name itself)? */
bool snapshot_tree_is_below(const SnapshotTree *tree, const char *name, const char *ancestor);
/* Borrowed snapshots below @name (NULL: all), parents before children, the newest child first. */
GPtrArray *snapshot_tree_list(const SnapshotTree *tree, const char *name, bool only_direct);

/* ---- changing a copy ---- */
/* Add, or replace the one of that name (which keeps its place). */
void snapshot_tree_put(SnapshotTree *tree, DomainSnapshot *take_snapshot);
void snapshot_tree_drop(SnapshotTree *tree, const char *name);
void snapshot_tree_set_current(SnapshotTree *tree, const char *name); /* NULL: none */

bool snapshot_is_external(const DomainSnapshot *snapshot);
