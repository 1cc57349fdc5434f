/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about src/object/registry.h and view.h. Runs under TSan too. */
#include "object/registry.h"

#include <string.h>

#include "base/ids.h"

static gint n_freed; /* atomic */

static void
free_plain(View *view)
{
    g_atomic_int_inc(&n_freed);
    g_free(view);
}

static View *
new_view(guchar number, const char *name, int id)
{
    View *view = g_new0(View, 1);
    guchar uuid[UUID_BYTES] = {number};

    view_init(view, free_plain, uuid, name, id);
    return view;
}

static void
objects_are_found_by_uuid_name_and_id(void)
{
    g_autoptr(Registry) registry = registry_new("domain");
    const guchar uuid[UUID_BYTES] = {7};
    g_autoptr(View) by_uuid = NULL;
    g_autoptr(View) by_name = NULL;
    g_autoptr(View) by_id = NULL;

    g_assert_true(registry_publish(registry, new_view(7, "web", 3), NULL));
    by_uuid = registry_lookup_uuid(registry, uuid);
    by_name = registry_lookup_name(registry, "web");
    by_id = registry_lookup_id(registry, 3);
    g_assert_nonnull(by_uuid);
    g_assert_true(by_uuid == by_name && by_name == by_id);
    g_assert_null(registry_lookup_name(registry, "mail"));
    g_assert_null(registry_lookup_id(registry, -1));
}

static void
new_view_replaces_name_and_id(void)
{
    g_autoptr(Registry) registry = registry_new("domain");
    g_autoptr(View) view = NULL;

    g_assert_true(registry_publish(registry, new_view(7, "web", 3), NULL));
    g_assert_true(registry_publish(registry, new_view(7, "shop", -1), NULL));
    g_assert_null(registry_lookup_name(registry, "web"));
    g_assert_null(registry_lookup_id(registry, 3));
    view = registry_lookup_name(registry, "shop");
    g_assert_nonnull(view);
    g_assert_cmpuint(registry_size(registry), ==, 1);
}

static void
name_of_another_object_is_refused(void)
{
    g_autoptr(Registry) registry = registry_new("domain");
    g_autoptr(GError) error = NULL;
    g_autoptr(View) view = NULL;

    g_assert_true(registry_publish(registry, new_view(7, "web", -1), NULL));
    g_assert_false(registry_publish(registry, new_view(8, "web", -1), &error));
    g_assert_nonnull(strstr(error->message, "domain 'web' already exists with uuid 07000000-"));
    view = registry_lookup_name(registry, "web");
    g_assert_cmpuint(view->uuid[0], ==, 7);
}

static void
publish_new_refuses_a_known_uuid(void)
{
    g_autoptr(Registry) registry = registry_new("domain");
    g_autoptr(GError) error = NULL;

    g_assert_true(registry_publish_new(registry, new_view(7, "web", -1), NULL));
    g_assert_false(registry_publish_new(registry, new_view(7, "shop", -1), &error));
    g_assert_nonnull(error);
}

static void
list_is_sorted_and_keeps_what_it_showed(void)
{
    g_autoptr(Registry) registry = registry_new("domain");
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) after = NULL;
    const guchar uuid[UUID_BYTES] = {2};

    g_assert_true(registry_publish(registry, new_view(1, "b", -1), NULL));
    g_assert_true(registry_publish(registry, new_view(2, "a", -1), NULL));
    before = registry_list(registry);
    registry_withdraw(registry, uuid);
    after = registry_list(registry);
    g_assert_cmpuint(before->len, ==, 2);
    g_assert_cmpstr(((View *)before->pdata[0])->name, ==, "a");
    g_assert_cmpstr(((View *)before->pdata[1])->name, ==, "b");
    g_assert_cmpuint(after->len, ==, 1);
}

static void *
publish_often(void *opaque)
{
    for (int i = 0; i < 500; i++)
        g_assert_true(registry_publish(opaque, new_view(7, "web", i), NULL));
    return NULL;
}

static void
readers_never_see_a_view_that_is_gone(void)
{
    g_autoptr(Registry) registry = registry_new("domain");
    GThread *writer;

    g_atomic_int_set(&n_freed, 0);
    g_assert_true(registry_publish(registry, new_view(7, "web", 0), NULL));
    writer = g_thread_new("writer", publish_often, registry);
    for (int i = 0; i < 500; i++) {
        g_autoptr(View) view = registry_lookup_name(registry, "web");
        g_autoptr(GPtrArray) list = registry_list(registry);

        g_assert_cmpstr(view->name, ==, "web");
        g_assert_cmpuint(list->len, ==, 1);
    }
    g_thread_join(writer);
    g_clear_pointer(&registry, registry_free);
    g_assert_cmpint(n_freed, ==, 501);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/registry/objects_are_found_by_uuid_name_and_id",
                    objects_are_found_by_uuid_name_and_id);
    g_test_add_func("/registry/new_view_replaces_name_and_id", new_view_replaces_name_and_id);
    g_test_add_func("/registry/name_of_another_object_is_refused",
                    name_of_another_object_is_refused);
    g_test_add_func("/registry/publish_new_refuses_a_known_uuid", publish_new_refuses_a_known_uuid);
    g_test_add_func("/registry/list_is_sorted_and_keeps_what_it_showed",
                    list_is_sorted_and_keeps_what_it_showed);
    g_test_add_func("/registry/readers_never_see_a_view_that_is_gone",
                    readers_never_see_a_view_that_is_gone);
    return g_test_run();
}
