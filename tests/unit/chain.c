/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/image with real files: overlays made and withdrawn, chains walked, and who holds which
 * image. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "image/chain.h"
#include "image/graph.h"
#include "image/overlay.h"

typedef struct {
    char *dir;
} Folder;

static void
set_up(Folder *folder, gconstpointer unused)
{
    folder->dir = g_dir_make_tmp("chain-XXXXXX", NULL);
}

static void
tear_down(Folder *folder, gconstpointer unused)
{
    g_auto(GStrv) names = dir_list(folder->dir, NULL);

    for (int i = 0; names[i]; i++) {
        g_autofree char *path = g_build_filename(folder->dir, names[i], NULL);
        unlink(path);
    }
    rmdir(folder->dir);
    g_free(folder->dir);
}

static char *
in(const Folder *folder, const char *name)
{
    return g_build_filename(folder->dir, name, NULL);
}

static void
write_raw(const Folder *folder, const char *name)
{
    g_autofree char *path = in(folder, name);

    g_assert_true(g_file_set_contents(path, "raw data", -1, NULL));
}

static bool
overlay(const Folder *folder, const char *name, const char *backing, const char *format,
        FileMark *id, GError **err)
{
    g_autofree char *path = in(folder, name);
    OverlaySpec spec = {.path = path,
                        .job = "test-1",
                        .format = IMAGE_FORMAT_QCOW2,
                        .size_bytes = 1 << 20,
                        .backing_name = backing,
                        .backing_format = format,
                        .uid = (uid_t)-1,
                        .gid = (gid_t)-1};
    FileMark unused;

    id = id ? id : &unused;
    return overlay_make(&spec, id, err) && overlay_sync(path, "test-1", err) &&
           overlay_publish(path, "test-1", *id, err);
}

static ImageChain *
chain_of(const Folder *folder, const char *name, GError **err)
{
    g_autofree char *path = in(folder, name);

    return image_chain_read(path, IMAGE_FORMAT_QCOW2, NULL, err);
}

static void
chain_follows_relative_names_from_the_overlays_folder(Folder *folder, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(ImageChain) chain = NULL;
    g_autofree char *base = in(folder, "base");

    write_raw(folder, "base");
    g_assert_true(overlay(folder, "a", "base", "raw", NULL, NULL));
    g_assert_true(overlay(folder, "b", "a", "qcow2", NULL, NULL));
    chain = chain_of(folder, "b", &err);
    g_assert_no_error(err);
    g_assert_cmpuint(chain->layers->len, ==, 3);
    g_assert_cmpstr(image_chain_base(chain)->path, ==, base);
    g_assert_cmpuint(image_chain_base(chain)->header->size_bytes, ==, 8);
}

static void
backing_image_without_a_named_format_is_raw_and_ends_the_chain(Folder *folder, gconstpointer unused)
{
    g_autoptr(ImageChain) chain = NULL;

    write_raw(folder, "base");
    g_assert_true(overlay(folder, "a", "base", "raw", NULL, NULL));
    g_assert_true(overlay(folder, "b", "a", NULL, NULL, NULL));
    chain = chain_of(folder, "b", NULL);
    g_assert_cmpuint(chain->layers->len, ==, 2);
    g_assert_cmpint(image_chain_base(chain)->format, ==, IMAGE_FORMAT_RAW);
    g_assert_false(image_chain_base(chain)->format_is_named);
}

static void
format_from_the_configuration_wins_over_a_silent_header(Folder *folder, gconstpointer unused)
{
    g_autoptr(GHashTable) formats = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(ImageChain) chain = NULL;
    g_autofree char *a = in(folder, "a");
    g_autofree char *b = in(folder, "b");

    write_raw(folder, "base");
    g_assert_true(overlay(folder, "a", "base", "raw", NULL, NULL));
    g_assert_true(overlay(folder, "b", "a", NULL, NULL, NULL));
    g_hash_table_insert(formats, a, GINT_TO_POINTER(IMAGE_FORMAT_QCOW2));
    chain = image_chain_read(b, IMAGE_FORMAT_QCOW2, formats, NULL);
    g_assert_cmpuint(chain->layers->len, ==, 3);
}

static void
loop_and_missing_file_are_errors_that_name_both_images(Folder *folder, gconstpointer unused)
{
    g_autoptr(GError) loop = NULL;
    g_autoptr(GError) missing = NULL;
    g_autofree char *a = in(folder, "a");

    g_assert_true(overlay(folder, "a", "b", "qcow2", NULL, NULL));
    g_assert_true(overlay(folder, "b", "a", "qcow2", NULL, NULL));
    g_assert_null(chain_of(folder, "b", &loop));
    g_assert_nonnull(strstr(loop->message, "backed by itself"));
    unlink(a);
    g_assert_null(chain_of(folder, "b", &missing));
    g_assert_nonnull(strstr(missing->message, a));
    g_assert_nonnull(strstr(missing->message, "/b'"));
}

static void
network_and_json_names_are_told_from_local_files(Folder *folder, gconstpointer unused)
{
    ImageFormat format = IMAGE_FORMAT_UNKNOWN;
    g_autofree char *local = image_backing_path("/img/top",
                                                "json:{\"driver\":\"qcow2\",\"file\":"
                                                "{\"driver\":\"file\",\"filename\":\"/img/a\"}}",
                                                &format);
    g_autofree char *flat =
        image_backing_path("/img/top", "json:{\"file.filename\":\"/img/a\"}", NULL);
    g_autofree char *file = image_backing_path("/img/top", "file:b", NULL);
    g_autofree char *colon = image_backing_path("/img/top", "dir/a:b", NULL);

    g_assert_cmpstr(local, ==, "/img/a");
    g_assert_cmpint(format, ==, IMAGE_FORMAT_QCOW2);
    g_assert_cmpstr(flat, ==, "/img/a");
    g_assert_cmpstr(file, ==, "/img/b");
    g_assert_cmpstr(colon, ==, "/img/dir/a:b");
    g_assert_null(image_backing_path("/img/top", "nbd://host/x", NULL));
    g_assert_null(image_backing_path("/img/top", "json:{\"driver\":\"rbd\",\"pool\":\"p\"}", NULL));
    g_assert_null(image_backing_path("/img/top", "json:{broken", NULL));
}

static void
network_base_ends_the_chain_unopened(Folder *folder, gconstpointer unused)
{
    g_autoptr(ImageChain) chain = NULL;

    g_assert_true(overlay(folder, "a", "nbd://host/x", "raw", NULL, NULL));
    chain = chain_of(folder, "a", NULL);
    g_assert_cmpuint(chain->layers->len, ==, 2);
    g_assert_null(image_chain_base(chain)->path);
    g_assert_null(image_chain_base(chain)->header);
    g_assert_cmpstr(image_chain_base(chain)->name, ==, "nbd://host/x");
}

static void
overlay_never_takes_the_place_of_a_file(Folder *folder, gconstpointer unused)
{
    g_autofree char *path = in(folder, "a");
    OverlaySpec spec = {.path = path,
                        .job = "j",
                        .format = IMAGE_FORMAT_QCOW2,
                        .size_bytes = 512,
                        .uid = (uid_t)-1,
                        .gid = (gid_t)-1};
    g_autoptr(GError) err = NULL;
    FileMark id, now;

    g_assert_true(overlay_make(&spec, &id, NULL));
    write_raw(folder, "a"); /* somebody is faster */
    g_assert_false(overlay_publish(path, "j", id, &err));
    g_assert_true(overlay_withdraw(path, "j", id, NULL));
    g_assert_true(file_mark_of(path, &now));
    g_assert_false(file_mark_equal(now, id));
}

static void
withdrawn_overlay_leaves_nothing_before_and_after_publishing(Folder *folder, gconstpointer unused)
{
    g_autofree char *path = in(folder, "a");
    OverlaySpec spec = {.path = path,
                        .job = "j",
                        .format = IMAGE_FORMAT_QCOW2,
                        .size_bytes = 512,
                        .uid = (uid_t)-1,
                        .gid = (gid_t)-1};
    FileMark id;

    for (int published = 0; published < 2; published++) {
        g_auto(GStrv) names = NULL;

        g_assert_true(overlay_make(&spec, &id, NULL));
        if (published)
            g_assert_true(overlay_publish(path, "j", id, NULL));
        g_assert_true(overlay_withdraw(path, "j", id, NULL));
        g_assert_true(overlay_withdraw(path, "j", id, NULL));
        names = dir_list(folder->dir, NULL);
        g_assert_cmpuint(g_strv_length(names), ==, 0);
    }
}

static void
holders_are_found_through_every_image_above(Folder *folder, gconstpointer unused)
{
    g_autoptr(ImageGraph) graph = image_graph_new();
    g_autoptr(GPtrArray) holders = NULL;
    g_autoptr(GPtrArray) users = NULL;
    g_autofree char *base = in(folder, "base");
    g_autofree char *left = in(folder, "left");
    g_autofree char *right = in(folder, "right");

    write_raw(folder, "base");
    g_assert_true(overlay(folder, "left", base, "raw", NULL, NULL));
    g_assert_true(overlay(folder, "right", base, "raw", NULL, NULL));
    image_graph_hold(graph, "domain a", left, IMAGE_FORMAT_QCOW2);
    image_graph_hold(graph, "domain b", right, IMAGE_FORMAT_QCOW2);
    holders = image_graph_holders(graph, base, NULL);
    g_assert_cmpuint(holders->len, ==, 2);
    g_assert_cmpstr(holders->pdata[0], ==, "domain a");
    users = image_graph_users(graph, base);
    g_assert_cmpuint(users->len, ==, 2);
    g_ptr_array_unref(holders);
    holders = image_graph_holders(graph, left, "domain a");
    g_assert_cmpuint(holders->len, ==, 0);
}

static void
guard_keeps_held_and_replaced_files_and_lets_others_go(Folder *folder, gconstpointer unused)
{
    g_autoptr(ImageGraph) graph = image_graph_new();
    g_autoptr(GError) held = NULL;
    g_autoptr(GError) other = NULL;
    g_autofree char *base = in(folder, "base");
    g_autofree char *top = in(folder, "top");
    g_autofree char *old = in(folder, "old");
    FileMark base_id, old_id;

    write_raw(folder, "base");
    g_assert_true(file_mark_of(base, &base_id));
    g_assert_true(overlay(folder, "top", base, "raw", NULL, NULL));
    g_assert_true(overlay(folder, "old", base, "raw", &old_id, NULL));
    image_graph_hold(graph, "domain a", top, IMAGE_FORMAT_QCOW2);

    g_assert_false(image_graph_may_remove(graph, base, base_id, &held));
    g_assert_nonnull(strstr(held->message, "domain a"));
    g_assert_true(image_graph_may_remove(graph, old, old_id, NULL));
    g_assert_false(image_graph_may_remove(graph, old, base_id, &other));
    g_assert_nonnull(strstr(other->message, "not the file"));
}

static void
second_name_of_a_file_is_the_same_image(Folder *folder, gconstpointer unused)
{
    g_autoptr(ImageGraph) graph = image_graph_new();
    g_autofree char *base = in(folder, "base");
    g_autofree char *link_path = in(folder, "link");

    write_raw(folder, "base");
    g_assert_cmpint(symlink("base", link_path), ==, 0);
    image_graph_hold(graph, "domain a", link_path, IMAGE_FORMAT_RAW);
    g_assert_true(image_graph_is_held(graph, base));
}

static void
unreadable_image_keeps_the_files_beside_it(Folder *folder, gconstpointer unused)
{
    g_autoptr(ImageGraph) graph = image_graph_new();
    g_autoptr(GError) err = NULL;
    g_autofree char *bad = in(folder, "bad");
    g_autofree char *old = in(folder, "old");
    FileMark id;

    write_raw(folder, "bad");
    g_assert_true(overlay(folder, "old", NULL, NULL, &id, NULL));
    image_graph_hold(graph, "domain a", bad, IMAGE_FORMAT_QCOW2);
    g_assert_false(image_graph_may_remove(graph, old, id, &err));
    g_assert_nonnull(strstr(err->message, "cannot be read"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add("/chain/" #name, Folder, NULL, set_up, name, tear_down)
    ADD(chain_follows_relative_names_from_the_overlays_folder);
    ADD(backing_image_without_a_named_format_is_raw_and_ends_the_chain);
    ADD(format_from_the_configuration_wins_over_a_silent_header);
    ADD(loop_and_missing_file_are_errors_that_name_both_images);
    ADD(network_and_json_names_are_told_from_local_files);
    ADD(network_base_ends_the_chain_unopened);
    ADD(overlay_never_takes_the_place_of_a_file);
    ADD(withdrawn_overlay_leaves_nothing_before_and_after_publishing);
    ADD(holders_are_found_through_every_image_above);
    ADD(guard_keeps_held_and_replaced_files_and_lets_others_go);
    ADD(second_name_of_a_file_is_the_same_image);
    ADD(unreadable_image_keeps_the_files_beside_it);
    return g_test_run();
}
