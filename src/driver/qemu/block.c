/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See block.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/block.h"

#include "base/error.h"
#include "driver/qemu/command_line.h"
#include "driver/qemu/guest.h"

bool
block_add_overlay(Emulator *emulator, const Disk *disk, const NewOverlay *overlay, GError **err)
{
    g_autoptr(Disk) on_top = disk_copy(disk);
    g_autoptr(Json) storage = NULL;
    Json *format;

    disk_put_on_overlay(on_top, overlay);
    storage = disk_storage_node(on_top, on_top->type, &on_top->source, overlay->node, false, err);
    if (!storage)
        return false;
    format = disk_format_node(on_top, on_top->driver.type, overlay->node, false, 0);
    json_object_set_new(format, "backing", json_null()); /* else QEMU opens the chain a second time */
    if (!qmp_run(emulator->qmp, "blockdev-add", g_steal_pointer(&storage), err)) {
        json_decref(format);
        return false;
    }
    return qmp_run(emulator->qmp, "blockdev-add", format, err);
}

static bool
has_node(const Json *nodes, const char *name)
{
    gsize i;
    json_t *node;

    json_array_foreach ((json_t *)nodes, i, node) {
        if (g_strcmp0(json_string_value(json_object_get(node, "node-name")), name) == 0)
            return true;
    }
    return false;
}

static bool
remove_node(Emulator *emulator, const Json *nodes, const char *name, GError **err)
{
    return !has_node(nodes, name) || qmp_run(emulator->qmp, "blockdev-del", json_pack("{s:s}", "node-name", name), err);
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

bool
block_switch_to_overlays(Emulator *emulator, const GPtrArray *overlays, GError **err)
{
    g_autoptr(Json) actions = json_array();

    for (guint i = 0; i < overlays->len; i++) {
        const NewOverlay *overlay = overlays->pdata[i];
        g_autofree char *below = node_format_name(overlay->base_node);
        g_autofree char *top = node_format_name(overlay->node);

        json_array_append_new(actions, json_pack("{s:s, s:{s:s, s:s}}", "type", "blockdev-snapshot", "data", "node",
                                                 below, "overlay", top));
    }
    return qmp_run(emulator->qmp, "transaction", json_pack("{s:O}", "actions", actions), err);
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
    json_array_foreach (devices, i, device) {
        const Json *inserted = json_object_get(device, "inserted");
        if (g_strcmp0(json_string_value(json_object_get(inserted, "node-name")), name) == 0)
            *is_top = true;
    }
    return true;
}
