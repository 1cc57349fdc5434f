/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See settings.h. The keys are upstream's. What this daemon cannot do yet and a file asks for is an error, never ignored. */
#define ERROR_DOMAIN VIR_FROM_CONF

#include "server/settings.h"

#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "config.h"
#include "server/conf.h"

#define FILE_BYTES_MAX (1024 * 1024)
#define MANY 1000000

DaemonConfig *
daemon_config_new(bool is_system)
{
    DaemonConfig *config = g_new0(DaemonConfig, 1);

    config->is_system = is_system;
    if (is_system) {
        config->config_dir = g_strdup(SYSCONFDIR "/libvirt");
        config->state_dir = g_strdup(RUNSTATEDIR "/libvirt");
        config->lib_dir = g_strdup(LOCALSTATEDIR "/lib/libvirt");
        config->cache_dir = g_strdup(LOCALSTATEDIR "/cache/libvirt");
        config->log_dir = g_strdup(LOCALSTATEDIR "/log/libvirt");
    } else {
        config->config_dir = g_build_filename(g_get_user_config_dir(), "libvirt", NULL);
        config->state_dir = g_build_filename(g_get_user_runtime_dir(), "libvirt", NULL);
        config->lib_dir = g_build_filename(g_get_user_config_dir(), "libvirt", NULL);
        config->cache_dir = g_build_filename(g_get_user_cache_dir(), "libvirt", NULL);
        config->log_dir = g_build_filename(g_get_user_cache_dir(), "libvirt", NULL);
    }
    config->socket_dir = g_strdup(config->state_dir);
    config->rw_mode = 0700;
    config->ro_mode = 0777;
    config->admin_mode = 0700;
    config->server = (ServerLimits){5000, 1000, 20, 5, 5, 5};
    config->admin = (ServerLimits){5000, 20, 20, 5, 5, 5};
    config->min_workers = 5;
    config->max_workers = 20;
    config->log_level = 3;
    return config;
}

void
daemon_config_free(DaemonConfig *config)
{
    if (!config)
        return;
    g_free(config->config_dir);
    g_free(config->state_dir);
    g_free(config->lib_dir);
    g_free(config->cache_dir);
    g_free(config->log_dir);
    g_free(config->socket_dir);
    g_free(config->log_filters);
    g_free(config->log_outputs);
    g_free(config->host_uuid);
    g_free(config);
}

static bool
read_guint(Conf *conf, const char *key, guint low, guint *value, GError **err)
{
    long long number = *value;

    if (!conf_get_number(conf, key, low, MANY, &number, err))
        return false;
    *value = (guint)number;
    return true;
}

static bool
read_limits(Conf *conf, const char *prefix, ServerLimits *limits, GError **err)
{
    g_autofree char *clients = g_strconcat(prefix, "max_clients", NULL);
    g_autofree char *queued = g_strconcat(prefix, "max_queued_clients", NULL);
    g_autofree char *requests = g_strconcat(prefix, "max_client_requests", NULL);
    g_autofree char *interval = g_strconcat(prefix, "keepalive_interval", NULL);
    g_autofree char *count = g_strconcat(prefix, "keepalive_count", NULL);
    long long interval_s = limits->keepalive_interval_s;

    if (!read_guint(conf, clients, 1, &limits->max_clients, err) ||
        !read_guint(conf, queued, 1, &limits->max_queued_clients, err) ||
        !read_guint(conf, requests, 1, &limits->max_client_requests, err) ||
        !conf_get_number(conf, interval, -1, MANY, &interval_s, err) ||
        !read_guint(conf, count, 0, &limits->keepalive_count, err))
        return false;
    limits->keepalive_interval_s = (int)interval_s;
    return true;
}

/* File modes are octal numbers in quotes. */
static bool
read_mode(Conf *conf, const char *key, mode_t *mode, GError **err)
{
    const ConfEntry *entry = conf_find(conf, key);
    guint64 value;

    if (!entry)
        return true;
    if (entry->type != CONF_STRING ||
        !g_ascii_string_to_unsigned(entry->string, 8, 0, 0777, &value, NULL))
        return conf_fail(conf, entry, err, "expected an octal mode in quotes, such as \"0770\"");
    *mode = (mode_t)value;
    return true;
}

static bool
read_group(Conf *conf, DaemonConfig *config, GError **err)
{
    const ConfEntry *entry = conf_find(conf, "unix_sock_group");
    const struct group *group;

    if (!entry)
        return true;
    if (entry->type != CONF_STRING)
        return conf_fail(conf, entry, err, "expected the name of a group in quotes");
    if (!config->is_system)
        return conf_fail(conf, entry, err, "only root's daemon can give its sockets to a group");
    group = getgrnam(entry->string);
    if (!group)
        return conf_fail(conf, entry, err, "there is no group '%s': create it or name another",
                         entry->string);
    config->has_socket_group = true;
    config->socket_group = group->gr_gid;
    if (!conf_find(conf, "unix_sock_rw_perms"))
        config->rw_mode = 0770;
    return true;
}

/* What would open the door wider or narrower than we can: refuse it, so that nobody relies on it. */
static bool
refuse_unsupported(Conf *conf, GError **err)
{
    static const char *const auth_keys[] = {"auth_unix_rw", "auth_unix_ro", "auth_tcp", "auth_tls"};
    const ConfEntry *entry;

    for (gsize i = 0; i < G_N_ELEMENTS(auth_keys); i++) {
        entry = conf_find(conf, auth_keys[i]);
        if (entry && (entry->type != CONF_STRING || strcmp(entry->string, "none") != 0))
            return conf_fail(conf, entry, err,
                             "this daemon knows only \"none\": the sockets' modes and group decide "
                             "who may connect");
    }
    entry = conf_find(conf, "access_drivers");
    if (entry && !(entry->type == CONF_LIST && !entry->list[0]))
        return conf_fail(conf, entry, err, "this daemon has no access drivers: remove the line");
    entry = conf_find(conf, "listen_tcp");
    if (entry && entry->number != 0)
        return conf_fail(conf, entry, err, "this daemon listens on UNIX sockets only: set it to 0");
    return true;
}

/* A UUID that one cannot take for a placeholder of the firmware's maker: not all digits alike. */
static bool
uuid_is_telling(const char *text)
{
    guchar uuid[UUID_BYTES];

    if (!text || !uuid_parse(text, uuid))
        return false;
    for (gsize i = 1; i < UUID_BYTES; i++) {
        if (uuid[i] != uuid[0])
            return true;
    }
    return false;
}

static char *
read_uuid_file(const char *path)
{
    g_autofree char *text = file_read(path, 256, NULL, NULL);
    guchar uuid[UUID_BYTES];
    char formatted[UUID_TEXT];

    if (!text || !uuid_is_telling(g_strstrip(text)) || !uuid_parse(text, uuid))
        return NULL;
    uuid_format(uuid, formatted);
    return g_strdup(formatted);
}

void
daemon_config_find_host_uuid(DaemonConfig *config)
{
    char formatted[UUID_TEXT];
    guchar uuid[UUID_BYTES];

    if (!config->host_uuid && !config->uuid_from_machine_id)
        config->host_uuid = read_uuid_file("/sys/class/dmi/id/product_uuid");
    if (!config->host_uuid)
        config->host_uuid = read_uuid_file("/etc/machine-id");
    if (config->host_uuid)
        return;
    uuid_generate(uuid);
    uuid_format(uuid, formatted);
    config->host_uuid = g_strdup(formatted);
    log_warning(
        LOG_SERVER,
        "this host has no UUID, using %s until the daemon ends: set host_uuid in libvirtd.conf",
        formatted);
}

static bool
read_host_uuid(Conf *conf, DaemonConfig *config, GError **err)
{
    const ConfEntry *entry = conf_find(conf, "host_uuid");
    const ConfEntry *source = conf_find(conf, "host_uuid_source");
    g_autofree char *source_name = NULL;

    if (!conf_get_string(conf, "host_uuid", &config->host_uuid, err) ||
        !conf_get_string(conf, "host_uuid_source", &source_name, err))
        return false;
    if (entry && !uuid_is_telling(config->host_uuid))
        return conf_fail(conf, entry, err, "'%s' is no UUID of a host", config->host_uuid);
    if (source_name && strcmp(source_name, "smbios") != 0 && strcmp(source_name, "machine-id") != 0)
        return conf_fail(conf, source, err, "expected \"smbios\" or \"machine-id\"");
    config->uuid_from_machine_id = source_name && strcmp(source_name, "machine-id") == 0;
    return true;
}

/* Keys of upstream that have no effect here, and need none. */
static void
pass_over(Conf *conf)
{
    static const char *const keys[] = {
        "listen_tls",
        "tls_port",
        "tcp_port",
        "listen_addr",
        "tcp_min_ssf",
        "key_file",
        "cert_file",
        "ca_file",
        "crl_file",
        "tls_no_verify_certificate",
        "tls_no_sanity_certificate",
        "tls_allowed_dn_list",
        "tls_priority",
        "sasl_allowed_username_list",
        "prio_workers",
        "admin_min_workers",
        "admin_max_workers",
        "audit_level",
        "audit_logging",
        "keepalive_required",
        "admin_keepalive_required",
        "ovs_timeout",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        conf_find(conf, keys[i]);
    for (guint i = 0; i < conf->entries->len; i++) {
        const ConfEntry *entry = conf->entries->pdata[i];

        if (!entry->is_known)
            log_warning(LOG_SERVER, "%s:%u: unknown key %s, ignored", conf->path, entry->line,
                        entry->key);
    }
}

bool
daemon_config_parse(DaemonConfig *config, const char *path, const char *text, gsize len,
                    GError **err)
{
    g_autoptr(Conf) conf = conf_parse(path, text, len, err);
    long long log_level = config->log_level;

    if (!conf || !refuse_unsupported(conf, err) || !read_limits(conf, "", &config->server, err) ||
        !read_limits(conf, "admin_", &config->admin, err) ||
        !read_guint(conf, "max_anonymous_clients", 1, &config->server.max_anonymous_clients, err) ||
        !read_guint(conf, "min_workers", 0, &config->min_workers, err) ||
        !read_guint(conf, "max_workers", 1, &config->max_workers, err) ||
        !read_mode(conf, "unix_sock_rw_perms", &config->rw_mode, err) ||
        !read_mode(conf, "unix_sock_ro_perms", &config->ro_mode, err) ||
        !read_mode(conf, "unix_sock_admin_perms", &config->admin_mode, err) ||
        !read_group(conf, config, err) ||
        !conf_get_string(conf, "unix_sock_dir", &config->socket_dir, err) ||
        !conf_get_number(conf, "log_level", 0, 4, &log_level, err) ||
        !conf_get_string(conf, "log_filters", &config->log_filters, err) ||
        !conf_get_string(conf, "log_outputs", &config->log_outputs, err) ||
        !read_host_uuid(conf, config, err))
        return false;
    if (config->min_workers > config->max_workers)
        return fail(err, VIR_ERR_CONF_SYNTAX, "%s: min_workers %u is above max_workers %u", path,
                    config->min_workers, config->max_workers);
    config->log_level = log_level ? (int)log_level : 3;
    pass_over(conf);
    return true;
}

bool
daemon_config_load(DaemonConfig *config, const char *path, GError **err)
{
    gsize len = 0;
    g_autofree char *text = file_read(path, FILE_BYTES_MAX, &len, err);

    return text && daemon_config_parse(config, path, text, len, err);
}

bool
daemon_config_apply_log(const DaemonConfig *config, GError **err)
{
    return log_set_level(config->log_level, err) &&
           log_set_filters(config->log_filters ? config->log_filters : "", err) &&
           (!config->log_outputs || log_set_outputs(config->log_outputs, err));
}
