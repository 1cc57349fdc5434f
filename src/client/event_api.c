/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which event loop the process has: the six functions that a program registered, or our own from event_loop.c. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "base/error.h"
#include "client/event_loop.h"
#include "client/report.h"

static struct {
    virEventAddHandleFunc add_handle;
    virEventUpdateHandleFunc update_handle;
    virEventRemoveHandleFunc remove_handle;
    virEventAddTimeoutFunc add_timeout;
    virEventUpdateTimeoutFunc update_timeout;
    virEventRemoveTimeoutFunc remove_timeout;
} impl;

bool
event_impl_is_registered(void)
{
    return impl.add_handle && impl.add_timeout;
}

void
virEventRegisterImpl(virEventAddHandleFunc add_handle, virEventUpdateHandleFunc update_handle,
                     virEventRemoveHandleFunc remove_handle, virEventAddTimeoutFunc add_timeout,
                     virEventUpdateTimeoutFunc update_timeout,
                     virEventRemoveTimeoutFunc remove_timeout)
{
    /* The first one stays: handles that were added to it could not be moved. */
    if (event_impl_is_registered())
        return;
    impl.add_handle = add_handle;
    impl.update_handle = update_handle;
    impl.remove_handle = remove_handle;
    impl.add_timeout = add_timeout;
    impl.update_timeout = update_timeout;
    impl.remove_timeout = remove_timeout;
}

int
virEventRegisterDefaultImpl(void)
{
    client_reset_error();
    virEventRegisterImpl(event_loop_add_handle, event_loop_update_handle, event_loop_remove_handle,
                         event_loop_add_timeout, event_loop_update_timeout,
                         event_loop_remove_timeout);
    return 0;
}

int
virEventRunDefaultImpl(void)
{
    GError *err = NULL;

    client_reset_error();
    if (event_loop_run_once(&err))
        return 0;
    client_report(NULL, err);
    return -1;
}

int
virEventAddHandle(int fd, int events, virEventHandleCallback cb, void *opaque, virFreeCallback ff)
{
    return impl.add_handle ? impl.add_handle(fd, events, cb, opaque, ff) : -1;
}

void
virEventUpdateHandle(int watch, int events)
{
    if (impl.update_handle)
        impl.update_handle(watch, events);
}

int
virEventRemoveHandle(int watch)
{
    return impl.remove_handle ? impl.remove_handle(watch) : -1;
}

int
virEventAddTimeout(int timeout, virEventTimeoutCallback cb, void *opaque, virFreeCallback ff)
{
    return impl.add_timeout ? impl.add_timeout(timeout, cb, opaque, ff) : -1;
}

void
virEventUpdateTimeout(int timer, int timeout)
{
    if (impl.update_timeout)
        impl.update_timeout(timer, timeout);
}

int
virEventRemoveTimeout(int timer)
{
    return impl.remove_timeout ? impl.remove_timeout(timer) : -1;
}
