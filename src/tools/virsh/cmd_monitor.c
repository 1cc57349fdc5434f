/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that look at domains and change nothing. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/names.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

/* ---- list ---- */

typedef struct {
    virDomainPtr domain;
    const char *name;
    int id; /* -1: off */
} Entry;

static void
entry_clear(void *opaque)
{
    virDomainFree(((Entry *)opaque)->domain);
}

/* Active ones by id, then the others by name. */
static int
compare_entries(const void *a, const void *b)
{
    const Entry *left = a, *right = b;

    if (left->id == -1 && right->id == -1)
        return g_ascii_strcasecmp(left->name, right->name);
    if (left->id == -1 || right->id == -1)
        return left->id == -1 ? 1 : -1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static GArray *
list_domains(Shell *shell, unsigned int flags)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(Entry));
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(shell_connection(shell), &domains, flags);

    if (n < 0) {
        shell_fail(shell, "Failed to list domains");
        return NULL;
    }
    g_array_set_clear_func(entries, entry_clear);
    for (int i = 0; i < n; i++) {
        Entry entry = {domains[i], virDomainGetName(domains[i]), (int)virDomainGetID(domains[i])};
        g_array_append_val(entries, entry);
    }
    free(domains);
    g_array_sort(entries, compare_entries);
    return g_steal_pointer(&entries);
}

static void
list_plain(Shell *shell, const Args *args, GArray *entries)
{
    bool names = args_has(args, "name"), uuids = args_has(args, "uuid"), ids = args_has(args, "id");

    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        g_autoptr(GString) line = g_string_new(NULL);
        virDomainGetUUIDString(entry->domain, uuid);
        if (ids && entry->id >= 0)
            g_string_append_printf(line, "%d", entry->id);
        else if (ids)
            g_string_append_c(line, '-');
        if (uuids)
            g_string_append_printf(line, "%s%s", line->len ? " " : "", uuid);
        if (names)
            g_string_append_printf(line, uuids ? "%s%-30s" : "%s%s", line->len ? " " : "",
                                   entry->name);
        shell_print(shell, "%s\n", line->str);
    }
    if (!shell_is_quiet(shell))
        shell_print(shell, "\n");
}

static void
list_table(Shell *shell, const Args *args, GArray *entries)
{
    static const char *const headings[] = {"Id", "Name", "State", NULL};
    static const char *const titled[] = {"Id", "Name", "State", "Title", NULL};
    static const char *const json_headings[] = {"Id", "Name", "State", "UUID", "Title", NULL};
    static const char *const keys[] = {"id", "name", "state", "title", NULL};
    static const char *const json_keys[] = {"id", "name", "state", "uuid", "title", NULL};
    bool json = shell_wants_json(shell), title = args_has(args, "title") || json;
    g_autoptr(Table) table =
        json ? table_new(json_headings, json_keys) : table_new(title ? titled : headings, keys);

    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        int state = VIR_DOMAIN_NOSTATE, reason;
        /* A domain that went away meanwhile is shown without a state. */
        if (virDomainGetState(entry->domain, &state, &reason, 0) < 0)
            virResetLastError();
        bool saved = args_has(args, "managed-save") && state == VIR_DOMAIN_SHUTOFF &&
                     virDomainHasManagedSaveImage(entry->domain, 0) > 0;
        if (entry->id >= 0)
            table_number(table, entry->id);
        else
            table_text(table, json ? NULL : "-");
        table_text(table, entry->name);
        table_text(table, saved ? "saved" : name_of_state(state));
        if (json) {
            virDomainGetUUIDString(entry->domain, uuid);
            table_text(table, uuid);
        }
        if (title) {
            g_autofree char *text =
                virDomainGetMetadata(entry->domain, VIR_DOMAIN_METADATA_TITLE, NULL, 0);
            virResetLastError();
            table_text(table, text ? text : json ? NULL : "");
        }
    }
    table_print(shell, table);
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"transient", VIR_CONNECT_LIST_DOMAINS_TRANSIENT},
        {"persistent", VIR_CONNECT_LIST_DOMAINS_PERSISTENT},
        {"with-snapshot", VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT},
        {"without-snapshot", VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT},
        {"with-checkpoint", VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT},
        {"without-checkpoint", VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT},
        {"state-running", VIR_CONNECT_LIST_DOMAINS_RUNNING},
        {"state-paused", VIR_CONNECT_LIST_DOMAINS_PAUSED},
        {"state-shutoff", VIR_CONNECT_LIST_DOMAINS_SHUTOFF},
        {"state-other", VIR_CONNECT_LIST_DOMAINS_OTHER},
        {"autostart", VIR_CONNECT_LIST_DOMAINS_AUTOSTART},
        {"no-autostart", VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART},
        {"with-managed-save", VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE},
        {"without-managed-save", VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE},
    };
    unsigned int flags = ARGS_BITS(args, bits);
    bool plain = args_has(args, "name") || args_has(args, "uuid") || args_has(args, "id");
    g_autoptr(GArray) entries = NULL;

    if (!args_exclude(shell, args, "table", "name") ||
        !args_exclude(shell, args, "table", "uuid") || !args_exclude(shell, args, "table", "id"))
        return false;
    if (args_has(args, "all"))
        flags |= VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    else if (args_has(args, "inactive") || args_has(args, "state-shutoff"))
        flags |= VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    else
        flags |= VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    entries = list_domains(shell, flags);
    if (!entries)
        return false;
    if (plain && !shell_wants_json(shell))
        list_plain(shell, args, entries);
    else
        list_table(shell, args, entries);
    return true;
}

static const Option list_options[] = {
    FLAG("inactive", "those that are off"),
    FLAG("all", "those that run and those that are off"),
    FLAG("transient", "without a definition on disk"),
    FLAG("persistent", "with a definition on disk"),
    FLAG("with-snapshot", "that have snapshots"),
    FLAG("without-snapshot", "that have no snapshot"),
    FLAG("with-checkpoint", "that have checkpoints"),
    FLAG("without-checkpoint", "that have no checkpoint"),
    FLAG("state-running", "that run"),
    FLAG("state-paused", "that are paused"),
    FLAG("state-shutoff", "that are off"),
    FLAG("state-other", "in any other state"),
    FLAG("autostart", "that start with the host"),
    FLAG("no-autostart", "that do not start with the host"),
    FLAG("with-managed-save", "that have a managed save image"),
    FLAG("without-managed-save", "that have none"),
    FLAG("uuid", "print UUIDs only"),
    FLAG("name", "print names only"),
    FLAG("id", "print ids only"),
    FLAG("table", "print a table (the default)"),
    FLAG("managed-save", "show `saved` for those with a managed save image"),
    FLAG("title", "also print titles"),
    END_OF_OPTIONS,
};

/* ---- one domain ---- */

static void
add_security(Shell *shell, virDomainPtr domain, Fields *fields)
{
    virSecurityModel model = {{0}, {0}};
    g_autofree virSecurityLabel *label = g_new0(virSecurityLabel, 1);

    if (virNodeGetSecurityModel(shell_connection(shell), &model) < 0) {
        virResetLastError();
        return;
    }
    if (!*model.model)
        return;
    fields_text(fields, "Security model", "security_model", model.model);
    fields_text(fields, "Security DOI", "security_doi", model.doi);
    if (virDomainGetID(domain) == (unsigned int)-1)
        return;
    if (virDomainGetSecurityLabel(domain, label) == 0 && *label->label)
        fields_printf(fields, "Security label", "security_label", "%s (%s)", label->label,
                      label->enforcing ? "enforcing" : "permissive");
    virResetLastError();
}

static bool
cmd_dominfo(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(Fields) fields = fields_new(16);
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    virDomainInfo info;
    int flag;

    if (!domain || virDomainGetInfo(domain, &info) < 0)
        return false;
    unsigned int id = virDomainGetID(domain);
    if (id == (unsigned int)-1)
        fields_text(fields, "Id", "id", shell_wants_json(shell) ? NULL : "-");
    else
        fields_number(fields, "Id", "id", id, NULL);
    fields_text(fields, "Name", "name", virDomainGetName(domain));
    if (virDomainGetUUIDString(domain, uuid) == 0)
        fields_text(fields, "UUID", "uuid", uuid);
    g_autofree char *os_type = virDomainGetOSType(domain);
    if (os_type)
        fields_text(fields, "OS Type", "os_type", os_type);
    fields_text(fields, "State", "state", name_of_state(info.state));
    fields_number(fields, "CPU(s)", "cpus", info.nrVirtCpu, NULL);
    if (info.cpuTime && shell_wants_json(shell))
        fields_number(fields, "CPU time", "cpu_time_ns", info.cpuTime, NULL);
    else if (info.cpuTime)
        fields_printf(fields, "CPU time", "cpu_time", "%.1fs", info.cpuTime / 1e9);
    if (info.maxMem != ULONG_MAX)
        fields_number(fields, "Max memory", "max_memory_kib", info.maxMem, "KiB");
    fields_number(fields, "Used memory", "used_memory_kib", info.memory, "KiB");
    if ((flag = virDomainIsPersistent(domain)) >= 0)
        fields_bool(fields, "Persistent", "persistent", flag, "yes", "no");
    if (virDomainGetAutostart(domain, &flag) == 0)
        fields_bool(fields, "Autostart", "autostart", flag, "enable", "disable");
    if ((flag = virDomainHasManagedSaveImage(domain, 0)) >= 0)
        fields_bool(fields, "Managed save", "managed_save", flag, "yes", "no");
    virResetLastError();
    add_security(shell, domain, fields);
    fields_print(shell, fields);
    return true;
}

static bool
cmd_domstate(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    int state, reason;

    if (!domain || virDomainGetState(domain, &state, &reason, 0) < 0)
        return false;
    const char *why = name_of_state_reason(state, reason);
    if (shell_wants_json(shell))
        shell_print(shell, "{\"state\":\"%s\",\"reason\":\"%s\"}\n", name_of_state(state), why);
    else if (args_has(args, "reason"))
        shell_print(shell, "%s (%s)\n\n", name_of_state(state), why);
    else
        shell_print(shell, "%s\n\n", name_of_state(state));
    return true;
}

static const Option domstate_options[] = {
    DOMAIN,
    FLAG("reason", "also say why"),
    END_OF_OPTIONS,
};

static bool
cmd_domid(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned int id = domain ? virDomainGetID(domain) : 0;

    if (!domain)
        return false;
    if (id == (unsigned int)-1 && !shell_wants_json(shell))
        shell_print(shell, "-\n\n");
    else
        print_number(shell, "id", (int)id);
    return true;
}

static bool
cmd_domname(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (domain)
        print_value(shell, "name", virDomainGetName(domain));
    return domain != NULL;
}

static bool
cmd_domuuid(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (!domain)
        return false;
    if (virDomainGetUUIDString(domain, uuid) < 0)
        return shell_fail(shell, "failed to get domain UUID");
    print_value(shell, "uuid", uuid);
    return true;
}

static bool
cmd_domcontrol(Shell *shell, const Args *args)
{
    static const char *const states[] = {"ok", "background job", "occupied", "error"};
    g_autoptr(virDomain) domain = args_domain(shell, args);
    virDomainControlInfo info;

    if (!domain || virDomainGetControlInfo(domain, &info, 0) < 0)
        return false;
    const char *state = info.state < G_N_ELEMENTS(states) ? states[info.state] : "unknown";
    if (info.state != VIR_DOMAIN_CONTROL_OK && info.state != VIR_DOMAIN_CONTROL_ERROR &&
        !shell_wants_json(shell))
        shell_print(shell, "%s (%0.3fs)\n\n", state, info.stateTime / 1000.0);
    else
        print_value(shell, "state", state);
    return true;
}

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

/* What a disk's source is called: the file, device, name, or the volume as POOL/VOLUME; NULL when it is empty. */
static char *
disk_source(XmlNode *disk)
{
    static const char *const places[] = {"file", "dev", "dir", "name", "path", NULL};
    XmlNode *source = xml_child(disk, "source");

    if (xml_get(source, "volume"))
        return g_strdup_printf("%s/%s", xml_get(source, "pool"), xml_get(source, "volume"));
    for (gsize i = 0; places[i]; i++) {
        if (xml_get(source, places[i]))
            return g_strdup(xml_get(source, places[i]));
    }
    return NULL;
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
        g_autofree char *source = disk_source(disk);
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

static bool
cmd_domblkinfo(Shell *shell, const Args *args)
{
    const char *device = args_text(args, "device");
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(Fields) fields = fields_new(16);
    virDomainBlockInfo info;

    if (!domain)
        return false;
    if (!device && !args_has(args, "all"))
        return shell_fail(shell, "command 'domblkinfo' requires <device> option");
    if (args_has(args, "all")) {
        static const char *const headings[] = {"Target", "Capacity", "Allocation", "Physical",
                                               NULL};
        static const char *const keys[] = {"target", "capacity", "allocation", "physical", NULL};
        g_autoptr(Table) table = table_new(headings, keys);
        g_autoptr(XmlNode) root = NULL;
        XmlNode *devices = domain_devices(shell, args, &root);
        for (guint i = 0; devices && i < devices->children->len; i++) {
            XmlNode *disk = devices->children->pdata[i];
            const char *target = xml_get(xml_child(disk, "target"), "dev");
            g_autofree char *source = disk_source(disk);
            if (!g_str_equal(disk->name, "disk") || !target || !source)
                continue;
            if (virDomainGetBlockInfo(domain, target, &info, 0) < 0)
                return false;
            table_text(table, target);
            table_number(table, info.capacity);
            table_number(table, info.allocation);
            table_number(table, info.physical);
        }
        table_print(shell, table);
        return root != NULL;
    }
    if (virDomainGetBlockInfo(domain, device, &info, 0) < 0)
        return false;
    fields_number(fields, "Capacity", "capacity", info.capacity, NULL);
    fields_number(fields, "Allocation", "allocation", info.allocation, NULL);
    fields_number(fields, "Physical", "physical", info.physical, NULL);
    fields_print(shell, fields);
    return true;
}

static const Option domblkinfo_options[] = {
    DOMAIN,
    POSITIONAL("device", "target or path of the disk"),
    FLAG("all", "of all disks"),
    END_OF_OPTIONS,
};

static bool
cmd_domblkstat(Shell *shell, const Args *args)
{
    const char *device = args_text(args, "device");
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree virTypedParameter *params = NULL;
    g_autoptr(GString) json = g_string_new(NULL);
    int n = 0;

    if (!domain)
        return false;
    device = device ? device : "";
    if (virDomainBlockStatsFlags(domain, device, NULL, &n, 0) < 0)
        return shell_fail(shell, "Failed to get block stats for domain '%s' device '%s'",
                          virDomainGetName(domain), device);
    params = g_new0(virTypedParameter, n);
    if (virDomainBlockStatsFlags(domain, device, params, &n, 0) < 0)
        return shell_fail(shell, "Failed to get block stats for domain '%s' device '%s'",
                          virDomainGetName(domain), device);
    if (shell_wants_json(shell)) {
        json_append_params(json, params, n);
        shell_print(shell, "%s\n", json->str);
        return true;
    }
    for (int i = 0; i < n; i++) {
        g_autofree char *text = param_text(&params[i]);
        shell_print(shell, "%s%s%s %s\n", device, *device ? " " : "", params[i].field, text);
    }
    shell_print(shell, "\n");
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
    else
        shell_print(shell, "\n");
    return true;
}

static const Option domblkstat_options[] = {
    DOMAIN,
    POSITIONAL("device", "target or path of the disk; none: the sum of all"),
    END_OF_OPTIONS,
};

static const Option domifstat_options[] = {
    DOMAIN,
    REQUIRED("interface", "name of the host side, or MAC"),
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
    else
        shell_print(shell, "\n");
    return true;
}

static const Option dommemstat_options[] = {
    DOMAIN,
    NUMBER("period", "seconds between collections in the guest"),
    FLAG("config", "of the next start"),
    FLAG("live", "of the running guest"),
    FLAG("current", "of the present state"),
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
    else
        shell_print(shell, "\n");
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
    int host = virNodeGetCPUMap(shell_connection(shell), NULL, NULL, 0);
    if (host < 0)
        return false;
    int width = VIR_CPU_MAPLEN(host);
    g_autofree virVcpuInfo *vcpus = g_new0(virVcpuInfo, info.nrVirtCpu);
    g_autofree unsigned char *maps = g_new0(unsigned char, info.nrVirtCpu *width);
    int n = virDomainGetVcpus(domain, vcpus, info.nrVirtCpu, maps, width);
    if (n < 0)
        return false;
    for (int i = 0; i < n; i++) {
        g_autoptr(GString) map = g_string_new(NULL);
        for (int cpu = 0; cpu < host; cpu++)
            g_string_append_c(map, VIR_CPU_USABLE(maps, width, i, cpu) ? 'y' : '-');
        if (shell_wants_json(shell)) {
            table_number(table, vcpus[i].number);
            table_number(table, vcpus[i].cpu);
            table_text(table, name_of_vcpu_state(vcpus[i].state));
            table_number(table, vcpus[i].cpuTime);
            table_text(table, map->str);
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
    else
        shell_print(shell, "\n");
    return true;
}

static const Option domain_only[] = {
    DOMAIN,
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
    shell_print(shell, "\n");
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
    for (int i = 0; i < n && !shell_wants_json(shell); i++)
        print_record(shell, records[i]);
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
    {"domain", OPTION_ARGV, OPTION_POSITIONAL, "of these domains only", COMPLETE_DOMAIN},
    END_OF_OPTIONS,
};

static bool
cmd_domjobinfo(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    static const char *const types[] = {"None",      "Bounded", "Unbounded",
                                        "Completed", "Failed",  "Cancelled"};
    virTypedParameterPtr params = NULL;
    int n = 0, type = 0;
    unsigned int flags = args_has(args, "completed") ? VIR_DOMAIN_JOB_STATS_COMPLETED : 0;

    if (!domain || virDomainGetJobStats(domain, &type, &params, &n, flags) < 0)
        return false;
    const char *word = type >= 0 && type < (int)G_N_ELEMENTS(types) ? types[type] : "unknown";
    if (shell_wants_json(shell)) {
        g_autoptr(GString) out = g_string_new(NULL);
        json_append_params(out, params, n);
        shell_print(shell, "{\"type\":\"%s\",\"stats\":%s}\n", word, out->str);
    } else {
        shell_print(shell, "%-17s %-12s\n", "Job type:", word);
        for (int i = 0; i < n; i++) {
            g_autofree char *text = param_text(&params[i]);
            g_autofree char *label = g_strdup_printf("%s:", params[i].field);
            shell_print(shell, "%-17s %s\n", label, text);
        }
        shell_print(shell, "\n");
    }
    virTypedParamsFree(params, n);
    return true;
}

static const Option domjobinfo_options[] = {
    DOMAIN,
    FLAG("completed", "of the last job that ended"),
    END_OF_OPTIONS,
};

static bool
cmd_vncdisplay(Shell *shell, const Args *args)
{
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(shell, args, &root);

    if (!root)
        return false;
    if (!xml_get(root, "id"))
        return shell_fail(shell, "Domain is not running");
    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *graphics = devices->children->pdata[i];
        const char *type = xml_get(graphics, "type"), *port = xml_get(graphics, "port");
        const char *address = xml_get(graphics, "listen");
        if (!g_str_equal(graphics->name, "graphics") || g_strcmp0(type, "vnc") != 0)
            continue;
        if (port && atoi(port) >= 5900) {
            g_autofree char *shown =
                g_strdup_printf("%s:%d", address ? address : "", atoi(port) - 5900);
            print_value(shell, "vnc", shown);
            return true;
        }
        if (xml_get(graphics, "socket")) {
            print_value(shell, "vnc", xml_get(graphics, "socket"));
            return true;
        }
    }
    return shell_fail(shell, "Failed to get VNC port. Is this domain using VNC?");
}

static bool
cmd_ttyconsole(Shell *shell, const Args *args)
{
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(shell, args, &root);
    const char *tty = xml_get(xml_child(devices, "console"), "tty");

    if (!root)
        return false;
    if (!xml_get(root, "id"))
        return shell_fail(shell, "Domain is not running");
    if (tty)
        print_value(shell, "tty", tty);
    return tty || shell_fail(shell, "The domain's console is no terminal");
}

static const Command commands[] = {
    {"domblkinfo", cmd_domblkinfo, domblkinfo_options, "size of a disk's image", COMMAND_JSON,
     NULL},
    {"domblklist", cmd_domblklist, domblklist_options, "disks of a domain", COMMAND_JSON, NULL},
    {"domblkstat", cmd_domblkstat, domblkstat_options, "what a disk has read and written",
     COMMAND_JSON, NULL},
    {"domcontrol", cmd_domcontrol, domain_only, "whether the hypervisor answers for a guest",
     COMMAND_JSON, NULL},
    {"domid", cmd_domid, domain_only, "id of a running domain", COMMAND_JSON, NULL},
    {"domiflist", cmd_domiflist, domiflist_options, "network interfaces of a domain", COMMAND_JSON,
     NULL},
    {"domifstat", cmd_domifstat, domifstat_options, "what an interface has received and sent",
     COMMAND_JSON, NULL},
    {"dominfo", cmd_dominfo, domain_only, "the most asked facts about a domain", COMMAND_JSON,
     NULL},
    {"domjobinfo", cmd_domjobinfo, domjobinfo_options, "progress of the job on a domain",
     COMMAND_JSON, NULL},
    {"dommemstat", cmd_dommemstat, dommemstat_options, "memory statistics of a guest", COMMAND_JSON,
     NULL},
    {"domname", cmd_domname, domain_only, "name of a domain", COMMAND_JSON, NULL},
    {"domstate", cmd_domstate, domstate_options, "run state of a domain", COMMAND_JSON, NULL},
    {"domstats", cmd_domstats, domstats_options, "statistics of many domains at once", COMMAND_JSON,
     NULL},
    {"domuuid", cmd_domuuid, domain_only, "UUID of a domain", COMMAND_JSON, NULL},
    {"list", cmd_list, list_options, "domains and their state", COMMAND_JSON, NULL},
    {"ttyconsole", cmd_ttyconsole, domain_only, "terminal device of a guest's console",
     COMMAND_JSON, NULL},
    {"vcpucount", cmd_vcpucount, vcpucount_options, "numbers of virtual CPUs", COMMAND_JSON, NULL},
    {"vcpuinfo", cmd_vcpuinfo, domain_only, "state of each virtual CPU", COMMAND_JSON, NULL},
    {"vncdisplay", cmd_vncdisplay, domain_only, "VNC display of a guest", COMMAND_JSON, NULL},
    {0},
};

const CommandGroup monitor_group = {"Domain Monitoring", "monitor", commands};
