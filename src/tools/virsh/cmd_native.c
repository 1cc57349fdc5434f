/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains seen from below: dumps of memory, other formats, launch security, descriptors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/job.h"
#include "tools/virsh/output.h"

/* ---- dump ---- */

typedef struct {
    const char *path;
    int format;
    unsigned int flags;
} DumpTo;

static int
dump_now(virDomainPtr domain, void *opaque)
{
    const DumpTo *to = opaque;

    return to->format ? virDomainCoreDumpWithFormat(domain, to->path, to->format, to->flags)
                      : virDomainCoreDump(domain, to->path, to->flags);
}

static bool
cmd_dump(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"live", VIR_DUMP_LIVE},
        {"crash", VIR_DUMP_CRASH},
        {"reset", VIR_DUMP_RESET},
        {"bypass-cache", VIR_DUMP_BYPASS_CACHE},
        {"memory-only", VIR_DUMP_MEMORY_ONLY},
    };
    static const char *const formats[] = {"elf",          "kdump-zlib", "kdump-lzo",
                                          "kdump-snappy", "win-dmp",    NULL};
    g_autofree char *absolute = g_canonicalize_filename(args_text(args, "file"), NULL);
    DumpTo to = {absolute, 0, ARGS_BITS(args, bits)};
    g_autoptr(virDomain) domain = NULL;

    if (!args_exclude(shell, args, "live", "crash") ||
        !args_exclude(shell, args, "live", "reset") ||
        !args_exclude(shell, args, "crash", "reset") ||
        !args_need(shell, args, "format", "memory-only") ||
        !args_word(shell, args, "format", formats, &to.format))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (!job_watch(shell, domain, dump_now, &to, args_has(args, "verbose") ? "Dump" : NULL))
        return shell_fail(shell, "Failed to core dump domain '%s' to %s", virDomainGetName(domain),
                          args_text(args, "file"));
    shell_note(shell, "Domain '%s' dumped to %s\n", virDomainGetName(domain),
               args_text(args, "file"));
    return true;
}

static const Option dump_options[] = {
    ACTIVE_DOMAIN,
    FILE_ARGUMENT("where to dump to"),
    FLAG("live", "let the guest run meanwhile"),
    FLAG("crash", "leave the guest crashed afterwards"),
    FLAG("bypass-cache", "write past the page cache"),
    FLAG("reset", "reset the guest afterwards"),
    FLAG("verbose", "show the progress"),
    FLAG("memory-only", "memory and registers only, for debuggers"),
    CHOICE("format", "elf,kdump-zlib,kdump-lzo,kdump-snappy,win-dmp", "format of --memory-only"),
    END_OF_OPTIONS,
};

/* ---- other formats ---- */

static bool
cmd_from_native(Shell *shell, const Args *args)
{
    g_autofree char *config = args_file(shell, args, "config");
    g_autofree char *xml = config
                               ? virConnectDomainXMLFromNative(shell_connection(shell),
                                                               args_text(args, "format"), config, 0)
                               : NULL;

    if (xml)
        print_xml(shell, xml);
    return xml != NULL;
}

static const Option from_native_options[] = {
    REQUIRED_CHOICE("format", "qemu-argv,xen-xl,xen-xm,lxc-tools,vmware-vmx", "format of the file"),
    REQUIRED_OF("config", NULL, "file to convert"),
    END_OF_OPTIONS,
};

static bool
cmd_to_native(Shell *shell, const Args *args)
{
    g_autofree char *xml = NULL, *config = NULL;
    g_autoptr(virDomain) domain = NULL;

    if (!args_exclude(shell, args, "domain", "xml"))
        return false;
    if (args_has(args, "xml")) {
        xml = args_file(shell, args, "xml");
    } else if (args_has(args, "domain")) {
        domain = args_domain(shell, args);
        xml = domain ? virDomainGetXMLDesc(domain, 0) : NULL;
    } else {
        return shell_fail(shell, "need either domain or domain XML");
    }
    config = xml ? virConnectDomainXMLToNative(shell_connection(shell), args_text(args, "format"),
                                               xml, 0)
                 : NULL;
    if (!config)
        return false;
    if (shell_wants_json(shell))
        print_value(shell, "config", config);
    else
        shell_print(shell, "%s\n", config);
    return true;
}

static const Option to_native_options[] = {
    REQUIRED_CHOICE("format", "qemu-argv,xen-xl,xen-xm", "format to convert to"),
    {"domain", OPTION_STRING, OPTION_NAMED, "name, id or uuid of the domain", complete_domain,
     NULL},
    TEXT_OF("xml", NULL, "file with the domain's XML"),
    END_OF_OPTIONS,
};

/* ---- launch security ---- */

static bool
cmd_launchsecinfo(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    virTypedParameterPtr params = NULL;
    int n = 0;

    if (!domain || virDomainGetLaunchSecurityInfo(domain, &params, &n, 0) < 0)
        return domain && shell_fail(shell, "Unable to get launch security parameters");
    params_print(shell, params, n, "%-15s: %s\n");
    virTypedParamsFree(params, n);
    return true;
}

static bool
cmd_setlaunchsecstate(Shell *shell, const Args *args)
{
    g_autofree char *header = NULL, *secret = NULL;
    unsigned long long address = 0;
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_has(args, "secrethdr") || !args_has(args, "secret"))
        return shell_fail(shell, "Both --secrethdr and --secret are required");
    if (!args_ullong(shell, args, "set-address", &address))
        return false;
    header = args_file(shell, args, "secrethdr");
    secret = header ? args_file(shell, args, "secret") : NULL;
    domain = secret ? args_domain(shell, args) : NULL;
    if (!domain)
        return false;
    virTypedParamsAddString(&params, &n, &room, VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_HEADER,
                            header);
    virTypedParamsAddString(&params, &n, &room, VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET, secret);
    if (args_has(args, "set-address"))
        virTypedParamsAddULLong(&params, &n, &room,
                                VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_SET_ADDRESS, address);
    bool good = virDomainSetLaunchSecurityState(domain, params, n, 0) >= 0;
    virTypedParamsFree(params, n);
    return good;
}

static const Option domain_only[] = {
    ACTIVE_DOMAIN,
    END_OF_OPTIONS,
};

static const Option setlaunchsecstate_options[] = {
    ACTIVE_DOMAIN,
    {"secrethdr", OPTION_STRING, OPTION_NAMED, "file with the secret's header", NULL, NULL},
    {"secret", OPTION_STRING, OPTION_NAMED, "file with the secret", NULL, NULL},
    NUMBER("set-address", "guest address that receives it"),
    END_OF_OPTIONS,
};

/* ---- descriptors ---- */

static bool
cmd_fd_associate(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"seclabel-writable", VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE},
        {"seclabel-restore", VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_RESTORE},
    };
    g_autofree int *fds = NULL;
    unsigned int n = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_fds(shell, args, "pass-fds", &fds, &n))
        return false;
    domain = args_domain(shell, args);
    return domain && virDomainFDAssociate(domain, args_text(args, "name"), n, fds,
                                          ARGS_BITS(args, bits)) >= 0;
}

static const Option fd_associate_options[] = {
    DOMAIN,
    REQUIRED("name", "name that the domain's XML uses for them"),
    REQUIRED("pass-fds", "descriptors of ours: 5,6"),
    FLAG("seclabel-writable", "the guest may write to them"),
    FLAG("seclabel-restore", "give them their label back afterwards"),
    END_OF_OPTIONS,
};

const Command native_commands[] = {
    {"dom-fd-associate", cmd_fd_associate, fd_associate_options,
     "give a domain descriptors to use for its disks", 0, NULL, NULL},
    {"domlaunchsecinfo", cmd_launchsecinfo, domain_only, "launch security of a guest", COMMAND_JSON,
     NULL, NULL},
    {"domsetlaunchsecstate", cmd_setlaunchsecstate, setlaunchsecstate_options,
     "put a secret into a guest's protected memory", 0, NULL, NULL},
    {"domxml-from-native", cmd_from_native, from_native_options,
     "convert another format to domain XML", COMMAND_JSON, NULL, NULL},
    {"domxml-to-native", cmd_to_native, to_native_options, "convert domain XML to another format",
     COMMAND_JSON, "Example:\n  virsh domxml-to-native qemu-argv --domain web1", NULL},
    {"dump", cmd_dump, dump_options, "write a guest's memory to a file, for debugging", 0,
     "Example:\n  virsh dump web1 /var/tmp/web1.core --memory-only --live", NULL},
    {0},
};
