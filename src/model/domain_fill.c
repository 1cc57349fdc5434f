/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fill stage of a domain: the order in which defaults are worked out. What each step does is in the file named after
 * its subject; the order matters, because later steps look at what earlier ones added (controllers, consoles, addresses). */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"

static bool
fill_identity(Domain *dom, GError **err)
{
    if (strchr(dom->name, '/'))
        return fail(err, VIR_ERR_XML_ERROR, "name %s cannot contain '/'", dom->name);
    if (strchr(dom->name, '\n'))
        return fail(err, VIR_ERR_XML_ERROR, "name cannot contain a line break");
    if (dom->title && strchr(dom->title, '\n'))
        return fail(err, VIR_ERR_XML_ERROR, "Domain title can't contain newlines");
    if (!dom->has_uuid) {
        uuid_generate(dom->uuid);
        dom->has_uuid = true;
    }
    if (dom->genid && !dom->genid->has_text) {
        uuid_generate(dom->genid->text);
        dom->genid->has_text = true;
    }
    return true;
}

static void
fill_lifecycle(Domain *dom)
{
    if (!dom->on_poweroff)
        dom->on_poweroff = LIFECYCLE_ACTION_DESTROY;
    if (!dom->on_reboot)
        dom->on_reboot = LIFECYCLE_ACTION_RESTART;
    if (!dom->on_crash)
        dom->on_crash = LIFECYCLE_ACTION_DESTROY;
}

static void
fill_clock(Domain *dom)
{
    Clock *clock = &dom->clock;

    if (!clock->offset)
        clock->offset = CLOCK_OFFSET_UTC;
    if (clock->offset == CLOCK_OFFSET_VARIABLE) {
        if (!clock->adjustment)
            clock->adjustment = g_strdup("0");
        if (!clock->basis)
            clock->basis = CLOCK_BASIS_UTC;
    } else {
        clock->basis = CLOCK_BASIS_UNSET;
    }
    if (clock->offset != CLOCK_OFFSET_TIMEZONE)
        g_clear_pointer(&clock->timezone, g_free);
    if (clock->offset != CLOCK_OFFSET_ABSOLUTE)
        clock->has_start = false;
}

typedef struct {
    const DomainFillHost *host;
} DeviceFill;

/* What each device fills in about itself; a hot-plugged one goes through here too. */
bool
domain_fill_device(Domain *dom, const DomainDevice *device, const DomainFillHost *host,
                   GError **err)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_DISK:
        return disk_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_CONTROLLER:
        return controller_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_INTERFACE:
        return interface_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_SMARTCARD:
        return smartcard_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_SERIAL:
        return serial_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_PARALLEL:
        return parallel_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_CONSOLE:
        return console_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_CHANNEL:
        return channel_fill_defaults(device->device, host, err);
    case DOMAIN_DEVICE_REDIRDEV:
        return redirdev_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_INPUT:
        return input_fill_defaults(device->device, dom, err);
    case DOMAIN_DEVICE_GRAPHICS:
        return graphics_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_VIDEO:
        return video_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_HOSTDEV:
        return hostdev_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_FILESYSTEM:
        return filesystem_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_TPM:
        return tpm_fill_defaults(device->device, host, err);
    case DOMAIN_DEVICE_RNG:
        return rng_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_PANIC:
        return panic_fill_defaults(device->device, dom, host, err);
    case DOMAIN_DEVICE_SHMEM:
        return shmem_fill_defaults(device->device, host, err);
    case DOMAIN_DEVICE_MEMORY:
        return memory_device_fill_defaults(device->device, err);
    case DOMAIN_DEVICE_VSOCK:
        return vsock_fill_defaults(device->device, err);
    default:
        return true;
    }
}

static bool
fill_one_device(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    const DeviceFill *fill = data;

    if (device->info && !device_info_fill_defaults(device->info, err))
        return false;
    return domain_fill_device(dom, device, fill->host, err);
}

static bool
fill_devices(Domain *dom, const DomainFillHost *host, GError **err)
{
    DeviceFill fill = {host};

    if (!domain_each_device(dom, fill_one_device, &fill, err))
        return false;
    /* the console that mirrors a serial port is passed over by the walk, its target is not */
    for (gsize i = 0; i < dom->n_consoles; i++)
        if (!console_fill_defaults(dom->consoles[i], err))
            return false;
    return true;
}

static bool
fill_before_devices(Domain *dom, const DomainFillHost *host, GError **err)
{
    for (gsize i = 0; i < dom->n_tpms; i++)
        if (!dom->tpms[i]->backend.type)
            return fail(err, VIR_ERR_XML_ERROR, "missing TPM device backend");
    if (!domain_fill_os(dom, err) || !domain_fill_vcpus(dom, err) ||
        !domain_fill_memory(dom, err) || !domain_fill_tuning(dom, err) ||
        !domain_fill_chardev_ports(dom, err) || !domain_fill_consoles(dom, err))
        return false;
    if (dom->redirfilter && !redirfilter_fill_defaults(dom->redirfilter, err))
        return false;
    domain_fill_seclabels(dom, host);
    domain_fill_controller_indexes(dom);
    if (!host)
        return true;
    return domain_fill_platform(dom, host, err) && domain_fill_default_devices(dom, err);
}

static bool
fill_after_devices(Domain *dom, const DomainFillHost *host, GError **err)
{
    if (!domain_fill_boot(dom, err) || !domain_fill_inputs(dom, err) ||
        !domain_fill_implicit_controllers(dom, err) || !domain_fill_videos(dom, host, err) ||
        (host && !domain_fill_audio(dom, err)))
        return false;
    if (!domain_check_controllers(dom, err))
        return false;
    if (host && !domain_assign_addresses(dom, host, err))
        return false;
    domain_mirror_console(dom);
    return true;
}

bool
domain_fill_all(Domain *dom, const ModelRules *rules, GError **err)
{
    const DomainFillHost *host = rules->opaque;

    if (!fill_identity(dom, err))
        return false;
    fill_lifecycle(dom);
    fill_clock(dom);
    return fill_before_devices(dom, host, err) && fill_devices(dom, host, err) &&
           fill_after_devices(dom, host, err);
}

void
domain_arrange(Domain *dom)
{
    domain_sort_controllers(dom);
    domain_sort_disks(dom);
}

Domain *
domain_parse_filled(const char *xml, ModelParseFlags flags, const DomainFillHost *host,
                    GError **err)
{
    g_autoptr(Domain) dom = domain_parse(xml, flags, err);

    if (!dom)
        return NULL;
    if (flags & MODEL_PARSE_INACTIVE)
        domain_drop_live(dom);
    domain_arrange(dom);
    if (!domain_fill(dom, (void *)host, err) || !domain_check(dom, (void *)host, err))
        return NULL;
    return g_steal_pointer(&dom);
}
