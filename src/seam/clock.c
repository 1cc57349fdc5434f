/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See clock.h. */
#include "seam/clock.h"

#include <time.h>

gint64
clock_monotonic_us(void)
{
    return g_get_monotonic_time();
}

gint64
clock_monotonic_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

gint64
clock_wall_ms(void)
{
    return g_get_real_time() / 1000;
}

gint64
clock_wall_seconds(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

char *
clock_wall_text(void)
{
    gint64 now_ms = clock_wall_ms();
    time_t seconds = now_ms / 1000;
    struct tm utc;

    gmtime_r(&seconds, &utc);
    return g_strdup_printf("%04d-%02d-%02d %02d:%02d:%02d.%03d+0000", utc.tm_year + 1900,
                           utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                           (int)(now_ms % 1000));
}
