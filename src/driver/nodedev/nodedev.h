/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host, as the kernel shows them in /sys: system, PCI, USB, network, SCSI hosts and devices, disks, DRM. They are
 * looked at anew for each call, on workers. Devices cannot be made, removed, detached or reset yet.
 *
 * look.c: names and parents; describe.c: capabilities; driver.c: the calls. */
#pragma once

#include "gen/model-nodedev.h"
#include "object/driver.h"

extern Driver nodedev_driver;

/* A device that exists. */
typedef struct {
    char *name;
    char *path;   /* below /sys/devices; NULL: the system as a whole */
    char *parent; /* NULL: the system as a whole */
    NodeCapabilityType type;
} FoundDevice;

void found_device_free(FoundDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FoundDevice, found_device_free)

/* All of them, sorted by name: an array of FoundDevice. */
GPtrArray *nodedev_find_all(void);
/* VIR_ERR_NO_NODE_DEVICE. */
FoundDevice *nodedev_find(const char *name, GError **err);
NodeDevice *nodedev_describe(const FoundDevice *device);

/* One line of a file in a device's folder; NULL: it says nothing. */
char *nodedev_read(const char *path, const char *file);
/* A number with or without 0x; false: it says none. */
bool nodedev_read_number(const char *path, const char *file, guint64 *value);
