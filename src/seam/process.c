/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See process.h. Everything comes from /proc and the pidfd system calls. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "seam/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "seam/proc.h"

const char *
process_boot_id(void)
{
    static gsize ready;
    static char boot_id[BOOT_ID_TEXT];

    if (g_once_init_enter(&ready)) {
        g_autofree char *text = proc_read("/proc/sys/kernel/random/boot_id");

        g_strlcpy(boot_id, text ? g_strchomp(text) : "unknown", sizeof(boot_id));
        g_once_init_leave(&ready, 1);
    }
    return boot_id;
}

/* The fields of a stat file after the command's name, which may hold blanks and parentheses itself. */
static char **
read_stat_fields(const char *path)
{
    g_autofree char *text = proc_read(path);
    char *end = text ? strrchr(text, ')') : NULL;

    if (!end || end[1] != ' ')
        return NULL;
    return g_strsplit(g_strchomp(end + 2), " ", 64);
}

bool
process_identify(pid_t pid, ProcessId *id, GError **err)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_auto(GStrv) fields = read_stat_fields(path);
    unsigned long long start_time;

    /* Field 22 of the file is the 20th after the name. */
    if (!fields || g_strv_length(fields) < 20 || !text_to_ullong(fields[19], 10, &start_time))
        return fail(err, VIR_ERR_OPERATION_FAILED, "process %d does not exist", (int)pid);
    *id = (ProcessId){.pid = pid, .start_time = start_time};
    g_strlcpy(id->boot_id, process_boot_id(), sizeof(id->boot_id));
    return true;
}

bool
process_id_equal(const ProcessId *a, const ProcessId *b)
{
    return a->pid == b->pid && a->start_time == b->start_time && !strcmp(a->boot_id, b->boot_id);
}

char *
process_id_format(const ProcessId *id)
{
    return g_strdup_printf("%d %" G_GUINT64_FORMAT " %s", (int)id->pid, id->start_time,
                           id->boot_id);
}

bool
process_id_parse(const char *text, ProcessId *id)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 4);
    unsigned long long start_time;
    int pid;

    if (g_strv_length(words) != 3 || !text_to_int(words[0], 10, &pid) || pid <= 0 ||
        !text_to_ullong(words[1], 10, &start_time) || strlen(words[2]) >= BOOT_ID_TEXT)
        return false;
    *id = (ProcessId){.pid = pid, .start_time = start_time};
    g_strlcpy(id->boot_id, words[2], sizeof(id->boot_id));
    return true;
}

int
process_open_pid(pid_t pid, GError **err)
{
    int pidfd =
        pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1; /* close-on-exec by definition */

    if (pidfd < 0)
        fail(err, VIR_ERR_OPERATION_FAILED, "process %d does not exist", (int)pid);
    return pidfd;
}

int
process_open(const ProcessId *id, GError **err)
{
    auto_fd int pidfd = process_open_pid(id->pid, err);
    ProcessId now;

    if (pidfd < 0)
        return -1;
    /* The pidfd is held while the identity is read, so the answer is about the process that it names. */
    if (!process_identify(id->pid, &now, err))
        return -1;
    if (!process_id_equal(&now, id) || !process_is_running(pidfd)) {
        fail(err, VIR_ERR_OPERATION_FAILED, "process %d has ended", (int)id->pid);
        return -1;
    }
    return fd_steal(&pidfd);
}

bool
process_wait(int pidfd, int timeout_ms)
{
    struct pollfd watch = {.fd = pidfd, .events = POLLIN};
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * G_GINT64_CONSTANT(1000);

    for (;;) {
        gint64 left_us = deadline_us - g_get_monotonic_time();
        int ready = poll(&watch, 1, timeout_ms < 0 ? -1 : (int)(MAX(left_us, 0) / 1000));

        if (ready >= 0 || errno != EINTR)
            return ready > 0;
    }
}

bool
process_is_running(int pidfd)
{
    return !process_wait(pidfd, 0);
}

bool
process_signal(int pidfd, int signal, GError **err)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 || errno == ESRCH)
        return true;
    return fail_errno(err, "signal", "process");
}

bool
process_reap(int pidfd, int *status)
{
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return false;
    *status =
        info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
    return true;
}

char **
process_read_argv(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    g_autofree char *bytes = NULL;
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    gsize len = 0;

    bytes = proc_read_bytes(path, &len);
    if (!bytes)
        return NULL;
    for (gsize at = 0; at < len; at += strlen(bytes + at) + 1)
        g_ptr_array_add(words, g_strdup(bytes + at));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static guint64
ticks_to_ns(const char *text)
{
    unsigned long long ticks = 0;

    (void)text_to_ullong(text, 10, &ticks);
    return ticks * (1000000000ULL / (unsigned long)sysconf(_SC_CLK_TCK));
}

bool
process_read_usage(pid_t pid, pid_t thread, guint64 *user_ns, guint64 *system_ns, guint64 *rss_kib,
                   int *last_cpu)
{
    g_autofree char *path = thread ? g_strdup_printf("/proc/%d/task/%d/stat", (int)pid, (int)thread)
                                   : g_strdup_printf("/proc/%d/stat", (int)pid);
    g_auto(GStrv) fields = read_stat_fields(path);
    unsigned long long pages = 0;

    if (!fields || g_strv_length(fields) < 37)
        return false;
    if (user_ns)
        *user_ns = ticks_to_ns(fields[11]);
    if (system_ns)
        *system_ns = ticks_to_ns(fields[12]);
    if (rss_kib)
        *rss_kib = text_to_ullong(fields[21], 10, &pages)
                       ? pages * (guint64)sysconf(_SC_PAGESIZE) / 1024
                       : 0;
    if (last_cpu && !text_to_int(fields[36], 10, last_cpu))
        *last_cpu = -1;
    return true;
}

void
process_lower_priority(void)
{
    enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13, LOWEST_NICE = 19 };

    /* On Linux both are of the thread. */
    setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST_NICE);
    syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT);
}
