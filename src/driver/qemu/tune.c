/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory and how many processors a guest has: the balloon of a running guest, and the configuration. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/stats.h"

bool
guest_settle_affect(const Guest *guest, guint flags, bool *is_live, bool *is_config, GError **err)
{
    *is_live = flags & VIR_DOMAIN_AFFECT_LIVE;
    *is_config = flags & VIR_DOMAIN_AFFECT_CONFIG;
    if (!*is_live && !*is_config) {
        *is_live = guest_is_running(guest);
        *is_config = !*is_live;
    }
    if (*is_live && !guest_is_running(guest))
        return fail_not_running(err);
    if (*is_config && !guest->is_persistent)
        return fail_transient(err);
    return true;
}

bool
guest_change_config(Guest *guest, Domain *take_config, GError **err)
{
    g_autoptr(Domain) before = domain_copy(guest_config(guest));

    guest_set_config(guest, take_config);
    if (guest_save_config(guest, err))
        return guest_publish(guest, err);
    guest_set_config(guest, g_steal_pointer(&before));
    return false;
}

/* ---- memory ---- */

static bool
set_live_memory(Guest *guest, guint64 memory_kib, GError **err)
{
    const Domain *live = guest_live(guest);
    g_autofree char *path = balloon_path(live);

    if (!path)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "Unable to change memory of active domain without the balloon device and guest "
                    "OS balloon driver");
    if (memory_kib > live->memory.text)
        return fail(err, VIR_ERR_INVALID_ARG, "cannot set memory higher than max memory");
    /* The guest's answer is an event, which changes the definition. */
    return qmp_run(guest->emulator->qmp, "balloon",
                   json_pack("{s:I}", "value", (json_int_t)memory_kib * 1024), err);
}

static bool
set_config_memory(Guest *guest, guint64 memory_kib, bool is_maximum, GError **err)
{
    g_autoptr(Domain) config = domain_copy(guest_config(guest));

    if (is_maximum) {
        if (config->cpu.numa.n_cells)
            return fail(
                err, VIR_ERR_CONFIG_UNSUPPORTED,
                "initial memory size of a domain with NUMA nodes cannot be modified with this API");
        config->memory.text = memory_kib;
        if (config->has_current_memory && config->current_memory > memory_kib)
            config->current_memory = memory_kib;
    } else {
        if (memory_kib > config->memory.text)
            return fail(err, VIR_ERR_INVALID_ARG, "cannot set memory higher than max memory");
        config->current_memory = memory_kib;
        config->has_current_memory = true;
    }
    return guest_change_config(guest, g_steal_pointer(&config), err);
}

static bool
set_memory(Call *call, const RemoteNonnullDomain *dom, guint64 memory_kib, guint flags,
           GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);
    bool is_maximum = flags & VIR_DOMAIN_MEM_MAXIMUM;
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(
            call, flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_MEM_MAXIMUM,
            err) ||
        !guest_settle_affect(guest, flags, &is_live, &is_config, err))
        return false;
    if (memory_kib == 0)
        return fail(err, VIR_ERR_INVALID_ARG, "memory size is zero");
    if (is_live && is_maximum)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "cannot resize the maximum memory on an active domain");
    return (!is_live || set_live_memory(guest, memory_kib, err)) &&
           (!is_config || set_config_memory(guest, memory_kib, is_maximum, err));
}

static bool
qemu_domain_set_memory(Call *call, const RemoteDomainSetMemoryArgs *args, GError **err)
{
    return set_memory(call, &args->dom, args->memory, VIR_DOMAIN_AFFECT_LIVE, err);
}

static bool
qemu_domain_set_memory_flags(Call *call, const RemoteDomainSetMemoryFlagsArgs *args, GError **err)
{
    return set_memory(call, &args->dom, args->memory, args->flags, err);
}

static bool
qemu_domain_set_max_memory(Call *call, const RemoteDomainSetMaxMemoryArgs *args, GError **err)
{
    return set_memory(call, &args->dom, args->memory, VIR_DOMAIN_MEM_MAXIMUM, err);
}

static void
set_period(Domain *dom, int period)
{
    if (dom->memballoon) {
        dom->memballoon->stats_period = (guint)period;
        dom->memballoon->has_stats_period = period > 0;
    }
}

static bool
qemu_domain_set_memory_stats_period(Call *call, const RemoteDomainSetMemoryStatsPeriodArgs *args,
                                    GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autofree char *path = NULL;
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
                          err) ||
        !guest_settle_affect(guest, args->flags, &is_live, &is_config, err))
        return false;
    if (args->period < 0)
        return fail(err, VIR_ERR_INVALID_ARG, "the period is negative");
    path = guest_live(guest) ? balloon_path(guest_live(guest)) : NULL;
    if (is_live) {
        Domain *live;

        if (!path)
            return fail(err, VIR_ERR_OPERATION_INVALID,
                        "No memory balloon device configured, can not set the collection period");
        if (!qmp_run(guest->emulator->qmp, "qom-set",
                     json_pack("{s:s s:s s:i}", "path", path, "property",
                               "guest-stats-polling-interval", "value", args->period),
                     err))
            return false;
        live = domain_copy(guest_live(guest));
        set_period(live, args->period);
        guest_set_live(guest, live);
        guest_changed(guest);
    }
    if (is_config) {
        Domain *config = domain_copy(guest_config(guest));

        set_period(config, args->period);
        return guest_change_config(guest, config, err);
    }
    return true;
}

/* ---- processors ---- */

static bool
set_vcpus(Call *call, const RemoteNonnullDomain *dom, guint count, guint flags, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);
    g_autoptr(Domain) config = NULL;
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(
            call, flags,
            VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_VCPU_MAXIMUM, err) ||
        !guest_settle_affect(guest, flags, &is_live, &is_config, err))
        return false;
    if (count == 0)
        return fail(err, VIR_ERR_INVALID_ARG, "the number of vCPUs is zero");
    if (is_live)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "vCPUs of a running domain cannot be changed");
    config = domain_copy(guest_config(guest));
    if (flags & VIR_DOMAIN_VCPU_MAXIMUM) {
        const CpuTopology *topology = &config->cpu.topology;
        guint dies = topology->has_dies ? topology->dies : 1;

        if (topology->has_sockets &&
            topology->sockets * dies * topology->cores * topology->threads != count)
            return fail(err, VIR_ERR_INVALID_ARG,
                        "CPU topology doesn't match the desired vcpu count");
        config->vcpu.text = count;
        config->vcpu.has_text = true;
        if (config->vcpu.has_current && config->vcpu.current >= count)
            config->vcpu.has_current = false;
    } else {
        if (count > config->vcpu.text)
            return fail(err, VIR_ERR_INVALID_ARG,
                        "requested vcpus is greater than max allowable vcpus for the persistent "
                        "domain: %u > %u",
                        count, config->vcpu.text);
        config->vcpu.current = count;
        config->vcpu.has_current = count != config->vcpu.text;
    }
    return guest_change_config(guest, g_steal_pointer(&config), err);
}

static bool
qemu_domain_set_vcpus(Call *call, const RemoteDomainSetVcpusArgs *args, GError **err)
{
    return set_vcpus(call, &args->dom, args->nvcpus, VIR_DOMAIN_AFFECT_LIVE, err);
}

static bool
qemu_domain_set_vcpus_flags(Call *call, const RemoteDomainSetVcpusFlagsArgs *args, GError **err)
{
    return set_vcpus(call, &args->dom, args->nvcpus, args->flags, err);
}

void
qemu_tune_slots(DriverSlots *slots)
{
    slots->domain_set_memory = qemu_domain_set_memory;
    slots->domain_set_memory_flags = qemu_domain_set_memory_flags;
    slots->domain_set_max_memory = qemu_domain_set_max_memory;
    slots->domain_set_memory_stats_period = qemu_domain_set_memory_stats_period;
    slots->domain_set_vcpus = qemu_domain_set_vcpus;
    slots->domain_set_vcpus_flags = qemu_domain_set_vcpus_flags;
}
