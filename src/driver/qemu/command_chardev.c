/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Serial and parallel ports, consoles, channels, and the far ends of their data. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "driver/qemu/command_line.h"
#include "seam/unix.h"

static bool
refuse_chardev(GError **err, const char *id, const char *what)
{
    return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                "character device %s: %s is not supported by this QEMU driver", id + strlen("char"),
                what);
}

static const ChardevSource *
find_source(const Chardev *chardev, ChardevMode mode)
{
    for (gsize i = 0; i < chardev->n_sources; i++)
        if (mode == CHARDEV_MODE_UNSET || chardev->sources[i]->mode == mode)
            return chardev->sources[i];
    return NULL;
}

/* The daemon binds, so that the socket is there before the emulator runs; a staged emulator's gets its place later. */
static bool
append_listening_unix(CommandLine *line, GString *value, const char *path, GError **err)
{
    g_autofree char *bound = line->is_staged ? g_strconcat(path, ".staged", NULL) : g_strdup(path);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *escaped = line_escape(path);
    int fd;

    if (line->is_dry) {
        g_string_append_printf(value, ",path=%s", escaped);
        return true;
    }
    if (!dir_make(folder, 0755, err))
        return false;
    fd = line_keep_fd(line, unix_listen(bound, 0700, 1, err));
    if (fd < 0)
        return false;
    g_ptr_array_add(line->made_paths, g_strdup(bound));
    if (line->is_staged) {
        g_ptr_array_add(line->staged_paths, g_strdup(bound));
        g_ptr_array_add(line->staged_paths, g_strdup(path));
    }
    g_string_append_printf(value, ",fd=%d", fd);
    return true;
}

static void
append_reconnect(GString *value, const ChardevSource *source)
{
    if (source->reconnect)
        g_string_append_printf(value, ",reconnect=%u",
                               source->reconnect->enabled && source->reconnect->has_timeout
                                   ? source->reconnect->timeout
                                   : 0);
}

static bool
append_unix(CommandLine *line, GString *value, const ChardevSource *source, const char *id,
            GError **err)
{
    g_autofree char *escaped = NULL;

    if (!source->path)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "character device %s has no path", id);
    if (source->mode != CHARDEV_MODE_CONNECT) {
        if (!append_listening_unix(line, value, source->path, err))
            return false;
        g_string_append(value, ",server=on,wait=off");
        return true;
    }
    escaped = line_escape(source->path);
    g_string_append_printf(value, ",path=%s", escaped);
    append_reconnect(value, source);
    return true;
}

static bool
append_tcp(GString *value, const Chardev *chardev, const ChardevSource *source, const char *id,
           GError **err)
{
    g_autofree char *host = line_escape(source->host ? source->host : "");

    if (source->tls == TRISTATE_YES || chardev->protocol_type == CHARDEV_PROTOCOL_TLS)
        return refuse_chardev(err, id, "TLS");
    g_string_append_printf(value, ",host=%s,port=%s", host, source->service ? source->service : "");
    if (chardev->protocol_type == CHARDEV_PROTOCOL_TELNET)
        g_string_append(value, ",telnet=on");
    if (source->mode != CHARDEV_MODE_CONNECT)
        g_string_append(value, ",server=on,wait=off");
    else
        append_reconnect(value, source);
    return true;
}

static void
append_udp(GString *value, const Chardev *chardev)
{
    const ChardevSource *to = find_source(chardev, CHARDEV_MODE_CONNECT);
    const ChardevSource *from = find_source(chardev, CHARDEV_MODE_BIND);
    g_autofree char *host = line_escape(to && to->host ? to->host : "");
    g_autofree char *local = line_escape(from && from->host ? from->host : "");

    g_string_append_printf(value, ",host=%s,port=%s,localaddr=%s,localport=%s", host,
                           to && to->service ? to->service : "", local,
                           from && from->service ? from->service : "0");
}

static bool
append_path(GString *value, const ChardevSource *source, const char *id, GError **err)
{
    g_autofree char *path = source && source->path ? line_escape(source->path) : NULL;

    if (!path)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "character device %s has no path", id);
    g_string_append_printf(value, ",path=%s", path);
    if (source->append != TRISTATE_UNSET)
        g_string_append_printf(value, ",append=%s", source->append == TRISTATE_ON ? "on" : "off");
    return true;
}

static bool
append_far_end(CommandLine *line, GString *value, const char *id, ChardevType type,
               const Chardev *chardev, GError **err)
{
    static const ChardevSource nothing;
    const ChardevSource *source = find_source(chardev, CHARDEV_MODE_UNSET);
    g_autofree char *what = NULL;

    if (!source)
        source = &nothing;
    switch (type) {
    case CHARDEV_TYPE_NULL:
    case CHARDEV_TYPE_VC:
    case CHARDEV_TYPE_PTY:
    case CHARDEV_TYPE_STDIO:
        return true;
    case CHARDEV_TYPE_DEV:
    case CHARDEV_TYPE_FILE:
    case CHARDEV_TYPE_PIPE:
        return append_path(value, source, id, err);
    case CHARDEV_TYPE_UDP:
        append_udp(value, chardev);
        return true;
    case CHARDEV_TYPE_TCP:
        return append_tcp(value, chardev, source, id, err);
    case CHARDEV_TYPE_UNIX:
        return append_unix(line, value, source, id, err);
    default:
        what = g_strdup_printf("type '%s'", chardev_type_to_string(type));
        return refuse_chardev(err, id, what);
    }
}

bool
command_add_chardev(CommandLine *line, const char *id, ChardevType type, const Chardev *chardev,
                    GError **err)
{
    const char *backend = type == CHARDEV_TYPE_TCP || type == CHARDEV_TYPE_UNIX ? "socket"
                          : type == CHARDEV_TYPE_DEV                            ? "serial"
                                                     : chardev_type_to_string(type);
    g_autoptr(GString) value = g_string_new(backend);

    g_string_append_printf(value, ",id=%s", id);
    if (!append_far_end(line, value, id, type, chardev, err))
        return false;
    if (chardev->log) {
        g_autofree char *path = line_escape(chardev->log->file);

        g_string_append_printf(value, ",logfile=%s,logappend=%s", path,
                               chardev->log->append == TRISTATE_OFF ? "off" : "on");
    }
    line_add(line, "-chardev", value->str);
    return true;
}

static bool
add_serial(CommandLine *line, const Serial *serial, GError **err)
{
    g_autofree char *id = g_strconcat("char", serial->info.alias_name, NULL);
    g_autoptr(Json) device = json_object();
    const char *model = serial->target.model_name != SERIAL_TARGET_MODEL_UNSET
                            ? serial_target_model_to_string(serial->target.model_name)
                            : "isa-serial";

    if (!command_add_chardev(line, id, serial->type, &serial->chardev, err))
        return false;
    json_add_string(device, "driver", model);
    json_add_string(device, "chardev", id);
    json_add_string(device, "id", serial->info.alias_name);
    if (serial->target.type == SERIAL_TARGET_TYPE_ISA_SERIAL && serial->target.has_port)
        json_add_int(device, "index", serial->target.port);
    if (!json_add_address(line, device, &serial->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static bool
add_parallel(CommandLine *line, const Parallel *parallel, GError **err)
{
    g_autofree char *id = g_strconcat("char", parallel->info.alias_name, NULL);

    if (!command_add_chardev(line, id, parallel->type, &parallel->chardev, err))
        return false;
    line_add_json(line, "-device",
                  json_pack("{s:s s:s s:s}", "driver", "isa-parallel", "chardev", id, "id",
                            parallel->info.alias_name));
    return true;
}

/* bus and nr of a port of a virtio-serial controller. */
static void
add_port(CommandLine *line, Json *device, const DeviceInfo *info)
{
    const VirtioSerialAddress *address =
        info->address.kind == ADDRESS_TYPE_VIRTIO_SERIAL ? info->address.virtio_serial : NULL;
    const Controller *controller =
        address
            ? domain_find_controller(line->dom, CONTROLLER_TYPE_VIRTIO_SERIAL, address->controller)
            : NULL;
    g_autofree char *bus = NULL;

    if (!controller)
        return;
    bus = g_strdup_printf("%s.%u", controller->info.alias_name, address->bus);
    json_add_string(device, "bus", bus);
    if (address->has_port)
        json_add_int(device, "nr", address->port);
}

static bool
add_channel(CommandLine *line, const Channel *channel, GError **err)
{
    g_autofree char *id = g_strconcat("char", channel->info.alias_name, NULL);
    g_autoptr(Json) device = json_object();

    if (channel->target.type == CHANNEL_TARGET_TYPE_GUESTFWD) {
        g_autofree char *rule = g_strdup_printf("tcp:%s:%u-chardev:%s", channel->target.address,
                                                channel->target.port, id);

        if (!command_add_chardev(line, id, channel->type, &channel->chardev, err))
            return false;
        line_add_json(line, "-netdev",
                      json_pack("{s:s s:[{s:s}] s:s}", "type", "user", "guestfwd", "str", rule,
                                "id", channel->info.alias_name));
        return true;
    }
    if (channel->target.type != CHANNEL_TARGET_TYPE_VIRTIO)
        return refuse_chardev(err, id, "this target type");
    if (!command_add_chardev(line, id, channel->type, &channel->chardev, err))
        return false;
    json_add_string(device, "driver", "virtserialport");
    add_port(line, device, &channel->info);
    json_add_string(device, "chardev", id);
    json_add_string(device, "id", channel->info.alias_name);
    json_add_string(device, "name", channel->target.name);
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

/* The console that mirrors the first serial port is that port. */
static bool
add_console(CommandLine *line, const Console *console, GError **err)
{
    g_autofree char *id = g_strconcat("char", console->info.alias_name, NULL);
    g_autoptr(Json) device = json_object();

    if (console->target_type == CONSOLE_TARGET_TYPE_SERIAL ||
        console->target_type == CONSOLE_TARGET_TYPE_UNSET)
        return true;
    if (console->target_type != CONSOLE_TARGET_TYPE_VIRTIO)
        return refuse_chardev(err, id, "this console target type");
    if (!command_add_chardev(line, id, console->type, &console->chardev, err))
        return false;
    json_add_string(device, "driver", "virtconsole");
    add_port(line, device, &console->info);
    json_add_string(device, "chardev", id);
    json_add_string(device, "id", console->info.alias_name);
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

bool
command_add_chardevs(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    for (gsize i = 0; i < dom->n_serials; i++)
        if (!add_serial(line, dom->serials[i], err))
            return false;
    for (gsize i = 0; i < dom->n_parallels; i++)
        if (!add_parallel(line, dom->parallels[i], err))
            return false;
    for (gsize i = 0; i < dom->n_channels; i++)
        if (!add_channel(line, dom->channels[i], err))
            return false;
    for (gsize i = 0; i < dom->n_consoles; i++)
        if (!add_console(line, dom->consoles[i], err))
            return false;
    return true;
}
