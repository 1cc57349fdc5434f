/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The qcow2 layout: what this tree writes itself is an empty image (refcounts of 16
 * bits), with or without backing, built in memory as a whole. Reading: header.h. Files: overlay.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define QCOW2_DEFAULT_CLUSTER_BITS 16

typedef struct {
    guint64 size_bytes; /* multiple of 512 */
    guint cluster_bits; /* 16..21 */
    bool extended_l2;
    bool lazy_refcounts;
    bool is_version_2;        /* "compat 0.10": readable by the oldest programs */
    const char *backing_name; /* 1..1023 bytes; NULL: none */
    const char *backing_format;
} Qcow2Overlay;

/* Why this layout does not cover @overlay, or NULL when it does. */
const char *qcow2_overlay_problem(const Qcow2Overlay *overlay);
/* The bytes at the start of the new file, and how long the file has to be (the rest is a hole).
 * Only for overlays without a problem. */
GByteArray *qcow2_overlay_bytes(const Qcow2Overlay *overlay, guint64 *file_len);
