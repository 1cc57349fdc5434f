/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See snapshot_verify.h. One function a rule; each looks at the guest's view, its files and the
 * graph of all images on the host, and adds what it finds. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/snapshot_verify.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/snapshot_store.h"
#include "image/name.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)

typedef struct {
    const GuestView *view;
    QemuDriver *qemu;
    const char *name; /* of the domain */
    ImageGraph *graph;
    ImageRecords *records; /* NULL: cannot be read */
    GHashTable *folders;   /* of images that the domain has or had */
    GPtrArray *findings;
} Verifier;

void
verify_finding_free(VerifyFinding *finding)
{
    g_free(finding->object);
    g_free(finding->path);
    g_free(finding->problem);
    g_free(finding->advice);
    g_free(finding);
}

const char *
verify_rule_to_string(VerifyRule rule)
{
    static const char *const words[] = {"journal", "metadata", "tree",  "chain",
                                        "shared",  "record",   "stray", "deleting"};

    return words[rule];
}

static void G_GNUC_PRINTF(6, 7) found(Verifier *verifier, VerifyRule rule, const char *object,
                                      const char *path, const char *advice, const char *fmt, ...)
{
    VerifyFinding *finding = g_new0(VerifyFinding, 1);
    va_list args;

    va_start(args, fmt);
    finding->problem = g_strdup_vprintf(fmt, args);
    va_end(args);
    finding->rule = rule;
    finding->object = g_strdup(object);
    finding->path = g_strdup(path);
    finding->advice = g_strdup(advice);
    g_ptr_array_add(verifier->findings, finding);
}

/* ---- jobs ---- */

static void
verify_journal(Verifier *verifier)
{
    const Job *job = verifier->view->job;
    g_autofree char *path = guest_journal_path(verifier->view->guest);

    if (job && job_state(job) == JOB_STUCK)
        found(verifier, VERIFY_JOURNAL, job_id(job), path,
              "see the daemon's log for the reason; the next change of the domain tries it again",
              "it is stuck at step %s", job_step_name(job));
    else if (!job && file_exists(path))
        found(verifier, VERIFY_JOURNAL, "a job of a daemon before this one", path,
              "see the daemon's log for the reason; keep the file",
              "it could not be read or finished");
}

/* ---- metadata: what the files say against what the daemon says ---- */

static void
verify_config(Verifier *verifier)
{
    const Domain *config = machine_domain(verifier->view->config);
    g_autofree char *path = store_path(verifier->qemu->configs, verifier->name);
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;
    g_autoptr(Domain) stored = NULL;

    if (!verifier->view->is_persistent || !config)
        return;
    text = file_read(path, FILE_MAX_BYTES, NULL, &err);
    stored = text ? domain_parse(text, MODEL_PARSE_INACTIVE, &err) : NULL;
    if (!stored)
        found(verifier, VERIFY_METADATA, "the definition", path, "define the domain again",
              "it cannot be read: %s", err->message);
    else if (!domain_equal(stored, config))
        found(verifier, VERIFY_METADATA, "the definition", path, "define the domain again",
              "the file differs from what the daemon uses");
}

static void
verify_metadata_file(Verifier *verifier, const char *folder, const char *file)
{
    const SnapshotTree *tree = verifier->view->snapshots;
    g_autofree char *path = g_build_filename(folder, file, NULL);
    g_autofree char *stem =
        g_str_has_suffix(file, ".xml") ? g_strndup(file, strlen(file) - 4) : g_strdup(file);
    const DomainSnapshot *known = snapshot_tree_find(tree, stem);
    g_autoptr(GError) err = NULL;
    g_autofree char *text = file_read(path, FILE_MAX_BYTES, NULL, &err);
    g_autoptr(DomainSnapshot) stored = NULL;
    bool is_current = false;

    stored = text ? snapshot_from_file_text(text, &is_current, &err) : NULL;
    if (!stored)
        found(verifier, VERIFY_METADATA, stem, path, "redefine the snapshot, or remove the file",
              "it cannot be read: %s", err->message);
    else if (!known)
        found(verifier, VERIFY_METADATA, stem, path, "restart the daemon, or remove the file",
              "the daemon knows no snapshot of this name");
    else if (!domain_snapshot_equal(stored, known) ||
             is_current != (g_strcmp0(snapshot_tree_current(tree), stem) == 0))
        found(verifier, VERIFY_METADATA, stem, path, "redefine the snapshot",
              "the file differs from what the daemon uses");
}

static void
verify_metadata(Verifier *verifier)
{
    const SnapshotTree *tree = verifier->view->snapshots;
    g_autofree char *folder = g_build_filename(verifier->qemu->snapshot_dir, verifier->name, NULL);
    g_auto(GStrv) files = dir_list(folder, NULL);

    for (int i = 0; files && files[i]; i++)
        verify_metadata_file(verifier, folder, files[i]);
    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(tree, i);
        g_autofree char *path = g_strdup_printf("%s/%s.xml", folder, snapshot->name);

        if (!file_exists(path))
            found(verifier, VERIFY_METADATA, snapshot->name, path, "redefine the snapshot",
                  "the snapshot has no file");
    }
}

static void
verify_saved(Verifier *verifier)
{
    g_autofree char *path = g_strdup_printf("%s/%s.save", verifier->qemu->save_dir, verifier->name);
    g_autoptr(GError) err = NULL;
    g_autoptr(SaveImage) image = NULL;

    if (verifier->view->has_managed_save != file_exists(path)) {
        found(verifier, VERIFY_METADATA, "the saved state", path, "restart the daemon",
              verifier->view->has_managed_save ? "the file is missing"
                                               : "the daemon knows no saved state");
        return;
    }
    image = verifier->view->has_managed_save ? save_image_open(path, NULL, &err) : NULL;
    if (err)
        found(verifier, VERIFY_METADATA, "the saved state", path,
              "start the domain with FORCE_BOOT, which discards it", "%s", err->message);
}

/* ---- the tree ---- */

static void
verify_tree(Verifier *verifier)
{
    const SnapshotTree *tree = verifier->view->snapshots;

    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(tree, i), *above = snapshot;
        guint depth = 0;

        if (snapshot->parent_name && !snapshot_tree_find(tree, snapshot->parent_name))
            found(verifier, VERIFY_TREE, snapshot->name, NULL,
                  "redefine it with another parent, or without one", "its parent %s does not exist",
                  snapshot->parent_name);
        while ((above = snapshot_tree_parent(tree, above)) && depth < snapshot_tree_size(tree))
            depth++;
        if (above)
            found(verifier, VERIFY_TREE, snapshot->name, NULL,
                  "redefine one of them without a parent", "it is its own ancestor");
    }
}

static void
verify_deletions(Verifier *verifier)
{
    const SnapshotTree *tree = verifier->view->snapshots;

    for (guint i = 0; i < snapshot_tree_size(tree); i++) {
        const DomainSnapshot *snapshot = snapshot_tree_at(tree, i);
        bool is_deleting = false;

        for (gsize disk = 0; disk < snapshot->n_disks; disk++)
            is_deleting |= snapshot->disks[disk]->snapshot_delete_in_progress;
        if (is_deleting && !verifier->view->job)
            found(verifier, VERIFY_DELETING, snapshot->name, NULL, "delete it again",
                  "its deletion has begun and has not ended");
    }
}

/* ---- chains ---- */

static void
remember_folder(Verifier *verifier, const char *path)
{
    g_hash_table_add(verifier->folders, g_path_get_dirname(path));
}

/* What the definition says lies below the disk's image, against what the headers say. */
static void
verify_backing(Verifier *verifier, const char *object, const Disk *disk)
{
    const BackingStore *layer = disk->backing_store;
    const char *path = disk_source_path(disk->type, &disk->source);

    while (path && layer && layer->type != STORAGE_TYPE_UNSET) {
        const char *below = disk_source_path(layer->type, &layer->source);
        const char *actual = image_graph_below(verifier->graph, path);

        if (!below || !g_path_is_absolute(below))
            return;
        if (g_strcmp0(below, actual) != 0) {
            found(verifier, VERIFY_CHAIN, object, path, "see which one has the data",
                  "it is backed by '%s', and not by '%s' as the definition says",
                  actual ? actual : "nothing", below);
            return;
        }
        path = below;
        layer = layer->backing_store;
    }
}

static void
verify_machine(Verifier *verifier, const char *holder, const Domain *machine)
{
    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);
        g_autofree char *object = g_strdup_printf("%s: disk %s", holder, disk->target.dev);
        g_autoptr(GError) err = NULL;

        if (!path || (disk->type != STORAGE_TYPE_FILE && disk->type != STORAGE_TYPE_BLOCK))
            continue;
        remember_folder(verifier, path);
        if (!image_graph_check(verifier->graph, path, &err))
            found(verifier, VERIFY_CHAIN, object, path, "put the missing file back", "%s",
                  err->message);
        else
            verify_backing(verifier, object, disk);
    }
}

/* The files that a snapshot's <disks> name were made by it or after it; nobody else may look for
 * them, but they have to be there. */
static void
verify_snapshot(Verifier *verifier, const DomainSnapshot *snapshot)
{
    g_autofree char *holder = g_strdup_printf("snapshot %s", snapshot->name);

    verify_machine(verifier, holder, snapshot->domain);
    verify_machine(verifier, holder, snapshot->inactive_domain);
    if (snapshot->memory.file && !file_exists(snapshot->memory.file))
        found(verifier, VERIFY_CHAIN, holder, snapshot->memory.file, "put the missing file back",
              "its memory is missing");
}

/* ---- who writes where ---- */

static bool
is_preserved_by(const DomainSnapshot *snapshot, const char *path)
{
    for (gsize i = 0; i < snapshot->n_disks; i++) {
        const SnapshotDisk *kept = snapshot->disks[i];
        const Disk *disk = kept->snapshot == DISK_SNAPSHOT_MODE_EXTERNAL && snapshot->domain
                               ? domain_find_disk(snapshot->domain, kept->name)
                               : NULL;

        if (disk && g_strcmp0(disk_source_path(disk->type, &disk->source), path) == 0)
            return true;
    }
    return false;
}

static void
verify_written(Verifier *verifier, const Domain *machine)
{
    const SnapshotTree *tree = verifier->view->snapshots;

    for (gsize i = 0; machine && i < machine->n_disks; i++) {
        const Disk *disk = machine->disks[i];
        const char *path = disk_source_path(disk->type, &disk->source);
        g_autofree char *object = g_strdup_printf("disk %s", disk->target.dev);
        g_autoptr(GPtrArray) users = NULL;

        if (!path || !disk_is_kept(disk))
            continue;
        for (guint n = 0; n < snapshot_tree_size(tree); n++) {
            const DomainSnapshot *snapshot = snapshot_tree_at(tree, n);

            if (is_preserved_by(snapshot, path))
                found(verifier, VERIFY_SHARED, object, path, "put the disk on a new overlay",
                      "the domain writes to the image that snapshot %s keeps", snapshot->name);
        }
        users = image_graph_users(verifier->graph, path);
        for (guint n = 0; n < users->len; n++) {
            if (image_graph_is_held(verifier->graph, users->pdata[n]))
                found(verifier, VERIFY_SHARED, object, path, "put the disk on a new overlay",
                      "the domain writes to an image that '%s' is backed by",
                      (char *)users->pdata[n]);
        }
    }
}

/* ---- files that we made ---- */

static void
verify_records(Verifier *verifier)
{
    g_autoptr(GPtrArray) paths = image_records_paths(verifier->records);

    for (guint i = 0; i < paths->len; i++) {
        const char *path = paths->pdata[i];
        const FileMark *made = image_records_find(verifier->records, path);
        FileMark now;

        remember_folder(verifier, path);
        if (!file_mark_of(path, &now))
            found(verifier, VERIFY_RECORD, verifier->name, path, "put it back, if it is needed",
                  "an image that was made for the domain is missing");
        else if (!file_mark_equal(now, *made))
            found(verifier, VERIFY_RECORD, verifier->name, path, "nothing: it is yours",
                  "an image that was made for the domain has been replaced by another file");
        else if (!image_graph_is_held(verifier->graph, path))
            found(verifier, VERIFY_STRAY, verifier->name, path, "remove it",
                  "it was made for the domain, and nobody needs it any more");
    }
}

/* ".NAME.KIND-0123abcd.new": made by a job, and never published. */
static bool
is_unpublished(const char *name)
{
    return name[0] == '.' && g_str_has_suffix(name, ".new");
}

static bool
is_unknown_revert(const Verifier *verifier, const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *stem = image_name_stem(path);

    return image_name_revert_number(path, stem) > 0 &&
           image_records_last_revert(verifier->records, folder, stem) > 0 &&
           !image_records_find(verifier->records, path) &&
           !image_graph_is_held(verifier->graph, path);
}

/* Memory prepared for mapping whose image is gone. */
static bool
is_lone_cache(const char *path)
{
    g_autofree char *image =
        g_str_has_suffix(path, ".map") ? g_strndup(path, strlen(path) - 4) : NULL;
    g_autofree char *state = g_build_filename(path, "state", NULL);

    return image && !file_exists(image) && file_exists(state);
}

static void
verify_folders(Verifier *verifier)
{
    g_autoptr(GList) folders = g_hash_table_get_keys(verifier->folders);

    for (GList *folder = folders; folder; folder = folder->next) {
        g_auto(GStrv) names = dir_list(folder->data, NULL);

        for (int i = 0; names && names[i]; i++) {
            g_autofree char *path = g_build_filename(folder->data, names[i], NULL);

            if (is_unpublished(names[i]) && !verifier->view->job)
                found(verifier, VERIFY_STRAY, verifier->name, path,
                      "remove it, unless another domain's job runs",
                      "a job made it and did not finish");
            else if (is_lone_cache(path))
                found(verifier, VERIFY_STRAY, verifier->name, path, "remove it",
                      "memory that was prepared for mapping has lost its image");
            else if (is_unknown_revert(verifier, folder->data, names[i]))
                found(verifier, VERIFY_STRAY, verifier->name, path, "remove it, if it is not yours",
                      "it has the name of a revert's image, and nobody needs it");
        }
    }
}

/* ---- all of it ---- */

static int
compare_findings(gconstpointer a, gconstpointer b)
{
    const VerifyFinding *x = *(VerifyFinding *const *)a, *y = *(VerifyFinding *const *)b;

    if (x->rule != y->rule)
        return x->rule < y->rule ? -1 : 1;
    return g_strcmp0(x->object, y->object) ? g_strcmp0(x->object, y->object)
                                           : g_strcmp0(x->path, y->path);
}

static void
verify_images(Verifier *verifier)
{
    const GuestView *view = verifier->view;

    verify_machine(verifier, "the running domain", machine_domain(view->live));
    verify_machine(verifier, "the domain", machine_domain(view->config));
    for (guint i = 0; i < snapshot_tree_size(view->snapshots); i++)
        verify_snapshot(verifier, snapshot_tree_at(view->snapshots, i));
    verify_written(verifier, machine_domain(view->live ? view->live : view->config));
    if (verifier->records) {
        verify_records(verifier);
        verify_folders(verifier);
    }
}

GPtrArray *
snapshot_verify(const GuestView *view)
{
    QemuDriver *qemu = view->guest->qemu;
    g_autoptr(GError) err = NULL;
    g_autoptr(ImageGraph) graph = snapshot_holders(qemu, NULL);
    g_autoptr(ImageRecords) records = image_records_load(qemu, view->view.uuid, &err);
    g_autoptr(GHashTable) folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Verifier verifier = {
        .view = view,
        .qemu = qemu,
        .name = view->view.name,
        .graph = graph,
        .records = records,
        .folders = folders,
        .findings = g_ptr_array_new_with_free_func((GDestroyNotify)verify_finding_free),
    };

    if (!records)
        found(&verifier, VERIFY_METADATA, "the record of images", NULL,
              "keep it; nothing is removed before it can be read", "%s", err->message);
    verify_journal(&verifier);
    verify_config(&verifier);
    verify_metadata(&verifier);
    verify_saved(&verifier);
    verify_tree(&verifier);
    verify_deletions(&verifier);
    verify_images(&verifier);
    g_ptr_array_sort(verifier.findings, compare_findings);
    return verifier.findings;
}
