/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/base: errors, files, ids, text. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/text.h"

static void
error_text_puts_the_detail_into_the_text_of_the_code(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_false(fail(&err, VIR_ERR_INTERNAL_ERROR, "disk %s", "vda"));
    g_assert_cmpstr(err->message, ==, "internal error: disk vda");
    g_assert_cmpint(error_code(err), ==, VIR_ERR_INTERNAL_ERROR);
    g_assert_cmpint(error_domain_of(err), ==, VIR_FROM_QEMU);
    g_assert_true(error_is(err, VIR_ERR_INTERNAL_ERROR));
}

static void
error_text_without_detail_is_the_plain_one(void)
{
    g_autofree char *message = error_message(VIR_ERR_INTERNAL_ERROR, NULL);

    g_assert_cmpstr(message, ==, "internal error");
}

static void
error_detail_with_percent_signs_is_not_a_format(void)
{
    g_autofree char *message = error_message(VIR_ERR_INTERNAL_ERROR, "100%s%n");

    g_assert_cmpstr(message, ==, "internal error: 100%s%n");
}

static void
error_detail_survives_copy_and_prefix(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GError) copy = NULL;

    errno = ENOENT;
    fail_errno(&err, "open", "/x");
    error_detail_edit(err)->str1 = g_strdup("vda");
    g_prefix_error(&err, "guest web1: ");
    copy = g_error_copy(err);
    g_clear_error(&err);
    g_assert_cmpstr(copy->message, ==, "guest web1: cannot open '/x': No such file or directory");
    g_assert_cmpint(error_code(copy), ==, VIR_ERR_SYSTEM_ERROR);
    g_assert_cmpint(error_detail(copy)->int1, ==, ENOENT);
    g_assert_cmpstr(error_detail(copy)->str1, ==, "vda");
}

static void
error_of_another_library_counts_as_internal(void)
{
    g_autoptr(GError) err = g_error_new(G_FILE_ERROR, G_FILE_ERROR_ACCES, "no");

    g_assert_cmpint(error_code(err), ==, VIR_ERR_INTERNAL_ERROR);
    g_assert_null(error_detail_edit(err));
    g_assert_null(error_detail(err)->str1);
}

static void
atomic_write_replaces_and_leaves_no_temporary(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *dir = g_dir_make_tmp("base-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "a.xml", NULL);
    g_autofree char *text = NULL;
    struct stat st;
    size_t len;

    g_assert_true(file_write_atomic(path, "one", 3, 0600, &err));
    g_assert_true(file_write_atomic(path, "second", 6, 0600, &err));
    text = file_read(path, 100, &len, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(text, ==, "second");
    g_assert_cmpuint(len, ==, 6);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);

    g_auto(GStrv) names = dir_list(dir, &err);
    g_assert_cmpuint(g_strv_length(names), ==, 1);
    g_assert_true(file_remove(path, &err));
    g_assert_true(file_remove(path, &err)); /* absent is fine */
    g_assert_cmpint(rmdir(dir), ==, 0);
}

static void
reading_more_than_the_bound_is_an_error(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *dir = g_dir_make_tmp("base-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "a", NULL);

    g_assert_true(file_write_atomic(path, "0123456789", 10, 0600, NULL));
    g_assert_null(file_read(path, 9, NULL, &err));
    g_assert_cmpint(error_code(err), ==, VIR_ERR_OPERATION_FAILED);
    file_remove(path, NULL);
    rmdir(dir);
}

static void
files_without_a_size_are_read_whole(void)
{
    g_autoptr(GError) err = NULL;
    size_t len = 0;
    g_autofree char *text = file_read("/proc/self/status", 1 << 20, &len, &err);

    g_assert_no_error(err);
    g_assert_cmpuint(len, ==, strlen(text));
    g_assert_nonnull(strstr(text, "Name:"));
}

static void
new_file_is_refused_when_one_or_a_link_is_there(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *dir = g_dir_make_tmp("base-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "link", NULL);

    g_assert_cmpint(symlink("/nonexistent-target", path), ==, 0);
    g_assert_cmpint(file_create_new(path, 0600, &err), ==, -1);
    g_assert_cmpint(error_code(err), ==, VIR_ERR_SYSTEM_ERROR);
    unlink(path);
    rmdir(dir);
}

static void
only_single_components_are_names(void)
{
    g_assert_true(name_is_component("web 1"));
    g_assert_false(name_is_component(""));
    g_assert_false(name_is_component(NULL));
    g_assert_false(name_is_component(".."));
    g_assert_false(name_is_component("a/b"));
}

static void
uuid_text_goes_both_ways(void)
{
    guchar uuid[UUID_BYTES], again[UUID_BYTES];
    char text[UUID_TEXT];

    uuid_generate(uuid);
    uuid_format(uuid, text);
    g_assert_cmpuint(strlen(text), ==, 36);
    g_assert_cmpint(text[14], ==, '4');
    g_assert_true(uuid_parse(text, again));
    g_assert_true(uuid_equal(uuid, again));
    g_assert_true(uuid_parse("c7a5fdbd edaf 9455 926a d65c16db1809", again));
    g_assert_false(uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db180", again));
    g_assert_false(uuid_parse("c7a5fdbd-edaf-9455-926a-d65c16db18099", again));
    g_assert_false(uuid_parse("", again));
}

static void
mac_text_goes_both_ways(void)
{
    static const guchar prefix[3] = {0x52, 0x54, 0x00};
    guchar mac[6], again[6];
    char text[MAC_TEXT];

    mac_generate(prefix, mac);
    mac_format(mac, text);
    g_assert_true(g_str_has_prefix(text, "52:54:00:"));
    g_assert_true(mac_parse(text, again));
    g_assert_cmpmem(mac, 6, again, 6);
    g_assert_false(mac_parse("52:54:00:00:00", again));
    g_assert_false(mac_parse("52:54:00:00:00:000", again));
}

static void
numbers_are_whole_strings_within_range(void)
{
    unsigned long long wide;
    unsigned int narrow;
    int number;
    double real;

    g_assert_true(text_to_int("-12", 10, &number));
    g_assert_cmpint(number, ==, -12);
    g_assert_false(text_to_int("2147483648", 10, &number));
    g_assert_false(text_to_int("12x", 10, &number));
    g_assert_false(text_to_int(" 12", 10, &number));
    g_assert_false(text_to_int("", 10, &number));
    g_assert_false(text_to_uint("-1", 10, &narrow));
    g_assert_true(text_to_uint("0xff", 16, &narrow));
    g_assert_cmpuint(narrow, ==, 255);
    g_assert_true(text_to_ullong("18446744073709551615", 10, &wide));
    g_assert_false(text_to_ullong("18446744073709551616", 10, &wide));
    g_assert_true(text_to_double("1.5", &real));
    g_assert_false(text_to_double("inf", &real));
}

static void
quoting_leaves_nothing_to_interpret(void)
{
    g_autoptr(GString) out = g_string_new(NULL);

    text_append_xml(out, "<a b='c'>&\x01");
    g_assert_cmpstr(out->str, ==, "&lt;a b=&apos;c&apos;&gt;&amp;");
    g_string_truncate(out, 0);
    text_append_shell(out, "it's $HOME");
    g_assert_cmpstr(out->str, ==, "'it'\\''s $HOME'");
    g_string_truncate(out, 0);
    text_append_shell(out, "/plain/path.qcow2");
    g_assert_cmpstr(out->str, ==, "/plain/path.qcow2");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/base/" #name, name)
    ADD(error_text_puts_the_detail_into_the_text_of_the_code);
    ADD(error_text_without_detail_is_the_plain_one);
    ADD(error_detail_with_percent_signs_is_not_a_format);
    ADD(error_detail_survives_copy_and_prefix);
    ADD(error_of_another_library_counts_as_internal);
    ADD(atomic_write_replaces_and_leaves_no_temporary);
    ADD(reading_more_than_the_bound_is_an_error);
    ADD(files_without_a_size_are_read_whole);
    ADD(new_file_is_refused_when_one_or_a_link_is_there);
    ADD(only_single_components_are_names);
    ADD(uuid_text_goes_both_ways);
    ADD(mac_text_goes_both_ways);
    ADD(numbers_are_whole_strings_within_range);
    ADD(quoting_leaves_nothing_to_interpret);
    return g_test_run();
}
