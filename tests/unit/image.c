/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/image: headers of all formats, names, and the overlays that we write ourselves. Chains and
 * holders: chain.c. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <string.h>

#include "base/error.h"
#include "image/header.h"
#include "image/name.h"
#include "image/qcow2.h"

static ImageHeader *
read_bytes(const void *bytes, gsize len, ImageFormat format, GError **err)
{
    ImageReader reader;

    image_reader_of_bytes(&reader, bytes, len);
    return image_header_read(&reader, format, "x", err);
}

static ImageHeader *
read_overlay(const Qcow2Overlay *overlay)
{
    guint64 len;
    g_autoptr(GByteArray) bytes = qcow2_overlay_bytes(overlay, &len);
    g_autoptr(GError) err = NULL;
    ImageHeader *header = read_bytes(bytes->data, bytes->len, IMAGE_FORMAT_QCOW2, &err);

    g_assert_no_error(err);
    g_assert_cmpuint(bytes->len, <=, len);
    return header;
}

static void
qcow2_overlay_reads_back_as_written(void)
{
    Qcow2Overlay overlay = {.size_bytes = 20ull << 40,
                            .cluster_bits = 21,
                            .extended_l2 = true,
                            .backing_name = "/img/base.qcow2",
                            .backing_format = "qcow2"};
    g_autoptr(ImageHeader) header = NULL;

    g_assert_null(qcow2_overlay_problem(&overlay));
    header = read_overlay(&overlay);
    g_assert_cmpuint(header->version, ==, 3);
    g_assert_cmpuint(header->size_bytes, ==, 20ull << 40);
    g_assert_cmpuint(header->cluster_bits, ==, 21);
    g_assert_true(header->extended_l2);
    g_assert_cmpstr(header->backing_name, ==, "/img/base.qcow2");
    g_assert_cmpstr(header->backing_format, ==, "qcow2");
    g_assert_false(header->is_dirty);
}

static void
qcow2_image_of_version_2_reads_back_as_written(void)
{
    Qcow2Overlay layout = {.size_bytes = 1ull << 40,
                           .cluster_bits = 16,
                           .is_version_2 = true,
                           .backing_name = "b",
                           .backing_format = "raw"};
    g_autoptr(ImageHeader) header = NULL;

    g_assert_null(qcow2_overlay_problem(&layout));
    header = read_overlay(&layout);
    g_assert_cmpuint(header->version, ==, 2);
    g_assert_cmpuint(header->size_bytes, ==, 1ull << 40);
    g_assert_cmpstr(header->backing_name, ==, "b");
    g_assert_cmpstr(header->backing_format, ==, "raw");
    layout.lazy_refcounts = true;
    g_assert_nonnull(qcow2_overlay_problem(&layout));
}

static void
qcow2_image_says_that_its_refcounts_are_lazy(void)
{
    Qcow2Overlay layout = {.size_bytes = 1 << 20, .cluster_bits = 16, .lazy_refcounts = true};
    g_autoptr(ImageHeader) header = read_overlay(&layout);

    g_assert_true(header->lazy_refcounts);
    g_assert_false(header->is_dirty);
    g_assert_false(header->is_luks);
}

static void
qcow2_overlay_holds_a_backing_name_of_1023_bytes(void)
{
    g_autofree char *name = g_strnfill(IMAGE_NAME_MAX, 'n');
    Qcow2Overlay overlay = {
        .size_bytes = 512, .cluster_bits = 16, .backing_name = name, .backing_format = "raw"};
    g_autoptr(ImageHeader) header = read_overlay(&overlay);

    g_assert_cmpstr(header->backing_name, ==, name);
}

static void
qcow2_overlay_layout_refuses_what_it_does_not_cover(void)
{
    g_autofree char *name = g_strnfill(IMAGE_NAME_MAX + 1, 'n');
    Qcow2Overlay small = {.size_bytes = 512, .cluster_bits = 9};
    Qcow2Overlay odd = {.size_bytes = 513, .cluster_bits = 16};
    Qcow2Overlay lengthy = {.size_bytes = 512, .cluster_bits = 16, .backing_name = name};
    Qcow2Overlay huge = {.size_bytes = 1ull << 55, .cluster_bits = 16};

    g_assert_nonnull(qcow2_overlay_problem(&small));
    g_assert_nonnull(qcow2_overlay_problem(&odd));
    g_assert_nonnull(qcow2_overlay_problem(&lengthy));
    g_assert_nonnull(qcow2_overlay_problem(&huge));
}

static void
qcow2_header_cut_off_anywhere_is_an_error_or_a_header(void)
{
    Qcow2Overlay overlay = {
        .size_bytes = 1 << 20, .cluster_bits = 16, .backing_name = "b", .backing_format = "raw"};
    guint64 len;
    g_autoptr(GByteArray) bytes = qcow2_overlay_bytes(&overlay, &len);

    for (gsize cut = 0; cut < 200; cut++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(ImageHeader) header = read_bytes(bytes->data, cut, IMAGE_FORMAT_QCOW2, &err);

        g_assert_true((header == NULL) == (err != NULL));
        if (cut < 104)
            g_assert_null(header);
    }
}

static void
raw_image_with_a_qcow2_header_inside_stays_raw(void)
{
    Qcow2Overlay overlay = {.size_bytes = 1 << 20,
                            .cluster_bits = 16,
                            .backing_name = "/etc/shadow",
                            .backing_format = "raw"};
    guint64 len;
    g_autoptr(GByteArray) bytes = qcow2_overlay_bytes(&overlay, &len);
    g_autoptr(ImageHeader) header = read_bytes(bytes->data, bytes->len, IMAGE_FORMAT_RAW, NULL);

    g_assert_cmpint(header->format, ==, IMAGE_FORMAT_RAW);
    g_assert_null(header->backing_name);
    g_assert_cmpuint(header->size_bytes, ==, bytes->len);
}

static void
header_of_another_format_is_refused_by_name(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(read_bytes("QED\0....", 8, IMAGE_FORMAT_QCOW2, &err));
    g_assert_nonnull(strstr(err->message, "not in qcow2 format"));
    g_clear_error(&err);
    g_assert_null(read_bytes("QFI\xfb", 4, IMAGE_FORMAT_UNKNOWN, &err));
    g_assert_nonnull(strstr(err->message, "not given"));
}

static void
qcow2_extension_longer_than_the_header_is_refused(void)
{
    Qcow2Overlay overlay = {
        .size_bytes = 1 << 20, .cluster_bits = 16, .backing_name = "b", .backing_format = "raw"};
    guint64 len;
    g_autoptr(GByteArray) bytes = qcow2_overlay_bytes(&overlay, &len);
    g_autoptr(GError) err = NULL;

    memset(bytes->data + 108, 0xff, 4);
    g_assert_null(read_bytes(bytes->data, bytes->len, IMAGE_FORMAT_QCOW2, &err));
    g_assert_nonnull(strstr(err->message, "extensions"));
}

static void
put_le64(guchar *at, guint64 value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, 8);
}

static void
qed_header_gives_size_and_backing(void)
{
    guchar bytes[128] = "QED";
    g_autoptr(ImageHeader) header = NULL;

    bytes[4 + 2] = 1; /* clusters of 64 KiB */
    bytes[16] = 1 | 4;
    put_le64(bytes + 48, 1 << 30);
    bytes[56] = 100;
    bytes[60] = 5;
    memcpy(bytes + 100, "a.raw", 5);
    header = read_bytes(bytes, sizeof(bytes), IMAGE_FORMAT_QED, NULL);
    g_assert_cmpuint(header->size_bytes, ==, 1 << 30);
    g_assert_cmpuint(header->cluster_bits, ==, 16);
    g_assert_cmpstr(header->backing_name, ==, "a.raw");
    g_assert_cmpstr(header->backing_format, ==, "raw");
}

static void
vmdk_descriptor_gives_size_and_parent(void)
{
    static const char text[] =
        "# Disk DescriptorFile\nversion=1\nparentFileNameHint=\"p.vmdk\"\nRW 2048 SPARSE \"x\"\n";
    g_autoptr(ImageHeader) header = read_bytes(text, sizeof(text) - 1, IMAGE_FORMAT_VMDK, NULL);

    g_assert_cmpuint(header->size_bytes, ==, 2048 * 512);
    g_assert_cmpstr(header->backing_name, ==, "p.vmdk");
}

static void
vdi_and_luks_headers_give_sizes(void)
{
    guchar vdi[512] = {0};
    guchar luks[4096 * 2] = "LUKS\xba\xbe\0\1";
    g_autoptr(ImageHeader) a = NULL;
    g_autoptr(ImageHeader) b = NULL;

    memcpy(vdi + 64, "\x7f\x10\xda\xbe\1\0\1\0", 8);
    put_le64(vdi + 368, 123 * 512);
    a = read_bytes(vdi, sizeof(vdi), IMAGE_FORMAT_VDI, NULL);
    g_assert_cmpuint(a->size_bytes, ==, 123 * 512);
    luks[107] = 8;
    b = read_bytes(luks, sizeof(luks), IMAGE_FORMAT_LUKS, NULL);
    g_assert_true(b->is_encrypted);
    g_assert_cmpuint(b->size_bytes, ==, 4096);
}

static void
snapshot_name_replaces_the_ending_of_the_file_name_only(void)
{
    g_autofree char *a = image_name_for_snapshot("/img.d/web.qcow2", "s1");
    g_autofree char *b = image_name_for_snapshot("/img.d/web", "s1");
    g_autofree char *c = image_name_for_snapshot("/img.d/.web", "s1");

    g_assert_cmpstr(a, ==, "/img.d/web.s1");
    g_assert_cmpstr(b, ==, "/img.d/web.s1");
    g_assert_cmpstr(c, ==, "/img.d/.web.s1");
}

static void
revert_names_keep_stem_and_ending_over_many_reverts(void)
{
    g_autofree char *stem = image_name_stem("/img/web.r12.qcow2");
    g_autofree char *plain = image_name_stem("/img/disk.0");
    g_autofree char *path = image_name_for_revert("/other/web.s3", stem, 13);

    g_assert_cmpstr(stem, ==, "web");
    g_assert_cmpstr(plain, ==, "disk");
    g_assert_cmpstr(path, ==, "/other/web.r13.qcow2");
    g_assert_cmpuint(image_name_revert_number(path, stem), ==, 13);
    g_assert_cmpuint(image_name_revert_number("/other/web.rx.qcow2", stem), ==, 0);
    g_assert_cmpuint(image_name_revert_number("/other/webby.r1.qcow2", stem), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/image/" #name, name)
    ADD(qcow2_overlay_reads_back_as_written);
    ADD(qcow2_image_of_version_2_reads_back_as_written);
    ADD(qcow2_image_says_that_its_refcounts_are_lazy);
    ADD(qcow2_overlay_holds_a_backing_name_of_1023_bytes);
    ADD(qcow2_overlay_layout_refuses_what_it_does_not_cover);
    ADD(qcow2_header_cut_off_anywhere_is_an_error_or_a_header);
    ADD(raw_image_with_a_qcow2_header_inside_stays_raw);
    ADD(header_of_another_format_is_refused_by_name);
    ADD(qcow2_extension_longer_than_the_header_is_refused);
    ADD(qed_header_gives_size_and_backing);
    ADD(vmdk_descriptor_gives_size_and_parent);
    ADD(vdi_and_luks_headers_give_sizes);
    ADD(snapshot_name_replaces_the_ending_of_the_file_name_only);
    ADD(revert_names_keep_stem_and_ending_over_many_reverts);
    return g_test_run();
}
