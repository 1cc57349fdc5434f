/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The settings of qemu.conf that this driver honours. A key that it knows but cannot honour yet is an error that names it
 * when its value would change what happens; unknown keys are reported and ignored. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct QemuConfig {
    bool has_owner; /* drop to uid and gid; false: emulators run as the daemon does */
    uid_t uid;
    gid_t gid;
    char *vnc_listen;
    char *spice_listen;
    int vnc_port_min, vnc_port_max;
    int websocket_port_min, websocket_port_max;
    bool use_sandbox;
    bool maps_memory;     /* memory of snapshots is prepared for mapping (memory_cache.h) */
    guint max_stopped_ms; /* patience of destroy before SIGKILL */
};
typedef struct QemuConfig QemuConfig;

/* @path may be absent: defaults. */
QemuConfig *qemu_config_load(const char *path, bool is_system, GError **err);
void qemu_config_free(QemuConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuConfig, qemu_config_free)
