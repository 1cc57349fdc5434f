/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for snapshots of domains. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/virsh/edit.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/manifold.h"
#include "tools/virsh/snapshot.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"
#include "tools/virsh/xpath.h"

static const FlagBit create_bits[] = {
    {"redefine", VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE},
    {"current", VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT},
    {"no-metadata", VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA},
    {"halt", VIR_DOMAIN_SNAPSHOT_CREATE_HALT},
    {"disk-only", VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY},
    {"reuse-external", VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT},
    {"quiesce", VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE},
    {"atomic", VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC},
    {"live", VIR_DOMAIN_SNAPSHOT_CREATE_LIVE},
    {"validate", VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE},
};

#define CREATE_FLAGS                                                                         \
    FLAG("no-metadata", "make the images, remember nothing"),                                \
        FLAG("halt", "end the guest afterwards"), FLAG("disk-only", "disks without memory"), \
        FLAG("reuse-external", "use files that exist already"),                              \
        FLAG("quiesce", "freeze the guest's file systems meanwhile"),                        \
        FLAG("atomic", "all disks or none (always so)"),                                     \
        FLAG("live", "let the guest run while memory is saved"),                             \
        FLAG("validate", "check the XML against the schema"),                                \
        FLAG("dry-run", "tell what would be done, and do nothing")

/* ---- finding one ---- */

virDomainSnapshotPtr
args_snapshot(Shell *shell, const Args *args, virDomainPtr domain)
{
    const char *name = args_text(args, "snapshotname");

    if (!args_exclude(shell, args, "current", "snapshotname"))
        return NULL;
    if (name)
        return virDomainSnapshotLookupByName(domain, name, 0);
    if (args_has(args, "current"))
        return virDomainSnapshotCurrent(domain, 0);
    shell_fail(shell, "--snapshotname or --current is required");
    return NULL;
}

/* Its parent's name (g_free), NULL for a root; false when it could not be asked. */
static bool
parent_name(virDomainSnapshotPtr snapshot, char **name)
{
    g_autoptr(virDomainSnapshot) parent = virDomainSnapshotGetParent(snapshot, 0);

    *name = parent ? g_strdup(virDomainSnapshotGetName(parent)) : NULL;
    if (!parent && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_SNAPSHOT)
        return false;
    shell_forget_error();
    return true;
}

static XmlNode *
snapshot_xml(virDomainSnapshotPtr snapshot)
{
    g_autofree char *xml = virDomainSnapshotGetXMLDesc(snapshot, 0);

    return xml ? xml_parse(xml) : NULL;
}

/* ---- create ---- */

static bool
plan_create(Shell *shell, virDomainPtr domain, const char *xml, unsigned int flags)
{
    const Manifold *calls = manifold_load(shell);

    return calls && manifold_print_plan(shell, calls->plan_create(domain, xml, flags));
}

static bool
create(Shell *shell, const Args *args, virDomainPtr domain, const char *xml, unsigned int flags,
       const char *from)
{
    g_autoptr(virDomainSnapshot) snapshot = NULL;

    if (args_has(args, "dry-run"))
        return plan_create(shell, domain, xml, flags);
    snapshot = virDomainSnapshotCreateXML(domain, xml, flags);
    if (!snapshot)
        return false;
    if (shell_wants_json(shell))
        print_value(shell, "snapshot", virDomainSnapshotGetName(snapshot));
    if (from)
        shell_note(shell, "Domain snapshot %s created from '%s'",
                   virDomainSnapshotGetName(snapshot), from);
    else
        shell_note(shell, "Domain snapshot %s created", virDomainSnapshotGetName(snapshot));
    return true;
}

static bool
cmd_snapshot_create(Shell *shell, const Args *args)
{
    unsigned int flags = ARGS_BITS(args, create_bits);
    g_autofree char *xml = NULL;
    g_autoptr(virDomain) domain = NULL;

    if (args_has(args, "current") && !args_has(args, "redefine"))
        return shell_fail(shell, "--current needs --redefine");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    xml = args_has(args, "xmlfile") ? args_file(shell, args, "xmlfile")
                                    : g_strdup("<domainsnapshot/>");
    return xml && create(shell, args, domain, xml, flags, args_text(args, "xmlfile"));
}

static const Option snapshot_create_options[] = {
    DOMAIN,
    TEXT_OF("xmlfile", NULL, "file with the snapshot's XML"),
    FLAG("redefine", "bring back what is known about a snapshot that exists"),
    FLAG("current", "with --redefine: make it the current one"),
    CREATE_FLAGS,
    END_OF_OPTIONS,
};

/* Take "key=value" fields apart into the places of @values; false for one that has no place. */
static bool
read_spec(Shell *shell, const char *option, const char *text, GPtrArray *fields, guint from,
          const char *const *keys, const char **values)
{
    for (guint i = from; i < fields->len; i++) {
        const char *field = fields->pdata[i];
        gsize k = 0;
        while (keys[k] && !(g_str_has_prefix(field, keys[k]) && field[strlen(keys[k])] == '='))
            k++;
        if (!keys[k])
            return shell_fail(shell, "unable to parse %s: %s", option, text);
        values[k] = field + strlen(keys[k]) + 1;
    }
    return true;
}

static bool
append_memspec(Shell *shell, GString *xml, const char *text)
{
    static const char *const keys[] = {"file", "snapshot", NULL};
    g_autoptr(GPtrArray) fields = xml_split_spec(text);
    const char *values[2] = {NULL, NULL};
    bool bare = !strchr(fields->pdata[0], '=');

    if (bare)
        values[0] = fields->pdata[0];
    if (!read_spec(shell, "memspec", text, fields, bare, keys, values))
        return false;
    g_string_append(xml, "  <memory");
    xml_append_attribute(xml, "snapshot", values[1]);
    xml_append_attribute(xml, "file", values[0]);
    g_string_append(xml, "/>\n");
    return true;
}

static bool
append_diskspec(Shell *shell, GString *xml, const char *text)
{
    static const char *const keys[] = {"snapshot", "driver", "stype", "file", NULL};
    g_autoptr(GPtrArray) fields = xml_split_spec(text);
    const char *values[4] = {NULL, NULL, NULL, NULL};
    const char *snapshot, *driver, *type, *file;

    if (!read_spec(shell, "diskspec", text, fields, 1, keys, values))
        return false;
    snapshot = values[0], driver = values[1], type = values[2], file = values[3];
    if (type && !g_str_equal(type, "file") && !g_str_equal(type, "block"))
        return shell_fail(shell, "Unknown storage type: '%s'", type);
    g_string_append(xml, "    <disk");
    xml_append_attribute(xml, "name", fields->pdata[0]);
    xml_append_attribute(xml, "snapshot", snapshot);
    xml_append_attribute(xml, "type", type);
    if (!driver && !file) {
        g_string_append(xml, "/>\n");
        return true;
    }
    g_string_append(xml, ">\n");
    if (driver) {
        g_string_append(xml, "      <driver");
        xml_append_attribute(xml, "type", driver);
        g_string_append(xml, "/>\n");
    }
    if (file) {
        g_string_append(xml, "      <source");
        xml_append_attribute(xml, g_strcmp0(type, "block") == 0 ? "dev" : "file", file);
        g_string_append(xml, "/>\n");
    }
    g_string_append(xml, "    </disk>\n");
    return true;
}

static bool
cmd_snapshot_create_as(Shell *shell, const Args *args)
{
    g_autoptr(GString) xml = g_string_new("<domainsnapshot>\n");
    unsigned int flags = ARGS_BITS(args, create_bits);
    const char *memory = args_text(args, "memspec");
    g_autoptr(virDomain) domain = NULL;
    gsize count;
    const char *const *disks = args_words(args, "diskspec", &count);

    xml_append_element(xml, "  ", "name", args_text(args, "name"));
    xml_append_element(xml, "  ", "description", args_text(args, "description"));
    if (memory && !append_memspec(shell, xml, memory))
        return false;
    if (count)
        g_string_append(xml, "  <disks>\n");
    for (gsize i = 0; i < count; i++) {
        if (!append_diskspec(shell, xml, disks[i]))
            return false;
    }
    g_string_append(xml, count ? "  </disks>\n</domainsnapshot>\n" : "</domainsnapshot>\n");
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s\n", xml->str);
        return true;
    }
    domain = args_domain(shell, args);
    return domain && create(shell, args, domain, xml->str, flags, NULL);
}

static const Option snapshot_create_as_options[] = {
    DOMAIN,
    TEXT("name", "name; none: the present second"),
    TEXT("description", "what it is for"),
    FLAG("print-xml", "print the XML and do nothing"),
    CREATE_FLAGS,
    NAMED("memspec", "where memory goes: [file=]NAME[,snapshot=TYPE]"),
    WORDS("diskspec", "a disk: TARGET[,snapshot=TYPE][,driver=TYPE][,stype=TYPE][,file=NAME]"),
    END_OF_OPTIONS,
};

/* ---- look ---- */

typedef struct {
    virDomainSnapshotPtr snapshot;
    char *parent;
} Node;

static void
node_clear(void *opaque)
{
    Node *node = opaque;

    virDomainSnapshotFree(node->snapshot);
    g_free(node->parent);
}

static int
compare_nodes(const void *a, const void *b)
{
    return strcmp(virDomainSnapshotGetName(((const Node *)a)->snapshot),
                  virDomainSnapshotGetName(((const Node *)b)->snapshot));
}

static void
print_tree(Shell *shell, GArray *nodes)
{
    g_autofree TreeNode *tree = g_new0(TreeNode, nodes->len + 1);

    for (guint i = 0; i < nodes->len; i++) {
        const Node *node = &g_array_index(nodes, Node, i);
        tree[i] = (TreeNode){virDomainSnapshotGetName(node->snapshot), node->parent};
    }
    tree_print(shell, tree, nodes->len);
}

static void
print_list(Shell *shell, const Args *args, GArray *nodes)
{
    static const char *const headings[] = {"Name", "Creation Time", "State", NULL};
    static const char *const with_parent[] = {"Name", "Creation Time", "State", "Parent", NULL};
    static const char *const keys[] = {"name", "creation_time", "state", "parent", NULL};
    bool json = shell_wants_json(shell), parents = args_has(args, "parent") || json;
    g_autoptr(Table) table = table_new(parents ? with_parent : headings, keys);

    for (guint i = 0; i < nodes->len; i++) {
        Node *node = &g_array_index(nodes, Node, i);
        g_autoptr(XmlNode) xml = snapshot_xml(node->snapshot);
        const char *created = xml_child_text(xml, "creationTime");
        long long seconds = created ? g_ascii_strtoll(created, NULL, 10) : 0;
        g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(seconds);
        g_autofree char *shown = when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S %z") : NULL;
        table_text(table, virDomainSnapshotGetName(node->snapshot));
        table_number_as(table, seconds, shown);
        table_text(table, xml_child_text(xml, "state"));
        if (parents)
            table_text(table, node->parent || json ? node->parent : "");
    }
    table_print(shell, table);
}

/* All snapshots that the options ask for, each with its parent's name. */
static GArray *
list_nodes(Shell *shell, const Args *args, virDomainPtr domain, unsigned int flags)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, TRUE, sizeof(Node));
    virDomainSnapshotPtr *snapshots = NULL;
    g_autoptr(virDomainSnapshot) from = NULL;
    bool under = args_has(args, "from") || args_has(args, "current");
    int n;

    if (args_has(args, "from"))
        from = virDomainSnapshotLookupByName(domain, args_text(args, "from"), 0);
    else if (args_has(args, "current"))
        from = virDomainSnapshotCurrent(domain, 0);
    if (under && !from)
        return NULL;
    n = from ? virDomainSnapshotListAllChildren(from, &snapshots, flags)
             : virDomainListAllSnapshots(domain, &snapshots, flags);
    if (n < 0)
        return NULL;
    g_array_set_clear_func(nodes, node_clear);
    for (int i = 0; i < n; i++) {
        Node node = {snapshots[i], NULL};
        g_array_append_val(nodes, node);
    }
    free(snapshots);
    if (from && args_has(args, "tree")) {
        Node node = {g_steal_pointer(&from), NULL};
        g_array_append_val(nodes, node);
    }
    bool wants_parents =
        args_has(args, "parent") || args_has(args, "tree") || shell_wants_json(shell);
    for (guint i = 0; wants_parents && i < nodes->len; i++) {
        Node *node = &g_array_index(nodes, Node, i);
        bool is_start = under && args_has(args, "tree") && i + 1 == nodes->len;
        if (!is_start && !parent_name(node->snapshot, &node->parent))
            return NULL;
    }
    if (!args_has(args, "topological"))
        g_array_sort(nodes, compare_nodes);
    return g_steal_pointer(&nodes);
}

static bool
cmd_snapshot_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"roots", VIR_DOMAIN_SNAPSHOT_LIST_ROOTS},
        {"leaves", VIR_DOMAIN_SNAPSHOT_LIST_LEAVES},
        {"no-leaves", VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES},
        {"metadata", VIR_DOMAIN_SNAPSHOT_LIST_METADATA},
        {"no-metadata", VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA},
        {"inactive", VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE},
        {"active", VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE},
        {"disk-only", VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY},
        {"internal", VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL},
        {"external", VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL},
        {"descendants", VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS},
        {"topological", VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL},
    };
    static const char *const exclusive[][2] = {
        {"tree", "name"},  {"parent", "roots"},  {"parent", "tree"},  {"roots", "tree"},
        {"roots", "from"}, {"roots", "current"}, {"from", "current"},
    };
    unsigned int flags = ARGS_BITS(args, bits);
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(GArray) nodes = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(exclusive); i++) {
        if (!args_exclude(shell, args, exclusive[i][0], exclusive[i][1]))
            return false;
    }
    if (args_has(args, "descendants") && !args_has(args, "from") && !args_has(args, "current"))
        return shell_fail(shell, "--descendants requires either --from or --current");
    domain = args_domain(shell, args);
    nodes = domain ? list_nodes(shell, args, domain, flags) : NULL;
    if (!nodes)
        return false;
    if (shell_wants_json(shell)) {
        print_list(shell, args, nodes);
    } else if (args_has(args, "tree")) {
        print_tree(shell, nodes);
    } else if (args_has(args, "name")) {
        for (guint i = 0; i < nodes->len; i++)
            shell_print(shell, "%s\n",
                        virDomainSnapshotGetName(g_array_index(nodes, Node, i).snapshot));
    } else {
        print_list(shell, args, nodes);
    }
    return true;
}

static const Option snapshot_list_options[] = {
    DOMAIN,
    FLAG("parent", "also the parents"),
    FLAG("roots", "only those without a parent"),
    FLAG("leaves", "only those without children"),
    FLAG("no-leaves", "only those with children"),
    FLAG("metadata", "only those that undefining would lose"),
    FLAG("no-metadata", "only those that are in the images alone"),
    FLAG("inactive", "only those taken while the domain was off"),
    FLAG("active", "only those taken while it ran"),
    FLAG("disk-only", "only those without memory of a running domain"),
    FLAG("internal", "only those inside the images"),
    FLAG("external", "only those in files of their own"),
    FLAG("tree", "draw the tree"),
    TEXT_OF("from", complete_snapshot, "below this one"),
    FLAG("current", "below the current one"),
    FLAG("descendants", "with --from or --current: all levels below"),
    FLAG("name", "names only"),
    FLAG("topological", "parents before children"),
    END_OF_OPTIONS,
};

static const char *
location_of(XmlNode *xml)
{
    XmlNode *disks = xml_child(xml, "disks");
    const char *memory = xml_get(xml_child(xml, "memory"), "snapshot");

    if (g_strcmp0(memory, "external") == 0)
        return "external";
    for (guint i = 0; disks && i < disks->children->len; i++) {
        if (g_strcmp0(xml_get(disks->children->pdata[i], "snapshot"), "external") == 0)
            return "external";
    }
    return "internal";
}

static bool
cmd_snapshot_info(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot = domain ? args_snapshot(shell, args, domain) : NULL;
    g_autoptr(XmlNode) xml = snapshot ? snapshot_xml(snapshot) : NULL;
    g_autoptr(Fields) fields = fields_new(16);
    g_autofree char *parent = NULL;
    int flag;

    if (!xml || !parent_name(snapshot, &parent))
        return false;
    fields_text(fields, "Name", "name", virDomainSnapshotGetName(snapshot));
    fields_text(fields, "Domain", "domain", virDomainGetName(domain));
    if ((flag = virDomainSnapshotIsCurrent(snapshot, 0)) < 0)
        return false;
    fields_bool(fields, "Current", "current", flag, "yes", "no");
    fields_text(fields, "State", "state", xml_child_text(xml, "state"));
    fields_text(fields, "Location", "location", location_of(xml));
    fields_text(fields, "Parent", "parent", parent);
    if ((flag = virDomainSnapshotNumChildren(snapshot, 0)) < 0)
        return false;
    fields_number(fields, "Children", "children", flag, NULL);
    if ((flag = virDomainSnapshotNumChildren(snapshot, VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS)) < 0)
        return false;
    fields_number(fields, "Descendants", "descendants", flag, NULL);
    if ((flag = virDomainSnapshotHasMetadata(snapshot, 0)) < 0)
        return false;
    fields_bool(fields, "Metadata", "metadata", flag, "yes", "no");
    fields_print(shell, fields);
    return true;
}

static const Option snapshot_options[] = {
    DOMAIN,
    SNAPSHOT,
    FLAG("current", "the current snapshot"),
    END_OF_OPTIONS,
};

static bool
cmd_snapshot_dumpxml(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot =
        domain ? virDomainSnapshotLookupByName(domain, args_text(args, "snapshotname"), 0) : NULL;
    g_autofree char *xml =
        snapshot
            ? virDomainSnapshotGetXMLDesc(
                  snapshot, args_has(args, "security-info") ? VIR_DOMAIN_SNAPSHOT_XML_SECURE : 0)
            : NULL;

    return xml && print_xml_parts(shell, args, xml);
}

static const Option snapshot_dumpxml_options[] = {
    DOMAIN,
    REQUIRED_OF("snapshotname", complete_snapshot, "name of the snapshot"),
    FLAG("security-info", "with passwords"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};

static bool
cmd_snapshot_current(Shell *shell, const Args *args)
{
    const char *name = args_text(args, "snapshotname");
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot = NULL;
    g_autofree char *xml = NULL;

    if (!domain)
        return false;
    if (name) {
        snapshot = virDomainSnapshotLookupByName(domain, name, 0);
        xml =
            snapshot ? virDomainSnapshotGetXMLDesc(snapshot, VIR_DOMAIN_SNAPSHOT_XML_SECURE) : NULL;
        if (!xml)
            return false;
        g_autoptr(virDomainSnapshot) set = virDomainSnapshotCreateXML(
            domain, xml, VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT);
        if (!set)
            return false;
        shell_note(shell, "Snapshot %s set as current\n", name);
        return true;
    }
    int has = virDomainHasCurrentSnapshot(domain, 0);
    if (has < 0)
        return false;
    if (!has)
        return shell_fail(shell, "domain '%s' has no current snapshot", virDomainGetName(domain));
    snapshot = virDomainSnapshotCurrent(domain, 0);
    if (!snapshot)
        return false;
    if (args_has(args, "name")) {
        if (shell_wants_json(shell))
            print_value(shell, "name", virDomainSnapshotGetName(snapshot));
        else
            shell_print(shell, "%s", virDomainSnapshotGetName(snapshot));
        return true;
    }
    xml = virDomainSnapshotGetXMLDesc(
        snapshot, args_has(args, "security-info") ? VIR_DOMAIN_SNAPSHOT_XML_SECURE : 0);
    if (xml)
        print_xml(shell, xml);
    return xml != NULL;
}

static const Option snapshot_current_options[] = {
    DOMAIN,
    FLAG("name", "its name instead of its XML"),
    FLAG("security-info", "with passwords"),
    TEXT_OF("snapshotname", complete_snapshot, "make this one the current one"),
    END_OF_OPTIONS,
};

static bool
cmd_snapshot_parent(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot = domain ? args_snapshot(shell, args, domain) : NULL;
    g_autofree char *parent = NULL;

    if (!snapshot || !parent_name(snapshot, &parent))
        return false;
    if (!parent)
        return shell_fail(shell, "snapshot '%s' has no parent", virDomainSnapshotGetName(snapshot));
    if (shell_wants_json(shell))
        print_value(shell, "parent", parent);
    else
        shell_print(shell, "%s", parent);
    return true;
}

/* ---- change ---- */

static bool
cmd_snapshot_delete(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"children", VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN},
        {"children-only", VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY},
        {"metadata", VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot = domain ? args_snapshot(shell, args, domain) : NULL;

    if (!snapshot)
        return false;
    if (args_has(args, "dry-run")) {
        const Manifold *calls = manifold_load(shell);
        return calls &&
               manifold_print_plan(shell, calls->plan_delete(snapshot, ARGS_BITS(args, bits)));
    }
    if (virDomainSnapshotDelete(snapshot, ARGS_BITS(args, bits)) < 0)
        return shell_fail(shell, "Failed to delete snapshot %s",
                          virDomainSnapshotGetName(snapshot));
    if (shell_wants_json(shell))
        print_value(shell, "snapshot", virDomainSnapshotGetName(snapshot));
    shell_note(shell, "Domain snapshot %s%s deleted\n", virDomainSnapshotGetName(snapshot),
               args_has(args, "children-only") ? " children" : "");
    return true;
}

static const Option snapshot_delete_options[] = {
    DOMAIN,
    SNAPSHOT,
    FLAG("current", "the current snapshot"),
    FLAG("children", "and everything below it"),
    FLAG("children-only", "everything below it, not itself"),
    FLAG("metadata", "forget it and leave the files"),
    FLAG("dry-run", "tell what would be done, and do nothing"),
    END_OF_OPTIONS,
};

typedef struct {
    virDomainPtr domain;
    virDomainSnapshotPtr snapshot;
    bool may_rename;
} Edited;

static char *
get_snapshot_xml(void *object)
{
    return virDomainSnapshotGetXMLDesc(((Edited *)object)->snapshot,
                                       VIR_DOMAIN_SNAPSHOT_XML_SECURE);
}

static bool
put_snapshot_xml(Shell *shell, void *object, const char *xml, bool validate)
{
    Edited *edited = object;
    unsigned int flags = VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE;
    g_autoptr(virDomainSnapshot) made = NULL;

    flags |= virDomainSnapshotIsCurrent(edited->snapshot, 0) == 1
                 ? VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
                 : 0;
    flags |= validate ? VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE : 0;
    g_autoptr(XmlNode) root = xml_parse(xml);
    const char *name = xml_child_text(root, "name");
    if (name && !edited->may_rename &&
        !g_str_equal(name, virDomainSnapshotGetName(edited->snapshot)))
        return shell_fail(shell, "must use --rename or --clone to change %s to %s",
                          virDomainSnapshotGetName(edited->snapshot), name);
    made = virDomainSnapshotCreateXML(edited->domain, xml, flags);
    return made != NULL;
}

static bool
cmd_snapshot_edit(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = NULL;
    g_autoptr(virDomainSnapshot) snapshot = NULL;
    g_autofree char *what = NULL;

    if (!args_exclude(shell, args, "rename", "clone"))
        return false;
    domain = args_domain(shell, args);
    snapshot = domain ? args_snapshot(shell, args, domain) : NULL;
    if (!snapshot)
        return false;
    Edited edited = {domain, snapshot, args_has(args, "rename") || args_has(args, "clone")};
    what = g_strdup_printf("Snapshot %s", virDomainSnapshotGetName(snapshot));
    if (!edit_xml(shell, what, &edited, get_snapshot_xml, put_snapshot_xml, false))
        return false;
    if (args_has(args, "rename") &&
        virDomainSnapshotDelete(snapshot, VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY) < 0)
        return shell_fail(shell, "Failed to clean up %s", virDomainSnapshotGetName(snapshot));
    return true;
}

static const Option snapshot_edit_options[] = {
    DOMAIN,
    SNAPSHOT,
    FLAG("current", "the current snapshot"),
    FLAG("rename", "allow another name; the old one goes"),
    FLAG("clone", "allow another name; the old one stays"),
    END_OF_OPTIONS,
};

const Command snapshot_commands[] = {
    {"snapshot-create", cmd_snapshot_create, snapshot_create_options,
     "take a snapshot as XML describes it", COMMAND_JSON, NULL},
    {"snapshot-create-as", cmd_snapshot_create_as, snapshot_create_as_options,
     "take a snapshot as options describe it", COMMAND_JSON,
     "External snapshots put each disk's changes from now on into a new overlay; the file so far "
     "is kept as it is."},
    {"snapshot-current", cmd_snapshot_current, snapshot_current_options,
     "show or set the current snapshot", COMMAND_JSON, NULL},
    {"snapshot-delete", cmd_snapshot_delete, snapshot_delete_options,
     "delete a snapshot, keep what others need", COMMAND_JSON, NULL},
    {"snapshot-dumpxml", cmd_snapshot_dumpxml, snapshot_dumpxml_options, "print a snapshot's XML",
     COMMAND_JSON, NULL},
    {"snapshot-edit", cmd_snapshot_edit, snapshot_edit_options, "edit a snapshot's XML in $EDITOR",
     0, NULL},
    {"snapshot-info", cmd_snapshot_info, snapshot_options, "the most asked facts about a snapshot",
     COMMAND_JSON, NULL},
    {"snapshot-list", cmd_snapshot_list, snapshot_list_options, "snapshots of a domain",
     COMMAND_JSON, NULL},
    {"snapshot-parent", cmd_snapshot_parent, snapshot_options, "name of a snapshot's parent",
     COMMAND_JSON, NULL},
    {"snapshot-clone", cmd_snapshot_clone, snapshot_clone_options,
     "make a new domain out of a snapshot", COMMAND_JSON,
     "Its disks are overlays on the images that the snapshot keeps; UUID, MAC addresses and "
     "generation id are its own."},
    {"snapshot-verify", cmd_snapshot_verify, snapshot_verify_options,
     "look whether snapshots, definition and images agree", COMMAND_JSON,
     "Fails when something is wrong, and tells what can be done."},
    {"snapshot-undo", cmd_snapshot_undo, snapshot_undo_options,
     "go back to the state that a revert has left", COMMAND_JSON,
     "After snapshot-revert --keep only. What the guest has now is discarded."},
    {"snapshot-revert", cmd_snapshot_revert, snapshot_revert_options, "go back to a snapshot",
     COMMAND_JSON,
     "Works for any snapshot of the tree. What was written since the last snapshot is discarded: "
     "take one first to keep "
     "it."},
    {0},
};
