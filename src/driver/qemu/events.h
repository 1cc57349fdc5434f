/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saying what happened to a guest, in upstream's events. Each emits nothing when nobody listens. */
#pragma once

#include "driver/qemu/guest.h"

/* name, uuid and id as they are now, for a wire structure. */
void guest_fill_wire(const Guest *guest, RemoteNonnullDomain *dom);
void guest_view_fill_wire(const GuestView *view, RemoteNonnullDomain *dom);

void guest_emit_reboot(Guest *guest);
void guest_emit_metadata_change(Guest *guest, int type, const char *uri);
void guest_emit_device_removed(Guest *guest, const char *alias);
void guest_emit_device_added(Guest *guest, const char *alias);
void guest_emit_agent(Guest *guest, int state, int reason);
/* After a start or a daemon's restart: which agent channels are open. */
void guest_emit_agents(Guest *guest, int reason);
