/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers of running guests. stats.c has the calls about one guest, stats_all.c virConnectGetAllDomainStats. */
#pragma once

#include "base/json.h"
#include "driver/qemu/guest.h"
#include "object/params.h"

typedef struct {
    guint64 rd_reqs, rd_bytes, rd_ns, wr_reqs, wr_bytes, wr_ns, fl_reqs, fl_ns;
    guint64 wr_highest; /* offset behind the last byte written; 0: unknown */
} BlockNumbers;

/* The numbers of @disk in the answer of query-blockstats; false when it is not in there. */
bool block_numbers_find(const Json *answer, const Disk *disk, BlockNumbers *numbers);
typedef struct {
    guint64 capacity, allocation, physical;
} BlockSizes;
/* What the file system says of a local image, and the header of the capacity when @answer (query-block or NULL)
 * does not. */
bool block_sizes_read(const Disk *disk, const Json *blocks, BlockSizes *sizes, GError **err);

/* Values of the balloon: (virDomainMemoryStatTags, KiB or events). @guest_stats is the property, @balloon query-balloon. */
typedef struct {
    int tag;
    guint64 value;
} MemoryNumber;
GArray *memory_numbers(const Json *guest_stats, const Json *balloon, pid_t pid);
/* The balloon's path in the object tree; NULL: it has none. */
char *balloon_path(const Domain *live);

/* ns that a vCPU thread ran, waited, and was delayed; false when it is gone. */
bool thread_times(pid_t pid, pid_t thread, guint64 *run_ns, guint64 *delay_ns);
void qemu_stats_all_slots(DriverSlots *slots);
bool interface_numbers(const char *name, guint64 numbers[8], GError **err);
