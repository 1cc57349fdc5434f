/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See metadata.h. The text is read as a tree, changed, and printed again. */
#define ERROR_DOMAIN VIR_FROM_XML

#include "model/metadata.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "base/error.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

enum { METADATA_MAX_BYTES = 4 << 20 };

static xmlDoc *
parse_fragment(const char *text, const char *what, GError **err)
{
    gsize len = strlen(text);
    xmlDoc *doc = len > METADATA_MAX_BYTES
                      ? NULL
                      : xmlReadMemory(text, (int)len, "metadata.xml", NULL,
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    if (doc && !doc->intSubset && xmlDocGetRootElement(doc))
        return doc;
    if (doc)
        xmlFreeDoc(doc);
    return fail_null(err, VIR_ERR_XML_ERROR, "%s is no well-formed element", what);
}

static xmlNode *
find_element(xmlNode *metadata, const char *uri)
{
    for (xmlNode *node = metadata->children; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && node->ns &&
            !g_strcmp0((const char *)node->ns->href, uri))
            return node;
    return NULL;
}

/* An element with its namespaces, as a document of its own. */
static char *
dump_element(xmlDoc *doc, xmlNode *element)
{
    g_autoptr(xmlDoc) own = xmlNewDoc((const xmlChar *)"1.0");
    xmlNode *copy = xmlDocCopyNode(element, own, 1);
    xmlBuffer *buffer = xmlBufferCreate();
    char *text;

    xmlDocSetRootElement(own, copy);
    xmlReconciliateNs(own, copy);
    xmlNodeDump(buffer, own, copy, 0, 1);
    text = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return text;
}

char *
metadata_get(const char *metadata, const char *uri)
{
    g_autoptr(xmlDoc) doc = metadata ? parse_fragment(metadata, "metadata", NULL) : NULL;
    xmlNode *element = doc ? find_element(xmlDocGetRootElement(doc), uri) : NULL;

    return element ? dump_element(doc, element) : NULL;
}

bool
metadata_set(char **metadata, const char *text, const char *key, const char *uri, GError **err)
{
    g_autoptr(xmlDoc) doc = parse_fragment(*metadata ? *metadata : "<metadata/>", "metadata", err);
    g_autoptr(xmlDoc) fragment = text ? parse_fragment(text, "metadata", err) : NULL;
    xmlNode *root, *old, *copy;
    xmlBuffer *buffer;

    if (!doc || (text && !fragment))
        return false;
    if (!uri || (text && !key))
        return fail(err, VIR_ERR_INVALID_ARG, "metadata element needs a namespace URI and a key");
    root = xmlDocGetRootElement(doc);
    old = find_element(root, uri);
    if (old) {
        xmlUnlinkNode(old);
        xmlFreeNode(old);
    }
    if (fragment) {
        copy = xmlDocCopyNode(xmlDocGetRootElement(fragment), doc, 1);
        xmlSetNs(copy, xmlNewNs(copy, (const xmlChar *)uri, (const xmlChar *)key));
        xmlAddChild(root, copy);
    }
    g_clear_pointer(metadata, g_free);
    if (!xmlFirstElementChild(root))
        return true;
    buffer = xmlBufferCreate();
    xmlNodeDump(buffer, doc, root, 0, 1);
    *metadata = g_strdup((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return true;
}
