/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A driver: one hypervisor or one host service, as a table of functions.
 *
 * A hypervisor has URI schemes; a connection belongs to it. A service (storage, networks, secrets) has none: it answers the calls
 * that no hypervisor does, on the connections of all of them. driver_for says who answers, and nothing else decides it.
 *
 * The slots (gen/api-driver.h) have one member for each call of the protocol, with the arguments and result as structures.
 * An empty slot answers VIR_ERR_NO_SUPPORT. Where a slot runs is said in schema/wire: on the loop's thread (it must answer
 * from a view and never wait), on a worker, or on the strand of the object that the call is about. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/api-driver.h"
#include "gen/api-procs.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "loop/strand.h"
#include "object/call.h"
#include "object/events.h"
#include "object/service.h"

/* What the daemon gives its drivers. Directories are libvirt's own, without the driver's name: a driver adds "qemu". */
typedef struct DriverHost DriverHost;
struct DriverHost {
    Loop *loop;
    Pool *pool;
    bool is_system;   /* root's daemon, not a user's */
    char *config_dir; /* /etc/libvirt, or $XDG_CONFIG_HOME/libvirt */
    char *state_dir;  /* /run/libvirt, or $XDG_RUNTIME_DIR/libvirt */
    char *
        lib_dir; /* /var/lib/libvirt, or $XDG_DATA_HOME/libvirt (upstream's session files: $XDG_CONFIG_HOME/libvirt) */
    char *cache_dir;   /* /var/cache/libvirt, or $XDG_CACHE_HOME/libvirt */
    char *log_dir;     /* /var/log/libvirt, or $XDG_CACHE_HOME/libvirt */
    char *host_uuid;   /* text; from libvirtd.conf or the firmware */
    Services services; /* what drivers do for each other */
    gint holds;        /* atomic; see driver_host_hold */
    void (*holds_changed)(DriverHost *host);
};

/* While something is held (a running guest, a job), the daemon does not end for being idle. Any thread. */
void driver_host_hold(DriverHost *host);
void driver_host_release(DriverHost *host);

/* Take the lock that lets one daemon have @folder: driver.pid below the state folder, in @session_part of it for a user's
 * daemon. Makes the folder. The descriptor, to be kept open; -1 with @err. */
int driver_lock(const DriverHost *host, const char *folder, const char *session_part, GError **err);

struct Driver {
    const char *name;           /* "QEMU", as connect_get_type answers */
    const char *folder;         /* "qemu": below the host's directories */
    const char *const *schemes; /* URI schemes it serves, NULL-terminated; NULL: a service */
    guint
        event_classes; /* of a service: 1 << API_EVENT_CLASS_... of those that it emits, for all connections */
    int error_domain; /* VIR_FROM_QEMU: of errors that the server makes in its name */

    /* Is @uri (whose scheme matches) ours? False with @err set: ours, but wrong, and why. False alone: not ours. */
    bool (*probe_uri)(Driver *driver, const char *uri, GError **err);
    /* URI for clients that gave none; NULL: this driver is no default. A new string. */
    char *(*default_uri)(Driver *driver);

    /* Called on the main thread before clients are answered: quick, the long work goes to the pool. */
    bool (*start)(Driver *driver, const DriverHost *host, GError **err);
    /* Orderly end, after the last client; guests stay. May wait. */
    void (*stop)(Driver *driver);
    /* SIGHUP: read the driver's configuration again. On a worker. */
    void (*reload)(Driver *driver);

    /* A hypervisor's. On the loop's thread: quick, never waits. May set conn->driver_data. */
    bool (*open)(Driver *driver, DriverConn *conn, GError **err);
    /* After all calls and close hooks; on a worker if there were hooks, else on the loop's thread. */
    void (*close)(Driver *driver, DriverConn *conn);
    /* Number of a feature (VIR_DRV_FEATURE_*): 1, 0, or -1 with @err. On the loop's thread. */
    int (*supports_feature)(Driver *driver, DriverConn *conn, int feature, GError **err);
    /* The strand of an object of @kind, a new reference; NULL: there is none, the slot says so itself. Any thread. */
    Strand *(*find_strand)(Driver *driver, ApiObjectKind kind, const guchar uuid[16]);
    /* The strand on which even reads of this object wait, because what a crash left half done is being finished there; a new
     * reference. NULL, as the function or as its answer: they do not wait. Any thread. */
    Strand *(*find_settling)(Driver *driver, ApiObjectKind kind, const guchar uuid[16]);
    /* The strand on which calls of @proc wait until the driver has found its objects; a new reference. NULL, as the function or
     * as its answer: they do not wait. Any thread. */
    Strand *(*find_loading)(Driver *driver, const ApiProc *proc);

    DriverSlots slots;

    /* Set by the server before start. */
    EventHub *events;
    DriverHost *host;
    Driver *const *services; /* of the daemon, NULL-terminated; NULL: none */
    void *state;             /* the driver's own */
};

/* Who answers @proc on a connection of @driver: itself if it has the slot, else the first service that has; NULL: nobody. */
Driver *driver_for(Driver *driver, const ApiProc *proc);
/* Where the events of a class come from on a connection of @driver. */
EventHub *driver_events(Driver *driver, ApiEventClass cls);
