/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets which PCI address: devices that a chipset wires to fixed places first, then the others in a fixed order of kinds.
 * Two passes: the first finds out how many bridges and ports are needed, the second gives addresses to all.
 * The slots themselves: domain_pci.c. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_pci.h"

#include <string.h>

#include "base/error.h"

typedef struct {
    Domain *dom;
    const DomainFillHost *host;
    PciBuses *buses;
    GPtrArray *lent; /* devices that have an address for the first pass only */
    bool is_trial;   /* first pass: only what a chipset prescribes is written into the devices */
} Assign;

/* An address of zeros, or none: please choose. */
static bool
wants_address(const DeviceInfo *info)
{
    const PciAddress *address = device_info_pci(info);

    if (!address)
        return info->address.kind == ADDRESS_TYPE_UNSET;
    return !address->domain && !address->bus && !address->slot;
}

static bool
has_address(const DeviceInfo *info)
{
    return info->address.kind == ADDRESS_TYPE_PCI && !wants_address(info);
}

/* ---- what a device wants ---- */

static guint
express_or_plain(const Domain *dom)
{
    return domain_has_pcie_root(dom) ? PCIE_DEVICE | PCI_HOTPLUGGABLE
                                     : PCI_DEVICE | PCI_HOTPLUGGABLE;
}

static guint
connect_of_controller(const Domain *dom, const Controller *controller)
{
    guint plain = PCI_DEVICE | PCI_HOTPLUGGABLE;

    switch (controller->type) {
    case CONTROLLER_TYPE_PCI:
        return pci_connect_of_controller(controller->model);
    case CONTROLLER_TYPE_USB:
        if (controller->model == CONTROLLER_MODEL_NONE)
            return 0;
        return controller->model == CONTROLLER_MODEL_NEC_XHCI ||
                       controller->model == CONTROLLER_MODEL_QEMU_XHCI
                   ? express_or_plain(dom)
                   : plain;
    case CONTROLLER_TYPE_IDE:
    case CONTROLLER_TYPE_SATA:
        return plain;
    case CONTROLLER_TYPE_SCSI:
        if (controller->model == CONTROLLER_MODEL_VIRTIO_SCSI ||
            controller->model == CONTROLLER_MODEL_VIRTIO_NON_TRANSITIONAL)
            return express_or_plain(dom);
        return controller->model == CONTROLLER_MODEL_IBMVSCSI ? 0 : plain;
    case CONTROLLER_TYPE_VIRTIO_SERIAL:
        return controller->model == CONTROLLER_MODEL_VIRTIO_TRANSITIONAL ? plain
                                                                         : express_or_plain(dom);
    default: /* fdc, ccid, isa, xenbus */
        return 0;
    }
}

static guint
connect_of_interface(const Domain *dom, const Interface *net)
{
    const char *model = net->model_type ? net->model_type : "";

    if (strcmp(model, "usb-net") == 0)
        return 0;
    if (net->type == NET_TYPE_HOSTDEV || strcmp(model, "virtio") == 0 ||
        strcmp(model, "virtio-non-transitional") == 0 || strcmp(model, "e1000e") == 0 ||
        strcmp(model, "vmxnet3") == 0)
        return express_or_plain(dom);
    return PCI_DEVICE | PCI_HOTPLUGGABLE;
}

static guint
connect_of_hostdev(const Assign *assign, const Hostdev *hostdev)
{
    switch (hostdev->source.kind) {
    case HOSTDEV_TYPE_PCI:
        return express_or_plain(assign->dom);
    case HOSTDEV_TYPE_SCSI_HOST:
        return hostdev->model == HOSTDEV_MODEL_VIRTIO_TRANSITIONAL ? PCI_DEVICE | PCI_HOTPLUGGABLE
                                                                   : express_or_plain(assign->dom);
    case HOSTDEV_TYPE_MDEV:
        return hostdev->model == HOSTDEV_MODEL_VFIO_PCI ? express_or_plain(assign->dom) : 0;
    default:
        return 0;
    }
}

static guint
connect_of_video(const Domain *dom, const Video *video)
{
    switch (video->model.type) {
    case VIDEO_TYPE_VIRTIO:
    case VIDEO_TYPE_BOCHS:
        return express_or_plain(dom);
    case VIDEO_TYPE_VGA:
    case VIDEO_TYPE_CIRRUS:
    case VIDEO_TYPE_VMVGA:
    case VIDEO_TYPE_QXL:
        return PCI_DEVICE | PCI_HOTPLUGGABLE;
    default:
        return 0;
    }
}

static guint
virtio(const Domain *dom, bool is_transitional)
{
    return is_transitional ? PCI_DEVICE | PCI_HOTPLUGGABLE : express_or_plain(dom);
}

static guint
connect_of_sound(const Sound *sound)
{
    return sound->model == SOUND_MODEL_SB16 || sound->model == SOUND_MODEL_PCSPK ||
                   sound->model == SOUND_MODEL_USB
               ? 0
               : PCI_DEVICE | PCI_HOTPLUGGABLE;
}

static guint
connect_of_small(const Domain *dom, const DomainDevice *device)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_FILESYSTEM:
        return virtio(dom, ((Filesystem *)device->device)->model ==
                               FILESYSTEM_MODEL_VIRTIO_TRANSITIONAL);
    case DOMAIN_DEVICE_MEMBALLOON: {
        const Memballoon *balloon = device->device;

        return balloon->model == MEMBALLOON_MODEL_NONE || balloon->model == MEMBALLOON_MODEL_XEN
                   ? 0
                   : virtio(dom, balloon->model == MEMBALLOON_MODEL_VIRTIO_TRANSITIONAL);
    }
    case DOMAIN_DEVICE_RNG:
        return virtio(dom, ((Rng *)device->device)->model == RNG_MODEL_VIRTIO_TRANSITIONAL);
    case DOMAIN_DEVICE_WATCHDOG:
        return ((Watchdog *)device->device)->model == WATCHDOG_MODEL_I6300ESB
                   ? PCI_DEVICE | PCI_HOTPLUGGABLE
                   : 0;
    case DOMAIN_DEVICE_SHMEM:
        return express_or_plain(dom) & PCIE_DEVICE ? PCI_DEVICE | PCI_HOTPLUGGABLE
                                                   : PCI_DEVICE | PCI_HOTPLUGGABLE;
    case DOMAIN_DEVICE_INPUT: {
        const Input *input = device->device;

        return input->bus == INPUT_BUS_VIRTIO
                   ? virtio(dom, input->model == INPUT_MODEL_VIRTIO_TRANSITIONAL)
                   : 0;
    }
    case DOMAIN_DEVICE_SERIAL:
        return ((Serial *)device->device)->target.type == SERIAL_TARGET_TYPE_PCI_SERIAL
                   ? PCI_DEVICE | PCI_HOTPLUGGABLE
                   : 0;
    case DOMAIN_DEVICE_MEMORY: {
        const MemoryDevice *memory = device->device;

        return memory->model == MEMORY_MODEL_VIRTIO_PMEM || memory->model == MEMORY_MODEL_VIRTIO_MEM
                   ? express_or_plain(dom)
                   : 0;
    }
    case DOMAIN_DEVICE_VSOCK:
        return virtio(dom, ((Vsock *)device->device)->model == VSOCK_MODEL_VIRTIO_TRANSITIONAL);
    case DOMAIN_DEVICE_CRYPTO:
        return express_or_plain(dom);
    case DOMAIN_DEVICE_IOMMU:
        return ((Iommu *)device->device)->model == IOMMU_MODEL_VIRTIO
                   ? (express_or_plain(dom) & PCI_CONNECTIONS) | PCI_INTEGRATED
                   : 0;
    default:
        return 0;
    }
}

static guint
connect_of(const Assign *assign, const DomainDevice *device)
{
    switch (device->kind) {
    case DOMAIN_DEVICE_CONTROLLER:
        return connect_of_controller(assign->dom, device->device);
    case DOMAIN_DEVICE_INTERFACE:
        return connect_of_interface(assign->dom, device->device);
    case DOMAIN_DEVICE_SOUND:
        return connect_of_sound(device->device);
    case DOMAIN_DEVICE_DISK: {
        const Disk *disk = device->device;

        return disk->target.bus == DISK_BUS_VIRTIO
                   ? virtio(assign->dom, disk->model == DISK_MODEL_VIRTIO_TRANSITIONAL)
                   : 0;
    }
    case DOMAIN_DEVICE_HOSTDEV:
        return connect_of_hostdev(assign, device->device);
    case DOMAIN_DEVICE_VIDEO:
        return connect_of_video(assign->dom, device->device);
    default:
        return connect_of_small(assign->dom, device);
    }
}

/* ---- giving addresses ---- */

static void
set_address(DeviceInfo *info, const PciAddress *place)
{
    PciAddress *address;

    if (info->address.kind == ADDRESS_TYPE_UNSET)
        device_info_set_kind(info, ADDRESS_TYPE_PCI);
    address = info->address.pci;
    address->domain = place->domain;
    address->bus = place->bus;
    address->slot = place->slot;
    address->function = place->function;
    if (place->multifunction)
        address->multifunction = place->multifunction;
}

static bool
give_fixed(Assign *assign, DeviceInfo *info, const PciAddress *place, guint connect, GError **err)
{
    if (!pci_reserve(assign->buses, place, connect, true, err))
        return false;
    set_address(info, place);
    return true;
}

static bool
give_next(Assign *assign, DeviceInfo *info, guint connect, GError **err)
{
    PciAddress place = {0};

    if (!connect || !wants_address(info))
        return true;
    if (connect & PCI_INTEGRATED)
        connect &= ~(guint)PCI_HOTPLUGGABLE;
    if (!pci_reserve_next(assign->buses, connect, -1, &place, err))
        return false;
    if (!assign->is_trial)
        set_address(info, &place);
    return true;
}

static bool
collect_address(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    Assign *assign = data;
    guint connect;

    if (!device->info || !has_address(device->info))
        return true;
    connect = connect_of(assign, device);
    if (!connect) /* a device that has no business on a PCI bus is the driver's to refuse */
        connect = PCI_DEVICE;
    return pci_reserve(assign->buses, device_info_pci(device->info), connect, true, err);
}

/* ---- places that chipsets prescribe ---- */

static bool
fix_controller(Assign *assign, Controller *controller, guint slot, guint function, const char *what,
               GError **err)
{
    PciAddress place = {.slot = slot, .function = function};
    const PciAddress *there = device_info_pci(&controller->info);

    if (wants_address(&controller->info))
        return give_fixed(assign, &controller->info, &place, PCI_ENDPOINTS, err);
    if (there &&
        (there->domain || there->bus || there->slot != slot || there->function != function))
        return fail(err, VIR_ERR_INTERNAL_ERROR, "%s must have PCI address 0:0:%x.%x", what, slot,
                    function);
    return true;
}

/* Shown by the machine itself; @slot when that is free, else any. */
static bool
place_primary_video(Assign *assign, guint slot, GError **err)
{
    PciAddress place = {.slot = slot};
    Video *video = assign->dom->n_videos ? assign->dom->videos[0] : NULL;
    guint connect = video ? connect_of_video(assign->dom, video) : 0;

    if (!connect || !wants_address(&video->info))
        return true;
    if (!pci_slot_is_used(assign->buses, &place))
        return give_fixed(assign, &video->info, &place, PCI_ENDPOINTS, err);
    if (!pci_reserve_next(assign->buses, connect, -1, &place, err))
        return false;
    set_address(&video->info, &place);
    return true;
}

static bool
place_i440fx(Assign *assign, GError **err)
{
    PciAddress bridge = {.slot = 1};

    for (gsize i = 0; i < assign->dom->n_controllers; i++) {
        Controller *controller = assign->dom->controllers[i];

        if (controller->index != 0)
            continue;
        if (controller->type == CONTROLLER_TYPE_IDE &&
            !fix_controller(assign, controller, 1, 1, "Primary IDE controller", err))
            return false;
        if (controller->type == CONTROLLER_TYPE_USB &&
            controller->model == CONTROLLER_MODEL_PIIX3_UHCI &&
            !fix_controller(assign, controller, 1, 2, "PIIX3 USB controller at index 0", err))
            return false;
    }
    /* the ISA bridge, function 0 */
    if (!pci_reserve(assign->buses, &bridge, PCI_DEVICE, true, err))
        return false;
    return place_primary_video(assign, 2, err);
}

static int
ich9_function(ControllerModel model)
{
    switch (model) {
    case CONTROLLER_MODEL_ICH9_EHCI1:
        return 7;
    case CONTROLLER_MODEL_ICH9_UHCI1:
        return 0;
    case CONTROLLER_MODEL_ICH9_UHCI2:
        return 1;
    case CONTROLLER_MODEL_ICH9_UHCI3:
        return 2;
    default:
        return -1;
    }
}

/* The slot of the controllers that share an index, when one of them has its address. */
static const PciAddress *
slot_of_companions(const Assign *assign, const Controller *controller)
{
    for (gsize i = 0; i < assign->dom->n_controllers; i++) {
        const Controller *other = assign->dom->controllers[i];

        if (other->type == CONTROLLER_TYPE_USB && other->index == controller->index &&
            ich9_function(other->model) >= 0 && has_address(&other->info))
            return device_info_pci(&other->info);
    }
    return NULL;
}

static bool
give_companion(Assign *assign, Controller *controller, bool *done, GError **err)
{
    const PciAddress *there = slot_of_companions(assign, controller);
    int function = ich9_function(controller->model);
    PciAddress place = {0};

    *done = false;
    if (function < 0 || !wants_address(&controller->info))
        return true;
    if (there) {
        place = *there;
    } else if (domain_is_q35(assign->dom)) {
        static const guint slots[] = {0x1d, 0x1a};

        for (gsize i = 0; i < G_N_ELEMENTS(slots) && !place.slot; i++) {
            PciAddress candidate = {.slot = slots[i]};

            if (!pci_slot_is_used(assign->buses, &candidate))
                place.slot = slots[i];
        }
    }
    if (!there && !place.slot)
        return true;
    place.function = function;
    place.multifunction = function == 0 ? TRISTATE_ON : TRISTATE_UNSET;
    place.zpci = NULL;
    *done = true;
    if (there && assign->is_trial && controller->info.address.kind == ADDRESS_TYPE_UNSET)
        g_ptr_array_add(assign->lent, &controller->info);
    return give_fixed(assign, &controller->info, &place, PCI_ENDPOINTS, err);
}

static bool
place_q35_controllers(Assign *assign, GError **err)
{
    for (gsize i = 0; i < assign->dom->n_controllers; i++) {
        Controller *controller = assign->dom->controllers[i];
        bool done = false;

        if (controller->type == CONTROLLER_TYPE_SATA && controller->index == 0 &&
            !fix_controller(assign, controller, 0x1f, 2, "Primary SATA controller", err))
            return false;
        if (controller->type == CONTROLLER_TYPE_USB &&
            !give_companion(assign, controller, &done, err))
            return false;
        if (controller->type == CONTROLLER_TYPE_PCI &&
            controller->model == CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE &&
            wants_address(&controller->info)) {
            PciAddress place = {.slot = 0x1e};

            if (!pci_slot_is_used(assign->buses, &place) &&
                !give_fixed(assign, &controller->info, &place, DMI_TO_PCI_BRIDGE, err))
                return false;
        }
    }
    return true;
}

static bool
place_q35(Assign *assign, GError **err)
{
    PciAddress lpc = {.slot = 0x1f, .function = 0}, smbus = {.slot = 0x1f, .function = 3},
               sound = {.slot = 0x1b};

    if (!place_q35_controllers(assign, err))
        return false;
    if (!pci_reserve(assign->buses, &lpc, PCI_ENDPOINTS, true, err) ||
        !pci_reserve(assign->buses, &smbus, PCI_ENDPOINTS, true, err))
        return false;
    if (!place_primary_video(assign, 1, err))
        return false;
    for (gsize i = 0; i < assign->dom->n_sounds; i++) {
        DeviceInfo *info = &assign->dom->sounds[i]->info;

        if (assign->dom->sounds[i]->model != SOUND_MODEL_ICH9 || !wants_address(info) ||
            pci_slot_is_used(assign->buses, &sound))
            continue;
        if (!give_fixed(assign, info, &sound, PCI_ENDPOINTS, err))
            return false;
    }
    return true;
}

/* ---- all others, kind by kind ---- */

#define GIVE_LIST(KIND, list)                                                                \
    for (gsize i = 0; i < dom->n_##list; i++) {                                              \
        DomainDevice device_ = {DOMAIN_DEVICE_##KIND, dom->list[i], &dom->list[i]->info, i}; \
        if (!give_next(assign, device_.info, connect_of(assign, &device_), err))             \
            return false;                                                                    \
    }

#define GIVE_ONE(KIND, member)                                                             \
    if (dom->member) {                                                                     \
        DomainDevice device_ = {DOMAIN_DEVICE_##KIND, dom->member, &dom->member->info, 0}; \
        if (!give_next(assign, device_.info, connect_of(assign, &device_), err))           \
            return false;                                                                  \
    }

/* Companions look for the slot of their master, in the first pass too; it gets its final place in the second. */
static void
lend_address(Assign *assign, DeviceInfo *info, const PciAddress *place)
{
    if (assign->is_trial && info->address.kind == ADDRESS_TYPE_UNSET)
        g_ptr_array_add(assign->lent, info);
    set_address(info, place);
}

static bool
give_to_controllers(Assign *assign, bool buses, GError **err)
{
    for (gsize i = 0; i < assign->dom->n_controllers; i++) {
        Controller *controller = assign->dom->controllers[i];
        guint connect = connect_of_controller(assign->dom, controller);
        bool done = false;

        if ((controller->type == CONTROLLER_TYPE_PCI) != buses)
            continue;
        /* the first IDE controller is part of the chipset, or cannot be had */
        if (controller->type == CONTROLLER_TYPE_IDE && controller->index == 0)
            continue;
        if (controller->type == CONTROLLER_TYPE_USB &&
            !give_companion(assign, controller, &done, err))
            return false;
        if (!done && controller->type == CONTROLLER_TYPE_USB &&
            ich9_function(controller->model) >= 0 && wants_address(&controller->info)) {
            int function = ich9_function(controller->model);
            PciAddress place = {.multifunction = function == 0 ? TRISTATE_ON : TRISTATE_UNSET};

            if (!pci_reserve_next(assign->buses, connect, function, &place, err))
                return false;
            lend_address(assign, &controller->info, &place);
            continue;
        }
        if (!done && !give_next(assign, &controller->info, connect, err))
            return false;
    }
    return true;
}

static bool
give_to_all(Assign *assign, GError **err)
{
    Domain *dom = assign->dom;

    if (!give_to_controllers(assign, true, err))
        return false;
    GIVE_LIST(FILESYSTEM, filesystems);
    GIVE_LIST(INTERFACE, interfaces);
    GIVE_LIST(SOUND, sounds);
    if (!give_to_controllers(assign, false, err))
        return false;
    GIVE_LIST(DISK, disks);
    GIVE_LIST(HOSTDEV, hostdevs);
    GIVE_ONE(MEMBALLOON, memballoon);
    GIVE_LIST(RNG, rngs);
    GIVE_LIST(WATCHDOG, watchdogs);
    GIVE_LIST(VIDEO, videos);
    GIVE_LIST(SHMEM, shmems);
    GIVE_LIST(INPUT, inputs);
    GIVE_LIST(SERIAL, serials);
    GIVE_LIST(MEMORY, memory_devices);
    GIVE_ONE(IOMMU, iommu);
    GIVE_ONE(VSOCK, vsock);
    GIVE_LIST(CRYPTO, cryptos);
    return true;
}

static bool
run_pass(Assign *assign, GError **err)
{
    if (!domain_each_device(assign->dom, collect_address, assign, err))
        return false;
    if (domain_is_i440fx(assign->dom) && !place_i440fx(assign, err))
        return false;
    if (domain_is_q35(assign->dom) && !place_q35(assign, err))
        return false;
    return true;
}

/* ---- what PCI controllers print beside their address ---- */

static PciControllerName
default_name(ControllerModel model)
{
    switch (model) {
    case CONTROLLER_MODEL_PCI_BRIDGE:
        return PCI_CONTROLLER_NAME_PCI_BRIDGE;
    case CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE:
        return PCI_CONTROLLER_NAME_I82801B11_BRIDGE;
    case CONTROLLER_MODEL_PCIE_ROOT_PORT:
        return PCI_CONTROLLER_NAME_PCIE_ROOT_PORT;
    case CONTROLLER_MODEL_PCIE_SWITCH_UPSTREAM_PORT:
        return PCI_CONTROLLER_NAME_X3130_UPSTREAM;
    case CONTROLLER_MODEL_PCIE_SWITCH_DOWNSTREAM_PORT:
        return PCI_CONTROLLER_NAME_XIO3130_DOWNSTREAM;
    case CONTROLLER_MODEL_PCI_EXPANDER_BUS:
        return PCI_CONTROLLER_NAME_PXB;
    case CONTROLLER_MODEL_PCIE_EXPANDER_BUS:
        return PCI_CONTROLLER_NAME_PXB_PCIE;
    case CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE:
        return PCI_CONTROLLER_NAME_PCIE_PCI_BRIDGE;
    default:
        return PCI_CONTROLLER_NAME_UNSET;
    }
}

/* Expander buses are numbered downwards from 254, in steps of two. */
static guint
new_bus_number(const Domain *dom)
{
    guint lowest = 256;

    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->target.has_bus_nr)
            lowest = MIN(lowest, dom->controllers[i]->target.bus_nr);
    return lowest > 2 ? lowest - 2 : 1;
}

static void
fill_target(Domain *dom, Controller *controller)
{
    ControllerTarget *target = &controller->target;
    const PciAddress *address = device_info_pci(&controller->info);

    if (!controller->model_name)
        controller->model_name = default_name(controller->model);
    switch (controller->model) {
    case CONTROLLER_MODEL_PCI_BRIDGE:
        if (!target->has_chassis_nr)
            target->chassis_nr = MIN(controller->index, 255);
        target->has_chassis_nr = true;
        break;
    case CONTROLLER_MODEL_PCIE_ROOT_PORT:
    case CONTROLLER_MODEL_PCIE_SWITCH_DOWNSTREAM_PORT:
        if (!target->has_chassis)
            target->chassis = MIN(controller->index, 255);
        if (!target->has_port && address)
            target->port = controller->model == CONTROLLER_MODEL_PCIE_ROOT_PORT
                               ? address->slot << 3 | address->function
                               : address->slot;
        target->has_chassis = target->has_port = true;
        break;
    case CONTROLLER_MODEL_PCI_EXPANDER_BUS:
    case CONTROLLER_MODEL_PCIE_EXPANDER_BUS:
        if (!target->has_bus_nr)
            target->bus_nr = new_bus_number(dom);
        target->has_bus_nr = true;
        break;
    default:
        break;
    }
}

typedef struct {
    GHashTable *shared; /* bus << 8 | slot: more than function 0 is taken */
    bool is_marking;
} Multifunction;

/* Function 0 of a slot with more functions says so. */
static bool
mark_multifunction(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    Multifunction *multi = data;
    PciAddress *address = device->info ? device_info_pci(device->info) : NULL;
    gpointer key;

    if (!address || !has_address(device->info))
        return true;
    key = GUINT_TO_POINTER(address->bus << 8 | address->slot);
    if (!multi->is_marking && address->function)
        g_hash_table_add(multi->shared, key);
    if (multi->is_marking && !address->function && !address->multifunction &&
        g_hash_table_contains(multi->shared, key))
        address->multifunction = TRISTATE_ON;
    return true;
}

static void
fill_multifunction(Domain *dom)
{
    g_autoptr(GHashTable) shared = g_hash_table_new(NULL, NULL);
    Multifunction multi = {shared, false};

    domain_each_device(dom, mark_multifunction, &multi, NULL);
    multi.is_marking = true;
    domain_each_device(dom, mark_multifunction, &multi, NULL);
}

static int
highest_bus(const Domain *dom)
{
    int highest = -1;

    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == CONTROLLER_TYPE_PCI)
            highest = MAX(highest, (int)MIN(dom->controllers[i]->index, 255));
    return highest;
}

/* First pass: how many buses does it take? Room for one more device is part of it. */
static bool
count_buses(Domain *dom, const DomainFillHost *host, int highest, GError **err)
{
    g_autoptr(PciBuses) buses = pci_buses_new(dom, highest + 1, true, err);
    g_autoptr(GPtrArray) lent = g_ptr_array_new();
    Assign assign = {dom, host, buses, lent, true};
    PciAddress spare = {0};

    if (!buses || !run_pass(&assign, err))
        return false;
    /* a slot for the bridge that may be added later; without one there would be no way to grow */
    if (domain_is_i440fx(dom) && pci_has_room(buses, PCI_DEVICE) &&
        !pci_reserve_next(buses, PCI_DEVICE, -1, &spare, err))
        return false;
    if (!give_to_all(&assign, err))
        return false;
    /* a guest whose layout is ours gets a free port for hot-plugging */
    if (highest <= 0 && buses->n_buses > (guint)highest + 1 && buses->has_pcie_root &&
        !pci_reserve_next(buses, PCIE_DEVICE | PCI_HOTPLUGGABLE, -1, &spare, err))
        return false;
    for (guint i = 0; i < lent->len; i++)
        device_info_drop_address(lent->pdata[i]);
    for (guint i = 1; i < buses->n_buses; i++)
        domain_ensure_controller(dom, CONTROLLER_TYPE_PCI, i, buses->buses[i].model);
    return true;
}

bool
domain_assign_pci(Domain *dom, const DomainFillHost *host, GError **err)
{
    g_autoptr(PciBuses) buses = NULL;
    int highest = highest_bus(dom);
    Assign assign = {dom, host, NULL, NULL, false};

    if (highest < 0)
        return true;
    if (!count_buses(dom, host, highest, err))
        return false;
    buses = pci_buses_new(dom, highest_bus(dom) + 1, false, err);
    assign.buses = buses;
    if (!buses || !run_pass(&assign, err) || !give_to_all(&assign, err))
        return false;
    for (gsize i = 0; i < dom->n_controllers; i++)
        if (dom->controllers[i]->type == CONTROLLER_TYPE_PCI)
            fill_target(dom, dom->controllers[i]);
    fill_multifunction(dom);
    return true;
}

bool
domain_assign_pci_device(Domain *dom, const DomainFillHost *host, const DomainDevice *device,
                         GError **err)
{
    g_autoptr(PciBuses) buses = NULL;
    Assign assign = {dom, host, NULL, NULL, false};

    if (highest_bus(dom) < 0)
        return true;
    buses = pci_buses_new(dom, highest_bus(dom) + 1, false, err);
    assign.buses = buses;
    if (!buses || !run_pass(&assign, err))
        return false;
    if (has_address(device->info))
        return pci_reserve(buses, device_info_pci(device->info), connect_of(&assign, device), true,
                           err);
    return give_next(&assign, device->info, connect_of(&assign, device), err);
}
