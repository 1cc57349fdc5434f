/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check stage: what is wrong with a domain whatever the hypervisor. Changes nothing; runs after all is filled in. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

static bool
check_disk_targets(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_disks; i++) {
        const Disk *disk = dom->disks[i];

        for (gsize j = 0; j < i; j++)
            if (strcmp(dom->disks[j]->target.dev, disk->target.dev) == 0)
                return fail(
                    err, VIR_ERR_XML_ERROR, "target '%s' duplicated for disk sources '%s' and '%s'",
                    disk->target.dev, disk_source_path(dom->disks[j]->type, &dom->disks[j]->source),
                    disk_source_path(disk->type, &disk->source));
    }
    return true;
}

static bool
check_channel(const Channel *channel, GError **err)
{
    /* a port of the guest's agent gets its socket at start */
    if (channel->type == CHARDEV_TYPE_UNIX && (channel->target.type == CHANNEL_TARGET_TYPE_VIRTIO ||
                                               channel->target.type == CHANNEL_TARGET_TYPE_XEN))
        return true;
    return chardev_check_valid(&channel->chardev, channel->type, err);
}

static bool
check_video(const Video *video, const Domain *dom, GError **err)
{
    if (video->model.type == VIDEO_TYPE_NONE && dom->n_videos > 1)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "a 'none' video type must be the only video device defined for the domain");
    if (video->model.type == VIDEO_TYPE_RAMFB && video->info.address.kind)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "address not supported for video type ramfb");
    return true;
}

static bool
check_memory_device(const MemoryDevice *memory, const Domain *dom, GError **err)
{
    if (memory->model != MEMORY_MODEL_VIRTIO_PMEM && !dom->cpu.numa.n_cells)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "can't add memory backend as guest has no NUMA nodes configured");
    if (!dom->max_memory)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "cannot use/hotplug a memory device when domain 'maxMemory' is not defined");
    return true;
}

static bool
check_shmem(const Shmem *shmem, GError **err)
{
    if (shmem->msi && !shmem->server && shmem->model_type != SHMEM_MODEL_IVSHMEM_DOORBELL)
        return fail(err, VIR_ERR_XML_ERROR, "msi option is only supported with a server");
    return true;
}

static bool
check_hostdev_place(const Hostdev *hostdev, GError **err)
{
    AddressType kind = hostdev->info.address.kind;

    if (hostdev->source.kind == HOSTDEV_TYPE_MDEV && hostdev->model == HOSTDEV_MODEL_VFIO_PCI &&
        kind && kind != ADDRESS_TYPE_PCI)
        return fail(err, VIR_ERR_XML_ERROR,
                    "Unsupported address type '%s' with mediated device model '%s'",
                    address_type_to_string(kind), hostdev_model_to_string(hostdev->model));
    return true;
}

/* What is wrong with one device, a part of @dom or about to become one. */
bool
domain_check_device(const Domain *dom, const DomainDevice *device, GError **err)
{
    const void *self = device->device;

    switch (device->kind) {
    case DOMAIN_DEVICE_DISK:
        return disk_check_valid(self, err);
    case DOMAIN_DEVICE_SERIAL:
        return chardev_check_valid(&((const Serial *)self)->chardev, ((const Serial *)self)->type,
                                   err);
    case DOMAIN_DEVICE_PARALLEL:
        return chardev_check_valid(&((const Parallel *)self)->chardev,
                                   ((const Parallel *)self)->type, err);
    case DOMAIN_DEVICE_CONSOLE:
        return chardev_check_valid(&((const Console *)self)->chardev, ((const Console *)self)->type,
                                   err);
    case DOMAIN_DEVICE_REDIRDEV:
        return chardev_check_valid(&((const Redirdev *)self)->chardev,
                                   ((const Redirdev *)self)->type, err);
    case DOMAIN_DEVICE_SMARTCARD:
        return ((const Smartcard *)self)->mode != SMARTCARD_MODE_PASSTHROUGH ||
               chardev_check_valid(&((const Smartcard *)self)->chardev,
                                   ((const Smartcard *)self)->type, err);
    case DOMAIN_DEVICE_CHANNEL:
        return check_channel(self, err);
    case DOMAIN_DEVICE_VIDEO:
        return check_video(self, dom, err);
    case DOMAIN_DEVICE_MEMORY:
        return check_memory_device(self, dom, err);
    case DOMAIN_DEVICE_SHMEM:
        return check_shmem(self, err);
    case DOMAIN_DEVICE_HOSTDEV:
        return check_hostdev_place(self, err) && hostdev_check_valid(self, dom, err);
    case DOMAIN_DEVICE_INTERFACE:
        return interface_check_valid(self, dom, err);
    default:
        return true;
    }
}

static bool
check_one_device(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    return domain_check_device(dom, device, err);
}

static bool
check_audios(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_audios; i++)
        for (gsize j = 0; j < i; j++)
            if (dom->audios[i]->id == dom->audios[j]->id)
                return fail(err, VIR_ERR_XML_ERROR, "audio ID %u is used multiple times",
                            dom->audios[i]->id);
    return true;
}

typedef struct {
    GHashTable *orders;
    GHashTable *aliases;
} Seen;

static bool
check_one_info(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    Seen *seen = data;
    const DeviceInfo *info = device->info;

    if (info && info->boot && !g_hash_table_add(seen->orders, GUINT_TO_POINTER(info->boot->order)))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "boot order '%u' used for more than one device", info->boot->order);
    if (info && alias_is_users(info->alias_name) &&
        !g_hash_table_add(seen->aliases, info->alias_name))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "non unique alias detected: %s",
                    info->alias_name);
    return true;
}

static bool
check_infos(const Domain *dom, GError **err)
{
    g_autoptr(GHashTable) orders = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) aliases = g_hash_table_new(g_str_hash, g_str_equal);
    Seen seen = {orders, aliases};

    return domain_each_device((Domain *)dom, check_one_info, &seen, err);
}

static bool
check_seclabels(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_seclabels && dom->n_seclabels > 1; i++)
        if (!dom->seclabels[i]->model)
            return fail(err, VIR_ERR_XML_ERROR,
                        "missing security model when using multiple labels");
    return true;
}

bool
domain_check_all(const Domain *dom, const ModelRules *rules, GError **err)
{
    if (!check_disk_targets(dom, err) ||
        !domain_each_device((Domain *)dom, check_one_device, NULL, err) ||
        !check_audios(dom, err) || !check_seclabels(dom, err) || !domain_check_memory(dom, err))
        return false;
    return check_infos(dom, err) && domain_check_os(dom, err) && domain_check_tuning(dom, err);
}
