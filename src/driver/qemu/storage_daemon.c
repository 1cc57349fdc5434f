/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See storage_daemon.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/storage_daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/ids.h"
#include "driver/qemu/emulator.h"
#include "seam/command.h"
#include "seam/stub.h"
#include "seam/unix.h"

#define PROGRAM "qemu-storage-daemon"
#define START_TIMEOUT_MS 10000
#define QUIT_TIMEOUT_MS 10000

struct StorageDaemon {
    Guest *guest;
    Stub *stub;
    ProcessId process;
    int pidfd;
    char *socket;
    int listen_fd;
    Qmp *qmp;
    Json *top; /* options of f0 */
    void (*on_event)(const char *event, void *data);
    void *data;
};

static Json *
file_node(const ImageLayer *layer, guint n)
{
    g_autofree char *name = g_strdup_printf("p%u", n);

    return json_pack("{s:s, s:s, s:s, s:b}", "driver",
                     layer->is_block_device ? "host_device" : "file", "node-name", name, "filename",
                     layer->path, "auto-read-only", 1);
}

static Json *
format_node(const ImageLayer *layer, guint n, bool is_last)
{
    g_autofree char *name = g_strdup_printf("f%u", n);
    g_autofree char *file = g_strdup_printf("p%u", n);
    g_autofree char *below = g_strdup_printf("f%u", n + 1);
    Json *node = json_pack("{s:s, s:s, s:s, s:b}", "driver", image_format_to_string(layer->format),
                           "node-name", name, "file", file, "read-only", n > 0);

    if (layer->format != IMAGE_FORMAT_RAW && layer->format != IMAGE_FORMAT_LUKS)
        json_object_set_new(node, "backing", is_last ? json_null() : json_string(below));
    return node;
}

static void
add_blockdev(GPtrArray *argv, Json *take_node)
{
    g_autoptr(Json) node = take_node;
    char *text = json_dumps(node, JSON_COMPACT);

    g_ptr_array_add(argv, g_strdup("--blockdev"));
    g_ptr_array_add(argv, g_strdup(text));
    free(text);
}

/* From the bottom up, so that each node finds what it stands on. */
static void
add_chain(GPtrArray *argv, const ImageChain *chain)
{
    for (guint n = chain->layers->len; n > 0; n--) {
        const ImageLayer *layer = chain->layers->pdata[n - 1];

        add_blockdev(argv, file_node(layer, n - 1));
        add_blockdev(argv, format_node(layer, n - 1, n == chain->layers->len));
    }
}

static bool
check_chain(const ImageChain *chain, GError **err)
{
    for (guint i = 0; i < chain->layers->len; i++) {
        const ImageLayer *layer = chain->layers->pdata[i];
        if (!layer->path)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "image '%s' is no local file",
                        layer->name);
    }
    return true;
}

static char *
socket_path(const Guest *guest)
{
    char uuid[UUID_TEXT];

    uuid_format(guest->uuid, uuid);
    return g_strdup_printf("%s/merge-%s.sock", guest->qemu->state_dir, uuid);
}

bool
storage_daemon_end(Guest *guest, const ProcessId *process, GError **err)
{
    auto_fd int pidfd = process ? process_open(process, NULL) : -1;
    g_autofree char *path = socket_path(guest);

    if (pidfd >= 0 && !process_signal(pidfd, SIGKILL, err))
        return false;
    if (pidfd >= 0 && !process_wait(pidfd, QUIT_TIMEOUT_MS))
        return fail(err, VIR_ERR_OPERATION_TIMEOUT, "storage daemon %d does not end",
                    (int)process->pid);
    unlink(path);
    return true;
}

StorageDaemon *
storage_daemon_spawn(Guest *guest, const ImageChain *chain,
                     void (*on_event)(const char *event, void *data), void *data, GError **err)
{
    g_autoptr(StorageDaemon) daemon = g_new0(StorageDaemon, 1);
    g_autofree char *path = command_find(PROGRAM);
    g_autofree char *log_path = emulator_log_path(guest);
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    const char *const env[] = {
        "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    auto_fd int log_fd = -1;

    daemon->pidfd = daemon->listen_fd = -1;
    daemon->guest = guest_ref(guest);
    daemon->on_event = on_event;
    daemon->data = data;
    if (!path)
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "program '%s' is not installed", PROGRAM);
    if (!check_chain(chain, err))
        return NULL;
    daemon->socket = socket_path(guest);
    daemon->listen_fd = unix_listen(daemon->socket, 0600, 1, err);
    log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (daemon->listen_fd < 0)
        return NULL;
    if (log_fd < 0)
        return fail_null_errno(err, "open log", log_path);

    g_ptr_array_add(argv, g_strdup(path));
    g_ptr_array_add(argv, g_strdup("--chardev"));
    g_ptr_array_add(argv,
                    g_strdup_printf("socket,id=q,fd=%d,server=on,wait=off", daemon->listen_fd));
    g_ptr_array_add(argv, g_strdup("--monitor"));
    g_ptr_array_add(argv, g_strdup("chardev=q"));
    add_chain(argv, chain);
    g_ptr_array_add(argv, NULL);
    daemon->top = format_node(chain->layers->pdata[0], 0, chain->layers->len == 1);
    daemon->stub = stub_spawn(&(StubSpec){.path = path,
                                          .argv = (const char *const *)argv->pdata,
                                          .env = env,
                                          .keep_fds = &daemon->listen_fd,
                                          .n_keep_fds = 1,
                                          .log_fd = log_fd},
                              err);
    if (!daemon->stub)
        return NULL;
    daemon->process = daemon->stub->id;
    return g_steal_pointer(&daemon);
}

const ProcessId *
storage_daemon_process(const StorageDaemon *daemon)
{
    return &daemon->process;
}

static void
on_qmp_event(Qmp *qmp, const char *event, const Json *data, gint64 wall_us, gpointer opaque)
{
    StorageDaemon *daemon = opaque;

    daemon->on_event(event, daemon->data);
}

static void
on_qmp_closed(Qmp *qmp, const char *reason, gpointer opaque)
{
    StorageDaemon *daemon = opaque;

    daemon->on_event(NULL, daemon->data);
}

bool
storage_daemon_run(StorageDaemon *daemon, GError **err)
{
    const DriverHost *host = daemon->guest->qemu->host;
    auto_fd int fd = unix_connect(daemon->socket, err);
    QmpConfig config = {
        .name = daemon->guest->name,
        .loop = host->loop,
        .pool = host->pool,
        .strand = daemon->guest->strand,
        .on_event = on_qmp_event,
        .on_closed = on_qmp_closed,
        .opaque = daemon,
    };

    if (fd < 0 || !stub_release(daemon->stub, err))
        return false;
    daemon->pidfd = stub_steal_pidfd(daemon->stub);
    fd_close(
        &daemon->listen_fd); /* from here on it alone listens: if it ends, the connection breaks */
    daemon->qmp = qmp_new(fd_steal(&fd), &config, err);
    if (!daemon->qmp)
        return false;
    if (!qmp_handshake(daemon->qmp, START_TIMEOUT_MS, err)) {
        g_prefix_error(err, "%s (its reason is in the log of domain %s): ", PROGRAM,
                       daemon->guest->name);
        return false;
    }
    return true;
}

/* There is no command that flushes a node; reopening one with the options it has does it first. */
bool
storage_daemon_flush_top(StorageDaemon *daemon, GError **err)
{
    return qmp_run(daemon->qmp, "blockdev-reopen", json_pack("{s:[O]}", "options", daemon->top),
                   err);
}

Qmp *
storage_daemon_qmp(StorageDaemon *daemon)
{
    return daemon->qmp;
}

void
storage_daemon_free(StorageDaemon *daemon)
{
    int status;

    if (!daemon)
        return;
    if (daemon->qmp && qmp_is_open(daemon->qmp))
        qmp_run(daemon->qmp, "quit", NULL, NULL);
    if (daemon->qmp) {
        qmp_close(daemon->qmp);
        qmp_unref(daemon->qmp);
    }
    if (daemon->pidfd >= 0) {
        if (!process_wait(daemon->pidfd, QUIT_TIMEOUT_MS)) {
            process_signal(daemon->pidfd, SIGKILL, NULL);
            process_wait(daemon->pidfd, -1);
        }
        process_reap(daemon->pidfd, &status);
    }
    fd_close(&daemon->pidfd);
    fd_close(&daemon->listen_fd);
    stub_free(daemon->stub);
    json_decref(daemon->top);
    if (daemon->socket)
        unlink(daemon->socket);
    g_free(daemon->socket);
    guest_unref(daemon->guest);
    g_free(daemon);
}
