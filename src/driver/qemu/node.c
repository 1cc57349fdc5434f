/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about the host and the driver: sizes, versions, capabilities. Documents: host_caps.c, domain_caps.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/caps.h"
#include "host/node.h"

static bool
qemu_connect_get_type(Call *call, RemoteConnectGetTypeRet *ret, GError **err)
{
    ret->type = g_strdup("QEMU");
    return true;
}

static bool
qemu_connect_get_version(Call *call, RemoteConnectGetVersionRet *ret, GError **err)
{
    QemuDriver *qemu = qemu_of_call(call);
    const char *path = capabilities_find(qemu, capabilities_host_arch());
    g_autoptr(EmulatorInfo) info = capabilities_emulator(qemu, path, err);

    if (!info)
        return false;
    ret->hv_ver = info->version;
    return true;
}

static bool
qemu_connect_get_max_vcpus(Call *call, const RemoteConnectGetMaxVcpusArgs *args,
                           RemoteConnectGetMaxVcpusRet *ret, GError **err)
{
    const char *type = args->type;

    /* What the kernel's interface takes at most; software emulation has a limit of its own. */
    if (!type || !g_ascii_strcasecmp(type, "qemu"))
        ret->max_vcpus = 16;
    else if (!g_ascii_strcasecmp(type, "kvm"))
        ret->max_vcpus = 1024;
    else
        return fail(err, VIR_ERR_INVALID_ARG, "unknown type '%s'", type);
    return true;
}

static bool
qemu_connect_get_hostname(Call *call, RemoteConnectGetHostnameRet *ret, GError **err)
{
    char name[256] = "";

    if (gethostname(name, sizeof(name) - 1) < 0)
        return fail_errno(err, "read", "host name");
    ret->hostname = g_strdup(name);
    return true;
}

static bool
qemu_connect_get_sysinfo(Call *call, const RemoteConnectGetSysinfoArgs *args,
                         RemoteConnectGetSysinfoRet *ret, GError **err)
{
    return qemu_check_flags(call, args->flags, 0, err) &&
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Host SMBIOS information is not available");
}

static bool
qemu_node_get_info(Call *call, RemoteNodeGetInfoRet *ret, GError **err)
{
    g_autoptr(HostTopology) topology = host_topology_read();
    HostMemory memory;
    gsize n_online = 0;

    if (!host_memory_read(&memory, err))
        return false;
    for (gsize i = 0; i < topology->n_cpus; i++)
        n_online += topology->cpus[i].is_online;
    g_strlcpy(ret->model, capabilities_host_arch(), sizeof(ret->model));
    ret->memory = memory.total_kib;
    ret->cpus = (gint32)n_online;
    ret->mhz = (gint32)topology->mhz;
    ret->nodes = (gint32)topology->n_cells;
    /* Sockets are counted per cell; a shape that does not multiply up is told as flat. */
    ret->sockets = (gint32)(topology->sockets / MAX(topology->n_cells, 1));
    ret->cores = (gint32)(topology->cores * topology->dies);
    ret->threads = (gint32)topology->threads;
    if (ret->sockets == 0 ||
        (gsize)ret->nodes * (gsize)ret->sockets * (gsize)ret->cores * (gsize)ret->threads !=
            n_online) {
        ret->nodes = ret->sockets = ret->threads = 1;
        ret->cores = (gint32)n_online;
    }
    return true;
}

static bool
qemu_node_get_free_memory(Call *call, RemoteNodeGetFreeMemoryRet *ret, GError **err)
{
    HostMemory memory;

    if (!host_memory_read(&memory, err))
        return false;
    ret->freeMem = memory.free_kib * 1024;
    return true;
}

static bool
qemu_node_get_cells_free_memory(Call *call, const RemoteNodeGetCellsFreeMemoryArgs *args,
                                RemoteNodeGetCellsFreeMemoryRet *ret, GError **err)
{
    g_autoptr(HostTopology) topology = host_topology_read();

    if (args->startCell < 0 || (gsize)args->startCell >= topology->n_cells || args->maxcells < 1)
        return fail(err, VIR_ERR_INVALID_ARG, "start cell %d out of range (0-%zu)", args->startCell,
                    topology->n_cells - 1);
    ret->cells.items = g_new0(guint64, topology->n_cells);
    for (gsize i = (gsize)args->startCell;
         i < topology->n_cells && (gint64)ret->cells.count < args->maxcells; i++)
        ret->cells.items[ret->cells.count++] = topology->cells[i].free_kib * 1024;
    return true;
}

static void
put_cpu(RemoteNodeGetCpuStatsRet *ret, const char *field, guint64 value)
{
    ret->params.items[ret->params.count].field = g_strdup(field);
    ret->params.items[ret->params.count++].value = value;
}

static bool
qemu_node_get_cpu_stats(Call *call, const RemoteNodeGetCpuStatsArgs *args,
                        RemoteNodeGetCpuStatsRet *ret, GError **err)
{
    enum { N_FIELDS = 4 };
    HostCpuTimes times;

    if (!qemu_check_flags(call, args->flags, 0, err) ||
        !host_cpu_times_read(args->cpuNum, &times, err))
        return false;
    ret->nparams = N_FIELDS;
    if (args->nparams == 0)
        return true;
    if (args->nparams < N_FIELDS)
        return fail(err, VIR_ERR_INVALID_ARG, "nparams in virNodeGetCPUStats must be equal to %d",
                    N_FIELDS);
    ret->params.items = g_new0(RemoteNodeGetCpuStats, N_FIELDS);
    put_cpu(ret, VIR_NODE_CPU_STATS_KERNEL, times.kernel_ns);
    put_cpu(ret, VIR_NODE_CPU_STATS_USER, times.user_ns);
    put_cpu(ret, VIR_NODE_CPU_STATS_IDLE, times.idle_ns);
    put_cpu(ret, VIR_NODE_CPU_STATS_IOWAIT, times.iowait_ns);
    return true;
}

static void
put_memory(RemoteNodeGetMemoryStatsRet *ret, const char *field, guint64 value)
{
    ret->params.items[ret->params.count].field = g_strdup(field);
    ret->params.items[ret->params.count++].value = value;
}

static bool
qemu_node_get_memory_stats(Call *call, const RemoteNodeGetMemoryStatsArgs *args,
                           RemoteNodeGetMemoryStatsRet *ret, GError **err)
{
    bool is_whole = args->cellNum == VIR_NODE_MEMORY_STATS_ALL_CELLS;
    HostMemory memory;

    if (!qemu_check_flags(call, args->flags, 0, err) ||
        !(is_whole ? host_memory_read(&memory, err)
                   : host_cell_memory_read(args->cellNum, &memory, err)))
        return false;
    ret->nparams = is_whole ? 4 : 2;
    if (args->nparams == 0)
        return true;
    if (args->nparams < ret->nparams)
        return fail(err, VIR_ERR_INVALID_ARG, "nparams in virNodeGetMemoryStats must be %d",
                    ret->nparams);
    ret->params.items = g_new0(RemoteNodeGetMemoryStats, 4);
    put_memory(ret, VIR_NODE_MEMORY_STATS_TOTAL, memory.total_kib);
    put_memory(ret, VIR_NODE_MEMORY_STATS_FREE, memory.free_kib);
    if (is_whole) {
        put_memory(ret, VIR_NODE_MEMORY_STATS_BUFFERS, memory.buffers_kib);
        put_memory(ret, VIR_NODE_MEMORY_STATS_CACHED, memory.cached_kib);
    }
    return true;
}

static bool
qemu_node_get_cpu_map(Call *call, const RemoteNodeGetCpuMapArgs *args, RemoteNodeGetCpuMapRet *ret,
                      GError **err)
{
    g_autoptr(HostTopology) topology = host_topology_read();
    guint last = topology->n_cpus ? topology->cpus[topology->n_cpus - 1].id : 0;

    if (!qemu_check_flags(call, args->flags, 0, err))
        return false;
    ret->ret = (gint32)last + 1;
    if (args->need_map) {
        ret->cpumap.count = last / 8 + 1;
        ret->cpumap.items = g_new0(guchar, ret->cpumap.count);
    }
    for (gsize i = 0; i < topology->n_cpus; i++) {
        const HostCpu *cpu = &topology->cpus[i];

        if (!cpu->is_online)
            continue;
        ret->online += args->need_online != 0;
        if (args->need_map)
            ret->cpumap.items[cpu->id / 8] |= (guchar)(1u << cpu->id % 8);
    }
    return true;
}

static bool
qemu_node_get_free_pages(Call *call, const RemoteNodeGetFreePagesArgs *args,
                         RemoteNodeGetFreePagesRet *ret, GError **err)
{
    enum { MAX_COUNTS = 1 << 16 };
    gsize wanted = (gsize)args->pages.count * args->cellCount;

    if (!qemu_check_flags(call, args->flags, 0, err))
        return false;
    if (wanted > MAX_COUNTS)
        return fail(err, VIR_ERR_INVALID_ARG, "%zu page counts are too many", wanted);
    ret->counts.items = g_new0(guint64, wanted);
    for (guint32 cell = 0; cell < args->cellCount; cell++)
        for (guint32 i = 0; i < args->pages.count; i++) {
            guint64 total;
            int id = args->startCell < 0 ? -1 : args->startCell + (int)cell;

            if (!host_pages_read(id, args->pages.items[i], &total,
                                 &ret->counts.items[ret->counts.count]))
                return fail(err, VIR_ERR_OPERATION_FAILED,
                            "page size %u or cell %d is not available on this host",
                            args->pages.items[i], id);
            ret->counts.count++;
        }
    return true;
}

static bool
qemu_node_get_security_model(Call *call, RemoteNodeGetSecurityModelRet *ret, GError **err)
{
    ret->model.items = g_strdup("none");
    ret->model.count = sizeof("none");
    ret->doi.items = g_strdup("0");
    ret->doi.count = sizeof("0");
    return true;
}

static bool
qemu_connect_get_capabilities(Call *call, RemoteConnectGetCapabilitiesRet *ret, GError **err)
{
    ret->capabilities = host_caps_format(qemu_of_call(call), err);
    return ret->capabilities != NULL;
}

static bool
qemu_connect_get_domain_capabilities(Call *call, const RemoteConnectGetDomainCapabilitiesArgs *args,
                                     RemoteConnectGetDomainCapabilitiesRet *ret, GError **err)
{
    if (!qemu_check_flags(call, args->flags, 0, err))
        return false;
    ret->capabilities = domain_caps_format(qemu_of_call(call), args->emulatorbin, args->arch,
                                           args->machine, args->virttype, err);
    return ret->capabilities != NULL;
}

static bool
qemu_connect_get_cpu_model_names(Call *call, const RemoteConnectGetCpuModelNamesArgs *args,
                                 RemoteConnectGetCpuModelNamesRet *ret, GError **err)
{
    QemuDriver *qemu = qemu_of_call(call);
    g_autoptr(EmulatorInfo) info = NULL;

    if (!qemu_check_flags(call, args->flags, 0, err))
        return false;
    if (!capabilities_find(qemu, args->arch))
        return fail(err, VIR_ERR_NO_SUPPORT, "no emulator of architecture '%s' is installed",
                    args->arch);
    info = capabilities_emulator(qemu, capabilities_find(qemu, args->arch), err);
    if (!info)
        return false;
    ret->models.items = g_new0(char *, info->cpus->len);
    for (guint i = 0; i < info->cpus->len; i++) {
        const CpuModelType *cpu = g_ptr_array_index(info->cpus, i);

        if (!cpu_model_has_own_name(cpu))
            continue;
        ret->ret++;
        if (args->need_results)
            ret->models.items[ret->models.count++] = g_strdup(cpu->name);
    }
    return true;
}

void
qemu_node_slots(DriverSlots *slots)
{
    slots->connect_get_type = qemu_connect_get_type;
    slots->connect_get_version = qemu_connect_get_version;
    slots->connect_get_max_vcpus = qemu_connect_get_max_vcpus;
    slots->connect_get_hostname = qemu_connect_get_hostname;
    slots->connect_get_sysinfo = qemu_connect_get_sysinfo;
    slots->connect_get_capabilities = qemu_connect_get_capabilities;
    slots->connect_get_domain_capabilities = qemu_connect_get_domain_capabilities;
    slots->connect_get_cpu_model_names = qemu_connect_get_cpu_model_names;
    slots->node_get_info = qemu_node_get_info;
    slots->node_get_free_memory = qemu_node_get_free_memory;
    slots->node_get_cells_free_memory = qemu_node_get_cells_free_memory;
    slots->node_get_cpu_stats = qemu_node_get_cpu_stats;
    slots->node_get_memory_stats = qemu_node_get_memory_stats;
    slots->node_get_cpu_map = qemu_node_get_cpu_map;
    slots->node_get_free_pages = qemu_node_get_free_pages;
    slots->node_get_security_model = qemu_node_get_security_model;
}
