/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of virtual networks. Places: schema/model/network.model. Changes of one part: network_update.c. */
#pragma once

#include "gen/model-network.h"

/* Read, filled in (but for a bridge's name, which only a driver can choose) and checked. NULL with @err. */
Network *network_read(const char *xml, GError **err);
NetworkForwardMode network_mode(const Network *network);
/* Does the network have a bridge of its own (isolated, nat, route, open)? */
bool network_is_virtual(const Network *network);
void network_fill_places(Network *network);

/* ---- what is refused: network_check.c ---- */

bool network_check_all(const Network *network, GError **err);
/* What upstream's driver refuses beyond that. */
bool network_accept(const Network *network, GError **err);
/* One part, as it stands in a document or arrives for an update. @is_partial: it names what is there already. */
bool network_check_host(const Network *network, const NetworkHost *host, int family,
                        bool is_partial, GError **err);
bool network_check_range(const Network *network, const NetworkIp *ip, const NetworkRange *range,
                         GError **err);
bool network_check_dns_host(const Network *network, const NetworkDnsHost *host, bool is_partial,
                            GError **err);
bool network_check_txt(const Network *network, const NetworkDnsTxt *txt, bool is_partial,
                       GError **err);
bool network_check_srv(const Network *network, const NetworkDnsSrv *srv, bool is_partial,
                       GError **err);
bool network_check_portgroup(const Network *network, const NetworkPortGroup *group, GError **err);
/* AF_INET, AF_INET6. */
int network_ip_family(const NetworkIp *ip);
/* 0: no address. @bytes (of 16) may be NULL. */
int address_family(const char *text, guchar *bytes);

/* ---- virNetworkUpdate ---- */

/* Change @network as the call says; VIR_NETWORK_UPDATE_COMMAND_..., VIR_NETWORK_SECTION_... */
bool network_update(Network *network, guint command, guint section, int parent_index,
                    const char *xml, GError **err);
