/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which filters there are, and bindings. Answered on the loop's thread, from views. */
#define ERROR_DOMAIN VIR_FROM_NWFILTER

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/nwfilter/nwfilter.h"
#include "gen/model-nwfilter_binding.h"

static bool
nwfilter_lookup_by_name(Call *call, const RemoteNwfilterLookupByNameArgs *args,
                        RemoteNwfilterLookupByNameRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = registry_lookup_name(filter_of_call(call)->filters, args->name);

    if (!view)
        return fail(err, VIR_ERR_NO_NWFILTER, "no nwfilter with matching name '%s'", args->name);
    filter_view_fill_wire(view, &ret->nwfilter);
    return true;
}

static bool
nwfilter_lookup_by_uuid(Call *call, const RemoteNwfilterLookupByUuidArgs *args,
                        RemoteNwfilterLookupByUuidRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = registry_lookup_uuid(filter_of_call(call)->filters, args->uuid);
    char uuid[UUID_TEXT];

    uuid_format(args->uuid, uuid);
    if (!view)
        return fail(err, VIR_ERR_NO_NWFILTER, "no nwfilter with matching uuid '%s'", uuid);
    filter_view_fill_wire(view, &ret->nwfilter);
    return true;
}

static bool
nwfilter_get_xml_desc(Call *call, const RemoteNwfilterGetXmlDescArgs *args,
                      RemoteNwfilterGetXmlDescRet *ret, GError **err)
{
    g_autoptr(DefinedView) view = filter_view_of_call(call, &args->nwfilter, err);

    if (!view || !call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    ret->xml = nwfilter_format(view->config, 0);
    return true;
}

static bool
connect_num_of_nwfilters(Call *call, RemoteConnectNumOfNwfiltersRet *ret, GError **err)
{
    ret->num = (gint32)registry_size(filter_of_call(call)->filters);
    return true;
}

static bool
connect_list_nwfilters(Call *call, const RemoteConnectListNwfiltersArgs *args,
                       RemoteConnectListNwfiltersRet *ret, GError **err)
{
    g_autoptr(GPtrArray) all = registry_list(filter_of_call(call)->filters);

    defined_fill_names(all, args->maxnames, &ret->names.count, &ret->names.items);
    return true;
}

static bool
connect_list_all_nwfilters(Call *call, const RemoteConnectListAllNwfiltersArgs *args,
                           RemoteConnectListAllNwfiltersRet *ret, GError **err)
{
    g_autoptr(GPtrArray) all = NULL;

    if (!call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err))
        return false;
    all = registry_list(filter_of_call(call)->filters);
    ret->ret = all->len;
    if (!args->need_results)
        return true;
    ret->filters.count = all->len;
    ret->filters.items = g_new0(RemoteNonnullNwfilter, all->len);
    for (guint i = 0; i < all->len; i++)
        filter_view_fill_wire(all->pdata[i], &ret->filters.items[i]);
    return true;
}

/* ---- bindings: none, as no filter is applied to a port ---- */

static bool
fail_no_binding(const char *port, GError **err)
{
    return fail(err, VIR_ERR_NO_NWFILTER_BINDING, "no nwfilter binding for port dev '%s'", port);
}

static bool
nwfilter_binding_lookup_by_port_dev(Call *call,
                                    const RemoteNwfilterBindingLookupByPortDevArgs *args,
                                    RemoteNwfilterBindingLookupByPortDevRet *ret, GError **err)
{
    return fail_no_binding(args->name, err);
}

static bool
nwfilter_binding_get_xml_desc(Call *call, const RemoteNwfilterBindingGetXmlDescArgs *args,
                              RemoteNwfilterBindingGetXmlDescRet *ret, GError **err)
{
    return fail_no_binding(args->nwfilter.portdev, err);
}

static bool
nwfilter_binding_delete(Call *call, const RemoteNwfilterBindingDeleteArgs *args, GError **err)
{
    return fail_no_binding(args->nwfilter.portdev, err);
}

static bool
nwfilter_binding_create_xml(Call *call, const RemoteNwfilterBindingCreateXmlArgs *args,
                            RemoteNwfilterBindingCreateXmlRet *ret, GError **err)
{
    g_autoptr(NwfilterBinding) binding = NULL;

    if (!call_check_flags(call, args->flags, VIR_NWFILTER_BINDING_CREATE_VALIDATE, ERROR_DOMAIN,
                          err) ||
        (args->flags & VIR_NWFILTER_BINDING_CREATE_VALIDATE &&
         !model_validate(&nwfilter_binding_model, args->xml, err)))
        return false;
    binding = nwfilter_binding_parse(args->xml, 0, err);
    return binding && fail(err, VIR_ERR_NO_SUPPORT,
                           "the filter of port '%s' cannot be applied: the host's packet filter is "
                           "not driven yet",
                           binding->portdev_name);
}

static bool
connect_list_all_nwfilter_bindings(Call *call, const RemoteConnectListAllNwfilterBindingsArgs *args,
                                   RemoteConnectListAllNwfilterBindingsRet *ret, GError **err)
{
    return call_check_flags(call, args->flags, 0, ERROR_DOMAIN, err);
}

void
filter_list_slots(DriverSlots *slots)
{
    slots->nwfilter_lookup_by_name = nwfilter_lookup_by_name;
    slots->nwfilter_lookup_by_uuid = nwfilter_lookup_by_uuid;
    slots->nwfilter_get_xml_desc = nwfilter_get_xml_desc;
    slots->connect_num_of_nwfilters = connect_num_of_nwfilters;
    slots->connect_list_nwfilters = connect_list_nwfilters;
    slots->connect_list_all_nwfilters = connect_list_all_nwfilters;
    slots->nwfilter_binding_lookup_by_port_dev = nwfilter_binding_lookup_by_port_dev;
    slots->nwfilter_binding_get_xml_desc = nwfilter_binding_get_xml_desc;
    slots->nwfilter_binding_delete = nwfilter_binding_delete;
    slots->nwfilter_binding_create_xml = nwfilter_binding_create_xml;
    slots->connect_list_all_nwfilter_bindings = connect_list_all_nwfilter_bindings;
}
