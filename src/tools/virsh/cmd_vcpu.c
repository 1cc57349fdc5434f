/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual CPUs and memory: how many, how much, and where they may run. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/cpus.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/names.h"
#include "tools/virsh/output.h"

static bool
cmd_setmem(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    unsigned long long kib = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_kib(shell, args, "size", &kib))
        return false;
    domain = args_domain(shell, args);
    return domain && (flags ? virDomainSetMemoryFlags(domain, kib, flags)
                            : virDomainSetMemory(domain, kib)) >= 0;
}

static bool
cmd_setmaxmem(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    unsigned long long kib = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_kib(shell, args, "size", &kib))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainSetMemoryFlags(domain, kib, flags | VIR_DOMAIN_MEM_MAXIMUM) < 0)
        return shell_fail(shell, "Unable to change MaxMemorySize");
    return true;
}

static const Option setmem_options[] = {
    DOMAIN,
    {"size", OPTION_INT, OPTION_REQUIRED, "new size, KiB unless a unit follows: 2GiB",
     complete_nothing, NULL},
    AFFECT,
    ALIAS("kilobytes", "--size"),
    END_OF_OPTIONS,
};

static bool
cmd_setvcpus(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    int count = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_int(shell, args, "count", &count))
        return false;
    if (count <= 0)
        return shell_fail(shell, "Invalid number of virtual CPUs");
    flags |= args_has(args, "maximum") ? VIR_DOMAIN_VCPU_MAXIMUM : 0;
    flags |= args_has(args, "guest") ? VIR_DOMAIN_VCPU_GUEST : 0;
    flags |= args_has(args, "hotpluggable") ? VIR_DOMAIN_VCPU_HOTPLUGGABLE : 0;
    domain = args_domain(shell, args);
    return domain && virDomainSetVcpusFlags(domain, count, flags) >= 0;
}

static const Option setvcpus_options[] = {
    DOMAIN,
    REQUIRED_NUMBER("count", "number of virtual CPUs"),
    FLAG("maximum", "the most that can be plugged"),
    FLAG("config", "of the next start"),
    FLAG("live", "of the running guest"),
    FLAG("current", "of the present state"),
    FLAG("guest", "switch them inside the guest"),
    FLAG("hotpluggable", "make added ones removable"),
    END_OF_OPTIONS,
};

/* ---- vcpus ---- */

static bool
cmd_vcpucount(Shell *shell, const Args *args)
{
    static const struct {
        const char *label[2];
        unsigned int flags;
    } rows[] = {
        {{"maximum", "config"}, VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_VCPU_MAXIMUM},
        {{"maximum", "live"}, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_VCPU_MAXIMUM},
        {{"current", "config"}, VIR_DOMAIN_AFFECT_CONFIG},
        {{"current", "live"}, VIR_DOMAIN_AFFECT_LIVE},
    };
    g_autoptr(virDomain) domain = NULL;
    unsigned int flags = 0;
    bool one = args_has(args, "live") || args_has(args, "config") || args_has(args, "current") ||
               args_has(args, "maximum") || args_has(args, "active") || args_has(args, "guest");

    if (!args_affect(shell, args, &flags) || !args_exclude(shell, args, "active", "maximum"))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    flags |= args_has(args, "maximum") ? VIR_DOMAIN_VCPU_MAXIMUM : 0;
    flags |= args_has(args, "guest") ? VIR_DOMAIN_VCPU_GUEST : 0;
    if (one) {
        int n = virDomainGetVcpusFlags(domain, flags);
        if (n >= 0)
            print_number(shell, "vcpus", n);
        return n >= 0;
    }
    g_autoptr(Fields) fields = fields_new(0);
    bool active = virDomainIsActive(domain) == 1, persistent = virDomainIsPersistent(domain) == 1;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool live = rows[i].flags & VIR_DOMAIN_AFFECT_LIVE;
        if (!(live ? active : persistent))
            continue;
        int n = virDomainGetVcpusFlags(domain, rows[i].flags);
        if (n < 0)
            return false;
        g_autofree char *key = g_strdup_printf("%s_%s", rows[i].label[0], rows[i].label[1]);
        if (shell_wants_json(shell))
            fields_number(fields, key, key, n, NULL);
        else
            shell_print(shell, "%-12s %-12s %3d\n", rows[i].label[0], rows[i].label[1], n);
    }
    if (shell_wants_json(shell))
        fields_print(shell, fields);
    return true;
}

static const Option vcpucount_options[] = {
    DOMAIN,
    FLAG("maximum", "the most that can be plugged"),
    FLAG("active", "those that are plugged"),
    FLAG("live", "of the running guest"),
    FLAG("config", "of the next start"),
    FLAG("current", "of the present state"),
    FLAG("guest", "as the guest sees them"),
    END_OF_OPTIONS,
};

static bool
cmd_vcpuinfo(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    static const char *const headings[] = {"", "", "", "", "", NULL};
    static const char *const keys[] = {"vcpu", "cpu", "state", "cpu_time_ns", "affinity", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    virDomainInfo info;

    if (!domain || virDomainGetInfo(domain, &info) < 0)
        return false;
    int host = cpus_of_host(shell);
    if (host < 0)
        return false;
    int width = VIR_CPU_MAPLEN(host);
    g_autofree virVcpuInfo *vcpus = g_new0(virVcpuInfo, info.nrVirtCpu);
    g_autofree unsigned char *maps = g_new0(unsigned char, info.nrVirtCpu *width);
    int n = virDomainGetVcpus(domain, vcpus, info.nrVirtCpu, maps, width);
    if (n < 0)
        return false;
    for (int i = 0; i < n; i++) {
        g_autofree char *list = cpus_format(VIR_GET_CPUMAP(maps, width, i), host);
        g_autoptr(GString) map = g_string_new(NULL);
        if (args_has(args, "pretty"))
            g_string_printf(map, "%s (out of %d)", list, host);
        for (int cpu = 0; cpu < host && !args_has(args, "pretty"); cpu++)
            g_string_append_c(map, VIR_CPU_USABLE(maps, width, i, cpu) ? 'y' : '-');
        if (shell_wants_json(shell)) {
            table_number(table, vcpus[i].number);
            table_number(table, vcpus[i].cpu);
            table_text(table, name_of_vcpu_state(vcpus[i].state));
            table_number(table, vcpus[i].cpuTime);
            table_text(table, list);
            continue;
        }
        shell_print(shell, "%-15s %u\n", "VCPU:", vcpus[i].number);
        if (vcpus[i].cpu >= 0)
            shell_print(shell, "%-15s %d\n", "CPU:", vcpus[i].cpu);
        else
            shell_print(shell, "%-15s %s\n", "CPU:", "N/A");
        shell_print(shell, "%-15s %s\n", "State:", name_of_vcpu_state(vcpus[i].state));
        if (vcpus[i].cpuTime)
            shell_print(shell, "%-15s %.1fs\n", "CPU time:", vcpus[i].cpuTime / 1e9);
        shell_print(shell, "%-15s %s\n%s", "CPU Affinity:", map->str, i + 1 < n ? "\n" : "");
    }
    if (shell_wants_json(shell))
        table_print(shell, table);
    return true;
}

static const Option vcpuinfo_options[] = {
    DOMAIN,
    FLAG("pretty", "print the affinity as a list"),
    END_OF_OPTIONS,
};

/* ---- where they run ---- */

static bool
show_vcpu_pins(Shell *shell, virDomainPtr domain, int only, int host, unsigned int flags)
{
    static const char *const headings[] = {"VCPU", "CPU Affinity", NULL};
    static const char *const keys[] = {"vcpu", "affinity", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    int count = virDomainGetVcpusFlags(domain, flags | VIR_DOMAIN_VCPU_MAXIMUM);
    int width = VIR_CPU_MAPLEN(host);

    if (count < 0)
        return false;
    if (only >= count)
        return shell_fail(shell, "vcpupin: vCPU index out of range: the domain has %d", count);
    g_autofree unsigned char *maps = g_new0(unsigned char, (gsize)count *width);
    int n = virDomainGetVcpuPinInfo(domain, count, maps, width, flags);
    if (n < 0)
        return false;
    for (int i = 0; i < n; i++) {
        g_autofree char *list = cpus_format(VIR_GET_CPUMAP(maps, width, i), host);
        if (only >= 0 && i != only)
            continue;
        table_number(table, i);
        table_text(table, list);
    }
    table_print(shell, table);
    return true;
}

static bool
cmd_vcpupin(Shell *shell, const Args *args)
{
    const char *list = args_text(args, "cpulist");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    int vcpu = -1, width, host;
    g_autoptr(virDomain) domain = NULL;
    g_autofree unsigned char *map = NULL;

    if (!args_affect(shell, args, &flags) || !args_int(shell, args, "vcpu", &vcpu))
        return false;
    if (args_has(args, "vcpu") && vcpu < 0)
        return shell_fail(shell, "vcpupin: Invalid vCPU number.");
    if (list && vcpu < 0)
        return shell_fail(shell, "vcpupin: Missing vCPU number in pin mode.");
    domain = args_domain(shell, args);
    host = domain ? cpus_of_host(shell) : -1;
    if (host < 0)
        return false;
    if (!list)
        return show_vcpu_pins(shell, domain, vcpu, host, flags);
    map = cpus_parse(shell, list, host, &width);
    return map && (flags ? virDomainPinVcpuFlags(domain, vcpu, map, width, flags)
                         : virDomainPinVcpu(domain, vcpu, map, width)) >= 0;
}

static const Option vcpupin_options[] = {
    DOMAIN,
    NUMBER("vcpu", "number of the virtual CPU; none: show all"),
    TEXT("cpulist", "CPUs of the host it may use: 0-3,^2; r for all; none: show"),
    AFFECT,
    END_OF_OPTIONS,
};

static bool
cmd_emulatorpin(Shell *shell, const Args *args)
{
    const char *list = args_text(args, "cpulist");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    int width, host;
    g_autoptr(virDomain) domain = NULL;
    g_autofree unsigned char *map = NULL;
    g_autofree char *shown = NULL;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    host = domain ? cpus_of_host(shell) : -1;
    if (host < 0)
        return false;
    if (list) {
        map = cpus_parse(shell, list, host, &width);
        return map && virDomainPinEmulator(domain, map, width, flags) >= 0;
    }
    width = VIR_CPU_MAPLEN(host);
    map = g_new0(unsigned char, width);
    if (virDomainGetEmulatorPinInfo(domain, map, width, flags) < 0)
        return false;
    shown = cpus_format(map, host);
    if (shell_wants_json(shell)) {
        print_value(shell, "affinity", shown);
        return true;
    }
    if (!shell_is_quiet(shell))
        shell_print(shell,
                    "emulator: CPU Affinity\n----------------------------------\n       *: ");
    shell_print(shell, "%s\n", shown);
    return true;
}

static const Option emulatorpin_options[] = {
    DOMAIN,
    TEXT("cpulist", "CPUs of the host it may use: 0-3,^2; r for all; none: show"),
    AFFECT,
    END_OF_OPTIONS,
};

/* ---- single ones ---- */

static bool
cmd_setvcpu(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    bool enable = args_has(args, "enable");
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_exclude(shell, args, "enable", "disable"))
        return false;
    if (!enable && !args_has(args, "disable"))
        return shell_fail(shell, "one of options --enable or --disable is required");
    domain = args_domain(shell, args);
    return domain && virDomainSetVcpu(domain, args_text(args, "vcpulist"), enable, flags) >= 0;
}

static const Option setvcpu_options[] = {
    DOMAIN,
    REQUIRED("vcpulist", "numbers of virtual CPUs: 2-3"),
    FLAG("enable", "plug them"),
    FLAG("disable", "unplug them"),
    AFFECT,
    END_OF_OPTIONS,
};

static bool
cmd_guestvcpus(Shell *shell, const Args *args)
{
    const char *list = args_text(args, "cpulist");
    bool enable = args_has(args, "enable");
    g_autoptr(virDomain) domain = NULL;
    virTypedParameterPtr params = NULL;
    unsigned int n = 0;

    if (!args_exclude(shell, args, "enable", "disable"))
        return false;
    if (list && !enable && !args_has(args, "disable"))
        return shell_fail(shell, "One of options --enable or --disable is required by option "
                                 "--cpulist");
    if (!args_need(shell, args, "enable", "cpulist") ||
        !args_need(shell, args, "disable", "cpulist"))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (list)
        return virDomainSetGuestVcpus(domain, list, enable, 0) >= 0;
    if (virDomainGetGuestVcpus(domain, &params, &n, 0) < 0)
        return false;
    params_print(shell, params, n, "%-15s: %s\n");
    virTypedParamsFree(params, n);
    return true;
}

static const Option guestvcpus_options[] = {
    ACTIVE_DOMAIN,
    TEXT("cpulist", "numbers of virtual CPUs; none: show what the guest uses"),
    FLAG("enable", "let the guest use them"),
    FLAG("disable", "let the guest stop using them"),
    END_OF_OPTIONS,
};

const Command vcpu_commands[] = {
    {"emulatorpin", cmd_emulatorpin, emulatorpin_options,
     "show or set where the emulator's own threads run", COMMAND_JSON, NULL, NULL},
    {"guestvcpus", cmd_guestvcpus, guestvcpus_options,
     "show or set which virtual CPUs the guest uses (needs its agent)", COMMAND_JSON, NULL, NULL},
    {"setmaxmem", cmd_setmaxmem, setmem_options, "change the most memory a guest can have", 0, NULL,
     NULL},
    {"setmem", cmd_setmem, setmem_options, "change the memory of a guest", 0,
     "A running guest gives memory back through its balloon, when it has one.\n\nExample:\n"
     "  virsh setmem web1 2GiB --live --config",
     NULL},
    {"setvcpu", cmd_setvcpu, setvcpu_options, "plug or unplug single virtual CPUs", 0, NULL, NULL},
    {"setvcpus", cmd_setvcpus, setvcpus_options, "change the number of virtual CPUs", 0, NULL,
     NULL},
    {"vcpucount", cmd_vcpucount, vcpucount_options, "numbers of virtual CPUs", COMMAND_JSON, NULL,
     NULL},
    {"vcpuinfo", cmd_vcpuinfo, vcpuinfo_options, "state of each virtual CPU", COMMAND_JSON, NULL,
     NULL},
    {"vcpupin", cmd_vcpupin, vcpupin_options, "show or set where virtual CPUs run", COMMAND_JSON,
     "Examples:\n  virsh vcpupin web1\n  virsh vcpupin web1 0 2-3 --live", NULL},
    {0},
};
