/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See service.h. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "object/service.h"

#include "base/error.h"
#include "object/driver.h"

void
service_volume_free(ServiceVolume *volume)
{
    if (!volume)
        return;
    g_free(volume->path);
    g_free(volume->format);
    g_free(volume);
}

ServiceVolume *
service_find_volume(const DriverHost *host, const char *pool, const char *volume, GError **err)
{
    const Services *services = &host->services;

    if (!services->find_volume)
        return fail_null(err, VIR_ERR_NO_SUPPORT,
                         "volume '%s' of pool '%s': this daemon has no storage driver", volume,
                         pool);
    return services->find_volume(services->storage, pool, volume, err);
}

GBytes *
service_secret_value(const DriverHost *host, const ServiceSecret *which, GError **err)
{
    const Services *services = &host->services;

    if (!services->secret_value)
        return fail_null(err, VIR_ERR_NO_SUPPORT,
                         "the value of a secret: this daemon has no secret driver");
    return services->secret_value(services->secret, which, err);
}

bool
service_secret_make(const DriverHost *host, int usage_type, const char *usage_id, GBytes *value,
                    guchar uuid[16], GError **err)
{
    const Services *services = &host->services;

    if (!services->secret_make)
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "keeping a secret for '%s': this daemon has no secret driver", usage_id);
    return services->secret_make(services->secret, usage_type, usage_id, value, uuid, err);
}
