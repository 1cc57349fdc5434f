/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of packet filters. Places: schema/model/nwfilter.model; attributes of protocols: nwfilter_match.c. */
#pragma once

#include "gen/model-nwfilter.h"

/* Read, brought into the one form that is printed, and checked. NULL with @err. */
Nwfilter *nwfilter_read(const char *xml, GError **err);

/* Keep what the protocol has, in the form that is printed; "%s has illegal value %s" for the rest. */
bool filter_match_clean(FilterMatch *match, FilterProtocolKind protocol, GError **err);
