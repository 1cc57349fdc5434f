/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See header.h. qcow2 is in qcow2.c, the other formats in formats.c. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/header.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"

typedef struct {
    const char *word;
    guint64 magic_offset;
    const char *magic;
    gsize magic_len;
    bool (*parse)(const ImageReader *, ImageHeader *, const char *, GError **);
} FormatInfo;

static const FormatInfo formats[IMAGE_FORMAT_LAST] = {
    [IMAGE_FORMAT_RAW] = {.word = "raw"},
    [IMAGE_FORMAT_QCOW] = {"qcow", 0, "QFI\xfb\0\0\0\1", 8, image_parse_qcow2},
    [IMAGE_FORMAT_QCOW2] = {"qcow2", 0, "QFI\xfb", 4, image_parse_qcow2},
    [IMAGE_FORMAT_QED] = {"qed", 0, "QED\0", 4, image_parse_qed},
    [IMAGE_FORMAT_VMDK] = {"vmdk", 0, "KDMV", 4, image_parse_vmdk},
    [IMAGE_FORMAT_VDI] = {"vdi", 64, "\x7f\x10\xda\xbe", 4, image_parse_vdi},
    [IMAGE_FORMAT_VPC] = {"vpc", 0, "conectix", 8, image_parse_vpc},
    [IMAGE_FORMAT_VHDX] = {"vhdx", 0, "vhdxfile", 8, image_parse_vhdx},
    [IMAGE_FORMAT_LUKS] = {"luks", 0, "LUKS\xba\xbe", 6, image_parse_luks},
};

const char *
image_format_to_string(ImageFormat format)
{
    return format > 0 && format < IMAGE_FORMAT_LAST ? formats[format].word : NULL;
}

ImageFormat
image_format_from_string(const char *word)
{
    for (int i = 1; word && i < IMAGE_FORMAT_LAST; i++) {
        if (g_str_equal(word, formats[i].word))
            return i;
    }
    return IMAGE_FORMAT_UNKNOWN;
}

static bool
has_text_descriptor(const ImageReader *reader)
{
    static const char vmdk_text[] = "# Disk DescriptorFile";
    char start[sizeof(vmdk_text) - 1];

    return image_read(reader, 0, start, sizeof(start)) &&
           memcmp(start, vmdk_text, sizeof(start)) == 0;
}

static bool
has_magic(const ImageReader *reader, ImageFormat format)
{
    const FormatInfo *info = &formats[format];
    char bytes[8];

    if (!info->magic)
        return false;
    if (format == IMAGE_FORMAT_VMDK && has_text_descriptor(reader))
        return true;
    return image_read(reader, info->magic_offset, bytes, info->magic_len) &&
           memcmp(bytes, info->magic, info->magic_len) == 0;
}

ImageFormat
image_header_guess(const ImageReader *reader)
{
    for (int i = 1; i < IMAGE_FORMAT_LAST; i++) {
        if (has_magic(reader, i))
            return i;
    }
    return IMAGE_FORMAT_RAW;
}

ImageHeader *
image_header_read(const ImageReader *reader, ImageFormat format, const char *name, GError **err)
{
    g_autoptr(ImageHeader) header = g_new0(ImageHeader, 1);

    if (!image_format_to_string(format))
        return fail_null(err, VIR_ERR_INVALID_ARG, "the format of image '%s' is not given", name);
    header->format = format;
    if (format == IMAGE_FORMAT_RAW) {
        header->size_bytes = reader->len;
        return g_steal_pointer(&header);
    }
    if (!has_magic(reader, format))
        return fail_null(err, VIR_ERR_OPERATION_FAILED,
                         "image '%s' is not in %s format, as its configuration says", name,
                         formats[format].word);
    if (!formats[format].parse(reader, header, name, err))
        return NULL;
    return g_steal_pointer(&header);
}

ImageHeader *
image_header_read_file(const char *path, ImageFormat format, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ImageReader reader;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return fail_null_errno(err, "open", path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "'%s' is neither a file nor a block device",
                         path);
    if (!image_reader_of_fd(&reader, fd, path, err))
        return NULL;
    return image_header_read(&reader, format, path, err);
}

guint
image_count_snapshots(const char *path)
{
    g_autoptr(ImageHeader) header = image_header_read_file(path, IMAGE_FORMAT_QCOW2, NULL);

    return header ? header->snapshots : 0;
}

void
image_header_free(ImageHeader *header)
{
    if (!header)
        return;
    g_free(header->backing_name);
    g_free(header->backing_format);
    g_free(header->data_file);
    g_free(header);
}
