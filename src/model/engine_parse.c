/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML to model objects. libxml2 reads the bounded text into a tree; the tree is walked once:
 * attributes by the fields of the table, then each child is handed to the field that asks for it.
 * Unknown ones are passed over. Nothing outside the document is ever read.
 *
 * Errors of single values have upstream's text (XML_ERROR, VIR_FROM_XML); line and allowed
 * values travel in the error's second and third string. */
#define ERROR_DOMAIN VIR_FROM_XML

#include "model/engine.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "base/error.h"
#include "model/engine_private.h"
#include "model/raw.h"

#define MAX_DOCUMENT (16 << 20)
#define MAX_VALUE (64 << 10)
#define MAX_TEXT (1 << 20)
#define MAX_SEEN 1024

typedef struct {
    ModelParseFlags flags;
    const ModelFile *file;
    GString *text; /* where values that libxml2 keeps in pieces are put together */
    GError **err;
} Parse;

/* Which children of one element were met: a number for each field, in the order of the tables. */
typedef struct {
    guint64 bits[MAX_SEEN / 64];
} Seen;

static bool parse_element(Parse *parse, const ModelType *type, void *self, xmlNode *node);

/* --- what the tree holds --- */

static bool
is_named(const xmlNode *node, const char *name, const char *ns)
{
    if (node->type != XML_ELEMENT_NODE || strcmp((const char *)node->name, name) != 0)
        return false;
    if (!ns)
        return !node->ns;
    return node->ns && node->ns->href && strcmp((const char *)node->ns->href, ns) == 0;
}

static bool
is_field_element(const xmlNode *node, const ModelField *field)
{
    return field->name[0] == (char)node->name[0] && is_named(node, field->name, field->ns);
}

/* The text in @first and its siblings; NULL: there is none. Valid until the next call. */
static const char *
text_of(Parse *parse, const xmlNode *first)
{
    if (!first)
        return NULL;
    if (!first->next && (first->type == XML_TEXT_NODE || first->type == XML_CDATA_SECTION_NODE))
        return (const char *)first->content;
    g_string_truncate(parse->text, 0);
    for (const xmlNode *node = first; node; node = node->next)
        if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) && node->content)
            g_string_append(parse->text, (const char *)node->content);
    return parse->text->len ? parse->text->str : NULL;
}

static const xmlAttr *
find_attribute(const xmlNode *node, const char *name)
{
    for (const xmlAttr *attr = node->properties; attr; attr = attr->next)
        if ((char)attr->name[0] == name[0] && strcmp((const char *)attr->name, name) == 0)
            return attr;
    return NULL;
}

/* --- errors --- */

/* Line and what is allowed, for those who show more than the message. */
static bool
explain(Parse *parse, const xmlNode *node, const ModelField *field)
{
    ErrorDetail *detail = parse->err && *parse->err ? error_detail_edit(*parse->err) : NULL;

    if (detail) {
        g_free(detail->str2);
        detail->str2 = g_strdup_printf("line %ld", xmlGetLineNo(node));
        detail->int1 = (int)xmlGetLineNo(node);
        if (field) {
            g_autofree char *allowed = scalar_allowed(field);

            g_free(detail->str3);
            detail->str3 = g_strdup_printf("allowed: %s", allowed);
        }
    }
    return false;
}

/* The schema's own error: the file's domain, its code, its text around @value. */
static bool
fail_as_told(Parse *parse, int code, const char *text, const char *value)
{
    const char *mark = strstr(text, "%s");

    if (!mark)
        return error_set(parse->err, parse->file->error_domain, code, "%s", text);
    return error_set(parse->err, parse->file->error_domain, code, "%.*s%s%s", (int)(mark - text),
                     text, value, mark + 2);
}

static const char *
expectation(const ModelField *field, ScalarResult result)
{
    bool is_unsigned = field->kind == MODEL_UINT || field->kind == MODEL_ULLONG ||
                       field->kind == MODEL_HEX || field->kind == MODEL_HEX64;

    if (result == SCALAR_ZERO)
        return ": Zero is not permitted";
    if (result == SCALAR_NEGATIVE)
        return is_unsigned ? ". Expected non-negative integer value"
                           : ". Expected non-negative value";
    if (result == SCALAR_BAD && is_unsigned)
        return ". Expected non-negative integer value";
    if (result == SCALAR_BAD && (field->kind == MODEL_INT || field->kind == MODEL_LLONG))
        return ". Expected integer value";
    return NULL;
}

static bool
fail_value(Parse *parse, const xmlNode *node, const ModelField *field, const char *attr,
           const char *value, ScalarResult result)
{
    const ModelExtra *extra = field->extra;
    const char *element = (const char *)node->name;
    const char *expected = expectation(field, result);
    g_autofree char *allowed = scalar_allowed(field);
    g_autofree char *place = NULL;

    if (extra && extra->bad_text) {
        fail_as_told(parse, extra->bad_code, extra->bad_text, value);
        return explain(parse, node, field);
    }
    place = attr ? g_strdup_printf("attribute '%s' in element '%s'", attr, element)
                 : g_strdup_printf("element '%s'", element);
    if (result == SCALAR_ZERO)
        fail(parse->err, VIR_ERR_XML_ERROR, "Invalid value for %s%s", place, expected);
    else if (expected)
        fail(parse->err, VIR_ERR_XML_ERROR, "Invalid value for %s: '%s'%s", place, value, expected);
    else if (result == SCALAR_UNIT)
        fail(parse->err, VIR_ERR_INVALID_ARG, "unknown suffix '%s' of the size in %s, line %ld",
             value, place, xmlGetLineNo(node));
    else if (result == SCALAR_BAD && attr)
        fail(parse->err, VIR_ERR_XML_ERROR, "Invalid value for %s: '%s'.", place, value);
    else
        fail(parse->err, VIR_ERR_XML_ERROR, "Invalid value for %s: '%s', line %ld; allowed: %s",
             place, value, xmlGetLineNo(node), allowed);
    return explain(parse, node, field);
}

static bool
fail_missing(Parse *parse, const xmlNode *node, const ModelField *field)
{
    const ModelExtra *extra = field->extra;

    if (extra && extra->missing_text)
        fail_as_told(parse, extra->missing_code, extra->missing_text, field->name);
    else if (field->place == MODEL_AT_ATTR)
        fail(parse->err, VIR_ERR_XML_ERROR, "Missing required attribute '%s' in element '%s'",
             field->name, node->name);
    else if (field->place == MODEL_AT_TEXT)
        fail(parse->err, VIR_ERR_XML_ERROR, "Missing text in element '%s', line %ld", node->name,
             xmlGetLineNo(node));
    else
        fail(parse->err, VIR_ERR_XML_ERROR,
             "Missing required element '%s' in element '%s', line %ld", field->name, node->name,
             xmlGetLineNo(node));
    return explain(parse, node, NULL);
}

/* --- single values --- */

static bool
is_read(const Parse *parse, const ModelField *field)
{
    if (field->words & MODEL_AGAIN)
        return false;
    if ((field->words & MODEL_LIVE) && (parse->flags & MODEL_PARSE_INACTIVE))
        return false;
    return !(field->words & MODEL_STATUS) || (parse->flags & MODEL_PARSE_STATUS);
}

/* Read @text, of attribute @attr of @node or of its content, into @value. */
static bool
parse_text(Parse *parse, const xmlNode *node, const ModelField *field, const char *attr,
           const char *text, void *value)
{
    const char *unit = NULL;
    g_autofree char *copy = NULL;
    ScalarResult result;

    if (strlen(text) > (attr ? MAX_VALUE : MAX_TEXT)) {
        fail(parse->err, VIR_ERR_XML_ERROR,
             "the value of '%s' in element '%s', line %ld is too long", attr ? attr : "text()",
             node->name, xmlGetLineNo(node));
        return false;
    }
    if (field->extra && field->extra->parse)
        return field->extra->parse(text, value, parse->err) || explain(parse, node, NULL);
    if (field->kind == MODEL_SIZE) {
        const xmlAttr *unit_attr = find_attribute(node, "unit");

        if (unit_attr) {
            text = copy = g_strdup(text); /* both may be in parse->text */
            unit = text_of(parse, unit_attr->children);
        }
    }
    result = scalar_parse(field, text, unit, value);
    if (result == SCALAR_OK)
        return true;
    return fail_value(parse, node, field, attr, result == SCALAR_UNIT ? unit : text, result);
}

static bool
parse_scalar(Parse *parse, const xmlNode *node, const ModelField *field, const char *attr,
             const char *text, void *self)
{
    if (!parse_text(parse, node, field, attr, text, member_at(self, field)))
        return false;
    if (field->companion)
        *member_has(self, field) = true;
    return true;
}

static void
set_bare(const ModelField *field, void *self)
{
    void *member = member_at(self, field);
    gint64 value = field->extra->bare;

    if (field->kind == MODEL_BOOL)
        *(bool *)member = value != 0;
    else if (model_scalar_size(field->kind) == sizeof(int))
        *(int *)member = (int)value;
    else
        *(gint64 *)member = value;
    if (field->companion)
        *member_has(self, field) = true;
}

static bool
parse_attribute(Parse *parse, const ModelField *field, void *self, xmlNode *node)
{
    const xmlAttr *attr = NULL;
    const char *text;

    if (!is_read(parse, field))
        return true;
    for (const xmlAttr *at = node->properties; at && !attr; at = at->next)
        if ((char)at->name[0] == field->name[0] &&
            strcmp((const char *)at->name, field->name) == 0 &&
            (!field->ns || (at->ns && strcmp((const char *)at->ns->href, field->ns) == 0)))
            attr = at;
    text = attr ? text_of(parse, attr->children) : NULL;
    if (attr && !text)
        text = "";
    if (text && !*text && (field->words & MODEL_NONEMPTY))
        text = NULL;
    if (text)
        return parse_scalar(parse, node, field, field->name, text, self);
    if (field->words & MODEL_BARE)
        set_bare(field, self);
    else if (field->words & MODEL_REQUIRED)
        return fail_missing(parse, node, field);
    return true;
}

/* --- unions --- */

/* Make the branch that the kind of @self (a union) chooses; NULL: it has no content. */
static void *
open_branch(const ModelType *type, void *self, const ModelType **content)
{
    const ModelField *branch = model_branch(type, *union_kind(self));
    void **pointer;

    if (!branch || branch->kind != MODEL_OBJECT)
        return NULL;
    pointer = member_at(self, branch);
    if (!*pointer)
        *pointer = model_new(branch->of);
    *content = branch->of;
    return *pointer;
}

/* Take the tag of @self (a union) from its element, or from the tag line of the struct around
 * it. */
static bool
parse_tag(Parse *parse, const ModelType *type, void *self, xmlNode *node)
{
    const ModelField tag = {
        .kind = MODEL_ENUM, .of = type->kinds, .place = MODEL_AT_ATTR, .name = type->tag_attr};
    const xmlAttr *attr = find_attribute(node, type->tag_attr);
    const char *text = attr ? text_of(parse, attr->children) : NULL;

    return !text || parse_text(parse, node, &tag, type->tag_attr, text, union_kind(self));
}

static void
follow_tag(const ModelField *field, void *self)
{
    if (field->has_tag && field->offset != field->tag_offset)
        *union_kind(member_at(self, field)) = *(int *)((char *)self + field->tag_offset);
}

/* --- elements --- */

static bool
parse_attributes(Parse *parse, const ModelType *type, void *self, xmlNode *node)
{
    if (type->tag_attr && !parse_tag(parse, type, self, node))
        return false;
    if (type->kinds) {
        void *branch = open_branch(type, self, &type);

        return !branch || parse_attributes(parse, type, branch, node);
    }
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        follow_tag(field, self);
        if (field->place == MODEL_AT_ATTR && !parse_attribute(parse, field, self, node))
            return false;
        if (field->place == MODEL_AT_INLINE && is_read(parse, field) &&
            !parse_attributes(parse, field->of, member_at(self, field), node))
            return false;
    }
    return true;
}

static void
append_pointer(const ModelField *field, void *self, void *take_entry)
{
    gsize *count = member_count(self, field);
    void ***list = member_at(self, field);

    if ((*count & (*count - 1)) == 0) /* room doubles at powers of two */
        *list = g_renew(void *, *list, MAX(*count * 2, 1));
    (*list)[(*count)++] = take_entry;
}

static void *
append_scalar(const ModelField *field, void *self)
{
    gsize *count = member_count(self, field), size = model_scalar_size(field->kind);
    char **list = member_at(self, field);
    char *entry;

    if ((*count & (*count - 1)) == 0)
        *list = g_realloc_n(*list, MAX(*count * 2, 1), size);
    entry = *list + *count * size;
    memset(entry, 0, size);
    (*count)++;
    return entry;
}

static bool
parse_scalar_child(Parse *parse, const ModelField *field, void *self, xmlNode *node)
{
    bool is_list = field->words & MODEL_LIST;
    const char *text;

    if (field->kind == MODEL_FLAG) {
        *(bool *)member_at(self, field) = true;
        return true;
    }
    if (field->kind == MODEL_RAW) {
        char *raw = raw_from_node(node);

        if (is_list) {
            append_pointer(field, self, raw);
        } else {
            g_free(*(char **)member_at(self, field));
            *(char **)member_at(self, field) = raw;
        }
        return true;
    }
    if (field->item_attr) {
        const xmlAttr *attr = find_attribute(node, field->item_attr);

        text = attr ? text_of(parse, attr->children) : NULL;
        if (!text) {
            fail(parse->err, VIR_ERR_XML_ERROR, "Missing required attribute '%s' in element '%s'",
                 field->item_attr, node->name);
            return explain(parse, node, field);
        }
    } else {
        text = text_of(parse, node->children);
    }
    if (is_list)
        return parse_text(parse, node, field, field->item_attr, text ? text : "",
                          append_scalar(field, self));
    if (!text)
        return field->words & MODEL_REQUIRED ? fail_missing(parse, node, field) : true;
    return parse_scalar(parse, node, field, NULL, text, self);
}

/* Would nothing be printed for @self? */
static bool
is_void(const ModelType *type, const void *self)
{
    void *fresh = model_new(type);
    bool is_fresh = model_equal(type, self, fresh);

    model_free(type, fresh);
    return is_fresh && model_prints_nothing(type, self);
}

/* An optional struct that says nothing counts as absent, as it could not be told from absent
 * once printed. */
static void
drop_void(const ModelType *type, void **pointer)
{
    if (*pointer && is_void(type, *pointer)) {
        model_free(type, *pointer);
        *pointer = NULL;
    }
}

static bool
parse_struct(Parse *parse, const ModelField *field, void *member, xmlNode *node)
{
    const ModelField *branch;

    if (is_object_pointer(field)) {
        if (!parse_element(parse, field->of, *(void **)member = model_new(field->of), node))
            return false;
        if (!(field->words & (MODEL_ALWAYS | MODEL_OPEN)))
            drop_void(field->of, member);
        return true;
    }
    if (!parse_element(parse, field->of, member, node))
        return false;
    branch = field->kind == MODEL_UNION ? model_branch(field->of, *union_kind(member)) : NULL;
    if (branch && branch->kind == MODEL_OBJECT && !(field->words & (MODEL_ALWAYS | MODEL_OPEN)))
        drop_void(branch->of, member_at(member, branch));
    return true;
}

/* @node is the child that @field asks for. */
static bool
parse_child(Parse *parse, const ModelField *field, void *self, xmlNode *node)
{
    void *entry;

    if (!is_read(parse, field))
        return true;
    if (field->place == MODEL_AT_BLOCK)
        return parse_element(parse, field->of, self, node);
    if (field->kind != MODEL_OBJECT && field->kind != MODEL_UNION)
        return parse_scalar_child(parse, field, self, node);
    if (field->words & MODEL_LIST) {
        entry = model_new(field->of);
        append_pointer(field, self, entry);
        return parse_element(parse, field->of, entry, node);
    }
    return parse_struct(parse, field, member_at(self, field), node);
}

/* @node is a child of an element that may hold the branches of a `by element` union. */
static bool
parse_any(Parse *parse, const ModelField *field, void *self, xmlNode *node, bool *was_taken)
{
    const ModelType *type = field->of, *content = NULL;
    void *member = member_at(self, field), *branch;

    for (guint i = 0; i < type->n_fields; i++) {
        if (type->fields[i].place != MODEL_AT_CHILD || !is_field_element(node, &type->fields[i]))
            continue;
        *was_taken = true;
        if (field->words & MODEL_LIST) {
            member = model_new(type);
            append_pointer(field, self, member);
        } else if (*union_kind(member)) {
            return true; /* the first counts */
        }
        *union_kind(member) = (int)type->fields[i].value;
        branch = open_branch(type, member, &content);
        return !branch || parse_element(parse, content, branch, node);
    }
    return true;
}

/* Hand @node to the field of @type that asks for it. @index counts fields on the way, for @seen. */
static bool
hand_child(Parse *parse, const ModelType *type, void *self, xmlNode *node, Seen *seen, guint *index,
           bool *was_taken)
{
    if (type->kinds) {
        void *branch = open_branch(type, self, &type);

        return !branch || hand_child(parse, type, branch, node, seen, index, was_taken);
    }
    for (guint i = 0; i < type->n_fields && !*was_taken; i++) {
        const ModelField *field = &type->fields[i];
        guint number = (*index)++;

        if (field->place == MODEL_AT_INLINE) {
            if (is_read(parse, field) &&
                !hand_child(parse, field->of, member_at(self, field), node, seen, index, was_taken))
                return false;
        } else if (field->place == MODEL_AT_ANY) {
            if (!parse_any(parse, field, self, node, was_taken))
                return false;
        } else if ((field->place == MODEL_AT_CHILD || field->place == MODEL_AT_BLOCK) &&
                   !(field->words & MODEL_AGAIN) && is_field_element(node, field)) {
            *was_taken = true;
            if (number < MAX_SEEN && (seen->bits[number / 64] >> (number % 64) & 1) &&
                !(field->words & MODEL_LIST))
                return true;
            if (number < MAX_SEEN)
                seen->bits[number / 64] |= G_GUINT64_CONSTANT(1) << (number % 64);
            if (!parse_child(parse, field, self, node))
                return false;
        }
    }
    return true;
}

/* Everything that has to be there is there? The numbering is that of hand_child(). */
static bool
check_required(Parse *parse, const ModelType *type, void *self, xmlNode *node, const Seen *seen,
               guint *index)
{
    if (type->kinds) {
        void *branch = open_branch(type, self, &type);

        return !branch || check_required(parse, type, branch, node, seen, index);
    }
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];
        guint number = (*index)++;

        if (field->place == MODEL_AT_INLINE && is_read(parse, field) &&
            !check_required(parse, field->of, member_at(self, field), node, seen, index))
            return false;
        if ((field->place == MODEL_AT_CHILD || field->place == MODEL_AT_BLOCK) &&
            (field->words & MODEL_REQUIRED) && number < MAX_SEEN &&
            !(seen->bits[number / 64] >> (number % 64) & 1) && is_read(parse, field))
            return fail_missing(parse, node, field);
    }
    return true;
}

/* The text content of @node; blanks between child elements are none. */
static const char *
content_text(Parse *parse, const xmlNode *node)
{
    const char *text = text_of(parse, node->children);
    bool has_elements = false;

    for (const xmlNode *child = node->children; child && !has_elements; child = child->next)
        has_elements = child->type == XML_ELEMENT_NODE;
    return text && has_elements && !text[strspn(text, " \t\r\n")] ? NULL : text;
}

static bool
parse_content_text(Parse *parse, const ModelType *type, void *self, xmlNode *node)
{
    const char *text;

    if (!type->has_text)
        return true;
    if (type->kinds) {
        void *branch = open_branch(type, self, &type);

        return !branch || parse_content_text(parse, type, branch, node);
    }
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        if (field->place == MODEL_AT_INLINE && is_read(parse, field) &&
            !parse_content_text(parse, field->of, member_at(self, field), node))
            return false;
        if (field->place != MODEL_AT_TEXT || !is_read(parse, field))
            continue;
        text = content_text(parse, node);
        if (text ? !parse_scalar(parse, node, field, NULL, text, self)
                 : (field->words & MODEL_REQUIRED) && !fail_missing(parse, node, field))
            return false;
    }
    return true;
}

static bool
parse_element(Parse *parse, const ModelType *type, void *self, xmlNode *node)
{
    Seen seen = {0};
    bool has_content = false;
    guint index;

    if (!parse_attributes(parse, type, self, node))
        return false;
    for (xmlNode *child = node->children; child; child = child->next) {
        bool was_taken = false;

        index = 0;
        if (child->type == XML_ELEMENT_NODE &&
            !hand_child(parse, type, self, child, &seen, &index, &was_taken))
            return false;
        has_content |= was_taken;
    }
    /* an element holds known children or text: between children, text says nothing */
    if (!has_content && !parse_content_text(parse, type, self, node))
        return false;
    index = 0;
    return check_required(parse, type, self, node, &seen, &index);
}

/* --- documents --- */

static void
refuse_dtd(void *ctxt, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    xmlParserCtxt *parser = ctxt;

    *(bool *)parser->_private = true;
    xmlStopParser(parser);
}

static xmlDoc *
read_document(const char *xml, gsize len, GError **err)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                        XML_PARSE_NOENT | XML_PARSE_NOCDATA | XML_PARSE_COMPACT |
                        XML_PARSE_BIG_LINES;
    xmlParserCtxt *parser = xmlNewParserCtxt();
    const xmlError *error;
    bool has_dtd = false;
    xmlDoc *doc;

    if (!parser)
        return fail_null(err, VIR_ERR_NO_MEMORY, "XML parser");
    parser->_private = &has_dtd;
    parser->sax->internalSubset = refuse_dtd;
    parser->sax->externalSubset = refuse_dtd;
    doc = xmlCtxtReadMemory(parser, xml, (int)len, NULL, NULL, options);
    error = xmlCtxtGetLastError(parser);
    if (has_dtd) {
        xmlFreeDoc(doc);
        doc = fail_null(err, VIR_ERR_XML_ERROR, "document type declarations are not allowed");
    } else if (!doc || !parser->wellFormed) {
        g_autofree char *message =
            g_strdup(error && error->message ? error->message : "the document is not well formed");

        xmlFreeDoc(doc);
        doc = fail_null(err, VIR_ERR_XML_DETAIL, "line %d: %s", error ? error->line : 1,
                        g_strchomp(message));
    }
    xmlFreeParserCtxt(parser);
    return doc;
}

static void *
parse_document(const ModelType *type, xmlDoc *doc, ModelParseFlags flags, GError **err)
{
    xmlNode *root = xmlDocGetRootElement(doc);
    g_autoptr(GString) text = g_string_new(NULL);
    Parse parse = {.flags = flags, .file = type->file, .text = text, .err = err};
    void *self;

    if (!root || strcmp((const char *)root->name, type->element) != 0) {
        error_set(err, type->file->error_domain, VIR_ERR_XML_ERROR,
                  "unexpected root element <%s>, expecting <%s>",
                  root ? (const char *)root->name : "", type->element);
        return NULL;
    }
    self = model_new(type);
    if (parse_element(&parse, type, self, root))
        return self;
    model_free(type, self);
    return NULL;
}

xmlDoc *
model_read_document(const char *xml, GError **err)
{
    static gsize is_ready;
    gsize len = strlen(xml);

    if (g_once_init_enter(&is_ready)) { /* libxml2's own start is not safe between threads */
        xmlInitParser();
        g_once_init_leave(&is_ready, 1);
    }
    if (len > MAX_DOCUMENT)
        return fail_null(err, VIR_ERR_XML_ERROR,
                         "the document has %" G_GSIZE_FORMAT " bytes, more than the %d allowed",
                         len, MAX_DOCUMENT);
    return read_document(xml, len, err);
}

void *
model_parse(const ModelType *type, const char *xml, ModelParseFlags flags, GError **err)
{
    xmlDoc *doc;
    void *self;

    g_assert(type->element);
    doc = model_read_document(xml, err);
    if (!doc)
        return NULL;
    self = parse_document(type, doc, flags, err);
    xmlFreeDoc(doc);
    return self;
}
