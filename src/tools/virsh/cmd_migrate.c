/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Migration: one call with many parameters, and the small ones that steer it while it runs. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/job.h"
#include "tools/virsh/output.h"

static const FlagBit migrate_bits[] = {
    {"live", VIR_MIGRATE_LIVE},
    {"offline", VIR_MIGRATE_OFFLINE},
    {"p2p", VIR_MIGRATE_PEER2PEER},
    {"tunnelled", VIR_MIGRATE_TUNNELLED},
    {"persistent", VIR_MIGRATE_PERSIST_DEST},
    {"undefinesource", VIR_MIGRATE_UNDEFINE_SOURCE},
    {"suspend", VIR_MIGRATE_PAUSED},
    {"copy-storage-all", VIR_MIGRATE_NON_SHARED_DISK},
    {"copy-storage-inc", VIR_MIGRATE_NON_SHARED_INC},
    {"copy-storage-synchronous-writes", VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES},
    {"change-protection", VIR_MIGRATE_CHANGE_PROTECTION},
    {"unsafe", VIR_MIGRATE_UNSAFE},
    {"compressed", VIR_MIGRATE_COMPRESSED},
    {"auto-converge", VIR_MIGRATE_AUTO_CONVERGE},
    {"rdma-pin-all", VIR_MIGRATE_RDMA_PIN_ALL},
    {"abort-on-error", VIR_MIGRATE_ABORT_ON_ERROR},
    {"postcopy", VIR_MIGRATE_POSTCOPY},
    {"postcopy-after-precopy", VIR_MIGRATE_POSTCOPY},
    {"postcopy-resume", VIR_MIGRATE_POSTCOPY_RESUME},
    {"zerocopy", VIR_MIGRATE_ZEROCOPY},
    {"tls", VIR_MIGRATE_TLS},
    {"parallel", VIR_MIGRATE_PARALLEL},
};

typedef enum { PARAM_TEXT, PARAM_LIST, PARAM_FILE, PARAM_INT, PARAM_ULLONG } ParamKind;

static const struct {
    const char *option, *field;
    ParamKind kind;
} migrate_params[] = {
    {"migrateuri", VIR_MIGRATE_PARAM_URI, PARAM_TEXT},
    {"graphicsuri", VIR_MIGRATE_PARAM_GRAPHICS_URI, PARAM_TEXT},
    {"listen-address", VIR_MIGRATE_PARAM_LISTEN_ADDRESS, PARAM_TEXT},
    {"dname", VIR_MIGRATE_PARAM_DEST_NAME, PARAM_TEXT},
    {"xml", VIR_MIGRATE_PARAM_DEST_XML, PARAM_FILE},
    {"persistent-xml", VIR_MIGRATE_PARAM_PERSIST_XML, PARAM_FILE},
    {"migrate-disks", VIR_MIGRATE_PARAM_MIGRATE_DISKS, PARAM_LIST},
    {"disks-port", VIR_MIGRATE_PARAM_DISKS_PORT, PARAM_INT},
    {"disks-uri", VIR_MIGRATE_PARAM_DISKS_URI, PARAM_TEXT},
    {"comp-methods", VIR_MIGRATE_PARAM_COMPRESSION, PARAM_LIST},
    {"comp-mt-level", VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL, PARAM_INT},
    {"comp-mt-threads", VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS, PARAM_INT},
    {"comp-mt-dthreads", VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS, PARAM_INT},
    {"comp-xbzrle-cache", VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE, PARAM_ULLONG},
    {"auto-converge-initial", VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, PARAM_INT},
    {"auto-converge-increment", VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, PARAM_INT},
    {"postcopy-bandwidth", VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, PARAM_ULLONG},
    {"parallel-connections", VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, PARAM_INT},
    {"bandwidth", VIR_MIGRATE_PARAM_BANDWIDTH, PARAM_ULLONG},
    {"tls-destination", VIR_MIGRATE_PARAM_TLS_DESTINATION, PARAM_TEXT},
};

typedef struct {
    virTypedParameterPtr params;
    int n, room;
    unsigned int flags;
    const char *uri;
    virConnectPtr target; /* NULL: the source's daemon connects itself (--p2p, --direct) */
} Migration;

static bool
add_param(Shell *shell, const Args *args, gsize i, Migration *migration)
{
    const char *option = migrate_params[i].option, *field = migrate_params[i].field;
    const char *text = args_text(args, option);
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);
    g_autofree char *file = NULL;
    unsigned long long wide = 0;
    int number = 0;

    if (!text)
        return true;
    switch (migrate_params[i].kind) {
    case PARAM_FILE:
        file = args_file(shell, args, option);
        text = file;
        if (!file)
            return false;
        G_GNUC_FALLTHROUGH;
    case PARAM_TEXT:
        return virTypedParamsAddString(&migration->params, &migration->n, &migration->room, field,
                                       text) >= 0;
    case PARAM_LIST:
        return virTypedParamsAddStringList(&migration->params, &migration->n, &migration->room,
                                           field, (const char **)words) >= 0;
    case PARAM_INT:
        return args_int(shell, args, option, &number) &&
               virTypedParamsAddInt(&migration->params, &migration->n, &migration->room, field,
                                    number) >= 0;
    default:
        return args_ullong(shell, args, option, &wide) &&
               virTypedParamsAddULLong(&migration->params, &migration->n, &migration->room, field,
                                       wide) >= 0;
    }
}

static int
migrate_now(virDomainPtr domain, void *opaque)
{
    const Migration *migration = opaque;
    unsigned int flags = migration->flags;

    if (!migration->target)
        return virDomainMigrateToURI3(domain, migration->uri, migration->params, migration->n,
                                      flags);
    virDomainPtr arrived =
        virDomainMigrate3(domain, migration->target, migration->params, migration->n, flags);
    if (arrived)
        virDomainFree(arrived);
    return arrived ? 0 : -1;
}

static int
start_postcopy(virDomainPtr domain)
{
    return virDomainMigrateStartPostCopy(domain, 0);
}

/* What happens after --timeout. */
static bool
choose_timeout(Shell *shell, const Args *args, JobOptions *options)
{
    if (!args_int(shell, args, "timeout", &options->timeout_s) ||
        !args_need(shell, args, "timeout-suspend", "timeout") ||
        !args_need(shell, args, "timeout-postcopy", "timeout") ||
        !args_exclude(shell, args, "timeout-suspend", "timeout-postcopy"))
        return false;
    if (args_has(args, "timeout") && options->timeout_s < 1)
        return shell_fail(shell,
                          "Numeric value '%d' for <timeout> option is malformed or out of range",
                          options->timeout_s);
    bool postcopy = args_has(args, "timeout-postcopy");
    if (postcopy && !args_has(args, "postcopy") && !args_has(args, "postcopy-after-precopy"))
        return shell_fail(shell, "Option --postcopy is required by option --timeout-postcopy");
    options->on_timeout = postcopy ? start_postcopy : virDomainSuspend;
    options->timeout_name = postcopy ? "switch to post-copy" : "suspend the guest";
    return true;
}

static bool
cmd_migrate(Shell *shell, const Args *args)
{
    Migration migration = {.flags = ARGS_BITS(args, migrate_bits),
                           .uri = args_text(args, "desturi")};
    JobOptions options = {.label = args_has(args, "verbose") ? "Migration" : NULL};
    bool direct = args_has(args, "p2p") || args_has(args, "direct");
    bool good = args_exclude(shell, args, "live", "offline") &&
                args_need(shell, args, "parallel-connections", "parallel") &&
                args_need(shell, args, "postcopy-after-precopy", "postcopy") &&
                choose_timeout(shell, args, &options);
    g_autoptr(virDomain) domain = good ? args_domain(shell, args) : NULL;

    good = domain != NULL;
    for (gsize i = 0; good && i < G_N_ELEMENTS(migrate_params); i++)
        good = add_param(shell, args, i, &migration);
    if (good && !direct) {
        migration.target = virConnectOpenAuth(migration.uri, virConnectAuthPtrDefault, 0);
        good = migration.target ||
               shell_fail(shell, "failed to connect to the target '%s'", migration.uri);
    }
    if (good)
        good = job_watch_options(shell, domain, migrate_now, &migration, &options);
    if (migration.target)
        virConnectClose(migration.target);
    virTypedParamsFree(migration.params, migration.n);
    return good;
}

static const Option migrate_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED("desturi",
             "URI of the target, as this client sees it (with --p2p: as the source does)"),
    FLAG("live", "while the guest runs"),
    FLAG("offline", "only the definition of a guest that is off"),
    FLAG("p2p", "the source's daemon talks to the target's"),
    FLAG("direct", "the hypervisors talk to each other"),
    FLAG("tunnelled", "inside the daemons' connection"),
    FLAG("persistent", "define it at the target"),
    FLAG("undefinesource", "undefine it at the source"),
    FLAG("suspend", "leave it paused at the target"),
    FLAG("copy-storage-all", "copy the disks"),
    FLAG("copy-storage-inc", "copy the disks' topmost images"),
    FLAG("copy-storage-synchronous-writes", "what is written meanwhile goes to both at once"),
    FLAG("change-protection", "let nobody change the domain meanwhile"),
    FLAG("unsafe", "also when caching may damage disks"),
    FLAG("verbose", "show the progress"),
    FLAG("compressed", "compress memory that is sent again"),
    FLAG("auto-converge", "slow the guest down until it can be moved"),
    FLAG("rdma-pin-all", "pin all memory for RDMA"),
    FLAG("abort-on-error", "give up when a disk fails meanwhile"),
    FLAG("postcopy", "allow to switch to post-copy"),
    FLAG("postcopy-after-precopy", "switch to post-copy after the first pass"),
    FLAG("postcopy-resume", "go on with a post-copy that broke"),
    FLAG("zerocopy", "send memory without copying it first"),
    TEXT("migrateuri", "URI that the hypervisors use"),
    TEXT("graphicsuri", "where viewers are sent"),
    TEXT("listen-address", "address that the target listens at"),
    TEXT("dname", "name at the target"),
    NUMBER("timeout", "suspend the guest when it takes more seconds"),
    FLAG("timeout-suspend", "suspend it after --timeout (as without this)"),
    FLAG("timeout-postcopy", "switch to post-copy after --timeout"),
    TEXT_OF("xml", NULL, "file with the XML to use at the target"),
    TEXT("migrate-disks", "disks to copy: vda,vdb"),
    NUMBER("disks-port", "port for disks"),
    TEXT("disks-uri", "URI for disks"),
    CHOICE("comp-methods", "mt,xbzrle,zlib,zstd", "compression methods"),
    NUMBER("comp-mt-level", "level of compression 0-9"),
    NUMBER("comp-mt-threads", "threads that compress"),
    NUMBER("comp-mt-dthreads", "threads that decompress"),
    NUMBER("comp-xbzrle-cache", "bytes of the xbzrle cache"),
    NUMBER("auto-converge-initial", "first slow-down in percent"),
    NUMBER("auto-converge-increment", "each further slow-down in percent"),
    TEXT_OF("persistent-xml", NULL, "file with the XML to define at the target"),
    FLAG("tls", "encrypt what is sent"),
    NUMBER("postcopy-bandwidth", "most MiB a second during post-copy"),
    FLAG("parallel", "use several connections"),
    NUMBER("parallel-connections", "how many"),
    NUMBER("bandwidth", "most MiB a second"),
    TEXT("tls-destination", "name that the target's certificate shall have"),
    ALIAS("tunneled", "--tunnelled"),
    END_OF_OPTIONS,
};

/* ---- while it runs ---- */

static bool
cmd_setmaxdowntime(Shell *shell, const Args *args)
{
    long long milliseconds = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_llong(shell, args, "downtime", &milliseconds))
        return false;
    if (milliseconds < 1)
        return shell_fail(shell, "migrate: Invalid downtime");
    domain = args_domain(shell, args);
    return domain && virDomainMigrateSetMaxDowntime(domain, milliseconds, 0) >= 0;
}

static bool
cmd_getmaxdowntime(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned long long milliseconds;

    if (!domain || virDomainMigrateGetMaxDowntime(domain, &milliseconds, 0) < 0)
        return false;
    print_number(shell, "downtime_ms", milliseconds);
    return true;
}

static bool
cmd_compcache(Shell *shell, const Args *args)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned long long bytes = 0;
    g_autoptr(virDomain) domain = NULL;
    gsize unit = 0;

    if (!args_bytes(shell, args, "size", 1, &bytes))
        return false;
    domain = args_domain(shell, args);
    if (!domain ||
        (args_has(args, "size") && virDomainMigrateSetCompressionCache(domain, bytes, 0) < 0) ||
        virDomainMigrateGetCompressionCache(domain, &bytes, 0) < 0)
        return false;
    double scaled = bytes;
    for (; scaled >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
        scaled /= 1024;
    if (shell_wants_json(shell))
        print_number(shell, "bytes", bytes);
    else
        shell_print(shell, "Compression cache: %.3lf %s", scaled, units[unit]);
    return true;
}

static bool
cmd_setspeed(Shell *shell, const Args *args)
{
    unsigned long long bandwidth = 0;
    unsigned int flags = args_has(args, "postcopy") ? VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY : 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_ullong(shell, args, "bandwidth", &bandwidth))
        return false;
    domain = args_domain(shell, args);
    return domain && virDomainMigrateSetMaxSpeed(domain, bandwidth, flags) >= 0;
}

static bool
cmd_getspeed(Shell *shell, const Args *args)
{
    unsigned int flags = args_has(args, "postcopy") ? VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY : 0;
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned long bandwidth;

    if (!domain || virDomainMigrateGetMaxSpeed(domain, &bandwidth, flags) < 0)
        return false;
    print_number(shell, "bandwidth_mib", bandwidth);
    return true;
}

static bool
cmd_postcopy(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    return domain && virDomainMigrateStartPostCopy(domain, 0) >= 0;
}

static const Option domain_only[] = {
    ACTIVE_DOMAIN,
    END_OF_OPTIONS,
};

static const Option setmaxdowntime_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED_NUMBER("downtime", "milliseconds the guest may stand still"),
    END_OF_OPTIONS,
};

static const Option compcache_options[] = {
    ACTIVE_DOMAIN,
    NAMED_NUMBER("size", "new size, bytes unless a unit follows"),
    END_OF_OPTIONS,
};

static const Option setspeed_options[] = {
    DOMAIN,
    REQUIRED_NUMBER("bandwidth", "most MiB a second"),
    FLAG("postcopy", "during post-copy"),
    END_OF_OPTIONS,
};

static const Option getspeed_options[] = {
    DOMAIN,
    FLAG("postcopy", "during post-copy"),
    END_OF_OPTIONS,
};

const Command migrate_commands[] = {
    {"migrate", cmd_migrate, migrate_options, "move a guest to another host", 0,
     "Ctrl-C ends the migration and leaves the guest where it is.\n\nExample:\n"
     "  virsh migrate web1 qemu+ssh://host2/system --live --persistent --verbose",
     NULL},
    {"migrate-compcache", cmd_compcache, compcache_options,
     "show or set the cache of compressed migration", COMMAND_JSON, NULL, NULL},
    {"migrate-getmaxdowntime", cmd_getmaxdowntime, domain_only,
     "longest standstill at the end of a migration", COMMAND_JSON, NULL, NULL},
    {"migrate-getspeed", cmd_getspeed, getspeed_options, "most bandwidth of a migration",
     COMMAND_JSON, NULL, NULL},
    {"migrate-postcopy", cmd_postcopy, domain_only, "switch a migration to post-copy", 0, NULL,
     NULL},
    {"migrate-setmaxdowntime", cmd_setmaxdowntime, setmaxdowntime_options,
     "set the longest standstill at the end of a migration", 0, NULL, NULL},
    {"migrate-setspeed", cmd_setspeed, setspeed_options, "set the most bandwidth of a migration", 0,
     NULL, NULL},
    {0},
};
