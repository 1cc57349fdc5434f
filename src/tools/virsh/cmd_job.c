/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh domjobinfo: how far the job on a domain has come. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

typedef enum {
    SHOW_NUMBER,
    SHOW_MS,
    SHOW_NS,
    SHOW_BYTES,
    SHOW_BYTES_S,
    SHOW_MIB_S,
    SHOW_PAGES,
    SHOW_NUMBER_OF_BYTES
} Show;

/* What people call the values, in the order they are shown. */
static const struct {
    const char *field, *label;
    Show show;
} rows[] = {
    {VIR_DOMAIN_JOB_TIME_ELAPSED, "Time elapsed", SHOW_MS},
    {VIR_DOMAIN_JOB_TIME_ELAPSED_NET, "Time elapsed w/o network", SHOW_MS},
    {VIR_DOMAIN_JOB_TIME_REMAINING, "Time remaining", SHOW_MS},
    {VIR_DOMAIN_JOB_DATA_PROCESSED, "Data processed", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DATA_REMAINING, "Data remaining", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DATA_TOTAL, "Data total", SHOW_BYTES},
    {VIR_DOMAIN_JOB_MEMORY_PROCESSED, "Memory processed", SHOW_BYTES},
    {VIR_DOMAIN_JOB_MEMORY_REMAINING, "Memory remaining", SHOW_BYTES},
    {VIR_DOMAIN_JOB_MEMORY_TOTAL, "Memory total", SHOW_BYTES},
    {VIR_DOMAIN_JOB_MEMORY_BPS, "Memory bandwidth", SHOW_BYTES_S},
    {VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, "Dirty rate", SHOW_PAGES},
    {VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, "Page size", SHOW_NUMBER_OF_BYTES},
    {VIR_DOMAIN_JOB_MEMORY_ITERATION, "Iteration", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS, "Postcopy requests", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_DISK_PROCESSED, "File processed", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DISK_REMAINING, "File remaining", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DISK_TOTAL, "File total", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DISK_BPS, "File bandwidth", SHOW_BYTES_S},
    {VIR_DOMAIN_JOB_MEMORY_CONSTANT, "Constant pages", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_MEMORY_NORMAL, "Normal pages", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, "Normal data", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DOWNTIME, "Expected downtime", SHOW_MS},
    {VIR_DOMAIN_JOB_DOWNTIME_NET, "Downtime w/o network", SHOW_MS},
    {VIR_DOMAIN_JOB_SETUP_TIME, "Setup time", SHOW_MS},
    {VIR_DOMAIN_JOB_COMPRESSION_CACHE, "Compression cache", SHOW_BYTES},
    {VIR_DOMAIN_JOB_COMPRESSION_BYTES, "Compressed data", SHOW_BYTES},
    {VIR_DOMAIN_JOB_COMPRESSION_PAGES, "Compressed pages", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES, "Compression cache misses", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW, "Compression overflows", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, "Auto converge throttle", SHOW_NUMBER},
    {VIR_DOMAIN_JOB_DISK_TEMP_USED, "Temporary disk space use", SHOW_BYTES},
    {VIR_DOMAIN_JOB_DISK_TEMP_TOTAL, "Temporary disk space total", SHOW_BYTES},
};

static const char *const types[] = {"None",      "Bounded", "Unbounded",
                                    "Completed", "Failed",  "Cancelled"};
static const char *const operations[] = {
    "Unknown",  "Start",           "Save", "Restore", "Incoming migration", "Outgoing migration",
    "Snapshot", "Snapshot revert", "Dump", "Backup",  "Snapshot delete"};

static char *
shown_value(unsigned long long value, Show show)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double scaled = value;
    gsize unit = 0;

    switch (show) {
    case SHOW_MS:
        return g_strdup_printf("%-12llu ms", value);
    case SHOW_PAGES:
        return g_strdup_printf("%-12llu pages/s", value);
    case SHOW_BYTES:
    case SHOW_BYTES_S:
        for (; scaled >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
            scaled /= 1024;
        return g_strdup_printf("%.3lf %s%s", scaled, units[unit], show == SHOW_BYTES_S ? "/s" : "");
    case SHOW_NUMBER_OF_BYTES:
        return g_strdup_printf("%-12llu bytes", value);
    default:
        return g_strdup_printf("%-12llu", value);
    }
}

static void
print_line(Shell *shell, const char *label, const char *text)
{
    g_autofree char *head = g_strdup_printf("%s:", label);

    shell_print(shell, "%-17s %s\n", head, text);
}

static void
print_for_people(Shell *shell, bool raw, int type, virTypedParameterPtr params, int n)
{
    int operation = 0;

    shell_print(shell, "%-17s %-12s\n", "Job type:",
                type >= 0 && type < (int)G_N_ELEMENTS(types) ? types[type] : "unknown");
    if (type == VIR_DOMAIN_JOB_NONE)
        return;
    virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
    g_autofree char *word = g_strdup_printf(
        "%-12s", operation >= 0 && operation < (int)G_N_ELEMENTS(operations) ? operations[operation]
                                                                             : "unknown");
    print_line(shell, "Operation", word);
    for (gsize i = 0; i < G_N_ELEMENTS(rows) && !raw; i++) {
        virTypedParameterPtr param = virTypedParamsGet(params, n, rows[i].field);
        if (!param)
            continue;
        unsigned long long value =
            param->type == VIR_TYPED_PARAM_ULLONG ? param->value.ul : param->value.ui;
        g_autofree char *text = shown_value(value, rows[i].show);
        bool is_over =
            type == VIR_DOMAIN_JOB_COMPLETED && g_str_equal(rows[i].field, VIR_DOMAIN_JOB_DOWNTIME);
        print_line(shell, is_over ? "Total downtime" : rows[i].label, text);
    }
    const char *why = NULL;
    if (virTypedParamsGetString(params, n, VIR_DOMAIN_JOB_ERRMSG, &why) > 0 && !raw)
        print_line(shell, "Error message", why);
    for (int i = 0; i < n && raw; i++) {
        g_autofree char *text = param_text(&params[i]);
        print_line(shell, params[i].field, text);
    }
}

static bool
cmd_domjobinfo(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"completed", VIR_DOMAIN_JOB_STATS_COMPLETED},
        {"keep-completed", VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    bool raw = args_has(args, "rawstats"), any = args_has(args, "anystats") || raw;
    virTypedParameterPtr params = NULL;
    int n = 0, type = 0;

    if (!domain || virDomainGetJobStats(domain, &type, &params, &n, ARGS_BITS(args, bits)) < 0)
        return false;
    if (shell_wants_json(shell)) {
        g_autoptr(GString) out = g_string_new(NULL);
        json_append_params(out, params, n);
        shell_print(shell, "{\"type\":\"%s\",\"stats\":%s}\n",
                    type >= 0 && type < (int)G_N_ELEMENTS(types) ? types[type] : "unknown",
                    out->str);
    } else if (any || type == VIR_DOMAIN_JOB_NONE || n) {
        print_for_people(shell, raw, type, params, n);
    }
    virTypedParamsFree(params, n);
    return true;
}

static const Option domjobinfo_options[] = {
    DOMAIN,
    FLAG("completed", "of the last job that ended"),
    FLAG("keep-completed", "the same, and it can be asked again"),
    FLAG("anystats", "also of jobs that failed"),
    FLAG("rawstats", "every value, as the hypervisor names it"),
    END_OF_OPTIONS,
};

const Command job_commands[] = {
    {"domjobinfo", cmd_domjobinfo, domjobinfo_options, "progress of the job on a domain",
     COMMAND_JSON, NULL, NULL},
    {0},
};
