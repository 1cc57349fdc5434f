/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving a guest's memory and starting from it again: virDomainSave, managed save, restore. Each is
 * a job: the image is whole before the guest ends, and goes only once the guest runs again. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"

/* LIB/save/NAME.save. g_free. */
char *managed_save_path(const Guest *guest);
/* Does @guest have a saved state that can be used? One that was never finished is removed with a
 * warning. */
bool managed_save_is_usable(Guest *guest);
/* Begin starting @guest from its managed save; the call is answered when it runs. @flags of
 * virDomainCreateWithFlags. */
bool managed_save_start(Call *call, Guest *guest, guint flags, GError **err);
