/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See plan_report.h. */
#include "driver/qemu/plan_report.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <libvirt/libvirt.h>

guint64
allocated_bytes(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (guint64)st.st_blocks * 512 : 0;
}

Json *
plan_report_new(const Guest *guest)
{
    return json_pack("{s:s, s:[]}", "domain", guest->name, "steps");
}

Json *
plan_report_add(Json *report, const char *operation, const char *snapshot)
{
    Json *step =
        json_pack("{s:s, s:s?, s:n, s:n, s:I, s:I, s:[], s:[], s:[], s:[], s:[]}", "operation",
                  operation, "snapshot", snapshot, "way", "why", "bytes_to_copy", (json_int_t)0,
                  "bytes_freed", (json_int_t)0, "make", "merge", "remove", "keep", "notes");

    json_array_append_new(json_object_get(report, "steps"), step);
    return step;
}

void
plan_report_way(Json *step, const char *way, const char *why)
{
    json_object_set_new(step, "way", json_string(way));
    json_object_set_new(step, "why", why ? json_string(why) : json_null());
}

static const char *
state_word(const Guest *guest)
{
    if (!guest_is_running(guest))
        return "off";
    return guest->state == VIR_DOMAIN_RUNNING ? "running" : "paused";
}

void
plan_report_guest(Json *step, const Guest *guest, const char *meanwhile, const char *after)
{
    const char *before = state_word(guest);

    json_object_set_new(step, "guest",
                        json_pack("{s:s, s:s, s:s}", "before", before, "meanwhile", meanwhile,
                                  "after", after ? after : before));
}

static void
append(Json *step, const char *list, Json *take_entry)
{
    json_array_append_new(json_object_get(step, list), take_entry);
}

static void
count(Json *step, const char *key, guint64 bytes)
{
    json_int_t before = json_integer_value(json_object_get(step, key));

    json_object_set_new(step, key, json_integer(before + (json_int_t)bytes));
}

void
plan_report_make(Json *step, const char *what, const char *path, const char *on)
{
    append(step, "make", json_pack("{s:s, s:s, s:s?}", "what", what, "path", path, "on", on));
}

void
plan_report_overlays(Json *step, const GPtrArray *overlays)
{
    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        g_autofree char *what = g_strdup_printf("disk %s", overlay->target);

        if (overlay->is_reused)
            plan_report_keep(step, overlay->path, "it is yours and is used as it is");
        else
            plan_report_make(step, what, overlay->path, overlay->base_path);
    }
}

void
plan_report_merge(Json *step, const char *disk, const char *from, const char *into, guint64 bytes)
{
    append(step, "merge",
           json_pack("{s:s, s:s, s:s, s:I}", "disk", disk, "from", from, "into", into, "bytes",
                     (json_int_t)bytes));
    plan_report_copies(step, bytes);
}

void
plan_report_remove(Json *step, const char *path)
{
    guint64 bytes = allocated_bytes(path);

    append(step, "remove", json_pack("{s:s, s:I}", "path", path, "bytes", (json_int_t)bytes));
    count(step, "bytes_freed", bytes);
}

void
plan_report_keep(Json *step, const char *path, const char *why)
{
    append(step, "keep", json_pack("{s:s, s:s}", "path", path, "why", why));
}

void
plan_report_copies(Json *step, guint64 bytes)
{
    count(step, "bytes_to_copy", bytes);
}

void
plan_report_note(Json *step, const char *text)
{
    append(step, "notes", json_string(text));
}

char *
plan_report_finish(Json *take_report)
{
    g_autoptr(Json) report = take_report;
    char *text = json_dumps(report, JSON_INDENT(2));
    char *copy = g_strdup(text);

    free(text);
    return copy;
}
