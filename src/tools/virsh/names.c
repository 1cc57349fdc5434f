/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See names.h. */
#include "tools/virsh/names.h"

#include <glib.h>
#include <libvirt/libvirt.h>

#define WORD(table, i) \
    ((i) >= 0 && (i) < (int)G_N_ELEMENTS(table) && (table)[i] ? (table)[i] : "unknown")

const char *
name_of_state(int state)
{
    static const char *const names[] = {
        [VIR_DOMAIN_NOSTATE] = "no state",     [VIR_DOMAIN_RUNNING] = "running",
        [VIR_DOMAIN_BLOCKED] = "idle",         [VIR_DOMAIN_PAUSED] = "paused",
        [VIR_DOMAIN_SHUTDOWN] = "in shutdown", [VIR_DOMAIN_SHUTOFF] = "shut off",
        [VIR_DOMAIN_CRASHED] = "crashed",      [VIR_DOMAIN_PMSUSPENDED] = "pmsuspended",
    };

    return state >= 0 && state < (int)G_N_ELEMENTS(names) ? names[state] : "no state";
}

const char *
name_of_state_reason(int state, int reason)
{
    static const char *const running[] = {
        [VIR_DOMAIN_RUNNING_UNKNOWN] = "unknown",
        [VIR_DOMAIN_RUNNING_BOOTED] = "booted",
        [VIR_DOMAIN_RUNNING_MIGRATED] = "migrated",
        [VIR_DOMAIN_RUNNING_RESTORED] = "restored",
        [VIR_DOMAIN_RUNNING_FROM_SNAPSHOT] = "from snapshot",
        [VIR_DOMAIN_RUNNING_UNPAUSED] = "unpaused",
        [VIR_DOMAIN_RUNNING_MIGRATION_CANCELED] = "migration canceled",
        [VIR_DOMAIN_RUNNING_SAVE_CANCELED] = "save canceled",
        [VIR_DOMAIN_RUNNING_WAKEUP] = "event wakeup",
        [VIR_DOMAIN_RUNNING_CRASHED] = "crashed",
        [VIR_DOMAIN_RUNNING_POSTCOPY] = "post-copy",
        [VIR_DOMAIN_RUNNING_POSTCOPY_FAILED] = "post-copy failed",
    };
    static const char *const paused[] = {
        [VIR_DOMAIN_PAUSED_UNKNOWN] = "unknown",
        [VIR_DOMAIN_PAUSED_USER] = "user",
        [VIR_DOMAIN_PAUSED_MIGRATION] = "migrating",
        [VIR_DOMAIN_PAUSED_SAVE] = "saving",
        [VIR_DOMAIN_PAUSED_DUMP] = "dumping",
        [VIR_DOMAIN_PAUSED_IOERROR] = "I/O error",
        [VIR_DOMAIN_PAUSED_WATCHDOG] = "watchdog",
        [VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "from snapshot",
        [VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting down",
        [VIR_DOMAIN_PAUSED_SNAPSHOT] = "creating snapshot",
        [VIR_DOMAIN_PAUSED_CRASHED] = "crashed",
        [VIR_DOMAIN_PAUSED_STARTING_UP] = "starting up",
        [VIR_DOMAIN_PAUSED_POSTCOPY] = "post-copy",
        [VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = "post-copy failed",
        [VIR_DOMAIN_PAUSED_API_ERROR] = "api error",
    };
    static const char *const shutoff[] = {
        [VIR_DOMAIN_SHUTOFF_UNKNOWN] = "unknown",
        [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "shutdown",
        [VIR_DOMAIN_SHUTOFF_DESTROYED] = "destroyed",
        [VIR_DOMAIN_SHUTOFF_CRASHED] = "crashed",
        [VIR_DOMAIN_SHUTOFF_MIGRATED] = "migrated",
        [VIR_DOMAIN_SHUTOFF_SAVED] = "saved",
        [VIR_DOMAIN_SHUTOFF_FAILED] = "failed",
        [VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT] = "from snapshot",
        [VIR_DOMAIN_SHUTOFF_DAEMON] = "daemon",
    };
    static const char *const shutdown_words[] = {"unknown", "user"};
    static const char *const crashed[] = {"unknown", "panicked"};

    switch (state) {
    case VIR_DOMAIN_RUNNING:
        return WORD(running, reason);
    case VIR_DOMAIN_PAUSED:
        return WORD(paused, reason);
    case VIR_DOMAIN_SHUTOFF:
        return WORD(shutoff, reason);
    case VIR_DOMAIN_SHUTDOWN:
        return WORD(shutdown_words, reason);
    case VIR_DOMAIN_CRASHED:
        return WORD(crashed, reason);
    default:
        return "unknown";
    }
}

const char *
name_of_vcpu_state(int state)
{
    static const char *const names[] = {[VIR_VCPU_OFFLINE] = "offline",
                                        [VIR_VCPU_RUNNING] = "running",
                                        [VIR_VCPU_BLOCKED] = "idle"};

    return state >= 0 && state < (int)G_N_ELEMENTS(names) ? names[state] : "no state";
}

const char *
name_of_lifecycle_event(int event)
{
    static const char *const names[] = {"Defined",   "Undefined",   "Started",
                                        "Suspended", "Resumed",     "Stopped",
                                        "Shutdown",  "PMSuspended", "Crashed"};

    return WORD(names, event);
}

const char *
name_of_lifecycle_detail(int event, int detail)
{
    static const char *const details[][9] = {
        [VIR_DOMAIN_EVENT_DEFINED] = {"Added", "Updated", "Renamed", "Snapshot"},
        [VIR_DOMAIN_EVENT_UNDEFINED] = {"Removed", "Renamed"},
        [VIR_DOMAIN_EVENT_STARTED] = {"Booted", "Migrated", "Restored", "Snapshot", "Event wakeup",
                                      "Recovered"},
        [VIR_DOMAIN_EVENT_SUSPENDED] = {"Paused", "Migrated", "I/O Error", "Watchdog", "Restored",
                                        "Snapshot", "API error", "Post-copy", "Post-copy Error"},
        [VIR_DOMAIN_EVENT_RESUMED] = {"Unpaused", "Migrated", "Snapshot", "Post-copy",
                                      "Post-copy Error"},
        [VIR_DOMAIN_EVENT_STOPPED] = {"Shutdown", "Destroyed", "Crashed", "Migrated", "Saved",
                                      "Failed", "Snapshot", "Recovered"},
        [VIR_DOMAIN_EVENT_SHUTDOWN] = {"Finished", "Finished after guest request",
                                       "Finished after host request"},
        [VIR_DOMAIN_EVENT_PMSUSPENDED] = {"Memory", "Disk"},
        [VIR_DOMAIN_EVENT_CRASHED] = {"Panicked", "Crashloaded"},
    };

    if (event < 0 || event >= (int)G_N_ELEMENTS(details))
        return "unknown";
    return WORD(details[event], detail);
}
