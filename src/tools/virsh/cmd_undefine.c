/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh undefine: forget a domain, and on request remove its disks where they are volumes of a pool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

typedef struct {
    virStorageVolPtr volume;
    char *target;
    char *source;
} Doomed;

static void
doomed_clear(void *opaque)
{
    Doomed *doomed = opaque;

    if (doomed->volume)
        virStorageVolFree(doomed->volume);
    g_free(doomed->target);
    g_free(doomed->source);
}

static virStorageVolPtr
find_volume(Shell *shell, XmlNode *source, const char *path)
{
    virConnectPtr conn = shell_connection(shell);
    virStorageVolPtr volume;

    if (!xml_get(source, "volume"))
        return virStorageVolLookupByPath(conn, path);
    virStoragePoolPtr pool = virStoragePoolLookupByName(conn, xml_get(source, "pool"));
    volume = pool ? virStorageVolLookupByName(pool, xml_get(source, "volume")) : NULL;
    if (pool)
        virStoragePoolFree(pool);
    return volume;
}

/* Strike @target or @path off the list of what --storage names; true when it was there, or all are wanted. */
static bool
take_wanted(GPtrArray *wanted, bool all, const char *target, const char *path)
{
    for (guint i = 0; i < wanted->len; i++) {
        if (g_str_equal(wanted->pdata[i], target) || g_str_equal(wanted->pdata[i], path)) {
            g_ptr_array_remove_index(wanted, i);
            return true;
        }
    }
    return all;
}

/* The volumes behind the disks; false when a disk that was named is none. */
static bool
collect_volumes(Shell *shell, const Args *args, virDomainPtr domain, GArray *list)
{
    const char *text = args_text(args, "storage");
    g_auto(GStrv) names = g_strsplit(text ? text : "", ",", -1);
    g_autoptr(GPtrArray) wanted = g_ptr_array_new();
    g_autofree char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    g_autoptr(XmlNode) root = xml ? xml_parse(xml) : NULL;
    XmlNode *devices = xml_child(root, "devices");

    for (char **name = names; *name; name++)
        g_ptr_array_add(wanted, *name);
    for (guint i = 0; devices && i < devices->children->len; i++) {
        XmlNode *disk = devices->children->pdata[i];
        const char *target = xml_get(xml_child(disk, "target"), "dev");
        g_autofree char *source = g_str_equal(disk->name, "disk") ? xml_disk_source(disk) : NULL;
        if (!source || !target ||
            !take_wanted(wanted, args_has(args, "remove-all-storage"), target, source))
            continue;
        Doomed doomed = {find_volume(shell, xml_child(disk, "source"), source), g_strdup(target),
                         g_steal_pointer(&source)};
        g_array_append_val(list, doomed);
        if (!doomed.volume && text)
            return shell_fail(shell, "Storage volume '%s'(%s) is not managed by libvirt", target,
                              doomed.source);
        shell_forget_error();
    }
    if (wanted->len)
        return shell_fail(shell, "Volume '%s' was not found in domain's definition.",
                          (const char *)wanted->pdata[0]);
    return root != NULL;
}

static bool
remove_volume(Shell *shell, const Args *args, const Doomed *doomed)
{
    unsigned int flags = args_has(args, "delete-storage-volume-snapshots")
                             ? VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS
                             : 0;

    if (!doomed->volume) {
        shell_note(shell,
                   "Storage volume '%s'(%s) is not managed by libvirt. Remove it manually.\n",
                   doomed->target, doomed->source);
        return true;
    }
    if (args_has(args, "wipe-storage")) {
        shell_note(shell, "Wiping volume '%s'(%s) ... ", doomed->target, doomed->source);
        fflush(stdout);
        if (virStorageVolWipe(doomed->volume, 0) < 0)
            return shell_fail(shell, "Failed! Volume not removed.");
        shell_note(shell, "Done.\n");
    }
    if (virStorageVolDelete(doomed->volume, flags) < 0)
        return shell_fail(shell, "Failed to remove storage volume '%s'(%s)", doomed->target,
                          doomed->source);
    shell_note(shell, "Volume '%s'(%s) removed.\n", doomed->target, doomed->source);
    return true;
}

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
    bool storage = args_has(args, "storage") || args_has(args, "remove-all-storage");
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(GArray) doomed = g_array_new(FALSE, TRUE, sizeof(Doomed));
    unsigned int flags = ARGS_BITS(args, bits);
    bool good = true;

    g_array_set_clear_func(doomed, doomed_clear);
    if (!args_exclude(shell, args, "nvram", "keep-nvram") ||
        !args_exclude(shell, args, "tpm", "keep-tpm") ||
        !args_exclude(shell, args, "storage", "remove-all-storage"))
        return false;
    if (!storage &&
        (args_has(args, "wipe-storage") || args_has(args, "delete-storage-volume-snapshots")))
        return shell_fail(shell, "--wipe-storage and --delete-storage-volume-snapshots need "
                                 "--storage or --remove-all-storage");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (storage && virDomainIsActive(domain) == 1)
        return shell_fail(shell, "Storage volume deletion is supported only on stopped domains");
    if (storage && !collect_volumes(shell, args, domain, doomed))
        return false;
    if ((flags ? virDomainUndefineFlags(domain, flags) : virDomainUndefine(domain)) < 0)
        return shell_fail(shell, "Failed to undefine domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' has been undefined\n", virDomainGetName(domain));
    for (guint i = 0; i < doomed->len; i++)
        good = remove_volume(shell, args, &g_array_index(doomed, Doomed, i)) && good;
    return good;
}

static const Option undefine_options[] = {
    DOMAIN,
    FLAG("managed-save", "also drop the managed save image"),
    TEXT_OF("storage", complete_disk, "also remove these disks: targets or paths, vda,vdb"),
    FLAG("remove-all-storage", "also remove all disks"),
    FLAG("delete-storage-volume-snapshots", "with the snapshots inside the removed volumes"),
    FLAG("wipe-storage", "overwrite the removed disks first"),
    FLAG("snapshots-metadata", "also forget all snapshots (their files stay)"),
    FLAG("checkpoints-metadata", "also forget all checkpoints"),
    FLAG("nvram", "also remove the firmware's variables"),
    FLAG("keep-nvram", "keep the firmware's variables"),
    FLAG("tpm", "also remove the TPM's state"),
    FLAG("keep-tpm", "keep the TPM's state"),
    ALIAS("delete-snapshots", "--delete-storage-volume-snapshots"),
    END_OF_OPTIONS,
};

const Command undefine_commands[] = {
    {"undefine", cmd_undefine, undefine_options, "remove a domain's definition", 0,
     "A domain that runs becomes transient: it is gone when it ends.\n\nExample:\n"
     "  virsh undefine web1 --nvram --snapshots-metadata --remove-all-storage",
     NULL},
    {0},
};
