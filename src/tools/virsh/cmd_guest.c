/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that the guest itself answers, through its agent: file systems, users, time; and keys and signals sent to it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/keys.h"
#include "tools/virsh/output.h"

/* ---- file systems ---- */

typedef struct {
    int (*call)(virDomainPtr domain, const char **mountpoints, unsigned int n, unsigned int flags);
    const char *done, *failed;
} FreezeVerb;

static const FreezeVerb freeze_verb = {virDomainFSFreeze, "Froze", "Unable to freeze filesystems"};
static const FreezeVerb thaw_verb = {virDomainFSThaw, "Thawed", "Unable to thaw filesystems"};

static bool
cmd_freeze(Shell *shell, const Args *args)
{
    const FreezeVerb *verb = args_detail(args);
    gsize count;
    const char *const *points = args_words(args, "mountpoint", &count);
    g_autoptr(virDomain) domain = args_domain(shell, args);
    int n = domain ? verb->call(domain, count ? (const char **)points : NULL, count, 0) : -1;

    if (n < 0)
        return domain && shell_fail(shell, "%s", verb->failed);
    shell_note(shell, "%s %d filesystem(s)\n", verb->done, n);
    return true;
}

static const Option freeze_options[] = {
    ACTIVE_DOMAIN,
    WORDS("mountpoint", "only these; none: all"),
    END_OF_OPTIONS,
};

static bool
cmd_domfsinfo(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Mountpoint", "Name", "Type", "Target", NULL};
    static const char *const keys[] = {"mountpoint", "name", "type", "target", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    g_autoptr(virDomain) domain = args_domain(shell, args);
    virDomainFSInfoPtr *info = NULL;
    int n = domain ? virDomainGetFSInfo(domain, &info, 0) : -1;

    if (n < 0)
        return domain && shell_fail(shell, "Unable to get filesystem information");
    for (int i = 0; i < n; i++) {
        g_autoptr(GString) targets = g_string_new(NULL);
        for (gsize k = 0; k < info[i]->ndevAlias; k++)
            g_string_append_printf(targets, "%s%s", k ? "," : "", info[i]->devAlias[k]);
        table_text(table, info[i]->mountpoint);
        table_text(table, info[i]->name);
        table_text(table, info[i]->fstype);
        table_text(table, targets->str);
        virDomainFSInfoFree(info[i]);
    }
    free(info);
    if (n || shell_wants_json(shell))
        table_print(shell, table);
    else
        shell_note(shell, "No filesystems are mounted in the domain");
    return true;
}

static bool
cmd_domfstrim(Shell *shell, const Args *args)
{
    unsigned long long minimum = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_bytes(shell, args, "minimum", 1, &minimum))
        return false;
    domain = args_domain(shell, args);
    return domain && (virDomainFSTrim(domain, args_text(args, "mountpoint"), minimum, 0) >= 0 ||
                      shell_fail(shell, "Unable to invoke fstrim"));
}

static const Option domfstrim_options[] = {
    ACTIVE_DOMAIN,
    NUMBER("minimum", "leave free ranges shorter than this; bytes, or with a unit"),
    TEXT("mountpoint", "only this one"),
    END_OF_OPTIONS,
};

static const Option domain_only[] = {
    ACTIVE_DOMAIN,
    END_OF_OPTIONS,
};

/* ---- facts ---- */

static bool
cmd_guestinfo(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"user", VIR_DOMAIN_GUEST_INFO_USERS},
        {"os", VIR_DOMAIN_GUEST_INFO_OS},
        {"timezone", VIR_DOMAIN_GUEST_INFO_TIMEZONE},
        {"hostname", VIR_DOMAIN_GUEST_INFO_HOSTNAME},
        {"filesystem", VIR_DOMAIN_GUEST_INFO_FILESYSTEM},
        {"disk", VIR_DOMAIN_GUEST_INFO_DISKS},
        {"interface", VIR_DOMAIN_GUEST_INFO_INTERFACES},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    virTypedParameterPtr params = NULL;
    int n = 0;

    if (!domain || virDomainGetGuestInfo(domain, ARGS_BITS(args, bits), &params, &n, 0) < 0)
        return false;
    params_print(shell, params, n, "%-20s: %s\n");
    virTypedParamsFree(params, n);
    return true;
}

static const Option guestinfo_options[] = {
    ACTIVE_DOMAIN,
    FLAG("user", "users that are logged in"),
    FLAG("os", "the operating system"),
    FLAG("timezone", "the time zone"),
    FLAG("hostname", "the host name"),
    FLAG("filesystem", "mounted file systems"),
    FLAG("disk", "disks"),
    FLAG("interface", "network interfaces"),
    END_OF_OPTIONS,
};

static bool
cmd_domhostname(Shell *shell, const Args *args)
{
    static const char *const sources[] = {"lease", "agent", NULL};
    static const unsigned int bits[] = {VIR_DOMAIN_GET_HOSTNAME_LEASE,
                                        VIR_DOMAIN_GET_HOSTNAME_AGENT};
    int source = -1;
    g_autoptr(virDomain) domain = NULL;
    g_autofree char *name = NULL;

    if (!args_word(shell, args, "source", sources, &source))
        return false;
    domain = args_domain(shell, args);
    name = domain ? virDomainGetHostname(domain, source < 0 ? 0 : bits[source]) : NULL;
    if (!name)
        return domain && shell_fail(shell, "failed to get hostname");
    print_value(shell, "hostname", name);
    return true;
}

static const Option domhostname_options[] = {
    ACTIVE_DOMAIN,
    CHOICE("source", "lease,agent", "who is asked"),
    END_OF_OPTIONS,
};

static bool
cmd_domtime(Shell *shell, const Args *args)
{
    bool set = args_has(args, "time"), now = args_has(args, "now"), sync = args_has(args, "sync");
    long long seconds = 0;
    unsigned int nanoseconds = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_exclude(shell, args, "time", "now") || !args_exclude(shell, args, "time", "sync") ||
        !args_exclude(shell, args, "now", "sync") || !args_llong(shell, args, "time", &seconds))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (set || now || sync)
        return virDomainSetTime(domain, now ? g_get_real_time() / G_USEC_PER_SEC : seconds, 0,
                                sync ? VIR_DOMAIN_TIME_SYNC : 0) >= 0;
    if (virDomainGetTime(domain, &seconds, &nanoseconds, 0) < 0)
        return false;
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(seconds);
    g_autofree char *text =
        args_has(args, "pretty") && when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : NULL;
    if (shell_wants_json(shell))
        shell_print(shell, "{\"seconds\":%lld,\"nanoseconds\":%u}\n", seconds, nanoseconds);
    else if (text)
        shell_print(shell, "Time: %s", text);
    else
        shell_print(shell, "Time: %lld", seconds);
    return true;
}

static const Option domtime_options[] = {
    ACTIVE_DOMAIN,
    FLAG("now", "set the guest's clock to this host's"),
    FLAG("pretty", "print it for people, in UTC"),
    FLAG("sync", "set the guest's clock from its own RTC"),
    NUMBER("time", "set the guest's clock to so many seconds since 1970"),
    END_OF_OPTIONS,
};

/* ---- users ---- */

static bool
cmd_set_user_password(Shell *shell, const Args *args)
{
    const char *user = args_text(args, "user");
    unsigned int flags = args_has(args, "encrypted") ? VIR_DOMAIN_PASSWORD_ENCRYPTED : 0;
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (!domain || virDomainSetUserPassword(domain, user, args_text(args, "password"), flags) < 0)
        return false;
    shell_note(shell, "Password set successfully for %s in %s", user, virDomainGetName(domain));
    return true;
}

static const Option set_user_password_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED("user", "name of the user"),
    REQUIRED("password", "the new password"),
    FLAG("encrypted", "the password is encrypted as the guest stores it"),
    END_OF_OPTIONS,
};

static bool
cmd_get_user_sshkeys(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Key", NULL}, *const keys[] = {"key", NULL};
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(Table) table = table_new(headings, keys);
    char **found = NULL;
    int n = domain ? virDomainAuthorizedSSHKeysGet(domain, args_text(args, "user"), &found, 0) : -1;

    for (int i = 0; i < n; i++) {
        if (shell_wants_json(shell))
            table_text(table, found[i]);
        else
            shell_print(shell, "%s", found[i]);
        free(found[i]);
    }
    free(found);
    if (n >= 0 && shell_wants_json(shell))
        table_print(shell, table);
    return n >= 0;
}

static const Option get_user_sshkeys_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED("user", "name of the user"),
    END_OF_OPTIONS,
};

static bool
cmd_set_user_sshkeys(Shell *shell, const Args *args)
{
    unsigned int flags = args_has(args, "remove")  ? VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE
                         : args_has(args, "reset") ? 0
                                                   : VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND;
    g_autofree char *text = NULL;
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    g_autoptr(virDomain) domain = NULL;

    if (!args_exclude(shell, args, "reset", "remove"))
        return false;
    if (!args_has(args, "file") && !args_has(args, "reset"))
        return shell_fail(shell, "Option --file is required");
    if (args_has(args, "file") && !(text = args_file(shell, args, "file")))
        return false;
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    for (char **line = lines; *line; line++) {
        if (*g_strstrip(*line))
            g_ptr_array_add(keys, *line);
    }
    if (args_has(args, "file") && !keys->len)
        return shell_fail(shell, "File '%s' contains no keys", args_text(args, "file"));
    domain = args_domain(shell, args);
    return domain &&
           virDomainAuthorizedSSHKeysSet(domain, args_text(args, "user"),
                                         (const char **)keys->pdata, keys->len, flags) >= 0;
}

static const Option set_user_sshkeys_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED("user", "name of the user"),
    TEXT_OF("file", NULL, "file with public keys, one a line"),
    FLAG("reset", "replace the present keys"),
    FLAG("remove", "take these keys away"),
    END_OF_OPTIONS,
};

/* ---- keys and signals ---- */

static bool
cmd_send_key(Shell *shell, const Args *args)
{
    static const char *const sets[] = {"linux",  "xt",  "atset1", "atset2", "atset3", "os_x",
                                       "xt_kbd", "usb", "win32",  "qnum",   NULL};
    unsigned int codes[VIR_DOMAIN_SEND_KEY_MAX_KEYS], holdtime = 0;
    int set = VIR_KEYCODE_SET_LINUX;
    gsize count;
    const char *const *words = args_words(args, "keycode", &count);
    g_autoptr(virDomain) domain = NULL;

    if (args_text(args, "codeset") && g_str_equal(args_text(args, "codeset"), "rfb"))
        set = VIR_KEYCODE_SET_QNUM;
    else if (!args_word(shell, args, "codeset", sets, &set))
        return false;
    if (!args_uint(shell, args, "holdtime", &holdtime))
        return false;
    if (count > G_N_ELEMENTS(codes))
        return shell_fail(shell, "too many keycodes: at most %d", VIR_DOMAIN_SEND_KEY_MAX_KEYS);
    for (gsize i = 0; i < count; i++) {
        char *end;
        int named = set == VIR_KEYCODE_SET_LINUX ? key_code(words[i]) : -1;
        unsigned long number = strtoul(words[i], &end, 0);
        if (named < 0 && (!g_ascii_isdigit(*words[i]) || *end || number > 0xffff))
            return shell_fail(shell, "invalid keycode: '%s'", words[i]);
        codes[i] = named >= 0 ? (unsigned int)named : number;
    }
    domain = args_domain(shell, args);
    return domain && virDomainSendKey(domain, set, holdtime, codes, count, 0) >= 0;
}

static const Option send_key_options[] = {
    ACTIVE_DOMAIN,
    NAMED_CHOICE("codeset", "linux,xt,atset1,atset2,atset3,os_x,xt_kbd,usb,win32,qnum,rfb",
                 "what the numbers mean; none: linux"),
    NAMED_NUMBER("holdtime", "milliseconds the keys are held"),
    REQUIRED_WORDS("keycode", "keys pressed together: names of the linux set, or numbers"),
    END_OF_OPTIONS,
};

static bool
cmd_send_process_signal(Shell *shell, const Args *args)
{
    static const char *const names[] = {
        "nop",  "hup",  "int",  "quit", "ill",    "trap",   "abrt",  "bus",  "fpe",  "kill", "usr1",
        "segv", "usr2", "pipe", "alrm", "term",   "stkflt", "chld",  "cont", "stop", "tstp", "ttin",
        "ttou", "urg",  "xcpu", "xfsz", "vtalrm", "prof",   "winch", "poll", "pwr",  "sys",  NULL};
    const char *text = args_text(args, "signame"), *prefixes[] = {"SIG_", "SIG", ""};
    long long pid = 0;
    int number = -1;
    g_autoptr(virDomain) domain = NULL;

    if (!args_llong(shell, args, "pid", &pid))
        return false;
    if (g_ascii_isdigit(*text) && !args_int(shell, args, "signame", &number))
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes) && number < 0; i++) {
        gsize skip = strlen(prefixes[i]);
        for (int s = 0; names[s] && g_ascii_strncasecmp(text, prefixes[i], skip) == 0; s++)
            number = g_ascii_strcasecmp(text + skip, names[s]) == 0 ? s : number;
    }
    if (number < 0)
        return shell_fail(shell, "malformed signal name: %s", text);
    domain = args_domain(shell, args);
    return domain && virDomainSendProcessSignal(domain, pid, number, 0) >= 0;
}

static const Option send_process_signal_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED("pid", "number of the process in the guest"),
    REQUIRED("signame", "signal: term, SIGKILL, 9"),
    END_OF_OPTIONS,
};

static bool
cmd_guest_agent_timeout(Shell *shell, const Args *args)
{
    int seconds = VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK;
    g_autoptr(virDomain) domain = NULL;

    if (!args_int(shell, args, "timeout", &seconds))
        return false;
    domain = args_domain(shell, args);
    return domain && virDomainAgentSetResponseTimeout(domain, seconds, 0) >= 0;
}

static const Option guest_agent_timeout_options[] = {
    DOMAIN,
    NAMED_NUMBER("timeout", "seconds; -2: for ever (the default), -1: the hypervisor's, 0: none"),
    END_OF_OPTIONS,
};

const Command guest_commands[] = {
    {"domfsfreeze", cmd_freeze, freeze_options, "freeze file systems of a guest", 0, NULL,
     &freeze_verb},
    {"domfsinfo", cmd_domfsinfo, domain_only, "mounted file systems of a guest", COMMAND_JSON, NULL,
     NULL},
    {"domfsthaw", cmd_freeze, freeze_options, "thaw file systems of a guest", 0, NULL, &thaw_verb},
    {"domfstrim", cmd_domfstrim, domfstrim_options, "give unused blocks of a guest back", 0, NULL,
     NULL},
    {"domhostname", cmd_domhostname, domhostname_options, "host name of a guest", COMMAND_JSON,
     NULL, NULL},
    {"get-user-sshkeys", cmd_get_user_sshkeys, get_user_sshkeys_options,
     "SSH keys that open a guest's account", COMMAND_JSON, NULL, NULL},
    {"guest-agent-timeout", cmd_guest_agent_timeout, guest_agent_timeout_options,
     "how long to wait for a guest's agent", 0, NULL, NULL},
    {"guestinfo", cmd_guestinfo, guestinfo_options, "what the guest says about itself",
     COMMAND_JSON, NULL, NULL},
    {"send-key", cmd_send_key, send_key_options, "press keys of a guest's keyboard", 0,
     "Examples:\n  virsh send-key web1 KEY_LEFTCTRL KEY_LEFTALT KEY_DELETE\n"
     "  virsh send-key web1 --codeset usb 0x28",
     NULL},
    {"send-process-signal", cmd_send_process_signal, send_process_signal_options,
     "send a signal to a process of a guest", 0, NULL, NULL},
    {"set-user-password", cmd_set_user_password, set_user_password_options,
     "set the password of a guest's account", 0, NULL, NULL},
    {"set-user-sshkeys", cmd_set_user_sshkeys, set_user_sshkeys_options,
     "set SSH keys that open a guest's account", 0, NULL, NULL},
    {0},
};

const Command guest_monitor_commands[] = {
    {"domtime", cmd_domtime, domtime_options, "show or set a guest's clock", COMMAND_JSON, NULL,
     NULL},
    {0},
};
