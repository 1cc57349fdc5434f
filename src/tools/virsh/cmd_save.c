/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saved guests: save, restore, managed save, and the images they leave behind. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/edit.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/job.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xpath.h"

static const Option domain_only[] = {
    DOMAIN,
    END_OF_OPTIONS,
};

/* ---- saved state ---- */

typedef struct {
    const char *path, *xml;
    unsigned int flags;
} SaveTo;

static int
save_now(virDomainPtr domain, void *opaque)
{
    const SaveTo *to = opaque;

    return to->flags || to->xml ? virDomainSaveFlags(domain, to->path, to->xml, to->flags)
                                : virDomainSave(domain, to->path);
}

static int
managed_save_now(virDomainPtr domain, void *opaque)
{
    return virDomainManagedSave(domain, *(unsigned int *)opaque);
}

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
    SaveTo to = {absolute, xml, flags};
    if (!job_watch(shell, domain, save_now, &to, args_has(args, "verbose") ? "Save" : NULL))
        return shell_fail(shell, "Failed to save domain '%s' to %s", virDomainGetName(domain),
                          path);
    shell_note(shell, "Domain '%s' saved to %s\n", virDomainGetName(domain), path);
    return true;
}

static const Option save_options[] = {
    ACTIVE_DOMAIN,
    FILE_ARGUMENT("where to save"),
    FLAG("bypass-cache", "write past the page cache"),
    TEXT_OF("xml", NULL, "file with the XML to use at restore"),
    FLAG("running", "let it run after restore"),
    FLAG("paused", "leave it paused after restore"),
    FLAG("verbose", "show the progress"),
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
    shell_note(shell, "Domain restored from %s\n", path);
    return true;
}

static const Option restore_options[] = {
    FILE_ARGUMENT("the saved state"),
    FLAG("bypass-cache", "read past the page cache"),
    TEXT_OF("xml", NULL, "file with the XML to use"),
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
    unsigned int flags = ARGS_BITS(args, bits);
    if (!job_watch(shell, domain, managed_save_now, &flags,
                   args_has(args, "verbose") ? "Managedsave" : NULL))
        return shell_fail(shell, "Failed to save domain '%s' state", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' state saved by libvirt\n", virDomainGetName(domain));
    return true;
}

static const Option managedsave_options[] = {
    ACTIVE_DOMAIN,
    FLAG("bypass-cache", "write past the page cache"),
    FLAG("running", "let it run at the next start"),
    FLAG("paused", "leave it paused at the next start"),
    FLAG("verbose", "show the progress"),
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
               has ? "Removed managedsave image for domain '%s'"
                   : "Domain '%s' has no manage save image; removal skipped",
               virDomainGetName(domain));
    return true;
}

/* ---- what an image holds ---- */

/* Images are named by their file, managed ones by their domain; the rest is the same. */
typedef struct {
    char *(*get)(void *object, unsigned int flags);
    int (*put)(void *object, const char *xml, unsigned int flags);
    void *object;
    unsigned int flags;
} Image;

typedef struct {
    virConnectPtr conn;
    const char *path;
} ImageFile;

static char *
get_file_xml(void *object, unsigned int flags)
{
    ImageFile *file = object;

    return virDomainSaveImageGetXMLDesc(file->conn, file->path, flags);
}

static int
put_file_xml(void *object, const char *xml, unsigned int flags)
{
    ImageFile *file = object;

    return virDomainSaveImageDefineXML(file->conn, file->path, xml, flags);
}

static char *
get_managed_xml(void *object, unsigned int flags)
{
    return virDomainManagedSaveGetXMLDesc(object, flags);
}

static int
put_managed_xml(void *object, const char *xml, unsigned int flags)
{
    return virDomainManagedSaveDefineXML(object, xml, flags);
}

static char *
get_image_xml(void *opaque)
{
    Image *image = opaque;

    return image->get(image->object, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE);
}

static bool
put_image_xml(Shell *shell, void *opaque, const char *xml, bool validate)
{
    Image *image = opaque;

    return image->put(image->object, xml, image->flags) >= 0;
}

typedef enum { IMAGE_DUMPXML, IMAGE_DEFINE, IMAGE_EDIT } ImageAction;

static bool
run_on_image(Shell *shell, const Args *args, ImageAction action, Image *image, const char *name)
{
    static const FlagBit bits[] = {
        {"running", VIR_DOMAIN_SAVE_RUNNING},
        {"paused", VIR_DOMAIN_SAVE_PAUSED},
    };
    g_autofree char *xml = NULL, *what = NULL;

    image->flags = ARGS_BITS(args, bits);
    if (!args_exclude(shell, args, "running", "paused"))
        return false;
    switch (action) {
    case IMAGE_DUMPXML:
        xml = image->get(image->object,
                         args_has(args, "security-info") ? VIR_DOMAIN_SAVE_IMAGE_XML_SECURE : 0);
        return xml && print_xml_parts(shell, args, xml);
    case IMAGE_DEFINE:
        xml = args_file(shell, args, "xml");
        if (!xml)
            return false;
        if (image->put(image->object, xml, image->flags) < 0)
            return shell_fail(shell, "Failed to update %s", name);
        shell_note(shell, "State file %s updated.\n", name);
        return true;
    default:
        what = g_strdup_printf("State file %s", name);
        return edit_xml(shell, what, image, get_image_xml, put_image_xml, false);
    }
}

static const ImageAction dumpxml_action = IMAGE_DUMPXML, define_action = IMAGE_DEFINE,
                         edit_action = IMAGE_EDIT;

static bool
cmd_save_image(Shell *shell, const Args *args)
{
    g_autofree char *absolute = g_canonicalize_filename(args_text(args, "file"), NULL);
    ImageFile file = {shell_connection(shell), absolute};
    Image image = {get_file_xml, put_file_xml, &file, 0};

    return run_on_image(shell, args, *(const ImageAction *)args_detail(args), &image,
                        args_text(args, "file"));
}

static bool
cmd_managedsave_image(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    Image image = {get_managed_xml, put_managed_xml, domain, 0};

    return domain && run_on_image(shell, args, *(const ImageAction *)args_detail(args), &image,
                                  virDomainGetName(domain));
}

#define IMAGE_STATE                                    \
    FLAG("running", "let it run when it is restored"), \
        FLAG("paused", "leave it paused when it is restored")

static const Option save_image_define_options[] = {
    FILE_ARGUMENT("the saved state"),
    REQUIRED_OF("xml", NULL, "file with the new XML"),
    IMAGE_STATE,
    END_OF_OPTIONS,
};

static const Option save_image_dumpxml_options[] = {
    FILE_ARGUMENT("the saved state"),
    FLAG("security-info", "with passwords"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};

static const Option save_image_edit_options[] = {
    FILE_ARGUMENT("the saved state"),
    IMAGE_STATE,
    END_OF_OPTIONS,
};

static const Option managedsave_define_options[] = {
    DOMAIN,
    REQUIRED_OF("xml", NULL, "file with the new XML"),
    IMAGE_STATE,
    END_OF_OPTIONS,
};

static const Option managedsave_dumpxml_options[] = {
    DOMAIN,
    FLAG("security-info", "with passwords"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};

static const Option managedsave_edit_options[] = {
    DOMAIN,
    IMAGE_STATE,
    END_OF_OPTIONS,
};

const Command save_commands[] = {
    {"managedsave", cmd_managedsave, managedsave_options,
     "save a guest; its next start restores it", 0,
     "The image lies with the daemon, under the domain's name.\n\nExample:\n"
     "  virsh managedsave web1; virsh start web1",
     NULL},
    {"managedsave-define", cmd_managedsave_image, managedsave_define_options,
     "replace the XML of a managed save image", 0, NULL, &define_action},
    {"managedsave-dumpxml", cmd_managedsave_image, managedsave_dumpxml_options,
     "print the XML of a managed save image", COMMAND_JSON, NULL, &dumpxml_action},
    {"managedsave-edit", cmd_managedsave_image, managedsave_edit_options,
     "edit the XML of a managed save image", 0, NULL, &edit_action},
    {"managedsave-remove", cmd_managedsave_remove, domain_only, "drop the managed save image", 0,
     NULL, NULL},
    {"restore", cmd_restore, restore_options, "bring a saved guest back from a file", 0, NULL,
     NULL},
    {"save", cmd_save, save_options, "save a guest to a file and end it", 0,
     "Example:\n  virsh save web1 /var/tmp/web1.save; virsh restore /var/tmp/web1.save", NULL},
    {"save-image-define", cmd_save_image, save_image_define_options,
     "replace the XML of a saved state", 0, NULL, &define_action},
    {"save-image-dumpxml", cmd_save_image, save_image_dumpxml_options,
     "print the XML of a saved state", COMMAND_JSON, NULL, &dumpxml_action},
    {"save-image-edit", cmd_save_image, save_image_edit_options, "edit the XML of a saved state", 0,
     NULL, &edit_action},
    {0},
};
