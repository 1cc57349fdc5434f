/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All groups of commands, in the order of `help`. A new group: a file cmd_NAME.c, and its row here. */
#include "tools/virsh/groups.h"

#define GROUP(title, keyword, ...)               \
    &(const CommandGroup)                        \
    {                                            \
        title, keyword, (const Command *const[]) \
        {                                        \
            __VA_ARGS__, NULL                    \
        }                                        \
    }

const CommandGroup *const command_groups[] = {
    GROUP("Domain Management", "domain", define_commands, undefine_commands, domain_commands,
          save_commands, device_commands, disk_commands, nic_commands, vcpu_commands,
          iothread_commands, tune_commands, block_commands, guest_commands, migrate_commands,
          native_commands, display_commands, qemu_commands, job_commands),
    GROUP("Domain Monitoring", "monitor", list_commands, monitor_commands, stats_commands,
          display_monitor_commands, nic_monitor_commands, guest_monitor_commands),
    GROUP("Checkpoint", "checkpoint", checkpoint_commands),
    GROUP("Backup", "backup", backup_commands),
    GROUP("Events", "events", event_commands),
    GROUP("Host and Hypervisor", "host", host_commands, node_commands),
    GROUP("Snapshot", "snapshot", snapshot_commands),
    GROUP("Network", "network", network_commands, network_event_commands),
    GROUP("Storage Pool", "pool", pool_commands, pool_event_commands),
    GROUP("Storage Volume", "volume", volume_commands),
    GROUP("Interface", "interface", interface_commands),
    GROUP("Network Filter", "filter", nwfilter_commands),
    GROUP("Node Device", "nodedev", nodedev_commands, nodedev_event_commands),
    GROUP("Secret", "secret", secret_commands, secret_event_commands),
    GROUP("Virsh itself", "virsh", shell_commands),
    NULL,
};
