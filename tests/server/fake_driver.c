/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A driver for tests of the server: a few guests in memory, and calls that wait, fail, stream or emit when asked to.
 * Guest names are orders: "slow" waits for the gate, "busy" runs on a strand, "echo" has a console that answers. */
#define ERROR_DOMAIN VIR_FROM_TEST

#include "fake_driver.h"

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/ids.h"
#include "object/registry.h"

typedef struct {
    View view;
    Strand *strand;
} FakeView;

static Registry *guests;
static GMutex gate_lock;
static GCond gate_changed;
static guint gate_permits;
static bool gate_is_open;
static char *volume_folder;
static gint n_auto_destroyed;
static Loop *fake_loop;

guint
fake_n_auto_destroyed(void)
{
    return (guint)g_atomic_int_get(&n_auto_destroyed);
}

void
fake_open_gate(void)
{
    g_mutex_lock(&gate_lock);
    gate_is_open = true;
    g_cond_broadcast(&gate_changed);
    g_mutex_unlock(&gate_lock);
}

void
fake_set_volume_folder(const char *folder)
{
    g_free(volume_folder);
    volume_folder = g_canonicalize_filename(folder, NULL);
}

static void
fake_view_free(View *view)
{
    strand_unref(((FakeView *)view)->strand);
    g_free(view);
}

static void
publish_guest(Driver *driver, const char *name, int id, Strand *strand)
{
    FakeView *view = g_new0(FakeView, 1);
    guchar uuid[UUID_BYTES] = {0};
    g_autofree char *strand_name = g_strdup_printf("domain %s", name);

    strncpy((char *)uuid, name, sizeof uuid - 1);
    view_init(&view->view, fake_view_free, uuid, name, id);
    view->strand = strand ? strand_ref(strand) : strand_new(driver->host->pool, strand_name);
    registry_publish(guests, view, NULL);
}

static void
fill_domain(RemoteNonnullDomain *domain, const FakeView *view)
{
    domain->name = g_strdup(view->view.name);
    memcpy(domain->uuid, view->view.uuid, sizeof domain->uuid);
    domain->id = view->view.id;
}

static FakeView *
find_guest(const RemoteNonnullDomain *domain, GError **err)
{
    FakeView *view = registry_lookup_uuid(guests, domain->uuid);

    return view ? view : fail_null(err, VIR_ERR_NO_DOMAIN, "no guest '%s'", domain->name);
}

static void
emit_lifecycle(Call *call, const FakeView *view, int event, int detail)
{
    RemoteDomainEventCallbackLifecycleMsg *message =
        g_new0(RemoteDomainEventCallbackLifecycleMsg, 1);

    fill_domain(&message->msg.dom, view);
    message->msg.event = event;
    message->msg.detail = detail;
    events_emit(call->conn->driver->events, API_EVENT_CLASS_DOMAIN, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                view->view.uuid, NULL, message);
}

/* Loop ------------------------------------------------------------------------------------------------------------- */

static bool
fake_list_all(Call *call, const RemoteConnectListAllDomainsArgs *args,
              RemoteConnectListAllDomainsRet *ret, GError **err)
{
    g_autoptr(GPtrArray) list = registry_list(guests);

    ret->ret = list->len;
    if (!args->need_results)
        return true;
    ret->domains.count = list->len;
    ret->domains.items = g_new0(RemoteNonnullDomain, list->len);
    for (guint i = 0; i < list->len; i++)
        fill_domain(&ret->domains.items[i], list->pdata[i]);
    return true;
}

static bool
fake_lookup_by_name(Call *call, const RemoteDomainLookupByNameArgs *args,
                    RemoteDomainLookupByNameRet *ret, GError **err)
{
    g_autoptr(View) view = registry_lookup_name(guests, args->name);

    if (!view)
        return fail(err, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", args->name);
    fill_domain(&ret->dom, (FakeView *)view);
    return true;
}

static bool
fake_get_state(Call *call, const RemoteDomainGetStateArgs *args, RemoteDomainGetStateRet *ret,
               GError **err)
{
    g_autoptr(View) view = (View *)find_guest(&args->dom, err);

    if (!view)
        return false;
    ret->state = view->id >= 0 ? VIR_DOMAIN_RUNNING : VIR_DOMAIN_SHUTOFF;
    return true;
}

static bool
fake_get_xml_desc(Call *call, const RemoteDomainGetXmlDescArgs *args,
                  RemoteDomainGetXmlDescRet *ret, GError **err)
{
    g_autoptr(View) view = (View *)find_guest(&args->dom, err);

    if (!view)
        return false;
    ret->xml = g_strdup_printf("<domain type='test'>\n  <name>%s</name>\n</domain>\n", view->name);
    return true;
}

/* Workers ----------------------------------------------------------------------------------------------------------- */

/* "slow" waits here until fake_open_gate. */
static bool
fake_get_version(Call *call, RemoteConnectGetVersionRet *ret, GError **err)
{
    ret->hv_ver = 7002000;
    return true;
}

static void
wait_at_gate(void)
{
    g_mutex_lock(&gate_lock);
    pool_block_begin(NULL);
    while (gate_permits == 0 && !gate_is_open)
        g_cond_wait(&gate_changed, &gate_lock);
    pool_block_end(NULL);
    if (!gate_is_open)
        gate_permits--;
    g_mutex_unlock(&gate_lock);
}

static bool
fake_managed_save(Call *call, const RemoteDomainManagedSaveArgs *args, GError **err)
{
    g_autoptr(View) view = (View *)find_guest(&args->dom, err);

    if (!view)
        return false;
    strand_set_activity(((FakeView *)view)->strand, "saving");
    wait_at_gate();
    strand_set_activity(((FakeView *)view)->strand, NULL);
    return true;
}

/* Opens the gate for one. */
static bool
fake_capabilities(Call *call, RemoteConnectGetCapabilitiesRet *ret, GError **err)
{
    g_mutex_lock(&gate_lock);
    gate_permits++;
    g_cond_signal(&gate_changed);
    g_mutex_unlock(&gate_lock);
    ret->capabilities = g_strdup("<capabilities/>");
    return true;
}

static bool
set_running(Call *call, const RemoteNonnullDomain *domain, bool is_running, GError **err)
{
    g_autoptr(View) before = (View *)find_guest(domain, err);
    g_autoptr(View) after = NULL;

    if (!before)
        return false;
    if ((before->id >= 0) == is_running)
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain is %s running",
                    is_running ? "already" : "not");
    publish_guest(call->conn->driver, before->name, is_running ? 7 : -1,
                  ((FakeView *)before)->strand);
    after = registry_lookup_uuid(guests, domain->uuid);
    emit_lifecycle(
        call, (FakeView *)after, is_running ? VIR_DOMAIN_EVENT_STARTED : VIR_DOMAIN_EVENT_STOPPED,
        is_running ? VIR_DOMAIN_EVENT_STARTED_BOOTED : VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
    return true;
}

static void
auto_destroy(DriverConn *conn, void *opaque)
{
    g_atomic_int_inc(&n_auto_destroyed);
}

static bool
fake_create_with_flags(Call *call, const RemoteDomainCreateWithFlagsArgs *args,
                       RemoteDomainCreateWithFlagsRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;

    if (!set_running(call, &args->dom, true, err))
        return false;
    if (args->flags & VIR_DOMAIN_START_AUTODESTROY)
        conn_add_close_hook(call->conn, call->conn, auto_destroy, NULL, NULL);
    view = (View *)find_guest(&args->dom, err);
    if (!view)
        return false;
    fill_domain(&ret->dom, (FakeView *)view);
    return true;
}

static bool
fake_create(Call *call, const RemoteDomainCreateArgs *args, GError **err)
{
    return set_running(call, &args->dom, true, err);
}

static bool
fake_destroy(Call *call, const RemoteDomainDestroyArgs *args, GError **err)
{
    return set_running(call, &args->dom, false, err);
}

/* Deferred: answered by a timer of the loop. */
static void
finish_deferred(void *opaque)
{
    call_finish(opaque, NULL);
}

static bool
fake_shutdown(Call *call, const RemoteDomainShutdownArgs *args, GError **err)
{
    call_defer(call);
    loop_timer_start(fake_loop, 20, finish_deferred, call, NULL);
    return true;
}

/* Streams ------------------------------------------------------------------------------------------------------------ */

static void *
echo_thread(void *opaque)
{
    auto_fd int fd = GPOINTER_TO_INT(opaque);
    char bytes[4096];
    ssize_t count;

    while ((count = read(fd, bytes, sizeof bytes)) > 0) {
        if (!fd_write_all(fd, bytes, (size_t)count))
            break;
    }
    return NULL;
}

static bool
fake_open_console(Call *call, const RemoteDomainOpenConsoleArgs *args, GError **err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return fail_errno(err, "make", "a socket pair");
    g_thread_unref(g_thread_new("echo", echo_thread, GINT_TO_POINTER(ends[1])));
    return call_set_stream_fd(call, ends[0], 0, NULL, NULL, err);
}

static bool
volume_done(void *data, bool is_aborted, GError **err)
{
    g_autofree char *path = data;

    if (g_str_has_suffix(path, ".broken"))
        return fail(err, VIR_ERR_OPERATION_FAILED, "volume %s does not sync", path);
    return true;
}

/* A file without a name, with a hole and an end. */
static int
open_memory(void)
{
    int fd = memfd_create("volume", MFD_CLOEXEC);

    if (fd >= 0 && ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "end", 3, (1 << 20) - 3) == 3)
        return fd;
    fd_close(&fd);
    return -1;
}

/* The volume's key is "memory" or the path of a file below the folder for volumes. */
static bool
open_volume(Call *call, const RemoteNonnullStorageVol *volume, int mode, bool is_sparse,
            GError **err)
{
    const bool is_ours = volume_folder && g_str_has_prefix(volume->key, volume_folder) &&
                         !strstr(volume->key, "/../");
    int fd = -1;

    if (g_str_equal(volume->key, "memory"))
        fd = open_memory();
    else if (is_ours)
        fd = open(volume->key, mode | O_CLOEXEC | O_NOFOLLOW, 0600);
    else
        return fail(err, VIR_ERR_NO_STORAGE_VOL, "%s", volume->key);
    if (fd < 0)
        return fail_errno(err, "open", volume->key);
    return call_set_stream_fd(call, fd, is_sparse ? CALL_STREAM_SPARSE : 0, volume_done,
                              g_strdup(volume->key), err);
}

static bool
fake_vol_download(Call *call, const RemoteStorageVolDownloadArgs *args, GError **err)
{
    return open_volume(call, &args->vol, O_RDONLY,
                       args->flags & VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM, err);
}

static bool
fake_vol_upload(Call *call, const RemoteStorageVolUploadArgs *args, GError **err)
{
    return open_volume(call, &args->vol, O_RDWR, args->flags & VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM,
                       err);
}

static bool
fake_vol_lookup_by_path(Call *call, const RemoteStorageVolLookupByPathArgs *args,
                        RemoteStorageVolLookupByPathRet *ret, GError **err)
{
    ret->vol.pool = g_strdup("files");
    ret->vol.name = g_path_get_basename(args->path);
    ret->vol.key = g_strdup(args->path);
    return true;
}

/* Descriptors: the one that comes is greeted, the one that goes carries a greeting. ------------------------------ */

static bool
fake_open_graphics(Call *call, const RemoteDomainOpenGraphicsArgs *args, GError **err)
{
    auto_fd int fd = call_take_fd(call, 0, err);

    return fd >= 0 &&
           (fd_write_all(fd, "hello", 5) || fail_errno(err, "write to", "the descriptor"));
}

static bool
fake_open_graphics_fd(Call *call, const RemoteDomainOpenGraphicsFdArgs *args, GError **err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return fail_errno(err, "make", "a socket pair");
    fd_write_all(ends[1], "welcome", 7);
    close(ends[1]);
    g_array_append_val(call->fds_out, ends[0]);
    return true;
}

/* The driver --------------------------------------------------------------------------------------------------------- */

static bool
fake_start(Driver *driver, const DriverHost *host, GError **err)
{
    const char *const names[] = {"busy", "echo", "idle"};

    fake_loop = host->loop;
    guests = registry_new("domain");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        publish_guest(driver, names[i], -1, NULL);
    return true;
}

static void
fake_stop(Driver *driver)
{
    g_clear_pointer(&guests, registry_free);
}

static char *
fake_default_uri(Driver *driver)
{
    return g_strdup("qemu:///system");
}

static bool
fake_probe_uri(Driver *driver, const char *uri, GError **err)
{
    if (g_str_has_suffix(uri, ":///system") || g_str_has_suffix(uri, ":///default"))
        return true;
    return fail(err, VIR_ERR_INTERNAL_ERROR, "unexpected path in %s: try qemu:///system", uri);
}

static Strand *
fake_find_strand(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    g_autoptr(View) view = registry_lookup_uuid(guests, uuid);

    return view ? strand_ref(((FakeView *)view)->strand) : NULL;
}

static const char *const schemes[] = {"qemu", "test", NULL};

Driver fake_driver = {
    .name = "QEMU",
    .folder = "fake",
    .schemes = schemes,
    .error_domain = VIR_FROM_TEST,
    .probe_uri = fake_probe_uri,
    .default_uri = fake_default_uri,
    .start = fake_start,
    .stop = fake_stop,
    .find_strand = fake_find_strand,
    .slots =
        {
            .connect_get_version = fake_get_version,
            .connect_get_capabilities = fake_capabilities,
            .connect_list_all_domains = fake_list_all,
            .domain_lookup_by_name = fake_lookup_by_name,
            .domain_get_state = fake_get_state,
            .domain_get_xml_desc = fake_get_xml_desc,
            .domain_managed_save = fake_managed_save,
            .domain_create = fake_create,
            .domain_create_with_flags = fake_create_with_flags,
            .domain_destroy = fake_destroy,
            .domain_shutdown = fake_shutdown,
            .domain_open_console = fake_open_console,
            .domain_open_graphics = fake_open_graphics,
            .domain_open_graphics_fd = fake_open_graphics_fd,
        },
};

/* A service: no scheme of its own. ---------------------------------------------------------------------------------- */

static bool
fake_pool_lookup_by_name(Call *call, const RemoteStoragePoolLookupByNameArgs *args,
                         RemoteStoragePoolLookupByNameRet *ret, GError **err)
{
    ret->pool.name = g_strdup(args->name);
    strncpy((char *)ret->pool.uuid, args->name, sizeof ret->pool.uuid - 1);
    return true;
}

static bool
fake_pool_refresh(Call *call, const RemoteStoragePoolRefreshArgs *args, GError **err)
{
    RemoteStoragePoolEventRefreshMsg *message = g_new0(RemoteStoragePoolEventRefreshMsg, 1);

    g_assert(call->driver == &fake_service && call->conn->driver == &fake_driver);
    message->pool.name = g_strdup(args->pool.name);
    memcpy(message->pool.uuid, args->pool.uuid, sizeof message->pool.uuid);
    events_emit(call->driver->events, API_EVENT_CLASS_STORAGE_POOL,
                VIR_STORAGE_POOL_EVENT_ID_REFRESH, args->pool.uuid, NULL, message);
    return true;
}

static bool
fake_service_start(Driver *driver, const DriverHost *host, GError **err)
{
    return true;
}

Driver fake_service = {
    .name = "storage",
    .folder = "storage",
    .event_classes = 1U << API_EVENT_CLASS_STORAGE_POOL,
    .error_domain = VIR_FROM_STORAGE,
    .start = fake_service_start,
    .slots =
        {
            .storage_pool_lookup_by_name = fake_pool_lookup_by_name,
            .storage_pool_refresh = fake_pool_refresh,
            .storage_vol_lookup_by_path = fake_vol_lookup_by_path,
            .storage_vol_download = fake_vol_download,
            .storage_vol_upload = fake_vol_upload,
        },
};
