/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that only look at snapshots: lists with their filters, parents, children, the current one,
 * XML. All are answered from the guest's view on the loop's thread. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/snapshot_tree.h"

#define LIST_FILTERS                                                            \
    (VIR_DOMAIN_SNAPSHOT_LIST_METADATA | VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA | \
     VIR_DOMAIN_SNAPSHOT_LIST_LEAVES | VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES |     \
     VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE | VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE |      \
     VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL |   \
     VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL | VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)

/* Of a pair or group of filters, none asked for means all. */
static bool
is_wanted(guint flags, guint group, guint kind)
{
    return !(flags & group) || (flags & kind);
}

static guint
state_filter(const DomainSnapshot *snapshot)
{
    switch (snapshot->state) {
    case SNAPSHOT_STATE_SHUTOFF:
        return VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE;
    case SNAPSHOT_STATE_DISK_SNAPSHOT:
        return VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY;
    default:
        return VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE;
    }
}

static bool
passes(const SnapshotTree *tree, const DomainSnapshot *snapshot, guint flags)
{
    guint leaf = snapshot_tree_has_children(tree, snapshot->name)
                     ? VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES
                     : VIR_DOMAIN_SNAPSHOT_LIST_LEAVES;
    guint place = snapshot_is_external(snapshot) ? VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL
                                                 : VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL;

    return is_wanted(flags,
                     VIR_DOMAIN_SNAPSHOT_LIST_METADATA | VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA,
                     VIR_DOMAIN_SNAPSHOT_LIST_METADATA) &&
           is_wanted(flags, VIR_DOMAIN_SNAPSHOT_LIST_LEAVES | VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES,
                     leaf) &&
           is_wanted(flags,
                     VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE | VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE |
                         VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY,
                     state_filter(snapshot)) &&
           is_wanted(flags, VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL | VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL,
                     place);
}

/* Below @name (NULL: of the whole tree), borrowed. */
static GPtrArray *
filtered(const SnapshotTree *tree, const char *name, guint flags)
{
    /* The same bit is ROOTS for a domain's list and DESCENDANTS for a snapshot's children. */
    bool has_first_bit = flags & VIR_DOMAIN_SNAPSHOT_LIST_ROOTS;
    GPtrArray *all = snapshot_tree_list(tree, name, name ? !has_first_bit : has_first_bit);
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; i < all->len; i++) {
        if (passes(tree, all->pdata[i], flags))
            g_ptr_array_add(found, all->pdata[i]);
    }
    g_ptr_array_unref(all);
    return found;
}

static void
fill_domain(RemoteNonnullDomain *out, const GuestView *view)
{
    out->name = g_strdup(view->view.name);
    memcpy(out->uuid, view->view.uuid, 16);
    out->id = view->view.id;
}

static void
fill_snapshot(RemoteNonnullDomainSnapshot *out, const GuestView *view, const char *name)
{
    out->name = g_strdup(name);
    fill_domain(&out->dom, view);
}

/* View, tree and snapshot that a call names. */
static GuestView *
find_snapshot(Call *call, const RemoteNonnullDomainSnapshot *snap, const DomainSnapshot **found,
              GError **err)
{
    g_autoptr(View) view = (View *)guest_view_of_call(call, &snap->dom, err);

    if (!view)
        return NULL;
    *found = snapshot_tree_require(((GuestView *)view)->snapshots, snap->name, err);
    return *found ? (GuestView *)g_steal_pointer(&view) : NULL;
}

#define auto_view g_autoptr(View)

/* ---- numbers and names ---- */

static bool
snapshot_num(Call *call, const RemoteDomainSnapshotNumArgs *args, RemoteDomainSnapshotNumRet *ret,
             GError **err)
{
    auto_view view = NULL;
    g_autoptr(GPtrArray) list = NULL;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_LIST_ROOTS | LIST_FILTERS,
                     "qemuDomainSnapshotNum", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->snapshots, NULL, args->flags);
    ret->num = (gint32)list->len;
    return true;
}

static void
take_names(GPtrArray *list, gint32 max, guint32 *count, char ***items)
{
    *count = (guint32)MIN(list->len, (guint)MAX(max, 0));
    *items = g_new0(char *, *count + 1);
    for (guint32 i = 0; i < *count; i++)
        (*items)[i] = g_strdup(((const DomainSnapshot *)list->pdata[i])->name);
}

static bool
snapshot_list_names(Call *call, const RemoteDomainSnapshotListNamesArgs *args,
                    RemoteDomainSnapshotListNamesRet *ret, GError **err)
{
    auto_view view = NULL;
    g_autoptr(GPtrArray) list = NULL;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_LIST_ROOTS | LIST_FILTERS,
                     "qemuDomainSnapshotListNames", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->snapshots, NULL, args->flags);
    take_names(list, args->maxnames, &ret->names.count, &ret->names.items);
    return true;
}

static bool
snapshot_num_children(Call *call, const RemoteDomainSnapshotNumChildrenArgs *args,
                      RemoteDomainSnapshotNumChildrenRet *ret, GError **err)
{
    auto_view view = NULL;
    g_autoptr(GPtrArray) list = NULL;
    const DomainSnapshot *snapshot;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS | LIST_FILTERS,
                     "qemuDomainSnapshotNumChildren", err))
        return false;
    view = (View *)find_snapshot(call, &args->snap, &snapshot, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->snapshots, snapshot->name, args->flags);
    ret->num = (gint32)list->len;
    return true;
}

static bool
snapshot_list_children_names(Call *call, const RemoteDomainSnapshotListChildrenNamesArgs *args,
                             RemoteDomainSnapshotListChildrenNamesRet *ret, GError **err)
{
    auto_view view = NULL;
    g_autoptr(GPtrArray) list = NULL;
    const DomainSnapshot *snapshot;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS | LIST_FILTERS,
                     "qemuDomainSnapshotListChildrenNames", err))
        return false;
    view = (View *)find_snapshot(call, &args->snap, &snapshot, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->snapshots, snapshot->name, args->flags);
    take_names(list, args->maxnames, &ret->names.count, &ret->names.items);
    return true;
}

/* ---- objects ---- */

static RemoteNonnullDomainSnapshot *
take_objects(const GuestView *view, GPtrArray *list)
{
    RemoteNonnullDomainSnapshot *items = g_new0(RemoteNonnullDomainSnapshot, list->len + 1);

    for (guint i = 0; i < list->len; i++)
        fill_snapshot(&items[i], view, ((const DomainSnapshot *)list->pdata[i])->name);
    return items;
}

static bool
list_all_snapshots(Call *call, const RemoteDomainListAllSnapshotsArgs *args,
                   RemoteDomainListAllSnapshotsRet *ret, GError **err)
{
    auto_view view = NULL;
    g_autoptr(GPtrArray) list = NULL;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_LIST_ROOTS | LIST_FILTERS,
                     "qemuDomainListAllSnapshots", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->snapshots, NULL, args->flags);
    ret->ret = (gint32)list->len;
    if (args->need_results) {
        ret->snapshots.count = list->len;
        ret->snapshots.items = take_objects((GuestView *)view, list);
    }
    return true;
}

static bool
snapshot_list_all_children(Call *call, const RemoteDomainSnapshotListAllChildrenArgs *args,
                           RemoteDomainSnapshotListAllChildrenRet *ret, GError **err)
{
    auto_view view = NULL;
    g_autoptr(GPtrArray) list = NULL;
    const DomainSnapshot *snapshot;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS | LIST_FILTERS,
                     "qemuDomainSnapshotListAllChildren", err))
        return false;
    view = (View *)find_snapshot(call, &args->snapshot, &snapshot, err);
    if (!view)
        return false;
    list = filtered(((GuestView *)view)->snapshots, snapshot->name, args->flags);
    ret->ret = (gint32)list->len;
    if (args->need_results) {
        ret->snapshots.count = list->len;
        ret->snapshots.items = take_objects((GuestView *)view, list);
    }
    return true;
}

static bool
snapshot_lookup_by_name(Call *call, const RemoteDomainSnapshotLookupByNameArgs *args,
                        RemoteDomainSnapshotLookupByNameRet *ret, GError **err)
{
    auto_view view = NULL;

    if (!flags_check(args->flags, 0, "qemuDomainSnapshotLookupByName", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view || !snapshot_tree_require(((GuestView *)view)->snapshots, args->name, err))
        return false;
    fill_snapshot(&ret->snap, (GuestView *)view, args->name);
    return true;
}

static bool
has_current_snapshot(Call *call, const RemoteDomainHasCurrentSnapshotArgs *args,
                     RemoteDomainHasCurrentSnapshotRet *ret, GError **err)
{
    auto_view view = NULL;

    if (!flags_check(args->flags, 0, "qemuDomainHasCurrentSnapshot", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    ret->result = snapshot_tree_current(((GuestView *)view)->snapshots) != NULL;
    return true;
}

static bool
snapshot_current(Call *call, const RemoteDomainSnapshotCurrentArgs *args,
                 RemoteDomainSnapshotCurrentRet *ret, GError **err)
{
    auto_view view = NULL;
    const char *current;

    if (!flags_check(args->flags, 0, "qemuDomainSnapshotCurrent", err))
        return false;
    view = (View *)guest_view_of_call(call, &args->dom, err);
    if (!view)
        return false;
    current = snapshot_tree_current(((GuestView *)view)->snapshots);
    if (!current)
        return fail(err, VIR_ERR_NO_DOMAIN_SNAPSHOT, "the domain does not have a current snapshot");
    fill_snapshot(&ret->snap, (GuestView *)view, current);
    return true;
}

static bool
snapshot_get_parent(Call *call, const RemoteDomainSnapshotGetParentArgs *args,
                    RemoteDomainSnapshotGetParentRet *ret, GError **err)
{
    auto_view view = NULL;
    const DomainSnapshot *snapshot, *parent;

    if (!flags_check(args->flags, 0, "qemuDomainSnapshotGetParent", err))
        return false;
    view = (View *)find_snapshot(call, &args->snap, &snapshot, err);
    if (!view)
        return false;
    parent = snapshot_tree_parent(((GuestView *)view)->snapshots, snapshot);
    if (!parent)
        return fail(err, VIR_ERR_NO_DOMAIN_SNAPSHOT, "snapshot '%s' does not have a parent",
                    snapshot->name);
    fill_snapshot(&ret->snap, (GuestView *)view, parent->name);
    return true;
}

static bool
snapshot_is_current(Call *call, const RemoteDomainSnapshotIsCurrentArgs *args,
                    RemoteDomainSnapshotIsCurrentRet *ret, GError **err)
{
    auto_view view = NULL;
    const DomainSnapshot *snapshot;

    if (!flags_check(args->flags, 0, "qemuDomainSnapshotIsCurrent", err))
        return false;
    view = (View *)find_snapshot(call, &args->snap, &snapshot, err);
    if (!view)
        return false;
    ret->current =
        g_strcmp0(snapshot->name, snapshot_tree_current(((GuestView *)view)->snapshots)) == 0;
    return true;
}

static bool
snapshot_has_metadata(Call *call, const RemoteDomainSnapshotHasMetadataArgs *args,
                      RemoteDomainSnapshotHasMetadataRet *ret, GError **err)
{
    auto_view view = NULL;
    const DomainSnapshot *snapshot;

    if (!flags_check(args->flags, 0, "qemuDomainSnapshotHasMetadata", err))
        return false;
    view = (View *)find_snapshot(call, &args->snap, &snapshot, err);
    ret->metadata = 1; /* what has none is not in the tree */
    return view != NULL;
}

/* As clients see it: what only the files say is left out. */
static char *
format_for_api(const DomainSnapshot *snapshot, guint flags)
{
    g_autoptr(DomainSnapshot) copy = domain_snapshot_copy(snapshot);
    ModelFormatFlags format = MODEL_FORMAT_INACTIVE;

    for (gsize i = 0; i < copy->n_disks; i++)
        copy->disks[i]->snapshot_delete_in_progress = false;
    copy->has_creation_time &= copy->creation_time != 0;
    for (gsize i = 0; i < copy->n_revert_disks; i++)
        snapshot_disk_free(copy->revert_disks[i]);
    copy->n_revert_disks = 0;
    g_clear_pointer(&copy->revert_disks, g_free);
    if (flags & VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        format |= MODEL_FORMAT_SECURE;
    return domain_snapshot_format(copy, format);
}

static bool
snapshot_get_xml_desc(Call *call, const RemoteDomainSnapshotGetXmlDescArgs *args,
                      RemoteDomainSnapshotGetXmlDescRet *ret, GError **err)
{
    auto_view view = NULL;
    const DomainSnapshot *snapshot;

    if (!flags_check(args->flags, VIR_DOMAIN_SNAPSHOT_XML_SECURE, "qemuDomainSnapshotGetXMLDesc",
                     err))
        return false;
    view = (View *)find_snapshot(call, &args->snap, &snapshot, err);
    if (!view)
        return false;
    ret->xml = format_for_api(snapshot, args->flags);
    return true;
}

void
snapshot_list_slots(DriverSlots *slots)
{
    slots->domain_snapshot_num = snapshot_num;
    slots->domain_snapshot_list_names = snapshot_list_names;
    slots->domain_snapshot_num_children = snapshot_num_children;
    slots->domain_snapshot_list_children_names = snapshot_list_children_names;
    slots->domain_list_all_snapshots = list_all_snapshots;
    slots->domain_snapshot_list_all_children = snapshot_list_all_children;
    slots->domain_snapshot_lookup_by_name = snapshot_lookup_by_name;
    slots->domain_has_current_snapshot = has_current_snapshot;
    slots->domain_snapshot_current = snapshot_current;
    slots->domain_snapshot_get_parent = snapshot_get_parent;
    slots->domain_snapshot_is_current = snapshot_is_current;
    slots->domain_snapshot_has_metadata = snapshot_has_metadata;
    slots->domain_snapshot_get_xml_desc = snapshot_get_xml_desc;
}
