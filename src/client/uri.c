/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See uri.h. */
#define ERROR_DOMAIN VIR_FROM_REMOTE

#include "client/uri.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "config.h"

#define CONF_MAX (1 << 20)
#define TCP_PORT 16509
#define CONF "libvirt.conf"
#define ADMIN_CONF "libvirt-admin.conf"

void
client_target_clear(ClientTarget *target)
{
    g_free(target->uri);
    g_free(target->driver_uri);
    g_free(target->host);
    g_free(target->port);
    g_free(target->socket_path);
    g_strfreev(target->command);
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
read_conf(const char *file)
{
    g_autofree char *user = g_build_filename(g_get_user_config_dir(), "libvirt", file, NULL);
    g_autofree char *host = g_build_filename(SYSCONFDIR, "libvirt", file, NULL);
    char *text = is_root() ? NULL : file_read(user, CONF_MAX, NULL, NULL);

    if (!text)
        text = file_read(host, CONF_MAX, NULL, NULL);
    return text ? text : g_strdup("");
}

static char *
resolve_alias(const char *name, const char *file)
{
    g_autofree char *conf = read_conf(file);
    g_auto(GStrv) aliases = conf_strings(conf, "uri_aliases");

    for (char **alias = aliases; *alias; alias++) {
        char *equals = strchr(*alias, '=');
        if (equals && (gsize)(equals - *alias) == strlen(name) && g_str_has_prefix(*alias, name))
            return g_strdup(equals + 1);
    }
    return g_strdup(name);
}

static char *
default_uri(const char *variable, const char *file)
{
    const char *env = g_getenv(variable);
    g_autofree char *conf = NULL;
    g_auto(GStrv) given = NULL;

    if (env && *env)
        return g_strdup(env);
    conf = read_conf(file);
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

/* The daemons of single drivers, where the drivers have daemons of their own. Hypervisors first, in the order in which a
 * program that names none gets them. */
static const struct {
    const char *driver, *daemon;
    bool is_hypervisor;
} modular_daemons[] = {
    {"qemu", "virtqemud", true},
    {"xen", "virtxend", true},
    {"lxc", "virtlxcd", true},
    {"bhyve", "virtbhyved", true},
    {"vz", "virtvzd", true},
    {"parallels", "virtvzd", false},
    {"vbox", "virtvboxd", true},
    {"ch", "virtchd", true},
    {"network", "virtnetworkd", false},
    {"storage", "virtstoraged", false},
    {"secret", "virtsecretd", false},
    {"nodedev", "virtnodedevd", false},
    {"nwfilter", "virtnwfilterd", false},
    {"interface", "virtinterfaced", false},
};

/* Where the driver's own daemon would listen. No driver: of the first hypervisor whose daemon does. NULL: nowhere. */
static char *
find_direct_socket(const char *driver, bool is_session, const char *suffix)
{
    for (gsize i = 0; i < G_N_ELEMENTS(modular_daemons); i++) {
        g_autofree char *path = NULL;
        if (driver ? !g_str_equal(driver, modular_daemons[i].driver)
                   : !modular_daemons[i].is_hypervisor)
            continue;
        path = socket_named(is_session, modular_daemons[i].daemon, suffix);
        if (driver || file_exists(path))
            return g_steal_pointer(&path);
    }
    return NULL;
}

static bool
find_socket(const char *driver, const char *mode, bool is_session, bool is_read_only,
            ClientTarget *target, GError **err)
{
    /* A user's daemon has one socket for both: who may talk to it at all may do everything. */
    const char *suffix = is_read_only && !is_session ? "sock-ro" : "sock";
    g_autofree char *legacy = socket_named(is_session, "libvirt", suffix);
    g_autofree char *direct = find_direct_socket(driver, is_session, suffix);
    bool wants_direct = g_strcmp0(mode, "direct") == 0,
         wants_legacy = g_strcmp0(mode, "legacy") == 0;

    if (wants_direct && !direct)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "driver '%s' has no daemon of its own: mode=direct is not possible",
                    driver ? driver : "");
    if (!wants_direct && !wants_legacy)
        wants_direct = direct && !file_exists(legacy) && file_exists(direct);
    target->is_private = true;
    target->socket_path = wants_direct ? g_steal_pointer(&direct) : g_steal_pointer(&legacy);
    target->may_spawn = is_session && !wants_direct;
    return true;
}

/* ---- what is for the daemon, and what for the way to it ---- */

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

/* NULL for the scheme `remote`, which leaves the choice of the driver to the daemon. */
static char *
driver_uri(GUri *uri, const char *driver, GHashTable *params)
{
    g_autoptr(GString) out = g_string_new(NULL);
    GHashTableIter iter;
    gpointer name, value;
    char separator = '?';

    if (g_hash_table_lookup(params, "name"))
        return g_strdup(g_hash_table_lookup(params, "name"));
    if (g_str_equal(driver, "remote"))
        return NULL;
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

/* ---- programs that carry the bytes: ext, ssh ---- */

static void
add_option(GPtrArray *argv, const char *option, const char *value)
{
    if (!value || !*value)
        return;
    g_ptr_array_add(argv, g_strdup(option));
    g_ptr_array_add(argv, g_strdup(value));
}

static bool
is_set(GHashTable *params, const char *name)
{
    const char *value = g_hash_table_lookup(params, name);

    return value && !g_str_equal(value, "0");
}

/* What the far side's login shell is given; its words are quoted for it. Nothing of this host runs a shell. */
static char *
far_command(GHashTable *params, const char *driver_uri, bool is_read_only)
{
    const char *proxy = g_hash_table_lookup(params, "proxy");
    const char *socket = g_hash_table_lookup(params, "socket");
    const char *netcat = g_hash_table_lookup(params, "netcat");
    g_autofree char *default_socket =
        g_strdup_printf("/var/run/libvirt/libvirt-%s", is_read_only ? "sock-ro" : "sock");
    g_autofree char *path = g_shell_quote(socket ? socket : default_socket);
    g_autofree char *program = g_shell_quote(netcat ? netcat : "nc");
    g_autofree char *uri = g_shell_quote(driver_uri ? driver_uri : "");
    g_autofree char *through_netcat = g_strdup_printf("%s -U %s", program, path);
    g_autofree char *native =
        g_strdup_printf("virt-ssh-helper %s%s", is_read_only ? "-r " : "", uri);

    if (g_strcmp0(proxy, "native") == 0)
        return g_steal_pointer(&native);
    if (g_strcmp0(proxy, "netcat") == 0 || socket || netcat)
        return g_steal_pointer(&through_netcat);
    return g_strdup_printf(
        "if command -v virt-ssh-helper >/dev/null 2>&1; then exec %s; else exec %s; fi", native,
        through_netcat);
}

static bool
plan_ssh(GUri *uri, GHashTable *params, bool is_read_only, ClientTarget *target, GError **err)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    const char *command = g_hash_table_lookup(params, "command");
    const char *host = g_uri_get_host(uri), *proxy = g_hash_table_lookup(params, "proxy");
    g_autofree char *port =
        g_uri_get_port(uri) > 0 ? g_strdup_printf("%d", g_uri_get_port(uri)) : NULL;
    g_autofree char *known_hosts =
        g_hash_table_lookup(params, "known_hosts")
            ? g_strconcat("UserKnownHostsFile=", g_hash_table_lookup(params, "known_hosts"), NULL)
            : NULL;
    static const char *const proxies[] = {"auto", "native", "netcat", NULL};

    if (!host || !*host)
        return fail(err, VIR_ERR_INVALID_ARG, "the ssh transport needs a host in the URI");
    if (proxy && !g_strv_contains(proxies, proxy))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "URI parameter proxy=%s: must be auto, native or netcat", proxy);
    g_ptr_array_add(argv, g_strdup(command ? command : "ssh"));
    add_option(argv, "-p", port);
    add_option(argv, "-l", g_uri_get_user(uri));
    add_option(argv, "-i", g_hash_table_lookup(params, "keyfile"));
    add_option(argv, "-o", known_hosts);
    if (is_set(params, "no_tty"))
        add_option(argv, "-o", "BatchMode=yes");
    if (is_set(params, "no_verify"))
        add_option(argv, "-o", "StrictHostKeyChecking=no");
    g_ptr_array_add(argv, g_strdup("-T"));
    add_option(argv, "-e", "none");
    g_ptr_array_add(argv, g_strdup("--"));
    g_ptr_array_add(argv, g_strdup(host));
    g_ptr_array_add(argv, far_command(params, target->driver_uri, is_read_only));
    g_ptr_array_add(argv, NULL);
    target->command = (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
    target->is_private = true;
    return true;
}

static bool
plan_ext(GHashTable *params, ClientTarget *target, GError **err)
{
    const char *command = g_hash_table_lookup(params, "command");

    if (!command || !*command)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "the ext transport needs the URI parameter 'command'");
    target->command = g_new0(char *, 2);
    target->command[0] = g_strdup(command);
    return true;
}

static bool
plan_unix(GUri *uri, const char *driver, GHashTable *params, bool is_read_only,
          ClientTarget *target, GError **err)
{
    const char *host = g_uri_get_host(uri), *path = g_uri_get_path(uri);
    const char *socket = g_hash_table_lookup(params, "socket");
    bool is_session =
        g_str_has_suffix(path, "/session") || (!g_str_has_suffix(path, "/system") && !is_root());

    if (host && *host && !g_str_equal(host, "localhost"))
        return fail(err, VIR_ERR_INVALID_ARG, "the unix transport reaches this host only, not '%s'",
                    host);
    if (!socket)
        return find_socket(driver, g_hash_table_lookup(params, "mode"), is_session, is_read_only,
                           target, err);
    target->socket_path = g_strdup(socket);
    target->is_private = true;
    return true;
}

/* Plain bytes: the daemon asks for a login that protects them, unless its administrator said otherwise. */
static bool
plan_tcp(GUri *uri, ClientTarget *target)
{
    const char *host = g_uri_get_host(uri);
    int port = g_uri_get_port(uri);

    target->host = g_strdup(host && *host ? host : "localhost");
    target->port = g_strdup_printf("%d", port > 0 ? port : TCP_PORT);
    return true;
}

static bool
plan_transport(const char *transport, GUri *uri, const char *driver, GHashTable *params,
               bool is_read_only, ClientTarget *target, GError **err)
{
    static const char *const later[] = {"tls", "libssh", "libssh2", NULL};
    const char *host = g_uri_get_host(uri);

    if (!transport)
        transport = host && *host ? "tls" : "unix";
    if (g_str_equal(transport, "unix"))
        return plan_unix(uri, driver, params, is_read_only, target, err);
    if (g_str_equal(transport, "tcp"))
        return plan_tcp(uri, target);
    if (g_str_equal(transport, "ssh"))
        return plan_ssh(uri, params, is_read_only, target, err);
    if (g_str_equal(transport, "ext"))
        return plan_ext(params, target, err);
    if (g_strv_contains(later, transport))
        return fail(err, VIR_ERR_NO_SUPPORT,
                    "the %s transport: connect through unix, ssh, tcp or ext instead", transport);
    return fail(err, VIR_ERR_INVALID_ARG,
                "unknown transport '%s': must be unix, ssh, ext, tls, tcp, libssh or libssh2",
                transport);
}

/* ---- URIs ---- */

static bool
check_params(GHashTable *params, GError **err)
{
    static const char *const modes[] = {"auto", "legacy", "direct", NULL};
    static const char *const numbers[] = {"no_sanity", "no_verify", "no_tty"};
    const char *mode = g_hash_table_lookup(params, "mode");
    int number;

    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        const char *value = g_hash_table_lookup(params, numbers[i]);
        if (value && !text_to_int(value, 10, &number))
            return fail(err, VIR_ERR_INVALID_ARG, "URI parameter %s=%s: must be 0 or 1", numbers[i],
                        value);
    }
    return !mode || g_strv_contains(modes, mode) ||
           fail(err, VIR_ERR_INVALID_ARG, "URI parameter mode=%s: must be auto, legacy or direct",
                mode);
}

static GHashTable *
read_params(GUri *uri, const char *text, GError **err)
{
    g_autoptr(GError) cause = NULL;
    const char *query = g_uri_get_query(uri);
    GHashTable *params = query ? g_uri_parse_params(query, -1, "&;", G_URI_PARAMS_NONE, &cause)
                               : g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    return params ? params
                  : fail_null(err, VIR_ERR_INVALID_ARG, "URI '%s': %s", text, cause->message);
}

bool
client_target_resolve(const char *given, bool is_read_only, bool use_aliases, ClientTarget *target,
                      GError **err)
{
    g_autofree char *text =
        given && *given ? g_strdup(given) : default_uri("LIBVIRT_DEFAULT_URI", CONF);
    g_autofree char *resolved = NULL;
    g_autoptr(GUri) uri = NULL;
    g_autoptr(GHashTable) params = NULL;

    if (!text)
        return find_socket(NULL, NULL, !is_root(), is_read_only, target, err);
    resolved = use_aliases ? resolve_alias(text, CONF) : g_strdup(text);
    g_autofree char *scheme = g_uri_parse_scheme(resolved);
    if (!scheme)
        return error_set(err, VIR_FROM_NONE, VIR_ERR_NO_CONNECT,
                         "URI '%s' does not include a driver name", resolved);
    uri = g_uri_parse(resolved, G_URI_FLAGS_NON_DNS | G_URI_FLAGS_PARSE_RELAXED, NULL);
    if (!uri)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Unable to parse URI %s", resolved);
    params = read_params(uri, resolved, err);
    if (!params || !check_params(params, err))
        return false;
    g_auto(GStrv) words = g_strsplit(scheme, "+", 2);
    target->uri = g_steal_pointer(&resolved);
    target->driver_uri = driver_uri(uri, words[0], params);
    const char *driver = g_str_equal(words[0], "remote") ? NULL : words[0];
    return plan_transport(words[1], uri, driver, params, is_read_only, target, err);
}

/* Whose admin sockets there are. */
static const char *const admin_daemons[] = {
    "libvirtd",     "virtqemud",     "virtnetworkd", "virtstoraged", "virtinterfaced",
    "virtnodedevd", "virtnwfilterd", "virtsecretd",  "virtlxcd",     "virtxend",
    "virtbhyved",   "virtvzd",       "virtvboxd",    "virtchd",      "virtproxyd",
    "virtlockd",    "virtlogd",      NULL,
};

bool
client_target_resolve_admin(const char *given, ClientTarget *target, GError **err)
{
    g_autofree char *text =
        given && *given ? g_strdup(given) : default_uri("LIBVIRT_ADMIN_DEFAULT_URI", ADMIN_CONF);
    g_autofree char *resolved =
        text ? resolve_alias(text, ADMIN_CONF)
             : g_strdup(is_root() ? "libvirtd:///system" : "libvirtd:///session");
    g_autoptr(GUri) uri = NULL;
    g_autoptr(GHashTable) params = NULL;

    uri = g_uri_parse(resolved, G_URI_FLAGS_NON_DNS | G_URI_FLAGS_PARSE_RELAXED, NULL);
    if (!uri)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "Unable to parse URI %s", resolved);
    const char *daemon = g_uri_get_scheme(uri), *path = g_uri_get_path(uri);
    bool is_session = g_str_equal(path, "/session");
    if (!g_strv_contains(admin_daemons, daemon))
        return error_set(err, VIR_FROM_ADMIN, VIR_ERR_CONFIG_UNSUPPORTED,
                         "admin URI '%s': there is no daemon '%s'", resolved, daemon);
    if (!is_session && !g_str_equal(path, "/system"))
        return error_set(err, VIR_FROM_ADMIN, VIR_ERR_CONFIG_UNSUPPORTED,
                         "admin URI '%s': path must be /system or /session", resolved);
    target->driver_uri = g_strdup(resolved);
    target->is_private = true;
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
