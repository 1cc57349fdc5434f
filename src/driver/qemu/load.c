/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See load.h. One strand finds the guests and takes over those that run; then one strand a processor parses. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/load.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/guest.h"
#include "driver/qemu/reconnect.h"
#include "driver/qemu/snapshot.h"
#include "model/domain.h"

enum { HEAD_BYTES = 4096, FILE_BYTES_MAX = 16 * 1024 * 1024, PARSERS_MAX = 8 };

/* What lies in the folders beside the definitions, so that nobody has to look for each guest. */
typedef struct {
    GHashTable *autostarts, *saves, *snapshots, *checkpoints, *journals, *kept; /* sets of names */
} Beside;

struct Loading {
    QemuDriver *qemu;
    char **stems;   /* of the files */
    Strand *strand; /* finds, and has the calls that wait */
    Strand *parsers[PARSERS_MAX];
    guint n_parsers;
    GPtrArray *views; /* to parse */
    gint next;        /* atomic: index into them */
    gint n_parsing;   /* atomic: parsers that are at work */
    gint is_found;    /* atomic: calls need not wait any more */
    gint is_stopping; /* atomic */
};

static GHashTable *
set_of_names(const char *folder)
{
    g_auto(GStrv) names = dir_list(folder, NULL);
    GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (int i = 0; names && names[i]; i++)
        g_hash_table_add(set, g_steal_pointer(&names[i]));
    return set;
}

/* UUID.wal is the guest's own job, UUID.vda.wal a block job of its disk: either counts under the first name. */
static GHashTable *
set_of_journals(const char *folder)
{
    g_auto(GStrv) names = dir_list(folder, NULL);
    GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (int i = 0; names && names[i]; i++)
        g_hash_table_add(set, g_strdup_printf("%.*s.wal", UUID_TEXT - 1, names[i]));
    return set;
}

static void
beside_look(Beside *beside, const QemuDriver *qemu)
{
    g_autofree char *autostart = g_build_filename(qemu->config_dir, "autostart", NULL);
    g_autofree char *kept = g_build_filename(qemu->lib_dir, "kept", NULL);

    *beside = (Beside){set_of_names(autostart),
                       set_of_names(qemu->save_dir),
                       set_of_names(qemu->snapshot_dir),
                       set_of_names(qemu->checkpoint_dir),
                       set_of_journals(qemu->journal_dir),
                       set_of_names(kept)};
}

static void
beside_clear(Beside *beside)
{
    g_hash_table_unref(beside->autostarts);
    g_hash_table_unref(beside->saves);
    g_hash_table_unref(beside->snapshots);
    g_hash_table_unref(beside->checkpoints);
    g_hash_table_unref(beside->journals);
    g_hash_table_unref(beside->kept);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Beside, beside_clear)

static bool
set_has(GHashTable *set, const char *stem, const char *ending)
{
    g_autofree char *name = g_strconcat(stem, ending, NULL);

    return g_hash_table_contains(set, name);
}

/* The file has to be parsed to know whose it is. */
static Guest *
guest_from_parsed(QemuDriver *qemu, const char *path, GError **err)
{
    g_autofree char *xml = file_read(path, FILE_BYTES_MAX, NULL, err);
    g_autoptr(Domain) config = xml ? domain_parse(xml, MODEL_PARSE_INACTIVE, err) : NULL;
    Guest *guest;

    if (!config)
        return NULL;
    if (!config->has_uuid)
        return fail_null(err, VIR_ERR_XML_ERROR, "the definition has no uuid");
    guest = guest_new(qemu, config->uuid, config->name);
    guest_set_config(guest, g_steal_pointer(&config));
    return guest;
}

static Guest *
guest_from_file(QemuDriver *qemu, const char *path, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char head[HEAD_BYTES];
    gssize len = fd < 0 ? -1 : read(fd, head, sizeof head);
    g_autofree char *name = NULL;
    guchar uuid[16];
    Guest *guest;

    if (len <= 0 || !load_peek(head, (gsize)len, &name, uuid))
        return guest_from_parsed(qemu, path, err);
    guest = guest_new(qemu, uuid, name);
    guest_set_config_file(guest, path);
    return guest;
}

/* The definition is in a file that upstream wrote or we did: filled in already. */
static bool
find_guest(QemuDriver *qemu, const Beside *beside, const char *stem, const char *path, GError **err)
{
    g_autoptr(Guest) guest = guest_from_file(qemu, path, err);
    char uuid[UUID_TEXT];

    if (!guest)
        return false;
    guest->is_persistent = true;
    guest->is_autostart =
        set_has(beside->autostarts, stem, ".xml") && store_get_autostart(qemu->configs, stem);
    guest->has_managed_save = set_has(beside->saves, guest->name, ".save");
    if (strcmp(stem, guest->name) != 0)
        log_warning(LOG_QEMU, "%s: holds the domain '%s'; the next change writes another file",
                    path, guest->name);
    uuid_format(guest->uuid, uuid);
    if ((set_has(beside->snapshots, guest->name, "") ||
         set_has(beside->checkpoints, guest->name, "") || set_has(beside->kept, uuid, ".json") ||
         set_has(beside->journals, uuid, ".wal")) &&
        !snapshots_load(guest, err))
        return false;
    return guest_publish_new(guest, err);
}

static void
find_guests(Loading *loading)
{
    QemuDriver *qemu = loading->qemu;
    g_auto(Beside) beside;

    beside_look(&beside, qemu);
    for (int i = 0; loading->stems[i] && !g_atomic_int_get(&loading->is_stopping); i++) {
        g_autofree char *path = store_path(qemu->configs, loading->stems[i]);
        g_autoptr(GError) err = NULL;

        if (!find_guest(qemu, &beside, loading->stems[i], path, &err))
            log_error(LOG_QEMU, "%s: not loaded, and left as it is: %s", path, err->message);
    }
}

/* One of the parsers: whatever nobody has taken yet. */
static void
run_parser(void *data)
{
    Loading *loading = data;
    guint i;

    while (!g_atomic_int_get(&loading->is_stopping) &&
           (i = (guint)g_atomic_int_add(&loading->next, 1)) < loading->views->len) {
        GuestView *view = guest_view_read(view_ref(loading->views->pdata[i]));

        if (view)
            view_unref(view);
    }
    if (!g_atomic_int_dec_and_test(&loading->n_parsing))
        return;
    log_info(LOG_QEMU, "%u definitions read", loading->views->len);
    g_ptr_array_set_size(loading->views, 0);
    driver_host_release(loading->qemu->driver->host);
}

static void
start_parsers(Loading *loading)
{
    g_autoptr(GPtrArray) all = registry_list(loading->qemu->guests);

    for (guint i = 0; i < all->len; i++)
        g_ptr_array_add(loading->views, view_ref(all->pdata[i]));
    g_atomic_int_set(&loading->n_parsing, (gint)loading->n_parsers);
    for (guint i = 0; i < loading->n_parsers; i++)
        strand_post_internal(loading->parsers[i], run_parser, loading);
}

static void
run_loading(void *data)
{
    Loading *loading = data;
    g_autoptr(GError) err = NULL;

    find_guests(loading);
    if (!qemu_load_running(loading->qemu, &err))
        log_error(LOG_QEMU, "guests that run are not known: %s", err->message);
    qemu_reconnect(loading->qemu);
    g_atomic_int_set(&loading->is_found, 1);
    log_info(LOG_QEMU, "%u domains found", registry_size(loading->qemu->guests));
    capabilities_start(loading->qemu->capabilities);
    start_parsers(loading);
}

Loading *
loading_new(QemuDriver *qemu, GError **err)
{
    g_auto(GStrv) stems = store_list(qemu->configs, err);
    Loading *loading;

    if (!stems)
        return NULL;
    loading = g_new0(Loading, 1);
    loading->qemu = qemu;
    loading->stems = g_steal_pointer(&stems);
    loading->views = g_ptr_array_new_with_free_func(view_unref);
    loading->strand = strand_new(qemu->host->pool, "the domains, which are being looked for");
    loading->n_parsers = CLAMP(g_get_num_processors(), 1, PARSERS_MAX);
    for (guint i = 0; i < loading->n_parsers; i++)
        loading->parsers[i] = strand_new(qemu->host->pool, "definitions");
    return loading;
}

void
loading_start(Loading *loading)
{
    driver_host_hold(loading->qemu->driver->host);
    strand_post_internal(loading->strand, run_loading, loading);
}

static void
strand_wait(Strand *strand)
{
    if (strand_enter(strand, -1, NULL))
        strand_leave(strand);
}

void
loading_stop(Loading *loading)
{
    if (!loading)
        return;
    g_atomic_int_set(&loading->is_stopping, 1);
    strand_wait(loading->strand);
    for (guint i = 0; i < loading->n_parsers; i++)
        strand_wait(loading->parsers[i]);
}

void
loading_free(Loading *loading)
{
    if (!loading)
        return;
    g_strfreev(loading->stems);
    g_ptr_array_unref(loading->views);
    strand_unref(loading->strand);
    for (guint i = 0; i < loading->n_parsers; i++)
        strand_unref(loading->parsers[i]);
    g_free(loading);
}

/* Every call on domains has the word in its name; what it says of others does not change while they are being found. */
Strand *
loading_strand(Loading *loading, const ApiProc *proc)
{
    if (g_atomic_int_get(&loading->is_found) || !strstr(proc->name, "domain"))
        return NULL;
    return strand_ref(loading->strand);
}
