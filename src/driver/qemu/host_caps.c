/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virConnectGetCapabilities: the host from src/host, the guests from the emulators. See caps.h. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/caps.h"
#include "driver/qemu/settings.h"
#include "gen/model-capabilities.h"
#include "host/node.h"

static void
fill_cpu(CapsCpu *cpu, const HostTopology *topology)
{
    g_autoptr(GArray) pages = host_page_sizes();
    HostCpuModel model;

    host_cpu_model_read(&model);
    cpu->arch = g_strdup(capabilities_host_arch());
    cpu->vendor = g_strdup(model.vendor);
    if (model.microcode) {
        cpu->microcode_version = model.microcode;
        cpu->has_microcode_version = true;
    }
    if (model.family) {
        cpu->signature = caps_signature_new();
        cpu->signature->family = model.family;
        cpu->signature->model = model.model;
        cpu->signature->stepping = model.stepping;
    }
    cpu->topology = caps_topology_new();
    cpu->topology->sockets = topology->sockets;
    cpu->topology->dies = topology->dies;
    cpu->topology->cores = topology->cores;
    cpu->topology->threads = topology->threads;
    if (model.address_bits) {
        cpu->maxphysaddr = caps_max_phys_addr_new();
        cpu->maxphysaddr->mode = g_strdup("emulate");
        cpu->maxphysaddr->bits = model.address_bits;
        cpu->maxphysaddr->has_bits = true;
    }
    cpu->n_pages = pages->len;
    cpu->pages = g_new0(CapsPageSize *, pages->len);
    for (guint i = 0; i < pages->len; i++) {
        cpu->pages[i] = caps_page_size_new();
        cpu->pages[i]->size = g_array_index(pages, guint64, i);
    }
    host_cpu_model_clear(&model);
}

static const HostCpu *
find_cpu(const HostTopology *topology, guint id)
{
    for (gsize i = 0; i < topology->n_cpus; i++)
        if (topology->cpus[i].id == id)
            return &topology->cpus[i];
    return NULL;
}

static CapsCellCpu *
make_cell_cpu(const HostTopology *topology, guint id)
{
    CapsCellCpu *cpu = caps_cell_cpu_new();
    const HostCpu *host = find_cpu(topology, id);

    cpu->id = id;
    if (!host || !host->is_online)
        return cpu;
    cpu->socket_id = host->socket;
    cpu->die_id = host->die;
    cpu->core_id = host->core;
    cpu->has_socket_id = cpu->has_die_id = cpu->has_core_id = true;
    cpu->siblings = host->siblings ? bitmap_parse(host->siblings) : NULL;
    return cpu;
}

static CapsCell *
make_cell(const HostTopology *topology, const HostCell *host)
{
    CapsCell *cell = caps_cell_new();
    g_autoptr(GArray) sizes = host_page_sizes();

    cell->id = host->id;
    cell->memory = host->memory_kib;
    cell->has_memory = true;
    cell->pages = g_new0(CapsPagePool *, sizes->len);
    for (guint i = 0; i < sizes->len; i++) {
        guint64 size = g_array_index(sizes, guint64, i);
        guint64 total, free_pages;

        if (!host_pages_read((int)host->id, size, &total, &free_pages))
            continue;
        cell->pages[cell->n_pages] = caps_page_pool_new();
        cell->pages[cell->n_pages]->size = size;
        cell->pages[cell->n_pages++]->text = total;
    }
    cell->distances = g_new0(CapsSibling *, host->n_distances);
    for (gsize i = 0; i < host->n_distances && i < topology->n_cells; i++) {
        cell->distances[i] = caps_sibling_new();
        cell->distances[i]->id = topology->cells[i].id;
        cell->distances[i]->value = host->distances[i];
        cell->n_distances++;
    }
    cell->n_listed_cpus = (guint)host->n_cpus;
    cell->n_cpus = host->n_cpus;
    cell->cpus = g_new0(CapsCellCpu *, host->n_cpus);
    for (gsize i = 0; i < host->n_cpus; i++)
        cell->cpus[i] = make_cell_cpu(topology, host->cpus[i]);
    return cell;
}

static CapsSecModel *
make_security_model(const char *name)
{
    CapsSecModel *model = caps_sec_model_new();

    model->model = g_strdup(name);
    model->doi = g_strdup("0");
    return model;
}

static void
fill_host(QemuDriver *qemu, CapsHost *host)
{
    g_autoptr(HostTopology) topology = host_topology_read();

    host->has_uuid = qemu->host->host_uuid && uuid_parse(qemu->host->host_uuid, host->uuid);
    fill_cpu(&host->cpu, topology);
    host->power_management = caps_power_new();
    host->topology = caps_host_topology_new();
    host->topology->n_listed_cells = (guint)topology->n_cells;
    host->topology->n_cells = topology->n_cells;
    host->topology->cells = g_new0(CapsCell *, topology->n_cells);
    for (gsize i = 0; i < topology->n_cells; i++)
        host->topology->cells[i] = make_cell(topology, &topology->cells[i]);
    host->n_secmodels = 1;
    host->secmodels = g_new0(CapsSecModel *, 1);
    host->secmodels[0] = make_security_model("none");
}

/* ---- guests ---- */

static CapsMachine *
make_machine(const MachineType *type, bool as_alias)
{
    CapsMachine *machine = caps_machine_new();

    machine->text = g_strdup(as_alias ? type->alias : type->name);
    machine->canonical = as_alias ? g_strdup(type->name) : NULL;
    machine->max_cpus = type->max_cpus;
    machine->has_max_cpus = type->max_cpus != 0;
    if (type->is_deprecated)
        machine->deprecated = TRISTATE_YES;
    return machine;
}

static CapsGuestDomain *
make_domain(const char *type)
{
    CapsGuestDomain *domain = caps_guest_domain_new();

    domain->type = g_strdup(type);
    return domain;
}

static CapsToggle *
make_toggle(bool can_toggle)
{
    CapsToggle *toggle = caps_toggle_new();

    toggle->default_ = TRISTATE_ON;
    toggle->toggle = can_toggle ? TRISTATE_YES : TRISTATE_NO;
    return toggle;
}

static void
fill_arch(CapsGuestArch *arch, const EmulatorInfo *info)
{
    arch->name = g_strdup(info->arch);
    arch->wordsize = strstr(info->arch, "64") || !strcmp(info->arch, "s390x") ? 64 : 32;
    arch->emulator = g_strdup(info->path);
    arch->machines = g_new0(CapsMachine *, 2 * info->machines->len);
    for (guint i = 0; i < info->machines->len; i++) {
        const MachineType *machine = g_ptr_array_index(info->machines, i);

        arch->machines[arch->n_machines++] = make_machine(machine, false);
        if (machine->alias)
            arch->machines[arch->n_machines++] = make_machine(machine, true);
    }
    arch->domains = g_new0(CapsGuestDomain *, 2);
    if (info->has_tcg)
        arch->domains[arch->n_domains++] = make_domain("qemu");
    if (info->runs_kvm)
        arch->domains[arch->n_domains++] = make_domain("kvm");
}

static CapsGuest *
make_guest(const EmulatorInfo *info)
{
    CapsGuest *guest = caps_guest_new();
    bool is_x86 = !strcmp(info->arch, "x86_64") || !strcmp(info->arch, "i686");

    guest->os_type = g_strdup("hvm");
    fill_arch(&guest->arch, info);
    guest->features = caps_guest_features_new();
    if (!strcmp(info->arch, "i686"))
        guest->features->pae = guest->features->nonpae = true;
    if (is_x86) {
        guest->features->acpi = make_toggle(true);
        guest->features->apic = make_toggle(false);
    }
    guest->features->cpuselection = guest->features->deviceboot = true;
    guest->features->disksnapshot = make_toggle(false);
    return guest;
}

char *
host_caps_format(QemuDriver *qemu, GError **err)
{
    g_autoptr(HostCapabilities) caps = host_capabilities_new();
    g_autoptr(GPtrArray) infos = capabilities_emulators(qemu);

    fill_host(qemu, &caps->host);
    caps->n_guests = infos->len;
    caps->guests = g_new0(CapsGuest *, infos->len);
    for (guint i = 0; i < infos->len; i++)
        caps->guests[i] = make_guest(g_ptr_array_index(infos, i));
    return host_capabilities_format(caps, 0);
}
