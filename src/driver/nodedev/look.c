/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which devices there are: one folder of /sys for each class, and a name made of what tells them apart, as upstream has it. A
 * device's parent is the nearest folder above it that is a device too. */
#define ERROR_DOMAIN VIR_FROM_NODEDEV

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "driver/nodedev/nodedev.h"

#define SYSTEM_NAME "computer"
#define VALUE_BYTES_MAX 65536

void
found_device_free(FoundDevice *device)
{
    if (!device)
        return;
    g_free(device->name);
    g_free(device->path);
    g_free(device->parent);
    g_free(device);
}

char *
nodedev_read(const char *path, const char *file)
{
    g_autofree char *full = g_build_filename(path, file, NULL);
    gsize len = 0;
    g_autofree char *text = file_read(full, VALUE_BYTES_MAX, &len, NULL);

    if (!text || !g_utf8_validate(text, -1, NULL))
        return NULL;
    g_strstrip(text);
    return *text ? g_steal_pointer(&text) : NULL;
}

bool
nodedev_read_number(const char *path, const char *file, guint64 *value)
{
    g_autofree char *text = nodedev_read(path, file);
    unsigned long long number;

    if (!text || !text_to_ullong(text, g_str_has_prefix(text, "0x") ? 16 : 10, &number))
        return false;
    *value = number;
    return true;
}

static bool
has(const char *path, const char *file)
{
    g_autofree char *full = g_build_filename(path, file, NULL);

    return file_exists(full);
}

/* ---- names; NULL: not a device of that class ---- */

static char *
name_plain(const char *path, const char *entry)
{
    return g_strdup(entry);
}

/* USB devices are there with their interfaces, which have a ':' and a class of their own. */
static char *
name_usb_device(const char *path, const char *entry)
{
    return strchr(entry, ':') ? NULL : g_strdup(entry);
}

static char *
name_usb(const char *path, const char *entry)
{
    return strchr(entry, ':') ? g_strdup(entry) : NULL;
}

static char *
name_net(const char *path, const char *entry)
{
    g_autofree char *mac = NULL;

    if (!has(path, "ifindex"))
        return NULL;
    mac = nodedev_read(path, "address");
    return mac ? g_strconcat(entry, "_", mac, NULL) : g_strdup(entry);
}

/* host0, not target0:0:0. */
static char *
name_scsi(const char *path, const char *entry)
{
    return g_ascii_isdigit(*entry) ? g_strdup(entry) : NULL;
}

/* Whole disks that exist and hold something: no partitions, no loop or memory devices. */
static char *
name_storage(const char *path, const char *entry)
{
    g_autofree char *serial = NULL;
    guint64 size = 0;

    if (has(path, "partition") || strstr(path, "/virtual/") ||
        !nodedev_read_number(path, "size", &size))
        return NULL;
    serial = nodedev_read(path, "serial");
    if (!serial)
        serial = nodedev_read(path, "device/serial");
    return serial ? g_strconcat(entry, "_", serial, NULL) : g_strdup(entry);
}

/* card0, renderD128; not the connectors of a card. */
static char *
name_drm(const char *path, const char *entry)
{
    return has(path, "dev") && !strchr(entry, '-') ? g_strdup(entry) : NULL;
}

typedef struct {
    NodeCapabilityType type;
    const char *folder, *prefix;
    char *(*name)(const char *path, const char *entry);
} DeviceClass;

static const DeviceClass classes[] = {
    {NODE_CAPABILITY_TYPE_PCI, "/sys/bus/pci/devices", "pci_", name_plain},
    {NODE_CAPABILITY_TYPE_USB_DEVICE, "/sys/bus/usb/devices", "usb_", name_usb_device},
    {NODE_CAPABILITY_TYPE_USB, "/sys/bus/usb/devices", "usb_", name_usb},
    {NODE_CAPABILITY_TYPE_NET, "/sys/class/net", "net_", name_net},
    {NODE_CAPABILITY_TYPE_SCSI_HOST, "/sys/class/scsi_host", "scsi_", name_plain},
    {NODE_CAPABILITY_TYPE_SCSI, "/sys/bus/scsi/devices", "scsi_", name_scsi},
    {NODE_CAPABILITY_TYPE_STORAGE, "/sys/class/block", "block_", name_storage},
    {NODE_CAPABILITY_TYPE_SCSI_GENERIC, "/sys/class/scsi_generic", "scsi_generic_", name_plain},
    {NODE_CAPABILITY_TYPE_DRM, "/sys/class/drm", "drm_", name_drm},
};

/* Names have letters, digits and '_' only. */
static char *
device_name(const DeviceClass *cls, const char *text)
{
    char *name = g_strconcat(cls->prefix, text, NULL);

    for (char *at = name; *at; at++)
        if (!g_ascii_isalnum(*at))
            *at = '_';
    return name;
}

static void
find_class(const DeviceClass *cls, GPtrArray *found)
{
    g_auto(GStrv) entries = dir_list(cls->folder, NULL);

    for (char **entry = entries; entry && *entry; entry++) {
        g_autofree char *link = g_build_filename(cls->folder, *entry, NULL);
        char *path = realpath(link, NULL);
        g_autofree char *text = path ? cls->name(path, *entry) : NULL;
        FoundDevice *device;

        if (text) {
            device = g_new0(FoundDevice, 1);
            device->type = cls->type;
            device->path = g_strdup(path);
            device->name = device_name(cls, text);
            g_ptr_array_add(found, device);
        }
        free(path); /* of libc */
    }
}

/* ---- parents ---- */

static void
find_parent(FoundDevice *device, GHashTable *by_path)
{
    g_autofree char *path = g_path_get_dirname(device->path);

    while (strlen(path) > strlen("/sys/devices")) {
        const FoundDevice *parent = g_hash_table_lookup(by_path, path);
        char *above;

        if (parent) {
            device->parent = g_strdup(parent->name);
            return;
        }
        above = g_path_get_dirname(path);
        g_free(path);
        path = above;
    }
    device->parent = g_strdup(SYSTEM_NAME);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp((*(FoundDevice *const *)a)->name, (*(FoundDevice *const *)b)->name);
}

GPtrArray *
nodedev_find_all(void)
{
    GPtrArray *found = g_ptr_array_new_with_free_func((GDestroyNotify)found_device_free);
    g_autoptr(GHashTable) by_path = g_hash_table_new(g_str_hash, g_str_equal);
    FoundDevice *computer = g_new0(FoundDevice, 1);

    for (gsize i = 0; i < G_N_ELEMENTS(classes); i++)
        find_class(&classes[i], found);
    for (guint i = 0; i < found->len; i++)
        g_hash_table_insert(by_path, ((FoundDevice *)found->pdata[i])->path, found->pdata[i]);
    for (guint i = 0; i < found->len; i++)
        find_parent(found->pdata[i], by_path);
    computer->name = g_strdup(SYSTEM_NAME);
    computer->type = NODE_CAPABILITY_TYPE_SYSTEM;
    g_ptr_array_add(found, computer);
    g_ptr_array_sort(found, compare_names);
    return found;
}

FoundDevice *
nodedev_find(const char *name, GError **err)
{
    g_autoptr(GPtrArray) found = nodedev_find_all();

    for (guint i = 0; i < found->len; i++)
        if (strcmp(((FoundDevice *)found->pdata[i])->name, name) == 0) {
            g_ptr_array_set_free_func(found, NULL);
            for (guint j = 0; j < found->len; j++)
                if (j != i)
                    found_device_free(found->pdata[j]);
            return found->pdata[i];
        }
    return fail_null(err, VIR_ERR_NO_NODE_DEVICE, "no node device with matching name '%s'", name);
}
