/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of bridges. A registry holds who has which, so that two definitions at the same time cannot have one name. */
#define ERROR_DOMAIN VIR_FROM_NETWORK

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/network/network.h"

#define DEFAULT_TEMPLATE "virbr%d"
#define NUMBERS_MAX 4096 /* more bridges than any host has */
#define NAME_MAX_BYTES 15

static void
claim_free(View *view)
{
    g_free(view);
}

static bool
claim(NetworkDriver *networks, const guchar uuid[16], const char *name)
{
    View *view = g_new0(View, 1);

    view_init(view, claim_free, uuid, name, -1);
    return registry_publish(networks->bridges, view, NULL);
}

/* A bridge of this name is on the host, made by somebody. */
static bool
exists_on_host(const char *name)
{
    g_autofree char *path = g_build_filename("/sys/class/net", name, NULL);

    return file_exists(path);
}

static bool
choose_name(NetworkDriver *networks, Network *config, GError **err)
{
    const char *template = config->bridge->name ? config->bridge->name : DEFAULT_TEMPLATE;
    const char *mark = strstr(template, "%d");

    for (int i = 0; i < NUMBERS_MAX; i++) {
        g_autofree char *name =
            g_strdup_printf("%.*s%d%s", (int)(mark - template), template, i, mark + 2);

        if (strlen(name) > NAME_MAX_BYTES || exists_on_host(name) ||
            !claim(networks, config->uuid, name))
            continue;
        g_free(config->bridge->name);
        config->bridge->name = g_steal_pointer(&name);
        return true;
    }
    return fail(err, VIR_ERR_INTERNAL_ERROR,
                "no free bridge name of the form '%s' for network '%s': give it one of at most %d "
                "bytes",
                template, config->name, NAME_MAX_BYTES);
}

bool
network_claim_bridge(NetworkDriver *networks, Network *config, GError **err)
{
    const char *name = config->bridge ? config->bridge->name : NULL;

    if (!network_is_virtual(config)) {
        registry_withdraw(networks->bridges, config->uuid);
        return true;
    }
    if (name && !strstr(name, "%d"))
        return claim(networks, config->uuid, name) ||
               fail(err, VIR_ERR_INTERNAL_ERROR,
                    "bridge name '%s' already in use: another network than '%s' has it", name,
                    config->name);
    return choose_name(networks, config, err);
}

void
network_release_bridge(NetworkDriver *networks, const guchar uuid[16])
{
    registry_withdraw(networks->bridges, uuid);
}
