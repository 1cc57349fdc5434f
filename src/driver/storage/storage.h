/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The storage driver's own state: its folders and pools. One for each daemon; a service on the connections of all hypervisors.
 * Pools: vpool.h. Their volumes: volume.h. What it does for other drivers: object/service.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "object/driver.h"
#include "object/registry.h"
#include "object/store.h"

typedef struct StorageDriver StorageDriver;
typedef struct VPool VPool;
typedef struct VPoolView VPoolView;
typedef struct Volume Volume;

struct StorageDriver {
    Driver *driver;
    const DriverHost *host;
    Registry *pools; /* of VPoolView */
    Store *configs;  /* NAME.xml, autostart links */
    Store *states;   /* of active pools */
    char *config_dir, *state_dir;
    int pid_lock; /* descriptor of driver.pid */
};

extern Driver storage_driver;

StorageDriver *storage_of_call(const Call *call);
/* Refuse flags that a call does not know. */
bool storage_check_flags(const Call *call, guint flags, guint allowed, GError **err);

/* Filled in by the parts; each sets its slots. */
void storage_pool_list_slots(DriverSlots *slots);
void storage_pool_define_slots(DriverSlots *slots);
void storage_pool_state_slots(DriverSlots *slots);
void storage_capabilities_slots(DriverSlots *slots);
void storage_volume_list_slots(DriverSlots *slots);
void storage_volume_create_slots(DriverSlots *slots);
void storage_volume_change_slots(DriverSlots *slots);
void storage_volume_wipe_slots(DriverSlots *slots);
void storage_volume_stream_slots(DriverSlots *slots);
