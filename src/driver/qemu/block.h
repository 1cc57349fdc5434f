/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block graph of a running emulator, in the words that snapshots need. Node names are
 * libvirt-N-format over libvirt-N-storage; numbers are never used twice in an emulator's life. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/emulator.h"
#include "driver/qemu/new_overlay.h"

/* Nodes for the files of all overlays, not yet on top of anything; one round to the monitor. @live
 * is the machine as it is now. */
bool block_add_overlays(Emulator *emulator, const Domain *live, const GPtrArray *overlays,
                        GError **err);
/* Both nodes of @node, those that exist; an emulator that is gone has none. */
bool block_remove_nodes(Emulator *emulator, guint node, GError **err);
/* Remove whatever nodes of ours the image at @path has: it has left the guest's graph. */
bool block_remove_nodes_of(Emulator *emulator, const char *path, GError **err);
/* One transaction: every overlay becomes the top of its disk, or none. */
/* @keeps_bitmaps: each gets, at the same moment, a bitmap for each persistent one of the image below. */
bool block_switch_to_overlays(Emulator *emulator, const GPtrArray *overlays, bool keeps_bitmaps,
                              GError **err);
/* What was written into the image of @node is in its file when this returns, QEMU's tables
 * included. */
bool block_flush(Emulator *emulator, guint node, GError **err);
/* Is the format node of @node the one that a guest's device writes to? */
bool block_is_top(Emulator *emulator, guint node, bool *is_top, GError **err);
