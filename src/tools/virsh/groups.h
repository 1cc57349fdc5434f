/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The groups that the cmd_*.c files define. */
#pragma once

#include "tools/virsh/shell.h"

extern const CommandGroup domain_group, monitor_group, snapshot_group, event_group, qemu_group,
    host_group, shell_group;

/* The console lives in a file of its own but is a domain command. */
bool cmd_console(Shell *shell, const Args *args);
bool console_run(Shell *shell, virDomainPtr domain, const char *device, unsigned int flags);
