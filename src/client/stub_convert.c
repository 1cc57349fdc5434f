/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data between wire structures and what callers of the public functions give and get.
 *
 * The other side is not trusted: whatever goes into a caller's array is counted first. Structures with members of their
 * own are in stub_structs.c. */
#define ERROR_DOMAIN VIR_FROM_RPC

#include "client/stub_convert.h"

#include "base/error.h"
#include "base/ids.h"

#include <string.h>
#include <unistd.h>

/* -- typed parameters -------------------------------------------------------------------------------- */

static bool
param_to_wire(const virTypedParameter *param, RemoteTypedParam *wire, GError **err)
{
    if (strnlen(param->field, sizeof(param->field)) == sizeof(param->field))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "the name of a typed parameter does not end within %zu bytes",
                    sizeof(param->field));
    wire->field = (char *)param->field;
    wire->value.type = param->type;
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:
        wire->value.u.i = param->value.i;
        return true;
    case VIR_TYPED_PARAM_UINT:
        wire->value.u.ui = param->value.ui;
        return true;
    case VIR_TYPED_PARAM_LLONG:
        wire->value.u.l = param->value.l;
        return true;
    case VIR_TYPED_PARAM_ULLONG:
        wire->value.u.ul = param->value.ul;
        return true;
    case VIR_TYPED_PARAM_DOUBLE:
        wire->value.u.d = param->value.d;
        return true;
    case VIR_TYPED_PARAM_BOOLEAN:
        wire->value.u.b = param->value.b;
        return true;
    case VIR_TYPED_PARAM_STRING:
        wire->value.u.s = param->value.s;
        return true;
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "typed parameter '%s' has the unknown type %d",
                    param->field, param->type);
    }
}

bool
stub_params_to_wire(const virTypedParameter *params, unsigned int n_params,
                    RemoteTypedParam **items, GError **err)
{
    *items = NULL;
    if (n_params > REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX)
        return fail(err, VIR_ERR_INVALID_ARG, "too many typed parameters: %u", n_params);
    *items = g_new0(RemoteTypedParam, (gsize)n_params + 1);
    for (unsigned int i = 0; i < n_params; i++) {
        if (!param_to_wire(&params[i], &(*items)[i], err))
            return false;
    }
    return true;
}

static bool
param_from_wire(virTypedParameterPtr param, const RemoteTypedParam *wire, GError **err)
{
    if (!stub_copy_field(param->field, sizeof(param->field), wire->field, err))
        return false;
    param->type = wire->value.type;
    switch (param->type) {
    case VIR_TYPED_PARAM_INT:
        param->value.i = wire->value.u.i;
        return true;
    case VIR_TYPED_PARAM_UINT:
        param->value.ui = wire->value.u.ui;
        return true;
    case VIR_TYPED_PARAM_LLONG:
        param->value.l = wire->value.u.l;
        return true;
    case VIR_TYPED_PARAM_ULLONG:
        param->value.ul = wire->value.u.ul;
        return true;
    case VIR_TYPED_PARAM_DOUBLE:
        param->value.d = wire->value.u.d;
        return true;
    case VIR_TYPED_PARAM_BOOLEAN:
        param->value.b = wire->value.u.b != 0;
        return true;
    case VIR_TYPED_PARAM_STRING:
        param->value.s = g_strdup(wire->value.u.s);
        return true;
    default:
        return fail(err, VIR_ERR_RPC, "typed parameter '%s' came with the unknown type %d",
                    wire->field, param->type);
    }
}

/* Release strings of the first @count parameters and make them empty. */
static void
forget_params(virTypedParameterPtr params, guint32 count)
{
    for (guint32 i = 0; i < count; i++) {
        if (params[i].type == VIR_TYPED_PARAM_STRING)
            g_free(params[i].value.s);
    }
    memset(params, 0, sizeof(*params) * count);
}

bool
stub_params_new(virTypedParameterPtr *params, const RemoteTypedParam *items, guint32 count,
                GError **err)
{
    g_autofree virTypedParameterPtr list = NULL;

    *params = NULL;
    if (count == 0)
        return true;
    list = g_new0(virTypedParameter, count);
    for (guint32 i = 0; i < count; i++) {
        if (param_from_wire(&list[i], &items[i], err))
            continue;
        list[i].type = 0;
        forget_params(list, i);
        return false;
    }
    *params = g_steal_pointer(&list);
    return true;
}

bool
stub_params_fill(virTypedParameterPtr params, int space, const RemoteTypedParam *items,
                 guint32 count, GError **err)
{
    g_autofree virTypedParameterPtr list = NULL;

    if (!stub_fits(count, MAX(space, 0), "typed parameters", err) ||
        !stub_params_new(&list, items, count, err))
        return false;
    if (count > 0)
        memcpy(params, list, sizeof(*params) * count);
    return true;
}

bool
stub_check_matrix(const virTypedParameter *params, unsigned int n_params, int start_cpu,
                  unsigned int n_cpus, const char *function, GError **err)
{
    if (start_cpu < -1)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "start_cpu in %s must be -1, for the totals, or a CPU", function);
    if (start_cpu == -1 && n_cpus != 1)
        return fail(err, VIR_ERR_INVALID_ARG, "ncpus in %s must be 1 for the totals", function);
    if (n_params > 0 && n_cpus == 0)
        return fail(err, VIR_ERR_INVALID_ARG, "nparams in %s must be 0 when ncpus is", function);
    if (n_params > 0 && n_cpus > REMOTE_DOMAIN_GET_CPU_STATS_MAX / n_params)
        return fail(err, VIR_ERR_INVALID_ARG, "%u CPUs with %u values each are too many for %s",
                    n_cpus, n_params, function);
    return client_need_array(params, n_params, "params", function, err);
}

bool
stub_fill_matrix(virTypedParameterPtr params, unsigned int n_params, unsigned int n_cpus,
                 const RemoteTypedParam *items, guint32 count, int width, GError **err)
{
    g_autofree virTypedParameterPtr list = NULL;
    guint32 rows = width > 0 ? count / width : 0;

    if (!stub_fits((guint32)width, n_params, "values for a CPU", err) ||
        !stub_fits(rows, n_cpus, "CPUs", err))
        return false;
    if (rows * (guint32)width != count)
        return fail(err, VIR_ERR_RPC, "%u values are no whole rows of %d", count, width);
    if (!stub_params_new(&list, items, count, err))
        return false;
    memset(params, 0, sizeof(*params) * n_params * n_cpus);
    for (guint32 row = 0; row < rows; row++)
        memcpy(&params[(gsize)row * n_params], &list[(gsize)row * width], sizeof(*params) * width);
    return true;
}

/* -- arrays ------------------------------------------------------------------------------------------ */

bool
stub_fits(guint32 count, guint64 space, const char *name, GError **err)
{
    if (count > space)
        return fail(err, VIR_ERR_RPC, "too many %s: %u came, there is room for %" G_GUINT64_FORMAT,
                    name, count, space);
    return true;
}

bool
stub_fits_word(guint64 value, const char *name, const char *function, GError **err)
{
    if (value > G_MAXUINT32)
        return fail(err, VIR_ERR_INVALID_ARG, "%s in %s must not be larger than %u", name, function,
                    G_MAXUINT32);
    return true;
}

bool
stub_check_size(guint32 count, gsize size, GError **err)
{
    if (count != size)
        return fail(err, VIR_ERR_RPC, "%u bytes came, %zu were asked for", count, size);
    return true;
}

bool
stub_check_maps(const unsigned char *maps, int length, const char *function, GError **err)
{
    if (maps)
        return client_need_positive(length, "maplen", function, err);
    if (length != 0)
        return fail(err, VIR_ERR_INVALID_ARG, "maplen in %s must be zero", function);
    return true;
}

void
stub_move_strings(char **names, guint32 count, char **items)
{
    for (guint32 i = 0; i < count; i++)
        names[i] = g_steal_pointer(&items[i]);
}

char **
stub_take_strings(guint32 count, char **items)
{
    char **list = g_new0(char *, (gsize)count + 1);

    stub_move_strings(list, count, items);
    return list;
}

void
stub_copy_bytes(void *to, gsize space, const void *from, gsize count)
{
    gsize copied = MIN(space, count);

    if (space == 0)
        return;
    if (copied > 0)
        memcpy(to, from, copied);
    memset((char *)to + copied, 0, space - copied);
}

unsigned char *
stub_steal_bytes(guchar **bytes)
{
    return *bytes ? g_steal_pointer(bytes) : g_malloc0(1);
}

bool
stub_copy_chars(char *to, gsize space, const char *from, guint32 count, const char *name,
                GError **err)
{
    if (!stub_fits(count, space, name, err))
        return false;
    stub_copy_bytes(to, space, from, count);
    to[space - 1] = '\0';
    return true;
}

bool
stub_copy_field(char *to, gsize space, const char *from, GError **err)
{
    if (g_strlcpy(to, from, space) >= space)
        return fail(err, VIR_ERR_RPC, "the name '%.100s...' has more than %zu bytes", from,
                    space - 1);
    return true;
}

bool
stub_parse_uuid(const char *text, guchar uuid[16], const char *function, GError **err)
{
    if (!uuid_parse(text, uuid))
        return client_fail_argument(err, "uuidstr", function, "be a valid UUID");
    return true;
}

/* -- descriptors ------------------------------------------------------------------------------------- */

void
stub_close_fds(const int *fds, gsize n_fds)
{
    for (gsize i = 0; i < n_fds; i++)
        close(fds[i]);
}

bool
stub_one_fd(const int *fds, gsize n_fds, GError **err)
{
    if (n_fds == 1)
        return true;
    stub_close_fds(fds, n_fds);
    return fail(err, VIR_ERR_RPC, "one file descriptor was expected, %zu came", n_fds);
}

bool
stub_check_outfiles(int **fds, unsigned int *n_fds, const char *function, GError **err)
{
    if (fds && !n_fds)
        return fail(err, VIR_ERR_INVALID_ARG, "noutfiles in %s must not be NULL", function);
    return true;
}
