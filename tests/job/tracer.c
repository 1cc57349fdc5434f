/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs beside a daemon and makes it die, or one of its system calls fail, at an exact point.
 *
 * A point is the Kth time that the daemon or one of its helpers is about to make a system call that changes something:
 * "daemon rename ~/journal/X -> ~/journal/Y#2". All of them are written to a file as they come; tests/job/syscalls.py reads
 * it and chooses. Emulators are let go as soon as they are executed. Linux on x86-64.
 *
 *   tracer -o TRACE [-r ROOT] [-x PREFIX]... [-e PID]... [-a POINT ACTION] -p PID
 *   tracer ... -- PROGRAM ARGUMENTS
 *
 * ACTION: kill-before, kill-after: the daemon (with -all: helpers and emulators, too); tear: half of a write is done, then
 * the daemon dies; emulator: its emulators die; helper: the process that makes the call dies; ENOSPC, EIO, EACCES ...: the
 * call fails; ENOSPC+ ...: it and every one behind it. -x: calls on these files are no points. SIGTERM ends the tracing. */
#include "tracer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_TASKS = 512, MAX_EMULATORS = 64, MAX_KNOWN = 65536 };

/* ---- state ---- */

typedef enum { NOTHING, DIE_AFTER, FAIL } Pending;

typedef struct {
    pid_t tid, tgid;
    bool is_awaited; /* has not stopped yet */
    Pending pending; /* what happens when the call returns */
} Task;

static Task tasks[MAX_TASKS];
static int n_tasks;
static pid_t daemon_pid, emulators[MAX_EMULATORS];
static int n_emulators;
static const char *point, *action;
static int trace_fd = -1, fail_errno;
static bool is_hit, fails_ever, is_over;
static char *known[MAX_KNOWN]; /* every point so far, for the counting */
static int n_known;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("tracer: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

static void
say(const char *text)
{
    if (write(trace_fd, text, strlen(text)) < 0 || write(trace_fd, "\n", 1) < 0)
        die("the trace cannot be written");
}

static pid_t
tgid_of(pid_t tid)
{
    char path[64], line[256];
    pid_t tgid = tid;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "Tgid:", 5) == 0)
            tgid = atoi(line + 5);
    }
    if (file)
        fclose(file);
    return tgid;
}

static Task *
task_of(pid_t tid)
{
    for (int i = 0; i < n_tasks; i++) {
        if (tasks[i].tid == tid)
            return &tasks[i];
    }
    if (n_tasks == MAX_TASKS)
        die("more than %d threads", MAX_TASKS);
    tasks[n_tasks] = (Task){.tid = tid, .tgid = tgid_of(tid)};
    return &tasks[n_tasks++];
}

static void
forget(pid_t tid)
{
    for (int i = 0; i < n_tasks; i++) {
        if (tasks[i].tid == tid) {
            tasks[i] = tasks[--n_tasks];
            return;
        }
    }
}

static const char *
role_of(const Task *task)
{
    static char text[TEXT];
    char own[TEXT];
    const char *slash;

    if (task->tgid == daemon_pid)
        return "daemon";
    proc_read_link(task->tid, "exe", text);
    proc_read_link(daemon_pid, "exe", own);
    if (strcmp(text, own) == 0)
        return "stub";
    slash = strrchr(text, '/');
    return slash ? slash + 1 : text;
}

/* How often was @name seen, with this time? */
static int
count(const char *name)
{
    int times = 1;

    for (int i = 0; i < n_known; i++)
        times += strcmp(known[i], name) == 0;
    if (n_known == MAX_KNOWN)
        die("more than %d points", MAX_KNOWN);
    known[n_known++] = strdup(name);
    return times;
}

/* ---- doing it ---- */

static void
set_register(pid_t tid, size_t offset, uint64_t value)
{
    if (ptrace(PTRACE_POKEUSER, tid, offset, value) < 0)
        die("registers of %d: %s", (int)tid, strerror(errno));
}

static void
kill_emulators(void)
{
    for (int i = 0; i < n_emulators; i++)
        kill(emulators[i], SIGKILL);
}

static void
kill_daemon(void)
{
    bool all = strstr(action, "-all") != NULL;

    kill(daemon_pid, SIGKILL);
    for (int i = 0; all && i < n_tasks; i++)
        kill(tasks[i].tgid, SIGKILL);
    if (all)
        kill_emulators();
    is_over = true;
}

static void
skip_call(Task *task)
{
    set_register(task->tid, offsetof(struct user_regs_struct, orig_rax), (uint64_t)-1);
}

static const struct {
    const char *word;
    int number;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EACCES", EACCES}, {"EMFILE", EMFILE},
              {"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS}};

static int
errno_of(const char *word)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strncmp(word, errors[i].word, strlen(errors[i].word)) == 0)
            return errors[i].number;
    }
    die("no such action: %s", word);
}

static void
act(Task *task, const Call *call, const uint64_t *args)
{
    is_hit = true;
    say("HIT");
    if (strncmp(action, "kill-before", 11) == 0) {
        skip_call(task);
        kill_daemon();
    } else if (strncmp(action, "kill-after", 10) == 0) {
        task->pending = DIE_AFTER;
    } else if (strcmp(action, "tear") == 0) {
        if (call->shape == WRITE && args[2] > 1)
            set_register(task->tid, offsetof(struct user_regs_struct, rdx), args[2] / 2);
        task->pending = DIE_AFTER;
    } else if (strcmp(action, "emulator") == 0) {
        kill_emulators();
    } else if (strcmp(action, "helper") == 0) {
        skip_call(task);
        kill(task->tgid, SIGKILL);
    } else {
        fail_errno = errno_of(action);
        fails_ever = strchr(action, '+') != NULL;
        skip_call(task);
        task->pending = FAIL;
    }
}

/* Behind the point with ENOSPC+: what a disk, and not a process or a peer, is asked for. */
static bool
fails_too(const Call *call, const char *object)
{
    if (!fails_ever)
        return false;
    if (call->shape == WRITE || call->shape == SEND)
        return object[0] == '/' || object[0] == '~';
    if (fail_errno == ENOSPC && strncmp(call->name, "unlink", 6) == 0)
        return false;
    return call->shape != FORK && call->shape != SIGNAL &&
           (call->shape != EXEC || fail_errno == EACCES);
}

static void
on_entry(Task *task, const struct __ptrace_syscall_info *info)
{
    static char object[TEXT], name[4 * TEXT], line[4 * TEXT + 16];
    const Call *call = call_find(info->entry.nr);
    const uint64_t *args = (const uint64_t *)info->entry.args;

    task->pending = NOTHING;
    if (!call || is_over || !call_name_object(task->tid, call, args, object))
        return;
    snprintf(name, sizeof(name), "%s %s%s%s", role_of(task), call->name, object[0] ? " " : "",
             object);
    snprintf(line, sizeof(line), "%s#%d", name, count(name));
    say(line);
    if (point && !is_hit && strcmp(line, point) == 0) {
        act(task, call, args);
    } else if (is_hit && fails_too(call, object)) {
        skip_call(task);
        task->pending = FAIL;
    }
}

static void
on_exit_stop(Task *task)
{
    Pending pending = task->pending;

    task->pending = NOTHING;
    if (pending == DIE_AFTER)
        kill_daemon();
    else if (pending == FAIL)
        set_register(task->tid, offsetof(struct user_regs_struct, rax), (uint64_t)-fail_errno);
}

/* ---- stops ---- */

static bool
is_emulator(pid_t tid)
{
    char text[TEXT];

    proc_read_link(tid, "exe", text);
    return strstr(text, "/qemu-system-") != NULL;
}

static void
on_stop(pid_t tid, int status)
{
    Task *task = task_of(tid);
    int number = WSTOPSIG(status), event = status >> 16, deliver = 0;
    struct __ptrace_syscall_info info;

    task->is_awaited = false;
    if (number == (SIGTRAP | 0x80)) {
        if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0) {
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                on_entry(task, &info);
            else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
                on_exit_stop(task);
        }
    } else if (event == PTRACE_EVENT_EXEC) {
        task->tgid = tgid_of(tid);
        if (is_emulator(tid)) {
            if (n_emulators < MAX_EMULATORS)
                emulators[n_emulators++] = task->tgid;
            ptrace(PTRACE_DETACH, tid, 0, 0);
            forget(tid);
            return;
        }
    } else if (event == PTRACE_EVENT_STOP) {
        if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU) {
            ptrace(PTRACE_LISTEN, tid, 0, 0);
            return;
        }
    } else if (event == 0) {
        deliver = number;
    }
    ptrace(PTRACE_SYSCALL, tid, 0, deliver);
}

/* ---- attaching, letting go ---- */

static bool
is_known_task(pid_t tid)
{
    for (int i = 0; i < n_tasks; i++) {
        if (tasks[i].tid == tid)
            return true;
    }
    return false;
}

static void
seize_new(const char *folder, long options)
{
    DIR *list = opendir(folder);
    struct dirent *entry;

    while (list && (entry = readdir(list))) {
        pid_t tid = atoi(entry->d_name);

        if (tid <= 0 || is_known_task(tid) || ptrace(PTRACE_SEIZE, tid, 0, options) < 0)
            continue;
        task_of(tid)->is_awaited = true;
        ptrace(PTRACE_INTERRUPT, tid, 0, 0);
    }
    if (list)
        closedir(list);
}

/* All threads of the daemon, those that it makes meanwhile included. */
static void
attach(long options)
{
    char folder[64];
    int before;

    snprintf(folder, sizeof(folder), "/proc/%d/task", (int)daemon_pid);
    do {
        before = n_tasks;
        seize_new(folder, options);
    } while (n_tasks > before);
    if (n_tasks == 0)
        die("process %d cannot be traced: %s", (int)daemon_pid, strerror(errno));
}

static void
launch(char **argv, long options)
{
    int go[2];
    char byte;

    if (pipe2(go, O_CLOEXEC) < 0)
        die("pipe: %s", strerror(errno));
    daemon_pid = fork();
    if (daemon_pid == 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        close(go[1]);
        if (read(go[0], &byte, 1) == 1)
            execv(argv[0], argv);
        _exit(127);
    }
    if (daemon_pid < 0 || ptrace(PTRACE_SEIZE, daemon_pid, 0, options | PTRACE_O_EXITKILL) < 0)
        die("'%s' cannot be traced: %s", argv[0], strerror(errno));
    task_of(daemon_pid)->is_awaited = true;
    ptrace(PTRACE_INTERRUPT, daemon_pid, 0, 0);
    if (write(go[1], "g", 1) != 1)
        die("pipe: %s", strerror(errno));
    close(go[0]);
    close(go[1]);
}

static void
tell_ready(void)
{
    static bool is_told;

    for (int i = 0; i < n_tasks; i++) {
        if (tasks[i].is_awaited)
            return;
    }
    if (!is_told)
        say("READY");
    is_told = true;
}

/* A task has stopped, and is not wanted any more. */
static void
let_go(pid_t tid, int status)
{
    bool is_signal = status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80);
    struct __ptrace_syscall_info info;

    if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
        ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_EXIT)
        on_exit_stop(task_of(tid));
    ptrace(PTRACE_DETACH, tid, 0, is_signal ? WSTOPSIG(status) : 0);
    forget(tid);
}

/* Take what is there; false: nothing is traced any more. */
static bool
take_reports(bool lets_go, int *daemon_status)
{
    int status;
    pid_t tid;

    while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            forget(tid);
            if (tid == daemon_pid) {
                *daemon_status = status;
                is_over = true;
            }
        } else if (lets_go) {
            let_go(tid, status);
        } else {
            on_stop(tid, status);
            tell_ready();
        }
    }
    return n_tasks > 0;
}

static void
interrupt_all(void)
{
    for (int i = 0; i < n_tasks; i++)
        ptrace(PTRACE_INTERRUPT, tasks[i].tid, 0, 0);
}

static bool
daemon_is_traced(void)
{
    for (int i = 0; i < n_tasks; i++) {
        if (tasks[i].tgid == daemon_pid)
            return true;
    }
    return false;
}

/* Until the daemon is gone, or somebody says that it is enough; then what is left goes on alone. */
static int
run(bool is_launched, const sigset_t *signals)
{
    int status = 0;
    bool lets_go = false;

    while (take_reports(lets_go, &status)) {
        if (!lets_go && !daemon_is_traced()) {
            lets_go = true;
            interrupt_all();
            continue;
        }
        if (sigwaitinfo(signals, NULL) != SIGTERM)
            continue;
        if (is_launched) {
            kill(daemon_pid, SIGTERM);
        } else if (!lets_go) {
            lets_go = true;
            interrupt_all();
        }
    }
    say("END");
    return status;
}

static char **
read_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "+o:r:x:e:a:p:")) != -1) {
        switch (option) {
        case 'o':
            trace_fd = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            break;
        case 'r':
            calls_set_root(optarg);
            break;
        case 'x':
            calls_exclude(optarg);
            break;
        case 'e':
            if (n_emulators < MAX_EMULATORS)
                emulators[n_emulators++] = atoi(optarg);
            break;
        case 'a':
            point = optarg;
            action = optind < argc ? argv[optind++] : "";
            break;
        case 'p':
            daemon_pid = atoi(optarg);
            break;
        default:
            die("see the beginning of its source for its options");
        }
    }
    if (trace_fd < 0 || (daemon_pid <= 0 && optind >= argc))
        die("it needs -o, and -p or a program");
    return argv + optind;
}

int
main(int argc, char **argv)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    char **program = read_options(argc, argv);
    bool is_launched = daemon_pid <= 0;
    sigset_t signals;
    int status;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (is_launched)
        launch(program, options);
    else
        attach(options);
    status = run(is_launched, &signals);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
