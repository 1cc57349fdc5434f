/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See xml.h. */
#include "tools/virsh/xml.h"

#include <string.h>

void
xml_free(XmlNode *node)
{
    if (!node)
        return;
    g_free(node->name);
    g_hash_table_unref(node->attributes);
    g_string_free(node->text, TRUE);
    g_ptr_array_unref(node->children);
    g_free(node);
}

static void
on_start(GMarkupParseContext *context, const char *name, const char **keys, const char **values,
         void *opaque, GError **err)
{
    GPtrArray *stack = opaque;
    XmlNode *parent = stack->pdata[stack->len - 1];
    XmlNode *node = g_new0(XmlNode, 1);

    node->name = g_strdup(name);
    node->attributes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    node->text = g_string_new(NULL);
    node->children = g_ptr_array_new_with_free_func((GDestroyNotify)xml_free);
    for (gsize i = 0; keys[i]; i++)
        g_hash_table_insert(node->attributes, g_strdup(keys[i]), g_strdup(values[i]));
    g_ptr_array_add(parent->children, node);
    g_ptr_array_add(stack, node);
}

static void
on_end(GMarkupParseContext *context, const char *name, void *opaque, GError **err)
{
    GPtrArray *stack = opaque;

    g_ptr_array_set_size(stack, stack->len - 1);
}

static void
on_text(GMarkupParseContext *context, const char *text, gsize len, void *opaque, GError **err)
{
    GPtrArray *stack = opaque;

    g_string_append_len(((XmlNode *)stack->pdata[stack->len - 1])->text, text, len);
}

XmlNode *
xml_parse(const char *xml)
{
    static const GMarkupParser parser = {
        .start_element = on_start, .end_element = on_end, .text = on_text};
    XmlNode top = {.text = g_string_new(NULL),
                   .children = g_ptr_array_new_with_free_func((GDestroyNotify)xml_free)};
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, stack, NULL);
    XmlNode *root = NULL;

    g_ptr_array_add(stack, &top);
    if (g_markup_parse_context_parse(context, xml, strlen(xml), NULL) &&
        g_markup_parse_context_end_parse(context, NULL) && top.children->len)
        root = g_ptr_array_steal_index(top.children, 0);
    g_ptr_array_unref(top.children);
    g_string_free(top.text, TRUE);
    return root;
}

XmlNode *
xml_child(XmlNode *node, const char *name)
{
    for (guint i = 0; node && i < node->children->len; i++) {
        XmlNode *child = node->children->pdata[i];
        if (g_str_equal(child->name, name))
            return child;
    }
    return NULL;
}

const char *
xml_get(XmlNode *node, const char *name)
{
    return node ? g_hash_table_lookup(node->attributes, name) : NULL;
}
