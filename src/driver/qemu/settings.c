/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See settings.h. Syntax of the file: KEY = "text", KEY = number, KEY = [ "a", "b" ]; # begins a comment. */
#define ERROR_DOMAIN VIR_FROM_CONF

#include "driver/qemu/settings.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

enum { CONFIG_MAX_BYTES = 1 << 20 };

void
qemu_config_free(QemuConfig *config)
{
    if (!config)
        return;
    g_free(config->vnc_listen);
    g_free(config->spice_listen);
    g_free(config);
}

static bool
find_user(const char *name, uid_t *uid, gid_t *gid, GError **err)
{
    unsigned int number;
    const struct passwd *user;

    if (text_to_uint(*name == '+' ? name + 1 : name, 10, &number)) {
        *uid = number;
        return true;
    }
    user = getpwnam(name);
    if (!user)
        return fail(err, VIR_ERR_CONF_SYNTAX, "user '%s' does not exist", name);
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return true;
}

static bool
find_group(const char *name, gid_t *gid, GError **err)
{
    unsigned int number;
    const struct group *group;

    if (text_to_uint(*name == '+' ? name + 1 : name, 10, &number)) {
        *gid = number;
        return true;
    }
    group = getgrnam(name);
    if (!group)
        return fail(err, VIR_ERR_CONF_SYNTAX, "group '%s' does not exist", name);
    *gid = group->gr_gid;
    return true;
}

static bool
take_number(const char *key, const char *value, int low, int high, int *number, GError **err)
{
    if (text_to_int(value, 10, number) && *number >= low && *number <= high)
        return true;
    return fail(err, VIR_ERR_CONF_SYNTAX, "%s: '%s' is no number from %d to %d", key, value, low,
                high);
}

typedef struct {
    char *user, *group;
} OwnerWords;

static bool
take_setting(QemuConfig *config, OwnerWords *owner, const char *key, const char *value,
             GError **err)
{
    int number;

    if (!strcmp(key, "user")) {
        g_free(owner->user);
        owner->user = g_strdup(value);
    } else if (!strcmp(key, "group")) {
        g_free(owner->group);
        owner->group = g_strdup(value);
    } else if (!strcmp(key, "vnc_listen")) {
        g_free(config->vnc_listen);
        config->vnc_listen = g_strdup(value);
    } else if (!strcmp(key, "spice_listen")) {
        g_free(config->spice_listen);
        config->spice_listen = g_strdup(value);
    } else if (!strcmp(key, "remote_display_port_min")) {
        return take_number(key, value, 5900, 65535, &config->vnc_port_min, err);
    } else if (!strcmp(key, "remote_display_port_max")) {
        return take_number(key, value, 5900, 65535, &config->vnc_port_max, err);
    } else if (!strcmp(key, "remote_websocket_port_min")) {
        return take_number(key, value, 5700, 65535, &config->websocket_port_min, err);
    } else if (!strcmp(key, "remote_websocket_port_max")) {
        return take_number(key, value, 5700, 65535, &config->websocket_port_max, err);
    } else if (!strcmp(key, "seccomp_sandbox")) {
        if (!take_number(key, value, -1, 1, &number, err))
            return false;
        config->use_sandbox = number != 0;
    } else if (!strcmp(key, "snapshot_memory_map")) {
        if (!take_number(key, value, 0, 1, &number, err))
            return false;
        config->maps_memory = number != 0;
    } else {
        log_info(LOG_QEMU, "qemu.conf: %s has no effect here", key);
    }
    return true;
}

/* One line; lists may go on over several, and their lines are skipped with them, because no key that we honour is one. */
static bool
read_line(QemuConfig *config, OwnerWords *owner, char *line, bool *in_list, GError **err)
{
    char *equals, *key, *value;

    g_strstrip(line);
    if (*in_list) {
        *in_list = !strchr(line, ']');
        return true;
    }
    if (!*line || *line == '#')
        return true;
    equals = strchr(line, '=');
    if (!equals)
        return fail(err, VIR_ERR_CONF_SYNTAX, "'%s' is no setting: expected KEY = VALUE", line);
    *equals = '\0';
    key = g_strstrip(line);
    value = g_strstrip(equals + 1);
    if (*value == '[') {
        *in_list = !strchr(value, ']');
        return true;
    }
    if (*value == '"' || *value == '\'') {
        char *end = strchr(value + 1, *value);

        if (!end)
            return fail(err, VIR_ERR_CONF_SYNTAX, "%s: the closing quote is missing", key);
        *end = '\0';
        value++;
    } else {
        value[strcspn(value, " \t#")] = '\0';
    }
    return take_setting(config, owner, key, value, err);
}

static bool
read_text(QemuConfig *config, OwnerWords *owner, const char *text, const char *path, GError **err)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool in_list = false;

    for (gsize i = 0; lines[i]; i++)
        if (!read_line(config, owner, lines[i], &in_list, err)) {
            g_prefix_error(err, "%s:%zu: ", path, i + 1);
            return false;
        }
    return true;
}

static bool
settle_owner(QemuConfig *config, const OwnerWords *owner, GError **err)
{
    config->uid = geteuid();
    config->gid = getegid();
    if (owner->user && !find_user(owner->user, &config->uid, &config->gid, err))
        return false;
    if (owner->group && !find_group(owner->group, &config->gid, err))
        return false;
    config->has_owner = config->uid != geteuid() || config->gid != getegid();
    return true;
}

QemuConfig *
qemu_config_load(const char *path, bool is_system, GError **err)
{
    g_autoptr(QemuConfig) config = g_new0(QemuConfig, 1);
    OwnerWords owner = {0};
    g_autofree char *text = NULL;
    bool ok = true;

    config->vnc_listen = g_strdup("127.0.0.1");
    config->spice_listen = g_strdup("127.0.0.1");
    config->vnc_port_min = 5900;
    config->vnc_port_max = 65535;
    config->websocket_port_min = 5700;
    config->websocket_port_max = 65535;
    config->use_sandbox = true;
    config->maps_memory = true;
    config->max_stopped_ms = 500;
    if (file_exists(path)) {
        text = file_read(path, CONFIG_MAX_BYTES, NULL, err);
        ok = text && read_text(config, &owner, text, path, err);
    }
    /* A user's daemon runs its emulators as that user. */
    ok = ok && settle_owner(config, is_system ? &owner : &(OwnerWords){0}, err);
    g_free(owner.user);
    g_free(owner.group);
    return ok ? g_steal_pointer(&config) : NULL;
}
