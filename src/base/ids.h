/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UUIDs, MAC addresses and random bytes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define UUID_BYTES 16
#define UUID_TEXT 37 /* with the NUL */
#define MAC_TEXT 18

void random_bytes(void *bytes, gsize len);
/* A random (version 4) UUID. */
void uuid_generate(guchar uuid[UUID_BYTES]);
/* Accepts 32 hex digits with dashes and blanks anywhere between pairs, as users write them. */
bool uuid_parse(const char *text, guchar uuid[UUID_BYTES]);
void uuid_format(const guchar uuid[UUID_BYTES], char text[UUID_TEXT]);
bool uuid_equal(const guchar a[UUID_BYTES], const guchar b[UUID_BYTES]);
guint uuid_hash(gconstpointer uuid); /* for GHashTable keyed by UUID bytes */
gboolean uuid_key_equal(gconstpointer a, gconstpointer b);

bool mac_parse(const char *text, guchar mac[6]);
void mac_format(const guchar mac[6], char text[MAC_TEXT]);
/* Three bytes of @prefix and three random ones. */
void mac_generate(const guchar prefix[3], guchar mac[6]);
