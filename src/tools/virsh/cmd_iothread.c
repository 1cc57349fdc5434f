/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* I/O threads of a domain: add, remove, pin, tune. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/cpus.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

static bool
cmd_iothreadinfo(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"IOThread ID", "CPU Affinity", NULL};
    static const char *const keys[] = {"id", "affinity", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    virDomainIOThreadInfoPtr *threads = NULL;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    int host = domain ? cpus_of_host(shell) : -1;
    int n = host < 0 ? -1 : virDomainGetIOThreadInfo(domain, &threads, flags);
    if (n < 0)
        return domain && shell_fail(shell, "Unable to get domain IOThreads information");
    for (int i = 0; i < n; i++) {
        g_autofree char *list =
            cpus_format(threads[i]->cpumap, MIN(host, threads[i]->cpumaplen * 8));
        table_number(table, threads[i]->iothread_id);
        table_text(table, list);
        virDomainIOThreadInfoFree(threads[i]);
    }
    free(threads);
    if (!n && !shell_wants_json(shell))
        shell_note(shell, "No IOThreads found for the domain");
    else
        table_print(shell, table);
    return true;
}

static const Option iothreadinfo_options[] = {
    DOMAIN,
    AFFECT,
    END_OF_OPTIONS,
};

/* The number of the thread, which is never 0. */
static bool
args_thread(Shell *shell, const Args *args, const char *name, unsigned int *id)
{
    if (!args_uint(shell, args, name, id))
        return false;
    return *id || shell_fail(shell, "Invalid IOThread id value: '%u'", *id);
}

static bool
cmd_iothreadpin(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT, id = 0;
    g_autoptr(virDomain) domain = NULL;
    g_autofree unsigned char *map = NULL;
    int width, host;

    if (!args_affect(shell, args, &flags) || !args_thread(shell, args, "iothread", &id))
        return false;
    domain = args_domain(shell, args);
    host = domain ? cpus_of_host(shell) : -1;
    map = host < 0 ? NULL : cpus_parse(shell, args_text(args, "cpulist"), host, &width);
    return map && virDomainPinIOThread(domain, id, map, width, flags) >= 0;
}

static const Option iothreadpin_options[] = {
    DOMAIN,
    REQUIRED_NUMBER("iothread", "number of the thread"),
    REQUIRED("cpulist", "CPUs of the host it may use: 0-3,^2; r for all"),
    AFFECT,
    END_OF_OPTIONS,
};

/* iothreadadd and iothreaddel. */
typedef int (*ThreadCall)(virDomainPtr domain, unsigned int id, unsigned int flags);

typedef struct {
    ThreadCall call;
} ThreadVerb;

static const ThreadVerb add_verb = {virDomainAddIOThread}, remove_verb = {virDomainDelIOThread};

static bool
cmd_iothread_verb(Shell *shell, const Args *args)
{
    const ThreadVerb *verb = args_detail(args);
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT, id = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_thread(shell, args, "id", &id))
        return false;
    domain = args_domain(shell, args);
    return domain && verb->call(domain, id, flags) >= 0;
}

static const Option iothread_verb_options[] = {
    DOMAIN,
    REQUIRED_NUMBER("id", "number of the thread"),
    AFFECT,
    END_OF_OPTIONS,
};

static bool
cmd_iothreadset(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT, id = 0, grow = 0, shrink = 0;
    unsigned long long poll_ns = 0;
    int low = 0, high = 0;
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_thread(shell, args, "id", &id) ||
        !args_ullong(shell, args, "poll-max-ns", &poll_ns) ||
        !args_uint(shell, args, "poll-grow", &grow) ||
        !args_uint(shell, args, "poll-shrink", &shrink) ||
        !args_int(shell, args, "thread-pool-min", &low) ||
        !args_int(shell, args, "thread-pool-max", &high))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (args_has(args, "poll-max-ns"))
        virTypedParamsAddULLong(&params, &n, &room, VIR_DOMAIN_IOTHREAD_POLL_MAX_NS, poll_ns);
    if (args_has(args, "poll-grow"))
        virTypedParamsAddUInt(&params, &n, &room, VIR_DOMAIN_IOTHREAD_POLL_GROW, grow);
    if (args_has(args, "poll-shrink"))
        virTypedParamsAddUInt(&params, &n, &room, VIR_DOMAIN_IOTHREAD_POLL_SHRINK, shrink);
    if (args_has(args, "thread-pool-min"))
        virTypedParamsAddInt(&params, &n, &room, VIR_DOMAIN_IOTHREAD_THREAD_POOL_MIN, low);
    if (args_has(args, "thread-pool-max"))
        virTypedParamsAddInt(&params, &n, &room, VIR_DOMAIN_IOTHREAD_THREAD_POOL_MAX, high);
    bool good = n ? virDomainSetIOThreadParams(domain, id, params, n, flags) >= 0
                  : shell_fail(shell, "Not enough arguments passed, nothing to set");
    virTypedParamsFree(params, n);
    return good;
}

static const Option iothreadset_options[] = {
    DOMAIN,
    REQUIRED_NUMBER("id", "number of the thread"),
    NUMBER("poll-max-ns", "longest time to poll, in nanoseconds"),
    NUMBER("poll-grow", "factor by which polling grows"),
    NUMBER("poll-shrink", "divisor by which polling shrinks"),
    NUMBER("thread-pool-min", "fewest worker threads"),
    NUMBER("thread-pool-max", "most worker threads"),
    AFFECT,
    END_OF_OPTIONS,
};

const Command iothread_commands[] = {
    {"iothreadadd", cmd_iothread_verb, iothread_verb_options, "add an I/O thread", 0, NULL,
     &add_verb},
    {"iothreaddel", cmd_iothread_verb, iothread_verb_options, "remove an I/O thread", 0, NULL,
     &remove_verb},
    {"iothreadinfo", cmd_iothreadinfo, iothreadinfo_options, "I/O threads and where they run",
     COMMAND_JSON, NULL, NULL},
    {"iothreadpin", cmd_iothreadpin, iothreadpin_options, "set where an I/O thread runs", 0, NULL,
     NULL},
    {"iothreadset", cmd_iothreadset, iothreadset_options, "tune an I/O thread", 0, NULL, NULL},
    {0},
};
