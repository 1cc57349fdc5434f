/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ways in which a guest ends or begins that are not asked for by a call; see guest.h for those that are. */
#pragma once

#include "driver/qemu/guest.h"

/* The guest has shut itself down; its emulator waits. Ends it, or resets it when this is half of a reboot. */
void guest_finish_shutdown(Guest *guest);
/* The guest's system has crashed: do what <on_crash> says. */
void guest_finish_panic(Guest *guest);
/* Call guest_stopped if the emulator has ended and everything it said was heard. */
void guest_check_ended(Guest *guest);
/* Ask the guest to shut down, and start it again afterwards if @reboots. */
bool guest_ask_shutdown(Guest *guest, bool reboots, GError **err);
/* Start one guest in the background, as the host has booted. */
void guest_autostart(Guest *guest);
