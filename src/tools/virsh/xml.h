/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking into a domain's XML from outside, for commands that list devices. libxml2 is not needed for that: GMarkup is enough. */
#pragma once

#include <glib.h>

typedef struct XmlNode XmlNode;
struct XmlNode {
    char *name;
    char **attributes; /* name, value, name, value, NULL */
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
/* Text of the first child of that name; NULL when there is none. */
const char *xml_child_text(XmlNode *node, const char *name);
/* What a <disk>'s source is called: the file, device, name, or the volume as POOL/VOLUME; NULL when it is empty. Free with g_free. */
char *xml_disk_source(XmlNode *disk);
/* Print the node and what is in it, without the blanks around its elements. */
void xml_append(GString *out, const XmlNode *node);
/* Changing a tree, for the commands that send part of it back. */
void xml_set(XmlNode *node, const char *name, const char *value);
XmlNode *xml_ensure_child(XmlNode *node, const char *name);
void xml_remove_child(XmlNode *node, const char *name);
/* Writing XML: " name='value'" and "<name>text</name>", escaped; nothing when there is no value. */
void xml_append_attribute(GString *out, const char *name, const char *value);
void xml_append_element(GString *out, const char *indent, const char *name, const char *text);
/* "a,b=c,,d" is the fields "a" and "b=c,d": a doubled comma stands for itself. */
GPtrArray *xml_split_spec(const char *text);
