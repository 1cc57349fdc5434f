/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One emulator process and its monitor.
 *
 *     emulator = emulator_spawn(guest, machine, flags, err)   -- a stub that waits: its identity is known, nothing runs
 *     ...write emulator->process down, durably...
 *     emulator_run(emulator, err)                             -- exec, greeting, negotiation; the guest is paused
 *     emulator_learn(emulator, live, err)                     -- ptys, threads, what the emulator chose
 *     guest_install_emulator(guest, emulator, live)
 *
 * A guest has one; a revert has a second one, staged, for a while. The fields do not change after emulator_run, so views
 * hold references. Events come on the guest's strand: to the listeners first, then (of the installed one) to the driver. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/memory_cache.h"
#include "driver/qemu/qemu.h"
#include "model/domain.h"
#include "seam/process.h"
#include "seam/qmp.h"

typedef enum {
    EMULATOR_INCOMING = 1 << 0, /* -incoming defer: the state will be loaded through the monitor */
    EMULATOR_STAGED = 1 << 1,   /* beside another one of the same guest: see emulator_take_places */
} EmulatorFlags;

/* @event NULL: the monitor has closed. */
typedef void (*EmulatorEventFn)(Emulator *emulator, const char *event, const Json *data,
                                gpointer opaque);

/* The last answers to questions of bulk statistics. */
typedef enum {
    EMULATOR_CACHED_BLOCK_STATS,
    EMULATOR_CACHED_BLOCKS,
    EMULATOR_CACHED_BALLOON,
    EMULATOR_CACHED_GUEST_STATS,
    EMULATOR_N_CACHED,
} EmulatorCached;

struct Emulator {
    gatomicrefcount refs;
    Guest *guest; /* a reference until emulator_forget */
    char *guest_name;
    int id; /* the domain's */
    EmulatorFlags flags;
    ProcessId process;
    int pidfd;
    Qmp *qmp; /* NULL before emulator_run */
    char *lib_dir, *channel_dir, *monitor_path;
    GArray *vcpu_threads; /* of pid_t, by vCPU */
    char *version_text;   /* "7.2.22..." */

    /* On the strand only. */
    GArray *listeners;
    gpointer launch;         /* emulator.c's own, until emulator_run */
    GPtrArray *staged_paths; /* pairs: where a socket was bound, where it shall be */
    bool is_adopted;         /* after a restart of the daemon: not our child */
    bool has_exited, monitor_is_closed;

    /* Loop's thread only. */
    LoopWatch *exit_watch;

    GMutex mutex; /* of what follows: other threads wait for the end, and read statistics */
    GCond cleared;
    bool is_cleared;
    Json *cached[EMULATOR_N_CACHED];
};

Emulator *emulator_ref(Emulator *emulator);
/* Does not end the process. */
void emulator_unref(Emulator *emulator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Emulator, emulator_unref)

/* Make folders, sockets, key, log line and command line for @machine (guest_make_live), and fork the stub. @memory: RAM to
 * be mapped; NULL: new memory. */
Emulator *emulator_spawn(Guest *guest, const Domain *machine, const MemoryCache *memory,
                         EmulatorFlags flags, GError **err);
/* Let it run. On failure the process is gone, and the error quotes the end of its log. */
bool emulator_run(Emulator *emulator, GError **err);
/* Write into @live what only the emulator knows. */
bool emulator_learn(Emulator *emulator, Domain *live, GError **err);
/* Bind its threads to the CPUs of the host that @live names; @iothreads is the answer of query-iothreads. */
bool emulator_place(Emulator *emulator, const Domain *live, const Json *iothreads, GError **err);
/* Watch for its end and hand its events to the guest. guest_install_emulator does it. */
void emulator_watch(Emulator *emulator);
/* A staged emulator was started without a VNC port, and with its UNIX sockets under temporary names. Once the other one is
 * gone it gets both. */
bool emulator_take_places(Emulator *emulator, const Domain *live, GError **err);
/* Attach to the process that a status file names; it may be anyone's child. */
Emulator *emulator_adopt(Guest *guest, const Domain *machine, const ProcessId *process,
                         const char *monitor_path, const char *lib_dir, const char *channel_dir,
                         GError **err);

/* SIGKILL now; returns when it is gone. */
void emulator_kill(Emulator *emulator);
/* SIGTERM, and SIGKILL after @patience_ms; returns when it is gone. @patience_ms < 0: no SIGKILL, false after 15 s. */
bool emulator_terminate(Emulator *emulator, int patience_ms);
bool emulator_is_running(const Emulator *emulator);
/* Wait until emulator_clear_up has been called. False: @timeout_ms has passed. */
bool emulator_wait_cleared(Emulator *emulator, int timeout_ms);
/* Folders, sockets and files of an emulator that is gone; closes the monitor. */
void emulator_clear_up(Emulator *emulator);
void emulator_remove_places(const char *lib_dir, const char *channel_dir);

/* Where the sockets of channels of domain @id are that have no path of their own. */
char *emulator_channel_folder(const Guest *guest, int id);

/* Keep @answer as the last one, unless it is NULL; the one that counts now, a new reference or NULL. Any thread. */
Json *emulator_cache_swap(Emulator *emulator, EmulatorCached which, const Json *answer);

void emulator_add_listener(Emulator *emulator, EmulatorEventFn func, gpointer opaque);
void emulator_remove_listener(Emulator *emulator, EmulatorEventFn func, gpointer opaque);

/* events.c, emulator.c */
void emulator_handle_event(Emulator *emulator, const char *event, const Json *data, gint64 wall_us);
void emulator_tell_listeners(Emulator *emulator, const char *event, const Json *data);

/* The path of the emulator's log. g_free. */
char *emulator_log_path(const Guest *guest);
/* A line with a time stamp in it. */
void emulator_log_line(const Guest *guest, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
