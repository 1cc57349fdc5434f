/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clocks. Deadlines are monotonic milliseconds; wall time is only for records that people read. */
#pragma once

#include <glib.h>

gint64 clock_monotonic_ms(void);
gint64 clock_monotonic_us(void);
gint64 clock_wall_ms(void);
gint64 clock_wall_seconds(void);
/* "2026-11-22 22:41:05.114+0000", as emulator logs have it. Free with g_free. */
char *clock_wall_text(void);
