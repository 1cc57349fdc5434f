/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Putting a command line together, and the small tools of its parts. See command_line.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/command_line.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/ids.h"
#include "base/text.h"
#include "driver/qemu/settings.h"

static void
close_kept(gpointer fd)
{
    fd_close(fd);
}

CommandLine *
command_line_new(QemuDriver *qemu, const EmulatorInfo *info, const Domain *dom)
{
    CommandLine *line = g_new0(CommandLine, 1);

    line->qemu = qemu;
    line->info = emulator_info_ref((EmulatorInfo *)info);
    line->dom = dom;
    line->monitor_fd = -1;
    line->argv = g_ptr_array_new_with_free_func(g_free);
    line->env = g_ptr_array_new_with_free_func(g_free);
    line->keep_fds = g_array_new(FALSE, TRUE, sizeof(int));
    g_array_set_clear_func(line->keep_fds, close_kept);
    line->made_paths = g_ptr_array_new_with_free_func(g_free);
    line->staged_paths = g_ptr_array_new_with_free_func(g_free);
    return line;
}

void
command_line_free(CommandLine *line)
{
    if (!line)
        return;
    emulator_info_unref((EmulatorInfo *)line->info);
    g_ptr_array_unref(line->argv);
    g_ptr_array_unref(line->env);
    g_array_unref(line->keep_fds);
    g_ptr_array_unref(line->made_paths);
    g_ptr_array_unref(line->staged_paths);
    g_free(line);
}

void
line_add(CommandLine *line, const char *option, const char *value)
{
    g_ptr_array_add(line->argv, g_strdup(option));
    if (value)
        g_ptr_array_add(line->argv, g_strdup(value));
}

void
line_addf(CommandLine *line, const char *option, const char *fmt, ...)
{
    va_list args;

    g_ptr_array_add(line->argv, g_strdup(option));
    va_start(args, fmt);
    g_ptr_array_add(line->argv, g_strdup_vprintf(fmt, args));
    va_end(args);
}

void
line_add_json(CommandLine *line, const char *option, Json *take_json)
{
    g_autoptr(Json) json = take_json;
    char *text = json_dumps(json, JSON_COMPACT);

    line_add(line, option, text);
    free(text);
}

int
line_keep_fd(CommandLine *line, int take_fd)
{
    if (take_fd >= 0)
        g_array_append_val(line->keep_fds, take_fd);
    return take_fd;
}

char *
line_escape(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);

    return g_strjoinv(",,", parts);
}

bool
line_refuse(GError **err, const char *what)
{
    return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s is not supported by this QEMU driver", what);
}

void
json_add_string(Json *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

void
json_add_bool(Json *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

void
json_add_int(Json *object, const char *key, gint64 value)
{
    json_object_set_new(object, key, json_integer(value));
}

void
json_add_onoff(Json *object, const char *key, Tristate value)
{
    if (value != TRISTATE_UNSET)
        json_add_string(object, key, value == TRISTATE_ON ? "on" : "off");
}

void
json_add_tristate(Json *object, const char *key, Tristate value)
{
    if (value != TRISTATE_UNSET)
        json_add_bool(object, key, value == TRISTATE_ON);
}

char *
virtio_device_name(const char *base, const DeviceInfo *info, const char *model)
{
    const char *variant = g_str_has_suffix(model ? model : "", "-non-transitional")
                              ? "-non-transitional"
                          : g_str_has_suffix(model ? model : "", "-transitional") ? "-transitional"
                                                                                  : "";

    return g_strconcat(base, "-pci", variant, NULL);
}

void
json_add_virtio(Json *device, const VirtioOptions *options)
{
    json_add_tristate(device, "iommu_platform", options->iommu);
    json_add_tristate(device, "ats", options->ats);
    json_add_tristate(device, "packed", options->packed);
    json_add_tristate(device, "page-per-vq", options->page_per_vq);
}

char *
pci_bus_name(const Domain *dom, guint index)
{
    const Controller *controller = domain_find_controller(dom, CONTROLLER_TYPE_PCI, index);

    if (controller && controller->info.alias_name)
        return g_strdup(controller->info.alias_name);
    return g_strdup_printf(index == 0 && domain_has_pcie_root(dom) ? "pcie.%u" : "pci.%u", index);
}

static bool
add_pci_address(CommandLine *line, Json *device, const PciAddress *pci)
{
    g_autofree char *bus = pci_bus_name(line->dom, pci->bus);
    char addr[16];

    json_add_string(device, "bus", bus);
    if (pci->multifunction == TRISTATE_ON)
        json_add_bool(device, "multifunction", true);
    if (pci->function)
        g_snprintf(addr, sizeof(addr), "0x%x.0x%x", pci->slot, pci->function);
    else
        g_snprintf(addr, sizeof(addr), "0x%x", pci->slot);
    json_add_string(device, "addr", addr);
    return true;
}

static bool
add_usb_address(CommandLine *line, Json *device, const UsbAddress *usb)
{
    const Controller *controller = domain_find_controller(line->dom, CONTROLLER_TYPE_USB, usb->bus);
    g_autofree char *bus =
        g_strconcat(controller && controller->info.alias_name ? controller->info.alias_name : "usb",
                    ".0", NULL);

    json_add_string(device, "bus", bus);
    json_add_string(device, "port", usb->port);
    return true;
}

bool
json_add_address(CommandLine *line, Json *device, const DeviceInfo *info, GError **err)
{
    switch (info->address.kind) {
    case ADDRESS_TYPE_PCI:
        return add_pci_address(line, device, info->address.pci);
    case ADDRESS_TYPE_USB:
        return add_usb_address(line, device, info->address.usb);
    case ADDRESS_TYPE_ISA:
        if (info->address.isa->has_iobase)
            json_add_int(device, "iobase", info->address.isa->iobase);
        if (info->address.isa->has_irq)
            json_add_int(device, "irq", info->address.isa->irq);
        return true;
    case ADDRESS_TYPE_UNSET:
    case ADDRESS_TYPE_NONE:
        return true;
    default:
        return line_refuse(err, "this type of device address");
    }
}

void
json_add_boot(Json *device, const DeviceInfo *info, guint boot_index)
{
    guint order = info->boot ? info->boot->order : boot_index;

    if (order)
        json_add_int(device, "bootindex", order);
    if (info->rom) {
        if (info->rom->bar != TRISTATE_UNSET)
            json_add_int(device, "rombar", info->rom->bar == TRISTATE_ON);
        if (info->rom->enabled == TRISTATE_NO)
            json_add_string(device, "romfile", "");
        else
            json_add_string(device, "romfile", info->rom->file);
    }
    if (info->has_acpi_index)
        json_add_int(device, "acpi-index", info->acpi_index);
}

guint
line_boot_index(CommandLine *line, BootDevice device)
{
    const Os *os = &line->dom->os;

    for (guint i = 0; i < os->n_boots; i++)
        if (os->boots[i]->dev == device && !(line->boot_index & (1u << i))) {
            line->boot_index |= 1u << i;
            return i + 1;
        }
    return 0;
}

static void
add_environment(CommandLine *line)
{
    const Domain *dom = line->dom;

    g_ptr_array_add(line->env, g_strdup("LC_ALL=C"));
    g_ptr_array_add(line->env,
                    g_strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    g_ptr_array_add(line->env, g_strconcat("HOME=", line->lib_dir, NULL));
    g_ptr_array_add(line->env, g_strconcat("XDG_DATA_HOME=", line->lib_dir, "/.local/share", NULL));
    g_ptr_array_add(line->env, g_strconcat("XDG_CACHE_HOME=", line->lib_dir, "/.cache", NULL));
    g_ptr_array_add(line->env, g_strconcat("XDG_CONFIG_HOME=", line->lib_dir, "/.config", NULL));
    for (gsize i = 0; i < dom->n_qemu_envs; i++)
        g_ptr_array_add(
            line->env, g_strconcat(dom->qemu_envs[i]->name, "=",
                                   dom->qemu_envs[i]->value ? dom->qemu_envs[i]->value : "", NULL));
}

static void
add_identity(CommandLine *line)
{
    g_autofree char *name = line_escape(line->dom->name);
    g_autofree char *key = g_build_filename(line->lib_dir, "master-key.aes", NULL);

    line_addf(line, "-name", "guest=%s,debug-threads=on", name);
    line_add(line, "-S", NULL);
    line_add_json(line, "-object",
                  json_pack("{s:s s:s s:s s:s}", "qom-type", "secret", "id", "masterKey0", "format",
                            "raw", "file", key));
}

static void
add_uuid_and_monitor(CommandLine *line)
{
    char uuid[UUID_TEXT];
    g_autofree char *path = line_escape(line->monitor_path);

    uuid_format(line->dom->uuid, uuid);
    line_add(line, "-uuid", uuid);
    if (line->dom->n_graphics == 0)
        line_add(line, "-display", "none");
    line_add(line, "-no-user-config", NULL);
    line_add(line, "-nodefaults", NULL);
    if (line->is_dry)
        line_addf(line, "-chardev", "socket,id=charmonitor,path=%s,server=on,wait=off", path);
    else
        line_addf(line, "-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off",
                  line->monitor_fd);
    line_add(line, "-mon", "chardev=charmonitor,id=monitor,mode=control");
}

static void
add_ending(CommandLine *line)
{
    const Domain *dom = line->dom;

    for (gsize i = 0; i < dom->n_qemu_args; i++)
        line_add(line, dom->qemu_args[i]->value, NULL);
    if (line->is_incoming)
        line_add(line, "-incoming", "defer");
    if (line->qemu->config->use_sandbox && g_hash_table_contains(line->info->options, "sandbox"))
        line_add(line, "-sandbox",
                 "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    line_add(line, "-msg", "timestamp=on");
}

bool
command_line_build(CommandLine *line, GError **err)
{
    if (!command_refuse_unsupported(line->dom, err))
        return false;
    g_ptr_array_add(line->argv, g_strdup(line->info->path));
    add_environment(line);
    add_identity(line);
    if (!command_add_firmware(line, err) || !command_add_machine(line, err) ||
        !command_add_cpu(line, err) || !command_add_memory(line, err) ||
        !command_add_numa(line, err) || !command_add_iothreads(line, err))
        return false;
    add_uuid_and_monitor(line);
    if (!command_add_clock(line, err) || !command_add_power(line, err) ||
        !command_add_boot(line, err) || !command_add_smbios(line, err) ||
        !command_add_controllers(line, err) || !command_add_disks(line, err) ||
        !command_add_nets(line, err) || !command_add_chardevs(line, err) ||
        !command_add_inputs(line, err) || !command_add_displays(line, err) ||
        !command_add_sounds(line, err) || !command_add_watchdogs(line, err) ||
        !command_add_misc(line, err))
        return false;
    add_ending(line);
    g_ptr_array_add(line->argv, NULL);
    g_ptr_array_add(line->env, NULL);
    return true;
}

char *
command_line_format(const CommandLine *line, const char *separator)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i + 1 < line->env->len; i++) {
        const char *word = g_ptr_array_index(line->env, i);
        const char *equals = strchr(word, '=');

        g_string_append_len(text, word, equals - word + 1);
        text_append_shell(text, equals + 1);
        g_string_append(text, separator);
    }
    for (guint i = 0; i + 1 < line->argv->len; i++) {
        const char *word = g_ptr_array_index(line->argv, i);

        if (i > 0)
            g_string_append(text, *word == '-' ? separator : " ");
        text_append_shell(text, word);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}
