/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default event loop of virEventRegisterDefaultImpl: poll(2), usable from any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include <libvirt/libvirt.h>

/* Some loop, ours or the program's, was registered. */
bool event_impl_is_registered(void);

int event_loop_add_handle(int fd, int events, virEventHandleCallback cb, void *opaque,
                          virFreeCallback ff);
void event_loop_update_handle(int watch, int events);
int event_loop_remove_handle(int watch);
int event_loop_add_timeout(int timeout_ms, virEventTimeoutCallback cb, void *opaque,
                           virFreeCallback ff);
void event_loop_update_timeout(int timer, int timeout_ms);
int event_loop_remove_timeout(int timer);
/* Wait until something happens, and call the callbacks of what did. */
bool event_loop_run_once(GError **err);
