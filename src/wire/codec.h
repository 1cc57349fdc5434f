/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encoding and decoding of everything that travels, driven by constant tables (gen/api-codec.h).
 *
 * A structure in memory is what gen/api-structs.h declares: owned strings, counted arrays as
 * { guint32 count; T *items; }, optional values as pointers, all from g_malloc. Decoding trusts
 * nothing: counts are compared with the table's bound and with the bytes that are left before
 * anything is allocated. Structures cannot contain themselves, so depth is bounded by the schema. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    CODEC_INT,
    CODEC_UINT,
    CODEC_HYPER,
    CODEC_UHYPER,
    CODEC_DOUBLE,
    CODEC_CHAR, /* these four take a whole word each */
    CODEC_UCHAR,
    CODEC_SHORT,
    CODEC_USHORT,
    CODEC_STRING, /* char *, no NUL inside; NULL only when optional */
    CODEC_UUID,   /* 16 bytes */
    CODEC_OPAQUE, /* counted bytes, packed */
    CODEC_STRUCT,
} CodecKind;

typedef enum { CODEC_ONE, CODEC_OPTIONAL, CODEC_COUNTED, CODEC_FIXED } CodecShape;

typedef struct CodecType CodecType;

typedef struct CodecField {
    const char *name;
    guint32 offset;
    guint32 size;          /* of one element in memory */
    guint8 kind;           /* CodecKind */
    guint8 shape;          /* CodecShape */
    gint32 tag;            /* of a union's arm */
    guint32 bound;         /* most elements (counted, opaque) or their number (fixed) */
    guint32 string_bound;  /* most bytes of a string */
    guint32 wire_min;      /* fewest bytes of one element on the wire */
    const CodecType *type; /* of structures */
} CodecField;

struct CodecType {
    const char *name;
    guint32 size;
    guint32 wire_min;
    guint32 n_fields;
    bool is_union; /* a gint32 tag at offset 0, then one of the fields */
    const CodecField *fields;
};

/* How a counted array lies in memory, whatever its elements. */
typedef struct CodecArray {
    guint32 count;
    void *items;
} CodecArray;

/* Append the wire form of @value. On failure @out is as before. */
bool codec_encode(const CodecType *type, const void *value, GByteArray *out, GError **err);

/* Fill @value, whose old content is overwritten unseen. Bytes behind the value are ignored, as peers
 * expect. On failure @value is all zero. */
bool codec_decode(const CodecType *type, const void *bytes, gsize len, void *value, GError **err);
/* The same, and *@used says how many bytes the value took. */
bool codec_decode_prefix(const CodecType *type, const void *bytes, gsize len, void *value,
                         gsize *used, GError **err);

/* Free what @value points to and set it to zero; not @value itself. NULL is fine. */
void codec_free(const CodecType *type, void *value);
/* Make @copy, whose old content is overwritten unseen, a deep copy of @value. */
void codec_copy(const CodecType *type, void *copy, const void *value);

/* The same for structures that are themselves on the heap. */
void *codec_new(const CodecType *type);
void *codec_dup(const CodecType *type, const void *value);
void codec_free_boxed(const CodecType *type, void *value);
