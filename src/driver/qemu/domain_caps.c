/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virConnectGetDomainCapabilities: what a guest's definition may say here. Kept in step with what the command_*.c files
 * accept. See caps.h. */
#define ERROR_DOMAIN VIR_FROM_CAPABILITIES

#include <string.h>

#include "base/error.h"
#include "driver/qemu/capabilities.h"
#include "driver/qemu/caps.h"
#include "gen/model-domcaps.h"
#include "model/domain.h"

bool
cpu_model_has_own_name(const CpuModelType *cpu)
{
    const char *dash = cpu->name ? strrchr(cpu->name, '-') : NULL;

    if (!cpu->name || !strcmp(cpu->name, "host") || !strcmp(cpu->name, "max") ||
        !strcmp(cpu->name, "base"))
        return false;
    return !(dash && dash[1] == 'v' && g_ascii_isdigit(dash[2]));
}

/* @words ends with NULL; those that are absent are left out by the caller. */
static CapsEnum *
make_enum(const char *name, const char *const *words)
{
    CapsEnum *set = caps_enum_new();

    set->name = g_strdup(name);
    set->n_values = g_strv_length((char **)words);
    set->values = g_strdupv((char **)words);
    return set;
}

static void
append_enum(CapsEnum ***enums, gsize *n, const char *name, const char *const *words)
{
    *enums = g_renew(CapsEnum *, *enums, *n + 1);
    (*enums)[(*n)++] = make_enum(name, words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static CapsDevice *
make_device(bool is_supported)
{
    CapsDevice *device = caps_device_new();

    device->supported = is_supported;
    return device;
}

/* The words of @candidates whose object type the emulator has. Free with g_free. */
static const char **
filter_words(const EmulatorInfo *info, const char *const (*candidates)[2])
{
    GPtrArray *words = g_ptr_array_new();

    for (gsize i = 0; candidates[i][0]; i++)
        if (!candidates[i][1] || emulator_info_has_type(info, candidates[i][1]))
            g_ptr_array_add(words, (gpointer)candidates[i][0]);
    g_ptr_array_add(words, NULL);
    return (const char **)g_ptr_array_free(words, FALSE);
}

static void
fill_os(CapsOs *os)
{
    os->supported = true;
    append_enum(&os->enums, &os->n_enums, "firmware", WORDS(NULL));
    os->loader = caps_loader_new();
    os->loader->supported = true;
    append_enum(&os->loader->enums, &os->loader->n_enums, "type", WORDS("rom", "pflash"));
    append_enum(&os->loader->enums, &os->loader->n_enums, "readonly", WORDS("yes", "no"));
    append_enum(&os->loader->enums, &os->loader->n_enums, "secure", WORDS("no"));
}

static CapsCpuMode *
make_mode(CpuMode name, bool is_supported)
{
    CapsCpuMode *mode = caps_cpu_mode_new();

    mode->name = name;
    mode->supported = is_supported;
    return mode;
}

static void
fill_custom_models(CapsCpuMode *mode, const GPtrArray *cpus)
{
    mode->models = g_new0(CapsCpuModelItem *, cpus->len);
    for (guint i = 0; i < cpus->len; i++) {
        const CpuModelType *cpu = g_ptr_array_index(cpus, i);
        CapsCpuModelItem *item;

        if (!cpu_model_has_own_name(cpu))
            continue;
        item = caps_cpu_model_item_new();
        item->kind = CAPS_CPU_MODEL_ITEM_KIND_MODEL;
        item->model = caps_cpu_model_entry_new();
        item->model->text = g_strdup(cpu->name);
        item->model->usable = g_strdup(cpu->is_usable ? "yes" : "no");
        if (cpu->is_deprecated)
            item->model->deprecated = TRISTATE_YES;
        mode->models[mode->n_models++] = item;
    }
}

static void
fill_cpus(DomainCapabilities *caps, const EmulatorInfo *info, bool is_kvm)
{
    const char *const *switches = WORDS("on", "off");

    bool has_host = is_kvm && info->runs_kvm_host_cpu;
    bool has_maximum = !is_kvm || info->runs_kvm_host_cpu;

    caps->cpu_modes = g_new0(CapsCpuMode *, 4);
    caps->cpu_modes[0] = make_mode(CPU_MODE_HOST_PASSTHROUGH, has_host);
    if (has_host)
        append_enum(&caps->cpu_modes[0]->enums, &caps->cpu_modes[0]->n_enums,
                    "hostPassthroughMigratable", switches);
    caps->cpu_modes[1] = make_mode(CPU_MODE_MAXIMUM, has_maximum);
    if (has_maximum)
        append_enum(&caps->cpu_modes[1]->enums, &caps->cpu_modes[1]->n_enums, "maximumMigratable",
                    switches);
    caps->cpu_modes[2] = make_mode(CPU_MODE_HOST_MODEL, is_kvm ? info->kvm_host_model && has_host
                                                               : info->host_model != NULL);
    caps->cpu_modes[3] = make_mode(CPU_MODE_CUSTOM, true);
    caps->n_cpu_modes = 4;
    fill_custom_models(caps->cpu_modes[3], is_kvm ? info->kvm_cpus : info->cpus);
}

static void
fill_displays(DomainCapabilities *caps, const EmulatorInfo *info)
{
    static const char *const video_types[][2] = {
        {"vga", "VGA"},
        {"cirrus", "cirrus-vga"},
        {"vmvga", "vmware-svga"},
        {"qxl", "qxl"},
        {"virtio", "virtio-vga"},
        {"none", NULL},
        {"bochs", "bochs-display"},
        {"ramfb", "ramfb"},
        {NULL, NULL},
    };
    g_autofree const char **videos = filter_words(info, video_types);

    caps->graphics = make_device(true);
    append_enum(&caps->graphics->enums, &caps->graphics->n_enums, "type", WORDS("vnc"));
    caps->video = make_device(true);
    append_enum(&caps->video->enums, &caps->video->n_enums, "modelType",
                (const char *const *)videos);
}

static void
fill_devices(DomainCapabilities *caps, const EmulatorInfo *info, bool is_q35)
{
    const char *const *models = WORDS("virtio", "virtio-transitional", "virtio-non-transitional");

    caps->disk = make_device(true);
    append_enum(&caps->disk->enums, &caps->disk->n_enums, "diskDevice",
                WORDS("disk", "cdrom", "floppy", "lun"));
    append_enum(&caps->disk->enums, &caps->disk->n_enums, "bus",
                is_q35 ? WORDS("fdc", "scsi", "virtio", "usb", "sata")
                       : WORDS("ide", "fdc", "scsi", "virtio", "usb", "sata"));
    append_enum(&caps->disk->enums, &caps->disk->n_enums, "model", models);
    fill_displays(caps, info);
    caps->hostdev = make_device(false);
    caps->rng = make_device(emulator_info_has_type(info, "virtio-rng-pci"));
    append_enum(&caps->rng->enums, &caps->rng->n_enums, "model", models);
    append_enum(&caps->rng->enums, &caps->rng->n_enums, "backendModel",
                WORDS("random", "egd", "builtin"));
    caps->filesystem = make_device(false);
    caps->tpm = make_device(false);
    caps->redirdev = make_device(false);
    caps->channel = make_device(true);
    append_enum(&caps->channel->enums, &caps->channel->n_enums, "type", WORDS("pty", "unix"));
}

static void
fill_features(DomainCapabilities *caps)
{
    caps->gic = make_device(false);
    caps->vmcoreinfo_supported = TRISTATE_YES;
    caps->genid_supported = TRISTATE_YES;
    caps->backing_store_input_supported = TRISTATE_YES;
    caps->backup_supported = TRISTATE_NO;
    caps->sev = caps_sev_new();
    caps->sgx = caps_sgx_new();
}

/* The emulator that four optional words mean together. */
static EmulatorInfo *
find_emulator(QemuDriver *qemu, const char *path, const char *arch, GError **err)
{
    g_autoptr(EmulatorInfo) info = NULL;

    if (!path)
        path = capabilities_find(qemu, arch ? arch : capabilities_host_arch());
    if (!path)
        return fail_null(err, VIR_ERR_INVALID_ARG, "unknown architecture: %s", arch);
    info = capabilities_emulator(qemu, path, err);
    if (info && arch && strcmp(info->arch, arch) != 0)
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "architecture from emulator '%s' doesn't match given architecture '%s'",
                         info->arch, arch);
    return g_steal_pointer(&info);
}

static bool
settle_type(const EmulatorInfo *info, const char *word, VirtType *type, GError **err)
{
    *type = word ? virt_type_from_string(word) : info->runs_kvm ? VIRT_TYPE_KVM : VIRT_TYPE_QEMU;
    if (*type == VIRT_TYPE_UNSET)
        return fail(err, VIR_ERR_INVALID_ARG, "unknown virttype: %s", word);
    if (*type == VIRT_TYPE_KVM ? info->runs_kvm : *type == VIRT_TYPE_QEMU && info->has_tcg)
        return true;
    return fail(err, VIR_ERR_INVALID_ARG, "Emulator '%s' does not support virt type '%s'",
                info->path, virt_type_to_string(*type));
}

char *
domain_caps_format(QemuDriver *qemu, const char *emulator, const char *arch, const char *machine,
                   const char *virt_type, GError **err)
{
    g_autoptr(DomainCapabilities) caps = domain_capabilities_new();
    g_autoptr(EmulatorInfo) info = NULL;
    const MachineType *found;
    VirtType type;

    if (virt_type && virt_type_from_string(virt_type) == VIRT_TYPE_UNSET)
        return fail_null(err, VIR_ERR_INVALID_ARG, "unknown virttype: %s", virt_type);
    info = find_emulator(qemu, emulator, arch, err);
    if (!info || !settle_type(info, virt_type, &type, err))
        return NULL;
    found = emulator_info_machine(info, machine);
    if (!found)
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "the machine '%s' is not supported by emulator '%s'", machine, info->path);
    caps->path = g_strdup(info->path);
    caps->domain = g_strdup(virt_type_to_string(type));
    caps->machine = g_strdup(found->name);
    caps->arch = g_strdup(info->arch);
    caps->vcpu_max = found->max_cpus;
    caps->has_vcpu_max = found->max_cpus != 0;
    caps->iothreads_supported = TRISTATE_YES;
    fill_os(&caps->os);
    fill_cpus(caps, info, type == VIRT_TYPE_KVM);
    caps->memory_backing = make_device(true);
    append_enum(&caps->memory_backing->enums, &caps->memory_backing->n_enums, "sourceType",
                WORDS("anonymous", "memfd"));
    fill_devices(caps, info, g_str_has_prefix(found->name, "pc-q35"));
    fill_features(caps);
    return domain_capabilities_format(caps, 0);
}
