/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of emulators. Its lock is held for look-ups only; who needs an answer that is being found out waits on the
 * condition, while the worker that asks holds nothing. See capabilities.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/accept.h"
#include "driver/qemu/capabilities.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "driver/qemu/settings.h"
#include "driver/qemu/guest.h"
#include "seam/clock.h"

enum { RECHECK_MS = 1000 };

typedef struct {
    char *path;
    bool is_asking;
    EmulatorInfo *info; /* NULL: not known (yet) */
    GError *error;
    struct stat seen;  /* the file that info or error is about */
    gint64 checked_ms; /* when the file was last looked at */
} Entry;

struct Capabilities {
    QemuDriver *qemu;
    GMutex mutex;
    GCond changed;
    GHashTable *entries; /* by path */
    GHashTable *by_arch; /* architecture -> path; filled once */
    DomainFillHost fill_host;
};

static void
entry_free(Entry *entry)
{
    g_free(entry->path);
    emulator_info_unref(entry->info);
    g_clear_error(&entry->error);
    g_free(entry);
}

const char *
capabilities_host_arch(void)
{
    static gsize ready;
    static char arch[65];

    if (g_once_init_enter(&ready)) {
        struct utsname uts;

        uname(&uts);
        g_strlcpy(arch, uts.machine, sizeof(arch));
        g_once_init_leave(&ready, 1);
    }
    return arch;
}

/* "qemu-system-i386" is the emulator of i686. */
static char *
arch_of_program(const char *name)
{
    const char *arch;

    if (!g_str_has_prefix(name, "qemu-system-"))
        return NULL;
    arch = name + strlen("qemu-system-");
    if (!*arch || arch[strspn(arch, "abcdefghijklmnopqrstuvwxyz0123456789_")])
        return NULL;
    return g_strdup(!strcmp(arch, "i386") ? "i686" : arch);
}

static void
find_programs(Capabilities *capabilities)
{
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/libexec"};

    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_auto(GStrv) names = dir_list(folders[i], NULL);

        for (char **name = names; name && *name; name++) {
            g_autofree char *arch = arch_of_program(*name);

            if (arch && !g_hash_table_contains(capabilities->by_arch, arch))
                g_hash_table_insert(capabilities->by_arch, g_steal_pointer(&arch),
                                    g_build_filename(folders[i], *name, NULL));
        }
    }
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* With the lock held: does what is known still hold? Looks at the file at most once a second. */
static bool
entry_is_current(Entry *entry)
{
    gint64 now_ms = clock_monotonic_ms();
    struct stat st = {0};

    if (!entry->info && !entry->error)
        return false;
    if (now_ms - entry->checked_ms < RECHECK_MS)
        return true;
    entry->checked_ms = now_ms;
    (void)stat(entry->path, &st);
    return is_same_file(&st, &entry->seen);
}

/* Ask, without the lock. */
static void
ask_emulator(Capabilities *capabilities, Entry *entry)
{
    g_autoptr(GError) error = NULL;
    struct stat st = {0};
    EmulatorInfo *info;

    (void)stat(entry->path, &st);
    info = emulator_info_load(capabilities->qemu, entry->path, &error);
    if (!info)
        log_warning(LOG_QEMU, "%s", error->message);
    g_mutex_lock(&capabilities->mutex);
    emulator_info_unref(entry->info);
    g_clear_error(&entry->error);
    entry->info = info;
    entry->error = g_steal_pointer(&error);
    entry->seen = st;
    entry->checked_ms = clock_monotonic_ms();
    entry->is_asking = false;
    g_cond_broadcast(&capabilities->changed);
    g_mutex_unlock(&capabilities->mutex);
}

EmulatorInfo *
capabilities_emulator(QemuDriver *qemu, const char *path, GError **err)
{
    Capabilities *capabilities = qemu->capabilities;
    EmulatorInfo *info;
    Entry *entry;

    if (!path)
        return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                         "the domain names no emulator, and none is installed for it");
    g_mutex_lock(&capabilities->mutex);
    entry = g_hash_table_lookup(capabilities->entries, path);
    if (!entry) {
        entry = g_new0(Entry, 1);
        entry->path = g_strdup(path);
        g_hash_table_insert(capabilities->entries, entry->path, entry);
    }
    while (entry->is_asking) {
        pool_block_begin(NULL);
        g_cond_wait(&capabilities->changed, &capabilities->mutex);
        pool_block_end(NULL);
    }
    if (!entry_is_current(entry)) {
        entry->is_asking = true;
        g_mutex_unlock(&capabilities->mutex);
        ask_emulator(capabilities, entry);
        g_mutex_lock(&capabilities->mutex);
    }
    info = entry->info ? emulator_info_ref(entry->info) : NULL;
    if (!info && err)
        *err = g_error_copy(entry->error);
    g_mutex_unlock(&capabilities->mutex);
    return info;
}

static int
compare_infos(gconstpointer a, gconstpointer b)
{
    const EmulatorInfo *one = *(EmulatorInfo *const *)a;
    const EmulatorInfo *other = *(EmulatorInfo *const *)b;

    return strcmp(one->arch, other->arch);
}

GPtrArray *
capabilities_emulators(QemuDriver *qemu)
{
    GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)emulator_info_unref);
    GHashTableIter iter;
    gpointer path;

    g_hash_table_iter_init(&iter, qemu->capabilities->by_arch);
    while (g_hash_table_iter_next(&iter, NULL, &path)) {
        EmulatorInfo *info = capabilities_emulator(qemu, path, NULL);

        if (info)
            g_ptr_array_add(infos, info);
    }
    g_ptr_array_sort(infos, compare_infos);
    return infos;
}

const char *
capabilities_find(QemuDriver *qemu, const char *arch)
{
    return g_hash_table_lookup(qemu->capabilities->by_arch, arch);
}

typedef struct {
    QemuDriver *qemu;
    char *path;
} Question;

static void
run_question(void *data)
{
    Question *question = data;
    EmulatorInfo *info = capabilities_emulator(question->qemu, question->path, NULL);

    emulator_info_unref(info);
    g_free(question->path);
    g_free(question);
}

void
capabilities_start(Capabilities *capabilities)
{
    GHashTableIter iter;
    gpointer path;

    g_hash_table_iter_init(&iter, capabilities->by_arch);
    while (g_hash_table_iter_next(&iter, NULL, &path)) {
        Question *question = g_new0(Question, 1);

        question->qemu = capabilities->qemu;
        question->path = g_strdup(path);
        pool_run(capabilities->qemu->host->pool, run_question, question);
    }
}

/* ---- what filling in a domain asks ---- */

static const char *
find_emulator(const DomainFillHost *host, VirtType type, const char *arch)
{
    return capabilities_find(host->opaque, arch);
}

/* Strings that outlive the emulator's description. */
static const char *
default_cpu_of(const EmulatorInfo *info, const MachineType *machine)
{
    g_autofree char *name =
        machine->default_cpu ? g_strndup(machine->default_cpu, strcspn(machine->default_cpu, "-"))
                             : NULL;

    return name ? g_intern_string(name) : NULL;
}

/* A 64-bit emulator runs the 32-bit guests of its family too. */
static bool
runs_arch(const EmulatorInfo *info, const char *arch)
{
    return !arch || strcmp(arch, info->arch) == 0 ||
           (strcmp(info->arch, "x86_64") == 0 && strcmp(arch, "i686") == 0);
}

static bool
find_machine(const DomainFillHost *host, const Domain *dom, DomainMachine *machine, GError **err)
{
    g_autoptr(EmulatorInfo) info = capabilities_emulator(host->opaque, dom->emulator, err);
    const MachineType *found;

    if (!info)
        return false;
    if (dom->os.type != OS_TYPE_HVM)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Emulator '%s' does not support os type '%s'",
                    dom->emulator, os_type_to_string(dom->os.type));
    if (!runs_arch(info, dom->os.arch))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "Emulator '%s' does not support arch '%s'",
                    dom->emulator, dom->os.arch);
    if (dom->type == VIRT_TYPE_KVM    ? !info->runs_kvm
        : dom->type == VIRT_TYPE_QEMU ? !info->has_tcg
                                      : true)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Emulator '%s' does not support virt type '%s'", dom->emulator,
                    virt_type_to_string(dom->type));
    found = emulator_info_machine(info, dom->os.machine);
    if (!found)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "Emulator '%s' does not support machine type '%s'", dom->emulator,
                    dom->os.machine ? dom->os.machine : "(default)");
    machine->machine = g_intern_string(found->name);
    machine->default_cpu = default_cpu_of(info, found);
    machine->cpu_is_migratable = strcmp(info->arch, "x86_64") == 0;
    return true;
}

const DomainFillHost *
capabilities_fill_host(QemuDriver *qemu)
{
    return &qemu->capabilities->fill_host;
}

Capabilities *
capabilities_new(QemuDriver *qemu)
{
    Capabilities *capabilities = g_new0(Capabilities, 1);

    capabilities->qemu = qemu;
    g_mutex_init(&capabilities->mutex);
    g_cond_init(&capabilities->changed);
    capabilities->entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)entry_free);
    capabilities->by_arch = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    find_programs(capabilities);
    capabilities->fill_host = (DomainFillHost){
        .arch = capabilities_host_arch(),
        .find_emulator = find_emulator,
        .find_machine = find_machine,
        .accept_device = qemu_accept_device,
        .channel_dir = qemu->channel_dir,
        .nvram_dir = qemu->nvram_dir,
        .vnc_listen = qemu->config->vnc_listen,
        .spice_listen = qemu->config->spice_listen,
        .opaque = qemu,
    };
    return capabilities;
}

void
capabilities_free(Capabilities *capabilities)
{
    if (!capabilities)
        return;
    g_hash_table_unref(capabilities->entries);
    g_hash_table_unref(capabilities->by_arch);
    g_mutex_clear(&capabilities->mutex);
    g_cond_clear(&capabilities->changed);
    g_free(capabilities);
}
