/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Balloon, random numbers, watchdog, panic, generation id; and the refusal of whole kinds of devices. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/command_line.h"

static bool
add_watchdog(CommandLine *line, const Watchdog *watchdog, GError **err)
{
    g_autoptr(Json) device = NULL;

    if (watchdog->model != WATCHDOG_MODEL_I6300ESB && watchdog->model != WATCHDOG_MODEL_IB700)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "watchdog model '%s' is not supported by this QEMU driver",
                    watchdog_model_to_string(watchdog->model));
    device = json_pack("{s:s s:s}", "driver", watchdog_model_to_string(watchdog->model), "id",
                       watchdog->info.alias_name);
    if (!json_add_address(line, device, &watchdog->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    /* dump: the emulator pauses, and the driver would write the dump. */
    if (watchdog->action == WATCHDOG_ACTION_DUMP)
        return line_refuse(err, "watchdog action 'dump'");
    line_add(line, "-watchdog-action", watchdog_action_to_string(watchdog->action));
    return true;
}

bool
command_add_watchdogs(CommandLine *line, GError **err)
{
    for (gsize i = 0; i < line->dom->n_watchdogs; i++)
        if (!add_watchdog(line, line->dom->watchdogs[i], err))
            return false;
    return true;
}

static bool
add_balloon(CommandLine *line, const Memballoon *balloon, GError **err)
{
    g_autofree char *driver = NULL;
    g_autoptr(Json) device = NULL;

    if (!balloon || balloon->model == MEMBALLOON_MODEL_NONE)
        return true;
    if (balloon->model == MEMBALLOON_MODEL_XEN)
        return line_refuse(err, "memballoon model 'xen'");
    driver = virtio_device_name("virtio-balloon", &balloon->info,
                                memballoon_model_to_string(balloon->model));
    device = json_pack("{s:s}", "driver", driver);
    json_add_virtio(device, &balloon->driver.virtio);
    json_add_string(device, "id", balloon->info.alias_name);
    json_add_tristate(device, "deflate-on-oom", balloon->autodeflate);
    json_add_tristate(device, "free-page-reporting", balloon->free_page_reporting);
    if (!json_add_address(line, device, &balloon->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static bool
add_rng(CommandLine *line, const Rng *rng, GError **err)
{
    g_autofree char *object_id = g_strconcat("obj", rng->info.alias_name, NULL);
    g_autofree char *chardev_id = g_strconcat("char", rng->info.alias_name, NULL);
    g_autofree char *driver =
        virtio_device_name("virtio-rng", &rng->info, rng_model_to_string(rng->model));
    g_autoptr(Json) device = json_pack("{s:s}", "driver", driver);

    switch (rng->backend.model) {
    case RNG_BACKEND_MODEL_RANDOM:
        line_add_json(line, "-object",
                      json_pack("{s:s s:s s:s}", "qom-type", "rng-random", "id", object_id,
                                "filename",
                                rng->backend.text ? rng->backend.text : "/dev/urandom"));
        break;
    case RNG_BACKEND_MODEL_BUILTIN:
        line_add_json(line, "-object",
                      json_pack("{s:s s:s}", "qom-type", "rng-builtin", "id", object_id));
        break;
    default:
        if (!command_add_chardev(line, chardev_id, rng->backend.type, &rng->backend.chardev, err))
            return false;
        line_add_json(line, "-object",
                      json_pack("{s:s s:s s:s}", "qom-type", "rng-egd", "id", object_id, "chardev",
                                chardev_id));
    }
    json_add_virtio(device, &rng->driver.virtio);
    json_add_string(device, "rng", object_id);
    json_add_string(device, "id", rng->info.alias_name);
    if (rng->rate) {
        json_add_int(device, "max-bytes", rng->rate->bytes);
        json_add_int(device, "period", rng->rate->has_period ? rng->rate->period : 1000);
    }
    if (!json_add_address(line, device, &rng->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static bool
add_panic(CommandLine *line, const Panic *panic, GError **err)
{
    g_autoptr(Json) device = NULL;

    switch (panic->model) {
    case PANIC_MODEL_ISA:
        device = json_pack("{s:s}", "driver", "pvpanic");
        if (panic->info.address.kind == ADDRESS_TYPE_ISA && panic->info.address.isa->has_iobase)
            json_add_int(device, "ioport", panic->info.address.isa->iobase);
        break;
    case PANIC_MODEL_PVPANIC:
        device = json_pack("{s:s}", "driver", "pvpanic-pci");
        if (!json_add_address(line, device, &panic->info, err))
            return false;
        break;
    case PANIC_MODEL_HYPERV:
        return true; /* a CPU feature */
    default:
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "panic model '%s' is not supported by this QEMU driver",
                    panic_model_to_string(panic->model));
    }
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

bool
command_add_misc(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    if (!add_balloon(line, dom->memballoon, err))
        return false;
    for (gsize i = 0; i < dom->n_rngs; i++)
        if (!add_rng(line, dom->rngs[i], err))
            return false;
    if (dom->genid && dom->genid->has_text) {
        char uuid[UUID_TEXT];

        uuid_format(dom->genid->text, uuid);
        line_add_json(
            line, "-device",
            json_pack("{s:s s:s s:s}", "driver", "vmgenid", "guid", uuid, "id", "vmgenid0"));
    }
    if (dom->features.vmcoreinfo_state == TRISTATE_ON)
        line_add_json(line, "-device", json_pack("{s:s}", "driver", "vmcoreinfo"));
    for (gsize i = 0; i < dom->n_panics; i++)
        if (!add_panic(line, dom->panics[i], err))
            return false;
    return true;
}

static bool
check_tuning(const Domain *dom, GError **err)
{
    const CpuTune *tune = &dom->cputune;

    if (dom->blkiotune.has_weight || dom->blkiotune.n_devices)
        return line_refuse(err, "element <blkiotune>");
    if (dom->memtune.has_hard_limit || dom->memtune.has_soft_limit ||
        dom->memtune.has_swap_hard_limit)
        return line_refuse(err, "element <memtune>");
    if (tune->has_shares || tune->has_quota || tune->has_global_quota || tune->has_emulator_quota ||
        tune->has_iothread_quota || tune->emulatorsched || tune->n_vcpuscheds ||
        tune->n_iothreadscheds || tune->n_cachetunes || tune->n_memorytunes)
        return line_refuse(err, "element <cputune>");
    if (dom->numatune.memory.nodeset || dom->numatune.n_memnodes ||
        dom->numatune.memory.placement == NUMA_PLACEMENT_AUTO)
        return line_refuse(err, "element <numatune>");
    if (dom->vcpu.placement == VCPU_PLACEMENT_AUTO)
        return line_refuse(err, "automatic placement of vCPUs (attribute 'placement')");
    for (gsize i = 0; i < dom->n_perf_events; i++)
        if (dom->perf_events[i]->enabled)
            return line_refuse(err, "element <perf>");
    return true;
}

static bool
check_seclabels(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_seclabels; i++) {
        const Seclabel *label = dom->seclabels[i];

        if (label->type == SECLABEL_TYPE_NONE)
            continue;
        if (label->model && strcmp(label->model, "none") != 0 && strcmp(label->model, "dac") != 0)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "seclabel model '%s' is not supported by this QEMU driver", label->model);
        if (label->label || label->baselabel || label->type == SECLABEL_TYPE_STATIC)
            return line_refuse(err, "confinement (element <seclabel>)");
    }
    return true;
}

bool
command_refuse_unsupported(const Domain *dom, GError **err)
{
    const struct {
        bool is_there;
        const char *what;
    } kinds[] = {
        {dom->n_filesystems > 0, "element <filesystem>"},
        {dom->n_smartcards > 0, "element <smartcard>"},
        {dom->n_tpms > 0, "element <tpm>"},
        {dom->n_hostdevs > 0, "element <hostdev>"},
        {dom->n_redirdevs > 0, "element <redirdev>"},
        {dom->n_leases > 0, "element <lease>"},
        {dom->n_shmems > 0, "element <shmem>"},
        {dom->n_memory_devices > 0, "device element <memory>"},
        {dom->n_cryptos > 0, "element <crypto>"},
        {dom->nvram_device != NULL, "device element <nvram>"},
        {dom->iommu != NULL, "element <iommu>"},
        {dom->vsock != NULL, "element <vsock>"},
        {dom->launch_security != NULL, "element <launchSecurity>"},
        {dom->n_keywrap_ciphers > 0, "element <keywrap>"},
        {dom->n_qemu_override_devices > 0, "element <qemu:override>"},
        {dom->fibrechannel_appid != NULL, "element <fibrechannel>"},
        {dom->bootloader != NULL, "element <bootloader>"},
        {dom->os.type != OS_TYPE_HVM, "an operating system type other than 'hvm'"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (kinds[i].is_there)
            return line_refuse(err, kinds[i].what);
    return check_tuning(dom, err) && check_seclabels(dom, err);
}
