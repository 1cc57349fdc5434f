/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching, detaching and updating devices of the definition that the next start uses. The rules are those of
 * model/domain_change.c; plugging into a running guest is refused until it can be done. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/guest.h"

typedef bool (*Change)(Domain *dom, const char *xml, const DomainFillHost *host, GError **err);

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
    if (is_live)
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "%s a device of a running guest: use VIR_DOMAIN_AFFECT_CONFIG", what);
    config = domain_copy(guest_config(guest));
    if (!change(config, xml, qemu_fill_host(guest->qemu), err) ||
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

void
qemu_attach_slots(DriverSlots *slots)
{
    slots->domain_attach_device = qemu_domain_attach_device;
    slots->domain_attach_device_flags = qemu_domain_attach_device_flags;
    slots->domain_detach_device = qemu_domain_detach_device;
    slots->domain_detach_device_flags = qemu_domain_detach_device_flags;
    slots->domain_update_device_flags = qemu_domain_update_device_flags;
}
