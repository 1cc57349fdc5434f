/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of snapshots that need no guest: the tree, definitions aligned to a machine, files, save
 * images. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/qemu/new_overlay.h"
#include "driver/qemu/save_image.h"
#include "driver/qemu/snapshot_define.h"
#include "driver/qemu/snapshot_store.h"
#include "driver/qemu/snapshot_tree.h"

static SnapshotTree *
tree_of(const char *const *pairs)
{
    SnapshotTree *tree = snapshot_tree_new();

    for (int i = 0; pairs[i]; i += 2) {
        DomainSnapshot *snapshot = domain_snapshot_new();

        snapshot->name = g_strdup(pairs[i]);
        snapshot->parent_name = *pairs[i + 1] ? g_strdup(pairs[i + 1]) : NULL;
        snapshot_tree_put(tree, snapshot);
    }
    return tree;
}

static char *
names_below(const SnapshotTree *tree, const char *name, bool only_direct)
{
    g_autoptr(GPtrArray) list = snapshot_tree_list(tree, name, only_direct);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < list->len; i++)
        g_string_append_printf(text, "%s ", ((const DomainSnapshot *)list->pdata[i])->name);
    return g_string_free(text, FALSE);
}

static const char *const branches[] = {"a", "", "b", "a", "c", "b", "d", "b", "e", "a", NULL};

static void
tree_lists_parents_first_and_the_newest_child_first(void)
{
    g_autoptr(SnapshotTree) tree = tree_of(branches);
    g_autofree char *all = names_below(tree, NULL, false);
    g_autofree char *below = names_below(tree, "b", false);
    g_autofree char *direct = names_below(tree, "a", true);

    g_assert_cmpstr(all, ==, "a e b d c ");
    g_assert_cmpstr(below, ==, "d c ");
    g_assert_cmpstr(direct, ==, "e b ");
}

static void
snapshot_without_its_parent_stands_at_the_root(void)
{
    static const char *const lost[] = {"x", "gone", NULL};
    g_autoptr(SnapshotTree) tree = tree_of(lost);
    g_autofree char *roots = names_below(tree, NULL, true);

    g_assert_cmpstr(roots, ==, "x ");
    g_assert_null(snapshot_tree_parent(tree, snapshot_tree_find(tree, "x")));
}

static void
tree_that_leads_back_to_itself_is_walked_once(void)
{
    static const char *const loop[] = {"a", "b", "b", "a", NULL};
    g_autoptr(SnapshotTree) tree = tree_of(loop);
    g_autofree char *all = names_below(tree, NULL, false);

    g_assert_cmpstr(all, ==, "");
    g_assert_false(snapshot_tree_is_below(tree, "a", "c"));
}

static void
change_of_a_copy_is_not_seen_in_the_original(void)
{
    g_autoptr(SnapshotTree) tree = tree_of(branches);
    g_autoptr(SnapshotTree) copy = NULL;

    snapshot_tree_set_current(tree, "d");
    copy = snapshot_tree_copy(tree);
    snapshot_tree_drop(copy, "d");
    g_assert_null(snapshot_tree_current(copy));
    g_assert_cmpuint(snapshot_tree_size(copy), ==, 4);
    g_assert_cmpstr(snapshot_tree_current(tree), ==, "d");
    g_assert_nonnull(snapshot_tree_find(tree, "d"));
    g_assert_true(snapshot_tree_find(tree, "a") == snapshot_tree_find(copy, "a"));
}

static void
missing_snapshot_is_named_in_the_error(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(snapshot_tree_require(NULL, "zzz", &err));
    g_assert_cmpstr(err->message, ==,
                    "Domain snapshot not found: no domain snapshot with matching name 'zzz'");
}

static Domain *
machine(void)
{
    g_autoptr(GError) err = NULL;
    Domain *dom =
        domain_parse("<domain type='qemu'><name>g</name><memory>1024</memory>"
                     "<os><type>hvm</type></os><devices>"
                     "<disk type='file'><driver type='raw'/><source file='/img/a.raw'/><target "
                     "dev='vda'/></disk>"
                     "<disk type='file'><source file='/img/b.img'/><target dev='vdb'/></disk>"
                     "<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>"
                     "</devices></domain>",
                     MODEL_PARSE_INACTIVE, &err);

    g_assert_no_error(err);
    return dom;
}

static void
disks_that_are_not_named_are_added_in_the_machines_order(void)
{
    g_autoptr(Domain) dom = machine();
    g_autoptr(DomainSnapshot) snapshot =
        snapshot_parse("<domainsnapshot><name>s</name><disks><disk name='vdb' snapshot='no'/>"
                       "</disks></domainsnapshot>",
                       false, true, NULL);

    g_assert_true(snapshot_align_disks(snapshot, dom, DISK_SNAPSHOT_MODE_EXTERNAL, false, NULL));
    g_assert_cmpuint(snapshot->n_disks, ==, 3);
    g_assert_cmpstr(snapshot->disks[0]->name, ==, "vda");
    g_assert_cmpint(snapshot->disks[0]->snapshot, ==, DISK_SNAPSHOT_MODE_EXTERNAL);
    g_assert_cmpint(snapshot->disks[1]->snapshot, ==, DISK_SNAPSHOT_MODE_NO);
    g_assert_cmpint(snapshot->disks[2]->snapshot, ==, DISK_SNAPSHOT_MODE_NO);
}

static void
refuses(const char *disks, const char *wanted)
{
    g_autoptr(Domain) dom = machine();
    g_autofree char *xml =
        g_strdup_printf("<domainsnapshot><name>s</name><disks>%s</disks></domainsnapshot>", disks);
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainSnapshot) snapshot = snapshot_parse(xml, false, true, &err);
    bool done = snapshot &&
                snapshot_align_disks(snapshot, dom, DISK_SNAPSHOT_MODE_EXTERNAL, false, &err) &&
                snapshot_name_images(snapshot, dom, &err);

    g_assert_false(done);
    g_assert_nonnull(strstr(err->message, wanted));
}

static void
wrong_disks_are_refused_by_name(void)
{
    refuses("<disk name='vdz'/>", "no disk named 'vdz'");
    refuses("<disk name='vda'/><disk name='vda'/>", "disk 'vda' specified twice");
    refuses("<disk name='vda'/><disk name='/img/a.raw'/>", "disk 'vda' specified twice");
    refuses("<disk name='vda' snapshot='internal'><source file='/x'/></disk>",
            "requires use of external snapshot mode");
    refuses("<disk name='vda'><source file='rel'/></disk>", "'rel' must be absolute");
    refuses("<disk name='vda' snapshot='external'><source file='/x'/></disk>"
            "<disk name='vdb' snapshot='external'><source file='/x'/></disk>",
            "would both be '/x'");
}

static void
disk_goes_on_its_overlay_and_keeps_its_explicit_chain(void)
{
    g_autoptr(Domain) dom = machine();
    NewOverlay overlay = {.target = (char *)"vda",
                          .path = (char *)"/img/a.s",
                          .format = IMAGE_FORMAT_QCOW2,
                          .node = 9};
    Disk *disk = dom->disks[0];

    disk_put_on_overlay(disk, &overlay);
    g_assert_cmpstr(disk->source.file, ==, "/img/a.s");
    g_assert_cmpint(disk->driver.type, ==, STORAGE_FORMAT_QCOW2);
    g_assert_null(disk->backing_store);
    g_assert_false(disk->source.has_index);

    disk->source.index = 4;
    disk->source.has_index = true;
    disk_put_on_overlay(
        disk, &(NewOverlay){.path = (char *)"/img/a.t", .format = IMAGE_FORMAT_QCOW2, .node = 9});
    g_assert_cmpuint(disk->source.index, ==, 9);
    g_assert_cmpstr(disk->backing_store->source.file, ==, "/img/a.s");
    g_assert_cmpuint(disk->backing_store->index, ==, 4);
    g_assert_cmpint(disk->backing_store->format->type, ==, STORAGE_FORMAT_QCOW2);
}

static void
overlays_survive_the_journal(void)
{
    g_autoptr(GPtrArray) overlays = new_overlays_new();
    g_autoptr(GPtrArray) loaded = NULL;
    g_autoptr(Record) record = record_new();
    NewOverlay *overlay = g_new0(NewOverlay, 1);
    const NewOverlay *again;

    *overlay = (NewOverlay){.target = g_strdup("vda"),
                            .base_path = g_strdup("/img/a"),
                            .base_format = IMAGE_FORMAT_RAW,
                            .path = g_strdup("/img/a.s"),
                            .format = IMAGE_FORMAT_QCOW2,
                            .backing_name = g_strdup("a"),
                            .size_bytes = 1ull << 40,
                            .cluster_bits = 16,
                            .extended_l2 = true,
                            .node = 7,
                            .base_node = 3};
    g_ptr_array_add(overlays, overlay);
    new_overlays_save(overlays, record);
    loaded = new_overlays_load(record);
    again = new_overlays_find(loaded, "vda");
    g_assert_cmpstr(again->backing_name, ==, "a");
    g_assert_cmpuint(again->size_bytes, ==, 1ull << 40);
    g_assert_cmpint(again->base_format, ==, IMAGE_FORMAT_RAW);
    g_assert_true(again->extended_l2);
    g_assert_false(again->is_reused);
    g_assert_cmpuint(again->node, ==, 7);
    g_assert_true(new_overlays_find_base(loaded, "/img/a") == again);
}

static void
file_says_which_snapshot_is_current_and_reads_back(void)
{
    g_autoptr(DomainSnapshot) snapshot =
        snapshot_parse("<domainsnapshot><name>s</name><description>&lt;x&gt;</description>"
                       "</domainsnapshot>",
                       false, true, NULL);
    g_autoptr(DomainSnapshot) again = NULL;
    g_autofree char *text = NULL;
    bool is_current = false;

    snapshot->state = SNAPSHOT_STATE_SHUTOFF;
    text = snapshot_file_text(snapshot, true);
    g_assert_true(g_str_has_prefix(text, "<!--\nWARNING"));
    g_assert_nonnull(strstr(text, "<active>1</active>"));
    again = snapshot_from_file_text(text, &is_current, NULL);
    g_assert_true(is_current);
    g_assert_cmpstr(again->description, ==, "<x>");
    g_assert_cmpint(again->state, ==, SNAPSHOT_STATE_SHUTOFF);
    g_assert_false(again->has_active);
}

static void
file_of_long_ago_with_only_a_uuid_loads(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DomainSnapshot) snapshot = snapshot_from_file_text(
        "<domainsnapshot><name>old</name><state>running</state><creationTime>5</"
        "creationTime><parent><name>p</name></parent>"
        "<domain><uuid>9d37b878-a7cc-9f9a-b78f-49b3abad25a8</uuid></domain><active>0</active></"
        "domainsnapshot>",
        NULL, &err);

    g_assert_no_error(err);
    g_assert_null(snapshot->domain);
    g_assert_cmpstr(snapshot->parent_name, ==, "p");
    g_assert_cmpint(snapshot->creation_time, ==, 5);
}

static void
save_image_is_incomplete_until_it_is_said_to_be_whole(void)
{
    g_autofree char *dir = g_dir_make_tmp("save-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "x", NULL);
    g_autoptr(SaveImage) image = NULL;
    g_autoptr(GError) err = NULL;
    auto_fd int fd = save_image_create(path, "<domain/>", "<cookie/>", true, &err);
    auto_fd int again = -1;

    g_assert_no_error(err);
    g_assert_true(fd_write_all(fd, "QEVM", 4));
    g_assert_null(save_image_open(path, NULL, &err));
    g_assert_nonnull(strstr(err->message, "save image is incomplete"));
    g_assert_true(save_image_is_partial(path));
    g_assert_true(save_image_complete(fd, path, NULL));
    image = save_image_open(path, &again, NULL);
    g_assert_cmpstr(image->xml, ==, "<domain/>");
    g_assert_cmpstr(image->cookie, ==, "<cookie/>");
    g_assert_true(image->was_running);
    g_assert_cmpint(lseek(again, 0, SEEK_CUR), ==, image->stream_offset);
    unlink(path);
    rmdir(dir);
}

static void
definition_in_a_save_image_is_replaced_within_its_room(void)
{
    g_autofree char *dir = g_dir_make_tmp("save-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "x", NULL);
    g_autofree char *large = g_strnfill(70000, 'x');
    auto_fd int fd = save_image_create(path, "<domain/>", "<cookie/>", false, NULL);
    g_autoptr(SaveImage) image = NULL;
    g_autoptr(GError) err = NULL;

    g_assert_true(save_image_complete(fd, path, NULL));
    g_assert_true(
        save_image_edit(path, "<domain><name>longer than before</name></domain>", true, NULL));
    image = save_image_open(path, NULL, NULL);
    g_assert_cmpstr(image->xml, ==, "<domain><name>longer than before</name></domain>");
    g_assert_cmpstr(image->cookie, ==, "<cookie/>");
    g_assert_true(image->was_running);
    g_assert_false(save_image_edit(path, large, true, &err));
    g_assert_nonnull(strstr(err->message, "too large"));
    unlink(path);
    rmdir(dir);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/snapshot/" #name, name)
    ADD(tree_lists_parents_first_and_the_newest_child_first);
    ADD(snapshot_without_its_parent_stands_at_the_root);
    ADD(tree_that_leads_back_to_itself_is_walked_once);
    ADD(change_of_a_copy_is_not_seen_in_the_original);
    ADD(missing_snapshot_is_named_in_the_error);
    ADD(disks_that_are_not_named_are_added_in_the_machines_order);
    ADD(wrong_disks_are_refused_by_name);
    ADD(disk_goes_on_its_overlay_and_keeps_its_explicit_chain);
    ADD(overlays_survive_the_journal);
    ADD(file_says_which_snapshot_is_current_and_reads_back);
    ADD(file_of_long_ago_with_only_a_uuid_loads);
    ADD(save_image_is_incomplete_until_it_is_said_to_be_whole);
    ADD(definition_in_a_save_image_is_replaced_within_its_room);
    return g_test_run();
}
