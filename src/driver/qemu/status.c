/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See status.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/status.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"

static const char *const state_words[] = {
    [VIR_DOMAIN_NOSTATE] = "nostate",   [VIR_DOMAIN_RUNNING] = "running",
    [VIR_DOMAIN_BLOCKED] = "blocked",   [VIR_DOMAIN_PAUSED] = "paused",
    [VIR_DOMAIN_SHUTDOWN] = "shutdown", [VIR_DOMAIN_SHUTOFF] = "shutoff",
    [VIR_DOMAIN_CRASHED] = "crashed",   [VIR_DOMAIN_PMSUSPENDED] = "pmsuspended",
};

static const char *const running_words[] = {
    "unknown",       "booted",   "migrated",           "restored",
    "from snapshot", "unpaused", "migration canceled", "save canceled",
    "wakeup",        "crashed",  "post-copy",          "post-copy failed",
};

static const char *const paused_words[] = {
    "unknown",   "user",
    "migration", "save",
    "dump",      "ioerror",
    "watchdog",  "from snapshot",
    "shutdown",  "snapshot",
    "panicked",  "starting up",
    "post-copy", "post-copy failed",
};

static const char *const shutoff_words[] = {
    "unknown", "shutdown", "destroyed",     "crashed", "migrated",
    "saved",   "failed",   "from snapshot", "daemon",
};

static const char *const shutdown_words[] = {"unknown", "user"};
static const char *const crashed_words[] = {"unknown", "panicked"};
static const char *const unknown_words[] = {"unknown"};

static const char *const *
words_of_state(int state, int *n_words)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
        *n_words = G_N_ELEMENTS(running_words);
        return running_words;
    case VIR_DOMAIN_PAUSED:
        *n_words = G_N_ELEMENTS(paused_words);
        return paused_words;
    case VIR_DOMAIN_SHUTDOWN:
        *n_words = G_N_ELEMENTS(shutdown_words);
        return shutdown_words;
    case VIR_DOMAIN_SHUTOFF:
        *n_words = G_N_ELEMENTS(shutoff_words);
        return shutoff_words;
    case VIR_DOMAIN_CRASHED:
        *n_words = G_N_ELEMENTS(crashed_words);
        return crashed_words;
    default:
        *n_words = 1;
        return unknown_words;
    }
}

const char *
state_to_word(int state)
{
    return state >= 0 && state < (int)G_N_ELEMENTS(state_words) ? state_words[state] : "nostate";
}

int
state_from_word(const char *word)
{
    for (int i = 0; i < (int)G_N_ELEMENTS(state_words); i++)
        if (!g_strcmp0(word, state_words[i]))
            return i;
    return -1;
}

const char *
reason_to_word(int state, int reason)
{
    int n_words;
    const char *const *words = words_of_state(state, &n_words);

    return reason >= 0 && reason < n_words ? words[reason] : "unknown";
}

int
reason_from_word(int state, const char *word)
{
    int n_words;
    const char *const *words = words_of_state(state, &n_words);

    for (int i = 0; i < n_words; i++)
        if (!g_strcmp0(word, words[i]))
            return i;
    return 0;
}

/* Upstream needs to see capabilities that it knows; these are what our command lines rely on. */
static void
add_flags(DomainStatus *status)
{
    static const char *const flags[] = {
        "kvm",
        "no-hpet",
        "no-acpi",
        "disable-s3",
        "disable-s4",
        "seccomp-sandbox",
        "vnc",
        "rng-random",
        "usb-hub",
        "virtio-scsi-pci",
        "pci-bridge",
        "usb-storage",
        "pvpanic",
        "iothread",
        "virtio-gpu",
        "ich9-disable-s3",
        "ich9-disable-s4",
        "query-hotpluggable-cpus",
        "virtio-vga",
        "pcie-root-port",
        "query-cpu-definitions",
        "qemu-xhci",
        "isa-serial",
        "pcie-pci-bridge",
        "query-named-block-nodes.flat",
        "blockdev-reopen",
        "blockdev-snapshot.allow-write-only-overlay",
        "tcg",
        "block-export-add",
        "object.qapified",
        "set-action",
        "netdev.json",
        "device.json+hotplug",
    };

    status->n_flags = G_N_ELEMENTS(flags);
    status->flags = g_new0(StatusFlag *, status->n_flags);
    for (gsize i = 0; i < status->n_flags; i++) {
        status->flags[i] = status_flag_new();
        status->flags[i]->name = g_strdup(flags[i]);
    }
}

static bool
add_device(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    DomainStatus *status = data;

    if (!device->info || !device->info->alias_name)
        return true;
    status->devices = g_renew(StatusDevice *, status->devices, status->n_devices + 1);
    status->devices[status->n_devices] = status_device_new();
    status->devices[status->n_devices++]->alias = g_strdup(device->info->alias_name);
    return true;
}

static void
add_taints(DomainStatus *status, Guest *guest)
{
    g_autoptr(GList) words =
        g_list_sort(g_hash_table_get_keys(guest->taints), (GCompareFunc)strcmp);

    status->taints = g_new0(StatusTaint *, g_list_length(words));
    for (GList *at = words; at; at = at->next) {
        status->taints[status->n_taints] = status_taint_new();
        status->taints[status->n_taints++]->flag = g_strdup(at->data);
    }
}

static void
add_vcpus(DomainStatus *status, const Emulator *emulator)
{
    status->n_vcpus = emulator->vcpu_threads->len;
    status->vcpus = g_new0(StatusVcpu *, status->n_vcpus);
    for (gsize i = 0; i < status->n_vcpus; i++) {
        status->vcpus[i] = status_vcpu_new();
        status->vcpus[i]->id = (guint)i;
        status->vcpus[i]->pid = g_array_index(emulator->vcpu_threads, pid_t, i);
    }
}

char *
status_format(Guest *guest, const Emulator *emulator, const Domain *live, int state, int reason)
{
    g_autoptr(DomainStatus) status = domain_status_new();
    Domain shell = status->domain;
    char *xml;

    status->state = g_strdup(state_to_word(state));
    status->reason = g_strdup(reason_to_word(state, reason));
    status->pid = emulator->process.pid;
    add_taints(status, guest);
    status->monitor.path = g_strdup(emulator->monitor_path);
    status->monitor.type = STATUS_PATH_TYPE_UNIX;
    add_vcpus(status, emulator);
    add_flags(status);
    status->fakereboot = guest->is_fake_reboot;
    domain_each_device((Domain *)live, add_device, status, NULL);
    status->lib_dir_path = g_strdup(emulator->lib_dir);
    status->channel_target_dir_path = g_strdup(emulator->channel_dir);
    status->nodename_index = guest->last_node;
    status->has_nodename_index = true;
    status->has_fdset_index = true;
    status->blockjobs_active = guest->disk_jobs->len ? STATUS_YES_YES : STATUS_YES_NO;
    status->agent_timeout = VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK;
    status->has_agent_timeout = true;
    status->process = status_process_new();
    status->process->start = emulator->process.start_time;
    status->process->boot = g_strdup(emulator->process.boot_id);
    /* Lend the definition for the time of printing. */
    status->domain = *live;
    xml = domain_status_format(status, MODEL_FORMAT_STATUS | MODEL_FORMAT_SECURE);
    status->domain = shell;
    return xml;
}

static bool
save(Guest *guest, const Emulator *emulator, const Domain *live, int state, int reason,
     GError **err)
{
    g_autofree char *xml = status_format(guest, emulator, live, state, reason);
    char uuid[UUID_TEXT];

    uuid_format(guest->uuid, uuid);
    return store_save(guest->qemu->statuses, guest->name, guest->name, uuid, xml, err);
}

bool
guest_save_status(Guest *guest, GError **err)
{
    return save(guest, guest->emulator, guest_live(guest), guest->state, guest->reason, err);
}

bool
status_save_starting(Guest *guest, const Emulator *emulator, const Domain *live, GError **err)
{
    return save(guest, emulator, live, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, err);
}

static char *
pid_path(Guest *guest)
{
    g_autofree char *name = g_strconcat(guest->name, ".pid", NULL);

    return g_build_filename(guest->qemu->state_dir, name, NULL);
}

bool
status_save_pid(Guest *guest, const Emulator *emulator, GError **err)
{
    g_autofree char *path = pid_path(guest);
    g_autofree char *text = g_strdup_printf("%d", (int)emulator->process.pid);

    return file_write_atomic(path, text, strlen(text), 0644, err);
}

void
status_remove(Guest *guest)
{
    g_autofree char *path = pid_path(guest);
    g_autoptr(GError) err = NULL;

    if (!store_remove(guest->qemu->statuses, guest->name, &err) || !file_remove(path, &err))
        log_error(LOG_QEMU, "%s: the state file cannot be removed: %s", guest->name, err->message);
}
