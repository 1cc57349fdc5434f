/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a program asked for to where its daemon listens: aliases, defaults, transports, sockets. Nothing is opened here. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *uri;         /* what was asked for, aliases and defaults resolved; NULL: nothing */
    char *driver_uri;  /* what the daemon is asked to open; NULL: its default */
    char *socket_path; /* of the UNIX socket */
    char *host, *port; /* of the TCP socket */
    char **command;    /* NULL, or the program that carries the bytes instead of a socket */
    bool is_private;   /* nobody else can listen: a socket of this host, or ssh */
    bool may_spawn;    /* a session daemon, which is started when it does not run */
} ClientTarget;

void client_target_clear(ClientTarget *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ClientTarget, client_target_clear)

/* @uri NULL or empty: LIBVIRT_DEFAULT_URI, then uri_default of libvirt.conf, then the daemon's choice. */
bool client_target_resolve(const char *uri, bool is_read_only, bool use_aliases,
                           ClientTarget *target, GError **err);
/* The admin socket of a daemon: libvirtd:///system, virtqemud:///session ... */
bool client_target_resolve_admin(const char *uri, ClientTarget *target, GError **err);
