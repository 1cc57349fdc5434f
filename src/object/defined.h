/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the drivers of objects that are mainly a definition share: secrets, networks, filters and so on.
 *
 * All there is to know of such an object is in its view: the definition, what it is while active, and a strand that all
 * its views have in common. A change runs on that strand: look the view up anew, make another, write the file, publish.
 * Kinds without a UUID in the API get one of our own that only the registry sees. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "loop/strand.h"
#include "model/engine.h"
#include "object/call.h"
#include "object/registry.h"
#include "object/view.h"

typedef struct {
    View view;
    Strand *strand;
    const ModelType *type;
    void *config;       /* never changed */
    void *live;         /* what runs; NULL: not active */
    bool is_persistent; /* there is a file of it */
    bool is_autostart;
} DefinedView;

/* @config moves in. A reference of @strand is taken. @free_func ends with defined_clear and g_free. */
void defined_init(DefinedView *defined, void (*free_func)(View *view), const ModelType *type,
                  void *take_config, const guchar uuid[16], const char *name, Strand *strand);
void defined_clear(DefinedView *defined);
/* Without anything of the driver's own. */
DefinedView *defined_new(const ModelType *type, void *take_config, const guchar uuid[16],
                         const char *name, Strand *strand);
static inline void
defined_unref(DefinedView *defined)
{
    view_unref(defined);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DefinedView, defined_unref)

/* The strand of an object, a new reference; NULL: there is none. For Driver.find_strand. */
Strand *defined_find_strand(Registry *registry, const guchar uuid[16]);

/* For calls that may make the object: join its strand, or a new one if nothing has that UUID; NULL with @err. Named
 * "@what @name" in errors. To be left with defined_leave, which gives the reference up. */
Strand *defined_enter(Registry *registry, Pool *pool, const char *what, const guchar uuid[16],
                      const char *name, GError **err);
void defined_leave(Strand *strand);

/* The views, or those that fit, with references. */
typedef bool (*DefinedFits)(const void *view, guint flags);
GPtrArray *defined_list(Registry *registry, DefinedFits fits, guint flags);
/* The names of at most @max of them, as replies hold them. */
void defined_fill_names(GPtrArray *views, gint32 max, guint32 *count, char ***names);

/* Filters come in pairs: neither or both set means that all fit. */
static inline bool
flags_fit(guint flags, guint yes, guint no, bool is)
{
    return !(flags & (yes | no)) || (flags & (is ? yes : no));
}
/* Refuse flags that a call does not know; @domain is the virErrorDomain of the driver. */
bool call_check_flags(const Call *call, guint flags, guint allowed, int domain, GError **err);
