/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Built with -Db_sanitize=thread only. The system's GLib is not instrumented, so ThreadSanitizer sees neither its locks nor
 * its reference counts and reports races that are none. This file takes their place in the program: locks on top of
 * pthread, which the sanitizer knows, and counts that tell it what they order. */
#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#undef g_atomic_ref_count_init
#undef g_atomic_ref_count_inc
#undef g_atomic_ref_count_dec

void __tsan_acquire(void *address);
void __tsan_release(void *address);

/* GLib's lock and condition are one zeroed pointer; the pthread object behind it is made on first use. */
static void *
tsan_object(gpointer *place, size_t size, int (*init)(void *object))
{
    void *object = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    void *before = NULL;

    if (object)
        return object;
    object = calloc(1, size);
    init(object);
    if (__atomic_compare_exchange_n(place, &before, object, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return object;
    free(object);
    return before;
}

static int
init_mutex(void *object)
{
    return pthread_mutex_init(object, NULL);
}

static int
init_cond(void *object)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    return pthread_cond_init(object, &attributes);
}

static pthread_mutex_t *
tsan_mutex(GMutex *mutex)
{
    return tsan_object(&mutex->p, sizeof(pthread_mutex_t), init_mutex);
}

static pthread_cond_t *
tsan_cond(GCond *cond)
{
    return tsan_object(&cond->p, sizeof(pthread_cond_t), init_cond);
}

void
g_mutex_init(GMutex *mutex)
{
    mutex->p = NULL;
}

void
g_mutex_clear(GMutex *mutex)
{
    if (!mutex->p)
        return;
    pthread_mutex_destroy(mutex->p);
    free(g_steal_pointer(&mutex->p));
}

void
g_mutex_lock(GMutex *mutex)
{
    pthread_mutex_lock(tsan_mutex(mutex));
}

void
g_mutex_unlock(GMutex *mutex)
{
    pthread_mutex_unlock(tsan_mutex(mutex));
}

gboolean
g_mutex_trylock(GMutex *mutex)
{
    return pthread_mutex_trylock(tsan_mutex(mutex)) == 0;
}

void
g_cond_init(GCond *cond)
{
    cond->p = NULL;
}

void
g_cond_clear(GCond *cond)
{
    if (!cond->p)
        return;
    pthread_cond_destroy(cond->p);
    free(g_steal_pointer(&cond->p));
}

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
    pthread_cond_wait(tsan_cond(cond), tsan_mutex(mutex));
}

gboolean
g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_us)
{
    const struct timespec end = {end_us / G_USEC_PER_SEC, (end_us % G_USEC_PER_SEC) * 1000};

    return pthread_cond_timedwait(tsan_cond(cond), tsan_mutex(mutex), &end) != ETIMEDOUT;
}

void
g_cond_signal(GCond *cond)
{
    pthread_cond_signal(tsan_cond(cond));
}

void
g_cond_broadcast(GCond *cond)
{
    pthread_cond_broadcast(tsan_cond(cond));
}

void
g_atomic_ref_count_init(gatomicrefcount *count)
{
    *count = 1;
}

void
g_atomic_ref_count_inc(gatomicrefcount *count)
{
    __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
}

gboolean
g_atomic_ref_count_dec(gatomicrefcount *count)
{
    return __atomic_sub_fetch(count, 1, __ATOMIC_ACQ_REL) == 0;
}

/* Containers that GLib counts itself: what the last user frees, the others have let go of before. */
#define COUNTED_UNREF(function, type)                                               \
    void function(type *object)                                                     \
    {                                                                               \
        static void (*real)(type * object);                                         \
                                                                                    \
        if (!__atomic_load_n(&real, __ATOMIC_RELAXED))                              \
            __atomic_store_n(&real, dlsym(RTLD_NEXT, #function), __ATOMIC_RELAXED); \
        __tsan_release(object);                                                     \
        __tsan_acquire(object);                                                     \
        real(object);                                                               \
    }

COUNTED_UNREF(g_ptr_array_unref, GPtrArray)
COUNTED_UNREF(g_bytes_unref, GBytes)
