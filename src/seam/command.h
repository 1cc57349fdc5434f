/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Run another program: an array of words, an explicit list of descriptors, bounded output, a deadline. Never a shell. It
 * does not outlive the daemon.
 *
 * command_run blocks and is for workers. Emulators are not started with this but with stub.h, which lets the daemon write
 * down who runs before it runs. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    const char *const *argv; /* argv[0] is looked up in PATH unless it holds a slash */
    const char *const *env;  /* NULL: PATH, LC_ALL=C and nothing else */
    const char *cwd;         /* NULL: / */
    const char *input;       /* text for standard input; NULL: /dev/null */
    const int *keep_fds;     /* stay open under the same numbers; all others above 2 are closed */
    gsize n_keep_fds;
    gsize
        max_output_bytes; /* of each of stdout and stderr; 0: 1 MiB. What is more is read and dropped. */
    int timeout_ms;       /* 0: 30 s. When it passes the program is killed. */
} CommandSpec;

typedef struct {
    int status; /* waitpid form */
    bool timed_out;
    char *out, *err; /* NUL-terminated, without a final newline in err */
    gsize out_len, err_len;
} CommandResult;

void command_result_clear(CommandResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandResult, command_result_clear)

/* True when it ran and exited with 0. Otherwise the error quotes program, status and the last line of stderr; @result
 * (may be NULL) is filled either way when the program could be started. */
bool command_run(const CommandSpec *spec, CommandResult *result, GError **err);

/* Full path of @program in PATH (or itself when it has a slash and is executable); NULL when there is none. */
char *command_find(const char *program);
