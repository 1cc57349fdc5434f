/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stub.h. Between fork and exec the child makes only async-signal-safe calls: the daemon has other threads. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "seam/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* What the child needs, laid out before the fork so that it allocates nothing. */
typedef struct {
    const StubSpec *spec;
    const char *cwd;
    int *keep; /* sorted: spec's descriptors, go_fd, status_fd */
    gsize n_keep;
    int go_fd, status_fd;
} ChildPlan;

static int
compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Close everything above 2 that is not in the sorted list. */
static void
close_others(const int *keep, gsize n_keep)
{
    unsigned int from = 3;

    for (gsize i = 0; i < n_keep; i++) {
        unsigned int kept = (unsigned int)keep[i];

        if (kept > from)
            syscall(SYS_close_range, from, kept - 1, 0);
        from = MAX(from, kept + 1);
    }
    syscall(SYS_close_range, from, ~0U, 0);
}

static void
reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool
drop_owner(const StubSpec *spec)
{
    if (!spec->set_owner)
        return true;
    return syscall(SYS_setgroups, 0, NULL) == 0 &&
           syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) == 0 &&
           syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid) == 0;
}

/* 0 or the errno of the step that failed. */
static int
prepare_child(const ChildPlan *plan)
{
    const StubSpec *spec = plan->spec;
    int in_fd = spec->in_fd ? spec->in_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out_fd = spec->out_fd ? spec->out_fd : spec->log_fd;

    if (in_fd < 0 || dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(spec->log_fd, 2) < 0)
        return errno;
    for (gsize i = 0; i < spec->n_keep_fds; i++)
        if (fcntl(spec->keep_fds[i], F_SETFD, 0) < 0)
            return errno;
    umask(077);
    if (spec->dies_with_caller && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return errno;
    if (chdir(plan->cwd) < 0 || !drop_owner(spec))
        return errno;
    return 0;
}

static void G_GNUC_NORETURN
run_child(const ChildPlan *plan)
{
    int failed;
    char go;

    setsid();
    close_others(plan->keep, plan->n_keep);
    reset_signals();
    failed = prepare_child(plan);
    if (!failed && read(plan->go_fd, &go, 1) != 1)
        _exit(125); /* the daemon has died or has changed its mind */
    if (!failed) {
        execve(plan->spec->path, (char *const *)plan->spec->argv, (char *const *)plan->spec->env);
        failed = errno;
    }
    if (write(plan->status_fd, &failed, sizeof(failed)) != sizeof(failed))
        _exit(126);
    _exit(127);
}

void
stub_free(Stub *stub)
{
    int status;

    if (!stub)
        return;
    if (stub->go_fd >= 0 && stub->pidfd >= 0) {
        process_signal(stub->pidfd, SIGKILL, NULL);
        process_wait(stub->pidfd, -1);
        process_reap(stub->pidfd, &status);
    }
    fd_close(&stub->go_fd);
    fd_close(&stub->status_fd);
    fd_close(&stub->pidfd);
    g_free(stub->path);
    g_free(stub);
}

/* Fork with every signal blocked, so that no handler of the daemon runs in the child. */
static pid_t
fork_quietly(void)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid != 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

Stub *
stub_spawn(const StubSpec *spec, GError **err)
{
    g_autoptr(Stub) stub = g_new0(Stub, 1);
    g_autofree int *keep = g_new(int, spec->n_keep_fds + 5);
    auto_fd int child_go = -1;
    auto_fd int child_status = -1;
    int go[2], status[2];
    ChildPlan plan = {
        .spec = spec, .cwd = spec->cwd ? spec->cwd : "/", .keep = keep, .n_keep = spec->n_keep_fds};
    pid_t pid;

    stub->path = g_strdup(spec->path);
    stub->pidfd = stub->go_fd = stub->status_fd = -1;
    if (pipe2(go, O_CLOEXEC) < 0)
        return fail_null_errno(err, "create", "pipe");
    child_go = plan.go_fd = go[0];
    stub->go_fd = go[1];
    if (pipe2(status, O_CLOEXEC) < 0)
        return fail_null_errno(err, "create", "pipe");
    stub->status_fd = status[0];
    child_status = plan.status_fd = status[1];

    if (spec->n_keep_fds)
        memcpy(keep, spec->keep_fds, spec->n_keep_fds * sizeof(int));
    keep[plan.n_keep++] = plan.go_fd;
    keep[plan.n_keep++] = plan.status_fd;
    keep[plan.n_keep++] = spec->log_fd;
    if (spec->out_fd)
        keep[plan.n_keep++] = spec->out_fd;
    if (spec->in_fd)
        keep[plan.n_keep++] = spec->in_fd;
    qsort(keep, plan.n_keep, sizeof(int), compare_ints);

    pid = fork_quietly();
    if (pid < 0)
        return fail_null_errno(err, "fork for", spec->path);
    if (pid == 0)
        run_child(&plan);
    /* The child cannot be reaped by anyone but us, so its pid is its own until then. */
    stub->pidfd = process_open_pid(pid, err);
    if (stub->pidfd < 0 || !process_identify(pid, &stub->id, err))
        return NULL;
    return g_steal_pointer(&stub);
}

bool
stub_release(Stub *stub, GError **err)
{
    int failed = 0;
    int status;

    /* A child that failed before it waited has closed the pipe and left its reason behind. */
    if (!fd_write_all(stub->go_fd, "g", 1) && errno != EPIPE)
        return fail_errno(err, "release", stub->path);
    fd_close(&stub->go_fd);
    if (!fd_read_all(stub->status_fd, &failed, sizeof(failed)))
        return true; /* end of file: exec closed the other end */
    process_wait(stub->pidfd, -1);
    process_reap(stub->pidfd, &status);
    errno = failed;
    return fail_errno(err, "execute", stub->path);
}

int
stub_steal_pidfd(Stub *stub)
{
    return fd_steal(&stub->pidfd);
}
