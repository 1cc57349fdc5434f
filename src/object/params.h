/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Build and read arrays of typed parameters, as the wire structures hold them.
 *
 *     g_auto(ParamList) list = PARAM_LIST_INIT;
 *     params_add_ullong(&list, "cpu.time", ns);
 *     params_set_prefix(&list, "net.%u.", i);
 *     params_add_string(&list, "name", nic->target);
 *     params_move(&list, ret->params);        -- into a counted field */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/api-structs.h"

typedef struct {
    guint32 count, space;
    RemoteTypedParam *items;
    char *prefix;
} ParamList;

#define PARAM_LIST_INIT  \
    {                    \
        0, 0, NULL, NULL \
    }

void params_clear(ParamList *list);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ParamList, params_clear)

/* Put @fmt in front of every name added from now on; NULL: nothing. */
void params_set_prefix(ParamList *list, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void params_add_int(ParamList *list, const char *name, int value);
void params_add_uint(ParamList *list, const char *name, unsigned int value);
void params_add_llong(ParamList *list, const char *name, long long value);
void params_add_ullong(ParamList *list, const char *name, unsigned long long value);
void params_add_double(ParamList *list, const char *name, double value);
void params_add_boolean(ParamList *list, const char *name, bool value);
void params_add_string(ParamList *list, const char *name, const char *value);

/* Move everything into a counted field, which must be empty. */
#define params_move(list, field)           \
    do {                                   \
        (field).count = (list)->count;     \
        (field).items = (list)->items;     \
        (list)->items = NULL;              \
        (list)->count = (list)->space = 0; \
    } while (0)

/* The parameter of that name; NULL when it is absent. */
const RemoteTypedParam *params_find(const RemoteTypedParam *items, guint32 count, const char *name);
/* 1: found, 0: absent, -1 with @err: it has another type. Strings stay the array's. */
int params_get_int(const RemoteTypedParam *items, guint32 count, const char *name, int *value,
                   GError **err);
int params_get_uint(const RemoteTypedParam *items, guint32 count, const char *name,
                    unsigned int *value, GError **err);
int params_get_llong(const RemoteTypedParam *items, guint32 count, const char *name,
                     long long *value, GError **err);
int params_get_ullong(const RemoteTypedParam *items, guint32 count, const char *name,
                      unsigned long long *value, GError **err);
int params_get_double(const RemoteTypedParam *items, guint32 count, const char *name, double *value,
                      GError **err);
int params_get_boolean(const RemoteTypedParam *items, guint32 count, const char *name, bool *value,
                       GError **err);
int params_get_string(const RemoteTypedParam *items, guint32 count, const char *name,
                      const char **value, GError **err);

/* What a call accepts. The list ends with a NULL name. */
typedef struct {
    const char *name;
    int type; /* virTypedParameterType */
    bool may_repeat;
} ParamRule;

/* Every parameter must be in @rules, with its type, and once unless it may repeat; the error names the one that is not. */
bool params_check(const RemoteTypedParam *items, guint32 count, const ParamRule *rules,
                  GError **err);
