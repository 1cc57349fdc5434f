/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain does: start, stop, pause. What it is is in cmd_define.c; what only looks in cmd_monitor.c. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"
#include "tools/virsh/stream.h"

static const Option active_domain[] = {
    ACTIVE_DOMAIN,
    END_OF_OPTIONS,
};

static const Option running_domain[] = {
    REQUIRED_OF("domain", complete_running_domain, "name, id or uuid of the domain"),
    END_OF_OPTIONS,
};

static const Option paused_domain[] = {
    REQUIRED_OF("domain", complete_paused_domain, "name, id or uuid of the domain"),
    END_OF_OPTIONS,
};

/* ---- run state ---- */

static bool
cmd_start(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"paused", VIR_DOMAIN_START_PAUSED},
        {"autodestroy", VIR_DOMAIN_START_AUTODESTROY},
        {"bypass-cache", VIR_DOMAIN_START_BYPASS_CACHE},
        {"force-boot", VIR_DOMAIN_START_FORCE_BOOT},
        {"reset-nvram", VIR_DOMAIN_START_RESET_NVRAM},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned int flags = ARGS_BITS(args, bits), n = 0;
    g_autofree int *fds = NULL;

    if (!domain || !args_fds(shell, args, "pass-fds", &fds, &n))
        return false;
    if (virDomainGetID(domain) != (unsigned int)-1)
        return shell_fail(shell, "Domain is already active");
    if ((n       ? virDomainCreateWithFiles(domain, n, fds, flags)
         : flags ? virDomainCreateWithFlags(domain, flags)
                 : virDomainCreate(domain)) < 0)
        return shell_fail(shell, "Failed to start domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' started\n", virDomainGetName(domain));
    return !args_has(args, "console") || console_run(shell, domain, NULL, 0);
}

static const Option start_options[] = {
    INACTIVE_DOMAIN,
    FLAG("console", "attach to the console at once"),
    FLAG("paused", "leave the guest paused"),
    FLAG("autodestroy", "destroy the guest when virsh leaves"),
    FLAG("bypass-cache", "read a managed save image past the page cache"),
    FLAG("force-boot", "drop a managed save image and boot"),
    TEXT("pass-fds", "descriptors of ours that the guest gets: 5,6"),
    FLAG("reset-nvram", "start with the firmware's variables as the template has them"),
    END_OF_OPTIONS,
};

/* One verb on one domain, with the sentence of success (NULL: nothing is said) and that of failure. */
typedef struct {
    int (*call)(virDomainPtr);
    const char *done, *failed;
} Verb;

static bool
cmd_verb(Shell *shell, const Args *args)
{
    const Verb *verb = args_detail(args);
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (!domain)
        return false;
    if (verb->call(domain) < 0)
        return shell_fail(shell, "Failed to %s domain '%s'", verb->failed,
                          virDomainGetName(domain));
    if (verb->done)
        shell_note(shell, "Domain '%s' %s\n", virDomainGetName(domain), verb->done);
    return true;
}

static int
reset_domain(virDomainPtr domain)
{
    return virDomainReset(domain, 0);
}

static int
inject_nmi(virDomainPtr domain)
{
    return virDomainInjectNMI(domain, 0);
}

static int
wake_up(virDomainPtr domain)
{
    return virDomainPMWakeup(domain, 0);
}

static const Verb suspend_verb = {virDomainSuspend, "suspended", "suspend"};
static const Verb resume_verb = {virDomainResume, "resumed", "resume"};
static const Verb reset_verb = {reset_domain, "was reset", "reset"};
static const Verb nmi_verb = {inject_nmi, NULL, "inject an NMI into"};
static const Verb wake_up_verb = {wake_up, "successfully woken up", "wake up"};

/* --mode acpi,agent,... into the bits of @bits; false for a word that is none of them. */
static bool
parse_modes(Shell *shell, const Args *args, const FlagBit *bits, gsize n, unsigned int *flags)
{
    const char *text = args_text(args, "mode");
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);

    for (char **word = words; *word; word++) {
        gsize i = 0;
        while (i < n && !g_str_equal(bits[i].option, *word))
            i++;
        if (i == n)
            return shell_fail(
                shell,
                "Unknown mode %s value, expecting 'acpi', 'agent', 'initctl', 'signal', or "
                "'paravirt'",
                *word);
        *flags |= bits[i].bit;
    }
    return true;
}

static bool
cmd_shutdown(Shell *shell, const Args *args)
{
    static const FlagBit modes[] = {
        {"acpi", VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN}, {"agent", VIR_DOMAIN_SHUTDOWN_GUEST_AGENT},
        {"initctl", VIR_DOMAIN_SHUTDOWN_INITCTL},     {"signal", VIR_DOMAIN_SHUTDOWN_SIGNAL},
        {"paravirt", VIR_DOMAIN_SHUTDOWN_PARAVIRT},
    };
    unsigned int flags = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!parse_modes(shell, args, modes, G_N_ELEMENTS(modes), &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if ((flags ? virDomainShutdownFlags(domain, flags) : virDomainShutdown(domain)) < 0)
        return shell_fail(shell, "Failed to shutdown domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' is being shutdown\n", virDomainGetName(domain));
    return true;
}

static bool
cmd_reboot(Shell *shell, const Args *args)
{
    static const FlagBit modes[] = {
        {"acpi", VIR_DOMAIN_REBOOT_ACPI_POWER_BTN}, {"agent", VIR_DOMAIN_REBOOT_GUEST_AGENT},
        {"initctl", VIR_DOMAIN_REBOOT_INITCTL},     {"signal", VIR_DOMAIN_REBOOT_SIGNAL},
        {"paravirt", VIR_DOMAIN_REBOOT_PARAVIRT},
    };
    unsigned int flags = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!parse_modes(shell, args, modes, G_N_ELEMENTS(modes), &flags))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainReboot(domain, flags) < 0)
        return shell_fail(shell, "Failed to reboot domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' is being rebooted\n", virDomainGetName(domain));
    return true;
}

static const Option shutdown_options[] = {
    ACTIVE_DOMAIN,
    CHOICE("mode", "acpi,agent,initctl,signal,paravirt", "how to ask; a list is tried in turn"),
    END_OF_OPTIONS,
};

static bool
cmd_destroy(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"graceful", VIR_DOMAIN_DESTROY_GRACEFUL},
        {"remove-logs", VIR_DOMAIN_DESTROY_REMOVE_LOGS},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned int flags = ARGS_BITS(args, bits);

    if (!domain)
        return false;
    if ((flags ? virDomainDestroyFlags(domain, flags) : virDomainDestroy(domain)) < 0)
        return shell_fail(shell, "Failed to destroy domain '%s'", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' destroyed\n", virDomainGetName(domain));
    return true;
}

static const Option destroy_options[] = {
    ACTIVE_DOMAIN,
    FLAG("graceful", "fail rather than kill a guest that does not end"),
    FLAG("remove-logs", "also remove the guest's log"),
    END_OF_OPTIONS,
};

static bool
cmd_screenshot(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virStream) stream = domain ? virStreamNew(shell_connection(shell), 0) : NULL;
    unsigned int screen = 0;
    g_autofree char *mime = NULL, *path = g_strdup(args_text(args, "file"));

    if (!stream || !args_uint(shell, args, "screen", &screen))
        return false;
    mime = virDomainScreenshot(domain, stream, screen, 0);
    if (!mime)
        return shell_fail(shell, "could not take a screenshot of %s", virDomainGetName(domain));
    if (!path)
        path =
            g_strdup_printf("%s-%lld.%s", virDomainGetName(domain), g_get_real_time() / 1000000LL,
                            g_str_equal(mime, "image/png") ? "png" : "ppm");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        virStreamAbort(stream);
        return shell_fail(shell, "cannot create file %s", path);
    }
    bool good = virStreamRecvAll(stream, stream_to_fd, &fd) >= 0 && virStreamFinish(stream) >= 0;
    good = close(fd) == 0 && good;
    if (!good)
        return shell_fail(shell, "could not receive data from domain %s", virDomainGetName(domain));
    shell_note(shell, "Screenshot saved to %s, with type of %s", path, mime);
    return true;
}

static const Option screenshot_options[] = {
    ACTIVE_DOMAIN,
    TEXT_OF("file", NULL, "where to write it"),
    NUMBER("screen", "which screen (0)"),
    END_OF_OPTIONS,
};

static bool
cmd_domjobabort(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);

    if (!domain)
        return false;
    return (args_has(args, "postcopy")
                ? virDomainAbortJobFlags(domain, VIR_DOMAIN_ABORT_JOB_POSTCOPY)
                : virDomainAbortJob(domain)) >= 0;
}

static const Option domjobabort_options[] = {
    ACTIVE_DOMAIN,
    FLAG("postcopy", "a migration that has switched to post-copy"),
    END_OF_OPTIONS,
};

static bool
cmd_dompmsuspend(Shell *shell, const Args *args)
{
    static const char *const targets[] = {"mem", "disk", "hybrid", NULL};
    unsigned long long seconds = 0;
    int target = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_word(shell, args, "target", targets, &target) ||
        !args_ullong(shell, args, "duration", &seconds))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainPMSuspendForDuration(domain, target, seconds, 0) < 0)
        return shell_fail(shell, "Domain '%s' could not be suspended", virDomainGetName(domain));
    shell_note(shell, "Domain '%s' successfully suspended", virDomainGetName(domain));
    return true;
}

static const Option dompmsuspend_options[] = {
    ACTIVE_DOMAIN,
    REQUIRED_CHOICE("target", "mem,disk,hybrid", "how deep it sleeps"),
    NAMED_NUMBER("duration", "wake up after so many seconds"),
    END_OF_OPTIONS,
};

static bool
cmd_set_lifecycle_action(Shell *shell, const Args *args)
{
    static const char *const types[] = {"poweroff", "reboot", "crash", NULL};
    static const char *const actions[] = {"destroy",  "restart",          "rename-restart",
                                          "preserve", "coredump-destroy", "coredump-restart",
                                          NULL};
    unsigned int flags = VIR_DOMAIN_AFFECT_CURRENT;
    int type = 0, action = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_affect(shell, args, &flags) || !args_word(shell, args, "type", types, &type) ||
        !args_word(shell, args, "action", actions, &action))
        return false;
    domain = args_domain(shell, args);
    return domain && virDomainSetLifecycleAction(domain, type, action, flags) >= 0;
}

static const Option set_lifecycle_action_options[] = {
    DOMAIN,
    REQUIRED_CHOICE("type", "poweroff,reboot,crash", "what happens to the guest"),
    REQUIRED_CHOICE("action",
                    "destroy,restart,rename-restart,preserve,coredump-destroy,coredump-restart",
                    "what is done then"),
    AFFECT,
    END_OF_OPTIONS,
};

static const Option console_options[] = {
    ACTIVE_DOMAIN,
    TEXT("devname", "alias of the device; none: the first one"),
    FLAG("force", "take it from a client that has it"),
    FLAG("safe", "only if nobody else can have it"),
    END_OF_OPTIONS,
};

const Command domain_commands[] = {
    {"console", cmd_console, console_options, "connect to the console of a guest", 0,
     "Leave with the escape character, Ctrl and ] unless virsh was started with -e.\n\nExample:\n"
     "  virsh console web1 --force",
     NULL},
    {"destroy", cmd_destroy, destroy_options, "end a guest at once, as if power were cut", 0,
     "Data that the guest has not yet written is lost. Use shutdown to ask the guest.", NULL},
    {"domjobabort", cmd_domjobabort, domjobabort_options, "end the job that runs on a domain", 0,
     NULL, NULL},
    {"dompmsuspend", cmd_dompmsuspend, dompmsuspend_options,
     "let a guest put itself to sleep (needs its agent)", 0, NULL, NULL},
    {"dompmwakeup", cmd_verb, active_domain, "wake a guest up that put itself to sleep", 0, NULL,
     &wake_up_verb},
    {"inject-nmi", cmd_verb, active_domain, "send an NMI to a guest", 0, NULL, &nmi_verb},
    {"reboot", cmd_reboot, shutdown_options, "ask a guest to reboot", 0, NULL, NULL},
    {"reset", cmd_verb, active_domain, "reset a guest, as its button would", 0, NULL, &reset_verb},
    {"resume", cmd_verb, paused_domain, "let a paused guest run", 0, NULL, &resume_verb},
    {"screenshot", cmd_screenshot, screenshot_options, "save a picture of a guest's screen", 0,
     NULL, NULL},
    {"set-lifecycle-action", cmd_set_lifecycle_action, set_lifecycle_action_options,
     "what is done when a guest powers off, reboots or crashes", 0, NULL, NULL},
    {"shutdown", cmd_shutdown, shutdown_options, "ask a guest to power off", 0,
     "Returns at once; whether and when the guest obeys is its own affair. To wait for it:\n"
     "  virsh shutdown web1; virsh event web1 lifecycle --timeout 60",
     NULL},
    {"start", cmd_start, start_options, "start a defined domain", 0,
     "Example:\n  virsh start web1 --console", NULL},
    {"suspend", cmd_verb, running_domain, "pause a guest", 0, NULL, &suspend_verb},
    {0},
};
