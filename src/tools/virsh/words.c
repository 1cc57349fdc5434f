/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See words.h. */
#include "tools/virsh/words.h"

#include <string.h>

typedef struct {
    GPtrArray *commands;
    GPtrArray *command; /* the one being read */
    GString *word;
    bool in_word; /* '' is a word too */
} Splitter;

static void
end_word(Splitter *splitter)
{
    if (!splitter->in_word)
        return;
    g_ptr_array_add(splitter->command, g_strdup(splitter->word->str));
    g_string_truncate(splitter->word, 0);
    splitter->in_word = false;
}

static void
end_command(Splitter *splitter)
{
    end_word(splitter);
    if (!splitter->command->len)
        return;
    g_ptr_array_add(splitter->commands, splitter->command);
    splitter->command = g_ptr_array_new_with_free_func(g_free);
}

/* A quoted part; returns the closing quote, or NULL when it is missing. */
static const char *
read_quoted(Splitter *splitter, const char *at)
{
    char quote = *at++;

    splitter->in_word = true;
    for (; *at && *at != quote; at++) {
        if (quote == '"' && *at == '\\' && at[1])
            at++;
        g_string_append_c(splitter->word, *at);
    }
    return *at ? at : NULL;
}

GPtrArray *
words_split(const char *line, char **why)
{
    g_autoptr(GPtrArray) commands =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GPtrArray) rest = NULL;
    g_autoptr(GString) word = g_string_new(NULL);
    Splitter splitter = {commands, g_ptr_array_new_with_free_func(g_free), word, false};
    const char *wrong = NULL;

    for (const char *at = line; *at && !wrong; at++) {
        if (*at == '\'' || *at == '"') {
            at = read_quoted(&splitter, at);
            if (!at) {
                wrong = "missing \"";
                break;
            }
        } else if (*at == '\\') {
            if (!at[1])
                wrong = "dangling \\";
            else
                g_string_append_c(word, *++at);
            splitter.in_word = true;
        } else if (*at == ' ' || *at == '\t' || *at == '\r') {
            end_word(&splitter);
        } else if (*at == ';' || *at == '\n') {
            end_command(&splitter);
        } else if (*at == '#' && !splitter.in_word) {
            at += strcspn(at, "\n") - 1;
        } else {
            g_string_append_c(word, *at);
            splitter.in_word = true;
        }
    }
    if (!wrong)
        end_command(&splitter);
    rest = splitter.command;
    if (wrong) {
        *why = g_strdup(wrong);
        return NULL;
    }
    return g_steal_pointer(&commands);
}
