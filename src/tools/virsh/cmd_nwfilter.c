/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packet filters of guests' interfaces, and which interfaces are bound to them. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"

static void *
find_filter(Shell *shell, const char *name)
{
    virConnectPtr conn = shell_connection(shell);
    virNWFilterPtr filter = NULL;

    if (strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
        filter = virNWFilterLookupByUUIDString(conn, name);
    return filter ? filter : virNWFilterLookupByName(conn, name);
}

static void *
find_binding(Shell *shell, const char *name)
{
    return virNWFilterBindingLookupByPortDev(shell_connection(shell), name);
}

const ObjectKind nwfilter_kind = {
    "nwfilter",
    "nwfilter",
    find_filter,
    OBJECT_NAME(virNWFilterGetName),
    OBJECT_CALL(virNWFilterFree),
    OBJECT_XML(virNWFilterGetXMLDesc),
};

const ObjectKind binding_kind = {
    "nwfilter binding",
    "binding",
    find_binding,
    OBJECT_NAME(virNWFilterBindingGetPortDev),
    OBJECT_CALL(virNWFilterBindingFree),
    OBJECT_XML(virNWFilterBindingGetXMLDesc),
};

#define FILTER REQUIRED_OF("nwfilter", complete_nwfilter, "name or uuid of the filter")
#define BINDING REQUIRED_OF("binding", complete_binding, "interface that the filter is bound to")

static const Option filter_only[] = {FILTER, END_OF_OPTIONS};
static const Option dumpxml_options[] = {FILTER, XPATH_AND_WRAP, END_OF_OPTIONS};
static const Option binding_only[] = {BINDING, END_OF_OPTIONS};
static const Option binding_dumpxml_options[] = {BINDING, XPATH_AND_WRAP, END_OF_OPTIONS};
static const Option define_options[] = {
    FILE_ARGUMENT("file with the XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};

static void *
define_filter(virConnectPtr conn, const char *xml, unsigned int flags)
{
    return flags ? virNWFilterDefineXMLFlags(conn, xml, flags) : virNWFilterDefineXML(conn, xml);
}

static const FlagBit define_bits[] = {{"validate", VIR_NWFILTER_DEFINE_VALIDATE}};
static const FlagBit create_bits[] = {{"validate", VIR_NWFILTER_BINDING_CREATE_VALIDATE}};
static const ObjectDefine define = {&nwfilter_kind,
                                    define_filter,
                                    define_bits,
                                    G_N_ELEMENTS(define_bits),
                                    "Network filter %s defined from %s\n",
                                    "Failed to define network filter from %s"};
static const ObjectDefine create_binding = {&binding_kind,
                                            OBJECT_DEFINE(virNWFilterBindingCreateXML),
                                            create_bits,
                                            G_N_ELEMENTS(create_bits),
                                            "Network filter binding on %s created from %s\n",
                                            "Failed to create network filter from %s"};
static const ObjectVerb undefine = {&nwfilter_kind, OBJECT_CALL(virNWFilterUndefine),
                                    "Network filter %s undefined\n",
                                    "Failed to undefine network filter %s"};
static const ObjectVerb delete_binding = {&binding_kind, OBJECT_CALL(virNWFilterBindingDelete),
                                          "Network filter binding on %s deleted\n",
                                          "Failed to delete network filter binding on %s"};
static const ObjectDump dump = {&nwfilter_kind, 0}, dump_binding = {&binding_kind, 0};
static const ObjectEdit edit = {&nwfilter_kind, 0, define_filter,
                                "Network filter %s XML configuration"};

static int
compare_filters(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virNWFilterGetName(*(const virNWFilterPtr *)a),
                              virNWFilterGetName(*(const virNWFilterPtr *)b));
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"UUID", "Name", NULL};
    static const char *const keys[] = {"uuid", "name", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    virNWFilterPtr *filters = NULL;
    int n = virConnectListAllNWFilters(shell_connection(shell), &filters, 0);

    if (n < 0)
        return shell_fail(shell, "Failed to list network filters");
    qsort(filters, n, sizeof *filters, compare_filters);
    for (int i = 0; i < n; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        virNWFilterGetUUIDString(filters[i], uuid);
        table_text(table, uuid);
        table_text(table, virNWFilterGetName(filters[i]));
        virNWFilterFree(filters[i]);
    }
    free(filters);
    table_print(shell, table);
    return true;
}

static int
compare_bindings(const void *a, const void *b)
{
    return g_ascii_strcasecmp(virNWFilterBindingGetPortDev(*(const virNWFilterBindingPtr *)a),
                              virNWFilterBindingGetPortDev(*(const virNWFilterBindingPtr *)b));
}

static bool
cmd_binding_list(Shell *shell, const Args *args)
{
    static const char *const headings[] = {"Port Dev", "Filter", NULL};
    static const char *const keys[] = {"port_dev", "filter", NULL};
    g_autoptr(Table) table = table_new(headings, keys);
    virNWFilterBindingPtr *bindings = NULL;
    int n = virConnectListAllNWFilterBindings(shell_connection(shell), &bindings, 0);

    if (n < 0)
        return shell_fail(shell, "Failed to list network filter bindings");
    qsort(bindings, n, sizeof *bindings, compare_bindings);
    for (int i = 0; i < n; i++) {
        table_text(table, virNWFilterBindingGetPortDev(bindings[i]));
        table_text(table, virNWFilterBindingGetFilterName(bindings[i]));
        virNWFilterBindingFree(bindings[i]);
    }
    free(bindings);
    table_print(shell, table);
    return true;
}

const Command nwfilter_commands[] = {
    {"nwfilter-binding-create", cmd_object_define, define_options,
     "bind an interface to a filter, from a file", 0, NULL, &create_binding},
    {"nwfilter-binding-delete", cmd_object_verb, binding_only, "free an interface from its filter",
     0, NULL, &delete_binding},
    {"nwfilter-binding-dumpxml", cmd_object_dumpxml, binding_dumpxml_options,
     "print a binding's XML", COMMAND_JSON, NULL, &dump_binding},
    {"nwfilter-binding-list", cmd_binding_list, NULL, "interfaces that are bound to filters",
     COMMAND_JSON, NULL, NULL},
    {"nwfilter-define", cmd_object_define, define_options,
     "define a filter from a file, or change it", 0, NULL, &define},
    {"nwfilter-dumpxml", cmd_object_dumpxml, dumpxml_options, "print a filter's XML", COMMAND_JSON,
     NULL, &dump},
    {"nwfilter-edit", cmd_object_edit, filter_only, "edit a filter's XML in $EDITOR", 0, NULL,
     &edit},
    {"nwfilter-list", cmd_list, NULL, "packet filters", COMMAND_JSON, NULL, NULL},
    {"nwfilter-undefine", cmd_object_verb, filter_only, "remove a filter", 0, NULL, &undefine},
    {0},
};
