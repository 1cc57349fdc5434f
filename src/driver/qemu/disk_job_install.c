/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See disk_job_install.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/disk_job_install.h"

#include <sys/stat.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/block.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/snapshot_remap.h"

/* ---- the mirror ---- */

static const BackingStore *
find_layer(const Disk *disk, guint node)
{
    for (const BackingStore *layer = disk->backing_store; layer; layer = layer->backing_store) {
        if (layer->index == node && layer->type != STORAGE_TYPE_UNSET)
            return layer;
    }
    return NULL;
}

/* Source and what is below it, from one place of a definition to another. */
static void
copy_source(DiskSource *to, const DiskSource *from)
{
    g_autoptr(Disk) shell = disk_new();
    g_autoptr(Disk) copied = NULL;

    shell->source = *from;
    copied = disk_copy(shell);
    shell->source = (DiskSource){0};
    *to = copied->source;
    copied->source = (DiskSource){0};
}

static BackingStore *
copy_layers(const BackingStore *layer)
{
    return layer ? backing_store_copy(layer) : NULL;
}

static DiskMirror *
mirror_of(const DiskJobPlan *plan, const Disk *disk)
{
    DiskMirror *mirror = disk_mirror_new();

    mirror->ready = plan->is_ready ? MIRROR_READY_YES : MIRROR_READY_UNSET;
    if (plan->copy) {
        mirror->job = MIRROR_JOB_COPY;
        mirror->type = plan->copy->type;
        mirror->format_type = plan->copy->driver.type;
        if (mirror->type == STORAGE_TYPE_FILE) {
            mirror->file = g_strdup(plan->copy->source.file);
            mirror->format = mirror->format_type;
        }
        copy_source(&mirror->source, &plan->copy->source);
        mirror->backing_store = copy_layers(plan->copy->backing_store);
    } else {
        const BackingStore *base = find_layer(disk, plan->base_node);

        mirror->job = MIRROR_JOB_ACTIVE_COMMIT;
        if (base) {
            mirror->type = base->type;
            mirror->format_type = base->format ? base->format->type : STORAGE_FORMAT_RAW;
            copy_source(&mirror->source, &base->source);
            mirror->source.index = base->index;
            mirror->source.has_index = base->has_index;
        }
    }
    return mirror;
}

static bool
set_live(Guest *guest, Domain *take_live, GError **err)
{
    guest_set_live(guest, take_live);
    return guest_publish(guest, err) && guest_save_status(guest, err);
}

bool
disk_job_show(Guest *guest, const DiskJobPlan *plan, GError **err)
{
    g_autoptr(Domain) live = guest_live(guest) ? domain_copy(guest_live(guest)) : NULL;
    Disk *disk = live ? domain_find_disk(live, plan->target) : NULL;

    if (!disk)
        return true;
    if (plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_COPY ||
        plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT) {
        disk_mirror_free(disk->mirror);
        disk->mirror = mirror_of(plan, disk);
    }
    return set_live(guest, g_steal_pointer(&live), err);
}

/* ---- how it ended ---- */

static bool
header_names(const DiskJobImage *image, const char *below)
{
    g_autoptr(ImageHeader) header = image_header_read_file(image->path, image->format, NULL);
    g_autofree char *found = header && header->backing_name
                                 ? image_backing_path(image->path, header->backing_name, NULL)
                                 : NULL;

    return header && g_strcmp0(found, below) == 0;
}

static gint64
changed_ns(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec : 0;
}

bool
disk_job_is_done(Guest *guest, const DiskJobPlan *plan, Emulator *emulator, bool *is_done,
                 GError **err)
{
    DiskJobImage top = {.path = plan->top_path, .format = plan->top_format};
    guint target = plan->copy ? plan->copy->source.index : plan->base_node;
    const char *path =
        plan->copy ? disk_source_path(plan->copy->type, &plan->copy->source) : plan->base.path;

    switch (plan->type) {
    case VIR_DOMAIN_BLOCK_JOB_TYPE_PULL:
        *is_done = header_names(&top, plan->base.path);
        return true;
    case VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT:
        *is_done = header_names(&plan->above, plan->base.path);
        return true;
    default:
        if (emulator)
            return block_is_top(emulator, target, is_done, err);
        /* Both held the same when QEMU was told; the one that was written to later is the disk. */
        *is_done = changed_ns(path) >= changed_ns(plan->top_path);
        return true;
    }
}

/* ---- where the disk is now ---- */

static bool
commit_one(Guest *guest, const DiskJobPlan *plan, const DiskJobImage *gone, GError **err)
{
    ImageMerge merge = {.kind = BLOCK_COMMIT,
                        .target = plan->target,
                        .upper = gone->path,
                        .upper_format = gone->format,
                        .lower = plan->base.path,
                        .lower_format = plan->base.format,
                        .lower_is_block_device = plan->base.is_block_device};

    return snapshot_remap(guest, &merge, err);
}

static bool
install_commit(Guest *guest, const DiskJobPlan *plan, GError **err)
{
    /* From the bottom up: the one right above base goes first. */
    for (guint i = 0; i < plan->gone->len; i++) {
        if (!commit_one(guest, plan, plan->gone->pdata[i], err))
            return false;
    }
    return true;
}

static bool
is_on(const Disk *disk, const char *path)
{
    return disk && g_strcmp0(disk_source_path(disk->type, &disk->source), path) == 0;
}

/* The layers between top and base are gone. */
static void
pull_layers(Disk *disk, const DiskJobPlan *plan)
{
    BackingStore **place = &disk->backing_store;

    if (!*place)
        return;
    while (*place && (*place)->type != STORAGE_TYPE_UNSET &&
           g_strcmp0(disk_source_path((*place)->type, &(*place)->source), plan->base.path) != 0) {
        BackingStore *gone = *place;

        *place = g_steal_pointer(&gone->backing_store);
        backing_store_free(gone);
    }
    if (!*place)
        *place = backing_store_new(); /* nothing is below */
}

static void
drop_numbers(DiskSource *source, BackingStore *layer)
{
    source->has_index = false;
    source->index = 0;
    g_clear_pointer(&source->private_data, source_private_free);
    for (; layer; layer = layer->backing_store) {
        layer->has_index = layer->source.has_index = false;
        layer->index = layer->source.index = 0;
        g_clear_pointer(&layer->source.private_data, source_private_free);
    }
}

static void
put_on_copy(Disk *disk, const DiskJobPlan *plan, bool is_live)
{
    Disk *gone = disk_new();

    gone->source = disk->source;
    gone->backing_store = g_steal_pointer(&disk->backing_store);
    disk_free(gone);
    disk->type = plan->copy->type;
    disk->driver.type = plan->copy->driver.type;
    copy_source(&disk->source, &plan->copy->source);
    disk->backing_store = copy_layers(plan->copy->backing_store);
    if (!is_live)
        drop_numbers(&disk->source, disk->backing_store);
}

static void
change_disk(Disk *disk, const DiskJobPlan *plan, bool is_live)
{
    if (!is_on(disk, plan->top_path))
        return;
    if (plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_PULL)
        pull_layers(disk, plan);
    else if (plan->copy)
        put_on_copy(disk, plan, is_live);
}

static bool
install_config(Guest *guest, const DiskJobPlan *plan, GError **err)
{
    g_autoptr(Domain) config = guest_config(guest) ? domain_copy(guest_config(guest)) : NULL;
    Disk *disk = config ? domain_find_disk(config, plan->target) : NULL;

    if (!is_on(disk, plan->top_path))
        return true;
    change_disk(disk, plan, false);
    guest_set_config(guest, g_steal_pointer(&config));
    return !guest->is_persistent || guest_save_config(guest, err);
}

static bool
install_live(Guest *guest, const DiskJobPlan *plan, GError **err)
{
    g_autoptr(Domain) live = guest_live(guest) ? domain_copy(guest_live(guest)) : NULL;
    Disk *disk = live ? domain_find_disk(live, plan->target) : NULL;

    if (!disk)
        return true;
    g_clear_pointer(&disk->mirror, disk_mirror_free);
    if (plan->outcome == DISK_JOB_DONE)
        change_disk(disk, plan, true);
    return set_live(guest, g_steal_pointer(&live), err);
}

bool
disk_job_install(Job *job, GError **err)
{
    Guest *guest = job_context(job);
    const DiskJobPlan *plan = job_plan(job);
    bool is_done = plan->outcome == DISK_JOB_DONE;
    bool is_commit = plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT ||
                     plan->type == VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT;

    return job_fault(job, "live", err) && install_live(guest, plan, err) &&
           job_fault(job, "config", err) && (!is_done || install_config(guest, plan, err)) &&
           (!is_done || !is_commit || install_commit(guest, plan, err));
}

/* ---- what is left over ---- */

void
disk_job_delete_gone(Guest *guest, const DiskJobPlan *plan)
{
    g_autoptr(ImageGraph) graph = snapshot_holders(guest->qemu, NULL);

    for (guint i = plan->gone->len; i > 0; i--) {
        const DiskJobImage *image = plan->gone->pdata[i - 1];
        g_autoptr(GError) why = NULL;

        if (image->is_block_device || !file_exists(image->path))
            continue;
        if (!image_graph_may_remove(graph, image->path, image->mark, &why) ||
            !image_remove(image->path, image->mark, &why) || !dir_sync_parent(image->path, &why))
            log_warning(LOG_QEMU, "%s: disk %s: '%s' stays: %s", guest->name, plan->target,
                        image->path, why->message);
    }
}
