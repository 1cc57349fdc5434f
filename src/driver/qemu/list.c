/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which guests there are. Answered on the loop's thread, from views. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/qemu/checkpoint.h"
#include "driver/qemu/events.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/snapshot_tree.h"

static bool
qemu_domain_lookup_by_id(Call *call, const RemoteDomainLookupByIdArgs *args,
                         RemoteDomainLookupByIdRet *ret, GError **err)
{
    GuestView *view = registry_lookup_id(qemu_of_call(call)->guests, args->id);

    if (!view)
        return fail(err, VIR_ERR_NO_DOMAIN, "no domain with matching id %d", args->id);
    guest_view_fill_wire(view, &ret->dom);
    view_unref(view);
    return true;
}

static bool
qemu_domain_lookup_by_name(Call *call, const RemoteDomainLookupByNameArgs *args,
                           RemoteDomainLookupByNameRet *ret, GError **err)
{
    GuestView *view = registry_lookup_name(qemu_of_call(call)->guests, args->name);

    if (!view)
        return fail(err, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", args->name);
    guest_view_fill_wire(view, &ret->dom);
    view_unref(view);
    return true;
}

static bool
qemu_domain_lookup_by_uuid(Call *call, const RemoteDomainLookupByUuidArgs *args,
                           RemoteDomainLookupByUuidRet *ret, GError **err)
{
    GuestView *view = registry_lookup_uuid(qemu_of_call(call)->guests, args->uuid);
    char uuid[UUID_TEXT];

    uuid_format(args->uuid, uuid);
    if (!view)
        return fail(err, VIR_ERR_NO_DOMAIN, "no domain with matching uuid '%s'", uuid);
    guest_view_fill_wire(view, &ret->dom);
    view_unref(view);
    return true;
}

static guint
count_guests(QemuDriver *qemu, bool active)
{
    g_autoptr(GPtrArray) views = registry_list(qemu->guests);
    guint count = 0;

    for (guint i = 0; i < views->len; i++)
        count += (((GuestView *)g_ptr_array_index(views, i))->emulator != NULL) == active;
    return count;
}

static bool
qemu_connect_num_of_domains(Call *call, RemoteConnectNumOfDomainsRet *ret, GError **err)
{
    ret->num = (int)count_guests(qemu_of_call(call), true);
    return true;
}

static bool
qemu_connect_num_of_defined_domains(Call *call, RemoteConnectNumOfDefinedDomainsRet *ret,
                                    GError **err)
{
    ret->num = (int)count_guests(qemu_of_call(call), false);
    return true;
}

static bool
qemu_connect_list_domains(Call *call, const RemoteConnectListDomainsArgs *args,
                          RemoteConnectListDomainsRet *ret, GError **err)
{
    g_autoptr(GPtrArray) views = registry_list(qemu_of_call(call)->guests);

    ret->ids.items = g_new0(gint32, views->len);
    for (guint i = 0; i < views->len && (gint64)ret->ids.count < args->maxids; i++) {
        const GuestView *view = g_ptr_array_index(views, i);

        if (view->emulator)
            ret->ids.items[ret->ids.count++] = view->view.id;
    }
    return true;
}

static bool
qemu_connect_list_defined_domains(Call *call, const RemoteConnectListDefinedDomainsArgs *args,
                                  RemoteConnectListDefinedDomainsRet *ret, GError **err)
{
    g_autoptr(GPtrArray) views = registry_list(qemu_of_call(call)->guests);

    ret->names.items = g_new0(char *, views->len);
    for (guint i = 0; i < views->len && (gint64)ret->names.count < args->maxnames; i++) {
        const GuestView *view = g_ptr_array_index(views, i);

        if (!view->emulator)
            ret->names.items[ret->names.count++] = g_strdup(view->view.name);
    }
    return true;
}

/* A group of filters holds when none of it is asked for, or the one that fits is. */
static bool
passes(guint flags, guint if_true, guint if_false, bool claim)
{
    return !(flags & (if_true | if_false)) || flags & (claim ? if_true : if_false);
}

static bool
passes_state(guint flags, int state)
{
    enum {
        GROUP = VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
                VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER,
    };

    if (!(flags & GROUP))
        return true;
    switch (state) {
    case VIR_DOMAIN_RUNNING:
        return flags & VIR_CONNECT_LIST_DOMAINS_RUNNING;
    case VIR_DOMAIN_PAUSED:
        return flags & VIR_CONNECT_LIST_DOMAINS_PAUSED;
    case VIR_DOMAIN_SHUTOFF:
        return flags & VIR_CONNECT_LIST_DOMAINS_SHUTOFF;
    default:
        return flags & VIR_CONNECT_LIST_DOMAINS_OTHER;
    }
}

bool
guest_view_passes(const GuestView *view, guint flags)
{
    return passes(flags, VIR_CONNECT_LIST_DOMAINS_ACTIVE, VIR_CONNECT_LIST_DOMAINS_INACTIVE,
                  view->emulator != NULL) &&
           passes(flags, VIR_CONNECT_LIST_DOMAINS_PERSISTENT, VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
                  view->is_persistent) &&
           passes_state(flags, view->state) &&
           passes(flags, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
                  VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE, view->has_managed_save) &&
           passes(flags, VIR_CONNECT_LIST_DOMAINS_AUTOSTART, VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART,
                  view->is_autostart) &&
           passes(flags, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT,
                  VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT, snapshot_tree_size(view->snapshots) > 0) &&
           passes(flags, VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT,
                  VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
                  checkpoint_tree_size(view->checkpoints) > 0);
}

static bool
qemu_connect_list_all_domains(Call *call, const RemoteConnectListAllDomainsArgs *args,
                              RemoteConnectListAllDomainsRet *ret, GError **err)
{
    enum {
        FILTERS = VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE |
                  VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
                  VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
                  VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER |
                  VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE |
                  VIR_CONNECT_LIST_DOMAINS_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART |
                  VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT |
                  VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
    };
    g_autoptr(GPtrArray) views = NULL;

    if (!qemu_check_flags(call, args->flags, FILTERS, err))
        return false;
    views = registry_list(qemu_of_call(call)->guests);
    if (args->need_results)
        ret->domains.items = g_new0(RemoteNonnullDomain, views->len);
    for (guint i = 0; i < views->len; i++) {
        const GuestView *view = g_ptr_array_index(views, i);

        if (!guest_view_passes(view, args->flags))
            continue;
        if (args->need_results)
            guest_view_fill_wire(view, &ret->domains.items[ret->domains.count++]);
        ret->ret++;
    }
    return true;
}

void
qemu_list_slots(DriverSlots *slots)
{
    slots->domain_lookup_by_id = qemu_domain_lookup_by_id;
    slots->domain_lookup_by_name = qemu_domain_lookup_by_name;
    slots->domain_lookup_by_uuid = qemu_domain_lookup_by_uuid;
    slots->connect_num_of_domains = qemu_connect_num_of_domains;
    slots->connect_num_of_defined_domains = qemu_connect_num_of_defined_domains;
    slots->connect_list_domains = qemu_connect_list_domains;
    slots->connect_list_defined_domains = qemu_connect_list_defined_domains;
    slots->connect_list_all_domains = qemu_connect_list_all_domains;
}
