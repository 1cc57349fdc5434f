/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Talking to QEMU's own monitor, for those who know what they do. */
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt-qemu.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

static bool
cmd_qemu_monitor_command(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *reply = NULL;
    gsize count;
    const char *const *words = args_words(args, "cmd", &count);
    bool hmp = args_has(args, "hmp");

    if (!domain)
        return false;
    for (gsize i = 0; i < count; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", words[i]);
    if (virDomainQemuMonitorCommand(domain, text->str, &reply,
                                    hmp ? VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP : 0) < 0)
        return false;
    shell_print(shell, "%s%s", reply, g_str_has_suffix(reply, "\n") ? "" : "\n");
    if (!shell_is_quiet(shell))
        shell_print(shell, "\n");
    return true;
}

static const Option monitor_command_options[] = {
    DOMAIN,
    FLAG("hmp", "a command of the human monitor"),
    {"cmd", OPTION_ARGV, OPTION_POSITIONAL | OPTION_REQUIRED, "the command", COMPLETE_NOTHING},
    END_OF_OPTIONS,
};

static const Command commands[] = {
    {"qemu-monitor-command", cmd_qemu_monitor_command, monitor_command_options,
     "send a command to QEMU's monitor", 0,
     "The guest is marked as tainted: what is changed behind the daemon's back is not its to "
     "know."},
    {0},
};

const CommandGroup qemu_group = {"QEMU", "qemu", commands};
