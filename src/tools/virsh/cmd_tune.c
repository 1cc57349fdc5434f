/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and weights of a domain. All of them work alike: without a value the present ones are shown, with one they are set; a
 * Tuning says which calls and which options, the rest is one function. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

typedef enum {
    VALUE_KIB_LIMIT,
    VALUE_UINT,
    VALUE_ULLONG,
    VALUE_BYTES,
    VALUE_TEXT,
    VALUE_WORD
} ValueKind;

typedef struct {
    const char *option;
    const char *field;
    ValueKind kind;
} Value;

typedef int (*GetCall)(virDomainPtr domain, const char *device, virTypedParameterPtr params, int *n,
                       unsigned int flags);
typedef int (*SetCall)(virDomainPtr domain, const char *device, virTypedParameterPtr params, int n,
                       unsigned int flags);

typedef struct {
    GetCall get;
    SetCall set;
    const char *device_option; /* NULL: it is about the whole domain */
    const char *what;
    const Value *values; /* ends with a row without an option */
} Tuning;

static const char *const numa_modes[] = {"strict", "preferred", "interleave", "restrictive", NULL};

static bool
add_value(Shell *shell, const Args *args, const Value *value, virTypedParameterPtr *params, int *n,
          int *room)
{
    const char *text = args_text(args, value->option);
    unsigned long long wide = 0;
    long long signed_wide = 0;
    unsigned int narrow = 0;
    int word = 0;

    if (!text)
        return true;
    switch (value->kind) {
    case VALUE_UINT:
        return args_uint(shell, args, value->option, &narrow) &&
               virTypedParamsAddUInt(params, n, room, value->field, narrow) >= 0;
    case VALUE_TEXT:
        return virTypedParamsAddString(params, n, room, value->field, text) >= 0;
    case VALUE_WORD:
        if (g_ascii_isdigit(*text) ? !args_int(shell, args, value->option, &word)
                                   : !args_word(shell, args, value->option, numa_modes, &word))
            return false;
        return virTypedParamsAddInt(params, n, room, value->field, word) >= 0;
    case VALUE_KIB_LIMIT:
        /* -1 takes the limit away. */
        if (g_str_equal(text, "-1"))
            wide = VIR_DOMAIN_MEMORY_PARAM_UNLIMITED;
        else if (!args_kib(shell, args, value->option, &wide))
            return false;
        break;
    case VALUE_BYTES:
        if (!args_bytes(shell, args, value->option, 1, &wide))
            return false;
        break;
    default:
        if (!args_llong(shell, args, value->option, &signed_wide))
            return false;
        wide = signed_wide;
    }
    return virTypedParamsAddULLong(params, n, room, value->field, wide) >= 0;
}

static void
show_values(Shell *shell, const virTypedParameter *params, int n)
{
    if (shell_wants_json(shell)) {
        params_print(shell, params, n, NULL);
        return;
    }
    for (int i = 0; i < n; i++) {
        const virTypedParameter *param = &params[i];
        g_autofree char *text = param_text(param);
        bool mode = g_str_equal(param->field, VIR_DOMAIN_NUMA_MODE) &&
                    param->type == VIR_TYPED_PARAM_INT && param->value.i >= 0 &&
                    param->value.i < (int)G_N_ELEMENTS(numa_modes) - 1;
        bool limit = g_str_has_suffix(param->field, "_limit") &&
                     param->type == VIR_TYPED_PARAM_ULLONG &&
                     param->value.ul == VIR_DOMAIN_MEMORY_PARAM_UNLIMITED;
        shell_print(shell, "%-15s: %s\n", param->field,
                    mode    ? numa_modes[param->value.i]
                    : limit ? "unlimited"
                            : text);
    }
}

static bool
cmd_tune(Shell *shell, const Args *args)
{
    const Tuning *tuning = args_detail(args);
    const char *device = tuning->device_option ? args_text(args, tuning->device_option) : NULL;
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    bool good = true;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    for (const Value *value = tuning->values; value->option && good; value++)
        good = add_value(shell, args, value, &params, &n, &room);
    if (good && n) {
        if (tuning->set(domain, device, params, n, flags) < 0)
            good = shell_fail(shell, "Unable to change %s", tuning->what);
    } else if (good) {
        good = tuning->get(domain, device, NULL, &n, flags) >= 0;
        params = n > 0 ? calloc(n, sizeof *params) : NULL;
        good = good && tuning->get(domain, device, params, &n, flags) >= 0;
        if (good)
            show_values(shell, params, n);
        else
            shell_fail(shell, "Unable to get %s", tuning->what);
    }
    virTypedParamsFree(params, n);
    return good;
}

/* The calls without a device, in the form of those with one. */
#define WITHOUT_DEVICE(name)                                                                    \
    static int get_##name(virDomainPtr domain, const char *device, virTypedParameterPtr params, \
                          int *n, unsigned int flags)                                           \
    {                                                                                           \
        return virDomainGet##name(domain, params, n, flags);                                    \
    }                                                                                           \
    static int set_##name(virDomainPtr domain, const char *device, virTypedParameterPtr params, \
                          int n, unsigned int flags)                                            \
    {                                                                                           \
        return virDomainSet##name(domain, params, n, flags);                                    \
    }
WITHOUT_DEVICE(MemoryParameters)
WITHOUT_DEVICE(BlkioParameters)
WITHOUT_DEVICE(NumaParameters)

static const Value memory_values[] = {
    {"hard-limit", VIR_DOMAIN_MEMORY_HARD_LIMIT, VALUE_KIB_LIMIT},
    {"soft-limit", VIR_DOMAIN_MEMORY_SOFT_LIMIT, VALUE_KIB_LIMIT},
    {"swap-hard-limit", VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, VALUE_KIB_LIMIT},
    {"min-guarantee", VIR_DOMAIN_MEMORY_MIN_GUARANTEE, VALUE_KIB_LIMIT},
    {0},
};
static const Tuning memory_tuning = {get_MemoryParameters, set_MemoryParameters, NULL,
                                     "memory parameters", memory_values};
static const Option memtune_options[] = {
    DOMAIN,
    NUMBER("hard-limit", "most memory on the host, KiB or with a unit; -1: no limit"),
    NUMBER("soft-limit", "memory to come down to when the host is short of it"),
    NUMBER("swap-hard-limit", "most memory and swap together"),
    NUMBER("min-guarantee", "memory that is always there"),
    AFFECT,
    END_OF_OPTIONS,
};

static const Value blkio_values[] = {
    {"weight", VIR_DOMAIN_BLKIO_WEIGHT, VALUE_UINT},
    {"device-weights", VIR_DOMAIN_BLKIO_DEVICE_WEIGHT, VALUE_TEXT},
    {"device-read-iops-sec", VIR_DOMAIN_BLKIO_DEVICE_READ_IOPS, VALUE_TEXT},
    {"device-write-iops-sec", VIR_DOMAIN_BLKIO_DEVICE_WRITE_IOPS, VALUE_TEXT},
    {"device-read-bytes-sec", VIR_DOMAIN_BLKIO_DEVICE_READ_BPS, VALUE_TEXT},
    {"device-write-bytes-sec", VIR_DOMAIN_BLKIO_DEVICE_WRITE_BPS, VALUE_TEXT},
    {0},
};
static const Tuning blkio_tuning = {get_BlkioParameters, set_BlkioParameters, NULL,
                                    "block I/O parameters", blkio_values};
static const Option blkiotune_options[] = {
    DOMAIN,
    NUMBER("weight", "share of I/O among guests"),
    TEXT("device-weights", "shares by device: /dev/sda,500,/dev/sdb,300"),
    TEXT("device-read-iops-sec", "reads a second by device"),
    TEXT("device-write-iops-sec", "writes a second by device"),
    TEXT("device-read-bytes-sec", "bytes read a second by device"),
    TEXT("device-write-bytes-sec", "bytes written a second by device"),
    AFFECT,
    END_OF_OPTIONS,
};

static const Value numa_values[] = {
    {"mode", VIR_DOMAIN_NUMA_MODE, VALUE_WORD},
    {"nodeset", VIR_DOMAIN_NUMA_NODESET, VALUE_TEXT},
    {0},
};
static const Tuning numa_tuning = {get_NumaParameters, set_NumaParameters, NULL, "numa parameters",
                                   numa_values};
static const Option numatune_options[] = {
    DOMAIN,
    CHOICE("mode", "strict,preferred,interleave,restrictive", "how memory is spread"),
    TEXT("nodeset", "NUMA nodes of the host: 0-1"),
    AFFECT,
    END_OF_OPTIONS,
};

/* Options of blkdeviotune: name with dashes and with underlines, kind, help. */
#define IO_LIMITS(X)                                                                           \
    X("total-bytes-sec", "total_bytes_sec", VALUE_BYTES, "bytes a second")                     \
    X("read-bytes-sec", "read_bytes_sec", VALUE_BYTES, "bytes read a second")                  \
    X("write-bytes-sec", "write_bytes_sec", VALUE_BYTES, "bytes written a second")             \
    X("total-iops-sec", "total_iops_sec", VALUE_BYTES, "requests a second")                    \
    X("read-iops-sec", "read_iops_sec", VALUE_BYTES, "reads a second")                         \
    X("write-iops-sec", "write_iops_sec", VALUE_BYTES, "writes a second")                      \
    X("total-bytes-sec-max", "total_bytes_sec_max", VALUE_BYTES, "bytes a second in a burst")  \
    X("read-bytes-sec-max", "read_bytes_sec_max", VALUE_BYTES, "bytes read in a burst")        \
    X("write-bytes-sec-max", "write_bytes_sec_max", VALUE_BYTES, "bytes written in a burst")   \
    X("total-iops-sec-max", "total_iops_sec_max", VALUE_BYTES, "requests a second in a burst") \
    X("read-iops-sec-max", "read_iops_sec_max", VALUE_BYTES, "reads a second in a burst")      \
    X("write-iops-sec-max", "write_iops_sec_max", VALUE_BYTES, "writes a second in a burst")   \
    X("size-iops-sec", "size_iops_sec", VALUE_BYTES, "bytes that count as one request")

#define BURST_LENGTHS(X)                                                        \
    X("total-bytes-sec-max-length", "total_bytes_sec_max_length", VALUE_ULLONG, \
      "seconds a burst of bytes may last")                                      \
    X("read-bytes-sec-max-length", "read_bytes_sec_max_length", VALUE_ULLONG,   \
      "seconds a burst of bytes read may last")                                 \
    X("write-bytes-sec-max-length", "write_bytes_sec_max_length", VALUE_ULLONG, \
      "seconds a burst of bytes written may last")                              \
    X("total-iops-sec-max-length", "total_iops_sec_max_length", VALUE_ULLONG,   \
      "seconds a burst of requests may last")                                   \
    X("read-iops-sec-max-length", "read_iops_sec_max_length", VALUE_ULLONG,     \
      "seconds a burst of reads may last")                                      \
    X("write-iops-sec-max-length", "write_iops_sec_max_length", VALUE_ULLONG,   \
      "seconds a burst of writes may last")

#define AS_VALUE(option, field, kind, help) {option, field, kind},
#define AS_OPTION(option, field, kind, help) NUMBER(option, help),
#define AS_ALIAS(option, field, kind, help) ALIAS(field, "--" option),

static const Value device_io_values[] = {
    IO_LIMITS(AS_VALUE){"group-name", VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME, VALUE_TEXT},
    BURST_LENGTHS(AS_VALUE){0},
};
static const Tuning device_io_tuning = {virDomainGetBlockIoTune, virDomainSetBlockIoTune, "device",
                                        "block I/O throttle", device_io_values};
static const Option blkdeviotune_options[] = {
    DOMAIN,
    REQUIRED_OF("device", complete_disk, "target or path of the disk"),
    IO_LIMITS(AS_OPTION) TEXT("group-name", "name of the group that shares the limits"),
    BURST_LENGTHS(AS_OPTION) AFFECT,
    IO_LIMITS(AS_ALIAS) ALIAS("group_name", "--group-name"),
    BURST_LENGTHS(AS_ALIAS) END_OF_OPTIONS,
};

/* ---- network interfaces ---- */

static bool
add_bandwidth(Shell *shell, const Args *args, const char *direction, virTypedParameterPtr *params,
              int *n, int *room)
{
    static const char *const parts[] = {"average", "peak", "burst", "floor"};
    const char *text = args_text(args, direction);
    g_auto(GStrv) numbers = g_strsplit(text ? text : "", ",", -1);
    guint count = g_strv_length(numbers);

    if (!text)
        return true;
    if (count > G_N_ELEMENTS(parts) || !count)
        return shell_fail(shell, "%s format is incorrect", direction);
    for (guint i = 0; i < count; i++) {
        g_autofree char *field = g_strdup_printf("%s.%s", direction, parts[i]);
        guint64 number = 0;
        if (!*numbers[i] && i)
            continue;
        if (!g_ascii_string_to_unsigned(numbers[i], 10, 0, G_MAXUINT, &number, NULL))
            return shell_fail(shell, "%s rate '%s' is no number of KiB", direction, numbers[i]);
        if (virTypedParamsAddUInt(params, n, room, field, number) < 0)
            return false;
    }
    return true;
}

static bool
cmd_domiftune(Shell *shell, const Args *args)
{
    const char *interface = args_text(args, "interface");
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    bool good;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    good = add_bandwidth(shell, args, "inbound", &params, &n, &room) &&
           add_bandwidth(shell, args, "outbound", &params, &n, &room);
    if (good && n) {
        if (virDomainSetInterfaceParameters(domain, interface, params, n, flags) < 0)
            good = shell_fail(shell, "Unable to set interface parameters");
    } else if (good) {
        good = virDomainGetInterfaceParameters(domain, interface, NULL, &n, flags) >= 0;
        params = n > 0 ? calloc(n, sizeof *params) : NULL;
        good = good && virDomainGetInterfaceParameters(domain, interface, params, &n, flags) >= 0;
        if (good)
            params_print(shell, params, n, "%-15s: %s\n");
        else
            shell_fail(shell, "Unable to get interface parameters");
    }
    virTypedParamsFree(params, n);
    return good;
}

static const Option domiftune_options[] = {
    DOMAIN,
    REQUIRED_OF("interface", complete_nic, "name of the host side, or MAC"),
    TEXT("inbound", "KiB/s to the guest: average,peak,burst,floor"),
    TEXT("outbound", "KiB/s from the guest: average,peak,burst"),
    AFFECT,
    END_OF_OPTIONS,
};

/* ---- perf events ---- */

static bool
add_events(const Args *args, const char *option, bool on, virTypedParameterPtr *params, int *n,
           int *room)
{
    const char *text = args_text(args, option);
    g_auto(GStrv) names = g_strsplit(text ? text : "", ",", -1);

    for (char **name = names; *name; name++) {
        if (virTypedParamsAddBoolean(params, n, room, *name, on) < 0)
            return false;
    }
    return true;
}

static bool
cmd_perf(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;
    bool good;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    good = add_events(args, "enable", true, &params, &n, &room) &&
           add_events(args, "disable", false, &params, &n, &room);
    if (good && n) {
        if (virDomainSetPerfEvents(domain, params, n, flags) < 0)
            good = shell_fail(shell, "Unable to enable/disable perf events");
    } else if (good && virDomainGetPerfEvents(domain, &params, &n, flags) < 0) {
        good = shell_fail(shell, "Unable to get perf events");
    } else if (good && shell_wants_json(shell)) {
        params_print(shell, params, n, NULL);
    } else {
        for (int i = 0; good && i < n; i++)
            shell_print(shell, "%-15s: %s\n", params[i].field,
                        params[i].value.b ? "enabled" : "disabled");
    }
    virTypedParamsFree(params, n);
    return good;
}

static const Option perf_options[] = {
    DOMAIN,
    TEXT("enable", "events to count: cmt,cpu_cycles"),
    TEXT("disable", "events not to count any more"),
    AFFECT,
    END_OF_OPTIONS,
};

/* ---- scheduler ---- */

/* NAME=VALUE into a parameter of the type that the scheduler's parameter of that name has. */
static bool
add_setting(Shell *shell, const char *text, virTypedParameterPtr present, int n_present,
            virTypedParameterPtr *params, int *n, int *room)
{
    const char *equals = strchr(text, '=');
    g_autofree char *name = equals ? g_strndup(text, equals - text) : NULL;

    if (!equals)
        return shell_fail(shell, "Invalid syntax for --set, expecting name=value");
    virTypedParameterPtr known = virTypedParamsGet(present, n_present, name);
    if (!known)
        return shell_fail(shell, "invalid scheduler option: %s", name);
    if (virTypedParamsAddFromString(params, n, room, name, known->type, equals + 1) < 0)
        return shell_fail(shell, "invalid value '%s' for scheduler option %s", equals + 1, name);
    return true;
}

static bool
collect_settings(Shell *shell, const Args *args, virTypedParameterPtr present, int n_present,
                 virTypedParameterPtr *params, int *n)
{
    static const char *const options[] = {"weight", "cap"};
    gsize count;
    const char *const *words = args_words(args, "set", &count);
    int room = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *text =
            args_has(args, options[i])
                ? g_strdup_printf("%s=%s", options[i], args_text(args, options[i]))
                : NULL;
        if (text && !add_setting(shell, text, present, n_present, params, n, &room))
            return false;
    }
    for (gsize i = 0; i < count; i++) {
        g_auto(GStrv) settings = g_strsplit(words[i], ",", -1);
        for (char **setting = settings; *setting; setting++) {
            if (!add_setting(shell, *setting, present, n_present, params, n, &room))
                return false;
        }
    }
    return true;
}

static void
print_scheduler(Shell *shell, const char *type, virTypedParameterPtr params, int n)
{
    g_autoptr(GString) json = g_string_new(NULL);

    if (shell_wants_json(shell)) {
        json_append_params(json, params, n);
        shell_print(shell, "{\"scheduler\":\"%s\",\"parameters\":%s}\n", type, json->str);
        return;
    }
    shell_print(shell, "%-15s: %s\n", "Scheduler", type);
    params_print(shell, params, n, "%-15s: %s\n");
}

/* Without a state the older call does, which more hypervisors have. */
static int
get_scheduler(virDomainPtr domain, virTypedParameterPtr params, int *n, unsigned int flags)
{
    return flags ? virDomainGetSchedulerParametersFlags(domain, params, n, flags)
                 : virDomainGetSchedulerParameters(domain, params, n);
}

static bool
cmd_schedinfo(Shell *shell, const Args *args)
{
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    g_autoptr(virDomain) domain = NULL;
    int n = 0, n_new = 0;

    if (!args_affect(shell, args, &flags))
        return false;
    domain = args_domain(shell, args);
    g_autofree char *type = domain ? virDomainGetSchedulerType(domain, &n) : NULL;
    if (!type)
        return domain && shell_fail(shell, "Unable to get the scheduler");
    virTypedParameterPtr params = calloc(n + 1, sizeof *params), fresh = NULL;
    bool good = get_scheduler(domain, params, &n, flags) >= 0 &&
                collect_settings(shell, args, params, n, &fresh, &n_new);
    if (good && n_new) {
        good = (flags ? virDomainSetSchedulerParametersFlags(domain, fresh, n_new, flags)
                      : virDomainSetSchedulerParameters(domain, fresh, n_new)) >= 0 &&
               get_scheduler(domain, params, &n, flags) >= 0;
    }
    if (good)
        print_scheduler(shell, type, params, n);
    virTypedParamsFree(params, n);
    virTypedParamsFree(fresh, n_new);
    return good;
}

static const Option schedinfo_options[] = {
    DOMAIN,
    NAMED_NUMBER("weight", "weight among guests (Xen)"),
    NAMED_NUMBER("cap", "most CPU in percent of one (Xen)"),
    AFFECT,
    WORDS("set", "parameters: cpu_shares=2048"),
    END_OF_OPTIONS,
};

const Command tune_commands[] = {
    {"blkdeviotune", cmd_tune, blkdeviotune_options, "show or set I/O limits of one disk",
     COMMAND_JSON, "Example:\n  virsh blkdeviotune web1 vda --total-iops-sec 500 --live",
     &device_io_tuning},
    {"blkiotune", cmd_tune, blkiotune_options, "show or set I/O weights", COMMAND_JSON, NULL,
     &blkio_tuning},
    {"domiftune", cmd_domiftune, domiftune_options, "show or set bandwidth of an interface",
     COMMAND_JSON, NULL, NULL},
    {"memtune", cmd_tune, memtune_options, "show or set memory limits on the host", COMMAND_JSON,
     NULL, &memory_tuning},
    {"numatune", cmd_tune, numatune_options, "show or set how memory is spread over NUMA nodes",
     COMMAND_JSON, NULL, &numa_tuning},
    {"perf", cmd_perf, perf_options, "show or set which perf events are counted", COMMAND_JSON,
     NULL, NULL},
    {"schedinfo", cmd_schedinfo, schedinfo_options, "show or set parameters of the scheduler",
     COMMAND_JSON, NULL, NULL},
    {0},
};
