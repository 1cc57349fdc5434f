/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Worker threads for whatever may wait: they come when work queues and go when they have been idle for a while.
 *
 * At most `max` of them work at the same time; those that wait inside pool_block_begin/end do not count, so a guest that
 * hangs costs one sleeping thread and delays nobody. At least `min` stay once they were needed. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Pool Pool;

typedef struct {
    guint min, max;
    guint threads; /* that exist */
    guint idle;    /* of them, without work */
    guint blocked; /* of them, between pool_block_begin and pool_block_end */
    guint queued;  /* functions that wait for a thread */
} PoolCounts;

Pool *pool_new(guint min, guint max);
/* Waits until everything queued has run and all threads have ended. */
void pool_free(Pool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pool, pool_free)

/* Run @func(@data) on a worker, in order of arrival. Any thread. */
void pool_run(Pool *pool, void (*func)(void *data), void *data);
/* Around a wait that may last: another thread may work meanwhile. On threads that belong to no pool they do nothing;
 * @pool NULL is the pool of the calling thread. */
void pool_block_begin(Pool *pool);
void pool_block_end(Pool *pool);

/* Wait until nothing is queued and no function runs. Not from a worker. */
void pool_wait(Pool *pool);

PoolCounts pool_counts(Pool *pool);
/* False when @min is above @max or @max is 0. */
bool pool_set_limits(Pool *pool, guint min, guint max, GError **err);
