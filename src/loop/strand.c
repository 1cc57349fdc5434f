/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See strand.h. The queue holds functions and, for strand_enter, tickets on which a thread waits. Whoever leaves the strand
 * hands it to the first in the queue: a function is run by the same pool thread, a ticket's thread is woken. */
#define ERROR_DOMAIN VIR_FROM_THREAD

#include "loop/strand.h"

#include "base/error.h"

typedef struct Entry Entry;
struct Entry {
    void (*func)(void *data); /* NULL: a ticket */
    void *data;
    bool is_call;    /* counts among the calls that wait */
    bool is_granted; /* of a ticket: its thread has the strand */
    GList link;
};

struct Strand {
    gatomicrefcount refs;
    Pool *pool;
    GMutex lock; /* of what follows */
    GCond granted;
    GQueue queue; /* of Entry, through their own links */
    guint n_calls;
    bool is_busy;
    GThread *owner; /* the thread that runs on the strand */
    guint depth;    /* of nested strand_enter by the owner */
    char *name, *activity;
    gint64 since_us; /* when the present function began */
    gint64 activity_since_us;
};

Strand *
strand_new(Pool *pool, const char *name)
{
    Strand *strand = g_new0(Strand, 1);

    g_atomic_ref_count_init(&strand->refs);
    strand->pool = pool;
    strand->name = g_strdup(name);
    g_mutex_init(&strand->lock);
    g_cond_init(&strand->granted);
    return strand;
}

Strand *
strand_ref(Strand *strand)
{
    g_atomic_ref_count_inc(&strand->refs);
    return strand;
}

void
strand_unref(Strand *strand)
{
    if (!strand || !g_atomic_ref_count_dec(&strand->refs))
        return;
    g_assert(!strand->queue.head && !strand->is_busy);
    g_mutex_clear(&strand->lock);
    g_cond_clear(&strand->granted);
    g_free(strand->name);
    g_free(strand->activity);
    g_free(strand);
}

/* With the lock held: for whom would a call wait, and since when? */
static bool
strand_fail_full(Strand *strand, GError **err)
{
    const gint64 now_us = g_get_monotonic_time();
    const gint64 since_us = strand->activity ? strand->activity_since_us : strand->since_us;

    return fail(err, VIR_ERR_OPERATION_TIMEOUT,
                "%s: %u calls wait already, and the present one%s%s has run for %lld s; "
                "try again when it has ended",
                strand->name, strand->n_calls, strand->activity ? " " : "",
                strand->activity ? strand->activity : "",
                (long long)((now_us - since_us) / G_USEC_PER_SEC));
}

/* With the lock held: take the first entry off the queue; a ticket is granted, a function is returned. */
static Entry *
strand_hand_on(Strand *strand)
{
    Entry *entry;

    strand->owner = NULL;
    strand->since_us = g_get_monotonic_time();
    if (!strand->queue.head) {
        strand->is_busy = false;
        return NULL;
    }
    entry = strand->queue.head->data;
    g_queue_unlink(&strand->queue, &entry->link);
    if (entry->is_call)
        strand->n_calls--;
    if (entry->func)
        return entry;
    entry->is_granted = true;
    g_cond_broadcast(&strand->granted);
    return NULL;
}

/* On a pool thread: run functions until the queue is empty or a ticket takes over. Holds a reference. */
static void
strand_run(void *opaque)
{
    g_autoptr(Strand) strand = opaque;

    g_mutex_lock(&strand->lock);
    while (true) {
        g_autofree Entry *entry = strand_hand_on(strand);

        if (!entry)
            break;
        strand->owner = g_thread_self();
        g_mutex_unlock(&strand->lock);
        entry->func(entry->data);
        g_mutex_lock(&strand->lock);
    }
    g_mutex_unlock(&strand->lock);
}

/* With the lock held. */
static void
strand_push(Strand *strand, Entry *entry)
{
    entry->link.data = entry;
    g_queue_push_tail_link(&strand->queue, &entry->link);
    if (entry->is_call)
        strand->n_calls++;
}

static bool
strand_queue(Strand *strand, void (*func)(void *data), void *data, bool is_call, GError **err)
{
    bool must_start = false;
    Entry *entry;

    g_mutex_lock(&strand->lock);
    if (is_call && strand->n_calls >= STRAND_CALLS_MAX) {
        strand_fail_full(strand, err);
        g_mutex_unlock(&strand->lock);
        return false;
    }
    entry = g_new0(Entry, 1);
    entry->func = func;
    entry->data = data;
    entry->is_call = is_call;
    strand_push(strand, entry);
    if (!strand->is_busy) {
        strand->is_busy = true;
        must_start = true;
    }
    g_mutex_unlock(&strand->lock);
    if (must_start)
        pool_run(strand->pool, strand_run, strand_ref(strand));
    return true;
}

bool
strand_post(Strand *strand, void (*func)(void *data), void *data, GError **err)
{
    return strand_queue(strand, func, data, true, err);
}

void
strand_post_internal(Strand *strand, void (*func)(void *data), void *data)
{
    strand_queue(strand, func, data, false, NULL);
}

/* With the lock held: wait for the ticket; false when the time is over first. */
static bool
strand_wait(Strand *strand, Entry *ticket, int timeout_ms)
{
    const gint64 until_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

    while (!ticket->is_granted) {
        if (timeout_ms < 0)
            g_cond_wait(&strand->granted, &strand->lock);
        else if (!g_cond_wait_until(&strand->granted, &strand->lock, until_us))
            return ticket->is_granted;
    }
    return true;
}

bool
strand_enter(Strand *strand, int timeout_ms, GError **err)
{
    Entry ticket = {.is_call = true};
    bool is_in = true;

    g_mutex_lock(&strand->lock);
    if (strand->owner == g_thread_self()) {
        strand->depth++;
    } else if (!strand->is_busy) {
        strand->is_busy = true;
        strand->owner = g_thread_self();
        strand->since_us = g_get_monotonic_time();
    } else if (strand->n_calls >= STRAND_CALLS_MAX) {
        is_in = strand_fail_full(strand, err);
    } else {
        strand_push(strand, &ticket);
        pool_block_begin(NULL);
        is_in = strand_wait(strand, &ticket, timeout_ms);
        pool_block_end(NULL);
        if (is_in) {
            strand->owner = g_thread_self();
        } else {
            g_queue_unlink(&strand->queue, &ticket.link);
            strand->n_calls--;
            fail(err, VIR_ERR_OPERATION_TIMEOUT, "%s: still busy%s%s after a wait of %d ms",
                 strand->name, strand->activity ? " " : "",
                 strand->activity ? strand->activity : "", timeout_ms);
        }
    }
    g_mutex_unlock(&strand->lock);
    return is_in;
}

void
strand_leave(Strand *strand)
{
    Entry *next = NULL;

    g_mutex_lock(&strand->lock);
    g_assert(strand->owner == g_thread_self());
    if (strand->depth > 0) {
        strand->depth--;
    } else {
        next = strand_hand_on(strand);
        if (next) {
            /* A function: it goes back to the head of the queue for a pool thread. */
            g_queue_push_head_link(&strand->queue, &next->link);
            if (next->is_call)
                strand->n_calls++;
        }
    }
    g_mutex_unlock(&strand->lock);
    if (next)
        pool_run(strand->pool, strand_run, strand_ref(strand));
}

bool
strand_is_current(Strand *strand)
{
    bool is_current;

    g_mutex_lock(&strand->lock);
    is_current = strand->owner == g_thread_self();
    g_mutex_unlock(&strand->lock);
    return is_current;
}

void
strand_set_activity(Strand *strand, const char *activity)
{
    g_mutex_lock(&strand->lock);
    g_free(strand->activity);
    strand->activity = g_strdup(activity);
    strand->activity_since_us = g_get_monotonic_time();
    g_mutex_unlock(&strand->lock);
}

void
strand_set_name(Strand *strand, const char *name)
{
    g_mutex_lock(&strand->lock);
    g_free(strand->name);
    strand->name = g_strdup(name);
    g_mutex_unlock(&strand->lock);
}

guint
strand_n_waiting(Strand *strand)
{
    guint n_waiting;

    g_mutex_lock(&strand->lock);
    n_waiting = strand->n_calls;
    g_mutex_unlock(&strand->lock);
    return n_waiting;
}
