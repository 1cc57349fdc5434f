/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check stage: what is wrong with a domain whatever the hypervisor. Changes nothing; runs after all is filled in. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

static bool
check_disks(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_disks; i++) {
        const Disk *disk = dom->disks[i];

        if (!disk_check_valid(disk, err))
            return false;
        for (gsize j = 0; j < i; j++)
            if (strcmp(dom->disks[j]->target.dev, disk->target.dev) == 0)
                return fail(
                    err, VIR_ERR_XML_ERROR, "target '%s' duplicated for disk sources '%s' and '%s'",
                    disk->target.dev, disk_source_path(dom->disks[j]->type, &dom->disks[j]->source),
                    disk_source_path(disk->type, &disk->source));
    }
    return true;
}

#define CHECK_CHARDEVS(list, n)                                              \
    for (gsize i = 0; i < (n); i++)                                          \
        if (!chardev_check_valid(&(list)[i]->chardev, (list)[i]->type, err)) \
            return false;

static bool
check_chardevs(const Domain *dom, GError **err)
{
    CHECK_CHARDEVS(dom->serials, dom->n_serials)
    CHECK_CHARDEVS(dom->parallels, dom->n_parallels)
    CHECK_CHARDEVS(dom->consoles, dom->n_consoles)
    CHECK_CHARDEVS(dom->redirdevs, dom->n_redirdevs)
    for (gsize i = 0; i < dom->n_channels; i++) {
        const Channel *channel = dom->channels[i];

        /* a port of the guest's agent gets its socket at start */
        if (channel->type == CHARDEV_TYPE_UNIX &&
            (channel->target.type == CHANNEL_TARGET_TYPE_VIRTIO ||
             channel->target.type == CHANNEL_TARGET_TYPE_XEN))
            continue;
        if (!chardev_check_valid(&channel->chardev, channel->type, err))
            return false;
    }
    for (gsize i = 0; i < dom->n_smartcards; i++)
        if (dom->smartcards[i]->mode == SMARTCARD_MODE_PASSTHROUGH &&
            !chardev_check_valid(&dom->smartcards[i]->chardev, dom->smartcards[i]->type, err))
            return false;
    return true;
}

static bool
check_videos(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_videos; i++) {
        const Video *video = dom->videos[i];

        if (video->model.type == VIDEO_TYPE_NONE && dom->n_videos > 1)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "a 'none' video type must be the only video device defined for the domain");
        if (video->model.type == VIDEO_TYPE_RAMFB && video->info.address.kind)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "address not supported for video type ramfb");
    }
    return true;
}

static bool
check_audios(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_audios; i++)
        for (gsize j = 0; j < i; j++)
            if (dom->audios[i]->id == dom->audios[j]->id)
                return fail(err, VIR_ERR_XML_ERROR, "audio device with ID '%u' already exists",
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
    if (!check_disks(dom, err) || !check_chardevs(dom, err) || !check_videos(dom, err) ||
        !check_audios(dom, err) || !check_seclabels(dom, err) || !domain_check_memory(dom, err))
        return false;
    for (gsize i = 0; i < dom->n_hostdevs; i++)
        if (!hostdev_check_valid(dom->hostdevs[i], dom, err))
            return false;
    for (gsize i = 0; i < dom->n_interfaces; i++)
        if (!interface_check_valid(dom->interfaces[i], dom, err))
            return false;
    return check_infos(dom, err) && domain_check_os(dom, err) && domain_check_tuning(dom, err);
}
