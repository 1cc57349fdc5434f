/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop: one thread that waits for descriptors (epoll), timers and posted functions, and never blocks elsewhere.
 *
 * Every function here may be called from any thread. Callbacks run on the loop's thread, without a lock held. What a
 * callback uses must live until its free function is called; that happens on the loop's thread too, after the last
 * callback has returned, so a removal from another thread never frees under a running callback. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

typedef struct Loop Loop;
typedef struct LoopWatch LoopWatch;
typedef struct LoopTimer LoopTimer;

typedef void (*LoopWatchFunc)(int fd, uint32_t events, void *opaque);
typedef void (*LoopFunc)(void *opaque);

Loop *loop_new(GError **err);
/* The loop must not run any more. Calls every free function that is outstanding; functions still posted are run. */
void loop_free(Loop *loop);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loop, loop_free)

/* Serve until loop_quit; the calling thread is the loop's thread meanwhile. */
bool loop_run(Loop *loop, GError **err);
void loop_quit(Loop *loop);
/* True on the thread that is inside loop_run. */
bool loop_on_thread(Loop *loop);

/* Call @func whenever @fd shows one of @events (EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP always count). A pidfd is
 * readable when its process has ended. The descriptor stays the caller's: remove the watch first, then close it. NULL with
 * @err set for a descriptor that cannot be watched, such as a regular file; @free_func is not called then. */
LoopWatch *loop_watch_fd(Loop *loop, int fd, uint32_t events, LoopWatchFunc func, void *opaque,
                         GDestroyNotify free_func, GError **err);
/* Wait for other events from now on; 0 is a pause, in which nothing is reported. */
void loop_watch_update(LoopWatch *watch, uint32_t events);
/* End of the watch; NULL is fine. On the loop's thread @func does not run after this; removed by another thread it may be
 * running, or about to run one last time, so close the descriptor in the free function then. */
void loop_watch_remove(LoopWatch *watch);

/* Call @func once, @timeout_ms from now. The timer then rests until it is re-armed or stopped. */
LoopTimer *loop_timer_start(Loop *loop, guint timeout_ms, LoopFunc func, void *opaque,
                            GDestroyNotify free_func);
/* A timer that rests at first. */
LoopTimer *loop_timer_new(Loop *loop, LoopFunc func, void *opaque, GDestroyNotify free_func);
void loop_timer_rearm(LoopTimer *timer, guint timeout_ms);
/* Rest without firing. */
void loop_timer_rest(LoopTimer *timer);
/* End of the timer; NULL is fine. */
void loop_timer_stop(LoopTimer *timer);

/* Run @func on the loop's thread, in the order of posting. Never runs it within this call. */
void loop_post(Loop *loop, LoopFunc func, void *opaque);
