/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-storage-daemon over one chain of images that no guest has open: the same block jobs as in an
 * emulator, with the same progress, cancellation and repetition after a crash. Node f0 is the top
 * of the chain, f1 the image below, ... */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/guest.h"
#include "image/chain.h"
#include "seam/process.h"
#include "seam/qmp.h"

typedef struct StorageDaemon StorageDaemon;

/* End what a daemon before us may have left for @guest: the process, if it was written down, and its
 * socket. */
bool storage_daemon_end(Guest *guest, const ProcessId *process, GError **err);
/* A stub that waits: its identity is known, nothing runs. @on_event is called on the guest's
 * strand, with NULL when the daemon has gone. */
StorageDaemon *storage_daemon_spawn(Guest *guest, const ImageChain *chain,
                                    void (*on_event)(const char *event, void *data), void *data,
                                    GError **err);
const ProcessId *storage_daemon_process(const StorageDaemon *daemon);
bool storage_daemon_run(StorageDaemon *daemon, GError **err);
Qmp *storage_daemon_qmp(StorageDaemon *daemon);
/* What was written into the top image is in the file when this returns. */
bool storage_daemon_flush_top(StorageDaemon *daemon, GError **err);
/* Ends it, in order when it can, so that what it wrote is flushed. NULL is fine. */
void storage_daemon_free(StorageDaemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageDaemon, storage_daemon_free)
