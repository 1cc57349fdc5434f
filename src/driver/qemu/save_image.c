/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See save_image.h. Integers are in the byte order of the host that wrote the file. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/save_image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define MAGIC_COMPLETE "LibvirtQemudSave"
#define MAGIC_PARTIAL "LibvirtQemudPart"
#define MAGIC_LEN 16
#define SAVE_VERSION 2
#define SPARE_ROOM 65536             /* for a longer definition later */
#define ROOM_MAX (64u * 1024 * 1024) /* of what is read */

typedef struct {
    char magic[MAGIC_LEN];
    guint32 version;
    guint32 data_len;
    guint32 was_running;
    guint32 compressed;
    guint32 cookie_offset;
    guint32 unused[14];
} SaveHeader;

G_STATIC_ASSERT(sizeof(SaveHeader) == 92);

void
save_image_free(SaveImage *image)
{
    if (!image)
        return;
    g_free(image->xml);
    g_free(image->cookie);
    g_free(image);
}

int
save_image_create(const char *path, const char *xml, const char *cookie, bool was_running,
                  GError **err)
{
    gsize xml_len = strlen(xml) + 1;
    gsize cookie_len = cookie ? strlen(cookie) + 1 : 0;
    gsize room = xml_len + cookie_len + SPARE_ROOM;
    g_autofree char *data = g_malloc0(room);
    SaveHeader header = {
        .version = SAVE_VERSION,
        .data_len = (guint32)room,
        .was_running = was_running,
        .cookie_offset = cookie ? (guint32)xml_len : 0,
    };
    auto_fd int fd = -1;

    if (room > ROOM_MAX) {
        fail(err, VIR_ERR_OPERATION_FAILED, "a definition of %zu bytes is too large to be saved",
             xml_len);
        return -1;
    }
    fd = file_create_new(path, 0600, err);
    if (fd < 0)
        return -1;
    memcpy(header.magic, MAGIC_PARTIAL, MAGIC_LEN);
    memcpy(data, xml, xml_len);
    if (cookie)
        memcpy(data + xml_len, cookie, cookie_len);
    if (!fd_write_all(fd, &header, sizeof(header)) || !fd_write_all(fd, data, room)) {
        fail_errno(err, "write", path);
        unlink(path);
        return -1;
    }
    return fd_steal(&fd);
}

bool
save_image_complete(int fd, const char *path, GError **err)
{
    /* The stream first: a file that says it is complete must be. */
    if (fdatasync(fd) < 0 || pwrite(fd, MAGIC_COMPLETE, MAGIC_LEN, 0) != MAGIC_LEN || fsync(fd) < 0)
        return fail_errno(err, "write", path);
    return true;
}

static void
swap_header(SaveHeader *header)
{
    header->version = GUINT32_SWAP_LE_BE(header->version);
    header->data_len = GUINT32_SWAP_LE_BE(header->data_len);
    header->was_running = GUINT32_SWAP_LE_BE(header->was_running);
    header->compressed = GUINT32_SWAP_LE_BE(header->compressed);
    header->cookie_offset = GUINT32_SWAP_LE_BE(header->cookie_offset);
}

static bool
read_header(int fd, const char *path, SaveHeader *header, GError **err)
{
    if (!fd_read_all(fd, header, sizeof(*header)))
        return fail(err, VIR_ERR_OPERATION_FAILED, "failed to read qemu header from '%s'", path);
    if (memcmp(header->magic, MAGIC_PARTIAL, MAGIC_LEN) == 0)
        return fail(err, VIR_ERR_OPERATION_FAILED, "save image is incomplete");
    if (memcmp(header->magic, MAGIC_COMPLETE, MAGIC_LEN) != 0)
        return fail(err, VIR_ERR_OPERATION_FAILED, "image magic is incorrect");
    if (header->version > SAVE_VERSION)
        swap_header(header);
    if (header->version > SAVE_VERSION)
        return fail(err, VIR_ERR_OPERATION_FAILED, "image version is not supported (%u > %u)",
                    header->version, SAVE_VERSION);
    if (header->data_len == 0 || header->data_len > ROOM_MAX)
        return fail(err, VIR_ERR_OPERATION_FAILED, "invalid header data length: %u",
                    header->data_len);
    if (header->cookie_offset >= header->data_len)
        return fail(err, VIR_ERR_OPERATION_FAILED, "invalid cookie offset: %u",
                    header->cookie_offset);
    return true;
}

SaveImage *
save_image_open(const char *path, int *fd_out, GError **err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    g_autoptr(SaveImage) image = NULL;
    g_autofree char *data = NULL;
    SaveHeader header;

    if (fd < 0)
        return fail_null_errno(err, "open", path);
    if (!read_header(fd, path, &header, err))
        return NULL;
    data = g_try_malloc0((gsize)header.data_len + 1);
    if (!data || !fd_read_all(fd, data, header.data_len))
        return fail_null(err, VIR_ERR_OPERATION_FAILED, "failed to read domain XML from '%s'",
                         path);

    image = g_new0(SaveImage, 1);
    image->xml = g_strdup(data);
    if (header.cookie_offset)
        image->cookie = g_strdup(data + header.cookie_offset);
    image->was_running = header.was_running == 1;
    image->is_complete = true;
    image->compression = header.compressed;
    image->room = header.data_len;
    image->stream_offset = (gint64)sizeof(header) + header.data_len;
    if (fd_out)
        *fd_out = fd_steal(&fd);
    return g_steal_pointer(&image);
}

bool
save_image_is_partial(const char *path)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    SaveHeader header;

    if (fd < 0)
        return false;
    return !fd_read_all(fd, &header, sizeof(header)) ||
           memcmp(header.magic, MAGIC_PARTIAL, MAGIC_LEN) == 0;
}

bool
save_image_edit(const char *path, const char *xml, bool was_running, GError **err)
{
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    g_autofree char *data = NULL;
    gsize xml_len = strlen(xml) + 1, cookie_len = 0;
    SaveHeader header;

    if (fd < 0)
        return fail_errno(err, "open", path);
    if (!read_header(fd, path, &header, err))
        return false;
    data = g_try_malloc0((gsize)header.data_len + 1);
    if (!data || !fd_read_all(fd, data, header.data_len))
        return fail(err, VIR_ERR_OPERATION_FAILED, "failed to read domain XML from '%s'", path);
    if (header.cookie_offset)
        cookie_len = strlen(data + header.cookie_offset) + 1;
    if (xml_len + cookie_len > header.data_len)
        return fail(err, VIR_ERR_OPERATION_FAILED, "new xml too large to fit in file");

    memmove(data + xml_len, data + header.cookie_offset, cookie_len);
    memcpy(data, xml, xml_len);
    memset(data + xml_len + cookie_len, 0, header.data_len - xml_len - cookie_len);
    header.cookie_offset = cookie_len ? (guint32)xml_len : 0;
    header.was_running = was_running;
    if (pwrite(fd, data, header.data_len, sizeof(header)) != (ssize_t)header.data_len ||
        pwrite(fd, &header, sizeof(header), 0) != sizeof(header) || fsync(fd) < 0)
        return fail_errno(err, "write", path);
    return true;
}
