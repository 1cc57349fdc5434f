/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory, virtual CPUs and NUMA cells of a guest: sums, numbering, defaults. Next: domain_tuning.c (host resources). */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

static guint64
plugged_memory_kib(const Domain *dom)
{
    guint64 sum = 0;

    for (gsize i = 0; i < dom->n_memory_devices; i++)
        sum += dom->memory_devices[i]->target.size;
    return sum;
}

/* The cells are in any order in the document, and may leave out their numbers. */
static bool
order_cells(CpuNuma *numa, GError **err)
{
    g_autofree NumaCell **sorted = g_new0(NumaCell *, numa->n_cells);

    for (gsize i = 0; i < numa->n_cells; i++) {
        NumaCell *cell = numa->cells[i];
        guint id = cell->has_id ? cell->id : i;

        if (id >= numa->n_cells || sorted[id])
            return fail(err, VIR_ERR_XML_ERROR,
                        "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous "
                        "ranges or ranges not starting "
                        "from 0 are not allowed");
        cell->id = id;
        cell->has_id = true;
        sorted[id] = cell;
    }
    if (numa->n_cells)
        memcpy(numa->cells, sorted, numa->n_cells * sizeof(*sorted));
    return true;
}

static bool
fill_distances(CpuNuma *numa, GError **err)
{
    gsize n = numa->n_cells;

    for (gsize i = 0; i < n; i++) {
        for (gsize j = 0; j < numa->cells[i]->n_siblings; j++) {
            NumaSibling *sibling = numa->cells[i]->siblings[j];

            if (sibling->id >= n)
                return fail(
                    err, VIR_ERR_XML_ERROR,
                    "'sibling_id %u' does not refer to a valid cell within NUMA 'cell id %zu'",
                    sibling->id, i);
            if (sibling->value < 10 || sibling->value > 255)
                return fail(err, VIR_ERR_XML_ERROR,
                            "'value %u' is invalid for 'sibling id %u' under NUMA 'cell id %zu'",
                            sibling->value, sibling->id, i);
        }
    }
    return true;
}

static guint
distance_of(const CpuNuma *numa, guint from, guint to)
{
    for (int pass = 0; pass < 2; pass++) {
        const NumaCell *cell = numa->cells[pass ? to : from];
        guint wanted = pass ? from : to;

        for (gsize i = 0; i < cell->n_siblings; i++)
            if (cell->siblings[i]->id == wanted)
                return cell->siblings[i]->value;
    }
    return 0;
}

/* A cell that names one distance gets all of them: itself 10, what the other side says, else 20. */
static void
complete_distances(CpuNuma *numa)
{
    bool any = false;

    for (gsize i = 0; i < numa->n_cells; i++)
        any = any || numa->cells[i]->n_siblings > 0;
    if (!any)
        return;
    for (gsize i = 0; i < numa->n_cells; i++) {
        NumaCell *cell = numa->cells[i];
        NumaSibling **siblings = NULL;
        gsize n = 0;

        for (gsize j = 0; j < numa->n_cells; j++) {
            NumaSibling *sibling;
            guint value = distance_of(numa, i, j);

            if (!value && !cell->n_siblings && i != j)
                continue;
            sibling = numa_sibling_new();
            sibling->id = j;
            sibling->value = value ? value : i == j ? 10 : 20;
            list_append(siblings, n, sibling);
        }
        if (n == 1 && !cell->n_siblings) {
            numa_sibling_free(siblings[0]);
            g_free(siblings);
            continue;
        }
        for (gsize j = 0; j < cell->n_siblings; j++)
            numa_sibling_free(cell->siblings[j]);
        g_free(cell->siblings);
        cell->siblings = siblings;
        cell->n_siblings = n;
    }
}

/* Processors that no cell names belong to the first. */
static void
take_the_rest(Domain *dom)
{
    const CpuNuma *numa = &dom->cpu.numa;
    NumaCell *first = numa->cells[0];

    for (guint cpu = 0; cpu < dom->vcpu.text && cpu < BITMAP_MAX_BITS; cpu++) {
        bool named = false;

        for (gsize i = 0; i < numa->n_cells; i++)
            named = named || (numa->cells[i]->cpus && bitmap_has(numa->cells[i]->cpus, cpu));
        if (named)
            continue;
        if (!first->cpus)
            first->cpus = bitmap_new();
        bitmap_set(first->cpus, cpu, true);
    }
}

static bool
fill_cells(Domain *dom, guint64 *sum_kib, GError **err)
{
    CpuNuma *numa = &dom->cpu.numa;

    if (!order_cells(numa, err) || !fill_distances(numa, err))
        return false;
    complete_distances(numa);
    for (gsize i = 0; i < numa->n_cells; i++) {
        NumaCell *cell = numa->cells[i];

        *sum_kib += cell->memory;
        if (cell->cpus && bitmap_is_empty(cell->cpus))
            g_clear_pointer(&cell->cpus, bitmap_free);
        for (gsize j = 0; cell->cpus && j < i; j++)
            if (numa->cells[j]->cpus && bitmap_overlaps(cell->cpus, numa->cells[j]->cpus))
                return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                            "NUMA cells %zu and %zu have overlapping vCPU ids", j, i);
    }
    if (numa->n_cells)
        take_the_rest(dom);
    return true;
}

bool
domain_fill_memory(Domain *dom, GError **err)
{
    guint64 cells_kib = 0;

    if (!fill_cells(dom, &cells_kib, err))
        return false;
    if (cells_kib) {
        dom->memory.text = cells_kib + plugged_memory_kib(dom);
        dom->memory.has_text = true;
    }
    if (!dom->memory.has_text || dom->memory.text == 0)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Memory size must be specified via <memory> or in the <numa> configuration");
    if (!dom->has_current_memory || dom->current_memory == 0 ||
        dom->current_memory > dom->memory.text) {
        dom->current_memory = dom->memory.text;
        dom->has_current_memory = true;
    }
    if (dom->max_memory && dom->max_memory->text < dom->memory.text)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "maximum memory size must be equal or greater than the actual memory size");
    return true;
}

/* Pages without a nodeset are for all nodes: there is one such size. */
static bool
check_huge_pages(const Domain *dom, GError **err)
{
    const HugePages *pages = dom->memory_backing.hugepages;
    const HugePage *master = NULL;

    for (gsize i = 0; pages && i < pages->n_pages; i++) {
        const HugePage *page = pages->pages[i];

        if (page->nodeset && dom->cpu.numa.n_cells) {
            int last = bitmap_last(page->nodeset);

            for (int node = bitmap_next(page->nodeset, -1);
                 node >= 0 && last >= (int)dom->cpu.numa.n_cells;
                 node = bitmap_next(page->nodeset, node))
                if (node >= (int)dom->cpu.numa.n_cells)
                    return fail(err, VIR_ERR_XML_DETAIL, "hugepages: node %d not found", node);
            continue;
        }
        if (page->nodeset && bitmap_last(page->nodeset) > 0)
            return fail(err, VIR_ERR_XML_DETAIL, "hugepages: node %d not found",
                        bitmap_next(page->nodeset, 0));
        if (master)
            return fail(err, VIR_ERR_XML_DETAIL,
                        "two master hugepages detected: %" G_GUINT64_FORMAT
                        " and %" G_GUINT64_FORMAT,
                        MIN(master->size, page->size), MAX(master->size, page->size));
        master = page;
    }
    return true;
}

bool
domain_check_memory(const Domain *dom, GError **err)
{
    return check_huge_pages(dom, err);
}

static int
compare_entries(const void *a, const void *b)
{
    const VcpuEntry *left = *(VcpuEntry *const *)a, *right = *(VcpuEntry *const *)b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* <vcpus> names each one; those it leaves out are there as the count says. */
static bool
fill_vcpu_entries(Domain *dom, GError **err)
{
    guint enabled = 0;

    for (gsize i = 0; i < dom->n_vcpu_entries; i++) {
        VcpuEntry *entry = dom->vcpu_entries[i];

        if (entry->id >= dom->vcpu.text)
            return fail(err, VIR_ERR_XML_ERROR, "vcpu id %u is out of range of maximum vcpu count",
                        entry->id);
        if (!entry->hotpluggable)
            entry->hotpluggable = entry->enabled ? TRISTATE_NO : TRISTATE_YES;
        if (!entry->enabled) {
            entry->hotpluggable = TRISTATE_YES;
            entry->has_order = false;
        }
        enabled += entry->enabled;
    }
    if (!dom->n_vcpu_entries)
        return true;
    qsort(dom->vcpu_entries, dom->n_vcpu_entries, sizeof(*dom->vcpu_entries), compare_entries);
    dom->vcpu.current = enabled;
    dom->vcpu.has_current = enabled < dom->vcpu.text;
    return true;
}

bool
domain_fill_vcpus(Domain *dom, GError **err)
{
    VcpuCount *vcpu = &dom->vcpu;

    if (!vcpu->has_text) {
        vcpu->text = 1;
        vcpu->has_text = true;
    }
    if (vcpu->text == 0)
        return fail(err, VIR_ERR_XML_ERROR, "maxvcpus must not be zero");
    if (vcpu->has_current && vcpu->current > vcpu->text)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "maxvcpus must not be less than current vcpus (%u < %u)", vcpu->text,
                    vcpu->current);
    if (vcpu->has_current && vcpu->current == 0)
        return fail(err, VIR_ERR_XML_ERROR, "invalid current vcpus number '0'");
    if (vcpu->has_current && vcpu->current == vcpu->text)
        vcpu->has_current = false;
    if (!vcpu->placement)
        vcpu->placement = VCPU_PLACEMENT_STATIC;
    if (dom->numatune.memory.placement == NUMA_PLACEMENT_AUTO && !vcpu->cpuset &&
        !dom->cputune.n_vcpupins && !dom->cputune.emulatorpin_cpuset)
        vcpu->placement = VCPU_PLACEMENT_AUTO;
    if (vcpu->placement == VCPU_PLACEMENT_AUTO)
        g_clear_pointer(&vcpu->cpuset, bitmap_free);
    return fill_vcpu_entries(dom, err);
}
