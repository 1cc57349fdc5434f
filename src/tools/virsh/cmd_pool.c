/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools. What is alike for all objects is in object.c; volumes are in cmd_volume.c. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"
#include "tools/virsh/size.h"
#include "tools/virsh/xml.h"

static void *
find_pool(Shell *shell, const char *name)
{
    virConnectPtr conn = shell_connection(shell);
    virStoragePoolPtr pool = NULL;

    if (strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
        pool = virStoragePoolLookupByUUIDString(conn, name);
    return pool ? pool : virStoragePoolLookupByName(conn, name);
}

const ObjectKind pool_kind = {
    "pool",
    "pool",
    find_pool,
    OBJECT_NAME(virStoragePoolGetName),
    OBJECT_CALL(virStoragePoolFree),
    OBJECT_XML(virStoragePoolGetXMLDesc),
};

#define POOL REQUIRED_OF("pool", complete_pool, "name or uuid of the pool")
#define BUILD                                                     \
    FLAG("no-overwrite", "fail when there is something already"), \
        FLAG("overwrite", "destroy what is there")

static const Option pool_only[] = {POOL, END_OF_OPTIONS};
static const Option autostart_options[] = {
    POOL,
    FLAG("disable", "do not start it with the host any more"),
    END_OF_OPTIONS,
};
static const Option dumpxml_options[] = {
    POOL,
    FLAG("inactive", "what the next start will use"),
    XPATH_AND_WRAP,
    END_OF_OPTIONS,
};
static const Option define_options[] = {
    FILE_ARGUMENT("file with the pool's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};
static const Option create_options[] = {
    FILE_ARGUMENT("file with the pool's XML"),
    FLAG("build", "build it first"),
    BUILD,
    END_OF_OPTIONS,
};
static const Option build_options[] = {POOL, BUILD, END_OF_OPTIONS};
static const Option start_options[] = {POOL, FLAG("build", "build it first"), BUILD,
                                       END_OF_OPTIONS};

static const FlagBit create_bits[] = {
    {"build", VIR_STORAGE_POOL_CREATE_WITH_BUILD},
    {"overwrite", VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE},
    {"no-overwrite", VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE},
};
static const FlagBit define_bits[] = {{"validate", VIR_STORAGE_POOL_DEFINE_VALIDATE}};

static int
refresh_pool(void *pool)
{
    return virStoragePoolRefresh(pool, 0);
}

static int
delete_pool(void *pool)
{
    return virStoragePoolDelete(pool, 0);
}

static const ObjectDefine create = {&pool_kind,
                                    OBJECT_DEFINE(virStoragePoolCreateXML),
                                    create_bits,
                                    G_N_ELEMENTS(create_bits),
                                    "Pool %s created from %s\n",
                                    "Failed to create pool from %s"};
static const ObjectDefine define = {&pool_kind,
                                    OBJECT_DEFINE(virStoragePoolDefineXML),
                                    define_bits,
                                    G_N_ELEMENTS(define_bits),
                                    "Pool %s defined from %s\n",
                                    "Failed to define pool from %s"};
static const ObjectVerb destroy = {&pool_kind, OBJECT_CALL(virStoragePoolDestroy),
                                   "Pool %s destroyed\n", "Failed to destroy pool %s"};
static const ObjectVerb undefine = {&pool_kind, OBJECT_CALL(virStoragePoolUndefine),
                                    "Pool %s has been undefined\n", "Failed to undefine pool %s"};
static const ObjectVerb refresh = {&pool_kind, refresh_pool, "Pool %s refreshed\n",
                                   "Failed to refresh pool %s"};
static const ObjectVerb remove_verb = {&pool_kind, delete_pool, "Pool %s deleted\n",
                                       "Failed to delete pool %s"};
static const ObjectAutostart autostart = {&pool_kind, OBJECT_SET(virStoragePoolSetAutostart)};
static const ObjectDump dump = {&pool_kind, VIR_STORAGE_XML_INACTIVE};
static const ObjectEdit edit = {&pool_kind, VIR_STORAGE_XML_INACTIVE,
                                OBJECT_DEFINE(virStoragePoolDefineXML),
                                "Pool %s XML configuration"};
static const ObjectText name = {&pool_kind, "name", NULL, OBJECT_NAME(virStoragePoolGetName)};
static const ObjectText uuid = {&pool_kind, "uuid", OBJECT_BUFFER(virStoragePoolGetUUIDString),
                                NULL};

/* ---- build, start ---- */

static bool
cmd_build(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"overwrite", VIR_STORAGE_POOL_BUILD_OVERWRITE},
        {"no-overwrite", VIR_STORAGE_POOL_BUILD_NO_OVERWRITE},
    };
    virStoragePoolPtr pool;

    if (!args_exclude(shell, args, "overwrite", "no-overwrite"))
        return false;
    pool = args_object(shell, args, &pool_kind);
    if (!pool)
        return false;
    bool good = virStoragePoolBuild(pool, ARGS_BITS(args, bits)) >= 0;
    if (good)
        shell_note(shell, "Pool %s built\n", virStoragePoolGetName(pool));
    else
        shell_fail(shell, "Failed to build pool %s", virStoragePoolGetName(pool));
    virStoragePoolFree(pool);
    return good;
}

static bool
cmd_start(Shell *shell, const Args *args)
{
    virStoragePoolPtr pool;

    if (!args_exclude(shell, args, "overwrite", "no-overwrite"))
        return false;
    pool = args_object(shell, args, &pool_kind);
    if (!pool)
        return false;
    bool good = virStoragePoolCreate(pool, ARGS_BITS(args, create_bits)) >= 0;
    if (good)
        shell_note(shell, "Pool %s started\n", virStoragePoolGetName(pool));
    else
        shell_fail(shell, "Failed to start pool %s", virStoragePoolGetName(pool));
    virStoragePoolFree(pool);
    return good;
}

/* ---- from options ---- */

static void
append_tag(GString *xml, const char *element, const char *attribute, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(xml, "    <%s", element);
    xml_append_attribute(xml, attribute, value);
    g_string_append(xml, "/>\n");
}

static void
append_adapter(const Args *args, GString *xml)
{
    static const char *const attributes[][2] = {
        {"adapter-wwnn", "wwnn"},
        {"adapter-wwpn", "wwpn"},
        {"adapter-parent", "parent"},
        {"adapter-parent-wwnn", "parent_wwnn"},
        {"adapter-parent-wwpn", "parent_wwpn"},
        {"adapter-parent-fabric-wwn", "parent_fabric_wwn"},
    };
    const char *scsi_host = args_text(args, "adapter-name");

    if (scsi_host) {
        append_tag(xml, "adapter", "name", scsi_host);
    } else if (args_has(args, "adapter-wwnn") && args_has(args, "adapter-wwpn")) {
        g_string_append(xml, "    <adapter type='fc_host'");
        for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++)
            xml_append_attribute(xml, attributes[i][1], args_text(args, attributes[i][0]));
        g_string_append(xml, "/>\n");
    }
}

static void
append_auth(const Args *args, GString *xml)
{
    if (!args_has(args, "auth-type"))
        return;
    g_string_append(xml, "    <auth");
    xml_append_attribute(xml, "type", args_text(args, "auth-type"));
    xml_append_attribute(xml, "username", args_text(args, "auth-username"));
    g_string_append(xml, ">\n      <secret");
    xml_append_attribute(xml, "usage", args_text(args, "secret-usage"));
    xml_append_attribute(xml, "uuid", args_text(args, "secret-uuid"));
    g_string_append(xml, "/>\n    </auth>\n");
}

static void
append_source(const Args *args, GString *xml)
{
    static const char *const options[] = {
        "source-host", "source-path",  "source-dev",       "source-name",         "source-format",
        "auth-type",   "adapter-name", "source-initiator", "source-protocol-ver", "adapter-wwnn",
    };
    const char *initiator = args_text(args, "source-initiator");
    bool any = false;

    for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
        any = any || args_has(args, options[i]);
    if (!any)
        return;
    g_string_append(xml, "  <source>\n");
    append_tag(xml, "host", "name", args_text(args, "source-host"));
    append_tag(xml, "dir", "path", args_text(args, "source-path"));
    append_tag(xml, "device", "path", args_text(args, "source-dev"));
    append_adapter(args, xml);
    append_auth(args, xml);
    append_tag(xml, "format", "type", args_text(args, "source-format"));
    append_tag(xml, "protocol", "ver", args_text(args, "source-protocol-ver"));
    xml_append_element(xml, "    ", "name", args_text(args, "source-name"));
    if (initiator) {
        g_string_append(xml, "    <initiator>\n      <iqn");
        xml_append_attribute(xml, "name", initiator);
        g_string_append(xml, "/>\n    </initiator>\n");
    }
    g_string_append(xml, "  </source>\n");
}

static bool
cmd_from_options(Shell *shell, const Args *args)
{
    const ObjectDefine *how = args_detail(args);
    const char *pool_name = args_text(args, "name");
    g_autoptr(GString) xml = g_string_new("<pool");

    if (!args_exclude(shell, args, "secret-usage", "secret-uuid") ||
        !args_exclude(shell, args, "overwrite", "no-overwrite"))
        return false;
    if (args_has(args, "auth-type") &&
        (!args_has(args, "auth-username") ||
         (!args_has(args, "secret-usage") && !args_has(args, "secret-uuid"))))
        return shell_fail(shell, "--auth-type needs --auth-username and --secret-usage or "
                                 "--secret-uuid");
    xml_append_attribute(xml, "type", args_text(args, "type"));
    g_string_append(xml, ">\n");
    xml_append_element(xml, "  ", "name", pool_name);
    append_source(args, xml);
    if (args_has(args, "target")) {
        g_string_append(xml, "  <target>\n");
        xml_append_element(xml, "    ", "path", args_text(args, "target"));
        g_string_append(xml, "  </target>\n");
    }
    g_string_append(xml, "</pool>\n");
    if (args_has(args, "print-xml")) {
        shell_print(shell, "%s", xml->str);
        return true;
    }
    void *pool =
        how->define(shell_connection(shell), xml->str, args_bits(args, how->bits, how->n_bits));
    if (!pool)
        return shell_fail(shell, how->failed, pool_name);
    shell_note(shell, how->done, pool_name);
    virStoragePoolFree(pool);
    return true;
}

static const ObjectDefine create_as = {&pool_kind,          OBJECT_DEFINE(virStoragePoolCreateXML),
                                       create_bits,         G_N_ELEMENTS(create_bits),
                                       "Pool %s created\n", "Failed to create pool %s"};
static const ObjectDefine define_as = {&pool_kind,
                                       OBJECT_DEFINE(virStoragePoolDefineXML),
                                       NULL,
                                       0,
                                       "Pool %s defined\n",
                                       "Failed to define pool %s"};

#define POOL_TYPES \
    "dir,fs,netfs,logical,disk,iscsi,iscsi-direct,scsi,mpath,rbd,sheepdog,gluster,zfs,vstorage"
#define POOL_AS                                                                                \
    REQUIRED("name", "name of the pool"), REQUIRED_CHOICE("type", POOL_TYPES, "kind of pool"), \
        FLAG("print-xml", "print the XML and do nothing"),                                     \
        TEXT("source-host", "host that has the storage"), TEXT("source-path", "folder there"), \
        TEXT("source-dev", "device"), TEXT("source-name", "name there"),                       \
        TEXT_OF("target", NULL, "folder here"), TEXT("source-format", "format"),               \
        CHOICE("auth-type", "chap,ceph", "login"), TEXT("auth-username", "user who logs in"),  \
        TEXT("secret-usage", "usage of the secret to log in with"),                            \
        TEXT("secret-uuid", "uuid of the secret to log in with"),                              \
        TEXT("adapter-name", "SCSI adapter"), TEXT("adapter-wwnn", "node of a vHBA"),          \
        TEXT("adapter-wwpn", "port of a vHBA"),                                                \
        TEXT("adapter-parent", "adapter that a vHBA is made on"),                              \
        TEXT("adapter-parent-wwnn", "the same, by its node"),                                  \
        TEXT("adapter-parent-wwpn", "the same, by its port"),                                  \
        TEXT("adapter-parent-fabric-wwn", "the same, by its fabric"),                          \
        TEXT("source-protocol-ver", "NFS version"), TEXT("source-initiator", "iSCSI initiator")

static const Option define_as_options[] = {POOL_AS, END_OF_OPTIONS};
static const Option create_as_options[] = {POOL_AS, FLAG("build", "build it first"), BUILD,
                                           END_OF_OPTIONS};

/* ---- list, info ---- */

static const char *
state_name(int state)
{
    static const char *const names[] = {"inactive", "building", "running", "degraded",
                                        "inaccessible"};

    return state >= 0 && state < (int)G_N_ELEMENTS(names) ? names[state] : "unknown";
}

static int
compare_pools(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virStoragePoolGetName(*(const virStoragePoolPtr *)a),
                              virStoragePoolGetName(*(const virStoragePoolPtr *)b));
}

static void
add_pool(Shell *shell, Table *table, virStoragePoolPtr pool, bool details)
{
    virStoragePoolInfo info = {0};
    int autostart = 0;
    bool known = virStoragePoolGetInfo(pool, &info) == 0;

    table_text(table, virStoragePoolGetName(pool));
    table_text(table, details                             ? state_name(info.state)
                      : virStoragePoolIsActive(pool) == 1 ? "active"
                                                          : "inactive");
    table_text(table, virStoragePoolGetAutostart(pool, &autostart) < 0 ? "no autostart"
                      : autostart                                      ? "yes"
                                                                       : "no");
    if (details) {
        const unsigned long long sizes[] = {info.capacity, info.allocation, info.available};
        table_text(table, virStoragePoolIsPersistent(pool) == 1 ? "yes" : "no");
        for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
            g_autofree char *text = size_pretty(sizes[i]);
            if (known && info.state != VIR_STORAGE_POOL_INACTIVE)
                table_number_as(table, sizes[i], text);
            else
                table_text(table, shell_wants_json(shell) ? NULL : "-");
        }
    }
    shell_forget_error();
}

static bool
type_flags(Shell *shell, const Args *args, unsigned int *flags)
{
    static const FlagBit types[] = {
        {"dir", VIR_CONNECT_LIST_STORAGE_POOLS_DIR},
        {"fs", VIR_CONNECT_LIST_STORAGE_POOLS_FS},
        {"netfs", VIR_CONNECT_LIST_STORAGE_POOLS_NETFS},
        {"logical", VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL},
        {"disk", VIR_CONNECT_LIST_STORAGE_POOLS_DISK},
        {"iscsi", VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI},
        {"iscsi-direct", VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT},
        {"scsi", VIR_CONNECT_LIST_STORAGE_POOLS_SCSI},
        {"mpath", VIR_CONNECT_LIST_STORAGE_POOLS_MPATH},
        {"rbd", VIR_CONNECT_LIST_STORAGE_POOLS_RBD},
        {"sheepdog", VIR_CONNECT_LIST_STORAGE_POOLS_SHEEPDOG},
        {"gluster", VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER},
        {"zfs", VIR_CONNECT_LIST_STORAGE_POOLS_ZFS},
        {"vstorage", VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE},
    };
    const char *text = args_text(args, "type");
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);

    for (char **word = words; *word; word++) {
        gsize i = 0;
        while (i < G_N_ELEMENTS(types) && !g_str_equal(types[i].option, *word))
            i++;
        if (i == G_N_ELEMENTS(types))
            return shell_fail(shell, "Invalid pool type '%s'", *word);
        *flags |= types[i].bit;
    }
    return true;
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"persistent", VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT},
        {"transient", VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT},
        {"autostart", VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART},
        {"no-autostart", VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART},
    };
    static const char *const plain[] = {"Name", "State", "Autostart", NULL};
    static const char *const full[] = {"Name",     "State",      "Autostart", "Persistent",
                                       "Capacity", "Allocation", "Available", NULL};
    static const char *const keys[] = {"name", "state", "autostart", NULL};
    static const char *const full_keys[] = {"name",     "state",      "autostart", "persistent",
                                            "capacity", "allocation", "available", NULL};
    bool details = args_has(args, "details") || shell_wants_json(shell);
    bool bare = (args_has(args, "name") || args_has(args, "uuid")) && !shell_wants_json(shell);
    g_autoptr(Table) table = table_new(details ? full : plain, details ? full_keys : keys);
    unsigned int flags = ARGS_BITS(args, bits);
    virStoragePoolPtr *pools = NULL;

    if (!args_exclude(shell, args, "details", "name") ||
        !args_exclude(shell, args, "details", "uuid") || !type_flags(shell, args, &flags))
        return false;
    if (args_has(args, "inactive"))
        flags |= VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE;
    else if (!args_has(args, "all"))
        flags |= VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE;
    int n = virConnectListAllStoragePools(shell_connection(shell), &pools, flags);
    if (n < 0)
        return shell_fail(shell, "Failed to list pools");
    qsort(pools, n, sizeof *pools, compare_pools);
    for (int i = 0; i < n; i++) {
        char text[VIR_UUID_STRING_BUFLEN] = "";
        virStoragePoolGetUUIDString(pools[i], text);
        if (!bare)
            add_pool(shell, table, pools[i], details);
        else if (args_has(args, "uuid"))
            shell_print(shell, "%s%s", text, args_has(args, "name") ? " " : "\n");
        if (bare && args_has(args, "name"))
            shell_print(shell, "%-20s\n", virStoragePoolGetName(pools[i]));
        virStoragePoolFree(pools[i]);
    }
    free(pools);
    if (!bare)
        table_print(shell, table);
    return true;
}

static const Option list_options[] = {
    FLAG("inactive", "those that are off"),
    FLAG("all", "those that are on and those that are off"),
    FLAG("transient", "without a definition on disk"),
    FLAG("persistent", "with one"),
    FLAG("autostart", "that start with the host"),
    FLAG("no-autostart", "that do not"),
    CHOICE("type", POOL_TYPES, "only of these kinds"),
    FLAG("details", "also the sizes"),
    FLAG("uuid", "print UUIDs only"),
    FLAG("name", "print names only"),
    END_OF_OPTIONS,
};

static bool
cmd_info(Shell *shell, const Args *args)
{
    virStoragePoolPtr pool = args_object(shell, args, &pool_kind);
    g_autoptr(Fields) fields = fields_new(16);
    char text[VIR_UUID_STRING_BUFLEN] = "";
    virStoragePoolInfo info;
    int flag;

    if (!pool)
        return false;
    bool good = virStoragePoolGetInfo(pool, &info) == 0;
    fields_text(fields, "Name", "name", virStoragePoolGetName(pool));
    if (virStoragePoolGetUUIDString(pool, text) == 0)
        fields_text(fields, "UUID", "uuid", text);
    if (good)
        fields_text(fields, "State", "state", state_name(info.state));
    flag = virStoragePoolIsPersistent(pool);
    fields_text(fields, "Persistent", "persistent", flag < 0 ? "unknown" : flag ? "yes" : "no");
    if (virStoragePoolGetAutostart(pool, &flag) < 0)
        fields_text(fields, "Autostart", "autostart", "no autostart");
    else
        fields_bool(fields, "Autostart", "autostart", flag, "yes", "no");
    if (good &&
        (info.state == VIR_STORAGE_POOL_RUNNING || info.state == VIR_STORAGE_POOL_DEGRADED)) {
        size_field(shell, fields, "Capacity", "capacity", info.capacity, args_has(args, "bytes"));
        size_field(shell, fields, "Allocation", "allocation", info.allocation,
                   args_has(args, "bytes"));
        size_field(shell, fields, "Available", "available", info.available,
                   args_has(args, "bytes"));
    }
    if (good)
        fields_print(shell, fields);
    virStoragePoolFree(pool);
    return good;
}

static const Option info_options[] = {POOL, FLAG("bytes", "sizes in bytes"), END_OF_OPTIONS};

/* ---- what there is ---- */

static bool
cmd_capabilities(Shell *shell, const Args *args)
{
    g_autofree char *xml = virConnectGetStoragePoolCapabilities(shell_connection(shell), 0);

    if (!xml)
        return shell_fail(shell, "failed to get storage pool capabilities");
    print_document(shell, xml);
    return true;
}

static bool
show_sources(Shell *shell, const char *type, const char *spec)
{
    g_autofree char *xml = virConnectFindStoragePoolSources(shell_connection(shell), type, spec, 0);

    if (!xml)
        return shell_fail(shell, "Failed to find any %s pool sources", type);
    print_xml(shell, xml);
    return true;
}

static bool
cmd_find_sources(Shell *shell, const Args *args)
{
    g_autofree char *spec = NULL;

    if (args_has(args, "srcSpec") && !(spec = args_file(shell, args, "srcSpec")))
        return false;
    return show_sources(shell, args_text(args, "type"), spec);
}

static bool
cmd_find_sources_as(Shell *shell, const Args *args)
{
    const char *initiator = args_text(args, "initiator");
    g_autoptr(GString) spec = g_string_new("<source>\n");

    if (!args_need(shell, args, "port", "host"))
        return false;
    if (args_has(args, "host")) {
        g_string_append(spec, "  <host");
        xml_append_attribute(spec, "name", args_text(args, "host"));
        xml_append_attribute(spec, "port", args_text(args, "port"));
        g_string_append(spec, "/>\n");
    }
    if (initiator) {
        g_string_append(spec, "  <initiator>\n    <iqn");
        xml_append_attribute(spec, "name", initiator);
        g_string_append(spec, "/>\n  </initiator>\n");
    }
    g_string_append(spec, "</source>\n");
    return show_sources(shell, args_text(args, "type"),
                        args_has(args, "host") || initiator ? spec->str : NULL);
}

static const Option find_sources_options[] = {
    REQUIRED_CHOICE("type", POOL_TYPES, "kind of pool"),
    TEXT_OF("srcSpec", NULL, "file with a <source> to look in"),
    END_OF_OPTIONS,
};
static const Option find_sources_as_options[] = {
    REQUIRED_CHOICE("type", POOL_TYPES, "kind of pool"),
    TEXT("host", "host to ask"),
    TEXT("port", "its port"),
    TEXT("initiator", "iSCSI initiator to ask as"),
    END_OF_OPTIONS,
};

const Command pool_commands[] = {
    {"find-storage-pool-sources", cmd_find_sources, find_sources_options,
     "what pools of a kind could be made of", COMMAND_JSON, NULL, NULL},
    {"find-storage-pool-sources-as", cmd_find_sources_as, find_sources_as_options,
     "the same, told by options", COMMAND_JSON, NULL, NULL},
    {"pool-autostart", cmd_object_autostart, autostart_options, "start a pool with the host", 0,
     NULL, &autostart},
    {"pool-build", cmd_build, build_options, "make a pool's folder, file system or volume group", 0,
     NULL, NULL},
    {"pool-capabilities", cmd_capabilities, NULL, "which kinds of pools there are, as XML",
     COMMAND_JSON, NULL, NULL},
    {"pool-create", cmd_object_define, create_options, "start a transient pool from a file", 0,
     NULL, &create},
    {"pool-create-as", cmd_from_options, create_as_options, "start a transient pool from options",
     0, NULL, &create_as},
    {"pool-define", cmd_object_define, define_options, "define a pool from a file, or change it", 0,
     NULL, &define},
    {"pool-define-as", cmd_from_options, define_as_options, "define a pool from options", 0,
     "Example:\n  virsh pool-define-as images dir --target /srv/images", &define_as},
    {"pool-delete", cmd_object_verb, pool_only, "destroy what a stopped pool is made of", 0, NULL,
     &remove_verb},
    {"pool-destroy", cmd_object_verb, pool_only, "stop a pool; its data stays", 0, NULL, &destroy},
    {"pool-dumpxml", cmd_object_dumpxml, dumpxml_options, "print a pool's XML", COMMAND_JSON, NULL,
     &dump},
    {"pool-edit", cmd_object_edit, pool_only, "edit a pool's XML in $EDITOR", 0, NULL, &edit},
    {"pool-info", cmd_info, info_options, "the most asked facts about a pool", COMMAND_JSON, NULL,
     NULL},
    {"pool-list", cmd_list, list_options, "pools and their state", COMMAND_JSON, NULL, NULL},
    {"pool-name", cmd_object_text, pool_only, "name of a pool", COMMAND_JSON, NULL, &name},
    {"pool-refresh", cmd_object_verb, pool_only, "look again what a pool holds", 0, NULL, &refresh},
    {"pool-start", cmd_start, start_options, "start a defined pool", 0, NULL, NULL},
    {"pool-undefine", cmd_object_verb, pool_only, "remove a pool's definition", 0, NULL, &undefine},
    {"pool-uuid", cmd_object_text, pool_only, "UUID of a pool", COMMAND_JSON, NULL, &uuid},
    {0},
};
