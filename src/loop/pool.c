/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pool.h. One queue, one lock, one condition; a thread that waited IDLE_MS in vain leaves while more than `min` exist. */
#define ERROR_DOMAIN VIR_FROM_THREAD

#include "loop/pool.h"

#include "base/error.h"
#include "base/log.h"

#define IDLE_MS 10000
/* Sleeping threads do no harm, but their number must have an end. */
#define BLOCKED_MAX 4096

typedef struct PoolWork PoolWork;
struct PoolWork {
    void (*func)(void *data);
    void *data;
    PoolWork *next;
};

struct Pool {
    GMutex lock;
    GCond has_work, has_changed;
    PoolWork *first, **end;
    guint queued;
    guint min, max;
    guint threads, idle, blocked, running;
    bool is_ending;
};

static GPrivate current_pool;

Pool *
pool_new(guint min, guint max)
{
    Pool *pool = g_new0(Pool, 1);

    g_mutex_init(&pool->lock);
    g_cond_init(&pool->has_work);
    g_cond_init(&pool->has_changed);
    pool->end = &pool->first;
    pool->max = MAX(max, 1);
    pool->min = MIN(min, pool->max);
    return pool;
}

/* With the lock held: the next work, after waiting for it; NULL when this thread is not needed any more. */
static PoolWork *
pool_next_work(Pool *pool)
{
    gint64 until_us = g_get_monotonic_time() + (gint64)IDLE_MS * 1000;
    PoolWork *work;

    while (!pool->first || pool->threads - pool->blocked > pool->max) {
        bool is_spare = pool->threads > pool->min;
        bool is_late = false;

        if (pool->is_ending && !pool->first)
            return NULL;
        if (pool->threads - pool->blocked > pool->max)
            return NULL;
        pool->idle++;
        if (is_spare)
            is_late = !g_cond_wait_until(&pool->has_work, &pool->lock, until_us);
        else
            g_cond_wait(&pool->has_work, &pool->lock);
        pool->idle--;
        if (is_late && !pool->first && pool->threads > pool->min)
            return NULL;
    }
    work = pool->first;
    pool->first = work->next;
    if (!pool->first)
        pool->end = &pool->first;
    pool->queued--;
    return work;
}

static void *
pool_thread(void *opaque)
{
    Pool *pool = opaque;

    g_private_set(&current_pool, pool);
    g_mutex_lock(&pool->lock);
    while (true) {
        g_autofree PoolWork *work = pool_next_work(pool);

        if (!work)
            break;
        pool->running++;
        g_mutex_unlock(&pool->lock);
        work->func(work->data);
        g_mutex_lock(&pool->lock);
        if (--pool->running == 0 && !pool->first)
            g_cond_broadcast(&pool->has_changed);
    }
    pool->threads--;
    g_cond_broadcast(&pool->has_changed);
    g_mutex_unlock(&pool->lock);
    return NULL;
}

/* With the lock held: make a thread when work waits for one and there may be one more. */
static void
pool_grow(Pool *pool)
{
    g_autoptr(GError) error = NULL;
    GThread *thread;

    if (pool->queued <= pool->idle || pool->threads - pool->blocked >= pool->max ||
        pool->blocked > BLOCKED_MAX)
        return;
    thread = g_thread_try_new("worker", pool_thread, pool, &error);
    if (!thread) {
        log_warning(LOG_LOOP, "worker pool: no thread beside the %u there are: %s", pool->threads,
                    error->message);
        return;
    }
    g_thread_unref(thread);
    pool->threads++;
}

void
pool_run(Pool *pool, void (*func)(void *data), void *data)
{
    PoolWork *work = g_new(PoolWork, 1);

    *work = (PoolWork){func, data, NULL};
    g_mutex_lock(&pool->lock);
    *pool->end = work;
    pool->end = &work->next;
    pool->queued++;
    if (pool->idle)
        g_cond_signal(&pool->has_work);
    pool_grow(pool);
    g_mutex_unlock(&pool->lock);
}

void
pool_block_begin(Pool *pool)
{
    Pool *mine = g_private_get(&current_pool);

    if (!mine || (pool && pool != mine))
        return;
    g_mutex_lock(&mine->lock);
    mine->blocked++;
    pool_grow(mine);
    g_mutex_unlock(&mine->lock);
}

void
pool_block_end(Pool *pool)
{
    Pool *mine = g_private_get(&current_pool);

    if (!mine || (pool && pool != mine))
        return;
    g_mutex_lock(&mine->lock);
    g_assert(mine->blocked > 0);
    mine->blocked--;
    g_mutex_unlock(&mine->lock);
}

void
pool_wait(Pool *pool)
{
    g_mutex_lock(&pool->lock);
    while (pool->first || pool->running > 0)
        g_cond_wait(&pool->has_changed, &pool->lock);
    g_mutex_unlock(&pool->lock);
}

PoolCounts
pool_counts(Pool *pool)
{
    PoolCounts counts;

    g_mutex_lock(&pool->lock);
    counts =
        (PoolCounts){pool->min, pool->max, pool->threads, pool->idle, pool->blocked, pool->queued};
    g_mutex_unlock(&pool->lock);
    return counts;
}

bool
pool_set_limits(Pool *pool, guint min, guint max, GError **err)
{
    if (max == 0 || min > max)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "worker limits %u..%u: the maximum must be above 0 and not below the minimum",
                    min, max);
    g_mutex_lock(&pool->lock);
    pool->min = min;
    pool->max = max;
    pool_grow(pool);
    g_cond_broadcast(&pool->has_work);
    g_mutex_unlock(&pool->lock);
    return true;
}

void
pool_free(Pool *pool)
{
    if (!pool)
        return;
    g_mutex_lock(&pool->lock);
    pool->is_ending = true;
    pool->min = 0;
    g_cond_broadcast(&pool->has_work);
    while (pool->threads > 0)
        g_cond_wait(&pool->has_changed, &pool->lock);
    g_mutex_unlock(&pool->lock);
    g_assert(!pool->first);
    g_mutex_clear(&pool->lock);
    g_cond_clear(&pool->has_work);
    g_cond_clear(&pool->has_changed);
    g_free(pool);
}
