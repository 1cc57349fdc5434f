/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of model objects, driven by their tables: make, free, copy, equal, compare, rules.
 * Members of a block are members of the struct around it, so a block is walked with the same
 * base address. XML: engine_parse.c and engine_format.c. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN

#include "model/engine.h"

#include <string.h>

#include "base/error.h"
#include "model/engine_private.h"

const ModelField *
model_branch(const ModelType *type, int kind)
{
    for (guint i = 0; i < type->n_fields; i++)
        if (type->fields[i].value == kind)
            return &type->fields[i];
    return NULL;
}

/* --- make --- */

static void
init_field(const ModelField *field, void *self)
{
    void *member = member_at(self, field);

    if (field->words & MODEL_AGAIN)
        return;
    if (field->place == MODEL_AT_BLOCK ||
        ((field->kind == MODEL_OBJECT) && !(field->words & (MODEL_OPTIONAL | MODEL_LIST)))) {
        model_init(field_type(field), field->place == MODEL_AT_BLOCK ? self : member);
        return;
    }
    if (!(field->words & MODEL_DEFAULT))
        return;
    switch ((ModelKind)field->kind) {
    case MODEL_STRING:
        *(char **)member = g_strdup(field->extra->text);
        break;
    case MODEL_FLAG:
    case MODEL_BOOL:
        *(bool *)member = field->value != 0;
        break;
    case MODEL_DOUBLE:
        *(double *)member = field->value / 1000.0;
        break;
    default:
        if (model_scalar_size(field->kind) == sizeof(int))
            *(int *)member = (int)field->value;
        else
            *(gint64 *)member = field->value;
    }
}

void
model_init(const ModelType *type, void *self)
{
    if (!type->has_defaults && type->kind != MODEL_TYPE_BLOCK)
        return;
    for (guint i = 0; i < type->n_fields; i++)
        init_field(&type->fields[i], self);
    /* a tag with a default stands in the first of its unions; the others follow */
    for (guint i = 0; i < type->n_fields; i++)
        if (type->fields[i].has_tag)
            *(int *)member_at(self, &type->fields[i]) =
                *(int *)((char *)self + type->fields[i].tag_offset);
}

void *
model_new(const ModelType *type)
{
    void *self = g_malloc0(type->size);

    model_init(type, self);
    return self;
}

/* --- free --- */

static void
clear_list(const ModelField *field, void *self)
{
    void **list = *(void ***)member_at(self, field);
    gsize count = *member_count(self, field);

    if (has_pointers(field))
        for (gsize i = 0; i < count; i++) {
            if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION)
                model_free(field->of, list[i]);
            else
                g_free(list[i]);
        }
    g_free(list);
    *(void **)member_at(self, field) = NULL;
    *member_count(self, field) = 0;
}

static void
clear_field(const ModelField *field, void *self)
{
    void *member = member_at(self, field);

    if (field->words & MODEL_BORROWED) {
        return;
    } else if (field->place == MODEL_AT_BLOCK) {
        model_clear(field->of, self);
    } else if (field->words & MODEL_LIST) {
        clear_list(field, self);
    } else if (is_object_pointer(field)) {
        model_free(field->of, *(void **)member);
        *(void **)member = NULL;
    } else if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION) {
        model_clear(field->of, member);
    } else {
        scalar_clear(field, member);
    }
}

void
model_clear(const ModelType *type, void *self)
{
    for (guint i = 0; i < type->n_fields; i++)
        clear_field(&type->fields[i], self);
}

void
model_free(const ModelType *type, void *self)
{
    if (!self)
        return;
    model_clear(type, self);
    g_free(self);
}

/* --- copy: the struct is copied as bytes first, then what it points at --- */

static void copy_fields(const ModelType *type, void *to, const void *from);

static void
copy_list(const ModelField *field, void *to, const void *from)
{
    gsize count = *member_count(from, field);
    void *const *list = *(void *const *const *)member_at(from, field);
    void **copy;

    if (!count) {
        *(void **)member_at(to, field) = NULL;
        return;
    }
    if (!has_pointers(field)) {
        *(void **)member_at(to, field) = g_memdup2(list, count * model_scalar_size(field->kind));
        return;
    }
    copy = g_new(void *, count);
    for (gsize i = 0; i < count; i++)
        copy[i] = field->kind == MODEL_OBJECT || field->kind == MODEL_UNION
                      ? model_copy(field->of, list[i])
                      : g_strdup(list[i]);
    *(void ***)member_at(to, field) = copy;
}

static void
copy_field(const ModelField *field, void *to, const void *from)
{
    const void *member = member_at(from, field);

    if (field->words & MODEL_BORROWED)
        return;
    if (field->place == MODEL_AT_BLOCK)
        copy_fields(field->of, to, from);
    else if (field->words & MODEL_LIST)
        copy_list(field, to, from);
    else if (is_object_pointer(field))
        *(void **)member_at(to, field) = model_copy(field->of, *(void *const *)member);
    else if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION)
        copy_fields(field->of, member_at(to, field), member);
    else
        scalar_copy(field, member_at(to, field), member);
}

static void
copy_fields(const ModelType *type, void *to, const void *from)
{
    for (guint i = 0; i < type->n_fields; i++)
        copy_field(&type->fields[i], to, from);
}

void *
model_copy(const ModelType *type, const void *self)
{
    void *copy;

    if (!self)
        return NULL;
    copy = g_memdup2(self, type->size);
    copy_fields(type, copy, self);
    return copy;
}

/* --- equal --- */

static bool fields_equal(const ModelType *type, const void *a, const void *b);

static bool
entry_equal(const ModelField *field, const void *a, const void *b)
{
    if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION)
        return model_equal(field->of, *(void *const *)a, *(void *const *)b);
    return scalar_equal(field, a, b);
}

static bool
field_equal(const ModelField *field, const void *a, const void *b)
{
    const void *in_a = member_at(a, field), *in_b = member_at(b, field);
    gsize step;

    if (field->words & MODEL_BORROWED)
        return true;
    if (field->place == MODEL_AT_BLOCK)
        return fields_equal(field->of, a, b);
    if (field->words & MODEL_LIST) {
        if (*member_count(a, field) != *member_count(b, field))
            return false;
        step = has_pointers(field) ? sizeof(void *) : model_scalar_size(field->kind);
        for (gsize i = 0; i < *member_count(a, field); i++)
            if (!entry_equal(field, *(char *const *)in_a + i * step,
                             *(char *const *)in_b + i * step))
                return false;
        return true;
    }
    if (is_object_pointer(field))
        return model_equal(field->of, *(void *const *)in_a, *(void *const *)in_b);
    if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION)
        return fields_equal(field->of, in_a, in_b);
    if (scalar_is_set(field, a, in_a) != scalar_is_set(field, b, in_b))
        return false;
    return !scalar_is_set(field, a, in_a) || scalar_equal(field, in_a, in_b);
}

static bool
fields_equal(const ModelType *type, const void *a, const void *b)
{
    if (type->kinds && *union_kind(a) != *union_kind(b))
        return false;
    for (guint i = 0; i < type->n_fields; i++)
        if (!field_equal(&type->fields[i], a, b))
            return false;
    return true;
}

bool
model_equal(const ModelType *type, const void *a, const void *b)
{
    if (!a || !b)
        return a == b;
    return fields_equal(type, a, b);
}

/* --- compare: the same walk over what may not change under a running guest --- */

typedef struct {
    GString *path; /* of the place looked at, for the message */
    int error_domain;
    GError **err;
} Compare;

static bool compare_fields(Compare *compare, const ModelType *type, const void *a, const void *b);

static bool
differs(Compare *compare, const char *from, const char *to)
{
    if (!from || !to)
        error_set(compare->err, compare->error_domain, VIR_ERR_CONFIG_UNSUPPORTED,
                  "%s cannot be %s while the guest runs", compare->path->str,
                  from ? "taken away" : "added");
    else
        error_set(compare->err, compare->error_domain, VIR_ERR_CONFIG_UNSUPPORTED,
                  "%s cannot change from '%s' to '%s' while the guest runs", compare->path->str,
                  from, to);
    return false;
}

static bool
compare_scalar(Compare *compare, const ModelField *field, const void *a, const void *b)
{
    const void *in_a = member_at(a, field), *in_b = member_at(b, field);
    char buffer_a[SCALAR_BUFFER], buffer_b[SCALAR_BUFFER];
    g_autofree char *owned_a = NULL;
    g_autofree char *owned_b = NULL;
    const char *text_a, *text_b;

    if (!(field->words & MODEL_ABI) || field->place == MODEL_AT_NOWHERE)
        return true;
    if (field->words & MODEL_TAG ? scalar_equal(field, in_a, in_b) : field_equal(field, a, b))
        return true;
    if (field->words & MODEL_LIST)
        return differs(compare, "one list", "another");
    text_a = scalar_is_set(field, a, in_a) ? scalar_text(field, in_a, buffer_a, &owned_a) : NULL;
    text_b = scalar_is_set(field, b, in_b) ? scalar_text(field, in_b, buffer_b, &owned_b) : NULL;
    if (field->words & MODEL_SECURE)
        return differs(compare, text_a ? "one secret" : NULL, text_b ? "another" : NULL);
    return differs(compare, text_a, text_b);
}

static bool
compare_pointer(Compare *compare, const ModelField *field, const void *a, const void *b)
{
    if (!a || !b)
        return a == b || !(field->words & MODEL_ABI) ||
               differs(compare, a ? "there" : NULL, b ? "there" : NULL);
    return compare_fields(compare, field->of, a, b);
}

static bool
compare_list(Compare *compare, const ModelField *field, const void *a, const void *b)
{
    gsize count_a = *member_count(a, field), count_b = *member_count(b, field);
    void *const *list_a = *(void *const *const *)member_at(a, field);
    void *const *list_b = *(void *const *const *)member_at(b, field);
    gsize length = compare->path->len;

    if (count_a != count_b && (field->words & MODEL_ABI)) {
        g_autofree char *from = g_strdup_printf("%" G_GSIZE_FORMAT " entries", count_a);
        g_autofree char *to = g_strdup_printf("%" G_GSIZE_FORMAT, count_b);

        return differs(compare, from, to);
    }
    for (gsize i = 0; i < MIN(count_a, count_b); i++) {
        g_string_append_printf(compare->path, "[%" G_GSIZE_FORMAT "]", i);
        if (!compare_pointer(compare, field, list_a[i], list_b[i]))
            return false;
        g_string_truncate(compare->path, length);
    }
    return true;
}

static bool
compare_field(Compare *compare, const ModelField *field, const void *a, const void *b)
{
    const void *in_a = member_at(a, field), *in_b = member_at(b, field);

    if (field->words & MODEL_AGAIN)
        return true;
    if (field->place == MODEL_AT_BLOCK)
        return compare_fields(compare, field->of, a, b);
    if (field->kind != MODEL_OBJECT && field->kind != MODEL_UNION)
        return compare_scalar(compare, field, a, b);
    if (field->words & MODEL_LIST)
        return compare_list(compare, field, a, b);
    if (is_object_pointer(field))
        return compare_pointer(compare, field, *(void *const *)in_a, *(void *const *)in_b);
    if (field->kind == MODEL_UNION && (field->words & MODEL_ABI) &&
        *union_kind(in_a) != *union_kind(in_b))
        return differs(compare, model_enum_word(field_type(field)->kinds, *union_kind(in_a)),
                       model_enum_word(field_type(field)->kinds, *union_kind(in_b)));
    return compare_fields(compare, field->of, in_a, in_b);
}

static bool
compare_fields(Compare *compare, const ModelType *type, const void *a, const void *b)
{
    gsize length = compare->path->len;

    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        if (type->kinds && (field->value != *union_kind(a) || *union_kind(a) != *union_kind(b) ||
                            field->kind != MODEL_OBJECT))
            continue;
        if (field->member && field->place != MODEL_AT_BLOCK)
            g_string_append_printf(compare->path, "%s%s", length ? "." : "", field->member);
        if (!compare_field(compare, field, a, b))
            return false;
        g_string_truncate(compare->path, length);
    }
    return true;
}

bool
model_compare(const ModelType *type, const void *self, const void *other, GError **err)
{
    g_autoptr(GString) path = g_string_new(NULL);
    Compare compare = {.path = path, .error_domain = type->file->error_domain, .err = err};

    return compare_fields(&compare, type, self, other);
}

/* --- rules --- */

static bool run_rules(const ModelType *type, void *self, const ModelRules *rules, bool is_check,
                      GError **err);

static bool
run_own(const ModelType *type, void *self, ModelStage stage, const ModelRules *rules, GError **err)
{
    for (guint i = 0; i < type->n_rules; i++)
        if (type->rules[i].stage == stage && !type->rules[i].run(self, rules, err))
            return false;
    return true;
}

static bool
rules_below(const ModelField *field, void *self, const ModelRules *rules, bool is_check,
            GError **err)
{
    void *member = member_at(self, field);

    if (field->place == MODEL_AT_BLOCK) {
        const ModelType *block = field->of;

        for (guint i = 0; i < block->n_fields; i++)
            if (!rules_below(&block->fields[i], self, rules, is_check, err))
                return false;
        return true;
    }
    if ((field->kind != MODEL_OBJECT && field->kind != MODEL_UNION) ||
        !field_type(field)->has_rules || (field->words & MODEL_BORROWED))
        return true;
    if (field->words & MODEL_LIST) {
        for (gsize i = 0; i < *member_count(self, field); i++) /* a rule may lengthen the list */
            if (!run_rules(field->of, (*(void ***)member)[i], rules, is_check, err))
                return false;
        return true;
    }
    if (is_object_pointer(field))
        return !*(void **)member || run_rules(field->of, *(void **)member, rules, is_check, err);
    return run_rules(field->of, member, rules, is_check, err);
}

static bool
run_rules(const ModelType *type, void *self, const ModelRules *rules, bool is_check, GError **err)
{
    ModelRules below = {.root = rules->root, .opaque = rules->opaque, .parent = self};

    if (!type->has_rules)
        return true;
    if (!run_own(type, self, is_check ? MODEL_RULE_CHECK : MODEL_RULE_FILL, rules, err))
        return false;
    for (guint i = 0; i < type->n_fields; i++)
        if (!rules_below(&type->fields[i], self, type->kinds ? rules : &below, is_check, err))
            return false;
    return is_check || run_own(type, self, MODEL_RULE_LATE, rules, err);
}

bool
model_fill(const ModelType *type, void *self, void *opaque, GError **err)
{
    ModelRules rules = {.root = self, .opaque = opaque};

    return run_rules(type, self, &rules, false, err);
}

bool
model_check(const ModelType *type, const void *self, void *opaque, GError **err)
{
    ModelRules rules = {.root = self, .opaque = opaque};

    return run_rules(type, (void *)self, &rules, true, err); /* check rules take const pointers */
}
