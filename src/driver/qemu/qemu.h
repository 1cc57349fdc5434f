/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU driver's own state: its folders, its guests, what it knows of the host. One for each daemon.
 * Guests: guest.h. Their processes: emulator.h. Settings of qemu.conf: settings.h. What emulators can do: capabilities.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "object/driver.h"
#include "object/registry.h"
#include "object/store.h"

typedef struct QemuDriver QemuDriver;
typedef struct QemuConfig QemuConfig;
typedef struct Capabilities Capabilities;
typedef struct Loading Loading;
typedef struct PortPool PortPool;
typedef struct MemoryCaches MemoryCaches;
typedef struct Guest Guest;
typedef struct GuestView GuestView;
typedef struct Emulator Emulator;
typedef struct SnapshotTree SnapshotTree;
typedef struct CheckpointTree CheckpointTree;
typedef struct JobSummary JobSummary;
typedef struct KeptState KeptState;

struct QemuDriver {
    Driver *driver;
    const DriverHost *host;
    Registry *guests; /* of GuestView */
    Store *configs;   /* NAME.xml, autostart links */
    Store *statuses;  /* of running guests */
    QemuConfig *config;
    Capabilities *capabilities;
    Loading *loading; /* see load.h */
    PortPool *vnc_ports, *websocket_ports;
    MemoryCaches *memory_caches;

    /* Folders, all ending in "qemu" or below it. */
    char *config_dir, *state_dir, *lib_dir, *cache_dir, *log_dir;
    char *save_dir, *snapshot_dir, *checkpoint_dir, *journal_dir, *nvram_dir, *channel_dir;

    int pid_lock;  /* descriptor of driver.pid */
    gint last_tap; /* atomic: N of the next vnetN */
    gint last_id;  /* atomic: highest id a guest has or had */
};

extern Driver qemu_driver;

/* The driver's state of a call's connection. */
QemuDriver *qemu_of_call(const Call *call);
/* Refuse flags that a call does not know; the bits that are left over are named. */
bool qemu_check_flags(const Call *call, guint flags, guint allowed, GError **err);
/* A number for a guest that starts; never used before in this daemon's life or by a guest that still runs. */
int qemu_next_id(QemuDriver *qemu);

/* Filled in by the parts; each sets its slots. */
void qemu_define_slots(DriverSlots *slots);
void qemu_lifecycle_slots(DriverSlots *slots);
void qemu_list_slots(DriverSlots *slots);
void qemu_info_slots(DriverSlots *slots);
void qemu_node_slots(DriverSlots *slots);
void qemu_stats_slots(DriverSlots *slots);
void qemu_console_slots(DriverSlots *slots);
void qemu_device_slots(DriverSlots *slots);
void qemu_metadata_slots(DriverSlots *slots);
void qemu_attach_slots(DriverSlots *slots);
void qemu_tune_slots(DriverSlots *slots);
void qemu_native_slots(DriverSlots *slots);
void qemu_snapshot_slots(DriverSlots *slots); /* snapshot*.c, revert*.c */
