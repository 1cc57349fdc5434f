/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fault.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "job/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

static char *folder;

void
fault_setup_folder(const char *dir)
{
    g_free(folder);
    folder = g_strdup(dir);
}

void
fault_setup(void)
{
    const char *dir = g_getenv("MANIFOLD_TEST_FAULTS");

    if (!dir || !*dir)
        return;
    log_warning(LOG_JOB, "this daemon fails and dies where %s says: a test", dir);
    fault_setup_folder(dir);
}

static void
trace(const char *point)
{
    g_autofree char *path = g_build_filename(folder, "trace", NULL);
    g_autofree char *line = g_strconcat(point, "\n", NULL);
    auto_fd int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0 && !fd_write_all(fd, line, strlen(line)))
        log_warning(LOG_JOB, "cannot write '%s'", path);
}

/* What a test wants at @point: a new string, or NULL. */
static char *
armed_action(const char *point, const char *path)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (int i = 0; lines[i]; i++) {
        gsize len = strlen(point);
        if (strncmp(lines[i], point, len) == 0 && lines[i][len] == ' ')
            return g_strdup(lines[i] + len + 1);
    }
    return NULL;
}

bool
fault_point(GError **err, const char *fmt, ...)
{
    g_autofree char *point = NULL;
    g_autofree char *path = NULL;
    g_autofree char *action = NULL;
    va_list args;

    if (!folder)
        return true;
    va_start(args, fmt);
    point = g_strdup_vprintf(fmt, args);
    va_end(args);

    trace(point);
    path = g_build_filename(folder, "armed", NULL);
    action = armed_action(point, path);
    if (!action)
        return true;
    if (g_str_equal(action, "kill")) {
        kill(getpid(), SIGKILL);
        pause();
    }
    if (g_str_equal(action, "fail-once"))
        unlink(path);
    return fail(err, VIR_ERR_OPERATION_FAILED, "a test wants a failure at %s", point);
}
