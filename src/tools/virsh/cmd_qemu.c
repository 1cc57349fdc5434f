/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Talking past the daemon: QEMU's own monitor, the guest agent, processes. For those who know what they do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/libvirt-qemu.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/pretty.h"

static bool
cmd_monitor_command(Shell *shell, const Args *args)
{
    g_autofree char *command = args_joined(args, "cmd"), *reply = NULL, *shown = NULL;
    unsigned int flags = args_has(args, "hmp") ? VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP : 0, n = 0;
    g_autofree int *fds = NULL;
    g_autoptr(virDomain) domain = NULL;

    if (!args_exclude(shell, args, "hmp", "pretty") ||
        !args_exclude(shell, args, "hmp", "return-value") ||
        !args_fds(shell, args, "pass-fds", &fds, &n))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if ((n ? virDomainQemuMonitorCommandWithFiles(domain, command, n, fds, NULL, NULL, &reply,
                                                  flags)
           : virDomainQemuMonitorCommand(domain, command, &reply, flags)) < 0)
        return false;
    shown = args_has(args, "return-value") ? json_member(reply, "return") : g_strdup(reply);
    if (!shown)
        return shell_fail(shell, "the reply has no return value: %s", reply);
    if (args_has(args, "pretty") || args_has(args, "return-value")) {
        g_autofree char *pretty = json_pretty(shown);
        shell_print(shell, "%s\n", pretty);
    } else if (shell_wants_json(shell) && args_has(args, "hmp")) {
        print_value(shell, "reply", shown);
    } else {
        shell_print(shell, "%s%s", shown, g_str_has_suffix(shown, "\n") ? "" : "\n");
    }
    return true;
}

static const Option monitor_command_options[] = {
    ACTIVE_DOMAIN,
    FLAG("hmp", "a command of the human monitor"),
    FLAG("pretty", "print the reply for people"),
    FLAG("return-value", "only what the reply returns"),
    NAMED("pass-fds", "descriptors of ours to send along: 5,6"),
    REQUIRED_WORDS("cmd", "the command"),
    END_OF_OPTIONS,
};

static bool
cmd_agent_command(Shell *shell, const Args *args)
{
    int seconds = VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT;
    g_autofree char *command = args_joined(args, "cmd"), *reply = NULL, *shown = NULL;
    g_autoptr(virDomain) domain = NULL;

    if (!args_int(shell, args, "timeout", &seconds) ||
        !args_exclude(shell, args, "timeout", "async") ||
        !args_exclude(shell, args, "timeout", "block") ||
        !args_exclude(shell, args, "async", "block"))
        return false;
    if (args_has(args, "timeout") && seconds < 1)
        return shell_fail(shell, "timeout must be positive");
    if (args_has(args, "async"))
        seconds = VIR_DOMAIN_QEMU_AGENT_COMMAND_NOWAIT;
    if (args_has(args, "block"))
        seconds = VIR_DOMAIN_QEMU_AGENT_COMMAND_BLOCK;
    domain = args_domain(shell, args);
    reply = domain ? virDomainQemuAgentCommand(domain, command, seconds, 0) : NULL;
    if (!reply)
        return false;
    shown = args_has(args, "pretty") ? json_pretty(reply) : g_strdup(reply);
    shell_print(shell, "%s\n", shown);
    return true;
}

static const Option agent_command_options[] = {
    ACTIVE_DOMAIN,
    NAMED_NUMBER("timeout", "seconds to wait for the reply"),
    FLAG("async", "do not wait for the reply"),
    FLAG("block", "wait for ever"),
    FLAG("pretty", "print the reply for people"),
    REQUIRED_WORDS("cmd", "the command, as JSON"),
    END_OF_OPTIONS,
};

static bool
cmd_attach(Shell *shell, const Args *args)
{
    unsigned int pid = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_uint(shell, args, "pid", &pid))
        return false;
    domain = virDomainQemuAttach(shell_connection(shell), pid, 0);
    if (!domain)
        return shell_fail(shell, "Failed to attach to pid %u", pid);
    shell_note(shell, "Domain '%s' attached to pid %u\n", virDomainGetName(domain), pid);
    return true;
}

static const Option attach_options[] = {
    REQUIRED("pid", "number of the QEMU process"),
    END_OF_OPTIONS,
};

/* ---- events of the monitor ---- */

typedef struct {
    Shell *shell;
    const Args *args;
    bool done;
    int count;
} MonitorWatch;

static void
on_monitor_event(virConnectPtr conn, virDomainPtr domain, const char *event, long long seconds,
                 unsigned int micros, const char *details, void *opaque)
{
    MonitorWatch *watch = opaque;
    Shell *shell = watch->shell;
    g_autofree char *shown =
        details && args_has(watch->args, "pretty") ? json_pretty(details) : g_strdup(details);

    if (watch->done)
        return;
    if (shell_wants_json(shell)) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_string_append_printf(out, "{\"time\":%lld.%06u,\"event\":", seconds, micros);
        json_append_string(out, event);
        g_string_append(out, ",\"domain\":");
        json_append_string(out, virDomainGetName(domain));
        shell_print(shell, "%s,\"detail\":%s}\n", out->str, details ? details : "null");
    } else if (args_has(watch->args, "timestamp")) {
        g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(seconds);
        g_autofree char *stamp = when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : NULL;
        g_autofree char *zone = when ? g_date_time_format(when, "%z") : NULL;
        shell_print(shell, "%s.%03u%s: event %s for domain '%s': %s\n", stamp, micros / 1000, zone,
                    event, virDomainGetName(domain), shown ? shown : "(null)");
    } else {
        shell_print(shell, "event %s at %lld.%06u for domain '%s': %s\n", event, seconds, micros,
                    virDomainGetName(domain), shown ? shown : "(null)");
    }
    fflush(stdout);
    watch->count++;
    watch->done = !args_has(watch->args, "loop");
}

static void
on_timeout(int timer, void *opaque)
{
    ((MonitorWatch *)opaque)->done = true;
}

static bool
cmd_monitor_event(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"regex", VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX},
        {"no-case", VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE},
    };
    MonitorWatch watch = {.shell = shell, .args = args};
    g_autoptr(virDomain) domain = NULL;
    int seconds = 0, timer = -1;

    if (!args_int(shell, args, "timeout", &seconds))
        return false;
    if (args_has(args, "domain") && !(domain = args_domain(shell, args)))
        return false;
    int id = virConnectDomainQemuMonitorEventRegister(shell_connection(shell), domain,
                                                      args_text(args, "event"), on_monitor_event,
                                                      &watch, NULL, ARGS_BITS(args, bits));
    if (id < 0)
        return false;
    if (seconds > 0)
        timer = virEventAddTimeout(seconds * 1000, on_timeout, &watch, NULL);
    bool alive = shell_run_loop(shell, &watch.done);
    if (timer >= 0)
        virEventRemoveTimeout(timer);
    virConnectDomainQemuMonitorEventDeregister(shell_connection(shell), id);
    if (!alive)
        return shell_fail(shell, "the connection was lost after %d events", watch.count);
    if (shell_was_interrupted())
        shell_note(shell, "event loop interrupted\n");
    else if (args_has(args, "loop") || !watch.count)
        shell_note(shell, "event loop timed out\n");
    shell_note(shell, "events received: %d\n", watch.count);
    return watch.count > 0;
}

static const Option monitor_event_options[] = {
    DOMAIN_OPTIONAL,
    TEXT("event", "name of the event; none: all"),
    FLAG("pretty", "print the details for people"),
    FLAG("loop", "go on after the first event, until Ctrl-C or the timeout"),
    NUMBER("timeout", "seconds to wait"),
    FLAG("regex", "the name is a regular expression"),
    FLAG("no-case", "the name in any case"),
    FLAG("timestamp", "say when, for people"),
    END_OF_OPTIONS,
};

const Command qemu_commands[] = {
    {"qemu-agent-command", cmd_agent_command, agent_command_options,
     "send a command to the guest's agent", COMMAND_JSON,
     "Example:\n  virsh qemu-agent-command web1 '{\"execute\":\"guest-ping\"}'", NULL},
    {"qemu-attach", cmd_attach, attach_options, "make a running QEMU a domain", 0, NULL, NULL},
    {"qemu-monitor-command", cmd_monitor_command, monitor_command_options,
     "send a command to QEMU's monitor", COMMAND_JSON,
     "The guest is marked as tainted: what is changed behind the daemon's back is not its to "
     "know.\n\nExamples:\n  virsh qemu-monitor-command web1 '{\"execute\":\"query-status\"}' "
     "--pretty\n"
     "  virsh qemu-monitor-command web1 --hmp info block",
     NULL},
    {"qemu-monitor-event", cmd_monitor_event, monitor_event_options,
     "print events of QEMU's monitor", COMMAND_JSON, NULL, NULL},
    {0},
};
