/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The emulators of this host and what is offered with them. Each is asked once, in the background; who needs an answer
 * before that waits for that emulator only. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/probe.h"
#include "driver/qemu/qemu.h"
#include "model/domain.h"

Capabilities *capabilities_new(QemuDriver *qemu);
void capabilities_free(Capabilities *capabilities);
/* Ask all emulators on workers. Returns at once. */
void capabilities_start(Capabilities *capabilities);

/* What the emulator at @path can do; waits for it. A new reference. */
EmulatorInfo *capabilities_emulator(QemuDriver *qemu, const char *path, GError **err);
/* All emulators, sorted by architecture; waits for them. Unref the array. */
GPtrArray *capabilities_emulators(QemuDriver *qemu);
/* Path of the emulator for an architecture; NULL. Does not wait. Lives as long as the driver. */
const char *capabilities_find(QemuDriver *qemu, const char *arch);
/* The architecture of the host: x86_64. */
const char *capabilities_host_arch(void);
const DomainFillHost *capabilities_fill_host(QemuDriver *qemu);
