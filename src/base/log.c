/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See log.h. Settings are one immutable, replaced as a whole; log_wants reads a single number in the common case. */
#define ERROR_DOMAIN VIR_FROM_NONE

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define LEVEL_DEFAULT LOG_LEVEL_WARNING

typedef struct {
    LogLevel level;
    char *pattern;
} Filter;

typedef enum { OUTPUT_STDERR, OUTPUT_FILE, OUTPUT_SYSLOG, OUTPUT_JOURNALD } OutputKind;

typedef struct {
    LogLevel level;
    OutputKind kind;
    char *arg; /* path or syslog name */
    int fd;
} Output;

static GMutex lock; /* over everything below but lowest_level */
static LogLevel default_level = LEVEL_DEFAULT;
static GPtrArray *filters;
static GPtrArray *outputs;
/* The lowest level that any setting lets through: below it no lock is taken. */
static int lowest_level = LEVEL_DEFAULT;

static const char *const level_words[] = {"", "debug", "info", "warning", "error"};

static void
filter_free(void *opaque)
{
    Filter *filter = opaque;

    g_free(filter->pattern);
    g_free(filter);
}

static void
output_free(void *opaque)
{
    Output *output = opaque;

    fd_close(&output->fd);
    g_free(output->arg);
    g_free(output);
}

static bool
parse_level(const char *text, LogLevel *level)
{
    if (text[0] < '1' || text[0] > '4' || text[1])
        return false;
    *level = text[0] - '0';
    return true;
}

static void
renew_lowest_level(void)
{
    int lowest = default_level;

    for (guint i = 0; filters && i < filters->len; i++)
        lowest = MIN(lowest, (int)((Filter *)filters->pdata[i])->level);
    g_atomic_int_set(&lowest_level, lowest);
}

bool
log_set_level(int level, GError **err)
{
    if (level < LOG_LEVEL_DEBUG || level > LOG_LEVEL_ERROR)
        return fail(err, VIR_ERR_INVALID_ARG, "log level %d: must be 1 (debug) to 4 (error)",
                    level);
    g_mutex_lock(&lock);
    default_level = level;
    renew_lowest_level();
    g_mutex_unlock(&lock);
    return true;
}

int
log_get_level(void)
{
    return default_level;
}

static Filter *
parse_filter(const char *word, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(word, ":", 2);
    LogLevel level;

    if (!parts[0] || !parts[1] || !*parts[1] || !parse_level(parts[0], &level))
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "log filter '%s': expected LEVEL:CATEGORY with LEVEL 1 to 4", word);
    Filter *filter = g_new0(Filter, 1);
    filter->level = level;
    filter->pattern = g_strdup(parts[1][0] == '+' ? parts[1] + 1 : parts[1]);
    return filter;
}

bool
log_set_filters(const char *text, GError **err)
{
    g_autoptr(GPtrArray) parsed = g_ptr_array_new_with_free_func(filter_free);
    g_auto(GStrv) words = g_strsplit_set(text ? text : "", " \t\n", -1);

    for (char **word = words; *word; word++) {
        if (!**word)
            continue;
        Filter *filter = parse_filter(*word, err);
        if (!filter)
            return false;
        g_ptr_array_add(parsed, filter);
    }
    g_mutex_lock(&lock);
    g_clear_pointer(&filters, g_ptr_array_unref);
    filters = g_steal_pointer(&parsed);
    renew_lowest_level();
    g_mutex_unlock(&lock);
    return true;
}

static bool
output_open(Output *output, GError **err)
{
    if (output->kind == OUTPUT_FILE) {
        output->fd = open(output->arg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (output->fd < 0)
            return fail_errno(err, "open log", output->arg);
    }
    if (output->kind == OUTPUT_SYSLOG)
        openlog(output->arg, LOG_PID, LOG_DAEMON);
    if (output->kind == OUTPUT_JOURNALD) {
        struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
        output->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (output->fd < 0 || connect(output->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
            return fail_errno(err, "connect to journal", JOURNAL_SOCKET);
    }
    return true;
}

static Output *
parse_output(const char *word, GError **err)
{
    static const char *const kinds[] = {"stderr", "file", "syslog", "journald"};
    g_auto(GStrv) parts = g_strsplit(word, ":", 3);
    Output *output = g_new0(Output, 1);
    bool valid = parts[0] && parts[1] && parse_level(parts[0], &output->level);

    output->fd = -1;
    output->kind = OUTPUT_STDERR;
    while (valid && output->kind < G_N_ELEMENTS(kinds) &&
           !g_str_equal(parts[1], kinds[output->kind]))
        output->kind++;
    bool needs_arg = output->kind == OUTPUT_FILE || output->kind == OUTPUT_SYSLOG;
    if (!valid || output->kind == G_N_ELEMENTS(kinds) || (needs_arg && !parts[2])) {
        output_free(output);
        return fail_null(err, VIR_ERR_INVALID_ARG,
                         "log output '%s': expected LEVEL:stderr, LEVEL:file:PATH, "
                         "LEVEL:syslog:NAME or LEVEL:journald",
                         word);
    }
    output->arg = g_strdup(parts[2]);
    if (!output_open(output, err)) {
        output_free(output);
        return NULL;
    }
    return output;
}

bool
log_set_outputs(const char *text, GError **err)
{
    g_autoptr(GPtrArray) parsed = g_ptr_array_new_with_free_func(output_free);
    g_auto(GStrv) words = g_strsplit_set(text ? text : "", " \t\n", -1);

    for (char **word = words; *word; word++) {
        if (!**word)
            continue;
        Output *output = parse_output(*word, err);
        if (!output)
            return false;
        g_ptr_array_add(parsed, output);
    }
    g_mutex_lock(&lock);
    g_clear_pointer(&outputs, g_ptr_array_unref);
    outputs = g_steal_pointer(&parsed);
    g_mutex_unlock(&lock);
    return true;
}

char *
log_get_filters(void)
{
    GString *text = g_string_new(NULL);

    g_mutex_lock(&lock);
    for (guint i = 0; filters && i < filters->len; i++) {
        Filter *filter = filters->pdata[i];
        g_string_append_printf(text, "%s%d:%s", i ? " " : "", filter->level, filter->pattern);
    }
    g_mutex_unlock(&lock);
    return g_string_free(text, FALSE);
}

char *
log_get_outputs(void)
{
    static const char *const kinds[] = {"stderr", "file", "syslog", "journald"};
    GString *text = g_string_new(NULL);

    g_mutex_lock(&lock);
    for (guint i = 0; outputs && i < outputs->len; i++) {
        Output *output = outputs->pdata[i];
        g_string_append_printf(text, "%s%d:%s", i ? " " : "", output->level, kinds[output->kind]);
        if (output->arg)
            g_string_append_printf(text, ":%s", output->arg);
    }
    g_mutex_unlock(&lock);
    if (!text->len)
        g_string_append_printf(text, "%d:stderr", default_level);
    return g_string_free(text, FALSE);
}

/* The level that holds for @category: the first filter that matches it, else the default. Under the lock. */
static LogLevel
level_for(const char *category)
{
    for (guint i = 0; filters && i < filters->len; i++) {
        Filter *filter = filters->pdata[i];
        if (g_pattern_match_simple(filter->pattern, category) || strstr(category, filter->pattern))
            return filter->level;
    }
    return default_level;
}

bool
log_wants(LogLevel level, const char *category)
{
    if ((int)level < g_atomic_int_get(&lowest_level))
        return false;
    g_mutex_lock(&lock);
    bool wants = level >= level_for(category);
    g_mutex_unlock(&lock);
    return wants;
}

static void
output_write(const Output *output, LogLevel level, const char *category, const char *text,
             const char *line)
{
    static const int priorities[] = {LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

    /* A log that cannot be written has nowhere to say so: the results are dropped knowingly. */
    switch (output->kind) {
    case OUTPUT_STDERR:
        (void)!fd_write_all(STDERR_FILENO, line, strlen(line));
        break;
    case OUTPUT_FILE:
        (void)!fd_write_all(output->fd, line, strlen(line));
        break;
    case OUTPUT_SYSLOG:
        syslog(priorities[level], "%s", text);
        break;
    case OUTPUT_JOURNALD: {
        g_autofree char *entry = g_strdup_printf("PRIORITY=%d\nLIBVIRT_SOURCE=%s\nMESSAGE=%s\n",
                                                 priorities[level], category, text);
        (void)!send(output->fd, entry, strlen(entry), MSG_NOSIGNAL);
        break;
    }
    }
}

void
log_write(LogLevel level, const char *category, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    struct timespec now;
    struct tm utc;
    va_list args;
    int saved = errno;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    /* What comes from guests and clients must not forge lines. */
    g_strdelimit(text, "\r\n", ' ');
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    g_autofree char *line = g_strdup_printf(
        "%04d-%02d-%02d %02d:%02d:%02d.%03ld+0000: %d: %s : %s : %s\n", utc.tm_year + 1900,
        utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000,
        (int)syscall(SYS_gettid), level_words[level], category, text);

    g_mutex_lock(&lock);
    if (!outputs || !outputs->len)
        (void)!fd_write_all(STDERR_FILENO, line, strlen(line));
    for (guint i = 0; outputs && i < outputs->len; i++) {
        const Output *output = outputs->pdata[i];
        if (level >= output->level)
            output_write(output, level, category, text, line);
    }
    g_mutex_unlock(&lock);
    errno = saved;
}

static void
set_level_from_word(const char *text)
{
    int level = 0;

    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (g_ascii_strcasecmp(text, level_words[i]) == 0)
            level = i;
    }
    if (level || text_to_int(text, 10, &level))
        log_set_level(level, NULL);
}

void
log_set_from_environment(void)
{
    const char *level = g_getenv("LIBVIRT_DEBUG");
    const char *wanted_filters = g_getenv("LIBVIRT_LOG_FILTERS");
    const char *wanted_outputs = g_getenv("LIBVIRT_LOG_OUTPUTS");
    g_autoptr(GError) err = NULL;

    if (level && *level)
        set_level_from_word(level);
    if (wanted_filters && *wanted_filters && !log_set_filters(wanted_filters, &err))
        fprintf(stderr, "LIBVIRT_LOG_FILTERS: %s\n", err->message);
    g_clear_error(&err);
    if (wanted_outputs && *wanted_outputs && !log_set_outputs(wanted_outputs, &err))
        fprintf(stderr, "LIBVIRT_LOG_OUTPUTS: %s\n", err->message);
}
