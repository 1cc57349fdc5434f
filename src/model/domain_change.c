/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing a configuration by one device: attach, detach, update. The document of the device is read and filled in as part of
 * the domain; what the change does to the whole (addresses, controllers) is what filling in the domain anew does; only the
 * device itself is checked and accepted.
 * A failed call may leave @dom changed: work on a copy. */
#define ERROR_DOMAIN VIR_FROM_QEMU
#include "model/domain_rules.h"

#include <stddef.h>

#include "base/error.h"

typedef struct {
    DomainDeviceKind kind;
    const ModelType *type;
    gsize list, count; /* offsets in Domain; count 0: a single pointer */
    gsize info;        /* offset of the DeviceInfo in the device; 0: none */
    bool can_attach, can_detach;
} Change;

#define LIST(KIND, list, Type, type_model, attach, detach)                                     \
    {                                                                                          \
        DOMAIN_DEVICE_##KIND, &type_model, offsetof(Domain, list), offsetof(Domain, n_##list), \
            offsetof(Type, info), attach, detach                                               \
    }
#define PLAIN(KIND, list, type_model, attach, detach)                                             \
    {                                                                                             \
        DOMAIN_DEVICE_##KIND, &type_model, offsetof(Domain, list), offsetof(Domain, n_##list), 0, \
            attach, detach                                                                        \
    }
#define SINGLE(KIND, member, Type, type_model, attach, detach)                                \
    {                                                                                         \
        DOMAIN_DEVICE_##KIND, &type_model, offsetof(Domain, member), 0, offsetof(Type, info), \
            attach, detach                                                                    \
    }

static const Change changes[] = {
    LIST(DISK, disks, Disk, disk_model, true, true),
    LIST(CONTROLLER, controllers, Controller, controller_model, true, true),
    PLAIN(LEASE, leases, lease_model, true, true),
    LIST(FILESYSTEM, filesystems, Filesystem, filesystem_model, true, true),
    LIST(INTERFACE, interfaces, Interface, interface_model, true, true),
    LIST(SMARTCARD, smartcards, Smartcard, smartcard_model, false, false),
    LIST(SERIAL, serials, Serial, serial_model, true, true),
    LIST(PARALLEL, parallels, Parallel, parallel_model, true, true),
    LIST(CONSOLE, consoles, Console, console_model, true, true),
    LIST(CHANNEL, channels, Channel, channel_model, true, true),
    LIST(INPUT, inputs, Input, input_model, true, true),
    LIST(TPM, tpms, Tpm, tpm_model, false, false),
    PLAIN(GRAPHICS, graphics, graphics_model, false, false),
    LIST(SOUND, sounds, Sound, sound_model, true, true),
    PLAIN(AUDIO, audios, audio_model, false, false),
    LIST(VIDEO, videos, Video, video_model, false, false),
    LIST(HOSTDEV, hostdevs, Hostdev, hostdev_model, true, true),
    LIST(REDIRDEV, redirdevs, Redirdev, redirdev_model, true, true),
    LIST(HUB, hubs, Hub, hub_model, false, false),
    LIST(WATCHDOG, watchdogs, Watchdog, watchdog_model, true, true),
    SINGLE(MEMBALLOON, memballoon, Memballoon, memballoon_model, false, false),
    LIST(RNG, rngs, Rng, rng_model, true, true),
    SINGLE(NVRAM, nvram_device, NvramDevice, nvram_device_model, false, false),
    LIST(PANIC, panics, Panic, panic_model, false, false),
    LIST(SHMEM, shmems, Shmem, shmem_model, true, true),
    LIST(MEMORY, memory_devices, MemoryDevice, memory_device_model, true, true),
    LIST(CRYPTO, cryptos, Crypto, crypto_model, false, false),
    SINGLE(IOMMU, iommu, Iommu, iommu_model, false, false),
    SINGLE(VSOCK, vsock, Vsock, vsock_model, true, true),
};

static void ***
list_of(Domain *dom, const Change *change)
{
    return (void ***)((char *)dom + change->list);
}

static gsize *
count_of(Domain *dom, const Change *change)
{
    return (gsize *)((char *)dom + change->count);
}

static DeviceInfo *
info_of(void *device, const Change *change)
{
    return change->info ? (DeviceInfo *)((char *)device + change->info) : NULL;
}

/* ---- reading ---- */

/* The name of the outermost element. */
static char *
root_name(const char *xml)
{
    const char *at = xml;

    while ((at = strchr(at, '<'))) {
        if (g_str_has_prefix(at, "<!--")) {
            at = strstr(at, "-->");
            if (!at)
                return NULL;
        } else if (g_ascii_isalpha(at[1])) {
            return g_strndup(at + 1, strcspn(at + 1, " \t\r\n/>"));
        }
        at++;
    }
    return NULL;
}

static const Change *
change_of(const char *xml, GError **err)
{
    g_autofree char *name = root_name(xml);

    for (gsize i = 0; name && i < G_N_ELEMENTS(changes); i++)
        if (strcmp(changes[i].type->element, name) == 0)
            return &changes[i];
    return fail_null(err, VIR_ERR_INTERNAL_ERROR, "unknown device type '%s'", name ? name : "");
}

static DomainDevice
device_of(void *device, const Change *change)
{
    return (DomainDevice){change->kind, device, info_of(device, change), 0};
}

static bool
judge_device(const Domain *dom, const DomainDevice *device, const DomainFillHost *host,
             GError **err)
{
    if (!domain_check_device(dom, device, err))
        return false;
    return !host || !host->accept_device || host->accept_device(dom, device, err);
}

static void *
read_device(Domain *dom, const Change *change, const char *xml, bool is_new,
            const DomainFillHost *host, GError **err)
{
    void *device = model_parse(change->type, xml, MODEL_PARSE_INACTIVE, err);
    DomainDevice described;

    if (!device)
        return NULL;
    described = device_of(device, change);
    device_drop_live(&described);
    if (described.info && !alias_is_users(described.info->alias_name))
        g_clear_pointer(&described.info->alias_name, g_free);
    if ((described.info && !device_info_fill_defaults(described.info, err)) ||
        !domain_fill_device(dom, &described, host, err) ||
        (is_new && !judge_device(dom, &described, host, err))) {
        model_free(change->type, device);
        return NULL;
    }
    return device;
}

/* ---- finding ---- */

static bool
same_but_place(const Change *change, void *wanted, void *there)
{
    void *copy = model_copy(change->type, there);
    DeviceInfo *copied = info_of(copy, change), *given = info_of(wanted, change);
    bool same;

    if (copied && given) {
        if (given->address.kind == ADDRESS_TYPE_UNSET)
            device_info_drop_address(copied);
        if (!given->alias_name)
            g_clear_pointer(&copied->alias_name, g_free);
    }
    same = model_equal(change->type, wanted, copy);
    model_free(change->type, copy);
    return same;
}

static bool
matches(const Change *change, void *wanted, void *there)
{
    switch (change->kind) {
    case DOMAIN_DEVICE_DISK:
        return g_strcmp0(((Disk *)wanted)->target.dev, ((Disk *)there)->target.dev) == 0;
    case DOMAIN_DEVICE_INTERFACE:
        return memcmp(((Interface *)wanted)->mac.address, ((Interface *)there)->mac.address, 6) ==
               0;
    case DOMAIN_DEVICE_CONTROLLER: {
        const Controller *a = wanted, *b = there;

        return a->type == b->type && a->has_index && b->has_index && a->index == b->index;
    }
    case DOMAIN_DEVICE_FILESYSTEM:
        return g_strcmp0(((Filesystem *)wanted)->target_dir, ((Filesystem *)there)->target_dir) ==
               0;
    case DOMAIN_DEVICE_HOSTDEV:
        return hostdev_same_source(wanted, there);
    case DOMAIN_DEVICE_LEASE: {
        const Lease *a = wanted, *b = there;

        return g_strcmp0(a->lockspace, b->lockspace) == 0 && g_strcmp0(a->key, b->key) == 0;
    }
    case DOMAIN_DEVICE_SHMEM:
        return strcmp(((Shmem *)wanted)->name, ((Shmem *)there)->name) == 0 &&
               ((Shmem *)wanted)->model_type == ((Shmem *)there)->model_type;
    case DOMAIN_DEVICE_VSOCK:
        return true;
    default:
        return same_but_place(change, wanted, there);
    }
}

/* Its place in the list, or -1. */
static gssize
find_device(Domain *dom, const Change *change, void *wanted)
{
    if (!change->count) {
        void *there = *(void **)((char *)dom + change->list);

        return there && matches(change, wanted, there) ? 0 : -1;
    }
    for (gsize i = 0; i < *count_of(dom, change); i++)
        if (matches(change, wanted, (*list_of(dom, change))[i]))
            return i;
    return -1;
}

static void *
take_device(Domain *dom, const Change *change, gsize at)
{
    void **list;
    void *device;

    if (!change->count) {
        void **place = (void **)((char *)dom + change->list);

        return g_steal_pointer(place);
    }
    list = *list_of(dom, change);
    device = list[at];
    memmove(list + at, list + at + 1, (*count_of(dom, change) - at - 1) * sizeof(*list));
    --*count_of(dom, change);
    return device;
}

static void
put_device(Domain *dom, const Change *change, void *device)
{
    if (!change->count) {
        *(void **)((char *)dom + change->list) = device;
        return;
    }
    list_append(*list_of(dom, change), *count_of(dom, change), device);
}

/* ---- attach ---- */

typedef struct {
    const DeviceInfo *wanted;
    bool taken;
} PlaceSearch;

static bool
same_place(const DeviceAddress *a, const DeviceAddress *b)
{
    if (a->kind == ADDRESS_TYPE_UNSET || a->kind != b->kind)
        return false;
    if (a->kind == ADDRESS_TYPE_PCI)
        return a->pci->domain == b->pci->domain && a->pci->bus == b->pci->bus &&
               a->pci->slot == b->pci->slot && a->pci->function == b->pci->function &&
               (a->pci->bus || a->pci->slot);
    return device_address_equal(a, b);
}

static bool
note_same_place(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    PlaceSearch *search = data;

    search->taken = search->taken ||
                    (device->info && same_place(&device->info->address, &search->wanted->address));
    return !search->taken;
}

static bool
place_is_taken(Domain *dom, const DeviceInfo *info)
{
    PlaceSearch search = {info, false};

    if (!info || info->address.kind == ADDRESS_TYPE_UNSET)
        return false;
    domain_each_device(dom, note_same_place, &search, NULL);
    return search.taken;
}

static bool
refuse_twice(const Change *change, void *device, GError **err)
{
    switch (change->kind) {
    case DOMAIN_DEVICE_DISK:
        return fail(err, VIR_ERR_OPERATION_INVALID, "target %s already exists",
                    ((Disk *)device)->target.dev);
    case DOMAIN_DEVICE_CONTROLLER:
        return fail(err, VIR_ERR_OPERATION_INVALID, "controller index='%u' already exists",
                    ((Controller *)device)->index);
    case DOMAIN_DEVICE_FILESYSTEM:
        return fail(err, VIR_ERR_OPERATION_INVALID, "Target already exists");
    case DOMAIN_DEVICE_WATCHDOG:
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain already has a watchdog");
    case DOMAIN_DEVICE_VSOCK:
        return fail(err, VIR_ERR_OPERATION_INVALID, "domain already has a vsock device");
    default:
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "device is already in the domain configuration");
    }
}

static bool
may_be_twice(DomainDeviceKind kind)
{
    return kind == DOMAIN_DEVICE_INTERFACE || kind == DOMAIN_DEVICE_INPUT ||
           kind == DOMAIN_DEVICE_REDIRDEV || kind == DOMAIN_DEVICE_RNG ||
           kind == DOMAIN_DEVICE_SOUND || kind == DOMAIN_DEVICE_MEMORY ||
           kind == DOMAIN_DEVICE_SERIAL || kind == DOMAIN_DEVICE_PARALLEL ||
           kind == DOMAIN_DEVICE_CHANNEL || kind == DOMAIN_DEVICE_CONSOLE;
}

static bool
check_attach(Domain *dom, const Change *change, void *device, GError **err)
{
    DeviceInfo *info = info_of(device, change);

    if (change->kind == DOMAIN_DEVICE_AUDIO)
        for (gsize i = 0; i < dom->n_audios; i++)
            if (dom->audios[i]->id == ((Audio *)device)->id)
                return error_set(err, VIR_FROM_DOMAIN, VIR_ERR_XML_ERROR,
                                 "audio ID %u is used multiple times", dom->audios[i]->id);
    if (change->kind == DOMAIN_DEVICE_CONSOLE &&
        ((Console *)device)->target_type != CONSOLE_TARGET_TYPE_VIRTIO)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "attaching serial console is not supported");
    if (!change->can_attach)
        return fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                    "persistent attach of device '%s' is not supported",
                    domain_device_kind_name(change->kind));
    if (!may_be_twice(change->kind) &&
        (change->kind != DOMAIN_DEVICE_WATCHDOG || dom->n_watchdogs) &&
        (change->kind == DOMAIN_DEVICE_WATCHDOG || find_device(dom, change, device) >= 0))
        return refuse_twice(change, device, err);
    if (change->kind == DOMAIN_DEVICE_RNG && place_is_taken(dom, info))
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "a device with the same address already exists ");
    return true;
}

bool
domain_attach_device(Domain *dom, const char *xml, const DomainFillHost *host, GError **err)
{
    const Change *change = change_of(xml, err);
    void *device = change ? read_device(dom, change, xml, true, host, err) : NULL;

    if (!device)
        return false;
    if (!check_attach(dom, change, device, err)) {
        model_free(change->type, device);
        return false;
    }
    put_device(dom, change, device);
    if (change->kind == DOMAIN_DEVICE_DISK)
        domain_sort_disks(dom);
    else if (change->kind == DOMAIN_DEVICE_CONTROLLER)
        domain_sort_controllers(dom);
    return domain_fill(dom, (void *)host, err);
}

/* ---- detach ---- */

static bool
refuse_missing(const Change *change, void *device, GError **err)
{
    switch (change->kind) {
    case DOMAIN_DEVICE_DISK:
        return fail(err, VIR_ERR_DEVICE_MISSING, "no target device %s",
                    ((Disk *)device)->target.dev);
    case DOMAIN_DEVICE_INTERFACE: {
        const guchar *mac = ((Interface *)device)->mac.address;

        return fail(err, VIR_ERR_DEVICE_MISSING,
                    "no device matching MAC address %02x:%02x:%02x:%02x:%02x:%02x found", mac[0],
                    mac[1], mac[2], mac[3], mac[4], mac[5]);
    }
    case DOMAIN_DEVICE_SERIAL:
    case DOMAIN_DEVICE_PARALLEL:
    case DOMAIN_DEVICE_CONSOLE:
    case DOMAIN_DEVICE_CHANNEL:
        return fail(err, VIR_ERR_INVALID_ARG, "device not present in domain configuration");
    default:
        return fail(err, VIR_ERR_DEVICE_MISSING, "device not present in domain configuration");
    }
}

/* The console that mirrors the first serial port goes with it. */
static void
remove_device(Domain *dom, const Change *change, gsize at)
{
    bool is_mirrored = change->kind == DOMAIN_DEVICE_SERIAL && at == 0 && dom->n_consoles &&
                       dom->consoles[0]->target_type == CONSOLE_TARGET_TYPE_SERIAL;

    model_free(change->type, take_device(dom, change, at));
    if (is_mirrored) {
        console_free(dom->consoles[0]);
        memmove(dom->consoles, dom->consoles + 1, --dom->n_consoles * sizeof(*dom->consoles));
    }
}

bool
domain_detach_device(Domain *dom, const char *xml, const DomainFillHost *host, GError **err)
{
    const Change *change = change_of(xml, err);
    void *device = change ? read_device(dom, change, xml, false, host, err) : NULL;
    bool ok = true;
    gssize at;

    if (!device)
        return false;
    at = change->can_detach ? find_device(dom, change, device) : -1;
    if (!change->can_detach)
        ok = fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                  "persistent detach of device '%s' is not supported",
                  domain_device_kind_name(change->kind));
    else if (at < 0)
        ok = refuse_missing(change, device, err);
    else
        remove_device(dom, change, at);
    model_free(change->type, device);
    return ok && domain_fill(dom, (void *)host, err);
}

/* ---- update ---- */

static bool
can_update(DomainDeviceKind kind)
{
    return kind == DOMAIN_DEVICE_DISK || kind == DOMAIN_DEVICE_GRAPHICS ||
           kind == DOMAIN_DEVICE_INTERFACE || kind == DOMAIN_DEVICE_MEMORY;
}

static gssize
find_to_update(Domain *dom, const Change *change, void *device)
{
    if (change->kind != DOMAIN_DEVICE_GRAPHICS)
        return find_device(dom, change, device);
    for (gsize i = 0; i < dom->n_graphics; i++)
        if (dom->graphics[i]->type == ((Graphics *)device)->type)
            return i;
    return -1;
}

/* The new device takes the place of the old one, which gives it the address. */
static void
replace_device(Domain *dom, const Change *change, gsize at, void *device)
{
    void **list = *list_of(dom, change);
    DeviceInfo *old = info_of(list[at], change), *new = info_of(device, change);

    if (old && new &&new->address.kind == ADDRESS_TYPE_UNSET) {
        DeviceAddress held = new->address;

        new->address = old->address;
        old->address = held;
    }
    model_free(change->type, list[at]);
    list[at] = device;
}

bool
domain_update_device(Domain *dom, const char *xml, const DomainFillHost *host, GError **err)
{
    const Change *change = change_of(xml, err);
    void *device = change ? read_device(dom, change, xml, true, host, err) : NULL;
    gssize at;

    if (!device)
        return false;
    at = can_update(change->kind) ? find_to_update(dom, change, device) : -1;
    if (at < 0) {
        if (can_update(change->kind))
            refuse_missing(change, device, err);
        else
            fail(err, VIR_ERR_OPERATION_UNSUPPORTED,
                 "persistent update of device '%s' is not supported",
                 domain_device_kind_name(change->kind));
        model_free(change->type, device);
        return false;
    }
    replace_device(dom, change, at, device);
    return domain_fill(dom, (void *)host, err);
}
