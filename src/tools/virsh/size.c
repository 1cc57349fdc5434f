/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See size.h. */
#include "tools/virsh/size.h"

char *
size_pretty(unsigned long long bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double scaled = bytes;
    gsize unit = 0;

    for (; scaled >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
        scaled /= 1024;
    return g_strdup_printf("%.2f %s", scaled, units[unit]);
}

void
size_field(Shell *shell, Fields *fields, const char *label, const char *key,
           unsigned long long size, bool bytes)
{
    g_autofree char *text = size_pretty(size);

    if (bytes || shell_wants_json(shell))
        fields_number(fields, label, key, size, NULL);
    else
        fields_text(fields, label, key, text);
}
