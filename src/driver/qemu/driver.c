/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's table, its start and end, its connections. The calls are in the files that qemu.h names. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/fd.h"
#include "base/log.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/load.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/ports.h"
#include "job/fault.h"

QemuDriver *
qemu_of_call(const Call *call)
{
    return call->driver->state;
}

bool
qemu_check_flags(const Call *call, guint flags, guint allowed, GError **err)
{
    if (!(flags & ~allowed))
        return true;
    return fail(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x) in function %s",
                flags & ~allowed, call->proc->name);
}

int
qemu_next_id(QemuDriver *qemu)
{
    return g_atomic_int_add(&qemu->last_id, 1) + 1;
}

const DomainFillHost *
qemu_fill_host(QemuDriver *qemu)
{
    return capabilities_fill_host(qemu);
}

static void
append_folder(char **path, const char *name)
{
    char *longer = g_build_filename(*path, name, NULL);

    g_free(*path);
    *path = longer;
}

static void
name_folders(QemuDriver *qemu)
{
    const DriverHost *host = qemu->host;
    g_autofree char *base = g_build_filename(host->lib_dir, "qemu", NULL);

    qemu->config_dir = g_build_filename(host->config_dir, "qemu", NULL);
    qemu->state_dir = g_build_filename(host->state_dir, "qemu", NULL);
    qemu->lib_dir = g_strdup(base);
    qemu->cache_dir = g_build_filename(host->cache_dir, "qemu", NULL);
    qemu->log_dir = g_build_filename(host->log_dir, "qemu", NULL);
    qemu->save_dir = g_build_filename(base, "save", NULL);
    qemu->snapshot_dir = g_build_filename(base, "snapshot", NULL);
    qemu->checkpoint_dir = g_build_filename(base, "checkpoint", NULL);
    qemu->journal_dir = g_build_filename(base, "journal", NULL);
    qemu->nvram_dir = g_build_filename(base, "nvram", NULL);
    qemu->channel_dir = g_build_filename(base, "channel", "target", NULL);
    if (!host->is_system) {
        /* A user's folders are shared by purposes: upstream puts four of them one deeper. */
        append_folder(&qemu->state_dir, "run");
        append_folder(&qemu->lib_dir, "lib");
        append_folder(&qemu->cache_dir, "cache");
        append_folder(&qemu->log_dir, "log");
    }
}

static bool
make_folders(QemuDriver *qemu, GError **err)
{
    const char *const folders[] = {qemu->config_dir,   qemu->state_dir,      qemu->lib_dir,
                                   qemu->cache_dir,    qemu->log_dir,        qemu->save_dir,
                                   qemu->snapshot_dir, qemu->checkpoint_dir, qemu->journal_dir,
                                   qemu->nvram_dir,    qemu->channel_dir};

    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++)
        if (!dir_make(folders[i], 0755, err))
            return false;
    return true;
}

static void
qemu_free(QemuDriver *qemu)
{
    if (!qemu)
        return;
    memory_caches_free(qemu->memory_caches);
    loading_free(qemu->loading);
    registry_free(qemu->guests);
    capabilities_free(qemu->capabilities);
    qemu_config_free(qemu->config);
    store_free(qemu->configs);
    store_free(qemu->statuses);
    port_pool_free(qemu->vnc_ports);
    port_pool_free(qemu->websocket_ports);
    fd_close(&qemu->pid_lock);
    g_free(qemu->config_dir);
    g_free(qemu->state_dir);
    g_free(qemu->lib_dir);
    g_free(qemu->cache_dir);
    g_free(qemu->log_dir);
    g_free(qemu->save_dir);
    g_free(qemu->snapshot_dir);
    g_free(qemu->checkpoint_dir);
    g_free(qemu->journal_dir);
    g_free(qemu->nvram_dir);
    g_free(qemu->channel_dir);
    g_free(qemu);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuDriver, qemu_free)

/* What writes of a daemon that was killed have left, in the folders that are no stores (those sweep themselves). */
static void
sweep_folders(QemuDriver *qemu)
{
    g_autofree char *images = g_build_filename(qemu->lib_dir, "images", NULL);
    g_autofree char *emulators = g_build_filename(qemu->cache_dir, "emulators", NULL);

    dir_sweep_tmp(images);
    dir_sweep_tmp(emulators);
    dir_sweep_tmp(qemu->nvram_dir);
}

static bool
open_stores(QemuDriver *qemu, GError **err)
{
    g_autofree char *autostart = g_build_filename(qemu->config_dir, "autostart", NULL);
    g_autofree char *pid_file = g_build_filename(qemu->state_dir, "driver.pid", NULL);
    g_autofree char *config = g_build_filename(qemu->host->config_dir, "qemu.conf", NULL);

    qemu->pid_lock = store_lock_pid_file(pid_file, err);
    if (qemu->pid_lock < 0)
        return false;
    qemu->config = qemu_config_load(config, qemu->host->is_system, err);
    if (!qemu->config)
        return false;
    sweep_folders(qemu);
    qemu->configs = store_new(qemu->config_dir, autostart, "edit", err);
    qemu->statuses = qemu->configs ? store_new(qemu->state_dir, NULL, "edit", err) : NULL;
    return qemu->statuses != NULL;
}

static bool
qemu_start(Driver *driver, const DriverHost *host, GError **err)
{
    g_autoptr(QemuDriver) qemu = g_new0(QemuDriver, 1);

    qemu->driver = driver;
    qemu->host = host;
    qemu->pid_lock = -1;
    fault_setup();
    name_folders(qemu);
    if (!make_folders(qemu, err) || !open_stores(qemu, err))
        return false;
    qemu->guests = registry_new("domain");
    qemu->vnc_ports = port_pool_new("VNC", qemu->config->vnc_port_min, qemu->config->vnc_port_max);
    qemu->websocket_ports = port_pool_new("VNC websocket", qemu->config->websocket_port_min,
                                          qemu->config->websocket_port_max);
    qemu->capabilities = capabilities_new(qemu);
    qemu->memory_caches = memory_caches_new(qemu);
    qemu->loading = loading_new(qemu, err);
    if (!qemu->loading)
        return false;
    driver->state = qemu;
    loading_start(g_steal_pointer(&qemu)->loading);
    return true;
}

/* The emulator goes on without us. */
static void
let_go(void *data)
{
    Guest *guest = data;

    kept_forget_timer(guest);
    if (guest->emulator)
        qmp_close(guest->emulator->qmp);
    disk_jobs_let_go(guest);
    g_clear_pointer(&guest->emulator, emulator_unref);
}

static void
qemu_stop(Driver *driver)
{
    QemuDriver *qemu = driver->state;
    g_autoptr(GPtrArray) views = NULL;

    loading_stop(qemu->loading);
    views = registry_list(qemu->guests);
    for (guint i = 0; i < views->len; i++) {
        Guest *guest = ((GuestView *)g_ptr_array_index(views, i))->guest;

        guest_run_on_strand(guest, let_go, guest);
    }
    qemu_free(g_steal_pointer(&driver->state));
}

static bool
qemu_probe_uri(Driver *driver, const char *uri, GError **err)
{
    const QemuDriver *qemu = driver->state;
    g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
    const char *path = parsed ? g_uri_get_path(parsed) : NULL;
    bool is_system = qemu->host->is_system;

    if (!path)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "URI '%s' cannot be read", uri);
    if (!strcmp(path, is_system ? "/system" : "/session"))
        return true;
    if (!strcmp(path, "/session") && is_system)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "unexpected QEMU URI path '%s', try qemu:///system", path);
    return fail(err, VIR_ERR_INTERNAL_ERROR, "unexpected QEMU URI path '%s', try qemu:///%s", path,
                is_system ? "system" : "session");
}

static char *
qemu_default_uri(Driver *driver)
{
    const QemuDriver *qemu = driver->state;

    return g_strdup(qemu->host->is_system ? "qemu:///system" : "qemu:///session");
}

static bool
qemu_open(Driver *driver, DriverConn *conn, GError **err)
{
    return true;
}

static void
qemu_close(Driver *driver, DriverConn *conn)
{
}

static int
qemu_supports_feature(Driver *driver, DriverConn *conn, int feature, GError **err)
{
    /* Typed parameters with strings, migratable XML, network updates in the right order. No migration yet. */
    return feature == 9 || feature == 11 || feature == 16;
}

static Strand *
qemu_find_strand(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    QemuDriver *qemu = driver->state;
    g_autoptr(Guest) guest = guest_find(qemu, uuid);

    return guest ? strand_ref(guest->strand) : NULL;
}

static Strand *
qemu_find_settling(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    QemuDriver *qemu = driver->state;
    g_autoptr(View) view = registry_lookup_uuid(qemu->guests, uuid);

    return view && ((GuestView *)view)->is_settling ? strand_ref(((GuestView *)view)->guest->strand)
                                                    : NULL;
}

/* Until the names of all guests are known. */
static Strand *
qemu_find_loading(Driver *driver, const ApiProc *proc)
{
    return loading_strand(((QemuDriver *)driver->state)->loading, proc);
}

static const char *const schemes[] = {"qemu", NULL};

Driver qemu_driver = {
    .name = "QEMU",
    .folder = "qemu",
    .schemes = schemes,
    .error_domain = VIR_FROM_QEMU,
    .probe_uri = qemu_probe_uri,
    .default_uri = qemu_default_uri,
    .start = qemu_start,
    .stop = qemu_stop,
    .open = qemu_open,
    .close = qemu_close,
    .supports_feature = qemu_supports_feature,
    .find_strand = qemu_find_strand,
    .find_settling = qemu_find_settling,
    .find_loading = qemu_find_loading,
};

/* The slots are filled by the files that implement them, before main. */
__attribute__((constructor)) static void
fill_slots(void)
{
    qemu_define_slots(&qemu_driver.slots);
    qemu_lifecycle_slots(&qemu_driver.slots);
    qemu_list_slots(&qemu_driver.slots);
    qemu_info_slots(&qemu_driver.slots);
    qemu_node_slots(&qemu_driver.slots);
    qemu_stats_slots(&qemu_driver.slots);
    qemu_console_slots(&qemu_driver.slots);
    qemu_device_slots(&qemu_driver.slots);
    qemu_metadata_slots(&qemu_driver.slots);
    qemu_attach_slots(&qemu_driver.slots);
    qemu_tune_slots(&qemu_driver.slots);
    qemu_native_slots(&qemu_driver.slots);
    qemu_snapshot_slots(&qemu_driver.slots);
    checkpoint_slots(&qemu_driver.slots);
    block_commit_slots(&qemu_driver.slots);
    block_copy_slots(&qemu_driver.slots);
    block_call_slots(&qemu_driver.slots);
}
