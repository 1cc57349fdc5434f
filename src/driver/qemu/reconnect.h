/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking over what a daemon before this one left: definitions, and guests that still run. */
#pragma once

#include "driver/qemu/qemu.h"

/* Read all definitions and state files; guests that run are known afterwards, with the state that the files say. Called
 * before clients are answered. */
bool qemu_load(QemuDriver *qemu, GError **err);
/* Attach to every emulator, each on its guest's strand; then autostart, if the host has booted since. Returns at once. */
void qemu_reconnect(QemuDriver *qemu);
