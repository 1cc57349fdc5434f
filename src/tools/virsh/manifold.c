/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See manifold.h. jansson is loaded here, too: other commands should not wait for the linker. */
#include "tools/virsh/manifold.h"

#include <dlfcn.h>
#include <jansson.h>
#include <stdlib.h>

#include "tools/virsh/size.h"

static Manifold manifold;

static struct {
    __typeof__(&json_loads) loads;
    __typeof__(&json_object_get) get;
    __typeof__(&json_array_get) at;
    __typeof__(&json_array_size) size;
    __typeof__(&json_string_value) text;
    __typeof__(&json_integer_value) number;
    __typeof__(&json_delete) delete;
} json;

#define LOAD(library, member, name) ((member) = (__typeof__(member))dlsym(library, name))

static bool
load_calls(void *library)
{
    return LOAD(library, manifold.plan_create, "manifoldSnapshotPlanCreate") &&
           LOAD(library, manifold.plan_revert, "manifoldSnapshotPlanRevert") &&
           LOAD(library, manifold.plan_delete, "manifoldSnapshotPlanDelete") &&
           LOAD(library, manifold.plan_undo, "manifoldSnapshotPlanUndo") &&
           LOAD(library, manifold.plan_clone, "manifoldSnapshotPlanClone") &&
           LOAD(library, manifold.revert, "manifoldSnapshotRevert") &&
           LOAD(library, manifold.undo, "manifoldSnapshotUndo") &&
           LOAD(library, manifold.clone, "manifoldSnapshotClone") &&
           LOAD(library, manifold.verify, "manifoldSnapshotVerify") &&
           LOAD(library, manifold.repair, "manifoldSnapshotRepair");
}

static bool
load_json(void *library)
{
    return LOAD(library, json.loads, "json_loads") && LOAD(library, json.get, "json_object_get") &&
           LOAD(library, json.at, "json_array_get") &&
           LOAD(library, json.size, "json_array_size") &&
           LOAD(library, json.text, "json_string_value") &&
           LOAD(library, json.number, "json_integer_value") &&
           LOAD(library, json.delete, "json_delete");
}

const Manifold *
manifold_load(Shell *shell)
{
    static const char *const names[] = {"libmanifold.so.0", "libjansson.so.4"};
    void *libraries[G_N_ELEMENTS(names)];

    if (manifold.repair)
        return &manifold;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        libraries[i] = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (!libraries[i]) {
            shell_fail(shell, "%s is needed for this: %s", names[i], dlerror());
            return NULL;
        }
    }
    if (load_json(libraries[1]) && load_calls(libraries[0]))
        return &manifold;
    manifold.repair = NULL;
    shell_fail(shell, "%s or %s lacks a function: install the one of this release", names[0],
               names[1]);
    return NULL;
}

bool
manifold_failed(Shell *shell)
{
    const virError *error = virGetLastError();

    if (error && error->code == VIR_ERR_RPC && error->domain == VIR_FROM_RPC)
        return shell_fail(shell,
                          "the daemon does not know this command: it is none of Manifold's, "
                          "or an older one (%s)",
                          error->message);
    return false;
}

static const char *
text_of(json_t *object, const char *key)
{
    return json.text(json.get(object, key));
}

static char *
size_of(json_t *object, const char *key)
{
    return size_pretty((unsigned long long)json.number(json.get(object, key)));
}

/* ---- plans ---- */

static void
print_guest(Shell *shell, json_t *step)
{
    json_t *guest = json.get(step, "guest");
    const char *why = text_of(step, "why");

    shell_print(shell, "  guest:   %s -> %s; %s\n", text_of(guest, "before"),
                text_of(guest, "after"), text_of(guest, "meanwhile"));
    shell_print(shell, "  way:     %s%s%s\n", text_of(step, "way"), why ? ", because " : "",
                why ? why : "");
}

static void
print_files(Shell *shell, json_t *step)
{
    json_t *make = json.get(step, "make"), *merge = json.get(step, "merge");
    json_t *remove = json.get(step, "remove"), *keep = json.get(step, "keep");

    for (gsize i = 0; i < json.size(make); i++) {
        json_t *entry = json.at(make, i);
        const char *on = text_of(entry, "on");

        shell_print(shell, "  make:    %s (%s)%s%s\n", text_of(entry, "path"),
                    text_of(entry, "what"), on ? " on " : "", on ? on : "");
    }
    for (gsize i = 0; i < json.size(merge); i++) {
        json_t *entry = json.at(merge, i);
        g_autofree char *bytes = size_of(entry, "bytes");

        shell_print(shell, "  merge:   %s into %s (disk %s, %s)\n", text_of(entry, "from"),
                    text_of(entry, "into"), text_of(entry, "disk"), bytes);
    }
    for (gsize i = 0; i < json.size(remove); i++) {
        g_autofree char *bytes = size_of(json.at(remove, i), "bytes");

        shell_print(shell, "  remove:  %s (%s)\n", text_of(json.at(remove, i), "path"), bytes);
    }
    for (gsize i = 0; i < json.size(keep); i++)
        shell_print(shell, "  keep:    %s, because %s\n", text_of(json.at(keep, i), "path"),
                    text_of(json.at(keep, i), "why"));
}

static void
print_step(Shell *shell, json_t *step, const char *domain)
{
    const char *snapshot = text_of(step, "snapshot");
    json_t *notes = json.get(step, "notes");
    g_autofree char *copied = size_of(step, "bytes_to_copy");
    g_autofree char *freed = size_of(step, "bytes_freed");

    shell_print(shell, "%s%s%s of domain %s:\n", text_of(step, "operation"),
                snapshot ? " snapshot " : "", snapshot ? snapshot : "", domain);
    print_guest(shell, step);
    print_files(shell, step);
    shell_print(shell, "  copied:  %s; freed: %s\n", copied, freed);
    for (gsize i = 0; i < json.size(notes); i++)
        shell_print(shell, "  note:    %s\n", json.text(json.at(notes, i)));
}

/* The document in @text, which is released; NULL after saying why. */
static json_t *
take_document(Shell *shell, char *text)
{
    json_error_t where;
    json_t *root = text ? json.loads(text, 0, &where) : NULL;

    if (!text)
        manifold_failed(shell);
    else if (!root)
        shell_fail(shell, "the daemon's answer is no JSON: %s", where.text);
    else if (shell_wants_json(shell))
        shell_print(shell, "%s\n", text);
    free(text);
    return root;
}

bool
manifold_print_plan(Shell *shell, char *take_plan)
{
    json_t *root = take_document(shell, take_plan);
    json_t *steps = root ? json.get(root, "steps") : NULL;

    for (gsize i = 0; root && !shell_wants_json(shell) && i < json.size(steps); i++)
        print_step(shell, json.at(steps, i), text_of(root, "domain"));
    if (root && !shell_wants_json(shell) && json.size(steps) == 0)
        shell_print(shell, "there is nothing to do\n");
    if (root)
        json.delete(root);
    return root != NULL;
}

/* ---- findings ---- */

static void
print_finding(Shell *shell, json_t *finding)
{
    const char *path = text_of(finding, "path"), *advice = text_of(finding, "advice");
    const char *repair = text_of(finding, "repair");

    shell_print(shell, "%s: %s: %s%s%s%s\n", text_of(finding, "rule"), text_of(finding, "object"),
                path ? "'" : "", path ? path : "", path ? "': " : "", text_of(finding, "problem"));
    if (repair)
        shell_print(shell, "  repair: %s\n", repair);
    else if (advice)
        shell_print(shell, "  what to do: %s\n", advice);
}

bool
manifold_print_findings(Shell *shell, char *take_findings, gsize *count)
{
    json_t *root = take_document(shell, take_findings);
    json_t *findings = root ? json.get(root, "findings") : NULL;

    *count = root ? (gsize)json.number(json.get(root, "open")) : 0;
    for (gsize i = 0; root && !shell_wants_json(shell) && i < json.size(findings); i++)
        print_finding(shell, json.at(findings, i));
    if (root)
        json.delete(root);
    return root != NULL;
}
