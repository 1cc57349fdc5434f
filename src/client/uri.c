/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See uri.h. */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include "client/uri.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "config.h"

#define CONF_MAX (1 << 20)

void
client_target_clear(ClientTarget *target)
{
    g_free(target->driver_uri);
    g_free(target->socket_path);
    memset(target, 0, sizeof *target);
}

static bool
is_root(void)
{
    return geteuid() == 0;
}

/* ---- libvirt.conf: `uri_default = "..."` and `uri_aliases = [ "name=uri", ... ]` ---- */

/* The strings in quotes that follow `key =`, up to the end of the line or of the list. */
static char **
conf_strings(const char *text, const char *key)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *pattern =
        g_strdup_printf("^[ \\t]*%s[ \\t]*=[ \\t]*(\\[[^\\]]*\\]|\"[^\"\\n]*\"|'[^'\\n]*')", key);
    g_autoptr(GRegex) entry = g_regex_new(pattern, G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GRegex) quoted = g_regex_new("\"([^\"\\n]*)\"|'([^'\\n]*)'", 0, 0, NULL);
    g_autoptr(GMatchInfo) found = NULL;

    if (g_regex_match(entry, text, 0, &found)) {
        g_autofree char *value = g_match_info_fetch(found, 1);
        g_autoptr(GMatchInfo) each = NULL;
        for (g_regex_match(quoted, value, 0, &each); g_match_info_matches(each);
             g_match_info_next(each, NULL)) {
            g_autofree char *whole = g_match_info_fetch(each, 0);
            g_ptr_array_add(values, g_strndup(whole + 1, strlen(whole) - 2));
        }
    }
    g_ptr_array_add(values, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&values), FALSE);
}

/* "" when there is none; a file that cannot be read is as if it were not there, as for every user of the host. */
static char *
read_conf(void)
{
    g_autofree char *user =
        g_build_filename(g_get_user_config_dir(), "libvirt", "libvirt.conf", NULL);
    char *text = is_root() ? NULL : file_read(user, CONF_MAX, NULL, NULL);

    if (!text)
        text = file_read(SYSCONFDIR "/libvirt/libvirt.conf", CONF_MAX, NULL, NULL);
    return text ? text : g_strdup("");
}

static char *
resolve_alias(const char *name)
{
    g_autofree char *conf = read_conf();
    g_auto(GStrv) aliases = conf_strings(conf, "uri_aliases");

    for (char **alias = aliases; *alias; alias++) {
        char *equals = strchr(*alias, '=');
        if (equals && (gsize)(equals - *alias) == strlen(name) && g_str_has_prefix(*alias, name))
            return g_strdup(equals + 1);
    }
    return g_strdup(name);
}

static char *
default_uri(void)
{
    const char *env = g_getenv("LIBVIRT_DEFAULT_URI");
    g_autofree char *conf = NULL;
    g_auto(GStrv) given = NULL;

    if (env && *env)
        return g_strdup(env);
    conf = read_conf();
    given = conf_strings(conf, "uri_default");
    return *given ? g_strdup(*given) : NULL;
}

/* ---- sockets ---- */

static char *
socket_folder(bool is_session)
{
    if (!is_session)
        return g_strdup(RUNSTATEDIR "/libvirt");
    return g_build_filename(g_get_user_runtime_dir(), "libvirt", NULL);
}

static char *
socket_named(bool is_session, const char *daemon, const char *suffix)
{
    g_autofree char *folder = socket_folder(is_session);
    g_autofree char *name = g_strdup_printf("%s-%s", daemon, suffix);

    return g_build_filename(folder, name, NULL);
}

/* The daemon of one driver, where the drivers have daemons of their own. */
static const char *
modular_daemon(const char *driver)
{
    static const char *const table[][2] = {
        {"qemu", "virtqemud"},
        {"xen", "virtxend"},
        {"lxc", "virtlxcd"},
        {"bhyve", "virtbhyved"},
        {"vz", "virtvzd"},
        {"parallels", "virtvzd"},
        {"vbox", "virtvboxd"},
        {"ch", "virtchd"},
        {"network", "virtnetworkd"},
        {"storage", "virtstoraged"},
        {"secret", "virtsecretd"},
        {"nodedev", "virtnodedevd"},
        {"nwfilter", "virtnwfilterd"},
        {"interface", "virtinterfaced"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        if (g_strcmp0(driver, table[i][0]) == 0)
            return table[i][1];
    }
    return NULL;
}

static bool
find_socket(const char *driver, const char *mode, bool is_session, bool is_read_only,
            ClientTarget *target, GError **err)
{
    /* A user's daemon has one socket for both: who may talk to it at all may do everything. */
    const char *suffix = is_read_only && !is_session ? "sock-ro" : "sock";
    const char *modular = modular_daemon(driver);
    g_autofree char *legacy = socket_named(is_session, "libvirt", suffix);
    g_autofree char *direct = modular ? socket_named(is_session, modular, suffix) : NULL;

    if (mode && !g_str_equal(mode, "auto") && !g_str_equal(mode, "legacy") &&
        !g_str_equal(mode, "direct"))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "URI parameter mode=%s: must be auto, legacy or direct", mode);
    if (g_strcmp0(mode, "direct") == 0 && !direct)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "driver '%s' has no daemon of its own: mode=direct is not possible",
                    driver ? driver : "");
    bool prefers_direct =
        g_strcmp0(mode, "direct") == 0 ||
        (g_strcmp0(mode, "legacy") != 0 && direct && !file_exists(legacy) && file_exists(direct));
    target->socket_path = prefers_direct ? g_steal_pointer(&direct) : g_steal_pointer(&legacy);
    target->may_spawn = is_session && !prefers_direct;
    return true;
}

/* ---- URIs ---- */

/* Parameters that say how to reach the daemon; the others belong to the driver's URI. */
static bool
is_transport_param(const char *name)
{
    static const char *const names[] = {
        "name",         "command", "socket",  "auth",        "sshauth",
        "netcat",       "keyfile", "pkipath", "known_hosts", "known_hosts_verify",
        "tls_priority", "mode",    "proxy",   "no_sanity",   "no_verify",
        "no_tty",       NULL,
    };

    return g_strv_contains(names, name);
}

static char *
driver_uri(GUri *uri, const char *driver, GHashTable *params)
{
    g_autoptr(GString) out = g_string_new(NULL);
    GHashTableIter iter;
    gpointer name, value;
    char separator = '?';

    if (g_hash_table_lookup(params, "name"))
        return g_strdup(g_hash_table_lookup(params, "name"));
    g_string_printf(out, "%s://%s", driver, g_uri_get_path(uri));
    g_hash_table_iter_init(&iter, params);
    while (g_hash_table_iter_next(&iter, &name, &value)) {
        if (is_transport_param(name))
            continue;
        g_autofree char *escaped = g_uri_escape_string(value, "/", FALSE);
        g_string_append_printf(out, "%c%s=%s", separator, (char *)name, escaped);
        separator = '&';
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static bool
check_transport(const char *transport, GUri *uri, const char *text, GError **err)
{
    const char *host = g_uri_get_host(uri);

    if (!transport)
        transport = host && *host ? "tls" : "unix";
    if (g_str_equal(transport, "unix")) {
        if (host && *host && !g_str_equal(host, "localhost"))
            return fail(err, VIR_ERR_INVALID_ARG,
                        "URI '%s': the unix transport reaches this host only, not '%s'", text,
                        host);
        return true;
    }
    static const char *const known[] = {"tls", "ssh", "libssh", "libssh2", "ext", "tcp", NULL};
    if (g_strv_contains(known, transport))
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "URI '%s': the %s transport is not supported yet, only unix", text, transport);
    return fail(err, VIR_ERR_INVALID_ARG, "URI '%s': unknown transport '%s'", text, transport);
}

bool
client_target_resolve(const char *given, bool is_read_only, bool use_aliases, ClientTarget *target,
                      GError **err)
{
    g_autofree char *text = given && *given ? g_strdup(given) : default_uri();
    g_autofree char *resolved = NULL;
    g_autoptr(GUri) uri = NULL;
    g_autoptr(GError) parse_error = NULL;
    g_autoptr(GHashTable) params = NULL;

    if (!text)
        return find_socket(NULL, NULL, !is_root(), is_read_only, target, err);
    resolved = use_aliases ? resolve_alias(text) : g_strdup(text);
    uri = g_uri_parse(resolved, G_URI_FLAGS_NON_DNS | G_URI_FLAGS_PARSE_RELAXED, &parse_error);
    if (!uri)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Unable to parse URI %s", resolved);
    params = g_uri_get_query(uri) ? g_uri_parse_params(g_uri_get_query(uri), -1, "&;",
                                                       G_URI_PARAMS_NONE, &parse_error)
                                  : g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!params)
        return fail(err, VIR_ERR_INVALID_ARG, "URI '%s': %s", resolved, parse_error->message);

    g_auto(GStrv) scheme = g_strsplit(g_uri_get_scheme(uri), "+", 2);
    if (!check_transport(scheme[1], uri, resolved, err))
        return false;
    target->driver_uri = driver_uri(uri, scheme[0], params);
    bool is_session = g_str_has_suffix(g_uri_get_path(uri), "/session") ||
                      (!g_str_has_suffix(g_uri_get_path(uri), "/system") && !is_root());
    if (g_hash_table_lookup(params, "socket")) {
        target->socket_path = g_strdup(g_hash_table_lookup(params, "socket"));
        return true;
    }
    return find_socket(scheme[0], g_hash_table_lookup(params, "mode"), is_session, is_read_only,
                       target, err);
}

bool
client_target_resolve_admin(const char *given, ClientTarget *target, GError **err)
{
    const char *env = g_getenv("LIBVIRT_ADMIN_DEFAULT_URI");
    g_autofree char *text = NULL;
    g_autoptr(GUri) uri = NULL;
    g_autoptr(GHashTable) params = NULL;

    if (!given || !*given)
        given = env && *env ? env : is_root() ? "libvirtd:///system" : "libvirtd:///session";
    text = resolve_alias(given);
    uri = g_uri_parse(text, G_URI_FLAGS_NON_DNS | G_URI_FLAGS_PARSE_RELAXED, NULL);
    if (!uri)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Unable to parse URI %s", text);
    const char *daemon = g_uri_get_scheme(uri), *path = g_uri_get_path(uri);
    bool is_session = g_str_equal(path, "/session");
    if (!is_session && !g_str_equal(path, "/system"))
        return fail(err, VIR_ERR_INVALID_ARG, "admin URI '%s': path must be /system or /session",
                    text);
    target->driver_uri = g_strdup(text);
    params = g_uri_get_query(uri)
                 ? g_uri_parse_params(g_uri_get_query(uri), -1, "&", G_URI_PARAMS_NONE, NULL)
                 : NULL;
    if (params && g_hash_table_lookup(params, "socket"))
        target->socket_path = g_strdup(g_hash_table_lookup(params, "socket"));
    else
        target->socket_path = socket_named(
            is_session, g_str_equal(daemon, "libvirtd") ? "libvirt" : daemon, "admin-sock");
    return true;
}
