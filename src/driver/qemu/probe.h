/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one emulator binary can do, asked from the binary itself: one start, one batch of questions, kept on disk until
 * the file changes. Which emulators there are, and what the host offers with them: capabilities.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "driver/qemu/qemu.h"

typedef struct {
    char *name;
    char *alias;                     /* "pc" of pc-i440fx-7.2; NULL */
    char *default_cpu, *default_ram; /* type name of the CPU, id of the memory backend; NULL */
    guint max_cpus;
    bool is_default, is_deprecated, hotplugs_cpus;
} MachineType;

typedef struct {
    char *name;
    bool is_usable, is_deprecated;
    char **blockers; /* NULL when it is usable */
} CpuModelType;

typedef struct {
    gatomicrefcount refs;
    char *path, *arch; /* the kernel's name of the architecture: x86_64, i686 */
    guint version;     /* 7002022 */
    char *version_text, *package;
    GPtrArray *machines;  /* of MachineType, the default first */
    GPtrArray *cpus;      /* of CpuModelType, under software emulation */
    GPtrArray *kvm_cpus;  /* the same under KVM; empty when KVM does not run */
    GHashTable *types;    /* names of the object types it knows */
    GHashTable *commands; /* of its monitor */
    GHashTable *options;  /* command line options */
    char *host_model,
        *kvm_host_model; /* -cpu value that spells out what "max", or "host" under KVM, is now; NULL */
    bool has_tcg;        /* software emulation is built in */
    bool runs_kvm;       /* a guest was really run with it */
    bool
        runs_kvm_host_cpu; /* and one with the host's own processor model: not so in some nested hosts */
} EmulatorInfo;

EmulatorInfo *emulator_info_ref(EmulatorInfo *info);
void emulator_info_unref(EmulatorInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EmulatorInfo, emulator_info_unref)

/* From the cache under @qemu's folder, or by starting @path. A worker may call it; it takes up to seconds. */
EmulatorInfo *emulator_info_load(QemuDriver *qemu, const char *path, GError **err);

/* By name or alias; NULL: the default. NULL when there is none. */
const MachineType *emulator_info_machine(const EmulatorInfo *info, const char *name);
bool emulator_info_has_type(const EmulatorInfo *info, const char *type);
bool emulator_info_has_command(const EmulatorInfo *info, const char *command);
