/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only a running emulator knows: its pseudo terminals, its threads, its trays; and what it is told before the guest
 * runs: passwords and actions. All questions go out in one write. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/guest.h"

/* The pty of chardev @id, as query-chardev has it. */
static const char *
find_pty(const Json *chardevs, const char *id)
{
    gsize i;
    Json *item;

    json_array_foreach(chardevs, i, item)
    {
        const char *file = json_string_value(json_object_get(item, "filename"));

        if (!g_strcmp0(json_string_value(json_object_get(item, "label")), id))
            return file && g_str_has_prefix(file, "pty:") ? file + strlen("pty:") : NULL;
    }
    return NULL;
}

static bool
set_pty(const Json *chardevs, const char *alias, ChardevType type, Chardev *chardev, GError **err)
{
    g_autofree char *id = g_strconcat("char", alias, NULL);
    const char *path;

    if (type != CHARDEV_TYPE_PTY)
        return true;
    path = find_pty(chardevs, id);
    if (!path)
        return fail(err, VIR_ERR_INTERNAL_ERROR, "the emulator does not say which pty '%s' has",
                    alias);
    if (!chardev->n_sources) {
        chardev->sources = g_new0(ChardevSource *, 1);
        chardev->sources[0] = chardev_source_new();
        chardev->n_sources = 1;
    }
    g_free(chardev->sources[0]->path);
    chardev->sources[0]->path = g_strdup(path);
    return true;
}

/* The first console shows the far end of the first serial port. */
static void
mirror_console(Domain *live)
{
    Console *console = live->n_consoles ? live->consoles[0] : NULL;
    const Serial *serial = live->n_serials ? live->serials[0] : NULL;

    if (!console || console->target_type != CONSOLE_TARGET_TYPE_SERIAL || !serial)
        return;
    for (gsize i = 0; i < console->chardev.n_sources; i++)
        chardev_source_free(console->chardev.sources[i]);
    g_free(console->chardev.sources);
    console->type = serial->type;
    console->chardev.n_sources = serial->chardev.n_sources;
    console->chardev.sources = g_new0(ChardevSource *, serial->chardev.n_sources);
    for (gsize i = 0; i < serial->chardev.n_sources; i++)
        console->chardev.sources[i] = chardev_source_copy(serial->chardev.sources[i]);
    g_free(console->info.alias_name);
    console->info.alias_name = g_strdup(serial->info.alias_name);
    g_free(console->tty);
    console->tty = serial->type == CHARDEV_TYPE_PTY && serial->chardev.n_sources
                       ? g_strdup(serial->chardev.sources[0]->path)
                       : NULL;
}

static bool
learn_ptys(const Json *chardevs, Domain *live, GError **err)
{
    for (gsize i = 0; i < live->n_serials; i++)
        if (!set_pty(chardevs, live->serials[i]->info.alias_name, live->serials[i]->type,
                     &live->serials[i]->chardev, err))
            return false;
    for (gsize i = 0; i < live->n_parallels; i++)
        if (!set_pty(chardevs, live->parallels[i]->info.alias_name, live->parallels[i]->type,
                     &live->parallels[i]->chardev, err))
            return false;
    for (gsize i = 0; i < live->n_channels; i++)
        if (!set_pty(chardevs, live->channels[i]->info.alias_name, live->channels[i]->type,
                     &live->channels[i]->chardev, err))
            return false;
    mirror_console(live);
    for (gsize i = 0; i < live->n_consoles; i++) {
        Console *console = live->consoles[i];

        if (console->target_type == CONSOLE_TARGET_TYPE_SERIAL)
            continue;
        if (!set_pty(chardevs, console->info.alias_name, console->type, &console->chardev, err))
            return false;
        g_free(console->tty);
        console->tty =
            console->type == CHARDEV_TYPE_PTY ? g_strdup(console->chardev.sources[0]->path) : NULL;
    }
    return true;
}

/* Is the guest's end of a channel open? */
static void
learn_channels(const Json *chardevs, Domain *live)
{
    for (gsize i = 0; i < live->n_channels; i++) {
        Channel *channel = live->channels[i];
        g_autofree char *id = g_strconcat("char", channel->info.alias_name, NULL);
        gsize j;
        Json *item;

        if (channel->target.type != CHANNEL_TARGET_TYPE_VIRTIO)
            continue;
        json_array_foreach(chardevs, j,
                           item) if (!g_strcmp0(json_string_value(json_object_get(item, "label")),
                                                id)) channel->target.state =
            json_is_true(json_object_get(item, "frontend-open")) ? CHANNEL_STATE_CONNECTED
                                                                 : CHANNEL_STATE_DISCONNECTED;
    }
}

static void
learn_threads(Emulator *emulator, const Json *cpus)
{
    gsize i;
    Json *item;

    g_array_set_size(emulator->vcpu_threads, 0);
    json_array_foreach(cpus, i, item)
    {
        pid_t thread = (pid_t)json_integer_value(json_object_get(item, "thread-id"));
        guint index = (guint)json_integer_value(json_object_get(item, "cpu-index"));

        if (index >= emulator->vcpu_threads->len && index < 4096)
            g_array_set_size(emulator->vcpu_threads, index + 1);
        if (index < emulator->vcpu_threads->len)
            g_array_index(emulator->vcpu_threads, pid_t, index) = thread;
    }
}

/* Does the guest's machine end or pause where it would start anew? */
static void
add_actions(QmpBatch *batch, const Domain *live)
{
    bool reboot_ends = live->on_reboot == LIFECYCLE_ACTION_DESTROY;

    qmp_batch_add(batch, "set-action",
                  json_pack("{s:s s:s}", "reboot", reboot_ends ? "shutdown" : "reset", "panic",
                            live->on_crash == LIFECYCLE_ACTION_UNSET ? "shutdown" : "pause"));
}

static void
add_passwords(QmpBatch *batch, const Domain *live)
{
    for (gsize i = 0; i < live->n_graphics; i++) {
        const Graphics *graphics = live->graphics[i];

        if (graphics->type != GRAPHICS_TYPE_VNC || !graphics->passwd)
            continue;
        qmp_batch_add(batch, "set_password",
                      json_pack("{s:s s:s}", "protocol", "vnc", "password", graphics->passwd));
        if (graphics->passwd_valid_to) {
            g_autofree char *with_zone = g_strconcat(graphics->passwd_valid_to, "Z", NULL);
            g_autoptr(GDateTime) until = g_date_time_new_from_iso8601(with_zone, NULL);
            g_autofree char *seconds =
                g_strdup_printf("%" G_GINT64_FORMAT, until ? g_date_time_to_unix(until) : 0);

            qmp_batch_add(batch, "expire_password",
                          json_pack("{s:s s:s}", "protocol", "vnc", "time", seconds));
        }
    }
}

static void
add_balloon(QmpBatch *batch, const Domain *live)
{
    const Memballoon *balloon = live->memballoon;
    g_autofree char *path = NULL;

    if (!balloon || balloon->model == MEMBALLOON_MODEL_NONE)
        return;
    if (live->has_current_memory && live->current_memory < live->memory.text)
        qmp_batch_add(batch, "balloon",
                      json_pack("{s:I}", "value", (json_int_t)live->current_memory * 1024));
    if (balloon->has_stats_period) {
        path = g_strconcat("/machine/peripheral/", balloon->info.alias_name, NULL);
        qmp_batch_add(batch, "qom-set",
                      json_pack("{s:s s:s s:i}", "path", path, "property",
                                "guest-stats-polling-interval", "value",
                                (int)balloon->stats_period));
    }
}

/* The emulator wants all six rates; 0 is no limit. Bursts and their length only when they are there. */
static Json *
throttle(const Disk *disk)
{
    const DiskIoTune *tune = disk->iotune;
    const struct {
        const char *name;
        bool is_set;
        guint64 value;
    } optional[] = {
        {"bps_max", tune->has_total_bytes_sec_max, tune->total_bytes_sec_max},
        {"bps_rd_max", tune->has_read_bytes_sec_max, tune->read_bytes_sec_max},
        {"bps_wr_max", tune->has_write_bytes_sec_max, tune->write_bytes_sec_max},
        {"iops_max", tune->has_total_iops_sec_max, tune->total_iops_sec_max},
        {"iops_rd_max", tune->has_read_iops_sec_max, tune->read_iops_sec_max},
        {"iops_wr_max", tune->has_write_iops_sec_max, tune->write_iops_sec_max},
        {"bps_max_length", tune->has_total_bytes_sec_max_length, tune->total_bytes_sec_max_length},
        {"bps_rd_max_length", tune->has_read_bytes_sec_max_length, tune->read_bytes_sec_max_length},
        {"bps_wr_max_length", tune->has_write_bytes_sec_max_length,
         tune->write_bytes_sec_max_length},
        {"iops_max_length", tune->has_total_iops_sec_max_length, tune->total_iops_sec_max_length},
        {"iops_rd_max_length", tune->has_read_iops_sec_max_length, tune->read_iops_sec_max_length},
        {"iops_wr_max_length", tune->has_write_iops_sec_max_length,
         tune->write_iops_sec_max_length},
        {"iops_size", tune->has_size_iops_sec, tune->size_iops_sec},
    };
    Json *limits = json_pack(
        "{s:s s:I s:I s:I s:I s:I s:I}", "id", disk->private_data->qom_name, "bps",
        (json_int_t)tune->total_bytes_sec, "bps_rd", (json_int_t)tune->read_bytes_sec, "bps_wr",
        (json_int_t)tune->write_bytes_sec, "iops", (json_int_t)tune->total_iops_sec, "iops_rd",
        (json_int_t)tune->read_iops_sec, "iops_wr", (json_int_t)tune->write_iops_sec);

    for (gsize i = 0; i < G_N_ELEMENTS(optional); i++)
        if (optional[i].is_set && optional[i].value)
            json_object_set_new(limits, optional[i].name,
                                json_integer((json_int_t)optional[i].value));
    if (tune->group_name)
        json_object_set_new(limits, "group", json_string(tune->group_name));
    return limits;
}

static void
add_throttles(QmpBatch *batch, const Domain *live)
{
    for (gsize i = 0; i < live->n_disks; i++)
        if (live->disks[i]->iotune &&
            !disk_source_is_empty(live->disks[i]->type, &live->disks[i]->source))
            qmp_batch_add(batch, "block_set_io_throttle", throttle(live->disks[i]));
}

bool
emulator_learn(Emulator *emulator, Domain *live, GError **err)
{
    g_autoptr(QmpBatch) batch = qmp_batch_new();
    guint chardevs = qmp_batch_add(batch, "query-chardev", NULL);
    guint cpus = qmp_batch_add(batch, "query-cpus-fast", NULL);
    guint iothreads = qmp_batch_add(batch, "query-iothreads", NULL);

    if (!emulator->is_adopted) {
        add_actions(batch, live);
        add_passwords(batch, live);
        add_balloon(batch, live);
        add_throttles(batch, live);
    }
    if (!qmp_batch_run(batch, emulator->qmp, QMP_TIMEOUT_MS, err) || !qmp_batch_all_ok(batch, err))
        return false;
    learn_threads(emulator, qmp_batch_reply(batch, cpus, NULL));
    if (!emulator->is_adopted &&
        !emulator_place(emulator, live, qmp_batch_reply(batch, iothreads, NULL), err))
        return false;
    learn_channels(qmp_batch_reply(batch, chardevs, NULL), live);
    return learn_ptys(qmp_batch_reply(batch, chardevs, NULL), live, err);
}

bool
emulator_take_places(Emulator *emulator, const Domain *live, GError **err)
{
    for (guint i = 0; i + 1 < emulator->staged_paths->len; i += 2) {
        const char *bound = g_ptr_array_index(emulator->staged_paths, i);
        const char *final = g_ptr_array_index(emulator->staged_paths, i + 1);

        /* Renamed already, if this runs again after a crash. */
        if (access(bound, F_OK) == 0 && rename(bound, final) < 0)
            return fail_errno(err, "give its place to socket", final);
    }
    g_ptr_array_set_size(emulator->staged_paths, 0);
    for (gsize i = 0; i < live->n_graphics; i++) {
        const Graphics *graphics = live->graphics[i];
        const GraphicsListen *listen = graphics->n_listens ? graphics->listens[0] : NULL;
        const char *socket = listen && listen->type == GRAPHICS_LISTEN_TYPE_SOCKET && listen->socket
                                 ? listen->socket
                                 : graphics->socket;
        const char *host = listen && listen->address ? listen->address : "127.0.0.1";
        g_autofree char *port = g_strdup_printf("%d", graphics->port);
        Json *address;

        if (graphics->type != GRAPHICS_TYPE_VNC ||
            (listen && listen->type == GRAPHICS_LISTEN_TYPE_NONE))
            continue;
        address = socket ? json_pack("{s:s s:s}", "type", "unix", "path", socket)
                         : json_pack("{s:s s:s s:s}", "type", "inet", "host", host, "port", port);
        if (!qmp_run(emulator->qmp, "display-update",
                     json_pack("{s:s s:[o]}", "type", "vnc", "addresses", address), err))
            return false;
    }
    return true;
}
