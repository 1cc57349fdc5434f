/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Model objects seen from outside: as JSON, by path, value by value. A path is made of C
 * member names: `disks[0].target.bus`. */
#pragma once

#include <jansson.h>

#include "model/engine.h"

/* What is absent is left out. Sizes are in the unit of their member; secrets only with
 * MODEL_FORMAT_SECURE. */
json_t *model_to_json(const ModelType *type, const void *self, ModelFormatFlags flags);

/* *@text is NULL when the member is absent. Fails when @path names no member. */
bool model_get(const ModelType *type, const void *self, const char *path, char **text,
               GError **err);
/* Set a single value from its text in the XML. */
bool model_set(const ModelType *type, void *self, const char *path, const char *text, GError **err);

/* Called for every value that is there; secrets are blanked. */
typedef void (*ModelVisit)(const char *path, const char *text, void *opaque);
void model_walk(const ModelType *type, const void *self, ModelVisit visit, void *opaque);
