/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words for the API's numbers, as scripts know them. */
#pragma once

const char *name_of_state(int state);
const char *name_of_state_reason(int state, int reason);
const char *name_of_vcpu_state(int state);
const char *name_of_lifecycle_event(int event);
const char *name_of_lifecycle_detail(int event, int detail);
