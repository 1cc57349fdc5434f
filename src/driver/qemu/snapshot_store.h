/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots on disk: LIB/snapshot/DOMAIN/NAME.xml, in the form that libvirt 9.0.0 reads and
 * writes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "driver/qemu/snapshot_tree.h"

/* The text of a file: everything, secrets too. */
char *snapshot_file_text(const DomainSnapshot *snapshot, bool is_current);
/* A snapshot from such a text; @is_current may be NULL. */
DomainSnapshot *snapshot_from_file_text(const char *text, bool *is_current, GError **err);

/* All of a domain's snapshots. A file that does not parse is reported and left. */
SnapshotTree *snapshot_store_load(QemuDriver *qemu, const char *domain, GError **err);
/* Write or remove what differs between the trees, durably: new files first, then changed ones, then
 * removals. */
bool snapshot_store_update(QemuDriver *qemu, const char *domain, const SnapshotTree *before,
                           const SnapshotTree *after, GError **err);
/* Make one file what @text says; or remove it. */
bool snapshot_store_write(QemuDriver *qemu, const char *domain, const char *name, const char *text,
                          GError **err);
bool snapshot_store_remove(QemuDriver *qemu, const char *domain, const char *name, GError **err);
/* May a snapshot have that name? */
bool snapshot_name_check(const char *name, GError **err);
