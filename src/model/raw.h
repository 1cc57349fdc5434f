/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Foreign subtrees (`raw` in the schema) as text: well-formed by themselves, laid out with two
 * blanks a level. Every line break in the text is layout; one that belongs to the content is
 * written as a character reference. */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

/* The element @node with all below it and the namespaces that it needs. */
char *raw_from_node(xmlNode *node);
/* Append @raw, moved to @indent blanks, with the content's line breaks as they are. */
void raw_format(GString *out, const char *raw, guint indent);
