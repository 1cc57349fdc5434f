/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh list: domains, sorted and filtered. */
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/names.h"
#include "tools/virsh/output.h"

/* ---- list ---- */

typedef struct {
    virDomainPtr domain;
    const char *name;
    int id; /* -1: off */
} Entry;

static void
entry_clear(void *opaque)
{
    virDomainFree(((Entry *)opaque)->domain);
}

/* Active ones by id, then the others by name. */
static int
compare_entries(const void *a, const void *b)
{
    const Entry *left = a, *right = b;

    if (left->id == -1 && right->id == -1)
        return g_ascii_strcasecmp(left->name, right->name);
    if (left->id == -1 || right->id == -1)
        return left->id == -1 ? 1 : -1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static GArray *
list_domains(Shell *shell, unsigned int flags)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(Entry));
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(shell_connection(shell), &domains, flags);

    if (n < 0) {
        shell_fail(shell, "Failed to list domains");
        return NULL;
    }
    g_array_set_clear_func(entries, entry_clear);
    for (int i = 0; i < n; i++) {
        Entry entry = {domains[i], virDomainGetName(domains[i]), (int)virDomainGetID(domains[i])};
        g_array_append_val(entries, entry);
    }
    free(domains);
    g_array_sort(entries, compare_entries);
    return g_steal_pointer(&entries);
}

static void
list_plain(Shell *shell, const Args *args, GArray *entries)
{
    bool names = args_has(args, "name"), uuids = args_has(args, "uuid"), ids = args_has(args, "id");

    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        g_autoptr(GString) line = g_string_new(NULL);
        virDomainGetUUIDString(entry->domain, uuid);
        if (ids && entry->id >= 0)
            g_string_append_printf(line, "%d", entry->id);
        else if (ids)
            g_string_append_c(line, '-');
        if (uuids)
            g_string_append_printf(line, "%s%s", line->len ? " " : "", uuid);
        if (names)
            g_string_append_printf(line, uuids ? "%s%-30s" : "%s%s", line->len ? " " : "",
                                   entry->name);
        shell_print(shell, "%s\n", line->str);
    }
}

static void
list_table(Shell *shell, const Args *args, GArray *entries)
{
    static const char *const headings[] = {"Id", "Name", "State", NULL};
    static const char *const titled[] = {"Id", "Name", "State", "Title", NULL};
    static const char *const json_headings[] = {"Id", "Name", "State", "UUID", "Title", NULL};
    static const char *const keys[] = {"id", "name", "state", "title", NULL};
    static const char *const json_keys[] = {"id", "name", "state", "uuid", "title", NULL};
    bool json = shell_wants_json(shell), title = args_has(args, "title") || json;
    g_autoptr(Table) table =
        json ? table_new(json_headings, json_keys) : table_new(title ? titled : headings, keys);

    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        int state = VIR_DOMAIN_NOSTATE, reason;
        /* A domain that went away meanwhile is shown without a state. */
        if (virDomainGetState(entry->domain, &state, &reason, 0) < 0)
            shell_forget_error();
        bool saved = args_has(args, "managed-save") && state == VIR_DOMAIN_SHUTOFF &&
                     virDomainHasManagedSaveImage(entry->domain, 0) > 0;
        if (entry->id >= 0)
            table_number(table, entry->id);
        else
            table_text(table, json ? NULL : "-");
        table_text(table, entry->name);
        table_text(table, saved ? "saved" : name_of_state(state));
        if (json) {
            virDomainGetUUIDString(entry->domain, uuid);
            table_text(table, uuid);
        }
        if (title) {
            g_autofree char *text =
                virDomainGetMetadata(entry->domain, VIR_DOMAIN_METADATA_TITLE, NULL, 0);
            shell_forget_error();
            table_text(table, text ? text : json ? NULL : "");
        }
    }
    table_print(shell, table);
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"transient", VIR_CONNECT_LIST_DOMAINS_TRANSIENT},
        {"persistent", VIR_CONNECT_LIST_DOMAINS_PERSISTENT},
        {"with-snapshot", VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT},
        {"without-snapshot", VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT},
        {"with-checkpoint", VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT},
        {"without-checkpoint", VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT},
        {"state-running", VIR_CONNECT_LIST_DOMAINS_RUNNING},
        {"state-paused", VIR_CONNECT_LIST_DOMAINS_PAUSED},
        {"state-shutoff", VIR_CONNECT_LIST_DOMAINS_SHUTOFF},
        {"state-other", VIR_CONNECT_LIST_DOMAINS_OTHER},
        {"autostart", VIR_CONNECT_LIST_DOMAINS_AUTOSTART},
        {"no-autostart", VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART},
        {"with-managed-save", VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE},
        {"without-managed-save", VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE},
    };
    unsigned int flags = ARGS_BITS(args, bits);
    bool plain = args_has(args, "name") || args_has(args, "uuid") || args_has(args, "id");
    g_autoptr(GArray) entries = NULL;

    if (!args_exclude(shell, args, "table", "name") ||
        !args_exclude(shell, args, "table", "uuid") || !args_exclude(shell, args, "table", "id"))
        return false;
    if (args_has(args, "all"))
        flags |= VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    else if (args_has(args, "inactive") || args_has(args, "state-shutoff"))
        flags |= VIR_CONNECT_LIST_DOMAINS_INACTIVE;
    else
        flags |= VIR_CONNECT_LIST_DOMAINS_ACTIVE;
    entries = list_domains(shell, flags);
    if (!entries)
        return false;
    if (plain && !shell_wants_json(shell))
        list_plain(shell, args, entries);
    else
        list_table(shell, args, entries);
    return true;
}

static const Option list_options[] = {
    FLAG("inactive", "those that are off"),
    FLAG("all", "those that run and those that are off"),
    FLAG("transient", "without a definition on disk"),
    FLAG("persistent", "with a definition on disk"),
    FLAG("with-snapshot", "that have snapshots"),
    FLAG("without-snapshot", "that have no snapshot"),
    FLAG("with-checkpoint", "that have checkpoints"),
    FLAG("without-checkpoint", "that have no checkpoint"),
    FLAG("state-running", "that run"),
    FLAG("state-paused", "that are paused"),
    FLAG("state-shutoff", "that are off"),
    FLAG("state-other", "in any other state"),
    FLAG("autostart", "that start with the host"),
    FLAG("no-autostart", "that do not start with the host"),
    FLAG("with-managed-save", "that have a managed save image"),
    FLAG("without-managed-save", "that have none"),
    FLAG("uuid", "print UUIDs only"),
    FLAG("name", "print names only"),
    FLAG("id", "print ids only"),
    FLAG("table", "print a table (the default)"),
    FLAG("managed-save", "show `saved` for those with a managed save image"),
    FLAG("title", "also print titles"),
    END_OF_OPTIONS,
};

const Command list_commands[] = {
    {"list", cmd_list, list_options, "domains and their state", COMMAND_JSON,
     "Running domains unless --all or --inactive say otherwise; the other options filter those."
     "\n\nExamples:\n  virsh list --all --title\n  virsh list --name --state-running --persistent\n"
     "  virsh list --all --json",
     NULL},
    {0},
};
