/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Named points at which tests make this process fail or die: `revert/create/vda`.
 *
 * Asleep unless the daemon was started with MANIFOLD_TEST_FAULTS naming a folder. Then every point
 * that is passed is appended to the folder's file `trace`, and lines `POINT kill`, `POINT fail` or
 * `POINT fail-once` of its file `armed` (written by the test at any time) say what happens
 * there. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Look at the environment; once, before threads start. */
void fault_setup(void);
/* For unit tests: as if MANIFOLD_TEST_FAULTS were @dir; NULL: asleep again. */
void fault_setup_folder(const char *dir);
/* Pass a point. False with VIR_ERR_OPERATION_FAILED when a test wants a failure here. */
bool fault_point(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
