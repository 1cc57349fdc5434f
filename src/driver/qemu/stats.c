/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stats.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/stats.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/snapshot.h"
#include "image/header.h"
#include "seam/proc.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestView, view_unref)

static guint64
number_of(const Json *object, const char *key)
{
    return (guint64)json_integer_value(json_object_get(object, key));
}

/* ---- disks ---- */

static bool
is_device_of(const char *name, const Disk *disk)
{
    const char *qom = disk->private_data ? disk->private_data->qom_name : NULL;

    return name && *name &&
           ((qom && !strcmp(name, qom)) ||
            (disk->info.alias_name && g_str_has_suffix(name, disk->info.alias_name)));
}

bool
block_numbers_find(const Json *answer, const Disk *disk, BlockNumbers *numbers)
{
    gsize i;
    Json *item;

    json_array_foreach(answer, i, item)
    {
        const Json *stats = json_object_get(item, "stats");

        if (!is_device_of(json_string_value(json_object_get(item, "qdev")), disk))
            continue;
        *numbers = (BlockNumbers){
            .rd_reqs = number_of(stats, "rd_operations"),
            .rd_bytes = number_of(stats, "rd_bytes"),
            .rd_ns = number_of(stats, "rd_total_time_ns"),
            .wr_reqs = number_of(stats, "wr_operations"),
            .wr_bytes = number_of(stats, "wr_bytes"),
            .wr_ns = number_of(stats, "wr_total_time_ns"),
            .fl_reqs = number_of(stats, "flush_operations"),
            .fl_ns = number_of(stats, "flush_total_time_ns"),
            .wr_highest = number_of(json_object_get(json_object_get(item, "parent"), "stats"),
                                    "wr_highest_offset"),
        };
        return true;
    }
    return false;
}

static guint64
capacity_of_device(const Json *blocks, const Disk *disk)
{
    gsize i;
    Json *item;

    json_array_foreach(
        blocks, i,
        item) if (is_device_of(json_string_value(json_object_get(item, "qdev")),
                               disk)) return number_of(json_object_get(json_object_get(item,
                                                                                       "inserted"),
                                                                       "image"),
                                                       "virtual-size");
    return 0;
}

bool
block_sizes_read(const Disk *disk, const Json *blocks, BlockSizes *sizes, GError **err)
{
    const char *path = disk_source_path(disk->type, &disk->source);
    g_autoptr(ImageHeader) header = NULL;
    struct stat st;

    *sizes = (BlockSizes){0};
    if (!path || !disk_source_is_local(disk->type, &disk->source))
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "disk %s has no local file to look at",
                    disk->target.dev);
    if (stat(path, &st) < 0)
        return fail_errno(err, "look at", path);
    sizes->physical = (guint64)st.st_size;
    sizes->allocation = (guint64)st.st_blocks * 512;
    if (S_ISBLK(st.st_mode)) {
        unsigned long long size = 0;
        g_autofree char *base = g_path_get_basename(path);
        g_autofree char *file = g_strdup_printf("/sys/class/block/%s/size", base);

        if (proc_read_ullong(file, &size))
            sizes->physical = sizes->allocation = size * 512;
    }
    sizes->capacity = blocks ? capacity_of_device(blocks, disk) : 0;
    if (sizes->capacity)
        return true;
    if (disk_image_format(disk) == IMAGE_FORMAT_RAW) {
        sizes->capacity = sizes->physical;
        return true;
    }
    header = image_header_read_file(path, disk_image_format(disk), err);
    if (header)
        sizes->capacity = header->size_bytes;
    return header != NULL;
}

/* The disk that a call names, and its numbers from the monitor. */
static bool
read_disk(Guest *guest, const char *name, BlockNumbers *numbers, GError **err)
{
    const Disk *disk = domain_find_disk(guest_live(guest), name);
    g_autoptr(Json) answer = NULL;

    if (!disk)
        return fail(err, VIR_ERR_INVALID_ARG, "invalid path: %s", name);
    answer = qmp_call(guest->emulator->qmp, "query-blockstats", NULL, err);
    if (!answer)
        return false;
    if (!block_numbers_find(answer, disk, numbers))
        return fail(err, VIR_ERR_INTERNAL_ERROR, "cannot find statistics for device '%s'",
                    disk->target.dev);
    return true;
}

/* The numbers of all disks together, for an empty path. */
static bool
read_all_disks(Guest *guest, BlockNumbers *sum, GError **err)
{
    const Domain *live = guest_live(guest);
    g_autoptr(Json) answer = qmp_call(guest->emulator->qmp, "query-blockstats", NULL, err);

    *sum = (BlockNumbers){0};
    for (gsize i = 0; answer && i < live->n_disks; i++) {
        BlockNumbers one = {0};

        if (!block_numbers_find(answer, live->disks[i], &one))
            continue;
        sum->rd_reqs += one.rd_reqs;
        sum->rd_bytes += one.rd_bytes;
        sum->rd_ns += one.rd_ns;
        sum->wr_reqs += one.wr_reqs;
        sum->wr_bytes += one.wr_bytes;
        sum->wr_ns += one.wr_ns;
        sum->fl_reqs += one.fl_reqs;
        sum->fl_ns += one.fl_ns;
    }
    return answer != NULL;
}

static bool
read_by_path(Guest *guest, const char *path, BlockNumbers *numbers, GError **err)
{
    return path && *path ? read_disk(guest, path, numbers, err)
                         : read_all_disks(guest, numbers, err);
}

static bool
qemu_domain_block_stats(Call *call, const RemoteDomainBlockStatsArgs *args,
                        RemoteDomainBlockStatsRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    BlockNumbers numbers;

    if (!guest || !guest_require_running(guest, err) ||
        !read_by_path(guest, args->path, &numbers, err))
        return false;
    ret->rd_req = (gint64)numbers.rd_reqs;
    ret->rd_bytes = (gint64)numbers.rd_bytes;
    ret->wr_req = (gint64)numbers.wr_reqs;
    ret->wr_bytes = (gint64)numbers.wr_bytes;
    ret->errs = -1;
    return true;
}

static bool
qemu_domain_block_stats_flags(Call *call, const RemoteDomainBlockStatsFlagsArgs *args,
                              RemoteDomainBlockStatsFlagsRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_auto(ParamList) list = PARAM_LIST_INIT;
    BlockNumbers numbers;

    if (!guest || !qemu_check_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY, err) ||
        !guest_require_running(guest, err) || !read_by_path(guest, args->path, &numbers, err))
        return false;
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, (gint64)numbers.wr_bytes);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_WRITE_REQ, (gint64)numbers.wr_reqs);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_READ_BYTES, (gint64)numbers.rd_bytes);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_READ_REQ, (gint64)numbers.rd_reqs);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, (gint64)numbers.fl_reqs);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES, (gint64)numbers.wr_ns);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES, (gint64)numbers.rd_ns);
    params_add_llong(&list, VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES, (gint64)numbers.fl_ns);
    ret->nparams = (gint32)list.count;
    if (args->nparams > 0)
        params_move(&list, ret->params);
    return true;
}

static bool
qemu_domain_get_block_info(Call *call, const RemoteDomainGetBlockInfoArgs *args,
                           RemoteDomainGetBlockInfoRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    const Disk *disk;
    g_autoptr(Json) blocks = NULL;
    BlockSizes sizes;

    if (!guest || !qemu_check_flags(call, args->flags, 0, err))
        return false;
    disk = domain_find_disk(guest_domain(guest), args->path);
    if (!disk)
        return fail(err, VIR_ERR_INVALID_ARG, "invalid path %s not assigned to domain", args->path);
    if (disk_source_is_empty(disk->type, &disk->source))
        return fail(err, VIR_ERR_INVALID_ARG, "disk '%s' does not currently have a source assigned",
                    args->path);
    if (guest_is_running(guest)) {
        blocks = qmp_call(guest->emulator->qmp, "query-block", NULL, err);
        if (!blocks)
            return false;
    }
    if (!block_sizes_read(disk, blocks, &sizes, err))
        return false;
    ret->capacity = sizes.capacity;
    ret->allocation = sizes.allocation;
    ret->physical = sizes.physical;
    return true;
}

/* ---- memory ---- */

char *
balloon_path(const Domain *live)
{
    const Memballoon *balloon = live->memballoon;

    if (!balloon || balloon->model == MEMBALLOON_MODEL_NONE || !balloon->info.alias_name)
        return NULL;
    return g_strconcat("/machine/peripheral/", balloon->info.alias_name, NULL);
}

static void
add_number(GArray *numbers, int tag, guint64 value)
{
    MemoryNumber number = {tag, value};

    g_array_append_val(numbers, number);
}

GArray *
memory_numbers(const Json *guest_stats, const Json *balloon, pid_t pid)
{
    static const struct {
        const char *key;
        int tag;
        guint divisor;
    } known[] = {
        {"stat-swap-in", VIR_DOMAIN_MEMORY_STAT_SWAP_IN, 1024},
        {"stat-swap-out", VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, 1024},
        {"stat-major-faults", VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, 1},
        {"stat-minor-faults", VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, 1},
        {"stat-free-memory", VIR_DOMAIN_MEMORY_STAT_UNUSED, 1024},
        {"stat-total-memory", VIR_DOMAIN_MEMORY_STAT_AVAILABLE, 1024},
        {"stat-available-memory", VIR_DOMAIN_MEMORY_STAT_USABLE, 1024},
        {"stat-disk-caches", VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, 1024},
        {"stat-htlb-pgalloc", VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC, 1},
        {"stat-htlb-pgfail", VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL, 1},
    };
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(MemoryNumber));
    const Json *stats = json_object_get(guest_stats, "stats");
    guint64 rss_kib;

    if (json_object_get(balloon, "actual"))
        add_number(numbers, VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON,
                   number_of(balloon, "actual") / 1024);
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        const Json *value = json_object_get(stats, known[i].key);

        /* Unknown values are all ones, which JSON shows as -1 or as 2^64 - 1. */
        if (json_is_integer(value) && json_integer_value(value) >= 0)
            add_number(numbers, known[i].tag,
                       (guint64)json_integer_value(value) / known[i].divisor);
    }
    if (number_of(guest_stats, "last-update"))
        add_number(numbers, VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE,
                   number_of(guest_stats, "last-update"));
    if (process_read_usage(pid, 0, NULL, NULL, &rss_kib, NULL))
        add_number(numbers, VIR_DOMAIN_MEMORY_STAT_RSS, rss_kib);
    return numbers;
}

static bool
qemu_domain_memory_stats(Call *call, const RemoteDomainMemoryStatsArgs *args,
                         RemoteDomainMemoryStatsRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autoptr(GArray) numbers = NULL;
    g_autofree char *path = NULL;

    if (!guest || !qemu_check_flags(call, args->flags, 0, err) ||
        !guest_require_running(guest, err))
        return false;
    path = balloon_path(guest_live(guest));
    if (path) {
        qmp_batch_add(batch, "query-balloon", NULL);
        qmp_batch_add(batch, "qom-get",
                      json_pack("{s:s s:s}", "path", path, "property", "guest-stats"));
        if (!qmp_batch_run(batch, guest->emulator->qmp, QMP_TIMEOUT_MS, err))
            return false;
    }
    numbers =
        memory_numbers(path ? qmp_batch_reply(batch, 1, NULL) : NULL,
                       path ? qmp_batch_reply(batch, 0, NULL) : NULL, guest->emulator->process.pid);
    ret->stats.items = g_new0(RemoteDomainMemoryStat, numbers->len);
    for (guint i = 0; i < numbers->len && i < args->maxStats; i++) {
        ret->stats.items[i].tag = g_array_index(numbers, MemoryNumber, i).tag;
        ret->stats.items[i].val = g_array_index(numbers, MemoryNumber, i).value;
        ret->stats.count++;
    }
    return true;
}

/* ---- processors ---- */

bool
thread_times(pid_t pid, pid_t thread, guint64 *run_ns, guint64 *delay_ns)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/schedstat", (int)pid, (int)thread);
    g_autofree char *text = proc_read(path);
    guint64 user_ns, system_ns;

    if (!process_read_usage(pid, thread, &user_ns, &system_ns, NULL, NULL))
        return false;
    *run_ns = user_ns + system_ns;
    *delay_ns = 0;
    if (text)
        sscanf(text, "%*u %" G_GINT64_MODIFIER "u", delay_ns);
    return true;
}

static void
fill_map(guchar *map, gsize len, pid_t thread)
{
    cpu_set_t set;

    if (sched_getaffinity(thread, sizeof(set), &set) < 0)
        return;
    for (gsize bit = 0; bit < len * 8 && bit < CPU_SETSIZE; bit++)
        if (CPU_ISSET(bit, &set))
            map[bit / 8] |= (guchar)(1u << bit % 8);
}

static bool
qemu_domain_get_vcpus(Call *call, const RemoteDomainGetVcpusArgs *args,
                      RemoteDomainGetVcpusRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Emulator *emulator = view ? view->emulator : NULL;
    guint count;

    if (!view)
        return false;
    if (!emulator)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "cannot retrieve vcpu information on inactive domain");
    if (args->maxinfo < 0 || args->maplen < 0)
        return fail(err, VIR_ERR_INVALID_ARG, "negative size");
    count = MIN(emulator->vcpu_threads->len, (guint)args->maxinfo);
    ret->info.items = g_new0(RemoteVcpuInfo, count);
    ret->info.count = count;
    if (args->maplen) {
        ret->cpumaps.count = count * (guint)args->maplen;
        ret->cpumaps.items = g_new0(guchar, ret->cpumaps.count);
    }
    for (guint i = 0; i < count; i++) {
        pid_t thread = g_array_index(emulator->vcpu_threads, pid_t, i);
        guint64 delay_ns;

        ret->info.items[i].number = i;
        ret->info.items[i].state = VIR_VCPU_RUNNING;
        thread_times(emulator->process.pid, thread, &ret->info.items[i].cpu_time, &delay_ns);
        process_read_usage(emulator->process.pid, thread, NULL, NULL, NULL,
                           &ret->info.items[i].cpu);
        if (args->maplen)
            fill_map(ret->cpumaps.items + i * (gsize)args->maplen, (gsize)args->maplen, thread);
    }
    return true;
}

/* ---- interfaces ---- */

bool
interface_numbers(const char *name, guint64 numbers[8], GError **err)
{
    g_autofree char *text = proc_read("/proc/net/dev");
    g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

    for (char **line = lines; line && *line; line++) {
        char *colon = strchr(*line, ':');
        unsigned long long rx[8], tx[4];

        if (!colon)
            continue;
        *colon = '\0';
        if (strcmp(g_strstrip(*line), name) != 0)
            continue;
        if (sscanf(colon + 1, "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &rx[0],
                   &rx[1], &rx[2], &rx[3], &rx[4], &rx[5], &rx[6], &rx[7], &tx[0], &tx[1], &tx[2],
                   &tx[3]) != 12)
            break;
        /* What the host's end sends is what the guest receives. */
        for (int i = 0; i < 4; i++) {
            numbers[i] = tx[i];
            numbers[4 + i] = rx[i];
        }
        return true;
    }
    return fail(err, VIR_ERR_INTERNAL_ERROR, "Interface '%s' not found", name);
}

/* By target name or MAC address. */
static const Interface *
find_interface(const Domain *live, const char *device)
{
    guchar mac[6];

    if (mac_parse(device, mac))
        return domain_find_interface(live, mac);
    for (gsize i = 0; i < live->n_interfaces; i++)
        if (!g_strcmp0(live->interfaces[i]->target_dev, device))
            return live->interfaces[i];
    return NULL;
}

static bool
qemu_domain_interface_stats(Call *call, const RemoteDomainInterfaceStatsArgs *args,
                            RemoteDomainInterfaceStatsRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Interface *net;
    guint64 numbers[8];

    if (!view)
        return false;
    if (!view->emulator)
        return fail_not_running(err);
    net = find_interface(machine_domain(view->live), args->device);
    if (!net)
        return fail(err, VIR_ERR_INVALID_ARG, "invalid path, '%s' is not a known interface",
                    args->device);
    if (!net->target_dev)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Interface name not provided");
    if (!interface_numbers(net->target_dev, numbers, err))
        return false;
    ret->rx_bytes = (gint64)numbers[0];
    ret->rx_packets = (gint64)numbers[1];
    ret->rx_errs = (gint64)numbers[2];
    ret->rx_drop = (gint64)numbers[3];
    ret->tx_bytes = (gint64)numbers[4];
    ret->tx_packets = (gint64)numbers[5];
    ret->tx_errs = (gint64)numbers[6];
    ret->tx_drop = (gint64)numbers[7];
    return true;
}

void
qemu_stats_slots(DriverSlots *slots)
{
    slots->domain_block_stats = qemu_domain_block_stats;
    slots->domain_block_stats_flags = qemu_domain_block_stats_flags;
    slots->domain_get_block_info = qemu_domain_get_block_info;
    slots->domain_memory_stats = qemu_domain_memory_stats;
    slots->domain_get_vcpus = qemu_domain_get_vcpus;
    slots->domain_interface_stats = qemu_domain_interface_stats;
    qemu_stats_all_slots(slots);
}
