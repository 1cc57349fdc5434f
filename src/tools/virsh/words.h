/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cuts a command line into commands of words: blanks separate, '...' and "..." and \ quote, ; and newline end a command,
 * # at the start of a word begins a comment. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* An array of commands, each a GPtrArray of char *; NULL with the reason in @why. */
GPtrArray *words_split(const char *line, char **why);
