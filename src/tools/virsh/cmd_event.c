/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh event: print what happens. One row of `kinds` an event: its name and the callback that puts it into words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/names.h"
#include "tools/virsh/output.h"
#include "tools/virsh/watch.h"

typedef struct {
    Watch *watch;
    const char *name;
} Subscription;

static void
report(Subscription *subscription, virDomainPtr domain, const char *text)
{
    g_autofree char *quoted = g_strdup_printf("'%s'", virDomainGetName(domain));
    bool json = shell_wants_json(subscription->watch->shell);

    watch_report(subscription->watch, subscription->name, "domain", "domain",
                 json ? virDomainGetName(domain) : quoted, text);
}

static void G_GNUC_PRINTF(3, 4)
    reportf(void *subscription, virDomainPtr domain, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    report(subscription, domain, text);
}

static void
on_generic(virConnectPtr conn, virDomainPtr domain, void *opaque)
{
    report(opaque, domain, "");
}

static void
on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    reportf(opaque, domain, "%s %s", name_of_lifecycle_event(event),
            name_of_lifecycle_detail(event, detail));
}

static void
on_rtc_change(virConnectPtr conn, virDomainPtr domain, long long offset, void *opaque)
{
    reportf(opaque, domain, "%lld", offset);
}

static void
on_watchdog(virConnectPtr conn, virDomainPtr domain, int action, void *opaque)
{
    static const char *const words[] = {"none",     "pause", "reset",     "poweroff",
                                        "shutdown", "debug", "inject-nmi"};

    report(opaque, domain,
           action >= 0 && action < (int)G_N_ELEMENTS(words) ? words[action] : "unknown");
}

static void
on_io_error(virConnectPtr conn, virDomainPtr domain, const char *path, const char *alias,
            int action, void *opaque)
{
    static const char *const words[] = {"none", "pause", "report"};

    reportf(opaque, domain, "%s (%s) %s", path, alias,
            action >= 0 && action < (int)G_N_ELEMENTS(words) ? words[action] : "unknown");
}

static void
on_io_error_reason(virConnectPtr conn, virDomainPtr domain, const char *path, const char *alias,
                   int action, const char *reason, void *opaque)
{
    static const char *const words[] = {"none", "pause", "report"};

    reportf(opaque, domain, "%s (%s) %s due to %s", path, alias,
            action >= 0 && action < (int)G_N_ELEMENTS(words) ? words[action] : "unknown", reason);
}

static void
on_graphics(virConnectPtr conn, virDomainPtr domain, int phase,
            const virDomainEventGraphicsAddress *local, const virDomainEventGraphicsAddress *remote,
            const char *scheme, const virDomainEventGraphicsSubject *subject, void *opaque)
{
    static const char *const phases[] = {"connect", "initialize", "disconnect"};

    reportf(opaque, domain, "%s local[%s %s] remote[%s %s] %s",
            phase >= 0 && phase < (int)G_N_ELEMENTS(phases) ? phases[phase] : "unknown",
            local->node, local->service, remote->node, remote->service, scheme);
}

static void
on_block_job(virConnectPtr conn, virDomainPtr domain, const char *disk, int type, int status,
             void *opaque)
{
    static const char *const types[] = {"Unknown job",  "Block Pull",          "Block Copy",
                                        "Block Commit", "Active Block Commit", "Backup"};
    static const char *const states[] = {"completed", "failed", "canceled", "ready"};

    reportf(opaque, domain, "%s for %s %s",
            type >= 0 && type < (int)G_N_ELEMENTS(types) ? types[type] : "unknown", disk,
            status >= 0 && status < (int)G_N_ELEMENTS(states) ? states[status] : "unknown");
}

static void
on_disk_change(virConnectPtr conn, virDomainPtr domain, const char *before, const char *after,
               const char *alias, int reason, void *opaque)
{
    reportf(opaque, domain, "%s -> %s (%s): %s", before ? before : "", after ? after : "", alias,
            reason == 0 ? "changed" : "dropped");
}

static void
on_tray_change(virConnectPtr conn, virDomainPtr domain, const char *alias, int reason, void *opaque)
{
    reportf(opaque, domain, "%s %s", alias, reason == 0 ? "opened" : "closed");
}

static void
on_pm(virConnectPtr conn, virDomainPtr domain, int reason, void *opaque)
{
    report(opaque, domain, "");
}

static void
on_balloon_change(virConnectPtr conn, virDomainPtr domain, unsigned long long actual, void *opaque)
{
    reportf(opaque, domain, "%lluKiB", actual);
}

static void
on_device(virConnectPtr conn, virDomainPtr domain, const char *alias, void *opaque)
{
    report(opaque, domain, alias);
}

static void
on_tunable(virConnectPtr conn, virDomainPtr domain, virTypedParameterPtr params, int n,
           void *opaque)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (int i = 0; i < n; i++) {
        g_autofree char *value = param_text(&params[i]);
        g_string_append_printf(text, "%s%s: %s", i ? ", " : "", params[i].field, value);
    }
    report(opaque, domain, text->str);
}

static void
on_agent(virConnectPtr conn, virDomainPtr domain, int state, int reason, void *opaque)
{
    static const char *const states[] = {"unknown", "connected", "disconnected"};
    static const char *const reasons[] = {"unknown", "domain started", "channel event"};

    reportf(opaque, domain, "state: '%s' reason: '%s'",
            state >= 0 && state < (int)G_N_ELEMENTS(states) ? states[state] : "unknown",
            reason >= 0 && reason < (int)G_N_ELEMENTS(reasons) ? reasons[reason] : "unknown");
}

static void
on_iteration(virConnectPtr conn, virDomainPtr domain, int iteration, void *opaque)
{
    reportf(opaque, domain, "iteration: '%d'", iteration);
}

static void
on_metadata(virConnectPtr conn, virDomainPtr domain, int type, const char *uri, void *opaque)
{
    static const char *const types[] = {"description", "title", "element"};

    reportf(opaque, domain, "type %s, uri %s",
            type >= 0 && type < (int)G_N_ELEMENTS(types) ? types[type] : "unknown", uri ? uri : "");
}

static void
on_block_threshold(virConnectPtr conn, virDomainPtr domain, const char *disk, const char *path,
                   unsigned long long threshold, unsigned long long excess, void *opaque)
{
    reportf(opaque, domain, "dev: %s(%s) %llu %llu", disk, path ? path : "", threshold, excess);
}

static void
on_memory_failure(virConnectPtr conn, virDomainPtr domain, int recipient, int action,
                  unsigned int flags, void *opaque)
{
    reportf(opaque, domain, "recipient: %s, action: %d, flags: %u",
            recipient == 0 ? "hypervisor" : "guest", action, flags);
}

static void
on_memory_device(virConnectPtr conn, virDomainPtr domain, const char *alias,
                 unsigned long long size, void *opaque)
{
    reportf(opaque, domain, "alias: '%s' size: '%llu'", alias, size);
}

static const struct {
    const char *name;
    int id;
    virConnectDomainEventGenericCallback callback;
} kinds[] = {
#define KIND(name, id, callback)                      \
    {                                                 \
        name, id, VIR_DOMAIN_EVENT_CALLBACK(callback) \
    }
    KIND("lifecycle", VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle),
    KIND("reboot", VIR_DOMAIN_EVENT_ID_REBOOT, on_generic),
    KIND("rtc-change", VIR_DOMAIN_EVENT_ID_RTC_CHANGE, on_rtc_change),
    KIND("watchdog", VIR_DOMAIN_EVENT_ID_WATCHDOG, on_watchdog),
    KIND("io-error", VIR_DOMAIN_EVENT_ID_IO_ERROR, on_io_error),
    KIND("graphics", VIR_DOMAIN_EVENT_ID_GRAPHICS, on_graphics),
    KIND("io-error-reason", VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, on_io_error_reason),
    KIND("control-error", VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, on_generic),
    KIND("block-job", VIR_DOMAIN_EVENT_ID_BLOCK_JOB, on_block_job),
    KIND("disk-change", VIR_DOMAIN_EVENT_ID_DISK_CHANGE, on_disk_change),
    KIND("tray-change", VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, on_tray_change),
    KIND("pm-wakeup", VIR_DOMAIN_EVENT_ID_PMWAKEUP, on_pm),
    KIND("pm-suspend", VIR_DOMAIN_EVENT_ID_PMSUSPEND, on_pm),
    KIND("balloon-change", VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, on_balloon_change),
    KIND("pm-suspend-disk", VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK, on_pm),
    KIND("device-removed", VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, on_device),
    KIND("block-job-2", VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, on_block_job),
    KIND("tunable", VIR_DOMAIN_EVENT_ID_TUNABLE, on_tunable),
    KIND("agent-lifecycle", VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, on_agent),
    KIND("device-added", VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, on_device),
    KIND("migration-iteration", VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, on_iteration),
    KIND("job-completed", VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, on_tunable),
    KIND("device-removal-failed", VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, on_device),
    KIND("metadata-change", VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, on_metadata),
    KIND("block-threshold", VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD, on_block_threshold),
    KIND("memory-failure", VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE, on_memory_failure),
    KIND("memory-device-size-change", VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
         on_memory_device),
#undef KIND
};

static void
complete_kind(virConnectPtr conn, char **words, const Option *option, GPtrArray *found)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        g_ptr_array_add(found, g_strdup(kinds[i].name));
}

static bool
cmd_event(Shell *shell, const Args *args)
{
    const char *name = args_text(args, "event");
    bool all = args_has(args, "all");
    Watch watch = watch_of(shell, args);
    Subscription subscriptions[G_N_ELEMENTS(kinds)];
    int ids[G_N_ELEMENTS(kinds)];
    g_autoptr(virDomain) domain = NULL;
    bool found = false, good = true;

    if (args_has(args, "list")) {
        for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
            shell_print(shell, "%s\n", kinds[i].name);
        return true;
    }
    if (!args_exclude(shell, args, "all", "event"))
        return false;
    if (!name && !all)
        return shell_fail(shell, "one of --list, --all, or --event <type> is required");
    if (args_has(args, "domain") && !(domain = args_domain(shell, args)))
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        ids[i] = -1;
        subscriptions[i] = (Subscription){&watch, kinds[i].name};
        if (!good || (!all && !g_str_equal(name, kinds[i].name)))
            continue;
        /* The second form of block jobs would say everything twice. */
        if (all && kinds[i].id == VIR_DOMAIN_EVENT_ID_BLOCK_JOB)
            continue;
        found = true;
        ids[i] = virConnectDomainEventRegisterAny(shell_connection(shell), domain, kinds[i].id,
                                                  kinds[i].callback, &subscriptions[i], NULL);
        /* A server of before this kind of event still has the others. */
        if (ids[i] < 0 && all)
            shell_forget_error();
        good = ids[i] >= 0 || all;
    }
    if (!found)
        good = shell_fail(shell, "unknown event type %s", name);
    good = good && watch_run(&watch, args);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (ids[i] >= 0)
            virConnectDomainEventDeregisterAny(shell_connection(shell), ids[i]);
    }
    return good;
}

static const Option event_options[] = {
    DOMAIN_OPTIONAL,
    {"event", OPTION_STRING, 0, "which kind of event (see --list)", complete_kind, NULL},
    FLAG("all", "all kinds"),
    WATCH_OPTIONS,
    END_OF_OPTIONS,
};

const Command event_commands[] = {
    {"event", cmd_event, event_options, "print domain events as they happen", COMMAND_JSON,
     "Ends after the first event unless --loop is given; the exit code says whether there was "
     "one.\n\n"
     "Examples:\n  virsh event web1 lifecycle --timeout 60\n  virsh event --all --loop --timestamp",
     NULL},
    {0},
};
