/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: the public helpers that build, search and free arrays of them. Purely local. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "client/report.h"
#include "client/typed.h"

static const char *const type_names[] = {
    "unknown", "int", "uint", "llong", "ullong", "double", "boolean", "string",
};

const char *
typed_type_name(int type)
{
    return type_names[type > 0 && type < (int)G_N_ELEMENTS(type_names) ? type : 0];
}

void
typed_clear(virTypedParameterPtr params, int n_params)
{
    for (int i = 0; params && i < n_params; i++) {
        if (params[i].type == VIR_TYPED_PARAM_STRING)
            g_clear_pointer(&params[i].value.s, g_free);
    }
}

void
typed_free(virTypedParameterPtr params, int n_params)
{
    typed_clear(params, n_params);
    g_free(params);
}

virTypedParameterPtr
virTypedParamsGet(virTypedParameterPtr params, int nparams, const char *name)
{
    client_reset_error();

    for (int i = 0; params && name && i < nparams; i++) {
        if (strncmp(params[i].field, name, VIR_TYPED_PARAM_FIELD_LENGTH) == 0)
            return &params[i];
    }
    return NULL;
}

/* 1 and *param: found; 0: there is none; -1: it has another type, or an argument is missing. */
static int
find_typed(virTypedParameterPtr params, int nparams, const char *name, int type,
           virTypedParameterPtr *param)
{
    GError *err = NULL;

    *param = virTypedParamsGet(params, nparams, name);
    if (!name) {
        fail(&err, VIR_ERR_INVALID_ARG, "a parameter was asked for without a name");
    } else if (!*param) {
        return 0;
    } else if ((*param)->type != type) {
        fail(&err, VIR_ERR_INVALID_ARG, "parameter '%s' is of type %s, not %s", name,
             typed_type_name((*param)->type), typed_type_name(type));
    } else {
        return 1;
    }
    client_report(NULL, err);
    return -1;
}

#define DEFINE_GET(Name, TYPE, ctype, member)                                               \
    int virTypedParamsGet##Name(virTypedParameterPtr params, int nparams, const char *name, \
                                ctype *value)                                               \
    {                                                                                       \
        virTypedParameterPtr param;                                                         \
        int found = find_typed(params, nparams, name, VIR_TYPED_PARAM_##TYPE, &param);      \
                                                                                            \
        if (found == 1 && value)                                                            \
            *value = param->value.member;                                                   \
        return found;                                                                       \
    }

DEFINE_GET(Int, INT, int, i)
DEFINE_GET(UInt, UINT, unsigned int, ui)
DEFINE_GET(LLong, LLONG, long long, l)
DEFINE_GET(ULLong, ULLONG, unsigned long long, ul)
DEFINE_GET(Double, DOUBLE, double, d)
DEFINE_GET(String, STRING, const char *, s)

int
virTypedParamsGetBoolean(virTypedParameterPtr params, int nparams, const char *name, int *value)
{
    virTypedParameterPtr param;
    int found = find_typed(params, nparams, name, VIR_TYPED_PARAM_BOOLEAN, &param);

    if (found == 1 && value)
        *value = !!param->value.b;
    return found;
}

/* Room for one more, with its name set; NULL when the name does not fit. */
static virTypedParameterPtr
append_param(virTypedParameterPtr *params, int *nparams, int *maxparams, const char *name, int type,
             GError **err)
{
    virTypedParameterPtr param;

    if (!params || !nparams || !maxparams || !name)
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "a parameter was added without a name or an array");
    if (strlen(name) >= VIR_TYPED_PARAM_FIELD_LENGTH)
        return fail_null(err, VIR_ERR_INTERNAL_ERROR, "parameter name '%s' is longer than %d bytes",
                         name, VIR_TYPED_PARAM_FIELD_LENGTH - 1);
    if (*nparams >= *maxparams) {
        int wanted = *nparams + 1 + *nparams / 2;
        *params = g_renew(virTypedParameter, *params, wanted);
        memset(*params + *maxparams, 0, (wanted - *maxparams) * sizeof(**params));
        *maxparams = wanted;
    }
    param = &(*params)[(*nparams)++];
    memset(param, 0, sizeof(*param));
    g_strlcpy(param->field, name, sizeof(param->field));
    param->type = type;
    return param;
}

static int
report_failure(GError *err)
{
    client_report(NULL, err);
    return -1;
}

#define DEFINE_ADD(Name, TYPE, ctype, member, expression)                                     \
    int virTypedParamsAdd##Name(virTypedParameterPtr *params, int *nparams, int *maxparams,   \
                                const char *name, ctype value)                                \
    {                                                                                         \
        GError *err = NULL;                                                                   \
        virTypedParameterPtr param;                                                           \
                                                                                              \
        client_reset_error();                                                                 \
        param = append_param(params, nparams, maxparams, name, VIR_TYPED_PARAM_##TYPE, &err); \
        if (!param)                                                                           \
            return report_failure(err);                                                       \
        param->value.member = expression;                                                     \
        return 0;                                                                             \
    }

DEFINE_ADD(Int, INT, int, i, value)
DEFINE_ADD(UInt, UINT, unsigned int, ui, value)
DEFINE_ADD(LLong, LLONG, long long, l, value)
DEFINE_ADD(ULLong, ULLONG, unsigned long long, ul, value)
DEFINE_ADD(Double, DOUBLE, double, d, value)
DEFINE_ADD(Boolean, BOOLEAN, int, b, !!value)
DEFINE_ADD(String, STRING, const char *, s, g_strdup(value ? value : ""))

int
virTypedParamsAddStringList(virTypedParameterPtr *params, int *nparams, int *maxparams,
                            const char *name, const char **values)
{
    for (gsize i = 0; values && values[i]; i++) {
        if (virTypedParamsAddString(params, nparams, maxparams, name, values[i]) < 0)
            return -1;
    }
    return 0;
}

static bool
parse_value(virTypedParameterPtr param, const char *text)
{
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:
        return text_to_int(text, 10, &param->value.i);
    case VIR_TYPED_PARAM_UINT:
        return text_to_uint(text, 10, &param->value.ui);
    case VIR_TYPED_PARAM_LLONG:
        return text_to_llong(text, 10, &param->value.l);
    case VIR_TYPED_PARAM_ULLONG:
        return text_to_ullong(text, 10, &param->value.ul);
    case VIR_TYPED_PARAM_DOUBLE:
        return text_to_double(text, &param->value.d);
    case VIR_TYPED_PARAM_BOOLEAN:
        param->value.b = strcmp(text, "1") == 0;
        return param->value.b || strcmp(text, "0") == 0;
    case VIR_TYPED_PARAM_STRING:
        param->value.s = g_strdup(text);
        return true;
    default:
        return false;
    }
}

int
virTypedParamsAddFromString(virTypedParameterPtr *params, int *nparams, int *maxparams,
                            const char *name, int type, const char *value)
{
    GError *err = NULL;
    virTypedParameterPtr param;

    client_reset_error();
    if (!value) {
        fail(&err, VIR_ERR_INVALID_ARG, "parameter '%s' has no value", name ? name : "");
        return report_failure(err);
    }
    param = append_param(params, nparams, maxparams, name, type, &err);
    if (!param)
        return report_failure(err);
    if (parse_value(param, value))
        return 0;
    (*nparams)--;
    fail(&err, VIR_ERR_INVALID_ARG, "parameter '%s': '%s' is no value of type %s", name, value,
         typed_type_name(type));
    return report_failure(err);
}

void
virTypedParamsClear(virTypedParameterPtr params, int nparams)
{
    typed_clear(params, nparams);
}

/* The last error stays, here and in virTypedParamsClear: programs release their arguments before they look at it. */
void
virTypedParamsFree(virTypedParameterPtr params, int nparams)
{
    typed_free(params, nparams);
}
