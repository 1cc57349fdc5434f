/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP ports for displays: which of a range are given to guests, and free on the host when they are given. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct PortPool PortPool;

PortPool *port_pool_new(const char *what, int first, int last);
void port_pool_free(PortPool *pool);
/* The lowest port that is free; 0 with @err when there is none. */
int port_pool_acquire(PortPool *pool, GError **err);
/* A port that a configuration or a running guest has. */
void port_pool_mark(PortPool *pool, int port);
void port_pool_release(PortPool *pool, int port);
