/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virConnectGetAllDomainStats: every monitor is asked at once, and all answers are awaited with one deadline. A guest that
 * does not answer in time gives what it gave last, and what /proc and its definition say. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/stats.h"
#include "seam/clock.h"

enum { DEADLINE_MS = 1000 };

enum {
    KNOWN_STATS = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |
                  VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK,
    ASKS_MONITOR = VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_BLOCK,
};

/* One guest on its way. */
typedef struct {
    GuestView *view;
    QmpBatch *batch;                                     /* NULL: nothing was asked */
    int stats_at, blocks_at, balloon_at, guest_stats_at; /* numbers in the batch, -1: not asked */
} Subject;

static void
subject_clear(Subject *subject)
{
    view_unref(subject->view);
    qmp_batch_unref(subject->batch);
}

static void
ask(Subject *subject, guint stats)
{
    const Domain *live = machine_domain(subject->view->live);
    g_autofree char *path = live ? balloon_path(live) : NULL;

    subject->stats_at = subject->blocks_at = subject->balloon_at = subject->guest_stats_at = -1;
    if (!live || !(stats & ASKS_MONITOR))
        return;
    subject->batch = qmp_batch_new();
    if (stats & VIR_DOMAIN_STATS_BLOCK) {
        subject->stats_at = (int)qmp_batch_add(subject->batch, "query-blockstats", NULL);
        subject->blocks_at = (int)qmp_batch_add(subject->batch, "query-block", NULL);
    }
    if (stats & VIR_DOMAIN_STATS_BALLOON && path) {
        subject->balloon_at = (int)qmp_batch_add(subject->batch, "query-balloon", NULL);
        subject->guest_stats_at =
            (int)qmp_batch_add(subject->batch, "qom-get",
                               json_pack("{s:s s:s}", "path", path, "property", "guest-stats"));
    }
    /* A monitor that is closed has no answers; the rest of the guest has. */
    if (!qmp_batch_start(subject->batch, subject->view->emulator->qmp, NULL))
        g_clear_pointer(&subject->batch, qmp_batch_unref);
}

/* The answer, or the last one that there was; a new reference or NULL. */
static Json *
take_answer(Subject *subject, int at, EmulatorCached which)
{
    const Json *answer =
        subject->batch && at >= 0 ? qmp_batch_reply(subject->batch, (guint)at, NULL) : NULL;

    return emulator_cache_swap(subject->view->emulator, which, answer);
}

static void
add_state(ParamList *list, const GuestView *view)
{
    params_add_int(list, "state.state", view->state);
    params_add_int(list, "state.reason", view->reason);
}

static void
add_cpu(ParamList *list, const GuestView *view)
{
    guint64 user_ns, system_ns;

    if (!view->emulator ||
        !process_read_usage(view->emulator->process.pid, 0, &user_ns, &system_ns, NULL, NULL))
        return;
    params_add_ullong(list, "cpu.time", user_ns + system_ns);
    params_add_ullong(list, "cpu.user", user_ns);
    params_add_ullong(list, "cpu.system", system_ns);
    params_add_uint(list, "cpu.cache.monitor.count", 0);
}

static const char *
memory_name(int tag)
{
    static const char *const names[] = {
        [VIR_DOMAIN_MEMORY_STAT_SWAP_IN] = "swap_in",
        [VIR_DOMAIN_MEMORY_STAT_SWAP_OUT] = "swap_out",
        [VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT] = "major_fault",
        [VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT] = "minor_fault",
        [VIR_DOMAIN_MEMORY_STAT_UNUSED] = "unused",
        [VIR_DOMAIN_MEMORY_STAT_AVAILABLE] = "available",
        [VIR_DOMAIN_MEMORY_STAT_USABLE] = "usable",
        [VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE] = "last-update",
        [VIR_DOMAIN_MEMORY_STAT_RSS] = "rss",
        [VIR_DOMAIN_MEMORY_STAT_DISK_CACHES] = "disk_caches",
        [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC] = "hugetlb_pgalloc",
        [VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL] = "hugetlb_pgfail",
    };

    return tag >= 0 && tag < (int)G_N_ELEMENTS(names) ? names[tag] : NULL;
}

static void
add_balloon(ParamList *list, Subject *subject)
{
    const GuestView *view = subject->view;
    const Domain *dom = machine_domain(view->live ? view->live : view->config);
    g_autoptr(Json) balloon = NULL;
    g_autoptr(Json) guest_stats = NULL;
    g_autoptr(GArray) numbers = NULL;

    if (view->emulator) {
        balloon = take_answer(subject, subject->balloon_at, EMULATOR_CACHED_BALLOON);
        guest_stats = take_answer(subject, subject->guest_stats_at, EMULATOR_CACHED_GUEST_STATS);
        params_add_ullong(list, "balloon.current",
                          dom->has_current_memory ? dom->current_memory : dom->memory.text);
    } else {
        params_add_ullong(list, "balloon.current", 0);
    }
    params_add_ullong(list, "balloon.maximum", dom->memory.text);
    if (!view->emulator)
        return;
    numbers = memory_numbers(guest_stats, balloon, view->emulator->process.pid);
    params_set_prefix(list, "balloon.");
    for (guint i = 0; i < numbers->len; i++) {
        const MemoryNumber *number = &g_array_index(numbers, MemoryNumber, i);

        if (memory_name(number->tag))
            params_add_ullong(list, memory_name(number->tag), number->value);
    }
    params_set_prefix(list, NULL);
}

static void
add_vcpus(ParamList *list, const GuestView *view)
{
    const Domain *dom = machine_domain(view->live ? view->live : view->config);
    const GArray *threads = view->emulator ? view->emulator->vcpu_threads : NULL;

    params_add_uint(list, "vcpu.current", domain_vcpus_current(dom));
    params_add_uint(list, "vcpu.maximum", dom->vcpu.text);
    for (guint i = 0; threads && i < threads->len; i++) {
        guint64 run_ns, delay_ns;

        if (!thread_times(view->emulator->process.pid, g_array_index(threads, pid_t, i), &run_ns,
                          &delay_ns))
            continue;
        params_set_prefix(list, "vcpu.%u.", i);
        params_add_int(list, "state", VIR_VCPU_RUNNING);
        params_add_ullong(list, "time", run_ns);
        params_add_ullong(list, "wait", 0);
        params_add_ullong(list, "delay", delay_ns);
    }
    params_set_prefix(list, NULL);
}

static void
add_nets(ParamList *list, const GuestView *view)
{
    static const char *const names[] = {"rx.bytes", "rx.pkts", "rx.errs", "rx.drop",
                                        "tx.bytes", "tx.pkts", "tx.errs", "tx.drop"};
    const Domain *live = machine_domain(view->live);

    if (!live)
        return;
    params_add_uint(list, "net.count", (guint)live->n_interfaces);
    for (gsize i = 0; i < live->n_interfaces; i++) {
        guint64 numbers[8];

        if (!live->interfaces[i]->target_dev)
            continue;
        params_set_prefix(list, "net.%u.", (guint)i);
        params_add_string(list, "name", live->interfaces[i]->target_dev);
        if (interface_numbers(live->interfaces[i]->target_dev, numbers, NULL))
            for (gsize j = 0; j < G_N_ELEMENTS(names); j++)
                params_add_ullong(list, names[j], numbers[j]);
    }
    params_set_prefix(list, NULL);
}

static bool
add_disk_numbers(ParamList *list, const Disk *disk, const Json *answer, BlockNumbers *found)
{
    BlockNumbers numbers;

    if (!answer || !block_numbers_find(answer, disk, &numbers))
        return false;
    *found = numbers;
    params_add_ullong(list, "rd.reqs", numbers.rd_reqs);
    params_add_ullong(list, "rd.bytes", numbers.rd_bytes);
    params_add_ullong(list, "rd.times", numbers.rd_ns);
    params_add_ullong(list, "wr.reqs", numbers.wr_reqs);
    params_add_ullong(list, "wr.bytes", numbers.wr_bytes);
    params_add_ullong(list, "wr.times", numbers.wr_ns);
    params_add_ullong(list, "fl.reqs", numbers.fl_reqs);
    params_add_ullong(list, "fl.times", numbers.fl_ns);
    return true;
}

static void
add_disks(ParamList *list, Subject *subject)
{
    const GuestView *view = subject->view;
    const Domain *dom = machine_domain(view->live ? view->live : view->config);
    g_autoptr(Json) answer = NULL;
    g_autoptr(Json) blocks = NULL;

    if (view->emulator) {
        answer = take_answer(subject, subject->stats_at, EMULATOR_CACHED_BLOCK_STATS);
        blocks = take_answer(subject, subject->blocks_at, EMULATOR_CACHED_BLOCKS);
    }
    params_add_uint(list, "block.count", (guint)dom->n_disks);
    for (gsize i = 0; i < dom->n_disks; i++) {
        const Disk *disk = dom->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);
        BlockNumbers numbers = {0};
        BlockSizes sizes;
        bool is_running;

        params_set_prefix(list, "block.%u.", (guint)i);
        params_add_string(list, "name", disk->target.dev);
        if (path)
            params_add_string(list, "path", path);
        if (path && disk->source.index)
            params_add_uint(list, "backingIndex", disk->source.index);
        is_running = add_disk_numbers(list, disk, answer, &numbers);
        if (!path || !block_sizes_read(disk, blocks, &sizes, NULL))
            continue;
        /* Of a running guest: how far it has written, and what the file takes. */
        params_add_ullong(list, "allocation", is_running ? numbers.wr_highest : sizes.allocation);
        params_add_ullong(list, "capacity", sizes.capacity);
        params_add_ullong(list, "physical", is_running ? sizes.allocation : sizes.physical);
    }
    params_set_prefix(list, NULL);
}

static void
fill_record(RemoteDomainStatsRecord *record, Subject *subject, guint stats)
{
    g_auto(ParamList) list = PARAM_LIST_INIT;

    guest_view_fill_wire(subject->view, &record->dom);
    if (stats & VIR_DOMAIN_STATS_STATE)
        add_state(&list, subject->view);
    if (stats & VIR_DOMAIN_STATS_CPU_TOTAL)
        add_cpu(&list, subject->view);
    if (stats & VIR_DOMAIN_STATS_BALLOON)
        add_balloon(&list, subject);
    if (stats & VIR_DOMAIN_STATS_VCPU)
        add_vcpus(&list, subject->view);
    if (stats & VIR_DOMAIN_STATS_INTERFACE)
        add_nets(&list, subject->view);
    if (stats & VIR_DOMAIN_STATS_BLOCK)
        add_disks(&list, subject);
    params_move(&list, record->params);
}

/* The guests that the call names, or all that its filters let through. */
static GPtrArray *
choose_guests(Call *call, const RemoteConnectGetAllDomainStatsArgs *args)
{
    QemuDriver *qemu = qemu_of_call(call);
    GPtrArray *chosen = g_ptr_array_new();
    g_autoptr(GPtrArray) all = NULL;

    if (args->doms.count) {
        for (guint32 i = 0; i < args->doms.count; i++) {
            GuestView *view =
                guest_view_read(registry_lookup_uuid(qemu->guests, args->doms.items[i].uuid));

            if (view)
                g_ptr_array_add(chosen, view);
        }
        return chosen;
    }
    all = registry_list(qemu->guests);
    for (guint i = 0; i < all->len; i++) {
        GuestView *view = g_ptr_array_index(all, i);

        if (!guest_view_passes(view, args->flags))
            continue;
        view = guest_view_read(view_ref(view));
        if (view)
            g_ptr_array_add(chosen, view);
    }
    return chosen;
}

static bool
qemu_connect_get_all_domain_stats(Call *call, const RemoteConnectGetAllDomainStatsArgs *args,
                                  RemoteConnectGetAllDomainStatsRet *ret, GError **err)
{
    enum {
        KNOWN =
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE |
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT |
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT |
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED |
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF | VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER |
            VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
        ENFORCE = (int)VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS,
    };
    guint stats = args->stats ? args->stats & KNOWN_STATS : KNOWN_STATS;
    g_autoptr(GArray) subjects = NULL;
    g_autoptr(GPtrArray) views = NULL;
    gint64 deadline_ms;

    if (!qemu_check_flags(call, args->flags, (guint)KNOWN | (guint)ENFORCE, err))
        return false;
    if (args->flags & (guint)ENFORCE && args->stats & ~(guint)KNOWN_STATS)
        return fail(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
                    "Stats types bits 0x%x are not supported by this daemon or QEMU",
                    args->stats & ~(guint)KNOWN_STATS);
    views = choose_guests(call, args);
    subjects = g_array_new(FALSE, TRUE, sizeof(Subject));
    g_array_set_clear_func(subjects, (GDestroyNotify)subject_clear);
    g_array_set_size(subjects, views->len);
    for (guint i = 0; i < views->len; i++) {
        Subject *subject = &g_array_index(subjects, Subject, i);

        subject->view = g_ptr_array_index(views, i);
        ask(subject, stats);
    }
    deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    ret->retStats.items = g_new0(RemoteDomainStatsRecord, views->len);
    ret->retStats.count = views->len;
    for (guint i = 0; i < views->len; i++) {
        Subject *subject = &g_array_index(subjects, Subject, i);

        if (subject->batch)
            qmp_batch_wait(subject->batch, deadline_ms, NULL);
        fill_record(&ret->retStats.items[i], subject, stats);
    }
    return true;
}

void
qemu_stats_all_slots(DriverSlots *slots)
{
    slots->connect_get_all_domain_stats = qemu_connect_get_all_domain_stats;
}
