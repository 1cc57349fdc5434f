/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state file of a running guest, as upstream has it (schema/model/status.model). Reading it again: reconnect.c. */
#pragma once

#include "driver/qemu/guest.h"
#include "gen/model-status.h"
#include "seam/process.h"

/* What the state file of @emulator, running @live, says. The guest need not be installed yet: a start writes its file
 * before the emulator runs. */
char *status_format(Guest *guest, const Emulator *emulator, const Domain *live, int state,
                    int reason);
/* Write it for an emulator that is about to run (paused, "starting up"). */
bool status_save_starting(Guest *guest, const Emulator *emulator, const Domain *live, GError **err);
/* The pid file beside it. */
bool status_save_pid(Guest *guest, const Emulator *emulator, GError **err);
/* Both files go. */
void status_remove(Guest *guest);

/* Words of states and their reasons. */
const char *state_to_word(int state);
int state_from_word(const char *word); /* -1 */
const char *reason_to_word(int state, int reason);
int reason_from_word(int state, const char *word); /* 0: unknown */
