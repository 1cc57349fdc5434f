/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Model objects to XML, byte for byte as upstream lays it out: single quotes, two blanks a
 * level, elements with nothing to say left out. One buffer, written once: an element is
 * opened, and taken back if nothing came into it. */
#include "model/engine.h"

#include <string.h>

#include "model/engine_private.h"
#include "model/raw.h"

#define MAX_NAMESPACES 8

typedef struct {
    GString *out;
    ModelFormatFlags flags;
    guint indent;
    /* Foreign namespaces met so far; the outermost element whose model knows any declares them
     * when it is complete. */
    bool has_declarer;
    guint n_used;
    ModelNamespace used[MAX_NAMESPACES];
} Format;

/* What an element writes besides what its fields say. */
typedef struct {
    const char *name, *prefix, *ns;
    bool keep_empty, is_open;
} Element;

static void write_attributes(Format *format, const ModelType *type, const void *self);
static void write_children(Format *format, const ModelType *type, const void *self);
static bool write_text(Format *format, const ModelType *type, const void *self);

/* g_string_append() without its call when there is room: half of the time of a format. */
static inline void
put(GString *out, const char *text, gsize len)
{
    if (out->len + len < out->allocated_len) {
        memcpy(out->str + out->len, text, len);
        out->len += len;
        out->str[out->len] = '\0';
    } else {
        g_string_append_len(out, text, len);
    }
}

static inline void
put_text(GString *out, const char *text)
{
    put(out, text, strlen(text));
}

static void
write_indent(Format *format)
{
    static const char blanks[] = "                                ";
    guint left = format->indent;

    for (; left > sizeof(blanks) - 1; left -= sizeof(blanks) - 1)
        put(format->out, blanks, sizeof(blanks) - 1);
    put(format->out, blanks, left);
}

/* Is it written otherwise, or left out? */
static inline bool
is_special(char c)
{
    return (guchar)c < 0x20 || c == '&' || c == '<' || c == '>' || c == '\'' || c == '"';
}

static const char *
entity_of(char c, bool is_attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\'':
        return "&apos;";
    case '"':
        return "&quot;";
    case '\r':
        return "&#xD;";
    case '\n':
        return is_attribute ? "&#xA;" : "\n";
    case '\t':
        return is_attribute ? "&#x9;" : "\t";
    default:
        return ""; /* no character of XML */
    }
}

/* @text with what XML reserves written as entities; line breaks of an attribute too, which a
 * reader would turn into blanks. */
static void
write_escaped(Format *format, const char *text, bool is_attribute)
{
    while (true) {
        gsize plain = 0;

        while (!is_special(text[plain]))
            plain++;
        put(format->out, text, plain);
        text += plain;
        if (!*text)
            return;
        put_text(format->out, entity_of(*text++, is_attribute));
    }
}

/* Do flags and the schema let this field out? */
static bool
is_shown(const Format *format, const ModelField *field, const void *self)
{
    guint32 words = field->words;
    ModelFormatFlags flags = format->flags;

    if (words & (MODEL_LIVE | MODEL_SECURE | MODEL_STATUS | MODEL_NOT_MIGRATABLE | MODEL_INPUT)) {
        if ((words & MODEL_INPUT) || ((words & MODEL_LIVE) && (flags & MODEL_FORMAT_INACTIVE)))
            return false;
        if ((words & MODEL_SECURE) && !(flags & MODEL_FORMAT_SECURE))
            return false;
        if ((words & MODEL_STATUS) && !(flags & MODEL_FORMAT_STATUS))
            return false;
        if ((words & MODEL_NOT_MIGRATABLE) && (flags & MODEL_FORMAT_MIGRATABLE))
            return false;
    }
    return !field->extra || !field->extra->when || field->extra->when(self, flags);
}

static bool
has_value(const ModelField *field, const void *self, const void *value)
{
    if (!scalar_is_set(field, self, value))
        return false;
    return !(field->words & MODEL_HIDDEN) || !scalar_is_default(field, value);
}

/* --- attributes --- */

static void
write_attribute(Format *format, const char *prefix, const char *name, const char *text)
{
    put(format->out, " ", 1);
    if (prefix) {
        put_text(format->out, prefix);
        put(format->out, ":", 1);
    }
    put_text(format->out, name);
    put_text(format->out, "='");
    write_escaped(format, text, true);
    put(format->out, "'", 1);
}

static void
write_scalar_attribute(Format *format, const ModelField *field, const char *name, const void *self,
                       const void *value)
{
    char buffer[SCALAR_BUFFER];
    g_autofree char *owned = NULL;
    const char *text =
        has_value(field, self, value) ? scalar_text(field, value, buffer, &owned) : NULL;

    if (!text)
        return;
    write_attribute(format, field->prefix, name, text);
    if (field->kind == MODEL_SIZE)
        write_attribute(format, NULL, "unit", scalar_unit(field));
}

/* The struct behind a union's kind; NULL: none. */
static const void *
branch_of(const ModelType *type, const void *self, const ModelType **content)
{
    const ModelField *branch = model_branch(type, *union_kind(self));

    if (!branch || branch->kind != MODEL_OBJECT)
        return NULL;
    *content = branch->of;
    return *(void *const *)member_at(self, branch);
}

static void
write_attributes(Format *format, const ModelType *type, const void *self)
{
    if (type->kinds) {
        const char *word = type->tag_attr ? model_enum_word(type->kinds, *union_kind(self)) : NULL;

        if (word)
            write_attribute(format, NULL, type->tag_attr, word);
        self = branch_of(type, self, &type);
        if (self)
            write_attributes(format, type, self);
        return;
    }
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        if (field->place == MODEL_AT_ATTR) {
            if (is_shown(format, field, self))
                write_scalar_attribute(format, field, field->name, self, member_at(self, field));
        } else if (field->place == MODEL_AT_INLINE && is_shown(format, field, self)) {
            write_attributes(format, field->of, member_at(self, field));
        } else if (field->place == MODEL_AT_TEXT && field->kind == MODEL_SIZE &&
                   is_shown(format, field, self) &&
                   has_value(field, self, member_at(self, field))) {
            write_attribute(format, NULL, "unit", scalar_unit(field));
        }
    }
}

/* --- elements --- */

static void
note_namespace(Format *format, const Element *element)
{
    for (guint i = 0; i < format->n_used; i++)
        if (strcmp(format->used[i].uri, element->ns) == 0)
            return;
    if (format->n_used < MAX_NAMESPACES)
        format->used[format->n_used++] = (ModelNamespace){element->prefix, element->ns};
}

/* Declare what was used, in the tag that ends at @tag_end. */
static void
declare_namespaces(Format *format, gsize tag_end)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < format->n_used; i++)
        g_string_append_printf(text, " xmlns:%s='%s'", format->used[i].prefix, format->used[i].uri);
    g_string_insert_len(format->out, tag_end, text->str, text->len);
    format->n_used = 0;
}

static void
write_name(Format *format, const Element *element)
{
    if (element->prefix) {
        put_text(format->out, element->prefix);
        put(format->out, ":", 1);
    }
    put_text(format->out, element->name);
}

static void
write_end(Format *format, const Element *element)
{
    put_text(format->out, "</");
    write_name(format, element);
    put_text(format->out, ">\n");
}

static void
write_element(Format *format, const Element *element, const ModelType *type, const void *self)
{
    GString *out = format->out;
    gsize start = out->len, name_end, tag_end;
    bool is_declarer =
        !format->has_declarer && type->file->n_namespaces && type->kind == MODEL_TYPE_OBJECT;

    format->has_declarer |= is_declarer;
    write_indent(format);
    put(out, "<", 1);
    write_name(format, element);
    name_end = out->len;
    write_attributes(format, type, self);
    tag_end = out->len;
    put(out, ">", 1);
    if (write_text(format, type, self)) {
        write_end(format, element);
        format->has_declarer &= !is_declarer;
        return;
    }
    put(out, "\n", 1);
    format->indent += 2;
    write_children(format, type, self);
    format->indent -= 2;
    format->has_declarer &= !is_declarer;
    if (out->len > tag_end + 2 || element->is_open) {
        write_indent(format);
        write_end(format, element);
        if (element->prefix)
            note_namespace(format, element);
        if (is_declarer && format->n_used)
            declare_namespaces(format, tag_end);
    } else if (tag_end > name_end || element->keep_empty) {
        g_string_truncate(out, tag_end);
        put_text(out, "/>\n");
        if (element->prefix)
            note_namespace(format, element);
    } else {
        g_string_truncate(out, start);
    }
}

/* Write the text content of this element, if it has one. */
static bool
write_text(Format *format, const ModelType *type, const void *self)
{
    if (!type->has_text)
        return false;
    if (type->kinds) {
        self = branch_of(type, self, &type);
        return self && write_text(format, type, self);
    }
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];
        const void *member = member_at(self, field);
        char buffer[SCALAR_BUFFER];
        g_autofree char *owned = NULL;
        const char *text = NULL;

        if (field->place == MODEL_AT_INLINE && is_shown(format, field, self) &&
            write_text(format, field->of, member))
            return true;
        if (field->place == MODEL_AT_TEXT && is_shown(format, field, self) &&
            has_value(field, self, member))
            text = scalar_text(field, member, buffer, &owned);
        if (text) {
            write_escaped(format, text, false);
            return true;
        }
    }
    return false;
}

/* A child that holds one value, as text or in an attribute. */
static void
write_scalar_child(Format *format, const ModelField *field, const void *self, const void *value)
{
    const Element element = {.name = field->name, .prefix = field->prefix, .ns = field->ns};
    char buffer[SCALAR_BUFFER];
    g_autofree char *owned = NULL;
    const char *text;

    if (!has_value(field, self, value)) {
        if (!(field->words & MODEL_ALWAYS))
            return;
        text = NULL;
    } else if (field->kind == MODEL_RAW) {
        raw_format(format->out, *(char *const *)value, format->indent);
        return;
    } else {
        text = field->kind == MODEL_FLAG ? NULL : scalar_text(field, value, buffer, &owned);
        if (!text && field->kind != MODEL_FLAG)
            return;
    }
    if (element.prefix)
        note_namespace(format, &element);
    write_indent(format);
    put(format->out, "<", 1);
    write_name(format, &element);
    if (field->kind == MODEL_SIZE && text)
        write_attribute(format, NULL, "unit", scalar_unit(field));
    if (field->item_attr && text)
        write_attribute(format, NULL, field->item_attr, text);
    if (field->item_attr || !text || !*text) {
        put_text(format->out, "/>\n");
        return;
    }
    put(format->out, ">", 1);
    write_escaped(format, text, false);
    write_end(format, &element);
}

static void
write_struct_child(Format *format, const ModelField *field, const void *value)
{
    const Element element = {
        .name = field->name,
        .prefix = field->prefix,
        .ns = field->ns,
        .keep_empty = field->words & (MODEL_ALWAYS | MODEL_OPEN | MODEL_LIST),
        .is_open = field->words & MODEL_OPEN,
    };

    write_element(format, &element, field->of, value);
}

/* A union whose branch is an element of its own. */
static void
write_branch(Format *format, const ModelType *type, const void *self)
{
    const ModelField *branch = model_branch(type, *union_kind(self));
    Element element;
    const void *content;

    if (!branch)
        return;
    element = (Element){.name = branch->name, .keep_empty = true};
    content = branch->kind == MODEL_OBJECT ? *(void *const *)member_at(self, branch) : NULL;
    if (content) {
        write_element(format, &element, branch->of, content);
    } else {
        write_indent(format);
        g_string_append_printf(format->out, "<%s/>\n", branch->name);
    }
}

static void
write_list(Format *format, const ModelField *field, const void *self)
{
    gsize count = *member_count(self, field);
    const char *list = *(char *const *)member_at(self, field);
    gsize step = has_pointers(field) ? sizeof(void *) : model_scalar_size(field->kind);

    for (gsize i = 0; i < count; i++) {
        const void *entry = list + i * step;

        if (field->place == MODEL_AT_ANY)
            write_branch(format, field->of, *(void *const *)entry);
        else if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION)
            write_struct_child(format, field, *(void *const *)entry);
        else
            write_scalar_child(format, field, self, entry);
    }
}

static void
write_child(Format *format, const ModelField *field, const void *self)
{
    const void *member = member_at(self, field);

    if (field->place == MODEL_AT_BLOCK) {
        write_struct_child(format, field, self);
    } else if (field->words & MODEL_LIST) {
        write_list(format, field, self);
    } else if (field->place == MODEL_AT_ANY) {
        write_branch(format, field->of, member);
    } else if (is_object_pointer(field)) {
        if (*(void *const *)member)
            write_struct_child(format, field, *(void *const *)member);
    } else if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION) {
        write_struct_child(format, field, member);
    } else {
        write_scalar_child(format, field, self, member);
    }
}

static void
write_children(Format *format, const ModelType *type, const void *self)
{
    if (type->kinds) {
        self = branch_of(type, self, &type);
        if (self)
            write_children(format, type, self);
        return;
    }
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        if (field->place == MODEL_AT_INLINE && is_shown(format, field, self))
            write_children(format, field->of, member_at(self, field));
        else if ((field->place == MODEL_AT_CHILD || field->place == MODEL_AT_BLOCK ||
                  field->place == MODEL_AT_ANY) &&
                 is_shown(format, field, self))
            write_child(format, field, self);
    }
}

void
model_format_to(GString *out, const ModelType *type, const void *self, ModelFormatFlags flags,
                guint indent)
{
    Format format = {.out = out, .flags = flags, .indent = indent};
    const Element element = {.name = type->element, .keep_empty = true};

    g_assert(type->element);
    write_element(&format, &element, type, self);
}

bool
model_prints_nothing(const ModelType *type, const void *self)
{
    const ModelFormatFlags all = MODEL_FORMAT_SECURE | MODEL_FORMAT_STATUS;
    g_autoptr(GString) out = g_string_new(NULL);
    Format format = {.out = out, .flags = all};
    const Element element = {.name = "x"};

    write_element(&format, &element, type, self);
    return out->len == 0;
}

char *
model_format(const ModelType *type, const void *self, ModelFormatFlags flags)
{
    GString *out = g_string_sized_new(8192);

    model_format_to(out, type, self, flags, 0);
    return g_string_free(out, FALSE);
}
