/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Consoles and channels as streams: the client gets the pseudo terminal or the socket itself. One client at a time. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <fcntl.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/qemu/guest.h"
#include "seam/unix.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestView, view_unref)

/* Paths in use, of all guests. Two connections may ask at the same time. */
static GMutex open_mutex;
static GHashTable *open_paths;

static bool
claim_path(const char *path, guint flags, GError **err)
{
    bool is_free;

    g_mutex_lock(&open_mutex);
    if (!open_paths)
        open_paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    is_free = !g_hash_table_contains(open_paths, path);
    if (is_free)
        g_hash_table_add(open_paths, g_strdup(path));
    g_mutex_unlock(&open_mutex);
    if (!is_free && flags & VIR_DOMAIN_CONSOLE_FORCE)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "another client has '%s' open and cannot be cut off", path);
    return is_free ||
           fail(err, VIR_ERR_OPERATION_FAILED, "Active console session exists for this domain");
}

static void
release_path(const char *path)
{
    g_mutex_lock(&open_mutex);
    g_hash_table_remove(open_paths, path);
    g_mutex_unlock(&open_mutex);
}

static bool
on_stream_done(void *data, bool is_aborted, GError **err)
{
    g_autofree char *path = data;

    release_path(path);
    return true;
}

static bool
open_stream(Call *call, ChardevType type, const Chardev *chardev, const char *alias, guint flags,
            GError **err)
{
    const char *path = chardev->n_sources ? chardev->sources[0]->path : NULL;
    auto_fd int fd = -1;

    if ((type != CHARDEV_TYPE_PTY && type != CHARDEV_TYPE_UNIX) || !path)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "character device %s is not using a PTY or UNIX socket", alias);
    if (!claim_path(path, flags, err))
        return false;
    if (type == CHARDEV_TYPE_PTY) {
        fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            fail_errno(err, "open", path);
    } else {
        fd = unix_connect(path, err);
    }
    if (fd >= 0 && call_set_stream_fd(call, fd_steal(&fd), 0, on_stream_done, g_strdup(path), err))
        return true;
    release_path(path);
    return false;
}

static bool
qemu_domain_open_console(Call *call, const RemoteDomainOpenConsoleArgs *args, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Domain *live = view ? machine_domain(view->live) : NULL;
    const char *name = args->dev_name;

    if (!view || !qemu_check_flags(call, args->flags,
                                   VIR_DOMAIN_CONSOLE_SAFE | VIR_DOMAIN_CONSOLE_FORCE, err))
        return false;
    if (!live)
        return fail_not_running(err);
    for (gsize i = 0; i < live->n_consoles; i++)
        if (!name || !g_strcmp0(name, live->consoles[i]->info.alias_name))
            return open_stream(call, live->consoles[i]->type, &live->consoles[i]->chardev,
                               live->consoles[i]->info.alias_name, args->flags, err);
    for (gsize i = 0; i < live->n_serials; i++)
        if (!name || !g_strcmp0(name, live->serials[i]->info.alias_name))
            return open_stream(call, live->serials[i]->type, &live->serials[i]->chardev,
                               live->serials[i]->info.alias_name, args->flags, err);
    for (gsize i = 0; i < live->n_parallels; i++)
        if (name && !g_strcmp0(name, live->parallels[i]->info.alias_name))
            return open_stream(call, live->parallels[i]->type, &live->parallels[i]->chardev, name,
                               args->flags, err);
    return fail(err, VIR_ERR_INTERNAL_ERROR, "cannot find console device '%s'",
                name ? name : "default");
}

static bool
qemu_domain_open_channel(Call *call, const RemoteDomainOpenChannelArgs *args, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Domain *live = view ? machine_domain(view->live) : NULL;
    const char *name = args->name;

    if (!view || !qemu_check_flags(call, args->flags, VIR_DOMAIN_CHANNEL_FORCE, err))
        return false;
    if (!live)
        return fail_not_running(err);
    for (gsize i = 0; i < live->n_channels; i++) {
        const Channel *channel = live->channels[i];

        if (!name || !g_strcmp0(name, channel->target.name) ||
            !g_strcmp0(name, channel->info.alias_name))
            return open_stream(call, channel->type, &channel->chardev, channel->info.alias_name,
                               args->flags ? VIR_DOMAIN_CONSOLE_FORCE : 0, err);
    }
    return fail(err, VIR_ERR_INTERNAL_ERROR, "cannot find channel %s", name ? name : "default");
}

void
qemu_console_slots(DriverSlots *slots)
{
    slots->domain_open_console = qemu_domain_open_console;
    slots->domain_open_channel = qemu_domain_open_channel;
}
