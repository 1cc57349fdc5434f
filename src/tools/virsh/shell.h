/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a command sees: the shell it runs in, its arguments, and the ways to print.
 *
 * A command is one row of a table (see any cmd_*.c): name, options, help, function. The shell parses, connects, runs and
 * reports; a command gets checked arguments and returns whether it succeeded. */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>

typedef struct Shell Shell;
typedef struct Args Args;

typedef enum {
    OPTION_FLAG,   /* --all */
    OPTION_STRING, /* --name TEXT */
    OPTION_INT,    /* --timeout N */
    OPTION_ARGV,   /* takes every remaining word */
} OptionType;

typedef enum {
    OPTION_REQUIRED = 1 << 0,
    OPTION_POSITIONAL = 1 << 1, /* may be given without --name */
    OPTION_EMPTY_OK = 1 << 2,
} OptionFlags;

typedef enum { COMPLETE_NOTHING, COMPLETE_DOMAIN, COMPLETE_SNAPSHOT, COMPLETE_FILE } Completion;

typedef struct {
    const char *name;
    OptionType type;
    OptionFlags flags;
    const char *help;
    Completion completion;
} Option;

#define FLAG(name, help)                             \
    {                                                \
        name, OPTION_FLAG, 0, help, COMPLETE_NOTHING \
    }
#define TEXT(name, help)                               \
    {                                                  \
        name, OPTION_STRING, 0, help, COMPLETE_NOTHING \
    }
#define NUMBER(name, help)                          \
    {                                               \
        name, OPTION_INT, 0, help, COMPLETE_NOTHING \
    }
#define POSITIONAL(name, help)                                         \
    {                                                                  \
        name, OPTION_STRING, OPTION_POSITIONAL, help, COMPLETE_NOTHING \
    }
#define REQUIRED(name, help)                                                             \
    {                                                                                    \
        name, OPTION_STRING, OPTION_POSITIONAL | OPTION_REQUIRED, help, COMPLETE_NOTHING \
    }
#define REQUIRED_NUMBER(name, help)                                                   \
    {                                                                                 \
        name, OPTION_INT, OPTION_POSITIONAL | OPTION_REQUIRED, help, COMPLETE_NOTHING \
    }
#define WORDS(name, help)                                            \
    {                                                                \
        name, OPTION_ARGV, OPTION_POSITIONAL, help, COMPLETE_NOTHING \
    }
#define DOMAIN                                                        \
    {                                                                 \
        "domain", OPTION_STRING, OPTION_POSITIONAL | OPTION_REQUIRED, \
            "name, id or uuid of the domain", COMPLETE_DOMAIN         \
    }
#define DOMAIN_OPTIONAL                                                               \
    {                                                                                 \
        "domain", OPTION_STRING, OPTION_POSITIONAL, "name, id or uuid of the domain", \
            COMPLETE_DOMAIN                                                           \
    }
#define FILE_ARGUMENT(help)                                                             \
    {                                                                                   \
        "file", OPTION_STRING, OPTION_POSITIONAL | OPTION_REQUIRED, help, COMPLETE_FILE \
    }
#define END_OF_OPTIONS \
    {                  \
        0              \
    }

typedef enum {
    COMMAND_OFFLINE = 1 << 0, /* needs no connection */
    COMMAND_JSON = 1 << 1,    /* prints data: takes --json */
} CommandFlags;

typedef struct {
    const char *name;
    bool (*run)(Shell *shell, const Args *args);
    const Option *options;
    const char *help;
    CommandFlags flags;
    const char *description; /* a paragraph for `help NAME`; NULL: @help is enough */
} Command;

typedef struct {
    const char *title;
    const char *keyword;
    const Command *commands; /* ends with a row without a name */
} CommandGroup;

extern const CommandGroup *const command_groups[];
const Command *command_find(const char *name);

/* ---- the shell ---- */
virConnectPtr shell_connection(Shell *shell);
bool shell_connect(Shell *shell, const char *uri, bool read_only);
const char *shell_uri(Shell *shell);
bool shell_is_interactive(Shell *shell);
bool shell_wants_json(Shell *shell);
bool shell_is_quiet(Shell *shell);
const char *shell_escape_char(Shell *shell);
void shell_quit(Shell *shell);
bool shell_has_quit(Shell *shell);
/* Commands that wait (event --loop, console) end when this turns true: Ctrl-C was pressed. */
bool shell_was_interrupted(void);

/* Print to standard output. shell_note says something only where a person reads: not with --json or --quiet. */
void shell_print(Shell *shell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void shell_note(Shell *shell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* "error: ..." on standard error; always false. The library's own error follows it when there is one. */
bool shell_fail(Shell *shell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* ---- arguments ---- */
bool args_has(const Args *args, const char *name);
/* NULL when it was not given. */
const char *args_text(const Args *args, const char *name);
const char *const *args_words(const Args *args, const char *name, gsize *count);
bool args_int(Shell *shell, const Args *args, const char *name, int *value);
bool args_uint(Shell *shell, const Args *args, const char *name, unsigned int *value);
/* A size with an optional unit (KiB when none is given); @value in KiB. */
bool args_kib(Shell *shell, const Args *args, const char *name, unsigned long long *value);
/* Refuse two options that exclude each other. */
bool args_exclude(Shell *shell, const Args *args, const char *a, const char *b);
/* OR together the bits whose option was given. */
typedef struct {
    const char *option;
    unsigned int bit;
} FlagBit;
unsigned int args_bits(const Args *args, const FlagBit *bits, gsize count);
#define ARGS_BITS(args, bits) args_bits(args, bits, G_N_ELEMENTS(bits))
/* AFFECT_CURRENT, LIVE, CONFIG out of --current, --live, --config; false when they exclude each other. */
bool args_affect(Shell *shell, const Args *args, unsigned int *flags);

/* ---- objects ---- */
virDomainPtr args_domain(Shell *shell, const Args *args);
virDomainPtr shell_find_domain(Shell *shell, const char *name);
/* The text of --file (or another option that names one), at most 16 MiB; NULL after saying why. */
char *args_file(Shell *shell, const Args *args, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomainSnapshot, virDomainSnapshotFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStream, virStreamFree)

/* Parse one command line (quotes, backslashes, ;) and run it. */
bool shell_run_line(Shell *shell, const char *line);
void command_print_help(Shell *shell, const Command *command);
