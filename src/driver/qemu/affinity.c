/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On which CPUs of the host an emulator's threads may run: <vcpu cpuset=>, <vcpupin>, <emulatorpin>, <iothreadpin>.
 * By sched_setaffinity; no cgroup is needed. The guest is still paused. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <sched.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "driver/qemu/emulator.h"

static bool
bind_thread(pid_t thread, const Bitmap *cpus, const char *whose, GError **err)
{
    g_autofree char *text = bitmap_format(cpus);
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int cpu = bitmap_next(cpus, -1); cpu >= 0 && cpu < CPU_SETSIZE;
         cpu = bitmap_next(cpus, cpu))
        CPU_SET(cpu, &set);
    if (sched_setaffinity(thread, sizeof(set), &set) == 0)
        return true;
    return fail_errno(err, whose, text);
}

/* Every thread that there is now; later ones inherit it. */
static bool
bind_all(pid_t pid, const Bitmap *cpus, GError **err)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/task", (int)pid);
    g_auto(GStrv) names = dir_list(folder, err);

    if (!names)
        return false;
    for (char **name = names; *name; name++) {
        int thread;

        if (text_to_int(*name, 10, &thread) &&
            !bind_thread(thread, cpus, "bind the emulator to CPUs", err))
            return false;
    }
    return true;
}

static pid_t
find_iothread(const Json *iothreads, guint number)
{
    g_autofree char *id = g_strdup_printf("iothread%u", number);
    gsize i;
    Json *item;

    json_array_foreach(
        iothreads, i,
        item) if (!g_strcmp0(json_string_value(json_object_get(item, "id")), id)) return (pid_t)
        json_integer_value(json_object_get(item, "thread-id"));
    return 0;
}

/* The processors' own sets, where the emulator got another. */
static bool
bind_vcpus(Emulator *emulator, const Domain *live, GError **err)
{
    for (guint i = 0; i < emulator->vcpu_threads->len; i++) {
        const Bitmap *cpus = live->vcpu.cpuset;

        for (gsize j = 0; j < live->cputune.n_vcpupins; j++)
            if (live->cputune.vcpupins[j]->vcpu == i)
                cpus = live->cputune.vcpupins[j]->cpuset;
        if (cpus && !bind_thread(g_array_index(emulator->vcpu_threads, pid_t, i), cpus,
                                 "bind a vCPU to CPUs", err))
            return false;
    }
    return true;
}

bool
emulator_place(Emulator *emulator, const Domain *live, const Json *iothreads, GError **err)
{
    const CpuTune *tune = &live->cputune;
    const Bitmap *all = tune->emulatorpin_cpuset ? tune->emulatorpin_cpuset : live->vcpu.cpuset;

    if (all && !bind_all(emulator->process.pid, all, err))
        return false;
    if (!bind_vcpus(emulator, live, err))
        return false;
    for (gsize i = 0; i < tune->n_iothreadpins; i++) {
        pid_t thread = find_iothread(iothreads, tune->iothreadpins[i]->iothread);

        if (thread &&
            !bind_thread(thread, tune->iothreadpins[i]->cpuset, "bind an I/O thread to CPUs", err))
            return false;
    }
    return true;
}
