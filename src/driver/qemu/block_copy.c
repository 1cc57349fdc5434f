/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Planning copies of disks: where to, in which format, on which backing images. The job is disk_job_run.c's. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/qemu/disk_job.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/flags.h"
#include "driver/qemu/snapshot.h"
#include "image/reader.h"
#include "object/params.h"

/* ---- the destination ---- */

/* Size of the disk as the guest sees it now. */
static bool
read_size(Guest *guest, const Disk *disk, guint64 *bytes, GError **err)
{
    g_autofree char *node = node_format_name(disk->source.index);
    g_autoptr(Json) devices = qmp_call(guest->emulator->qmp, "query-block", NULL, err);
    gsize i;
    json_t *device;

    if (!devices)
        return false;
    json_array_foreach(devices, i, device)
    {
        const Json *inserted = json_object_get(device, "inserted");

        if (g_strcmp0(json_string_value(json_object_get(inserted, "node-name")), node) != 0)
            continue;
        *bytes = (guint64)json_integer_value(
            json_object_get(json_object_get(inserted, "image"), "virtual-size"));
        return true;
    }
    return fail(err, VIR_ERR_INTERNAL_ERROR, "disk %s: QEMU does not know its image",
                disk->target.dev);
}

/* A file that the user made for this: no guest has written to it, so its magic tells the format. */
static bool
guess_format(const char *path, ImageFormat *format, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ImageReader reader;

    if (fd < 0)
        return fail_errno(err, "open", path);
    if (!image_reader_of_fd(&reader, fd, path, err))
        return false;
    *format = image_header_guess(&reader);
    return true;
}

static bool
check_destination(const Disk *disk, const Disk *destination, const CopyOptions *options,
                  GError **err)
{
    const char *path = disk_source_path(destination->type, &destination->source);
    struct stat st;

    if (destination->type != STORAGE_TYPE_FILE && destination->type != STORAGE_TYPE_BLOCK)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: a copy to source type '%s' is not supported: name a file or a block "
                    "device",
                    disk->target.dev, storage_type_to_string(destination->type));
    if (!path || path[0] != '/')
        return fail(err, VIR_ERR_INVALID_ARG, "disk %s: the copy needs an absolute path, not '%s'",
                    disk->target.dev, path ? path : "");
    if (stat(path, &st) < 0) {
        if (destination->type == STORAGE_TYPE_FILE && !options->is_reused)
            return true;
        fail_errno(err, "find the copy's image", path);
        g_prefix_error(err, "disk %s: ", disk->target.dev);
        return false;
    }
    if (S_ISBLK(st.st_mode) != (destination->type == STORAGE_TYPE_BLOCK))
        return fail(err, VIR_ERR_INVALID_ARG,
                    "disk %s: '%s' is %s block device: say so in its type", disk->target.dev, path,
                    S_ISBLK(st.st_mode) ? "a" : "no");
    return options->is_reused || S_ISBLK(st.st_mode) ||
           fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "external destination file for disk %s already exists and is not a block device: "
                "%s: remove it, or use it with VIR_DOMAIN_BLOCK_COPY_REUSE_EXT",
                disk->target.dev, path);
}

/* Nobody on this host may need what the copy overwrites. */
static bool
check_unused(Guest *guest, const Disk *disk, const char *path, GError **err)
{
    g_autoptr(ImageGraph) graph = snapshot_holders(guest->qemu, NULL);
    g_autoptr(GPtrArray) holders = image_graph_holders(graph, path, NULL);

    return holders->len == 0 ||
           fail(err, VIR_ERR_OPERATION_INVALID,
                "disk %s: the copy would overwrite '%s', which %s needs: choose another file",
                disk->target.dev, path, (const char *)holders->pdata[0]);
}

static bool
choose_format(const Disk *disk, const Disk *destination, const CopyOptions *options,
              ImageFormat *format, GError **err)
{
    const char *path = disk_source_path(destination->type, &destination->source);

    if (destination->driver.type != STORAGE_FORMAT_UNSET)
        *format = image_format_from_string(storage_format_to_string(destination->driver.type));
    else if (!options->is_reused)
        *format = disk_image_format(disk);
    else if (!guess_format(path, format, err))
        return false;
    if (*format != IMAGE_FORMAT_RAW && *format != IMAGE_FORMAT_QCOW2 && *format != IMAGE_FORMAT_QED)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: a copy in format '%s' is not supported: use raw or qcow2",
                    disk->target.dev, image_format_to_string(*format));
    if (destination->type == STORAGE_TYPE_BLOCK && *format != IMAGE_FORMAT_RAW &&
        !options->is_reused)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "disk %s: make the %s image on '%s' first (qemu-img create) and copy with "
                    "VIR_DOMAIN_BLOCK_COPY_REUSE_EXT",
                    disk->target.dev, image_format_to_string(*format), path);
    return !options->is_shallow || *format != IMAGE_FORMAT_RAW ||
           fail(err, VIR_ERR_INVALID_ARG,
                "disk %s: a shallow copy needs a format with backing images, not raw",
                disk->target.dev);
}

/* ---- what is below the copy ---- */

static void
number_layers(Guest *guest, BackingStore *layer)
{
    for (; layer && layer->type != STORAGE_TYPE_UNSET; layer = layer->backing_store) {
        layer->index = guest_next_node(guest);
        layer->has_index = true;
        layer->source.index = layer->index;
        layer->source.has_index = true;
    }
}

/* A shallow copy stands on what the disk stands on; a file of the user's may name the same images or others. */
static bool
choose_backing(Guest *guest, const Disk *disk, Disk *copy, const CopyOptions *options, GError **err)
{
    const BackingStore *below = disk->backing_store;
    const char *path;

    if (!options->is_shallow || !below || below->type == STORAGE_TYPE_UNSET) {
        copy->backing_store = backing_store_new();
        return true;
    }
    if (!options->is_reused) {
        copy->backing_store = backing_store_copy(below);
        return true;
    }
    if (!disk_read_chain(copy, err))
        return false;
    path = copy->backing_store
               ? disk_source_path(copy->backing_store->type, &copy->backing_store->source)
               : NULL;
    if (g_strcmp0(path, disk_source_path(below->type, &below->source)) == 0) {
        backing_store_free(copy->backing_store);
        copy->backing_store = backing_store_copy(below);
        return true;
    }
    number_layers(guest, copy->backing_store);
    return true;
}

static NewOverlay *
plan_file(const Disk *disk, const Disk *copy, ImageFormat format, guint64 size_bytes,
          const CopyOptions *options)
{
    const BackingStore *below = options->is_shallow ? copy->backing_store : NULL;
    NewOverlay *file = g_new0(NewOverlay, 1);

    file->target = g_strdup(disk->target.dev);
    file->base_path = g_strdup(disk_source_path(disk->type, &disk->source));
    file->path = g_strdup(disk_source_path(copy->type, &copy->source));
    file->format = format;
    file->size_bytes = size_bytes;
    file->node = copy->source.index;
    file->is_reused = options->is_reused || copy->type == STORAGE_TYPE_BLOCK;
    file->base_format = IMAGE_FORMAT_RAW;
    if (below && below->type != STORAGE_TYPE_UNSET) {
        file->backing_name = g_strdup(disk_source_path(below->type, &below->source));
        if (below->format)
            file->base_format =
                image_format_from_string(storage_format_to_string(below->format->type));
    }
    return file;
}

/* The disk as it will be on the copy. */
static Disk *
make_copy(Guest *guest, const Disk *disk, const Disk *destination, ImageFormat format,
          const CopyOptions *options, GError **err)
{
    g_autoptr(Disk) copy = disk_copy(destination);

    g_free(copy->target.dev);
    copy->target.dev = g_strdup(disk->target.dev);
    copy->target.bus = disk->target.bus;
    copy->device = disk->device;
    copy->driver = disk->driver;
    copy->driver.name = g_strdup(disk->driver.name);
    copy->driver.type = storage_format_from_string(image_format_to_string(format));
    backing_store_free(g_steal_pointer(&copy->backing_store));
    copy->source.index = guest_next_node(guest);
    copy->source.has_index = true;
    return choose_backing(guest, disk, copy, options, err) ? g_steal_pointer(&copy) : NULL;
}

bool
disk_copy_begin(Guest *guest, const Disk *disk, const Disk *destination, const CopyOptions *options,
                Call *call, GError **err)
{
    g_autoptr(DiskJobPlan) plan = disk_job_plan_new(VIR_DOMAIN_BLOCK_JOB_TYPE_COPY, disk);
    ImageFormat format;
    guint64 size_bytes = 0;

    if (!check_destination(disk, destination, options, err) ||
        !check_unused(guest, disk, disk_source_path(destination->type, &destination->source),
                      err) ||
        !choose_format(disk, destination, options, &format, err) ||
        !read_size(guest, disk, &size_bytes, err))
        return false;
    plan->copy = make_copy(guest, disk, destination, format, options, err);
    if (!plan->copy)
        return false;
    disk_job_plan_add_nodes(plan, plan->copy);
    g_ptr_array_add(plan->copies, plan_file(disk, plan->copy, format, size_bytes, options));
    plan->bytes_per_second = options->bytes_per_second;
    plan->granularity = options->granularity;
    plan->buffer_bytes = options->buffer_bytes;
    plan->is_shallow = options->is_shallow;
    plan->is_synchronous = options->is_synchronous;
    return disk_job_begin(guest, g_steal_pointer(&plan), call, err);
}

/* ---- the call ---- */

/* TRANSIENT_JOB says that the job may end with the guest, which it does either way. */
#define COPY_FLAGS                                                     \
    (VIR_DOMAIN_BLOCK_COPY_SHALLOW | VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | \
     VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB | VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES)

static const ParamRule rules[] = {
    {VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, VIR_TYPED_PARAM_ULLONG, false},
    {VIR_DOMAIN_BLOCK_COPY_GRANULARITY, VIR_TYPED_PARAM_UINT, false},
    {VIR_DOMAIN_BLOCK_COPY_BUF_SIZE, VIR_TYPED_PARAM_ULLONG, false},
    {0},
};

static bool
read_options(const RemoteDomainBlockCopyArgs *args, CopyOptions *options, GError **err)
{
    unsigned long long bandwidth = 0, buffer = 0;
    unsigned int granularity = 0;

    if (!params_check(args->params.items, args->params.count, rules, err) ||
        params_get_ullong(args->params.items, args->params.count, VIR_DOMAIN_BLOCK_COPY_BANDWIDTH,
                          &bandwidth, err) < 0 ||
        params_get_uint(args->params.items, args->params.count, VIR_DOMAIN_BLOCK_COPY_GRANULARITY,
                        &granularity, err) < 0 ||
        params_get_ullong(args->params.items, args->params.count, VIR_DOMAIN_BLOCK_COPY_BUF_SIZE,
                          &buffer, err) < 0)
        return false;
    if (granularity & (granularity - 1))
        return fail(err, VIR_ERR_INVALID_ARG, "granularity must be power of 2");
    if (bandwidth > G_MAXINT64 || buffer > G_MAXINT64)
        return fail(err, VIR_ERR_OVERFLOW, "bandwidth and buffer must be at most %" G_GINT64_FORMAT,
                    G_MAXINT64);
    *options = (CopyOptions){
        .bytes_per_second = bandwidth,
        .granularity = granularity,
        .buffer_bytes = buffer,
        .is_shallow = args->flags & VIR_DOMAIN_BLOCK_COPY_SHALLOW,
        .is_reused = args->flags & VIR_DOMAIN_BLOCK_COPY_REUSE_EXT,
        .is_synchronous = args->flags & VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES,
    };
    return true;
}

static bool
domain_block_copy(Call *call, const RemoteDomainBlockCopyArgs *args, GError **err)
{
    g_autoptr(Guest) guest = NULL;
    g_autoptr(Disk) destination = NULL;
    CopyOptions options;
    const Disk *disk;

    if (!flags_check(args->flags, COPY_FLAGS, "qemuDomainBlockCopy", err) ||
        !read_options(args, &options, err))
        return false;
    guest = guest_of_call(call, &args->dom, err);
    disk = guest ? disk_job_prepare(guest, args->path, err) : NULL;
    if (!disk)
        return false;
    destination = disk_parse(args->destxml, MODEL_PARSE_INACTIVE, err);
    if (!destination)
        return false;
    if (disk_source_is_empty(destination->type, &destination->source)) {
        error_set(err, VIR_FROM_DOMAIN, VIR_ERR_NO_SOURCE, "%s", disk->target.dev);
        return false;
    }
    return disk_copy_begin(guest, disk, destination, &options, call, err);
}

void
block_copy_slots(DriverSlots *slots)
{
    slots->domain_block_copy = domain_block_copy;
}
