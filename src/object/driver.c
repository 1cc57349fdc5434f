/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See driver.h: the count of what keeps an idle daemon alive. */
#include "object/driver.h"

void
driver_host_hold(DriverHost *host)
{
    if (g_atomic_int_add(&host->holds, 1) == 0 && host->holds_changed)
        host->holds_changed(host);
}

void
driver_host_release(DriverHost *host)
{
    if (g_atomic_int_dec_and_test(&host->holds) && host->holds_changed)
        host->holds_changed(host);
}
