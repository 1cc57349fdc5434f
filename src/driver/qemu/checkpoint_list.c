/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that only look at checkpoints. All but the XML with sizes are answered from the guest's view. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/flags.h"

#define FILTERS                                                                   \
    (VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL | VIR_DOMAIN_CHECKPOINT_LIST_LEAVES | \
     VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES)
#define LEAF_FILTERS (VIR_DOMAIN_CHECKPOINT_LIST_LEAVES | VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES)

/* Below @name (NULL: of the whole tree). */
static GPtrArray *
filtered(const CheckpointTree *tree, const char *name, guint flags)
{
    /* The same bit is ROOTS for a domain's list and DESCENDANTS for a checkpoint's children. */
    bool has_first_bit = flags & VIR_DOMAIN_CHECKPOINT_LIST_ROOTS;
    g_autoptr(GPtrArray) all =
        checkpoint_tree_list(tree, name, name ? !has_first_bit : has_first_bit);
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; i < all->len; i++) {
        const DomainCheckpoint *checkpoint = all->pdata[i];
        guint kind = checkpoint_tree_has_children(tree, checkpoint->name)
                         ? VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES
                         : VIR_DOMAIN_CHECKPOINT_LIST_LEAVES;

        if (!(flags & LEAF_FILTERS) || flags & kind)
            g_ptr_array_add(found, all->pdata[i]);
    }
    return found;
}

static void
fill(RemoteNonnullDomainCheckpoint *out, const GuestView *view, const char *name)
{
    out->name = g_strdup(name);
    guest_view_fill_wire(view, &out->dom);
}

static RemoteNonnullDomainCheckpoint *
take_objects(const GuestView *view, const GPtrArray *list)
{
    RemoteNonnullDomainCheckpoint *items = g_new0(RemoteNonnullDomainCheckpoint, list->len + 1);

    for (guint i = 0; i < list->len; i++)
        fill(&items[i], view, ((const DomainCheckpoint *)list->pdata[i])->name);
    return items;
}

static GuestView *
find_checkpoint(Call *call, const RemoteNonnullDomainCheckpoint *named,
                const DomainCheckpoint **found, GError **err)
{
    g_autoptr(View) view = (View *)guest_view_of_call(call, &named->dom, err);

    if (!view)
        return NULL;
    *found = checkpoint_tree_require(((GuestView *)view)->checkpoints, named->name, err);
    return *found ? (GuestView *)g_steal_pointer(&view) : NULL;
}

static bool
list_all(Call *call, const RemoteDomainListAllCheckpointsArgs *args,
         RemoteDomainListAllCheckpointsRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;
    g_autoptr(GPtrArray) list = NULL;

    if (!flags_check(args->flags, VIR_DOMAIN_CHECKPOINT_LIST_ROOTS | FILTERS,
                     "qemuDomainListAllCheckpoints", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->checkpoints, NULL, args->flags);
    ret->ret = (gint32)list->len;
    if (args->need_results) {
        ret->checkpoints.count = list->len;
        ret->checkpoints.items = take_objects((GuestView *)view, list);
    }
    return true;
}

static bool
list_all_children(Call *call, const RemoteDomainCheckpointListAllChildrenArgs *args,
                  RemoteDomainCheckpointListAllChildrenRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;
    g_autoptr(GPtrArray) list = NULL;
    const DomainCheckpoint *checkpoint;

    if (!flags_check(args->flags, VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS | FILTERS,
                     "qemuDomainCheckpointListAllChildren", err))
        return false;
    view = (View *)find_checkpoint(call, &args->checkpoint, &checkpoint, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->checkpoints, checkpoint->name, args->flags);
    ret->ret = (gint32)list->len;
    if (args->need_results) {
        ret->checkpoints.count = list->len;
        ret->checkpoints.items = take_objects((GuestView *)view, list);
    }
    return true;
}

static bool
lookup_by_name(Call *call, const RemoteDomainCheckpointLookupByNameArgs *args,
               RemoteDomainCheckpointLookupByNameRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;

    if (!flags_check(args->flags, 0, "qemuDomainCheckpointLookupByName", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view || !checkpoint_tree_require(((GuestView *)view)->checkpoints, args->name, err))
        return false;
    fill(&ret->checkpoint, (GuestView *)view, args->name);
    return true;
}

static bool
get_parent(Call *call, const RemoteDomainCheckpointGetParentArgs *args,
           RemoteDomainCheckpointGetParentRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;
    const DomainCheckpoint *checkpoint, *parent;

    if (!flags_check(args->flags, 0, "qemuDomainCheckpointGetParent", err))
        return false;
    view = (View *)find_checkpoint(call, &args->checkpoint, &checkpoint, err);
    if (!view)
        return false;
    parent = checkpoint_tree_parent(((GuestView *)view)->checkpoints, checkpoint);
    if (!parent)
        return fail(err, VIR_ERR_NO_DOMAIN_CHECKPOINT, "checkpoint '%s' does not have a parent",
                    checkpoint->name);
    fill(&ret->parent, (GuestView *)view, parent->name);
    return true;
}

/* ---- XML ---- */

static guint64
bitmap_bytes(const Json *nodes, guint index, const char *name)
{
    g_autofree char *node = node_format_name(index);
    g_autoptr(GPtrArray) bitmaps = bitmaps_of_node(nodes, node);

    for (guint i = 0; i < bitmaps->len; i++) {
        if (g_strcmp0(json_string_value(json_object_get(bitmaps->pdata[i], "name")), name) == 0)
            return (guint64)json_integer_value(json_object_get(bitmaps->pdata[i], "count"));
    }
    return 0;
}

/* What changed since, in bytes; a block that changed in two images of the chain counts twice. */
static void
fill_size(CheckpointDisk *entry, const Disk *disk, const Json *nodes)
{
    if (entry->checkpoint != CHECKPOINT_MODE_BITMAP || !disk)
        return;
    entry->size = bitmap_bytes(nodes, disk->source.index, entry->bitmap);
    entry->has_size = true;
    for (const BackingStore *layer = disk->backing_store;
         layer && layer->type != STORAGE_TYPE_UNSET; layer = layer->backing_store)
        entry->size += bitmap_bytes(nodes, layer->index, entry->bitmap);
}

static bool
fill_sizes(Call *call, const RemoteNonnullDomain *dom, DomainCheckpoint *checkpoint, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);
    g_autoptr(Json) nodes = NULL;

    if (!guest || !guest_require_running(guest, err))
        return false;
    nodes = qmp_call(guest->emulator->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1),
                     err);
    for (gsize i = 0; nodes && i < checkpoint->n_disks; i++)
        fill_size(checkpoint->disks[i],
                  domain_find_disk(guest_live(guest), checkpoint->disks[i]->name), nodes);
    return nodes != NULL;
}

static bool
get_xml_desc(Call *call, const RemoteDomainCheckpointGetXmlDescArgs *args,
             RemoteDomainCheckpointGetXmlDescRet *ret, GError **err)
{
    g_autoptr(View) view = NULL;
    g_autoptr(DomainCheckpoint) copy = NULL;
    const DomainCheckpoint *checkpoint;
    ModelFormatFlags format = MODEL_FORMAT_INACTIVE;

    if (!flags_check(args->flags,
                     VIR_DOMAIN_CHECKPOINT_XML_SECURE | VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN |
                         VIR_DOMAIN_CHECKPOINT_XML_SIZE,
                     "qemuDomainCheckpointGetXMLDesc", err))
        return false;
    view = (View *)find_checkpoint(call, &args->checkpoint, &checkpoint, err);
    if (!view)
        return false;
    copy = domain_checkpoint_copy(checkpoint);
    if (args->flags & VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN)
        g_clear_pointer(&copy->domain, domain_free);
    if ((args->flags & VIR_DOMAIN_CHECKPOINT_XML_SIZE) &&
        !fill_sizes(call, &args->checkpoint.dom, copy, err))
        return false;
    if (args->flags & VIR_DOMAIN_CHECKPOINT_XML_SECURE)
        format |= MODEL_FORMAT_SECURE;
    ret->xml = domain_checkpoint_format(copy, format);
    return true;
}

void
checkpoint_list_slots(DriverSlots *slots)
{
    slots->domain_list_all_checkpoints = list_all;
    slots->domain_checkpoint_list_all_children = list_all_children;
    slots->domain_checkpoint_lookup_by_name = lookup_by_name;
    slots->domain_checkpoint_get_parent = get_parent;
    slots->domain_checkpoint_get_xml_desc = get_xml_desc;
}
