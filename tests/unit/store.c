/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about src/object/store.h and params.h. */
#include "object/store.h"

#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "object/params.h"

#define UUID_TEXT_OF_WEB "11111111-2222-3333-4444-555555555555"

typedef struct {
    char *dir, *autostart_dir;
    Store *store;
} Fixture;

static void
setup(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    fixture->dir = g_dir_make_tmp("store-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->autostart_dir = g_strconcat(fixture->dir, "/autostart", NULL);
    fixture->store = store_new(fixture->dir, fixture->autostart_dir, "edit", &error);
    g_assert_no_error(error);
}

static void
remove_all(const char *dir)
{
    g_auto(GStrv) names = dir_list(dir, NULL);

    for (char **name = names; *name; name++) {
        g_autofree char *path = g_strconcat(dir, "/", *name, NULL);

        if (unlink(path) < 0)
            remove_all(path);
    }
    g_assert_cmpint(rmdir(dir), ==, 0);
}

static void
teardown(Fixture *fixture, gconstpointer unused)
{
    remove_all(fixture->dir);
    store_free(fixture->store);
    g_free(fixture->autostart_dir);
    g_free(fixture->dir);
}

static void
save(Fixture *fixture, const char *name, const char *xml)
{
    g_autoptr(GError) error = NULL;

    store_save(fixture->store, name, name, UUID_TEXT_OF_WEB, xml, &error);
    g_assert_no_error(error);
}

static void
file_has_the_comment_and_mode_0600(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = store_path(fixture->store, "web");
    g_autofree char *text = NULL;
    struct stat info;

    save(fixture, "web", "<domain/>\n");
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(
        text, ==,
        "<!--\n"
        "WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
        "  virsh edit web\n"
        "or other application using the libvirt API.\n"
        "-->\n"
        "\n"
        "<domain/>\n");
    g_assert_cmpint(stat(path, &info), ==, 0);
    g_assert_cmpuint(info.st_mode & 07777, ==, 0600);
}

static void
comment_names_the_uuid_when_the_name_is_odd(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *blank = store_comment("edit", "my web", UUID_TEXT_OF_WEB);
    g_autofree char *dashes = store_comment("edit", "a--b", UUID_TEXT_OF_WEB);
    g_autofree char *none = store_comment("snapshot-edit", NULL, NULL);

    g_assert_nonnull(strstr(blank, "  virsh edit " UUID_TEXT_OF_WEB "\n"));
    g_assert_nonnull(strstr(dashes, "  virsh edit " UUID_TEXT_OF_WEB "\n"));
    g_assert_nonnull(strstr(none, "  virsh snapshot-edit\n"));
}

static void
names_that_leave_the_folder_are_refused(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *huge = g_strnfill(252, 'x');
    const char *const bad[] = {"", "a/b", "../x", "two\nlines", huge};

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(store_save(fixture->store, bad[i], bad[i], NULL, "<domain/>", &error));
        g_assert_nonnull(error);
    }
    g_assert_true(store_check_name(fixture->store, "with blank \xc3\xa4", NULL));
}

static void
autostart_is_a_link_to_the_file(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = store_path(fixture->store, "web");
    g_autofree char *link_path = g_strconcat(fixture->autostart_dir, "/web.xml", NULL);
    g_autofree char *target = NULL;

    save(fixture, "web", "<domain/>");
    g_assert_false(store_get_autostart(fixture->store, "web"));
    g_assert_true(store_set_autostart(fixture->store, "web", true, NULL));
    g_assert_true(store_set_autostart(fixture->store, "web", true, NULL));
    target = g_file_read_link(link_path, NULL);
    g_assert_cmpstr(target, ==, path);
    save(fixture, "web", "<domain><name>web</name></domain>");
    g_assert_true(store_get_autostart(fixture->store, "web"));
    g_assert_true(store_remove(fixture->store, "web", NULL));
    g_assert_false(file_exists(path));
    g_assert_false(g_file_test(link_path, G_FILE_TEST_IS_SYMLINK));
    g_assert_true(store_remove(fixture->store, "web", NULL));
}

static bool
note_file(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
          void *opaque, GError **err)
{
    g_string_append_printf(opaque, "%s%s ", stem, autostart ? "*" : "");
    g_assert_cmpuint(strlen(xml), ==, len);
    return true;
}

static void
load_shows_xml_files_in_order(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GString) trace = g_string_new(NULL);
    g_autofree char *left_over = g_strconcat(fixture->dir, "/c.xml.new", NULL);

    save(fixture, "b", "<domain/>");
    save(fixture, "a", "<domain/>");
    g_assert_true(g_file_set_contents(left_over, "<domain/>", -1, NULL));
    g_assert_true(store_set_autostart(fixture->store, "b", true, NULL));
    g_assert_true(store_load(fixture->store, note_file, trace, NULL));
    g_assert_cmpstr(trace->str, ==, "a b* ");
}

static void
pid_file_has_one_owner(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = g_strconcat(fixture->dir, "/driver.pid", NULL);
    g_autofree char *text = NULL;
    g_autofree char *expected = g_strdup_printf("%lld", (long long)getpid());
    auto_fd int fd = store_lock_pid_file(path, NULL);
    int status;
    pid_t child;

    g_assert_cmpint(fd, >=, 0);
    child = fork();
    if (child == 0)
        _exit(store_lock_pid_file(path, NULL) < 0 ? 0 : 1);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* Last, because closing any descriptor of the file gives its lock up. */
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

static void
autostarted_mark_stays(Fixture *fixture, gconstpointer unused)
{
    g_assert_false(store_is_autostarted(fixture->dir));
    g_assert_true(store_mark_autostarted(fixture->dir, NULL));
    g_assert_true(store_is_autostarted(fixture->dir));
}

static void
params_are_built_with_prefixes_and_read_by_type(void)
{
    g_auto(ParamList) list = PARAM_LIST_INIT;
    g_autoptr(GError) error = NULL;
    unsigned long long time_ns = 0;
    const char *nic_name = NULL;

    params_add_ullong(&list, "cpu.time", 12);
    params_set_prefix(&list, "net.%d.", 0);
    params_add_string(&list, "name", "vnet0");
    g_assert_cmpuint(list.count, ==, 2);
    g_assert_cmpint(params_get_ullong(list.items, list.count, "cpu.time", &time_ns, NULL), ==, 1);
    g_assert_cmpuint(time_ns, ==, 12);
    g_assert_cmpint(params_get_string(list.items, list.count, "net.0.name", &nic_name, NULL), ==,
                    1);
    g_assert_cmpstr(nic_name, ==, "vnet0");
    g_assert_cmpint(params_get_string(list.items, list.count, "name", &nic_name, NULL), ==, 0);
    g_assert_cmpint(params_get_string(list.items, list.count, "cpu.time", &nic_name, &error), ==,
                    -1);
    g_assert_nonnull(error);
}

static void
unknown_or_repeated_params_are_named(void)
{
    static const ParamRule rules[] = {
        {"a", VIR_TYPED_PARAM_INT, false}, {"b", VIR_TYPED_PARAM_INT, true}, {NULL, 0, false}};
    g_auto(ParamList) list = PARAM_LIST_INIT;
    g_autoptr(GError) repeated = NULL;
    g_autoptr(GError) unknown = NULL;

    params_add_int(&list, "a", 1);
    params_add_int(&list, "b", 1);
    params_add_int(&list, "b", 2);
    g_assert_true(params_check(list.items, list.count, rules, NULL));
    params_add_int(&list, "a", 1);
    g_assert_false(params_check(list.items, list.count, rules, &repeated));
    g_assert_nonnull(strstr(repeated->message, "'a'"));
    list.items[3].field[0] = 'z';
    g_assert_false(params_check(list.items, list.count, rules, &unknown));
    g_assert_nonnull(strstr(unknown->message, "'z'"));
}

#define TEST(name) g_test_add("/store/" #name, Fixture, NULL, setup, name, teardown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(file_has_the_comment_and_mode_0600);
    TEST(comment_names_the_uuid_when_the_name_is_odd);
    TEST(names_that_leave_the_folder_are_refused);
    TEST(autostart_is_a_link_to_the_file);
    TEST(load_shows_xml_files_in_order);
    TEST(pid_file_has_one_owner);
    TEST(autostarted_mark_stays);
    g_test_add_func("/params/params_are_built_with_prefixes_and_read_by_type",
                    params_are_built_with_prefixes_and_read_by_type);
    g_test_add_func("/params/unknown_or_repeated_params_are_named",
                    unknown_or_repeated_params_are_named);
    return g_test_run();
}
