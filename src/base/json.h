/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jansson's value under the name and ownership rules of this tree. Header only: libvirt.so.0 does not link jansson. */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef json_t Json;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_decref)
