/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking over what a daemon before this one left: guests that still run, jobs that are not finished. */
#pragma once

#include "driver/qemu/qemu.h"

/* Read all state files, after the definitions (load.h); guests that run are known afterwards, as the files say. */
bool qemu_load_running(QemuDriver *qemu, GError **err);
/* Attach to every emulator, each on its guest's strand; then autostart, if the host has booted since. Returns at once. */
void qemu_reconnect(QemuDriver *qemu);
