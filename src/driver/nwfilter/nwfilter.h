/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter driver: definitions below /etc/libvirt/nwfilter, where the standard set is installed too. A service on the
 * connections of the system daemon's hypervisors (a user's daemon has no filters). Filters are not applied to ports yet, so
 * there are no bindings. driver.c: start and definitions; filter_list.c: what there is. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/nwfilter.h"
#include "object/defined.h"
#include "object/driver.h"
#include "object/store.h"

typedef struct {
    Driver *driver;
    const DriverHost *host;
    Registry *filters; /* of DefinedView with a Nwfilter */
    Store *store;      /* NULL in a user's daemon */
} FilterDriver;

extern Driver nwfilter_driver;

FilterDriver *filter_of_call(const Call *call);
/* VIR_ERR_NO_NWFILTER. */
DefinedView *filter_view_of_call(const Call *call, const RemoteNonnullNwfilter *wire, GError **err);
void filter_view_fill_wire(const DefinedView *view, RemoteNonnullNwfilter *wire);

void filter_define_slots(DriverSlots *slots);
void filter_list_slots(DriverSlots *slots);
