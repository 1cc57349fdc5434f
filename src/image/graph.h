/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who needs which image: nodes are files (by identity, however they are called), edges are "backed
 * by".
 *
 * Holders (domains, managed saves, snapshots, jobs) name the images they open; each keeps those and
 * all below them. The rule this answers: a file that any holder reaches is never removed and never
 * written by us. A graph is a photograph: build it anew, with the holders of all domains, right
 * before acting on it. Each file is read once. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "image/chain.h"
#include "image/overlay.h"

typedef struct ImageGraph ImageGraph;

ImageGraph *image_graph_new(void);
void image_graph_free(ImageGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageGraph, image_graph_free)

/* @holder ("snapshot s1 of domain web1") needs the image at @path and everything below. An image
 * that cannot be read holds what could be seen of its chain, and makes the graph incomplete. */
void image_graph_hold(ImageGraph *graph, const char *holder, const char *path, ImageFormat format);
/* @holder needs just this file (a memory image, a kernel). */
void image_graph_hold_file(ImageGraph *graph, const char *holder, const char *path);
/* Know the chain of @path without anybody holding it: edges for image_graph_users. */
void image_graph_add(ImageGraph *graph, const char *path, ImageFormat format);

/* Names of those that reach @path, sorted; empty when none does. @besides is not counted (may be
 * NULL). */
GPtrArray *image_graph_holders(const ImageGraph *graph, const char *path, const char *besides);
/* Paths of the known images directly backed by @path. */
GPtrArray *image_graph_users(const ImageGraph *graph, const char *path);
bool image_graph_is_held(const ImageGraph *graph, const char *path);
/* Does anybody name just this image, not only one above it? */
bool image_graph_is_named(const ImageGraph *graph, const char *path);
/* What it is backed by: a path, or the name of something that is no local file. NULL: nothing, or
 * it cannot be read. */
const char *image_graph_below(const ImageGraph *graph, const char *path);
/* Can the known image at @path and everything below it be opened? The error names what cannot. */
bool image_graph_check(const ImageGraph *graph, const char *path, GError **err);
/* As which format it was looked at; RAW when it is not known. */
ImageFormat image_graph_format(const ImageGraph *graph, const char *path);
/* Whether the file at @path, which we made as @mark, may go: it still is that file and nobody
 * reaches it. The error names who does. A chain that could not be read to its end keeps every file
 * in its folders. */
bool image_graph_may_remove(const ImageGraph *graph, const char *path, FileMark mark, GError **err);
