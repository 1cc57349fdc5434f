/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting an emulator to ask it, and the cache of the answers. The cache keeps the answers as they came, so that a new
 * version of this program can read more out of them. See probe.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/probe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "seam/clock.h"
#include "seam/command.h"
#include "seam/process.h"
#include "seam/qmp.h"
#include "seam/stub.h"

enum { PROBE_TIMEOUT_MS = 20000, CACHE_FORMAT = 3, CACHE_MAX_BYTES = 16 << 20 };

static const struct {
    const char *command, *args;
} questions[] = {
    {"query-version", NULL},
    {"query-target", NULL},
    {"query-machines", NULL},
    {"query-cpu-definitions", NULL},
    {"query-commands", NULL},
    {"query-command-line-options", NULL},
    {"qom-list-types", "{\"abstract\":true}"},
};

static void
machine_type_free(MachineType *machine)
{
    g_free(machine->name);
    g_free(machine->alias);
    g_free(machine->default_cpu);
    g_free(machine->default_ram);
    g_free(machine);
}

static void
cpu_model_type_free(CpuModelType *cpu)
{
    g_free(cpu->name);
    g_strfreev(cpu->blockers);
    g_free(cpu);
}

EmulatorInfo *
emulator_info_ref(EmulatorInfo *info)
{
    g_atomic_ref_count_inc(&info->refs);
    return info;
}

void
emulator_info_unref(EmulatorInfo *info)
{
    if (!info || !g_atomic_ref_count_dec(&info->refs))
        return;
    g_free(info->path);
    g_free(info->arch);
    g_free(info->version_text);
    g_free(info->package);
    g_free(info->host_model);
    g_free(info->kvm_host_model);
    g_ptr_array_unref(info->machines);
    g_ptr_array_unref(info->cpus);
    g_ptr_array_unref(info->kvm_cpus);
    g_hash_table_unref(info->types);
    g_hash_table_unref(info->commands);
    g_hash_table_unref(info->options);
    g_free(info);
}

const MachineType *
emulator_info_machine(const EmulatorInfo *info, const char *name)
{
    for (guint i = 0; i < info->machines->len; i++) {
        const MachineType *machine = g_ptr_array_index(info->machines, i);

        if (name ? !strcmp(machine->name, name) || !g_strcmp0(machine->alias, name)
                 : machine->is_default)
            return machine;
    }
    return NULL;
}

bool
emulator_info_has_type(const EmulatorInfo *info, const char *type)
{
    return g_hash_table_contains(info->types, type);
}

bool
emulator_info_has_command(const EmulatorInfo *info, const char *command)
{
    return g_hash_table_contains(info->commands, command);
}

/* What tells one state of the file from another. */
static Json *
describe_file(const char *path, GError **err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return fail_null(err, VIR_ERR_SYSTEM_ERROR, "Cannot check QEMU binary %s: %s", path,
                         g_strerror(errno));
    return json_pack("{s:i s:s s:I s:I s:I s:I s:I}", "format", CACHE_FORMAT, "path", path,
                     "device", (json_int_t)st.st_dev, "inode", (json_int_t)st.st_ino, "size",
                     (json_int_t)st.st_size, "mtime",
                     (json_int_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, "ctime",
                     (json_int_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
}

/* Whether KVM runs depends on the running kernel too, and on whether its device is there. */
static Json *
describe_kvm(void)
{
    struct utsname uts;

    uname(&uts);
    return json_pack("{s:s s:s s:b}", "kernel", uts.release, "boot", process_boot_id(), "device",
                     access("/dev/kvm", R_OK | W_OK) == 0);
}

/* Start @path with an accelerator, ask everything in one write. */
static Json *
ask(QemuDriver *qemu, const char *path, const char *accelerator, GError **err)
{
    g_autofree char *machine = g_strconcat("none,accel=", accelerator, NULL);
    auto_fd int ours = -1;
    auto_fd int theirs = -1;
    auto_fd int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    g_autofree char *chardev = NULL;
    g_autoptr(Stub) stub = NULL;
    g_autoptr(Qmp) qmp = NULL;
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    g_autoptr(Json) answers = json_object();
    const char *const env[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
    int ends[2], status;
    guint expansion;
    bool ok;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return fail_null_errno(err, "create", "socket pair");
    ours = ends[0];
    theirs = ends[1];
    chardev = g_strdup_printf("socket,id=q,fd=%d", theirs);
    const char *const argv[] = {path,
                                "-S",
                                "-no-user-config",
                                "-nodefaults",
                                "-nographic",
                                "-machine",
                                machine,
                                "-chardev",
                                chardev,
                                "-mon",
                                "chardev=q,mode=control",
                                NULL};

    stub = stub_spawn(&(StubSpec){.path = path,
                                  .argv = argv,
                                  .env = env,
                                  .keep_fds = &theirs,
                                  .n_keep_fds = 1,
                                  .log_fd = null_fd,
                                  .dies_with_caller = true},
                      err);
    fd_close(&theirs);
    if (!stub || !stub_release(stub, err))
        return NULL;
    qmp = qmp_new(fd_steal(&ours),
                  &(QmpConfig){.name = path, .loop = qemu->host->loop, .pool = qemu->host->pool},
                  err);
    for (gsize i = 0; i < G_N_ELEMENTS(questions); i++)
        qmp_batch_add(batch, questions[i].command,
                      questions[i].args ? json_loads(questions[i].args, 0, NULL) : NULL);
    expansion = qmp_batch_add(batch, "query-cpu-model-expansion",
                              json_pack("{s:s s:{s:s}}", "type", "static", "model", "name",
                                        strcmp(accelerator, "kvm") ? "max" : "host"));
    ok = qmp && qmp_handshake(qmp, PROBE_TIMEOUT_MS, err) &&
         qmp_batch_run(batch, qmp, PROBE_TIMEOUT_MS, err);
    for (gsize i = 0; ok && i < G_N_ELEMENTS(questions); i++) {
        const Json *answer = qmp_batch_reply(batch, (guint)i, NULL);

        if (answer)
            json_object_set(answers, questions[i].command, (Json *)answer);
    }
    if (ok && qmp_batch_reply(batch, expansion, NULL))
        json_object_set(answers, "query-cpu-model-expansion",
                        (Json *)qmp_batch_reply(batch, expansion, NULL));
    if (qmp)
        qmp_close(qmp);
    process_signal(stub->pidfd, SIGKILL, NULL);
    process_wait(stub->pidfd, -1);
    process_reap(stub->pidfd, &status);
    return ok ? g_steal_pointer(&answers) : NULL;
}

/* Run a guest of three instructions under KVM: they write 0x10 to the port of isa-debug-exit, which ends the emulator with
 * status 0x10 * 2 + 1. An openable /dev/kvm alone does not prove that guests run. x86 only. */
static bool
try_kvm(const char *path, const char *cpu)
{
    static const guchar code[] = {0xb0, 0x10, 0xe6, 0xf4, 0xf4}; /* mov al,0x10; out 0xf4,al; hlt */
    enum { ROM_BYTES = 65536, RESET_VECTOR = ROM_BYTES - 16 };
    auto_fd int rom = memfd_create("kvm-probe", MFD_CLOEXEC);
    g_autofree char *bios = g_strdup_printf("/proc/self/fd/%d", rom);
    g_auto(CommandResult) result = {0};
    const char *const argv[] = {path,
                                "-nodefaults",
                                "-no-user-config",
                                "-display",
                                "none",
                                "-machine",
                                "pc,accel=kvm",
                                "-m",
                                "16",
                                "-bios",
                                bios,
                                "-device",
                                "isa-debug-exit,iobase=0xf4,iosize=0x4",
                                "-cpu",
                                cpu,
                                NULL};

    if (rom < 0 || ftruncate(rom, ROM_BYTES) < 0 ||
        pwrite(rom, code, sizeof(code), RESET_VECTOR) != sizeof(code))
        return false;
    command_run(&(CommandSpec){.argv = argv, .keep_fds = &rom, .n_keep_fds = 1, .timeout_ms = 5000},
                &result, NULL);
    return !result.timed_out && WIFEXITED(result.status) &&
           WEXITSTATUS(result.status) == 0x10 * 2 + 1;
}

static GHashTable *
collect_names(const Json *list, const char *member)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gsize i;
    Json *item;

    json_array_foreach(list, i, item) if (json_string_value(json_object_get(item, member)))
        g_hash_table_add(names, g_strdup(json_string_value(json_object_get(item, member))));
    return names;
}

static GPtrArray *
read_machines(const Json *list)
{
    GPtrArray *machines = g_ptr_array_new_with_free_func((GDestroyNotify)machine_type_free);
    gsize i;
    Json *item;

    json_array_foreach(list, i, item)
    {
        MachineType *machine = g_new0(MachineType, 1);

        machine->name = g_strdup(json_string_value(json_object_get(item, "name")));
        machine->alias = g_strdup(json_string_value(json_object_get(item, "alias")));
        machine->default_cpu =
            g_strdup(json_string_value(json_object_get(item, "default-cpu-type")));
        machine->default_ram = g_strdup(json_string_value(json_object_get(item, "default-ram-id")));
        machine->max_cpus = (guint)json_integer_value(json_object_get(item, "cpu-max"));
        machine->is_default = json_is_true(json_object_get(item, "is-default"));
        machine->is_deprecated = json_is_true(json_object_get(item, "deprecated"));
        machine->hotplugs_cpus = json_is_true(json_object_get(item, "hotpluggable-cpus"));
        if (!machine->name || !strcmp(machine->name, "none"))
            machine_type_free(machine);
        else
            g_ptr_array_insert(machines, machine->is_default ? 0 : -1, machine);
    }
    return machines;
}

static GPtrArray *
read_cpus(const Json *list)
{
    GPtrArray *cpus = g_ptr_array_new_with_free_func((GDestroyNotify)cpu_model_type_free);
    gsize i, j;
    Json *item, *blocker;

    json_array_foreach(list, i, item)
    {
        CpuModelType *cpu = g_new0(CpuModelType, 1);
        const Json *blockers = json_object_get(item, "unavailable-features");
        g_autoptr(GStrvBuilder) names = g_strv_builder_new();

        cpu->name = g_strdup(json_string_value(json_object_get(item, "name")));
        cpu->is_deprecated = json_is_true(json_object_get(item, "deprecated"));
        cpu->is_usable = json_is_array(blockers) && json_array_size(blockers) == 0;
        json_array_foreach(blockers, j, blocker) g_strv_builder_add(
            names, json_string_value(blocker) ? json_string_value(blocker) : "?");
        if (json_array_size(blockers))
            cpu->blockers = g_strv_builder_end(names);
        g_ptr_array_add(cpus, cpu);
    }
    return cpus;
}

static int
compare_words(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "base,aes=on,..." out of an expansion; what is off in the base anyway is left out. */
static char *
read_host_model(const Json *expansion)
{
    const Json *model = json_object_get(expansion, "model");
    const char *base = json_string_value(json_object_get(model, "name"));
    Json *props = json_object_get(model, "props");
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    const char *key;
    Json *value;

    if (!base || !json_object_size(props))
        return NULL;
    json_object_foreach(props, key, value)
    {
        if (json_is_true(value))
            g_ptr_array_add(words, g_strdup_printf("%s=on", key));
        else if (json_is_integer(value))
            g_ptr_array_add(words,
                            g_strdup_printf("%s=%lld", key, (long long)json_integer_value(value)));
        else if (json_is_string(value) && !strpbrk(json_string_value(value), ",="))
            g_ptr_array_add(words, g_strdup_printf("%s=%s", key, json_string_value(value)));
    }
    g_ptr_array_sort(words, compare_words);
    g_ptr_array_insert(words, 0, g_strdup(base));
    g_ptr_array_add(words, NULL);
    return g_strjoinv(",", (char **)words->pdata);
}

static EmulatorInfo *
read_answers(const char *path, const Json *cache, GError **err)
{
    g_autoptr(EmulatorInfo) info = g_new0(EmulatorInfo, 1);
    const Json *tcg = json_object_get(cache, "tcg");
    const Json *version = json_object_get(json_object_get(tcg, "query-version"), "qemu");
    int major = (int)json_integer_value(json_object_get(version, "major"));
    int minor = (int)json_integer_value(json_object_get(version, "minor"));
    int micro = (int)json_integer_value(json_object_get(version, "micro"));
    const char *target =
        json_string_value(json_object_get(json_object_get(tcg, "query-target"), "arch"));
    const char *package =
        json_string_value(json_object_get(json_object_get(tcg, "query-version"), "package"));

    g_atomic_ref_count_init(&info->refs);
    info->path = g_strdup(path);
    info->arch = g_strdup(!g_strcmp0(target, "i386") ? "i686" : target);
    info->version = (guint)(major * 1000000 + minor * 1000 + micro);
    info->version_text = g_strdup_printf("%d.%d.%d", major, minor, micro);
    info->package = g_strdup(package ? package : "");
    info->machines = read_machines(json_object_get(tcg, "query-machines"));
    info->cpus = read_cpus(json_object_get(tcg, "query-cpu-definitions"));
    info->kvm_cpus =
        read_cpus(json_object_get(json_object_get(cache, "kvm"), "query-cpu-definitions"));
    info->host_model = read_host_model(json_object_get(tcg, "query-cpu-model-expansion"));
    info->kvm_host_model = read_host_model(
        json_object_get(json_object_get(cache, "kvm"), "query-cpu-model-expansion"));
    info->types = collect_names(json_object_get(tcg, "qom-list-types"), "name");
    info->commands = collect_names(json_object_get(tcg, "query-commands"), "name");
    info->options = collect_names(json_object_get(tcg, "query-command-line-options"), "option");
    info->has_tcg = emulator_info_has_type(info, "tcg-accel");
    info->runs_kvm = json_is_object(json_object_get(cache, "kvm"));
    info->runs_kvm_host_cpu = json_is_true(json_object_get(cache, "kvm-host-cpu"));
    if (!info->arch || info->machines->len == 0 || info->version == 0)
        return fail_null(err, VIR_ERR_INTERNAL_ERROR, "emulator '%s' does not say what it is",
                         path);
    return g_steal_pointer(&info);
}

static char *
cache_path(QemuDriver *qemu, const char *path)
{
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);
    g_autofree char *name = g_strconcat(digest, ".json", NULL);

    return g_build_filename(qemu->cache_dir, "emulators", name, NULL);
}

static Json *
read_cache(QemuDriver *qemu, const char *path, const Json *file, const Json *kvm)
{
    g_autofree char *name = cache_path(qemu, path);
    gsize len;
    g_autofree char *text = file_read(name, CACHE_MAX_BYTES, &len, NULL);
    g_autoptr(Json) cache = text ? json_loadb(text, len, 0, NULL) : NULL;

    if (!cache || !json_equal(json_object_get(cache, "file"), file) ||
        !json_equal(json_object_get(cache, "host"), kvm))
        return NULL;
    return g_steal_pointer(&cache);
}

/* A cache that cannot be written costs time only. */
static void
write_cache(QemuDriver *qemu, const char *path, const Json *cache)
{
    g_autofree char *name = cache_path(qemu, path);
    g_autofree char *folder = g_path_get_dirname(name);
    g_autoptr(GError) err = NULL;
    char *text = json_dumps(cache, JSON_COMPACT);

    if (!dir_make(folder, 0755, &err) || !file_write_atomic(name, text, strlen(text), 0600, &err))
        log_warning(LOG_QEMU, "emulator %s: what it can do is not cached: %s", path, err->message);
    free(text);
}

EmulatorInfo *
emulator_info_load(QemuDriver *qemu, const char *path, GError **err)
{
    g_autoptr(Json) file = describe_file(path, err);
    g_autoptr(Json) kvm = describe_kvm();
    g_autoptr(Json) cache = file ? read_cache(qemu, path, file, kvm) : NULL;
    g_autoptr(Json) tcg = NULL;
    gint64 before_ms = clock_monotonic_ms();

    if (!file)
        return NULL;
    if (cache)
        return read_answers(path, cache, err);
    tcg = ask(qemu, path, "tcg", err);
    if (!tcg) {
        g_prefix_error(err, "cannot ask emulator '%s': ", path);
        return NULL;
    }
    cache = json_pack("{s:O s:O s:O}", "file", file, "host", kvm, "tcg", tcg);
    if (json_is_true(json_object_get(kvm, "device")) && try_kvm(path, "kvm64")) {
        g_autoptr(Json) with_kvm = ask(qemu, path, "kvm", NULL);

        if (with_kvm) {
            json_object_set(cache, "kvm", with_kvm);
            json_object_set_new(cache, "kvm-host-cpu", json_boolean(try_kvm(path, "host")));
        }
    }
    log_info(LOG_QEMU, "emulator %s: asked in %d ms, KVM %s", path,
             (int)(clock_monotonic_ms() - before_ms),
             json_is_true(json_object_get(cache, "kvm-host-cpu")) ? "runs"
             : json_object_get(cache, "kvm") ? "runs, but not with the host's own CPU model"
                                             : "does not run");
    write_cache(qemu, path, cache);
    return read_answers(path, cache, err);
}
