/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets: passphrases that the daemon keeps for disks and storage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/object.h"
#include "tools/virsh/output.h"

static void *
find_secret(Shell *shell, const char *name)
{
    return virSecretLookupByUUIDString(shell_connection(shell), name);
}

/* A secret is called by its UUID; the text is good until the next call. */
static const char *
secret_name(void *secret)
{
    static char text[VIR_UUID_STRING_BUFLEN];

    return virSecretGetUUIDString(secret, text) < 0 ? NULL : text;
}

const ObjectKind secret_kind = {
    "secret",
    "secret",
    find_secret,
    secret_name,
    OBJECT_CALL(virSecretFree),
    OBJECT_XML(virSecretGetXMLDesc),
};

#define SECRET REQUIRED_OF("secret", complete_secret, "uuid of the secret")

static const Option secret_only[] = {SECRET, END_OF_OPTIONS};
static const Option dumpxml_options[] = {SECRET, XPATH_AND_WRAP, END_OF_OPTIONS};
static const Option define_options[] = {
    FILE_ARGUMENT("file with the secret's XML"),
    FLAG("validate", "check the XML against the schema"),
    END_OF_OPTIONS,
};
static const FlagBit define_bits[] = {{"validate", VIR_SECRET_DEFINE_VALIDATE}};
static const ObjectDefine define = {&secret_kind,          OBJECT_DEFINE(virSecretDefineXML),
                                    define_bits,           G_N_ELEMENTS(define_bits),
                                    "Secret %s created\n", "Failed to set attributes from %s"};
static const ObjectVerb undefine = {&secret_kind, OBJECT_CALL(virSecretUndefine),
                                    "Secret %s deleted\n", "Failed to delete secret %s"};
static const ObjectDump dump = {&secret_kind, 0};

/* ---- list ---- */

static int
compare_secrets(const void *a, const void *b)
{
    char left[VIR_UUID_STRING_BUFLEN] = "", right[VIR_UUID_STRING_BUFLEN] = "";

    virSecretGetUUIDString(*(const virSecretPtr *)a, left);
    virSecretGetUUIDString(*(const virSecretPtr *)b, right);
    return strcmp(left, right);
}

static bool
cmd_list(Shell *shell, const Args *args)
{
    static const FlagBit bits[] = {
        {"ephemeral", VIR_CONNECT_LIST_SECRETS_EPHEMERAL},
        {"no-ephemeral", VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL},
        {"private", VIR_CONNECT_LIST_SECRETS_PRIVATE},
        {"no-private", VIR_CONNECT_LIST_SECRETS_NO_PRIVATE},
    };
    static const char *const usages[] = {"none", "volume", "ceph", "iscsi", "tls", "vtpm"};
    static const char *const headings[] = {"UUID", "Usage", NULL};
    static const char *const json_headings[] = {"", "", "", NULL};
    static const char *const keys[] = {"uuid", "usage_type", "usage", NULL};
    bool json = shell_wants_json(shell);
    g_autoptr(Table) table = table_new(json ? json_headings : headings, keys);
    virSecretPtr *secrets = NULL;
    int n = virConnectListAllSecrets(shell_connection(shell), &secrets, ARGS_BITS(args, bits));

    if (n < 0)
        return shell_fail(shell, "Failed to list secrets");
    qsort(secrets, n, sizeof *secrets, compare_secrets);
    for (int i = 0; i < n; i++) {
        int type = virSecretGetUsageType(secrets[i]);
        const char *usage = virSecretGetUsageID(secrets[i]);
        const char *word = type >= 0 && type < (int)G_N_ELEMENTS(usages) ? usages[type] : "unknown";
        g_autofree char *shown = type ? g_strdup_printf("%s %s", word, usage) : NULL;
        table_text(table, secret_name(secrets[i]));
        table_text(table, json ? word : shown ? shown : "Unused");
        if (json)
            table_text(table, type ? usage : NULL);
        virSecretFree(secrets[i]);
    }
    free(secrets);
    table_print(shell, table);
    return true;
}

static const Option list_options[] = {
    FLAG("ephemeral", "that are never written to disk"),
    FLAG("no-ephemeral", "that are"),
    FLAG("private", "that never leave the daemon"),
    FLAG("no-private", "that do"),
    END_OF_OPTIONS,
};

/* ---- values ---- */

/* A passphrase typed without being seen. Free with g_free. */
static char *
ask_value(Shell *shell)
{
    struct termios before, hidden;
    g_autofree char *line = NULL;
    size_t room = 0;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0) {
        shell_fail(shell, "--interactive needs a terminal");
        return NULL;
    }
    hidden = before;
    hidden.c_lflag &= ~ECHO;
    shell_print(shell, "Enter new value for secret:");
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    ssize_t n = getline(&line, &room, stdin);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    shell_print(shell, "\n");
    if (n <= 0) {
        shell_fail(shell, "Failed to read secret");
        return NULL;
    }
    if (line[n - 1] == '\n')
        line[n - 1] = 0;
    return g_steal_pointer(&line);
}

static bool
cmd_set_value(Shell *shell, const Args *args)
{
    const char *base64 = args_text(args, "base64");
    bool plain = args_has(args, "plain") || args_has(args, "interactive");
    g_autofree char *text = NULL;
    g_autofree guchar *decoded = NULL;
    gsize n;

    if (!args_exclude(shell, args, "file", "base64") ||
        !args_exclude(shell, args, "plain", "base64") ||
        !args_exclude(shell, args, "interactive", "base64") ||
        !args_exclude(shell, args, "interactive", "file") ||
        !args_exclude(shell, args, "interactive", "plain"))
        return false;
    if (args_has(args, "interactive"))
        text = ask_value(shell);
    else if (args_has(args, "file"))
        text = args_file(shell, args, "file");
    else if (base64)
        text = g_strdup(base64);
    else
        return shell_fail(shell, "Input secret value is missing");
    if (!text)
        return false;
    /* A value on the command line can be read by everybody on this host. */
    if (base64)
        shell_fail(shell, "Passing secret value as command-line argument is insecure!");
    n = strlen(text);
    decoded = plain ? (guchar *)g_strdup(text) : g_base64_decode(text, &n);
    memset(text, 0, strlen(text));
    virSecretPtr secret = args_object(shell, args, &secret_kind);
    bool good = secret && virSecretSetValue(secret, decoded, n, 0) >= 0;
    memset(decoded, 0, n);
    if (good)
        shell_note(shell, "Secret value set\n");
    else if (secret)
        shell_fail(shell, "Failed to set secret value");
    if (secret)
        virSecretFree(secret);
    return good;
}

static const Option set_value_options[] = {
    SECRET,
    {"file", OPTION_STRING, OPTION_NAMED, "file with the value", NULL, NULL},
    FLAG("plain", "the file holds the value itself, not base64"),
    FLAG("interactive", "ask for the value"),
    TEXT("base64", "the value in base64; others on this host can see it"),
    END_OF_OPTIONS,
};

static bool
cmd_get_value(Shell *shell, const Args *args)
{
    virSecretPtr secret = args_object(shell, args, &secret_kind);
    size_t n = 0;
    g_autofree guchar *value = secret ? virSecretGetValue(secret, &n, 0) : NULL;
    g_autofree char *text = NULL;

    if (secret)
        virSecretFree(secret);
    if (!value)
        return false;
    if (args_has(args, "plain") && !shell_wants_json(shell)) {
        if (fwrite(value, 1, n, stdout) != n)
            return shell_fail(shell, "Failed to write secret");
    } else {
        text = g_base64_encode(value, n);
        if (shell_wants_json(shell))
            print_value(shell, "base64", text);
        else
            shell_print(shell, "%s", text);
        memset(text, 0, strlen(text));
    }
    memset(value, 0, n);
    return true;
}

static const Option get_value_options[] = {
    SECRET,
    FLAG("plain", "as it is, not in base64"),
    END_OF_OPTIONS,
};

const Command secret_commands[] = {
    {"secret-define", cmd_object_define, define_options, "define a secret from a file", 0, NULL,
     &define},
    {"secret-dumpxml", cmd_object_dumpxml, dumpxml_options, "print a secret's XML, not its value",
     COMMAND_JSON, NULL, &dump},
    {"secret-get-value", cmd_get_value, get_value_options, "print a secret's value", COMMAND_JSON,
     NULL, NULL},
    {"secret-list", cmd_list, list_options, "secrets and what they are for", COMMAND_JSON, NULL,
     NULL},
    {"secret-set-value", cmd_set_value, set_value_options, "set a secret's value", 0,
     "Example:\n  virsh secret-set-value UUID --interactive", NULL},
    {"secret-undefine", cmd_object_verb, secret_only, "remove a secret", 0, NULL, &undefine},
    {0},
};
