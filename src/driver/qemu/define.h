/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making guests known: for one that is to be started without a definition on disk. */
#pragma once

#include "driver/qemu/guest.h"

/* The guest that @config, a new definition, is about: one that is known and off, or a new one, which is known from here
 * on. Fails when its name or UUID belongs to another, or when it runs. */
Guest *guest_for_transient(QemuDriver *qemu, Domain *config, GError **err);
/* A filled-in definition must have a UUID. */
void domain_ensure_uuid(Domain *dom);
