/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Title, description, and the foreign elements of <metadata>. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/events.h"
#include "driver/qemu/guest.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestView, view_unref)
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

static char *
get_element(const char *metadata, const char *uri)
{
    g_autoptr(xmlDoc) doc = metadata ? parse_fragment(metadata, "metadata", NULL) : NULL;
    xmlNode *element = doc ? find_element(xmlDocGetRootElement(doc), uri) : NULL;

    return element ? dump_element(doc, element) : NULL;
}

/* Put @text (NULL: nothing) in the place of what has @uri. */
static bool
set_element(char **metadata, const char *text, const char *key, const char *uri, GError **err)
{
    g_autoptr(xmlDoc) doc = parse_fragment(*metadata ? *metadata : "<metadata/>", "metadata", err);
    g_autoptr(xmlDoc) fragment = text ? parse_fragment(text, "metadata", err) : NULL;
    xmlNode *root, *old, *copy;
    xmlBuffer *buffer;

    if (!doc || (text && !fragment))
        return false;
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

static bool
qemu_domain_get_metadata(Call *call, const RemoteDomainGetMetadataArgs *args,
                         RemoteDomainGetMetadataRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    bool config = args->flags & VIR_DOMAIN_AFFECT_CONFIG;
    const Domain *dom;

    if (!view || !qemu_check_flags(call, args->flags,
                                   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, err))
        return false;
    if (args->flags & VIR_DOMAIN_AFFECT_LIVE && !view->live)
        return fail_not_running(err);
    if (config && !view->is_persistent)
        return fail_transient(err);
    dom = machine_domain(view->live && !config ? view->live : view->config);
    switch (args->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
        ret->metadata = g_strdup(dom->description);
        break;
    case VIR_DOMAIN_METADATA_TITLE:
        ret->metadata = g_strdup(dom->title);
        break;
    case VIR_DOMAIN_METADATA_ELEMENT:
        ret->metadata = get_element(dom->metadata, args->uri);
        break;
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "unknown metadata type");
    }
    return ret->metadata ||
           fail(err, VIR_ERR_NO_DOMAIN_METADATA, "Requested metadata element is not present");
}

static bool
change(Domain *dom, const RemoteDomainSetMetadataArgs *args, GError **err)
{
    switch (args->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
        g_free(dom->description);
        dom->description = args->metadata && *args->metadata ? g_strdup(args->metadata) : NULL;
        return true;
    case VIR_DOMAIN_METADATA_TITLE:
        if (args->metadata && strchr(args->metadata, '\n'))
            return fail(err, VIR_ERR_XML_ERROR, "metadata title can't contain newlines");
        g_free(dom->title);
        dom->title = args->metadata && *args->metadata ? g_strdup(args->metadata) : NULL;
        return true;
    case VIR_DOMAIN_METADATA_ELEMENT:
        if (!args->uri || (args->metadata && !args->key))
            return fail(err, VIR_ERR_INVALID_ARG,
                        "metadata element needs a namespace URI and a key");
        return set_element(&dom->metadata, args->metadata, args->key, args->uri, err);
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "unknown metadata type");
    }
}

static bool
qemu_domain_set_metadata(Call *call, const RemoteDomainSetMetadataArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
                          err) ||
        !guest_settle_affect(guest, args->flags, &is_live, &is_config, err))
        return false;
    if (is_live) {
        g_autoptr(Domain) live = domain_copy(guest_live(guest));

        if (!change(live, args, err))
            return false;
        guest_set_live(guest, g_steal_pointer(&live));
        guest_changed(guest);
    }
    if (is_config) {
        g_autoptr(Domain) config = domain_copy(guest_config(guest));

        if (!change(config, args, err))
            return false;
        if (!guest_change_config(guest, g_steal_pointer(&config), err))
            return false;
    }
    guest_emit_metadata_change(guest, args->type, args->uri);
    return true;
}

void
qemu_metadata_slots(DriverSlots *slots)
{
    slots->domain_get_metadata = qemu_domain_get_metadata;
    slots->domain_set_metadata = qemu_domain_set_metadata;
}
