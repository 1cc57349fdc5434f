/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running guest's configuration against its persistent one: what is dropped when the first becomes the second, and whether
 * one may take the place of the other (migration, restore, revert). */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include "base/error.h"

static void
drop_pty_path(ChardevType type, Chardev *chardev)
{
    if (type != CHARDEV_TYPE_PTY || !chardev->n_sources)
        return;
    g_clear_pointer(&chardev->sources[0]->path, g_free);
    if (chardev->sources[0]->n_seclabels || chardev->sources[0]->append)
        return;
    chardev_source_free(chardev->sources[0]);
    chardev->n_sources = 0;
}

static void
drop_live_chain(BackingStore *store)
{
    for (; store; store = store->backing_store) {
        store->has_index = store->source.has_index = false;
        g_clear_pointer(&store->source.private_data, source_private_free);
    }
}

static void
drop_skipped_labels(DiskSource *source)
{
    gsize kept = 0;

    for (gsize i = 0; i < source->n_seclabels; i++) {
        if (source->seclabels[i]->labelskip == TRISTATE_YES)
            device_seclabel_free(source->seclabels[i]);
        else
            source->seclabels[kept++] = source->seclabels[i];
    }
    source->n_seclabels = kept;
}

/* From the first layer on that was found, not written. */
static void
drop_detected(BackingStore **place)
{
    while (*place && (*place)->detected != TRISTATE_YES)
        place = &(*place)->backing_store;
    g_clear_pointer(place, backing_store_free);
}

static void
drop_live_disk(Disk *disk)
{
    disk->source.has_index = false;
    drop_skipped_labels(&disk->source);
    g_clear_pointer(&disk->source.private_data, source_private_free);
    g_clear_pointer(&disk->private_data, disk_private_free);
    g_clear_pointer(&disk->mirror, disk_mirror_free);
    drop_detected(&disk->backing_store);
    drop_live_chain(disk->backing_store);
}

static void
drop_live_listen(Graphics *graphics, gsize at)
{
    GraphicsListen *listen = graphics->listens[at];

    if (listen->from_config || listen->type == GRAPHICS_LISTEN_TYPE_NETWORK) {
        g_clear_pointer(&listen->address, g_free);
        if (at == 0)
            g_clear_pointer(&graphics->listen, g_free);
    }
    if (listen->auto_generated == TRISTATE_YES) {
        g_clear_pointer(&listen->socket, g_free);
        if (at == 0)
            g_clear_pointer(&graphics->socket, g_free);
    }
    listen->has_from_config = false;
    listen->from_config = 0;
    listen->auto_generated = TRISTATE_UNSET;
}

static void
drop_live_graphics(Graphics *graphics)
{
    if (graphics->autoport == TRISTATE_YES) {
        graphics->has_port = graphics->type != GRAPHICS_TYPE_SPICE;
        graphics->port = -1;
        graphics->has_tls_port = false;
    }
    if (graphics->websocket_generated == TRISTATE_YES)
        graphics->websocket = -1;
    graphics->websocket_generated = TRISTATE_UNSET;
    for (gsize i = 0; i < graphics->n_listens; i++)
        drop_live_listen(graphics, i);
}

static void
drop_live_interface(Interface *net)
{
    g_clear_pointer(&net->actual, net_actual_free);
    g_clear_pointer(&net->source.portid, g_free);
    if (net->type == NET_TYPE_NETWORK)
        g_clear_pointer(&net->source.bridge, g_free);
    if (net->target_dev && g_str_has_prefix(net->target_dev, "vnet"))
        g_clear_pointer(&net->target_dev, g_free);
}

static void
drop_live_console(Console *console)
{
    drop_pty_path(console->type, &console->chardev);
    g_clear_pointer(&console->tty, g_free);
}

static void
drop_live_channel(Channel *channel)
{
    drop_pty_path(channel->type, &channel->chardev);
    channel_drop_made_path(channel);
    channel->target.state = CHANNEL_STATE_UNSET;
}

void
device_drop_live(const DomainDevice *device)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_DISK:
        drop_live_disk(device->device);
        break;
    case DOMAIN_DEVICE_SERIAL: {
        Serial *serial = device->device;

        drop_pty_path(serial->type, &serial->chardev);
        break;
    }
    case DOMAIN_DEVICE_PARALLEL: {
        Parallel *parallel = device->device;

        drop_pty_path(parallel->type, &parallel->chardev);
        break;
    }
    case DOMAIN_DEVICE_CONSOLE:
        drop_live_console(device->device);
        break;
    case DOMAIN_DEVICE_CHANNEL:
        drop_live_channel(device->device);
        break;
    case DOMAIN_DEVICE_GRAPHICS:
        drop_live_graphics(device->device);
        break;
    case DOMAIN_DEVICE_INTERFACE:
        drop_live_interface(device->device);
        break;
    case DOMAIN_DEVICE_MEMORY:
        ((MemoryDevice *)device->device)->target.has_current = false;
        break;
    default:
        break;
    }
}

static bool
drop_one(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    device_drop_live(device);
    return true;
}

/* A dynamic label is made at each start. */
static void
drop_made_label(Seclabel *label)
{
    g_clear_pointer(&label->imagelabel, g_free);
    if (label->type == SECLABEL_TYPE_DYNAMIC)
        g_clear_pointer(&label->label, g_free);
}

void
domain_drop_live(Domain *dom)
{
    dom->has_id = false;
    domain_clear_aliases(dom);
    domain_each_device(dom, drop_one, NULL, NULL);
    /* the console that mirrors a serial port is not visited */
    for (gsize i = 0; i < dom->n_consoles; i++)
        drop_live_console(dom->consoles[i]);
    for (gsize i = 0; i < dom->n_seclabels; i++)
        drop_made_label(dom->seclabels[i]);
}

Domain *
domain_copy_inactive(const Domain *dom)
{
    Domain *copy = domain_copy(dom);

    domain_drop_live(copy);
    return copy;
}

bool
domain_check_abi_stable(const Domain *dom, const Domain *other, GError **err)
{
    return domain_compare(dom, other, err);
}
