/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's table, its start and end, its views. */
#define ERROR_DOMAIN VIR_FROM_NWFILTER

#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/nwfilter/nwfilter.h"

FilterDriver *
filter_of_call(const Call *call)
{
    return call->driver->state;
}

DefinedView *
filter_view_of_call(const Call *call, const RemoteNonnullNwfilter *wire, GError **err)
{
    DefinedView *view = registry_lookup_uuid(filter_of_call(call)->filters, wire->uuid);
    char uuid[UUID_TEXT];

    if (view)
        return view;
    uuid_format(wire->uuid, uuid);
    return fail_null(err, VIR_ERR_NO_NWFILTER, "no nwfilter with matching uuid '%s' (%s)", uuid,
                     wire->name);
}

void
filter_view_fill_wire(const DefinedView *view, RemoteNonnullNwfilter *wire)
{
    wire->name = g_strdup(view->view.name);
    memcpy(wire->uuid, view->view.uuid, sizeof wire->uuid);
}

/* ---- start and end ---- */

/* A UUID that was made up stays. */
static bool
keep_uuid(FilterDriver *filters, const Nwfilter *filter, const char *xml, GError **err)
{
    g_autoptr(Nwfilter) read = nwfilter_parse(xml, 0, NULL);
    g_autofree char *text = NULL;
    char uuid[UUID_TEXT];

    if (read && read->has_uuid)
        return true;
    text = nwfilter_format(filter, 0);
    uuid_format(filter->uuid, uuid);
    return store_save(filters->store, filter->name, filter->name, uuid, text, err);
}

static bool
load_filter(const char *path, const char *stem, const char *xml, gsize len, bool autostart,
            void *opaque, GError **err)
{
    FilterDriver *filters = opaque;
    g_autoptr(Nwfilter) filter = nwfilter_read(xml, err);
    g_autoptr(Strand) strand = NULL;
    g_autofree char *name = g_strconcat("filter ", stem, NULL);
    DefinedView *view;

    if (!filter)
        return false;
    if (strcmp(filter->name, stem) != 0)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "it defines filter '%s': its name must be '%s.xml'", filter->name,
                    filter->name);
    if (!keep_uuid(filters, filter, xml, err))
        return false;
    strand = strand_new(filters->host->pool, name);
    view = defined_new(&nwfilter_model, filter, filter->uuid, filter->name, strand);
    g_steal_pointer(&filter);
    return registry_publish(filters->filters, view, err);
}

static void
filter_driver_free(FilterDriver *filters)
{
    if (!filters)
        return;
    registry_free(filters->filters);
    store_free(filters->store);
    g_free(filters);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FilterDriver, filter_driver_free)

static bool
filter_start(Driver *driver, const DriverHost *host, GError **err)
{
    g_autoptr(FilterDriver) filters = g_new0(FilterDriver, 1);
    g_autofree char *dir = g_build_filename(host->config_dir, "nwfilter", NULL);

    filters->driver = driver;
    filters->host = host;
    filters->filters = registry_new("filter");
    filters->store = host->is_system ? store_new(dir, NULL, "nwfilter-edit", err) : NULL;
    if (host->is_system &&
        (!filters->store || !store_load(filters->store, load_filter, filters, err)))
        return false;
    driver->state = g_steal_pointer(&filters);
    return true;
}

static void
filter_stop(Driver *driver)
{
    filter_driver_free(g_steal_pointer(&driver->state));
}

static Strand *
filter_find_strand(Driver *driver, ApiObjectKind kind, const guchar uuid[16])
{
    return defined_find_strand(((FilterDriver *)driver->state)->filters, uuid);
}

Driver nwfilter_driver = {
    .name = "nwfilter",
    .folder = "nwfilter",
    .error_domain = VIR_FROM_NWFILTER,
    .start = filter_start,
    .stop = filter_stop,
    .find_strand = filter_find_strand,
};

__attribute__((constructor)) static void
fill_slots(void)
{
    filter_define_slots(&nwfilter_driver.slots);
    filter_list_slots(&nwfilter_driver.slots);
}
