/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reaching into a running guest: keys, screen, NMI, and the monitor itself. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/fd.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/guest.h"
#include "seam/clock.h"

/* Linux key codes above the first block, whose codes are the same, and the emulator's numbers for them. */
static const struct {
    guint8 linux_code, number;
} extended_keys[] = {
    {96, 0x9c},  {97, 0x9d},  {98, 0xb5},  {99, 0x54},  {100, 0xb8}, {102, 0xc7}, {103, 0xc8},
    {104, 0xc9}, {105, 0xcb}, {106, 0xcd}, {107, 0xcf}, {108, 0xd0}, {109, 0xd1}, {110, 0xd2},
    {111, 0xd3}, {113, 0xa0}, {114, 0xae}, {115, 0xb0}, {116, 0xde}, {117, 0x59}, {119, 0xc6},
    {121, 0x7e}, {124, 0x7d}, {125, 0xdb}, {126, 0xdc}, {127, 0xdd}, {142, 0xdf},
};

static bool
key_number(guint codeset, guint code, guint *number, GError **err)
{
    enum { FIRST_BLOCK = 88 };

    *number = code;
    if (codeset == VIR_KEYCODE_SET_QNUM && code <= 0xff)
        return true;
    if (codeset != VIR_KEYCODE_SET_LINUX)
        return fail(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "cannot translate keycode %u of codeset %u",
                    code, codeset);
    if (code <= FIRST_BLOCK)
        return true;
    for (gsize i = 0; i < G_N_ELEMENTS(extended_keys); i++)
        if (extended_keys[i].linux_code == code) {
            *number = extended_keys[i].number;
            return true;
        }
    return fail(err, VIR_ERR_INTERNAL_ERROR, "cannot translate keycode %u of codeset 0", code);
}

static bool
qemu_domain_send_key(Call *call, const RemoteDomainSendKeyArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autoptr(Json) keys = json_array();
    Json *options;

    if (!guest || !qemu_check_flags(call, args->flags, 0, err) ||
        !guest_require_running(guest, err))
        return false;
    for (guint32 i = 0; i < args->keycodes.count; i++) {
        guint number;

        if (!key_number(args->codeset, args->keycodes.items[i], &number, err))
            return false;
        json_array_append_new(keys, json_pack("{s:s s:i}", "type", "number", "data", (int)number));
    }
    options = json_pack("{s:O}", "keys", keys);
    if (args->holdtime)
        json_object_set_new(options, "hold-time", json_integer(args->holdtime));
    return qmp_run(guest->emulator->qmp, "send-key", options, err);
}

static bool
qemu_domain_inject_nmi(Call *call, const RemoteDomainInjectNmiArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    return guest && qemu_check_flags(call, args->flags, 0, err) &&
           guest_require_running(guest, err) &&
           qmp_run(guest->emulator->qmp, "inject-nmi", NULL, err);
}

/* The video device of a screen: heads are counted over all of them. */
static bool
find_screen(const Domain *live, guint screen, const Video **video, guint *head, GError **err)
{
    guint left = screen;

    for (gsize i = 0; i < live->n_videos; i++) {
        guint heads = live->videos[i]->model.has_heads ? live->videos[i]->model.heads : 1;

        if (left < heads) {
            *video = live->videos[i];
            *head = left;
            return true;
        }
        left -= heads;
    }
    return fail(err, VIR_ERR_INVALID_ARG, "no such screen");
}

static bool
on_picture_sent(void *data, bool is_aborted, GError **err)
{
    return true;
}

static bool
qemu_domain_screenshot(Call *call, const RemoteDomainScreenshotArgs *args,
                       RemoteDomainScreenshotRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autofree char *path = NULL;
    const Video *video = NULL;
    auto_fd int fd = -1;
    guint head = 0;
    Json *options;

    if (!guest || !qemu_check_flags(call, args->flags, 0, err) ||
        !guest_require_running(guest, err))
        return false;
    if (guest_live(guest)->n_videos == 0)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "domain has no video device: there is no screen");
    if (!find_screen(guest_live(guest), args->screen, &video, &head, err))
        return false;
    /* The emulator writes where it may, and the file loses its name at once. */
    path = g_strdup_printf("%s/screen-%" G_GINT64_FORMAT ".png", guest->emulator->lib_dir,
                           clock_monotonic_us());
    options = json_pack("{s:s s:s}", "filename", path, "format", "png");
    if (args->screen) {
        json_object_set_new(options, "device", json_string(video->info.alias_name));
        json_object_set_new(options, "head", json_integer(head));
    }
    if (!qmp_run(guest->emulator->qmp, "screendump", options, err)) {
        unlink(path);
        return false;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail_errno(err, "open", path);
    unlink(path);
    ret->mime = g_strdup("image/png");
    return call_set_stream_fd(call, fd_steal(&fd), 0, on_picture_sent, NULL, err);
}

static bool
qemu_domain_monitor_command(Call *call, const QemuDomainMonitorCommandArgs *args,
                            QemuDomainMonitorCommandRet *ret, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);

    if (!guest || !qemu_check_flags(call, args->flags, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP, err) ||
        !guest_require_running(guest, err))
        return false;
    if (g_hash_table_add(guest->taints, g_strdup("custom-monitor"))) {
        emulator_log_line(guest, "Domain id=%d is tainted: custom-monitor", guest->emulator->id);
        guest_changed(guest);
    }
    if (args->flags & VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
        ret->result = qmp_hmp(guest->emulator->qmp, args->cmd, err);
    else
        ret->result = qmp_pass_through(guest->emulator->qmp, args->cmd, err);
    return ret->result != NULL;
}

void
qemu_device_slots(DriverSlots *slots)
{
    slots->domain_send_key = qemu_domain_send_key;
    slots->domain_inject_nmi = qemu_domain_inject_nmi;
    slots->domain_screenshot = qemu_domain_screenshot;
    slots->qemu_domain_monitor_command = qemu_domain_monitor_command;
}
