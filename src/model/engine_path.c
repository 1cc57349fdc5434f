/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reflection on model objects: JSON, members by path, a walk over all values. Names are those
 * of the C members. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "model/reflect.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/engine_private.h"

/* --- JSON --- */

static void json_fields(json_t *out, const ModelType *type, const void *self,
                        ModelFormatFlags flags);

static json_t *
json_scalar(const ModelField *field, const void *value)
{
    char buffer[SCALAR_BUFFER];
    g_autofree char *owned = NULL;
    const char *text;

    if (field->extra && field->extra->format) {
        text = scalar_text(field, value, buffer, &owned);
        return text ? json_string(text) : NULL;
    }
    switch ((ModelKind)field->kind) {
    case MODEL_FLAG:
    case MODEL_BOOL:
        return json_boolean(*(const bool *)value);
    case MODEL_TRISTATE:
        return json_boolean(*(const int *)value == TRISTATE_YES);
    case MODEL_INT:
        return json_integer(*(const gint *)value);
    case MODEL_UINT:
    case MODEL_HEX:
    case MODEL_OCTAL:
        return json_integer(*(const guint *)value);
    case MODEL_LLONG:
    case MODEL_ULLONG:
    case MODEL_HEX64:
    case MODEL_SIZE:
        return json_integer(*(const gint64 *)value);
    case MODEL_DOUBLE:
        return json_real(*(const double *)value);
    default:
        text = scalar_text(field, value, buffer, &owned);
        return text ? json_string(text) : NULL;
    }
}

static json_t *
json_struct(const ModelType *type, const void *self, ModelFormatFlags flags)
{
    json_t *out = json_object();

    if (type->kinds) {
        const char *word = model_enum_word(type->kinds, *union_kind(self));

        if (word)
            json_object_set_new(out, "kind", json_string(word));
    }
    json_fields(out, type, self, flags);
    return out;
}

static json_t *
json_list(const ModelField *field, const void *self, ModelFormatFlags flags)
{
    gsize count = *member_count(self, field);
    const char *list = *(char *const *)member_at(self, field);
    gsize step = has_pointers(field) ? sizeof(void *) : model_scalar_size(field->kind);
    json_t *out = json_array();

    for (gsize i = 0; i < count; i++) {
        const void *entry = list + i * step;

        if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION)
            json_array_append_new(out, json_struct(field->of, *(void *const *)entry, flags));
        else
            json_array_append_new(out, json_scalar(field, entry));
    }
    return out;
}

static json_t *
json_value(const ModelField *field, const void *self, ModelFormatFlags flags)
{
    const void *member = member_at(self, field);
    json_t *value;

    if (field->words & MODEL_LIST)
        return *member_count(self, field) ? json_list(field, self, flags) : NULL;
    if (field->kind == MODEL_OBJECT && is_object_pointer(field))
        return *(void *const *)member ? json_struct(field->of, *(void *const *)member, flags)
                                      : NULL;
    if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION) {
        value = json_struct(field->of, member, flags);
        if (json_object_size(value))
            return value;
        json_decref(value);
        return NULL;
    }
    return scalar_is_set(field, self, member) ? json_scalar(field, member) : NULL;
}

static bool
is_hidden(const ModelField *field, ModelFormatFlags flags)
{
    return ((field->words & MODEL_SECURE) && !(flags & MODEL_FORMAT_SECURE)) ||
           ((field->words & MODEL_LIVE) && (flags & MODEL_FORMAT_INACTIVE)) ||
           ((field->words & MODEL_STATUS) && !(flags & MODEL_FORMAT_STATUS));
}

static void
json_fields(json_t *out, const ModelType *type, const void *self, ModelFormatFlags flags)
{
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];
        json_t *value;

        if (is_hidden(field, flags) || (!type->kinds && (field->words & MODEL_BORROWED)))
            continue;
        if (field->place == MODEL_AT_BLOCK) {
            json_fields(out, field->of, self, flags);
            continue;
        }
        if (!field->member || (field->place == MODEL_AT_NOWHERE && !type->kinds))
            continue;
        if (type->kinds && (field->kind != MODEL_OBJECT || field->value != *union_kind(self)))
            continue;
        value = json_value(field, self, flags);
        if (value)
            json_object_set_new(out, field->member, value);
    }
}

json_t *
model_to_json(const ModelType *type, const void *self, ModelFormatFlags flags)
{
    return self ? json_struct(type, self, flags) : json_null();
}

/* --- by path --- */

typedef struct {
    const ModelField *field;
    void *self;  /* the struct that the member belongs to */
    void *value; /* the member or list entry; NULL: an optional struct on the way is absent */
} Place;

static const ModelField *
find_member(const ModelType *type, const char *name, gsize len)
{
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        if (field->place == MODEL_AT_BLOCK) {
            const ModelField *found = find_member(field->of, name, len);

            if (found)
                return found;
        } else if (field->member && strlen(field->member) == len &&
                   memcmp(field->member, name, len) == 0) {
            return field;
        }
    }
    return NULL;
}

/* Step into the entry that "[3]" at *@path names. */
static bool
enter_list(Place *place, const char **path, GError **err)
{
    const ModelField *field = place->field;
    gsize step = has_pointers(field) ? sizeof(void *) : model_scalar_size(field->kind);
    char *end;
    guint64 index;

    if (**path != '[')
        return fail(err, VIR_ERR_INVALID_ARG, "%s is a list: say which entry, as in %s[0]",
                    field->member, field->member);
    index = g_ascii_strtoull(*path + 1, &end, 10);
    if (*end != ']' || index >= *member_count(place->self, field))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "%s has %" G_GSIZE_FORMAT " entries, there is none at %s", field->member,
                    *member_count(place->self, field), *path);
    *path = end + 1;
    place->value = *(char **)place->value + index * step;
    return true;
}

static bool
find_place(const ModelType *type, void *self, const char *path, Place *place, GError **err)
{
    while (true) {
        gsize len = strcspn(path, ".[");

        place->field = find_member(type, path, len);
        if (!place->field)
            return fail(err, VIR_ERR_INVALID_ARG, "%s has no member '%.*s'", type->name, (int)len,
                        path);
        place->self = self;
        place->value = member_at(self, place->field);
        path += len;
        if ((place->field->words & MODEL_LIST) && !enter_list(place, &path, err))
            return false;
        if (!*path)
            return true;
        if (*path != '.' ||
            (place->field->kind != MODEL_OBJECT && place->field->kind != MODEL_UNION))
            return fail(err, VIR_ERR_INVALID_ARG, "%s is a single value: '%s' leads nowhere",
                        place->field->member, path);
        self = (place->field->words & MODEL_LIST) || is_object_pointer(place->field)
                   ? *(void **)place->value
                   : place->value;
        if (!self) {
            place->value = NULL;
            return true;
        }
        type = place->field->of;
        path++;
    }
}

bool
model_get(const ModelType *type, const void *self, const char *path, char **text, GError **err)
{
    Place place = {0};
    char buffer[SCALAR_BUFFER];
    g_autofree char *owned = NULL;

    *text = NULL;
    if (!find_place(type, (void *)self, path, &place, err))
        return false;
    if (!place.value)
        return true;
    if (place.field->kind == MODEL_OBJECT || place.field->kind == MODEL_UNION)
        return fail(err, VIR_ERR_INVALID_ARG, "%s is a structure, not a value", path);
    if (scalar_is_set(place.field, place.self, place.value))
        *text = g_strdup(scalar_text(place.field, place.value, buffer, &owned));
    return true;
}

bool
model_set(const ModelType *type, void *self, const char *path, const char *text, GError **err)
{
    Place place = {0};
    ScalarResult result;

    if (!find_place(type, self, path, &place, err))
        return false;
    if (!place.value || place.field->kind == MODEL_OBJECT || place.field->kind == MODEL_UNION ||
        (place.field->words & MODEL_TAG))
        return fail(err, VIR_ERR_INVALID_ARG, "%s is no value that can be set", path);
    if (place.field->extra && place.field->extra->parse) {
        if (!place.field->extra->parse(text, place.value, err))
            return false;
    } else if (place.field->kind == MODEL_FLAG) {
        *(bool *)place.value = strcmp(text, "yes") == 0;
    } else {
        result = scalar_parse(place.field, text, NULL, place.value);
        if (result != SCALAR_OK) {
            g_autofree char *allowed = scalar_allowed(place.field);

            return fail(err, VIR_ERR_INVALID_ARG, "'%s' cannot be the value of %s; allowed: %s",
                        text, path, allowed);
        }
    }
    if (place.field->companion && !(place.field->words & MODEL_LIST))
        *member_has(place.self, place.field) = true;
    return true;
}

/* --- walk --- */

static void walk_struct(const ModelType *type, const void *self, GString *path, ModelVisit visit,
                        void *opaque);

static void
walk_entry(const ModelField *field, const void *self, const void *value, GString *path,
           ModelVisit visit, void *opaque)
{
    char buffer[SCALAR_BUFFER];
    g_autofree char *owned = NULL;
    bool is_pointer = (field->words & MODEL_LIST) || is_object_pointer(field);

    if (field->kind == MODEL_OBJECT || field->kind == MODEL_UNION) {
        const void *inner = is_pointer ? *(void *const *)value : value;

        if (inner)
            walk_struct(field->of, inner, path, visit, opaque);
    } else if (scalar_is_set(field, self, value)) {
        visit(path->str,
              field->words & MODEL_SECURE ? "(secret)" : scalar_text(field, value, buffer, &owned),
              opaque);
    }
}

static void
walk_field(const ModelField *field, const void *self, GString *path, ModelVisit visit, void *opaque)
{
    gsize length = path->len;
    gsize step = has_pointers(field) ? sizeof(void *) : model_scalar_size(field->kind);

    if (field->words & MODEL_AGAIN)
        return;
    if (field->place == MODEL_AT_BLOCK) {
        const ModelType *block = field->of;

        for (guint i = 0; i < block->n_fields; i++)
            walk_field(&block->fields[i], self, path, visit, opaque);
        return;
    }
    g_string_append_printf(path, "%s%s", length ? "." : "", field->member);
    if (!(field->words & MODEL_LIST)) {
        walk_entry(field, self, member_at(self, field), path, visit, opaque);
    } else {
        gsize name_end = path->len;

        for (gsize i = 0; i < *member_count(self, field); i++) {
            g_string_append_printf(path, "[%" G_GSIZE_FORMAT "]", i);
            walk_entry(field, self, *(char *const *)member_at(self, field) + i * step, path, visit,
                       opaque);
            g_string_truncate(path, name_end);
        }
    }
    g_string_truncate(path, length);
}

static void
walk_struct(const ModelType *type, const void *self, GString *path, ModelVisit visit, void *opaque)
{
    for (guint i = 0; i < type->n_fields; i++) {
        const ModelField *field = &type->fields[i];

        if (!field->member || (field->words & MODEL_AGAIN) ||
            (field->place == MODEL_AT_NOWHERE && !type->kinds))
            continue;
        if (type->kinds && (field->kind != MODEL_OBJECT || field->value != *union_kind(self)))
            continue;
        walk_field(field, self, path, visit, opaque);
    }
}

void
model_walk(const ModelType *type, const void *self, ModelVisit visit, void *opaque)
{
    g_autoptr(GString) path = g_string_new(NULL);

    walk_struct(type, self, path, visit, opaque);
}
