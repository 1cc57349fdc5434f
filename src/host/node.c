/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See node.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "host/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "seam/proc.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

/* ---- processors and cells ---- */

void
host_topology_free(HostTopology *topology)
{
    if (!topology)
        return;
    for (gsize i = 0; i < topology->n_cpus; i++)
        g_free(topology->cpus[i].siblings);
    for (gsize i = 0; i < topology->n_cells; i++) {
        g_free(topology->cells[i].cpus);
        g_free(topology->cells[i].distances);
    }
    g_free(topology->cpus);
    g_free(topology->cells);
    g_free(topology);
}

static guint
read_cpu_number(guint cpu, const char *file)
{
    g_autofree char *path = g_strdup_printf(CPU_DIR "/cpu%u/topology/%s", cpu, file);
    g_autofree char *text = proc_read(path);
    int value = 0;

    return text && text_to_int(g_strchomp(text), 10, &value) && value >= 0 ? (guint)value : 0;
}

static int
compare_uints(const void *a, const void *b)
{
    guint one = *(const guint *)a, other = *(const guint *)b;

    return one < other ? -1 : one > other;
}

/* Numbers N of the names PREFIXN in a folder, in order. */
static guint *
list_numbers(const char *folder, const char *prefix, gsize *n)
{
    g_auto(GStrv) names = dir_list(folder, NULL);
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint));

    for (char **name = names; name && *name; name++) {
        guint number;

        if (g_str_has_prefix(*name, prefix) && text_to_uint(*name + strlen(prefix), 10, &number))
            g_array_append_val(numbers, number);
    }
    g_array_sort(numbers, compare_uints);
    *n = numbers->len;
    return (guint *)(gpointer)g_array_free(numbers, FALSE);
}

static void
read_cpus(HostTopology *topology)
{
    g_autofree guint *numbers = list_numbers(CPU_DIR, "cpu", &topology->n_cpus);

    topology->cpus = g_new0(HostCpu, topology->n_cpus);
    for (gsize i = 0; i < topology->n_cpus; i++) {
        HostCpu *cpu = &topology->cpus[i];
        g_autofree char *online = g_strdup_printf(CPU_DIR "/cpu%u/online", numbers[i]);
        g_autofree char *siblings =
            g_strdup_printf(CPU_DIR "/cpu%u/topology/thread_siblings_list", numbers[i]);
        unsigned long long is_online = 1; /* the boot CPU has no such file */

        (void)proc_read_ullong(online, &is_online);
        cpu->id = numbers[i];
        cpu->is_online = is_online != 0;
        cpu->socket = read_cpu_number(cpu->id, "physical_package_id");
        cpu->die = read_cpu_number(cpu->id, "die_id");
        cpu->core = read_cpu_number(cpu->id, "core_id");
        cpu->siblings = proc_read(siblings);
        if (cpu->siblings)
            g_strchomp(cpu->siblings);
    }
}

/* How many different values of @key the CPUs have, of those that share the keys above. */
static void
count_parts(HostTopology *topology)
{
    g_autoptr(GHashTable) sockets = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) dies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) cores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint n_online = 0;

    for (gsize i = 0; i < topology->n_cpus; i++) {
        const HostCpu *cpu = &topology->cpus[i];

        if (!cpu->is_online)
            continue;
        n_online++;
        g_hash_table_add(sockets, GUINT_TO_POINTER(cpu->socket));
        g_hash_table_add(dies, g_strdup_printf("%u.%u", cpu->socket, cpu->die));
        g_hash_table_add(cores, g_strdup_printf("%u.%u.%u", cpu->socket, cpu->die, cpu->core));
    }
    topology->sockets = MAX(g_hash_table_size(sockets), 1);
    topology->dies = MAX(g_hash_table_size(dies) / topology->sockets, 1);
    topology->cores = MAX(g_hash_table_size(cores) / topology->sockets / topology->dies, 1);
    topology->threads = MAX(n_online / (topology->sockets * topology->dies * topology->cores), 1);
}

static void
read_cell(HostTopology *topology, HostCell *cell, guint id)
{
    g_autofree char *folder = g_strdup_printf(NODE_DIR "/node%u", id);
    g_autofree char *path = g_build_filename(folder, "distance", NULL);
    g_autofree char *distances = proc_read(path);
    g_auto(GStrv) words = distances ? g_strsplit(g_strstrip(distances), " ", -1) : NULL;
    HostMemory memory = {0};

    cell->id = id;
    cell->cpus = list_numbers(folder, "cpu", &cell->n_cpus);
    if (host_cell_memory_read((int)id, &memory, NULL)) {
        cell->memory_kib = memory.total_kib;
        cell->free_kib = memory.free_kib;
    }
    cell->n_distances = words ? g_strv_length(words) : 0;
    cell->distances = g_new0(guint, cell->n_distances);
    for (gsize i = 0; i < cell->n_distances; i++)
        (void)text_to_uint(words[i], 10, &cell->distances[i]);
}

/* A kernel without NUMA has one cell. */
static void
make_one_cell(HostTopology *topology)
{
    HostMemory memory = {0};
    HostCell *cell = topology->cells = g_new0(HostCell, 1);

    topology->n_cells = 1;
    (void)host_memory_read(&memory, NULL);
    cell->memory_kib = memory.total_kib;
    cell->free_kib = memory.free_kib;
    cell->n_cpus = topology->n_cpus;
    cell->cpus = g_new0(guint, topology->n_cpus);
    for (gsize i = 0; i < topology->n_cpus; i++)
        cell->cpus[i] = topology->cpus[i].id;
    cell->n_distances = 1;
    cell->distances = g_new0(guint, 1);
    cell->distances[0] = 10;
}

static guint
read_mhz(void)
{
    g_autofree char *text = proc_read("/proc/cpuinfo");
    g_autofree char *mhz = text ? proc_find_field(text, "cpu MHz") : NULL;

    return mhz ? (guint)g_ascii_strtod(mhz, NULL) : 0;
}

HostTopology *
host_topology_read(void)
{
    HostTopology *topology = g_new0(HostTopology, 1);
    g_autofree guint *cells = list_numbers(NODE_DIR, "node", &topology->n_cells);

    read_cpus(topology);
    count_parts(topology);
    topology->mhz = read_mhz();
    if (topology->n_cells == 0) {
        make_one_cell(topology);
        return topology;
    }
    topology->cells = g_new0(HostCell, topology->n_cells);
    for (gsize i = 0; i < topology->n_cells; i++)
        read_cell(topology, &topology->cells[i], cells[i]);
    return topology;
}

/* ---- memory ---- */

static guint64
kib_of(const char *text, const char *name)
{
    g_autofree char *value = proc_find_field(text, name);

    return value ? g_ascii_strtoull(value, NULL, 10) : 0;
}

bool
host_memory_read(HostMemory *memory, GError **err)
{
    g_autofree char *text = proc_read("/proc/meminfo");

    if (!text)
        return fail_errno(err, "read", "/proc/meminfo");
    *memory = (HostMemory){.total_kib = kib_of(text, "MemTotal"),
                           .free_kib = kib_of(text, "MemFree"),
                           .buffers_kib = kib_of(text, "Buffers"),
                           .cached_kib = kib_of(text, "Cached")};
    return true;
}

/* "Node 0 MemTotal:  123 kB" */
static guint64
cell_kib_of(const char *text, int cell, const char *name)
{
    g_autofree char *start = g_strdup_printf("Node %d %s", cell, name);

    return kib_of(text, start);
}

bool
host_cell_memory_read(int cell, HostMemory *memory, GError **err)
{
    g_autofree char *path = g_strdup_printf(NODE_DIR "/node%d/meminfo", cell);
    g_autofree char *text = proc_read(path);

    if (!text)
        return fail(err, VIR_ERR_INVALID_ARG, "NUMA cell %d does not exist", cell);
    *memory = (HostMemory){.total_kib = cell_kib_of(text, cell, "MemTotal"),
                           .free_kib = cell_kib_of(text, cell, "MemFree")};
    return true;
}

GArray *
host_page_sizes(void)
{
    GArray *sizes = g_array_new(FALSE, FALSE, sizeof(guint64));
    g_auto(GStrv) names = dir_list("/sys/kernel/mm/hugepages", NULL);
    g_autoptr(GArray) huge = g_array_new(FALSE, FALSE, sizeof(guint));
    guint64 ordinary = (guint64)sysconf(_SC_PAGESIZE) / 1024;

    g_array_append_val(sizes, ordinary);
    for (char **name = names; name && *name; name++) {
        guint size;

        if (sscanf(*name, "hugepages-%ukB", &size) == 1)
            g_array_append_val(huge, size);
    }
    g_array_sort(huge, compare_uints);
    for (guint i = 0; i < huge->len; i++) {
        guint64 size = g_array_index(huge, guint, i);

        g_array_append_val(sizes, size);
    }
    return sizes;
}

static bool
read_huge_pages(int cell, guint64 size_kib, const char *file, guint64 *value)
{
    g_autofree char *path =
        cell < 0
            ? g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%" G_GUINT64_FORMAT "kB/%s",
                              size_kib, file)
            : g_strdup_printf(NODE_DIR "/node%d/hugepages/hugepages-%" G_GUINT64_FORMAT "kB/%s",
                              cell, size_kib, file);
    unsigned long long number;

    if (!proc_read_ullong(path, &number))
        return false;
    *value = number;
    return true;
}

bool
host_pages_read(int cell, guint64 size_kib, guint64 *total, guint64 *free_pages)
{
    HostMemory memory;

    if (size_kib != (guint64)sysconf(_SC_PAGESIZE) / 1024)
        return read_huge_pages(cell, size_kib, "nr_hugepages", total) &&
               read_huge_pages(cell, size_kib, "free_hugepages", free_pages);
    if (cell < 0 ? !host_memory_read(&memory, NULL) : !host_cell_memory_read(cell, &memory, NULL))
        return false;
    *total = memory.total_kib / size_kib;
    *free_pages = memory.free_kib / size_kib;
    return true;
}

/* ---- time and model ---- */

bool
host_cpu_times_read(int cpu, HostCpuTimes *times, GError **err)
{
    g_autofree char *text = proc_read("/proc/stat");
    g_autofree char *name = cpu < 0 ? g_strdup("cpu") : g_strdup_printf("cpu%d", cpu);
    g_autofree char *line = text ? proc_find_field(text, name) : NULL;
    guint64 tick_ns = 1000000000ULL / (guint64)sysconf(_SC_CLK_TCK);
    unsigned long long user, nice, system, idle, iowait, irq, softirq;

    if (!line || sscanf(line, "%llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
                        &iowait, &irq, &softirq) != 7)
        return fail(err, VIR_ERR_INVALID_ARG, "Invalid cpuNum in virNodeGetCPUStats: %d", cpu);
    *times = (HostCpuTimes){.kernel_ns = (system + irq + softirq) * tick_ns,
                            .user_ns = (user + nice) * tick_ns,
                            .idle_ns = idle * tick_ns,
                            .iowait_ns = iowait * tick_ns};
    return true;
}

static guint
field_uint(const char *text, const char *name)
{
    g_autofree char *value = proc_find_field(text, name);

    return value ? (guint)strtoul(value, NULL, 0) : 0;
}

void
host_cpu_model_clear(HostCpuModel *model)
{
    g_clear_pointer(&model->vendor, g_free);
}

void
host_cpu_model_read(HostCpuModel *model)
{
    g_autofree char *text = proc_read("/proc/cpuinfo");
    g_autofree char *vendor = text ? proc_find_field(text, "vendor_id") : NULL;
    g_autofree char *sizes = text ? proc_find_field(text, "address sizes") : NULL;

    *model = (HostCpuModel){0};
    if (!text)
        return;
    if (vendor)
        model->vendor = g_strdup(!strcmp(vendor, "AuthenticAMD")   ? "AMD"
                                 : !strcmp(vendor, "GenuineIntel") ? "Intel"
                                 : !strcmp(vendor, "HygonGenuine") ? "Hygon"
                                                                   : vendor);
    model->family = field_uint(text, "cpu family");
    model->model = field_uint(text, "model");
    model->stepping = field_uint(text, "stepping");
    model->microcode = field_uint(text, "microcode");
    if (sizes)
        model->address_bits = (guint)strtoul(sizes, NULL, 10);
}
