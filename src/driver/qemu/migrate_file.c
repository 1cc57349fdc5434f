/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See migrate_file.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/migrate_file.h"

#include <string.h>

#include "base/error.h"
#include "seam/clock.h"

#define FD_NAME "manifold-memory"
#define UNLIMITED_BYTES_A_SECOND (1ll << 40)
#define CANCEL_PATIENCE_MS 5000

static bool
prepare(Emulator *emulator, int fd, bool is_save, GError **err)
{
    Json *events =
        json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);

    if (!qmp_run(emulator->qmp, "migrate-set-capabilities", events, err))
        return false;
    if (is_save &&
        !qmp_run(emulator->qmp, "migrate-set-parameters",
                 json_pack("{s:I}", "max-bandwidth", (json_int_t)UNLIMITED_BYTES_A_SECOND), err))
        return false;
    return qmp_pass_fd(emulator->qmp, fd, FD_NAME, err);
}

bool
migrate_file_save(Emulator *emulator, int fd, GError **err)
{
    return prepare(emulator, fd, true, err) &&
           qmp_run(emulator->qmp, "migrate", json_pack("{s:s}", "uri", "fd:" FD_NAME), err);
}

bool
migrate_file_load(Emulator *emulator, int fd, GError **err)
{
    return prepare(emulator, fd, false, err) &&
           qmp_run(emulator->qmp, "migrate-incoming", json_pack("{s:s}", "uri", "fd:" FD_NAME),
                   err);
}

static char *
run_state(Emulator *emulator, GError **err)
{
    g_autoptr(Json) status = qmp_call(emulator->qmp, "query-status", NULL, err);

    return status ? g_strdup(json_string_value(json_object_get(status, "status"))) : NULL;
}

static void
read_progress(const Json *info, MigrateProgress *progress)
{
    const Json *ram = json_object_get(info, "ram");

    progress->done_bytes = (guint64)json_integer_value(json_object_get(ram, "transferred"));
    progress->total_bytes = (guint64)json_integer_value(json_object_get(ram, "total"));
}

bool
migrate_file_look(Emulator *emulator, MigrateProgress *progress, GError **err)
{
    g_autoptr(Json) info = qmp_call(emulator->qmp, "query-migrate", NULL, err);
    const char *status, *why;
    g_autofree char *state = NULL;

    if (!info)
        return false;
    status = json_string_value(json_object_get(info, "status"));
    read_progress(info, progress);
    progress->state = MIGRATE_ACTIVE;
    if (g_strcmp0(status, "failed") == 0 || g_strcmp0(status, "cancelled") == 0) {
        why = json_string_value(json_object_get(info, "error-desc"));
        progress->state = MIGRATE_FAILED;
        fail(err, VIR_ERR_OPERATION_FAILED, "saving the memory %s%s%s", status, why ? ": " : "",
             why ? why : "");
        return true;
    }
    if (g_strcmp0(status, "completed") != 0)
        return true;
    state = run_state(emulator, err);
    if (!state)
        return false;
    progress->state = g_str_equal(state, "finish-migrate") ? MIGRATE_SETTLING : MIGRATE_DONE;
    return true;
}

bool
migrate_file_look_loaded(Emulator *emulator, MigrateProgress *progress, GError **err)
{
    g_autofree char *state = run_state(emulator, err);

    memset(progress, 0, sizeof(*progress));
    if (!state)
        return false;
    progress->state = g_str_equal(state, "inmigrate") ? MIGRATE_ACTIVE : MIGRATE_DONE;
    return true;
}

static bool
is_over(const Json *info)
{
    const char *status = json_string_value(json_object_get(info, "status"));

    return !status || g_str_equal(status, "none") || g_str_equal(status, "completed") ||
           g_str_equal(status, "failed") || g_str_equal(status, "cancelled");
}

bool
migrate_file_cancel(Emulator *emulator, GError **err)
{
    gint64 deadline = clock_monotonic_ms() + CANCEL_PATIENCE_MS;

    qmp_run(emulator->qmp, "closefd", json_pack("{s:s}", "fdname", FD_NAME),
            NULL); /* usually used up already */
    if (!qmp_run(emulator->qmp, "migrate_cancel", NULL, err))
        return false;
    for (;;) {
        g_autoptr(Json) info = qmp_call(emulator->qmp, "query-migrate", NULL, err);
        g_autofree char *state = info ? run_state(emulator, err) : NULL;

        if (!state)
            return false;
        if (is_over(info) && !g_str_equal(state, "finish-migrate"))
            return true;
        if (clock_monotonic_ms() > deadline)
            return fail(err, VIR_ERR_OPERATION_TIMEOUT, "saving the memory does not stop");
        /* No event says that the emulator has settled; each answer comes after another round of its
         * main loop. */
    }
}
