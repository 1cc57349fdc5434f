/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims about src/loop/strand.h. Runs under TSan too. */
#include "loop/strand.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"

typedef struct {
    Pool *pool;
    Strand *strand;
    GMutex lock;
    GCond changed;
    bool may_go, is_inside;
    int n_plain; /* changed without a lock: the strand must do for it */
} Fixture;

static void
setup(Fixture *fixture, gconstpointer unused)
{
    fixture->pool = pool_new(0, 8);
    fixture->strand = strand_new(fixture->pool, "domain web1");
    g_mutex_init(&fixture->lock);
    g_cond_init(&fixture->changed);
}

static void
open_gate(Fixture *fixture)
{
    g_mutex_lock(&fixture->lock);
    fixture->may_go = true;
    g_cond_broadcast(&fixture->changed);
    g_mutex_unlock(&fixture->lock);
}

static void
teardown(Fixture *fixture, gconstpointer unused)
{
    open_gate(fixture);
    g_clear_pointer(&fixture->pool, pool_free);
    g_clear_pointer(&fixture->strand, strand_unref);
    g_mutex_clear(&fixture->lock);
    g_cond_clear(&fixture->changed);
}

static void
hold(void *opaque)
{
    Fixture *fixture = opaque;

    g_assert_true(strand_is_current(fixture->strand));
    g_mutex_lock(&fixture->lock);
    fixture->is_inside = true;
    g_cond_broadcast(&fixture->changed);
    while (!fixture->may_go)
        g_cond_wait(&fixture->changed, &fixture->lock);
    g_mutex_unlock(&fixture->lock);
}

/* Post a function that stays on the strand, and wait until it is there. */
static void
occupy(Fixture *fixture)
{
    g_assert_true(strand_post(fixture->strand, hold, fixture, NULL));
    g_mutex_lock(&fixture->lock);
    while (!fixture->is_inside)
        g_cond_wait(&fixture->changed, &fixture->lock);
    g_mutex_unlock(&fixture->lock);
}

static void
add_one(void *opaque)
{
    ((Fixture *)opaque)->n_plain++;
}

static void
functions_run_one_at_a_time(Fixture *fixture, gconstpointer unused)
{
    for (int i = 0; i < 2000; i++)
        strand_post_internal(fixture->strand, add_one, fixture);
    g_clear_pointer(&fixture->pool, pool_free);
    g_assert_cmpint(fixture->n_plain, ==, 2000);
}

static void
ninth_waiting_call_is_refused_and_told_why(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    occupy(fixture);
    strand_set_activity(fixture->strand, "saving");
    for (int i = 0; i < STRAND_CALLS_MAX; i++)
        g_assert_true(strand_post(fixture->strand, add_one, fixture, NULL));
    g_assert_false(strand_post(fixture->strand, add_one, fixture, &error));
    g_assert_true(error_is(error, VIR_ERR_OPERATION_TIMEOUT));
    g_assert_nonnull(strstr(error->message, "domain web1"));
    g_assert_nonnull(strstr(error->message, "saving"));
    strand_post_internal(fixture->strand, add_one, fixture);
    open_gate(fixture);
    g_clear_pointer(&fixture->pool, pool_free);
    g_assert_cmpint(fixture->n_plain, ==, STRAND_CALLS_MAX + 1);
}

static void
enter_and_add(void *opaque)
{
    Fixture *fixture = opaque;

    g_assert_true(strand_enter(fixture->strand, -1, NULL));
    g_assert_true(strand_enter(fixture->strand, 0, NULL));
    fixture->n_plain++;
    strand_leave(fixture->strand);
    fixture->n_plain++;
    strand_leave(fixture->strand);
    g_assert_false(strand_is_current(fixture->strand));
}

static void
threads_that_enter_take_their_turn(Fixture *fixture, gconstpointer unused)
{
    for (int i = 0; i < 4; i++) {
        pool_run(fixture->pool, enter_and_add, fixture);
        strand_post_internal(fixture->strand, add_one, fixture);
    }
    g_clear_pointer(&fixture->pool, pool_free);
    g_assert_cmpint(fixture->n_plain, ==, 12);
}

static void
enter_gives_up_in_time(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    occupy(fixture);
    g_assert_false(strand_enter(fixture->strand, 10, &error));
    g_assert_true(error_is(error, VIR_ERR_OPERATION_TIMEOUT));
    g_assert_cmpuint(strand_n_waiting(fixture->strand), ==, 0);
    strand_post_internal(fixture->strand, add_one, fixture);
    open_gate(fixture);
    g_clear_pointer(&fixture->pool, pool_free);
    g_assert_cmpint(fixture->n_plain, ==, 1);
}

#define TEST(name) g_test_add("/strand/" #name, Fixture, NULL, setup, name, teardown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST(functions_run_one_at_a_time);
    TEST(ninth_waiting_call_is_refused_and_told_why);
    TEST(threads_that_enter_take_their_turn);
    TEST(enter_gives_up_in_time);
    return g_test_run();
}
