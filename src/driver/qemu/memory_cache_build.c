/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making caches of memory images (memory_cache.h): one at a time, in order, on a thread that has the
 * processor and the disk only when nobody else wants them. Killed at any instant it leaves a folder
 * without `id`, which the next daemon finishes or removes. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/memory_cache_private.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/settings.h"
#include "image/memory_stream.h"
#include "job/fault.h"
#include "loop/pool.h"
#include "seam/clock.h"
#include "seam/proc.h"
#include "seam/process.h"

#define WARM_BYTES (4 * 1024 * 1024)

struct MemoryCaches {
    QemuDriver *qemu;
    Pool *pool; /* of one thread */

    GMutex mutex; /* of what follows */
    GCond has_changed;
    GPtrArray *tasks; /* of Task: waiting and running; owned by their turn on the pool */
    bool is_closing;
};

typedef struct {
    MemoryCaches *caches;
    char *image_path;
    GPtrArray *warm_paths; /* not NULL: files to be read, nothing is built */
    gint is_cancelled;     /* atomic */
    gint64 done_bytes, total_bytes;

    /* While it builds. */
    MemoryCache *cache;
    GArray *fds; /* of int: of the blocks */
    GPtrArray *names;
} Task;

static void
close_fd(gpointer fd)
{
    fd_close(fd);
}

static void
task_free(Task *task)
{
    if (!task)
        return;
    g_clear_pointer(&task->warm_paths, g_ptr_array_unref);
    g_clear_pointer(&task->names, g_ptr_array_unref);
    g_clear_pointer(&task->fds, g_array_unref);
    memory_cache_free(task->cache);
    g_free(task->image_path);
    g_free(task);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Task, task_free)

static bool
is_stopped(const Task *task)
{
    return g_atomic_int_get(&task->is_cancelled);
}

/* ---- building ---- */

static bool
give_away(const Task *task, int fd, const char *path, GError **err)
{
    const QemuConfig *config = task->caches->qemu->config;

    if (config->has_owner && fchown(fd, config->uid, config->gid) < 0)
        return fail_errno(err, "give to the emulator's user", path);
    return true;
}

static bool
make_folder(const Task *task, GError **err)
{
    g_autofree char *folder = memory_cache_folder(task->image_path);
    auto_fd int fd = -1;

    if (mkdir(folder, 0700) < 0)
        return fail_errno(err, "make the folder", folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? give_away(task, fd, folder, err) : fail_errno(err, "open", folder);
}

static int
open_block(void *opaque, const char *name, guint64 size, GError **err)
{
    Task *task = opaque;
    MemoryBlock *block;
    int fd;

    if (!g_ptr_array_find_with_equal_func(task->names, name, g_str_equal, NULL))
        return -1;
    block = memory_cache_add(task->cache, name, size);
    fd = file_create_new(block->path, 0600, err);
    if (fd < 0)
        return -1;
    g_array_append_val(task->fds, fd);
    if (ftruncate(fd, (off_t)size) < 0) {
        fail_errno(err, "make room in", block->path);
        return -1;
    }
    return give_away(task, fd, block->path, err) ? fd : -1;
}

static bool
go_on(void *opaque, guint64 done_bytes)
{
    Task *task = opaque;

    __atomic_store_n(&task->done_bytes, (gint64)done_bytes, __ATOMIC_RELAXED);
    return !is_stopped(task);
}

/* The stream's pages are written once more: never take the last room of a file system. */
static bool
check_room(const Task *task, gint64 stream_bytes, GError **err)
{
    struct statvfs fs;
    guint64 available;

    if (statvfs(task->image_path, &fs) < 0)
        return fail_errno(err, "look at the room around", task->image_path);
    available = (guint64)fs.f_bavail * fs.f_frsize;
    if (available / 2 > (guint64)stream_bytes)
        return true;
    return fail(err, VIR_ERR_OPERATION_FAILED,
                "it would take %" G_GINT64_FORMAT " MiB of the last %" G_GUINT64_FORMAT
                " MiB beside '%s'",
                stream_bytes >> 20, available >> 20, task->image_path);
}

/* The names of the blocks that the machine of this image has its RAM in. */
static GPtrArray *
find_names(const Task *task, const SaveImage *image, GError **err)
{
    g_autoptr(Domain) machine = domain_parse(image->xml, MODEL_PARSE_INACTIVE, err);
    g_autoptr(EmulatorInfo) info =
        machine ? capabilities_emulator(task->caches->qemu, machine->emulator, err) : NULL;

    return info ? command_memory_names(info, machine) : NULL;
}

static bool
sync_files(const Task *task, int state_fd, GError **err)
{
    g_autofree char *folder = memory_cache_folder(task->image_path);

    if (fsync(state_fd) < 0)
        return fail_errno(err, "sync", task->cache->state_path);
    for (guint i = 0; i < task->fds->len; i++) {
        if (fsync(g_array_index(task->fds, int, i)) < 0)
            return fail_errno(err, "sync", folder);
    }
    return dir_sync(folder, err) && dir_sync_parent(folder, err);
}

static bool
split_image(Task *task, int fd, gint64 begin, GError **err)
{
    g_autofree char *identity = memory_cache_identify(fd, begin, task->image_path);
    auto_fd int state_fd = -1;

    if (!identity)
        return fail_errno(err, "read", task->image_path);
    if (!fault_point(err, "memory-cache/folder") || !make_folder(task, err) ||
        !fault_point(err, "memory-cache/split"))
        return false;
    state_fd = file_create_new(task->cache->state_path, 0600, err);
    if (state_fd < 0)
        return false;
    return memory_stream_split(&(MemorySplit){.in_fd = fd,
                                              .begin = begin,
                                              .state_fd = state_fd,
                                              .open_block = open_block,
                                              .go_on = go_on,
                                              .opaque = task},
                               err) &&
           fault_point(err, "memory-cache/sync") && sync_files(task, state_fd, err) &&
           fault_point(err, "memory-cache/id") &&
           (!is_stopped(task) || fail(err, VIR_ERR_OPERATION_ABORTED, "stopped before its end")) &&
           memory_cache_write_id(task->cache, identity, err);
}

static bool
build(Task *task, GError **err)
{
    auto_fd int fd = -1;
    g_autoptr(SaveImage) image = save_image_open(task->image_path, &fd, err);
    struct stat st;

    if (!image)
        return false;
    if (image->compression != SAVE_RAW)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "it is compressed");
    if (fstat(fd, &st) < 0)
        return fail_errno(err, "look at", task->image_path);
    __atomic_store_n(&task->total_bytes, (gint64)st.st_size - image->stream_offset,
                     __ATOMIC_RELAXED);
    task->names = find_names(task, image, err);
    if (!task->names || !check_room(task, st.st_size, err))
        return false;
    if (task->names->len == 0)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "its machine's memory has no name");
    task->cache = memory_cache_new(task->image_path);
    task->fds = g_array_new(FALSE, TRUE, sizeof(int));
    g_array_set_clear_func(task->fds, close_fd);
    return split_image(task, fd, image->stream_offset, err);
}

static void
run_build(Task *task)
{
    g_autoptr(MemoryCache) present = memory_cache_open(task->image_path);
    g_autoptr(GError) err = NULL;
    gint64 begin_ms = clock_monotonic_ms();

    if (present)
        return;
    if (memory_cache_remove(task->image_path, &err) && build(task, &err)) {
        log_info(LOG_QEMU, "'%s' can be mapped now (%" G_GINT64_FORMAT " ms)", task->image_path,
                 clock_monotonic_ms() - begin_ms);
        return;
    }
    log_info(LOG_QEMU, "'%s' will be loaded as a stream: %s", task->image_path, err->message);
    if (!memory_cache_remove(task->image_path, NULL))
        log_warning(LOG_QEMU, "'%s.map' cannot be removed", task->image_path);
}

/* ---- warming ---- */

static guint64
available_memory(void)
{
    g_autofree char *info = proc_read("/proc/meminfo");
    g_autofree char *field = info ? proc_find_field(info, "MemAvailable") : NULL;

    return field ? g_ascii_strtoull(field, NULL, 10) * 1024 : 0;
}

static void
run_warm(Task *task)
{
    for (guint i = 0; i < task->warm_paths->len; i++) {
        auto_fd int fd = open(task->warm_paths->pdata[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || available_memory() / 2 < (guint64)st.st_size)
            return;
        for (off_t at = 0; at < st.st_size && !is_stopped(task); at += WARM_BYTES)
            posix_fadvise(fd, at, WARM_BYTES, POSIX_FADV_WILLNEED);
    }
}

/* ---- the queue ---- */

static void
run_task(void *data)
{
    g_autoptr(Task) task = data;
    MemoryCaches *caches = task->caches;

    process_lower_priority();
    if (!is_stopped(task) && task->warm_paths)
        run_warm(task);
    else if (!is_stopped(task))
        run_build(task);
    g_mutex_lock(&caches->mutex);
    g_ptr_array_remove_fast(caches->tasks, task);
    g_cond_broadcast(&caches->has_changed);
    g_mutex_unlock(&caches->mutex);
}

/* With the lock held. */
static Task *
find_build(const MemoryCaches *caches, const char *image_path)
{
    for (guint i = 0; i < caches->tasks->len; i++) {
        Task *task = caches->tasks->pdata[i];

        if (!task->warm_paths && g_str_equal(task->image_path, image_path))
            return task;
    }
    return NULL;
}

static void
add_task(MemoryCaches *caches, Task *take_task)
{
    g_autoptr(Task) task = take_task;

    task->caches = caches;
    g_mutex_lock(&caches->mutex);
    if (!caches->is_closing && (task->warm_paths || !find_build(caches, task->image_path))) {
        g_ptr_array_add(caches->tasks, task);
        pool_run(caches->pool, run_task, g_steal_pointer(&task));
    }
    g_mutex_unlock(&caches->mutex);
}

void
memory_cache_build_later(QemuDriver *qemu, const char *image_path)
{
    Task *task;

    if (!qemu->config->maps_memory)
        return;
    task = g_new0(Task, 1);
    task->image_path = g_strdup(image_path);
    add_task(qemu->memory_caches, task);
}

void
memory_cache_warm_later(QemuDriver *qemu, const MemoryCache *cache)
{
    Task *task = g_new0(Task, 1);

    task->image_path = g_strdup(cache->image_path);
    task->warm_paths = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < cache->blocks->len; i++)
        g_ptr_array_add(task->warm_paths,
                        g_strdup(((const MemoryBlock *)cache->blocks->pdata[i])->path));
    add_task(qemu->memory_caches, task);
}

static void
cancel_builds(MemoryCaches *caches, const char *image_path)
{
    Task *task;

    pool_block_begin(NULL);
    g_mutex_lock(&caches->mutex);
    while ((task = find_build(caches, image_path))) {
        g_atomic_int_set(&task->is_cancelled, 1);
        g_cond_wait(&caches->has_changed, &caches->mutex);
    }
    g_mutex_unlock(&caches->mutex);
    pool_block_end(NULL);
}

void
memory_cache_drop(QemuDriver *qemu, const char *image_path)
{
    g_autoptr(GError) err = NULL;

    cancel_builds(qemu->memory_caches, image_path);
    if (!memory_cache_remove(image_path, &err))
        log_warning(LOG_QEMU, "%s", err->message);
}

bool
memory_cache_progress(QemuDriver *qemu, const char *image_path, guint64 *done_bytes,
                      guint64 *total_bytes)
{
    MemoryCaches *caches = qemu->memory_caches;
    const Task *task;

    g_mutex_lock(&caches->mutex);
    task = find_build(caches, image_path);
    if (task) {
        *done_bytes = (guint64)__atomic_load_n(&task->done_bytes, __ATOMIC_RELAXED);
        *total_bytes = (guint64)__atomic_load_n(&task->total_bytes, __ATOMIC_RELAXED);
    }
    g_mutex_unlock(&caches->mutex);
    return task != NULL;
}

MemoryCaches *
memory_caches_new(QemuDriver *qemu)
{
    MemoryCaches *caches = g_new0(MemoryCaches, 1);

    caches->qemu = qemu;
    caches->pool = pool_new(0, 1);
    caches->tasks = g_ptr_array_new();
    g_mutex_init(&caches->mutex);
    g_cond_init(&caches->has_changed);
    return caches;
}

void
memory_caches_free(MemoryCaches *caches)
{
    if (!caches)
        return;
    g_mutex_lock(&caches->mutex);
    caches->is_closing = true;
    for (guint i = 0; i < caches->tasks->len; i++)
        g_atomic_int_set(&((Task *)caches->tasks->pdata[i])->is_cancelled, 1);
    g_mutex_unlock(&caches->mutex);
    pool_free(caches->pool);
    g_ptr_array_unref(caches->tasks);
    g_mutex_clear(&caches->mutex);
    g_cond_clear(&caches->has_changed);
    g_free(caches);
}
