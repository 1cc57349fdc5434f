/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that start something long on a domain and wait for it: with progress on request, ended cleanly by Ctrl-C. */
#pragma once

#include "tools/virsh/shell.h"

/* Run @call in a thread of its own; meanwhile print "@label: [ 42 %]" (NULL: nothing) on standard error, and abort the
 * domain's job on Ctrl-C. True when @call returned 0 or more; its error is the last error otherwise. */
bool job_watch(Shell *shell, virDomainPtr domain, int (*call)(virDomainPtr domain, void *opaque),
               void *opaque, const char *label);

/* The same with a limit: after @timeout_s seconds (0: none) @on_timeout is called once. */
typedef struct {
    const char *label;
    int timeout_s;
    int (*on_timeout)(virDomainPtr domain);
    const char *timeout_name; /* what on_timeout does, for the error */
} JobOptions;
bool job_watch_options(Shell *shell, virDomainPtr domain,
                       int (*call)(virDomainPtr domain, void *opaque), void *opaque,
                       const JobOptions *options);
/* "\rLABEL: [ 42 %]" on standard error. */
void job_print_progress(const char *label, unsigned long long left, unsigned long long total);
