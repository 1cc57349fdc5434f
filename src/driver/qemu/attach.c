/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching, detaching and updating devices. Of the definition that the next start uses: the rules are those of
 * model/domain_change.c; a running guest: plug.c. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/plug.h"

typedef bool (*Change)(Domain *dom, const char *xml, const DomainFillHost *host, GError **err);

static bool
change_live(Call *call, Guest *guest, const char *xml, guint flags, Domain *take_config,
            Change change, GError **err)
{
    if (change == domain_attach_device)
        return plug_attach(call, guest, xml, take_config, err);
    if (change == domain_detach_device)
        return plug_detach(call, guest, xml, NULL, take_config, err);
    return plug_change_media(call, guest, xml, take_config, flags & VIR_DOMAIN_DEVICE_MODIFY_FORCE,
                             err);
}

static bool
change_device(Call *call, const RemoteNonnullDomain *dom, const char *xml, guint flags,
              guint allowed, const char *what, Change change, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, dom, err);
    g_autoptr(Domain) config = NULL;
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(call, flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG | allowed,
                          err) ||
        !guest_settle_affect(guest, flags & (VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG),
                             &is_live, &is_config, err))
        return false;
    if (is_config) {
        config = domain_copy(guest_config(guest));
        if (!change(config, xml, qemu_fill_host(guest->qemu), err))
            return false;
    }
    if (is_live)
        return change_live(call, guest, xml, flags, g_steal_pointer(&config), change, err);
    if (!guest_require_idle(guest, err) ||
        !guest_change_config(guest, g_steal_pointer(&config), err))
        return false;
    log_info(LOG_QEMU, "%s: %s a device of the definition", guest->name, what);
    return true;
}

static bool
qemu_domain_attach_device(Call *call, const RemoteDomainAttachDeviceArgs *args, GError **err)
{
    return change_device(call, &args->dom, args->xml, VIR_DOMAIN_AFFECT_LIVE, 0, "attach",
                         domain_attach_device, err);
}

static bool
qemu_domain_attach_device_flags(Call *call, const RemoteDomainAttachDeviceFlagsArgs *args,
                                GError **err)
{
    return change_device(call, &args->dom, args->xml, args->flags, 0, "attach",
                         domain_attach_device, err);
}

static bool
qemu_domain_detach_device(Call *call, const RemoteDomainDetachDeviceArgs *args, GError **err)
{
    return change_device(call, &args->dom, args->xml, VIR_DOMAIN_AFFECT_LIVE, 0, "detach",
                         domain_detach_device, err);
}

static bool
qemu_domain_detach_device_flags(Call *call, const RemoteDomainDetachDeviceFlagsArgs *args,
                                GError **err)
{
    return change_device(call, &args->dom, args->xml, args->flags, 0, "detach",
                         domain_detach_device, err);
}

static bool
qemu_domain_update_device_flags(Call *call, const RemoteDomainUpdateDeviceFlagsArgs *args,
                                GError **err)
{
    return change_device(call, &args->dom, args->xml, args->flags, VIR_DOMAIN_DEVICE_MODIFY_FORCE,
                         "update", domain_update_device, err);
}

static bool
qemu_domain_detach_device_alias(Call *call, const RemoteDomainDetachDeviceAliasArgs *args,
                                GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    bool is_live, is_config;

    if (!guest ||
        !qemu_check_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
                          err) ||
        !guest_settle_affect(guest, args->flags, &is_live, &is_config, err))
        return false;
    if (is_config)
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "detach a device of the definition by alias: use virDomainDetachDeviceFlags");
    return plug_detach(call, guest, NULL, args->alias, NULL, err);
}

void
qemu_attach_slots(DriverSlots *slots)
{
    slots->domain_attach_device = qemu_domain_attach_device;
    slots->domain_attach_device_flags = qemu_domain_attach_device_flags;
    slots->domain_detach_device = qemu_domain_detach_device;
    slots->domain_detach_device_flags = qemu_domain_detach_device_flags;
    slots->domain_update_device_flags = qemu_domain_update_device_flags;
    slots->domain_detach_device_alias = qemu_domain_detach_device_alias;
}
