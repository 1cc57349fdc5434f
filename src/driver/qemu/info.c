/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is, answered on the loop's thread from its view (and /proc, which never waits). */
#define ERROR_DOMAIN VIR_FROM_QEMU

#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

#include "base/error.h"
#include "driver/qemu/emulator.h"
#include "driver/qemu/guest.h"
#include "seam/process.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestView, view_unref)

static const Domain *
domain_of(const GuestView *view)
{
    return machine_domain(view->live ? view->live : view->config);
}

static bool
qemu_domain_get_xml_desc(Call *call, const RemoteDomainGetXmlDescArgs *args,
                         RemoteDomainGetXmlDescRet *ret, GError **err)
{
    enum {
        KNOWN = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_UPDATE_CPU |
                VIR_DOMAIN_XML_MIGRATABLE,
    };
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view || !qemu_check_flags(call, args->flags, KNOWN, err))
        return false;
    ret->xml = guest_view_xml(view, args->flags, err);
    return ret->xml != NULL;
}

static bool
qemu_domain_get_info(Call *call, const RemoteDomainGetInfoArgs *args, RemoteDomainGetInfoRet *ret,
                     GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Domain *dom = view ? domain_of(view) : NULL;
    guint64 user_ns = 0, system_ns = 0;

    if (!view)
        return false;
    ret->state = (guchar)view->state;
    ret->maxMem = dom->memory.text;
    ret->memory = view->emulator && dom->has_current_memory ? dom->current_memory
                  : view->emulator                          ? dom->memory.text
                                                            : 0;
    if (!view->emulator)
        ret->memory = dom->has_current_memory ? dom->current_memory : dom->memory.text;
    ret->nrVirtCpu = (guint16)domain_vcpus_current(dom);
    if (view->emulator &&
        process_read_usage(view->emulator->process.pid, 0, &user_ns, &system_ns, NULL, NULL))
        ret->cpuTime = user_ns + system_ns;
    return true;
}

static bool
qemu_domain_get_state(Call *call, const RemoteDomainGetStateArgs *args,
                      RemoteDomainGetStateRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view || !qemu_check_flags(call, args->flags, 0, err))
        return false;
    ret->state = view->state;
    ret->reason = view->reason;
    return true;
}

/* Occupied: a command has not been answered yet; for how long it has been silent. */
static bool
qemu_domain_get_control_info(Call *call, const RemoteDomainGetControlInfoArgs *args,
                             RemoteDomainGetControlInfoRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view || !qemu_check_flags(call, args->flags, 0, err))
        return false;
    if (!view->emulator)
        return fail_not_running(err);
    if (!qmp_is_open(view->emulator->qmp)) {
        ret->state = VIR_DOMAIN_CONTROL_ERROR;
        ret->details = VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR;
        return true;
    }
    ret->stateTime = (guint64)qmp_silent_ms(view->emulator->qmp);
    ret->state = ret->stateTime ? VIR_DOMAIN_CONTROL_OCCUPIED : VIR_DOMAIN_CONTROL_OK;
    return true;
}

static bool
qemu_domain_get_max_memory(Call *call, const RemoteDomainGetMaxMemoryArgs *args,
                           RemoteDomainGetMaxMemoryRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view)
        return false;
    ret->memory = domain_of(view)->memory.text;
    return true;
}

/* Whose numbers a call wants: flags LIVE, CONFIG or neither (CURRENT). */
static const Domain *
domain_for_flags(const GuestView *view, guint flags, GError **err)
{
    if ((flags & VIR_DOMAIN_AFFECT_LIVE) && (flags & VIR_DOMAIN_AFFECT_CONFIG))
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "flags 'affect live' and 'affect config' are mutually exclusive");
    if (flags & VIR_DOMAIN_AFFECT_LIVE && !view->live)
        return fail_not_running(err), NULL;
    if (flags & VIR_DOMAIN_AFFECT_CONFIG && !view->is_persistent)
        return fail_transient(err), NULL;
    return flags & VIR_DOMAIN_AFFECT_CONFIG ? machine_domain(view->config) : domain_of(view);
}

static bool
qemu_domain_get_vcpus_flags(Call *call, const RemoteDomainGetVcpusFlagsArgs *args,
                            RemoteDomainGetVcpusFlagsRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Domain *dom;

    if (!view || !qemu_check_flags(call, args->flags,
                                   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG |
                                       VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_GUEST,
                                   err))
        return false;
    if (args->flags & VIR_DOMAIN_VCPU_GUEST)
        return fail(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured");
    dom = domain_for_flags(view, args->flags, err);
    if (!dom)
        return false;
    ret->num =
        (int)(args->flags & VIR_DOMAIN_VCPU_MAXIMUM ? dom->vcpu.text : domain_vcpus_current(dom));
    return true;
}

static bool
qemu_domain_get_max_vcpus(Call *call, const RemoteDomainGetMaxVcpusArgs *args,
                          RemoteDomainGetMaxVcpusRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view)
        return false;
    ret->num = (int)domain_of(view)->vcpu.text;
    return true;
}

static bool
qemu_domain_get_os_type(Call *call, const RemoteDomainGetOsTypeArgs *args,
                        RemoteDomainGetOsTypeRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view)
        return false;
    ret->type = g_strdup(os_type_to_string(domain_of(view)->os.type));
    return true;
}

#define ANSWER_CLAIM(Name, name, field, claim)                                       \
    static bool qemu_domain_##name(Call *call, const RemoteDomain##Name##Args *args, \
                                   RemoteDomain##Name##Ret *ret, GError **err)       \
    {                                                                                \
        g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);       \
                                                                                     \
        if (view)                                                                    \
            ret->field = claim;                                                      \
        return view != NULL;                                                         \
    }

ANSWER_CLAIM(IsActive, is_active, active, view->emulator != NULL)
ANSWER_CLAIM(IsPersistent, is_persistent, persistent, view->is_persistent)
ANSWER_CLAIM(IsUpdated, is_updated, updated, view->is_updated)
ANSWER_CLAIM(GetAutostart, get_autostart, autostart, view->is_autostart)
ANSWER_CLAIM(HasManagedSaveImage, has_managed_save_image, result, view->has_managed_save)

static bool
qemu_domain_get_job_info(Call *call, const RemoteDomainGetJobInfoArgs *args,
                         RemoteDomainGetJobInfoRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    return view != NULL; /* zero: VIR_DOMAIN_JOB_NONE */
}

static bool
qemu_domain_get_job_stats(Call *call, const RemoteDomainGetJobStatsArgs *args,
                          RemoteDomainGetJobStatsRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    return view && qemu_check_flags(
                       call, args->flags,
                       VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED, err);
}

static bool
qemu_domain_get_hostname(Call *call, const RemoteDomainGetHostnameArgs *args,
                         RemoteDomainGetHostnameRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view ||
        !qemu_check_flags(call, args->flags,
                          VIR_DOMAIN_GET_HOSTNAME_LEASE | VIR_DOMAIN_GET_HOSTNAME_AGENT, err))
        return false;
    if (!view->emulator)
        return fail_not_running(err);
    return fail(err, VIR_ERR_NO_HOSTNAME, "no hostname found for domain %s", view->view.name);
}

/* No cgroups: every thread may run anywhere. */
static bool
qemu_domain_get_scheduler_type(Call *call, const RemoteDomainGetSchedulerTypeArgs *args,
                               RemoteDomainGetSchedulerTypeRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    return view && fail(err, VIR_ERR_OPERATION_INVALID, "cgroup CPU controller is not mounted");
}

static bool
qemu_domain_get_messages(Call *call, const RemoteDomainGetMessagesArgs *args,
                         RemoteDomainGetMessagesRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    return view &&
           qemu_check_flags(call, args->flags,
                            VIR_DOMAIN_MESSAGE_DEPRECATION | VIR_DOMAIN_MESSAGE_TAINTING, err);
}

/* The labels of the model "none" are empty. */
static bool
qemu_domain_get_security_label(Call *call, const RemoteDomainGetSecurityLabelArgs *args,
                               RemoteDomainGetSecurityLabelRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);

    if (!view)
        return false;
    ret->label.items = g_new0(char, 1);
    ret->label.count = 1;
    return true;
}

/* ---- on which CPUs of the host ---- */

/* A map of @len bytes with @cpus (NULL: all that the host has) set. */
static void
fill_map(guchar *map, gsize len, const Bitmap *cpus)
{
    long n_cpus = sysconf(_SC_NPROCESSORS_CONF);

    for (gsize cpu = 0; cpu < len * 8 && (long)cpu < n_cpus; cpu++)
        if (!cpus || bitmap_has(cpus, (guint)cpu))
            map[cpu / 8] |= (guchar)(1u << cpu % 8);
}

static const Bitmap *
vcpu_set(const Domain *dom, guint vcpu)
{
    for (gsize i = 0; i < dom->cputune.n_vcpupins; i++)
        if (dom->cputune.vcpupins[i]->vcpu == vcpu)
            return dom->cputune.vcpupins[i]->cpuset;
    return dom->vcpu.cpuset;
}

static bool
qemu_domain_get_vcpu_pin_info(Call *call, const RemoteDomainGetVcpuPinInfoArgs *args,
                              RemoteDomainGetVcpuPinInfoRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Domain *dom;

    if (!view || !qemu_check_flags(call, args->flags,
                                   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, err))
        return false;
    dom = domain_for_flags(view, args->flags, err);
    if (!dom)
        return false;
    if (args->ncpumaps < 0 || args->maplen < 0 ||
        (gint64)args->ncpumaps * args->maplen > REMOTE_CPUMAPS_MAX)
        return fail(err, VIR_ERR_INVALID_ARG, "%d maps of %d bytes are too many", args->ncpumaps,
                    args->maplen);
    ret->num = (gint32)MIN(dom->vcpu.text, (guint)args->ncpumaps);
    ret->cpumaps.count = (guint32)(args->ncpumaps * args->maplen);
    ret->cpumaps.items = g_new0(guchar, ret->cpumaps.count);
    for (gint32 i = 0; i < ret->num; i++)
        fill_map(ret->cpumaps.items + (gsize)i * (gsize)args->maplen, (gsize)args->maplen,
                 vcpu_set(dom, (guint)i));
    return true;
}

static bool
qemu_domain_get_emulator_pin_info(Call *call, const RemoteDomainGetEmulatorPinInfoArgs *args,
                                  RemoteDomainGetEmulatorPinInfoRet *ret, GError **err)
{
    g_autoptr(GuestView) view = guest_view_of_call(call, &args->dom, err);
    const Domain *dom;

    if (!view || !qemu_check_flags(call, args->flags,
                                   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG, err))
        return false;
    dom = domain_for_flags(view, args->flags, err);
    if (!dom)
        return false;
    if (args->maplen < 0 || args->maplen > REMOTE_CPUMAP_MAX)
        return fail(err, VIR_ERR_INVALID_ARG, "a map of %d bytes is too large", args->maplen);
    ret->cpumaps.count = (guint32)args->maplen;
    ret->cpumaps.items = g_new0(guchar, ret->cpumaps.count);
    fill_map(ret->cpumaps.items, ret->cpumaps.count,
             dom->cputune.emulatorpin_cpuset ? dom->cputune.emulatorpin_cpuset : dom->vcpu.cpuset);
    ret->ret = 1;
    return true;
}

void
qemu_info_slots(DriverSlots *slots)
{
    slots->domain_get_xml_desc = qemu_domain_get_xml_desc;
    slots->domain_get_info = qemu_domain_get_info;
    slots->domain_get_state = qemu_domain_get_state;
    slots->domain_get_control_info = qemu_domain_get_control_info;
    slots->domain_get_max_memory = qemu_domain_get_max_memory;
    slots->domain_get_vcpus_flags = qemu_domain_get_vcpus_flags;
    slots->domain_get_max_vcpus = qemu_domain_get_max_vcpus;
    slots->domain_get_os_type = qemu_domain_get_os_type;
    slots->domain_is_active = qemu_domain_is_active;
    slots->domain_is_persistent = qemu_domain_is_persistent;
    slots->domain_is_updated = qemu_domain_is_updated;
    slots->domain_get_autostart = qemu_domain_get_autostart;
    slots->domain_has_managed_save_image = qemu_domain_has_managed_save_image;
    slots->domain_get_job_info = qemu_domain_get_job_info;
    slots->domain_get_job_stats = qemu_domain_get_job_stats;
    slots->domain_get_hostname = qemu_domain_get_hostname;
    slots->domain_get_scheduler_type = qemu_domain_get_scheduler_type;
    slots->domain_get_vcpu_pin_info = qemu_domain_get_vcpu_pin_info;
    slots->domain_get_emulator_pin_info = qemu_domain_get_emulator_pin_info;
    slots->domain_get_messages = qemu_domain_get_messages;
    slots->domain_get_security_label = qemu_domain_get_security_label;
}
