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
        memory->placement =
            dom->vcpu.placement == VCPU_PLACEMENT_AUTO ? NUMA_PLACEMENT_AUTO : NUMA_PLACEMENT_UNSET;
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
                return fail(err, VIR_ERR_INTERNAL_ERROR, "duplicate vcpupin for vcpu '%u'",
                            tune->vcpupins[i]->vcpu);
    }
    for (gsize i = 0; i < tune->n_vcpupins; i++) {
        if (tune->vcpupins[i]->vcpu < dom->vcpu.text)
            tune->vcpupins[kept++] = tune->vcpupins[i];
        else
            vcpu_pin_free(tune->vcpupins[i]);
    }
    tune->n_vcpupins = kept;
    if (kept)
        qsort(tune->vcpupins, kept, sizeof(*tune->vcpupins), compare_pins);
    return true;
}

static bool
check_overlap(const CpuTune *tune, GError **err)
{
    for (gsize i = 0; i < tune->n_vcpuscheds; i++)
        for (gsize j = 0; j < i; j++)
            if (bitmap_overlaps(tune->vcpuscheds[i]->vcpus, tune->vcpuscheds[j]->vcpus))
                return fail(err, VIR_ERR_XML_DETAIL,
                            "'vcpusched' attributes 'vcpus' must not overlap");
    for (gsize i = 0; i < tune->n_iothreadscheds; i++)
        for (gsize j = 0; j < i; j++)
            if (bitmap_overlaps(tune->iothreadscheds[i]->iothreads,
                                tune->iothreadscheds[j]->iothreads))
                return fail(err, VIR_ERR_XML_DETAIL,
                            "'iothreadsched' attributes 'iothreads' must not overlap");
    return true;
}

/* One line a processor or thread, in their order, as they are set one by one. */
#define SPLIT_SCHEDULERS(Type, list, n, ids, type_new, type_free) \
    G_STMT_START                                                  \
    {                                                             \
        Type **split_ = NULL;                                     \
        gsize n_split_ = 0;                                       \
        for (int id_ = 0; id_ < BITMAP_MAX_BITS && (n); id_++) {  \
            for (gsize i_ = 0; i_ < (n); i_++) {                  \
                Type *one_;                                       \
                if (!bitmap_has((list)[i_]->ids, id_))            \
                    continue;                                     \
                one_ = type_new();                                \
                one_->ids = bitmap_new();                         \
                bitmap_set(one_->ids, id_, true);                 \
                one_->scheduler = (list)[i_]->scheduler;          \
                one_->priority = (list)[i_]->priority;            \
                one_->has_priority = (list)[i_]->has_priority;    \
                list_append(split_, n_split_, one_);              \
            }                                                     \
        }                                                         \
        for (gsize i_ = 0; i_ < (n); i_++)                        \
            type_free((list)[i_]);                                \
        g_free(list);                                             \
        (list) = split_;                                          \
        (n) = n_split_;                                           \
    }                                                             \
    G_STMT_END

static void
split_schedulers(CpuTune *tune)
{
    SPLIT_SCHEDULERS(VcpuSched, tune->vcpuscheds, tune->n_vcpuscheds, vcpus, vcpu_sched_new,
                     vcpu_sched_free);
    SPLIT_SCHEDULERS(IoThreadSched, tune->iothreadscheds, tune->n_iothreadscheds, iothreads,
                     io_thread_sched_new, io_thread_sched_free);
}

/* A host without confinement gives a guest that only says "dynamic" the label of nothing. */
void
domain_fill_seclabels(Domain *dom, const DomainFillHost *host)
{
    for (gsize i = 0; i < dom->n_seclabels; i++) {
        Seclabel *label = dom->seclabels[i];

        if (!label->type)
            label->type = SECLABEL_TYPE_DYNAMIC;
        if (!host || dom->n_seclabels > 1 || label->model || label->type != SECLABEL_TYPE_DYNAMIC)
            continue;
        label->type = SECLABEL_TYPE_NONE;
        set_string(&label->model, "none");
        label->relabel = TRISTATE_UNSET;
    }
}

bool
domain_fill_tuning(Domain *dom, GError **err)
{
    if (!check_overlap(&dom->cputune, err))
        return false;
    split_schedulers(&dom->cputune);
    return fill_iothreads(dom, err) && fill_numatune(dom, err) && fill_pins(dom, err);
}

static bool
check_schedulers(const Domain *dom, GError **err)
{
    const CpuTune *tune = &dom->cputune;

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
check_cache_tune(const CacheTune *tune, GError **err)
{
    for (gsize i = 0; i < tune->n_caches; i++) {
        for (gsize j = 0; j < i; j++) {
            const CacheTuneCache *a = tune->caches[i], *b = tune->caches[j];

            if (a->level == b->level && a->id == b->id &&
                (a->type == b->type || a->type == CACHE_TUNE_TYPE_BOTH ||
                 b->type == CACHE_TUNE_TYPE_BOTH))
                return error_set(
                    err, VIR_FROM_RESCTRL, VIR_ERR_XML_ERROR,
                    "Colliding cache allocations for cache level '%u' id '%u', type '%s'", a->level,
                    a->id, cache_tune_type_to_string(a->type));
        }
    }
    for (gsize i = 0; i < tune->n_monitors; i++) {
        const Bitmap *vcpus = tune->monitors[i]->vcpus;

        for (int id = bitmap_next(vcpus, -1); id >= 0; id = bitmap_next(vcpus, id))
            if (!bitmap_has(tune->vcpus, id))
                return fail(err, VIR_ERR_INVALID_ARG, "Monitor vcpus conflicts with allocation");
    }
    return true;
}

/* Groups of processors share their allocations as a whole or not at all. */
static bool
check_resource_groups(const Domain *dom, GError **err)
{
    const CpuTune *tune = &dom->cputune;

    for (gsize i = 0; i < tune->n_cachetunes; i++) {
        if (!check_cache_tune(tune->cachetunes[i], err))
            return false;
        for (gsize j = 0; j < i; j++)
            if (bitmap_overlaps(tune->cachetunes[i]->vcpus, tune->cachetunes[j]->vcpus))
                return fail(err, VIR_ERR_XML_ERROR, "Overlapping vcpus in resctrls");
    }
    for (gsize i = 0; i < tune->n_memorytunes; i++) {
        const MemoryBandwidthTune *memory = tune->memorytunes[i];

        for (gsize j = 0; j < memory->n_nodes; j++)
            for (gsize k = 0; k < j; k++)
                if (memory->nodes[j]->id == memory->nodes[k]->id)
                    return error_set(err, VIR_FROM_RESCTRL, VIR_ERR_XML_ERROR,
                                     "Memory Bandwidth already defined for node %u",
                                     memory->nodes[j]->id);
        for (gsize j = 0; j < tune->n_cachetunes; j++)
            if (bitmap_overlaps(memory->vcpus, tune->cachetunes[j]->vcpus) &&
                !bitmap_equal(memory->vcpus, tune->cachetunes[j]->vcpus))
                return fail(err, VIR_ERR_XML_ERROR, "Overlapping vcpus in resctrls");
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
        return fail(err, VIR_ERR_XML_ERROR,
                    "Element 'memnode' is invalid without any guest NUMA cells");
    if (tune->memory.placement == NUMA_PLACEMENT_AUTO)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Per-node binding is not compatible with automatic NUMA placement.");
    for (gsize i = 0; i < tune->n_memnodes; i++) {
        const NumaMemnode *node = tune->memnodes[i];

        if (tune->memory.mode == NUMA_MODE_RESTRICTIVE && node->mode != NUMA_MODE_RESTRICTIVE)
            return fail(err, VIR_ERR_XML_ERROR,
                        "'restrictive' mode is required in memnode element when mode is "
                        "'restrictive' in memory element");
        if (tune->memory.mode != NUMA_MODE_RESTRICTIVE && tune->memory.mode &&
            node->mode == NUMA_MODE_RESTRICTIVE)
            return fail(err, VIR_ERR_XML_ERROR,
                        "'restrictive' mode is required in memory element when mode is "
                        "'restrictive' in memnode element");
        if (node->cellid >= dom->cpu.numa.n_cells)
            return fail(err, VIR_ERR_XML_ERROR,
                        "Argument 'cellid' in memnode element must correspond to existing guest's "
                        "NUMA cell");
        for (gsize j = 0; j < i; j++)
            if (tune->memnodes[j]->cellid == node->cellid)
                return fail(err, VIR_ERR_XML_ERROR, "Multiple memnode elements with cellid %u",
                            node->cellid);
    }
    return true;
}

bool
domain_check_tuning(const Domain *dom, GError **err)
{
    return check_memnodes(dom, err) && check_schedulers(dom, err) &&
           check_resource_groups(dom, err);
}
