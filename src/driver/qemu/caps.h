/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two capability documents: of the host and its emulators (host_caps.c), and of the guests of one emulator
 * (domain_caps.c), which says what this driver accepts, not all that the emulator could do. */
#pragma once

#include "driver/qemu/probe.h"
#include "driver/qemu/qemu.h"

char *host_caps_format(QemuDriver *qemu, GError **err);
/* Any of the four may be NULL: the driver chooses. */
char *domain_caps_format(QemuDriver *qemu, const char *emulator, const char *arch,
                         const char *machine, const char *virt_type, GError **err);
/* A model that users name: not a version of another, nor a way to say "this host". */
bool cpu_model_has_own_name(const CpuModelType *cpu);
