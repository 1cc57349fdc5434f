/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tracer.h. Reads the arguments out of the stopped task and its descriptors out of /proc. */
#include "tracer.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_PREFIXES = 8, PEEK = 8192 };

static const char *root, *prefixes[MAX_PREFIXES];
static int n_prefixes;

void
calls_set_root(const char *path)
{
    root = path;
}

void
calls_exclude(const char *prefix)
{
    if (n_prefixes < MAX_PREFIXES)
        prefixes[n_prefixes++] = prefix;
}

static const Call calls[] = {
    {SYS_open, "open", OPEN, 0, false},
    {SYS_openat, "openat", OPEN, 1, true},
    {SYS_openat2, "openat2", OPEN, 1, true},
    {SYS_creat, "creat", PATH, 0, false},
    {SYS_mkdir, "mkdir", PATH, 0, false},
    {SYS_mkdirat, "mkdirat", PATH, 1, true},
    {SYS_mknod, "mknod", PATH, 0, false},
    {SYS_mknodat, "mknodat", PATH, 1, true},
    {SYS_rmdir, "rmdir", PATH, 0, false},
    {SYS_unlink, "unlink", PATH, 0, false},
    {SYS_unlinkat, "unlinkat", PATH, 1, true},
    {SYS_truncate, "truncate", PATH, 0, false},
    {SYS_chmod, "chmod", PATH, 0, false},
    {SYS_fchmodat, "fchmodat", PATH, 1, true},
    {SYS_chown, "chown", PATH, 0, false},
    {SYS_lchown, "lchown", PATH, 0, false},
    {SYS_fchownat, "fchownat", PATH, 1, true},
    {SYS_setxattr, "setxattr", PATH, 0, false},
    {SYS_utimensat, "utimensat", PATH, 1, true},
    {SYS_rename, "rename", TWO_PATHS, 0, false},
    {SYS_renameat, "renameat", TWO_PATHS, 1, true},
    {SYS_renameat2, "renameat2", TWO_PATHS, 1, true},
    {SYS_link, "link", TWO_PATHS, 0, false},
    {SYS_linkat, "linkat", TWO_PATHS, 1, true},
    {SYS_symlink, "symlink", PATH, 1, false},
    {SYS_symlinkat, "symlinkat", PATH, 2, true},
    {SYS_ftruncate, "ftruncate", FILE_FD, 0, false},
    {SYS_fallocate, "fallocate", FILE_FD, 0, false},
    {SYS_fchmod, "fchmod", FILE_FD, 0, false},
    {SYS_fchown, "fchown", FILE_FD, 0, false},
    {SYS_fsetxattr, "fsetxattr", FILE_FD, 0, false},
    {SYS_fsync, "fsync", FILE_FD, 0, false},
    {SYS_fdatasync, "fdatasync", FILE_FD, 0, false},
    {SYS_syncfs, "syncfs", FILE_FD, 0, false},
    {SYS_sync_file_range, "sync_file_range", FILE_FD, 0, false},
    {SYS_copy_file_range, "copy_file_range", FILE_FD, 2, false},
    {SYS_sendfile, "sendfile", FILE_FD, 0, false},
    {SYS_write, "write", WRITE, 0, false},
    {SYS_pwrite64, "pwrite", WRITE, 0, false},
    {SYS_sendto, "send", WRITE, 0, false},
    {SYS_writev, "writev", SEND, 0, false},
    {SYS_pwritev, "pwritev", SEND, 0, false},
    {SYS_pwritev2, "pwritev2", SEND, 0, false},
    {SYS_sendmsg, "sendmsg", SEND, 0, false},
    {SYS_fork, "fork", FORK, 0, false},
    {SYS_vfork, "vfork", FORK, 0, false},
    {SYS_clone, "clone", FORK, 0, false},
    {SYS_clone3, "clone3", FORK, 0, false},
    {SYS_execve, "execve", EXEC, 0, false},
    {SYS_kill, "kill", SIGNAL, 1, false},
    {SYS_pidfd_send_signal, "pidfd_send_signal", SIGNAL, 1, false},
    {SYS_bind, "bind", BIND, 0, false},
};

const Call *
call_find(uint64_t number)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if ((uint64_t)calls[i].number == number)
            return &calls[i];
    }
    return NULL;
}

/* ---- looking into a stopped task ---- */

static size_t
peek(pid_t tid, uint64_t address, void *buffer, size_t len)
{
    struct iovec here = {buffer, len}, there = {(void *)(uintptr_t)address, len};
    ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);

    /* Across a page that is not there: the part up to it. */
    if (got < 0 && len > 1) {
        size_t page = 4096 - address % 4096;
        return page < len ? peek(tid, address, buffer, page) : 0;
    }
    return got < 0 ? 0 : (size_t)got;
}

void
proc_read_link(pid_t tid, const char *what, char *text)
{
    char path[64];
    ssize_t len;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
    len = readlink(path, text, TEXT - 1);
    text[len > 0 ? len : 0] = '\0';
}

static void
descriptor_name(pid_t tid, int fd, char *text)
{
    char what[32];

    snprintf(what, sizeof(what), "fd/%d", fd);
    proc_read_link(tid, what, text);
}

static void
path_name(pid_t tid, const uint64_t *args, int at, bool has_at, char *text)
{
    char name[TEXT], folder[TEXT] = "";
    size_t got = peek(tid, args[at], name, sizeof(name) - 1);

    name[got] = '\0';
    if (name[0] != '/' && has_at && (int)args[at - 1] != AT_FDCWD)
        descriptor_name(tid, (int)args[at - 1], folder);
    else if (name[0] != '/')
        proc_read_link(tid, "cwd", folder);
    if (folder[0])
        snprintf(text, TEXT, "%.500s/%.500s", folder, name);
    else
        snprintf(text, TEXT, "%.1000s", name);
}

/* Length of "-0123abcd" at @at, as ids of jobs end; 0 when it is something else. */
static size_t
job_number_len(const char *at)
{
    if (*at != '-')
        return 0;
    for (int i = 1; i <= 8; i++) {
        if (!isxdigit((unsigned char)at[i]))
            return 0;
    }
    return isxdigit((unsigned char)at[9]) || at[9] == '-' ? 0 : 9;
}

/* Length of ".123-4.tmp" at @at. */
static size_t
temporary_len(const char *at)
{
    size_t len = 1;

    if (*at != '.')
        return 0;
    while (isdigit((unsigned char)at[len]) || at[len] == '-')
        len++;
    return len > 1 && strncmp(at + len, ".tmp", 4) == 0 ? len + 4 : 0;
}

static size_t
domain_number_len(const char *at)
{
    size_t len = 7;

    if (strncmp(at, "domain-", 7) != 0)
        return 0;
    while (isdigit((unsigned char)at[len]))
        len++;
    return len > 7 ? len : 0;
}

/* What differs from run to run looks the same: the root, ids of jobs, numbers of temporary files
 * and of guests. */
static void
normalize(char *text)
{
    char out[TEXT];
    size_t n = 0, len;

    for (const char *at = text; *at && n < sizeof(out) - 16;) {
        const char *word = NULL;

        if (root && strncmp(at, root, len = strlen(root)) == 0)
            word = "~";
        else if ((len = job_number_len(at)))
            word = "-J";
        else if ((len = temporary_len(at)))
            word = ".tmp";
        else if ((len = domain_number_len(at)))
            word = "domain-N";
        if (word) {
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", word);
            at += len;
        } else {
            out[n++] = *at == '\n' ? ' ' : *at;
            at++;
        }
    }
    out[n] = '\0';
    strcpy(text, out);
}

/* ---- naming a call; false: it changes nothing ---- */

/* The commands in what is sent to a monitor: "qmp stop+migrate". */
static bool
monitor_commands(const char *bytes, size_t len, char *text)
{
    static const char word[] = "\"execute\":";
    size_t n = 0;

    for (size_t i = 0; i + sizeof(word) < len; i++) {
        size_t at = i + sizeof(word) - 1;

        if (memcmp(bytes + i, word, sizeof(word) - 1) != 0)
            continue;
        n += (size_t)snprintf(text + n, TEXT - n, "%s", n ? "+" : "qmp ");
        while (at < len && (bytes[at] == ' ' || bytes[at] == '"'))
            at++;
        for (; at < len && bytes[at] != '"' && n < TEXT - 64; at++)
            text[n++] = bytes[at];
        text[n] = '\0';
        if (n > TEXT / 2)
            return true;
    }
    return n > 0;
}

static bool
is_excluded(const char *path)
{
    for (int i = 0; i < n_prefixes; i++) {
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

static bool
name_written(pid_t tid, int fd, uint64_t address, size_t len, char *text)
{
    static char bytes[PEEK];
    char target[TEXT];
    size_t got;

    descriptor_name(tid, fd, target);
    if (target[0] == '/') {
        snprintf(text, TEXT, "%s", target);
        return strncmp(target, "/dev/", 5) != 0;
    }
    if (strncmp(target, "pipe:", 5) == 0) {
        strcpy(text, "pipe");
        return true;
    }
    if (strncmp(target, "socket:", 7) != 0)
        return false;
    got = peek(tid, address, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
    if (!monitor_commands(bytes, got, text))
        strcpy(text, "reply");
    return true;
}

static bool
name_sent(pid_t tid, const Call *call, const uint64_t *args, char *text)
{
    struct msghdr message = {0};
    struct iovec part = {0};
    uint64_t parts = args[1];

    if (call->number == SYS_sendmsg) {
        peek(tid, args[1], &message, sizeof(message));
        parts = (uint64_t)(uintptr_t)message.msg_iov;
    }
    peek(tid, parts, &part, sizeof(part));
    return name_written(tid, (int)args[0], (uint64_t)(uintptr_t)part.iov_base, part.iov_len, text);
}

static bool
name_opened(pid_t tid, const Call *call, const uint64_t *args, char *text)
{
    uint64_t flags = args[call->at + 1];

    if (call->number == SYS_openat2)
        peek(tid, args[2], &flags, sizeof(flags));
    path_name(tid, args, call->at, call->has_at, text);
    return flags & (O_CREAT | O_TRUNC) && strncmp(text, "/dev/", 5) != 0;
}

static bool
makes_process(pid_t tid, const Call *call, const uint64_t *args)
{
    uint64_t flags = args[0];

    if (call->number == SYS_clone3)
        peek(tid, args[0], &flags, sizeof(flags));
    else if (call->number != SYS_clone)
        flags = 0;
    return !(flags & CLONE_THREAD);
}

static bool
name_plainly(pid_t tid, const Call *call, const uint64_t *args, char *text)
{
    char second[TEXT];

    text[0] = '\0';
    switch (call->shape) {
    case OPEN:
        return name_opened(tid, call, args, text);
    case PATH:
    case EXEC:
        path_name(tid, args, call->at, call->has_at, text);
        return true;
    case TWO_PATHS:
        path_name(tid, args, call->at, call->has_at, text);
        path_name(tid, args, call->at + (call->has_at ? 2 : 1), call->has_at, second);
        if (is_excluded(text))
            return false;
        snprintf(text + strlen(text), TEXT - strlen(text), " -> %.500s", second);
        return true;
    case FILE_FD:
        descriptor_name(tid, (int)args[call->at], text);
        return text[0] == '/' && strncmp(text, "/dev/", 5) != 0;
    case WRITE:
        return name_written(tid, (int)args[0], args[1], args[2], text);
    case SEND:
        return name_sent(tid, call, args, text);
    case FORK:
        return makes_process(tid, call, args);
    case SIGNAL:
        snprintf(text, TEXT, "%d", (int)args[1]);
        return args[1] != 0;
    case BIND:
        strcpy(text, "socket");
        return true;
    }
    return false;
}

bool
call_name_object(pid_t tid, const Call *call, const uint64_t *args, char *text)
{
    if (!name_plainly(tid, call, args, text) || is_excluded(text))
        return false;
    normalize(text);
    return true;
}
