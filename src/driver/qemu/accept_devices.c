/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU refuses about devices. The machine itself: accept.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/accept.h"

#include <string.h>

#include "base/error.h"

/* ---- disks ---- */

static bool
accept_format(const Disk *disk, GError **err)
{
    StorageFormat format = disk->driver.type;

    switch (format) {
    case STORAGE_FORMAT_ISO:
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "storage format 'iso' is not directly supported by QEMU, use 'raw' instead");
    case STORAGE_FORMAT_COW:
    case STORAGE_FORMAT_DIR:
    case STORAGE_FORMAT_VHD:
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "'%s' storage format is not supported",
                    storage_format_to_string(format));
    default:
        return true;
    }
}

static bool
accept_encryption(const StorageEncryption *encryption, GError **err)
{
    if (encryption && (encryption->format == ENCRYPTION_FORMAT_QCOW ||
                       encryption->format == ENCRYPTION_FORMAT_DEFAULT))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "old qcow/qcow2 encryption is not supported");
    return true;
}

static bool
accept_scsi_place(const Disk *disk, const Domain *dom, GError **err)
{
    const DriveAddress *address = device_info_drive(&disk->info);
    const Controller *controller =
        address ? domain_find_controller(dom, CONTROLLER_TYPE_SCSI, address->controller) : NULL;

    if (!controller || disk->target.bus != DISK_BUS_SCSI)
        return true;
    if (address->bus != 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "SCSI controller only supports 1 bus");
    if (controller->model == CONTROLLER_MODEL_LSILOGIC && address->target != 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "target must be 0 for controller model 'lsilogic'");
    return true;
}

bool
qemu_accept_disk(const Disk *disk, const Domain *dom, GError **err)
{
    const DiskDriver *driver = &disk->driver;
    bool is_virtio = disk->target.bus == DISK_BUS_VIRTIO;

    if ((disk->vendor || disk->product) && disk->target.bus != DISK_BUS_SCSI)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Only scsi disk supports vendor and product");
    if (driver->has_queues && !is_virtio)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "queues attribute in disk driver element is only supported by virtio-blk");
    if (driver->ioeventfd && !is_virtio)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk ioeventfd mode supported only for virtio bus");
    if (driver->event_idx && !is_virtio)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk event_idx mode supported only for virtio bus");
    if (disk->geometry && is_virtio && disk->device == DISK_DEVICE_CDROM)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk geometry is not supported for a cdrom");
    return accept_format(disk, err) && accept_encryption(disk->encryption, err) &&
           accept_encryption(disk->source.encryption, err) && accept_scsi_place(disk, dom, err);
}

/* ---- controllers ---- */

static bool
is_root(const Controller *controller)
{
    return controller->model == CONTROLLER_MODEL_PCI_ROOT ||
           controller->model == CONTROLLER_MODEL_PCIE_ROOT;
}

static bool
accept_controller(const Controller *controller, const Domain *dom, GError **err)
{
    switch (controller->type) {
    case CONTROLLER_TYPE_USB:
        if ((controller->model == CONTROLLER_MODEL_NEC_XHCI ||
             controller->model == CONTROLLER_MODEL_QEMU_XHCI) &&
            controller->has_ports && controller->ports > 15)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "'%s' controller only supports up to '%u' ports",
                        controller_model_to_string(controller->model), 15);
        return true;
    case CONTROLLER_TYPE_IDE:
        if (!domain_is_i440fx(dom))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "IDE controllers are unsupported for this QEMU binary or machine type");
        return true;
    case CONTROLLER_TYPE_PCI:
        if (!is_root(controller) && !controller->model_name)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Required option '%s' is not set for PCI controller with index '%d', model "
                        "'%s' and modelName '%s'",
                        "modelName", controller->has_index ? (int)controller->index : -1,
                        controller_model_to_string(controller->model), "none");
        return true;
    default:
        return true;
    }
}

/* ---- displays ---- */

static bool
accept_graphics(const Graphics *graphics, const Domain *dom, GError **err)
{
    if (graphics->type == GRAPHICS_TYPE_SPICE && graphics->has_tls_port && graphics->tls_port > 0)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf");
    if (graphics->type == GRAPHICS_TYPE_RDP || graphics->type == GRAPHICS_TYPE_DESKTOP)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unsupported graphics type '%s'",
                    graphics_type_to_string(graphics->type));
    for (gsize i = 0;
         i < dom->n_audios && graphics->type == GRAPHICS_TYPE_DBUS && graphics->has_audio_id; i++)
        if (dom->audios[i]->id == graphics->audio_id && dom->audios[i]->type != AUDIO_TYPE_DBUS)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "The associated audio is not of 'dbus' kind.");
    return true;
}

static bool
has_gl(const Graphics *graphics)
{
    return graphics->type == GRAPHICS_TYPE_EGL_HEADLESS || graphics->gl.enable == TRISTATE_YES;
}

static bool
accept_displays(const Domain *dom, GError **err)
{
    gsize n_gl = 0;
    bool has_egl = false, has_remote = false, has_local = false;

    for (gsize i = 0; i < dom->n_graphics; i++) {
        GraphicsType type = dom->graphics[i]->type;

        n_gl += has_gl(dom->graphics[i]);
        has_egl = has_egl || type == GRAPHICS_TYPE_EGL_HEADLESS;
        has_remote = has_remote || type == GRAPHICS_TYPE_VNC || type == GRAPHICS_TYPE_SPICE;
        has_local = has_local || type == GRAPHICS_TYPE_SDL || type == GRAPHICS_TYPE_DBUS;
    }
    if (n_gl > 1)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "multiple OpenGL displays are not supported by QEMU");
    if (has_egl && has_local && !has_remote)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' "
                    "graphics types");
    return true;
}

static bool
accept_video(const Video *video, const Domain *dom, GError **err)
{
    bool is_primary = dom->n_videos == 0 || dom->videos[0] == video;
    VideoType type = video->model.type;

    if (!is_primary && type != VIDEO_TYPE_QXL && type != VIDEO_TYPE_VIRTIO &&
        type != VIDEO_TYPE_NONE)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "video type '%s' is only valid as primary video device",
                    video_type_to_string(type));
    return true;
}

/* ---- character devices ---- */

static bool
accept_source(ChardevType type, const Domain *dom, GError **err)
{
    if (type != CHARDEV_TYPE_SPICEVMC && type != CHARDEV_TYPE_SPICEPORT)
        return true;
    for (gsize i = 0; i < dom->n_graphics; i++)
        if (dom->graphics[i]->type == GRAPHICS_TYPE_SPICE)
            return true;
    return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "chardev '%s' not supported without spice graphics", chardev_type_to_string(type));
}

static bool
accept_serial(const Serial *serial, const Domain *dom, GError **err)
{
    switch (serial->target.type) {
    case SERIAL_TARGET_TYPE_SPAPR_VIO_SERIAL:
    case SERIAL_TARGET_TYPE_SYSTEM_SERIAL:
    case SERIAL_TARGET_TYPE_SCLP_SERIAL:
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Serial device with target type '%s' and target model '%s' not compatible with "
                    "guest architecture "
                    "or machine type",
                    serial_target_type_to_string(serial->target.type),
                    serial_target_model_to_string(serial->target.model_name));
    default:
        return accept_source(serial->type, dom, err);
    }
}

static bool
accept_smartcard(const Smartcard *smartcard, const Domain *dom, GError **err)
{
    const CcidAddress *address =
        smartcard->info.address.kind == ADDRESS_TYPE_CCID ? smartcard->info.address.ccid : NULL;

    if (smartcard->mode == SMARTCARD_MODE_PASSTHROUGH && address &&
        !accept_source(smartcard->type, dom, err))
        return false;
    if (!address || address->controller || address->slot)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "this QEMU binary lacks multiple smartcard support");
    return true;
}

/* ---- host devices ---- */

static bool
accept_hostdev(const Hostdev *hostdev, const Domain *dom, GError **err)
{
    const PciAddress *address = device_info_pci(&hostdev->info);

    if (hostdev->source.kind == HOSTDEV_TYPE_MDEV && hostdev->display == TRISTATE_ON &&
        !dom->n_graphics)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "graphics device is needed for attribute value 'display=on' in <hostdev>");
    if (hostdev->source.kind == HOSTDEV_TYPE_SCSI_HOST && hostdev->info.boot)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "booting from assigned devices is not supported by vhost SCSI devices");
    if (address && address->zpci)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "This QEMU binary doesn't support zPCI");
    return true;
}

/* ---- the others ---- */

static bool
accept_iommu(const Iommu *iommu, const Domain *dom, GError **err)
{
    const char *model = iommu_model_to_string(iommu->model);

    if (iommu->model == IOMMU_MODEL_INTEL && !domain_is_q35(dom))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "IOMMU device: '%s' is only supported with Q35 machines", model);
    if (iommu->model == IOMMU_MODEL_SMMUV3)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "IOMMU device: '%s' is only supported with ARM Virt machines", model);
    if (iommu->model != IOMMU_MODEL_VIRTIO)
        return true;
    if (!dom->features.acpi)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "IOMMU device: '%s' requires ACPI", model);
    if (iommu->info.address.kind != ADDRESS_TYPE_UNSET &&
        iommu->info.address.kind != ADDRESS_TYPE_PCI)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "IOMMU device: '%s' needs a PCI address",
                    model);
    return true;
}

static bool
shares_memory(const Domain *dom)
{
    if (dom->memory_backing.access_mode == MEMORY_ACCESS_SHARED)
        return true;
    for (gsize i = 0; i < dom->cpu.numa.n_cells; i++)
        if (dom->cpu.numa.cells[i]->mem_access != NUMA_MEM_ACCESS_SHARED)
            return false;
    return dom->cpu.numa.n_cells > 0;
}

static bool
accept_filesystem(const Filesystem *fs, const Domain *dom, GError **err)
{
    if (fs->driver.type != FILESYSTEM_DRIVER_TYPE_VIRTIOFS)
        return true;
    if (fs->readonly)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "virtiofs does not yet support read-only mode");
    if (!shares_memory(dom))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "'virtiofs' requires shared memory");
    return true;
}

static bool
accept_input(const Input *input, GError **err)
{
    bool is_transitional = input->model == INPUT_MODEL_VIRTIO_TRANSITIONAL ||
                           input->model == INPUT_MODEL_VIRTIO_NON_TRANSITIONAL;

    if (is_transitional && input->type != INPUT_TYPE_PASSTHROUGH)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "virtio (non-)transitional models are not supported for input type=%s",
                    input_type_to_string(input->type));
    return true;
}

bool
qemu_accept_device(const Domain *dom, const DomainDevice *device, GError **err)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_DISK:
        return qemu_accept_disk(device->device, dom, err);
    case DOMAIN_DEVICE_CONTROLLER:
        return accept_controller(device->device, dom, err);
    case DOMAIN_DEVICE_FILESYSTEM:
        return accept_filesystem(device->device, dom, err);
    case DOMAIN_DEVICE_GRAPHICS:
        return accept_graphics(device->device, dom, err);
    case DOMAIN_DEVICE_VIDEO:
        return accept_video(device->device, dom, err);
    case DOMAIN_DEVICE_SERIAL:
        return accept_serial(device->device, dom, err);
    case DOMAIN_DEVICE_CONSOLE:
        return accept_source(((const Console *)device->device)->type, dom, err);
    case DOMAIN_DEVICE_CHANNEL:
        return accept_source(((const Channel *)device->device)->type, dom, err);
    case DOMAIN_DEVICE_REDIRDEV:
        return accept_source(((const Redirdev *)device->device)->type, dom, err);
    case DOMAIN_DEVICE_SMARTCARD:
        return accept_smartcard(device->device, dom, err);
    case DOMAIN_DEVICE_HOSTDEV:
        return accept_hostdev(device->device, dom, err);
    case DOMAIN_DEVICE_IOMMU:
        return accept_iommu(device->device, dom, err);
    case DOMAIN_DEVICE_INPUT:
        return accept_input(device->device, err);
    case DOMAIN_DEVICE_SHMEM:
        if (((const Shmem *)device->device)->model_type == SHMEM_MODEL_IVSHMEM)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "ivshmem device is not supported with this QEMU binary");
        return true;
    default:
        return true;
    }
}

static bool
accept_one(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    return qemu_accept_device(dom, device, err);
}

bool
qemu_accept_devices(const Domain *dom, GError **err)
{
    return domain_each_device((Domain *)dom, accept_one, NULL, err) && accept_displays(dom, err);
}
