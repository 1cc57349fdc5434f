/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of CPUs as people write them: 0-3,8,^2. */
#pragma once

#include "tools/virsh/shell.h"

/* The map of @text for a host of @host CPUs; "r" means all of them. Free with g_free; NULL after saying why. */
unsigned char *cpus_parse(Shell *shell, const char *text, int host, int *map_len);
/* The other way round. Free with g_free. */
char *cpus_format(const unsigned char *map, int count);
/* How many CPUs the host has; -1 after an error. */
int cpus_of_host(Shell *shell);
