/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See graph.h. */
#define ERROR_DOMAIN VIR_FROM_STORAGE

#include "image/graph.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"

typedef struct Node Node;
struct Node {
    char *path;
    ImageId id;         /* inode 0: no such file */
    ImageFormat format; /* as which the header was looked at; UNKNOWN: not yet */
    bool is_marked;     /* visited by the search that runs */
    char *problem;      /* why its header could not be read */
    char *remote;       /* what it is backed by, when that is no local file */
    Node *below;
    GPtrArray *above;   /* of Node *, borrowed */
    GPtrArray *holders; /* of char * */
};

struct ImageGraph {
    GHashTable *by_id;   /* ImageId -> Node */
    GHashTable *by_path; /* path -> Node, also for second names of a file */
    GPtrArray *nodes;    /* owns them */
    GPtrArray *unknown;  /* paths whose chain could not be read to its end */
};

static void
node_free(Node *node)
{
    g_free(node->path);
    g_free(node->problem);
    g_free(node->remote);
    g_ptr_array_unref(node->above);
    g_ptr_array_unref(node->holders);
    g_free(node);
}

ImageGraph *
image_graph_new(void)
{
    ImageGraph *graph = g_new0(ImageGraph, 1);

    graph->by_id = g_hash_table_new(image_id_hash, image_id_key_equal);
    graph->by_path = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    graph->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_free);
    graph->unknown = g_ptr_array_new_with_free_func(g_free);
    return graph;
}

void
image_graph_free(ImageGraph *graph)
{
    if (!graph)
        return;
    g_hash_table_unref(graph->by_id);
    g_hash_table_unref(graph->by_path);
    g_ptr_array_unref(graph->nodes);
    g_ptr_array_unref(graph->unknown);
    g_free(graph);
}

static Node *
find_node(const ImageGraph *graph, const char *path)
{
    Node *node = g_hash_table_lookup(graph->by_path, path);
    ImageId id;

    if (!node && image_id_of(path, &id, NULL))
        node = g_hash_table_lookup(graph->by_id, &id);
    return node;
}

static Node *
take_node(ImageGraph *graph, const char *path)
{
    Node *node = find_node(graph, path);

    if (!node) {
        node = g_new0(Node, 1);
        node->path = g_strdup(path);
        node->above = g_ptr_array_new();
        node->holders = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(graph->nodes, node);
        if (image_id_of(path, &node->id, NULL))
            g_hash_table_insert(graph->by_id, &node->id, node);
    }
    g_hash_table_insert(graph->by_path, g_strdup(path), node);
    return node;
}

static void
note_unknown(ImageGraph *graph, const char *path, const char *why)
{
    log_debug(LOG_IMAGE, "image '%s' is not followed: %s", path, why);
    g_ptr_array_add(graph->unknown, g_strdup(path));
}

/* Read the header of @node as @format and return the node below it, or NULL at the end of what can
 * be seen. */
static Node *
read_node(ImageGraph *graph, Node *node, ImageFormat format, ImageFormat *below_format)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(ImageHeader) header = image_header_read_file(node->path, format, &err);
    g_autofree char *path = NULL;
    Node *below;

    node->format = format;
    g_clear_pointer(&node->problem, g_free);
    if (!header) {
        node->problem = g_strdup(err->message);
        note_unknown(graph, node->path, err->message);
        return NULL;
    }
    if (!header->backing_name)
        return NULL;
    *below_format = image_format_from_string(header->backing_format);
    path = image_backing_path(node->path, header->backing_name, below_format);
    if (*below_format == IMAGE_FORMAT_UNKNOWN)
        *below_format = IMAGE_FORMAT_RAW;
    if (!path) {
        node->remote = g_strdup(header->backing_name); /* nobody here removes it */
        return NULL;
    }
    below = take_node(graph, path);
    node->below = below;
    g_ptr_array_add(below->above, node);
    return below;
}

/* Somebody who says "raw" sees nothing below; the next one may know better. */
static bool
wants_reading(const Node *node, ImageFormat format)
{
    return node->format == IMAGE_FORMAT_UNKNOWN ||
           (node->format == IMAGE_FORMAT_RAW && format != IMAGE_FORMAT_RAW);
}

static Node *
add_chain(ImageGraph *graph, const char *path, ImageFormat format)
{
    Node *top = take_node(graph, path);
    Node *node = top;

    for (int depth = 0; node && wants_reading(node, format); depth++) {
        ImageFormat below_format = IMAGE_FORMAT_UNKNOWN;

        if (depth >= IMAGE_CHAIN_MAX) {
            note_unknown(graph, path, "the chain is too long");
            break;
        }
        node = read_node(graph, node, format, &below_format);
        format = below_format;
    }
    return top;
}

static void
add_holder(Node *node, const char *holder)
{
    for (guint i = 0; i < node->holders->len; i++) {
        if (g_str_equal(node->holders->pdata[i], holder))
            return;
    }
    g_ptr_array_add(node->holders, g_strdup(holder));
}

void
image_graph_hold(ImageGraph *graph, const char *holder, const char *path, ImageFormat format)
{
    add_holder(add_chain(graph, path, format), holder);
}

void
image_graph_hold_file(ImageGraph *graph, const char *holder, const char *path)
{
    Node *node = take_node(graph, path);

    add_holder(node, holder);
}

void
image_graph_add(ImageGraph *graph, const char *path, ImageFormat format)
{
    add_chain(graph, path, format);
}

/* Go up from @start over every image that is backed by it and collect who holds one of them. */
static void
collect_holders(Node *start, const char *besides, GHashTable *found)
{
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    g_autoptr(GPtrArray) seen = g_ptr_array_new();

    g_ptr_array_add(open, start);
    start->is_marked = true;
    while (open->len > 0) {
        Node *node = g_ptr_array_steal_index_fast(open, open->len - 1);

        g_ptr_array_add(seen, node);
        for (guint i = 0; i < node->holders->len; i++) {
            char *holder = node->holders->pdata[i];
            if (!besides || !g_str_equal(holder, besides))
                g_hash_table_add(found, holder);
        }
        for (guint i = 0; i < node->above->len; i++) {
            Node *above = node->above->pdata[i];
            if (!above->is_marked) {
                above->is_marked = true;
                g_ptr_array_add(open, above);
            }
        }
    }
    for (guint i = 0; i < seen->len; i++)
        ((Node *)seen->pdata[i])->is_marked = false;
}

static int
compare_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *
image_graph_holders(const ImageGraph *graph, const char *path, const char *besides)
{
    g_autoptr(GHashTable) found = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    Node *node = find_node(graph, path);
    GHashTableIter iter;
    gpointer name;

    if (node)
        collect_holders(node, besides, found);
    g_hash_table_iter_init(&iter, found);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_text);
    return names;
}

GPtrArray *
image_graph_users(const ImageGraph *graph, const char *path)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    Node *node = find_node(graph, path);

    for (guint i = 0; node && i < node->above->len; i++)
        g_ptr_array_add(paths, g_strdup(((Node *)node->above->pdata[i])->path));
    g_ptr_array_sort(paths, compare_text);
    return paths;
}

bool
image_graph_is_held(const ImageGraph *graph, const char *path)
{
    g_autoptr(GPtrArray) holders = image_graph_holders(graph, path, NULL);

    return holders->len > 0;
}

bool
image_graph_is_named(const ImageGraph *graph, const char *path)
{
    const Node *node = find_node(graph, path);

    return node && node->holders->len > 0;
}

const char *
image_graph_below(const ImageGraph *graph, const char *path)
{
    const Node *node = find_node(graph, path);

    if (!node)
        return NULL;
    return node->below ? node->below->path : node->remote;
}

bool
image_graph_check(const ImageGraph *graph, const char *path, GError **err)
{
    const Node *node = find_node(graph, path);

    for (int depth = 0; node; node = node->below) {
        if (node->problem)
            return fail(err, VIR_ERR_OPERATION_FAILED,
                        "image '%s' cannot be used: %s: put it back, or go to "
                        "a state that does not need it",
                        path, node->problem);
        if (++depth > IMAGE_CHAIN_MAX)
            return fail(err, VIR_ERR_OPERATION_FAILED,
                        "the chain of '%s' has more than %d images, or leads back to itself", path,
                        IMAGE_CHAIN_MAX);
    }
    return true;
}

ImageFormat
image_graph_format(const ImageGraph *graph, const char *path)
{
    const Node *node = find_node(graph, path);

    return node && node->format ? node->format : IMAGE_FORMAT_RAW;
}

/* An image whose header cannot be read may need any file beside it. */
static const char *
unknown_in_folder(const ImageGraph *graph, const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);

    for (guint i = 0; i < graph->unknown->len; i++) {
        const char *other = graph->unknown->pdata[i];
        g_autofree char *other_dir = g_path_get_dirname(other);
        if (g_str_equal(dir, other_dir) && !g_str_equal(other, path) &&
            image_graph_is_held(graph, other) && g_file_test(other, G_FILE_TEST_EXISTS))
            return other;
    }
    return NULL;
}

bool
image_graph_may_remove(const ImageGraph *graph, const char *path, FileMark mark, GError **err)
{
    g_autoptr(GPtrArray) holders = NULL;
    const char *unknown;
    FileMark now;

    if (!file_mark_of(path, &now))
        return fail_errno(err, "look at", path);
    if (!file_mark_equal(now, mark))
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "'%s' is not the file that was made there: it is kept", path);
    holders = image_graph_holders(graph, path, NULL);
    if (holders->len > 0)
        return fail(err, VIR_ERR_OPERATION_FAILED, "image '%s' is needed by %s%s", path,
                    (char *)holders->pdata[0], holders->len > 1 ? " and others" : "");
    if (image_count_snapshots(path) > 0)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "image '%s' is kept: there are snapshots inside it", path);
    unknown = unknown_in_folder(graph, path);
    if (unknown)
        return fail(err, VIR_ERR_OPERATION_FAILED,
                    "image '%s' is kept: image '%s' beside it cannot be read and may need it", path,
                    unknown);
    return true;
}
