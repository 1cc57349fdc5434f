/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See command.h. One poll() over the pipes and the pidfd until the program has ended. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "seam/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "seam/clock.h"
#include "seam/process.h"

enum { OUT, ERR, IN, EXIT, N_WATCHED };

typedef struct {
    char *program;
    int fd[N_WATCHED]; /* our ends of the pipes, and the pidfd; -1: finished */
    GByteArray *text[2];
    GBytes *input;
    gsize input_sent;
    gsize max_output_bytes;
    gint64 deadline_ms;
    bool timed_out;
    int status;
} CommandRun;

static void
command_run_free(CommandRun *run)
{
    for (int i = 0; i < N_WATCHED; i++)
        fd_close(&run->fd[i]);
    g_clear_pointer(&run->text[OUT], g_byte_array_unref);
    g_clear_pointer(&run->text[ERR], g_byte_array_unref);
    g_clear_pointer(&run->input, g_bytes_unref);
    g_free(run->program);
    g_free(run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CommandRun, command_run_free)

void
command_result_clear(CommandResult *result)
{
    g_clear_pointer(&result->out, g_free);
    g_clear_pointer(&result->err, g_free);
}

char *
command_find(const char *program)
{
    return g_find_program_in_path(program);
}

static int
compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Close everything above 2 but @keep: descriptors are close-on-exec from birth, so only those kept need to be named; the
 * file action that duplicates a descriptor onto itself clears its close-on-exec flag. */
static void
add_kept_fds(posix_spawn_file_actions_t *actions, const int *keep, gsize n_keep)
{
    int last = 2;

    for (gsize i = 0; i < n_keep; i++) {
        posix_spawn_file_actions_adddup2(actions, keep[i], keep[i]);
        last = MAX(last, keep[i]);
    }
    posix_spawn_file_actions_addclosefrom_np(actions, last + 1);
}

static bool
make_pipe(int *ours, int *theirs, bool we_read, GError **err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_errno(err, "create", "pipe");
    *ours = ends[we_read ? 0 : 1];
    *theirs = ends[we_read ? 1 : 0];
    return fd_set_nonblocking(*ours, true) || fail_errno(err, "configure", "pipe");
}

static int
spawn_with_fds(pid_t *pid, const char *path, const CommandSpec *spec, int in, int out, int errors)
{
    static const char *const default_env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    g_autofree int *keep = g_memdup2(spec->keep_fds, spec->n_keep_fds * sizeof(int));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int failed;

    if (keep)
        qsort(keep, spec->n_keep_fds, sizeof(int), compare_ints);
    posix_spawn_file_actions_init(&actions);
    if (in < 0)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    else
        posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    posix_spawn_file_actions_addchdir_np(&actions, spec->cwd ? spec->cwd : "/");
    add_kept_fds(&actions, keep, spec->n_keep_fds);

    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);

    failed = posix_spawn(pid, path, &actions, &attr, (char *const *)spec->argv,
                         (char *const *)(spec->env ? spec->env : default_env));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return failed;
}

static CommandRun *
command_spawn(const CommandSpec *spec, GError **err)
{
    g_autoptr(CommandRun) run = g_new0(CommandRun, 1);
    auto_fd int in = -1;
    auto_fd int out = -1;
    auto_fd int errors = -1;
    g_autofree char *path = command_find(spec->argv[0]);
    pid_t pid;

    for (int i = 0; i < N_WATCHED; i++)
        run->fd[i] = -1;
    run->program = g_strdup(spec->argv[0]);
    run->text[OUT] = g_byte_array_new();
    run->text[ERR] = g_byte_array_new();
    run->max_output_bytes = spec->max_output_bytes ? spec->max_output_bytes : 1 << 20;
    run->deadline_ms = clock_monotonic_ms() + (spec->timeout_ms ? spec->timeout_ms : 30000);
    if (!path)
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "program '%s' is not installed",
                         spec->argv[0]);
    if (spec->input) {
        run->input = g_bytes_new(spec->input, strlen(spec->input));
        if (!make_pipe(&run->fd[IN], &in, false, err))
            return NULL;
    }
    if (!make_pipe(&run->fd[OUT], &out, true, err) || !make_pipe(&run->fd[ERR], &errors, true, err))
        return NULL;
    errno = spawn_with_fds(&pid, path, spec, in, out, errors);
    if (errno)
        return fail_null_errno(err, "run", path);
    run->fd[EXIT] = process_open_pid(pid, err);
    return run->fd[EXIT] < 0 ? NULL : g_steal_pointer(&run);
}

static void
read_output(CommandRun *run, int which)
{
    guint8 chunk[16384];
    ssize_t got;

    while ((got = read(run->fd[which], chunk, sizeof(chunk))) > 0) {
        gsize room = run->max_output_bytes - run->text[which]->len;

        g_byte_array_append(run->text[which], chunk, (guint)MIN((gsize)got, room));
    }
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(&run->fd[which]);
}

static void
write_input(CommandRun *run)
{
    gsize len;
    const char *text = g_bytes_get_data(run->input, &len);
    ssize_t sent = write(run->fd[IN], text + run->input_sent, len - run->input_sent);

    if (sent > 0)
        run->input_sent += (gsize)sent;
    if (run->input_sent == len || (sent < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(&run->fd[IN]);
}

/* Do what @which is ready for. */
static void
command_step(CommandRun *run, int which)
{
    if (which == IN)
        write_input(run);
    else if (which != EXIT)
        read_output(run, which);
    else if (process_reap(run->fd[EXIT], &run->status)) {
        /* A grandchild may hold the pipes open: what has arrived by now is the output. */
        if (run->fd[OUT] >= 0)
            read_output(run, OUT);
        if (run->fd[ERR] >= 0)
            read_output(run, ERR);
        for (int i = 0; i < N_WATCHED; i++)
            fd_close(&run->fd[i]);
    }
}

static void
command_give_up(CommandRun *run)
{
    run->timed_out = true;
    process_signal(run->fd[EXIT], SIGKILL, NULL);
}

static char *
last_line(const char *text)
{
    const char *newline = strrchr(text, '\n');

    return g_strdup(newline ? newline + 1 : text);
}

static void
command_collect(CommandRun *run, CommandResult *result)
{
    *result = (CommandResult){.status = run->status, .timed_out = run->timed_out};
    result->out_len = run->text[OUT]->len;
    g_byte_array_append(run->text[OUT], (const guint8 *)"", 1);
    result->out = (char *)g_byte_array_free(g_steal_pointer(&run->text[OUT]), FALSE);
    g_byte_array_append(run->text[ERR], (const guint8 *)"", 1);
    result->err = g_strchomp((char *)g_byte_array_free(g_steal_pointer(&run->text[ERR]), FALSE));
    result->err_len = strlen(result->err);
}

static bool
command_judge(const char *program, const CommandResult *result, GError **err)
{
    g_autofree char *said = last_line(result->err);
    const char *colon = *said ? ": " : "";

    if (result->timed_out)
        return fail(err, VIR_ERR_OPERATION_TIMEOUT,
                    "program '%s' did not end in time and was killed%s%s", program, colon, said);
    if (WIFSIGNALED(result->status))
        return fail(err, VIR_ERR_INTERNAL_ERROR, "program '%s' was killed by signal %d%s%s",
                    program, WTERMSIG(result->status), colon, said);
    if (WEXITSTATUS(result->status) != 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "program '%s' failed with status %d%s%s", program,
                    WEXITSTATUS(result->status), colon, said);
    return true;
}

bool
command_run(const CommandSpec *spec, CommandResult *result, GError **err)
{
    g_autoptr(CommandRun) run = command_spawn(spec, err);
    g_auto(CommandResult) own = {0};
    bool ok;

    if (!run)
        return false;
    while (run->fd[EXIT] >= 0) {
        struct pollfd watch[N_WATCHED];
        gint64 left_ms = run->timed_out ? -1 : MAX(run->deadline_ms - clock_monotonic_ms(), 0);

        for (int i = 0; i < N_WATCHED; i++)
            watch[i] = (struct pollfd){.fd = run->fd[i], .events = i == IN ? POLLOUT : POLLIN};
        if (poll(watch, N_WATCHED, (int)left_ms) == 0) {
            command_give_up(run);
            continue;
        }
        for (int i = 0; i < N_WATCHED; i++)
            if (watch[i].revents && run->fd[i] >= 0)
                command_step(run, i);
    }
    command_collect(run, &own);
    ok = command_judge(run->program, &own, err);
    if (result) {
        *result = own;
        own = (CommandResult){0};
    }
    return ok;
}
