/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Graphics with their listens and ports, video cards, audio back ends, input devices. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"

/* ---- graphics ---- */

static bool
has_listens(GraphicsType type)
{
    return type == GRAPHICS_TYPE_VNC || type == GRAPHICS_TYPE_RDP || type == GRAPHICS_TYPE_SPICE;
}

/* A VNC socket is the only place that is listened at. */
static void
listen_at_socket(Graphics *graphics)
{
    for (gsize i = 0; i < graphics->n_listens; i++)
        graphics_listen_free(graphics->listens[i]);
    graphics->n_listens = 0;
}

static bool
fill_first_listen(Graphics *graphics, GError **err)
{
    GraphicsListen *listen;

    if (graphics->type == GRAPHICS_TYPE_VNC && graphics->socket && graphics->n_listens &&
        graphics->listens[0]->type != GRAPHICS_LISTEN_TYPE_SOCKET)
        listen_at_socket(graphics);
    if (graphics->n_listens == 0) {
        listen = graphics_listen_new();
        if (graphics->type == GRAPHICS_TYPE_VNC && graphics->socket) {
            listen->type = GRAPHICS_LISTEN_TYPE_SOCKET;
            listen->socket = g_strdup(graphics->socket);
        } else {
            listen->type = GRAPHICS_LISTEN_TYPE_ADDRESS;
            listen->address = g_strdup(graphics->listen);
        }
        list_append(graphics->listens, graphics->n_listens, listen);
        return true;
    }
    listen = graphics->listens[0];
    if (graphics->listen && listen->type == GRAPHICS_LISTEN_TYPE_ADDRESS) {
        if (!listen->address)
            listen->address = g_strdup(graphics->listen);
        else if (strcmp(listen->address, graphics->listen) != 0)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "graphics 'listen' attribute '%s' must match 'address' attribute of first "
                        "listen element (found '%s')",
                        graphics->listen, listen->address);
    }
    if (graphics->socket && listen->type == GRAPHICS_LISTEN_TYPE_SOCKET && !listen->socket)
        listen->socket = g_strdup(graphics->socket);
    return true;
}

static bool
fill_listens(Graphics *graphics, GError **err)
{
    for (gsize i = 0; i < graphics->n_listens; i++) {
        GraphicsListen *listen = graphics->listens[i];

        if (!listen->type)
            listen->type = GRAPHICS_LISTEN_TYPE_ADDRESS;
        if (listen->type == GRAPHICS_LISTEN_TYPE_NETWORK && !listen->network)
            return fail(err, VIR_ERR_XML_ERROR,
                        "'network' attribute is required for listen type 'network'");
        if (listen->type != GRAPHICS_LISTEN_TYPE_ADDRESS &&
            listen->type != GRAPHICS_LISTEN_TYPE_NETWORK)
            g_clear_pointer(&listen->address, g_free);
        if (listen->type != GRAPHICS_LISTEN_TYPE_NETWORK)
            g_clear_pointer(&listen->network, g_free);
        if (listen->type != GRAPHICS_LISTEN_TYPE_SOCKET)
            g_clear_pointer(&listen->socket, g_free);
    }
    return fill_first_listen(graphics, err);
}

static void
fill_ports(Graphics *graphics)
{
    bool is_spice = graphics->type == GRAPHICS_TYPE_SPICE;

    if (graphics->has_port && graphics->port == -1)
        graphics->autoport = TRISTATE_YES;
    if (!is_spice && !graphics->has_port && graphics->autoport != TRISTATE_NO)
        graphics->autoport = TRISTATE_YES;
    if (graphics->autoport == TRISTATE_YES) {
        graphics->has_port = !is_spice;
        graphics->port = is_spice ? 0 : -1;
        graphics->has_tls_port = false;
    } else {
        graphics->autoport = TRISTATE_NO;
    }
    if (!is_spice)
        graphics->has_tls_port = false;
    if (graphics->has_port && graphics->port == 0)
        graphics->has_port = false;
    if (graphics->has_tls_port && graphics->tls_port == 0)
        graphics->has_tls_port = false;
}

/* SPICE without any port listens nowhere. */
static void
fill_spice_listen(Graphics *graphics)
{
    GraphicsListen *listen = graphics->listens[0];

    if (graphics->has_port || graphics->has_tls_port || graphics->autoport == TRISTATE_YES ||
        listen->type != GRAPHICS_LISTEN_TYPE_ADDRESS)
        return;
    listen->type = GRAPHICS_LISTEN_TYPE_NONE;
    g_clear_pointer(&listen->address, g_free);
}

bool
graphics_fill_defaults(Graphics *graphics, GError **err)
{
    const GraphicsListen *first;

    if (!has_listens(graphics->type)) {
        graphics->has_port = false;
        graphics->autoport = TRISTATE_UNSET;
        return true;
    }
    fill_ports(graphics);
    if (!fill_listens(graphics, err))
        return false;
    if (graphics->type == GRAPHICS_TYPE_SPICE)
        fill_spice_listen(graphics);
    first = graphics->listens[0];
    set_string(&graphics->listen,
               first->type == GRAPHICS_LISTEN_TYPE_ADDRESS ? first->address : NULL);
    set_string(&graphics->socket,
               first->type == GRAPHICS_LISTEN_TYPE_SOCKET && graphics->type == GRAPHICS_TYPE_VNC
                   ? first->socket
                   : NULL);
    if (first->type == GRAPHICS_LISTEN_TYPE_SOCKET || first->type == GRAPHICS_LISTEN_TYPE_NONE) {
        graphics->has_port = graphics->has_tls_port = false;
        graphics->autoport = TRISTATE_UNSET;
    }
    return true;
}

bool
graphics_prints_port(const Graphics *graphics, ModelFormatFlags flags)
{
    return true;
}

bool
graphics_prints_tls_port(const Graphics *graphics, ModelFormatFlags flags)
{
    return !((flags & MODEL_FORMAT_INACTIVE) && graphics->autoport == TRISTATE_YES);
}

bool
graphics_prints_websocket(const Graphics *graphics, ModelFormatFlags flags)
{
    return !((flags & MODEL_FORMAT_INACTIVE) && graphics->websocket_generated == TRISTATE_YES);
}

bool
graphics_prints_socket(const Graphics *graphics, ModelFormatFlags flags)
{
    return !((flags & MODEL_FORMAT_INACTIVE) && graphics->n_listens &&
             graphics->listens[0]->auto_generated == TRISTATE_YES);
}

bool
graphics_listen_prints_socket(const GraphicsListen *listen, ModelFormatFlags flags)
{
    return !((flags & MODEL_FORMAT_INACTIVE) && listen->auto_generated == TRISTATE_YES);
}

/* ---- video ---- */

static guint
default_vram_kib(VideoType type)
{
    switch (type) {
    case VIDEO_TYPE_VGA:
    case VIDEO_TYPE_CIRRUS:
    case VIDEO_TYPE_VMVGA:
    case VIDEO_TYPE_BOCHS:
        return 16 * 1024;
    case VIDEO_TYPE_QXL:
        return 64 * 1024;
    default:
        return 0;
    }
}

static guint
up_to_power_of_two(guint value)
{
    guint power = 1;

    while (power < value && power < 1u << 31)
        power <<= 1;
    return power;
}

static void
fill_qxl(VideoModel *model)
{
    if (!model->has_ram)
        model->ram = 64 * 1024;
    if (!model->has_vgamem)
        model->vgamem = 16 * 1024;
    model->has_ram = model->has_vgamem = true;
    model->ram = up_to_power_of_two(model->ram);
    model->vram = up_to_power_of_two(MAX(model->vram, 1024));
    model->vgamem = up_to_power_of_two(MAX(model->vgamem, 1024));
    if (model->has_vram64)
        model->vram64 = up_to_power_of_two(model->vram64);
}

bool
video_fill_defaults(Video *video, const Domain *dom, const DomainFillHost *host, GError **err)
{
    VideoModel *model = &video->model;

    if (!model->type || model->type == VIDEO_TYPE_DEFAULT)
        model->type = host && domain_is_x86(dom) ? VIDEO_TYPE_CIRRUS : VIDEO_TYPE_UNSET;
    if (model->type == VIDEO_TYPE_NONE) {
        model->has_heads = model->has_vram = false;
        return true;
    }
    if (!model->has_heads || model->heads == 0)
        model->heads = 1;
    model->has_heads = true;
    if (!model->has_vram || model->vram == 0) {
        model->vram = default_vram_kib(model->type);
        model->has_vram = model->vram != 0;
    }
    if (model->type == VIDEO_TYPE_QXL) {
        fill_qxl(model);
    } else {
        model->has_ram = model->has_vram64 = false;
        if (model->type != VIDEO_TYPE_VGA)
            model->has_vgamem = false;
        else if (!model->has_vgamem)
            model->has_vgamem = false;
    }
    return true;
}

static bool
wants_video(const Domain *dom)
{
    return dom->n_graphics > 0 && dom->n_videos == 0;
}

/* One card is the primary one, and it is the first. */
static bool
fill_primary(Domain *dom, GError **err)
{
    gsize primary = dom->n_videos;

    for (gsize i = 0; i < dom->n_videos; i++) {
        if (dom->videos[i]->model.primary != TRISTATE_YES)
            continue;
        if (primary < dom->n_videos)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "Only one primary video device is supported");
        primary = i;
    }
    if (primary == dom->n_videos)
        primary = 0;
    if (dom->n_videos) {
        Video *video = dom->videos[primary];

        memmove(dom->videos + 1, dom->videos, primary * sizeof(*dom->videos));
        dom->videos[0] = video;
    }
    for (gsize i = 0; i < dom->n_videos; i++)
        dom->videos[i]->model.primary =
            i == 0 && dom->videos[i]->model.type != VIDEO_TYPE_NONE ? TRISTATE_YES : TRISTATE_UNSET;
    return true;
}

bool
domain_fill_videos(Domain *dom, const DomainFillHost *host, GError **err)
{
    if (wants_video(dom)) {
        Video *video = video_new();

        list_append(dom->videos, dom->n_videos, video);
        if (!video_fill_defaults(video, dom, host, err))
            return false;
    }
    return fill_primary(dom, err);
}

/* ---- audio ---- */

/* The last display decides: SPICE carries sound itself, VNC does without, SDL leaves it to the emulator's own default. */
static AudioType
default_audio_type(const Domain *dom)
{
    AudioType type = dom->n_graphics ? AUDIO_TYPE_UNSET : AUDIO_TYPE_NONE;

    for (gsize i = 0; i < dom->n_graphics; i++) {
        if (dom->graphics[i]->type == GRAPHICS_TYPE_SPICE)
            type = AUDIO_TYPE_SPICE;
        else if (dom->graphics[i]->type == GRAPHICS_TYPE_VNC)
            type = AUDIO_TYPE_NONE;
        else if (dom->graphics[i]->type == GRAPHICS_TYPE_SDL)
            type = AUDIO_TYPE_UNSET;
    }
    return type;
}

bool
domain_fill_audio(Domain *dom, GError **err)
{
    AudioType type = default_audio_type(dom);
    Audio *audio;

    if (dom->n_audios || !type)
        return true;
    audio = audio_new();
    audio->id = 1;
    audio->type = type;
    list_append(dom->audios, dom->n_audios, audio);
    return true;
}

/* ---- input ---- */

bool
input_fill_defaults(Input *input, const Domain *dom, GError **err)
{
    if (input->type == INPUT_TYPE_EVDEV) {
        input->bus = INPUT_BUS_UNSET;
        return true;
    }
    if (input->bus)
        return true;
    if (dom->os.type == OS_TYPE_HVM)
        input->bus = (input->type == INPUT_TYPE_MOUSE || input->type == INPUT_TYPE_KEYBOARD) &&
                             domain_is_x86(dom)
                         ? INPUT_BUS_PS2
                     : input->type == INPUT_TYPE_PASSTHROUGH ? INPUT_BUS_VIRTIO
                                                             : INPUT_BUS_USB;
    else
        input->bus = dom->os.type == OS_TYPE_XEN || dom->os.type == OS_TYPE_XENPVH
                         ? INPUT_BUS_XEN
                         : INPUT_BUS_PARALLELS;
    return true;
}

static void
ensure_input(Domain *dom, InputType type, InputBus bus)
{
    Input *input;

    for (gsize i = 0; i < dom->n_inputs; i++)
        if (dom->inputs[i]->type == type && dom->inputs[i]->bus == bus)
            return;
    input = input_new();
    input->type = type;
    input->bus = bus;
    list_append(dom->inputs, dom->n_inputs, input);
}

/* A PC always has its mouse and keyboard. */
bool
domain_fill_inputs(Domain *dom, GError **err)
{
    if (dom->os.type == OS_TYPE_HVM && domain_is_x86(dom)) {
        ensure_input(dom, INPUT_TYPE_MOUSE, INPUT_BUS_PS2);
        ensure_input(dom, INPUT_TYPE_KEYBOARD, INPUT_BUS_PS2);
    }
    return true;
}
