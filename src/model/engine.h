/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model engine: reads, prints, copies, compares, frees and checks any structure that a table
 * describes.
 *
 * The tables are made from schema/model by gen/model_*.py, one ModelType a struct; programs
 * use the typed wrappers in "gen/model-domain.h" and so on. engine.c: life of objects;
 * engine_parse.c, engine_format.c: XML; engine_scalar.c: single values; engine_path.c:
 * reflection and JSON. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "model/bitmap.h"

typedef enum {
    TRISTATE_UNSET = 0,
    TRISTATE_YES = 1,
    TRISTATE_NO = 2,
    TRISTATE_ON = TRISTATE_YES,
    TRISTATE_OFF = TRISTATE_NO,
} Tristate;

typedef enum {
    MODEL_PARSE_INACTIVE = 1 << 1, /* `live` places are skipped */
    MODEL_PARSE_STATUS = 1 << 16,  /* `status` places are read */
} ModelParseFlags;

/* The low values are those of virDomainXMLFlags. */
typedef enum {
    MODEL_FORMAT_SECURE = 1 << 0,
    MODEL_FORMAT_INACTIVE = 1 << 1,
    MODEL_FORMAT_MIGRATABLE = 1 << 3,
    MODEL_FORMAT_STATUS = 1 << 16,
} ModelFormatFlags;

typedef enum {
    MODEL_FLAG, /* an element that is there or not: bool */
    MODEL_STRING,
    MODEL_INT,
    MODEL_UINT,
    MODEL_LLONG,
    MODEL_ULLONG,
    MODEL_HEX,
    MODEL_HEX64,
    MODEL_OCTAL,
    MODEL_DOUBLE,
    MODEL_BOOL,
    MODEL_TRISTATE,
    MODEL_ENUM,
    MODEL_UUID,
    MODEL_MAC,
    MODEL_SIZE,
    MODEL_BITMAP,
    MODEL_RAW,
    MODEL_OBJECT,
    MODEL_UNION,
} ModelKind;

typedef enum {
    MODEL_AT_ATTR,
    MODEL_AT_CHILD,
    MODEL_AT_TEXT,
    MODEL_AT_INLINE, /* the fields of `of` are read from the same element */
    MODEL_AT_ANY,    /* any child that names a branch of the union `of` */
    MODEL_AT_BLOCK,  /* a wrapper element whose fields are members of the same struct */
    MODEL_AT_NOWHERE,
} ModelPlace;

enum {
    MODEL_OPTIONAL = 1 << 0,
    MODEL_LIST = 1 << 1,
    MODEL_DEFAULT = 1 << 2, /* `value` or extra->text holds when absent */
    MODEL_HIDDEN = 1 << 3,
    MODEL_ABI = 1 << 4,
    MODEL_LIVE = 1 << 5,
    MODEL_SECURE = 1 << 6,
    MODEL_STATUS = 1 << 7,
    MODEL_NOT_MIGRATABLE = 1 << 8,
    MODEL_INPUT = 1 << 9,
    MODEL_ALWAYS = 1 << 10,
    MODEL_REQUIRED = 1 << 11,
    MODEL_NONEMPTY = 1 << 12,
    MODEL_TAG =
        1 << 13, /* the member belongs to a union below: copy, compare and free leave it alone */
    MODEL_BARE = 1 << 14,   /* extra->bare when the element is there without the attribute */
    MODEL_REPEAT = 1 << 15, /* a branch that shares its pointer with one above */
    MODEL_AGAIN = 1 << 16, /* another place in the output of a member that a different field owns */
    MODEL_OPEN =
        1 << 17, /* like ALWAYS, and start and end tag are two lines even with nothing between */
    MODEL_BORROWED = MODEL_TAG | MODEL_REPEAT | MODEL_AGAIN,
};

typedef struct ModelType ModelType;
typedef struct ModelField ModelField;

typedef struct {
    const char *name;
    const char *const *words; /* words[0] is NULL: unset */
    guint n_words;
} ModelEnum;

/* What few fields have. */
typedef struct {
    const char *text; /* default of a string */
    bool has_min, has_max;
    gint64 min, max;
    gint64 bare;
    bool (*when)(const void *self, ModelFormatFlags flags);
    bool (*parse)(const char *text, void *member, GError **err);
    char *(*format)(const void *member);
    int missing_code, bad_code;
    const char *missing_text, *bad_text;
} ModelExtra;

struct ModelField {
    const char *name;      /* in the XML, without prefix */
    const char *member;    /* in C, in JSON and in paths */
    const char *prefix;    /* of a foreign namespace, or NULL */
    const char *ns;        /* its URI */
    const char *item_attr; /* list whose values stand in an attribute of each child */
    const void *of;        /* ModelType or ModelEnum, as kind says; ModelType for a block */
    const ModelExtra *extra;
    gint64 value; /* default; of a branch: its kind */
    guint32 words;
    guint32 offset;
    guint32 companion;  /* offset of has_x or n_x; 0 = none */
    guint32 tag_offset; /* of a union `by` a tag: where the tag is */
    guint8 place, kind;
    guint8 detail; /* digits of hex, unit of sizes, words of booleans */
    bool has_tag;
};

typedef struct {
    const void *root;
    void *opaque;
    const void *parent;
} ModelRules;

typedef enum { MODEL_RULE_FILL, MODEL_RULE_LATE, MODEL_RULE_CHECK } ModelStage;

typedef struct {
    ModelStage stage;
    bool (*run)(void *self, const ModelRules *rules, GError **err);
} ModelRule;

typedef struct {
    const char *prefix;
    const char *uri;
} ModelNamespace;

typedef struct {
    const char *name;
    int error_domain; /* VIR_FROM_... */
    const ModelNamespace *namespaces;
    guint n_namespaces;
    const char *grammar; /* RelaxNG of the document; NULL: the file only has pieces of others */
} ModelFile;

typedef enum {
    MODEL_TYPE_OBJECT,
    MODEL_TYPE_UNION,
    MODEL_TYPE_ELEMENTS,
    MODEL_TYPE_BLOCK
} ModelTypeKind;

struct ModelType {
    const char *name;
    const char *element; /* NULL: has no element of its own */
    const ModelFile *file;
    const ModelField *fields; /* of a union: its branches */
    const ModelEnum *kinds;   /* of a union */
    const char *tag_attr;     /* of a union that carries its tag itself */
    const ModelRule *rules;
    guint32 size;
    guint16 n_fields, n_rules;
    ModelTypeKind kind;
    bool has_defaults; /* here or in a struct held in place */
    bool has_rules;    /* here or anywhere below */
    bool has_text;     /* text content, here or in what is laid into the same element */
};

/* Life */
void *model_new(const ModelType *type);
void model_free(const ModelType *type, void *self);
void *model_copy(const ModelType *type, const void *self);
bool model_equal(const ModelType *type, const void *a, const void *b);
/* May @self turn into @other under a running guest? Looks at `abi` fields only. */
bool model_compare(const ModelType *type, const void *self, const void *other, GError **err);
bool model_fill(const ModelType *type, void *self, void *opaque, GError **err);
bool model_check(const ModelType *type, const void *self, void *opaque, GError **err);

/* XML. A document that is too large or too deep, has a DTD, or whose root is another element
 * is refused. */
void *model_parse(const ModelType *type, const char *xml, ModelParseFlags flags, GError **err);
char *model_format(const ModelType *type, const void *self, ModelFormatFlags flags);
/* The same into @out, as part of a larger text, @indent blanks deep. */
void model_format_to(GString *out, const ModelType *type, const void *self, ModelFormatFlags flags,
                     guint indent);

/* Does @xml fit the grammar of the document that @type is the root of? Stricter than parsing:
 * unknown places are refused. */
bool model_validate(const ModelType *type, const char *xml, GError **err);

/* Enums */
const char *model_enum_word(const ModelEnum *of, int value);
int model_enum_value(const ModelEnum *of, const char *word); /* 0: none */

/* Lists: `member` of `self` has a companion n_member. The entry moves in. */
#define model_append(self, member, take_entry)                                            \
    do {                                                                                  \
        (self)->member =                                                                  \
            g_realloc_n((self)->member, (self)->n_##member + 1, sizeof(*(self)->member)); \
        (self)->member[(self)->n_##member++] = (take_entry);                              \
    } while (0)
#define model_insert(self, member, index, take_entry)                                     \
    do {                                                                                  \
        gsize model_at_ = (index);                                                        \
        (self)->member =                                                                  \
            g_realloc_n((self)->member, (self)->n_##member + 1, sizeof(*(self)->member)); \
        memmove(&(self)->member[model_at_ + 1], &(self)->member[model_at_],               \
                ((self)->n_##member++ - model_at_) * sizeof(*(self)->member));            \
        (self)->member[model_at_] = (take_entry);                                         \
    } while (0)
/* Take the entry out of the list; whoever calls owns it. */
#define model_take(self, member, index)                                        \
    ({                                                                         \
        gsize model_at_ = (index);                                             \
        __typeof__(*(self)->member) model_entry_ = (self)->member[model_at_];  \
        memmove(&(self)->member[model_at_], &(self)->member[model_at_ + 1],    \
                (--(self)->n_##member - model_at_) * sizeof(*(self)->member)); \
        model_entry_;                                                          \
    })
