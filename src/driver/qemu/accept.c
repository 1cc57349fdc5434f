/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU refuses about the machine itself: processor, memory, firmware, features, tuning. Devices: accept_devices.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/accept.h"

#include <string.h>

#include "base/error.h"

static bool
accept_cpu_cache(const Cpu *cpu, GError **err)
{
    const CpuCache *cache = cpu->cache;
    bool is_hosts = cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM;

    if (!cache)
        return true;
    switch (cache->mode) {
    case CPU_CACHE_MODE_EMULATE:
        if (!cache->has_level || cache->level != 3)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "CPU cache mode '%s' can only be used with level='3'",
                        cpu_cache_mode_to_string(cache->mode));
        return true;
    case CPU_CACHE_MODE_PASSTHROUGH:
        if (!is_hosts)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "CPU cache mode '%s' can only be used with '%s' / '%s' CPUs",
                        cpu_cache_mode_to_string(cache->mode),
                        cpu_mode_to_string(CPU_MODE_HOST_PASSTHROUGH),
                        cpu_mode_to_string(CPU_MODE_MAXIMUM));
        break;
    default:
        break;
    }
    if (cache->has_level)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unsupported CPU cache level for mode '%s'",
                    cpu_cache_mode_to_string(cache->mode));
    return true;
}

static bool
accept_address_bits(const Cpu *cpu, GError **err)
{
    const CpuMaxPhysAddr *bits = cpu->maxphysaddr;

    if (!bits)
        return true;
    if (bits->mode == CPU_MAX_PHYS_ADDR_MODE_PASSTHROUGH) {
        if (cpu->mode != CPU_MODE_HOST_PASSTHROUGH)
            return fail(
                err, VIR_ERR_CONFIG_UNSUPPORTED,
                "CPU maximum physical address bits mode '%s' can only be used with '%s' CPUs",
                cpu_max_phys_addr_mode_to_string(bits->mode),
                cpu_mode_to_string(CPU_MODE_HOST_PASSTHROUGH));
        if (bits->has_bits)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "CPU maximum physical address bits number specification cannot be used "
                        "with mode='%s'",
                        cpu_max_phys_addr_mode_to_string(bits->mode));
    }
    if (bits->mode == CPU_MAX_PHYS_ADDR_MODE_EMULATE && !bits->has_bits)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "if using CPU maximum physical address mode='%s', bits= must be specified too",
                    cpu_max_phys_addr_mode_to_string(bits->mode));
    return true;
}

static bool
accept_topology(const Domain *dom, GError **err)
{
    const CpuTopology *topology = &dom->cpu.topology;

    if (topology->has_sockets &&
        (guint64)topology->sockets * topology->dies * topology->cores * topology->threads !=
            dom->vcpu.text)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "CPU topology doesn't match maximum vcpu count");
    for (gsize i = 0; i < dom->n_vcpu_entries; i++)
        if (dom->vcpu_entries[i]->id == 0 && !dom->vcpu_entries[i]->enabled)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "vcpu 0 can't be offline");
    return true;
}

static bool
accept_memory(const Domain *dom, GError **err)
{
    if (dom->max_memory && !dom->cpu.numa.n_cells)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "At least one numa node has to be configured when enabling memory hotplug");
    return true;
}

static bool
accept_firmware(const Domain *dom, GError **err)
{
    bool is_efi = dom->os.firmware == OS_FIRMWARE_EFI || dom->os.loader.type == LOADER_TYPE_PFLASH;

    if (is_efi && domain_is_x86(dom) && !dom->features.acpi)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "UEFI requires ACPI on this architecture");
    return true;
}

static bool
refuse_feature(const Domain *dom, const char *name, GError **err)
{
    return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "The '%s' feature is not supported for architecture '%s' or machine type '%s'",
                name, dom->os.arch, dom->os.machine);
}

static bool
accept_features(const Domain *dom, GError **err)
{
    const Features *features = &dom->features;

    if (features->hpt.resizing || features->hpt.has_maxpagesize)
        return refuse_feature(dom, "hpt", err);
    if (features->htm_state)
        return refuse_feature(dom, "htm", err);
    if (features->nested_hv_state)
        return refuse_feature(dom, "nested-hv", err);
    if (features->ccf_assist_state)
        return refuse_feature(dom, "ccf-assist", err);
    if (features->cfpc_value)
        return refuse_feature(dom, "cfpc", err);
    if (features->sbbc_value)
        return refuse_feature(dom, "sbbc", err);
    if (features->ibs_value)
        return refuse_feature(dom, "ibs", err);
    if (features->gic)
        return refuse_feature(dom, "gic", err);
    if (features->smm && features->smm->state == TRISTATE_ON && !domain_is_q35(dom))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "smm is not available with the machine type '%s'", dom->os.machine);
    return true;
}

static bool
accept_tuning(const Domain *dom, GError **err)
{
    if ((dom->cputune.n_cachetunes || dom->cputune.n_memorytunes) && dom->type != VIRT_TYPE_KVM)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "cachetune is only supported for KVM domains");
    if (dom->launch_security)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "%s launch security is not supported with this QEMU binary",
                    dom->launch_security->type == LAUNCH_SECURITY_TYPE_SEV ? "SEV" : "S390 PV");
    if (dom->n_keywrap_ciphers)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "key wrapping is not supported for architecture '%s'", dom->os.arch);
    return true;
}

bool
qemu_accept_domain(const Domain *dom, GError **err)
{
    return accept_cpu_cache(&dom->cpu, err) && accept_address_bits(&dom->cpu, err) &&
           accept_topology(dom, err) && accept_memory(dom, err) && accept_firmware(dom, err) &&
           accept_features(dom, err) && accept_tuning(dom, err) && qemu_accept_devices(dom, err);
}
