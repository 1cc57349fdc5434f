/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See command.h. One poll() over the pipes and the pidfd until the program has ended. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "seam/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "seam/clock.h"
#include "seam/process.h"
#include "seam/stub.h"

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

/* The program dies with the daemon: whoever takes up the work must not find it still at it. */
static CommandRun *
command_spawn(const CommandSpec *spec, GError **err)
{
    static const char *const default_env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    g_autoptr(CommandRun) run = g_new0(CommandRun, 1);
    g_autoptr(Stub) stub = NULL;
    auto_fd int in = -1;
    auto_fd int out = -1;
    auto_fd int errors = -1;
    g_autofree char *path = command_find(spec->argv[0]);

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
    stub = stub_spawn(&(StubSpec){.path = path,
                                  .argv = spec->argv,
                                  .env = spec->env ? spec->env : default_env,
                                  .keep_fds = spec->keep_fds,
                                  .n_keep_fds = spec->n_keep_fds,
                                  .log_fd = errors,
                                  .out_fd = out,
                                  .in_fd = MAX(in, 0),
                                  .cwd = spec->cwd,
                                  .dies_with_caller = true},
                      err);
    if (!stub || !stub_release(stub, err))
        return NULL;
    run->fd[EXIT] = stub_steal_pidfd(stub);
    return g_steal_pointer(&run);
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
