/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls about interfaces of the host. */
#define ERROR_DOMAIN VIR_FROM_INTERFACE

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/interface/interface.h"
#include "object/defined.h"

typedef struct {
    int pid_lock;
} InterfaceDriver;

static void
fill_wire(const char *name, RemoteNonnullInterface *wire)
{
    wire->name = g_strdup(name);
    wire->mac = interface_mac(name);
}

/* ---- lists ---- */

/* The names of those that fit; NULL with @err. */
static GPtrArray *
find_names(guint flags, GError **err)
{
    g_auto(GStrv) names = interface_names(err);
    GPtrArray *found;

    if (!names)
        return NULL;
    found = g_ptr_array_new_with_free_func(g_free);
    for (char **name = names; *name; name++)
        if (flags_fit(flags, VIR_CONNECT_LIST_INTERFACES_ACTIVE,
                      VIR_CONNECT_LIST_INTERFACES_INACTIVE, interface_is_up(*name)))
            g_ptr_array_add(found, g_strdup(*name));
    return found;
}

static bool
count_names(guint flags, gint32 *num, GError **err)
{
    g_autoptr(GPtrArray) found = find_names(flags, err);

    *num = found ? (gint32)found->len : 0;
    return found != NULL;
}

static bool
fill_names(guint flags, gint32 max, guint32 *count, char ***names, GError **err)
{
    g_autoptr(GPtrArray) found = find_names(flags, err);

    if (!found)
        return false;
    *count = MIN(found->len, (guint)MAX(max, 0));
    *names = g_new0(char *, *count);
    for (guint i = 0; i < *count; i++)
        (*names)[i] = g_strdup(found->pdata[i]);
    return true;
}

static bool
connect_num_of_interfaces(Call *call, RemoteConnectNumOfInterfacesRet *ret, GError **err)
{
    return count_names(VIR_CONNECT_LIST_INTERFACES_ACTIVE, &ret->num, err);
}

static bool
connect_num_of_defined_interfaces(Call *call, RemoteConnectNumOfDefinedInterfacesRet *ret,
                                  GError **err)
{
    return count_names(VIR_CONNECT_LIST_INTERFACES_INACTIVE, &ret->num, err);
}

static bool
connect_list_interfaces(Call *call, const RemoteConnectListInterfacesArgs *args,
                        RemoteConnectListInterfacesRet *ret, GError **err)
{
    return fill_names(VIR_CONNECT_LIST_INTERFACES_ACTIVE, args->maxnames, &ret->names.count,
                      &ret->names.items, err);
}

static bool
connect_list_defined_interfaces(Call *call, const RemoteConnectListDefinedInterfacesArgs *args,
                                RemoteConnectListDefinedInterfacesRet *ret, GError **err)
{
    return fill_names(VIR_CONNECT_LIST_INTERFACES_INACTIVE, args->maxnames, &ret->names.count,
                      &ret->names.items, err);
}

static bool
connect_list_all_interfaces(Call *call, const RemoteConnectListAllInterfacesArgs *args,
                            RemoteConnectListAllInterfacesRet *ret, GError **err)
{
    g_autoptr(GPtrArray) found = NULL;

    if (!call_check_flags(call, args->flags,
                          VIR_CONNECT_LIST_INTERFACES_ACTIVE | VIR_CONNECT_LIST_INTERFACES_INACTIVE,
                          ERROR_DOMAIN, err))
        return false;
    found = find_names(args->flags, err);
    if (!found)
        return false;
    ret->ret = found->len;
    if (!args->need_results)
        return true;
    ret->ifaces.count = found->len;
    ret->ifaces.items = g_new0(RemoteNonnullInterface, found->len);
    for (guint i = 0; i < found->len; i++)
        fill_wire(found->pdata[i], &ret->ifaces.items[i]);
    return true;
}

/* ---- one interface ---- */

static bool
interface_lookup_by_name(Call *call, const RemoteInterfaceLookupByNameArgs *args,
                         RemoteInterfaceLookupByNameRet *ret, GError **err)
{
    if (!interface_check(args->name, err))
        return false;
    fill_wire(args->name, &ret->iface);
    return true;
}

static bool
interface_lookup_by_mac_string(Call *call, const RemoteInterfaceLookupByMacStringArgs *args,
                               RemoteInterfaceLookupByMacStringRet *ret, GError **err)
{
    g_auto(GStrv) names = interface_names(err);
    const char *found = NULL;
    guint n_found = 0;

    if (!names)
        return false;
    for (char **name = names; *name; name++) {
        g_autofree char *mac = interface_mac(*name);

        if (g_ascii_strcasecmp(mac, args->mac) == 0) {
            found = *name;
            n_found++;
        }
    }
    if (!n_found)
        return fail(err, VIR_ERR_NO_INTERFACE, "couldn't find interface with MAC address '%s'",
                    args->mac);
    if (n_found > 1)
        return fail(err, VIR_ERR_MULTIPLE_INTERFACES,
                    "%u interfaces have the MAC address '%s': look one up by its name", n_found,
                    args->mac);
    fill_wire(found, &ret->iface);
    return true;
}

static bool
interface_get_xml_desc(Call *call, const RemoteInterfaceGetXmlDescArgs *args,
                       RemoteInterfaceGetXmlDescRet *ret, GError **err)
{
    g_autoptr(HostInterface) interface = NULL;

    if (!call_check_flags(call, args->flags, VIR_INTERFACE_XML_INACTIVE, ERROR_DOMAIN, err))
        return false;
    interface = interface_look(args->iface.name, err);
    if (interface)
        ret->xml = host_interface_format(interface, 0);
    return interface != NULL;
}

static bool
interface_is_active(Call *call, const RemoteInterfaceIsActiveArgs *args,
                    RemoteInterfaceIsActiveRet *ret, GError **err)
{
    if (!interface_check(args->iface.name, err))
        return false;
    ret->active = interface_is_up(args->iface.name);
    return true;
}

static bool
interface_define_xml(Call *call, const RemoteInterfaceDefineXmlArgs *args,
                     RemoteInterfaceDefineXmlRet *ret, GError **err)
{
    return fail(err, VIR_ERR_NO_SUPPORT,
                "interfaces of the host are only looked at: set them up with the host's own tools");
}

/* ---- start and end ---- */

static bool
interface_start(Driver *driver, const DriverHost *host, GError **err)
{
    InterfaceDriver *interfaces;
    const int lock = driver_lock(host, "interface", "run", err);

    if (lock < 0)
        return false;
    driver->state = interfaces = g_new0(InterfaceDriver, 1);
    interfaces->pid_lock = lock;
    return true;
}

static void
interface_stop(Driver *driver)
{
    g_autofree InterfaceDriver *interfaces = g_steal_pointer(&driver->state);

    if (interfaces)
        fd_close(&interfaces->pid_lock);
}

Driver interface_driver = {
    .name = "interface",
    .folder = "interface",
    .error_domain = VIR_FROM_INTERFACE,
    .start = interface_start,
    .stop = interface_stop,
    .slots =
        {
            .connect_num_of_interfaces = connect_num_of_interfaces,
            .connect_num_of_defined_interfaces = connect_num_of_defined_interfaces,
            .connect_list_interfaces = connect_list_interfaces,
            .connect_list_defined_interfaces = connect_list_defined_interfaces,
            .connect_list_all_interfaces = connect_list_all_interfaces,
            .interface_lookup_by_name = interface_lookup_by_name,
            .interface_lookup_by_mac_string = interface_lookup_by_mac_string,
            .interface_get_xml_desc = interface_get_xml_desc,
            .interface_is_active = interface_is_active,
            .interface_define_xml = interface_define_xml,
        },
};
