/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See defined.h. */
#include "object/defined.h"

#include "base/error.h"
#include "gen/api-procs.h"

void
defined_init(DefinedView *defined, void (*free_func)(View *view), const ModelType *type,
             void *take_config, const guchar uuid[16], const char *name, Strand *strand)
{
    view_init(&defined->view, free_func, uuid, name, -1);
    defined->strand = strand_ref(strand);
    defined->type = type;
    defined->config = take_config;
}

void
defined_clear(DefinedView *defined)
{
    model_free(defined->type, defined->config);
    model_free(defined->type, defined->live);
    strand_unref(defined->strand);
}

static void
free_plain(View *view)
{
    defined_clear((DefinedView *)view);
    g_free(view);
}

DefinedView *
defined_new(const ModelType *type, void *take_config, const guchar uuid[16], const char *name,
            Strand *strand)
{
    DefinedView *defined = g_new0(DefinedView, 1);

    defined_init(defined, free_plain, type, take_config, uuid, name, strand);
    return defined;
}

Strand *
defined_find_strand(Registry *registry, const guchar uuid[16])
{
    g_autoptr(DefinedView) defined = registry_lookup_uuid(registry, uuid);

    return defined ? strand_ref(defined->strand) : NULL;
}

Strand *
defined_enter(Registry *registry, Pool *pool, const char *what, const guchar uuid[16],
              const char *name, GError **err)
{
    g_autoptr(Strand) strand = defined_find_strand(registry, uuid);

    if (!strand) {
        g_autofree char *full = g_strconcat(what, " ", name, NULL);

        strand = strand_new(pool, full);
    }
    return strand_enter(strand, -1, err) ? g_steal_pointer(&strand) : NULL;
}

void
defined_leave(Strand *strand)
{
    strand_leave(strand);
    strand_unref(strand);
}

GPtrArray *
defined_list(Registry *registry, DefinedFits fits, guint flags)
{
    g_autoptr(GPtrArray) all = registry_list(registry);
    GPtrArray *found;

    if (!fits)
        return g_steal_pointer(&all);
    found = g_ptr_array_new_with_free_func(view_unref);
    for (guint i = 0; i < all->len; i++) {
        if (fits(all->pdata[i], flags))
            g_ptr_array_add(found, view_ref(all->pdata[i]));
    }
    return found;
}

void
defined_fill_names(GPtrArray *views, gint32 max, guint32 *count, char ***names)
{
    *count = MIN(views->len, (guint)MAX(max, 0));
    *names = g_new0(char *, *count);
    for (guint i = 0; i < *count; i++)
        (*names)[i] = g_strdup(((const View *)views->pdata[i])->name);
}

bool
call_check_flags(const Call *call, guint flags, guint allowed, int domain, GError **err)
{
    if (!(flags & ~allowed))
        return true;
    return error_set(err, domain, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) in function %s",
                     flags & ~allowed, call->proc->function);
}
