/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the engine's own files share: addresses of members, and single values as text. */
#pragma once

#include <libxml/tree.h>

#include "model/engine.h"

static inline void *
member_at(const void *self, const ModelField *field)
{
    return (char *)self + field->offset;
}

static inline const ModelType *
field_type(const ModelField *field)
{
    return field->of;
}

/* has_x of an optional number, n_x of a list. */
static inline bool *
member_has(const void *self, const ModelField *field)
{
    return (bool *)((char *)self + field->companion);
}

static inline gsize *
member_count(const void *self, const ModelField *field)
{
    return (gsize *)((char *)self + field->companion);
}

static inline int *
union_kind(const void *self)
{
    return (int *)self;
}

/* Is this member a pointer to a struct? */
static inline bool
is_object_pointer(const ModelField *field)
{
    return field->kind == MODEL_OBJECT && (field->words & MODEL_OPTIONAL) &&
           field->place != MODEL_AT_BLOCK;
}

/* Does the list hold pointers (strings, structs), or values one after another? */
static inline bool
has_pointers(const ModelField *field)
{
    return field->kind == MODEL_STRING || field->kind == MODEL_RAW || field->kind == MODEL_OBJECT ||
           field->kind == MODEL_UNION;
}

/* A bounded document without DTD as a tree; xmlFreeDoc() (engine_parse.c). */
xmlDoc *model_read_document(const char *xml, GError **err);

gsize model_scalar_size(ModelKind kind);
void model_init(const ModelType *type, void *self);
/* Is there nothing to print inside an element of this type, whatever the flags?
 * (engine_format.c) */
bool model_prints_nothing(const ModelType *type, const void *self);
/* Free what @self owns; not @self. */
void model_clear(const ModelType *type, void *self);

/* The branch of a union that its kind chooses; NULL: it has no content. */
const ModelField *model_branch(const ModelType *type, int kind);

/* Scalars: @value is where the value stands (a member, or an entry of a list). */
bool scalar_equal(const ModelField *field, const void *a, const void *b);
void scalar_copy(const ModelField *field, void *to, const void *from);
void scalar_clear(const ModelField *field, void *value);
bool scalar_is_default(const ModelField *field, const void *value);
/* Is there a value to print? @self tells has_x. */
bool scalar_is_set(const ModelField *field, const void *self, const void *value);
/* Text as it stands in the XML, unescaped; NULL: nothing to print. Short values are made in
 * @buffer. */
#define SCALAR_BUFFER 48
const char *scalar_text(const ModelField *field, const void *value, char buffer[SCALAR_BUFFER],
                        char **owned);
const char *scalar_unit(const ModelField *field);

typedef enum {
    SCALAR_OK,
    SCALAR_BAD,      /* cannot be read */
    SCALAR_NEGATIVE, /* a minus sign where none may be */
    SCALAR_ZERO,
    SCALAR_RANGE,
    SCALAR_UNIT, /* unknown unit */
} ScalarResult;

/* Read @text into the member; @unit is the value of the unit attribute, or NULL. */
ScalarResult scalar_parse(const ModelField *field, const char *text, const char *unit, void *value);
/* What may stand there, in words. */
char *scalar_allowed(const ModelField *field);
