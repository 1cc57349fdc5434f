/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See raw.h. An element that holds text beside elements is written in one piece, as moving its
 * parts would change the text. */
#include "model/raw.h"

#include <stdbool.h>
#include <string.h>

#define CONTENT_BREAK "&#xA;" /* a line break in a text; attributes have &#10; */

static void write_node(GString *out, const xmlNode *node, int depth, bool is_laid_out);

static bool
is_blank(const xmlNode *node)
{
    for (const xmlChar *at = node->content; at && *at; at++)
        if (!g_ascii_isspace(*at))
            return false;
    return true;
}

static void
write_escaped(GString *out, const xmlChar *text, bool is_attribute)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '&':
            g_string_append(out, "&amp;");
            break;
        case '<':
            g_string_append(out, "&lt;");
            break;
        case '>':
            g_string_append(out, "&gt;");
            break;
        case '"':
            g_string_append(out, is_attribute ? "&quot;" : "\"");
            break;
        case '\r':
            g_string_append(out, "&#13;");
            break;
        case '\n':
            g_string_append(out, is_attribute ? "&#10;" : CONTENT_BREAK);
            break;
        case '\t':
            g_string_append(out, is_attribute ? "&#9;" : "\t");
            break;
        default:
            g_string_append_c(out, (char)*text);
        }
    }
}

static void
write_name(GString *out, const xmlNs *ns, const xmlChar *name)
{
    if (ns && ns->prefix)
        g_string_append_printf(out, "%s:", ns->prefix);
    g_string_append(out, (const char *)name);
}

static void
write_start(GString *out, const xmlNode *node)
{
    g_string_append_c(out, '<');
    write_name(out, node->ns, node->name);
    for (const xmlNs *ns = node->nsDef; ns; ns = ns->next) {
        g_string_append(out, ns->prefix ? " xmlns:" : " xmlns");
        g_string_append(out, ns->prefix ? (const char *)ns->prefix : "");
        g_string_append(out, "=\"");
        write_escaped(out, ns->href, true);
        g_string_append_c(out, '"');
    }
    for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
        g_string_append_c(out, ' ');
        write_name(out, attr->ns, attr->name);
        g_string_append(out, "=\"");
        for (const xmlNode *part = attr->children; part; part = part->next)
            write_escaped(out, part->content, true);
        g_string_append_c(out, '"');
    }
}

static void
write_break(GString *out, int depth)
{
    g_string_append_c(out, '\n');
    for (int i = 0; i < depth * 2; i++)
        g_string_append_c(out, ' ');
}

static void
write_element(GString *out, const xmlNode *node, int depth, bool is_laid_out)
{
    bool has_text = false, has_children = false;
    gsize inside;

    for (const xmlNode *child = node->children; child; child = child->next) {
        has_children |= child->type == XML_ELEMENT_NODE || child->type == XML_COMMENT_NODE;
        has_text |= (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) &&
                    !is_blank(child);
    }
    write_start(out, node);
    g_string_append_c(out, '>');
    inside = out->len;
    is_laid_out = is_laid_out && !has_text && has_children;
    for (const xmlNode *child = node->children; child; child = child->next) {
        bool is_text = child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE;

        if (is_text && is_blank(child) && has_children && !has_text)
            continue;
        if (is_laid_out)
            write_break(out, depth + 1);
        write_node(out, child, depth + 1, is_laid_out);
    }
    if (out->len == inside) {
        g_string_truncate(out, inside - 1);
        g_string_append(out, "/>");
        return;
    }
    if (is_laid_out)
        write_break(out, depth);
    g_string_append(out, "</");
    write_name(out, node->ns, node->name);
    g_string_append_c(out, '>');
}

static void
write_comment(GString *out, const xmlNode *node)
{
    g_autofree char *text =
        g_strdelimit(g_strdup(node->content ? (const char *)node->content : ""), "\n\r", ' ');

    g_string_append_printf(out, "<!--%s-->", text);
}

static void
write_node(GString *out, const xmlNode *node, int depth, bool is_laid_out)
{
    if (node->type == XML_ELEMENT_NODE)
        write_element(out, node, depth, is_laid_out);
    else if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE)
        write_escaped(out, node->content, false);
    else if (node->type == XML_COMMENT_NODE)
        write_comment(out, node);
}

char *
raw_from_node(xmlNode *node)
{
    GString *out = g_string_new(NULL);
    xmlNode *copy =
        xmlDocCopyNode(node, node->doc, 1); /* brings namespaces declared further out along */

    write_node(out, copy, 0, true);
    xmlFreeNode(copy);
    return g_string_free(out, FALSE);
}

void
raw_format(GString *out, const char *raw, guint indent)
{
    for (const char *line = raw; line;) {
        const char *end = strchr(line, '\n');
        const char *stop = end ? end : line + strlen(line);

        for (guint i = 0; i < indent; i++)
            g_string_append_c(out, ' ');
        while (line < stop) {
            const char *mark = g_strstr_len(line, stop - line, CONTENT_BREAK);

            g_string_append_len(out, line, (mark ? mark : stop) - line);
            if (mark)
                g_string_append_c(out, '\n');
            line = mark ? mark + strlen(CONTENT_BREAK) : stop;
        }
        g_string_append_c(out, '\n');
        line = end ? end + 1 : NULL;
    }
}
