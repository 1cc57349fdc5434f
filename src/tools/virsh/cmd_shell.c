/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands about virsh itself: help, connect, quit, cd, pwd, echo. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/output.h"

/* ---- help ---- */

static const char *
value_word(const Option *option)
{
    return option->type == OPTION_INT    ? " <number>"
           : option->type == OPTION_FLAG ? ""
                                         : " <string>";
}

static void
append_synopsis(GString *out, const Option *option)
{
    bool required = option->flags & OPTION_REQUIRED;

    if (option->type == OPTION_ALIAS)
        return;
    if (option->type == OPTION_ARGV)
        g_string_append_printf(out, required ? " <%s>..." : " [<%s>]...", option->name);
    else if (required)
        g_string_append_printf(out, " <%s>", option->name);
    else
        g_string_append_printf(out, " [--%s%s]", option->name, value_word(option));
}

static void
print_option(Shell *shell, const Option *option)
{
    bool bare = option->flags & OPTION_REQUIRED || option->type == OPTION_ARGV;
    g_autofree char *head = g_strdup_printf(bare ? "[--%s]%s" : "--%s%s", option->name,
                                            option->type == OPTION_ALIAS ? "" : value_word(option));

    if (option->type == OPTION_ALIAS)
        shell_print(shell, "    %-30s the same as %s\n", head, option->help);
    else if (option->choices)
        shell_print(shell, "    %-30s %s (%s)\n", head, option->help, option->choices);
    else
        shell_print(shell, "    %-30s %s\n", head, option->help);
}

void
command_print_help(Shell *shell, const Command *command)
{
    g_autoptr(GString) synopsis = g_string_new(command->name);
    bool has_options = command->options && command->options->name;

    for (const Option *option = command->options; option && option->name; option++)
        append_synopsis(synopsis, option);
    if (command->flags & COMMAND_JSON)
        g_string_append(synopsis, " [--json]");
    shell_print(shell, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s\n", command->name, command->help,
                synopsis->str);
    if (command->description) {
        g_auto(GStrv) lines = g_strsplit(command->description, "\n", -1);
        shell_print(shell, "\n  DESCRIPTION\n");
        for (char **line = lines; *line; line++)
            shell_print(shell, **line ? "    %s\n" : "%s\n", *line);
    }
    if (has_options || command->flags & COMMAND_JSON)
        shell_print(shell, "\n  OPTIONS\n");
    for (const Option *option = command->options; option && option->name; option++)
        print_option(shell, option);
    if (command->flags & COMMAND_JSON)
        shell_print(shell, "    %-30s %s\n", "--json", "print the data as JSON");
}

static void
print_group(Shell *shell, const CommandGroup *group)
{
    g_autoptr(GPtrArray) commands = group_commands(group);

    shell_print(shell, " %s (help keyword '%s'):\n", group->title, group->keyword);
    for (guint i = 0; i < commands->len; i++) {
        const Command *command = commands->pdata[i];
        shell_print(shell, "    %-30s %s\n", command->name, command->help);
    }
}

static bool
cmd_help(Shell *shell, const Args *args)
{
    const char *topic = args_text(args, "command");

    if (!topic) {
        shell_print(shell, "Grouped commands:\n\n");
        for (gsize g = 0; command_groups[g]; g++) {
            print_group(shell, command_groups[g]);
            shell_print(shell, "\n");
        }
        return true;
    }
    const Command *command = command_find(topic);
    if (command) {
        command_print_help(shell, command);
        return true;
    }
    for (gsize g = 0; command_groups[g]; g++) {
        if (g_str_equal(command_groups[g]->keyword, topic)) {
            print_group(shell, command_groups[g]);
            return true;
        }
    }
    return shell_fail(shell, "command or command group '%s' doesn't exist", topic);
}

static const Option help_options[] = {
    TEXT_OF("command", complete_command, "a command, or the keyword of a group"),
    END_OF_OPTIONS,
};

/* ---- others ---- */

static bool
cmd_quit(Shell *shell, const Args *args)
{
    shell_quit(shell);
    return true;
}

static bool
cmd_connect(Shell *shell, const Args *args)
{
    return shell_connect(shell, args_text(args, "name"), args_has(args, "readonly"));
}

static const Option connect_options[] = {
    TEXT("name", "URI of the hypervisor; none: the default one"),
    FLAG("readonly", "open a read-only connection"),
    END_OF_OPTIONS,
};

static bool
cmd_cd(Shell *shell, const Args *args)
{
    const char *folder = args_text(args, "dir");

    if (!shell_is_interactive(shell))
        return shell_fail(shell, "cd: command valid only in interactive mode");
    if (!folder)
        folder = g_get_home_dir();
    if (chdir(folder) < 0)
        return shell_fail(shell, "cd: %s: %s", folder, g_strerror(errno));
    return true;
}

static const Option cd_options[] = {
    TEXT_OF("dir", NULL, "folder to go to; none: home"),
    END_OF_OPTIONS,
};

static bool
cmd_pwd(Shell *shell, const Args *args)
{
    g_autofree char *folder = g_get_current_dir();

    print_value(shell, "folder", folder);
    return true;
}

static bool
cmd_echo(Shell *shell, const Args *args)
{
    gsize count;
    const char *const *words = args_words(args, "string", &count);
    g_autoptr(GString) out = g_string_new(NULL);

    for (gsize i = 0; i < count; i++) {
        g_string_append(out, !i ? "" : args_has(args, "split") ? "\n" : " ");
        if (args_has(args, "xml")) {
            g_autofree char *escaped = g_markup_escape_text(words[i], -1);
            g_string_append(out, escaped);
        } else if (args_has(args, "shell")) {
            g_autofree char *quoted = g_shell_quote(words[i]);
            g_string_append(out, strpbrk(words[i], " \t\n'\"\\$`;&|<>()*?[]#~!") || !*words[i]
                                     ? quoted
                                     : words[i]);
        } else {
            g_string_append(out, words[i]);
        }
    }
    if (args_has(args, "err"))
        fprintf(stderr, "%s\n", out->str);
    else
        shell_print(shell, "%s", out->str);
    return true;
}

static const Option echo_options[] = {
    FLAG("shell", "quote for a shell"),
    FLAG("xml", "escape for XML"),
    FLAG("split", "print each argument on a line of its own"),
    FLAG("err", "write to standard error"),
    WORDS("string", "what to print"),
    END_OF_OPTIONS,
};

const Command shell_commands[] = {
    {"cd", cmd_cd, cd_options, "change the working folder", COMMAND_OFFLINE, NULL},
    {"echo", cmd_echo, echo_options, "print the arguments, escaped on request", COMMAND_OFFLINE,
     NULL},
    {"exit", cmd_quit, NULL, "leave virsh", COMMAND_OFFLINE, NULL},
    {"help", cmd_help, help_options, "explain the commands", COMMAND_OFFLINE, NULL},
    {"pwd", cmd_pwd, NULL, "print the working folder", COMMAND_OFFLINE | COMMAND_JSON, NULL},
    {"quit", cmd_quit, NULL, "leave virsh", COMMAND_OFFLINE, NULL},
    {"connect", cmd_connect, connect_options, "connect to a hypervisor", COMMAND_OFFLINE, NULL},
    {0},
};
