/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input, VNC, video, sound. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "driver/qemu/command_line.h"
#include "seam/unix.h"

static char *
input_driver(CommandLine *line, const Input *input, GError **err)
{
    static const char *const usb[] = {[INPUT_TYPE_MOUSE] = "usb-mouse",
                                      [INPUT_TYPE_TABLET] = "usb-tablet",
                                      [INPUT_TYPE_KEYBOARD] = "usb-kbd"};
    static const char *const virtio[] = {[INPUT_TYPE_MOUSE] = "virtio-mouse",
                                         [INPUT_TYPE_TABLET] = "virtio-tablet",
                                         [INPUT_TYPE_KEYBOARD] = "virtio-keyboard"};

    if (input->type < G_N_ELEMENTS(usb) && usb[input->type]) {
        if (input->bus == INPUT_BUS_USB)
            return g_strdup(usb[input->type]);
        if (input->bus == INPUT_BUS_VIRTIO)
            return virtio_device_name(virtio[input->type], &input->info,
                                      input_model_to_string(input->model));
    }
    return fail_null(err, VIR_ERR_CONFIG_UNSUPPORTED,
                     "input type '%s' on bus '%s' is not supported by this QEMU driver",
                     input_type_to_string(input->type), input_bus_to_string(input->bus));
}

bool
command_add_inputs(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    for (gsize i = 0; i < dom->n_inputs; i++) {
        const Input *input = dom->inputs[i];
        g_autoptr(Json) device = NULL;
        g_autofree char *driver = NULL;

        if (input->bus == INPUT_BUS_PS2)
            continue; /* the machine has them */
        driver = input_driver(line, input, err);
        if (!driver)
            return false;
        device = json_pack("{s:s}", "driver", driver);
        json_add_virtio(device, &input->driver.virtio);
        json_add_string(device, "id", input->info.alias_name);
        if (!json_add_address(line, device, &input->info, err))
            return false;
        line_add_json(line, "-device", g_steal_pointer(&device));
    }
    return true;
}

static bool
add_audios(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    for (gsize i = 0; i < dom->n_audios; i++) {
        g_autofree char *id = g_strdup_printf("audio%u", dom->audios[i]->id);

        if (dom->audios[i]->type != AUDIO_TYPE_NONE)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "audio type '%s' is not supported by this QEMU driver",
                        audio_type_to_string(dom->audios[i]->type));
        line_add_json(line, "-audiodev", json_pack("{s:s s:s}", "id", id, "driver", "none"));
    }
    return true;
}

static const char *
listen_address(const CommandLine *line, const Graphics *graphics)
{
    const GraphicsListen *listen = graphics->n_listens ? graphics->listens[0] : NULL;

    return listen && listen->address ? listen->address
           : graphics->listen        ? graphics->listen
                                     : "127.0.0.1";
}

static const char *
listen_socket(const Graphics *graphics)
{
    const GraphicsListen *listen = graphics->n_listens ? graphics->listens[0] : NULL;

    return listen && listen->type == GRAPHICS_LISTEN_TYPE_SOCKET && listen->socket
               ? listen->socket
               : graphics->socket;
}

static bool
append_vnc_address(CommandLine *line, GString *value, const Graphics *graphics, GError **err)
{
    const GraphicsListen *listen = graphics->n_listens ? graphics->listens[0] : NULL;
    const char *address = listen_address(line, graphics);
    const char *socket = listen_socket(graphics);

    if (line->is_staged || (listen && listen->type == GRAPHICS_LISTEN_TYPE_NONE)) {
        g_string_append(value, "none");
        return true;
    }
    if (socket) {
        g_autofree char *path = line_escape(socket);

        g_string_append_printf(value, "vnc=unix:%s", path);
        return true;
    }
    if (listen && listen->type == GRAPHICS_LISTEN_TYPE_NETWORK && !listen->address)
        return line_refuse(err, "graphics listen type 'network'");
    g_string_append_printf(value, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address,
                           graphics->port - 5900);
    if (graphics->has_websocket)
        g_string_append_printf(value, ",websocket=%d", graphics->websocket);
    return true;
}

static bool
add_vnc(CommandLine *line, const Graphics *graphics, GError **err)
{
    g_autoptr(GString) value = g_string_new(NULL);

    if (!append_vnc_address(line, value, graphics, err))
        return false;
    if (graphics->share_policy != VNC_SHARE_POLICY_UNSET)
        g_string_append_printf(value, ",share=%s",
                               vnc_share_policy_to_string(graphics->share_policy));
    if (graphics->passwd)
        g_string_append(value, ",password=on");
    if (graphics->power_control != TRISTATE_UNSET)
        g_string_append_printf(value, ",power-control=%s",
                               graphics->power_control == TRISTATE_YES ? "on" : "off");
    if (line->dom->n_audios)
        g_string_append_printf(value, ",audiodev=audio%u",
                               graphics->has_audio_id ? graphics->audio_id
                                                      : line->dom->audios[0]->id);
    line_add(line, "-vnc", value->str);
    if (graphics->keymap)
        line_add(line, "-k", graphics->keymap);
    return true;
}

static const char *
video_driver(const Video *video, bool is_primary)
{
    switch (video->model.type) {
    case VIDEO_TYPE_VGA:
        return "VGA";
    case VIDEO_TYPE_CIRRUS:
        return "cirrus-vga";
    case VIDEO_TYPE_VMVGA:
        return "vmware-svga";
    case VIDEO_TYPE_QXL:
        return is_primary ? "qxl-vga" : "qxl";
    case VIDEO_TYPE_VIRTIO:
        return is_primary ? "virtio-vga" : "virtio-gpu-pci";
    case VIDEO_TYPE_BOCHS:
        return "bochs-display";
    case VIDEO_TYPE_RAMFB:
        return "ramfb";
    default:
        return NULL;
    }
}

static void
add_video_memory(Json *device, const Video *video)
{
    const VideoModel *model = &video->model;

    if (model->type == VIDEO_TYPE_QXL) {
        json_add_int(device, "max_outputs", model->has_heads ? model->heads : 1);
        json_add_int(device, "ram_size", (gint64)model->ram * 1024);
        json_add_int(device, "vram_size", (gint64)model->vram * 1024);
        json_add_int(device, "vram64_size_mb", model->vram64 / 1024);
        json_add_int(device, "vgamem_mb", model->vgamem / 1024);
    } else if (model->type == VIDEO_TYPE_VIRTIO) {
        json_add_int(device, "max_outputs", model->has_heads ? model->heads : 1);
    } else if ((model->type == VIDEO_TYPE_VGA || model->type == VIDEO_TYPE_VMVGA) &&
               model->has_vram) {
        json_add_int(device, "vgamem_mb", model->vram / 1024);
    } else if (model->type == VIDEO_TYPE_BOCHS && model->has_vram) {
        json_add_int(device, "vgamem", (gint64)model->vram * 1024);
    }
    if (model->resolution) {
        json_add_int(device, "xres", model->resolution->x);
        json_add_int(device, "yres", model->resolution->y);
    }
}

static bool
add_video(CommandLine *line, const Video *video, bool is_primary, GError **err)
{
    const char *driver = video_driver(video, is_primary);
    g_autoptr(Json) device = json_object();

    if (video->model.type == VIDEO_TYPE_NONE)
        return true;
    if (!driver || video->driver.name == VIDEO_BACKEND_VHOSTUSER)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "video type '%s' is not supported by this QEMU driver",
                    video_type_to_string(video->model.type));
    if (!emulator_info_has_type(line->info, driver))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "emulator '%s' has no video type '%s'",
                    line->info->path, video_type_to_string(video->model.type));
    if (video->model.acceleration && video->model.acceleration->accel3d == TRISTATE_YES)
        return line_refuse(err, "video element <acceleration>");
    json_add_string(device, "driver", driver);
    json_add_virtio(device, &video->driver.virtio);
    json_add_string(device, "id", video->info.alias_name);
    add_video_memory(device, video);
    if (video->model.blob != TRISTATE_UNSET)
        json_add_bool(device, "blob", video->model.blob == TRISTATE_ON);
    if (!json_add_address(line, device, &video->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

bool
command_add_displays(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    if (!add_audios(line, err))
        return false;
    for (gsize i = 0; i < dom->n_graphics; i++) {
        if (dom->graphics[i]->type != GRAPHICS_TYPE_VNC)
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "graphics type '%s' is not supported by this QEMU driver",
                        graphics_type_to_string(dom->graphics[i]->type));
        if (!add_vnc(line, dom->graphics[i], err))
            return false;
    }
    for (gsize i = 0; i < dom->n_videos; i++)
        if (!add_video(line, dom->videos[i], i == 0, err))
            return false;
    return true;
}

static bool
add_codec(CommandLine *line, const Sound *sound, guint number, const char *kind, const char *audio)
{
    g_autofree char *driver = g_strconcat("hda-", kind, NULL);
    g_autofree char *id = g_strdup_printf("%s-codec%u", sound->info.alias_name, number);
    g_autofree char *bus = g_strconcat(sound->info.alias_name, ".0", NULL);
    g_autoptr(Json) device =
        json_pack("{s:s s:s s:s s:i}", "driver", driver, "id", id, "bus", bus, "cad", (int)number);

    json_add_string(device, "audiodev", audio);
    line_add_json(line, "-device", g_steal_pointer(&device));
    return true;
}

static bool
add_sound(CommandLine *line, const Sound *sound, GError **err)
{
    static const char *const drivers[] = {
        [SOUND_MODEL_SB16] = "sb16",           [SOUND_MODEL_ES1370] = "ES1370",
        [SOUND_MODEL_AC97] = "AC97",           [SOUND_MODEL_ICH6] = "intel-hda",
        [SOUND_MODEL_ICH9] = "ich9-intel-hda", [SOUND_MODEL_USB] = "usb-audio",
    };
    const char *driver = sound->model < G_N_ELEMENTS(drivers) ? drivers[sound->model] : NULL;
    bool has_codecs = sound->model == SOUND_MODEL_ICH6 || sound->model == SOUND_MODEL_ICH9;
    g_autofree char *audio = NULL;
    g_autoptr(Json) device = NULL;

    if (!driver)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "sound model '%s' is not supported by this QEMU driver",
                    sound_model_to_string(sound->model));
    if (line->dom->n_audios)
        audio = g_strdup_printf("audio%u",
                                sound->has_audio_id ? sound->audio_id : line->dom->audios[0]->id);
    device = json_pack("{s:s s:s}", "driver", driver, "id", sound->info.alias_name);
    if (sound->model == SOUND_MODEL_USB && sound->multichannel != TRISTATE_UNSET)
        json_add_bool(device, "multi", sound->multichannel == TRISTATE_YES);
    if (!has_codecs)
        json_add_string(device, "audiodev", audio);
    if (!json_add_address(line, device, &sound->info, err))
        return false;
    line_add_json(line, "-device", g_steal_pointer(&device));
    for (gsize i = 0; has_codecs && i < sound->n_codecs; i++)
        add_codec(line, sound, (guint)i, sound_codec_type_to_string(sound->codecs[i]->type), audio);
    if (has_codecs && sound->n_codecs == 0)
        add_codec(line, sound, 0, "duplex", audio);
    return true;
}

bool
command_add_sounds(CommandLine *line, GError **err)
{
    for (gsize i = 0; i < line->dom->n_sounds; i++)
        if (!add_sound(line, line->dom->sounds[i], err))
            return false;
    return true;
}
