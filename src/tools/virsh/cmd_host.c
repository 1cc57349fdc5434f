/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands about the host and its hypervisor. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/cpus.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

static bool
cmd_version(Shell *shell, const Args *args)
{
    virConnectPtr conn = shell_connection(shell);
    unsigned long library, api, hypervisor = 0, daemon;
    const char *type = virConnectGetType(conn);
    g_autoptr(Fields) fields = fields_new(0);
    const unsigned long compiled = LIBVIR_VERSION_NUMBER;

#define DOTTED(n) (n) / 1000000, (n) / 1000 % 1000, (n) % 1000
    if (!type)
        return shell_fail(shell, "failed to get hypervisor type");
    if (virGetVersion(&library, type, &api) < 0)
        return shell_fail(shell, "failed to get the library version");
    if (virConnectGetVersion(conn, &hypervisor) < 0)
        return shell_fail(shell, "failed to get the hypervisor version");
    fields_printf(fields, "Compiled against library", "compiled", "libvirt %lu.%lu.%lu",
                  DOTTED(compiled));
    fields_printf(fields, "Using library", "library", "libvirt %lu.%lu.%lu", DOTTED(library));
    fields_printf(fields, "Using API", "api", "%s %lu.%lu.%lu", type, DOTTED(api));
    if (hypervisor)
        fields_printf(fields, "Running hypervisor", "hypervisor", "%s %lu.%lu.%lu", type,
                      DOTTED(hypervisor));
    else
        fields_printf(fields, "Cannot extract running hypervisor version", "hypervisor", "%s",
                      type);
    if (args_has(args, "daemon")) {
        if (virConnectGetLibVersion(conn, &daemon) < 0)
            return shell_fail(shell, "failed to get the daemon version");
        fields_printf(fields, "Running against daemon", "daemon", "%lu.%lu.%lu", DOTTED(daemon));
    }
#undef DOTTED
    fields_print(shell, fields);
    return true;
}

static const Option version_options[] = {
    FLAG("daemon", "also the version of the daemon"),
    END_OF_OPTIONS,
};

static bool
cmd_hostname(Shell *shell, const Args *args)
{
    g_autofree char *name = virConnectGetHostname(shell_connection(shell));

    if (!name)
        return shell_fail(shell, "failed to get hostname");
    print_value(shell, "hostname", name);
    return true;
}

static bool
cmd_uri(Shell *shell, const Args *args)
{
    g_autofree char *uri = virConnectGetURI(shell_connection(shell));

    if (!uri)
        return shell_fail(shell, "failed to get URI");
    print_value(shell, "uri", uri);
    return true;
}

static bool
cmd_capabilities(Shell *shell, const Args *args)
{
    g_autofree char *xml = virConnectGetCapabilities(shell_connection(shell));

    if (!xml)
        return shell_fail(shell, "failed to get capabilities");
    print_document(shell, xml);
    return true;
}

static bool
cmd_domcapabilities(Shell *shell, const Args *args)
{
    g_autofree char *xml = virConnectGetDomainCapabilities(
        shell_connection(shell), args_text(args, "emulatorbin"), args_text(args, "arch"),
        args_text(args, "machine"), args_text(args, "virttype"), 0);

    if (!xml)
        return shell_fail(shell, "failed to get emulator capabilities");
    print_document(shell, xml);
    return true;
}

static const Option domcapabilities_options[] = {
    TEXT("virttype", "virtualization type, such as qemu or kvm"),
    TEXT("emulatorbin", "path of the emulator"),
    TEXT("arch", "guest architecture"),
    TEXT("machine", "machine type"),
    END_OF_OPTIONS,
};

static bool
cmd_nodeinfo(Shell *shell, const Args *args)
{
    g_autoptr(Fields) fields = fields_new(21);
    virNodeInfo info;

    if (virNodeGetInfo(shell_connection(shell), &info) < 0)
        return shell_fail(shell, "failed to get node information");
    fields_text(fields, "CPU model", "cpu_model", info.model);
    fields_number(fields, "CPU(s)", "cpus", info.cpus, NULL);
    fields_number(fields, "CPU frequency", "cpu_mhz", info.mhz, "MHz");
    fields_number(fields, "CPU socket(s)", "sockets", info.sockets, NULL);
    fields_number(fields, "Core(s) per socket", "cores_per_socket", info.cores, NULL);
    fields_number(fields, "Thread(s) per core", "threads_per_core", info.threads, NULL);
    fields_number(fields, "NUMA cell(s)", "numa_cells", info.nodes, NULL);
    fields_number(fields, "Memory size", "memory_kib", info.memory, "KiB");
    fields_print(shell, fields);
    return true;
}

typedef struct {
    unsigned long long user, system, idle, iowait, intr, utilization;
    bool has[6];
} CpuTimes;

static const struct {
    const char *field, *label;
    gsize offset;
} cpu_rows[] = {
    {VIR_NODE_CPU_STATS_USER, "user", G_STRUCT_OFFSET(CpuTimes, user)},
    {VIR_NODE_CPU_STATS_KERNEL, "system", G_STRUCT_OFFSET(CpuTimes, system)},
    {VIR_NODE_CPU_STATS_IDLE, "idle", G_STRUCT_OFFSET(CpuTimes, idle)},
    {VIR_NODE_CPU_STATS_IOWAIT, "iowait", G_STRUCT_OFFSET(CpuTimes, iowait)},
    {VIR_NODE_CPU_STATS_INTR, "intr", G_STRUCT_OFFSET(CpuTimes, intr)},
    {VIR_NODE_CPU_STATS_UTILIZATION, "usage", G_STRUCT_OFFSET(CpuTimes, utilization)},
};

static bool
get_cpu_times(Shell *shell, int cpu, CpuTimes *times)
{
    virConnectPtr conn = shell_connection(shell);
    g_autofree virNodeCPUStats *stats = NULL;
    int n = 0;

    if (virNodeGetCPUStats(conn, cpu, NULL, &n, 0) < 0)
        return shell_fail(shell, "Unable to get number of cpu stats");
    stats = g_new0(virNodeCPUStats, n);
    if (virNodeGetCPUStats(conn, cpu, stats, &n, 0) < 0)
        return shell_fail(shell, "Unable to get node cpu stats");
    for (int i = 0; i < n; i++) {
        for (gsize k = 0; k < G_N_ELEMENTS(cpu_rows); k++) {
            if (!g_str_equal(stats[i].field, cpu_rows[k].field))
                continue;
            G_STRUCT_MEMBER(unsigned long long, times, cpu_rows[k].offset) = stats[i].value;
            times->has[k] = true;
        }
    }
    return true;
}

/* Shares of the second that passes between two looks, unless the hypervisor measures them itself. */
static bool
show_cpu_percent(Shell *shell, int cpu, CpuTimes *first)
{
    g_autoptr(Fields) fields = fields_new(15);
    CpuTimes second = {0};
    const bool never = false;
    double total = 0;

    if (first->has[5]) {
        fields_printf(fields, "usage", "usage", "%5.1f%%", (double)first->utilization);
        fields_printf(fields, "idle", "idle", "%5.1f%%", 100.0 - first->utilization);
        fields_print(shell, fields);
        return true;
    }
    int timer = virEventAddTimeout(1000, shell_end_loop, NULL, NULL);
    bool alive = shell_run_loop(shell, &never);
    virEventRemoveTimeout(timer);
    if (!alive || !get_cpu_times(shell, cpu, &second))
        return false;
    for (gsize k = 0; k < 5; k++)
        total += G_STRUCT_MEMBER(unsigned long long, &second, cpu_rows[k].offset) -
                 G_STRUCT_MEMBER(unsigned long long, first, cpu_rows[k].offset);
    double idle = second.idle - first->idle;
    fields_printf(fields, "usage", "usage", "%5.1f%%", total > 0 ? 100 - idle * 100 / total : 0);
    for (gsize k = 0; k < 5; k++) {
        double part = G_STRUCT_MEMBER(unsigned long long, &second, cpu_rows[k].offset) -
                      G_STRUCT_MEMBER(unsigned long long, first, cpu_rows[k].offset);
        if (second.has[k])
            fields_printf(fields, cpu_rows[k].label, cpu_rows[k].label, "%5.1f%%",
                          total > 0 ? part * 100 / total : 0);
    }
    fields_print(shell, fields);
    return true;
}

static bool
cmd_nodecpustats(Shell *shell, const Args *args)
{
    g_autoptr(Fields) fields = fields_new(15);
    int cpu = VIR_NODE_CPU_STATS_ALL_CPUS;
    CpuTimes times = {0};

    if (!args_int(shell, args, "cpu", &cpu) || !get_cpu_times(shell, cpu, &times))
        return false;
    if (args_has(args, "percent"))
        return show_cpu_percent(shell, cpu, &times);
    for (gsize k = 0; k < 5; k++) {
        unsigned long long value = G_STRUCT_MEMBER(unsigned long long, &times, cpu_rows[k].offset);
        if (!times.has[k])
            continue;
        if (shell_wants_json(shell))
            fields_number(fields, cpu_rows[k].label, cpu_rows[k].label, value, NULL);
        else
            fields_printf(fields, cpu_rows[k].label, cpu_rows[k].label, "%20llu", value);
    }
    fields_print(shell, fields);
    return true;
}

static const Option nodecpustats_options[] = {
    NUMBER("cpu", "one CPU instead of the sum of all"),
    FLAG("percent", "shares of the next second instead of totals"),
    END_OF_OPTIONS,
};

static bool
cmd_nodememstats(Shell *shell, const Args *args)
{
    virConnectPtr conn = shell_connection(shell);
    g_autoptr(Fields) fields = fields_new(8);
    g_autofree virNodeMemoryStats *stats = NULL;
    int n = 0, cell = VIR_NODE_MEMORY_STATS_ALL_CELLS;

    if (!args_int(shell, args, "cell", &cell))
        return false;
    if (virNodeGetMemoryStats(conn, cell, NULL, &n, 0) < 0)
        return shell_fail(shell, "Unable to get number of memory stats");
    stats = g_new0(virNodeMemoryStats, n);
    if (virNodeGetMemoryStats(conn, cell, stats, &n, 0) < 0)
        return shell_fail(shell, "Unable to get memory stats");
    for (int i = 0; i < n; i++) {
        if (shell_wants_json(shell))
            fields_number(fields, stats[i].field, stats[i].field, stats[i].value, NULL);
        else
            fields_printf(fields, stats[i].field, stats[i].field, "%20llu KiB", stats[i].value);
    }
    fields_print(shell, fields);
    return true;
}

static const Option nodememstats_options[] = {
    NUMBER("cell", "one NUMA cell instead of the sum of all"),
    END_OF_OPTIONS,
};

/* The numbers of the NUMA cells, out of the capabilities. Empty: none are listed there. */
static GArray *
list_cells(Shell *shell)
{
    g_autofree char *xml = virConnectGetCapabilities(shell_connection(shell));
    g_autoptr(XmlNode) root = xml ? xml_parse(xml) : NULL;
    XmlNode *cells = xml_child(xml_child(xml_child(root, "host"), "topology"), "cells");
    GArray *list = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint i = 0; cells && i < cells->children->len; i++) {
        const char *id = xml_get(cells->children->pdata[i], "id");
        int number = id ? atoi(id) : 0;
        if (id)
            g_array_append_val(list, number);
    }
    return list;
}

static bool
show_all_cells(Shell *shell)
{
    g_autoptr(GArray) cells = list_cells(shell);
    g_autoptr(GString) json = g_string_new("{\"cells\":[");
    unsigned long long bytes, total = 0;

    if (!cells->len)
        return shell_fail(shell, "NUMA not supported");
    for (guint i = 0; i < cells->len; i++) {
        int cell = g_array_index(cells, int, i);
        if (virNodeGetCellsFreeMemory(shell_connection(shell), &bytes, cell, 1) != 1)
            return shell_fail(shell, "failed to get free memory for NUMA node number: %d", cell);
        total += bytes / 1024;
        if (!shell_wants_json(shell))
            shell_print(shell, "%5d: %10llu KiB\n", cell, bytes / 1024);
        g_string_append_printf(json, "%s{\"cell\":%d,\"free_kib\":%llu}", i ? "," : "", cell,
                               bytes / 1024);
    }
    if (shell_wants_json(shell))
        shell_print(shell, "%s],\"free_kib\":%llu}\n", json->str, total);
    else
        shell_note(shell, "--------------------\n%5s: %10llu KiB\n", "Total", total);
    return true;
}

static bool
cmd_freecell(Shell *shell, const Args *args)
{
    virConnectPtr conn = shell_connection(shell);
    unsigned long long bytes = 0;
    int cell = -1;

    if (!args_int(shell, args, "cellno", &cell) || !args_exclude(shell, args, "all", "cellno"))
        return false;
    if (args_has(args, "all"))
        return show_all_cells(shell);
    if (cell >= 0) {
        if (virNodeGetCellsFreeMemory(conn, &bytes, cell, 1) != 1)
            return shell_fail(shell, "failed to get free memory of cell %d", cell);
    } else {
        bytes = virNodeGetFreeMemory(conn);
        if (!bytes)
            return shell_fail(shell, "failed to get free memory");
    }
    if (shell_wants_json(shell))
        shell_print(shell, "{\"free_kib\":%llu}\n", bytes / 1024);
    else if (cell >= 0)
        shell_print(shell, "%d: %llu KiB\n", cell, bytes / 1024);
    else
        shell_print(shell, "Total: %llu KiB\n", bytes / 1024);
    return true;
}

static const Option freecell_options[] = {
    NUMBER("cellno", "one NUMA cell instead of the whole host"),
    FLAG("all", "each NUMA cell and the sum"),
    END_OF_OPTIONS,
};

/* What the domain capabilities say counts; hypervisors without those have a call of their own. */
static bool
cmd_maxvcpus(Shell *shell, const Args *args)
{
    virConnectPtr conn = shell_connection(shell);
    const char *type = args_text(args, "type");
    g_autofree char *xml = virConnectGetDomainCapabilities(conn, NULL, NULL, NULL, type, 0);
    g_autoptr(XmlNode) root = xml ? xml_parse(xml) : NULL;
    const char *max = xml_get(xml_child(root, "vcpu"), "max");
    int n = max ? atoi(max) : -1;

    shell_forget_error();
    if (n < 0)
        n = virConnectGetMaxVcpus(conn, type);
    if (n < 0)
        return false;
    print_number(shell, "max_vcpus", n);
    return true;
}

static const Option maxvcpus_options[] = {
    TEXT("type", "domain type, such as kvm"),
    END_OF_OPTIONS,
};

static bool
cmd_cpu_models(Shell *shell, const Args *args)
{
    char **models = NULL;
    int n =
        virConnectGetCPUModelNames(shell_connection(shell), args_text(args, "arch"), &models, 0);
    static const char *const headings[] = {"Model", NULL}, *const keys[] = {"model", NULL};
    g_autoptr(Table) table = table_new(headings, keys);

    if (n < 0)
        return shell_fail(shell, "failed to get CPU model names");
    for (int i = 0; i < n; i++) {
        if (shell_wants_json(shell))
            table_text(table, models[i]);
        else
            shell_print(shell, "%s\n", models[i]);
        free(models[i]);
    }
    free(models);
    if (shell_wants_json(shell))
        table_print(shell, table);
    return true;
}

static const Option cpu_models_options[] = {
    REQUIRED("arch", "architecture, such as x86_64"),
    END_OF_OPTIONS,
};

static bool
cmd_nodecpumap(Shell *shell, const Args *args)
{
    unsigned char *map = NULL;
    unsigned int online = 0;
    int present = virNodeGetCPUMap(shell_connection(shell), &map, &online, 0);
    g_autoptr(Fields) fields = fields_new(16);
    g_autoptr(GString) text = g_string_new(NULL);

    if (present < 0)
        return shell_fail(shell, "Unable to get cpu map");
    for (int cpu = 0; cpu < present; cpu++)
        g_string_append_c(text, VIR_CPU_USED(map, cpu) ? 'y' : '-');
    if (args_has(args, "pretty")) {
        g_autofree char *list = cpus_format(map, present);
        g_string_assign(text, list);
    }
    free(map);
    fields_number(fields, "CPUs present", "present", present, NULL);
    fields_number(fields, "CPUs online", "online", online, NULL);
    fields_text(fields, "CPU map", "map", text->str);
    fields_print(shell, fields);
    return true;
}

static const Option nodecpumap_options[] = {
    FLAG("pretty", "print the map as a list"),
    END_OF_OPTIONS,
};

const Command host_commands[] = {
    {"capabilities", cmd_capabilities, NULL, "what the host and its hypervisor can do, as XML",
     COMMAND_JSON, NULL},
    {"cpu-models", cmd_cpu_models, cpu_models_options, "CPU models of an architecture",
     COMMAND_JSON, NULL},
    {"domcapabilities", cmd_domcapabilities, domcapabilities_options,
     "what guests of a kind can have, as XML", COMMAND_JSON, NULL},
    {"freecell", cmd_freecell, freecell_options, "free memory of the host or of a NUMA cell",
     COMMAND_JSON, NULL},
    {"hostname", cmd_hostname, NULL, "name of the hypervisor's host", COMMAND_JSON, NULL},
    {"maxvcpus", cmd_maxvcpus, maxvcpus_options, "most vCPUs a guest can have", COMMAND_JSON, NULL},
    {"nodecpumap", cmd_nodecpumap, nodecpumap_options, "which CPUs of the host are online",
     COMMAND_JSON, NULL},
    {"nodecpustats", cmd_nodecpustats, nodecpustats_options, "CPU time of the host in nanoseconds",
     COMMAND_JSON, NULL},
    {"nodeinfo", cmd_nodeinfo, NULL, "CPUs and memory of the host", COMMAND_JSON, NULL},
    {"nodememstats", cmd_nodememstats, nodememstats_options, "memory use of the host", COMMAND_JSON,
     NULL},
    {"uri", cmd_uri, NULL, "URI of the present connection", COMMAND_JSON, NULL},
    {"version", cmd_version, version_options, "versions of library, hypervisor and daemon",
     COMMAND_JSON, NULL},
    {0},
};
