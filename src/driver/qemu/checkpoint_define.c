/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a description of a checkpoint must say, and what is filled in. See checkpoint.h. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN_CHECKPOINT

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/flags.h"
#include "seam/clock.h"

static bool
check_name(const char *name, GError **err)
{
    g_autofree char *file = g_strconcat(name, ".xml", NULL);

    if (strchr(name, '/') || *name == '.' || !name_is_component(file)) {
        error_set(err, VIR_FROM_XML, VIR_ERR_XML_INVALID_SCHEMA,
                  "checkpoint name '%s' makes no file name: leave out '/', a leading '.', and "
                  "keep it short",
                  name);
        return false;
    }
    return true;
}

static bool
check_redefined(const DomainCheckpoint *checkpoint, GError **err)
{
    if (!checkpoint->name)
        return fail(err, VIR_ERR_XML_ERROR, "a redefined checkpoint must have a name");
    return checkpoint->has_creation_time ||
           fail(err, VIR_ERR_INTERNAL_ERROR, "missing creationTime from existing checkpoint");
}

/* A bitmap's name, or a size, says something only where there is a bitmap. */
static bool
check_disk(const CheckpointDisk *disk, GError **err)
{
    if (disk->checkpoint != CHECKPOINT_MODE_NO || !disk->bitmap)
        return true;
    error_set(err, VIR_FROM_XML, VIR_ERR_XML_INVALID_SCHEMA,
              "disk '%s' has no checkpoint, so it has no bitmap '%s'", disk->name, disk->bitmap);
    return false;
}

DomainCheckpoint *
checkpoint_parse(const char *xml, bool is_redefine, GError **err)
{
    g_autoptr(DomainCheckpoint) checkpoint = NULL;

    if (!model_validate(&domain_checkpoint_model, xml, err))
        return NULL;
    checkpoint = domain_checkpoint_parse(xml, MODEL_PARSE_INACTIVE, err);
    if (!checkpoint || (checkpoint->name && !check_name(checkpoint->name, err)) ||
        (is_redefine && !check_redefined(checkpoint, err)))
        return NULL;
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        checkpoint->disks[i]->has_size = false;
        if (!check_disk(checkpoint->disks[i], err))
            return NULL;
    }
    if (!is_redefine) {
        checkpoint->creation_time = clock_wall_seconds();
        checkpoint->has_creation_time = true;
        g_clear_pointer(&checkpoint->parent_name, g_free);
        g_clear_pointer(&checkpoint->domain, domain_free);
        if (!checkpoint->name)
            checkpoint->name = g_strdup_printf("%" G_GINT64_FORMAT, checkpoint->creation_time);
    }
    return g_steal_pointer(&checkpoint);
}

/* ---- disks ---- */

static CheckpointDisk *
find_entry(const DomainCheckpoint *checkpoint, const char *name)
{
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        if (g_strcmp0(checkpoint->disks[i]->name, name) == 0)
            return checkpoint->disks[i];
    }
    return NULL;
}

static bool
name_entries(DomainCheckpoint *checkpoint, const Domain *machine, GError **err)
{
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        CheckpointDisk *entry = checkpoint->disks[i];
        const Disk *disk = domain_find_disk(machine, entry->name);

        if (!disk)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "no disk named '%s'", entry->name);
        if (!g_str_equal(entry->name, disk->target.dev)) {
            g_free(entry->name);
            entry->name = g_strdup(disk->target.dev);
        }
        if (find_entry(checkpoint, entry->name) != entry)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "disk '%s' specified twice", entry->name);
    }
    return true;
}

bool
checkpoint_align_disks(DomainCheckpoint *checkpoint, const Domain *machine, GError **err)
{
    CheckpointMode others = checkpoint->n_disks ? CHECKPOINT_MODE_NO : CHECKPOINT_MODE_BITMAP;
    g_autofree CheckpointDisk **aligned = g_new0(CheckpointDisk *, machine->n_disks + 1);

    if (!name_entries(checkpoint, machine, err))
        return false;
    for (gsize i = 0; i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        CheckpointDisk *entry = find_entry(checkpoint, disk->target.dev);

        if (!entry) {
            bool has_none = disk_source_is_empty(disk->type, &disk->source) || disk->readonly;

            entry = checkpoint_disk_new();
            entry->name = g_strdup(disk->target.dev);
            entry->checkpoint = has_none ? CHECKPOINT_MODE_NO : others;
        } else if (entry->checkpoint == CHECKPOINT_MODE_UNSET) {
            entry->checkpoint = CHECKPOINT_MODE_BITMAP;
        }
        if (entry->checkpoint == CHECKPOINT_MODE_BITMAP && !entry->bitmap)
            entry->bitmap = g_strdup(checkpoint->name);
        aligned[i] = entry;
    }
    g_free(checkpoint->disks);
    checkpoint->disks = g_steal_pointer(&aligned);
    checkpoint->n_disks = machine->n_disks;
    return true;
}

/* ---- redefining ---- */

static bool
check_parent(const CheckpointTree *tree, const DomainCheckpoint *checkpoint, GError **err)
{
    const DomainCheckpoint *parent = checkpoint_tree_parent(tree, checkpoint);

    if (!checkpoint->parent_name)
        return true;
    if (g_str_equal(checkpoint->parent_name, checkpoint->name)) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG,
                  "cannot set moment %s as its own parent", checkpoint->name);
        return false;
    }
    if (!parent) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG, "parent %s for moment %s not found",
                  checkpoint->parent_name, checkpoint->name);
        return false;
    }
    for (guint depth = 0; parent && depth <= checkpoint_tree_size(tree); depth++) {
        if (g_str_equal(parent->name, checkpoint->name)) {
            error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG,
                      "parent %s would create cycle to %s", checkpoint->parent_name,
                      checkpoint->name);
            return false;
        }
        parent = checkpoint_tree_parent(tree, parent);
    }
    return true;
}

static bool
fill_domain(const Guest *guest, DomainCheckpoint *checkpoint, GError **err)
{
    gpointer host = (gpointer)qemu_fill_host(guest->qemu);
    char wanted[UUID_TEXT];

    if (!checkpoint->domain)
        return true;
    uuid_format(guest->uuid, wanted);
    if (!checkpoint->domain->has_uuid || !uuid_equal(checkpoint->domain->uuid, guest->uuid))
        return fail(err, VIR_ERR_INVALID_ARG, "definition for checkpoint %s must use uuid %s",
                    checkpoint->name, wanted);
    return domain_fill(checkpoint->domain, host, err) &&
           domain_check(checkpoint->domain, host, err) &&
           checkpoint_align_disks(checkpoint, checkpoint->domain, err);
}

static bool
has_bitmap(const Json *nodes, const char *node, const char *name)
{
    g_autoptr(GPtrArray) bitmaps = bitmaps_of_node(nodes, node);

    for (guint i = 0; i < bitmaps->len; i++) {
        if (g_strcmp0(json_string_value(json_object_get(bitmaps->pdata[i], "name")), name) == 0)
            return true;
    }
    return false;
}

/* Is what it stands for in the images of the running guest? */
static bool
validate_bitmaps(Guest *guest, const DomainCheckpoint *checkpoint, GError **err)
{
    g_autoptr(Json) nodes = qmp_call(guest->emulator->qmp, "query-named-block-nodes",
                                     json_pack("{s:b}", "flat", 1), err);

    if (!nodes)
        return false;
    for (gsize i = 0; i < checkpoint->n_disks; i++) {
        const CheckpointDisk *entry = checkpoint->disks[i];
        const Disk *disk = domain_find_disk(guest_live(guest), entry->name);
        g_autofree char *node = disk ? node_format_name(disk->source.index) : NULL;

        if (entry->checkpoint == CHECKPOINT_MODE_BITMAP &&
            (!disk || !has_bitmap(nodes, node, entry->bitmap)))
            return fail(err, VIR_ERR_CHECKPOINT_INCONSISTENT,
                        "missing or broken bitmap '%s' for disk '%s'", entry->bitmap, entry->name);
    }
    return true;
}

bool
checkpoint_redefine(Guest *guest, DomainCheckpoint *checkpoint, guint flags, GError **err)
{
    bool validates = flags & VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE;
    CheckpointTree *tree;

    if ((validates && !guest_require_running(guest, err)) ||
        !check_parent(guest->checkpoints, checkpoint, err) ||
        !fill_domain(guest, checkpoint, err) ||
        (validates && !validate_bitmaps(guest, checkpoint, err)))
        return false;
    tree = checkpoint_tree_copy(guest->checkpoints);
    checkpoint_tree_put(tree, domain_checkpoint_copy(checkpoint));
    return checkpoints_change(guest, tree, err);
}
