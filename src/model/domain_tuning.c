/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a domain is placed on the host: I/O threads, NUMA placement, schedulers, cache allocation. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include "base/error.h"

static bool
fill_iothreads(Domain *dom, GError **err)
{
    g_autoptr(Bitmap) taken = bitmap_new();
    guint next = 1;

    for (gsize i = 0; i < dom->n_iothread_entries; i++) {
        guint id = dom->iothread_entries[i]->id;

        if (bitmap_has(taken, id))
            return fail(err, VIR_ERR_XML_ERROR, "duplicate iothread id '%u' found", id);
        bitmap_set(taken, id, true);
    }
    if (dom->iothreads > dom->n_iothread_entries && dom->iothreads >= BITMAP_MAX_BITS)
        return fail(err, VIR_ERR_XML_ERROR, "%u iothreads are too many", dom->iothreads);
    while (dom->n_iothread_entries < dom->iothreads) {
        IoThread *thread = io_thread_new();

        while (bitmap_has(taken, next))
            next++;
        thread->id = next;
        bitmap_set(taken, next, true);
        list_append(dom->iothread_entries, dom->n_iothread_entries, thread);
    }
    if (dom->n_iothread_entries) {
        dom->iothreads = dom->n_iothread_entries;
        dom->has_iothreads = true;
    } else {
        dom->has_iothreads = false;
    }
    return true;
}

/* The list is printed only when it says more than the number does. */
bool
domain_prints_iothread_entries(const Domain *dom, ModelFormatFlags flags)
{
    for (gsize i = 0; i < dom->n_iothread_entries; i++) {
        const IoThread *thread = dom->iothread_entries[i];

        if (thread->id != i + 1 || thread->has_thread_pool_min || thread->has_thread_pool_max)
            return true;
    }
    return false;
}

static bool
fill_numatune(Domain *dom, GError **err)
{
    NumaMemory *memory = &dom->numatune.memory;

    if (!memory->mode && !memory->nodeset && !memory->placement) {
        if (dom->vcpu.placement == VCPU_PLACEMENT_AUTO) {
            memory->mode = NUMA_MODE_STRICT;
            memory->placement = NUMA_PLACEMENT_AUTO;
        }
        return true;
    }
    if (!memory->mode)
        memory->mode = NUMA_MODE_STRICT;
    if (memory->placement == NUMA_PLACEMENT_STATIC && !memory->nodeset)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
    if (!memory->placement && !memory->nodeset)
        memory->placement = dom->vcpu.placement == VCPU_PLACEMENT_AUTO ? NUMA_PLACEMENT_AUTO : NUMA_PLACEMENT_UNSET;
    if (memory->placement == NUMA_PLACEMENT_AUTO)
        g_clear_pointer(&memory->nodeset, bitmap_free);
    else
        memory->placement = NUMA_PLACEMENT_UNSET; /* static is what a nodeset says */
    return true;
}

static int
compare_pins(const void *a, const void *b)
{
    const VcpuPin *left = *(VcpuPin *const *)a, *right = *(VcpuPin *const *)b;

    return left->vcpu < right->vcpu ? -1 : left->vcpu > right->vcpu;
}

/* A guest of automatic placement ignores where its parts are pinned. */
static bool
fill_pins(Domain *dom, GError **err)
{
    CpuTune *tune = &dom->cputune;
    gsize kept = 0;

    for (gsize i = 0; i < tune->n_vcpupins; i++) {
        for (gsize j = 0; j < i; j++)
            if (tune->vcpupins[j]->vcpu == tune->vcpupins[i]->vcpu)
                return fail(err, VIR_ERR_INTERNAL_ERROR, "duplicate vcpupin for vcpu '%u'", tune->vcpupins[i]->vcpu);
    }
    for (gsize i = 0; i < tune->n_vcpupins; i++) {
        if (tune->vcpupins[i]->vcpu < dom->vcpu.text)
            tune->vcpupins[kept++] = tune->vcpupins[i];
        else
            vcpu_pin_free(tune->vcpupins[i]);
    }
    tune->n_vcpupins = kept;
    qsort(tune->vcpupins, kept, sizeof(*tune->vcpupins), compare_pins);
    return true;
}

bool
domain_fill_tuning(Domain *dom, GError **err)
{
    return fill_iothreads(dom, err) && fill_numatune(dom, err) && fill_pins(dom, err);
}

static bool
check_schedulers(const Domain *dom, GError **err)
{
    const CpuTune *tune = &dom->cputune;

    for (gsize i = 0; i < tune->n_vcpuscheds; i++)
        for (gsize j = 0; j < i; j++)
            if (bitmap_overlaps(tune->vcpuscheds[i]->vcpus, tune->vcpuscheds[j]->vcpus))
                return fail(err, VIR_ERR_XML_DETAIL, "'vcpusched' attributes 'vcpus' must not overlap");
    for (gsize i = 0; i < tune->n_iothreadscheds; i++) {
        const Bitmap *wanted = tune->iothreadscheds[i]->iothreads;

        for (int id = bitmap_next(wanted, -1); id >= 0; id = bitmap_next(wanted, id)) {
            bool found = false;

            for (gsize j = 0; j < dom->n_iothread_entries; j++)
                found = found || dom->iothread_entries[j]->id == (guint)id;
            if (!found)
                return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Cannot find 'iothread' : %d", id);
        }
    }
    return true;
}

static bool
check_memnodes(const Domain *dom, GError **err)
{
    const NumaTune *tune = &dom->numatune;

    if (!tune->n_memnodes)
        return true;
    if (!dom->cpu.numa.n_cells)
        return fail(err, VIR_ERR_XML_ERROR, "Element 'memnode' is invalid without any guest NUMA cells");
    if (tune->memory.placement == NUMA_PLACEMENT_AUTO)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Per-node binding is not compatible with automatic NUMA placement.");
    for (gsize i = 0; i < tune->n_memnodes; i++) {
        const NumaMemnode *node = tune->memnodes[i];

        if (tune->memory.mode == NUMA_MODE_RESTRICTIVE && node->mode != NUMA_MODE_RESTRICTIVE)
            return fail(err, VIR_ERR_XML_ERROR,
                        "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element");
        if (tune->memory.mode != NUMA_MODE_RESTRICTIVE && tune->memory.mode && node->mode == NUMA_MODE_RESTRICTIVE)
            return fail(err, VIR_ERR_XML_ERROR,
                        "'restrictive' mode is required in memory element when mode is 'restrictive' in memnode element");
        if (node->cellid >= dom->cpu.numa.n_cells)
            return fail(err, VIR_ERR_XML_ERROR, "Argument 'cellid' in memnode element must correspond to existing guest's NUMA cell");
        for (gsize j = 0; j < i; j++)
            if (tune->memnodes[j]->cellid == node->cellid)
                return fail(err, VIR_ERR_XML_ERROR, "Multiple memnode elements with cellid %u", node->cellid);
    }
    return true;
}

bool
domain_check_tuning(const Domain *dom, GError **err)
{
    return check_memnodes(dom, err) && check_schedulers(dom, err);
}
