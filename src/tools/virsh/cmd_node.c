/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host beneath: huge pages, memory sharing, sleep, SMBIOS; and CPUs of several hosts compared. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

/* ---- pages ---- */

/* Page sizes in KiB that the host has for @cell (-1: any), out of the capabilities. */
static GArray *
list_page_sizes(XmlNode *capabilities, int cell)
{
    XmlNode *host = xml_child(capabilities, "host");
    XmlNode *cells = xml_child(xml_child(host, "topology"), "cells");
    GArray *sizes = g_array_new(FALSE, FALSE, sizeof(unsigned int));
    XmlNode *from = xml_child(host, "cpu");

    for (guint i = 0; cells && cell >= 0 && i < cells->children->len; i++) {
        const char *id = xml_get(cells->children->pdata[i], "id");
        if (id && atoi(id) == cell)
            from = cells->children->pdata[i];
    }
    for (guint i = 0; from && i < from->children->len; i++) {
        XmlNode *pages = from->children->pdata[i];
        const char *size = xml_get(pages, "size");
        unsigned int kib = size ? strtoul(size, NULL, 10) : 0;
        if (g_str_equal(pages->name, "pages") && kib)
            g_array_append_val(sizes, kib);
    }
    return sizes;
}

static XmlNode *
capabilities_tree(Shell *shell)
{
    g_autofree char *xml = virConnectGetCapabilities(shell_connection(shell));

    return xml ? xml_parse(xml) : NULL;
}

static bool
add_free_pages(Shell *shell, Table *table, int cell, GArray *sizes)
{
    g_autofree unsigned long long *counts = g_new0(unsigned long long, sizes->len + 1);

    if (virNodeGetFreePages(shell_connection(shell), sizes->len, (unsigned int *)sizes->data, cell,
                            1, counts, 0) < 0)
        return false;
    for (guint i = 0; i < sizes->len; i++) {
        table_number(table, cell);
        table_number(table, g_array_index(sizes, unsigned int, i));
        table_number(table, counts[i]);
        if (!shell_wants_json(shell))
            shell_print(shell, "%uKiB: %llu\n", g_array_index(sizes, unsigned int, i), counts[i]);
    }
    return true;
}

static bool
free_pages_everywhere(Shell *shell, const Args *args, Table *table, unsigned int kib)
{
    g_autoptr(XmlNode) capabilities = capabilities_tree(shell);
    XmlNode *cells = xml_child(xml_child(xml_child(capabilities, "host"), "topology"), "cells");

    if (!capabilities)
        return shell_fail(shell, "unable to get node capabilities");
    for (guint i = 0; cells && i < cells->children->len; i++) {
        const char *id = xml_get(cells->children->pdata[i], "id");
        int cell = id ? atoi(id) : 0;
        g_autoptr(GArray) sizes = list_page_sizes(capabilities, cell);
        if (!id)
            continue;
        if (kib) {
            g_array_set_size(sizes, 0);
            g_array_append_val(sizes, kib);
        }
        if (!shell_wants_json(shell))
            shell_print(shell, "%sNode %d:\n", i ? "\n" : "", cell);
        if (!add_free_pages(shell, table, cell, sizes))
            return false;
    }
    return true;
}

static bool
cmd_freepages(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"", "", "", NULL};
    static const char *const keys[] = {"cell", "page_kib", "free", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    unsigned long long kib = 0;
    int cell = -1;

    if (!args_exclude(shell, args, "all", "cellno") || !args_int(shell, args, "cellno", &cell) ||
        !args_kib(shell, args, "pagesize", &kib))
        return false;
    if (args_has(args, "all")) {
        if (!free_pages_everywhere(shell, args, table, kib))
            return false;
    } else {
        g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(unsigned int));
        unsigned int size = kib;
        if (!args_has(args, "cellno"))
            return shell_fail(shell, "missing cellno argument");
        if (!kib)
            return shell_fail(shell, "missing pagesize argument");
        g_array_append_val(sizes, size);
        if (!add_free_pages(shell, table, cell, sizes))
            return false;
    }
    if (shell_wants_json(shell))
        table_print(shell, table);
    return true;
}

static const Option freepages_options[] = {
    NUMBER("cellno", "one NUMA cell"),
    NUMBER("pagesize", "one size of pages, KiB or with a unit"),
    FLAG("all", "all NUMA cells"),
    END_OF_OPTIONS,
};

static bool
cmd_allocpages(Shell *shell, const Args *args)
{
    unsigned int flags =
        args_has(args, "add") ? VIR_NODE_ALLOC_PAGES_ADD : VIR_NODE_ALLOC_PAGES_SET;
    unsigned long long kib = 0, count = 0;
    int start = -1;
    unsigned int cells = 1;

    if (!args_exclude(shell, args, "all", "cellno") || !args_int(shell, args, "cellno", &start) ||
        !args_kib(shell, args, "pagesize", &kib) || !args_ullong(shell, args, "pagecount", &count))
        return false;
    if (args_has(args, "all")) {
        g_autoptr(XmlNode) capabilities = capabilities_tree(shell);
        XmlNode *list = xml_child(xml_child(xml_child(capabilities, "host"), "topology"), "cells");
        if (!list)
            return shell_fail(shell, "unable to get node capabilities");
        start = 0;
        cells = list->children->len;
    }
    unsigned int size = kib;
    return virNodeAllocPages(shell_connection(shell), 1, &size, &count, start, cells, flags) >= 0;
}

static const Option allocpages_options[] = {
    REQUIRED_NUMBER("pagesize", "size of the pages, KiB or with a unit"),
    REQUIRED_NUMBER("pagecount", "how many"),
    NUMBER("cellno", "on one NUMA cell"),
    FLAG("add", "as many more, instead of so many"),
    FLAG("all", "on all NUMA cells"),
    END_OF_OPTIONS,
};

/* ---- memory sharing, sleep ---- */

static bool
cmd_memory_tune(Shell *shell, const Args *args)
{
    static const char *const settings[][2] = {
        {"shm-pages-to-scan", VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN},
        {"shm-sleep-millisecs", VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS},
        {"shm-merge-across-nodes", VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES},
    };
    virConnectPtr conn = shell_connection(shell);
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    bool good = true;

    for (gsize i = 0; i < G_N_ELEMENTS(settings) && good; i++) {
        unsigned int value = 0;
        good = args_uint(shell, args, settings[i][0], &value);
        if (good && args_has(args, settings[i][0]))
            good = virTypedParamsAddUInt(&params, &n, &room, settings[i][1], value) >= 0;
    }
    if (good && n) {
        if (virNodeSetMemoryParameters(conn, params, n, 0) < 0)
            good = shell_fail(shell, "Unable to change memory parameters");
    } else if (good) {
        good = virNodeGetMemoryParameters(conn, NULL, &n, 0) >= 0;
        params = n > 0 ? calloc(n, sizeof *params) : NULL;
        good = good && (!n || virNodeGetMemoryParameters(conn, params, &n, 0) >= 0);
        if (!good)
            shell_fail(shell, "Unable to get memory parameters");
        else if (shell_wants_json(shell))
            params_print(shell, params, n, NULL);
        else
            shell_print(shell, "Shared memory:\n");
        for (int i = 0; good && i < n && !shell_wants_json(shell); i++) {
            g_autofree char *text = param_text(&params[i]);
            const char *name = params[i].field;
            shell_print(shell, "\t%-15s %s\n", g_str_has_prefix(name, "shm_") ? name + 4 : name,
                        text);
        }
    }
    virTypedParamsFree(params, n);
    return good;
}

static const Option memory_tune_options[] = {
    NUMBER("shm-pages-to-scan", "pages to look at before the service sleeps"),
    NUMBER("shm-sleep-millisecs", "how long it sleeps"),
    NUMBER("shm-merge-across-nodes", "whether pages of different NUMA cells are merged: 0 or 1"),
    END_OF_OPTIONS,
};

static bool
cmd_suspend(Shell *shell, const Args *args)
{
    static const char *const targets[] = {"mem", "disk", "hybrid", NULL};
    long long seconds = 0;
    int target = 0;

    if (!args_word(shell, args, "target", targets, &target) ||
        !args_llong(shell, args, "duration", &seconds))
        return false;
    if (seconds < 0)
        return shell_fail(shell, "Invalid duration");
    if (virNodeSuspendForDuration(shell_connection(shell), target, seconds, 0) < 0)
        return shell_fail(shell, "The host was not suspended");
    return true;
}

static const Option suspend_options[] = {
    REQUIRED_CHOICE("target", "mem,disk,hybrid", "how deep it sleeps"),
    REQUIRED_NUMBER("duration", "wake up after so many seconds"),
    END_OF_OPTIONS,
};

static bool
cmd_sysinfo(Shell *shell, const Args *args)
{
    g_autofree char *xml = virConnectGetSysinfo(shell_connection(shell), 0);

    if (!xml)
        return shell_fail(shell, "failed to get sysinfo");
    print_document(shell, xml);
    return true;
}

static bool
cmd_sev_info(Shell *shell, const Args *args)
{
    virTypedParameterPtr params = NULL;
    int n = 0;

    if (virNodeGetSEVInfo(shell_connection(shell), &params, &n, 0) < 0)
        return shell_fail(shell, "Unable to get host SEV information");
    params_print(shell, params, n, "%-18s: %s\n");
    virTypedParamsFree(params, n);
    return true;
}

/* ---- CPUs ---- */

/* The <cpu> elements in a file: alone, or inside a domain, capabilities, or domain capabilities. */
static void
collect_cpus(XmlNode *node, GPtrArray *cpus)
{
    bool host_model =
        g_str_equal(node->name, "mode") && g_strcmp0(xml_get(node, "name"), "host-model") == 0;

    if ((g_str_equal(node->name, "cpu") && !xml_child(node, "mode")) || host_model) {
        g_autoptr(GString) xml = g_string_new(NULL);

        /* The host model is a CPU under another name. */
        g_free(node->name);
        node->name = g_strdup("cpu");
        if (host_model) {
            g_strfreev(node->attributes);
            node->attributes = g_new0(char *, 1);
        }
        xml_append(xml, node);
        g_ptr_array_add(cpus, g_string_free(g_steal_pointer(&xml), FALSE));
        return;
    }
    for (guint i = 0; i < node->children->len; i++)
        collect_cpus(node->children->pdata[i], cpus);
}

/* At least one, with a NULL at the end; NULL after saying why. */
static GPtrArray *
args_cpus(Shell *shell, const Args *args)
{
    g_autofree char *text = args_file(shell, args, "file"), *all = NULL;
    g_autoptr(XmlNode) root = NULL;
    g_autoptr(GPtrArray) cpus = g_ptr_array_new_with_free_func(g_free);

    if (!text)
        return NULL;
    /* The file may hold several documents one after the other. */
    const char *body =
        g_str_has_prefix(text, "<?xml") && strstr(text, "?>") ? strstr(text, "?>") + 2 : text;
    all = g_strdup_printf("<all>%s</all>", body);
    root = xml_parse(all);
    if (root)
        collect_cpus(root, cpus);
    if (!cpus->len) {
        shell_fail(shell,
                   "File '%s' does not contain any <cpu> element or valid domain XML, host "
                   "capabilities XML, or domain capabilities XML",
                   args_text(args, "file"));
        return NULL;
    }
    g_ptr_array_add(cpus, NULL);
    return g_steal_pointer(&cpus);
}

static unsigned int
baseline_flags(const Args *args)
{
    static const FlagBit bits[] = {
        {"features", VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES},
        {"migratable", VIR_CONNECT_BASELINE_CPU_MIGRATABLE},
    };

    return ARGS_BITS(args, bits);
}

static bool
cmd_cpu_baseline(Shell *shell, const Args *args)
{
    g_autoptr(GPtrArray) cpus = args_cpus(shell, args);
    g_autofree char *xml =
        cpus ? virConnectBaselineCPU(shell_connection(shell), (const char **)cpus->pdata,
                                     cpus->len - 1, baseline_flags(args))
             : NULL;

    if (xml)
        print_xml(shell, xml);
    return xml != NULL;
}

static bool
cmd_hypervisor_baseline(Shell *shell, const Args *args)
{
    g_autoptr(GPtrArray) cpus = NULL;
    g_autofree char *xml = NULL;

    if (!args_exclude(shell, args, "file", "model"))
        return false;
    if (args_has(args, "model")) {
        GString *cpu = g_string_new("<cpu>");
        xml_append_element(cpu, "", "model", args_text(args, "model"));
        g_string_append(cpu, "</cpu>");
        cpus = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(cpus, g_string_free(cpu, FALSE));
        g_ptr_array_add(cpus, NULL);
    } else if (args_has(args, "file")) {
        cpus = args_cpus(shell, args);
    } else {
        return shell_fail(shell, "Either --file or --model must be provided");
    }
    xml = cpus ? virConnectBaselineHypervisorCPU(
                     shell_connection(shell), args_text(args, "emulator"), args_text(args, "arch"),
                     args_text(args, "machine"), args_text(args, "virttype"),
                     (const char **)cpus->pdata, cpus->len - 1, baseline_flags(args))
               : NULL;
    if (xml)
        print_xml(shell, xml);
    return xml != NULL;
}

static bool
cmd_compare(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"error", VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE},
        {"validate", VIR_CONNECT_COMPARE_CPU_VALIDATE_XML},
    };
    bool hypervisor = g_str_equal(args_command(args), "hypervisor-cpu-compare");
    const char *file = args_text(args, "file");
    const char *whose = hypervisor ? "the CPU provided by hypervisor on the host" : "host CPU";
    virConnectPtr conn = shell_connection(shell);
    g_autoptr(GPtrArray) cpus = args_cpus(shell, args);

    if (!cpus)
        return false;
    int answer = hypervisor ? virConnectCompareHypervisorCPU(
                                  conn, args_text(args, "emulator"), args_text(args, "arch"),
                                  args_text(args, "machine"), args_text(args, "virttype"),
                                  cpus->pdata[0], ARGS_BITS(args, bits))
                            : virConnectCompareCPU(conn, cpus->pdata[0], ARGS_BITS(args, bits));
    if (answer != VIR_CPU_COMPARE_INCOMPATIBLE && answer != VIR_CPU_COMPARE_IDENTICAL &&
        answer != VIR_CPU_COMPARE_SUPERSET)
        return shell_fail(shell, "Failed to compare %s with %s", whose, file);
    if (shell_wants_json(shell)) {
        static const char *const words[] = {"incompatible", "identical", "superset"};
        print_value(shell, "result", words[answer]);
    } else if (answer == VIR_CPU_COMPARE_SUPERSET) {
        shell_print(shell, "%s is a superset of CPU described in %s\n",
                    hypervisor ? "The CPU provided by hypervisor on the host" : "Host CPU", file);
    } else {
        shell_print(shell, "CPU described in %s is %s %s\n", file,
                    answer == VIR_CPU_COMPARE_IDENTICAL ? "identical to" : "incompatible with",
                    whose);
    }
    return answer != VIR_CPU_COMPARE_INCOMPATIBLE;
}

#define EMULATOR                                                                            \
    TEXT("virttype", "virtualization type: kvm"), TEXT("emulator", "path of the emulator"), \
        TEXT("arch", "architecture"), TEXT("machine", "machine type")
#define BASELINE                                            \
    FLAG("features", "list the features of the model too"), \
        FLAG("migratable", "leave out features that cannot migrate")
#define COMPARE                                                                               \
    FLAG("error", "fail when they do not fit"), FLAG("validate", "check the XML against the " \
                                                                 "schema")

static const Option cpu_baseline_options[] = {
    FILE_ARGUMENT("file with CPUs, domains or capabilities"),
    BASELINE,
    END_OF_OPTIONS,
};

static const Option hypervisor_baseline_options[] = {
    TEXT_OF("file", NULL, "file with CPUs, domains or capabilities"),
    EMULATOR,
    BASELINE,
    TEXT("model", "name of a model instead of a file"),
    END_OF_OPTIONS,
};

static const Option cpu_compare_options[] = {
    FILE_ARGUMENT("file with the CPU"),
    COMPARE,
    END_OF_OPTIONS,
};

static const Option hypervisor_compare_options[] = {
    FILE_ARGUMENT("file with the CPU"),
    EMULATOR,
    COMPARE,
    END_OF_OPTIONS,
};

const Command node_commands[] = {
    {"allocpages", cmd_allocpages, allocpages_options, "set how many huge pages the host has", 0,
     NULL, NULL},
    {"cpu-baseline", cmd_cpu_baseline, cpu_baseline_options, "a CPU that all given hosts have",
     COMMAND_JSON, NULL, NULL},
    {"cpu-compare", cmd_compare, cpu_compare_options, "compare a CPU with the host's", COMMAND_JSON,
     NULL, NULL},
    {"freepages", cmd_freepages, freepages_options, "free huge pages of the host", COMMAND_JSON,
     NULL, NULL},
    {"hypervisor-cpu-baseline", cmd_hypervisor_baseline, hypervisor_baseline_options,
     "a CPU that the hypervisor can give on all given hosts", COMMAND_JSON, NULL, NULL},
    {"hypervisor-cpu-compare", cmd_compare, hypervisor_compare_options,
     "compare a CPU with what the hypervisor can give", COMMAND_JSON, NULL, NULL},
    {"node-memory-tune", cmd_memory_tune, memory_tune_options,
     "show or set how memory is shared between guests", COMMAND_JSON, NULL, NULL},
    {"nodesevinfo", cmd_sev_info, NULL, "AMD SEV of the host", COMMAND_JSON, NULL, NULL},
    {"nodesuspend", cmd_suspend, suspend_options, "let the host sleep for a time", 0, NULL, NULL},
    {"sysinfo", cmd_sysinfo, NULL, "SMBIOS of the host, as XML", COMMAND_JSON, NULL, NULL},
    {0},
};
