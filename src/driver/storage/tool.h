/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-img for what this tree does not write itself. Files are handed over as descriptors, passphrases through memory: neither
 * names nor secrets of others stand on a command line. On a worker; it may take as long as the bytes take. */
#pragma once

#include "driver/storage/make.h"

/* Write an empty image of spec->info into @fd. */
bool tool_create(const MakeSpec *spec, int fd, GError **err);
/* Copy the guest's view of spec->source into the image that @fd holds already. */
bool tool_convert(const MakeSpec *spec, int fd, GError **err);
/* Change what a guest sees of an image that is no raw file. */
bool tool_resize(const DriverHost *host, const StorageVolume *info, guint64 capacity, bool shrinks,
                 GBytes *secret, GError **err);
