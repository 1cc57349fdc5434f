/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See loop.h. epoll with level-triggered watches; timers in a sorted sequence, the nearest gives epoll_wait's timeout; an
 * eventfd that is written only while the loop sleeps. Watches and timers that were removed are freed between two rounds by
 * the loop's thread alone, which is why a batch of epoll events never holds a dangling pointer. */
#define ERROR_DOMAIN VIR_FROM_EVENT

#include "loop/loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#define EVENTS_PER_ROUND 64

struct LoopWatch {
    Loop *loop;
    int fd;
    uint32_t events;
    LoopWatchFunc func;
    void *opaque;
    GDestroyNotify free_func;
    bool is_dead;
    LoopWatch *next_dead;
    GList link; /* of all watches */
};

struct LoopTimer {
    Loop *loop;
    gint64 deadline_us;
    GSequenceIter *place; /* NULL: rests */
    LoopFunc func;
    void *opaque;
    GDestroyNotify free_func;
    bool is_dead;
    LoopTimer *next_dead;
    GList link; /* of all timers */
};

typedef struct Posted Posted;
struct Posted {
    LoopFunc func;
    void *opaque;
    Posted *next;
};

struct Loop {
    int epoll_fd, wake_fd;
    GThread *thread;
    GMutex lock; /* of all that follows */
    bool is_asleep, is_woken, must_quit;
    GQueue watches, all_timers;
    GSequence *timers; /* of LoopTimer, by deadline */
    LoopWatch *dead_watches;
    LoopTimer *dead_timers;
    Posted *posted, **posted_end;
};

Loop *
loop_new(GError **err)
{
    g_autoptr(Loop) loop = g_new0(Loop, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    g_mutex_init(&loop->lock);
    loop->wake_fd = -1;
    loop->timers = g_sequence_new(NULL);
    loop->posted_end = &loop->posted;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return fail_null_errno(err, "make an epoll set for", "the event loop");
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
        return fail_null_errno(err, "make a wake-up descriptor for", "the event loop");
    return g_steal_pointer(&loop);
}

/* With the lock held: make the loop look at what was just put down for it. */
static void
loop_wake(Loop *loop)
{
    const guint64 one = 1;

    if (!loop->is_asleep || loop->is_woken)
        return;
    loop->is_woken = true;
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

bool
loop_on_thread(Loop *loop)
{
    return g_atomic_pointer_get(&loop->thread) == g_thread_self();
}

void
loop_quit(Loop *loop)
{
    g_mutex_lock(&loop->lock);
    loop->must_quit = true;
    loop_wake(loop);
    g_mutex_unlock(&loop->lock);
}

void
loop_post(Loop *loop, LoopFunc func, void *opaque)
{
    Posted *posted = g_new(Posted, 1);

    *posted = (Posted){func, opaque, NULL};
    g_mutex_lock(&loop->lock);
    *loop->posted_end = posted;
    loop->posted_end = &posted->next;
    loop_wake(loop);
    g_mutex_unlock(&loop->lock);
}

LoopWatch *
loop_watch_fd(Loop *loop, int fd, uint32_t events, LoopWatchFunc func, void *opaque,
              GDestroyNotify free_func, GError **err)
{
    LoopWatch *watch = g_new0(LoopWatch, 1);
    struct epoll_event event = {.events = events, .data.ptr = watch};

    watch->loop = loop;
    watch->fd = fd;
    watch->events = events;
    watch->func = func;
    watch->opaque = opaque;
    watch->free_func = free_func;
    watch->link.data = watch;
    g_mutex_lock(&loop->lock);
    if (events && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        g_autofree char *which = g_strdup_printf("descriptor %d", fd);

        g_mutex_unlock(&loop->lock);
        g_free(watch);
        return fail_null_errno(err, "watch", which);
    }
    g_queue_push_tail_link(&loop->watches, &watch->link);
    g_mutex_unlock(&loop->lock);
    return watch;
}

void
loop_watch_update(LoopWatch *watch, uint32_t events)
{
    Loop *loop = watch->loop;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int action;

    g_mutex_lock(&loop->lock);
    if (!watch->is_dead && watch->events != events) {
        action = !watch->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
        watch->events = events;
        if (epoll_ctl(loop->epoll_fd, action, watch->fd, &event) < 0)
            log_error(LOG_LOOP, "descriptor %d: cannot change what is watched: %s", watch->fd,
                      g_strerror(errno));
    }
    g_mutex_unlock(&loop->lock);
}

void
loop_watch_remove(LoopWatch *watch)
{
    Loop *loop;

    if (!watch)
        return;
    loop = watch->loop;
    g_mutex_lock(&loop->lock);
    if (!watch->is_dead) {
        watch->is_dead = true;
        if (watch->events && epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) < 0)
            log_error(LOG_LOOP, "descriptor %d: cannot stop watching it: %s", watch->fd,
                      g_strerror(errno));
        g_queue_unlink(&loop->watches, &watch->link);
        watch->next_dead = loop->dead_watches;
        loop->dead_watches = watch;
        loop_wake(loop);
    }
    g_mutex_unlock(&loop->lock);
}

LoopTimer *
loop_timer_new(Loop *loop, LoopFunc func, void *opaque, GDestroyNotify free_func)
{
    LoopTimer *timer = g_new0(LoopTimer, 1);

    timer->loop = loop;
    timer->func = func;
    timer->opaque = opaque;
    timer->free_func = free_func;
    timer->link.data = timer;
    g_mutex_lock(&loop->lock);
    g_queue_push_tail_link(&loop->all_timers, &timer->link);
    g_mutex_unlock(&loop->lock);
    return timer;
}

LoopTimer *
loop_timer_start(Loop *loop, guint timeout_ms, LoopFunc func, void *opaque,
                 GDestroyNotify free_func)
{
    LoopTimer *timer = loop_timer_new(loop, func, opaque, free_func);

    loop_timer_rearm(timer, timeout_ms);
    return timer;
}

static int
timer_compare(gconstpointer a, gconstpointer b, gpointer unused)
{
    const LoopTimer *left = a, *right = b;

    return left->deadline_us < right->deadline_us ? -1 : left->deadline_us > right->deadline_us;
}

/* With the lock held. */
static void
timer_unplace(LoopTimer *timer)
{
    if (timer->place)
        g_sequence_remove(g_steal_pointer(&timer->place));
}

void
loop_timer_rearm(LoopTimer *timer, guint timeout_ms)
{
    Loop *loop = timer->loop;

    g_mutex_lock(&loop->lock);
    timer_unplace(timer);
    if (!timer->is_dead) {
        timer->deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
        timer->place = g_sequence_insert_sorted(loop->timers, timer, timer_compare, NULL);
        if (timer->place == g_sequence_get_begin_iter(loop->timers))
            loop_wake(loop);
    }
    g_mutex_unlock(&loop->lock);
}

void
loop_timer_rest(LoopTimer *timer)
{
    g_mutex_lock(&timer->loop->lock);
    timer_unplace(timer);
    g_mutex_unlock(&timer->loop->lock);
}

void
loop_timer_stop(LoopTimer *timer)
{
    Loop *loop;

    if (!timer)
        return;
    loop = timer->loop;
    g_mutex_lock(&loop->lock);
    if (!timer->is_dead) {
        timer->is_dead = true;
        timer_unplace(timer);
        g_queue_unlink(&loop->all_timers, &timer->link);
        timer->next_dead = loop->dead_timers;
        loop->dead_timers = timer;
        loop_wake(loop);
    }
    g_mutex_unlock(&loop->lock);
}

/* Free what was removed. Takes the lock for the lists only: free functions may call us. */
static void
loop_free_dead(Loop *loop)
{
    LoopWatch *watches;
    LoopTimer *timers;

    g_mutex_lock(&loop->lock);
    watches = g_steal_pointer(&loop->dead_watches);
    timers = g_steal_pointer(&loop->dead_timers);
    g_mutex_unlock(&loop->lock);
    while (watches) {
        LoopWatch *watch = watches;

        watches = watch->next_dead;
        if (watch->free_func)
            watch->free_func(watch->opaque);
        g_free(watch);
    }
    while (timers) {
        LoopTimer *timer = timers;

        timers = timer->next_dead;
        if (timer->free_func)
            timer->free_func(timer->opaque);
        g_free(timer);
    }
}

static void
loop_run_posted(Loop *loop)
{
    Posted *posted;

    g_mutex_lock(&loop->lock);
    posted = g_steal_pointer(&loop->posted);
    loop->posted_end = &loop->posted;
    g_mutex_unlock(&loop->lock);
    while (posted) {
        g_autofree Posted *first = posted;

        posted = first->next;
        first->func(first->opaque);
    }
}

/* Run the timers that are due now; those that they start wait for the next round. */
static void
loop_run_timers(Loop *loop)
{
    const gint64 now_us = g_get_monotonic_time();

    while (true) {
        LoopTimer *timer = NULL;
        GSequenceIter *first;

        g_mutex_lock(&loop->lock);
        first = g_sequence_get_begin_iter(loop->timers);
        if (!g_sequence_iter_is_end(first)) {
            timer = g_sequence_get(first);
            if (timer->deadline_us <= now_us)
                timer_unplace(timer);
            else
                timer = NULL;
        }
        g_mutex_unlock(&loop->lock);
        if (!timer)
            return;
        timer->func(timer->opaque);
    }
}

/* With the lock held: how long may epoll_wait sleep? */
static int
loop_timeout_ms(Loop *loop)
{
    GSequenceIter *first = g_sequence_get_begin_iter(loop->timers);
    const LoopTimer *timer;
    gint64 left_us;

    if (loop->posted || loop->must_quit || loop->dead_watches || loop->dead_timers)
        return 0;
    if (g_sequence_iter_is_end(first))
        return -1;
    timer = g_sequence_get(first);
    left_us = timer->deadline_us - g_get_monotonic_time();
    return left_us <= 0 ? 0 : (int)MIN((left_us + 999) / 1000, G_MAXINT / 2);
}

static void
loop_run_watch(Loop *loop, LoopWatch *watch, uint32_t events)
{
    bool is_wanted;

    g_mutex_lock(&loop->lock);
    is_wanted = !watch->is_dead && watch->events;
    g_mutex_unlock(&loop->lock);
    if (is_wanted)
        watch->func(watch->fd, events, watch->opaque);
}

/* One round: sleep, then serve what came. */
static bool
loop_run_round(Loop *loop, GError **err)
{
    struct epoll_event events[EVENTS_PER_ROUND];
    guint64 count;
    int n_events, timeout_ms, wait_errno;

    g_mutex_lock(&loop->lock);
    timeout_ms = loop_timeout_ms(loop);
    loop->is_asleep = timeout_ms != 0;
    g_mutex_unlock(&loop->lock);

    n_events = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND, timeout_ms);
    wait_errno = errno;

    g_mutex_lock(&loop->lock);
    loop->is_asleep = false;
    loop->is_woken = false;
    g_mutex_unlock(&loop->lock);

    if (n_events < 0 && wait_errno != EINTR) {
        errno = wait_errno;
        return fail_errno(err, "wait in", "the event loop");
    }
    for (int i = 0; i < n_events; i++) {
        if (events[i].data.ptr)
            loop_run_watch(loop, events[i].data.ptr, events[i].events);
        else
            (void)!read(loop->wake_fd, &count, sizeof count);
    }
    loop_run_timers(loop);
    loop_run_posted(loop);
    loop_free_dead(loop);
    return true;
}

bool
loop_run(Loop *loop, GError **err)
{
    bool is_good = true, is_over = false;

    g_atomic_pointer_set(&loop->thread, g_thread_self());
    while (is_good && !is_over) {
        is_good = loop_run_round(loop, err);
        g_mutex_lock(&loop->lock);
        is_over = loop->must_quit;
        loop->must_quit = loop->must_quit && !is_over;
        g_mutex_unlock(&loop->lock);
    }
    g_atomic_pointer_set(&loop->thread, NULL);
    return is_good;
}

void
loop_free(Loop *loop)
{
    if (!loop)
        return;
    while (loop->posted)
        loop_run_posted(loop);
    while (loop->watches.head)
        loop_watch_remove(loop->watches.head->data);
    while (loop->all_timers.head)
        loop_timer_stop(loop->all_timers.head->data);
    while (loop->dead_watches || loop->dead_timers)
        loop_free_dead(loop);
    g_sequence_free(loop->timers);
    fd_close(&loop->wake_fd);
    fd_close(&loop->epoll_fd);
    g_mutex_clear(&loop->lock);
    g_free(loop);
}
