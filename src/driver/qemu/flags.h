/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wrong with the flags of a call, in the words that clients know: these texts have no
 * prefix of their own. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Refuse bits outside @allowed; @function is the name that the message carries. */
bool flags_check(guint flags, guint allowed, const char *function, GError **err);
/* Two flags that exclude each other, by their names without VIR_DOMAIN_. @domain is a
 * VIR_FROM_... */
bool flags_exclude(guint flags, guint a, const char *a_name, guint b, const char *b_name,
                   int domain, GError **err);
/* @a needs @b. */
bool flags_require(guint flags, guint a, const char *a_name, guint b, const char *b_name,
                   int domain, GError **err);
