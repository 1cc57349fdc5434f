/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A set of small numbers (CPUs, NUMA nodes) written as `0-3,^2,7`. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define BITMAP_MAX_BITS 16384

typedef struct Bitmap Bitmap;

Bitmap *bitmap_new(void);
/* NULL when @text is no such list, or names a number of BITMAP_MAX_BITS or more. */
Bitmap *bitmap_parse(const char *text);
char *bitmap_format(const Bitmap *bitmap);
Bitmap *bitmap_copy(const Bitmap *bitmap);
void bitmap_free(Bitmap *bitmap);
bool bitmap_equal(const Bitmap *a, const Bitmap *b);

bool bitmap_has(const Bitmap *bitmap, guint bit);
void bitmap_set(Bitmap *bitmap, guint bit, bool value); /* bits past the maximum are left alone */
guint bitmap_count(const Bitmap *bitmap);
bool bitmap_is_empty(const Bitmap *bitmap);
bool bitmap_overlaps(const Bitmap *a, const Bitmap *b);
/* The lowest member above @after (-1: of all), or -1. */
int bitmap_next(const Bitmap *bitmap, int after);
int bitmap_last(const Bitmap *bitmap);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bitmap, bitmap_free)
