/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See params.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "object/params.h"

#include <libvirt/libvirt.h>

#include "base/error.h"

void
params_clear(ParamList *list)
{
    for (guint32 i = 0; i < list->count; i++) {
        g_free(list->items[i].field);
        if (list->items[i].value.type == VIR_TYPED_PARAM_STRING)
            g_free(list->items[i].value.u.s);
    }
    g_clear_pointer(&list->items, g_free);
    g_clear_pointer(&list->prefix, g_free);
    list->count = list->space = 0;
}

void
params_set_prefix(ParamList *list, const char *fmt, ...)
{
    va_list args;

    g_clear_pointer(&list->prefix, g_free);
    if (!fmt)
        return;
    va_start(args, fmt);
    list->prefix = g_strdup_vprintf(fmt, args);
    va_end(args);
}

/* A new parameter at the end of the list, zeroed but for name and type. */
static RemoteTypedParam *
params_grow(ParamList *list, const char *name, int type)
{
    RemoteTypedParam *item;

    if (list->count == list->space) {
        list->space = list->space ? list->space * 2 : 16;
        list->items = g_renew(RemoteTypedParam, list->items, list->space);
    }
    item = &list->items[list->count++];
    *item = (RemoteTypedParam){0};
    item->field = list->prefix ? g_strconcat(list->prefix, name, NULL) : g_strdup(name);
    item->value.type = type;
    return item;
}

void
params_add_int(ParamList *list, const char *name, int value)
{
    params_grow(list, name, VIR_TYPED_PARAM_INT)->value.u.i = value;
}

void
params_add_uint(ParamList *list, const char *name, unsigned int value)
{
    params_grow(list, name, VIR_TYPED_PARAM_UINT)->value.u.ui = value;
}

void
params_add_llong(ParamList *list, const char *name, long long value)
{
    params_grow(list, name, VIR_TYPED_PARAM_LLONG)->value.u.l = value;
}

void
params_add_ullong(ParamList *list, const char *name, unsigned long long value)
{
    params_grow(list, name, VIR_TYPED_PARAM_ULLONG)->value.u.ul = value;
}

void
params_add_double(ParamList *list, const char *name, double value)
{
    params_grow(list, name, VIR_TYPED_PARAM_DOUBLE)->value.u.d = value;
}

void
params_add_boolean(ParamList *list, const char *name, bool value)
{
    params_grow(list, name, VIR_TYPED_PARAM_BOOLEAN)->value.u.b = value;
}

void
params_add_string(ParamList *list, const char *name, const char *value)
{
    params_grow(list, name, VIR_TYPED_PARAM_STRING)->value.u.s = g_strdup(value);
}

static const char *
params_type_name(int type)
{
    static const char *const names[] = {"?",      "int",    "uint",    "llong",
                                        "ullong", "double", "boolean", "string"};

    return type > 0 && type < (int)G_N_ELEMENTS(names) ? names[type] : names[0];
}

const RemoteTypedParam *
params_find(const RemoteTypedParam *items, guint32 count, const char *name)
{
    for (guint32 i = 0; i < count; i++) {
        if (g_str_equal(items[i].field, name))
            return &items[i];
    }
    return NULL;
}

/* 1 with *found set, 0, or -1 for a wrong type. */
static int
params_find_typed(const RemoteTypedParam *items, guint32 count, const char *name, int type,
                  const RemoteTypedParam **found, GError **err)
{
    const RemoteTypedParam *item = params_find(items, count, name);

    if (!item)
        return 0;
    if (item->value.type != type) {
        fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' has type %s, it must be %s", name,
             params_type_name(item->value.type), params_type_name(type));
        return -1;
    }
    *found = item;
    return 1;
}

#define DEFINE_GET(word, c_type, type, member)                                            \
    int params_get_##word(const RemoteTypedParam *items, guint32 count, const char *name, \
                          c_type *value, GError **err)                                    \
    {                                                                                     \
        const RemoteTypedParam *item;                                                     \
        int found = params_find_typed(items, count, name, type, &item, err);              \
                                                                                          \
        if (found > 0)                                                                    \
            *value = item->value.u.member;                                                \
        return found;                                                                     \
    }

DEFINE_GET(int, int, VIR_TYPED_PARAM_INT, i)
DEFINE_GET(uint, unsigned int, VIR_TYPED_PARAM_UINT, ui)
DEFINE_GET(llong, long long, VIR_TYPED_PARAM_LLONG, l)
DEFINE_GET(ullong, unsigned long long, VIR_TYPED_PARAM_ULLONG, ul)
DEFINE_GET(double, double, VIR_TYPED_PARAM_DOUBLE, d)
DEFINE_GET(boolean, bool, VIR_TYPED_PARAM_BOOLEAN, b)
DEFINE_GET(string, const char *, VIR_TYPED_PARAM_STRING, s)

static const ParamRule *
params_find_rule(const ParamRule *rules, const char *name)
{
    for (; rules->name; rules++) {
        if (g_str_equal(rules->name, name))
            return rules;
    }
    return NULL;
}

bool
params_check(const RemoteTypedParam *items, guint32 count, const ParamRule *rules, GError **err)
{
    for (guint32 i = 0; i < count; i++) {
        const char *name = items[i].field;
        const ParamRule *rule = params_find_rule(rules, name);

        if (!rule)
            return fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' is not known here", name);
        if (items[i].value.type != rule->type)
            return fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' has type %s, it must be %s", name,
                        params_type_name(items[i].value.type), params_type_name(rule->type));
        if (!rule->may_repeat && params_find(items, i, name))
            return fail(err, VIR_ERR_INVALID_ARG, "parameter '%s' is given more than once", name);
    }
    return true;
}
