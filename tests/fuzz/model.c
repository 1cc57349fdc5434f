/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes from outside as the XML of a domain, snapshot, device, pool or volume: refused, or a model that is
 * printed, read again and equal. Seeds: tests/model/data. Run by `dev/fuzz model SECONDS`. */
#include <stdint.h>
#include <stdlib.h>

#include "gen/model-domain.h"
#include "gen/model-interface_config.h"
#include "gen/model-network.h"
#include "gen/model-nodedev.h"
#include "gen/model-nwfilter.h"
#include "gen/model-nwfilter_binding.h"
#include "gen/model-secret.h"
#include "gen/model-pool.h"
#include "gen/model-snapshot.h"
#include "gen/model-volume.h"
#include "model/reflect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
try_type(const ModelType *type, const char *xml)
{
    const ModelFormatFlags all = MODEL_FORMAT_SECURE | MODEL_FORMAT_STATUS;
    g_autoptr(GError) err = NULL;
    g_autoptr(GError) second = NULL;
    g_autofree char *out = NULL;
    void *self = model_parse(type, xml, MODEL_PARSE_STATUS, &err);
    void *again, *copy;

    if (!self) {
        if (!err)
            abort();
        return;
    }
    out = model_format(type, self, all);
    again = model_parse(type, out, MODEL_PARSE_STATUS, &second);
    copy = model_copy(type, self);
    if (!again || !model_equal(type, self, again) || !model_equal(type, self, copy))
        abort();
    json_decref(model_to_json(type, self, all));
    model_free(type, self);
    model_free(type, again);
    model_free(type, copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const ModelType *const types[] = {
        &domain_model,         &domain_snapshot_model, &disk_model,         &interface_model,
        &secret_model,         &network_model,         &nwfilter_model,     &nwfilter_binding_model,
        &host_interface_model, &node_device_model,     &storage_pool_model, &storage_volume_model};
    g_autofree char *xml = g_strndup((const char *)bytes, len);

    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        try_type(types[i], xml);
    return 0;
}
