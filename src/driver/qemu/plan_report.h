/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a job would do, as JSON, told by the plan that the job itself runs: for dry runs.
 *
 *     {"domain": "web1", "steps": [{"operation": "revert", "snapshot": "clean", "way": "staged",
 *       "why": null, "guest": {"before": "running", "meanwhile": "...", "after": "running"},
 *       "bytes_to_copy": 0, "make": [...], "merge": [...], "remove": [...], "keep": [...]}]}
 *
 * A deletion of several snapshots has a step for each. docs/snapshots.md explains the members. */
#pragma once

#include <glib.h>

#include "base/json.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/new_overlay.h"

/* A report without steps. */
Json *plan_report_new(const Guest *guest);
/* One step more; borrowed. */
Json *plan_report_add(Json *report, const char *operation, const char *snapshot);
/* "offline", "live", "staged" or "stop-first"; @why may be NULL. */
void plan_report_way(Json *step, const char *way, const char *why);
/* What the guest is before, what happens to it meanwhile, what it is afterwards. */
void plan_report_guest(Json *step, const Guest *guest, const char *meanwhile, const char *after);
void plan_report_make(Json *step, const char *what, const char *path, const char *on);
void plan_report_overlays(Json *step, const GPtrArray *overlays);
/* The data of @from goes into @into; also counted as bytes to copy. */
void plan_report_merge(Json *step, const char *disk, const char *from, const char *into,
                       guint64 bytes);
/* The file goes; its bytes are counted as freed. */
void plan_report_remove(Json *step, const char *path);
void plan_report_keep(Json *step, const char *path, const char *why);
void plan_report_copies(Json *step, guint64 bytes);
void plan_report_note(Json *step, const char *text);
/* The text of the report, which is released. */
char *plan_report_finish(Json *take_report);

/* Bytes that the file at @path takes on the disk. */
guint64 allocated_bytes(const char *path);
