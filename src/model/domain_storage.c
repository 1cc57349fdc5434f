/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage sources: what their type makes of the flat DiskSource, and names of disk targets. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain.h"

#include <string.h>

#include "base/error.h"

const char *
disk_source_path(StorageType type, const DiskSource *source)
{
    switch (type) {
    case STORAGE_TYPE_FILE:
        return source->file;
    case STORAGE_TYPE_BLOCK:
        return source->dev;
    case STORAGE_TYPE_DIR:
        return source->dir;
    case STORAGE_TYPE_NETWORK:
        return source->name;
    case STORAGE_TYPE_VOLUME:
        return source->volume;
    case STORAGE_TYPE_VHOSTUSER:
        return source->path;
    default:
        return NULL;
    }
}

bool
disk_source_is_empty(StorageType type, const DiskSource *source)
{
    switch (type) {
    case STORAGE_TYPE_FILE:
    case STORAGE_TYPE_BLOCK:
    case STORAGE_TYPE_DIR: {
        const char *path = disk_source_path(type, source);

        return !path || !path[0];
    }
    case STORAGE_TYPE_NETWORK:
        return source->protocol == NET_PROTOCOL_UNSET;
    case STORAGE_TYPE_VOLUME:
        return !source->pool;
    default:
        return type == STORAGE_TYPE_UNSET;
    }
}

bool
disk_source_is_local(StorageType type, const DiskSource *source)
{
    return (type == STORAGE_TYPE_FILE || type == STORAGE_TYPE_BLOCK || type == STORAGE_TYPE_DIR) &&
           !disk_source_is_empty(type, source);
}

static void
prune_network(DiskSource *source)
{
    g_clear_pointer(&source->query, g_free);
    source->protocol = NET_PROTOCOL_UNSET;
    source->tls = TRISTATE_UNSET;
    g_clear_pointer(&source->tls_hostname, g_free);
    g_clear_pointer(&source->snapshot_name, g_free);
    g_clear_pointer(&source->config_file, g_free);
    for (gsize i = 0; i < source->n_hosts; i++)
        source_host_free(source->hosts[i]);
    g_clear_pointer(&source->hosts, g_free);
    source->n_hosts = 0;
    g_clear_pointer(&source->identity, storage_identity_free);
}

void
disk_source_prune(StorageType type, DiskSource *source)
{
    if (type != STORAGE_TYPE_FILE)
        g_clear_pointer(&source->file, g_free);
    if (type != STORAGE_TYPE_BLOCK)
        g_clear_pointer(&source->dev, g_free);
    if (type != STORAGE_TYPE_DIR)
        g_clear_pointer(&source->dir, g_free);
    if (type != STORAGE_TYPE_VOLUME) {
        g_clear_pointer(&source->pool, g_free);
        g_clear_pointer(&source->volume, g_free);
    }
    if (type != STORAGE_TYPE_NETWORK) {
        g_clear_pointer(&source->name, g_free);
        prune_network(source);
    }
    if (type != STORAGE_TYPE_NVME) {
        g_clear_pointer(&source->address, host_pci_address_free);
        source->managed = TRISTATE_UNSET;
        source->has_namespace = false;
    }
    if (type != STORAGE_TYPE_NVME && type != STORAGE_TYPE_VHOSTUSER)
        g_clear_pointer(&source->type, g_free);
    if (type != STORAGE_TYPE_VHOSTUSER)
        g_clear_pointer(&source->path, g_free);
    if (type != STORAGE_TYPE_VOLUME)
        g_clear_pointer(&source->mode, g_free);
    if (type == STORAGE_TYPE_FILE && source->file && !source->file[0])
        g_clear_pointer(&source->file, g_free);
    if (type == STORAGE_TYPE_BLOCK && source->dev && !source->dev[0])
        g_clear_pointer(&source->dev, g_free);
}

static const struct {
    const char *prefix;
    DiskBus bus;
} prefixes[] = {
    {"fd", DISK_BUS_FDC},  {"hd", DISK_BUS_IDE},  {"vd", DISK_BUS_VIRTIO}, {"sd", DISK_BUS_SCSI},
    {"xvd", DISK_BUS_XEN}, {"ubd", DISK_BUS_UML}, {"nvme", DISK_BUS_NVME},
};

static const char *
target_suffix(const char *dev, DiskBus *bus)
{
    for (gsize i = 0; dev && i < G_N_ELEMENTS(prefixes); i++) {
        if (g_str_has_prefix(dev, prefixes[i].prefix)) {
            *bus = prefixes[i].bus;
            return dev + strlen(prefixes[i].prefix);
        }
    }
    *bus = DISK_BUS_UNSET;
    return NULL;
}

DiskBus
disk_bus_from_target(const char *dev)
{
    DiskBus bus;

    target_suffix(dev, &bus);
    return bus;
}

int
disk_target_index(const char *dev)
{
    DiskBus bus;
    const char *suffix = target_suffix(dev, &bus);
    int index = 0;
    guint length = 0;

    if (!suffix || !g_ascii_islower(suffix[0]))
        return -1;
    for (; g_ascii_islower(*suffix); suffix++) {
        if (++length > 5) /* 26^5 still fits */
            return -1;
        index = index * 26 + (*suffix - 'a') + (length > 1 ? 26 : 0);
    }
    /* a partition number may follow; nothing else */
    if (*suffix == '0' && suffix[1])
        return -1;
    for (; *suffix; suffix++)
        if (!g_ascii_isdigit(*suffix))
            return -1;
    return index;
}

char *
disk_target_name(const char *prefix, guint index)
{
    char letters[16];
    gsize at = sizeof(letters) - 1;
    guint64 rest = (guint64)index + 1;

    letters[at] = '\0';
    while (rest > 0 && at > 0) {
        rest--;
        letters[--at] = 'a' + rest % 26;
        rest /= 26;
    }
    return g_strconcat(prefix, letters + at, NULL);
}
