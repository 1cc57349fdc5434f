/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See kept.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "driver/qemu/image_record.h"
#include "driver/qemu/snapshot.h"
#include "driver/qemu/snapshot_delete.h"
#include "driver/qemu/snapshot_store.h"
#include "loop/loop.h"
#include "seam/clock.h"

#define FILE_MAX_BYTES (16 * 1024 * 1024)
#define LOOK_AGAIN_S (24 * 3600)
#define BUSY_WAIT_S 60

KeptState *
kept_state_new(gint64 expires, DomainSnapshot *take_node)
{
    KeptState *kept = g_new0(KeptState, 1);

    g_atomic_ref_count_init(&kept->refs);
    kept->expires = expires;
    kept->node = take_node;
    return kept;
}

KeptState *
kept_state_ref(KeptState *kept)
{
    g_atomic_ref_count_inc(&kept->refs);
    return kept;
}

void
kept_state_unref(KeptState *kept)
{
    if (!kept || !g_atomic_ref_count_dec(&kept->refs))
        return;
    domain_snapshot_free(kept->node);
    g_free(kept);
}

char *
kept_state_to_text(const KeptState *kept)
{
    g_autofree char *xml = snapshot_file_text(kept->node, false);
    g_autoptr(Json) root =
        json_pack("{s:I, s:s}", "expires", (json_int_t)kept->expires, "node", xml);
    char *text = json_dumps(root, JSON_INDENT(1));
    char *copy = g_strdup(text);

    free(text);
    return copy;
}

KeptState *
kept_state_from_text(const char *text, GError **err)
{
    g_autoptr(Json) root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const Json *expires = json_object_get(root, "expires");
    const char *xml = json_string_value(json_object_get(root, "node"));
    DomainSnapshot *node;

    if (!json_is_integer(expires) || !xml)
        return fail_null(err, VIR_ERR_OPERATION_FAILED,
                         "it must be an object with 'expires', a number, and 'node', a text");
    node = snapshot_from_file_text(xml, NULL, err);
    return node ? kept_state_new(json_integer_value(expires), node) : NULL;
}

/* ---- files ---- */

static char *
path_of(const Guest *guest, const char *ending)
{
    char uuid[UUID_TEXT];

    uuid_format(guest->uuid, uuid);
    return g_strdup_printf("%s/kept/%s.%s", guest->qemu->lib_dir, uuid, ending);
}

char *
kept_memory_path(const Guest *guest)
{
    /* The one that is there may be needed until the job is done. */
    g_autofree char *first = path_of(guest, "memory");

    return file_exists(first) ? path_of(guest, "memory-2") : g_steal_pointer(&first);
}

static bool
save(const Guest *guest, const KeptState *kept, GError **err)
{
    g_autofree char *path = path_of(guest, "json");
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *text = NULL;

    if (!kept)
        return file_remove(path, err);
    text = kept_state_to_text(kept);
    return dir_make(dir, 0700, err) && file_write_atomic(path, text, strlen(text), 0600, err);
}

/* ---- its time ---- */

static void look_at_expiry(void *opaque);

static void
on_timer(void *opaque)
{
    Guest *guest = opaque;

    strand_post_internal(guest->strand, look_at_expiry, guest_ref(guest));
}

static void
release_guest(void *guest)
{
    guest_unref(guest);
}

static void
wait_for_expiry(Guest *guest, gint64 seconds)
{
    guint wait_ms = (guint)(CLAMP(seconds, 1, LOOK_AGAIN_S) * 1000);

    loop_timer_stop(g_steal_pointer(&guest->kept_timer));
    guest->kept_timer = loop_timer_start(guest->qemu->host->loop, wait_ms, on_timer,
                                         guest_ref(guest), release_guest);
}

void
kept_forget_timer(Guest *guest)
{
    loop_timer_stop(g_steal_pointer(&guest->kept_timer));
}

/* The images from the tops down to the first that somebody needs. */
static DeletePlan *
plan_collection(Guest *guest, GError **err)
{
    g_autoptr(ImageRecords) records = image_records_load(guest->qemu, guest->uuid, err);
    g_autoptr(KeptState) kept = g_steal_pointer(&guest->kept);
    g_autoptr(ImageGraph) graph = NULL;
    DeletePlan *plan;

    if (!records) {
        guest->kept = g_steal_pointer(&kept);
        return NULL;
    }
    graph = snapshot_holders(guest->qemu, guest);
    guest_hold_images(graph, guest);
    plan = delete_plan_new();
    plan->drops_kept = true;
    doomed_images_plan(plan->doomed, graph, records, kept->node->domain, NULL);
    doomed_images_plan(plan->doomed, graph, records, kept->node->inactive_domain, NULL);
    doomed_images_plan_file(plan->memories, graph, records, kept->node->memory.file);
    guest->kept = g_steal_pointer(&kept);
    return plan;
}

static void
look_at_expiry(void *opaque)
{
    g_autoptr(Guest) guest = opaque;
    g_autoptr(GError) err = NULL;
    DeletePlan *plan;
    gint64 left;

    if (!guest->kept || guest->is_gone)
        return;
    left = guest->kept->expires - clock_wall_seconds();
    if (left > 0 || guest->job) {
        wait_for_expiry(guest, left > 0 ? left : BUSY_WAIT_S);
        return;
    }
    log_info(LOG_QEMU, "%s: the time of the state that a revert left is over", guest->name);
    plan = plan_collection(guest, &err);
    if (!plan || !guest_run_job(guest, job_new(&snapshot_delete_kind, guest->name, plan, guest),
                                NULL, NULL, &err)) {
        log_error(LOG_QEMU, "%s: what a revert left is not removed: %s", guest->name, err->message);
        wait_for_expiry(guest, LOOK_AGAIN_S);
    }
}

/* ---- of a guest ---- */

void
kept_load(Guest *guest)
{
    g_autofree char *path = path_of(guest, "json");
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;

    if (guest->kept || !file_exists(path))
        return;
    text = file_read(path, FILE_MAX_BYTES, NULL, &err);
    guest->kept = text ? kept_state_from_text(text, &err) : NULL;
    if (!guest->kept) {
        log_error(LOG_QEMU, "%s: '%s' cannot be read and is left: %s", guest->name, path,
                  err->message);
        return;
    }
    wait_for_expiry(guest, guest->kept->expires - clock_wall_seconds());
}

bool
kept_set(Guest *guest, KeptState *take_kept, GError **err)
{
    g_autoptr(KeptState) kept = take_kept;

    if (!save(guest, kept, err))
        return false;
    kept_state_unref(guest->kept);
    guest->kept = g_steal_pointer(&kept);
    kept_forget_timer(guest);
    if (guest->kept)
        wait_for_expiry(guest, guest->kept->expires - clock_wall_seconds());
    return true;
}

void
kept_hold_images(ImageGraph *graph, const char *domain, const KeptState *kept)
{
    g_autofree char *holder = g_strdup_printf("what a revert left of domain %s", domain);

    if (!kept)
        return;
    machine_hold_images(graph, holder, kept->node->domain);
    machine_hold_images(graph, holder, kept->node->inactive_domain);
    if (kept->node->memory.file)
        image_graph_hold_file(graph, holder, kept->node->memory.file);
}

void
kept_discard(Guest *guest)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DeletePlan) plan = NULL;
    g_autoptr(ImageGraph) graph = NULL;
    g_autoptr(ImageRecords) records = NULL;

    kept_forget_timer(guest);
    if (!guest->kept)
        return;
    plan = plan_collection(guest, &err);
    records = plan ? image_records_load(guest->qemu, guest->uuid, &err) : NULL;
    g_clear_pointer(&guest->kept, kept_state_unref);
    if (records) {
        graph = snapshot_holders(guest->qemu, guest);
        g_ptr_array_extend_and_steal(plan->doomed, g_steal_pointer(&plan->memories));
        for (guint i = 0; i < plan->doomed->len; i++) {
            g_autoptr(GError) why = NULL;

            if (!doomed_image_remove(guest, plan->doomed->pdata[i], graph, records, &why))
                log_warning(LOG_QEMU, "%s: %s", guest->name, why->message);
        }
        image_records_save(records, &err);
    }
    if (err)
        log_warning(LOG_QEMU, "%s: %s", guest->name, err->message);
    g_clear_error(&err);
    if (!save(guest, NULL, &err))
        log_warning(LOG_QEMU, "%s: %s", guest->name, err->message);
}
