/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One pool of volumes: its definition, whether it is active, its volumes. All of it changes on its strand only; readers take
 * its view. Reading the folder: folder.h. Calls: pool_*.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/storage/storage.h"
#include "driver/storage/volume.h"
#include "model/pool.h"

struct VPool {
    gatomicrefcount refs;
    StorageDriver *storage;
    guchar uuid[16];
    char *name;
    Strand *strand;
    /* on the strand */
    StoragePool *config; /* what is active; else what is defined */
    StoragePool *next;   /* defined while active: holds from the next start */
    bool is_active, is_persistent, is_autostart, is_settling;
    bool is_known;      /* it has been published */
    bool is_gone;       /* nothing is known of it any more */
    guint n_building;   /* volumes that are being made */
    GPtrArray *volumes; /* of Volume, sorted by name; never changed, only replaced; NULL: none */
};

struct VPoolView {
    View view;
    VPool *pool;
    PoolType type;
    bool is_active, is_persistent, is_autostart, is_settling;
    guint64 capacity, allocation, available;
    char *xml, *inactive_xml;
    char *folder;       /* target path; NULL: none */
    char *next_folder;  /* of the definition that holds from the next start, when there is one */
    GPtrArray *volumes; /* as above */
};

VPool *vpool_new(StorageDriver *storage, const guchar uuid[16], const char *name);
VPool *vpool_ref(VPool *pool);
void vpool_unref(VPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VPool, vpool_unref)
static inline void
vpool_view_unref(VPoolView *view)
{
    view_unref(view);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VPoolView, vpool_view_unref)

/* The view, or the pool, that a call names; VIR_ERR_NO_STORAGE_POOL. */
VPoolView *vpool_view_of_call(const Call *call, const RemoteNonnullStoragePool *wire, GError **err);
VPool *vpool_of_call(const Call *call, const RemoteNonnullStoragePool *wire, GError **err);
/* By name; VIR_ERR_NO_STORAGE_POOL. */
VPoolView *vpool_find(StorageDriver *storage, const char *name, GError **err);
void vpool_fill_wire(const VPoolView *view, RemoteNonnullStoragePool *wire);
bool vpool_require_active(const VPoolView *view, GError **err);

/* ---- on the strand ---- */

/* The first time it must be the only pool with its UUID. */
bool vpool_publish(VPool *pool, GError **err);
/* Nothing is known of it any more: take it out, unless it is active or defined. */
void vpool_withdraw(VPool *pool);
bool vpool_save_config(VPool *pool, GError **err);
void vpool_emit(VPool *pool, int event);
void vpool_emit_refresh(VPool *pool);

/* Make it active: look at its folder and read it. False: nothing changed. */
bool vpool_begin(VPool *pool, GError **err);
/* The same for one that was active when the last daemon ended: on failure it is inactive, and gone if it was transient. */
void vpool_resume(VPool *pool);
/* Not active any more; a definition that waited holds now. Withdraws a transient one. */
bool vpool_end(VPool *pool, GError **err);
/* Read the folder anew. False: it cannot be read, and the pool is inactive now. */
bool vpool_refresh(VPool *pool, GError **err);
/* Make the folder. */
bool vpool_build(VPool *pool, GError **err);
bool vpool_refuse_building(const VPool *pool, GError **err);
/* What this daemon lacks for pools of the type; NULL: they can be active. */
const char *vpool_missing(PoolType type);
/* VIR_ERR_NO_SUPPORT that names what is missing; true: pools of the type can be active. */
bool vpool_check_type(const StoragePool *config, GError **err);

/* The list of volumes with @take_volume in the place of its name, or added. Publishes. */
bool vpool_put_volume(VPool *pool, Volume *take_volume, GError **err);
/* The list without @volume, or what a refresh made of it; another of the same name stays. Publishes. */
bool vpool_drop_volume(VPool *pool, const Volume *volume, GError **err);
/* Is @volume, or what a refresh made of it, in the list? */
bool vpool_has_volume(const VPool *pool, const Volume *volume);

/* ---- from a worker: on the strand, and back ---- */

bool vpool_enter(VPool *pool, GError **err);
void vpool_leave(VPool *pool);
