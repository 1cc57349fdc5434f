/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the smaller devices fill in: file systems, smartcards, TPM, rng, panic, shared memory, memory modules, vsock. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

static bool
check_pci(const PciAddress *address, GError **err)
{
    if (address->domain > 0xffff)
        return error_set(err, VIR_FROM_NONE, VIR_ERR_XML_ERROR,
                         "Invalid PCI address domain='0x%x', must be <= 0xFFFF", address->domain);
    if (address->bus > 0xff)
        return error_set(err, VIR_FROM_NONE, VIR_ERR_XML_ERROR,
                         "Invalid PCI address bus='0x%x', must be <= 0xFF", address->bus);
    if (address->slot > 0x1f)
        return error_set(err, VIR_FROM_NONE, VIR_ERR_XML_ERROR,
                         "Invalid PCI address slot='0x%x', must be <= 0x1F", address->slot);
    if (address->function > 7)
        return error_set(err, VIR_FROM_NONE, VIR_ERR_XML_ERROR,
                         "Invalid PCI address function=0x%x, must be <= 7", address->function);
    return true;
}

bool
device_info_fill_defaults(DeviceInfo *info, GError **err)
{
    if (info->rom && info->rom->enabled == TRISTATE_NO && (info->rom->bar || info->rom->file))
        return fail(err, VIR_ERR_XML_ERROR, "ROM tuning is not supported when ROM is disabled");
    if (info->address.kind == ADDRESS_TYPE_NONE)
        info->address.kind = ADDRESS_TYPE_UNSET;
    if (info->address.kind == ADDRESS_TYPE_PCI)
        return check_pci(info->address.pci, err);
    return true;
}

bool
device_info_prints_alias(const DeviceInfo *info, ModelFormatFlags flags)
{
    return !(flags & MODEL_FORMAT_INACTIVE) || alias_is_users(info->alias_name);
}

bool
filesystem_fill_defaults(Filesystem *fs, GError **err)
{
    bool is_shared = fs->type == FILESYSTEM_TYPE_MOUNT || fs->type == FILESYSTEM_TYPE_BIND ||
                     fs->type == FILESYSTEM_TYPE_FILE || fs->type == FILESYSTEM_TYPE_BLOCK ||
                     fs->type == FILESYSTEM_TYPE_TEMPLATE || fs->type == FILESYSTEM_TYPE_RAM ||
                     fs->type == FILESYSTEM_TYPE_VOLUME;

    if (!fs->target_dir)
        return fail(err, VIR_ERR_XML_ERROR, "no target specified for filesystem device");
    if (fs->source.socket) /* the other end decides */
        fs->accessmode = FILESYSTEM_ACCESS_UNSET;
    else if (is_shared && !fs->accessmode)
        fs->accessmode = FILESYSTEM_ACCESS_PASSTHROUGH;
    if (fs->multidevs == FILESYSTEM_MULTIDEVS_DEFAULT)
        fs->multidevs = FILESYSTEM_MULTIDEVS_UNSET;
    if (fs->driver.type == FILESYSTEM_DRIVER_TYPE_DEFAULT)
        fs->driver.type = FILESYSTEM_DRIVER_TYPE_UNSET;
    if (fs->driver.wrpolicy == FILESYSTEM_WRPOLICY_DEFAULT)
        fs->driver.wrpolicy = FILESYSTEM_WRPOLICY_UNSET;
    return true;
}

bool
smartcard_fill_defaults(Smartcard *smartcard, GError **err)
{
    if (smartcard->mode == SMARTCARD_MODE_HOST_CERTIFICATES && smartcard->n_certificates != 3)
        return fail(err, VIR_ERR_XML_ERROR,
                    "host-certificates mode needs exactly three certificates");
    if (smartcard->mode != SMARTCARD_MODE_PASSTHROUGH) {
        smartcard->type = CHARDEV_TYPE_UNSET;
        return true;
    }
    if (!smartcard->type)
        return fail(err, VIR_ERR_XML_ERROR,
                    "passthrough mode requires a character device type attribute");
    return chardev_fill_defaults(&smartcard->chardev, smartcard->type, err);
}

bool
tpm_fill_defaults(Tpm *tpm, const DomainFillHost *host, GError **err)
{
    TpmBackend *backend = &tpm->backend;

    if (!backend->type)
        return fail(err, VIR_ERR_XML_ERROR, "missing TPM device backend");
    if (host && (!tpm->model || tpm->model == TPM_MODEL_DEFAULT))
        tpm->model = TPM_MODEL_TPM_TIS;
    if (backend->type != TPM_BACKEND_TYPE_EMULATOR)
        backend->version = TPM_VERSION_UNSET;
    else if (host && (!backend->version || backend->version == TPM_VERSION_DEFAULT))
        backend->version = tpm->model == TPM_MODEL_TPM_TIS ? TPM_VERSION_N_1_2 : TPM_VERSION_N_2_0;
    if (backend->type == TPM_BACKEND_TYPE_PASSTHROUGH && !backend->device_path)
        backend->device_path = g_strdup("/dev/tpm0");
    return true;
}

bool
rng_fill_defaults(Rng *rng, GError **err)
{
    RngBackend *backend = &rng->backend;

    switch (backend->model) {
    case RNG_BACKEND_MODEL_EGD:
        g_clear_pointer(&backend->text, g_free);
        if (!backend->type)
            return fail(err, VIR_ERR_XML_ERROR, "missing EGD backend type");
        return chardev_fill_defaults(&backend->chardev, backend->type, err) &&
               chardev_check_valid(&backend->chardev, backend->type, err);
    case RNG_BACKEND_MODEL_RANDOM:
        if (backend->text)
            g_strstrip(backend->text);
        if (!backend->text || !backend->text[0])
            set_string(&backend->text, "/dev/random");
        backend->type = CHARDEV_TYPE_UNSET;
        return true;
    default:
        g_clear_pointer(&backend->text, g_free);
        return true;
    }
}

bool
panic_fill_defaults(Panic *panic, const Domain *dom, const DomainFillHost *host, GError **err)
{
    if (panic->model == PANIC_MODEL_DEFAULT)
        panic->model = PANIC_MODEL_UNSET;
    if (host && !panic->model && domain_is_x86(dom))
        panic->model = PANIC_MODEL_ISA;
    return true;
}

bool
shmem_fill_defaults(Shmem *shmem, const DomainFillHost *host, GError **err)
{
    if (strchr(shmem->name, '/'))
        return fail(err, VIR_ERR_XML_ERROR, "shmem name cannot include '/' character");
    if (host && !shmem->model_type)
        shmem->model_type = SHMEM_MODEL_IVSHMEM;
    if (host && shmem->model_type == SHMEM_MODEL_IVSHMEM_PLAIN && !shmem->has_size) {
        shmem->size = 4;
        shmem->has_size = true;
    }
    if (host && shmem->model_type == SHMEM_MODEL_IVSHMEM_DOORBELL) {
        if (!shmem->msi)
            shmem->msi = shmem_msi_new();
        if (!shmem->msi->ioeventfd)
            shmem->msi->ioeventfd = TRISTATE_ON;
    }
    return true;
}

bool
memory_device_fill_defaults(MemoryDevice *memory, GError **err)
{
    if (memory->model == MEMORY_MODEL_NVDIMM && !memory->source.path)
        return fail(err, VIR_ERR_XML_DETAIL, "path is required for model 'nvdimm'");
    return true;
}

bool
vsock_fill_defaults(Vsock *vsock, GError **err)
{
    if (vsock->has_cid_address && vsock->cid_auto == TRISTATE_UNSET)
        vsock->cid_auto = TRISTATE_NO;
    if (!vsock->has_cid_address && vsock->cid_auto == TRISTATE_UNSET)
        vsock->cid_auto = TRISTATE_YES;
    if (!vsock->model || vsock->model == VSOCK_MODEL_DEFAULT)
        vsock->model = VSOCK_MODEL_VIRTIO;
    return true;
}
