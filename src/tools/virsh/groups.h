/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of commands that the cmd_*.c files define; groups.c puts them into groups. */
#pragma once

#include "tools/virsh/shell.h"

extern const Command define_commands[], undefine_commands[], domain_commands[], save_commands[],
    device_commands[], disk_commands[], nic_commands[], vcpu_commands[], iothread_commands[],
    tune_commands[], block_commands[], guest_commands[], migrate_commands[], native_commands[],
    display_commands[], qemu_commands[], job_commands[], list_commands[], monitor_commands[],
    stats_commands[], display_monitor_commands[], nic_monitor_commands[], guest_monitor_commands[],
    event_commands[], host_commands[], network_commands[], pool_commands[], volume_commands[],
    node_commands[], snapshot_commands[], interface_commands[], nwfilter_commands[],
    nodedev_commands[], secret_commands[], checkpoint_commands[], backup_commands[],
    network_event_commands[], pool_event_commands[], nodedev_event_commands[],
    secret_event_commands[], shell_commands[];

/* The console lives in a file of its own but is a domain command. */
bool cmd_console(Shell *shell, const Args *args);
bool console_run(Shell *shell, virDomainPtr domain, const char *device, unsigned int flags);
