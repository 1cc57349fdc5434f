/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2 headers, read and written. Reading is called by header.c; see qcow2.h for writing. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/qcow2.h"

#include <string.h>

#include "base/error.h"
#include "image/header.h"

enum {
    HEADER_V2_LEN = 72,
    HEADER_V3_LEN = 104,
    EXTENSIONS_MAX = 64,
};

#define EXT_END 0u
#define EXT_BACKING_FORMAT 0xE2792ACAu
#define EXT_DATA_FILE 0x44415441u
#define EXT_BITMAPS 0x23852875u

/* Method of encryption. */
#define CRYPT_LUKS 2u

/* Bits of incompatible_features. */
#define INCOMPAT_DIRTY (1u << 0)
#define INCOMPAT_CORRUPT (1u << 1)
#define INCOMPAT_DATA_FILE (1u << 2)
#define INCOMPAT_EXTENDED_L2 (1u << 4)
/* Bit of compatible_features. */
#define COMPAT_LAZY_REFCOUNTS (1u << 0)
/* Bit of autoclear_features: the data file reads as a raw disk. */
#define AUTOCLEAR_RAW_DATA (1u << 1)

static bool
read_extension(const ImageReader *reader, guint32 type, guint64 offset, guint32 len,
               ImageHeader *header)
{
    guchar count[4];

    switch (type) {
    case EXT_BACKING_FORMAT:
        if (len == 0 || len > 32 || header->backing_format)
            return len == 0;
        header->backing_format = image_read_text(reader, offset, len);
        return header->backing_format != NULL;
    case EXT_DATA_FILE:
        if (len == 0 || len > IMAGE_NAME_MAX || header->data_file)
            return false;
        header->data_file = image_read_text(reader, offset, len);
        return header->data_file != NULL;
    case EXT_BITMAPS:
        if (len < sizeof(count) || !image_read(reader, offset, count, sizeof(count)))
            return false;
        header->bitmaps = be32(count);
        return true;
    default:
        return true;
    }
}

static bool
read_extensions(const ImageReader *reader, guint64 offset, guint64 end, ImageHeader *header)
{
    for (int i = 0; i < EXTENSIONS_MAX && offset + 8 <= end; i++) {
        guchar head[8];
        guint32 type, len;

        if (!image_read(reader, offset, head, sizeof(head)))
            return false;
        type = be32(head);
        len = be32(head + 4);
        if (type == EXT_END)
            return true;
        offset += 8;
        if (len > end - offset || !read_extension(reader, type, offset, len, header))
            return false;
        offset += ((guint64)len + 7) & ~7ull;
    }
    return true;
}

/* Version 1 shares magic, version, backing offset and length; the size stands elsewhere. */
static bool
parse_qcow1(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar head[48];
    guint64 backing_offset;
    guint32 backing_len;

    if (!image_read(reader, 0, head, sizeof(head)))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' ends inside its qcow header", name);
    backing_offset = be64(head + 8);
    backing_len = be32(head + 16);
    header->size_bytes = be64(head + 24);
    header->cluster_bits = head[32];
    header->is_encrypted = be32(head + 36) != 0;
    if (backing_offset &&
        (backing_len > IMAGE_NAME_MAX ||
         !(header->backing_name = image_read_text(reader, backing_offset, backing_len))))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken backing file name",
                    name);
    return true;
}

bool
image_parse_qcow2(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar head[HEADER_V3_LEN] = {0};
    guint64 backing_offset, cluster, extensions = HEADER_V2_LEN;
    guint32 backing_len;

    if (!image_read(reader, 0, head, 8))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' ends inside its qcow2 header", name);
    header->version = be32(head + 4);
    if (header->format == IMAGE_FORMAT_QCOW)
        return parse_qcow1(reader, header, name, err);
    if (header->version != 2 && header->version != 3)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "image '%s' is qcow2 of version %u: 2 and 3 are known", name, header->version);
    if (!image_read(reader, 0, head, header->version == 2 ? HEADER_V2_LEN : HEADER_V3_LEN))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' ends inside its qcow2 header", name);

    backing_offset = be64(head + 8);
    backing_len = be32(head + 16);
    header->cluster_bits = be32(head + 20);
    header->size_bytes = be64(head + 24);
    header->is_encrypted = be32(head + 32) != 0;
    header->is_luks = be32(head + 32) == CRYPT_LUKS;
    header->snapshots = be32(head + 60);
    if (header->cluster_bits < 9 || header->cluster_bits > 21)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "image '%s' has an impossible qcow2 cluster size (2^%u)", name,
                    header->cluster_bits);
    cluster = 1ull << header->cluster_bits;

    if (header->version == 3) {
        guint64 incompatible = be64(head + 72), autoclear = be64(head + 88);

        header->is_dirty = incompatible & INCOMPAT_DIRTY;
        header->is_corrupt = incompatible & INCOMPAT_CORRUPT;
        header->has_data_file = incompatible & INCOMPAT_DATA_FILE;
        header->extended_l2 = incompatible & INCOMPAT_EXTENDED_L2;
        header->lazy_refcounts = be64(head + 80) & COMPAT_LAZY_REFCOUNTS;
        header->data_file_raw = autoclear & AUTOCLEAR_RAW_DATA;
        extensions = be32(head + 100);
        if (extensions < HEADER_V3_LEN || extensions > cluster)
            return fail(err, VIR_ERR_OPERATION_FAILED,
                        "image '%s' has a broken qcow2 header length", name);
    }
    if (backing_offset &&
        (backing_len == 0 || backing_len > IMAGE_NAME_MAX || backing_offset > cluster ||
         !(header->backing_name = image_read_text(reader, backing_offset, backing_len))))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken backing file name",
                    name);
    if (!read_extensions(reader, extensions, backing_offset > extensions ? backing_offset : cluster,
                         header))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has broken qcow2 header extensions",
                    name);
    return true;
}

/* ---- writing ---- */

static guint64
l1_entries(const Qcow2Overlay *overlay)
{
    guint64 cluster = 1ull << overlay->cluster_bits;
    guint64 covered = cluster * (cluster / (overlay->extended_l2 ? 16 : 8));

    return MAX(1, (overlay->size_bytes + covered - 1) / covered);
}

static guint64
l1_clusters(const Qcow2Overlay *overlay)
{
    guint64 cluster = 1ull << overlay->cluster_bits;

    return (l1_entries(overlay) * 8 + cluster - 1) / cluster;
}

const char *
qcow2_overlay_problem(const Qcow2Overlay *overlay)
{
    if (overlay->cluster_bits < 16 || overlay->cluster_bits > 21)
        return "clusters below 64 KiB";
    if (overlay->size_bytes == 0)
        return "a size of nothing";
    if (overlay->is_version_2 && (overlay->extended_l2 || overlay->lazy_refcounts))
        return "features that version 2 has not";
    if (overlay->size_bytes % 512 != 0)
        return "a size that is no multiple of 512 bytes";
    if (overlay->size_bytes > (1ull << 56))
        return "a size beyond 64 PiB";
    if (overlay->backing_name &&
        (!*overlay->backing_name || strlen(overlay->backing_name) > IMAGE_NAME_MAX))
        return "a backing file name of more than 1023 bytes";
    if (overlay->backing_format && strlen(overlay->backing_format) > 31)
        return "a backing format name of more than 31 bytes";
    /* One refcount block holds cluster / 2 counters of 16 bits; QEMU bounds the L1 table at 32
     * MiB. */
    if (3 + l1_clusters(overlay) > (1ull << overlay->cluster_bits) / 2 ||
        l1_entries(overlay) * 8 > 32 * 1024 * 1024)
        return "a first-level table that one refcount block does not cover";
    return NULL;
}

static void
put16(GByteArray *out, gsize offset, guint16 value)
{
    out->data[offset] = value >> 8;
    out->data[offset + 1] = value & 0xff;
}

static void
put32(GByteArray *out, gsize offset, guint32 value)
{
    put16(out, offset, value >> 16);
    put16(out, offset + 2, value & 0xffff);
}

static void
put64(GByteArray *out, gsize offset, guint64 value)
{
    put32(out, offset, value >> 32);
    put32(out, offset + 4, (guint32)value);
}

/* Extension with the backing format, end of extensions, backing name. */
static void
put_backing(GByteArray *out, const Qcow2Overlay *overlay)
{
    gsize at = overlay->is_version_2 ? HEADER_V2_LEN : HEADER_V3_LEN;

    if (overlay->backing_name && overlay->backing_format) {
        gsize len = strlen(overlay->backing_format);

        put32(out, at, EXT_BACKING_FORMAT);
        put32(out, at + 4, len);
        memcpy(out->data + at + 8, overlay->backing_format, len);
        at += 8 + ((len + 7) & ~(gsize)7);
    }
    at += 8; /* type and length of the end are zero */
    if (overlay->backing_name) {
        gsize len = strlen(overlay->backing_name);

        put64(out, 8, at);
        put32(out, 16, len);
        memcpy(out->data + at, overlay->backing_name, len);
    }
}

GByteArray *
qcow2_overlay_bytes(const Qcow2Overlay *overlay, guint64 *file_len)
{
    guint64 cluster = 1ull << overlay->cluster_bits;
    guint64 used = 3 + l1_clusters(overlay);
    GByteArray *out = g_byte_array_new();

    /* Cluster 0: header, 1: refcount table, 2: refcount block, 3...: L1. What follows the counters
     * is a hole. */
    g_byte_array_set_size(out, 2 * cluster + used * 2);
    memset(out->data, 0, out->len);
    memcpy(out->data, "QFI\xfb", 4);
    put32(out, 4, overlay->is_version_2 ? 2 : 3);
    put32(out, 20, overlay->cluster_bits);
    put64(out, 24, overlay->size_bytes);
    put32(out, 36, (guint32)l1_entries(overlay));
    put64(out, 40, 3 * cluster);
    put64(out, 48, cluster);
    put32(out, 56, 1);
    if (!overlay->is_version_2) {
        put64(out, 72, overlay->extended_l2 ? INCOMPAT_EXTENDED_L2 : 0);
        put64(out, 80, overlay->lazy_refcounts ? COMPAT_LAZY_REFCOUNTS : 0);
        put32(out, 96, 4);
        put32(out, 100, HEADER_V3_LEN);
    }
    put_backing(out, overlay);
    put64(out, cluster, 2 * cluster);
    for (guint64 i = 0; i < used; i++)
        put16(out, 2 * cluster + i * 2, 1);
    *file_len = used * cluster;
    return out;
}
