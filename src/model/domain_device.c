/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walking over all devices of a domain, and finding one: the only place that lists every kind of device.
 * Next: domain_address.c and domain_alias.c use it. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain.h"

#include <string.h>

#include "base/error.h"

static const char *const kind_names[] = {
    [DOMAIN_DEVICE_NONE] = "none",
    [DOMAIN_DEVICE_DISK] = "disk",
    [DOMAIN_DEVICE_CONTROLLER] = "controller",
    [DOMAIN_DEVICE_LEASE] = "lease",
    [DOMAIN_DEVICE_FILESYSTEM] = "filesystem",
    [DOMAIN_DEVICE_INTERFACE] = "interface",
    [DOMAIN_DEVICE_SMARTCARD] = "smartcard",
    [DOMAIN_DEVICE_SERIAL] = "serial",
    [DOMAIN_DEVICE_PARALLEL] = "parallel",
    [DOMAIN_DEVICE_CONSOLE] = "console",
    [DOMAIN_DEVICE_CHANNEL] = "channel",
    [DOMAIN_DEVICE_INPUT] = "input",
    [DOMAIN_DEVICE_TPM] = "tpm",
    [DOMAIN_DEVICE_GRAPHICS] = "graphics",
    [DOMAIN_DEVICE_SOUND] = "sound",
    [DOMAIN_DEVICE_AUDIO] = "audio",
    [DOMAIN_DEVICE_VIDEO] = "video",
    [DOMAIN_DEVICE_HOSTDEV] = "hostdev",
    [DOMAIN_DEVICE_REDIRDEV] = "redirdev",
    [DOMAIN_DEVICE_HUB] = "hub",
    [DOMAIN_DEVICE_WATCHDOG] = "watchdog",
    [DOMAIN_DEVICE_MEMBALLOON] = "memballoon",
    [DOMAIN_DEVICE_RNG] = "rng",
    [DOMAIN_DEVICE_NVRAM] = "nvram",
    [DOMAIN_DEVICE_PANIC] = "panic",
    [DOMAIN_DEVICE_SHMEM] = "shmem",
    [DOMAIN_DEVICE_MEMORY] = "memory",
    [DOMAIN_DEVICE_CRYPTO] = "crypto",
    [DOMAIN_DEVICE_IOMMU] = "iommu",
    [DOMAIN_DEVICE_VSOCK] = "vsock",
};

const char *
domain_device_kind_name(DomainDeviceKind kind)
{
    g_assert(kind < G_N_ELEMENTS(kind_names));
    return kind_names[kind];
}

/* Does the console show the same device as the first serial port? Then it has no alias and no address of its own. */
static bool
console_mirrors_serial(const Domain *dom, gsize index)
{
    const Console *console = dom->consoles[index];

    return index == 0 && dom->n_serials > 0 && dom->os.type == OS_TYPE_HVM &&
           (console->target_type == CONSOLE_TARGET_TYPE_SERIAL ||
            console->target_type == CONSOLE_TARGET_TYPE_UNSET);
}

#define VISIT(KIND, pointer, info_pointer, i)                                          \
    G_STMT_START                                                                       \
    {                                                                                  \
        DomainDevice device_ = {DOMAIN_DEVICE_##KIND, (pointer), (info_pointer), (i)}; \
        if (!fn(dom, &device_, data, err))                                             \
            return false;                                                              \
    }                                                                                  \
    G_STMT_END

#define VISIT_LIST(KIND, list)                \
    for (gsize i = 0; i < dom->n_##list; i++) \
    VISIT(KIND, dom->list[i], &dom->list[i]->info, i)

#define VISIT_PLAIN(KIND, list)               \
    for (gsize i = 0; i < dom->n_##list; i++) \
    VISIT(KIND, dom->list[i], NULL, i)

#define VISIT_ONE(KIND, member) \
    if (dom->member)            \
    VISIT(KIND, dom->member, &dom->member->info, 0)

static bool
each_character_device(Domain *dom, DomainDeviceFn fn, void *data, GError **err)
{
    VISIT_LIST(SMARTCARD, smartcards);
    VISIT_LIST(PARALLEL, parallels);
    VISIT_LIST(SERIAL, serials);
    VISIT_LIST(CHANNEL, channels);
    for (gsize i = 0; i < dom->n_consoles; i++)
        if (!console_mirrors_serial(dom, i))
            VISIT(CONSOLE, dom->consoles[i], &dom->consoles[i]->info, i);
    return true;
}

bool
domain_each_device(Domain *dom, DomainDeviceFn fn, void *data, GError **err)
{
    VISIT_LIST(DISK, disks);
    VISIT_LIST(INTERFACE, interfaces);
    VISIT_LIST(SOUND, sounds);
    VISIT_LIST(HOSTDEV, hostdevs);
    VISIT_LIST(FILESYSTEM, filesystems);
    VISIT_LIST(CONTROLLER, controllers);
    if (!each_character_device(dom, fn, data, err))
        return false;
    VISIT_LIST(INPUT, inputs);
    VISIT_LIST(VIDEO, videos);
    VISIT_LIST(HUB, hubs);
    VISIT_LIST(REDIRDEV, redirdevs);
    VISIT_LIST(WATCHDOG, watchdogs);
    VISIT_ONE(MEMBALLOON, memballoon);
    VISIT_LIST(RNG, rngs);
    VISIT_ONE(NVRAM, nvram_device);
    VISIT_LIST(SHMEM, shmems);
    VISIT_LIST(MEMORY, memory_devices);
    VISIT_LIST(PANIC, panics);
    VISIT_LIST(TPM, tpms);
    VISIT_ONE(IOMMU, iommu);
    VISIT_ONE(VSOCK, vsock);
    VISIT_LIST(CRYPTO, cryptos);
    VISIT_PLAIN(GRAPHICS, graphics);
    VISIT_PLAIN(AUDIO, audios);
    VISIT_PLAIN(LEASE, leases);
    return true;
}

Disk *
domain_find_disk(const Domain *dom, const char *name)
{
    for (gsize i = 0; i < dom->n_disks; i++)
        if (g_strcmp0(dom->disks[i]->target.dev, name) == 0)
            return dom->disks[i];
    if (name[0] != '/')
        return NULL;
    for (gsize i = 0; i < dom->n_disks; i++)
        if (g_strcmp0(disk_source_path(dom->disks[i]->type, &dom->disks[i]->source), name) == 0)
            return dom->disks[i];
    return NULL;
}

Controller *
domain_find_controller(const Domain *dom, ControllerType type, guint index)
{
    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == type && dom->controllers[i]->has_index &&
            dom->controllers[i]->index == index)
            return dom->controllers[i];
    return NULL;
}

Interface *
domain_find_interface(const Domain *dom, const guchar mac[6])
{
    for (gsize i = 0; i < dom->n_interfaces; i++)
        if (memcmp(dom->interfaces[i]->mac.address, mac, 6) == 0)
            return dom->interfaces[i];
    return NULL;
}

typedef struct {
    const char *alias;
    DomainDevice *found;
} AliasSearch;

static bool
match_alias(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    AliasSearch *search = data;

    if (!device->info || g_strcmp0(device->info->alias_name, search->alias) != 0)
        return true;
    *search->found = *device;
    return false;
}

bool
domain_find_alias(Domain *dom, const char *alias, DomainDevice *found)
{
    AliasSearch search = {alias, found};

    return !domain_each_device(dom, match_alias, &search, NULL);
}

static bool
machine_is(const Domain *dom, const char *name, const char *prefix)
{
    return dom->os.machine &&
           (strcmp(dom->os.machine, name) == 0 || g_str_has_prefix(dom->os.machine, prefix));
}

bool
domain_is_x86(const Domain *dom)
{
    return dom->os.arch &&
           (strcmp(dom->os.arch, "x86_64") == 0 || strcmp(dom->os.arch, "i686") == 0);
}

bool
domain_is_q35(const Domain *dom)
{
    return domain_is_x86(dom) && machine_is(dom, "q35", "pc-q35-");
}

bool
domain_is_i440fx(const Domain *dom)
{
    /* Before 1.4 a versioned machine was called pc-0.15, pc-1.3 */
    return domain_is_x86(dom) && (machine_is(dom, "pc", "pc-i440fx-") ||
                                  machine_is(dom, "pc", "pc-0.") || machine_is(dom, "pc", "pc-1."));
}

bool
domain_has_pcie_root(const Domain *dom)
{
    const Controller *root = domain_find_controller(dom, CONTROLLER_TYPE_PCI, 0);

    return root && root->model == CONTROLLER_MODEL_PCIE_ROOT;
}

guint
domain_vcpus_current(const Domain *dom)
{
    return dom->vcpu.has_current ? dom->vcpu.current : dom->vcpu.text;
}
