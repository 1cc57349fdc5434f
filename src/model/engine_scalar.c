/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Single values of a model: text to member and back, equal, copy, free. What a kind looks like
 * in XML is said here and nowhere else; schema/model/README.md has the list. */
#include "model/engine_private.h"

#include <math.h>
#include <string.h>

#include "base/ids.h"
#include "base/text.h"

static const char *const truth_words[][2] = {{"yes", "no"}, {"on", "off"}, {"enable", "disable"}};

/* The order of SIZE_UNITS in gen/model_ast.py. */
static const struct {
    const char *name;
    guint64 bytes;
} size_units[] = {
    {"b", 1},
    {"bytes", 1},
    {"KB", 1000},
    {"k", 1 << 10},
    {"KiB", 1 << 10},
    {"MB", 1000000},
    {"M", 1 << 20},
    {"MiB", 1 << 20},
    {"GB", 1000000000},
    {"G", 1 << 30},
    {"GiB", 1 << 30},
    {"TB", 1000000000000},
    {"T", G_GUINT64_CONSTANT(1) << 40},
    {"TiB", G_GUINT64_CONSTANT(1) << 40},
    {"B", 1},
    /* read only */
    {"byte", 1},
    {"PB", 1000000000000000},
    {"P", G_GUINT64_CONSTANT(1) << 50},
    {"PiB", G_GUINT64_CONSTANT(1) << 50},
    {"EB", 1000000000000000000},
    {"E", G_GUINT64_CONSTANT(1) << 60},
    {"EiB", G_GUINT64_CONSTANT(1) << 60},
};

const char *
scalar_unit(const ModelField *field)
{
    return field->kind == MODEL_SIZE ? size_units[field->detail].name : NULL;
}

gsize
model_scalar_size(ModelKind kind)
{
    switch (kind) {
    case MODEL_FLAG:
    case MODEL_BOOL:
        return sizeof(bool);
    case MODEL_INT:
    case MODEL_UINT:
    case MODEL_HEX:
    case MODEL_OCTAL:
    case MODEL_TRISTATE:
    case MODEL_ENUM:
        return sizeof(int);
    case MODEL_UUID:
        return UUID_BYTES;
    case MODEL_MAC:
        return 6;
    default:
        return 8;
    }
}

static gint64
scalar_number(const ModelField *field, const void *value)
{
    switch ((ModelKind)field->kind) {
    case MODEL_FLAG:
    case MODEL_BOOL:
        return *(const bool *)value;
    case MODEL_INT:
    case MODEL_TRISTATE:
    case MODEL_ENUM:
        return *(const int *)value;
    case MODEL_UINT:
    case MODEL_HEX:
    case MODEL_OCTAL:
        return *(const guint *)value;
    default:
        return *(const gint64 *)value;
    }
}

bool
scalar_equal(const ModelField *field, const void *a, const void *b)
{
    switch ((ModelKind)field->kind) {
    case MODEL_STRING:
    case MODEL_RAW:
        return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
    case MODEL_BITMAP:
        return bitmap_equal(*(Bitmap *const *)a, *(Bitmap *const *)b);
    default:
        return memcmp(a, b, model_scalar_size(field->kind)) == 0;
    }
}

void
scalar_copy(const ModelField *field, void *to, const void *from)
{
    if (field->kind == MODEL_STRING || field->kind == MODEL_RAW)
        *(char **)to = g_strdup(*(char *const *)from);
    else if (field->kind == MODEL_BITMAP)
        *(Bitmap **)to = bitmap_copy(*(Bitmap *const *)from);
    else
        memcpy(to, from, model_scalar_size(field->kind));
}

void
scalar_clear(const ModelField *field, void *value)
{
    if (field->kind == MODEL_STRING || field->kind == MODEL_RAW) {
        g_free(*(char **)value);
        *(char **)value = NULL;
    } else if (field->kind == MODEL_BITMAP) {
        bitmap_free(*(Bitmap **)value);
        *(Bitmap **)value = NULL;
    }
}

bool
scalar_is_default(const ModelField *field, const void *value)
{
    if (field->kind == MODEL_STRING)
        return field->extra && g_strcmp0(*(char *const *)value, field->extra->text) == 0;
    if (field->kind == MODEL_DOUBLE)
        return *(const double *)value == field->value / 1000.0;
    return scalar_number(field, value) == field->value;
}

bool
scalar_is_set(const ModelField *field, const void *self, const void *value)
{
    switch ((ModelKind)field->kind) {
    case MODEL_STRING:
    case MODEL_RAW:
    case MODEL_BITMAP:
        return *(void *const *)value != NULL;
    case MODEL_TRISTATE:
    case MODEL_ENUM:
        return *(const int *)value != 0;
    case MODEL_FLAG:
        return *(const bool *)value;
    default:
        return !field->companion || (field->words & MODEL_LIST) || *member_has(self, field);
    }
}

/* --- to text --- */

static const char *
number_text(const ModelField *field, const void *value, char buffer[SCALAR_BUFFER])
{
    switch ((ModelKind)field->kind) {
    case MODEL_INT:
        g_snprintf(buffer, SCALAR_BUFFER, "%d", *(const gint *)value);
        break;
    case MODEL_UINT:
        g_snprintf(buffer, SCALAR_BUFFER, "%u", *(const guint *)value);
        break;
    case MODEL_LLONG:
        g_snprintf(buffer, SCALAR_BUFFER, "%" G_GINT64_FORMAT, *(const gint64 *)value);
        break;
    case MODEL_HEX:
        g_snprintf(buffer, SCALAR_BUFFER, "0x%0*x", field->detail, *(const guint *)value);
        break;
    case MODEL_HEX64:
        g_snprintf(buffer, SCALAR_BUFFER, "0x%0*" G_GINT64_MODIFIER "x", field->detail,
                   *(const guint64 *)value);
        break;
    case MODEL_OCTAL:
        g_snprintf(buffer, SCALAR_BUFFER, "0%o", *(const guint *)value);
        break;
    case MODEL_DOUBLE:
        g_ascii_formatd(buffer, SCALAR_BUFFER, "%.15g", *(const double *)value);
        break;
    default:
        g_snprintf(buffer, SCALAR_BUFFER, "%" G_GUINT64_FORMAT, *(const guint64 *)value);
    }
    return buffer;
}

const char *
scalar_text(const ModelField *field, const void *value, char buffer[SCALAR_BUFFER], char **owned)
{
    if (field->extra && field->extra->format)
        return *owned = field->extra->format(value);
    switch ((ModelKind)field->kind) {
    case MODEL_FLAG:
        return *(const bool *)value ? "yes" : "no";
    case MODEL_STRING:
    case MODEL_RAW:
        return *(char *const *)value;
    case MODEL_BOOL:
        return truth_words[field->detail][*(const bool *)value ? 0 : 1];
    case MODEL_TRISTATE:
        return *(const int *)value
                   ? truth_words[field->detail][*(const int *)value == TRISTATE_YES ? 0 : 1]
                   : NULL;
    case MODEL_ENUM:
        return model_enum_word(field->of, *(const int *)value);
    case MODEL_UUID:
        uuid_format(value, buffer);
        return buffer;
    case MODEL_MAC:
        mac_format(value, buffer);
        return buffer;
    case MODEL_BITMAP:
        return *(Bitmap *const *)value ? (*owned = bitmap_format(*(Bitmap *const *)value)) : NULL;
    case MODEL_OBJECT:
    case MODEL_UNION:
        return NULL;
    default:
        return number_text(field, value, buffer);
    }
}

/* --- from text --- */

static ScalarResult
check_range(const ModelField *field, gint64 number, bool is_huge)
{
    const ModelExtra *extra = field->extra;

    if (!extra)
        return SCALAR_OK;
    if (extra->has_min && !is_huge && number < extra->min)
        return number < 0 && extra->min == 0 ? SCALAR_NEGATIVE
               : number == 0                 ? SCALAR_ZERO
                                             : SCALAR_RANGE;
    if (extra->has_max && (is_huge || number > extra->max))
        return SCALAR_RANGE;
    return SCALAR_OK;
}

static ScalarResult
parse_number(const ModelField *field, const char *text, void *value)
{
    int base = field->kind == MODEL_OCTAL                               ? 8
               : field->kind == MODEL_HEX || field->kind == MODEL_HEX64 ? 0
                                                                        : 10;
    bool is_signed = field->kind == MODEL_INT || field->kind == MODEL_LLONG;
    bool is_wide =
        field->kind == MODEL_LLONG || field->kind == MODEL_ULLONG || field->kind == MODEL_HEX64;
    long long number;
    unsigned long long positive = 0;
    ScalarResult result;

    if (base == 10 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        base = 16;
    if (is_signed) {
        if (!text_to_llong(text, base, &number) ||
            (!is_wide && (number < G_MININT || number > G_MAXINT)))
            return SCALAR_BAD;
    } else {
        if (*text == '-')
            return SCALAR_NEGATIVE;
        if (!text_to_ullong(text, base, &positive) || (!is_wide && positive > G_MAXUINT))
            return SCALAR_BAD;
        number = (long long)positive;
    }
    result = check_range(field, number, !is_signed && positive > G_MAXINT64);
    if (result == SCALAR_OK && is_wide)
        *(gint64 *)value = number;
    else if (result == SCALAR_OK)
        *(gint *)value = (gint)number;
    return result;
}

static ScalarResult
parse_size(const ModelField *field, const char *text, const char *unit, guint64 *value)
{
    guint64 own = size_units[field->detail].bytes, factor = own;
    unsigned long long number;
    ScalarResult result;

    if (unit && *unit) {
        factor = 0;
        for (guint i = 0; i < G_N_ELEMENTS(size_units) && !factor; i++)
            if (g_ascii_strcasecmp(unit, size_units[i].name) == 0)
                factor = size_units[i].bytes;
        if (!factor)
            return SCALAR_UNIT;
    }
    if (*text == '-')
        return SCALAR_NEGATIVE;
    if (!text_to_ullong(text, 10, &number))
        return SCALAR_BAD;
    if (number > G_MAXUINT64 / factor)
        return SCALAR_RANGE;
    number *= factor;
    number = number / own + (number % own ? 1 : 0);
    result = check_range(field, (gint64)number, number > G_MAXINT64);
    if (result == SCALAR_OK)
        *value = number;
    return result;
}

static ScalarResult
parse_truth(const ModelField *field, const char *text, void *value)
{
    const char *const *words = truth_words[field->detail];
    bool is_yes = strcmp(text, words[0]) == 0;

    if (!is_yes && strcmp(text, words[1]) != 0)
        return SCALAR_BAD;
    if (field->kind == MODEL_BOOL)
        *(bool *)value = is_yes;
    else
        *(int *)value = is_yes ? TRISTATE_YES : TRISTATE_NO;
    return SCALAR_OK;
}

static ScalarResult
parse_trimmed(const ModelField *field, const char *text, const char *unit, void *value)
{
    int word;
    Bitmap *bitmap;

    switch ((ModelKind)field->kind) {
    case MODEL_BOOL:
    case MODEL_TRISTATE:
        return parse_truth(field, text, value);
    case MODEL_ENUM:
        word = model_enum_value(field->of, text);
        if (word)
            *(int *)value = word;
        return word ? SCALAR_OK : SCALAR_BAD;
    case MODEL_UUID:
        return uuid_parse(text, value) ? SCALAR_OK : SCALAR_BAD;
    case MODEL_MAC:
        return mac_parse(text, value) ? SCALAR_OK : SCALAR_BAD;
    case MODEL_SIZE:
        return parse_size(field, text, unit, value);
    case MODEL_DOUBLE:
        return text_to_double(text, value) ? SCALAR_OK : SCALAR_BAD;
    case MODEL_BITMAP:
        bitmap = bitmap_parse(text);
        if (!bitmap || bitmap_is_empty(bitmap)) { /* an empty set has no text to be printed as */
            bitmap_free(bitmap);
            return SCALAR_BAD;
        }
        bitmap_free(*(Bitmap **)value);
        *(Bitmap **)value = bitmap;
        return SCALAR_OK;
    default:
        return parse_number(field, text, value);
    }
}

ScalarResult
scalar_parse(const ModelField *field, const char *text, const char *unit, void *value)
{
    gsize len = strlen(text);

    if (field->kind == MODEL_STRING || field->kind == MODEL_RAW) {
        g_free(*(char **)value);
        *(char **)value = g_strdup(text);
        return SCALAR_OK;
    }
    if (!len || (!g_ascii_isspace(text[0]) && !g_ascii_isspace(text[len - 1])) ||
        field->place == MODEL_AT_ATTR)
        return parse_trimmed(field, text, unit, value);
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    return parse_trimmed(field, trimmed, unit, value);
}

/* --- enums, and words for messages --- */

const char *
model_enum_word(const ModelEnum *of, int value)
{
    return value > 0 && (guint)value < of->n_words ? of->words[value] : NULL;
}

int
model_enum_value(const ModelEnum *of, const char *word)
{
    if (word)
        for (guint i = 1; i < of->n_words; i++)
            if (of->words[i][0] == word[0] && strcmp(of->words[i], word) == 0)
                return i;
    return 0;
}

static char *
number_allowed(const ModelField *field)
{
    const ModelExtra *extra = field->extra;

    if (extra && extra->has_min && extra->has_max)
        return g_strdup_printf("a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                               extra->min, extra->max);
    if (extra && extra->has_min)
        return g_strdup_printf("a number, at least %" G_GINT64_FORMAT, extra->min);
    if (extra && extra->has_max)
        return g_strdup_printf("a number, at most %" G_GINT64_FORMAT, extra->max);
    return g_strdup(field->kind == MODEL_INT || field->kind == MODEL_LLONG
                        ? "a whole number"
                        : "a number, not negative");
}

char *
scalar_allowed(const ModelField *field)
{
    const ModelEnum *of = field->of;
    GString *out;

    switch ((ModelKind)field->kind) {
    case MODEL_BOOL:
    case MODEL_TRISTATE:
        return g_strdup_printf("%s, %s", truth_words[field->detail][0],
                               truth_words[field->detail][1]);
    case MODEL_ENUM:
        out = g_string_new(NULL);
        for (guint i = 1; i < of->n_words; i++)
            g_string_append_printf(out, "%s%s", i > 1 ? ", " : "", of->words[i]);
        return g_string_free(out, FALSE);
    case MODEL_UUID:
        return g_strdup("32 hexadecimal digits");
    case MODEL_MAC:
        return g_strdup("six hexadecimal bytes with colons between them");
    case MODEL_BITMAP:
        return g_strdup_printf("numbers below %d such as 0-3,^2,7", BITMAP_MAX_BITS);
    case MODEL_STRING:
    case MODEL_RAW:
        return g_strdup("any text");
    default:
        return number_allowed(field);
    }
}
