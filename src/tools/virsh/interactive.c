/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See interactive.h. readline is loaded when a person types, not when a script starts us: it would double the start-up time. */
#include "tools/virsh/interactive.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#define HISTORY_LINES 500

/* The part of readline that is used, resolved at run time. */
typedef struct {
    char *(*readline)(const char *);
    void (*add_history)(const char *);
    int (*read_history)(const char *);
    int (*write_history)(const char *);
    void (*stifle_history)(int);
    char **(*completion_matches)(const char *, rl_compentry_func_t *);
    rl_completion_func_t **attempted_completion;
    char **line_buffer;
    const char **word_breaks;
    int *completion_over;
    void (*replace_line)(const char *, int);
    int (*on_new_line)(void);
    void (*redisplay)(void);
    rl_hook_func_t **signal_event_hook;
} Readline;

static Readline rl;
static Shell *completing_for; /* readline's hooks carry no context */

static bool
load_readline(void)
{
    void *library = dlopen("libreadline.so.8", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return false;
    rl.readline = dlsym(library, "readline");
    rl.add_history = dlsym(library, "add_history");
    rl.read_history = dlsym(library, "read_history");
    rl.write_history = dlsym(library, "write_history");
    rl.stifle_history = dlsym(library, "stifle_history");
    rl.completion_matches = dlsym(library, "rl_completion_matches");
    rl.attempted_completion = dlsym(library, "rl_attempted_completion_function");
    rl.line_buffer = dlsym(library, "rl_line_buffer");
    rl.completion_over = dlsym(library, "rl_attempted_completion_over");
    rl.replace_line = dlsym(library, "rl_replace_line");
    rl.on_new_line = dlsym(library, "rl_on_new_line");
    rl.redisplay = dlsym(library, "rl_redisplay");
    rl.signal_event_hook = dlsym(library, "rl_signal_event_hook");
    rl.word_breaks = dlsym(library, "rl_basic_word_break_characters");
    return rl.readline && rl.add_history && rl.read_history && rl.write_history &&
           rl.stifle_history && rl.completion_matches && rl.attempted_completion &&
           rl.line_buffer && rl.word_breaks && rl.completion_over && rl.replace_line &&
           rl.on_new_line && rl.redisplay && rl.signal_event_hook;
}

/* ---- completion ---- */

static GPtrArray *candidates;
static guint next_candidate;

static char *
give_candidate(const char *text, int state)
{
    if (state == 0)
        next_candidate = 0;
    while (candidates && next_candidate < candidates->len) {
        const char *candidate = candidates->pdata[next_candidate++];
        if (g_str_has_prefix(candidate, text))
            return strdup(candidate); /* readline frees it with free() */
    }
    return NULL;
}

/* The option whose value is being typed: after --name, else the one of the same place. */
static const Option *
option_at(const Command *command, char **words, guint n)
{
    guint place = 0;

    if (n > 1 && g_str_has_prefix(words[n - 1], "--")) {
        for (const Option *option = command->options; option && option->name; option++) {
            if (g_str_equal(option->name, words[n - 1] + 2) && option->type != OPTION_FLAG)
                return option;
        }
    }
    for (guint i = 1; i < n; i++)
        place += !g_str_has_prefix(words[i], "--");
    for (const Option *option = command->options; option && option->name; option++) {
        if (option->type == OPTION_FLAG || option->type == OPTION_ALIAS ||
            option->flags & OPTION_NAMED)
            continue;
        if (option->type == OPTION_ARGV || place-- == 0)
            return option;
    }
    return NULL;
}

static void
add_options(const Command *command, char **words)
{
    for (const Option *option = command->options; option && option->name; option++) {
        g_autofree char *name = g_strdup_printf("--%s", option->name);
        if (option->type != OPTION_ALIAS && !g_strv_contains((const char *const *)words, name))
            g_ptr_array_add(candidates, g_steal_pointer(&name));
    }
    if (command->flags & COMMAND_JSON)
        g_ptr_array_add(candidates, g_strdup("--json"));
}

/* A list of choices completes its last part: acpi,ag -> acpi,agent. */
static void
add_choices(const char *choices, const char *text)
{
    const char *comma = strrchr(text, ',');
    g_auto(GStrv) words = g_strsplit(choices, ",", -1);

    for (char **word = words; *word; word++)
        g_ptr_array_add(candidates, g_strdup_printf("%.*s%s", comma ? (int)(comma - text + 1) : 0,
                                                    text, *word));
}

static char **
complete(const char *text, int start, int end)
{
    g_autofree char *before = g_strndup(*rl.line_buffer, start);
    /* Only the command under the cursor counts. */
    const char *from = strrchr(before, ';');
    g_autofree char *line = g_strdup(from ? from + 1 : before);
    g_auto(GStrv) words = g_strsplit_set(g_strstrip(line), " \t", -1);
    guint n = words[0] && *words[0] ? g_strv_length(words) : 0;
    virConnectPtr conn = shell_connection(completing_for);

    g_clear_pointer(&candidates, g_ptr_array_unref);
    candidates = g_ptr_array_new_with_free_func(g_free);
    if (n == 0) {
        complete_command(conn, words, NULL, candidates);
        return rl.completion_matches(text, give_candidate);
    }
    const Command *command = command_find(words[0]);
    if (!command)
        return NULL;
    if (g_str_has_prefix(text, "-")) {
        add_options(command, words);
        return rl.completion_matches(text, give_candidate);
    }
    const Option *option = option_at(command, words, n);
    if (!option)
        return NULL;
    if (option->choices)
        add_choices(option->choices, text);
    if (option->complete)
        option->complete(conn, words, option, candidates);
    shell_forget_error();
    /* Where nothing is known to fit, file names would only mislead; where it is a file, readline knows best. */
    *rl.completion_over = option->complete != NULL;
    return candidates->len ? rl.completion_matches(text, give_candidate) : NULL;
}

/* Ctrl-C while a line is typed: throw the line away. */
static int
on_signal(void)
{
    if (shell_was_interrupted()) {
        shell_clear_interrupt();
        rl.replace_line("", 0);
        putchar('\n');
        rl.on_new_line();
        rl.redisplay();
    }
    return 0;
}

/* ---- the loop ---- */

static char *
history_path(void)
{
    const char *given = g_getenv("VIRSH_HISTORY");

    return given ? g_strdup(given)
                 : g_build_filename(g_get_user_cache_dir(), "libvirt", "virsh", "history", NULL);
}

static bool
run_with_readline(Shell *shell)
{
    g_autofree char *path = history_path();
    g_autofree char *folder = g_path_get_dirname(path);

    completing_for = shell;
    *rl.attempted_completion = complete;
    *rl.signal_event_hook = on_signal;
    *rl.word_breaks = " \t\n;";
    rl.stifle_history(HISTORY_LINES);
    rl.read_history(path);
    printf("Welcome to virsh. Type 'help' for the commands, 'help NAME' for one of them, 'quit' to "
           "leave.\n\n");
    while (true) {
        char *line = rl.readline(shell_is_read_only(shell) ? "virsh > " : "virsh # ");
        if (!line)
            break;
        if (*line)
            rl.add_history(line);
        shell_run_line(shell, line);
        free(line);
        if (shell_has_quit(shell))
            break;
    }
    if (g_mkdir_with_parents(folder, 0700) == 0 && rl.write_history(path) == 0)
        chmod(path, 0600);
    return true;
}

bool
interactive_run(Shell *shell)
{
    g_autofree char *line = NULL;
    size_t room = 0;

    if (shell_is_interactive(shell) && load_readline())
        return run_with_readline(shell);
    while (!shell_has_quit(shell)) {
        if (shell_is_interactive(shell)) {
            printf("virsh # ");
            fflush(stdout);
        }
        if (getline(&line, &room, stdin) < 0)
            break;
        shell_run_line(shell, line);
    }
    /* What failed has said so; the session as a whole went well. */
    return true;
}
