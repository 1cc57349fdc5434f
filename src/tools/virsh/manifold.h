/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libmanifold.so.0, loaded by the first command that needs it, and the plans that it returns, printed for people. */
#pragma once

#include <manifold/manifold.h>

#include "tools/virsh/shell.h"

typedef struct {
    __typeof__(&manifoldSnapshotPlanCreate) plan_create;
    __typeof__(&manifoldSnapshotPlanRevert) plan_revert;
    __typeof__(&manifoldSnapshotPlanDelete) plan_delete;
    __typeof__(&manifoldSnapshotPlanUndo) plan_undo;
    __typeof__(&manifoldSnapshotPlanClone) plan_clone;
    __typeof__(&manifoldSnapshotRevert) revert;
    __typeof__(&manifoldSnapshotUndo) undo;
    __typeof__(&manifoldSnapshotClone) clone;
    __typeof__(&manifoldSnapshotVerify) verify;
    __typeof__(&manifoldSnapshotRepair) repair;
} Manifold;

/* NULL after saying why. */
const Manifold *manifold_load(Shell *shell);
/* After a call of the library failed: false, with a better word where the daemon is another one. */
bool manifold_failed(Shell *shell);
/* Print a plan, which is released; false after saying why when it is NULL (the call failed). */
bool manifold_print_plan(Shell *shell, char *take_plan);
/* The same for findings; *@count is how many there are. */
bool manifold_print_findings(Shell *shell, char *take_findings, gsize *count);
