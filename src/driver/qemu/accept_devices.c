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
accept_controller(const Controller *controller, const Domain *dom, GError **err)
{
    if (controller->type == CONTROLLER_TYPE_USB &&
        (controller->model == CONTROLLER_MODEL_NEC_XHCI ||
         controller->model == CONTROLLER_MODEL_QEMU_XHCI) &&
        controller->has_ports && controller->ports > 15)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "'%s' controller only supports up to '%u' ports",
                    controller_model_to_string(controller->model), 15);
    return true;
}

/* ---- displays ---- */

static bool
has_gl(const Graphics *graphics)
{
    return graphics->type == GRAPHICS_TYPE_EGL_HEADLESS || graphics->gl.enable == TRISTATE_YES;
}

static bool
accept_graphics(const Domain *dom, GError **err)
{
    gsize n_gl = 0;
    bool has_egl = false, has_remote = false, has_local = false;

    for (gsize i = 0; i < dom->n_graphics; i++) {
        const Graphics *graphics = dom->graphics[i];

        n_gl += has_gl(graphics);
        has_egl = has_egl || graphics->type == GRAPHICS_TYPE_EGL_HEADLESS;
        has_remote = has_remote || graphics->type == GRAPHICS_TYPE_VNC ||
                     graphics->type == GRAPHICS_TYPE_SPICE;
        has_local = has_local || graphics->type == GRAPHICS_TYPE_SDL ||
                    graphics->type == GRAPHICS_TYPE_DBUS;
        if (graphics->type == GRAPHICS_TYPE_SPICE && graphics->has_tls_port &&
            graphics->tls_port > 0)
            return fail(
                err, VIR_ERR_CONFIG_UNSUPPORTED,
                "spice TLS port set in XML configuration, but TLS is disabled in qemu.conf");
        if (graphics->type == GRAPHICS_TYPE_RDP || graphics->type == GRAPHICS_TYPE_DESKTOP)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unsupported graphics type '%s'",
                        graphics_type_to_string(graphics->type));
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

/* ---- character devices ---- */

static bool
accept_serial(const Serial *serial, GError **err)
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
        return true;
    }
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
accept_iommu(const Domain *dom, GError **err)
{
    const Iommu *iommu = dom->iommu;

    if (!iommu)
        return true;
    if (iommu->model == IOMMU_MODEL_INTEL && !domain_is_q35(dom))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "IOMMU device: '%s' is only supported with Q35 machines",
                    iommu_model_to_string(iommu->model));
    if (iommu->model == IOMMU_MODEL_SMMUV3)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "IOMMU device: '%s' is only supported with ARM Virt machines",
                    iommu_model_to_string(iommu->model));
    if (iommu->model == IOMMU_MODEL_VIRTIO && !dom->features.acpi)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "IOMMU device: '%s' requires ACPI",
                    iommu_model_to_string(iommu->model));
    return true;
}

static bool
accept_small_devices(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_shmems; i++)
        if (dom->shmems[i]->model_type == SHMEM_MODEL_IVSHMEM)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "ivshmem device is not supported with this QEMU binary");
    for (gsize i = 0; i < dom->n_filesystems; i++)
        if (dom->filesystems[i]->driver.type == FILESYSTEM_DRIVER_TYPE_VIRTIOFS &&
            dom->filesystems[i]->readonly)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "virtiofs does not yet support read-only mode");
    for (gsize i = 0; i < dom->n_hostdevs; i++)
        if (!accept_hostdev(dom->hostdevs[i], dom, err))
            return false;
    for (gsize i = 0; i < dom->n_serials; i++)
        if (!accept_serial(dom->serials[i], err))
            return false;
    return accept_iommu(dom, err);
}

bool
qemu_accept_devices(const Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_disks; i++)
        if (!qemu_accept_disk(dom->disks[i], dom, err))
            return false;
    for (gsize i = 0; i < dom->n_controllers; i++)
        if (!accept_controller(dom->controllers[i], dom, err))
            return false;
    return accept_graphics(dom, err) && accept_small_devices(dom, err);
}
