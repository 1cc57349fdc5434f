/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon as a whole: loop, workers, drivers, and the servers that clients connect to.
 *
 * A server is a group of sockets with the same programs and limits: "libvirtd" for users, "admin" for administration.
 * Everything here belongs to the loop's thread unless it says otherwise. main.c starts it, client.h is one connection. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "object/driver.h"
#include "server/settings.h"

typedef struct Daemon Daemon;
typedef struct Server Server;
typedef struct Client Client;
typedef struct Service Service;

struct Server {
    Daemon *daemon;
    char *name;
    bool is_admin; /* speaks the admin program, else remote, qemu and lxc */
    ServerLimits limits;
    GPtrArray *services; /* of Service: the sockets */
    GHashTable *clients; /* id (guint64) -> Client, borrowed: clients take themselves out */
    guint64 last_client_id;
    guint n_unopened;     /* clients that have not opened a connection yet */
    GHashTable *unopened; /* the same by uid */
    bool is_paused;       /* accepts nobody until a client leaves */
    LoopTimer *retry_timer;
};

struct Daemon {
    DriverHost host;          /* with loop and pool */
    Driver *const *drivers;   /* NULL-terminated */
    Driver **service_drivers; /* those of them that serve no URI, NULL-terminated */
    guint n_started;
    DaemonConfig *config;
    GPtrArray *servers; /* of Server */
    LoopTimer *idle_timer;
    guint idle_timeout_s; /* 0: never ends by itself */
    LoopWatch *signal_watch;
    int signal_fd, pid_fd;
    char *pid_path, *config_path;
};

/* Loop, pool, folders and drivers; no sockets yet. Takes @take_config. */
Daemon *daemon_new(DaemonConfig *take_config, Driver *const *drivers, GError **err);
void daemon_free(Daemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Daemon, daemon_free)

/* One instance: write and lock the pid file. */
bool daemon_lock(Daemon *daemon, const char *pid_path, GError **err);
bool daemon_start_drivers(Daemon *daemon, GError **err);
/* Serve until a signal or the idle timeout ends it, then close clients and stop drivers. */
bool daemon_run(Daemon *daemon, GError **err);
/* Take signals through the loop: TERM, INT, QUIT end, HUP reloads. */
bool daemon_watch_signals(Daemon *daemon, GError **err);
/* Seconds without a client or a running guest until the daemon ends; 0: never. */
void daemon_set_idle_timeout(Daemon *daemon, guint timeout_s);
/* A client came or went, a driver holds or releases: start or stop the idle timer. */
void daemon_check_idle(Daemon *daemon);
/* SIGHUP: read the configuration of drivers and the logging settings again. */
void daemon_reload(Daemon *daemon);

/* The driver that serves @uri (NULL or empty: the default), with the URI it is called by; NULL with @err. */
Driver *daemon_find_driver(Daemon *daemon, const char *uri, char **found_uri, GError **err);

Server *server_new(Daemon *daemon, const char *name, bool is_admin, const ServerLimits *limits);
/* Stop listening; free when all clients are gone. */
void server_stop(Server *server);
void server_free(Server *server);
Server *daemon_find_server(Daemon *daemon, const char *name, GError **err);
/* Let clients come through a socket that listens. Takes @take_fd. */
bool server_add_service(Server *server, int take_fd, bool is_read_only, GError **err);
/* Serve one connected socket. Takes @take_fd. NULL with @err when there are too many clients. */
Client *server_add_client(Server *server, int take_fd, bool is_read_only, GError **err);
/* Accept again, or stop, as the numbers of clients say. */
void server_check_limits(Server *server);
/* The most calls of one client that may run at the same time, and so on; takes effect at once. */
void server_set_limits(Server *server, guint max_clients, guint max_unopened);
