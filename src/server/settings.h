/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's settings: defaults, libvirtd.conf on top of them, the command line on top of that (main.c).
 *
 * A wrong line is an error that names file, line and what would be right. A key that nobody knows is only a warning, because
 * files of other versions are read too. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    guint max_clients;
    guint max_queued_clients;    /* that the kernel holds before they are accepted */
    guint max_anonymous_clients; /* that have not opened a connection yet */
    guint max_client_requests;   /* calls of one client that run at the same time */
    int keepalive_interval_s;    /* below 1: no keepalive */
    guint keepalive_count;
} ServerLimits;

typedef struct {
    bool is_system;
    char *config_dir, *state_dir, *lib_dir, *cache_dir, *log_dir;
    char *socket_dir;
    bool has_socket_group;
    gid_t socket_group;
    mode_t rw_mode, ro_mode, admin_mode;
    ServerLimits server, admin;
    guint min_workers, max_workers;
    int log_level;
    char *log_filters, *log_outputs;
    char *host_uuid;
    bool uuid_from_machine_id; /* not from the firmware, which comes first otherwise */
} DaemonConfig;

/* What holds without a file, for root's daemon or the present user's. */
DaemonConfig *daemon_config_new(bool is_system);
void daemon_config_free(DaemonConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonConfig, daemon_config_free)

/* Read @path into @config. */
bool daemon_config_load(DaemonConfig *config, const char *path, GError **err);
/* The same from text that is @len bytes long; @path is for messages only. */
bool daemon_config_parse(DaemonConfig *config, const char *path, const char *text, gsize len,
                         GError **err);
/* Where the settings give none, ask the firmware, then /etc/machine-id. */
void daemon_config_find_host_uuid(DaemonConfig *config);
/* The log settings alone take effect in a running daemon. */
bool daemon_config_apply_log(const DaemonConfig *config, GError **err);
