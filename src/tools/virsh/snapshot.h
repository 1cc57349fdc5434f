/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for snapshots, between cmd_snapshot.c (what every daemon knows) and cmd_snapshot_tree.c (what
 * goes through libmanifold). */
#pragma once

#include "tools/virsh/shell.h"

#define SNAPSHOT TEXT_OF("snapshotname", complete_snapshot, "name of the snapshot")

/* The snapshot that --snapshotname or --current names. */
virDomainSnapshotPtr args_snapshot(Shell *shell, const Args *args, virDomainPtr domain);

bool cmd_snapshot_revert(Shell *shell, const Args *args);
bool cmd_snapshot_undo(Shell *shell, const Args *args);
bool cmd_snapshot_verify(Shell *shell, const Args *args);
bool cmd_snapshot_clone(Shell *shell, const Args *args);
extern const Option snapshot_revert_options[], snapshot_undo_options[], snapshot_clone_options[],
    snapshot_verify_options[];
