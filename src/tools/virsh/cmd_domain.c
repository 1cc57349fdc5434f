/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands that change a domain: define, start, stop, describe. What only looks is in cmd_monitor.c. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/virsh/edit.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

/* ---- definition ---- */

static bool
cmd_define(Shell *shell, const Args *args)
{
    g_autofree char *xml = args_file(shell, args, "file");
    g_autoptr(virDomain) domain = NULL;

    if (!xml)
        return false;
    domain = virDomainDefineXMLFlags(shell_connection(shell), xml,
                                     args_has(args, "validate") ? VIR_DOMAIN_DEFINE_VALIDATE : 0);
    if (!domain)
        return shell_fail(shell, "Failed to define domain from %s", args_text(args, "file"));
    shell_note(shell, "Domain '%s' defined from %s\n\n", virDomainGetName(domain),
               args_text(args, "file"));
    return true;
}

static const Option define_options[] = {
    FILE_ARGUMENT("file with the domain's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static bool
cmd_create(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"paused", VIR_DOMAIN_START_PAUSED},
        {"autodestroy", VIR_DOMAIN_START_AUTODESTROY},
        {"validate", VIR_DOMAIN_START_VALIDATE},
        {"reset-nvram", VIR_DOMAIN_START_RESET_NVRAM},
    };
    g_autofree char *xml = args_file(shell, args, "file");
    g_autoptr(virDomain) domain = NULL;

    if (!xml)
        return false;
    domain = virDomainCreateXML(shell_connection(shell), xml, ARGS_BITS(args, bits));
    if (!domain)
        return shell_fail(shell, "Failed to create domain from %s", args_text(args, "file"));
    shell_note(shell, "Domain '%s' created from %s\n\n", virDomainGetName(domain),
               args_text(args, "file"));
    return !args_has(args, "console") || console_run(shell, domain, NULL, 0);
}

static const Option create_options[] = {
    FILE_ARGUMENT("file with the domain's XML"),
    FLAG("console", "attach to the console at once"),
    FLAG("paused", "leave the guest paused"),
    FLAG("autodestroy", "destroy the guest when virsh leaves"),
    FLAG("validate", "check the XML against the schema"),
    FLAG("reset-nvram", "start with the firmware's variables as the template has them"),
    END_OF_OPTIONS,
};

static bool
cmd_undefine(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"managed-save", VIR_DOMAIN_UNDEFINE_MANAGED_SAVE},
        {"snapshots-metadata", VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA},
        {"checkpoints-metadata", VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA},
        {"nvram", VIR_DOMAIN_UNDEFINE_NVRAM},
        {"keep-nvram", VIR_DOMAIN_UNDEFINE_KEEP_NVRAM},
        {"tpm", VIR_DOMAIN_UNDEFINE_TPM},
        {"keep-tpm", VIR_DOMAIN_UNDEFINE_KEEP_TPM},
    };
    g_autoptr(virDomain) domain = NULL;
    unsigned int flags = ARGS_BITS(args, bits);

    if (!args_exclude(shell, args, "nvram", "keep-nvram") ||
        !args_exclude(shell, args, "tpm", "keep-tpm"))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if ((flags ? virDomainUndefineFlags(domain, flags) : virDomainUndefine(domain)) < 0)
        return shell_fail(shell, "Failed to undefine domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' has been undefined\n\n", virDomainGetName(domain));
    return true;
}

static const Option undefine_options[] = {
    DOMAIN,
    FLAG("managed-save", "also drop the managed save image"),
    FLAG("snapshots-metadata", "also forget all snapshots (their files stay)"),
    FLAG("checkpoints-metadata", "also forget all checkpoints"),
    FLAG("nvram", "also remove the firmware's variables"),
    FLAG("keep-nvram", "keep the firmware's variables"),
    FLAG("tpm", "also remove the TPM's state"),
    FLAG("keep-tpm", "keep the TPM's state"),
    END_OF_OPTIONS,
};

static bool
cmd_dumpxml(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"inactive", VIR_DOMAIN_XML_INACTIVE},
        {"security-info", VIR_DOMAIN_XML_SECURE},
        {"update-cpu", VIR_DOMAIN_XML_UPDATE_CPU},
        {"migratable", VIR_DOMAIN_XML_MIGRATABLE},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *xml = domain ? virDomainGetXMLDesc(domain, ARGS_BITS(args, bits)) : NULL;

    if (!xml)
        return false;
    print_xml(shell, xml);
    return true;
}

static const Option dumpxml_options[] = {
    DOMAIN,
    FLAG("inactive", "what the next start will use"),
    FLAG("security-info", "with passwords"),
    FLAG("update-cpu", "with the CPU as the host makes it"),
    FLAG("migratable", "as it would go to another host"),
    END_OF_OPTIONS,
};

static char *
get_domain_xml(void *object)
{
    virDomainPtr domain = object;
    char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);

    return xml;
}

static bool
put_domain_xml(Shell *shell, void *object, const char *xml, bool validate)
{
    g_autoptr(virDomain) defined = virDomainDefineXMLFlags(
        shell_connection(shell), xml, validate ? VIR_DOMAIN_DEFINE_VALIDATE : 0);

    return defined != NULL;
}

static bool
cmd_edit(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *what = NULL;

    if (!domain)
        return false;
    what = g_strdup_printf("Domain '%s' XML configuration", virDomainGetName(domain));
    return edit_xml(shell, what, domain, get_domain_xml, put_domain_xml,
                    !args_has(args, "skip-validate"));
}

static const Option edit_options[] = {
    DOMAIN,
    FLAG("skip-validate", "do not check the XML against the schema"),
    END_OF_OPTIONS,
};

/* ---- run state ---- */

static bool
cmd_start(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"paused", VIR_DOMAIN_START_PAUSED},
        {"autodestroy", VIR_DOMAIN_START_AUTODESTROY},
        {"bypass-cache", VIR_DOMAIN_START_BYPASS_CACHE},
        {"force-boot", VIR_DOMAIN_START_FORCE_BOOT},
        {"reset-nvram", VIR_DOMAIN_START_RESET_NVRAM},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned int flags = ARGS_BITS(args, bits);

    if (!domain)
        return false;
    if (virDomainGetID(domain) != (unsigned int)-1)
        return shell_fail(shell, "Domain is already active");
    if ((flags ? virDomainCreateWithFlags(domain, flags) : virDomainCreate(domain)) < 0)
        return shell_fail(shell, "Failed to start domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' started\n\n", virDomainGetName(domain));
    return !args_has(args, "console") || console_run(shell, domain, NULL, 0);
}

static const Option start_options[] = {
    DOMAIN,
    FLAG("console", "attach to the console at once"),
    FLAG("paused", "leave the guest paused"),
    FLAG("autodestroy", "destroy the guest when virsh leaves"),
    FLAG("bypass-cache", "read a managed save image past the page cache"),
    FLAG("force-boot", "drop a managed save image and boot"),
    FLAG("reset-nvram", "start with the firmware's variables as the template has them"),
    END_OF_OPTIONS,
};

/* One verb on one domain, with the sentence of success and that of failure. */
static bool
act(Shell *shell, const Args *args, int (*verb)(virDomainPtr), const char *done, const char *failed)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (!domain)
        return false;
    if (verb(domain) < 0)
        return shell_fail(shell, "Failed to %s domain '%s'", failed, virDomainGetName(domain));
    shell_note(shell, "Domain '%s' %s\n\n", virDomainGetName(domain), done);
    return true;
}

static bool
cmd_suspend(Shell *shell, const Args *args)
{
    return act(shell, args, virDomainSuspend, "suspended", "suspend");
}

static bool
cmd_resume(Shell *shell, const Args *args)
{
    return act(shell, args, virDomainResume, "resumed", "resume");
}

static int
reset_domain(virDomainPtr domain)
{
    return virDomainReset(domain, 0);
}

static bool
cmd_reset(Shell *shell, const Args *args)
{
    return act(shell, args, reset_domain, "was reset", "reset");
}

static const Option domain_only[] = {
    DOMAIN,
    END_OF_OPTIONS,
};

/* --mode acpi,agent,... into the bits of @bits; false for a word that is none of them. */
static bool
parse_modes(Shell *shell, const Args *args, const FlagBit *bits, gsize n, unsigned int *flags)
{
    const char *text = args_text(args, "mode");
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);

    for (char **word = words; *word; word++) {
        gsize i = 0;
        while (i < n && !g_str_equal(bits[i].option, *word))
            i++;
        if (i == n)
            return shell_fail(
                shell,
                "Unknown mode %s value, expecting 'acpi', 'agent', 'initctl', 'signal', or "
                "'paravirt'",
                *word);
        *flags |= bits[i].bit;
    }
    return true;
}

static bool
cmd_shutdown(Shell *shell, const Args *args)
{
    static const FlagBit modes[] = {
        {"acpi", VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN}, {"agent", VIR_DOMAIN_SHUTDOWN_GUEST_AGENT},
        {"initctl", VIR_DOMAIN_SHUTDOWN_INITCTL},     {"signal", VIR_DOMAIN_SHUTDOWN_SIGNAL},
        {"paravirt", VIR_DOMAIN_SHUTDOWN_PARAVIRT},
    };
    unsigned int flags = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!parse_modes(shell, args, modes, G_N_ELEMENTS(modes), &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if ((flags ? virDomainShutdownFlags(domain, flags) : virDomainShutdown(domain)) < 0)
        return shell_fail(shell, "Failed to shutdown domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' is being shutdown\n\n", virDomainGetName(domain));
    return true;
}

static bool
cmd_reboot(Shell *shell, const Args *args)
{
    static const FlagBit modes[] = {
        {"acpi", VIR_DOMAIN_REBOOT_ACPI_POWER_BTN}, {"agent", VIR_DOMAIN_REBOOT_GUEST_AGENT},
        {"initctl", VIR_DOMAIN_REBOOT_INITCTL},     {"signal", VIR_DOMAIN_REBOOT_SIGNAL},
        {"paravirt", VIR_DOMAIN_REBOOT_PARAVIRT},
    };
    unsigned int flags = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!parse_modes(shell, args, modes, G_N_ELEMENTS(modes), &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainReboot(domain, flags) < 0)
        return shell_fail(shell, "Failed to reboot domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' is being rebooted\n\n", virDomainGetName(domain));
    return true;
}

static const Option shutdown_options[] = {
    DOMAIN,
    TEXT("mode", "how to ask, a list of: acpi, agent, initctl, signal, paravirt"),
    END_OF_OPTIONS,
};

static bool
cmd_destroy(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"graceful", VIR_DOMAIN_DESTROY_GRACEFUL},
        {"remove-logs", VIR_DOMAIN_DESTROY_REMOVE_LOGS},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned int flags = ARGS_BITS(args, bits);

    if (!domain)
        return false;
    if ((flags ? virDomainDestroyFlags(domain, flags) : virDomainDestroy(domain)) < 0)
        return shell_fail(shell, "Failed to destroy domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' destroyed\n\n", virDomainGetName(domain));
    return true;
}

static const Option destroy_options[] = {
    DOMAIN,
    FLAG("graceful", "fail rather than kill a guest that does not end"),
    FLAG("remove-logs", "also remove the guest's log"),
    END_OF_OPTIONS,
};

static bool
cmd_autostart(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    bool off = args_has(args, "disable");

    if (!domain)
        return false;
    if (virDomainSetAutostart(domain, !off) < 0)
        return shell_fail(shell,
                          off ? "Failed to unmark domain '%s' as autostarted"
                              : "Failed to mark domain '%s' as autostarted",
                          virDomainGetName(domain));
    shell_note(shell, "Domain '%s' %s as autostarted\n\n", virDomainGetName(domain),
               off ? "unmarked" : "marked");
    return true;
}

static const Option autostart_options[] = {
    DOMAIN,
    FLAG("disable", "do not start it with the host any more"),
    END_OF_OPTIONS,
};

static bool
cmd_domrename(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (!domain)
        return false;
    if (virDomainRename(domain, args_text(args, "new-name"), 0) < 0)
        return shell_fail(shell, "Failed to rename domain");
    shell_note(shell, "Domain successfully renamed\n\n");
    return true;
}

static const Option domrename_options[] = {
    DOMAIN,
    REQUIRED("new-name", "the new name"),
    END_OF_OPTIONS,
};

/* ---- saved state ---- */

static bool
cmd_save(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"bypass-cache", VIR_DOMAIN_SAVE_BYPASS_CACHE},
        {"running", VIR_DOMAIN_SAVE_RUNNING},
        {"paused", VIR_DOMAIN_SAVE_PAUSED},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *xml = NULL;
    const char *path = args_text(args, "file");
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    unsigned int flags = ARGS_BITS(args, bits);

    if (!domain || (args_has(args, "xml") && !(xml = args_file(shell, args, "xml"))))
        return false;
    if ((flags || xml ? virDomainSaveFlags(domain, absolute, xml, flags)
                      : virDomainSave(domain, absolute)) < 0)
        return shell_fail(shell, "Failed to save domain '%s' to %s", virDomainGetName(domain),
                          path);
    shell_note(shell, "Domain '%s' saved to %s\n\n", virDomainGetName(domain), path);
    return true;
}

static const Option save_options[] = {
    DOMAIN,
    FILE_ARGUMENT("where to save"),
    FLAG("bypass-cache", "write past the page cache"),
    TEXT("xml", "file with the XML to use at restore"),
    FLAG("running", "let it run after restore"),
    FLAG("paused", "leave it paused after restore"),
    END_OF_OPTIONS,
};

static bool
cmd_restore(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"bypass-cache", VIR_DOMAIN_SAVE_BYPASS_CACHE},
        {"running", VIR_DOMAIN_SAVE_RUNNING},
        {"paused", VIR_DOMAIN_SAVE_PAUSED},
        {"reset-nvram", VIR_DOMAIN_SAVE_RESET_NVRAM},
    };
    g_autofree char *xml = NULL;
    const char *path = args_text(args, "file");
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    unsigned int flags = ARGS_BITS(args, bits);
    virConnectPtr conn = shell_connection(shell);

    if (args_has(args, "xml") && !(xml = args_file(shell, args, "xml")))
        return false;
    if ((flags || xml ? virDomainRestoreFlags(conn, absolute, xml, flags)
                      : virDomainRestore(conn, absolute)) < 0)
        return shell_fail(shell, "Failed to restore domain from %s", path);
    shell_note(shell, "Domain restored from %s\n\n", path);
    return true;
}

static const Option restore_options[] = {
    FILE_ARGUMENT("the saved state"),
    FLAG("bypass-cache", "read past the page cache"),
    TEXT("xml", "file with the XML to use"),
    FLAG("running", "let it run"),
    FLAG("paused", "leave it paused"),
    FLAG("reset-nvram", "start with the firmware's variables as the template has them"),
    END_OF_OPTIONS,
};

static bool
cmd_managedsave(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"bypass-cache", VIR_DOMAIN_SAVE_BYPASS_CACHE},
        {"running", VIR_DOMAIN_SAVE_RUNNING},
        {"paused", VIR_DOMAIN_SAVE_PAUSED},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (!domain)
        return false;
    if (virDomainManagedSave(domain, ARGS_BITS(args, bits)) < 0)
        return shell_fail(shell, "Failed to save domain '%s' state", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' state saved by libvirt\n\n", virDomainGetName(domain));
    return true;
}

static const Option managedsave_options[] = {
    DOMAIN,
    FLAG("bypass-cache", "write past the page cache"),
    FLAG("running", "let it run at the next start"),
    FLAG("paused", "leave it paused at the next start"),
    END_OF_OPTIONS,
};

static bool
cmd_managedsave_remove(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    int has = domain ? virDomainHasManagedSaveImage(domain, 0) : -1;

    if (has < 0)
        return domain && shell_fail(shell, "Failed to check for domain managed save image");
    if (has && virDomainManagedSaveRemove(domain, 0) < 0)
        return shell_fail(shell, "Failed to remove managed save image for domain '%s'",
                          virDomainGetName(domain));
    shell_note(shell,
               has ? "Removed managedsave image for domain '%s'\n\n"
                   : "Domain '%s' has no manage save image; removal skipped\n\n",
               virDomainGetName(domain));
    return true;
}

/* ---- title, description, metadata ---- */

static bool
cmd_desc(Shell *shell, const Args *args)
{
    bool title = args_has(args, "title");
    const char *what = title ? "title" : "description";
    int type = title ? VIR_DOMAIN_METADATA_TITLE : VIR_DOMAIN_METADATA_DESCRIPTION;
    gsize count;
    const char *const *words = args_words(args, "new-desc", &count);
    g_autoptr(virDomain) domain = NULL;
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    g_autofree char *present = virDomainGetMetadata(domain, type, NULL, flags);
    if (!present && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA)
        return false;
    virResetLastError();
    if (!count && !args_has(args, "edit")) {
        if (shell_wants_json(shell))
            print_value(shell, what, present);
        else if (present && *present)
            shell_print(shell, "%s\n\n", present);
        else
            shell_print(shell, "No %s for domain: %s\n\n", what, virDomainGetName(domain));
        return true;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < count; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", words[i]);
    if (args_has(args, "edit")) {
        g_autofree char *edited = edit_text(shell, count ? text->str : present ? present : "");
        if (!edited)
            return false;
        g_string_assign(text, edited);
        while (text->len && text->str[text->len - 1] == '\n')
            g_string_truncate(text, text->len - 1);
    }
    if (virDomainSetMetadata(domain, type, text->str, NULL, NULL, flags) < 0)
        return shell_fail(shell, "Failed to set new domain %s", what);
    shell_note(shell, "Domain %s updated successfully\n", what);
    return true;
}

static const Option desc_options[] = {
    DOMAIN,
    FLAG("live", "of the running guest"),
    FLAG("config", "of the next start"),
    FLAG("current", "of the present state"),
    FLAG("title", "the title instead of the description"),
    FLAG("edit", "open an editor"),
    WORDS("new-desc", "the new text"),
    END_OF_OPTIONS,
};

static bool
cmd_metadata(Shell *shell, const Args *args)
{
    const char *uri = args_text(args, "uri"), *set = args_text(args, "set");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_exclude(shell, args, "set", "remove"))
        return false;
    if (set && !args_text(args, "key"))
        return shell_fail(shell, "namespace key is required when modifying metadata");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (set || args_has(args, "remove")) {
        if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, set, args_text(args, "key"),
                                 uri, flags) < 0)
            return false;
        shell_note(shell, set ? "Metadata modified\n" : "Metadata removed\n");
        return true;
    }
    g_autofree char *xml = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, uri, flags);
    if (!xml)
        return false;
    print_xml(shell, xml);
    return true;
}

static const Option metadata_options[] = {
    DOMAIN,
    REQUIRED("uri", "namespace of the element"),
    FLAG("live", "of the running guest"),
    FLAG("config", "of the next start"),
    FLAG("current", "of the present state"),
    TEXT("key", "prefix to use for the namespace"),
    TEXT("set", "new XML of the element"),
    FLAG("remove", "remove the element"),
    END_OF_OPTIONS,
};

/* ---- small things to do to a running guest ---- */

static bool
cmd_inject_nmi(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    return domain && virDomainInjectNMI(domain, 0) >= 0;
}

static bool
cmd_setmem(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    unsigned long long kib = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_kib(shell, args, "size", &kib))
        return false;
    domain = args_domain(shell, args);
    return domain && (flags ? virDomainSetMemoryFlags(domain, kib, flags)
                            : virDomainSetMemory(domain, kib)) >= 0;
}

static bool
cmd_setmaxmem(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    unsigned long long kib = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_kib(shell, args, "size", &kib))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainSetMemoryFlags(domain, kib, flags | VIR_DOMAIN_MEM_MAXIMUM) < 0)
        return shell_fail(shell, "Unable to change MaxMemorySize");
    return true;
}

static const Option setmem_options[] = {
    DOMAIN,
    REQUIRED("size", "new size, KiB unless a unit follows"),
    FLAG("live", "of the running guest"),
    FLAG("config", "of the next start"),
    FLAG("current", "of the present state"),
    END_OF_OPTIONS,
};

static bool
cmd_setvcpus(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    int count = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_int(shell, args, "count", &count))
        return false;
    if (count <= 0)
        return shell_fail(shell, "Invalid number of virtual CPUs");
    flags |= args_has(args, "maximum") ? VIR_DOMAIN_VCPU_MAXIMUM : 0;
    flags |= args_has(args, "guest") ? VIR_DOMAIN_VCPU_GUEST : 0;
    flags |= args_has(args, "hotpluggable") ? VIR_DOMAIN_VCPU_HOTPLUGGABLE : 0;
    domain = args_domain(shell, args);
    return domain && virDomainSetVcpusFlags(domain, count, flags) >= 0;
}

static const Option setvcpus_options[] = {
    DOMAIN,
    REQUIRED_NUMBER("count", "number of virtual CPUs"),
    FLAG("maximum", "the most that can be plugged"),
    FLAG("config", "of the next start"),
    FLAG("live", "of the running guest"),
    FLAG("current", "of the present state"),
    FLAG("guest", "switch them inside the guest"),
    FLAG("hotpluggable", "make added ones removable"),
    END_OF_OPTIONS,
};

static int
write_chunk(virStreamPtr stream, const char *bytes, size_t n, void *opaque)
{
    return write(*(int *)opaque, bytes, n);
}

static bool
cmd_screenshot(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virStream) stream = domain ? virStreamNew(shell_connection(shell), 0) : NULL;
    unsigned int screen = 0;
    g_autofree char *mime = NULL, *path = g_strdup(args_text(args, "file"));

    if (!stream || !args_uint(shell, args, "screen", &screen))
        return false;
    mime = virDomainScreenshot(domain, stream, screen, 0);
    if (!mime)
        return shell_fail(shell, "could not take a screenshot of %s", virDomainGetName(domain));
    if (!path)
        path =
            g_strdup_printf("%s-%lld.%s", virDomainGetName(domain), g_get_real_time() / 1000000LL,
                            g_str_equal(mime, "image/png") ? "png" : "ppm");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        virStreamAbort(stream);
        return shell_fail(shell, "cannot create file %s", path);
    }
    bool good = virStreamRecvAll(stream, write_chunk, &fd) >= 0 && virStreamFinish(stream) >= 0;
    good = close(fd) == 0 && good;
    if (!good)
        return shell_fail(shell, "could not receive data from domain %s", virDomainGetName(domain));
    shell_note(shell, "Screenshot saved to %s, with type of %s", path, mime);
    return true;
}

static const Option screenshot_options[] = {
    DOMAIN,
    {"file", OPTION_STRING, OPTION_POSITIONAL, "where to write it", COMPLETE_FILE},
    NUMBER("screen", "which screen (0)"),
    END_OF_OPTIONS,
};

static bool
cmd_domjobabort(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    return domain && virDomainAbortJob(domain) >= 0;
}

static const Option console_options[] = {
    DOMAIN,
    POSITIONAL("devname", "alias of the device; none: the first one"),
    FLAG("force", "take it from a client that has it"),
    FLAG("safe", "only if nobody else can have it"),
    END_OF_OPTIONS,
};

static const Command commands[] = {
    {"autostart", cmd_autostart, autostart_options, "start a domain with the host", 0, NULL},
    {"console", cmd_console, console_options, "connect to the console of a guest", 0,
     "Leave with the escape character, Ctrl and ] unless virsh was started with -e."},
    {"create", cmd_create, create_options, "start a transient domain from a file", 0, NULL},
    {"define", cmd_define, define_options, "define a domain from a file, or change it", 0, NULL},
    {"desc", cmd_desc, desc_options, "show or set title or description", COMMAND_JSON, NULL},
    {"destroy", cmd_destroy, destroy_options, "end a guest at once, as if power were cut", 0, NULL},
    {"domjobabort", cmd_domjobabort, domain_only, "end the job that runs on a domain", 0, NULL},
    {"domrename", cmd_domrename, domrename_options, "give a shut-off domain another name", 0, NULL},
    {"dumpxml", cmd_dumpxml, dumpxml_options, "print a domain's XML", COMMAND_JSON, NULL},
    {"edit", cmd_edit, edit_options, "edit a domain's XML in $EDITOR", 0, NULL},
    {"inject-nmi", cmd_inject_nmi, domain_only, "send an NMI to a guest", 0, NULL},
    {"managedsave", cmd_managedsave, managedsave_options,
     "save a guest; its next start restores it", 0, NULL},
    {"managedsave-remove", cmd_managedsave_remove, domain_only, "drop the managed save image", 0,
     NULL},
    {"metadata", cmd_metadata, metadata_options, "show or set an application's own element",
     COMMAND_JSON, NULL},
    {"reboot", cmd_reboot, shutdown_options, "ask a guest to reboot", 0, NULL},
    {"reset", cmd_reset, domain_only, "reset a guest, as its button would", 0, NULL},
    {"restore", cmd_restore, restore_options, "bring a saved guest back from a file", 0, NULL},
    {"resume", cmd_resume, domain_only, "let a paused guest run", 0, NULL},
    {"save", cmd_save, save_options, "save a guest to a file and end it", 0, NULL},
    {"screenshot", cmd_screenshot, screenshot_options, "save a picture of a guest's screen", 0,
     NULL},
    {"setmaxmem", cmd_setmaxmem, setmem_options, "change the most memory a guest can have", 0,
     NULL},
    {"setmem", cmd_setmem, setmem_options, "change the memory of a guest", 0, NULL},
    {"setvcpus", cmd_setvcpus, setvcpus_options, "change the number of virtual CPUs", 0, NULL},
    {"shutdown", cmd_shutdown, shutdown_options, "ask a guest to power off", 0, NULL},
    {"start", cmd_start, start_options, "start a defined domain", 0, NULL},
    {"suspend", cmd_suspend, domain_only, "pause a guest", 0, NULL},
    {"undefine", cmd_undefine, undefine_options, "remove a domain's definition", 0, NULL},
    {0},
};

const CommandGroup domain_group = {"Domain Management", "domain", commands};
