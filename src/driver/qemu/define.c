/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defining, undefining, renaming; autostart. */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include "driver/qemu/checkpoint.h"
#include "driver/qemu/define.h"

#include <string.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/log.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/events.h"
#include "driver/qemu/snapshot.h"

void
domain_ensure_uuid(Domain *dom)
{
    if (!dom->has_uuid) {
        uuid_generate(dom->uuid);
        dom->has_uuid = true;
    }
}

/* Name and UUID must belong to the same guest, or to none. */
static bool
check_identity(QemuDriver *qemu, const Domain *dom, GuestView *by_uuid, GError **err)
{
    GuestView *by_name;
    char uuid[UUID_TEXT];
    bool ok = true;

    if (!store_check_name(qemu->configs, dom->name, err))
        return false;
    if (by_uuid && strcmp(by_uuid->view.name, dom->name) != 0) {
        uuid_format(dom->uuid, uuid);
        return fail(err, VIR_ERR_OPERATION_FAILED, "domain '%s' is already defined with uuid %s",
                    by_uuid->view.name, uuid);
    }
    by_name = guest_view_read(registry_lookup_name(qemu->guests, dom->name));
    if (!by_name)
        return true;
    if (!uuid_equal(by_name->view.uuid, dom->uuid)) {
        uuid_format(by_name->view.uuid, uuid);
        ok = fail(err, VIR_ERR_OPERATION_FAILED, "domain '%s' already exists with uuid %s",
                  dom->name, uuid);
    }
    view_unref(by_name);
    return ok;
}

/* The guest of @dom's UUID, or a new one. */
static Guest *
find_or_make(QemuDriver *qemu, const Domain *dom, bool *is_new, GError **err)
{
    GuestView *view = guest_view_read(registry_lookup_uuid(qemu->guests, dom->uuid));
    Guest *guest = NULL;

    if (check_identity(qemu, dom, view, err))
        guest = view ? guest_ref(view->guest) : guest_new(qemu, dom->uuid, dom->name);
    *is_new = !view;
    if (view)
        view_unref(view);
    return guest;
}

Guest *
guest_for_transient(QemuDriver *qemu, Domain *config, GError **err)
{
    bool is_new;
    g_autoptr(Guest) guest = NULL;

    domain_ensure_uuid(config);
    guest = find_or_make(qemu, config, &is_new, err);
    if (!guest)
        return NULL;
    if (!is_new) {
        GuestView *view = guest_view_read(registry_lookup_uuid(qemu->guests, config->uuid));
        bool is_active = view && view->emulator;

        if (view)
            view_unref(view);
        if (is_active)
            return fail_null(err, VIR_ERR_OPERATION_INVALID, "domain is already active as '%s'",
                             config->name);
        return g_steal_pointer(&guest);
    }
    /* Known with the definition that it will run, until it runs. */
    guest_set_config(guest, domain_copy(config));
    if (!guest_publish_new(guest, err))
        return NULL;
    return g_steal_pointer(&guest);
}

typedef struct {
    Guest *guest;
    Domain *config; /* taken */
    bool is_new;
    GError **err;
    bool ok;
    RemoteNonnullDomain *ret;
} Definition;

static bool
define_new(Guest *guest, Domain *take_config, GError **err)
{
    guest_set_config(guest, take_config);
    guest->is_persistent = true;
    if (!guest_publish_new(guest, err))
        return false;
    if (!guest_save_config(guest, err)) {
        guest_withdraw(guest);
        return false;
    }
    return true;
}

static bool
define_again(Guest *guest, Domain *take_config, GError **err)
{
    g_autoptr(Domain) before = guest->config ? domain_copy(guest_config(guest)) : NULL;
    bool was_persistent = guest->is_persistent;

    if (guest->is_gone) {
        domain_free(take_config);
        return fail(err, VIR_ERR_OPERATION_FAILED, "domain '%s' was undefined meanwhile",
                    guest->name);
    }
    if (!guest_require_known(guest, err)) {
        domain_free(take_config);
        return false;
    }
    guest_set_config(guest, take_config);
    guest->is_persistent = true;
    if (!guest_save_config(guest, err)) {
        guest_set_config(guest, g_steal_pointer(&before));
        guest->is_persistent = was_persistent;
        return false;
    }
    guest->is_updated = guest_is_running(guest);
    return guest_publish(guest, err);
}

static void
run_definition(void *data)
{
    Definition *definition = data;
    Guest *guest = definition->guest;
    bool was_persistent = guest->is_persistent;
    Domain *config = g_steal_pointer(&definition->config);

    definition->ok = definition->is_new ? define_new(guest, config, definition->err)
                                        : define_again(guest, config, definition->err);
    if (!definition->ok)
        return;
    guest_fill_wire(guest, definition->ret);
    log_info(LOG_QEMU, "%s: defined", guest->name);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_DEFINED,
                         was_persistent ? VIR_DOMAIN_EVENT_DEFINED_UPDATED
                                        : VIR_DOMAIN_EVENT_DEFINED_ADDED);
}

static bool
define(Call *call, const char *xml, guint flags, RemoteNonnullDomain *ret, GError **err)
{
    QemuDriver *qemu = qemu_of_call(call);
    g_autoptr(Domain) config = NULL;
    g_autoptr(Guest) guest = NULL;
    Definition definition = {.err = err, .ret = ret};

    if (!qemu_check_flags(call, flags, VIR_DOMAIN_DEFINE_VALIDATE, err) ||
        (flags & VIR_DOMAIN_DEFINE_VALIDATE && !domain_validate(xml, err)))
        return false;
    config = guest_parse_xml(qemu, xml, MODEL_PARSE_INACTIVE, err);
    if (!config)
        return false;
    domain_ensure_uuid(config);
    guest = find_or_make(qemu, config, &definition.is_new, err);
    if (!guest)
        return false;
    definition.guest = guest;
    definition.config = g_steal_pointer(&config);
    if (!strand_enter(guest->strand, -1, err)) {
        domain_free(definition.config);
        return false;
    }
    run_definition(&definition);
    strand_leave(guest->strand);
    return definition.ok;
}

static bool
qemu_domain_define_xml(Call *call, const RemoteDomainDefineXmlArgs *args,
                       RemoteDomainDefineXmlRet *ret, GError **err)
{
    return define(call, args->xml, 0, &ret->dom, err);
}

static bool
qemu_domain_define_xml_flags(Call *call, const RemoteDomainDefineXmlFlagsArgs *args,
                             RemoteDomainDefineXmlFlagsRet *ret, GError **err)
{
    return define(call, args->xml, args->flags, &ret->dom, err);
}

/* ---- rename, autostart ---- */

static bool
check_rename(Guest *guest, const char *new_name, GError **err)
{
    GuestView *other;

    if (!guest_require_idle(guest, err))
        return false;
    if (!guest->is_persistent)
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot rename a transient domain");
    if (guest_is_running(guest))
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
    if (guest->is_autostart)
        return fail(err, VIR_ERR_OPERATION_INVALID,
                    "cannot rename a domain with autostart enabled");
    if (!store_check_name(guest->qemu->configs, new_name, err))
        return false;
    if (!strcmp(guest->name, new_name))
        return fail(err, VIR_ERR_INVALID_ARG, "Can't rename domain to itself");
    other = guest_view_read(registry_lookup_name(guest->qemu->guests, new_name));
    if (!other)
        return true;
    view_unref(other);
    return fail(err, VIR_ERR_OPERATION_INVALID, "domain with name '%s' already exists", new_name);
}

static void
set_name(Guest *guest, const char *new_name, Domain *take_config)
{
    g_autofree char *strand_name = g_strconcat("domain ", new_name, NULL);

    g_free(guest->name);
    guest->name = g_strdup(new_name);
    strand_set_name(guest->strand, strand_name);
    guest_set_config(guest, take_config);
}

static bool
qemu_domain_rename(Call *call, const RemoteDomainRenameArgs *args, RemoteDomainRenameRet *ret,
                   GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    g_autofree char *old_name = guest ? g_strdup(guest->name) : NULL;
    const char *new_name = args->new_name;
    g_autoptr(Domain) before = NULL;
    Domain *config;

    if (!guest || !qemu_check_flags(call, args->flags, 0, err))
        return false;
    if (!new_name || !*new_name)
        return fail(err, VIR_ERR_INVALID_ARG, "the new name is empty");
    if (!check_rename(guest, new_name, err))
        return false;
    before = domain_copy(guest_config(guest));
    config = domain_copy(before);
    g_free(config->name);
    config->name = g_strdup(new_name);
    set_name(guest, new_name, config);
    /* The new file first: a crash in between leaves the guest twice, never not at all. */
    if (!guest_save_config(guest, err) ||
        (snapshots_count(guest) && !snapshots_rename(guest, old_name, err)) ||
        !checkpoints_rename(guest, old_name, err) || !guest_publish(guest, err)) {
        store_remove(guest->qemu->configs, new_name, NULL);
        set_name(guest, old_name, g_steal_pointer(&before));
        return false;
    }
    if (!store_remove(guest->qemu->configs, old_name, err))
        return false;
    log_info(LOG_QEMU, "%s: renamed to %s", old_name, new_name);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED);
    guest_emit_lifecycle(guest, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
    return true;
}

static bool
qemu_domain_set_autostart(Call *call, const RemoteDomainSetAutostartArgs *args, GError **err)
{
    g_autoptr(Guest) guest = guest_of_call(call, &args->dom, err);
    bool autostart = args->autostart != 0;

    if (!guest)
        return false;
    if (!guest->is_persistent)
        return fail(err, VIR_ERR_OPERATION_INVALID, "cannot set autostart for transient domain");
    if (guest->is_autostart == autostart)
        return true;
    if (!store_set_autostart(guest->qemu->configs, guest->name, autostart, err))
        return false;
    guest->is_autostart = autostart;
    return guest_publish(guest, err);
}

void
qemu_define_slots(DriverSlots *slots)
{
    slots->domain_define_xml = qemu_domain_define_xml;
    slots->domain_define_xml_flags = qemu_domain_define_xml_flags;
    slots->domain_rename = qemu_domain_rename;
    slots->domain_set_autostart = qemu_domain_set_autostart;
}
