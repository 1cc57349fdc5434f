/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking into a domain's XML from outside, for commands that list devices. libxml2 is not needed for that: GMarkup is enough. */
#pragma once

#include <glib.h>

typedef struct XmlNode XmlNode;
struct XmlNode {
    char *name;
    GHashTable *attributes;
    GString *text;
    GPtrArray *children; /* of XmlNode */
};

/* The document's root; NULL when it is not well-formed. */
XmlNode *xml_parse(const char *xml);
void xml_free(XmlNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlNode, xml_free)
/* The first child of that name; NULL is passed through. */
XmlNode *xml_child(XmlNode *node, const char *name);
/* @name of @node, or NULL. */
const char *xml_get(XmlNode *node, const char *name);
