/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that look at one domain and change nothing; statistics are in cmd_stats.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/names.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

static const Option domain_only[] = {
    DOMAIN,
    END_OF_OPTIONS,
};

/* ---- one domain ---- */

static void
add_security(Shell *shell, virDomainPtr domain, Fields *fields)
{
    virSecurityModel model = {{0}, {0}};
    g_autofree virSecurityLabel *label = g_new0(virSecurityLabel, 1);

    if (virNodeGetSecurityModel(shell_connection(shell), &model) < 0) {
        shell_forget_error();
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
    shell_forget_error();
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
    shell_forget_error();
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
        shell_print(shell, "%s (%s)\n", name_of_state(state), why);
    else
        shell_print(shell, "%s\n", name_of_state(state));
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
        shell_print(shell, "-\n");
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
        shell_print(shell, "%s (%0.3fs)\n", state, info.stateTime / 1000.0);
    else
        print_value(shell, "state", state);
    return true;
}

const Command monitor_commands[] = {
    {"domcontrol", cmd_domcontrol, domain_only, "whether the hypervisor answers for a guest",
     COMMAND_JSON, NULL, NULL},
    {"domid", cmd_domid, domain_only, "id of a running domain", COMMAND_JSON, NULL, NULL},
    {"dominfo", cmd_dominfo, domain_only, "the most asked facts about a domain", COMMAND_JSON, NULL,
     NULL},
    {"domname", cmd_domname, domain_only, "name of a domain", COMMAND_JSON, NULL, NULL},
    {"domstate", cmd_domstate, domstate_options, "run state of a domain", COMMAND_JSON, NULL, NULL},
    {"domuuid", cmd_domuuid, domain_only, "UUID of a domain", COMMAND_JSON, NULL, NULL},
    {0},
};
