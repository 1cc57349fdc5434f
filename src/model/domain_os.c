/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest boots: firmware, loader, NVRAM, boot order; SMBIOS tables; platform features. */
#define ERROR_DOMAIN VIR_FROM_DOMAIN
#include "model/domain_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const char *const bios_names[] = {"vendor", "version", "date", "release", NULL};
static const char *const system_names[] = {"manufacturer", "product", "version", "serial",
                                           "uuid",         "sku",     "family",  NULL};
static const char *const board_names[] = {"manufacturer", "product",  "version", "serial",
                                          "asset",        "location", NULL};
static const char *const chassis_names[] = {"manufacturer", "version", "serial",
                                            "asset",        "sku",     NULL};

/* SMBIOS has fixed fields: they are kept in their own order, unknown ones are dropped. */
static void
order_entries(SysinfoEntry ***entries, gsize *n, const char *const *names)
{
    g_autofree SysinfoEntry **old = *entries;
    gsize n_old = *n;
    SysinfoEntry **kept = NULL;
    gsize n_kept = 0;

    for (; *names; names++) {
        for (gsize i = 0; i < n_old; i++) {
            if (old[i] && g_strcmp0(old[i]->name, *names) == 0) {
                list_append(kept, n_kept, old[i]);
                old[i] = NULL;
                break;
            }
        }
    }
    for (gsize i = 0; i < n_old; i++)
        sysinfo_entry_free(old[i]);
    *entries = kept;
    *n = n_kept;
}

static bool
date_is_valid(const char *date)
{
    int month, day, year, end = 0;

    return sscanf(date, "%2d/%2d/%4d%n", &month, &day, &year, &end) == 3 && !date[end] &&
           month >= 1 && month <= 12 && day >= 1 && day <= 31 && (year < 100 || year >= 1900);
}

static bool
fill_sysinfo(Domain *dom, GError **err)
{
    for (gsize i = 0; i < dom->n_sysinfos; i++) {
        Sysinfo *info = dom->sysinfos[i];

        if (info->type != SYSINFO_TYPE_SMBIOS)
            continue;
        order_entries(&info->bios_entries, &info->n_bios_entries, bios_names);
        order_entries(&info->system_entries, &info->n_system_entries, system_names);
        order_entries(&info->chassis_entries, &info->n_chassis_entries, chassis_names);
        for (gsize j = 0; j < info->n_base_boards; j++)
            order_entries(&info->base_boards[j]->entries, &info->base_boards[j]->n_entries,
                          board_names);
        for (gsize j = 0; j < info->n_bios_entries; j++)
            if (strcmp(info->bios_entries[j]->name, "date") == 0 &&
                !date_is_valid(info->bios_entries[j]->text))
                return fail(err, VIR_ERR_XML_DETAIL, "Invalid BIOS 'date' format");
    }
    return true;
}

static void
fill_features(Features *features)
{
    if (features->smm && !features->smm->state)
        features->smm->state = TRISTATE_ON;
    if (features->hyperv.mode == HYPERV_MODE_UNSET) {
        const FeatureHyperv *hyperv = &features->hyperv;

        if (hyperv->relaxed_state || hyperv->vapic_state || hyperv->spinlocks.state ||
            hyperv->vpindex_state || hyperv->runtime_state || hyperv->synic_state ||
            hyperv->stimer.state || hyperv->reset_state || hyperv->vendor_id.state ||
            hyperv->frequencies_state || hyperv->reenlightenment_state || hyperv->tlbflush_state ||
            hyperv->ipi_state || hyperv->evmcs_state || hyperv->avic_state)
            features->hyperv.mode = HYPERV_MODE_CUSTOM;
    }
    if (features->kvm.dirty_ring.state == TRISTATE_OFF)
        features->kvm.dirty_ring.has_size = false;
}

/* Enrolled keys make sense with secure boot only. */
static void
fill_firmware_features(Os *os)
{
    bool enrolled = false;
    OsFirmwareFeature *secure;

    for (gsize i = 0; i < os->n_firmware_features; i++) {
        if (os->firmware_features[i]->name == OS_FIRMWARE_FEATURE_NAME_SECURE_BOOT)
            return;
        enrolled = enrolled || os->firmware_features[i]->enabled;
    }
    if (!enrolled)
        return;
    secure = os_firmware_feature_new();
    secure->name = OS_FIRMWARE_FEATURE_NAME_SECURE_BOOT;
    secure->enabled = true;
    list_append(os->firmware_features, os->n_firmware_features, secure);
}

bool
domain_fill_os(Domain *dom, GError **err)
{
    Os *os = &dom->os;

    if (os->type == OS_TYPE_UNSET)
        return fail(err, VIR_ERR_OS_TYPE, NULL);
    if (!os->firmware && !os->loader.type && os->loader.text)
        os->loader.type = LOADER_TYPE_ROM;
    fill_firmware_features(os);
    if (os->bootmenu_enable != TRISTATE_YES)
        os->has_bootmenu_timeout = false;
    if (os->nvram && os->nvram->type)
        disk_source_prune(os->nvram->type, &os->nvram->source);
    fill_features(&dom->features);
    return fill_sysinfo(dom, err);
}

/* Read-only firmware in flash keeps its variables in a file beside it; the file is named after the guest. */
void
domain_fill_nvram(Domain *dom, const DomainFillHost *host)
{
    Os *os = &dom->os;

    if (!host->nvram_dir || os->firmware || os->loader.type != LOADER_TYPE_PFLASH ||
        os->loader.readonly != TRISTATE_YES || os->loader.stateless == TRISTATE_YES)
        return;
    if (!os->nvram)
        os->nvram = os_nvram_new();
    if (!os->nvram->text && !os->nvram->type)
        os->nvram->text = g_strdup_printf("%s/%s_VARS.fd", host->nvram_dir, dom->name);
}

typedef struct {
    bool has_order;
} BootSearch;

static bool
note_boot_order(Domain *dom, const DomainDevice *device, void *data, GError **err)
{
    BootSearch *search = data;

    search->has_order = search->has_order || (device->info && device->info->boot);
    return true;
}

/* A machine boots from its first disk unless something else is said. */
bool
domain_fill_boot(Domain *dom, GError **err)
{
    BootSearch search = {false};
    OsBoot *boot;

    if (dom->os.type != OS_TYPE_HVM)
        return true;
    domain_each_device(dom, note_boot_order, &search, NULL);
    if (search.has_order && dom->os.n_boots)
        return fail(err, VIR_ERR_CONFIG_UNSUPPORTED,
                    "per-device boot elements cannot be used together with os/boot elements");
    if (search.has_order || dom->os.n_boots)
        return true;
    boot = os_boot_new();
    boot->dev = BOOT_DEVICE_HD;
    list_append(dom->os.boots, dom->os.n_boots, boot);
    return true;
}

static bool
check_loader(const Os *os, GError **err)
{
    const OsLoader *loader = &os->loader;

    if (os->firmware) {
        if (loader->type || loader->text)
            return fail(err, VIR_ERR_XML_DETAIL,
                        "loader attribute 'type' cannot be specified when firmware autoselection "
                        "is enabled");
        if (loader->secure == TRISTATE_NO)
            return fail(err, VIR_ERR_XML_DETAIL,
                        "loader attribute 'secure' cannot be specified when firmware autoselection "
                        "is enabled");
        if (loader->readonly)
            return fail(err, VIR_ERR_XML_DETAIL,
                        "loader attribute 'readonly' cannot be specified when firmware "
                        "autoselection is enabled");
        if (os->nvram && os->firmware != OS_FIRMWARE_EFI)
            return fail(err, VIR_ERR_XML_DETAIL, "firmware type '%s' does not support nvram",
                        os_firmware_to_string(os->firmware));
        if (loader->stateless == TRISTATE_NO && os->firmware != OS_FIRMWARE_EFI)
            return fail(err, VIR_ERR_XML_DETAIL, "Only EFI firmware permits NVRAM");
        return true;
    }
    if (os->n_firmware_features)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "cannot use feature-based firmware autoselection when firmware autoselection "
                    "is disabled");
    if ((os->nvram || loader->readonly || loader->secure || loader->type || loader->stateless) &&
        !loader->text)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "no loader path specified and firmware auto selection disabled");
    if ((os->nvram || loader->stateless == TRISTATE_NO) && loader->type != LOADER_TYPE_PFLASH)
        return fail(err, VIR_ERR_XML_DETAIL, "Only EFI firmware permits NVRAM");
    return true;
}

bool
domain_check_os(const Domain *dom, GError **err)
{
    const Os *os = &dom->os;
    bool enrolled = false, secure_off = false;

    if (!check_loader(os, err))
        return false;
    if (os->loader.stateless == TRISTATE_YES && os->nvram)
        return fail(err, VIR_ERR_XML_DETAIL, "NVRAM is not permitted when loader is stateless");
    for (gsize i = 0; i < os->n_firmware_features; i++) {
        const OsFirmwareFeature *feature = os->firmware_features[i];

        enrolled = enrolled ||
                   (feature->name == OS_FIRMWARE_FEATURE_NAME_ENROLLED_KEYS && feature->enabled);
        secure_off = secure_off ||
                     (feature->name == OS_FIRMWARE_FEATURE_NAME_SECURE_BOOT && !feature->enabled);
    }
    if (enrolled && secure_off)
        return fail(err, VIR_ERR_XML_DETAIL,
                    "firmware feature 'enrolled-keys' cannot be enabled when firmware feature "
                    "'secure-boot' is disabled");
    return true;
}
