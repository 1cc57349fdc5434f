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
    OPTION_ALIAS, /* another spelling; its help is what it stands for: "--size" or "--mode=shareable" */
} OptionType;

typedef enum {
    OPTION_REQUIRED = 1 << 0,
    OPTION_NAMED = 1 << 1, /* only with --name; any other value may stand in its place without it */
    OPTION_MAYBE = 1 << 2, /* --name alone, or --name=VALUE */
} OptionFlags;

typedef struct Option Option;
/* Adds what the value may be to @found (of char *). @words are those before it on the line, the command first. */
typedef void (*Completer)(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);

struct Option {
    const char *name;
    OptionType type;
    OptionFlags flags;
    const char *help;
    Completer complete;  /* NULL: file names */
    const char *choices; /* a,b,c: offered by completion too */
};

/* clang-format off */
#define FLAG(name, help) { name, OPTION_FLAG, 0, help, NULL, NULL }
#define TEXT(name, help) { name, OPTION_STRING, 0, help, complete_nothing, NULL }
#define CHOICE(name, choices, help) { name, OPTION_STRING, 0, help, complete_nothing, choices }
#define TEXT_OF(name, complete, help) { name, OPTION_STRING, 0, help, complete, NULL }
#define NAMED(name, help) { name, OPTION_STRING, OPTION_NAMED, help, complete_nothing, NULL }
#define NAMED_MAYBE(name, help) { name, OPTION_STRING, OPTION_NAMED | OPTION_MAYBE, help, complete_nothing, NULL }
#define NAMED_CHOICE(name, choices, help) { name, OPTION_STRING, OPTION_NAMED, help, complete_nothing, choices }
#define NUMBER(name, help) { name, OPTION_INT, 0, help, complete_nothing, NULL }
#define NAMED_NUMBER(name, help) { name, OPTION_INT, OPTION_NAMED, help, complete_nothing, NULL }
#define REQUIRED(name, help) { name, OPTION_STRING, OPTION_REQUIRED, help, complete_nothing, NULL }
#define REQUIRED_OF(name, complete, help) { name, OPTION_STRING, OPTION_REQUIRED, help, complete, NULL }
#define REQUIRED_CHOICE(name, choices, help) { name, OPTION_STRING, OPTION_REQUIRED, help, complete_nothing, choices }
#define REQUIRED_NUMBER(name, help) { name, OPTION_INT, OPTION_REQUIRED, help, complete_nothing, NULL }
#define WORDS(name, help) { name, OPTION_ARGV, 0, help, complete_nothing, NULL }
#define REQUIRED_WORDS(name, help) { name, OPTION_ARGV, OPTION_REQUIRED, help, complete_nothing, NULL }
#define ALIAS(name, meaning) { name, OPTION_ALIAS, 0, meaning, NULL, NULL }
#define END_OF_OPTIONS { 0 }
/* clang-format on */

#define DOMAIN REQUIRED_OF("domain", complete_domain, "name, id or uuid of the domain")
#define ACTIVE_DOMAIN \
    REQUIRED_OF("domain", complete_active_domain, "name, id or uuid of the domain")
#define INACTIVE_DOMAIN \
    REQUIRED_OF("domain", complete_inactive_domain, "name or uuid of the domain")
#define DOMAIN_OPTIONAL TEXT_OF("domain", complete_domain, "name, id or uuid of the domain")
#define FILE_ARGUMENT(help) REQUIRED_OF("file", NULL, help)
/* Which state of a domain a command is about. */
#define AFFECT                                                                 \
    FLAG("config", "of the next start"), FLAG("live", "of the running guest"), \
        FLAG("current", "of the present state")
/* The older commands also know --persistent: both states of a running guest. */
#define AFFECT_PERSISTENT FLAG("persistent", "both of the running guest and the next start"), AFFECT
#define XPATH_AND_WRAP                                       \
    NAMED("xpath", "only what this XPath expression finds"), \
        FLAG("wrap", "put what --xpath finds into one element")

/* ---- what the value of an option can be (complete.c) ---- */
void complete_nothing(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_domain(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_active_domain(virConnectPtr conn, char **words, const Option *option,
                            GPtrArray *found);
void complete_inactive_domain(virConnectPtr conn, char **words, const Option *option,
                              GPtrArray *found);
void complete_paused_domain(virConnectPtr conn, char **words, const Option *option,
                            GPtrArray *found);
void complete_running_domain(virConnectPtr conn, char **words, const Option *option,
                             GPtrArray *found);
/* Of the domain that is the first word after the command. */
void complete_snapshot(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_checkpoint(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_disk(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_nic(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_device_alias(virConnectPtr conn, char **words, const Option *option,
                           GPtrArray *found);
void complete_network(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_pool(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_volume(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_secret(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_nodedev(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_interface(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_nwfilter(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_binding(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);
void complete_command(virConnectPtr conn, char **words, const Option *option, GPtrArray *found);

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
    const char *description; /* for `help NAME`: paragraphs, examples; NULL: @help is enough */
    const void *detail;      /* what makes this one of several alike special: see args_detail */
} Command;

typedef struct {
    const char *title;
    const char *keyword;
    const Command *const *tables; /* ends with NULL; a table ends with a row without a name */
} CommandGroup;

extern const CommandGroup *const command_groups[];
const Command *command_find(const char *name);
/* The group's commands (borrowed) by name. */
GPtrArray *group_commands(const CommandGroup *group);

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
void shell_clear_interrupt(void);
bool shell_is_read_only(Shell *shell);
/* Run the event loop until *done, Ctrl-C, SIGTERM, or the end of the connection, which alone is false. */
bool shell_run_loop(Shell *shell, const bool *done);
/* A timer's callback that ends it. */
void shell_end_loop(int timer, void *opaque);

/* Print to standard output. shell_note says something only where a person reads: not with --json or --quiet. */
void shell_print(Shell *shell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void shell_note(Shell *shell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* "error: ..." on standard error; always false. The library's own error follows it when there is one. */
bool shell_fail(Shell *shell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* An error that was to be expected is not reported. */
void shell_forget_error(void);
/* Errors of the library belong to a thread: this one came from another, and is reported when the command fails. */
void shell_carry_error(Shell *shell, const char *message);

/* ---- arguments ---- */
const void *args_detail(const Args *args);
/* The name of the command that runs. */
const char *args_command(const Args *args);
bool args_has(const Args *args, const char *name);
/* NULL when it was not given. */
const char *args_text(const Args *args, const char *name);
const char *const *args_words(const Args *args, const char *name, gsize *count);
bool args_int(Shell *shell, const Args *args, const char *name, int *value);
bool args_uint(Shell *shell, const Args *args, const char *name, unsigned int *value);
bool args_llong(Shell *shell, const Args *args, const char *name, long long *value);
bool args_ullong(Shell *shell, const Args *args, const char *name, unsigned long long *value);
/* A size with an optional unit; @scale is what a number without one counts (1: bytes, 1024: KiB). @value in bytes. */
bool args_bytes(Shell *shell, const Args *args, const char *name, unsigned long long scale,
                unsigned long long *value);
/* The same in KiB, which is also what a number without a unit counts. */
bool args_kib(Shell *shell, const Args *args, const char *name, unsigned long long *value);
/* "a" and "b" must come together or not at all; "a" makes no sense without "b". */
bool args_need(Shell *shell, const Args *args, const char *a, const char *b);
/* Words of an ARGV option as one text. Free with g_free. */
char *args_joined(const Args *args, const char *name);
/* The position of the option's text in @words ("a", "b", NULL) in @place, kept as it is when it was not given. */
bool args_word(Shell *shell, const Args *args, const char *name, const char *const *words,
               int *place);
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
/* The same for commands that know --persistent (see AFFECT_PERSISTENT). */
bool args_affect_persistent(Shell *shell, const Args *args, virDomainPtr domain,
                            unsigned int *flags);

/* ---- objects ---- */
virDomainPtr args_domain(Shell *shell, const Args *args);
virDomainPtr shell_find_domain(Shell *shell, const char *name);
/* The text of --file (or another option that names one), at most 16 MiB; NULL after saying why. */
char *args_file(Shell *shell, const Args *args, const char *name);
/* The descriptors of --pass-fds 5,6,7; *n is 0 when it was not given. */
bool args_fds(Shell *shell, const Args *args, const char *name, int **fds, unsigned int *n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomainSnapshot, virDomainSnapshotFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStream, virStreamFree)

/* Parse one command line (quotes, backslashes, ;) and run it. */
bool shell_run_line(Shell *shell, const char *line);
void command_print_help(Shell *shell, const Command *command);
