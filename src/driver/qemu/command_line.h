/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The emulator's command line for a domain. command_line.c puts it together; command_*.c have the kinds of devices.
 * What cannot be had is refused with VIR_ERR_CONFIG_UNSUPPORTED and the element's name, before anything is made. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/memory_cache.h"
#include "driver/qemu/probe.h"

typedef struct {
    QemuDriver *qemu;
    const EmulatorInfo *info;
    const Domain *dom;
    const char *lib_dir, *monitor_path, *channel_dir;
    bool is_dry; /* for reading only: paths instead of descriptors, nothing is made or opened */
    const MemoryCache *memory; /* the machine's RAM, to be mapped; NULL: new memory */
    bool is_incoming;          /* -incoming defer */
    bool is_staged;            /* no VNC port; sockets are bound beside their final names */
    int monitor_fd;            /* listening; -1 when dry */
    guint boot_index;          /* counts the places of <boot dev=> */

    GPtrArray *argv;         /* of char *, ends with NULL when finished */
    GPtrArray *env;          /* NAME=value */
    GArray *keep_fds;        /* of int, owned: they stay open in the emulator */
    GPtrArray *made_paths;   /* sockets that were bound; removed when the start fails */
    GPtrArray *staged_paths; /* pairs: bound name, final name */
} CommandLine;

CommandLine *command_line_new(QemuDriver *qemu, const EmulatorInfo *info, const Domain *dom);
void command_line_free(CommandLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CommandLine, command_line_free)

/* Fill argv and env. */
bool command_line_build(CommandLine *line, GError **err);
/* May this driver run @dom? What command_line_build would refuse, without building. */
bool command_line_accept(QemuDriver *qemu, const Domain *dom, GError **err);
/* NAME=value words and arguments in one line, quoted for a shell to read. */
char *command_line_format(const CommandLine *line, const char *separator);

/* ---- for the parts ---- */
void line_add(CommandLine *line, const char *option, const char *value);
void line_addf(CommandLine *line, const char *option, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* -device, -object, -blockdev, -netdev as JSON. Takes @take_json. */
void line_add_json(CommandLine *line, const char *option, Json *take_json);
/* Pass a descriptor on; the line owns it. Returns its number. */
int line_keep_fd(CommandLine *line, int take_fd);
/* A comma in a value of a key=value option is written twice. */
char *line_escape(const char *value);
bool line_refuse(GError **err, const char *what) G_GNUC_WARN_UNUSED_RESULT;

/* Members of JSON objects. */
void json_add_string(Json *object, const char *key, const char *value); /* NULL: left out */
void json_add_bool(Json *object, const char *key, bool value);
void json_add_int(Json *object, const char *key, gint64 value);
void json_add_onoff(Json *object, const char *key,
                    Tristate value); /* "on"/"off"; unset: left out */
void json_add_tristate(Json *object, const char *key,
                       Tristate value); /* true/false; unset: left out */

/* The driver word, "virtio-blk-pci" and so on, with the model's variant. @model: 0 none, 1 virtio, 2 transitional,
 * 3 non-transitional. */
char *virtio_device_name(const char *base, const DeviceInfo *info, const char *model);
void json_add_virtio(Json *device, const VirtioOptions *options);
/* bus, addr (pci), or what the kind of address needs. */
bool json_add_address(CommandLine *line, Json *device, const DeviceInfo *info, GError **err);
/* bootindex, romfile, rombar, acpi-index. @boot_index 0: only what <boot order=> says. */
void json_add_boot(Json *device, const DeviceInfo *info, guint boot_index);
/* "pci.2", "pcie.0": the bus that a controller of this index offers. */
char *pci_bus_name(const Domain *dom, guint index);
/* The place of a boot device in the order of <os><boot dev=>, 0: it has none. Counts each kind once. */
guint line_boot_index(CommandLine *line, BootDevice device);

bool command_add_machine(CommandLine *line, GError **err); /* command_machine.c */
bool command_add_cpu(CommandLine *line, GError **err);
bool command_add_memory(CommandLine *line, GError **err);
/* The ids of the objects that a machine has its RAM in; empty: they are not known. Of char *. */
GPtrArray *command_memory_names(const EmulatorInfo *info, const Domain *dom);
bool command_add_numa(CommandLine *line, GError **err);
bool command_add_clock(CommandLine *line, GError **err); /* command_boot.c */
bool command_add_power(CommandLine *line, GError **err);
bool command_add_boot(CommandLine *line, GError **err);
bool command_add_firmware(CommandLine *line, GError **err);
bool command_add_smbios(CommandLine *line, GError **err);
bool command_add_iothreads(CommandLine *line, GError **err);
bool command_add_controllers(CommandLine *line, GError **err); /* command_controller.c */
bool command_add_disks(CommandLine *line, GError **err);       /* command_disk.c */
bool command_add_nets(CommandLine *line, GError **err);        /* command_net.c */
bool command_add_chardevs(CommandLine *line, GError **err);    /* command_chardev.c */
bool command_add_chardev(CommandLine *line, const char *id, ChardevType type,
                         const Chardev *chardev, GError **err);
bool command_add_inputs(CommandLine *line, GError **err); /* command_display.c */
bool command_add_displays(CommandLine *line, GError **err);
bool command_add_sounds(CommandLine *line, GError **err);
bool command_add_misc(CommandLine *line, GError **err); /* command_misc.c */
bool command_add_watchdogs(CommandLine *line, GError **err);
bool command_refuse_unsupported(const Domain *dom, GError **err);

/* The -blockdev objects of one layer (disk->source or a backing layer), the protocol node first. */
Json *disk_storage_node(const Disk *disk, StorageType type, const DiskSource *source, guint index,
                        bool is_read_only, GError **err);
Json *disk_format_node(const Disk *disk, StorageFormat format, guint index, bool is_read_only,
                       guint backing_index);
/* -blockdev for each layer and -device. */
bool command_add_disk(CommandLine *line, const Disk *disk, GError **err);
/* The -device of @disk, on top of node @index (0: no medium). */
Json *disk_device(CommandLine *line, const Disk *disk, guint index, GError **err);
