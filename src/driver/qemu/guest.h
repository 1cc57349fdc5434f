/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest: a domain of this driver, running or not.
 *
 * Whatever changes it runs on its strand, and ends with guest_publish, which replaces the view that readers see. A
 * definition that is in use is never modified: copy it, change the copy, set it (guest_set_live, guest_set_config). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "driver/qemu/qemu.h"
#include "gen/api-structs.h"
#include "job/job.h"
#include "loop/loop.h"
#include "model/domain.h"

/* A definition shared by a guest and its views. */
typedef struct Machine Machine;
Machine *machine_ref(Machine *machine);
void machine_unref(Machine *machine);
/* NULL for NULL. A definition that was not needed since the daemon started is read now; NULL when that fails (said in the log
 * once), which guest_view_read has ruled out for all guests that calls find. */
const Domain *machine_domain(const Machine *machine);

struct Guest {
    gatomicrefcount refs;
    QemuDriver *qemu;
    Strand *strand;
    guchar uuid[16];

    /* Only on the strand from here on. */
    char *name;
    Machine *live;      /* of the running emulator; NULL when it is off */
    Machine *config;    /* what the next start uses; NULL for a transient guest */
    Emulator *emulator; /* NULL when it is off */
    int state, reason;  /* virDomainState and its reason */
    bool is_persistent; /* has a file in the store */
    bool is_autostart;
    bool is_updated; /* config differs from what runs */
    bool has_managed_save;
    bool is_settling; /* a job that a crash interrupted has yet to be looked at: reads wait, too */
    char *
        journal_problem; /* why the job that a daemon before us left cannot be finished; NULL: none */
    bool is_gone;        /* no longer in the registry: the calls that still hold it fail */
    bool is_fake_reboot; /* the next shutdown of the guest is the first half of a reboot */
    bool has_shut_down;  /* the emulator has said SHUTDOWN */
    int pause_reason;    /* why the emulator is about to stop by itself (virDomainPausedReason) */
    gint
        stop_reason; /* atomic: virDomainShutoffReason of a stop under way, set by any thread; -1: none is */
    guint last_node;         /* highest N used in libvirt-N-format; never goes back while it runs */
    gint64 autodestroy;      /* not 0: a connection's close hook ends it */
    GHashTable *taints;      /* words of the status file */
    SnapshotTree *snapshots; /* immutable, replaced as a whole; NULL: none yet (snapshot_tree.h) */
    KeptState *kept;         /* what a revert left and can be undone; NULL: nothing (kept.h) */
    LoopTimer *kept_timer;   /* until that expires */
    CheckpointTree *checkpoints; /* the same (checkpoint.h) */
    GPtrArray *disk_jobs;        /* of Job: block jobs of users, each on a disk (disk_job.h) */
    JobSummary *completed;       /* of the last job; NULL: none */
    Job *job; /* a long change under way; others that change the guest call guest_require_idle */
};

/* The last job that ended, until somebody asks for it. */
struct JobSummary {
    gatomicrefcount refs;
    gint is_taken; /* atomic */
    int type;      /* virDomainJobType */
    int operation; /* virDomainJobOperation */
    guint64 elapsed_ms, done_bytes, total_bytes;
    bool is_of_memory; /* the bytes are the guest's memory */
    char *why;         /* it failed */
};
JobSummary *job_summary_ref(JobSummary *summary); /* NULL is fine */
void job_summary_unref(JobSummary *summary);

/* What readers see. */
struct GuestView {
    View view; /* uuid, name, id */
    Guest *guest;
    Machine *live, *config;
    Emulator *emulator; /* a reference; NULL when it is off */
    int state, reason;
    SnapshotTree *snapshots;     /* a reference; NULL: none */
    CheckpointTree *checkpoints; /* the same */
    KeptState *kept;             /* the same */
    Job *job;                    /* a reference; NULL: none */
    JobSummary *completed;       /* the same */
    bool is_persistent, is_autostart, is_updated, has_managed_save, is_settling;
    char *xml[4]; /* made on first use; guest_view_xml */
};

Guest *guest_ref(Guest *guest);
void guest_unref(Guest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_unref)

/* A guest that nobody knows yet; guest_publish makes it known. */
Guest *guest_new(QemuDriver *qemu, const guchar uuid[16], const char *name);

/* The guest that a call names, for code on its strand: fails with VIR_ERR_NO_DOMAIN. A new reference. */
Guest *guest_of_call(const Call *call, const RemoteNonnullDomain *dom, GError **err);
/* Its view, for readers. view_unref. */
GuestView *guest_view_of_call(const Call *call, const RemoteNonnullDomain *dom, GError **err);
/* The same by UUID; NULL without an error when there is none. */
Guest *guest_find(QemuDriver *qemu, const guchar uuid[16]);

/* The definition that counts now: of the emulator, or of the next start. */
const Domain *guest_domain(const Guest *guest);
const Domain *guest_live(const Guest *guest);   /* NULL when it is off */
const Domain *guest_config(const Guest *guest); /* NULL when it is transient */
bool guest_is_running(const Guest *guest);
/* VIR_ERR_OPERATION_INVALID, "domain is not running". */
bool guest_require_running(const Guest *guest, GError **err);
/* The two refusals that clients know under the domain "domain". Always false. */
bool fail_not_running(GError **err);
bool fail_transient(GError **err);
bool guest_require_off(const Guest *guest, GError **err);
/* VIR_ERR_OPERATION_INVALID while a journal that nobody can read says that something was half done to it. */
bool guest_require_known(Guest *guest, GError **err);
/* The same, and VIR_ERR_OPERATION_INVALID while guest->job is there, naming it. One that got stuck is tried again first. */
bool guest_require_idle(Guest *guest, GError **err);

/* Take a definition. NULL is allowed (off; transient). Readers see it after guest_publish. */
void guest_set_live(Guest *guest, Domain *take_live);
void guest_set_config(Guest *guest, Domain *take_config);
/* Its configuration is what @path has, read when it is needed. */
void guest_set_config_file(Guest *guest, const char *path);
void guest_set_state(Guest *guest, int state, int reason);
/* Show the present state to readers. Fails only for a name that another guest has. */
bool guest_publish(Guest *guest, GError **err);
/* The same for a guest that nobody knows yet: fails when there is one of its UUID or name. */
bool guest_publish_new(Guest *guest, GError **err);
/* Out of the registry. */
void guest_withdraw(Guest *guest);

/* What flags AFFECT_LIVE, AFFECT_CONFIG or neither mean for this guest now; an error when it has no such side. */
bool guest_settle_affect(const Guest *guest, guint flags, bool *is_live, bool *is_config,
                         GError **err);
/* Replace the definition of the next start, on disk and for readers; nothing has changed when it fails. */
bool guest_change_config(Guest *guest, Domain *take_config, GError **err);
/* Write the definition of the next start; the status of the running emulator. Durable. */
bool guest_save_config(Guest *guest, GError **err);
bool guest_save_status(Guest *guest, GError **err);
/* After a change to what runs: status file and view. A failure to write is logged, because the change is a fact already. */
void guest_changed(Guest *guest);

/* What a registry gave, with a definition that has been read; NULL for NULL, and when it cannot be read: then the guest is
 * forgotten, its file stays. */
GuestView *guest_view_read(GuestView *take_view);

/* The text of the view's definition; @flags of virDomainGetXMLDesc. Free with g_free. */
char *guest_view_xml(GuestView *view, guint flags, GError **err);

/* Do the filters of virConnectListAllDomains let it through? */
bool guest_view_passes(const GuestView *view, guint flags);

/* Parse and fill in a definition as this driver does for users' XML. */
Domain *guest_parse_xml(QemuDriver *qemu, const char *xml, ModelParseFlags flags, GError **err);
const DomainFillHost *qemu_fill_host(QemuDriver *qemu);

/* ---- disks of a running guest ---- */
/* A number for new block nodes. */
guint guest_next_node(Guest *guest);
/* "libvirt-7-format", "libvirt-7-storage": of layer @index. */
char *node_format_name(guint index);
char *node_storage_name(guint index);
/* Write the chain below each disk into @machine as <backingStore>, as far as the configuration does not say it. */
/* Complete what @disk says of the images below its source, from their headers. */
bool disk_read_chain(Disk *disk, GError **err);
bool machine_read_chains(Domain *machine, GError **err);
/* Give every layer of @disk a node number (privateData and @index). */
void disk_number_nodes(Guest *guest, Disk *disk);
/* Where the emulator's own queries have the disk. */
void disk_name_device(Disk *disk);

/* ---- starting and stopping, in pieces ---- */
/* What an emulator for @config is to be: a copy with id, aliases, node numbers, ports and socket paths. */
Domain *guest_make_live(Guest *guest, const Domain *config, int id, GError **err);
/* Channels without a path of their own get one in @folder. */
void machine_place_channels(Domain *machine, const char *folder);
/* Give back the ports that guest_make_live took. */
void machine_release_ports(QemuDriver *qemu, const Domain *machine);
/* Start from @guest's configuration up to the running (or, with VIR_DOMAIN_START_PAUSED, paused) guest. */
bool guest_start(Guest *guest, guint flags, int state_reason, GError **err);
/* The same from another definition (a transient guest's). */
bool guest_start_from(Guest *guest, const Domain *config, guint flags, int state_reason,
                      GError **err);
/* @take_emulator, which runs @take_live, is the guest's emulator from now on. The one before must have been killed. */
void guest_install_emulator(Guest *guest, Emulator *take_emulator, Domain *take_live);
/* The emulator has ended: clear up, write, say so. @reason is a virDomainShutoffReason. A transient guest goes. */
void guest_stopped(Guest *guest, int reason);
/* End the emulator and call guest_stopped. Not refused by anything. */
void guest_kill(Guest *guest, int reason);
/* stop, cont with the events that go with them. */
bool guest_pause(Guest *guest, int reason, GError **err);
bool guest_resume(Guest *guest, int reason, GError **err);

/* ---- events ---- */
void guest_emit_lifecycle(Guest *guest, int event, int detail);

/* Run @func(@data) on the guest's strand past the queue of calls, and wait for it. Not from the strand itself. */
void guest_run_on_strand(Guest *guest, void (*func)(void *data), void *data);
