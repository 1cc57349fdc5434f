/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From words to checked arguments. The rules are the ones scripts know: --name value, --name=value, words without a name fill
 * the positional options in order, -- ends the names, an ARGV option takes all that is left. */
#include "tools/virsh/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static const Option *
find_option(const Command *command, const char *name)
{
    for (const Option *option = command->options; option && option->name; option++) {
        if (g_str_equal(option->name, name))
            return option;
    }
    return NULL;
}

/* The next positional option that has no value yet; ARGV options never fill up. */
static const Option *
next_positional(const Args *args)
{
    for (const Option *option = args->command->options; option && option->name; option++) {
        if (!(option->flags & OPTION_POSITIONAL))
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
    const Option *option = find_option(args->command, name);

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
        g_hash_table_replace(args->values, g_strdup(name), g_strdup(""));
        return true;
    }
    if (equals)
        return add_value(args, option, equals + 1, why);
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
            *why = g_strdup_printf(option->flags & OPTION_POSITIONAL
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

bool
args_int(Shell *shell, const Args *args, const char *name, int *value)
{
    const char *text = args_text(args, name);
    char *end;

    if (!text)
        return true;
    errno = 0;
    long parsed = strtol(text, &end, 10);
    if (errno || !*text || *end || parsed < G_MININT || parsed > G_MAXINT)
        return shell_fail(shell, "Numeric value '%s' for <%s> option is malformed or out of range",
                          text, name);
    *value = parsed;
    return true;
}

bool
args_uint(Shell *shell, const Args *args, const char *name, unsigned int *value)
{
    int number = *value;

    if (!args_int(shell, args, name, &number))
        return false;
    if (number < 0)
        return shell_fail(shell, "Numeric value '%s' for <%s> option is malformed or out of range",
                          args_text(args, name), name);
    *value = number;
    return true;
}

bool
args_kib(Shell *shell, const Args *args, const char *name, unsigned long long *value)
{
    static const struct {
        const char *suffix;
        double bytes;
    } units[] = {
        {"", 1024.0},
        {"b", 1},
        {"byte", 1},
        {"bytes", 1},
        {"k", 1024.0},
        {"kib", 1024.0},
        {"kb", 1e3},
        {"m", 1 << 20},
        {"mib", 1 << 20},
        {"mb", 1e6},
        {"g", 1 << 30},
        {"gib", 1 << 30},
        {"gb", 1e9},
        {"t", 1099511627776.0},
        {"tib", 1099511627776.0},
        {"tb", 1e12},
    };
    const char *text = args_text(args, name);
    char *end;

    if (!text)
        return true;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!errno && end != text && *text != '-') {
        for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
            double bytes = number * units[i].bytes;
            if (g_ascii_strcasecmp(end, units[i].suffix) == 0 && bytes < 9.2e18) {
                *value = (unsigned long long)(bytes + 1023) / 1024;
                return true;
            }
        }
    }
    return shell_fail(shell,
                      "Scaled numeric value '%s' for <%s> option is malformed or out of range",
                      text, name);
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

char *
args_file(Shell *shell, const Args *args, const char *name)
{
    const char *path = args_text(args, name);
    g_autoptr(GError) err = NULL;
    char *text = NULL;
    gsize len;

    if (g_str_equal(path, "-"))
        path = "/dev/stdin";
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
