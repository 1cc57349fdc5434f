/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Public structures that the library allocates: made from their wire form, and freed.
 *
 * The other conversions of the generated stubs are in stub_convert.c. */
#include "client/stub_convert.h"

#include <string.h>

virDomainFSInfoPtr
stub_fsinfo_new(const RemoteDomainFsinfo *wire)
{
    virDomainFSInfoPtr info = g_new0(virDomainFSInfo, 1);

    info->mountpoint = g_strdup(wire->mountpoint);
    info->name = g_strdup(wire->name);
    info->fstype = g_strdup(wire->fstype);
    info->ndevAlias = wire->dev_aliases.count;
    info->devAlias = g_new0(char *, info->ndevAlias + 1);
    for (guint32 i = 0; i < wire->dev_aliases.count; i++)
        info->devAlias[i] = g_strdup(wire->dev_aliases.items[i]);
    return info;
}

void
virDomainFSInfoFree(virDomainFSInfoPtr info)
{
    if (!info)
        return;
    for (size_t i = 0; i < info->ndevAlias; i++)
        g_free(info->devAlias[i]);
    g_free(info->devAlias);
    g_free(info->mountpoint);
    g_free(info->name);
    g_free(info->fstype);
    g_free(info);
}

virDomainIOThreadInfoPtr
stub_iothread_info_new(const RemoteDomainIothreadInfo *wire)
{
    virDomainIOThreadInfoPtr info = g_new0(virDomainIOThreadInfo, 1);

    info->iothread_id = wire->iothread_id;
    info->cpumaplen = (int)wire->cpumap.count;
    info->cpumap = g_memdup2(wire->cpumap.items, wire->cpumap.count);
    return info;
}

void
virDomainIOThreadInfoFree(virDomainIOThreadInfoPtr info)
{
    if (!info)
        return;
    g_free(info->cpumap);
    g_free(info);
}

virDomainInterfacePtr
stub_interface_new(const RemoteDomainInterface *wire)
{
    virDomainInterfacePtr iface = g_new0(virDomainInterface, 1);

    iface->name = g_strdup(wire->name);
    iface->hwaddr = g_strdup(wire->hwaddr);
    iface->naddrs = wire->addrs.count;
    iface->addrs = g_new0(virDomainIPAddress, (gsize)iface->naddrs + 1);
    for (guint32 i = 0; i < wire->addrs.count; i++) {
        iface->addrs[i].type = wire->addrs.items[i].type;
        iface->addrs[i].addr = g_strdup(wire->addrs.items[i].addr);
        iface->addrs[i].prefix = wire->addrs.items[i].prefix;
    }
    return iface;
}

void
virDomainInterfaceFree(virDomainInterfacePtr iface)
{
    if (!iface)
        return;
    for (unsigned int i = 0; i < iface->naddrs; i++)
        g_free(iface->addrs[i].addr);
    g_free(iface->addrs);
    g_free(iface->name);
    g_free(iface->hwaddr);
    g_free(iface);
}

virNetworkDHCPLeasePtr
stub_dhcp_lease_new(const RemoteNetworkDhcpLease *wire)
{
    virNetworkDHCPLeasePtr lease = g_new0(virNetworkDHCPLease, 1);

    lease->iface = g_strdup(wire->iface);
    lease->expirytime = wire->expirytime;
    lease->type = wire->type;
    lease->mac = g_strdup(wire->mac);
    lease->iaid = g_strdup(wire->iaid);
    lease->ipaddr = g_strdup(wire->ipaddr);
    lease->prefix = wire->prefix;
    lease->hostname = g_strdup(wire->hostname);
    lease->clientid = g_strdup(wire->clientid);
    return lease;
}

void
virNetworkDHCPLeaseFree(virNetworkDHCPLeasePtr lease)
{
    if (!lease)
        return;
    g_free(lease->iface);
    g_free(lease->mac);
    g_free(lease->iaid);
    g_free(lease->ipaddr);
    g_free(lease->hostname);
    g_free(lease->clientid);
    g_free(lease);
}

virDomainStatsRecordPtr
stub_stats_record_new(ClientConn *conn, const RemoteDomainStatsRecord *wire, GError **err)
{
    virDomainStatsRecordPtr record = NULL;
    virTypedParameterPtr params = NULL;

    if (!stub_params_new(&params, wire->params.items, wire->params.count, err))
        return NULL;
    record = g_new0(virDomainStatsRecord, 1);
    record->dom = client_domain_from_wire(conn, &wire->dom);
    record->params = params;
    record->nparams = (int)wire->params.count;
    return record;
}

void
virDomainStatsRecordListFree(virDomainStatsRecordPtr *stats)
{
    for (virDomainStatsRecordPtr *record = stats; record && *record; record++) {
        virTypedParamsFree((*record)->params, (*record)->nparams);
        virDomainFree((*record)->dom);
        g_free(*record);
    }
    g_free(stats);
}

bool
stub_domains_to_wire(ClientConn *conn, virDomainPtr *domains, RemoteNonnullDomain **items,
                     guint32 *count, const char *function, GError **err)
{
    guint32 length = 0;

    while (domains[length])
        length++;
    *items = g_new0(RemoteNonnullDomain, (gsize)length + 1);
    for (guint32 i = 0; i < length; i++) {
        if (!client_need_domain(conn, domains[i], function, err))
            return false;
        client_domain_to_wire(domains[i], &(*items)[i]);
    }
    *count = length;
    return true;
}
