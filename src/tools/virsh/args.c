/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From words to checked arguments. The rules are the ones scripts know: --name value, --name=value, words without a name fill
 * the options that take a value in their order, -- ends the names, an ARGV option takes all that is left. */
#include "tools/virsh/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct Args {
    const Command *command;
    GHashTable *values; /* option name -> char * (flags: "") */
    GPtrArray *words;   /* of the ARGV option, with a NULL at the end */
    const Option *words_option;
};

void
args_free(Args *args)
{
    if (!args)
        return;
    g_hash_table_unref(args->values);
    g_ptr_array_unref(args->words);
    g_free(args);
}

const void *
args_detail(const Args *args)
{
    return args->command->detail;
}

const char *
args_command(const Args *args)
{
    return args->command->name;
}

/* An alias gives the option it stands for, and the value it carries, if any. */
static const Option *
find_option(const Command *command, const char *name, const char **value)
{
    for (const Option *option = command->options; option && option->name; option++) {
        if (!g_str_equal(option->name, name))
            continue;
        if (option->type != OPTION_ALIAS)
            return option;
        const char *target = option->help + 2, *equals = strchr(target, '=');
        g_autofree char *plain = equals ? g_strndup(target, equals - target) : g_strdup(target);
        *value = equals ? equals + 1 : NULL;
        return find_option(command, plain, value);
    }
    return NULL;
}

/* The next positional option that has no value yet; ARGV options never fill up. */
static const Option *
next_positional(const Args *args)
{
    for (const Option *option = args->command->options; option && option->name; option++) {
        if (option->type == OPTION_FLAG || option->type == OPTION_ALIAS ||
            option->flags & OPTION_NAMED)
            continue;
        if (option->type == OPTION_ARGV || !g_hash_table_contains(args->values, option->name))
            return option;
    }
    return NULL;
}

static bool
add_value(Args *args, const Option *option, const char *value, char **why)
{
    if (option->type == OPTION_ARGV) {
        args->words_option = option;
        g_ptr_array_add(args->words, g_strdup(value));
        return true;
    }
    if (g_hash_table_contains(args->values, option->name)) {
        *why = g_strdup_printf("option --%s already seen", option->name);
        return false;
    }
    g_hash_table_insert(args->values, g_strdup(option->name), g_strdup(value));
    return true;
}

/* One word that begins with --; may take the next word. */
static bool
parse_named(Args *args, char **words, gsize n, gsize *at, char **why)
{
    const char *word = words[*at] + 2;
    const char *equals = strchr(word, '=');
    g_autofree char *name = equals ? g_strndup(word, equals - word) : g_strdup(word);
    const char *carried = NULL;
    const Option *option = find_option(args->command, name, &carried);

    if (g_str_equal(name, "json") && args->command->flags & COMMAND_JSON && !equals) {
        g_hash_table_replace(args->values, g_strdup("json"), g_strdup(""));
        return true;
    }
    if (!option) {
        *why =
            g_strdup_printf("command '%s' doesn't support option --%s", args->command->name, name);
        return false;
    }
    if (option->type == OPTION_FLAG) {
        if (equals) {
            *why = g_strdup_printf("invalid '=' after option --%s", name);
            return false;
        }
        g_hash_table_replace(args->values, g_strdup(option->name), g_strdup(""));
        return true;
    }
    if (carried)
        return add_value(args, option, carried, why);
    if (equals)
        return add_value(args, option, equals + 1, why);
    if (option->flags & OPTION_MAYBE)
        return add_value(args, option, "", why);
    if (*at + 1 >= n) {
        *why = g_strdup_printf("expected syntax: --%s <%s>", name,
                               option->type == OPTION_INT ? "number" : "string");
        return false;
    }
    return add_value(args, option, words[++*at], why);
}

static bool
check_required(const Args *args, char **why)
{
    for (const Option *option = args->command->options; option && option->name; option++) {
        if (!(option->flags & OPTION_REQUIRED))
            continue;
        bool given = option->type == OPTION_ARGV
                         ? args->words->len > 0
                         : g_hash_table_contains(args->values, option->name);
        if (!given) {
            *why = g_strdup_printf(!(option->flags & OPTION_NAMED)
                                       ? "command '%s' requires <%s> option"
                                       : "command '%s' requires --%s option",
                                   args->command->name, option->name);
            return false;
        }
    }
    return true;
}

Args *
args_parse(const Command *command, char **words, gsize n, char **why)
{
    g_autoptr(Args) args = g_new0(Args, 1);
    bool names_ended = false;

    args->command = command;
    args->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    args->words = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; i < n; i++) {
        const char *word = words[i];
        if (!names_ended && g_str_equal(word, "--")) {
            names_ended = true;
            continue;
        }
        if (!names_ended && g_str_has_prefix(word, "--") && word[2]) {
            if (!parse_named(args, words, n, &i, why))
                return NULL;
            continue;
        }
        const Option *option = next_positional(args);
        if (!option) {
            *why = g_strdup_printf("unexpected data '%s'", word);
            return NULL;
        }
        if (!add_value(args, option, word, why))
            return NULL;
    }
    if (!g_hash_table_contains(args->values, "help") && !check_required(args, why))
        return NULL;
    return g_steal_pointer(&args);
}

bool
args_has(const Args *args, const char *name)
{
    return g_hash_table_contains(args->values, name) ||
           (args->words_option && g_str_equal(args->words_option->name, name));
}

const char *
args_text(const Args *args, const char *name)
{
    return g_hash_table_lookup(args->values, name);
}

const char *const *
args_words(const Args *args, const char *name, gsize *count)
{
    bool mine = args->words_option && g_str_equal(args->words_option->name, name);

    *count = mine ? args->words->len : 0;
    return (const char *const *)args->words->pdata;
}

static bool
malformed(Shell *shell, const Args *args, const char *name)
{
    return shell_fail(shell, "Numeric value '%s' for <%s> option is malformed or out of range",
                      args_text(args, name), name);
}

bool
args_llong(Shell *shell, const Args *args, const char *name, long long *value)
{
    const char *text = args_text(args, name);
    char *end;

    if (!text)
        return true;
    errno = 0;
    long long parsed = strtoll(text, &end, 10);
    if (errno || !*text || *end)
        return malformed(shell, args, name);
    *value = parsed;
    return true;
}

bool
args_ullong(Shell *shell, const Args *args, const char *name, unsigned long long *value)
{
    const char *text = args_text(args, name);
    char *end;

    if (!text)
        return true;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    if (errno || !*text || *end || strchr(text, '-'))
        return malformed(shell, args, name);
    *value = parsed;
    return true;
}

bool
args_int(Shell *shell, const Args *args, const char *name, int *value)
{
    long long wide = *value;

    if (!args_llong(shell, args, name, &wide))
        return false;
    if (wide < G_MININT || wide > G_MAXINT)
        return malformed(shell, args, name);
    *value = wide;
    return true;
}

bool
args_uint(Shell *shell, const Args *args, const char *name, unsigned int *value)
{
    unsigned long long wide = *value;

    if (!args_ullong(shell, args, name, &wide))
        return false;
    if (wide > G_MAXUINT)
        return malformed(shell, args, name);
    *value = wide;
    return true;
}

bool
args_bytes(Shell *shell, const Args *args, const char *name, unsigned long long scale,
           unsigned long long *value)
{
    static const char letters[] = "kmgtpe";
    const char *text = args_text(args, name);
    char *end;

    if (!text)
        return true;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10), unit = scale;
    bool good = !errno && end != text && !strchr(text, '-');
    if (*end && (g_ascii_strcasecmp(end, "b") == 0 || g_ascii_strcasecmp(end, "byte") == 0 ||
                 g_ascii_strcasecmp(end, "bytes") == 0)) {
        unit = 1;
    } else if (*end) {
        const char *letter = strchr(letters, g_ascii_tolower(*end));
        bool decimal = g_ascii_strcasecmp(end + 1, "b") == 0;
        good = good && letter && (!end[1] || decimal || g_ascii_strcasecmp(end + 1, "ib") == 0);
        unit = 1;
        for (gsize i = 0; good && i <= (gsize)(letter - letters); i++)
            unit *= decimal ? 1000 : 1024;
    }
    if (!good || (number && unit > G_MAXUINT64 / number))
        return shell_fail(shell,
                          "Scaled numeric value '%s' for <%s> option is malformed or out of range",
                          text, name);
    *value = number * unit;
    return true;
}

bool
args_kib(Shell *shell, const Args *args, const char *name, unsigned long long *value)
{
    unsigned long long bytes = 0;

    if (!args_bytes(shell, args, name, 1024, &bytes))
        return false;
    if (args_text(args, name))
        *value = bytes / 1024 + (bytes % 1024 != 0);
    return true;
}

bool
args_need(Shell *shell, const Args *args, const char *a, const char *b)
{
    if (args_has(args, a) && !args_has(args, b))
        return shell_fail(shell, "Option --%s is required by option --%s", b, a);
    return true;
}

char *
args_joined(const Args *args, const char *name)
{
    gsize count;
    const char *const *words = args_words(args, name, &count);
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < count; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", words[i]);
    return g_string_free(text, FALSE);
}

bool
args_word(Shell *shell, const Args *args, const char *name, const char *const *words, int *place)
{
    const char *text = args_text(args, name);
    g_autofree char *known = NULL;

    for (int i = 0; text && words[i]; i++) {
        if (g_str_equal(words[i], text)) {
            *place = i;
            return true;
        }
    }
    known = g_strjoinv(", ", (char **)words);
    return !text || shell_fail(shell, "Unknown value '%s' for <%s> option, expecting one of: %s",
                               text, name, known);
}

bool
args_exclude(Shell *shell, const Args *args, const char *a, const char *b)
{
    if (args_has(args, a) && args_has(args, b))
        return shell_fail(shell, "Options --%s and --%s are mutually exclusive", a, b);
    return true;
}

unsigned int
args_bits(const Args *args, const FlagBit *bits, gsize count)
{
    unsigned int flags = 0;

    for (gsize i = 0; i < count; i++)
        flags |= args_has(args, bits[i].option) ? bits[i].bit : 0;
    return flags;
}

bool
args_affect(Shell *shell, const Args *args, unsigned int *flags)
{
    if (!args_exclude(shell, args, "current", "live") ||
        !args_exclude(shell, args, "current", "config"))
        return false;
    *flags |= args_has(args, "live") ? VIR_DOMAIN_AFFECT_LIVE : 0;
    *flags |= args_has(args, "config") ? VIR_DOMAIN_AFFECT_CONFIG : 0;
    return true;
}

bool
args_affect_persistent(Shell *shell, const Args *args, virDomainPtr domain, unsigned int *flags)
{
    if (!args_affect(shell, args, flags) || !args_exclude(shell, args, "persistent", "current"))
        return false;
    if (args_has(args, "persistent"))
        *flags |= VIR_DOMAIN_AFFECT_CONFIG |
                  (virDomainIsActive(domain) == 1 ? VIR_DOMAIN_AFFECT_LIVE : 0);
    return true;
}

bool
args_fds(Shell *shell, const Args *args, const char *name, int **fds, unsigned int *n)
{
    const char *text = args_text(args, name);
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);
    g_autofree int *list = g_new0(int, g_strv_length(words));

    *n = 0;
    for (char **word = words; *word; word++) {
        char *end;
        errno = 0;
        long fd = strtol(*word, &end, 10);
        if (errno || !**word || *end || fd < 0 || fd > G_MAXINT)
            return shell_fail(shell, "Unable to parse FD number '%s'", *word);
        list[(*n)++] = fd;
    }
    *fds = g_steal_pointer(&list);
    return true;
}

char *
args_file(Shell *shell, const Args *args, const char *name)
{
    const char *path = args_text(args, name);
    g_autoptr(GError) err = NULL;
    char *text = NULL;
    gsize len;

    if (g_str_equal(path, "-"))
        path = "/dev/stdin";
    if (access(path, R_OK) < 0) {
        shell_fail(shell, "Failed to open file '%s': %s", path, g_strerror(errno));
        return NULL;
    }
    if (!g_file_get_contents(path, &text, &len, &err)) {
        shell_fail(shell, "Failed to open file '%s': %s", path, err->message);
        return NULL;
    }
    if (len > 16 << 20 || strlen(text) != len) {
        g_free(text);
        shell_fail(shell, "File '%s' is no XML text of at most 16 MiB", path);
        return NULL;
    }
    return text;
}
