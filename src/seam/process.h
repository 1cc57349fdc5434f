/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that are not necessarily our children: who they are, whether they still run, how to end them.
 *
 * An identity is pid + start time + boot id, because a bare pid may be somebody else by the time it is used. A process
 * is held by a pidfd, which is readable as soon as it has ended, also as a zombie that nobody reaps. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define BOOT_ID_TEXT 37

typedef struct {
    pid_t pid;
    guint64 start_time; /* clock ticks after boot, /proc/PID/stat field 22 */
    char boot_id[BOOT_ID_TEXT];
} ProcessId;

/* Read who @pid is now. */
bool process_identify(pid_t pid, ProcessId *id, GError **err);
bool process_id_equal(const ProcessId *a, const ProcessId *b);
/* "PID START BOOT" and back, for records on disk. */
char *process_id_format(const ProcessId *id);
bool process_id_parse(const char *text, ProcessId *id);

/* A pidfd of exactly this process; -1 with VIR_ERR_OPERATION_FAILED when it has ended (or the pid is another's now). */
int process_open(const ProcessId *id, GError **err);
/* A pidfd of whatever has this pid now. */
int process_open_pid(pid_t pid, GError **err);
/* False as soon as the process has ended, zombies included. */
bool process_is_running(int pidfd);
/* Send @signal; a process that has ended already is success. */
bool process_signal(int pidfd, int signal, GError **err);
/* Wait until it has ended; false when @timeout_ms passes first (-1: no limit). Only for workers. */
bool process_wait(int pidfd, int timeout_ms);
/* Collect the exit status of an ended child (waitpid form); false when it is not our child or was collected. */
bool process_reap(int pidfd, int *status);

/* Command line of @pid as words; NULL when it cannot be read. Free with g_strfreev. */
char **process_read_argv(pid_t pid);
/* User and system CPU time in ns, and resident memory in KiB, of @pid or one of its threads. */
bool process_read_usage(pid_t pid, pid_t thread, guint64 *user_ns, guint64 *system_ns,
                        guint64 *rss_kib, int *last_cpu);
/* The kernel's boot id; the same buffer every time. */
const char *process_boot_id(void);
/* The calling thread has processor and disk from now on only when nobody else wants them. */
void process_lower_priority(void);
