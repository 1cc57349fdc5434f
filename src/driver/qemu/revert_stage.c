/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The new emulator of a revert: a stub whose identity is written down before it may run, then QEMU,
 * paused on the new overlays, then the memory of the snapshot loaded into it. See revert.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/migrate_file.h"
#include "driver/qemu/ports.h"
#include "driver/qemu/revert.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/settings.h"

static void
on_emulator_event(Emulator *emulator, const char *event, const Json *data, gpointer job)
{
    if (!event || g_str_equal(event, "MIGRATION"))
        job_wake(job);
}

static bool
note_process(Job *job, const Emulator *emulator, GError **err)
{
    g_autoptr(Record) note = record_new();
    g_autofree char *process = process_id_format(&emulator->process);

    record_add(note, "started", process);
    record_add(note, "lib-dir", emulator->lib_dir);
    record_add(note, "channel-dir", emulator->channel_dir);
    return job_note(job, note, err) && job_fault(job, "spawned", err);
}

static Domain *
make_machine(Guest *guest, const RevertPlan *plan, GError **err)
{
    g_autoptr(Domain) machine = domain_parse(plan->live_xml, MODEL_PARSE_INACTIVE, err);

    return machine ? guest_make_live(guest, machine, qemu_next_id(guest->qemu), err) : NULL;
}

/* Its RAM can be mapped from the cache of its memory's image, if there is one, and nobody outside
 * has to see its RAM or to rely on where it is. */
static MemoryCache *
find_cache(const Guest *guest, const RevertPlan *plan)
{
    const Domain *machine = plan->live;
    const MemoryBacking *backing = &machine->memory_backing;
    g_autoptr(EmulatorInfo) info = NULL;
    g_autoptr(MemoryCache) cache = NULL;
    g_autoptr(GPtrArray) names = NULL;

    if (!plan->memory_path || plan->needs_stream || !guest->qemu->config->maps_memory ||
        backing->hugepages || backing->locked ||
        backing->allocation_mode == MEMORY_ALLOCATION_IMMEDIATE || machine->n_filesystems > 0)
        return NULL;
    info = capabilities_emulator(guest->qemu, machine->emulator, NULL);
    cache = info ? memory_cache_open(plan->memory_path) : NULL;
    if (!cache)
        return NULL;
    names = command_memory_names(info, machine);
    for (guint i = 0; i < cache->blocks->len; i++) {
        const MemoryBlock *block = cache->blocks->pdata[i];

        if (!g_ptr_array_find_with_equal_func(names, block->name, g_str_equal, NULL))
            return NULL;
    }
    return names->len == cache->blocks->len ? g_steal_pointer(&cache) : NULL;
}

static int
open_stream(const RevertPlan *plan, GError **err)
{
    g_autoptr(SaveImage) image = NULL;
    int fd = -1;

    if (plan->cache) {
        fd = open(plan->cache->state_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            fail_errno(err, "open", plan->cache->state_path);
        return fd;
    }
    image = save_image_open(plan->memory_path, &fd, err);
    return fd;
}

static bool
begin_loading(Job *job, GError **err)
{
    RevertPlan *plan = job_plan(job);
    auto_fd int fd = open_stream(plan, err);

    if (fd < 0 || !job_fault(job, "load", err))
        return false;
    emulator_add_listener(plan->emulator, on_emulator_event, job);
    plan->is_listening = true;
    return migrate_file_load(plan->emulator, fd, err);
}

static void
stop_listening(Job *job)
{
    RevertPlan *plan = job_plan(job);

    if (plan->is_listening && plan->emulator)
        emulator_remove_listener(plan->emulator, on_emulator_event, job);
    plan->is_listening = false;
}

static bool
start(Job *job, EmulatorFlags flags, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);

    if (plan->memory_path)
        flags |= EMULATOR_INCOMING;
    plan->live = make_machine(guest, plan, err);
    if (!plan->live)
        return false;
    plan->cache = find_cache(guest, plan);
    plan->emulator = emulator_spawn(guest, plan->live, plan->cache, flags, err);
    return plan->emulator && note_process(job, plan->emulator, err) &&
           emulator_run(plan->emulator, err) && job_fault(job, "started", err) &&
           emulator_learn(plan->emulator, plan->live, err);
}

static StepResult
look_loaded(Job *job, GError **err)
{
    RevertPlan *plan = job_plan(job);
    g_autofree char *log_path = NULL;
    MigrateProgress progress;

    if (migrate_file_look_loaded(plan->emulator, &progress, err) &&
        progress.state == MIGRATE_ACTIVE)
        return STEP_WAIT;
    stop_listening(job);
    if (progress.state == MIGRATE_DONE && !(err && *err)) {
        plan->is_loaded = true;
        return STEP_DONE;
    }
    log_path = emulator_log_path(job_context(job));
    g_prefix_error(err, "loading the memory of %s (see %s): ", plan->name, log_path);
    return STEP_FAILED;
}

static StepResult
start_loading(Job *job, EmulatorFlags flags, GError **err)
{
    const RevertPlan *plan = job_plan(job);

    if (!start(job, flags, err))
        return STEP_FAILED;
    if (!plan->memory_path)
        return STEP_DONE;
    return begin_loading(job, err) ? STEP_WAIT : STEP_FAILED;
}

/* A cache is no more than a faster way: what goes wrong with it goes right with the image, or not at
 * all. */
static StepResult
start_from_stream(Job *job, EmulatorFlags flags, GError *take_why, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);
    g_autoptr(GError) why = take_why;

    log_warning(LOG_QEMU, "%s: the mapped memory of %s does not start (%s): it is loaded anew",
                guest->name, plan->name, why->message);
    if (!revert_kill_emulator(job, err))
        return STEP_FAILED;
    g_clear_pointer(&plan->cache, memory_cache_free);
    plan->needs_stream = true;
    memory_cache_drop(guest->qemu, plan->memory_path);
    return start_loading(job, flags, err);
}

/* The memory is inside an image, and QEMU takes it from there. */
static StepResult
load_inside(Job *job, EmulatorFlags flags, GError **err)
{
    RevertPlan *plan = job_plan(job);

    if (!plan->emulator)
        return start(job, flags, err) && revert_begin_inside(job, err) ? STEP_WAIT : STEP_FAILED;
    return plan->is_loaded ? STEP_DONE : revert_look_inside(job, err);
}

StepResult
revert_start_emulator(Job *job, EmulatorFlags flags, GError **err)
{
    RevertPlan *plan = job_plan(job);
    GError *why = NULL;
    StepResult result;

    if (plan->memory_tag)
        return load_inside(job, flags, err);
    if (plan->emulator && (!plan->memory_path || plan->is_loaded))
        return STEP_DONE;
    result = plan->emulator ? look_loaded(job, &why) : start_loading(job, flags, &why);
    if (result == STEP_FAILED && plan->cache && why)
        return start_from_stream(job, flags, why, err);
    if (why)
        g_propagate_error(err, why);
    return result;
}

void
revert_settle_memory(Job *job)
{
    const Guest *guest = job_context(job);
    const RevertPlan *plan = job_plan(job);

    if (plan->cache)
        memory_cache_warm_later(guest->qemu, plan->cache);
    else if (plan->memory_path && !plan->is_restore && file_exists(plan->memory_path))
        memory_cache_build_later(guest->qemu, plan->memory_path);
}

/* ---- ending one that will not be needed ---- */

bool
revert_is_installed(Job *job)
{
    Guest *guest = job_context(job);
    const Record *note = job_find_note(job, "started");
    ProcessId process;

    return guest->emulator && note && process_id_parse(record_get(note, "started"), &process) &&
           process_id_equal(&guest->emulator->process, &process);
}

static void
remove_folder(const char *path)
{
    g_auto(GStrv) names = path ? dir_list(path, NULL) : NULL;

    for (int i = 0; names && names[i]; i++) {
        g_autofree char *full = g_build_filename(path, names[i], NULL);
        unlink(full);
    }
    if (path)
        rmdir(path);
}

/* One that a daemon before us started: known by pid, start time and boot only. */
static bool
kill_noted(Job *job, GError **err)
{
    const Record *note = job_find_note(job, "started");
    ProcessId process;
    auto_fd int pidfd = -1;

    if (!note || revert_is_installed(job) ||
        !process_id_parse(record_get(note, "started"), &process))
        return true;
    pidfd = process_open(&process, NULL);
    if (pidfd >= 0) {
        log_info(LOG_QEMU, "ending emulator %d, which a revert had started", (int)process.pid);
        if (!process_signal(pidfd, SIGKILL, err))
            return false;
        if (!process_wait(pidfd, 10000))
            return fail(err, VIR_ERR_OPERATION_TIMEOUT, "emulator %d does not end",
                        (int)process.pid);
    }
    remove_folder(record_get(note, "lib-dir"));
    remove_folder(record_get(note, "channel-dir"));
    return true;
}

bool
revert_kill_emulator(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    RevertPlan *plan = job_plan(job);
    g_autoptr(Emulator) emulator = g_steal_pointer(&plan->emulator);
    g_autoptr(Domain) live = g_steal_pointer(&plan->live);

    if (!emulator)
        return kill_noted(job, err);
    plan->emulator = emulator; /* borrowed, for a moment */
    revert_leave_inside(job);
    plan->emulator = NULL;
    plan->has_ended = false;
    if (plan->is_listening)
        emulator_remove_listener(emulator, on_emulator_event, job);
    plan->is_listening = false;
    plan->is_loaded = false;
    if (emulator->pidfd >= 0)
        emulator_kill(emulator);
    emulator_clear_up(emulator);
    /* Beside a running guest it had that one's ports. */
    if (live && !guest_live(guest))
        machine_release_ports(guest->qemu, live);
    return true;
}
