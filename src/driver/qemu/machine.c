/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the configuration of a guest to the machine that its emulator is to be: chains of images, node numbers, aliases,
 * ports, socket paths, the variables of its firmware. Next: emulator.c starts it. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/ports.h"
#include "driver/qemu/volume.h"
#include "image/chain.h"

enum { NVRAM_MAX_BYTES = 64 << 20 };

guint
guest_next_node(Guest *guest)
{
    return ++guest->last_node;
}

/* ---- chains ---- */

static ImageFormat
image_format_of(StorageFormat format)
{
    return format == STORAGE_FORMAT_UNSET
               ? IMAGE_FORMAT_RAW
               : image_format_from_string(storage_format_to_string(format));
}

static BackingStore *
new_layer(const ImageLayer *layer)
{
    BackingStore *store = backing_store_new();

    store->type = layer->is_block_device ? STORAGE_TYPE_BLOCK : STORAGE_TYPE_FILE;
    store->format = storage_format_element_new();
    store->format->type = storage_format_from_string(image_format_to_string(layer->format));
    if (layer->is_block_device)
        store->source.dev = g_strdup(layer->path);
    else
        store->source.file = g_strdup(layer->path);
    return store;
}

/* The layers below @path into *@place, ending with an empty one. */
static bool
read_chain(const char *path, StorageFormat format, BackingStore **place, GError **err)
{
    ImageFormat image_format = image_format_of(format);
    g_autoptr(ImageChain) chain = NULL;

    if (image_format == IMAGE_FORMAT_RAW || image_format == IMAGE_FORMAT_UNKNOWN) {
        *place = backing_store_new();
        return true;
    }
    chain = image_chain_read(path, image_format, NULL, err);
    if (!chain)
        return false;
    for (guint i = 1; i < chain->layers->len; i++) {
        const ImageLayer *layer = g_ptr_array_index(chain->layers, i);

        if (!layer->path)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "image '%s': backing image '%s' is no local file", path, layer->name);
        *place = new_layer(layer);
        place = &(*place)->backing_store;
    }
    *place = backing_store_new();
    return true;
}

bool
disk_read_chain(Disk *disk, GError **err)
{
    const char *path = disk_source_path(disk->type, &disk->source);
    StorageFormat format = disk->driver.type;
    BackingStore **place = &disk->backing_store;

    if (disk_source_is_empty(disk->type, &disk->source))
        return true;
    /* What the configuration says of the chain holds; an empty layer ends it, a missing one asks to look. */
    while (*place && (*place)->type != STORAGE_TYPE_UNSET) {
        path = disk_source_path((*place)->type, &(*place)->source);
        format = (*place)->format ? (*place)->format->type : STORAGE_FORMAT_UNSET;
        place = &(*place)->backing_store;
    }
    if (*place || !path)
        return true;
    return read_chain(path, format, place, err);
}

bool
machine_read_chains(Domain *machine, GError **err)
{
    for (gsize i = 0; i < machine->n_disks; i++)
        if (!disk_read_chain(machine->disks[i], err)) {
            g_prefix_error(err, "disk %s: ", machine->disks[i]->target.dev);
            return false;
        }
    return true;
}

static NodeName *
new_node_name(const char *type, char *take_name)
{
    NodeName *node = node_name_new();

    node->type = g_strdup(type);
    node->name = take_name;
    return node;
}

static void
number_layer(Guest *guest, DiskSource *source, guint *index, bool *has_index)
{
    guint number = guest_next_node(guest);

    *index = number;
    *has_index = true;
    source_private_free(source->private_data);
    source->private_data = source_private_new();
    source->private_data->n_nodenames = 2;
    source->private_data->nodenames = g_new0(NodeName *, 2);
    source->private_data->nodenames[0] = new_node_name("storage", node_storage_name(number));
    source->private_data->nodenames[1] = new_node_name("format", node_format_name(number));
}

void
disk_number_nodes(Guest *guest, Disk *disk)
{
    if (disk_source_is_empty(disk->type, &disk->source)) {
        guest_next_node(guest); /* upstream leaves a number out, too */
        return;
    }
    number_layer(guest, &disk->source, &disk->source.index, &disk->source.has_index);
    for (BackingStore *layer = disk->backing_store; layer && layer->type != STORAGE_TYPE_UNSET;
         layer = layer->backing_store) {
        number_layer(guest, &layer->source, &layer->index, &layer->has_index);
        layer->source.index = layer->index;
    }
}

void
disk_name_device(Disk *disk)
{
    disk_private_free(disk->private_data);
    disk->private_data = disk_private_new();
    disk->private_data->qom_name =
        disk->target.bus == DISK_BUS_VIRTIO
            ? g_strdup_printf("/machine/peripheral/%s/virtio-backend", disk->info.alias_name)
            : g_strdup(disk->info.alias_name);
}

/* ---- ports and paths ---- */

static bool
take_ports(Guest *guest, Graphics *graphics, const Graphics *running, GError **err)
{
    QemuDriver *qemu = guest->qemu;

    if (graphics->type != GRAPHICS_TYPE_VNC || graphics->socket ||
        (graphics->n_listens && graphics->listens[0]->type != GRAPHICS_LISTEN_TYPE_ADDRESS &&
         graphics->listens[0]->type != GRAPHICS_LISTEN_TYPE_NETWORK))
        return true;
    if (graphics->autoport == TRISTATE_YES || !graphics->has_port || graphics->port == -1) {
        graphics->port = running ? running->port : port_pool_acquire(qemu->vnc_ports, err);
        graphics->has_port = true;
        graphics->autoport = TRISTATE_YES;
        if (graphics->port == 0)
            return false;
    } else {
        port_pool_mark(qemu->vnc_ports, graphics->port);
    }
    if (graphics->has_websocket && graphics->websocket == -1) {
        graphics->websocket =
            running ? running->websocket : port_pool_acquire(qemu->websocket_ports, err);
        graphics->websocket_generated = TRISTATE_YES;
    }
    return !graphics->has_websocket || graphics->websocket != 0;
}

void
machine_release_ports(QemuDriver *qemu, const Domain *machine)
{
    for (gsize i = 0; i < machine->n_graphics; i++) {
        const Graphics *graphics = machine->graphics[i];

        if (graphics->type == GRAPHICS_TYPE_VNC && graphics->port > 0)
            port_pool_release(qemu->vnc_ports, graphics->port);
        if (graphics->websocket > 0)
            port_pool_release(qemu->websocket_ports, graphics->websocket);
    }
}

void
machine_place_channels(Domain *machine, const char *folder)
{
    for (gsize i = 0; i < machine->n_channels; i++) {
        Channel *channel = machine->channels[i];
        ChardevSource *source = channel->chardev.n_sources ? channel->chardev.sources[0] : NULL;

        if (channel->type != CHARDEV_TYPE_UNIX ||
            channel->target.type != CHANNEL_TARGET_TYPE_VIRTIO || (source && source->path))
            continue;
        if (!source) {
            source = chardev_source_new();
            source->mode = CHARDEV_MODE_BIND;
            channel->chardev.sources = g_new0(ChardevSource *, 1);
            channel->chardev.sources[0] = source;
            channel->chardev.n_sources = 1;
        }
        source->path = g_build_filename(
            folder, channel->target.name ? channel->target.name : channel->info.alias_name, NULL);
    }
}

/* A tap that is to be made gets a name, so that the definition can say it. */
static void
name_taps(QemuDriver *qemu, Domain *machine)
{
    for (gsize i = 0; i < machine->n_interfaces; i++) {
        Interface *net = machine->interfaces[i];

        while (net->type == NET_TYPE_ETHERNET && !net->target_dev) {
            g_autofree char *name = g_strdup_printf("vnet%d", g_atomic_int_add(&qemu->last_tap, 1));
            g_autofree char *device = g_build_filename("/sys/class/net", name, NULL);

            if (!file_exists(device))
                net->target_dev = g_steal_pointer(&name);
        }
    }
}

/* The variables of the firmware begin as a copy of the template. */
static bool
make_nvram(Guest *guest, const Domain *machine, GError **err)
{
    const OsNvram *nvram = machine->os.nvram;
    const char *path = nvram ? (nvram->text ? nvram->text : nvram->source.file) : NULL;
    const QemuConfig *config = guest->qemu->config;
    g_autofree char *bytes = NULL;
    size_t len;

    if (!path || file_exists(path))
        return true;
    if (!nvram->template)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "nvram '%s' does not exist, and there is no template for it", path);
    bytes = file_read(nvram->template, NVRAM_MAX_BYTES, &len, err);
    if (!bytes || !file_write_atomic(path, bytes, len, 0600, err))
        return false;
    if (config->has_owner && lchown(path, config->uid, config->gid) < 0)
        return fail_errno(err, "give to the emulator's user", path);
    return true;
}

Domain *
guest_make_live(Guest *guest, const Domain *config, int id, GError **err)
{
    g_autoptr(Domain) machine = domain_copy(config);
    const Domain *running = guest_live(guest);
    g_autofree char *channels = NULL;

    if (!domain_fill(machine, (gpointer)qemu_fill_host(guest->qemu), err))
        return NULL;
    machine->id = id;
    machine->has_id = true;
    domain_assign_aliases(machine);
    for (gsize i = 0; i < machine->n_disks; i++)
        if (!disk_resolve_volume(guest->qemu, machine->disks[i], err))
            return NULL;
    if (!machine_read_chains(machine, err) || !make_nvram(guest, machine, err))
        return NULL;
    if (!running)
        guest->last_node = 0;
    /* Numbered from the last disk on, as upstream does. */
    for (gsize i = machine->n_disks; i > 0; i--) {
        disk_number_nodes(guest, machine->disks[i - 1]);
        disk_name_device(machine->disks[i - 1]);
    }
    name_taps(guest->qemu, machine);
    channels = emulator_channel_folder(guest, id);
    machine_place_channels(machine, channels);
    for (gsize i = 0; i < machine->n_graphics; i++)
        if (!take_ports(guest, machine->graphics[i],
                        running && i < running->n_graphics ? running->graphics[i] : NULL, err)) {
            machine_release_ports(guest->qemu, machine);
            return NULL;
        }
    return g_steal_pointer(&machine);
}
