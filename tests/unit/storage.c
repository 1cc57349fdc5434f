/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage without a daemon: rules of pools and volumes, names of unfinished files, what a folder's files are. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/storage/copy.h"
#include "driver/storage/folder.h"
#include "driver/storage/make.h"
#include "driver/storage/volume.h"
#include "model/pool.h"

#define TARGET "<target><path>/t</path></target>"

static void
paths_are_cleaned_but_for_two_slashes_at_the_beginning(void)
{
    static const char *const cases[][2] = {
        {"/", "/"},         {"//", "/"},      {"///", "/"}, {"/a/", "/a"}, {"///a////b//", "/a/b"},
        {"//a/b", "//a/b"}, {"x//y/", "x/y"}, {"", ""},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *cleaned = storage_path_clean(cases[i][0]);

        g_assert_cmpstr(cleaned, ==, cases[i][1]);
    }
}

static void
expect_pool_error(const char *xml, int code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StoragePool) pool = storage_pool_read(xml, &error);

    g_assert_null(pool);
    g_assert_cmpint(error_code(error), ==, code);
}

static void
each_type_says_what_its_source_lacks(void)
{
    expect_pool_error("<pool type='dir'><name>n</name></pool>", VIR_ERR_XML_ERROR);
    expect_pool_error("<pool type='dir'>" TARGET "</pool>", VIR_ERR_XML_ERROR);
    expect_pool_error("<pool type='dir'><name>a/b</name>" TARGET "</pool>", VIR_ERR_XML_ERROR);
    expect_pool_error("<pool type='fs'><name>n</name>" TARGET "</pool>", VIR_ERR_XML_ERROR);
    expect_pool_error("<pool type='netfs'><name>n</name><source><host name='h'/></source>" TARGET
                      "</pool>",
                      VIR_ERR_XML_ERROR);
    expect_pool_error("<pool type='fs'><name>n</name><source><device path='/d'/>"
                      "<format type='nfs'/></source>" TARGET "</pool>",
                      VIR_ERR_CONFIG_UNSUPPORTED);
    expect_pool_error("<pool type='scsi'><name>n</name><source><adapter type='fc_host' wwnn='x' "
                      "wwpn='y'/></source>" TARGET "</pool>",
                      VIR_ERR_INTERNAL_ERROR);
    expect_pool_error("<pool type='iscsi'><name>n</name><source><host name='h'/><auth type='x' "
                      "username='u'><secret usage='u'/></auth></source>" TARGET "</pool>",
                      VIR_ERR_CONFIG_UNSUPPORTED);
}

static void
what_a_type_does_not_have_is_dropped_and_what_it_needs_is_filled_in(void)
{
    g_autoptr(StoragePool) dir = storage_pool_read(
        "<pool type='dir'><name>n</name><source><name>x</name><host name='h'/><dir path='/d'/>"
        "<format type='auto'/></source><target><path>/t/</path><permissions><owner>-1</owner>"
        "<group>4294967295</group></permissions></target></pool>",
        NULL);
    g_autoptr(StoragePool) logical =
        storage_pool_read("<pool type='logical'><source><name>vg</name></source></pool>", NULL);

    g_assert_null(dir->source.name);
    g_assert_cmpuint(dir->source.n_hosts, ==, 0);
    g_assert_null(dir->source.dir_path);
    g_assert_null(dir->source.format_type);
    g_assert_cmpstr(dir->target.path, ==, "/t");
    g_assert_false(dir->target.permissions->has_owner);
    g_assert_false(dir->target.permissions->has_group);
    g_assert_true(dir->has_uuid);
    g_assert_cmpstr(logical->name, ==, "vg");
    g_assert_cmpstr(logical->target.path, ==, "/dev/vg");
    g_assert_cmpstr(logical->source.format_type, ==, "lvm2");
}

static int
make_code(const char *format, const char *more)
{
    g_autofree char *xml = g_strdup_printf("<volume><name>v</name><capacity>1</capacity><target>"
                                           "<format type='%s'/>%s",
                                           format, more);
    g_autoptr(GError) error = NULL;
    g_autoptr(StorageVolume) volume = storage_volume_read(xml, false, &error);

    g_assert_no_error(error);
    return make_check(volume, false, &error) ? 0 : error_code(error);
}

static void
volumes_that_cannot_be_made_are_refused_before_anything_is(void)
{
    static const char end[] = "</target></volume>";
    static const char luks[] =
        "<encryption format='luks'><secret type='passphrase' usage='u'/></encryption>"
        "</target></volume>";
    static const char backed[] = "</target><backingStore><path>/b</path></backingStore></volume>";

    g_assert_cmpint(make_code("raw", end), ==, 0);
    g_assert_cmpint(make_code("qcow2", end), ==, 0);
    g_assert_cmpint(make_code("qcow2", backed), ==, 0);
    g_assert_cmpint(make_code("raw", luks), ==, 0);
    g_assert_cmpint(make_code("qcow2", luks), ==, 0);
    g_assert_cmpint(make_code("vmdk", luks), ==, VIR_ERR_CONFIG_UNSUPPORTED);
    g_assert_cmpint(make_code("raw", backed), ==, VIR_ERR_NO_SUPPORT);
    g_assert_cmpint(make_code("dmg", end), ==, VIR_ERR_CONFIG_UNSUPPORTED);
    g_assert_cmpint(make_code("raw", "<compat>1.1</compat></target></volume>"), ==,
                    VIR_ERR_CONFIG_UNSUPPORTED);
    g_assert_cmpint(make_code("qcow2", "<compat>0.10</compat><features><lazy_refcounts/></features>"
                                       "</target></volume>"),
                    ==, VIR_ERR_CONFIG_UNSUPPORTED);
}

static void
names_of_unfinished_files_are_known_as_such(void)
{
    g_autofree char *made = folder_part_name("disk.qcow2");
    g_autofree char *long_name = g_strnfill(255, 'x');
    g_autofree char *of_long = folder_part_name(long_name);

    g_assert_true(folder_is_part(made));
    g_assert_true(g_str_has_prefix(made, ".disk.qcow2."));
    g_assert_true(folder_is_part(of_long));
    g_assert_cmpuint(strlen(of_long), <, 256);
    g_assert_false(folder_is_part("disk.qcow2"));
    g_assert_false(folder_is_part(".part"));
    g_assert_false(folder_is_part(".x.part"));
    g_assert_false(folder_is_part(".x.0123456g.part"));
    g_assert_false(folder_is_part("x.01234567.part"));
}

static void
volumes_are_found_by_name_in_a_sorted_list(void)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)volume_unref);
    static const char *const names[] = {"b", "d", "a", "c"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        StorageVolume *info = storage_volume_new();

        info->name = g_strdup(names[i]);
        g_ptr_array_add(list, volume_new(info, NULL));
    }
    g_ptr_array_sort(list, volume_compare);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_cmpstr(volume_find(list, names[i])->info->name, ==, names[i]);
    g_assert_null(volume_find(list, "aa"));
    g_assert_null(volume_find(list, "e"));
    g_assert_null(volume_find(NULL, "a"));
}

static void
one_user_that_must_be_alone_excludes_the_others(void)
{
    StorageVolume *info = storage_volume_new();
    g_autoptr(Volume) volume = NULL;
    g_autoptr(Volume) refreshed = NULL;

    info->name = g_strdup("v");
    volume = volume_new(info, NULL);
    refreshed = volume_new(storage_volume_copy(info), volume->use);
    g_assert_true(volume_begin(volume, VOLUME_SHARED, NULL));
    g_assert_true(volume_begin(refreshed, VOLUME_SHARED, NULL));
    g_assert_false(volume_begin(refreshed, VOLUME_ALONE, NULL));
    volume_end(volume, VOLUME_SHARED);
    volume_end(refreshed, VOLUME_SHARED);
    g_assert_true(volume_begin(refreshed, VOLUME_ALONE, NULL));
    g_assert_false(volume_begin(volume, VOLUME_SHARED, NULL));
    g_assert_false(volume_check_whole(volume, NULL));
    volume_end(refreshed, VOLUME_ALONE);
    g_assert_true(volume_check_whole(volume, NULL));
}

static void
copies_have_the_bytes_and_the_holes(void)
{
    g_autofree char *from = g_build_filename(g_get_tmp_dir(), "storage-XXXXXX", NULL);
    g_autofree char *to = g_strdup(from);
    auto_fd int source = g_mkstemp(from);
    auto_fd int copy = g_mkstemp(to);
    char bytes[4] = "";
    struct stat st;

    g_assert_true(pwrite(source, "data", 4, 8 << 20) == 4);
    g_assert_true(ftruncate(source, 64 << 20) == 0);
    g_assert_true(copy_file(from, copy, false, NULL));
    g_assert_true(fstat(copy, &st) == 0);
    g_assert_true(st.st_size == 64 << 20 && st.st_blocks * 512 < 1 << 20);
    g_assert_true(pread(copy, bytes, 4, 8 << 20) == 4);
    g_assert_cmpmem(bytes, 4, "data", 4);
    unlink(from);
    unlink(to);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/storage/" #name, name)
    TEST(paths_are_cleaned_but_for_two_slashes_at_the_beginning);
    TEST(each_type_says_what_its_source_lacks);
    TEST(what_a_type_does_not_have_is_dropped_and_what_it_needs_is_filled_in);
    TEST(volumes_that_cannot_be_made_are_refused_before_anything_is);
    TEST(names_of_unfinished_files_are_known_as_such);
    TEST(volumes_are_found_by_name_in_a_sorted_list);
    TEST(one_user_that_must_be_alone_excludes_the_others);
    TEST(copies_have_the_bytes_and_the_holes);
    return g_test_run();
}
