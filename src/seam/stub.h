/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Start a long-lived program so that a crash at any instant leaves no process that nobody knows of.
 *
 * stub_spawn forks a child that waits on a pipe: its identity is known and can be made durable while nothing runs yet.
 * stub_release lets it become the program. If the daemon dies before that, the pipe closes and the child exits. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "seam/process.h"

typedef struct {
    const char *path; /* absolute */
    const char *const *argv;
    const char *const *env;
    const int *keep_fds; /* stay open under the same numbers; all others above 2 are closed */
    gsize n_keep_fds;
    int log_fd; /* becomes stderr, and stdout without out_fd; the caller opened it for appending */
    int out_fd; /* becomes stdout; 0: none */
    int in_fd;  /* becomes stdin; 0: /dev/null */
    bool set_owner; /* drop to uid, gid and no other groups */
    uid_t uid;
    gid_t gid;
    const char *cwd; /* NULL: / */
    bool
        dies_with_caller; /* is killed when the calling thread ends; for what must not outlive a question */
} StubSpec;

typedef struct {
    char *path;
    ProcessId id;
    int pidfd;
    int go_fd;     /* closing it ends a child that was not released */
    int status_fd; /* carries errno when exec fails */
} Stub;

/* The child exists, is in its own session, and waits. */
Stub *stub_spawn(const StubSpec *spec, GError **err);
/* Let it become the program; returns when exec has succeeded or failed. */
bool stub_release(Stub *stub, GError **err);
/* Take the pidfd out, after release. */
int stub_steal_pidfd(Stub *stub);
/* A child that was not released ends; one that was goes on. */
void stub_free(Stub *stub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stub, stub_free)
