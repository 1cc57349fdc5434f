/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going from node to node of a snapshot tree: reverts and what only our daemon does. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/args.h"
#include "tools/virsh/groups.h"
#include "tools/virsh/manifold.h"
#include "tools/virsh/output.h"
#include "tools/virsh/snapshot.h"
#include "tools/virsh/xml.h"

#define KEEP_USUALLY "1d"

/* What --image says: TARGET=PATH,TARGET=PATH. */
static bool
add_images(Shell *shell, const Args *args, virTypedParameterPtr *params, int *n, int *space)
{
    const char *text = args_text(args, "image");
    g_autoptr(GPtrArray) fields = text ? xml_split_spec(text) : NULL;

    for (guint i = 0; fields && i < fields->len; i++) {
        const char *field = fields->pdata[i], *equals = strchr(field, '=');
        g_autofree char *name = NULL;

        if (!equals || equals == field || !equals[1])
            return shell_fail(shell, "--image: '%s' is not TARGET=PATH", field);
        name = g_strdup_printf(MANIFOLD_SNAPSHOT_IMAGE "%.*s", (int)(equals - field), field);
        if (virTypedParamsAddString(params, n, space, name, equals + 1) < 0)
            return false;
    }
    return true;
}

/* "90", "10m", "2h", "7d": seconds. */
static bool
read_time(Shell *shell, const char *text, unsigned long long *seconds)
{
    static const struct {
        char unit;
        unsigned int seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 24 * 3600}, {'\0', 1}};
    char *end;

    *seconds = g_ascii_strtoull(text, &end, 10);
    for (gsize i = 0; end != text && i < G_N_ELEMENTS(units); i++) {
        if (*end == units[i].unit && (!*end || !end[1]) && *seconds > 0 &&
            *seconds < G_MAXINT / units[i].seconds) {
            *seconds *= units[i].seconds;
            return true;
        }
    }
    return shell_fail(shell, "'%s' is no time: write seconds, or 10m, 2h, 7d", text);
}

static bool
add_keeping(Shell *shell, const Args *args, virTypedParameterPtr *params, int *n, int *space)
{
    const char *text = args_text(args, "keep");
    unsigned long long seconds;

    if (!text)
        return !args_has(args, "keep-disks") ||
               shell_fail(shell, "--keep-disks goes with --keep only");
    if (!read_time(shell, *text ? text : KEEP_USUALLY, &seconds))
        return false;
    if (virTypedParamsAddULLong(params, n, space, MANIFOLD_SNAPSHOT_KEEP, seconds) < 0)
        return false;
    return !args_has(args, "keep-disks") ||
           virTypedParamsAddBoolean(params, n, space, MANIFOLD_SNAPSHOT_KEEP_MEMORY, 0) == 0;
}

/* By the call that every daemon knows, unless something is asked for that only ours does. */
static bool
revert(Shell *shell, const Args *args, virDomainSnapshotPtr snapshot, unsigned int flags)
{
    bool is_dry = args_has(args, "dry-run");
    virTypedParameterPtr params = NULL;
    int n = 0, space = 0;
    const Manifold *calls;
    bool done;

    if (!is_dry && !args_has(args, "image") && !args_has(args, "keep"))
        return virDomainRevertToSnapshot(snapshot, flags) == 0;
    calls = manifold_load(shell);
    if (!calls)
        return false;
    done = add_images(shell, args, &params, &n, &space) &&
           add_keeping(shell, args, &params, &n, &space);
    if (done && is_dry)
        done = manifold_print_plan(shell, calls->plan_revert(snapshot, params, n, flags));
    else if (done)
        done = calls->revert(snapshot, params, n, flags) == 0 || manifold_failed(shell);
    virTypedParamsFree(params, n);
    return done;
}

bool
cmd_snapshot_revert(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"running", VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING},
        {"paused", VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED},
        {"force", VIR_DOMAIN_SNAPSHOT_REVERT_FORCE},
        {"reset-nvram", VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot = domain ? args_snapshot(shell, args, domain) : NULL;

    if (!snapshot || !revert(shell, args, snapshot, ARGS_BITS(args, bits)))
        return false;
    if (args_has(args, "dry-run"))
        return true;
    if (shell_wants_json(shell))
        print_value(shell, "snapshot", virDomainSnapshotGetName(snapshot));
    shell_note(shell, "Domain snapshot %s reverted\n", virDomainSnapshotGetName(snapshot));
    return true;
}

const Option snapshot_revert_options[] = {
    DOMAIN,
    SNAPSHOT,
    FLAG("current", "the current snapshot"),
    FLAG("running", "let the guest run afterwards"),
    FLAG("paused", "leave the guest paused afterwards"),
    FLAG("force", "go on where saved state would be lost"),
    FLAG("reset-nvram", "start with the firmware's variables as the template has them"),
    NAMED("image", "names of new images: TARGET=PATH[,TARGET=PATH]"),
    NAMED_MAYBE("keep",
                "let snapshot-undo have the state back that is left, for a time: 10m, 2h, 7d; "
                "without one a day"),
    FLAG("keep-disks", "with --keep: without the memory of a running guest"),
    FLAG("dry-run", "tell what would be done, and do nothing"),
    END_OF_OPTIONS,
};

bool
cmd_snapshot_undo(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"running", MANIFOLD_SNAPSHOT_UNDO_RUNNING},
        {"paused", MANIFOLD_SNAPSHOT_UNDO_PAUSED},
        {"force", MANIFOLD_SNAPSHOT_UNDO_FORCE},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    const Manifold *calls = domain ? manifold_load(shell) : NULL;
    unsigned int flags = ARGS_BITS(args, bits);

    if (!calls)
        return false;
    if (args_has(args, "dry-run"))
        return manifold_print_plan(shell, calls->plan_undo(domain, flags));
    if (calls->undo(domain, flags) < 0)
        return manifold_failed(shell);
    if (shell_wants_json(shell))
        print_value(shell, "domain", virDomainGetName(domain));
    shell_note(shell, "Domain %s is back at the state before the last revert\n",
               virDomainGetName(domain));
    return true;
}

const Option snapshot_undo_options[] = {
    DOMAIN,
    FLAG("running", "let the guest run afterwards"),
    FLAG("paused", "leave the guest paused afterwards"),
    FLAG("force", "go on where saved state would be lost"),
    FLAG("dry-run", "tell what would be done, and do nothing"),
    END_OF_OPTIONS,
};

bool
cmd_snapshot_clone(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"running", MANIFOLD_SNAPSHOT_CLONE_RUNNING},
        {"paused", MANIFOLD_SNAPSHOT_CLONE_PAUSED},
        {"memory", MANIFOLD_SNAPSHOT_CLONE_MEMORY},
    };
    g_autoptr(virDomain) domain = args_domain(shell, args);
    g_autoptr(virDomainSnapshot) snapshot =
        domain ? virDomainSnapshotLookupByName(domain, args_text(args, "snapshotname"), 0) : NULL;
    g_autoptr(virDomain) clone = NULL;
    const Manifold *calls = snapshot ? manifold_load(shell) : NULL;
    const char *name = args_text(args, "newname");
    unsigned int flags = ARGS_BITS(args, bits);
    virTypedParameterPtr params = NULL;
    int n = 0, space = 0;
    bool done;

    if (!calls)
        return false;
    done = add_images(shell, args, &params, &n, &space);
    if (done && args_has(args, "dry-run")) {
        done = manifold_print_plan(shell, calls->plan_clone(snapshot, name, params, n, flags));
    } else if (done) {
        clone = calls->clone(snapshot, name, params, n, flags);
        done = clone || manifold_failed(shell);
    }
    virTypedParamsFree(params, n);
    if (clone && shell_wants_json(shell))
        print_value(shell, "domain", virDomainGetName(clone));
    if (clone)
        shell_note(shell, "Domain %s cloned from snapshot %s of %s\n", virDomainGetName(clone),
                   virDomainSnapshotGetName(snapshot), virDomainGetName(domain));
    return done;
}

const Option snapshot_clone_options[] = {
    DOMAIN,
    REQUIRED_OF("snapshotname", complete_snapshot, "name of the snapshot"),
    REQUIRED("newname", "name of the new domain"),
    FLAG("running", "let the new guest run"),
    FLAG("paused", "start the new guest and leave it paused"),
    FLAG("memory", "go on in the memory that the snapshot keeps, instead of booting"),
    NAMED("image", "names of new images: TARGET=PATH[,TARGET=PATH]"),
    FLAG("dry-run", "tell what would be done, and do nothing"),
    END_OF_OPTIONS,
};

bool
cmd_snapshot_verify(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    const Manifold *calls = domain ? manifold_load(shell) : NULL;
    gsize count = 0;

    if (!calls || !manifold_print_findings(shell,
                                           args_has(args, "repair") ? calls->repair(domain, 0)
                                                                    : calls->verify(domain, 0),
                                           &count))
        return false;
    if (count > 0)
        return shell_fail(shell, "%zu problem%s of domain %s", count, count > 1 ? "s" : "",
                          virDomainGetName(domain));
    shell_note(shell, "Snapshots and images of domain %s agree\n", virDomainGetName(domain));
    return true;
}

const Option snapshot_verify_options[] = {
    DOMAIN,
    FLAG("repair", "repair what can be repaired without losing data"),
    END_OF_OPTIONS,
};
