/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the first bytes of a disk image say: format, size, and the images it is backed by.
 * Sizes and offsets in a header are claims of whoever wrote the file: nothing is allocated by them.
 * Chains of images: chain.h. New overlays: overlay.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "image/reader.h"

typedef enum {
    IMAGE_FORMAT_UNKNOWN = 0,
    IMAGE_FORMAT_RAW,
    IMAGE_FORMAT_QCOW,
    IMAGE_FORMAT_QCOW2,
    IMAGE_FORMAT_QED,
    IMAGE_FORMAT_VMDK,
    IMAGE_FORMAT_VDI,
    IMAGE_FORMAT_VPC,
    IMAGE_FORMAT_VHDX,
    IMAGE_FORMAT_LUKS,
    IMAGE_FORMAT_LAST
} ImageFormat;

#define IMAGE_NAME_MAX 1023 /* bytes of a backing name in qcow2 and qed */

typedef struct {
    ImageFormat format;
    guint version;
    guint64 size_bytes;   /* what a guest sees; raw: the length of the file */
    char *backing_name;   /* as written; NULL: none */
    char *backing_format; /* as written; NULL: not said */
    char *data_file;      /* qcow2 with its clusters in another file */
    bool has_data_file;
    bool data_file_raw;
    guint cluster_bits; /* qcow2, qed */
    bool extended_l2;
    bool lazy_refcounts;
    bool is_encrypted;
    bool is_luks;  /* is_encrypted, and this is how */
    bool is_dirty; /* not closed in order */
    bool is_corrupt;
    guint bitmaps;
    guint snapshots; /* internal ones */
} ImageHeader;

const char *image_format_to_string(ImageFormat format); /* NULL for UNKNOWN */
ImageFormat
image_format_from_string(const char *word); /* UNKNOWN for words that are none of ours, and NULL */

/* Read the header of an image that is known to be @format. RAW is never looked into. UNKNOWN is an
 * error: whoever wants a guess calls image_header_guess and says why that is safe. @name is for
 * errors. */
ImageHeader *image_header_read(const ImageReader *reader, ImageFormat format, const char *name,
                               GError **err);
/* The format by its magic bytes; RAW when there is none. A guest can write any magic into a raw
 * disk: only for files that no guest has written. */
ImageFormat image_header_guess(const ImageReader *reader);
ImageHeader *image_header_read_file(const char *path, ImageFormat format, GError **err);
/* How many snapshots are inside the image at @path; 0 for one that is not qcow2 or cannot be read. */
guint image_count_snapshots(const char *path);
void image_header_free(ImageHeader *header);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageHeader, image_header_free)

/* The parsers of single formats, for header.c only. The magic is checked already; @header is zeroed
 * but for format. */
bool image_parse_qcow2(const ImageReader *reader, ImageHeader *header, const char *name,
                       GError **err);
bool image_parse_qed(const ImageReader *reader, ImageHeader *header, const char *name,
                     GError **err);
bool image_parse_vmdk(const ImageReader *reader, ImageHeader *header, const char *name,
                      GError **err);
bool image_parse_vdi(const ImageReader *reader, ImageHeader *header, const char *name,
                     GError **err);
bool image_parse_vpc(const ImageReader *reader, ImageHeader *header, const char *name,
                     GError **err);
bool image_parse_vhdx(const ImageReader *reader, ImageHeader *header, const char *name,
                      GError **err);
bool image_parse_luks(const ImageReader *reader, ImageHeader *header, const char *name,
                      GError **err);
