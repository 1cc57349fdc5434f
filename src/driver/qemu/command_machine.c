/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* -machine, -accel, -cpu, -m, -smp, -numa. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "driver/qemu/command_line.h"

static const char *
onoff(Tristate value)
{
    return value == TRISTATE_ON ? "on" : "off";
}

static bool
needs_memory_object(const CommandLine *line)
{
    const MachineType *machine = emulator_info_machine(line->info, line->dom->os.machine);

    return machine && machine->default_ram && line->dom->cpu.numa.n_cells == 0;
}

static char *
cell_memory_id(const NumaCell *cell, guint index)
{
    return g_strdup_printf("ram-node%u", cell->has_id ? cell->id : index);
}

bool
command_add_machine(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;
    const Features *features = &dom->features;
    g_autoptr(GString) value = g_string_new(dom->os.machine);
    const MachineType *machine = emulator_info_machine(line->info, dom->os.machine);

    if (!machine)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "emulator '%s' does not know the machine type '%s'", line->info->path,
                    dom->os.machine);
    g_string_append(value, ",usb=off");
    if (features->vmport_state != TRISTATE_UNSET)
        g_string_append_printf(value, ",vmport=%s", onoff(features->vmport_state));
    if (features->smm && features->smm->state != TRISTATE_UNSET)
        g_string_append_printf(value, ",smm=%s", onoff(features->smm->state));
    g_string_append_printf(value, ",dump-guest-core=%s",
                           dom->memory.dump_core != TRISTATE_UNSET ? onoff(dom->memory.dump_core)
                                                                   : "off");
    if (features->ioapic_driver != IOAPIC_DRIVER_UNSET)
        g_string_append_printf(value, ",kernel_irqchip=%s",
                               features->ioapic_driver == IOAPIC_DRIVER_QEMU ? "split" : "on");
    if (dom->memory_backing.nosharepages)
        g_string_append(value, ",mem-merge=off");
    if (needs_memory_object(line))
        g_string_append_printf(value, ",memory-backend=%s", machine->default_ram);
    if (dom->os.loader.text && dom->os.loader.type == LOADER_TYPE_PFLASH) {
        g_string_append(value, ",pflash0=libvirt-pflash0-format");
        if (dom->os.nvram)
            g_string_append(value, ",pflash1=libvirt-pflash1-format");
    }
    line_add(line, "-machine", value->str);

    if (dom->type == VIRT_TYPE_KVM && features->kvm.dirty_ring.state == TRISTATE_ON)
        line_addf(line, "-accel", "kvm,dirty-ring-size=%u", features->kvm.dirty_ring.size);
    else if (dom->type == VIRT_TYPE_KVM)
        line_add(line, "-accel", "kvm");
    else if (features->has_tcg_tb_cache)
        line_addf(line, "-accel", "tcg,tb-size=%" G_GUINT64_FORMAT, features->tcg_tb_cache);
    else
        line_add(line, "-accel", "tcg");
    if (features->smm && features->smm->has_tseg)
        line_addf(line, "-global", "mch.extended-tseg-mbytes=%" G_GUINT64_FORMAT,
                  features->smm->tseg);
    return true;
}

/* The emulator's spelling of a feature. */
static char *
feature_name(const char *name)
{
    static const char *const renamed[][2] = {{"pclmuldq", "pclmulqdq"}, {"cmt", "cmt"}};
    char *spelled;

    for (gsize i = 0; i < G_N_ELEMENTS(renamed); i++)
        if (!strcmp(name, renamed[i][0]))
            return g_strdup(renamed[i][1]);
    spelled = g_strdup(name);
    for (char *at = spelled; *at; at++)
        if (*at == '_')
            *at = '-';
    return spelled;
}

static bool
append_features(GString *value, const Cpu *cpu, GError **err)
{
    for (gsize i = 0; i < cpu->n_features; i++) {
        const CpuFeature *feature = cpu->features[i];
        g_autofree char *name = feature_name(feature->name);
        bool is_off = feature->policy == CPU_FEATURE_POLICY_DISABLE ||
                      feature->policy == CPU_FEATURE_POLICY_FORBID;

        if (name[strcspn(name, ",=")])
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU feature '%s' has an impossible name",
                        feature->name);
        g_string_append_printf(value, ",%s=%s", name, is_off ? "off" : "on");
    }
    return true;
}

static void
append_hyperv(GString *value, const FeatureHyperv *hyperv)
{
    const struct {
        const char *name;
        Tristate state;
    } switches[] = {
        {"hv-relaxed", hyperv->relaxed_state},
        {"hv-vapic", hyperv->vapic_state},
        {"hv-vpindex", hyperv->vpindex_state},
        {"hv-runtime", hyperv->runtime_state},
        {"hv-synic", hyperv->synic_state},
        {"hv-stimer", hyperv->stimer.state},
        {"hv-stimer-direct", hyperv->stimer.direct_state},
        {"hv-reset", hyperv->reset_state},
        {"hv-frequencies", hyperv->frequencies_state},
        {"hv-reenlightenment", hyperv->reenlightenment_state},
        {"hv-tlbflush", hyperv->tlbflush_state},
        {"hv-ipi", hyperv->ipi_state},
        {"hv-evmcs", hyperv->evmcs_state},
        {"hv-avic", hyperv->avic_state},
    };

    if (hyperv->mode == HYPERV_MODE_PASSTHROUGH)
        g_string_append(value, ",hv-passthrough=on");
    for (gsize i = 0; i < G_N_ELEMENTS(switches); i++)
        if (switches[i].state == TRISTATE_ON)
            g_string_append_printf(value, ",%s=on", switches[i].name);
    if (hyperv->spinlocks.state == TRISTATE_ON)
        g_string_append_printf(value, ",hv-spinlocks=0x%x", hyperv->spinlocks.retries);
    if (hyperv->vendor_id.state == TRISTATE_ON && hyperv->vendor_id.value)
        g_string_append_printf(value, ",hv-vendor-id=%s", hyperv->vendor_id.value);
}

static void
append_timers(GString *value, const Clock *clock)
{
    for (gsize i = 0; i < clock->n_timers; i++) {
        const Timer *timer = clock->timers[i];

        if (timer->name == TIMER_NAME_KVMCLOCK && timer->present != TRISTATE_UNSET)
            g_string_append_printf(value, ",kvmclock=%s", onoff(timer->present));
        if (timer->name == TIMER_NAME_HYPERVCLOCK && timer->present == TRISTATE_YES)
            g_string_append(value, ",hv-time=on");
        if (timer->name == TIMER_NAME_TSC && timer->has_frequency)
            g_string_append_printf(value, ",tsc-frequency=%" G_GUINT64_FORMAT, timer->frequency);
    }
}

static bool
append_model(CommandLine *line, GString *value, GError **err)
{
    const Domain *dom = line->dom;
    const Cpu *cpu = &dom->cpu;
    bool is_hosts = cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM ||
                    cpu->mode == CPU_MODE_HOST_MODEL;
    const char *host_model =
        dom->type == VIRT_TYPE_KVM ? line->info->kvm_host_model : line->info->host_model;

    if (is_hosts && dom->type == VIRT_TYPE_KVM && !line->is_dry && !line->info->runs_kvm_host_cpu)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "KVM on this host does not run CPU mode '%s': choose a model by name",
                    cpu_mode_to_string(cpu->mode));
    switch (cpu->mode) {
    case CPU_MODE_HOST_PASSTHROUGH:
        if (dom->type != VIRT_TYPE_KVM)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "CPU mode 'host-passthrough' for %s %s domain on %s host is not supported "
                        "by hypervisor",
                        dom->os.arch, virt_type_to_string(dom->type), dom->os.arch);
        g_string_append(value, "host");
        if (cpu->migratable != TRISTATE_UNSET)
            g_string_append_printf(value, ",migratable=%s", onoff(cpu->migratable));
        break;
    case CPU_MODE_MAXIMUM:
        g_string_append(value, "max");
        if (cpu->migratable != TRISTATE_UNSET)
            g_string_append_printf(value, ",migratable=%s", onoff(cpu->migratable));
        break;
    case CPU_MODE_HOST_MODEL:
        if (!host_model)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "emulator '%s' does not say what CPU mode 'host-model' would be",
                        line->info->path);
        g_string_append(value, host_model);
        break;
    default:
        if (!cpu->model.text)
            return true;
        if (cpu->model.text[strcspn(cpu->model.text, ",=")])
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "CPU model '%s' has an impossible name",
                        cpu->model.text);
        g_string_append(value, cpu->model.text);
        if (cpu->model.vendor_id)
            g_string_append_printf(value, ",vendor=%s", cpu->model.vendor_id);
    }
    return append_features(value, cpu, err);
}

bool
command_add_cpu(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;
    const Features *features = &dom->features;
    const Cpu *cpu = &dom->cpu;
    g_autoptr(GString) value = g_string_new(NULL);

    if (!append_model(line, value, err))
        return false;
    if (value->len == 0) {
        const MachineType *machine = emulator_info_machine(line->info, dom->os.machine);

        if (!machine || !machine->default_cpu)
            return true;
        /* "qemu64-x86_64-cpu": the model is what stands before the architecture. */
        g_string_append_len(value, machine->default_cpu,
                            (gssize)strcspn(machine->default_cpu, "-"));
    }
    append_timers(value, &dom->clock);
    if (features->apic && features->apic->eoi != TRISTATE_UNSET)
        g_string_append_printf(value, ",kvm-pv-eoi=%s", onoff(features->apic->eoi));
    if (features->pvspinlock_state != TRISTATE_UNSET)
        g_string_append_printf(value, ",kvm-pv-unhalt=%s", onoff(features->pvspinlock_state));
    append_hyperv(value, &features->hyperv);
    for (gsize i = 0; i < dom->n_panics; i++)
        if (dom->panics[i]->model == PANIC_MODEL_HYPERV)
            g_string_append(value, ",hv-crash");
    if (features->kvm.hidden_state == TRISTATE_ON)
        g_string_append(value, ",kvm=off");
    if (features->kvm.hint_dedicated_state == TRISTATE_ON)
        g_string_append(value, ",kvm-hint-dedicated=on");
    if (features->kvm.poll_control_state == TRISTATE_ON)
        g_string_append(value, ",kvm-poll-control=on");
    if (features->pmu_state != TRISTATE_UNSET)
        g_string_append_printf(value, ",pmu=%s", onoff(features->pmu_state));
    if (cpu->cache && cpu->cache->mode == CPU_CACHE_MODE_EMULATE)
        g_string_append(value, ",l3-cache=on,host-cache-info=off");
    else if (cpu->cache && cpu->cache->mode == CPU_CACHE_MODE_PASSTHROUGH)
        g_string_append(value, ",host-cache-info=on,l3-cache=off");
    else if (cpu->cache)
        g_string_append(value, ",host-cache-info=off,l3-cache=off");
    if (cpu->maxphysaddr && cpu->maxphysaddr->mode == CPU_MAX_PHYS_ADDR_MODE_PASSTHROUGH)
        g_string_append(value, ",host-phys-bits=on");
    else if (cpu->maxphysaddr && cpu->maxphysaddr->has_bits)
        g_string_append_printf(value, ",phys-bits=%d", cpu->maxphysaddr->bits);
    line_add(line, "-cpu", value->str);
    return true;
}

GPtrArray *
command_memory_names(const EmulatorInfo *info, const Domain *dom)
{
    const MachineType *machine = emulator_info_machine(info, dom->os.machine);
    const CpuNuma *numa = &dom->cpu.numa;
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

    for (gsize i = 0; i < numa->n_cells; i++)
        g_ptr_array_add(names, cell_memory_id(numa->cells[i], (guint)i));
    if (numa->n_cells == 0 && machine && machine->default_ram)
        g_ptr_array_add(names, g_strdup(machine->default_ram));
    return names;
}

/* The RAM of a snapshot: its pages come when they are touched, and the file is never written. */
static bool
map_memory_object(CommandLine *line, const char *id, guint64 size_bytes, GError **err)
{
    const MemoryBlock *block = memory_cache_find(line->memory, id);

    if (!block || block->size != size_bytes)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "'%s.map' does not fit the memory '%s'",
                    line->memory->image_path, id);
    line_add_json(line, "-object",
                  json_pack("{s:s s:s s:s s:b s:b s:I}", "qom-type", "memory-backend-file", "id",
                            id, "mem-path", block->path, "share", 0,
                            "x-use-canonical-path-for-ramblock-id", 0, "size",
                            (json_int_t)size_bytes));
    return true;
}

/* A memory backend; anonymous memory unless the configuration asks for more. */
static bool
add_memory_object(CommandLine *line, const char *id, guint64 size_kib, NumaMemAccess cell_access,
                  GError **err)
{
    const MemoryBacking *backing = &line->dom->memory_backing;
    bool is_shared =
        cell_access == NUMA_MEM_ACCESS_SHARED ||
        (cell_access == NUMA_MEM_ACCESS_UNSET && backing->access_mode == MEMORY_ACCESS_SHARED);
    g_autoptr(Json) object = json_object();

    if (line->memory)
        return map_memory_object(line, id, size_kib * 1024, err);
    if (backing->hugepages)
        return line_refuse(err, "memoryBacking element <hugepages>");
    if (backing->source_type == MEMORY_BACKING_SOURCE_FILE)
        return line_refuse(err, "memoryBacking source type 'file'");
    json_add_string(object, "qom-type",
                    backing->source_type == MEMORY_BACKING_SOURCE_MEMFD ? "memory-backend-memfd"
                                                                        : "memory-backend-ram");
    json_add_string(object, "id", id);
    if (is_shared)
        json_add_bool(object, "share", true);
    if (backing->source_type == MEMORY_BACKING_SOURCE_MEMFD)
        json_add_bool(object, "x-use-canonical-path-for-ramblock-id", false);
    if (backing->allocation_mode == MEMORY_ALLOCATION_IMMEDIATE)
        json_add_bool(object, "prealloc", true);
    json_add_int(object, "size", (gint64)size_kib * 1024);
    line_add_json(line, "-object", g_steal_pointer(&object));
    return true;
}

static void
add_smp(CommandLine *line)
{
    const Domain *dom = line->dom;
    const CpuTopology *topology = &dom->cpu.topology;
    guint max = dom->vcpu.text;
    guint now = domain_vcpus_current(dom);
    g_autoptr(GString) value = g_string_new(NULL);

    g_string_append_printf(value, "%u", now);
    if (now != max)
        g_string_append_printf(value, ",maxcpus=%u", max);
    if (topology->has_sockets) {
        g_string_append_printf(value, ",sockets=%u", topology->sockets);
        if (topology->has_dies)
            g_string_append_printf(value, ",dies=%u", topology->dies);
        g_string_append_printf(value, ",cores=%u,threads=%u", topology->cores, topology->threads);
    } else {
        g_string_append_printf(value, ",sockets=%u,cores=1,threads=1", max);
    }
    line_add(line, "-smp", value->str);
}

bool
command_add_memory(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;
    const MachineType *machine = emulator_info_machine(line->info, dom->os.machine);

    if (dom->max_memory)
        line_addf(line, "-m", "size=%" G_GUINT64_FORMAT "k,slots=%u,maxmem=%" G_GUINT64_FORMAT "k",
                  dom->memory.text, dom->max_memory->slots, dom->max_memory->text);
    else
        line_addf(line, "-m", "%" G_GUINT64_FORMAT, (dom->memory.text + 1023) / 1024);
    if (needs_memory_object(line) &&
        !add_memory_object(line, machine->default_ram, (dom->memory.text + 1023) / 1024 * 1024,
                           NUMA_MEM_ACCESS_UNSET, err))
        return false;
    line_addf(line, "-overcommit", "mem-lock=%s", dom->memory_backing.locked ? "on" : "off");
    add_smp(line);
    return true;
}

static void
add_cell(CommandLine *line, const NumaCell *cell, guint number, const char *memory_id)
{
    g_autoptr(GString) value = g_string_new(NULL);

    g_string_append_printf(value, "node,nodeid=%u", number);
    for (int first = cell->cpus ? bitmap_next(cell->cpus, -1) : -1; first >= 0;) {
        int last = first;

        while (bitmap_has(cell->cpus, (guint)last + 1))
            last++;
        g_string_append_printf(value, first == last ? ",cpus=%d" : ",cpus=%d-%d", first, last);
        first = bitmap_next(cell->cpus, last);
    }
    g_string_append_printf(value, ",memdev=%s", memory_id);
    line_add(line, "-numa", value->str);
}

bool
command_add_numa(CommandLine *line, GError **err)
{
    const CpuNuma *numa = &line->dom->cpu.numa;

    if (numa->n_latencies || numa->n_bandwidths)
        return line_refuse(err, "NUMA element <interconnects>");
    for (gsize i = 0; i < numa->n_cells; i++) {
        const NumaCell *cell = numa->cells[i];
        guint number = cell->has_id ? cell->id : (guint)i;
        g_autofree char *id = cell_memory_id(cell, (guint)i);

        if (cell->n_caches)
            return line_refuse(err, "NUMA element <cache>");
        if (!add_memory_object(line, id, cell->memory, cell->mem_access, err))
            return false;
        add_cell(line, cell, number, id);
    }
    for (gsize i = 0; i < numa->n_cells; i++)
        for (gsize j = 0; j < numa->cells[i]->n_siblings; j++)
            line_addf(line, "-numa", "dist,src=%zu,dst=%u,val=%u", i,
                      numa->cells[i]->siblings[j]->id, numa->cells[i]->siblings[j]->value);
    return true;
}
