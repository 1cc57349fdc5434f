/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character devices: what their type makes of the source, targets and ports, and the first serial port, which is shown a
 * second time as a console. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

static void
drop_sources(Chardev *chardev)
{
    for (gsize i = 0; i < chardev->n_sources; i++)
        chardev_source_free(chardev->sources[i]);
    g_clear_pointer(&chardev->sources, g_free);
    chardev->n_sources = 0;
}

static void
keep_first_source(Chardev *chardev)
{
    for (gsize i = 1; i < chardev->n_sources; i++)
        chardev_source_free(chardev->sources[i]);
    chardev->n_sources = MIN(chardev->n_sources, 1);
}

static bool
uses_path(ChardevType type)
{
    return type == CHARDEV_TYPE_PTY || type == CHARDEV_TYPE_DEV || type == CHARDEV_TYPE_FILE ||
           type == CHARDEV_TYPE_PIPE || type == CHARDEV_TYPE_UNIX;
}

static void
prune_source(ChardevSource *source, ChardevType type)
{
    bool has_mode =
        type == CHARDEV_TYPE_TCP || type == CHARDEV_TYPE_UDP || type == CHARDEV_TYPE_UNIX;

    if (!uses_path(type))
        g_clear_pointer(&source->path, g_free);
    if (!has_mode)
        source->mode = CHARDEV_MODE_UNSET;
    else if (source->mode != CHARDEV_MODE_BIND)
        source->mode = CHARDEV_MODE_CONNECT;
    if (type != CHARDEV_TYPE_TCP && type != CHARDEV_TYPE_UDP) {
        g_clear_pointer(&source->host, g_free);
        g_clear_pointer(&source->service, g_free);
    }
    if (type != CHARDEV_TYPE_TCP)
        source->tls = TRISTATE_UNSET;
    if (type != CHARDEV_TYPE_FILE && type != CHARDEV_TYPE_PTY && type != CHARDEV_TYPE_DEV &&
        type != CHARDEV_TYPE_PIPE)
        source->append = TRISTATE_UNSET;
    if (type != CHARDEV_TYPE_SPICEPORT && type != CHARDEV_TYPE_DBUS)
        g_clear_pointer(&source->channel, g_free);
    if (type != CHARDEV_TYPE_NMDM) {
        g_clear_pointer(&source->master, g_free);
        g_clear_pointer(&source->slave, g_free);
    }
    if (type != CHARDEV_TYPE_QEMU_VDAGENT) {
        source->clipboard_copypaste = TRISTATE_UNSET;
        source->mouse_mode = MOUSE_MODE_UNSET;
    }
    if (source->reconnect && !source->reconnect->enabled)
        source->reconnect->has_timeout = false;
}

static bool
fill_reconnect(const ChardevSource *source, GError **err)
{
    if (!source->reconnect || !source->reconnect->enabled)
        return true;
    if (!source->reconnect->has_timeout)
        return error_set(err, VIR_FROM_XML, VIR_ERR_XML_ERROR,
                         "Missing required attribute 'timeout' in element 'reconnect'");
    if (source->reconnect->timeout == 0)
        return error_set(err, VIR_FROM_QEMU, VIR_ERR_INVALID_ARG,
                         "chardev reconnect source timeout cannot be '0'");
    if (source->mode == CHARDEV_MODE_BIND)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "chardev reconnect is possible only for connect mode");
    return true;
}

/* UDP prints where it listens before where it sends. */
static void
order_udp(Chardev *chardev)
{
    if (chardev->n_sources == 2 && chardev->sources[1]->mode == CHARDEV_MODE_BIND &&
        chardev->sources[0]->mode != CHARDEV_MODE_BIND) {
        ChardevSource *bind = chardev->sources[1];

        chardev->sources[1] = chardev->sources[0];
        chardev->sources[0] = bind;
    }
}

bool
chardev_fill_defaults(Chardev *chardev, ChardevType type, GError **err)
{
    switch (type) {
    case CHARDEV_TYPE_NULL:
    case CHARDEV_TYPE_VC:
    case CHARDEV_TYPE_STDIO:
    case CHARDEV_TYPE_SPICEVMC:
        drop_sources(chardev);
        break;
    case CHARDEV_TYPE_UDP:
        break;
    default:
        keep_first_source(chardev);
        break;
    }
    for (gsize i = 0; i < chardev->n_sources; i++) {
        prune_source(chardev->sources[i], type);
        if (!fill_reconnect(chardev->sources[i], err))
            return false;
    }
    order_udp(chardev);
    if (type == CHARDEV_TYPE_TCP) {
        if (!chardev->protocol_type)
            chardev->protocol_type = CHARDEV_PROTOCOL_RAW;
    } else {
        chardev->protocol_type = CHARDEV_PROTOCOL_UNSET;
    }
    return true;
}

bool
chardev_check_valid(const Chardev *chardev, ChardevType type, GError **err)
{
    const ChardevSource *source = chardev->n_sources ? chardev->sources[0] : NULL;

    switch (type) {
    case CHARDEV_TYPE_DEV:
    case CHARDEV_TYPE_FILE:
    case CHARDEV_TYPE_PIPE:
    case CHARDEV_TYPE_UNIX:
        if (!source || !source->path)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing source path attribute for char device");
        return true;
    case CHARDEV_TYPE_NMDM:
        if (!source || !source->master)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing master path attribute for nmdm device");
        if (!source->slave)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing slave path attribute for nmdm device");
        return true;
    case CHARDEV_TYPE_TCP:
        if (!source || !source->host)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing source host attribute for char device");
        if (!source->service)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing source service attribute for char device");
        return true;
    case CHARDEV_TYPE_UDP:
        source = chardev->n_sources ? chardev->sources[chardev->n_sources - 1] : NULL;
        if (!source || !source->service)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing source service attribute for char device");
        return true;
    case CHARDEV_TYPE_DBUS:
        if (!source || !source->channel)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "Missing source channel attribute for char device");
        return true;
    case CHARDEV_TYPE_SPICEPORT:
        if (!source || !source->channel)
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Missing source channel attribute for char device");
        if (strspn(source->channel,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") !=
            strlen(source->channel))
            return fail(err, VIR_ERR_INTERNAL_ERROR,
                        "Invalid character in source channel for char device");
        return true;
    default:
        return true;
    }
}

/* ---- serial, parallel, console, channel ---- */

static SerialTargetType
target_type_from_address(AddressType kind)
{
    switch (kind) {
    case ADDRESS_TYPE_PCI:
        return SERIAL_TARGET_TYPE_PCI_SERIAL;
    case ADDRESS_TYPE_USB:
        return SERIAL_TARGET_TYPE_USB_SERIAL;
    default:
        return SERIAL_TARGET_TYPE_ISA_SERIAL;
    }
}

static SerialTargetModel
model_of_target(SerialTargetType type)
{
    switch (type) {
    case SERIAL_TARGET_TYPE_ISA_SERIAL:
        return SERIAL_TARGET_MODEL_ISA_SERIAL;
    case SERIAL_TARGET_TYPE_USB_SERIAL:
        return SERIAL_TARGET_MODEL_USB_SERIAL;
    case SERIAL_TARGET_TYPE_PCI_SERIAL:
        return SERIAL_TARGET_MODEL_PCI_SERIAL;
    case SERIAL_TARGET_TYPE_SPAPR_VIO_SERIAL:
        return SERIAL_TARGET_MODEL_SPAPR_VTY;
    case SERIAL_TARGET_TYPE_SYSTEM_SERIAL:
        return SERIAL_TARGET_MODEL_PL011;
    case SERIAL_TARGET_TYPE_SCLP_SERIAL:
        return SERIAL_TARGET_MODEL_SCLPCONSOLE;
    case SERIAL_TARGET_TYPE_ISA_DEBUG:
        return SERIAL_TARGET_MODEL_ISA_DEBUGCON;
    default:
        return SERIAL_TARGET_MODEL_UNSET;
    }
}

static void
name_dbus_channel(Chardev *chardev, const char *name)
{
    if (!chardev->n_sources)
        list_append(chardev->sources, chardev->n_sources, chardev_source_new());
    if (!chardev->sources[0]->channel)
        chardev->sources[0]->channel = g_strdup(name);
}

bool
serial_fill_defaults(Serial *serial, Domain *dom, const DomainFillHost *host, GError **err)
{
    if (host && !serial->target.type && domain_is_x86(dom))
        serial->target.type = target_type_from_address(serial->info.address.kind);
    if (host && !serial->target.model_name)
        serial->target.model_name = model_of_target(serial->target.type);
    return chardev_fill_defaults(&serial->chardev, serial->type, err);
}

bool
parallel_fill_defaults(Parallel *parallel, GError **err)
{
    return chardev_fill_defaults(&parallel->chardev, parallel->type, err);
}

bool
console_fill_defaults(Console *console, GError **err)
{
    return chardev_fill_defaults(&console->chardev, console->type, err);
}

/* Is @path the one that a start made up: FOLDER/NAME.TARGET (old), .../domain-ID-NAME/TARGET? */
static bool
is_made_path(const char *path, const char *target, const char *channel_dir)
{
    const char *slash = path && target ? strrchr(path, '/') : NULL;
    const char *folder;

    if (slash && channel_dir && g_str_has_prefix(path, channel_dir) &&
        path + strlen(channel_dir) == slash && g_str_has_suffix(slash, target) &&
        slash[strlen(slash) - strlen(target) - 1] == '.')
        return true;
    if (!slash || strcmp(slash + 1, target) != 0)
        return false;
    for (folder = slash; folder > path && folder[-1] != '/'; folder--)
        ;
    return folder > path && g_str_has_prefix(folder, "domain-") &&
           slash - folder > (int)strlen("domain-");
}

void
channel_drop_made_path(Channel *channel)
{
    const ChardevSource *source = channel->chardev.n_sources ? channel->chardev.sources[0] : NULL;

    if (channel->type == CHARDEV_TYPE_UNIX && channel->target.type == CHANNEL_TARGET_TYPE_VIRTIO &&
        source && is_made_path(source->path, channel->target.name, NULL) && !source->reconnect)
        drop_sources(&channel->chardev);
}

/* The agent's socket is named at start; a reconnect has nobody to reach there. */
static bool
drop_made_path(Channel *channel, const DomainFillHost *host, GError **err)
{
    const ChardevSource *source = channel->chardev.n_sources ? channel->chardev.sources[0] : NULL;

    if (channel->type != CHARDEV_TYPE_UNIX || channel->target.type != CHANNEL_TARGET_TYPE_VIRTIO ||
        !source)
        return true;
    if (source->path &&
        !is_made_path(source->path, channel->target.name, host ? host->channel_dir : NULL))
        return true;
    if (source->reconnect && source->reconnect->enabled)
        return fail(err, VIR_ERR_INTERNAL_ERROR,
                    "chardev reconnect is possible only for connect mode");
    drop_sources(&channel->chardev);
    return true;
}

bool
channel_fill_defaults(Channel *channel, const DomainFillHost *host, GError **err)
{
    if (!drop_made_path(channel, host, err))
        return false;
    if (!channel->target.type)
        return fail(err, VIR_ERR_XML_ERROR, "target type must be specified for channel device");
    if (channel->target.type == CHANNEL_TARGET_TYPE_GUESTFWD) {
        if (!channel->target.address)
            return fail(err, VIR_ERR_XML_ERROR,
                        "guestfwd channel does not define a target address");
        if (!channel->target.has_port)
            return fail(err, VIR_ERR_XML_ERROR, "guestfwd channel does not define a target port");
    }
    return chardev_fill_defaults(&channel->chardev, channel->type, err);
}

bool
redirdev_fill_defaults(Redirdev *redirdev, GError **err)
{
    if (!redirdev->bus)
        redirdev->bus = REDIRDEV_BUS_USB;
    if (redirdev->type == CHARDEV_TYPE_DBUS)
        name_dbus_channel(&redirdev->chardev, "org.qemu.usbredir");
    return chardev_fill_defaults(&redirdev->chardev, redirdev->type, err);
}

/* Ports that were not given follow the highest one so far. */
#define FILL_PORTS(list, n, port, has_port)                    \
    G_STMT_START                                               \
    {                                                          \
        for (gsize i_ = 0; i_ < (n); i_++) {                   \
            int max_ = -1;                                     \
            if ((list)[i_]->has_port && (list)[i_]->port >= 0) \
                continue;                                      \
            for (gsize j_ = 0; j_ < (n); j_++)                 \
                if ((list)[j_]->has_port)                      \
                    max_ = MAX(max_, (list)[j_]->port);        \
            (list)[i_]->port = max_ + 1;                       \
            (list)[i_]->has_port = true;                       \
        }                                                      \
    }                                                          \
    G_STMT_END

bool
domain_fill_chardev_ports(Domain *dom, GError **err)
{
    FILL_PORTS(dom->serials, dom->n_serials, target.port, target.has_port);
    FILL_PORTS(dom->parallels, dom->n_parallels, target_port, has_target_port);
    for (gsize i = 0; i < dom->n_consoles; i++) {
        Console *console = dom->consoles[i];

        console->target_port = i;
        console->has_target_port = true;
        if (!console->target_type && dom->os.type == OS_TYPE_HVM)
            console->target_type = CONSOLE_TARGET_TYPE_SERIAL;
        if (i > 0 && console->target_type == CONSOLE_TARGET_TYPE_SERIAL)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "Only the first console can be a serial port");
    }
    return true;
}

/* ---- the first serial port as a console ---- */

static void
mirror_serial(Console *console, const Serial *serial)
{
    g_autoptr(Serial) copy = serial_copy(serial);

    /* swap, so that what the console had is freed with the copy */
    Chardev chardev = console->chardev;
    DeviceInfo info = console->info;

    console->type = copy->type;
    console->chardev = copy->chardev;
    console->info = copy->info;
    copy->chardev = chardev;
    copy->info = info;
    console->target_type = CONSOLE_TARGET_TYPE_SERIAL;
    console->target_port = serial->target.port;
    console->has_target_port = true;
}

static bool
shows_as_console(SerialTargetType type)
{
    return type == SERIAL_TARGET_TYPE_UNSET || type == SERIAL_TARGET_TYPE_ISA_SERIAL ||
           type == SERIAL_TARGET_TYPE_SPAPR_VIO_SERIAL ||
           type == SERIAL_TARGET_TYPE_SYSTEM_SERIAL || type == SERIAL_TARGET_TYPE_SCLP_SERIAL;
}

static Serial *
serial_from_console(const Console *console)
{
    g_autoptr(Console) copy = console_copy(console);
    Serial *serial = serial_new();

    serial->type = copy->type;
    serial->chardev = copy->chardev;
    serial->info = copy->info;
    memset(&copy->chardev, 0, sizeof(copy->chardev));
    memset(&copy->info, 0, sizeof(copy->info));
    serial->target.port = 0;
    serial->target.has_port = true;
    return serial;
}

/* Done before devices fill themselves in, so that a serial port made here gets its target and address like others. */
bool
domain_fill_consoles(Domain *dom, GError **err)
{
    if (dom->os.type != OS_TYPE_HVM)
        return true;
    if (dom->n_consoles && dom->consoles[0]->target_type == CONSOLE_TARGET_TYPE_SERIAL &&
        !dom->n_serials) {
        Serial *serial = serial_from_console(dom->consoles[0]);

        list_append(dom->serials, dom->n_serials, serial);
    } else if (!dom->n_consoles && dom->n_serials &&
               shows_as_console(dom->serials[0]->target.type)) {
        Console *console = console_new();

        console->type = dom->serials[0]->type;
        console->target_type = CONSOLE_TARGET_TYPE_SERIAL;
        list_append(dom->consoles, dom->n_consoles, console);
    }
    return true;
}

/* The console shows what its serial port has become. */
void
domain_mirror_console(Domain *dom)
{
    if (dom->os.type == OS_TYPE_HVM && dom->n_consoles && dom->n_serials &&
        dom->consoles[0]->target_type == CONSOLE_TARGET_TYPE_SERIAL)
        mirror_serial(dom->consoles[0], dom->serials[0]);
}
