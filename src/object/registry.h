/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All objects of a kind, by UUID, name and id, each with its current view.
 *
 * Readers and writers hold its lock for a few instructions only; nobody waits for anybody's work. A lookup gives a new
 * reference to a view that never changes, and may be out of date a moment later: whoever changes the object looks again
 * on the object's strand. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "object/view.h"

typedef struct Registry Registry;

/* @what names the kind in errors: "domain". */
Registry *registry_new(const char *what);
void registry_free(Registry *registry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Registry, registry_free)

/* New references, to be given up with view_unref; NULL when there is none. */
void *registry_lookup_uuid(Registry *registry, const guchar uuid[16]);
void *registry_lookup_name(Registry *registry, const char *name);
void *registry_lookup_id(Registry *registry, int id);
/* All views, sorted by name: an array that nobody may change, shared until something is published. g_ptr_array_unref. */
GPtrArray *registry_list(Registry *registry);
guint registry_size(Registry *registry);

/* Make @take_view the view of its UUID, in place of the one before; name and id may differ from before. False with
 * VIR_ERR_OPERATION_FAILED, and nothing changed, when the name belongs to another UUID. */
bool registry_publish(Registry *registry, void *take_view, GError **err);
/* The same, but only if there is no object with that UUID yet. */
bool registry_publish_new(Registry *registry, void *take_view, GError **err);
/* Forget the object. */
void registry_withdraw(Registry *registry, const guchar uuid[16]);
/* The same, unless another view has taken the place of @view meanwhile. */
void registry_withdraw_view(Registry *registry, const void *view);
