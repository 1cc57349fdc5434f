/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints of a guest: moments since which QEMU knows what changed on its disks.
 *
 * Each has a persistent dirty bitmap of its name in the image of each of its disks. All bitmaps go on recording; an image that
 * is put above gets bitmaps of the same names, so that what changed since is the union over the chain. What else happens to
 * the images: checkpoints_require_none. Tree and files: checkpoint_tree.c; rules: checkpoint_define.c; jobs: checkpoint.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "driver/qemu/guest.h"
#include "gen/model-checkpoint.h"
#include "job/job.h"

/* ---- the tree: immutable once in a guest's view; NULL is an empty one ---- */
CheckpointTree *checkpoint_tree_ref(CheckpointTree *tree);
void checkpoint_tree_unref(CheckpointTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CheckpointTree, checkpoint_tree_unref)
CheckpointTree *checkpoint_tree_copy(const CheckpointTree *tree);
guint checkpoint_tree_size(const CheckpointTree *tree);
const DomainCheckpoint *checkpoint_tree_at(const CheckpointTree *tree, guint index);
const DomainCheckpoint *checkpoint_tree_find(const CheckpointTree *tree, const char *name);
/* The same; VIR_ERR_NO_DOMAIN_CHECKPOINT. */
const DomainCheckpoint *checkpoint_tree_require(const CheckpointTree *tree, const char *name,
                                                GError **err);
/* The one whose child the next one is; NULL: none. */
const char *checkpoint_tree_current(const CheckpointTree *tree);
const DomainCheckpoint *checkpoint_tree_parent(const CheckpointTree *tree,
                                               const DomainCheckpoint *checkpoint);
bool checkpoint_tree_has_children(const CheckpointTree *tree, const char *name);
/* Those below @name (NULL: all), parents first; borrowed. */
GPtrArray *checkpoint_tree_list(const CheckpointTree *tree, const char *name, bool only_direct);
/* Add or replace; it becomes the current one when it is a leaf. */
void checkpoint_tree_put(CheckpointTree *tree, DomainCheckpoint *take_checkpoint);
/* Take out; its children go to its parent. */
void checkpoint_tree_drop(CheckpointTree *tree, const char *name);

/* ---- files ---- */
CheckpointTree *checkpoint_store_load(QemuDriver *qemu, const char *domain, GError **err);
/* Make the files of @domain say @after instead of @before. */
bool checkpoint_store_update(QemuDriver *qemu, const char *domain, const CheckpointTree *before,
                             const CheckpointTree *after, GError **err);
char *checkpoint_file_text(const DomainCheckpoint *checkpoint);

/* ---- rules ---- */
/* What a user wrote: the grammar, a name, a time. */
DomainCheckpoint *checkpoint_parse(const char *xml, bool is_redefine, GError **err);
/* An entry for each disk of @machine. */
bool checkpoint_align_disks(DomainCheckpoint *checkpoint, const Domain *machine, GError **err);
/* Restore the record of one (flags of virDomainCheckpointCreateXML). */
bool checkpoint_redefine(Guest *guest, DomainCheckpoint *checkpoint, guint flags, GError **err);

/* ---- for the rest of the driver; on the guest's strand ---- */
void guest_set_checkpoints(Guest *guest, CheckpointTree *take_tree);
/* Change tree and files; nothing has changed when it fails. */
bool checkpoints_change(Guest *guest, CheckpointTree *take_tree, GError **err);
bool checkpoints_load(Guest *guest, GError **err);
bool checkpoints_forget_all(Guest *guest, GError **err);
bool checkpoints_rename(Guest *guest, const char *old_name, GError **err);
/* For what would lose track of changes: VIR_ERR_OPERATION_INVALID, saying what to do. @what: "a revert". */
bool checkpoints_require_none(const Guest *guest, const char *what, GError **err);
/* Give the file at @path, a new qcow2 image above the disk @target of a guest that is off, the bitmaps that the disk has. */
bool checkpoints_add_to_file(const Guest *guest, const char *target, const char *path,
                             GError **err);
/* Persistent bitmaps of format node @node that are whole, in the answer of query-named-block-nodes: borrowed objects. */
GPtrArray *bitmaps_of_node(const Json *nodes, const char *node);

extern const JobKind checkpoint_create_kind, checkpoint_delete_kind;
void checkpoint_slots(DriverSlots *slots);
void checkpoint_list_slots(DriverSlots *slots);
