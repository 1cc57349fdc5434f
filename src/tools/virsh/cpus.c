/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cpus.h. */
#include "tools/virsh/cpus.h"

#include <stdlib.h>
#include <string.h>

int
cpus_of_host(Shell *shell)
{
    virNodeInfo info;
    int n = virNodeGetCPUMap(shell_connection(shell), NULL, NULL, 0);

    if (n >= 0)
        return n;
    shell_forget_error();
    if (virNodeGetInfo(shell_connection(shell), &info) < 0)
        return -1;
    return VIR_NODEINFO_MAXCPUS(info);
}

/* One part: 3, 1-4 or ^2. */
static bool
apply_part(const char *part, int host, unsigned char *map)
{
    bool without = *part == '^';
    char *end;
    const char *from = part + without;
    unsigned long low, high;

    if (!g_ascii_isdigit(*from))
        return false;
    low = high = strtoul(from, &end, 10);
    if (*end == '-' && !without) {
        if (!g_ascii_isdigit(end[1]))
            return false;
        high = strtoul(end + 1, &end, 10);
    }
    if (*end || low > high || high >= (unsigned long)host)
        return false;
    for (unsigned long cpu = low; cpu <= high; cpu++) {
        if (without)
            VIR_UNUSE_CPU(map, cpu);
        else
            VIR_USE_CPU(map, cpu);
    }
    return true;
}

unsigned char *
cpus_parse(Shell *shell, const char *text, int host, int *map_len)
{
    g_autofree unsigned char *map = NULL;
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    *map_len = VIR_CPU_MAPLEN(host);
    map = g_new0(unsigned char, *map_len);
    if (g_str_equal(text, "r")) {
        for (int cpu = 0; cpu < host; cpu++)
            VIR_USE_CPU(map, cpu);
        return g_steal_pointer(&map);
    }
    for (char **part = parts; *part; part++) {
        if (!apply_part(*part, host, map)) {
            shell_fail(shell, "Invalid cpulist '%s'", text);
            return NULL;
        }
    }
    if (!*text) {
        shell_fail(shell, "Invalid cpulist '%s'", text);
        return NULL;
    }
    return g_steal_pointer(&map);
}

char *
cpus_format(const unsigned char *map, int count)
{
    GString *out = g_string_new(NULL);

    for (int cpu = 0; cpu < count; cpu++) {
        int last = cpu;
        if (!VIR_CPU_USED(map, cpu))
            continue;
        while (last + 1 < count && VIR_CPU_USED(map, last + 1))
            last++;
        g_string_append_printf(out, last > cpu ? "%s%d-%d" : "%s%d", out->len ? "," : "", cpu,
                               last);
        cpu = last;
    }
    return g_string_free(out, FALSE);
}
