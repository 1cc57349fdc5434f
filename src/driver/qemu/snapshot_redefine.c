/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_redefine.h. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN_SNAPSHOT

#include "driver/qemu/snapshot_redefine.h"

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/snapshot_define.h"
#include "driver/qemu/snapshot_store.h"

static bool
is_offline(const DomainSnapshot *snapshot)
{
    return snapshot->state == SNAPSHOT_STATE_SHUTOFF ||
           snapshot->state == SNAPSHOT_STATE_DISK_SNAPSHOT;
}

static bool
check_state(const DomainSnapshot *snapshot, guint flags, GError **err)
{
    switch (snapshot->state) {
    case SNAPSHOT_STATE_RUNNING:
    case SNAPSHOT_STATE_PAUSED:
    case SNAPSHOT_STATE_SHUTDOWN:
    case SNAPSHOT_STATE_SHUTOFF:
    case SNAPSHOT_STATE_CRASHED:
        break;
    case SNAPSHOT_STATE_DISK_SNAPSHOT:
        break;
    case SNAPSHOT_STATE_PMSUSPENDED:
        error_set(err, VIR_FROM_QEMU, VIR_ERR_OPERATION_UNSUPPORTED,
                  "qemu doesn't support taking snapshots of PMSUSPENDED guests");
        return false;
    default:
        error_set(err, VIR_FROM_QEMU, VIR_ERR_INTERNAL_ERROR, "Invalid domain state %s",
                  snapshot_state_to_string(snapshot->state));
        return false;
    }
    if ((flags & VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY) &&
        snapshot->state != SNAPSHOT_STATE_DISK_SNAPSHOT)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "disk-only flag for snapshot %s requires disk-snapshot state", snapshot->name);
    return true;
}

/* Its parent, and that one's, must exist and not lead back to it. */
static bool
check_parent(const SnapshotTree *tree, const DomainSnapshot *snapshot, GError **err)
{
    const char *name = snapshot->parent_name;
    const DomainSnapshot *parent;

    if (!name)
        return true;
    if (g_str_equal(name, snapshot->name)) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG,
                  "cannot set moment %s as its own parent", name);
        return false;
    }
    parent = snapshot_tree_find(tree, name);
    if (!parent) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG, "parent %s for moment %s not found",
                  name, snapshot->name);
        return false;
    }
    if (snapshot_tree_is_below(tree, name, snapshot->name)) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_INVALID_ARG, "parent %s would create cycle to %s",
                  name, snapshot->name);
        return false;
    }
    return true;
}

static bool
check_domain(const Guest *guest, const DomainSnapshot *snapshot, GError **err)
{
    char wanted[UUID_TEXT];

    if (!snapshot->domain)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "missing domain in snapshot");
    uuid_format(guest->uuid, wanted);
    if (!snapshot->domain->has_uuid || !uuid_equal(snapshot->domain->uuid, guest->uuid))
        return fail(err, VIR_ERR_INVALID_ARG, "definition for snapshot %s must use uuid %s",
                    snapshot->name, wanted);
    return true;
}

/* As a define of that machine would. */
static bool
fill_machine(Guest *guest, Domain *machine, GError **err)
{
    gpointer host = (gpointer)qemu_fill_host(guest->qemu);

    return !machine || (domain_fill(machine, host, err) && domain_check(machine, host, err));
}

static bool
align(DomainSnapshot *snapshot, GError **err)
{
    bool is_external =
        snapshot->state == SNAPSHOT_STATE_DISK_SNAPSHOT || snapshot_is_external(snapshot);
    DiskSnapshotMode mode = is_external ? DISK_SNAPSHOT_MODE_EXTERNAL : DISK_SNAPSHOT_MODE_INTERNAL;

    return snapshot_align_disks(snapshot, snapshot->domain, mode, !is_external, err) &&
           snapshot_name_images(snapshot, snapshot->domain, err);
}

bool
snapshot_redefine(Guest *guest, DomainSnapshot *snapshot, guint flags, GError **err)
{
    const DomainSnapshot *old = snapshot_tree_find(guest->snapshots, snapshot->name);
    g_autoptr(SnapshotTree) tree = NULL;

    if (!snapshot_name_check(snapshot->name, err) || !check_state(snapshot, flags, err) ||
        !check_parent(guest->snapshots, snapshot, err) || !check_domain(guest, snapshot, err))
        return false;
    if (old && is_offline(old) != is_offline(snapshot))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "cannot change between online and offline snapshot state in snapshot %s",
                    snapshot->name);
    if (!fill_machine(guest, snapshot->domain, err) ||
        !fill_machine(guest, snapshot->inactive_domain, err) || !align(snapshot, err))
        return false;
    if (is_offline(snapshot))
        g_clear_pointer(&snapshot->cookie, g_free); /* it tells of a CPU that ran */
    tree = snapshot_tree_copy(guest->snapshots);
    snapshot_tree_put(tree, domain_snapshot_copy(snapshot));
    if (flags & VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT)
        snapshot_tree_set_current(tree, snapshot->name);
    if (!snapshot_store_update(guest->qemu, guest->name, guest->snapshots, tree, err))
        return false;
    guest_set_snapshots(guest, g_steal_pointer(&tree));
    return guest_publish(guest, err);
}
