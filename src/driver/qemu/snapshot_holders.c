/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who on this host needs which image: the machines of all domains (now, next boot, saved), and the
 * machines that their snapshots recorded. What a snapshot's own <disks> name was made by it or
 * after it, and holds nothing. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/firmware.h"
#include "driver/qemu/kept.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/volume.h"

ImageFormat
disk_image_format(const Disk *disk)
{
    ImageFormat format = image_format_from_string(storage_format_to_string(disk->driver.type));

    return format == IMAGE_FORMAT_UNKNOWN ? IMAGE_FORMAT_RAW : format;
}

bool
disk_is_kept(const Disk *disk)
{
    return !disk->readonly && !disk_source_is_empty(disk->type, &disk->source) &&
           disk->device != DISK_DEVICE_CDROM && disk->device != DISK_DEVICE_FLOPPY;
}

void
machine_hold_images(ImageGraph *graph, const char *holder, const Domain *machine)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);

        if (path && (disk->type == STORAGE_TYPE_FILE || disk->type == STORAGE_TYPE_BLOCK))
            image_graph_hold(graph, holder, path, disk_image_format(disk));
        if (disk->mirror && disk->mirror->source.file)
            image_graph_hold_file(graph, holder, disk->mirror->source.file);
    }
}

static void
hold_managed_save(ImageGraph *graph, QemuDriver *qemu, const GuestView *view)
{
    g_autofree char *path = g_strdup_printf("%s/%s.save", qemu->save_dir, view->view.name);
    g_autofree char *holder = g_strdup_printf("the saved state of domain %s", view->view.name);
    g_autoptr(GError) err = NULL;
    g_autoptr(SaveImage) image = save_image_open(path, NULL, &err);
    g_autoptr(Domain) machine = image ? domain_parse(image->xml, MODEL_PARSE_INACTIVE, &err) : NULL;

    image_graph_hold_file(graph, holder, path);
    if (machine)
        machine_hold_images(graph, holder, machine);
    else
        log_warning(LOG_QEMU, "%s: its saved state cannot be read: %s", view->view.name,
                    err->message);
}

void
snapshot_tree_hold_images(ImageGraph *graph, const char *domain, const SnapshotTree *tree)
{
    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(tree, i);
        g_autofree char *holder =
            g_strdup_printf("snapshot %s of domain %s", snapshot->name, domain);
        g_autofree char *nvram = firmware_copy_path(snapshot);

        machine_hold_images(graph, holder, snapshot->domain);
        machine_hold_images(graph, holder, snapshot->inactive_domain);
        if (snapshot->memory.file)
            image_graph_hold_file(graph, holder, snapshot->memory.file);
        if (nvram && file_exists(nvram))
            image_graph_hold_file(graph, holder, nvram);
    }
}

void
guest_hold_images(ImageGraph *graph, const Guest *guest)
{
    g_autofree char *holder = g_strdup_printf("domain %s", guest->name);

    machine_hold_images(graph, holder, guest_live(guest));
    machine_hold_images(graph, holder, guest_config(guest));
    machine_hold_volumes(graph, guest->qemu, holder, guest_config(guest));
    snapshot_tree_hold_images(graph, guest->name, guest->snapshots);
    kept_hold_images(graph, guest->name, guest->kept);
}

ImageGraph *
snapshot_holders(QemuDriver *qemu, const Guest *besides)
{
    ImageGraph *graph = image_graph_new();
    g_autoptr(GPtrArray) views = registry_list(qemu->guests);

    for (guint i = 0; i < views->len; i++) {
        const GuestView *view = views->pdata[i];
        g_autofree char *holder = g_strdup_printf("domain %s", view->view.name);

        if (view->guest == besides)
            continue;
        machine_hold_images(graph, holder, machine_domain(view->live));
        machine_hold_images(graph, holder, machine_domain(view->config));
        machine_hold_volumes(graph, qemu, holder, machine_domain(view->config));
        snapshot_tree_hold_images(graph, view->view.name, view->snapshots);
        kept_hold_images(graph, view->view.name, view->kept);
        if (view->has_managed_save)
            hold_managed_save(graph, qemu, view);
    }
    return graph;
}
