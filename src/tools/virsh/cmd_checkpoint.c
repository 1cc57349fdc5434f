/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints, marks in time for incremental backups, and backups. Snapshots, which look alike, are in cmd_snapshot.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/edit.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"
#include "tools/virsh/xpath.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomainCheckpoint, virDomainCheckpointFree)

#define CHECKPOINT TEXT_OF("checkpointname", complete_checkpoint, "name of the checkpoint")

static virDomainCheckpointPtr
args_checkpoint(Shell *shell, const Args *args, virDomainPtr domain)
{
    const char *name = args_text(args, "checkpointname");

    if (name)
        return virDomainCheckpointLookupByName(domain, name, 0);
    shell_fail(shell, "--checkpointname is required");
    return NULL;
}

/* Its parent's name (g_free), NULL for a root; false when it could not be asked. */
static bool
parent_name(virDomainCheckpointPtr checkpoint, char **name)
{
    g_autoptr(virDomainCheckpoint) parent = virDomainCheckpointGetParent(checkpoint, 0);

    *name = parent ? g_strdup(virDomainCheckpointGetName(parent)) : NULL;
    if (!parent && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_CHECKPOINT)
        return false;
    shell_forget_error();
    return true;
}

/* ---- create ---- */

static bool
create(Shell *shell, virDomainPtr domain, const char *xml, unsigned int flags, const char *from)
{
    g_autoptr(virDomainCheckpoint) made = virDomainCheckpointCreateXML(domain, xml, flags);

    if (!made)
        return false;
    if (from)
        shell_note(shell, "Domain checkpoint %s created from '%s'",
                   virDomainCheckpointGetName(made), from);
    else
        shell_note(shell, "Domain checkpoint %s created", virDomainCheckpointGetName(made));
    return true;
}

static bool
cmd_create(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"redefine", VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE},
        {"redefine-validate", VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE},
        {"quiesce", VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE},
    };
    g_autoptr(virDomain) domain = NULL;
    g_autofree char *xml = NULL;

    if (!args_need(shell, args, "redefine-validate", "redefine"))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    xml = args_has(args, "xmlfile") ? args_file(shell, args, "xmlfile")
                                    : g_strdup("<domaincheckpoint/>");
    return xml && create(shell, domain, xml, ARGS_BITS(args, bits), args_text(args, "xmlfile"));
}

static const Option create_options[] = {
    DOMAIN,
    TEXT_OF("xmlfile", NULL, "file with the checkpoint's XML"),
    FLAG("redefine", "bring back what is known about a checkpoint that exists"),
    FLAG("redefine-validate", "with --redefine: look whether the disks have it"),
    FLAG("quiesce", "freeze the guest's file systems meanwhile"),
    END_OF_OPTIONS,
};

/* TARGET[,checkpoint=none|bitmap][,bitmap=NAME]; a doubled comma stands for itself. */
static bool
append_diskspec(Shell *shell, GString *xml, const char *text)
{
    g_autoptr(GPtrArray) fields = xml_split_spec(text);

    g_string_append(xml, "    <disk");
    xml_append_attribute(xml, "name", fields->pdata[0]);
    for (guint i = 1; i < fields->len; i++) {
        const char *field = fields->pdata[i];
        if (g_str_has_prefix(field, "checkpoint="))
            xml_append_attribute(xml, "checkpoint", field + strlen("checkpoint="));
        else if (g_str_has_prefix(field, "bitmap="))
            xml_append_attribute(xml, "bitmap", field + strlen("bitmap="));
        else
            return shell_fail(shell, "unable to parse diskspec: %s", text);
    }
    g_string_append(xml, "/>\n");
    return true;
}

static bool
cmd_create_as(Shell *shell, const Args *args)
{
    unsigned int flags = args_has(args, "quiesce") ? VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE : 0;
    g_autoptr(GString) xml = g_string_new("<domaincheckpoint>\n");
    g_autoptr(virDomain) domain = NULL;
    gsize count;
    const char *const *disks = args_words(args, "diskspec", &count);

    xml_append_element(xml, "  ", "name", args_text(args, "name"));
    xml_append_element(xml, "  ", "description", args_text(args, "description"));
    g_string_append(xml, count ? "  <disks>\n" : "");
    for (gsize i = 0; i < count; i++) {
        if (!append_diskspec(shell, xml, disks[i]))
            return false;
    }
    g_string_append(xml, count ? "  </disks>\n</domaincheckpoint>\n" : "</domaincheckpoint>\n");
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    domain = args_domain(shell, args);
    return domain && create(shell, domain, xml->str, flags, NULL);
}

static const Option create_as_options[] = {
    DOMAIN,
    TEXT("name", "name; none: the present second"),
    TEXT("description", "what it is for"),
    FLAG("print-xml", "print the XML and do nothing"),
    FLAG("quiesce", "freeze the guest's file systems meanwhile"),
    WORDS("diskspec", "a disk: TARGET[,checkpoint=TYPE][,bitmap=NAME]"),
    END_OF_OPTIONS,
};

/* ---- list ---- */

typedef struct {
    virDomainCheckpointPtr checkpoint;
    char *parent;
} Node;

static void
node_clear(void *opaque)
{
    Node *node = opaque;

    virDomainCheckpointFree(node->checkpoint);
    g_free(node->parent);
}

static int
compare_nodes(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virDomainCheckpointGetName(((const Node *)a)->checkpoint),
                              virDomainCheckpointGetName(((const Node *)b)->checkpoint));
}

static GArray *
list_nodes(Shell *shell, const Args *args, virDomainPtr domain, unsigned int flags)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, TRUE, sizeof(Node));
    virDomainCheckpointPtr *list = NULL;
    g_autoptr(virDomainCheckpoint) from = NULL;

    g_array_set_clear_func(nodes, node_clear);
    if (args_has(args, "from")) {
        from = virDomainCheckpointLookupByName(domain, args_text(args, "from"), 0);
        if (!from)
            return NULL;
    }
    int n = from ? virDomainCheckpointListAllChildren(from, &list, flags)
                 : virDomainListAllCheckpoints(domain, &list, flags);
    for (int i = 0; i < n; i++) {
        Node node = {list[i], NULL};
        g_array_append_val(nodes, node);
    }
    free(list);
    if (n < 0)
        return NULL;
    if (from && args_has(args, "tree")) {
        Node node = {g_steal_pointer(&from), NULL};
        g_array_append_val(nodes, node);
    }
    for (guint i = 0; i < nodes->len; i++) {
        Node *node = &g_array_index(nodes, Node, i);
        if (!parent_name(node->checkpoint, &node->parent))
            return NULL;
    }
    if (!args_has(args, "topological"))
        g_array_sort(nodes, compare_nodes);
    return g_steal_pointer(&nodes);
}

static void
print_table(Shell *shell, const Args *args, GArray *nodes)
{
    static const char *const headings[] = {"Name", "Creation Time", NULL};
    static const char *const with_parent[] = {"Name", "Creation Time", "Parent", NULL};
    static const char *const keys[] = {"name", "creation_time", "parent", NULL};
    bool json = shell_wants_json(shell), parents = args_has(args, "parent") || json;
    g_autoptr(Table) table = table_new(parents ? with_parent : headings, keys);

    for (guint i = 0; i < nodes->len; i++) {
        Node *node = &g_array_index(nodes, Node, i);
        g_autofree char *text = virDomainCheckpointGetXMLDesc(node->checkpoint, 0);
        g_autoptr(XmlNode) xml = text ? xml_parse(text) : NULL;
        const char *created = xml_child_text(xml, "creationTime");
        long long seconds = created ? g_ascii_strtoll(created, NULL, 10) : 0;
        g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(seconds);
        g_autofree char *shown = when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S %z") : NULL;
        table_text(table, virDomainCheckpointGetName(node->checkpoint));
        table_number_as(table, seconds, shown);
        if (parents)
            table_text(table, node->parent || json ? node->parent : "");
    }
    table_print(shell, table);
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"roots", VIR_DOMAIN_CHECKPOINT_LIST_ROOTS},
        {"leaves", VIR_DOMAIN_CHECKPOINT_LIST_LEAVES},
        {"no-leaves", VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES},
        {"descendants", VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS},
        {"topological", VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL},
    };
    static const char *const exclusive[][2] = {
        {"tree", "name"},  {"parent", "roots"}, {"parent", "tree"},
        {"roots", "tree"}, {"roots", "from"},
    };
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(GArray) nodes = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(exclusive); i++) {
        if (!args_exclude(shell, args, exclusive[i][0], exclusive[i][1]))
            return false;
    }
    if (!args_need(shell, args, "descendants", "from"))
        return false;
    domain = args_domain(shell, args);
    nodes = domain ? list_nodes(shell, args, domain, ARGS_BITS(args, bits)) : NULL;
    if (!nodes)
        return false;
    if (!shell_wants_json(shell) && args_has(args, "tree")) {
        g_autofree TreeNode *tree = g_new0(TreeNode, nodes->len + 1);
        for (guint i = 0; i < nodes->len; i++) {
            const Node *node = &g_array_index(nodes, Node, i);
            tree[i] = (TreeNode){virDomainCheckpointGetName(node->checkpoint), node->parent};
        }
        tree_print(shell, tree, nodes->len);
    } else if (!shell_wants_json(shell) && args_has(args, "name")) {
        for (guint i = 0; i < nodes->len; i++)
            shell_print(shell, "%s\n",
                        virDomainCheckpointGetName(g_array_index(nodes, Node, i).checkpoint));
    } else {
        print_table(shell, args, nodes);
    }
    return true;
}

static const Option list_options[] = {
    DOMAIN,
    FLAG("parent", "also the parents"),
    FLAG("roots", "only those without a parent"),
    FLAG("leaves", "only those without children"),
    FLAG("no-leaves", "only those with children"),
    FLAG("tree", "draw the tree"),
    TEXT_OF("from", complete_checkpoint, "below this one"),
    FLAG("descendants", "with --from: all levels below"),
    FLAG("name", "names only"),
    FLAG("topological", "parents before children"),
    END_OF_OPTIONS,
};

/* ---- one ---- */

static bool
cmd_info(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainCheckpoint) checkpoint =
        domain ? args_checkpoint(shell, args, domain) : NULL;
    g_autoptr(Fields) fields = fields_new(16);
    g_autofree char *parent = NULL;

    if (!checkpoint || !parent_name(checkpoint, &parent))
        return false;
    int children = virDomainCheckpointListAllChildren(checkpoint, NULL, 0);
    int descendants = virDomainCheckpointListAllChildren(checkpoint, NULL,
                                                         VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS);
    if (children < 0 || descendants < 0)
        return false;
    fields_text(fields, "Name", "name", virDomainCheckpointGetName(checkpoint));
    fields_text(fields, "Domain", "domain", virDomainGetName(domain));
    fields_text(fields, "Parent", "parent", parent);
    fields_number(fields, "Children", "children", children, NULL);
    fields_number(fields, "Descendants", "descendants", descendants, NULL);
    fields_print(shell, fields);
    return true;
}

static bool
cmd_dumpxml(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"security-info", VIR_DOMAIN_CHECKPOINT_XML_SECURE},
        {"no-domain", VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN},
        {"size", VIR_DOMAIN_CHECKPOINT_XML_SIZE},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainCheckpoint) checkpoint =
        domain ? args_checkpoint(shell, args, domain) : NULL;
    g_autofree char *xml =
        checkpoint ? virDomainCheckpointGetXMLDesc(checkpoint, ARGS_BITS(args, bits)) : NULL;

    return xml && print_xml_parts(shell, args, xml);
}

static bool
cmd_parent(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainCheckpoint) checkpoint =
        domain ? args_checkpoint(shell, args, domain) : NULL;
    g_autofree char *parent = NULL;

    if (!checkpoint || !parent_name(checkpoint, &parent))
        return false;
    if (!parent)
        return shell_fail(shell, "checkpoint '%s' has no parent",
                          virDomainCheckpointGetName(checkpoint));
    if (shell_wants_json(shell))
        print_value(shell, "parent", parent);
    else
        shell_print(shell, "%s", parent);
    return true;
}

static bool
cmd_delete(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"children", VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN},
        {"children-only", VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY},
        {"metadata", VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainCheckpoint) checkpoint =
        domain ? args_checkpoint(shell, args, domain) : NULL;

    if (!checkpoint)
        return false;
    if (virDomainCheckpointDelete(checkpoint, ARGS_BITS(args, bits)) < 0)
        return shell_fail(shell, "Failed to delete checkpoint %s",
                          virDomainCheckpointGetName(checkpoint));
    shell_note(shell, "Domain checkpoint %s%s deleted\n", virDomainCheckpointGetName(checkpoint),
               args_has(args, "children-only") ? " children" : "");
    return true;
}

typedef struct {
    virDomainPtr domain;
    virDomainCheckpointPtr checkpoint;
} Edited;

static char *
get_checkpoint_xml(void *object)
{
    return virDomainCheckpointGetXMLDesc(((Edited *)object)->checkpoint,
                                         VIR_DOMAIN_CHECKPOINT_XML_SECURE |
                                             VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
}

static bool
put_checkpoint_xml(Shell *shell, void *object, const char *xml, bool validate)
{
    Edited *edited = object;
    g_autoptr(virDomainCheckpoint) made =
        virDomainCheckpointCreateXML(edited->domain, xml, VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE);

    return made != NULL;
}

static bool
cmd_edit(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainCheckpoint) checkpoint =
        domain ? args_checkpoint(shell, args, domain) : NULL;
    Edited edited = {domain, checkpoint};
    g_autofree char *what = NULL;

    if (!checkpoint)
        return false;
    what = g_strdup_printf("Checkpoint %s", virDomainCheckpointGetName(checkpoint));
    return edit_xml(shell, what, &edited, get_checkpoint_xml, put_checkpoint_xml, false);
}

static const Option checkpoint_options[] = {DOMAIN, CHECKPOINT, END_OF_OPTIONS};
static const Option dumpxml_options[] = {
    DOMAIN,
    CHECKPOINT,
    FLAG("security-info", "with passwords"),
    FLAG("no-domain", "without the domain's XML"),
    FLAG("size", "with how much was written since"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};
static const Option delete_options[] = {
    DOMAIN,
    CHECKPOINT,
    FLAG("children", "and everything below it"),
    FLAG("children-only", "everything below it, not itself"),
    FLAG("metadata", "forget it and leave the disks"),
    END_OF_OPTIONS,
};

/* ---- backups ---- */

static bool
cmd_backup_begin(Shell *shell, const Args *args)
{
    unsigned int flags =
        args_has(args, "reuse-external") ? VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL : 0;
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *backup = NULL, *checkpoint = NULL;

    if (!domain)
        return false;
    backup = args_has(args, "backupxml") ? args_file(shell, args, "backupxml")
                                         : g_strdup("<domainbackup/>");
    if (!backup || (args_has(args, "checkpointxml") &&
                    !(checkpoint = args_file(shell, args, "checkpointxml"))))
        return false;
    if (virDomainBackupBegin(domain, backup, checkpoint, flags) < 0)
        return false;
    shell_note(shell, "Backup started\n");
    return true;
}

static const Option backup_begin_options[] = {
    ACTIVE_DOMAIN,
    TEXT_OF("backupxml", NULL, "file that says what is copied where"),
    TEXT_OF("checkpointxml", NULL, "file with a checkpoint to make at the same instant"),
    FLAG("reuse-external", "the files exist already"),
    END_OF_OPTIONS,
};

static bool
cmd_backup_dumpxml(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autofree char *xml = domain ? virDomainBackupGetXMLDesc(domain, 0) : NULL;

    return xml && print_xml_parts(shell, args, xml);
}

static const Option backup_dumpxml_options[] = {ACTIVE_DOMAIN, XPATH_AND_WRAP, END_OF_OPTIONS};

const Command backup_commands[] = {
    {"backup-begin", cmd_backup_begin, backup_begin_options, "copy a guest's disks while it runs",
     0,
     "Returns at once; `virsh event web1 block-job` and `virsh domjobinfo web1` tell how it "
     "goes.",
     NULL},
    {"backup-dumpxml", cmd_backup_dumpxml, backup_dumpxml_options, "print a running backup's XML",
     COMMAND_JSON, NULL, NULL},
    {0},
};

const Command checkpoint_commands[] = {
    {"checkpoint-create", cmd_create, create_options, "make a checkpoint as XML describes it", 0,
     NULL, NULL},
    {"checkpoint-create-as", cmd_create_as, create_as_options,
     "make a checkpoint as options describe it", 0, NULL, NULL},
    {"checkpoint-delete", cmd_delete, delete_options, "delete a checkpoint", 0, NULL, NULL},
    {"checkpoint-dumpxml", cmd_dumpxml, dumpxml_options, "print a checkpoint's XML", COMMAND_JSON,
     NULL, NULL},
    {"checkpoint-edit", cmd_edit, checkpoint_options, "edit a checkpoint's XML in $EDITOR", 0, NULL,
     NULL},
    {"checkpoint-info", cmd_info, checkpoint_options, "the most asked facts about a checkpoint",
     COMMAND_JSON, NULL, NULL},
    {"checkpoint-list", cmd_list, list_options, "checkpoints of a domain", COMMAND_JSON, NULL,
     NULL},
    {"checkpoint-parent", cmd_parent, checkpoint_options, "name of a checkpoint's parent",
     COMMAND_JSON, NULL, NULL},
    {0},
};
