/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state that a revert left and was asked to keep: a hidden node beside the snapshots, with an
 * expiry time. At most one for each guest. Its images and its memory are held by it like those of a
 * snapshot (snapshot_holders.c); `undo` goes back to it (revert_undo.c), and when its time is over it
 * is collected.
 *
 * A file of our own, because upstream's cannot hold it: LIB/kept/UUID.json; the memory, if there is
 * one, lies beside it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "gen/model-snapshot.h"
#include "image/graph.h"

struct KeptState {
    gatomicrefcount refs;
    gint64 expires; /* seconds since 1970 */
    /* How it was: state, machines, memory, and in parent_name what was the current snapshot. */
    DomainSnapshot *node;
};

KeptState *kept_state_new(gint64 expires, DomainSnapshot *take_node);
KeptState *kept_state_ref(KeptState *kept);
void kept_state_unref(KeptState *kept); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeptState, kept_state_unref)
/* As a file or a plan has it. */
char *kept_state_to_text(const KeptState *kept);
KeptState *kept_state_from_text(const char *text, GError **err);

/* Where the memory of the state goes that the guest would leave now. g_free. */
char *kept_memory_path(const Guest *guest);
/* Read the guest's; a file that does not parse is reported and left. */
void kept_load(Guest *guest);
/* Make @take_kept the guest's, on disk and until it expires; NULL: there is none any more. Not
 * published. */
bool kept_set(Guest *guest, KeptState *take_kept, GError **err);
void kept_hold_images(ImageGraph *graph, const char *domain, const KeptState *kept);
/* The daemon ends. */
void kept_forget_timer(Guest *guest);
/* The guest is gone: what was kept of it goes, too. */
void kept_discard(Guest *guest);
