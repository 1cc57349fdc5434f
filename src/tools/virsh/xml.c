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
    g_strfreev(node->attributes);
    g_string_free(node->text, TRUE);
    g_ptr_array_unref(node->children);
    g_free(node);
}

static XmlNode *
node_new(const char *name)
{
    XmlNode *node = g_new0(XmlNode, 1);

    node->name = g_strdup(name);
    node->attributes = g_new0(char *, 1);
    node->text = g_string_new(NULL);
    node->children = g_ptr_array_new_with_free_func((GDestroyNotify)xml_free);
    return node;
}

static void
on_start(GMarkupParseContext *context, const char *name, const char **keys, const char **values,
         void *opaque, GError **err)
{
    GPtrArray *stack = opaque;
    XmlNode *parent = stack->pdata[stack->len - 1];
    XmlNode *node = node_new(name);

    gsize n = g_strv_length((char **)keys);
    g_free(node->attributes);
    node->attributes = g_new0(char *, n * 2 + 1);
    for (gsize i = 0; keys[i]; i++) {
        node->attributes[i * 2] = g_strdup(keys[i]);
        node->attributes[i * 2 + 1] = g_strdup(values[i]);
    }
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
    for (gsize i = 0; node && node->attributes[i]; i += 2) {
        if (g_str_equal(node->attributes[i], name))
            return node->attributes[i + 1];
    }
    return NULL;
}

const char *
xml_child_text(XmlNode *node, const char *name)
{
    XmlNode *child = xml_child(node, name);

    return child ? child->text->str : NULL;
}

char *
xml_disk_source(XmlNode *disk)
{
    static const char *const places[] = {"file", "dev", "dir", "name", "path", NULL};
    XmlNode *source = xml_child(disk, "source");

    if (xml_get(source, "volume"))
        return g_strdup_printf("%s/%s", xml_get(source, "pool"), xml_get(source, "volume"));
    for (gsize i = 0; places[i]; i++) {
        if (xml_get(source, places[i]))
            return g_strdup(xml_get(source, places[i]));
    }
    return NULL;
}

void
xml_append_attribute(GString *out, const char *name, const char *value)
{
    g_autofree char *escaped = value ? g_markup_escape_text(value, -1) : NULL;

    if (value)
        g_string_append_printf(out, " %s='%s'", name, escaped);
}

void
xml_append_element(GString *out, const char *indent, const char *name, const char *text)
{
    g_autofree char *escaped = text ? g_markup_escape_text(text, -1) : NULL;

    if (text)
        g_string_append_printf(out, "%s<%s>%s</%s>\n", indent, name, escaped, name);
}

void
xml_append(GString *out, const XmlNode *node)
{
    g_autofree char *text = g_strstrip(g_markup_escape_text(node->text->str, -1));

    g_string_append_printf(out, "<%s", node->name);
    for (gsize i = 0; node->attributes[i]; i += 2)
        xml_append_attribute(out, node->attributes[i], node->attributes[i + 1]);
    if (!node->children->len && !*text) {
        g_string_append(out, "/>");
        return;
    }
    g_string_append_printf(out, ">%s", text);
    for (guint i = 0; i < node->children->len; i++)
        xml_append(out, node->children->pdata[i]);
    g_string_append_printf(out, "</%s>", node->name);
}

void
xml_set(XmlNode *node, const char *name, const char *value)
{
    gsize n = 0;

    for (; node->attributes[n]; n += 2) {
        if (g_str_equal(node->attributes[n], name)) {
            g_free(node->attributes[n + 1]);
            node->attributes[n + 1] = g_strdup(value);
            return;
        }
    }
    node->attributes = g_renew(char *, node->attributes, n + 3);
    node->attributes[n] = g_strdup(name);
    node->attributes[n + 1] = g_strdup(value);
    node->attributes[n + 2] = NULL;
}

XmlNode *
xml_ensure_child(XmlNode *node, const char *name)
{
    XmlNode *child = xml_child(node, name);

    if (child)
        return child;
    child = node_new(name);
    g_ptr_array_add(node->children, child);
    return child;
}

void
xml_remove_child(XmlNode *node, const char *name)
{
    XmlNode *child = xml_child(node, name);

    if (child)
        g_ptr_array_remove(node->children, child);
}

GPtrArray *
xml_split_spec(const char *text)
{
    GPtrArray *fields = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) field = g_string_new(NULL);

    for (const char *at = text;; at++) {
        if (*at == ',' && at[1] == ',') {
            at++;
        } else if (!*at || *at == ',') {
            g_ptr_array_add(fields, g_strdup(field->str));
            g_string_truncate(field, 0);
            if (!*at)
                return fields;
            continue;
        }
        g_string_append_c(field, *at);
    }
}
