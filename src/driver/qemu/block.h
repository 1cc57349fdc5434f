/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block graph of a running emulator, in the words that snapshots need. Node names are libvirt-N-format over
 * libvirt-N-storage; numbers are never used twice in an emulator's life. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/emulator.h"
#include "driver/qemu/new_overlay.h"

/* Nodes for the overlay's file, not yet on top of anything. @disk is the live disk as it is now. */
bool block_add_overlay(Emulator *emulator, const Disk *disk, const NewOverlay *overlay, GError **err);
/* Both nodes of @node, those that exist; an emulator that is gone has none. */
bool block_remove_nodes(Emulator *emulator, guint node, GError **err);
/* One transaction: every overlay becomes the top of its disk, or none. */
bool block_switch_to_overlays(Emulator *emulator, const GPtrArray *overlays, GError **err);
/* Is the format node of @node the one that a guest's device writes to? */
bool block_is_top(Emulator *emulator, guint node, bool *is_top, GError **err);
