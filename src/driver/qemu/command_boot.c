/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware, boot order, kernel, clock, power management, SMBIOS, I/O threads. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/text.h"
#include "driver/qemu/command_line.h"
#include "seam/clock.h"

static const char *
nvram_path(const OsNvram *nvram)
{
    return nvram->text ? nvram->text : nvram->source.file;
}

bool
command_add_firmware(CommandLine *line, GError **err)
{
    const Os *os = &line->dom->os;
    const OsLoader *loader = &os->loader;

    if (os->firmware != OS_FIRMWARE_UNSET && !loader->text)
        return line_refuse(err, "automatic choice of firmware (os element's attribute 'firmware')");
    if (!loader->text)
        return true;
    if (loader->type != LOADER_TYPE_PFLASH)
        return true; /* -bios, in command_add_boot */
    line_add_json(line, "-blockdev",
                  json_pack("{s:s s:s s:s s:b s:s}", "driver", "file", "filename", loader->text,
                            "node-name", "libvirt-pflash0-storage", "auto-read-only", 1, "discard",
                            "unmap"));
    line_add_json(line, "-blockdev",
                  json_pack("{s:s s:b s:s s:s}", "node-name", "libvirt-pflash0-format", "read-only",
                            loader->readonly == TRISTATE_YES, "driver", "raw", "file",
                            "libvirt-pflash0-storage"));
    if (!os->nvram)
        return true;
    if (os->nvram->type != STORAGE_TYPE_UNSET && os->nvram->type != STORAGE_TYPE_FILE)
        return line_refuse(err, "nvram that is no file");
    if (!nvram_path(os->nvram))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "nvram has no path");
    line_add_json(line, "-blockdev",
                  json_pack("{s:s s:s s:s s:b s:s}", "driver", "file", "filename",
                            nvram_path(os->nvram), "node-name", "libvirt-pflash1-storage",
                            "auto-read-only", 1, "discard", "unmap"));
    line_add_json(line, "-blockdev",
                  json_pack("{s:s s:b s:s s:s}", "node-name", "libvirt-pflash1-format", "read-only",
                            0, "driver", "raw", "file", "libvirt-pflash1-storage"));
    return true;
}

static bool
append_base(GString *value, const Clock *clock, GError **err)
{
    gint64 seconds = clock_wall_seconds();
    int adjustment = 0;
    g_autoptr(GDateTime) start = NULL;
    g_autofree char *text = NULL;

    switch (clock->offset) {
    case CLOCK_OFFSET_UNSET:
    case CLOCK_OFFSET_UTC:
        g_string_append(value, "base=utc");
        return true;
    case CLOCK_OFFSET_LOCALTIME:
    case CLOCK_OFFSET_TIMEZONE:
        g_string_append(value, "base=localtime");
        return true;
    case CLOCK_OFFSET_ABSOLUTE:
        start = g_date_time_new_from_unix_utc(clock->start);
        break;
    default:
        if (clock->adjustment && strcmp(clock->adjustment, "reset") != 0 &&
            !text_to_int(clock->adjustment, 10, &adjustment))
            return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                        "clock adjustment '%s' is no number of seconds", clock->adjustment);
        if (clock->basis == CLOCK_BASIS_LOCALTIME) {
            g_autoptr(GDateTime) here = g_date_time_new_now_local();

            seconds += g_date_time_get_utc_offset(here) / G_USEC_PER_SEC;
        }
        start = g_date_time_new_from_unix_utc(seconds + adjustment);
    }
    text = start ? g_date_time_format(start, "%Y-%m-%dT%H:%M:%S") : NULL;
    if (!text)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "clock start is out of range");
    g_string_append_printf(value, "base=%s", text);
    return true;
}

static bool
add_timer(CommandLine *line, const Timer *timer, GError **err)
{
    if (timer->name == TIMER_NAME_PIT && timer->tickpolicy == TIMER_TICK_POLICY_DELAY)
        line_add(line, "-global", "kvm-pit.lost_tick_policy=delay");
    else if (timer->name == TIMER_NAME_PIT && timer->tickpolicy == TIMER_TICK_POLICY_DISCARD)
        line_add(line, "-global", "kvm-pit.lost_tick_policy=discard");
    else if (timer->name == TIMER_NAME_PIT && timer->tickpolicy != TIMER_TICK_POLICY_UNSET &&
             timer->tickpolicy != TIMER_TICK_POLICY_CATCHUP)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED, "unsupported pit tickpolicy '%s'",
                    timer_tick_policy_to_string(timer->tickpolicy));
    if (timer->name == TIMER_NAME_HPET && timer->present == TRISTATE_NO)
        line_add(line, "-no-hpet", NULL);
    return true;
}

bool
command_add_clock(CommandLine *line, GError **err)
{
    const Clock *clock = &line->dom->clock;
    g_autoptr(GString) value = g_string_new(NULL);

    if (clock->timezone && *clock->timezone)
        g_ptr_array_add(line->env, g_strconcat("TZ=", clock->timezone, NULL));
    if (!append_base(value, clock, err))
        return false;
    for (gsize i = 0; i < clock->n_timers; i++) {
        const Timer *timer = clock->timers[i];

        if (timer->name != TIMER_NAME_RTC)
            continue;
        if (timer->track == TIMER_TRACK_GUEST)
            g_string_append(value, ",clock=vm");
        else if (timer->track == TIMER_TRACK_REALTIME)
            g_string_append(value, ",clock=rt");
        if (timer->tickpolicy == TIMER_TICK_POLICY_CATCHUP)
            g_string_append(value, ",driftfix=slew");
    }
    line_add(line, "-rtc", value->str);
    for (gsize i = 0; i < clock->n_timers; i++)
        if (!add_timer(line, clock->timers[i], err))
            return false;
    return true;
}

bool
command_add_power(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;
    const char *chip = domain_is_q35(dom) ? "ICH9-LPC" : "PIIX4_PM";

    line_add(line, "-no-shutdown", NULL);
    if (!dom->features.acpi)
        line_add(line, "-no-acpi", NULL);
    if (dom->pm.suspend_to_mem_enabled != TRISTATE_UNSET)
        line_addf(line, "-global", "%s.disable_s3=%d", chip,
                  dom->pm.suspend_to_mem_enabled == TRISTATE_NO);
    if (dom->pm.suspend_to_disk_enabled != TRISTATE_UNSET)
        line_addf(line, "-global", "%s.disable_s4=%d", chip,
                  dom->pm.suspend_to_disk_enabled == TRISTATE_NO);
    return true;
}

bool
command_add_boot(CommandLine *line, GError **err)
{
    const Os *os = &line->dom->os;
    g_autoptr(GString) value = g_string_new(NULL);

    if (os->bootmenu_enable != TRISTATE_UNSET)
        g_string_append_printf(value, "menu=%s,",
                               os->bootmenu_enable == TRISTATE_YES ? "on" : "off");
    if (os->bootmenu_enable == TRISTATE_YES && os->has_bootmenu_timeout)
        g_string_append_printf(value, "splash-time=%u,", os->bootmenu_timeout);
    if (os->has_bios_reboot_timeout)
        g_string_append_printf(value, "reboot-timeout=%d,", os->bios_reboot_timeout);
    g_string_append(value, "strict=on");
    line_add(line, "-boot", value->str);

    if (os->loader.text && os->loader.type != LOADER_TYPE_PFLASH)
        line_add(line, "-bios", os->loader.text);
    if (os->kernel)
        line_add(line, "-kernel", os->kernel);
    if (os->initrd)
        line_add(line, "-initrd", os->initrd);
    if (os->cmdline)
        line_add(line, "-append", os->cmdline);
    if (os->dtb)
        line_add(line, "-dtb", os->dtb);
    for (gsize i = 0; i < os->n_acpi_tables; i++) {
        g_autofree char *path = line_escape(os->acpi_tables[i]->text);

        line_addf(line, "-acpitable", "sig=SLIC,file=%s", path);
    }
    return true;
}

static void
add_smbios_table(CommandLine *line, int type, SysinfoEntry *const *entries, gsize n_entries,
                 const char *const (*names)[2])
{
    g_autoptr(GString) value = g_string_new(NULL);

    g_string_append_printf(value, "type=%d", type);
    for (gsize n = 0; names[n][0]; n++)
        for (gsize i = 0; i < n_entries; i++)
            if (!g_strcmp0(entries[i]->name, names[n][0]) && entries[i]->text) {
                g_autofree char *text = line_escape(entries[i]->text);

                g_string_append_printf(value, ",%s=%s", names[n][1], text);
            }
    line_add(line, "-smbios", value->str);
}

static void
add_smbios(CommandLine *line, const Sysinfo *info)
{
    static const char *const bios[][2] = {{"vendor", "vendor"},
                                          {"version", "version"},
                                          {"date", "date"},
                                          {"release", "release"},
                                          {NULL, NULL}};
    static const char *const system[][2] = {{"manufacturer", "manufacturer"},
                                            {"product", "product"},
                                            {"version", "version"},
                                            {"serial", "serial"},
                                            {"uuid", "uuid"},
                                            {"sku", "sku"},
                                            {"family", "family"},
                                            {NULL, NULL}};
    static const char *const board[][2] = {{"manufacturer", "manufacturer"},
                                           {"product", "product"},
                                           {"version", "version"},
                                           {"serial", "serial"},
                                           {"asset", "asset"},
                                           {"location", "location"},
                                           {NULL, NULL}};
    static const char *const chassis[][2] = {{"manufacturer", "manufacturer"},
                                             {"version", "version"},
                                             {"serial", "serial"},
                                             {"asset", "asset"},
                                             {"sku", "sku"},
                                             {NULL, NULL}};

    if (info->n_bios_entries)
        add_smbios_table(line, 0, info->bios_entries, info->n_bios_entries, bios);
    if (info->n_system_entries)
        add_smbios_table(line, 1, info->system_entries, info->n_system_entries, system);
    for (gsize i = 0; i < info->n_base_boards; i++)
        add_smbios_table(line, 2, info->base_boards[i]->entries, info->base_boards[i]->n_entries,
                         board);
    if (info->n_chassis_entries)
        add_smbios_table(line, 3, info->chassis_entries, info->n_chassis_entries, chassis);
    if (info->n_oem_strings) {
        g_autoptr(GString) value = g_string_new("type=11");

        for (gsize i = 0; i < info->n_oem_strings; i++) {
            g_autofree char *text = line_escape(info->oem_strings[i]);

            g_string_append_printf(value, ",value=%s", text);
        }
        line_add(line, "-smbios", value->str);
    }
}

bool
command_add_smbios(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    if (dom->os.smbios_mode == SMBIOS_MODE_HOST)
        return line_refuse(err, "smbios mode 'host'");
    for (gsize i = 0; i < dom->n_sysinfos; i++) {
        const Sysinfo *info = dom->sysinfos[i];

        if (info->type == SYSINFO_TYPE_SMBIOS && dom->os.smbios_mode == SMBIOS_MODE_SYSINFO)
            add_smbios(line, info);
        for (gsize j = 0; info->type == SYSINFO_TYPE_FWCFG && j < info->n_entries; j++) {
            const SysinfoEntry *entry = info->entries[j];
            g_autofree char *name = line_escape(entry->name);
            g_autofree char *value = line_escape(entry->file   ? entry->file
                                                 : entry->text ? entry->text
                                                               : "");

            line_addf(line, "-fw_cfg", "name=%s,%s=%s", name, entry->file ? "file" : "string",
                      value);
        }
    }
    return true;
}

bool
command_add_iothreads(CommandLine *line, GError **err)
{
    const Domain *dom = line->dom;

    if (dom->defaultiothread.has_thread_pool_min || dom->defaultiothread.has_thread_pool_max)
        return line_refuse(err, "element <defaultiothread>");
    for (gsize i = 0; i < dom->n_iothread_entries; i++) {
        const IoThread *thread = dom->iothread_entries[i];
        g_autofree char *id = g_strdup_printf("iothread%u", thread->id);
        g_autoptr(Json) object = json_pack("{s:s s:s}", "qom-type", "iothread", "id", id);

        if (thread->has_thread_pool_min)
            json_add_int(object, "thread-pool-min", thread->thread_pool_min);
        if (thread->has_thread_pool_max)
            json_add_int(object, "thread-pool-max", thread->thread_pool_max);
        line_add_json(line, "-object", g_steal_pointer(&object));
    }
    return true;
}
