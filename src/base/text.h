/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict conversions of text from outside, and text made for others to read. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The whole of @text must be one number in @base (0: with prefix) that fits; no blanks around it. */
bool text_to_int(const char *text, int base, int *value);
bool text_to_uint(const char *text, int base, unsigned int *value); /* a minus sign is refused */
bool text_to_llong(const char *text, int base, long long *value);
bool text_to_ullong(const char *text, int base,
                    unsigned long long *value); /* a minus sign is refused */
bool text_to_double(const char *text, double *value);

/* Append @text with &, <, >, ' and " written as entities, and control characters left out. */
void text_append_xml(GString *out, const char *text);
/* Append @text as one shell word, quoted only where needed (for logs and examples; nothing here is ever run). */
void text_append_shell(GString *out, const char *text);
