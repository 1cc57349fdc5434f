/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of a domain's XML that no schema line can say: what is filled in (defaults, default devices, addresses,
 * aliases) and what is refused whatever the hypervisor. The structures are those of schema/model/domain*.model.
 *
 * The stages: domain_parse() reads; domain_fill() writes what the user left out; domain_check() judges; the driver then
 * accepts or refuses by its own capabilities. domain_parse_filled() runs the first three. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "gen/model-domain.h"

/* ---- kinds of devices ---- */
typedef enum {
    DOMAIN_DEVICE_NONE,
    DOMAIN_DEVICE_DISK,
    DOMAIN_DEVICE_CONTROLLER,
    DOMAIN_DEVICE_LEASE,
    DOMAIN_DEVICE_FILESYSTEM,
    DOMAIN_DEVICE_INTERFACE,
    DOMAIN_DEVICE_SMARTCARD,
    DOMAIN_DEVICE_SERIAL,
    DOMAIN_DEVICE_PARALLEL,
    DOMAIN_DEVICE_CONSOLE,
    DOMAIN_DEVICE_CHANNEL,
    DOMAIN_DEVICE_INPUT,
    DOMAIN_DEVICE_TPM,
    DOMAIN_DEVICE_GRAPHICS,
    DOMAIN_DEVICE_SOUND,
    DOMAIN_DEVICE_AUDIO,
    DOMAIN_DEVICE_VIDEO,
    DOMAIN_DEVICE_HOSTDEV,
    DOMAIN_DEVICE_REDIRDEV,
    DOMAIN_DEVICE_HUB,
    DOMAIN_DEVICE_WATCHDOG,
    DOMAIN_DEVICE_MEMBALLOON,
    DOMAIN_DEVICE_RNG,
    DOMAIN_DEVICE_NVRAM,
    DOMAIN_DEVICE_PANIC,
    DOMAIN_DEVICE_SHMEM,
    DOMAIN_DEVICE_MEMORY,
    DOMAIN_DEVICE_CRYPTO,
    DOMAIN_DEVICE_IOMMU,
    DOMAIN_DEVICE_VSOCK,
    DOMAIN_DEVICE_LAST
} DomainDeviceKind;

typedef struct {
    DomainDeviceKind kind;
    void *device;     /* Disk, Controller, ... */
    DeviceInfo *info; /* NULL for graphics, audio, leases */
    gsize index;      /* in its list */
} DomainDevice;

/* What the driver knows about the emulator of a domain and the schema cannot. */
typedef struct {
    const char *machine;     /* canonical name: pc-q35-7.2 for q35; the default machine for none */
    const char *default_cpu; /* CPU model of a guest that asks for none, such as qemu64 */
    /* host-passthrough leaves out what cannot be migrated unless told otherwise */
    bool cpu_is_migratable;
} DomainMachine;

typedef struct DomainFillHost DomainFillHost;
struct DomainFillHost {
    const char *arch; /* of a guest that names none */
    /* Path of the emulator for a guest that names none; NULL when there is none. */
    const char *(*find_emulator)(const DomainFillHost *host, VirtType type, const char *arch);
    /* Judges dom->emulator, architecture, type and machine; the strings live as long as @host. */
    bool (*find_machine)(const DomainFillHost *host, const Domain *dom, DomainMachine *machine,
                         GError **err);
    /* Is this PCI device of the host an Express one? NULL: unknown, plain PCI is assumed. */
    bool (*is_pci_express)(const DomainFillHost *host, const HostPciAddress *address);
    const char *vnc_listen, *spice_listen; /* configured defaults, NULL = 127.0.0.1 */
    /* Refuses a device that is about to be attached; NULL: takes all. Whole definitions are the
     * driver's to accept. */
    bool (*accept_device)(const Domain *dom, const DomainDevice *device, GError **err);
    /* Where sockets of agents are made; NULL: known by their names only. */
    const char *channel_dir;
    /* Where a guest's variables are kept when it names no file; NULL: it has to. */
    const char *nvram_dir;
    void *opaque;
};

/* Parse @xml, fill in, check. @host NULL: only the rules that hold for every hypervisor (test driver): no emulator, machine,
 * CPU, default devices or addresses. */
Domain *domain_parse_filled(const char *xml, ModelParseFlags flags, const DomainFillHost *host,
                            GError **err);

/* Refuse what is not in the schema: unknown elements and attributes too (VIR_ERR_XML_INVALID_SCHEMA). */
bool domain_validate(const char *xml, GError **err);

/* Disks and controllers in the order that a definition has after reading; part of domain_parse_filled. */
void domain_arrange(Domain *dom);

/* A copy of a running guest's configuration without what lives only while it runs. */
Domain *domain_copy_inactive(const Domain *dom);

/* ---- walking ---- */
typedef bool (*DomainDeviceFn)(Domain *dom, const DomainDevice *device, void *data, GError **err);

/* Visits every device; stops at the first false and returns it. The console that mirrors the first serial port is left out. */
bool domain_each_device(Domain *dom, DomainDeviceFn fn, void *data, GError **err);
const char *domain_device_kind_name(DomainDeviceKind kind);

/* ---- looking things up ---- */
/* By target name (vda) or by the path of its source; NULL when there is none. */
Disk *domain_find_disk(const Domain *dom, const char *name);
Controller *domain_find_controller(const Domain *dom, ControllerType type, guint index);
/* By alias; false when no device has it. */
bool domain_find_alias(Domain *dom, const char *alias, DomainDevice *found);
Interface *domain_find_interface(const Domain *dom, const guchar mac[6]);

bool domain_is_q35(const Domain *dom);
bool domain_is_i440fx(const Domain *dom);
bool domain_is_x86(const Domain *dom);
bool domain_has_pcie_root(const Domain *dom);
guint domain_vcpus_current(const Domain *dom);

/* ---- storage ---- */
/* The path that identifies an image: file, device, directory, or network name; NULL when the source is empty. */
const char *disk_source_path(StorageType type, const DiskSource *source);
bool disk_source_is_empty(StorageType type, const DiskSource *source);
bool disk_source_is_local(StorageType type, const DiskSource *source);
/* Drops what does not belong to @type. */
void disk_source_prune(StorageType type, DiskSource *source);
/* Number of a target name within its prefix: vda 0, vdb 1, vdaa 26; -1: no such name. */
int disk_target_index(const char *dev);
/* The target name of that number: "vd", 27 -> "vdab". */
char *disk_target_name(const char *prefix, guint index);
DiskBus disk_bus_from_target(const char *dev);

/* ---- addresses ---- */
/* Gives every device that needs one an address, and adds the controllers that takes. */
bool domain_assign_addresses(Domain *dom, const DomainFillHost *host, GError **err);
/* One device to be plugged into a guest that has its addresses already. No controllers are added. */
bool domain_assign_device_address(Domain *dom, const DomainFillHost *host,
                                  const DomainDevice *device, GError **err);
PciAddress *device_info_pci(const DeviceInfo *info);
DriveAddress *device_info_drive(const DeviceInfo *info);

/* ---- aliases: names of the devices of a running guest ---- */
void domain_assign_aliases(Domain *dom);
/* The alias a device to be plugged gets. */
char *domain_alias_for(const Domain *dom, const DomainDevice *device);
bool alias_is_users(const char *alias);
void domain_clear_aliases(Domain *dom);

/* ---- changes ---- */
/* One device more, less, or other, by its document; then the whole is filled in and checked. A failure may leave @dom half
 * changed: call it on a copy. */
bool domain_attach_device(Domain *dom, const char *xml, const DomainFillHost *host, GError **err);
bool domain_detach_device(Domain *dom, const char *xml, const DomainFillHost *host, GError **err);
bool domain_update_device(Domain *dom, const char *xml, const DomainFillHost *host, GError **err);
/* May a running guest's configuration @dom be replaced by @other? Error names what differs. */
bool domain_check_abi_stable(const Domain *dom, const Domain *other, GError **err);
