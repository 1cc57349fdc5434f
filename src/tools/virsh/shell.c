/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh: options, connection, running commands, reporting errors. Commands are in cmd_*.c, one file a subject; the interactive
 * part (history, completion) is in interactive.c and loads readline only when a person types. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/virsh/args.h"
#include "tools/virsh/interactive.h"
#include "tools/virsh/words.h"

struct Shell {
    virConnectPtr conn;
    char *uri;
    bool read_only;
    bool quiet;
    bool timing;
    bool json;     /* --json for the whole run */
    bool json_now; /* for the command that runs */
    bool interactive;
    bool quit;
    char *carried_error;
    int lost_errno;
    bool output_lost; /* nobody reads any more: EPIPE, or a full disk */
    int keepalive_interval, keepalive_count;
    const char *escape;
    FILE *log;
};

static volatile sig_atomic_t interrupted;
static int wake_fds[2] = {-1, -1}; /* the handler writes, shell_run_loop reads */

/* ---- printing ---- */

void
shell_print(Shell *shell, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
}

void
shell_note(Shell *shell, const char *fmt, ...)
{
    va_list args;

    if (shell->quiet || shell->json_now)
        return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
}

bool
shell_fail(Shell *shell, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "error: %s\n", text);
    if (shell->log)
        fprintf(shell->log, "error: %s\n", text);
    return false;
}

/* The library forgets its last error at the next call, even at the one that frees an object: it is kept as it is raised. */
static _Thread_local char *last_error;

void
shell_forget_error(void)
{
    virResetLastError();
    g_clear_pointer(&last_error, g_free);
}

static void
keep_error(void *opaque, virErrorPtr err)
{
    if (err->code == VIR_ERR_OK || !err->message)
        return;
    g_free(last_error);
    last_error = g_strdup(err->message);
    /* Where in a document the value stands, and what would be right: the message itself is what scripts compare. */
    if (err->str2 && g_str_has_prefix(err->str2, "line ") && err->str3) {
        g_free(last_error);
        last_error = g_strdup_printf("%s (%s, %s)", err->message, err->str2, err->str3);
    }
}

static void
report_library_error(Shell *shell)
{
    const char *message = shell->carried_error ? shell->carried_error : last_error;

    if (message)
        shell_fail(shell, "%s", message);
    shell_forget_error();
}

void
shell_carry_error(Shell *shell, const char *message)
{
    g_free(shell->carried_error);
    shell->carried_error = g_strdup(message);
}

/* ---- state ---- */

bool
shell_is_interactive(Shell *shell)
{
    return shell->interactive;
}

bool
shell_wants_json(Shell *shell)
{
    return shell->json_now;
}

bool
shell_is_quiet(Shell *shell)
{
    return shell->quiet;
}

const char *
shell_escape_char(Shell *shell)
{
    return shell->escape;
}

const char *
shell_uri(Shell *shell)
{
    return shell->uri;
}

void
shell_quit(Shell *shell)
{
    shell->quit = true;
}

bool
shell_has_quit(Shell *shell)
{
    return shell->quit || shell->output_lost;
}

bool
shell_was_interrupted(void)
{
    return interrupted;
}

void
shell_clear_interrupt(void)
{
    interrupted = 0;
}

bool
shell_is_read_only(Shell *shell)
{
    return shell->read_only;
}

static void
on_interrupt(int signal_number)
{
    int before = errno;

    interrupted = signal_number;
    if (wake_fds[1] >= 0 && write(wake_fds[1], "", 1) < 0)
        interrupted = signal_number; /* full: it wakes all the same */
    errno = before;
}

static void
on_wake(int watch, int fd, int events, void *opaque)
{
    char bytes[64];

    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

static bool loop_ended;

void
shell_end_loop(int timer, void *opaque)
{
    loop_ended = true;
}

bool
shell_run_loop(Shell *shell, const bool *done)
{
    struct sigaction action = {.sa_handler = on_interrupt}, term, hangup;
    int watch;

    if (wake_fds[0] < 0 && pipe2(wake_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return shell_fail(shell, "cannot make a pipe: %s", g_strerror(errno));
    watch = virEventAddHandle(wake_fds[0], VIR_EVENT_HANDLE_READABLE, on_wake, NULL, NULL);
    sigaction(SIGTERM, &action, &term);
    sigaction(SIGHUP, &action, &hangup);
    loop_ended = false;
    while (!*done && !loop_ended && !interrupted && virEventRunDefaultImpl() == 0 &&
           virConnectIsAlive(shell->conn) == 1)
        continue;
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGHUP, &hangup, NULL);
    virEventRemoveHandle(watch);
    if (interrupted == SIGTERM || interrupted == SIGHUP)
        shell->quit = true;
    return *done || loop_ended || interrupted;
}

/* ---- connection ---- */

virConnectPtr
shell_connection(Shell *shell)
{
    return shell->conn;
}

static void
disconnect(Shell *shell)
{
    if (shell->conn)
        virConnectClose(shell->conn);
    shell->conn = NULL;
}

static bool
connect_now(Shell *shell)
{
    disconnect(shell);
    shell->conn = virConnectOpenAuth(shell->uri, virConnectAuthPtrDefault,
                                     shell->read_only ? VIR_CONNECT_RO : 0);
    if (!shell->conn)
        return shell_fail(shell, "failed to connect to the hypervisor");
    /* A server that cannot be asked for life signs is still usable. */
    if (shell->keepalive_interval > 0 &&
        virConnectSetKeepAlive(shell->conn, shell->keepalive_interval, shell->keepalive_count) != 0)
        shell_forget_error();
    return true;
}

bool
shell_connect(Shell *shell, const char *uri, bool read_only)
{
    g_free(shell->uri);
    shell->uri = g_strdup(uri && *uri ? uri : NULL);
    shell->read_only = read_only;
    return connect_now(shell);
}

static bool
ensure_connected(Shell *shell)
{
    if (shell->conn && virConnectIsAlive(shell->conn) == 0) {
        shell_fail(shell, "Disconnected from %s: reconnecting",
                   shell->uri ? shell->uri : "the hypervisor");
        disconnect(shell);
    }
    return shell->conn || connect_now(shell);
}

/* ---- objects ---- */

virDomainPtr
shell_find_domain(Shell *shell, const char *name)
{
    virDomainPtr domain = NULL;
    char *end;
    unsigned long id = strtoul(name, &end, 10);

    if (*name && !*end && id < G_MAXINT)
        domain = virDomainLookupByID(shell->conn, id);
    if (!domain && strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
        domain = virDomainLookupByUUIDString(shell->conn, name);
    if (!domain)
        domain = virDomainLookupByName(shell->conn, name);
    if (!domain) {
        shell_fail(shell, "failed to get domain '%s'", name);
        /* "no such domain" says nothing more; anything else does. */
        if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
            shell_forget_error();
    }
    return domain;
}

virDomainPtr
args_domain(Shell *shell, const Args *args)
{
    return shell_find_domain(shell, args_text(args, "domain"));
}

/* ---- running ---- */

const Command *
command_find(const char *name)
{
    for (gsize g = 0; command_groups[g]; g++) {
        for (gsize t = 0; command_groups[g]->tables[t]; t++) {
            for (const Command *command = command_groups[g]->tables[t]; command->name; command++) {
                if (g_str_equal(command->name, name))
                    return command;
            }
        }
    }
    return NULL;
}

static int
compare_commands(const void *a, const void *b)
{
    return strcmp((*(const Command *const *)a)->name, (*(const Command *const *)b)->name);
}

GPtrArray *
group_commands(const CommandGroup *group)
{
    GPtrArray *commands = g_ptr_array_new();

    for (gsize t = 0; group->tables[t]; t++) {
        for (const Command *command = group->tables[t]; command->name; command++)
            g_ptr_array_add(commands, (void *)command);
    }
    g_ptr_array_sort(commands, compare_commands);
    return commands;
}

static bool
run_command(Shell *shell, const Command *command, const Args *args)
{
    bool needs_connection = !(command->flags & COMMAND_OFFLINE);
    gint64 began = g_get_monotonic_time();

    shell->json_now = command->flags & COMMAND_JSON && (shell->json || args_has(args, "json"));
    interrupted = 0;
    shell_forget_error();
    bool good = (!needs_connection || ensure_connected(shell)) && command->run(shell, args);
    if (!good)
        report_library_error(shell);
    shell_forget_error();
    g_clear_pointer(&shell->carried_error, g_free);
    if (shell->timing)
        printf("\n(Time: %.3f ms)\n", (g_get_monotonic_time() - began) / 1000.0);
    /* A blank line sets commands apart; scripts know it and count on it. */
    if (!shell->quit)
        shell_note(shell, "\n");
    if (fflush(stdout) != 0) {
        shell->lost_errno = errno;
        shell->output_lost = true;
    }
    return good;
}

/* A command with its checked arguments; NULL arguments: its help is wanted. */
typedef struct {
    const Command *command;
    Args *args;
    char *text; /* for the log */
} Planned;

static void
planned_clear(void *opaque)
{
    Planned *planned = opaque;

    args_free(planned->args);
    g_free(planned->text);
}

static bool
plan_words(Shell *shell, char **words, gsize n, GArray *plan)
{
    g_autofree char *why = NULL;
    Planned planned = {.command = command_find(words[0])};

    if (!planned.command)
        return shell_fail(shell, "unknown command: '%s'", words[0]);
    if (!g_strv_contains((const char *const *)words + 1, "--help")) {
        planned.args = args_parse(planned.command, words + 1, n - 1, &why);
        if (!planned.args)
            return shell_fail(shell, "%s", why);
    }
    planned.text = g_strjoinv(" ", words);
    g_array_append_val(plan, planned);
    return true;
}

/* All of a line is checked before any of it runs; what fails then does not keep the rest from running. The last one decides. */
static bool
run_plan(Shell *shell, const GArray *plan)
{
    bool good = true;

    for (guint i = 0; i < plan->len && !shell_has_quit(shell); i++) {
        const Planned *planned = &g_array_index(plan, Planned, i);
        if (shell->log) {
            fprintf(shell->log, "%s\n", planned->text);
            fflush(shell->log);
        }
        if (planned->args)
            good = run_command(shell, planned->command, planned->args);
        else
            command_print_help(shell, planned->command);
    }
    return good;
}

static GArray *
plan_new(void)
{
    GArray *plan = g_array_new(FALSE, TRUE, sizeof(Planned));

    g_array_set_clear_func(plan, planned_clear);
    return plan;
}

bool
shell_run_line(Shell *shell, const char *line)
{
    g_autofree char *why = NULL;
    g_autoptr(GPtrArray) commands = words_split(line, &why);
    g_autoptr(GArray) plan = plan_new();

    if (!commands)
        return shell_fail(shell, "%s", why);
    for (guint i = 0; i < commands->len; i++) {
        GPtrArray *words = commands->pdata[i];
        gsize n = words->len;
        g_ptr_array_add(words, NULL);
        if (!plan_words(shell, (char **)words->pdata, n, plan))
            return false;
    }
    return run_plan(shell, plan);
}

/* virsh list ';' version: each argument is one word. */
static bool
run_arguments(Shell *shell, char **words, int n)
{
    g_autoptr(GArray) plan = plan_new();

    for (int from = 0; from < n;) {
        int to = from;
        while (to < n && !g_str_equal(words[to], ";"))
            to++;
        g_autofree char **command = g_new0(char *, to - from + 1);
        memcpy(command, words + from, (to - from) * sizeof *command);
        if (to > from && !plan_words(shell, command, to - from, plan))
            return false;
        from = to + 1;
    }
    return run_plan(shell, plan);
}

/* ---- command line of virsh itself ---- */

static void
print_usage(void)
{
    printf("\n%s [options]... [<command_string>]\n%s [options]... <command> [args...]\n\n"
           "  options:\n"
           "    -c | --connect=URI      hypervisor to talk to (or VIRSH_DEFAULT_CONNECT_URI, "
           "LIBVIRT_DEFAULT_URI)\n"
           "    -d | --debug=NUM        how much to say about what is done [0-4]\n"
           "    -e | --escape <char>    character that leaves the console (^])\n"
           "    -h | --help             this help\n"
           "    -j | --json             print data as JSON\n"
           "    -k | --keepalive-interval=NUM\n"
           "                            seconds between life signs, 0 for none\n"
           "    -K | --keepalive-count=NUM\n"
           "                            life signs that may be missed\n"
           "    -l | --log=FILE         append commands and errors to FILE\n"
           "    -q | --quiet            data only, no headings and notes\n"
           "    -r | --readonly         read-only connection\n"
           "    -t | --timing           say how long each command took\n"
           "    -v | --version[=short]  version\n"
           "    -V | --version=long     version and what it was built with\n"
           "  commands (`virsh help NAME` explains one, `virsh help GROUP` lists a group):\n\n",
           g_get_prgname(), g_get_prgname());
    for (gsize g = 0; command_groups[g]; g++) {
        printf(" %s (help keyword '%s')\n", command_groups[g]->title, command_groups[g]->keyword);
        g_autoptr(GPtrArray) commands = group_commands(command_groups[g]);
        for (guint i = 0; i < commands->len; i++) {
            const Command *command = commands->pdata[i];
            printf("    %-30s %s\n", command->name, command->help);
        }
        printf("\n");
    }
}

static void
print_version(bool longer)
{
    unsigned long version = LIBVIR_VERSION_NUMBER;

    if (!longer) {
        printf("%lu.%lu.%lu\n", version / 1000000, version / 1000 % 1000, version % 1000);
        return;
    }
    printf("virsh of Manifold, API %lu.%lu.%lu\n\nHypervisors: as the library and the daemon offer "
           "them (see `virsh "
           "capabilities`)\nOutput: text, JSON\nLicence: LGPL-2.1-or-later\n",
           version / 1000000, version / 1000 % 1000, version % 1000);
}

static bool
parse_number(const char *text, const char *what, int low, int high, int *value)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (!*text || *end || number < low || number > high) {
        fprintf(stderr, "error: option %s takes a number from %d to %d, not '%s'\n", what, low,
                high, text);
        return false;
    }
    *value = number;
    return true;
}

/* 0: go on; 1: done; 2: wrong usage. */
static int
parse_options(Shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        {"connect", required_argument, NULL, 'c'},
        {"debug", required_argument, NULL, 'd'},
        {"escape", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},
        {"keepalive-interval", required_argument, NULL, 'k'},
        {"keepalive-count", required_argument, NULL, 'K'},
        {"log", required_argument, NULL, 'l'},
        {"quiet", no_argument, NULL, 'q'},
        {"readonly", no_argument, NULL, 'r'},
        {"timing", no_argument, NULL, 't'},
        {"version", optional_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int c, debug = 0;

    while ((c = getopt_long(argc, argv, "+:c:d:e:hjk:K:l:qrtvV", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            g_free(shell->uri);
            shell->uri = g_strdup(optarg);
            break;
        case 'd':
            if (!parse_number(optarg, "--debug", 0, 4, &debug))
                return 2;
            g_setenv("LIBVIRT_DEBUG", debug >= 3 ? "debug" : debug >= 1 ? "info" : "warning", TRUE);
            break;
        case 'e':
            shell->escape = optarg;
            break;
        case 'h':
            print_usage();
            return 1;
        case 'j':
            shell->json = true;
            break;
        case 'k':
            if (!parse_number(optarg, "--keepalive-interval", 0, G_MAXINT,
                              &shell->keepalive_interval))
                return 2;
            break;
        case 'K':
            if (!parse_number(optarg, "--keepalive-count", 0, G_MAXINT, &shell->keepalive_count))
                return 2;
            break;
        case 'l':
            shell->log = fopen(optarg, "ae");
            if (!shell->log) {
                fprintf(stderr, "error: cannot append to log '%s': %s\n", optarg,
                        g_strerror(errno));
                return 2;
            }
            break;
        case 'q':
            shell->quiet = true;
            break;
        case 'r':
            shell->read_only = true;
            break;
        case 't':
            shell->timing = true;
            break;
        case 'v':
            print_version(optarg && g_str_equal(optarg, "long"));
            return 1;
        case 'V':
            print_version(true);
            return 1;
        case ':':
            fprintf(stderr, "error: option '%s' requires an argument\n", argv[optind - 1]);
            return 2;
        default:
            fprintf(stderr, "error: unsupported option '%s'. See --help.\n", argv[optind - 1]);
            return 2;
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    Shell shell = {.keepalive_interval = 5, .keepalive_count = 6, .escape = "^]"};
    struct sigaction action = {.sa_handler = on_interrupt};
    bool good = true;

    g_set_prgname("virsh");
    shell.uri = g_strdup(g_getenv("VIRSH_DEFAULT_CONNECT_URI"));
    switch (parse_options(&shell, argc, argv)) {
    case 1:
        return EXIT_SUCCESS;
    case 2:
        return EXIT_FAILURE;
    }
    if (virInitialize() < 0) {
        fprintf(stderr, "error: the library could not be set up\n");
        return EXIT_FAILURE;
    }
    virSetErrorFunc(NULL, keep_error);
    if (virEventRegisterDefaultImpl() < 0) {
        fprintf(stderr, "error: the event loop could not be set up\n");
        return EXIT_FAILURE;
    }
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    int left = argc - optind;
    if (left == 0) {
        shell.interactive = isatty(STDIN_FILENO);
        good = interactive_run(&shell);
    } else if (left == 1) {
        good = shell_run_line(&shell, argv[optind]);
    } else {
        good = run_arguments(&shell, argv + optind, left);
    }
    disconnect(&shell);
    g_free(shell.uri);
    if (fflush(stdout) != 0 || shell.output_lost) {
        fprintf(stderr, "error: cannot write the output: %s\n",
                g_strerror(shell.lost_errno ? shell.lost_errno : errno));
        good = false;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
