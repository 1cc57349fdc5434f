/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt-qemu.so.0: monitor events; its other functions are generated stubs. */
#include <libvirt/libvirt-qemu.h>

#include "client/events.h"

int
virConnectDomainQemuMonitorEventRegister(virConnectPtr public, virDomainPtr domain,
                                         const char *event,
                                         virConnectDomainQemuMonitorEventCallback cb, void *opaque,
                                         virFreeCallback freecb, unsigned int flags)
{
    ClientConn *conn = client_enter_connect(public, __func__);
    g_autoptr(GError) err = NULL;

    if (!conn)
        return -1;
    if ((domain && !client_need_domain(conn, domain, __func__, &err)) ||
        !client_writable(conn, __func__, &err))
        return client_fail_int(conn, err);
    return client_subscribe_monitor(conn, domain, event, (EventFunc)cb, opaque, freecb, flags,
                                    __func__);
}

int
virConnectDomainQemuMonitorEventDeregister(virConnectPtr public, int callbackID)
{
    ClientConn *conn = client_enter_connect(public, __func__);

    return conn ? client_unsubscribe(conn, API_EVENT_CLASS_QEMU_MONITOR, callbackID, __func__) : -1;
}
