/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine that walks codec tables: XDR out, XDR in, deep copy, free.
 *
 * Big endian, everything padded to words of four bytes. One function for each operation handles a
 * whole structure, one a single element; the four operations read alike. Tables: gen/api-codec.c. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "wire/codec.h"

#include "base/error.h"

#include <string.h>

#define WORD 4
#define UUID_BYTES 16

/* What is left to read, and where we are, for errors. */
typedef struct {
    const guint8 *at;
    gsize left;
    const CodecType *type;
    const CodecField *field;
} Reader;

static inline void *
member(void *value, const CodecField *field)
{
    return (char *)value + field->offset;
}

static inline const void *
member_const(const void *value, const CodecField *field)
{
    return (const char *)value + field->offset;
}

static gsize
padding(gsize len)
{
    return (WORD - len % WORD) % WORD;
}

/* The arm of the union @type that @tag selects; NULL for none. */
static const CodecField *
find_arm(const CodecType *type, gint32 tag)
{
    for (guint32 i = 0; i < type->n_fields; i++) {
        if (type->fields[i].tag == tag)
            return &type->fields[i];
    }
    return NULL;
}

/* -- encode ------------------------------------------------------------------------------------ */

static bool encode_struct(const CodecType *type, const void *value, GByteArray *out, GError **err);

/* Room for @n more bytes. */
static guint8 *
grow(GByteArray *out, gsize n)
{
    const guint before = out->len;

    g_byte_array_set_size(out, before + n);
    return out->data + before;
}

static void
put_word(GByteArray *out, guint32 word)
{
    const guint32 bytes = GUINT32_TO_BE(word);

    memcpy(grow(out, sizeof bytes), &bytes, sizeof bytes);
}

static void
put_hyper(GByteArray *out, guint64 hyper)
{
    const guint64 bytes = GUINT64_TO_BE(hyper);

    memcpy(grow(out, sizeof bytes), &bytes, sizeof bytes);
}

static void
put_bytes(GByteArray *out, const void *bytes, gsize len)
{
    guint8 *to = grow(out, len + padding(len));

    if (len > 0)
        memcpy(to, bytes, len);
    memset(to + len, 0, padding(len));
}

/* The same behind their number. */
static void
put_counted_bytes(GByteArray *out, const void *bytes, guint32 len)
{
    const guint32 count = GUINT32_TO_BE(len);
    guint8 *to = grow(out, WORD + len + padding(len));

    memcpy(to, &count, WORD);
    if (len > 0)
        memcpy(to + WORD, bytes, len);
    memset(to + WORD + len, 0, padding(len));
}

static bool
encode_string(const CodecType *type, const CodecField *field, const char *text, GByteArray *out,
              GError **err)
{
    gsize len;

    if (!text)
        return fail(err, VIR_ERR_RPC, "%s: %s must not be absent", type->name, field->name);
    len = strlen(text);
    if (len > field->string_bound)
        return fail(err, VIR_ERR_RPC, "%s: %s has %zu bytes, at most %u can be sent", type->name,
                    field->name, len, field->string_bound);
    put_counted_bytes(out, text, (guint32)len);
    return true;
}

static bool
encode_opaque(const CodecType *type, const CodecField *field, const CodecArray *array,
              GByteArray *out, GError **err)
{
    if (array->count > field->bound)
        return fail(err, VIR_ERR_RPC, "%s: %s has %u bytes, at most %u can be sent", type->name,
                    field->name, array->count, field->bound);
    put_counted_bytes(out, array->items, array->count);
    return true;
}

static bool
encode_one(const CodecType *type, const CodecField *field, const void *value, GByteArray *out,
           GError **err)
{
    guint64 bits;

    switch ((CodecKind)field->kind) {
    case CODEC_INT:
    case CODEC_UINT:
        put_word(out, *(const guint32 *)value);
        return true;
    case CODEC_HYPER:
    case CODEC_UHYPER:
        put_hyper(out, *(const guint64 *)value);
        return true;
    case CODEC_DOUBLE:
        memcpy(&bits, value, sizeof(bits));
        put_hyper(out, bits);
        return true;
    case CODEC_CHAR:
        put_word(out, (guint32)(gint32) * (const gint8 *)value);
        return true;
    case CODEC_UCHAR:
        put_word(out, *(const guint8 *)value);
        return true;
    case CODEC_SHORT:
        put_word(out, (guint32)(gint32) * (const gint16 *)value);
        return true;
    case CODEC_USHORT:
        put_word(out, *(const guint16 *)value);
        return true;
    case CODEC_STRING:
        return encode_string(type, field, *(char *const *)value, out, err);
    case CODEC_UUID:
        put_bytes(out, value, UUID_BYTES);
        return true;
    case CODEC_OPAQUE:
        return encode_opaque(type, field, value, out, err);
    case CODEC_STRUCT:
        return encode_struct(field->type, value, out, err);
    }
    g_assert_not_reached();
}

static bool
encode_elements(const CodecType *type, const CodecField *field, const void *items, guint32 count,
                GByteArray *out, GError **err)
{
    for (guint32 i = 0; i < count; i++) {
        if (!encode_one(type, field, (const char *)items + (gsize)i * field->size, out, err))
            return false;
    }
    return true;
}

static bool
encode_field(const CodecType *type, const CodecField *field, const void *value, GByteArray *out,
             GError **err)
{
    const CodecArray *array = value;
    const void *target = NULL;

    switch ((CodecShape)field->shape) {
    case CODEC_ONE:
        return encode_one(type, field, value, out, err);
    case CODEC_FIXED:
        return encode_elements(type, field, value, field->bound, out, err);
    case CODEC_OPTIONAL:
        target = *(void *const *)value;
        put_word(out, target != NULL);
        if (!target)
            return true;
        return encode_one(type, field, field->kind == CODEC_STRING ? value : target, out, err);
    case CODEC_COUNTED:
        if (array->count > field->bound)
            return fail(err, VIR_ERR_RPC, "%s: %s has %u entries, at most %u can be sent",
                        type->name, field->name, array->count, field->bound);
        put_word(out, array->count);
        return encode_elements(type, field, array->items, array->count, out, err);
    }
    g_assert_not_reached();
}

static bool
encode_struct(const CodecType *type, const void *value, GByteArray *out, GError **err)
{
    if (type->is_union) {
        gint32 tag = *(const gint32 *)value;
        const CodecField *arm = find_arm(type, tag);

        if (!arm)
            return fail(err, VIR_ERR_RPC, "%s: there is no value of type %d", type->name, tag);
        put_word(out, (guint32)tag);
        return encode_field(type, arm, member_const(value, arm), out, err);
    }
    for (guint32 i = 0; i < type->n_fields; i++) {
        const CodecField *field = &type->fields[i];

        if (!encode_field(type, field, member_const(value, field), out, err))
            return false;
    }
    return true;
}

bool
codec_encode(const CodecType *type, const void *value, GByteArray *out, GError **err)
{
    guint before = out->len;

    if (encode_struct(type, value, out, err))
        return true;
    g_byte_array_set_size(out, before);
    return false;
}

/* -- decode ------------------------------------------------------------------------------------ */

static bool decode_struct(Reader *reader, const CodecType *type, void *value, GError **err);

static inline bool
too_short(const Reader *reader, GError **err)
{
    return fail(err, VIR_ERR_RPC, "%s: message ends in the middle of %s", reader->type->name,
                reader->field ? reader->field->name : "the type of a value");
}

static bool
get_word(Reader *reader, guint32 *word, GError **err)
{
    if (reader->left < WORD)
        return too_short(reader, err);
    memcpy(word, reader->at, WORD);
    *word = GUINT32_FROM_BE(*word);
    reader->at += WORD;
    reader->left -= WORD;
    return true;
}

static bool
get_hyper(Reader *reader, guint64 *hyper, GError **err)
{
    if (reader->left < sizeof(*hyper))
        return too_short(reader, err);
    memcpy(hyper, reader->at, sizeof(*hyper));
    *hyper = GUINT64_FROM_BE(*hyper);
    reader->at += sizeof(*hyper);
    reader->left -= sizeof(*hyper);
    return true;
}

/* @len bytes and their padding, where they lie; NULL when there are not so many. */
static const guint8 *
get_bytes(Reader *reader, gsize len, GError **err)
{
    const guint8 *bytes = reader->at;

    if (reader->left < len + padding(len)) {
        too_short(reader, err);
        return NULL;
    }
    reader->at += len + padding(len);
    reader->left -= len + padding(len);
    return bytes;
}

/* A count that is within @bound, and for whose elements of @wire_min bytes there are bytes left. */
static bool
get_count(Reader *reader, guint32 bound, guint32 wire_min, guint32 *count, GError **err)
{
    if (!get_word(reader, count, err))
        return false;
    if (*count > bound)
        return fail(err, VIR_ERR_RPC, "%s: %s has %u entries, at most %u are allowed",
                    reader->type->name, reader->field->name, *count, bound);
    if (*count > reader->left / wire_min)
        return too_short(reader, err);
    return true;
}

static bool
no_memory(GError **err, gsize bytes)
{
    return fail(err, VIR_ERR_NO_MEMORY, "%zu bytes for a message", bytes);
}

static bool
decode_string(Reader *reader, char **text, GError **err)
{
    const guint8 *bytes;
    guint32 len;

    if (!get_count(reader, reader->field->string_bound, 1, &len, err))
        return false;
    bytes = get_bytes(reader, len, err);
    if (!bytes)
        return false;
    if (memchr(bytes, 0, len))
        return fail(err, VIR_ERR_RPC, "%s: %s has a NUL byte inside", reader->type->name,
                    reader->field->name);
    *text = g_try_malloc((gsize)len + 1);
    if (!*text)
        return no_memory(err, (gsize)len + 1);
    memcpy(*text, bytes, len);
    (*text)[len] = '\0';
    return true;
}

static bool
decode_opaque(Reader *reader, CodecArray *array, GError **err)
{
    const guint8 *bytes;
    guint32 len;

    if (!get_count(reader, reader->field->bound, 1, &len, err))
        return false;
    bytes = get_bytes(reader, len, err);
    if (!bytes)
        return false;
    if (len == 0)
        return true;
    array->items = g_try_malloc(len);
    if (!array->items)
        return no_memory(err, len);
    memcpy(array->items, bytes, len);
    array->count = len;
    return true;
}

static bool
decode_uuid(Reader *reader, void *value, GError **err)
{
    const guint8 *bytes = get_bytes(reader, UUID_BYTES, err);

    if (!bytes)
        return false;
    memcpy(value, bytes, UUID_BYTES);
    return true;
}

/* Kinds that take one word on the wire, whatever their size in memory. */
static bool
decode_word(Reader *reader, void *value, GError **err)
{
    guint32 word;

    if (!get_word(reader, &word, err))
        return false;
    switch (reader->field->size) {
    case 1:
        *(guint8 *)value = (guint8)(word & 0xff);
        return true;
    case 2:
        *(guint16 *)value = (guint16)(word & 0xffff);
        return true;
    default:
        *(guint32 *)value = word;
        return true;
    }
}

static bool
decode_one(Reader *reader, void *value, GError **err)
{
    guint64 bits = 0;

    switch ((CodecKind)reader->field->kind) {
    case CODEC_INT:
    case CODEC_UINT:
    case CODEC_CHAR:
    case CODEC_UCHAR:
    case CODEC_SHORT:
    case CODEC_USHORT:
        return decode_word(reader, value, err);
    case CODEC_HYPER:
    case CODEC_UHYPER:
    case CODEC_DOUBLE:
        if (!get_hyper(reader, &bits, err))
            return false;
        memcpy(value, &bits, sizeof(bits));
        return true;
    case CODEC_STRING:
        return decode_string(reader, value, err);
    case CODEC_UUID:
        return decode_uuid(reader, value, err);
    case CODEC_OPAQUE:
        return decode_opaque(reader, value, err);
    case CODEC_STRUCT:
        return decode_struct(reader, reader->field->type, value, err);
    }
    g_assert_not_reached();
}

static bool
decode_elements(Reader *reader, const CodecType *type, const CodecField *field, void *items,
                guint32 count, GError **err)
{
    for (guint32 i = 0; i < count; i++) {
        reader->type = type;
        reader->field = field;
        if (!decode_one(reader, (char *)items + (gsize)i * field->size, err))
            return false;
    }
    return true;
}

static bool
decode_counted(Reader *reader, CodecArray *array, GError **err)
{
    const CodecType *type = reader->type;
    const CodecField *field = reader->field;
    guint32 count;

    if (!get_count(reader, field->bound, field->wire_min, &count, err))
        return false;
    if (count == 0)
        return true;
    array->items = g_try_malloc0_n(count, field->size);
    if (!array->items)
        return no_memory(err, (gsize)count * field->size);
    array->count = count;
    return decode_elements(reader, type, field, array->items, count, err);
}

static bool
decode_optional(Reader *reader, void **value, GError **err)
{
    const CodecField *field = reader->field;
    guint32 is_present;

    if (!get_word(reader, &is_present, err))
        return false;
    if (is_present > 1)
        return fail(err, VIR_ERR_RPC, "%s: %s is neither absent (0) nor present (1) but %u",
                    reader->type->name, field->name, is_present);
    if (!is_present)
        return true;
    if (field->kind == CODEC_STRING)
        return decode_string(reader, (char **)value, err);
    *value = g_malloc0(field->size);
    return decode_one(reader, *value, err);
}

static bool
decode_field(Reader *reader, const CodecType *type, const CodecField *field, void *value,
             GError **err)
{
    reader->type = type;
    reader->field = field;
    switch ((CodecShape)field->shape) {
    case CODEC_ONE:
        return decode_one(reader, value, err);
    case CODEC_OPTIONAL:
        return decode_optional(reader, value, err);
    case CODEC_COUNTED:
        return decode_counted(reader, value, err);
    case CODEC_FIXED:
        return decode_elements(reader, type, field, value, field->bound, err);
    }
    g_assert_not_reached();
}

static bool
decode_union(Reader *reader, const CodecType *type, void *value, GError **err)
{
    const CodecField *arm;
    guint32 tag;

    reader->type = type;
    reader->field = NULL;
    if (!get_word(reader, &tag, err))
        return false;
    arm = find_arm(type, (gint32)tag);
    if (!arm)
        return fail(err, VIR_ERR_RPC, "%s: there is no value of type %d", type->name, (gint32)tag);
    *(gint32 *)value = (gint32)tag;
    return decode_field(reader, type, arm, member(value, arm), err);
}

static bool
decode_struct(Reader *reader, const CodecType *type, void *value, GError **err)
{
    if (type->is_union)
        return decode_union(reader, type, value, err);
    for (guint32 i = 0; i < type->n_fields; i++) {
        const CodecField *field = &type->fields[i];

        if (!decode_field(reader, type, field, member(value, field), err))
            return false;
    }
    return true;
}

bool
codec_decode_prefix(const CodecType *type, const void *bytes, gsize len, void *value, gsize *used,
                    GError **err)
{
    Reader reader = {bytes, len, type, NULL};

    memset(value, 0, type->size);
    if (!decode_struct(&reader, type, value, err)) {
        codec_free(type, value);
        return false;
    }
    *used = len - reader.left;
    return true;
}

bool
codec_decode(const CodecType *type, const void *bytes, gsize len, void *value, GError **err)
{
    gsize used;

    return codec_decode_prefix(type, bytes, len, value, &used, err);
}

/* -- free -------------------------------------------------------------------------------------- */

static void free_struct(const CodecType *type, void *value);

static void
free_one(const CodecField *field, void *value)
{
    if (field->kind == CODEC_STRING)
        g_free(*(char **)value);
    else if (field->kind == CODEC_OPAQUE)
        g_free(((CodecArray *)value)->items);
    else if (field->kind == CODEC_STRUCT)
        free_struct(field->type, value);
}

static void
free_elements(const CodecField *field, void *items, guint32 count)
{
    if (field->kind < CODEC_STRING)
        return;
    for (guint32 i = 0; i < count; i++)
        free_one(field, (char *)items + (gsize)i * field->size);
}

static void
free_field(const CodecField *field, void *value)
{
    CodecArray *array = value;

    if (field->shape == CODEC_COUNTED) {
        if (array->items)
            free_elements(field, array->items, array->count);
        g_free(array->items);
    } else if (field->shape == CODEC_FIXED) {
        free_elements(field, value, field->bound);
    } else if (field->shape == CODEC_OPTIONAL && field->kind != CODEC_STRING) {
        if (*(void **)value)
            free_one(field, *(void **)value);
        g_free(*(void **)value);
    } else {
        free_one(field, value);
    }
}

static void
free_struct(const CodecType *type, void *value)
{
    if (type->is_union) {
        const CodecField *arm = find_arm(type, *(const gint32 *)value);

        if (arm)
            free_field(arm, member(value, arm));
        return;
    }
    for (guint32 i = 0; i < type->n_fields; i++)
        free_field(&type->fields[i], member(value, &type->fields[i]));
}

void
codec_free(const CodecType *type, void *value)
{
    if (!value)
        return;
    free_struct(type, value);
    memset(value, 0, type->size);
}

/* -- copy -------------------------------------------------------------------------------------- */

static void copy_struct(const CodecType *type, void *copy, const void *value);

static void
copy_one(const CodecField *field, void *copy, const void *value)
{
    const CodecArray *array = value;

    if (field->kind == CODEC_STRING)
        *(char **)copy = g_strdup(*(char *const *)value);
    else if (field->kind == CODEC_OPAQUE)
        ((CodecArray *)copy)->items = g_memdup2(array->items, array->count);
    else if (field->kind == CODEC_STRUCT)
        copy_struct(field->type, copy, value);
}

static void
copy_elements(const CodecField *field, void *copy, const void *items, guint32 count)
{
    if (field->kind < CODEC_STRING)
        return;
    for (guint32 i = 0; i < count; i++)
        copy_one(field, (char *)copy + (gsize)i * field->size,
                 (const char *)items + (gsize)i * field->size);
}

/* @copy has the bytes of @value already; what they point to is not yet its own. */
static void
copy_field(const CodecField *field, void *copy, const void *value)
{
    const CodecArray *array = value;
    const void *target;

    if (field->shape == CODEC_COUNTED) {
        ((CodecArray *)copy)->items = g_memdup2(array->items, (gsize)array->count * field->size);
        copy_elements(field, ((CodecArray *)copy)->items, array->items, array->count);
    } else if (field->shape == CODEC_FIXED) {
        copy_elements(field, copy, value, field->bound);
    } else if (field->shape == CODEC_OPTIONAL && field->kind != CODEC_STRING) {
        target = *(void *const *)value;
        if (!target)
            return;
        *(void **)copy = g_memdup2(target, field->size);
        copy_one(field, *(void **)copy, target);
    } else {
        copy_one(field, copy, value);
    }
}

static void
copy_struct(const CodecType *type, void *copy, const void *value)
{
    if (type->is_union) {
        const CodecField *arm = find_arm(type, *(const gint32 *)value);

        if (arm)
            copy_field(arm, member(copy, arm), member_const(value, arm));
        return;
    }
    for (guint32 i = 0; i < type->n_fields; i++) {
        const CodecField *field = &type->fields[i];

        copy_field(field, member(copy, field), member_const(value, field));
    }
}

void
codec_copy(const CodecType *type, void *copy, const void *value)
{
    memcpy(copy, value, type->size);
    copy_struct(type, copy, value);
}

/* -- on the heap ------------------------------------------------------------------------------- */

void *
codec_new(const CodecType *type)
{
    return g_malloc0(type->size);
}

void *
codec_dup(const CodecType *type, const void *value)
{
    void *copy;

    if (!value)
        return NULL;
    copy = codec_new(type);
    codec_copy(type, copy, value);
    return copy;
}

void
codec_free_boxed(const CodecType *type, void *value)
{
    codec_free(type, value);
    g_free(value);
}
