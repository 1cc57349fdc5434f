/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host: processors, NUMA cells, memory, as /proc and /sys have them. Every function looks anew. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    guint id;
    guint socket, die, core;
    char *siblings; /* list of CPUs that share its core: "0,4" */
    bool is_online;
} HostCpu;

typedef struct {
    guint id;
    guint64 memory_kib, free_kib;
    guint *cpus;
    gsize n_cpus;
    guint *distances; /* to each cell, in order */
    gsize n_distances;
} HostCell;

typedef struct {
    HostCpu *cpus;
    gsize n_cpus;
    HostCell *cells;
    gsize n_cells;
    guint sockets, dies, cores, threads; /* per socket, die, core; sockets in all */
    guint mhz;
} HostTopology;

HostTopology *host_topology_read(void);
void host_topology_free(HostTopology *topology);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostTopology, host_topology_free)

typedef struct {
    guint64 total_kib, free_kib, buffers_kib, cached_kib;
} HostMemory;

bool host_memory_read(HostMemory *memory, GError **err);
/* One NUMA cell; no buffers and cached. */
bool host_cell_memory_read(int cell, HostMemory *memory, GError **err);

typedef struct {
    guint64 kernel_ns, user_ns, idle_ns, iowait_ns;
} HostCpuTimes;

/* Of one CPU, or of all together (-1). */
bool host_cpu_times_read(int cpu, HostCpuTimes *times, GError **err);

/* What /proc/cpuinfo says of the first CPU. */
typedef struct {
    char *vendor; /* "AMD", "Intel" */
    guint family, model, stepping;
    guint64 microcode;
    guint address_bits;
    guint64 tsc_hz; /* 0: unknown */
} HostCpuModel;

void host_cpu_model_read(HostCpuModel *model);
void host_cpu_model_clear(HostCpuModel *model);
/* Sizes of pages in KiB, the ordinary one first. Free with g_array_unref; of guint64. */
GArray *host_page_sizes(void);
/* Pages of a size in a cell (-1: the host): how many there are and how many are free. */
bool host_pages_read(int cell, guint64 size_kib, guint64 *total, guint64 *free_pages);
