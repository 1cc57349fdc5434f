/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that come and go while the guest runs, and the media of drives. Each change is a job: definition of the running
 * machine and of the next start change in one COMMIT, after the emulator has done its part. Calls: attach.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"

/* Begin plugging the device of @xml, a disk, into @guest; @take_config (NULL: as it is) is the next start's definition once
 * that is done. @call is answered then. */
bool plug_attach(Call *call, Guest *guest, const char *xml, Domain *take_config, GError **err);
/* The same for taking one out. @xml, or @alias. The guest has some seconds to let go of it; after that the call ends all the
 * same, and the disk goes once it does. */
bool plug_detach(Call *call, Guest *guest, const char *xml, const char *alias, Domain *take_config,
                 GError **err);
/* Put another medium, or none, into a drive. */
bool plug_change_media(Call *call, Guest *guest, const char *xml, Domain *take_config,
                       bool is_forced, GError **err);
/* The emulator says that the device @alias is gone: events.c. */
void plug_device_gone(Guest *guest, const char *alias);
