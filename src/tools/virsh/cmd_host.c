/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands about the host and its hypervisor. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

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
    print_xml(shell, xml);
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
    print_xml(shell, xml);
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

static bool
cmd_nodecpustats(Shell *shell, const Args *args)
{
    virConnectPtr conn = shell_connection(shell);
    g_autoptr(Fields) fields = fields_new(10);
    g_autofree virNodeCPUStats *stats = NULL;
    int n = 0, cpu = VIR_NODE_CPU_STATS_ALL_CPUS;

    if (!args_int(shell, args, "cpu", &cpu))
        return false;
    if (virNodeGetCPUStats(conn, cpu, NULL, &n, 0) < 0)
        return shell_fail(shell, "Unable to get number of cpu stats");
    stats = g_new0(virNodeCPUStats, n);
    if (virNodeGetCPUStats(conn, cpu, stats, &n, 0) < 0)
        return shell_fail(shell, "Unable to get node cpu stats");
    for (int i = 0; i < n; i++) {
        if (shell_wants_json(shell))
            fields_number(fields, stats[i].field, stats[i].field, stats[i].value, NULL);
        else
            fields_printf(fields, stats[i].field, stats[i].field, "%20llu", stats[i].value);
    }
    fields_print(shell, fields);
    return true;
}

static const Option nodecpustats_options[] = {
    NUMBER("cpu", "one CPU instead of the sum of all"),
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

static bool
cmd_freecell(Shell *shell, const Args *args)
{
    virConnectPtr conn = shell_connection(shell);
    unsigned long long bytes = 0;
    int cell = -1;

    if (!args_int(shell, args, "cellno", &cell))
        return false;
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
    END_OF_OPTIONS,
};

static bool
cmd_maxvcpus(Shell *shell, const Args *args)
{
    int n = virConnectGetMaxVcpus(shell_connection(shell), args_text(args, "type"));

    if (n < 0)
        return shell_fail(shell, "failed to get the most vCPUs a guest can have");
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
    free(map);
    fields_number(fields, "CPUs present", "present", present, NULL);
    fields_number(fields, "CPUs online", "online", online, NULL);
    fields_text(fields, "CPU map", "map", text->str);
    fields_print(shell, fields);
    return true;
}

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
    {"nodecpumap", cmd_nodecpumap, NULL, "which CPUs of the host are online", COMMAND_JSON, NULL},
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
