/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See registry.h and view.h. Three hash tables over the same views; the one by UUID holds the references. The sorted list is
 * made when somebody asks for it and kept until the next change. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "object/registry.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"

struct Registry {
    char *what;
    GMutex lock; /* of what follows */
    GHashTable *by_uuid, *by_name, *by_id;
    GPtrArray *list; /* NULL: has to be made anew */
};

void
view_init(View *view, void (*free_func)(View *view), const guchar uuid[16], const char *name,
          int id)
{
    g_atomic_ref_count_init(&view->refs);
    view->free = free_func;
    memcpy(view->uuid, uuid, sizeof view->uuid);
    view->name = g_strdup(name);
    view->id = id;
}

void *
view_ref(void *view)
{
    g_atomic_ref_count_inc(&((View *)view)->refs);
    return view;
}

void
view_unref(void *opaque)
{
    View *view = opaque;

    if (!view || !g_atomic_ref_count_dec(&view->refs))
        return;
    g_free(g_steal_pointer(&view->name));
    view->free(view);
}

Registry *
registry_new(const char *what)
{
    Registry *registry = g_new0(Registry, 1);

    registry->what = g_strdup(what);
    g_mutex_init(&registry->lock);
    registry->by_uuid = g_hash_table_new_full(uuid_hash, uuid_key_equal, NULL, view_unref);
    registry->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    registry->by_id = g_hash_table_new(NULL, NULL);
    return registry;
}

void
registry_free(Registry *registry)
{
    if (!registry)
        return;
    g_clear_pointer(&registry->list, g_ptr_array_unref);
    g_hash_table_unref(registry->by_id);
    g_hash_table_unref(registry->by_name);
    g_hash_table_unref(registry->by_uuid);
    g_mutex_clear(&registry->lock);
    g_free(registry->what);
    g_free(registry);
}

static void *
registry_lookup(Registry *registry, GHashTable *table, gconstpointer key)
{
    View *view;

    g_mutex_lock(&registry->lock);
    view = g_hash_table_lookup(table, key);
    if (view)
        view_ref(view);
    g_mutex_unlock(&registry->lock);
    return view;
}

void *
registry_lookup_uuid(Registry *registry, const guchar uuid[16])
{
    return registry_lookup(registry, registry->by_uuid, uuid);
}

void *
registry_lookup_name(Registry *registry, const char *name)
{
    return registry_lookup(registry, registry->by_name, name);
}

void *
registry_lookup_id(Registry *registry, int id)
{
    return id < 0 ? NULL : registry_lookup(registry, registry->by_id, GINT_TO_POINTER(id));
}

static int
view_compare_names(gconstpointer a, gconstpointer b)
{
    const View *left = *(View *const *)a, *right = *(View *const *)b;

    return strcmp(left->name, right->name);
}

GPtrArray *
registry_list(Registry *registry)
{
    GPtrArray *list;
    GHashTableIter iter;
    void *view;

    g_mutex_lock(&registry->lock);
    if (!registry->list) {
        registry->list = g_ptr_array_new_full(g_hash_table_size(registry->by_uuid), view_unref);
        g_hash_table_iter_init(&iter, registry->by_uuid);
        while (g_hash_table_iter_next(&iter, NULL, &view))
            g_ptr_array_add(registry->list, view_ref(view));
        g_ptr_array_sort(registry->list, view_compare_names);
    }
    list = g_ptr_array_ref(registry->list);
    g_mutex_unlock(&registry->lock);
    return list;
}

guint
registry_size(Registry *registry)
{
    guint size;

    g_mutex_lock(&registry->lock);
    size = g_hash_table_size(registry->by_uuid);
    g_mutex_unlock(&registry->lock);
    return size;
}

/* With the lock held: take a view out of all tables; the reference goes to the caller. */
static View *
registry_unlink(Registry *registry, const guchar uuid[16])
{
    View *view = g_hash_table_lookup(registry->by_uuid, uuid);

    if (!view)
        return NULL;
    g_hash_table_steal(registry->by_uuid, uuid);
    g_hash_table_remove(registry->by_name, view->name);
    if (view->id >= 0 && g_hash_table_lookup(registry->by_id, GINT_TO_POINTER(view->id)) == view)
        g_hash_table_remove(registry->by_id, GINT_TO_POINTER(view->id));
    return view;
}

static bool
registry_put(Registry *registry, View *view, bool must_be_new, View **replaced, GError **err)
{
    const View *namesake = g_hash_table_lookup(registry->by_name, view->name);
    View *before = g_hash_table_lookup(registry->by_uuid, view->uuid);
    char uuid[UUID_TEXT];

    if (namesake && namesake != before) {
        uuid_format(namesake->uuid, uuid);
        return fail(err, VIR_ERR_OPERATION_FAILED, "%s '%s' already exists with uuid %s",
                    registry->what, view->name, uuid);
    }
    if (before && must_be_new) {
        uuid_format(view->uuid, uuid);
        return fail(err, VIR_ERR_OPERATION_FAILED, "%s '%s' is already defined with uuid %s",
                    registry->what, before->name, uuid);
    }
    if (before)
        *replaced = registry_unlink(registry, view->uuid);
    g_hash_table_insert(registry->by_uuid, view->uuid, view_ref(view));
    g_hash_table_insert(registry->by_name, view->name, view);
    if (view->id >= 0)
        g_hash_table_insert(registry->by_id, GINT_TO_POINTER(view->id), view);
    return true;
}

/* Outside of the lock: these may be the last references to many views. */
static void
registry_free_old(View *before, GPtrArray *list)
{
    g_clear_pointer(&list, g_ptr_array_unref);
    view_unref(before);
}

static bool
registry_publish_any(Registry *registry, View *take_view, bool must_be_new, GError **err)
{
    g_autoptr(View) view = take_view;
    View *replaced = NULL;
    GPtrArray *list = NULL;
    bool is_in;

    g_mutex_lock(&registry->lock);
    is_in = registry_put(registry, view, must_be_new, &replaced, err);
    if (is_in)
        list = g_steal_pointer(&registry->list);
    g_mutex_unlock(&registry->lock);
    registry_free_old(replaced, list);
    return is_in;
}

bool
registry_publish(Registry *registry, void *take_view, GError **err)
{
    return registry_publish_any(registry, take_view, false, err);
}

bool
registry_publish_new(Registry *registry, void *take_view, GError **err)
{
    return registry_publish_any(registry, take_view, true, err);
}

static void
registry_withdraw_any(Registry *registry, const guchar uuid[16], const View *only)
{
    View *view = NULL;
    GPtrArray *list = NULL;

    g_mutex_lock(&registry->lock);
    if (!only || g_hash_table_lookup(registry->by_uuid, uuid) == only)
        view = registry_unlink(registry, uuid);
    if (view)
        list = g_steal_pointer(&registry->list);
    g_mutex_unlock(&registry->lock);
    registry_free_old(view, list);
}

void
registry_withdraw(Registry *registry, const guchar uuid[16])
{
    registry_withdraw_any(registry, uuid, NULL);
}

void
registry_withdraw_view(Registry *registry, const void *view)
{
    registry_withdraw_any(registry, ((const View *)view)->uuid, view);
}
