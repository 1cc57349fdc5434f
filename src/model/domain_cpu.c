/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's processor: what <cpu> means when parts of it are left out.
 * Relies on the machine's default model, which only the emulator knows. */
#define ERROR_DOMAIN VIR_FROM_CPU
#include "model/domain_rules.h"

#include "base/error.h"

static void
fill_default_model(Cpu *cpu, const DomainMachine *machine)
{
    cpu->mode = CPU_MODE_CUSTOM;
    cpu->match = CPU_MATCH_EXACT;
    if (!cpu->check)
        cpu->check = CPU_CHECK_NONE;
    set_string(&cpu->model.text, machine->default_cpu);
    cpu->model.fallback = CPU_FALLBACK_FORBID;
}

static void
fill_custom(const Domain *dom, Cpu *cpu)
{
    cpu->mode = CPU_MODE_CUSTOM;
    if (!cpu->match)
        cpu->match = CPU_MATCH_EXACT;
    if (!cpu->check)
        /* a model that software emulates is not compared with the host's processor */
        cpu->check = dom->type == VIRT_TYPE_QEMU ? CPU_CHECK_NONE : CPU_CHECK_PARTIAL;
    if (!cpu->model.fallback)
        cpu->model.fallback = CPU_FALLBACK_ALLOW;
}

static void
fill_mode(const Domain *dom, Cpu *cpu, const DomainMachine *machine)
{
    switch (cpu->mode) {
    case CPU_MODE_HOST_MODEL:
        if (!cpu->check)
            cpu->check = CPU_CHECK_PARTIAL;
        break;
    case CPU_MODE_HOST_PASSTHROUGH:
    case CPU_MODE_MAXIMUM:
        if (!cpu->check)
            cpu->check = CPU_CHECK_NONE;
        if (!cpu->migratable && cpu->mode == CPU_MODE_HOST_PASSTHROUGH)
            cpu->migratable = machine->cpu_is_migratable ? TRISTATE_ON : TRISTATE_OFF;
        g_clear_pointer(&cpu->model.vendor_id, g_free);
        break;
    default:
        if (cpu->model.text)
            fill_custom(dom, cpu);
        else
            fill_default_model(cpu, machine);
        return;
    }
    cpu->match = CPU_MATCH_UNSET;
    cpu->model.fallback = CPU_FALLBACK_UNSET;
    g_clear_pointer(&cpu->model.text, g_free);
}

static bool
fill_topology(Cpu *cpu, GError **err)
{
    CpuTopology *topology = &cpu->topology;

    if (!topology->has_sockets && !topology->has_cores && !topology->has_threads)
        return true;
    if (!topology->has_sockets)
        return fail(err, VIR_ERR_XML_ERROR, "Missing 'sockets' attribute in CPU topology");
    if (!topology->has_cores)
        return fail(err, VIR_ERR_XML_ERROR, "Missing 'cores' attribute in CPU topology");
    if (!topology->has_threads)
        return fail(err, VIR_ERR_XML_ERROR, "Missing 'threads' attribute in CPU topology");
    if (!topology->has_dies) {
        topology->dies = 1;
        topology->has_dies = true;
    }
    return true;
}

static bool
fill_features(Cpu *cpu, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < cpu->n_features; i++) {
        CpuFeature *feature = cpu->features[i];

        if (!feature->name || !feature->name[0])
            return fail(err, VIR_ERR_XML_ERROR, "Invalid CPU feature name");
        if (!feature->policy)
            feature->policy = CPU_FEATURE_POLICY_REQUIRE;
        if (!g_hash_table_add(seen, feature->name))
            return fail(err, VIR_ERR_XML_ERROR, "CPU feature '%s' specified more than once",
                        feature->name);
    }
    return true;
}

bool
domain_fill_cpu(Domain *dom, const DomainMachine *machine, GError **err)
{
    Cpu *cpu = &dom->cpu;

    if (!fill_topology(cpu, err) || !fill_features(cpu, err))
        return false;
    if (machine->default_cpu || cpu->mode || cpu->model.text)
        fill_mode(dom, cpu, machine);
    return true;
}
