/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh console: the person's terminal, raw, on one side, a stream of the guest on the other, until the escape character. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tools/virsh/groups.h"

#define CHUNK 4096

typedef struct {
    virStreamPtr stream;
    char escape;
    bool done;
    bool failed;
    int stdin_watch;
    GByteArray *to_guest;    /* typed, not yet sent */
    GByteArray *to_terminal; /* received, not yet printed */
} Console;

static void
finish(Console *console, bool failed)
{
    console->done = true;
    console->failed = failed;
}

static void
flush_to_terminal(Console *console)
{
    while (console->to_terminal->len) {
        ssize_t n = write(STDOUT_FILENO, console->to_terminal->data, console->to_terminal->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            finish(console, true);
            return;
        }
        g_byte_array_remove_range(console->to_terminal, 0, n);
    }
}

static void
flush_to_guest(Console *console)
{
    while (console->to_guest->len) {
        int n =
            virStreamSend(console->stream, (char *)console->to_guest->data, console->to_guest->len);
        if (n == -2)
            break;
        if (n < 0) {
            finish(console, true);
            return;
        }
        g_byte_array_remove_range(console->to_guest, 0, n);
    }
    virStreamEventUpdateCallback(console->stream,
                                 VIR_STREAM_EVENT_READABLE |
                                     (console->to_guest->len ? VIR_STREAM_EVENT_WRITABLE : 0));
}

static void
on_stream(virStreamPtr stream, int events, void *opaque)
{
    Console *console = opaque;
    char bytes[CHUNK];

    while (events & VIR_STREAM_EVENT_READABLE && !console->done) {
        int n = virStreamRecv(stream, bytes, sizeof bytes);
        if (n == -2)
            break;
        if (n <= 0) {
            finish(console, n < 0);
            return;
        }
        g_byte_array_append(console->to_terminal, (guint8 *)bytes, n);
        flush_to_terminal(console);
    }
    if (events & VIR_STREAM_EVENT_WRITABLE && !console->done)
        flush_to_guest(console);
    if (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP) && !console->done)
        finish(console, events & VIR_STREAM_EVENT_ERROR);
}

static void
on_terminal(int watch, int fd, int events, void *opaque)
{
    Console *console = opaque;
    char bytes[CHUNK];
    ssize_t n = read(fd, bytes, sizeof bytes);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        finish(console, n < 0);
        return;
    }
    char *escape = memchr(bytes, console->escape, n);
    g_byte_array_append(console->to_guest, (guint8 *)bytes, escape ? escape - bytes : n);
    flush_to_guest(console);
    if (escape)
        finish(console, false);
}

/* "^]" is Ctrl and ]; any other text stands for its first character. */
static char
escape_of(const char *text)
{
    return text[0] == '^' && text[1] ? g_ascii_toupper(text[1]) ^ 0x40 : text[0];
}

static bool
make_raw(struct termios *before)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, before) < 0)
        return false;
    raw = *before;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

static bool
pump(Shell *shell, Console *console)
{
    console->stdin_watch =
        virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE, on_terminal, console, NULL);
    if (console->stdin_watch < 0 ||
        virStreamEventAddCallback(console->stream, VIR_STREAM_EVENT_READABLE, on_stream, console,
                                  NULL) < 0)
        return false;
    shell_run_loop(shell, &console->done);
    virEventRemoveHandle(console->stdin_watch);
    virStreamEventRemoveCallback(console->stream);
    /* SIGTERM and SIGHUP end it as the escape character does: the terminal is put back first. */
    return (console->done && !console->failed) || shell_was_interrupted();
}

bool
console_run(Shell *shell, virDomainPtr domain, const char *device, unsigned int flags)
{
    g_autoptr(virStream) stream = virStreamNew(shell_connection(shell), VIR_STREAM_NONBLOCK);
    Console console = {.stream = stream, .escape = escape_of(shell_escape_char(shell))};
    bool is_terminal = isatty(STDIN_FILENO);
    struct termios before;

    if (!stream || virDomainOpenConsole(domain, device, stream, flags) < 0)
        return shell_fail(shell, "cannot open the console of domain '%s'",
                          virDomainGetName(domain));
    shell_note(shell, "Connected to domain '%s'\nEscape character is %s (Ctrl + %c)\n",
               virDomainGetName(domain), shell_escape_char(shell), console.escape ^ 0x40);
    fflush(stdout);
    if (is_terminal && !make_raw(&before))
        return shell_fail(shell, "cannot set up the terminal: %s", g_strerror(errno));
    console.to_guest = g_byte_array_new();
    console.to_terminal = g_byte_array_new();
    bool good = pump(shell, &console);
    if (is_terminal)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    if (good)
        virStreamFinish(stream);
    else
        virStreamAbort(stream);
    g_byte_array_unref(console.to_guest);
    g_byte_array_unref(console.to_terminal);
    shell_note(shell, "\n");
    return good ||
           shell_fail(shell, "the console of domain '%s' was cut off", virDomainGetName(domain));
}

bool
cmd_console(Shell *shell, const Args *args)
{
    g_autoptr(virDomain) domain = args_domain(shell, args);
    unsigned int flags = 0;

    if (!domain)
        return false;
    flags |= args_has(args, "force") ? VIR_DOMAIN_CONSOLE_FORCE : 0;
    flags |= args_has(args, "safe") ? VIR_DOMAIN_CONSOLE_SAFE : 0;
    return console_run(shell, domain, args_text(args, "devname"), flags);
}
