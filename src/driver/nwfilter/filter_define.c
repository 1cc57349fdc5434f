/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defining and undefining filters. */
#define ERROR_DOMAIN VIR_FROM_NWFILTER

#include <libvirt/libvirt.h>
#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/nwfilter/nwfilter.h"

static bool
check_identity(FilterDriver *filters, const Nwfilter *filter, GError **err)
{
    g_autoptr(View) by_uuid = registry_lookup_uuid(filters->filters, filter->uuid);
    g_autoptr(View) by_name = registry_lookup_name(filters->filters, filter->name);
    char uuid[UUID_TEXT];

    if (by_uuid && strcmp(by_uuid->name, filter->name) != 0)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "filter with same UUID but different name ('%s') already exists",
                    by_uuid->name);
    if (!by_name || uuid_equal(by_name->uuid, filter->uuid))
        return true;
    uuid_format(by_name->uuid, uuid);
    return fail(err, VIR_ERR_OPERATION_FAILED, "filter '%s' already exists with uuid %s",
                filter->name, uuid);
}

/* Does following the references of @filter lead to @name? @seen: names that were followed. */
static bool
leads_to(FilterDriver *filters, const Nwfilter *filter, const char *name, GHashTable *seen)
{
    for (gsize i = 0; i < filter->n_entries; i++) {
        const FilterEntry *entry = filter->entries[i];
        g_autoptr(DefinedView) next = NULL;

        if (entry->kind != FILTER_ENTRY_KIND_FILTERREF)
            continue;
        if (!strcmp(entry->filterref->filter, name))
            return true;
        if (!g_hash_table_add(seen, g_strdup(entry->filterref->filter)))
            continue;
        next = registry_lookup_name(filters->filters, entry->filterref->filter);
        if (next && leads_to(filters, next->config, name, seen))
            return true;
    }
    return false;
}

static bool
check_loop(FilterDriver *filters, const Nwfilter *filter, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    return !leads_to(filters, filter, filter->name, seen) ||
           fail(err, VIR_ERR_OPERATION_FAILED,
                "filter '%s' would introduce a loop: one of its references leads back to it",
                filter->name);
}

static bool
save(FilterDriver *filters, const Nwfilter *filter, GError **err)
{
    g_autofree char *xml = nwfilter_format(filter, 0);
    char uuid[UUID_TEXT];

    uuid_format(filter->uuid, uuid);
    return store_save(filters->store, filter->name, filter->name, uuid, xml, err);
}

static bool
define_on_strand(FilterDriver *filters, Nwfilter *take_filter, Strand *strand,
                 RemoteNonnullNwfilter *ret, GError **err)
{
    g_autoptr(Nwfilter) filter = take_filter;
    g_autoptr(DefinedView) before = registry_lookup_uuid(filters->filters, filter->uuid);
    g_autoptr(DefinedView) view = NULL;
    const Nwfilter *config = filter;

    if (!check_identity(filters, filter, err) || !check_loop(filters, filter, err))
        return false;
    view = defined_new(&nwfilter_model, filter, filter->uuid, filter->name, strand);
    g_steal_pointer(&filter);
    if (!before && !registry_publish_new(filters->filters, view_ref(view), err))
        return false;
    if (!save(filters, config, err)) {
        if (!before)
            registry_withdraw(filters->filters, config->uuid);
        return false;
    }
    filter_view_fill_wire(view, ret);
    log_info(LOG_NWFILTER, "filter %s: defined", view->view.name);
    return !before || registry_publish(filters->filters, view_ref(view), err);
}

static bool
define(Call *call, const char *xml, guint flags, RemoteNonnullNwfilter *ret, GError **err)
{
    FilterDriver *filters = filter_of_call(call);
    g_autoptr(Nwfilter) filter = NULL;
    Strand *strand;
    bool is_good;

    if (!filters->store)
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "filters belong to the system's daemon: a user's daemon has none");
    if (!call_check_flags(call, flags, VIR_NWFILTER_DEFINE_VALIDATE, ERROR_DOMAIN, err) ||
        (flags & VIR_NWFILTER_DEFINE_VALIDATE && !model_validate(&nwfilter_model, xml, err)))
        return false;
    filter = nwfilter_read(xml, err);
    strand = filter ? defined_enter(filters->filters, filters->host->pool, "filter", filter->uuid,
                                    filter->name, err)
                    : NULL;
    if (!strand)
        return false;
    is_good = define_on_strand(filters, g_steal_pointer(&filter), strand, ret, err);
    defined_leave(strand);
    return is_good;
}

static bool
nwfilter_define_xml(Call *call, const RemoteNwfilterDefineXmlArgs *args,
                    RemoteNwfilterDefineXmlRet *ret, GError **err)
{
    return define(call, args->xml, 0, &ret->nwfilter, err);
}

static bool
nwfilter_define_xml_flags(Call *call, const RemoteNwfilterDefineXmlFlagsArgs *args,
                          RemoteNwfilterDefineXmlFlagsRet *ret, GError **err)
{
    return define(call, args->xml, args->flags, &ret->nwfilter, err);
}

static bool
nwfilter_undefine(Call *call, const RemoteNwfilterUndefineArgs *args, GError **err)
{
    FilterDriver *filters = filter_of_call(call);
    g_autoptr(DefinedView) view = filter_view_of_call(call, &args->nwfilter, err);

    if (!view || !store_remove(filters->store, view->view.name, err))
        return false;
    registry_withdraw(filters->filters, view->view.uuid);
    log_info(LOG_NWFILTER, "filter %s: undefined", view->view.name);
    return true;
}

void
filter_define_slots(DriverSlots *slots)
{
    slots->nwfilter_define_xml = nwfilter_define_xml;
    slots->nwfilter_define_xml_flags = nwfilter_define_xml_flags;
    slots->nwfilter_undefine = nwfilter_undefine;
}
