/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces of the host, as the kernel shows them in /sys/class/net. They are only looked at: what sets them up
 * belongs to the host's own tools. look.c: one interface as a model; driver.c: the calls, all on workers. */
#pragma once

#include "gen/model-interface_config.h"
#include "object/driver.h"

extern Driver interface_driver;

/* Names, sorted; g_strfreev. NULL with @err. */
char **interface_names(GError **err);
/* Is it up? */
bool interface_is_up(const char *name);
/* Its MAC address as text, empty when it has none. */
char *interface_mac(const char *name);
/* VIR_ERR_NO_INTERFACE. */
bool interface_check(const char *name, GError **err);
/* The whole, with its ports; NULL with @err. */
HostInterface *interface_look(const char *name, GError **err);
