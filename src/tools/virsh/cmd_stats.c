/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and statistics of domains. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/names.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

/* ---- devices ---- */

static XmlNode *
domain_devices(Shell *shell, const Args *args, XmlNode **root)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *xml =
        domain
            ? virDomainGetXMLDesc(domain, args_has(args, "inactive") ? VIR_DOMAIN_XML_INACTIVE : 0)
            : NULL;

    *root = xml ? xml_parse(xml) : NULL;
    return xml_child(*root, "devices");
}

static bool
cmd_domblklist(Shell *shell, const Args *args)
{
    static const char *const plain[] = {"Target", "Source", NULL};
    static const char *const plain_keys[] = {"target", "source", NULL};
    static const char *const full[] = {"Type", "Device", "Target", "Source", NULL};
    static const char *const full_keys[] = {"type", "device", "target", "source", NULL};
    bool json = shell_wants_json(shell), details = args_has(args, "details") || json;
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(shell, args, &root);
    g_autoptr(Table) table = table_new(details ? full : plain, details ? full_keys : plain_keys);

    if (!root)
        return false;
    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *disk = devices->children->pdata[i];
        if (!g_str_equal(disk->name, "disk"))
            continue;
        g_autofree char *source = xml_disk_source(disk);
        const char *device = xml_get(disk, "device");
        if (details) {
            table_text(table, xml_get(disk, "type"));
            table_text(table, device ? device : "disk");
        }
        table_text(table, xml_get(xml_child(disk, "target"), "dev"));
        table_text(table, source || json ? source : "-");
    }
    table_print(shell, table);
    return true;
}

static const Option domblklist_options[] = {
    DOMAIN,
    FLAG("inactive", "of the next start"),
    FLAG("details", "also type and device"),
    END_OF_OPTIONS,
};

static bool
cmd_domiflist(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Interface", "Type", "Source", "Model", "MAC", NULL};
    static const char *const keys[] = {"interface", "type", "source", "model", "mac", NULL};
    static const char *const places[] = {"network", "bridge", "dev", "dev", "path", "name", NULL};
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(shell, args, &root);
    g_autoptr(Table) table = table_new(headings, keys);
    const char *none = shell_wants_json(shell) ? NULL : "-";

    if (!root)
        return false;
    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *nic = devices->children->pdata[i];
        const char *source = NULL;
        if (!g_str_equal(nic->name, "interface"))
            continue;
        for (gsize p = 0; places[p] && !source; p++)
            source = xml_get(xml_child(nic, "source"), places[p]);
        const char *name = xml_get(xml_child(nic, "target"), "dev");
        const char *model = xml_get(xml_child(nic, "model"), "type");
        const char *mac = xml_get(xml_child(nic, "mac"), "address");
        table_text(table, name ? name : none);
        table_text(table, xml_get(nic, "type"));
        table_text(table, source ? source : none);
        table_text(table, model ? model : none);
        table_text(table, mac ? mac : none);
    }
    table_print(shell, table);
    return true;
}

static const Option domiflist_options[] = {
    DOMAIN,
    FLAG("inactive", "of the next start"),
    END_OF_OPTIONS,
};

/* "1.000 TiB" as --human shows it, the plain number otherwise. */
static char *
size_text(unsigned long long bytes, bool human)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double scaled = bytes;
    gsize unit = 0;

    if (!human)
        return g_strdup_printf("%llu", bytes);
    for (; scaled >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
        scaled /= 1024;
    return g_strdup_printf("%.3f %s", scaled, units[unit]);
}

static bool
show_all_disks(Shell *shell, const Args *args, virDomainPtr domain)
{
    static const char *const headings[] = {"Target", "Capacity", "Allocation", "Physical", NULL};
    static const char *const keys[] = {"target", "capacity", "allocation", "physical", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(shell, args, &root);
    virDomainBlockInfo info;

    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *disk = devices->children->pdata[i];
        const char *target = xml_get(xml_child(disk, "target"), "dev");
        g_autofree char *source = g_str_equal(disk->name, "disk") ? xml_disk_source(disk) : NULL;
        if (!target || !g_str_equal(disk->name, "disk"))
            continue;
        table_text(table, target);
        /* An empty drive has no size. */
        if (!source) {
            for (int k = 0; k < 3; k++)
                table_text(table, shell_wants_json(shell) ? NULL : "-");
            continue;
        }
        if (virDomainGetBlockInfo(domain, target, &info, 0) < 0)
            return false;
        const unsigned long long sizes[] = {info.capacity, info.allocation, info.physical};
        for (gsize k = 0; k < G_N_ELEMENTS(sizes); k++) {
            g_autofree char *text = size_text(sizes[k], args_has(args, "human"));
            table_number_as(table, sizes[k], text);
        }
    }
    table_print(shell, table);
    return root != NULL;
}

static bool
cmd_domblkinfo(Shell *shell, const Args *args)
{
    const char *device = args_text(args, "device");
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(Fields) fields = fields_new(16);
    virDomainBlockInfo info;

    if (!args_exclude(shell, args, "all", "device"))
        return false;
    if (!device && !args_has(args, "all"))
        return shell_fail(shell, "command 'domblkinfo' requires <device> option");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (!device)
        return show_all_disks(shell, args, domain);
    if (virDomainGetBlockInfo(domain, device, &info, 0) < 0)
        return false;
    const struct {
        const char *label, *key;
        unsigned long long bytes;
    } rows[] = {{"Capacity", "capacity", info.capacity},
                {"Allocation", "allocation", info.allocation},
                {"Physical", "physical", info.physical}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = size_text(rows[i].bytes, args_has(args, "human"));
        if (shell_wants_json(shell))
            fields_number(fields, rows[i].label, rows[i].key, rows[i].bytes, NULL);
        else
            fields_text(fields, rows[i].label, rows[i].key, text);
    }
    fields_print(shell, fields);
    return true;
}

static const Option domblkinfo_options[] = {
    DOMAIN,
    TEXT_OF("device", complete_disk, "target or path of the disk"),
    FLAG("human", "print sizes with units"),
    FLAG("all", "of all disks"),
    END_OF_OPTIONS,
};

/* What --human calls the counters. */
static const char *
counter_label(const char *field)
{
    static const char *const labels[][2] = {
        {VIR_DOMAIN_BLOCK_STATS_READ_REQ, "number of read operations"},
        {VIR_DOMAIN_BLOCK_STATS_READ_BYTES, "number of bytes read"},
        {VIR_DOMAIN_BLOCK_STATS_WRITE_REQ, "number of write operations"},
        {VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, "number of bytes written"},
        {VIR_DOMAIN_BLOCK_STATS_ERRS, "error count"},
        {VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, "number of flush operations"},
        {VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES, "total duration of reads (ns)"},
        {VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES, "total duration of writes (ns)"},
        {VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES, "total duration of flushes (ns)"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(labels); i++) {
        if (g_str_equal(labels[i][0], field))
            return labels[i][1];
    }
    return field;
}

static void
print_counter(Shell *shell, const char *label, const char *text)
{
    g_autofree char *head = g_strdup_printf("%s:", label);

    shell_print(shell, " %-31s %s\n", head, text);
}

static bool
cmd_domblkstat(Shell *shell, const Args *args)
{
    const char *device = args_text(args, "device");
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree virTypedParameter *params = NULL;
    bool human = args_has(args, "human");
    int n = 0;

    if (!domain)
        return false;
    device = device ? device : "";
    if (virDomainBlockStatsFlags(domain, device, NULL, &n, 0) < 0)
        return false;
    params = g_new0(virTypedParameter, n);
    if (virDomainBlockStatsFlags(domain, device, params, &n, 0) < 0)
        return shell_fail(shell, "Failed to get block stats for domain '%s' device '%s'",
                          virDomainGetName(domain), device);
    if (shell_wants_json(shell)) {
        params_print(shell, params, n, NULL);
        return true;
    }
    if (human)
        shell_print(shell, "Device: %s\n", device);
    for (int i = 0; i < n; i++) {
        g_autofree char *text = param_text(&params[i]);
        if (human)
            print_counter(shell, counter_label(params[i].field), text);
        else
            shell_print(shell, "%s%s%s %s\n", device, *device ? " " : "", params[i].field, text);
    }
    return true;
}

static bool
cmd_domifstat(Shell *shell, const Args *args)
{
    const char *device = args_text(args, "interface");
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(Fields) fields = fields_new(0);
    virDomainInterfaceStatsStruct stats;

    if (!domain)
        return false;
    if (virDomainInterfaceStats(domain, device, &stats, sizeof stats) < 0)
        return shell_fail(shell, "Failed to get interface stats %s %s", virDomainGetName(domain),
                          device);
    const struct {
        const char *name;
        long long value;
    } rows[] = {
        {"rx_bytes", stats.rx_bytes}, {"rx_packets", stats.rx_packets},
        {"rx_errs", stats.rx_errs},   {"rx_drop", stats.rx_drop},
        {"tx_bytes", stats.tx_bytes}, {"tx_packets", stats.tx_packets},
        {"tx_errs", stats.tx_errs},   {"tx_drop", stats.tx_drop},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].value < 0)
            continue;
        if (shell_wants_json(shell))
            fields_number(fields, rows[i].name, rows[i].name, rows[i].value, NULL);
        else
            shell_print(shell, "%s %s %lld\n", device, rows[i].name, rows[i].value);
    }
    if (shell_wants_json(shell))
        fields_print(shell, fields);
    return true;
}

static const Option domblkstat_options[] = {
    DOMAIN,
    TEXT_OF("device", complete_disk, "target or path of the disk; none: the sum of all"),
    FLAG("human", "print counters in words"),
    END_OF_OPTIONS,
};

static const Option domifstat_options[] = {
    DOMAIN,
    REQUIRED_OF("interface", complete_nic, "name of the host side, or MAC"),
    END_OF_OPTIONS,
};

static bool
cmd_dommemstat(Shell *shell, const Args *args)
{
    static const char *const names[] = {
        [VIR_DOMAIN_MEMORY_STAT_SWAP_IN] = "swap_in",
        [VIR_DOMAIN_MEMORY_STAT_SWAP_OUT] = "swap_out",
        [VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT] = "major_fault",
        [VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT] = "minor_fault",
        [VIR_DOMAIN_MEMORY_STAT_UNUSED] = "unused",
        [VIR_DOMAIN_MEMORY_STAT_AVAILABLE] = "available",
        [VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON] = "actual",
        [VIR_DOMAIN_MEMORY_STAT_RSS] = "rss",
        [VIR_DOMAIN_MEMORY_STAT_USABLE] = "usable",
        [VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE] = "last_update",
        [VIR_DOMAIN_MEMORY_STAT_DISK_CACHES] = "disk_caches",
        [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC] = "hugetlb_pgalloc",
        [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL] = "hugetlb_pgfail",
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    virDomainMemoryStatStruct stats[G_N_ELEMENTS(names)];
    g_autoptr(Fields) fields = fields_new(0);
    unsigned int flags = 0;
    int period = -1;

    if (!domain || !args_int(shell, args, "period", &period) || !args_affect(shell, args, &flags))
        return false;
    if (args_has(args, "period")) {
        if (period < 0)
            return shell_fail(shell, "Invalid collection period value '%d'", period);
        if (virDomainSetMemoryStatsPeriod(domain, period, flags) < 0)
            return shell_fail(shell, "Unable to change balloon collection period.");
        return true;
    }
    int n = virDomainMemoryStats(domain, stats, G_N_ELEMENTS(stats), 0);
    if (n < 0)
        return shell_fail(shell, "Failed to get memory statistics for domain %s",
                          virDomainGetName(domain));
    for (int i = 0; i < n; i++) {
        if (stats[i].tag < 0 || stats[i].tag >= (int)G_N_ELEMENTS(names))
            continue;
        if (shell_wants_json(shell))
            fields_number(fields, names[stats[i].tag], names[stats[i].tag], stats[i].val, NULL);
        else
            shell_print(shell, "%s %llu\n", names[stats[i].tag], stats[i].val);
    }
    if (shell_wants_json(shell))
        fields_print(shell, fields);
    return true;
}

static const Option dommemstat_options[] = {
    DOMAIN,
    NAMED_NUMBER("period", "seconds between collections in the guest"),
    FLAG("config", "of the next start"),
    FLAG("live", "of the running guest"),
    FLAG("current", "of the present state"),
    END_OF_OPTIONS,
};

/* ---- statistics ---- */

static void
print_record(Shell *shell, const virDomainStatsRecord *record)
{
    shell_print(shell, "Domain: '%s'\n", virDomainGetName(record->dom));
    for (int i = 0; i < record->nparams; i++) {
        g_autofree char *text = param_text(&record->params[i]);
        shell_print(shell, "  %s=%s\n", record->params[i].field, text);
    }
}

static void
print_records_json(Shell *shell, virDomainStatsRecordPtr *records, int n)
{
    g_autoptr(GString) out = g_string_new("[");

    for (int i = 0; i < n; i++) {
        g_string_append(out, i ? ",\n{\"domain\":" : "{\"domain\":");
        json_append_string(out, virDomainGetName(records[i]->dom));
        g_string_append(out, ",\"stats\":");
        json_append_params(out, records[i]->params, records[i]->nparams);
        g_string_append_c(out, '}');
    }
    shell_print(shell, "%s]\n", out->str);
}

static void
free_domain(void *domain)
{
    virDomainFree(domain);
}

static bool
cmd_domstats(Shell *shell, const Args *args)
{
    static const FlagBit groups[] = {
        {"state", VIR_DOMAIN_STATS_STATE},
        {"cpu-total", VIR_DOMAIN_STATS_CPU_TOTAL},
        {"balloon", VIR_DOMAIN_STATS_BALLOON},
        {"vcpu", VIR_DOMAIN_STATS_VCPU},
        {"interface", VIR_DOMAIN_STATS_INTERFACE},
        {"block", VIR_DOMAIN_STATS_BLOCK},
        {"perf", VIR_DOMAIN_STATS_PERF},
        {"iothread", VIR_DOMAIN_STATS_IOTHREAD},
        {"memory", VIR_DOMAIN_STATS_MEMORY},
        {"dirtyrate", VIR_DOMAIN_STATS_DIRTYRATE},
        {"vm", VIR_DOMAIN_STATS_VM},
    };
    static const FlagBit bits[] = {
        {"list-active", VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE},
        {"list-inactive", VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE},
        {"list-persistent", VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT},
        {"list-transient", VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT},
        {"list-running", VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING},
        {"list-paused", VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED},
        {"list-shutoff", VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF},
        {"list-other", VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER},
        {"enforce", VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS},
        {"backing", VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING},
        {"nowait", VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT},
    };
    unsigned int wanted = ARGS_BITS(args, groups), flags = ARGS_BITS(args, bits);
    g_autoptr(GPtrArray) domains = g_ptr_array_new_with_free_func(free_domain);
    virDomainStatsRecordPtr *records = NULL;
    gsize count;
    const char *const *names = args_words(args, "domain", &count);
    int n;

    for (gsize i = 0; i < count; i++) {
        virDomainPtr domain = shell_find_domain(shell, names[i]);
        if (!domain)
            return false;
        g_ptr_array_add(domains, domain);
    }
    if (domains->len) {
        g_ptr_array_add(domains, NULL);
        n = virDomainListGetStats((virDomainPtr *)domains->pdata, wanted, &records, flags);
        g_ptr_array_set_size(domains, domains->len - 1);
    } else {
        n = virConnectGetAllDomainStats(shell_connection(shell), wanted, &records, flags);
    }
    if (n < 0)
        return false;
    if (shell_wants_json(shell))
        print_records_json(shell, records, n);
    for (int i = 0; i < n && !shell_wants_json(shell); i++) {
        shell_print(shell, "%s", i ? "\n" : "");
        print_record(shell, records[i]);
    }
    virDomainStatsRecordListFree(records);
    return true;
}

static const Option domstats_options[] = {
    FLAG("state", "run state"),
    FLAG("cpu-total", "CPU time"),
    FLAG("balloon", "memory balloon"),
    FLAG("vcpu", "virtual CPUs"),
    FLAG("interface", "network interfaces"),
    FLAG("block", "disks"),
    FLAG("perf", "perf events"),
    FLAG("iothread", "I/O threads"),
    FLAG("memory", "memory bandwidth"),
    FLAG("dirtyrate", "rate of dirtied memory"),
    FLAG("vm", "counters of the hypervisor"),
    FLAG("list-active", "of domains that run"),
    FLAG("list-inactive", "of domains that are off"),
    FLAG("list-persistent", "of domains with a definition on disk"),
    FLAG("list-transient", "of domains without one"),
    FLAG("list-running", "of running domains"),
    FLAG("list-paused", "of paused domains"),
    FLAG("list-shutoff", "of domains that are off"),
    FLAG("list-other", "of domains in other states"),
    FLAG("raw", "numbers without words, as always"),
    FLAG("enforce", "fail when the hypervisor lacks a group"),
    FLAG("backing", "also of backing images"),
    FLAG("nowait", "do not wait for busy guests"),
    {"domain", OPTION_ARGV, 0, "of these domains only", complete_domain, NULL},
    END_OF_OPTIONS,
};

const Command stats_commands[] = {
    {"domblkinfo", cmd_domblkinfo, domblkinfo_options, "size of a disk's image", COMMAND_JSON, NULL,
     NULL},
    {"domblklist", cmd_domblklist, domblklist_options, "disks of a domain", COMMAND_JSON, NULL,
     NULL},
    {"domblkstat", cmd_domblkstat, domblkstat_options, "what a disk has read and written",
     COMMAND_JSON, NULL, NULL},
    {"domiflist", cmd_domiflist, domiflist_options, "network interfaces of a domain", COMMAND_JSON,
     NULL, NULL},
    {"domifstat", cmd_domifstat, domifstat_options, "what an interface has received and sent",
     COMMAND_JSON, NULL, NULL},
    {"dommemstat", cmd_dommemstat, dommemstat_options, "memory statistics of a guest", COMMAND_JSON,
     NULL, NULL},
    {"domstats", cmd_domstats, domstats_options, "statistics of many domains at once", COMMAND_JSON,
     "One call for all guests: the way to collect numbers regularly.\n\nExamples:\n"
     "  virsh domstats --list-running --balloon --block --json\n  virsh domstats web1 --cpu-total",
     NULL},
    {0},
};
