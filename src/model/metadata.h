/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The foreign elements in the <metadata> of domains and networks: one for each namespace. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The element of that namespace in @metadata (NULL: there is nothing), as a document of its own; NULL: there is none. */
char *metadata_get(const char *metadata, const char *uri);
/* Put @text (NULL: nothing) in the place of what has @uri, with the prefix @key. */
bool metadata_set(char **metadata, const char *text, const char *key, const char *uri,
                  GError **err);
