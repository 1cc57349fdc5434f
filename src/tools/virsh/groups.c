/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All groups of commands, in the order of `help`. A new group: a file cmd_NAME.c, and its row here. */
#include "tools/virsh/groups.h"

const CommandGroup *const command_groups[] = {
    &domain_group, &monitor_group, &snapshot_group, &event_group,
    &qemu_group,   &host_group,    &shell_group,    NULL,
};
