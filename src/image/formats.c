/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers of the formats other than qcow2: qed, vmdk, vdi, vpc, vhdx, luks. Called by header.c,
 * which has checked the magic. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "image/header.h"

#define SECTOR 512ull
#define DESCRIPTOR_MAX (64 * 1024) /* bytes of a vmdk descriptor that are looked at */

static bool
too_short(const ImageHeader *header, const char *name, GError **err)
{
    return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' ends inside its %s header", name,
                image_format_to_string(header->format));
}

static guint
bits_of(guint32 size)
{
    return size && (size & (size - 1)) == 0 ? g_bit_storage(size) - 1 : 0;
}

bool
image_parse_qed(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar head[64];
    guint64 features;
    guint32 offset, len;

    if (!image_read(reader, 0, head, sizeof(head)))
        return too_short(header, name, err);
    header->cluster_bits = bits_of(le32(head + 4));
    features = le64(head + 16);
    header->size_bytes = le64(head + 48);
    header->is_dirty = features & 2;
    if (!(features & 1))
        return true;
    offset = le32(head + 56);
    len = le32(head + 60);
    if (len == 0 || len > IMAGE_NAME_MAX ||
        !(header->backing_name = image_read_text(reader, offset, len)))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken backing file name",
                    name);
    if (features & 4) /* "do not probe the backing file" */
        header->backing_format = g_strdup("raw");
    return true;
}

/* Lines of a vmdk descriptor: `parentFileNameHint="x"`, `RW 4192256 SPARSE "x.vmdk"`. */
static void
read_vmdk_line(const char *line, ImageHeader *header)
{
    static const char parent[] = "parentFileNameHint=\"";
    g_auto(GStrv) words = NULL;
    unsigned long long sectors;

    if (g_str_has_prefix(line, parent) && !header->backing_name) {
        const char *start = line + strlen(parent);
        const char *end = strchr(start, '"');

        if (end && end > start)
            header->backing_name = g_strndup(start, end - start);
        return;
    }
    words = g_strsplit(line, " ", 4);
    if (g_strv_length(words) >= 3 &&
        (g_str_equal(words[0], "RW") || g_str_equal(words[0], "RDONLY")) &&
        text_to_ullong(words[1], 10, &sectors) && sectors < G_MAXUINT64 / SECTOR / 2 &&
        header->size_bytes < G_MAXUINT64 / 4)
        header->size_bytes += sectors * SECTOR;
}

static bool
read_vmdk_descriptor(const ImageReader *reader, guint64 offset, guint64 len, ImageHeader *header)
{
    g_autofree char *text = g_malloc(DESCRIPTOR_MAX + 1);
    gsize got = image_read_some(reader, offset, text, MIN(len, DESCRIPTOR_MAX));
    g_auto(GStrv) lines = NULL;

    text[got] = '\0';
    if (!strstr(text, "# Disk DescriptorFile"))
        return false;
    header->size_bytes = 0;
    lines = g_strsplit(text, "\n", 4096);
    for (int i = 0; lines[i]; i++)
        read_vmdk_line(g_strchomp(lines[i]), header);
    return true;
}

bool
image_parse_vmdk(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar head[44];
    guint64 capacity, descriptor, descriptor_len;

    if (!image_read(reader, 0, head, sizeof(head)))
        return too_short(header, name, err);
    if (memcmp(head, "KDMV", 4) != 0) {
        header->version = 1;
        if (!read_vmdk_descriptor(reader, 0, reader->len, header))
            return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken vmdk descriptor",
                        name);
        return true;
    }
    header->version = le32(head + 4);
    capacity = le64(head + 12);
    descriptor = le64(head + 28);
    descriptor_len = le64(head + 36);
    if (descriptor && descriptor < G_MAXUINT64 / SECTOR && descriptor_len < G_MAXUINT64 / SECTOR &&
        !read_vmdk_descriptor(reader, descriptor * SECTOR, descriptor_len * SECTOR, header))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken vmdk descriptor", name);
    if (capacity > G_MAXUINT64 / SECTOR)
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' claims an impossible size", name);
    header->size_bytes = capacity * SECTOR;
    return true;
}

bool
image_parse_vdi(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar head[8], size[8];

    if (!image_read(reader, 64, head, sizeof(head)) || !image_read(reader, 368, size, sizeof(size)))
        return too_short(header, name, err);
    header->version = le32(head + 4);
    header->size_bytes = le64(size);
    return true;
}

bool
image_parse_vpc(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar foot[64];

    if (!image_read(reader, 0, foot, sizeof(foot)))
        return too_short(header, name, err);
    header->version = be32(foot + 12);
    header->size_bytes = be64(foot + 48);
    if (be32(foot + 60) == 4)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "image '%s' is a differencing vpc image",
                    name);
    return true;
}

/* GUIDs as they lie in the file: the metadata region, and the item with the virtual size. */
static const guchar vhdx_metadata_guid[16] = {0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                              0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
static const guchar vhdx_size_guid[16] = {0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                          0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8};

/* In a table of @count entries of 32 bytes that begin with a GUID: the entry with @guid. */
static bool
find_vhdx_entry(const ImageReader *reader, guint64 table, guint32 count, const guchar guid[16],
                guchar entry[32])
{
    for (guint32 i = 0; i < MIN(count, 2047); i++) {
        if (!image_read(reader, table + i * 32ull, entry, 32))
            return false;
        if (memcmp(entry, guid, 16) == 0)
            return true;
    }
    return false;
}

bool
image_parse_vhdx(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    const guint64 region_table = 192 * 1024;
    guchar head[16], entry[32], size[8];
    guint64 metadata;

    header->version = 1;
    if (!image_read(reader, region_table, head, sizeof(head)) || memcmp(head, "regi", 4) != 0 ||
        !find_vhdx_entry(reader, region_table + 16, le32(head + 8), vhdx_metadata_guid, entry))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken vhdx region table",
                    name);
    metadata = le64(entry + 16);
    if (metadata > reader->len || !image_read(reader, metadata, head, sizeof(head)) ||
        memcmp(head, "metadata", 8) != 0 ||
        !find_vhdx_entry(reader, metadata + 32, head[10] | head[11] << 8, vhdx_size_guid, entry) ||
        !image_read(reader, metadata + le32(entry + 16), size, sizeof(size)))
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' has a broken vhdx metadata table",
                    name);
    header->size_bytes = le64(size);
    return true;
}

bool
image_parse_luks(const ImageReader *reader, ImageHeader *header, const char *name, GError **err)
{
    guchar head[208];
    guint64 payload;

    if (!image_read(reader, 0, head, sizeof(head)))
        return too_short(header, name, err);
    header->version = be16(head + 6);
    header->is_encrypted = header->is_luks = true;
    /* Version 1 says where the payload begins, in sectors; version 2 says it in JSON, by
     * segment. */
    payload = header->version == 1 ? be32(head + 104) * SECTOR : 16 * 1024 * 1024;
    header->size_bytes = reader->len > payload ? reader->len - payload : 0;
    return true;
}
