/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a guest can be seen and spoken to, the jobs that run on it, and what else is asked of a running one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

static XmlNode *
domain_devices(Shell *shell, const Args *args, unsigned int flags, XmlNode **root)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *xml = domain ? virDomainGetXMLDesc(domain, flags) : NULL;

    *root = xml ? xml_parse(xml) : NULL;
    return xml_child(*root, "devices");
}

/* ---- display ---- */

/* spice://:PASSWORD@HOST:PORT?tls-port=N, vnc://HOST:DISPLAY; NULL when it listens nowhere. Free with g_free. */
static char *
display_uri(XmlNode *graphics)
{
    const char *type = xml_get(graphics, "type"), *port = xml_get(graphics, "port");
    const char *tls = xml_get(graphics, "tlsPort"), *password = xml_get(graphics, "passwd");
    const char *address = xml_get(graphics, "listen"), *socket = xml_get(graphics, "socket");
    int number = port ? atoi(port) : 0, secure = tls ? atoi(tls) : 0;
    bool vnc = g_strcmp0(type, "vnc") == 0;
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; i < graphics->children->len; i++) {
        XmlNode *listen = graphics->children->pdata[i];
        if (!g_str_equal(listen->name, "listen"))
            continue;
        address = address ? address : xml_get(listen, "address");
        socket = socket ? socket : xml_get(listen, "socket");
    }
    if (!type)
        return NULL;
    if (number <= 0 && secure <= 0 && socket)
        return g_strdup_printf("%s+unix://%s%s%s", type, password ? ":" : "",
                               password ? password : "", socket);
    if (number <= 0 && secure <= 0)
        return NULL;
    /* A wildcard is an address of this host. */
    if (!address || g_str_equal(address, "0.0.0.0") || g_str_equal(address, "::"))
        address = "localhost";
    g_string_printf(out, "%s://", type);
    if (password)
        g_string_append_printf(out, ":%s@", password);
    g_string_append_printf(out, strchr(address, ':') ? "[%s]" : "%s", address);
    if (number > 0)
        g_string_append_printf(out, ":%d", vnc ? number - 5900 : number);
    if (secure > 0)
        g_string_append_printf(out, "?tls-port=%d", secure);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static bool
cmd_domdisplay(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"URI", NULL}, *const keys[] = {"uri", NULL};
    const char *wanted = args_text(args, "type");
    g_autoptr(Table) table = table_new(headings, keys);
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(
        shell, args, args_has(args, "include-password") ? VIR_DOMAIN_XML_SECURE : 0, &root);
    guint found = 0;

    if (!root)
        return false;
    if (!xml_get(root, "id"))
        return shell_fail(shell, "Domain is not running");
    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *graphics = devices->children->pdata[i];
        if (!g_str_equal(graphics->name, "graphics") ||
            (wanted && g_strcmp0(xml_get(graphics, "type"), wanted) != 0))
            continue;
        g_autofree char *uri = display_uri(graphics);
        if (!uri || (found && !args_has(args, "all")))
            continue;
        found++;
        if (shell_wants_json(shell))
            table_text(table, uri);
        else
            shell_print(shell, "%s\n", uri);
    }
    if (shell_wants_json(shell))
        table_print(shell, table);
    if (!found && wanted)
        return shell_fail(shell, "No graphical display with type '%s' found", wanted);
    return found || shell_fail(shell, "No graphical display found");
}

static const Option domdisplay_options[] = {
    ACTIVE_DOMAIN,
    FLAG("include-password", "with the password"),
    CHOICE("type", "vnc,spice,rdp", "only of that type"),
    FLAG("all", "all of them instead of the first"),
    END_OF_OPTIONS,
};

static const Option domain_only[] = {
    ACTIVE_DOMAIN,
    END_OF_OPTIONS,
};

static bool
cmd_vncdisplay(Shell *shell, const Args *args)
{
    g_autoptr(XmlNode) root = NULL;
    XmlNode *devices = domain_devices(shell, args, 0, &root);

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
    XmlNode *devices = domain_devices(shell, args, 0, &root);
    const char *tty = xml_get(xml_child(devices, "console"), "tty");

    if (!root)
        return false;
    if (!xml_get(root, "id"))
        return shell_fail(shell, "Domain is not running");
    if (tty)
        print_value(shell, "tty", tty);
    return tty || shell_fail(shell, "The domain's console is no terminal");
}

/* ---- addresses ---- */

static bool
cmd_domifaddr(Shell *shell, const Args *args)
{
    static const char *const sources[] = {"lease", "agent", "arp", NULL};
    static const char *const headings[] = {"Name", "MAC address", "Protocol", "Address", NULL};
    static const char *const keys[] = {"name", "mac", "protocol", "address", NULL};
    const char *only = args_text(args, "interface");
    g_autoptr(Table) table = table_new(headings, keys);
    int source = VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE;
    g_autoptr(virDomain) domain = NULL;
    virDomainInterfacePtr *nics = NULL;
    bool json = shell_wants_json(shell), full = args_has(args, "full") || json;

    if (!args_word(shell, args, "source", sources, &source))
        return false;
    domain = args_domain(shell, args);
    int n = domain ? virDomainInterfaceAddresses(domain, &nics, source, 0) : -1;
    if (n < 0)
        return domain && shell_fail(shell, "Failed to query for interfaces addresses");
    if (!json && !shell_is_quiet(shell))
        shell_print(
            shell, " %-10s %-20s %-8s     %s\n%s\n", "Name", "MAC address", "Protocol", "Address",
            "-------------------------------------------------------------------------------");
    for (int i = 0; i < n; i++) {
        const virDomainInterface *nic = nics[i];
        const char *none = json ? NULL : "N/A";
        if (only && !g_str_equal(only, nic->name))
            continue;
        for (unsigned int k = 0; k < MAX(nic->naddrs, 1); k++) {
            const virDomainIPAddress *ip = k < nic->naddrs ? &nic->addrs[k] : NULL;
            const char *protocol = !ip ? none : ip->type == VIR_IP_ADDR_TYPE_IPV6 ? "ipv6" : "ipv4";
            g_autofree char *address =
                ip ? g_strdup_printf("%s/%d", ip->addr, ip->prefix) : g_strdup(none);
            if (json) {
                table_text(table, nic->name);
                table_text(table, nic->hwaddr);
                table_text(table, protocol);
                table_text(table, address);
            } else {
                /* Further addresses of an interface stand below the first, unless all is asked for. */
                bool named = k == 0 || full;
                shell_print(shell, " %-10s %-17s    %-8s     %s\n", named ? nic->name : "-",
                            named && nic->hwaddr ? nic->hwaddr
                            : named              ? "N/A"
                                                 : "-",
                            protocol, address);
            }
        }
    }
    if (json)
        table_print(shell, table);
    for (int i = 0; i < n; i++)
        virDomainInterfaceFree(nics[i]);
    free(nics);
    return true;
}

static const Option domifaddr_options[] = {
    ACTIVE_DOMAIN,
    TEXT_OF("interface", complete_nic, "only this one"),
    FLAG("full", "name and MAC on every line"),
    CHOICE("source", "lease,agent,arp", "who is asked"),
    END_OF_OPTIONS,
};

static bool
cmd_domblkerror(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Disk", "Error", NULL};
    static const char *const keys[] = {"disk", "error", NULL};
    static const char *const errors[] = {"no error", "unspecified error", "no space"};
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(Table) table = table_new(headings, keys);
    int room = domain ? virDomainGetDiskErrors(domain, NULL, 0, 0) : -1;

    if (room < 0)
        return false;
    g_autofree virDomainDiskError *disks = g_new0(virDomainDiskError, room + 1);
    int n = room ? virDomainGetDiskErrors(domain, disks, room, 0) : 0;
    for (int i = 0; i < n; i++) {
        int error = disks[i].error;
        const char *text =
            error >= 0 && error < (int)G_N_ELEMENTS(errors) ? errors[error] : "unknown error";
        if (shell_wants_json(shell)) {
            table_text(table, disks[i].disk);
            table_text(table, text);
        } else {
            shell_print(shell, "%s: %s\n", disks[i].disk, text);
        }
        free(disks[i].disk);
    }
    if (shell_wants_json(shell))
        table_print(shell, table);
    else if (n == 0)
        shell_note(shell, "No errors found\n");
    return n >= 0;
}

/* ---- CPU time ---- */

static void
print_cpu_times(Shell *shell, const char *title, virTypedParameterPtr params, int n)
{
    shell_print(shell, "%s:\n", title);
    for (int i = 0; i < n; i++) {
        if (params[i].type == VIR_TYPED_PARAM_ULLONG)
            shell_print(shell, "\t%-12s %9llu.%09llu seconds\n", params[i].field,
                        params[i].value.ul / 1000000000ULL, params[i].value.ul % 1000000000ULL);
    }
}

/* The times of CPU @cpu (-1: the sum); the number of parameters, -1 after an error. */
static int
get_cpu_times(virDomainPtr domain, int cpu, virTypedParameterPtr *params)
{
    int room = virDomainGetCPUStats(domain, NULL, 0, cpu, 1, 0);

    *params = room > 0 ? calloc(room, sizeof **params) : NULL;
    return room > 0 ? virDomainGetCPUStats(domain, *params, room, cpu, 1, 0) : room;
}

static bool
cmd_cpu_stats(Shell *shell, const Args *args)
{
    bool total = args_has(args, "total");
    bool single = !total || args_has(args, "start") || args_has(args, "count");
    int start = 0, count = -1;
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(GString) json = g_string_new("{\"cpus\":[");
    virTypedParameterPtr params;

    total = total || !(args_has(args, "start") || args_has(args, "count"));
    if (!args_int(shell, args, "start", &start) || !args_int(shell, args, "count", &count))
        return false;
    if (start < 0 || (args_has(args, "count") && count < 0))
        return shell_fail(shell, "Invalid value for start or number of CPUs to show");
    domain = args_domain(shell, args);
    int cpus = domain ? virDomainGetCPUStats(domain, NULL, 0, 0, 0, 0) : -1;
    if (cpus < 0)
        return domain && shell_fail(shell, "Failed to retrieve CPU statistics for domain '%s'",
                                    virDomainGetName(domain));
    if (single && start >= cpus)
        return shell_fail(shell, "Start CPU %d is out of range (min: 0, max: %d)", start, cpus - 1);
    int end = count < 0 || count > cpus - start ? cpus : start + count;
    for (int cpu = start; single && cpu < end; cpu++) {
        g_autofree char *title = g_strdup_printf("CPU%d", cpu);
        int n = get_cpu_times(domain, cpu, &params);
        if (n > 0 && shell_wants_json(shell)) {
            g_string_append(json, cpu > start ? "," : "");
            json_append_params(json, params, n);
        } else if (n > 0) {
            print_cpu_times(shell, title, params, n);
        }
        virTypedParamsFree(params, MAX(n, 0));
        if (n < 0)
            return false;
    }
    g_string_append_c(json, ']');
    if (total) {
        int n = get_cpu_times(domain, -1, &params);
        if (n > 0 && shell_wants_json(shell)) {
            g_string_append(json, ",\"total\":");
            json_append_params(json, params, n);
        } else if (n > 0) {
            print_cpu_times(shell, "Total", params, n);
        }
        virTypedParamsFree(params, MAX(n, 0));
        if (n < 0)
            return shell_fail(shell, "Failed to retrieve CPU statistics for domain '%s'",
                              virDomainGetName(domain));
    }
    if (shell_wants_json(shell))
        shell_print(shell, "%s}\n", json->str);
    return true;
}

static const Option cpu_stats_options[] = {
    ACTIVE_DOMAIN,
    FLAG("total", "the sum of all CPUs"),
    NUMBER("start", "first CPU to show"),
    NUMBER("count", "how many CPUs to show"),
    END_OF_OPTIONS,
};

static bool
cmd_dirtyrate(Shell *shell, const Args *args)
{
    static const char *const modes[] = {"page-sampling", "dirty-bitmap", "dirty-ring", NULL};
    static const unsigned int bits[] = {VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING,
                                        VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP,
                                        VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING};
    int seconds = 1, mode = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_int(shell, args, "seconds", &seconds) ||
        !args_word(shell, args, "mode", modes, &mode))
        return false;
    domain = args_domain(shell, args);
    if (!domain || virDomainStartDirtyRateCalc(domain, seconds, bits[mode]) < 0)
        return false;
    shell_note(shell, "Start to calculate domain's memory dirty rate successfully.\n");
    return true;
}

static const Option dirtyrate_options[] = {
    ACTIVE_DOMAIN,
    NUMBER("seconds", "how long to measure (1)"),
    CHOICE("mode", "page-sampling,dirty-bitmap,dirty-ring", "how to measure"),
    END_OF_OPTIONS,
};

const Command display_commands[] = {
    {"cpu-stats", cmd_cpu_stats, cpu_stats_options, "CPU time of a guest on each CPU of the host",
     COMMAND_JSON, NULL, NULL},
    {"domdirtyrate-calc", cmd_dirtyrate, dirtyrate_options,
     "measure how fast a guest dirties its memory", 0,
     "The result is among `virsh domstats --dirtyrate`.", NULL},
    {"domdisplay", cmd_domdisplay, domdisplay_options, "URI of a guest's display", COMMAND_JSON,
     NULL, NULL},
    {"ttyconsole", cmd_ttyconsole, domain_only, "terminal device of a guest's console",
     COMMAND_JSON, NULL, NULL},
    {"vncdisplay", cmd_vncdisplay, domain_only, "VNC display of a guest", COMMAND_JSON, NULL, NULL},
    {0},
};

const Command display_monitor_commands[] = {
    {"domblkerror", cmd_domblkerror, domain_only, "I/O errors of a guest's disks", COMMAND_JSON,
     NULL, NULL},
    {"domifaddr", cmd_domifaddr, domifaddr_options, "IP addresses of a guest", COMMAND_JSON, NULL,
     NULL},
    {0},
};
