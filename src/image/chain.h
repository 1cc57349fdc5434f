/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The images below an image: what QEMU would open for a disk, from the top down to the first that
 * has no backing.
 *
 * The format of a layer is what the configuration or the header of the layer above says. Where
 * nobody says it, the layer is raw: a guest could have written the header of another format into
 * its raw disk. Names that are not local files (nbd:, rbd:, json: ...) end the chain: they are
 * reported, not opened. Who needs which file: graph.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "image/header.h"

#define IMAGE_CHAIN_MAX 200

/* What a file is, however it is called. */
typedef struct {
    guint64 device;
    guint64 inode; /* 0: no file */
} ImageId;

typedef struct {
    char *name; /* as the layer above writes it */
    char *path; /* absolute; NULL: not a local file */
    ImageFormat format;
    bool format_is_named; /* by configuration or header */
    ImageId id;
    bool is_block_device;
    ImageHeader *header; /* NULL: not opened */
} ImageLayer;

typedef struct {
    GPtrArray *layers; /* of ImageLayer *, the top first */
} ImageChain;

/* Formats that a configuration gives for layers below the top: path ->
 * GINT_TO_POINTER(ImageFormat). May be NULL. */
ImageChain *image_chain_read(const char *path, ImageFormat format, GHashTable *formats,
                             GError **err);
void image_chain_free(ImageChain *chain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageChain, image_chain_free)

const ImageLayer *image_chain_top(const ImageChain *chain);
const ImageLayer *image_chain_base(const ImageChain *chain);
/* The layer that is the same file as @path, or NULL. */
const ImageLayer *image_chain_find(const ImageChain *chain, const char *path);

bool image_id_of(const char *path, ImageId *id, GError **err);
bool image_id_equal(ImageId a, ImageId b);
guint image_id_hash(gconstpointer id);
gboolean image_id_key_equal(gconstpointer a, gconstpointer b);

/* The local path that backing name @name means in the header of the image at @above; NULL when it
 * is no local file. A json: description of a plain local file is one; its format, if it says one,
 * goes to @format. */
char *image_backing_path(const char *above, const char *name, ImageFormat *format);
