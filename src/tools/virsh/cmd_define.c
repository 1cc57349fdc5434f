/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain is: define, undefine, dump, edit, describe. What it does is in cmd_domain.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/edit.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xpath.h"

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
    shell_note(shell, "Domain '%s' defined from %s\n", virDomainGetName(domain),
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
    g_autofree int *fds = NULL;
    unsigned int n = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!xml || !args_fds(shell, args, "pass-fds", &fds, &n))
        return false;
    domain =
        n ? virDomainCreateXMLWithFiles(shell_connection(shell), xml, n, fds, ARGS_BITS(args, bits))
          : virDomainCreateXML(shell_connection(shell), xml, ARGS_BITS(args, bits));
    if (!domain)
        return shell_fail(shell, "Failed to create domain from %s", args_text(args, "file"));
    shell_note(shell, "Domain '%s' created from %s\n", virDomainGetName(domain),
               args_text(args, "file"));
    return !args_has(args, "console") || console_run(shell, domain, NULL, 0);
}

static const Option create_options[] = {
    FILE_ARGUMENT("file with the domain's XML"),
    FLAG("console", "attach to the console at once"),
    FLAG("paused", "leave the guest paused"),
    FLAG("autodestroy", "destroy the guest when virsh leaves"),
    TEXT("pass-fds", "descriptors of ours that the guest gets: 5,6"),
    FLAG("validate", "check the XML against the schema"),
    FLAG("reset-nvram", "start with the firmware's variables as the template has them"),
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

    return xml && print_xml_parts(shell, args, xml);
}

static const Option dumpxml_options[] = {
    DOMAIN,
    FLAG("inactive", "what the next start will use"),
    FLAG("security-info", "with passwords"),
    FLAG("update-cpu", "with the CPU as the host makes it"),
    FLAG("migratable", "as it would go to another host"),
    XPATH_AND_WRAP,
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

static bool
cmd_autostart(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    bool off = args_has(args, "disable");

    if (!domain)
        return false;
    if (args_has(args, "once")) {
        if (virDomainSetAutostartOnce(domain, !off) < 0)
            return shell_fail(shell, "Failed to change whether domain '%s' starts once",
                              virDomainGetName(domain));
        shell_note(shell, "Domain '%s' %s as started once with the host\n",
                   virDomainGetName(domain), off ? "unmarked" : "marked");
        return true;
    }
    if (virDomainSetAutostart(domain, !off) < 0)
        return shell_fail(shell,
                          off ? "Failed to unmark domain '%s' as autostarted"
                              : "Failed to mark domain '%s' as autostarted",
                          virDomainGetName(domain));
    shell_note(shell, "Domain '%s' %s as autostarted\n", virDomainGetName(domain),
               off ? "unmarked" : "marked");
    return true;
}

static const Option autostart_options[] = {
    DOMAIN,
    FLAG("disable", "do not start it with the host any more"),
    FLAG("once", "only the next time the host starts"),
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
    shell_note(shell, "Domain successfully renamed\n");
    return true;
}

static const Option domrename_options[] = {
    DOMAIN,
    REQUIRED("new-name", "the new name"),
    END_OF_OPTIONS,
};

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
    shell_forget_error();
    if (!count && !args_has(args, "edit")) {
        if (shell_wants_json(shell))
            print_value(shell, what, present);
        else if (present && *present)
            shell_print(shell, "%s\n", present);
        else
            shell_print(shell, "No %s for domain: %s", what, virDomainGetName(domain));
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
    shell_note(shell, "Domain %s updated successfully", what);
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

typedef struct {
    virDomainPtr domain;
    const char *uri, *key;
    unsigned int flags;
} Element;

static char *
get_element(void *object)
{
    Element *element = object;
    char *xml = virDomainGetMetadata(element->domain, VIR_DOMAIN_METADATA_ELEMENT, element->uri,
                                     element->flags);

    if (!xml && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA)
        xml = g_strdup("\n");
    return xml;
}

static bool
put_element(Shell *shell, void *object, const char *xml, bool validate)
{
    Element *element = object;

    return virDomainSetMetadata(element->domain, VIR_DOMAIN_METADATA_ELEMENT, xml, element->key,
                                element->uri, element->flags) >= 0;
}

static bool
cmd_metadata(Shell *shell, const Args *args)
{
    const char *uri = args_text(args, "uri"), *set = args_text(args, "set");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_exclude(shell, args, "set", "remove") ||
        !args_exclude(shell, args, "edit", "set") || !args_exclude(shell, args, "edit", "remove"))
        return false;
    if ((set || args_has(args, "edit")) && !args_text(args, "key"))
        return shell_fail(shell, "namespace key is required when modifying metadata");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (args_has(args, "edit")) {
        Element element = {domain, uri, args_text(args, "key"), flags};
        return edit_xml(shell, "Metadata", &element, get_element, put_element, false);
    }
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
    FLAG("edit", "edit it in $EDITOR"),
    TEXT("key", "prefix to use for the namespace"),
    TEXT("set", "new XML of the element"),
    FLAG("remove", "remove the element"),
    END_OF_OPTIONS,
};

const Command define_commands[] = {
    {"autostart", cmd_autostart, autostart_options, "start a domain with the host", 0, NULL, NULL},
    {"create", cmd_create, create_options, "start a transient domain from a file", 0,
     "The domain is gone when it ends. Use define and start for one that stays.\n\nExample:\n"
     "  virsh create web1.xml --paused --console",
     NULL},
    {"define", cmd_define, define_options, "define a domain from a file, or change it", 0,
     "A domain that runs keeps running as it is: the change holds from its next start.", NULL},
    {"desc", cmd_desc, desc_options, "show or set title or description", COMMAND_JSON,
     "Examples:\n  virsh desc web1\n  virsh desc web1 --title --config The first web server", NULL},
    {"domrename", cmd_domrename, domrename_options, "give a shut-off domain another name", 0, NULL,
     NULL},
    {"dumpxml", cmd_dumpxml, dumpxml_options, "print a domain's XML", COMMAND_JSON,
     "Examples:\n  virsh dumpxml web1 --inactive --security-info\n"
     "  virsh dumpxml web1 --xpath //disk/target",
     NULL},
    {"edit", cmd_edit, edit_options, "edit a domain's XML in $EDITOR", 0,
     "When the new XML is refused, you may edit it again: nothing typed is lost.", NULL},
    {"metadata", cmd_metadata, metadata_options, "show or set an application's own element",
     COMMAND_JSON,
     "Example:\n  virsh metadata web1 http://example.org/app --config --key app --set "
     "'<owner>me</owner>'",
     NULL},
    {0},
};
