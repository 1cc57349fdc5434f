/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See xpath.h. libxml2 with its own libraries would double the start-up time of every command, so it is loaded here. */
#include "tools/virsh/xpath.h"

#include <dlfcn.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "tools/virsh/output.h"

/* The part of libxml2 that is used, resolved at run time. */
typedef struct {
    __typeof__(xmlReadMemory) *read_memory;
    __typeof__(xmlFreeDoc) *free_doc;
    __typeof__(xmlXPathNewContext) *new_context;
    __typeof__(xmlXPathFreeContext) *free_context;
    __typeof__(xmlXPathEvalExpression) *eval;
    __typeof__(xmlXPathFreeObject) *free_object;
    __typeof__(xmlBufferCreate) *buffer_create;
    __typeof__(xmlBufferFree) *buffer_free;
    __typeof__(xmlBufferContent) *buffer_content;
    __typeof__(xmlNodeDump) *node_dump;
    __typeof__(xmlNewDoc) *new_doc;
    __typeof__(xmlNewNode) *new_node;
    __typeof__(xmlDocSetRootElement) *set_root;
    __typeof__(xmlDocCopyNode) *copy_node;
    __typeof__(xmlAddChild) *add_child;
    __typeof__(xmlSetGenericErrorFunc) *set_error_func;
} LibXml;

static LibXml lib;

static void
say_nothing(void *context, const char *fmt, ...)
{
}

static bool
load_libxml(Shell *shell)
{
    static const char *const names[] = {
        "xmlReadMemory",
        "xmlFreeDoc",
        "xmlXPathNewContext",
        "xmlXPathFreeContext",
        "xmlXPathEvalExpression",
        "xmlXPathFreeObject",
        "xmlBufferCreate",
        "xmlBufferFree",
        "xmlBufferContent",
        "xmlNodeDump",
        "xmlNewDoc",
        "xmlNewNode",
        "xmlDocSetRootElement",
        "xmlDocCopyNode",
        "xmlAddChild",
        "xmlSetGenericErrorFunc",
    };
    void *library = dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);
    void *found[G_N_ELEMENTS(names)];

    G_STATIC_ASSERT(sizeof found == sizeof lib);
    if (!library)
        return shell_fail(shell, "--xpath needs libxml2: %s", dlerror());
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        found[i] = dlsym(library, names[i]);
        if (!found[i])
            return shell_fail(shell, "--xpath needs libxml2: %s", dlerror());
    }
    memcpy(&lib, found, sizeof lib);
    lib.set_error_func(NULL, say_nothing);
    return true;
}

static char *
node_text(xmlDocPtr document, xmlNodePtr node)
{
    xmlBufferPtr buffer = lib.buffer_create();
    char *text;

    lib.node_dump(buffer, document, node, 0, 1);
    text = g_strdup((const char *)lib.buffer_content(buffer));
    lib.buffer_free(buffer);
    return text;
}

/* Put the nodes under one <nodes> element. */
static char *
wrapped_text(const xmlNodeSet *nodes)
{
    xmlDocPtr document = lib.new_doc(BAD_CAST "1.0");
    xmlNodePtr root = lib.new_node(NULL, BAD_CAST "nodes");
    char *text;

    lib.set_root(document, root);
    for (int i = 0; i < nodes->nodeNr; i++)
        lib.add_child(root, lib.copy_node(nodes->nodeTab[i], document, 1));
    text = node_text(document, root);
    lib.free_doc(document);
    return text;
}

static char *
found_text(xmlDocPtr document, const xmlNodeSet *nodes, bool wrap)
{
    GString *out;

    if (wrap)
        return wrapped_text(nodes);
    out = g_string_new(NULL);
    for (int i = 0; i < nodes->nodeNr; i++) {
        g_autofree char *text = node_text(document, nodes->nodeTab[i]);
        g_string_append_printf(out, "%s%s", i ? "\n" : "", text);
    }
    return g_string_free(out, FALSE);
}

static bool
print_found(Shell *shell, const char *xml, const char *expression, bool wrap)
{
    xmlDocPtr document = lib.read_memory(xml, strlen(xml), "xml", NULL,
                                         XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR |
                                             XML_PARSE_NOWARNING);
    xmlXPathContextPtr context = document ? lib.new_context(document) : NULL;
    xmlXPathObjectPtr result = context ? lib.eval(BAD_CAST expression, context) : NULL;
    bool good = true;

    if (!document)
        good = shell_fail(shell, "cannot parse the XML");
    else if (!result || result->type != XPATH_NODESET || !result->nodesetval)
        good = shell_fail(shell, "'%s' is no XPath expression that finds nodes", expression);
    if (good) {
        g_autofree char *text = found_text(document, result->nodesetval, wrap);
        if (shell_wants_json(shell))
            print_value(shell, "xml", text);
        else
            shell_print(shell, "%s\n", text);
    }
    if (result)
        lib.free_object(result);
    if (context)
        lib.free_context(context);
    if (document)
        lib.free_doc(document);
    return good;
}

bool
print_xml_parts(Shell *shell, const Args *args, const char *xml)
{
    const char *expression = args_text(args, "xpath");

    if (expression)
        return load_libxml(shell) && print_found(shell, xml, expression, args_has(args, "wrap"));
    print_xml(shell, xml);
    return true;
}
