/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See watch.h. */
#include "tools/virsh/watch.h"

#include <stdio.h>

#include "tools/virsh/output.h"

Watch
watch_of(Shell *shell, const Args *args)
{
    return (Watch){
        .shell = shell, .timestamp = args_has(args, "timestamp"), .loop = args_has(args, "loop")};
}

static void
print_json(Watch *watch, GDateTime *now, const char *event, const char *key, const char *object,
           const char *text)
{
    g_autoptr(GString) out = g_string_new(NULL);

    g_string_append_printf(out, "{\"time\":%" G_GINT64_FORMAT ".%03d,\"event\":\"%s\",\"%s\":",
                           g_date_time_to_unix(now), g_date_time_get_microsecond(now) / 1000, event,
                           key);
    json_append_string(out, object);
    g_string_append(out, ",\"detail\":");
    json_append_string(out, text);
    shell_print(watch->shell, "%s}\n", out->str);
}

void
watch_report(Watch *watch, const char *event, const char *what, const char *key, const char *object,
             const char *text)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();

    if (watch->done)
        return;
    if (shell_wants_json(watch->shell)) {
        print_json(watch, now, event, key, object, text);
    } else {
        if (watch->timestamp) {
            g_autofree char *when = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");
            g_autofree char *zone = g_date_time_format(now, "%z");
            shell_print(watch->shell, "%s.%03d%s: ", when, g_date_time_get_microsecond(now) / 1000,
                        zone);
        }
        shell_print(watch->shell, "event '%s' for %s %s%s%s\n", event, what, object,
                    *text ? ": " : "", text);
    }
    fflush(stdout);
    watch->count++;
    watch->done = !watch->loop;
}

bool
watch_run(Watch *watch, const Args *args)
{
    Shell *shell = watch->shell;
    int seconds = 0;

    if (!args_int(shell, args, "timeout", &seconds))
        return false;
    if (args_has(args, "timeout") && seconds < 1)
        return shell_fail(
            shell, "Numeric value '%d' for <timeout> option is malformed or out of range", seconds);
    int timer = seconds ? virEventAddTimeout(seconds * 1000, shell_end_loop, NULL, NULL) : -1;
    bool alive = shell_run_loop(shell, &watch->done);
    if (timer >= 0)
        virEventRemoveTimeout(timer);
    if (!alive)
        return shell_fail(shell, "the connection was lost after %d events", watch->count);
    if (shell_was_interrupted())
        shell_note(shell, "event loop interrupted\n");
    else if (!watch->done)
        shell_note(shell, "event loop timed out\n");
    shell_note(shell, "events received: %d\n", watch->count);
    return watch->count > 0;
}
