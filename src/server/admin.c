/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administration program: which servers and clients there are, limits, logging, and how to hang up on somebody. Handlers
 * run on the loop's thread, which owns all of that; what must look up names of users goes to a worker. */
#define ERROR_DOMAIN VIR_FROM_ADMIN

#include <grp.h>
#include <libvirt/libvirt-admin.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "config.h"
#include "object/params.h"
#include "server/dispatch.h"

/* The two programs describe typed parameters by the same words, so one builder serves both. */
G_STATIC_ASSERT(sizeof(AdminTypedParam) == sizeof(RemoteTypedParam));
G_STATIC_ASSERT(G_STRUCT_OFFSET(AdminTypedParam, value) ==
                G_STRUCT_OFFSET(RemoteTypedParam, value));
G_STATIC_ASSERT(G_STRUCT_OFFSET(AdminTypedParamValue, u) ==
                G_STRUCT_OFFSET(RemoteTypedParamValue, u));

#define move_params(list, field)               \
    do {                                       \
        (field).count = (list)->count;         \
        (field).items = (void *)(list)->items; \
        (list)->items = NULL;                  \
        (list)->count = (list)->space = 0;     \
    } while (0)

static Daemon *
daemon_of(ServerCall *call)
{
    return call->client->server->daemon;
}

static bool
check_no_flags(guint32 flags, GError **err)
{
    return !flags || fail(err, VIR_ERR_INVALID_ARG, "unsupported flags (0x%x)", flags);
}

static bool
admin_connect_open(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminConnectOpenArgs *args = args_;

    if (!check_no_flags(args->flags, err))
        return false;
    if (call->client->is_open)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "the connection is open already");
    client_set_open(call->client, NULL);
    return true;
}

static bool
admin_connect_get_lib_version(ServerCall *call, const void *args, void *ret_, GError **err)
{
    AdminConnectGetLibVersionRet *ret = ret_;

    ret->libVer = LIBVIR_VERSION_NUMBER;
    return true;
}

/* Servers ----------------------------------------------------------------------------------------------------------- */

static bool
admin_connect_list_servers(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminConnectListServersArgs *args = args_;
    AdminConnectListServersRet *ret = ret_;
    const GPtrArray *servers = daemon_of(call)->servers;

    if (!check_no_flags(args->flags, err))
        return false;
    ret->ret = servers->len;
    if (!args->need_results)
        return true;
    ret->servers.count = servers->len;
    ret->servers.items = g_new0(AdminNonnullServer, servers->len);
    for (guint i = 0; i < servers->len; i++)
        ret->servers.items[i].name = g_strdup(((const Server *)servers->pdata[i])->name);
    return true;
}

static bool
admin_connect_lookup_server(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminConnectLookupServerArgs *args = args_;
    AdminConnectLookupServerRet *ret = ret_;
    const Server *server = daemon_find_server(daemon_of(call), args->name, err);

    if (!server || !check_no_flags(args->flags, err))
        return false;
    ret->srv.name = g_strdup(server->name);
    return true;
}

/* All workers serve the users' server; administration needs none. */
static bool
admin_server_get_threadpool_parameters(ServerCall *call, const void *args_, void *ret_,
                                       GError **err)
{
    const AdminServerGetThreadpoolParametersArgs *args = args_;
    AdminServerGetThreadpoolParametersRet *ret = ret_;
    const Server *server = daemon_find_server(daemon_of(call), args->srv.name, err);
    g_auto(ParamList) list = PARAM_LIST_INIT;
    PoolCounts counts = {0};

    if (!server || !check_no_flags(args->flags, err))
        return false;
    if (!server->is_admin)
        counts = pool_counts(daemon_of(call)->host.pool);
    params_add_uint(&list, VIR_THREADPOOL_WORKERS_MIN, counts.min);
    params_add_uint(&list, VIR_THREADPOOL_WORKERS_MAX, counts.max);
    params_add_uint(&list, VIR_THREADPOOL_WORKERS_FREE, counts.idle);
    params_add_uint(&list, VIR_THREADPOOL_WORKERS_CURRENT, counts.threads);
    params_add_uint(&list, VIR_THREADPOOL_WORKERS_PRIORITY, 0);
    params_add_uint(&list, VIR_THREADPOOL_JOB_QUEUE_DEPTH, counts.queued);
    move_params(&list, ret->params);
    return true;
}

static bool
admin_server_set_threadpool_parameters(ServerCall *call, const void *args_, void *ret, GError **err)
{
    static const ParamRule rules[] = {
        {VIR_THREADPOOL_WORKERS_MIN, VIR_TYPED_PARAM_UINT, false},
        {VIR_THREADPOOL_WORKERS_MAX, VIR_TYPED_PARAM_UINT, false},
        {VIR_THREADPOOL_WORKERS_PRIORITY, VIR_TYPED_PARAM_UINT, false},
        {NULL, 0, false},
    };
    const AdminServerSetThreadpoolParametersArgs *args = args_;
    const RemoteTypedParam *items = (const void *)args->params.items;
    const Server *server = daemon_find_server(daemon_of(call), args->srv.name, err);
    Pool *pool = daemon_of(call)->host.pool;
    PoolCounts counts = pool_counts(pool);
    unsigned int n_priority = 0;

    if (!server || !check_no_flags(args->flags, err) ||
        !params_check(items, args->params.count, rules, err) ||
        params_get_uint(items, args->params.count, VIR_THREADPOOL_WORKERS_MIN, &counts.min, err) <
            0 ||
        params_get_uint(items, args->params.count, VIR_THREADPOOL_WORKERS_MAX, &counts.max, err) <
            0 ||
        params_get_uint(items, args->params.count, VIR_THREADPOOL_WORKERS_PRIORITY, &n_priority,
                        err) < 0)
        return false;
    if (server->is_admin)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "server '%s' has no workers", server->name);
    if (n_priority)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "there are no priority workers: calls that never wait need no worker at all");
    return pool_set_limits(pool, counts.min, counts.max, err);
}

static bool
admin_server_get_client_limits(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminServerGetClientLimitsArgs *args = args_;
    AdminServerGetClientLimitsRet *ret = ret_;
    const Server *server = daemon_find_server(daemon_of(call), args->srv.name, err);
    g_auto(ParamList) list = PARAM_LIST_INIT;

    if (!server || !check_no_flags(args->flags, err))
        return false;
    params_add_uint(&list, VIR_SERVER_CLIENTS_MAX, server->limits.max_clients);
    params_add_uint(&list, VIR_SERVER_CLIENTS_CURRENT, g_hash_table_size(server->clients));
    params_add_uint(&list, VIR_SERVER_CLIENTS_UNAUTH_MAX, server->limits.max_anonymous_clients);
    params_add_uint(&list, VIR_SERVER_CLIENTS_UNAUTH_CURRENT, server->n_unopened);
    move_params(&list, ret->params);
    return true;
}

static bool
admin_server_set_client_limits(ServerCall *call, const void *args_, void *ret, GError **err)
{
    static const ParamRule rules[] = {
        {VIR_SERVER_CLIENTS_MAX, VIR_TYPED_PARAM_UINT, false},
        {VIR_SERVER_CLIENTS_UNAUTH_MAX, VIR_TYPED_PARAM_UINT, false},
        {NULL, 0, false},
    };
    const AdminServerSetClientLimitsArgs *args = args_;
    const RemoteTypedParam *items = (const void *)args->params.items;
    Server *server = daemon_find_server(daemon_of(call), args->srv.name, err);
    unsigned int max, max_unopened;

    if (!server || !check_no_flags(args->flags, err) ||
        !params_check(items, args->params.count, rules, err))
        return false;
    max = server->limits.max_clients;
    max_unopened = server->limits.max_anonymous_clients;
    if (params_get_uint(items, args->params.count, VIR_SERVER_CLIENTS_MAX, &max, err) < 0 ||
        params_get_uint(items, args->params.count, VIR_SERVER_CLIENTS_UNAUTH_MAX, &max_unopened,
                        err) < 0)
        return false;
    if (max == 0 || max_unopened == 0 || max_unopened > max)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "%u clients, %u of them not open: both must be above 0, and the second not "
                    "above the first",
                    max, max_unopened);
    server_set_limits(server, max, max_unopened);
    return true;
}

static bool
admin_server_update_tls_files(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminServerUpdateTlsFilesArgs *args = args_;
    const Server *server = daemon_find_server(daemon_of(call), args->srv.name, err);

    return server && check_no_flags(args->flags, err) &&
           fail(err, VIR_ERR_OPERATION_UNSUPPORTED, "server '%s' has no TLS sockets", server->name);
}

/* Clients ----------------------------------------------------------------------------------------------------------- */

static int
compare_ids(gconstpointer a, gconstpointer b)
{
    const Client *left = *(Client *const *)a, *right = *(Client *const *)b;

    return left->id < right->id ? -1 : left->id > right->id;
}

static void
describe_client(const Client *client, AdminNonnullClient *wire)
{
    wire->srv.name = g_strdup(client->server->name);
    wire->id = client->id;
    wire->timestamp = client->connected_at_s;
    wire->transport = VIR_CLIENT_TRANS_UNIX;
}

static bool
admin_server_list_clients(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminServerListClientsArgs *args = args_;
    AdminServerListClientsRet *ret = ret_;
    const Server *server = daemon_find_server(daemon_of(call), args->srv.name, err);
    g_autoptr(GPtrArray) clients = NULL;
    GHashTableIter iter;
    void *client;

    if (!server || !check_no_flags(args->flags, err))
        return false;
    ret->ret = g_hash_table_size(server->clients);
    if (!args->need_results)
        return true;
    clients = g_ptr_array_sized_new(ret->ret);
    g_hash_table_iter_init(&iter, server->clients);
    while (g_hash_table_iter_next(&iter, NULL, &client))
        g_ptr_array_add(clients, client);
    g_ptr_array_sort(clients, compare_ids);
    ret->clients.count = clients->len;
    ret->clients.items = g_new0(AdminNonnullClient, clients->len);
    for (guint i = 0; i < clients->len; i++)
        describe_client(clients->pdata[i], &ret->clients.items[i]);
    return true;
}

static Client *
find_client(ServerCall *call, const char *server_name, guint64 id, GError **err)
{
    const Server *server = daemon_find_server(daemon_of(call), server_name, err);
    Client *client = server ? g_hash_table_lookup(server->clients, &id) : NULL;

    if (server && !client)
        fail(err, VIR_ERR_NO_CLIENT, "server '%s' has no client with ID %" G_GUINT64_FORMAT,
             server_name, id);
    return client;
}

static bool
admin_server_lookup_client(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminServerLookupClientArgs *args = args_;
    AdminServerLookupClientRet *ret = ret_;
    const Client *client = find_client(call, args->srv.name, args->id, err);

    if (!client || !check_no_flags(args->flags, err))
        return false;
    describe_client(client, &ret->clnt);
    return true;
}

typedef struct {
    Call *call;
    CallIdentity identity;
    bool is_read_only;
} ClientFacts;

/* On a worker: names of users and groups may come over a network. */
static void
answer_client_info(void *opaque)
{
    g_autofree ClientFacts *facts = opaque;
    AdminClientGetInfoRet *ret = facts->call->ret;
    g_auto(ParamList) list = PARAM_LIST_INIT;
    char buffer[16384];
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;

    params_add_boolean(&list, VIR_CLIENT_INFO_READONLY, facts->is_read_only);
    if (facts->identity.is_known) {
        params_add_int(&list, VIR_CLIENT_INFO_UNIX_USER_ID, (int)facts->identity.uid);
        if (getpwuid_r(facts->identity.uid, &user, buffer, sizeof buffer, &found_user) == 0 &&
            found_user)
            params_add_string(&list, VIR_CLIENT_INFO_UNIX_USER_NAME, user.pw_name);
        params_add_int(&list, VIR_CLIENT_INFO_UNIX_GROUP_ID, (int)facts->identity.gid);
        if (getgrgid_r(facts->identity.gid, &group, buffer, sizeof buffer, &found_group) == 0 &&
            found_group)
            params_add_string(&list, VIR_CLIENT_INFO_UNIX_GROUP_NAME, group.gr_name);
        params_add_int(&list, VIR_CLIENT_INFO_UNIX_PROCESS_ID, (int)facts->identity.pid);
    }
    move_params(&list, ret->params);
    call_finish(facts->call, NULL);
}

static bool
admin_client_get_info(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminClientGetInfoArgs *args = args_;
    const Client *client = find_client(call, args->clnt.srv.name, args->clnt.id, err);
    ClientFacts *facts;

    if (!client || !check_no_flags(args->flags, err))
        return false;
    facts = g_new(ClientFacts, 1);
    *facts = (ClientFacts){&call->call, client->identity, client->is_read_only};
    call_defer(&call->call);
    pool_run(daemon_of(call)->host.pool, answer_client_info, facts);
    return true;
}

static bool
admin_client_close(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminClientCloseArgs *args = args_;
    Client *client = find_client(call, args->clnt.srv.name, args->clnt.id, err);

    if (!client || !check_no_flags(args->flags, err))
        return false;
    client_close(client);
    return true;
}

/* The daemon -------------------------------------------------------------------------------------------------------- */

static guint32
count_words(const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \t\n", -1);
    guint32 count = 0;

    for (char **word = words; *word; word++)
        count += **word != '\0';
    return count;
}

static bool
admin_connect_get_logging_outputs(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminConnectGetLoggingOutputsArgs *args = args_;
    AdminConnectGetLoggingOutputsRet *ret = ret_;

    if (!check_no_flags(args->flags, err))
        return false;
    ret->outputs = log_get_outputs();
    ret->noutputs = count_words(ret->outputs);
    return true;
}

static bool
admin_connect_get_logging_filters(ServerCall *call, const void *args_, void *ret_, GError **err)
{
    const AdminConnectGetLoggingFiltersArgs *args = args_;
    AdminConnectGetLoggingFiltersRet *ret = ret_;
    g_autofree char *filters = log_get_filters();

    if (!check_no_flags(args->flags, err))
        return false;
    ret->nfilters = count_words(filters);
    if (ret->nfilters)
        ret->filters = g_steal_pointer(&filters);
    return true;
}

static bool
admin_connect_set_logging_outputs(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminConnectSetLoggingOutputsArgs *args = args_;

    return check_no_flags(args->flags, err) &&
           log_set_outputs(args->outputs ? args->outputs : "", err);
}

static bool
admin_connect_set_logging_filters(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminConnectSetLoggingFiltersArgs *args = args_;

    return check_no_flags(args->flags, err) &&
           log_set_filters(args->filters ? args->filters : "", err);
}

static bool
admin_connect_set_daemon_timeout(ServerCall *call, const void *args_, void *ret, GError **err)
{
    const AdminConnectSetDaemonTimeoutArgs *args = args_;

    if (!check_no_flags(args->flags, err))
        return false;
    daemon_set_idle_timeout(daemon_of(call), args->timeout);
    return true;
}

const ServerHandler admin_handlers[API_N_PROCS] = {
    [API_ADMIN_CONNECT_OPEN] = admin_connect_open,
    [API_ADMIN_CONNECT_GET_LIB_VERSION] = admin_connect_get_lib_version,
    [API_ADMIN_CONNECT_LIST_SERVERS] = admin_connect_list_servers,
    [API_ADMIN_CONNECT_LOOKUP_SERVER] = admin_connect_lookup_server,
    [API_ADMIN_SERVER_GET_THREADPOOL_PARAMETERS] = admin_server_get_threadpool_parameters,
    [API_ADMIN_SERVER_SET_THREADPOOL_PARAMETERS] = admin_server_set_threadpool_parameters,
    [API_ADMIN_SERVER_LIST_CLIENTS] = admin_server_list_clients,
    [API_ADMIN_SERVER_LOOKUP_CLIENT] = admin_server_lookup_client,
    [API_ADMIN_CLIENT_GET_INFO] = admin_client_get_info,
    [API_ADMIN_CLIENT_CLOSE] = admin_client_close,
    [API_ADMIN_SERVER_GET_CLIENT_LIMITS] = admin_server_get_client_limits,
    [API_ADMIN_SERVER_SET_CLIENT_LIMITS] = admin_server_set_client_limits,
    [API_ADMIN_CONNECT_GET_LOGGING_OUTPUTS] = admin_connect_get_logging_outputs,
    [API_ADMIN_CONNECT_GET_LOGGING_FILTERS] = admin_connect_get_logging_filters,
    [API_ADMIN_CONNECT_SET_LOGGING_OUTPUTS] = admin_connect_set_logging_outputs,
    [API_ADMIN_CONNECT_SET_LOGGING_FILTERS] = admin_connect_set_logging_filters,
    [API_ADMIN_SERVER_UPDATE_TLS_FILES] = admin_server_update_tls_files,
    [API_ADMIN_CONNECT_SET_DAEMON_TIMEOUT] = admin_connect_set_daemon_timeout,
};
