/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the domain rule files only: the steps of filling and checking, and small list tools. */
#pragma once

#include <string.h>

#include "model/domain.h"

/* Lists of generated structures: T **list; gsize n_list. */
#define list_append(list, n, item)                              \
    G_STMT_START                                                \
    {                                                           \
        (list) = g_realloc_n((list), (n) + 1, sizeof(*(list))); \
        (list)[(n)++] = (item);                                 \
    }                                                           \
    G_STMT_END

#define list_insert(list, n, at, item)                                        \
    G_STMT_START                                                              \
    {                                                                         \
        gsize at_ = (at);                                                     \
        (list) = g_realloc_n((list), (n) + 1, sizeof(*(list)));               \
        memmove((list) + at_ + 1, (list) + at_, ((n)-at_) * sizeof(*(list))); \
        (list)[at_] = (item);                                                 \
        (n)++;                                                                \
    }                                                                         \
    G_STMT_END

static inline void
set_string(char **place, const char *value)
{
    if (*place != value) {
        g_free(*place);
        *place = g_strdup(value);
    }
}

/* domain_live.c */
void domain_drop_live(Domain *dom);

/* domain_defaults.c */
bool domain_fill_platform(Domain *dom, const DomainFillHost *host, GError **err);
bool domain_fill_default_devices(Domain *dom, GError **err);
Controller *domain_add_controller(Domain *dom, ControllerType type, guint index,
                                  ControllerModel model);
/* Adds it unless it is there; returns whether it was added. */
bool domain_ensure_controller(Domain *dom, ControllerType type, guint index, ControllerModel model);

/* domain_controller.c */
void domain_fill_controller_indexes(Domain *dom);
void domain_sort_controllers(Domain *dom);
bool domain_fill_implicit_controllers(Domain *dom, GError **err);
bool domain_check_controllers(const Domain *dom, GError **err);

/* domain_memory.c */
bool domain_fill_memory(Domain *dom, GError **err);
bool domain_check_memory(const Domain *dom, GError **err);
bool domain_fill_vcpus(Domain *dom, GError **err);

/* domain_tuning.c */
void domain_fill_seclabels(Domain *dom, const DomainFillHost *host);
bool domain_fill_tuning(Domain *dom, GError **err);
bool domain_check_tuning(const Domain *dom, GError **err);

/* domain_cpu.c */
bool domain_fill_cpu(Domain *dom, const DomainMachine *machine, GError **err);

/* domain_os.c */
bool domain_fill_os(Domain *dom, GError **err);
void domain_fill_nvram(Domain *dom, const DomainFillHost *host);
bool domain_fill_boot(Domain *dom, GError **err);
bool domain_check_os(const Domain *dom, GError **err);

/* domain_chardev.c */
bool domain_fill_consoles(Domain *dom, GError **err);
void domain_mirror_console(Domain *dom);
bool domain_fill_chardev_ports(Domain *dom, GError **err);

/* domain_display.c */
bool domain_fill_inputs(Domain *dom, GError **err);
bool domain_fill_audio(Domain *dom, GError **err);
bool domain_fill_videos(Domain *dom, const DomainFillHost *host, GError **err);

/* domain_disk.c */
void domain_sort_disks(Domain *dom);
bool disk_assign_drive_address(Disk *disk, Domain *dom, GError **err);

/* domain_address.c, domain_address_pci.c, domain_address_usb.c */
void device_info_set_kind(DeviceInfo *info, AddressType kind);
void device_info_drop_address(DeviceInfo *info);
bool domain_assign_virtio_serial(Domain *dom, GError **err);
bool domain_assign_ccid(Domain *dom, GError **err);
bool domain_assign_dimm(Domain *dom, GError **err);
bool domain_assign_pci(Domain *dom, const DomainFillHost *host, GError **err);
bool domain_assign_usb(Domain *dom, GError **err);
bool domain_assign_pci_device(Domain *dom, const DomainFillHost *host, const DomainDevice *device,
                              GError **err);
bool domain_assign_usb_device(Domain *dom, const DomainDevice *device, GError **err);

/* What one device fills in about itself and what is checked about it, whatever the hypervisor; in the file of its kind. */
bool domain_check_device(const Domain *dom, const DomainDevice *device, GError **err);
void device_drop_live(const DomainDevice *device);
bool domain_fill_device(Domain *dom, const DomainDevice *device, const DomainFillHost *host,
                        GError **err);
bool device_info_fill_defaults(DeviceInfo *info, GError **err);
bool disk_fill_defaults(Disk *disk, Domain *dom, const DomainFillHost *host, GError **err);
bool disk_check_valid(const Disk *disk, GError **err);
bool controller_fill_defaults(Controller *controller, Domain *dom, const DomainFillHost *host,
                              GError **err);
bool interface_fill_defaults(Interface *net, Domain *dom, const DomainFillHost *host, GError **err);
bool interface_check_valid(const Interface *net, const Domain *dom, GError **err);
bool smartcard_fill_defaults(Smartcard *smartcard, GError **err);
bool serial_fill_defaults(Serial *serial, Domain *dom, const DomainFillHost *host, GError **err);
bool parallel_fill_defaults(Parallel *parallel, GError **err);
bool console_fill_defaults(Console *console, GError **err);
void channel_drop_made_path(Channel *channel);
bool channel_fill_defaults(Channel *channel, const DomainFillHost *host, GError **err);
bool redirdev_fill_defaults(Redirdev *redirdev, GError **err);
bool input_fill_defaults(Input *input, const Domain *dom, GError **err);
bool graphics_fill_defaults(Graphics *graphics, GError **err);
bool video_fill_defaults(Video *video, const Domain *dom, const DomainFillHost *host, GError **err);
bool hostdev_fill_defaults(Hostdev *hostdev, Domain *dom, const DomainFillHost *host, GError **err);
bool hostdev_check_valid(const Hostdev *hostdev, const Domain *dom, GError **err);
bool filesystem_fill_defaults(Filesystem *fs, GError **err);
bool tpm_fill_defaults(Tpm *tpm, const DomainFillHost *host, GError **err);
bool rng_fill_defaults(Rng *rng, GError **err);
bool hostdev_same_source(const Hostdev *a, const Hostdev *b);
bool redirfilter_fill_defaults(Redirfilter *filter, GError **err);
bool panic_fill_defaults(Panic *panic, const Domain *dom, const DomainFillHost *host, GError **err);
bool shmem_fill_defaults(Shmem *shmem, const DomainFillHost *host, GError **err);
bool memory_device_fill_defaults(MemoryDevice *memory, GError **err);
bool vsock_fill_defaults(Vsock *vsock, GError **err);
bool chardev_fill_defaults(Chardev *chardev, ChardevType type, GError **err);
bool chardev_check_valid(const Chardev *chardev, ChardevType type, GError **err);
