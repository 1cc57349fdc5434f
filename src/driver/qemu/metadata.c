/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Title, description, and the foreign elements of <metadata>. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/events.h"
#include "driver/qemu/guest.h"
#include "model/metadata.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestView, view_unref)
static bool
qemu_domain_get_metadata(Call *call, const RemoteDomainGetMetadataArgs *args,
                         RemoteDomainGetMetadataRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    bool config = args->flags & VIR_DOMAIN_AFFECT_CONFIG;
    const Domain *dom;

    if (!view || !qemu_check_flags(call, args->flags,
                                   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, err))
        return false;
    if (args->flags & VIR_DOMAIN_AFFECT_LIVE && !view->live)
        return fail_not_running(err);
    if (config && !view->is_persistent)
        return fail_transient(err);
    dom = machine_domain(view->live && !config ? view->live : view->config);
    switch (args->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
        ret->metadata = g_strdup(dom->description);
        break;
    case VIR_DOMAIN_METADATA_TITLE:
        ret->metadata = g_strdup(dom->title);
        break;
    case VIR_DOMAIN_METADATA_ELEMENT:
        ret->metadata = metadata_get(dom->metadata, args->uri);
        break;
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "unknown metadata type");
    }
    return ret->metadata ||
           fail(err, VIR_ERR_NO_DOMAIN_METADATA, "Requested metadata element is not present");
}

static bool
change(Domain *dom, const RemoteDomainSetMetadataArgs *args, GError **err)
{
    switch (args->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION:
        g_free(dom->description);
        dom->description = args->metadata && *args->metadata ? g_strdup(args->metadata) : NULL;
        return true;
    case VIR_DOMAIN_METADATA_TITLE:
        if (args->metadata && strchr(args->metadata, '\n'))
            return fail(err, VIR_ERR_XML_ERROR, "metadata title can't contain newlines");
        g_free(dom->title);
        dom->title = args->metadata && *args->metadata ? g_strdup(args->metadata) : NULL;
        return true;
    case VIR_DOMAIN_METADATA_ELEMENT:
        return metadata_set(&dom->metadata, args->metadata, args->key, args->uri, err);
    default:
        return fail(err, VIR_ERR_INVALID_ARG, "unknown metadata type");
    }
}

static bool
qemu_domain_set_metadata(Call *call, const RemoteDomainSetMetadataArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
                          err) ||
        !guest_settle_affect(guest, args->flags, &is_live, &is_config, err))
        return false;
    if (is_live) {
        g_autoptr(Domain) live = domain_copy(guest_live(guest));

        if (!change(live, args, err))
            return false;
        guest_set_live(guest, g_steal_pointer(&live));
        guest_changed(guest);
    }
    if (is_config) {
        g_autoptr(Domain) config = domain_copy(guest_config(guest));

        if (!change(config, args, err))
            return false;
        if (!guest_change_config(guest, g_steal_pointer(&config), err))
            return false;
    }
    guest_emit_metadata_change(guest, args->type, args->uri);
    return true;
}

void
qemu_metadata_slots(DriverSlots *slots)
{
    slots->domain_get_metadata = qemu_domain_get_metadata;
    slots->domain_set_metadata = qemu_domain_set_metadata;
}
