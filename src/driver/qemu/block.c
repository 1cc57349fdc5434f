/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See block.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/block.h"

#include "base/error.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/guest.h"

static bool
add_overlay(QmpBatch *batch, const Disk *disk, const NewOverlay *overlay, GError **err)
{
    g_autoptr(Disk) on_top = disk_copy(disk);
    Json *storage, *format;

    disk_put_on_overlay(on_top, overlay);
    storage = disk_storage_node(on_top, on_top->type, &on_top->source, overlay->node, false, err);
    if (!storage)
        return false;
    format = disk_format_node(on_top, on_top->driver.type, overlay->node, false, 0);
    json_object_set_new(format, "backing",
                        json_null()); /* else QEMU opens the chain a second time */
    qmp_batch_add(batch, "blockdev-add", storage);
    qmp_batch_add(batch, "blockdev-add", format);
    return true;
}

bool
block_add_overlays(Emulator *emulator, const Domain *live, const GPtrArray *overlays, GError **err)
{
    g_autoptr(QmpBatch) batch = qmp_batch_new();

    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        const Disk *disk = domain_find_disk(live, overlay->target);

        if (!disk)
            return fail(err, VIR_ERR_OPERATION_FAILED, "disk %s is gone", overlay->target);
        if (!add_overlay(batch, disk, overlay, err))
            return false;
    }
    return qmp_batch_run(batch, emulator->qmp, QMP_TIMEOUT_MS, err) && qmp_batch_all_ok(batch, err);
}

static bool
has_node(const Json *nodes, const char *name)
{
    gsize i;
    json_t *node;

    json_array_foreach((json_t *)nodes, i, node)
    {
        if (g_strcmp0(json_string_value(json_object_get(node, "node-name")), name) == 0)
            return true;
    }
    return false;
}

static bool
remove_node(Emulator *emulator, const Json *nodes, const char *name, GError **err)
{
    return !has_node(nodes, name) ||
           qmp_run(emulator->qmp, "blockdev-del", json_pack("{s:s}", "node-name", name), err);
}

bool
block_remove_nodes(Emulator *emulator, guint node, GError **err)
{
    g_autofree char *format = node_format_name(node);
    g_autofree char *storage = node_storage_name(node);
    g_autoptr(Json) nodes = NULL;

    if (!emulator || !emulator_is_running(emulator))
        return true;
    nodes = qmp_call(emulator->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), err);
    if (!nodes)
        return !emulator_is_running(emulator);
    return remove_node(emulator, nodes, format, err) && remove_node(emulator, nodes, storage, err);
}

static void
add_bitmaps(Json *actions, const Json *nodes, const char *below, const char *top)
{
    g_autoptr(GPtrArray) bitmaps = bitmaps_of_node(nodes, below);

    for (guint i = 0; i < bitmaps->len; i++) {
        const Json *bitmap = bitmaps->pdata[i];

        json_array_append_new(
            actions,
            json_pack("{s:s, s:{s:s, s:O, s:b, s:b, s:O}}", "type", "block-dirty-bitmap-add",
                      "data", "node", top, "name", json_object_get(bitmap, "name"), "persistent", 1,
                      "disabled", !json_is_true(json_object_get(bitmap, "recording")),
                      "granularity", json_object_get(bitmap, "granularity")));
    }
}

static bool
remove_nodes_called(Emulator *emulator, const Json *nodes, const char *path, const char *suffix,
                    GError **err)
{
    gsize i;
    json_t *node;

    json_array_foreach((json_t *)nodes, i, node)
    {
        const char *name = json_string_value(json_object_get(node, "node-name"));

        if (g_strcmp0(json_string_value(json_object_get(node, "file")), path) == 0 && name &&
            g_str_has_prefix(name, "libvirt-") && g_str_has_suffix(name, suffix) &&
            !qmp_run(emulator->qmp, "blockdev-del", json_pack("{s:s}", "node-name", name), err))
            return false;
    }
    return true;
}

bool
block_remove_nodes_of(Emulator *emulator, const char *path, GError **err)
{
    g_autoptr(Json) nodes =
        qmp_call(emulator->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), err);

    return nodes && remove_nodes_called(emulator, nodes, path, "-format", err) &&
           remove_nodes_called(emulator, nodes, path, "-storage", err);
}

bool
block_switch_to_overlays(Emulator *emulator, const GPtrArray *overlays, bool keeps_bitmaps,
                         GError **err)
{
    g_autoptr(Json) actions = json_array();
    g_autoptr(Json) nodes = NULL;

    if (keeps_bitmaps) {
        nodes =
            qmp_call(emulator->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), err);
        if (!nodes)
            return false;
    }

    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        g_autofree char *below = node_format_name(overlay->base_node);
        g_autofree char *top = node_format_name(overlay->node);

        json_array_append_new(actions, json_pack("{s:s, s:{s:s, s:s}}", "type", "blockdev-snapshot",
                                                 "data", "node", below, "overlay", top));
        add_bitmaps(actions, nodes, below, top);
    }
    return qmp_run(emulator->qmp, "transaction", json_pack("{s:O}", "actions", actions), err);
}

bool
block_flush(Emulator *emulator, guint node, GError **err)
{
    g_autofree char *line = g_strdup_printf("qemu-io libvirt-%u-format flush", node);
    g_autofree char *said = qmp_hmp(emulator->qmp, line, err);

    if (!said)
        return false;
    g_strstrip(said);
    return !*said || fail(err, VIR_ERR_OPERATION_FAILED,
                          "flushing block node libvirt-%u-format: %s", node, said);
}

bool
block_is_top(Emulator *emulator, guint node, bool *is_top, GError **err)
{
    g_autofree char *name = node_format_name(node);
    g_autoptr(Json) devices = qmp_call(emulator->qmp, "query-block", NULL, err);
    gsize i;
    json_t *device;

    *is_top = false;
    if (!devices)
        return false;
    json_array_foreach(devices, i, device)
    {
        const Json *inserted = json_object_get(device, "inserted");
        if (g_strcmp0(json_string_value(json_object_get(inserted, "node-name")), name) == 0)
            *is_top = true;
    }
    return true;
}
