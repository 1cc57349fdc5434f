/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept stage: what QEMU refuses in a definition that is right in itself. Pure: looks at the document only; what a given
 * emulator binary lacks is found when its command line is made. */
#pragma once

#include "model/domain.h"

/* A definition that has been filled in and checked. */
bool qemu_accept_domain(const Domain *dom, GError **err);
/* accept_devices.c */
bool qemu_accept_disk(const Disk *disk, const Domain *dom, GError **err);
/* One device of @dom, or one that is about to be added. */
bool qemu_accept_device(const Domain *dom, const DomainDevice *device, GError **err);
bool qemu_accept_devices(const Domain *dom, GError **err);
