/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes of storage as people read them: 1.50 GiB. */
#pragma once

#include "tools/virsh/output.h"

/* Free with g_free. */
char *size_pretty(unsigned long long bytes);
/* A field with a size: pretty, or the plain number with @bytes and in JSON. */
void size_field(Shell *shell, Fields *fields, const char *label, const char *key,
                unsigned long long size, bool bytes);
