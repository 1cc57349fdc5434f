/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default event loop. See event_loop.h.
 *
 * Callbacks run without the lock, so they may add, change and remove anything. What is removed stays in its list, marked,
 * until no iteration can still be looking at it; its free function is then called, also without the lock. A change from
 * another thread wakes the poll through an eventfd; a change from a callback needs no wake-up. */
#define ERROR_DOMAIN VIR_FROM_EVENT

#include "client/event_loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

typedef struct {
    int id;
    int fd, events; /* handles */
    gint64 due_us;  /* timeouts: -1 when disabled */
    int interval_ms;
    virEventHandleCallback handle_cb;
    virEventTimeoutCallback timeout_cb;
    void *opaque;
    virFreeCallback free_opaque;
    bool is_removed;
} Source;

static struct {
    GMutex lock;
    GPtrArray *handles, *timeouts; /* of Source, ids rising */
    int next_handle, next_timeout;
    bool has_removed;
    int wake_fd;
    int runners; /* threads inside event_loop_run_once */
    int pollers; /* threads asleep in poll */
} loop = {.next_handle = 1, .next_timeout = 1, .wake_fd = -1};

static void
init_locked(void)
{
    if (loop.handles)
        return;
    loop.handles = g_ptr_array_new();
    loop.timeouts = g_ptr_array_new();
    loop.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void
wake_locked(void)
{
    guint64 one = 1;

    if (loop.pollers > 0 && write(loop.wake_fd, &one, sizeof(one)) < 0)
        return; /* full: it is awake already */
}

/* Ids rise in the array: binary search. */
static Source *
find_locked(GPtrArray *sources, int id)
{
    guint low = 0, high = sources ? sources->len : 0;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        Source *source = sources->pdata[middle];
        if (source->id == id)
            return source->is_removed ? NULL : source;
        if (source->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static short
poll_events(int events)
{
    return (events & VIR_EVENT_HANDLE_READABLE ? POLLIN : 0) |
           (events & VIR_EVENT_HANDLE_WRITABLE ? POLLOUT : 0) |
           (events & VIR_EVENT_HANDLE_ERROR ? POLLERR : 0) |
           (events & VIR_EVENT_HANDLE_HANGUP ? POLLHUP : 0);
}

static int
handle_events(short events)
{
    return (events & POLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
           (events & POLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
           (events & (POLLERR | POLLNVAL) ? VIR_EVENT_HANDLE_ERROR : 0) |
           (events & POLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

static gint64
due_after(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : g_get_monotonic_time() + timeout_ms * G_GINT64_CONSTANT(1000);
}

int
event_loop_add_handle(int fd, int events, virEventHandleCallback cb, void *opaque,
                      virFreeCallback ff)
{
    Source *source = g_new0(Source, 1);
    int id;

    g_mutex_lock(&loop.lock);
    init_locked();
    id = loop.next_handle++;
    *source = (Source){
        .id = id, .fd = fd, .events = events, .handle_cb = cb, .opaque = opaque, .free_opaque = ff};
    g_ptr_array_add(loop.handles, source);
    wake_locked();
    g_mutex_unlock(&loop.lock);
    return id;
}

void
event_loop_update_handle(int watch, int events)
{
    Source *source;

    g_mutex_lock(&loop.lock);
    source = find_locked(loop.handles, watch);
    if (source && source->events != events) {
        source->events = events;
        wake_locked();
    }
    g_mutex_unlock(&loop.lock);
}

static int
remove_source(GPtrArray **sources, int id)
{
    Source *source;

    g_mutex_lock(&loop.lock);
    source = find_locked(*sources, id);
    if (source) {
        source->is_removed = true;
        loop.has_removed = true;
        wake_locked();
    }
    g_mutex_unlock(&loop.lock);
    return source ? 0 : -1;
}

int
event_loop_remove_handle(int watch)
{
    return remove_source(&loop.handles, watch);
}

int
event_loop_add_timeout(int timeout_ms, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    Source *source = g_new0(Source, 1);
    int id;

    g_mutex_lock(&loop.lock);
    init_locked();
    id = loop.next_timeout++;
    *source = (Source){.id = id,
                       .fd = -1,
                       .interval_ms = timeout_ms,
                       .due_us = due_after(timeout_ms),
                       .timeout_cb = cb,
                       .opaque = opaque,
                       .free_opaque = ff};
    g_ptr_array_add(loop.timeouts, source);
    wake_locked();
    g_mutex_unlock(&loop.lock);
    return id;
}

void
event_loop_update_timeout(int timer, int timeout_ms)
{
    Source *source;

    g_mutex_lock(&loop.lock);
    source = find_locked(loop.timeouts, timer);
    if (source) {
        source->interval_ms = timeout_ms;
        source->due_us = due_after(timeout_ms);
        wake_locked();
    }
    g_mutex_unlock(&loop.lock);
}

int
event_loop_remove_timeout(int timer)
{
    return remove_source(&loop.timeouts, timer);
}

static void
move_removed(GPtrArray *sources, GPtrArray *removed)
{
    guint kept = 0;

    for (guint i = 0; i < sources->len; i++) {
        Source *source = sources->pdata[i];
        if (source->is_removed)
            g_ptr_array_add(removed, source);
        else
            sources->pdata[kept++] = source;
    }
    g_ptr_array_set_size(sources, kept);
}

/* Free what was removed; called without the lock, by the last thread that leaves an iteration. */
static void
sweep(void)
{
    g_autoptr(GPtrArray) removed = NULL;

    g_mutex_lock(&loop.lock);
    if (loop.has_removed && loop.runners == 0) {
        removed = g_ptr_array_new();
        move_removed(loop.handles, removed);
        move_removed(loop.timeouts, removed);
        loop.has_removed = false;
    }
    g_mutex_unlock(&loop.lock);
    for (guint i = 0; removed && i < removed->len; i++) {
        Source *source = removed->pdata[i];
        if (source->free_opaque)
            source->free_opaque(source->opaque);
        g_free(source);
    }
}

static int
poll_timeout_locked(void)
{
    gint64 first = -1, now;

    for (guint i = 0; i < loop.timeouts->len; i++) {
        const Source *source = loop.timeouts->pdata[i];
        if (!source->is_removed && source->due_us >= 0 && (first < 0 || source->due_us < first))
            first = source->due_us;
    }
    if (loop.has_removed)
        return 0; /* to reach the sweep */
    if (first < 0)
        return -1;
    now = g_get_monotonic_time();
    return first <= now ? 0 : (int)MIN((first - now + 999) / 1000, G_MAXINT);
}

/* The descriptors to wait for; entry 0 is the wake-up, entry i + 1 belongs to *sources[i]. */
static GArray *
collect_locked(GPtrArray *sources)
{
    GArray *fds = g_array_sized_new(false, false, sizeof(struct pollfd), loop.handles->len + 1);
    struct pollfd entry = {.fd = loop.wake_fd, .events = POLLIN};

    g_array_append_val(fds, entry);
    for (guint i = 0; i < loop.handles->len; i++) {
        Source *source = loop.handles->pdata[i];
        if (source->is_removed || source->events == 0)
            continue;
        entry = (struct pollfd){.fd = source->fd, .events = poll_events(source->events)};
        g_array_append_val(fds, entry);
        g_ptr_array_add(sources, source);
    }
    return fds;
}

static void
call_timeouts(void)
{
    gint64 now = g_get_monotonic_time();
    guint i = 0;

    g_mutex_lock(&loop.lock);
    /* New ones come behind the present end and wait for the next iteration. */
    for (guint n = loop.timeouts->len; i < n && i < loop.timeouts->len; i++) {
        Source *source = loop.timeouts->pdata[i];
        if (source->is_removed || source->due_us < 0 || source->due_us > now)
            continue;
        source->due_us = due_after(source->interval_ms);
        g_mutex_unlock(&loop.lock);
        source->timeout_cb(source->id, source->opaque);
        g_mutex_lock(&loop.lock);
    }
    g_mutex_unlock(&loop.lock);
}

static void
call_handles(GArray *fds, GPtrArray *sources)
{
    for (guint i = 0; i < sources->len; i++) {
        Source *source = sources->pdata[i];
        const struct pollfd *entry = &g_array_index(fds, struct pollfd, i + 1);
        bool is_wanted;

        if (!entry->revents)
            continue;
        g_mutex_lock(&loop.lock);
        is_wanted = !source->is_removed && source->events != 0;
        g_mutex_unlock(&loop.lock);
        if (is_wanted)
            source->handle_cb(source->id, source->fd, handle_events(entry->revents),
                              source->opaque);
    }
}

static void
drain_wake(const GArray *fds)
{
    guint64 count;

    if (g_array_index(fds, struct pollfd, 0).revents &&
        read(loop.wake_fd, &count, sizeof(count)) < 0)
        return; /* another runner was quicker */
}

bool
event_loop_run_once(GError **err)
{
    g_autoptr(GPtrArray) sources = g_ptr_array_new();
    g_autoptr(GArray) fds = NULL;
    int timeout, n, saved;

    g_mutex_lock(&loop.lock);
    init_locked();
    loop.runners++;
    fds = collect_locked(sources);
    timeout = poll_timeout_locked();
    loop.pollers++;
    g_mutex_unlock(&loop.lock);

    n = poll((struct pollfd *)(void *)fds->data, fds->len, timeout);
    saved = errno;

    g_mutex_lock(&loop.lock);
    loop.pollers--;
    g_mutex_unlock(&loop.lock);
    if (n >= 0) {
        drain_wake(fds);
        call_timeouts();
        call_handles(fds, sources);
    }
    g_mutex_lock(&loop.lock);
    loop.runners--;
    g_mutex_unlock(&loop.lock);
    sweep();
    if (n < 0 && saved != EINTR && saved != EAGAIN)
        return fail(err, VIR_ERR_SYSTEM_ERROR, "cannot wait for events: %s", g_strerror(saved));
    return true;
}
