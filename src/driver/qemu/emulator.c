/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making an emulator and ending it. See emulator.h; its events: events.c; what it says of itself: emulator_learn.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "config.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/lifecycle.h"
#include "seam/clock.h"
#include "seam/stub.h"
#include "seam/unix.h"

enum {
    GREETING_TIMEOUT_MS = 30000,
    MASTER_KEY_BYTES = 32,
    SHORT_NAME_CHARS = 20,
    LOG_TAIL_BYTES = 4096,
    MONITOR_BACKLOG = 16
};

/* What exists between spawn and run. */
typedef struct {
    Stub *stub;
    CommandLine *line;
    off_t log_start;
} Launch;

typedef struct {
    EmulatorEventFn func;
    gpointer opaque;
} Listener;

static void
launch_free(Launch *launch)
{
    if (!launch)
        return;
    stub_free(launch->stub);
    command_line_free(launch->line);
    g_free(launch);
}

Emulator *
emulator_ref(Emulator *emulator)
{
    g_atomic_ref_count_inc(&emulator->refs);
    return emulator;
}

void
emulator_unref(Emulator *emulator)
{
    if (!emulator || !g_atomic_ref_count_dec(&emulator->refs))
        return;
    launch_free(emulator->launch);
    g_clear_pointer(&emulator->qmp, qmp_unref);
    g_array_unref(emulator->vcpu_threads);
    g_array_unref(emulator->listeners);
    g_ptr_array_unref(emulator->staged_paths);
    fd_close(&emulator->pidfd);
    g_free(emulator->guest_name);
    g_free(emulator->lib_dir);
    g_free(emulator->channel_dir);
    g_free(emulator->monitor_path);
    g_free(emulator->version_text);
    guest_unref(emulator->guest);
    for (gsize i = 0; i < EMULATOR_N_CACHED; i++)
        json_decref(emulator->cached[i]);
    g_mutex_clear(&emulator->mutex);
    g_cond_clear(&emulator->cleared);
    g_free(emulator);
}

static Emulator *
emulator_new(Guest *guest, int id)
{
    Emulator *emulator = g_new0(Emulator, 1);

    g_atomic_ref_count_init(&emulator->refs);
    emulator->guest = guest_ref(guest);
    emulator->guest_name = g_strdup(guest->name);
    emulator->id = id;
    emulator->pidfd = -1;
    g_mutex_init(&emulator->mutex);
    g_cond_init(&emulator->cleared);
    emulator->vcpu_threads = g_array_new(FALSE, TRUE, sizeof(pid_t));
    emulator->listeners = g_array_new(FALSE, TRUE, sizeof(Listener));
    emulator->staged_paths = g_ptr_array_new_with_free_func(g_free);
    return emulator;
}

char *
emulator_log_path(const Guest *guest)
{
    g_autofree char *name = g_strconcat(guest->name, ".log", NULL);

    return g_build_filename(guest->qemu->log_dir, name, NULL);
}

static int
open_log(const Guest *guest, GError **err)
{
    g_autofree char *path = emulator_log_path(guest);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        fail_errno(err, "open log", path);
    return fd;
}

void
emulator_log_line(const Guest *guest, const char *fmt, ...)
{
    auto_fd int fd = open_log(guest, NULL);
    g_autofree char *now = clock_wall_text();
    g_autofree char *said = NULL;
    g_autofree char *line = NULL;
    va_list args;

    va_start(args, fmt);
    said = g_strdup_vprintf(fmt, args);
    va_end(args);
    line = g_strdup_printf("%s: %s\n", now, said);
    if (fd < 0 || !fd_write_all(fd, line, strlen(line)))
        log_warning(LOG_QEMU, "%s: its log cannot be written: %s", guest->name, g_strerror(errno));
}

/* "domain-3-web1": folders are named after at most 20 characters of the name. */
static char *
folder_name(int id, const char *name)
{
    g_autofree char *short_name =
        g_utf8_validate(name, -1, NULL)
            ? g_utf8_substring(name, 0, MIN(g_utf8_strlen(name, -1), SHORT_NAME_CHARS))
            : g_strndup(name, SHORT_NAME_CHARS);

    return g_strdup_printf("domain-%d-%s", id, short_name);
}

char *
emulator_channel_folder(const Guest *guest, int id)
{
    g_autofree char *folder = folder_name(id, guest->name);

    return g_build_filename(guest->qemu->channel_dir, folder, NULL);
}

/* A folder or file that the emulator's user has to reach. */
static bool
give_to_emulator(const QemuDriver *qemu, const char *path, GError **err)
{
    if (!qemu->config->has_owner || lchown(path, qemu->config->uid, qemu->config->gid) == 0)
        return true;
    return fail_errno(err, "give to the emulator's user", path);
}

static bool
make_folder(const QemuDriver *qemu, const char *path, GError **err)
{
    return dir_make(path, 0750, err) && give_to_emulator(qemu, path, err);
}

static bool
write_master_key(const QemuDriver *qemu, const char *lib_dir, GError **err)
{
    g_autofree char *path = g_build_filename(lib_dir, "master-key.aes", NULL);
    guchar key[MASTER_KEY_BYTES];
    bool ok;

    random_bytes(key, sizeof(key));
    ok = file_write_atomic(path, key, sizeof(key), 0600, err) && give_to_emulator(qemu, path, err);
    explicit_bzero(key, sizeof(key));
    return ok;
}

/* What the next start would find in its way: a folder that a daemon which was killed left behind. */
static void
remove_tree(const char *path)
{
    g_auto(GStrv) names = dir_list(path, NULL);

    for (char **name = names; name && *name; name++) {
        g_autofree char *full = g_build_filename(path, *name, NULL);
        struct stat st;

        if (lstat(full, &st) == 0 && S_ISDIR(st.st_mode))
            remove_tree(full);
        else
            unlink(full);
    }
    rmdir(path);
}

static void
log_start(Guest *guest, const Emulator *emulator, const CommandLine *line, int log_fd)
{
    g_autofree char *now = clock_wall_text();
    g_autofree char *words = command_line_format(line, " \\\n");
    g_autofree char *text = NULL;
    struct utsname uts;

    uname(&uts);
    text = g_strdup_printf("%s: starting up libvirt version: %s, package: Manifold, qemu version: "
                           "%s%s, kernel: %s, hostname: %s\n%s\n",
                           now, API_VERSION, line->info->version_text, line->info->package,
                           uts.release, uts.nodename, words);
    if (!fd_write_all(log_fd, text, strlen(text)))
        log_warning(LOG_QEMU, "%s: its log cannot be written: %s", guest->name, g_strerror(errno));
}

static bool
prepare_places(Guest *guest, Emulator *emulator, CommandLine *line, GError **err)
{
    QemuDriver *qemu = guest->qemu;
    g_autofree char *name = folder_name(emulator->id, guest->name);

    emulator->lib_dir = g_build_filename(qemu->lib_dir, name, NULL);
    emulator->channel_dir = g_build_filename(qemu->channel_dir, name, NULL);
    emulator->monitor_path = g_build_filename(emulator->lib_dir, "monitor.sock", NULL);
    remove_tree(emulator->lib_dir);
    remove_tree(emulator->channel_dir);
    if (!make_folder(qemu, emulator->lib_dir, err) ||
        !make_folder(qemu, emulator->channel_dir, err) ||
        !write_master_key(qemu, emulator->lib_dir, err))
        return false;
    line->lib_dir = emulator->lib_dir;
    line->channel_dir = emulator->channel_dir;
    line->monitor_path = emulator->monitor_path;
    line->monitor_fd =
        line_keep_fd(line, unix_listen(emulator->monitor_path, 0700, MONITOR_BACKLOG, err));
    return line->monitor_fd >= 0;
}

static Stub *
fork_stub(Guest *guest, const CommandLine *line, int log_fd, GError **err)
{
    const QemuConfig *config = guest->qemu->config;

    return stub_spawn(&(StubSpec){.path = line->info->path,
                                  .argv = (const char *const *)line->argv->pdata,
                                  .env = (const char *const *)line->env->pdata,
                                  .keep_fds = (const int *)(gpointer)line->keep_fds->data,
                                  .n_keep_fds = line->keep_fds->len,
                                  .log_fd = log_fd,
                                  .set_owner = config->has_owner,
                                  .uid = config->uid,
                                  .gid = config->gid},
                      err);
}

Emulator *
emulator_spawn(Guest *guest, const Domain *machine, const MemoryCache *memory, EmulatorFlags flags,
               GError **err)
{
    g_autoptr(Emulator) emulator = emulator_new(guest, machine->id);
    g_autoptr(EmulatorInfo) info = capabilities_emulator(guest->qemu, machine->emulator, err);
    Launch *launch = emulator->launch = g_new0(Launch, 1);
    auto_fd int log_fd = info ? open_log(guest, err) : -1;
    bool ok;

    if (log_fd < 0)
        return NULL;
    emulator->flags = flags;
    emulator->version_text = g_strdup(info->version_text);
    launch->line = command_line_new(guest->qemu, info, machine);
    launch->line->memory = memory;
    launch->line->is_incoming = flags & EMULATOR_INCOMING;
    launch->line->is_staged = flags & EMULATOR_STAGED;
    ok =
        prepare_places(guest, emulator, launch->line, err) && command_line_build(launch->line, err);
    if (ok) {
        log_start(guest, emulator, launch->line, log_fd);
        launch->log_start = lseek(log_fd, 0, SEEK_END);
        launch->stub = fork_stub(guest, launch->line, log_fd, err);
    }
    if (!launch->stub) {
        emulator_clear_up(emulator);
        return NULL;
    }
    emulator->process = launch->stub->id;
    return g_steal_pointer(&emulator);
}

/* What the emulator wrote into its log since its start, on one line. */
static char *
read_last_words(const Emulator *emulator, off_t start)
{
    g_autofree char *path = emulator_log_path(emulator->guest);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autofree char *text = g_malloc0(LOG_TAIL_BYTES + 1);
    ssize_t got = fd >= 0 ? pread(fd, text, LOG_TAIL_BYTES, start) : -1;

    if (got <= 0)
        return g_strdup("it gave no reason");
    return g_strchomp(g_steal_pointer(&text));
}

static void
on_event(Qmp *qmp, const char *event, const Json *data, gint64 wall_us, gpointer opaque)
{
    emulator_handle_event(opaque, event, data, wall_us);
}

static void
on_closed(Qmp *qmp, const char *reason, gpointer opaque)
{
    emulator_handle_event(opaque, NULL, NULL, 0);
}

static void
release_emulator(gpointer emulator)
{
    emulator_unref(emulator);
}

static bool
attach_monitor(Emulator *emulator, int take_fd, GError **err)
{
    Guest *guest = emulator->guest;
    const DriverHost *host = guest->qemu->host;

    emulator->qmp = qmp_new(take_fd,
                            &(QmpConfig){.name = emulator->guest_name,
                                         .loop = host->loop,
                                         .pool = host->pool,
                                         .strand = guest->strand,
                                         .on_event = on_event,
                                         .on_closed = on_closed,
                                         .opaque = emulator_ref(emulator),
                                         .free_opaque = release_emulator},
                            err);
    if (!emulator->qmp)
        emulator_unref(emulator);
    return emulator->qmp != NULL;
}

bool
emulator_run(Emulator *emulator, GError **err)
{
    Launch *launch = emulator->launch;
    auto_fd int fd = unix_connect(emulator->monitor_path, err);
    g_autoptr(GError) why = NULL;
    bool ok = fd >= 0 && stub_release(launch->stub, err);

    /* From here on the emulator alone listens: if it ends, the connection breaks. */
    g_ptr_array_set_size(emulator->staged_paths, 0);
    for (guint i = 0; i < launch->line->staged_paths->len; i++)
        g_ptr_array_add(emulator->staged_paths,
                        g_strdup(g_ptr_array_index(launch->line->staged_paths, i)));
    g_array_set_size(launch->line->keep_fds, 0);
    emulator->pidfd = stub_steal_pidfd(launch->stub);
    if (ok && (!attach_monitor(emulator, fd_steal(&fd), &why) ||
               !qmp_handshake(emulator->qmp, GREETING_TIMEOUT_MS, &why))) {
        g_autofree char *last_words = NULL;

        emulator_kill(emulator);
        last_words = read_last_words(emulator, launch->log_start);
        ok =
            error_is(why, VIR_ERR_OPERATION_TIMEOUT)
                ? fail(err, VIR_ERR_OPERATION_TIMEOUT, "the emulator did not greet within %d s: %s",
                       GREETING_TIMEOUT_MS / 1000, last_words)
                : fail(err, VIR_ERR_INTERNAL_ERROR,
                       "process exited while connecting to monitor: %s", last_words);
    }
    launch_free(g_steal_pointer(&emulator->launch));
    if (!ok) {
        if (emulator->pidfd >= 0)
            emulator_kill(emulator);
        emulator_clear_up(emulator);
    }
    return ok;
}

/* One whose other end is closed. */
static int
closed_socket(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -1;
    close(ends[1]);
    return ends[0];
}

Emulator *
emulator_adopt(Guest *guest, const Domain *machine, const ProcessId *process,
               const char *monitor_path, const char *lib_dir, const char *channel_dir, GError **err)
{
    g_autoptr(Emulator) emulator = emulator_new(guest, machine->id);
    g_autoptr(QmpBatch) hello = qmp_batch_new();
    g_autoptr(GError) why = NULL;
    auto_fd int fd = -1;

    emulator->process = *process;
    emulator->is_adopted = true;
    emulator->monitor_path = g_strdup(monitor_path);
    emulator->lib_dir = g_strdup(lib_dir);
    emulator->channel_dir = g_strdup(channel_dir);
    emulator->pidfd = process_open(process, err);
    if (emulator->pidfd < 0)
        return NULL;
    fd = unix_connect(monitor_path, &why);
    if (fd < 0) {
        /* It runs, so it is the guest's; whoever calls it is told that its monitor is closed, and it can be destroyed. */
        log_error(LOG_QEMU, "%s: its monitor cannot be reached: %s", guest->name, why->message);
        fd = closed_socket();
    }
    if (!attach_monitor(emulator, fd_steal(&fd), err))
        return NULL;
    /* Leaves negotiation whenever it wakes up, also if nobody waits for that any more. */
    qmp_batch_add(hello, "qmp_capabilities", NULL);
    qmp_batch_start(hello, emulator->qmp, NULL);
    return g_steal_pointer(&emulator);
}

bool
emulator_is_running(const Emulator *emulator)
{
    return emulator->pidfd >= 0 && process_is_running(emulator->pidfd);
}

bool
emulator_terminate(Emulator *emulator, int patience_ms)
{
    enum { GRACEFUL_MS = 15000, KILLED_MS = 30000 };
    int status;
    bool has_ended = emulator->pidfd < 0;

    if (!has_ended && patience_ms != 0) {
        process_signal(emulator->pidfd, SIGTERM, NULL);
        pool_block_begin(NULL);
        has_ended = process_wait(emulator->pidfd, patience_ms < 0 ? GRACEFUL_MS : patience_ms);
        pool_block_end(NULL);
    }
    if (!has_ended && patience_ms >= 0) {
        process_signal(emulator->pidfd, SIGKILL, NULL);
        pool_block_begin(NULL);
        has_ended = process_wait(emulator->pidfd, KILLED_MS);
        pool_block_end(NULL);
    }
    if (has_ended && emulator->pidfd >= 0)
        process_reap(emulator->pidfd, &status);
    return has_ended;
}

void
emulator_kill(Emulator *emulator)
{
    if (!emulator_terminate(emulator, 0))
        log_error(LOG_QEMU, "%s: emulator %d does not end, not even by SIGKILL",
                  emulator->guest_name, (int)emulator->process.pid);
}

void
emulator_remove_places(const char *lib_dir, const char *channel_dir)
{
    if (lib_dir)
        remove_tree(lib_dir);
    if (channel_dir)
        remove_tree(channel_dir);
}

void
emulator_clear_up(Emulator *emulator)
{
    if (emulator->qmp)
        qmp_close(emulator->qmp); /* which says nothing to the listeners: */
    emulator_tell_listeners(emulator, NULL, NULL);
    for (guint i = 0; i + 1 < emulator->staged_paths->len; i += 2)
        unlink(g_ptr_array_index(emulator->staged_paths, i));
    emulator_remove_places(emulator->lib_dir, emulator->channel_dir);
    g_mutex_lock(&emulator->mutex);
    emulator->is_cleared = true;
    g_cond_broadcast(&emulator->cleared);
    g_mutex_unlock(&emulator->mutex);
}

bool
emulator_wait_cleared(Emulator *emulator, int timeout_ms)
{
    gint64 deadline_us = clock_monotonic_us() + timeout_ms * G_GINT64_CONSTANT(1000);
    bool in_time = true;

    pool_block_begin(NULL);
    g_mutex_lock(&emulator->mutex);
    while (!emulator->is_cleared && in_time)
        in_time = g_cond_wait_until(&emulator->cleared, &emulator->mutex, deadline_us);
    in_time = emulator->is_cleared;
    g_mutex_unlock(&emulator->mutex);
    pool_block_end(NULL);
    return in_time;
}

Json *
emulator_cache_swap(Emulator *emulator, EmulatorCached which, const Json *answer)
{
    Json *current;

    g_mutex_lock(&emulator->mutex);
    if (answer) {
        json_decref(emulator->cached[which]);
        emulator->cached[which] = json_incref((Json *)answer);
    }
    current = json_incref(emulator->cached[which]);
    g_mutex_unlock(&emulator->mutex);
    return current;
}

/* ---- watching for the end ---- */

static void
on_ended(void *data)
{
    g_autoptr(Emulator) emulator = data;
    int status;

    process_reap(emulator->pidfd, &status);
    emulator->has_exited = true;
    if (emulator->guest->emulator == emulator)
        guest_check_ended(emulator->guest);
}

static void
on_pidfd(int fd, uint32_t events, void *opaque)
{
    Emulator *emulator = opaque;

    loop_watch_remove(g_steal_pointer(&emulator->exit_watch));
    strand_post_internal(emulator->guest->strand, on_ended, emulator_ref(emulator));
}

/* On the loop's thread, so that the watch is known before it can fire. */
static void
start_watch(void *data)
{
    Emulator *emulator = data;
    g_autoptr(GError) err = NULL;

    emulator->exit_watch = loop_watch_fd(emulator->guest->qemu->host->loop, emulator->pidfd,
                                         EPOLLIN, on_pidfd, emulator, release_emulator, &err);
    if (!emulator->exit_watch) {
        log_error(LOG_QEMU, "%s: its end will not be noticed: %s", emulator->guest_name,
                  err->message);
        emulator_unref(emulator);
    }
}

void
emulator_watch(Emulator *emulator)
{
    loop_post(emulator->guest->qemu->host->loop, start_watch, emulator_ref(emulator));
}

void
emulator_add_listener(Emulator *emulator, EmulatorEventFn func, gpointer opaque)
{
    Listener listener = {func, opaque};

    g_array_append_val(emulator->listeners, listener);
}

void
emulator_remove_listener(Emulator *emulator, EmulatorEventFn func, gpointer opaque)
{
    for (guint i = 0; i < emulator->listeners->len; i++) {
        const Listener *listener = &g_array_index(emulator->listeners, Listener, i);

        if (listener->func == func && listener->opaque == opaque) {
            g_array_remove_index(emulator->listeners, i);
            return;
        }
    }
}

/* A listener may remove itself, or another. */
void
emulator_tell_listeners(Emulator *emulator, const char *event, const Json *data)
{
    g_autoptr(GArray) copy = g_array_copy(emulator->listeners);

    for (guint i = 0; i < copy->len; i++) {
        const Listener *listener = &g_array_index(copy, Listener, i);

        listener->func(emulator, event, data, listener->opaque);
    }
}
