/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about src/loop/pool.h. Runs under TSan too. */
#include "loop/pool.h"

typedef struct {
    Pool *pool;
    GMutex lock;
    GCond changed;
    int n_running, n_most, n_done;
    bool may_go;
} Gate;

static void
gate_init(Gate *gate, guint min, guint max)
{
    *gate = (Gate){.pool = pool_new(min, max)};
    g_mutex_init(&gate->lock);
    g_cond_init(&gate->changed);
}

static void
gate_open(Gate *gate)
{
    g_mutex_lock(&gate->lock);
    gate->may_go = true;
    g_cond_broadcast(&gate->changed);
    g_mutex_unlock(&gate->lock);
}

static void
gate_end(Gate *gate)
{
    gate_open(gate);
    g_clear_pointer(&gate->pool, pool_free);
    g_mutex_clear(&gate->lock);
    g_cond_clear(&gate->changed);
}

/* Wait until @count functions are inside. */
static void
gate_await(Gate *gate, int count)
{
    g_mutex_lock(&gate->lock);
    while (gate->n_running < count)
        g_cond_wait(&gate->changed, &gate->lock);
    g_mutex_unlock(&gate->lock);
}

static void
pass(void *opaque)
{
    Gate *gate = opaque;

    g_mutex_lock(&gate->lock);
    gate->n_running++;
    gate->n_most = MAX(gate->n_most, gate->n_running);
    g_cond_broadcast(&gate->changed);
    while (!gate->may_go)
        g_cond_wait(&gate->changed, &gate->lock);
    gate->n_running--;
    gate->n_done++;
    g_mutex_unlock(&gate->lock);
}

static void
pass_blocked(void *opaque)
{
    Gate *gate = opaque;

    pool_block_begin(NULL);
    pass(gate);
    pool_block_end(NULL);
}

static void
no_thread_before_work(void)
{
    g_autoptr(Pool) pool = pool_new(5, 20);

    g_assert_cmpuint(pool_counts(pool).threads, ==, 0);
}

static void
runs_everything_before_it_is_freed(void)
{
    Gate gate;
    int n_done;

    gate_init(&gate, 0, 3);
    gate_open(&gate);
    for (int i = 0; i < 1000; i++)
        pool_run(gate.pool, pass, &gate);
    g_clear_pointer(&gate.pool, pool_free);
    n_done = gate.n_done;
    gate_end(&gate);
    g_assert_cmpint(n_done, ==, 1000);
}

static void
never_more_than_max_work(void)
{
    Gate gate;

    gate_init(&gate, 0, 2);
    for (int i = 0; i < 5; i++)
        pool_run(gate.pool, pass, &gate);
    gate_await(&gate, 2);
    g_assert_cmpuint(pool_counts(gate.pool).threads, ==, 2);
    g_assert_cmpuint(pool_counts(gate.pool).queued, ==, 3);
    gate_end(&gate);
    g_assert_cmpint(gate.n_most, ==, 2);
    g_assert_cmpint(gate.n_done, ==, 5);
}

static void
blocked_threads_make_room_for_others(void)
{
    Gate blocked, working;

    gate_init(&blocked, 0, 1);
    working = blocked;
    g_mutex_init(&working.lock);
    g_cond_init(&working.changed);
    for (int i = 0; i < 10; i++)
        pool_run(blocked.pool, pass_blocked, &blocked);
    gate_await(&blocked, 10);
    g_assert_cmpuint(pool_counts(blocked.pool).blocked, ==, 10);
    pool_run(working.pool, pass, &working);
    gate_await(&working, 1);
    gate_open(&working);
    gate_end(&blocked);
    g_assert_cmpint(working.n_done, ==, 1);
    g_mutex_clear(&working.lock);
    g_cond_clear(&working.changed);
}

static void
limits_must_make_sense(void)
{
    g_autoptr(Pool) pool = pool_new(1, 2);
    g_autoptr(GError) error = NULL;

    g_assert_false(pool_set_limits(pool, 3, 2, &error));
    g_assert_nonnull(error);
    g_assert_true(pool_set_limits(pool, 2, 7, NULL));
    g_assert_cmpuint(pool_counts(pool).max, ==, 7);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool/no_thread_before_work", no_thread_before_work);
    g_test_add_func("/pool/runs_everything_before_it_is_freed", runs_everything_before_it_is_freed);
    g_test_add_func("/pool/never_more_than_max_work", never_more_than_max_work);
    g_test_add_func("/pool/blocked_threads_make_room_for_others",
                    blocked_threads_make_room_for_others);
    g_test_add_func("/pool/limits_must_make_sense", limits_must_make_sense);
    return g_test_run();
}
