/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See driver.h: the count of what keeps an idle daemon alive, and who answers what. */
#include "object/driver.h"

#include "base/file.h"
#include "object/store.h"

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

int
driver_lock(const DriverHost *host, const char *folder, const char *session_part, GError **err)
{
    g_autofree char *dir =
        g_build_filename(host->state_dir, folder, host->is_system ? NULL : session_part, NULL);
    g_autofree char *path = g_build_filename(dir, "driver.pid", NULL);

    return dir_make(dir, 0755, err) ? store_lock_pid_file(path, err) : -1;
}

Driver *
driver_for(Driver *driver, const ApiProc *proc)
{
    if (api_has_slot(&driver->slots, proc))
        return driver;
    for (Driver *const *service = driver->services; service && *service; service++) {
        if (api_has_slot(&(*service)->slots, proc))
            return *service;
    }
    return NULL;
}

EventHub *
driver_events(Driver *driver, ApiEventClass cls)
{
    for (Driver *const *service = driver->services; service && *service; service++) {
        if ((*service)->event_classes & (1U << cls))
            return (*service)->events;
    }
    return driver->events;
}
